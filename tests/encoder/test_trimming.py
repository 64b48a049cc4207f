"""A trimmed vocabulary gives covered text the same pieces and the same vectors."""

import copy
import json

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast

import paralign
from paralign.encoder import Encoder, train_tokenizer
from paralign.encoder.sentences import sentence_vectors
from paralign.encoder.trimming import count_pieces, trim_vocabulary
from paralign.errors import UserError
from paralign.smallworld import World
from tests.encoder.family_models import xlm_r_tokenizer

ARCHES = ["bert:2x32", "roberta:2x32", "xlm-r:2x32"]


@pytest.fixture(params=ARCHES)
def made(request, sentences):
    """An encoder, text it was trained on, and a part of that text."""
    family = request.param.partition(":")[0]
    tokenizer = (
        xlm_r_tokenizer(sentences, 700) if family == "xlm-r" else train_tokenizer(sentences, size=800, family=family)
    )
    encoder = Encoder.from_scratch(request.param, tokenizer, max_length=64, seed=3).eval()
    return encoder, list(sentences)[:40]


def pieces_of(encoder, texts):
    return [encoder.tokenizer.convert_ids_to_tokens(ids.tolist()) for ids, _ in encoder.tokenize(texts, None)]


def test_covered_text_has_the_same_pieces_and_vectors(made):
    encoder, texts = made
    small = trim_vocabulary(encoder, *count_pieces(encoder, texts))
    assert len(small.tokenizer) < 0.8 * len(encoder.tokenizer)
    assert len(small.embeddings) == len(small.tokenizer)
    assert pieces_of(small, texts) == pieces_of(encoder, texts)
    for layer in (0, 2):
        ours, before = (
            sentence_vectors(e, texts, None, pools=["cls", "mean"], layer=layer)[0] for e in (small, encoder)
        )
        for pool in ("cls", "mean"):
            assert np.allclose(ours[pool], before[pool], atol=1e-6)


def test_logits_are_those_of_the_kept_pieces(made):
    encoder, texts = made
    small = trim_vocabulary(encoder, *count_pieces(encoder, texts))
    names = small.tokenizer.convert_ids_to_tokens(range(len(small.tokenizer)))
    old = encoder.tokenizer.convert_tokens_to_ids(names)
    assert old == sorted(old)  # the order stays
    states = torch.randn(3, encoder.width)
    with torch.no_grad():
        assert torch.allclose(small.logits(states), encoder.logits(states)[:, old], atol=1e-6)


def test_specials_and_single_characters_remain(made):
    encoder, _ = made
    small = trim_vocabulary(encoder, *count_pieces(encoder, ["hotel"]))
    kept = small.tokenizer.get_vocab()
    assert set(encoder.tokenizer.all_special_tokens) <= set(kept)
    for token in "hotel":
        assert any(token in (name, name[2:], name[1:]) for name in kept)
    for name in ("mask_token", "pad_token", "cls_token", "sep_token", "unk_token"):
        assert getattr(small.tokenizer, name) == getattr(encoder.tokenizer, name)
    assert small.template.mask_id == kept[small.tokenizer.mask_token]
    assert small.model.config.pad_token_id == small.tokenizer.pad_token_id
    assert pieces_of(small, ["hotel"]) == pieces_of(encoder, ["hotel"])


def test_characters_are_those_of_the_normalized_text(tokenizer):
    encoder = Encoder.from_scratch("bert:2x32", lower_casing(tokenizer), max_length=64).eval()
    small = trim_vocabulary(encoder, *count_pieces(encoder, ["HOTEL"]))
    assert set("hotel") <= {name.removeprefix("##") for name in small.tokenizer.get_vocab()}


def lower_casing(tokenizer):
    changed = copy.deepcopy(tokenizer)
    changed.backend_tokenizer.normalizer = normalizers.Lowercase()
    return changed


def test_pieces_before_the_padding_piece_are_not_kept():
    """Only RoBERTa's positions depend on the id of the padding piece."""
    special = ["[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {piece: k for k, piece in enumerate([*special, *(f"w{k}" for k in range(500)), "[PAD]"])}
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    names = {"unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]", "pad": "[PAD]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **{f"{k}_token": v for k, v in names.items()})
    encoder = Encoder.from_scratch("bert:2x32", tokenizer, max_length=64, seed=3).eval()
    texts = ["w1 w5 w7", "w5"]
    small = trim_vocabulary(encoder, *count_pieces(encoder, texts))
    assert sorted(small.tokenizer.get_vocab()) == sorted([*special, "[PAD]", "w1", "w5", "w7"])
    assert small.model.config.pad_token_id == small.tokenizer.pad_token_id
    ours, before = (sentence_vectors(e, texts, None, pools=["mean"], layer=2)[0]["mean"] for e in (small, encoder))
    assert np.allclose(ours, before, atol=1e-6)


def test_unknown_characters_keep_their_score():
    """Without the piece of the lowest score they would cost less, and "a, unknown, bcd" would become the best path."""
    vocabulary = [("<s>", 0), ("<pad>", 0), ("</s>", 0), ("<unk>", 0), ("<mask>", 0), ("a", -1), ("bcd", -1),
                  ("axb", -35), ("cd", -13), ("never", -40)]  # fmt: skip
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=3))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"cls": "<s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **{f"{k}_token": v for k, v in names.items()})
    encoder = Encoder.from_scratch("xlm-r:2x32", tokenizer, max_length=16).eval()
    texts = ["axbcd", "a bcd"]
    assert pieces_of(encoder, texts) == [["axb", "cd"], ["a", "bcd"]]
    assert pieces_of(trim_vocabulary(encoder, *count_pieces(encoder, texts)), texts) == pieces_of(encoder, texts)


def test_the_exported_folder_loads_without_paralign(base, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("The student chooses a hotel.\n" * 25 + "The dog sleeps.\n")
    out = paralign.export(str(base), tmp_path / "out", pool="mean", trim_vocabulary=f"en={text}")
    tokenizer, model = AutoTokenizer.from_pretrained(out), AutoModel.from_pretrained(out).eval()
    original = Encoder.from_pretrained(base).eval()
    assert model.get_input_embeddings().weight.shape[0] == len(tokenizer) < len(original.tokenizer)
    given = tokenizer("The student chooses a hotel.", return_tensors="pt")
    whole = original.tokenizer("The student chooses a hotel.", return_tensors="pt")
    assert tokenizer.convert_ids_to_tokens(given["input_ids"][0]) == original.tokenizer.convert_ids_to_tokens(
        whole["input_ids"][0]
    )
    with torch.no_grad():
        ours = model(**given).last_hidden_state
        assert torch.allclose(ours, original.model.base_model(**whole).last_hidden_state, atol=1e-6)
    assert "pieces of nine tenths of the lines cover 100.00 % of those in the other tenth" in capsys.readouterr().err


def test_the_card_says_what_remains_of_the_vocabulary(base, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("The student chooses a hotel.\n" * 25)
    out = paralign.export(str(base), tmp_path / "out", trim_vocabulary=f"en={text}")
    pieces = len(AutoTokenizer.from_pretrained(out))
    assert (
        f"| vocabulary | {pieces} of 800 pieces: those of text in en, single characters, special tokens |"
        in (out / "README.md").read_text()
    )
    with pytest.raises(UserError, match="the scores of --results were measured with the whole vocabulary"):
        paralign.export(str(base), tmp_path / "other", trim_vocabulary=f"en={text}", results=tmp_path)


def test_text_in_a_script_that_was_removed_causes_a_warning(tokenizer, tmp_path):
    """Latin remains readable, since single characters of the kept text remain; Chinese does not occur in it."""
    Encoder.from_scratch("bert:1x32", tokenizer).save_pretrained(tmp_path / "whole")
    (tmp_path / "en.txt").write_text("".join(f"{World(0).sentence(k, 'en').text}\n" for k in range(40)))
    spec = f"en={tmp_path / 'en.txt'}"
    paralign.export(str(tmp_path / "whole"), tmp_path / "small", trim_vocabulary=spec, quiet=True)
    found = {}
    for model in ("whole", "small"):
        data = ["en-zh=smallworld:0-30", "zh-en=smallworld:0-30"]
        paralign.evaluate(str(tmp_path / model), task="retrieval", data=data, out=tmp_path / "e" / model, quiet=True)
        alarms = json.loads((tmp_path / "e" / model / "run.json").read_text())["alarms"]
        found[model] = [alarm for alarm in alarms if "of the pieces are unknown to the tokenizer" in alarm]
    assert found["whole"] == []
    encoder = Encoder.from_pretrained(tmp_path / "small")
    texts = [World(0).sentence(k, language).text for k in range(30) for language in ("en", "zh")]
    given = encoder.tokenizer(texts, add_special_tokens=False)["input_ids"]
    share = np.mean(np.concatenate(given) == encoder.tokenizer.unk_token_id)
    assert share > 0.3
    assert [f"{share:.1%} of" in alarm for alarm in found["small"]] == [True, True]


def test_text_is_needed(base, tmp_path):
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UserError, match="no text to select pieces by"):
        paralign.export(str(base), tmp_path / "out", trim_vocabulary=f"en={tmp_path / 'empty.txt'}")
    assert not (tmp_path / "out").exists()
