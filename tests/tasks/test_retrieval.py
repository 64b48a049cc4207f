"""Retrieval of planted vectors, and of a text from itself."""

from collections import Counter

import numpy as np
import pytest

from paralign.errors import UserError
from paralign.tasks import cross_lingual, find_task
from paralign.tasks.retrieval import Parallel, Retrieval, RetrievalConfig
from tests.examples import load_example

TEXTS = [f"text {k}" for k in range(6)]


def test_planted_vectors_give_planted_hits(encoder, monkeypatch):
    source = np.eye(6, dtype=np.float32)
    target = source.copy()
    target[[0, 1]] = target[[1, 0]]  # two translations exchanged: neither is found, either way
    one_way = np.vstack([source[:5], 0.9 * source[0] + 0.1 * source[5]]).astype(np.float32)  # 5 goes to 0

    def planted(encoder, texts, language, *, pools, layer):
        first = texts[0] == "text 0"
        return {"cls": source if first else target, "mean": source if first else one_way}, 0

    monkeypatch.setattr(cross_lingual, "sentence_vectors", planted)
    data = Parallel(("en", "de"), TEXTS, [t.upper() for t in TEXTS])
    scores = Retrieval().evaluate(encoder, None, data)
    found = {(s.where.pool, s.metric, s.where.direction): s for s in scores}
    assert len(found) == 8
    assert {s.where.layer for s in scores} == {encoder.layers}
    for direction in ("en-de", "de-en"):
        assert found["cls", "accuracy_cosine", direction].items[:, 0].tolist() == [0, 0, 1, 1, 1, 1]
    # From de, sentence 5 is nearest to en 0; from en, it still finds its own, all others being orthogonal.
    assert found["mean", "accuracy_cosine", "de-en"].items[:, 0].tolist() == [1, 1, 1, 1, 1, 0]
    assert found["mean", "accuracy_cosine", "en-de"].items[:, 0].tolist() == [1, 1, 1, 1, 1, 1]
    assert all((s.items[:, 1] == 1).all() for s in scores)


@pytest.mark.parametrize("layer", [0, 1, 0.5, -1, None])
def test_a_text_finds_itself(layer, encoder, sentences):
    texts = sorted(set(sentences[:40]))
    scores = Retrieval(RetrievalConfig(layer=layer)).evaluate(encoder, None, Parallel(("en", "fr"), texts, texts))
    # [CLS] of the embeddings is the same for every sentence: nothing to tell them apart.
    told = [s for s in scores if layer != 0 or s.where.pool == "mean"]
    assert {s.value for s in told if s.metric == "accuracy_cosine"} == {1.0}
    assert {s.where.layer for s in scores} == {{None: 2, -1: 2, 0.5: 1}.get(layer, layer)}


def test_data_and_their_language(tmp_path):
    (tmp_path / "p.tsv").write_text("one\teins\ntwo\tzwei\nthree\tdrei\n")
    task = find_task("retrieval")
    data = task.read(f"en-de={tmp_path / 'p.tsv'}", lenient=False, dropped=Counter(), limit=2)
    assert (data.source, data.target) == (["one", "two"], ["eins", "zwei"])
    assert task.language(data) == "de"
    assert task.language(Parallel(("de", "en"), [], [])) == "de"
    with pytest.raises(UserError, match="at least two pairs"):
        task.read(f"en-de={tmp_path / 'p.tsv'}", lenient=False, dropped=Counter(), limit=1)


def test_pairs_with_an_empty_side_are_no_items(tmp_path):
    """Blank texts have one vector, and nothing can be found for them."""
    (tmp_path / "a.en").write_text("one\n\ntwo\n \nthree\n")
    (tmp_path / "a.de").write_text("eins\n\nzwei\nvier\ndrei\n")
    dropped = Counter()
    spec = f"en-de={tmp_path / 'a.en'},{tmp_path / 'a.de'}"
    data = find_task("retrieval").read(spec, lenient=False, dropped=dropped, limit=None)
    assert (data.source, data.target) == (["one", "two", "three"], ["eins", "zwei", "drei"])
    assert dropped == {"pairs with an empty side": 2}
    (tmp_path / "empty.tsv").write_text("one\t\ntwo\t\n")
    with pytest.raises(UserError, match=r"at least two pairs \(dropped: 2 pairs with an empty side\)"):
        find_task("retrieval").read(f"en-de={tmp_path / 'empty.tsv'}", lenient=False, dropped=Counter(), limit=None)
    (tmp_path / "bad.tsv").write_text("one\teins\ntwo\tzwei\nno tab\n")
    few = find_task("retrieval").read(f"en-de={tmp_path / 'bad.tsv'}", lenient=False, dropped=dropped, limit=2)
    assert len(few) == 2  # what is beyond the limit is not read


@pytest.mark.parametrize("layer", [-4, 3, 1.5])
def test_a_layer_the_encoder_does_not_have(layer, encoder):
    with pytest.raises(UserError, match=rf"there is no layer {layer} \(layers are 0 \(embeddings\) to 2"):
        Retrieval(RetrievalConfig(layer=layer)).evaluate(encoder, None, Parallel(("en", "de"), TEXTS, TEXTS))


def test_chance_is_one_sentence_of_all():
    task = Retrieval()
    chance = task.baselines(Parallel(("en", "de"), TEXTS, TEXTS))["chance"]
    assert chance == {"accuracy_cosine": 1 / 6, "accuracy_csls": 1 / 6}


def test_the_layer_is_a_setting(encoder):
    task = find_task("retrieval", {"layer": 1})
    scores = task.evaluate(encoder, None, Parallel(("en", "de"), TEXTS, TEXTS))
    assert {s.where.layer for s in scores} == {1}
    assert {s.metric for s in scores} == set(task.baselines(Parallel(("en", "de"), TEXTS, TEXTS))["chance"])
    with pytest.raises(UserError, match=r"unknown setting 'task.layr' \(did you mean 'layer'"):
        find_task("retrieval", {"layr": 1})


def test_a_note_of_sentences_that_are_too_long(encoder, capsys):
    long = [" ".join([text] * 200) for text in TEXTS]
    Retrieval().evaluate(encoder, None, Parallel(("en", "de"), TEXTS, long))
    assert f"6 sentences were cut to {encoder.max_pieces} pieces" in capsys.readouterr().err


def test_the_texts_that_training_text_must_not_hold():
    data = Parallel(("en", "de"), ["one", "two"], ["eins", "zwei"])
    assert list(Retrieval().texts_of(data)) == [("one", "eins"), ("two", "zwei")]
    assert len(data) == 2


def test_unknown_tasks():
    with pytest.raises(UserError, match="did you mean 'retrieval'"):
        find_task("retreival")


def test_the_example(base, tmp_path):
    found = load_example("retrieval").main(str(base), tmp_path, "en-de=smallworld:0-50")
    assert list(found) == [0, 1, 2]
    assert all(0 < value <= 1 for value in found.values())
