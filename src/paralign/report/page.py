"""The content of the page, and the page as HTML."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from paralign.metrics.significance import MIN_ITEMS
from paralign.report.costs import COST_COLUMNS, compare_costs, cost_rows
from paralign.report.draw_results import draw_results, headline_tables
from paralign.report.drawing import draw_figures
from paralign.report.figure import Figure
from paralign.report.findings import describe_table
from paralign.report.formatted_table import FormattedTable, format_table
from paralign.report.number_format import more_are, shorten_list
from paralign.report.opening import open_page
from paralign.report.runs import Run
from paralign.report.styles import assign_styles
from paralign.report.tables import Table
from paralign.version import __version__

__all__ = ["DAGGER_LEGEND", "SPREAD_LEGEND", "STAR_LEGEND", "Page", "build_page", "html"]

SPREAD_LEGEND = "Scores are means over seeds, ± their sample standard deviation."
STAR_LEGEND = (
    "* marks differences from the control whose 95\N{NO-BREAK SPACE}% interval over test items and seeds excludes 0,"
    " not corrected for the number of comparisons."
)
_LEGEND = f"{SPREAD_LEGEND} Bold: the best score of the column."
_LEGEND_COMPARED = (
    f"{SPREAD_LEGEND} Below each score: the difference from the control in points, positive if the system is better,"
    " with its 95\N{NO-BREAK SPACE}% interval over test items (paired bootstrap, 10,000 resamples) and, where both"
    f" systems have two or more seeds, over seeds. {STAR_LEGEND} With one seed, or fewer than {MIN_ITEMS} test items,"
    " nothing is marked. Bold: the best score of the column."
)
_BASELINES = {
    "chance": "chance answers at random",
    "majority": "majority always gives the most frequent answer",
    "adjacent": "adjacent attaches every word to its neighbor",
    "sentence": "sentence answers with the sentence most similar to the question",
    "diagonal": "diagonal links words at the same relative position",
}
DAGGER_LEGEND = "† marks scores that are not better than a baseline on the same data."

_MAX_ALARMS = 12
"""More alarms are folded."""
_MAX_RUNS = 20
"""For more runs, costs, commands and settings are folded."""


@dataclass(frozen=True)
class Page:
    """The content of the page, formatted but not marked up."""

    title: str
    opening: list[str]
    """The first sentences."""
    results_figure: Figure | None
    """The first figure; None without scores."""
    tables: list[FormattedTable]
    legend: str
    baseline_legend: str
    """Empty if no table has baselines."""
    sections: list[tuple[str, list[Figure]]]
    """Figures under their headings."""
    alarms: list[str]
    """Alarms of all runs, each once."""
    more_alarms: list[str]
    """Alarms beyond the first, which are folded."""
    cost_columns: tuple[str, ...]
    costs: list[tuple[str, list[tuple[str, str]]]]
    cost_comparisons: list[str]
    commands: list[tuple[str, str]]
    settings: list[tuple[str, str]]
    versions: str
    run_notes: list[str]
    """What is missing or incomplete in run folders."""
    many_runs: bool
    """Whether costs, commands and settings are folded."""
    overview: FormattedTable | None = None
    """Of a suite: systems by tasks."""
    missing: tuple[str, ...] = ()
    """Of a suite: what has not been measured."""
    times: FormattedTable | None = None
    """Of a suite: the time of each system on each task."""


def build_page(runs: Sequence[Run], tables: Sequence[Table], controls: set[str], title: str) -> Page:
    """Format all parts of the page.

    Args:
        runs: in the order given.
        tables: from :func:`paralign.report.tables.build_tables`.
        controls: labels of the control systems.
        title: title of the page.
    """
    tables = _name_splits(tables)
    headline = {id(table) for table in headline_tables(tables)}
    formatted = [
        replace(format_table(table), finding=describe_table(table) if id(table) in headline else "") for table in tables
    ]
    of_rows = (row.system for table in tables for row in table.rows)
    systems = list(dict.fromkeys([*(run.label for run in runs), *_systems_of_figures(runs), *of_rows]))
    controls_of_all = controls | _controls_of_runs(runs)
    styles = assign_styles(systems, controls_of_all)
    figures = draw_figures(runs, styles)
    alarms = _alarms(runs)
    return Page(
        title=title,
        opening=open_page(tables, controls_of_all) or _open_without_scores(runs, figures),
        results_figure=draw_results(tables, styles),
        tables=formatted,
        legend=_LEGEND_COMPARED if any(table.compared for table in formatted) else _LEGEND,
        baseline_legend=_baseline_legend(formatted),
        sections=_sections(figures),
        alarms=alarms[:_MAX_ALARMS],
        more_alarms=alarms[_MAX_ALARMS:],
        cost_columns=COST_COLUMNS,
        costs=cost_rows(runs),
        cost_comparisons=compare_costs(runs, controls),
        commands=[(run.name, text) for run in runs for text in (run.info.command, *run.info.more_commands) if text],
        settings=[(run.name, run.config) for run in runs if run.config is not None],
        versions=_versions(runs),
        run_notes=_run_notes(runs),
        many_runs=len(runs) > _MAX_RUNS,
    )


def _name_splits(tables: Sequence[Table]) -> list[Table]:
    """Return the tables with the split in their titles, where a task, metric and training have several."""
    splits: dict[Hashable, set[str]] = {}
    measures = [(key.name, key.task, key.metric, key.train) for key in (table.key for table in tables)]
    for measure, table in zip(measures, tables, strict=True):
        splits.setdefault(measure, set()).add(table.key.split)
    return [
        replace(table, key=replace(table.key, names_split=len(splits[measure]) > 1))
        for measure, table in zip(measures, tables, strict=True)
    ]


def _open_without_scores(runs: Sequence[Run], figures: Sequence[Figure]) -> list[str]:
    """Return the first sentences of a page without tables."""
    findings = [figure.finding for figure in figures if figure.finding]
    if findings:
        more = len(findings) - 2
        return findings[:2] + ([f"{more_are(more, 'finding')} next to the figures."] if more > 0 else [])
    if any(run.figures for run in runs):
        return ["The runs have figures of analyses but no tables of scores."]
    return ["The runs have no scores yet; the page shows their training curves."]


def _sections(figures: Sequence[Figure]) -> list[tuple[str, list[Figure]]]:
    names = dict.fromkeys(figure.section for figure in figures)
    return [(name, [figure for figure in figures if figure.section == name]) for name in names]


def _baseline_legend(tables: Sequence[FormattedTable]) -> str:
    used = {row.system for table in tables for row in table.baselines}
    if not used:
        return ""
    described = "; ".join(text for name, text in _BASELINES.items() if name in used)
    unbeaten = any(cell.unbeaten for table in tables for row in table.rows for cell in row.cells)
    return f"Baselines need no model{f': {described}' if described else ''}.{f' {DAGGER_LEGEND}' * unbeaten}"


def _alarms(runs: Sequence[Run]) -> list[str]:
    """Return alarms of training and warnings about data and scores, each once, with the runs that raised them.

    The first ones of each run come first, so that a run with many does not hide the others.
    """
    raised: dict[tuple[int | None, str], list[str]] = {}
    position: dict[tuple[int | None, str], int] = {}
    for run in runs:
        for number, (step, text) in enumerate(run.alarms):
            without_step = step is None or text.startswith(f"step {step}")  # some messages contain their step
            key = (None if without_step else step, text)
            position[key] = min(number, position.get(key, number))
            names = raised.setdefault(key, [])
            if run.name not in names:
                names.append(run.name)
    return [
        f"{shorten_list(names, 3, 'other runs')}{'' if step is None else f', step {step:,}'}: {text}"
        for (step, text), names in sorted(raised.items(), key=lambda item: position[item[0]])
    ]


def _systems_of_figures(runs: Sequence[Run]) -> list[str]:
    """Return the systems that occur in figure files."""
    contents = [data for run in runs for data in run.figures.values()]
    rows = [row for data in contents for name in ("curves", "points") for row in data.get(name, ())]
    return list(dict.fromkeys(row["system"] for row in rows))


def _controls_of_runs(runs: Sequence[Run]) -> set[str]:
    """Return the systems that runs or their curves mark as controls."""
    curves = (curve for run in runs for data in run.figures.values() for curve in data.get("curves", ()))
    return {run.label for run in runs if run.info.control} | {c["system"] for c in curves if c.get("control")}


def _versions(runs: Sequence[Run]) -> str:
    versions = sorted({run.info.version for run in runs if run.info.version})
    return f"Runs made with paralign {', '.join(versions) or 'of unknown version'}; report by paralign {__version__}."


def _run_notes(runs: Sequence[Run]) -> list[str]:
    """Return notes on what is missing or incomplete in run folders."""
    notes = []
    for run in runs:
        if not run.described:
            notes.append(f"{run.name} has no run.json: its cost, command and status are unknown.")
        if run.info.status not in (None, "done"):
            notes.append(f"{run.name} is not finished (status: {run.info.status}).")
        notes += [f"{place} is truncated and was skipped." for place in run.truncated]
        for name, log in run.logs.items():
            if log.truncated:
                notes.append(f"The last line of {run.name}/{name} is truncated and was skipped.")
            if log.unreadable:
                notes.append(f"{log.unreadable} lines of {run.name}/{name} cannot be read and were skipped.")
    return notes


def html(page: Page) -> str:
    """Return the page as one HTML document without external resources. Everything except our own SVG is escaped."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["trusted_svg"] = Markup  # only for the output of paralign.report.svg
    source = files("paralign.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(page=page)
