"""Parallel text from two treebanks of the same sentences, such as the PUD treebanks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from paralign.errors import UserError
from paralign.formats.conllu import comments, is_treebank, tree_of
from paralign.formats.item_errors import Block, ItemError, check_forms, raise_or_drop, sentence_blocks
from paralign.text.normalization import normalize

__all__ = ["are_treebanks", "read_parallel_treebanks"]


class _Sentence(NamedTuple):
    line: int
    sent_id: str
    text: str


def are_treebanks(first: str, second: str) -> bool:
    """Return whether one of two paths names a CoNLL-U file; the other must then be one too."""
    return is_treebank(first) or is_treebank(second)


def read_parallel_treebanks(
    first: str, second: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str, str]]:
    """Read the texts of two treebanks, joined by ``# sent_id``, in the order of the first.

    A sentence's text is its ``# text``, or that of its tree if it has none. The texts of the second treebank are held
    in memory.

    Args:
        first, second: CoNLL-U files, plain or compressed.
        languages: not used.
        lenient: drop malformed sentences, and those without an id, with a duplicate id, or missing in the other
            treebank.
        dropped: counts them: ``missing sent_id``, ``duplicate sent_id``, ``missing counterpart`` and the reasons of
            ``read_conllu``.

    Yields:
        Line in the first treebank, and the normalized texts.

    Raises:
        UserError: with ``file:line``.
    """
    if not (is_treebank(first) and is_treebank(second)):
        other = second if is_treebank(first) else first
        hint = "give two treebanks, or two plain text files"
        raise UserError("is not a .conllu file, but the other file is", where=other, hint=hint)
    counterparts = {sentence.sent_id: sentence for sentence in _sentences(second, lenient, dropped)}
    for line, sent_id, text in _sentences(first, lenient, dropped):
        counterpart = counterparts.pop(sent_id, None)
        if counterpart is not None:
            yield line, text, counterpart.text
        else:
            error = ItemError("missing counterpart", f"no sentence with sent_id {sent_id!r} in {second}", line)
            raise_or_drop(error, first, "sentence", lenient=lenient, dropped=dropped)
    for line, sent_id, _ in counterparts.values():
        error = ItemError("missing counterpart", f"no sentence with sent_id {sent_id!r} in {first}", line)
        raise_or_drop(error, second, "sentence", lenient=lenient, dropped=dropped)


def _sentences(path: str, lenient: bool, dropped: Counter[str]) -> Iterator[_Sentence]:
    ids: set[str] = set()
    for block in sentence_blocks(path, lenient=lenient, dropped=dropped):
        line = next((number for number, line in block if not line.startswith("#")), None)
        if line is None:
            continue
        try:
            sentence = _sentence(block, line)
            if sentence.sent_id in ids:
                raise ItemError("duplicate sent_id", f"an earlier sentence has the sent_id {sentence.sent_id!r}", line)
        except ItemError as error:
            raise_or_drop(error, path, "sentence", lenient=lenient, dropped=dropped)
            continue
        ids.add(sentence.sent_id)
        yield sentence


def _sentence(block: Block, line: int) -> _Sentence:
    values = comments(block)
    if not values.get("sent_id"):
        raise ItemError("missing sent_id", "the sentence has no '# sent_id = ...'", line)
    text = normalize(values.get("text", "")) or tree_of(block, labeled=False).text
    check_forms(text, line)
    return _Sentence(line, values["sent_id"], text)
