"""Tables of scores, systems by languages, one for each task and metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from paralign.errors import UserError
from paralign.report.baselines import Baseline, collect_baselines
from paralign.report.cells import Member, RankedScore, Row, build_cell
from paralign.report.comparison import (
    average_resampled,
    compare_rows,
    resample_cells,
    set_interval,
    set_ranked_interval,
)
from paralign.report.drawing import tasks_in_figures
from paralign.report.number_format import join_names, shorten_list
from paralign.report.runs import Run
from paralign.report.table_key import (
    TableKey,
    averaged_languages,
    divide_by_layer,
    divide_members,
    languages_trained_on,
    pivot_language,
)
from paralign.results import Measurement
from paralign.systems import fine_tuning, training_data

__all__ = ["Table", "build_tables"]


@dataclass
class Table:
    """Systems by languages, for one :class:`TableKey`."""

    key: TableKey
    rows: list[Row]
    """The control first, then in the order of the runs."""
    languages: list[str]
    """The pivot first, then by name."""
    pivot: str | None
    """:func:`paralign.report.table_key.pivot_language`. ``None`` for scores with directions: German text with English
    questions is not English."""
    others: list[str]
    """Languages of the average (:func:`paralign.report.table_key.averaged_languages`), which every system was measured
    on."""
    ranked_on: list[str]
    """Languages by which systems are ranked: those of the average; without any, the only one that every system was
    measured on. Empty: there is none, and systems are not ranked."""
    controls: list[str]
    """Usually one; several if each belongs to another base."""
    baselines: list[Baseline]
    notes: list[str] = field(default_factory=list)

    @property
    def ranked_on_training(self) -> bool:
        """Whether systems are ranked by training languages, because no other was measured with every system."""
        return bool(self.ranked_on) and set(self.ranked_on) <= set(languages_trained_on(self.key.train))

    def ranked_score(self, row: Row) -> RankedScore:
        """Return the score by which a system is ranked; its value is NaN if it is undefined or there is none."""
        return row.ranked_score(self.ranked_on)

    @property
    def averages_directions(self) -> bool:
        """Whether scores are means over several directions."""
        return any(len(cell.directions) > 1 for row in self.rows for cell in row.cells.values())

    @property
    def datasets(self) -> list[str]:
        """Names of the test sets, sorted."""
        return sorted({name for row in self.rows for cell in row.cells.values() for name in cell.datasets})


def build_tables(runs: Sequence[Run], controls: set[str]) -> list[Table]:
    """Return all tables, those with a training language first.

    Args:
        runs: in the order in which systems appear in tables.
        controls: systems that are controls (:func:`paralign.report.controls.control_systems`).

    Raises:
        UserError: if a table has two controls of one base, or of an unknown one.
    """
    groups: dict[TableKey, list[Member]] = {}
    for run in runs:
        hidden = tasks_in_figures(run)
        for measurement in run.rows:
            if measurement.task not in hidden:
                key = replace(TableKey.of(measurement), layer=None)
                groups.setdefault(key, []).append((run, measurement))
    parts = [
        part
        for key, members in groups.items()
        for of_layer in divide_by_layer(key, members)
        for part in divide_members(*of_layer)
    ]
    return [_build_table(key, members, controls) for key, members in sorted(parts, key=lambda part: part[0].sort_key())]


def _build_table(key: TableKey, members: list[Member], controls: set[str]) -> Table:
    systems: dict[str, dict[str, list[Member]]] = {}
    for run, measurement in members:
        by_language = systems.setdefault(run.system_of(measurement), {})
        by_language.setdefault(measurement.language, []).append((run, measurement))
    present = sorted(controls & systems.keys())
    references = _references(key, systems, present)
    notes: list[str] = []
    rows = [
        Row(
            system,
            system in present,
            {language: build_cell(of_language, notes) for language, of_language in cells.items()},
            references.get(system),
            choices=_choices(cells),
        )
        for system, cells in sorted(systems.items(), key=lambda item: item[0] not in present)
    ]
    measured = {language for row in rows for language in row.cells}
    directed = any(measurement.where.direction for _, measurement in members)
    train = None if directed else key.train
    pivot = None if directed else pivot_language(train, measured)
    languages = sorted(measured, key=lambda language: (language != pivot, language))
    common = [language for language in languages if all(language in row.cells for row in rows)]
    others = averaged_languages(train, common, pivot)
    ranked_on = others or common
    absent = [language for language in averaged_languages(train, languages, pivot) if language not in common]
    if absent and ranked_on:
        where = "average" if others else "ranking"
        notes.append(f"Not in the {where}, because not every system was measured on it: {', '.join(absent)}.")
    if others and set(others) <= set(languages_trained_on(train)):
        notes.append(f"The average is over training languages ({join_names(others)}): no other can be averaged.")
    if not ranked_on:
        notes.append("Systems are not ranked, because no language was measured with all of them.")
    baselines = collect_baselines([row.cells for row in rows], others, notes)
    reasons: dict[tuple[str, str], list[str]] = {}
    if present or key.is_headline:
        resample_cells(cell for row in rows for cell in row.cells.values())
    by_name = {row.system: row for row in rows}
    for row in rows:  # controls first
        _set_average(row, pivot, others)
        if row.reference:
            for reason, affected in compare_rows(row, by_name[row.reference], others).items():
                reasons.setdefault((reason, ", ".join(sorted(affected))), []).append(row.system)
    for row in rows:
        cells = [row.cells[name] for name in ranked_on]
        if row.reference is None or all(cell.comparison for cell in cells):
            row.resampled = average_resampled(cells)
        if key.is_headline and not present:
            set_ranked_interval(row, ranked_on)
        for cell in row.cells.values():
            set_interval(cell)
            cell.resampled, cell.items = None, []  # free the memory, 80 kB each and 16 bytes per item
    for (reason, affected_languages), names in reasons.items():
        notes.append(
            f"No interval on {affected_languages} for {shorten_list(names)}, nor for an average over it: {reason}."
        )
    unranked = [f"{row.system} on {join_names(names)}" for row in rows if (names := row.undefined_on(ranked_on))]
    if unranked:
        notes.append(f"Not ranked, because a score is undefined: {shorten_list(unranked)}.")
    alone = [row.system for row in rows if present and not row.control and row.reference is None]
    if alone:
        notes.append(f"Not compared, because no single control has the same base and settings: {shorten_list(alone)}.")
    notes += _other_differences(systems, references)
    return Table(key, rows, languages, pivot, others, ranked_on, present, baselines, list(dict.fromkeys(notes)))


def _choices(cells: Mapping[str, Sequence[Member]]) -> list[tuple[int | None, str | None]]:
    """Return the layer and pooling of each seed of a system, where they were chosen on development data."""
    found = {(row.seeds.model_dump_json(), row.model_hash): row.settings.get("chosen")
             for members in cells.values() for _, row in members}  # fmt: skip
    return [(chosen.get("layer"), chosen.get("pool")) for chosen in found.values() if isinstance(chosen, Mapping)]


def _references(
    key: TableKey, systems: Mapping[str, Mapping[str, Sequence[Member]]], controls: Sequence[str]
) -> dict[str, str]:
    """Return the control that each other system is compared with.

    With several controls, it is the one trained from the same base, or from the system itself, and fine-tuned with the
    same settings.

    Raises:
        UserError: if several controls have the same base, or an unknown one.
    """
    treated = [system for system in systems if system not in controls]
    if len(controls) <= 1:
        return {system: control for system in treated for control in controls}
    rows = _rows(systems)
    bases = {name: _bases(own) for name, own in rows.items()}
    ways = {name: {(str(row.settings.get("training")), str(row.settings.get("layers"))) for row in own}
            for name, own in rows.items()}  # fmt: skip
    data = {name: {str(training_data(row)) for row in own} for name, own in rows.items()}
    for first, second in combinations(controls, 2):
        one_name = first.partition(" (")[0] == second.partition(" (")[0]  # of several systems
        same_base = not bases[first] or not bases[second] or bases[first] & bases[second]
        same_way = ways[first] == ways[second] and data[first] == data[second]
        if same_base and same_way and not one_name:
            raise UserError(
                f"the table of {key.task} {key.metric} has several controls: {', '.join(controls)}",
                hint="choose one with --control",
            )
    references = {}
    for system in treated:
        family = bases[system] | _identity(rows[system])
        matching = [control for control in controls if bases[control] & family]
        for known in (ways, data):
            if len(matching) > 1:
                matching = [control for control in matching if known[control] == known[system]]
        if len(matching) == 1:
            references[system] = matching[0]
    return references


def _other_differences(
    systems: Mapping[str, Mapping[str, Sequence[Member]]], references: Mapping[str, str]
) -> list[str]:
    """Return notes on systems whose base or fine-tuning is not that of their control, as far as both are recorded."""
    rows = _rows(systems)
    found: dict[str, list[str]] = {}
    for system, control in references.items():
        own, other = rows[system], rows[control]
        bases, base_of_control = _bases(own), _bases(other)
        # A system may also be the base of its control, or be trained from the control.
        related = (bases | _identity(own)) & base_of_control or bases & _identity(other)
        if bases and base_of_control and not related:
            found.setdefault(f"another base than {control}", []).append(system)
        for of in (fine_tuning, training_data):  # files of other names have other content
            way, way_of_control = (next((way for row in side if (way := of(row))), None) for side in (own, other))
            if way and way_of_control and way != way_of_control:
                names = sorted(name for name in way | way_of_control if way.get(name) != way_of_control.get(name))
                with_own, with_other = (
                    join_names([f"{name} {side[name]}" if name in side else f"default {name}" for name in names])
                    for side in (way, way_of_control)
                )
                found.setdefault(f"fine-tuned with {with_own}, but {control} with {with_other}", []).append(system)
                break
    return [f"{shorten_list(names)}: {difference}." for difference, names in found.items()]


def _rows(systems: Mapping[str, Mapping[str, Sequence[Member]]]) -> dict[str, list[Measurement]]:
    return {name: [row for part in cells.values() for _, row in part] for name, cells in systems.items()}


def _bases(rows: Sequence[Measurement]) -> set[str | None]:
    """Return the hashes and lineages of the encoders that a system was trained from."""
    return ({row.parent for row in rows} | _recorded(rows, "origin")) - {None}


def _identity(rows: Sequence[Measurement]) -> set[str | None]:
    """Return the hashes and lineages of a system."""
    return {row.model_hash for row in rows} | _recorded(rows, "lineage")


def _recorded(rows: Iterable[Measurement], name: str) -> set[str | None]:
    return {str(row.settings[name]) for row in rows if row.settings.get(name)}


def _set_average(row: Row, pivot: str | None, others: Sequence[str]) -> None:
    if not others:
        return
    cells = [row.cells[language] for language in others]
    row.average = sum(cell.mean for cell in cells) / len(cells)
    complete = [unit for unit in row.units if all(unit in cell.scores for cell in cells)]
    row.average_scores = {unit: sum(cell.scores[unit] for cell in cells) / len(cells) for unit in complete}
    if pivot in row.cells:
        row.gap = row.cells[pivot].mean - row.average
