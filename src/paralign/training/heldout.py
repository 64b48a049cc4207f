"""Masked-LM loss on held-out text by language, to monitor pretraining and compare encoders."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch

from paralign.batches.batching import cut_by_length
from paralign.batches.views import PairBatch, View, ViewsConfig
from paralign.device import on_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.sources.readers import read_text
from paralign.sources.specs import TextSpec

__all__ = ["HeldOut"]

_ROWS = 64


class HeldOut:
    """Held-out sentences of several languages with fixed masks.

    Args:
        encoder: the encoder to evaluate.
        specs: the text.
        max_sentences: number of sentences of each language, the first ones.
        lenient: skip lines that cannot be read.

    Raises:
        UserError: if a language has too little text that fits the encoder, and for an encoder without a masked-LM head.
    """

    def __init__(
        self, encoder: Encoder, specs: Sequence[TextSpec], *, max_sentences: int = 500, lenient: bool = False
    ) -> None:
        encoder.require_head("the loss on held-out text")
        self._encoder = encoder
        longest = encoder.max_pieces - encoder.template.special_pieces()
        self._pieces: dict[str, list[np.ndarray]] = {}
        for spec in specs:
            pieces = self._pieces.setdefault(spec.language, [])
            lines = (text for _, text in read_text(spec, lenient=lenient) if text)
            while len(pieces) < max_sentences and (texts := list(islice(lines, max_sentences))):
                pieces.extend(ids for ids, _ in encoder.tokenize(texts, spec.language) if 0 < len(ids) <= longest)
            del pieces[max_sentences:]
        for language, pieces in self._pieces.items():
            if not sum(len(view.masked) for view in self._views(pieces)):
                where = ", ".join(spec.path for spec in specs if spec.language == language)
                hint = "give more text, or remove this --heldout"
                raise UserError(f"too little held-out text in {language!r}: no piece is masked", where=where, hint=hint)

    @property
    def digest(self) -> str:
        """Digest of the pieces, by language."""
        out = hashlib.blake2b(digest_size=16)
        for language, pieces in self._pieces.items():
            lengths = [len(ids) for ids in pieces]
            out.update(json.dumps([language, lengths]).encode())
            out.update(np.concatenate(pieces).astype("<i8").tobytes())
        return out.hexdigest()

    @torch.no_grad()
    def losses(self) -> dict[str, float]:
        """Return the cross-entropy of masked pieces (15 %, 80/10/10) of single sentences, by language."""
        training = self._encoder.training
        self._encoder.eval()
        out = {language: self._loss(pieces) for language, pieces in self._pieces.items()}
        self._encoder.train(training)
        return out

    def _loss(self, pieces: list[np.ndarray]) -> float:
        total = count = 0.0
        for view in self._views(pieces):
            if not len(view.masked):
                continue
            logits = self._encoder.logits(self._encoder.encode(view).at(view.masked)).float()
            labels = on_device(view.labels, logits.device)
            total += float(torch.nn.functional.cross_entropy(logits, labels, reduction="sum"))
            count += len(labels)
        return total / count

    def _views(self, pieces: list[np.ndarray]) -> Iterator[View]:
        """Yield batches of masked sentences, the same at every evaluation."""
        store, template = _Sentences(pieces), self._encoder.template
        for rows in cut_by_length(np.array([len(ids) for ids in pieces]), -(-len(pieces) // _ROWS)) if pieces else ():
            batch = PairBatch(store, rows, rows, template=template, config=ViewsConfig(shuffle=False), seed=0, epoch=0)
            yield batch.view("text")


class _Sentences:
    """Records with one side, in memory."""

    sides = 1

    def __init__(self, pieces: list[np.ndarray]) -> None:
        self._pieces = pieces

    def gather(self, records: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pieces = [self._pieces[record] for record in records.tolist()]
        return np.concatenate(pieces), np.array([len(ids) for ids in pieces], np.int64)

    def gather_word_positions(self, records: np.ndarray, sides: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError
