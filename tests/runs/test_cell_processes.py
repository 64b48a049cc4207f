"""Processes of cells that die are replaced."""

import os
import signal
from types import SimpleNamespace

import pytest

from paralign.runs.cell_processes import CellProcesses


def runner(run, options, deadline):
    run(**options)
    return True


@pytest.fixture(scope="module")
def processes():
    """One process for several tests: a new one takes seconds to import torch."""
    with CellProcesses(1, runner) as found:
        yield found


def test_every_process_has_its_gpu(monkeypatch):
    monkeypatch.setattr("paralign.runs.cell_processes.gpu_of", lambda number: f"cuda:{number}")
    started = []
    with CellProcesses(3, runner) as found:
        monkeypatch.setattr(
            found._context, "Process", lambda **given: started.append(given) or SimpleNamespace(start=int)
        )
        for number in range(3):
            found._new(number)
        found._processes = [None] * 3
    assert [given["args"][-1] for given in started] == ["cuda:0", "cuda:1", "cuda:2"]


def test_an_idle_process_that_was_killed_is_replaced(processes):
    for last in (False, True):
        number = processes.start(str, {"object": "x"}, None)
        assert processes.wait() == (number, True)
        if not last:
            process = processes._processes[number]
            os.kill(process.pid, signal.SIGKILL)
            process.join()


def test_a_process_that_dies_before_it_reads_is_a_failure(monkeypatch):
    with CellProcesses(1, runner) as processes:
        new = processes._new

        def killed(number):
            new(number)
            os.kill(processes._processes[number].pid, signal.SIGKILL)

        monkeypatch.setattr(processes, "_new", killed)
        number = processes.start(str, {"object": "x"}, None)
        found = processes.wait()
        assert found[0] == number
        assert "killed by signal 9" in found[1].text


def interrupted():
    raise KeyboardInterrupt


def without_memory():
    raise MemoryError


def test_causes_outside_of_paralign_are_the_users(processes):
    """A process that someone else stops is not the end of all, and too little memory is no error in paralign."""
    for run, text in ((interrupted, "the process was stopped by a signal"), (without_memory, "not enough memory")):
        processes.start(run, {}, None)
        _, found = processes.wait()
        assert text in found.text
        assert found.user
