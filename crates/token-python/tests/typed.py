"""Checked by mypy in scripts/test-python, never run: a program with annotations."""

from typing import List

import onetoken
from onetoken.documents import Context, Verified

context: Context = {"now": 1, "ip": "10.1.2.3", "regions": ["EU"], "session": None}


def texts(verified: Verified) -> List[str]:
    return [caveat for caveat in verified["caveats"] if isinstance(caveat, str)]


def accept(token: str, secret: bytes) -> int:
    try:
        texts(onetoken.verify(token=token, secret=secret, context=context, as_="access"))
    except onetoken.OnetokenError as error:
        return 401 if error.code == "token_invalid" else int(error.detail["offset"])
    with onetoken.Authority(store="memory:", dialect="modern") as authority:
        authority.mint(type="access", issuer={"type": "user", "id": "u1"}, decision="allowed", metadata=b"\xff")
        authority.list(issuer="usr-u1")["tokens"][0]["id"]
        onetoken.needs(token)  # type: ignore[call-arg]
        onetoken.verify(token=token, secret=secret, context={"noon": 1})  # type: ignore[typeddict-unknown-key]
        authority.check(token=token, decision="perhaps")  # type: ignore[arg-type]
    return 200
