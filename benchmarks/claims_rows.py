"""Rows of the claims: scores of test sets with their items, compact enough to commit.

A line of the file is a JSON object: a row, or a text that rows have in common, ``{"id": ID, "text": TEXT}``, in a line
before the first row that refers to it. Keys of a row:

* ``base``, ``system``, ``task``, ``train``, ``dataset``, ``language``, ``metric``, ``where`` (layer, pooling,
  direction, if any) and ``seed`` identify it. ``system`` is a name of claims.toml, ``task`` a kind of task, ``train``
  the languages of fine-tuning. ``seed`` is that of fine-tuning, of alignment for tasks without a head, and of
  pretraining for the base ``scratch``.
* ``align_seed`` is the seed of alignment; missing if the encoder was not aligned.
* ``value`` is a share of 1, ``n`` the number of items; ``interval`` is recorded with measures that have no items.
* ``missed`` and ``totals`` are the items: totals are the denominators, missed are denominators minus numerators.
  ``totals`` is the id of a text. Both are arrays as :func:`pack` writes them.
* ``data`` is a digest of the test set's text, ``model`` of the encoder, ``pairs`` the number of training pairs that it
  has seen in alignment.
* ``command`` and ``aligned`` are ids of the commands that measured and aligned, without folders and seeds; ``commit``
  is the version of the repository.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import shlex
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.encoder.card import read_provenance
from paralign.folders import atomic_file
from paralign.results import Measurement, read_items, read_results
from paralign.task_table import metric_without_conditions, task_info

KEY = ("base", "system", "task", "train", "dataset", "language", "metric", "where", "seed")
SHARED = ("totals", "command", "aligned")
"""Keys whose values are ids of texts."""
_TYPES = {"B": np.uint8, "H": np.uint16, "f": np.float32}
_UNNAMED = {"--out", "--system", "--split", "--seeds"}
_FLAGS = {"--resume", "--quiet", "--no-keep-models"}

Items = npt.NDArray[np.float64]


def pack(values: npt.ArrayLike) -> str:
    """Return numbers as text: the letter of their type (B, H: integers of 8, 16 bits; f: fp32), and zlib in base 85.

    >>> unpack(pack([3, 0, 1])).tolist()
    [3.0, 0.0, 1.0]
    """
    array = np.asarray(values, dtype=np.float64)
    letter = next(
        letter for letter, kind in _TYPES.items() if letter == "f" or np.array_equal(_clipped(array, kind), array)
    )
    return letter + base64.b85encode(zlib.compress(array.astype(_TYPES[letter]).tobytes(), 9)).decode()


def unpack(text: str) -> npt.NDArray[np.float64]:
    """Return the numbers of :func:`pack`."""
    raw = zlib.decompress(base64.b85decode(text[1:]))
    return np.frombuffer(raw, dtype=_TYPES[text[0]]).astype(np.float64)


def _clipped(array: npt.NDArray[np.float64], kind: type) -> npt.NDArray[Any]:
    return np.clip(array, 0, np.iinfo(kind).max).astype(kind)


def items_of(row: Mapping[str, Any]) -> Items | None:
    """Return the items of a row, [n, 2] numerators and denominators; None if it has none."""
    if "missed" not in row:
        return None
    totals = unpack(row["totals"])
    return np.stack([totals - unpack(row["missed"]), totals], axis=1)


def key(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what identifies a row."""
    return tuple(json.dumps(row.get(name)) for name in KEY)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read rows, with the texts that they refer to; none if there is no such file."""
    texts: dict[str, str] = {}
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        entry = json.loads(line)
        if "id" in entry:
            texts[entry["id"]] = entry["text"]
        else:
            rows.append(entry | {name: texts[entry[name]] for name in SHARED if name in entry})
    return rows


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows, and each text before the first row that refers to it."""
    written: set[str] = set()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as out:

        def write(entry: Mapping[str, Any]) -> None:
            out.write(f"{json.dumps(entry, ensure_ascii=False, separators=(',', ':'))}\n".encode())

        for row in rows:
            ids = {name: _digest(row[name]) for name in SHARED if name in row}
            for name, number in ids.items():
                if number not in written:
                    written.add(number)
                    write({"id": number, "text": row[name]})
            write({**row, **ids})


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=5).hexdigest()


def collect(
    runs: Path,
    base: str,
    metrics: Mapping[str, set[str]],
    commit: str,
    rename: Mapping[str, str] | None = None,
    pairs: int | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of all finished runs in a folder.

    Args:
        runs: folder of ``paralign suite``, or any other with runs.
        base: name of the base in claims.toml.
        metrics: metrics of each kind of task. Of other tasks the main metric is kept.
        commit: version of the repository.
        rename: names of systems; keys are ``SYSTEM``, or ``FOLDER/SYSTEM`` for the runs in one folder of a suite.
        pairs: number of training pairs of aligned encoders. None: as recorded in their folders.
    """
    files = sorted(runs.rglob("results.jsonl"))
    if not files:
        raise SystemExit(f"{runs}: there are no runs in the folder; give --out of paralign suite")
    rows = []
    for file in files:
        run = json.loads(file.with_name("run.json").read_text(encoding="utf-8"))
        if run.get("status") != "done":
            print(f"left out, not finished: {file.parent}")
            continue
        for found in read_results(file):
            if math.isfinite(found.value) and is_wanted(found, metrics.get(found.task)):
                rows.append(_row(file.parent, found, run, base, commit, rename or {}, pairs))
    return rows


def rates(runs: Path, base: str, commit: str) -> list[dict[str, Any]]:
    """Return the development scores of systems that were tried with several learning rates.

    Args:
        runs: folder of ``paralign suite benchmarks/suites/tries.toml``, whose systems are ``NAME@RATE``.
        base: name of the base in claims.toml.
        commit: version of the repository.

    Returns:
        for each system and rate the accuracy in English, ``source``, and the mean of other languages, ``targets``.
    """
    scores: dict[str, dict[str, float]] = {}
    for file in sorted(runs.rglob("results.jsonl")):
        if json.loads(file.with_name("run.json").read_text(encoding="utf-8")).get("status") != "done":
            continue
        for row in read_results(file):
            system = str(row.settings.get("system", ""))
            if "@" not in system or not is_wanted(row, None):
                continue
            if row.language in scores.setdefault(system, {}):
                raise SystemExit(f"{file}: there are two scores of {system} in {row.language}; give one seed only")
            scores[system][row.language] = row.value
    found = []
    for name, by_language in scores.items():
        system, _, rate = name.partition("@")
        targets = [value for language, value in by_language.items() if language != "en"]
        row = {"base": base, "system": system, "rate": float(rate), "source": round(by_language["en"], 6)}
        found.append(row | {"targets": round(math.fsum(targets) / len(targets), 6), "commit": commit})
    return sorted(found, key=lambda row: (row["system"], row["rate"]))


def chosen_rate(rows: Iterable[Mapping[str, Any]], system: str, by: str = "source") -> float:
    """Return the learning rate of a system with the best score; the lower one of equal ones.

    >>> chosen_rate([{"system": "a", "rate": r, "source": s} for r, s in ((1e-4, 0.5), (3e-4, 0.7), (1e-3, 0.7))], "a")
    0.0003
    """
    own = [row for row in rows if row["system"] == system]
    return float(min(own, key=lambda row: (-row[by], row["rate"]))["rate"])


def is_wanted(row: Measurement, metrics: set[str] | None) -> bool:
    """Return whether a metric belongs to a claim, whatever the conditions of its measurement."""
    wanted = metrics or set(task_info(row.task, row.settings).main_metrics[:1])
    return not {row.metric, metric_without_conditions(row.metric)}.isdisjoint(wanted)


def _row(
    folder: Path,
    found: Measurement,
    run: Mapping[str, Any],
    base: str,
    commit: str,
    rename: Mapping[str, str],
    pairs: int | None,
) -> dict[str, Any]:
    aligned = found.seeds.align is not None
    provenance = read_provenance(found.model) if aligned else {}
    if aligned and pairs is None and "records_seen" not in provenance:
        hint = "run this in the same folder as the suite, or give --pairs"
        raise SystemExit(f"{folder}: the encoder {found.model} is not there; {hint}")
    seed = found.seeds.align if found.seeds.finetune is None else found.seeds.finetune
    if base == "scratch":
        seed = found.seeds.pretrain
    row: dict[str, Any] = {
        "base": base,
        "system": system_name(folder, found, rename),
        "task": found.task,
        "train": found.train,
        "dataset": found.dataset,
        "language": found.language,
        "metric": found.metric,
        "where": {name: value for name, value in found.where.model_dump().items() if value is not None},
        "seed": 0 if seed is None else seed,
        "align_seed": found.seeds.align,
        "value": round(found.value, 8),
        "n": found.n,
        "interval": found.settings.get("interval"),
        "data": found.settings.get("data"),
        "model": found.model_hash,
        "pairs": (pairs or provenance["records_seen"]) if aligned else None,
        "command": short_command(str(run["command"]), {found.model: "ENCODER"}),
        "aligned": short_command(str(provenance.get("command", ""))) or None,
        "commit": commit,
    }
    items = read_items(folder, found)
    if items is not None and found.statistic == "ratio":
        row["missed"], row["totals"] = pack(items[:, 1] - items[:, 0]), pack(items[:, 1])
    return {name: value for name, value in row.items() if value not in (None, {})}


def system_name(folder: Path, found: Measurement, rename: Mapping[str, str]) -> str:
    """Return the name of a system: that of the suite, or which layers an ablation reinitialized."""
    if folder.name == "whole":
        return "no layers reset"
    if folder.name.startswith("reset-"):
        return f"layers {folder.name.removeprefix('reset-')} reset"
    name = str(found.settings.get("system", found.model))
    return rename.get(f"{folder.parent.name}/{name}", rename.get(name, name))


def short_command(command: str, names: Mapping[str, str] | None = None) -> str:
    """Return a command line without folders, seeds and what does not change its result.

    Args:
        command: the command line.
        names: words that are replaced.

    >>> short_command("paralign align --model /a/e5 --pairs en-de=b/de.tsv --set training.seed=2 --out runs/x --resume")
    'paralign align --model e5 --pairs en-de=de.tsv --set training.seed=SEED'
    """
    kept: list[str] = []
    words = iter(shlex.split(command))
    for word in words:
        if word in _UNNAMED:
            next(words, None)
        elif word not in _FLAGS:
            kept.append((names or {}).get(word) or _without_folders(word))
    return shlex.join(kept)


def _without_folders(word: str) -> str:
    name, equals, value = word.rpartition("=")
    if name.endswith("training.seed"):
        return f"{name}=SEED"
    parts = [_last_names(part) for part in value.split(",")] if "/" in value else [value]
    return f"{name}{equals}{','.join(parts)}"


def _last_names(path: str) -> str:
    """Return the last name of a path; for the encoder of a run also the name of the run, without its seed."""
    names = [name for name in path.split("/") if name]
    if names[-1:] == ["encoder"] and len(names) > 1:
        return re.sub(r"-(?:seed|s)?\d+$", "", names[-2])
    return names[-1] if names else path


def added(path: Path, new: Sequence[Mapping[str, Any]]) -> int:
    """Add rows to a file; rows that it contains are skipped.

    Returns:
        how many were added.

    Raises:
        SystemExit: if the file contains another score of the same system, test set and seed.
    """
    rows: dict[tuple[str, ...], Mapping[str, Any]] = {key(row): row for row in read_rows(path)}
    before = len(rows)
    for row in new:
        other = rows.setdefault(key(row), row)
        if (other["value"], other["model"]) != (row["value"], row["model"]):
            what = " ".join(str(row.get(name)) for name in KEY)
            raise SystemExit(
                f"two scores of {what}: {other['value']} of {other['model']}, {row['value']} of {row['model']}; "
                "give one of the systems another name with --rename"
            )
    write_rows(path, rows.values())
    return len(rows) - before
