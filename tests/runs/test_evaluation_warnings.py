"""Warnings of test data that a model was trained on."""

import json
import shutil

import pytest

from paralign.languages.dictionary import Dictionary
from paralign.runs.evaluation_warnings import seen_texts, warn_of_data
from paralign.tasks import find_task
from paralign.tasks.base import read_data


@pytest.mark.parametrize(
    ("model", "run", "found"),
    [
        ("encoder", {"verb": "align"}, True),
        ("encoder", {"verb": "pretrain"}, True),
        ("encoder", {"verb": "evaluate"}, False),
        ("encoder", None, False),  # a folder that is called corpus is not the text of its neighbor
        ("org/name", {"verb": "align"}, False),
        ("name-on-the-hub", {"verb": "align"}, False),
    ],
)
def test_only_the_run_that_trained_a_model_has_its_text(encoder, store, tmp_path, monkeypatch, model, run, found):
    shutil.copytree(store.path, tmp_path / "corpus")
    (tmp_path / "encoder").mkdir()
    if run:
        (tmp_path / "run.json").write_text(json.dumps(run))
    monkeypatch.chdir(tmp_path)
    texts = [name for name, _ in seen_texts(encoder, model, find_task("retrieval"), [])]
    assert texts == ([f"the text the encoder was trained on ({tmp_path / 'corpus'})"] if found else [])


def test_a_folder_with_the_name_of_the_text_of_a_run_need_not_be_a_store(encoder, tmp_path, monkeypatch):
    """The run was made elsewhere, with a relative path."""
    for name in ("run/encoder", "text"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "run/run.json").write_text(json.dumps({"verb": "align"}))
    (tmp_path / "run/config.toml").write_text('text = ["text"]\n')
    monkeypatch.chdir(tmp_path)
    assert seen_texts(encoder, "run/encoder", find_task("retrieval"), []) == []


def _overlap(encoder, task, train, test, model="nowhere"):
    """Return the warnings of overlap of a file with a file that settings were chosen on, without their ends."""
    seen = seen_texts(encoder, model, task, [(train, read_data(task, train, False, None)[0])] if train else [])
    found = warn_of_data(task, encoder, [("test", read_data(task, test, False, None)[0])], seen)
    return [text.split(" also in ")[0] for text in found if " also in " in text]


def test_identical_files_overlap_in_all_items_that_count(encoder, tmp_path):
    long = "the old dog sees the small cat in the green house"
    (tmp_path / "a.tsv").write_text("yes\tja\n" * 6 + f"{long}\tja\n{long} today\tnein\n")
    spec, task = f"en-de={tmp_path}/a.tsv", find_task("retrieval")
    assert _overlap(encoder, task, spec, spec) == [
        "test: 2 of 2 items with a text of 8 pieces or more have such a text that is"
    ]
    (tmp_path / "b.tsv").write_text(f"yes\tja\n{long}\tein Hund\n{long} and they see it\tnein\n")
    found = _overlap(encoder, task, spec, f"en-de={tmp_path}/b.tsv")
    assert found == ["test: 1 of 2 items with a text of 8 pieces or more have such a text that is"]


def test_words_of_a_lexicon_overlap_if_both_were_seen(encoder, tmp_path):
    words = [("dog", "Hund"), ("cat", "Katze"), ("house", "Haus")]
    (tmp_path / "a.txt").write_text("".join(f"{a} {b}\n" for a, b in words))
    (tmp_path / "b.txt").write_text("dog Hund\nhound Hund\ntree Baum\n")
    a, b, task = f"en-de={tmp_path}/a.txt", f"en-de={tmp_path}/b.txt", find_task("lexicon")
    assert _overlap(encoder, task, a, a) == ["test: 3 of 3 items are"]
    assert _overlap(encoder, task, a, b) == ["test: 1 of 3 items are"]
    run = tmp_path / "run"
    (run / "encoder").mkdir(parents=True)
    (run / "run.json").write_text(json.dumps({"verb": "align"}))
    pieces = [[ids.tolist() for ids, _ in encoder.tokenize(list(pair), None)] for pair in words]
    (run / "dictionary.tsv").write_text("\n".join(Dictionary(words, pieces).lines()) + "\n")
    assert _overlap(encoder, task, None, a, str(run / "encoder")) == ["test: 3 of 3 items are"]
    assert _overlap(encoder, task, None, b, str(run / "encoder")) == ["test: 1 of 3 items are"]
