"""Warnings before and after an evaluation: common problems of test data and scores."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.batches.rows import hash_rows
from paralign.config import load_toml
from paralign.corpus.language_identification import describe_mismatch
from paralign.corpus.store import TokenStore
from paralign.digests import DAMAGED, file_digest, read_object
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.languages.dictionary import Dictionary
from paralign.models import local_folder
from paralign.ragged import batched, blocks, contained, row_ids
from paralign.results import Measurement
from paralign.runs.dictionary import DICTIONARY
from paralign.sources.specs import smallworld_range
from paralign.task_table import task_info
from paralign.tasks import Task

__all__ = ["SEEN", "fine_tuned_on", "seen_texts", "warn_of_data", "warn_of_languages", "warn_of_scores"]

Keys = npt.NDArray[np.uint64]
SEEN = "seen.npy"
"""File with the keys of the texts that a fine-tuning run has seen, next to its results."""
_UNKNOWN_SAMPLE = 2000
"""Number of items that unknown pieces are counted in."""
_MIN_PIECES = 8
"""Shorter texts do not count as overlap, except words of tasks whose items are words."""
_BLOCK = 100_000
_ITEMS = 4096
"""Number of items tokenized together."""


def warn_of_data(
    task: Task, encoder: Encoder, tests: Sequence[tuple[str, Any]], seen: Sequence[tuple[str, Keys]]
) -> list[str]:
    """Return warnings about test data: language, constant labels, unknown pieces, lowercasing, train–test overlap.

    Args:
        task: the task.
        encoder: the encoder, for its tokenizer.
        tests: names of data sets, and the data.
        seen: the texts seen in training (:func:`seen_texts`).
    """
    out = []
    if _lowercases(encoder):
        out.append("the tokenizer lowercases: expect lower scores if case or accents matter (NER, non-Latin scripts)")
    out += warn_of_languages(task, tests)
    for name, data in tests:
        labels = Counter(label for item in task.labels_of(data) for label in item)
        if len(labels) == 1 and labels.total() > 1:
            out.append(f"{name}: every label is {next(iter(labels))!r}; published test sets may contain placeholders")
        out += [f"{name}: {text}" for text in task.warnings(data)]
        share = _unknown_share(encoder, task, data)
        if share > 0.01:
            out.append(f"{name}: {share:.1%} of the pieces are unknown to the tokenizer")
        overlaps, total = _count_overlaps(encoder, task, data, [keys for _, keys in seen])
        for (source, _), overlapping in zip(seen, overlaps, strict=True):
            if overlapping:
                verb = "are"
                if not task.items_are_words:
                    verb = f"with a text of {_MIN_PIECES} pieces or more have such a text that is"
                out.append(f"{name}: {overlapping:,} of {total:,} items {verb} also in {source}")
    return out


def warn_of_languages(task: Task, named: Sequence[tuple[str, Any]]) -> list[str]:
    """Return warnings about data in another language or script than its tag.

    Args:
        task: the task.
        named: data sets as given by the user, ``LANG=PATH``, and their data.
    """
    return [
        f"{name}: {message}"
        for name, data in named
        if smallworld_range(name.partition("=")[2]) is None  # its languages are right
        for language, texts in task.texts_by_language(data)
        if (message := describe_mismatch(texts, language))
    ]


def warn_of_scores(rows: Sequence[Measurement]) -> list[str]:
    """Return warnings about scores that are not better than a constant answer or chance."""
    out = []
    checked = set()
    for row in rows:
        where = f"{row.task} {row.dataset} {row.language}"
        baselines = row.settings.get("baselines", {})
        if where in checked or not baselines:
            continue
        checked.add(where)  # the first metric of a data set is the main one
        chance = baselines.get("chance")
        sign = -1 if row.metric in task_info(row.task, row.settings).lower_is_better else 1
        constant = {name: value for name, value in baselines.items() if name != "chance"}
        better = {name: value for name, value in constant.items() if sign * row.value <= sign * value + 1e-9}
        if better:
            name, value = max(better.items(), key=lambda item: sign * item[1])
            baseline = f"the baseline without a model ({name} {value:.1%})"
            out.append(f"{where}: {row.metric} {row.value:.1%} is no better than {baseline}")
        elif chance is not None and abs(row.value - chance) < 1.96 * math.sqrt(chance * (1 - chance) / row.n):
            out.append(
                f"{where}: {row.metric} {row.value:.1%} is not significantly different from chance ({chance:.1%})"
            )
    return out


def seen_texts(encoder: Encoder, model: str, task: Task, train: Sequence[tuple[str, Any]]) -> list[tuple[str, Keys]]:
    """Return the texts a model was trained on, if the folders of its runs still contain them.

    Args:
        encoder: the encoder, for its tokenizer.
        model: folder of the model.
        task: the task.
        train: names of training sets, or of the development sets that settings were chosen on, and the data.

    Returns:
        Descriptions of the texts, and their sorted keys.
    """
    parts: dict[str, list[Keys]] = {}
    for name, data in train:
        parts.setdefault(name, []).extend(_keys(encoder, task, data))
    out = [(name, np.unique(np.concatenate(keys))) for name, keys in parts.items()]
    folder = local_folder(model).resolve()
    least = _least_pieces(task)
    for corpus in _corpora(folder):
        try:
            store = TokenStore.open(corpus)
        except UserError:
            if (corpus / "digests.json").is_file():
                raise
            continue  # the recorded path may be that of another folder here
        if store.meta["tokenizer"] == encoder.tokenizer_id:
            out.append((f"the text the encoder was trained on ({corpus})", _store_keys(store, least)))
    dictionary = folder.parent / DICTIONARY
    if task.items_are_words and _is_trained(folder) and dictionary.is_file():
        entries = Dictionary.load(dictionary, encoder.template.vocabulary)
        keys = [_hash(ids, np.diff(starts, append=len(ids)), least) for ids, starts in map(entries.side, (0, 1))]
        out.append((f"the dictionary the encoder was trained with ({dictionary})", np.unique(np.concatenate(keys))))
    return out


def fine_tuned_on(model: str) -> list[tuple[str, Keys]]:
    """Return the texts a fine-tuned ``seed-K/model`` was trained on, if its run still contains their keys."""
    path = local_folder(model).resolve().parent.parent / SEEN
    if not path.is_file():
        return []
    hint = "remove it: overlap with the training data is then not checked"
    facts = path.with_name("run.json")
    if facts.is_file() and read_object(facts, "restore it, or remove it").get("seen_digest") != file_digest(path):
        raise UserError(DAMAGED, where=path, hint=hint)
    try:
        return [("the data it was fine-tuned on", np.load(path))]
    except (OSError, ValueError, EOFError) as error:
        raise UserError(DAMAGED, where=path, hint=hint) from error


def _is_trained(model: Path) -> bool:
    """Return whether a folder is the encoder of a training run."""
    facts = model.parent / "run.json"
    if not model.is_dir() or not facts.is_file():
        return False
    return read_object(facts, "restore it, or remove it").get("verb") in ("align", "pretrain")


def _corpora(model: Path) -> list[Path]:
    """Return the token stores of the run that trained a model: the one it built, or the one it was started with."""
    run = model.parent
    if not _is_trained(model):
        return []
    try:
        text = load_toml(run / "config.toml").get("text", [])
    except UserError:
        text = []
    return [folder for folder in (run / "corpus", *map(Path, map(str, text))) if folder.is_dir()]


def _least_pieces(task: Task) -> int:
    return 1 if task.items_are_words else _MIN_PIECES


def _store_keys(store: TokenStore, least: int) -> Keys:
    parts = []
    for block in blocks(0, len(store), _BLOCK):
        records = np.arange(*block)
        for side in range(store.sides):
            flat, lengths = store.gather(records, np.full(len(records), side))
            parts.append(_hash(flat, lengths, least))
    return np.unique(np.concatenate(parts))


def _hash(flat: npt.NDArray[np.integer], lengths: npt.NDArray[np.integer], least: int) -> Keys:
    """Return a key for each row of pieces; 0 for rows of fewer than ``least``, too short to identify a text."""
    return np.where(lengths >= least, hash_rows(flat, lengths), np.uint64(0))


def _keys(encoder: Encoder, task: Task, data: Any) -> Iterator[Keys]:
    yield np.zeros(1, np.uint64)
    for block in batched(task.texts_of(data), _ITEMS):
        yield _keys_of(encoder, task, block, data)


def _keys_of(encoder: Encoder, task: Task, block: Sequence[Sequence[str]], data: Any) -> Keys:
    """Return the keys of all texts of a block of items."""
    texts = [text for item in block for text in item]
    unique = list(dict.fromkeys(texts))  # a paragraph is repeated for each of its questions
    pieces = [ids for ids, _ in encoder.tokenize(unique, getattr(data, "language", None))]
    flat = np.concatenate(pieces) if pieces else np.empty(0, np.int64)
    keys = dict(zip(unique, _hash(flat, np.array([len(p) for p in pieces]), _least_pieces(task)), strict=True))
    return np.array([keys[text] for text in texts], np.uint64)


def _count_overlaps(encoder: Encoder, task: Task, data: Any, seen: Sequence[Keys]) -> tuple[list[int], int]:
    """Return the numbers of items that are in each of several texts, and the number of those that can be recognized."""
    counts, total = [0] * len(seen), 0
    for block in batched(task.texts_of(data), _ITEMS) if seen else ():
        keys = _keys_of(encoder, task, block, data)
        item = row_ids(np.array([len(texts) for texts in block]))
        known = np.bincount(item[keys != 0], minlength=len(block))
        enough = known if task.items_are_words else 1
        for number, of_text in enumerate(seen):
            found = np.bincount(item[(keys != 0) & contained(keys, of_text)], minlength=len(block))
            counts[number] += int(((found >= enough) & (known > 0)).sum())
        total += int((known > 0).sum())
    return counts, total


def _unknown_share(encoder: Encoder, task: Task, data: Any) -> float:
    unknown = encoder.tokenizer.unk_token_id
    texts = [text for item in islice(task.texts_of(data), _UNKNOWN_SAMPLE) for text in item]
    pieces = [ids for ids, _ in encoder.tokenize(texts, None)] if texts else []
    total = sum(map(len, pieces))
    if unknown is None or not total:
        return 0.0
    return float(sum(int((ids == unknown).sum()) for ids in pieces) / total)


def _lowercases(encoder: Encoder) -> bool:
    (upper, _), (lower, _) = encoder.tokenize(["London PARIS Berlin", "london paris berlin"], None)
    return bool(len(upper)) and np.array_equal(upper, lower) and encoder.tokenizer.unk_token_id not in upper
