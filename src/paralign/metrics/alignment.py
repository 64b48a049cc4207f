"""Alignment error rate of word links, with sure and possible gold links (Och and Ney 2003, section 6)."""

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
    """Scores of links A against sure links S and possible links P, as shares of 1.

    Attributes:
        aer: ``1 - (|A ∩ S| + |A ∩ P|) / (|A| + |S|)``, summed over all pairs.
        precision: ``|A ∩ P| / |A|``.
        recall: ``|A ∩ S| / |S|``.
        f1: harmonic mean of both; equal to 1 - AER if all links are sure.
        pairs: number of sentence pairs.
        links: ``|A|``.
        sure: ``|S|``.
        links_in_sure: ``|A ∩ S|``.
        links_in_possible: ``|A ∩ P|``.
    """

    aer: float
    precision: float
    recall: float
    f1: float
    pairs: int
    links: int
    sure: int
    links_in_sure: int
    links_in_possible: int


def link_counts(links: Links, sure: Links, possible: Links) -> tuple[int, int, int, int]:
    """Return (|A ∩ S|, |A ∩ P|, |A|, |S|) of one sentence pair; sure links always count as possible ones."""
    link_set, certain = set(links), set(sure)
    return len(link_set & certain), len(link_set & (certain | set(possible))), len(link_set), len(certain)


def alignment_items(pairs: Iterable[tuple[Links, Links, Links]]) -> dict[str, npt.NDArray[np.float64]]:
    """Return per-item scores of AER, precision and recall.

    Args:
        pairs: (links, sure, possible) of each sentence pair.

    Returns:
        Numerator and denominator of each sentence pair, [n, 2], for ``aer``, ``precision`` and ``recall``.
    """
    table = np.array([link_counts(*pair) for pair in pairs], np.float64).reshape(-1, 4)
    in_sure, in_possible, links, sure = table.T
    ratios = {
        "aer": (links + sure - in_sure - in_possible, links + sure),
        "precision": (in_possible, links),
        "recall": (in_sure, sure),
    }
    return {name: np.stack(both, 1) for name, both in ratios.items()}


def alignment_score(pairs: Iterable[tuple[Links, Links, Links]]) -> AlignmentScore:
    """Return the scores of (links, sure, possible) of all sentence pairs; an undefined share (0/0) is perfect."""
    table = alignment_items(pairs)
    scores = {name: ratio(items) for name, items in table.items()}
    perfect = {"aer": 0.0, "precision": 1.0, "recall": 1.0}
    aer, precision, recall = (perfect[name] if math.isnan(scores[name]) else scores[name] for name in perfect)
    both = precision + recall
    in_possible, links = table["precision"].sum(0).astype(int).tolist()
    in_sure, sure = table["recall"].sum(0).astype(int).tolist()
    f1 = 2 * precision * recall / both if both else 0.0
    return AlignmentScore(aer, precision, recall, f1, len(table["aer"]), links, sure, in_sure, in_possible)
