"""The error for input or settings that cannot be used."""

from __future__ import annotations

from pathlib import Path

__all__ = ["UserError", "file_location"]


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


def file_location(path: str | Path, line: int | None = None) -> str:
    """Return ``path:line``, or ``path`` if the line is ``None``: the beginning of messages about a file."""
    return str(path) if line is None else f"{path}:{line}"
