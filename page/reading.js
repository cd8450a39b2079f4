// ---- The reading --------------------------------------------------------------------------------------------------
const EVERY = 200;

const times = doc => doc.caveats.flatMap(({ caveat }) => caveat?.type === 'time' ? [Number(caveat.validUntil)] : []);
const expiry = doc => { const all = times(doc); return all.length ? Math.min(...all) : null; };
const isOnedata = doc => doc.encoding === 'base62' || /^(onezone|registry|globalregistry)$/.test(octets(doc.location));
const subject = ({ type, id }) => {
  const kind = { user: 'User', oneprovider: 'Provider', group: 'Group' }[type];
  return kind ? [`${kind} `, h('code', {}, shown(id))] : 'Nobody';
};

const expiryChip = doc => {
  const at = expiry(doc);
  if (at === null) return chip('', CLOCK, 'No expiry');
  const left = at - now();
  return left > 0 ? chip('good', CLOCK, `Expires ${away(left)}`) : chip('bad', CLOCK, `Expired ${away(left)}`);
};

const timeLine = doc => {
  const all = [...new Set(times(doc))].slice(0, 50), at = expiry(doc), present = now();
  const least = Math.min(present, ...all), span = Math.max(Math.max(present, ...all) - least, 60);
  const place = seconds => 14 + 72 * (seconds - least) / span;
  const put = (made, seconds) => {
    const x = place(seconds);
    made.style.setProperty('--at', `${x}%`);
    made.style.setProperty('--shift', x < 22 ? '-12%' : x > 78 ? '-88%' : '-50%');
    return made;
  };
  const bar = h('div', { class: 'bar' }, h('i'));
  bar.style.setProperty('--to', `${place(at)}%`);
  const [name, stated] = [at > present ? 'Holds until' : 'Expired', away(at - present)];
  return h('div', { class: at > present ? 'line' : 'line over', role: 'img', 'aria-label': `${name} ${local(at)}, ${stated}` },
    bar,
    all.filter(other => other !== at).map(other => put(h('div', { class: 'tick soft', title: utc(other) }), other)),
    put(h('div', { class: 'tick' }), at),
    put(h('div', { class: 'now' }), present),
    put(h('div', { class: 'flag up' }, 'now'), present),
    put(h('div', { class: 'flag down', title: utc(at) }, h('b', {}, local(at)), h('small', {}, ` · ${stated}`)), at));
};

// What is known of a caveat: without a secret what it depends on, with one what the verification made of it.
const caveatChip = (entry, said, judged) => {
  if (judged?.holds) return [chip('good', YES, 'holds'), judged.fact && `request: ${shown(judged.fact)}`];
  if (judged) return [chip('bad', NO, 'does not hold'), [judged.reason, judged.fact && `request: ${shown(judged.fact)}`].filter(Boolean).join('; ')];
  if (entry.thirdParty) return [chip('warn', ASK, 'needs a discharge')];
  if (!entry.caveat) return [chip('warn', ASK, 'not understood')];
  if (said?.supported === false) return [chip('warn', ASK, 'not for this type'), 'Onedata refuses a token of this type with it'];
  if (entry.caveat.type === 'time') return [Number(entry.caveat.validUntil) > now() ? chip('good', YES, 'holds now') : chip('bad', NO, 'expired')];
  if (entry.caveat.type === 'tokenType') return [chip('quiet', null, 'its type')];
  if (said?.enforcedLater) return [chip('quiet', null, 'enforced during the request')];
  return [chip('quiet', null, 'depends on the request')];
};

const spoken = (part, described) => {
  const piece = layout(described).find(found => found.part === part);
  return piece && h('span', { class: 'sr' }, ` Characters ${piece.characters[0] + 1} to ${piece.characters[1]} of the token.`);
};

const caveatList = (doc, described, { judged, all } = {}) => {
  if (!doc.caveats.length) return h('p', { class: 'none' }, 'None: the holder may use the token for all that its type allows.');
  const shownOnes = all ? doc.caveats : doc.caveats.slice(0, EVERY);
  const places = new Map(layout(described).map(piece => [piece.part, piece.characters]));
  const list = h('ol', { class: 'caveats', 'data-walk': true }, shownOnes.map((entry, index) => {
    const said = described.caveats[index], place = places.get(`caveat${index}`);
    const [mark, note] = caveatChip(entry, said, judged?.find(it => it.discharge === null && it.index === index));
    const isElsewhere = new Date().getTimezoneOffset() !== 0;
    const until = isElsewhere && entry.caveat?.type === 'time' && `${local(Number(entry.caveat.validUntil))} your time`;
    return h('li', { 'data-shows': `caveat${index}`, tabIndex: index ? -1 : 0 },
      h('span', { class: 'words' }, h('span', { class: 'sr' }, `Caveat ${index}: `), short(spelled(said?.words ?? '')), until && h('small', {}, ` (${until})`)),
      h('code', {}, shown(entry.thirdParty ? entry.identifier : entry.text)),
      note && h('small', { class: 'reason' }, short(spelled(note))),
      mark,
      place && h('span', { class: 'sr' }, `Characters ${place[0] + 1} to ${place[1]} of the token.`));
  }));
  const rest = doc.caveats.length - shownOnes.length;
  return [list, rest > 0 && h('button', {
    type: 'button', class: 'ghost more',
    onclick: ({ currentTarget }) => currentTarget.parentNode.replaceChildren(...[caveatList(doc, described, { judged, all: true })].flat().filter(Boolean)),
  }, `Show ${count(rest)} more`)];
};

const facts = (doc, described, checked) => {
  const rows = [], cut = described.damage?.cut;
  const row = (name, value, shows, mono) => {
    if (value === null || value === undefined) return;
    const stop = shows ? { 'data-shows': shows, tabIndex: rows.length ? -1 : 0 } : {};
    rows.push([h('dt', {}, name), h('dd', { class: mono ? 'mono' : '', ...stop }, value, shows && spoken(shows, described))]);
  };
  const torn = () => [h('span', { class: 'mono' }, shown(cut.left), '…'), h('small', {}, ` ${count(cut.missing)} bytes are missing`)];
  if (doc.token) {
    row(doc.token.type.inviteToken ? 'Issued by' : 'Subject', subject(doc.token.subject), 'identifier');
    row('Id', shown(doc.token.id), 'identifier', true);
    row('Kept', described.persistence);
    if (doc.token.service) row('Service', `${doc.token.service} (its prefix, which is not signed)`);
  } else if (doc.identifier !== null) row('Identifier', shown(doc.identifier), 'identifier', true);
  else if (cut?.field === 'identifier') row('Identifier', torn(), 'identifier');
  if (doc.location !== null) row('Location', [shown(doc.location) || '(empty)', h('small', { class: 'hint' }, ' not signed: anyone may have changed it')], 'location');
  else if (cut?.field === 'location') row('Location', torn(), 'location');
  if (cut?.field === 'caveat') row('Caveat', torn(), `caveat${doc.caveats.length}`);
  if (cut?.field === 'signature') row('Signature', h('small', {}, `${count(cut.missing)} bytes of it are missing`), 'signature');
  if (doc.encoding) row('Written as', `${[doc.encoding, doc.format].filter(Boolean).join(', ')}, ${count(doc.bytes)} bytes`);
  if (doc.signature) {
    const ends = h('code', {}, `${doc.signature.slice(0, 8)}…${doc.signature.slice(-8)}`);
    row('Signature', [ends, h('small', {}, ` ${checked ?? 'not checked'}`)], 'signature');
  }
  return rows.length ? h('dl', { class: 'facts', 'data-walk': true }, rows) : h('p', { class: 'none' }, 'Nothing.');
};

const deed = (doc, described) => described.words ?? (octets(doc.location) ? `A token of ${quoted(octets(doc.location))}` : 'A macaroon');
const quoted = text => /^[\x21\x23-\x5b\x5d-\x5f\x61-\x7e]+$/.test(text) ? text : `“${text}”`;
const kindOf = doc => {
  if (doc.token?.type.inviteToken) return 'An invite token';
  if (doc.token?.type.identityToken) return 'An identity token';
  if (doc.token) return 'An access token';
  return isOnedata(doc) ? 'A legacy token, from before Onedata 20.02: only its Onezone knows whose it is'
    : 'A macaroon with an opaque identifier: only its issuer knows what it stands for';
};
const head = (doc, described, verdict) => h('section', { class: 'card', 'aria-label': 'Summary' },
  h('p', { class: 'deed' }, short(spelled(deed(doc, described)))),
  h('p', { class: 'sub' }, kindOf(doc)),
  h('div', { class: 'chips' }, verdict ?? chip('warn', ASK, 'Not verified: anyone can have written this'), expiryChip(doc)),
  expiry(doc) !== null && timeLine(doc));

// ---- Damage -------------------------------------------------------------------------------------------------------
const AROUND = 24;
const damageCard = (text, described) => {
  const { damage } = described;
  const bytes = new TextEncoder().encode(text), from = new TextDecoder();
  const [start, end] = damage.characters, isCut = start === end;
  const piece = (from_byte, to) => spelled(from.decode(bytes.subarray(from_byte, to)));
  // How many characters these bytes are.
  const characters = to => bytes.length === text.length ? to : [...from.decode(bytes.subarray(0, to))].length;
  const sentence = `${capital(damage.message.replace(/, at (byte|character) \d+$/, ''))}.`;
  const nothing = described.fields.length === 0 && !damage.tail && !damage.repaired && !damage.cut;
  const title = damage.repaired !== null ? 'A damaged token, which can be repaired'
    : damage.tail && start === 0 ? 'The beginning of the token is missing or changed'
    : damage.tail ? 'A piece in the middle is missing or changed'
    : isCut && !nothing ? 'The end of the token is missing'
    : nothing ? 'This is not a token' : 'A damaged token';
  const [first, last, all] = [start, end, bytes.length].map(characters), total = `of ${count(all)}`;
  const place = !isCut ? (last - first === 1 ? `Character ${count(first + 1)} ${total}` : `Characters ${count(first + 1)} to ${count(last)} ${total}`)
    : first === all ? `It ends after character ${count(first)}` : `Between characters ${count(first)} and ${count(first + 1)} ${total}`;
  const wrong = end - start > 120 ? [piece(start, start + 50), '…', piece(end - 50, end)] : [piece(start, end)];
  return h('section', { class: 'card bad', 'aria-label': 'What is wrong' },
    h('p', { class: 'deed' }, title),
    damage.repaired !== null && damage.hint ? h('p', { class: 'why' }, rich(`${capital(spelled(damage.hint))}.`)) : h('p', { class: 'why' }, rich(spelled(sentence))),
    damage.repaired === null && damage.hint && !damage.tail && h('p', { class: 'why' }, rich(`${capital(spelled(damage.hint))}.`)),
    h('div', { class: 'excerpt', 'data-shows': 'damage', tabIndex: 0 },
      h('code', {}, start > AROUND ? '…' : '', piece(Math.max(0, start - AROUND), start),
        isCut ? h('span', { class: 'cut' }, h('span', { class: 'sr' }, ' missing ')) : h('mark', {}, wrong),
        piece(end, end + AROUND), end + AROUND < bytes.length ? '…' : ''),
      h('small', {}, `${place}.`)),
    damage.repaired !== null && h('div', { class: 'act' },
      h('button', { type: 'button', class: 'solid', onclick: () => { put(damage.repaired); reading.focus(); } }, 'Try the repair'),
      h('span', { class: 'sub' }, 'A guess: only the signature can confirm it.')));
};

const tailCard = ({ fragment, values, fields }) => {
  const rest = octets(fragment);
  let index = 0;
  const items = values.map(({ field, text, words }) => {
    const part = field === 'caveat' ? `tail-caveat${index++}` : `tail-${field}`;
    return h('li', { 'data-shows': part, tabIndex: -1 },
      h('span', { class: 'words' }, words ? short(spelled(words)) : capital(field)), h('code', {}, shown(text)));
  });
  if (rest) items.unshift(h('li', { class: 'fragment' }, h('span', { class: 'words' }, 'The rest of the damaged part'), h('code', {}, '…', short(spelled(rest)))));
  if (fields.some(({ field }) => field === 'signature')) items.push(h('li', { 'data-shows': 'tail-signature', tabIndex: -1 }, h('span', { class: 'words' }, 'A whole signature')));
  const first = items.find(item => item.dataset.shows);
  if (first) first.tabIndex = 0;
  return card('What reads after the damage', h('ol', { class: 'caveats tail', 'data-walk': true }, items));
};

const damageView = ({ text, described, error }) => {
  const partial = error.detail.partial, { damage } = described, made = [damageCard(text, described)];
  if (damage.repaired !== null) {
    const doc = ask('inspect', { token: damage.repaired, now: now() }), would = ask('describe', { token: damage.repaired });
    if (!doc.error) {
      const inner = head(doc, would, chip('warn', ASK, 'If it is repaired so; not verified'));
      inner.classList.add('would');
      inner.append(...[caveatList(doc, { ...would, fields: [] })].flat().filter(Boolean));
      made.push(inner);
    }
  } else if (partial && (described.fields.length || damage.cut)) {
    made.push(card('What reads before the damage', facts(partial, described), partial.caveats.length ? h('div', { class: 'then' }, caveatList(partial, described)) : ''));
  }
  if (damage.tail && damage.repaired === null) made.push(tailCard(damage.tail));
  made.push(jsonCard());
  return made;
};

const tooLong = (text, error) => h('section', { class: 'card bad' },
  h('p', { class: 'deed' }, error.code === 'token_too_large' ? 'This is too long for a token' : 'This cannot be read'),
  h('p', { class: 'why' }, error.code === 'token_too_large' ? `It has ${count(text.length)} characters. Tokens of up to ${count(1 << 20)} are read.` : `The reader answers ${error.code}.`));

const MOST_JSON = 100000;
const jsonCard = () => fold('json', 'JSON', 'as onetoken inspect --json prints it', () => {
  const whole = jsonOf();
  return [
    h('pre', { class: 'json', tabIndex: 0, role: 'region', 'aria-label': 'JSON' }, whole.slice(0, MOST_JSON), whole.length > MOST_JSON ? '…' : ''),
    h('div', {}, copyButton('Copy, without the signature', jsonOf)),
  ];
});
const jsonOf = () => asJson(state.error ?? state.doc);
