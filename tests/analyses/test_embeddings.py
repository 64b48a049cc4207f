"""Frequent translations, their projection, and the page."""

import json
import re
import shutil

import numpy as np
import pytest

import paralign
from paralign.analyses.frequent_translations import Translation, frequent_translations
from paralign.analyses.projection import project
from paralign.commands.align_words import align_words
from paralign.digests import digested
from paralign.errors import UserError
from paralign.report import write_report
from paralign.results import read_results
from paralign.smallworld import World


def test_translations_by_hand():
    pairs = [
        (["the", "house", "."], ["das", "Haus", "."]),
        (["the", "house"], ["das", "Haus"]),
        (["a", "house"], ["ein", "Gebäude"]),
        (["the", "old", "man"], ["der", "Alte"]),
        (["book"], ["Buch"]),
    ]
    links = [[(0, 0), (1, 1), (2, 2)], [(0, 0), (1, 1)], [(0, 0), (1, 1)], [(0, 0), (1, 1), (2, 1)], [(0, 0)]]
    found = frequent_translations(pairs, links, skip=0)
    # Alte has two links, der loses to das, Gebäude to Haus; a full stop is no word.
    assert found == [
        Translation("house", "Haus", 2), Translation("the", "das", 2), Translation("a", "ein", 1),
        Translation("book", "Buch", 1),
    ]  # fmt: skip
    # The two most frequent words of each side: house and the; Haus and das.
    assert frequent_translations(pairs, links, skip=2) == [Translation("a", "ein", 1), Translation("book", "Buch", 1)]
    assert frequent_translations(pairs, links, skip=0, most=1) == found[:1]


def test_a_projection_keeps_neighbors_together_and_is_reproducible():
    draw = np.random.default_rng(0)
    centres = draw.normal(size=(3, 40)) * 5
    vectors = np.concatenate([c + draw.normal(size=(8, 40)) for c in centres]).astype(np.float32)
    places = project(vectors)
    assert places.shape == (24, 2)
    assert (places == project(vectors)).all()
    assert np.ptp(places, axis=0).max() == pytest.approx(1)
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    group = np.repeat(np.arange(3), 8)
    np.fill_diagonal(apart, 9)
    assert (group[apart.argmin(1)] == group).mean() > 0.9


@pytest.fixture(scope="module")
def run(base, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "words"
    paralign.Encoder.from_pretrained(base).save_pretrained(out.with_name("copy"))
    rows = paralign.analyze_embeddings(
        [str(base), str(out.with_name("copy"))], pairs="en-de=smallworld:0-400", out=out, words=12, most=60, skip=5,
        sentences=[3, 7], quiet=True,
    )  # fmt: skip
    return out, rows


def test_links_of_a_file_give_the_same_translations(run, base, tmp_path):
    """Counted from 0 or from 1, and with lines that cannot be read left out on both sides."""
    before = (run[0] / "dictionary.en-de.tsv").read_bytes()
    rows, _ = align_words("en-de=smallworld:0-400", out=tmp_path / "links", quiet=True)
    rows = list(rows)
    given = {"most": 60, "skip": 5, "quiet": True}
    paralign.analyze_embeddings(
        str(base), pairs="en-de=smallworld:0-400", links=tmp_path / "links", out=tmp_path / "a", **given
    )
    assert (tmp_path / "a/dictionary.en-de.tsv").read_bytes() == before
    lines = [" ".join(f"{i + 1}-{j + 1}" for i, j in rows[k]) for k in range(400)]
    (tmp_path / "one").write_text("".join(f"{line}\n" for line in lines))
    world = World(0)
    texts = [(world.sentence(k, "en").text, world.sentence(k, "de").text) for k in range(400)]
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in texts) + "no tab\n", encoding="utf-8")
    paralign.analyze_embeddings(
        str(base), pairs=f"en-de={tmp_path / 'pairs.tsv'}", links=tmp_path / "one", one_based=True, limit=400,
        lenient=True, out=tmp_path / "b", **given,
    )  # fmt: skip
    assert (tmp_path / "b/dictionary.en-de.tsv").read_bytes() == before


def test_translations_are_measured_and_their_positions_stored(run):
    out, rows = run
    lines = [line.split("\t") for line in (out / "dictionary.en-de.tsv").read_text().splitlines()]
    counts = [int(count) for *_, count in lines]
    assert 10 <= len(lines) <= 60
    assert counts == sorted(counts, reverse=True)
    assert {row.n for row in rows} == {len(lines)}
    assert {row.key() for row in rows} == {row.key() for row in read_results(out / "results.jsonl")}
    picture = json.loads((out / "figures" / "embeddings.json").read_text())
    assert [len(panel["places"]) for panel in picture["panels"]] == [24, 24]
    assert picture["words"] == [line[:2] for line in lines[:12]]
    sentences = json.loads((out / "figures" / "links.json").read_text())["sentences"]
    assert [one["number"] for one in sentences] == [3, 7]
    for one in sentences:
        assert all(i < len(one["source"]) and j < len(one["target"]) for i, j in one["links"])


def test_the_page_shows_them_and_trusts_no_word(run, tmp_path):
    out, _ = run
    page = write_report([out], tmp_path / "page.html").html.read_text()
    assert "Static embeddings, en-de" in page
    drawn = json.loads((out / "figures" / "links.json").read_text())["sentences"]
    assert all(f"pair {sentence['number']}" in page for sentence in drawn)
    assert "mean distance of translations" in page
    wild = tmp_path / "wild"
    (wild / "figures").mkdir(parents=True)
    for name in ("run.json", "results.jsonl"):
        (wild / name).write_bytes((out / name).read_bytes())
    picture = json.loads((out / "figures" / "embeddings.json").read_text())
    del picture["digest"]  # as in files that another program wrote
    picture["words"][0] = ["<script>alert(1)</script>", "$x^2$ 漢"]
    (wild / "figures" / "embeddings.json").write_text(json.dumps(picture))
    links = {"schema": 1, "kind": "links", "languages": ["en", "de"],
             "sentences": [{"number": 1, "source": ['"><b>'], "target": ["<i>"], "links": [[0, 0]]}]}  # fmt: skip
    (wild / "figures" / "links.json").write_text(json.dumps(links))
    page = write_report([wild], tmp_path / "wild.html").html.read_text()
    assert "<script>alert" not in page
    assert not re.search(r"<b>|<i>", page.split("Word links")[1].split("</section>")[0])
    assert "$x^2$ 漢" in page


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is damaged"), ("[]", "is damaged"), ('{"schema": 9}', "another version")]
)
def test_a_figure_that_cannot_be_read_is_refused(run, tmp_path, text, message):
    out, _ = run
    (tmp_path / "run" / "figures").mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_bytes((out / "run.json").read_bytes())
    (tmp_path / "run" / "figures" / "a.json").write_text(text)
    with pytest.raises(UserError, match=message):
        write_report([tmp_path / "run"], tmp_path / "page.html")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"sentences": [99]}, "there is no pair 99"),
        ({"skip": 10_000}, r"only 0 translations are left \(give more pairs, or a --skip below 10000\)"),
        ({"models": []}, "no encoder is given"),
        ({"models": ["{base}", "{base}"]}, r"is given twice \(--model ENCODER, once for each\)"),
        ({"pairs": "en-de=smallworld:0-1", "skip": 0}, r"translations are left \(give more pairs\)"),
        ({"words": 4}, r"too few words to plot: 4 \(use at least 5\)"),
        ({"method": "hmn"}, "did you mean 'hmm'"),
        ({"links": "links", "method": "hmm"}, "--method has no effect with --links"),
        ({"one_based": True}, "--one-based describes --links, but none are given"),
        ({"models": ["{base}", "nowhere-at-all"]}, "nowhere-at-all"),
    ],
)
def test_mistakes_leave_nothing_behind(base, tmp_path, more, message):
    given = {"models": [str(base)], "pairs": "en-de=smallworld:0-40", "out": tmp_path / "run", "quiet": True} | more
    given["models"] = [model.format(base=base) for model in given["models"]]
    with pytest.raises(UserError, match=message):
        paralign.analyze_embeddings(given.pop("models"), **given)
    assert not (tmp_path / "run").exists()


def test_a_second_analysis_replaces_the_first_unless_it_fails(run, base, tmp_path, monkeypatch):
    out = shutil.copytree(run[0], tmp_path / "words")
    with pytest.raises(UserError, match="the output folder has results of other settings"):
        paralign.analyze_embeddings(str(base), pairs="en-de=smallworld:0-300", out=out, quiet=True)
    facts = json.loads((out / "run.json").read_text())
    del facts["digest"]
    (out / "run.json").write_text(json.dumps(digested(facts | {"status": "running"})))  # it was killed
    (out / "dictionary.en-fr.tsv").write_text("of the user")
    given = {"pairs": "en-de=smallworld:0-300", "out": out, "words": 12, "most": 30, "skip": 5, "quiet": True}
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with monkeypatch.context() as failing:
        failing.setattr("paralign.commands.analyze_embeddings.project", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            paralign.analyze_embeddings(str(base), **given)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    rows = paralign.analyze_embeddings(str(base), **given, command="the second command")
    assert {row.n for row in read_results(out)} == {row.n for row in rows} == {30}
    assert json.loads((out / "run.json").read_text())["command"] == "the second command"
    assert [path.name for path in (out / "figures").iterdir()] == ["embeddings.json"]  # no sentences were chosen
    assert {path.name for path in out.glob("*.tsv")} == {"dictionary.en-de.tsv", "dictionary.en-fr.tsv"}
    assert (out / "dictionary.en-fr.tsv").read_text() == "of the user"
