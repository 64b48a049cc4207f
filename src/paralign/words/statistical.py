"""What the aligners ``ibm`` and ``hmm`` share: training, saving and decoding of a translation model."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from paralign.console import echo
from paralign.device import best_device, one_thread, return_memory
from paralign.digests import write_digests
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.words.alignment_cells import AlignmentCells
from paralign.words.base import Aligner, AlignerOptions, WordPair
from paralign.words.bitext import Bitext
from paralign.words.decoding import decode
from paralign.words.saved_aligner import SavedAligner
from paralign.words.translation_model import TranslationModel, TranslationModelConfig, train
from paralign.words.word_links import WordLinks

__all__ = ["StatisticalAligner"]


class StatisticalAligner(Aligner):
    """Base class of the aligners that estimate translation probabilities from the text itself."""

    accepts: ClassVar[frozenset[str]] = frozenset({"train", "save", "load", "posteriors"})
    config: TranslationModelConfig

    def __init__(self, config: TranslationModelConfig, options: AlignerOptions) -> None:
        super().__init__(config, options)
        self.loaded = None if options.load is None else SavedAligner.load(options.load)
        self.lowercase = config.lowercase
        if self.loaded is None:
            return
        if config.model_fields_set:
            setting = f"words.{min(config.model_fields_set)}"
            raise UserError(
                f"{setting} cannot be changed",
                where=options.load,
                hint="a saved aligner keeps the settings it was trained with",
            )
        languages = list(options.spec.languages)
        if self.loaded.facts["languages"] != languages:
            trained = "-".join(self.loaded.facts["languages"])
            message = f"the aligner was trained on {trained}, but the text is {'-'.join(languages)}"
            raise UserError(message, where=options.load, hint="train one for these languages, in this order")
        self.lowercase = self.loaded.facts["lowercase"]

    def read(self, pairs: Iterable[WordPair]) -> None:
        return_memory()
        self.bitext = Bitext.from_pairs((pair.words for pair in pairs), lowercase=self.lowercase)

    def align(self, count: int) -> WordLinks:
        with one_thread():  # a second thread saves a tenth of the time at twice the cost
            return self._align(count)

    def _align(self, count: int) -> WordLinks:
        device = best_device()
        # Other accelerators lack double precision.
        cells = AlignmentCells(self.bitext, device=device if device.type == "cuda" else None)
        self.bitext = self.bitext.without_ids()
        if not len(cells):
            raise UserError("no pair has words on both sides", where=self.options.spec.path)
        size = f"{len(cells):,} cells, {cells.distinct:,} distinct word pairs"
        echo(f"{self.bitext.pairs:,} pairs, {size}", quiet=self.options.quiet)
        if self.loaded is not None:
            model = self.loaded.model(cells, self.bitext)
        else:
            model = train(cells, self.config, progress=lambda line: echo(line, quiet=self.options.quiet))
        if self.options.save is not None:
            self._save(model, cells, Path(self.options.save))
        unsorted = decode(
            model, cells, self.bitext, self.symmetrization, pairs=count, posteriors=self.options.posteriors
        )
        del model, cells  # most of the memory
        return unsorted.links()

    def _save(self, model: TranslationModel, cells: AlignmentCells, folder: Path) -> None:
        facts = {
            "languages": list(self.options.spec.languages),
            "lowercase": self.lowercase,
            "method": self.name,
            "settings": self.config.model_dump(mode="json"),
        }
        with atomic_folder(folder) as part:
            SavedAligner.from_model(model, cells, self.bitext, facts).save(part)
            write_digests(part)
