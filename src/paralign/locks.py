"""Locks of files and folders, which end with the process."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import IO, Any

from paralign.errors import UserError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["HAS_LOCKS", "acquire", "lock"]

HAS_LOCKS = fcntl is not None
"""Whether the system has locks: Windows has none."""
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


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


def acquire(file: IO[Any], path: Path, kind: str = "folder") -> None:
    """Lock an open file or folder, as :func:`lock`.

    Args:
        file: the file that is locked.
        path: what it belongs to, named in the message.
        kind: what that is.

    Raises:
        UserError: if another process has locked it.
    """
    try:
        lock(file)
    except BlockingIOError:
        raise UserError(f"another process is writing this {kind}", where=path, hint="wait until it ends") from None
