"""A folder that is there whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paralign.errors import UserError

__all__ = ["whole_folder"]


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Make ``out`` under the name ``out.part`` and rename it at the end; on any exception nothing stays.

    What a killed process left under that name is cleared away; a live process holds a lock on it.

    Yields:
        the folder to write to.

    Raises:
        UserError: if ``out`` exists, another process is writing it, or the disk is full.
    """
    if out.exists():
        raise UserError("is in use", where=out, hint="name another folder, or remove this one")
    part = out.with_name(out.name + ".part")
    with _disk_errors(part):
        part.mkdir(parents=True, exist_ok=True)
        lock = (part / "lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError("another process is writing it", where=part, hint="wait for it to end") from None
        try:
            for old in part.iterdir():
                if old.name != "lock":
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
            with _disk_errors(part):
                yield part
                (part / "lock").unlink()
                part.rename(out)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise


@contextmanager
def _disk_errors(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reasons = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
        reasons |= {errno.EACCES: "the folder may not be written to", errno.EROFS: "the disk is read-only"}
        if error.errno in reasons:
            raise UserError(reasons[error.errno], where=where, hint="make room, or name another place") from error
        raise
