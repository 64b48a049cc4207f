"""The small world in the readers' forms: pairs, plain text and trees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from paralign.text.specs import PairSpec

if TYPE_CHECKING:
    from paralign.text.conllu import Tree
    from paralign.text.readers import Pair

__all__ = ["SEED", "conllu_from_smallworld", "smallworld_pairs", "smallworld_text"]

SEED = 0
"""The world that ``smallworld`` names."""


def smallworld_pairs(spec: PairSpec, indices: range) -> Iterator[Pair]:
    """Pairs with gold links.

    Raises:
        UserError: for a language the small world does not speak.
    """
    from paralign.smallworld import World
    from paralign.text.readers import Pair

    world = World(SEED)
    for index in indices:
        source, target = world.sentence(index, spec.source), world.sentence(index, spec.target)
        yield Pair(source.text, target.text, index, world.links(index, spec.source, spec.target))


def smallworld_text(language: str, indices: range) -> Iterator[tuple[int, str]]:
    """``(index, text)`` of each sentence; errors as in :func:`smallworld_pairs`."""
    from paralign.smallworld import World

    world = World(SEED)
    return ((index, world.sentence(index, language).text) for index in indices)


def conllu_from_smallworld(language: str, indices: range) -> Iterator[Tree]:
    """Gold trees, as a CoNLL-U file would give them; errors as in :func:`smallworld_pairs`."""
    from paralign.smallworld import World
    from paralign.text.conllu import Tree

    world = World(SEED)
    for index in indices:
        s = world.sentence(index, language)
        xpos = ("_",) * len(s.words)
        yield Tree(f"smallworld-{index}", s.text, s.words, s.spans, s.upos, xpos, s.heads, s.deprels, s.lemmas, index)
