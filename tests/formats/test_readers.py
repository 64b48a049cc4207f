"""Every format gives the same pairs; every kind of damage gives its line."""

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.formats.items import Pair
from paralign.formats.lines import MAX_LINE
from paralign.sources.line_numbers import line_count
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, TextSpec, parse_pairs
from paralign.text.normalization import normalize

CELL = st.text(st.characters(exclude_characters="\n\r\t\0", exclude_categories=["Cs"]), max_size=20)


def pairs(path: object, **options: object) -> list[Pair]:
    return list(read_pairs(PairSpec("en", "de", str(path)), **options))  # type: ignore[arg-type]


WANTED = [Pair("Hi.", "Hallo!", 1), Pair("", "leer", 2), Pair("", "", 3), Pair("caf\u00e9 b", "d", 4)]
FORMATS = {
    "tsv": "Hi.\tHallo!\n\tleer\n\ncafe\u0301  b\t d\tby somebody\n",
    "bar": "Hi. ||| Hallo!\n ||| leer\n\ncafe\u0301  b ||| d\n",
}


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("name", list(FORMATS))
def test_one_file(tmp_path: Path, name: str, suffix: str) -> None:
    file = tmp_path / (name + suffix)
    data = FORMATS[name].encode()
    file.write_bytes(gzip.compress(data) if suffix else data)
    assert pairs(file) == WANTED


def test_twins(tmp_path: Path) -> None:
    a, b = tmp_path / "a.en", tmp_path / "a.de"
    a.write_text("Hi.\n\n\ncafe\u0301  b\n", encoding="utf-8")
    b.write_text("Hallo!\nleer\n\nd", encoding="utf-8")
    assert pairs(f"{a},{b}") == WANTED


def test_blank_lines_before_the_first_pair(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("\n\na ||| b\n")
    assert pairs(tmp_path / "a") == [Pair("", "", 1), Pair("", "", 2), Pair("a", "b", 3)]


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1))
def test_any_tsv(tmp_path_factory, rows: list[tuple[str, str]]) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path_factory.mktemp("tsv", numbered=True) / "a.tsv"
    text = "".join(f"{a}\t{b}\n" for a, b in rows)
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())  # so that no cell is taken for a magic number
    if not rows[0][0] and not rows[0][1] and len(rows) == 1:
        return
    got = pairs(file)
    assert [(p.source, p.target) for p in got] == [(normalize(a), normalize(b)) for a, b in rows]
    assert [p.line for p in got] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize(("separator", "message"), [("\t", "missing tab"), (" ||| ", r"missing \|\|\|")])
def test_missing_separator(tmp_path: Path, separator: str, message: str) -> None:
    file = tmp_path / "a.tsv"
    file.write_text(f"a{separator}b\n\nno separator\nc{separator}d\n")
    with pytest.raises(UserError, match=rf"a\.tsv:3: {message}"):
        pairs(file)
    dropped: Counter[str] = Counter()
    assert [p.line for p in pairs(file, lenient=True, dropped=dropped)] == [1, 2, 4]
    assert dropped == {"missing separator": 1}


def test_one_column_only(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("\nhello\n")
    with pytest.raises(UserError, match=r"a:2: missing tab.*comma between"):
        pairs(tmp_path / "a")


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(("left", "right", "where"), [(3, 5, "a.en:4"), (5, 3, "a.de:4")])
def test_twins_of_different_length(tmp_path: Path, left: int, right: int, where: str, lenient: bool) -> None:
    a, b = tmp_path / "a.en", tmp_path / "a.de"
    a.write_text("x\n" * left)
    b.write_text("y\n" * right)
    with pytest.raises(UserError, match=rf"{where}: .*a\.en has {left} lines, .*a\.de has {right}"):
        pairs(f"{a},{b}", lenient=lenient)


def test_a_dropped_line_does_not_shift_its_twin(tmp_path: Path) -> None:
    a, b = tmp_path / "a.en", tmp_path / "a.de"
    a.write_bytes(b"a1\n\xff\na3\na4\n" + b"x" * (MAX_LINE + 1) + b"\n")
    b.write_bytes(b"b1\nb2\nb3\nb\0\nb5\n")
    dropped: Counter[str] = Counter()
    got = pairs(f"{a},{b}", lenient=True, dropped=dropped)
    assert got == [Pair("a1", "b1", 1), Pair("a3", "b3", 3)]
    assert dropped == {"invalid UTF-8": 1, "NUL": 1, "line too long": 1}


def test_a_pair_of_two_unreadable_lines_is_counted_once(tmp_path: Path) -> None:
    (tmp_path / "a.en").write_bytes(b"\xff\na2\n")
    (tmp_path / "a.de").write_bytes(b"b\0\nb2\n")
    dropped: Counter[str] = Counter()
    assert pairs(f"{tmp_path}/a.en,{tmp_path}/a.de", lenient=True, dropped=dropped) == [Pair("a2", "b2", 2)]
    assert dropped == {"invalid UTF-8": 1}


def test_a_truncated_twin_ends_the_pairs_if_lenient(tmp_path: Path) -> None:
    a, b = tmp_path / "a.en", tmp_path / "a.de.gz"
    a.write_text("".join(f"a{n}\n" for n in range(500)))
    b.write_bytes(gzip.compress("".join(f"b{n}\n" for n in range(500)).encode())[:-400])
    with pytest.raises(UserError, match="truncated gzip"):
        pairs(f"{a},{b}")
    dropped: Counter[str] = Counter()
    got = pairs(f"{a},{b}", lenient=True, dropped=dropped)
    assert 0 < len(got) < 500
    assert all(p.source[1:] == p.target[1:] for p in got)
    assert dropped == {"truncated gzip": 1, "missing counterpart": 499 - len(got)}


def test_plain_text(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one  two\n\nthree\twords\n")
    assert list(read_text(TextSpec("en", str(tmp_path / "a")))) == [
        (1, "one two"),
        (2, ""),
        (3, "three words"),
    ]


def test_smallworld_has_parallel_text() -> None:
    got = list(read_pairs(PairSpec("en", "de", "smallworld:7-9")))
    assert [p.line for p in got] == [7, 8]
    for side, language in (("source", "en"), ("target", "de")):
        texts = list(read_text(TextSpec(language, "smallworld:7-9")))
        assert texts == [(p.line, getattr(p, side)) for p in got]
        assert all(text == normalize(text) for _, text in texts)
    with pytest.raises(UserError, match="has no grammar for"):
        list(read_pairs(PairSpec("en", "sw", "smallworld:0-2")))


def tree(sent_id: str, *words: str, text: str | None = None) -> str:
    head = (f"# sent_id = {sent_id}\n" if sent_id else "# newdoc\n") + (
        f"# text = {text}\n" if text is not None else ""
    )
    rows = (f"{k}\t{w}\t_\tX\t_\t_\t{k - 1}\tdep\t_\t_\n" for k, w in enumerate(words, 1))
    return head + "".join(rows) + "\n"


def save_trees(folder: Path, first: str, second: str) -> str:
    (folder / "a.conllu").write_text(first, encoding="utf-8")
    (folder / "b.conllu.gz").write_bytes(gzip.compress(second.encode()))
    return f"{folder}/a.conllu,{folder}/b.conllu.gz"


def test_treebanks_are_joined_by_sent_id(tmp_path: Path) -> None:
    first = tree("n1", "Of", "the", "cat", text="Of  the cat.") + "# a remark\n\n" + tree("n2", "Two", text="")
    second = tree("n2", "Zwei", "hier") + tree("n1", "x", text="Von der Katze.")
    got = pairs(save_trees(tmp_path, first, second))
    # A tree without a text has that of its words.
    assert got == [Pair("Of the cat.", "Von der Katze.", 3), Pair("Two", "Zwei hier", 11)]


def test_treebanks_need_no_annotation(tmp_path: Path) -> None:
    rows = "# sent_id = 1\n1\t{}\t_\t_\t_\t_\t_\t_\t_\t_\n\n"
    assert pairs(save_trees(tmp_path, rows.format("Rome"), rows.format("Rom"))) == [Pair("Rome", "Rom", 2)]


def test_the_lines_of_the_longer_of_two_files_are_counted(tmp_path: Path) -> None:
    whole = gzip.compress("".join(f"a {k}\n" for k in range(500)).encode())
    (tmp_path / "a.en.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "a.de").write_text("".join(f"b {k}\n" for k in range(500)))
    assert line_count(parse_pairs(f"en-de={tmp_path}/a.en.gz,{tmp_path}/a.de")) == 500


FAULTS = [
    (tree("3", "c"), "", "missing counterpart", r"a\.conllu:5: no sentence with sent_id '3' in .*b\.conllu\.gz"),
    ("", tree("3", "c"), "missing counterpart", r"b\.conllu\.gz:5: no sentence with sent_id '3' in .*a\.conllu"),
    (tree("", "c"), "", "missing sent_id", r"a\.conllu:5: .*no '# sent_id"),
    (tree("1", "c"), "", "duplicate sent_id", r"a\.conllu:5: an earlier sentence has the sent_id '1'"),
    (tree("3", ""), tree("3", "c", text="c"), "missing form", r"a\.conllu:5: the form is empty"),
]


@pytest.mark.parametrize(("first", "second", "reason", "message"), FAULTS)
def test_treebanks_that_do_not_match(tmp_path: Path, first: str, second: str, reason: str, message: str) -> None:
    path = save_trees(tmp_path, tree("1", "a") + first, tree("1", "b") + second)
    with pytest.raises(UserError, match=message + r".*--lenient"):
        pairs(path)
    dropped: Counter[str] = Counter()
    assert pairs(path, lenient=True, dropped=dropped) == [Pair("a", "b", 2)]
    assert dropped[reason] == 1


def test_a_treebank_and_a_plain_file_are_no_twins(tmp_path: Path) -> None:
    path = save_trees(tmp_path, tree("1", "a"), tree("1", "b"))
    with pytest.raises(UserError, match=r"x\.txt: is not a \.conllu file, but the other file is"):
        pairs(path.replace("a.conllu,", "x.txt,"))
