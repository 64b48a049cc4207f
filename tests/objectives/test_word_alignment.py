"""Objectives that draw linked words together."""

import math
import random

import numpy as np
import pytest
import torch

import paralign
from paralign.batches.views import PairBatch, ViewsConfig
from paralign.corpus.link_store import LinkedWords, write_link_store
from paralign.errors import UserError
from paralign.objectives import Step, find_objective, word_contrastive
from paralign.text.words import piece_word_ranges, word_spans
from paralign.training import CorpusBatches, TrainingConfig
from tests.training.runs import log_of, stopped_at


def links_of(store):
    draw = random.Random(5)
    rows = []
    for record in range(len(store)):
        sizes = [len(word_spans(store.text(record, side))) for side in (0, 1)]
        rows.append(sorted({(draw.randrange(sizes[0]), draw.randrange(sizes[1])) for _ in range(4)}))
    return rows


@pytest.fixture(scope="module")
def links(store, tmp_path_factory):
    return write_link_store(store, links_of(store), tmp_path_factory.mktemp("links") / "links")


def batch_of(store, encoder, links, step=2):
    config = ViewsConfig()
    training = TrainingConfig(batch=8)
    return CorpusBatches(store, encoder.template, config, training, longest=encoder.max_pieces, links=links).batch(step)


def words_of(store, encoder, batch):
    """Every link's (row, word on the side in ``first``, word on the other) with both vectors, sentence by sentence."""
    out = []
    rows = links_of(store)
    head = len(encoder.template.single[0])
    for row, record in enumerate(batch.ids.tolist()):
        order = (int(batch.swapped[row]), 1 - int(batch.swapped[row]))
        states = []
        for name, side in zip(("first", "second"), order, strict=True):
            view = batch.view(name)
            flat = encoder.encode(view).flat[view.starts[row] : view.starts[row] + view.lengths[row]]
            states.append(
                (flat[head:], piece_word_ranges(store.offsets(record, side), word_spans(store.text(record, side))))
            )
        for link in rows[record]:
            vectors = []
            for (flat, words), side in zip(states, order, strict=True):
                mine = [p for p, (a, b) in enumerate(words.tolist()) if a <= link[side] <= b]
                vectors.append(flat[mine].mean(0))
            out.append(((row, link[order[0]]), (row, link[order[1]]), *vectors))
    return out


def test_l2_is_the_squared_distance_of_the_means(store, make_encoder, links):
    encoder = make_encoder().eval()
    objective = find_objective("word_l2")(find_objective("word_l2").Config(anchor=0.5), encoder)
    batch = batch_of(store, encoder, links)
    with torch.no_grad():
        right = words_of(store, encoder, batch)
        losses = objective(Step(encoder, batch))
        assert float(losses["word_l2"]) == pytest.approx(
            sum(float((x - y).square().sum()) for *_, x, y in right), rel=1e-4
        )
        assert float(losses["word_l2_anchor"]) == 0  # nothing has moved yet
        # Now the encoder moves: English pieces are held, those of the other language are not.
        before = {name: encoder.encode(batch.view(name)).flat.clone() for name in ("first", "second")}
        encoder.embeddings.add_(
            0.05 * torch.randn(encoder.embeddings.shape, generator=torch.Generator().manual_seed(0))
        )
        held, pieces = 0.0, 0
        for name, flipped in (("first", 0), ("second", 1)):
            view = batch.view(name)
            after = encoder.encode(view).flat
            for row, (start, length) in enumerate(zip(view.starts, view.lengths, strict=True)):
                side = int(batch.swapped[row]) ^ flipped
                if store.languages[store.language[batch.ids[row], side]] == "en":
                    inner = slice(start + 1, start + length - 1)
                    held += float((after[inner] - before[name][inner]).square().sum())
                    pieces += length - 2
        losses = objective(Step(encoder, batch))
    assert float(losses["word_l2_anchor"]) == pytest.approx(held, rel=1e-3)
    assert objective.counts(batch) == {"word_l2": len(right), "word_l2_anchor": pieces}
    assert objective.weights() == {"word_l2": 1.0, "word_l2_anchor": 0.5}
    assert not any(p.requires_grad for p in objective.initial.parameters())


@pytest.mark.parametrize("entries", [word_contrastive._ENTRIES, 1000])
@pytest.mark.parametrize("negatives", ["other", "both"])
def test_contrast_is_cross_entropy_over_the_other_words(store, make_encoder, links, negatives, entries, monkeypatch):
    monkeypatch.setattr(word_contrastive, "_ENTRIES", entries)
    encoder = make_encoder().eval()
    kind = find_objective("word_contrastive")
    objective = kind(kind.Config(temperature=0.2, negatives=negatives), encoder)
    batch = batch_of(store, encoder, links)
    with torch.no_grad():
        found = words_of(store, encoder, batch)
        loss = float(objective(Step(encoder, batch))["word_contrastive"])
    unit = [(a, b, (x / x.norm()).tolist(), (y / y.norm()).tolist()) for a, b, x, y in found]

    def like(x, y):
        return math.exp(sum(p * q for p, q in zip(x, y, strict=True)) / 0.2)

    total = 0.0
    known = {(a, b) for a, b, *_ in unit}
    assert any((a, d) in known for a, b, *_ in unit for c, d, *_ in unit if (a, b) != (c, d) and c != a and d != b)
    for a, b, x, y in unit:
        for mine, its, word, own, far in ((x, y, a, 0, 1), (y, x, b, 1, 0)):
            mates = {pair[far] for pair in known if pair[own] == word}
            kin = {pair[own] for pair in known if pair[far] in mates}
            rest = like(mine, its) + sum(like(mine, other[2 + far]) for other in unit if other[far] not in mates)
            if negatives == "both":
                rest += sum(like(mine, other[2 + own]) for other in unit if other[own] not in kin)
            total -= math.log(like(mine, its) / rest) / 2
    assert loss == pytest.approx(total, rel=1e-4)
    assert objective.counts(batch) == {"word_contrastive": len(unit)}
    assert 0 <= objective.metrics()["word_contrastive_accuracy"] <= 1


@pytest.mark.parametrize("negatives", ["other", "both"])
def test_a_record_that_occurs_twice_is_no_negative_of_itself(store, make_encoder, links, negatives):
    """Its copies may be swapped differently; then the same word is on both sides."""
    encoder = make_encoder().eval()
    kind = find_objective("word_contrastive")
    objective = kind(kind.Config(negatives=negatives), encoder)

    def batch(*keys):
        records = np.array(keys) % len(store)
        return PairBatch(
            store, records, np.arange(len(keys)), template=encoder.template, config=ViewsConfig(), seed=0, epoch=0,
            keys=np.array(keys), links=links,
        )  # fmt: skip

    def loss(*keys):
        with torch.no_grad():
            return float(objective(Step(encoder, batch(*keys)))["word_contrastive"])

    coins = set()
    for record in range(8):
        copies = batch(record, record + len(store))
        coins.add(bool(copies.swapped[0] == copies.swapped[1]))
        alone = loss(record) + loss(record + len(store))
        assert loss(record, record + len(store)) == pytest.approx(alone, rel=1e-4)
    assert coins == {True, False}


@pytest.mark.parametrize("negatives", ["other", "both"])
def test_words_of_pairs_that_share_a_sentence_are_not_negatives(negatives):
    """An English sentence with its German and its French translation, one pair swapped, and a pair of other text."""
    draw = np.random.default_rng(3)
    texts = [(1, 2), (3, 1), (4, 5)]
    links = [(pair, draw.integers(3), draw.integers(3), *texts[pair]) for pair in (0, 2, 1, 0, 2, 1, 1)]
    identities = np.array(list(dict.fromkeys(links)))
    vectors = torch.nn.functional.normalize(torch.randn(len(identities), 2, 4, dtype=torch.double), dim=2)
    losses, _ = word_contrastive.word_contrastive_loss(
        *vectors.unbind(1), temperature=0.3, negatives=negatives, identities=identities
    )
    rows = identities.tolist()

    def are_related(a, b, own, other):
        """Whether the word `other` of b is no negative of the word `own` of a."""
        if a[0] != b[0]:
            return bool(set(a[3:]) & set(b[3:]))
        if own != other:
            return [a[0], a[own], b[other]] in [[c[0], c[own], c[other]] for c in rows]
        mates = [{c[3 - own] for c in rows if c[0] == link[0] and c[own] == link[own]} for link in (a, b)]
        return bool(mates[0] & mates[1])

    for n, a in enumerate(rows):
        expected = 0.0
        for own, other in ((1, 2), (2, 1)):
            mine, its = vectors[n, own - 1], vectors[n, other - 1]
            terms = [float(mine @ its) / 0.3]
            sides = (other, own) if negatives == "both" else (other,)
            for side in sides:
                terms += [
                    float(mine @ vectors[m, side - 1]) / 0.3
                    for m, b in enumerate(rows)
                    if not are_related(a, b, own, side)
                ]
            expected += (torch.tensor(terms).logsumexp(0).item() - terms[0]) / 2
        assert float(losses[n]) == pytest.approx(expected, rel=1e-5)


def test_many_links_are_compared_in_blocks_that_are_not_kept_for_the_backward_pass(encoder, monkeypatch):
    kind = find_objective("word_contrastive")
    objective = kind(kind.Config(), encoder)
    n, vectors = 50, torch.nn.functional.normalize(torch.randn(50, 2, 4), dim=2).requires_grad_()
    pair = np.arange(n) // 7
    identities = np.stack([pair, np.arange(n) % 3, np.arange(n) % 4, pair % 5, 100 + pair], 1)  # some share a sentence
    outcomes = []
    for entries in (n * n, 8 * n):
        monkeypatch.setattr(word_contrastive, "_ENTRIES", entries)
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, s=sizes: s.append(x.numel()) or x, lambda x: x):
            losses = objective.losses(vectors, identities)
        (gradient,) = torch.autograd.grad(losses.sum(), vectors)
        outcomes.append((losses.detach(), gradient, objective.metrics()["word_contrastive_accuracy"]))
        assert (max(sizes, default=0) >= n * n) == (entries == n * n)
    for whole, blocks in zip(*outcomes, strict=True):
        torch.testing.assert_close(torch.as_tensor(whole), torch.as_tensor(blocks), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["word_l2", "word_contrastive"])
def test_without_links_it_is_a_zero_that_can_be_differentiated(store, make_encoder, tmp_path, name):
    encoder = make_encoder()
    none = write_link_store(store, [[] for _ in range(len(store))], tmp_path / "links")
    kind = find_objective(name)
    objective = kind(kind.Config(), encoder)
    batch = batch_of(store, encoder, none)
    loss = sum(objective(Step(encoder, batch)).values())
    assert loss.item() == pytest.approx(0, abs=1e-3)
    loss.backward()
    assert np.isfinite(float(encoder.embeddings.grad.abs().sum()))


def test_a_pivot_without_text_is_refused(store, make_encoder, links):
    kind = find_objective("word_l2")
    with pytest.raises(UserError, match=r"pivot language 'fr'.*word_l2\.pivot=de"):
        kind(kind.Config(pivot="fr"), make_encoder()).counts(batch_of(store, make_encoder(), links))


@pytest.mark.parametrize("recipe", ["word-l2-mini", "word-contrastive-mini"])
def test_linked_words_draw_near_in_training(base, tmp_path, recipe):
    made = paralign.align(
        str(base), out=tmp_path / "run", pairs=["en-de=smallworld:0-120"], recipe=recipe, quiet=True,
        overrides=["training.batch=12", "training.steps=30", "training.log_every=1", "training.learning_rate=1e-3"],
    )  # fmt: skip
    log = log_of(tmp_path / "run")
    name = recipe.removesuffix("-mini").replace("-", "_")
    losses = [line["losses"][name] for line in log if name in line.get("losses", {})]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert (made / "model.safetensors").is_file()


def test_it_resumes_to_the_same_bytes(base, tmp_path):
    def align(out, **more):
        return paralign.align(
            str(base), out=out, pairs=["en-de=smallworld:0-60"], recipe="word-l2-mini", quiet=True,
            overrides=["training.batch=8", "training.steps=6", "training.checkpoint_every=2"], **more,
        )  # fmt: skip

    whole = align(tmp_path / "whole")
    with stopped_at(3):
        align(tmp_path / "run")
    made = align(tmp_path / "run", resume=True)
    assert (made / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_the_initial_encoder_is_in_evaluation_mode(store, make_encoder, links):
    """With dropout, the regularizer would pull the pivot language toward noise."""
    encoder = make_encoder(dropout=0.4)
    kind = find_objective("word_l2")
    objective = kind(kind.Config(), encoder).train()
    encoder.eval()  # only the dropout of the initial encoder could make a difference
    batch = batch_of(store, encoder, links)
    with torch.no_grad():
        for _ in range(2):  # also after the objective was set to training mode again
            assert float(objective(Step(encoder, batch))["word_l2_anchor"]) == pytest.approx(0, abs=1e-6)
            objective.train()


def shared(batch, **pieces):
    """Links 0 and 1 of a batch, whose words may share pieces."""
    sizes = {f"{side}_sizes": np.array([len(words) for words in pieces[side]]) for side in ("first", "second")}
    flat = {side: np.concatenate([np.array(words) for words in pieces[side]]) for side in ("first", "second")}
    batch._linked["first", "second"] = LinkedWords(rows=np.array([0, 0]), **flat, **sizes)
    return batch


def test_a_piece_that_two_words_share_is_part_of_both_means(store, make_encoder, links):
    encoder = make_encoder().eval()
    kind = find_objective("word_l2")
    objective = kind(kind.Config(anchor=0), encoder)
    batch = shared(batch_of(store, encoder, links), first=[[1, 2], [2, 3]], second=[[1], [2]])
    with torch.no_grad():
        first, second = (encoder.encode(batch.view(name)).flat for name in ("first", "second"))
        wanted = (first[[1, 2]].mean(0) - second[1]).square().sum() + (first[[2, 3]].mean(0) - second[2]).square().sum()
        assert float(objective(Step(encoder, batch))["word_l2"]) == pytest.approx(float(wanted), rel=1e-4)


@pytest.mark.parametrize("negatives", ["other", "both"])
def test_words_of_one_piece_are_not_negatives_of_each_other(store, make_encoder, links, negatives):
    """Their vectors are equal, so the translations of both translate either."""
    encoder = make_encoder().eval()
    kind = find_objective("word_contrastive")
    objective = kind(kind.Config(negatives=negatives), encoder)
    batch = shared(batch_of(store, encoder, links), first=[[1], [1]], second=[[1], [2]])
    with torch.no_grad():
        assert float(objective(Step(encoder, batch))["word_contrastive"]) == pytest.approx(0, abs=1e-6)
    apart = shared(batch_of(store, encoder, links), first=[[1], [2]], second=[[1], [2]])
    with torch.no_grad():
        assert float(objective(Step(encoder, apart))["word_contrastive"]) > 0.01
