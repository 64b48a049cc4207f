"""Treebanks in CoNLL-U: a strict reader with line numbers, and a writer."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from paralign.config import did_you_mean
from paralign.formats.item_errors import (
    Block,
    ItemError,
    check_forms,
    no_items_error,
    raise_or_drop,
    sentence_blocks,
)
from paralign.formats.items import Tree
from paralign.formats.lines import numbered_lines, read_lines, write_lines
from paralign.formats.streams import uncompressed_name
from paralign.text.normalization import normalize
from paralign.text.words import join_words, word_spans

__all__ = ["UPOS", "comments", "is_plain_text", "is_treebank", "read_conllu", "read_words", "tree_of", "write_conllu"]

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT",
    "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
"""The 17 universal part-of-speech tags."""

_COLUMNS = {"lemmas": 2, "upos": 3, "xpos": 4, "heads": 6, "deprels": 7}
"""Columns of the fields of a tree, from 0."""
_RANGE_ID = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY_ID = re.compile(r"\d+\.[1-9]\d*")


def is_treebank(path: str) -> bool:
    """Return whether a path names a CoNLL-U file, plain or compressed.

    >>> is_treebank("de.conllu"), is_treebank("de.conllu.gz"), is_treebank("DE.CONLLU.zst"), is_treebank("de.txt")
    (True, True, True, False)
    """
    return uncompressed_name(path).lower().endswith(".conllu")


def is_plain_text(path: str) -> bool:
    """Return whether the first line that is no comment is not in columns; ``False`` for what cannot be read twice.

    Text may begin with ``#``, too. If all lines do, the name of the file decides.
    """
    if not Path(path).is_file():
        return False
    lines = (line for _, line in numbered_lines(path, lenient=True) if line is None or line.strip())
    only_comments = None if is_treebank(path) else ""
    first = next((line for line in lines if line is None or not line.startswith("#")), only_comments)
    return first is not None and "\t" not in first


def read_words(path: str, *, lenient: bool, dropped: Counter[str]) -> Iterator[Tree]:
    """Read plain text as trees without annotation; words are those of :func:`paralign.text.words.word_spans`.

    Args:
        path: the file; one sentence per line.
        lenient: drop lines that cannot be read instead of raising.
        dropped: counts them, by reason.
    """
    for number, line in read_lines(path, lenient=lenient, dropped=dropped):
        text = normalize(line)
        spans = tuple(word_spans(text))
        if spans:
            none = ("_",) * len(spans)
            words = tuple(text[start:end] for start, end in spans)
            yield Tree(str(number), text, words, spans, none, none, (0,) * len(spans), none, none, number)


def read_conllu(
    path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> Iterator[Tree]:
    """Read a CoNLL-U file, plain or compressed, sentence by sentence.

    Empty nodes (``8.1``) and enhanced dependencies are skipped, and kept only in :attr:`Tree.lines`; forms are
    normalized.

    Args:
        path: the file, or ``-``.
        lenient: drop malformed sentences instead of raising.
        dropped: counts what ``lenient`` dropped, by reason.
        labeled: whether the annotation is required; with ``False``, an UPOS or relation that is missing or unknown is
            ``_``, and all heads are 0 if they do not form a tree.

    Raises:
        UserError: with ``file:line``, for a line without 10 columns, ids out of order, words that are withheld (all
            are ``_``), a missing or unknown UPOS, a head out of range, no or several roots, a cycle, and what
            ``read_lines`` refuses.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    empty = True
    remarks: tuple[str, ...] = ()  # comments without a sentence, kept for the next one
    for block in sentence_blocks(path, lenient=lenient, dropped=count):
        if all(line.startswith("#") for _, line in block):
            remarks += tuple(line for _, line in block)
            continue
        try:
            tree = tree_of(block, labeled=labeled)
        except ItemError as error:
            raise_or_drop(error, path, "sentence", lenient=lenient, dropped=count)
            continue
        empty = False
        yield replace(tree, lines=remarks + tree.lines) if remarks else tree
        remarks = ()
    if empty:
        raise no_items_error(path, "sentence", count)


def write_conllu(trees: Iterable[Tree], path: str | Path, *, predicted: Sequence[str] | None = None) -> None:
    """Write trees; the file is compressed if its name ends in ``.gz`` or ``.zst``.

    Args:
        trees: the trees.
        path: the file; an existing one is replaced.
        predicted: fields of the trees that replace their column in the lines that a tree was read from, such as
            ``("heads", "deprels")``. Everything else in these lines is kept: comments, multi-word tokens, empty nodes
            and the other columns. None, and for trees that were not read from a treebank: all lines are built from the
            fields; morphological features, enhanced dependencies and miscellaneous annotation are ``_``. Reading such
            a file returns equal trees except for ``line``.
    """
    write_lines(Path(path), (line for tree in trees for line in (*_tree_lines(tree, predicted), "")))


def _tree_lines(tree: Tree, predicted: Sequence[str] | None) -> Iterator[str]:
    if predicted is not None and tree.lines:
        yield from _with_predicted(tree, predicted)
        return
    yield f"# sent_id = {tree.sent_id}"
    yield f"# text = {tree.text}"
    # Heads that are all 0 stand for no tree, see `read_conllu`.
    heads = tree.heads if any(tree.heads) or len(tree.heads) == 1 else ("_",) * len(tree.heads)
    columns = zip(tree.words, tree.lemmas, tree.upos, tree.xpos, heads, tree.deprels, strict=True)
    for k, (word, lemma, upos, xpos, head, deprel) in enumerate(columns):
        joined = k + 1 < len(tree.spans) and tree.spans[k + 1][0] == tree.spans[k][1]
        misc = "SpaceAfter=No" if joined else "_"
        yield f"{k + 1}\t{word}\t{lemma}\t{upos}\t{xpos}\t_\t{head}\t{deprel}\t_\t{misc}"


def _with_predicted(tree: Tree, predicted: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a tree with the columns of ``predicted`` replaced."""
    columns = [(_COLUMNS[name], getattr(tree, name)) for name in predicted]
    word = 0
    for line in tree.lines:
        row = line.split("\t")
        if row[0].isdigit():  # neither a comment, nor a multi-word token, nor an empty node
            for column, values in columns:
                row[column] = str(values[word])
            word += 1
        yield "\t".join(row)


def comments(block: Block) -> dict[str, str]:
    """Return the values of the comments ``# name = value`` of a sentence."""
    pairs = (line[1:].partition("=") for _, line in block if line.startswith("#"))
    return {name.strip(): value.strip() for name, equals, value in pairs if equals}


def tree_of(block: Block, *, labeled: bool = True) -> Tree:
    """Parse the lines of one sentence.

    Args:
        block: its numbered lines.
        labeled: as in :func:`read_conllu`.

    Raises:
        ItemError: if the sentence is malformed.
    """
    joined: list[bool] = []  # no space between the word and the next
    rows: list[tuple[int, list[str]]] = []
    # The current multi-word token: its last word, and whether it is joined to the next word.
    token_end, token_joined = 0, False
    for number, line in block:
        if line.startswith("#"):
            continue
        row = line.split("\t")
        if len(row) != 10:
            raise ItemError("not 10 columns", f"{len(row)} columns, not 10 (columns are separated by tabs)", number)
        no_space = "SpaceAfter=No" in row[9].split("|")
        if _EMPTY_ID.fullmatch(row[0]):
            continue
        if match := _RANGE_ID.fullmatch(row[0]):
            if int(match[1]) != len(rows) + 1 or int(match[2]) < int(match[1]) or len(rows) < token_end:
                message = f"the range {row[0]} does not begin at the next id {len(rows) + 1}"
                raise ItemError("id out of order", message, number)
            token_end, token_joined = int(match[2]), no_space
            continue
        if row[0] != str(len(rows) + 1):
            raise ItemError("id out of order", f"id {row[0]!r}, expected {len(rows) + 1}", number)
        rows.append((number, row))
        inside = len(rows) <= token_end
        joined.append(token_joined if inside and len(rows) == token_end else no_space and not inside)
    last = block[-1][0]
    if not rows:
        raise ItemError("no words", "a sentence without words", last)
    if len(rows) < token_end:
        raise ItemError("id out of order", f"the sentence ends inside a range that ends at {token_end}", last)
    for number, row in rows:
        if not row[1].strip():
            raise ItemError("missing form", "the form is empty", number)
    check_forms((row[1] for _, row in rows), rows[0][0])
    heads = _heads(rows, labeled)
    words = tuple(normalize(row[1]) or row[1] for _, row in rows)
    text, spans = join_words(words, joined)
    lemmas, upos, xpos, deprels = (tuple(row[column] for _, row in rows) for column in (2, 3, 4, 7))
    sent_id = comments(block).get("sent_id", "")
    lines = tuple(line for _, line in block)
    return Tree(sent_id, text, words, spans, upos, xpos, heads, deprels, lemmas, rows[0][0], lines)


def _heads(rows: list[tuple[int, list[str]]], labeled: bool) -> tuple[int, ...]:
    """Check the annotation and return the heads; unusable annotation of unlabeled data is replaced in ``rows``."""
    if labeled:
        for number, row in rows:
            _check_row(number, row, len(rows))
        heads = tuple(int(row[6]) for _, row in rows)
        _check_heads(heads, [number for number, _ in rows])
        return heads
    for _, row in rows:
        row[3] = row[3] if row[3] in UPOS else "_"
        row[7] = row[7] or "_"
    if not all(_is_head(row[6], len(rows)) for _, row in rows):
        return (0,) * len(rows)
    heads = tuple(int(row[6]) for _, row in rows)
    try:
        _check_heads(heads, [number for number, _ in rows])
    except ItemError:
        return (0,) * len(rows)
    return heads


def _is_head(text: str, n: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= n


def _check_row(number: int, row: list[str], n: int) -> None:
    if row[3] in ("_", ""):
        raise ItemError("missing UPOS", f"{row[1]!r} has no UPOS tag (column 4)", number)
    if row[3] not in UPOS:
        raise ItemError("unknown UPOS", f"unknown UPOS {row[3]!r}; {did_you_mean(row[3], UPOS)}", number)
    if not _is_head(row[6], n):
        raise ItemError("head out of range", f"head {row[6]!r} is not a number from 0 to {n} (column 7)", number)
    if row[7] in ("_", ""):
        raise ItemError("missing relation", f"{row[1]!r} has no dependency relation (column 8)", number)


def _check_heads(heads: tuple[int, ...], lines: list[int]) -> None:
    roots = [k for k, head in enumerate(heads) if head == 0]
    if len(roots) != 1:
        where = lines[roots[1]] if roots else lines[0]
        raise ItemError("not one root", f"{len(roots) or 'no'} words have head 0; a tree has one root", where)
    # Follow the heads of every word; words that reach the root are not followed again.
    reaches_root = set(roots)
    for k in range(len(heads)):
        path: set[int] = set()
        word = k
        while word not in reaches_root:
            if word in path:
                raise ItemError("cycle", f"word {word + 1} is its own ancestor", lines[word])
            path.add(word)
            word = heads[word] - 1
        reaches_root.update(path)
