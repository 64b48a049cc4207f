"""Word order by example: what stands before what in one language's trees, put upon another's.

Of every noun and verb the dependents and the head itself are ordered as the example prefers (the "syntax"
transformation of Tang et al. 2022, after the galactic dependencies of Wang and Eisner 2016); the order of other heads
stays.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, Protocol

from paralign.errors import UserError

__all__ = ["MOST_DEPENDENTS", "Analyzed", "Ordering", "is_projective"]

MOST_DEPENDENTS = 6
"""A noun or verb with more is not reordered, nor is its sentence."""
_KINDS = {"NOUN": "noun", "PROPN": "noun", "VERB": "verb"}
_HEAD = "head"
_SMOOTHING = 0.5


class Analyzed(Protocol):
    """A dependency tree: a word each."""

    @property
    def upos(self) -> Sequence[str]:
        """Universal part of speech."""

    @property
    def heads(self) -> Sequence[int]:
        """1-based head, 0 for the root."""

    @property
    def deprels(self) -> Sequence[str]:
        """Relation to the head."""


class Ordering:
    """Preferences of a language, learnt from trees.

    For a kind of head (noun, verb) and two of its parts, relations or the head itself, the preference for ``a`` before
    ``b`` is log((n(a, b) + 0.5) / (n(b, a) + 0.5)), n counted over heads. The order of a head's parts is the one
    that satisfies most: the sum over pairs is greatest; of equal ones that nearest to the order they had.

    Args:
        counts: of each kind, how often one part stood before another.
        facts: where they come from, kept with them.
    """

    def __init__(self, counts: dict[str, Counter[tuple[str, str]]], facts: dict[str, Any] | None = None) -> None:
        self.counts, self.facts = counts, dict(facts or {})
        self._known: dict[tuple[str, tuple[str, ...]], tuple[int, ...]] = {}

    @classmethod
    def learn(cls, trees: Iterable[Analyzed], facts: dict[str, Any] | None = None) -> Ordering:
        """Count the orders in projective trees; others are counted as ``crossing``."""
        counts: dict[str, Counter[tuple[str, str]]] = {kind: Counter() for kind in sorted(set(_KINDS.values()))}
        seen = crossing = 0
        for tree in trees:
            if not is_projective(tree.heads):
                crossing += 1
                continue
            seen += 1
            for head, parts in _families(tree):
                names = [_HEAD if part == head else _relation(tree.deprels[part]) for part in parts]
                counts[_KINDS[tree.upos[head]]].update(pair for pair in combinations(names, 2) if pair[0] != pair[1])
        return cls(counts, {"trees": seen, "crossing": crossing, **(facts or {})})

    def preference(self, kind: str, first: str, second: str) -> float:
        """Log-odds of ``first`` before ``second`` among the parts of a ``noun`` or ``verb``; 0 for unknown ones."""
        counts = self.counts.get(kind, Counter())
        return math.log((counts[first, second] + _SMOOTHING) / (counts[second, first] + _SMOOTHING))

    def order(self, tree: Analyzed) -> list[int] | None:
        """The words of a tree in the order this language prefers.

        Returns:
            places (from 0) of the words, first to last; ``None`` for a tree that is not projective, or has a noun or
            verb of more than ``MOST_DEPENDENTS``.
        """
        if not is_projective(tree.heads):
            return None
        families = dict(_families(tree))
        if any(len(parts) > MOST_DEPENDENTS + 1 for parts in families.values()):
            return None
        children: dict[int, list[int]] = {}
        for word, head in enumerate(tree.heads):
            children.setdefault(head - 1, []).append(word)

        def parts_of(head: int) -> list[int]:
            if head in families:
                return self._best(tree, head, families[head])
            return sorted([head, *children.get(head, [])])

        out: list[int] = []
        waiting = [(root, False) for root in reversed(children.get(-1, []))]
        while waiting:  # deep trees do not exhaust the stack
            word, alone = waiting.pop()
            if alone:
                out.append(word)
            else:
                waiting += [(part, part == word) for part in reversed(parts_of(word))]
        return out

    def _best(self, tree: Analyzed, head: int, parts: Sequence[int]) -> list[int]:
        names = tuple(_HEAD if part == head else _relation(tree.deprels[part]) for part in parts)
        key = (_KINDS[tree.upos[head]], names)
        if key not in self._known:
            self._known[key] = self._arranged(*key)
        return [parts[place] for place in self._known[key]]

    def _arranged(self, kind: str, names: Sequence[str]) -> tuple[int, ...]:
        """The order of parts that satisfies most, by their places."""
        alike = 1e6  # they stay as they stood
        before = [
            [self.preference(kind, a, b) if a != b else math.copysign(alike, j - i) for j, b in enumerate(names)]
            for i, a in enumerate(names)
        ]

        @cache
        def best(left: int) -> tuple[float, tuple[int, ...]]:
            """Of the parts in a set (bits): the greatest sum, and the order that has it."""
            found: tuple[float, tuple[int, ...]] = (0.0, ())
            for i in (k for k in range(len(names)) if left >> k & 1):
                rest, order = best(left & ~(1 << i))
                value = rest + sum(before[i][j] for j in order)
                if not found[1] or value > found[0] + 1e-9:
                    found = (value, (i, *order))
            return found

        return best((1 << len(names)) - 1)[1]

    def lines(self) -> list[str]:
        """JSON that a person can read, by line."""
        counts = {kind: {" ".join(pair): n for pair, n in sorted(some.items())} for kind, some in self.counts.items()}
        return json.dumps({"schema": 1, **self.facts, "counts": counts}, indent=1, ensure_ascii=False).split("\n")

    @classmethod
    def load(cls, path: str | Path) -> Ordering:
        """Read a file of :meth:`lines`.

        Raises:
            UserError: for anything else.
        """
        try:
            facts = json.loads(Path(path).read_text(encoding="utf-8"))
            raw = facts.pop("counts")
            if facts.pop("schema") != 1:
                raise ValueError
            counts = {kind: Counter({_pair(pair): int(n) for pair, n in some.items()}) for kind, some in raw.items()}
        except OSError as error:
            raise UserError(str(error.strerror), where=path, hint="name a file of word order") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError("is no file of word order", where=path, hint="make one of a treebank") from None
        return cls(counts, facts)


def is_projective(heads: Sequence[int]) -> bool:
    """Whether no two arcs of a tree cross, the root's from before the first word among them."""
    arcs = [(min(word, head), max(word, head)) for word, head in enumerate(heads, 1)]
    arcs.sort(key=lambda arc: (arc[0], -arc[1]))
    open_ends: list[int] = []
    for start, end in arcs:
        while open_ends and open_ends[-1] <= start:
            open_ends.pop()
        if open_ends and end > open_ends[-1]:
            return False
        open_ends.append(end)
    return True


def _families(tree: Analyzed) -> Iterator[tuple[int, list[int]]]:
    """Each noun and verb that has dependents, and itself with these, in order; words from 0."""
    found: dict[int, list[int]] = {}
    for word, head in enumerate(tree.heads):
        if head and tree.upos[head - 1] in _KINDS:
            found.setdefault(head - 1, []).append(word)
    for head, dependents in found.items():
        yield head, sorted([head, *dependents])


def _relation(deprel: str) -> str:
    return deprel.partition(":")[0]


def _pair(text: str) -> tuple[str, str]:
    first, second = text.split(" ")
    return first, second
