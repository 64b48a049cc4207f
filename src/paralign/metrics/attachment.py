"""Attachment scores of dependency trees: UAS and LAS."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["attachment"]


def attachment(
    gold_heads: Sequence[int],
    gold_relations: Sequence[str],
    heads: Sequence[int],
    relations: Sequence[str],
    *,
    punctuation: bool = True,
    subtypes: bool = False,
) -> dict[str, tuple[int, int]]:
    """Count the words of one sentence with the correct head (UAS), and with the correct head and relation (LAS).

    With the defaults these are the scores of the CoNLL 2018 shared task's ``conll18_ud_eval.py`` (Zeman et al., 2018)
    for gold words, where its precision, recall and F1 are equal: every word counts, including punctuation, and only the
    universal part of a relation before ``:`` is compared (``nsubj:pass`` is ``nsubj``).

    Args:
        gold_heads: [n] heads, 0 the root, 1..n the words.
        gold_relations: [n] relations.
        heads: [n] predicted heads. Whether they form a tree is not checked (the official script requires it).
        relations: [n] predicted relations.
        punctuation: ``False`` leaves out words whose gold relation is ``punct``. Universal Dependencies requires this
            relation for UPOS ``PUNCT``, except at the root of a sentence that is only punctuation. Papers that follow
            AllenNLP leave out UPOS ``SYM`` as well and differ in the last digits.
        subtypes: ``True`` compares whole relations.

    Returns:
        ``{"uas": (correct, words), "las": (correct, words)}``; (0, 0) if no word counts.

    Raises:
        ValueError: if the lengths differ.
    """
    words = list(zip(gold_heads, gold_relations, heads, relations, strict=True))
    if not punctuation:
        words = [word for word in words if _universal(word[1]) != "punct"]
    attached = [(gold, guess) for gold_head, gold, head, guess in words if gold_head == head]
    labeled = sum(gold == guess if subtypes else _universal(gold) == _universal(guess) for gold, guess in attached)
    return {"uas": (len(attached), len(words)), "las": (labeled, len(words))}


def _universal(relation: str) -> str:
    return relation.partition(":")[0]
