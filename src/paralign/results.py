"""``results.jsonl``: one JSON object per measurement, and the per-item scores it was computed from.

Every command that measures writes rows of this format, and reports read nothing else.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BeforeValidator, Field

from paralign.config import Config
from paralign.digests import bytes_digest, check_schema, digested, file_digest, object_digest
from paralign.errors import UserError, file_location
from paralign.folders import atomic_file

__all__ = [
    "CHOSEN",
    "FINE_TUNING",
    "SCHEMA",
    "Items",
    "Measurement",
    "Seeds",
    "Where",
    "check_results",
    "natural_sort_key",
    "other_language",
    "read_items",
    "read_results",
    "requested_layer",
    "write_results",
]

SCHEMA = 1
CHOSEN = "chosen"
"""The pooling of scores whose layer and pooling were chosen on development data (``settings["chosen"]``)."""
FINE_TUNING = ("training", "training_data", "layers")
"""Settings of rows that say how a model with a head was fine-tuned."""
Items = npt.NDArray[np.float64]

# JSON has no NaN: an undefined score (0/0) is written as null.
Value = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]


class Seeds(Config):
    """The seeds of each stage; ``None`` if the stage did not take place or its seed is unknown."""

    pretrain: int | None = None
    align: int | None = None
    finetune: int | None = None


class Where(Config):
    """The layer, pooling and direction of a measurement."""

    layer: int | None = None
    """Index into the hidden states, 0 = embeddings; ``None`` if no layer was chosen."""
    pool: str | None = None
    """``cls``, ``mean`` or ``static``; ``chosen`` if layer and pooling were chosen on development data."""
    direction: str | None = None
    """``en-de``: from the first language to the second."""


class Measurement(Config):
    """One score, with everything needed to reproduce it.

    ``value`` is a share of 1 for accuracies and F1. ``items`` names a ``.npy`` file, relative to the run, of shape
    [n, 2]: numerator and denominator of each item (a sentence). The value is the ratio of the two sums, and the items
    allow a paired bootstrap later. For a correlation or macro F1 the items are pairs of values, and
    ``settings["statistic"]`` names it.
    """

    schema_: int = Field(default=SCHEMA, alias="schema")
    task: str
    """Name of the task."""
    dataset: str
    """Name of the test set."""
    split: str = "test"
    train: str | None = None
    """Languages the head was trained on; ``None`` for tasks without training."""
    language: str
    """Language of the test set."""
    metric: str
    value: Value
    n: int
    """Number of test items."""
    seeds: Seeds = Seeds()
    """Seeds of pretraining, alignment and fine-tuning."""
    model: str
    """Name or path of the encoder, as the user gave it."""
    model_hash: str
    parent: str | None = None
    """``model_hash`` of the encoder this one was trained from."""
    run: str
    """Name of the run."""
    where: Where = Where()
    """Layer, pooling and direction of the vectors that were compared."""
    settings: dict[str, Any] = Field(default_factory=dict)
    items: str | None = None
    items_digest: str | None = None
    """Digest of the file ``items``. None: it is not checked."""

    @classmethod
    def of_model(
        cls, model_facts: Mapping[str, Any], *, settings: Mapping[str, Any] | None = None, **fields: Any
    ) -> Self:
        """Return a row about a model.

        Args:
            model_facts: ``model``, ``model_hash``, ``parent``, ``seeds``, ``method`` (the name in tables) and
                ``control``.
            settings: recorded in addition to the name in tables and whether the model is a control.
            fields: the other fields. ``seeds``: instead of those of the model.
        """
        about = {key: model_facts[key] for key in ("model", "model_hash", "parent")}
        if "seeds" not in fields:
            about["seeds"] = Seeds(**model_facts["seeds"])
        named = {"system": model_facts["method"], "control": model_facts["control"]}
        return cls(**about | {"settings": named | dict(settings or {})} | fields)

    @property
    def statistic(self) -> str:
        """How the value follows from the items: ``ratio``, ``pearson``, ``spearman`` or ``macro_f1``."""
        return str(self.settings.get("statistic", "ratio"))

    def key(self) -> tuple[str, ...]:
        """Return what identifies a row in its run; a rerun replaces rows with the same key."""
        parts = (self.task, self.dataset, self.split, self.train, self.language, self.metric, self.model_hash)
        made_by = {name: self.settings[name] for name in FINE_TUNING if self.settings.get(name)}
        if isinstance(layers := made_by.get("layers"), Mapping):  # "of" is a name in tables
            made_by["layers"] = {name: value for name, value in layers.items() if name != "of"}
        fine_tuning = [object_digest(made_by)] if made_by else []
        return (*map(str, parts), self.seeds.model_dump_json(), self.where.model_dump_json(), *fine_tuning)


def other_language(direction: str, language: str) -> str:
    """Return the other side of a direction: ``en`` for German in ``en-de`` or ``de-en``.

    The whole direction if the language is on neither side.
    """
    other = direction.removesuffix(f"-{language}")
    return other if other != direction else direction.removeprefix(f"{language}-")


def requested_layer(row: Measurement) -> Hashable:
    """Return the layer that was asked for, of which encoders of different depth have different numbers.

    The setting ``task.layer`` (None: the default of the task); if it is not recorded, the number of the layer.
    """
    task = row.settings.get("task")
    if row.where.pool == CHOSEN or not isinstance(task, dict) or "layer" not in task:
        return row.where.layer
    return task["layer"] if isinstance(task["layer"], int | float) else None


def read_results(path: str | Path, *, torn: list[str] | None = None) -> list[Measurement]:
    """Read a ``results.jsonl``.

    Args:
        path: the file, or the folder of the run.
        torn: collects a truncated last line, as ``file:line``, which is otherwise an error.

    Raises:
        UserError: if the file is missing, or a line is not a measurement.

    >>> from pathlib import Path
    >>> from paralign.results import Measurement, write_results
    >>> row = Measurement(task="pos", dataset="pud", language="de", metric="accuracy", value=0.75, n=1000,
    ...                   model="xlm-roberta-base", model_hash="c0ffee", run="pos-de")
    >>> write_results(Path("pos-de"), [(row, None)])
    >>> [(row.language, row.value) for row in read_results("pos-de")]
    [('de', 0.75)]
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
            content = json.loads(line)
            digest = content.pop("digest", None)
            intact = digest in (None, object_digest(content))
            rows.append(Measurement.model_validate_json(json.dumps(content)))
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            if torn is not None and number == len(lines):  # no newline at its end
                torn.append(file_location(path, number))
                continue
            raise UserError("not a measurement", where=file_location(path, number), hint="remove the line") from error
        if not intact:
            hint = "restore the file, or remove the line"
            raise UserError("the measurement is damaged", where=file_location(path, number), hint=hint)
        check_schema(
            {"schema": rows[-1].schema_}, SCHEMA, file_location(path, number), "measure again, or remove the line"
        )
    return rows


def check_results(run: Path) -> list[Measurement]:
    """Read the results of a run and their per-item scores; none if there are none yet.

    Raises:
        UserError: naming the file that is damaged.
    """
    rows = read_results(run) if (run / "results.jsonl").exists() else []
    for row in rows:
        read_items(run, row)
    return rows


def write_results(run: Path, rows: Sequence[tuple[Measurement, Items | None]], *, fresh: bool = False) -> None:
    """Add measurements to ``run/results.jsonl``, replacing rows with the same key, and save their per-item scores.

    The file is replaced atomically, so that a reader never sees half of it. New scores of items get files of other
    names, and files that no row refers to any more are removed at the end: at any time, rows and items fit together.

    Args:
        run: folder of the run; created if missing.
        rows: measurements with their [n, 2] per-item scores, or ``None``.
        fresh: discard the rows that are in the file.
    """
    run.mkdir(parents=True, exist_ok=True)
    path = run / "results.jsonl"
    kept = {row.key(): row for row in read_results(path)} if path.exists() and not fresh else {}
    for row, items in rows:
        if items is not None:
            array = io.BytesIO()
            np.save(array, np.asarray(items, dtype=np.float32))
            digest = bytes_digest(array.getvalue())
            readable = re.sub(r"[^\w.-]", "_", f"{row.task}-{row.language}-{row.metric}")
            name = f"items/{readable}-{digest[:16]}.npy"
            (run / "items").mkdir(exist_ok=True)
            with atomic_file(run / name) as out:
                out.write(array.getvalue())
            row = row.model_copy(update={"items": name, "items_digest": digest})
        kept[row.key()] = row
    with atomic_file(path) as out:
        for row in kept.values():
            content = digested(json.loads(row.model_dump_json(by_alias=True)))
            out.write(f"{json.dumps(content, ensure_ascii=False, separators=(',', ':'))}\n".encode())
    used = {row.items for row in kept.values()}
    for file in (run / "items").glob(f"*-{'[0-9a-f]' * 16}.npy"):
        if f"items/{file.name}" not in used:
            file.unlink(missing_ok=True)


def read_items(run: Path, row: Measurement) -> Items | None:
    """Return the per-item scores of a row, [n, 2], or ``None`` if it has none.

    Raises:
        UserError: if the file is missing, outside the run, or not an array of numbers.
    """
    if row.items is None:
        return None
    path = run / row.items
    if not path.resolve().is_relative_to(run.resolve()):
        raise UserError("per-item scores must be inside the run", where=path)
    try:
        if row.items_digest not in (None, file_digest(path)):
            raise UserError("the file of per-item scores is damaged", where=path, hint="evaluate again")
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float64)
    except FileNotFoundError as error:
        raise UserError("the file of per-item scores is missing", where=path, hint="evaluate again") from error
    except UserError:
        raise
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise UserError("the file of per-item scores cannot be read", where=path, hint="evaluate again") from error


def natural_sort_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key for names with numbers: 5 before 10, numbers before words."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]
