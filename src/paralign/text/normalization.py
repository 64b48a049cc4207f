"""One spelling for one text: the normal form that every reader yields."""

from __future__ import annotations

import re
import unicodedata

import regex

__all__ = ["comparison_key", "normalize"]

# Characters that stand for nothing that is said: C0 and C1 controls other than white space, soft hyphen,
# Arabic letter mark, zero-width space, left/right marks, bidirectional embeddings and isolates, word joiner,
# byte order mark. ZWNJ and ZWJ (U+200C, U+200D) are not among them: they spell words in Hindi, Persian and
# others, and join emoji.
_SILENT = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]+"
)
_NOT_SAID = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


def normalize(text: str) -> str:
    r"""The normal form of a text; applying it twice changes nothing.

    1. Silent characters are removed: C0/C1 controls other than white space, U+00AD, U+061C, U+200B, U+200E,
       U+200F, U+202A-202E, U+2060, U+2066-2069, U+FEFF. The joiners U+200C and U+200D stay.
    2. Unicode normalization form NFC.
    3. Runs of white space (as ``str.split`` sees it: tabs, no-break and ideographic spaces, U+2028, U+0085,
       U+001C-F …) become one space; none at the ends.
    """
    # Printable text has no silent character and no white space but the space: nearly every line ends here.
    if not text.isprintable():
        text = _SILENT.sub("", text)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        return " ".join(text.split())
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    return text


def comparison_key(text: str) -> str:
    """What two copies of one sentence share: "Hi, Tom!" and "hi tom" both give "hitom".

    NFKC, casefolded, letters, marks and digits only; empty for text that has none of these.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return str(_NOT_SAID.sub("", folded))
