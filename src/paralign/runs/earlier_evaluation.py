"""The evaluations already in an output folder, and how a new one is merged with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from paralign.config import difference
from paralign.errors import UserError
from paralign.results import Measurement, read_results
from paralign.runs.folder import RunFolder

__all__ = ["EarlierEvaluation"]


class EarlierEvaluation:
    """The evaluations in an output folder. Nothing is written here: each method returns the merged content.

    Args:
        folder: the output folder, claimed. Without results, it counts as empty.
    """

    def __init__(self, folder: RunFolder) -> None:
        has_results = (folder.path / "results.jsonl").exists()
        self._path = folder.path
        self._facts: Mapping[str, Any] = folder.before if has_results else {}
        self._rows = {row.key(): row for row in read_results(folder.path)} if has_results else {}

    def datasets(
        self,
        data: Sequence[str],
        names: Sequence[str],
        files: Sequence[Sequence[Mapping[str, Any]]],
        rows: Sequence[Sequence[Measurement]],
    ) -> dict[str, list[str]]:
        """Return the sources of each data set, with those of this evaluation.

        Args:
            data: test data of this evaluation, each as ``LANG=PATH``.
            names: their names in tables.
            files: their files, from :func:`paralign.runs.inputs.data_files`.
            rows: their scores.

        Raises:
            UserError: if scores of other data with the same name would be replaced.
        """
        merged: dict[str, list[str]] = dict(self._facts.get("datasets", {}))
        for spec, name, entries, scores in zip(data, names, files, rows, strict=True):
            source, known = _source(spec, entries), merged.get(name, [])
            # The same data may have changed, or be evaluated with another limit.
            if source not in known and any(_has_other_data(self._rows.get(row.key()), row) for row in scores):
                message = f"other data named {name!r} have scores in {self._path}, which would be replaced"
                raise UserError(message, where=spec, hint="use another --out, or --dataset NAME")
            merged[name] = list(dict.fromkeys([*known, source]))
        return merged

    def inputs(self, inputs: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Return the input files of all evaluations, of this one where they changed, without empty lists."""
        before: Mapping[str, Sequence[Any]] = self._facts.get("inputs", {})
        merged = {}
        for kind, files in inputs.items():
            paths = {file["path"] for file in files}
            merged[kind] = [*(file for file in before.get(kind, ()) if file["path"] not in paths), *files]
        return {kind: files for kind, files in merged.items() if files}

    def alarms(
        self, data: Sequence[str], warnings: Sequence[Sequence[str]], rows: Sequence[Sequence[Measurement]]
    ) -> dict[str, Any]:
        """Return the warnings of all evaluations, as ``run.json`` records them.

        Args:
            data: test data of this evaluation, each as ``LANG=PATH``.
            warnings: the warnings about each.
            rows: its scores. Warnings belong to scores and are replaced together with them.
        """
        merged = dict(self._facts.get("alarms_of", {}))
        for spec, found, scores in zip(data, warnings, rows, strict=True):
            merged.pop(spec, None)  # of an evaluation without rows
            merged[" ".join(scores[0].key()) if scores else spec] = list(found)
        of = {key: found for key, found in merged.items() if found}
        return {"alarms": list(dict.fromkeys(chain.from_iterable(of.values()))), "alarms_of": of}

    def note_of_replaced(self, rows: Iterable[Measurement]) -> str:
        """Return a note on scores of other data, settings or maps that ``rows`` replace; empty if there are none."""
        changed: list[str] = []
        for row in rows:
            old = self._rows.get(row.key())
            if old is not None:
                was, now = ({name: one.settings.get(name, []) for name in ("maps", "task")} for one in (old, row))
                items = f"{old.n:,} items before, {row.n:,} now" if old.n != row.n else "the data have changed"
                changed += filter(None, [difference(was, now) or (items if _has_other_data(old, row) else "")])
        if not changed:
            return ""
        some = f"{len(changed)} scores in {self._path} are replaced: {changed[0]}"
        return f"note: {some}; with another --out both are kept"


def _source(spec: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Return a spec with the absolute paths of its files."""
    paths = ",".join(str(Path(entry["path"]).resolve()) for entry in entries)
    return f"{spec.partition('=')[0].strip()}={paths}" if entries else spec


def _has_other_data(old: Measurement | None, row: Measurement) -> bool:
    """Return whether an earlier row was measured on other data, or with other gold answers."""
    return old is not None and any(old.settings.get(name) != row.settings.get(name) for name in ("data", "gold"))
