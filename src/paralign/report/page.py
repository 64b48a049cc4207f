"""Everything the page shows, and the page itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from paralign.report.ablated import ablation_plates
from paralign.report.answer import answer
from paralign.report.checked import check_plates
from paralign.report.correlated import correlation_plates
from paralign.report.costs import COST_COLUMNS, cost_rows, fairness
from paralign.report.figures import curve_plates, styles
from paralign.report.layers import similarity_plates
from paralign.report.pictures import link_plates, word_plates
from paralign.report.plate import Plate
from paralign.report.runs import Run
from paralign.report.shown import ShownTable, show
from paralign.report.tables import Table
from paralign.report.transferred import transfer_plates
from paralign.report.wording import shortened
from paralign.version import __version__

__all__ = ["Page", "build_page", "html"]

_LEGEND = (
    "Scores are means over seeds, ± their sample standard deviation. Below each: the difference to the"
    " control in points, with its 95\N{NO-BREAK SPACE}% interval from a paired bootstrap over test items"
    " (10,000 resamples)."
    " * marks p < .05, two-sided, not corrected for the number of comparisons. The interval tells how much"
    " depends on the test items; how much depends on the seed, the standard deviation tells."
    " Bold: the best of its column."
)
_LEGEND_ALONE = "Scores are means over seeds, ± their sample standard deviation. Bold: the best of its column."
_BASELINES = {
    "chance": "chance draws an answer at random",
    "majority": "majority always gives the most frequent one",
    "adjacent": "adjacent hangs every word on its neighbour",
    "sentence": "sentence answers with the sentence most like the question",
}
_LEGEND_DAGGER = " † marks scores that are not better than a baseline on the same data."

_ALARMS = 12
"""More alarms than these are folded."""
_RUNS = 20
"""More runs than these have their costs, commands and settings folded."""


@dataclass(frozen=True)
class Page:
    """The report, formatted but not yet marked up."""

    title: str
    answer: list[tuple[str, str]]
    """What it is about, and the finding."""
    tables: list[ShownTable]
    legend: str
    baseline_legend: str
    """Empty where no table has baselines."""
    sections: list[tuple[str, list[Plate]]]
    """Pictures under their headings."""
    alarms: list[str]
    """Each once, whichever runs it came from."""
    more_alarms: list[str]
    """Those beyond the first, to be folded."""
    cost_columns: tuple[str, ...]
    costs: list[tuple[str, list[tuple[str, str]]]]
    fairness: list[str]
    commands: list[tuple[str, str]]
    settings: list[tuple[str, str]]
    versions: str
    remarks: list[str]
    long: bool
    """Whether there are so many runs that what is told of each is folded."""


def build_page(runs: Sequence[Run], tables: Sequence[Table], controls: set[str], title: str) -> Page:
    """Bring all parts together.

    Args:
        runs: in the order given.
        tables: of :func:`paralign.report.tables.build_tables`.
        controls: labels of the control systems.
        title: of the page.
    """
    shown = [show(table) for table in tables]
    look = styles(list(dict.fromkeys([*(run.label for run in runs), *_drawn(runs)])), controls | _marked(runs))
    alarms = _alarms(runs)
    plates = [
        *check_plates(runs),
        *ablation_plates(runs),
        *similarity_plates(runs, look),
        *correlation_plates(runs, look),
        *transfer_plates(runs, look),
        *word_plates(runs),
        *link_plates(runs),
        *curve_plates(runs, look),
    ]
    names = Counter((plate.section, plate.title) for plate in plates)
    plates = [replace(plate, title=f"{plate.title}, {plate.run}") if plate.run and names[plate.section, plate.title] > 1
              else plate for plate in plates]  # fmt: skip
    found = [(f"{plate.section}, {plate.title}", plate.finding) for plate in plates if plate.finding]
    return Page(
        title=title,
        answer=[*answer(tables, pictures=any(run.pictures for run in runs), found=found), *found],
        tables=shown,
        legend=_LEGEND if any(table.compared for table in shown) else _LEGEND_ALONE,
        baseline_legend=_about_baselines(shown),
        sections=_sections(plates),
        alarms=alarms[:_ALARMS],
        more_alarms=alarms[_ALARMS:],
        cost_columns=COST_COLUMNS,
        costs=cost_rows(runs),
        fairness=fairness(runs, controls),
        commands=[(run.name, run.info.command) for run in runs if run.info.command],
        settings=[(run.name, run.config) for run in runs if run.config is not None],
        versions=_versions(runs),
        remarks=_remarks(runs),
        long=len(runs) > _RUNS,
    )


def _sections(plates: Sequence[Plate]) -> list[tuple[str, list[Plate]]]:
    names = dict.fromkeys(plate.section for plate in plates)
    return [(name, [plate for plate in plates if plate.section == name]) for name in names]


def _about_baselines(tables: Sequence[ShownTable]) -> str:
    used = {row.system for table in tables for row in table.baselines}
    if not used:
        return ""
    known = "; ".join(text for name, text in _BASELINES.items() if name in used)
    weak = any(cell.weak for table in tables for row in table.rows for cell in row.cells)
    return f"Baselines need no model{f': {known}' if known else ''}.{_LEGEND_DAGGER * weak}"


def _alarms(runs: Sequence[Run]) -> list[str]:
    """Alarms of training and warnings about data and scores, each once, with the runs that raised them.

    The first of each run come first, so that a run that raises many does not hide the others.
    """
    raised: dict[tuple[int | None, str], list[str]] = {}
    place: dict[tuple[int | None, str], int] = {}
    for run in runs:
        for number, (step, text) in enumerate(run.alarms):
            told = step is None or text.startswith(f"step {step}")  # some messages name their step themselves
            key = (None if told else step, text)
            place[key] = min(number, place.get(key, number))
            names = raised.setdefault(key, [])
            if run.name not in names:
                names.append(run.name)
    return [
        f"{shortened(names, 3, 'other runs')}{'' if step is None else f', step {step:,}'}: {text}"
        for (step, text), names in sorted(raised.items(), key=lambda item: place[item[0]])
    ]


def _drawn(runs: Sequence[Run]) -> list[str]:
    """Systems of pictures that are no run's own."""
    rows = [row for run in runs for picture in run.pictures for name in ("curves", "points")
            for row in picture.get(name, ())]  # fmt: skip
    return list(dict.fromkeys(row["system"] for row in rows))


def _marked(runs: Sequence[Run]) -> set[str]:
    curves = (curve for run in runs for picture in run.pictures for curve in picture.get("curves", ()))
    return {run.label for run in runs if run.info.control} | {c["system"] for c in curves if c.get("control")}


def _versions(runs: Sequence[Run]) -> str:
    used = sorted({run.info.version for run in runs if run.info.version})
    return f"Runs by paralign {', '.join(used) or 'of unknown version'}; report by paralign {__version__}."


def _remarks(runs: Sequence[Run]) -> list[str]:
    """What is wrong or missing in the folders."""
    out = []
    for run in runs:
        if not run.described:
            out.append(f"{run.name} has no run.json: its cost, command and status are unknown.")
        if run.info.status not in (None, "done"):
            out.append(f"{run.name} is not finished (status: {run.info.status}).")
        out += [f"{place} is cut off and was passed over." for place in run.torn]
        for name, log in run.logs.items():
            if log.torn:
                out.append(f"The last line of {run.name}/{name} is cut off and was passed over.")
            if log.unreadable:
                out.append(f"{log.unreadable} lines of {run.name}/{name} cannot be read and were passed over.")
    return out


def html(page: Page) -> str:
    """The page as one HTML document without any outside address. Everything is escaped but our own SVG."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["drawn"] = Markup  # only for the SVG of paralign.report.figures
    source = files("paralign.report").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(page=page)
