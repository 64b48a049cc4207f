"""Numbers and names as a reader expects them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from paralign.report.tables import Key

__all__ = [
    "clock",
    "count",
    "is_share",
    "listing",
    "lower_is_better",
    "metric_name",
    "number",
    "signed",
    "table_title",
    "task_name",
]

_TASKS = {
    "pos": "Part-of-speech tagging",
    "ner": "Named entity recognition",
    "xnli": "Natural language inference",
    "nli": "Natural language inference",
    "pawsx": "Paraphrase identification",
    "qa": "Question answering",
    "parsing": "Dependency parsing",
    "retrieval": "Sentence retrieval",
}
_METRICS = {
    "accuracy_cosine": "accuracy, cosine",
    "accuracy_csls": "accuracy, CSLS",
    "f1": "F1",
    "em": "exact match",
    "uas": "UAS",
    "las": "LAS",
    "aer": "AER",
}
_POOLS = {"cls": "[CLS]", "mean": "mean pooling"}
_LOWER = {"loss", "perplexity", "aer", "error"}
_NOT_SHARES = {"loss", "perplexity"}


def lower_is_better(metric: str) -> bool:
    """Whether small numbers are good, as for an error rate."""
    return metric in _LOWER


def is_share(metric: str) -> bool:
    """Whether the metric is a share of 1 and shown in per cent."""
    return metric not in _NOT_SHARES


def number(value: float | None, share: bool = True) -> str:
    """``0.8734`` → ``87.3``; shares in per cent with one decimal, others with two. Nothing is a dash."""
    if value is None or not math.isfinite(value):
        return "–"
    text = f"{value * 100:.1f}" if share else f"{value:.2f}"
    return text.replace("-", "−") if float(text) else text.lstrip("-")


def signed(value: float | None, share: bool = True) -> str:
    """A difference with its sign: ``+1.2``, ``−0.3``, ``0.0``."""
    text = number(value, share)
    return text if text[0] in "−–" or not float(text) else f"+{text}"


def count(value: float | None, digits: int = 0) -> str:
    """Thousands apart: ``12,345``."""
    return "–" if value is None or not math.isfinite(value) else f"{value:,.{digits}f}"


def clock(seconds: float | None) -> str:
    """Seconds as ``12 s``, ``3 min 05 s`` or ``2 h 07 min``."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def listing(words: Sequence[str]) -> str:
    """``de, fr and zh``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def task_name(task: str) -> str:
    """``pos`` → ``Part-of-speech tagging``; unknown names stay as they are."""
    return _TASKS.get(task, task)


def metric_name(metric: str) -> str:
    """``accuracy_csls`` → ``accuracy, CSLS``."""
    return _METRICS.get(metric, metric.replace("_", " "))


def table_title(key: Key) -> str:
    """``Sentence retrieval: accuracy, cosine, [CLS]``."""
    parts = [metric_name(key.metric)]
    if key.pool:
        parts.append(_POOLS.get(key.pool, key.pool))
    if key.layer is not None:
        parts.append(f"layer {key.layer}")
    if key.dataset:
        parts.append(key.dataset)
    if key.train:
        parts.append(f"trained on {key.train}")
    return f"{task_name(key.task)}: {', '.join(parts)}"
