"""Alarms sound on collapse and standstill, and are silent on a healthy run."""

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
    said = []
    for step in steps:
        now = {"moco": 1.2, "mlm": 4.0} if losses is None else losses
        said += [(step, text) for text in alarms.check(step, now, metrics)]
    return said


def test_a_healthy_run_is_silent():
    assert run(Alarms(CHANCE, 1000), FINE) == []


def test_collapse_is_told_once_and_not_in_the_first_fifth():
    for bad in ({"moco_mean_cosine": 0.999}, {"moco_effective_rank": 1.1}, {"sentence_mean_cosine": 1.0}):
        said = run(Alarms(CHANCE, 1000), FINE | bad)
        assert len(said) == 1
        step, text = said[0]
        assert "collapse" in text
        assert next(iter(bad)) in text
        assert step == 230  # the third look behind step 200


def test_a_loss_that_stays_at_chance_is_told():
    said = run(Alarms(CHANCE, 1000), FINE, {"moco": math.log(101) * 1.001, "mlm": 3.0})
    assert len(said) == 1
    assert "stuck: the loss moco" in said[0][1]
    assert run(Alarms(CHANCE, 1000), FINE, {"moco": math.log(101) * 0.98, "mlm": 3.0}) == []


def test_one_bad_look_among_good_ones_is_no_alarm():
    alarms = Alarms(CHANCE, 100)
    for step in range(30, 100):
        bad = {"moco_mean_cosine": 0.999} if step % 3 else FINE
        assert alarms.check(step, {}, bad) == []


def test_the_watch_goes_on_behind_a_resume():
    one = Alarms(CHANCE, 100)
    for step in (30, 31):
        assert one.check(step, {}, {"moco_mean_cosine": 1.0}) == []
    other = Alarms(CHANCE, 100)
    other.load_state_dict(json.loads(json.dumps(one.state_dict())))
    assert len(other.check(32, {}, {"moco_mean_cosine": 1.0})) == 1
    again = Alarms(CHANCE, 100)
    again.load_state_dict(json.loads(json.dumps(other.state_dict())))
    assert again.check(33, {}, {"moco_mean_cosine": 1.0}) == []  # said before
    assert again.raised == other.raised


def test_what_is_not_finite_is_named():
    assert non_finite({"a": 1.0, "b": math.nan, "c": -math.inf, "d": 0.0}) == ["b", "c"]
