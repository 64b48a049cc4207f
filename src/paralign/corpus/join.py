"""Join the shards of a corpus: list them, and find the duplicates among them by merging their sorted hashes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.corpus.clean import FilterConfig, nothing_left
from paralign.corpus.deduplicate import dropped_as
from paralign.corpus.shard_plan import ShardPlan
from paralign.corpus.store import JOINED, SCHEMA, TokenStore
from paralign.digests import write_digests
from paralign.errors import UserError
from paralign.folders import atomic_folder

__all__ = ["check_shard", "join_shards"]

Ints = npt.NDArray[np.int64]
_MERGE = 1 << 22
"""Hashes that are merged at a time, in the mean."""
_REBUILD = "remove the folder and run the same corpus build again"


def check_shard(folder: Path, number: int, plan: ShardPlan) -> TokenStore:
    """Open a shard and check that it belongs to the corpus.

    Args:
        folder: of the corpus.
        number: of the shard, from 1.
        plan: of the corpus.

    Raises:
        UserError: naming the shard if it is missing or damaged, or belongs to another corpus.
    """
    path = folder / plan.folder(number)
    if not path.is_dir():
        raise UserError(f"shard {number}/{plan.shards} is missing", where=path, hint="run the same corpus build again")
    try:
        shard = TokenStore.open(path)
    except UserError as error:
        raise UserError(f"shard {number}/{plan.shards}: {error.message}", where=error.where, hint=_REBUILD) from None
    facts = shard.meta.get("shard") or {}
    config = plan.content["filter"]
    changed = [f"data.{name}" for name, value in config.items() if shard.meta["filter"].get(name) != value]
    if shard.meta["tokenizer"] != plan.content["tokenizer"]:
        reason = "it was built with another tokenizer"
    elif changed:
        reason = f"it was built with other settings ({', '.join(changed)})"
    elif facts.get("plan") != plan.digest:
        reason = "it was built from other text or with other options"
    elif facts["number"] != number:
        reason = f"it is shard {facts['number']}"
    else:
        return shard
    raise UserError(f"not shard {number}/{plan.shards} of this corpus: {reason}", where=path, hint=_REBUILD)


def join_shards(folder: Path, plan: ShardPlan) -> TokenStore:
    """Write the list of the shards of a corpus, without records that an earlier shard contains.

    Needs 16 bytes of memory for each duplicate, and 100 MB.

    Args:
        folder: of the corpus, with all shards.
        plan: of the corpus.

    Returns:
        The corpus, opened for reading.

    Raises:
        UserError: for a shard that is missing, damaged or foreign, or if no record is left.
    """
    shards = [check_shard(folder, number, plan) for number in range(1, plan.shards + 1)]
    changes = [Counter[str]() for _ in plan.content["texts"]]
    duplicates = _duplicates(shards, changes) if plan.content["filter"]["drop_duplicates"] else np.empty(0, np.int64)
    starts = np.cumsum([0, *map(len, shards)])
    specs = [_spec([shard.meta["specs"][k] for shard in shards], change) for k, change in enumerate(changes)]
    entries, pieces = [], 0
    by_shard = np.split(duplicates, np.searchsorted(duplicates, starts[1:-1]))
    for number, (shard, here) in enumerate(zip(shards, by_shard, strict=True)):
        rows = np.repeat(here - starts[number], shard.sides), np.tile(np.arange(shard.sides), len(here))
        pieces += shard.meta["pieces"] - int(shard.piece_positions(*rows)[1].sum())
        entry = {"folder": plan.folder(number + 1), "records": len(shard), "duplicates": len(here)}
        entries.append(entry | {"pieces": shard.meta["pieces"], "fingerprint": shard.fingerprint})
    gaps = (duplicates - np.arange(len(duplicates))).astype("<i8")
    fingerprint = hashlib.blake2b(json.dumps([shard.fingerprint for shard in shards]).encode(), digest_size=16)
    fingerprint.update(gaps.tobytes())
    meta = {
        "schema": SCHEMA,
        "sides": shards[0].sides,
        "records": int(starts[-1]) - len(duplicates),
        "pieces": pieces,
        "languages": shards[0].languages,
        "tokenizer": plan.content["tokenizer"],
        "fingerprint": fingerprint.hexdigest(),
        "filter": plan.content["filter"],
        "tokenized": bool(plan.content.get("tokenized")),
        "specs": specs,
        "plan": plan.digest,
        "shards": entries,
    }
    if not meta["records"]:
        dropped = sum((Counter(spec["dropped"]) for spec in specs), Counter[str]())
        message, hint = nothing_left(dropped, shards[0].sides, FilterConfig(**plan.content["filter"]))
        raise UserError(message, where=folder, hint=hint and f"{hint}, with another --out")
    with atomic_folder(folder / JOINED) as part:
        gaps.tofile(part / "gaps.bin")
        (part / "meta.json").write_text(json.dumps(meta, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_digests(part, ["gaps.bin"])
    return TokenStore.open(folder)


def _duplicates(shards: Sequence[TokenStore], changes: Sequence[Counter[str]]) -> Ints:
    """Return the records whose text an earlier shard has, in order, numbered over all shards.

    The first of equal texts is not a duplicate, as in a corpus that is not sharded.

    Args:
        shards: the shards.
        changes: corrections of the counts of each spec are added here; records that are kept count as ``kept``.
    """
    hashes = [shard.array("hashes").all() for shard in shards]
    rows = [shard.array("hash_rows").all() for shard in shards]
    starts = np.cumsum([0, *map(len, shards)])
    parts = 1 + sum(map(len, hashes)) // _MERGE
    edges = np.array([2**64 * part // parts for part in range(1, parts)], np.uint64)
    cuts = [np.concatenate([[0], np.searchsorted(part, edges), [len(part)]]) for part in hashes]
    found = [np.empty(0, np.int64)]
    for part in range(parts):
        ranges = [slice(cut[part], cut[part + 1]) for cut in cuts]
        merged = np.concatenate([values[chosen] for values, chosen in zip(hashes, ranges, strict=True)])
        shard = np.repeat(np.arange(len(shards)), [chosen.stop - chosen.start for chosen in ranges])
        order = np.argsort(merged, kind="stable")  # equal hashes in the order of the shards
        again = order[1:][merged[order[1:]] == merged[order[:-1]]]
        row = np.concatenate([values[chosen] for values, chosen in zip(rows, ranges, strict=True)])[again]
        shard = shard[again]
        found.append((starts[shard] + row)[row >= 0])
        for number in np.unique(shard).tolist():
            kept = row[(shard == number) & (row >= 0)]
            for spec, count in zip(*np.unique(shards[number].spec[kept], return_counts=True), strict=True):
                changes[spec].update({"kept": -int(count), "duplicate": int(count)})
        for code, count in zip(*np.unique(row[row < 0], return_counts=True), strict=True):
            spec, reason = dropped_as(int(code))
            changes[spec].update({reason: -int(count), "duplicate": int(count)})
    return np.sort(np.concatenate(found))


def _spec(parts: Sequence[dict[str, Any]], change: Counter[str]) -> dict[str, Any]:
    """Return the entry of a text in ``meta.json``: the sum of those of the shards, corrected by ``change``."""
    dropped = Counter[str]()
    for counts in (*(part["dropped"] for part in parts), change):
        dropped.update(counts)
    kept = sum(part["kept"] for part in parts) + dropped.pop("kept", 0)
    return parts[0] | {"kept": kept, "dropped": dict(sorted((+dropped).items()))}
