"""The table of analyses: its lines lead somewhere, and the example of the document runs from the table alone."""

import importlib
import inspect
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import paralign
from paralign.analyses.base import EncoderAnalysis, ResultsAnalysis, find_analysis
from paralign.analyses.table import ANALYSES, AnalysisEntry
from paralign.cli.analyze import app
from paralign.commands.analyze_encoders import analyze_encoders
from paralign.commands.analyze_results import analyze_results
from paralign.encoder.vectors import layer_vectors
from paralign.errors import UserError
from paralign.report import write_report
from paralign.results import read_results
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_text
from tests.report.reading import text_of
from tests.report.synthetic import add, share

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "add-an-analysis.md"


@pytest.mark.parametrize("name", ANALYSES)
def test_lines_lead_somewhere(name):
    entry = ANALYSES[name]
    for drawing in entry.figures.values():
        module, function = drawing.split(":")
        assert list(inspect.signature(getattr(importlib.import_module(module), function)).parameters) == ["source"]
    if entry.reads:
        analysis = find_analysis(name)
        assert analysis.name == name
        assert isinstance(analysis, {"results": ResultsAnalysis, "encoders": EncoderAnalysis}[entry.reads])
    else:
        assert not entry.implementation


def test_kinds_of_figures_and_tasks_belong_to_one_analysis():
    kinds = Counter(kind for entry in ANALYSES.values() for kind in entry.figures)
    tasks = Counter(task for entry in ANALYSES.values() for task in entry.tasks)
    assert set(kinds.values()) == set(tasks.values()) == {1}


def test_every_analysis_is_a_command():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert commands == set(ANALYSES) - {"check"}


def test_an_unknown_analysis_is_refused():
    with pytest.raises(UserError, match=r"unknown analysis 'similarty' .*did you mean 'similarity'"):
        find_analysis("similarty")
    with pytest.raises(UserError, match="halfs"):
        find_analysis("similarity", {"similarity": {"halfs": 3}})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("transfer", "use paralign.analyze_transfer"),
        ("probes", "use paralign.analyze_probes"),
        ("spce", "did you mean 'space'? or my_module:Class"),
        ("check", "available: similarity, space or my_module:Class"),
        (
            "paralign.analyses.transfer:TransferAnalysis",
            "derive it from paralign.analyses.base.EncoderAnalysis",
        ),
    ],
)
def test_an_analysis_of_something_else_than_encoders_is_refused(tmp_path, name, hint):
    with pytest.raises(UserError) as caught:
        analyze_encoders(name, "x", text=["en=a"], out=tmp_path / "run")
    assert str(caught.value) == f"{name!r} is not an analysis of encoders on parallel text ({hint})"
    if hint.startswith("use "):
        assert hasattr(paralign, hint.removeprefix("use paralign."))


def test_the_analysis_of_the_document_runs_and_is_drawn(base, encoder, tmp_path, monkeypatch):
    blocks = re.findall(r"^```python\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "anisotropy_example.py").write_text(blocks[0], encoding="utf-8")
    (tmp_path / "draw_anisotropy_example.py").write_text(blocks[1], encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    line = AnalysisEntry(
        "help", {"anisotropy": "draw_anisotropy_example:draw_anisotropy"}, ("anisotropy",), "encoders",
        "anisotropy_example:Anisotropy",
    )  # fmt: skip
    monkeypatch.setitem(ANALYSES, "anisotropy", line)
    text = ["en=smallworld:0-20", "de=smallworld:0-20"]
    analyze_encoders("anisotropy", [str(base)], text=text, out=tmp_path / "run", limit=15, quiet=True)
    rows = read_results(tmp_path / "run" / "results.jsonl")
    assert {row.n for row in rows} == {15}
    found = {(row.language, row.where.layer): row.value for row in rows}
    assert len(found) == 2 * (encoder.layers + 1)
    sentences = [text for _, text in read_text(parse_text("en=smallworld:0-15"))]
    for layer, vectors in enumerate(layer_vectors(encoder, sentences, None)[0]):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        cosines = [unit[i] @ unit[j] for i in range(15) for j in range(15) if i != j]
        assert found["en", layer] == pytest.approx(np.mean(cosines), abs=1e-5)
    page, words = text_of(write_report([tmp_path / "run"], tmp_path / "page.html"))
    assert "0 for random directions" in words
    assert [attrs["aria-label"].split(":")[0] for tag, attrs in page.tags if tag == "figure"] == [
        "cosine of different sentences"
    ]
    assert not page.tables.get("anisotropy: cosine"), "the figure shows the rows"


TOY = """
from paralign.analyses.base import AnalysisResult, ResultsAnalysis
from paralign.report.figure import Figure, ShadedTable, TableCell


class Toy(ResultsAnalysis):
    name = "toy"

    def analyze(self, rows):
        best = max(row.value for _, row in rows)
        table = [["best"], [str(best)]]
        return AnalysisResult(best, figures={"toy": {"best": best}}, table=table, warnings=["careful"])


def draw(source):
    cells = [TableCell(str(source.data["best"]))]
    return [Figure("Toy", source.run.name, tables=[ShadedTable(["best"], [("all", cells)])])]
"""


def test_an_analysis_of_results_needs_a_class_a_drawing_and_a_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "toy_example.py").write_text(TOY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    entry = AnalysisEntry("help", {"toy": "toy_example:draw"}, (), "results", "toy_example:Toy")
    monkeypatch.setitem(ANALYSES, "toy", entry)
    for number, right in enumerate((40, 70)):
        add(tmp_path / "runs" / f"r{number}", share(right))
    result = analyze_results("toy", [tmp_path / "runs"], out=tmp_path / "out")
    assert result.value == 0.7
    assert (tmp_path / "out" / "toy.tsv").read_text() == "best\n0.7\n"
    assert capsys.readouterr().err == "WARNING careful\n"
    page, words = text_of(write_report([tmp_path / "out"], tmp_path / "page.html"))
    assert page.tables["out"] == [["⇅", "best"], ["all", "0.7"]]
    assert "out: careful" in words
