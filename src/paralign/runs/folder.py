"""A run's folder: settings, facts, and the rule that nothing of it is ever half there."""

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
    """``runs/NAME`` with ``config.toml`` and ``run.json``.

    Args:
        path: the folder.
        verb: which command it belongs to.
        resume: whether an existing run may go on.
        command: as typed; read from the process by default.
        fresh: a rerun replaces what is there: its own command and time count.

    Raises:
        UserError: if the folder is in use and ``resume`` is off, or is no run's folder.
    """

    def __init__(
        self, path: Path, verb: str, *, resume: bool = False, command: str | None = None, fresh: bool = False
    ) -> None:
        resume = resume or (fresh and (path / "run.json").is_file())
        self.path, self.verb = path, verb
        self.name = path.resolve().name
        self.main = is_main_process()
        # A kill while the very first file was being written leaves only its .part: nothing that is in use.
        used = path.exists() and (not path.is_dir() or any(f.suffix != ".part" for f in path.iterdir()))
        if used and not (resume and (path / "run.json").is_file()):
            hint = "--resume to go on with it, or another --out" if (path / "run.json").is_file() else "another --out"
            if self.main:  # the other processes may come when the first has made the folder
                raise UserError("the output folder is in use", where=path, hint=hint)
        self.resumed = used
        self._lock: int | None = None
        self.facts: dict[str, Any] = {
            "schema": 1,
            "name": self.name,
            "verb": verb,
            "command": command or _typed(),
            "version": __version__,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "status": "running",
        }
        self.before = self._read() if used else {}
        """What ``run.json`` said when the run was taken up again."""
        if not fresh:
            self.facts |= {k: v for k, v in self.before.items() if k in ("started", "command")}

    def _read(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((self.path / "run.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if facts.get("verb") != self.verb:
            raise UserError(f"this is a run of paralign {facts.get('verb')}", where=self.path, hint="another --out")
        return facts

    @property
    def finished(self) -> bool:
        """Whether the run was already brought to its end."""
        return self.before.get("status") == "done"

    def agree(self, settings: Mapping[str, Any]) -> None:
        """Refuse to go on with other settings than the run began with.

        Args:
            settings: those that decide the result; paths are not compared, what they hold is (by fingerprint).

        Raises:
            UserError: naming what differs.
        """
        path = self.path / "config.toml"
        began = load_toml(path) if self.resumed and path.is_file() else {}
        if began:
            now = tomllib.loads(dump_toml(settings))
            changed = difference({key: began[key] for key in began if key in now}, now)
            if changed:
                message = f"settings differ from those the run began with: {changed}"
                raise UserError(message, where=self.path, hint="go on with those, or another --out")

    def begin(self, settings: Mapping[str, Any], **facts: Any) -> None:
        """Write the resolved settings and what is known at the start."""
        self.facts |= facts
        if self.main:
            try:
                self.path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(f"cannot make the output folder: {error.strerror}", where=self.path) from error
            self._take()
            self.save()  # first: a folder with run.json can be resumed
            _write(self.path / "config.toml", dump_toml(settings))

    def save(self, **facts: Any) -> None:
        """Add facts to ``run.json``; a status ends the run."""
        self.facts |= facts
        try:
            if self.main:
                _write(self.path / "run.json", json.dumps(self.facts, indent=1, ensure_ascii=False) + "\n")
        finally:
            if "status" in facts:
                self._leave()

    def figure(self, name: str, kind: str, **what: Any) -> None:
        """Write ``figures/NAME.json``, what a picture of the report is drawn from; nan becomes null."""
        if self.main:
            (self.path / "figures").mkdir(exist_ok=True)
            told = json.dumps(_plain({"schema": 1, "kind": kind, **what}), ensure_ascii=False)
            _write(self.path / "figures" / f"{name}.json", told + "\n")

    def _take(self) -> None:
        """Keep other processes out of the folder until the run ends, however it ends."""
        if self._lock is not None:
            return
        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._leave()
            self.resumed = True  # what is in it is another's, not to be removed
            raise UserError(
                "another process is at work on this run", where=self.path, hint="wait for it to end"
            ) from None
        except OSError:  # a file system without locks
            self._leave()

    def _leave(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def abandon(self) -> None:
        """Remove a run that failed before anything worth keeping was in it."""
        self._leave()
        kept = [*self.path.rglob("checkpoints/step-????????"), *self.path.glob("results.jsonl")]
        if self.main and not self.resumed and not kept:
            shutil.rmtree(self.path, ignore_errors=True)


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _typed() -> str:
    program = Path(sys.argv[0]).name
    return shlex.join(["paralign" if program in ("__main__.py", "paralign") else program, *sys.argv[1:]])


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as out:
        out.write(text.encode())
