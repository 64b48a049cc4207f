"""The table of tasks agrees with the classes it names, and rows of other tasks carry what the table would say."""

import pytest

from paralign.task_table import TASKS, TaskInfo, task_info
from paralign.tasks import Task, find_task


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
