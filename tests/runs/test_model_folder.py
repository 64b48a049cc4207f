"""Facts stored in a model folder: which are used, and which must not be trusted."""

import json
import sys

import pytest

from paralign.digests import object_digest
from paralign.errors import UserError
from paralign.runs.model_folder import describe_fine_tuned, fine_tuning_settings, saved_task

OF = {"model": "base", "model_hash": "0", "method": "base", "control": False, "seeds": {}, "parent": None}


def model(folder, **changed):
    made = {"training": {}, "layers": {}, "dev": [], "digests": {}}
    facts = {"task": "pos", "settings": {}, "train": "en", "of": OF, "made_by": made} | changed
    (folder / "task.json").write_text(json.dumps(facts))
    return str(folder)


def test_the_task_of_a_model_is_used(tmp_path):
    task, facts = saved_task(None, model(tmp_path, task="qa", settings={"max_pieces": 77}), {})
    assert task.name == "qa"
    assert task.config.max_pieces == 77
    assert facts["train"] == "en"


def test_a_model_of_another_task_is_refused_where_the_task_has_a_head(tmp_path):
    folder = model(tmp_path, task="pos")
    with pytest.raises(UserError, match=r"was fine-tuned for 'pos', not 'ner' \(leave out --task"):
        saved_task("ner", folder, {})
    task, _ = saved_task("retrieval", folder, {})  # its encoder can be measured
    assert task.name == "retrieval"


@pytest.mark.parametrize(
    ("task", "key", "names"),
    [("topics", "labels", ["cat", "dog"]), ("ner", "types", ["LOC", "PER"]), ("parsing", "relations", ["a", "b"])],
)
def test_the_outputs_of_a_head_are_not_renamed(tmp_path, task, key, names):
    folder = model(tmp_path, task=task, settings={key: names})
    found, _ = saved_task(None, folder, {key: names})
    assert list(getattr(found.config, key)) == names
    with pytest.raises(UserError, match=rf"task\.{key} differs from that of the model.*leave task\.{key} out"):
        saved_task(None, folder, {key: names[::-1]})


def test_a_parser_without_subtypes_is_not_scored_with_them(tmp_path):
    with pytest.raises(UserError, match=r"fine-tuned without subtypes.*leave task\.subtypes out"):
        saved_task(None, model(tmp_path, task="parsing", settings={"subtypes": False}), {"subtypes": True})
    whole = model(tmp_path, task="parsing", settings={"subtypes": True})
    assert [saved_task(None, whole, {"subtypes": value})[0].config.subtypes for value in (True, False)] == [True, False]


def test_seeds_of_a_fine_tuned_model_share_a_lineage_and_other_data_and_settings_do_not():
    facts = {"task": "pos", "settings": {"max_pieces": 9}, "train": "en", "of": OF}
    made = {"training": {"sets": ["a"]}, "layers": {"reset": ""}, "dev": [], "digests": {"train": ["1"]}}
    found = [describe_fine_tuned(facts | {"made_by": made})["lineage"]]
    found += [describe_fine_tuned(facts | {"made_by": made | {key: "other"}})["lineage"] for key in made]
    found += [describe_fine_tuned(facts | {"made_by": made, "settings": {}})["lineage"]]
    assert len(set(found)) == len(found)
    again = json.loads(json.dumps(facts | {"made_by": made, "of": OF | {"seeds": {"finetune": 3}}}))
    assert describe_fine_tuned(again)["lineage"] == found[0]


def test_how_a_model_was_fine_tuned_is_recorded_by_content():
    made = {"training": {"sets": ["a"]}, "layers": {}, "dev": ["d"], "digests": {"train": ["1", "2"], "dev": [None]}}
    assert fine_tuning_settings(made, "base") == {
        "training": {"sets": ["a"], "dev": ["d"]}, "training_data": {"train": object_digest(["1", "2"])[:8]}
    }  # fmt: skip
    of_world = made | {"layers": {"reset": "0-1"}, "dev": [], "digests": {"train": [], "dev": []}}
    assert fine_tuning_settings(of_world, "PPA, layers 0-1 reset, mapped") == {
        "training": {"sets": ["a"]},
        "layers": {"of": "PPA, mapped", "reset": "0-1", "freeze": "", "keep": None},
    }


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
        json.dumps({"task": "pos", "settings": {}, "train": "en", "of": OF, "made_by": {"training": {}}}),
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
