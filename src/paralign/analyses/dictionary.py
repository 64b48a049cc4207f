"""A dictionary from word links: the translations a corpus itself shows most often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Translation", "frequent_links"]

T = TypeVar("T", str, tuple[str, str])


@dataclass(frozen=True, order=True)
class Translation:
    """A word, its translation, and how often they are linked."""

    source: str
    target: str
    count: int


def frequent_links(
    pairs: Iterable[tuple[Sequence[str], Sequence[str]]],
    links: Iterable[Sequence[tuple[int, int]]],
    *,
    most: int = 1_000,
    skip: int = 100,
) -> list[Translation]:
    """The word pairs linked most often, each word once, most frequent first.

    Only links between words that have no other link in their sentence are counted, and only pairs of which each is the
    other's most frequent translation are kept. Words without letters are left out, and the most frequent ones of either
    language, which mostly are function words.

    Args:
        pairs: words of both sides.
        links: of each pair.
        most: so many translations.
        skip: so many of the most frequent words of each side are left out.
    """
    together: Counter[tuple[str, str]] = Counter()
    alone: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for (source, target), some in zip(pairs, links, strict=True):
        alone[0].update(source)
        alone[1].update(target)
        seen = Counter(i for i, _ in some), Counter(j for _, j in some)
        together.update((source[i], target[j]) for i, j in some if seen[0][i] == 1 and seen[1][j] == 1)
    frequent = [{word for word, _ in _ranked(words)[:skip]} for words in alone]
    best: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for (a, b), _ in _ranked(together):
        best[0].setdefault(a, b)
        best[1].setdefault(b, a)
    out = []
    for (a, b), count in _ranked(together):
        mutual = best[0][a] == b and best[1][b] == a
        if mutual and a not in frequent[0] and b not in frequent[1] and _is_word(a) and _is_word(b):
            out.append(Translation(a, b, count))
            if len(out) == most:
                break
    return out


def _ranked(counts: Counter[T]) -> list[tuple[T, int]]:
    """Most frequent first, equal ones in the order of their letters."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _is_word(text: str) -> bool:
    return any(sign.isalpha() for sign in text)
