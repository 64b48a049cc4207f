"""Training and evaluation mode: an evaluation is without dropout, and the steps after it have dropout again."""

import pytest
import torch

import paralign
from paralign.encoder import Encoder
from paralign.sources.specs import TextSpec
from paralign.training import DevelopmentScore, HeldOutEvaluation, Trainer
from paralign.training.heldout import HeldOut
from tests.commands.inference import nli
from tests.training.runs import log_of, trainer


@pytest.fixture
def modes(monkeypatch):
    """The steps that were taken, each with the names of the modules that were in evaluation mode."""
    seen = {}
    optimize = Trainer._optimize

    def watch(self, slices):
        seen[self.step] = [name for name, module in self.learner.named_modules() if not module.training]
        return optimize(self, slices)

    monkeypatch.setattr(Trainer, "_optimize", watch)
    return seen


def evaluating(encoder, calls):
    """A function that evaluates an encoder as tasks do: in evaluation mode, which it leaves on."""

    def evaluate():
        encoder.eval()
        calls.append(encoder)
        return {"loss": 1.0}

    return evaluate


def steps_of(run):
    return [entry["losses"] for entry in log_of(run) if "event" not in entry]


@pytest.mark.parametrize("kind", ["held out", "score"])
def test_a_callback_that_evaluates_changes_no_step(kind, modes, make_encoder, store, tmp_path):
    plain = trainer(make_encoder(dropout=0.3), store, tmp_path / "plain", objectives="tlm")
    plain.train()
    made = trainer(make_encoder(dropout=0.3), store, tmp_path / "run", objectives="tlm", heldout_every=2)
    made.batches.steps_per_epoch = 2  # scores are computed at the end of an epoch
    calls = []
    evaluate = evaluating(made.learner.encoder, calls)
    callback = HeldOutEvaluation(evaluate) if kind == "held out" else DevelopmentScore(lambda: len(evaluate()))
    made.callbacks = [callback]
    made.train()
    assert len(calls) == 5  # after steps 2, 4, 6, 8 and the last one
    assert sorted(modes) == list(range(9))
    assert not any(modes.values())
    assert steps_of(tmp_path / "run") == steps_of(tmp_path / "plain")


def test_every_epoch_of_fine_tuning_has_dropout(base, tmp_path, modes):
    settings = {"training": {"batch": 8, "steps": 16, "learning_rate": 2e-3, "precision": "fp32"}}
    nli(base, tmp_path / "run", dev="en=smallworld:300-310", settings=settings)
    log = log_of(tmp_path / "run" / "seed-0")
    assert [entry["step"] for entry in log if entry.get("event") == "score"] == [7, 14, 16]
    assert sorted(modes) == list(range(16))
    assert not any(modes.values())


def test_every_step_of_pretraining_has_dropout(base, tmp_path, modes):
    settings = {
        "training": {"batch": 8, "steps": 5, "precision": "fp32", "heldout_every": 2},
        "data": {"min_pieces": 2},
    }
    paralign.pretrain(text=["en=smallworld:0-60"], model=str(base), heldout=["de=smallworld:60-80"],
                      out=tmp_path / "run", quiet=True, settings=settings)  # fmt: skip
    assert [entry["step"] for entry in log_of(tmp_path / "run") if entry.get("event") == "heldout"] == [2, 4, 5]
    assert sorted(modes) == list(range(5))
    assert not any(modes.values())


@pytest.mark.parametrize("training", [True, False])
def test_held_out_losses_are_without_dropout_and_keep_the_mode(training, make_encoder, monkeypatch):
    encoder = make_encoder(dropout=0.5)
    held_out = HeldOut(encoder, [TextSpec("en", "smallworld:0-40"), TextSpec("de", "smallworld:0-40")])
    encoder.eval()
    wanted = held_out.losses()
    encoder.train(training)
    torch.manual_seed(7)
    assert held_out.losses() == wanted
    assert {module.training for module in encoder.modules()} == {training}


def test_the_development_score_is_that_of_the_weights_and_the_highest_is_kept(base, tmp_path, monkeypatch):
    """The real score of each epoch; nothing is patched in."""
    weights = {}
    on_step_end = DevelopmentScore.on_step_end

    def watch(self, trainer):
        on_step_end(self, trainer)
        if trainer.step % 7 == 0:
            weights[trainer.step] = trainer.learner.encoder.digest()

    monkeypatch.setattr(DevelopmentScore, "on_step_end", watch)
    settings = {"training": {"batch": 8, "steps": 42, "learning_rate": 5e-3, "precision": "fp32"}}
    dev = "en=smallworld:300-340"
    rows = nli(base, tmp_path / "run", dev=dev, eval=[dev, "de=smallworld:200-210"], settings=settings)
    log = log_of(tmp_path / "run" / "seed-0")
    scores = {entry["step"]: entry["score"] for entry in log if entry.get("event") == "score"}
    assert list(scores) == [7, 14, 21, 28, 35, 42]
    best = max(scores.values())
    assert 0 <= min(scores.values()) < best
    (accuracy,) = [row.value for row in rows if row.language == "en" and row.metric == "accuracy"]
    assert accuracy == pytest.approx(best)
    first_best = min(step for step, score in scores.items() if score == best)
    assert Encoder.from_pretrained(tmp_path / "run/seed-0/model").digest() == weights[first_best]
