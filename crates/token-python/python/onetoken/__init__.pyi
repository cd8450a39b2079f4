from types import TracebackType
from typing import List, Literal, Sequence, Type, final

from .documents import (
    Caveat,
    CaveatRead,
    Checked,
    Code,
    Consumed,
    Context,
    Decision,
    Document,
    Happened,
    Inspected,
    Keys,
    Listed,
    Minted,
    Needed,
    Octets,
    Outcome,
    Preflighted,
    Purged,
    Use,
    Verified,
    Versions,
    Voided,
    Written,
)

__all__ = [
    "CODES",
    "Authority",
    "OnetokenError",
    "__version__",
    "bind",
    "caveat",
    "confine",
    "inspect",
    "mint",
    "needs",
    "preflight",
    "verify",
    "version",
]

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
def preflight(*, token: str, context: Context, as_: Use | None = None) -> Preflighted: ...
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

@final
class Authority:
    def __new__(
        cls,
        *,
        store: str,
        keys: Keys | None = None,
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
