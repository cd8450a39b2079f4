// node page/build.mjs MODULE OUT: puts the sources and the module into one file, with a Content-Security-Policy that
// allows exactly them.
import crypto from 'node:crypto';
import fs from 'node:fs';
import zlib from 'node:zlib';

const MOST = 290000, MOST_GZIPPED = 190000;
const SCRIPTS = ['core', 'dom', 'text', 'reading', 'verify', 'narrow', 'main'];

const [module, out] = process.argv.slice(2);
const source = name => fs.readFileSync(new URL(name, import.meta.url), 'utf8');
const vectors = name => JSON.parse(source(`../crates/token-test/vectors/${name}.json`));
const onedata = vectors('onedata'), documented = vectors('api-documents');
const golden = name => onedata.find(vector => vector.name === name).serialized_base62;
const sample = id => documented.find(vector => vector.id === id).text;
const examples = [
  { name: '13 caveats', token: golden('access_token_temporary') },
  { name: 'Invitation', token: golden('invite_supportSpace') },
  { name: 'Expired', token: sample('extra.swagger_client_tokens') },
  { name: 'Cut off', token: sample('seed002.curl') },
  { name: 'Piece missing', token: sample('seed000.curl') },
  { name: 'Altered', token: sample('seed.response200') },
];

// Takes the indentation and the comments out of lines that are nothing else.
const dense = text => text.split('\n').map(line => line.trim()).filter(line => line && !line.startsWith('//')).join('\n');
const packed = zlib.gzipSync(fs.readFileSync(module), { level: 9 }).toString('base64');
const css = dense(source('page.css'));
const js = `'use strict';\n${dense(SCRIPTS.map(name => source(`${name}.js`)).join('\n'))}`
  .replace('{{MODULE}}', () => packed)
  .replace('{{EXAMPLES}}', () => JSON.stringify(examples).replaceAll('<', '\\u003c'));
const hash = text => `'sha256-${crypto.createHash('sha256').update(text).digest('base64')}'`;
const policy = [
  "default-src 'none'", `script-src ${hash(js)} 'wasm-unsafe-eval'`, `style-src ${hash(css)}`, 'img-src data:',
  "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'",
].join('; ');
const html = source('page.html').replace('{{CSP}}', () => policy).replace('{{CSS}}', () => css).replace('{{JS}}', () => js);

const gzipped = zlib.gzipSync(html, { level: 9 }).length;
console.log(`${html.length} bytes, ${gzipped} with gzip`);
fs.writeFileSync(out, html);
if (html.length > MOST || gzipped > MOST_GZIPPED) {
  console.error(`The page may have ${MOST} bytes, ${MOST_GZIPPED} with gzip.`);
  process.exitCode = 1;
}
