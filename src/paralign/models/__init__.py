"""Encoders that come with paralign: each is a Hugging Face folder with a model card, and is used by its name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["local_folder", "shipped", "shipped_names"]


def shipped_names() -> list[str]:
    """Return the names of the included encoders.

    >>> shipped_names()
    ['paralign-mini']
    """
    folder = Path(str(resources.files(__name__)))
    return sorted(path.parent.name for path in folder.glob("*/config.json"))


def shipped(name: str) -> Path | None:
    """Return the folder of an included encoder.

    Args:
        name: the name of a model.

    Returns:
        None for any other name, and if the user has a file or folder of that name.
    """
    if name not in shipped_names() or Path(name).exists():
        return None
    return Path(str(resources.files(__name__))) / name


def local_folder(name: str | Path) -> Path:
    """Return the folder that a model name refers to unless it is on the hub; ``~`` is the home folder."""
    return shipped(str(name)) or Path(name).expanduser()
