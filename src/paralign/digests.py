"""Digests of files: to notice changed inputs, and damage to files that paralign wrote.

A folder that :func:`write_digests` has seen contains ``digests.json``. Small files have one digest, which is compared
when the folder is opened. Arrays that are memory-mapped have a digest for each block of 64 KiB, in ``blocks.bin``; a
block is compared when it is first read, so that opening does not depend on the size of the array.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.errors import UserError

__all__ = [
    "DAMAGED",
    "CheckedArray",
    "FolderDigests",
    "bytes_digest",
    "check_schema",
    "digested",
    "file_digest",
    "object_digest",
    "read_object",
    "write_digests",
]

FILE, _BLOCKS = "digests.json", "blocks.bin"
_BLOCK = 1 << 16
"""Bytes of a block."""
_CLOCK = 50_000_000
"""Nanoseconds: a file changed so recently may change again without another time of change."""
_UNCHECKED = {FILE, "README.md", "lock"}
"""Not covered: itself, a text that users may edit, and the lock of a folder that is being written."""
DAMAGED = "the file is damaged: it differs from what paralign wrote"
Array = npt.NDArray[Any]


def file_digest(path: str | Path) -> str:
    """Return the hash (BLAKE2b, 128 bits) of the bytes of a file.

    An unchanged file is read once per process; symbolic links are followed.
    """
    status = Path(path).stat()
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    if time.time_ns() - changed < _CLOCK:
        return _file_digest.__wrapped__(str(path), ())
    return _file_digest(str(path), (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, changed))


@lru_cache(maxsize=4096)
def _file_digest(path: str, identity: tuple[int, ...]) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def bytes_digest(data: bytes) -> str:
    """Return what :func:`file_digest` returns for a file of these bytes."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def object_digest(value: Any) -> str:
    """Return the hash (BLAKE2b, 64 bits) of a JSON value; the order of keys does not matter."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def digested(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its digest under ``digest``; read by :func:`read_object`."""
    content: dict[str, Any] = json.loads(json.dumps(value))
    return content | {"digest": object_digest(content)}


def read_object(path: Path, hint: str) -> dict[str, Any]:
    """Read a file with one JSON object, and compare it with its digest if it has one.

    Args:
        path: the file.
        hint: how to fix a damaged file.

    Raises:
        UserError: if the file is damaged, or is not a JSON object.
        FileNotFoundError: if there is no file.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        digest = content.pop("digest", None)
        intact = digest in (None, object_digest(content))
    except (ValueError, AttributeError, TypeError, RecursionError):
        intact = False
    if not intact:
        raise UserError(DAMAGED, where=path, hint=hint)
    return content


def check_schema(content: Any, schema: int, where: str | Path, hint: str) -> None:
    """Check the number of the format of a file, its key ``schema``.

    Raises:
        UserError: if it is another one, or the content is not a JSON object.
    """
    if not isinstance(content, dict) or content.get("schema") != schema:
        raise UserError("written by another version of paralign", where=where, hint=hint)


def write_digests(folder: Path, arrays: Iterable[str] = ()) -> None:
    """Write ``digests.json`` for the files of a folder, and ``blocks.bin`` if there are arrays.

    Args:
        folder: the folder; its subfolders are covered too.
        arrays: names of the files that will be memory-mapped.
    """
    sizes: dict[str, int] = {}
    with (folder / _BLOCKS).open("wb") as out:
        for name in arrays:
            sizes[name] = (folder / name).stat().st_size
            with (folder / name).open("rb") as file:
                while block := file.read(_BLOCK):
                    out.write(_block_digest(block))
    if not sizes:
        (folder / _BLOCKS).unlink()
    paths = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    files = {name: file_digest(path) for name, path in paths.items() if name not in _UNCHECKED and name not in sizes}
    content: dict[str, Any] = {"schema": 1, "files": files, "arrays": sizes}
    content["digest"] = object_digest(content)
    (folder / FILE).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _block_digest(block: bytes | memoryview) -> bytes:
    return hashlib.blake2b(block, digest_size=8).digest()


class FolderDigests:
    """The digests of a folder. A folder without ``digests.json`` is not checked.

    Args:
        folder: the folder.
        hint: how to fix a damaged file.

    Raises:
        UserError: if ``digests.json`` is damaged.
    """

    def __init__(self, folder: Path, hint: str) -> None:
        self.folder, self._hint = folder, hint
        self.files: dict[str, str] = {}
        self.arrays: dict[str, int] = {}
        if not (folder / FILE).is_file():
            return
        try:
            content = json.loads((folder / FILE).read_text(encoding="utf-8"))
            intact = content.pop("digest") == object_digest(content)
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            intact = False
        if not intact:
            raise self._damaged(FILE)
        check_schema(content, 1, folder / FILE, self._hint)
        self.files, self.arrays = content["files"], content["arrays"]

    def check(self, *names: str) -> None:
        """Compare files with their digests; all small files if none is named.

        Raises:
            UserError: naming the first file that is damaged or missing.
        """
        for name in names or self.files:
            if name in self.files:
                try:
                    intact = file_digest(self.folder / name) == self.files[name]
                except OSError:
                    intact = False
                if not intact:
                    raise self._damaged(name)

    def array(self, name: str, dtype: str, width: int | None = None) -> CheckedArray:
        """Map an array into memory.

        Args:
            name: name of the file.
            dtype: type of its numbers.
            width: numbers in a row. None: the array has one dimension.

        Raises:
            UserError: if the file is missing or has another size.
        """
        path = self.folder / name
        size = path.stat().st_size if path.is_file() else None
        if size is None or size != self.arrays.get(name, size) or size % (np.dtype(dtype).itemsize * (width or 1)):
            raise self._damaged(name)
        return CheckedArray(path, dtype, width, self._blocks_of(name), self._damaged)

    def check_array(self, name: str) -> None:
        """Compare a whole array with its digests.

        Raises:
            UserError: if the file is damaged or missing.
        """
        self.array(name, "|u1").all()

    def _blocks_of(self, name: str) -> Array | None:
        if name not in self.arrays:
            return None
        counts = {other: -(-size // _BLOCK) for other, size in self.arrays.items()}
        path = self.folder / _BLOCKS
        if not path.is_file() or path.stat().st_size != 8 * sum(counts.values()):
            raise self._damaged(_BLOCKS)
        names = list(counts)
        begin = sum(counts[other] for other in names[: names.index(name)])
        if not counts[name]:
            return np.empty(0, np.uint64)
        return np.asarray(np.memmap(path, np.uint64, "r", 8 * begin, counts[name]))

    def _damaged(self, name: str) -> UserError:
        if name in self.arrays:
            self.check(_BLOCKS)  # the digests themselves may be damaged
        missing = not (self.folder / name).is_file()
        message = "the file is missing" if missing else DAMAGED
        return UserError(message, where=self.folder / name, hint=self._hint)


class CheckedArray:
    """A memory-mapped array. Each block is compared with its digest when it is first read.

    Created by :meth:`FolderDigests.array`. Indexed with a number, a slice or an array of row numbers, none negative.
    """

    def __init__(
        self, path: Path, dtype: str, width: int | None, digests: Array | None, damaged: Callable[[str], UserError]
    ) -> None:
        self._name, self._damaged = path.name, damaged
        # A plain array over the mapping: indexing an np.memmap is several times slower.
        flat = np.asarray(np.memmap(path, np.dtype(dtype), "r")) if path.stat().st_size else np.empty(0, dtype)
        self._flat, self._digests = flat, digests
        self._values = flat if width is None else flat.reshape(-1, width)
        self._rows = _BLOCK // (flat.itemsize * (width or 1))  # no row is in two blocks: its size is a power of 2
        self._flags = bytearray(b"\1" * (0 if digests is None else len(digests)))
        self._unread: Array = np.frombuffer(self._flags, np.bool_)  # the same bytes; a number is found faster above
        self._checked = not self._flags

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Any) -> Any:
        if not self._checked:
            if isinstance(key, slice):
                start, stop, step = key.indices(len(self._values))
                start, stop = (start, stop) if step > 0 else (stop + 1, start + 1)
                self._read_range(start // self._rows, -(-stop // self._rows))
            elif isinstance(key, np.ndarray):
                blocks = key // self._rows
                self._read(blocks[self._unread[blocks]])
            else:
                self._read_range(int(key) // self._rows, int(key) // self._rows + 1)
        return self._values[key]

    def all(self) -> Array:
        """Return the whole array, every block checked."""
        return np.asarray(self[:])

    def _read_range(self, start: int, stop: int) -> None:
        if 1 in self._flags[start:stop]:
            self._read(start + np.flatnonzero(self._unread[start:stop]))

    def _read(self, blocks: Array) -> None:
        """Check blocks that have not been read before."""
        data = self._flat.view(np.uint8)
        for block in np.unique(blocks).tolist() if len(blocks) else ():
            assert self._digests is not None
            digest = _block_digest(data[block * _BLOCK : (block + 1) * _BLOCK].data)
            if digest != self._digests[block : block + 1].tobytes():
                raise self._damaged(self._name)
            self._flags[block] = 0
        if len(blocks):
            self._checked = 1 not in self._flags
