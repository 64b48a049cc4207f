"""Unicode normalization: equal texts get equal strings."""

from __future__ import annotations

import re
import unicodedata

import regex

__all__ = ["comparison_key", "lone_surrogate", "normalize", "normalize_tokens"]

_SURROGATE = re.compile("[\ud800-\udfff]")

# Invisible characters: C0 and C1 controls except white space, soft hyphen, Arabic letter mark, zero-width space,
# left/right marks, bidirectional embeddings and isolates, word joiner, byte order mark. ZWNJ and ZWJ (U+200C, U+200D)
# are not among them: they are part of the spelling of words in Hindi, Persian and other languages, and join emoji.
# Noncharacters, among them U+FFFE and U+FFFF, which XML cannot contain: no text consists of them.
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
    f"{_NONCHARACTERS}]+"
)
# Line breaks, as in pretty-printed XML, with the white space of ASCII around them.
_LINE_BREAK = re.compile(r"[ \t]*[\r\n][ \t\r\n]*")
_NOT_ALPHANUMERIC = regex.compile(r"[^\p{L}\p{M}\p{N}]+")


def normalize(text: str) -> str:
    r"""Return the normal form of a text; applying it twice changes nothing.

    1. Invisible characters are removed: C0/C1 controls except white space, U+00AD, U+061C, U+200B, U+200E,
       U+200F, U+202A-202E, U+2060, U+2066-2069, U+FEFF, and the 66 noncharacters (U+FFFE, U+FFFF ...). The joiners
       U+200C and U+200D are kept.
    2. Unicode normalization form NFC.
    3. Runs of white space (as ``str.split`` sees it: tabs, no-break and ideographic spaces, U+2028, U+0085,
       U+001C-F …) become one space, and are removed at both ends.

    >>> normalize("  soft\u00adhyphen  and\tspaces ")
    'softhyphen and spaces'
    """
    # Printable text has no invisible characters and no white space except the space: true for nearly every line.
    if not text.isprintable():
        text = _INVISIBLE.sub("", text)
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        return " ".join(text.split())
    if not text.isascii() and not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        text = " ".join(text.split())
    return text


def normalize_tokens(text: str) -> str:
    r"""Return the normal form of tokenized text: its tokens, separated by one space; applying it twice changes nothing.

    Only spaces (U+0020) and line breaks separate tokens, so every token stays one: other white space inside a token is
    kept, and so is a token of which :func:`normalize` would leave nothing. Otherwise as :func:`normalize`.

    >>> normalize_tokens("10\u00a0000  e\u0301te\u0301 \u3000")
    '10\xa0000 été \u3000'
    """
    if "\n" in text or "\r" in text:
        text = _LINE_BREAK.sub(" ", text)
    if text.isprintable():  # no invisible characters and no white space except the space
        return normalize(text)
    tokens = (unicodedata.normalize("NFC", _INVISIBLE.sub("", token)) or token for token in text.split(" "))
    return " ".join(token for token in tokens if token)


def comparison_key(text: str) -> str:
    """Return a key that is equal for texts that differ only in case, punctuation and spaces.

    NFKC, casefolded, letters, marks and digits only; empty for a text without these.

    >>> comparison_key("Hi, Tom!") == comparison_key("hi tom") == "hitom"
    True
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return str(_NOT_ALPHANUMERIC.sub("", folded))


def lone_surrogate(text: str) -> str | None:
    """Return the first half of a surrogate pair in a text, which no encoding of text can express. None: there is none.

    >>> lone_surrogate("a\\ud83d"), lone_surrogate("a")
    ('\\ud83d', None)
    """
    found = None if text.isascii() else _SURROGATE.search(text)
    return found and found[0]
