"""Files that are written block by block, and continued if the process was killed."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from paralign.digests import digested, read_object
from paralign.errors import UserError
from paralign.folders import FULL, OutputFile, check_still_there, flush, sync, written_file
from paralign.locks import acquire

__all__ = ["ResumableFiles"]

_CHECKPOINT_SECONDS = 2.0


class ResumableFiles:
    """Files that are written block by block, appear when all is written, and are continued if the process was killed.

    The files are written as ``.NAME.part`` next to their names; ``.NAME.part.json``, next to the first, records every
    two seconds how much of them is on disk. Used in a ``with`` block, which locks them and sets ``done`` and
    ``changed``. If it raises ``UserError``, the temporary files are removed; otherwise, they are kept if there
    is a record, also on a full disk. Of a symbolic link, the file that it points to is written.

    Args:
        paths: the files; their folders must exist.
        identity: what the content depends on, a JSON object; a record with another identity is not continued. Default
            ``None``: there is no record.

    Attributes:
        done: number of items that the files contain; ``None`` if there is no record to continue.
        changed: keys of ``identity`` that differ from those of a record that is not continued.
        kept: whether the temporary files were kept, to be continued, when the block raised.
    """

    def __init__(self, paths: Sequence[Path], identity: Mapping[str, Any] | None) -> None:
        self.paths, self.identity = list(paths), None if identity is None else digested(identity)
        self.done: int | None = None
        self.changed: list[str] = []
        self.kept = True
        self._targets = [path.resolve() if path.is_symlink() else path for path in paths]
        self._parts = [path.with_name(f".{path.name}.part") for path in self._targets]
        self._record = self._parts[0].with_name(f"{self._parts[0].name}.json")
        self._files: list[IO[bytes]] = []
        self._items, self._saved = 0, 0.0

    def __enter__(self) -> ResumableFiles:
        self._stack = ExitStack()
        for path in self.paths:
            if path.exists() and not path.is_file():
                raise UserError("is a folder, a pipe or a device", where=path, hint="name a file")
        try:
            for part, path in zip(self._parts, self.paths, strict=True):
                file = self._stack.enter_context(io.BufferedWriter(OutputFile(part, path, "ab")))
                acquire(file, path, "file")
                check_still_there(part, file, path, "file")
                self._files.append(file)
            sizes = self._read_record()
            for opened, size in zip(self._files, sizes, strict=True):
                opened.truncate(size)
            self._items = self.done or 0
        except OSError as error:
            self._stack.close()
            reason = FULL.get(error.errno or 0, f"cannot be written: {error.strerror}")
            raise UserError(reason, where=self.paths[0]) from None
        except BaseException:
            self._stack.close()
            raise
        return self

    def _read_record(self) -> list[int]:
        """Return the sizes from which to continue."""
        start = [0] * len(self._files)
        try:
            record = read_object(self._record, "")
        except (FileNotFoundError, UserError):
            return start
        identity, sizes = record["identity"], record["sizes"]
        if len(sizes) != len(self._files):
            self.changed = ["the number of output files"]
        elif identity != self.identity:
            now = self.identity or {}
            keys = {*identity, *now} - {"digest"}
            self.changed = sorted(key for key in keys if identity.get(key) != now.get(key))
        elif all(os.fstat(file.fileno()).st_size >= size for file, size in zip(self._files, sizes, strict=True)):
            self.done = int(record["done"])
            return list(sizes)
        self._record.unlink()
        return start

    def write(self, blocks: Sequence[bytes], items: int) -> None:
        """Append a block to each file.

        Args:
            blocks: bytes for each of the files.
            items: number of items in the block.
        """
        for file, block in zip(self._files, blocks, strict=True):
            file.write(block)
        self._items += items
        if time.monotonic() - self._saved >= _CHECKPOINT_SECONDS:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Record what has been written, once it is on disk."""
        self._saved = time.monotonic()
        if self.identity is None:
            return
        for file in self._files:
            sync(file)
        sizes = [os.fstat(file.fileno()).st_size for file in self._files]
        record = digested({"identity": self.identity, "sizes": sizes, "done": self._items})
        with written_file(self._record) as out:
            out.write(json.dumps(record).encode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed: BaseException | None = error
        try:
            with self._stack:
                if kind is None:
                    try:
                        self._publish()
                    except OSError as stopped:
                        failed = stopped
                self.kept = failed is not None and not isinstance(failed, UserError) and self._record.exists()
                if not self.kept:
                    for path in (self._record, *self._parts):
                        path.unlink(missing_ok=True)
        except OSError as closing:  # the rest of a buffer, on a full disk
            failed = failed or closing
        if isinstance(failed, OSError) and (reason := FULL.get(failed.errno or 0)):
            where = failed.filename if failed.filename in map(str, self.paths) else self.paths[0]
            hint = "free some space" + (
                ", and run the same command again to continue" if self.kept else "; nothing was changed"
            )
            raise UserError(reason, where=where, hint=hint) from failed
        if failed is not error and failed is not None:
            raise failed

    def _publish(self) -> None:
        for file in self._files:  # all before the first is renamed: on a full disk, nothing is changed
            sync(file)
        for part, target in zip(self._parts, self._targets, strict=True):
            part.replace(target)
            flush(target.parent)
