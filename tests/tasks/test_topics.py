"""Topics: rows, cutting, scores, and what training data do not have."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

import paralign
from paralign.errors import UserError
from paralign.formats.items import LabeledSentence
from paralign.smallworld import World
from paralign.tasks.topics import TopicConfig, Topics
from tests.tasks.datasets import dataset

NAMES = ("geography", "sports", "travel")
TEXTS = [World(0).sentence(k, "en").text for k in range(40)]


def sentence(k: int, label: str) -> LabeledSentence:
    return LabeledSentence(TEXTS[k % len(TEXTS)], label, str(k), k + 1)


@pytest.fixture
def task() -> Topics:
    return Topics(TopicConfig(labels=NAMES))


def test_a_row_is_the_sentence_and_reads_cls(encoder, task):
    items = [sentence(k, NAMES[k % 3]) for k in range(9)]
    prefix, suffix = encoder.template.single
    for index, row in enumerate(task.examples(encoder, items, "en")):
        wanted = encoder.tokenizer(items[index].text)["input_ids"]
        assert [*prefix, *row.pieces[0], *suffix] == wanted
        assert (row.targets.tolist(), row.labels.tolist(), row.item) == ([0], [index % 3], index)


def test_a_long_sentence_is_cut_and_counted(encoder):
    task = Topics(TopicConfig(labels=NAMES, max_pieces=6))
    item = LabeledSentence(" ".join(TEXTS[:4]), "sports", "0", 1)
    (row,) = task.examples(encoder, [item], "en")
    assert len(row.pieces[0]) == 4
    assert task.cut == {"sentences cut to 6 pieces": 1}
    long = Topics(TopicConfig(labels=NAMES, max_pieces=10 * encoder.max_pieces))
    long.examples(encoder, [LabeledSentence("house " * 9 * encoder.max_pieces, "sports", "0", 1)], "en")
    assert long.cut == {f"sentences cut to {encoder.max_pieces} pieces": 1}


def test_topics_are_those_of_the_training_data():
    task = Topics()
    task.fit([dataset([sentence(0, "travel"), sentence(1, "sports")]), dataset([sentence(2, "geography")])])
    assert task.names() == NAMES
    task.fit([dataset([sentence(0, "sports")])])
    assert task.names() == NAMES
    with pytest.raises(UserError, match=r"task\.labels does not have: health, politics"):
        task.fit([dataset([sentence(0, "politics"), sentence(1, "health"), sentence(2, "sports")])])


def test_scores_of_known_answers(task):
    """Of ten sentences seven are right."""
    gold = ["sports"] * 5 + ["travel"] * 3 + ["geography"] * 2
    answers = ["sports"] * 4 + ["travel"] * 3 + ["sports"] + ["geography"] + ["travel"]
    items = [sentence(k, label) for k, label in enumerate(gold)]
    scores = {s.metric: s.value for s in task.scores(zip(items, answers, strict=True), dataset(items))}
    assert scores["accuracy"] == pytest.approx(0.7)
    assert scores["macro_f1"] == pytest.approx(f1_score(gold, answers, average="macro"))


def test_a_head_set_by_hand_is_right(encoder, task):
    """The head answers with its bias: the majority of the set."""
    items = [sentence(k, label) for k, label in enumerate(["sports"] * 6 + ["travel"] * 4)]
    head = task.head(encoder)
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias.copy_(torch.tensor([0.0, 1.0, 0.0]))
    scores = {score.metric: score.value for score in task.evaluate(encoder, head, dataset(items))}
    baselines = task.baselines(dataset(items))
    assert scores == pytest.approx(baselines["majority"])
    assert scores["macro_f1"] == pytest.approx((2 * 6 / 16 + 0) / 2)
    assert baselines["chance"] == {"accuracy": pytest.approx(1 / 3)}


def test_topics_that_training_data_lack_are_wrong_and_named(task):
    gold = ["sports", "politics", "health", "politics"]
    items = [sentence(k, label) for k, label in enumerate(gold)]
    answers = ["sports"] * 4
    scores = {s.metric: s.value for s in task.scores(zip(items, answers, strict=True), dataset(items))}
    assert scores["accuracy"] == 0.25
    assert scores["macro_f1"] == pytest.approx(f1_score(gold, answers, average="macro", zero_division=0))
    assert task.warnings(dataset(items)) == (
        "3 sentences have topics that the training data do not have: 'politics', 'health'",
    )
    assert task.warnings(dataset(items[:1])) == ()
    chance = task.baselines(dataset(items))["chance"]["accuracy"]
    assert chance == pytest.approx(np.mean([answer == label for answer in NAMES for label in gold]))


def test_trained_evaluated_and_predicted(base, tmp_path):
    for name, numbers in (("train", range(24)), ("test", range(24, 34))):
        rows = [f"{k}\t{NAMES[k % 3]}\t{TEXTS[k]}" for k in numbers]
        (tmp_path / f"{name}.tsv").write_text("\n".join(["index_id\tcategory\ttext", *rows]) + "\n", encoding="utf-8")
    rows = paralign.finetune(
        str(base), task="topics", train=f"en={tmp_path}/train.tsv", eval=[f"en={tmp_path}/test.tsv"],
        out=tmp_path / "run", settings={"training": {"steps": 2}}, quiet=True,
    )  # fmt: skip
    assert [row.metric for row in rows] == ["accuracy", "macro_f1"]
    assert rows[1].settings["statistic"] == "macro_f1"
    assert rows[1].n == 10
    (tmp_path / "new.tsv").write_text("".join(f"{text}\n" for text in TEXTS[:3]), encoding="utf-8")
    paralign.predict(str(tmp_path / "run/seed-0/model"), data=f"en={tmp_path}/new.tsv", out=tmp_path / "out.tsv")
    predicted = [line.split("\t") for line in (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()]
    assert [text for text, _ in predicted] == TEXTS[:3]
    assert {label for _, label in predicted} <= set(NAMES)
    assert np.isfinite([row.value for row in rows]).all()
