"""``analyze links``: compare the word links of several aligners with each other, and with gold links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paralign.commands.arguments import one_or_several
from paralign.commands.word_pairs import check_gold_options, read_gold_links, read_word_pairs, warn_of_tokens
from paralign.console import echo, echo_dropped
from paralign.digests import object_digest
from paralign.errors import UserError
from paralign.formats.links import GoldLinks, Link, read_text_links
from paralign.metrics.alignment import alignment_items, alignment_score
from paralign.metrics.ratios import ratio
from paralign.results import Items, Measurement, write_results
from paralign.runs.folder import RunFolder
from paralign.sources.specs import PairSpec, parse_pairs
from paralign.tasks.cross_lingual import result_language
from paralign.words.base import WordPair

__all__ = ["analyze_links"]


@dataclass
class Aligned:
    """The links of one aligner."""

    name: str
    path: Path
    links: list[set[Link]]
    unlinked: tuple[float, float] = (0.0, 0.0)
    """Share of source words, and of target words, without a link."""
    agreement: float | None = None
    """F1 of these links and those of the first aligner. ``None`` for the first one."""
    rows: list[tuple[Measurement, Items | None]] = field(default_factory=list)

    @property
    def digest(self) -> str:
        """Digest of name and links: aligners with equal links are different systems, and a pipe has no digest."""
        return object_digest([self.name, [sorted(pair) for pair in self.links]])


@one_or_several
def analyze_links(
    links: str | Sequence[str],
    *,
    pairs: str,
    out: str | Path,
    gold: str | Path | None = None,
    one_based: bool = False,
    flipped: bool = False,
    tokenized: bool = False,
    show: int = 10,
    sentences: Sequence[int] = (),
    links_one_based: bool = False,
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """Compare the word links of one or more aligners, and show them sentence by sentence.

    ``figures/links.json`` contains the links of some sentences, which ``paralign report`` draws, and for each aligner
    the number of links, the words without a link, and how far it agrees with the first one. With ``gold``,
    ``results.jsonl`` contains alignment error rate, precision and recall (Och and Ney 2003); the report shows their
    differences with intervals over sentence pairs.

    Args:
        links: ``NAME=FILE``, links in Pharaoh format, a line for each pair. Without a name, that of the file is used.
        pairs: ``SRC-TGT=PATH``, the sentence pairs.
        out: the run folder; a rerun with the same settings replaces its content.
        gold: file of gold links (:func:`paralign.formats.links.read_gold`); ``smallworld`` for pairs of the small
            world. Default ``None``: aligners are only compared with the first one.
        one_based: words count from 1 in ``gold`` in Pharaoh format.
        flipped: ``gold`` lists the target word first.
        tokenized: words are separated by spaces. Default: words are found as in ``paralign words``.
        show: number of pairs whose links are shown, the first ones.
        sentences: numbers, from 1, of the pairs to show instead.
        links_one_based: words count from 1 in ``links``.
        limit: number of pairs that are compared, the first ones; ``gold`` is that of the whole text, ``links``
            are those of the whole text or of these pairs. Default ``None``: all.
        lenient: drop and count pairs and links that cannot be read.
        quiet: print nothing.
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        the rows of ``results.jsonl``; none without ``gold``.

    Raises:
        UserError: for input that cannot be read, links of another text, or names that occur twice.
    """
    spec = parse_pairs(pairs)
    named = _named_files(links)
    check_gold_options(gold, flipped, one_based)
    folder = RunFolder(Path(out), "analyze links", command=command, fresh=True)
    settings = {
        "links": [f"{name}={path}" for name, path in named.items()],
        "pairs": pairs,
        "gold": None if gold is None else str(gold),
        "one_based": one_based,
        "flipped": flipped,
        "tokenized": tokenized,
        "show": show,
        "sentences": list(sentences),
        "lenient": lenient,
        "links_one_based": links_one_based,
        "limit": limit,
    }
    folder.check_rerun(settings)
    dropped: Counter[str] = Counter()
    sizes: list[tuple[int, int]] = []
    chosen = set(sentences) or set(range(1, show + 1))
    shown: dict[int, WordPair] = {}
    read = read_word_pairs(spec, tokenized=tokenized, lenient=lenient, dropped=dropped)
    for number, pair in enumerate(warn_of_tokens(read, spec, quiet), 1):
        sizes.append((len(pair.words[0]), len(pair.words[1])))
        if number in chosen:
            shown[number] = pair
    echo_dropped(dropped, "pairs", quiet=quiet)
    count = len(sizes[:limit])
    shown = {number: pair for number, pair in shown.items() if number <= count}
    missing = sorted(set(sentences) - set(shown))
    if missing:
        raise UserError(f"there is no pair {missing[0]}", where=spec.path, hint=f"use 1 to {count:,}")
    reference = None
    if gold is not None:
        reference = read_gold_links(spec, gold, sizes, one_based, flipped, lenient, quiet)[:limit]
    compared = [
        Aligned(name, path, _read_links(name, path, sizes, links_one_based, lenient, quiet, limit))
        for name, path in named.items()
    ]
    sizes = sizes[:limit]
    for aligned in compared:
        aligned.unlinked = unlinked_words(aligned.links, sizes)
        if aligned is not compared[0]:
            both = zip(aligned.links, compared[0].links, strict=True)
            aligned.agreement = alignment_score((own, first, first) for own, first in both).f1
        if reference is not None:
            aligned.rows = list(_rows(aligned, reference, spec, str(gold), folder.name))
        agreement = "" if aligned.agreement is None else f", F1 with {compared[0].name} {aligned.agreement:.1%}"
        number = sum(map(len, aligned.links))
        scores = "".join(f", {row.metric} {100 * row.value:.1f}" for row, _ in aligned.rows)
        echo(f"{aligned.name}: {number:,} links in {count:,} pairs{agreement}{scores}", quiet=quiet)
    measured = [row for aligned in compared for row in aligned.rows]
    with folder:
        folder.begin(settings)
        folder.figure("links", "links", **_figure(spec, compared, reference, shown))
        write_results(folder.path, measured, fresh=True)
        folder.save(status="done")
    return [row for row, _ in measured]


def unlinked_words(links: Sequence[set[Link]], sizes: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Return the share of source words, and of target words, without a link; 0 without words."""
    linked = [sum(len({link[side] for link in pair}) for pair in links) for side in (0, 1)]
    words = [sum(size[side] for size in sizes) for side in (0, 1)]
    source, target = (1 - part / whole if whole else 0.0 for part, whole in zip(linked, words, strict=True))
    return source, target


def _named_files(links: Sequence[str]) -> dict[str, Path]:
    """Read ``NAME=FILE``."""
    named: dict[str, Path] = {}
    for text in links:
        name, equals, path = text.partition("=")
        file = Path(path if equals else text)
        name = name.strip() if equals else file.name
        if not name or name in named:
            message = f"two files of links are called {name!r}" if name else f"{text!r} has no name"
            raise UserError(message, hint="write --links NAME=FILE, with a name for each")
        named[name] = file
    if not named:
        raise UserError("no links are given", hint="--links NAME=FILE, once for each aligner")
    return named


def _read_links(
    name: str,
    path: Path,
    sizes: Sequence[tuple[int, int]],
    one_based: bool,
    lenient: bool,
    quiet: bool,
    limit: int | None,
) -> list[set[Link]]:
    """Read the links of one aligner, and report how many were dropped."""
    dropped: Counter[str] = Counter()
    option = "--links-one-based"
    links = read_text_links(
        path, sizes, one_based=one_based, lenient=lenient, dropped=dropped, option=option, limit=limit
    )
    echo_dropped(dropped, f"{name}: links", quiet=quiet)
    return [pair.possible for pair in links]


def _rows(
    aligned: Aligned, reference: Sequence[GoldLinks], spec: PairSpec, gold: str, run: str
) -> Iterator[tuple[Measurement, Items]]:
    scored = alignment_items(
        (links, true.sure, true.possible) for links, true in zip(aligned.links, reference, strict=True)
    )
    digest = aligned.digest
    for metric, items in scored.items():
        yield (
            Measurement(
                task="alignment",
                dataset=Path(gold).name,
                language=result_language(spec.languages),
                metric=metric,
                value=ratio(items),
                n=len(items),
                model=str(aligned.path),
                model_hash=digest,
                run=run,
                settings={"system": aligned.name, "control": False},
            ),
            items,
        )


def _figure(
    spec: PairSpec, compared: Sequence[Aligned], reference: Sequence[GoldLinks] | None, shown: dict[int, WordPair]
) -> dict[str, Any]:
    """Return the data of the figure: facts about each aligner, and the chosen sentence pairs with their links."""
    systems = [
        {
            "system": aligned.name,
            "links": sum(map(len, aligned.links)),
            "pairs": len(aligned.links),
            "unlinked": list(aligned.unlinked),
            "agreement": aligned.agreement,
        }
        for aligned in compared
    ]
    sentences = []
    for number, pair in sorted(shown.items()):
        sentence = {
            "number": number,
            "source": pair.words[0],
            "target": pair.words[1],
            "aligners": [sorted(aligned.links[number - 1]) for aligned in compared],
        }
        if reference is not None:
            true = reference[number - 1]
            sentence |= {"sure": sorted(true.sure), "possible": sorted(true.possible)}
        sentences.append(sentence)
    return {"languages": spec.languages, "systems": systems, "sentences": sentences}
