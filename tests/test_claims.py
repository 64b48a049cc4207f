"""The rows of the claims are compact and lossless, and verdicts follow the registered rules."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from paralign.metrics import ratio
from paralign.results import Measurement, Seeds, write_results
from paralign.runs.folder import RunFolder

ROOT = Path(__file__).parents[1]


@pytest.fixture
def rows_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("claims_rows")


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("claims")


def run_of(folder: Path, items: Any, seed: int = 0, system: str = "ppa", status: str = "done", **changes: Any) -> Any:
    """Write a finished run with one score, as a cell of a suite; return the score."""
    run = RunFolder(folder, "finetune", command="paralign finetune --model /x/e5 --task pos --set training.seed=7")
    run.begin({})
    row = Measurement(
        task="pos", dataset="pud", language="de", metric="accuracy", value=ratio(items), n=len(items),
        seeds=Seeds(finetune=seed), model="/x/e5", model_hash="c0ffee", run="r",
        settings={"system": system, "data": "d1"},
    ).model_copy(update=changes)  # fmt: skip
    write_results(folder, [(row, np.asarray(items, dtype=np.float64))])
    run.save(status=status)
    return row


@pytest.mark.parametrize("values", [[0, 3, 1, 255], [256, 0, 65535], [0.5, 0.25, 1.0], [1e6, 0], [-1.0, 2.0], []])
def test_packed_numbers_are_the_same(values, rows_module):
    assert rows_module.unpack(rows_module.pack(values)).tolist() == values


def test_the_rows_of_a_suite_keep_every_item(tmp_path, rows_module):
    items = np.stack([np.arange(40) % 7, np.full(40, 7)], axis=1)
    row = run_of(tmp_path / "su/pos/ppa-seed0", items)
    run_of(tmp_path / "su/pos/ppa-seed1", items[::-1], seed=1)
    run_of(tmp_path / "su/pos/base-seed0", items, system="base", status="stopped")
    found = rows_module.collect(tmp_path / "su", "e5", {"pos": {"accuracy"}}, "abc")
    assert rows_module.added(tmp_path / "rows.jsonl", found) == 2
    first, second = rows_module.read_rows(tmp_path / "rows.jsonl")
    assert (first["system"], first["seed"], first["value"]) == ("ppa", 0, pytest.approx(row.value, abs=1e-8))
    assert np.array_equal(rows_module.items_of(first), items)
    assert np.array_equal(rows_module.items_of(second), items[::-1])
    assert first["command"] == "paralign finetune --model e5 --task pos --set training.seed=SEED"
    assert rows_module.added(tmp_path / "rows.jsonl", found) == 0
    text = (tmp_path / "rows.jsonl").read_text()
    assert str(tmp_path) not in text
    assert text.count("paralign finetune") == 1  # texts that rows share are written once


def test_two_scores_of_one_system_and_seed_are_refused(tmp_path, rows_module):
    items = np.ones((3, 2))
    run_of(tmp_path / "one/pos/ppa-seed0", items)
    run_of(tmp_path / "two/pos/ppa-seed0", items * [0, 1])
    path = tmp_path / "rows.jsonl"
    for name in ("one", "two"):
        found = rows_module.collect(tmp_path / name, "e5", {}, "abc")
        if name == "one":
            rows_module.added(path, found)
    with pytest.raises(SystemExit, match=r"two scores of .*--rename"):
        rows_module.added(path, found)
    renamed = rows_module.collect(tmp_path / "two", "e5", {}, "abc", {"pos/ppa": "best"})
    assert rows_module.added(path, renamed) == 1


def test_an_aligned_encoder_that_is_gone_is_named(tmp_path, rows_module):
    run_of(tmp_path / "pos/ppa-seed0", np.ones((3, 2)), seeds=Seeds(align=0, finetune=0))
    with pytest.raises(SystemExit, match="give --pairs"):
        rows_module.collect(tmp_path, "e5", {}, "abc")
    (row,) = rows_module.collect(tmp_path, "e5", {}, "abc", pairs=16000)
    assert (row["pairs"], row["align_seed"]) == (16000, 0)


def test_ablations_are_named_by_their_layers(tmp_path, rows_module):
    for name in ("whole", "reset-0-1"):
        run_of(tmp_path / f"pos/e5/en/{name}", np.ones((3, 2)))
    found = rows_module.collect(tmp_path, "e5", {}, "abc")
    assert sorted(row["system"] for row in found) == ["layers 0-1 reset", "no layers reset"]


def test_conditions_of_a_metric_do_not_hide_it(rows_module):
    row = Measurement(task="qa", dataset="mlqa", language="de", metric="f1_mlqa", value=0.5, n=2, model="m",
                      model_hash="h", run="r")  # fmt: skip
    assert rows_module.is_wanted(row, {"f1"})
    assert not rows_module.is_wanted(row.model_copy(update={"metric": "exact_match_mlqa"}), {"f1"})
    assert rows_module.is_wanted(row.model_copy(update={"task": "pos", "metric": "accuracy"}), None)


def test_the_metrics_of_the_claims(claims):
    found = claims.claimed_metrics(tomllib.loads(claims.CLAIMS.read_text())["claim"])
    assert found["pos"] == {"accuracy"}
    assert found["parsing"] == {"las"}
    assert found["qa"] == {"f1", "f1_mlqa"}
    assert found["lexicon"] == {"precision_at_1_csls_without_identical"}
