"""Tagged sentences in columns, one word per line: the formats of named-entity recognition."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Literal

from paralign.errors import UserError
from paralign.formats.item_errors import (
    Block,
    ItemError,
    check_forms,
    no_items_error,
    raise_or_drop,
    read_ahead,
    sentence_blocks,
)
from paralign.formats.items import Tagged
from paralign.formats.lines import numbered_lines
from paralign.text.language_tags import find_tag
from paralign.text.normalization import normalize
from paralign.text.words import join_words

__all__ = ["TAG", "Columns", "has_no_columns", "read_tagged_columns", "to_bio"]

TAG = re.compile(r"O|[BIESLUMW]-\S+")
_BEGINS, _ENDS = frozenset("BSUW"), frozenset("OESLUW")
"""First letters of tags that begin an entity, and after which one begins: E- and S- of BIOES are L- and U- in BILOU; in
BMES and BMEWO, M- is I- and W- is S-."""
Columns = tuple[int | None, int | None]
"""The columns of words and tags, from 1; ``None`` for the first and the last."""
_SKIPPED = ("# ", "-DOCSTART-")
"""Beginnings of lines that do not hold a word."""
_LAYOUT_LINES = 100
"""Lines at the beginning of a file that decide whether it has columns."""
_LAYOUT_SENTENCES = 20
"""Sentences at the beginning of a file from which its layout is inferred."""


def read_tagged_columns(
    path: str,
    language: str,
    *,
    scheme: Literal["bio", "conll"],
    columns: Columns,
    lenient: bool,
    dropped: Counter[str],
    labeled: bool,
) -> Iterator[Tagged]:
    """Read tagged sentences in a stream: PAN-X, CoNLL-2002 and CoNLL-2003 columns.

    Blank lines end a sentence. Columns are separated by tabs if the line of the first word has one, otherwise by
    spaces; the first is the word, the last its tag, unless ``columns`` says otherwise. ``-DOCSTART-`` lines are
    skipped, and lines that begin with ``# `` and have no tag. The prefix of WikiANN's original files (``de:Haus``) is
    removed if every word of the first sentences has it. Words are normalized.

    Args:
        path: the file, plain or compressed, or ``-``.
        language: canonical tag.
        scheme: ``bio``: tags must be O, B-TYPE or I-TYPE, and an entity begins with B-. ``conll``: tags in IOB1, BIO or
            BIOES are interpreted like conlleval does and converted to BIO, and so are BILOU and BMES; an I- without a
            preceding B- begins an entity.
        columns: the columns of words and tags, from 1. ``None`` for the first and the last.
        lenient: drop malformed sentences instead of raising.
        dropped: counts what ``lenient`` dropped: the reasons of ``read_lines``, ``incomplete sentence``,
            ``empty word``, ``forms withheld``, ``missing tag``, ``malformed tag``, ``wrong columns``,
            ``I- without B-``, ``missing prefix``.
        labeled: whether tags are required; with ``False``, a sentence with a missing or malformed tag gets no tags.

    Raises:
        UserError: with ``file:line``; for the prefix of another language; for word numbers in the column of words.
    """
    blocks = sentence_blocks(path, lenient=lenient, dropped=dropped)
    head, blocks = read_ahead(blocks, _LAYOUT_SENTENCES, dropped)
    layout = _Layout(head, path, language, columns)
    empty = True
    for block in blocks:
        try:
            rows = layout.rows(block, labeled)
            if not rows:
                continue
            check_forms((word for _, word, _ in rows), rows[0][0])
            tags = _tags(rows, scheme, labeled, layout.hint)
        except ItemError as error:
            raise_or_drop(error, path, "sentence", lenient=lenient, dropped=dropped)
            continue
        empty = False
        words = tuple(normalize(word) or word for _, word, _ in rows)
        text, spans = join_words(words, [False] * len(words))
        yield Tagged(text, words, spans, tags, rows[0][0])
    if empty:
        raise no_items_error(path, "sentence", dropped)


def has_no_columns(path: str) -> bool:
    """Return whether a file has sentences instead of a word on each line; ``False`` for what cannot be read twice.

    This is so if most of its first lines have several words (not all of them two), hardly any of them ends with a tag,
    and there are no tabs and no blank lines between them.
    """
    if not Path(path).is_file():
        return False
    lines = (line for _, line in numbered_lines(path, lenient=True))
    head = list(islice((line for line in lines if line is None or not line.startswith(_SKIPPED)), _LAYOUT_LINES))
    while head and not (head[-1] is None or head[-1].strip()):
        head.pop()
    if not all(line and line.strip() and "\t" not in line for line in head):
        return False
    rows = [_split(line, False) for line in head if line]
    tagged = [k for k, words in enumerate(rows) if TAG.fullmatch(words[-1])]
    widths = {len(words) for words in rows}
    if widths == {2} and len(rows) > 1:  # such as words with their parts of speech
        return False
    return 2 * sum(len(words) > 1 for words in rows) > len(rows) and not _is_most(tagged, rows)


def to_bio(tags: Sequence[str]) -> list[str]:
    """Convert tags in IOB1, BIO or BIOES to BIO, interpreted like conlleval 2.0 (Tjong Kim Sang and Buchholz 2000).

    An entity begins at B- or S-, at any change of type, and after O, E- or S-. L- and U- of BILOU, and W- of BMEWO, are
    read as E-, S- and S-; any other letter, such as M-, as I-.

    >>> to_bio(["I-PER", "E-PER", "I-PER", "O", "S-LOC"])
    ['B-PER', 'I-PER', 'B-PER', 'O', 'B-LOC']
    """
    out = []
    last_prefix, last_type = "O", ""
    for tag in tags:
        prefix, entity_type = tag[0], tag[2:]
        if tag == "O":
            out.append(tag)
        else:
            begins = prefix in _BEGINS or last_prefix in _ENDS or entity_type != last_type
            out.append(("B-" if begins else "I-") + entity_type)
        last_prefix, last_type = prefix, entity_type
    return out


class _Layout:
    """How the lines of a file are split, inferred from its first sentences."""

    def __init__(self, head: Sequence[Block], path: str, language: str, columns: Columns) -> None:
        self.word = (columns[0] or 1) - 1
        self.tag = -1 if columns[1] is None else columns[1] - 1
        blocks = [[line for _, line in block if not line.startswith(_SKIPPED)] for block in head]
        lines = [line for block in blocks for line in block]
        split = [_split(line, "\t" in line) for line in lines]
        # The first line with a tag is typical of the file.
        tagged = [k for k, cells in enumerate(split) if self._is_tagged(cells)]
        self.has_tags, typical = _is_most(tagged, split), tagged[0] if tagged else 0
        self.tabs = bool(lines) and "\t" in lines[typical]
        self.width = len(split[typical]) if lines else 1
        self.hint = self._other_columns(split)
        """The setting for a column that looks like the tags, for errors; ``None`` if there is none."""
        numbered = [[cells[0] for cells in map(_split, block, [self.tabs] * len(block))] for block in blocks]
        if columns[0] is None and self.width > 2 and _are_numbers(numbered):
            hint = self.hint or "use --set task.word_column=2"
            raise UserError("the first column holds the numbers of the words, not the words", where=path, hint=hint)
        words = [cells[self.word] for line in lines if len(cells := _split(line, self.tabs)) > self.word]
        self.prefix = _prefix(words, path, language)

    def _is_tagged(self, cells: Sequence[str]) -> bool:
        return 1 < len(cells) > self.tag and TAG.fullmatch(cells[self.tag]) is not None

    def _other_columns(self, rows: Sequence[Sequence[str]]) -> str | None:
        rows = [cells for cells in rows if len(cells) == self.width]
        if not rows or any(map(self._is_tagged, rows)):
            return None
        found = [k for k in range(1, self.width) if all(TAG.fullmatch(cells[k]) for cells in rows)]
        if not found or found == [self.width - 1]:
            return None
        word = " --set task.word_column=2" if all(cells[0].isdecimal() for cells in rows) and found[0] > 1 else ""
        return f"the tags are in column {found[0] + 1}: use --set task.tag_column={found[0] + 1}{word}"

    def rows(self, block: Block, labeled: bool) -> list[tuple[int, str, str]]:
        """Return line, word and tag (empty if there is none) of each word."""
        rows = []
        for number, line in block:
            cells = _split(line, self.tabs) if self.width > 1 else [line]
            tag = cells[self.tag] if 1 < len(cells) > self.tag else ""
            if line.startswith("-DOCSTART-") or (line.startswith("# ") and not TAG.fullmatch(tag)):
                continue
            # Without labels, the tag may be missing.
            may_differ = not labeled and self.has_tags and len(cells) < self.width
            if len(cells) != self.width and len(cells) > 1 and not may_differ:
                raise ItemError("wrong columns", f"{len(cells)} columns, not {self.width} as in other lines", number)
            if len(cells) <= self.word:
                message = f"{len(cells)} columns, but the words are in column {self.word + 1}"
                raise ItemError("wrong columns", message, number)
            word = cells[self.word]
            if self.prefix:
                if not word.startswith(self.prefix):
                    raise ItemError("missing prefix", f"the word {word!r} does not begin with {self.prefix!r}", number)
                word = word[len(self.prefix) :]
            if not word.strip():
                raise ItemError("empty word", "the word is empty", number)
            rows.append((number, word, tag))
        return rows


def _split(line: str, tabs: bool) -> list[str]:
    # Not split(): a no-break space is part of a word.
    return line.split("\t") if tabs else [cell for cell in line.split(" ") if cell]


def _is_most(tagged: Sequence[int], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether most lines of several columns have a tag: a word of a sentence may look like one (``I-95``)."""
    return 2 * len(tagged) > sum(len(cells) > 1 for cells in rows)


def _are_numbers(blocks: Iterable[Sequence[str]]) -> bool:
    """Return whether the words of all sentences are 1, 2, 3 ..., and there is more than one word."""
    filled = [block for block in blocks if block]
    return any(len(block) > 1 for block in filled) and all(
        block == [str(k) for k in range(1, len(block) + 1)] for block in filled
    )


def _prefix(words: Sequence[str], path: str, expected: str) -> str:
    tag, colon, _ = words[0].partition(":") if words else ("", "", "")
    if not colon or not all(word.startswith(tag + ":") for word in words):
        return ""
    language = find_tag(tag)
    if language and language != expected:
        message = f"every word begins with {tag + ':'!r}, so the file is not in the language {expected!r}"
        raise UserError(message, where=path, hint=f"write {language}={path}")
    return f"{tag}:" if language else ""


def _tags(rows: Sequence[tuple[int, str, str]], scheme: str, labeled: bool, layout_hint: str | None) -> tuple[str, ...]:
    """Return the tags as BIO; none for unlabeled data with unusable tags."""
    tags = [tag for _, _, tag in rows]
    try:
        for number, word, tag in rows:
            if not tag:
                raise ItemError("missing tag", f"{word!r} has no tag", number, layout_hint)
            if not TAG.fullmatch(tag):
                message = f"{tag!r} is neither O nor a type of entity after B-, I-, or another letter of a scheme"
                if scheme == "bio":
                    message = f"{tag!r} is neither O nor B-TYPE nor I-TYPE"
                raise ItemError("malformed tag", message, number, layout_hint)
            if scheme == "bio" and tag[0] not in "BIO":
                hint = "use --set task.scheme=conll to read IOB1, BIOES and BILOU"
                raise ItemError("malformed tag", f"{tag!r} is neither O nor B-TYPE nor I-TYPE", number, hint)
        if scheme == "conll":
            return tuple(to_bio(tags))
        for (number, _, tag), before in zip(rows, ["O", *tags], strict=False):
            if tag[0] == "I" and before[2:] != tag[2:]:
                hint = "use --set task.scheme=conll to read it like conlleval"
                raise ItemError("I- without B-", f"{tag!r} follows {before!r}, outside an entity", number, hint)
    except ItemError:
        if labeled:
            raise
        return ()
    return tuple(tags)
