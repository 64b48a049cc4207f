"""Whether a token store was built from the text of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from paralign.corpus.clean import FilterConfig
from paralign.corpus.shard_plan import other_files
from paralign.corpus.store import TokenStore
from paralign.digests import file_digest
from paralign.errors import UserError
from paralign.formats.archives import archive_of, split_member
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["check_same_text"]


def check_same_text(
    store: TokenStore,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    config: FilterConfig | None = None,
    *,
    tokenized: bool | None = None,
    resumed: bool = True,
) -> None:
    """Check that the store of a run was built from the same text.

    Files that no longer exist are not checked: the store contains everything that is needed.

    Args:
        store: the store of the run.
        specs: text or pairs.
        config: filter of the store. None: not checked.
        tokenized: whether the words of pairs are separated by spaces. None: not checked.
        resumed: whether the run is continued. Otherwise the store is that of an earlier attempt, and text that cannot
            be compared, such as standard input, is refused.

    Raises:
        UserError: naming the text or the settings that differ.
    """
    was, now = dict(store.meta["filter"]), {} if config is None else config.model_dump()
    was, now = ({f"data.{key}": value for key, value in values.items()} for values in (was, now))
    if tokenized is not None and "tokenized" in store.meta:
        was["links.tokenized"], now["links.tokenized"] = store.meta["tokenized"], tokenized
    changed = [f"{key} was {was.get(key)!r}, now {value!r}" for key, value in now.items() if was.get(key) != value]
    if changed:
        message = f"settings differ from those the run began with: {', '.join(changed)}"
        raise UserError(message, where=store.path, hint="use those settings, or another --out")
    hint = "start a new run with another --out"
    differ = "the data differ from those this run was started with"
    entries = store.meta["specs"]
    if [entry["languages"] for entry in entries] != [list(spec.languages) for spec in specs]:
        raise UserError(differ, where=store.path, hint=hint)
    sources: list[PairSpec | TextSpec] = [*specs]
    for entry, spec in zip(entries, sources, strict=True):
        without_files = not (entry["files"] or spec.paths) and entry["spec"] != str(spec)
        # The region or script of a tag selects a variant of the text in the same file.
        if without_files or _tags(entry["spec"]) != _tags(str(spec)):
            raise UserError(f"{differ}: {entry['spec']}", where=store.path, hint=hint)
        files = [*zip_longest(entry["files"], spec.paths)]
        files += zip_longest(entry["others"], other_files(spec)) if "others" in entry else ()
        for file, path in files:
            if file is None or path is None or _has_changed(file, path):
                raise UserError(differ, where=path, hint=hint)
            if not resumed and "blake2b" not in file:
                message = "this input cannot be compared with that of an earlier attempt in the output folder"
                raise UserError(message, where=path, hint=f"another --out, or --corpus {store.path} for that input")


def _tags(spec: str) -> list[str]:
    """Return the tags of a spec without word order files, which may be in another folder.

    >>> _tags("en:zh-CN=data/x.tmx"), _tags("en:en~syn@orders/hi.json=text.conllu")
    (['en', 'zh-CN'], ['en', 'en~syn@'])
    """
    return re.sub("@[^:=]*", "@", spec.partition("=")[0]).split(":")


def _has_changed(file: Mapping[str, Any], path: str) -> bool:
    """Return whether a file is not the one that a store was built from, as far as it can be read."""
    if split_member(file["path"])[1] != split_member(path)[1]:
        return True
    return archive_of(path).is_file() and file_digest(archive_of(path)) != file.get("blake2b")
