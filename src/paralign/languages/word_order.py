"""Word order learned from trees of one language and applied to trees of another.

The dependents of every noun and verb, and the head itself, are put into the order that the first language prefers (the
"syntax" transformation of Tang et al. 2022, after the galactic dependencies of Wang and Eisner 2016). Dependents of
other heads keep their order.
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

from paralign.digests import check_schema
from paralign.errors import UserError

__all__ = ["MAX_DEPENDENTS", "DependencyTree", "WordOrder", "is_projective"]

MAX_DEPENDENTS = 6
"""A sentence with a noun or verb of more dependents is not reordered."""
_HEAD_CLASSES = {"NOUN": "noun", "PROPN": "noun", "VERB": "verb"}
_HEAD = "head"
_SMOOTHING = 0.5


class DependencyTree(Protocol):
    """A dependency tree; each attribute has one item for each word."""

    @property
    def upos(self) -> Sequence[str]:
        """Universal part-of-speech tags."""

    @property
    def heads(self) -> Sequence[int]:
        """1-based position of the head, 0 for the root."""

    @property
    def deprels(self) -> Sequence[str]:
        """Relation to the head."""


class WordOrder:
    """Word order preferences of a language.

    A *family* is a noun or verb with its dependents; its members are named by their relations, and ``head``. The
    preference for member ``a`` before ``b`` is log((n(a, b) + 0.5) / (n(b, a) + 0.5)), where n counts families in which
    the first precedes the second. The order of a family is the one with the greatest sum of preferences over its pairs;
    of equally good ones the one nearest to the original order.

    Args:
        counts: for each class of heads (``noun``, ``verb``), how often one member preceded another.
        facts: where the counts come from; saved with them.
    """

    def __init__(self, counts: dict[str, Counter[tuple[str, str]]], facts: dict[str, Any] | None = None) -> None:
        self.counts, self.facts = counts, dict(facts or {})
        self._cache: dict[tuple[str, tuple[str, ...]], tuple[int, ...]] = {}

    @classmethod
    def learn(cls, trees: Iterable[DependencyTree], facts: dict[str, Any] | None = None) -> WordOrder:
        """Count the orders in projective trees. Other trees are skipped and counted as ``crossing`` in ``facts``."""
        counts: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in sorted(set(_HEAD_CLASSES.values()))}
        used = crossing = 0
        for tree in trees:
            if not is_projective(tree.heads):
                crossing += 1
                continue
            used += 1
            for head, members in _families(tree):
                names = _member_names(tree, head, members)
                pairs = (pair for pair in combinations(names, 2) if pair[0] != pair[1])
                counts[_HEAD_CLASSES[tree.upos[head]]].update(pairs)
        return cls(counts, {"trees": used, "crossing": crossing, **(facts or {})})

    def preference(self, head_class: str, first: str, second: str) -> float:
        """Return the log-odds of ``first`` before ``second`` in families of a ``noun`` or ``verb``; 0 if never seen."""
        counts = self.counts.get(head_class, Counter())
        return math.log((counts[first, second] + _SMOOTHING) / (counts[second, first] + _SMOOTHING))

    def permutation(self, tree: DependencyTree) -> list[int] | None:
        """Return the order that this language prefers for the words of a tree.

        Returns:
            the positions (from 0) of the words, in their new order; ``None`` for a tree that is not projective, or has
            a noun or verb with more than ``MAX_DEPENDENTS`` dependents.
        """
        if not is_projective(tree.heads):
            return None
        families = dict(_families(tree))
        if any(len(members) > MAX_DEPENDENTS + 1 for members in families.values()):
            return None
        children: dict[int, list[int]] = {}
        for word, head in enumerate(tree.heads):
            children.setdefault(head - 1, []).append(word)

        def members_in_order(head: int) -> list[int]:
            if head in families:
                return self._reorder(tree, head, families[head])
            return sorted([head, *children.get(head, [])])

        order: list[int] = []
        stack = [(root, False) for root in reversed(children.get(-1, []))]
        while stack:  # no recursion: trees may be deep
            word, expanded = stack.pop()
            if expanded:
                order.append(word)
            else:
                stack += [(member, member == word) for member in reversed(members_in_order(word))]
        return order

    def _reorder(self, tree: DependencyTree, head: int, members: Sequence[int]) -> list[int]:
        key = (_HEAD_CLASSES[tree.upos[head]], _member_names(tree, head, members))
        if key not in self._cache:
            self._cache[key] = self._best_order(*key)
        return [members[position] for position in self._cache[key]]

    def _best_order(self, head_class: str, names: Sequence[str]) -> tuple[int, ...]:
        """Return the positions of a family's members in the order with the greatest sum of preferences."""
        same_name = 1e6  # members of one name keep their order
        before = [
            [
                self.preference(head_class, a, b) if a != b else math.copysign(same_name, j - i)
                for j, b in enumerate(names)
            ]
            for i, a in enumerate(names)
        ]

        @cache
        def best(subset: int) -> tuple[float, tuple[int, ...]]:
            """Return the greatest sum for a subset of the members (a bit mask), and the order that has it."""
            result: tuple[float, tuple[int, ...]] = (0.0, ())
            for i in (k for k in range(len(names)) if subset >> k & 1):
                rest, order = best(subset & ~(1 << i))
                value = rest + sum(before[i][j] for j in order)
                if not result[1] or value > result[0] + 1e-9:
                    result = (value, (i, *order))
            return result

        return best((1 << len(names)) - 1)[1]

    def lines(self) -> list[str]:
        """Return the lines of a JSON file that :meth:`load` reads."""
        counts = {
            name: {" ".join(pair): n for pair, n in sorted(counter.items())} for name, counter in self.counts.items()
        }
        return json.dumps({"schema": 1, **self.facts, "counts": counts}, indent=1, ensure_ascii=False).split("\n")

    @classmethod
    def load(cls, path: str | Path) -> WordOrder:
        """Read a file written from :meth:`lines`.

        Raises:
            UserError: if the file is missing or of another kind.
        """
        hint = "create one with paralign corpus order"
        try:
            facts = json.loads(Path(path).read_text(encoding="utf-8"))
            raw = facts.pop("counts")
            counts = {
                name: Counter({_parse_pair(pair): int(n) for pair, n in counter.items()})
                for name, counter in raw.items()
            }
        except OSError as error:
            raise UserError(f"cannot read the word order: {error.strerror}", where=path, hint=hint) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise UserError("not a word order file", where=path, hint=hint) from None
        check_schema(facts, 1, path, hint)
        del facts["schema"]
        return cls(counts, facts)


def is_projective(heads: Sequence[int]) -> bool:
    """Return whether no two arcs of a tree cross; the root's arc comes from before the first word.

    >>> is_projective([2, 0, 2]), is_projective([3, 0, 2, 1])
    (True, False)
    """
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


def _families(tree: DependencyTree) -> Iterator[tuple[int, list[int]]]:
    """Yield each noun and verb that has dependents, and the positions (from 0) of its family in order."""
    dependents: dict[int, list[int]] = {}
    for word, head in enumerate(tree.heads):
        if head and tree.upos[head - 1] in _HEAD_CLASSES:
            dependents.setdefault(head - 1, []).append(word)
    for head, words in dependents.items():
        yield head, sorted([head, *words])


def _member_names(tree: DependencyTree, head: int, members: Sequence[int]) -> tuple[str, ...]:
    return tuple(_HEAD if word == head else tree.deprels[word].partition(":")[0] for word in members)


def _parse_pair(text: str) -> tuple[str, str]:
    first, second = text.split(" ")
    return first, second
