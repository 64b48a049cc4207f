"""Parallel text from two treebanks of the same sentences, as the PUD treebanks are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from paralign.formats.conllu import comments, tree_of
from paralign.formats.item_errors import Block, ItemError, raise_or_drop, sentence_blocks
from paralign.text.normalization import normalize

__all__ = ["read_parallel_treebanks"]


class _Sentence(NamedTuple):
    line: int
    sent_id: str
    text: str


def read_parallel_treebanks(first: str, second: str, lenient: bool, dropped: Counter[str]) -> Iterator[tuple[str, str, int]]:
    """Texts of two treebanks joined by ``# sent_id``, with the line of the first, in the order of the first.

    A sentence's text is its ``# text`` in normal form, or that of its tree where there is none. The second treebank's
    texts are held in memory.

    Args:
        first: CoNLL-U, plain or gzip.
        second: the same.
        lenient: drop sentences without an id, with one that came before, without a twin, or not well-formed.
        dropped: counts them: ``missing sent_id``, ``duplicate sent_id``, ``missing twin`` and the reasons of
            ``read_conllu``.

    Raises:
        UserError: with ``file:line``.
    """
    twins = {sentence.sent_id: sentence for sentence in _sentences(second, lenient, dropped)}
    for line, sent_id, text in _sentences(first, lenient, dropped):
        twin = twins.pop(sent_id, None)
        if twin is not None:
            yield text, twin.text, line
        else:
            fault = ItemError("missing twin", f"no sentence with sent_id {sent_id!r} in {second}", line)
            raise_or_drop(fault, first, "sentence", lenient=lenient, dropped=dropped)
    for twin in twins.values():
        fault = ItemError("missing twin", f"no sentence with sent_id {twin.sent_id!r} in {first}", twin.line)
        raise_or_drop(fault, second, "sentence", lenient=lenient, dropped=dropped)


def _sentences(path: str, lenient: bool, dropped: Counter[str]) -> Iterator[_Sentence]:
    seen: set[str] = set()
    for block in sentence_blocks(path, lenient=lenient, dropped=dropped):
        line = next((number for number, line in block if not line.startswith("#")), None)
        if line is None:
            continue
        try:
            sentence = _sentence(block, line)
            if sentence.sent_id in seen:
                raise ItemError("duplicate sent_id", f"the sent_id {sentence.sent_id!r} came before", line)
        except ItemError as fault:
            raise_or_drop(fault, path, "sentence", lenient=lenient, dropped=dropped)
            continue
        seen.add(sentence.sent_id)
        yield sentence


def _sentence(block: Block, line: int) -> _Sentence:
    said = comments(block)
    if not said.get("sent_id"):
        raise ItemError("missing sent_id", "the sentence has no '# sent_id = ...'", line)
    return _Sentence(line, said["sent_id"], normalize(said.get("text", "")) or tree_of(block).text)
