"""Sentences with a label: every published form gives the same sentences, every fault its line."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from paralign.errors import UserError
from paralign.formats.items import LabeledSentence
from paralign.sources.readers import read_labeled_sentences
from paralign.sources.specs import TextSpec, parse_text

RAW = [('A "cat"  sleeps.', "science/technology"), ("Cafe\u0301", "travel")]
TEXTS = [('A "cat" sleeps.', "science/technology"), ("Caf\u00e9", "travel")]
FORMS = {
    "sib200.tsv": ("index_id\tcategory\ttext\n" + "".join(f"{len(a)}\t{b}\t{a}\n" for a, b in RAW), "16 5", 2),
    "header.tsv": ("Sentence\tnote\tLabel\n" + "".join(f"{a}\tx\t{b}\n" for a, b in RAW), "#0 #1", 2),
    "plain.tsv": ("".join(f"{a}\t{b}\n" for a, b in RAW), "#0 #1", 1),
    "plain.tsv.gz": ("".join(f"{a}\t{b}\n" for a, b in RAW), "#0 #1", 1),
}  # fmt: skip


def read(path: Path, **options: object) -> list[LabeledSentence]:
    return list(read_labeled_sentences(TextSpec("en", str(path)), **options))  # type: ignore[arg-type]


def save(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", FORMS)
def test_every_form_gives_the_same_sentences(name, tmp_path):
    text, ids, first = FORMS[name]
    found = read(save(tmp_path / name, text))
    assert [(item.text, item.label) for item in found] == TEXTS
    assert [item.id for item in found] == ids.split()
    assert [item.line for item in found] == [first, first + 1]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a\tb\na\n", "1 columns, not 2", 2),
        ("a\tb\tc\n", "3 columns, not 2", 1),
        ("text\tlabel\na\tb\tc\n", "3 columns, not 2", 2),
        ("text\tlabel\na\t \n", "the label is missing", 2),
        ("text\tlabel\n \tb\n", "the sentence is empty", 2),
        ("index_id\ttext\n1\ta\n", "no column 'category' or 'label'", 1),
        ("text\tlabel\ttopic\n", "several columns for the label", 1),
        ("text\tlabel\n", "no sentence in the file", None),
    ],
)
def test_a_fault_is_named_with_its_line(text, message, line, tmp_path):
    path = save(tmp_path / "x.tsv", text)
    with pytest.raises(UserError, match=message) as error:
        read(path)
    assert str(error.value.where) == (str(path) if line is None else f"{path}:{line}")


def test_lenient_drops_counts_and_keeps_the_numbers(tmp_path):
    dropped: Counter[str] = Counter()
    found = read(save(tmp_path / "x.tsv", "a\tx\nb\n\tx\nc\t\nd\ty\n"), lenient=True, dropped=dropped)
    assert [(item.text, item.id) for item in found] == [("a", "#0"), ("d", "#4")]
    assert dropped == {"wrong columns": 1, "missing sentence": 1, "missing label": 1}


@pytest.mark.parametrize(
    "text", ["a\nb\n", "a\t\nb\tx\n", "text\na\nb\n", "index_id\ttext\n1\ta\n2\tb\n", "text\tlabel\na\nb\n"]
)
def test_labels_may_be_missing_for_prediction(text, tmp_path):
    assert [item.text for item in read(save(tmp_path / "x.tsv", text), labeled=False)] == ["a", "b"]


def test_a_derived_language_reorders_the_words_and_keeps_the_label(tmp_path):
    path = save(tmp_path / "x.tsv", "The dog sleeps.\tsports\n")
    (item,) = read_labeled_sentences(parse_text(f"en~inv={path}"))
    assert sorted(item.text.replace(".", " .").split()) == [".", "The", "dog", "sleeps"]
    assert item.text != "The dog sleeps."
    assert item.label == "sports"


def test_the_small_world_has_none():
    with pytest.raises(UserError, match="the small world has no labeled sentences"):
        read_labeled_sentences(parse_text("en=smallworld:0-5"))
