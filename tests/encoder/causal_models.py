"""Tiny random causal language models, each with a tokenizer of its kind, in folders as the hub's are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

SHAPE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 128,
}  # fmt: skip
# Model type: first and last special token of a sentence, name of the padding piece, kind of pieces, settings.
CAUSAL: dict[str, tuple[str, str, str, str, dict[str, Any]]] = {
    "llama": ("<|begin|>", "", "", "bytes", SHAPE),
    "qwen2": ("", "", "<|end|>", "bytes", SHAPE),
    "qwen3": ("", "<|end|>", "", "bytes", SHAPE),  # as embedding models, which read the state of a final piece
    "mistral": ("<s>", "", "", "sentencepiece", SHAPE | {"sliding_window": 4}),
    "gemma2": ("<bos>", "", "<pad>", "sentencepiece", SHAPE | {"sliding_window": 4}),
    "gpt2": ("", "", "", "bytes", {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 128}),
}


def causal_tokenizer(model_type: str, texts: list[str], side: str = "right") -> PreTrainedTokenizerFast:
    """About 500 pieces, without mask, [CLS] and [SEP]; ``side`` is where transformers would pad."""
    first, last, pad, kind, _ = CAUSAL[model_type]
    end = "<|end|>" if kind == "bytes" else "</s>"
    special = list(dict.fromkeys(filter(None, (first, end, pad))))
    backend = byte_level(texts, special) if kind == "bytes" else sentencepiece(texts, special)
    around = [(name, backend.token_to_id(name)) for name in (first, last) if name]
    one = " ".join(filter(None, (first, "$A", last)))
    if around:
        backend.post_processor = processors.TemplateProcessing(
            single=one, pair=f"{one} {one.replace('$A', '$B')}", special_tokens=around
        )
    named = {"bos_token": first or None, "eos_token": end, "pad_token": pad or None}
    named["unk_token"] = end if model_type == "gpt2" else "<unk>" if kind == "sentencepiece" else None
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, padding_side=side, model_input_names=["input_ids", "attention_mask"],
        **{name: token for name, token in named.items() if token},
    )  # fmt: skip


def byte_level(texts: list[str], special: list[str]) -> Tokenizer:
    """As of Llama 3, Qwen and GPT-2: pieces of bytes with their leading space; no unknown piece."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    backend.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=450, initial_alphabet=alphabet, show_progress=False)
    )
    backend.add_special_tokens(special)
    return backend


def sentencepiece(texts: list[str], special: list[str]) -> Tokenizer:
    """As of Llama 2, Mistral and Gemma: pieces that begin with ▁, and bytes of characters that have no piece."""
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace(split=False)
    known = [text for text in texts if text.isascii()]  # all others are read as bytes
    trained.train_from_iterator(known, trainers.BpeTrainer(vocab_size=300, show_progress=False))
    state = json.loads(trained.to_str())["model"]
    names = ["<unk>", *special, *(f"<0x{byte:02X}>" for byte in range(256)), *state["vocab"]]
    vocabulary = {name: k for k, name in enumerate(dict.fromkeys(names))}
    merges = [tuple(merge) for merge in state["merges"]]
    backend = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.add_special_tokens(["<unk>", *special])
    return backend


def causal_model(model_type: str, tokenizer: Any) -> Any:
    """A model with random weights away from their symmetric start: biases and norms count too."""
    config = AutoConfig.for_model(model_type, **CAUSAL[model_type][4], vocab_size=len(tokenizer) + 5)
    config.bos_token_id, config.eos_token_id, config.pad_token_id = (
        tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id,
    )  # fmt: skip
    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def save_causal(model_type: str, texts: list[str], folder: Path, side: str = "right") -> Path:
    """Write model and tokenizer to a folder, and return it."""
    tokenizer = causal_tokenizer(model_type, texts, side)
    causal_model(model_type, tokenizer).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
