"""Sentence pairs: every published form gives the same pairs, every fault its line."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.formats.items import SentencePair
from paralign.sources.readers import read_sentence_pairs
from paralign.sources.specs import TextSpec
from paralign.text.normalization import normalize

CELL = st.text(st.characters(exclude_characters="\n\r\t\0", exclude_categories=["Cs"]), max_size=20)
LABELS = ("entailment", "neutral", "contradiction")


def read(path: object, language: str = "en", **options: object) -> list[SentencePair]:
    return list(read_sentence_pairs(TextSpec(language, str(path)), **options))  # type: ignore[arg-type]


def save(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def objects(*items: dict[str, object]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


# The same three pairs in every form: quotes are ordinary, text is normalized.
PAIRS = [
    ('A "cat" sleeps.', "Caf\u00e9 cat.", "entailment"),
    ("B", "It's \"b", "neutral"),
    ("C c", "D", "contradiction"),
]
RAW = [
    ('A "cat"  sleeps.', "Cafe\u0301 cat.", "entailment"),
    ("B", "It's \"b", "neutral"),
    (" C c", "D", "contradiction"),
]
FORMS: dict[str, tuple[str, list[str], int]] = {
    "xnli.tsv": ("".join(f"{a}\t{b}\t{c}\n" for a, b, c in RAW), ["#0", "#1", "#2"], 1),
    "mt.tsv": (
        "premise\thypo\tlabel\n" + "".join(f"{a}\t{b}\t{c.replace('tion', 'tory')}\n" for a, b, c in RAW),
        ["#0", "#1", "#2"],
        2,
    ),
    "cad.tsv.gz": (
        "sentence1\tsentence2\tgold_label\n" + "".join(f"{a}\t{b}\t{c}\n" for a, b, c in RAW),
        ["#0", "#1", "#2"],
        2,
    ),
    # The last columns are not filled in every line of the sets themselves.
    "multinli.txt": (
        "gold_label\tsentence1_parse\tsentence1\tsentence2\tpairID\tgenre\tlabel1\tlabel2\n"
        + "".join(f"{c}\t(X)\t{a}\t{b}\tid{k}\tnews\t{c}\n" for k, (a, b, c) in enumerate(RAW)),
        ["id0", "id1", "id2"],
        2,
    ),
    "snli.jsonl": (
        objects(*({"gold_label": c, "sentence1": a, "sentence2": b, "pairID": f"p{a}"} for a, b, c in RAW)),
        [f"p{a}".strip() for a, _, _ in RAW],
        1,
    ),
    "lingnli.jsonl": (
        objects(
            *(
                {"label": c, "premise": a, "hypothesis": b, "pairID": f"{k}e", "annotator_labels": [c]}
                for k, (a, b, c) in enumerate(RAW)
            )
        ),
        ["0e", "1e", "2e"],
        1,
    ),
    "export.jsonl": (
        objects(
            *(
                {"premise": a, "hypothesis": b, "label": LABELS.index(c), "idx": 7 + k}
                for k, (a, b, c) in enumerate(RAW)
            )
        ),
        ["7", "8", "9"],
        1,
    ),
    "export.tsv": (
        "premise\thypothesis\tlabel\n" + "".join(f"{a}\t{b}\t{LABELS.index(c)}\n" for a, b, c in RAW),
        ["#0", "#1", "#2"],
        2,
    ),
}


@pytest.mark.parametrize("name", list(FORMS))
def test_every_form_gives_the_same_pairs(tmp_path: Path, name: str) -> None:
    text, ids, first_line = FORMS[name]
    got = read(save(tmp_path / name, text))
    assert [(p.first, p.second, p.label) for p in got] == PAIRS
    assert [p.id for p in got] == ids
    assert [p.line for p in got] == [first_line, first_line + 1, first_line + 2]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("paws.tsv", "id\tsentence1\tsentence2\tlabel\n4\ta\tb\t0\n5\tc\td\t1\n"),
        (
            "paws.jsonl",
            objects(
                *(
                    {"id": k + 4, "sentence1": a, "sentence2": b, "label": k}
                    for k, a, b in [(0, "a", "b"), (1, "c", "d")]
                )
            ),
        ),
    ],
)
def test_paraphrase_labels_stay_numbers(tmp_path: Path, name: str, text: str) -> None:
    got = read(save(tmp_path / name, text))
    assert [(p.first, p.second, p.label, p.id) for p in got] == [("a", "b", "0", "4"), ("c", "d", "1", "5")]


ROWS = [
    ("de", "x", "y", "neutral", "1"),
    ("en", "a", "b", "entailment", "1"),
    ("zho", "c", "d", "neutral", "2"),
    ("en", "e", "f", "-", "2"),
]
MANY = {
    "xnli.tsv": "language\tgold_label\tsentence1\tsentence2\tpairID\tmatch\n"
    + "".join(f"{tag}\t{label}\t{a}\t{b}\t{k}\tTrue\n" for tag, a, b, label, k in ROWS),
    "xnli.jsonl": objects(
        *(
            {"language": tag, "gold_label": label, "sentence1": a, "sentence2": b, "pairID": k}
            for tag, a, b, label, k in ROWS
        )
    ),
}


@pytest.mark.parametrize("name", list(MANY))
def test_only_the_language_of_the_spec_is_read(tmp_path: Path, name: str) -> None:
    file = save(tmp_path / name, MANY[name])
    start = 1 if name.endswith("jsonl") else 2
    dropped: Counter[str] = Counter()
    assert read(file, "en", dropped=dropped) == [SentencePair("a", "b", "entailment", "1", start + 1)]
    assert dropped == {"no gold label": 1}
    assert read(file, "zh") == [SentencePair("c", "d", "neutral", "2", start + 2)]
    with pytest.raises(UserError, match=r"no sentence pair of the language 'fr' \(.*the file has: de, en, zh\)"):
        read(file, "fr")


@given(rows=st.lists(st.tuples(CELL, CELL, st.sampled_from(LABELS)), min_size=1))
def test_any_tsv(tmp_path_factory, rows: list[tuple[str, str, str]]) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path_factory.mktemp("tsv", numbered=True) / "a.tsv"
    text = "x\ty\tneutral\n" + "".join(f"{a}\t{b}\t{c}\n" for a, b, c in rows)
    file.write_bytes(text.encode())
    wanted = [(normalize(a), normalize(b), c, f"#{k}") for k, (a, b, c) in enumerate(rows, 1)]
    whole = [row for row in wanted if row[0] and row[1]]
    dropped: Counter[str] = Counter()
    got = read(file, lenient=True, dropped=dropped)[1:]
    assert [(p.first, p.second, p.label, p.id) for p in got] == whole
    assert dropped["missing sentence"] == len(wanted) - len(whole)


GOOD = "a\tb\tneutral\n"
FAULTS = {
    "wrong columns": ("a\tb\n", "2 columns, not 3"),
    "wrong columns ": ("a\tb\tneutral\tc\n", "4 columns, not 3"),
    "missing sentence": (" \tb\tneutral\n", "the first sentence"),
    "missing sentence ": ("a\t\u200b\tneutral\n", "the second sentence"),
    "missing label": ("a\tb\t\n", "label is missing"),
    "missing label ": ("a\tb\thidden\n", "label is missing"),
    "unknown label": ("a\tb\tmaybe\n", "unknown label 'maybe'.*use entailment"),
    "unknown label ": ("a\tb\t1\n", "'1' in a file whose labels are entailment"),
    "unknown label  ": ("a\tb\t2\n", "unknown label '2'"),
}


@pytest.mark.parametrize("reason", list(FAULTS))
def test_faults(tmp_path: Path, reason: str) -> None:
    line, message = FAULTS[reason]
    file = save(tmp_path / "a.tsv", GOOD + line + GOOD)
    with pytest.raises(UserError, match=rf"a\.tsv:2: .*{message}.*--lenient"):
        read(file)
    dropped: Counter[str] = Counter()
    # A pair's number does not depend on what was dropped before it: translations are joined by it.
    assert [p.id for p in read(file, lenient=True, dropped=dropped)] == ["#0", "#2"]
    assert dropped == {reason.strip(): 1}
    if "label" in reason:
        assert [p.label for p in read(file, labeled=False)] == ["neutral", "", "neutral"]
    elif "4 columns" in message or "sentence" in reason:
        with pytest.raises(UserError, match=rf"a\.tsv:2: .*{message}"):
            read(file, labeled=False)


@pytest.mark.parametrize(
    ("line", "reason", "message"),
    [
        ('{"premise": "a", "hypothesis": "b"\n', "not JSON", "not JSON"),
        ("[1]\n", "not JSON", "not a JSON object"),
        ('{"premise": ["a"], "hypothesis": "b", "label": 1}\n', "not JSON", "'premise' is neither text"),
        ('{"premise": "a", "hypothesis": "b", "label": true}\n', "not JSON", "'label' is neither text"),
        ('{"premise": "a", "hypothesis": "b", "label": ' + "9" * 5000 + "}\n", "not JSON", "not JSON"),
        ('{"premise": "a", "hypothesis": "b\\ud800", "label": 1}\n', "lone surrogate", "surrogate"),
        (
            '{"premise": "a", "hyp": "b", "label": 1}\n',
            "missing sentence",
            "second sentence is missing: no key 'sentence2' or 'hypothesis' or 'hypo' among 'premise', 'hyp', 'label'",
        ),
        ('{"premise": "a", "hypothesis": null, "label": 1}\n', "missing sentence", "the second sentence is empty"),
        ('{"premise": "a", "hypothesis": "b", "label": null}\n', "missing label", "label is missing"),
        ('{"premise": "a", "hypothesis": "b", "label": 3}\n', "unknown label", "'3'"),
    ],
)
def test_faults_of_jsonl(tmp_path: Path, line: str, reason: str, message: str) -> None:
    good = '{"premise": "a", "hypothesis": "b", "label": 0}\n'
    file = save(tmp_path / "a.jsonl", good + line)
    with pytest.raises(UserError, match=rf"a\.jsonl:2: .*{message}"):
        read(file)
    dropped: Counter[str] = Counter()
    assert len(read(file, lenient=True, dropped=dropped)) == 1
    assert dropped == {reason: 1}


def test_two_is_no_paraphrase_label(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown label '2'.*a column premise"):
        read(save(tmp_path / "a.jsonl", objects({"sentence1": "a", "sentence2": "b", "label": 2})))


@pytest.mark.parametrize(
    "text",
    [
        "a\tb\tneutral\nc\td\t-\n",
        objects({"premise": "a", "hypothesis": "b", "label": 1}, {"premise": "c", "hypothesis": "d", "label": -1}),
    ],
)
def test_pairs_without_a_majority_are_dropped_and_counted_in_strict_mode_too(tmp_path: Path, text: str) -> None:
    file = save(tmp_path / "a", text)
    dropped: Counter[str] = Counter()
    assert [p.label for p in read(file, dropped=dropped)] == ["neutral"]
    assert dropped == {"no gold label": 1}
    assert [p.label for p in read(file, labeled=False)] == ["neutral", ""]


def test_unlabeled_forms(tmp_path: Path) -> None:
    for name, text in {
        "a.tsv": "a\tb\nc\td\n",
        "h.tsv": "sentence1\tsentence2\na\tb\nc\td\n",
        "a.jsonl": objects({"premise": "a", "hypothesis": "b"}, {"premise": "c", "hypothesis": "d"}),
    }.items():
        file = save(tmp_path / name, text)
        assert [(p.first, p.second, p.label) for p in read(file, labeled=False)] == [("a", "b", ""), ("c", "d", "")]
        with pytest.raises(UserError, match=rf"{name}:1: .*(columns|label)"):
            read(file)


def test_files_of_another_format(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a:1: neither TSV nor JSON lines"):
        read(save(tmp_path / "a", "one sentence\n"))
    with pytest.raises(UserError, match=r"a:1: 4 columns without a header"):
        read(save(tmp_path / "a", "a\tb\tc\td\n"))
    with pytest.raises(UserError, match="no sentence pair in the file"):
        read(save(tmp_path / "a", "sentence1\tsentence2\tlabel\n"))


@pytest.mark.parametrize(
    "header",
    ["premise\tconclusion\tlabel", "text_a\ttext_b", "Question1\tQuestion2\tis_duplicate", "one\tother\tgold_label"],
)
def test_a_header_with_unknown_names_is_no_pair(tmp_path: Path, header: str) -> None:
    file = save(tmp_path / "a.tsv", f"{header}\n" + "a\tb\tneutral\n" * 2)
    for more in ({"labeled": False}, {"lenient": True, "labeled": False}):
        with pytest.raises(UserError, match=r"a\.tsv:1: the line is a header with unknown names .*'.*sentence1"):
            read(file, **more)


@pytest.mark.parametrize("first", ["a\tb\tneutral", "label\tlabels\tneutral", "area\tareb\tneutral", "1\t2\t0"])
def test_a_pair_that_resembles_a_header_is_a_pair(tmp_path: Path, first: str) -> None:
    assert len(read(save(tmp_path / "a.tsv", f"{first}\n"))) == 1


def test_a_line_that_cannot_be_read_keeps_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"a\tb\tneutral\n\xff\tb\tneutral\nc\td\tneutral\n")
    assert [p.id for p in read(tmp_path / "a.tsv", lenient=True)] == ["#0", "#2"]


def test_the_small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    def pairs(language: str, indices: range) -> Iterator[SentencePair]:
        return (SentencePair(language, "b", "neutral", str(k), k) for k in indices)

    monkeypatch.setattr("paralign.sources.smallworld.smallworld_sentence_pairs", pairs, raising=False)
    assert [(p.first, p.line) for p in read("smallworld:3-5", "de")] == [("de", 3), ("de", 4)]
