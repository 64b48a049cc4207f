"""Alignment error rate: word links against sure and possible gold links (Och and Ney 2003, section 6)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paralign.metrics.ratios import ratio

__all__ = ["AlignmentScore", "alignment_items", "alignment_score", "link_counts"]

Links = Collection[tuple[int, int]]


@dataclass(frozen=True)
class AlignmentScore:
    """Shares from 0 to 1.

    Attributes:
        aer: 1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|), over all pairs together.
        precision: |A ∩ P| / |A|.
        recall: |A ∩ S| / |S|.
        f1: their harmonic mean; where every link is sure it is 1 - AER.
    """

    aer: float
    precision: float
    recall: float
    f1: float


def link_counts(found: Links, sure: Links, possible: Links) -> tuple[int, int, int, int]:
    """(|A ∩ S|, |A ∩ P|, |A|, |S|) of one sentence pair; sure links count as possible, whether they are among them or
    not."""
    links, certain = set(found), set(sure)
    return len(links & certain), len(links & (certain | set(possible))), len(links), len(certain)


def alignment_items(pairs: Iterable[tuple[Links, Links, Links]]) -> dict[str, npt.NDArray[np.float64]]:
    """Of (links, sure, possible) of all sentence pairs, ``aer``, ``precision`` and ``recall`` as [n, 2]: numerator and
    denominator of each pair; the score is the ratio of the sums."""
    table = np.array([link_counts(*pair) for pair in pairs], np.float64).reshape(-1, 4)
    in_sure, in_possible, links, sure = table.T
    ratios = {
        "aer": (links + sure - in_sure - in_possible, links + sure),
        "precision": (in_possible, links),
        "recall": (in_sure, sure),
    }
    return {name: np.stack(both, 1) for name, both in ratios.items()}


def alignment_score(pairs: Iterable[tuple[Links, Links, Links]]) -> AlignmentScore:
    """The score of (links, sure, possible) of all sentence pairs; a share of nothing is perfect."""
    found = {name: ratio(items) for name, items in alignment_items(pairs).items()}
    perfect = {"aer": 0.0, "precision": 1.0, "recall": 1.0}
    aer, precision, recall = (perfect[name] if math.isnan(found[name]) else found[name] for name in perfect)
    both = precision + recall
    return AlignmentScore(aer, precision, recall, 2 * precision * recall / both if both else 0.0)
