"""``finetune`` and ``evaluate``: rows of results that can be found again."""

import fcntl
import itertools
import json
import os
import signal

import numpy as np
import pytest

import paralign
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.results import read_items, read_results
from paralign.training import Trainer
from paralign.verbs.measure import dataset_name

TRAIN = "en=smallworld:0-60"
EVAL = ["en=smallworld:200-230", "de=smallworld:200-220"]
QUICK = {"training": {"batch": 8, "steps": 12, "learning_rate": 2e-3, "precision": "fp32", "checkpoint_every": 5}}


def finetune(base, out, **more):
    given = {"task": "pos", "train": TRAIN, "eval": EVAL, "settings": QUICK, "quiet": True} | more
    return paralign.finetune(str(base), out=out, **given)


@pytest.fixture(scope="module")
def two_seeds(base, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned") / "pos"
    return out, finetune(base, out, seeds=2)


def test_a_row_for_every_language_and_seed(two_seeds, base):
    out, rows = two_seeds
    assert rows == read_results(out / "results.jsonl")
    assert [(r.language, r.seeds.finetune, r.metric, r.train, r.task) for r in rows] == [
        (language, seed, "accuracy", "en", "pos") for seed in (0, 1) for language in ("en", "de")
    ]
    assert {r.model_hash for r in rows} == {Encoder.from_pretrained(base).digest()}
    assert [r.n for r in rows] == [30, 20, 30, 20]
    for row in rows:
        items = read_items(out, row)
        assert row.value == pytest.approx(items[:, 0].sum() / items[:, 1].sum())
    assert rows[0].value > 0.15  # something was learnt: chance of 17 tags is 0.06
    assert rows[0].value != rows[2].value
    assert json.loads((out / "run.json").read_text())["status"] == "done"
    assert not list(out.rglob("checkpoints"))


def test_a_saved_model_measures_what_was_recorded(two_seeds, tmp_path):
    out, rows = two_seeds
    again = []
    for seed in (0, 1):
        again += paralign.evaluate(
            str(out / f"seed-{seed}/model"), task="pos", data=EVAL, out=tmp_path / "e", quiet=True
        )
    for one, other in zip(rows, again, strict=True):
        assert (one.value, one.language, one.seeds, one.train) == (
            other.value,
            other.language,
            other.seeds,
            other.train,
        )
        assert np.array_equal(read_items(out, one), read_items(tmp_path / "e", other))
    assert len(read_results(tmp_path / "e" / "results.jsonl")) == 4  # seeds do not replace each other
    paralign.evaluate(str(out / "seed-1/model"), task="pos", data=EVAL, out=tmp_path / "e", quiet=True)
    assert len(read_results(tmp_path / "e" / "results.jsonl")) == 4  # the same again replaces itself


def test_finished_seeds_are_not_repeated(two_seeds, base, tmp_path, monkeypatch):
    _, rows = two_seeds
    finetune(base, tmp_path / "pos", seeds=1)
    more = finetune(base, tmp_path / "pos", seeds=2, resume=True)
    assert [(r.value, r.seeds) for r in more] == [(r.value, r.seeds) for r in rows]
    before = (tmp_path / "pos" / "run.json").read_text()

    def never(*_, **__):
        raise AssertionError("a finished seed was trained again")

    monkeypatch.setattr(Trainer, "train", never)
    assert finetune(base, tmp_path / "pos", seeds=2, resume=True) == more
    assert (tmp_path / "pos" / "run.json").read_text() == before  # what the run cost is not forgotten


def test_interrupted_in_the_middle_it_ends_the_same(two_seeds, base, tmp_path, monkeypatch):
    _, rows = two_seeds

    class Crash(Exception):
        pass

    def crash(self, slices):
        if self.step == 7 and self.config.seed == 1:
            raise Crash
        return optimise(self, slices)

    optimise = Trainer._optimise
    monkeypatch.setattr(Trainer, "_optimise", crash)
    with pytest.raises(Crash):
        finetune(base, tmp_path / "pos", seeds=2)
    monkeypatch.undo()
    assert [r.seeds.finetune for r in read_results(tmp_path / "pos" / "results.jsonl")] == [0, 0]
    more = finetune(base, tmp_path / "pos", seeds=2, resume=True)
    assert [(r.value, r.seeds) for r in more] == [(r.value, r.seeds) for r in rows]


def test_an_interrupted_run_with_other_training_data_is_refused(base, tmp_path, monkeypatch):
    optimise = Trainer._optimise

    def crash(self, slices):
        if self.step == 7:
            raise KeyboardInterrupt
        return optimise(self, slices)

    monkeypatch.setattr(Trainer, "_optimise", crash)
    with pytest.raises(KeyboardInterrupt):
        finetune(base, tmp_path / "pos")
    monkeypatch.undo()
    with pytest.raises(UserError, match="train was "):
        finetune(base, tmp_path / "pos", resume=True, train="en=smallworld:1-60")


def test_models_are_kept_only_if_wanted(base, tmp_path):
    finetune(base, tmp_path / "pos", keep_models=False)
    assert not (tmp_path / "pos" / "seed-0" / "model").exists()
    assert (tmp_path / "pos" / "results.jsonl").is_file()


def test_fine_tuning_leaves_the_encoder_it_starts_from(two_seeds, base):
    out, _ = two_seeds
    assert Encoder.from_pretrained(base).digest() != Encoder.from_pretrained(out / "seed-0" / "model").digest()


def test_retrieval_rows_in_both_directions(base, tmp_path):
    rows = paralign.evaluate(
        str(base), task="retrieval", data=["en-de=smallworld:0-30"], out=tmp_path / "r", quiet=True
    )
    assert len(rows) == 8
    assert {r.where.direction for r in rows} == {"en-de", "de-en"}
    assert {r.language for r in rows} == {"de"}
    assert {r.n for r in rows} == {30}
    other = paralign.evaluate(
        str(base), task="retrieval", data=["en-de=smallworld:0-30"], out=tmp_path / "r", layer=0, quiet=True
    )
    assert {r.where.layer for r in other} == {0}
    assert len(read_results(tmp_path / "r" / "results.jsonl")) == 16


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"task": "pos", "data": ["de=smallworld:0-9"]}, "no head for 'pos'"),
        ({"task": "retrieval", "data": ["en-de=smallworld:0-9"], "layer": 9}, "no layer 9"),
        ({"task": "pos", "data": ["de=smallworld:0-9"], "layer": 1}, "unknown setting 'layer'"),
        ({"task": "retrieval", "data": []}, "nothing to evaluate on"),
        ({"task": "retrieval", "data": ["en-de=nowhere.tsv"]}, r"nowhere\.tsv"),
        ({"task": "retreival", "data": ["en-de=smallworld"]}, "did you mean"),
    ],
)
def test_what_cannot_be_measured_is_told_and_nothing_stays_behind(more, message, base, tmp_path):
    with pytest.raises(UserError, match=message):
        paralign.evaluate(str(base), out=tmp_path / "run", quiet=True, **more)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"task": "retrieval"}, "is not trained"),
        ({"eval": []}, "nothing to evaluate on"),
        ({"train": "en=nowhere.conllu"}, r"nowhere\.conllu"),
        ({"overrides": ["training.accumulate=3"]}, "does not divide"),
        ({"overrides": ["trainnig.steps=3"]}, "did you mean 'training'"),
    ],
)
def test_what_cannot_be_fine_tuned_is_told_and_nothing_stays_behind(more, message, base, tmp_path):
    with pytest.raises(UserError, match=message):
        finetune(base, tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("en-de=halves/ntrex.en-de.test.tsv", "ntrex.test"),
        ("de=UD_German-PUD/de_pud-ud-test.conllu.gz", "pud-ud-test"),
        ("en-fr=test.en.txt,test.fr.txt", "test"),
        ("en-zh=tatoeba.cmn-eng.eng,tatoeba.cmn-eng.cmn", "tatoeba"),
        ("de=mlqa/dev-context-de-question-de.json", "dev-context-question"),
        ("en=smallworld:0-30", "smallworld:0-30"),
        ("en=en.txt", "en"),
    ],
)
def test_languages_of_one_set_share_its_name(spec, name):
    assert dataset_name(spec) == name


# -- settings of transfer and of evidence

NLI = {"training": {"batch": 8, "steps": 6, "learning_rate": 2e-3, "precision": "fp32", "checkpoint_every": 5}}


def nli(base, out, **more):
    given = {
        "task": "nli",
        "train": "en=smallworld:0-60",
        "eval": ["en=smallworld:200-240", "de=smallworld:200-240"],
        "settings": NLI,
        "quiet": True,
    } | more
    return paralign.finetune(str(base), out=out, **given)


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
    """What is trained on, in rows for the encoder; small-world pairs give a row each."""
    from paralign.tasks.examples import ExampleBatches

    made = []
    init = ExampleBatches.__init__
    monkeypatch.setattr(ExampleBatches, "__init__", lambda self, *args: (init(self, *args), made.append(self))[0])
    rows = nli(base, tmp_path / "run", **more)
    assert {row.train for row in rows} == {language}
    assert [batches._store.rows for batches in made] == [records]
    assert rows[0].settings["baselines"]["chance"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"code_switch": True}, "one set of originals and their translations"),
        ({"train": ["en=smallworld:0-9", "en=smallworld:9-20"], "code_switch": True}, "one set of originals"),
        ({"target_examples": 5}, "a source language first"),
        ({"train": ["en=smallworld:0-60", "de=smallworld:0-4"], "target_examples": 5}, "there are 4"),
        ({"train": ["en=smallworld:0-60", "de=smallworld:900-950"], "code_switch": True}, "50 of 50 items have no"),
        ({"task": "pos", "train": ["en=smallworld:0-9", "de=smallworld:0-9"], "code_switch": True}, "no code-switched"),
        ({"task": "retrieval"}, "is not trained"),
        ({"settings": {"task": {"max_peices": 9}}}, "did you mean 'max_pieces'"),
    ],
)
def test_transfer_that_makes_no_sense_is_told(base, tmp_path, more, message):
    with pytest.raises(UserError, match=message):
        nli(base, tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


def test_one_failing_seed_does_not_lose_the_others(base, tmp_path, monkeypatch):
    whole = nli(base, tmp_path / "whole", seeds=3, keep_models=False)
    optimise = Trainer._optimise

    def diverge(self, slices):
        if self.step == 3 and self.config.seed == 1:
            raise UserError("the loss became infinite")
        return optimise(self, slices)

    monkeypatch.setattr(Trainer, "_optimise", diverge)
    with pytest.raises(UserError, match="1 of 3 seeds failed, the others are kept; seed 1: the loss became infinite"):
        nli(base, tmp_path / "run", seeds=3)
    monkeypatch.undo()
    assert {row.seeds.finetune for row in read_results(tmp_path / "run" / "results.jsonl")} == {0, 2}
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"
    rows = nli(base, tmp_path / "run", seeds=3, resume=True)
    both = [sorted((r.seeds.finetune, r.language, r.value) for r in some) for some in (rows, whole)]
    assert both[0] == both[1]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "done"


def test_the_best_epoch_on_the_development_set_is_kept(base, tmp_path, monkeypatch):
    """Scores of four epochs are made up: the second is the best, so the weights after it are the result."""
    quick = {"training": NLI["training"] | {"steps": 28}}
    saved = {}
    look = Trainer._look

    def watch(self, score):
        values = iter([0.1, 0.9, 0.3, 0.9])
        step = self.step
        look(self, lambda: [next(values) for _ in range(step // 7)][-1])
        saved[step] = self.learner.encoder.digest()

    monkeypatch.setattr(Trainer, "_look", watch)
    nli(base, tmp_path / "run", dev="en=smallworld:300-320", settings=quick)
    assert sorted(saved) == [7, 14, 21, 28]
    assert len(set(saved.values())) == 4
    assert Encoder.from_pretrained(tmp_path / "run/seed-0/model").digest() == saved[14]


def test_stopped_and_resumed_selection_ends_the_same(base, tmp_path, monkeypatch):
    quick = {"training": NLI["training"] | {"steps": 28}}
    more = {"dev": "en=smallworld:300-320", "settings": quick}
    nli(base, tmp_path / "whole", **more)
    optimise = Trainer._optimise

    def crash(self, slices):
        if self.step == 17:
            raise KeyboardInterrupt
        return optimise(self, slices)

    monkeypatch.setattr(Trainer, "_optimise", crash)
    with pytest.raises(KeyboardInterrupt):
        nli(base, tmp_path / "run", **more)
    monkeypatch.undo()
    nli(base, tmp_path / "run", **more, resume=True)
    one, other = (Encoder.from_pretrained(tmp_path / name / "seed-0" / "model").digest() for name in ("whole", "run"))
    assert one == other


def test_traps_are_warned_of(base, tmp_path):
    """Constant labels, test text that was trained on, scores of a constant answer."""
    same = tmp_path / "same.tsv"
    from paralign.smallworld import World

    texts = [World(0).sentence(k, "en").text for k in range(40)]
    same.write_text("".join(f"{a}\t{b}\tneutral\n" for a, b in itertools.pairwise(texts)))
    nli(base, tmp_path / "run", eval=["en=smallworld:0-30", f"en={same}"])
    alarms = json.loads((tmp_path / "run" / "run.json").read_text())["alarms"]
    assert any("30 of 30 items have a text that is also in the training data" in alarm for alarm in alarms)
    assert any("every label is 'neutral'" in alarm for alarm in alarms)
    clean = nli(base, tmp_path / "clean", eval=["en=smallworld:5000-5060"])
    told = json.loads((tmp_path / "clean" / "run.json").read_text())["alarms"]
    assert not any("also in the training data" in alarm or "every label" in alarm for alarm in told)
    assert clean


def test_test_text_in_the_parallel_text_of_the_encoder_is_found(base, tmp_path):
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
    assert 15 <= found <= 21  # texts of fewer than 8 pieces tell nothing


def test_predictions_come_in_the_tasks_own_format(base, tmp_path, capsys):
    nli(base, tmp_path / "run")
    model = tmp_path / "run" / "seed-0" / "model"
    bare = tmp_path / "bare.tsv"
    bare.write_text("A man sleeps.\tA man is awake.\nThe dog barks.\tThe dog is loud.\n")
    (path,) = paralign.predict(str(model), data=f"en={bare}", out=tmp_path / "out.tsv", quiet=True)
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    assert [row[:2] for row in rows] == [line.split("\t") for line in bare.read_text().splitlines()]
    assert {row[2] for row in rows} <= {"entailment", "neutral", "contradiction"}
    with pytest.raises(UserError, match="exists already"):
        paralign.predict(str(model), data=f"en={bare}", out=tmp_path / "out.tsv", quiet=True)
    with pytest.raises(UserError, match="was not fine-tuned for a task"):
        paralign.predict(str(base), data=f"en={bare}", out=tmp_path / "o.tsv", quiet=True)
    gold = paralign.evaluate(str(model), data=["en=smallworld:200-240"], out=tmp_path / "e", quiet=True)
    (path,) = paralign.predict(str(model), data="en=smallworld:200-240", out=tmp_path / "p.tsv", quiet=True)
    from paralign.text.generated import smallworld_sentence_pairs

    labels = [pair.label for pair in smallworld_sentence_pairs("en", range(200, 240))]
    said = [line.split("\t")[2] for line in path.read_text().splitlines()]
    assert gold[0].value == pytest.approx(np.mean([a == b for a, b in zip(labels, said, strict=True)]))


def test_two_processes_cannot_work_on_one_run(base, tmp_path):
    nli(base, tmp_path / "run")
    handle = os.open(tmp_path / "run", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(UserError, match="another process is at work"):
            nli(base, tmp_path / "run", seeds=2, resume=True)
    finally:
        os.close(handle)
    assert {row.seeds.finetune for row in nli(base, tmp_path / "run", seeds=2, resume=True)} == {0, 1}


# -- numbers that must not be lost or mistaken


def sets(tmp_path, *names):
    """Files of pairs: the same name in several folders."""
    from paralign.text.generated import smallworld_sentence_pairs

    paths = []
    for k, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pairs = smallworld_sentence_pairs("en", range(400 + 50 * k, 420 + 50 * k + 10 * k))
        path.write_text("".join(f"{p.first}\t{p.second}\t{p.label}\n" for p in pairs), encoding="utf-8")
        paths.append(path)
    return paths


def test_two_sets_of_one_name_are_told_apart(base, tmp_path):
    one, other = sets(tmp_path, "a/test.en.tsv", "b/test.en.tsv")
    rows = nli(base, tmp_path / "run", eval=[f"en={one}", f"en={other}"])
    assert [(row.dataset, row.n) for row in rows] == [("a/test", 20), ("b/test", 30)]
    with pytest.raises(UserError, match="two data sets would have one name"):
        nli(base, tmp_path / "other", eval=[f"en={one}", f"en={one}"])
    assert not (tmp_path / "other").exists()


def test_a_fine_tuned_model_keeps_its_name_where_its_head_is_not_read(base, tmp_path):
    nli(base, tmp_path / "run", seeds=2, system="PPA")
    for seed in (0, 1):
        model = str(tmp_path / f"run/seed-{seed}/model")
        paralign.evaluate(model, task="retrieval", data=["en-de=smallworld:0-30"], out=tmp_path / "r", quiet=True)
    rows = read_results(tmp_path / "r" / "results.jsonl")
    assert {(row.settings["system"], row.seeds.finetune) for row in rows} == {("PPA", 0), ("PPA", 1)}
    assert len({row.model_hash for row in rows}) == 2
    assert {row.train for row in rows} == {None}


def test_totals_of_an_interrupted_run_are_those_of_a_whole_one(base, tmp_path, monkeypatch):
    nli(base, tmp_path / "whole", seeds=3)
    optimise = Trainer._optimise

    def crash(self, slices):
        if self.config.seed == 1 and self.step == 3:
            raise KeyboardInterrupt
        return optimise(self, slices)

    monkeypatch.setattr(Trainer, "_optimise", crash)
    with pytest.raises(KeyboardInterrupt):
        nli(base, tmp_path / "run", seeds=3)
    monkeypatch.undo()
    nli(base, tmp_path / "run", seeds=3, resume=True)
    facts = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("whole", "run")]
    for name in ("steps", "pairs_seen", "tokens_seen", "padding", "alarms"):
        assert facts[0][name] == facts[1][name], name


def test_a_signal_behind_the_last_step_stops_the_seeds_that_follow(base, tmp_path, monkeypatch):
    from paralign.training import Stopped

    look = Trainer._look

    def press(self, score):
        look(self, score)
        if self.step == self.steps:
            self._on_signal(signal.SIGINT, None)

    monkeypatch.setattr(Trainer, "_look", press)
    with pytest.raises(Stopped):
        nli(base, tmp_path / "run", seeds=3, dev="en=smallworld:300-320")
    assert {row.seeds.finetune for row in read_results(tmp_path / "run" / "results.jsonl")} == {0}


def test_repeated_ids_cannot_be_joined(base, tmp_path):
    path = tmp_path / "train.en.jsonl"
    rows = [{"premise": "a b c", "hypothesis": "b", "label": "neutral", "pairID": k // 2} for k in range(8)]
    path.write_text("".join(json.dumps(row | {"pairID": str(row["pairID"])}) + "\n" for row in rows))
    with pytest.raises(UserError, match="two items have the id '0'"):
        nli(base, tmp_path / "run", train=[f"en={path}", f"de={path}"], code_switch=True)


def test_data_smaller_than_a_batch_is_shared_out_equally(base, tmp_path):
    rows = nli(base, tmp_path / "run", train="en=smallworld:0-15", settings={"training": {"accumulate": 2, "steps": 2}})
    assert rows
    assert json.loads((tmp_path / "run" / "run.json").read_text())["pairs_seen"] == 28


def test_a_sentence_of_joiners_alone_is_scored_and_said(base, tmp_path, capsys):
    path = tmp_path / "odd.tsv"
    path.write_text("Anna\tB-PER\nsleeps\tO\n\n\u200d\tO\n\n" * 4, encoding="utf-8")
    rows = paralign.finetune(
        str(base), task="ner", train=f"en={path}", eval=[f"en={path}"], out=tmp_path / "run",
        settings={"training": {"steps": 2}},
    )  # fmt: skip
    assert {row.n for row in rows} == {8}
    assert "4 sentences the tokenizer makes no piece of" in capsys.readouterr().err


def test_evaluation_on_what_was_trained_on_is_warned_of(base, tmp_path):
    nli(base, tmp_path / "run")
    model = str(tmp_path / "run/seed-0/model")
    paralign.evaluate(model, data=["en=smallworld:0-60"], out=tmp_path / "e", quiet=True)
    alarms = json.loads((tmp_path / "e" / "run.json").read_text())["alarms"]
    assert any("the data it was fine-tuned on" in alarm for alarm in alarms)


def test_a_changed_head_is_one_line(base, tmp_path):
    paralign.finetune(
        str(base), task="ner", train="en=smallworld:0-40", eval=["en=smallworld:50-60"], out=tmp_path / "run",
        settings={"training": {"steps": 2}}, quiet=True,
    )  # fmt: skip
    with pytest.raises(UserError, match="another shape than these settings"):
        paralign.evaluate(
            str(tmp_path / "run/seed-0/model"), data=["en=smallworld:50-60"], out=tmp_path / "e",
            overrides=['task.types=["PER"]'], quiet=True,
        )  # fmt: skip
