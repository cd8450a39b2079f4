// ---- The text of the token ----------------------------------------------------------------------------------------
const area = $('token'), paint = $('paint'), reading = $('reading');
// What is read: the text, the answers of `inspect` and of `describe`, and of `explain` while there is a secret.
let state = { text: '' };
// A longer text is kept out of the field, which would become slow.
const HELD = 8192;
let held = '';

// Cuts off what people copy along with a token.
const peel = raw => {
  let text = raw.trim(), note = '';
  const cut = (pattern, said) => {
    const found = pattern.exec(text);
    if (found) { text = text.slice(found[0].length); note = said; }
  };
  cut(/^(?:x-auth-token|authorization|macaroon)\s*:\s*/i, 'The name of the header is not read.');
  cut(/^bearer\s+/i, 'The word Bearer is not read.');
  if (text.startsWith('{')) {
    try {
      const { token } = JSON.parse(text);
      if (typeof token === 'string') { text = token; note = 'Read from the member “token” of the JSON.'; }
    } catch { /* The reader says what is wrong with it. */ }
  }
  const quoted = /^(["'`])([^"'`]*)\1,?$/.exec(text);
  if (quoted) { text = quoted[2]; note = 'The quotes are not read.'; }
  return { text, note };
};

const partOf = ({ field, index }) => field === 'caveat' ? `caveat${index}` : field;

// The fields in the text: what was read, what the text ends within, and what reads behind damage.
const layout = ({ fields, damage }) => {
  const found = fields.map(piece => ({ ...piece, part: partOf(piece) }));
  if (damage?.cut) {
    const index = fields.filter(({ field }) => field === 'caveat').length;
    const begin = fields.at(-1)?.characters[1] ?? 0;
    const piece = { field: damage.cut.field, index, characters: [begin, damage.characters[0]], torn: true };
    found.push({ ...piece, part: partOf(piece) });
  }
  for (const piece of damage?.tail?.fields ?? []) found.push({ ...piece, part: `tail-${partOf(piece)}` });
  return found;
};

// Cuts the text at the edges of fields and of the damage. Offsets count bytes of UTF-8.
const pieces = (text, described) => {
  const bytes = new TextEncoder().encode(text), from = new TextDecoder();
  const wrong = described.damage?.characters, fields = layout(described);
  const edges = [0, bytes.length, ...fields.flatMap(piece => piece.characters), ...(wrong ?? [])];
  const sorted = [...new Set(edges)].filter(edge => edge <= bytes.length).sort((a, b) => a - b);
  let at = 0;
  return sorted.slice(0, -1).map((start, index) => {
    const end = sorted[index + 1];
    while (at < fields.length && fields[at].characters[1] <= start) at++;
    const piece = fields[at]?.characters[0] <= start ? fields[at] : undefined;
    const isWrong = wrong !== undefined && wrong[0] <= start && end <= wrong[1];
    const piece_text = from.decode(bytes.subarray(start, end));
    return { text: piece_text, piece, isWrong };
  });
};

const showText = (raw, text, described) => {
  const stage = $('stage'), isLong = raw.length > HELD, isHidden = !isLong && HIDDEN.test(text);
  HIDDEN.lastIndex = 0;
  $('held').hidden = !isLong && !isHidden;
  if (isLong) {
    const half = 120;
    $('held').replaceChildren(
      h('p', {}, `${count(raw.length)} characters, too many to show here.`),
      h('code', {}, spelled(raw.slice(0, half)), h('i', {}, ' … '), spelled(raw.slice(-half))));
  }
  // What is hidden or changes the direction cannot be shown within the field, which shows the text as it is.
  if (isHidden) {
    const wrong = described?.damage ? pieces(text, described) : [{ text }];
    $('held').replaceChildren(h('p', {}, 'With hidden and special characters spelled out:'),
      h('code', {}, wrong.map(({ text, isWrong }) => isWrong ? h('mark', {}, shown(text)) : shown(text))));
  }
  $('legend').replaceChildren();
  const isPlain = !described || isLong || isHidden;
  stage.classList.toggle('plain', isPlain);
  if (isPlain) { paint.replaceChildren(isLong ? '' : `${raw}\n`); return; }
  const lead = raw.indexOf(text), damage = described.damage;
  const spans = pieces(text, described).map(({ text, piece, isWrong }) => isWrong
    ? h('mark', { 'data-part': 'damage' }, text)
    : h('span', { 'data-part': piece?.part, 'data-kind': piece?.field, class: piece?.torn ? 'torn' : piece?.index % 2 ? 'odd' : '' }, text));
  const isCut = damage && damage.characters[0] === damage.characters[1];
  if (isCut) spans.push(h('span', { class: 'cut', 'data-part': 'damage' }));
  paint.replaceChildren(lead > 0 ? raw.slice(0, lead) : '', ...spans, lead >= 0 ? raw.slice(lead + text.length) : '', '\n');
  const fields = layout(described), kinds = [...new Set(fields.map(({ field }) => field))];
  $('legend').append(
    ...kinds.map(kind => h('li', { 'data-kind': kind },
      kind !== 'caveat' ? kind : fields.filter(({ field }) => field === kind).length === 1 ? 'caveat' : 'caveats')),
    damage ? h('li', { class: 'wrong' }, isCut ? 'missing' : 'wrong') : '');
};

// Lights up a field in the text and in the reading.
const light = part => {
  for (const found of document.querySelectorAll('[data-part], [data-shows]'))
    found.classList.toggle('on', part !== undefined && (found.dataset.part ?? found.dataset.shows) === part);
};
const partAt = (x, y) => document.elementsFromPoint(x, y).find(found => found.parentNode === paint)?.dataset.part;
area.addEventListener('pointermove', ({ clientX, clientY }) => light(partAt(clientX, clientY)));
area.addEventListener('pointerleave', () => light());
reading.addEventListener('pointerover', ({ target }) => light(target.closest('[data-shows]')?.dataset.shows));
reading.addEventListener('pointerleave', () => light());
reading.addEventListener('focusin', ({ target }) => light(target.closest('[data-shows]')?.dataset.shows));
reading.addEventListener('focusout', () => light());
// By keyboard: the field that the caret is in.
document.addEventListener('selectionchange', () => {
  if (document.activeElement !== area) return;
  let end = 0;
  const under = [...paint.childNodes].find(node => (end += node.textContent.length) > area.selectionStart);
  light(under?.dataset?.part);
});
// The caveats and the fields are one stop each for the Tab key; the arrow keys move within.
reading.addEventListener('keydown', event => {
  const list = event.target.closest?.('[data-walk]');
  if (!list || !event.target.dataset.shows) return;
  const stops = [...list.querySelectorAll('[data-shows]')], at = stops.indexOf(event.target);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: stops.length - 1 }[event.key];
  if (to === undefined || !stops[to]) return;
  event.preventDefault();
  event.target.tabIndex = -1;
  stops[to].tabIndex = 0;
  stops[to].focus();
});
