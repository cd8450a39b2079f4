"""Fixtures of pytest, for tests of programs that accept tokens. Pytest finds them once `onetoken` is installed."""

import json
from collections import Counter, namedtuple
from pathlib import Path

import pytest

import onetoken

GoldenToken = namedtuple("GoldenToken", "name token base64url secret location identifier caveats")
DamagedToken = namedtuple("DamagedToken", "name token")


@pytest.fixture(scope="session")
def assert_caveats():
    """`assert_caveats(token, {"time < 2000"})`: the token has these caveats and no others, in any order.

    The expected caveats are texts or documents.
    """
    return _assert_caveats


@pytest.fixture(scope="session")
def expired():
    """`expired(token)`: the token as it will be once it has expired. It is confined, so that no test has to wait."""
    return _expired


@pytest.fixture(scope="session")
def golden_tokens():
    """Tokens that Onedata minted, with their published secrets: a tuple of `GoldenToken`."""
    return tuple(_golden_tokens())


@pytest.fixture(scope="session")
def damaged_tokens(golden_tokens):
    """Texts that are no tokens: a tuple of `DamagedToken`. A program has to refuse each of them as malformed."""
    return tuple(DamagedToken(*damaged) for damaged in _damaged(golden_tokens[0].token).items())


def _assert_caveats(token, expected):
    __tracebackhide__ = True
    if isinstance(expected, (str, bytes, dict)):
        raise TypeError("the expected caveats have to be a set or a list")
    found = Counter(_found(caveat) for caveat in onetoken.inspect(token=token)["caveats"])
    wanted = Counter(_text(caveat) for caveat in expected)
    if found != wanted:
        lines = [f"- {text}" for text in (wanted - found).elements()]
        lines += [f"+ {text}" for text in (found - wanted).elements()]
        lines += [f"  {text}" for text in (found & wanted).elements()]
        raise AssertionError("\n".join(["the token has other caveats (- expected, + found):", *lines]))


def _found(caveat):
    # A caveat of a third party has no text.
    return _text(caveat["text"]) if "text" in caveat else json.dumps(caveat, sort_keys=True)


def _text(caveat):
    # As Onedata writes it: `ip = 10.0.0.1` and `ip = 10.0.0.1/32` are one caveat.
    return _shown(onetoken.caveat(caveat=caveat)["text"])


def _shown(text):
    return text if isinstance(text, str) else json.dumps(text)


def _expired(token):
    return onetoken.confine(token=token, caveats=["time < 1"])["token"]


def _golden_tokens():
    for name in ("onedata.json", "onedata-legacy.json"):
        path = Path(__file__).with_name("vectors") / name
        for golden in json.loads(path.read_text(encoding="utf-8")):
            yield GoldenToken(
                name=golden["name"],
                token=golden["serialized_base62"],
                base64url=golden["serialized_base64url"],
                secret=golden["secret"].encode() if "secret" in golden else bytes.fromhex(golden["secret_hex"]),
                location=golden.get("location") or golden["onezone_domain"],
                identifier=golden["identifier"],
                caveats=tuple(golden["caveats"]),
            )


def _damaged(token):
    middle = len(token) // 2
    return {
        "empty": "",
        "a word": "hello",
        "cut": token[:middle],
        "without its beginning": token[16:],
        "with a line break": token + "\n",
        "with a foreign character": token[:middle] + "*" + token[middle:],
        "in quotation marks": f'"{token}"',
        "twice": token + token,
        "in capitals": token.upper(),
    }
