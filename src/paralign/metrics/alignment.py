"""Alignment error rate: word links against sure and possible gold links (Och and Ney 2003, section 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

__all__ = ["AlignmentScore", "alignment_score", "link_counts"]

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


def alignment_score(pairs: Iterable[tuple[Links, Links, Links]]) -> AlignmentScore:
    """The score of (links, sure, possible) of all sentence pairs; without any link at all it is perfect."""
    in_sure = in_possible = links = sure = 0
    for pair in pairs:
        for_sure, for_possible, some, certain = link_counts(*pair)
        in_sure, in_possible, links, sure = in_sure + for_sure, in_possible + for_possible, links + some, sure + certain
    precision = in_possible / links if links else float(not sure)
    recall = in_sure / sure if sure else 1.0
    both = precision + recall
    return AlignmentScore(
        aer=1 - (in_sure + in_possible) / (links + sure) if links + sure else 0.0,
        precision=precision,
        recall=recall,
        f1=2 * precision * recall / both if both else 0.0,
    )
