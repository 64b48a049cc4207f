"""``results.jsonl``: one JSON object a measurement, and the per-item scores behind it.

Every command that measures writes rows of this one format; the report reads nothing else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field

from paralign.config import Config
from paralign.errors import UserError, file_location
from paralign.folders import atomic_file

__all__ = ["SCHEMA", "Measurement", "Seeds", "Where", "natural", "read_items", "read_results", "write_results"]

SCHEMA = 1
Items = npt.NDArray[np.float64]

# JSON has no NaN: a score over nothing (0/0) is written as null, and read as what it was.
Score = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


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

    ``value`` is a share of 1 for accuracies and F1. ``items`` names a ``.npy`` file, relative to the run, of
    shape [n, 2]: numerator and denominator of each item (a sentence), so that ``value`` is the ratio of the
    two sums and a paired bootstrap over items is possible later.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    task: str
    dataset: str
    split: str = "test"
    train: str | None = None
    """Language(s) the head was trained on, ``None`` for tasks without training."""
    language: str
    metric: str
    value: Score
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
    settings: dict[str, Any] = Field(default_factory=dict)
    items: str | None = None

    def key(self) -> tuple[str, ...]:
        """What identifies a row within its run: a rerun replaces rows of equal key."""
        parts = (self.task, self.dataset, self.split, self.train, self.language, self.metric, self.model_hash)
        return (*map(str, parts), self.seeds.model_dump_json(), self.where.model_dump_json())


def read_results(path: str | Path, *, torn: list[str] | None = None) -> list[Measurement]:
    """Read a ``results.jsonl``.

    Args:
        path: the file, or the run's folder.
        torn: takes a last line that is cut in the middle, as ``file:line``, instead of an error.

    Raises:
        UserError: if the file is missing, or naming the line that is not a measurement.
    """
    rows, path = [], Path(path)
    if path.is_dir():
        path /= "results.jsonl"
    try:
        # Split as bytes: str.splitlines would also split at separators inside a name (U+2028).
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError as error:
        raise UserError("no such results file", where=path) from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            rows.append(Measurement.model_validate_json(line))
        except ValueError as error:
            if torn is not None and number == len(lines):  # no line end behind it
                torn.append(file_location(path, number))
                continue
            raise UserError("not a measurement", where=file_location(path, number), hint="remove the line") from error
    return rows


def write_results(run: Path, rows: Sequence[tuple[Measurement, Items | None]], *, fresh: bool = False) -> None:
    """Add measurements to ``run/results.jsonl``, replacing rows of equal key, and save their per-item scores.

    The new file is written beside the old one and renamed, so a reader never sees half of it.

    Args:
        run: the run's folder; made if missing.
        rows: measurements with their [n, 2] per-item scores, or ``None``.
        fresh: replace all rows that are there.
    """
    run.mkdir(parents=True, exist_ok=True)
    path = run / "results.jsonl"
    kept = {row.key(): row for row in read_results(path)} if path.exists() and not fresh else {}
    for row, items in rows:
        if items is not None:
            readable = re.sub(r"[^\w.-]", "_", f"{row.task}-{row.language}-{row.metric}")
            name = f"items/{readable}-{_stable_hash(row.key()):016x}.npy"
            (run / "items").mkdir(exist_ok=True)
            with atomic_file(run / name) as out:
                np.save(out, np.asarray(items, dtype=np.float32))
            row = row.model_copy(update={"items": name})
        kept[row.key()] = row
    _replace(path, (row.model_dump_json(by_alias=True) for row in kept.values()))


def read_items(run: Path, row: Measurement) -> Items | None:
    """The per-item scores of a row, [n, 2] (numerator, denominator), or ``None`` if it has none.

    Raises:
        UserError: if the file the row names is missing, lies outside the run, or is no array of numbers.
    """
    if row.items is None:
        return None
    path = run / row.items
    if not path.resolve().is_relative_to(run.resolve()):
        raise UserError("per-item scores must lie inside the run", where=path)
    try:
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    except FileNotFoundError as error:
        raise UserError("the file of per-item scores is missing", where=path) from error
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise UserError("the file of per-item scores cannot be read", where=path) from error


def _stable_hash(key: Iterable[str]) -> int:
    import hashlib

    return int.from_bytes(hashlib.blake2b(json.dumps(list(key)).encode(), digest_size=8).digest(), "big")


def _replace(path: Path, lines: Iterable[str]) -> None:
    with atomic_file(path) as out:
        for line in lines:
            out.write(f"{line}\n".encode())


def natural(name: str) -> list[tuple[int, str]]:
    """For sorting names with numbers in them: 5 before 10, numbers before words."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
