"""A service that accepts tokens: it looks up what their caveats need, verifies them, and answers."""

import time

import onetoken
from onetoken.documents import Context

SECRET = b"an example secret of 32 bytes or more"


def country_of(address: str) -> str:
    """Stands for a database of addresses."""
    return "PL"


def accept(token: str, address: str) -> tuple[int, str]:
    """Returns a status of HTTP and what the client is told."""
    try:
        context: Context = {"now": int(time.time()), "ip": address, "interface": "rest"}
        if onetoken.needs(token=token)["country"]:
            context["country"] = country_of(address)
        verified = onetoken.verify(token=token, secret=SECRET, context=context, as_="access")
        subject = verified["subject"]
        return 200, f"hello, {subject['id']}" if subject else "hello"
    except onetoken.OnetokenError as error:
        if error.code in ("bad_token", "token_too_large"):
            return 400, error.detail.get("hint") or error.detail["reason"]
        # The reason is for the log of the service, not for the client.
        print(f"refused: {error}")
        return 401, "the token is not accepted"


def main() -> None:
    document = {
        "version": 2,
        "persistence": "named",
        "subject": {"type": "user", "id": "ada"},
        "type": {"accessToken": {}},
        "id": "token1",
    }
    token = onetoken.mint(secret=SECRET, location="onezone.example.com", identifier=document)["token"]
    token = onetoken.confine(token=token, caveats=["geo.country = PL|FR", "ip = 10.0.0.0/8"])["token"]

    assert accept(token, "10.1.2.3") == (200, "hello, ada")
    assert accept(token, "192.0.2.1")[0] == 401
    assert accept(token[:-3], "10.1.2.3")[0] == 400
    expired = onetoken.confine(token=token, caveats=["time < 1"])["token"]
    assert accept(expired, "10.1.2.3")[0] == 401


if __name__ == "__main__":
    main()
