"""Encoders that come with paralign, by name: each a plain Hugging Face folder with its model card."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["shipped", "shipped_names"]


def shipped_names() -> list[str]:
    """Names that may stand wherever a model may."""
    folder = Path(str(resources.files(__name__)))
    return sorted(path.parent.name for path in folder.glob("*/config.json"))


def shipped(name: str) -> Path | None:
    """The folder of an encoder that comes with paralign; ``None`` for any other name, and where the user has a folder
    of that name."""
    if name not in shipped_names() or Path(name).exists():
        return None
    return Path(str(resources.files(__name__))) / name
