"""The table of tasks agrees with the classes it names, and rows of other tasks carry what the table would say."""

import numpy as np
import pytest
from scipy import stats

from paralign.results import Seeds, read_items, read_results, write_results
from paralign.runs.measure import RowContext, measure
from paralign.task_table import TASKS, TaskInfo, task_info
from paralign.tasks import Score, Task, find_task


@pytest.mark.parametrize("name", TASKS)
def test_every_line_names_its_class_and_a_title_of_its_own(name):
    task = find_task(name)
    assert task.name == name
    assert task.info == TASKS[name].info
    assert task.info.title
    assert task.info.main_metrics
    assert [entry.info.title for entry in TASKS.values()].count(task.info.title) == 1


def test_rows_of_tasks_outside_the_table_describe_themselves():
    recorded = {"title": "Stemming", "main_metrics": ["errors", "accuracy"], "lower_is_better": ["errors"]}
    info = task_info("stem", {"task_info": recorded})
    assert info == TaskInfo("Stemming", ("errors", "accuracy"), ("errors",))
    assert task_info("pos", {"task_info": recorded}) == TASKS["pos"].info, "the table wins"


@pytest.mark.parametrize("recorded", [None, 1, "title", [], {}, {"title": "", "main_metrics": "f1"}])
def test_rows_that_say_nothing_usable_are_shown_by_name(recorded):
    assert task_info("stem", {"task_info": recorded}) == TaskInfo("stem")
    assert task_info("stem") == TaskInfo("stem")


def test_a_class_outside_the_table_declares_its_title_and_metrics():
    class Stem(Task):
        name = "stem"
        trains = False
        title = "Stemming"
        main_metrics = ("accuracy",)

        def read(self, spec, **options): ...

        def language(self, data): ...

        def evaluate(self, encoder, head, data): ...

    assert Stem().info == TaskInfo("Stemming", ("accuracy",))
    Stem.title = ""
    assert Stem().info.title == "stem"


class Similarity(Task):
    """A task whose score is a correlation."""

    name = "made-up"
    trains = False
    title = "Semantic textual similarity"
    main_metrics = ("spearman",)

    def read(self, spec, **options): ...

    def language(self, data):
        return "de"

    def evaluate(self, encoder, head, data):
        return [Score("spearman", data, statistic="spearman"), Score("accuracy", np.ones((4, 2)))]


def test_a_correlation_is_recorded_with_its_statistic_and_interval(tmp_path):
    rng = np.random.default_rng(0)
    gold = rng.normal(size=100)
    items = np.stack([gold + rng.normal(size=100), gold], axis=1)
    model_facts = {"method": "S", "control": False, "model": "m", "model_hash": "h", "parent": None}
    rows = measure(Similarity(), None, None, items, "d", RowContext(model_facts, "run", Seeds(), "test"))
    write_results(tmp_path, rows)
    correlation, accuracy = read_results(tmp_path)
    assert correlation.value == pytest.approx(stats.spearmanr(*items.T).statistic)
    assert correlation.statistic == "spearman"
    low, high = correlation.settings["interval"]
    assert low < correlation.value < high < 1
    assert read_items(tmp_path, correlation) == pytest.approx(items, abs=1e-6)
    assert correlation.settings["task_info"]["title"] == "Semantic textual similarity"
    assert accuracy.statistic == "ratio"
    assert not {"statistic", "interval"} & set(accuracy.settings)
