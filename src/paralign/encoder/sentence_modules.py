"""What a sentence-transformers folder does with hidden states: its pooling, and modules after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from transformers.utils.hub import cached_file

__all__ = ["sentence_modules"]

_NO_CHANGE = ("Transformer", "Pooling", "Normalize")
"""Modules that give hidden states and pool them; a normalized vector has the same cosines."""


def sentence_modules(path: str) -> tuple[str, list[str]]:
    """Return how sentence-transformers pools the hidden states of a model, and what else it applies to them.

    Args:
        path: the folder of the model, or its name on the hub.

    Returns:
        The pooling (``cls``, ``mean``, ``last`` or another one; ``cls+mean`` if there are several), empty if it is not
        known; and the names of further modules, as in ``["Dense"]``. Normalization is not among them.

    >>> from paralign.models import local_folder
    >>> sentence_modules(str(local_folder("paralign-mini")))
    ('', [])
    """
    pool, others = "", []
    modules = _read(path, "modules.json")
    for module in modules if isinstance(modules, list) else []:
        kind = str(module.get("type")).rpartition(".")[2] if isinstance(module, dict) else ""
        if kind == "Pooling":
            pool = _pooling(_read(path, f"{module.get('path')}/config.json"))
        elif kind and kind not in _NO_CHANGE:
            others.append(kind)
    return pool, others


def _pooling(config: Any) -> str:
    if not isinstance(config, dict):
        return ""
    modes = config.get("pooling_mode")
    if modes is None:  # before version 5, a flag for each
        flags = [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
        modes = [flag.removeprefix("pooling_mode_").removesuffix("_token").removesuffix("_tokens") for flag in flags]
    names = [modes] if isinstance(modes, str) else [str(mode) for mode in modes]
    return "+".join("last" if name == "lasttoken" else name for name in names)


def _read(path: str, file: str) -> Any:
    """Return the content of a JSON file of a model; None if there is none or it cannot be read."""
    try:
        found = cached_file(path, file)
        return None if found is None else json.loads(Path(found).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
