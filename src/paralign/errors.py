"""The error for input or settings that cannot be used, and the exception of a run that a signal stopped."""

from __future__ import annotations

import errno
from pathlib import Path

__all__ = ["Stopped", "UserError", "file_location", "outside_error"]

_SYSTEM = ("ENOSPC", "EDQUOT", "EFBIG", "EACCES", "EPERM", "EROFS", "EIO", "ENAMETOOLONG", "ELOOP", "ENOTDIR", "EISDIR",
           "EMFILE", "ENFILE")  # fmt: skip
_NO_MEMORY = ("can't allocate memory", "Storage size calculation overflowed")


class UserError(ValueError):
    """Input or settings that cannot be used. The message is one line: what is wrong, where, and how to fix it.

    The command line prints it without a traceback and exits with code 2.

    Args:
        message: what is wrong.
        where: the file, or ``file:line``; ``None`` if the error is not in a file.
        hint: how to fix it; shown in parentheses.

    >>> print(UserError("unknown label 'x'", where="test.tsv:7", hint="use 0 or 1"))
    test.tsv:7: unknown label 'x' (use 0 or 1)
    """

    def __init__(self, message: str, *, where: str | Path | None = None, hint: str | None = None) -> None:
        self.message = " ".join(str(message).split())
        self.where = None if where is None else str(where)
        self.hint = None if hint is None else " ".join(hint.split())
        head = f"{self.where}: " if self.where else ""
        tail = f" ({self.hint})" if self.hint else ""
        super().__init__(f"{head}{self.message}{tail}")


class Stopped(BaseException):
    """The run was asked to stop and has saved a checkpoint.

    Like ``KeyboardInterrupt``, it is not an ``Exception``: code that continues after an error must end here.

    Args:
        signum: the signal.
        step: the step after which a run stopped. None: several runs stopped, or the run had ended.

    Attributes:
        code: exit code, 130 for Ctrl-C and 143 for SIGTERM.
    """

    def __init__(self, signum: int, step: int | None) -> None:
        self.code = 128 + signum
        where = "" if step is None else f" after step {step:,}; the checkpoint is saved"
        super().__init__(f"stopped{where}, continue with --resume")


def file_location(path: str | Path, line: int | None = None) -> str:
    """Return ``path:line``, or ``path`` if the line is ``None``: the beginning of messages about a file."""
    return str(path) if line is None else f"{path}:{line}"


def outside_error(error: BaseException) -> UserError | None:
    """Return a one-line error for one whose cause is outside of paralign: the system, or too little memory.

    >>> print(outside_error(OSError(errno.ENOSPC, "No space left on device", "out/run.json")))
    out/run.json: No space left on device
    """
    if isinstance(error, OSError) and errno.errorcode.get(error.errno or 0) in _SYSTEM:
        return UserError(error.strerror or "", where=error.filename or "output")
    no_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"  # that of torch
    if no_memory or any(text in str(error) for text in _NO_MEMORY):
        return UserError("not enough memory", hint="use a smaller batch, queue or encoder, or less text")
    return None
