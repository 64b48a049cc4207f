"""Show pairs of a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from paralign.smallworld import World
from paralign.sources.readers import read_pairs
from paralign.sources.specs import check_separate_pipes, parse_pairs, smallworld_range

__all__ = ["show_corpus"]


def show_corpus(pairs: str, *, limit: int = 3, lenient: bool = False) -> Iterator[str]:
    """Yield pairs as text to print; those of the small world with words, tags, trees and links.

    Args:
        pairs: spec ``SRC-TGT=PATH``, or ``smallworld[:START-STOP]`` for all its languages.
        limit: number of pairs.
        lenient: drop what cannot be read instead of raising.

    Raises:
        UserError: for a spec or pairs that cannot be read.
    """
    indices = smallworld_range(pairs)
    if indices is not None:
        world = World()
        yield from (f"{world.show(index)}\n" for index in islice(indices, limit))
        return
    check_separate_pipes([pairs])
    spec = parse_pairs(pairs)
    for pair in islice(read_pairs(spec, lenient=lenient), limit):  # readers have removed control characters
        yield f"{pair.line}\n  {spec.source}  {pair.source}\n  {spec.target}  {pair.target}"
