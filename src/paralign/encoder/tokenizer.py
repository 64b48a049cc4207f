"""Tokenizers: reading one's template by probing it, batch tokenization with offsets, and training one on text."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from paralign.batches.views import Template
from paralign.config import Config, did_you_mean
from paralign.encoder.families import ARCHITECTURES
from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.languages.derived_language import reverse_words

__all__ = [
    "KINDS",
    "TokenizerConfig",
    "probe_template",
    "save_tokenizer",
    "tokenize",
    "tokenizer_id",
    "train_tokenizer",
]

KINDS = ("wordpiece", "bpe")
_BERT_NAMES = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
_ROBERTA_NAMES = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
Pieces = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def tokenize(tokenizer: Any, texts: list[str], language: str | None = None, *, twin_offset: int = 0) -> list[Pieces]:
    """Piece ids [k] and character offsets [k, 2] of each text, without special pieces or truncation.

    Args:
        tokenizer: a fast one.
        texts: sentences.
        language: in one that is derived by ``trans`` every piece but the special ones, and those of an overlap, is its
            twin; in one derived by ``tinv`` they stand in reverse.
        twin_offset: difference between the ids of a twin and its piece; 0 without twins.

    Raises:
        UserError: for such a language where there are no twins.
    """
    backend: Tokenizer = tokenizer.backend_tokenizer
    backend.no_truncation()
    backend.no_padding()
    found = [
        (np.array(e.ids, np.int64), np.array(e.offsets, np.int64).reshape(-1, 2))
        for e in backend.encode_batch(texts, add_special_tokens=False)
    ]
    made = parse_derived(language) if language else None
    if made is None:
        return found
    if made.reverses_pieces:
        found = [_backwards(text, *pieces) for text, pieces in zip(texts, found, strict=True)]
    if not made.uses_twins:
        return found
    if not twin_offset:
        raise UserError(f"the encoder has no twin pieces for {language}", hint="pretrain one with text of it")
    special = np.array(tokenizer.all_special_ids)
    return [(ids + twin_offset * (made.twin_mask(ids) & ~np.isin(ids, special)), offsets) for ids, offsets in found]


def _backwards(text: str, ids: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> Pieces:
    shown = [text[start:end].strip() for start, end in offsets.tolist()]
    order = np.array(reverse_words(shown, list(range(len(ids)))), np.int64)
    return ids[order], offsets[order]


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Write a tokenizer so that older transformers read it too, without what it remembers of how it was loaded."""
    tokenizer.save_pretrained(folder)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    for name in ("backend", "is_local", "local_files_only"):
        config.pop(name, None)
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    file.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def tokenizer_id(tokenizer: Any, *, twin_offset: int = 0) -> str:
    """A fingerprint of everything that decides pieces: equal ids mean equal pieces."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    for runtime in ("truncation", "padding"):
        state.pop(runtime, None)
    text = json.dumps(state, sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest() + (f"+{twin_offset}" if twin_offset else "")


def probe_template(tokenizer: Any, *, types: bool, twin_offset: int = 0) -> Template:
    """Read how a tokenizer dresses one sentence and two, by dressing known pieces.

    Args:
        tokenizer: a fast tokenizer with a mask token.
        types: whether the model tells segments apart by token types (else all types are 0).
        twin_offset: difference between the ids of a twin and its piece; 0 without twins.

    Raises:
        UserError: if the pieces cannot be found again inside what the tokenizer makes of them.
    """
    probes = [t for t in ("a", "b", "e", "1", "the") if len(tokenize(tokenizer, [t])[0][0])]
    if len(probes) < 2:
        raise UserError("the tokenizer makes no pieces of plain Latin letters")
    one, two = (tokenize(tokenizer, [t])[0][0].tolist() for t in probes[:2])
    single = tokenizer(probes[0])["input_ids"]
    pair = tokenizer(probes[0], probes[1], return_token_type_ids=True)
    prefix, suffix = _around(single, [one])
    head, middle, tail = _around(pair["input_ids"], [one, two])
    kinds = pair["token_type_ids"] if types else [0] * len(pair["input_ids"])
    at = [len(head), len(head) + len(one), len(head) + len(one) + len(middle)]
    end = len(pair["input_ids"]) - len(tail)
    return Template(
        single=(prefix, suffix),
        pair=(head, middle, tail),
        pair_types=(kinds[0], kinds[at[0]], kinds[at[1]], kinds[at[2]], kinds[min(end, len(kinds) - 1)]),
        mask_id=tokenizer.mask_token_id,
        pad_id=tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0,
        special_ids=tuple(sorted(set(tokenizer.all_special_ids))),
        vocabulary=len(tokenizer) + twin_offset,
        twin_offset=twin_offset,
    )


def _around(ids: list[int], parts: list[list[int]]) -> list[tuple[int, ...]]:
    """The ids before, between and after the given parts."""
    out, at = [], 0
    for part in parts:
        place = next((i for i in range(at, len(ids)) if ids[i : i + len(part)] == part), None)
        if place is None:
            raise UserError("cannot read how the tokenizer joins two sentences")
        out.append(tuple(ids[at:place]))
        at = place + len(part)
    return [*out, tuple(ids[at:])]


class TokenizerConfig(Config):
    """Settings of a tokenizer that is trained."""

    temperature: float = Field(default=1.0, gt=0)
    """Languages have p^(1/T) of the characters it is trained on: 1 is proportional, larger values favor small ones."""
    coverage: float = Field(default=1.0, gt=0, le=1)
    """Share of the text's characters that ``wordpiece`` must know; the rarest beyond that are unknown pieces."""


def train_tokenizer(
    texts: Iterable[str],
    *,
    kind: str = "wordpiece",
    size: int = 12_000,
    family: str = "bert",
    coverage: float = 1.0,
) -> PreTrainedTokenizerFast:
    """Train a cased tokenizer that keeps accents, in the family's template.

    Args:
        texts: sentences; read several times, so not a generator. Equal text gives an equal tokenizer.
        kind: ``wordpiece`` (words split at spaces, punctuation and around CJK characters, as BERT does) or ``bpe``
            (byte-level, no unknown pieces).
        size: pieces, specials included.
        coverage: see :class:`TokenizerConfig`.
        family: of :data:`paralign.encoder.families.ARCHITECTURES`: ``bert`` for [CLS] A [SEP] B [SEP]; ``roberta`` for
            <s> A </s></s> B </s>.

    Raises:
        UserError: for an unknown kind, a size too small for the text's characters, or an iterator.
    """
    if isinstance(texts, Iterator):
        raise UserError("the sentences are an iterator: after the first reading it is empty", hint="give a list")
    if kind not in KINDS:
        raise UserError(f"unknown tokenizer {kind!r}", hint=did_you_mean(kind, KINDS))
    arch = ARCHITECTURES[family]
    bert = arch.dress == "bert"
    names = _BERT_NAMES if bert else _ROBERTA_NAMES
    backend = _wordpiece(texts, size, names, coverage) if kind == "wordpiece" else _bpe(texts, size, names)
    made = backend.get_vocab_size()
    if made > size:
        raise UserError(f"{size:,} pieces cannot hold the text's characters: {made:,} are needed", hint="raise --vocab")
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
        # Without this others would call the second segment of a pair the first, unlike in training.
        model_input_names=["input_ids", *(["token_type_ids"] if arch.types > 1 else []), "attention_mask"],
        **({} if bert else {"bos_token": names["cls"], "eos_token": names["sep"]}),
    )


def _words(model: Any) -> Tokenizer:
    """Cased, accents kept; words split at spaces, punctuation and around CJK characters, as BERT does."""
    backend = Tokenizer(model)
    backend.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return backend


def _wordpiece(texts: Iterable[str], size: int, names: Mapping[str, str], coverage: float) -> Tokenizer:
    """The trainer numbers ``##`` characters in the order of a randomly seeded hash map, which then breaks ties: equal
    text gives different vocabularies. So they are found in a first pass and given fixed numbers in the second."""
    special, unknown = list(names.values()), names["unk"]
    limits: dict[str, Any] = {}
    if coverage < 1:
        letters = _alphabet(texts, coverage)
        limits = {"initial_alphabet": letters, "limit_alphabet": len(letters)}

    def trained(limit: int, fixed: list[str]) -> dict[str, int]:
        backend = _words(models.WordPiece(unk_token=unknown, max_input_chars_per_word=100))
        trainer = trainers.WordPieceTrainer(
            vocab_size=limit, special_tokens=special + fixed, show_progress=False, **limits
        )
        backend.train_from_iterator(_blocks(texts), trainer)
        return dict(backend.get_vocab())

    inner = sorted(piece for piece in trained(len(special), []) if piece.startswith("##"))
    backend = _words(models.WordPiece(trained(size, inner), unk_token=unknown, max_input_chars_per_word=100))
    backend.add_special_tokens(special)
    return backend


def _alphabet(texts: Iterable[str], coverage: float) -> list[str]:
    """The most frequent characters, so many that they cover the share of all."""
    normal = _words(models.WordPiece()).normalizer
    counts: Counter[str] = Counter()
    for block in _blocks(texts):
        counts.update(normal.normalize_str(" ".join(block)))
    del counts[" "]
    wanted, out = coverage * counts.total(), []
    for letter, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if wanted <= 0:
            break
        out.append(letter)
        wanted -= count
    return out


def _bpe(texts: Iterable[str], size: int, names: Mapping[str, str]) -> Tokenizer:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(names.values()), show_progress=False, initial_alphabet=alphabet
    )
    backend.train_from_iterator(_blocks(texts), trainer)
    return backend


def _blocks(texts: Iterable[str], size: int = 1000) -> Iterator[list[str]]:
    block: list[str] = []
    for text in texts:
        block.append(text)
        if len(block) == size:
            yield block
            block = []
    if block:
        yield block
