"""What the tests share: the vectors of token-test and the cases of token-embed, which all languages run."""

import ast
import base64
import json
from pathlib import Path

import pytest

import onetoken
from onetoken import documents

CRATES = Path(__file__).resolve().parents[2]
VECTORS = CRATES / "token-test" / "vectors"
EMBED = CRATES / "token-embed"
SECRET = b"an example secret of 32 bytes or more"

pytest_plugins = ["pytester"]


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def stubbed(body):
    return {node.name: node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


STUBS = ast.parse(Path(onetoken.__file__).with_name("__init__.pyi").read_text(encoding="utf-8"))
FUNCTIONS = stubbed(STUBS.body)
METHODS = stubbed(FUNCTIONS["Authority"].body)


def assert_typed(answer, stub):
    """The answer has the members that the type in the stub has."""
    of_type = getattr(documents, stub.returns.id)
    assert of_type.__required_keys__ <= set(answer) <= set(of_type.__annotations__), (stub.name, answer)


def octets(data):
    """The bytes as documents show them."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64url": base64.urlsafe_b64encode(data).decode().rstrip("=")}


def listed():
    """The list of errors, by code."""
    return {error["code"]: error for error in read_json(EMBED / "errors.json")}


LISTED = listed()


def failure(function, /, **request):
    """The error of a call as its document, which is one of the list."""
    with pytest.raises(onetoken.OnetokenError) as raised:
        function(**request)
    error = raised.value
    assert set(error.detail) <= set(LISTED[error.code]["detail"]), error
    assert error.__cause__ is None and error.__context__ is None
    return {"code": error.code, "detail": error.detail}


def token_of(size):
    """A token of about `size` characters, with caveats of 1,000 bytes."""
    caveats = [f"ip = {'10.0.0.0/8|' * 90}10.0.0.0/8"] * max(1, size * 3 // 4 // 1020)
    return onetoken.mint(secret=SECRET, location="onezone", identifier="id1", caveats=caveats, format="v2")["token"]
