#!/usr/bin/env python3
"""Writes export-v1.jsonl, after the line of its key ring, from the description of the format and not by the code
that it tests.

Run it for a new version of the format, into a new file. A file that has been released is never written again.
Needs the package "cryptography".
"""

import hashlib
import json
import struct
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

KEY = bytes(range(32))
NONCE = bytes(range(100, 112))


def sealed(plaintext, owner):
    aad = b"onetoken sealed root key\0\1" + struct.pack(">I", 1) + owner
    ciphertext = ChaCha20Poly1305(KEY).encrypt(NONCE, plaintext, aad)
    return {"key_id": 1, "nonce": NONCE.hex(), "ciphertext": ciphertext.hex()}


def sized(data):
    return struct.pack(">Q", len(data)) + data


def entity(value):
    return sized(value["kind"].encode()) + sized(value["id"].encode())


def number(value):
    return struct.pack(">Q", value)


def optional(value, write):
    return b"\0" if value is None else b"\1" + write(value)


def token(token_id, root_key, **rest):
    record = {"id": token_id.hex(), "purpose": "access", "resource": None, "issuer": {"kind": "user", "id": "u\u00e9"}}
    record |= {"root_key": None, "created": 0, "expires": None, "use_limit": None, "body": ""}
    record |= {"uses": 0, "last_use": None, "revocation": None, "name": None, "metadata": "", "claims": []}
    record |= rest
    terms = sized(token_id) + sized(record["purpose"].encode()) + optional(record["resource"], entity)
    terms += entity(record["issuer"]) + number(record["created"])
    terms += optional(record["expires"], number) + optional(record["use_limit"], number)
    terms += sized(bytes.fromhex(record["body"]))
    record["root_key"] = sealed(root_key, b"\1" + terms)
    return {"token": record}


REVOCATION = {"at": 1_400_000_000, "by": {"kind": "user", "id": "u1"}, "reason": "lost", "reversible": False}

LINES = [
    {"onetoken_export": 1},
    token(
        b"full\0\xff",
        b"\x07" * 32,
        purpose="space-support",
        resource={"kind": "space", "id": "s1"},
        created=1_500_000_000,
        expires=1_600_000_000,
        use_limit=300,
        body=b"a body".hex(),
        uses=1,
        last_use=1_500_000_009,
        name='a "name"',
        metadata=b"metadata".hex(),
        claims=[[b"claim".hex(), 299, bytes(range(1, 9)).hex(), {"kind": "user", "id": "u1"}, 1_500_000_009]],
    ),
    token(b"plain", b"\x08" * 32, uses=2**64 - 1, revocation=REVOCATION),
]
subject = {"kind": "user", "id": "u\u00e9"}
owner = b"\2" + entity(subject) + number(3)


def line(document):
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"


def so_far(lines):
    return hashlib.sha256("".join(map(line, lines)).encode()).hexdigest()


LINES.append({"generation": {"subject": subject, "number": 3, "root_key": sealed(b"\x09" * 32, owner)}})
LINES.append({"revoke_before": 1_400_000_000})

with open("export-v1.jsonl", "x", encoding="utf-8") as file:
    digest = hashlib.sha256(b"onetoken sealing key\0" + struct.pack(">I", 1) + KEY).hexdigest()
    print(f"onetoken-keys-v1 1:{KEY.hex()}:{digest[:8]}", file=file)
    end = {"tokens": 2, "generations": 1, "sha256": so_far(LINES)}
    file.write("".join(map(line, [*LINES, {"end": end}])))
