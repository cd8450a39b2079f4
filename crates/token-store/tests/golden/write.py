#!/usr/bin/env python3
"""Writes store-v1.txt, from the description of the format and not by the code that it tests.

Run it for a new version of the format, into a new file. A file that has been released is never written again.
Needs the package "cryptography".
"""

import hashlib
import struct
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def blob(data):
    return varint(len(data)) + data


def optional(value):
    return b"\0" if value is None else b"\1" + value


def entity(kind, name):
    return blob(kind) + blob(name)


def sealed(key_id, key, nonce, plaintext, owner):
    aad = b"onetoken sealed root key\0\1" + struct.pack(">I", key_id) + owner
    return varint(key_id) + nonce + blob(ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad))


def sized(data):
    return struct.pack(">Q", len(data)) + data


def sized_entity(kind, name):
    return sized(kind) + sized(name)


def number(value):
    return struct.pack(">Q", value)


def length(data):
    return struct.pack(">I", len(data))


def check(*parts):
    total = 0
    for part in parts:
        padded = part + bytes(8 - len(part) % 8)
        for word in [*struct.unpack(f"<{len(padded) // 8}Q", padded), len(part)]:
            total = (total ^ word) * 0x9E3779B97F4A7C15 % 2**64
            total ^= total >> 32
    return struct.pack(">Q", total)


def hashed(kind, name):
    return hashlib.sha256(length(kind) + kind + name).digest()[:16]


PAIRS = []


def put(key, payload):
    value = b"\1" + payload
    PAIRS.append((key, value + check(key, value)))


def record_key(token):
    return b"\1" + token.replace(b"\0", b"\0\xff") + b"\0"


KEY = bytes(range(32))
NONCE = bytes(range(100, 112))

PAIRS.append((b"\0format", struct.pack(">I", 1)))

put(b"\0newest", varint(1_500_000_000))

# The one bucket of the entries by resource and issuer.
bucket = struct.pack(">I", 0)

# A record with everything, of which two uses of 300 are taken, one by a claim that was answered again.
token = b"full\0\xff"
space, user = (b"space", b"s1"), (b"user", "u\u00e9".encode())
owner = (
    b"\1" + sized(token) + sized(b"space-support") + optional(sized_entity(*space)) + sized_entity(*user)
    + number(1_500_000_000) + optional(number(1_600_000_000)) + optional(number(300)) + sized(b"a body")
)
root_key = sealed(1, KEY, NONCE, b"\x07" * 32, owner)
put(
    record_key(token),
    blob(b"space-support") + optional(entity(*space)) + entity(*user) + root_key
    + varint(1_500_000_000) + optional(varint(1_600_000_000)) + optional(varint(300)) + blob(b"a body") + varint(2)
    + optional(varint(1_500_000_009)) + optional(None) + optional(blob(b"a name")) + blob(b"metadata") + varint(0) + varint(0),
)
put(record_key(token) + b"\1" + b"claim", varint(299) + b"\0" + bytes(range(1, 9)) + optional(entity(*user)) + varint(1_500_000_009))
put(record_key(token) + b"\1" + b"repeated", varint(298) + b"\1" + bytes(range(11, 19)) + optional(None) + varint(1_500_000_009))
PAIRS.append((b"\3" + bucket + hashed(*space) + token, b""))
PAIRS.append((b"\4" + bucket + hashed(*user) + token, b""))
PAIRS.append((b"\5" + struct.pack(">Q", 1_600_000_000) + token, b""))
name = length(b"a name") + b"a name"
PAIRS.append((b"\x09" + length(user[0]) + user[0] + length(user[1]) + user[1] + name + token, b""))

# A revoked record with as little as can be.
token = b"plain"
owner = (
    b"\1" + sized(token) + sized(b"access") + optional(None) + sized_entity(*user)
    + number(0) + optional(None) + optional(None) + sized(b"")
)
root_key = sealed(1, KEY, NONCE, b"\x08" * 32, owner)
put(
    record_key(token),
    blob(b"access") + optional(None) + entity(*user) + root_key
    + varint(0) + optional(None) + optional(None) + blob(b"") + varint(2**64 - 1) + optional(None)
    + optional(varint(1_400_000_000) + optional(entity(*user)) + blob(b"lost") + b"\1") + optional(None) + blob(b"") + varint(0) + varint(0),
)
PAIRS.append((b"\4" + bucket + hashed(*user) + token, b""))

owner = b"\2" + sized_entity(*user) + number(3)
put(b"\6" + length(user[0]) + user[0] + user[1], varint(3) + sealed(1, KEY, NONCE, b"\x09" * 32, owner))

# Events, one of each kind.
EVENTS = [
    b"\0" + blob(b"plain"),
    b"\1" + blob(b"plain"),
    b"\2" + blob(b"gone"),
    b"\3" + varint(1_300_000_000),
    b"\4" + entity(*user) + varint(3),
    b"\5" + entity(*space),
]
for place, event in enumerate(EVENTS):
    put(b"\x0a" + number(place), bytes([place] * 8) + event)
put(b"\0last event", varint(len(EVENTS)) + bytes([len(EVENTS) - 1] * 8))

with open("store-v1.txt", "x") as file:
    digest = hashlib.sha256(b"onetoken sealing key\0" + struct.pack(">I", 1) + KEY).hexdigest()
    print(f"onetoken-keys-v1 1:{KEY.hex()}:{digest[:8]}", file=file)
    for key, value in sorted(PAIRS):
        print(key.hex(), value.hex(), file=file)
