"""Lexicons in MUSE's format."""

from collections import Counter
from pathlib import Path

import pytest

from paralign.errors import UserError
from paralign.formats.lexicon import read_lexicon


def save(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_no_break_space_is_part_of_a_word(tmp_path: Path) -> None:
    assert read_lexicon(save(tmp_path / "a.txt", "10\u00a0000 10.000\n")) == [("10 000", "10.000")]


def test_by_hand(tmp_path: Path) -> None:
    text = "dog\tHund\ndog   Köter\ncafe\u0301 Café\n\nNew York\tNeu  York\ndog Hund\n"
    dropped: Counter[str] = Counter()
    assert read_lexicon(save(tmp_path / "en-de.txt", text), dropped=dropped) == [
        ("dog", "Hund"),
        ("dog", "Köter"),
        ("caf\u00e9", "Café"),
        ("New York", "Neu York"),
    ]
    assert dropped == {"duplicate": 1}


@pytest.mark.parametrize(
    ("line", "reason", "message"),
    [
        ("New York Neu-York\n", "wrong columns", "3 words without a tab.*put a tab"),
        ("dog\n", "wrong columns", "1 words without a tab"),
        ("a\tb\tc\n", "wrong columns", "3 columns, not 2"),
        ("dog\t\n", "empty side", "the second side"),
        ("\u200b\tHund\n", "empty side", "the first side"),
    ],
)
def test_faults(tmp_path: Path, line: str, reason: str, message: str) -> None:
    file = save(tmp_path / "a.txt", "a b\n" + line + "c d\n")
    with pytest.raises(UserError, match=rf"a\.txt:2: .*{message}.*--lenient"):
        read_lexicon(file)
    dropped: Counter[str] = Counter()
    assert read_lexicon(file, lenient=True, dropped=dropped) == [("a", "b"), ("c", "d")]
    assert dropped == {reason: 1}


def test_nothing_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no pair of words.*1 wrong columns"):
        read_lexicon(save(tmp_path / "a.txt", "dog\n"), lenient=True)
