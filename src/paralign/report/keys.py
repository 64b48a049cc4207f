"""What all numbers of a table share, and how measurements are parted into tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from paralign.languages.derived_language import DERIVED_SEPARATOR, is_transformation
from paralign.report.cells import Member
from paralign.results import Measurement, natural
from paralign.task_table import TaskInfo, task_info

__all__ = ["Key", "opposite", "parted", "training_languages"]

_NO_MEASURE = {"layer", "threshold", "candidates", "relations", "types"}
"""Settings that another column tells, or that come from the data."""

_ENDINGS = re.compile(r"(_best_threshold|_without_identical|_mlqa|_without_punctuation|_with_subtypes)+$")
"""Of metrics that are measured under a condition their name tells."""


@dataclass(frozen=True)
class Key:
    """What all numbers of a table share."""

    task: str
    metric: str
    split: str
    train: str | None
    pool: str | None
    layer: int | None
    dataset: str | None = None
    """Set only where a language was measured on several data sets, which then get a table each."""
    partner: str | None = None
    """The other language of each number's direction; set only where numbers of several partners, or some without a
    direction, would meet in one table."""
    settings: str | None = None
    """Those of the task, ``max_pieces 64``; set only where numbers of several would meet in one table."""
    info: TaskInfo = field(default=TaskInfo(""), compare=False)
    """Title and main metrics of the task."""

    @classmethod
    def of(cls, row: Measurement) -> Key:
        """The key of a row before :func:`parted` looks at what else there is."""
        where = row.where
        info = task_info(row.task, row.settings)
        return cls(row.task, row.metric, row.split, row.train, where.pool, where.layer, info=info)

    @property
    def lower_is_better(self) -> bool:
        """Whether smaller values of the metric are better."""
        return self.metric in self.info.lower_is_better

    @property
    def _rank(self) -> int:
        """Place of the metric among the main ones of its task; behind them for all others."""
        main = self.info.main_metrics
        metric = _ENDINGS.sub("", self.metric)
        return main.index(metric) if metric in main else len(main)

    @property
    def variant(self) -> bool:
        """Whether the table is a variation on another one, shown folded: precision beside F1, CSLS beside cosine,
        questions in another language than the text."""
        return self._rank >= max(1, len(self.info.main_metrics)) or (self.task == "qa" and self.partner is not None)

    @property
    def leading(self) -> bool:
        """Whether the table tells the finding of its task: no variant, and the first of the main metrics."""
        return not self.variant and self._rank == 0

    def order(self) -> tuple[object, ...]:
        """Tables with a training language first (zero-shot transfer), then by name, the main metrics first."""
        named = (self.task, self.train or "", self.split, self.dataset or "", self.partner or "", self.settings or "")
        layer = -1 if self.layer is None else self.layer
        return (self.train is None, *named, self._rank, natural(self.metric), self.pool or "", layer)


def opposite(direction: str, language: str) -> str:
    """The other side of a direction: ``en`` of ``en-de`` and ``de-en`` for German.

    The whole direction if the language is on neither side.
    """
    other = direction.removesuffix(f"-{language}")
    return other if other != direction else direction.removeprefix(f"{language}-")


def _differing(members: list[Member]) -> list[str]:
    """Of each number the settings of the task that others have otherwise; one that is not recorded is the usual one."""
    found = [row.settings.get("task") for _, row in members]
    given = [{k: str(v) for k, v in one.items()} if isinstance(one, dict) else {} for one in found]
    values = {
        name: Counter(one[name] for one in given if name in one) for name in sorted({k for one in given for k in one})
    }
    several = [name for name, counts in values.items() if len(counts) > 1 and name not in _NO_MEASURE]
    return [", ".join(f"{n} {one.get(n, values[n].most_common(1)[0][0])}" for n in several) for one in given]


def _partner(member: Member) -> str | None:
    _, row = member
    return None if row.where.direction is None else opposite(row.where.direction, row.language)


def parted(key: Key, members: list[Member]) -> Iterable[tuple[Key, list[Member]]]:
    """One part, or one for each of several settings of the task, of these one a partner where there are several, and of
    these one a data set where a language has several.

    Numbers of other settings are other measures and are not compared. Both directions between two languages stay
    together, as the same task asked both ways. Other directions are other data (German text asked about in German, in
    English, in Arabic) and never averaged.
    """
    asked = _differing(members)
    if len(set(asked)) > 1:
        for told in sorted(set(asked)):
            some = [member for member, one in zip(members, asked, strict=True) if one == told]
            yield from parted(replace(key, settings=told), some)
        return
    partners = sorted(set(map(_partner, members)), key=lambda name: name or "")
    for partner in partners:
        part = [member for member in members if _partner(member) == partner]
        yield from _by_dataset(replace(key, partner=partner) if len(partners) > 1 else key, part)


def _by_dataset(key: Key, members: list[Member]) -> Iterable[tuple[Key, list[Member]]]:
    sets: dict[str, set[str]] = {}
    for _, row in members:
        sets.setdefault(row.language, set()).add(row.dataset)
    if all(len(found) == 1 for found in sets.values()):
        return [(key, members)]
    names = sorted({row.dataset for _, row in members})
    return [(replace(key, dataset=name), [m for m in members if m[1].dataset == name]) for name in names]


def training_languages(train: str | None) -> tuple[list[str], list[tuple[str, int]]]:
    """``en+de:100`` → English, and 100 examples of German (few-shot)."""
    whole: list[str] = []
    few: list[tuple[str, int]] = []
    for part in (train or "").split("+"):
        if (
            is_transformation(re.split("[:@]", part)[0]) and whole and DERIVED_SEPARATOR in whole[-1]
        ):  # en~trans+inv is one language
            part = f"{whole.pop()}+{part}"
        language, _, examples = part.rpartition(":")
        if language and examples.isdecimal():
            few.append((language, int(examples)))
        elif part:
            whole.append(part)
    return whole, few
