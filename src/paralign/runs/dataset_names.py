"""Names of data sets in result rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from paralign.errors import UserError
from paralign.formats.streams import uncompressed_name
from paralign.text.language_tags import find_tag

__all__ = ["dataset_name", "dataset_names"]


def dataset_name(spec: str) -> str:
    """Return the name of a data set without its language. Derived languages have the names of their base.

    >>> dataset_name("en-de=ntrex.en-de.test.tsv"), dataset_name("en-de=ntrex.en-de.test.tsv.zst")
    ('ntrex.test', 'ntrex.test')
    >>> dataset_name("en=sib200.eng_Latn.test.tsv")
    'sib200.test'
    >>> dataset_name("en=en_ewt-ud-test.conllu"), dataset_name("en~trans=en_ewt-ud-test.conllu")
    ('ewt-ud-test', 'ewt-ud-test')
    """
    tags, _, path = spec.partition("=")
    tags = "-".join(tag.partition("~")[0] for tag in re.split("[-:]", tags))
    name = re.sub(r"\.(tsv|txt|conllu|jsonl?)\b", "", uncompressed_name(Path(path.split(",")[0]).name))
    name = re.sub(r"(?<![A-Za-z])([a-z]{2,3})[_-][A-Z][a-z]{3}(?![A-Za-z])", r"\1", name)  # without the script
    languages = {(find_tag(tag) or tag) for tag in re.split("[-:]", tags)} | {tags}

    def is_language(part: str) -> bool:
        return part in languages or (len(part) in (2, 3) and (find_tag(part) or part) in languages)

    parts = []
    for part in re.split(r"[._]", name):
        words = [word for word in part.split("-") if not is_language(word)] if part not in languages else []
        parts.append("-".join(words))
    return ".".join(part for part in parts if part) or Path(path.split(",")[0]).parent.name or name


def dataset_names(specs: Sequence[str], given: str | None = None) -> list[str]:
    """Return a name for each data set. Sets of one language with the same name are prefixed with their folder.

    Args:
        specs: data sets, each as ``LANG=PATH``.
        given: the name of all of them, as the user gave it. None: each has a name from its file.

    Raises:
        UserError: if two sets of one language still have the same name, because results could not distinguish them.
    """
    names = [given or dataset_name(spec) for spec in specs]
    tags = [spec.partition("=")[0] for spec in specs]
    clashes = {pair for pair, count in Counter(zip(tags, names, strict=True)).items() if count > 1}
    shared = {name for _, name in clashes}
    for k, spec in enumerate(specs):
        if names[k] in shared and not given:
            folder = Path(spec.partition("=")[2].split(",")[0]).parent.name
            names[k] = f"{folder}/{names[k]}" if folder else names[k]
    for pair, count in Counter(zip(tags, names, strict=True)).items():
        if count > 1:
            same = [spec for spec, *key in zip(specs, tags, names, strict=True) if tuple(key) == pair]
            hint = "leave --dataset out" if given else "rename a file or its folder"
            hint = "remove one" if len({*same}) < len(same) else hint
            raise UserError(f"two data sets have the same name: {' and '.join(same)}", hint=hint)
    return names
