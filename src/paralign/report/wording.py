"""Numbers and names as a reader expects them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from paralign.report.keys import Key, training_languages

__all__ = [
    "clock",
    "count",
    "counts_said",
    "is_share",
    "listing",
    "mean_known",
    "metric_name",
    "number",
    "shortened",
    "signed",
    "table_title",
    "trained_on",
]

_METRICS = {
    "f1": "F1",
    "uas": "UAS",
    "las": "LAS",
    "aer": "AER",
}
_SIMILARITIES = {"cosine": "cosine", "csls": "CSLS"}
_CONDITIONS = {
    "best_threshold": "at the best threshold",
    "without_identical": "without identical words",
    "with_subtypes": "with subtypes",
    "without_punctuation": "without punctuation",
    "mlqa": "as MLQA's",
}
_POOLS = {"cls": "[CLS]", "mean": "mean pooling", "static": "static vectors"}
_NOT_SHARES = {"loss", "perplexity"}


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


def shortened(words: Sequence[str], most: int = 6, what: str = "others") -> str:
    """``a, b, c`` up to ``most`` words, otherwise the first of them ``and 27 others``."""
    if len(words) <= most + 1:  # "and 1 other" would save nothing
        return ", ".join(words)
    return f"{', '.join(words[:most])} and {len(words) - most} {what}"


def metric_name(metric: str) -> str:
    """``accuracy_csls`` → ``accuracy, CSLS``; ``precision_at_1_cosine`` → ``precision@1, cosine``."""
    conditions = []
    for ending, words in _CONDITIONS.items():
        if metric.endswith(f"_{ending}"):
            metric = metric.removesuffix(f"_{ending}")
            conditions.append(words)
    stem, _, last = metric.rpartition("_")
    if stem and last in _SIMILARITIES:
        metric = stem
        conditions.insert(0, _SIMILARITIES[last])
    name = _METRICS.get(metric) or re.sub(r"_at_(\d+)$", r"@\1", metric).replace("_", " ")
    return ", ".join([name, *conditions])


def trained_on(train: str) -> str:
    """``en+de:100`` → ``trained on en + 100 examples of de``."""
    whole, few = training_languages(train)
    if not whole:
        return f"trained on {train}"
    whole = [name.replace("*", " code-switched with ") for name in whole]
    return f"trained on {' + '.join([listing(whole), *(f'{n:,} examples of {name}' for name, n in few)])}"


def table_title(key: Key) -> str:
    """``Sentence retrieval: accuracy, cosine, [CLS]``."""
    parts = [metric_name(key.metric)]
    if key.pool:
        parts.append(_POOLS.get(key.pool, key.pool))
    if key.layer is not None:
        parts.append(f"layer {key.layer}")
    if key.dataset:
        parts.append(key.dataset)
    if key.partner:
        parts.append(f"{'questions in' if key.task == 'qa' else 'with'} {key.partner}")
    if key.settings:
        parts.append(key.settings)
    if key.train:
        parts.append(trained_on(key.train))
    return f"{key.info.title}: {', '.join(parts)}"


def counts_said(sizes: Sequence[int]) -> str:
    """One count, or the least and the greatest of several in order."""
    return f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"


def mean_known(values: Sequence[float | None]) -> float | None:
    """Of those that are known; ``None`` if none is."""
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
