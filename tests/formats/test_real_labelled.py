"""The readers of labeled text on the published files; counts are those of the sets' descriptions."""

import os
import re
from collections import Counter
from pathlib import Path

import pytest

from paralign.errors import UserError
from paralign.formats.lexicon import read_lexicon
from paralign.sources.readers import (
    read_labeled_sentences,
    read_pairs,
    read_questions,
    read_sentence_pairs,
    read_tagged,
    read_trees,
)
from paralign.sources.specs import parse_pairs, parse_text

SHARED = Path(os.environ.get("PARALIGN_SHARED", Path(__file__).parents[2].parent / "shared"))
DATA = SHARED / "data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason="no real data here")]


@pytest.mark.parametrize(("split", "each"), [("dev", 830), ("test", 1_670)])
def test_xnli_is_balanced(split: str, each: int) -> None:
    for tag in ("en", "de", "es", "fr", "zh", "hi"):
        pairs = read_sentence_pairs(parse_text(f"{tag}={DATA}/xnli/{split}-{tag}.tsv"))
        assert Counter(p.label for p in pairs) == dict.fromkeys(("entailment", "neutral", "contradiction"), each)


def test_training_pairs() -> None:
    files = list(DATA.glob("nli-train/lingnli/*.jsonl"))
    assert sum(1 for f in files for _ in read_sentence_pairs(parse_text(f"en={f}"))) == 44_983
    for split, count in (("train", 8_330), ("dev", 1_000), ("test", 2_000)):
        assert sum(1 for _ in read_sentence_pairs(parse_text(f"en={DATA}/nli-train/cad/{split}.tsv"))) == count


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("squad/dev-v1.1.reconstructed.json", 10_570),
        ("tydiqa/tydiqa.goldp.en.train.json", 3_696),
        *((f"xquad/xquad.{tag}.json", 1_190) for tag in ("en", "de", "es", "zh")),
        *(
            (f"mlqa/dev-context-{t}-question-{t}.json", n)
            for t, n in [("en", 1_148), ("de", 512), ("es", 500), ("zh", 504)]
        ),
    ],
)
def test_questions(name: str, count: int) -> None:
    questions = list(read_questions(DATA / "qa" / name, languages=("en", "en")))
    assert len(questions) == len({q.id for q in questions}) == count
    for q in questions:
        assert all(q.context.startswith(a, start) for a, start in zip(q.answers, q.starts, strict=True))


def test_questions_without_answers() -> None:
    file = DATA / "qa/tydiqa/tydiqa.goldp.en.dev.json"
    with pytest.raises(UserError, match="question english--3215621880858840488-2: an answer has no text"):
        list(read_questions(file, languages=("en", "en")))
    assert sum(1 for _ in read_questions(file, languages=("en", "en"), labeled=False)) == 440


@pytest.mark.parametrize(("name", "count"), [("train-en", 20_000), ("dev-de", 10_000), ("dev-hi", 1_000)])
def test_entities(name: str, count: int) -> None:
    assert sum(1 for _ in read_tagged(parse_text(f"{name[-2:]}={DATA}/ner/panx/{name}.tsv"))) == count


@pytest.mark.parametrize(("part", "count"), [("train", 701), ("dev", 99), ("test", 204)])
def test_topics(part: str, count: int) -> None:
    by_language = [
        list(read_labeled_sentences(parse_text(f"{tag}={DATA}/classification/sib200/{name}.{part}.tsv")))
        for tag, name in (("en", "eng_Latn"), ("zh", "zho_Hans"))
    ]
    english, chinese = ({item.id: item.label for item in items} for items in by_language)
    assert len(english) == len(by_language[0]) == count
    assert english == chinese
    assert len(set(english.values())) == 7


def test_entities_that_do_not_begin() -> None:
    file = DATA / "ner/panx/dev-zh.tsv"
    assert sum(1 for _ in read_tagged(parse_text(f"zh={file}"), scheme="conll")) == 10_000
    # Counted with a pattern over the file: an I- behind another type, an O or a sentence's end.
    tags = [line.rpartition("\t")[2] for line in file.read_text(encoding="utf-8").split("\n")]
    bad = sum(b[:1] == "I" and a[2:] != b[2:] for a, b in zip(["", *tags], tags, strict=False))
    assert bad == 476
    dropped: Counter[str] = Counter()
    kept = sum(1 for _ in read_tagged(parse_text(f"zh={file}"), lenient=True, dropped=dropped))
    assert kept + dropped["I- without B-"] == 10_000
    assert 0 < dropped["I- without B-"] <= bad


@pytest.mark.parametrize(("name", "count"), [("en-de", 3_658), ("de-en", 2_588), ("en-hi", 1_949), ("hi-en", 1_769)])
def test_muse(name: str, count: int) -> None:
    dropped: Counter[str] = Counter()
    pairs = read_lexicon(DATA / f"dictionaries/muse/{name}.5000-6500.txt", dropped=dropped)
    assert len(pairs) + dropped["duplicate"] == count


@pytest.mark.parametrize(("tag", "name"), [("de", "German"), ("fr", "French"), ("es", "Spanish"), ("hi", "Hindi")])
def test_pud_as_parallel_text(tag: str, name: str) -> None:
    english = DATA / "pos-parse/UD_English-PUD/en_pud-ud-test.conllu"
    other = DATA / f"pos-parse/UD_{name}-PUD/{tag}_pud-ud-test.conllu"
    pairs = list(read_pairs(parse_pairs(f"en-{tag}={english},{other}")))
    assert len(pairs) == 1_000
    # The ids of both sides, in the order of English, name the same sentences.
    texts = dict(re.findall(r"# sent_id = (.*)\n(?:#.*\n)*?# text = (.*)\n", other.read_text(encoding="utf-8")))
    ids = [tree.sent_id for tree in read_trees(parse_text(f"en={english}"))]
    assert [p.target.split() for p in pairs] == [texts[i].split() for i in ids]
