"""``analyze space``: rows for every layer, a figure, and refusals."""

import numpy as np
import pytest
import torch

from paralign.commands.analyze_encoders import analyze_encoders
from paralign.encoder import Encoder
from paralign.encoder.vectors import layer_vectors
from paralign.errors import UserError
from paralign.metrics import space
from paralign.report import write_report
from paralign.results import read_results
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_text
from tests.report.reading import text_of

TEXT = ["en=smallworld:0-40", "de=smallworld:0-40", "fr=smallworld:0-40"]


def test_every_layer_of_every_language_is_measured_and_drawn(base, tmp_path, capsys):
    analyze_encoders("space", [str(base)], text=TEXT, out=tmp_path / "run", overrides=["space.sentences=30"])
    rows = read_results(tmp_path / "run" / "results.jsonl")
    encoder = Encoder.from_pretrained(base)
    assert len(rows) == (encoder.layers + 1) * (3 * 4 + 2 * 3)
    found = {(row.metric, row.language, row.where.layer): row for row in rows}
    sides = {
        tag: layer_vectors(encoder, [t for _, t in read_text(parse_text(f"{tag}=smallworld:0-30"))], tag)[0]
        for tag in ("en", "de")
    }
    for layer in range(encoder.layers + 1):
        first, second = sides["en"][layer], sides["de"][layer]
        assert found["mean_cosine", "de", layer].value == pytest.approx(space.mean_cosine(second))
        mutual = found["mutual_nearest", "de", layer]
        assert mutual.value == pytest.approx(space.mutual_nearest(first, second).mean())
        assert (mutual.where.direction, mutual.n) == ("en-de", 30)
        hubs = [space.hubness(a, b) for a, b in ((first, second), (second, first))]
        assert found["hubness", "de", layer].value == pytest.approx(np.mean(hubs))
        assert found["identified_by_mean", "en", layer].n == 15
    assert "30 sentences are less than four times the width" in capsys.readouterr().err
    page, words = text_of(write_report([tmp_path / "run"], tmp_path / "page.html"))
    assert "30 sentences, mean pooling;" in words
    panels = [attrs["aria-label"].split(":")[0] for tag, attrs in page.tags if tag == "figure"]
    assert "mutual nearest translations" in panels
    assert len(panels) == 7


def test_equal_vectors_and_truncated_sentences_are_reported(base, tmp_path):
    """[CLS] is the same for all sentences before the first layer."""
    lines = [text for _, text in read_text(parse_text("en=smallworld:0-25"))]
    (tmp_path / "en.txt").write_text("".join(f"{f'{line} ' * 100}\n" for line in lines))
    given = {"text": [f"en={tmp_path}/en.txt", "de=smallworld:0-25"], "out": tmp_path / "run", "quiet": True}
    result = analyze_encoders("space", [str(base)], overrides=["space.pool=cls", "space.sentences=25"], **given)
    undefined = {row.metric for row in result.rows if np.isnan(row.value) and row.where.layer == 0}
    assert {"hubness", "identified_by_mean", "identified_linearly"} <= undefined
    assert [row.metric for row in result.rows if row.where.layer and np.isnan(row.value)] == []
    assert any("25 of 25 sentences of en were truncated" in line for line in result.warnings)


def test_a_class_has_the_settings_of_its_name(base, tmp_path):
    given = {"text": TEXT[:2], "overrides": ["space.sentences=30"], "quiet": True}
    results = [
        analyze_encoders(name, [str(base)], out=tmp_path / out, **given)
        for name, out in (("space", "a"), ("paralign.analyses.space:SpaceAnalysis", "b"))
    ]
    assert [row.value for row in results[0].rows] == [row.value for row in results[1].rows]
    assert {row.n for row in results[1].rows} == {15, 30}


def test_text_of_another_language_and_equal_texts_are_reported(base, tmp_path, capsys):
    lines = "".join(f"{text}\t{text}\n" for _, text in read_text(parse_text("hi=smallworld:0-40")))
    (tmp_path / "a.tsv").write_text(lines)
    analyze_encoders("space", [str(base)], pairs=[f"hi-de={tmp_path}/a.tsv"], out=tmp_path / "run")
    said = capsys.readouterr().err
    assert "WARNING hi and de: 40 of 40 sentences are equal; are the files right?" in said
    assert f"WARNING {tmp_path}/a.tsv: expected text in de (Latin script), found Devanagari script" in said


def test_several_files_of_pairs_each_have_their_rows(base, tmp_path):
    pairs = [f"en-{tag}=smallworld:0-30" for tag in ("de", "fr")]
    analyze_encoders("space", [str(base)], pairs=pairs, out=tmp_path / "run", overrides=["space.sentences=30"])
    rows = read_results(tmp_path / "run" / "results.jsonl")
    layers = Encoder.from_pretrained(base).layers + 1
    assert len(rows) == layers * 2 * (2 * 4 + 3)
    english = [row for row in rows if (row.metric, row.language) == ("identified_linearly", "en")]
    assert {row.where.direction for row in english} == {"en-de", "en-fr"}


def test_a_table_shows_the_change_from_the_first_encoder(base, tmp_path):
    encoder = Encoder.from_pretrained(base)
    with torch.no_grad():
        encoder.embeddings[:, :4] += 0.5  # all vectors share a direction
    encoder.save_pretrained(tmp_path / "moved")
    models, overrides = [str(base), str(tmp_path / "moved")], ["space.sentences=30"]
    analyze_encoders("space", models, text=TEXT, out=tmp_path / "run", overrides=overrides, quiet=True)
    page, words = text_of(write_report([tmp_path / "run"], tmp_path / "page.html"))
    assert "Change from base, by layer; means over languages." in words
    values = {}
    for row in read_results(tmp_path / "run"):
        values.setdefault((row.settings["system"], row.metric, row.where.layer), []).append(row.value)
    (table,) = [rows for rows in page.tables.values() if any(row[0].startswith("moved") for row in rows)]
    shown = {row[0]: row[1:] for row in table[1:]}
    for metric, title in (("mean_cosine", "cosine of different sentences"), ("hubness", "hubness")):
        means = [[np.mean(values[system, metric, layer]) for layer in range(3)] for system in ("moved", "base")]
        assert shown[f"moved, {title}"] == [
            f"{after - before:+.2f}".replace("-", "−") for after, before in zip(*means, strict=True)
        ]
    assert float(shown["moved, cosine of different sentences"][0]) > 0.02


def test_few_sentences_are_refused(base, tmp_path):
    with pytest.raises(UserError, match="only 10 sentences have text in all languages"):
        analyze_encoders("space", [str(base)], text=["en=smallworld:0-10", "de=smallworld:0-10"], out=tmp_path / "run")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limit": 10}, r"a limit of 10 is too low \(use 1,000 or more sentences\)"),
        ({"overrides": ["space.neighbors=40"]}, "space.neighbors is 40, but there are only 40 sentences"),
        (
            {"overrides": ["space.neighbors=20", "space.sentences=20"]},
            "space.neighbors is 20, but there are only 20 sentences",
        ),
    ],
)
def test_limits_that_leave_nothing_to_measure_are_refused(base, tmp_path, given, message):
    with pytest.raises(UserError, match=message):
        analyze_encoders("space", [str(base)], text=TEXT[:2], out=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()
