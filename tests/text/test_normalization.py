"""The normal form, case by case and as properties."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.text.normalization import comparison_key, normalize


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("", ""),
        ("plain", "plain"),
        ("  a  b\t c\u00a0d\u3000e\u2028f ", "a b c d e f"),
        ("e\u0301", "\u00e9"),
        ("e\u200b\u0301", "\u00e9"),  # removal comes before composition
        ("so\u00adfort", "sofort"),
        ("\ufeffa\u2060b\u200bc", "abc"),
        ("a\x00b\x07c\x7fd\x9fe", "abcde"),
        ("a\x85b\x1fc", "a b c"),
        ("\u200fشكرا\u200e", "شكرا"),
        ("क्\u200dया", "क्\u200dया"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d👧", "👩\u200d👧"),
        ("ﬁ½Ａ", "ﬁ½Ａ"),  # NFC, not NFKC
        ("\u212b", "\u00c5"),
    ],
)
def test_rule(text: str, normal: str) -> None:
    assert normalize(text) == normal


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_properties(text: str) -> None:
    normal = normalize(text)
    assert normalize(normal) == normal
    assert unicodedata.is_normalized("NFC", normal)
    assert normal == " ".join(normal.split())
    assert not set(normal) & set("\t\u00ad\u200b\u2060\ufeff\x00\x85")
    assert len(normal) <= len(text.encode())  # so that character offsets of a line fit 16 bits


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Hi, Tom!", "hi tom", True),
        ("STRASSE", "Straße.", True),
        ("Ｈｉ　１", "hi 1", True),
        ("क्या", "क्यी", False),  # vowel signs are marks and must count
        ("a b", "ab", True),
        ("one", "two", False),
    ],
)
def test_plain_key(one: str, other: str, same: bool) -> None:
    assert (comparison_key(one) == comparison_key(other)) is same


def test_plain_key_of_punctuation_is_empty() -> None:
    assert comparison_key("?! …") == ""
