// ---- The module ---------------------------------------------------------------------------------------------------
// token-embed, compiled to WebAssembly: a gzipped file in base64.
const MODULE = '{{MODULE}}';

const core = (async () => {
  const packed = Uint8Array.from(atob(MODULE), character => character.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  const module = await WebAssembly.compile(await new Response(unpacked).arrayBuffer());
  const to = new TextEncoder(), from = new TextDecoder();
  let instance;
  const renew = async () => { instance = (await WebAssembly.instantiate(module)).exports; };
  await renew();
  const lend = text => {
    const bytes = to.encode(text), address = instance.take(bytes.length) >>> 0;
    new Uint8Array(instance.memory.buffer, address, bytes.length).set(bytes);
    return [address, bytes.length];
  };
  // The answer to a verb, or `{ error }`.
  return (verb, request) => {
    try {
      const answer = BigInt.asUintN(64, instance.call(...lend(verb), ...lend(JSON.stringify(request))));
      const address = Number(answer >> 32n), length = Number(answer & 0xffffffffn);
      const [status] = new Uint8Array(instance.memory.buffer, address, 1);
      const document = JSON.parse(from.decode(new Uint8Array(instance.memory.buffer, address + 1, length - 1)));
      instance.give(address, length);
      return status === 0 ? document : { error: document };
    } catch (trap) {
      renew();
      return { error: { code: 'panic', detail: {} } };
    }
  };
})();
let ask;
