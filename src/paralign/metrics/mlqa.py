"""Exact match and F1 of answers, as MLQA's ``mlqa_evaluation_v1.py`` computes them (Lewis et al., 2020).

As SQuAD's, with three differences: punctuation is Unicode's, articles are those of the answer's language (which in
MLQA is the context's), and Chinese is scored character by character.

Kept as the official script has them, though a reader may wonder: Arabic ``ال`` is taken out wherever it stands, also
inside words (the script's pattern for a beginning of a word can never match), Vietnamese "articles" hold ``của`` (of)
and ``là`` (is), and Chinese characters outside U+4E00-U+9FA5 (rare ones) are parts of words.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence

from paralign.metrics.squad import best_exact, best_f1

__all__ = ["mlqa_exact", "mlqa_f1", "mlqa_normalize"]

_ARTICLES = {
    "en": r"\b(?:a|an|the)\b",
    "es": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(?:của|là|cái|chiếc|những)\b",
    "de": r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "ال",
}
"""What is replaced by a space. Hindi and Chinese have none."""

_ALONE = {
    "zh": "[\u4e00-\u9fa5]",
    "yue": "[\u4e00-\u9fa5]",
    "wuu": "[\u4e00-\u9fa5]",
    "ja": "[\u3005\u3040-\u30ff\u4e00-\u9fa5]",
    "th": "[\u0e00-\u0e7f]",
    "lo": "[\u0e80-\u0eff]",
    "my": "[\u1000-\u109f]",
    "km": "[\u1780-\u17ff]",
}
"""Characters that are a token each, in languages written without spaces. Only ``zh`` is MLQA's."""

_ASCII = frozenset(string.punctuation)


def mlqa_normalize(text: str, language: str) -> str:
    """Lower case, without punctuation, without the language's articles, tokens separated by one space; in this order.

    Punctuation is every Unicode character of category P and the ASCII symbols ``$+<=>^`|~``; it goes without a
    trace, an article leaves a space. Chinese characters stand alone, the text between them is split at white space.

    MLQA has ar, de, en, es, hi, vi and zh. Other languages have no official rule; here they have no articles and
    are split at white space, except those written without spaces (ja, th, lo, my, km, yue, wuu), where each
    character of their scripts stands alone, as MKQA scores them (Longpre et al., 2021).

    Args:
        text: an answer, in the form of its file: neither the official script nor this one composes characters, and
            Vietnamese articles are found in NFC only.
        language: a tag; of ``zh-TW`` and ``en~trans`` the first part counts.
    """
    tag = language.replace("_", "-").partition("~")[0].partition("-")[0].lower()
    text = "".join(char for char in text.lower() if not _is_punctuation(char))
    if tag in _ARTICLES:
        text = re.sub(_ARTICLES[tag], " ", text)
    if tag in _ALONE:
        text = re.sub(_ALONE[tag], r" \g<0> ", text)
    return " ".join(text.split())


def mlqa_exact(prediction: str, golds: Sequence[str], language: str) -> tuple[float, float]:
    """Whether the normalized prediction equals one of the normalized gold answers: ``(1 or 0, 1)``.

    Nothing equals nothing, and a question without prediction is ``(0, 1)``, as with SQuAD.

    Args:
        prediction: the answer given.
        golds: the gold answers, at least one.
        language: of the answers, that is of the context; not the question's.

    Raises:
        ValueError: without gold answers.
    """
    return best_exact(prediction, golds, lambda text: mlqa_normalize(text, language))


def mlqa_f1(prediction: str, golds: Sequence[str], language: str) -> tuple[float, float]:
    """F1 over the tokens of the normalized texts as multisets, the best over the gold answers: ``(F1, 1)``.

    Without a token in common it is 0, even if nothing is left of either text.

    Args:
        prediction: the answer given.
        golds: the gold answers, at least one.
        language: of the answers, that is of the context; not the question's.

    Raises:
        ValueError: without gold answers.
    """
    return best_f1(prediction, golds, lambda text: mlqa_normalize(text, language))


def _is_punctuation(char: str) -> bool:
    return char in _ASCII or unicodedata.category(char).startswith("P")
