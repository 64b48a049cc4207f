"""Facts stored in a model folder: which are used, and which must not be trusted."""

import json
import sys

import pytest

from paralign.errors import UserError
from paralign.runs.model_folder import saved_task

OF = {"model": "base", "model_hash": "0", "method": "base", "control": False, "seeds": {}, "parent": None}


def model(folder, **changed):
    facts = {"task": "pos", "settings": {}, "train": "en", "of": OF} | changed
    (folder / "task.json").write_text(json.dumps(facts))
    return str(folder)


def test_the_task_of_a_model_is_used(tmp_path):
    task, facts = saved_task(None, model(tmp_path, task="qa", settings={"max_pieces": 77}), {})
    assert task.name == "qa"
    assert task.config.max_pieces == 77
    assert facts["train"] == "en"


def test_a_missing_folder_is_not_called_a_model_without_a_task(tmp_path):
    with pytest.raises(UserError, match=r"nowhere: no such model folder \(give a fine-tuned model"):
        saved_task(None, str(tmp_path / "nowhere"), {})
    with pytest.raises(UserError, match="this model was not fine-tuned"):
        saved_task(None, str(tmp_path), {})


def test_a_file_does_not_decide_which_code_is_imported(tmp_path, monkeypatch):
    (tmp_path / "planted_task.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="not built in: 'planted_task:Task'") as caught:
        saved_task(None, model(tmp_path, task="planted_task:Task"), {})
    assert "--task planted_task:Task" in str(caught.value)
    assert "planted_task" not in sys.modules
    with pytest.raises(SystemExit, match="imported"):  # the user names it: then it is imported
        saved_task("planted_task:Task", str(tmp_path), {})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "1",
        '{"task": 1}',
        '{"task": "pos"}',
        '{"task": "pos", "settings": [], "train": "en", "of": {}}',
        "[" * 5000,
    ],
)
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / "task.json").write_text(text)
    with pytest.raises(UserError, match=r"task\.json: the file is damaged"):
        saved_task(None, str(tmp_path), {})


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "task.json").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match=r"task\.json: the file is damaged"):
        saved_task(None, str(tmp_path), {})
