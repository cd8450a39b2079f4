"""The types of requests and answers, for annotations. Nothing here is needed at run time."""

from __future__ import annotations

from typing import Any, Dict, List, Literal, Sequence, TypedDict, Union

# A document: see docs/EMBEDDING.md.
Document = Dict[str, Any]
# Bytes, a text that stands for its UTF-8, or a dict with `hex` or `base64url`.
Octets = Union[bytes, bytearray, str, Dict[str, str]]
# A text, bytes, or a document.
Caveat = Union[str, bytes, Document]
# Bytes in an answer: a text, or a dict with `base64url` if they are not UTF-8.
Text = Union[str, Dict[str, str]]
Code = Literal[
    "bad_token",
    "token_too_large",
    "token_invalid",
    "token_revoked",
    "token_caveat_unknown",
    "token_caveat_unverified",
    "token_subject_invalid",
    "token_session_invalid",
    "token_service_forbidden",
    "not_an_access_token",
    "not_an_identity_token",
    "not_an_invite_token",
    "invite_token_usage_limit_exceeded",
    "invite_token_consumer_invalid",
    "invite_token_target_id_invalid",
    "invite_token_subject_not_authorized",
    "store_unavailable",
    "store_unknown",
    "store_corrupt",
    "invalid_argument",
    "panic",
]
Use = Literal["access", "identity", "invite"]
Decision = Literal[
    "allowed",
    "resource_gone",
    "no_longer_allowed",
    "subject_gone",
    "subject_blocked",
    "service_forbidden",
]


class Context(TypedDict, total=False):
    now: int
    ip: str | None
    asn: int | None
    country: str | None
    regions: Sequence[str] | None
    service: str | None
    consumer: str | Document | None
    groups: Sequence[str] | None
    interface: str | None
    session: str | None
    scope: Literal["unlimited", "identity-token"] | None
    allowDataCaveats: bool | None


class Keys(TypedDict, total=False):
    file: str
    variable: str
    text: Octets


class Inspected(TypedDict):
    verified: Literal[False]
    encoding: str
    format: str
    bytes: int
    location: Text
    identifier: Text
    token: Document | None
    caveats: List[Document]
    expiresAt: str | None
    expired: bool | None
    signature: str | None


class Written(TypedDict):
    token: str


class CaveatRead(TypedDict):
    text: Text
    caveat: Document | None


class Needed(TypedDict):
    asn: bool
    country: bool
    region: bool
    groups: List[str]


class Preflighted(TypedDict, total=False):
    refuted: Document
    undecided: Literal[True]


class Verified(TypedDict):
    valid: Literal[True]
    identifier: Text
    subject: Document | None
    type: Document | None
    caveats: List[Text]
    expiresAt: str | None


class Versions(TypedDict):
    package: str
    abi: int
    formats: List[str]


class Minted(TypedDict):
    token: str
    id: Text
    expiresAt: str | None


class Checked(TypedDict):
    id: Text
    type: str
    resource: Document | None
    issuer: Document
    expiresAt: str | None
    stored: bool
    usesLeft: int | None
    privileges: Text
    caveats: List[Text]
    questions: List[Document]


class Consumed(TypedDict):
    consumed: Literal[True]
    id: Text
    type: str
    resource: Document | None
    issuer: Document
    usesLeft: int | None
    repeated: bool
    refund: str | None


class Outcome(TypedDict):
    id: Text
    outcome: str


class Listed(TypedDict):
    tokens: List[Document]
    damaged: List[Text]
    next: str | None


class Voided(TypedDict):
    generation: int


class Happened(TypedDict):
    events: List[Document]
    next: str
    missed: bool


class Purged(TypedDict):
    purged: int
