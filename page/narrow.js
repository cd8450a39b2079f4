// ---- Narrow -------------------------------------------------------------------------------------------------------
const narrowing = doc => fold('narrowing', 'Narrow', 'add caveats before you pass it on; this takes no secret', () => {
  const lines = [], list = h('ul', { class: 'added' });
  const result = h('div', { class: 'result', tabIndex: 0, role: 'group', 'aria-label': 'The narrowed token' });
  const actions = h('div', { class: 'act' });
  let made = '';
  const show = () => {
    const answer = lines.length ? ask('confine', { token: state.text, caveats: lines }) : {};
    made = answer.token ?? '';
    const said = made ? ask('describe', { token: made }).caveats.slice(-lines.length) : [];
    list.replaceChildren(...lines.map((line, index) => {
      const hint = answer.error?.detail.index === index ? `${capital(answer.error.detail.reason)}.`
        : said[index]?.supported === false ? 'Tokens of this type do not support it: Onedata will refuse the token.'
        : ask('caveat', { text: line }).caveat === null ? 'Onedata does not know this caveat, and will refuse the token.' : '';
      const words = said[index]?.words ?? ask('words', { text: line }).words;
      return h('li', {},
        h('div', {}, short(spelled(words)), h('code', {}, shown(line)), hint && h('span', { class: 'hint' }, hint)),
        h('button', { type: 'button', 'aria-label': `Leave out ${short(spelled(line))}`, onclick() { lines.splice(index, 1); show(); } }, '×'));
    }));
    result.hidden = lines.length === 0;
    actions.hidden = !made;
    if (!lines.length) return;
    if (!made) { result.textContent = `No token: ${answer.error.detail.reason ?? answer.error.code}.`; return; }
    let same = 0;
    while (same < made.length && made[same] === state.text[same]) same++;
    const from = Math.max(0, same - 2000);
    result.replaceChildren(from ? '…' : '', made.slice(from, same), h('b', {}, made.slice(same)));
    say(`Narrowed by ${lines.length === 1 ? 'one caveat' : `${lines.length} caveats`}`);
  };
  const add = line => { if (line && !lines.includes(line)) { lines.push(line); show(); } };
  const quick = (label, line) => h('button', { type: 'button', class: 'chip-button', onclick: () => add(line()) }, label);
  const take = (label, control, line) => {
    const go = () => { const text = line(); if (text) { add(text); control.value = ''; } };
    control.addEventListener('keydown', event => { if (event.key === 'Enter') go(); });
    return h('button', { type: 'button', class: 'ghost', 'aria-label': label, onclick: go }, 'Add');
  };
  const who = h('select', { class: 'kind', 'aria-label': 'Kind of consumer' },
    [['usr', 'user'], ['prv', 'provider'], ['grp', 'members of group']].map(([value, label]) => h('option', { value }, label)));
  const bare = (placeholder, label, props) => input(placeholder, { class: 'bare', 'aria-label': label, ...props });
  const id = bare('ID', 'Id of the consumer'), ip = bare('192.0.2.0/24', 'Address or network');
  const until = h('input', { class: 'bare', type: 'datetime-local', 'aria-label': 'Time' });
  const own = bare('time < 1800000000', 'Text of a caveat', { class: 'bare mono' });
  const isAccess = !doc.token || doc.token.type.accessToken;
  actions.append(h('button', { type: 'button', class: 'solid', onclick: () => { put(made); reading.focus(); } }, 'Read the narrowed token'), copyButton('Copy', () => made));
  result.hidden = actions.hidden = true;
  const adding = (label, ...row) => h('div', { class: 'field' }, label, h('div', { class: 'one' }, row));
  return [
    h('div', { class: 'adds' },
      [['15 minutes', 900], ['1 hour', 3600], ['1 day', 86400], ['7 days', 604800]].map(([label, seconds]) => quick(`For ${label}`, () => `time < ${now() + seconds}`)),
      isAccess && quick('Read only', () => 'data.readonly'), isAccess && quick('REST only', () => 'interface = rest')),
    h('div', { class: 'grid2' },
      adding('Until', until, take('Add the time', until, () => until.value && `time < ${Math.floor(new Date(until.value).getTime() / 1000)}`)),
      adding('Only for', who, id, take('Add the consumer', id, () => id.value.trim() && `consumer = ${who.value}-${id.value.trim()}`)),
      adding('Only from', ip, take('Add the address', ip, () => ip.value.trim() && `ip = ${ip.value.trim()}`)),
      adding('Any caveat, by its text', own, take('Add the caveat', own, () => own.value.trim()))),
    list, result, actions,
    h('p', { class: 'none' }, 'Nobody can remove a caveat. The token that you have stays as it is.'),
  ];
});

// ---- A caveat as text and as JSON ---------------------------------------------------------------------------------
const playground = () => fold('playground', 'Caveat playground', 'a caveat as text and as JSON', () => {
  const area = (label, rows, placeholder) => h('textarea', { class: 'bare mono', rows, spellcheck: false, autocomplete: 'off', placeholder, 'aria-label': label });
  const text = area('Text of the caveat', 2, 'consumer = usr-ID|grp-ID'), json = area('JSON of the caveat', 5, '{"type":"consumer","whitelist":["usr-ID"]}');
  const out = h('p', { class: 'verdict', role: 'status' });
  const tell = (kind, said) => { out.className = `verdict ${kind}`; out.textContent = short(spelled(said)); };
  text.addEventListener('input', () => {
    if (!text.value) { json.value = ''; tell('', ''); return; }
    const { caveat } = ask('caveat', { text: text.value });
    json.value = caveat ? asJson(caveat) : '';
    tell(caveat ? 'known' : '', ask('words', { text: text.value }).words);
  });
  json.addEventListener('input', () => {
    let caveat;
    try { caveat = JSON.parse(json.value); } catch { tell('', json.value ? 'This is not JSON yet.' : ''); return; }
    if (caveat === null || typeof caveat !== 'object') { tell('', 'A caveat is an object.'); return; }
    const answer = ask('caveat', { caveat });
    if (answer.error) { tell('', `No caveat: ${answer.error.detail.reason ?? answer.error.code}.`); return; }
    text.value = octets(answer.text);
    tell('known', ask('words', { text: answer.text }).words);
  });
  return [h('div', { class: 'grid2' }, field('Text', text), field('JSON', json)), out];
});
