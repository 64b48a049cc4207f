"""Exact match and F1 of answers, as computed by MLQA's ``mlqa_evaluation_v1.py`` (Lewis et al., 2020).

They differ from SQuAD's in three ways: punctuation is Unicode's, articles are those of the answer's language (in MLQA
the context's), and Chinese is scored by character.

Some peculiarities of the official script are kept: Arabic ``ال`` is removed everywhere, also inside words (the script's
pattern for the beginning of a word never matches), Vietnamese "articles" include ``của`` (of) and ``là`` (is), and
rare Chinese characters outside U+4E00-U+9FA5 are parts of words.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence

from paralign.metrics.squad import best_exact, best_f1

__all__ = ["is_unspaced", "mlqa_exact", "mlqa_f1", "mlqa_normalize"]

_ARTICLES = {
    "en": r"\b(?:a|an|the)\b",
    "es": r"\b(?:un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(?:của|là|cái|chiếc|những)\b",
    "de": r"\b(?:ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "ال",
}
"""Articles, which are replaced by a space. Hindi and Chinese have none."""

_CHARACTER_TOKENS = {
    "zh": "[\u4e00-\u9fa5]",
    "yue": "[\u4e00-\u9fa5]",
    "wuu": "[\u4e00-\u9fa5]",
    "ja": "[\u3005\u3040-\u30ff\u4e00-\u9fa5]",
    "th": "[\u0e00-\u0e7f]",
    "lo": "[\u0e80-\u0eff]",
    "my": "[\u1000-\u109f]",
    "km": "[\u1780-\u17ff]",
}
"""Characters that are tokens, in languages written without spaces. Only ``zh`` is defined by MLQA."""

_ASCII = frozenset(string.punctuation)


def is_unspaced(language: str) -> bool:
    """Return whether a language is written without spaces, so that characters are scored.

    >>> is_unspaced("zh-TW"), is_unspaced("en")
    (True, False)
    """
    return _first_part(language) in _CHARACTER_TOKENS


def _first_part(language: str) -> str:
    return language.replace("_", "-").partition("~")[0].partition("-")[0].lower()


def mlqa_normalize(text: str, language: str) -> str:
    """Lower-case a text, remove punctuation, replace articles by spaces, and separate tokens by one space, in this
    order.

    Punctuation is every Unicode character of category P and the ASCII symbols ``$+<=>^`|~``. Chinese characters are
    tokens; the text between them is split at whitespace.

    MLQA has ar, de, en, es, hi, vi and zh. Other languages have no official rule. Here they have no articles and are
    split at whitespace, except those written without spaces (ja, th, lo, my, km, yue, wuu), where each character of
    their scripts is a token, as in MKQA (Longpre et al., 2021).

    Args:
        text: an answer as it is in its file. Like the official script, this function does not compose characters, so
            Vietnamese articles are found in NFC only.
        language: a tag; only the first part of ``zh-TW`` or ``en~trans`` counts.
    """
    tag = _first_part(language)
    text = "".join(char for char in text.lower() if not _is_punctuation(char))
    if tag in _ARTICLES:
        text = re.sub(_ARTICLES[tag], " ", text)
    if tag in _CHARACTER_TOKENS:
        text = re.sub(_CHARACTER_TOKENS[tag], r" \g<0> ", text)
    return " ".join(text.split())


def mlqa_exact(prediction: str, golds: Sequence[str], language: str) -> tuple[float, float]:
    """Return ``(1, 1)`` if the normalized prediction equals one of the normalized gold answers, otherwise ``(0, 1)``.

    Empty texts are equal, and a question without a prediction is ``(0, 1)``, as in SQuAD.

    Args:
        prediction: the predicted answer.
        golds: the gold answers, at least one.
        language: language of the answers, that is of the context; not of the question.

    Raises:
        ValueError: if there are no gold answers.
    """
    return best_exact(prediction, golds, lambda text: mlqa_normalize(text, language))


def mlqa_f1(prediction: str, golds: Sequence[str], language: str) -> tuple[float, float]:
    """Return ``(F1, 1)``: F1 over the tokens of the normalized texts as multisets, the maximum over gold answers.

    Without a common token F1 is 0, even if both texts are empty after normalization.

    Args:
        prediction: the predicted answer.
        golds: the gold answers, at least one.
        language: language of the answers, that is of the context; not of the question.

    Raises:
        ValueError: if there are no gold answers.
    """
    return best_f1(prediction, golds, lambda text: mlqa_normalize(text, language))


def _is_punctuation(char: str) -> bool:
    return char in _ASCII or unicodedata.category(char).startswith("P")
