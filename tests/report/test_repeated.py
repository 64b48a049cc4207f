"""The same measurement in two run folders: it counts once, the later folder wins, and a difference is noted."""

import pytest

from paralign.report.runs import read_runs
from paralign.report.tables import build_tables
from tests.report.synthetic import add, share


def made(folder, right, seed=0, **more):
    settings = {"system": "a", **more}
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


def test_seeds_measured_on_different_data_are_noted_and_not_compared(tmp_path):
    for seed, data in enumerate("abb"):
        made(tmp_path / f"s{seed}", 60 + seed, seed=seed, data=data)
    (table,) = build_tables(read_runs([tmp_path / f"s{k}" for k in range(3)]), set())
    cell = table.rows[0].cells["de"]
    assert table.notes == ["s0, s1 and s2 measured de on different test data; the mean over them is shown."]
    assert (len(cell.scores), cell.missing) == (3, "its seeds were measured on different test data")


def test_an_equal_measurement_counts_once_without_a_note(tmp_path):
    (table,) = build_tables(read_runs([made(tmp_path / "a", 60), made(tmp_path / "b", 60)]), set())
    assert len(table.rows[0].cells["de"].scores) == 1
    assert table.notes == []


def test_rows_that_do_not_say_how_they_were_fine_tuned_are_the_same_measurement(tmp_path):
    for right, more in ((60, {}), (70, {"training": {"sets": ["ewt"]}, "training_data": {"train": "a1"}})):
        made(tmp_path / "ev", right, **more)
    (table,) = build_tables(read_runs([tmp_path / "ev"]), set())
    cell = table.rows[0].cells["de"]
    assert (list(cell.scores.values()), cell.n_items, cell.items) == ([pytest.approx(0.7)], 100, [])  # no longer needed
    assert table.notes == [
        "ev and ev measured the same model and seeds on de with different results; those of ev are shown."
    ]


@pytest.mark.parametrize(
    ("ways", "names"),
    [
        (({"sets": ["ewt"], "learning_rate": 1e-3}, {"sets": ["ewt"], "learning_rate": 3e-4}),
         ["a (learning_rate 0.001)", "a (learning_rate 0.0003)"]),
        (({"sets": ["ewt"]}, {"sets": ["ewt"], "dev": ["gum-dev"]}), ["a", "a (dev gum-dev)"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("seeds", [(0, 0), (0, 1)])
def test_two_ways_of_fine_tuning_are_two_systems_and_not_two_seeds(tmp_path, ways, names, seeds):
    for k, (seed, training) in enumerate(zip(seeds, ways, strict=True)):
        made(tmp_path / "ev", 60 + 10 * k, seed, training=training)
    (table,) = build_tables(read_runs([tmp_path / "ev"]), set())
    assert [row.system for row in table.rows] == names
    assert [list(row.cells["de"].scores.values()) for row in table.rows] == [[0.6], [0.7]]
    assert not any("measured the same model" in note for note in table.notes)


def test_another_seed_is_another_measurement(tmp_path):
    (table,) = build_tables(read_runs([made(tmp_path / "a", 60), made(tmp_path / "b", 70, seed=1)]), set())
    cell = table.rows[0].cells["de"]
    assert (cell.mean, len(cell.scores)) == (pytest.approx(0.65), 2)
    assert table.notes == []
