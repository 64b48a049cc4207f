"""Settings of transfer and evidence: what is trained on, seeds, selection, warnings, predictions."""

import fcntl
import itertools
import json
import math
import os
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest

import paralign
from paralign.commands.finetune import FinetuneRequest, prepare_finetune
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.results import read_results
from paralign.runs import finetune as finetune_runs
from paralign.runs.finetune_settings import FinetuneData, FinetuneTraining, finetune_settings
from paralign.runs.options import RunOptions
from paralign.task_table import TASKS, TaskInfo
from paralign.tasks.base import find_task, read_data
from paralign.training import DevelopmentScore
from tests.commands.inference import NLI, nli
from tests.training.runs import crashed_at, log_of, stopped_at


@pytest.mark.parametrize(
    ("more", "language", "records"),
    [
        ({"train": "de=smallworld:0-60"}, "de", 60),
        ({"train": ["en=smallworld:0-60", "de=smallworld:0-30"]}, "en+de", 90),
        ({"train": ["en=smallworld:0-60", "de=smallworld:0-40"], "code_switch": True}, "de*en", 80),
        ({"train": ["en=smallworld:0-60", "de=smallworld:60-99"], "target_examples": 10}, "en+de:10", 70),
    ],
)
def test_settings_of_transfer(base, tmp_path, monkeypatch, more, language, records):
    """The number of rows that are trained on; each pair of the small world is a row."""
    from paralign.tasks.example_batches import ExampleBatches

    made = []
    init = ExampleBatches.__init__
    monkeypatch.setattr(ExampleBatches, "__init__", lambda self, *args: (init(self, *args), made.append(self))[0])
    rows = nli(base, tmp_path / "run", **more)
    assert {row.train for row in rows} == {language}
    assert [batches._store.rows for batches in made] == [records]
    assert rows[0].settings["baselines"]["chance"] == pytest.approx(1 / 3)
    given = more["train"] if isinstance(more["train"], list) else [more["train"]]
    assert len(rows[0].settings["training"]["sets"]) == len(given)


def test_rows_record_settings_that_are_not_defaults(base, tmp_path):
    given = {"task": "pos", "train": "en=smallworld:0-40", "eval": ["de=smallworld:50-60"], "quiet": True, "limit": 30}
    rows = paralign.finetune(str(base), out=tmp_path / "a", **given,
                             overrides=["training.epochs=1", "training.log_every=3", "training.seed=4",
                                        "training.precision=fp32"])  # fmt: skip
    assert rows[0].settings["training"] == {"sets": ["smallworld:0-40"], "epochs": 1.0, "limit": 30}
    rows = paralign.finetune(str(base), out=tmp_path / "b", **given,
                             overrides=["training.precision=bf16", "training.window=3"])  # fmt: skip
    assert rows[0].settings["training"] == {
        "sets": ["smallworld:0-40"], "precision": "bf16", "window": 3, "limit": 30
    }  # fmt: skip


@pytest.mark.parametrize("command", ["align", "finetune"])
def test_a_run_is_not_resumed_in_another_precision(command, base, tmp_path):
    of_task = {"task": "pos", "train": "en=smallworld:0-60", "eval": "en=smallworld:60-70"}
    given = of_task if command == "finetune" else {"pairs": "en-de=smallworld:0-60", "recipe": "tlm-mini"}
    sets = ["training.batch=8", "training.steps=4"]

    def run(precision, every=2, **more):
        changing = [f"training.precision={precision}", f"training.checkpoint_every={every}"]
        getattr(paralign, command)(
            str(base), out=tmp_path / "run", quiet=True, **given, **more, overrides=[*sets, *changing]
        )

    with stopped_at(2):
        run("fp32")
    with pytest.raises(UserError, match=r"training\.precision was 'fp32', now 'bf16'"):
        run("bf16", resume=True)
    run("fp32", every=3, resume=True)  # decides nothing


def test_a_run_interrupted_before_its_end_keeps_its_facts(base, tmp_path):
    given = {"task": "pos", "train": "en=smallworld:0-40", "eval": ["de=smallworld:50-60"], "quiet": True,
             "overrides": ["training.epochs=1", "layers.reset=0"], "out": tmp_path / "run"}  # fmt: skip
    paralign.finetune(str(base), **given)
    file = tmp_path / "run" / "run.json"
    whole = json.loads(file.read_text())
    assert {"encoder", "seed 0"} == set(whole["layer_hashes"])
    file.write_text(json.dumps({k: v for k, v in whole.items() if k != "digest"} | {"status": "stopped"}))
    checkpoints = tmp_path / "run" / "seed-0" / "checkpoints"
    (checkpoints / "step-00000002").mkdir(parents=True)  # killed after its results, before they were removed
    paralign.finetune(str(base), **given, resume=True)
    assert not checkpoints.exists()
    again = json.loads(file.read_text())
    assert again["status"] == "done"
    names = ("seconds", "steps", "pairs_seen", "tokens_seen", "padding", "layer_hashes", "alarms")
    assert {name: again[name] for name in names} == {name: whole[name] for name in names}
    assert whole["steps"] > 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"code_switch": True}, "one set of originals, and their translations"),
        ({"train": ["en=smallworld:0-9", "en=smallworld:9-20"], "code_switch": True}, "one set of originals"),
        ({"target_examples": 5}, "a source language first"),
        ({"train": ["en=smallworld:0-60", "de=smallworld:0-4"], "target_examples": 5}, "there are only 4"),
        ({"train": ["en=smallworld:0-60", "de=smallworld:900-950"], "code_switch": True}, "50 of 50 items have no"),
        ({"task": "pos", "train": ["en=smallworld:0-9", "de=smallworld:0-9"], "code_switch": True}, "no code-switched"),
        ({"task": "retrieval"}, "has no head to fine-tune"),
        ({"settings": {"task": {"max_peices": 9}}}, "did you mean 'max_pieces'"),
    ],
)
def test_invalid_transfer_settings_are_reported(base, tmp_path, more, message):
    with pytest.raises(UserError, match=message):
        nli(base, tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


def test_one_failing_seed_does_not_lose_the_others(base, tmp_path):
    whole = nli(base, tmp_path / "whole", seeds=3, keep_models=False)
    with crashed_at(3, UserError("the loss became infinite"), seed=1) as caught:
        nli(base, tmp_path / "run", seeds=3)
    message = "1 of 3 seeds failed, the results of the others are kept; seed 1: the loss became infinite"
    assert message in str(caught.value)
    assert {row.seeds.finetune for row in read_results(tmp_path / "run" / "results.jsonl")} == {0, 2}
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    rows = nli(base, tmp_path / "run", seeds=3, resume=True)
    both = [sorted((r.seeds.finetune, r.language, r.value) for r in some) for some in (rows, whole)]
    assert both[0] == both[1]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "done"


UNDEFINED = math.nan


@pytest.mark.parametrize(
    ("scores", "lower", "kept"),
    [
        ((0.125, 0.875, 0.375, 0.875), (), 14),
        ((0.5, 0.25, 0.375, 0.25), ("accuracy",), 14),
        ((UNDEFINED, 0.875, UNDEFINED, 0.125), (), 14),
        ((UNDEFINED, 0.875, UNDEFINED, 0.125), ("accuracy",), 28),
        ((UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED), (), 7),
    ],
)
def test_the_best_epoch_on_the_development_set_is_kept(scores, lower, kept, base, tmp_path, monkeypatch):
    """Scores of four epochs are patched: the weights after the first of the best are the result."""
    monkeypatch.setitem(TASKS, "nli", replace(TASKS["nli"], info=TaskInfo("NLI", ("accuracy",), lower)))
    numbers = dict(zip((7, 14, 21, 28), scores, strict=True))
    quick = {"training": NLI["training"] | {"steps": 28}}
    saved = {}
    on_step_end = DevelopmentScore.on_step_end

    def watch(self, trainer):
        score = self._score
        self._score = lambda: score() * 0 + numbers[trainer.step]
        on_step_end(self, trainer)
        self._score = score
        if trainer.step % 7 == 0:
            saved[trainer.step] = trainer.learner.encoder.digest()

    monkeypatch.setattr(DevelopmentScore, "on_step_end", watch)
    nli(base, tmp_path / "run", dev="en=smallworld:300-320", settings=quick)
    assert sorted(saved) == [7, 14, 21, 28]
    assert len(set(saved.values())) == 4
    assert Encoder.from_pretrained(tmp_path / "run/seed-0/model").digest() == saved[kept]
    logged = [entry["score"] for entry in log_of(tmp_path / "run/seed-0") if entry.get("event") == "score"]
    assert logged == [None if math.isnan(score) else score for score in scores]
    undefined = [str(step) for step, score in numbers.items() if math.isnan(score)]
    alarm = f"the development score is undefined after step {', '.join(undefined)}; kept: the weights of step {kept}"
    alarms = json.loads((tmp_path / "run/run.json").read_text())["alarms"]
    assert (alarm in alarms) == bool(undefined)


def test_stopped_and_resumed_selection_ends_the_same(base, tmp_path):
    quick = {"training": NLI["training"] | {"steps": 28}}
    more = {"dev": "en=smallworld:300-320", "settings": quick}
    nli(base, tmp_path / "whole", **more)
    with crashed_at(17):
        nli(base, tmp_path / "run", **more)
    nli(base, tmp_path / "run", **more, resume=True)
    one, other = (Encoder.from_pretrained(tmp_path / name / "seed-0" / "model").digest() for name in ("whole", "run"))
    assert one == other


def test_a_repeated_epoch_that_is_worse_than_before_does_not_change_the_best_weights(base, tmp_path, monkeypatch):
    """On other hardware, steps after the last checkpoint are not repeated exactly."""
    quick = {"training": NLI["training"] | {"steps": 21, "checkpoint_every": 10}}
    scores = {7: 0.5, 14: 0.9, 21: 0.1}
    saved = {}
    on_step_end = DevelopmentScore.on_step_end

    def watch(self, trainer):
        score, self._score = self._score, lambda: scores[trainer.step]
        on_step_end(self, trainer)
        self._score = score
        saved[trainer.step] = trainer.learner.encoder.digest()

    monkeypatch.setattr(DevelopmentScore, "on_step_end", watch)
    more = {"dev": "en=smallworld:300-320", "settings": quick}
    with crashed_at(17):
        nli(base, tmp_path / "run", **more)
    scores[14] = 0.4
    nli(base, tmp_path / "run", **more, resume=True)
    assert Encoder.from_pretrained(tmp_path / "run/seed-0/model").digest() == saved[7]


def test_few_shot_examples_of_all_seeds_count_as_seen(base, tmp_path):
    """An item that only the second seed is trained on."""
    train = ["en=smallworld:0-60", "de=smallworld:0-60"]
    data = FinetuneData(train, ["de=smallworld:100-110"], target_examples=3)
    run = prepare_finetune(RunOptions(tmp_path / "sets", quiet=True), FinetuneRequest(str(base), "nli", data, 2))
    first, second = ({item.first for item in run.sets.sampled_sets(seed)[1]} for seed in (0, 1))
    german = list(read_data(find_task("nli"), "de=smallworld:0-60", False, None)[0])
    number = next(k for k, item in enumerate(german) if item.first in second - first)
    alarms = {}
    for seeds in (1, 2):
        nli(base, tmp_path / f"run-{seeds}", train=train, target_examples=3, seeds=seeds,
            eval=[f"de=smallworld:{number}-{number + 1}"])  # fmt: skip
        alarms[seeds] = json.loads((tmp_path / f"run-{seeds}" / "run.json").read_text())["alarms"]
    assert not any("also in the training data" in alarm for alarm in alarms[1])
    assert any("also in the training data" in alarm for alarm in alarms[2])


def test_common_problems_of_data_cause_warnings(base, tmp_path):
    """Constant labels, test text that was trained on, scores of a constant answer."""
    same = tmp_path / "same.tsv"
    from paralign.smallworld import World

    texts = [World(0).sentence(k, "en").text for k in range(40)]
    same.write_text("".join(f"{a}\t{b}\tneutral\n" for a, b in itertools.pairwise(texts)))
    nli(base, tmp_path / "run", eval=["en=smallworld:0-30", f"en={same}"])
    alarms = json.loads((tmp_path / "run" / "run.json").read_text())["alarms"]
    overlap = "30 of 30 items with a text of 8 pieces or more have such a text that is also in the training data"
    assert any(overlap in alarm for alarm in alarms)
    assert any("every label is 'neutral'" in alarm for alarm in alarms)
    clean = nli(base, tmp_path / "clean", eval=["en=smallworld:5000-5060"])
    alarms = json.loads((tmp_path / "clean" / "run.json").read_text())["alarms"]
    assert not any("also in the training data" in alarm or "every label" in alarm for alarm in alarms)
    assert clean


def test_overlap_with_the_parallel_text_of_the_encoder_is_reported(base, tmp_path):
    paralign.align(
        str(base),
        pairs=["en-de=smallworld:0-80"],
        recipe="tlm-mini",
        out=tmp_path / "aligned",
        settings={"training": {"batch": 8, "steps": 2}, "data": {"min_pieces": 2}},
        quiet=True,
    )
    out = tmp_path / "run"
    data = ["en-de=smallworld:60-100"]
    paralign.evaluate(str(tmp_path / "aligned/encoder"), task="retrieval", data=data, out=out, quiet=True)
    (alarm,) = [a for a in json.loads((out / "run.json").read_text())["alarms"] if "trained on" in a]
    found = int(alarm.split(": ")[1].split()[0])
    assert 15 <= found <= 21  # texts of fewer than 8 pieces are not compared


def test_predictions_are_in_the_format_of_the_task(base, tmp_path, capsys, monkeypatch):
    nli(base, tmp_path / "run")
    model = tmp_path / "run" / "seed-0" / "model"
    bare = tmp_path / "bare.tsv"
    bare.write_text("A man sleeps.\tA man is awake.\nThe dog barks.\tThe dog is loud.\n")
    (path,) = paralign.predict(str(model), data=f"en={bare}", out=tmp_path / "out.tsv", quiet=True)
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    assert [row[:2] for row in rows] == [line.split("\t") for line in bare.read_text().splitlines()]
    assert {row[2] for row in rows} <= {"entailment", "neutral", "contradiction"}
    beside = []

    def killed(_):
        beside.extend((tmp_path / "new").iterdir())
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("paralign.commands.predict.atomic_files", killed)
        (tmp_path / "new").mkdir()
        with pytest.raises(KeyboardInterrupt):
            paralign.predict(str(model), data=f"en={bare}", out=tmp_path / "new" / "out.tsv", quiet=True)
    assert beside == []
    (tmp_path / "old").write_text("old")
    (tmp_path / "link").symlink_to("old")
    paralign.predict(str(model), data=f"en={bare}", out=tmp_path / "link", force=True, quiet=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "old").read_text() == path.read_text()
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert paralign.predict(str(model), data=f"en={bare}", out=pipe, quiet=True) == [pipe]
    reader.join(timeout=60)
    assert read == [path.read_text()]
    assert pipe.is_fifo()
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert paralign.predict(str(model), data=f"en={bare}", out="-", quiet=True) == []
    assert capsys.readouterr().out == path.read_text()
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(UserError, match="already exists"):
        paralign.predict(str(model), data=f"en={bare}", out=tmp_path / "out.tsv", quiet=True)
    with pytest.raises(UserError, match="was not fine-tuned for a task"):
        paralign.predict(str(base), data=f"en={bare}", out=tmp_path / "o.tsv", quiet=True)
    gold = paralign.evaluate(str(model), data=["en=smallworld:200-240"], out=tmp_path / "e", quiet=True)
    (path,) = paralign.predict(str(model), data="en=smallworld:200-240", out=tmp_path / "p.tsv", quiet=True)
    from paralign.sources.smallworld import smallworld_sentence_pairs

    labels = [pair.label for pair in smallworld_sentence_pairs("en", range(200, 240))]
    predictions = [line.split("\t")[2] for line in path.read_text().splitlines()]
    assert gold[0].value == pytest.approx(np.mean([a == b for a, b in zip(labels, predictions, strict=True)]))


def test_two_processes_cannot_work_on_one_run(base, tmp_path):
    nli(base, tmp_path / "run")
    handle = os.open(tmp_path / "run", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is running in this folder"):
            nli(base, tmp_path / "run", seeds=2, resume=True)
    finally:
        os.close(handle)
    assert {row.seeds.finetune for row in nli(base, tmp_path / "run", seeds=2, resume=True)} == {0, 1}


def test_dropout_is_a_setting(base, tmp_path):
    losses = []
    for share in (0.0, 0.5):
        nli(base, tmp_path / str(share), overrides=[f"training.dropout={share}"])
        log = (tmp_path / str(share) / "seed-0" / "log.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["losses"] for line in log if "losses" in json.loads(line)])
    assert losses[0] != losses[1]


def test_recipes_for_fine_tuning_have_the_settings_of_the_paper(tmp_path, monkeypatch):
    """Pan et al. 2021, section 3.4; other settings are those of the task."""
    from paralign.runs.finetune_settings import finetune_settings

    def difference(task, recipe):
        plain, given = (finetune_settings(task, name)[0].model_dump() for name in (None, recipe))
        return {
            f"{section}.{key}": value
            for section, values in given.items()
            for key, value in values.items()
            if value != plain[section][key]
        }

    assert difference("nli", "xnli") == {"training.warmup": 1000}
    assert finetune_settings("nli", "xnli")[0].training.warmup_steps(36_816) == 1000
    assert difference("qa", "mlqa") == {"task.max_pieces": 386, "task.normalize": "mlqa"}
    (tmp_path / "mine.toml").write_text('extends = "mlqa"\n[training]\nepochs = 1\n')
    assert difference("qa", str(tmp_path / "mine.toml"))["task.max_pieces"] == 386
    (tmp_path / "mine").write_text('extends = "xnli"\n[training]\nepochs = 1\n')
    assert difference("nli", str(tmp_path / "mine")) == {"training.epochs": 1, "training.warmup": 1000}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xnli").write_text("a file of data\n")
    assert difference("nli", "xnli") == {"training.warmup": 1000}
    for recipe, message in (("xnly", "did you mean 'xnli'"), ("ppa", "is for align and pretrain")):
        with pytest.raises(UserError, match=message):
            finetune_settings("nli", recipe)


def test_settings_without_effect_are_refused_and_there_are_no_others(tmp_path, monkeypatch):
    read = set()

    def observed(self, name):
        read.add(name)
        return object.__getattribute__(self, name)

    given = {"task": "pos", "train": "en=smallworld:0-40", "eval": "de=smallworld:50-60", "dev": "en=smallworld:40-50",
             "out": tmp_path / "run", "quiet": True}  # fmt: skip
    with monkeypatch.context() as patch:
        patch.setattr(FinetuneTraining, "__getattribute__", observed)
        paralign.finetune("paralign-mini", **given, overrides=["training.steps=2"])
    unused = {"temperature": 2.0, "shuffle": 9, "heldout_every": 3, "head_steps": 0}
    assert FinetuneTraining.model_fields.keys() - read == unused.keys()
    for name, value in unused.items():
        with pytest.raises(UserError, match=rf"^training\.{name} has no effect in fine-tuning \(remove it\)$"):
            paralign.finetune("paralign-mini", **given, overrides=[f"training.{name}={value}"])
        default = FinetuneTraining.model_fields[name].default
        finetune_settings("pos", None, [f"training.{name}={default}"])
    (tmp_path / "mine.toml").write_text("[training]\ntemperature = 2.0\n")
    with pytest.raises(UserError, match=r"mine\.toml: training\.temperature has no effect"):
        finetune_settings("pos", str(tmp_path / "mine.toml"))


def test_a_failed_seed_keeps_no_memory():
    class Trainer:
        pass

    def fail():
        trainer = Trainer()
        held.append(weakref.ref(trainer))
        raise ValueError("of this seed")

    held = []
    try:
        try:
            fail()
        except ValueError as error:
            raise finetune_runs._SeedFailed(error) from error
    except finetune_runs._SeedFailed as failure:
        kept = failure.error
        assert held[0]() is not None
        finetune_runs._free(failure)
    assert held[0]() is None
    assert str(kept) == "of this seed"
