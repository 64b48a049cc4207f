"""Installed fonts for characters that the chosen font lacks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["fallback_fonts", "missing_characters"]


def missing_characters(texts: Collection[str], families: Sequence[str]) -> set[str]:
    """Return the characters of texts that no font of matplotlib's list of families has.

    Args:
        texts: the texts.
        families: names of font families, as in ``font.family``.
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font

    fonts = [get_font(findfont(FontProperties(family=[family]))) for family in families]
    characters = {char for char in "".join(texts) if char.isprintable() and not char.isspace()}
    return {char for char in characters if not any(font.get_char_index(ord(char)) for font in fonts)}


def fallback_fonts(missing: Collection[str]) -> list[str]:
    """Return few font families that have as many of the characters as installed fonts have.

    Args:
        missing: the characters.
    """
    from matplotlib.font_manager import fontManager, get_font

    known: dict[str, set[str]] = {}
    for entry in sorted(fontManager.ttflist, key=lambda entry: ("Sans" not in entry.name, entry.name, entry.fname)):
        regular = entry.style == "normal" and entry.weight in (400, "normal", "regular")
        placeholder = "lastresort" in entry.name.replace(" ", "").lower()  # has a box for every character
        if entry.name in known or not regular or placeholder:
            continue
        try:
            font = get_font(entry.fname)
        except (OSError, RuntimeError):  # removed since matplotlib listed it, or broken
            continue
        if font.scalable:
            known[entry.name] = {char for char in missing if font.get_char_index(ord(char))}
    families, left = [], set(missing)
    while known and left & known[best := max(known, key=lambda name: len(left & known[name]))]:
        families.append(best)
        left -= known[best]
    return families
