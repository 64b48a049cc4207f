"""The page of objectives by layer is that of its committed rows."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module("layers_page")


def test_the_committed_page_is_that_of_the_committed_rows(page):
    assert page.page(page.read(), page.read(page.CLAIMS), page.read(page.COSTS)) == page.PAGE.read_text(
        encoding="utf-8"
    ), "run: python benchmarks/layers_page.py"


def test_every_table_has_its_rows(page):
    lines = page.PAGE.read_text(encoding="utf-8").splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("|---")]
    assert len(rules) > 4
    assert all(lines[number - 1].startswith("|") and lines[number + 1].startswith("|") for number in rules)


def test_a_row_shows_the_best_layer_of_the_targets_and_the_space_at_the_trained_layer(page):
    scores = {"en": [0.9, 0.8, 0.7], "de": [0.1, 0.3, 0.2], "hi": [0.1, 0.2, 0.25]}
    space = {"mutual_nearest": {"ar": [0.0, 0.2, 0.9], "hi": [0.0, 0.4, 0.9]},
             "language_distance": {"de": [1.0, 2.0, 9.0], "hi": [1.0, 3.0, 9.0]}}  # fmt: skip
    row = {"objective": "tlm+word_l2", "layer": 1, "seed": 0, "probes": dict.fromkeys(("pos", "ner", "nli"), scores),
           "space": space, "learning_rate": 5e-5,
           "gradient_cosines": {"tlm word_l2": {"all": -0.125}}}  # fmt: skip
    best = "25.0 (1)"  # (0.3 + 0.2) / 2
    assert page.cells(row, {"tlm+word_l2 at 0.67": [9.0, 1.26]}) == [
        r"tlm+word\_l2", "1", "5e-05", best, best, best, "80.0", "30.0", "2.50", r"tlm and word\_l2 −0.12", "1.3"
    ]  # fmt: skip
    assert page.cells(row | {"objective": "base", "layer": None}, {})[7:] == [
        "90.0",
        "9.00",
        r"tlm and word\_l2 −0.12",
        "",
    ]


def test_kinds_are_compared_with_the_base_of_their_encoder(page):
    def row(base, objective, layer, score):
        probes = {task: {"en": [0.9, 0.9], "de": [0.1, score]} for task in ("pos", "ner", "nli")}
        return {"base": base, "objective": objective, "layer": layer, "probes": probes}

    rows = [row("a", "base", None, 0.5), row("a", "moco", 1, 0.6), row("a", "in_batch", 2, 0.49)]
    rows += [row("a", "tlm", 1, 0.5), row("b", "base", None, 0.7), row("b", "moco", 1, 0.6)]
    lines = [line for line in page.summary(rows).splitlines() if line.startswith(("| a", "| b"))]
    many, none, few = "+4.5 (−1.0 to +10.0)", "+0.0 (+0.0 to +0.0)", "−10.0 (−10.0 to −10.0)"
    assert lines == [
        f"| b | contrast of sentences | 1 | {few} | {few} | {few} |",
        f"| a | masked LM, TLM | 1 | {none} | {none} | {none} |",
        f"| a | contrast of sentences | 2 | {many} | {many} | {many} |",
    ]


def test_measures_of_the_space_are_correlated_at_the_trained_layer(page):
    def row(layer, score, near):
        probes = {task: {"en": [0.9, 0.9], "de": [0.1, score]} for task in ("pos", "ner", "nli")}
        space = {name: {"de": [near, 9.0], "hi": [near, 9.0]} for name in page.MEASURES} | {
            "hubness": {"de": [-near, 0]}
        }
        return {"base": "a", "objective": "moco", "layer": layer, "probes": probes, "space": space}

    lines = page.space([row(0, 0.2, 1.0), row(0, 0.3, 4.0), row(0, 0.5, 5.0)]).splitlines()
    assert "| translations that are mutual nearest neighbors | +1.00 | +1.00 | +1.00 |" in lines
    assert "| hubness | −1.00 | −1.00 | −1.00 |" in lines


def test_fine_tuned_scores_are_means_over_targets_of_one_seed(page):
    def row(system, language, value, seed=0):
        return {"system": system, "task": "pos", "language": language, "value": value, "seed": seed}

    rows = [row("base", "de", 0.5), row("base", "hi", 0.4), row("base", "en", 0.9), row("base", "de", 0.9, seed=1)]
    rows += [row("moco at layer 8", "de", 0.6), row("moco at layer 8", "hi", 0.2), row("tlm at layer 12", "de", 0.7)]
    rows += [row("ppa", "de", 0.9), {"id": "a", "text": "b"}]
    lines = [line for line in page.fine_tuned(rows).splitlines() if line.startswith("|")]
    assert lines == [
        "| objective | layer 8 | layer 12 |", "|---|---:|---:|", "| base | 45.0 | 45.0 |", "| moco | 40.0 |  |",
        "| tlm |  | 70.0 |",
    ]  # fmt: skip


def test_the_table_of_the_readme_is_that_of_the_rows(page):
    """Last layer of e5-small-mlm; columns are recipes of one objective, or of the mixture that a row has as a name."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    table = [[cell.strip() for cell in line.strip(" |").split("|")] for line in text.splitlines() if line[:3] == "  |"]
    names = [name.strip("`").replace("-", "_") for name in table[0]]
    names = [name.replace("contrastive_anchor", "contrastive+word_anchor") for name in names]
    assert names[0] == "base"
    own = {row["objective"]: row for row in page.read() if row["base"] == "e5-small-mlm" and row["layer"] in (None, 12)}
    cells = {name: page.cells(own[name], {}) for name in names}
    expected = {"retrieval": 7, "POS": 3, "NER": 4, "NLI": 5}
    assert [line[0] for line in table[2:]] == list(expected)
    for name, *values in table[2:]:
        assert values == [cells[column][expected[name]].split(" ")[0] for column in names]


def test_every_objective_is_of_one_kind(page):
    assert sorted(name for names in page.KINDS.values() for name in names) == sorted(page.METHODS)
