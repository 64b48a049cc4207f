"""The sentences at the top of the page: what the systems gain over the control, and what is not certain."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from paralign.metrics import Comparison
from paralign.metrics.significance import untested
from paralign.report.cells import Row
from paralign.report.comparison import paired_scores
from paralign.report.draw_results import gain, headline_tables
from paralign.report.number_format import format_difference, format_range, format_score, join_names, more_are
from paralign.report.tables import Table
from paralign.report.titles import short_title, uncapitalize

__all__ = ["open_page"]

_MAX_NAMED = 4
"""More tasks than these are counted."""
_MAX_LANGUAGES = 8
_NO_LANGUAGE = "no language was measured with all of them"
_NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class _Outcome:
    """A system in a table, compared with its control."""

    table: Table
    row: Row
    gain: float
    low: float
    high: float
    significant: bool
    comparison: Comparison | None

    @property
    def task(self) -> str:
        """The task inside a sentence: ``sentence retrieval, [CLS]``."""
        return uncapitalize(short_title(self.table.key))

    @property
    def tested(self) -> bool:
        """Whether the difference was tested for significance."""
        return not untested(self.comparison)

    @property
    def seeds(self) -> set[int]:
        """Numbers of seeds of the system and of its control."""
        control = next(row for row in self.table.rows if row.system == self.row.reference)
        sides = paired_scores(*(self.table.ranked_score(row).scores for row in (self.row, control)))
        return {len(side) for side in sides}

    @property
    def numbers(self) -> str:
        """``+3.9 points, 95 % interval 2.1 to 5.6``; of an error rate, ``3.9 points lower``."""
        scaled = self.table.key.scaled
        points = " points" if scaled else ""
        ends = [self.low, self.high]
        if self.table.key.lower_is_better:
            parts = [f"{format_score(abs(self.gain), scaled)}{points} {'lower' if self.gain >= 0 else 'higher'}"]
            ends = ends if self.gain >= 0 else [-self.high, -self.low]
        else:
            parts = [f"{format_difference(self.gain, scaled)}{points}"]
        if math.isfinite(self.low):
            low, high = (format_score(end, scaled) for end in ends)
            parts.append(f"95{_NBSP}% interval {low} to {high}")
        return ", ".join(parts)


def open_page(tables: Sequence[Table], controls: Collection[str]) -> list[str]:
    """Return sentences on the headline tables: the result, what it leaves out, and its limits. None without tables.

    Differences are gains: positive if the system is better, also for error rates.

    Args:
        tables: all tables.
        controls: all controls, also those without scores.
    """
    headline = headline_tables(tables)
    if not headline:
        return []
    ranked = [found for table in headline if (found := _compared(table))]
    if not ranked:
        return [_best_scores(headline), *filter(None, [_not_compared(headline, controls)])]
    outcomes = [found[0] for found in ranked]
    undecided = [found for found in ranked if not _is_better(found[0])]
    others = [better for found in undecided if (better := next(filter(_is_better, found), None)) is not None]
    limits = _limits(outcomes)
    sentences = [_result(outcomes), _better_uncompared(outcomes), limits, _others(others)]
    return [*filter(None, sentences), *([] if limits else [_intervals([*outcomes, *others])])]


def _compared(table: Table) -> list[_Outcome]:
    """Return the systems that are compared with a control, the best score first."""
    sign = -1 if table.key.lower_is_better else 1
    compared = [(row, found) for row in table.rows if (found := gain(row, table)) is not None]
    compared.sort(key=lambda pair: -sign * table.ranked_score(pair[0]).value)
    return [_Outcome(table, row, *found, table.ranked_score(row).comparison) for row, found in compared]


def _is_better(outcome: _Outcome) -> bool:
    return outcome.significant and outcome.gain > 0


def _better_uncompared(outcomes: Sequence[_Outcome]) -> str:
    """Return a sentence on systems with better scores that have no control."""
    found = []
    for outcome in outcomes:
        table = outcome.table
        sign = -1 if table.key.lower_is_better else 1
        for row in table.rows:
            value, best = table.ranked_score(row).value, table.ranked_score(outcome.row).value
            if not row.control and gain(row, table) is None and sign * value > sign * best:
                found.append(f"{row.system} in {outcome.task} ({format_score(value, table.key.scaled)})")
    if not found:
        return ""
    named = [*found[:_MAX_NAMED], *([f"{len(found) - _MAX_NAMED} more"] if len(found) > _MAX_NAMED else [])]
    return f"Better, but not compared with a control: {join_names(named)}."


def _control(outcomes: Sequence[_Outcome]) -> str:
    names = {name for outcome in outcomes for name in outcome.table.controls}
    if len(names) != 1:
        return "its control"
    name = names.pop()
    return f"the {name}" if "control" in name else f"the control ({name})"


def _result(outcomes: Sequence[_Outcome]) -> str:
    better = [outcome for outcome in outcomes if _is_better(outcome)]
    tested = [outcome for outcome in outcomes if outcome.tested]
    control = _control(outcomes)
    if not tested:
        return _observed(outcomes, control)
    if not better:
        return _not_better(tested, control)
    parts = []
    for system in dict.fromkeys(outcome.row.system for outcome in better):
        own = [outcome for outcome in better if outcome.row.system == system]
        tasks = [f"{outcome.task} ({outcome.numbers})" for outcome in own[:_MAX_NAMED]]
        tasks += [f"{len(own) - _MAX_NAMED} more scores"] * (len(own) > _MAX_NAMED)
        parts.append((system, join_names(tasks)))
    where, count = _languages(outcomes), len(outcomes)
    share = f"; that is {len(better)} of the {count} scores below" if count > 1 else ""
    if len(parts) == 1:
        ((system, tasks_of_system),) = parts
        return f"{system} is significantly better than {control} on {tasks_of_system}{where}{share}."
    systems = [f"{system} on {tasks_of_system}" for system, tasks_of_system in parts]
    return f"Significantly better than {control}: {join_names(systems)}{where}{share}."


def _not_better(outcomes: Sequence[_Outcome], control: str) -> str:
    """Return in which scores the best system is not significantly better, and in which it is worse. All were tested."""
    worse = [outcome for outcome in outcomes if outcome.significant]
    open_ = [outcome for outcome in outcomes if not outcome.significant]
    parts = []
    if open_:
        parts.append(f"not significantly better than {control} in {_tasks(open_)}{_languages(open_)}")
    if worse:
        parts.append(f"significantly worse than {control} in {_tasks(worse)}{_languages(worse)}")
    return f"The best system is {', and '.join(parts)}."


def _others(outcomes: Sequence[_Outcome]) -> str:
    """Return a sentence on systems that are significantly better where the best one is not; empty if there is none."""
    if not outcomes:
        return ""
    several = len({outcome.row.system for outcome in outcomes}) > 1
    subject = "Other systems are" if several else "Another system is"
    return f"{subject} significantly better than {_control(outcomes)} in {_tasks(outcomes)}."


def _observed(outcomes: Sequence[_Outcome], control: str) -> str:
    """Return the differences of the best systems, of which none was tested."""
    systems = {outcome.row.system for outcome in outcomes}
    best = systems.pop() if len(systems) == 1 else ""
    if len(outcomes) > _MAX_NAMED:
        ahead = sum(outcome.gain > 0 for outcome in outcomes)
        return f"{best or 'The best system'} is above {control} in {ahead} of the {len(outcomes)} scores below."
    if best:
        changes = join_names([f"{outcome.task} ({outcome.numbers})" for outcome in outcomes])
        return f"{best} compared with {control}: {changes}{_languages(outcomes)}."
    return f"The best systems compared with {control}: {_tasks(outcomes)}{_languages(outcomes)}."


def _languages(outcomes: Sequence[_Outcome]) -> str:
    """Return ``, on average over de and fr`` if all tables have the same languages."""
    languages = {tuple(outcome.table.ranked_on) for outcome in outcomes}
    if len(languages) != 1:
        return ""
    names = languages.pop()
    if len(names) == 1:
        return f", on {names[0]}"
    return f", on average over {join_names(names) if len(names) <= _MAX_LANGUAGES else f'{len(names)} languages'}"


def _limits(outcomes: Sequence[_Outcome]) -> str:
    """Return in which scores the best system is not significantly better, as far as the first sentence does not say
    it; empty if there is no such score."""
    not_tested = [outcome for outcome in outcomes if not outcome.tested]
    if len(not_tested) == len(outcomes):
        return f"These differences were not tested for significance ({_reasons(outcomes)})."
    parts = []
    if any(map(_is_better, outcomes)):
        worse = [outcome for outcome in outcomes if outcome.significant and outcome.gain <= 0]
        open_ = [outcome for outcome in outcomes if not outcome.significant and outcome.tested]
        if worse:
            parts.append(f"the best system is significantly worse in {_tasks(worse)}{_languages(worse)}")
        if open_:
            what = "differences of the best systems are" if len(open_) > 1 else "difference of the best system is"
            parts.append(f"the {what} not significant in {_tasks(open_)}{_languages(open_)}")
    if not_tested:
        verb = "were" if len(not_tested) > 1 else "was"
        parts.append(f"{_tasks(not_tested)} {verb} not tested ({_reasons(not_tested)})")
    return _sentence("; ".join(parts)) if parts else ""


def _intervals(outcomes: Sequence[_Outcome]) -> str:
    """Return what the intervals of differences are over, all of which were tested."""
    seeds = sorted({count for outcome in outcomes for count in outcome.seeds})
    many = len(outcomes) > 1 or any(len(outcome.table.rows) > 2 for outcome in outcomes)
    corrected = ", without correction for the number of comparisons" if many else ""
    return f"The intervals are over test items and {format_range(seeds)} seeds of each system{corrected}."


def _reasons(outcomes: Sequence[_Outcome]) -> str:
    return join_names(sorted({untested(outcome.comparison) for outcome in outcomes} - {""}))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _tasks(outcomes: Sequence[_Outcome]) -> str:
    if len(outcomes) > _MAX_NAMED:
        return f"{len(outcomes)} scores"
    return join_names([f"{outcome.task} ({outcome.row.system}: {outcome.numbers})" for outcome in outcomes])


def _best_scores(tables: Sequence[Table]) -> str:
    parts = []
    for table in tables[:_MAX_NAMED]:
        scored = [(table.ranked_score(row).value, row) for row in table.rows]
        scored = [(value, row) for value, row in scored if math.isfinite(value)]
        if not scored:
            continue
        sign = -1 if table.key.lower_is_better else 1
        value, row = max(scored, key=lambda pair: sign * pair[0])
        unit = f"{_NBSP}%" if table.key.is_percentage else ""
        title = uncapitalize(short_title(table.key))
        parts.append(f"{row.system} in {title} ({format_score(value, table.key.scaled)}{unit})")
    if not parts:
        return f"Systems are not ranked, because {_undefined(tables) or _NO_LANGUAGE}."
    several = any(len(table.rows) > 1 for table in tables)
    left = len(tables) - _MAX_NAMED
    more = f", and {more_are(left, 'table')} below" if left > 0 else ""
    return f"{'The best scores are' if several else 'The scores are'}: {join_names(parts)}{more}."


def _not_compared(tables: Sequence[Table], controls: Collection[str]) -> str:
    """Return why no ranked score is compared with a control; empty if nothing is ranked or compared."""
    if not controls:
        return (
            "No run is marked as the control, so systems are not compared with one: --control NAME chooses it, and"
            " differences are then tested."
        )
    rows = [(row, table) for table in tables for row in table.rows]
    if not any(math.isfinite(table.ranked_score(row).value) for row, table in rows):
        differences = [cell.difference for row, _ in rows for cell in row.cells.values()]
        known = any(difference is not None and math.isfinite(difference) for difference in differences)
        return "Differences from the control on single languages are in the tables." if known else ""
    reasons = sorted({_why_not_compared(row, table) for row, table in rows if not row.control})
    if not reasons:
        return "Only controls were measured."
    return f"They are not compared with a control, because {', and because '.join(reasons)}."


def _why_not_compared(row: Row, table: Table) -> str:
    if table.controls and row.reference is None:
        return "no control has the same base and settings"
    if table.controls and not table.ranked_on:
        return _NO_LANGUAGE
    if table.ranked_score(row).difference is None:
        return "the control was not measured in the same way"
    return _undefined([table])


def _undefined(tables: Sequence[Table]) -> str:
    """``the score on es is undefined``; empty if all are defined."""
    names = sorted({name for table in tables for row in table.rows for name in row.undefined_on(table.ranked_on)})
    if not names:
        return ""
    return f"the score{'s' * (len(names) > 1)} on {join_names(names)} {'are' if len(names) > 1 else 'is'} undefined"
