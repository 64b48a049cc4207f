"""Items of the small world: pairs, plain text, trees, and the data of the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any, TypeVar, TypeVarTuple

from paralign.formats.items import Pair, Question, SentencePair, Tagged, Tree
from paralign.sources.specs import PairSpec

__all__ = [
    "SEED",
    "smallworld_pairs",
    "smallworld_questions",
    "smallworld_sentence_pairs",
    "smallworld_tagged",
    "smallworld_text",
    "smallworld_trees",
]

_BLOCK = 64
"""Number of items generated together."""
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
SEED = 0
"""Seed of the world that ``smallworld`` denotes."""


def smallworld_pairs(spec: PairSpec, indices: range) -> Iterator[Pair]:
    """Yield pairs with the given indices.

    Raises:
        UserError: for a language that the small world does not have.
    """
    from paralign.smallworld import World

    world = World(SEED)
    for index in indices:
        source, target = world.sentence(index, spec.source), world.sentence(index, spec.target)
        yield Pair(source.text, target.text, index)


def smallworld_gold(spec: PairSpec, indices: range) -> Iterator[set[tuple[int, int]]]:
    """Yield gold links between the words of :func:`paralign.text.words.word_spans`.

    These can differ from the words of the small world (a Chinese word is several); errors as in
    :func:`smallworld_pairs`.
    """
    from paralign.smallworld import World
    from paralign.text.words import word_spans

    world = World(SEED)
    for index in indices:
        words_of = []
        for language in spec.languages:
            sentence = world.sentence(index, language)
            spans = word_spans(sentence.text)
            words_of.append(
                [
                    [k for k, (start, end) in enumerate(spans) if start < word_end and word_start < end]
                    for word_start, word_end in sentence.spans
                ]
            )
        source, target = words_of
        yield {(a, b) for i, j in world.links(index, *spec.languages) for a in source[i] for b in target[j]}


def smallworld_text(language: str, indices: range) -> Iterator[tuple[int, str]]:
    """Yield index and text of each sentence; errors as in :func:`smallworld_pairs`."""
    from paralign.smallworld import World

    world = World(SEED)
    return ((index, world.sentence(index, language).text) for index in indices)


def _in_blocks(generate: Callable[[*Ts, range], Iterator[T]]) -> Callable[[*Ts, range], Iterator[T]]:
    """Keep the items in blocks, as tasks read their data several times, and several runs the same data.

    Args:
        generate: called with languages and a range of indices.
    """

    @wraps(generate)
    def items(*args: *tuple[*Ts, range]) -> Iterator[T]:
        *languages, indices = args
        for start in range(indices.start, indices.stop, _BLOCK):
            yield from _block(generate, tuple(languages), start, min(start + _BLOCK, indices.stop))

    return items


@lru_cache(maxsize=256)
def _block(generate: Callable[..., Iterator[Any]], languages: tuple[str, ...], start: int, stop: int) -> list[Any]:
    return list(generate(*languages, range(start, stop)))


@_in_blocks
def smallworld_trees(language: str, indices: range) -> Iterator[Tree]:
    """Yield gold trees; errors as in :func:`smallworld_pairs`."""
    from paralign.smallworld import World

    world = World(SEED)
    for index in indices:
        s = world.sentence(index, language)
        xpos = ("_",) * len(s.words)
        yield Tree(f"smallworld-{index}", s.text, s.words, s.spans, s.upos, xpos, s.heads, s.deprels, s.lemmas, index)


@_in_blocks
def smallworld_sentence_pairs(language: str, indices: range) -> Iterator[SentencePair]:
    """Yield labeled inference pairs, aligned by index over languages; errors as in :func:`smallworld_pairs`."""
    from paralign.smallworld import realize, sample_inference

    for index in indices:
        pair = sample_inference(index, SEED)
        first, second = realize(pair.premise, language).text, realize(pair.hypothesis, language).text
        yield SentencePair(first, second, pair.label, f"smallworld-{index}", index)


@_in_blocks
def smallworld_questions(context_language: str, question_language: str, indices: range) -> Iterator[Question]:
    """Yield questions with one answer each, aligned by index; errors as in :func:`smallworld_pairs`."""
    from paralign.smallworld import realize_question, sample_question

    for index in indices:
        item = sample_question(index, SEED)
        context, question, answer, start = realize_question(item, context_language, question_language)
        yield Question(f"smallworld-{index}", question, context, (answer,), (start,))


@_in_blocks
def smallworld_tagged(language: str, indices: range) -> Iterator[Tagged]:
    """Yield sentences with persons and places in BIO tags (``B-PER`` ...); errors as in :func:`smallworld_pairs`.

    ``text`` is the sentence in the orthography of its language, in Chinese without spaces.
    """
    from paralign.smallworld import World

    world = World(SEED)
    for index in indices:
        s = world.sentence(index, language)
        tags = ["O"] * len(s.words)
        for first, end, label in s.entities:
            tags[first:end] = [f"B-{label}"] + [f"I-{label}"] * (end - first - 1)
        yield Tagged(s.text, s.words, s.spans, tuple(tags), index)
