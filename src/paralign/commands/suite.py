"""``paralign suite``: many tasks, systems and seeds in one command, and one page that compares them."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from paralign.commands.arguments import one_or_several
from paralign.commands.suite_cells import SEED, SuiteCell, check_task, is_done, other_seeds, suite_cells
from paralign.config import did_you_mean
from paralign.console import echo
from paralign.encoder.card import read_provenance
from paralign.encoder.loading import check_loadable
from paralign.errors import Stopped, UserError
from paralign.models import local_folder
from paralign.report.number_format import format_score
from paralign.report.table_key import averaged_languages, pivot_language
from paralign.results import read_results
from paralign.runs.cells import CellOutcome, run_cells
from paralign.runs.folder import RunFolder
from paralign.runs.groups import begin
from paralign.runs.suite_file import check_name, load_suite
from paralign.task_table import is_scaled
from paralign.tasks.base import find_task_class

__all__ = ["parse_models", "suite"]


@one_or_several
def suite(
    name: str | Path,
    *,
    models: Mapping[str, str],
    out: str | Path,
    data: str | Path | None = None,
    jobs: int = 1,
    hours: float | None = None,
    limit: int | None = None,
    seeds: int | None = None,
    first_seed: int | None = None,
    control: str | None = None,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> Path:
    """Fine-tune and evaluate several encoders on all tasks of a suite, and write one page that compares them.

    A cell is a task, a system and a seed, and a run of :func:`paralign.finetune` or :func:`paralign.evaluate` in
    ``out/TASK/SYSTEM-seedK`` (``out/TASK/SYSTEM`` if the seed changes nothing). Cells run in order of priority: by
    seed, then by task as in the file, then by system as in ``models``. A cell that fails does not stop the others. The
    page is written whenever the command ends, also at the end of the time budget, and names what is missing.

    Args:
        name: name of a suite (``paralign list suites``), or path of a TOML file.
        models: folder or hub name of the encoder of each system, by name of the system. ``{seed}`` in it is replaced by
            the seed, for systems that have an encoder for each. Causal language models are accepted if no task trains
            and all tasks measure them, as in :func:`paralign.evaluate`.
        out: output folder.
        data: folder that relative paths of data start from. None: the current folder.
        jobs: number of cells that run at the same time, each in a process of its own. A script that uses several must
            call this function under ``if __name__ == "__main__"``.
        hours: time budget. Cells that are running when it ends are stopped; they continue with ``resume``. 0: only
            write the page. None: there is no limit.
        limit: number of items used of every data set, the first ones; for tasks with a limit of their own, the
            smaller one. None: all.
        seeds: number of seeds of each task that does not set its own. None: that of the suite.
        first_seed: the first seed. None: that of the suite.
        control: name of the system that others are compared with. None: those whose recipe says that they are controls,
            each for the systems of the same base.
        resume: continue in ``out``; finished cells are not repeated. Systems, tasks and seeds may have been added.
            Finished cells of other seeds stay on the page.
        quiet: print nothing.
        command: recorded with the run. None: the command line, or the call from Python.

    Returns:
        The path of the page.

    Raises:
        UserError: for a suite, models or data that cannot be used, before anything is trained; for data, settings or
            encoders that changed behind a finished cell; and after all cells, if some of them failed.
        RuntimeError: after all cells, if one failed because of an error that is not the user's.
        paralign.errors.Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.
        KeyboardInterrupt: after Ctrl-C while nothing was trained.

    Example:
        >>> import paralign
        >>> page = paralign.suite(  # doctest: +SKIP
        ...     "quick", models={"base": "paralign-mini", "ppa": "runs/ppa/encoder"}, out="runs/quick"
        ... )
    """
    began = time.time()
    out, name = Path(out), str(name)
    if jobs < 1 or (hours is not None and not 0 <= hours < math.inf):
        raise UserError("jobs must be at least 1, and hours at least 0", hint="--jobs 2 --hours 8")
    config = load_suite(name, None if data is None else Path(data), limit, seeds, first_seed)
    for task in config.task:
        check_task(task, name)
    if not isinstance(models, Mapping):
        raise UserError("the models have no names", hint='models={"base": "FOLDER", "ppa": "FOLDER"}')
    _check_models(models, control, config.first_seed)
    cells = suite_cells(config, models, out)
    for model in dict.fromkeys(cell.model for cell in cells):
        kinds = [find_task_class(cell.task.task) for cell in cells if cell.model == model]
        check_loadable(model, allow_causal=all(kind.measures_causal() for kind in kinds))
    note = begin(out, resume, quiet)
    folder = RunFolder(out, "suite", command=command, fresh=True)
    others = other_seeds(config, models, out, cells)  # of earlier commands or other machines: on the page too
    done = {*others, *filter(is_done, cells)}
    cells += others
    state = _State(folder, cells, done)
    folder.begin({"suite": name, "models": dict(models), **config.model_dump(mode="json")})
    waiting = [cell for cell in cells if cell not in done]
    if done:
        note(f"{len(done)} of {len(cells)} cells are done")
    deadline = None if hours is None else began + 3600 * hours
    by_name = {cell.name: cell for cell in waiting}
    try:
        for outcome in run_cells(
            [cell.as_cell(quiet or jobs > 1) for cell in waiting],
            note,
            jobs=jobs,
            deadline=deadline,
            catch=(Exception,),
            seconds=state.seconds_by_task(),
        ):
            state.end(by_name[outcome.cell.name], outcome)
            note(_describe(by_name[outcome.cell.name], outcome))
        page = _write_page(out, state, cells, control, Path(name).stem)
    except BaseException as error:
        try:
            if isinstance(error, Stopped | KeyboardInterrupt):
                _write_page(out, state, cells, control, Path(name).stem)
        finally:
            state.finish(time.time() - began, stopped=True)
        raise
    state.finish(time.time() - began)
    _summarize(state, quiet)
    state.raise_failed()
    return page


def parse_models(texts: Sequence[str]) -> dict[str, str]:
    """Parse ``NAME=FOLDER``.

    Raises:
        UserError: for a missing name or folder, and for a name that is given twice.

    >>> parse_models(["base=paralign-mini", "ppa=runs/ppa/encoder"])
    {'base': 'paralign-mini', 'ppa': 'runs/ppa/encoder'}
    """
    models: dict[str, str] = {}
    for text in texts:
        name, equals, model = (part.strip() for part in text.partition("="))
        if not equals or not name or not model:
            raise UserError(f"cannot read the model {text!r}", hint="--model NAME=FOLDER")
        if name in models:
            raise UserError(f"two models have the name {name!r}", hint="give each --model another name")
        models[name] = model
    return models


def _check_models(models: Mapping[str, str], control: str | None, first_seed: int) -> None:
    """Check the names and folders of the models, and that tables can have a control.

    Raises:
        UserError: without a model, for a name that cannot be used, for one folder under two names, for an unknown
            control, and for two controls of one base.
    """
    if not models:
        raise UserError("no model is given", hint="--model NAME=FOLDER")
    names: dict[str, str] = {}
    folded: dict[str, str] = {}
    for name, model in models.items():
        check_name(name, "model")
        if name.casefold() in folded:
            others = f"{folded[name.casefold()]!r} and {name!r}"
            raise UserError(f"the models {others} have the same name on some file systems", hint="rename one")
        folded[name.casefold()] = name
        path = local_folder(model)
        same = str(path.resolve()) if path.exists() else model
        if same in names:
            raise UserError(f"the models {names[same]!r} and {name!r} are the same", where=model, hint="remove one")
        names[same] = name
    if control is not None:
        if control not in models:
            raise UserError(f"no model {control!r} to use as the control", hint=did_you_mean(control, models))
        return
    of_base: dict[Any, str] = {}
    for name, model in models.items():
        provenance = read_provenance(model.replace(SEED, str(first_seed)))
        if provenance.get("control"):
            other = of_base.setdefault(provenance.get("origin"), name)
            if other != name:
                raise UserError(
                    f"{other!r} and {name!r} are both controls of one base", hint="choose one: --control NAME"
                )


class _State:
    """The cells of a suite in ``run.json``: status and error of each; and apart, as in all runs, what depends on time:
    seconds of each over all invocations."""

    def __init__(self, folder: RunFolder, cells: Sequence[SuiteCell], done: set[SuiteCell]) -> None:
        self._folder = folder
        self._seconds = float(folder.before.get("seconds") or 0)
        self.seconds: dict[str, float] = dict(folder.before.get("cell_seconds", {}))
        self.entries: dict[SuiteCell, dict[str, Any]] = {}
        before = {entry["folder"]: entry for entry in folder.before.get("cells", ()) if entry["status"] != "done"}
        for cell in cells:
            path = str(cell.folder.relative_to(folder.path))
            earlier = {} if cell in done else before.get(path, {})
            self.entries[cell] = {
                "task": cell.task.name,
                "system": cell.system,
                "seed": cell.seed,
                "folder": path,
                "status": "done" if cell in done else earlier.get("status", "not run"),
                **({"error": earlier["error"]} if "error" in earlier else {}),
            }
        self.errors: list[tuple[SuiteCell, Exception]] = []
        folder.facts |= {"cells": list(self.entries.values()), "cell_seconds": self.seconds, "seconds": self._seconds}

    def seconds_by_task(self) -> dict[str, list[float]]:
        """Return the seconds of the cells that are done."""
        found: dict[str, list[float]] = {}
        for cell, entry in self.entries.items():
            if entry["status"] == "done" and entry["folder"] in self.seconds:
                found.setdefault(cell.task.name, []).append(self.seconds[entry["folder"]])
        return found

    def end(self, cell: SuiteCell, outcome: CellOutcome) -> None:
        """Record what happened to a cell."""
        entry = self.entries[cell]
        entry["status"] = outcome.status
        self.seconds[entry["folder"]] = round(self.seconds.get(entry["folder"], 0) + outcome.seconds, 2)
        entry.pop("error", None)
        if outcome.error is not None:
            entry["error"] = str(outcome.error) or type(outcome.error).__name__
            self.errors.append((cell, outcome.error))
        self._folder.save(cells=list(self.entries.values()), cell_seconds=self.seconds)

    def count(self, status: str) -> int:
        """Return the number of cells with a status."""
        return sum(entry["status"] == status for entry in self.entries.values())

    def finish(self, seconds: float, *, stopped: bool = False) -> None:
        """Record that the command ends, or is stopped before its end."""
        complete = self.count("done") == len(self.entries)
        status = "stopped" if stopped else "failed" if self.errors else "done" if complete else "stopped"
        self._folder.save(seconds=round(self._seconds + seconds, 2), status=status)

    def raise_failed(self) -> None:
        """Raise an error if cells failed.

        Raises:
            UserError: if all failures are the user's.
            RuntimeError: if one is not.
        """
        if not self.errors:
            return
        cell, error = next((pair for pair in self.errors if not isinstance(pair[1], UserError)), self.errors[0])
        name = " ".join(cell.name.split())
        message = f"{len(self.errors)} of {len(self.entries)} cells failed; {name}: {error}"
        if isinstance(error, UserError):
            raise UserError(message, where=self._folder.path, hint="the others are kept; --resume repeats these")
        raise RuntimeError(message) from error


def _describe(cell: SuiteCell, outcome: CellOutcome) -> str:
    """Return a line about a cell that ended: its main score, averaged over test sets as on the page, or its error."""
    name, seconds = " ".join(cell.name.split()), f"{outcome.seconds:.0f} s"
    if outcome.status == "failed":
        return f"WARNING {name} failed: {outcome.error}"
    if outcome.status == "stopped":
        return f"{name} stopped: the time budget is used up"
    rows = read_results(cell.folder)
    scored = [row for row in rows if row.metric == rows[0].metric and math.isfinite(row.value)]
    # Questions in another language than the text have tables of their own.
    scored = [row for row in scored if row.where.direction is None] or scored
    if all(row.where.direction is None for row in scored):
        languages = list(dict.fromkeys(row.language for row in scored))
        train = rows[0].train
        averaged = averaged_languages(train, languages, pivot_language(train, languages)) or languages
        scored = [row for row in scored if row.language in averaged]
    mean = format_score(fmean(row.value for row in scored), is_scaled(rows[0].metric)) if scored else "undefined"
    return f"    {name}: {rows[0].metric} {mean}, mean of {len(scored)}, in {seconds}"


def _write_page(out: Path, state: _State, cells: Sequence[SuiteCell], control: str | None, title: str) -> Path:
    from paralign.report.suite import ReportCell, write_suite_report

    found = [
        ReportCell(
            cell.task.name,
            cell.system,
            cell.seed,
            cell.folder,
            state.entries[cell]["status"],
            state.seconds.get(state.entries[cell]["folder"]),
            state.entries[cell].get("error", ""),
        )
        for cell in cells
    ]
    trained = {}
    for cell in cells:
        run = Path(cell.model).parent
        if Path(cell.model).is_dir() and read_provenance(cell.model) and (run / "run.json").is_file():
            trained[run] = cell.system
    return write_suite_report(found, out / "report.html", trained=trained, control=control, title=f"Suite {title}").html


def _summarize(state: _State, quiet: bool) -> None:
    counts = {status: state.count(status) for status in ("done", "failed", "stopped", "not run")}
    echo(", ".join(f"{count} {status}" for status, count in counts.items() if count), quiet=quiet)
    if counts["stopped"] + counts["not run"]:
        echo("--resume continues with the cells that are missing", quiet=quiet)
