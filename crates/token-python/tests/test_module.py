"""The stubs, the signatures and the docstrings say the same."""

import doctest
import inspect
import sys
import typing
from pathlib import Path

import pytest
from conftest import FUNCTIONS, METHODS

import onetoken
from onetoken import documents


def parameters(node):
    """The keyword parameters of a stub, and whether each can be left out."""
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults)
    return [(argument.arg, default is not None) for argument, default in pairs]


def functions():
    for name in onetoken.__all__:
        if inspect.isbuiltin(getattr(onetoken, name)):
            yield name, getattr(onetoken, name), FUNCTIONS[name]
    methods = dict(METHODS)
    for name, method in vars(onetoken.Authority).items():
        if not name.startswith("_"):
            yield f"Authority.{name}", method, methods.pop(name)
    yield "Authority", onetoken.Authority, methods.pop("__new__")
    assert set(methods) == {"__enter__", "__exit__"}


@pytest.mark.parametrize("name, function, stub", list(functions()), ids=lambda it: it if isinstance(it, str) else "")
def test_a_stub_has_the_signature_of_its_function(name, function, stub):
    if name == "Authority" and sys.version_info < (3, 10):
        pytest.skip("Python 3.9 shows no signature of such a class")
    found = inspect.signature(function).parameters.values()
    found = [it for it in found if it.name != "self"]
    assert all(it.kind is inspect.Parameter.KEYWORD_ONLY for it in found)
    assert [(it.name, it.default is not it.empty) for it in found] == parameters(stub)
    assert function.__doc__ and function.__doc__.strip().endswith(".")


@pytest.mark.parametrize("name, function, stub", list(functions()), ids=lambda it: it if isinstance(it, str) else "")
def test_each_keyword_is_a_member(name, function, stub):
    if name == "Authority.close":
        return
    if name.startswith("Authority."):
        function = getattr(onetoken.Authority(store="memory:"), name.partition(".")[2])
    for argument, _ in parameters(stub):
        with pytest.raises(onetoken.OnetokenError) as raised:
            function(**{argument: object()})
        assert raised.value.detail["reason"].startswith("the request should have "), argument
    with pytest.raises(onetoken.OnetokenError) as raised:
        function(nonsense=object())
    assert raised.value.detail == {"member": "nonsense", "reason": "there is no such member"}


def test_the_module_has_what_the_stubs_have():
    assert set(FUNCTIONS) | {"CODES", "__version__"} == set(onetoken.__all__)
    assert onetoken.__version__ == onetoken.version()["package"]
    assert list(typing.get_args(documents.Code)) == onetoken.CODES
    assert Path(onetoken.__file__).with_name("py.typed").exists()


def test_the_examples_of_the_docstring_and_the_readme():
    assert doctest.testmod(onetoken) == (0, doctest.testmod(onetoken).attempted)
    assert doctest.testmod(onetoken).attempted > 4
    readme = Path(__file__).resolve().parents[1] / "README.md"
    failed, attempted = doctest.testfile(str(readme), module_relative=False)
    assert failed == 0 and attempted > 5
