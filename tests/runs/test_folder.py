"""A failing run removes only what it made, and keeps what took long: the token store, and the log of its training."""

import json
import shutil

import pytest

import paralign
from paralign.errors import UserError
from paralign.runs import finetune as finetune_runs
from paralign.runs import finetune_cost
from paralign.runs.folder import RunFolder
from paralign.training import Trainer
from tests.commands.inference import NLI, nli

QUICK = {"training": {"batch": 8, "steps": 4, "precision": "fp32", "checkpoint_every": 2}, "data": {"min_pieces": 2}}


def align(base, out, **more):
    given = {"pairs": ["en-de=smallworld:0-60"], "recipe": "tlm-mini", "settings": QUICK, "quiet": True} | more
    return paralign.align(str(base), out=out, **given)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_of_the_user_are_never_removed(base, tmp_path):
    """Also those that look like temporary files; a folder with them is not empty."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "download.part").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        align(base, tmp_path / "run", pairs=["en-de=missing.tsv"])
    assert names(tmp_path / "run") == ["download.part"]


def test_a_file_put_into_the_folder_of_a_failing_run_stays(base, tmp_path, monkeypatch):
    begin = RunFolder.begin

    def add_file(self, *args, **facts):
        begin(self, *args, **facts)
        (self.path / "notes.txt").write_text("mine")

    monkeypatch.setattr(RunFolder, "begin", add_file)
    with pytest.raises(UserError, match=r"missing\.tsv"):
        align(base, tmp_path / "run", pairs=["en-de=missing.tsv"])
    assert names(tmp_path / "run") == ["notes.txt"]


def test_what_a_kill_left_of_the_first_file_is_no_run(base, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".run.json.part").write_text("{")
    align(base, tmp_path / "run")
    assert ".run.json.part" not in names(tmp_path / "run")


@pytest.mark.parametrize("before", [[], ["first"]])
def test_what_another_process_wrote_in_the_meantime_is_kept(tmp_path, before):
    for name in before:
        first = RunFolder(tmp_path / "run", "evaluate")
        first.begin({"name": name})
        first.save(status="done")
    slow, fast = (RunFolder(tmp_path / "run", "evaluate", resume=bool(before)) for _ in range(2))
    fast.begin({"name": "fast"})
    fast.save(status="done", alarms=["a warning"])
    with pytest.raises(UserError, match="another process has just written this folder"):
        slow.begin({"name": "slow"})
    assert json.loads((tmp_path / "run" / "run.json").read_text())["alarms"] == ["a warning"]
    assert "fast" in (tmp_path / "run" / "config.toml").read_text()


def test_the_token_store_of_a_failed_run_is_used_again(base, tmp_path):
    with pytest.raises(UserError, match="less than one batch of 500"):
        align(base, tmp_path / "run", overrides=["training.batch=500"])
    assert names(tmp_path / "run") == ["corpus", "run.json"]
    stamp = (tmp_path / "run" / "corpus" / "meta.json").stat().st_mtime_ns
    for _ in range(2):
        with pytest.raises(UserError, match="less than one batch of 400"):
            align(base, tmp_path / "run", overrides=["training.batch=400"])
    align(base, tmp_path / "run")  # the corrected command, without --resume
    assert (tmp_path / "run" / "corpus" / "meta.json").stat().st_mtime_ns == stamp
    whole = align(base, tmp_path / "whole")
    same = [(tmp_path / name / "encoder" / "model.safetensors").read_bytes() for name in ("run", whole.parent.name)]
    assert same[0] == same[1]
    with pytest.raises(UserError, match="not empty"):
        align(base, tmp_path / "run")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"pairs": ["en-de=smallworld:0-50"]}, "the data differ from those this run was started with"),
        ({"overrides": ["data.min_pieces=3"]}, r"data\.min_pieces was 2, now 3 \(use those settings, or another --out"),
    ],
)
def test_the_token_store_of_other_text_is_not_used(base, tmp_path, more, message):
    with pytest.raises(UserError, match="less than one batch of 500"):
        align(base, tmp_path / "run", overrides=["training.batch=500"])
    before = {path: path.read_bytes() for path in (tmp_path / "run" / "corpus").iterdir()}
    with pytest.raises(UserError, match=message):
        align(base, tmp_path / "run", **more)
    assert {path: path.read_bytes() for path in (tmp_path / "run" / "corpus").iterdir()} == before


def test_a_finished_run_of_another_encoder_or_text_is_not_taken_for_this_one(base, tmp_path, monkeypatch):
    """Models of the hub and text without files have no digests: names are compared."""
    monkeypatch.setattr("paralign.runs.inputs.local_folder", lambda name: tmp_path / "on the hub")
    made = align(base, tmp_path / "run")
    assert align(base, tmp_path / "run", resume=True) == made
    for pairs in ("en-de=smallworld:0-50", "en-fr=smallworld:0-60"):
        with pytest.raises(UserError, match="the data differ from those this run was started with"):
            align(base, tmp_path / "run", pairs=[pairs], resume=True)
    with pytest.raises(UserError, match=r"the encoder is other, but this run began with .*base \(give .*another --out"):
        align("other", tmp_path / "run", resume=True)


def test_a_run_that_diverges_before_its_first_checkpoint_keeps_store_and_log(base, tmp_path):
    with pytest.raises(UserError, match=r"infinite or NaN.*in a new run; no checkpoint is good"):
        align(base, tmp_path / "run", overrides=["training.learning_rate=1e38", "training.checkpoint_every=100",
                                                 "training.warmup=0", "training.steps=20"])  # fmt: skip
    assert {"config.toml", "corpus", "log.jsonl", "run.json"} <= set(names(tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    assert "not finite" in (tmp_path / "run" / "log.jsonl").read_text()
    align(base, tmp_path / "new", pairs=[], corpus=tmp_path / "run" / "corpus")


def test_a_seed_that_fails_keeps_its_log(base, tmp_path):
    given = {"overrides": ["training.learning_rate=1e38", "training.warmup=0"]}
    with pytest.raises(UserError, match=r"infinite or NaN.*\(lower training\.learning_rate in a new run\)$"):
        nli(base, tmp_path / "run", **given)
    assert "not finite" in (tmp_path / "run" / "seed-0" / "log.jsonl").read_text()
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(UserError, match=r"training\.batch = 7 is not divisible by 1 processes x 2"):
        nli(base, tmp_path / "run", overrides=["training.batch=7", "training.accumulate=2"])
    assert not (tmp_path / "run").exists()


def test_a_damaged_run_json_is_named(base, tmp_path):
    align(base, tmp_path / "run")
    for text in ("", "{", "[]", "null", "[" * 100_000):
        (tmp_path / "run" / "run.json").write_text(text)
        with pytest.raises(UserError, match=r"run\.json: the file is damaged.*another --out"):
            align(base, tmp_path / "run", resume=True)
        assert (tmp_path / "run" / "run.json").read_text() == text


def test_a_changed_value_of_run_json_is_noticed(base, tmp_path):
    align(base, tmp_path / "run")
    file = tmp_path / "run" / "run.json"
    file.write_text(file.read_text().replace('"steps": 4', '"steps": 5'))
    with pytest.raises(UserError, match=r"run\.json: the file is damaged"):
        align(base, tmp_path / "run", resume=True)


def facts_of(run):
    facts = json.loads((run / "run.json").read_text())
    names = ("steps", "pairs_seen", "tokens_seen", "padding", "alarms")
    return {name: facts[name] for name in names}


class Killed(BaseException):
    """A kill: nothing is written afterwards."""


@pytest.mark.parametrize("when", ["before", "after"])
def test_cost_and_alarms_survive_a_kill_around_the_results(base, tmp_path, monkeypatch, when):
    """With one test item, scores are not better than chance, which is an alarm."""
    given = {"seeds": 2, "eval": ["en=smallworld:200-230"], "keep_models": False}
    nli(base, tmp_path / "whole", **given)
    whole = facts_of(tmp_path / "whole")
    assert whole["alarms"]
    assert whole["steps"] == 2 * NLI["training"]["steps"]
    write = finetune_runs.write_results

    def kill(run, rows):
        if when == "after":
            write(run, rows)
        monkeypatch.setattr(RunFolder, "save", lambda self, **facts: None)
        raise Killed

    monkeypatch.setattr(finetune_runs, "write_results", kill)
    monkeypatch.setattr(RunFolder, "abandon", lambda self: self._unlock())
    with pytest.raises(Killed):
        nli(base, tmp_path / "run", **given)
    monkeypatch.undo()
    assert facts_of(tmp_path / "run")["steps"] == whole["steps"] / 2
    monkeypatch.setattr(Trainer, "_optimize", _not_again(Trainer._optimize, seed=0))
    rows = nli(base, tmp_path / "run", **given, resume=True)
    assert facts_of(tmp_path / "run") == whole
    assert {row.seeds.finetune for row in rows} == {0, 1}


def _not_again(optimize, seed):
    def check(self, slices):
        assert self.config.seed != seed, "a seed with its last checkpoint was trained again"
        return optimize(self, slices)

    return check


def test_a_kill_when_a_run_is_resumed_loses_no_cost(base, tmp_path, monkeypatch):
    nli(base, tmp_path / "run")
    before = facts_of(tmp_path / "run")
    monkeypatch.setattr(finetune_cost.FinetuneCost, "__init__", _raise_killed)
    monkeypatch.setattr(RunFolder, "abandon", lambda self: self._unlock())
    with pytest.raises(Killed):
        nli(base, tmp_path / "run", seeds=2, resume=True)
    monkeypatch.undo()
    assert facts_of(tmp_path / "run") == before
    nli(base, tmp_path / "run", seeds=2, resume=True)
    assert facts_of(tmp_path / "run")["steps"] == 2 * before["steps"]


def _raise_killed(self, folder):
    raise Killed


def test_a_run_that_failed_while_it_wrote_can_be_repeated(tmp_path):
    folder = RunFolder(tmp_path / "run", "analyze space", fresh=True)

    def write():
        with folder:
            folder.begin({})
            folder.figure("one", "space", values=[1])
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    again = RunFolder(tmp_path / "run", "analyze space", fresh=True)
    again.begin({})
    again.save(status="done")
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "done"
