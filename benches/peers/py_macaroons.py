"""pymacaroons. The arguments are those of rust/src/lib.rs."""

import json
import sys
from time import perf_counter

from pymacaroons import Macaroon, Verifier

seconds, secret, location, identifier, caveat, further, now = sys.argv[1:]
seconds, now = float(seconds), int(now)
PREFIX = "time < "
expires = int(caveat.removeprefix(PREFIX))


def require(holds, what):
    if not holds:
        sys.exit(f"wrong result: {what}")


def mint():
    macaroon = Macaroon(location=location, identifier=identifier, key=secret)
    macaroon.add_first_party_caveat(caveat)
    return macaroon.serialize()


def verify(text, secret=secret, now=now):
    verifier = Verifier()
    verifier.satisfy_general(
        lambda predicate: predicate.startswith(PREFIX) and now < int(predicate[len(PREFIX):])
    )
    return verifier.verify(Macaroon.deserialize(text), secret)


def refused(*arguments, **named):
    try:
        return not verify(*arguments, **named)
    except Exception:
        return True


def attenuate(text):
    macaroon = Macaroon.deserialize(text)
    macaroon.add_first_party_caveat(further)
    return macaroon.serialize()


def batch(once, count):
    start = perf_counter()
    for _ in range(count):
        once()
    return perf_counter() - start


def measure(work, text, once):
    count = 1
    while batch(once, count) < 1e-4:
        count *= 2
    start = perf_counter()
    while perf_counter() - start < seconds / 4:
        batch(once, count)
    times = []
    start = perf_counter()
    while perf_counter() - start < seconds:
        times.append(batch(once, count) * 1e9 / count)
    times.sort()
    print(json.dumps({"work": work, "ns": times[0], "median_ns": times[len(times) // 2], "text": text}))


text = mint()
narrower = attenuate(text)
forged = text[:-12] + ("B" if text[-12] == "A" else "A") + text[-11:]
require(verify(text), "a good token is refused")
require(verify(narrower), "an attenuated token is refused")
require(refused(forged), "a forged token is accepted")
require(refused(text, secret="another"), "another secret is accepted")
require(refused(text, now=expires), "an expired token is accepted")

measure("mint", text, mint)
measure("verify", None, lambda: verify(text))
measure("attenuate", narrower, lambda: attenuate(text))
