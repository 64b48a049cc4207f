"""Atomic writes: a folder or a file appears under its name only when all of it is on disk; checks of outputs."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

from paralign.errors import UserError
from paralign.locks import HAS_LOCKS, acquire, lock

__all__ = [
    "FULL",
    "OutputFile",
    "atomic_file",
    "atomic_files",
    "atomic_folder",
    "check_can_create",
    "check_new_folder",
    "check_outputs",
    "check_still_there",
    "flush",
    "is_being_written",
    "is_special",
    "require_folder",
    "sync",
    "written_file",
]

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "a file would be larger than the system allows",
}
_DENIED = {errno.EACCES: "the folder is not writable", errno.EROFS: "the file system is read-only"}


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Write a folder that appears at ``path`` when the block ends, flushed to disk.

    The folder is written as ``.NAME.part`` next to ``path`` and renamed. If the block raises, nothing is left and an
    older ``path`` is untouched. What a killed process left behind is removed; a running process holds a lock on it.

    Args:
        path: the folder to create; parents are created too.
        replace: whether an existing folder is replaced; by default it is an error.

    Yields:
        The temporary folder to write to.

    Raises:
        UserError: if ``path`` exists before or after the writing and ``replace`` is off, another process is writing it,
            or the disk is full or not writable.
    """
    if not replace:
        check_new_folder(path)
    part, old = path.with_name(f".{path.name}.part"), path.with_name(f".{path.name}.old")
    try:
        part.mkdir(parents=True, exist_ok=True)
        lock_file = (part / "lock").open("w")
    except FileNotFoundError:
        raise UserError("another process has just written this folder", where=path, hint="start again") from None
    except OSError as error:
        if reason := (FULL | _DENIED).get(error.errno or 0):
            raise UserError(reason, where=path, hint="choose another folder") from error
        raise
    with lock_file:
        acquire(lock_file, path)
        check_still_there(part / "lock", lock_file, path, "folder")
        written = False
        try:
            for leftover in part.iterdir():
                if leftover.name != "lock":
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            yield part
            for file in (*part.rglob("*"), part):
                _make_readable(file, part)
                flush(file)
            if not replace:
                check_new_folder(path)  # it may have been created during the writing
            if path.exists():
                shutil.rmtree(old, ignore_errors=True)
                path.rename(old)
            part.rename(path)  # the lock with it, so that no other process can begin before
            written = True
            (path / "lock").unlink()
            flush(path.parent)
            shutil.rmtree(old, ignore_errors=True)
        except Exception as error:
            if reason := _full_disk(error):
                raise UserError(reason, where=path, hint="free some space; nothing was changed") from error
            raise
        finally:
            if not written:
                shutil.rmtree(part, ignore_errors=True)


def is_being_written(path: Path) -> bool:
    """Return whether a process is writing a folder with :func:`atomic_folder`, or may be, where there are no locks."""
    try:
        with (path.with_name(f".{path.name}.part") / "lock").open("ab") as file:
            return not lock(file)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears at ``path`` when the block ends, flushed to disk.

    The file is written as ``.NAME.part`` next to ``path`` and renamed, as ``.NAME.1.part`` (``2`` ...) if another
    process is writing it: the file that is complete last remains. An existing file is replaced; if the block raises, it
    is untouched and nothing else is left. Of a symbolic link, the file that it points to is written. Devices and pipes
    (``/dev/null``) are written to, not replaced.

    Args:
        path: the file to write; its folder must exist.

    Yields:
        The temporary file, open for writing bytes.

    Raises:
        UserError: if the folder is not writable, or the disk is full.
    """
    try:
        with written_file(path) as file:
            yield file
    except OSError as error:
        if error.filename == str(path) and (reason := FULL.get(error.errno or 0)):
            raise UserError(reason, where=path, hint="free some space; nothing was changed") from error
        raise


@contextmanager
def atomic_files(paths: Sequence[Path]) -> Iterator[list[IO[bytes]]]:
    """Write several files as :func:`atomic_file`; they appear when all of them are on disk.

    Args:
        paths: the files to write; their folders must exist.

    Yields:
        The temporary files, open for writing bytes.

    Raises:
        UserError: if a folder is not writable, or the disk is full.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(atomic_file(path)) for path in paths]
        yield files
        for path, file in zip(paths, files, strict=True):
            if not is_special(path):
                sync(file)


@contextmanager
def written_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file as :func:`atomic_file`; a full disk is an ``OSError``."""
    if is_special(path):
        with io.BufferedWriter(OutputFile(path, path, "wb")) as special:
            yield special
        return
    target = path.resolve() if path.is_symlink() else path
    part, file = _open_part(target, path)
    try:
        yield file
        sync(file)
        if not HAS_LOCKS:
            file.close()  # Windows renames only closed files
        part.replace(target)  # before the lock ends, so that it is still the part of this process
    except BaseException:
        with suppress(OSError):
            if not HAS_LOCKS:
                file.close()
            part.unlink(missing_ok=True)
        raise
    finally:
        with suppress(OSError):  # of a full disk, which was raised before
            file.close()
    flush(target.parent)


def _open_part(target: Path, path: Path) -> tuple[Path, IO[bytes]]:
    """Open an empty temporary file next to ``target``, and lock it.

    Args:
        target: the file to write.
        path: its name for the user.

    Raises:
        UserError: if the folder is not writable.
    """
    for number in count():
        part = target.with_name(f".{target.name}.{number}.part" if number else f".{target.name}.part")
        try:
            file = io.BufferedWriter(OutputFile(part, path, "wb"))
        except OSError as error:
            if reason := _DENIED.get(error.errno or 0):
                raise UserError(reason, where=path, hint="choose another folder") from error
            error.filename = str(path)
            raise
        try:
            lock(file)
            if _is_at(file, part):
                file.truncate(0)
                return part, file
        except BlockingIOError:
            pass
        file.close()
    raise AssertionError


class OutputFile(io.FileIO):
    """A file to write to that is not emptied when it is opened, and whose errors name the output of the user.

    Args:
        part: the file.
        output: the name of the output.
        mode: ``wb`` or ``ab``.
    """

    def __init__(self, part: Path, output: Path, mode: str) -> None:
        self.output = str(output)
        super().__init__(part, mode, opener=lambda name, flags: os.open(name, flags & ~os.O_TRUNC, 0o666))

    def write(self, data: Any) -> int:
        with _named(self.output):
            return super().write(data)


@contextmanager
def _named(output: str) -> Iterator[None]:
    """Add the name of an output to errors of the system."""
    try:
        yield
    except OSError as error:
        error.filename = output
        raise


def sync(file: IO[bytes]) -> None:
    """Write a file to disk."""
    file.flush()
    with _named(file.raw.output):  # type: ignore[attr-defined]
        os.fsync(file.fileno())


def require_folder(folder: Path) -> None:
    """Check that the folder of an output file exists and is writable.

    Raises:
        UserError: if it does not, with the command that creates it, or if it is not writable.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError("is not a folder", where=folder, hint="choose another folder")
    if not folder.resolve().is_dir():
        raise UserError("no such folder", where=folder, hint=f"mkdir -p {folder}")
    check_can_create(folder)


def check_can_create(folder: Path) -> None:
    """Check that a folder can be written, or created together with its parents.

    Raises:
        UserError: if it is called ``-``, one of its parents is a file, or the folder or its nearest existing parent is
            not writable.
    """
    if str(folder) == "-":
        raise UserError("a folder cannot be standard output", where=folder, hint="name a folder")
    full = folder.absolute()
    nearest = next(path for path in (full, *full.parents) if os.path.lexists(path))
    if nearest != full and not nearest.is_dir():
        message = f"the folder cannot be created: {nearest} is not a folder"
        raise UserError(message, where=folder, hint="choose another folder")
    if nearest.is_dir() and not os.access(nearest, os.W_OK | os.X_OK):
        what = "the folder is" if nearest == full else f"the folder cannot be created: {nearest} is"
        raise UserError(f"{what} not writable", where=folder, hint="choose another folder")


def check_new_folder(folder: Path) -> None:
    """Check that a folder does not exist and can be created.

    Raises:
        UserError: if it exists or cannot be created.
    """
    if os.path.lexists(folder):
        raise UserError("already exists", where=folder, hint="choose another folder, or remove this one")
    check_can_create(folder)


def check_outputs(
    outputs: Iterable[str | Path],
    inputs: Iterable[str | Path],
    *,
    force: bool = False,
    folder: str | Path | None = None,
) -> None:
    """Check that output files can be written, are neither the same file nor an input, and do not exist.

    Args:
        outputs: the output files.
        inputs: the files that are read; ``-`` is standard input.
        force: existing files are replaced; of a symbolic link, the file that it points to. An input never is.
        folder: an output folder, which is never replaced. Default ``None``: there is none.

    Raises:
        UserError: naming the first file that cannot be written, or ``-``: commands that write to standard output do not
            pass it.
    """
    used = {Path(path).resolve() for path in inputs if str(path) != "-"}
    for output in map(Path, outputs):
        if str(output) == "-":
            raise UserError("cannot be written to standard output", where=output, hint="name a file")
        if is_special(output):
            continue  # written to, not replaced
        require_folder((output.resolve() if output.is_symlink() else output).parent)
        if output.is_dir():
            raise UserError("is a folder, not a file", where=output, hint="name a file")
        if output.resolve() in used:
            raise UserError(
                "the output file is also an input or another output", where=output, hint="name another file"
            )
        if output.exists() and not force:
            raise UserError("already exists", where=output, hint="use --force to replace it")
        used.add(output.resolve())
    if folder is not None:
        check_new_folder(Path(folder))
        if used & {Path(folder).resolve(), *Path(folder).resolve().parents}:
            message = "the output folder is, or is in, an input or another output"
            raise UserError(message, where=folder, hint="name another folder")


def is_special(path: Path) -> bool:
    """Return whether there is a pipe or a device at a path."""
    return path.exists() and not path.is_file() and not path.is_dir()


def check_still_there(part: Path, file: IO[Any], path: Path, kind: str) -> None:
    """Check that a file was not renamed by another process between opening and locking it."""
    if not _is_at(file, part):
        raise UserError(f"another process has just written this {kind}", where=path, hint="start again")


def _is_at(file: IO[Any], path: Path) -> bool:
    """Return whether an open file still has this name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _full_disk(error: Exception) -> str | None:
    """Return the reason if an error means that there is no space left; safetensors has its own error class."""
    if isinstance(error, OSError):
        return FULL.get(error.errno or 0)
    return next((reason for number, reason in FULL.items() if os.strerror(number) in str(error)), None)


def _make_readable(file: Path, folder: Path) -> None:
    """Let everybody read a file who can read its folder; safetensors makes files that only their owner can read."""
    mode = file.stat(follow_symlinks=False).st_mode
    readable = mode | folder.stat().st_mode & 0o444
    if stat.S_ISREG(mode) and mode != readable:
        with suppress(PermissionError):  # of file systems without modes
            file.chmod(readable)


def flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
