"""The table of tasks: where each one is implemented, and what a report needs to know about it.

Imports nothing heavy, so that ``paralign report`` can read it without loading torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["HEAD_OUTPUTS", "TASKS", "TaskEntry", "TaskInfo", "is_scaled", "metric_without_conditions", "task_info"]


HEAD_OUTPUTS = frozenset({"labels", "relations", "types"})
"""Settings of tasks that name the outputs of a head, in their order. By default they are those of the training data."""


@dataclass(frozen=True)
class TaskInfo:
    """What a report needs to know about a task.

    Attributes:
        title: the task's name in headings.
        main_metrics: metrics whose tables the report shows unfolded, the headline metric first.
            Empty: every metric is shown.
        lower_is_better: metrics of which smaller values are better.
    """

    title: str
    main_metrics: tuple[str, ...] = ()
    lower_is_better: tuple[str, ...] = ("error", "loss", "perplexity")


@dataclass(frozen=True)
class TaskEntry:
    """A line of the table.

    Attributes:
        implementation: ``module:Class``, a subclass of :class:`paralign.tasks.Task`.
        info: title and metrics.
    """

    implementation: str
    info: TaskInfo


def _entry(
    implementation: str, title: str, *main_metrics: str, lower: tuple[str, ...] = TaskInfo.lower_is_better
) -> TaskEntry:
    return TaskEntry(f"paralign.tasks.{implementation}", TaskInfo(title, main_metrics, lower))


TASKS: dict[str, TaskEntry] = {
    "nli": _entry("classification:Inference", "Natural language inference", "accuracy"),
    "paraphrase": _entry("classification:Paraphrase", "Paraphrase identification", "accuracy"),
    "topics": _entry("topics:Topics", "Topic classification", "accuracy", "macro_f1"),
    "qa": _entry(
        "question_answering:QuestionAnswering", "Question answering", "f1", "exact_match", "f1_mlqa", "exact_match_mlqa"
    ),
    "pos": _entry("tagging:PartOfSpeech", "Part-of-speech tagging", "accuracy"),
    "ner": _entry("tagging:NamedEntities", "Named entity recognition", "f1"),
    "parsing": _entry("parsing:Parsing", "Dependency parsing", "las", "uas"),
    "retrieval": _entry("retrieval:Retrieval", "Sentence retrieval", "accuracy_cosine"),
    "mining": _entry("mining:Mining", "Bitext mining", "f1"),
    "lexicon": _entry("lexicon:LexiconInduction", "Bilingual lexicon induction", "precision_at_1_cosine"),
    "twins": _entry("twins:Twins", "Twin piece retrieval", "precision_at_1_cosine"),
    "alignment": _entry("word_alignment:WordAlignment", "Word alignment", "aer", "precision", "recall", lower=("aer",)),
}


_CONDITIONS = re.compile(r"(_best_threshold|_without_identical|_mlqa|_without_punctuation|_with_subtypes)+$")
"""Endings of metrics that are measured under a condition."""


def metric_without_conditions(metric: str) -> str:
    """Return the name of a metric without the conditions it was measured under.

    >>> metric_without_conditions("las_without_punctuation_with_subtypes")
    'las'
    """
    return _CONDITIONS.sub("", metric)


_UNSCALED = {"loss", "perplexity"}


def is_scaled(metric: str) -> bool:
    """Return whether values of a metric are shown × 100: shares and correlations, but no losses."""
    return metric not in _UNSCALED


def task_info(name: str, settings: Mapping[str, Any] | None = None) -> TaskInfo:
    """Return what is known about the task of a result row.

    Args:
        name: the task.
        settings: the settings of the row. Rows of tasks that are not in the table record theirs as
            ``settings["task_info"]``; without it the name is the title and every metric is a main one.
    """
    if name in TASKS:
        return TASKS[name].info
    recorded = (settings or {}).get("task_info")
    if not isinstance(recorded, Mapping):
        return TaskInfo(name)
    return TaskInfo(
        str(recorded.get("title") or name),
        _names(recorded.get("main_metrics")) or (),
        TaskInfo.lower_is_better if (lower := _names(recorded.get("lower_is_better"))) is None else lower,
    )


def _names(value: object) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else None
