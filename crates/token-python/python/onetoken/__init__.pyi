from types import TracebackType
from typing import Any, Dict, List, Literal, Sequence, Type, TypedDict, Union

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

__version__: str
CODES: List[Code]

class OnetokenError(Exception):
    def __init__(self, code: Code, detail: Document | None = None) -> None: ...
    @property
    def code(self) -> Code: ...
    @property
    def detail(self) -> Document: ...

def inspect(
    *, token: str, now: int | None = None, signature: bool | None = None, compat: bool | None = None
) -> Inspected: ...
def confine(*, token: str, caveats: Sequence[Caveat]) -> Written: ...
def caveat(*, text: Octets | None = None, caveat: Caveat | None = None) -> CaveatRead: ...
def needs(*, token: str) -> Needed: ...
def preflight(*, token: str, context: Context, as_: Use | None = None) -> Document: ...
def mint(
    *,
    location: str,
    identifier: Caveat,
    secret: Octets | None = None,
    root_key: Octets | None = None,
    caveats: Sequence[Caveat] | None = None,
    format: Literal["v1", "v2", "v2j"] | None = None,
    encoding: Literal["base62", "base64url", "json"] | None = None,
) -> Written: ...
def verify(
    *,
    token: str,
    context: Context,
    secret: Octets | None = None,
    root_key: Octets | None = None,
    as_: Use | None = None,
    supported: Sequence[str] | None = None,
    ignored: Sequence[str] | None = None,
    exact: Sequence[Octets] | None = None,
    discharges: Sequence[str] | None = None,
) -> Verified: ...
def bind(*, root: str, discharge: str) -> Written: ...
def version() -> Versions: ...

class Authority:
    def __new__(
        cls,
        *,
        store: str,
        keys: Dict[str, Octets] | None = None,
        create: bool | None = None,
        location: str | None = None,
        domain: str | None = None,
        dialect: Literal["legacy", "modern"] | None = None,
        lifetime: int | None = None,
        max_temporary_lifetime: int | None = None,
    ) -> Authority: ...
    def mint(
        self,
        *,
        type: str,
        issuer: str | Document,
        decision: Decision,
        target: str | None = None,
        session: str | None = None,
        modern: bool | None = None,
        temporary: bool | None = None,
        lifetime: int | None = None,
        expires_at: int | None = None,
        forever: bool | None = None,
        uses: int | None = None,
        unlimited: bool | None = None,
        caveats: Sequence[Caveat] | None = None,
        name: str | None = None,
        metadata: Octets | None = None,
        privileges: Octets | None = None,
    ) -> Minted: ...
    def check(
        self,
        *,
        token: str,
        expect: str | None = None,
        context: Context | None = None,
        decision: Decision | None = None,
    ) -> Checked: ...
    def consume(
        self, *, token: str, expect: str, context: Context, decision: Decision, claim: Octets
    ) -> Consumed: ...
    def refund(self, *, refund: str) -> Outcome: ...
    def revoke(
        self,
        *,
        id: Octets | None = None,
        token: str | None = None,
        reversible: bool | None = None,
        by: str | Document | None = None,
        reason: str | None = None,
    ) -> Outcome: ...
    def unrevoke(self, *, id: Octets | None = None, token: str | None = None) -> Outcome: ...
    def delete(self, *, id: Octets | None = None, token: str | None = None) -> Outcome: ...
    def list(
        self,
        *,
        resource: Document | None = None,
        issuer: str | Document | None = None,
        name: str | None = None,
        expires_before: int | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> Listed: ...
    def void_temporary(self, *, subject: str | Document) -> Voided: ...
    def events(self, *, after: str | None = None, limit: int | None = None) -> Happened: ...
    def purge(self, *, before: int | None = None, limit: int | None = None) -> Purged: ...
    def close(self) -> None: ...
    def __enter__(self) -> Authority: ...
    def __exit__(
        self,
        exception: Type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
