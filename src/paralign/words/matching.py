"""Links from a matrix of similarities between two sentences."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["best_matches", "itermax", "transport_plan"]

_DISCOUNT = 0.9


def best_matches(values: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Return masks of the largest value of each column, and of each row. The first one wins a tie.

    Args:
        values: similarities.
        inside: where there are words, not padding.

    Shapes:
        values, inside: ``[k, m, n]``
        returns: ``[k, m, n]`` and ``[k, m, n]``
    """
    values = values.masked_fill(~inside, -torch.inf)
    none = torch.zeros(values.shape, dtype=torch.bool, device=values.device)
    forward, backward = (none.scatter(dim, values.argmax(dim, keepdim=True), True) & inside for dim in (1, 2))
    return forward, backward


def itermax(values: Tensor, inside: Tensor, rounds: int) -> Tensor:
    """Return the mutually largest values, then again among the words without a link (Jalili Sabet et al. 2020, 2.2).

    In later rounds a pair of words has weight 1 if neither has a link, 0.9 if one has, 0 if both have. Sentence pairs
    with one or two words on a side keep the links of the first round.

    Args:
        values: similarities from 0 to 1.
        inside: where there are words, not padding.
        rounds: number of rounds, including the first.

    Shapes:
        values, inside: ``[k, m, n]``
        returns: ``[k, m, n]``
    """
    forward, backward = best_matches(values, inside)
    links = forward & backward
    rows, columns = inside.any(2), inside.any(1)
    large = torch.minimum(rows.sum(1), columns.sum(1)) > 2
    for _ in range(1, rounds):
        free_rows, free_columns = rows & ~links.any(2), columns & ~links.any(1)
        unfinished = large & free_rows.any(1) & free_columns.any(1)
        either = free_rows.unsqueeze(2) | free_columns.unsqueeze(1)
        both = free_rows.unsqueeze(2) & free_columns.unsqueeze(1)
        weight = torch.where(both, 1.0, torch.where(either, _DISCOUNT, 0.0))
        forward, backward = best_matches(values * weight, inside)
        new = forward & backward & either & unfinished.view(-1, 1, 1)
        if links.device.type == "cpu" and not bool((new & ~links).any()):
            break  # later rounds add nothing; checking this would synchronize an accelerator
        links |= new
    return links


def transport_plan(cosine: Tensor, rows: Tensor, columns: Tensor, smoothing: float, iterations: int = 50) -> Tensor:
    """Return the logarithms of the entropic transport plan between words of equal weight at cost 1 - cosine.

    Sinkhorn's algorithm (Cuturi 2013).

    Args:
        cosine: similarities.
        rows: where there are source words, not padding.
        columns: where there are target words, not padding.
        smoothing: weight of the entropy.
        iterations: of the algorithm; the plan is exact after many.

    Shapes:
        cosine: ``[k, m, n]``
        rows: ``[k, m]``
        columns: ``[k, n]``
        returns: ``[k, m, n]``
    """
    scores = (cosine / smoothing).masked_fill(~(rows.unsqueeze(2) & columns.unsqueeze(1)), -torch.inf)
    weight = [torch.where(mask, -torch.log(mask.sum(1, keepdim=True).float()), -torch.inf) for mask in (rows, columns)]
    u, v = (torch.zeros(mask.shape, device=cosine.device) for mask in (rows, columns))
    for _ in range(iterations):
        u = torch.where(rows, weight[0] - torch.logsumexp(scores + v.unsqueeze(1), 2), 0.0)
        v = torch.where(columns, weight[1] - torch.logsumexp(scores + u.unsqueeze(2), 1), 0.0)
    return scores + u.unsqueeze(2) + v.unsqueeze(1)
