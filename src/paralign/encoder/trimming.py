"""Remove the pieces that a text does not use from an encoder's vocabulary."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from paralign.encoder.encoder import Encoder
from paralign.encoder.families import model_class
from paralign.encoder.hf import first_position, has_pooling_option
from paralign.errors import UserError
from paralign.ragged import batched

__all__ = ["count_pieces", "trim_vocabulary"]

_PREFIX = re.compile(r"^(##|▁|Ġ)")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
_CHUNK = 4_096
Ints = npt.NDArray[np.int64]


def count_pieces(encoder: Encoder, texts: Iterable[str]) -> tuple[Ints, set[str]]:
    """Count the pieces of texts.

    Returns:
        How often each piece occurs, of shape [V], and the characters of the texts, before and after the tokenizer's
        normalization, such as lower-casing.
    """
    normalizer = encoder.tokenizer.backend_tokenizer.normalizer
    normalize = str if normalizer is None else normalizer.normalize_str
    counts = np.zeros(len(encoder.embeddings), np.int64)
    characters: set[str] = set()
    for chunk in batched(texts, _CHUNK):
        for ids, _ in encoder.tokenize(chunk, None):
            np.add.at(counts, ids, 1)
        characters.update(*chunk, *map(normalize, chunk))
    return counts, characters


def trim_vocabulary(encoder: Encoder, counts: Ints, characters: set[str]) -> Encoder:
    """Return a copy of an encoder with fewer pieces.

    It keeps the pieces that occur, special tokens, single characters that occur, and the bytes of byte-level
    tokenizers, in the order of their ids. Texts whose pieces are all kept have the same pieces and the same vectors.

    Args:
        encoder: the encoder.
        counts: how often each piece occurs; see :func:`count_pieces`. Shape: [V].
        characters: characters that occur.

    Raises:
        UserError: for tokenizers other than WordPiece, BPE and Unigram, and encoders with twins.
    """
    if encoder.twin_offset:
        raise UserError("an encoder with twin pieces cannot be trimmed", where=encoder.name or None)
    state = json.loads(encoder.tokenizer.backend_tokenizer.to_str())
    keep = _kept_ids(encoder, state, counts, characters)
    index = {int(old): new for new, old in enumerate(keep)}
    tokenizer = _trimmed_tokenizer(encoder.tokenizer, state, index)
    trimmed = Encoder(_trimmed_model(encoder.model, keep, index), tokenizer, name=encoder.name)
    trimmed.head_is_new = encoder.head_is_new
    return trimmed


def _kept_ids(encoder: Encoder, state: Mapping[str, Any], counts: Ints, characters: set[str]) -> Ints:
    """Return the ids to keep, in ascending order."""
    vocabulary = encoder.tokenizer.get_vocab()
    kept = {int(number) for number in np.flatnonzero(counts)} | set(encoder.tokenizer.all_special_ids)
    kept |= {added["id"] for added in state["added_tokens"]}
    padding = encoder.template.pad_id
    # RoBERTa's positions begin after the id of the padding piece, which therefore must not change.
    kept |= set(range(padding + 1)) if first_position(encoder.model) else {padding}
    bytewise = "ByteLevel" in json.dumps([state["pre_tokenizer"], state["decoder"]])
    for piece, number in vocabulary.items():
        character = _PREFIX.sub("", piece) or piece
        if (len(character) == 1 and (bytewise or character in characters or character in "▁Ġ")) or _BYTE.fullmatch(
            piece
        ):
            kept.add(number)
    if state["model"]["type"] == "Unigram":  # the score of unknown characters depends on the lowest one
        scores = [score for _, score in state["model"]["vocab"]]
        kept.add(scores.index(min(scores)))
    if state["model"]["type"] == "BPE":
        kept = _with_parts(kept, state["model"], vocabulary)
    return np.array(sorted(kept), np.int64)


def _with_parts(kept: set[int], model: Mapping[str, Any], vocabulary: Mapping[str, int]) -> set[int]:
    """Return ids and those of all pieces from which they are merged."""
    parts: dict[int, set[int]] = {}
    for left, right in map(_pair, model["merges"]):
        if left + right in vocabulary:
            parts.setdefault(vocabulary[left + right], set()).update((vocabulary[left], vocabulary[right]))
    todo, out = list(kept), set(kept)
    while todo:
        for part in parts.get(todo.pop(), set()) - out:
            out.add(part)
            todo.append(part)
    return out


def _pair(merge: Any) -> tuple[str, str]:
    left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
    return left, right


def _trimmed_tokenizer(tokenizer: Any, state: dict[str, Any], index: Mapping[int, int]) -> PreTrainedTokenizerFast:
    model = state["model"]
    if model["type"] in ("WordPiece", "BPE"):
        model["vocab"] = {piece: index[number] for piece, number in model["vocab"].items() if number in index}
    elif model["type"] == "Unigram":
        model["vocab"] = [entry for number, entry in enumerate(model["vocab"]) if number in index]
        model["unk_id"] = None if model["unk_id"] is None else index[model["unk_id"]]
    else:
        raise UserError(f"a tokenizer of type {model['type']} cannot be trimmed", hint="use WordPiece, BPE or Unigram")
    if model["type"] == "BPE":
        model["merges"] = [merge for merge in model["merges"] if "".join(_pair(merge)) in model["vocab"]]
    for added in state["added_tokens"]:
        added["id"] = index[added["id"]]
    _renumber(state["post_processor"], index)
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(state)),
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        padding_side=tokenizer.padding_side,
        **tokenizer.special_tokens_map,
    )


def _renumber(processor: Any, index: Mapping[int, int]) -> None:
    """Replace the ids in a post-processor, in place."""
    if isinstance(processor, dict):
        for name in ("sep", "cls"):
            if isinstance(processor.get(name), list):
                processor[name][1] = index[processor[name][1]]
        for special in processor.get("special_tokens", {}).values():
            special["ids"] = [index[number] for number in special["ids"]]
        for inner in processor.get("processors", []):
            _renumber(inner, index)


def _trimmed_model(model: Any, keep: Ints, index: Mapping[int, int]) -> Any:
    """Return a model with some rows of the vocabulary."""
    config = copy.deepcopy(model.config)
    config.vocab_size = len(keep)
    for name, value in list(vars(config).items()):
        if name.endswith("_token_id") and isinstance(value, int):
            setattr(config, name, index.get(value))
    kind = model_class(config)
    if has_pooling_option(type(model)):  # as it is loaded
        small = type(model)(config, add_pooling_layer=False)
    else:
        small = kind.from_config(config) if hasattr(kind, "from_config") else type(model)(config)
    small = small.to(model.device)
    shapes = {name: value.shape for name, value in small.state_dict().items()}
    rows = torch.from_numpy(keep).to(model.device)
    weights = {}
    for name, value in model.state_dict().items():
        smaller = [d for d, (old, new) in enumerate(zip(value.shape, shapes[name], strict=True)) if old != new]
        weights[name] = value.index_select(smaller[0], rows) if smaller else value  # MobileBERT has one transposed
    small.load_state_dict(weights)
    small.tie_weights()
    return small.train(model.training)
