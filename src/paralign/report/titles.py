"""Titles of tables: names of metrics, poolings and training data."""

from __future__ import annotations

import re

from paralign.report.number_format import join_names
from paralign.report.table_key import TableKey, training_languages

__all__ = ["metric_name", "table_title", "training_title"]

_METRICS = {"f1": "F1", "uas": "UAS", "las": "LAS", "aer": "AER", "pearson": "Pearson", "spearman": "Spearman"}
_SIMILARITIES = {"cosine": "cosine", "csls": "CSLS"}
_CONDITIONS = {
    "best_threshold": "at the best threshold",
    "without_identical": "without identical words",
    "with_subtypes": "with subtypes",
    "without_punctuation": "without punctuation",
    "mlqa": "MLQA's normalization",
}
_POOLS = {"cls": "[CLS]", "mean": "mean pooling", "static": "static vectors"}


def metric_name(metric: str) -> str:
    """``accuracy_csls`` as ``accuracy, CSLS``; ``precision_at_1_cosine`` as ``precision@1, cosine``."""
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


def training_title(train: str) -> str:
    """``en+de:100`` as ``trained on en + 100 examples of de``."""
    whole, few = training_languages(train)
    if not whole:
        return f"trained on {train}"
    whole = [name.replace("*", " code-switched with ") for name in whole]
    return f"trained on {' + '.join([join_names(whole), *(f'{n:,} examples of {name}' for name, n in few)])}"


def table_title(key: TableKey) -> str:
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
        parts.append(training_title(key.train))
    title = key.info.title if key.name is None else f"{key.name} ({key.info.title[:1].lower()}{key.info.title[1:]})"
    return f"{title}: {', '.join(parts)}"
