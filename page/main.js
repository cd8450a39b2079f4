// ---- Beginning ----------------------------------------------------------------------------------------------------
const EXAMPLES = {{EXAMPLES}};

const welcome = () => [
  h('section', { class: 'card welcome', 'aria-label': 'Welcome' },
    h('p', { class: 'deed' }, 'Paste a token to see what it says'),
    h('ul', { class: 'anatomy' }, [
      ['location', 'Location', 'a hint where it is from'], ['identifier', 'Identifier', 'what it is for, and whose'],
      ['caveat', 'Caveats', 'what must hold; any holder can add some'], ['signature', 'Signature', 'over all but the location'],
    ].map(([kind, name, text]) => h('li', { 'data-kind': kind }, h('b', {}, name), text))),
    h('ul', { class: 'what' }, [
      'Each caveat in words beside its text, and until when the token holds',
      'Where a damaged token is damaged, and what still reads',
      'Whether a secret signed it, and a narrower token to pass on',
    ].map(text => h('li', {}, text))),
    h('div', { class: 'try' }, 'Try one:', EXAMPLES.map(({ name, token }) => h('button', { type: 'button', class: 'chip-button', onclick: () => put(token) }, name)))),
  playground(),
];

const render = () => {
  const { text, doc, described, error } = state;
  if (!text) { reading.replaceChildren(...welcome()); return; }
  if (error && (!described || !described.damage)) { reading.replaceChildren(tooLong(text, error)); return; }
  if (error) { reading.replaceChildren(...damageView(state)); return; }
  reading.replaceChildren(
    h('div', { id: 'top' }),
    card(doc.caveats.length ? 'Caveats: all must hold' : 'Caveats', h('div', { id: 'list' })),
    card('What it says of itself', h('div', { id: 'facts' })),
    verifying(doc, described), narrowing(doc), playground(), jsonCard());
  refresh();
};
// Shows again what depends on the time and on the secret.
const refresh = () => {
  const { doc, described, verdict, judged, checked } = state;
  if (!doc) return;
  const focused = document.activeElement?.dataset?.shows;
  $('top').replaceChildren(head(doc, described, verdict));
  $('list').replaceChildren(...[caveatList(doc, described, { judged })].flat().filter(Boolean));
  $('facts').replaceChildren(facts(doc, described, checked));
  if (focused) document.querySelector(`[data-shows="${focused}"]`)?.focus();
};

const spokenSummary = () => {
  const { doc, described, error } = state;
  if (error) return `Damaged. ${described?.damage ? spelled(short(described.damage.message)) : error.code}.`;
  const at = expiry(doc), caveats = doc.caveats.length === 1 ? 'One caveat' : `${count(doc.caveats.length)} caveats`;
  const expires = at === null ? 'No expiry' : at > now() ? `Expires ${away(at - now())}` : `Expired ${away(at - now())}`;
  return `${spelled(short(deed(doc, described)))}. Not verified. ${caveats}. ${expires}.`;
};

const read = async () => {
  if (area.value.length > HELD) { held = area.value; area.value = ''; }
  else if (area.value) held = '';
  const raw = held || area.value, { text, note } = peel(raw);
  ask = await core;
  $('note').textContent = note;
  if (!text) {
    state = { text: '' };
    showText(raw, '', null);
    render();
    say('');
    return;
  }
  const isNew = state.text !== text;
  if (isNew) {
    const answer = ask('inspect', { token: text, now: now(), signature: true }), described = ask('describe', { token: text });
    // What reads within the damage, such as a second token behind the first, is not behind it.
    const tail = described.damage?.tail;
    if (tail && tail.fields[0].characters[0] < described.damage.characters[1]) described.damage.tail = null;
    state = { text, described: described.error ? undefined : described, ...(answer.error ? { error: answer.error } : { doc: answer }) };
  }
  showText(raw, text, state.described);
  if (!isNew) return;
  render();
  say(spokenSummary());
};
const put = text => { held = ''; area.value = text; read(); };

area.addEventListener('input', read);
// A long text never enters the field.
area.addEventListener('paste', event => {
  const text = event.clipboardData?.getData('text/plain') ?? '';
  if (text.length <= HELD) return;
  event.preventDefault();
  put(text);
});
document.addEventListener('dragover', event => event.preventDefault());
document.addEventListener('drop', async event => {
  event.preventDefault();
  const file = event.dataTransfer?.files[0];
  put(file ? await file.slice(0, 4 << 20).text() : event.dataTransfer?.getData('text/plain') ?? '');
});
const clear = () => { put(''); area.focus(); };
$('clear').addEventListener('click', clear);
$('examples').append(...EXAMPLES.map(({ name, token }) => h('option', { value: token }, name)));
$('examples').addEventListener('change', ({ target }) => { if (target.value) put(target.value); target.value = ''; });
$('theme').addEventListener('click', () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = isDark ? 'light' : 'dark';
});
// The browser keeps pages to go back to: without a token and a secret.
addEventListener('pagehide', () => { put(''); reading.replaceChildren(); });
addEventListener('pageshow', read);
setInterval(() => { if (state.doc && !document.hidden) refresh(); }, 15000);
read();
