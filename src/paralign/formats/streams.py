"""Byte streams of files: plain, gzip, zstd, in a zip archive, or standard input; and compressed output."""

from __future__ import annotations

import difflib
import gzip
import re
import sys
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import IO, Any, Literal

from paralign.errors import UserError
from paralign.folders import atomic_file
from paralign.formats.archives import DamagedStream, open_member, split_member

__all__ = [
    "DamagedStream",
    "check_plain",
    "compressed",
    "decompressed_blocks",
    "open_input",
    "open_output",
    "standard_bytes",
    "uncompressed_name",
]

_BLOCK = 1 << 18
"""Bytes read at a time."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_SKIPPABLE, _SKIPPABLE_HEADER = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18"), 8
"""First bytes of a zstd frame without content, and the size of its header, which ends with the size of the rest."""
_LARGEST_WINDOW = 1 << 31
"""That of ``zstd --long=31``; memory is used for the window that a file declares."""
_GZIP_STEP = 1 << 15
"""Bytes of gzip decompressed at a time."""
_ZSTD_STEP = 1 << 12
"""Bytes of zstd decompressed at a time: they can grow by a factor of at most 32,768."""
# Patterns of the first bytes of other containers: read as text they would only give a puzzling message.
_FOREIGN = {
    rb"PK\x03\x04": "a zip archive",
    rb"BZh[1-9]1AY&SY": "a bzip2 file",
    rb"\xfd7zXZ": "an xz file",
    rb"\xff\xfe": "UTF-16 text",
    rb"\xfe\xff": "UTF-16 text",
    rb"(?s).{257}ustar": "a tar archive",
}
_COMPRESSED = {_GZIP: "gzip", _ZSTD: "zstd"}
_ENOUGH = 1 << 10
"""Bytes from which a format is recognized."""


def standard_bytes(name: Literal["stdin", "stdout"]) -> IO[bytes]:
    """Return standard input or output as a stream of bytes.

    Raises:
        UserError: if it has none, as in a notebook.
    """
    stream: IO[bytes] | None = getattr(getattr(sys, name), "buffer", None)
    if stream is None:
        what = {"stdin": "input", "stdout": "output"}[name]
        raise UserError(f"standard {what} takes no bytes here, as in a notebook", hint="give the name of a file")
    return stream


def open_input(name: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file, a file in an archive (``ARCHIVE.zip!FILE``), or standard input (``-``) for reading bytes.

    Raises:
        UserError: if there is no such file (with similar names), it is a folder, or it cannot be read.
    """
    if name == "-":
        return nullcontext(standard_bytes("stdin"))
    if split_member(name)[1] and not Path(name).exists():
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
    """Yield non-empty blocks of decompressed bytes, at most 256 KiB each.

    Args:
        stream: the file; gzip and zstd are recognized by content.
        name: its name; if it ends in ``.gz`` or ``.zst``, the content must be that.
        utf16: whether UTF-16 text is accepted.

    Raises:
        UserError: for other containers and UTF-16 text, also compressed, and for text that is compressed twice.
        DamagedStream: where the compressed data are truncated or damaged.
    """
    first = stream.read(_BLOCK)
    _check_known(first, name, utf16)
    if first.startswith(_GZIP):
        yield from _checked(_inflate(stream, first), name, "gzip", utf16)
        return
    if first.startswith(_ZSTD) or _SKIPPABLE.match(first):
        yield from _checked(_unzstd(stream, first), name, "zstd", utf16)
        return
    ending = Path(name).suffix.lower()
    if first and ending in (".gz", ".zst"):
        kind = "gzip" if ending == ".gz" else "zstd"
        raise UserError(f"is not {kind}, although its name says so", where=name, hint="rename it, or download it again")
    while first:
        yield first
        first = stream.read(_BLOCK)


def _checked(blocks: Iterator[bytes], name: str, kind: str, utf16: bool) -> Iterator[bytes]:
    """Yield the blocks after a check of the first decompressed bytes."""
    head: list[bytes] = []
    damage = None
    try:
        while sum(map(len, head)) < _ENOUGH and (block := next(blocks, b"")):
            head.append(block)
    except DamagedStream as error:
        damage = error
    first = b"".join(head)
    inside = f" compressed with {kind}"
    _check_known(first, name, utf16, inside)
    twice = next((inner for magic, inner in _COMPRESSED.items() if first.startswith(magic)), None)
    if twice is not None:
        raise UserError(f"is {twice} data{inside}", where=name, hint="decompress it once")
    yield from head
    if damage is not None:
        raise damage
    yield from blocks


def _check_known(first: bytes, name: str, utf16: bool = False, inside: str = "") -> None:
    known = (what for magic, what in _FOREIGN.items() if re.match(magic, first))
    what = next(known, "UTF-16 text" if _is_utf16(first[:_ENOUGH]) else None)
    if what is not None and not (utf16 and "UTF" in what):
        hint = "save it as UTF-8" if "UTF" in what else "decompress it, or compress it with gzip"
        raise UserError(f"is {what}{inside}", where=name, hint=hint)


def _is_utf16(first: bytes) -> bool:
    """Return whether text without a byte order mark is UTF-16: one byte of most characters is zero, never the other."""
    zeros = sorted((first[::2].count(0), first[1::2].count(0)))
    return len(first) >= 4 and zeros[0] == 0 and zeros[1] > len(first) // 4


def check_plain(first: bytes, name: str, hint: str) -> None:
    """Refuse compressed data, other containers and UTF-16 text where only plain UTF-8 text is read.

    Args:
        first: the first bytes.
        name: the file, for errors.
        hint: what to do with gzip and zstd.

    Raises:
        UserError: naming the format.
    """
    _check_known(first, name)
    kind = next((kind for magic, kind in _COMPRESSED.items() if first.startswith(magic)), None)
    if kind is not None:
        raise UserError(f"is compressed with {kind}", where=name, hint=hint)


def _inflate(stream: IO[bytes], data: bytes) -> Iterator[bytes]:
    """Yield blocks of a gzip stream of one or more members; zero bytes after a member are padding."""
    while data:
        if not data.startswith(_GZIP):
            raise DamagedStream("foreign bytes after the gzip data")
        # With a truncated file, the reader of the gzip module loses the last block; zlib does not.
        member, at = zlib.decompressobj(wbits=31), 0
        while not member.eof:
            if at == len(data):
                data, at = stream.read(_BLOCK), 0
            step, before = data[at : at + _GZIP_STEP], member.copy()
            try:
                block = member.decompress(step, _BLOCK) if step else member.flush()
            except zlib.error:
                yield from _until_damage(before, step)
                raise DamagedStream("damaged gzip") from None
            at += len(step) - len(member.unconsumed_tail)
            if block:
                yield block
            if not step:
                raise DamagedStream("truncated gzip")
        data = (member.unused_data + data[at:]).lstrip(b"\0")
        while len(data) < len(_GZIP) and (more := stream.read(_BLOCK)):
            data = (data + more).lstrip(b"\0")


def _until_damage(member: Any, data: bytes) -> Iterator[bytes]:
    """Yield what can be decompressed of data that are damaged somewhere: the output of a call that fails is lost."""
    with suppress(zlib.error):
        for k in range(len(data)):
            if block := member.decompress(data[k : k + 1]):
                yield block


def _unzstd(stream: IO[bytes], data: bytes) -> Iterator[bytes]:
    """Yield blocks of a zstd stream of one or more frames. Skippable ones, which pzstd writes, have no text."""
    import zstandard

    while data:
        if _SKIPPABLE.match(data):
            data = _filled(stream, _after_skippable(stream, data), len(_ZSTD))
            continue
        if not data.startswith(_ZSTD):
            raise DamagedStream("foreign bytes after the zstd data")
        frame, at = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW).decompressobj(), 0
        while not frame.eof:
            if at == len(data):
                data, at = stream.read(_BLOCK), 0
            if not data:
                raise DamagedStream("truncated zstd")
            try:
                block = frame.decompress(data[at : at + _ZSTD_STEP])
            except zstandard.ZstdError:
                raise DamagedStream("damaged zstd") from None
            at = min(at + _ZSTD_STEP, len(data))
            yield from (block[k : k + _BLOCK] for k in range(0, len(block), _BLOCK))
        data = _filled(stream, frame.unused_data + data[at:], len(_ZSTD))


def _after_skippable(stream: IO[bytes], data: bytes) -> bytes:
    """Return what has been read of a stream behind the skippable frame that ``data`` begins with."""
    data = _filled(stream, data, _SKIPPABLE_HEADER)
    rest = _SKIPPABLE_HEADER + int.from_bytes(data[4:_SKIPPABLE_HEADER], "little")
    while len(data) < rest and (more := stream.read(_BLOCK)):
        rest, data = rest - len(data), more
    if len(data) < rest:
        raise DamagedStream("truncated zstd")
    return data[rest:]


def _filled(stream: IO[bytes], data: bytes, size: int) -> bytes:
    """Read on until there are ``size`` bytes, or the stream ends."""
    while len(data) < size and (more := stream.read(_BLOCK)):
        data += more
    return data


def uncompressed_name(name: str) -> str:
    """Return the name of a file without the ending of compressed files.

    >>> uncompressed_name("x.tsv.gz"), uncompressed_name("x.TMX.ZST"), uncompressed_name("x.tsv")
    ('x.tsv', 'x.TMX', 'x.tsv')
    """
    stem, _, ending = name.rpartition(".")
    return stem if ending.lower() in ("gz", "zst") else name


@contextmanager
def open_output(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing bytes atomically (:func:`paralign.folders.atomic_file`).

    A name that ends in ``.gz`` or ``.zst`` is compressed; equal text gives equal bytes.

    Raises:
        UserError: if it cannot be written.
    """
    try:
        with atomic_file(path) as file, compressed(file, path.suffix) as out:
            yield out
    except OSError as error:
        if error.filename not in (None, str(path)):
            raise  # of another file, to which the block writes too
        raise UserError(f"cannot be written: {error.strerror}", where=path) from None


def compressed(file: IO[bytes], suffix: str) -> AbstractContextManager[IO[bytes]]:
    """Return a stream that compresses what is written to ``file`` if the suffix of its name is ``.gz`` or ``.zst``, in
    any case.

    Closing it ends the member of the gzip file or the frame of the zstd file; ``file`` stays open.
    """
    if suffix.lower() == ".gz":
        return gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)  # type: ignore[return-value]
    if suffix.lower() == ".zst":
        import zstandard

        return zstandard.ZstdCompressor(level=9).stream_writer(file, closefd=False)
    return nullcontext(file)
