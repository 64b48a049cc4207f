"""Word links for a corpus, by any aligner, and how good they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

from paralign.config import did_you_mean, merge, parse_override, resolve
from paralign.device import best_device, return_memory
from paralign.errors import UserError
from paralign.metrics.alignment import AlignmentScore, alignment_score
from paralign.text import PairSpec, parse_pairs, read_pairs
from paralign.text.folders import whole_folder
from paralign.text.generated import smallworld_gold
from paralign.text.lines import write_lines
from paralign.text.links import GoldLinks, read_gold, write_links
from paralign.text.specs import smallworld_range
from paralign.text.treebank_pairs import is_treebank
from paralign.text.words import split_words
from paralign.verbs.folder import say
from paralign.words.bitext import Bitext
from paralign.words.cells import Cells
from paralign.words.decode import decode
from paralign.words.found import WordLinks
from paralign.words.ibm import IbmConfig
from paralign.words.ibm import train as train_counts
from paralign.words.saved import SavedWords
from paralign.words.symmetrise import METHODS as SYMMETRISATIONS

__all__ = ["ALIGNERS", "align_words"]

ALIGNERS = ("hmm", "ibm")
_DEFAULTS: dict[str, dict[str, Any]] = {"hmm": {"iterations": 3, "hmm": 4}, "ibm": {}}
Sizes = list[tuple[int, int]]


def align_words(
    pairs: str,
    *,
    out: str | Path,
    train: Sequence[str] = (),
    method: str = "hmm",
    symmetrise: str = "grow-diag-final-and",
    tokenised: bool = False,
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
        method: one of ``ALIGNERS``.
        symmetrise: how the two directions are joined, one of ``paralign.words.symmetrise.METHODS``.
        tokenised: words of ``pairs`` are what stands between spaces; otherwise, and always in ``train``, those of
            :func:`paralign.text.words.word_spans`.
        settings: of the method.
        overrides: ``words.key=value``, which win over ``settings``.
        save: a folder to keep the trained aligner in.
        load: such a folder; nothing is trained.
        gold: gold links of these pairs, to score against (:func:`paralign.text.links.read_gold`); ``smallworld`` for
            pairs of the small world.
        one_based: words of the gold file count from 1.
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
            raise UserError(message, where=other.path, mend="give the same languages in the same order")
    _check(method, symmetrise, out, save, load)
    counted = _Counted(spec, method, symmetrise, merge(settings or {}, *_asked(overrides)), save, load, quiet)
    dropped: Counter[str] = Counter()
    sizes: Sizes = []
    learnt = chain.from_iterable(_words(other, False, lenient, dropped) for other in more)
    counted.read(chain(_words(spec, tokenised, lenient, dropped, sizes), learnt))
    for reason, number in sorted(dropped.items()):
        say(f"{number:,} pairs dropped: {reason}", quiet=quiet)
    empty = sum(not m or not n for m, n in sizes)
    if empty:
        say(f"{empty:,} of {len(sizes):,} pairs have an empty side, and no links", quiet=quiet)
    right = None if gold is None else _gold(spec, gold, sizes, one_based, flipped, lenient, quiet)
    links = counted.align(len(sizes), posteriors is not None)
    score = None
    if right is not None:
        score = alignment_score((found, some.sure, some.possible) for found, some in zip(links, right, strict=True))
        shown = f"AER {score.aer:.1%}, precision {score.precision:.1%}, recall {score.recall:.1%}, F1 {score.f1:.1%}"
        say(f"{gold}: {shown} ({len(right):,} pairs)", quiet=quiet)
    write_links(Path(out), links)
    if posteriors is not None and links.posterior is not None:
        values = links.posterior
        rows = (values[begin:end].tolist() for begin, end in pairwise(links.starts.tolist()))
        write_lines(Path(posteriors), (" ".join(f"{value:.4f}" for value in row) for row in rows))
    say(f"{out}  ({len(links):,} pairs, {len(links.source):,} links)", quiet=quiet)
    return links, score


def _check(method: str, symmetrise: str, out: str | Path, save: str | Path | None, load: str | Path | None) -> None:
    if method not in ALIGNERS:
        raise UserError(f"unknown method {method!r}", mend=did_you_mean(method, ALIGNERS))
    if symmetrise not in SYMMETRISATIONS:
        raise UserError(f"unknown symmetrisation {symmetrise!r}", mend=did_you_mean(symmetrise, SYMMETRISATIONS))
    if save is not None and load is not None:
        raise UserError("--save and --load exclude each other", mend="what is loaded is saved already")
    if save is not None and Path(save).exists():
        raise UserError("is in use", where=save, mend="name another folder, or remove this one")
    if Path(out).is_dir():
        raise UserError("is a folder, not a file", where=out, mend="name the file of links")


def _asked(overrides: Sequence[str]) -> list[dict[str, Any]]:
    found = [parse_override(text) for text in overrides]
    for some in found:
        if set(some) != {"words"}:
            raise UserError(f"unknown section {min(some)!r}", mend="here only words.* can be set")
    return [some["words"] for some in found]


def _words(
    spec: PairSpec, tokenised: bool, lenient: bool, dropped: Counter[str], sizes: Sizes | None = None
) -> Iterator[tuple[list[str], list[str]]]:
    """The words of both sides of each pair; their numbers go to ``sizes``.

    A line that was dropped is a pair without words, so that links stand in the line of their pair.
    """
    lines = smallworld_range(spec.path) is None and not is_treebank(spec.paths[0])

    def texts() -> Iterator[str]:
        last = 0
        for pair in read_pairs(spec, lenient=lenient, dropped=dropped):
            for _ in range(last + 1, pair.line if lines else 0):
                yield from ("", "")
            last = pair.line
            yield from (pair.source, pair.target)

    sides = split_words(texts(), tokenised=tokenised)
    for source in sides:
        target = next(sides)
        if sizes is not None:
            sizes.append((len(source), len(target)))
        yield source, target


def _gold(
    spec: PairSpec, path: str | Path, sizes: Sizes, one_based: bool, flipped: bool, lenient: bool, quiet: bool
) -> list[GoldLinks]:
    indices = smallworld_range(spec.path)
    if str(path) == "smallworld":
        if indices is None:
            raise UserError("gold links of the small world for other pairs", mend="name the file of gold links")
        return [GoldLinks(some, some) for some in smallworld_gold(spec, indices)]
    dropped: Counter[str] = Counter()
    found = read_gold(path, sizes, one_based=one_based, flipped=flipped, lenient=lenient, dropped=dropped)
    for reason, number in sorted(dropped.items()):
        say(f"{number:,} gold links dropped: {reason}", quiet=quiet)
    return found


class _Counted:
    """The aligners that count: ``ibm`` and ``hmm``."""

    def __init__(
        self,
        spec: PairSpec,
        method: str,
        symmetrise: str,
        settings: Mapping[str, Any],
        save: str | Path | None,
        load: str | Path | None,
        quiet: bool,
    ) -> None:
        self.spec, self.method, self.symmetrise, self.save, self.quiet = spec, method, symmetrise, save, quiet
        self.config = resolve(IbmConfig, _DEFAULTS[method], settings)
        self.loaded = None if load is None else SavedWords.load(load)
        if self.loaded is not None and self.loaded.facts["languages"] != list(spec.languages):
            known = "-".join(self.loaded.facts["languages"])
            message = f"the aligner is of {known}, the text of {'-'.join(spec.languages)}"
            raise UserError(message, where=load, mend="train one of these languages, in this order")

    def read(self, texts: Iterable[tuple[list[str], list[str]]]) -> None:
        """Take in the words."""
        return_memory()
        self.lowercase = self.loaded.facts["lowercase"] if self.loaded else self.config.lowercase
        self.bitext = Bitext.of(texts, lowercase=self.lowercase)

    def align(self, pairs: int, posteriors: bool) -> WordLinks:
        """Learn, and link the first so many pairs."""
        cells = Cells(self.bitext, device=best_device())
        if not len(cells):
            raise UserError("no pair has words on both sides", where=self.spec.path)
        shown = f"{self.bitext.pairs:,} pairs, {len(cells):,} cells, {cells.distinct:,} distinct word pairs"
        say(shown, quiet=self.quiet)
        if self.loaded is not None:
            model = self.loaded.model(cells, self.bitext)
        else:
            model = train_counts(cells, self.config, progress=lambda line: say(line, quiet=self.quiet))
        if self.save is not None:
            facts = {"languages": list(self.spec.languages), "lowercase": self.lowercase, "method": self.method,
                     "settings": self.config.model_dump(mode="json")}  # fmt: skip
            with whole_folder(Path(self.save)) as part:
                SavedWords.of(model, cells, self.bitext, facts).save(part)
        return decode(model, cells, self.bitext, self.symmetrise, pairs=pairs, posteriors=posteriors)
