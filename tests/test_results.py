import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign import results
from paralign.errors import UserError
from paralign.results import Measurement, Seeds, Where, check_results, read_items, read_results, write_results


def row(**fields):
    usual = {
        "task": "pos",
        "dataset": "pud",
        "language": "de",
        "metric": "accuracy",
        "value": 0.5,
        "n": 2,
        "model": "mbert",
        "model_hash": "h",
        "run": "r",
    }
    return Measurement.model_validate({**usual, **fields})


ITEMS = np.array([[1.0, 4.0], [3.0, 4.0]])


def test_round_trip_with_items(tmp_path):
    write_results(tmp_path / "r", [(row(seeds=Seeds(finetune=3), where=Where(pool="cls")), ITEMS)])
    (found,) = read_results(tmp_path / "r" / "results.jsonl")
    assert read_results(str(tmp_path / "r")) == read_results(str(tmp_path / "r" / "results.jsonl")) == [found]
    assert found.model_copy(update={"items": None, "items_digest": None}) == row(
        seeds=Seeds(finetune=3), where=Where(pool="cls")
    )
    assert read_items(tmp_path / "r", found).tolist() == ITEMS.tolist()


def test_the_file_is_one_object_a_line_with_its_schema(tmp_path):
    write_results(tmp_path, [(row(), None), (row(language="fr"), None)])
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert [(line["schema"], line["language"]) for line in lines] == [(1, "de"), (1, "fr")]


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed(tmp_path_factory, position, bit):
    run = tmp_path_factory.mktemp("run")
    write_results(run, [(row(settings={"system": "Ä"}), ITEMS), (row(language="fr"), None)])
    before = read_results(run)
    for path in (run / "results.jsonl", *(run / "items").iterdir()):
        whole = path.read_bytes()
        data = bytearray(whole)
        data[position % len(data)] ^= 1 << bit
        path.write_bytes(data)
        with pytest.raises(UserError, match=path.name):
            assert [read_items(run, one) is None for one in read_results(run)] != [False, True]
        path.write_bytes(whole)
    assert read_results(run) == before


def test_rows_without_digests_are_read(tmp_path):
    write_results(tmp_path, [(row(), ITEMS)])
    content = json.loads((tmp_path / "results.jsonl").read_text())
    for name in ("digest", "items_digest"):
        assert content.pop(name)
    (tmp_path / "results.jsonl").write_text(json.dumps(content | {"value": 0.125}) + "\n")
    (found,) = read_results(tmp_path)
    assert found.value == 0.125
    assert read_items(tmp_path, found).tolist() == ITEMS.tolist()


def test_a_rerun_replaces_its_own_rows_only(tmp_path):
    write_results(tmp_path, [(row(value=0.1), ITEMS), (row(value=0.2, seeds=Seeds(finetune=1)), ITEMS)])
    write_results(tmp_path, [(row(value=0.3), ITEMS * 2)])
    rows = read_results(tmp_path / "results.jsonl")
    assert [r.value for r in rows] == [0.3, 0.2]
    assert [read_items(tmp_path, r).sum() for r in rows] == [24, 12]
    assert len(list((tmp_path / "items").iterdir())) == 2


def test_an_interrupted_rerun_leaves_the_rows_with_their_items(tmp_path, monkeypatch):
    write_results(tmp_path, [(row(value=0.1), ITEMS)])
    (old,) = (tmp_path / "items").iterdir()
    (tmp_path / "items" / "notes.npy").write_bytes(b"of the user")
    write = results.atomic_file

    def interrupted(path):
        if path.name == "results.jsonl":
            raise KeyboardInterrupt
        return write(path)

    with monkeypatch.context() as patch:
        patch.setattr(results, "atomic_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_results(tmp_path, [(row(value=0.3), ITEMS * 2)])
    (before,) = check_results(tmp_path)
    assert (before.value, read_items(tmp_path, before).tolist()) == (0.1, ITEMS.tolist())
    write_results(tmp_path, [(row(value=0.5), ITEMS * 3)])
    (after,) = check_results(tmp_path)
    assert read_items(tmp_path, after).tolist() == (ITEMS * 3).tolist()
    assert not old.exists()
    assert sorted(path.name for path in (tmp_path / "items").iterdir()) == ["notes.npy", after.items.split("/")[1]]


@pytest.mark.parametrize(
    "other",
    [
        {"task": "ner"},
        {"dataset": "x"},
        {"split": "dev"},
        {"train": "en"},
        {"language": "fr"},
        {"metric": "f1"},
        {"model_hash": "g"},
        {"seeds": Seeds(align=0)},
        {"where": Where(layer=0)},
        {"where": Where(direction="a-b")},
        {"settings": {"training": {"sets": ["a"]}}},
        {"settings": {"training_data": {"train": "1"}}},
        {"settings": {"layers": {"of": "m", "reset": "0"}}},
    ],
)
def test_rows_that_differ_in_their_key_both_stay_with_their_items(tmp_path, other):
    write_results(tmp_path, [(row(), ITEMS), (row(**other), ITEMS * 3)])
    rows = read_results(tmp_path / "results.jsonl")
    assert [read_items(tmp_path, r).sum() for r in rows] == [12, 36]


def test_the_fine_tuning_and_not_the_name_of_the_system_identifies_a_row(tmp_path):
    def made(value, reset="0", of="m"):
        training = {"sets": ["a"], "learning_rate": 1e-3}
        return row(value=value, settings={"system": of, "training": training, "layers": {"of": of, "reset": reset}})

    write_results(tmp_path, [(made(0.1), None), (made(0.2, reset="1"), None)])
    write_results(tmp_path, [(made(0.3, of="renamed"), None)])
    assert [r.value for r in read_results(tmp_path)] == [0.3, 0.2]
    assert row(settings={"system": "x", "task": {"layer": 1}}).key() == row().key()


def test_names_cannot_leave_the_folder_or_break_a_line(tmp_path):
    odd = row(task="../../up", language="a/b\u2028c", settings={"system": "x\u0085y\n"})
    write_results(tmp_path / "r", [(odd, ITEMS)])
    (found,) = read_results(tmp_path / "r" / "results.jsonl")
    assert (found.task, found.language, found.settings) == (odd.task, odd.language, odd.settings)
    assert read_items(tmp_path / "r", found).tolist() == ITEMS.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["r"]


def test_a_score_over_nothing_survives_as_nan(tmp_path):
    write_results(tmp_path, [(row(value=math.nan), None)])
    assert "NaN" not in (tmp_path / "results.jsonl").read_text()
    assert math.isnan(read_results(tmp_path / "results.jsonl")[0].value)


def test_a_line_that_is_no_measurement_is_named(tmp_path):
    write_results(tmp_path, [(row(), None)])
    path = tmp_path / "results.jsonl"
    for line in (b'{"task": "pos"}', b"{", b"\xff", b'{"color": 1}'):
        path.write_bytes(path.read_bytes().splitlines()[0] + b"\n\n" + line + b"\n")
        with pytest.raises(UserError) as caught:
            read_results(path)
        assert caught.value.where == f"{path}:3"


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="no such results file"):
        read_results(tmp_path / "results.jsonl")


def test_no_items_no_array(tmp_path):
    assert read_items(tmp_path, row()) is None


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("items/gone.npy", None, "missing"),
        ("items/text.npy", b"not numpy", "cannot be read"),
        ("items/empty.npy", b"", "cannot be read"),
        ("../outside.npy", b"", "inside the run"),
    ],
)
def test_items_that_cannot_be_used_are_the_users_matter(tmp_path, name, content, says):
    run = tmp_path / "run"
    (run / "items").mkdir(parents=True)
    if content is not None:
        (run / name).write_bytes(content)
    with pytest.raises(UserError, match=says):
        read_items(run, row(items=name))


def test_pickled_items_are_not_unpickled(tmp_path):
    np.save(tmp_path / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="cannot be read"):
        read_items(tmp_path, row(items="x.npy"))


def test_rows_of_another_version_are_refused(tmp_path):
    path = tmp_path / "results.jsonl"
    write_results(tmp_path, [(row(), None)])
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps(content | {"schema": 2}) + "\n")
    with pytest.raises(UserError, match=r"results\.jsonl:1: written by another version of paralign"):
        read_results(path)
