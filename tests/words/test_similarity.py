"""The aligner similarity against loops over single pairs."""

import numpy as np
import pytest
import torch

from paralign.encoder.layer_cache import cached_layers
from paralign.encoder.vectors import piece_states
from paralign.errors import UserError
from paralign.smallworld import World
from paralign.text.words import piece_words, word_spans
from paralign.words.matching import best_matches, itermax, transport_plan
from paralign.words.similarity import SimilarityConfig, align_by_similarity
from paralign.words.word_vectors import WordVectors, default_layer
from tests.oracles import similarity_loops as loops


@pytest.fixture(scope="module")
def pairs():
    world = World(0)
    made = [(world.sentence(k, "en").text, world.sentence(k, "de").text) for k in range(24)]
    made += [(world.sentence(k, "en").text, world.sentence(k, "zh").text) for k in range(8)]
    return [*made[:15], ("", "nichts"), ("One", ""), ("", ""), *made[15:]]


def vectors(encoder, text, layer, unit, normalize):
    """Return the vectors of a single sentence, and the word of each."""
    ((ids, offsets),) = encoder.tokenize([text], None)
    states = piece_states(encoder, [ids], None, layers=[layer])[0].double().tolist()
    owner = piece_words(offsets, word_spans(text)).tolist()
    if unit != "piece":
        found = sorted(set(owner))
        words = {w: np.mean([s for s, o in zip(states, owner, strict=True) if o == w], 0).tolist() for w in found}
        if unit == "word":
            return list(words.values()), found
        if unit == "both":
            size = np.linalg.norm if normalize else lambda _: 1.0
            states = [
                list(np.divide(s, size(s)) / 2 + np.divide(words[o], size(words[o])) / 2)
                for s, o in zip(states, owner, strict=True)
            ]
    return states, owner


@pytest.mark.parametrize("unit", ["piece", "word", "both"])
@pytest.mark.parametrize("matching", ["argmax", "itermax", "softmax", "transport"])
def test_links_are_those_of_each_pair_alone(encoder, pairs, matching, unit):
    config = SimilarityConfig(matching=matching, unit=unit, layer=1, threshold=0.05)
    found = list(align_by_similarity(encoder, pairs, config))
    assert len(found) == len(pairs)
    for (source, target), links in zip(pairs, found, strict=True):
        if not source or not target:
            assert links == []
            continue
        (x, xw), (y, yw) = (vectors(encoder, text, 1, unit, matching != "softmax") for text in (source, target))
        if matching == "softmax":
            right = loops.softmax(np.array(x) @ np.array(y).T, 0.05)
        elif matching == "transport":
            right = loops.transport([[loops.cosine(a, b) for b in y] for a in x], 0.1)
        else:
            values = [[(loops.cosine(a, b) + 1) / 2 for b in y] for a in x]
            forward, backward = loops.directions(values)
            right = loops.itermax(values) if matching == "itermax" else forward & backward
        assert links == sorted({(xw[i], yw[j]) for i, j in right})


def test_a_piece_of_several_words_links_them_all(encoder, monkeypatch):
    """SentencePiece may join two Chinese characters, which are two words here, to one piece."""
    tokenize = encoder.tokenize

    def coarse(texts):
        ids = tokenize(["a"], None)[0][0]
        cuts = {"红房子 大": [(0, 1), (1, 3), (4, 5)], "red house big": [(0, 3), (4, 9), (10, 13)]}
        return [(np.repeat(ids, len(cuts[text])), np.array(cuts[text])) for text in texts]

    monkeypatch.setattr(type(encoder), "tokenize", lambda self, texts, language: coarse(texts))
    # Equal pieces at equal positions have equal vectors: the diagonal is linked.
    (links,) = align_by_similarity(encoder, [("red house big", "红房子 大")], SimilarityConfig(matching="argmax"))
    assert links == [(0, 0), (1, 1), (1, 2), (2, 3)]


def test_itermax_by_hand():
    """0-0 and 1-1 are mutually best. In the second round 2 and 3 link to words that have a link already."""
    values = torch.tensor([[[0.9, 0.1, 0.2, 0.1], [0.1, 0.9, 0.1, 0.1], [0.8, 0.2, 0.7, 0.1], [0.1, 0.85, 0.1, 0.2]]])
    inside = torch.ones_like(values, dtype=torch.bool)
    once = itermax(values, inside, 1)
    assert once.nonzero()[:, 1:].tolist() == [[0, 0], [1, 1]]
    # 2-0: .8 · .9 = .72 beats 2-2: .7; column 0's best free is 2-0 (0-0 has weight 0).
    twice = itermax(values, inside, 2)
    assert twice.nonzero()[:, 1:].tolist() == [[0, 0], [1, 1], [2, 0], [3, 1]]


def test_a_transport_plan_gives_every_word_its_weight():
    cosine = torch.rand(2, 5, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rows = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    columns = torch.tensor([[True] * 4, [True] * 2 + [False] * 2])
    plan = torch.exp(transport_plan(cosine, rows, columns, 0.1))
    for k, (m, n) in enumerate(((5, 4), (3, 2))):
        assert torch.allclose(plan[k].sum(1)[:m], torch.full((m,), 1 / m), atol=1e-3)
        assert torch.allclose(plan[k].sum(0)[:n], torch.full((n,), 1 / n), atol=1e-3)
        assert float(plan[k, m:].sum() + plan[k, :, n:].sum()) == 0
    # A word that is like everything cannot take everything: the argmax would link 0 with all, the plan does not.
    popular = torch.tensor([[[0.9, 0.9, 0.9], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]])
    every = torch.ones(1, 3, dtype=torch.bool)
    links, _ = best_matches(transport_plan(popular, every, every, 0.05), torch.ones(1, 3, 3, dtype=torch.bool))
    assert links.nonzero()[:, 1:].tolist() == [[0, 0], [1, 1], [2, 2]]


def test_a_long_sentence_is_read_in_windows(make_encoder):
    encoder = make_encoder(max_length=20).eval()
    ((ids, _),) = encoder.tokenize(["The old dog sees a small house . " * 9], None)
    assert len(ids) > 50
    states = piece_states(encoder, [ids[:5], ids, ids[:18]], None, layers=[2])[0]
    assert states.shape == (5 + len(ids) + 18, encoder.width)
    assert torch.allclose(states[:5], piece_states(encoder, [ids[:5]], None, layers=[2])[0], atol=1e-5)
    room = 18
    begins = [*range(0, len(ids) - room, room // 2), len(ids) - room]
    alone = {begin: piece_states(encoder, [ids[begin : begin + room]], None, layers=[2])[0] for begin in begins}
    for place in range(len(ids)):
        # Pieces to the nearest edge that is not the sentence's own.
        margin = {
            begin: min(place - begin if begin else 99, begin + room - place if begin + room < len(ids) else 99)
            for begin in begins
            if begin <= place < begin + room
        }
        good = [begin for begin, pieces in margin.items() if pieces >= max(margin.values()) - 1]
        assert any(torch.allclose(states[5 + place], alone[begin][place - begin], atol=1e-5) for begin in good)


@pytest.mark.parametrize("matching", ["argmax", "itermax", "softmax", "transport"])
def test_in_evaluation_only_the_encoder_is_computed_in_bf16(encoder, pairs, matching):
    """The links of a task with ``task.precision=bf16`` are those of ``words.precision=bf16``."""
    config = SimilarityConfig(matching=matching, precision="bf16")
    links = align_by_similarity(encoder, pairs, config)
    with torch.autocast("cpu", torch.bfloat16):
        inside = align_by_similarity(encoder, pairs, config)
    assert list(inside) == list(links)


def test_a_missing_layer_is_an_error(encoder):
    with pytest.raises(UserError, match="no layer 3"):
        align_by_similarity(encoder, [("a", "b")], SimilarityConfig(layer=3))


def test_the_default_layer_is_seven_twelfths_up(encoder, pairs):
    assert [default_layer(layers) for layers in (1, 2, 4, 12, 24)] == [1, 1, 2, 7, 14]
    default = list(align_by_similarity(encoder, pairs[:20], SimilarityConfig()))
    assert default == list(align_by_similarity(encoder, pairs[:20], SimilarityConfig(layer=1)))
    assert default != list(align_by_similarity(encoder, pairs[:20], SimilarityConfig(layer=2)))


@pytest.mark.parametrize("unit", ["piece", "word", "both"])
def test_layers_read_at_once_are_those_read_alone(encoder, pairs, unit):
    texts = [source for source, _ in pairs[8:24]]
    with cached_layers():
        together = {layer: WordVectors(encoder, texts, "en", layer=layer, unit=unit) for layer in (0, 2)}
    for layer in (0, 2):
        alone = WordVectors(encoder, texts, "en", layer=layer, unit=unit)
        assert torch.allclose(together[layer].states, alone.states, atol=1e-6)
        assert together[layer].sizes.tolist() == alone.sizes.tolist()


@pytest.mark.parametrize("matching", ["argmax", "itermax"])
def test_a_text_of_many_windows_is_linked_with_itself(make_encoder, matching):
    """The windows of both sides begin at the same pieces, so equal pieces have equal vectors."""
    encoder = make_encoder(max_length=20).eval()
    world = World(0)
    text = " ".join(" ".join(world.sentence(k, "en").words) for k in range(8))
    config = SimilarityConfig(matching=matching, rounds=1)
    (links,) = align_by_similarity(encoder, [(text, text)], config, tokenized=True)
    assert links == [(k, k) for k in range(len(text.split()))]
