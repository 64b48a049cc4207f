"""Half of a surrogate pair: one clear error with its line, or dropped and counted, in every reader of JSON."""

import json
import os
import re
from collections import Counter

import pytest

from paralign.__main__ import main
from paralign.corpus.exclusion import excluded_sentences
from paralign.errors import UserError
from paralign.formats.item_errors import ItemError
from paralign.formats.json_lines import translation_texts
from paralign.sources.readers import read_pairs, read_sentence_pairs
from paralign.sources.specs import parse_pairs, parse_text

# Every string is plain ASCII in the file: the half pair is an escape of JSON.
ROWS = [
    {"translation": {"en": "The river is wide.", "de": "Der Fluss ist breit."}},
    {"translation": {"en": "What fun \ud83d today.", "de": "Was für ein Spaß heute."}},
    {"translation": {"en": "The bridge is old \U0001f600.", "de": "Die Brücke ist alt."}},
    *({"translation": {"en": f"House {k} is red.", "de": f"Haus {k} ist rot."}} for k in range(20)),
]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "half.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.mark.parametrize("side", ["en", "de"])
@pytest.mark.parametrize("half", ["x \ud83d", "y \udc00 z"])
def test_a_pair_is_refused_or_counted(tmp_path, side, half):
    file = tmp_path / "half.jsonl"
    bad = {"en": "a", "de": "b"} | {side: half}
    file.write_text("".join(json.dumps(row) + "\n" for row in ({"en": "c", "de": "d"}, bad, {"en": "e", "de": "f"})))
    with pytest.raises(UserError, match=rf"half of a surrogate pair .* in the text in {side}") as error:
        list(read_pairs(parse_pairs(f"en-de={file}")))
    assert error.value.where == f"{file}:2"
    dropped = Counter()
    found = read_pairs(parse_pairs(f"en-de={file}"), lenient=True, dropped=dropped)
    kept = [(pair.source, pair.target) for pair in found]
    assert kept == [("c", "d"), ("e", "f")]
    assert dropped == {"lone surrogate": 1}


def test_text_in_other_languages_does_not_matter():
    assert translation_texts({"en": "a", "de": "b", "fr": "\ud800"}, ("en", "de")) == ("a", "b")
    with pytest.raises(ItemError, match="surrogate"):
        translation_texts({"en": "a", "de": "b", "fr": "\ud800"}, ("en", "fr"))


COMMANDS = [
    "corpus convert --pairs en-de={file} --out {tmp}/out.tsv",
    "corpus convert --pairs en-de={file} --out {tmp}/out.tmx",
    "corpus build --pairs en-de={file} --model {base} --out {tmp}/out --set data.min_pieces=1",
    "corpus build --pairs en-de=smallworld:0-50 --model {base} --out {tmp}/out --exclude {file}",
    "words --pairs en-de={file} --method ibm --out {tmp}/out",
    "map --model {base} --pairs en-de={file} --method ibm --out {tmp}/out",
    "evaluate --model {base} --task retrieval --data en-de={file} --out {tmp}/out",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_the_line_and_continues_if_lenient(tmp_path, capsys, base, file, command):
    words = command.format(file=file, tmp=tmp_path, base=base).split()
    assert main(words) == 2
    assert f"{file}:2: half of a surrogate pair" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))
    assert main([*words, "--lenient"]) == 0
    assert list(tmp_path.glob("out*"))
    if "--exclude" not in words:
        assert re.search(r"\b1 (dropped \()?lone surrogate", capsys.readouterr().err)


def test_corpus_check_counts_it(tmp_path, file):
    assert main(["corpus", "check", "--pairs", f"en-de={file}", "--out", str(tmp_path / "out"), "--lenient"]) in (0, 3)
    (text,) = json.loads((tmp_path / "out" / "figures" / "check.json").read_text())["texts"]
    assert (text["lines"], text["dropped"]) == (23, {"lone surrogate": 1})


def test_sentence_pairs_have_neither_such_text_nor_such_an_id(tmp_path):
    file = tmp_path / "a.jsonl"
    good = {"sentence1": "a", "sentence2": "b", "gold_label": "neutral", "pairID": "1"}
    for name in ("sentence1", "pairID"):
        file.write_text("".join(json.dumps(row) + "\n" for row in (good, good | {name: "x\udfff"})))
        dropped = Counter()
        with pytest.raises(UserError, match=rf"a\.jsonl:2: half of a surrogate pair .* in '{name}'"):
            list(read_sentence_pairs(parse_text(f"en={file}")))
        assert len(list(read_sentence_pairs(parse_text(f"en={file}"), lenient=True, dropped=dropped))) == 1
        assert dropped == {"lone surrogate": 1}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_test_sentences(tmp_path, name):
    file = tmp_path / name
    file.write_text(json.dumps({"text": ["A sentence.", "Half \ud83d of it."]}))
    with pytest.raises(UserError, match="surrogate"):
        excluded_sentences([file])
    (row,) = excluded_sentences([file], lenient=True)[1]
    assert row["dropped"] == {"lone surrogate": 1}


def test_file_names_that_are_not_utf_8(tmp_path, capsys):
    """What the operating system passes on as half pairs could not be recorded with a run."""
    name = os.fsdecode(b"\xff.tsv")
    for words in (
        ["corpus", "check", "--pairs", f"en-de={tmp_path / name}", "--out", str(tmp_path / "out")],
        ["words", "--pairs", "en-de=smallworld:0-9", "--out", str(tmp_path / "out"), "--gold", name],
    ):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1
        assert "\\udcff.tsv: not valid UTF-8 (rename the file)" in said
    assert not (tmp_path / "out").exists()
