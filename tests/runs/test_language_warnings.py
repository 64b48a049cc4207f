"""Evaluation and fine-tuning data in another language than its tag."""

import json
from collections import Counter

import pytest

import paralign
from paralign.runs.evaluation_warnings import warn_of_languages
from paralign.smallworld import World
from paralign.sources.readers import read_questions
from paralign.tasks.base import find_task


@pytest.fixture(scope="module")
def told():
    return {tag: [World(0).sentence(i, tag).text for i in range(240)] for tag in ("en", "de", "fr", "hi")}


def read(task, spec):
    task = find_task(task)
    return task, [(spec, task.read(spec, lenient=False, dropped=Counter(), limit=None))]


def write(path, *columns):
    path.write_text("".join("\t".join(row) + "\n" for row in zip(*columns, strict=True)), encoding="utf-8")
    return path


def test_sentence_pairs(told, tmp_path):
    path = write(tmp_path / "a.tsv", told["fr"], told["fr"][::-1], ["neutral"] * 240)
    (warning,) = warn_of_languages(*read("nli", f"de={path}"))
    assert warning.startswith(f"de={path}: expected text in de, found text that looks like fr (")
    assert warn_of_languages(*read("nli", f"fr={path}")) == []
    assert warn_of_languages(*read("nli", "de=smallworld:0-200")) == []


def test_both_languages_of_pairs(told, tmp_path):
    path = write(tmp_path / "a.tsv", told["en"], told["hi"])
    assert warn_of_languages(*read("retrieval", f"en-hi={path}")) == []
    first, second = warn_of_languages(*read("retrieval", f"hi-en={path}"))
    assert "expected text in hi (Devanagari script), found Latin script in 100% of 240 sentences" in first
    assert "expected text in en (Latin script), found Devanagari script in 100% of 240 sentences" in second
    (tmp_path / "first").write_text("\n".join(told["en"]))
    (tmp_path / "second").write_text("\n".join(told["hi"]))
    (tmp_path / "gold").write_text("0-0\n" * 240)
    spec = f"hi-en={tmp_path}/first,{tmp_path}/second,{tmp_path}/gold"
    assert len(warn_of_languages(*read("alignment", spec))) == 2
    path = write(
        tmp_path / "lexicon.txt",
        ["dog", "cat", "house", "tree", "fish", "bird"],
        ["कुत्ता", "बिल्ली", "मकान", "पेड़", "मछली", "चिड़िया"],
    )
    assert warn_of_languages(*read("lexicon", f"en-hi={path}")) == []
    assert len(warn_of_languages(*read("lexicon", f"hi-en={path}"))) == 2


def test_questions_and_paragraphs_have_their_own_languages(tmp_path):
    made = list(read_questions("smallworld:0-30", languages=("hi", "en")))
    paragraphs = [
        {"context": q.context, "qas": [{"id": q.id, "question": q.question, "answers": [
            {"text": a, "answer_start": s} for a, s in zip(q.answers, q.starts, strict=True)]}]}
        for q in made
    ]  # fmt: skip
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    assert warn_of_languages(*read("qa", f"hi-en={path}")) == []
    (warning,) = warn_of_languages(*read("qa", f"en={path}"))
    assert "(Latin script), found Devanagari script" in warning


def test_training_and_test_files_are_named(base, told, tmp_path, capfd):
    labels = ["neutral", "entailment"] * 30
    files = {
        tag: write(tmp_path / f"{tag}.tsv", told[tag][:60], told[tag][60:120], labels) for tag in ("en", "de", "hi")
    }
    paralign.finetune(
        str(base),
        task="nli",
        train=f"en={files['hi']}",
        dev=f"en={files['en']}",
        eval=[f"de={files['de']}", f"de={files['hi']}"],
        out=tmp_path / "run",
        settings={"training": {"steps": 1, "batch": 4}},
    )
    found = "expected text in {} (Latin script), found Devanagari script in 100% of 120 sentences"
    expected = [f"{tag}={files['hi']}: {found.format(tag)}" for tag in ("en", "de")]
    alarms = json.loads((tmp_path / "run" / "run.json").read_text())["alarms"]
    assert [alarm for alarm in alarms if "expected text" in alarm] == expected
    printed = capfd.readouterr().err
    assert all(f"WARNING {text}\n" in printed for text in expected)


def test_warnings_are_replaced_with_their_rows(base, told, tmp_path):
    """A file that is corrected has no warning any more; those of other files stay."""

    def alarms(*names):
        data = [f"en-de={tmp_path / name}" for name in names]
        paralign.evaluate(str(base), task="retrieval", data=data, out=tmp_path / "run", quiet=True)
        found = json.loads((tmp_path / "run" / "run.json").read_text())["alarms"]
        return sorted(alarm.partition(": ")[0].rpartition("/")[2] for alarm in found if "expected text in en" in alarm)

    for name in ("a.tsv", "b.tsv"):
        write(tmp_path / name, told["hi"][:60], told["de"][:60])
    assert alarms("a.tsv", "b.tsv") == ["a.tsv", "b.tsv"]
    for name, left in (("a.tsv", ["b.tsv"]), ("b.tsv", [])):
        write(tmp_path / name, told["en"][:60], told["de"][:60])
        assert alarms(name) == left
