"""A trained statistical aligner in a folder, and its use on new text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from paralign.digests import FolderDigests, check_schema
from paralign.errors import UserError
from paralign.words.bitext import Bitext
from paralign.words.compiled import FLOOR
from paralign.words.decoding import best_threshold
from paralign.words.ibm_model import IbmParameters
from paralign.words.posterior_kernels import fill_lexical, hmm_posteriors, ibm_posteriors
from paralign.words.posteriors import Posteriors
from paralign.words.sampler import SamplerSettings, Samples

__all__ = ["SavedAligner", "TablePosteriors"]

Array = npt.NDArray[Any]
SCHEMA = 2
_MIN_PROBABILITY = 1e-6
_MIN_COUNT = 1e-3
_DIRECTIONS = ("forward", "backward")


class SavedAligner:
    """The parameters of a statistical aligner by word, independent of the text they were trained on.

    Args:
        words: the vocabularies of both sides.
        tables: ``rows`` int64 ``[source words + 1]``, where the word pairs of each source word begin; ``target`` int32
            ``[pairs]``, ascending in each row; and for both directions, ``forward`` and ``backward``: ``forward``
            float32 ``[pairs]``, the probabilities; ``forward_other`` float32 ``[generating words + 1]``, that of a pair
            that is not in the tables, the last for an unknown word; ``forward_null`` float32 ``[generated words + 1]``,
            likewise; and, for a hidden Markov model, ``forward_jumps`` float32 ``[2 · MAX_LENGTH + 3]``.
        facts: languages, settings, ``positions`` (probability of null and tension of both directions), ``same`` (factor
            of words that are spelled alike), ``threshold`` of the mean posterior.
    """

    def __init__(self, words: tuple[list[str], list[str]], tables: dict[str, Array], facts: dict[str, Any]) -> None:
        self.words, self.tables, self.facts = words, tables, facts
        self._numbers: list[dict[str, int]] | None = None

    @classmethod
    def from_ibm(
        cls,
        models: tuple[IbmParameters, IbmParameters],
        pairs: tuple[Array, Array],
        bitext: Bitext,
        facts: Mapping[str, Any],
    ) -> SavedAligner:
        """Convert IBM model 2. Word pairs whose probabilities are below 1e-6 in both directions are left out.

        Args:
            models: the parameters of both directions.
            pairs: source and target word of each distinct pair.
            bitext: the text.
            facts: languages and settings.
        """
        lexical = [model.lexical for model in models]
        kept = np.flatnonzero((lexical[0] >= _MIN_PROBABILITY) | (lexical[1] >= _MIN_PROBABILITY))
        sides = (bitext.source.vocabulary, bitext.target.vocabulary)
        tables = _sorted_pairs((pairs[0][kept], pairs[1][kept]), len(sides[0]), [table[kept] for table in lexical])
        for name, model, side in zip(_DIRECTIONS, models, sides, strict=True):
            tables[f"{name}_other"] = np.full(len(side) + 1, FLOOR, np.float32)
            tables[f"{name}_null"] = np.append(model.null, np.float32(FLOOR))
        positions = [{"null": model.share, "tension": model.tension} for model in models]
        return cls(sides, tables, {"schema": SCHEMA, **facts, "positions": positions, "same": 1.0})

    @classmethod
    def from_samples(
        cls,
        samples: tuple[Samples, Samples],
        bitext: Bitext,
        settings: SamplerSettings,
        facts: Mapping[str, Any],
    ) -> SavedAligner:
        """Convert the samples of a hidden Markov model: parameters are means under their Dirichlet priors.

        Args:
            samples: of both directions.
            bitext: the text.
            settings: the priors.
            facts: languages and settings.
        """
        found = [side.counts() for side in samples]
        kept = np.flatnonzero((found[0] >= _MIN_COUNT) | (found[1] >= _MIN_COUNT))
        counts = [table[kept] for table in found]
        words = samples[0].candidates.pair_words()
        pairs = (words[0][kept], words[1][kept])
        del found, words
        tables: dict[str, Array] = {}
        probabilities, positions = [], []
        for index, (name, table) in enumerate(zip(_DIRECTIONS, counts, strict=True)):
            side = samples[index].candidates.direction
            given, other_word = pairs if side.by_row else pairs[::-1]
            total = np.bincount(given, table, side.sizes[0]) + settings.alpha * side.sizes[1]
            probabilities.append(((table + settings.alpha) / total[given]).astype(np.float32))
            other = settings.alpha / np.append(total, settings.alpha * side.sizes[1])
            tables[f"{name}_other"] = other.astype(np.float32)
            of_word = np.bincount(side.words[1], minlength=side.sizes[1])
            generated = np.bincount(other_word, table, side.sizes[1])
            rest = np.maximum(of_word - generated, 0)
            null = np.append(rest, 0) + settings.null_alpha
            tables[f"{name}_null"] = (null / (rest.sum() + settings.null_alpha * side.sizes[1])).astype(np.float32)
            tables[f"{name}_jumps"] = samples[index].jumps
            positions.append({"null": float(min(0.5, max(0.01, rest.sum() / max(1, of_word.sum()))))})
        tables |= _sorted_pairs(pairs, len(bitext.source.vocabulary), probabilities)
        vocabularies = (bitext.source.vocabulary, bitext.target.vocabulary)
        saved = cls(vocabularies, tables, {"schema": SCHEMA, **facts, "positions": positions, "same": settings.same})
        applied = TablePosteriors(saved, bitext)
        saved.facts["threshold"] = best_threshold(applied, len(bitext.pair_of_row))
        return saved

    def save(self, folder: Path) -> None:
        """Write ``words.safetensors`` and ``words.json`` to an existing folder."""
        save_file({name: np.ascontiguousarray(v) for name, v in self.tables.items()}, folder / "words.safetensors")
        content = {**self.facts, "source": self.words[0], "target": self.words[1]}
        (folder / "words.json").write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> SavedAligner:
        """Read a folder written by :meth:`save`.

        Raises:
            UserError: if the folder is missing, damaged or of another version.
        """
        folder = Path(folder)
        again = "train it again with paralign words --save"
        if not folder.is_dir():
            raise UserError("there is no such folder", where=folder, hint="train one with paralign words --save")
        FolderDigests(folder, again).check()
        try:
            facts = json.loads((folder / "words.json").read_text(encoding="utf-8"))
            words = (facts.pop("source"), facts.pop("target"))
            check_schema(facts, SCHEMA, folder, again)
            tables = load_file(folder / "words.safetensors")
            if len(words[0]) + 1 != len(tables["rows"]):
                raise UserError("the word aligner is damaged", where=folder, hint=again)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
            if isinstance(error, UserError):
                raise
            hint = "train one with paralign words --save"
            raise UserError("not a trained word aligner", where=folder, hint=hint) from None
        return cls(words, tables, facts)

    def numbers(self, side: int, vocabulary: Sequence[str]) -> Array:
        """Return the number of each word in the tables of a side; -1 for unknown words.

        Args:
            side: 0 for source, 1 for target.
            vocabulary: the words.
        """
        if self._numbers is None:
            self._numbers = [{word: k for k, word in enumerate(words)} for words in self.words]
        return np.array([self._numbers[side].get(word, -1) for word in vocabulary], np.int64)


class TablePosteriors(Posteriors):
    """Posteriors of new text under the parameters of a saved aligner. Those of a pair depend on the pair alone.

    Args:
        saved: the aligner.
        bitext: the text.
    """

    def __init__(self, saved: SavedAligner, bitext: Bitext) -> None:
        super().__init__(bitext.starts, bitext.cells)
        sides = (bitext.source, bitext.target)
        self.saved = saved
        source, target = (saved.numbers(k, side.vocabulary)[side.ids] for k, side in enumerate(sides))
        self.words = (source, target)
        spelling = {word: k for k, word in enumerate(sides[0].vocabulary)}
        unlike = range(len(spelling), len(spelling) + len(sides[1].vocabulary))
        target = np.array(
            [spelling.get(word, k) for word, k in zip(sides[1].vocabulary, unlike, strict=True)], np.int32
        )
        self.spelling = np.concatenate([sides[0].ids, target[sides[1].ids]])

    def block(self, first: int, stop: int) -> tuple[Array, Array]:
        tables, facts = self.saved.tables, self.saved.facts
        lexical = [np.empty(self.cells[stop] - self.cells[first], np.float32) for _ in range(2)]
        fill_lexical(
            self.words, self.starts, self.cells,
            (tables["rows"], tables["target"], tables["forward"], tables["backward"]),
            (tables["forward_other"], tables["backward_other"]), (self.spelling, float(facts["same"])), first, stop,
            *lexical,
        )  # fmt: skip
        found = []
        for side, name in enumerate(_DIRECTIONS):
            starts = self.starts if side == 0 else np.ascontiguousarray(self.starts[::-1])
            null = tables[f"{name}_null"][self.words[1 - side][starts[1, first] : starts[1, stop]]]
            out = np.empty(len(lexical[side]), np.float32)
            shape, position = (starts, self.cells, side == 0), facts["positions"][side]
            if f"{name}_jumps" in tables:
                arguments = (float(position["null"]), tables[f"{name}_jumps"])
                hmm_posteriors(lexical[side], null, *shape, *arguments, first, stop, out)
            else:
                prior = float(position["null"]), float(position["tension"])
                ibm_posteriors(lexical[side], null, *shape, prior, first, stop, out)
            found.append(out)
        return found[0], found[1]


def _sorted_pairs(pairs: tuple[Array, Array], source_words: int, probabilities: Sequence[Array]) -> dict[str, Array]:
    """Return the tables of distinct pairs, sorted by source and target word.

    Args:
        pairs: source and target word of each pair.
        source_words: number of source words.
        probabilities: of each pair, in both directions.
    """
    source, target = pairs
    order = np.lexsort((target, source))
    rows = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=source_words))])
    tables: dict[str, Array] = {"rows": rows.astype(np.int64), "target": target[order]}
    return tables | {name: table[order] for name, table in zip(_DIRECTIONS, probabilities, strict=True)}
