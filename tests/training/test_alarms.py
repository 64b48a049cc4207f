"""Alarms are raised for collapse and losses at chance level, and not for a healthy run."""

import json
import math

from paralign.training.alarms import Alarms, non_finite

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
