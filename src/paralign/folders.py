"""Atomic writes: a folder or a file appears under its name only when all of it is on disk; files can be resumed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from paralign.digests import digested, read_object
from paralign.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "ResumableFiles",
    "atomic_file",
    "atomic_folder",
    "check_can_create",
    "check_new_folder",
    "check_outputs",
    "is_special",
    "lock",
    "require_folder",
]

_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would be larger than the system allows",
}
_DENIED = {errno.EACCES: "the folder is not writable", errno.EROFS: "the file system is read-only"}
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}
_CHECKPOINT_SECONDS = 2.0


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Write a folder that appears at ``path`` when the block ends, flushed to disk.

    The folder is written as ``.NAME.part`` next to ``path`` and renamed. If the block raises, nothing is left and an
    older ``path`` is untouched. What a killed process left behind is removed; a running process holds a lock on it.

    Args:
        path: the folder to create; parents are created too.
        replace: whether an existing folder is replaced; by default it is an error.

    Yields:
        The temporary folder to write to.

    Raises:
        UserError: if ``path`` exists and ``replace`` is off, another process is writing it, or the disk is full or not
            writable.
    """
    if not replace:
        check_new_folder(path)
    part, old = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.old")
    try:
        part.mkdir(parents=True, exist_ok=True)
        lock_file = (part / "lock").open("w")
    except FileNotFoundError:
        raise UserError("another process has just written this folder", where=path) from None
    except OSError as error:
        if reason := (_FULL | _DENIED).get(error.errno or 0):
            raise UserError(reason, where=path, hint="choose another folder") from error
        raise
    with lock_file:
        _acquire(lock_file, path)
        _check_still_there(part / "lock", lock_file, path, "folder")
        written = False
        try:
            for leftover in part.iterdir():
                if leftover.name != "lock":
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            yield part
            for file in (*part.rglob("*"), part):
                _make_readable(file, part)
                _flush(file)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
                path.rename(old)
            part.rename(path)  # the lock with it, so that no other process can begin before
            written = True
            (path / "lock").unlink()
            _flush(path.parent)
            shutil.rmtree(old, ignore_errors=True)
        except Exception as error:
            if reason := _full_disk(error):
                raise UserError(reason, where=path, hint="free some space; nothing was changed") from error
            raise
        finally:
            if not written:
                shutil.rmtree(part, ignore_errors=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears at ``path`` when the block ends, flushed to disk.

    The file is written as ``.NAME.part`` next to ``path`` and renamed. An existing file is replaced; if the block
    raises, it is untouched and nothing else is left. Devices and pipes (``/dev/null``) are written to, not replaced.

    Args:
        path: the file to write; its folder must exist.

    Yields:
        The temporary file, open for writing bytes.

    Raises:
        UserError: if the folder is not writable, or the disk is full.
    """
    if is_special(path):
        with path.open("wb") as file:
            yield file
        return
    part = path.with_name(f".{path.name}.part")
    try:
        opened = part.open("wb")
    except OSError as error:
        if reason := (_FULL | _DENIED).get(error.errno or 0):
            raise UserError(reason, where=path, hint="choose another folder") from error
        raise
    try:
        with opened as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _flush(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def require_folder(folder: Path) -> None:
    """Check that the folder of an output file exists and is writable.

    Raises:
        UserError: if it does not, with the command that creates it, or if it is not writable.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError("is not a folder", where=folder, hint="choose another folder")
    if not folder.resolve().is_dir():
        raise UserError("no such folder", where=folder, hint=f"mkdir -p {folder}")
    check_can_create(folder)


def check_can_create(folder: Path) -> None:
    """Check that a folder can be written, or created together with its parents.

    Raises:
        UserError: if it is called ``-``, one of its parents is a file, or the folder or its nearest existing parent is
            not writable.
    """
    if str(folder) == "-":
        raise UserError("a folder cannot be standard output", where=folder, hint="name a folder")
    full = folder.absolute()
    nearest = next(path for path in (full, *full.parents) if os.path.lexists(path))
    if nearest != full and not nearest.is_dir():
        message = f"the folder cannot be created: {nearest} is not a folder"
        raise UserError(message, where=folder, hint="choose another folder")
    if nearest.is_dir() and not os.access(nearest, os.W_OK | os.X_OK):
        what = "the folder is" if nearest == full else f"the folder cannot be created: {nearest} is"
        raise UserError(f"{what} not writable", where=folder, hint="choose another folder")


def check_new_folder(folder: Path) -> None:
    """Check that a folder does not exist and can be created.

    Raises:
        UserError: if it exists or cannot be created.
    """
    if folder.exists():
        raise UserError("already exists", where=folder, hint="choose another folder, or remove this one")
    check_can_create(folder)


def check_outputs(outputs: Iterable[str | Path], inputs: Iterable[str | Path], *, force: bool = False) -> None:
    """Check that output files can be written, are neither the same file nor an input, and do not exist.

    Args:
        outputs: the output files.
        inputs: the files that are read; ``-`` is standard input.
        force: existing files are replaced. An input never is.

    Raises:
        UserError: naming the first file that cannot be written, or ``-``: commands that write to standard output do not
            pass it.
    """
    used = {Path(path).resolve() for path in inputs if str(path) != "-"}
    for output in map(Path, outputs):
        if str(output) == "-":
            raise UserError("cannot be written to standard output", where=output, hint="name a file")
        if is_special(output):
            continue  # written to, not replaced
        require_folder(output.parent)
        if output.is_dir():
            raise UserError("is a folder, not a file", where=output, hint="name a file")
        if output.resolve() in used:
            raise UserError(
                "the output file is also an input or another output", where=output, hint="name another file"
            )
        if output.exists() and not force:
            raise UserError("already exists", where=output, hint="use --force to replace it")
        used.add(output.resolve())


def is_special(path: Path) -> bool:
    """Return whether there is a pipe or a device at a path."""
    return path.exists() and not path.is_file() and not path.is_dir()


class ResumableFiles:
    """Files that are written block by block, appear when all is written, and are continued if the process was killed.

    The files are written as ``.NAME.part`` next to their names; ``.NAME.part.json``, next to the first, records every
    two seconds how much of them is on disk. Used in a ``with`` block, which locks them and sets ``done`` and
    ``changed``. If it raises ``UserError``, the temporary files are removed; otherwise, they are kept if there
    is a record.

    Args:
        paths: the files; their folders must exist.
        identity: what the content depends on, a JSON object; a record with another identity is not continued. Default
            ``None``: there is no record.

    Attributes:
        done: number of items that the files contain; ``None`` if there is no record to continue.
        changed: keys of ``identity`` that differ from those of a record that is not continued.
    """

    def __init__(self, paths: Sequence[Path], identity: Mapping[str, Any] | None) -> None:
        self.paths, self.identity = list(paths), None if identity is None else digested(identity)
        self.done: int | None = None
        self.changed: list[str] = []
        self._parts = [path.with_name(f".{path.name}.part") for path in paths]
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
                file: IO[bytes] = self._stack.enter_context(part.open("ab"))
                _acquire(file, path, "file")
                _check_still_there(part, file, path, "file")
                self._files.append(file)
            sizes = self._read_record()
            for opened, size in zip(self._files, sizes, strict=True):
                opened.truncate(size)
            self._items = self.done or 0
        except OSError as error:
            self._stack.close()
            raise UserError(f"cannot be written: {error.strerror}", where=self.paths[0]) from None
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
            file.flush()
            os.fsync(file.fileno())
        sizes = [os.fstat(file.fileno()).st_size for file in self._files]
        record = digested({"identity": self.identity, "sizes": sizes, "done": self._items})
        with atomic_file(self._record) as out:
            out.write(json.dumps(record).encode())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if kind is None:
                for file, part, path in zip(self._files, self._parts, self.paths, strict=True):
                    file.flush()
                    os.fsync(file.fileno())
                    part.replace(path)
                    _flush(path.parent)
            if kind is None or issubclass(kind, UserError) or not self._record.exists():
                for path in (self._record, *self._parts):
                    path.unlink(missing_ok=True)


def _check_still_there(part: Path, file: IO[Any], path: Path, kind: str) -> None:
    """Check that a file was not renamed by another process between opening and locking it."""
    if not part.exists() or not os.path.samestat(part.stat(), os.fstat(file.fileno())):
        raise UserError(f"another process has just written this {kind}", where=path)


def lock(file: IO[Any] | int) -> bool:
    """Lock an open file or folder until it is closed.

    Returns:
        Whether it is locked; there are no locks on Windows and on some network file systems.

    Raises:
        BlockingIOError: if another process has locked it.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True


def _acquire(file: IO[Any], path: Path, kind: str = "folder") -> None:
    try:
        lock(file)
    except BlockingIOError:
        raise UserError(f"another process is writing this {kind}", where=path, hint="wait until it ends") from None


def _full_disk(error: Exception) -> str | None:
    """Return the reason if an error means that there is no space left; safetensors has its own error class."""
    if isinstance(error, OSError):
        return _FULL.get(error.errno or 0)
    return next((reason for number, reason in _FULL.items() if os.strerror(number) in str(error)), None)


def _make_readable(file: Path, folder: Path) -> None:
    """Let everybody read a file who can read its folder; safetensors makes files that only their owner can read."""
    mode = file.stat(follow_symlinks=False).st_mode
    readable = mode | folder.stat().st_mode & 0o444
    if stat.S_ISREG(mode) and mode != readable:
        with suppress(PermissionError):  # of file systems without modes
            file.chmod(readable)


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
