"""A bilingual dictionary as tokenizer pieces: which rows of an embedding table are translations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from paralign.errors import UserError, file_location
from paralign.ragged import row_starts

__all__ = ["Dictionary"]

Ints = npt.NDArray[np.int64]
_HEADER = "first\tsecond\tfirst pieces\tsecond pieces"


class Dictionary:
    """Word pairs and their tokenizer pieces. It is sampled once and saved with the run.

    >>> dictionary = Dictionary([("dog", "Hund"), ("red", "rot")], [([5], [7]), ([6], [8, 9])])
    >>> dictionary.single_piece_entries().tolist()
    [[5, 7]]

    Args:
        words: the word pairs.
        pieces: the piece ids of both words of each pair, at least one each.
    """

    def __init__(self, words: Sequence[tuple[str, str]], pieces: Sequence[tuple[Sequence[int], Sequence[int]]]) -> None:
        assert len(words) == len(pieces)
        self.words = list(words)
        self.pieces = [(tuple(map(int, first)), tuple(map(int, second))) for first, second in pieces]

    def __len__(self) -> int:
        return len(self.words)

    @classmethod
    def from_twins(cls, names: Sequence[str], ids: Iterable[int], twins: int) -> Dictionary:
        """Return a dictionary of pieces and their twins.

        Args:
            names: all pieces, by id.
            ids: the pieces to include.
            twins: difference between the ids of a twin and its piece (:class:`paralign.batches.rows.Template`).
        """
        chosen = list(ids)
        return cls([(names[i], f"{names[i]}~") for i in chosen], [((i,), (i + twins,)) for i in chosen])

    def side(self, side: int) -> tuple[Ints, Ints]:
        """Return the piece ids of the first (0) or second (1) words as a flat array, and where each word begins.

        Shapes:
            ids: ``[pieces]``
            starts: ``[entries]``
        """
        sizes = np.array([len(pair[side]) for pair in self.pieces], np.int64)
        ids = np.array([piece for pair in self.pieces for piece in pair[side]], np.int64)
        return ids, row_starts(sizes)

    def single_piece_entries(self) -> Ints:
        """Return the ids of the entries in which both words are a single piece.

        Shapes:
            returns: ``[entries, 2]``
        """
        entries = [(first[0], second[0]) for first, second in self.pieces if len(first) == len(second) == 1]
        return np.array(entries, np.int64).reshape(-1, 2)

    def sample(self, rate: float, rng: np.random.Generator) -> Dictionary:
        """Return a random share ``rate`` of the entries, in their original order."""
        chosen = np.sort(rng.permutation(len(self))[: round(rate * len(self))]).tolist()
        return Dictionary([self.words[k] for k in chosen], [self.pieces[k] for k in chosen])

    def lines(self) -> Iterator[str]:
        """Yield the lines of a TSV file with a header: both words, and the ids of their pieces."""
        yield _HEADER
        for words, pieces in zip(self.words, self.pieces, strict=True):
            yield "\t".join([*map(_printable, words), *(" ".join(map(str, ids)) for ids in pieces)])

    @classmethod
    def load(cls, path: Path, vocabulary: int) -> Dictionary:
        """Read a file written from :meth:`lines`.

        Args:
            path: the file.
            vocabulary: number of pieces of the encoder.

        Raises:
            UserError: if the file is of another kind, or has ids that are not in the vocabulary.
        """
        words, pieces = [], []
        # A file of another encoding is not ours: its first line is not the header.
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        if lines[0] != _HEADER:
            raise UserError("not a dictionary of tokenizer pieces", where=path, hint="remove the file")
        for number, line in enumerate(lines[1:], 2):
            cells = line.split("\t")
            if line == "":
                continue
            try:
                first, second = ([int(piece) for piece in cell.split(" ")] for cell in cells[2:])
                if len(cells) != 4 or not all(0 <= piece < vocabulary for piece in (*first, *second)):
                    raise ValueError
            except ValueError:
                message = "not an entry with piece ids of this encoder"
                raise UserError(message, where=file_location(path, number), hint="remove the file") from None
            words.append((cells[0], cells[1]))
            pieces.append((first, second))
        return cls(words, pieces)


def _printable(word: str) -> str:
    return "".join(character if character.isprintable() else " " for character in word)
