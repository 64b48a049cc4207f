"""Masked-LM loss on held-out text, language by language: how pretraining is watched and bases are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.text import TextSpec, read_text
from paralign.text.batching import cut_by_length
from paralign.text.views import PairBatch, ViewsConfig

__all__ = ["HeldOut"]

_ROWS = 64


class HeldOut:
    """Sentences of some languages, masked once and for all.

    Args:
        encoder: the encoder, read anew at every look.
        specs: the text.
        most: sentences of each language, the first.
        lenient: skip lines that cannot be read.

    Raises:
        UserError: if a language has no sentence that the encoder can take.
    """

    def __init__(self, encoder: Encoder, specs: Sequence[TextSpec], *, most: int = 500, lenient: bool = False) -> None:
        self._encoder = encoder
        room = encoder.max_pieces - sum(map(len, encoder.template.single))
        self._pieces: dict[str, list[np.ndarray]] = {}
        for spec in specs:
            texts = [text for _, text in read_text(spec, lenient=lenient) if text]
            pieces = [ids for ids, _ in encoder.tokenize(texts) if 0 < len(ids) <= room]
            self._pieces.setdefault(spec.language, []).extend(pieces)
        self._pieces = {language: pieces[:most] for language, pieces in self._pieces.items()}
        for language, pieces in self._pieces.items():
            if not pieces:
                raise UserError(f"no held-out text of {language!r} that the encoder can take")

    @torch.no_grad()
    def losses(self) -> dict[str, float]:
        """Cross-entropy of the masked pieces (15 %, 80/10/10) of each language, sentences on their own."""
        training = self._encoder.training
        self._encoder.eval()
        out = {language: self._loss(pieces) for language, pieces in self._pieces.items()}
        self._encoder.train(training)
        return out

    def _loss(self, pieces: list[np.ndarray]) -> float:
        store = _Sentences(pieces)
        total = count = 0.0
        for rows in cut_by_length(np.array([len(ids) for ids in pieces]), -(-len(pieces) // _ROWS)):
            batch = PairBatch(
                store, rows, rows, template=self._encoder.template, config=ViewsConfig(shuffle=False), seed=0, epoch=0
            )
            view = batch.view("text")
            if not len(view.masked):
                continue
            scores = self._encoder.scores(self._encoder.encode(view).at(view.masked)).float()
            labels = torch.from_numpy(view.labels).to(scores.device)
            total += float(torch.nn.functional.cross_entropy(scores, labels, reduction="sum"))
            count += len(labels)
        return total / max(1.0, count)


class _Sentences:
    """Records of one side, in memory."""

    sides = 1

    def __init__(self, pieces: list[np.ndarray]) -> None:
        self._pieces = pieces

    def gather(self, records: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        some = [self._pieces[record] for record in records.tolist()]
        return np.concatenate(some), np.array([len(ids) for ids in some], np.int64)

    def gather_word_places(self, records: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError
