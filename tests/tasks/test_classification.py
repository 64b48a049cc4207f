"""Sentence pairs: rows, cutting, scores, twins."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.formats.items import SentencePair
from paralign.smallworld import World
from paralign.tasks.classification import Inference, PairConfig, Paraphrase
from paralign.training import TrainingConfig
from tests.tasks.datasets import dataset

LABELS = ("entailment", "neutral", "contradiction")
TEXTS = {language: [World(0).sentence(k, language).text for k in range(60)] for language in ("en", "de")}


def pair(k, label="neutral", language="en") -> SentencePair:
    texts = TEXTS[language]
    return SentencePair(texts[k % 60], texts[(7 * k + 3) % 60], label, str(k), k + 1)


def test_a_row_is_premise_and_hypothesis_and_reads_cls(encoder):
    items = [pair(k, LABELS[k % 3]) for k in range(20)]
    for index, row in enumerate(Inference().examples(encoder, items, None)):
        wanted = encoder.tokenizer(items[index].first, items[index].second)["input_ids"]
        prefix, middle, suffix = encoder.template.pair
        assert [*prefix, *row.pieces[0], *middle, *row.pieces[1], *suffix] == wanted
        assert (row.targets.tolist(), row.labels.tolist(), row.item) == ([0], [index % 3], index)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(8, 200))
def test_the_longer_sentence_is_cut_first(encoder, n, m, longest):
    """As tokenizers' own longest-first: remove from the longer until it fits."""
    words = TEXTS["en"][0].split()[1]
    item = SentencePair(" ".join([words] * n), " ".join([words] * m), "neutral", "0", 1)
    (one, _), (two, _) = encoder.tokenize([item.first, item.second], None)
    task = Inference(PairConfig(max_pieces=longest))
    (row,) = task.examples(encoder, [item], None)
    a, b, specials = len(one), len(two), 3
    while a + b + specials > min(longest, encoder.max_pieces):
        a, b = (a - 1, b) if a > b else (a, b - 1)
    kept = [len(part) for part in row.pieces]
    assert sum(kept) == a + b
    assert max(kept) - min(kept) <= max(abs(a - b), 1)
    assert row.pieces[0].tolist() == one[: kept[0]].tolist()
    assert row.pieces[1].tolist() == two[: kept[1]].tolist()
    cut = sum(kept) < len(one) + len(two)
    assert task.cut == ({f"sentence pairs cut to {min(longest, encoder.max_pieces)} pieces": 1} if cut else {})


def test_a_constant_answer_scores_the_majority(encoder):
    items = [pair(k, "neutral" if k % 4 else "entailment") for k in range(40)]
    task = Inference()
    head = task.head(encoder)
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias[1] = 1.0
    (score,) = task.evaluate(encoder, head, dataset(items))
    assert score.value == 30 / 40
    assert score.items[:, 0].tolist() == [float(k % 4 > 0) for k in range(40)]
    known = task.baselines(dataset(items))
    assert known == {"chance": {"accuracy": pytest.approx(1 / 3)}, "majority": {"accuracy": 0.75}}


def test_answers_keep_the_order_of_the_data(encoder, monkeypatch):
    """Rows are sorted by length on their way out and back."""
    task = Inference()
    monkeypatch.setattr(task, "answer", lambda item, parts: parts[0][1][0])
    torch.manual_seed(0)
    head = task.head(encoder)
    torch.nn.init.normal_(head.linear.weight, std=5.0)
    items = [pair(k) for k in range(50)]
    together = np.stack([answer for _, answer in task.answers(encoder, head, dataset(items))])
    alone = np.stack([next(task.answers(encoder, head, dataset([item])))[1] for item in items])
    assert len(np.unique(alone.round(4), axis=0)) == 50
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_both_twins_share_a_batch_and_originals_are_not_used(encoder):
    """Pan et al. 2021, section 2.4; METHODS golden test 8."""
    german = [pair(k, LABELS[k % 3], "de") for k in range(30)]
    english = [pair(k, LABELS[k % 3], "en") for k in range(30)]
    task = Inference()
    batches = task.batches(
        encoder, [dataset(german, "de")], TrainingConfig(batch=8), switch_with=dataset(english[::-1])
    )
    assert (batches.size, batches.records) == (4, 30)  # 8 rows
    rows = {}
    for language, items in (("de", german), ("en", english)):
        for item, row in zip(items, task.examples(encoder, items, None), strict=True):
            rows[language, item.id] = [part.tolist() for part in row.pieces]
    wanted = {
        frozenset(
            {(tuple(rows["de", k][0]), tuple(rows["en", k][1])), (tuple(rows["en", k][0]), tuple(rows["de", k][1]))}
        )
        for k in map(str, range(30))
    }
    prefix, middle = len(encoder.template.pair[0]), encoder.template.pair[1][0]
    seen = set()
    for step in range(batches.steps_per_epoch):
        view = batches.batch(step).view("example")
        found = []
        for start, length in zip(view.starts, view.lengths, strict=True):
            ids = view.ids[start + prefix : start + length - 1].tolist()
            cut = ids.index(middle)
            found.append((tuple(ids[:cut]), tuple(ids[cut + 1 :])))
        assert len(found) == 8
        twins = {frozenset(found[k : k + 2]) for k in range(0, 8, 2)}
        assert twins <= wanted
        seen |= twins
    assert len(seen) == 4 * batches.steps_per_epoch


def test_twins_of_other_pairs_are_refused(encoder):
    german = [pair(k, "neutral", "de") for k in range(9)]
    with pytest.raises(UserError, match="not translations"):
        Inference().batches(
            encoder,
            [dataset(german, "de")],
            TrainingConfig(batch=4),
            switch_with=dataset([pair(k, "entailment") for k in range(9)]),
        )
    with pytest.raises(UserError, match="8 of 9 items have no original"):
        Inference().batches(encoder, [dataset(german, "de")], TrainingConfig(batch=4), switch_with=dataset([pair(8)]))


def test_languages_whose_pieces_are_twins_cannot_be_code_switched(encoder):
    for sides in (("en~trans", "de"), ("de", "en~trans+inv")):
        data, originals = (dataset([pair(0)], language) for language in sides)
        with pytest.raises(UserError, match=r"^en~trans(\+inv)? cannot be code-switched: its pieces are the twins of"):
            Inference().batches(encoder, [data], TrainingConfig(batch=4), switch_with=originals)


def test_labels_of_another_task_are_refused_with_their_line(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text("One sentence here.\tAnother one.\tneutral\nOne more.\tAnd more.\t1\n")
    with pytest.raises(UserError) as error:
        Inference().read(f"en={path}", lenient=False, dropped=Counter(), limit=None)
    assert ":2" in str(error.value)
    dropped = Counter()
    assert len(Inference().read(f"en={path}", lenient=True, dropped=dropped, limit=None)) == 1
    assert sum(dropped.values()) == 1
    with pytest.raises(UserError, match="neutral"):
        Paraphrase().read(f"en={path}", lenient=False, dropped=Counter(), limit=None)
    unlabeled = Inference().read(f"en={path}", lenient=False, dropped=Counter(), limit=None, labeled=False)
    assert [item.label for item in unlabeled] == ["neutral", ""]


def test_predictions_can_be_read_back(tmp_path):
    items = [pair(k) for k in range(5)]
    (path,) = Inference().write(tmp_path / "out.tsv", [(item, LABELS[k % 3]) for k, item in enumerate(items)])
    back = Inference().read(f"en={path}", lenient=False, dropped=Counter(), limit=None)
    assert [(p.first, p.second, p.label) for p in back] == [
        (item.first, item.second, LABELS[k % 3]) for k, item in enumerate(items)
    ]


def test_few_shot_draws_are_a_function_of_the_seed():
    data = dataset([pair(k) for k in range(50)])
    one, again, other = (data.sample(7, seed) for seed in (0, 0, 1))
    assert [p.id for p in one] == [p.id for p in again] != [p.id for p in other]
    assert len(one) == len(list(one)) == 7
    assert np.all(np.diff([int(p.id) for p in one]) > 0)
    assert len(list(data)) == 50
    assert {p.id for p in one.sample(3, 1)} < {p.id for p in one}
    with pytest.raises(UserError, match="cannot sample 51 examples: there are only 50"):
        data.sample(51, 0)
