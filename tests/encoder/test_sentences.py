"""``Encoder.encode`` of texts: equal to transformers, one sentence at a time."""

import numpy as np
import pytest
import torch

from paralign.encoder import Encoder, HiddenStates
from paralign.encoder.sentences import sentence_view
from paralign.errors import UserError

TEXTS = ["The dog sleeps.", "Der Hund sieht das alte Haus und die Katze.", "A cat.", "", "Los gatos duermen."]


@pytest.fixture(scope="module")
def encoder():
    return Encoder.from_pretrained("paralign-mini")


@torch.no_grad()
def one_by_one(encoder, pool, layer):
    """The vector of each text alone, from transformers' model and tokenizer."""
    vectors = []
    for text in TEXTS:
        inputs = encoder.tokenizer(text, return_tensors="pt", return_special_tokens_mask=True)
        special = inputs.pop("special_tokens_mask")[0].bool()
        states = encoder.model.eval()(**inputs, output_hidden_states=True).hidden_states[layer][0]
        inner = states[~special]
        vectors.append(states[0] if pool == "cls" else inner.mean(0) if len(inner) else torch.zeros(states.shape[1]))
    return torch.stack(vectors).numpy()


@pytest.mark.parametrize("pool", ["mean", "cls"])
@pytest.mark.parametrize("layer", [-1, 0, 2])
def test_vectors_are_those_of_transformers(encoder, pool, layer):
    found = encoder.encode(TEXTS, language="en", pool=pool, layer=layer)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, one_by_one(encoder, pool, layer), atol=2e-5)


def test_a_single_text_is_a_single_vector(encoder):
    alone = encoder.encode(TEXTS[0])
    assert alone.shape == (encoder.width,)
    np.testing.assert_allclose(alone, encoder.encode(TEXTS)[0], atol=1e-5)
    assert encoder.encode([]).shape == (0, encoder.width)


def test_the_order_of_texts_does_not_matter_nor_does_their_number(encoder):
    many = [f"Satz {k} {'sehr ' * (k % 40)}kurz." for k in range(300)]
    vectors = encoder.encode(many)
    order = np.random.default_rng(0).permutation(len(many))
    np.testing.assert_allclose(encoder.encode([many[k] for k in order]), vectors[order], atol=1e-5)


def test_normalized_vectors_have_length_one_and_the_same_direction(encoder):
    plain, unit = encoder.encode(TEXTS), encoder.encode(TEXTS, normalize_embeddings=True)
    assert np.linalg.norm(unit, axis=1) == pytest.approx([1, 1, 1, 0, 1], abs=1e-6)  # the empty text stays zero
    np.testing.assert_allclose(unit * np.linalg.norm(plain, axis=1, keepdims=True), plain, atol=1e-5)


def test_tensors_are_on_the_device_and_the_mode_is_restored(encoder):
    encoder.train()
    vectors = encoder.encode(TEXTS, convert_to_tensor=True)
    assert isinstance(vectors, torch.Tensor)
    assert not vectors.requires_grad
    assert vectors.device.type == encoder.device.type
    assert encoder.training
    encoder.eval()
    np.testing.assert_array_equal(vectors.cpu().numpy(), encoder.encode(tuple(TEXTS)))


def test_a_loaded_encoder_has_no_dropout_before_and_after_texts(base):
    encoder = Encoder.from_pretrained(base)
    for _ in range(2):
        assert not encoder.training
        assert not encoder.model.training
        encoder.encode(TEXTS)


def test_the_mode_is_restored_after_an_error(encoder, monkeypatch):
    def fail(*_):
        raise RuntimeError

    monkeypatch.setattr(encoder, "encode_layers", fail)
    encoder.train()
    with pytest.raises(RuntimeError):
        encoder.encode(TEXTS)
    assert encoder.training
    encoder.eval()


def test_maps_apply_to_their_language(encoder):
    mapped = Encoder.from_pretrained("paralign-mini")
    mapped.use_map("de", mapped.layers, 2 * torch.eye(mapped.width))
    np.testing.assert_allclose(mapped.encode(TEXTS, "de"), 2 * encoder.encode(TEXTS), atol=1e-5)
    np.testing.assert_allclose(mapped.encode(TEXTS, "en"), encoder.encode(TEXTS), atol=1e-5)


def test_a_view_gives_hidden_states_with_gradient(encoder):
    view = sentence_view(encoder, [ids for ids, _ in encoder.tokenize(TEXTS, None)], None)
    states = encoder.encode(view)
    assert isinstance(states, HiddenStates)
    assert states.flat.requires_grad
    np.testing.assert_allclose(states.mean().detach().numpy(), encoder.encode(TEXTS), atol=1e-5)


def test_long_texts_are_cut(encoder):
    text = "word " * 2_000
    cut = encoder.encode(text)
    pieces = encoder.tokenize([text], None)[0][0][: encoder.max_pieces - 2]
    view = sentence_view(encoder, [pieces], None)
    np.testing.assert_allclose(cut, encoder.encode(view).mean()[0].detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": [3]}, "texts are strings, not int"),
        ({"texts": ["a", None]}, "texts are strings, not NoneType"),
        ({"texts": "a", "pool": "max"}, "unknown pooling 'max'"),
        ({"texts": "a", "layer": 9}, "there is no layer 9"),
        ({"texts": "a", "layer": "2"}, "there is no layer '2'"),
        ({"texts": "a", "layer": None}, "there is no layer None"),
        ({"texts": None}, "texts are strings, not NoneType"),
        ({"texts": ["a", "b\ud800c"]}, r"text 1 has a lone surrogate, which is no character: 'b\\ud800c' \(remove"),
    ],
)
def test_mistakes(encoder, arguments, message):
    with pytest.raises(UserError, match=message):
        encoder.encode(**arguments)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("batch_size", "texts of similar length are encoded together"),
        ("show_progress_bar", "leave it out"),
        ("convert_to_numpy", "convert_to_tensor=True"),
        ("device", r"encoder\.to\(device\)"),
        ("prompt", "in front of the texts"),
        ("pooling", "use pool"),
        ("normalise_embeddings", "did you mean 'normalize_embeddings'"),
    ],
)
def test_arguments_of_sentence_transformers_lead_to_ours(encoder, name, instead):
    with pytest.raises(TypeError, match=rf"encode\(\) has no argument '{name}' \(.*{instead}"):
        encoder.encode("a", **{name: None})
