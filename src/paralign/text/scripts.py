"""Scripts of languages, and of texts."""

from __future__ import annotations

from functools import cache

import regex

from paralign.languages import base_language

__all__ = ["foreign_script", "main_script", "scripts_of"]

# Unicode scripts and the languages (canonical tags) written in them; a language may have several. Languages that are
# not listed are written in Latin; "+" marks those that are also written in Latin.
_TABLE = """
Arabic: ar arq ary arz ckb fa ks pnb prs ps sd ug ur az+ kk kab+ ha+ ms+ pa tg uz+ tr+ ber+
Armenian: hy hyw
Bengali: as bn mni
Canadian_Aboriginal: iu+
Coptic: cop
Cyrillic: ba be bg bxr ce crh+ cu cv kk kpv ky mhr mk mn myv os ru sah sr+ tg tt+ udm uk uz+ az+ bs+ tk+
Devanagari: awa bho hi kok mag mai mr ne new sa ks sd
Ethiopic: am ti
Georgian: ka
Gothic: got+
Greek: el grc cop
Gujarati: gu
Gurmukhi: pa
Han: ja ko lzh nan+ wuu yue zh
Hangul: ko
Hebrew: he yi
Hiragana: ja
Katakana: ja
Kannada: kn
Khmer: km
Lao: lo
Malayalam: ml
Meetei_Mayek: mni
Mongolian: mn
Myanmar: my
Oriya: or
Sinhala: si
Tamil: ta
Telugu: te
Thaana: dv
Thai: th
Tibetan: bo dz
Tifinagh: ber+ shi+ kab+
"""
_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}"
_WORD = regex.compile(rf"[{_CJK}]|[\p{{L}}--[{_CJK}]][[\p{{L}}\p{{M}}]--[{_CJK}]]*", regex.VERSION1)
_FEWEST_LETTERS = 3
"""Letters from which a script can be identified."""


@cache
def scripts_of(language: str) -> frozenset[str]:
    """Return the Unicode names of the scripts of a language.

    Args:
        language: canonical tag; for a derived language, the scripts are those of its base.

    >>> sorted(scripts_of("sr"))
    ['Cyrillic', 'Latin']
    """
    tag = base_language(language)
    scripts: set[str] = set()
    latin = True
    for line in _TABLE.strip().splitlines():
        script, _, tags = line.partition(":")
        for entry in tags.split():
            if entry.rstrip("+") == tag:
                scripts.add(script)
                latin = entry.endswith("+")
    return frozenset(scripts | ({"Latin"} if latin else set()))


def foreign_script(text: str, language: str) -> bool:
    """Return whether most words of a text (or Han and Kana characters) are in scripts that its language does not use.

    ``False`` for texts with less than three letters.

    >>> foreign_script("Привет, мир", "de")
    True
    """
    if text.isascii() and "Latin" in scripts_of(language):
        return False
    expected = _characters(language)
    start = expected.match(text)
    if start is not None and start.end() == len(text):
        return False
    words = _WORD.findall(text)
    return sum(map(len, words)) >= _FEWEST_LETTERS and 2 * sum(
        expected.match(word) is not None for word in words
    ) < len(words)


def main_script(text: str) -> str:
    """Return the Unicode name of the script of most letters; empty for a text without letters of a known script.

    >>> main_script("Привет, tom")
    'Cyrillic'
    """
    names = ["Latin", *(line.partition(":")[0] for line in _TABLE.strip().splitlines())]
    counts = {name: len(_letters(name).findall(text)) for name in names}
    script = max(names, key=counts.__getitem__)
    return script if counts[script] else ""


@cache
def _letters(script: str) -> regex.Pattern[str]:
    return regex.compile(rf"[\p{{L}}&&\p{{Script={script}}}]", regex.VERSION1)


@cache
def _characters(language: str) -> regex.Pattern[str]:
    # Letters without a script, such as the long-vowel mark of Kana, are accepted in every language.
    scripts = "".join(rf"\p{{Script={name}}}" for name in sorted({*scripts_of(language), "Common", "Inherited"}))
    return regex.compile(f"[{scripts}]++")
