"""Word links for a corpus, by any aligner, and how good they are."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from paralign.config import merge, parse_override
from paralign.console import echo
from paralign.errors import UserError
from paralign.formats.conllu import is_treebank
from paralign.formats.lines import write_lines
from paralign.formats.links import GoldLinks, read_gold, write_links
from paralign.metrics.alignment import AlignmentScore, alignment_score
from paralign.sources.readers import line_count, read_pairs
from paralign.sources.smallworld import smallworld_gold
from paralign.sources.specs import PairSpec, check_order, parse_pairs, smallworld_range
from paralign.text.words import split_words
from paralign.words.base import AlignerOptions, WordPair, find_aligner, make_aligner
from paralign.words.word_links import WordLinks

__all__ = ["align_words", "linked_text", "word_pairs"]

Sizes = list[tuple[int, int]]


def align_words(
    pairs: str,
    *,
    out: str | Path,
    train: Sequence[str] = (),
    method: str = "hmm",
    symmetrise: str | None = None,
    tokenised: bool = False,
    model: str | None = None,
    links: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    save: str | Path | None = None,
    load: str | Path | None = None,
    gold: str | Path | None = None,
    one_based: bool = False,
    flipped: bool = False,
    posteriors: str | Path | None = None,
    lenient: bool = False,
    quiet: bool = False,
) -> tuple[WordLinks, AlignmentScore | None]:
    """Say which word translates which.

    Args:
        pairs: ``SRC-TGT=PATH``.
        train: ``SRC-TGT=PATH`` of the same languages, several: more text to learn from, that gets no links.
        out: the file of links, Pharaoh's ``i-j`` from 0, a line for each pair that is read; empty where a side is.
        method: ``hmm``, ``ibm``, ``similarity``, ``eflomal`` or ``file``.
        symmetrise: how the two directions are joined, one of ``paralign.words.symmetrization.SYMMETRIZATIONS``;
            ``grow-diag-final-and`` by default, for ``similarity`` ``intersect``.
        tokenised: words of ``pairs`` are what stands between spaces; otherwise, and always in ``train``, those of
            :func:`paralign.text.words.word_spans`.
        model: an encoder, for ``similarity``.
        links: a file of links made elsewhere, for ``file``.
        settings: of the method.
        overrides: ``words.key=value``, which win over ``settings``.
        save: a folder to keep the trained aligner in.
        load: such a folder; nothing is trained.
        gold: gold links of these pairs, to score against (:func:`paralign.formats.links.read_gold`); ``smallworld`` for
            pairs of the small world.
        one_based: words of the gold file, and of ``links``, count from 1.
        flipped: the gold file names the target word first.
        posteriors: a file for how sure each link is, a number for each link, lines as in ``out``.
        lenient: drop and count pairs and gold links that cannot be read; other lines' links keep their order.
        quiet: say nothing.

    Returns:
        the links, and their score if there is a gold.

    Raises:
        UserError: for input or settings that cannot be used.
    """
    spec, more = parse_pairs(pairs), [parse_pairs(text) for text in train]
    for other in more:
        if other.languages != spec.languages:
            message = f"the text to learn from is of {'-'.join(other.languages)}, not {'-'.join(spec.languages)}"
            raise UserError(message, where=other.path, hint="give the same languages in the same order")
    taken = {Path(path).resolve() for one in (spec, *more) for path in one.paths if path != "-"}
    for place in (out, *([] if posteriors is None else [posteriors])):
        if Path(place).is_dir() or not Path(place).resolve().parent.is_dir():
            what = "is a folder, not a file" if Path(place).is_dir() else "its folder does not exist"
            raise UserError(what, where=place, hint="name a file in a folder that is there")
        if Path(place).resolve() in taken:
            raise UserError("is written twice, or read too", where=place, hint="name another file")
        taken.add(Path(place).resolve())
    options = AlignerOptions(
        spec,
        symmetrise=symmetrise,
        tokenised=tokenised,
        train=bool(more),
        save=save,
        load=load,
        posteriors=posteriors is not None,
        model=model,
        links=links,
        one_based=one_based,
        lenient=lenient,
        quiet=quiet,
    )
    aligner = make_aligner(method, options, merge(settings or {}, *_asked(overrides)))
    dropped: Counter[str] = Counter()
    sizes: Sizes = []
    learnt = chain.from_iterable(word_pairs(other, lenient=lenient, dropped=dropped) for other in more)
    own = word_pairs(spec, tokenised=tokenised, lenient=lenient, dropped=dropped, sizes=sizes)
    aligner.read(chain(own, learnt))
    for reason, number in sorted(dropped.items()):
        echo(f"{number:,} pairs dropped: {reason}", quiet=quiet)
    empty = sum(not m or not n for m, n in sizes)
    if empty:
        echo(f"{empty:,} of {len(sizes):,} pairs have an empty side, and no links", quiet=quiet)
    right = None if gold is None else _gold(spec, gold, sizes, one_based, flipped, lenient, quiet)
    found = aligner.align(len(sizes))
    score = None
    if right is not None:
        score = alignment_score((some, true.sure, true.possible) for some, true in zip(found, right, strict=True))
        shown = f"AER {score.aer:.1%}, precision {score.precision:.1%}, recall {score.recall:.1%}, F1 {score.f1:.1%}"
        echo(f"{gold}: {shown} ({len(right):,} pairs)", quiet=quiet)
    write_links(Path(out), found)
    if posteriors is not None and found.posterior is not None:
        values = found.posterior
        rows = (values[begin:end].tolist() for begin, end in pairwise(found.starts.tolist()))
        write_lines(Path(posteriors), (" ".join(f"{value:.4f}" for value in row) for row in rows))
    echo(f"{out}  ({len(found):,} pairs, {len(found.source):,} links)", quiet=quiet)
    return found, score


def linked_text(
    spec: PairSpec,
    *,
    links: str | Path | None = None,
    method: str = "hmm",
    symmetrise: str | None = None,
    tokenised: bool = False,
    lenient: bool = False,
    quiet: bool = False,
) -> tuple[list[WordPair], WordLinks]:
    """The pairs of a corpus and their links: those of a file, or found (and joined by ``symmetrise``).

    Raises:
        UserError: for a method that needs more than the text.
    """
    if links is None and (missing := find_aligner(method).requires):
        hint = "choose one that needs only text, such as hmm"
        raise UserError(f"the aligner {method!r} needs --{min(missing)}, which is not an option here", hint=hint)
    text = list(word_pairs(spec, tokenised=tokenised, lenient=lenient))
    joined = symmetrise if links is None else None
    options = AlignerOptions(spec, symmetrise=joined, tokenised=tokenised, links=links, lenient=lenient, quiet=quiet)
    aligner = make_aligner(method if links is None else "file", options)
    aligner.read(text)
    return text, aligner.align(len(text))


def _asked(overrides: Sequence[str]) -> list[dict[str, Any]]:
    found = [parse_override(text) for text in overrides]
    for some in found:
        if set(some) != {"words"}:
            raise UserError(f"unknown section {min(some)!r}", hint="here only words.* can be set")
    return [some["words"] for some in found]


def word_pairs(
    spec: PairSpec,
    *,
    tokenised: bool = False,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    sizes: Sizes | None = None,
) -> Iterator[WordPair]:
    """The pairs of a corpus with the words of both sides; how many those are is added to ``sizes``.

    A line that was dropped is a pair without words, so that links stand in the line of their pair.
    """
    lines = smallworld_range(spec.path) is None and not any(map(is_treebank, spec.paths))
    texts: deque[str] = deque()

    def sides() -> Iterator[str]:
        last = 0
        for pair in read_pairs(spec, lenient=lenient, dropped=dropped):
            yield from _blank(texts, pair.line - last - 1 if lines else 0)
            texts.extend((pair.source, pair.target))
            yield from (pair.source, pair.target)
            last = pair.line
        if lenient and (end := line_count(spec)) is not None:  # lines that were dropped at the end
            yield from _blank(texts, end - last)

    words = split_words(sides(), tokenised=tokenised)
    for source in words:
        target = next(words)
        if sizes is not None:
            sizes.append((len(source), len(target)))
        yield WordPair((texts.popleft(), texts.popleft()), (source, target))


def _blank(texts: deque[str], pairs: int) -> Iterator[str]:
    """So many pairs without words."""
    for _ in range(2 * max(0, pairs)):
        texts.append("")
        yield ""


def _gold(
    spec: PairSpec, path: str | Path, sizes: Sizes, one_based: bool, flipped: bool, lenient: bool, quiet: bool
) -> list[GoldLinks]:
    check_order(spec)
    indices = smallworld_range(spec.path)
    if str(path) == "smallworld":
        if indices is None:
            raise UserError("gold links of the small world for other pairs", hint="name the file of gold links")
        return [GoldLinks(some, some) for some in smallworld_gold(spec, indices)]
    dropped: Counter[str] = Counter()
    found = read_gold(path, sizes, one_based=one_based, flipped=flipped, lenient=lenient, dropped=dropped)
    for reason, number in sorted(dropped.items()):
        echo(f"{number:,} gold links dropped: {reason}", quiet=quiet)
    return found
