"""Gradient cosines: those of explicitly computed gradients, and training is bit for bit the same."""

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM

from paralign.encoder import Encoder
from paralign.encoder.layers import layer_parameters
from paralign.errors import UserError
from paralign.objectives import Step
from paralign.report import write_report
from paralign.training import Learner
from paralign.training.gradient_cosine import gradient_cosines
from tests.report.reading import text_of
from tests.training.every_objective import make_trainer
from tests.training.runs import log_of, losses_of, module_bytes, stopped_at, trainer
from tests.training.test_two_processes import train

MIXTURE = ["mlm", "tlm", "moco", "in_batch", "word_contrastive", "word_l2", "self_training", "denoise_links", "anchor"]


def cosines_of(run):
    return {line["step"]: line["cosines"] for line in log_of(run) if line.get("event") == "gradient_cosine"}


def explicit(loss, encoder):
    """The gradient of one loss by layer, from a backward pass of its own."""
    encoder.zero_grad()
    loss.backward()
    groups = {name: np.concatenate([np.zeros(p.numel()) if p.grad is None else p.grad.double().numpy().ravel()
              for p in group]) for name, group in layer_parameters(encoder).items()}  # fmt: skip
    return groups | {"all": np.concatenate(list(groups.values()))}


def cosine(a, b):
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return None if norms == 0 else float(a @ b / norms)


def check(found, gradients):
    names = list(gradients)
    assert list(found) == [f"{a} {b}" for k, a in enumerate(names) for b in names[k + 1 :]]
    for pair, groups in found.items():
        first, second = pair.split()
        assert list(groups) == ["embeddings", "0", "1", "all"]
        for group, value in groups.items():
            wanted = cosine(gradients[first][group], gradients[second][group])
            assert value == (wanted if wanted is None else pytest.approx(wanted, abs=2e-4)), (pair, group)


def test_they_are_the_cosines_of_explicit_gradients(make_encoder, store, tmp_path):
    names = ["tlm", "moco", "in_batch", "word_l2", "self_training"]
    made = make_trainer(make_encoder(), store, tmp_path / "links", tmp_path / "run", names, gradient_cosine_every=2)
    for name in ("moco", "self_training"):
        made.learner.objectives[name].config = made.learner.objectives[name].config.model_copy(update={"layer": 1})
    batch, encoder = made.batches.batch(0), made.learner.encoder
    made.module.train()
    found = made.cosines.measure(made.learner(batch))
    gradients = {}
    for name in made.learner.weights():
        gradients[name] = explicit(made.learner(batch)[name], encoder)
    assert len(gradients) == 6  # word_l2 has two losses
    check(found, gradients)
    assert found["tlm moco"]["1"] is None  # the contrast reads layer 1 of 2, so the second layer has no gradient
    assert 0 < abs(found["tlm moco"]["0"]) < 1


def test_they_are_measured_on_the_first_slice(make_encoder, store, tmp_path):
    """A loss over the whole batch has there the gradient with respect to the vectors of the slice."""
    names, settings = ["tlm", "word_contrastive"], {"accumulate": 3, "gradient_cosine_every": 1}
    made = make_trainer(make_encoder(), store, tmp_path / "links", tmp_path / "run", names, steps=1, **settings)
    slices, encoder = made._slices(), made.learner.encoder
    objective = made.learner.objectives["word_contrastive"]
    made.module.train()

    def contrast():
        vectors = [objective.represent(Step(encoder, batch)) for batch in slices]
        every = torch.cat([vectors[0], *(other.detach() for other in vectors[1:])])
        return objective.losses(every, np.concatenate([objective.identify(batch) for batch in slices])).sum()

    alone = Learner(encoder, {"tlm": made.learner.objectives["tlm"]}).train()
    gradients = {
        "tlm": explicit(alone(slices[0])["tlm"], encoder),
        "word_contrastive": explicit(contrast(), encoder),
    }
    encoder.zero_grad()
    made.train()
    check(cosines_of(tmp_path / "run")[1], gradients)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_training_is_the_same_with_and_without(accumulate, make_encoder, store, tmp_path):
    """With dropout; MoCo's queue and moving averages are part of the checkpoint."""
    initial = make_encoder(dropout=0.0).model.state_dict()
    for name, every in (("plain", 0), ("measured", 1)):
        encoder = make_encoder(dropout=0.0)
        encoder.model.load_state_dict(initial)
        settings = {"gradient_cosine_every": every, "accumulate": accumulate, "steps": 4, "dropout": 0.2}
        made = make_trainer(encoder, store, tmp_path / "links", tmp_path / name, MIXTURE, **settings)
        for part in made.learner.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.2
        made.train()
    plain, measured = tmp_path / "plain", tmp_path / "measured"
    assert losses_of(plain) == losses_of(measured)
    assert module_bytes(plain, 4) == module_bytes(measured, 4)
    assert [line for line in log_of(measured) if "cosines" not in line] == log_of(plain)
    assert set(cosines_of(measured)) == {1, 2, 3, 4}
    assert not cosines_of(plain)


def test_a_resumed_run_has_the_same_log(make_encoder, store, tmp_path):
    make_encoder(dropout=0.1).save_pretrained(tmp_path / "base")

    def run(name, resume=False):
        encoder = Encoder.from_pretrained(tmp_path / "base")
        trainer(encoder, store, tmp_path / name, gradient_cosine_every=3).train(resume=resume)

    run("whole")
    with stopped_at(5):
        run("parts")
    run("parts", resume=True)
    assert log_of(tmp_path / "whole") == log_of(tmp_path / "parts")
    assert set(cosines_of(tmp_path / "whole")) == {3, 6, 9}


def test_gradient_checkpointing_changes_nothing(make_encoder, store, tmp_path):
    initial = make_encoder(dropout=0.0).model.state_dict()
    found = []
    for checkpointing in (False, True):
        encoder = make_encoder(dropout=0.0)
        encoder.model.load_state_dict(initial)
        run = tmp_path / str(checkpointing)
        settings = {"gradient_cosine_every": 1, "steps": 1, "gradient_checkpointing": checkpointing}
        trainer(encoder, store, run, **settings).train()
        found.append(cosines_of(run)[1]["tlm moco"])
    assert found[0] == pytest.approx(found[1], abs=2e-4)


@pytest.mark.slow
def test_two_processes_train_the_same_with_and_without(make_encoder, store, tmp_path):
    make_encoder(dropout=0.0).save_pretrained(tmp_path / "base")
    plain, before = train(tmp_path / "base", store, tmp_path / "plain", 2, 2)
    measured, after = train(tmp_path / "base", store, tmp_path / "measured", 2, 2, "cosines")
    assert plain == measured
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert set(cosines_of(tmp_path / "measured")) == {1, 2}


def test_nothing_is_measured_when_off(make_encoder, store, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a gradient was computed")

    made = trainer(make_encoder(), store, tmp_path / "run", steps=2)
    monkeypatch.setattr(torch.autograd, "grad", refuse)
    made.train()
    assert not cosines_of(tmp_path / "run")


def test_planted_angles():
    x, y = (torch.nn.Parameter(torch.tensor([1.0, 1.0])) for _ in range(2))
    fixed = torch.nn.Parameter(torch.ones(1), requires_grad=False)
    losses = {"a": x[0] + 5 * y[0], "b": -2 * x[0] + y[1], "c": (x * x).sum(), "none": torch.zeros(())}
    found = gradient_cosines(losses, {"x": [x, fixed], "y": [y]})
    assert found["a b"] == {"x": -1.0, "y": 0.0, "all": pytest.approx(-2 / np.sqrt(26 * 5), abs=1e-4)}
    assert found["a c"] == {
        "x": pytest.approx(np.sqrt(0.5), abs=1e-4),
        "y": None,
        "all": pytest.approx(2 / np.sqrt(26 * 8), abs=1e-4),
    }
    assert found["a none"] == {"x": None, "y": None, "all": None}
    assert x.grad is None


@pytest.mark.parametrize(
    ("recipe", "more", "message"),
    [
        ("tlm", {}, "this run has only one"),
        ("ppa", {"shard": True}, "cannot be combined with shard"),
        ("ppa", {"compile": True}, "cannot be combined with compile"),
    ],
)
def test_what_cannot_be_measured_is_refused(recipe, more, message, make_encoder, store, tmp_path):
    with pytest.raises(UserError, match=message):
        trainer(make_encoder(), store, tmp_path / "run", objectives=recipe, gradient_cosine_every=5, **more)


def test_layers_that_share_weights_are_one_group(tokenizer):
    config = AutoConfig.for_model("albert", hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                                  intermediate_size=32, embedding_size=32, vocab_size=len(tokenizer))  # fmt: skip
    groups = layer_parameters(Encoder(AutoModelForMaskedLM.from_config(config), tokenizer))
    assert set(groups) == {"embeddings", "layers"}
    assert all(groups.values())


def test_the_report_shows_them_by_step_and_by_layer(make_encoder, store, tmp_path):
    run = tmp_path / "run"
    trainer(make_encoder(), store, run, steps=3, gradient_cosine_every=1).train()
    page, words = text_of(write_report([run], tmp_path / "page.html"))
    assert "Gradient cosines" in words
    cosines = [step["tlm moco"] for step in cosines_of(run).values()]
    (table,) = [rows for rows in page.tables.values() if any(row[0] == "run, tlm and moco" for row in rows)]
    assert table[0][1:] == ["embeddings", "0", "1", "all"]
    means = [sum(step[group] for step in cosines) / 3 for group in table[0][1:]]
    assert table[1][1:] == [f"{mean:.2f}".replace("-", "−") for mean in means]
    assert "tlm and moco" in [attrs["aria-label"].split(":")[0] for tag, attrs in page.tags if tag == "figure"]
