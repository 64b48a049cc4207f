"""Exact match and F1 of answers, as SQuAD v1.1's ``evaluate-v1.1.py`` computes them (Rajpurkar et al., 2016).

Also the scores of XQuAD and of TyDiQA-GoldP in XTREME, whatever the language: punctuation is ASCII's, articles are
English. MLQA has scores of its own: [`paralign.metrics.mlqa`][].
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

__all__ = ["best_exact", "best_f1", "exact_match", "f1", "normalize_answer"]

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation, without a, an and the, single spaces between words; in this order.

    Punctuation goes without a trace (``it's`` → ``its``, ``A-side`` → ``aside``), an article leaves a space.
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, golds: Sequence[str]) -> tuple[float, float]:
    """Whether the normalized prediction equals one of the normalized gold answers: ``(1 or 0, 1)``.

    Two texts of which nothing is left are equal, so an empty prediction matches the gold answer "The". A question
    without prediction is not an empty prediction: count it as ``(0, 1)``, as the official script does.

    Args:
        prediction: the answer given.
        golds: the gold answers, at least one.

    Raises:
        ValueError: without gold answers.
    """
    return best_exact(prediction, golds, normalize_answer)


def f1(prediction: str, golds: Sequence[str]) -> tuple[float, float]:
    """F1 over the words of the normalized texts as multisets, the best over the gold answers: ``(F1, 1)``.

    Without a word in common it is 0, even if nothing is left of either text (v1.1; SQuAD 2.0's script gives 1).

    Args:
        prediction: the answer given.
        golds: the gold answers, at least one.

    Raises:
        ValueError: without gold answers.
    """
    return best_f1(prediction, golds, normalize_answer)


def best_exact(prediction: str, golds: Sequence[str], normalize: Callable[[str], str]) -> tuple[float, float]:
    """[`exact_match`][paralign.metrics.squad.exact_match] under another normal form."""
    _need_gold(golds)
    answer = normalize(prediction)
    return float(any(answer == normalize(gold) for gold in golds)), 1.0


def best_f1(prediction: str, golds: Sequence[str], normalize: Callable[[str], str]) -> tuple[float, float]:
    """[`f1`][paralign.metrics.squad.f1] under another normal form, whose tokens are separated by white space."""
    _need_gold(golds)
    tokens = normalize(prediction).split()
    return max(_token_f1(tokens, normalize(gold).split()) for gold in golds), 1.0


def _token_f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    same = (Counter(prediction) & Counter(gold)).total()
    if same == 0:
        return 0.0
    # The official order of operations, to agree to the last bit.
    precision, recall = same / len(prediction), same / len(gold)
    return (2 * precision * recall) / (precision + recall)


def _need_gold(golds: Sequence[str]) -> None:
    if not golds or isinstance(golds, str):
        raise ValueError("a question needs a list of gold answers, at least one")
