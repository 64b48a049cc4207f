"""The page of a suite: its overview, what is missing, the tables of each task, and the time of each system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from paralign.errors import UserError
from paralign.report.cells import Unit
from paralign.report.controls import control_systems
from paralign.report.csv_files import COLUMNS, csv_text, table_rows
from paralign.report.findings import describe_difference
from paralign.report.formatted_table import (
    FormattedCell,
    FormattedRow,
    FormattedTable,
    add_difference,
    mark_best,
    score_cell,
)
from paralign.report.number_format import format_duration, format_score, join_names
from paralign.report.overview import Overview, OverviewRow, TaskScore, build_overview, group_by_control
from paralign.report.page import build_page
from paralign.report.runs import Run, read_facts, read_runs
from paralign.report.tables import Table, build_tables
from paralign.report.titles import metric_name
from paralign.report.write import ReportPaths, write_page

__all__ = ["ReportCell", "write_suite_report"]


@dataclass(frozen=True)
class ReportCell:
    """A run of a suite.

    Attributes:
        task: name of the task in the suite.
        system: name of the system.
        seed: the seed. None: it has none.
        folder: folder of the run.
        status: ``done``, ``failed``, ``stopped`` or ``not run``.
        seconds: time of the whole run, evaluation included. None: unknown.
        error: why it failed.
    """

    task: str
    system: str
    seed: int | None
    folder: Path
    status: str
    seconds: float | None = None
    error: str = ""


def write_suite_report(
    cells: Sequence[ReportCell],
    out: Path,
    *,
    trained: Mapping[Path, str] | None = None,
    control: str | None = None,
    title: str = "Suite",
) -> ReportPaths:
    """Write the page of a suite, its content as Markdown, and its tables as CSV. Only result files are read.

    Args:
        cells: all cells; those of a task and of a system together or not.
        out: the page, ``NAME.html``.
        trained: folders of the runs that trained the encoders, with their systems; their costs are shown.
        control: the system that others are compared with. None: those that are marked as controls.
        title: title of the page.

    Returns:
        the files written.
    """
    tasks = list(dict.fromkeys(cell.task for cell in cells))
    systems = list(dict.fromkeys(cell.system for cell in cells))
    runs = {task: _read([cell for cell in cells if cell.task == task and cell.status == "done"]) for task in tasks}
    every = [run for of_task in runs.values() for run in of_task]
    measured = {run.system_of(row) for run in every for row in run.rows}
    controls = set() if control is not None and control not in measured else control_systems(every, control)
    tables = {task: _tables(task, runs[task], controls) for task in tasks}
    costs = _trained(trained or {})
    page = build_page([*costs, *every], [table for part in tables.values() for table in part], controls, title)
    overview = build_overview(tables, systems, _seeds(cells, runs))
    page = replace(
        page,
        opening=[_describe_overall(overview)],
        overview=_format_overview(overview) if overview.rows else None,
        missing=tuple(_missing(cells)),
        times=_format_times(cells, tasks, systems),
    )
    return write_page(page, _csv(runs, tables, controls), out)


def _read(cells: Sequence[ReportCell]) -> list[Run]:
    """Read the runs of one task, with names that are unique in the suite, and without the curves of training."""
    if not cells:
        return []
    runs = []
    for cell, run in zip(cells, read_runs([cell.folder for cell in cells]), strict=True):
        logs = {name: replace(log, curves={}) for name, log in run.logs.items()}
        # The suite says which encoders are seeds of one system, also of those that do not record how they were trained.
        rows = tuple(row.model_copy(update={"settings": row.settings | {"system": cell.system}}) for row in run.rows)
        runs.append(replace(run, name=f"{cell.task}/{cell.folder.name}", logs=logs, rows=rows))
    return runs


def _tables(task: str, runs: Sequence[Run], controls: set[str]) -> list[Table]:
    """Return the tables of a task, each control before its systems. Other tasks of the same kind have tables of their
    own."""
    tables = build_tables(runs, controls)
    for table in tables:
        table.rows = group_by_control(table.rows)
        if task != table.key.task:
            table.key = replace(table.key, name=task)
    return tables


def _trained(folders: Mapping[Path, str]) -> list[Run]:
    """Return the runs that trained the encoders, for their cost; those without a readable ``run.json`` are left out."""
    runs = []
    for folder, system in folders.items():
        with suppress(UserError, FileNotFoundError):
            runs.append(replace(read_facts(folder), name=f"training/{folder.resolve().name}", encoder_label=system))
    return runs


def _seeds(cells: Sequence[ReportCell], runs: Mapping[str, Sequence[Run]]) -> dict[tuple[str, str, Unit], int | None]:
    """Return the seed of the suite of each task, system and unit."""
    seed_of = {cell.folder.resolve(): cell.seed for cell in cells}
    return {
        (task, run.system_of(row), (row.seeds, row.model_hash)): seed_of[run.path]
        for task, of_task in runs.items()
        for run in of_task
        for row in run.rows
    }


def _format_overview(overview: Overview) -> FormattedTable:
    rows = [FormattedRow(row.system, row.control, _overview_cells(row, overview)) for row in overview.rows]
    columns = list(zip(*(row.cells for row in rows), strict=True))
    directions = [False, *(column.lower_is_better for column in overview.columns)]
    for cells, lower in zip(columns, directions, strict=True):
        mark_best([cells], min if lower else max)
    metrics = [f"{column.name}: {metric_name(column.metric)}" for column in overview.columns]
    metrics = [
        f"{text}{' (lower is better, differences are reductions)' if column.lower_is_better else ''}"
        for text, column in zip(metrics, overview.columns, strict=True)
    ]
    rates = any(column.lower_is_better for column in overview.columns if column.name in overview.common)
    overall = f"overall: mean of {join_names(overview.common)}" if overview.common else ""
    overall += ", error rates as 1 - rate" * rates
    return FormattedTable(
        title="Overview",
        columns=["overall", *(column.name for column in overview.columns)],
        rows=rows,
        baselines=[],
        caption=". ".join(
            [
                "Percent",
                "; ".join(metrics),
                "The score of a task is the mean over the languages that it was not trained on, and over its data sets "
                f"and poolings{'; ' * bool(overall)}{overall}.",
            ]
        ),
        seeds="",
        folded=False,
        compared=any(cell.difference for row in rows for cell in row.cells),
        notes=overview.notes,
    )


def _describe_overall(overview: Overview) -> str:
    """Return a sentence about the system with the highest overall score."""
    scored = [(row.overall.value, row) for row in overview.rows if row.overall is not None]
    if not scored:
        return "No task has been finished by every system, so there is no overall score."
    candidates = [pair for pair in scored if not pair[1].control] or scored
    value, best = max(candidates, key=lambda pair: pair[0])
    others = " besides the control" if len(candidates) < len(scored) else ""
    rank = f", the highest of {len(candidates)} systems{others}," if len(candidates) > 1 else ""
    tasks = "task" if len(overview.common) == 1 else "tasks"
    text = f"{best.system}{rank} reaches {format_score(value)} on average over {len(overview.common)} {tasks}"
    if best.overall is None or best.overall.difference is None:
        return f"{text}."
    return text + describe_difference(best.overall.difference, best.overall.comparison, True, best.reference)


def _overview_cells(row: OverviewRow, overview: Overview) -> list[FormattedCell]:
    cells = [_score(row.overall, scaled=True)]
    for column in overview.columns:
        score = row.scores.get(column.name)
        cells.append(_score(score, scaled=column.scaled, lower_is_better=column.lower_is_better))
    return cells


def _score(score: TaskScore | None, *, scaled: bool, lower_is_better: bool = False) -> FormattedCell:
    if score is None:
        return FormattedCell()
    cell = score_cell(score.value, score.sd, scaled)
    add_difference(cell, score.difference, score.comparison, scaled=scaled, lower_is_better=lower_is_better)
    return cell


def _format_times(cells: Sequence[ReportCell], tasks: Sequence[str], systems: Sequence[str]) -> FormattedTable | None:
    """Return the time of each system on each task, summed over seeds: training, reading and evaluation."""

    def time_of(system: str, task: str | None) -> FormattedCell:
        known = [cell.seconds for cell in cells if cell.system == system and task in (None, cell.task) and cell.seconds]
        return FormattedCell(format_duration(sum(known)), sort=repr(sum(known))) if known else FormattedCell()

    if not any(cell.seconds for cell in cells):
        return None
    rows = [FormattedRow(system, False, [time_of(system, task) for task in (None, *tasks)]) for system in systems]
    caption = "Time of all seeds, evaluation included; it is less comparable if several cells ran at the same time."
    return FormattedTable("Time", ["total", *tasks], rows, [], caption, "", False, False)


def _missing(cells: Sequence[ReportCell]) -> list[str]:
    """Return a line for each failed cell, and one for the other missing cells of a task and seed."""
    failed = [cell for cell in cells if cell.status == "failed"]
    lines = [f"{cell.task}, {cell.system}{_seed(cell)}: failed: {cell.error}" for cell in failed]
    others: dict[tuple[str, str, str], list[str]] = {}
    for cell in cells:
        if cell.status not in ("done", "failed"):
            others.setdefault((cell.task, _seed(cell), cell.status), []).append(cell.system)
    return lines + [f"{task}{seed}: {status}: {', '.join(names)}" for (task, seed, status), names in others.items()]


def _seed(cell: ReportCell) -> str:
    return "" if cell.seed is None else f", seed {cell.seed}"


def _csv(runs: Mapping[str, Sequence[Run]], tables: Mapping[str, Sequence[Table]], controls: set[str]) -> str:
    """Return the tables of all tasks as CSV, with the name of the task in the suite as first column."""
    rows = ([task, *row] for task, part in runs.items() for row in table_rows(part, tables[task], controls))
    return csv_text([["suite_task", *COLUMNS], *rows])
