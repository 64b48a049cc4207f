"""Slices and processes change neither losses nor gradients of any registered objective; slices change no metric."""

import copy

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

from paralign.objectives import OBJECTIVES
from tests.training.every_objective import LAYERED, NAMES, make_trainer
from tests.training.runs import losses_of, module_bytes, stopped_at
from tests.training.test_two_processes import train


def losses_and_gradients(made):
    made.module.train()
    made.prepare_objectives()
    kept = {}

    def keep():
        kept.update({n: p.grad.clone() for n, p in made.learner.named_parameters() if p.grad is not None})

    made.optimizer.step = keep
    losses, _, _ = made._optimize(made._slices())
    return losses, kept


@pytest.mark.parametrize(("name", "lower"), [*((name, ()) for name in NAMES), *((name, (name,)) for name in LAYERED)])
def test_slices_have_the_losses_gradients_and_metrics_of_the_batch(name, lower, make_encoder, store, tmp_path):
    outcomes = []
    for parts in (1, 3, 12):
        run = tmp_path / str(parts)
        made = make_trainer(
            make_encoder(), store, tmp_path / "links", run, [name], lower=lower, accumulate=parts, clip=1e9
        )
        outcomes.append((*losses_and_gradients(made), made.learner.metrics()))
    (losses, gradients, metrics), *others = outcomes
    assert all(losses.values())
    assert gradients
    for other_losses, other_gradients, other_metrics in others:
        assert other_losses == pytest.approx(losses, rel=1e-5, abs=1e-6)
        assert other_metrics == pytest.approx(metrics, rel=1e-3)
        assert gradients.keys() == other_gradients.keys()
        for parameter, value in gradients.items():
            torch.testing.assert_close(value, other_gradients[parameter], atol=5e-6, rtol=1e-4, msg=parameter)


def test_a_step_of_all_objectives_is_the_sum_of_their_steps(make_encoder, store, tmp_path):
    """At two layers, although the views are encoded only once."""
    links, settings = tmp_path / "links", {"clip": 1e9, "batch": 24}
    together = make_trainer(make_encoder(), store, links, tmp_path / "all", **settings)
    objectives = copy.deepcopy(dict(together.learner.objectives))
    weights = {name: value.detach().clone() for name, value in together.learner.encoder.named_parameters()}
    losses, gradients = losses_and_gradients(together)
    summed: dict[str, torch.Tensor] = {}
    for name in NAMES:
        alone = make_trainer(make_encoder(), store, links, tmp_path / name, [name], **settings)
        alone.learner.objectives[name] = objectives[name]  # with the same weights
        with torch.no_grad():
            for parameter, value in alone.learner.encoder.named_parameters():
                value.copy_(weights[parameter])
        own, found = losses_and_gradients(alone)
        assert own == pytest.approx({key: losses[key] for key in own}, rel=1e-5, abs=1e-6)
        for parameter, value in found.items():
            summed[parameter] = summed.get(parameter, torch.zeros(())) + value
    assert summed.keys() == gradients.keys()
    for parameter, value in gradients.items():
        close = {"rtol": 1e-4, "atol": 5e-6 * max(1, float(value.abs().max()))}
        torch.testing.assert_close(value, summed[parameter], **close, msg=parameter)


@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_run_of_each_objective_resumes_to_the_same_bytes(name, make_encoder, store, tmp_path):
    def run(folder, **more):
        settings = {"steps": 5, "checkpoint_every": 2}
        made = make_trainer(make_encoder(), store, tmp_path / "links", tmp_path / folder, [name], **settings)
        for part in made.learner.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.1
        made.train(**more)

    run("whole")
    with stopped_at(2):
        run("stopped")
    run("stopped", resume=True)
    assert losses_of(tmp_path / "stopped") == losses_of(tmp_path / "whole")
    assert module_bytes(tmp_path / "stopped", 5) == module_bytes(tmp_path / "whole", 5)


@pytest.mark.parametrize("ranks", [1, 2])
def test_slices_hold_the_batch_sorted_by_the_length_of_the_first_side(ranks, make_encoder, store, tmp_path):
    made = make_trainer(make_encoder(), store, tmp_path / "links", tmp_path / "run", ["tlm"], batch=24, accumulate=4)
    batch = made.batches.batch(0)
    lengths = dict(zip(batch.ids.tolist(), batch.view("first").lengths.tolist(), strict=True))
    seen, made.ranks = [], ranks
    for made.rank in range(ranks):
        slices = made._slices()
        assert [part.size for part in slices] == [24 // ranks // 4] * 4
        for part in slices:
            assert part.ids.tolist() == batch.ids[part.positions].tolist()
            assert part.view("first").lengths.tolist() == [lengths[record] for record in part.ids.tolist()]
        order = [lengths[record] for part in slices for record in part.ids.tolist()]
        assert order == sorted(lengths[record] for record in batch.ids[made.rank :: ranks].tolist())
        seen += [position for part in slices for position in part.positions.tolist()]
    assert sorted(seen) == list(range(24))


@pytest.fixture(scope="module")
def one_process(tmp_path_factory):
    """A process group of one process: DistributedDataParallel checks the same as in several."""
    store = torch.distributed.FileStore(str(tmp_path_factory.mktemp("group") / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_an_objective_alone_need_not_reach_all_weights(name, one_process, make_encoder, store, tmp_path):
    """`bilingual` reads no head, `static` no layer: in several processes the next step must not wait for them."""
    made = make_trainer(make_encoder(), store, tmp_path / "links", tmp_path / "run", [name])
    made.module = DistributedDataParallel(made.learner, **made.accelerator.ddp_handler.to_kwargs())
    made.module.train()
    made.prepare_objectives()
    for _ in range(2):
        assert all(made._optimize(made._slices())[0].values())


def test_dropout_is_the_same_in_both_passes(make_encoder, store, tmp_path):
    """With other random numbers, the gradient would belong to other vectors than those of the loss."""
    seen = []
    made = make_trainer(make_encoder(), store, tmp_path / "links", tmp_path / "run", accumulate=3)
    for part in made.learner.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.1
    objective = made.learner.objectives["word_contrastive"]
    represent = objective.represent
    objective.represent = lambda step: seen.append(represent(step)) or seen[-1]
    losses_and_gradients(made)
    assert [vectors.requires_grad for vectors in seen] == [False, False, True, True, True]  # the first slice only once
    for first, second in zip(seen[:2], seen[3:], strict=True):
        assert torch.equal(first, second.detach())
    assert not torch.equal(seen[0][:5], seen[1][:5])


def test_two_processes_train_all_objectives_as_one(make_encoder, store, tmp_path):
    """With complete and with sharded weights."""
    make_encoder(dropout=0.0).save_pretrained(tmp_path / "base")
    one, alone = train(tmp_path / "base", store, tmp_path / "one", 2, 1, "all")
    for more in ([], ["shard"]):
        run = tmp_path / "-".join(["two", *more])
        two, together = train(tmp_path / "base", store, run, 2, 2, "all", *more)
        assert len(one) == len(two) == 2
        for a, b in zip(one, two, strict=True):
            assert a == pytest.approx(b, abs=1e-5, rel=1e-5)
        for name, value in alone.items():
            torch.testing.assert_close(value, together[name], atol=1e-4, rtol=0, msg=f"{name} {more}")
