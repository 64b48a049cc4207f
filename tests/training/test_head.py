"""A new vocabulary head is trained alone before the run."""

import json

import numpy as np
import pytest
import torch

import paralign
from paralign.batches.views import ViewsConfig
from paralign.encoder import Encoder
from paralign.training import CorpusBatches, TrainingConfig
from paralign.training.head import fit_head
from tests.training.runs import log_of, stopped_at


@pytest.fixture
def headless(make_encoder, tmp_path):
    """A folder of an encoder alone."""
    encoder = make_encoder()
    encoder.model.base_model.save_pretrained(tmp_path / "headless")
    encoder.tokenizer.save_pretrained(tmp_path / "headless")
    return tmp_path / "headless"


def batches_of(store, encoder):
    return CorpusBatches(store, encoder.template, ViewsConfig(), TrainingConfig(batch=12), longest=encoder.max_pieces)


def test_only_the_head_learns_and_its_loss_falls(headless, store):
    encoder = Encoder.from_pretrained(headless).train()
    assert encoder.head_is_new
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    batches = batches_of(store, encoder)
    losses = fit_head(encoder, batches, "joint", 80)
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    head = {id(parameter) for parameter in encoder.head_parameters()}
    own = {name for name, parameter in encoder.named_parameters() if id(parameter) in head}
    assert own
    for name, value in encoder.state_dict().items():
        if name not in own and "decoder.bias" not in name:
            assert torch.equal(value, before[name]), name
    assert encoder.training
    assert all(parameter.grad is None for parameter in encoder.parameters())


def test_the_dense_layer_starts_as_the_identity(headless, store):
    encoder = Encoder.from_pretrained(headless)
    first = fit_head(encoder, batches_of(store, encoder), "joint", 1)[0]
    again = Encoder.from_pretrained(headless).eval()
    masked = batches_of(store, again).batch(-1).view("joint")
    head = again.model.cls.predictions
    with torch.no_grad():
        states = head.transform.LayerNorm(torch.nn.functional.gelu(again.encode(masked).at(masked.masked)))
        logits = states @ again.embeddings.T + head.bias
        expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(masked.labels))
    assert first == pytest.approx(float(expected), rel=1e-5)


def test_a_head_that_was_loaded_is_kept(base, tmp_path):
    assert not Encoder.from_pretrained(base).head_is_new
    align(base, tmp_path / "run", "tlm-mini")
    assert [line for line in log_of(tmp_path / "run") if line.get("event") == "head"] == []


def align(model, out, recipe, **more):
    settings = ["training.steps=4", "training.batch=8", "training.head_steps=20", "training.checkpoint_every=2"]
    settings += ["moco.queue=40"] if recipe == "moco-mini" else []
    pairs = ["en-de=smallworld:0-60"]
    return paralign.align(str(model), pairs=pairs, recipe=recipe, out=out, quiet=True, overrides=settings, **more)


def test_it_is_trained_once_also_if_the_run_is_resumed(headless, tmp_path):
    whole = align(headless, tmp_path / "whole", "tlm-mini")
    with stopped_at(2):
        align(headless, tmp_path / "parts", "tlm-mini")
    parts = align(headless, tmp_path / "parts", "tlm-mini", resume=True)
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()
    lines = (tmp_path / "parts" / "log.jsonl").read_text().splitlines()
    (event,) = [line for line in map(json.loads, lines) if line.get("event") == "head"]
    assert event["steps"] == 20
    assert event["last_loss"] < event["first_loss"]


def test_the_head_of_a_real_encoder_is_learned_again(tmp_path):
    encoder = Encoder.from_pretrained("paralign-mini")
    encoder.model.base_model.save_pretrained(tmp_path / "alone")
    encoder.tokenizer.save_pretrained(tmp_path / "alone")
    settings = ["training.steps=1", "training.batch=8", "training.head_steps=40"]
    pairs = ["en-de=smallworld:0-300"]
    paralign.align(str(tmp_path / "alone"), pairs=pairs, recipe="tlm-mini", out=tmp_path / "run", quiet=True,
                   overrides=settings)  # fmt: skip
    (event,) = [line for line in log_of(tmp_path / "run") if line.get("event") == "head"]
    assert event["last_loss"] < event["first_loss"] - 0.5


def test_objectives_without_logits_need_no_head(headless, tmp_path):
    align(headless, tmp_path / "run", "moco-mini")
    assert [line for line in log_of(tmp_path / "run") if line.get("event") == "head"] == []


def test_the_dense_layer_of_bilingual_prediction_is_that_of_the_trained_head(headless, tmp_path, monkeypatch):
    from paralign.objectives.bilingual import BilingualPrediction

    seen = []
    prepare = BilingualPrediction.prepare

    def spy(self, encoder, *rest):
        before = self.dense.weight.clone()
        prepare(self, encoder, *rest)
        seen.append((before, self.dense.weight.clone(), encoder.head_dense().weight.clone()))

    monkeypatch.setattr(BilingualPrediction, "prepare", spy)
    align(headless, tmp_path / "run", "alignlm-mini")
    ((before, after, head),) = seen
    assert torch.equal(after, head)
    assert not torch.equal(before, after)
