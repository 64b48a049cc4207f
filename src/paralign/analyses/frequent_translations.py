"""The most frequent translations of a corpus, from its word links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Translation", "frequent_translations"]

T = TypeVar("T", str, tuple[str, str])


@dataclass(frozen=True, order=True)
class Translation:
    """A word, its translation, and the number of links between them."""

    source: str
    target: str
    count: int


def frequent_translations(
    pairs: Iterable[tuple[Sequence[str], Sequence[str]]],
    links: Iterable[Sequence[tuple[int, int]]],
    *,
    most: int = 1_000,
    skip: int = 100,
) -> list[Translation]:
    """Return the word pairs with most links, the most frequent first, each word at most once.

    Only links between words without other links in their sentence are counted, and only pairs are kept in which each
    word is the most frequent translation of the other. Words without letters are left out, and so are the most frequent
    words of both languages, which are mostly function words.

    Args:
        pairs: words of both sides.
        links: links of each pair, as (source, target) positions.
        most: maximum number of translations.
        skip: number of most frequent words to leave out on each side.
    """
    pair_counts: Counter[tuple[str, str]] = Counter()
    word_counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for (source, target), own_links in zip(pairs, links, strict=True):
        word_counts[0].update(source)
        word_counts[1].update(target)
        degree = Counter(i for i, _ in own_links), Counter(j for _, j in own_links)
        pair_counts.update((source[i], target[j]) for i, j in own_links if degree[0][i] == 1 and degree[1][j] == 1)
    frequent = [{word for word, _ in _ranked(counts)[:skip]} for counts in word_counts]
    best: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for (a, b), _ in _ranked(pair_counts):
        best[0].setdefault(a, b)
        best[1].setdefault(b, a)
    out: list[Translation] = []
    for (a, b), count in _ranked(pair_counts):
        if len(out) == most:
            break
        mutual = best[0][a] == b and best[1][b] == a
        if mutual and a not in frequent[0] and b not in frequent[1] and _has_letter(a) and _has_letter(b):
            out.append(Translation(a, b, count))
    return out


def _ranked(counts: Counter[T]) -> list[tuple[T, int]]:
    """Sort by count, the highest first, then alphabetically."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _has_letter(text: str) -> bool:
    return any(character.isalpha() for character in text)
