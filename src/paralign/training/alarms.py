"""Signs that a run is going wrong, said while it runs and once more at its end."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["Alarms", "is_bad"]

_SETTLED = 1000  # steps after which an encoder trained from scratch has told sentences apart


class Alarms:
    """Watches losses and metrics for collapse and for losses stuck at chance.

    * collapse: the mean cosine of vectors of different sentences above ``cosine``, or their effective rank below
      ``rank``, after the first fifth of the run (at most 1,000 steps), at ``patience`` looks in a row: similarities
      of 1.0 everywhere go unnoticed in many trainers;
    * stuck: after the first fifth of the run a loss still within 0.5 % of chance, log(K+1) for MoCo.

    Args:
        chance: loss of knowing nothing, by name.
        steps: length of the run.
        cosine: threshold of collapse.
        rank: threshold of collapse.
        patience: looks in a row.
    """

    def __init__(
        self,
        chance: Mapping[str, float],
        steps: int,
        *,
        cosine: float = 0.98,
        rank: float = 2.0,
        patience: int = 3,
    ) -> None:
        self._chance, self._steps = dict(chance), steps
        self._cosine, self._rank, self._patience = cosine, rank, patience
        self._signs: dict[str, int] = {}
        self.raised: dict[str, str] = {}

    def look(self, step: int, losses: Mapping[str, float], metrics: Mapping[str, float]) -> list[str]:
        """New alarms at this step, as sentences; each kind is raised once."""
        found: dict[str, str] = {}
        for name, value in metrics.items() if step > min(self._steps / 5, _SETTLED) else ():
            if name.endswith("mean_cosine") and value > self._cosine:
                found[name] = f"collapse: different sentences have a mean cosine of {value:.3f} ({name})"
            if name.endswith("effective_rank") and value < self._rank:
                found[name] = f"collapse: sentence vectors span only {value:.1f} dimensions ({name})"
        for name, chance in self._chance.items():
            if step > self._steps / 5 and name in losses and abs(losses[name] - chance) < 0.005 * abs(chance):
                found[name] = f"stuck: the loss {name} is {losses[name]:.3f}, that of knowing nothing ({chance:.3f})"
        self._signs = {name: self._signs.get(name, 0) + 1 for name in found}
        new = [n for n in found if self._signs[n] >= self._patience and n not in self.raised]
        for name in new:
            self.raised[name] = f"step {step}: {found[name]}"
        return [self.raised[name] for name in new]

    def state_dict(self) -> dict[str, object]:
        """What a resumed run needs to go on watching."""
        return {"signs": self._signs, "raised": self.raised}

    def load_state_dict(self, state: Mapping[str, Mapping[str, object]]) -> None:
        """Go on watching."""
        self._signs = {name: int(str(n)) for name, n in state["signs"].items()}
        self.raised = {name: str(text) for name, text in state["raised"].items()}


def is_bad(values: Mapping[str, float]) -> list[str]:
    """Names of values that are not finite."""
    return [name for name, value in values.items() if not math.isfinite(value)]
