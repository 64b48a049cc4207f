"""The cache of layers: the same vectors as without it, from one forward pass, within its limit."""

import numpy as np
import pytest
import torch

from paralign.encoder import Encoder
from paralign.encoder.layer_cache import cached_layers
from paralign.encoder.sentences import sentence_vectors
from paralign.encoder.vectors import piece_states

TEXTS = ["The dog sleeps.", "A cat sees the house .", "Yes", "the dog sees the cat and the house"]


@pytest.fixture(scope="module")
def encoder():
    return Encoder.from_pretrained("paralign-mini")


@pytest.fixture
def passes(encoder, monkeypatch):
    """The layers of each forward pass."""
    seen = []
    real = Encoder.encode_layers

    def counted(self, view, layers):
        seen.append(list(layers))
        return real(self, view, layers)

    monkeypatch.setattr(Encoder, "encode_layers", counted)
    return seen


def every_layer(encoder):
    pieces = [ids for ids, _ in encoder.tokenize(TEXTS, "en")]
    sentences = [sentence_vectors(encoder, TEXTS, "en", pools=["mean", "cls"], layer=k)[0] for k in range(5)]
    return sentences, [piece_states(encoder, pieces, "en", layers=[k])[0] for k in range(5)]


def test_vectors_of_the_cache_are_those_without_it(encoder, passes):
    plain = every_layer(encoder)
    assert len(passes) == 10
    passes.clear()
    with cached_layers():
        cached = every_layer(encoder)
    assert passes == [[0, 1, 2, 3, 4]] * 2
    for a, b in zip(plain[0], cached[0], strict=True):
        assert all(np.array_equal(a[pool], b[pool]) for pool in ("mean", "cls"))
    assert all(torch.equal(a, b) for a, b in zip(plain[1], cached[1], strict=True))


def test_other_texts_languages_and_poolings_are_encoded_again(encoder, passes):
    with cached_layers():
        first = sentence_vectors(encoder, TEXTS, "en", pools=["mean"], layer=1)[0]["mean"]
        sentence_vectors(encoder, TEXTS[:3], "en", pools=["mean"], layer=1)
        sentence_vectors(encoder, TEXTS, "de", pools=["mean"], layer=1)
        sentence_vectors(encoder, TEXTS, "en", pools=["cls"], layer=1)
        assert len(passes) == 4
        first[:] = 0  # a copy
        again = sentence_vectors(encoder, TEXTS, "en", pools=["mean"], layer=1)[0]["mean"]
        assert len(passes) == 4
    assert again.any()
    sentence_vectors(encoder, TEXTS, "en", pools=["mean"], layer=1)
    assert passes[-1] == [1], "outside of the context nothing is kept"


def test_texts_beyond_the_limit_are_encoded_as_without_it(encoder, passes):
    one = len(TEXTS) * encoder.width * 4 * (encoder.layers + 1)
    with cached_layers(limit=one):
        for texts in (TEXTS, TEXTS[::-1], TEXTS):
            for layer in (1, 2):
                sentence_vectors(encoder, texts, "en", pools=["mean"], layer=layer)
    assert passes == [[0, 1, 2, 3, 4], [1], [2]]
