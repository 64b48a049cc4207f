"""Alarms are raised for collapse and losses at chance level, and not for a healthy run."""

import json
import math

import paralign
from paralign.smallworld import World
from paralign.training.alarms import Alarms, non_finite
from tests.training.runs import log_of

CHANCE = {"moco": math.log(101), "mlm": math.log(800)}
FINE = {
    "moco_mean_cosine": 0.3,
    "moco_effective_rank": 20.0,
    "moco_accuracy": 0.5,
    "sentence_mean_cosine": 0.6,
}


def run(alarms, metrics, losses=None, steps=range(10, 1001, 10)):
    raised = []
    for step in steps:
        now = {"moco": 1.2, "mlm": 4.0} if losses is None else losses
        raised += [(step, text) for text in alarms.check(step, now, metrics)]
    return raised


def test_a_healthy_run_is_silent():
    assert run(Alarms(CHANCE, 1000), FINE) == []


def test_collapse_is_reported_once_and_not_in_the_first_fifth():
    for bad in ({"moco_mean_cosine": 0.999}, {"moco_effective_rank": 1.1}, {"sentence_mean_cosine": 1.0}):
        raised = run(Alarms(CHANCE, 1000), FINE | bad)
        assert len(raised) == 1
        step, text = raised[0]
        assert "collapse" in text
        assert next(iter(bad)) in text
        assert step == 230  # the third entry after step 200


def test_a_trained_encoder_has_collapsed_if_its_vectors_have_become_alike():
    """Mean-pooled vectors of some encoders, such as XLM-R, have a mean cosine above 0.98 from the start."""
    similar = {"sentence_mean_cosine": 0.995}
    assert len(run(Alarms(CHANCE, 1000), similar)) == 1
    assert run(Alarms(CHANCE, 1000, trained=True), similar) == []
    similar = {"sentence_mean_cosine": 0.99}
    for cosine, raised in ((0.9975, 0), (0.9985, 1)):
        alarms = Alarms(CHANCE, 1000, trained=True)
        assert alarms.check(10, {}, similar) == []
        resumed = Alarms(CHANCE, 1000, trained=True)
        resumed.load_state_dict(json.loads(json.dumps(alarms.state_dict())))
        assert len(run(resumed, {"sentence_mean_cosine": cosine}, {})) == raised
    assert len(run(Alarms(CHANCE, 1000, trained=True), {"sentence_mean_cosine": 0.9999}, {})) == 1  # before step 10
    alarms = Alarms(CHANCE, 1000, trained=True)
    assert alarms.check(10, {}, {"sentence_mean_cosine": 0.5}) == []
    assert len(run(alarms, {"sentence_mean_cosine": 0.985}, {})) == 1


def test_a_loss_that_stays_at_chance_is_reported():
    raised = run(Alarms(CHANCE, 1000), FINE, {"moco": math.log(101) * 1.001, "mlm": 3.0})
    assert len(raised) == 1
    assert "stuck: the loss moco" in raised[0][1]
    assert run(Alarms(CHANCE, 1000), FINE, {"moco": math.log(101) * 0.98, "mlm": 3.0}) == []


def test_a_single_bad_value_is_no_alarm():
    alarms = Alarms(CHANCE, 100)
    for step in range(30, 100):
        bad = {"moco_mean_cosine": 0.999} if step % 3 else FINE
        assert alarms.check(step, {}, bad) == []


def test_streaks_continue_after_a_resume():
    one = Alarms(CHANCE, 100)
    for step in (30, 31):
        assert one.check(step, {}, {"moco_mean_cosine": 1.0}) == []
    other = Alarms(CHANCE, 100)
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert len(other.check(32, {}, {"moco_mean_cosine": 1.0})) == 1
    again = Alarms(CHANCE, 100)
    again.load_state_dict(json.loads(json.dumps(other.state_dict())))
    assert again.check(33, {}, {"moco_mean_cosine": 1.0}) == []  # already reported
    assert again.raised == other.raised


def test_values_that_are_not_finite_are_named():
    assert non_finite({"a": 1.0, "b": math.nan, "c": -math.inf, "d": 0.0}) == ["b", "c"]


def test_a_loss_that_is_0_from_the_start_is_reported_once():
    raised = run(Alarms(CHANCE, 1000), FINE, {"word_l2": 0.0, "mlm": 4.0})
    assert [step for step, _ in raised] == [30]  # the third entry
    assert "no effect: the loss word_l2 has been 0 from the start" in raised[0][1]


def test_a_loss_that_was_not_0_once_had_something_to_do():
    alarms = Alarms(CHANCE, 100)
    for step in range(1, 101):
        assert alarms.check(step, {"nli": 0.0 if step != 2 else 0.1}, {}) == []
    resumed = Alarms(CHANCE, 1000)
    resumed.load_state_dict(json.loads(json.dumps(alarms.state_dict())))
    assert run(resumed, FINE, {"nli": 0.0}) == []


def test_a_short_run_with_nothing_to_do_is_reported_at_its_end():
    alarms = Alarms(CHANCE, 2)
    assert alarms.check(1, {"word_l2": 0.0}, {}) == []
    assert len(alarms.check(2, {"word_l2": 0.0}, {})) == 1


def align(base, out, *, pairs="en-de=smallworld:0-40", recipe="word-l2-mini", **more):
    settings = ["training.batch=8", "training.steps=4", "training.log_every=1", "data.min_pieces=2"]
    paralign.align(str(base), out=out, pairs=[pairs], recipe=recipe, quiet=True,
                   overrides=[*settings, *more.pop("overrides", [])], **more)  # fmt: skip
    logged = [line["message"] for line in log_of(out) if line.get("event") == "alarm"]
    alarms = json.loads((out / "run.json").read_text())["alarms"]
    assert logged == alarms
    return alarms


def test_without_any_link_the_objective_has_nothing_to_do(base, tmp_path):
    (tmp_path / "none").write_text("\n" * 40)
    (alarm,) = align(base, tmp_path / "run", links=[f"en-de={tmp_path}/none"])
    assert "no effect: the loss word_l2 has been 0" in alarm
    assert align(base, tmp_path / "with") == []
    # A regularizer that is switched off is meant to do nothing.
    assert align(base, tmp_path / "off", overrides=["word_l2.anchor=0"]) == []


def test_pairs_with_equal_sides_are_reported(base, tmp_path):
    text = [World(0).sentence(k, "en").text for k in range(40)]
    (tmp_path / "same.tsv").write_text("".join(f"{line}\t{line}\n" for line in text))
    more = {"pairs": f"en-de={tmp_path}/same.tsv", "overrides": ["data.drop_identical=false"]}

    def of_sides(name, recipe, **more):
        return [alarm for alarm in align(base, tmp_path / name, recipe=recipe, **more) if "sides" in alarm]

    (alarm,) = of_sides("run", "tlm-mini", **more)
    assert alarm == "step 0: 100% of the pairs of the first batch have equal sides, so there is little to align"
    assert of_sides("other", "tlm-mini") == []
    assert of_sides("control", "mlm-mini", **more) == []  # it does not read pairs
