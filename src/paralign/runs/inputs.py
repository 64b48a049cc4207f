"""The inputs of a run, by digest: a run is resumed only with the inputs it began with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from paralign.corpus.store import TokenStore
from paralign.digests import file_digest
from paralign.errors import UserError
from paralign.formats.archives import split_member
from paralign.formats.dictd import dictd_files
from paralign.models import local_folder
from paralign.runs.folder import RunFolder
from paralign.runs.objectives import objective_classes
from paralign.runs.settings import RunConfig
from paralign.sources.specs import PairSpec, TextSpec, data_paths, each_file, parse_pairs

__all__ = [
    "check_inputs",
    "data_files",
    "dictionary_files",
    "file_entries",
    "files_read",
    "finetune_inputs",
    "model_files",
    "objective_files",
    "store_entries",
]

Entries = list[dict[str, Any]]
_NAMES = {
    "train": "training data",
    "dev": "development data",
    "eval": "test data",
    "text": "text",
    "pairs": "parallel text",
    "heldout": "held-out text",
    "links": "word links",
    "dictionary": "dictionary",
    "corpus": "token store",
    "model": "encoder",
    "tokenizer": "tokenizer",
    "checkpoint": "checkpoint",
    "encoders": "encoder that an objective loads",
}
"""What an input is called in messages, by its name in ``run.json``."""
_OF_MODEL = {".json", ".safetensors", ".txt", ".model"}
_FACTS = {"paralign.json", "task.json", "digests.json"}
"""Files of a model folder that do not change what the model computes."""


def check_inputs(folder: RunFolder, **inputs: Entries) -> None:
    """Check that a run is resumed with the inputs it began with, and record them in ``run.json``.

    Args:
        folder: the run, before it begins.
        inputs: by name, ``{"path", "blake2b"}`` of each file in order. Files are compared by content, not by path, and
            in archives also by their path there. One without a digest (a pipe, a file that no longer exists) is not
            compared.

    Raises:
        UserError: naming the input that changed.
    """
    before = folder.before.get("inputs", {})
    recorded = dict(before)
    for name, entries in inputs.items():
        earlier = before.get(name)
        hint = "restore it, or start a new run with another --out"
        message = f"the {_NAMES[name]} changed since this run began"
        if earlier is not None and len(earlier) != len(entries):
            where = ", ".join(entry["path"] for entry in entries) or folder.path
            message += f": {len(entries)} files instead of {len(earlier)}"
            raise UserError(message, where=where, hint=hint)
        merged = []
        for old, new in zip(earlier or entries, entries, strict=True):
            same = new["blake2b"] is None or old["blake2b"] is None or new["blake2b"] == old["blake2b"]
            # The digest of a file in an archive is that of the archive.
            if not same or split_member(new["path"])[1] != split_member(old["path"])[1]:
                raise UserError(message, where=new["path"], hint=hint)
            merged.append(new if new["blake2b"] is not None else old)
        recorded[name] = merged
    folder.facts["inputs"] = recorded


def file_entries(paths: Iterable[str | Path]) -> Entries:
    """Return path and digest of files; those of a folder by name. Symbolic links are followed."""
    return [{"path": path, "blake2b": file_digest(file) if file.is_file() else None} for path, file in each_file(paths)]


def files_read(spec: str) -> list[Path]:
    """Return the files on disk that a data set is read from: of a member of an archive, the archive."""
    return [file for _, file in each_file(data_paths([spec]))]


def data_files(specs: Sequence[str | PairSpec | TextSpec]) -> Entries:
    """Return the files of data sets: the text, and the word order of derived languages."""
    return file_entries(data_paths(specs))


def dictionary_files(specs: Sequence[str]) -> Entries:
    """Return the files of dictionaries, each ``SRC-TGT=PATH``; those of dictd have two."""
    paths = [parse_pairs(spec).path for spec in specs]
    return file_entries(file for path in paths for file in dictd_files(path) or [path])


def finetune_inputs(train: Sequence[str], eval: Sequence[str], dev: str | None = None) -> dict[str, Entries]:
    """Return the data of a fine-tuning run, for :func:`check_inputs`."""
    return {"train": data_files(train), "dev": data_files([dev] if dev else []), "eval": data_files(eval)}


def model_files(model: str) -> Entries:
    """Return the files of a model that decide what it computes: config, weights, tokenizer. None: it is on the hub."""
    path = local_folder(model)
    inside = sorted(path.iterdir()) if path.is_dir() else []
    return file_entries(file for file in inside if file.suffix in _OF_MODEL and file.name not in _FACTS)


def objective_files(config: RunConfig) -> Entries:
    """Return the files of the encoders that the objectives of a run load, such as a teacher."""
    models = [model for kind in objective_classes(config) for model in kind.encoders(getattr(config, kind.name))]
    return [entry for model in models for entry in model_files(model)]


def store_entries(store: str | Path) -> Entries:
    """Return a token store with its fingerprint, which covers its arrays."""
    return [{"path": str(store), "blake2b": TokenStore.open(store).fingerprint}]
