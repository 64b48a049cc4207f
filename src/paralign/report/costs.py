"""What runs cost, and how treated runs compare with the control."""

from __future__ import annotations

from collections.abc import Sequence

from paralign.report.number_format import format_count, format_duration
from paralign.report.runs import Run

__all__ = ["COST_COLUMNS", "compare_costs", "cost_rows"]

COST_COLUMNS = (
    "status", "time", "steps", "records seen", "tokens seen", "records/s", "tokens/s", "parameters", "threads", "device"
)  # fmt: skip


def cost_rows(runs: Sequence[Run]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return a row for each run with a ``run.json``: its name and, for each of ``COST_COLUMNS``, text and sort key."""
    rows = []
    for run in runs:
        if not run.described:
            continue
        info = run.info
        numbers = [
            (format_duration(info.seconds), info.seconds),
            (format_count(info.steps), info.steps),
            (format_count(info.pairs_seen), info.pairs_seen),
            (format_count(info.tokens_seen), info.tokens_seen),
            *((format_count(rate, 1 if rate and rate < 100 else 0), rate) for rate in _rates(run)),
            (format_count(info.parameters), info.parameters),
            (format_count(info.threads), info.threads),
        ]
        cells = [(text, "" if value is None else repr(value)) for text, value in numbers]
        status, device = ((text or "–", text or "") for text in (info.status, info.device))
        rows.append((run.name, [status, *cells, device]))
    return rows


def _rates(run: Run) -> list[float | None]:
    """Return records and tokens per second, averaged over the whole run."""
    seconds = run.info.seconds
    seen = (run.info.pairs_seen, run.info.tokens_seen)
    return [amount / seconds if amount and seconds else None for amount in seen]


def compare_costs(runs: Sequence[Run], controls: set[str]) -> list[str]:
    """Compare data and time of each aligned system with the control's, as means over their alignment runs.

    A fair control has seen as many records, or taken as much time; the sentences say which holds. None without a
    control, or with several.
    """
    by_system: dict[str, list[Run]] = {}
    for run in runs:
        if run.info.verb in ("align", "pretrain"):
            by_system.setdefault(run.label, []).append(run)
    marked = {run.label for run in runs if run.info.control}
    references = [label for label in by_system if label in controls or label in marked]
    if len(references) != 1:
        return []
    reference = references[0]
    sentences = []
    for label in by_system:
        if label == reference:
            continue
        parts = [
            f"{treated / control:.2f} × the {what}"
            for what, key in (
                ("records", "pairs_seen"),
                ("tokens read by the trained encoder", "tokens_seen"),
                ("time", "seconds"),
            )
            if (treated := _mean(by_system[label], key)) and (control := _mean(by_system[reference], key))
        ]
        if parts:
            sentences.append(f"{label} used {', '.join(parts)} of {reference}.")
    return sentences


def _mean(runs: Sequence[Run], key: str) -> float | None:
    values = [getattr(run.info, key) for run in runs]
    return sum(values) / len(values) if all(value is not None for value in values) else None
