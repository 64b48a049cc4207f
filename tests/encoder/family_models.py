"""Tiny random encoders of several families, each with a tokenizer of its kind, in folders as the hub's are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, DebertaV2Tokenizer, PreTrainedTokenizerFast

from paralign.encoder import train_tokenizer

SHAPE = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 100, "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1,
}  # fmt: skip
OFFSET = SHAPE | {"max_position_embeddings": 102}  # positions are counted from 2
# Family: kind of tokenizer, settings of the config.
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("wordpiece", SHAPE),
    "distilbert": (
        "wordpiece",
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 100},
    ),
    "deberta-v2": (
        "unigram",
        SHAPE | {
            "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False,
            "share_att_key": True, "position_buckets": 16, "norm_rel_ebd": "layer_norm", "type_vocab_size": 0,
        },
    ),
    "modernbert": (
        "bytes",
        {k: v for k, v in SHAPE.items() if "dropout" not in k} | {
            "max_position_embeddings": 8192, "global_attn_every_n_layers": 2, "local_attention": 8,
        },
    ),
    "camembert": ("bpe", OFFSET | {"type_vocab_size": 1}),
    "xlm-roberta": ("xlm-r", OFFSET | {"type_vocab_size": 1}),
    "xlm-roberta-xl": ("bpe", OFFSET | {"type_vocab_size": 1}),
    "mpnet": ("bpe", OFFSET),
    "electra": ("wordpiece", SHAPE | {"embedding_size": 16}),
    "longformer": ("bpe", OFFSET | {"attention_window": [8, 8], "type_vocab_size": 1}),  # pads rows to its window
    "splinter": ("wordpiece", SHAPE),  # no vocabulary head
}  # fmt: skip
HEADLESS = "splinter"


def tokenizer_for(kind: str, sentences: list[str]) -> Any:
    """At most 400 pieces."""
    texts = sentences[:60] + sentences[300:360]  # English and German
    if kind == "unigram":
        return _unigram(texts)
    if kind == "xlm-r":
        return xlm_r_tokenizer(texts)
    if kind == "bytes":
        return _bytes(texts)
    family = "roberta" if kind == "bpe" else "bert"
    return train_tokenizer(texts, kind=kind, size=400, family=family)


def xlm_r_tokenizer(texts: list[str], size: int = 400) -> PreTrainedTokenizerFast:
    """As XLM-R's: Unigram, and two </s> between sentences."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend = Tokenizer(models.Unigram())
    backend.normalizer, backend.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=size, unk_token="<unk>", special_tokens=special, show_progress=False)
    backend.train_from_iterator(texts, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"bos": "<s>", "cls": "<s>", "eos": "</s>", "sep": "</s>", "pad": "<pad>", "unk": "<unk>", "mask": "<mask>"}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **{f"{k}_token": v for k, v in names.items()})


def _unigram(texts: list[str]) -> DebertaV2Tokenizer:
    """DeBERTa's own class, as SentencePiece pieces come to it."""
    special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.train_from_iterator(
        texts, trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="[UNK]", show_progress=False)
    )
    by_id = sorted(backend.get_vocab().items(), key=lambda item: item[1])
    return DebertaV2Tokenizer(vocab=[(piece, 0.0 if piece in special else -float(k)) for piece, k in by_id], unk_id=3)


def _bytes(texts: list[str]) -> PreTrainedTokenizerFast:
    """As ModernBERT's: byte-level pieces with their leading space, BERT's names of special ones."""
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]"]
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=390, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]",
        mask_token="[MASK]", model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip


def made(family: str, tokenizer: Any, **settings: Any) -> Any:
    """A model with random weights away from their symmetric start: biases and norms count too."""
    config = AutoConfig.for_model(
        family, **FAMILIES[family][1] | settings, vocab_size=len(tokenizer) + 3, pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id, eos_token_id=tokenizer.sep_token_id,
    )  # fmt: skip
    for name in ("cls_token_id", "sep_token_id", "question_token_id"):
        if hasattr(config, name):
            setattr(config, name, tokenizer.sep_token_id)
    torch.manual_seed(1)
    model = (AutoModel if family == HEADLESS else AutoModelForMaskedLM).from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def save(model: Any, tokenizer: Any, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
