"""Test sentences in whatever format the test comes."""

import gzip
import json
from pathlib import Path

import pytest

from paralign.__main__ import main
from paralign.corpus.deduplicate import sentence_hashes
from paralign.corpus.exclusion import excluded_sentences, iter_sentences, parse_source
from paralign.corpus.overlap import OverlapSearch
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.formats.tmx import to_tmx_lines
from paralign.sources.readers import read_pairs
from paralign.sources.specs import parse_pairs
from paralign.text.normalization import comparison_key


def test_every_format_gives_its_sentences(tmp_path: Path):
    files = {
        "plain.txt": ("One. \nTwo\n", {"One.", "Two"}),
        "table.tsv": ("A b\tC d\tneutral\n", {"A b", "C d", "neutral"}),
        "bars.txt": ("das Haus ||| the house\n", {"das Haus", "the house"}),
        "tree.conllu": ("# sent_id = 1\n# text = Hello there\n1\tHello\n", {"Hello there"}),
        "ner.tsv": ("de:Angela\tB-PER\nde:kam\tO\n\nIn\tO\nBonn\tB-LOC\n", {"Angela kam", "In Bonn"}),
        "conll.txt": ("EU NNP B-ORG\nrejects VBZ O\n", {"EU rejects"}),
        "bmes.txt": ("EU B-ORG \nof M-ORG \nrejects O \nit W-PER \n", {"EU of rejects it"}),
        "spaces.tsv": ("New York\tB-LOC\nsleeps\tO\n", {"New York sleeps"}),
        "words.conllu": (
            "# sent_id = 1\n# text_en = Hi\n"
            + "".join(f"{k}\t{w}\t_\t_\t_\t_\t_\t_\t_\t_\n" for k, w in ((1, "Na"), (2, "so"))),
            {"Hi", "Na so"},
        ),
        "told.txt": ("# id 7\nEU B-ORG\nrejects O\n\n# 8 domain=x\nIn O\n", {"EU rejects", "In"}),
        "any.jsonl": (
            '{"Premise": "A", "hypo": "B", "translation": {"de": "C"}, "id": "D", "label": "E"}\n',
            set("ABC"),
        ),
        "pairs.jsonl": (
            '{"sentence1": "A man.", "sentence2": "B.", "label": "x"}\n\n{"premise": "C", "id": 3}\n',
            {"A man.", "B.", "C"},
        ),
    }
    for name, (text, expected) in files.items():
        (tmp_path / name).write_text(text)
        (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        for path in (tmp_path / name, tmp_path / f"{name}.gz"):
            assert {s.strip() for s in iter_sentences(path)} - {""} == expected, name


@pytest.mark.parametrize("name", ["a.tmx", "a.tmx.gz", "A.TMX"])
def test_a_translation_memory_is_refused_without_its_languages(tmp_path, name):
    """Its lines are XML: no sentence of it would be found in the training text."""
    (tmp_path / name).write_bytes(b"<tmx/>")
    with pytest.raises(UserError, match=f"{name}: is a translation memory .name its languages: en-de="):
        list(iter_sentences(tmp_path / name))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("en:qqq=m.tmx", "'qqq'"),
        ("en=no.txt", "no.txt: no such file"),
        ("a=b=c", "cannot read the languages in"),
    ],
)
def test_a_spec_that_cannot_be_read_says_why(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        excluded_sentences([parse_source(text)])
    (tmp_path / text).write_text("A sentence here.\n")
    assert parse_source(text) == Path(text)


def test_a_translation_memory_with_its_languages(tmp_path):
    path = tmp_path / "m.tmx"
    write_lines(path, to_tmx_lines([("one", "eins"), ("two", "zwei")], ("en", "de")))
    assert list(iter_sentences(parse_source(f"en-de={path}"))) == ["one", "eins", "two", "zwei"]
    (tmp_path / "en=a.txt").write_text("a\tb\n")
    assert list(iter_sentences(parse_source(f"{tmp_path}/en=a.txt"))) == ["a", "b"]  # the name of a file
    (tmp_path / "a.txt").write_text("a\tb\n")
    assert list(iter_sentences(parse_source(f"en={tmp_path}/a.txt"))) == ["a b"]


def test_every_command_takes_a_translation_memory(tmp_path, capsys):
    pairs = [(pair.source, pair.target) for pair in read_pairs(parse_pairs("en-de=smallworld:0-60"))]
    (tmp_path / "a.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs))
    write_lines(tmp_path / "m.tmx", to_tmx_lines(pairs[:2], ("en", "de")))
    common, test = ["--pairs", f"en-de={tmp_path}/a.tsv", "--quiet", "--lenient"], f"en-de={tmp_path}/m.tmx"
    build = ["corpus", "build", "--model", "paralign-mini", "--exclude", test, "--set", "data.min_pieces=1"]
    assert main([*build, *common, "--out", str(tmp_path / "store")]) == 0
    assert TokenStore.open(tmp_path / "store").meta["specs"][0]["dropped"]["excluded"] >= 2
    assert main([*build, *common, "--out", str(tmp_path / "shards"), "--shard", "1/1"]) == 0
    (entry,) = json.loads((tmp_path / "shards/plan.json").read_text())["exclude"]
    assert entry["path"] == f"{tmp_path}/m.tmx"
    assert main(["corpus", "split", "--exclude", test, *common, "--out", str(tmp_path / "split")]) == 0
    assert json.loads((tmp_path / "split/split.json").read_text())["exclude"][0]["sentences"] == 4
    capsys.readouterr()
    assert main(["corpus", "check", "--test", test, *common, "--out", str(tmp_path / "check")]) == 3
    assert f"remove them with corpus build --exclude {test}" in capsys.readouterr().err


def test_questions_give_paragraphs_sentences_and_questions_but_no_answers(tmp_path: Path):
    context = "Anna lives in Bonn. She sings! 她唱歌。他听。"
    qas = [{"id": "1", "question": "Where?", "answers": [{"text": "Bonn", "answer_start": 14}]}]
    whole = {"data": [{"title": "Anna", "paragraphs": [{"context": context, "qas": qas}]}]}
    path = tmp_path / "a.json"
    path.write_text(json.dumps(whole))
    found = {s for s in iter_sentences(path) if s}
    assert found == {context, "Anna lives in Bonn.", "She sings!", "她唱歌。", "他听。", "Where?"}
    assert len(excluded_sentences([path])[0]) == 6


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"id": "7", "translation": {"en": "A", "id": "B"}}, {"A", "B"}),
        ({"translation": {"id": "B", "title": "C"}}, {"B", "C"}),
        ({"id": "B", "eng": "A"}, {"A", "B"}),
        ({"ID": "B", "de": ["A", "C"]}, {"A", "B", "C"}),
        ({"id": "7", "premise": "A", "no": 3}, {"A"}),
    ],
)
def test_indonesian_is_no_id(tmp_path, record, expected):
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
    (tmp_path / "a.json").write_text(json.dumps([record]))
    for name in ("a.jsonl", "a.json"):
        assert set(iter_sentences(tmp_path / name)) == expected


def test_indonesian_that_was_converted_is_excluded(tmp_path):
    (tmp_path / "a.tsv").write_text("How are you today?\tApa kabar hari ini?\n")
    test = tmp_path / "test.jsonl"
    assert main(["corpus", "convert", "--pairs", f"en-id={tmp_path}/a.tsv", "--out", str(test), "--quiet"]) == 0
    assert excluded_sentences([test])[0].contains(sentence_hashes(["Apa kabar hari ini?"])).all()
    search = OverlapSearch([test], short=5)
    search.search(["Apa kabar hari ini?"], [comparison_key("Apa kabar hari ini?")], ["t:1"])
    assert [(found.sentences, found.exact) for found in search.results()] == [(2, 1)]


def test_no_line_of_a_long_file_is_lost(tmp_path):
    rows = [f"Sentence {n}." for n in range(120)]
    (tmp_path / "a.txt").write_text("\n".join(rows))
    assert list(iter_sentences(tmp_path / "a.txt")) == rows


def test_a_file_without_sentences_is_an_error_and_what_is_dropped_is_counted(tmp_path):
    (tmp_path / "a.txt").write_text("...\n\n")
    with pytest.raises(UserError, match="no sentence in the file") as error:
        excluded_sentences([tmp_path / "a.txt"])
    assert error.value.where == str(tmp_path / "a.txt")
    whole = "".join(f"Sentence {n}.\n" for n in range(5000)).encode()
    (tmp_path / "cut.gz").write_bytes(gzip.compress(whole)[:-2000])
    with pytest.raises(UserError, match="truncated"):
        excluded_sentences([tmp_path / "cut.gz"])
    seen, (row,) = excluded_sentences([tmp_path / "cut.gz"], lenient=True)
    assert 0 < len(seen) == row["sentences"] < 5000
    assert row["dropped"] == {"truncated gzip": 1}


def test_broken_json_is_told(tmp_path: Path):
    (tmp_path / "a.json").write_text('{"data": [}')
    with pytest.raises(UserError, match="not valid JSON"):
        excluded_sentences([tmp_path / "a.json"])
    (tmp_path / "a.jsonl").write_text('{"premise": "A"}\n{"premise": \n')
    with pytest.raises(UserError, match="not JSON") as error:
        excluded_sentences([tmp_path / "a.jsonl"])
    assert error.value.where == f"{tmp_path / 'a.jsonl'}:2"
    assert excluded_sentences([tmp_path / "a.jsonl"], lenient=True)[1][0]["dropped"] == {"not JSON": 1}
