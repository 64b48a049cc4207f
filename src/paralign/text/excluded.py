"""Sentences that must not be trained on: those of test files, whatever their format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from paralign.errors import UserError
from paralign.text.clean import Seen, sentence_hashes
from paralign.text.lines import read_lines
from paralign.text.normalise import normalise
from paralign.text.readers import read_pairs, read_text
from paralign.text.specs import PairSpec, TextSpec
from paralign.text.squad import load_json

__all__ = ["Source", "batched", "excluded_sentences", "sentences_of"]

Source = Path | str | PairSpec | TextSpec
BATCH = 10_000
# What JSON of questions and of sentence pairs calls its texts (an answer is a phrase, not a sentence).
_TEXTS = ("context", "question", "premise", "hypothesis", "sentence1", "sentence2")
_TAGGED = re.compile(r"\S+[\t ](?:\S+[\t ])*(?:O|[BIES]-\S+)")
_END = re.compile(r"(?<=[.!?؟।])\s+|(?<=[。！？])|\n")


def excluded_sentences(sources: Iterable[Source], *, lenient: bool = False) -> Seen:
    """Hashes of every sentence that must not be trained on.

    Args:
        sources: specs (all sides), or files, plain or gzip: every ``# text…`` comment of a ``.conllu`` file; questions,
            paragraphs and their sentences of a ``.json`` or ``.jsonl`` file; the joined words of a file with one word
            and its entity tag a line; otherwise every column of every line (separated by tabs or ``|||``).
        lenient: skip lines that cannot be read.

    Returns:
        a set of :func:`paralign.text.clean.sentence_hashes`; text without letters and digits is left out.

    Raises:
        UserError: for a file that cannot be read.
    """
    out = Seen()
    for source in sources:
        for batch in batched(sentences_of(source, lenient)):
            hashes = sentence_hashes(batch)
            out.fresh(hashes[hashes != 0])
    return out


def sentences_of(source: Source, lenient: bool = False) -> Iterator[str]:
    """The sentences of one source, as :func:`excluded_sentences` reads it."""
    if isinstance(source, PairSpec):
        for pair in read_pairs(source, lenient=lenient):
            yield from (pair.source, pair.target)
        return
    if isinstance(source, TextSpec):
        yield from (text for _, text in read_text(source, lenient=lenient))
        return
    kind = str(source).removesuffix(".gz").rpartition(".")[2]
    lines = (line for _, line in read_lines(source, lenient=lenient))
    if kind == "json":
        yield from _texts(load_json(source))
    elif kind == "jsonl":
        for line in lines:
            if line.strip():
                yield from _texts(_json(line, source))
    elif kind == "conllu":
        yield from (normalise(line.partition("=")[2]) for line in lines if line.startswith("# text"))
    else:
        head = [line for line, _ in zip(lines, range(50), strict=False)]
        every = chain(head, lines)
        if any(head) and all(_TAGGED.fullmatch(line) for line in head if line):
            yield from _tagged(every)
        else:
            for line in every:
                yield from map(normalise, line.replace("|||", "\t").split("\t"))


def _tagged(lines: Iterable[str]) -> Iterator[str]:
    words: list[str] = []
    for line in chain(lines, [""]):
        if line.strip():
            word = re.split(r"[\t ]", line, maxsplit=1)[0]
            words.append(re.sub(r"^[a-z]{2,3}:(?=.)", "", word))  # WikiANN writes de:Haus
        elif words:
            yield normalise(" ".join(words))
            words = []


def _json(line: str, source: Source) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UserError("a line is not JSON", where=str(source)) from error


def _texts(whole: Any) -> Iterator[str]:
    for found in _walk(whole):
        yield normalise(found)
        yield from map(normalise, _END.split(found))


def _walk(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in _TEXTS and isinstance(value, str):
                yield value
            else:
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
