"""The same measurement in two run folders: it counts once, the later folder wins, and a difference is noted."""

import pytest

from paralign.report.runs import read_runs
from paralign.report.tables import build_tables
from tests.report.synthetic import add, share


def made(folder, right, seed=0):
    settings = {"system": "a"}
    return add(folder, share(right), model_hash="m", seeds={"finetune": seed}, settings=settings)


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old")])
def test_the_later_folder_wins_and_the_difference_is_noted(tmp_path, order):
    value = {"old": 60, "new": 70}
    for name in ("old", "new"):
        made(tmp_path / name, value[name])
    (table,) = build_tables(read_runs([tmp_path / name for name in order]), set())
    (row,) = table.rows
    assert list(row.cells["de"].scores.values()) == [pytest.approx(value[order[-1]] / 100)]
    assert row.cells["de"].n_items == 100
    (note,) = table.notes
    assert note == (
        f"{order[0]} and {order[1]} measured the same model and seeds on de with different results;"
        f" those of {order[1]} are shown."
    )


def test_an_equal_measurement_counts_once_without_a_note(tmp_path):
    (table,) = build_tables(read_runs([made(tmp_path / "a", 60), made(tmp_path / "b", 60)]), set())
    assert len(table.rows[0].cells["de"].scores) == 1
    assert table.notes == []


def test_another_seed_is_another_measurement(tmp_path):
    (table,) = build_tables(read_runs([made(tmp_path / "a", 60), made(tmp_path / "b", 70, seed=1)]), set())
    cell = table.rows[0].cells["de"]
    assert (cell.mean, len(cell.scores)) == (pytest.approx(0.65), 2)
    assert table.notes == []
