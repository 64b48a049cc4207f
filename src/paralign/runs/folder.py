"""The folder of a run: settings, summary and figures. Each file is written completely or not at all."""

from __future__ import annotations

import datetime
import json
import math
import os
import shlex
import shutil
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path, PurePath
from typing import Any, Self

from paralign.config import difference, dump_toml, fixed_settings, load_toml
from paralign.console import is_command_line, is_main_process
from paralign.digests import DAMAGED, check_schema, digested, file_digest, read_object
from paralign.errors import UserError
from paralign.folders import atomic_file, check_can_create
from paralign.formats.archives import split_member
from paralign.locks import lock
from paralign.version import __version__

__all__ = ["RunFolder"]

_NOT_STARTED = "not started"
"""Status of a run that failed before its first step. Only its token store is kept, which took the longest."""
_PREPARED = ("config.toml", "dictionary.tsv", "links", "seen.npy", "tokenizer")
"""What a run writes before its first step, apart from ``run.json`` and the token store."""


class RunFolder:
    """The folder ``runs/NAME`` with ``config.toml`` and ``run.json``.

    Args:
        path: the folder.
        verb: name of the command.
        resume: whether an existing run may be continued.
        command: the command line. None: that of this process.
        fresh: whether a rerun replaces the command and start time of an existing run.

    Raises:
        UserError: if the folder is not empty and ``resume`` is off, cannot be written, belongs to another command, or
            ``run.json`` is damaged.
    """

    def __init__(
        self, path: Path, verb: str, *, resume: bool = False, command: str | None = None, fresh: bool = False
    ) -> None:
        resume = resume or (fresh and (path / "run.json").is_file())
        check_can_create(path)
        self.path, self.verb = path, verb
        self.name = path.resolve().name
        self.main = is_main_process()
        # A run that was killed while it wrote its first file leaves only the temporary name of that file.
        used = path.exists() and (not path.is_dir() or any(f.name != ".run.json.part" for f in path.iterdir()))
        before = self._read() if used else {}
        self._found = before
        if before.get("status") == _NOT_STARTED:
            used, before = False, {}
        for log, digest in before.get("logs", {}).items() if resume else ():
            if (path / log).is_file() and file_digest(path / log) != digest:
                raise UserError(DAMAGED, where=path / log, hint="restore it, or rename it to do without its entries")
        if used and not (resume and (path / "run.json").is_file()):
            hint = f"use {'--resume to continue it, or ' if (path / 'run.json').is_file() else ''}another --out"
            if self.main:  # other processes may arrive after the first one has created the folder
                problem = "the output folder is not empty" if path.is_dir() else "is a file, not a folder"
                raise UserError(problem, where=path, hint=hint)
        self.resumed = used
        self._lock: int | None = None
        self._begun = self._created = False
        self.before = before
        """Contents of ``run.json`` when the run was resumed."""
        self.facts: dict[str, Any] = ({} if fresh else before) | {
            "schema": 1,
            "name": self.name,
            "verb": verb,
            "command": command or _command_line(),
            "version": __version__,
            "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "status": "running",
        }
        if not fresh:
            self.facts |= {k: v for k, v in before.items() if k in ("started", "command")}
            if more := _more_commands(before, self.facts["command"], command or _command_line()):
                self.facts["more_commands"] = more

    def _read(self) -> dict[str, Any]:
        try:
            facts = read_object(self.path / "run.json", "restore it, or use another --out")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        check_schema(facts, 1, self.path / "run.json", "use another --out")
        if facts.get("verb") != self.verb:
            raise UserError(f"this is a run of paralign {facts.get('verb')}", where=self.path, hint="use another --out")
        return facts

    def check_encoder(self, fact: str, digest: str) -> None:
        """Check that a run is resumed with the encoder it began with; those of the Hub have no files to compare.

        Args:
            fact: under which name ``run.json`` records the digest.
            digest: digest of the weights of this encoder.

        Raises:
            UserError: if it is another one.
        """
        if self.before.get(fact, digest) != digest:
            message = "the encoder is not the encoder this run began with"
            raise UserError(message, where=self.path, hint="use another --out")

    @property
    def finished(self) -> bool:
        """Whether the run is finished."""
        return self.before.get("status") == "done"

    def check_settings(self, settings: Mapping[str, Any]) -> None:
        """Check that a run is resumed with the settings it began with.

        Args:
            settings: settings that affect the result. In ``data`` and ``dev``, files are compared by name; their
                contents are compared by digest (:func:`paralign.runs.inputs.check_inputs`), wherever they are.

        Raises:
            UserError: naming the settings that differ.
        """
        path = self.path / "config.toml"
        before = load_toml(path) if self.resumed and path.is_file() else {}
        if before:
            now = tomllib.loads(dump_toml(settings))
            same = {key: value for key, value in before.items() if key in now}
            if changed := difference(_movable(fixed_settings(same)), _movable(fixed_settings(now))):
                message = f"settings differ from those the run began with: {changed}"
                raise UserError(message, where=path, hint="resume with those settings, or use another --out")

    def check_rerun(self, settings: Mapping[str, Any]) -> None:
        """Check that the results that a rerun replaces are those of the same settings, or of a run that did not end.

        Args:
            settings: all settings, as they are passed to :meth:`begin`.

        Raises:
            UserError: naming the settings that differ.
        """
        path = self.path / "config.toml"
        if not self.finished or not path.is_file() or not self.main:
            return
        if changed := difference(load_toml(path), tomllib.loads(dump_toml(settings))):
            message = f"the output folder has results of other settings: {changed}"
            raise UserError(message, where=self.path, hint="use another --out, or remove this folder")

    def claim(self) -> None:
        """Create the folder and lock it against other processes. Nothing is written: it can still be abandoned.

        Raises:
            UserError: if the folder cannot be created, is locked by another process, or another process has written to
                it since this object was made: its facts would be lost.
        """
        if not self.main:
            return
        try:
            self.path.mkdir(parents=True)
            self._created = True
        except OSError as error:
            if not self.path.is_dir():
                raise UserError(f"cannot create the output folder: {error.strerror}", where=self.path) from error
        self._lock_folder()
        if not self._begun and self._read() != self._found:
            self._unlock()
            hint = "run the command again"
            raise UserError("another process has just written this folder", where=self.path, hint=hint)

    def begin(self, settings: Mapping[str, Any], **facts: Any) -> None:
        """Create the folder and write the resolved settings and the first facts.

        Raises:
            UserError: as :meth:`claim`.
        """
        self.facts |= facts
        self.claim()
        if self.main:
            self._begun = True
            self.save()  # first, because a folder with run.json can be resumed
            _write(self.path / "config.toml", dump_toml(settings))

    def save(self, **facts: Any) -> None:
        """Add facts to ``run.json``. A ``status`` ends the run and unlocks the folder."""
        self.facts |= facts
        try:
            if self.main:
                text = json.dumps(digested(self.facts), indent=1, ensure_ascii=False)
                _write(self.path / "run.json", text + "\n")
        finally:
            if "status" in facts:
                self._unlock()

    def figure(self, name: str, kind: str, **values: Any) -> None:
        """Write the data of a figure of the report to ``figures/NAME.json``; NaN becomes null."""
        if self.main:
            (self.path / "figures").mkdir(exist_ok=True)
            text = json.dumps(digested(_json_values({"schema": 1, "kind": kind, **values})), ensure_ascii=False)
            _write(self.path / "figures" / f"{name}.json", text + "\n")

    def _lock_folder(self) -> None:
        """Lock the folder against other processes until the run ends."""
        if self._lock is not None or os.name == "nt":  # Windows cannot open folders
            return
        self._lock = os.open(self.path, os.O_RDONLY)
        try:
            locked = lock(self._lock)
        except BlockingIOError:
            self._unlock()
            raise UserError(
                "another process is running in this folder", where=self.path, hint="wait until it ends"
            ) from None
        if not locked:
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Abandon the run if the block raises."""
        if kind is not None:
            self.abandon()

    def abandon(self) -> None:
        """End a run that failed.

        A run that has trained is kept with its log, and what an analysis has written for the same command to replace.
        Otherwise what it prepared is removed, except for the token store: with one, the same command can be given
        again. Other files in the folder are not touched.
        """
        if not self._begun or not self.main:
            self._unlock()
            if self._created:
                with suppress(OSError):
                    self.path.rmdir()
            return
        trained = [*self.path.rglob("checkpoints/step-????????"), *self.path.glob("results.jsonl")]
        trained += [log for log in self.path.rglob("log.jsonl") if log.stat().st_size]
        written = [*self.path.glob("figures"), *self.path.glob("items"), *self.path.glob("*.tsv")]
        if self.resumed or trained or {file.name for file in written} - {*_PREPARED}:  # the same command replaces them
            self.save(status="failed")
            return
        for name in _PREPARED:
            _remove(self.path / name)
        if (self.path / "corpus").is_dir():
            self.save(status=_NOT_STARTED)
            return
        self._unlock()
        _remove(self.path / "run.json")
        for seed in self.path.glob("seed-*"):
            (seed / "log.jsonl").unlink(missing_ok=True)  # empty
            with suppress(OSError):
                seed.rmdir()
        (self.path / "log.jsonl").unlink(missing_ok=True)
        with suppress(OSError):  # files of the user
            self.path.rmdir()


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


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
    return shlex.join(["paralign" if is_command_line() else Path(sys.argv[0]).name, *sys.argv[1:]])


def _more_commands(before: Mapping[str, Any], first: str, command: str) -> list[str]:
    """Return the commands after the first one that wrote into a folder, such as several evaluations, each once."""
    known = {first.replace(" --resume", "")}
    texts = [text.replace(" --resume", "") for text in (*before.get("more_commands", ()), command)]
    return [text for text in dict.fromkeys(texts) if text not in known]


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as out:
        out.write(text.encode())


def _movable(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _without_folders(value) if key in ("data", "dev") else value for key, value in settings.items()}


def _without_folders(value: Any) -> Any:
    """Return specs (``LANG=PATH``, ``LANG=PATH,PATH``) without the folders of their files, in lists and tables.

    >>> _without_folders({"eval": ["en-de=a/b/x.en,a/b/x.de", "en=hub:org/name#config", "en=smallworld:0-9"]})
    {'eval': ['en-de=x.en,x.de', 'en=hub:org/name#config', 'en=smallworld:0-9']}
    >>> _without_folders("en=data/xnli.zip!dev/en.tsv")
    'en=xnli.zip!dev/en.tsv'
    """
    if isinstance(value, Mapping):
        return {key: _without_folders(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_folders(item) for item in value]
    if not isinstance(value, str) or "=" not in value or value.partition("=")[2].startswith("hub:"):
        return value
    tag, _, paths = value.partition("=")
    return f"{tag}={','.join(map(_file_name, paths.split(',')))}"


def _file_name(path: str) -> str:
    """Return the name of a file; of one in an archive, the name of the archive and the whole path in it."""
    archive, member = split_member(path)
    return f"{PurePath(archive).name}!{member}" if member else PurePath(path).name
