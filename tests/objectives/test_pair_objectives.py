"""Objectives of recent papers, compared with slow loops over pairs, units and dimensions."""

import math

import numpy as np
import pytest
import torch

import paralign
from paralign.batches.views import ViewsConfig
from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.corpus.link_store import write_link_store
from paralign.encoder import Encoder
from paralign.encoder.hidden_states import spread
from paralign.encoder.layers import layer_parameters
from paralign.encoder.sentences import sentence_view
from paralign.errors import UserError
from paralign.objectives import Step, find_objective
from paralign.objectives.anchor import anchor_loss
from paralign.objectives.denoise_links import pointer_loss, self_labeled_links
from paralign.objectives.distill import distillation_loss
from paralign.objectives.in_batch import in_batch_loss
from paralign.objectives.sentence_units import alignment_loss, alignment_probabilities, locate_units
from paralign.runs.settings import run_settings
from paralign.sources.specs import parse_pairs
from paralign.text.words import piece_word_ranges, word_spans
from paralign.training import CorpusBatches, Learner, TrainingConfig
from tests.encoder.family_models import xlm_r_tokenizer
from tests.objectives.test_word_alignment import links_of
from tests.oracles import similarity_loops as loops


@pytest.fixture(scope="module")
def links(store, tmp_path_factory):
    return write_link_store(store, links_of(store), tmp_path_factory.mktemp("links") / "links")


@pytest.fixture
def batch(store, encoder, links):
    training = TrainingConfig(batch=8)
    return CorpusBatches(
        store, encoder.template, ViewsConfig(), training, longest=encoder.max_pieces, links=links
    ).batch(2)


def objective(name, encoder, **settings):
    kind = find_objective(name)
    return kind(kind.Config(**settings), encoder)


def total(objective, encoder, batch):
    with torch.no_grad():
        (loss,) = objective(Step(encoder, batch)).values()
    return float(loss)


def rows_of(encoder, batch, name, layer):
    """The states of each sentence, special tokens excluded."""
    view = batch.view(name)
    with torch.no_grad():
        flat = encoder.encode_layers(view, [layer])[0].flat
    return [flat[s + 1 : s + n - 1] for s, n in zip(view.starts.tolist(), view.lengths.tolist(), strict=True)]


def words_of(store, batch, name, states):
    """The means of the pieces of each word of each sentence."""
    out = []
    for row, record in enumerate(batch.ids.tolist()):
        side = int(batch.swapped[row]) ^ (name == "second")
        ranges = piece_word_ranges(store.offsets(record, side), word_spans(store.text(record, side)))
        words = sorted({first for first, _ in ranges.tolist()})
        out.append(
            torch.stack([states[row][[p for p, (a, _) in enumerate(ranges.tolist()) if a == w]].mean(0) for w in words])
        )
    return out


# -- in_batch


@pytest.mark.parametrize(("margin", "pool"), [(0.0, "mean"), (0.3, "cls")])
def test_in_batch_is_cross_entropy_over_the_other_sentences(margin, pool, encoder, batch):
    encoder.eval()
    found = total(objective("in_batch", encoder, margin=margin, pool=pool, temperature=0.2), encoder, batch)
    with torch.no_grad():
        sides = [encoder.encode(batch.view(name)).pool(pool).tolist() for name in ("first", "second")]
    unit = [[[x / math.hypot(*row) for x in row] for row in side] for side in sides]
    expected = 0.0
    for a, b in (unit, unit[::-1]):
        for i, query in enumerate(a):
            scores = [
                (sum(x * y for x, y in zip(query, key, strict=True)) - margin * (i == j)) / 0.2
                for j, key in enumerate(b)
            ]
            expected += (math.log(sum(map(math.exp, scores))) - scores[i]) / 2
    assert found == pytest.approx(expected, rel=1e-4)


def test_equal_sentences_are_not_negatives(encoder):
    texts = [("a b", "c d"), ("a b", "e f"), ("g h", "c d")]
    pieces = {
        text: ids for text, (ids, _) in zip(sum(texts, ()), encoder.tokenize(list(sum(texts, ())), None), strict=True)
    }
    views = {
        name: sentence_view(encoder, [pieces[pair[k]] for pair in texts], None)
        for k, name in enumerate(("first", "second"))
    }
    made = objective("in_batch", encoder)
    identities = made.identify(type("Batch", (), {"view": lambda self, name: views[name]})())
    assert (identities[:, None] == identities).any(2).tolist() == [
        [True, True, True],
        [True, True, False],
        [True, False, True],
    ]
    vectors = torch.randn(3, 2, 5, generator=torch.Generator().manual_seed(0))
    losses = made.losses(vectors, identities)
    assert losses[0] == 0  # both others share a sentence with it
    assert (losses[1:] > 0).all()
    assert made.losses(vectors.flip(0), identities[::-1].copy()).tolist() == pytest.approx(losses.tolist()[::-1])


def test_equal_sentences_are_not_negatives_on_the_other_side(encoder):
    """English is first in one pair and second in the other, as after shuffling the sides."""
    english, german, french, other = range(4)
    identities = np.array([[english, german], [french, english], [other, 9]])
    made = objective("in_batch", encoder, temperature=1.0)
    axes = torch.eye(5)
    vectors = torch.stack([axes[[0, 1]], axes[[2, 0]], axes[[3, 4]]])
    # Each of the first two has one negative left, of cosine 0 in both directions as its own translation.
    assert made.losses(vectors, identities).tolist() == pytest.approx([math.log(2), math.log(2), math.log(3)])
    vectors[2, 0], vectors[2, 1] = axes[3], axes[3]
    vectors[0, 1] = axes[0] + axes[1]
    made.losses(vectors, identities)
    # The English sentence equals a second sentence, which is not a negative; the French one is as near to all.
    assert made.metrics()["in_batch_accuracy"] == pytest.approx(2 / 3)


def test_in_batch_in_closed_form():
    n, tau, margin = 4, 0.5, 0.3
    loss = in_batch_loss(torch.eye(n), torch.eye(n), temperature=tau, margin=margin)
    assert loss.tolist() == pytest.approx([math.log(1 + (n - 1) * math.exp(-(1 - margin) / tau))] * n)
    same = in_batch_loss(torch.ones(n, 3), torch.ones(n, 3))
    assert same.tolist() == pytest.approx([math.log(n)] * n)


# -- self_training and gold_links


def test_the_name_of_gold_links_in_tables_is_true_with_and_without_links_of_the_user():
    assert run_settings("gold-links").method == "word links"


def slow_alignment(x, y, scale, linked):
    scores = (scale * x.double() @ y.double().T).tolist()
    n, m = len(scores), len(scores[0])
    row = [[math.exp(v - max(r)) / sum(math.exp(w - max(r)) for w in r) for v in r] for r in scores]
    columns = list(zip(*scores, strict=True))
    column = [[math.exp(scores[i][j] - max(columns[j])) / sum(math.exp(w - max(columns[j])) for w in columns[j])
               for j in range(m)] for i in range(n)]  # fmt: skip
    return -sum((row[i][j] / n + column[i][j] / m) for i in range(n) for j in range(m) if linked(i, j, row, column)) / 2


@pytest.mark.parametrize("unit", ["piece", "word"])
@pytest.mark.parametrize("layer", [1, -1])
def test_self_training_is_the_definition(unit, layer, store, encoder, batch):
    encoder.eval()
    made = objective("self_training", encoder, unit=unit, layer=layer, threshold=0.05, scale=0.3)
    number = encoder.layer_number(layer)
    sides = [rows_of(encoder, batch, name, number) for name in ("first", "second")]
    if unit == "word":
        sides = [words_of(store, batch, name, states) for name, states in zip(("first", "second"), sides, strict=True)]
    above = [0, 0]

    def linked(i, j, row, column):
        both = row[i][j] > 0.05 and column[i][j] > 0.05
        above[both] += 1
        return both

    expected = sum(slow_alignment(x, y, 0.3, linked) for x, y in zip(*sides, strict=True))
    assert min(above) > 0
    assert total(made, encoder, batch) == pytest.approx(expected, rel=1e-4)
    assert made.counts(batch) == {"self_training": 8}
    units = sum(map(len, sides[0]))
    assert made.metrics()["self_training_links"] == pytest.approx(above[1] / units)


@pytest.mark.parametrize("unit", ["piece", "word"])
def test_gold_links_is_the_definition(unit, store, encoder, batch):
    encoder.eval()
    made = objective("gold_links", encoder, unit=unit, scale=0.3)
    sides = [rows_of(encoder, batch, name, encoder.layers) for name in ("first", "second")]
    given = links_of(store)
    expected = 0.0
    for row, record in enumerate(batch.ids.tolist()):
        order = (int(batch.swapped[row]), 1 - int(batch.swapped[row]))
        words = [
            piece_word_ranges(store.offsets(record, s), word_spans(store.text(record, s)))[:, 0].tolist() for s in order
        ]
        pairs = {(link[order[0]], link[order[1]]) for link in given[record]}
        x, y = (side[row] for side in sides)
        if unit == "word":
            numbers = [sorted(set(of_side)) for of_side in words]
            x, y = (torch.stack([states[[p for p, w in enumerate(of_side) if w == word]].mean(0) for word in some])
                    for states, of_side, some in zip((x, y), words, numbers, strict=True))  # fmt: skip
            words = numbers
        expected += slow_alignment(
            x, y, 0.3, lambda i, j, *_, words=words, pairs=pairs: (words[0][i], words[1][j]) in pairs
        )
    assert total(made, encoder, batch) == pytest.approx(expected, rel=1e-4)
    assert expected < 0


def test_units_are_words_whatever_the_tokenizer(sentences, tmp_path):
    """A tokenizer as XLM-R's has pieces that are spaces, which belong to no word."""
    tokenizer = xlm_r_tokenizer(sentences, 700)
    encoder = Encoder.from_scratch("xlm-r:2x32", tokenizer, max_length=200)
    (tmp_path / "pairs.tsv").write_text("in a 3% well-known house , e.g.\tein bekanntes Haus , z.B. 3%\n" * 8)
    filters = FilterConfig(min_pieces=2, drop_duplicates=False)
    specs = [parse_pairs(f"en-de={tmp_path / 'pairs.tsv'}"), parse_pairs("en-zh=smallworld:0-20")]
    store = build_store(specs, encoder.text_tokenizer, tmp_path / "store", filter=filters)
    tokens = write_link_store(store, [[(0, 0)]] * len(store), tmp_path / "links", tokenized=True)
    for links in (None, tokens):
        batch = CorpusBatches(store, encoder.template, ViewsConfig(), TrainingConfig(batch=28), longest=200,
                              links=links).batch(0)  # fmt: skip
        for name in ("first", "second"):
            units = locate_units(batch, name, "word")
            expected = []
            for record, swapped, text in zip(batch.ids.tolist(), batch.swapped, batch.texts(name), strict=True):
                spans = word_spans(text, tokenized=links is not None)
                ranges = piece_word_ranges(store.offsets(record, int(swapped) ^ (name == "second")), spans)
                expected.append(len(set(ranges[:, 0].tolist()) - {-1}))  # a piece can cover several words
            assert units.sizes.tolist() == expected
            assert len(locate_units(batch, name, "piece").pieces) > len(units.pieces)


def test_padding_has_no_part_in_the_probabilities():
    x, y = torch.randn(1, 2, 4), torch.randn(1, 3, 4)
    alone = alignment_probabilities(x, y, torch.tensor([2]), torch.tensor([3]))
    wide = [torch.cat([v, torch.full((1, 2, 4), 9.0)], 1) for v in (x, y)]
    padded = alignment_probabilities(*wide, torch.tensor([2]), torch.tensor([3]))
    for a, b in zip(alone, padded, strict=True):
        torch.testing.assert_close(a, b[:, :2, :3])
        assert b.sum() == pytest.approx(float(a.sum()))
    assert alone[0].sum(2)[0].tolist() == pytest.approx([1, 1])
    # A one-to-one alignment of n = m units with certain links has the lowest loss, -1.
    sure = torch.eye(3)[None]
    assert alignment_loss(sure, sure, sure, torch.tensor([3]), torch.tensor([3])).tolist() == [-1]


# -- denoise_links


def slow_plan(x, y, smoothing, iterations):
    """Sinkhorn's algorithm on lists: rows and columns are scaled to sum to 1/n and 1/m in turn."""
    cosine = [[loops.cosine(a, b) for b in y] for a in x]
    plan = [[math.exp(c / smoothing) for c in row] for row in cosine]
    n, m = len(x), len(y)
    for _ in range(iterations):
        plan = [[v / sum(row) / n for v in row] for row in plan]
        columns = [sum(row[j] for row in plan) for j in range(m)]
        plan = [[v / columns[j] / m for j, v in enumerate(row)] for row in plan]
    return plan


def test_denoise_links_is_the_definition(store, encoder, batch):
    encoder.eval()
    made = objective("denoise_links", encoder, layer=1, label_layer=2, smoothing=0.2)
    with torch.no_grad():
        made.query.weight.add_(0.1 * torch.randn(32, 32, generator=torch.Generator().manual_seed(0)))
        made.key.bias.add_(0.1)
    joint = batch.view("joint")
    count = linked = right = 0
    expected = 0.0
    for row, (start, length) in enumerate(zip(joint.starts.tolist(), joint.lengths.tolist(), strict=True)):
        sides = [store.pieces(batch.ids[row], int(batch.swapped[row]) ^ k).tolist() for k in (0, 1)]
        before, middle, after = encoder.template.pair
        begins = [len(before), len(before) + len(sides[0]) + len(middle)]
        assert length == begins[1] + len(sides[1]) + len(after)
        unmasked = torch.tensor([[*before, *sides[0], *middle, *sides[1], *after]])
        types = torch.tensor([[0] * begins[1] + [1] * (len(sides[1]) + len(after))])
        masked = torch.from_numpy(joint.ids[start : start + length])[None]
        with torch.no_grad():
            both = [encoder.model(input_ids=ids, token_type_ids=types, output_hidden_states=True).hidden_states
                    for ids in (unmasked, masked)]  # fmt: skip
            labels, read = both[0][2][0], both[1][1][0]
            q, k = made.query(read).tolist(), made.key(read).tolist()
        x, y = (labels[b : b + len(ids)].tolist() for b, ids in zip(begins, sides, strict=True))
        links = loops.itermax(slow_plan(x, y, 0.2, 2))
        chosen = {p - start for p in joint.masked.tolist() if start <= p < start + length}
        count += len(chosen)
        for side in (0, 1):
            for i in range(len(sides[side])):
                own = [link[1 - side] for link in links if link[side] == i]
                if begins[side] + i not in chosen or not own:
                    continue
                query, keys = q[begins[side] + i], k[begins[1 - side] :][: len(sides[1 - side])]
                scores = [sum(a * b for a, b in zip(query, key, strict=True)) / 32**0.5 for key in keys]
                expected += math.log(sum(map(math.exp, scores))) - sum(scores[j] for j in own) / len(own)
                linked += 1
                right += scores.index(max(scores)) in own
    assert total(made, encoder, batch) == pytest.approx(expected, rel=1e-4)
    assert made.counts(batch) == {"denoise_links": count}
    assert 0 < linked < count
    assert made.metrics() == pytest.approx(
        {"denoise_links_linked": linked / count, "denoise_links_accuracy": right / linked}
    )


def test_denoise_links_of_a_view_without_rows_is_zero(store, make_encoder):
    encoder = make_encoder()
    views, training = ViewsConfig(joint_share=0.01), TrainingConfig(batch=2)
    batch = CorpusBatches(store, encoder.template, views, training, longest=encoder.max_pieces).batch(0)
    assert len(batch.view("joint").rows) == 0
    loss = objective("denoise_links", encoder)(Step(encoder, batch))["denoise_links"]
    loss.backward()
    assert loss.item() == 0


def test_labels_are_computed_without_dropout_and_without_gradient(make_encoder, batch):
    encoder = make_encoder(dropout=0.5).train()
    made = objective("denoise_links", encoder)
    assert torch.equal(made._links(encoder, batch), made._links(encoder, batch))
    assert encoder.training
    (loss,) = made(Step(encoder, batch)).values()
    loss.backward()
    assert encoder.embeddings.grad.abs().sum() > 0
    assert made.query.weight.grad.abs().sum() > 0


def test_weights_cast_for_labels_are_not_cached_for_passes_with_gradient(make_encoder, batch, monkeypatch):
    encoder, seen = make_encoder(), []
    made, encode_layers = objective("denoise_links", encoder, layer=0, label_layer=2), encoder.encode_layers

    def encode(view, layers):
        seen.append((torch.is_grad_enabled(), torch.is_autocast_cache_enabled(), torch.is_autocast_enabled("cpu")))
        (states,) = encode_layers(view, layers)
        return [states]

    monkeypatch.setattr(encoder, "encode_layers", encode)
    for enabled in (True, False):
        seen.clear()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            step = Step(encoder, batch)
            made(step)
            step.hidden("first").mean().sum().backward()
        assert seen == [(True, True, enabled), (False, False, enabled), (True, True, enabled)]
    assert all(parameter.grad is not None for parameter in layer_parameters(encoder)["1"])


def test_a_pointer_at_one_of_equal_pieces_costs_the_logarithm_of_their_number():
    scores, inside = torch.zeros(2, 5), torch.arange(5) < torch.tensor([[5], [3]])
    links = torch.tensor([[True, True, False, False, False], [False, False, True, False, False]])
    loss, _ = pointer_loss(scores, inside, links)
    assert loss.tolist() == pytest.approx([math.log(5), math.log(3)])
    loss, right = pointer_loss(
        torch.tensor([[0.0, 50.0, 0.0]]), torch.ones(1, 3) > 0, torch.tensor([[False, True, False]])
    )
    assert (loss.tolist(), right.tolist()) == ([0.0], [True])


def test_equal_sentences_are_linked_piece_by_piece():
    states = torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0))
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    padded = torch.cat([states[:, order], torch.full((1, 2, 16), 3.0)], 1)
    inside = (torch.ones(1, 6) > 0, torch.arange(8)[None] < 6)
    links = self_labeled_links(states, padded, inside, smoothing=0.1, iterations=2, rounds=2)
    assert {tuple(link) for link in links[0].nonzero().tolist()} == {(i, order.tolist().index(i)) for i in range(6)}


# -- distill and anchor


def test_distillation_is_the_mean_squared_error_of_both_sides(store, make_encoder, batch):
    encoder = make_encoder().eval()
    made = objective("distill", encoder, layer=1, teacher_layer=2)
    names = ("first", "second")
    with torch.no_grad():
        teacher = [encoder.encode(batch.view(name)).mean() for name in names]
        encoder.embeddings.add_(0.1 * torch.randn(encoder.embeddings.shape, generator=torch.Generator().manual_seed(0)))
        student = [encoder.encode_layers(batch.view(name), [1])[0].mean() for name in names]
    expected = 0.0
    for row, record in enumerate(batch.ids.tolist()):
        english = 0 if store.languages[store.language[record, int(batch.swapped[row])]] == "en" else 1
        target = teacher[english][row]
        expected += sum(float((side[row] - target).square().mean()) for side in student)
    assert total(made, encoder, batch) == pytest.approx(expected, rel=1e-4)
    assert made.counts(batch) == {"distill": 8}
    assert not any(p.requires_grad for p in made.teacher.parameters())
    with pytest.raises(UserError, match="there is no text in the pivot language 'xx'"):
        objective("distill", encoder, pivot="xx").counts(batch)


def test_a_teacher_of_another_tokenizer_reads_the_text(store, encoder, batch):
    encoder.eval()
    made = objective("distill", encoder, teacher="paralign-mini", pool="cls")
    assert made.projection.weight.shape == (256, encoder.width)
    teacher = Encoder.from_pretrained("paralign-mini").eval()
    sides = [made._teach(batch, name, np.array([2, 0])) for name in ("first", "second")]
    from paralign.encoder.sentences import sentence_vectors

    for side, name in zip(sides, ("first", "second"), strict=True):
        texts = batch.texts(name)
        expected = sentence_vectors(teacher, [texts[2], texts[0]], None, pools=["cls"])[0]["cls"]
        assert np.allclose(side.numpy(), expected, atol=1e-4)
    records = batch.ids.tolist()
    assert {batch.texts("first")[0], batch.texts("second")[0]} == {store.text(records[0], side) for side in (0, 1)}


def test_a_teacher_of_a_shorter_maximum_cuts_sentences(make_encoder, store, batch, tmp_path):
    make_encoder(max_length=9).save_pretrained(tmp_path / "teacher")
    encoder = make_encoder().eval()
    made = objective("distill", encoder, teacher=str(tmp_path / "teacher"))
    assert batch.view("first").lengths.max() > 9
    vectors = made._teach(batch, "first", np.arange(8))
    pieces = [batch.view("first").ids[s + 1 : s + n - 1] for s, n in zip(batch.view("first").starts,
              batch.view("first").lengths, strict=True)]  # fmt: skip
    with torch.no_grad():
        expected = made.teacher.encode(sentence_view(made.teacher, [ids[:7] for ids in pieces], None)).mean()
    torch.testing.assert_close(vectors, expected)
    assert math.isfinite(total(made, encoder, batch))


@pytest.mark.parametrize("name", ["distill", "word_l2", "anchor", "word_anchor", "moco"])
@pytest.mark.parametrize("teacher", ["", "paralign-mini"])
def test_frozen_encoders_encode_as_often_whatever_the_slice(name, teacher, make_encoder, store, links):
    """Encoding is a collective operation if the weights are sharded: otherwise the processes would wait forever."""
    encoder = make_encoder()
    settings = {"teacher": teacher} if name == "distill" else {}
    made = objective(name, encoder, **settings, **({"queue": 8} if name == "moco" else {}))
    calls = []
    for part in made.modules():
        if isinstance(part, Encoder):
            part.sync_chunk_count = lambda chunks: calls.append(chunks) or max(1, chunks)
    numbers = set()
    for shuffle in (False, True):  # English is first in all pairs, or in some
        batches = CorpusBatches(store, encoder.template, ViewsConfig(shuffle=shuffle), TrainingConfig(batch=8),
                                longest=encoder.max_pieces, links=links)  # fmt: skip
        calls.clear()
        (*_, loss) = made(Step(encoder, batches.batch(2))).values()
        assert torch.isfinite(loss)
        numbers.add(len(calls))
    assert len(numbers) == 1
    assert min(numbers) > 0


def test_losses_of_given_vectors():
    x, y, t = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]]), torch.tensor([[0.0, 0.0]])
    assert distillation_loss(x, y, t).tolist() == [(1 + 4) / 2]
    assert anchor_loss(x, y, t, t).tolist() == [0.25 + 1.0]
    assert anchor_loss(x, y, y, x).tolist() == [0]


@pytest.mark.parametrize(("name", "count"), [("anchor", 8), ("word_anchor", None)])
def test_anchors_are_the_distance_from_the_initial_means(name, count, make_encoder, batch):
    encoder = make_encoder().eval()
    made = objective(name, encoder, layer=1)
    assert total(made, encoder, batch) == pytest.approx(0, abs=1e-8)
    step = Step(encoder, batch)
    with torch.no_grad():
        before = [v.clone() for v in made._vectors(step)]
        encoder.embeddings.add_(0.1 * torch.randn(encoder.embeddings.shape, generator=torch.Generator().manual_seed(0)))
        after = made._vectors(Step(encoder, batch))
    expected = sum(float((((a + b) - (c + d)) / 2).square().sum()) for a, b, c, d in zip(*after, *before, strict=True))
    assert total(made.train(), encoder, batch) == pytest.approx(expected, rel=1e-4)
    assert not made.initial.training  # dropout would move the initial vectors
    assert not any(p.requires_grad for p in made.initial.parameters())
    assert made.counts(batch)[name] == (count or len(before[0]))


# -- layers


@pytest.mark.parametrize(
    "name",
    [
        "moco",
        "in_batch",
        "word_l2",
        "word_contrastive",
        "self_training",
        "gold_links",
        "denoise_links",
        "anchor",
        "word_anchor",
        "distill",
    ],
)
def test_a_lower_layer_is_the_last_layer_of_a_shorter_encoder(name, make_encoder, batch):
    """The loss at layer 1 of two is that of an encoder of this layer alone, and layer 2 is not trained."""
    from paralign.encoder.layers import keep_layers

    settings = {"moco": {"queue": 20, "projection": 8}}.get(name, {})
    outcomes = []
    for layer in (1, -1):
        encoder = make_encoder(dropout=0.0).eval()
        if name == "distill":
            settings = {"teacher_layer": layer}
        if name == "denoise_links":
            settings = {"label_layer": layer}
        if layer == -1:
            keep_layers(encoder.model, 1)
        torch.manual_seed(0)
        learner = Learner(encoder, {name: objective(name, encoder, layer=layer, **settings)})
        with torch.no_grad():
            encoder.embeddings.mul_(1.5)
        losses = learner(batch)
        sum(losses.values()).backward()
        outcomes.append({n: float(v.detach()) for n, v in losses.items()})
        trained = {n for n, p in encoder.named_parameters() if p.requires_grad}
        if layer == 1:
            assert any("layer.0" in n for n in trained)
            assert not any("layer.1" in n for n in trained)
        assert all(p.grad is not None for p in encoder.parameters() if p.requires_grad)
    assert outcomes[0] == pytest.approx(outcomes[1], rel=1e-5)


def test_the_spread_in_the_log_is_that_of_the_highest_layer(make_encoder, batch):
    encoder = make_encoder()
    learner = Learner(encoder, {n: objective(n, encoder, layer=k) for n, k in (("in_batch", 1), ("anchor", -1))}).eval()
    learner(batch)
    with torch.no_grad():
        expected = spread(encoder.encode(batch.view("first")).mean())
    found = learner.metrics()
    assert {name: found[f"sentence_{name}"] for name in expected} == pytest.approx(expected, rel=1e-5)


def test_the_spread_in_the_log_is_that_of_all_slices_of_a_step(store, make_encoder):
    encoder, spreads = make_encoder(dropout=0.0), []
    corpus = CorpusBatches(store, encoder.template, ViewsConfig(), TrainingConfig(batch=12), longest=encoder.max_pieces)
    learner = Learner(encoder, {"anchor": objective("anchor", encoder)})
    for count in (1, 12):
        learner.start_step()
        for part in corpus.slices(2, 0, 1, count):
            learner(part)
        spreads.append({name: value for name, value in learner.metrics().items() if name.startswith("sentence_")})
    assert list(spreads[0]) == ["sentence_mean_cosine", "sentence_effective_rank"]
    assert spreads[0] == pytest.approx(spreads[1], rel=1e-3)


@pytest.mark.parametrize(
    ("layer", "number"), [(0, 0), (-1, 2), (-3, 0), (0.5, 1), (1, 1), (1.0, 2), (2.0, 2), (0.9, 2), (0.1, 0)]
)
def test_layers_are_numbers_or_fractions(layer, number, encoder):
    assert encoder.layer_number(layer) == number


@pytest.mark.parametrize("layer", [3, -4, 1.5, -1.5, -0.5, math.nan, math.inf, -math.inf])
def test_a_missing_layer_is_refused(layer, encoder):
    with pytest.raises(UserError, match=f"there is no layer {layer}"):
        encoder.layer_number(layer)


def test_a_missing_layer_is_refused_before_the_run_begins(base, tmp_path):
    given = {"pairs": ["en-de=smallworld:0-60"], "out": tmp_path / "run", "quiet": True}
    with pytest.raises(UserError, match="there is no layer 9"):
        paralign.align(str(base), recipe="in-batch-mini", overrides=["in_batch.layer=9"], **given)
    assert not (tmp_path / "run").exists()
