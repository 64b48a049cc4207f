"""Mining of planted vectors with known counts, and of one text from itself."""

import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from paralign.errors import UserError
from paralign.formats.items import MiningSet
from paralign.tasks import cross_lingual, find_task
from paralign.tasks.mining import Corpora, Mining
from tests.examples import load_example
from tests.oracles import margin_loops

EXAMPLES = Path(__file__).parents[2] / "examples"


def corpora(source, target, gold, languages=("de", "en")):
    """Texts whose ids are ``s0, s1, ...`` and ``t0, t1, ...``."""
    ids = [[f"{side}{row}" for row in range(len(texts))] for side, texts in (("s", source), ("t", target))]
    pairs = frozenset((f"s{i}", f"t{j}") for i, j in gold)
    return Corpora(languages, MiningSet(source, ids[0], target, ids[1], pairs))


def planted(monkeypatch, vectors, seen=None):
    """Sentences get the vectors of a table."""

    def look_up(encoder, texts, language, *, pools, layer):
        if seen is not None:
            seen.append((list(texts), tuple(pools), layer))
        return {pool: np.array([vectors[text] for text in texts], np.float32) for pool in pools}, 0

    monkeypatch.setattr(cross_lingual, "sentence_vectors", look_up)


def table(n, m, shared, seed=0, d=8):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, d)), rng.normal(size=(m, d))
    b[:shared] = a[:shared] + 0.6 * rng.normal(size=(shared, d))
    source, target = [f"satz {i}" for i in range(n)], [f"sentence {j}" for j in range(m)]
    return source, target, dict(zip(source + target, np.concatenate([a, b]), strict=True))


def values(scores):
    return {score.metric: score.value for score in scores}


@pytest.mark.parametrize("strategy", ["max", "intersect", "forward", "backward"])
@pytest.mark.parametrize("margin", ["ratio", "distance"])
def test_scores_are_those_of_the_sets_of_pairs(strategy, margin, encoder, monkeypatch):
    source, target, vectors = table(30, 24, 10)
    gold = {(i, i) for i in range(10)} | {(20, 3)}
    planted(monkeypatch, vectors)
    threshold = 1.2 if margin == "ratio" else 0.15
    task = find_task("mining", {"threshold": threshold, "strategy": strategy, "margin": margin, "neighbors": 3})
    scores = task.evaluate(encoder, None, corpora(source, target, gold))
    a, b = ([vectors[text].tolist() for text in side] for side in (source, target))
    extracted = {(i, j) for i, j, s in margin_loops.mine(a, b, 3, margin, strategy) if s >= threshold}
    assert 4 < len(extracted) < 24
    f1, precision, recall = map(float, margin_loops.f1(extracted, gold))
    assert values(scores) == pytest.approx({"f1": f1, "precision": precision, "recall": recall})
    assert all(score.items.shape == (30, 2) for score in scores)
    rows = {score.metric: score.items for score in scores}
    assert rows["recall"][:, 1].tolist() == [sum(g == i for g, _ in gold) for i in range(30)]


def test_without_a_threshold_the_best_one_is_used_and_reported(encoder, monkeypatch, capsys):
    source, target, vectors = table(30, 24, 10)
    data = corpora(source, target, {(i, i) for i in range(10)})
    planted(monkeypatch, vectors)
    best = values(Mining().evaluate(encoder, None, data))
    said = capsys.readouterr().err
    assert set(best) == {"f1_best_threshold", "precision_best_threshold", "recall_best_threshold"}
    assert "de-en" in said
    threshold = float(said.rpartition("task.threshold=")[2])
    given = values(find_task("mining", {"threshold": threshold}).evaluate(encoder, None, data))
    assert list(given.values()) == list(best.values())  # what was said gives the same pairs
    assert not capsys.readouterr().err
    assert Mining().best_threshold(encoder, data) == threshold
    tried = [
        values(find_task("mining", {"threshold": t}).evaluate(encoder, None, data))["f1"] for t in np.linspace(0, 3, 61)
    ]
    assert 0 < max(tried) <= best["f1_best_threshold"]


def test_without_right_candidates_the_score_is_zero(encoder, monkeypatch, capsys):
    vectors = {"a": [1, 0], "b": [0, 1], "c": [1, 0.1], "d": [0.1, 1]}
    planted(monkeypatch, vectors)
    data = corpora(["a", "b"], ["c", "d"], {(0, 1)})
    found = values(Mining().evaluate(encoder, None, data))
    assert found["f1_best_threshold"] == found["recall_best_threshold"] == 0.0
    assert np.isnan(found["precision_best_threshold"])  # of nothing
    assert "none, since no candidate is right" in capsys.readouterr().err


def test_repeated_sentences_are_embedded_once_and_not_extracted(encoder, monkeypatch, capsys):
    vectors = {"a": [1, 0, 0], "b": [0, 1, 0], "c": [0, 0, 1], "x": [1, 0, 0], "y": [0, 1, 0], "z": [0, 0, 1]}
    seen = []
    planted(monkeypatch, vectors, seen)
    data = corpora(["a", "b", "a", "c"], ["x", "y", "z"], {(0, 0), (2, 0), (1, 1), (3, 2)})
    task = find_task("mining", {"threshold": 0.5, "neighbors": 2})
    scores = {score.metric: score for score in task.evaluate(encoder, None, data)}
    assert [texts for texts, *_ in seen] == [["a", "b", "c"], ["x", "y", "z"]]
    assert scores["precision"].items.tolist() == [[0, 0], [1, 1], [0, 0], [1, 1]]
    assert scores["recall"].items.tolist() == [[0, 1], [1, 1], [0, 1], [1, 1]]
    assert "1 sentences occur more than once" in capsys.readouterr().err


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_a_text_finds_itself(pool, encoder, sentences):
    """Real vectors: 60 sentences, shuffled, and 20 more on either side that are in one only."""
    texts = sorted(set(sentences))[:100]
    source, target = texts[:80], texts[:60] + texts[80:]
    random.Random(0).shuffle(target)
    gold = {(i, target.index(text)) for i, text in enumerate(source[:60])}
    task = find_task("mining", {"pool": pool, "layer": 1, "margin": "absolute"})
    scores = task.evaluate(encoder, None, corpora(source, target, gold))
    assert list(values(scores).values()) == [1, 1, 1]
    assert {(s.where.layer, s.where.pool, s.where.direction) for s in scores} == {(1, pool, "de-en")}


def test_settings_reach_the_encoder(encoder, monkeypatch):
    source, target, vectors = table(5, 5, 5)
    seen = []
    planted(monkeypatch, vectors, seen)
    data = corpora(source, target, {(0, 0)})
    Mining().evaluate(encoder, None, data)
    find_task("mining", {"pool": "cls", "layer": 0}).evaluate(encoder, None, data)
    assert [rest for _, *rest in seen] == [[("mean",), 2], [("mean",), 2], [("cls",), 0], [("cls",), 0]]
    with pytest.raises(UserError, match="there is no layer 3"):
        find_task("mining", {"layer": 3}).evaluate(encoder, None, data)


def test_chance_is_the_mean_of_all_pairings(encoder):
    """Every one-to-one pairing of 2 source with 4 target sentences, scored by the oracle."""
    from itertools import permutations

    gold = {(0, 1), (1, 2), (1, 3)}
    scored = [margin_loops.f1(set(enumerate(chosen)), gold) for chosen in permutations(range(4), 2)]
    wanted = [float(sum(column) / len(scored)) for column in zip(*scored, strict=True)]
    data = corpora(["a", "b"], ["c", "d", "e", "f"], gold)
    chance = find_task("mining", {"threshold": 1.0}).baselines(data)["chance"]
    assert chance == pytest.approx(dict(zip(("f1", "precision", "recall"), wanted, strict=True)))
    assert set(Mining().baselines(data)["chance"]) == {f"{m}_best_threshold" for m in ("f1", "precision", "recall")}


def test_the_example(base, tmp_path):
    scores = load_example("mining").main(str(base), tmp_path, sentences=60)
    assert set(scores) == {"f1", "precision", "recall"}
    assert all(0 <= value <= 1 for value in scores.values())
    gold = (tmp_path / "test.gold").read_text().splitlines()
    assert len(gold) == 20


@pytest.fixture
def prefix(tmp_path):
    (tmp_path / "set.de").write_text("".join(f"de-{i}\tSatz {i}\n" for i in range(6)))
    (tmp_path / "set.en").write_text("".join(f"en-{i}\tsentence {i}\n" for i in range(5)))
    (tmp_path / "set.gold").write_text("de-0\ten-4\nde-3\ten-1\nde-5\ten-0\n")
    return tmp_path / "set"


def test_files_of_bucc(prefix):
    task = find_task("mining")
    data = task.read(f"de-en={prefix}", lenient=False, dropped=Counter(), limit=None)
    assert (len(data.texts.source), len(data.texts.target), len(data.texts.gold)) == (6, 5, 3)
    assert (task.language(data), data.languages, len(data)) == ("de", ("de", "en"), 11)
    assert ("sentence 4",) in list(task.texts_of(data))
    assert list(task.gold_of(data)) == [("0", "4"), ("3", "1"), ("5", "0")]
    few = task.read(f"de-en={prefix}", lenient=False, dropped=Counter(), limit=4).texts
    assert (few.source[-1], few.target_ids[-1], few.gold) == ("Satz 3", "en-3", {("de-3", "en-1")})
    with pytest.raises(UserError, match=r"no gold pairs of these sentences.*raise --limit"):
        task.read(f"de-en={prefix}", lenient=False, dropped=Counter(), limit=2)


def test_extracted_pairs_are_written_as_a_gold_file_and_score_the_same(encoder, monkeypatch, tmp_path):
    source, target, vectors = table(30, 24, 10)
    gold = {(i, i) for i in range(10)} | {(20, 3)}
    planted(monkeypatch, vectors)
    data = corpora(source, target, gold)
    task = find_task("mining", {"threshold": 1.2, "neighbors": 3})
    (path,) = task.predict(encoder, None, data, tmp_path / "pairs.tsv")
    said = {tuple(line.split("\t")) for line in path.read_text().splitlines()}
    right = len(said & data.texts.gold)
    score = values(task.evaluate(encoder, None, data))
    assert (score["precision"], score["recall"]) == (pytest.approx(right / len(said)), pytest.approx(right / 11))
    assert right > 0
    with pytest.raises(UserError, match="needs a threshold"):
        find_task("mining").predict(encoder, None, data, tmp_path / "no.tsv")
    with pytest.raises(UserError, match="has no predictions"):
        find_task("retrieval").predict(encoder, None, None, tmp_path / "no.tsv")
