"""Arguments from anyone: each call returns or raises the one exception, and shows no secret."""

import pickle
import sys
import threading
import time
import traceback

import pytest
from conftest import SECRET, failure, token_of

import onetoken

TOKEN = onetoken.mint(secret=SECRET, location="onezone", identifier="id1", caveats=["time < 2000"])["token"]
CALLS = {
    onetoken.inspect: {"token": TOKEN, "now": 1, "signature": True, "compat": False},
    onetoken.confine: {"token": TOKEN, "caveats": ["time < 5"]},
    onetoken.caveat: {"text": "time < 5", "caveat": None},
    onetoken.needs: {"token": TOKEN},
    onetoken.preflight: {"token": TOKEN, "context": {"now": 1}, "as_": "access"},
    onetoken.mint: {
        "location": "onezone", "identifier": "i", "secret": SECRET, "root_key": None, "caveats": ["time < 5"],
        "format": "v1", "encoding": "base62",
    },
    onetoken.verify: {
        "token": TOKEN, "context": {"now": 1}, "secret": SECRET, "root_key": None, "as_": "access",
        "supported": ["time"], "ignored": ["ip"], "exact": ["a"], "discharges": [],
    },
    onetoken.bind: {"root": TOKEN, "discharge": TOKEN},
    onetoken.version: {},
}


class Text(str):
    pass


class Liar:
    """Its methods are never called."""

    def called(self, *arguments):
        CALLED.append(type(self))
        raise AssertionError

    __getattr__ = __index__ = __int__ = __float__ = __bool__ = __len__ = __iter__ = __next__ = __str__ = __bytes__ = called
    __getitem__ = __contains__ = __eq__ = __hash__ = __call__ = __fspath__ = __buffer__ = called
    keys = values = items = get = encode = decode = called


CALLED = []
LIARS = [
    Liar(), type("LyingText", (Liar, str), {})("x"), type("LyingBytes", (Liar, bytes), {})(b"x"),
    type("LyingInt", (Liar, int), {})(5), type("LyingFloat", (Liar, float), {})(1.5), type("LyingDict", (Liar, dict), {})(now=1),
    type("LyingList", (Liar, list), {})("x"), type("LyingTuple", (Liar, tuple), {})("x"),
    type("LyingArray", (Liar, bytearray), {})(b"x"),
]


def recursive():
    dict_, list_ = {}, []
    dict_["caveats"] = dict_["type"] = dict_["x"] = dict_
    list_.append(list_)
    return [dict_, list_, {"whitelist": list_}, [dict_]]


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


VALUES = [
    None, True, 0, -1, 1 << 62, 1 << 64, 1 << 100_000, -(1 << 63), 1.5, float("nan"), float("inf"), 1j, "", "\0", "\ud800",
    "a\udfffb", "é" * 100, b"", b"\xff", bytearray(b"x"), memoryview(b"x"), [], (), {}, set(), [None], [[]], {1: 2},
    {"\ud800": 1}, {None: None}, {b"token": 1}, {"hex": "0"}, {"hex": "\ud800"}, {"base64url": None}, {"type": "time"},
    {"type": {"x": 1}}, Ellipsis, object(), Text("x"), int, len, sys, ["\ud800"], ["x"] * 1000, deep(1000),
    {"now": "\ud800"}, {"now": 1, "ip": "\ud800"}, {"now": 1 << 64}, {"now": True}, {"now": 1.0}, *recursive(),
    *LIARS, LIARS, *({"now": 1, "ip": liar, "asn": liar, "groups": [liar]} for liar in LIARS), *({"type": liar} for liar in LIARS),
]


@pytest.mark.parametrize("function", CALLS, ids=lambda function: function.__name__)
def test_every_argument_may_be_anything(function):
    for name in CALLS[function]:
        for value in VALUES:
            try:
                answer = function(**{**CALLS[function], name: value})
                assert isinstance(answer, dict)
            except onetoken.OnetokenError as error:
                assert error.code != "panic", (name, value)
                assert error.__cause__ is None and error.__context__ is None
    assert not CALLED


def test_required_arguments_are_named():
    for function, request in CALLS.items():
        for name in {"token", "context", "caveats", "root", "discharge", "location", "identifier"} & set(request):
            if (function, name) == (onetoken.mint, "caveats"):
                continue
            left = {other: value for other, value in request.items() if other != name}
            expected = {"code": "invalid_argument", "detail": {"member": name, "reason": "it is missing"}}
            assert failure(function, **left) == expected
            assert failure(function, **left, **{name: None}) == expected


def test_what_is_recursive_or_deep_is_refused():
    for value in [*recursive(), deep(100_000), {"type": deep(100_000)}]:
        error = failure(onetoken.confine, token=TOKEN, caveats=value)
        assert error["code"] == "invalid_argument"
        error = failure(onetoken.caveat, caveat=value)
        assert error["code"] == "invalid_argument"
    # So that it is not destroyed by recursion.
    assert failure(onetoken.needs, token="x", **{"x": {"y": recursive()}})["code"] == "invalid_argument"


@pytest.mark.parametrize("length", [2_000_000, 100_000_000])
def test_long_texts_are_refused(length):
    long = "M" * length
    many = ["x"] * (length // 8)
    for long_request in [
        {"token": long},
        {"secret": long, "context": {"now": 1, "ip": long}},
        {"discharges": [long]},
        {"discharges": many},
        {"context": {"now": 1, "ip": "10.0.0", "groups": tuple(many)}},
        {"token": long.encode()},
        {"token": bytearray(long.encode())},
        {"as": long},
    ]:
        error = failure(onetoken.verify, **{"token": TOKEN, "secret": SECRET, "context": {"now": 1}, **long_request})
        assert error["code"] in ("token_too_large", "invalid_argument", "bad_token")
        if length > 4 << 20:
            assert error == {"code": "token_too_large", "detail": {"limit": 4 << 20, "reason": "the request"}}
    for nonsense in ({"nonsense": long}, {long: 1}):
        assert failure(onetoken.needs, token=TOKEN, **nonsense)["code"] in ("token_too_large", "invalid_argument")
    assert failure(onetoken.needs, token="\ud800" * length)["code"] in ("token_too_large", "invalid_argument")
    assert failure(onetoken.needs, token="é" * (3 << 20))["code"] == "token_too_large"


def test_a_request_of_the_greatest_length_is_read():
    long = "x" * ((1 << 20) - 100)
    groups = [long, long, long]
    request = {"token": TOKEN, "secret": SECRET, "context": {"now": 1, "groups": groups}}
    assert onetoken.verify(**request)["valid"]
    request["discharges"] = [long, long]
    assert failure(onetoken.verify, **request)["code"] == "token_too_large"


HUNTER = "hunter2-hunter2-hunter2-hunter2-"


def test_no_exception_shows_a_secret():
    context, bad = {"now": 1}, {"now": 1, "consumer": HUNTER}
    requests = [
        {"token": TOKEN, "secret": HUNTER, "context": context},
        {"token": TOKEN, "secret": HUNTER + "\ud800", "context": context},
        {"token": HUNTER, "secret": HUNTER, "context": context},
        {"token": HUNTER + "\ud800", "secret": HUNTER, "context": context},
        {"token": {"hex": HUNTER}, "secret": HUNTER, "context": context},
        {"token": TOKEN, "secret": [HUNTER], "context": context},
        {"token": TOKEN, "secret": {HUNTER: 1}, "context": context},
        {"token": TOKEN, "secret": {"hex": HUNTER}, "context": context},
        {"token": TOKEN, "secret": {"base64url": HUNTER + "="}, "context": context},
        {"token": TOKEN, "secret": HUNTER.encode(), "context": bad},
        {"token": TOKEN, "secret": HUNTER.encode(), "context": {HUNTER: 1}},
        {"token": TOKEN, "secret": HUNTER.encode(), "context": {HUNTER + "\ud800": 1}},
        {"token": TOKEN, "secret": HUNTER.encode(), "context": HUNTER},
        {"token": TOKEN, "root_key": HUNTER.encode()[1:], "context": context},
        {"token": TOKEN, "secret": HUNTER.encode(), "context": context, "as_": HUNTER},
        {"token": TOKEN, "secret": HUNTER.encode(), "context": context, "supported": [HUNTER]},
        {"token": TOKEN, "secret": HUNTER.encode(), "context": context, HUNTER: HUNTER},
        {"token": TOKEN, "secret": HUNTER.encode(), "context": {"now": HUNTER}},
    ]
    for request in requests:
        with pytest.raises(onetoken.OnetokenError) as raised:
            onetoken.verify(**request)
        error = raised.value
        frames = traceback.TracebackException.from_exception(error, capture_locals=True)
        # The frames of this test hold the request; the module has none.
        assert [frame.name for frame in frames.stack] == ["test_no_exception_shows_a_secret"]
        for shown in (repr(error), str(error), repr(error.args), repr(vars(error)), repr(pickle.dumps(error))):
            assert "hunter2" not in shown, request
            assert TOKEN not in shown


def test_secrets_are_bytes_in_any_form():
    context = {"now": 1}
    forms = [SECRET, bytearray(SECRET), SECRET.decode(), Text(SECRET.decode()), {"hex": SECRET.hex()}]
    for secret in forms:
        assert onetoken.verify(token=TOKEN, secret=secret, context=context)["valid"]
    assert onetoken.verify(token=TOKEN.encode(), secret=SECRET, context=context)["valid"]


def in_threads(count, work):
    failed = []

    def guarded(number):
        try:
            work(number)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_64_threads_get_their_own_answers():
    large = token_of(60_000)

    def work(number):
        secret = SECRET + bytes([number])
        token = onetoken.mint(secret=secret, location="onezone", identifier=f"id{number}")["token"]
        for _ in range(50):
            assert onetoken.verify(token=token, secret=secret, context={"now": 1})["identifier"] == f"id{number}"
            assert failure(onetoken.verify, token=token, secret=SECRET, context={"now": 1})["code"] == "token_invalid"
            answer = onetoken.verify(token=large, secret=SECRET, context={"now": 1, "ip": "10.1.2.3"})
            assert answer["identifier"] == "id1"

    in_threads(64, work)


def test_arguments_may_change_while_others_run():
    """Lists and dicts that another thread changes during calls."""
    context, caveats, stop = {"now": 1}, ["time < 5"], threading.Event()

    def change():
        while not stop.is_set():
            for index in range(50):
                context[f"x{index}"] = index
                caveats.append("time < 6")
            context.clear()
            caveats.clear()
            context["now"] = 1

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(3000):
            for function, request in [
                (onetoken.preflight, {"token": TOKEN, "context": context}),
                (onetoken.confine, {"token": TOKEN, "caveats": caveats}),
            ]:
                try:
                    function(**request)
                except onetoken.OnetokenError as error:
                    assert error.code == "invalid_argument"
    finally:
        stop.set()
        changing.join()


def runs_meanwhile(call):
    """Whether another thread runs during the call."""
    count, stop = 0, threading.Event()

    def tick():
        nonlocal count
        while not stop.is_set():
            # Releases the lock, and waits until it is free.
            time.sleep(0.0001)
            count += 1

    interval = sys.getswitchinterval()
    ticking = threading.Thread(target=tick)
    ticking.start()
    # From here on, a thread keeps the lock until it releases it.
    sys.setswitchinterval(1000)
    try:
        meanwhile = 0
        for _ in range(20):
            before = count
            call()
            meanwhile += count - before
        return meanwhile > 0
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        ticking.join()


def test_long_work_releases_the_lock_and_short_work_keeps_it(tmp_path):
    large, context = token_of(900_000), {"now": 1, "ip": "10.1.2.3"}
    assert runs_meanwhile(lambda: onetoken.verify(token=large, secret=SECRET, context=context))
    assert not runs_meanwhile(lambda: onetoken.verify(token=TOKEN, secret=SECRET, context=context))
    place = {"store": f"redb:{tmp_path}/store.redb", "keys": {"file": f"{tmp_path}/keys"}, "create": True}
    with onetoken.Authority(**place) as authority:
        assert runs_meanwhile(lambda: authority.void_temporary(subject="usr-u1"))
