"""A limit on the memory that the training of ``hmm`` and ``ibm`` needs (``words.memory``).

Memory is the sum of what is known before training: the program, the text as numbers and, at each stage, so many bytes
for each token, each candidate link and each distinct word pair. From this follows how many candidates fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from paralign.errors import UserError
from paralign.words.base import WordPair
from paralign.words.bitext import Bitext

__all__ = ["MemoryLimit", "Stage", "format_size", "hmm_stages", "ibm_bytes", "ibm_stages", "parse_size"]

_UNITS = {"M": 2**20, "G": 2**30}
PROGRAM = 200 << 20
"""Bytes: Python, NumPy, Numba and the compiled loops, with what the memory allocator keeps."""
_ROW_BYTES, _WORD_BYTES = 200, 300
"""Of a sentence pair (lengths, offsets) and of a word of the vocabulary (its text, dictionaries, counts)."""
_CANDIDATES_PER_TOKEN = 1.1
"""Fewest candidates for each word of both sides: no fewer links than words can be represented."""


def parse_size(text: str) -> int:
    """Return the bytes of a size with a unit, ``500M`` or ``1.5G`` (of 1024 · 1024 bytes, and 1024 of these).

    Raises:
        ValueError: for anything else.

    >>> parse_size("1.5G") == parse_size("1536 MB") == 3 * 2**29
    True
    """
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([MG])i?B?", text.strip(), re.IGNORECASE)
    if match is None or not float(match[1]):
        raise ValueError("must be a size with its unit, such as 500M or 2G")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def format_size(size: float) -> str:
    """Return a number of bytes in ``M``, rounded up."""
    return f"{ceil(size / _UNITS['M'])}M"


@dataclass(frozen=True)
class Stage:
    """Bytes of one stage of the training.

    Attributes:
        fixed: bytes that the text alone decides.
        per_candidate: bytes for each candidate link.
        per_pair: bytes for each distinct word pair among the candidates.
    """

    fixed: float
    per_candidate: float
    per_pair: float

    def size(self, candidates: float, pairs: float) -> float:
        """Return the bytes of this stage."""
        return self.fixed + self.per_candidate * candidates + self.per_pair * pairs


def text_bytes(tokens: int, rows: int, words: int) -> float:
    """Return the bytes of the program and of the text, which later stages exceed by more than reading does."""
    return PROGRAM + 4 * tokens + _ROW_BYTES * rows + _WORD_BYTES * words


def _search_stages(bitext: Bitext) -> tuple[float, list[Stage]]:
    """Return the bytes of the text, and the stages in which candidates are found and scored."""
    source, target = len(bitext.source.ids), len(bitext.target.ids)
    words = len(bitext.source.vocabulary) + len(bitext.target.vocabulary)
    text = text_bytes(source + target, len(bitext.pair_of_row), words)
    bits = int(bitext.cells[-1]) / 8 + source
    entries = 4 * (source + target)
    rows = 2 * 40 * len(bitext.target.vocabulary)
    return text, [
        # Tokens by word, sums and weights of tokens, and marks: two sets, where some have to be left out.
        Stage(text + 10 * source + 20 * target + 2 * bits + 2 * source + rows, 0, 0),
        Stage(text + 10 * source + 20 * target + bits + 2 * source + rows + entries, 6, 0),
        Stage(text + 10 * source + 20 * target + bits + 2 * source + entries, 12, 0),
    ]


def hmm_stages(bitext: Bitext, *, samples: int, threads: int, save: bool) -> list[Stage]:
    """Return the stages of ``hmm``.

    Args:
        bitext: the text.
        samples: number of samples of each candidate.
        threads: number of chains that run at once.
        save: whether the aligner is saved.
    """
    text, stages = _search_stages(bitext)
    source, target = len(bitext.source.ids), len(bitext.target.ids)
    entries = 4 * (source + target)
    frequency = 2 if samples < 256 else 4
    stages += [
        Stage(text + entries, 12 + 2, 2 * 8),  # scores; old and new probabilities of both directions
        # Scores, frequencies, and of each chain its frequencies, links and counts.
        Stage(text + entries + threads * 4 * max(source, target), 12 + 2 + frequency + 1 + threads, threads * 4),
    ]
    if save:  # numbers of the tokens in the tables; counts, words and probabilities of each pair, sorted
        stages.append(Stage(text + entries + 16 * (source + target), 12 + 2 + frequency, 72))
    return stages


def ibm_stages(bitext: Bitext, *, save: bool) -> list[Stage]:
    """Return the stages of ``ibm`` on candidates; arguments as of :func:`hmm_stages`."""
    text, stages = _search_stages(bitext)
    tokens = len(bitext.source.ids) + len(bitext.target.ids)
    return [*stages, Stage(text + (20 if save else 4) * tokens, 12 + 4, 72 if save else 16)]


def ibm_bytes(bitext: Bitext, pairs: int, *, save: bool) -> float:
    """Return the bytes of ``ibm`` on all cells: 4 for each cell, and the tables of all distinct word pairs."""
    text, _ = _search_stages(bitext)
    tokens = len(bitext.source.ids) + len(bitext.target.ids)
    return text + 12 * tokens + 4 * int(bitext.cells[-1]) + (80 if save else 20) * pairs


class MemoryLimit:
    """The setting ``words.memory``.

    Args:
        size: the setting.
        where: the text, for messages.
    """

    def __init__(self, size: str, where: str) -> None:
        self.text, self.where = size, where
        self.bytes = parse_size(size)

    def check_pairs(self, pairs: Iterable[WordPair]) -> Iterator[WordPair]:
        """Yield pairs as long as they fit as numbers; :meth:`check_text` follows when all are read.

        Raises:
            UserError: if they do not, with the number of pairs that do.
        """
        tokens = 0
        for number, pair in enumerate(pairs):
            tokens += len(pair.words[0]) + len(pair.words[1])
            if text_bytes(tokens, number + 1, 0) - PROGRAM > self.bytes:
                message = f"words.memory is {self.text}, but even the first {number + 1:,} pairs of this text need more"
                raise UserError(message, where=self.where, hint="raise it, or learn from fewer pairs with --learn-from")
            yield pair

    def check_text(self, bitext: Bitext, stages: list[Stage]) -> None:
        """Check that a candidate for each word fits.

        Raises:
            UserError: if not, with the smallest size.
        """
        fewest = ceil(_CANDIDATES_PER_TOKEN * (len(bitext.source.ids) + len(bitext.target.ids)))
        pairs = min(fewest, len(bitext.source.vocabulary) * len(bitext.target.vocabulary))
        needed = max(stage.size(fewest, pairs) for stage in stages)
        if needed > self.bytes:
            message = f"words.memory is {self.text}, but this text needs at least {format_size(needed)}"
            raise UserError(message, where=self.where, hint="raise it, or learn from fewer pairs with --learn-from")

    def most_candidates(self, stages: list[Stage], ratio: float) -> int:
        """Return how many candidates fit.

        Args:
            stages: the stages.
            ratio: distinct word pairs for each candidate.
        """
        limits = (
            (self.bytes - stage.fixed) / (stage.per_candidate + ratio * stage.per_pair)
            for stage in stages
            if stage.per_candidate
        )
        return int(min(limits))
