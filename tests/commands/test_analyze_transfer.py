"""Transfer to derived languages over a set of runs."""

import json
import math

import pytest

from paralign.analyses.transfer import correlations, transfer_points
from paralign.commands.analyze_transfer import analyze_transfer
from paralign.errors import UserError
from paralign.report import write_report
from paralign.results import Measurement, Seeds, write_results
from tests.metrics.test_correlation import ALIGNED, NER, gaps

NAMES = [(system, steps) for system in ("MLM", "XLM", "DICT", "ALIGN") for steps in ("trans", "trans+inv", "trans+syn")]


def row(task, metric, language, value, *, train=None, model="m", system="S", head=0, **more):
    return Measurement(
        task=task, dataset="d", language=language, metric=metric, value=value, n=10, train=train, model=model,
        model_hash=model, run="r", seeds=Seeds(pretrain=0, finetune=head), settings={"system": system}, **more,
    )  # fmt: skip


def published():
    rows = []
    for (system, steps), align, (own, zero) in zip(NAMES, ALIGNED, NER, strict=True):
        model, language = f"{system}-{steps}", f"en~{steps}"
        given = {"model": model, "system": system}
        rows += [
            row("ner", "f1", language, zero / 100, train="en", **given),
            row("ner", "f1", language, own / 100, train=language, **given),
            row("ner", "accuracy", language, 0.5, train="en", **given),
            row("ner", "f1", "en", 0.9, train="en", **given),
            row("twins", "precision_at_1_cosine", language, align / 100, **given),
        ]
    return rows


def test_the_published_table_gives_the_published_correlation():
    points = transfer_points(published())
    assert len(points) == 12
    assert {p.metric for p in points} == {"f1"}
    found = {(p.system, p.language): p for p in points}
    inverted = found["MLM", "en~trans+inv"]
    assert (inverted.zero, inverted.supervised, inverted.alignment) == pytest.approx((0.359, 0.792, 0.003))
    assert inverted.delta == pytest.approx(-0.433)
    (known,) = correlations(points)
    assert known.value == pytest.approx(0.7811, abs=5e-5)
    assert known.points == 12
    assert sorted(round(100 * p.delta, 1) for p in points) == pytest.approx(sorted(gaps(NER)))


def test_seeds_of_fine_tuning_are_averaged_and_half_a_pair_is_no_point():
    rows = [row("pos", "accuracy", "en~inv", value, train="en", head=k) for k, value in enumerate((0.4, 0.6))]
    assert transfer_points(rows) == []
    (point,) = transfer_points([*rows, row("pos", "accuracy", "en~inv", 0.9, train="en~inv")])
    assert (point.zero, point.supervised, point.heads) == (pytest.approx(0.5), 0.9, 1)
    assert math.isnan(point.alignment)
    assert correlations([point]) == []
    assert transfer_points([*rows, row("pos", "accuracy", "en~inv", 0.9, train="de")]) == []


def test_files_figures_and_the_page(tmp_path, capsys):
    rows = published()
    for number in (0, 1):
        write_results(tmp_path / "runs" / f"r{number}", [(r, None) for r in rows[number::2]])
    analyze_transfer([tmp_path / "runs"], out=tmp_path / "out")
    output = capsys.readouterr().err
    assert "Spearman of alignment and Δ 0.78 over 12 points" in output
    lines = (tmp_path / "out" / "transfer.tsv").read_text().splitlines()
    assert len(lines) == 13
    figure = json.loads((tmp_path / "out" / "figures" / "transfer.json").read_text())
    assert figure["correlations"][0]["points"] == 12
    page = write_report([tmp_path / "out"], tmp_path / "page.html").html.read_text()
    assert "Transfer to derived languages" in page
    assert "0.78 over 12 points" in page
    assert page.count("<svg") > 2
    assert analyze_transfer([tmp_path / "runs"], out=tmp_path / "out", quiet=True) == transfer_points(rows)


def test_what_cannot_be_compared(tmp_path):
    with pytest.raises(UserError, match=r"no results\.jsonl"):
        analyze_transfer([tmp_path], out=tmp_path / "out")
    write_results(tmp_path / "r", [(row("pos", "accuracy", "en", 0.5, train="en"), None)])
    with pytest.raises(UserError, match="both on a language and on one derived from it"):
        analyze_transfer([tmp_path / "r"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
