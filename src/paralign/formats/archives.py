"""Files inside zip archives, as OPUS packs its corpora; nothing is unpacked to disk."""

from __future__ import annotations

import zipfile
import zlib
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from types import TracebackType
from typing import IO, cast

from paralign.errors import UserError
from paralign.text.language_tags import find_tag

__all__ = ["MEMBER_SEPARATOR", "DamagedStream", "is_archive", "open_member", "aligned_members"]

MEMBER_SEPARATOR = ".zip!"
"""Between an archive and a file in it."""


class DamagedStream(Exception):
    """The compressed stream cannot be read on; the message is the reason it is counted under."""


def is_archive(path: str) -> bool:
    """Whether a path names a zip archive."""
    return path.lower().endswith(".zip")


def aligned_members(path: str, languages: tuple[str, str]) -> tuple[str, str]:
    """The two files of a corpus in an archive, ``ARCHIVE.zip!NAME.en`` and ``ARCHIVE.zip!NAME.de``.

    Args:
        path: the archive.
        languages: canonical tags of both sides.

    Raises:
        UserError: if the archive cannot be read, holds none or several such, names files outside of itself, or is
            locked.
    """
    with _opened(path) as archive:
        found: dict[str, dict[str, str]] = {}
        for entry in archive.infolist():
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
                raise UserError(f"names a file outside of itself, {entry.filename!r}", where=path, hint="do not use it")
            if entry.is_dir():
                continue
            tag = find_tag(name.suffix[1:])
            if tag:
                found.setdefault(entry.filename[: -len(name.suffix)], {})[tag] = entry.filename
    stems = [stem for stem, files in found.items() if set(languages) <= set(files)]
    if len(stems) != 1:
        what = "several corpora" if stems else "no files"
        names = ", ".join(sorted(stems)[:3])
        raise UserError(
            f"holds {what} in {languages[0]} and {languages[1]}{f': {names}' if stems else ''}",
            where=path,
            hint="unpack it and give two files, a.en,a.de",
        )
    return cast(tuple[str, str], tuple(f"{path}!{found[stems[0]][tag]}" for tag in languages))


def open_member(name: str) -> AbstractContextManager[IO[bytes]]:
    """A file in an archive, ``ARCHIVE.zip!FILE``."""
    at = name.index(MEMBER_SEPARATOR) + len(MEMBER_SEPARATOR) - 1
    path, member = name[:at], name[at + 1 :]
    archive = _opened(path)
    try:
        entry = archive.getinfo(member)
        if entry.flag_bits & 1:
            raise UserError("is locked by a password", where=name, hint="unpack it")
        return _Member(archive, archive.open(entry))
    except KeyError:
        archive.close()
        raise UserError("no such file in the archive", where=name) from None
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        archive.close()
        raise UserError(f"cannot be read: {error}", where=name, hint="fetch the archive again") from None
    except UserError:
        archive.close()
        raise


class _Member:
    """A file in an archive as a stream of bytes that closes both."""

    def __init__(self, archive: zipfile.ZipFile, stream: IO[bytes]) -> None:
        self._archive, self._stream = archive, stream

    def read(self, size: int) -> bytes:
        """So many bytes.

        Raises:
            Damaged: if the archive is.
        """
        try:
            return self._stream.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise DamagedStream("damaged zip") from None

    def __enter__(self) -> IO[bytes]:
        return cast(IO[bytes], self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._archive.close()


def _opened(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise UserError("no such file", where=path) from None
    except IsADirectoryError:
        raise UserError("is a folder, not a file", where=path) from None
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"is no zip archive that can be read: {error}", where=path, hint="fetch it again") from None
