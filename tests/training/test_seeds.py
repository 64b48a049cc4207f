"""Random numbers differ wherever they should: between seeds, steps, slices and processes."""

import itertools

import numpy as np
import pytest
import torch

from paralign.commands.arguments import as_overrides
from paralign.commands.finetune import FinetuneRequest, prepare_finetune
from paralign.encoder.layers import layer_hashes
from paralign.runs.finetune_settings import FinetuneData
from paralign.runs.options import RunOptions
from tests.commands.inference import NLI
from tests.training.runs import trainer


class SameBatch:
    """Batches in which every slice of every step is the same, so that only random numbers differ."""

    def __init__(self, batches):
        self._slice = batches.batch(0, 0, 4)
        self.size, self.records = batches.size, batches.records
        self.steps_per_epoch, self.fingerprint = batches.steps_per_epoch, batches.fingerprint

    def slices(self, step, part, parts, count):
        return [self._slice] * count


def losses(made, *, steps, rank=0, accumulate=3):
    """Return the loss of every slice of the first steps, with a learning rate of 0."""
    made.batches, made.rank = SameBatch(made.batches), rank
    made.config = made.config.model_copy(update={"learning_rate": 0.0, "accumulate": accumulate})
    made.module.train()
    seen = []
    with made.module.register_forward_hook(lambda module, inputs, out: seen.append(out["tlm"].item())):
        for _ in range(steps):
            made.train_step()
    assert len(seen) == steps * accumulate
    return seen


@pytest.mark.parametrize("rank", [0, 1])
def test_slices_steps_ranks_and_seeds_have_different_dropout(make_encoder, store, tmp_path, rank):
    encoder = make_encoder(dropout=0.3)
    seen = []
    batches = trainer(encoder, store, tmp_path / "batches", objectives="tlm").batches
    for seed in (0, 1):
        made = trainer(encoder, store, tmp_path / f"{seed}", objectives="tlm", seed=seed)
        for process in (0, 1):
            made.batches, made.step = batches, 0
            seen += losses(made, steps=3, rank=process)
    assert len(set(seen)) == len(seen) == 2 * 2 * 3 * 3
    # The differences are those of dropout alone, and they are a function of seed, step and slice.
    again = trainer(encoder, store, tmp_path / "again", objectives="tlm", seed=0)
    assert losses(again, steps=3, rank=rank) == seen[9 * rank : 9 * (rank + 1)]
    without = trainer(make_encoder(dropout=0.0), store, tmp_path / "without", objectives="tlm")
    assert len(set(losses(without, steps=2))) == 1


def test_views_of_a_batch_have_different_dropout(make_encoder, store, tmp_path):
    """One sentence twice in a batch: as PPA's queries and keys."""
    encoder = make_encoder(dropout=0.3).train()
    view = trainer(encoder, store, tmp_path, objectives="tlm").batches.batch(0).view("first")
    once, twice = (states.flat for (states,) in encoder.encode_views([(view, [encoder.layers])] * 2))
    assert not torch.allclose(once, twice)


def test_objectives_prepare_with_a_seed_for_each_process_and_run(make_encoder, store, tmp_path):
    seeds = []
    for seed, rank in itertools.product((0, 1), (0, 1)):
        made = trainer(make_encoder(), store, tmp_path / f"{seed}-{rank}", seed=seed)
        made.rank = rank
        made.learner.objectives["moco"].prepare = lambda *args: seeds.append(torch.initial_seed())
        made.prepare_objectives()
    assert len(set(seeds)) == 4


def test_a_seed_of_alignment_has_its_own_new_weights_masks_and_order(make_encoder, store, tmp_path):
    encoder = make_encoder()
    made = [trainer(encoder, store, tmp_path / f"{seed}", seed=seed) for seed in (0, 1, 2)]
    new = [run.learner.objectives["moco"] for run in made]
    for one, other in itertools.combinations(new, 2):
        assert not torch.equal(one.projection.inner.weight, other.projection.inner.weight)
        assert not torch.equal(one.queue, other.queue)
    assert len({tuple(run.batches.batch(0).ids.tolist()) for run in made}) == 3
    fixed = np.arange(12)
    masks, coins = set(), set()
    for run in made:
        batch = run.batches.batch(0)
        batch.ids, batch._keys = fixed, fixed  # the same records: what differs is the seed
        masks.add(batch.view("text").masked.tobytes())
    for run, epoch in itertools.product(made, (0, 1)):
        batch = run.batches.batch(epoch * run.batches.steps_per_epoch)
        coins.add(batch._stream)
    assert len(masks) == 3
    assert len(coins) == 6


@pytest.fixture(scope="module")
def prepared(base, tmp_path_factory):
    """For seeds 0 to 2 of fine-tuning: head, hashes of layers, first batch, few-shot examples."""
    data = FinetuneData(["en=smallworld:0-60", "de=smallworld:0-60"], ["de=smallworld:200-210"], target_examples=8)
    options = RunOptions(tmp_path_factory.mktemp("seeds") / "run", quiet=True)
    run = prepare_finetune(
        options, FinetuneRequest(str(base), "nli", data, 3, None, [*as_overrides(NLI), "layers.reset=0-1"])
    )
    run.begin()
    facts = []
    for seed in run.seeds:
        head, made = run.prepare_seed(seed)
        facts.append(
            {
                "head": tuple(parameter.detach().flatten().tolist()[0] for parameter in head.parameters()),
                "layers": layer_hashes(run.encoder),
                "batch": tuple(made.batches.batch(0).ids.tolist()),
                "examples": tuple(item.first for item in run.sets.sampled_sets(seed)[1]),
                "data": made.batches.fingerprint,
                "seed": made.config.seed,
            }
        )
    return facts


def test_seeds_of_fine_tuning_have_their_own_heads(prepared):
    assert len({facts["head"][0] for facts in prepared}) == 3


def test_seeds_of_fine_tuning_have_their_own_few_shot_examples(prepared):
    assert len({facts["examples"] for facts in prepared}) == 3
    assert {len(facts["examples"]) for facts in prepared} == {8}
    assert len({facts["data"] for facts in prepared}) == 3  # they are what is trained on


def test_seeds_of_fine_tuning_have_their_own_order_and_dropout(prepared):
    assert len({facts["batch"] for facts in prepared}) == 3
    assert [facts["seed"] for facts in prepared] == [0, 1, 2]  # the loop derives dropout from it


def test_seeds_of_fine_tuning_and_layers_have_their_own_reinitialized_weights(prepared):
    reset = [facts["layers"][layer] for facts in prepared for layer in ("0", "1")]
    assert len(set(reset)) == 6
    assert len({facts["layers"]["embeddings"] for facts in prepared}) == 1
