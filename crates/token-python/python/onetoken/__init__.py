"""Mint, confine, inspect and verify Onedata's macaroon tokens.

A function takes a request as keyword arguments and returns a dict, or raises `OnetokenError`. Contexts, caveats and
identifiers are dicts whose names are those of `docs/EMBEDDING.md`. A request that came as JSON can be passed as it is:
`onetoken.verify(**request)`.

    >>> import onetoken
    >>> secret = b"an example secret of 32 bytes or more"
    >>> token = onetoken.mint(secret=secret, location="onezone", identifier="id1")["token"]
    >>> token = onetoken.confine(token=token, caveats=["time < 2000"])["token"]
    >>> onetoken.verify(token=token, secret=secret, context={"now": 1999})["caveats"]
    ['time < 2000']
    >>> onetoken.verify(token=token, secret=secret, context={"now": 2000})
    Traceback (most recent call last):
    onetoken.OnetokenError: token_caveat_unverified: index 0, caveat {'type': 'time', 'validUntil': 2000}, expired

All functions can be called from many threads. A secret is bytes, or a dict with `hex` or `base64url`.
`onetoken.documents` has the types of requests and answers, for annotations.
"""

from ._error import OnetokenError
from ._native import (
    CODES,
    Authority,
    __version__,
    bind,
    caveat,
    confine,
    inspect,
    mint,
    needs,
    preflight,
    verify,
    version,
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
