"""The log of a run, one JSON object per line, and a progress line on the terminal."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
from pathlib import Path
from typing import IO, Any

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from paralign.console import printable
from paralign.errors import UserError
from paralign.folders import OutputFile, sync

__all__ = ["ProgressLine", "RunLog"]

_EVERY = 20.0
"""Seconds between plain lines of progress."""


class RunLog:
    """Appends to ``log.jsonl``; on resume, entries written after the checkpoint are removed first.

    Args:
        path: the file. None: write nothing (processes other than the first).
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None
        self._hasher = hashlib.blake2b(digest_size=16)

    def open(self, keep: int = 0, digest: str | None = None) -> None:
        """Open for appending after the first ``keep`` bytes; the rest is removed.

        Args:
            keep: number of bytes to keep; a log that was removed starts again.
            digest: digest of these bytes. None: not checked.

        Raises:
            UserError: if the log is damaged.
        """
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        with self._path.open("r+b") as file:
            kept = file.read(keep)
            self._hasher.update(kept)
            if kept and digest is not None and digest != self.digest():
                hint = "rename it to continue without its entries"
                raise UserError("the file is damaged: it is not what paralign wrote", where=self._path, hint=hint)
            file.truncate(len(kept))
        self._file = io.BufferedWriter(OutputFile(self._path, self._path, "ab"))

    def write(self, **entry: Any) -> None:
        """Append one entry and hand it to the operating system."""
        if self._file is not None:
            line = json.dumps(entry).encode() + b"\n"
            self._file.write(line)
            self._file.flush()
            self._hasher.update(line)

    def sync(self) -> None:
        """Write the entries to disk, before a checkpoint that records their size and digest."""
        if self._file is not None:
            sync(self._file)

    def size(self) -> int:
        """Return the bytes written so far; stored in checkpoints."""
        return self._file.tell() if self._file is not None else 0

    def digest(self) -> str:
        """Return the digest of the bytes written so far; stored in checkpoints."""
        return self._hasher.hexdigest()

    def close(self) -> None:
        """Write the entries to disk and close the file."""
        try:
            self.sync()
        finally:
            if self._file is not None:
                self._file.close()


class ProgressLine:
    """A progress bar on a terminal; elsewhere a plain line every few seconds, on standard error.

    Args:
        title: name of the run.
        total: number of steps.
        quiet: show nothing.
    """

    def __init__(self, title: str, total: int, *, quiet: bool = False) -> None:
        self._title, self._total = printable(title), total
        self._last = time.monotonic()
        self._quiet = quiet
        self._bar: Progress | None = None
        if not quiet and sys.stderr.isatty():
            from rich.console import Console

            self._bar = Progress(
                TextColumn("{task.description}", markup=False),  # the name of a folder
                BarColumn(),
                TextColumn("{task.completed}/{task.total}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(self._title, total=total, note="")
            self._bar.start()

    def update(self, done: int, note: str = "") -> None:
        """Show the number of steps done and a note."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, note=note)
        elif not self._quiet and (time.monotonic() - self._last > _EVERY or done == self._total):
            self._last = time.monotonic()
            print(f"{self._title} {done:,}/{self._total:,}  {note}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Restore the terminal."""
        if self._bar is not None:
            self._bar.stop()
