"""Values that people give from Python: numbers of NumPy, ``~``, one number for a list, streams without bytes."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import paralign
from paralign.commands.analyze_results import analyze_results
from paralign.commands.arguments import one_or_several
from paralign.commands.check_corpus import check_corpus
from paralign.commands.convert_corpus import convert_corpus
from paralign.commands.order_corpus import order_corpus
from paralign.errors import UserError
from paralign.report import write_report

PAIRS = "en-de=smallworld:0-9"


def no_call(*_, **__):
    raise AssertionError("something was loaded")


@pytest.mark.parametrize(
    ("layer", "number"),
    [(1, 1), (np.int64(1), 1), (np.int32(-1), 2), (1.0, 2), (np.float64(1.0), 2), (np.float32(0.5), 1)],
    ids=repr,
)
def test_an_integer_is_the_number_of_a_layer_and_a_float_a_fraction_of_the_depth(layer, number, base, tmp_path):
    """Of two layers. An integer that became 1.0 would be the last one."""
    rows = paralign.evaluate(base, task="retrieval", data=PAIRS, layer=layer, out=tmp_path / "e", quiet=True)
    assert {row.where.layer for row in rows} == {number}


@pytest.mark.parametrize("value", ["8", True, None, 1j])
def test_a_number_is_one(value):
    @one_or_several
    def command(*, hours: "float" = 1.0):
        return hours

    with pytest.raises(UserError, match=r"hours is (None|.* \(give a number\))"):
        command(hours=value)
    with pytest.raises(UserError, match=r"hours is '8' \(give a number\)"):
        paralign.suite("quick", models={"base": "paralign-mini"}, out="o", hours="8")


def test_the_home_folder_is_replaced_in_all_paths(base, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").symlink_to(base)
    texts = [f"{language}=smallworld:0-9" for language in ("en", "de")]
    paralign.make_text_maps("~/base", text=texts, out="~/maps", quiet=True)
    rows = paralign.evaluate("~/base", task="retrieval", data=PAIRS, out=Path("~/run"), maps=["~/maps"], quiet=True)
    assert {bool(row.settings["maps"]) for row in rows} == {True}
    order_corpus("en=smallworld:0-9", "~/order.json", quiet=True)
    (tmp_path / "text.tsv").write_text("One cat.\tEine Katze.\nA dog.\tEin Hund.\n")
    convert_corpus("en-de=~/text.tsv", "~/text.tmx", quiet=True)
    for runs in ("~/run", Path("~/run"), ["~/run"]):
        assert len(paralign.read_results(runs)) == len(rows)
        assert write_report(runs, "~/page.html").html == tmp_path / "page.html"
    assert {path.name for path in tmp_path.glob("[!.]*") if path.suffix != ".csv"} == {
        "base", "maps", "run", "order.json", "text.tsv", "text.tmx", "page.html", "page.md",
    }  # fmt: skip


def test_path_parameters_of_every_kind_are_expanded(monkeypatch):
    monkeypatch.setenv("HOME", "/home/a")

    @one_or_several
    def command(
        out: "str | Path",
        *,
        save: "str | Path | None" = None,
        maps: "str | Sequence[str | Path]" = (),  # noqa: F821
        pairs: "str | Sequence[str]" = (),  # noqa: F821
        part: "str | None" = None,
    ):
        return out, save, maps, pairs, part

    found = command("~/a", save=Path("~/b"), maps=[Path("~/c"), "d~"], pairs="en~inv-de=~/e,~/f", part="~/g")
    assert found == ("/home/a/a", Path("/home/a/b"), ["/home/a/c", "d~"], ["en~inv-de=/home/a/e,/home/a/f"], "~/g")


@pytest.mark.parametrize("sentences", [3, np.int64(3), [3], (3,), np.array([3])], ids=repr)
def test_one_number_or_an_array_is_a_list_of_numbers(sentences):
    @one_or_several
    def command(*, sentences: "Sequence[int]" = ()):  # noqa: F821
        return sentences

    found = command(sentences=sentences)
    assert found == [3]
    assert type(found[0]) is int


@pytest.mark.parametrize("command", [paralign.analyze_embeddings, paralign.analyze_links])
def test_a_string_is_no_list_of_numbers(command, tmp_path):
    for sentences in ("3", ["3"], "12", [1.5]):
        with pytest.raises(UserError, match=r"sentences is ('\d'|1\.5) \(give an integer of at least 0\)"):
            command("x", pairs=PAIRS, out=tmp_path / "run", sentences=sentences)


@pytest.mark.parametrize(
    ("command", "name"),
    [(paralign.analyze_ablation, "width"), (paralign.finetune, "target_examples")],
)
def test_numbers_below_one_are_refused(command, name, base, tmp_path):
    given = {"task": "pos", "train": "en=smallworld:0-9", "eval": "de=smallworld:0-9", "out": tmp_path / "run"}
    with pytest.raises(UserError, match=rf"^{name} is 0 \(give an integer of at least 1\)$"):
        command(base, **given, **{name: 0})
    assert not (tmp_path / "run").exists()


def test_streams_without_bytes_are_refused_before_anything_is_loaded(tmp_path, monkeypatch):
    """As in a notebook."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr("paralign.commands.predict.saved_task", no_call)
    with pytest.raises(UserError, match=r"^standard output takes no bytes here.*\(give the name of a file\)$"):
        paralign.predict("x", data="en=smallworld:0-9", out="-")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(UserError, match="standard input takes no bytes here"):
        check_corpus("en-de=-", out=tmp_path / "run")


def test_runs_of_a_report_may_be_a_generator_but_not_none(base, tmp_path):
    paralign.evaluate(base, task="retrieval", data=PAIRS, out=tmp_path / "a", quiet=True)
    folders = [tmp_path / "a"]
    page, same = (write_report(runs, tmp_path / "page.html").markdown.read_text()
                  for runs in (folders, (folder for folder in folders)))  # fmt: skip
    assert same == page
    assert paralign.read_results(iter(folders)).equals(paralign.read_results(folders))
    with pytest.raises(UserError, match=r"runs is of type NoneType \(give a folder, or a list of them\)"):
        write_report(None, tmp_path / "none.html")
    with pytest.raises(UserError, match=r"runs is None \(give a value\)"):
        paralign.read_results(None)
    for runs in ([], iter(())):
        with pytest.raises(UserError, match="no run folders given"):
            write_report(runs, tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_modules_are_attributes_of_the_package():
    code = "import paralign; print(paralign.device.select_device.__module__); paralign.nosuch"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "paralign.device\n"
    assert done.stderr.splitlines()[-1] == "AttributeError: module 'paralign' has no attribute 'nosuch'"


def test_an_analysis_of_encoders_reads_no_results(tmp_path):
    with pytest.raises(UserError, match=r"the analysis 'similarity' reads encoders \(analyze_encoders\('similarity'"):
        analyze_results("similarity", tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "name", "setting"),
    [
        (paralign.analyze_ablation, "precision", "training.precision"),
        (paralign.analyze_ablation, "batch_size", "training.batch"),
        (paralign.finetune, "first_seed", "training.seed"),
    ],
)
def test_the_setting_of_an_argument_that_does_not_exist_is_named(command, name, setting):
    with pytest.raises(TypeError, match=rf"has no argument '{name}' \(use overrides=\{{'{setting}': \.\.\.\}}\)"):
        command("x", **{name: 1})
