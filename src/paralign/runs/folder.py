"""The folder of a run: settings, summary and figures. Each file is written completely or not at all."""

from __future__ import annotations

import datetime
import fcntl
import json
import math
import os
import shlex
import shutil
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from paralign.config import difference, dump_toml, load_toml
from paralign.console import is_main_process
from paralign.errors import UserError
from paralign.folders import atomic_file
from paralign.version import __version__

__all__ = ["RunFolder"]


class RunFolder:
    """The folder ``runs/NAME`` with ``config.toml`` and ``run.json``.

    Args:
        path: the folder.
        verb: name of the command.
        resume: whether an existing run may be continued.
        command: the command line. None: that of this process.
        fresh: whether a rerun replaces the command and start time of an existing run.

    Raises:
        UserError: if the folder is in use and ``resume`` is off, or if it belongs to another command.
    """

    def __init__(
        self, path: Path, verb: str, *, resume: bool = False, command: str | None = None, fresh: bool = False
    ) -> None:
        resume = resume or (fresh and (path / "run.json").is_file())
        self.path, self.verb = path, verb
        self.name = path.resolve().name
        self.main = is_main_process()
        # A run that was killed while it wrote its first file leaves only temporary files.
        used = path.exists() and (not path.is_dir() or any(f.suffix != ".part" for f in path.iterdir()))
        if used and not (resume and (path / "run.json").is_file()):
            hint = "--resume to continue it, or another --out" if (path / "run.json").is_file() else "another --out"
            if self.main:  # other processes may arrive after the first one has created the folder
                raise UserError("the output folder is in use", where=path, hint=hint)
        self.resumed = used
        self._lock: int | None = None
        self.facts: dict[str, Any] = {
            "schema": 1,
            "name": self.name,
            "verb": verb,
            "command": command or _command_line(),
            "version": __version__,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "status": "running",
        }
        self.before = self._read() if used else {}
        """Contents of ``run.json`` when the run was resumed."""
        if not fresh:
            self.facts |= {k: v for k, v in self.before.items() if k in ("started", "command")}

    def _read(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        if not isinstance(facts, dict):
            raise UserError("not a JSON object", where=self.path / "run.json", hint="use another --out")
        if facts.get("verb") != self.verb:
            raise UserError(f"this is a run of paralign {facts.get('verb')}", where=self.path, hint="use another --out")
        return facts

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return self.before.get("status") == "done"

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Check that a run is resumed with the settings it began with.

        Args:
            settings: settings that affect the result. Paths are not compared; the contents of files are, by digest.

        Raises:
            UserError: naming the settings that differ.
        """
        path = self.path / "config.toml"
        before = load_toml(path) if self.resumed and path.is_file() else {}
        if before:
            now = tomllib.loads(dump_toml(settings))
            changed = difference({key: before[key] for key in before if key in now}, now)
            if changed:
                message = f"settings differ from those the run began with: {changed}"
                raise UserError(message, where=self.path, hint="resume with those settings, or use another --out")

    def begin(self, settings: Mapping[str, Any], **facts: Any) -> None:
        """Create the folder and write the resolved settings and the first facts."""
        self.facts |= facts
        if self.main:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"cannot create the output folder: {error.strerror}", where=self.path) from error
            self._lock_folder()
            self.save()  # first, because a folder with run.json can be resumed
            _write(self.path / "config.toml", dump_toml(settings))

    def save(self, **facts: Any) -> None:
        """Add facts to ``run.json``. A ``status`` ends the run and unlocks the folder."""
        self.facts |= facts
        try:
            if self.main:
                _write(self.path / "run.json", json.dumps(self.facts, indent=1, ensure_ascii=False) + "\n")
        finally:
            if "status" in facts:
                self._unlock()

    def figure(self, name: str, kind: str, **values: Any) -> None:
        """Write the data of a figure of the report to ``figures/NAME.json``; NaN becomes null."""
        if self.main:
            (self.path / "figures").mkdir(exist_ok=True)
            text = json.dumps(_json_values({"schema": 1, "kind": kind, **values}), ensure_ascii=False)
            _write(self.path / "figures" / f"{name}.json", text + "\n")

    def _lock_folder(self) -> None:
        """Lock the folder against other processes until the run ends."""
        if self._lock is not None:
            return
        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._unlock()
            self.resumed = True  # the contents belong to another process and must not be removed
            raise UserError(
                "another process is running in this folder", where=self.path, hint="wait until it ends"
            ) from None
        except OSError:  # a file system without locks
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def abandon(self) -> None:
        """Remove the folder of a run that failed before it had results or checkpoints."""
        self._unlock()
        results = [*self.path.rglob("checkpoints/step-????????"), *self.path.glob("results.jsonl")]
        if self.main and not self.resumed and not results:
            shutil.rmtree(self.path, ignore_errors=True)


def _json_values(value: Any) -> Any:
    """Convert dataclasses to dictionaries, and NaN to None."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {key: _json_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json_values(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _command_line() -> str:
    program = Path(sys.argv[0]).name
    return shlex.join(["paralign" if program in ("__main__.py", "paralign") else program, *sys.argv[1:]])


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as out:
        out.write(text.encode())
