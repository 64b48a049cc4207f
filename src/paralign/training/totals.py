"""What a run has processed: records, tokenizer pieces, positions and seconds, over all its resumptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from paralign.batches.batching import padded_size, split_by_length
from paralign.batches.views import Batch

__all__ = ["Totals"]


class Totals:
    """Running totals of one process.

    Attributes:
        records: records of the global batches.
        pieces: tokenizer pieces encoded by this process.
        positions: encoded positions of this process, padding included.
        seconds: time spent in the loop.
    """

    def __init__(self) -> None:
        self.records, self.pieces, self.positions = 0, 0, 0
        self.seconds = 0.0

    def add(self, batches: Iterable[Batch], views: Sequence[str], *, records: int, chunk_cost: int) -> None:
        """Add a step.

        Args:
            batches: the slices of this process.
            views: the views that were encoded.
            records: size of the global batch.
            chunk_cost: as for :func:`paralign.batches.batching.split_by_length`.
        """
        self.records += records
        for batch in batches:
            for name in views:
                lengths = batch.view(name).lengths
                self.pieces += int(lengths.sum())
                self.positions += padded_size(lengths, split_by_length(lengths, chunk_cost))

    @property
    def padding(self) -> float:
        """Share of the encoded positions that were padding."""
        return 1 - self.pieces / max(1, self.positions)

    def state_dict(self) -> dict[str, float]:
        """Return the totals."""
        names = ("records", "pieces", "positions", "seconds")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Restore the totals."""
        self.records, self.pieces, self.positions = (int(state[k]) for k in ("records", "pieces", "positions"))
        self.seconds = float(state["seconds"])
