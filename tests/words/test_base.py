"""The table of aligners."""

import inspect
import subprocess
import sys

import pytest

from paralign.errors import UserError
from paralign.runs.settings import LinksConfig
from paralign.sources.specs import parse_pairs
from paralign.words.base import ALIGNERS, OPTIONS, Aligner, AlignerConfig, AlignerOptions, find_aligner, make_aligner
from paralign.words.word_links import WordLinks


@pytest.mark.parametrize("name", ALIGNERS)
def test_every_aligner_declares_what_it_supports(name):
    aligner = find_aligner(name)
    assert aligner.name == name
    assert issubclass(aligner.Config, AlignerConfig)
    assert aligner.requires <= aligner.accepts <= set(OPTIONS)
    assert ("save" in aligner.accepts) == ("load" in aligner.accepts)
    assert inspect.getdoc(aligner) != inspect.getdoc(Aligner)


class NoLinks(Aligner):
    """An aligner without links."""

    name = "nothing"

    def align(self, count):
        return WordLinks.from_rows([[]] * count)


def test_a_class_outside_the_package_is_found_by_module_and_name():
    aligner = make_aligner("tests.words.test_base:NoLinks", AlignerOptions(parse_pairs("en-de=smallworld")))
    aligner.read([])
    assert list(aligner.align(2)) == [[], []]
    assert LinksConfig(method="tests.words.test_base:NoLinks").method == "tests.words.test_base:NoLinks"
    for wrong, message in (
        ("tests.words.test_base:ALIGNERS", "is not an aligner"),
        ("paralign.words.base:Aligner", "align"),
    ):
        with pytest.raises(UserError, match=message):
            find_aligner(wrong)


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_that_is_not_declared_is_refused(option):
    given = {option: True if option in ("train", "posteriors") else "x"}
    options = AlignerOptions(parse_pairs("en-de=smallworld"), **given)
    with pytest.raises(UserError, match=f"--{option} is not supported by the aligner 'nothing' .supported by "):
        make_aligner("tests.words.test_base:NoLinks", options)


def test_links_of_a_run_need_an_aligner_that_finds_them():
    for method, message in (("file", "--links"), ("hmn", "did you mean 'hmm'")):
        with pytest.raises(ValueError, match=message):
            LinksConfig(method=method)


def test_the_table_is_imported_without_numpy():
    """The help text of the command line lists the names."""
    code = "import sys, paralign.words.base; print({'numpy', 'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
