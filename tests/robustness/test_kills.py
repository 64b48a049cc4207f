"""Any command that is killed at random moments and resumed ends as one that was not interrupted."""

import os
import random
import shutil
import signal
import time

import pytest

from paralign.__main__ import main
from tests.robustness.scenarios import SCENARIOS, result_of, small_demo, write_data

RUNS, KILLS = 4, 4
"""Runs of each command, and kills of each run; with 8 commands about 130 kills."""
KILLED = [name for name, scenario in SCENARIOS.items() if scenario.stop is not None]


@pytest.fixture(scope="module")
def data(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs") / "data"
    write_data(folder, base)
    return folder


def run_in_child(words, kill_after=None):
    """Run a command in a forked process, which needs no time to start; return its exit status as from ``waitpid``."""
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code = 1
        try:
            with small_demo():
                code = main(words)
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", KILLED)
def test_a_killed_command_ends_as_one_that_was_not_interrupted(data, tmp_path, name):
    scenario, chance = SCENARIOS[name], random.Random(name)
    run = tmp_path / "work" / "run"  # paths are recorded, so each attempt is made in the same folder
    words = scenario.command(data, run)
    assert run_in_child(words) == 0
    shutil.rmtree(run.parent)
    began = time.monotonic()
    assert run_in_child(words) == 0
    seconds = time.monotonic() - began
    expected = result_of(run)
    assert len(expected) > 3
    killed = 0
    for attempt in range(RUNS):
        shutil.rmtree(run.parent)
        moments = []
        for _ in range(KILLS):
            moments.append(round(chance.uniform(0, 0.8 * seconds), 3))
            resume = ["--resume"] if run.exists() and any(run.iterdir()) else []
            code = run_in_child([*words, *resume], moments[-1])
            killed += code == -signal.SIGKILL
            assert code in (0, -signal.SIGKILL), (moments, code)
        resume = ["--resume"] if run.exists() and any(run.iterdir()) else []
        with small_demo():
            assert main([*words, *resume]) == 0, moments
        result = result_of(run)
        differ = [path for path in sorted({*expected, *result}) if result.get(path) != expected.get(path)]
        assert not differ, (attempt, moments, differ)
        left = [path for path in run.rglob("*") if path.name.endswith((".part", ".old"))]
        assert not left, (moments, left)
    assert killed > RUNS
