"""A data set that is read anew at each pass, so that its size costs no memory."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from paralign.errors import UserError
from paralign.rng import uniform

__all__ = ["Dataset"]

I = TypeVar("I")  # noqa: E741
_CHOOSE = 51


class Dataset(Generic[I]):
    """Items of one language in one file, checked once from end to end.

    Args:
        name: as the user gave it, for messages.
        language: what rows of results are about.
        read: opens the data; given a counter for what it drops.
        limit: the first so many items.
        dropped: counts what the first pass dropped.
        keep: hold the items (JSON is whole in memory anyway); those of pipes, which can be read only once, always are.
        direction: recorded with the results, for data of two languages.

    Raises:
        UserError: whatever ``read`` raises, and for no items.
    """

    def __init__(
        self,
        name: str,
        language: str,
        read: Callable[[Counter[str]], Iterator[I]],
        *,
        limit: int | None,
        dropped: Counter[str],
        keep: bool = False,
        direction: str | None = None,
    ) -> None:
        self.name, self.language, self.direction = name, language, direction
        self._read, self._limit = read, limit
        path = Path(name.partition("=")[2])
        once = str(path) == "-" or (path.exists() and not path.is_file())  # standard input, or a pipe
        self._kept: list[I] | None = list(islice(read(dropped), limit)) if keep or once else None
        first = self._kept if self._kept is not None else islice(read(dropped), limit)
        self.size = sum(1 for _ in first)
        self._chosen: frozenset[int] | None = None
        self.known: Mapping[str, Mapping[str, float]] | None = None
        """What baselines score on it, once a task has computed them."""
        if not self.size:
            why = ", ".join(f"{n:,} {reason}" for reason, n in dropped.items())
            raise UserError("nothing to learn from or score" + (f" (dropped: {why})" if why else ""), where=name)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[I]:
        items = self._kept if self._kept is not None else islice(self._read(Counter()), self._limit)
        if self._chosen is None:
            return iter(items)
        chosen = self._chosen
        return (item for place, item in enumerate(items) if place in chosen)

    def sample(self, count: int, seed: int) -> Dataset[I]:
        """``count`` items drawn by the seed, in their order.

        Raises:
            UserError: if there are fewer.
        """
        if count > self.size:
            raise UserError(f"{count:,} examples are asked for, there are {self.size:,}", where=self.name)
        drawn = np.argsort(uniform(seed, _CHOOSE, np.arange(self.size)), kind="stable")[:count]
        subset = copy.copy(self)
        subset.size, subset._chosen, subset.known = count, frozenset(drawn.tolist()), None
        return subset
