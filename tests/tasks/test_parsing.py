"""Every answer is a tree with one root word, windows or not, and scored as the field scores it."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paralign.encoder import Encoder, train_tokenizer
from paralign.errors import UserError
from paralign.formats.items import Tree
from paralign.objectives import Step
from paralign.smallworld import World
from paralign.sources.readers import read_trees
from paralign.sources.specs import parse_text
from paralign.tasks import find_task
from paralign.tasks.biaffine_head import Arcs
from paralign.tasks.example_batches import ExampleBatches
from paralign.tasks.head import TaskHead
from paralign.tasks.parsing import Parse, ParserConfig, Parsing, join_windows
from paralign.text.words import join_words
from paralign.training import TrainingConfig
from tests.encoder.test_tokenizer import metaspace
from tests.examples import load_example
from tests.oracles import attachment_loops, window_trees
from tests.oracles.all_trees import is_tree
from tests.tasks.datasets import dataset
from tests.tasks.test_biaffine_head import NAMES, random_head

EXAMPLES = Path(__file__).parents[2] / "examples"
WORDS = [word for index in range(60) for word in World(0).sentence(index, "en").words]


def tree(heads, relations=None, words=None, glued=None) -> Tree:
    n = len(heads)
    words = tuple(words or WORDS[:n])
    text, spans = join_words(words, glued or [False] * n)
    relations = tuple(relations or ("root" if head == 0 else NAMES[head % 3] for head in heads))
    return Tree("s", text, words, spans, ("X",) * n, ("_",) * n, tuple(heads), relations, words, 1)


def parsing(**config) -> Parsing:
    return Parsing(ParserConfig(**{"relations": NAMES} | config))


@pytest.fixture(scope="module")
def short_encoder(sentences):
    """An encoder of 10 pieces beside [CLS] and [SEP]."""
    return Encoder.from_scratch("bert:1x32", train_tokenizer(sentences, size=800), max_length=12, dropout=0.0).eval()


# -- rows


def test_labels_are_heads_in_the_row_and_relations_without_subtypes(encoder):
    made = tree([2, 0, 2, 3], ["nsubj:pass", "root", "obj", "unheard"])
    (row,) = parsing().examples(encoder, [made], None)
    assert row.labels.tolist() == [[2, 1], [0, 3], [2, 2], [3, -1]]
    whole = parsing(subtypes=True, relations=("nsubj", "nsubj:pass", "root"))
    assert whole.examples(encoder, [made], None)[0].labels[:, 1].tolist() == [1, 2, -1, -1]


@st.composite
def gold_trees(draw, most=60):
    """Any single-rooted tree: words join one after the other, in any order."""
    n = draw(st.integers(1, most))
    order = draw(st.permutations(range(1, n + 1)))
    heads = [0] * n
    for k, word in enumerate(order[1:], 1):
        heads[word - 1] = order[draw(st.integers(0, k - 1))]
    return heads


@settings(max_examples=30, deadline=None)
@given(heads=gold_trees())
def test_in_windows_every_word_is_shown_once_and_heads_outside_are_not_learnt(short_encoder, heads):
    work = parsing()
    made = tree(heads)
    rows = work.examples(short_encoder, [made, tree([0])], None)
    assert rows[-1].labels.tolist() == [[0, 3]]
    *own, _ = rows
    start = 0
    for row in own:
        stop = start + len(row.targets)
        wanted = [h if h == 0 else h - start if start < h <= stop else -1 for h in heads[start:stop]]
        assert row.labels[:, 0].tolist() == wanted
        start = stop
    assert start == len(heads)
    assert work.cut == ({"sentences parsed in several windows": 1} if len(own) > 1 else {})
    batch = ExampleBatches(short_encoder, [[row] for row in rows], TrainingConfig(batch=len(rows))).batch(0)
    known = sum(int((row.labels[:, 0] >= 0).sum()) for row in rows)
    assert random_head(short_encoder).counts(batch) == {"arc": known, "relation": known}


# -- trees


class Gold(TaskHead):
    """Finds what the rows say, and of words of unknown head that they are a little like a root."""

    name = "gold"

    def counts(self, batch):
        raise AssertionError("it is not trained")

    forward = counts

    def decode(self, states):
        edges = np.searchsorted(states.view.masked, states.view.starts[1:])
        return [self._row(labels) for labels in np.split(states.view.labels, edges)]

    def _row(self, labels):
        m = len(labels)
        scores = np.full((m, m + 1), -20, np.float32)
        known = labels[:, 0] >= 0
        scores[known, labels[known, 0]] = 0
        scores[~known, 0] = -9
        scores[np.arange(m), np.arange(m) + 1] = -np.inf
        return Arcs(scores, np.repeat(labels[:, 1:], m + 1, 1).astype(np.int16))


@settings(max_examples=30, deadline=None)
@given(trees=st.lists(gold_trees(9), min_size=1, max_size=4))
def test_a_head_that_knows_the_answer_scores_all(encoder, trees):
    las, uas = parsing().evaluate(encoder, Gold(encoder), dataset([tree(heads) for heads in trees]))
    assert (las.metric, uas.metric) == ("las", "uas")
    assert las.items.tolist() == uas.items.tolist() == [[len(heads)] * 2 for heads in trees]


def test_a_batch_of_one_word_whose_head_is_in_another_window(encoder):
    rows = parsing().examples(encoder, [tree([0])], None)
    rows[0].labels[:] = -1
    batch = ExampleBatches(encoder, [rows], TrainingConfig(batch=1)).batch(0)
    losses = random_head(encoder).forward(Step(encoder, batch))
    assert {name: loss.item() for name, loss in losses.items()} == {"arc": 0.0, "relation": 0.0}


def test_in_windows_it_scores_all_where_each_window_hangs_on_the_root_word(short_encoder):
    """Windows of 10 words, each a tree; the tops hang on that of the second, the root."""
    words = ["the"] * 30
    chunk = len(parsing().examples(short_encoder, [tree([0] * 30, words=words)], None)[0].targets)
    assert chunk == 10
    heads = [0 if d == 13 else 14 if d % 10 == 3 else d if d % 10 > 3 else d + 2 for d in range(30)]
    assert is_tree(tuple(heads))
    work = parsing()
    las, uas = work.evaluate(short_encoder, Gold(short_encoder), dataset([tree(heads, words=words)]))
    assert las.items.tolist() == uas.items.tolist() == [[30, 30]]
    assert work.cut == {"sentences parsed in several windows": 1}


@settings(max_examples=40, deadline=None)
@given(heads=gold_trees())
def test_windows_give_the_gold_arcs_and_a_tree(short_encoder, heads):
    work, made = parsing(), tree(heads)
    ((_, found),) = work.answers(short_encoder, Gold(short_encoder), dataset([made]))
    assert is_tree(found.heads)
    known = [int(label) for row in work.examples(short_encoder, [made], None) for label in row.labels[:, 0] >= 0]
    assert all(a == b for a, b, there in zip(found.heads, heads, known, strict=True) if there)


def windows_of(draw, sizes, elements):
    out = []
    for m in sizes:
        scores = draw(arrays(np.float32, (m, m + 1), elements=elements))
        scores[np.arange(m), np.arange(m) + 1] = -np.inf
        out.append(Arcs(scores, draw(arrays(np.int16, (m, m + 1), elements=st.integers(0, 5)))))
    return out


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_windows_are_joined_to_the_best_tree_of_fewest_arcs_between_them(data):
    sizes = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) <= 5))
    windows = windows_of(data.draw, sizes, st.integers(-64, 0).map(lambda k: k / 4))
    heads, relations = join_windows(windows)
    assert is_tree(tuple(heads.tolist()))
    scores = [window.scores.tolist() for window in windows]
    fewest, value = window_trees.best(scores)
    assert window_trees.crossings(scores, heads) == fewest == len(sizes) - 1
    assert window_trees.value(scores, heads) == value
    where = window_trees.places(scores)
    for d, h in enumerate(heads.tolist()):
        window, place = where[d]
        own = windows[window]
        at = 0 if h == 0 else where[h - 1][1] + 1
        if h and where[h - 1][0] != window:
            others = [k for k in range(1, len(own.scores) + 1) if k != place + 1] or [1]
            at = max(others, key=lambda k: own.scores[place, k])
        assert relations[d] == own.relations[place, at]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_prediction_gives_a_tree(data):
    """Ties everywhere, and scores as far apart as float32 knows them."""
    sizes = data.draw(st.lists(st.integers(1, 25), min_size=1, max_size=4))
    elements = data.draw(st.sampled_from([st.just(np.float32(-1)), st.floats(-(2**60), 0, width=32)]))
    heads, _ = join_windows(windows_of(data.draw, sizes, elements))
    assert is_tree(tuple(heads.tolist()))


def test_words_that_share_a_piece_hang_in_a_tree():
    tokenizer = metaspace()
    encoder = Encoder.from_scratch("xlm-r:1x32", tokenizer, max_length=16, dropout=0.0)
    made = tree([2, 0, 2, 2], words=["the", "老", "师", "a"], glued=[False, True, False, False])
    (row,) = parsing().examples(encoder, [made], None)
    assert row.targets.tolist() == [1, 3, 3, 4]
    ((_, found),) = parsing().answers(encoder, random_head(encoder), dataset([made]))
    assert is_tree(found.heads)
    assert [name == "root" for name in found.relations] == [head == 0 for head in found.heads]


# -- the task


def test_relations_are_learnt_from_the_training_data_and_kept_in_the_settings(encoder):
    sets = [dataset([tree([2, 0], ["nsubj:pass", "root"])]), dataset([tree([0, 1], ["root", "advmod"])])]
    for subtypes, wanted in ((False, ("advmod", "nsubj", "root")), (True, ("advmod", "nsubj:pass", "root"))):
        work = Parsing(ParserConfig(subtypes=subtypes))
        with pytest.raises(UserError, match="has no relations"):
            work.head(encoder)
        work.fit(sets)
        assert work.config.relations == wanted
        again = find_task("parsing", json.loads(json.dumps(work.config.model_dump(mode="json"))))
        again.head(encoder).load_state_dict(work.head(encoder).state_dict())
        again.fit([dataset([tree([0], ["other"])])])
        assert again.config == work.config


def test_the_gold_answers_are_heads_and_relations_as_they_are_scored():
    items = dataset([tree([2, 0], ["nsubj:pass", "root"])])
    assert list(parsing().gold_of(items)) == [("2", "0", "nsubj", "root")]
    assert list(parsing(subtypes=True).gold_of(items)) == [("2", "0", "nsubj:pass", "root")]


def test_scores_follow_the_settings():
    gold = tree([2, 0, 2, 2], ["nsubj:pass", "root", "obj", "punct"])
    found = Parse((2, 0, 2, 3), ("nsubj", "root", "obl", "punct"))
    assert parsing().score_item(gold, found, "en") == {"las": (2, 4), "uas": (3, 4)}
    without = parsing(punctuation=False).score_item(gold, found, "en")
    assert without == {"las_without_punctuation": (2, 3), "uas_without_punctuation": (3, 3)}
    exact = parsing(subtypes=True).score_item(gold, found, "en")
    assert exact == {"las_with_subtypes": (1, 4), "uas_with_subtypes": (3, 4)}
    assert next(iter(parsing().score_item(gold, found, "en"))) == "las"  # the main score


@pytest.mark.parametrize("side", [-1, 1])
def test_the_baseline_hangs_every_word_on_its_neighbor(side):
    """Of 4 words that hang on the neighbor of the better side, 3 are det."""
    chain = [2, 3, 4, 0] if side == 1 else [0, 1, 2, 3]
    names = [("root" if head == 0 else "det") for head in chain]
    other = [3, 0, 1] if side == 1 else [3, 1, 0]
    both = tree(chain, names), tree(other, ["obj" if head else "root" for head in other])
    work = parsing()
    guess = work.baseline_answers(dataset(both))["adjacent"]
    assert guess(both[0]) == Parse(tuple(chain), tuple(names))
    assert is_tree(guess(both[1]).heads)
    assert guess(tree([0])) == Parse((0,), ("root",))
    found = work.baselines(dataset(both))["adjacent"]
    right = 4 + sum(a == b for a, b in zip(guess(both[1]).heads, other, strict=True))
    assert found["uas"] == pytest.approx(right / 7)


def test_predictions_are_trees_that_can_be_read_back(encoder, tmp_path):
    work = parsing()
    data = work.read("de=smallworld:0-20", lenient=False, dropped=Counter(), limit=None, labeled=False)
    answered = list(work.answers(encoder, random_head(encoder), data))
    (path,) = work.write(tmp_path / "found.conllu", answered)
    read = list(read_trees(parse_text(f"de={path}")))
    assert [(t.heads, t.deprels) for t in read] == [tuple(found) for _, found in answered]
    assert [t.words for t in read] == [t.words for t, _ in answered]


def test_the_example_scores_the_file_it_writes(tmp_path):
    path = load_example("parsing").main(tmp_path, arch="bert:1x32", sentences=200, epochs=1)
    found = list(read_trees(parse_text(f"de={path}")))
    gold = list(read_trees(parse_text("de=smallworld:3000000-3000020")))
    rows = [json.loads(line) for line in (tmp_path / "parser" / "results.jsonl").open()]
    stated = {row["metric"]: row["value"] for row in rows if row["language"] == "de"}
    total = Counter()
    for one, other in zip(gold, found, strict=True):
        pairs = [list(zip(t.heads, t.deprels, strict=True)) for t in (one, other)]
        counts = attachment_loops.attachment(*pairs, punctuation=True, subtypes=False)
        total.update({f"{name}{k}": v for name, both in counts.items() for k, v in enumerate(both)})
    assert stated == {name: pytest.approx(total[f"{name}0"] / total[f"{name}1"]) for name in ("las", "uas")}


def test_plain_text_is_tagged_and_parsed_and_then_a_treebank(encoder, tmp_path):
    """The way of plain text into a language derived by ``syn``: done once, kept as CoNLL-U."""
    (tmp_path / "t.txt").write_text("The dog, it sleeps.\n\nCooks don't see hotels!\n")
    spec = f"en={tmp_path / 't.txt'}"
    for name in ("pos", "parsing"):
        task = find_task(name)
        if name == "parsing":
            task.fit([task.read("en=smallworld:0-20", lenient=False, dropped=Counter(), limit=None)])
        with pytest.raises(UserError, match=r"columns|head '_'"):
            list(task.read(spec, lenient=False, dropped=Counter(), limit=None))
        data = task.read(spec, lenient=False, dropped=Counter(), limit=None, labeled=False)
        (path,) = task.predict(encoder, task.head(encoder), data, tmp_path / f"{name}.conllu")
        spec = f"en={path}"
    trees = list(read_trees(parse_text(spec)))
    assert [tree.text for tree in trees] == ["The dog, it sleeps.", "Cooks don't see hotels!"]
    assert trees[0].words == ("The", "dog", ",", "it", "sleeps", ".")
