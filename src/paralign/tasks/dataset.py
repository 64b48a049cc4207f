"""The items of one data file, read again for each pass so that large files need no memory."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from paralign.console import dropped_note
from paralign.errors import UserError
from paralign.rng import uniform
from paralign.sources.specs import expand_home, parse_text

__all__ = ["Dataset"]

I = TypeVar("I")  # noqa: E741
_CHOOSE = 51


class Dataset(Generic[I]):
    """The items of one file in one language. The constructor reads the file once to check it.

    Args:
        name: the specification the user gave, ``LANG=PATH``; used in messages.
        language: the language recorded with results.
        read: opens the file and yields its items; its argument counts dropped items, by reason.
        limit: number of items to use, from the first. None: all.
        dropped: receives the counts of the first pass.
        keep: whether to keep the items in memory. Items from standard input and pipes always are.
        direction: recorded with results, for data in two languages. None: nothing is recorded.

    Raises:
        UserError: if there are no items, and the errors of ``read``.

    >>> data = Dataset("en=memory", "en", lambda dropped: iter(["a", "b", "c"]), limit=2, dropped=Counter())
    >>> len(data), list(data)
    (2, ['a', 'b'])
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
        path = Path(expand_home(name.partition("=")[2].strip()))
        single_pass = str(path) == "-" or (path.exists() and not path.is_file())  # standard input, or a pipe
        self._kept: list[I] | None = list(islice(read(dropped), limit)) if keep or single_pass else None
        first = self._kept if self._kept is not None else islice(read(dropped), limit)
        self.size = sum(1 for _ in first)
        self._chosen: frozenset[int] | None = None
        self.baselines: Mapping[str, Mapping[str, float]] | None = None
        """Scores of baselines, once a task has computed them."""
        if not self.size:
            raise UserError(f"no items to train on or score{dropped_note(dropped)}", where=name)

    @classmethod
    def of_text(
        cls,
        name: str,
        read: Callable[..., Iterator[I]],
        *,
        limit: int | None,
        dropped: Counter[str],
        **options: Any,
    ) -> Dataset[I]:
        """Return the items of ``LANG=PATH``.

        Args:
            name: the specification.
            read: a reader of :mod:`paralign.sources.readers`.
            limit: as in the class.
            dropped: as in the class.
            options: other arguments of ``read``, such as ``lenient``.

        Raises:
            UserError: as for the class, and for a malformed specification.
        """
        spec = parse_text(name)

        def items(count: Counter[str]) -> Iterator[I]:
            return read(spec, dropped=count, **options)

        return cls(name, spec.language, items, limit=limit, dropped=dropped)

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[I]:
        items = self._kept if self._kept is not None else islice(self._read(Counter()), self._limit)
        if self._chosen is None:
            return iter(items)
        chosen = self._chosen
        return (item for index, item in enumerate(items) if index in chosen)

    def sample(self, count: int, seed: int) -> Dataset[I]:
        """Return a random sample of the items, in their order.

        Args:
            count: number of items.
            seed: seed of the sample.

        Raises:
            UserError: if there are fewer items.
        """
        if count > self.size:
            raise UserError(f"cannot sample {count:,} examples: there are only {self.size:,}", where=self.name)
        sampled = np.argsort(uniform(seed, _CHOOSE, np.arange(self.size)), kind="stable")[:count]
        if self._chosen is not None:
            sampled = np.array(sorted(self._chosen))[sampled]
        subset = copy.copy(self)
        subset.size, subset._chosen, subset.baselines = count, frozenset(sampled.tolist()), None
        return subset
