"""The examples in the docstrings of the public names are run (`>>> ...`), each docstring in a folder of its own."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

import paralign

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SLOW: frozenset[str] = frozenset()
"""Names whose examples take more than a few seconds (run with `-m slow`): `align`, `Encoder.encode`."""
PUBLIC = [name for name in paralign.__all__ if name != "__version__"]


def documented(name: str, thing: Any) -> Iterator[tuple[str, str]]:
    """Name and docstring of a public object, and of the public methods and properties a class defines itself."""
    yield name, inspect.getdoc(thing) or ""
    if inspect.isclass(thing):
        for member, value in vars(thing).items():
            if not member.startswith("_") and (callable(value) or isinstance(value, (classmethod, property))):
                yield f"{name}.{member}", inspect.getdoc(getattr(thing, member)) or ""


def examples(name: str, docstring: str) -> doctest.DocTest:
    """The examples of a docstring; they see `paralign`."""
    return doctest.DocTestParser().get_doctest(docstring, {"paralign": paralign}, name, None, 0)


def failures(test: doctest.DocTest) -> str:
    """What a doctest run complains about; empty if all examples give what they say."""
    report: list[str] = []
    doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append, clear_globs=False)
    return "".join(report)


DOCSTRINGS = dict(pair for name in PUBLIC for pair in documented(name, getattr(paralign, name)))
TESTS = [test for name, text in DOCSTRINGS.items() if (test := examples(name, text)).examples]


@pytest.mark.parametrize(
    "test",
    [pytest.param(test, id=test.name, marks=[pytest.mark.slow] if test.name in SLOW else []) for test in TESTS],
)
def test_the_examples_give_what_they_say(test, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not (found := failures(test)), found


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring(name):
    assert getattr(paralign, name).__doc__


def test_slow_names_exist():
    assert DOCSTRINGS.keys() >= SLOW


# -- the check itself


class Sample:
    """A class.

    >>> 1 + 1
    2
    """

    def method(self) -> None:
        """A broken example.

        >>> 1 + 1
        3
        """

    @classmethod
    def other(cls) -> None:
        """One that raises.

        >>> paralign.no_such_name
        """

    @property
    def third(self) -> str:
        """One that expects an error and sees the package.

        >>> paralign.no_such_name
        Traceback (most recent call last):
        AttributeError: module 'paralign' has no attribute 'no_such_name'
        """
        return ""


def test_a_broken_example_is_found():
    found = {name: failures(examples(name, text)) for name, text in documented("Sample", Sample)}
    assert [name for name, text in found.items() if not text] == ["Sample", "Sample.third"]
    assert "Expected:\n    3\nGot:\n    2" in found["Sample.method"]
    assert "AttributeError" in found["Sample.other"]
