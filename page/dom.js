// ---- Small tools --------------------------------------------------------------------------------------------------
const $ = id => document.getElementById(id);

// Makes an element. Text goes in as text only.
const h = (tag, props = {}, ...children) => {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (name === 'class') made.className = value;
    else if (name in made && name !== 'list') made[name] = value;
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.flat(9).filter(child => child !== undefined && child !== null && child !== false));
  return made;
};

const YES = 'm3 8.500 3.400 3.400L13 4.800', NO = 'M4 4l8 8M12 4l-8 8', ASK = 'M8 3v6M8 12.800v.2';
const CLOCK = 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2M8 5v3.200l2.200 1.300';
const icon = path => {
  const make = (tag, attributes) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const svg = make('svg', { viewBox: '0 0 16 16', 'aria-hidden': 'true' });
  svg.append(make('path', {
    d: path, fill: 'none', stroke: 'currentColor', 'stroke-width': path === CLOCK ? '1.6' : '2.2',
    'stroke-linecap': 'round', 'stroke-linejoin': 'round',
  }));
  return svg;
};
const chip = (kind, mark, text) => h('span', { class: `chip ${kind}` }, mark && icon(mark), text);
const card = (title, ...children) => h('section', { class: 'card' }, title && h('h2', {}, title), ...children);
const say = text => { $('status').textContent = text; };

// The writer of a token must not steer what people see: what is hidden, or changes the direction, is spelled out.
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}\p{DI}]|(?! )\p{Zs}/gu;
const spelled = text => text.replace(HIDDEN, found => `\\u{${found.codePointAt(0).toString(16)}}`);
// A document, in which the same is escaped.
const asJson = value => JSON.stringify(value, (name, value) => name === 'signature' ? undefined : value, 2)
  .replace(HIDDEN, found => found === '\n' ? found : found.split('').map(unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''));
const LONG = 600;
const short = text => text.length > LONG ? `${text.slice(0, LONG)}… (${count(text.length - LONG)} more characters)` : text;
// Bytes of a document: a string, or base64url of what is no text.
const octets = value => value && typeof value === 'object' ? `base64url:${value.base64url}` : value ?? '';
const shown = value => short(spelled(octets(value)));
const count = number => number.toLocaleString('en');
const capital = text => text.charAt(0).toUpperCase() + text.slice(1);
// What is in backticks becomes code.
const rich = text => text.split('`').map((part, index) => index % 2 ? h('code', {}, part) : part);

const now = () => Math.floor(Date.now() / 1000);
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always' });
const UNITS = [['year', 31556952], ['month', 2629746], ['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
const away = seconds => {
  const [unit, length] = UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? UNITS[5];
  return relative.format(Math.trunc(seconds / length), unit);
};
const WHEN = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
const local = seconds => Math.abs(seconds) > 8.64e12 ? `second ${seconds}` : WHEN.format(seconds * 1000);
const utc = seconds => Math.abs(seconds) > 8.64e12 ? `second ${seconds}` : `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;

const copyButton = (label, text) => h('button', {
  type: 'button', class: 'ghost',
  async onclick({ currentTarget: button }) {
    try { await navigator.clipboard.writeText(text()); } catch {
      const area = h('textarea', { value: text(), class: 'sr' });
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
      button.focus();
    }
    button.textContent = 'Copied';
    say('Copied');
    setTimeout(() => { button.textContent = label; }, 1400);
  },
}, label);

const input = (placeholder, props = {}) =>
  h('input', { placeholder, autocomplete: 'off', autocapitalize: 'off', spellcheck: false, ...props });
const field = (label, control, wide) => h('label', { class: wide ? 'field wide' : 'field' }, label, control);
const fold = (id, title, what, inside) => {
  const body = h('div', { class: 'inside' });
  const made = h('details', { class: 'card', id }, h('summary', {}, h('b', {}, title), h('span', {}, what)), body);
  // What nobody opened costs nothing.
  made.addEventListener('toggle', () => { if (made.open && !body.firstChild) body.append(...[inside()].flat().filter(Boolean)); });
  return made;
};
