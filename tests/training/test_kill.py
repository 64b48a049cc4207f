"""A run killed with SIGKILL at any point resumes to the same bytes."""

import random
from pathlib import Path

import pytest

from paralign.__main__ import main
from tests.training.killed import command, finish, kill, kill_when, write_pairs


@pytest.fixture(scope="module")
def undisturbed(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    words = command(base, write_pairs(folder / "pairs.tsv"), folder / "run")
    return folder, finish(words)


def same(run: Path, other: Path) -> bool:
    return all(
        (run / "encoder" / name).read_bytes() == (other / "encoder" / name).read_bytes()
        for name in ("model.safetensors", "config.json", "tokenizer.json")
    )


def test_two_kills_leave_no_trace(undisturbed, base, tmp_path):
    folder, _ = undisturbed
    words = command(base, folder / "pairs.tsv", tmp_path / "run")
    for step in (2, 6):
        kill_when(words, tmp_path / "run" / "checkpoints" / f"step-{step:08d}")
    finish(words)
    assert same(tmp_path / "run", folder / "run")
    left = [path for path in (tmp_path / "run").rglob("*") if path.name.endswith((".part", ".old"))]
    assert left == []


def test_a_killed_run_refuses_other_text_and_other_filters(undisturbed, base, tmp_path, capsys):
    """A run killed while tokenizing or training does not mix old and new text."""
    folder, _ = undisturbed
    pairs = write_pairs(tmp_path / "pairs.tsv")
    words = command(base, pairs, tmp_path / "run")
    kill_when(words, tmp_path / "run" / "corpus")

    def refused(message: str, *more: str) -> None:
        assert main([*words, *more]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert len(error.splitlines()) == 1

    refused("data.min_pieces was 2, now 4", "--set", "data.min_pieces=4")
    write_pairs(pairs, range(1, 120))
    refused("pairs.tsv: the parallel text changed since this run began")
    write_pairs(pairs)
    finish(words)
    assert same(tmp_path / "run", folder / "run")


@pytest.mark.slow
def test_twenty_kills_at_random_moments(undisturbed, base, tmp_path):
    folder, seconds = undisturbed
    chance = random.Random(0)
    kills = runs = 0
    while kills < 20:
        words = command(base, folder / "pairs.tsv", tmp_path / f"run-{runs}")
        for _ in range(4):
            kills += kill(words, chance.uniform(0, 0.8 * seconds))
        finish(words)
        assert same(tmp_path / f"run-{runs}", folder / "run"), f"run {runs} after {kills} kills"
        runs += 1
