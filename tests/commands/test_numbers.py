"""Numbers that must not be lost or confused."""

import json
import signal

import pytest

import paralign
from paralign.errors import Stopped, UserError
from paralign.results import read_results
from tests.commands.inference import nli
from tests.training.runs import crashed_at


def sets(tmp_path, *names):
    """Write files of pairs with the same name in several folders."""
    from paralign.sources.smallworld import smallworld_sentence_pairs

    paths = []
    for k, name in enumerate(names):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pairs = smallworld_sentence_pairs("en", range(400 + 50 * k, 420 + 50 * k + 10 * k))
        path.write_text("".join(f"{p.first}\t{p.second}\t{p.label}\n" for p in pairs), encoding="utf-8")
        paths.append(path)
    return paths


def test_two_sets_with_the_same_name_are_distinguished(base, tmp_path):
    one, other = sets(tmp_path, "a/test.en.tsv", "b/test.en.tsv")
    rows = nli(base, tmp_path / "run", eval=[f"en={one}", f"en={other}"])
    assert [(row.dataset, row.n) for row in rows] == [("a/test", 20), ("b/test", 30)]
    with pytest.raises(UserError, match="two data sets have the same name"):
        nli(base, tmp_path / "other", eval=[f"en={one}", f"en={one}"])
    assert not (tmp_path / "other").exists()


def test_a_fine_tuned_model_keeps_its_name_if_its_head_is_not_used(base, tmp_path):
    nli(base, tmp_path / "run", seeds=2, system="PPA")
    for seed in (0, 1):
        model = str(tmp_path / f"run/seed-{seed}/model")
        paralign.evaluate(model, task="retrieval", data=["en-de=smallworld:0-30"], out=tmp_path / "r", quiet=True)
    rows = read_results(tmp_path / "r" / "results.jsonl")
    assert {(row.settings["system"], row.seeds.finetune) for row in rows} == {("PPA", 0), ("PPA", 1)}
    assert len({row.model_hash for row in rows}) == 2
    assert {row.train for row in rows} == {None}


def test_totals_of_an_interrupted_run_are_those_of_an_uninterrupted_run(base, tmp_path):
    nli(base, tmp_path / "whole", seeds=3)
    with crashed_at(3, seed=1):
        nli(base, tmp_path / "run", seeds=3)
    nli(base, tmp_path / "run", seeds=3, resume=True)
    facts = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("whole", "run")]
    for name in ("steps", "pairs_seen", "tokens_seen", "padding", "alarms"):
        assert facts[0][name] == facts[1][name], name


def test_a_signal_after_the_last_step_stops_the_following_seeds(base, tmp_path, monkeypatch):
    from paralign.training import DevelopmentScore

    on_step_end = DevelopmentScore.on_step_end

    def press(self, trainer):
        on_step_end(self, trainer)
        if trainer.step == trainer.steps:
            trainer.signal.receive(signal.SIGINT)

    monkeypatch.setattr(DevelopmentScore, "on_step_end", press)
    with pytest.raises(Stopped):
        nli(base, tmp_path / "run", seeds=3, dev="en=smallworld:300-320")
    assert {row.seeds.finetune for row in read_results(tmp_path / "run" / "results.jsonl")} == {0}


def test_repeated_ids_cannot_be_joined(base, tmp_path):
    path = tmp_path / "train.en.jsonl"
    rows = [{"premise": "a b c", "hypothesis": "b", "label": "neutral", "pairID": k // 2} for k in range(8)]
    path.write_text("".join(json.dumps(row | {"pairID": str(row["pairID"])}) + "\n" for row in rows))
    with pytest.raises(UserError, match="two items have the id '0'"):
        nli(base, tmp_path / "run", train=[f"en={path}", f"de={path}"], code_switch=True)


def test_data_smaller_than_a_batch_are_distributed_equally(base, tmp_path):
    rows = nli(base, tmp_path / "run", train="en=smallworld:0-15", settings={"training": {"accumulate": 2, "steps": 2}})
    assert rows
    assert json.loads((tmp_path / "run" / "run.json").read_text())["pairs_seen"] == 28


def test_a_sentence_of_only_joiners_is_scored_and_reported(base, tmp_path, capsys):
    path = tmp_path / "odd.tsv"
    path.write_text("Anna\tB-PER\nsleeps\tO\n\n\u200d\tO\n\n" * 4, encoding="utf-8")
    rows = paralign.finetune(
        str(base), task="ner", train=f"en={path}", eval=[f"en={path}"], out=tmp_path / "run",
        settings={"training": {"steps": 2}},
    )  # fmt: skip
    assert {row.n for row in rows} == {8}
    assert "4 sentences without pieces" in capsys.readouterr().err


def test_evaluation_on_training_data_causes_a_warning(base, tmp_path, monkeypatch):
    """However the folder of the model is named."""
    nli(base, tmp_path / "run")
    (tmp_path / "link").symlink_to(tmp_path / "run/seed-0/model")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path / "run/seed-0")
    for k, model in enumerate([tmp_path / "run/seed-0/model", "model", tmp_path / "link", "~/run/seed-0/model"]):
        out = tmp_path / f"e{k}"
        paralign.evaluate(str(model), data=["en=smallworld:0-60"], out=out, quiet=True)
        alarms = json.loads((out / "run.json").read_text())["alarms"]
        assert any("the data it was fine-tuned on" in alarm for alarm in alarms), model


def test_text_of_the_encoder_is_not_taken_for_that_of_its_fine_tuning(base, tmp_path):
    paralign.align(
        str(base), pairs="en-de=smallworld:100-160", out=tmp_path / "aligned", recipe="tlm-mini", quiet=True,
        settings={"training": {"steps": 1, "batch": 8}, "data": {"min_pieces": 2}},
    )  # fmt: skip
    paralign.finetune(
        str(tmp_path / "aligned/encoder"), task="pos", train="en=smallworld:0-40", eval=["en=smallworld:50-60"],
        out=tmp_path / "run", settings={"training": {"steps": 1}}, quiet=True,
    )  # fmt: skip
    model = str(tmp_path / "run/seed-0/model")
    paralign.evaluate(model, data=["en=smallworld:100-160"], out=tmp_path / "e", quiet=True)
    alarms = json.loads((tmp_path / "e/run.json").read_text())["alarms"]
    assert any("the text the encoder was trained on" in alarm for alarm in alarms)
    assert not any("the data it was fine-tuned on" in alarm for alarm in alarms)


def test_a_changed_head_is_reported_in_one_line(base, tmp_path):
    paralign.finetune(
        str(base), task="parsing", train="en=smallworld:0-40", eval=["en=smallworld:50-60"], out=tmp_path / "run",
        settings={"training": {"steps": 2}}, quiet=True,
    )  # fmt: skip
    with pytest.raises(UserError, match="does not fit these settings"):
        paralign.evaluate(
            str(tmp_path / "run/seed-0/model"), data=["en=smallworld:50-60"], out=tmp_path / "e",
            overrides=["task.arc=8"], quiet=True,
        )  # fmt: skip
