"""Extractive question answering by definition: one row, one span, one window at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence


def row_loss(states: Sequence[Sequence[float]], weight, bias, first: int, last: int, gold: Sequence[int]) -> float:
    """Mean of the cross-entropies of beginning and end among [CLS] and the pieces first..last of one row."""
    total = 0.0
    for side in (0, 1):
        logit = {
            place: sum(w * x for w, x in zip(weight[side], states[place], strict=True)) + bias[side]
            for place in (0, *range(first, last + 1))
        }
        total += math.log(sum(math.exp(value) for value in logit.values())) - logit[gold[side]]
    return total / 2


def best_texts(context: str, windows, longest: int) -> dict[str, float]:
    """The best score of every text that some span of some window has.

    Args:
        windows: for each a list of (begin score, end score, first character, character behind the last).
    """
    best: dict[str, float] = {}
    for pieces in windows:
        for i in range(len(pieces)):
            for j in range(len(pieces)):
                if i <= j < i + longest:
                    text = context[pieces[i][2] : pieces[j][3]].strip()
                    if text:
                        best[text] = max(best.get(text, -math.inf), pieces[i][0] + pieces[j][1])
    return best


def document_spans(pieces: int, room: int, stride: int) -> list[tuple[int, int]]:
    """Windows as described with BERT's release: so many pieces fit, the next begins a stride on, till the end shows."""
    spans = [(0, min(room, pieces))]
    while spans[-1][1] < pieces:
        start = spans[-1][0] + stride
        spans.append((start, min(start + room, pieces)))
    return spans
