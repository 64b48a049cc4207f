"""Causal language models: the states and vectors of each sentence are those of transformers' own unpadded forward."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer, GemmaTokenizer, GPT2Tokenizer, LlamaTokenizer, Qwen2Tokenizer

from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_view
from paralign.encoder.tokenizer import probe_template, tokenize
from paralign.encoder.vectors import layer_vectors
from paralign.errors import UserError
from tests.encoder.causal_models import CAUSAL, byte_level, save_causal, sentencepiece
from tests.oracles.causal_alone import states_alone, vectors_alone

TEXTS = [
    "The happy student chooses a hotel.",
    "Ja.",
    "那位高兴的学生选择一家旅馆。",
    "Fünf Köche kochen im Garten, und er liest <|end|> und </s> und <unk> und <|begin|>.",
    "She sees the old house and the river, and the dog sees the cat in the small house.",
]
KINDS = [(model_type, side) for model_type in CAUSAL for side in ("right", "left")]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: "-".join(kind))
def folder(request, sentences, tmp_path_factory):
    """A model's folder. Its tokenizer pads on the right or on the left in transformers."""
    model_type, side = request.param
    return save_causal(model_type, sentences, tmp_path_factory.mktemp("causal") / f"{model_type}-{side}", side)


@pytest.fixture(scope="module")
def plain(folder):
    """The model and tokenizer as everybody loads them."""
    return AutoModel.from_pretrained(folder, attn_implementation="eager").eval(), AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def causal(folder):
    return Encoder.from_pretrained(folder, allow_causal=True).eval()


def test_the_note_on_causal_models_can_be_silenced(folder, capsys):
    Encoder.from_pretrained(folder, allow_causal=True)
    assert "is a causal language model" in capsys.readouterr().err
    Encoder.from_pretrained(folder, allow_causal=True, quiet=True)
    assert not capsys.readouterr().err


def without_names(texts):
    return [text for text in texts if "<" not in text]


@torch.no_grad()
def test_every_layer_of_padded_rows_is_that_of_each_sentence_alone(causal, plain):
    texts = without_names(TEXTS)
    view = sentence_view(causal, [ids for ids, _ in causal.tokenize(texts, None)], None)
    found = causal.encode_layers(view, range(causal.layers + 1))
    assert len(found) == 4
    for text, start, length in zip(texts, view.starts, view.lengths, strict=True):
        ids, states = states_alone(*plain, text)
        assert view.ids[start : start + length].tolist() == ids
        for layer, of_layer in enumerate(found):
            assert np.allclose(of_layer.flat[start : start + length].numpy(), states[layer], atol=1e-5), layer


@torch.no_grad()
def test_states_are_those_of_a_batch_that_transformers_pads(folder, causal, plain):
    model, tokenizer = plain
    texts = without_names(TEXTS)
    tokenizer = AutoTokenizer.from_pretrained(folder, pad_token=tokenizer.pad_token or tokenizer.eos_token)
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    mask = inputs["attention_mask"]
    assert mask[1, -1 if folder.name.endswith("right") else 0] == 0
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    out = model(**inputs, position_ids=positions, output_hidden_states=True).hidden_states
    last_position = (mask * torch.arange(1, mask.shape[1] + 1)).argmax(1)
    for layer in range(4):
        wanted = out[layer][torch.arange(len(texts)), last_position]
        assert np.allclose(causal.encode(texts, pool="last", layer=layer), wanted.numpy(), atol=1e-5)


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_vectors_are_pooled_from_the_states_of_each_sentence_alone(causal, plain, pool):
    texts = without_names(TEXTS)
    by_layer, cut = layer_vectors(causal, texts, None, pool=pool)
    assert cut == 0
    for layer in range(4):
        wanted = vectors_alone(*plain, texts, layer, pool)
        assert np.allclose(by_layer[layer], wanted, atol=1e-5)
        assert np.allclose(causal.encode(texts, pool=pool, layer=layer), wanted, atol=1e-5)
    assert np.array_equal(causal.encode(texts, pool=pool, layer=0.67), by_layer[2])


def test_texts_with_the_names_of_special_pieces_have_none(causal):
    special = set(causal.tokenizer.all_special_ids) - {causal.tokenizer.unk_token_id}
    for text, (ids, offsets) in zip(TEXTS, causal.tokenize(TEXTS, None), strict=True):
        assert special.isdisjoint(ids.tolist())
        covered = {k for start, end in offsets.tolist() for k in range(start, end)}
        assert {k for k, character in enumerate(text) if not character.isspace()} <= covered


def test_an_empty_text_is_zero_unless_it_has_special_pieces(causal):
    vectors = causal.encode(["Ja.", "", "Ja."], pool="last")
    assert np.array_equal(vectors[0], vectors[2])
    has_special = bool(sum(map(len, causal.template.single)))
    assert bool(vectors[1].any()) == has_special
    assert not causal.encode(["", ""], pool="mean").any()


def test_the_first_piece_is_no_sentence_vector(causal, encoder):
    with pytest.raises(UserError, match="the first piece of a causal language model does not depend on the sentence"):
        causal.encode(["Ja."], pool="cls")
    assert encoder.encode(["Ja."], pool="cls").shape == (1, 32)


def test_nothing_but_states_is_there(causal):
    assert (causal.causal, causal.has_head, causal.layers, causal.width) == (True, False, 3, 32)
    assert not causal.model.config.use_cache
    with pytest.raises(UserError, match="needs a vocabulary head"):
        causal.logits(torch.zeros(1, 32))
    with pytest.raises(UserError, match="there is no layer 4"):
        causal.encode(["Ja."], layer=4)


@pytest.mark.parametrize(
    ("kind", "special", "cls", "options", "template"),
    [
        ("bytes", ["<|endoftext|>"], Qwen2Tokenizer, {}, ([], [])),
        ("bytes", ["<|endoftext|>"], GPT2Tokenizer, {}, ([], [])),
        ("sentencepiece", ["<s>", "</s>"], LlamaTokenizer, {"add_bos_token": True}, (["<s>"], [])),
        ("sentencepiece", ["<pad>", "<eos>", "<bos>"], GemmaTokenizer, {"add_bos_token": True}, (["<bos>"], [])),
    ],
)
def test_the_tokenizers_of_transformers_give_their_own_pieces(kind, special, cls, options, template, sentences):
    make = {"bytes": byte_level, "sentencepiece": sentencepiece}[kind]
    state = json.loads(make(sentences, special).to_str())["model"]
    tokenizer = cls(vocab=state["vocab"], merges=[tuple(merge) for merge in state["merges"]], **options)
    found = probe_template(tokenizer, types=False)
    assert [tokenizer.convert_ids_to_tokens(list(ids)) for ids in found.single] == list(template)
    before, after = found.single
    texts = without_names(TEXTS)
    for text, (ids, _) in zip(texts, tokenize(tokenizer, texts), strict=True):
        assert [*before, *ids.tolist(), *after] == tokenizer(text)["input_ids"]
    assert tokenizer.pad_token_id is not None or found.pad_id == 0
