"""How a corpus is divided into shards: ``plan.json`` in its folder, and the part of the text of each shard."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from paralign.config import difference
from paralign.corpus.store import PLAN
from paralign.digests import check_schema, digested, file_digest, object_digest, read_object
from paralign.errors import UserError
from paralign.folders import is_special
from paralign.formats.archives import archive_of
from paralign.sources.line_numbers import line_count
from paralign.sources.readers import read_rows
from paralign.sources.specs import (
    PairSpec,
    TextSpec,
    check_readable_again,
    data_paths,
    each_file,
    smallworld_range,
)

__all__ = ["MAX_SHARDS", "ItemRange", "Shard", "ShardPlan", "other_files", "parse_part", "parse_shard", "text_sources"]

ItemRange = tuple[int, int | None] | None
"""The first pair (or sentence) of a text that belongs to a shard, and the one after its last, ``None`` if the shard has
the end of the text. ``None``: nothing of the text belongs to it."""
MAX_SHARDS = 4096
"""Eleven files of each shard are mapped into memory; Linux allows 65,530 mappings of a process."""
_HINT = "remove the folder and build the corpus again"


@dataclass(frozen=True)
class Shard:
    """A part of the text of a corpus.

    Attributes:
        number: of the shard, from 1.
        plan: digest of the plan it belongs to.
        ranges: its part of each text.
        sources: for each text its :func:`text_sources`.
    """

    number: int
    plan: str
    ranges: tuple[ItemRange, ...]
    sources: tuple[dict[str, list[dict[str, Any]]], ...]


def parse_part(text: str, name: str, *, most: int = 999_999_999) -> tuple[int, int]:
    """Parse ``K/N``: part K of N, from 1.

    Args:
        text: the value of the option.
        name: what a part is called, and the option without its hyphens.
        most: the largest N.

    Raises:
        UserError: if there is no such part.

    >>> parse_part("3/64", "part")
    (3, 64)
    """
    match = re.fullmatch(r"([1-9]\d{0,8})/([1-9]\d{0,8})", text)
    if match is None or not int(match[1]) <= int(match[2]) <= most:
        raise UserError(f"there is no {name} {text!r}", hint=f"write K/N with K from 1 to N, such as --{name} 3/64")
    return int(match[1]), int(match[2])


def parse_shard(text: str) -> tuple[int, int]:
    """Parse ``K/N``: shard K of N, from 1.

    Raises:
        UserError: if there is no such shard, or N is more than ``MAX_SHARDS``.

    >>> parse_shard("3/64")
    (3, 64)
    """
    return parse_part(text, "shard", most=MAX_SHARDS)


def source_file(path: str) -> dict[str, Any]:
    """Return size and hash of a source file; for standard input and pipes only the path."""
    file = archive_of(path)
    if path == "-" or is_special(file):
        return {"path": path}
    return {"path": path, "bytes": file.stat().st_size, "blake2b": file_digest(file)}


def other_files(spec: PairSpec | TextSpec) -> list[str]:
    """Return the files that a text depends on beside those of its sides: word orders, and a dataset in a folder."""
    return [path for path, _ in each_file(data_paths([spec])) if path not in spec.paths]


def text_sources(spec: PairSpec | TextSpec) -> dict[str, list[dict[str, Any]]]:
    """Return the ``files`` of a text and, if there are any, the ``others`` that it depends on, as in ``meta.json``."""
    others = [source_file(path) for path in other_files(spec)]
    return {"files": [source_file(path) for path in spec.paths]} | ({"others": others} if others else {})


class ShardPlan:
    """The plan of a corpus: its texts, with their numbers of pairs, and everything that its shards depend on.

    Shards are consecutive and of equal size, in the order of the texts. So the records of all shards, one shard after
    the other, are those of a corpus that is not sharded.

    Args:
        content: what :meth:`create` and :meth:`read` return.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content = content
        self.shards: int = content["shards"]
        self.digest = object_digest(dict(content))

    @classmethod
    def create(
        cls, specs: Sequence[PairSpec | TextSpec], shards: int, facts: Mapping[str, Any], *, lenient: bool, counts: bool
    ) -> ShardPlan:
        """Plan the shards of a corpus.

        Args:
            specs: the texts.
            shards: number of shards.
            facts: everything else that the shards depend on, a JSON object.
            lenient: lines that cannot be read are not counted. It is not part of the plan: a shard that was built
                without it has no such line before its end, so it is the same with it.
            counts: whether the texts are read, to count them and to compute their digests.

        Raises:
            UserError: for standard input and pipes, and for text that cannot be read.
        """
        texts = []
        for spec in specs:
            check_readable_again(spec.paths, "every shard reads the text")
            entry: dict[str, Any] = {"spec": str(spec), "languages": list(spec.languages)}
            if counts:
                entry["items"] = _count(spec, lenient)  # a missing file is an error here
                entry |= text_sources(spec)
            elif others := other_files(spec):
                entry["others"] = [{"path": path} for path in others]
            texts.append(entry)
        content = {"schema": 1, "shards": shards, **facts, "texts": texts}
        return cls(json.loads(json.dumps(content)))

    @classmethod
    def read(cls, folder: Path) -> ShardPlan | None:
        """Return the plan in the folder of a corpus; ``None`` if there is none.

        Raises:
            UserError: if it is damaged.
        """
        try:
            content = read_object(folder / PLAN, _HINT)
            check_schema(content, 1, folder / PLAN, _HINT)
            return cls(content)
        except FileNotFoundError:
            return None
        except (KeyError, TypeError):
            raise UserError("not a plan of shards", where=folder / PLAN, hint=_HINT) from None

    def write(self, folder: Path) -> ShardPlan:
        """Write the plan unless another process has just written one; return the one in the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{PLAN}.{platform.node()}-{os.getpid()}.part"
        try:
            part.write_text(json.dumps(digested(self.content), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            try:
                os.link(part, folder / PLAN)  # fails if there is one
            except FileExistsError:
                pass
            except OSError:  # a file system without hard links
                part.replace(folder / PLAN)
        finally:
            part.unlink(missing_ok=True)
        plan = ShardPlan.read(folder)
        assert plan is not None
        return plan

    def check(self, now: ShardPlan, folder: Path, *, digests: bool) -> None:
        """Check that a command has the settings and texts of the plan.

        Args:
            now: the plan of this command, without counts.
            folder: of the corpus.
            digests: whether the texts are compared by content, or only by size, which is fast.

        Raises:
            UserError: naming what differs.
        """
        before, after = self.content, now.content
        settings = [key for key in before if key != "texts"]
        changed = difference({key: before[key] for key in settings}, {key: after.get(key) for key in settings})
        if changed:
            message = f"the shards were started with other settings: {changed}"
            raise UserError(message, where=folder, hint="use those settings, or another --out")
        texts = [[text["spec"] for text in plan["texts"]] for plan in (before, after)]
        if texts[0] != texts[1]:
            message = f"the shards were started with other text: {' '.join(texts[0])}"
            raise UserError(message, where=folder, hint="give the same text, or another --out")
        for text, new in zip(before["texts"], after["texts"], strict=True):
            others = [[file["path"] for file in entry.get("others", ())] for entry in (text, new)]
            changed_names = sorted({*others[0]} ^ {*others[1]})
            if changed_names:
                message = f"other files than the shards were begun with: {', '.join(changed_names)}"
                raise UserError(message, where=text["spec"], hint="restore them, or use another --out")
        for file in (file for text in before["texts"] for file in [*text["files"], *text.get("others", ())]):
            path = archive_of(file["path"])
            if not path.is_file():
                raise UserError("no such file, but the shards were begun with it", where=path, hint="restore it")
            if path.stat().st_size != file["bytes"] or (digests and file_digest(path) != file["blake2b"]):
                message = "the text has changed since the shards were begun"
                raise UserError(message, where=path, hint="restore it, or use another --out")

    def folder(self, number: int) -> str:
        """Return the folder of a shard, relative to that of the corpus."""
        return f"shards/{number:04d}"

    def shard(self, number: int) -> Shard:
        """Return a shard, by its number from 1."""
        items = [text["items"] for text in self.content["texts"]]
        sources = tuple(
            {key: text[key] for key in ("files", "others") if key in text} for text in self.content["texts"]
        )
        return Shard(number, self.digest, tuple(_ranges(items, number, self.shards)), sources)


def _ranges(items: Sequence[int], number: int, shards: int) -> Iterator[ItemRange]:
    """Yield the part of each text that belongs to a shard.

    The numbers of items may be estimates: whatever they are, every item is in one shard.

    >>> list(_ranges([6, 0, 4], 2, 2))
    [(5, None), (0, None), (0, None)]
    """
    total = sum(items)
    first, last = total * (number - 1) // shards, total * number // shards
    for size, end in zip(items, accumulate(items), strict=True):
        start, stop = max(0, first - (end - size)), min(size, last - (end - size))
        has_end = last >= end and (number == 1 or first < end)
        yield (start, None) if has_end else (start, stop) if start < stop else None


def _count(spec: PairSpec | TextSpec, lenient: bool) -> int:
    indices = smallworld_range(spec.path)
    lines = line_count(spec) if indices is None else len(indices)
    if lines is not None:
        return lines
    return sum(1 for _ in read_rows(spec, lenient=lenient))
