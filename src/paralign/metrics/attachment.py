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
    """Words of one sentence that hang where they should (UAS), and by the right relation too (LAS).

    With the defaults the scores of the CoNLL 2018 shared task's ``conll18_ud_eval.py`` (Zeman et al., 2018) for
    words that are the gold ones, where its precision, recall and F1 are one number: every word counts, punctuation
    too, and of a relation only the universal part before ``:`` (``nsubj:pass`` is ``nsubj``).

    Args:
        gold_heads: [n] heads, 0 the root, 1..n the words.
        gold_relations: [n] relations.
        heads: [n] predicted heads. That they form a tree is not asked here (the official script refuses others).
        relations: [n] predicted relations.
        punctuation: ``False`` leaves out words whose gold relation is ``punct``. By relation rather than by UPOS
            ``PUNCT``: Universal Dependencies demands the one for the other except at the root of a sentence of
            nothing but punctuation, which stays a choice of head. Papers that follow AllenNLP leave out ``SYM`` by
            UPOS as well and are not comparable to the last digit.
        subtypes: ``True`` compares relations whole.

    Returns:
        ``{"uas": (right, words), "las": (right, words)}``; (0, 0) where no word counts.

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
