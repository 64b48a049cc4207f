"""What is wrong with one item of a file: an error, or, where the reader is lenient, dropped and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from paralign.errors import UserError, file_location
from paralign.formats.lines import numbered_lines

__all__ = ["TRUNCATION_REASONS", "Block", "ItemError", "no_items_error", "raise_or_drop", "sentence_blocks"]

TRUNCATION_REASONS = ("truncated gzip", "damaged gzip", "foreign bytes after the gzip data", "truncated zstd", "damaged zstd",
       "foreign bytes after the zstd data", "damaged zip")  # fmt: skip
"""The reasons under which the rest of a file is counted as lost."""

Block = list[tuple[int, str]]
"""The lines of a sentence with their numbers."""


class ItemError(Exception):
    """One item of a file that is not well-formed.

    Args:
        reason: what it is counted under when it is dropped.
        message: what is wrong, in this case.
        line: where.
        hint: what can be done other than fixing or dropping it.
    """

    def __init__(self, reason: str, message: str, line: int | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.reason, self.line, self.hint = reason, line, hint


def raise_or_drop(fault: ItemError, path: str | Path, item: str, *, lenient: bool, dropped: Counter[str]) -> None:
    """Count the fault if lenient.

    Args:
        fault: what is wrong.
        path: the file; the fault adds its line.
        item: what the user mends or drops: ``line``, ``sentence``.
        lenient: count instead of raising.
        dropped: is counted in.

    Raises:
        UserError: if not lenient.
    """
    if not lenient:
        hint = f"fix the {item}, or drop such {item}s with --lenient"
        raise UserError(
            str(fault), where=file_location(path, fault.line), hint=f"{fault.hint}; or {hint}" if fault.hint else hint
        ) from None
    dropped[fault.reason] += 1


def no_items_error(path: str | Path, what: str, dropped: Counter[str]) -> UserError:
    """The error for a file in which nothing was found that can be used."""
    why = ", ".join(f"{n:,} {reason}" for reason, n in dropped.items())
    return UserError(f"no {what} in the file" + (f" (dropped: {why})" if why else ""), where=path)


def sentence_blocks(path: str | Path, *, lenient: bool, dropped: Counter[str]) -> Iterator[Block]:
    """Runs of lines between blank lines, never empty.

    A sentence of which ``lenient`` dropped a line, or in which a damaged file breaks off, is dropped too
    (reason ``incomplete sentence``): it would lose words without a trace.

    Raises:
        UserError: as ``read_lines`` does.
    """
    block: Block = []
    broken = False
    cut = sum(dropped[reason] for reason in TRUNCATION_REASONS)
    for number, line in numbered_lines(path, lenient=lenient, dropped=dropped):
        if line is None:
            broken = True
        elif line.strip():
            block.append((number, line))
        else:
            if broken:
                dropped["incomplete sentence"] += 1
            elif block:
                yield block
            block, broken = [], False
    if broken or (block and sum(dropped[reason] for reason in TRUNCATION_REASONS) > cut):
        dropped["incomplete sentence"] += 1
    elif block:
        yield block
