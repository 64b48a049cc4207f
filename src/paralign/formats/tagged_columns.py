"""Sentences in columns, one word a line: the formats of named-entity recognition."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Literal

from paralign.errors import UserError
from paralign.formats.conllu import spans_of
from paralign.formats.item_errors import Block, ItemError, no_items_error, raise_or_drop, sentence_blocks
from paralign.formats.items import Tagged
from paralign.text.normalization import normalize
from paralign.text.language_tags import find_tag

__all__ = ["read_tagged_columns", "to_bio"]

_TAG = re.compile(r"O|[BIES]-\S+")
_Named = tuple[str, str]
"""A path and the language of its text."""
_LOOK = 20
"""Sentences looked at for a language before each word."""


def read_tagged_columns(
    path: str,
    language: str,
    *,
    scheme: Literal["bio", "conll"] = "bio",
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    labeled: bool = True,
) -> Iterator[Tagged]:
    """Read tagged sentences in a stream: PAN-X, CoNLL-2002 and CoNLL-2003 columns.

    Blank lines end a sentence. Columns are separated by tabs if the first word's line has one, else by spaces; the
    first is the word, the last its tag. ``-DOCSTART-`` lines are skipped, and lines that begin with ``# `` and do not
    end in a tag. The prefix of WikiANN's own files (``de:Haus``) is removed where every word of the first sentences
    has it. Words are brought to normal form.

    Args:
        path: the file, plain or compressed, or ``-``.
        language: canonical tag.
        scheme: ``bio``: tags must be O, B-TYPE or I-TYPE, an entity begins with B-. ``conll``: tags in IOB1, BIO or
            BIOES are read as conlleval reads them and rewritten to BIO; an I- without a B- before it begins an entity.
        lenient: drop sentences that are not well-formed instead of raising.
        dropped: counts what ``lenient`` dropped: the reasons of ``read_lines``, ``incomplete sentence``,
            ``empty word``, ``missing tag``, ``malformed tag``, ``wrong columns``, ``I- without B-``,
            ``missing prefix``.
        labeled: with ``False`` no sentence is refused or dropped for its tags: where one is missing or malformed, the
            sentence has none.

    Raises:
        UserError: with ``file:line``; where the prefix is that of another language.
    """
    if scheme not in ("bio", "conll"):
        raise UserError(f"unknown scheme {scheme!r}", hint="known: bio, conll")
    count: Counter[str] = Counter() if dropped is None else dropped
    return _read((path, language), scheme, lenient, count, labeled)


def to_bio(tags: Sequence[str]) -> list[str]:
    """Tags in IOB1, BIO or BIOES as BIO, read as conlleval 2.0 does (Tjong Kim Sang and Buchholz, CoNLL-2000).

    An entity begins at B- or S-, at any change of type, and behind O, E- or S-.
    """
    out = []
    before, type_before = "O", ""
    for tag in tags:
        if tag == "O":
            out.append(tag)
            before, type_before = "O", ""
            continue
        kind, type_ = tag[0], tag[2:]
        begins = kind in "BS" or before in "OES" or type_ != type_before
        out.append(("B-" if begins else "I-") + type_)
        before, type_before = kind, type_
    return out


def _read(spec: _Named, scheme: str, lenient: bool, dropped: Counter[str], labeled: bool) -> Iterator[Tagged]:
    blocks = sentence_blocks(spec[0], lenient=lenient, dropped=dropped)
    head = list(islice(blocks, _LOOK))
    layout = _Layout(head, spec)
    found = False
    for block in chain(head, blocks):
        try:
            rows = layout.rows(block, labeled)
            if not rows:
                continue
            tags = _tags(rows, scheme, labeled)
        except ItemError as fault:
            raise_or_drop(fault, spec[0], "sentence", lenient=lenient, dropped=dropped)
            continue
        found = True
        words = tuple(normalize(word) or word for _, word, _ in rows)
        text, spans = spans_of(words, [False] * len(words))
        yield Tagged(text, words, spans, tags, rows[0][0])
    if not found:
        raise no_items_error(spec[0], "sentence", dropped)


class _Layout:
    """How the file's lines are split, judged by its first sentences."""

    def __init__(self, head: Sequence[Block], spec: _Named) -> None:
        lines = [line for block in head for _, line in block if not line.startswith(("# ", "-DOCSTART-"))]
        split = [_split(line, "\t" in line) for line in lines]
        # A line without a tag must not speak for the file.
        model = next((k for k, cells in enumerate(split) if _is_tagged(cells)), 0)
        self.tabs = bool(lines) and "\t" in lines[model]
        self.width = len(split[model]) if lines else 1
        self.prefix = _prefix([_split(line, self.tabs)[0] for line in lines], spec)

    def rows(self, block: Block, labeled: bool) -> list[tuple[int, str, str]]:
        """Line, word and tag (empty if there is none) of each word."""
        rows = []
        for number, line in block:
            cells = _split(line, self.tabs) if self.width > 1 else [line]
            word, tag = cells[0], cells[-1] if len(cells) > 1 else ""
            if line.startswith("-DOCSTART-") or (line.startswith("# ") and not _TAG.fullmatch(tag)):
                continue
            if labeled and len(cells) != self.width and len(cells) > 1:
                raise ItemError("wrong columns", f"{len(cells)} columns, not {self.width} as in other lines", number)
            if self.prefix:
                if not word.startswith(self.prefix):
                    raise ItemError("missing prefix", f"the word {word!r} does not begin with {self.prefix!r}", number)
                word = word[len(self.prefix) :]
            if not word.strip():
                raise ItemError("empty word", "the word is empty", number)
            rows.append((number, word, tag))
        return rows


def _split(line: str, tabs: bool) -> list[str]:
    # Not split(): a no-break space is part of a word here.
    return line.split("\t") if tabs else [cell for cell in line.split(" ") if cell]


def _is_tagged(cells: Sequence[str]) -> bool:
    return len(cells) > 1 and _TAG.fullmatch(cells[-1]) is not None


def _prefix(words: Sequence[str], spec: _Named) -> str:
    path, expected = spec
    tag, colon, _ = words[0].partition(":") if words else ("", "", "")
    if not colon or not all(word.startswith(tag + ":") for word in words):
        return ""
    language = find_tag(tag)
    if language and language != expected:
        message = f"every word begins with {tag + ':'!r}, the file is not of the language {expected!r}"
        raise UserError(message, where=path, hint=f"write {language}={path}")
    return f"{tag}:" if language else ""


def _tags(rows: Sequence[tuple[int, str, str]], scheme: str, labeled: bool) -> tuple[str, ...]:
    """The tags as BIO; none for unlabeled data whose tags cannot be used."""
    tags = [tag for _, _, tag in rows]
    try:
        for number, word, tag in rows:
            if not tag:
                raise ItemError("missing tag", f"{word!r} has no tag", number)
            if not _TAG.fullmatch(tag) or (scheme == "bio" and tag[0] in "ES"):
                hint = "read IOB1 and BIOES with --set task.scheme=conll" if tag[1:2] == "-" else None
                raise ItemError("malformed tag", f"{tag!r} is neither O nor B-TYPE nor I-TYPE", number, hint)
        if scheme == "conll":
            return tuple(to_bio(tags))
        for (number, _, tag), before in zip(rows, ["O", *tags], strict=False):
            if tag[0] == "I" and before[2:] != tag[2:]:
                hint = "read it as conlleval does with --set task.scheme=conll"
                raise ItemError("I- without B-", f"{tag!r} stands behind {before!r}, not in an entity", number, hint)
    except ItemError:
        if labeled:
            raise
        return ()
    return tuple(tags)
