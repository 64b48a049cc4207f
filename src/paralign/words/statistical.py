"""What the aligners ``ibm`` and ``hmm`` share: training, saving and decoding of a statistical model."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, field_validator

from paralign.console import echo
from paralign.digests import write_digests
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.words.base import Aligner, AlignerConfig, AlignerOptions, WordPair
from paralign.words.bitext import Bitext
from paralign.words.compiled import release_memory
from paralign.words.decoding import POSTERIOR, best_threshold, decode
from paralign.words.memory import MemoryLimit, Stage, parse_size
from paralign.words.posteriors import Posteriors
from paralign.words.saved_aligner import SavedAligner, TablePosteriors
from paralign.words.word_links import WordLinks

__all__ = ["StatisticalAligner", "StatisticalConfig"]


class StatisticalConfig(AlignerConfig):
    """Settings of ``ibm`` and ``hmm``."""

    iterations: int = Field(default=5, ge=1)
    """Passes of IBM model 2."""
    tension: float = Field(default=4.0, gt=0)
    """Initial tension of the diagonal prior, which is re-estimated."""
    lowercase: bool = True
    """Ignore case."""
    memory: str | None = None
    """Memory limit of training, such as ``500M`` or ``2G``. Candidate links on which both directions agree least are
    dropped until the limit is met. Default: no limit."""

    @field_validator("memory", mode="before")
    @classmethod
    def _check_memory(cls, value: Any) -> Any:
        if value is not None:
            parse_size(str(value))
        return value


class StatisticalAligner(Aligner):
    """Base class of the aligners that estimate translation probabilities from the text itself."""

    accepts: ClassVar[frozenset[str]] = frozenset({"train", "save", "load", "posteriors"})
    more_symmetrizations: ClassVar[tuple[str, ...]] = (POSTERIOR,)
    default_symmetrization: ClassVar[str] = POSTERIOR
    config: StatisticalConfig

    def __init__(self, config: StatisticalConfig, options: AlignerOptions) -> None:
        super().__init__(config, options)
        self.loaded = None if options.load is None else SavedAligner.load(options.load)
        self.lowercase = config.lowercase
        self.limit = None if config.memory is None else MemoryLimit(config.memory, str(options.spec.path))
        if self.loaded is None:
            return
        facts = self.loaded.facts
        if facts["method"] != self.name:
            message = f"the saved aligner is {facts['method']!r}, not {self.name!r}"
            raise UserError(message, where=options.load, hint=f"use --method {facts['method']}")
        if config.model_fields_set:
            setting = f"words.{min(config.model_fields_set)}"
            raise UserError(
                f"{setting} cannot be changed",
                where=options.load,
                hint="a saved aligner keeps the settings it was trained with",
            )
        languages = list(options.spec.languages)
        if facts["languages"] != languages:
            trained = "-".join(facts["languages"])
            message = f"the aligner was trained on {trained}, but the text is {'-'.join(languages)}"
            raise UserError(message, where=options.load, hint="train one for these languages, in this order")
        self.lowercase = facts["lowercase"]
        if facts["tokenized"] != options.tokenized:
            given = ("without", "it is given here") if options.tokenized else ("with", "it is not given here")
            message = f"the aligner was trained {given[0]} --tokenized, but {given[1]}: words may be split differently"
            message = f"WARNING {options.load}: {message}"
            echo(message, quiet=options.quiet)

    @abstractmethod
    def train(self, bitext: Bitext, count: int) -> tuple[Posteriors, SavedAligner | None]:
        """Train on a text.

        Args:
            bitext: the text.
            count: number of pairs to align; further pairs are only learned from.

        Returns:
            posteriors of the text, and the trained aligner if ``options.save`` is set.
        """

    @abstractmethod
    def stages(self, bitext: Bitext) -> list[Stage]:
        """Return the stages of the training, for ``words.memory``."""

    def fits(self, bitext: Bitext) -> bool:
        """Return whether ``words.memory`` certainly suffices without leaving out links. By default it is not known."""
        return False

    def facts(self) -> dict[str, Any]:
        """Return what a saved aligner says about itself."""
        return {
            "languages": list(self.options.spec.languages),
            "lowercase": self.lowercase,
            "method": self.name,
            "settings": self.config.model_dump(mode="json"),
            "tokenized": self.options.tokenized,
        }

    def read(self, pairs: Iterable[WordPair]) -> None:
        if self.options.model is not None:  # their texts are encoded
            self.pairs = list(pairs)
            pairs = self.pairs
        if self.limit is not None:
            pairs = self.limit.check_pairs(pairs)
        self.bitext = Bitext.from_pairs((pair.words for pair in pairs), lowercase=self.lowercase)

    def align(self, count: int) -> WordLinks:
        bitext, rows = self.bitext, len(self.bitext.pair_of_row)
        if not rows:
            raise UserError("no pair has words on both sides", where=self.options.spec.path)
        posteriors: Posteriors
        if self.loaded is not None:
            posteriors, threshold = TablePosteriors(self.loaded, bitext), float(self.loaded.facts["threshold"])
        else:
            release_memory()
            if self.limit is not None and not self.fits(bitext):
                self.limit.check_text(bitext, self.stages(bitext))
            echo(f"{bitext.pairs:,} pairs, {bitext.cells[-1]:,} cells", quiet=self.options.quiet)
            posteriors, saved = self.train(bitext, count)
            threshold = best_threshold(posteriors, rows)
            if saved is not None and self.options.save is not None:
                saved.facts.setdefault("threshold", threshold)  # that of new text, if the model has none of its own
                with atomic_folder(Path(self.options.save)) as part:
                    saved.save(part)
                    write_digests(part)
        probabilities = self.options.posteriors
        return decode(
            posteriors, bitext, self.symmetrization, pairs=count, threshold=threshold, probabilities=probabilities
        )
