"""Sentences that must not be trained on: those of test files, whatever their format."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from paralign.corpus.clean import HashSet, sentence_hashes
from paralign.errors import UserError
from paralign.formats.conllu import comments, tree_of
from paralign.formats.item_errors import Block, ItemError, raise_or_drop, sentence_blocks
from paralign.formats.lines import read_lines
from paralign.formats.squad import load_json
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, TextSpec
from paralign.text.normalization import normalize

__all__ = ["Source", "batched", "excluded_sentences", "no_sentences_error", "iter_sentences"]

Source = Path | str | PairSpec | TextSpec
BATCH = 10_000
# Keys of JSON whose texts are no sentences.
_OTHER = {
    "answers",
    "answer",
    "title",
    "label",
    "gold_label",
    "language",
    "lang",
    "id",
    "pairid",
    "uid",
    "idx",
    "genre",
}
_TAGGED = re.compile(r"\S+[\t ](?:\S+[\t ])*(?:O|[BIES]-\S+)")
_NO_WORD = ("# ", "-DOCSTART-")
_END = re.compile(r"(?<=[.!?؟।])\s+|(?<=[。！？])|\n")


def excluded_sentences(sources: Iterable[Source], *, lenient: bool = False) -> tuple[HashSet, list[dict[str, Any]]]:
    """Hashes of every sentence that must not be trained on.

    Args:
        sources: specs (all sides), or files, plain or gzip: every ``# text…`` comment of a ``.conllu`` file, or the
            text its words make; all texts of a ``.json`` or ``.jsonl`` file and their sentences (but no answers,
            titles, labels and ids); the joined words of a file with one word and its entity tag a line; otherwise every
            column of every line (separated by tabs or ``|||``).
        lenient: drop and count what cannot be read.

    Returns:
        a set of :func:`paralign.corpus.clean.sentence_hashes`, text without letters and digits left out; and of each
        source its name, its ``sentences`` (those with letters or digits, equal ones counted again) and what was
        ``dropped``.

    Raises:
        UserError: for a file that cannot be read or has no sentence.
    """
    out, rows = HashSet(), []
    for source in sources:
        dropped: Counter[str] = Counter()
        found = 0
        for batch in batched(iter_sentences(source, lenient=lenient, dropped=dropped)):
            hashes = sentence_hashes(batch)
            found += int((hashes != 0).sum())
            out.add_new(hashes[hashes != 0])
        if not found:
            raise no_sentences_error(source)
        rows.append({"source": str(source), "sentences": found, "dropped": dict(+dropped)})
    return out, rows


def no_sentences_error(source: Source) -> UserError:
    """The error for a file without a sentence."""
    hint = "give a file of sentences: text, TSV, CoNLL, CoNLL-U, JSON"
    return UserError("no sentence was found", where=str(source), hint=hint)


def iter_sentences(source: Source, *, lenient: bool = False, dropped: Counter[str] | None = None) -> Iterator[str]:
    """The sentences of one source, as :func:`excluded_sentences` reads it; some may be empty."""
    count: Counter[str] = Counter() if dropped is None else dropped
    if isinstance(source, PairSpec):
        for pair in read_pairs(source, lenient=lenient, dropped=count):
            yield from (pair.source, pair.target)
        return
    if isinstance(source, TextSpec):
        yield from (text for _, text in read_text(source, lenient=lenient, dropped=count))
        return
    kind = str(source).removesuffix(".gz").removesuffix(".zst").rpartition(".")[2]
    if kind == "json":
        yield from _texts(load_json(source))
    elif kind == "conllu":
        for block in sentence_blocks(source, lenient=lenient, dropped=count):
            yield from _analyzed(block, source, lenient, count)
    else:
        lines = read_lines(source, lenient=lenient, dropped=count)
        if kind == "jsonl":
            yield from _json_lines(lines, source, lenient, count)
            return
        head = [line for _, line in zip(range(50), lines, strict=False)]
        words = [text for _, text in head if text and not text.startswith(_NO_WORD)]
        every = (text for _, text in chain(head, lines))
        if words and all(_TAGGED.fullmatch(text) for text in words):
            yield from _tagged(every)
        else:
            for text in every:
                yield from map(normalize, text.replace("|||", "\t").split("\t"))


def _analyzed(block: Block, source: Source, lenient: bool, dropped: Counter[str]) -> Iterator[str]:
    """The texts of a sentence of a treebank: its own, its translations."""
    said = [text for name, text in comments(block).items() if name.startswith("text")]
    if "text" not in comments(block) and not all(line.startswith("#") for _, line in block):
        try:
            said.append(tree_of(block, labeled=False).text)
        except ItemError as fault:
            assert not isinstance(source, PairSpec | TextSpec)
            raise_or_drop(fault, source, "sentence", lenient=lenient, dropped=dropped)
    yield from map(normalize, said)


def _tagged(lines: Iterable[str]) -> Iterator[str]:
    words: list[str] = []
    for line in chain(lines, [""]):
        if line.startswith(_NO_WORD) and not (line.startswith("# ") and _TAGGED.fullmatch(line)):
            continue
        if line.strip():
            word = re.split(r"[\t ]", line, maxsplit=1)[0]
            words.append(re.sub(r"^[a-z]{2,3}:(?=.)", "", word))  # WikiANN writes de:Haus
        elif words:
            yield normalize(" ".join(words))
            words = []


def _json_lines(
    lines: Iterable[tuple[int, str]], source: Path | str, lenient: bool, dropped: Counter[str]
) -> Iterator[str]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            fault = ItemError("not JSON", f"is not JSON: {error}", number)
            raise_or_drop(fault, source, "line", lenient=lenient, dropped=dropped)
            continue
        yield from _texts(found)


def _texts(whole: Any) -> Iterator[str]:
    for found in _walk(whole):
        yield normalize(found)
        yield from map(normalize, _END.split(found))


def _walk(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
            if str(key).lower() not in _OTHER:
                yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


def batched(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Lists of some thousand items."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
