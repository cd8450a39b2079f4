"""The fixtures for pytest."""

import pytest
from conftest import SECRET, VECTORS, read_json

import onetoken


def test_golden_tokens_are_the_vectors(golden_tokens):
    vectors = read_json(VECTORS / "onedata.json") + read_json(VECTORS / "onedata-legacy.json")
    assert [(it.name, it.token, it.base64url) for it in golden_tokens] == [
        (it["name"], it["serialized_base62"], it["serialized_base64url"]) for it in vectors
    ]
    for golden in golden_tokens:
        minted = onetoken.mint(
            secret=golden.secret, location=golden.location, identifier=golden.identifier, caveats=golden.caveats
        )
        assert minted == {"token": golden.token}


def test_damaged_tokens_are_no_tokens(damaged_tokens):
    assert len({it.token for it in damaged_tokens}) == len(damaged_tokens) > 5
    for damaged in damaged_tokens:
        with pytest.raises(onetoken.OnetokenError) as raised:
            onetoken.inspect(token=damaged.token)
        assert raised.value.code == "bad_token", damaged.name


def test_an_expired_token_is_otherwise_the_same(expired, golden_tokens, assert_caveats):
    for golden in golden_tokens:
        late = expired(golden.token)
        assert_caveats(late, [*golden.caveats, "time < 1"])
        assert onetoken.inspect(token=late, now=1)["expired"] is True
        assert onetoken.preflight(token=late, context={"now": 1_800_000_000, "session": "any"})["refuted"]


def test_caveats_in_any_order_and_form(assert_caveats):
    texts = ["time < 2000", "ip = 10.0.0.0/8", "colour = blue", "time < 2000"]
    token = onetoken.mint(secret=SECRET, location="onezone", identifier="id1", caveats=texts)["token"]
    assert_caveats(token, texts[::-1])
    assert_caveats(token, ["colour = blue", {"type": "ip", "whitelist": ["10.0.0.0/8"]}, *["time < 2000"] * 2])
    with pytest.raises(AssertionError) as raised:
        assert_caveats(token, {"time < 2000", "asn = 5", "ip = 10.0.0.0/8"})
    assert str(raised.value).splitlines() == [
        "the token has other caveats (- expected, + found):",
        "- asn = 5",
        "+ time < 2000",
        "+ colour = blue",
        "  time < 2000",
        "  ip = 10.0.0.0/8",
    ]
    with pytest.raises(TypeError):
        assert_caveats(token, "time < 2000")
    with pytest.raises(onetoken.OnetokenError):
        assert_caveats("hello", [])


def test_caveats_in_other_spellings_are_the_same(assert_caveats):
    texts = ["ip = 10.0.0.1", "asn = 05"]
    token = onetoken.mint(secret=SECRET, location="onezone", identifier="id1", caveats=texts)["token"]
    documents = [{"type": "ip", "whitelist": ["10.0.0.1"]}, {"type": "asn", "whitelist": [5]}]
    for same in (texts, ["ip = 10.0.0.1/32", "asn = 5"], documents):
        assert_caveats(token, same)


def test_a_caveat_of_a_third_party_is_shown(assert_caveats):
    vectors = {it["name"]: it["serialized"] for it in read_json(VECTORS / "macaroons.json")}
    token = vectors["readme_third_party_unbound_v1"]
    with pytest.raises(AssertionError, match='\\+ {"identifier": .*, "thirdParty": true}'):
        assert_caveats(token, ["account = 3735928559"])


def test_the_difference_shows_bytes(assert_caveats):
    caveats = [b"\xff", {"base64url": "_g"}]
    token = onetoken.mint(secret=SECRET, location="onezone", identifier="id1", caveats=caveats, format="v2")["token"]
    assert_caveats(token, caveats[::-1])
    with pytest.raises(AssertionError, match='\\+ {"base64url": "_g"}'):
        assert_caveats(token, caveats[:1])


def test_pytest_finds_the_fixtures_and_shows_the_difference(pytester):
    pytester.makepyfile(
        """
        import onetoken

        def test_passes(golden_tokens, damaged_tokens, expired, assert_caveats):
            golden = golden_tokens[0]
            assert_caveats(golden.token, set(golden.caveats))

        def test_fails(golden_tokens, assert_caveats):
            assert_caveats(golden_tokens[0].token, {"time < 5"})
        """
    )
    result = pytester.runpytest_subprocess("--no-header")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E*the token has other caveats (- expected, + found):", "E*- time < 5", "E*+ *"])
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
    shown = pytester.runpytest_subprocess("--fixtures", "-q").stdout
    shown.fnmatch_lines(["*assert_caveats*", "*expired*", "*golden_tokens*", "*damaged_tokens*"])
