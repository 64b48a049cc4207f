"""``paralign words``: align the words of parallel text, and score the links."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any

from paralign.commands.arguments import one_or_several
from paralign.config import check_sections, merge, parse_override, section
from paralign.console import echo, echo_dropped
from paralign.corpus.language_identification import language_warnings
from paralign.errors import UserError
from paralign.folders import check_outputs
from paralign.formats.lines import write_lines
from paralign.formats.links import GoldLinks, read_gold, write_links
from paralign.metrics.alignment import AlignmentScore, alignment_score
from paralign.sources.line_numbers import fill_gaps
from paralign.sources.readers import read_pairs
from paralign.sources.smallworld import smallworld_gold
from paralign.sources.specs import PairSpec, TextSpec, check_order, input_files, parse_pairs, smallworld_range
from paralign.text.tokenized import TokenCheck
from paralign.text.words import split_words
from paralign.version import __version__
from paralign.words.base import AlignerOptions, WordPair, find_aligner, make_aligner
from paralign.words.word_links import WordLinks

__all__ = [
    "align_words",
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

DEFAULT_ENCODER = "intfloat/multilingual-e5-small"
"""Of ``similarity``: a small encoder that has seen translations (docs/results/word-alignment.md)."""


@one_or_several
def align_words(
    pairs: str,
    *,
    out: str | Path,
    train: str | Sequence[str] = (),
    method: str = "hmm",
    symmetrize: str | None = None,
    tokenized: bool = False,
    model: str | None = None,
    links: str | Path | None = None,
    overrides: str | Sequence[str] = (),
    save: str | Path | None = None,
    load: str | Path | None = None,
    gold: str | Path | None = None,
    one_based: bool = False,
    flipped: bool = False,
    scores: str | Path | None = None,
    posteriors: str | Path | None = None,
    limit: int | None = None,
    lenient: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> tuple[WordLinks, AlignmentScore | None]:
    """Align the words of parallel text.

    Args:
        pairs: ``SRC-TGT=PATH``, the sentence pairs to align.
        out: file to write the links to, in Pharaoh format: ``i-j`` from 0, one line for each pair that is read.
        train: ``SRC-TGT=PATH``, further text in the same languages to learn from, which gets no links.
        method: ``hmm``, ``ibm``, ``similarity``, ``eflomal`` or ``file``, or an aligner of your own as
            ``my_module:Class``.
        symmetrize: how the links of both directions are combined, one of
            ``paralign.words.symmetrization.SYMMETRIZATIONS``, or ``posterior``. Default ``None``: ``posterior`` for
            ``hmm`` and ``ibm``, ``intersect`` for ``similarity``, else ``grow-diag-final-and``.
        tokenized: words of ``pairs`` are separated by spaces. Default: words are found by
            :func:`paralign.text.words.word_spans`, as always in ``train``.
        model: encoder, for ``similarity``, or for ``hmm`` to combine its similarities with counts. None: with
            ``similarity``, ``DEFAULT_ENCODER``.
        links: file of existing links, for ``file``.
        overrides: settings of the aligner as ``words.key=value``.
        save: folder to save the trained aligner in. Default ``None``: it is not saved.
        load: folder of a saved aligner, which is used without training.
        gold: file of gold links of these pairs to score against (:func:`paralign.formats.links.read_gold`);
            ``smallworld`` for pairs of the small world. Default ``None``: no score.
        one_based: words count from 1 in ``gold`` and ``links``.
        flipped: the gold file names the target word first.
        scores: file to write the score against ``gold`` to, JSON with the settings and counts. Default ``None``: the
            name of ``out`` and ``.scores.json``.
        posteriors: file to write the probability of each link to, lines as in ``out``. Default ``None``: not written.
        limit: number of pairs of each text that are read, the first ones; ``gold`` is that of the whole text, ``links``
            are those of the whole text or of these pairs. Default ``None``: all.
        lenient: drop and count pairs and links that cannot be read. Other pairs keep their lines in ``out``.
        force: replace existing output files.
        quiet: print nothing.

    Returns:
        the links, and their score if ``gold`` is given.

    Raises:
        UserError: for input or settings that cannot be used.
    """
    spec, further = parse_pairs(pairs), [parse_pairs(text) for text in train]
    for other in further:
        if other.languages != spec.languages:
            message = f"--train is {'-'.join(other.languages)}, but --pairs is {'-'.join(spec.languages)}"
            raise UserError(message, where=other.path, hint="give the same languages in the same order")
    if gold is None and scores is not None:
        raise UserError("there is no score to write to --scores", hint="add --gold")
    check_gold_options(gold, flipped, one_based and links is None, tokenized)
    scores = f"{out}.scores.json" if gold is not None and scores is None else scores
    others = [path for path in (gold, links) if path is not None]
    outputs = [path for path in (out, scores, posteriors) if path is not None]
    check_outputs(outputs, [*input_files([spec, *further]), *others], force=force, folder=save)
    if method == "similarity" and model is None:
        model = DEFAULT_ENCODER
        echo(f"encoder: {model} (--model chooses another one)", quiet=quiet)
    options = AlignerOptions(
        spec,
        symmetrize=symmetrize,
        tokenized=tokenized,
        train=bool(further),
        save=save,
        load=load,
        posteriors=posteriors is not None,
        model=model,
        links=links,
        one_based=one_based,
        lenient=lenient,
        quiet=quiet,
    )
    aligner = make_aligner(method, options, merge(*parse_overrides(overrides)))
    echo_language_warnings([spec, *further], quiet)
    dropped: Counter[str] = Counter()
    sizes: Sizes = []
    whole = gold is not None or links is not None  # their lines belong to those of the text
    first = None if whole else limit
    text = read_word_pairs(spec, tokenized=tokenized, lenient=lenient, dropped=dropped, sizes=sizes, limit=first)
    text = warn_of_tokens(text, spec, quiet) if whole else text
    to_align = text if links is not None else islice(text, limit)
    to_learn = (read_word_pairs(other, lenient=lenient, dropped=dropped, limit=limit) for other in further)
    aligner.read(chain(to_align, chain.from_iterable(to_learn)))
    deque(text, maxlen=0)  # to know all sizes
    echo_dropped(dropped, "pairs", quiet=quiet)
    count = len(sizes[:limit])
    empty = sum(not m or not n for m, n in sizes[:limit])
    if empty:
        echo(f"{empty:,} of {count:,} pairs have an empty side, and no links", quiet=quiet)
    reference = None
    if gold is not None:
        reference = read_gold_links(spec, gold, sizes, one_based, flipped, lenient, quiet)[:limit]
    result = aligner.align(count)
    score = None
    if reference is not None:
        score = alignment_score((row, true.sure, true.possible) for row, true in zip(result, reference, strict=True))
        shown = f"AER {score.aer:.1%}, precision {score.precision:.1%}, recall {score.recall:.1%}, F1 {score.f1:.1%}"
        echo(f"{gold}: {shown} ({len(reference):,} pairs)", quiet=quiet)
    write_links(Path(out), result)
    if score is not None and scores is not None:
        facts = {
            "pairs": str(spec),
            "gold": str(gold),
            "method": aligner.name,
            "symmetrize": aligner.symmetrization,
            "settings": aligner.config.model_dump(mode="json"),
            "paralign": __version__,
            **({} if limit is None else {"limit": limit}),
        }
        _write_score(Path(scores), score, facts)
    if posteriors is not None and result.posterior is not None:
        values = result.posterior
        rows = (values[begin:end].tolist() for begin, end in pairwise(result.starts.tolist()))
        write_lines(Path(posteriors), (" ".join(f"{value:.4f}" for value in row) for row in rows))
    echo(f"{out}  ({len(result):,} pairs, {len(result.source):,} links)", quiet=quiet)
    if scores is not None:
        echo(f"{scores}  (scores)", quiet=quiet)
    return result, score


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


def _write_score(path: Path, score: AlignmentScore, facts: Mapping[str, Any]) -> None:
    """Write a score as JSON: shares, counts and what was measured."""
    values = asdict(score)
    shares = {name: values.pop(name) for name in ("aer", "precision", "recall", "f1")}
    table = {"schema": 1, **shares, "counts": values, "of": dict(facts)}
    write_lines(path, json.dumps(table, indent=1, ensure_ascii=False).split("\n"))


def parse_overrides(overrides: Sequence[str]) -> list[dict[str, Any]]:
    """Parse ``words.key=value``.

    Raises:
        UserError: for another section.
    """
    parsed = [parse_override(text) for text in overrides]
    for settings in parsed:
        check_sections(settings, "words")
    return [dict(section(settings, "words")) for settings in parsed]


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


def read_texts(
    spec: PairSpec, *, tokenized: bool = False, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Read sentence pairs as texts; arguments and errors as in :func:`read_word_pairs`."""

    def read(counts: Counter[str]) -> Iterator[tuple[int, tuple[str, str]]]:
        pairs = read_pairs(spec, lenient=lenient, dropped=counts, tokenized=tokenized)
        return ((pair.line, (pair.source, pair.target)) for pair in pairs)

    dropped = Counter() if dropped is None else dropped
    return (texts for _, texts in fill_gaps(spec, read, ("", ""), lenient=lenient, dropped=dropped))


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
