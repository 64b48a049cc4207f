"""The GPU campaign: a failure never costs other measurements, and everything that is skipped is listed."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
CAMPAIGN = ROOT / "benchmarks/gpu"


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the modules importable, as when the folder is run."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.syspath_prepend(str(CAMPAIGN))


def run(out: Path, *words: str) -> tuple[list[dict[str, Any]], str]:
    """Run the campaign at tiny size and return all lines of the results, and the output."""
    command = [sys.executable, str(CAMPAIGN), "run", "--tiny", "--out", str(out), *words]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"ACCELERATE_USE_CPU": "1"})
    assert done.returncode in (0, 1), done.stderr
    lines = (out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines], done.stdout


def test_a_second_call_measures_nothing_again(tmp_path):
    few = ("--only", "step", "--match", "peak")
    lines, output = run(tmp_path, *few)
    latest = {(line["stage"], line["name"]): line for line in lines}
    skipped = [(key, line["reason"]) for key, line in latest.items() if line["status"] != "measured"]
    assert not skipped
    assert any("peak" in name for _, name in latest)
    assert all(name in output for _, name in latest)
    again, _ = run(tmp_path, *few)
    assert again == lines


@pytest.mark.slow  # minutes
def test_every_stage_has_its_lines(tmp_path):
    lines, output = run(tmp_path)
    stages = [entry.name for entry in importlib.import_module("stages").STAGES]
    assert [name for name in stages if any(line["stage"] == name for line in lines)] == stages
    failed = [line for line in lines if line["status"] == "failed"]
    assert not failed
    assert all(line["reason"] for line in lines if line["status"] == "skipped")
    assert all(f"{line['name']}: " in output for line in lines)
    values = {(line["stage"], line["name"]): line["value"] for line in lines if line["status"] == "measured"}
    assert max(values["step", "equal-losses"].values()) < 1e-4
    assert values["step", "ppa"]["pairs_per_s"]["median"] > 0


def test_stages_that_are_stopped_or_not_started_are_listed(tmp_path, monkeypatch, capsys):
    runner = importlib.import_module("runner")
    monkeypatch.setattr(runner.wheels, "install", lambda *_: None)
    monkeypatch.setattr(runner, "_run", lambda *_: time.sleep(0.6) or "stopped after 1 s")
    assert runner.run(None, tmp_path, 1.5, True, ["step", "words"]) == 1
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [(line["stage"], line["name"], line["status"], line["reason"]) for line in lines] == [
        ("step", "*", "skipped", "stopped after 1 s"),
        ("words", "*", "skipped", "no time left for this stage"),
    ]
    assert "no time left" in capsys.readouterr().out


# -- one stage


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run a stage of given measurements and return all lines of the results."""
    driver = importlib.import_module("driver")
    measurement = importlib.import_module("context").Measurement

    def run_stage(*items: tuple[str, Any], left: float = 60, match: list[str] | None = None) -> list[dict[str, Any]]:
        def measurements(context: Any) -> list[Any]:
            return [measurement(name, lambda run=run: run(context)) for name, run in items]

        module = SimpleNamespace(measurements=measurements)
        monkeypatch.setattr(driver.importlib, "import_module", lambda _: module)
        driver.run_stage("step", None, tmp_path, True, time.time() + left, match)
        lines = (tmp_path / "results.jsonl").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]

    return run_stage


def test_a_failed_or_skipped_measurement_does_not_affect_others(stage):
    def broken(_: Any) -> dict[str, Any]:
        raise ValueError("it broke\nwith details")

    items = [("one", lambda _: {"x": 1}), ("two", broken), ("three", lambda c: c.skip("no gold")),
             ("four", lambda c: {"seen": c.values["one"]["x"]})]  # fmt: skip
    lines = stage(*items)
    assert [line["status"] for line in lines] == ["measured", "failed", "skipped", "measured"]
    assert lines[1]["reason"] == "ValueError: it broke"
    assert lines[2]["reason"] == "no gold"
    assert lines[3]["value"] == {"seen": 1}
    assert all(
        {"device", "torch", "transformers", "commit", "code", "tiny", "seconds"} <= line.keys() for line in lines
    )


def test_only_failed_measurements_are_repeated(stage):
    count = {"good": 0, "bad": 0}

    def counting(name: str) -> Any:
        def one(_: Any) -> dict[str, Any]:
            count[name] += 1
            if name == "bad":
                raise RuntimeError("no")
            return {"x": 1.0}

        return one

    for _ in range(2):
        lines = stage(("good", counting("good")), ("bad", counting("bad")))
    assert count == {"good": 1, "bad": 2}
    assert [line["name"] for line in lines] == ["good", "bad", "bad"]


def test_only_matching_measurements_are_made(stage):
    items = [(name, lambda _: {"x": 1.0}) for name in ("batch-512", "batch-2048", "chunk-512", "compile")]
    assert [line["name"] for line in stage(*items, match=["batch", "comp"])] == ["batch-512", "batch-2048", "compile"]


def test_a_truncated_line_is_ignored(tmp_path):
    record = importlib.import_module("record")
    path = tmp_path / "results.jsonl"
    record.append(path, {"name": "whole", "status": "measured", "value": {"x": 1}})
    with path.open("a") as file:
        file.write('{"name": "truncated", "status": "meas')
    assert list(record.measured_values(path, {})) == ["whole"]


# -- counted operations


@dataclass
class StoreContext:
    """A context with the text of the tests."""

    store_path: Path
    base: Path
    work: Path
    tiny: bool = True

    def store(self) -> Path:
        return self.store_path

    def tokenizer(self) -> Path:
        return self.base

    def shape(self, _: str) -> Any:
        return importlib.import_module("context").SHAPES["tiny"]


@pytest.mark.parametrize("recipe", ["ppa", "tlm", "moco"])
def test_the_formula_counts_the_operations_of_all_matrix_products(recipe, store, base, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    loop, products = importlib.import_module("loop"), importlib.import_module("matrix_share").Products()
    loops = loop.Loops(StoreContext(store.path, base, tmp_path))
    trainer = loops.trainer(recipe, "mbert")
    work = loop.count_work(trainer, range(2))
    with products:
        loops.run(trainer, 0, 2)
    counted = sum(products.flops[key] * count for key, count in products.seen.items())
    assert work.padded == counted
    assert 0.3 * work.padded < work.flops < work.padded
    assert work.pieces < work.positions


# -- packages


def test_installed_packages_are_not_installed_again(tmp_path):
    assert importlib.import_module("wheels").install(None, tmp_path / "packages") is None
    assert not (tmp_path / "packages").exists()


def test_the_error_names_the_missing_package(tmp_path, monkeypatch):
    wheels = importlib.import_module("wheels")
    monkeypatch.setitem(wheels.MISSING, "no-such-package", "no_such_package")
    assert "no-such-package" in wheels.install(None, tmp_path)
    (tmp_path / "wheels").mkdir()
    assert "no wheel of no-such-package" in wheels.install(tmp_path, tmp_path / "packages")


def test_the_pack_has_the_versions_of_the_constraints():
    pinned = importlib.import_module("pack").pinned()
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert f"pydantic=={pinned['pydantic']}\n" in text
    assert f"tomli_w=={pinned['tomli-w']}\n" in text
    assert all(pinned.values())
