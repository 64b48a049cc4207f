"""A new vocabulary head is trained alone before the run."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM

import paralign
from paralign.batches.views import ViewsConfig
from paralign.encoder import Encoder
from paralign.training import CorpusBatches, TrainingConfig, head, probe
from paralign.training.head import fit_head
from paralign.training.log import ProgressLine
from tests.encoder import family_models
from tests.training.runs import log_of, stopped_at, trainer


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
    trained = {id(parameter) for parameter in encoder.head_parameters()}
    own = {name for name, parameter in encoder.named_parameters() if id(parameter) in trained}
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


CONFIGS = {
    "xlm": {"emb_dim": 32, "n_layers": 2, "n_heads": 2, "max_position_embeddings": 140},
    "luke": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
             "max_position_embeddings": 140, "entity_vocab_size": 9, "entity_emb_size": 8},
}  # fmt: skip


@pytest.mark.parametrize("family", ["modernbert", "electra", "xlm", "luke"])
def test_heads_of_other_kinds_learn(family, tokenizer, store, tmp_path):
    if family in CONFIGS:
        config = AutoConfig.for_model(
            family, **CONFIGS[family], vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id
        )
        model = AutoModelForMaskedLM.from_config(config)
    else:
        model = family_models.made(family, tokenizer, max_position_embeddings=140)
    family_models.save(model.base_model, tokenizer, tmp_path / "alone")
    encoder = Encoder.from_pretrained(tmp_path / "alone")
    assert encoder.head_is_new
    batches = batches_of(store, encoder)
    repeated = SimpleNamespace(batch=lambda step, part, parts: batches.batch(-1, part, parts))
    losses = fit_head(encoder, repeated, "text", 20)
    assert losses[-1] < losses[0] - 0.01


def test_slices_of_a_batch_give_the_same_head(headless, store):
    fitted, notes = [], []
    for slices in (1, 3):
        encoder = Encoder.from_pretrained(headless)
        losses = fit_head(encoder, batches_of(store, encoder), "joint", 5, slices=slices, progress=notes.append)
        fitted.append((losses, encoder.head_parameters()))
    assert fitted[0][0] == pytest.approx(fitted[1][0], rel=1e-5)
    for whole, sliced in zip(fitted[0][1], fitted[1][1], strict=True):
        torch.testing.assert_close(whole, sliced, atol=1e-5, rtol=0)
    assert notes[-1] == f"new vocabulary head: step 5 of 5, loss {losses[-1]:.2f}"


def test_a_batch_without_masked_pieces_has_no_loss(headless, store):
    encoder = Encoder.from_pretrained(headless)
    batches = batches_of(store, encoder)
    view = batches.batch(-1).view("joint")
    none = replace(view, masked=view.masked[:0], labels=view.labels[:0])
    empty = SimpleNamespace(batch=lambda step, part, parts: SimpleNamespace(view=lambda name: none))
    assert fit_head(encoder, empty, "joint", 2) == [0, 0]


def test_the_user_sees_that_the_head_is_trained(headless, tmp_path, monkeypatch):
    notes = []
    monkeypatch.setattr(ProgressLine, "update", lambda self, done, note="": notes.append((done, note)))
    align(headless, tmp_path / "run", "tlm-mini")
    assert notes[0][1].startswith("new vocabulary head: step 1 of 20")
    assert [note for done, note in notes if done == 0][-1].startswith("new vocabulary head trained alone: loss ")


def test_a_dry_run_counts_the_training_of_the_head(headless, base, store, tmp_path, monkeypatch):
    clock = [0.0]
    fit = head.fit_head

    def slow(*given, **more):
        clock[0] += 2 * given[3]  # seconds for each step
        return fit(*given, **more)

    monkeypatch.setattr(head, "fit_head", slow)
    monkeypatch.setattr(probe, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    for folder, seconds in ((headless, 100), (base, 0)):
        made = trainer(Encoder.from_pretrained(folder), store, tmp_path / "run", objectives="tlm-mini", head_steps=50)
        assert probe.probe(made).prepare == seconds


def test_a_head_that_was_loaded_is_kept(base, tmp_path):
    assert not Encoder.from_pretrained(base).head_is_new
    align(base, tmp_path / "run", "tlm-mini")
    assert [line for line in log_of(tmp_path / "run") if line.get("event") == "head"] == []


def align(model, out, recipe, *, more=(), **given):
    settings = ["training.steps=4", "training.batch=8", "training.head_steps=20", "training.checkpoint_every=2"]
    settings += ["moco.queue=40"] if recipe == "moco-mini" else []
    pairs = ["en-de=smallworld:0-60"]
    return paralign.align(str(model), pairs=pairs, recipe=recipe, out=out, quiet=True,
                          overrides=[*settings, *more], **given)  # fmt: skip


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


@pytest.mark.parametrize("weights", ["fp32", "fp16"])
def test_an_untrained_head_is_not_saved_and_is_trained_when_it_is_needed(weights, headless, tmp_path):
    kept = align(headless, tmp_path / "kept", "moco-mini", more=[f"weights={weights}"])
    assert not [name for name in load_file(kept / "model.safetensors") if name.startswith("cls.")]
    encoder = Encoder.from_pretrained(kept)
    assert encoder.head_is_new
    assert encoder.digest() == json.loads((tmp_path / "kept" / "run.json").read_text())["model_hash"]
    AutoModel.from_pretrained(kept)
    trained = align(kept, tmp_path / "trained", "tlm-mini", more=[f"weights={weights}"])
    assert [line["steps"] for line in log_of(tmp_path / "trained") if line.get("event") == "head"] == [20]
    assert not Encoder.from_pretrained(trained).head_is_new
    again = align(trained, tmp_path / "again", "tlm-mini")
    assert [line for line in log_of(tmp_path / "again") if line.get("event") == "head"] == []
    assert not Encoder.from_pretrained(again).head_is_new


def test_the_trained_head_of_a_checkpoint_is_kept(headless, tmp_path):
    align(headless, tmp_path / "first", "tlm-mini")
    checkpoint = tmp_path / "first" / "checkpoints" / "step-00000004"
    align(headless, tmp_path / "second", "tlm-mini", from_checkpoint=checkpoint)
    assert [line for line in log_of(tmp_path / "second") if line.get("event") == "head"] == []
    align(headless, tmp_path / "moco", "moco-mini")
    untrained = tmp_path / "moco" / "checkpoints" / "step-00000004"
    align(headless, tmp_path / "third", "tlm-mini", from_checkpoint=untrained)
    assert [line["steps"] for line in log_of(tmp_path / "third") if line.get("event") == "head"] == [20]


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
