"""Which result rows belong to one system: rows with one label, whose encoders differ only by seed.

Labels are names that a user or a recipe chose: two encoders aligned by the same recipe from different bases have the
same one. Rows of other lineage get a label of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import PurePath

from paralign.errors import UserError
from paralign.results import FINE_TUNING, Measurement

__all__ = [
    "SEED_IN_NAME",
    "check_training_data",
    "distinct_labels",
    "encoder_labels",
    "fine_tuning",
    "training_data",
]

_SEED_STAGES = ("pretrain", "align", "finetune")
_NO_NAME = re.compile(r"encoder|model|seed-\d+")
"""Folders inside a run, whose names say nothing about the run."""
SEED_IN_NAME = re.compile(r"-(?:seed|s)\d+$")
"""The end of the name of a run with one seed."""
_VARIANT_SECTIONS = ("training", "layers", "maps")
"""Settings of rows that change what a system is, and not what is measured. Of the training data, their names."""


def distinct_labels(rows: Sequence[tuple[str, Measurement]]) -> list[str]:
    """Return a label for each row, the same one only for seeds of one system.

    Encoders with one label are seeds of one system if they have the same lineage (``settings["lineage"]``; if no
    row has one, the encoder they were trained from) and known seeds that distinguish them. Otherwise each gets the
    label with the name of its base, of its folder, or the beginning of its fingerprint. Rows of one system and task
    that were fine-tuned in different ways get the settings in which they differ, or the digests of their data if only
    the content of files differs.

    Args:
        rows: labels and measurements.
    """
    # By encoder, as rows of analyses do not have it.
    lineages = {row.model_hash: str(row.settings["lineage"]) for _, row in rows if row.settings.get("lineage")}
    parents = {row.model_hash: row.parent for _, row in rows if row.parent}
    systems: dict[str, dict[Hashable, list[int]]] = {}
    for k, (label, row) in enumerate(rows):
        made_from = lineages.get(row.model_hash) or ("parent", parents.get(row.model_hash))
        systems.setdefault(label, {}).setdefault((made_from, _has_own_weights(row)), []).append(k)
    labels = [label for label, _ in rows]
    for label, groups in systems.items():
        parts = [part for group in groups.values() for part in _split_by_seeds(rows, group)]
        if len(parts) > 1:
            for part, name in zip(parts, _names(label, [[rows[k][1] for k in part] for part in parts]), strict=True):
                for k in part:
                    labels[k] = name
    return _with_variants(labels, [row for _, row in rows])


def encoder_labels(rows: Iterable[Measurement]) -> dict[str, str]:
    """Return the label of each encoder (``model_hash``), whatever it was fine-tuned with.

    Args:
        rows: measurements; one without a name of its system has that of its model.
    """
    plain, variant = [], {*_VARIANT_SECTIONS, *FINE_TUNING}
    for row in rows:
        settings = {name: value for name, value in row.settings.items() if name not in variant}
        plain.append((str(row.settings.get("system") or row.model), row.model_copy(update={"settings": settings})))
    return {row.model_hash: label for (_, row), label in zip(plain, distinct_labels(plain), strict=True)}


def fine_tuning(row: Measurement) -> dict[str, str] | None:
    """Return the settings and data of fine-tuning that differ from the defaults; ``None`` if the row records none."""
    if not row.settings.get("training"):
        return None
    settings = {name: value for name, value in row.settings.items() if name != "maps"}
    return dict(_variant(row.model_copy(update={"settings": settings})) or ())


def training_data(row: Measurement) -> dict[str, str]:
    """Return the digests of the data of fine-tuning, as ``train data`` and ``dev data``; empty if none are recorded."""
    digests = row.settings.get("training_data")
    return {f"{name} data": str(digest) for name, digest in digests.items()} if isinstance(digests, Mapping) else {}


def check_training_data(rows: Iterable[Measurement], label: str) -> None:
    """Check that models with equal settings were fine-tuned on equal data, as far as it is recorded.

    Args:
        rows: measurements of one task and training language.
        label: name of the encoder, for the message.

    Raises:
        UserError: if the content of the data differs.
    """
    found = {frozenset(data.items()): row for row in rows if (data := training_data(row))}
    if len(found) > 1:
        row = next(iter(found.values()))
        raise UserError(
            f"the content of the training data differs between runs of {row.task} {label}, trained on {row.train}",
            hint="fine-tune all of them on one file, or give the runs of one file",
        )


def _has_own_weights(row: Measurement) -> bool:
    """Whether the weights of a row are those after fine-tuning, evaluated without their head."""
    return row.train is None and row.seeds.finetune is not None


def _split_by_seeds(rows: Sequence[tuple[str, Measurement]], group: Sequence[int]) -> list[list[int]]:
    """Return the rows of one lineage as one system, or each encoder on its own if seeds do not distinguish them."""
    by_encoder: dict[str, list[int]] = {}
    for k in group:
        by_encoder.setdefault(rows[k][1].model_hash, []).append(k)
    seeds = [_seeds([rows[k][1] for k in members]) for members in by_encoder.values()]
    known = all(len(set(stage)) == 1 or None not in stage for stage in zip(*seeds, strict=True))
    one_system = len(by_encoder) == 1 or (known and len(set(seeds)) == len(seeds))
    return [list(group)] if one_system else list(by_encoder.values())


def _seeds(encoder: Sequence[Measurement]) -> tuple[int | str | None, ...]:
    """Return the seeds that an encoder was made with, ``None`` where unknown.

    Rows that do not name their system have the name of their run, without a seed at its end.
    """
    stages = _SEED_STAGES if _has_own_weights(encoder[0]) else _SEED_STAGES[:2]
    recorded = [{getattr(row.seeds, stage) for row in encoder} for stage in stages]
    named = {found.group() for row in encoder if not row.settings.get("system")
             and (found := SEED_IN_NAME.search(row.run))}  # fmt: skip
    return tuple(values.pop() if len(values) == 1 else None for values in [*recorded, named])


def _names(label: str, systems: Sequence[Sequence[Measurement]]) -> list[str]:
    """Return a name for each of several systems with one label, from the first source that distinguishes them."""
    sources: list[Callable[[Measurement], str]] = [
        lambda row: f"from {name}" if (name := _short_name(str(row.settings.get("base") or ""))) else "",
        lambda row: _short_name(row.model),
        lambda row: _short_name(row.model, 2),
    ]
    for source in sources:
        names = [{source(row) for row in system} for system in systems]
        single = [name for (name, *others) in names if name and not others]
        if len(single) == len(set(single)) == len(systems) and label not in single:
            return [f"{label} ({name})" for name in single]
    return [f"{label} ({min(row.model_hash for row in system)[:8]})" for system in systems]


def _short_name(path: str, parts: int = 1) -> str:
    """Return the last part of a path that says something, without a seed: ``ppa`` of ``runs/ppa-s0/encoder``."""
    named = [part for part in PurePath(path).parts if not _NO_NAME.fullmatch(part)]
    return "/".join(re.sub(r"-(?:seed|s)?\d+$", "", part) or part for part in named[-parts:])


def _with_variants(labels: Sequence[str], rows: Sequence[Measurement]) -> list[str]:
    """Append the settings in which the rows of one label, task and training language differ.

    Digests of data are compared only if all else is equal: files of other names have other content.
    """
    differing: list[list[str]] = [[] for _ in rows]
    for variants in ([_variant(row) for row in rows], [frozenset(training_data(row).items()) or None for row in rows]):
        groups = [(label, row.task, row.train, *names)
                  for label, row, names in zip(labels, rows, differing, strict=True)]  # fmt: skip
        found: dict[tuple[str | None, ...], set[frozenset[tuple[str, str]]]] = {}
        for group, variant in zip(groups, variants, strict=True):
            if variant is not None:
                found.setdefault(group, set()).add(variant)
        common = {group: frozenset.intersection(*of_group) for group, of_group in found.items()}
        for names, group, variant in zip(differing, groups, variants, strict=True):
            if variant is not None and variant != common[group]:
                names += [f"{name} {value}" for name, value in sorted(variant - common[group])]
    return [f"{label} ({', '.join(names)})" if names else label for label, names in zip(labels, differing, strict=True)]


def _variant(row: Measurement) -> frozenset[tuple[str, str]] | None:
    """Return the settings of a row that change what its system is; ``None`` if it records none."""
    recorded = [row.settings.get(section) for section in _VARIANT_SECTIONS]
    if not any(recorded):
        return None
    settings = set()
    for section, values in zip(_VARIANT_SECTIONS, recorded, strict=True):
        items = values.items() if isinstance(values, Mapping) else [(section, values)]
        settings |= {(name, _text(value)) for name, value in items if value not in ("", None, [], {}) and name != "of"}
    return frozenset(settings)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "+".join(map(_text, value)) if isinstance(value, list) else str(value)
