"""The first signal is recorded, the second one interrupts, and earlier handlers are restored."""

import os
import signal

import pytest

from paralign.training.signals import StopSignal


def test_the_first_signal_is_recorded_and_the_second_interrupts():
    before, calls = signal.getsignal(signal.SIGINT), []
    with StopSignal(calls.append) as stop:
        assert stop.pending == 0
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.pending == signal.SIGTERM
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert calls == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGINT) is before


def test_the_same_sigterm_twice_is_one_signal(monkeypatch):
    """A scheduler signals every process of a job, and the first process passes its signal on."""
    clock = iter([10.0, 10.0, 10.4, 12.0])
    monkeypatch.setattr("paralign.training.signals.time.monotonic", lambda: next(clock))
    stop = StopSignal()
    stop.receive(signal.SIGTERM)
    stop.receive(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        stop.receive(signal.SIGTERM)
