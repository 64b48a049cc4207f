"""What a run has processed: records, tokenizer pieces, positions and seconds, over all its resumptions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from paralign.batches.views import Batch
from paralign.encoder import Encoder

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

    def add(self, batches: Iterable[Batch], views: Sequence[str], encoder: Encoder, *, records: int) -> None:
        """Add a step.

        Args:
            batches: the slices of this process.
            views: the views that were encoded.
            encoder: the encoder that encoded them.
            records: size of the global batch.
        """
        self.records += records
        for batch in batches:
            read = [batch.view(name) for name in views]
            self.pieces += sum(int(view.lengths.sum()) for view in read)
            self.positions += sum(rows * length for rows, length in encoder.chunk_shapes(read))

    @property
    def padding(self) -> float:
        """Share of the encoded positions that were padding."""
        return 1 - self.pieces / max(1, self.positions)

    def state_dict(self) -> dict[str, float]:
        """Return the totals."""
        names = ("records", "pieces", "positions", "seconds")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state: Mapping[str, float], processes: float = 1) -> None:
        """Restore the totals.

        Args:
            state: totals of a process.
            processes: the number of processes then, divided by their number now.
        """
        self.records = int(state["records"])
        self.pieces, self.positions = (round(state[name] * processes) for name in ("pieces", "positions"))
        self.seconds = float(state["seconds"])
