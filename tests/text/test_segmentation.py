"""Scripts without spaces between words: words by hand, grapheme clusters, and properties of both."""

from itertools import pairwise

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import paralign
from paralign.text import segmentation
from paralign.text.normalization import normalize
from paralign.text.words import split_words, word_spans

SAMPLES = {
    "Thai": ("ผู้ชายทำงานในสำนักงาน", "ผู้ชาย ทำงาน ใน สำนักงาน"),
    "Lao": ("ຂ້ອຍມັກກິນເຂົ້າໜຽວ", "ຂ້ອຍ ມັກ ກິນເຂົ້າ ໜຽວ"),
    "Khmer": ("ខ្ញុំទៅសាលារៀន", "ខ្ញុំ ទៅ សាលារៀន"),
    "Myanmar": ("ကျွန်တော်ကျောင်းသွားတယ်", "ကျွန်တော် ကျောင်း သွား တယ်"),
}


@pytest.fixture(params=["graphemes", "icu"])
def segmenter(request, monkeypatch):
    """Both ways to divide a run, whether or not icu4py is installed."""
    if request.param == "icu":
        pytest.importorskip("icu4py")
    else:
        monkeypatch.setattr(segmentation, "_word_breaker", lambda: None)
    segmentation._announce.cache_clear()
    return request.param


def words(text):
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize("script", SAMPLES)
def test_words_by_hand(segmenter, script, capsys):
    text, wanted = SAMPLES[script]
    assert words(text) == (wanted.split() if segmenter == "icu" else regex.findall(r"\X", text))
    assert list(split_words([text, f"a {text}0"])) == [words(text), ["a", *words(text), "0"]]
    # The words are reported once, and how to get better ones.
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{script} script has no spaces between words: ")
    assert ("ICU" in line) == (segmenter == "icu") != ("pip install 'paralign[segmentation]'" in line)


def test_other_scripts_next_to_them(segmenter):
    """Digits, Latin letters and symbols follow their own rules; a script begins a new word."""
    text, thai = SAMPLES["Thai"][0], words(SAMPLES["Thai"][0])
    assert words(f"E-Mail{text}3.14 (๒๕๖๗) don't") == ["E-Mail", *thai, "3.14", "(", "๒๕๖๗", ")", "don't"]
    khmer = words(SAMPLES["Khmer"][0])
    assert words(text + SAMPLES["Khmer"][0] + "漢字") == [*thai, *khmer, "漢", "字"]


def test_tibetan_syllables_keep_their_mark():
    assert words("བོད་ཀྱི་སྐད་ཡིག །") == ["བོད་", "ཀྱི་", "སྐད་", "ཡིག", "།"]


def test_japanese_is_divided_into_characters():
    assert words("学校に行きます。") == list("学校に行きます。")


def test_scripts_that_icu_does_not_know_are_divided_into_grapheme_clusters(segmenter, capsys):
    text = "ᨽᩣᩈᩣ"  # Tai Tham
    assert words(text) == regex.findall(r"\X", text)
    assert "every grapheme cluster counts as a word" in capsys.readouterr().err


LETTERS = "".join(text for text, _ in SAMPLES.values()) + "བོད་ཀྱི།ᨽᩣ" + "aé1-' .漢か\u0301\u200d\u200c😀𠀀'\U000e0100ๆฯ฿๑"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=120)
@given(st.text(LETTERS))
def test_spans_are_disjoint_ordered_and_cover_all_but_spaces(segmenter, text):
    text = normalize(text)
    spans = word_spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert "".join(text[start:end] for start, end in spans) == text.replace(" ", "")
    assert word_spans(text) == spans
    assert list(split_words([text])) == [[text[start:end] for start, end in spans]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(st.sampled_from([text for text, _ in SAMPLES.values()]).flatmap(st.text))
def test_grapheme_clusters_are_never_divided(segmenter, text):
    assert {start for start, _ in word_spans(text)} <= {match.start() for match in regex.finditer(r"\X", text)}


def test_sentences_are_more_than_one_word_in_alignment(segmenter, tmp_path):
    """The verbs and nouns of twelve sentences: with words, all are found; in any case nothing is linked as a whole."""
    verbs = {"eat": "กิน", "see": "เห็น", "buy": "ซื้อ"}
    nouns = {"fish": "ปลา", "rice": "ข้าว", "book": "หนังสือ", "water": "น้ำ"}
    rows = [(f"we {v} {n}", f"เรา{verbs[v]}{nouns[n]}") for v in verbs for n in nouns]
    (tmp_path / "a.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows * 3), encoding="utf-8")
    spec = f"en-th={tmp_path / 'a.tsv'}"
    links, _ = paralign.align_words(spec, out=tmp_path / "out", method="ibm", quiet=True)
    assert all(len({j for _, j in row}) > 1 for row in links)
    if segmenter == "icu":
        assert all(set(row) == {(0, 0), (1, 1), (2, 2)} for row in links)
