"""Tagged columns: every layout gives the same sentences, tags as conlleval reads them, faults with their line."""

import gzip
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.corpus.exclusion import iter_sentences
from paralign.errors import UserError
from paralign.formats.items import Tagged
from paralign.formats.tagged_columns import to_bio
from paralign.sources.readers import read_tagged
from paralign.sources.specs import TextSpec
from paralign.tasks import find_task
from paralign.text.normalization import normalize


def read(path: object, language: str = "de", **options: object) -> list[Tagged]:
    return list(read_tagged(TextSpec(language, str(path)), **options))  # type: ignore[arg-type]


def save(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


TEXT = ["Angela Merkel took the I-95 .", "He left.", "A third one"]


def test_plain_text_is_split_into_words_for_prediction(tmp_path: Path) -> None:
    for lines in (TEXT, TEXT[:1], [TEXT[0], "Barack Obama is on the I-95"]):
        path = save(tmp_path / "text.txt", "\n".join(lines) + "\n")
        found = read(path, "en", labeled=False)
        assert [item.text for item in found] == lines
        assert found[0].words == ("Angela", "Merkel", "took", "the", "I-95", ".")
        assert [(item.tags, item.line) for item in found] == [((), k) for k in range(1, len(lines) + 1)]
        assert found[0].spans[-1] == (28, 29)
    with pytest.raises(UserError, match=r"text.txt:2: 2 columns, not 6 as in other lines"):
        read(save(tmp_path / "text.txt", "\n".join(TEXT)), "en")


@pytest.mark.parametrize(
    "text",
    [
        "EU\nrejects\n\nRome\n",
        "EU NNP\nrejects VBZ\n\nRome NNP\n",
        "EU NNP B-ORG\nrejects VBZ\n\nRome NNP B-LOC\n",
        "# id 3\nEU\nrejects\n\n# id 4\nRome\n",
    ],
)
def test_words_in_columns_are_words_without_tags_too(tmp_path: Path, text: str) -> None:
    found = read(save(tmp_path / "words", text), "en", labeled=False)
    assert [item.words for item in found] == [("EU", "rejects"), ("Rome",)]


FIRST = [("#", "O"), ("Anna", "B-PER"), ("Cafe\u0301", "I-PER"), ("a\u00a0b", "O")]
SECOND = [("Rom", "B-LOC"), (".", "O")]
LAYOUTS = {
    "panx.tsv": ("{w}\t{t}\n", "", 1, 6),
    "panx.tsv.gz": ("{w}\t{t}\n", "", 1, 6),
    "wikiann.tsv": ("de:{w}\t{t}\n", "", 1, 6),
    "ger.tsv": ("ger:{w}\t{t}\n", "", 1, 6),
    "conll2002": ("{w} X {t}\n", "-DOCSTART- -DOCSTART- O\n\n", 3, 8),
    "conll2003": ("{w} NN  I-NP {t}\n", "-DOCSTART- -X- -X- O\n\n", 3, 8),
    "remarks.tsv": ("{w}\t{t}\n", "# id 7\tdomain=news\n# a remark\n", 3, 8),
}


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_every_layout_gives_the_same_sentences(tmp_path: Path, name: str) -> None:
    line, head, first, second = LAYOUTS[name]
    # In columns separated by spaces, a space more between them means nothing.
    blocks = ["".join(line.format(w=w, t=t) for w, t in rows) for rows in (FIRST, SECOND)]
    assert read(save(tmp_path / name, head + "\n".join(blocks) + "\n\n")) == [
        Tagged(
            "# Anna Caf\u00e9 a b",
            ("#", "Anna", "Caf\u00e9", "a b"),
            ((0, 1), (2, 6), (7, 11), (12, 15)),
            ("O", "B-PER", "I-PER", "O"),
            first,
        ),
        Tagged("Rom .", ("Rom", "."), ((0, 3), (4, 5)), ("B-LOC", "O"), second),
    ]


WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\t\0"), min_size=1, max_size=6)


@given(
    st.lists(st.lists(st.tuples(WORD.filter(str.strip), st.sampled_from(["O", "B-X", "B-Y"])), min_size=1), min_size=1)
)
def test_any_words(tmp_path_factory, sentences: list[list[tuple[str, str]]]) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path_factory.mktemp("ner", numbered=True) / "a.tsv"
    text = "first\tO\n\n" + "\n".join("".join(f"{w}\t{t}\n" for w, t in rows) for rows in sentences)
    file.write_bytes(text.encode())
    got = read(file)[1:]
    assert [s.tags for s in got] == [tuple(t for _, t in rows) for rows in sentences]
    assert [s.words for s in got] == [tuple(normalize(w) or w for w, _ in rows) for rows in sentences]
    assert all(s.text == " ".join(s.words) and tuple(s.text[a:b] for a, b in s.spans) == s.words for s in got)


def chunks(tags: Sequence[str]) -> list[tuple[str, int, int]]:
    """The chunks conlleval finds, from its two tables of when one begins and when one ends."""
    pairs = [(tag[0], tag[2:]) for tag in tags]
    found, start = [], None
    for k, ((prev, prev_type), (this, type_)) in enumerate(zip([("O", ""), *pairs], [*pairs, ("O", "")], strict=True)):
        differ = prev_type != type_
        ends = prev + this in ("BB", "BO", "BS", "IB", "IO", "IS") or prev in "ES" or (prev != "O" and differ)
        begins = prev + this in ("BB", "IB", "OB", "OI", "EE", "EI", "OE", "EB", "SB", "SI", "SE")
        begins = begins or this == "S" or (this != "O" and differ)
        if ends and start is not None:
            found.append((prev_type, start, k))
            start = None
        if begins:
            start = k
    return found


TAGS = st.lists(st.sampled_from(["O", *(f"{k}-{t}" for k in "BIES" for t in ("PER", "LOC"))]))


@given(TAGS)
def test_rewritten_tags_hold_the_chunks_of_conlleval(tags: list[str]) -> None:
    bio = to_bio(tags)
    assert chunks(bio) == chunks(tags)
    assert [tag == "O" for tag in bio] == [tag == "O" for tag in tags]
    # Valid BIO: an I- continues its own type.
    assert all(a[1:] == b[1:] for a, b in zip(["O", *bio], bio, strict=False) if b[0] == "I")


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("I-PER I-PER O I-LOC B-LOC", "B-PER I-PER O B-LOC B-LOC"),  # IOB1
        ("S-PER B-LOC I-LOC E-LOC S-LOC", "B-PER B-LOC I-LOC I-LOC B-LOC"),  # BIOES
        ("B-PER I-LOC I-LOC", "B-PER B-LOC I-LOC"),
    ],
)
def test_conll_scheme(tmp_path: Path, tags: str, wanted: str) -> None:
    file = save(tmp_path / "a.tsv", "".join(f"w\t{tag}\n" for tag in tags.split()))
    assert read(file, scheme="conll")[0].tags == tuple(wanted.split())
    with pytest.raises(UserError, match=r"a\.tsv:[12]: .*scheme=conll"):
        read(file)


GOOD = "x\tO\n\n"
FAULTS = {
    "I- without B-": ("a\tO\nb\tI-PER\n", 4, "'I-PER' follows 'O'"),
    "I- without B- ": ("a\tB-LOC\nb\tI-PER\n", 4, "'I-PER' follows 'B-LOC'"),
    "I- without B-  ": ("a\tI-PER\n", 3, "'I-PER' follows 'O'"),
    "malformed tag": ("a\tO\nb\tPER\n", 4, "'PER' is neither"),
    "malformed tag ": ("a\tB-\n", 3, "'B-' is neither"),
    "malformed tag  ": ("a\tE-PER\n", 3, "'E-PER' is neither.*scheme=conll"),
    "missing tag": ("a\tO\nb\n", 4, "'b' has no tag"),
    "missing tag ": ("a\tO\nb\t\n", 4, "'b' has no tag"),
    "wrong columns": ("a\tX\tO\n", 3, "3 columns, not 2"),
    "empty word": ("a\tO\n\u3000\tO\n", 4, "the word is empty"),
    "empty word ": ("\tO\n", 3, "the word is empty"),
}


@pytest.mark.parametrize("reason", list(FAULTS))
def test_faults(tmp_path: Path, reason: str) -> None:
    sentence, line, message = FAULTS[reason]
    file = save(tmp_path / "a.tsv", GOOD + sentence + "\n" + GOOD)
    with pytest.raises(UserError, match=rf"a\.tsv:{line}: .*{message}.*--lenient"):
        read(file)
    dropped: Counter[str] = Counter()
    assert [s.text for s in read(file, lenient=True, dropped=dropped)] == ["x", "x"]
    assert dropped == {reason.strip(): 1}
    if "word" in reason:
        with pytest.raises(UserError, match=rf"a\.tsv:{line}"):
            read(file, labeled=False)
    elif "columns" not in reason:
        assert [s.tags for s in read(file, labeled=False)] == [("O",), (), ("O",)]


def test_unlabeled_words(tmp_path: Path) -> None:
    file = save(tmp_path / "a", "Anna\nschläft\n\nRom\n")
    assert [(s.words, s.tags, s.line) for s in read(file, labeled=False)] == [
        (("Anna", "schläft"), (), 1),
        (("Rom",), (), 4),
    ]
    with pytest.raises(UserError, match="a:1: 'Anna' has no tag"):
        read(file)


def test_the_language_before_each_word(tmp_path: Path) -> None:
    file = save(tmp_path / "a.tsv", "de:Rom\tB-LOC\nde::\tO\n" + "\nde:x\tO\n" * 30 + "\nx\tO\n")
    with pytest.raises(UserError, match=r"a\.tsv:\d+: the word 'x' does not begin with 'de:'"):
        read(file)
    dropped: Counter[str] = Counter()
    got = read(file, lenient=True, dropped=dropped)
    assert (got[0].words, len(got), dropped) == (("Rom", ":"), 31, {"missing prefix": 1})
    with pytest.raises(UserError, match=r"begins with 'de:'.*not in the language 'fr' \(write de=.*a\.tsv\)"):
        read(file, "fr")
    # One word without it among the first sentences, and nothing is a prefix; nor is what names no language.
    assert read(save(tmp_path / "b.tsv", "de:Rom\tO\nx\tO\n"))[0].words == ("de:Rom", "x")
    assert read(save(tmp_path / "c.tsv", "qq:Rom\tO\n"))[0].words == ("qq:Rom",)


def test_a_sentence_that_lost_a_line_is_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"a\tO\n\xff\tO\n\nb\tO\n\nc\tO\n\0\tO\n")
    dropped: Counter[str] = Counter()
    assert [s.words for s in read(tmp_path / "a.tsv", lenient=True, dropped=dropped)] == [("b",)]
    assert dropped == {"invalid UTF-8": 1, "NUL": 1, "incomplete sentence": 2}


def test_the_sentence_in_which_a_gzip_breaks_off_is_dropped(tmp_path: Path) -> None:
    lines = ["".join(f"w{k}-{n}\tO\n" for n in range(100)) + "\n" for k in range(300)]
    file = save(tmp_path / "a.tsv.gz", "".join(lines))
    file.write_bytes(file.read_bytes()[:-500])
    dropped: Counter[str] = Counter()
    got = read(file, lenient=True, dropped=dropped)
    assert 0 < len(got) < 300
    assert {len(s.words) for s in got} == {100}
    assert dropped == {"truncated gzip": 1, "incomplete sentence": 1}


def test_a_line_without_a_tag_does_not_speak_for_the_file(tmp_path: Path) -> None:
    file = save(tmp_path / "a", "x y\n\nAnna NN B-PER\n\n")
    with pytest.raises(UserError, match="a:1: 2 columns, not 3"):
        read(file)
    assert [s.words for s in read(file, lenient=True)] == [("Anna",)]


def test_nothing_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sentence in the file"):
        read(save(tmp_path / "a", "-DOCSTART- O\n\n# a remark\n\n"))
    with pytest.raises(UserError, match="unknown scheme"):
        read(tmp_path / "a", scheme="iobes")


def test_the_small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    def tagged(language: str, indices: range) -> Iterator[Tagged]:
        return (Tagged(language, (language,), ((0, 2),), ("O",), k) for k in indices)

    monkeypatch.setattr("paralign.sources.smallworld.smallworld_tagged", tagged, raising=False)
    assert [(s.text, s.line) for s in read("smallworld:3-5")] == [("de", 3), ("de", 4)]


UNER = """# sent_id = 1
# text = Anna lives in New York
1\tAnna\tB-PER\t-\tx
2\tlives\tO\t-\tx
3\tin\tO\t-\tx
4\tNew\tB-LOC\t-\tx
5\tYork\tI-LOC\t-\tx

# sent_id = 2
# text = Rome O
1\tRome\tB-LOC\t-\tx
2\tO\tO\t-\tx

"""


def test_columns_are_a_setting(tmp_path: Path) -> None:
    file = save(tmp_path / "a.iob2", UNER)
    with pytest.raises(UserError, match=r"numbers of the words.*task\.tag_column=3 --set task\.word_column=2"):
        read(file)
    first, second = read(file, columns=(2, 3))
    assert (first.words, first.tags) == (
        ("Anna", "lives", "in", "New", "York"),
        ("B-PER", "O", "O", "B-LOC", "I-LOC"),
    )
    assert (second.words, second.tags, second.line) == (("Rome", "O"), ("B-LOC", "O"), 11)
    assert [item.words for item in read(file, columns=(2, 3), labeled=False)] == [first.words, second.words]
    with pytest.raises(UserError, match=r"5 columns, but the words are in column 9"):
        read(file, columns=(9, 3))
    with pytest.raises(UserError, match=r"'Anna' has no tag"):
        read(file, columns=(2, 9))


def test_columns_through_the_task(tmp_path: Path) -> None:
    file = save(tmp_path / "a.iob2", UNER)
    task = find_task("ner", {"word_column": 2, "tag_column": 3})
    data = task.read(f"en={file}", lenient=False, dropped=Counter(), limit=None)
    assert [item.tags[0] for item in data] == ["B-PER", "B-LOC"]
    with pytest.raises(UserError, match="word_column"):
        find_task("ner", {"word_column": 0})


def test_the_column_of_tags_is_found_for_the_hint(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'-' is neither .*column 2: use --set task\.tag_column=2; or fix"):
        read(save(tmp_path / "a.tsv", "Anna\tB-PER\t-\nlebt\tO\t-\n"))
    assert read(tmp_path / "a.tsv", columns=(None, 2))[0].tags == ("B-PER", "O")
    # A chunk column looks like tags too; one bad tag in the last column does not make it the column of tags.
    with pytest.raises(UserError) as error:
        read(save(tmp_path / "b.tsv", "Anna\tB-NP\tB-PER\nlebt\tO\tX\n"))
    assert "tag_column" not in str(error.value)


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("U-PER B-LOC I-LOC L-LOC U-LOC O", "B-PER B-LOC I-LOC I-LOC B-LOC O"),  # BILOU
        ("S-PER B-LOC M-LOC E-LOC S-LOC O", "B-PER B-LOC I-LOC I-LOC B-LOC O"),  # BMES
        ("W-PER B-LOC M-LOC E-LOC W-LOC O", "B-PER B-LOC I-LOC I-LOC B-LOC O"),  # BMEWO
        ("B-LOC L-LOC B-LOC L-LOC", "B-LOC I-LOC B-LOC I-LOC"),
    ],
)
def test_the_hint_for_other_schemes_works(tmp_path: Path, tags: str, wanted: str) -> None:
    file = save(tmp_path / "a.tsv", "".join(f"w\t{tag}\n" for tag in tags.split()))
    with pytest.raises(UserError, match=r"task\.scheme=conll"):
        read(file)
    assert read(file, scheme="conll")[0].tags == tuple(wanted.split())


def test_no_hint_leads_to_the_same_error(tmp_path: Path) -> None:
    file = save(tmp_path / "a.tsv", "w\tX-PER\n")
    for scheme in ("bio", "conll"):
        with pytest.raises(UserError, match="'X-PER'") as error:
            read(file, scheme=scheme)
        assert "scheme=conll" not in str(error.value)


def test_words_with_numbers_are_found_in_test_files(tmp_path: Path) -> None:
    file = save(tmp_path / "a.iob2", UNER)
    assert list(iter_sentences(file)) == ["Anna lives in New York", "Rome O"]
