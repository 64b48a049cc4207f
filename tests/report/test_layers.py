"""Pictures of layers: every number where it belongs, said in words, as CSV, on hovering."""

import csv
import json
import math

import pytest

from paralign.report import write_report
from paralign.results import Measurement, Where, write_results
from tests.report.reading import read


def layer(number, cka, **more):
    return {"layer": number, "cka": cka, "low": cka - 0.05, "high": cka + 0.05, "shuffled": 0.01, "cosine": 0.8,
            "cosine_shuffled": 0.7, "retrieval": 0.25} | more  # fmt: skip


def curve(system, languages, values, before=None, **more):
    return {"system": system, "model_hash": "h", "control": system == "control", "n": 1997, "before": before,
            "languages": languages, "layers": [layer(k, value, **more) for k, value in enumerate(values)]}  # fmt: skip


def figure(folder, kind, **what):
    (folder / "figures").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"verb": "analyze", "command": f"paralign analyze {kind} <&>"}))
    (folder / "figures" / f"{kind}.json").write_text(json.dumps({"schema": 1, "kind": kind, **what}))
    return folder


def similarity(folder, curves, **settings):
    return figure(folder, "similarity", curves=curves, settings={"kernel": "linear", "debiased": True} | settings)


def cell(target, reset, score, difference=None, half=0.01, **more):
    low, high = (None, None) if difference is None else (difference - half, difference + half)
    return {"task": "pos", "metric": "accuracy", "dataset": "pud", "system": "base", "model_hash": "h", "source": "en",
            "target": target, "reset": reset, "score": score, "sd": 0.002, "seeds": 3, "difference": difference,
            "low": low, "high": high, "spread": None} | more  # fmt: skip


def report(tmp_path, *runs):
    paths = write_report(list(runs), tmp_path / "page.html")
    return read(paths.html.read_text()), paths


def squares(page):
    """Text, class and hovering text of the cells of shaded tables."""
    return [(attrs["data-sort"], attrs.get("class"), attrs["title"]) for tag, attrs in page.tags
            if tag == "td" and "title" in attrs]  # fmt: skip


def test_the_ablation_is_shaded_by_loss(tmp_path):
    cells = [
        cell("en", "", 0.9), cell("en", "0-1", 0.885, -0.015), cell("en", "2-3", 0.93, 0.03),
        cell("de", "", 0.7), cell("de", "0-1", 0.4, -0.3), cell("de", "2-3", 0.675, -0.025, half=0.03),
    ]  # fmt: skip
    page, paths = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells, notes=[]))
    assert page.tables["pos"] == [["", "no reset", "0-1", "2-3"], ["en → en", "90.0", "−1.5*", "+3.0*"],
                                  ["en → de", "70.0", "−30.0*", "−2.5"]]  # fmt: skip
    assert [tone for _, tone, _ in squares(page)] == [None, None, "gain", None, "much-worse", "worse"]
    assert squares(page)[4][2] == "en → de, layers 0-1 anew: 40.0 ± 0.2; -30.0, 95 % -31.0 to -29.0"
    text = " ".join(page.text)
    assert "base: transfer loses most by layers 0-1, -30.0 points, -1.5 on the source." in text
    assert "paralign analyze ablation <&>" in text
    assert "on the source, layers 2-3: +3.0" in page.text  # on hovering over a point
    rows = list(csv.DictReader(paths.figures.open()))
    assert len(rows) == 6
    assert [rows[4][name] for name in ("panel", "series", "at")] == ["en → de", "difference", "0-1"]
    assert [float(rows[4][name]) for name in ("value", "low", "high")] == pytest.approx([-0.3, -0.31, -0.29])


def test_several_encoders_and_cells_that_are_missing(tmp_path):
    cells = [cell("de", "", 0.7), cell("de", "1", 0.69, -0.01), cell("de", "10", 0.71, 0.01),
             cell("de", "", 0.6, model_hash="other"), cell("de", "2", 0.5, -0.1, model_hash="other"),
             cell("de", "10", 0.6, None, model_hash="other")]  # fmt: skip
    page, _ = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells, notes=[]))
    assert page.tables["pos"] == [["", "no reset", "1", "2", "10"], ["base h, en → de", "70.0", "−1.0", "", "+1.0"],
                                  ["base other, en → de", "60.0", "", "−10.0*", "60.0"]]  # fmt: skip
    assert "base h: transfer loses less than 2 points by any of these layers." in " ".join(page.text)


def test_layers_of_several_encoders(tmp_path):
    curves = [curve("base", ["en", "de"], [0.8, 0.6, 0.5]), curve("control", ["en", "de"], [0.8, 0.6, 0.4]),
              curve("PPA", ["en", "de"], [0.8, 0.7, 0.9]),
              curve("PPA", ["de", "de"], [1.0, 0.9, 0.6], "base")]  # fmt: skip
    page, paths = report(tmp_path, similarity(tmp_path / "sim", curves))
    words = " ".join(page.text)
    assert "PPA: 0.80 at the embeddings, 0.90 at layer 2 where it is greatest above them, 0.90 at the last" in words
    assert "Debiased linear CKA of mean-pooled sentence vectors, 1,997 sentences" in words
    said = [attrs["aria-label"] for tag, attrs in page.tags if tag == "figure"]
    assert said == ["en-de: base 0.80 0.60 0.50; control 0.80 0.60 0.40; PPA 0.80 0.70 0.90",
                    "base and PPA: de 1.00 0.90 0.60"]  # fmt: skip
    assert (
        "PPA, layer 2: CKA 0.900; 0.850 to 0.950; shuffled 0.010; cosine 0.800, shuffled 0.700; retrieval 25.0"
        in page.text
    )
    tones = {text: tone for text, tone, _ in squares(page)}
    assert (tones["0.90"], tones["0.60"], tones["1.00"]) == ("g9", "g6", "g9")
    rows = [row for row in csv.DictReader(paths.figures.open()) if row["series"] == "cka"]
    assert len(rows) == 12
    assert [float(row["value"]) for row in rows[6:9]] == [0.8, 0.7, 0.9]
    assert "Nothing was measured" not in words


def test_one_encoder_has_a_line_for_each_language_and_gaps_stay_gaps(tmp_path):
    curves = [curve("base", ["en", tag], [0.8, 0.5], retrieval=None) for tag in ("de", "fr")]
    curves[1]["layers"][1] |= {"cka": None, "low": None, "high": None}
    page, _ = report(tmp_path, similarity(tmp_path / "sim", curves, debiased=False, kernel="rbf"))
    said = [attrs["aria-label"] for tag, attrs in page.tags if tag == "figure"]
    assert said == ["base: en-de 0.80 0.50; en-fr 0.80 ?"]
    words = " ".join(page.text)
    assert "Biased RBF CKA" in words
    assert "nearest neighbour" not in words


def test_rows_that_are_drawn_get_no_tables(tmp_path):
    folder = similarity(tmp_path / "sim", [curve("base", ["en", "de"], [0.8, 0.5])])
    rows = [Measurement(task="similarity", dataset="t", language="de", metric="cka", value=0.5, n=9, model="m",
                        model_hash="h", run="sim", where=Where(layer=k, pool="mean")) for k in range(2)]  # fmt: skip
    write_results(folder, [(row, None) for row in rows])
    page, _ = report(tmp_path, folder)
    assert set(page.tables) == {"sim", "Cost"} - ({"Cost"} - set(page.tables))


@pytest.mark.parametrize("low", [-math.inf, 0.0])
def test_curves_below_zero_are_seen(tmp_path, low):
    curves = [curve("base", ["en", "de"], [max(low, -0.2), 0.1])]
    page, _ = report(tmp_path, similarity(tmp_path / "sim", curves))
    assert any("layer 0: CKA" in text for text in page.text)
