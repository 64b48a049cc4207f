"""A malformed item of a file: an error, or, if the reader is lenient, dropped and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from paralign.console import dropped_note
from paralign.errors import UserError, file_location
from paralign.formats.lines import MAX_LINE, numbered_lines
from paralign.text.normalization import lone_surrogate

__all__ = [
    "TRUNCATION_REASONS",
    "Block",
    "ItemError",
    "OrderedCounts",
    "check_forms",
    "check_length",
    "check_surrogates",
    "no_items_error",
    "raise_or_drop",
    "read_ahead",
    "sentence_blocks",
]

TRUNCATION_REASONS = (
    "truncated gzip",
    "damaged gzip",
    "foreign bytes after the gzip data",
    "truncated zstd",
    "damaged zstd",
    "foreign bytes after the zstd data",
    "damaged zip",
)
"""The reasons under which the rest of a file is counted as lost."""

T = TypeVar("T")
Block = list[tuple[int, str]]
"""The lines of a sentence with their numbers."""


class ItemError(Exception):
    """An item of a file is malformed.

    Args:
        reason: short name under which the item is counted when it is dropped.
        message: what is wrong with this item.
        line: line number, if known.
        hint: another way out than fixing or dropping the item.
    """

    def __init__(self, reason: str, message: str, line: int | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.reason, self.line, self.hint = reason, line, hint


def raise_or_drop(error: ItemError, path: str | Path, item: str, *, lenient: bool, dropped: Counter[str]) -> None:
    """Count a malformed item if ``lenient``, otherwise raise the error for the user.

    Args:
        error: what is wrong.
        path: the file; the error adds its line.
        item: what the user can fix or drop: ``line``, ``sentence``.
        lenient: count instead of raising.
        dropped: the counts by reason.

    Raises:
        UserError: if not ``lenient``.
    """
    if not lenient:
        hint = f"fix the {item}, or drop such {item}s with --lenient"
        raise UserError(
            str(error), where=file_location(path, error.line), hint=f"{error.hint}; or {hint}" if error.hint else hint
        ) from None
    dropped[error.reason] += 1


class OrderedCounts(Counter[str]):
    """Counts of what a reader drops, which can be taken in their order: those behind a limit are not counted."""

    def __init__(self) -> None:
        super().__init__()
        self._order: list[str] = []

    def __setitem__(self, reason: str, count: int) -> None:
        change = count - self[reason]
        self._order += [reason] * change
        for _ in range(-change):  # what is read ahead is counted later
            del self._order[len(self._order) - 1 - self._order[::-1].index(reason)]
        super().__setitem__(reason, count)

    def take(self) -> list[str]:
        """Return the reason of each item that was dropped since the last call, in their order."""
        taken, self._order = self._order, []
        return taken


def read_ahead(items: Iterator[T], size: int, dropped: Counter[str]) -> tuple[list[T], Iterator[T]]:
    """Read the first items of a file, from which its layout is inferred.

    What the reader drops between them, and its error, are counted and raised when the items before have been used: with
    ``--limit``, nothing behind the limit is reported.

    Args:
        items: the items.
        size: how many are read.
        dropped: where their reader counts what it drops.

    Returns:
        the first items, and all items.
    """
    head: list[T] = []
    between: list[Counter[str]] = []
    problem: UserError | None = None
    while len(head) < size and problem is None:
        before = Counter(dropped)
        try:
            head.append(next(items))
        except StopIteration:
            size = 0
        except UserError as error:
            problem = error
        between.append(Counter(dropped) - before)
        for reason, count in between[-1].items():
            dropped[reason] -= count

    def every() -> Iterator[T]:
        for number, counts in enumerate(between):
            for reason, count in counts.items():
                dropped[reason] += count
            yield from head[number : number + 1]
        if problem is not None:
            raise problem
        yield from items

    return head, every()


def check_surrogates(text: str, what: str, line: int | None = None) -> None:
    """Refuse a text with half of a surrogate pair, which JSON can express but no encoding of a text file can.

    Args:
        text: the text.
        what: what it is, for the error: ``a text``, ``the id``.
        line: its line, if known.

    Raises:
        ItemError: with the reason ``lone surrogate``.
    """
    if found := lone_surrogate(text):
        message = f"half of a surrogate pair (\\u{ord(found):04x}) in {what}"
        raise ItemError("lone surrogate", message, line)


def check_length(written: str, line: int | None = None, hint: str | None = None) -> None:
    """Refuse a line to be written that :func:`paralign.formats.lines.read_lines` would refuse.

    Args:
        written: the line.
        line: line number of what it was read from.
        hint: another way out than fixing or dropping the item.

    Raises:
        ItemError: with the reason ``line too long``.
    """
    if len(written) > MAX_LINE // 4 and len(written.encode()) > MAX_LINE:  # a character has at most 4 bytes
        message = f"the line to be written is longer than {MAX_LINE:,} bytes and could not be read"
        raise ItemError("line too long", message, line, hint)


def check_forms(forms: Iterable[str], line: int | None = None) -> None:
    """Refuse a sentence of which every word is ``_``: its text is withheld, for reasons of copyright.

    Args:
        forms: its words, or its text.
        line: its line.

    Raises:
        ItemError: with the reason ``forms withheld``.
    """
    text = "".join(forms)
    if text.strip() and not text.replace("_", "").strip():
        message = "every word is '_': the text of this sentence is withheld by the publisher of the data"
        hint = "put the words back with the script that comes with the data"
        raise ItemError("forms withheld", message, line, hint)


def no_items_error(path: str | Path, item: str, dropped: Counter[str]) -> UserError:
    """Return the error for a file without a usable item, with the reasons why items were dropped."""
    return UserError(f"no {item} in the file{dropped_note(dropped)}", where=path)


def sentence_blocks(path: str | Path, *, lenient: bool, dropped: Counter[str]) -> Iterator[Block]:
    """Yield the runs of lines between blank lines, never empty.

    A sentence of which ``lenient`` dropped a line, or in which a damaged file ends, is dropped too (reason
    ``incomplete sentence``): it would silently lose words.

    Args:
        path: the file, or ``-``.
        lenient: drop lines that cannot be read instead of raising.
        dropped: counts them: ``incomplete sentence`` and the reasons of ``read_lines``.

    Raises:
        UserError: like ``read_lines``.
    """
    block: Block = []
    incomplete = False
    truncated = sum(dropped[reason] for reason in TRUNCATION_REASONS)
    for number, line in numbered_lines(path, lenient=lenient, dropped=dropped):
        if line is None:
            incomplete = True
        elif line.strip():
            block.append((number, line))
        else:
            if incomplete:
                dropped["incomplete sentence"] += 1
            elif block:
                yield block
            block, incomplete = [], False
    if incomplete or (block and sum(dropped[reason] for reason in TRUNCATION_REASONS) > truncated):
        dropped["incomplete sentence"] += 1
    elif block:
        yield block
