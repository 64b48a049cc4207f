"""Exact match and F1 of answers, as computed by SQuAD v1.1's ``evaluate-v1.1.py`` (Rajpurkar et al., 2016).

XQuAD, and TyDiQA-GoldP in XTREME, use the same scores for all languages, with ASCII punctuation and English articles.
MLQA has its own scores: :mod:`paralign.metrics.mlqa`.
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
    """Lower-case a text, remove ASCII punctuation, replace a, an and the by spaces, and collapse spaces, in this order.

    >>> normalize_answer("It's the A-side.")
    'its aside'
    """
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, golds: Sequence[str]) -> tuple[float, float]:
    """Return ``(1, 1)`` if the normalized prediction equals one of the normalized gold answers, otherwise ``(0, 1)``.

    Texts that are empty after normalization are equal, so an empty prediction matches the gold answer "The". A question
    without a prediction is not an empty prediction: count it as ``(0, 1)``, as the official script does.

    Args:
        prediction: the predicted answer.
        golds: the gold answers, at least one.

    Raises:
        ValueError: if there are no gold answers.
    """
    return best_exact(prediction, golds, normalize_answer)


def f1(prediction: str, golds: Sequence[str]) -> tuple[float, float]:
    """Return ``(F1, 1)``: F1 over the words of the normalized texts as multisets, the maximum over gold answers.

    Without a common word F1 is 0, even if both texts are empty after normalization (as in v1.1; SQuAD 2.0's script
    returns 1).

    Args:
        prediction: the predicted answer.
        golds: the gold answers, at least one.

    Raises:
        ValueError: if there are no gold answers.
    """
    return best_f1(prediction, golds, normalize_answer)


def best_exact(prediction: str, golds: Sequence[str], normalize: Callable[[str], str]) -> tuple[float, float]:
    """Compute :func:`exact_match` with another normalization."""
    _check_gold(golds)
    answer = normalize(prediction)
    return float(any(answer == normalize(gold) for gold in golds)), 1.0


def best_f1(prediction: str, golds: Sequence[str], normalize: Callable[[str], str]) -> tuple[float, float]:
    """Compute :func:`f1` with another normalization, whose tokens are separated by whitespace."""
    _check_gold(golds)
    tokens = normalize(prediction).split()
    return max(_token_f1(tokens, normalize(gold).split()) for gold in golds), 1.0


def _token_f1(prediction: Sequence[str], gold: Sequence[str]) -> float:
    same = (Counter(prediction) & Counter(gold)).total()
    if same == 0:
        return 0.0
    # In the order of the official script, to agree to the last bit.
    precision, recall = same / len(prediction), same / len(gold)
    return (2 * precision * recall) / (precision + recall)


def _check_gold(golds: Sequence[str]) -> None:
    if not golds or isinstance(golds, str):
        raise ValueError("a question needs a list of at least one gold answer")
