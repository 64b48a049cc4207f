"""examples/minimal_ppa.py computes what `paralign align --recipe ppa` computes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM

from paralign.commands.align import AlignRequest, prepare_align
from paralign.commands.arguments import as_overrides
from paralign.runs.options import RunOptions
from tests.examples import load_example

SCRIPT = Path(__file__).parents[1] / "examples" / "minimal_ppa.py"
STEPS, BATCH, QUEUE, DIM = 4, 12, 24, 8
TOLERANCE = 1e-5
"""Largest difference of a loss and of a weight; each mistake below makes both differ by more than 30 times this."""

# With a large learning rate and a fast momentum encoder, four steps show a forgotten update; half of the steps warm up,
# so the schedule shows too. Two epochs of 24 pairs: in the second epoch the queue has keys of the queries' own pairs.
# With AdamW's default eps, rounding errors in gradients near zero would become updates of full size.
TRAINING = {"batch": BATCH, "steps": STEPS, "learning_rate": 1e-3, "warmup": 0.5, "weight_decay": 1.0, "eps": 1e-3,
            "dropout": 0.0, "precision": "fp32", "log_every": 1}  # fmt: skip
MOCO = {"queue": QUEUE, "projection": DIM, "momentum": 0.5}


class Loop(NamedTuple):
    """A run of paralign: initial projection, batches (those that fill the queue first), losses, final weights."""

    projection: list[torch.Tensor]
    batches: list[dict[str, Any]]
    losses: list[list[float]]
    weights: dict[str, torch.Tensor]


def padded(view: Any) -> dict[str, torch.Tensor]:
    """A ragged view as the tensors that a transformers model takes, [B, longest row]."""
    inside = np.arange(view.lengths.max()) < view.lengths[:, None]
    labels = np.full(len(view.ids), -100)
    labels[view.masked] = view.labels
    out = {"attention_mask": torch.from_numpy(inside.astype(np.int64))}
    for name, values in {"input_ids": view.ids, "token_type_ids": view.types, "labels": labels}.items():
        out[name] = torch.full(inside.shape, -100 if name == "labels" else 0)
        out[name][torch.from_numpy(inside)] = torch.from_numpy(values.astype(np.int64))
    if not len(view.masked):
        del out["labels"]
    return out


def minimal_batch(batch: Any) -> dict[str, Any]:
    """The views of one of paralign's batches as minimal_ppa takes them."""
    views = {name: padded(batch.view(name)) for name in ("first", "second", "joint")}
    return {**views, "ids": torch.from_numpy(np.array(batch.ids))}


@pytest.fixture(scope="module")
def base(make_encoder: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with weights five times larger than usual.

    A fresh encoder maps all sentences to almost the same vector, and the contrastive loss amplifies rounding errors.
    """
    encoder = make_encoder()
    with torch.no_grad():
        for weight in encoder.model.parameters():
            weight.mul_(5 if weight.dim() > 1 else 1)
    folder = tmp_path_factory.mktemp("models") / "base"
    encoder.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def loop(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """Paralign's own loop, the batches it reads, and its result."""
    run = tmp_path_factory.mktemp("loop") / "run"
    settings = {"training": TRAINING, "moco": MOCO, "data": {"min_pieces": 1}}
    request = AlignRequest(str(base), pairs=["en-de=smallworld:0-24"], overrides=as_overrides(settings))
    prepared = prepare_align(RunOptions(run, quiet=True), request)
    assert prepared is not None
    assert len(prepared.store) == 2 * BATCH
    trainer = prepared.trainer
    objectives: Any = trainer.learner.objectives
    kept: dict[str, Any] = {"projection": [p.detach().clone() for p in objectives["moco"].projection.parameters()]}
    warm = [-1 - fill for fill in range(QUEUE // BATCH)]  # these fill the queue before the first step
    kept["batches"] = [minimal_batch(trainer.batches.batch(step)) for step in (*warm, *range(STEPS))]
    trainer.train()
    kept["weights"] = {name: value.clone() for name, value in trainer.learner.encoder.model.state_dict().items()}
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [[line["losses"]["tlm"], line["losses"]["moco"]] for line in lines if "losses" in line]
    return Loop(losses=losses, **kept)


@pytest.fixture
def minimal() -> Any:
    """The script as a module."""
    return load_example("minimal_ppa")


def differences(minimal: Any, loop: Loop, base: Path, **changed: Any) -> tuple[float, float]:
    """Largest difference of a loss and of a weight between paralign's loop and the script's, after ``STEPS`` steps."""
    model = AutoModelForMaskedLM.from_pretrained(base, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    settings = {"momentum": MOCO["momentum"]} | changed
    ppa = minimal.PPA(model, queue_size=QUEUE, dim=DIM, **settings)
    for projection in (ppa.projection, ppa.momentum_projection):
        for own, given in zip(projection.parameters(), loop.projection, strict=True):
            own.data.copy_(given)
    names = {"learning_rate": "lr", "warmup": "warmup", "weight_decay": "weight_decay", "eps": "eps"}
    training = {name: TRAINING[setting] for setting, name in names.items()}
    losses = list(minimal.train(ppa, iter(loop.batches), STEPS, **training))
    assert np.shape(losses) == np.shape(loop.losses) == (STEPS, 2)
    weights = model.state_dict()
    assert weights.keys() == loop.weights.keys()
    of_weights = max(float((weights[name] - loop.weights[name]).abs().max()) for name in weights)
    return float(np.abs(np.subtract(losses, loop.losses)).max()), of_weights


def test_the_losses_and_weights_of_four_steps_are_equal(minimal, loop, base):
    losses, weights = differences(minimal, loop, base)
    assert losses <= TOLERANCE
    assert weights <= TOLERANCE


def test_the_script_runs_alone(minimal, tmp_path, capsys):
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{left}\t{right}\n" for left, right in minimal.toy_pairs()[:16]), encoding="utf-8")
    minimal.main(tmp_path / "out", None, pairs)
    assert len(capsys.readouterr().out.splitlines()) == 40
    model = AutoModelForMaskedLM.from_pretrained(tmp_path / "out")
    assert model.config.num_hidden_layers == 2
    assert not re.search(r"^\s*(from|import) paralign", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_weights_move_much_more_than_the_tolerance(loop, base):
    before = AutoModelForMaskedLM.from_pretrained(base).state_dict()
    moved = [float((before[name] - loop.weights[name]).abs().max()) for name in before]
    assert np.median(moved) > 100 * TOLERANCE


# -- the comparison detects mistakes: each changes the script and returns changed arguments of PPA


def no_momentum_update(minimal, patch):
    patch.setattr(minimal.PPA, "update_momentum_encoder", lambda ppa: None)
    return {}


def no_enqueue(minimal, patch):
    enqueue = minimal.PPA.enqueue
    patch.setattr(minimal.PPA, "enqueue", lambda ppa, *keys: len(ppa.queue) < QUEUE and enqueue(ppa, *keys))
    return {}


def own_pairs_as_negatives(minimal, patch):
    enqueue = minimal.PPA.enqueue
    patch.setattr(minimal.PPA, "enqueue", lambda ppa, keys, ids: enqueue(ppa, keys, ids - 1000))
    return {}


def no_clipping(minimal, patch):
    patch.setattr(minimal.nn.utils, "clip_grad_norm_", lambda *_: None)
    return {}


def no_warm_up(minimal, patch):
    patch.setitem(TRAINING, "warmup", 0.0)
    return {}


def no_weight_decay(minimal, patch):
    patch.setitem(TRAINING, "weight_decay", 0.0)
    return {}


def other_temperature(minimal, patch):
    return {"temperature": 0.06}


def other_momentum(minimal, patch):
    return {"momentum": 0.6}


MISTAKES = [no_momentum_update, no_enqueue, own_pairs_as_negatives, no_clipping, no_warm_up, no_weight_decay,
            other_temperature, other_momentum]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_in_the_script_shows(mistake, minimal, loop, base, monkeypatch):
    changed = mistake(minimal, monkeypatch)
    assert min(differences(minimal, loop, base, **changed)) > 30 * TOLERANCE
