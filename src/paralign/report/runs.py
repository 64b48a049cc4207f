"""Run folders as reports read them: ``run.json``, ``config.toml``, ``log.jsonl``, ``results.jsonl``, figures."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from paralign.digests import DAMAGED, check_schema, file_digest, read_object
from paralign.errors import UserError, file_location
from paralign.results import Measurement, Seeds, natural_sort_key, read_results
from paralign.systems import SEED_IN_NAME, distinct_labels

__all__ = ["HELD_OUT", "Log", "Run", "RunInfo", "find_runs", "read_runs"]

_TRAINING = ("pretrain", "align")
_FILES = ("results.jsonl", "run.json", "log.jsonl", "config.toml")


class RunInfo(BaseModel):
    """``run.json``. Every key may be missing; unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    verb: str | None = None
    command: str | None = None
    more_commands: list[str] = []
    """Later ones that added results to the folder."""
    version: str | None = None
    seconds: float | None = None
    steps: int | None = None
    pairs_seen: int | None = None
    tokens_seen: int | None = None
    device: str | None = None
    threads: int | None = None
    parameters: int | None = None
    model_hash: str | None = None
    parent: str | None = None
    lineage: str | None = None
    method: str | None = None
    control: bool = False
    alarms: list[str] = []
    status: str | None = None
    logs: dict[str, str] = {}
    """Digests of the logs that are complete."""


HELD_OUT = "held out, "
"""Prefix of the names of held-out losses; the language follows."""


@dataclass
class Log:
    """``log.jsonl``: curves by name, alarms, and the number of lines that could not be read."""

    curves: dict[str, dict[int, float]] = field(default_factory=dict)
    """``loss``, or the name of a part of it -> step -> value."""
    cosines: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    """Pair of losses -> step -> group of weights -> cosine between their gradients."""
    alarms: list[tuple[int | None, str]] = field(default_factory=list)
    truncated: bool = False
    """Whether the last line is incomplete, as after a killed run."""
    unreadable: int = 0
    """Number of lines before the last that are not JSON objects."""


@dataclass(frozen=True)
class Run:
    """A run folder."""

    name: str
    path: Path
    info: RunInfo
    described: bool
    """Whether there is a ``run.json``."""
    config: str | None
    logs: dict[str, Log]
    """By path in the folder: ``log.jsonl``, and ``seed-0/log.jsonl`` if the run trains several seeds."""
    rows: tuple[Measurement, ...]
    truncated: tuple[str, ...] = ()
    """Incomplete lines of the results, as ``file:line``."""
    figures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Content of ``figures/NAME.json``, by name."""
    encoder_label: str | None = None
    """For a run that trained an encoder: the label of the encoder's rows in all runs."""

    @property
    def system(self) -> str:
        """The run's name without its seed, the label of rows that do not name their system."""
        return SEED_IN_NAME.sub("", self.name) or self.name

    def system_of(self, row: Measurement) -> str:
        """Return ``settings["system"]`` of a row, otherwise :attr:`system`."""
        label = row.settings.get("system")
        return str(label) if label not in (None, "") else self.system

    @property
    def label(self) -> str:
        """The label of the whole run: the system if its rows agree on one, else its method, else its name."""
        labels = {self.system_of(row) for row in self.rows}
        return labels.pop() if len(labels) == 1 else self.encoder_label or self.info.method or self.system

    def figures_of_kind(self, kind: str) -> list[tuple[str, Mapping[str, Any]]]:
        """Name and content of the figure files of one kind."""
        return [(name, data) for name, data in self.figures.items() if data.get("kind") == kind]

    @property
    def alarms(self) -> list[tuple[int | None, str]]:
        """Alarms of the logs with their steps, then those that are only in ``run.json``."""
        logged = list(dict.fromkeys(alarm for log in self.logs.values() for alarm in log.alarms))
        seen = {text for _, text in logged}
        return logged + [(None, text) for text in dict.fromkeys(self.info.alarms) if text not in seen]


def find_runs(folder: Path) -> list[Path]:
    """Return the run folders below a folder, by name; the folder itself if it is a run.

    The folder of a suite counts as the folder of its cells. Folders inside of a run, such as those of its seeds, hidden
    folders and symbolic links are not searched.

    Raises:
        UserError: if there is no such folder, or no run in it.
    """
    if not folder.exists():
        raise UserError("no such run folder", where=folder)
    if _is_run(folder):
        return [folder]
    found: list[Path] = []
    if folder.is_dir():
        for path, names, _ in os.walk(folder):
            names[:] = sorted((name for name in names if not name.startswith(".")), key=natural_sort_key)
            if _is_run(Path(path)):
                found.append(Path(path))
                names.clear()
    if not found:
        hint = f"a run has at least one of {', '.join(_FILES)}"
        raise UserError("not a run folder, and there is none below it", where=folder, hint=hint)
    return found


def _is_run(path: Path) -> bool:
    return path.is_dir() and any((path / file).is_file() for file in _FILES) and not _is_suite(path)


def _is_suite(path: Path) -> bool:
    try:
        facts = json.loads((path / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False  # a run whose file is missing or damaged, which is reported when it is read
    return isinstance(facts, dict) and facts.get("verb") == "suite"


def read_runs(folders: Sequence[str | Path]) -> list[Run]:
    """Read run folders, or all runs below folders, in the order given, each once.

    Raises:
        UserError: if a folder is missing or not a run, a file cannot be read, or no run has results, figures or a log.
    """
    paths = list(dict.fromkeys(run.resolve() for folder in folders for run in find_runs(Path(folder))))
    runs = [_read_run(path, name) for path, name in zip(paths, _names(paths), strict=True)]
    if not any(run.rows or run.figures or any(log.curves for log in run.logs.values()) for run in runs):
        where = str(folders[0]) if len(folders) == 1 else None
        raise UserError(
            "no run has results, figures or a log",
            where=where,
            hint="evaluate first: paralign evaluate or paralign finetune --eval",
        )
    return _label_systems(runs)


def _names(paths: Sequence[Path]) -> list[str]:
    """Return the end of each path that no other has: ``pos-ppa``, or ``demo/pos-ppa`` and ``demo-2/pos-ppa``."""
    names = [path.name for path in paths]
    for length in range(2, max((len(path.parts) for path in paths), default=0) + 1):
        counts = Counter(names)
        names = [
            "/".join(path.parts[-length:]) if counts[name] > 1 else name
            for path, name in zip(paths, names, strict=True)
        ]
    return names


def _label_systems(runs: Sequence[Run]) -> list[Run]:
    """Give rows of different systems with one label labels of their own, and the runs that trained them too."""
    rows = [(run.system_of(row), row) for run in runs for row in run.rows]
    measured = {row.model_hash for _, row in rows}
    trained = [run for run in runs if run.info.verb in _TRAINING and run.info.method and run.info.model_hash]
    trained = [run for run in trained if run.info.model_hash not in measured]
    all_labels = distinct_labels([*rows, *((str(run.info.method), _as_row(run)) for run in trained)])
    labels = iter(all_labels)
    labeled = []
    of_encoder: dict[tuple[str | None, str | None], set[str]] = {}
    for run in runs:
        relabeled = []
        for row in run.rows:
            before, label = run.system_of(row), next(labels)
            of_encoder.setdefault((row.model_hash, before), set()).add(label)
            settings = row.settings | {"system": label}
            relabeled.append(row if label == before else row.model_copy(update={"settings": settings}))
        labeled.append(replace(run, rows=tuple(relabeled)))
    for run in trained:
        of_encoder.setdefault((run.info.model_hash, run.info.method), set()).add(next(labels))
    known = {encoder: next(iter(names)) for encoder, names in of_encoder.items() if len(names) == 1}
    return [replace(run, encoder_label=known.get((run.info.model_hash, run.info.method))) for run in labeled]


def _as_row(run: Run) -> Measurement:
    """Return what is known of an encoder that no run measured, as a row without a score."""
    info = run.info
    try:
        config = tomllib.loads(run.config or "")
    except tomllib.TOMLDecodeError:
        config = {}
    training = config.get("training")
    seed = training.get("seed") if isinstance(training, dict) else None
    known = {"system": info.method, "lineage": info.lineage, "base": config.get("model")}
    return Measurement(
        task="",
        dataset="",
        language="",
        metric="",
        value=math.nan,
        n=0,
        seeds=Seeds.model_validate({str(info.verb): seed} if isinstance(seed, int) else {}),
        model=str(run.path / "encoder"),
        model_hash=str(info.model_hash),
        parent=info.parent,
        run=run.name,
        settings={name: value for name, value in known.items() if value},
    )


def _read_run(path: Path, name: str) -> Run:
    described, results = path / "run.json", path / "results.jsonl"
    truncated: list[str] = []
    return Run(
        name=name,
        path=path,
        info=_read_info(described) if described.is_file() else RunInfo(),
        described=described.is_file(),
        config=_read_config(path),
        logs={str(log.relative_to(path).as_posix()): _read_log(log) for log in _logs(path)},
        rows=tuple(read_results(results, torn=truncated)) if results.is_file() else (),
        truncated=tuple(truncated),
        figures={file.stem: _read_figure(file) for file in sorted(path.glob("figures/*.json"))},
    )


def _read_config(path: Path) -> str | None:
    config = path / "config.toml"
    return config.read_text(encoding="utf-8", errors="replace") if config.is_file() else None


def read_facts(folder: Path) -> Run:
    """Read only the facts and settings of a run.

    Raises:
        UserError: if they cannot be read.
        FileNotFoundError: if there is no ``run.json``.
    """
    path = folder.resolve()
    facts = _read_info(path / "run.json", check_logs=False)
    return Run(path.name, path, facts, True, _read_config(path), logs={}, rows=(), truncated=(), figures={})


def _read_figure(path: Path) -> Mapping[str, Any]:
    hint = "run the analysis again, or remove the file"
    data = read_object(path, hint)
    check_schema(data, 1, path, hint)
    return data


def _read_info(path: Path, *, check_logs: bool = True) -> RunInfo:
    """Read a ``run.json``."""
    facts = read_object(path, "restore the file, or remove it")
    try:
        info = RunInfo.model_validate(facts)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{key + ': ' if key else ''}{first['msg']}", where=path) from error
    for name, digest in info.logs.items() if check_logs else ():
        log = path.parent / name
        if log.is_file() and file_digest(log) != digest:
            raise UserError(DAMAGED, where=log, hint="restore the file, or remove it")
    return info


def _logs(run: Path) -> list[Path]:
    """Return the log of the run, then those of its seeds by number."""
    own, of_seeds = run / "log.jsonl", run.glob("seed-*/log.jsonl")
    in_order = sorted(of_seeds, key=lambda log: (len(log.parent.name), log.parent.name))
    return [log for log in (own, *in_order) if log.is_file()]


def _read_log(path: Path) -> Log:
    log = Log()
    # Bytes are split before decoding: a line separator inside a string must not split a line.
    lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError):
            if number == len(lines):
                log.truncated = True
            else:
                log.unreadable += 1
            continue
        _add_entry(log, entry, file_location(path, number))
    return log


def _add_entry(log: Log, entry: Mapping[str, Any], where: str) -> None:
    """Add one line of a log. After a resume steps are repeated, and the later line replaces the earlier one."""
    step = entry.get("step")
    step = int(step) if isinstance(step, int | float) and math.isfinite(step) else None
    if entry.get("event") == "alarm":
        log.alarms.append((step, str(entry.get("message", ""))))
        return
    if entry.get("event") == "gradient_cosine" and step is not None:
        _add_cosines(log, step, entry.get("cosines"), where)
        return
    losses = entry.get("losses") or {}
    if entry.get("event", "heldout") != "heldout" or step is None:
        return
    if not isinstance(losses, Mapping):
        raise UserError("'losses' must be a JSON object of numbers", where=where)
    if "event" in entry:
        losses = {f"{HELD_OUT}{name}": value for name, value in losses.items()}
    for name, value in [("loss", entry.get("loss")), *losses.items()]:
        if isinstance(value, int | float) and not isinstance(value, bool):
            # A loss that is not finite stays, as a gap in the curve.
            log.curves.setdefault(str(name), {})[step] = float(value)


def _add_cosines(log: Log, step: int, cosines: Any, where: str) -> None:
    if not isinstance(cosines, Mapping) or not all(isinstance(groups, Mapping) for groups in cosines.values()):
        raise UserError("'cosines' must be a JSON object of objects", where=where)
    for pair, groups in cosines.items():
        known = {str(group): float(v) for group, v in groups.items() if isinstance(v, int | float)}
        log.cosines.setdefault(str(pair), {})[step] = known
