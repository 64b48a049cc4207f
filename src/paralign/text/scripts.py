"""In which script is a language written, and is a text?"""

from __future__ import annotations

from functools import cache

import regex

from paralign.languages import parse_derived

__all__ = ["foreign_script", "scripts_of"]

# Unicode scripts and the languages (canonical tags) written in them; several for one language are all right. Languages
# that are nowhere are written in Latin; "+" marks those that are in Latin as well.
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
_FEWEST = 3
"""Letters by which a script can be told."""


@cache
def scripts_of(language: str) -> frozenset[str]:
    """Unicode names of the scripts a language is written in.

    Args:
        language: canonical; of a derived one the language it comes from counts.
    """
    made = parse_derived(language)
    tag = language if made is None else made.base
    found: set[str] = set()
    latin = True
    for line in _TABLE.strip().splitlines():
        script, _, tags = line.partition(":")
        for one in tags.split():
            if one.rstrip("+") == tag:
                found.add(script)
                latin = one.endswith("+")
    return frozenset(found | ({"Latin"} if latin else set()))


def foreign_script(text: str, language: str) -> bool:
    """Whether most words of a text (in Han and Kana: characters) are of scripts its language is not written in.

    Texts of less than three letters tell nothing.
    """
    if text.isascii() and "Latin" in scripts_of(language):
        return False
    own = _own(language)
    start = own.match(text)
    if start is not None and start.end() == len(text):
        return False
    words = _WORD.findall(text)
    return sum(map(len, words)) >= _FEWEST and 2 * sum(own.match(word) is not None for word in words) < len(words)


@cache
def _own(language: str) -> regex.Pattern[str]:
    # Letters that belong to no script, as the long-vowel mark of Kana, speak against nothing.
    scripts = "".join(rf"\p{{Script={name}}}" for name in sorted({*scripts_of(language), "Common", "Inherited"}))
    return regex.compile(f"[{scripts}]++")
