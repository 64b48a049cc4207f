"""Warnings of test data that a model was trained on."""

import json
import shutil

import pytest

from paralign.runs.evaluation_warnings import seen_texts
from paralign.tasks import find_task


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
