"""Every way to find word links, behind one face: it reads pairs, then links the first of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from paralign.config import did_you_mean, resolve
from paralign.console import echo
from paralign.device import best_device, one_thread, return_memory
from paralign.errors import UserError
from paralign.folders import whole_folder
from paralign.formats.links import GoldLinks, check_links, read_links
from paralign.sources.specs import PairSpec
from paralign.words.bitext import Bitext
from paralign.words.cells import Cells
from paralign.words.decode import decode
from paralign.words.external import EflomalConfig, eflomal
from paralign.words.found import WordLinks
from paralign.words.ibm import IbmConfig, train
from paralign.words.saved import SavedWords
from paralign.words.symmetrize import METHODS as SYMMETRIZATIONS

__all__ = ["ALIGNERS", "Aligner", "AlignerOptions", "WordPair", "make_aligner"]

_COUNTED: dict[str, dict[str, Any]] = {"hmm": {"iterations": 3, "hmm": 4}, "ibm": {}}
ALIGNERS = ("hmm", "ibm", "similarity", "eflomal", "file")


@dataclass(frozen=True, slots=True)
class WordPair:
    """A sentence pair: its texts, and the words of both."""

    texts: tuple[str, str]
    words: tuple[list[str], list[str]]


@dataclass(frozen=True)
class AlignerOptions:
    """What the caller asked for.

    Attributes:
        spec: the pairs to link.
        symmetrise: how two directions are joined; the aligner's own way if ``None``.
        tokenised: words of these pairs are split at spaces.
        model: an encoder, for ``similarity``.
        links: a file, for ``file``.
        one_based: words count from 1 in it.
        save, load: where a trained aligner goes to, comes from.
        lenient: drop what cannot be read.
        quiet: say nothing.
    """

    spec: PairSpec
    symmetrise: str | None = None
    tokenised: bool = False
    model: str | None = None
    links: str | Path | None = None
    one_based: bool = False
    save: str | Path | None = None
    load: str | Path | None = None
    lenient: bool = False
    quiet: bool = False


class Aligner:
    """Finds links. ``learns``: from further text too; ``graded``: says how sure it is; ``keeps``: can be saved."""

    learns: ClassVar[bool] = False
    graded: ClassVar[bool] = False
    keeps: ClassVar[bool] = False
    symmetrization: ClassVar[str] = "grow-diag-final-and"

    def __init__(self, options: AlignerOptions) -> None:
        self.options = options
        self.joined = options.symmetrise or self.symmetrization
        self.pairs: list[WordPair] = []

    def read(self, pairs: Iterable[WordPair]) -> None:
        """Take in all pairs, those to link first."""
        self.pairs = list(pairs)

    def align(self, count: int, posteriors: bool) -> WordLinks:
        """Link the first so many."""
        raise NotImplementedError


class Counting(Aligner):
    """``ibm`` and ``hmm``."""

    learns = graded = keeps = True

    def __init__(self, options: AlignerOptions, method: str, settings: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.method = method
        self.config = resolve(IbmConfig, _COUNTED[method], settings)
        self.loaded = None if options.load is None else SavedWords.load(options.load)
        if self.loaded is not None and settings:
            name = f"words.{min(settings)}"
            raise UserError(f"{name} makes no sense here", where=options.load, hint="what is loaded has its settings")
        languages = list(options.spec.languages)
        if self.loaded is not None and self.loaded.facts["languages"] != languages:
            message = f"the aligner is of {'-'.join(self.loaded.facts['languages'])}, the text of {'-'.join(languages)}"
            raise UserError(message, where=options.load, hint="train one of these languages, in this order")
        self.lowercase: bool = self.loaded.facts["lowercase"] if self.loaded else self.config.lowercase

    def read(self, pairs: Iterable[WordPair]) -> None:
        return_memory()
        self.bitext = Bitext.of((pair.words for pair in pairs), lowercase=self.lowercase)

    def align(self, count: int, posteriors: bool) -> WordLinks:
        with one_thread():  # the second saves a tenth of the time at twice the cost
            return self._align(count, posteriors)

    def _align(self, count: int, posteriors: bool) -> WordLinks:
        given = self.options
        device = best_device()
        cells = Cells(self.bitext, device=device if device.type == "cuda" else None)  # others lack double precision
        self.bitext = self.bitext.without_ids()
        if not len(cells):
            raise UserError("no pair has words on both sides", where=given.spec.path)
        size = f"{len(cells):,} cells, {cells.distinct:,} distinct word pairs"
        echo(f"{self.bitext.pairs:,} pairs, {size}", quiet=given.quiet)
        if self.loaded is not None:
            model = self.loaded.model(cells, self.bitext)
        else:
            model = train(cells, self.config, progress=lambda line: echo(line, quiet=given.quiet))
        if given.save is not None:
            facts = {"languages": list(given.spec.languages), "lowercase": self.lowercase, "method": self.method,
                     "settings": self.config.model_dump(mode="json")}  # fmt: skip
            with whole_folder(Path(given.save)) as part:
                SavedWords.of(model, cells, self.bitext, facts).save(part)
        found = decode(model, cells, self.bitext, self.joined, pairs=count, posteriors=posteriors)
        del model, cells  # most of the memory
        return found.links()


class Similar(Aligner):
    """``similarity``."""

    symmetrization = "intersect"

    def __init__(self, options: AlignerOptions, settings: Mapping[str, Any]) -> None:
        from paralign.encoder import Encoder  # the aligners that count do not wait for transformers
        from paralign.words.similarity import SimilarityConfig

        super().__init__(options)
        self.config = resolve(SimilarityConfig, settings)
        if options.model is None:
            raise UserError("similarity needs an encoder", hint="--model ENCODER")
        if self.config.matching == "itermax" and options.symmetrise is not None:
            hint = "leave --symmetrise out, or --set words.matching=argmax"
            raise UserError("itermax has no two directions to join", hint=hint)
        self.encoder = Encoder.from_pretrained(options.model).to(best_device())

    def align(self, count: int, posteriors: bool) -> WordLinks:
        from paralign.words.similarity import similar_words

        last = [0]

        def told(done: int) -> None:
            if done - last[0] >= 10_000 or done == count:
                last[0] = done
                echo(f"linked {done:,} of {count:,} pairs", quiet=self.options.quiet)

        return similar_words(
            self.encoder, (pair.texts for pair in self.pairs[:count]), self.config,
            method=self.joined, tokenised=self.options.tokenised, languages=self.options.spec.languages, progress=told,
        )  # fmt: skip


class Eflomal(Aligner):
    """``eflomal``, a program of its own."""

    learns = True

    def __init__(self, options: AlignerOptions, settings: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.config = resolve(EflomalConfig, settings)

    def align(self, count: int, posteriors: bool) -> WordLinks:
        found = eflomal([pair.words for pair in self.pairs], self.config, self.joined)
        end = int(found.starts[count])
        return WordLinks(found.starts[: count + 1], found.source[:end], found.target[:end])


class FromFile(Aligner):
    """``file``: links made elsewhere, checked against the text."""

    def __init__(self, options: AlignerOptions, settings: Mapping[str, Any]) -> None:
        super().__init__(options)
        if settings:
            raise UserError(f"no setting {min(settings)!r}", hint="links from a file have none")
        if options.links is None:
            raise UserError("no file of links is given", hint="--links PATH")

    def align(self, count: int, posteriors: bool) -> WordLinks:
        path = self.options.links
        assert path is not None
        given = self.options
        rows = read_links(path, one_based=given.one_based, lenient=given.lenient)
        found = [GoldLinks(some.possible, some.possible) for some in rows]
        if len(found) != count:
            message = f"{len(found):,} lines of links for {count:,} sentence pairs"
            raise UserError(message, where=path, hint="give a line for each pair of the same text")
        sizes = [(len(pair.words[0]), len(pair.words[1])) for pair in self.pairs]
        found = check_links(found, sizes, path, one_based=given.one_based, lenient=given.lenient)
        links = np.array([(k, i, j) for k, some in enumerate(found) for i, j in some.sure], np.int64).reshape(-1, 3)
        return WordLinks.of(count, [links[:, 0]], [links[:, 1]], [links[:, 2]])


def make_aligner(method: str, options: AlignerOptions, settings: Mapping[str, Any], *, more: bool = False) -> Aligner:
    """The aligner of a name.

    Args:
        method: one of ``ALIGNERS``.
        options: what it shall do.
        settings: its own.
        more: whether there is further text to learn from.

    Raises:
        UserError: for unknown names and settings, and for options the aligner does not have.
    """
    if method not in ALIGNERS:
        raise UserError(f"unknown method {method!r}", hint=did_you_mean(method, ALIGNERS))
    if options.symmetrise is not None and options.symmetrise not in SYMMETRIZATIONS:
        hint = did_you_mean(options.symmetrise, SYMMETRIZATIONS)
        raise UserError(f"unknown symmetrization {options.symmetrise!r}", hint=hint)
    kinds: dict[str, type[Similar | Eflomal | FromFile]] = {
        "similarity": Similar, "eflomal": Eflomal, "file": FromFile}  # fmt: skip
    kind: type[Aligner] = kinds.get(method, Counting)
    learning = "it is for the methods that learn: hmm, ibm, eflomal"
    refused: Sequence[tuple[str, bool, str]] = (
        ("--train", more and not kind.learns, learning),
        ("--save", options.save is not None and not kind.keeps, "it is for hmm and ibm"),
        ("--load", options.load is not None and not kind.keeps, "it is for hmm and ibm"),
        ("--train", more and options.load is not None, "what is loaded has learnt already"),
        ("--model", options.model is not None and kind is not Similar, "it is for similarity"),
        ("--links", options.links is not None and kind is not FromFile, "it is for file"),
        ("--save", options.save is not None and options.load is not None, "what is loaded is saved already"),
    )
    for name, wrong, why in refused:
        if wrong:
            raise UserError(f"{name} makes no sense here", hint=why)
    if options.save is not None and Path(options.save).exists():
        raise UserError("is in use", where=options.save, hint="name another folder, or remove this one")
    if method in kinds:
        return kinds[method](options, settings)
    return Counting(options, method, settings)
