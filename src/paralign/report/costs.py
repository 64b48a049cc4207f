"""What the runs cost, and whether treated and control runs cost the same."""

from __future__ import annotations

from collections.abc import Sequence

from paralign.report.runs import Run
from paralign.report.wording import clock, count

__all__ = ["COST_COLUMNS", "cost_rows", "fairness"]

COST_COLUMNS = ("status", "time", "steps", "pairs seen", "tokens seen", "pairs/s", "tokens/s", "parameters",
                "threads", "device")  # fmt: skip


def cost_rows(runs: Sequence[Run]) -> list[tuple[str, list[tuple[str, str]]]]:
    """A line a described run: its name and, for each of ``COST_COLUMNS``, the text and what to sort by."""
    out = []
    for run in runs:
        if not run.described:
            continue
        info = run.info
        numbers = [
            (clock(info.seconds), info.seconds),
            (count(info.steps), info.steps),
            (count(info.pairs_seen), info.pairs_seen),
            (count(info.tokens_seen), info.tokens_seen),
            *((count(rate, 1 if rate and rate < 100 else 0), rate) for rate in _rates(run)),
            (count(info.parameters), info.parameters),
            (count(info.threads), info.threads),
        ]
        cells = [(text, "" if value is None else repr(value)) for text, value in numbers]
        out.append(
            (
                run.name,
                [(info.status or "–", info.status or ""), *cells, (info.device or "–", info.device or "")],
            )
        )
    return out


def _rates(run: Run) -> list[float | None]:
    """Pairs and tokens a second, over the whole run."""
    seconds = run.info.seconds
    seen = (run.info.pairs_seen, run.info.tokens_seen)
    return [amount / seconds if amount and seconds else None for amount in seen]


def fairness(runs: Sequence[Run], controls: set[str]) -> list[str]:
    """How the data and time of each aligned system relate to the control's: the mean over its alignment runs.

    A control should have seen as many pairs, or had as much time; the reader is told which of the two holds.
    """
    spent: dict[str, list[Run]] = {}
    for run in runs:
        if run.info.verb in ("align", "pretrain"):
            spent.setdefault(run.label, []).append(run)
    own = {run.label for run in runs if run.info.control}
    references = [label for label in spent if label in controls or label in own]
    if len(references) != 1:
        return []
    told = []
    for label in spent:
        if label == references[0]:
            continue
        parts = [
            f"{treated / control:.2f} × the {what}"
            for what, key in (("pairs", "pairs_seen"), ("tokens", "tokens_seen"), ("time", "seconds"))
            if (treated := _mean(spent[label], key)) and (control := _mean(spent[references[0]], key))
        ]
        if parts:
            told.append(f"{label} took {', '.join(parts)} of {references[0]}.")
    return told


def _mean(runs: Sequence[Run], key: str) -> float | None:
    values = [getattr(run.info, key) for run in runs]
    return sum(values) / len(values) if all(value is not None for value in values) else None
