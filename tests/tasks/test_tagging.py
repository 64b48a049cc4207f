"""Every word is labeled exactly once, at its first piece."""

import os
import threading
from collections import Counter

import numpy as np
import pytest
import seqeval.metrics
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.conllu import UPOS
from paralign.formats.items import Tagged, Tree
from paralign.objectives import Step
from paralign.smallworld import World
from paralign.sources.readers import read_tagged, read_trees
from paralign.sources.specs import parse_text
from paralign.tasks.example_batches import ExampleBatches
from paralign.tasks.label_head import LabelHead
from paralign.tasks.tagging import EntityConfig, NamedEntities, PartOfSpeech
from paralign.text.words import join_words
from paralign.training import TrainingConfig
from tests.encoder.test_tokenizer import metaspace
from tests.tasks.datasets import dataset

WORDS = [word for index in range(60) for word in World(0).sentence(index, "en").words]


def tree(words, tags=None, glued=None) -> Tree:
    n = len(words)
    text, spans = join_words(words, glued or [False] * n)
    upos = tuple(tags or [UPOS[(7 * k) % 17] for k in range(n)])
    return Tree("s", text, tuple(words), spans, upos, ("_",) * n, (0,) + (1,) * (n - 1), ("dep",) * n, tuple(words), 1)


def first_pieces(tokenizer, words) -> list[int]:
    """The first piece of each word by the tokenizer's own word ids."""
    encoded = tokenizer(list(words), is_split_into_words=True, add_special_tokens=False)
    first = {}
    for piece, word in zip(encoded["input_ids"], encoded.word_ids(), strict=True):
        first.setdefault(word, piece)
    return [first[k] for k in range(len(words))]


POS = PartOfSpeech()


def labeled(rows) -> list[tuple[int, int]]:
    """Piece and label of each target; places in a row count its [CLS]."""
    return [
        (int(row.pieces[0][t - 1]), int(tag)) for row in rows for t, tag in zip(row.targets, row.labels, strict=True)
    ]


@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_labels_stand_at_the_first_piece_of_each_word(language, encoder):
    for index in range(40):
        sentence = World(0).sentence(index, language)
        glued = [b[0] == a[1] for a, b in zip(sentence.spans, sentence.spans[1:], strict=False)] + [False]
        made = tree(sentence.words, sentence.upos, glued)
        assert made.text == sentence.text
        wanted = zip(first_pieces(encoder.tokenizer, sentence.words), map(UPOS.index, sentence.upos), strict=True)
        assert labeled(POS.examples(encoder, [made], None)) == list(wanted)


@pytest.fixture(scope="module")
def short(make_encoder):
    return make_encoder("bert:1x32")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=90), st.integers(4, 30))
def test_a_sentence_longer_than_the_model_is_split_between_words_and_no_word_lost(short, words, room):
    short.tokenizer.model_max_length = room + 2
    try:
        made = tree(words)
        rows = POS.examples(short, [made, made], None)
        half = len(rows) // 2
        assert [row.item for row in rows] == [0] * half + [1] * half
        wanted = zip(first_pieces(short.tokenizer, words), map(UPOS.index, made.upos), strict=True)
        assert labeled(rows[:half]) == list(wanted)
        assert max(len(row.pieces[0]) for row in rows) <= room
    finally:
        short.tokenizer.model_max_length = 140


def test_words_that_share_a_piece_are_each_labeled_there():
    """A SentencePiece tokenizer makes one piece of two Chinese words, and one word of the whole line."""
    tokenizer = metaspace()
    encoder = Encoder.from_scratch("xlm-r:1x32", tokenizer, max_length=16, dropout=0.0)
    made = tree(["the", "老", "师", "a"], ["DET", "NOUN", "PART", "DET"], [False, True, False, False])
    (row,) = POS.examples(encoder, [made], None)
    pieces = tokenizer.convert_ids_to_tokens(row.pieces[0].tolist())
    assert pieces == ["▁the", "▁", "老师", "▁a"]
    assert row.targets.tolist() == [1, 3, 3, 4]  # [CLS] stands before
    assert [UPOS[k] for k in row.labels] == ["DET", "NOUN", "PART", "DET"]


def test_batches_hold_every_row_and_their_targets_are_where_the_labels_are(encoder):
    trees = [tree(WORDS[k : k + 2 + k % 9]) for k in range(30)]
    rows = POS.examples(encoder, trees, None)
    batches = ExampleBatches(encoder, ([row] for row in rows), TrainingConfig(batch=10, seed=3))
    seen = []
    for step in range(batches.steps_per_epoch):
        batch = batches.batch(step)
        view = batch.view("example")
        seen += batch.ids.tolist()
        wanted = [pair for i in batch.ids for pair in labeled([rows[i]])]
        assert list(zip(view.ids[view.masked].tolist(), view.labels.tolist(), strict=True)) == wanted
        halves = [batches.batch(step, part, 2) for part in (0, 1)]
        assert sorted(np.concatenate([h.ids for h in halves])) == sorted(batch.ids)
        slices = [part for of_process in (0, 1) for part in batches.slices(step, of_process, 2, 5)]
        assert sorted(np.concatenate([part.ids for part in slices])) == sorted(batch.ids)
        lengths = [len(rows[record]) for part in slices[:5] for record in part.ids.tolist()]
        assert lengths == sorted(len(rows[record]) for record in batch.ids[::2].tolist())
    assert sorted(seen) == list(range(30))
    other = ExampleBatches(encoder, ([row] for row in [*rows[:-1], rows[0]]), TrainingConfig(batch=10, seed=3))
    assert other.fingerprint != batches.fingerprint
    few = ExampleBatches(encoder, ([row] for row in rows[:4]), TrainingConfig(batch=10))
    assert (few.size, few.steps_per_epoch) == (4, 1)
    message = r"4 training records cannot be divided into 8 slices \(lower training\.accumulate to 4 or less"
    with pytest.raises(UserError, match=message):
        ExampleBatches(encoder, ([row] for row in rows[:4]), TrainingConfig(batch=16, accumulate=8))
    # A batch counts rows: 8 groups of two.
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    divided = ExampleBatches(encoder, pairs, TrainingConfig(batch=16, accumulate=4))
    assert (divided.size, [len(part.ids) for part in divided.slices(0, 0, 1, 4)]) == (8, [2] * 4)
    with pytest.raises(
        UserError, match=r"16 rows has 8 groups of 2, too few for 16 slices \(raise .* to 32 or more, or .* 8 or"
    ):
        ExampleBatches(encoder, pairs, TrainingConfig(batch=16, accumulate=16))
    assert ExampleBatches(encoder, pairs, TrainingConfig(batch=16, accumulate=6)).size == 6


def test_the_heads_loss_is_cross_entropy_of_its_scores(encoder):
    trees = [tree(WORDS[k : k + 7]) for k in range(6)]
    batch = ExampleBatches(
        encoder, ([row] for row in POS.examples(encoder, trees, None)), TrainingConfig(batch=6)
    ).batch(0)
    head = LabelHead(encoder, UPOS).eval()
    with torch.no_grad():
        total = head(Step(encoder, batch))["label"]
        states = encoder.encode(batch.view("example"))
        view = states.view
        scores = states.flat[view.masked] @ head.linear.weight.T + head.linear.bias
        wanted = torch.nn.functional.cross_entropy(scores, torch.tensor(view.labels), reduction="sum")
    torch.testing.assert_close(total, wanted)
    assert head.counts(batch) == {"label": 42}


def test_accuracy_counts_every_word_of_every_sentence_once(make_encoder):
    """A head that always says NOUN is right as often as there are nouns."""
    encoder = make_encoder()
    head = LabelHead(encoder, UPOS)
    with torch.no_grad():
        head.linear.weight.zero_()
        head.linear.bias[UPOS.index("NOUN")] = 1
    trees = [tree(WORDS[k : k + n], ["NOUN" if (k + j) % 3 == 0 else "VERB" for j in range(n)])
             for k, n in enumerate([3, 1, 8, 200, 12])]  # fmt: skip
    score, f1 = PartOfSpeech().evaluate(encoder, head, dataset(trees))
    assert (score.metric, f1.metric) == ("accuracy", "f1")
    assert score.items[:, 1].tolist() == [3, 1, 8, 200, 12]
    assert score.items[:, 0].tolist() == [sum(tag == "NOUN" for tag in t.upos) for t in trees]
    assert score.value == pytest.approx(score.items[:, 0].sum() / 224)


def test_the_most_frequent_tag_is_the_baseline():
    trees = [tree(["a", "b", "c"], ["NOUN", "NOUN", "VERB"]), tree(["d"], ["VERB"]), tree(["e"], ["NOUN"])]
    assert PartOfSpeech().baselines(dataset(trees)) == {
        # runs: gold NOUN VERB | VERB | NOUN, predicted NOUN | NOUN | NOUN; one is right
        "majority": {"accuracy": pytest.approx(3 / 5), "f1": pytest.approx(2 * 1 / (4 + 3))}
    }


def entities(words, tags) -> Tagged:
    text, spans = join_words(words, [False] * len(words))
    return Tagged(text, tuple(words), spans, tuple(tags), 1)


def test_entity_scores_are_seqevals(encoder):
    """Whatever a head says, over whole sentences and windows."""
    rng = np.random.default_rng(0)
    task = NamedEntities(EntityConfig(types=("LOC", "PER")))
    names = task.names()
    assert names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    items = []
    for n in [3, 1, 8, 160, 12] + [6] * 200:
        drawn = [names[k] for k in rng.integers(0, 5, n)]
        valid = [t if t[0] != "I" or (k and drawn[k - 1][2:] == t[2:]) else "B" + t[1:] for k, t in enumerate(drawn)]
        items.append(entities([WORDS[k] for k in rng.integers(0, len(WORDS), n)], valid))
    torch.manual_seed(1)
    head = LabelHead(encoder, names)
    torch.nn.init.normal_(head.linear.weight, std=3.0)
    data = dataset(items)
    scores = {score.metric: score for score in task.evaluate(encoder, head, data)}
    answers = [answer for _, answer in task.answers(encoder, head, data)]
    gold = [list(item.tags) for item in items]
    assert [len(a) for a in answers] == [len(g) for g in gold]
    assert scores["f1"].value == pytest.approx(seqeval.metrics.f1_score(gold, answers), abs=1e-12)
    assert scores["precision"].value == pytest.approx(seqeval.metrics.precision_score(gold, answers), abs=1e-12)
    assert scores["recall"].value == pytest.approx(seqeval.metrics.recall_score(gold, answers), abs=1e-12)
    assert scores["accuracy"].value == pytest.approx(seqeval.metrics.accuracy_score(gold, answers), abs=1e-12)
    assert task.baselines(data)["majority"]["f1"] == 0.0


def test_types_of_entities_come_from_the_training_data():
    task = NamedEntities()
    task.fit([dataset([entities(["a", "b"], ["B-PER", "O"])]), dataset([entities(["c"], ["B-LOC"])], "de")])
    assert task.config.types == ("LOC", "PER")
    task.fit([dataset([entities(["c"], ["B-ORG"])])])
    assert task.config.types == ("LOC", "PER")  # a saved head is not changed by other data


def test_plain_text_may_begin_with_a_number_sign(tmp_path):
    task, lines = PartOfSpeech(), ["#MeToo is a movement.", "# A heading", "A second sentence."]
    for name, chosen in (("a.txt", lines), ("b.txt", lines[:1])):
        (tmp_path / name).write_text("\n".join(chosen), encoding="utf-8")
        items = task.read(f"en={tmp_path / name}", lenient=False, dropped=Counter(), limit=None, labeled=False)
        assert [item.text for item in items] == chosen
    (tmp_path / "c.txt").write_text("# sent_id = 1\n1\tRome\t_\tPROPN\t_\t_\t0\troot\t_\t_\n\n", encoding="utf-8")
    (item,) = task.read(f"en={tmp_path / 'c.txt'}", lenient=False, dropped=Counter(), limit=None, labeled=False)
    assert item.words == ("Rome",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_in_the_home_folder_is_read_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    threading.Thread(target=(tmp_path / "pipe").write_text, args=("One.\nTwo.\n",), daemon=True).start()
    items = NamedEntities().read("en= ~/pipe", lenient=False, dropped=Counter(), limit=None, labeled=False)
    assert [len(list(items)) for _ in range(2)] == [1, 1]


def test_predictions_are_written_as_they_are_read(tmp_path):
    item = entities(["Anna", "lebt", "in", "Rom"], ["B-PER", "O", "O", "B-LOC"])
    (path,) = NamedEntities().write(tmp_path / "p.tsv", [(item, item.tags)] * 2)
    assert [(i.words, i.tags) for i in read_tagged(parse_text(f"de={path}"))] == [(item.words, item.tags)] * 2
    # Tags that a model predicted one by one: an I- of another type begins an entity, in the scores as well.
    (path,) = NamedEntities().write(tmp_path / "q.tsv", [(item, ["B-PER", "I-ORG", "I-ORG", "O"])])
    assert [i.tags for i in read_tagged(parse_text(f"de={path}"))] == [("B-PER", "B-ORG", "I-ORG", "O")]
    made = tree(["Anna", "lebt"], ["PROPN", "VERB"])
    (path,) = PartOfSpeech().write(tmp_path / "p.conllu", [(made, ["NOUN", "VERB"])])
    (back,) = read_trees(parse_text(f"de={path}"))
    assert (back.words, back.upos, back.heads) == (made.words, ("NOUN", "VERB"), made.heads)
