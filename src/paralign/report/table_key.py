"""What all scores of a table have in common, and how measurements are divided into tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from paralign.languages.derived_language import DERIVED_SEPARATOR, is_transformation
from paralign.report.cells import Member
from paralign.results import Measurement, natural_sort_key, other_language, requested_layer
from paralign.task_table import HEAD_OUTPUTS, TaskInfo, is_scaled, metric_without_conditions, task_info

__all__ = [
    "TableKey",
    "averaged_languages",
    "divide_by_layer",
    "divide_members",
    "languages_trained_on",
    "pivot_language",
    "training_languages",
]

_DATA_SETTINGS = {"layer", "word_column", "tag_column", "one_based", "flipped", *HEAD_OUTPUTS}
"""Task settings that are shown elsewhere or follow from the data."""


@dataclass(frozen=True)
class TableKey:
    """What all scores of a table have in common."""

    task: str
    metric: str
    split: str
    train: str | None
    pool: str | None
    layer: int | str | None
    """Number of the hidden state; what was asked for if encoders have different ones: ``default layer``."""
    statistic: str = "ratio"
    """How scores follow from their items: ``ratio``, ``pearson``, ``spearman`` or ``macro_f1``."""
    dataset: str | None = None
    """Set only if a language was measured on several data sets, which then have a table each."""
    partner: str | None = None
    """The other language of each score's direction; set only if there are several, or some scores have no direction."""
    settings: str | None = None
    """Settings of the task, such as ``max_pieces 64``; set only if scores with different settings were measured."""
    name: str | None = None
    """Name of the task in a suite, if it is not that of the kind of task."""
    names_split: bool = False
    """Whether titles name the split; set only if the task, metric and training have tables of several splits."""
    info: TaskInfo = field(default=TaskInfo(""), compare=False)
    """Title and main metrics of the task."""

    @classmethod
    def of(cls, row: Measurement) -> TableKey:
        """Return the key of a row before :func:`divide_members` compares it with other rows."""
        where, info = row.where, task_info(row.task, row.settings)
        return cls(row.task, row.metric, row.split, row.train, where.pool, where.layer, row.statistic, info=info)

    @property
    def lower_is_better(self) -> bool:
        """Whether smaller values of the metric are better."""
        return self.metric in self.info.lower_is_better

    @property
    def scaled(self) -> bool:
        """Whether scores are shown × 100: shares and correlations, but no losses."""
        return is_scaled(self.metric)

    @property
    def is_percentage(self) -> bool:
        """Whether scores are shares: of items, or a mean of F1 over labels."""
        return self.scaled and self.statistic in ("ratio", "macro_f1")

    @property
    def _rank(self) -> int:
        """Position of the metric among the main metrics of its task, after them for all others."""
        main = self.info.main_metrics
        metric = metric_without_conditions(self.metric)
        return main.index(metric) if metric in main else len(main)

    @property
    def is_folded(self) -> bool:
        """Whether the table is folded: metrics that are not main ones, such as precision, and questions in another
        language than the text."""
        return self._rank >= max(1, len(self.info.main_metrics)) or (self.task == "qa" and self.partner is not None)

    @property
    def is_headline(self) -> bool:
        """Whether the table has the headline score of its task: not folded, and the first main metric."""
        return not self.is_folded and self._rank == 0

    def sort_key(self) -> tuple[object, ...]:
        """Return a sort key: tables with a training language (zero-shot transfer) first, then by task, main metrics
        first."""
        names = (self.task, self.train or "", self.split, self.dataset or "", self.partner or "", self.settings or "")
        layer = natural_sort_key("" if self.layer is None else str(self.layer))
        return (self.train is None, *names, self._rank, natural_sort_key(self.metric), self.pool or "", layer)


def divide_by_layer(key: TableKey, members: list[Member]) -> Iterator[tuple[TableKey, list[Member]]]:
    """Divide rows into tables by layer.

    Encoders of different depth are compared at the layer that was asked for, unless some rows of one of these layers
    asked for something else.
    """
    by_number: dict[int | None, list[Member]] = {}
    for member in members:
        by_number.setdefault(member[1].where.layer, []).append(member)
    asked = {number: {requested_layer(row) for _, row in part} for number, part in by_number.items()}
    together: dict[Hashable, list[int | None]] = {}
    for number, requests in asked.items():
        if len(requests) == 1:
            together.setdefault(next(iter(requests)), []).append(number)
    for requested, numbers in together.items():
        if len(numbers) > 1:
            name = f"layer at {requested} of the depth"
            name = {None: "default layer", -1: "last layer"}.get(requested, name)  # type: ignore[call-overload]
            yield replace(key, layer=name), [member for number in numbers for member in by_number.pop(number)]
    for number, part in by_number.items():
        yield replace(key, layer=number), part


def divide_members(key: TableKey, members: list[Member]) -> Iterator[tuple[TableKey, list[Member]]]:
    """Divide rows into tables, by settings of the task, then by partner language, then by data set where a language has
    several.

    Scores with different settings are different measures and are not compared. The two directions between two languages
    stay together. Other directions are different data (German text with questions in German, English or Arabic) and are
    never averaged.
    """
    settings = _distinct_settings(members)
    if len(set(settings)) > 1:
        for chosen in sorted(set(settings)):
            part = [member for member, own in zip(members, settings, strict=True) if own == chosen]
            yield from divide_members(replace(key, settings=chosen), part)
        return
    partners = sorted(set(map(_partner, members)), key=lambda name: name or "")
    for partner in partners:
        part = [member for member in members if _partner(member) == partner]
        yield from _by_dataset(replace(key, partner=partner) if len(partners) > 1 else key, part)


def _distinct_settings(members: list[Member]) -> list[str]:
    """Return for each row the task settings in which rows differ. A setting that is not recorded is the most common
    one."""
    settings = [_compared_settings(row) for _, row in members]
    names = sorted({name for own in settings for name in own})
    values = {name: Counter(own[name] for own in settings if name in own) for name in names}
    differing = [name for name in names if len(values[name]) > 1]
    default = {name: values[name].most_common(1)[0][0] for name in differing}
    return [", ".join(f"{name} {own.get(name, default[name])}" for name in differing) for own in settings]


def _compared_settings(row: Measurement) -> dict[str, str]:
    """Return the settings of the task without those that follow from the data."""
    recorded = row.settings.get("task")
    settings = {k: v for k, v in recorded.items() if k not in _DATA_SETTINGS} if isinstance(recorded, dict) else {}
    if row.task == "mining":  # chosen for each pair of languages
        settings.pop("threshold", None)
    if row.task == "lexicon" and "candidates" in settings:  # a file for each language, or the words of the dictionary
        settings["candidates"] = "given" if settings["candidates"] else "of the dictionary"
    return {name: str(value) for name, value in settings.items()}


def _partner(member: Member) -> str | None:
    _, row = member
    return None if row.where.direction is None else other_language(row.where.direction, row.language)


def _by_dataset(key: TableKey, members: list[Member]) -> list[tuple[TableKey, list[Member]]]:
    datasets: dict[str, set[str]] = {}
    for _, row in members:
        datasets.setdefault(row.language, set()).add(row.dataset)
    if all(len(names) == 1 for names in datasets.values()):
        return [(key, members)]
    names = sorted({row.dataset for _, row in members})
    return [(replace(key, dataset=name), [m for m in members if m[1].dataset == name]) for name in names]


def training_languages(train: str | None) -> tuple[list[str], list[tuple[str, int]]]:
    """Split ``en+de:100`` into languages with all their data, and languages with a number of examples (few-shot)."""
    whole: list[str] = []
    few: list[tuple[str, int]] = []
    for part in (train or "").split("+"):
        # The + of en~trans+inv belongs to one language.
        if is_transformation(re.split("[:@]", part)[0]) and whole and DERIVED_SEPARATOR in whole[-1]:
            part = f"{whole.pop()}+{part}"
        language, _, examples = part.rpartition(":")
        if language and examples.isdecimal():
            few.append((language, int(examples)))
        elif part:
            whole.append(part)
    return whole, few


def languages_trained_on(train: str | None) -> list[str]:
    """Return the languages trained on with all their data: of ``de*en`` (code-switched) both, of ``en+de:100`` only
    ``en``."""
    whole, _ = training_languages(train)
    return list(dict.fromkeys(name for part in whole for name in part.split("*")))


def pivot_language(train: str | None, measured: Collection[str]) -> str | None:
    """Return the language that others are compared with: the only training language; with several or none, English.

    Args:
        train: languages the head was trained on. None: the task has no head.
        measured: languages that were measured.

    Returns:
        ``None`` if it was not measured, or if there are training languages without English.
    """
    trained = languages_trained_on(train)
    pivot = trained[0] if len(trained) == 1 else "en"
    return pivot if pivot in measured and pivot in (trained or ["en"]) else None


def averaged_languages(train: str | None, languages: Iterable[str], pivot: str | None) -> list[str]:
    """Return the languages of an average: without the pivot and without training languages, unless there is no other.

    Args:
        train: languages the head was trained on. None: the task has no head.
        languages: languages that every system was measured on.
        pivot: :func:`pivot_language`.
    """
    rest = [language for language in languages if language != pivot]
    trained = languages_trained_on(train)
    return [language for language in rest if language not in trained] or rest
