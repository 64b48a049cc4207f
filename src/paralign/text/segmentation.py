"""Words of Thai, Lao, Khmer, Burmese and related scripts, which are written without spaces between words."""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from typing import Any

import regex

from paralign.console import echo

__all__ = ["RUNS", "SCRIPTS", "segment"]

SCRIPTS = ("Thai", "Lao", "Khmer", "Myanmar")
"""Unicode scripts whose words ICU finds with dictionaries."""

_MARKS = r"\p{M}\u200c\u200d"


def _run(letters: str) -> str:
    """Return a pattern for a run of letters of one script with their marks."""
    return rf"[{letters}&&[\p{{L}}\p{{M}}]][[{letters}&&[\p{{L}}\p{{M}}]]{_MARKS}]*"


_OTHERS = r"\p{Line_Break=SA}" + "".join(rf"--\p{{Script={name}}}" for name in SCRIPTS)
RUNS = "|".join([*(_run(rf"\p{{Script={name}}}") for name in SCRIPTS), _run(f"[{_OTHERS}]")])
"""Pattern (flag ``VERSION1``) of the runs that :func:`segment` divides: letters of one script without spaces."""

_SCRIPT = {name: regex.compile(rf"\p{{Script={name}}}") for name in SCRIPTS}
_GRAPHEME = regex.compile(r"\X")


def segment(run: str) -> list[int]:
    """Return where the words of a run end, in characters; the last one is its length.

    Words are those of ICU, if the package icu4py is installed and knows the script, otherwise grapheme clusters. A
    message for each script reports which. A word never ends inside a grapheme cluster.

    Args:
        run: a match of :data:`RUNS`.
    """
    script = next((name for name, pattern in _SCRIPT.items() if pattern.match(run)), "")
    breaker = _word_breaker() if script else None
    _announce(script, breaker is not None)
    graphemes = list(accumulate(len(match[0]) for match in _GRAPHEME.finditer(run)))
    if breaker is None:
        return graphemes
    words = set(accumulate(map(len, breaker(run, "th"))))  # the locale only matters for other scripts
    return [end for end in graphemes if end in words or end == len(run)]


@cache
def _word_breaker() -> Any:
    """Return the class that finds words, or ``None`` if icu4py is not installed."""
    try:
        from icu4py.breakers import WordBreaker
    except ImportError:
        return None
    return WordBreaker


@cache
def _announce(script: str, words: bool) -> None:
    if words:
        from icu4py import icu_version

        echo(f"{script} script has no spaces between words: words are those of ICU {icu_version} (icu4py)")
        return
    hint = "; pip install 'paralign[segmentation]' finds words" if script else ""
    name = f"{script} script" if script else "a script of Southeast Asia"
    echo(f"{name} has no spaces between words: every grapheme cluster counts as a word{hint}")
