// ---- Verify -------------------------------------------------------------------------------------------------------
const listed = text => text.split(/[\s,|]+/).filter(Boolean);

// The facts that the caveats ask for: type of caveat, member of the context, label, placeholder, value.
const FACTS = [
  ['ip', 'ip', 'Client’s address', '192.0.2.7', text => text],
  ['asn', 'asn', 'Autonomous system', '322', Number],
  ['geo.country', 'country', 'Country', 'PL', text => text],
  ['geo.region', 'regions', 'Regions, all that apply', 'Europe EU', listed],
  ['service', 'service', 'Service', 'opw-ID', text => text],
  ['consumer', 'consumer', 'Consumer', 'usr-ID or prv-ID', text => text],
];

const verifying = (doc, described) => fold('verifying', 'Verify', 'with the secret or the derived key that signed it', () => {
  const kinds = new Set(doc.caveats.map(({ caveat }) => caveat?.type ?? (caveat?.scope ? 'scope' : '')));
  const access = doc.token?.type.accessToken;
  const secret = input('The issuer’s secret', { type: 'password', id: 'secret' });
  const form = h('select', { 'aria-label': 'How the secret is written' },
    [['text', 'secret, text'], ['hex', 'secret, hex'], ['raw', 'derived key, hex']].map(([value, label]) => h('option', { value }, label)));
  const asked = FACTS.filter(([kind]) => kinds.has(kind)).map(([, name, label, placeholder, read]) => ({ name, label, read, control: input(placeholder) }));
  const also = (name, label, control, read = text => text) => asked.push({ name, label, control, read });
  if (doc.caveats.some(({ caveat }) => caveat?.type === 'consumer' && caveat.whitelist.some(one => one.startsWith('grp-'))))
    also('groups', 'Groups of the consumer', input('ID ID …'), listed);
  if (kinds.has('interface')) also('interface', 'Interface', h('select', {}, ['', 'rest', 'oneclient', 'graphsync'].map(value => h('option', { value }, value || '?'))));
  if (access?.sessionId !== undefined) also('session', 'Session', input('its id, or any'));
  const at = h('input', { type: 'datetime-local', step: 1 });
  const later = described.caveats.some(({ enforcedLater }) => enforcedLater) && h('input', { type: 'checkbox' });
  const usedAs = access && h('select', {}, ['access', 'identity'].map(value => h('option', { value, selected: value === 'identity' && kinds.has('scope') }, value)));
  const discharges = doc.caveats.some(({ thirdParty }) => thirdParty)
    && h('textarea', { class: 'bare mono', rows: 3, spellcheck: false, autocomplete: 'off', placeholder: 'A discharge on each line' });
  const out = h('div', { class: 'verdict', role: 'status' });

  const judge = () => {
    Object.assign(state, { verdict: undefined, judged: undefined, checked: undefined });
    const lines = [], line = (kind, mark, text) => lines.push(h('p', { class: kind }, h('span', { 'aria-hidden': 'true' }, mark), text));
    if (secret.value) {
      const context = { now: at.value ? Math.floor(new Date(at.value).getTime() / 1000) : now(), allowDataCaveats: later ? later.checked : false };
      for (const { name, read, control } of asked) if (control.value.trim()) context[name] = read(control.value.trim());
      const request = { token: state.text, context };
      if (form.value === 'raw') request.rootKey = { hex: secret.value.trim() };
      else request.secret = form.value === 'hex' ? { hex: secret.value.trim() } : secret.value;
      if (doc.token) request.as = usedAs ? usedAs.value : doc.token.type.inviteToken ? 'invite' : 'identity';
      if (discharges && discharges.value.trim()) request.discharges = discharges.value.trim().split(/\s+/);
      const explained = ask('explain', request);
      show(explained, line);
    }
    out.replaceChildren(...lines);
    refresh();
  };
  const show = ({ answer, error, caveats }, line) => {
    if (caveats) {
      line('good', '✓', 'The signature matches: made with this secret, and not changed since.');
      const failed = caveats.filter(({ holds }) => !holds);
      if (!caveats.length) line('good', '✓', 'There is no caveat to hold.');
      else if (!failed.length) line('good', '✓', `${caveats.length === 1 ? 'The caveat holds' : `All ${count(caveats.length)} caveats hold`} for this request.`);
      for (const { discharge, index, reason, fact } of failed.slice(0, 20)) {
        const place = discharge === null ? `Caveat ${index}` : `Caveat ${index} of discharge ${discharge}`;
        line('bad', '✗', short(spelled(`${place} does not hold: ${reason}${fact ? ` (request: ${fact})` : ''}.`)));
      }
      if (error && !failed.length) line('bad', '✗', refusal(error));
      state.judged = caveats;
      state.checked = 'matches the secret below';
      state.verdict = answer ? chip('good', YES, 'Verified with the secret below') : chip('bad', NO, 'Signed with the secret below, but refused');
      line('', '', 'Only its Onezone can tell whether it is revoked or spent.');
    } else if (error.code === 'token_invalid') {
      line('bad', '✗', refusal(error));
      state.verdict = chip('bad', NO, error.detail.reason === 'signature' ? 'The signature does not match the secret below' : 'Refused: see below');
      state.checked = error.detail.reason === 'signature' ? 'does not match the secret below' : undefined;
    } else line('', '·', refusal(error));
  };
  for (const control of [secret, form, at, later, usedAs, discharges, ...asked.map(({ control }) => control)])
    if (control) control.addEventListener('input', judge);
  return [
    field('Secret', h('div', { class: 'pair' }, secret, form), true),
    h('div', { class: 'fields' },
      asked.map(({ label, control }) => field(label, control)),
      usedAs && field('Used as', usedAs),
      times(doc).length ? field('Time (now, if left empty)', at) : ''),
    discharges && field('Discharges, bound to this token', discharges, true),
    later && h('label', { class: 'check' }, later, 'The server will enforce the caveats about data during the request'),
    out,
  ];
});

const WRONG = {
  signature: 'The signature does not match: it is another secret, or the token was changed.',
  'discharge-missing': 'A discharge is missing for a third-party caveat.',
  'discharge-unused': 'A discharge belongs to none of the caveats.',
  'discharge-ambiguous': 'Two discharges are for the same caveat.',
  'caveat-key': 'The key within a third-party caveat cannot be opened.',
};
const refusal = ({ code, detail }) => {
  const whose = detail.discharge === undefined ? '' : ` (discharge ${detail.discharge})`;
  if (code === 'token_invalid') return `${WRONG[detail.reason] ?? `The token is invalid: ${detail.reason}.`}${whose}`;
  if (code === 'invalid_argument') return short(spelled(`${capital(NAMES[detail.member] ?? detail.member ?? 'The form')}: ${detail.reason}.`));
  if (code === 'token_session_invalid') return 'The token is for another session.';
  if (code === 'bad_token') return short(spelled(`A discharge cannot be read: ${detail.reason}${whose}.`));
  return short(spelled(`${code}${detail.reason ? `: ${detail.reason}` : ''}${whose}`));
};
const NAMES = {
  'context.ip': 'the client’s address', 'context.country': 'the country', 'context.regions': 'the regions', 'context.service': 'the service',
  'context.session': 'the session', secret: 'the secret', rootKey: 'the derived key', caveats: 'the caveat',
};
