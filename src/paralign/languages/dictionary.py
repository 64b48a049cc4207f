"""A dictionary of pieces: which rows of an embedding table translate which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paralign.errors import UserError, located

__all__ = ["Dictionary"]

Ints = npt.NDArray[np.int64]
_HEAD = "first\tsecond\tfirst pieces\tsecond pieces"


class Dictionary:
    """Pairs of words, each with its pieces; drawn once and kept with the run.

    Args:
        words: the pairs.
        pieces: of each pair the ids of both words, at least one each.
    """

    def __init__(self, words: Sequence[tuple[str, str]], pieces: Sequence[tuple[Sequence[int], Sequence[int]]]) -> None:
        assert len(words) == len(pieces)
        self.words = list(words)
        self.pieces = [(tuple(map(int, first)), tuple(map(int, second))) for first, second in pieces]

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def of_twins(cls, names: Sequence[str], ids: Iterable[int], twins: int) -> Dictionary:
        """Pieces and their twins (:class:`paralign.batches.views.Template`); ``names`` of all pieces by id."""
        chosen = list(ids)
        return cls([(names[i], f"{names[i]}~") for i in chosen], [((i,), (i + twins,)) for i in chosen])

    def side(self, which: int) -> tuple[Ints, Ints]:
        """Ids of all words of one side end to end, and where each word's begin."""
        sizes = np.array([len(pair[which]) for pair in self.pieces], np.int64)
        flat = np.array([piece for pair in self.pieces for piece in pair[which]], np.int64)
        return flat, np.cumsum(sizes) - sizes

    def of_one_piece(self) -> Ints:
        """[e, 2] the entries both of whose words are one piece."""
        found = [(a[0], b[0]) for a, b in self.pieces if len(a) == len(b) == 1]
        return np.array(found, np.int64).reshape(-1, 2)

    def sample(self, rate: float, rng: np.random.Generator) -> Dictionary:
        """That share of the entries, in their order."""
        chosen = np.sort(rng.permutation(len(self))[: round(rate * len(self))]).tolist()
        return Dictionary([self.words[k] for k in chosen], [self.pieces[k] for k in chosen])

    def lines(self) -> Iterator[str]:
        """TSV with a header: the words, and the ids of their pieces."""
        yield _HEAD
        for (first, second), (a, b) in zip(self.words, self.pieces, strict=True):
            yield f"{_shown(first)}\t{_shown(second)}\t{' '.join(map(str, a))}\t{' '.join(map(str, b))}"

    @classmethod
    def load(cls, path: Path, vocabulary: int) -> Dictionary:
        """Read a file of :meth:`lines`.

        Raises:
            UserError: for anything else, or ids beyond the vocabulary.
        """
        words, pieces = [], []
        lines = path.read_text(encoding="utf-8").split("\n")
        if lines[0] != _HEAD:
            raise UserError("is no dictionary of pieces", where=path, hint="remove it")
        for number, line in enumerate(lines[1:], 2):
            cells = line.split("\t")
            if line == "":
                continue
            try:
                first, second = ([int(piece) for piece in cell.split(" ")] for cell in cells[2:])
                if len(cells) != 4 or not all(0 <= piece < vocabulary for piece in (*first, *second)):
                    raise ValueError
            except ValueError:
                raise UserError("is no entry of pieces of this encoder", where=located(path, number)) from None
            words.append((cells[0], cells[1]))
            pieces.append((first, second))
        return cls(words, pieces)


def _shown(word: str) -> str:
    return "".join(sign if sign.isprintable() else " " for sign in word)
