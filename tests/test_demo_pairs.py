"""The pairs that come with the package: whole, attributed, and without overlap between training and test data."""

import gzip

import pytest

from paralign.demo_pairs import LANGUAGES, demo_file
from paralign.text.normalization import comparison_key
from paralign.text.words import word_spans

SIZES = {"train": 4_000, "dev": 300, "test": 500, "words.dev": 100, "words.test": 200}


def rows(name, language):
    with gzip.open(demo_file(name, language), "rt", encoding="utf-8") as lines:
        return [tuple(line.rstrip("\n").split("\t")) for line in lines]


def words(text):
    return {text[start:end].lower() for start, end in word_spans(text)}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SIZES)
def test_every_row_is_a_pair(name, language):
    found = rows(name, language)
    assert len(found) == SIZES[name]
    assert all(len(row) == 2 and all(comparison_key(side) for side in row) for row in found)


def test_no_sentence_occurs_twice():
    splits = ("train", "dev", "test")
    english = [comparison_key(a) for language in LANGUAGES for name in splits for a, _ in rows(name, language)]
    assert len(set(english)) == len(english)
    for language in LANGUAGES:
        others = [comparison_key(b) for name in splits for _, b in rows(name, language)]
        assert len(set(others)) == len(others)


def test_no_training_pair_contains_a_held_out_word():
    lexicon = {lang: rows("words.dev", lang) + rows("words.test", lang) for lang in LANGUAGES}
    english = {a.lower() for pairs in lexicon.values() for a, _ in pairs}
    for language in LANGUAGES:
        other = {b.lower() for _, b in lexicon[language]}
        assert [a for a, _ in rows("train", language) if english & words(a)] == []
        assert [b for _, b in rows("train", language) if other & words(b)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_a_lexicon_of_distinct_words(language):
    for side in (0, 1):
        dev, test = ([row[side] for row in rows(name, language)] for name in ("words.dev", "words.test"))
        assert all(len(set(part)) == len(part) for part in (dev, test))
        assert not set(dev) & set(test)
    assert all(a != b for a, b in rows("words.test", language))


def test_the_files_are_small_and_attributed():
    folder = demo_file("train", "de").parent
    named = {demo_file(name, language).name for name in SIZES for language in LANGUAGES}
    assert {path.name for path in folder.glob("*.gz")} == named
    assert sum(path.stat().st_size for path in folder.glob("*.gz")) < 1_000_000
    attribution = (folder / "ATTRIBUTION.md").read_text("utf-8")
    assert "CC BY 2.0 FR" in attribution
    assert "https://tatoeba.org" in attribution
