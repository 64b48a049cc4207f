"""Lines of a text file, read in bounded blocks: plain, gzip, zstd, in a zip archive or standard input; strict UTF-8."""

from __future__ import annotations

import difflib
import gzip
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO

import numpy as np

from paralign.errors import UserError, file_location
from paralign.folders import atomic_file
from paralign.formats.archives import MEMBER_SEPARATOR, DamagedStream, open_member

__all__ = [
    "MAX_LINE",
    "DamagedStream",
    "numbered_lines",
    "open_input",
    "decompressed_blocks",
    "read_lines",
    "write_lines",
    "open_output",
]

MAX_LINE = 65_535
"""Longest line in bytes, without its end: so that a character's place in it fits 16 bits."""

_BLOCK = 1 << 18
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SIP = 1 << 12
"""Bytes of zstd unpacked at once: what they may grow to is bounded by 32,768 times that."""
_BOM = b"\xef\xbb\xbf"
# Openings of other containers: read as text they would only give a puzzling message.
_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


def read_lines(
    path: str | Path, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str]]:
    r"""Yield ``(number, line)`` of a UTF-8 text file, numbers from 1, lines without their end.

    Lines end at ``\n`` or ``\r\n`` only, never at U+2028 and the like. A byte order mark at the start is
    skipped. Memory is bounded by the block (256 KiB), whatever the lengths of lines.

    Args:
        path: a plain, gzip or zstd file (a name in ``.gz`` or ``.zst`` must be that; other names are recognized by
            content), a file in an archive, ``ARCHIVE.zip!FILE``, or ``-``.
        lenient: drop lines that are not UTF-8, hold a NUL or are longer than ``MAX_LINE`` bytes, and keep the
            whole lines before the place where a packed file is cut or damaged, instead of raising.
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
    with open_input(name) as stream:
        blocks = decompressed_blocks(stream, name)
        while True:
            try:
                block = next(blocks, None)
            except DamagedStream as error:
                if not lenient:
                    hint = "fetch the file again, or keep what can be read with --lenient"
                    raise UserError(str(error), where=file_location(name, number + 1), hint=hint) from None
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
        raise UserError(detail, where=file_location(name, number), hint="fix the line, or drop such lines with --lenient")
    dropped[reason] += 1
    return None


def open_input(name: str) -> AbstractContextManager[IO[bytes]]:
    """A file of bytes, or standard input for ``-``; errors say what is there instead."""
    if name == "-":
        return nullcontext(sys.stdin.buffer)
    if MEMBER_SEPARATOR in name and not Path(name).exists():
        return open_member(name)
    path = Path(name)
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise UserError("no such file", where=name, hint=_siblings(path)) from None
    except IsADirectoryError:
        raise UserError("is a folder, not a file", where=name) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=name) from None


def _siblings(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"there is no folder {str(path.parent)!r} either"
    near = difflib.get_close_matches(path.name, [file.name for file in path.parent.iterdir()], n=1, cutoff=0.6)
    return f"did you mean {str(path.with_name(near[0]))!r}?" if near else None


def decompressed_blocks(stream: IO[bytes], name: str, *, utf16: bool = False) -> Iterator[bytes]:
    """Non-empty blocks of at most ``_BLOCK`` bytes of plain text; ``utf16`` text is refused unless asked for."""
    first = stream.read(_BLOCK)
    for magic, what in _FOREIGN.items():
        if first.startswith(magic) and not (utf16 and "UTF" in what):
            hint = "save it as UTF-8" if "UTF" in what else "unpack it, or pack it with gzip"
            raise UserError(f"is {what}", where=name, hint=hint)
    if first.startswith(_GZIP):
        yield from _inflate(stream, first)
        return
    if first.startswith(_ZSTD):
        yield from _unzstd(stream, first)
        return
    if first and name.endswith((".gz", ".zst")):
        kind = "gzip" if name.endswith(".gz") else "zstd"
        raise UserError(f"is not {kind}, in spite of its name", where=name, hint="rename it, or fetch it again")
    while first:
        yield first
        first = stream.read(_BLOCK)


def _inflate(stream: IO[bytes], data: bytes) -> Iterator[bytes]:
    """Blocks of a gzip stream of one or more members; zero bytes after a member are padding."""
    while data:
        if not data.startswith(_GZIP):
            raise DamagedStream("foreign bytes after the gzip data")
        # The gzip module's reader loses what it has read of a block when the file is cut; zlib does not.
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            try:
                block = member.decompress(data, _BLOCK)
                data = member.unconsumed_tail or (b"" if member.eof else stream.read(_BLOCK))
                cut = not data and not member.eof
                block += member.flush() if cut else b""
            except zlib.error:
                raise DamagedStream("damaged gzip") from None
            if block:
                yield block
            if cut:
                raise DamagedStream("truncated gzip")
        data = member.unused_data.lstrip(b"\0")
        while len(data) < len(_GZIP) and (more := stream.read(_BLOCK)):
            data = (data + more).lstrip(b"\0")


def _unzstd(stream: IO[bytes], data: bytes) -> Iterator[bytes]:
    """Blocks of a zstd stream of one or more frames."""
    import zstandard

    while data:
        if not data.startswith(_ZSTD):
            raise DamagedStream("foreign bytes after the zstd data")
        frame, at = zstandard.ZstdDecompressor().decompressobj(), 0
        while not frame.eof:
            if at == len(data):
                data, at = stream.read(_BLOCK), 0
            if not data:
                raise DamagedStream("truncated zstd")
            try:
                block = frame.decompress(data[at : at + _SIP])
            except zstandard.ZstdError:
                raise DamagedStream("damaged zstd") from None
            at = min(at + _SIP, len(data))
            yield from (block[k : k + _BLOCK] for k in range(0, len(block), _BLOCK))
        data = frame.unused_data + data[at:]
        while len(data) < len(_ZSTD) and (more := stream.read(_BLOCK)):
            data += more


def write_lines(path: Path, lines: Iterable[str]) -> None:
    """Write a text file, beside its place first: a reader never sees half of it. Packed if its name ends so.

    Raises:
        UserError: if it cannot be written.
    """
    with open_output(path) as out:
        for line in lines:
            out.write(f"{line}\n".encode())


@contextmanager
def open_output(path: Path) -> Iterator[IO[bytes]]:
    """A file to write bytes to, packed if its name ends in ``.gz`` or ``.zst`` (the same bytes for the same text); it
    comes to its place when all is written, and is not there if that fails.

    Raises:
        UserError: if it cannot be written.
    """
    try:
        with atomic_file(path) as file, _packed(file, path.suffix) as out:
            yield out
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=path) from None


def _packed(file: IO[bytes], suffix: str) -> AbstractContextManager[IO[bytes]]:
    if suffix == ".gz":
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)  # type: ignore[return-value]
    if suffix == ".zst":
        import zstandard

        return zstandard.ZstdCompressor(level=9).stream_writer(file, closefd=False)
    return nullcontext(file)
