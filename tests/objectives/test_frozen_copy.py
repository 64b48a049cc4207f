"""Objectives that compare with the initial encoder share one copy of it."""

import pytest
import torch
from safetensors.torch import load_file
from torch import optim

import paralign
from paralign.batches.views import ViewsConfig
from paralign.corpus.link_store import write_link_store
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.objectives import Step
from paralign.objectives.frozen_copy import frozen_copy
from paralign.training import CorpusBatches, Learner, TrainingConfig, checkpoint, memory
from tests.objectives.test_pair_objectives import objective
from tests.objectives.test_word_alignment import links_of

NAMES = ("anchor", "word_anchor", "distill", "word_l2")


@pytest.fixture
def batch(store, encoder, tmp_path):
    links = write_link_store(store, links_of(store), tmp_path / "links")
    batches = CorpusBatches(
        store, encoder.template, ViewsConfig(), TrainingConfig(batch=8), longest=encoder.max_pieces, links=links
    )
    return batches.batch(2)


def learner_of(encoder):
    settings = {"word_l2": {"anchor": 1.0}}
    return Learner(encoder, {name: objective(name, encoder, **settings.get(name, {})) for name in NAMES})


def test_a_learner_has_one_copy_which_is_not_trained(make_encoder):
    encoder = make_encoder()
    learner = learner_of(encoder)
    assert len(learner.encoders()) == 2
    copy = frozen_copy(encoder)
    assert copy is learner.objectives["anchor"].initial is learner.objectives["distill"].teacher
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    assert learner.objectives["anchor"].initial is not objective("moco", encoder, queue=8).momentum_encoder


def test_losses_are_those_of_objectives_with_copies_of_their_own(make_encoder, batch):
    encoder = make_encoder().eval()
    learner = learner_of(encoder).eval()
    alone = [Learner(encoder, {name: part}) for name, part in learner_of(make_encoder().eval()).objectives.items()]
    assert [part.encoders()[1] is not learner.encoders()[1] for part in alone] == [True] * 4
    with torch.no_grad():
        encoder.embeddings.mul_(1.5)
        together = learner(batch)
        for part in alone:
            (single,) = part.objectives_by_name().values()
            for name, value in single(Step(encoder, batch)).items():
                assert float(value) > 0 or name == "word_l2_anchor"
                assert float(together[name]) == pytest.approx(float(value), rel=1e-6)


def test_an_encoder_that_has_changed_is_copied_again(make_encoder):
    encoder = make_encoder()
    before = frozen_copy(encoder)
    assert frozen_copy(encoder) is before
    with torch.no_grad():
        encoder.embeddings[3] += 1
    after = frozen_copy(encoder)
    assert after is not before
    assert torch.equal(after.embeddings, encoder.embeddings)
    assert not torch.equal(before.embeddings, encoder.embeddings)
    assert frozen_copy(make_encoder()) is not before


@pytest.mark.parametrize("with_copy", [False, True])
def test_a_checkpoint_does_not_contain_the_copy_but_earlier_ones_may(make_encoder, tmp_path, with_copy):
    learner = learner_of(make_encoder(seed=3))
    frozen_copy(learner.encoder).in_checkpoints = with_copy
    with torch.no_grad():
        learner.encoder.embeddings.mul_(1.5)  # training
    saved = checkpoint.save(tmp_path, 1, learner, optim.SGD(learner.parameters()), {})
    stored = load_file(saved / "module.safetensors")
    assert any(name.startswith("objectives.") for name in stored) == with_copy
    other = learner_of(make_encoder(seed=3))
    checkpoint.load(saved, other, optim.SGD(other.parameters()))
    for name, value in learner.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_copies_that_are_not_on_the_accelerator_yet_count_as_memory(make_encoder, monkeypatch):
    encoder = make_encoder()
    learner = learner_of(encoder)
    trained = sum(p.numel() for p in encoder.parameters() if p.requires_grad)
    weights = encoder.parameter_count() + frozen_copy(encoder).parameter_count()
    free = {"bytes": 12 * trained + 4 * weights}
    monkeypatch.setattr(memory, "free_memory", lambda device: free["bytes"])
    memory.check_memory(learner, torch.device("cuda"))
    free["bytes"] -= 1
    with pytest.raises(UserError, match="not enough memory: 0 M weights with gradients and Adam's moments of 0 M"):
        memory.check_memory(learner, torch.device("cuda"))
    memory.check_memory(learner, torch.device("cpu"))  # where they are, and no longer free


@pytest.mark.parametrize(
    ("setting", "message"),
    [("teacher_layer=9", "there is no layer 9"), ("teacher=/nowhere/teacher", "/nowhere/teacher: no such model")],
)
def test_a_teacher_that_cannot_be_used_is_refused_before_any_work(base, tmp_path, monkeypatch, setting, message):
    monkeypatch.setattr("paralign.runs.training_data.open_corpus", lambda *_, **__: pytest.fail("text was read"))
    with pytest.raises(UserError, match=message):
        paralign.align(
            str(base), pairs="en-de=smallworld:0-60", recipe="distill", overrides=[f"distill.{setting}"],
            out=tmp_path / "run", quiet=True,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


def test_too_little_memory_for_copies_is_reported_before_any_work(base, tmp_path, monkeypatch):
    weights = Encoder.from_pretrained(base).parameter_count()
    monkeypatch.setattr(memory, "free_memory", lambda device: 16 * weights + 100)
    monkeypatch.setattr("paralign.runs.train.best_device", lambda: torch.device("cuda"))
    monkeypatch.setattr("paralign.runs.training_data.open_corpus", lambda *_, **__: pytest.fail("text was read"))
    settings = {"objectives": ["tlm", "anchor"]}
    with pytest.raises(UserError, match="not enough memory"):
        paralign.align(
            str(base), pairs="en-de=smallworld:0-60", recipe="tlm", settings=settings, out=tmp_path / "run", quiet=True
        )
    assert not (tmp_path / "run").exists()
