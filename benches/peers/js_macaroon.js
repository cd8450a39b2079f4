// The npm package macaroon. The arguments are those of rust/src/lib.rs.
//
// It neither reads nor writes v1 packets, so its tokens are JSON with the members of version 1.
'use strict';

const {importMacaroon, newMacaroon} = require('macaroon');

const [time, secret, location, identifier, caveat, further, nowText] = process.argv.slice(2);
const now = BigInt(nowText);
const PREFIX = 'time < ';
const key = (text) => new TextEncoder().encode(text);
const rootKey = key(secret);
const expires = BigInt(caveat.slice(PREFIX.length));

function require_(holds, what) {
  if (!holds) {
    throw new Error(`wrong result: ${what}`);
  }
}

function mint() {
  const macaroon = newMacaroon({version: 1, rootKey, identifier, location});
  macaroon.addFirstPartyCaveat(caveat);
  return JSON.stringify(macaroon.exportJSON());
}

function verify(text, secret, now) {
  importMacaroon(JSON.parse(text)).verify(secret, (predicate) => {
    return predicate.startsWith(PREFIX) && now < BigInt(predicate.slice(PREFIX.length)) ? null : 'unmet';
  }, []);
}

function refused(...args) {
  try {
    verify(...args);
    return false;
  } catch {
    return true;
  }
}

function attenuate(text) {
  const macaroon = importMacaroon(JSON.parse(text));
  macaroon.addFirstPartyCaveat(further);
  return JSON.stringify(macaroon.exportJSON());
}

function batch(once, count) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) {
    once();
  }
  return Number(process.hrtime.bigint() - start);
}

function measure(work, once) {
  const length = Number(time) * 1e9;
  const elapsed = (start) => Number(process.hrtime.bigint() - start);
  let start = process.hrtime.bigint();
  // The code is compiled during the warm-up; the batches are sized after that.
  while (elapsed(start) < length) {
    once();
  }
  let count = 1;
  while (batch(once, count) < 100e3) {
    count *= 2;
  }
  const times = [];
  start = process.hrtime.bigint();
  while (elapsed(start) < length) {
    times.push(batch(once, count) / count);
  }
  times.sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)];
  console.log(JSON.stringify({work, ns: times[0], median_ns: median, text: null}));
}

const text = mint();
const forged = JSON.parse(text);
forged.signature = forged.signature.replace(/^./, (digit) => digit === '0' ? '1' : '0');
require_(!refused(text, rootKey, now), 'a good token is refused');
require_(!refused(attenuate(text), rootKey, now), 'an attenuated token is refused');
require_(refused(JSON.stringify(forged), rootKey, now), 'a forged token is accepted');
require_(refused(text, key('another'), now), 'another secret is accepted');
require_(refused(text, rootKey, expires), 'an expired token is accepted');

measure('mint', mint);
measure('verify', () => verify(text, rootKey, now));
measure('attenuate', () => attenuate(text));
