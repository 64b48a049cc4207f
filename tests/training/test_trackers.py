"""Trackers receive what is written to the log."""

import json
from typing import Any, ClassVar

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import AutoModel, AutoTokenizer

import paralign
from paralign.errors import UserError
from paralign.training import trackers
from tests.training.runs import log_of

QUICK = {
    "training": {"batch": 8, "steps": 4, "precision": "fp32", "log_every": 1, "checkpoint_every": 2},
    "data": {"min_pieces": 2},
    "moco": {"queue": 20, "projection": 8},
}


def align(base, out, **more):
    return paralign.align(str(base), out=out, pairs=["en-de=smallworld:0-60"], recipe="ppa-mini", settings=QUICK,
                          quiet=True, **more)  # fmt: skip


def events(folder):
    """Step and value of every curve."""
    found = {}
    for file in folder.rglob("events*"):
        read = EventAccumulator(str(file.parent))
        read.Reload()
        for name in read.Tags()["scalars"]:
            found.setdefault(name, {}).update({e.step: e.value for e in read.Scalars(name)})
    return found


def test_tensorboard_has_the_curves_of_the_log(base, tmp_path):
    align(base, tmp_path / "run", track=["tensorboard"])
    lines = [line for line in log_of(tmp_path / "run") if "event" not in line]
    found = events(tmp_path / "run/track")
    for name in ("tlm", "moco"):
        assert found[f"losses/{name}"] == pytest.approx({line["step"]: line["losses"][name] for line in lines})
    assert found["loss"] == pytest.approx({line["step"]: line["loss"] for line in lines})
    assert set(found["lr"]) == {1, 2, 3, 4}
    assert "time" not in found
    assert "step" not in found


def test_a_tracker_does_not_change_the_run(base, tmp_path):
    plain, tracked = align(base, tmp_path / "1"), align(base, tmp_path / "2", track=["tensorboard"])
    assert (plain / "model.safetensors").read_bytes() == (tracked / "model.safetensors").read_bytes()
    assert (tmp_path / "1/config.toml").read_text() == (tmp_path / "2/config.toml").read_text()
    assert not (tmp_path / "1/track").exists()


def test_fine_tuning_has_curves_for_each_seed(base, tmp_path):
    paralign.finetune(str(base), task="pos", train="en=smallworld:0-20", eval=["de=smallworld:20-30"], seeds=2,
                      out=tmp_path / "run", track=["tensorboard"], quiet=True,
                      settings={"training": {"steps": 3, "log_every": 1, "batch": 4}})  # fmt: skip
    for seed in (0, 1):
        found = events(tmp_path / f"run/seed-{seed}/track")
        assert set(found["loss"]) == {1, 2, 3}


def test_trackers_that_are_not_installed(base, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="unknown tracker 'tensorbord'") as found:
        align(base, tmp_path / "run", track=["tensorbord"])
    assert "did you mean 'tensorboard'" in str(found.value)
    monkeypatch.setattr(trackers, "get_available_trackers", list)
    with pytest.raises(UserError, match="the tracker tensorboard is not installed") as found:
        align(base, tmp_path / "run", track=["tensorboard"])
    assert "pip install tensorboard" in str(found.value)
    assert not (tmp_path / "run").exists()


class Fake:
    """A tracker that keeps what it gets; like wandb's, it would start in every process."""

    started: ClassVar[list[Any]] = []
    requires_logging_directory = False
    main_process_only = False

    def __init__(self, title):
        self.title, self.config, self.entries, self.finished = title, None, [], False

    def start(self):
        Fake.started.append(self)

    def store_init_configuration(self, config):
        self.config = config

    def log(self, values, step):
        self.entries.append((step, values))

    def finish(self):
        self.finished = True


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.setattr(Fake, "started", [])
    monkeypatch.setitem(trackers.LOGGER_TYPE_TO_CLASS, "fake", Fake)
    monkeypatch.setattr(trackers, "get_available_trackers", lambda: ["fake"])
    return Fake.started


def test_a_tracker_gets_the_settings_and_every_number_of_the_log(fake, base, tmp_path):
    align(base, tmp_path / "run", track=["fake"])
    (tracker,) = fake
    assert tracker.title == "run"
    assert tracker.config["training/batch"] == 8
    assert tracker.config["moco/queue"] == 20
    assert tracker.finished
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "event" not in line]
    assert [step for step, _ in tracker.entries] == [1, 2, 3, 4] == [line["step"] for line in lines]
    for (_, values), line in zip(tracker.entries, lines, strict=True):
        single = {name: line[name] for name in line if name not in ("step", "time", "losses", "metrics")}
        nested = {f"{part}/{name}": value for part in ("losses", "metrics") for name, value in line[part].items()}
        assert values == single | nested


def test_losses_on_held_out_text_have_curves(fake, base, tmp_path):
    paralign.pretrain(text=["en=smallworld:0-60"], model=str(base), heldout=["de=smallworld:60-80"],
                      out=tmp_path / "run", track=["fake"], quiet=True,
                      settings={"training": QUICK["training"] | {"heldout_every": 2}})  # fmt: skip
    (tracker,) = fake
    heldout = [(step, values) for step, values in tracker.entries if "heldout/losses/de" in values]
    logged = [line for line in log_of(tmp_path / "run") if line.get("event") == "heldout"]
    assert [step for step, _ in heldout] == [2, 4]
    assert [values["heldout/losses/de"] for _, values in heldout] == [line["losses"]["de"] for line in logged]


def test_the_losses_of_a_new_head_are_sent(fake, base, tmp_path):
    for part in (AutoModel, AutoTokenizer):
        part.from_pretrained(base).save_pretrained(tmp_path / "headless")
    align(tmp_path / "headless", tmp_path / "run", track=["fake"], overrides=["training.head_steps=2"])
    (tracker,) = fake
    (logged,) = [line for line in log_of(tmp_path / "run") if line.get("event") == "head"]
    assert tracker.entries[0] == (0, {f"head/{name}": logged[name] for name in ("steps", "first_loss", "last_loss")})


def test_only_the_main_process_starts_trackers(fake, make_encoder, store, tmp_path, monkeypatch):
    from tests.training.runs import trainer

    training = trainer(make_encoder(), store, tmp_path, objectives="tlm")
    callback = trackers.Trackers(["fake"])
    monkeypatch.setenv("RANK", "1")
    callback.on_train_start(training)
    callback.on_log(training, {"step": 1, "loss": 2.0})
    assert not fake
    monkeypatch.setenv("RANK", "0")
    callback.on_train_start(training)
    callback.on_log(training, {"step": 1, "loss": 2.0})
    assert [tracker.entries for tracker in fake] == [[(1, {"loss": 2.0})]]
    callback.close()
