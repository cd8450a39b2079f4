"""The requests of token-embed with their answers and errors, and the list of errors."""

import pickle

import pytest
from conftest import EMBED, FUNCTIONS, LISTED, assert_typed, failure, read_json

import onetoken


def cases():
    for case in read_json(EMBED / "tests" / "cases.json"):
        # Some are about JSON, some have verbs that Python lacks.
        if "request" in case and hasattr(onetoken, case["verb"]):
            yield pytest.param(case, id=case["name"])


@pytest.mark.parametrize("case", list(cases()))
def test_every_case_has_its_answer(case):
    # The request as JSON has it: names of documents are keywords too.
    function, request = getattr(onetoken, case["verb"]), case["request"]
    if "answer" in case:
        answer = function(**request)
        assert answer == case["answer"]
        assert_typed(answer, FUNCTIONS[case["verb"]])
    else:
        assert failure(function, **request) == case["error"]


def test_no_case_is_left_out():
    run = [case.values[0] for case in cases()]
    assert len(run) > 50
    verbs = {"inspect", "confine", "caveat", "needs", "preflight", "mint", "verify", "bind", "version"}
    assert {case["verb"] for case in run} == verbs
    left = [case for case in read_json(EMBED / "tests" / "cases.json") if case not in run]
    assert {case["verb"] for case in left if "request" in case} <= {"seal", "open", "mend"}


def test_codes_are_those_of_the_list():
    assert onetoken.CODES == list(LISTED)


def test_the_error_is_an_exception_with_its_parts():
    try:
        onetoken.needs(token="MDAx")
    except onetoken.OnetokenError as error:
        assert error.code == "bad_token" and error.detail["stage"] == "packet"
        assert str(error) == f"bad_token: offset {error.detail['offset']}, {error.detail['reason']}"
        again = pickle.loads(pickle.dumps(error))
        assert (again.code, again.detail, type(again)) == (error.code, error.detail, onetoken.OnetokenError)
    assert str(onetoken.OnetokenError("token_revoked")) == "token_revoked"
    assert onetoken.OnetokenError.__module__ == "onetoken"


def test_names_of_python_and_of_documents():
    token = onetoken.mint(rootKey={"hex": "00" * 32}, location="", identifier="i")["token"]
    assert onetoken.mint(root_key=bytes(32), location="", identifier="i")["token"] == token
    context = {"now": 0, "allowDataCaveats": True}
    assert onetoken.verify(token=token, root_key=bytes(32), context=context, as_="access")["valid"]
    assert onetoken.verify(token=token, root_key=bytes(32), context=context, **{"as": "access"})["valid"]
    twice = failure(onetoken.mint, rootKey="x", root_key=bytes(32), location="", identifier="i")
    assert twice == {"code": "invalid_argument", "detail": {"member": "rootKey", "reason": "it is there twice"}}
    with pytest.raises(TypeError):
        onetoken.needs(token)
