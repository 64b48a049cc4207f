"""Files inside zip archives, the form in which OPUS distributes its corpora; nothing is extracted to disk."""

from __future__ import annotations

import lzma
import re
import struct
import zipfile
import zlib
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, cast

from paralign.errors import UserError
from paralign.text.language_tags import best_variant, find_tag

__all__ = ["DamagedStream", "aligned_members", "archive_of", "is_archive", "open_member", "split_member"]

_SEPARATOR = re.compile(r"\.zip!", re.IGNORECASE)


_DAMAGED = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError, OverflowError,
    NotImplementedError,
)  # fmt: skip
"""What the modules for archives and for deflate, bzip2 and LZMA raise for damaged data."""


class DamagedStream(Exception):
    """A compressed stream cannot be read further; the message is the reason under which this is counted."""


def archive_of(path: str) -> Path:
    """Return the file on disk: of a member of an archive, the archive.

    >>> archive_of("corpora/de-en.zip!OpenSubtitles.de-en.de").name
    'de-en.zip'
    """
    archive, member = split_member(path)
    return Path(archive) if member and not Path(path).exists() else Path(path)


def split_member(path: str) -> tuple[str, str]:
    """Return the archive and the name of the file in it, ``ARCHIVE.zip!FILE``; an empty name for other paths.

    >>> split_member("X.ZIP!c.en"), split_member("c.en")
    (('X.ZIP', 'c.en'), ('c.en', ''))
    """
    found = _SEPARATOR.search(path)
    return (path[: found.end() - 1], path[found.end() :]) if found else (path, "")


def is_archive(path: str) -> bool:
    """Return whether a path names a zip archive."""
    return path.lower().endswith(".zip")


def aligned_members(path: str, languages: tuple[str, str]) -> tuple[str, str]:
    """Find the two files of a corpus in an archive: ``ARCHIVE.zip!NAME.en`` and ``ARCHIVE.zip!NAME.de``.

    Args:
        path: the archive.
        languages: tags of both sides; a script or region chooses among several variants.

    Raises:
        UserError: if the archive cannot be read, has no or several such corpora, or has a member with an absolute path
            or a path that leaves the archive.
    """
    with _open_archive(path) as archive:
        members: dict[str, list[str]] = {}
        for entry in archive.infolist():
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts or ":" in "".join(name.parts[:1]):  # "." has no parts
                message = f"contains a file outside the archive, {entry.filename!r}"
                raise UserError(message, where=path, hint="do not use this archive")
            if name.name == "" or entry.filename.endswith("/"):  # is_dir() fails for an empty name
                continue
            if find_tag(name.suffix[1:]):
                members.setdefault(entry.filename[: -len(name.suffix)], []).append(entry.filename)
    found = {}
    for stem, files in members.items():
        tags = [PurePosixPath(file).suffix[1:] for file in files]
        places = [best_variant(tags, language) for language in languages]
        if None not in places:
            found[stem] = tuple(f"{path}!{files[place]}" for place in places if place is not None)
    stems = list(found)
    if len(stems) != 1:
        what = "several corpora" if stems else "no files"
        names = ", ".join(sorted(stems)[:3])
        raise UserError(
            f"contains {what} in {languages[0]} and {languages[1]}{f': {names}' if stems else ''}",
            where=path,
            hint="extract it and give two files, a.en,a.de",
        )
    return cast(tuple[str, str], found[stems[0]])


def open_member(name: str) -> AbstractContextManager[IO[bytes]]:
    """Open a file in an archive, ``ARCHIVE.zip!FILE``.

    Raises:
        UserError: if the archive or the file in it cannot be read, or is encrypted.
    """
    path, member = split_member(name)
    archive = _open_archive(path)
    try:
        entry = archive.getinfo(member)
        if entry.flag_bits & 1:
            raise UserError("is encrypted", where=name, hint="extract it")
        return _Member(archive, archive.open(entry))
    except KeyError:
        archive.close()
        raise UserError("no such file in the archive", where=name) from None
    except UserError:
        archive.close()
        raise
    except _DAMAGED as error:
        archive.close()
        raise UserError(f"cannot be read: {error}", where=name, hint="download the archive again") from None


class _Member:
    """A file in an archive as a stream of bytes; closing it closes the archive."""

    def __init__(self, archive: zipfile.ZipFile, stream: IO[bytes]) -> None:
        self._archive, self._stream = archive, stream

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes.

        Raises:
            DamagedStream: if the archive is damaged.
        """
        try:
            return self._stream.read(size)
        except _DAMAGED:
            raise DamagedStream("damaged zip") from None

    def __enter__(self) -> IO[bytes]:
        return cast(IO[bytes], self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._archive.close()


def _open_archive(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise UserError("no such file", where=path) from None
    except IsADirectoryError:
        raise UserError("is a folder, not a file", where=path) from None
    except _DAMAGED as error:
        raise UserError(f"not a readable zip archive: {error}", where=path, hint="download it again") from None
