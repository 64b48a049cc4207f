"""Hidden states of all layers, computed once, for code that asks for one layer of the same texts after another."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from typing import TypeVar

__all__ = ["cached_layers", "layers_of"]

_Layer = TypeVar("_Layer")
_LIMIT = 2**28
"""Bytes of all results that are kept at the same time."""


class _LayerCache:
    """Results of all layers by what they are computed from, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.results: dict[Hashable, Sequence[object]] = {}


_CACHE: ContextVar[_LayerCache | None] = ContextVar("layer cache", default=None)


@contextmanager
def cached_layers(limit: int = _LIMIT) -> Iterator[None]:
    """Keep the vectors of all layers of the texts that are encoded within this context.

    Asking for layer after layer then takes one forward pass instead of one for each layer. The encoder must not change
    within the context.

    Args:
        limit: number of bytes that are kept. Texts that would exceed it are encoded as without the cache.
    """
    token = _CACHE.set(_LayerCache(limit))
    try:
        yield
    finally:
        _CACHE.reset(token)


def layers_of(
    key: Callable[[], Hashable],
    layers: Sequence[int],
    count: int,
    size: int,
    compute: Callable[[Sequence[int]], Sequence[_Layer]],
) -> Sequence[_Layer]:
    """Return the results of some layers, from the cache if there is one.

    Args:
        key: returns what the results depend on besides the layer; called only if there is a cache.
        layers: numbers of the layers.
        count: number of layers that exist.
        size: bytes of the result of one layer.
        compute: returns the results of some layers; what is returned from the cache are copies.
    """
    cache = _CACHE.get()
    if cache is None:
        return compute(layers)
    found = cache.results.get(name := key())
    if found is None and size * count <= cache.limit:
        cache.limit -= size * count
        found = cache.results[name] = compute(range(count))
    return compute(layers) if found is None else [deepcopy(found[layer]) for layer in layers]  # type: ignore[misc]
