"""The examples in docstrings (`>>> ...`) are run, each in its own folder."""

from __future__ import annotations

import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
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
    """The examples of a docstring; they see `paralign` and its public names."""
    names = {"paralign": paralign, **{public: getattr(paralign, public) for public in PUBLIC}}
    return doctest.DocTestParser().get_doctest(docstring, names, name, None, 0)


SOURCE = Path(paralign.__file__).parent
MODULES = [
    ".".join(("paralign", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")
    for path in sorted(SOURCE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def internal_examples(module: str) -> list[doctest.DocTest]:
    """The examples of a module that are not in docstrings of public names; they see the names of the module."""
    tests = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module), module)
    public = {inspect.getdoc(getattr(paralign, name)) for name in PUBLIC} | set(DOCSTRINGS.values())
    return [test for test in tests if test.examples and inspect.cleandoc(test.docstring) not in public]


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


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_of_other_names_give_what_they_say(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for test in internal_examples(module):
        assert not (found := failures(test)), found


def test_examples_of_other_names_are_found():
    names = {test.name for module in MODULES for test in internal_examples(module)}
    assert {"paralign.ragged.row_starts", "paralign.text.words.word_spans"} <= names


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_has_a_docstring(name):
    assert getattr(paralign, name).__doc__


def types_in_returns(source: str) -> list[str]:
    """First lines of `Returns` sections in which napoleon takes the text before a colon for a type."""
    first_lines = re.findall(r"^ *Returns:\n *(.*)$", source, re.MULTILINE)
    return [line for line in first_lines if ":" in re.sub(r"(:[a-z]+:)?`+[^`]*`+", "", line)]


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_returns_section_describes_no_type(path):
    assert types_in_returns(path.read_text(encoding="utf-8")) == []


def test_a_type_in_a_returns_section_is_found():
    section = '"""Return it.\n\n    Returns:\n        {}\n    """'
    assert types_in_returns(section.format("Shape: [n].")) == ["Shape: [n]."]
    assert types_in_returns(section.format("What :meth:`forward` returns, as ``{a: b}``.")) == []


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
