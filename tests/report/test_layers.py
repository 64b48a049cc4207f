"""Figures of layers: every number in its cell, in the description, in the CSV file and in the tooltip."""

import csv
import json
import re

import numpy as np
import pytest

from paralign.report import write_report
from paralign.report.layer_plot import LayerChange, change_table
from paralign.report.styles import assign_styles
from paralign.results import Measurement, Where, write_results
from tests.report.reading import read
from tests.report.synthetic import add


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
    return figure(
        folder, "similarity", curves=curves, settings={"kernel": "linear", "debiased": True, "pool": "mean"} | settings
    )


def cell(target, reset, score, difference=None, half=0.01, **more):
    low, high = (None, None) if difference is None else (difference - half, difference + half)
    return {"task": "pos", "metric": "accuracy", "dataset": "pud", "system": "base", "model_hash": "h", "source": "en",
            "target": target, "reset": reset, "score": score, "sd": 0.002, "seeds": 3, "difference": difference,
            "low": low, "high": high, "spread": None if difference is None else 0.002, "items": 200, "targets": 1,
            "lower_is_better": False} | more  # fmt: skip


def report(tmp_path, *runs):
    paths = write_report(list(runs), tmp_path / "page.html")
    return read(paths.html.read_text()), paths


def shaded_cells(page):
    """Text, class and tooltip of the cells of shaded tables."""
    return [(attrs["data-sort"], attrs.get("class"), attrs["title"]) for tag, attrs in page.tags
            if tag == "td" and "title" in attrs]  # fmt: skip


def test_the_ablation_is_shaded_by_loss(tmp_path):
    cells = [
        cell("en", "", 0.9), cell("en", "0-1", 0.885, -0.015), cell("en", "2-3", 0.93, 0.03),
        cell("de", "", 0.7), cell("de", "0-1", 0.4, -0.3), cell("de", "2-3", 0.675, -0.025, half=0.03),
    ]  # fmt: skip
    page, paths = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells, notes=[]))
    assert page.tables["pos"] == [["⇅", "no reset", "0-1", "2-3"], ["en → en", "90.0", "−1.5*", "+3.0*"],
                                  ["en → de", "70.0", "−30.0*", "−2.5"]]  # fmt: skip
    assert [tone for _, tone, _ in shaded_cells(page)] == [None, None, "gain", None, "much-worse", "worse"]
    assert (
        shaded_cells(page)[4][2] == "en → de, layers 0-1 reset: 40.0 ± 0.2; -30.0 ± 0.2 over seeds, 95 % -31.0 to -29.0"
    )
    text = " ".join(page.text)
    assert (
        "base: transfer loses most when layers 0-1 are reset, -30.0 points (-31.0 to -29.0), -1.5 on the source."
        in text
    )
    assert "paralign analyze ablation <&>" in text
    assert "on the source, layers 2-3: +3.0" in page.text  # on hovering over a point
    rows = list(csv.DictReader(paths.figures.open()))
    assert len(rows) == 6
    assert [rows[4][name] for name in ("panel", "series", "at")] == ["en → de", "difference", "0-1"]
    assert [float(rows[4][name]) for name in ("value", "low", "high")] == pytest.approx([-0.3, -0.31, -0.29])


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("f1_mlqa", "F1 (mlqa)"),
        ("las", "LAS"),
        ("exact_match", "Exact match"),
        ("las_with_subtypes", "LAS (with subtypes)"),
    ],
)
def test_an_ablation_names_its_metric(tmp_path, metric, name):
    cells = [cell("en", "", 0.9) | {"metric": metric}, cell("en", "0-1", 0.8, -0.1) | {"metric": metric}]
    page, _ = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells, notes=[]))
    assert f"{name} × 100 without a reset" in " ".join(page.text)


def test_rising_errors_of_an_ablation_are_losses(tmp_path):
    cells = [
        cell("en", "", 0.1), cell("en", "0-1", 0.115, 0.015), cell("en", "2-3", 0.07, -0.03),
        cell("de", "", 0.3), cell("de", "0-1", 0.6, 0.3), cell("de", "2-3", 0.325, 0.025, half=0.03),
    ]  # fmt: skip
    cells = [one | {"metric": "error", "lower_is_better": True} for one in cells]
    page, paths = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells, notes=[]))
    assert page.tables["pos"] == [["⇅", "no reset", "0-1", "2-3"], ["en → en", "10.0", "−1.5*", "+3.0*"],
                                  ["en → de", "30.0", "−30.0*", "−2.5"]]  # fmt: skip
    assert [tone for _, tone, _ in shaded_cells(page)] == [None, None, "gain", None, "much-worse", "worse"]
    text = " ".join(page.text)
    assert "transfer loses most when layers 0-1 are reset, -30.0 points (-31.0 to -29.0), -1.5 on the source." in text
    assert "Smaller values are better: a change is negative where they rise." in text
    rows = list(csv.DictReader(paths.figures.open()))
    assert [float(rows[4][name]) for name in ("value", "low", "high")] == pytest.approx([0.3, 0.29, 0.31])


def test_falling_errors_of_probes_are_gains(tmp_path):
    def values(*errors):
        return [{"layer": k, "value": error, "low": None, "high": None} for k, error in enumerate(errors)]

    changes = [{"layer": k, "value": value, "low": value - 0.01, "high": value + 0.02}
               for k, value in enumerate((-0.1, 0.05))]  # fmt: skip
    shared = {"model_hash": "h", "control": False, "dataset": "d", "language": "de", "metric": "error", "n": 100,
              "baselines": {}, "lower_is_better": True}  # fmt: skip
    curves = [
        shared | {"system": "base", "values": values(0.3, 0.2), "changes": []},
        shared | {"system": "new", "values": values(0.2, 0.25), "changes": changes},
    ]
    page, _ = report(tmp_path, figure(tmp_path / "a", "probes", curves=curves, task="T", train="en", items=9))
    assert shaded_cells(page) == [
        ("+10.0", "gain", "new, de, layer 0: +10 (+8 to +11)"), ("-5.0", "worse", "new, de, layer 1: -5 (-7 to -4)"),
    ]  # fmt: skip
    text = " ".join(page.text)
    assert "base: 20.0 at layer 1, 20.0 at the last; new: 20.0 at layer 0, 25.0 at the last" in text
    assert "Smaller values are better: a change is negative where they rise." in text


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"spread": None, "seeds": 1}, "one seed"),
        ({"items": 29}, "fewer than 30 test items"),
        ({"low": None, "high": None}, "no interval"),
    ],
)
def test_a_reset_with_one_seed_or_few_items_is_not_called_a_loss(tmp_path, more, reason):
    treated = {name: value for name, value in (cell("de", "0-1", 0.4, -0.3) | more).items() if value is not None}
    treated = {"spread": None, "low": None, "high": None} | treated
    page, _ = report(tmp_path, figure(tmp_path / "a", "ablation", cells=[cell("de", "", 0.7), treated], notes=[]))
    assert page.tables["pos"][1] == ["en → de", "70.0", "−30.0"]
    text = " ".join(page.text)
    assert "base: transfer changes by -30.0 points when layers 0-1 are reset (" in text
    assert f"not tested: {reason})" in text
    assert "loses" not in text


def test_a_significant_loss_is_named_if_a_larger_one_is_not_significant(tmp_path):
    cells = [cell("de", "", 0.7), cell("de", "0-1", 0.4, -0.3, half=0.4), cell("de", "2-3", 0.6, -0.1),
             cell("de", "4-5", 0.65, -0.05)]  # fmt: skip
    page, _ = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells, notes=[]))
    assert page.tables["pos"][1] == ["en → de", "70.0", "−30.0", "−10.0*", "−5.0*"]
    assert (
        "base: of the significant losses of transfer, the largest is when layers 2-3 are reset, -10.0 points (-11.0 to"
        " -9.0)." in " ".join(page.text)
    )


def test_the_mean_of_targets_is_below_them_and_in_the_curve(tmp_path):
    gaps = {"en": 0.0, "de": -0.04, "hi": -0.4}
    cells = [cell(tag, reset, 0.7, gaps[tag] if reset else None) for tag in gaps for reset in ("", "0-1")]
    mean = [cell("mean", "", 0.7, targets=2), cell("mean", "0-1", 0.5, -0.22, targets=2)]
    page, paths = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells + mean, notes=[]))
    assert page.tables["pos"][-1] == ["en → mean of 2", "70.0", "−22.0*"]
    said = [attrs["aria-label"] for tag, attrs in page.tags if tag == "figure"]
    assert said == ["base: on the source: 0-1 +0.0; on the targets, mean: 0-1 -22.0"]
    assert (
        "base: transfer loses most when layers 0-1 are reset, -22.0 points (-23.0 to -21.0), +0.0 on the source."
        in " ".join(page.text)
    )
    last = list(csv.DictReader(paths.figures.open()))[-1]
    assert (last["panel"], float(last["value"]), float(last["low"])) == ("en → mean of 2", -0.22, -0.23)


def test_each_source_has_its_own_panel(tmp_path):
    cells = [cell(target, reset, 0.7, gap if reset else None, source=source)
             for source, gap in (("en", -0.3), ("de", -0.01)) for target in ("en", "de")
             for reset in ("", "0")]  # fmt: skip
    page, _ = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells, notes=[]))
    said = [attrs["aria-label"] for tag, attrs in page.tags if tag == "figure"]
    assert said == ["base, from en: on the source: 0 -30.0; on the targets, mean: 0 -30.0",
                    "base, from de: on the source: 0 -1.0; on the targets, mean: 0 -1.0"]  # fmt: skip
    text = " ".join(page.text)
    assert "base, from en: transfer loses most when layers 0 are reset, -30.0 points" in text
    assert "base, from de: no reset makes transfer lose 2 points significantly" in text


def test_several_encoders_and_cells_that_are_missing(tmp_path):
    cells = [cell("de", "", 0.7), cell("de", "1", 0.69, -0.01, spread=0.002), cell("de", "10", 0.71, 0.01),
             cell("de", "", 0.6, model_hash="other"), cell("de", "2", 0.5, -0.1, model_hash="other"),
             cell("de", "10", 0.6, None, model_hash="other")]  # fmt: skip
    page, _ = report(tmp_path, figure(tmp_path / "a", "ablation", cells=cells, notes=[]))
    assert page.tables["pos"] == [["⇅", "no reset", "1", "2", "10"], ["base h, en → de", "70.0", "−1.0", "", "+1.0"],
                                  ["base other, en → de", "60.0", "", "−10.0*", "[60.0]"]]  # fmt: skip
    assert (
        shaded_cells(page)[1][2]
        == "base h, en → de, layers 1 reset: 69.0 ± 0.2; -1.0 ± 0.2 over seeds, 95 % -2.0 to +0.0"
    )
    assert "base h: no reset makes transfer lose 2 points significantly." in " ".join(page.text)


def test_layers_of_several_encoders(tmp_path):
    curves = [curve("base", ["en", "de"], [0.8, 0.6, 0.5]), curve("control", ["en", "de"], [0.8, 0.6, 0.4]),
              curve("PPA", ["en", "de"], [0.8, 0.7, 0.9]),
              curve("PPA", ["de", "de"], [1.0, 0.9, 0.6], "base")]  # fmt: skip
    page, paths = report(tmp_path, similarity(tmp_path / "sim", curves))
    words = " ".join(page.text)
    assert "PPA: 0.80 at the embeddings, at most 0.90 above them (layer 2), 0.90 at the last layer" in words
    assert "Debiased linear CKA of sentence vectors (mean pooling), 1,997 sentences" in words
    said = [attrs["aria-label"] for tag, attrs in page.tags if tag == "figure"]
    assert said == ["en-de: base 0.80 0.60 0.50; control 0.80 0.60 0.40; PPA 0.80 0.70 0.90",
                    "base and PPA: de 1.00 0.90 0.60"]  # fmt: skip
    assert (
        "PPA, layer 2: CKA 0.900; 0.850 to 0.950; shuffled 0.010; cosine 0.800, shuffled 0.700; retrieval 25.0"
        in page.text
    )
    tones = {text: tone for text, tone, _ in shaded_cells(page)}
    assert (tones["0.90"], tones["0.60"], tones["1.00"], tones["25.0"]) == ("g9", "g6", "g9", "g2")
    rows = [row for row in csv.DictReader(paths.figures.open()) if row["series"] == "cka"]
    assert len(rows) == 12
    assert [float(row["value"]) for row in rows[6:9]] == [0.8, 0.7, 0.9]
    assert "The runs have no scores" not in words


def test_one_encoder_has_a_line_for_each_language_and_gaps_stay_gaps(tmp_path):
    curves = [curve("base", ["en", tag], [0.8, 0.5], retrieval=None) for tag in ("de", "fr")]
    curves[1]["layers"][1] |= {"cka": None, "low": None, "high": None}
    page, _ = report(tmp_path, similarity(tmp_path / "sim", curves, debiased=False, kernel="rbf"))
    said = [attrs["aria-label"] for tag, attrs in page.tags if tag == "figure"]
    assert said == ["base: en-de 0.80 0.50; en-fr 0.80 ?"]
    words = " ".join(page.text)
    assert "Biased RBF CKA" in words
    assert "nearest neighbor" not in words


def test_rows_shown_in_figures_get_no_tables(tmp_path):
    folder = similarity(tmp_path / "sim", [curve("base", ["en", "de"], [0.8, 0.5])])
    rows = [Measurement(task="similarity", dataset="t", language="de", metric="cka", value=0.5, n=9, model="m",
                        model_hash="h", run="sim", where=Where(layer=k, pool="mean")) for k in range(2)]  # fmt: skip
    write_results(folder, [(row, None) for row in rows])
    page, _ = report(tmp_path, folder)
    assert not any("CKA" in title or "cka" in title for title in page.tables)
    assert list(page.tables["sim"][0]) == ["⇅", "0", "1"]


def test_encoders_of_one_name_and_runs_of_one_task_are_distinguished(tmp_path):
    curves = [curve("PPA", ["en", "de"], [0.8, 0.5]), curve("PPA", ["en", "de"], [0.8, 0.4]) | {"model_hash": "other"}]
    first = figure(tmp_path / "a", "ablation", cells=[cell("de", "", 0.7), cell("de", "1", 0.6, -0.1)], notes=[])
    second = figure(tmp_path / "b", "ablation", cells=[cell("de", "", 0.5), cell("de", "1", 0.4, -0.1)], notes=[])
    page, paths = report(tmp_path, similarity(tmp_path / "sim", curves), first, second)
    assert {"pos, a", "pos, b"} <= set(page.tables)
    assert [row[0] for row in page.tables["sim"][1:3]] == ["PPA h, en-de", "PPA other, en-de"]
    rows = [tuple(row.values()) for row in csv.DictReader(paths.figures.open())]
    assert len(set(rows)) == len(rows)
    assert "mean of 1 language pair" in " ".join(page.text)


def test_systems_of_figures_and_of_runs_have_distinct_styles(tmp_path):
    curves = [curve(name, ["en", "de"], [0.8, 0.5]) for name in ("base", "A", "B")]
    add(tmp_path / "B", np.ones((5, 2)), settings={"system": "B"})
    (tmp_path / "B" / "log.jsonl").write_text('{"step": 1, "loss": 2, "losses": {"mlm": 2}}\n')
    page, _ = report(tmp_path, tmp_path / "B", similarity(tmp_path / "sim", curves))
    signs = [(attrs["stroke"], attrs["stroke-dasharray"]) for tag, attrs in page.tags
             if tag == "line" and attrs.get("stroke-dasharray")]  # fmt: skip
    assert len(signs) == 4
    assert len(set(signs)) == 3


@pytest.mark.parametrize(
    ("kind", "more"),
    [("similarity", {"kernel": "linear", "debiased": True, "pool": "mean"}), ("space", {"pool": "mean"})],
)
@pytest.mark.parametrize("hashes", ["hhh", "hhx"])
def test_every_figure_uses_the_colors_of_the_page(tmp_path, kind, more, hashes):
    names = ("mlm", "PPA", "PPA" if hashes[2] == "x" else "mine")
    values = [{"metric": "hubness", "language": "de", "layer": k, "value": 0.3, "direction": None} for k in range(2)]
    curves = [
        curve(name, ["en", "de"], [0.8, 0.5])
        | {"control": name == "mlm", "model_hash": model_hash, "of": None, "values": values}
        for name, model_hash in zip(names, hashes, strict=True)
    ]
    page, _ = report(tmp_path, figure(tmp_path / kind, kind, curves=curves, settings=more))
    colors = [attrs["stroke"] for tag, attrs in page.tags if tag == "line" and "stroke-dasharray" in attrs]
    expected = assign_styles(["mine", "PPA"])
    assert colors[0] == "#555555", "the control is gray"
    assert len(set(colors)) == len(colors) == 3
    if hashes[2] == "h":
        assert colors[1:] == [expected["PPA"].color, expected["mine"].color]


def test_changes_that_are_printed_as_zero_have_no_sign():
    changes = [LayerChange(0, -0.0003, -0.0004, -0.0002), LayerChange(1, -0.012, -0.02, -0.005), LayerChange(2, 0.03)]
    ((_, cells),) = change_table([("a", changes)], "", points=True).rows
    assert [cell.text for cell in cells] == ["0.0*", "−1.2*", "+3.0"]
    assert [cell.shade for cell in cells] == ["worse", "worse", ""]
    assert cells[1].tooltip == "a, layer 1: -1.2 (-2 to -0.5)"


def test_a_similarity_of_zero_can_be_the_greatest(tmp_path):
    folder = similarity(tmp_path / "sim", [curve("base", ["en", "de"], [0.1, -0.02, 0.0, -0.01])])
    page, _ = report(tmp_path, folder)
    assert "at most 0.00 above them (layer 2), -0.01 at the last layer" in " ".join(page.text)
    assert page.tables["sim"][1][1:] == ["0.10", "−0.02", "0.00", "−0.01"]


def test_counts_and_percentages_are_sorted_as_numbers(tmp_path):
    systems = [
        {"system": f"s{k}", "links": links, "pairs": pairs, "unlinked": [share, share], "agreement": None}
        for k, (links, pairs, share) in enumerate([(1234, 10, 1.0), (987, 0, 0.05), (56, 10, 0.123)])
    ]
    sentence = {"number": 1, "source": ["a"], "target": ["b"], "aligners": [[[0, 0]]] * 3}
    page, _ = report(
        tmp_path, figure(tmp_path / "a", "links", systems=systems, sentences=[sentence], languages=["en", "de"])
    )
    cells = [text for text, _, _ in shaded_cells(page)]
    assert cells[0::5] == ["1234", "987", "56"]
    assert cells[1::5] == ["123.4", "", "5.6"]
    assert cells[2::5] == ["100.0", "5.0", "12.3"]


def test_nine_systems_of_dots_look_different(tmp_path):
    common = {"task": "pos", "metric": "accuracy", "source": "en", "model_hash": "h", "score": 0.5, "language": "de",
              "lower_is_better": False}  # fmt: skip
    points = [common | {"system": f"S{k}", "loss": 0.1 * k, "known": {"cka, last layer": 0.01 * k}} for k in range(9)]
    about = {"task": "pos", "metric": "accuracy", "predictor": "cka, last layer", "points": 9, "encoders": 9,
             "languages": 1, "value": 1.0, "low": None, "high": None, "within": None}  # fmt: skip
    page, _ = report(tmp_path, figure(tmp_path / "c", "correlation", points=points, correlations=[about]))
    signs = [(attrs["fill"], attrs["stroke"]) for tag, attrs in page.tags if tag == "circle" and "stroke" in attrs]
    assert len(signs) == len(set(signs)) == 9


def test_numbers_below_zero_are_numbers(tmp_path):
    common = {"task": "pos", "metric": "accuracy", "source": "en", "system": "S", "model_hash": "h", "score": 0.5,
              "lower_is_better": False}  # fmt: skip
    points = [common | {"language": f"l{k}", "loss": 0.1 * k, "known": {"cka, last layer": -0.01 * k}}
              for k in range(1, 5)]  # fmt: skip
    about = {"task": "pos", "metric": "accuracy", "predictor": "cka, last layer", "points": 4, "encoders": 1,
             "languages": 4, "value": 1.0, "low": None, "high": None, "within": None}  # fmt: skip
    folder = figure(tmp_path / "c", "correlation", points=points, correlations=[about])
    _, paths = report(tmp_path, folder)
    rows = list(csv.DictReader(paths.figures.open()))
    assert [float(row["at"]) for row in rows] == pytest.approx([-0.01, -0.02, -0.03, -0.04])


def test_curves_below_zero_are_seen(tmp_path):
    """The axis reaches down to the lowest point: -0.2 is drawn above the frame's lower edge."""
    whole = {}
    for low in (-0.2, 0.0):
        folder = similarity(tmp_path / f"sim{low}", [curve("base", ["en", "de"], [low, 0.1])])
        paths = write_report([folder], tmp_path / "page.html")
        whole[low] = re.findall(r">(−?[\d.]+)</text>", paths.html.read_text())
    assert any(text.startswith("−") and float(text.replace("−", "-")) <= -0.2 for text in whole[-0.2])
    assert not any(text.startswith("−") and float(text.replace("−", "-")) < -0.1 for text in whole[0.0])
