"""Encoding of text in which the names of special tokens (``[MASK]``, ``</s>``) are ordinary characters."""

from __future__ import annotations

import json
from typing import Any
from weakref import WeakKeyDictionary

from tokenizers import Encoding, Tokenizer

__all__ = ["encode_text"]

_renamed: WeakKeyDictionary[Any, Tokenizer] = WeakKeyDictionary()


def encode_text(tokenizer: Any, texts: list[str]) -> list[Encoding]:
    """Encode texts, without special tokens around them or in them, without padding and without truncation.

    A fast tokenizer reads ``[MASK]`` in a text as the mask piece. The option that prevents it
    (``split_special_tokens`` in transformers) is not enough for Unigram models, which find ``</s>`` in their vocabulary
    again, also after normalization (``＜/s＞``). Such texts are encoded by a copy whose special tokens have names that
    cannot occur in text; its ids are the same.

    Args:
        tokenizer: a fast tokenizer.
        texts: the texts.
    """
    backend: Tokenizer = tokenizer.backend_tokenizer
    encodings = _encode(backend, texts)
    special, unknown = set(_special_pieces(tokenizer).values()), tokenizer.unk_token_id
    special.discard(unknown)  # other characters can be unknown, too
    wrong = [
        k
        for k, (text, encoding) in enumerate(zip(texts, encodings, strict=True))
        if not special.isdisjoint(encoding.ids)
        or (unknown in encoding.ids and tokenizer.unk_token in _normalize(backend, text))
    ]
    if wrong:
        if tokenizer not in _renamed:
            _renamed[tokenizer] = _rename_special_pieces(tokenizer)
        for k, encoding in zip(wrong, _encode(_renamed[tokenizer], [texts[k] for k in wrong]), strict=True):
            encodings[k] = encoding
    return encodings


def _encode(backend: Tokenizer, texts: list[str]) -> list[Encoding]:
    backend.no_truncation()
    backend.no_padding()
    before = backend.encode_special_tokens
    backend.encode_special_tokens = True  # not part of the saved tokenizer, nor of its fingerprint
    try:
        return list(backend.encode_batch(texts, add_special_tokens=False))
    finally:
        backend.encode_special_tokens = before


def _normalize(backend: Tokenizer, text: str) -> str:
    return text if backend.normalizer is None else str(backend.normalizer.normalize_str(text))


def _special_pieces(tokenizer: Any) -> dict[str, int]:
    """Return the special tokens and their ids."""
    named = dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
    added = tokenizer.backend_tokenizer.get_added_tokens_decoder()
    return named | {token.content: number for number, token in added.items() if token.special}


def _rename_special_pieces(tokenizer: Any) -> Tokenizer:
    """Return a copy of the backend in which no text contains the name of a special token."""
    # A name with a space is not found in text, which is split at spaces or has them replaced.
    names = {name: f"\ufdd0 {name}" for name in _special_pieces(tokenizer)}
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    model = state["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {names.get(piece, piece): number for piece, number in model["vocab"].items()}
    else:  # Unigram: pieces with scores
        model["vocab"] = [[names.get(piece, piece), score] for piece, score in model["vocab"]]
    if model.get("unk_token") is not None:
        model["unk_token"] = names.get(model["unk_token"], model["unk_token"])
    for token in state["added_tokens"]:
        token["content"] = names.get(token["content"], token["content"])
    state["post_processor"] = None  # it refers to special tokens by name
    return Tokenizer.from_str(json.dumps(state))
