"""Word alignment of an encoder, on planted links and on the small world."""

from collections import Counter

import numpy as np
import pytest

import paralign
from paralign.errors import UserError
from paralign.formats.links import GoldLinks
from paralign.results import read_results
from paralign.tasks import find_task, word_alignment


def data(tmp_path, gold="0-0 1p1\n0-0\n", write=True, **settings):
    if write:
        (tmp_path / "a.en").write_text("the dog\ndon't...\n")
    (tmp_path / "a.de").write_text("der Hund da\nnicht\n")
    (tmp_path / "gold").write_text(gold)
    task = find_task("alignment", settings)
    spec = f"en-de={tmp_path}/a.en,{tmp_path}/a.de,{tmp_path}/gold"
    return task, task.read(spec, lenient=False, dropped=Counter(), limit=None)


def test_planted_links_give_planted_scores(tmp_path, encoder, monkeypatch):
    task, read = data(tmp_path)
    assert read.sizes == [(2, 3), (1, 1)]
    assert read.gold == [GoldLinks({(0, 0)}, {(0, 0), (1, 1)}), GoldLinks({(0, 0)}, {(0, 0)})]
    monkeypatch.setattr(word_alignment, "align_by_similarity", lambda *_, **__: [[(0, 0), (1, 1), (1, 2)], [(1, 0)]])
    scores = {score.metric: score for score in task.evaluate(encoder, None, read)}
    assert scores["precision"].items.tolist() == [[2, 3], [0, 1]]
    assert scores["recall"].items.tolist() == [[1, 1], [0, 1]]
    assert scores["aer"].value == pytest.approx(1 - (1 + 2) / (4 + 2))
    assert {score.where.layer for score in scores.values()} == {1}
    assert task.language(read) == "de"
    assert len(read) == 2


def test_gold_links_are_recorded_with_the_scores(base, tmp_path):
    task, read = data(tmp_path)
    assert list(task.gold_of(read)) == [("[(0, 0)]", "[(0, 0), (1, 1)]"), ("[(0, 0)]", "[(0, 0)]")]
    spec, found = f"en-de={tmp_path}/a.en,{tmp_path}/a.de,{tmp_path}/gold", []
    for gold in ("0-0 1p1\n0-0\n", "0-0 1-1\n0-0\n", "1p1 0-0\n0-0\n"):
        data(tmp_path, gold=gold)
        rows = paralign.evaluate(str(base), task="alignment", data=spec, out=tmp_path / "e", quiet=True)
        found.append((rows[0].settings["data"], rows[0].settings["gold"]))
    assert len({texts for texts, _ in found}) == 1
    assert found[0] == found[2] != found[1]


def test_the_diagonal_baseline(tmp_path):
    task, read = data(tmp_path)
    # Links 0-0 0-1 1-2 and 0-0: two of four are possible and both sure ones are found.
    assert task.baselines(read) == {"diagonal": {"aer": pytest.approx(1 - 4 / 6), "precision": 0.5, "recall": 1.0}}


def test_settings_of_the_gold_file(tmp_path):
    _, read = data(tmp_path, gold="1-1 3-2\n1-1\n", one_based=True, flipped=True)
    assert read.gold[0].sure == {(0, 0), (1, 2)}
    _, read = data(tmp_path, gold="0-0\n3-0\n", tokenized=False)
    assert read.sizes[1] == (4, 1)
    assert read.gold[1].sure == {(3, 0)}


@pytest.mark.parametrize("spec", ["en-de=a.tsv", "en-de=", "en-de"])
def test_incomplete_specifications_are_refused(spec):
    with pytest.raises(UserError, match="SOURCE,TARGET,GOLD"):
        find_task("alignment").read(spec, lenient=False, dropped=Counter(), limit=None)


def test_it_is_measured_like_any_task(base, tmp_path, capsys):
    paralign.evaluate(str(base), task="alignment", data=["en-de=smallworld:0-40"], out=tmp_path / "run")
    rows = {row.metric: row for row in read_results(tmp_path / "run" / "results.jsonl")}
    assert set(rows) == {"aer", "precision", "recall"}
    assert rows["aer"].settings["baselines"]["diagonal"] == pytest.approx(0.5, abs=0.2)
    shown = capsys.readouterr()
    worse = rows["aer"].value >= rows["aer"].settings["baselines"]["diagonal"]
    assert ("no better than the baseline without a model" in shown.err + shown.out) == worse
    assert np.isfinite([row.value for row in rows.values()]).all()


@pytest.mark.parametrize("gold", ["0-0\n0-0\n1-1\n0-0\n", "1 1 1\n2 1 1\n3 2 2\n4 1 1\n"])
def test_the_gold_of_lines_that_are_dropped_goes_with_them(tmp_path, gold):
    (tmp_path / "a.en").write_bytes(b"one\nbroken \xff\ntwo words\nlast \xff\n")
    (tmp_path / "a.de").write_text("eins\nkaputt\nzwei Worte\nletzte\n")
    (tmp_path / "gold").write_text(gold)
    spec = f"en-de={tmp_path}/a.en,{tmp_path}/a.de,{tmp_path}/gold"
    dropped = Counter()
    read = find_task("alignment").read(spec, lenient=True, dropped=dropped, limit=None)
    assert read.pairs == [("one", "eins"), ("two words", "zwei Worte")]
    assert [some.sure for some in read.gold] == [{(0, 0)}, {(1, 1)}]
    with pytest.raises(UserError, match=r"a\.en:2"):
        find_task("alignment").read(spec, lenient=False, dropped=dropped, limit=None)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "the dog ||| der Hund da\ndon't... ||| nicht\n"),
        ("a.tsv", "the dog\tder Hund da\ndon't...\tnicht\n"),
        ("a.jsonl", '{"en": "the dog", "de": "der Hund da"}\n{"en": "don\'t...", "de": "nicht"}\n'),
    ],
)
def test_pairs_of_one_file_are_those_of_two(tmp_path, name, text):
    task, two = data(tmp_path)
    (tmp_path / name).write_text(text)
    one = task.read(f"en-de={tmp_path / name},{tmp_path}/gold", lenient=False, dropped=Counter(), limit=None)
    assert one == two


def test_a_dropped_line_of_pairs_drops_its_links(tmp_path):
    (tmp_path / "a.txt").write_text("a ||| b\nno bars\nc d ||| e f\n")
    (tmp_path / "gold").write_text("0-0\n\n1-1\n")
    task, dropped = find_task("alignment", {}), Counter()
    read = task.read(f"en-de={tmp_path}/a.txt,{tmp_path}/gold", lenient=True, dropped=dropped, limit=None)
    assert read.pairs == [("a", "b"), ("c d", "e f")]
    assert [gold.sure for gold in read.gold] == [{(0, 0)}, {(1, 1)}]
    assert dropped == {"missing separator": 1}


def test_two_texts_without_gold_links(tmp_path):
    data(tmp_path)
    with pytest.raises(UserError, match=r"missing tab.*a\.en is read as pairs.*SOURCE,TARGET,GOLD"):
        find_task("alignment", {}).read(
            f"en-de={tmp_path}/a.en,{tmp_path}/a.de", lenient=False, dropped=Counter(), limit=None
        )


def test_reversed_gold_links_suggest_the_setting(tmp_path):
    with pytest.raises(UserError, match=r"all would fit if the target word comes first.*--set task\.flipped=true"):
        data(tmp_path, gold="0-0 2-1\n0-0\n")
    _, read = data(tmp_path, gold="0-0 2-1\n0-0\n", flipped=True)
    assert read.gold[0].sure == {(0, 0), (1, 2)}


def test_tokens_with_other_spaces_inside_are_one_word(tmp_path):
    _, read = data(tmp_path)
    (tmp_path / "a.en").write_text("10\u00a0000 \u3000 dogs\nx\n")
    _, again = data(tmp_path, write=False)
    assert (read.sizes[0], again.sizes[0]) == ((2, 3), (3, 3))
