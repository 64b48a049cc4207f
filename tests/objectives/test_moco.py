"""Momentum contrast against closed forms and slow loops."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from paralign.objectives import Step
from paralign.objectives.moco import MoCoConfig, MomentumContrast, _text_ids, contrastive_loss
from tests.objectives.batches import alone, corpus
from tests.oracles.moco_loops import equation_1, equation_3


def vectors(*sizes: int, seed: int = 0) -> list[torch.Tensor]:
    made = torch.Generator().manual_seed(seed)
    return [F.normalize(torch.randn(size, 6, generator=made, dtype=torch.float64), dim=1) for size in sizes]


def moco(encoder, **config) -> MomentumContrast:
    torch.manual_seed(4)
    return MomentumContrast(MoCoConfig(**{"queue": 10, "projection": 8} | config), encoder)


# -- the loss


def test_the_loss_is_cross_entropy_over_the_positive_and_the_queue():
    q, k, queue = vectors(5, 5, 7)
    scores = torch.cat([(q * k).sum(1, keepdim=True), q @ queue.T], 1) / 0.05
    wanted = F.cross_entropy(scores, torch.zeros(5, dtype=torch.int64), reduction="none")
    loss, best = contrastive_loss(q, k, queue)
    torch.testing.assert_close(loss, wanted)
    assert best.tolist() == (scores.argmax(1) == 0).tolist()


def test_without_the_positive_below_it_is_equation_3_as_printed():
    q, k, queue = vectors(5, 5, 7, seed=1)
    loss, _ = contrastive_loss(q, k, queue, positive_in_denominator=False, temperature=0.3)
    wanted = [equation_3(a, b, queue.tolist(), 0.3) for a, b in zip(q.tolist(), k.tolist(), strict=True)]
    assert loss.tolist() == pytest.approx(wanted)


@given(st.integers(1, 40))
def test_a_queue_of_keys_equal_to_the_positive_gives_log_k_plus_1(size):
    q, k = vectors(3, 1)
    # Which of equal similarities is the greatest is a matter of rounding, so only the loss is tested.
    loss, _ = contrastive_loss(q, k.expand(3, -1), k.expand(size, -1))
    assert loss.tolist() == pytest.approx([math.log(size + 1)] * 3)


def test_keys_of_the_own_pair_count_for_nothing():
    q, k, queue = vectors(4, 4, 6)
    same = torch.zeros(4, 6, dtype=torch.bool)
    same[1, 2] = same[1, 5] = True
    loss, _ = contrastive_loss(q, k, queue, excluded=same)
    wanted, _ = contrastive_loss(q[1:2], k[1:2], queue[[0, 1, 3, 4]])
    torch.testing.assert_close(loss[1:2], wanted)
    untouched, _ = contrastive_loss(q, k, queue)
    torch.testing.assert_close(loss[[0, 2, 3]], untouched[[0, 2, 3]])


def test_chance_is_the_loss_of_equal_scores(encoder):
    assert moco(encoder).chance() == {"moco": pytest.approx(math.log(11))}
    assert moco(encoder, positive_in_denominator=False).chance() == {"moco": pytest.approx(math.log(10))}


# -- the vectors


@pytest.mark.parametrize("pool", ["cls", "mean"])
@pytest.mark.parametrize("normalized", [True, False])
def test_the_loss_follows_equations_2_and_3_from_the_models_own_states(pool, normalized, store, encoder):
    objective = moco(encoder, pool=pool, normalize_projection=normalized, temperature=0.2)
    with torch.no_grad():  # a key side unlike the query side, so that a mix-up shows
        for parameter in objective.momentum_encoder.parameters():
            parameter.mul_(1.1)
        objective.momentum_projection.inner.weight.mul_(-0.5)
    objective.momentum_encoder.dropout = 0
    batch = corpus(store, encoder).batch(2)
    with torch.no_grad():
        total = objective(Step(encoder, batch))["moco"]

    def sentence(model, view, row, projection):
        start, length = view.starts[row], view.lengths[row]
        with torch.no_grad():
            states = model(input_ids=torch.tensor(view.ids[None, start : start + length])).last_hidden_state[0]
        h = states[0] if pool == "cls" else states[1:-1].mean(0)
        h = h / h.norm()
        z = projection.outer.weight @ torch.relu(projection.inner.weight @ h)
        return (z / z.norm() if normalized else z).tolist()

    wanted = 0.0
    for row in range(batch.size):
        q = sentence(encoder.model.base_model, batch.view("first"), row, objective.projection)
        momentum = objective.momentum_encoder.model.base_model
        k = sentence(momentum, batch.view("second"), row, objective.momentum_projection)
        # With the positive below: equation 3 over the queue and the positive.
        wanted += equation_3(q, k, [k, *objective.queue.tolist()], 0.2)
    assert total.item() == pytest.approx(wanted, rel=1e-4)
    assert objective.counts(batch) == {"moco": 12}


def test_nothing_flows_into_the_key_side_and_the_query_side_learns(store, make_encoder):
    encoder = make_encoder()
    objective = moco(encoder)
    objective(Step(encoder, corpus(store, encoder).batch(0)))["moco"].backward()
    keys = [*objective.momentum_encoder.parameters(), *objective.momentum_projection.parameters()]
    assert all(p.grad is None and not p.requires_grad for p in keys)
    assert all(p.grad is not None and p.grad.any() for p in objective.projection.parameters())
    assert any(p.grad is not None and p.grad.any() for p in encoder.base_parameters())


def test_the_key_encoder_is_in_train_mode(store, make_encoder):
    encoder = make_encoder(dropout=0.3)
    objective = moco(encoder).eval()
    batch = corpus(store, encoder).batch(0)
    assert not torch.allclose(objective._keys(batch), objective._keys(batch))


# -- the queue


def enqueue(objective, ids, positions=None):
    """Keys that carry their pair's number."""
    ids = torch.tensor(ids)
    keys = ids[:, None].float().expand(-1, objective.config.projection)
    places = torch.arange(len(ids)) if positions is None else torch.tensor(positions)
    objective._enqueue([(keys, ids, places, ids + 1)], alone)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.lists(st.integers(1, 25), min_size=1, max_size=6))
def test_the_ring_holds_the_newest_k_keys_whatever_the_batch(encoder, size, batches):
    objective = moco(encoder, queue=size, queue_init="random")
    seen = []
    for count in batches:
        ids = list(range(len(seen), len(seen) + count))
        enqueue(objective, ids)
        seen += ids
        newest = seen[-size:]
        held = [i for i in objective.queue_ids.tolist() if i >= 0]
        assert sorted(held) == newest
    kept = objective.queue_ids >= 0
    assert torch.equal(objective.queue[kept, 0], objective.queue_ids[kept].float())
    # The next key replaces the oldest.
    enqueue(objective, [999])
    assert sorted(objective.queue_ids.tolist())[-1] == 999
    if len(seen) >= size:
        assert seen[-size] not in objective.queue_ids.tolist()


def test_the_order_of_the_queue_does_not_depend_on_slices(store, make_encoder):
    encoder = make_encoder()
    queues = []
    for parts in (1, 2, 4):
        objective = moco(encoder, queue=17)
        objective.prepare(encoder, corpus(store, encoder), 0, 1, alone)
        for step in (0, 1):
            for part in range(parts):
                objective(Step(encoder, corpus(store, encoder).batch(step, part, parts)))
            objective.after_step(encoder, alone)
        queues.append((objective.queue.clone(), objective.queue_ids.tolist(), int(objective.pointer)))
    for keys, ids, pointer in queues[1:]:
        assert (ids, pointer) == queues[0][1:]
        torch.testing.assert_close(keys, queues[0][0], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("size", [5, 12, 31])
def test_the_warm_queue_holds_real_keys_everywhere(size, store, encoder):
    objective = moco(encoder, queue=size)
    before = objective.queue.clone()
    batches = corpus(store, encoder)
    objective.prepare(encoder, batches, 0, 1, alone)
    ids = objective.queue_ids.tolist()
    assert min(ids) >= 0
    assert not (objective.queue == before).all(1).any()
    filled = [batches.batch(-1 - fill) for fill in range(-(-size // 12))]
    known = {int(i): objective._keys(b)[row] for b in filled for row, i in enumerate(b.ids)}
    for key, i in zip(objective.queue, ids, strict=True):
        torch.testing.assert_close(key, known[i], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [24, 31])
def test_the_first_step_replaces_the_oldest_keys_of_the_warm_queue(size, store, encoder):
    objective, batches = moco(encoder, queue=size), corpus(store, encoder)
    objective.prepare(encoder, batches, 0, 1, alone)
    fills = [batches.batch(-1 - fill).ids.tolist() for fill in range(-(-size // 12))]
    newest_last = [pair for ids in fills for pair in ids][-size:]
    batch = batches.batch(0)
    objective(Step(encoder, batch))
    objective.after_step(encoder, alone)
    assert sorted(objective.queue_ids.tolist()) == sorted((newest_last + batch.ids.tolist())[-size:])


def test_a_random_queue_stays_random_and_belongs_to_no_pair(store, encoder):
    objective = moco(encoder, queue_init="random")
    before = objective.queue.clone()
    objective.prepare(encoder, corpus(store, encoder), 0, 1, alone)
    assert torch.equal(objective.queue, before)
    assert set(objective.queue_ids.tolist()) == {-1}
    torch.testing.assert_close(before.norm(dim=1), torch.ones(10))


def test_keys_of_the_same_pair_are_masked_and_their_rate_is_logged(store, encoder):
    batch = corpus(store, encoder).batch(0)
    plain, masking = moco(encoder, mask_same_pair=False), moco(encoder)
    losses = []
    for objective in (plain, masking):
        enqueue(objective, batch.ids[:3].tolist())
        with torch.no_grad():
            objective.queue[:3] = objective._keys(batch)[:3]
            losses.append(objective(Step(encoder, batch))["moco"].item())
    assert losses[1] < losses[0]
    assert masking.metrics()["moco_same_pair"] == pytest.approx(3 / 12)
    assert "moco_same_pair" not in plain.metrics()


def test_equal_texts_of_other_pairs_are_counted(store, encoder):
    """As in text of several languages, in which pairs share their English sentence."""
    objective, batch = moco(encoder, queue=10), corpus(store, encoder).batch(0)
    assert objective.metrics() == {}
    texts = {name: [batch.view(name).ids[s : s + n].tolist() for s, n in
                    zip(batch.view(name).starts, batch.view(name).lengths, strict=True)]
             for name in ("first", "second")}  # fmt: skip
    objective(Step(encoder, batch))
    assert objective.metrics()["moco_same_text"] == 0  # the queue is empty
    objective.after_step(encoder, alone)
    objective.queue_ids += 10_000  # the same texts, under other numbers
    objective(Step(encoder, batch))
    kept = [texts["second"][k] for k in np.argsort(batch.positions, kind="stable")[-10:]]
    wanted = np.mean([a in kept or b in kept for a, b in zip(texts["first"], texts["second"], strict=True)])
    assert 0.5 < wanted < 1
    metrics = objective.metrics()
    assert (metrics["moco_same_text"], metrics["moco_same_pair"]) == (pytest.approx(wanted), 0)
    # The other way round: a query is the text of a key of another pair.
    objective.queue_texts.zero_()
    objective.queue_texts[3] = _text_ids(batch.view("first"), objective.queue.device)[5]
    objective._seen.clear()
    objective(Step(encoder, batch))
    assert objective.metrics()["moco_same_text"] == pytest.approx(texts["first"].count(texts["first"][5]) / 12)


def test_keys_of_the_same_pair_are_not_counted_as_equal_texts(store, encoder):
    objective, batch = moco(encoder, queue=12), corpus(store, encoder).batch(0)
    for _ in range(2):
        objective(Step(encoder, batch))
        objective.after_step(encoder, alone)
    metrics = objective.metrics()
    assert (metrics["moco_same_pair"], metrics["moco_same_text"]) == (1, 0)


def test_the_warm_queue_knows_the_texts_of_its_keys(store, encoder):
    objective, batches = moco(encoder, queue=24), corpus(store, encoder)
    objective.prepare(encoder, batches, 0, 1, alone)
    filled = [batches.batch(-1 - fill) for fill in range(2)]
    texts = torch.cat([_text_ids(batch.view("second"), objective.queue.device) for batch in filled])
    assert sorted(objective.queue_texts.tolist()) == sorted(texts.tolist())


def test_metrics_are_those_of_all_slices_of_a_step(store, make_encoder):
    encoder = make_encoder().eval()
    logged = []
    for parts in (1, 4):
        objective = moco(encoder, queue=24).eval()
        objective.prepare(encoder, corpus(store, encoder), 0, 1, alone)
        for part in range(parts):
            objective(Step(encoder, corpus(store, encoder).batch(0, part, parts)))
        objective.after_step(encoder, alone)
        logged.append(objective.metrics())
    assert logged[0] == pytest.approx(logged[1], rel=1e-4, abs=1e-4)
    # Two processes, each with half of the batch.
    processes = [moco(encoder, queue=24).eval() for _ in range(2)]
    for part, objective in enumerate(processes):
        objective.prepare(encoder, corpus(store, encoder), 0, 1, alone)
        objective(Step(encoder, corpus(store, encoder).batch(0, part, 2)))
    gathered = [torch.cat(rows) for rows in zip(*(rows_sent(one, encoder) for one in processes), strict=True)]
    for objective in processes:
        answers = iter(gathered)
        objective.after_step(encoder, lambda _, answers=answers: next(answers))
        assert objective.metrics() == pytest.approx(logged[0], rel=1e-4, abs=1e-4)


def rows_sent(objective, encoder):
    """Return what a process would give to the others after a step, in order."""
    sent = []
    copy.deepcopy(objective).after_step(encoder, lambda rows: sent.append(rows) or rows)
    return sent


def test_the_projection_is_computed_in_fp32(encoder):
    """In bf16, vectors of similar sentences are equal."""
    objective, vectors = moco(encoder), 1 + 1e-4 * torch.randn(5, encoder.width)
    with torch.autocast("cpu", torch.bfloat16):
        found = objective.projection(vectors)
    assert found.dtype == torch.float32
    assert torch.equal(found, objective.projection(vectors))


# -- the moving average


def test_the_key_side_moves_by_equation_1(store, make_encoder):
    encoder = make_encoder()
    objective = moco(encoder, momentum=0.9)
    with torch.no_grad():
        for parameter in (*encoder.parameters(), *objective.projection.parameters()):
            parameter.add_(torch.randn_like(parameter))
    own = [*objective.momentum_encoder.base_parameters(), *objective.momentum_projection.parameters()]
    query = [*encoder.base_parameters(), *objective.projection.parameters()]
    wanted = [equation_1(k.flatten().tolist(), q.flatten().tolist(), 0.9) for k, q in zip(own, query, strict=True)]
    objective(Step(encoder, corpus(store, encoder).batch(0)))
    objective.after_step(encoder, alone)
    for parameter, values in zip(own, wanted, strict=True):
        np.testing.assert_allclose(parameter.flatten().numpy(), values, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 1.0])
def test_momentum_0_copies_and_momentum_1_changes_nothing(momentum, store, make_encoder):
    encoder = make_encoder()
    objective = moco(encoder, momentum=momentum)
    before = objective.momentum_encoder.digest()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(1)
    objective(Step(encoder, corpus(store, encoder).batch(0)))
    objective.after_step(encoder, alone)
    assert (objective.momentum_encoder.digest() == before) == (momentum == 1)
    pairs = zip(objective.momentum_encoder.base_parameters(), encoder.base_parameters(), strict=True)
    assert all(torch.equal(k, q) for k, q in pairs) == (momentum == 0)


@pytest.mark.parametrize("size", [12, 31, 216])
def test_the_warm_queue_holds_different_pairs(size, store, encoder):
    """No pair twice, up to an epoch of them."""
    objective, batches = moco(encoder, queue=size), corpus(store, encoder)
    assert size <= batches.steps_per_epoch * batches.size
    objective.prepare(encoder, batches, 0, 1, alone)
    assert len(set(objective.queue_ids.tolist())) == size
    assert len(torch.unique(objective.queue, dim=0)) > 0.9 * size  # a few pairs have the same text
