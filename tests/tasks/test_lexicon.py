"""Lexicon induction of planted vectors, of words from themselves, and its words without vectors."""

from collections import Counter

import numpy as np
import pytest
import torch

from paralign.encoder.sentences import sentence_vectors
from paralign.errors import UserError
from paralign.runs.layer_choice import with_settings
from paralign.tasks import find_task, lexicon
from paralign.tasks.lexicon import Lexicon, LexiconInduction, word_vectors
from tests.examples import load_example
from tests.oracles import lexicon_loops

WORDS = ["water", "house", "dog", "teacher", "apple", "river", "king", "bread", "moon", "garden", "window", "letter"]
UNKNOWN = ["☃", "☃☃"]


def read(path, languages="en-de", limit=None, **settings):
    task = find_task("lexicon", settings)
    return task.read(f"{languages}={path}", lenient=False, dropped=Counter(), limit=limit)


def values(scores):
    return {score.metric: score.value for score in scores}


def same_words(words):
    return Lexicon(("en", "de"), list(words), list(words), np.repeat(np.arange(len(words)), 2).reshape(-1, 2))


def test_planted_vectors_give_planted_precision(encoder, monkeypatch):
    rng = np.random.default_rng(0)
    source, target = [f"s{i}" for i in range(20)], [f"t{j}" for j in range(26)]
    a, b = rng.normal(size=(20, 6)).astype(np.float32), rng.normal(size=(26, 6)).astype(np.float32)
    b[:20] += a
    gold = sorted({(i, i) for i in range(18)} | {(18, 3), (19, 7), (19, 25), (4, 24)})
    monkeypatch.setattr(
        lexicon, "word_vectors", lambda encoder, words, language, layer: (a if words == source else b, 0)
    )
    scores = LexiconInduction().evaluate(encoder, None, Lexicon(("en", "de"), source, target, np.array(gold)))
    assert len(scores) == 6
    found = {score.metric: score.items[:, 0].tolist() for score in scores}
    for similarity, neighbors in (("cosine", None), ("csls", 10)):
        for k in (1, 5, 10):
            wanted = lexicon_loops.precision_at(k, a.tolist(), b.tolist(), set(gold), neighbors)
            assert found[f"precision_at_{k}_{similarity}"] == wanted
    assert 0 < sum(found["precision_at_1_csls"]) < sum(found["precision_at_10_cosine"])
    assert {(s.where.layer, s.where.pool, s.where.direction) for s in scores} == {(None, "static", "en-de")}


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ({}, (None, "static")),
        ({"vectors": "contextual"}, (2, "mean")),
        ({"vectors": "contextual", "layer": 1}, (1, "mean")),
    ],
)
def test_words_find_themselves(settings, where, encoder, capsys):
    scores = find_task("lexicon", settings).evaluate(encoder, None, same_words(WORDS))
    assert set(values(scores).values()) == {1.0}
    assert {(s.where.layer, s.where.pool) for s in scores} == {where}
    assert "100.0 % of the source words are their own translation (scored" in capsys.readouterr().err


def test_static_vectors_are_means_of_embedding_rows(encoder):
    words = [*WORDS, "unhousely", "☃", "a"]
    vectors, lost = word_vectors(encoder, words, None, None)
    assert lost == 1
    ids = encoder.tokenizer(words, add_special_tokens=False)["input_ids"]
    assert max(map(len, ids)) > 1
    for word, row, pieces in zip(words, vectors, ids, strict=True):
        wanted = torch.zeros(32) if word == "☃" else encoder.embeddings.detach()[pieces].mean(0)
        assert row == pytest.approx(wanted.numpy(), abs=1e-6)


@pytest.mark.parametrize("layer", [0, 2])
def test_contextual_vectors_are_those_of_sentences_of_one_word(layer, encoder):
    vectors, lost = word_vectors(encoder, WORDS, None, layer)
    assert lost == 0
    assert vectors == pytest.approx(sentence_vectors(encoder, WORDS, None, pools=["mean"], layer=layer)[0]["mean"])


def test_static_vectors_have_no_layer(encoder):
    with pytest.raises(UserError, match=r"task\.layer needs task\.vectors=contextual"):
        find_task("lexicon", {"layer": 2})
    task = find_task("lexicon", {"vectors": "contextual", "layer": 1})
    choices = task.alternatives(encoder)
    assert choices[0] == {"vectors": "static", "layer": None}
    assert with_settings(task, choices[0]).config.layer is None


@pytest.mark.parametrize("vectors", ["static", "contextual"])
def test_unknown_words_count_as_wrong_and_are_reported(vectors, encoder, capsys):
    scores = find_task("lexicon", {"vectors": vectors}).evaluate(encoder, None, same_words(WORDS + UNKNOWN))
    said = capsys.readouterr().err
    assert "2 of 14 source words consist of unknown pieces only" in said
    assert "2 of 14 target words consist of unknown pieces only" in said
    for score in scores:  # although all unknown words are alike
        assert score.items.tolist() == [[1, 1]] * 12 + [[0, 1]] * 2


def test_identical_words_can_be_excluded(encoder, capsys, tmp_path):
    """Seven words translate into themselves; the other five, into the word before, find themselves instead."""
    lines = [f"{word}\t{WORDS[i] if i < 7 else WORDS[i - 1]}\n" for i, word in enumerate(WORDS)]
    (tmp_path / "words.txt").write_text("".join(lines) + "water\twasser\n")
    everything = read(tmp_path / "words.txt")
    both = {s.metric: s.items for s in LexiconInduction().evaluate(encoder, None, everything)}
    assert both["precision_at_1_cosine"][:11, 0].tolist() == [1] * 7 + [0] * 4  # the last word is no candidate
    assert "58.3 % of the source words" in capsys.readouterr().err
    task = find_task("lexicon", {"identical": False})
    scores = task.evaluate(encoder, None, everything)
    assert "58.3 % of the source words are their own translation (excluded)" in capsys.readouterr().err
    assert {s.metric for s in scores} == {f"{metric}_without_identical" for metric in both}
    for score in scores:
        assert score.items.tolist() == both[score.metric.removesuffix("_without_identical")][7:].tolist()
    assert set(task.baselines(everything)["chance"]) == {s.metric for s in scores}


def test_a_lexicon_of_identical_words_cannot_exclude_them(tmp_path):
    (tmp_path / "words.txt").write_text("abdul abdul\nberlin berlin\n")
    with pytest.raises(UserError, match="every source word is its own translation"):
        read(tmp_path / "words.txt", identical=False)


def test_a_lexicon_and_its_chance(tmp_path):
    (tmp_path / "en-de.txt").write_text("old alt\nold alte\nsea meer\nmore mehr\nmore\tmeer\nold alt\n")
    data = read(tmp_path / "en-de.txt")
    assert data.source == ["old", "sea", "more"]
    assert data.target == ["alt", "alte", "meer", "mehr"]
    assert {(data.source[i], data.target[j]) for i, j in data.gold.tolist()} == {
        ("old", "alt"), ("old", "alte"), ("sea", "meer"), ("more", "mehr"), ("more", "meer"),
    }  # fmt: skip
    task = LexiconInduction()
    assert (task.language(data), task.language(read(tmp_path / "en-de.txt", "de-en"))) == ("de", "de")
    assert ("old", "alte") in list(task.texts_of(data))
    assert list(task.gold_of(data)) == [["alt", "alte", "meer", "mehr"]]
    assert len(data) == 5
    chance = task.baselines(data)["chance"]
    assert chance["precision_at_1_cosine"] == pytest.approx((2 / 4 + 1 / 4 + 2 / 4) / 3)
    assert chance["precision_at_5_csls"] == 1
    assert read(tmp_path / "en-de.txt", limit=2).target == ["alt", "alte"]
    with pytest.raises(UserError, match="at least two target words"):
        read(tmp_path / "en-de.txt", limit=1)


def test_more_candidates_come_behind_the_lexicons_own(tmp_path):
    (tmp_path / "en-de.txt").write_text("old alt\nsea meer\n")
    (tmp_path / "words.de").write_text("haus\nmeer\n\nhund\nhaus\n")
    data = read(tmp_path / "en-de.txt", candidates=f"{tmp_path}/words.{{target}}")
    assert data.target == ["alt", "meer", "haus", "hund"]
    assert LexiconInduction().baselines(data)["chance"]["precision_at_1_csls"] == pytest.approx(1 / 4)
    with pytest.raises(UserError, match=r"words\.fr.*no such file"):
        read(tmp_path / "en-de.txt", "en-fr", candidates=f"{tmp_path}/words.{{target}}")


def test_the_lexicon_of_the_small_world():
    data = read("smallworld")
    pairs = {(data.source[i], data.target[j]) for i, j in data.gold.tolist()}
    assert {("water", "Wasser"), ("teacher", "Lehrer"), ("New York", "New York")} <= pairs
    assert len(pairs) > 300
    assert "-" not in read("smallworld", "en-zh").target
    assert read("smallworld:3-5").source == ["teacher", "doctor"]
    with pytest.raises(UserError, match="at least two target words"):
        read("smallworld:5000-5001")


def test_the_example(base, tmp_path):
    found = load_example("lexicon").main(str(base), tmp_path)
    assert set(found) == {"static", "contextual"}
    for scores in found.values():
        assert (
            0 < scores["precision_at_1_cosine"] <= scores["precision_at_5_cosine"] <= scores["precision_at_10_cosine"]
        )
