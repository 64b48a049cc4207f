"""Atomic writes: a folder or a file appears under its name only when all of it is on disk."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from paralign.errors import UserError

__all__ = ["atomic_file", "atomic_folder"]

_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would be larger than the system allows",
}
_DENIED = {errno.EACCES: "the folder is not writable", errno.EROFS: "the file system is read-only"}
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


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
    if path.exists() and not replace:
        raise UserError("already exists", where=path, hint="choose another folder, or remove this one")
    part, old = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.old")
    try:
        part.mkdir(parents=True, exist_ok=True)
        lock = (part / "lock").open("w")
    except OSError as error:
        if reason := (_FULL | _DENIED).get(error.errno or 0):
            raise UserError(reason, where=path, hint="choose another folder") from error
        raise
    with lock:
        _acquire(lock, path)
        try:
            for leftover in part.iterdir():
                if leftover.name != "lock":
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            yield part
            (part / "lock").unlink()
            for file in (*part.rglob("*"), part):
                _flush(file)
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
                path.rename(old)
            part.rename(path)
            _flush(path.parent)
            shutil.rmtree(old, ignore_errors=True)
        except Exception as error:
            if reason := _full_disk(error):
                raise UserError(reason, where=path, hint="free some space; nothing was changed") from error
            raise
        finally:
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
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        with path.open("wb") as file:
            yield file
        return
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _flush(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _acquire(lock: IO[str], path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError("another process is writing this folder", where=path, hint="wait until it ends") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # some network file systems have no locks
            raise


def _full_disk(error: Exception) -> str | None:
    """Return the reason if an error means that there is no space left; safetensors has its own error class."""
    if isinstance(error, OSError):
        return _FULL.get(error.errno or 0)
    return next((reason for number, reason in _FULL.items() if os.strerror(number) in str(error)), None)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
