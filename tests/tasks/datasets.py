"""Data sets of items that a test has made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from paralign.tasks.dataset import Dataset

T = TypeVar("T")


def dataset(items: Iterable[T], language: str = "en") -> Dataset[T]:
    """Return items as a data set, which can be read more than once."""
    items = list(items)
    return Dataset(f"{language}=made", language, lambda dropped: iter(items), limit=None, dropped=Counter())
