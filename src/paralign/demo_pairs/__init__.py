"""Sentence pairs and words of ``paralign demo``, from Tatoeba (CC BY 2.0 FR, see ATTRIBUTION.md)."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

__all__ = ["LANGUAGES", "demo_file"]

LANGUAGES = ("de", "es", "fr")
"""The languages that are paired with English."""


def demo_file(name: str, language: str) -> Path:
    """Return a file of the package: tab-separated pairs of English and another language, compressed.

    Args:
        name: ``train``, ``dev`` or ``test`` for sentences, ``words.dev`` or ``words.test`` for words.
        language: one of :data:`LANGUAGES`.

    >>> demo_file("words.test", "de").name
    'words.test.en-de.tsv.gz'
    """
    return Path(str(resources.files(__name__))) / f"{name}.en-{language}.tsv.gz"
