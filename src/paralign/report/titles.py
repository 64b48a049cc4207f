"""Titles of tables: names of metrics, poolings and training data."""

from __future__ import annotations

import re

from paralign.report.number_format import join_names, pooling_name
from paralign.report.table_key import TableKey, training_languages

__all__ = [
    "choice_title",
    "dataset_title",
    "metric_name",
    "short_title",
    "table_title",
    "training_title",
    "uncapitalize",
]

_METRICS = {
    "f1": "F1",
    "uas": "UAS",
    "las": "LAS",
    "aer": "AER",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "macro_f1": "macro F1",
}
_SIMILARITIES = {"cosine": "cosine", "csls": "CSLS"}
_CONDITIONS = {
    "best_threshold": "at the best threshold",
    "without_identical": "without identical words",
    "with_subtypes": "with subtypes",
    "without_punctuation": "without punctuation",
    "mlqa": "MLQA's normalization",
}
_DATASETS = {
    "xnli": "XNLI", "pawsx": "PAWS-X", "paws-x": "PAWS-X", "mlqa": "MLQA", "xquad": "XQuAD", "squad": "SQuAD",
    "tydiqa": "TyDi QA", "tatoeba": "Tatoeba", "bucc": "BUCC", "bucc2018": "BUCC 2018", "ntrex": "NTREX",
    "ntrex128": "NTREX-128", "flores": "FLORES", "flores200": "FLORES-200", "flores101": "FLORES-101", "pud": "PUD",
    "wikiann": "WikiANN", "panx": "PAN-X", "conll2002": "CoNLL-2002", "conll2003": "CoNLL-2003", "ud": "UD",
    "ted2020": "TED2020", "muse": "MUSE", "sib200": "SIB-200", "sib-200": "SIB-200", "smallworld": "small world",
}  # fmt: skip
"""Names of well-known data sets, as their authors write them."""


def dataset_title(name: str, split: str) -> str:
    """Return the name of a data set for people.

    >>> dataset_title("xnli.test", "test"), dataset_title("pud-ud-test", "test"), dataset_title("mine", "test")
    ('XNLI test', 'PUD test', 'mine (test)')
    >>> dataset_title("test", "test"), dataset_title("My corpus", "dev")
    ('test', 'My corpus (dev)')
    """
    if name == split:
        return split
    parts = [part for part in re.split(r"[._-]", name) if part]
    known = [_DATASETS[part.lower()] for part in parts if part.lower() in _DATASETS]
    rest = [part for part in parts if part.lower() not in _DATASETS and part != split]
    if known and not rest:
        known = [title for title in known if title != "UD"] or known
        return f"{' '.join(dict.fromkeys(known))} {split}"
    return f"{_DATASETS.get(name.lower(), name)} ({split})"


def _data_title(key: TableKey) -> str | None:
    """Return the data set and the split as far as titles need them."""
    if not key.dataset:
        return key.split if key.names_split else None
    title = dataset_title(key.dataset, key.split)
    return title if key.names_split else title.removesuffix(f" ({key.split})")


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


def uncapitalize(title: str) -> str:
    """Return a title as it is written inside a sentence.

    >>> uncapitalize("Sentence retrieval"), uncapitalize("NLI with hypotheses only")
    ('sentence retrieval', 'NLI with hypotheses only')
    """
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


def training_title(train: str) -> str:
    """``en+de:100`` as ``trained on en + 100 examples of de``."""
    whole, few = training_languages(train)
    if not whole:
        return f"trained on {train}"
    whole = [name.replace("*", " code-switched with ") for name in whole]
    return f"trained on {' + '.join([join_names(whole), *(f'{n:,} examples of {name}' for name, n in few)])}"


def choice_title(layer: int | None, pool: str | None) -> str:
    """A layer and pooling that were chosen on development data.

    >>> choice_title(4, "mean"), choice_title(None, "static"), choice_title(2, None)
    ('layer 4, mean pooling', 'static vectors', 'layer 2')
    """
    parts = [] if layer is None else [_layer_title(layer)]
    return ", ".join([*parts, *([pooling_name(pool)] if pool else [])])


def short_title(key: TableKey) -> str:
    """The task and what distinguishes its tables: ``Sentence retrieval, [CLS], layer 8``."""
    name = metric_name(key.metric)
    main = key.info.main_metrics
    parts = [_task_title(key)] if main and key.metric == main[0] else [f"{_task_title(key)}: {name}"]
    if key.pool:
        parts.append(pooling_name(key.pool))
    if key.layer is not None:
        parts.append(_layer_title(key.layer))
    parts += [part for part in (_data_title(key), f"with {key.partner}" if key.partner else None, key.settings) if part]
    if key.train and key.train != "en":
        parts.append(training_title(key.train))
    return ", ".join(parts)


def table_title(key: TableKey) -> str:
    """``Sentence retrieval: accuracy, cosine, [CLS]``."""
    parts = [metric_name(key.metric)]
    if key.pool:
        parts.append(pooling_name(key.pool))
    if key.layer is not None:
        parts.append(_layer_title(key.layer))
    if data := _data_title(key):
        parts.append(data)
    if key.partner:
        parts.append(f"{'questions in' if key.task == 'qa' else 'with'} {key.partner}")
    if key.settings:
        parts.append(key.settings)
    if key.train:
        parts.append(training_title(key.train))
    return f"{_task_title(key)}: {', '.join(parts)}"


def _layer_title(layer: int | str) -> str:
    return layer if isinstance(layer, str) else f"layer {layer}"


def _task_title(key: TableKey) -> str:
    title = key.info.title
    return title if key.name is None else f"{key.name} ({uncapitalize(title)})"
