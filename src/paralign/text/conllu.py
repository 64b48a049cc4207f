"""Treebanks in CoNLL-U: a strict reader with line numbers, and a writer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from paralign.config import did_you_mean
from paralign.errors import UserError, located
from paralign.text.generated import conllu_from_smallworld
from paralign.text.lines import read_lines
from paralign.text.normalise import normalise
from paralign.text.specs import TextSpec, smallworld_range
from paralign.text.words import Span

__all__ = ["UPOS", "Tree", "read_conllu", "read_trees", "write_conllu"]

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT",
    "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
"""The 17 universal part-of-speech tags."""

_WORD_ID = re.compile(r"[1-9]\d*")
_RANGE_ID = re.compile(r"([1-9]\d*)-([1-9]\d*)")
_EMPTY_ID = re.compile(r"\d+\.[1-9]\d*")


@dataclass(frozen=True, slots=True)
class Tree:
    """One analysed sentence; the sequences have one entry a syntactic word.

    ``text`` is built from the words: joined by a space unless ``SpaceAfter=No`` stands between them. A
    multi-word token's surface form ("du") is replaced by its syntactic words joined by spaces ("de le"), so
    that every word has characters of its own.
    """

    sent_id: str
    text: str
    words: tuple[str, ...]
    spans: tuple[Span, ...]
    """Characters of each word in ``text``."""
    upos: tuple[str, ...]
    xpos: tuple[str, ...]
    heads: tuple[int, ...]
    """1-based index of each word's head, 0 for the root."""
    deprels: tuple[str, ...]
    lemmas: tuple[str, ...]
    line: int
    """Line of the first word (in the small world the sentence's index)."""


class _Bad(Exception):
    def __init__(self, line: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.line, self.reason = line, reason


def read_trees(spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None) -> Iterator[Tree]:
    """Trees of a CoNLL-U file or of the small world; arguments and errors as in :func:`read_conllu`."""
    indices = smallworld_range(spec.path)
    if indices is not None:
        return conllu_from_smallworld(spec.language, indices)
    return read_conllu(spec.path, lenient=lenient, dropped=dropped)


def read_conllu(path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None) -> Iterator[Tree]:
    """Read a CoNLL-U file, plain or gzip, sentence by sentence.

    Empty nodes (``8.1``) and enhanced dependencies are skipped; forms are brought to normal form.

    Args:
        path: the file, or ``-``.
        lenient: drop sentences that are not well-formed instead of raising.
        dropped: counts what ``lenient`` dropped, by reason.

    Raises:
        UserError: with ``file:line``, for a line without 10 columns, ids out of order, a missing or unknown
            UPOS, a head out of range, none or several roots, a cycle, and what ``read_lines`` refuses.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    block: list[tuple[int, str]] = []
    found = False
    for number, line in read_lines(path, lenient=lenient, dropped=count):
        if line.strip():
            block.append((number, line))
            continue
        for tree in _trees(path, block, lenient, count):
            found = True
            yield tree
        block = []
    for tree in _trees(path, block, lenient, count):
        found = True
        yield tree
    if not found:
        why = ", ".join(f"{n} {reason}" for reason, n in count.items())
        raise UserError("no sentence in the file" + (f" (dropped: {why})" if why else ""), where=path)


def write_conllu(trees: Iterable[Tree], path: str | Path) -> None:
    """Write trees; morphological features, enhanced dependencies and other remarks are ``_``.

    Reading the file back gives equal trees but for ``line``.
    """
    with Path(path).open("w", encoding="utf-8", newline="\n") as out:
        for tree in trees:
            out.write(f"# sent_id = {tree.sent_id}\n# text = {tree.text}\n")
            columns = zip(tree.words, tree.lemmas, tree.upos, tree.xpos, tree.heads, tree.deprels, strict=True)
            for k, (word, lemma, upos, xpos, head, deprel) in enumerate(columns):
                glued = k + 1 < len(tree.spans) and tree.spans[k + 1][0] == tree.spans[k][1]
                misc = "SpaceAfter=No" if glued else "_"
                out.write(f"{k + 1}\t{word}\t{lemma}\t{upos}\t{xpos}\t_\t{head}\t{deprel}\t_\t{misc}\n")
            out.write("\n")


def spans_of(words: Iterable[str], glued: Iterable[bool]) -> tuple[str, tuple[Span, ...]]:
    """Join words, with a space behind each that is not ``glued`` to the next: text and spans."""
    text, spans, space = "", [], ""
    for word, glue in zip(words, glued, strict=True):
        text += space + word
        spans.append((len(text) - len(word), len(text)))
        space = "" if glue else " "
    return text, tuple(spans)


def _trees(path: str | Path, block: list[tuple[int, str]], lenient: bool, dropped: Counter[str]) -> Iterator[Tree]:
    if all(line.startswith("#") for _, line in block):
        return
    try:
        tree = _tree(block)
    except _Bad as error:
        if not lenient:
            mend = "mend the sentence, or drop such sentences with --lenient"
            raise UserError(str(error), where=located(path, error.line), mend=mend) from None
        dropped[error.reason] += 1
        return
    yield tree


def _tree(block: list[tuple[int, str]]) -> Tree:
    sent_id, glued = "", []
    rows: list[tuple[int, list[str]]] = []
    token_end, token_glued = (
        0,
        False,
    )  # the multi-word token under way: its last word, and whether it is glued
    for number, line in block:
        if line.startswith("#"):
            name, sign, value = line[1:].partition("=")
            sent_id = value.strip() if sign and name.strip() == "sent_id" else sent_id
            continue
        row = line.split("\t")
        if len(row) != 10:
            raise _Bad(number, "not 10 columns", f"{len(row)} columns, not 10 (columns are separated by tabs)")
        glue = "SpaceAfter=No" in row[9].split("|")
        if _EMPTY_ID.fullmatch(row[0]):
            continue
        if match := _RANGE_ID.fullmatch(row[0]):
            if int(match[1]) != len(rows) + 1 or int(match[2]) < int(match[1]) or len(rows) < token_end:
                raise _Bad(
                    number,
                    "id out of order",
                    f"the range {row[0]} does not begin at the next id {len(rows) + 1}",
                )
            token_end, token_glued = int(match[2]), glue
            continue
        if not _WORD_ID.fullmatch(row[0]) or int(row[0]) != len(rows) + 1:
            raise _Bad(number, "id out of order", f"id {row[0]!r} where {len(rows) + 1} should stand")
        rows.append((number, row))
        inside = len(rows) <= token_end
        glued.append(token_glued if inside and len(rows) == token_end else glue and not inside)
    last = block[-1][0]
    if not rows:
        raise _Bad(last, "no words", "a sentence without words")
    if len(rows) < token_end:
        raise _Bad(last, "id out of order", f"the sentence ends inside a range that goes to {token_end}")
    for number, row in rows:
        _check_row(number, row, len(rows))
    heads = tuple(int(row[6]) for _, row in rows)
    _check_heads(heads, [number for number, _ in rows])
    words = tuple(normalise(row[1]) or row[1] for _, row in rows)
    text, spans = spans_of(words, glued)
    pick = [tuple(row[column] for _, row in rows) for column in (2, 3, 4, 7)]
    return Tree(sent_id, text, words, spans, pick[1], pick[2], heads, pick[3], pick[0], rows[0][0])


def _check_row(number: int, row: list[str], n: int) -> None:
    if not row[1].strip():
        raise _Bad(number, "missing form", "the form is empty")
    if row[3] in ("_", ""):
        raise _Bad(number, "missing UPOS", f"{row[1]!r} has no UPOS tag (column 4)")
    if row[3] not in UPOS:
        raise _Bad(number, "unknown UPOS", f"unknown UPOS {row[3]!r}; {did_you_mean(row[3], UPOS)}")
    if not row[6].isascii() or not row[6].isdigit() or int(row[6]) > n:
        raise _Bad(number, "head out of range", f"head {row[6]!r} is not a number from 0 to {n} (column 7)")
    if row[7] in ("_", ""):
        raise _Bad(number, "missing relation", f"{row[1]!r} has no dependency relation (column 8)")


def _check_heads(heads: tuple[int, ...], lines: list[int]) -> None:
    roots = [k for k, head in enumerate(heads) if head == 0]
    if len(roots) != 1:
        where = lines[roots[1]] if roots else lines[0]
        raise _Bad(where, "not one root", f"{len(roots) or 'no'} words have head 0; a tree has one root")
    # Climb from every word; words known to reach the root are not climbed again.
    safe = set(roots)
    for k in range(len(heads)):
        path: list[int] = []
        at = k
        while at not in safe:
            if at in path:
                raise _Bad(lines[at], "cycle", f"word {at + 1} is its own ancestor")
            path.append(at)
            at = heads[at] - 1
        safe.update(path)
