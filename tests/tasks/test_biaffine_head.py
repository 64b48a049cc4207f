"""The biaffine head is the paper's equations, in the loss and when it decodes."""

import numpy as np
import pytest
import torch

from paralign.objectives import Step
from paralign.tasks.biaffine_head import BiaffineHead
from paralign.tasks.example_batches import Example, ExampleBatches, example_view
from paralign.training import TrainingConfig
from tests.oracles import biaffine_loops

NAMES = ("det", "nsubj", "obj", "root")


def random_head(encoder, names=NAMES, seed=0) -> BiaffineHead:
    """Small, and away from its start, where all weights that matter are 0."""
    torch.manual_seed(seed)
    head = BiaffineHead(encoder, names, arc=5, relation=3, dropout=0.5).eval()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.normal_(std=0.4)
    return head


def rows_of(encoder, labels) -> list[Example]:
    """Rows of as many words as there are labels, a piece each, with another piece before the words."""
    rng = np.random.default_rng(3)
    return [
        Example((rng.integers(20, 200, len(row) + 1),), np.arange(2, len(row) + 2), np.array(row, np.int64), k)
        for k, row in enumerate(labels)
    ]


LABELS = [
    [(2, 0), (0, 3), (2, 1), (5, 1), (2, 2)],
    [(0, 3)],
    [(-1, 1), (0, 3), (-1, -1), (2, -1)],
    [(2, 1), (3, 0), (0, 3)],
]


class Slow:
    """Scores of one row by the loops."""

    def __init__(self, head, states, row) -> None:
        view = states.view
        inside = (view.masked >= view.starts[row]) & (view.masked < view.starts[row] + view.lengths[row])
        self.words = states.flat[view.masked[inside]].tolist()
        self.heads = [states.flat[view.starts[row]].tolist(), *self.words]
        self.head, self.m = head, len(self.words)

    def _represented(self, name, state):
        layer = self.head.layers[name]
        return biaffine_loops.represent((layer.weight.tolist(), layer.bias.tolist()), state)

    def arcs(self, word):
        """Scores of heads 0..m of a word, and those that may be its head."""
        u1, u2 = self.head.arc.weight.tolist(), self.head.arc.bias.tolist()
        dependent = self._represented("arc_dependent", self.words[word])
        heads = [self._represented("arc_head", state) for state in self.heads]
        scores = [biaffine_loops.arc_score(one, dependent, u1, u2) for one in heads]
        return scores, [k for k in range(self.m + 1) if k != word + 1]

    def relations(self, word, at):
        dependent = self._represented("relation_dependent", self.words[word])
        head = self._represented("relation_head", self.heads[at])
        every = self.head.relation.tolist()
        return [
            biaffine_loops.relation_score(
                head, dependent, [row[:-1] for row in w[:-1]], ([row[-1] for row in w[:-1]], w[-1][:-1]), w[-1][-1]
            )
            for w in every
        ]


@pytest.fixture
def scored(encoder):
    """A head, its losses and counts over a batch of rows of different lengths, and the states it read."""
    head = random_head(encoder)
    batch = ExampleBatches(encoder, [[row] for row in rows_of(encoder, LABELS)], TrainingConfig(batch=4)).batch(0)
    with torch.no_grad():
        step = Step(encoder, batch)
        losses = head(step)
    return head, batch, losses, step.hidden("example")


def test_the_losses_are_the_equations_a_score_at_a_time(scored):
    head, batch, losses, states = scored
    edges = np.searchsorted(states.view.masked, states.view.starts)
    arc = relation = 0.0
    for row, labels in enumerate(np.split(states.view.labels, edges[1:])):
        slow = Slow(head, states, row)
        for word, (gold, name) in enumerate(labels.tolist()):
            if gold >= 0:
                scores, candidates = slow.arcs(word)
                arc += biaffine_loops.surprise(scores, gold, candidates)
            if gold >= 0 and name >= 0:
                relation += biaffine_loops.surprise(slow.relations(word, gold), name, range(4))
    assert float(losses["arc"]) == pytest.approx(arc, rel=1e-4)
    assert float(losses["relation"]) == pytest.approx(relation, rel=1e-4)
    assert head.counts(batch) == {"arc": 11, "relation": 10}
    assert head.weights().keys() == losses.keys() == head.counts(batch).keys()


def test_decoding_and_loss_use_the_same_logits(scored):
    head, _, losses, states = scored
    with torch.no_grad():
        found = head.decode(states)
    gold = states.view.labels[:, 0]
    chances = [row.scores[k] for row in found for k in range(len(row.scores))]
    total = -sum(float(chance[h]) for chance, h in zip(chances, gold, strict=True) if h >= 0)
    assert total == pytest.approx(float(losses["arc"]), rel=1e-5)
    for row, arcs in enumerate(found):
        slow = Slow(head, states, row)
        m = slow.m
        assert arcs.scores.shape == arcs.relations.shape == (m, m + 1)
        np.testing.assert_allclose(np.exp(arcs.scores).sum(1), 1, rtol=1e-5)
        assert np.isneginf(arcs.scores[np.arange(m), np.arange(m) + 1]).all()
        for word in range(m):
            assert NAMES[arcs.relations[word, 0]] == "root"
            for at in range(1, m + 1):
                scores = slow.relations(word, at)[:3]
                assert arcs.relations[word, at] == int(np.argmax(scores))


def test_without_a_relation_called_root_every_arc_can_have_every_relation(encoder):
    names = ("ROOT", "a", "b")
    head = random_head(encoder, names)
    with torch.no_grad():
        head.relation.zero_()
        head.relation[2, -1, -1] = 1
        states = encoder.encode(example_view(encoder, rows_of(encoder, LABELS), None))
        assert all((row.relations == 2).all() for row in head.decode(states))
        only = random_head(encoder, ("root",))
        assert all((row.relations == 0).all() for row in only.decode(states))


def test_a_row_is_decoded_alike_in_any_batch(encoder):
    head, rows = random_head(encoder), rows_of(encoder, LABELS)
    with torch.no_grad():
        together = head.decode(encoder.encode(example_view(encoder, rows, None)))
        for row, found in zip(rows, together, strict=True):
            (alone,) = head.decode(encoder.encode(example_view(encoder, [row], None)))
            np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)
            np.testing.assert_array_equal(found.relations, alone.relations)


def test_a_fresh_head_finds_all_heads_and_relations_equally_probable(encoder):
    head = BiaffineHead(encoder, NAMES)
    batch = ExampleBatches(encoder, [[row] for row in rows_of(encoder, LABELS)], TrainingConfig(batch=4)).batch(0)
    with torch.no_grad():
        losses = head(Step(encoder, batch))
    known = [(len(row), *label) for row in LABELS for label in row if label[0] >= 0]
    assert float(losses["arc"]) == pytest.approx(sum(np.log(m) for m, _, _ in known), rel=1e-5)
    assert float(losses["relation"]) == pytest.approx(10 * np.log(4), rel=1e-5)


def test_a_word_of_unknown_head_has_no_gradient_but_can_be_a_head(encoder):
    head = random_head(encoder)

    def learnt(labels):
        batch = ExampleBatches(encoder, [[row] for row in rows_of(encoder, labels)], TrainingConfig(batch=1)).batch(0)
        losses = head(Step(encoder, batch))
        return {name: loss.item() for name, loss in losses.items()}, head.counts(batch), losses

    whole, full, _ = learnt(LABELS[:1])
    parts = [[[(-1, relation) if k != keep else (h, relation) for k, (h, relation) in enumerate(LABELS[0])]]
             for keep in range(5)]  # fmt: skip
    each = [learnt(part) for part in parts]
    assert [counts for _, counts, _ in each] == [{"arc": 1, "relation": 1}] * 5
    for name in whole:
        assert sum(losses[name] for losses, _, _ in each) == pytest.approx(whole[name], rel=1e-5)
    assert full == {"arc": 5, "relation": 5}
    none, counts, losses = learnt([[(-1, 2), (-1, -1)]])
    assert (none, counts) == ({"arc": 0, "relation": 0}, {"arc": 0, "relation": 0})
    sum(losses.values()).backward()  # a scalar with gradient all the same
    assert all(p.grad is None or not p.grad.abs().any() for p in head.parameters())
