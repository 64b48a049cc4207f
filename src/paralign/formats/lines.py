"""Lines of a UTF-8 text file, read in bounded blocks: plain, compressed, in an archive, or from standard input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from paralign.errors import UserError, file_location
from paralign.formats.streams import DamagedStream, decompressed_blocks, open_input, open_output

__all__ = ["MAX_LINE", "decode_lines", "has_one_line", "numbered_lines", "old_mac_error", "read_lines", "write_lines"]

MAX_LINE = 65_535
"""Longest line in bytes, without its end: the position of a character in it fits into 16 bits."""
_BOM = b"\xef\xbb\xbf"


def read_lines(
    path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str]]:
    r"""Yield ``(number, line)`` of a UTF-8 text file, numbers from 1, lines without their end.

    Lines end at ``\n`` or ``\r\n`` only, never at U+2028 and similar characters; a file whose lines end at ``\r`` is
    refused. A byte order mark at the start is skipped. Memory is bounded by the block (256 KiB), whatever the lengths
    of lines.

    Args:
        path: a plain, gzip or zstd file (a name in ``.gz`` or ``.zst`` must be that; other names are recognized by
            content), a file in an archive, ``ARCHIVE.zip!FILE``, or ``-``.
        lenient: drop lines that are not UTF-8, contain a NUL or are longer than ``MAX_LINE`` bytes, and keep the
            complete lines before the position where a compressed file is truncated or damaged, instead of raising.
        dropped: counts what ``lenient`` dropped, by reason: ``invalid UTF-8``, ``NUL``, ``line too long`` and the
            reasons of :data:`paralign.formats.item_errors.TRUNCATION_REASONS`.

    Raises:
        UserError: with ``file:line``, for a missing or empty file, a folder, another format, and for what
            ``lenient`` would drop.
    """
    for number, line in numbered_lines(path, lenient=lenient, dropped=dropped):
        if line is not None:
            yield number, line


def numbered_lines(
    path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None, longest: int = MAX_LINE
) -> Iterator[tuple[int, str | None]]:
    """Like :func:`read_lines`, but yield ``None`` for each line that ``lenient`` dropped.

    Args:
        path, lenient, dropped: as in :func:`read_lines`.
        longest: longest line in bytes, which bounds the memory.
    """
    name, number = str(path), 0
    count: Counter[str] = Counter() if dropped is None else dropped
    rest = b""
    with open_input(name) as stream:
        blocks = decompressed_blocks(stream, name)
        while True:
            try:
                block = next(blocks, None)
            except DamagedStream as error:
                if not lenient:
                    hint = "download the file again, or keep what can be read with --lenient"
                    raise UserError(str(error), where=file_location(name, number + 1), hint=hint) from None
                count[str(error)] += 1
                return  # the current line is incomplete
            data = rest + (block or b"")
            end = len(data) if block is None else data.rfind(b"\n") + 1
            if not number and end == len(data) and (block is None or len(data) <= MAX_LINE) and has_one_line(data):
                if block is None:
                    raise old_mac_error(name)
                end = 0  # more lines may follow
            # A line that is too long stays too long when it is cut here; this bounds the memory.
            rest = data[end:][: longest + len(_BOM) + 2]
            if end:
                complete = data[:end].removesuffix(b"\n")
                if not number:
                    complete = complete.removeprefix(_BOM)
                yield from decode_lines(complete, name, number, lenient, count, longest)
                number += data.count(b"\n", 0, end)
            if block is None:
                break
    if not number and not data.removeprefix(_BOM):
        raise UserError("the file is empty", where=name)


def decode_lines(
    data: bytes, name: str, number: int, lenient: bool, dropped: Counter[str], longest: int = MAX_LINE
) -> Iterator[tuple[int, str | None]]:
    """Yield the lines of ``data``, numbered from ``number + 1``; data without errors are decoded at once.

    Args:
        data: complete lines; the last without its line end.
        name: the file, for errors.
        number: number of lines before these.
        lenient: yield ``None`` for a line that cannot be read instead of raising.
        dropped: counts such lines, by reason.
        longest: longest line in bytes.

    Raises:
        UserError: with ``file:line``.
    """
    if b"\0" not in data and _longest_line(data, longest) <= longest:
        try:
            lines = data.decode().split("\n")
        except UnicodeDecodeError:
            pass
        else:
            if b"\r" in data:
                lines = [line.removesuffix("\r") for line in lines]
            yield from enumerate(lines, number + 1)
            return
    for current, raw in enumerate(data.split(b"\n"), number + 1):
        yield current, _decode_line(raw.removesuffix(b"\r"), name, current, lenient, dropped, longest)


def old_mac_error(name: str) -> UserError:
    """Return the error for a file whose lines end with CR only."""
    hint = "convert it: tr '\\r' '\\n' < OLD > NEW"
    return UserError("the lines end with CR only, as on old Macs", where=file_location(name, 1), hint=hint)


def has_one_line(data: bytes) -> bool:
    """Return whether the data are one line with carriage returns in it, several if it ends like other lines."""
    return b"\n" not in data[:-1] and data.rstrip(b"\r\n").count(b"\r") > data.endswith(b"\n")


def _longest_line(data: bytes, enough: int) -> int:
    """Return the length of the longest line, or a number up to ``enough`` that no line exceeds."""
    if len(data) <= enough:
        return len(data)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    return int(np.diff(ends, prepend=-1, append=len(data)).max()) - 1


def _decode_line(raw: bytes, name: str, number: int, lenient: bool, dropped: Counter[str], longest: int) -> str | None:
    try:
        if len(raw) > longest:
            reason, detail = "line too long", f"the line is longer than {longest:,} bytes"
            if b"\r" in raw:
                detail += "; it contains CR, but lines end with LF or CR LF"
        elif b"\0" in raw:
            reason, detail = "NUL", f"a NUL byte at byte {raw.index(0) + 1} of the line"
        else:
            return raw.decode()
    except UnicodeDecodeError as error:
        reason = "invalid UTF-8"
        detail = f"invalid UTF-8 (0x{raw[error.start]:02x} at byte {error.start + 1} of the line)"
    if not lenient:
        hint = "fix the line, or drop such lines with --lenient"
        raise UserError(detail, where=file_location(name, number), hint=hint)
    dropped[reason] += 1
    return None


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file atomically; compressed if its name ends in ``.gz`` or ``.zst``.

    Args:
        path: the file; an existing one is replaced.
        lines: lines without their end.

    Raises:
        UserError: if it cannot be written.
    """
    with open_output(path) as out:
        for line in lines:
            out.write(f"{line}\n".encode())
