"""Statistics of the report: which differences, intervals and marks the tables show. Formats nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from paralign.metrics import (
    Comparison,
    compare_over_seeds,
    interval_over_seeds,
    is_significant,
    item_score,
    mean_sd,
)
from paralign.metrics.bootstrap import Resampled, bootstrap_interval, compare_resampled, resample
from paralign.metrics.statistics import PAIR_STATISTICS
from paralign.report.cells import SCORE_TOLERANCE, Cell, Row, Unit

__all__ = [
    "average_resampled",
    "compare_cells",
    "compare_rows",
    "mean_of_known",
    "paired_scores",
    "resample_cells",
    "scores_by_seed",
    "set_interval",
    "set_ranked_interval",
    "unbeaten_baselines",
    "verdict",
]

_STAGES = ("pretrain", "align", "finetune")
_BASELINE_TOLERANCE = 1e-9


def verdict(difference: float, comparison: Comparison | None, *, lower_is_better: bool) -> str:
    """Return ``better`` or ``worse`` for a significant difference from the control, otherwise an empty string."""
    if not is_significant(comparison):
        return ""
    return "better" if (difference > 0) != lower_is_better else "worse"


def mean_of_known(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that are not ``None``; ``None`` if there are none."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present else None


def unbeaten_baselines(
    score: float | None, baselines: Iterable[tuple[str, float]], *, lower_is_better: bool
) -> list[tuple[str, float]]:
    """Return the baselines (name, score) that a score is not better than, the hardest first."""
    if score is None or not math.isfinite(score):
        return []
    sign = -1 if lower_is_better else 1
    unbeaten = [pair for pair in baselines if sign * (score - pair[1]) <= _BASELINE_TOLERANCE]
    return sorted(unbeaten, key=lambda pair: (-sign * pair[1], pair[0]))


def scores_by_seed(scores: Mapping[Unit, float]) -> Mapping[Any, float]:
    """Return the scores that vary independently: a mean for each seed of the first stage that has several.

    Fine-tuning seeds of one encoder share its alignment, so with several alignment seeds only those are counted.

    Args:
        scores: scores of a system, by unit.
    """
    for stage in _STAGES:
        if len({getattr(seeds, stage) for seeds, _ in scores}) > 1:
            by_seed: dict[Any, list[float]] = {}
            for (seeds, _), score in scores.items():
                by_seed.setdefault((stage, getattr(seeds, stage)), []).append(score)
            return {seed: math.fsum(values) / len(values) for seed, values in by_seed.items()}
    return dict(scores)


def paired_scores(
    treated: Mapping[Unit, float], control: Mapping[Unit, float]
) -> tuple[Mapping[Any, float], Mapping[Any, float]]:
    """Return the independent scores of two systems, with the same keys where seeds of one belong to those of the other.

    If each independent seed of both systems has one score, they are paired by the last stage whose seeds are the same
    and differ between all scores of a system: the seeds of fine-tuning, where only one of the systems was aligned with
    several.

    Args:
        treated: scores of a system, by unit.
        control: scores of the control.
    """
    by_seed = scores_by_seed(treated), scores_by_seed(control)
    if (len(by_seed[0]), len(by_seed[1])) != (len(treated), len(control)):
        return by_seed
    for stage in reversed(_STAGES):
        first, second = (
            {getattr(seeds, stage): score for (seeds, _), score in side.items()} for side in (treated, control)
        )
        if first.keys() == second.keys() and None not in first and len(first) == len(treated) == len(control) > 1:
            return first, second
    return by_seed


def set_interval(cell: Cell) -> None:
    """Set the 95 % interval of a score that is not a ratio of sums, over test items and seeds.

    A row records the interval of its own score, over test items.
    """
    if cell.statistic not in PAIR_STATISTICS or not cell.items:
        return
    if cell.interval is None:
        drawn = cell.resampled  # the same draws, if the cell is compared
        low, high = drawn.interval() if drawn else bootstrap_interval(cell.items, statistic=cell.statistic)
        cell.interval = (low, high) if math.isfinite(low) else None
    by_seed = list(scores_by_seed(cell.scores).values())
    sd = mean_sd(by_seed)[1]
    if cell.interval is not None and sd is not None:
        cell.interval = interval_over_seeds(cell.mean, cell.interval, sd, len(by_seed))


def set_ranked_interval(row: Row, languages: Sequence[str]) -> None:
    """Set the 95 % interval of the ranked score, over test items and, with several seeds, over seeds.

    It is left out where the items of a language are unknown.

    Args:
        row: a system whose cells have been resampled.
        languages: languages by which systems are ranked.
    """
    resampled = average_resampled([row.cells[language] for language in languages])
    ranked = row.ranked_score(languages)
    if resampled is None or not math.isfinite(ranked.value):
        return
    interval = resampled.interval()
    if not math.isfinite(interval[0]):
        return
    by_seed = list(scores_by_seed(ranked.scores).values())
    sd = mean_sd(by_seed)[1] if by_seed else None
    row.ranked_interval = interval if sd is None else interval_over_seeds(ranked.value, interval, sd, len(by_seed))


def resample_cells(cells: Iterable[Cell]) -> None:
    """Resample the items of the cells of one table, all with the same draws."""
    usable = [cell for cell in cells if cell.items and not cell.missing]
    for statistic in {cell.statistic for cell in usable}:
        chosen = [cell for cell in usable if cell.statistic == statistic]
        resampled = resample([cell.items for cell in chosen], statistic=statistic)
        for cell, scores in zip(chosen, resampled, strict=True):
            cell.resampled = scores


def compare_cells(cell: Cell, control: Cell) -> str | None:
    """Set difference and comparison of a cell.

    Args:
        cell: a system on one language, resampled by :func:`resample_cells`.
        control: the control on the same language, resampled with the same draws.

    Returns:
        the reason why there is no interval; ``None`` if there is one.
    """
    if cell.directions != control.directions:
        return "measured in different directions than the control"
    cell.difference = cell.mean - control.mean
    for side, owner in ((cell, ""), (control, "for the control, ")):
        if side.missing:
            return f"{owner}{side.missing}"
        # With different directions per seed, the mean over items would be another number than the mean shown.
        scores = [item_score(items, side.statistic) for items in side.items]
        if abs(math.fsum(scores) / len(scores) - side.mean) > SCORE_TOLERANCE:
            return f"{owner}seeds were not all measured in the same directions"
    if cell.data and control.data and cell.data != control.data:
        return "the test items differ from the control's"
    if cell.gold != control.gold:
        return "the gold answers of the test items differ from the control's"
    if cell.n_items != control.n_items:
        return f"{cell.n_items} test items, but the control has {control.n_items}"
    assert cell.resampled is not None
    assert control.resampled is not None  # both have items
    over_items = compare_resampled([(cell.resampled, control.resampled)])
    cell.comparison = compare_over_seeds(over_items, *paired_scores(cell.scores, control.scores))
    return None


def compare_rows(row: Row, control: Row, languages: Sequence[str]) -> dict[str, list[str]]:
    """Set the comparisons of a row, language by language and for the average.

    Args:
        row: a system.
        control: the control's row.
        languages: languages of the average.

    Returns:
        reasons why there is no interval -> the languages without one.
    """
    reasons: dict[str, list[str]] = {}
    for language, cell in row.cells.items():
        if language in control.cells:
            reason = compare_cells(cell, control.cells[language])
            if reason:
                reasons.setdefault(reason, []).append(language)
    if row.average is None or control.average is None:
        return reasons
    row.average_difference = row.average - control.average
    pairs = [(row.cells[language], control.cells[language]) for language in languages]
    if all(cell.comparison for cell, _ in pairs):
        resampled = [(cell.resampled, other.resampled) for cell, other in pairs if cell.resampled and other.resampled]
        sides = paired_scores(row.average_scores, control.average_scores)
        row.average_comparison = compare_over_seeds(compare_resampled(resampled), *sides)
    return reasons


def average_resampled(cells: Sequence[Cell]) -> Resampled | None:
    """Return the mean of the scores of several test sets on resamples of their items.

    Returns:
        the mean; ``None`` if a test set was not resampled, or there is none.
    """
    draws = [cell.resampled for cell in cells if cell.resampled is not None]
    return Resampled.mean(draws) if draws and len(draws) == len(cells) else None
