"""Parallel text split into words, with links or gold links, for the commands that read it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from paralign.config import check_sections, parse_override, section
from paralign.console import echo, echo_dropped
from paralign.corpus.language_identification import language_warnings
from paralign.errors import UserError
from paralign.formats.links import GoldLinks, read_gold
from paralign.sources.line_numbers import fill_gaps
from paralign.sources.readers import read_pairs
from paralign.sources.smallworld import smallworld_gold
from paralign.sources.specs import PairSpec, TextSpec, check_order, smallworld_range
from paralign.text.tokenized import TokenCheck
from paralign.text.words import split_words
from paralign.words.base import AlignerOptions, WordPair, find_aligner, make_aligner
from paralign.words.word_links import WordLinks

__all__ = [
    "Sizes",
    "check_gold_options",
    "echo_language_warnings",
    "parse_overrides",
    "read_aligned_text",
    "read_gold_links",
    "read_texts",
    "read_word_pairs",
    "warn_of_tokens",
]

Sizes = list[tuple[int, int]]
"""Number of words of both sides of each pair."""


def read_texts(
    spec: PairSpec, *, tokenized: bool = False, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Read sentence pairs as texts; arguments and errors as in :func:`read_word_pairs`."""

    def read(counts: Counter[str]) -> Iterator[tuple[int, tuple[str, str]]]:
        pairs = read_pairs(spec, lenient=lenient, dropped=counts, tokenized=tokenized)
        return ((pair.line, (pair.source, pair.target)) for pair in pairs)

    dropped = Counter() if dropped is None else dropped
    return (texts for _, texts in fill_gaps(spec, read, ("", ""), lenient=lenient, dropped=dropped))


def read_word_pairs(
    spec: PairSpec,
    *,
    tokenized: bool = False,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    sizes: Sizes | None = None,
    limit: int | None = None,
) -> Iterator[WordPair]:
    """Read sentence pairs and split both sides into words.

    A line that is dropped gives a pair without words, so that line numbers of text and links agree.

    Args:
        spec: the text.
        tokenized: words are separated by spaces. Default: words are found in the text.
        lenient: drop pairs that cannot be read instead of raising.
        dropped: counts dropped pairs, by reason.
        sizes: the number of words of both sides is appended for each pair.
        limit: number of pairs that are read, the first ones. Default ``None``: all.

    Raises:
        UserError: with the file and line of a pair that cannot be read.
    """
    texts: deque[tuple[str, str]] = deque()

    def sides() -> Iterator[str]:
        for pair in islice(read_texts(spec, tokenized=tokenized, lenient=lenient, dropped=dropped), limit):
            texts.append(pair)
            yield from pair

    words = split_words(sides(), tokenized=tokenized)
    for source in words:
        target = next(words)
        if sizes is not None:
            sizes.append((len(source), len(target)))
        yield WordPair(texts.popleft(), (source, target))


def warn_of_tokens(pairs: Iterable[WordPair], spec: PairSpec, quiet: bool) -> Iterator[WordPair]:
    """Yield the pairs, then report if the text is tokenized and its tokens are not the words that were found."""
    check = TokenCheck()
    for pair in pairs:
        check.add(pair.texts, [len(words) for words in pair.words])
        yield pair
    message = check.message("--tokenized")
    if message:
        echo(f"WARNING {spec.path}: {message}", quiet=quiet)


def read_aligned_text(
    spec: PairSpec,
    *,
    links: str | Path | None = None,
    method: str | None = None,
    symmetrize: str | None = None,
    tokenized: bool = False,
    one_based: bool = False,
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
) -> tuple[list[WordPair], WordLinks]:
    """Read parallel text, and read or compute its links.

    Args:
        spec: the text.
        links: file of links in Pharaoh format. Default ``None``: the text is aligned.
        method: the aligner, one that needs nothing but text. Default ``None``: ``hmm``. Not with ``links``.
        symmetrize: how the links of both directions are combined. Default ``None``: the aligner's default.
        tokenized: words are separated by spaces. Default: words are found in the text.
        one_based: words count from 1 in ``links``; only with them.
        limit: number of pairs that are read, the first ones; ``links`` are those of the whole text or of these pairs.
            Default ``None``: all.
        lenient: drop pairs and links that cannot be read.
        quiet: print nothing.

    Returns:
        the sentence pairs, and their links.

    Raises:
        UserError: for an aligner that needs more than text, and for options without effect.
    """
    if links is not None and method is not None:
        raise UserError("--method has no effect with --links", hint="remove it")
    if links is None and one_based:
        raise UserError("--one-based describes --links, but none are given", hint="add --links, or remove it")
    method = method or "hmm"
    if links is None and (missing := find_aligner(method).requires):
        hint = "choose one that needs only text, such as hmm"
        raise UserError(f"the aligner {method!r} needs --{min(missing)}, which is not an option here", hint=hint)
    options = AlignerOptions(
        spec,
        symmetrize=symmetrize if links is None else None,
        tokenized=tokenized,
        links=links,
        one_based=one_based,
        lenient=lenient,
        quiet=quiet,
    )
    aligner = make_aligner(method if links is None else "file", options)
    echo_language_warnings([spec], quiet)
    dropped: Counter[str] = Counter()
    first = None if links is not None else limit
    read = read_word_pairs(spec, tokenized=tokenized, lenient=lenient, dropped=dropped, limit=first)
    text = list(read if links is None else warn_of_tokens(read, spec, quiet))
    echo_dropped(dropped, "pairs", quiet=quiet)
    aligner.read(text)
    text = text[:limit]
    return text, aligner.align(len(text))


def echo_language_warnings(specs: Sequence[PairSpec | TextSpec], quiet: bool) -> None:
    """Report text in another language or script than its tag."""
    for warning in language_warnings(specs):
        echo(f"WARNING {warning}", quiet=quiet)


def check_gold_options(gold: str | Path | None, flipped: bool, one_based: bool, tokenized: bool = False) -> None:
    """Refuse options that say how gold links are written where there is no file of them.

    Raises:
        UserError: naming the option.
    """
    if gold is None and (flipped or one_based):
        option = "--flipped" if flipped else "--one-based"
        raise UserError(f"{option} describes gold links, but none are given", hint="add --gold, or remove it")
    if str(gold) == "smallworld" and (flipped or one_based or tokenized):
        option = "--flipped" if flipped else "--one-based" if one_based else "--tokenized"
        raise UserError(f"{option} cannot be combined with --gold smallworld", hint="remove it")


def read_gold_links(
    spec: PairSpec, path: str | Path, sizes: Sizes, one_based: bool, flipped: bool, lenient: bool, quiet: bool
) -> list[GoldLinks]:
    """Read the gold links of a text, and report how many were dropped.

    Args:
        spec: the text.
        path: the file, or ``smallworld``.
        sizes: number of words of both sides of each pair.
        one_based, flipped, lenient: as in :func:`paralign.formats.links.read_gold`.
        quiet: print nothing.

    Raises:
        UserError: for links that cannot be read, or ``smallworld`` with another text.
    """
    check_order(spec)
    indices = smallworld_range(spec.path)
    if str(path) == "smallworld":
        if indices is None:
            message = "--gold smallworld is only for pairs of the small world"
            raise UserError(message, hint="name a file of gold links")
        return [GoldLinks(links, links) for links in smallworld_gold(spec, indices)]
    dropped: Counter[str] = Counter()
    gold = read_gold(path, sizes, one_based=one_based, flipped=flipped, lenient=lenient, dropped=dropped)
    echo_dropped(dropped, "gold links", quiet=quiet)
    return gold


def parse_overrides(overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Parse ``words.key=value``.

    Raises:
        UserError: for another section.
    """
    parsed = [parse_override(text) for text in overrides]
    for settings in parsed:
        check_sections(settings, "words")
    return [dict(section(settings, "words")) for settings in parsed]
