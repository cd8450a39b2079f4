"""An authority: the steps of token-embed, stores on disk, threads."""

import threading

import pytest
from conftest import EMBED, METHODS, assert_typed, failure, read_json

import onetoken


def filled(value, saved):
    """Puts in what was saved, for strings `$name`."""
    if isinstance(value, str) and value.startswith("$"):
        return saved[value[1:]]
    if isinstance(value, list):
        return [filled(item, saved) for item in value]
    if isinstance(value, dict):
        return {name: filled(item, saved) for name, item in value.items()}
    return value


def has(answer, expected):
    """Whether the answer has what is expected; dicts may have further members."""
    if isinstance(answer, dict) and isinstance(expected, dict):
        return all(name in answer and has(answer[name], value) for name, value in expected.items())
    if isinstance(answer, list) and isinstance(expected, list):
        return len(answer) == len(expected) and all(map(has, answer, expected))
    return answer == expected


def run(authority):
    saved, verbs = {}, set()
    for step in read_json(EMBED / "tests" / "authority.json"):
        if not hasattr(authority, step["verb"]):
            assert step["error"]["detail"]["member"] == "verb"
            continue
        verbs.add(step["verb"])
        method, request = getattr(authority, step["verb"]), filled(step["request"], saved)
        if "error" in step:
            assert failure(method, **request) == step["error"], step["name"]
        else:
            answer = method(**request)
            assert_typed(answer, METHODS[step["verb"]])
            saved.update({name: answer[member] for name, member in step.get("save", {}).items()})
            assert has(answer, filled(step.get("has", {}), saved)), (step["name"], answer)
    public = {name for name in dir(onetoken.Authority) if not name.startswith("_")}
    assert public - verbs == {"close"}


MINT = {"type": "space-support", "target": "s1", "issuer": "usr-u1", "decision": "allowed"}


def test_every_step_has_its_answer_in_memory():
    with onetoken.Authority(store="memory:") as authority:
        run(authority)


def test_every_step_has_its_answer_on_disk(tmp_path):
    place = {"store": f"redb:{tmp_path}/store.redb", "keys": {"file": str(tmp_path / "keys")}}
    assert failure(onetoken.Authority, **place)["code"] == "store_unavailable"
    with onetoken.Authority(create=True, **place) as authority:
        run(authority)
        token = authority.mint(**MINT)["token"]
        assert failure(onetoken.Authority, **place)["code"] == "store_unavailable"
    assert failure(authority.mint, **MINT)["detail"] == {"reason": "the authority is closed"}
    authority.close()
    with onetoken.Authority(**place) as authority:
        assert authority.check(token=token, context={"consumer": "prv-p1"})["type"] == "space-support"


def test_what_cannot_be_opened_says_why_and_no_secret():
    for request, member in [
        ({}, "store"),
        ({"store": "mysql://root:hunter2@host/db"}, "store"),
        ({"store": "memory:", "keys": {"text": "hunter2"}}, "keys"),
        ({"store": "memory:", "dialect": "hunter2"}, "dialect"),
        ({"store": "memory:", "hunter": "hunter2"}, "hunter"),
    ]:
        error = failure(onetoken.Authority, **request)
        assert (error["code"], error["detail"]["member"]) == ("invalid_argument", member)
        assert "hunter2" not in str(error)
    with onetoken.Authority(store="memory:") as authority:
        assert repr(authority) == "<onetoken.Authority>"


def test_one_of_many_threads_gets_the_use():
    authority = onetoken.Authority(store="memory:")
    token = authority.mint(**MINT)["token"]
    granted, refused = [], []

    def consume(claim):
        context = {"consumer": "prv-p1"}
        try:
            authority.consume(
                token=token, expect="space-support", context=context, decision="allowed", claim=f"request {claim}"
            )
            granted.append(claim)
        except onetoken.OnetokenError as error:
            refused.append(error.code)

    threads = [threading.Thread(target=consume, args=(claim,)) for claim in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == 1
    assert refused == ["invite_token_usage_limit_exceeded"] * 63


def test_a_closed_authority_stops_no_call_in_flight(tmp_path):
    authority = onetoken.Authority(store=f"redb:{tmp_path}/s.redb", keys={"file": f"{tmp_path}/k"}, create=True)
    outcomes = []

    def mint():
        try:
            while True:
                outcomes.append(authority.mint(**MINT)["id"])
        except onetoken.OnetokenError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=mint) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(outcomes) < 8:
        pass
    authority.close()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    assert outcomes.count("invalid_argument") == 8


@pytest.mark.parametrize("verb", ["mint", "check", "consume", "refund", "revoke", "delete", "list", "events", "purge"])
def test_wrong_arguments_raise_the_one_exception(verb):
    with onetoken.Authority(store="memory:") as authority:
        for value in (b"\xff", "\ud800", object(), [[]], {1: 2}, 1 << 80, float("nan")):
            for name in ("token", "limit", "context", "issuer", "nonsense"):
                assert failure(getattr(authority, verb), **{name: value})["code"] == "invalid_argument"
