"""CSV for spreadsheets: no cell is a formula, whatever names users choose."""

import csv

import pytest

from paralign.report import write_report
from paralign.report.csv_files import _cell, figures_csv
from paralign.report.figure import Figure
from tests.report.synthetic import add, share

NAMES = ["=1+2", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1:A2)", "\tx", "\rx"]


@pytest.mark.parametrize("name", NAMES)
def test_names_that_look_like_formulas_are_escaped_everywhere(name, tmp_path):
    escaped = "'" + name.replace("\r", "\n")
    settings = {"system": name, "baselines": {name: 0.25}}
    add(tmp_path / "run", share(60), settings=settings, dataset=name, split=name)
    paths = write_report([tmp_path / "run"], tmp_path / "report.html")
    with paths.csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["system"] for row in rows] == [escaped] * 2  # the run, and the baseline
    assert {row["dataset"] for row in rows} == {row["split"] for row in rows} == {escaped}
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]


def test_names_in_figures_are_escaped():
    figure = Figure("similarity", "=title", points=[("=panel", "@series", "+at", -0.5, None, None)])
    (row,) = list(csv.DictReader(figures_csv([("-section", [figure])]).splitlines()))
    assert row == {"section": "'-section", "figure": "'=title", "panel": "'=panel", "series": "'@series",
                   "at": "'+at", "value": "-0.5", "low": "", "high": ""}  # fmt: skip


def test_numbers_and_other_text_stay_as_they_are():
    assert [_cell(field) for field in (-0.25, -3, "-0.25", "+1", "a=b", "", None, "-inf", "-")] == [
        "-0.25", -3, "-0.25", "+1", "a=b", "", None, "'-inf", "'-",
    ]  # fmt: skip
