"""``results.jsonl``: one JSON object a measurement, and the per-item scores behind it.

Every command that measures writes rows of this one format; the report reads nothing else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.config import Config
from paralign.errors import UserError, located

__all__ = ["SCHEMA", "Measurement", "Seeds", "Where", "read_items", "read_results", "write_results"]

SCHEMA = 1
Items = npt.NDArray[np.float64]


class Seeds(Config):
    """The seeds of each stage behind a number; ``None`` where the stage did not take place or is unknown."""

    pretrain: int | None = None
    align: int | None = None
    finetune: int | None = None


class Where(Config):
    """Where in the model the number was read."""

    layer: int | None = None
    """Index into the hidden states, 0 = embeddings; ``None`` where it has no meaning."""
    pool: str | None = None
    """``cls`` or ``mean``."""
    direction: str | None = None
    """``en-de``: from the first language to the second."""


class Measurement(Config):
    """One number with everything needed to find it again.

    ``value`` is a share of 1 for accuracies and F1. ``items`` names a ``.npy`` file, relative to the run, of shape
    [n, 2]: numerator and denominator of each item (a sentence), so that ``value`` is the ratio of the two
    sums and a paired bootstrap over items is possible later.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    task: str
    dataset: str
    split: str = "test"
    train: str | None = None
    """Language(s) the head was trained on, ``None`` for tasks without training."""
    language: str
    metric: str
    value: float
    n: int
    seeds: Seeds = Seeds()
    model: str
    """Name or path of the encoder as the user gave it."""
    model_hash: str
    parent: str | None = None
    """``model_hash`` of the encoder this one was trained from."""
    run: str
    """Name of the run."""
    where: Where = Where()
    settings: dict[str, Any] = {}
    items: str | None = None

    def key(self) -> tuple[str, ...]:
        """What identifies a row within its run: a rerun replaces rows of equal key."""
        parts = (self.task, self.dataset, self.split, self.train, self.language, self.metric, self.model_hash)
        return tuple(map(str, parts)) + (self.seeds.model_dump_json(), self.where.model_dump_json())


def read_results(path: Path) -> list[Measurement]:
    """Read a ``results.jsonl``.

    Raises:
        UserError: naming the line that is not a measurement.
    """
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(Measurement.model_validate_json(line))
        except ValueError as error:
            raise UserError("not a measurement", where=located(path, number), mend="remove the line") from error
    return rows


def write_results(run: Path, rows: Sequence[tuple[Measurement, Items | None]]) -> None:
    """Add measurements to ``run/results.jsonl``, replacing rows of equal key, and save their per-item scores.

    The new file is written beside the old one and renamed, so a reader never sees half of it.

    Args:
        run: the run's folder; made if missing.
        rows: measurements with their [n, 2] per-item scores, or ``None``.
    """
    run.mkdir(parents=True, exist_ok=True)
    path = run / "results.jsonl"
    kept = {row.key(): row for row in read_results(path)} if path.exists() else {}
    for row, items in rows:
        if items is not None:
            name = f"items/{row.task}-{row.language}-{row.metric}-{abs(_stable_hash(row.key())):016x}.npy"
            (run / "items").mkdir(exist_ok=True)
            np.save(run / name, np.asarray(items, dtype=np.float32))
            row = row.model_copy(update={"items": name})
        kept[row.key()] = row
    _replace(path, (row.model_dump_json(by_alias=True) for row in kept.values()))


def read_items(run: Path, row: Measurement) -> Items | None:
    """The per-item scores of a row, [n, 2] (numerator, denominator), or ``None`` if it has none."""
    if row.items is None:
        return None
    return np.asarray(np.load(run / row.items, allow_pickle=False), dtype=np.float64)


def _stable_hash(key: Iterable[str]) -> int:
    import hashlib

    return int.from_bytes(hashlib.blake2b(json.dumps(list(key)).encode(), digest_size=8).digest(), "big")


def _replace(path: Path, lines: Iterable[str]) -> None:
    beside = path.with_name(path.name + ".part")
    with beside.open("w", encoding="utf-8") as out:
        for line in lines:
            out.write(line + "\n")
        out.flush()
        os.fsync(out.fileno())
    beside.replace(path)
