"""Ding's lines and FreeDict's files, as pairs of words."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from paralign.errors import UserError
from paralign.formats.lexicon import read_lexicon

DATA = Path(__file__).parents[3] / "shared" / "data" / "dictionaries"


def base64(number):
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    out = signs[number % 64]
    while number := number // 64:
        out = signs[number % 64] + out
    return out


def write_dictd(folder, entries, *, pack=True):
    body, rows = b"", ["00databaseinfo\tA\tA"]
    for word, entry in entries:
        data = entry.encode()
        rows.append(f"{word}\t{base64(len(body))}\t{base64(len(data))}")
        body += data
    (folder / "x.index").write_text("\n".join(rows) + "\n")
    if pack:
        (folder / "x.dict.dz").write_bytes(gzip.compress(body))
    else:
        (folder / "x.dict").write_bytes(body)
    return folder / "x.index"


def test_ding(tmp_path):
    (tmp_path / "d").write_text(
        "# Version :: 1\n"
        "Haus {n}; Gebäude {n} (Bau) | Häuser {pl} :: house; building [arch.] | houses\n"
        "\n"
        "ab; weg <fort> (nicht (mehr) da) :: away /ab./\n"
        "Haus {n} :: house\n"
        "er/sie/es {pron} :: he/she/it\n"
        "und/oder; entweder/oder :: and/or; either/or /e. o./ /eo.; e. or/\n"
    )
    dropped = Counter()
    assert read_lexicon(tmp_path / "d", dropped=dropped) == [
        ("Haus", "house"), ("Haus", "building"), ("Gebäude", "house"), ("Gebäude", "building"), ("Häuser", "houses"),
        ("ab", "away"), ("weg", "away"), ("er/sie/es", "he/she/it"), ("und/oder", "and/or"), ("und/oder", "either/or"),
        ("entweder/oder", "and/or"), ("entweder/oder", "either/or"),
    ]  # fmt: skip
    assert dropped == {"duplicate": 1}


@pytest.mark.parametrize("line", ["a :: b :: c", "a | b :: c", "a b"])
def test_lines_that_are_not_dings(tmp_path, line):
    (tmp_path / "d").write_text(f"a :: b\n{line}\n")
    with pytest.raises(UserError, match="d:2: "):
        read_lexicon(tmp_path / "d")
    dropped = Counter()
    assert read_lexicon(tmp_path / "d", lenient=True, dropped=dropped) == [("a", "b")]
    assert dropped == {"wrong columns": 1}


@pytest.mark.parametrize("pack", [True, False])
def test_freedict(tmp_path, pack):
    index = write_dictd(tmp_path, [
        ("annoy", "annoy /ænɔi/\n1. agacer, indigner\n2. chagriner\n"),
        ("adhere", "adhere /ədhiər/\nconcorder; correspondre\n"),
        ("adam", 'adam /ˈadəm/ <N>\n1. आदि\n      "Adam, the first"\n'),
        ("array", "array //əˈɹeɪ// <n>\n1. маси́в\nany of various data structures\n2. Йовко́\nname\n"),
        ("air mail", "air mail <n>\npar avion\nsent by air\n"),
        ("empty", "empty\n"),
        ("abort", "abort\n1. прекъсвам 2.\n2. абортирам ::\n"),
        ("none", "none\n1. 2.\n"),
        ("google", "google\n1. search since 2003.\n"),
    ], pack=pack)  # fmt: skip
    wanted = [
        ("annoy", "agacer"), ("annoy", "indigner"), ("annoy", "chagriner"), ("adhere", "concorder"),
        ("adhere", "correspondre"), ("adam", "आदि"), ("array", "масив"), ("array", "Йовко"), ("air mail", "par avion"),
        ("abort", "прекъсвам"), ("abort", "абортирам"), ("google", "search since 2003."),
    ]  # fmt: skip
    for name in (index, tmp_path / ("x.dict.dz" if pack else "x.dict"), tmp_path / "x"):
        assert read_lexicon(name) == wanted


def test_what_is_no_dictionary_for_dictd(tmp_path):
    index = write_dictd(tmp_path, [("a", "a\nb\n")])
    index.write_text("a\tA\tZ\n")
    with pytest.raises(UserError, match=r"x\.index:1: not a word with its position"):
        read_lexicon(index)
    for line in ("a\tA", "a\t\tB", "a\tA\tä"):
        index.write_text(line + "\n")
        with pytest.raises(UserError, match=r"x\.index:1"):
            read_lexicon(index)
    (tmp_path / "x.dict.dz").unlink()
    with pytest.raises(UserError, match="has two files"):
        read_lexicon(index)
    with pytest.raises(UserError, match="no such file"):
        read_lexicon(tmp_path / "none")


def test_counts_of_links_are_passed_over(tmp_path):
    (tmp_path / "d.tsv").write_text("dog\tHund\t12\nbig dog\tgroßer Hund\t3\n")
    assert read_lexicon(tmp_path / "d.tsv") == [("dog", "Hund"), ("big dog", "großer Hund")]
    (tmp_path / "d.tsv").write_text("a\tb\tc\n")
    with pytest.raises(UserError, match="3 columns"):
        read_lexicon(tmp_path / "d.tsv")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "pair", "least"),
    [
        ("ding/de-en.gz", ("Sturheit", "stubbornness"), 60_000),
        ("freedict/freedict-eng-fra.index", ("axis", "axe"), 8_000),
        ("freedict/freedict-eng-hin.dict.dz", ("aftermath", "परिणाम"), 20_000),
        ("freedict/freedict-eng-ara", ("Abodes", "المنازل"), 60_000),
        ("freedict/freedict-eng-bul.index", ("array", "масив"), 20_000),
        ("freedict/freedict-eng-spa.index", ("bomb", "bomba"), 4_000),
    ],
)
def test_real_dictionaries(name, pair, least):
    dropped = Counter()
    found = read_lexicon(DATA / name, lenient=True, dropped=dropped)
    assert pair in found
    assert len(found) > least
    assert dropped["wrong columns"] < 0.02 * len(found)
