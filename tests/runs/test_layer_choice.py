"""Layer and pooling chosen on development data: the best of all, and what rows say about them."""

from collections import Counter

import numpy as np
import pytest

import paralign
from paralign.errors import UserError
from paralign.report.write import write_report
from paralign.results import Where, read_results
from paralign.runs.layer_choice import choose_layer
from paralign.tasks import Score, find_task
from paralign.tasks.base import Task, TaskConfig

DEV, TEST = "en-de=smallworld:1000-1040", "en-de=smallworld:2000-2060"


class LayerConfig(TaskConfig):
    layer: int = 0


class Planted(Task):
    """Scores are given as data: (layer, pool) -> value."""

    name = "planted"
    trains = False
    Config = LayerConfig
    main_metrics = ("accuracy",)

    def read(self, spec, **_):
        raise NotImplementedError

    def language(self, data):
        return "de"

    def alternatives(self, encoder):
        return [{"layer": layer} for layer in range(3)]

    def evaluate(self, encoder, head, data):
        return [
            Score(metric, np.array([[value * factor, 1.0]]), Where(layer=self.config.layer, pool=pool))
            for (layer, pool), value in data.items()
            if layer == self.config.layer
            for metric, factor in (("accuracy", 1), ("other", 9))
        ]


def test_the_best_mean_over_development_sets_is_chosen():
    first = {(0, "cls"): 0.9, (0, "mean"): 0.2, (1, "cls"): 0.5, (1, "mean"): 0.3, (2, "cls"): 0.1, (2, "mean"): 0.6}
    second = {(0, "cls"): 0.0, (0, "mean"): 0.2, (1, "cls"): 0.5, (1, "mean"): 0.3, (2, "cls"): 0.1, (2, "mean"): 0.3}
    chosen = choose_layer(Planted(), None, [first, second])
    assert (chosen.settings, chosen.layer, chosen.pool) == ({"layer": 1}, 1, "cls")
    assert chosen.score == pytest.approx(0.5)
    assert choose_layer(Planted(), None, [first]).settings == {"layer": 0}


def test_the_first_of_equal_scores_is_chosen_and_undefined_ones_are_not():
    same = {(layer, "mean"): 0.5 for layer in range(3)}
    assert choose_layer(Planted(), None, [same]).layer == 0
    assert choose_layer(Planted(), None, [same | {(0, "mean"): float("nan")}]).layer == 1
    with pytest.raises(UserError, match="is a number"):
        choose_layer(Planted(), None, [dict.fromkeys(same, float("nan"))])


def test_for_an_error_rate_the_lowest_is_chosen(monkeypatch):
    monkeypatch.setattr(Planted, "lower_is_better", ("accuracy",))
    scores = {(0, "mean"): 0.5, (1, "mean"): 0.2, (2, "mean"): 0.9}
    assert choose_layer(Planted(), None, [scores]).layer == 1


@pytest.mark.parametrize("task", ["retrieval", "lexicon", "alignment"])
def test_the_test_scores_are_those_at_the_layer_that_a_search_finds(base, encoder, tmp_path, task):
    dev, test = (DEV, TEST) if task != "lexicon" else ("en-de=smallworld:0-20", "en-de=smallworld:20-60")
    main = find_task(task).info.main_metrics[0]
    sign = -1 if main == "aer" else 1
    settings = [(f"task.layer={layer}",) for layer in range(encoder.layers + 1)]
    if task == "lexicon":
        settings = [("task.vectors=static",), *(("task.vectors=contextual", *layer) for layer in settings)]
    found = {}
    for number, own in enumerate(settings):
        out = tmp_path / str(number)
        rows = paralign.evaluate(str(base), task=task, data=dev, out=out / "dev", overrides=own, quiet=True)
        for pool in {row.where.pool for row in rows}:
            values = [row.value for row in rows if row.where.pool == pool and row.metric == main]
            found[own, pool] = sign * np.mean(values)
    # Python's max returns the first of equal ones too; poolings come in the order of the rows.
    (own, pool), score = max(found.items(), key=lambda item: item[1])
    expected = paralign.evaluate(str(base), task=task, data=test, out=tmp_path / "at", overrides=own, quiet=True)
    rows = paralign.evaluate(str(base), task=task, data=test, dev=dev, out=tmp_path / "chosen", quiet=True)
    assert rows[0].settings["chosen"]["score"] == pytest.approx(sign * score)
    if Counter(found.values())[score] == 1:
        by_name = {(row.metric, row.where.direction): row.value for row in expected if row.where.pool == pool}
        assert {(row.metric, row.where.direction): row.value for row in rows} == by_name
    assert {(row.where.layer, row.where.pool) for row in rows} == {(None, "chosen")}


def test_systems_with_different_choices_are_in_one_table(base, make_encoder, tmp_path, monkeypatch):
    make_encoder(seed=3).save_pretrained(tmp_path / "other")
    for name, model in (("first", base), ("second", tmp_path / "other")):
        paralign.evaluate(
            str(model), task="retrieval", data=TEST, dev=DEV, out=tmp_path / "runs" / name, system=name, quiet=True
        )
    page = write_report(tmp_path / "runs", tmp_path / "page.html").markdown.read_text("utf-8")
    assert page.count("### Sentence retrieval: accuracy, cosine, best layer\n") == 1
    assert "Layer and pooling of each system are those with the best score on development data." in page
    for name in ("first", "second"):
        chosen = read_results(tmp_path / "runs" / name)[0].settings["chosen"]
        pooling = {"cls": "[CLS]", "mean": "mean pooling"}[chosen["pool"]]
        assert f"layer {chosen['layer']}, {pooling}" in page


def test_tasks_without_alternatives_are_refused(encoder):
    with pytest.raises(UserError, match="'mining' has no layer to choose"):
        choose_layer(find_task("mining"), encoder, [])
