"""Every task that is trained learns 16 examples by heart, through the verb that users call."""

import pytest

import paralign
from paralign.smallworld import World
from paralign.tasks.base import TASKS, find_task

STEPS = {"nli": 100, "paraphrase": 100, "topics": 75, "qa": 75, "pos": 75, "ner": 110, "parsing": 80}


def test_the_tasks_are_in_the_table():
    assert set(STEPS) == {name for name in TASKS if find_task(name).trains}


@pytest.mark.parametrize(
    "task",  # paraphrase has the head, rows and scores of nli
    [pytest.param(name, marks=pytest.mark.slow) if name == "paraphrase" else name for name in sorted(STEPS)],
)
def test_16_examples_are_learnt_by_heart(task, make_encoder, tmp_path):
    make_encoder("bert:2x64").save_pretrained(tmp_path / "base")
    data = "de=smallworld:0-16"
    if task == "paraphrase":
        path = tmp_path / "pairs.tsv"
        texts = [World(0).sentence(k, "de").text for k in range(32)]
        path.write_text("".join(f"{texts[k]}\t{texts[k + 16]}\t{k % 2}\n" for k in range(16)), encoding="utf-8")
        data = f"de={path}"
    if task == "topics":
        path = tmp_path / "topics.tsv"
        lines = [f"{World(0).sentence(k, 'de').text}\t{k % 3}\n" for k in range(16)]
        path.write_text("".join(lines), encoding="utf-8")
        data = f"de={path}"
    rows = paralign.finetune(
        str(tmp_path / "base"),
        task=task,
        train=data,
        eval=[data],
        out=tmp_path / "run",
        settings={"training": {"steps": STEPS[task], "batch": 16, "learning_rate": 3e-3, "precision": "fp32"}},
        quiet=True,
    )
    assert {row.metric: row.value for row in rows} == {row.metric: 1.0 for row in rows}
    model, half = str(tmp_path / "run/seed-0/model"), ["task.precision=bf16"]
    again = paralign.evaluate(model, data=[data], out=tmp_path / "bf16", overrides=half, quiet=True)
    assert {row.metric: row.value for row in again} == {row.metric: 1.0 for row in rows}
