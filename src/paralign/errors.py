"""The one error a user can cause, and how it is told to them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["UserError", "file_location"]


class UserError(ValueError):
    """Input or settings that cannot be used: one line that says what, where and how to fix it.

    The command line prints it without a traceback and exits with code 2.

    Args:
        message: what is wrong.
        where: the file, or ``file:line``, in which it is wrong.
        hint: what the user can do about it.
    """

    def __init__(self, message: str, *, where: str | Path | None = None, hint: str | None = None) -> None:
        self.message = " ".join(str(message).split())
        self.where = None if where is None else str(where)
        self.hint = None if hint is None else " ".join(hint.split())
        head = f"{self.where}: " if self.where else ""
        tail = f" ({self.hint})" if self.hint else ""
        super().__init__(f"{head}{self.message}{tail}")


def file_location(path: str | Path, line: int | None = None) -> str:
    """``path`` or ``path:line``, the form every message about a file begins with (lines count from 1)."""
    return str(path) if line is None else f"{path}:{line}"
