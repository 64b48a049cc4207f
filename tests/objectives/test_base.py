"""Finding objectives, sharing views, and the spread of vectors."""

import pytest
import torch

from paralign.encoder.hidden_states import spread
from paralign.errors import UserError
from paralign.objectives import Objective, Step, find_objective
from paralign.runs.objectives import make_objectives
from paralign.runs.settings import run_settings
from paralign.training import Learner
from tests.objectives.batches import corpus


def learner(encoder, recipe, *overrides):
    config = run_settings(recipe, ["moco.queue=8", "moco.projection=8", *overrides] if "moco" in recipe else overrides)
    return Learner(encoder, make_objectives(config, encoder))


@pytest.mark.parametrize(
    ("recipe", "objectives"),
    [
        ("ppa", {"tlm", "moco"}),
        ("tlm", {"tlm"}),
        ("moco", {"moco"}),
        ("moco-mlm", {"moco", "mlm"}),
        ("mlm", {"mlm"}),
        ("pretrain", {"mlm"}),
    ],
)
def test_a_recipe_minimizes_what_it_names(recipe, objectives):
    assert set(run_settings(recipe).objectives) == objectives
    if recipe != "pretrain":
        assert set(run_settings(f"{recipe}-mini").objectives) == objectives


def test_the_recipes_of_the_paper_have_its_numbers():
    config = run_settings("ppa")
    training, moco = config.training, config.moco
    assert (training.batch, training.epochs, training.learning_rate, training.warmup) == (128, 10, 3e-5, 0.1)
    assert training.weight_decay == 0.01
    assert (moco.queue, moco.temperature, moco.momentum, moco.projection, moco.pool) == (
        32_000,
        0.05,
        0.999,
        300,
        "cls",
    )
    assert (config.data.min_pieces, config.data.max_pieces) == (10, 128)
    assert (config.views.mask_probability, config.views.mask_share, config.views.random_share) == (
        0.15,
        0.8,
        0.1,
    )
    assert config.views.shuffle


class First(Objective):
    """Reads first, as MoCo does."""

    name = "probe"
    reads = ("first", "joint")

    def counts(self, batch):
        return {"probe": 1}

    def forward(self, step):
        return {"probe": step.hidden("first").flat.sum() + step.hidden("joint").flat.sum()}


def test_a_view_that_several_objectives_read_is_encoded_once(store, make_encoder, monkeypatch):
    encoder = make_encoder()
    both = make_objectives(run_settings("ppa", ["moco.queue=8"]), encoder)
    module = Learner(encoder, both | {"probe": First(First.Config(), encoder)})
    seen = []
    original = type(encoder).encode_layers

    def spy(self, view, layers):
        seen.append((self is encoder, id(view)))
        return original(self, view, layers)

    monkeypatch.setattr(type(encoder), "encode_layers", spy)
    batch = corpus(store, encoder).batch(0)
    out = module(batch)
    assert set(out) == {"tlm", "moco", "probe"}
    wanted = [
        (True, id(batch.view("joint"))),
        (True, id(batch.view("first"))),
        (False, id(batch.view("second"))),
    ]
    assert sorted(seen) == sorted(wanted)


def test_sum_and_count_of_each_loss_and_their_weights(store, make_encoder):
    encoder = make_encoder()
    module = Learner(encoder, make_objectives(run_settings("ppa", ["moco.queue=8", "tlm.weight=0.25"]), encoder))
    batch = corpus(store, encoder).batch(0)
    assert module.counts(batch) == {"tlm": len(batch.view("joint").masked), "moco": 12}
    assert module.weights() == {"tlm": 0.25, "moco": 1.0}
    assert all(total.requires_grad and total.dim() == 0 for total in module(batch).values())


def test_without_a_reader_of_scores_the_vocabulary_head_is_not_trained(store, make_encoder):
    encoder = make_encoder()
    Learner(encoder, make_objectives(run_settings("moco", ["moco.queue=8"]), encoder))
    assert not any(p.requires_grad for p in encoder.head_parameters())
    assert all(p.requires_grad for p in encoder.base_parameters())
    other = make_encoder()
    Learner(other, make_objectives(run_settings("ppa", ["moco.queue=8"]), other))
    assert all(p.requires_grad for p in other.parameters())


def test_fresh_weights_come_from_the_runs_seed(make_encoder):
    encoder = make_encoder()

    def weights(seed):
        made = make_objectives(run_settings("moco", ["moco.queue=8", f"training.seed={seed}"]), encoder)
        return made["moco"].projection.inner.weight

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


class Nameless(Objective):
    def counts(self, batch):
        return {}

    def forward(self, step):
        return {}


class Data(Nameless):
    name = "data"


def test_an_objective_cannot_have_the_name_of_a_section():
    with pytest.raises(UserError, match=r"cannot be called 'data' \(a section of the settings has this name\)"):
        run_settings("tlm", [f'objectives=["{__name__}:Data"]'])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{__name__}:Nameless", "Nameless' has no name"),
        ("mocco", "did you mean 'moco'"),
        ("no_such_module:Class", "cannot import 'no_such_module'"),
        ("json:NoSuchClass", "has no 'NoSuchClass'"),
        ("json:JSONDecoder", "is not an objective"),
    ],
)
def test_classes_that_are_not_objectives_are_refused(name, message):
    with pytest.raises(UserError, match=message):
        find_objective(name)


@pytest.mark.parametrize(
    ("base", "missing"), [("Objective", "counts, forward"), ("GlobalObjective", "counts, identify, losses, represent")]
)
def test_a_class_without_its_methods_is_refused_before_the_run(base, missing, tmp_path, monkeypatch):
    imports = "from paralign.objectives.global_batch import GlobalObjective, Objective"
    text = f"{imports}\n\nclass Mine({base}):\n    name = 'mine'\n"
    (tmp_path / f"incomplete_{base.lower()}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=f"is not complete: implement {missing}"):
        find_objective(f"incomplete_{base.lower()}:Mine")


def test_a_name_that_cannot_be_a_section_is_refused(tmp_path, monkeypatch):
    text = "from paralign.objectives.mlm import MaskedLM\n\nclass Mine(MaskedLM):\n    name = 'my-own'\n"
    (tmp_path / "badly_named.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"has the name 'my-own' \(use letters, digits and underscores"):
        find_objective("badly_named:Mine")


def test_a_module_with_a_missing_import_is_reported(tmp_path, monkeypatch):
    (tmp_path / "broken_objective.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="no_such_dependency"):
        find_objective("broken_objective:Thing")


def test_spread_of_constructed_vectors():
    assert spread(torch.eye(4)) == {
        "mean_cosine": pytest.approx(0, abs=1e-6),
        "effective_rank": pytest.approx(3, rel=1e-4),  # centred: three equal singular values
    }
    collapsed = spread(torch.ones(5, 3))
    assert collapsed["mean_cosine"] == pytest.approx(1)
    assert collapsed["effective_rank"] == pytest.approx(1, abs=1e-3)
    assert spread(torch.tensor([[2.0, 0], [-3.0, 0]])) == {"mean_cosine": pytest.approx(-1)}
    assert "effective_rank" not in spread(torch.randn(3, 50))  # at most 2, as if they had collapsed
    assert spread(torch.ones(1, 3)) == {}


def test_a_step_hands_every_reader_the_same_states(store, encoder):
    step = Step(encoder, corpus(store, encoder).batch(0))
    with torch.no_grad():
        assert step.hidden("first") is step.hidden("first")
