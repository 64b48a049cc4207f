"""Sentences that must not be trained on: those of test files in any format."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from paralign.corpus.deduplicate import HashSet, sentence_hashes
from paralign.errors import UserError
from paralign.formats.conllu import comments, tree_of
from paralign.formats.item_errors import Block, ItemError, check_forms, check_surrogates, raise_or_drop, sentence_blocks
from paralign.formats.lines import read_lines
from paralign.formats.squad import load_json
from paralign.formats.streams import uncompressed_name
from paralign.formats.tagged_columns import TAG
from paralign.formats.tmx import is_tmx
from paralign.ragged import batched
from paralign.sources.readers import read_rows
from paralign.sources.specs import PairSpec, TextSpec, expand_home, parse_pairs, parse_text
from paralign.text.language_tags import find_tag
from paralign.text.normalization import normalize

__all__ = ["BATCH", "Source", "excluded_sentences", "iter_sentences", "no_sentences_error", "parse_source"]

Source = Path | str | PairSpec | TextSpec
BATCH = 10_000
# JSON keys with texts that are not sentences; id may also be Indonesian.
_IGNORED_KEYS = frozenset((
    "answer", "answers", "genre", "gold_label", "id", "idx", "label", "lang", "language", "pairid", "title", "uid",
))  # fmt: skip
_TAGGED_WORD = re.compile(rf"(?:\S+ (?:\S+ )*|[^\t]+\t(?:[^\t]*\t)*)(?:{TAG.pattern})\s*")
_NUMBERED_WORD = re.compile(rf"\d+\t[^\t]+\t(?:{TAG.pattern})(?:\t.*)?")
"""A line of Universal NER: the number of the word, the word, its tag, and more."""
_COMMENTS = ("# ", "-DOCSTART-")
_SENTENCE_END = re.compile(r"(?<=[.!?؟।])\s+|(?<=[。！？])|\n")


def parse_source(text: str) -> Source:
    """Parse a test file: ``SRC-TGT=PATH`` or ``LANG=PATH`` if languages are given, otherwise a path.

    >>> parse_source("en-de=memory.tmx").languages
    ('en', 'de')

    Raises:
        UserError: for a text with ``=`` that is neither a spec nor a file.
    """
    if "=" not in text or Path(text).exists():
        return Path(expand_home(text))
    errors = []
    for parse in (parse_pairs, parse_text):
        try:
            return parse(text)
        except UserError as error:
            errors.append(error)
    path = Path(expand_home(text))
    if path.exists():
        return path
    raise errors[0]


def excluded_sentences(sources: Iterable[Source], *, lenient: bool = False) -> tuple[HashSet, list[dict[str, Any]]]:
    """Return the hashes of all sentences that must not be trained on.

    Args:
        sources: specs (all sides), or files, plain or compressed: every ``# text…`` comment of a ``.conllu`` file, or
            the text built from its words; all texts of a ``.json`` or ``.jsonl`` file and their sentences (except
            answers, titles, labels and ids; ``id`` among keys of languages is Indonesian); the joined words of a file
            with one word and its entity tag per line; otherwise every column of every line (separated by tabs or
            ``|||``).
        lenient: drop and count what cannot be read instead of raising.

    Returns:
        The set of :func:`paralign.corpus.deduplicate.sentence_hashes`, without texts that have no letters and digits;
        and for each source its name (``source``), its number of ``sentences`` (those with letters or digits, including
        repetitions) and the counts of what was ``dropped``.

    Raises:
        UserError: for a file that cannot be read or has no sentence.
    """
    hashes_of_all, rows = HashSet(), []
    for source in sources:
        dropped: Counter[str] = Counter()
        sentences = 0
        for batch in batched(iter_sentences(source, lenient=lenient, dropped=dropped), BATCH):
            hashes = sentence_hashes(batch)
            sentences += int((hashes != 0).sum())
            hashes_of_all.add_new(hashes[hashes != 0])
        if not sentences:
            raise no_sentences_error(source)
        rows.append({"source": str(source), "sentences": sentences, "dropped": dict(+dropped)})
    return hashes_of_all, rows


def no_sentences_error(source: Source) -> UserError:
    """Return the error for a file without a sentence."""
    hint = "give a file of sentences: text, TSV, CoNLL, CoNLL-U, JSON"
    return UserError("no sentence in the file", where=str(source), hint=hint)


def iter_sentences(source: Source, *, lenient: bool = False, dropped: Counter[str] | None = None) -> Iterator[str]:
    """Yield the normalized sentences of one source, read as by :func:`excluded_sentences`; some may be empty."""
    count: Counter[str] = Counter() if dropped is None else dropped
    if isinstance(source, PairSpec | TextSpec):
        for _, sides in read_rows(source, lenient=lenient, dropped=count):
            yield from sides
        return
    if is_tmx(str(source)):
        raise UserError("is a translation memory", where=str(source), hint=f"name its languages: en-de={source}")
    kind = uncompressed_name(str(source)).lower().rpartition(".")[2]
    if kind == "json":
        yield from _json_texts(load_json(source), None, source, lenient, count)
    elif kind == "conllu":
        for block in sentence_blocks(source, lenient=lenient, dropped=count):
            yield from _treebank_texts(block, source, lenient, count)
    else:
        lines = read_lines(source, lenient=lenient, dropped=count)
        if kind == "jsonl":
            yield from _json_line_texts(lines, source, lenient, count)
            return
        head = [line for _, line in zip(range(50), lines, strict=False)]
        words = [text for _, text in head if text and not text.startswith(_COMMENTS)]
        texts = (text for _, text in chain(head, lines))
        if words and all(_TAGGED_WORD.fullmatch(text) for text in words):
            yield from _joined_words(texts)
        elif words and all(_NUMBERED_WORD.fullmatch(text) for text in words):
            yield from _joined_words(text.partition("\t")[2] for text in texts)
        else:
            for text in texts:
                yield from map(normalize, text.replace("|||", "\t").split("\t"))


def _treebank_texts(block: Block, source: Source, lenient: bool, dropped: Counter[str]) -> Iterator[str]:
    """Yield the texts of a sentence of a treebank: its text and its translations."""
    texts = [text for name, text in comments(block).items() if name.startswith("text")]
    try:
        if "text" not in comments(block) and not all(line.startswith("#") for _, line in block):
            texts.append(tree_of(block, labeled=False).text)
        for text in texts:
            check_forms(text, block[0][0])
    except ItemError as error:
        assert not isinstance(source, PairSpec | TextSpec)
        raise_or_drop(error, source, "sentence", lenient=lenient, dropped=dropped)
    yield from map(normalize, texts)


def _joined_words(lines: Iterable[str]) -> Iterator[str]:
    words: list[str] = []
    for line in chain(lines, [""]):
        if line.startswith(_COMMENTS) and not (line.startswith("# ") and _TAGGED_WORD.fullmatch(line)):
            continue
        if line.strip():
            word = line.split("\t" if "\t" in line else " ", 1)[0]
            words.append(re.sub(r"^[a-z]{2,3}:(?=.)", "", word))  # WikiANN writes de:Haus
        elif words:
            yield normalize(" ".join(words))
            words = []


def _json_line_texts(
    lines: Iterable[tuple[int, str]], source: Path | str, lenient: bool, dropped: Counter[str]
) -> Iterator[str]:
    for number, line in lines:
        if not line.strip():
            continue
        try:
            content = json.loads(line)
        except (ValueError, RecursionError) as error:
            item_error = ItemError("not JSON", f"not JSON: {error}", number)
            raise_or_drop(item_error, source, "line", lenient=lenient, dropped=dropped)
            continue
        yield from _json_texts(content, number, source, lenient, dropped)


def _json_texts(
    content: Any, number: int | None, source: Path | str, lenient: bool, dropped: Counter[str]
) -> Iterator[str]:
    for text in _strings(content):
        try:
            check_surrogates(text, "a text", number)
        except ItemError as error:
            raise_or_drop(error, source, "text", lenient=lenient, dropped=dropped)
            continue
        yield normalize(text)
        yield from map(normalize, _SENTENCE_END.split(text))


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
            if key == "translation" and isinstance(value, dict):
                yield from _strings(list(value.values()))  # its keys are languages
            elif key.lower() not in _IGNORED_KEYS or (key.lower() == "id" and _has_languages(node)):
                yield from _strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value)


def _has_languages(node: dict[str, Any]) -> bool:
    """Return whether an object has texts in languages, as in ``{"en": "Hello", "id": "Halo"}``."""
    return any(isinstance(value, str | list) and key.lower() != "id" and find_tag(key) for key, value in node.items())
