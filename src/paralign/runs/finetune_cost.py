"""Cost and warnings of a fine-tuning run, over all seeds and resumptions."""

from __future__ import annotations

from collections.abc import Sequence

from paralign.console import echo
from paralign.digests import file_digest
from paralign.runs.folder import RunFolder
from paralign.training import Outcome

__all__ = ["FinetuneCost"]

_NAMES = ("seconds", "steps", "pairs_seen", "tokens_seen")


class FinetuneCost:
    """The cost of a run by seed, in ``run.json``.

    It is written before the results of the seed. If the run is killed between the two, the seed is repeated, and its
    cost replaces the one that was written.

    Args:
        folder: the folder of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        before = folder.before
        self._seeds: dict[str, dict[str, float]] = {**before.get("seed_costs", {})}
        self._logs: dict[str, str] = {**before.get("logs", {})}
        self._alarms: list[str] = list(before.get("alarms", []))

    def begin_seed(self, seed: int) -> None:
        """Note that a seed is trained: its log may change, also if the run was killed after its cost was written."""
        if self._logs.pop(_log_of(seed), None) is not None:
            self.folder.save(logs=self._logs)

    def add(self, seed: int, outcome: Outcome) -> None:
        """Write the cost of a seed, over all its resumptions."""
        self._seeds[str(seed)] = {
            "seconds": round(outcome.seconds, 2),
            "steps": outcome.steps,
            "pairs_seen": outcome.records_seen,
            "tokens_seen": outcome.pieces_seen,
            "padding": round(outcome.padding, 4),
        }
        self._logs[_log_of(seed)] = file_digest(self.folder.path / _log_of(seed))
        self.folder.save(logs=self._logs, seed_costs=self._seeds, **self._totals())

    def warn(self, texts: Sequence[str], quiet: bool) -> None:
        """Print and store new warnings."""
        for text in texts:
            if text not in self._alarms:
                echo(f"WARNING {text}", quiet=quiet)
                self._alarms.append(text)
        self.folder.save(alarms=self._alarms)

    def _totals(self) -> dict[str, float]:
        costs = list(self._seeds.values())
        totals = {name: sum(cost[name] for cost in costs) for name in _NAMES}
        return totals | {"seconds": round(totals["seconds"], 2), "padding": max(cost["padding"] for cost in costs)}


def _log_of(seed: int) -> str:
    return f"seed-{seed}/log.jsonl"
