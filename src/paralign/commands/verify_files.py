"""``paralign corpus check --verify``: read all files of stores and runs and compare them with their digests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from paralign.commands.arguments import one_or_several
from paralign.digests import DAMAGED, FolderDigests, file_digest, read_object
from paralign.errors import UserError
from paralign.results import check_results

__all__ = ["verify_files"]

_HINT = "restore it, or write it again with the command that wrote it"


@one_or_several
def verify_files(folders: str | Sequence[str | Path]) -> int:
    """Compare all files that have a digest with it: stores, word links, checkpoints, encoders, results, figures.

    Args:
        folders: stores, runs, or folders that contain some. Files without digests are not checked.

    Returns:
        The number of intact files.

    Raises:
        UserError: for a file, a folder without digests, and damaged files: the first one is described, others are
            named.
    """
    damaged: list[UserError] = []
    count = 0
    for folder in map(Path, folders):
        if not folder.is_dir():
            if folder.exists():
                hint = "give the folder of the store or run"
                raise UserError("is a file, not a folder", where=folder, hint=hint)
            raise UserError("no such folder", where=folder)
        checks = list(_checks(folder))
        if not checks:
            hint = "give the folder of a token store, run or model"
            raise UserError("no file in the folder has a digest", where=folder, hint=hint)
        for check in checks:
            try:
                check()
                count += 1
            except UserError as error:
                damaged.append(error)
    if damaged:
        first, others = damaged[0], ", ".join(str(error.where) for error in damaged[1:])
        message = f"{first.message}; damaged too: {others}" if others else first.message
        raise UserError(message, where=first.where, hint=first.hint)
    return count


def _checks(folder: Path) -> Iterator[Callable[[], object]]:
    """Yield a function for each file that reads it and raises an error if it is damaged."""
    for file in sorted(folder.rglob("digests.json")):
        yield partial(FolderDigests, file.parent, _HINT)
        try:
            digests = FolderDigests(file.parent, _HINT)
        except UserError:  # raised again by the check above
            continue
        yield from (partial(digests.check, name) for name in digests.files)
        yield from (partial(digests.check_array, name) for name in digests.arrays)
    for file in sorted(folder.rglob("figures/*.json")):
        yield partial(read_object, file, _HINT)
    for file in sorted(folder.rglob("run.json")):
        yield partial(_check_run, file)
    for file in sorted(folder.rglob("results.jsonl")):
        yield partial(check_results, file.parent)


def _check_run(file: Path) -> None:
    """Check ``run.json`` and the files whose digests it has."""
    facts = read_object(file, _HINT)
    recorded = {"seen.npy": facts.get("seen_digest"), "dictionary.tsv": facts.get("dictionary_digest")}
    for name, digest in (recorded | facts.get("logs", {})).items():
        path = file.parent / name
        if digest is not None and path.is_file() and file_digest(path) != digest:
            raise UserError(DAMAGED, where=path, hint=_HINT)
