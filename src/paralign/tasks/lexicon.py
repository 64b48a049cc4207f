"""Bilingual lexicon induction: how often the translation is among the words nearest to a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
import torch
from pydantic import model_validator

from paralign.console import echo
from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_vectors
from paralign.errors import UserError
from paralign.formats.lexicon import read_lexicon
from paralign.formats.lines import read_lines
from paralign.metrics.lexicon import chance_precision, precision_items, translation_ranks
from paralign.objectives import Objective
from paralign.ragged import row_starts
from paralign.results import Where
from paralign.smallworld.concepts import CONCEPTS
from paralign.smallworld.world import get_grammar
from paralign.sources.specs import PairSpec, parse_pairs, smallworld_range
from paralign.tasks.base import Score, TaskConfig
from paralign.tasks.cross_lingual import CrossLingualTask, resolve_layer
from paralign.text.normalization import normalize

__all__ = ["Lexicon", "LexiconConfig", "LexiconInduction", "word_vectors"]

NEIGHBORS = 10
RANKS = (1, 5, 10)


class LexiconConfig(TaskConfig):
    """Settings, as ``--set task.vectors=contextual``."""

    vectors: Literal["static", "contextual"] = "static"
    """``static``: mean of the input embeddings of a word's pieces. ``contextual``: the word is encoded alone, and its
    pieces are averaged."""
    layer: int | float | None = None
    """Hidden state of contextual vectors: 0 for the embeddings, -1 for the last, or a fraction of the depth such as
    0.67. None: the last."""
    candidates: str | None = None
    """A file of target words to choose from, one on each line, in addition to those of the lexicon; ``{target}`` in its
    name is replaced by the target language. None: the target words of the lexicon only."""
    identical: bool = True
    """Whether to score source words that are their own translation. If not, metric names end in
    ``_without_identical``."""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if self.layer is not None and self.vectors == "static":
            raise ValueError("task.layer needs task.vectors=contextual: static vectors are the input embeddings")
        return self


@dataclass(frozen=True)
class Lexicon:
    """Words of two languages, and their translations.

    Attributes:
        languages: source and target language.
        source: distinct source words.
        target: distinct target words, those of the lexicon first.
        gold: translations, as indices into source and target words. Shape: [p, 2].
    """

    languages: tuple[str, str]
    source: list[str]
    target: list[str]
    gold: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.gold)

    @property
    def identical(self) -> npt.NDArray[np.bool_]:
        """Which source words are their own translation."""
        out = np.zeros(len(self.source), bool)
        out[[i for i, j in self.gold.tolist() if self.source[i] == self.target[j]]] = True
        return out


class LexiconInduction(CrossLingualTask):
    """Precision at 1, 5 and 10 by cosine and by CSLS with 10 neighbors (Conneau et al. 2018); nothing is trained.

    Items are the distinct source words. A word with several translations is right if one of them is among the first k,
    as in MUSE. Words of unknown pieces only have no vector. They count as wrong, unlike in MUSE, which excludes them,
    so that all encoders are scored on the same words.
    """

    name: ClassVar[str] = "lexicon"
    items_are_words: ClassVar[bool] = True
    Config: ClassVar[type[TaskConfig]] = LexiconConfig
    config: LexiconConfig

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Lexicon:
        """Read ``SRC-TGT=FILE`` with a pair of words on each line, as in MUSE, or ``SRC-TGT=smallworld``: its lemmas.

        ``limit`` is the number of pairs.
        """
        where = parse_pairs(spec)
        concepts = smallworld_range(where.path)
        pairs = (
            read_lexicon(where.path, lenient=lenient, dropped=dropped)
            if concepts is None
            else _lemmas(where, CONCEPTS[concepts.start : concepts.stop])
        )
        pairs = list(dict.fromkeys(pairs))[:limit]
        source = {word: row for row, word in enumerate(dict.fromkeys(s for s, _ in pairs))}
        target = {word: row for row, word in enumerate(dict.fromkeys(t for _, t in pairs))}
        gold = np.array([(source[s], target[t]) for s, t in pairs], np.int64).reshape(-1, 2)
        words = dict.fromkeys(target)
        if self.config.candidates is not None:
            path = self.config.candidates.replace("{target}", where.target)
            lines = read_lines(path, lenient=lenient, dropped=dropped)
            words |= dict.fromkeys(word for _, line in lines if (word := normalize(line)))
        if len(words) < 2:
            raise UserError("lexicon induction needs at least two target words", where=where.path)
        data = Lexicon(where.languages, list(source), list(words), gold)
        if not self.config.identical and data.identical.all():
            raise UserError(
                "every source word is its own translation", where=where.path, hint="--set task.identical=true"
            )
        return data

    def texts_of(self, data: Lexicon) -> Iterable[Sequence[str]]:
        """Return both words of each pair."""
        return ((data.source[i], data.target[j]) for i, j in data.gold.tolist())

    def gold_of(self, data: Lexicon) -> Iterable[Sequence[str]]:
        """Return the words to choose from; the translations are in :meth:`texts_of`."""
        return (data.target,)

    def baselines(self, data: Lexicon) -> Mapping[str, Mapping[str, float]]:
        """Return the baseline ``chance``: target words in random order."""
        right = np.bincount(data.gold[:, 0], minlength=len(data.source))[self._scored(data)]
        return {
            "chance": {
                self._metric(k, similarity): chance_precision(right, len(data.target), k)
                for k in RANKS
                for similarity in ("cosine", "csls")
            }
        }

    def alternatives(self, encoder: Encoder) -> Sequence[Mapping[str, Any]]:
        """Return static vectors, and contextual ones of every layer."""
        contextual = [{"vectors": "contextual", "layer": layer} for layer in range(encoder.layers + 1)]
        return [{"vectors": "static", "layer": None}, *contextual]

    def evaluate(self, encoder: Encoder, head: Objective | None, data: Lexicon) -> list[Score]:
        """Score every source word."""
        direction = "-".join(data.languages)
        static = self.config.vectors == "static"
        layer = None if static else resolve_layer(encoder, self.config.layer)
        a, lost_a = word_vectors(encoder, data.source, data.languages[0], layer)
        b, lost_b = word_vectors(encoder, data.target, data.languages[1], layer)
        for lost, words, side in ((lost_a, data.source, "source"), (lost_b, data.target, "target")):
            if lost:
                echo(
                    f"note: lexicon {direction}: {lost} of {len(words):,} {side} words consist of unknown pieces only, "
                    "so they have no vector"
                )
        same = data.identical
        if same.any():
            note = "scored; task.identical=false excludes them" if self.config.identical else "excluded"
            echo(
                f"note: lexicon {direction}: {100 * same.mean():.1f} % of the source words are their own "
                f"translation ({note})"
            )
        where = Where(layer=layer, pool="static" if static else "mean", direction=direction)
        scores = []
        for similarity, neighbors in (("cosine", None), ("csls", NEIGHBORS)):
            ranks = translation_ranks(a, b, data.gold, neighbors)[self._scored(data)]
            scores += [Score(self._metric(k, similarity), precision_items(ranks, k), where) for k in RANKS]
        return scores

    def _scored(self, data: Lexicon) -> npt.NDArray[np.bool_]:
        """Return which source words are scored."""
        return np.ones(len(data.source), bool) if self.config.identical else ~data.identical

    def _metric(self, k: int, similarity: str) -> str:
        return f"precision_at_{k}_{similarity}" + ("" if self.config.identical else "_without_identical")


@torch.no_grad()
def word_vectors(
    encoder: Encoder, words: list[str], language: str | None, layer: int | None
) -> tuple[npt.NDArray[np.float32], int]:
    """Return vectors of single words, each the mean over its pieces.

    Args:
        encoder: the encoder; its training mode is restored.
        words: n words.
        language: their language. None: no particular one.
        layer: number of the hidden state, 0 for the embeddings (with positions). None: rows of the embedding table.

    Returns:
        Vectors, zero for words of unknown pieces only (or of none), of shape [n, d]; and the number of such words.
    """
    pieces = [ids for ids, _ in encoder.tokenize_words(words, language)]
    unknown = encoder.tokenizer.unk_token_id
    lost = np.array([all(piece == unknown for piece in ids.tolist()) for ids in pieces], bool)
    if layer is None:
        lengths = np.array([len(ids) for ids in pieces], np.int64)
        flat, starts = np.concatenate(pieces), row_starts(lengths)
        device = encoder.device
        out = torch.nn.functional.embedding_bag(
            torch.from_numpy(flat).to(device), encoder.embeddings, torch.from_numpy(starts).to(device), mode="mean"
        )
        vectors = out.float().cpu().numpy()
    else:
        vectors = sentence_vectors(encoder, words, language, pools=("mean",), layer=layer)[0]["mean"]
    vectors[lost] = 0
    return vectors, int(lost.sum())


def _lemmas(spec: PairSpec, concepts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the lemmas of concepts that have one in both languages."""
    first, second = get_grammar(spec.source), get_grammar(spec.target)
    pairs = [(first.lemma(concept), second.lemma(concept)) for concept in concepts]
    return [pair for pair in pairs if "-" not in pair]
