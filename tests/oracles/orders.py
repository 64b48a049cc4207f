"""Slow, obvious word orders."""

from __future__ import annotations

from itertools import permutations


def contiguous(heads):
    """Whether every word and what hangs on it stand together."""
    for root in range(1, len(heads) + 1):
        below = {root}
        while True:
            more = {word for word, head in enumerate(heads, 1) if head in below} | below
            if more == below:
                break
            below = more
        if max(below) - min(below) + 1 != len(below):
            return False
    return True


def best_order(names, preference):
    """Of all orders that leave like parts as they stood, the one whose preferences sum highest; of equals the first."""
    found = None
    for order in permutations(range(len(names))):
        alike = all(i < j for a, i in enumerate(order) for j in order[a + 1 :] if names[i] == names[j])
        if alike:
            value = sum(preference(names[i], names[j]) for a, i in enumerate(order) for j in order[a + 1 :])
            if found is None or value > found[0] + 1e-7:
                found = (value, order)
    return found[1]
