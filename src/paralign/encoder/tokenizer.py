"""Tokenizers: batch tokenization with offsets, the template of special tokens, and training on text."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from paralign.batches.views import Template
from paralign.config import Config, did_you_mean
from paralign.corpus.build import TextTokenizer
from paralign.encoder.families import ARCHITECTURES
from paralign.encoder.text_encoding import encode_text
from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.languages.derived_language import reverse_words
from paralign.ragged import batched

__all__ = [
    "KINDS",
    "TokenizerConfig",
    "probe_template",
    "save_tokenizer",
    "text_tokenizer",
    "tokenize",
    "tokenize_words",
    "tokenizer_id",
    "train_tokenizer",
]

KINDS = ("wordpiece", "bpe")
_BERT_NAMES = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
_ROBERTA_NAMES = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
Pieces = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
_SPACES = " \u2581\u0120"
"""Space, and how pieces show it: ▁ and Ġ."""
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
"""First letters of words in Thai, Lao, Burmese, Khmer, Japanese and Chinese."""


def tokenize(tokenizer: Any, texts: list[str], language: str | None = None, *, twin_offset: int = 0) -> list[Pieces]:
    """Tokenize texts, without special tokens and without truncation; ``[MASK]`` in a text is text.

    Args:
        tokenizer: a fast tokenizer.
        texts: the texts.
        language: their language. If it is derived by ``trans``, pieces become their twins, except special tokens and
            those of an overlap; if it is derived by ``tinv``, the order of pieces is reversed. None: neither.
        twin_offset: difference between the ids of a twin and its piece; 0 without twins.

    Returns:
        For each text its piece ids, of shape [k], and their character offsets, of shape [k, 2].

    Raises:
        UserError: for a language derived by ``trans`` if there are no twins.
    """
    pieces = [
        (np.array(e.ids, np.int64), np.array(e.offsets, np.int64).reshape(-1, 2)) for e in encode_text(tokenizer, texts)
    ]
    derived = parse_derived(language) if language else None
    if derived is None:
        return pieces
    if derived.reverses_pieces:
        pieces = [_reverse(text, *encoded) for text, encoded in zip(texts, pieces, strict=True)]
    if not derived.uses_twins:
        return pieces
    if not twin_offset:
        raise UserError(f"the encoder has no twin pieces for {language}", hint="pretrain an encoder on text of it")
    special = np.array(tokenizer.all_special_ids)
    return [(ids + twin_offset * (derived.twin_mask(ids) & ~np.isin(ids, special)), offsets) for ids, offsets in pieces]


def tokenize_words(
    tokenizer: Any, words: list[str], language: str | None = None, *, twin_offset: int = 0
) -> list[Pieces]:
    """Tokenize single words as they are tokenized within a text.

    Byte-level tokenizers have other pieces for a word after a space. Others have a piece for the space before a word,
    which is left out. Scripts without spaces follow a punctuation mark.

    Args:
        tokenizer: a fast tokenizer.
        words: the words.
        language, twin_offset: as in :func:`tokenize`.

    Returns:
        For each word its piece ids, of shape [k], and their offsets in the word, of shape [k, 2].
    """
    before = ["。" if _WITHOUT_SPACES.match(word) else "a " for word in words]
    texts = [context + word for context, word in zip(before, words, strict=True)]
    encoded = tokenize(tokenizer, texts, language, twin_offset=twin_offset)
    out = []
    for context, (ids, offsets) in zip(before, encoded, strict=True):
        inside = offsets[:, 1] > len(context)
        ids, offsets = ids[inside], np.maximum(offsets[inside] - len(context), 0)
        if len(ids) > 1:
            first = int(ids[0]) - (twin_offset if ids[0] >= len(tokenizer) else 0)
            blank = not tokenizer.convert_ids_to_tokens(first).strip(_SPACES)
            ids, offsets = ids[blank:], offsets[blank:]
        out.append((ids, offsets))
    return out


def _reverse(text: str, ids: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> Pieces:
    """Reverse the order of the pieces of a text as ``tinv`` does."""
    strings = [text[start:end].strip() for start, end in offsets.tolist()]
    order = np.array(reverse_words(strings, list(range(len(ids)))), np.int64)
    return ids[order], offsets[order]


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write a tokenizer so that older transformers can load it, without traces of how it was loaded here."""
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for name in ("backend", "is_local", "local_files_only"):
        config.pop(name, None)
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    file.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def text_tokenizer(tokenizer: Any, *, twin_offset: int = 0) -> TextTokenizer:
    """Return a tokenizer as a token store needs it.

    Args:
        tokenizer: a fast tokenizer.
        twin_offset: as in :func:`tokenize`.
    """
    return TextTokenizer(
        partial(tokenize, tokenizer, twin_offset=twin_offset),
        tokenizer_id(tokenizer, twin_offset=twin_offset),
        len(tokenizer) + twin_offset,
        tokenizer.unk_token_id,
    )


def tokenizer_id(tokenizer: Any, *, twin_offset: int = 0) -> str:
    """Return a fingerprint of everything that determines the pieces of a text: equal ids mean equal pieces."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    for runtime in ("truncation", "padding"):
        state.pop(runtime, None)
    text = json.dumps(state, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest() + (f"+{twin_offset}" if twin_offset else "")


def probe_template(tokenizer: Any, *, types: bool, twin_offset: int = 0) -> Template:
    """Find the special tokens that a tokenizer puts around one sentence and around two, by trying it.

    Args:
        tokenizer: a fast tokenizer. If it has no padding token, padding has the id 0, which the mask hides; if it has
            no mask token, as those of causal language models, the unknown or the final one stands for it.
        types: whether the model distinguishes segments by token types; otherwise all types are 0.
        twin_offset: difference between the ids of a twin and its piece; 0 without twins.

    Raises:
        UserError: if the pieces of a sentence do not appear unchanged between the special tokens.
    """
    probes = [t for t in ("a", "b", "e", "1", "the") if len(tokenize(tokenizer, [t])[0][0])]
    if len(probes) < 2:
        raise UserError("the tokenizer produces no pieces for plain Latin letters")
    one, two = (tokenize(tokenizer, [t])[0][0].tolist() for t in probes[:2])
    single = tokenizer(probes[0])["input_ids"]
    pair = tokenizer(probes[0], probes[1], return_token_type_ids=True)
    prefix, suffix = _around(single, [one])
    head, middle, tail = _around(pair["input_ids"], [one, two])
    type_ids = pair["token_type_ids"] if types else [0] * len(pair["input_ids"])
    at = [len(head), len(head) + len(one), len(head) + len(one) + len(middle)]
    end = min(len(pair["input_ids"]) - len(tail), len(type_ids) - 1)
    return Template(
        single=(prefix, suffix),
        pair=(head, middle, tail),
        pair_types=(
            type_ids[0],
            type_ids[at[0]],
            type_ids[at[1]],
            type_ids[at[2]],
            type_ids[end],
        ),
        mask_id=_first_of(tokenizer.mask_token_id, tokenizer.unk_token_id, tokenizer.eos_token_id),
        pad_id=_first_of(tokenizer.pad_token_id),
        special_ids=tuple(sorted(set(tokenizer.all_special_ids))),
        vocabulary=len(tokenizer) + twin_offset,
        twin_offset=twin_offset,
    )


def _first_of(*ids: int | None) -> int:
    """Return the first id that a tokenizer has; 0 if it has none of them."""
    return next((number for number in ids if number is not None), 0)


def _around(ids: list[int], parts: list[list[int]]) -> list[tuple[int, ...]]:
    """Return the ids before, between and after the parts."""
    out, at = [], 0
    for part in parts:
        start = next((i for i in range(at, len(ids)) if ids[i : i + len(part)] == part), None)
        if start is None:
            raise UserError("cannot find the special tokens that the tokenizer puts around two sentences")
        out.append(tuple(ids[at:start]))
        at = start + len(part)
    return [*out, tuple(ids[at:])]


class TokenizerConfig(Config):
    """Settings for training a tokenizer."""

    temperature: float = Field(default=1.0, ge=0.01)
    """Each language gets a share p^(1/T) of the training text: 1 is proportional, larger values favor small ones."""
    coverage: float = Field(default=1.0, gt=0, le=1)
    """Share of the text's characters that ``wordpiece`` covers; rarer characters become unknown pieces."""


def train_tokenizer(
    texts: Iterable[str],
    *,
    kind: str = "wordpiece",
    size: int = 12_000,
    family: str = "bert",
    coverage: float = 1.0,
) -> PreTrainedTokenizerFast:
    """Train a cased tokenizer that keeps accents and has the special tokens of a family.

    Args:
        texts: sentences, read several times, so not an iterator. Equal text gives an equal tokenizer.
        kind: ``wordpiece`` (words split at spaces, punctuation and around CJK characters, as in BERT) or ``bpe``
            (byte-level, without unknown pieces).
        size: number of pieces, special ones included.
        family: a name in :data:`paralign.encoder.families.ARCHITECTURES`, which determines the special tokens:
            [CLS] A [SEP] B [SEP] for ``bert``, <s> A </s></s> B </s> for ``roberta``.
        coverage: see :class:`TokenizerConfig`.

    Raises:
        UserError: for an unknown kind, a size too small for the text's characters, or an iterator.

    >>> tokenizer = train_tokenizer(["the cat sees the dog", "the dog sees the cat"], size=40)
    >>> tokenizer.tokenize("the dog")
    ['the', 'dog']
    """
    if isinstance(texts, Iterator):
        raise UserError("the sentences are an iterator, but they are read several times", hint="give a list")
    if kind not in KINDS:
        raise UserError(f"unknown tokenizer {kind!r}", hint=did_you_mean(kind, KINDS))
    arch = ARCHITECTURES[family]
    bert = arch.template == "bert"
    names = _BERT_NAMES if bert else _ROBERTA_NAMES
    backend = _wordpiece(texts, size, names, coverage) if kind == "wordpiece" else _bpe(texts, size, names)
    needed = backend.get_vocab_size()
    if needed > size:
        message = f"{size:,} pieces do not cover the characters of the text: {needed:,} are needed"
        raise UserError(message, hint="raise --vocab")
    c, s = names["cls"], names["sep"]
    pair = f"{c} $A {s} $B:1 {s}:1" if bert else f"{c} $A {s} {s} $B {s}"
    backend.post_processor = processors.TemplateProcessing(
        single=f"{c} $A {s}", pair=pair, special_tokens=[(name, backend.token_to_id(name)) for name in (c, s)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        cls_token=names["cls"],
        sep_token=names["sep"],
        pad_token=names["pad"],
        unk_token=names["unk"],
        mask_token=names["mask"],
        # Without token types, other programs would give the second segment the type of the first, unlike in training.
        model_input_names=["input_ids", *(["token_type_ids"] if arch.token_types > 1 else []), "attention_mask"],
        **({} if bert else {"bos_token": names["cls"], "eos_token": names["sep"]}),
    )


def _words(model: Any) -> Tokenizer:
    """Return a cased tokenizer that keeps accents and splits words as BERT: spaces, punctuation, CJK characters."""
    backend = Tokenizer(model)
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return backend


def _wordpiece(texts: Iterable[str], size: int, names: Mapping[str, str], coverage: float) -> Tokenizer:
    """Train WordPiece so that equal text gives an equal vocabulary.

    The trainer numbers ``##`` characters in the order of a randomly seeded hash map, and their numbers break ties. So a
    first pass collects them, and the second one gets them as special tokens with fixed numbers.
    """
    special, unknown = list(names.values()), names["unk"]
    limits: dict[str, Any] = {}
    if coverage < 1:
        letters = _alphabet(texts, coverage)
        limits = {"initial_alphabet": letters, "limit_alphabet": len(letters)}

    def train(limit: int, fixed: list[str]) -> dict[str, int]:
        backend = _words(models.WordPiece(unk_token=unknown, max_input_chars_per_word=100))
        trainer = trainers.WordPieceTrainer(
            vocab_size=limit, special_tokens=special + fixed, show_progress=False, **limits
        )
        backend.train_from_iterator(batched(texts, 1000), trainer)
        return dict(backend.get_vocab())

    inner = sorted(piece for piece in train(len(special), []) if piece.startswith("##"))
    backend = _words(models.WordPiece(train(size, inner), unk_token=unknown, max_input_chars_per_word=100))
    backend.add_special_tokens(special)
    return backend


def _alphabet(texts: Iterable[str], coverage: float) -> list[str]:
    """Return the most frequent characters that together cover a share of the text."""
    normal = _words(models.WordPiece()).normalizer
    counts: Counter[str] = Counter()
    for block in batched(texts, 1000):
        counts.update(normal.normalize_str(" ".join(block)))
    del counts[" "]
    remaining, out = coverage * counts.total(), []
    for letter, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if remaining <= 0:
            break
        out.append(letter)
        remaining -= count
    return out


def _bpe(texts: Iterable[str], size: int, names: Mapping[str, str]) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(names.values()), show_progress=False, initial_alphabet=alphabet
    )
    backend.train_from_iterator(batched(texts, 1000), trainer)
    return backend
