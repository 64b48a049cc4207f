"""Lines of a text file, read in bounded blocks: plain, gzip or standard input, strict UTF-8."""

from __future__ import annotations

import difflib
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO

import numpy as np

from paralign.errors import UserError, located

__all__ = ["MAX_LINE", "Damaged", "numbered_lines", "open_text", "plain_blocks", "read_lines", "write_lines"]

MAX_LINE = 65_535
"""Longest line in bytes, without its end: so that a character's place in it fits 16 bits."""

_BLOCK = 1 << 18
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
# Openings of other containers: read as text they would only give a puzzling message.
_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


class Damaged(Exception):
    """The compressed stream cannot be read on; the message is the reason it is counted under."""


def read_lines(
    path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str]]:
    r"""Yield ``(number, line)`` of a UTF-8 text file, numbers from 1, lines without their end.

    Lines end at ``\n`` or ``\r\n`` only, never at U+2028 and the like. A byte order mark at the start is
    skipped. Memory is bounded by the block (256 KiB), whatever the lengths of lines.

    Args:
        path: a plain or gzip file (a name in ``.gz`` must be gzip; other names are recognised by content) or
            ``-``.
        lenient: drop lines that are not UTF-8, hold a NUL or are longer than ``MAX_LINE`` bytes, and keep the
            whole lines before the place where a gzip file is cut or damaged, instead of raising.
        dropped: counts what ``lenient`` dropped, by reason.

    Raises:
        UserError: with ``file:line``, for a missing or empty file, a folder, another format, and for what
            ``lenient`` would drop.
    """
    for number, line in numbered_lines(path, lenient=lenient, dropped=dropped):
        if line is not None:
            yield number, line


def numbered_lines(
    path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str | None]]:
    """As :func:`read_lines`, with ``None`` in the place of each line that ``lenient`` dropped."""
    name, number = str(path), 0
    count: Counter[str] = Counter() if dropped is None else dropped
    carry = b""
    with open_text(name) as stream:
        blocks = plain_blocks(stream, name)
        while True:
            try:
                block = next(blocks, None)
            except Damaged as error:
                if not lenient:
                    mend = "fetch the file again, or keep what can be read with --lenient"
                    raise UserError(str(error), where=located(name, number + 1), mend=mend) from None
                count[str(error)] += 1
                return  # the line under way is cut: it is not a sentence
            data = carry + (block or b"")
            cut = len(data) if block is None else data.rfind(b"\n") + 1
            # A line that is too long stays so when cut here; this is what bounds the memory.
            carry = data[cut:][: MAX_LINE + len(_BOM) + 2]
            if cut:
                whole = data[:cut].removesuffix(b"\n")
                if not number:
                    whole = whole.removeprefix(_BOM)
                yield from _chunk(whole, name, number, lenient, count)
                number += data.count(b"\n", 0, cut)
            if block is None:
                break
    if not number and not data.removeprefix(_BOM):
        raise UserError("the file is empty", where=name)


def _chunk(
    data: bytes, name: str, number: int, lenient: bool, dropped: Counter[str]
) -> Iterator[tuple[int, str | None]]:
    """The lines of ``data``, numbered on from ``number``; a clean chunk is decoded at once."""
    if b"\0" not in data and _longest(data) <= MAX_LINE:
        try:
            lines = data.decode().split("\n")
        except UnicodeDecodeError:
            pass
        else:
            if b"\r" in data:
                lines = [line.removesuffix("\r") for line in lines]
            yield from enumerate(lines, number + 1)
            return
    for at, raw in enumerate(data.split(b"\n"), number + 1):
        yield at, _decode(raw.removesuffix(b"\r"), name, at, lenient, dropped)


def _longest(data: bytes) -> int:
    if len(data) <= MAX_LINE:
        return len(data)
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
    return int(np.diff(ends, prepend=-1, append=len(data)).max()) - 1


def _decode(raw: bytes, name: str, number: int, lenient: bool, dropped: Counter[str]) -> str | None:
    try:
        if len(raw) > MAX_LINE:
            reason, detail = "line too long", f"the line is longer than {MAX_LINE:,} bytes"
        elif b"\0" in raw:
            reason, detail = "NUL", f"a NUL byte at byte {raw.index(0) + 1} of the line"
        else:
            return raw.decode()
    except UnicodeDecodeError as error:
        reason, detail = (
            "invalid UTF-8",
            f"invalid UTF-8 (0x{raw[error.start]:02x} at byte {error.start + 1} of the line)",
        )
    if not lenient:
        raise UserError(detail, where=located(name, number), mend="mend the line, or drop such lines with --lenient")
    dropped[reason] += 1
    return None


def open_text(name: str) -> IO[bytes] | nullcontext[IO[bytes]]:
    """A file of bytes, or standard input for ``-``; errors say what is there instead."""
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    path = Path(name)
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError("no such file", where=name, mend=_siblings(path)) from None
    except IsADirectoryError:
        raise UserError("is a folder, not a file", where=name) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=name) from None


def _siblings(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"there is no folder {str(path.parent)!r} either"
    near = difflib.get_close_matches(path.name, [file.name for file in path.parent.iterdir()], n=1, cutoff=0.6)
    return f"did you mean {str(path.with_name(near[0]))!r}?" if near else None


def plain_blocks(stream: IO[bytes], name: str) -> Iterator[bytes]:
    """Non-empty blocks of at most ``_BLOCK`` bytes of plain text."""
    first = stream.read(_BLOCK)
    for magic, what in _FOREIGN.items():
        if first.startswith(magic):
            mend = "save it as UTF-8" if "UTF" in what else "unpack it, or pack it with gzip"
            raise UserError(f"is {what}", where=name, mend=mend)
    if first.startswith(_GZIP):
        yield from _inflate(stream, first)
        return
    if first and name.endswith(".gz"):
        raise UserError("is not gzip, in spite of its name", where=name, mend="rename it, or fetch it again")
    while first:
        yield first
        first = stream.read(_BLOCK)


def _inflate(stream: IO[bytes], data: bytes) -> Iterator[bytes]:
    """Blocks of a gzip stream of one or more members; zero bytes after a member are padding."""
    while data:
        if not data.startswith(_GZIP):
            raise Damaged("foreign bytes after the gzip data")
        # The gzip module's reader loses what it has read of a block when the file is cut; zlib does not.
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                block = member.decompress(data, _BLOCK)
                data = member.unconsumed_tail or (b"" if member.eof else stream.read(_BLOCK))
                cut = not data and not member.eof
                block += member.flush() if cut else b""
            except zlib.error:
                raise Damaged("damaged gzip") from None
            if block:
                yield block
            if cut:
                raise Damaged("truncated gzip")
        data = member.unused_data.lstrip(b"\0")
        while len(data) < len(_GZIP) and (more := stream.read(_BLOCK)):
            data = (data + more).lstrip(b"\0")


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file, beside its place first: a reader never sees half of it.

    Raises:
        UserError: if it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8", newline="\n") as out:
            for line in lines:
                out.write(line + "\n")
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UserError(f"cannot be written: {error.strerror}", where=path) from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise
