"""Callbacks: the order of their calls, their state after a resume, and their closing if a run fails."""

import pytest

from paralign.training import Callback
from paralign.training.trainer import Trainer
from tests.training.runs import log_of, module_bytes, stopped_at, trainer


class Recorder(Callback):
    """Keeps its calls in a list shared with others, and counts steps as its state."""

    def __init__(self, calls, label, name=""):
        self.calls, self.label = calls, label
        self.name = name
        self.steps = 0

    def _called(self, hook, trainer):
        self.calls.append((self.label, hook, trainer.step))

    def on_train_start(self, trainer):
        self._called("start", trainer)

    def on_step_end(self, trainer):
        self.steps += 1
        self._called("step", trainer)

    def on_log(self, trainer, entry):
        self._called(entry.get("event", "log"), trainer)

    def on_train_end(self, trainer):
        self._called("end", trainer)

    def close(self):
        self.calls.append((self.label, "close", None))

    def alarms(self):
        return [f"alarm of {self.label}"]

    def state_dict(self):
        return {"steps": self.steps}

    def load_state_dict(self, state):
        self.calls.append((self.label, "load", dict(state)))
        self.steps = state["steps"]


def run(encoder, store, folder, *callbacks, resume=False, **settings):
    training = trainer(encoder, store, folder, objectives="tlm", **settings)
    training.callbacks = list(callbacks)
    return training.train(resume=resume)


def test_hooks_are_called_in_order_and_callbacks_in_the_order_given(make_encoder, store, tmp_path, monkeypatch):
    calls = []
    save = Trainer._save
    monkeypatch.setattr(Trainer, "_save", lambda self: (calls.append(("trainer", "save", self.step)), save(self))[1])
    callbacks = [Recorder(calls, "a"), Recorder(calls, "b")]
    outcome = run(make_encoder(), store, tmp_path, *callbacks, steps=4, log_every=2, checkpoint_every=3)

    def both(hook, step):
        return [("a", hook, step), ("b", hook, step)]

    assert calls == [
        *both("start", 0),
        *both("step", 1),
        *both("log", 2),
        *both("step", 2),
        *both("step", 3),
        ("trainer", "save", 3),
        *both("log", 4),
        *both("step", 4),
        ("trainer", "save", 4),
        *both("end", 4),
        *both("close", None),
    ]
    assert outcome.alarms == ["alarm of a", "alarm of b"]


def test_the_state_of_a_callback_survives_a_resume(make_encoder, store, tmp_path):
    before = [Recorder([], "named", "counter"), Recorder([], "nameless")]
    with stopped_at(5):
        run(make_encoder(), store, tmp_path, *before)
    assert [callback.steps for callback in before] == [6, 6]
    calls = []
    after = [Recorder(calls, "named", "counter"), Recorder(calls, "nameless"), Recorder(calls, "new", "added")]
    run(make_encoder(), store, tmp_path, *after, resume=True)
    assert [callback.steps for callback in after] == [9, 3, 3]
    # The state is loaded before the run starts; callbacks without a name, or new in this run, have none.
    assert calls[:2] == [("named", "load", {"steps": 6}), ("named", "start", 6)]
    assert [call for call in calls if call[1] == "load"] == calls[:1]


def test_callbacks_that_only_watch_do_not_change_the_run(make_encoder, store, tmp_path):
    run(make_encoder(), store, tmp_path / "plain")
    run(make_encoder(), store, tmp_path / "watched", Recorder([], "a", "counter"))
    assert module_bytes(tmp_path / "plain", 9) == module_bytes(tmp_path / "watched", 9)
    assert log_of(tmp_path / "plain") == log_of(tmp_path / "watched")


def test_a_stopped_run_is_closed_but_has_not_ended(make_encoder, store, tmp_path):
    calls = []
    with stopped_at(3):
        run(make_encoder(), store, tmp_path, Recorder(calls, "a"))
    assert [hook for _, hook, _ in calls[-2:]] == ["step", "close"]
    assert not [call for call in calls if call[1] == "end"]


@pytest.mark.parametrize("hook", ["on_train_start", "on_step_end", "on_log", "on_train_end"])
def test_a_callback_that_fails_closes_all_of_them(hook, make_encoder, store, tmp_path, monkeypatch):
    calls = []
    first, second = Recorder(calls, "a"), Recorder(calls, "b")

    def fail(*arguments):
        raise RuntimeError(hook)

    monkeypatch.setattr(first, hook, fail)
    with pytest.raises(RuntimeError, match=hook):
        run(make_encoder(), store, tmp_path, first, second)
    assert calls[-2:] == [("a", "close", None), ("b", "close", None)]


def test_callbacks_may_log_and_others_receive_it(make_encoder, store, tmp_path):
    class Note(Callback):
        def on_step_end(self, trainer):
            if trainer.step == 2:
                trainer.record(event="note", step=trainer.step, value=7)

        def on_train_end(self, trainer):
            trainer.record(event="note", step=trainer.step, value=8)

    calls = []
    run(make_encoder(), store, tmp_path, Note(), Recorder(calls, "a"))
    assert [call for call in calls if call[1] == "note"] == [("a", "note", 2), ("a", "note", 9)]
    assert [line for line in log_of(tmp_path) if "event" in line] == [
        {"event": "note", "step": 2, "value": 7},
        {"event": "note", "step": 9, "value": 8},
    ]
