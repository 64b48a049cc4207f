"""What a page opens with: two sentences and a figure, which say what is significant, over what."""

import csv
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from paralign.report import write_report
from paralign.report.draw_training import _smooth
from paralign.report.figure import Figure
from paralign.report.figure_files import write_figures
from paralign.report.page import _open_without_scores
from paralign.report.runs import find_runs
from paralign.report.styles import COLORS, assign_styles
from paralign.results import Seeds, Where
from tests.report.reading import text_of
from tests.report.synthetic import add, describe, make_large, make_runs, share


def seeds_of(root, name, rights, n=400, **fields):
    """A run with one score for each fine-tuning seed."""
    for seed, right in enumerate(rights):
        settings = {"system": name, "control": name == "MLM control"}
        add(root / name, share(right, n), seeds=Seeds(finetune=seed), settings=settings, **fields)
    return root / name


def opening(paths):
    """The text before the tables."""
    return text_of(paths)[1].split("Results")[0]


def gains(paths):
    """Panel and system -> gain and interval, from the CSV file of the figures."""
    with paths.figures.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["section"] == "Results"]
    return {(r["panel"], r["series"]): tuple(float(r[k] or "nan") for k in ("value", "low", "high")) for r in rows}


def test_a_significant_gain_is_stated_with_its_interval_and_what_it_is_over(tmp_path):
    runs = [seeds_of(tmp_path, "MLM control", (200, 202)), seeds_of(tmp_path, "PPA", (300, 302))]
    paths = write_report(runs, tmp_path / "r.html")
    text = opening(paths)
    value, low, high = gains(paths)["Part-of-speech tagging, made-up", "PPA"]
    assert value == pytest.approx(0.25)
    assert 0 < low < value < high
    assert (
        f"PPA is significantly better than the MLM control on part-of-speech tagging (+25.0 points, 95 % interval"
        f" {100 * low:.1f} to {100 * high:.1f}), on de." in text
    )
    assert "The intervals are over test items and 2 seeds of each system." in text


def test_without_significance_the_first_sentence_says_so(tmp_path):
    runs = [seeds_of(tmp_path, "MLM control", (190, 215)), seeds_of(tmp_path, "PPA", (210, 199))]
    text = opening(write_report(runs, tmp_path / "r.html"))
    assert (
        "The best system is not significantly better than the MLM control in part-of-speech tagging (PPA: +0.5" in text
    )
    assert re.search(r"95 % interval −\S+ to \d+\.\d\), on de\. The intervals are over", text)


def test_a_system_that_is_significantly_better_than_the_control_is_named_if_the_best_one_is_not(tmp_path):
    aligned = seeds_of(tmp_path, "AlignLM", (250, 252))
    runs = [seeds_of(tmp_path, "MLM control", (200, 202)), aligned, seeds_of(tmp_path, "PPA", (230, 332))]
    text = opening(write_report(runs, tmp_path / "r.html"))
    other = (
        "Another system is significantly better than the MLM control in part-of-speech tagging (AlignLM: +12.5 points"
    )
    assert (
        "The best system is not significantly better than the MLM control in part-of-speech tagging (PPA: +20.0" in text
    )
    assert other in text
    assert "No significant difference" not in text
    (tmp_path / "one").mkdir()
    runs[2] = seeds_of(tmp_path / "one", "PPA", (330,))
    text = opening(write_report(runs, tmp_path / "r.html"))
    assert "These differences were not tested for significance (one seed). " + other in text
    better = [*runs[:2], seeds_of(tmp_path, "XLM-Align", (300, 302))]
    assert "Another system" not in opening(write_report(better, tmp_path / "r.html"))


def test_where_only_some_scores_are_better_the_others_are_those_of_the_best_system(tmp_path):
    for task, best in {"pos": (300, 302), "nli": (230, 332)}.items():
        for name, rights in {"MLM control": (200, 202), "AlignLM": (250, 252), "PPA": best}.items():
            seeds_of(tmp_path / task, name, rights, task=task)
    text = opening(write_report(tmp_path, tmp_path / "r.html"))
    assert "PPA is significantly better than the MLM control on part-of-speech tagging (+25.0 points" in text
    assert "that is 1 of the 2 scores below." in text
    assert (
        "The difference of the best system is not significant in natural language inference (PPA: +20.0 points" in text
    )
    assert "), on de. Another system is significantly better than the MLM control in natural language" in text


def test_scores_that_were_not_tested_are_not_called_not_better(tmp_path):
    for task, seeds in {"pos": 2, "nli": 2, "paraphrase": 1}.items():
        for name, rights in {"MLM control": (190, 215), "PPA": (210, 199)}.items():
            seeds_of(tmp_path / task, name, rights[:seeds], task=task)
    text = opening(write_report(tmp_path, tmp_path / "r.html"))
    first, rest = text.split(", on de. ")
    assert "is not significantly better than the MLM control in natural language inference (PPA: +0.5 points" in first
    assert ") and part-of-speech tagging (PPA: +0.5 points" in first
    assert "araphrase" not in first
    assert re.match(r"Paraphrase \w+ \(PPA: \+5\.0 points, .*?\) was not tested \(one seed\)\.", rest)


def test_the_number_of_seeds_is_a_range_if_the_control_has_others(tmp_path):
    runs = [seeds_of(tmp_path, "MLM control", (200, 202)), seeds_of(tmp_path, "PPA", (300, 302, 301))]
    text = opening(write_report(runs, tmp_path / "r.html"))
    assert "The intervals are over test items and 2 to 3 seeds of each system." in text


def test_what_was_not_tested_is_not_called_better(tmp_path):
    runs = [seeds_of(tmp_path, "MLM control", (200,)), seeds_of(tmp_path, "PPA", (390,))]
    text = opening(write_report(runs, tmp_path / "r.html"))
    assert "PPA compared with the MLM control: part-of-speech tagging (+47.5 points, 95 % interval " in text
    assert "These differences were not tested for significance (one seed)." in text
    assert "significantly" not in text.split("Filled dots")[0]


def test_a_loss_against_the_control_is_a_negative_gain_and_stated(tmp_path):
    runs = [seeds_of(tmp_path, "MLM control", (300, 302)), seeds_of(tmp_path, "PPA", (200, 202))]
    paths = write_report(runs, tmp_path / "r.html")
    assert gains(paths)["Part-of-speech tagging, made-up", "PPA"][0] == pytest.approx(-0.25)
    says = "The best system is significantly worse than the MLM control in part-of-speech tagging (PPA: −25.0 points"
    assert says in opening(paths)


def test_fewer_errors_are_a_gain(tmp_path):
    fields = {"task": "alignment", "metric": "aer", "where": Where(direction="en-de")}
    runs = [seeds_of(tmp_path, "MLM control", (200, 202), **fields), seeds_of(tmp_path, "PPA", (100, 102), **fields)]
    paths = write_report(runs, tmp_path / "r.html")
    value, low, high = gains(paths)["Word alignment, made-up", "PPA"]
    assert value == pytest.approx(0.25)
    assert 0 < low < value < high
    text = opening(paths)
    assert "PPA is significantly better than the MLM control on word alignment (25.0 points lower, 95" in text
    assert "For error rates the gain is the reduction." in text
    worse = [seeds_of(tmp_path, "MLM control", (100, 102), **fields), seeds_of(tmp_path, "PPA", (200, 202), **fields)]
    assert "(PPA: 25.0 points higher, 95" in opening(write_report(worse, tmp_path / "r.html"))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ((200, 202), "12.5 points below the control (MLM control; 95 % interval over test items and seeds {})."),
        ((300, 302), "12.5 points above the control (MLM control; 95 % interval over test items and seeds {})."),
        ((150, 252), "The reduction relative to the control is +12.5 points (MLM control; 95 % interval over test items"
                     " and seeds {}), not statistically significant."),
        ((200,), "The reduction relative to the control is +12.5 points (MLM control; 95 % interval over test items {};"
                 " not tested: one seed)."),
    ],
)  # fmt: skip
def test_the_sentence_below_a_table_of_error_rates_has_the_sign_of_the_table(tmp_path, wrong, says):
    for name, of_seeds in {"MLM control": (250, 252)[: len(wrong)], "PPA": wrong}.items():
        for language in ("de", "en"):
            seeds_of(tmp_path, name, of_seeds, task="alignment", metric="aer", language=language)
    page, text = text_of(write_report(tmp_path, tmp_path / "r.html"))
    cells = dict(zip(*(page.tables["Word alignment: AER"][k] for k in (0, 2)), strict=True))
    on_target, on_source = (re.search(r"\[(.*), (.*)\]", cells[name]) for name in ("de", "change on en"))
    assert says.format(" to ".join(on_target.groups())) in text
    on_en = says.replace("The red", "On en the red").replace("12.5 points b", "On en it is 12.5 points b")
    on_en = on_en.replace("12.5 points a", "On en it is 12.5 points a").replace("MLM control; ", "")
    assert on_en.format(" to ".join(on_source.groups())) in text


def test_an_undefined_score_of_the_control_is_no_difference(tmp_path):
    add(tmp_path / "MLM control", share(0), value=None, settings={"system": "MLM control", "control": True})
    add(tmp_path / "PPA", share(50), settings={"system": "PPA"})
    text = text_of(write_report(tmp_path, tmp_path / "r.html"))[1]
    assert "PPA reaches 50.0 % on de; the score of the control is undefined." in text


def test_without_a_control_the_figure_shows_scores_with_intervals(tmp_path):
    runs = [seeds_of(tmp_path, "a", (200, 220, 210)), seeds_of(tmp_path, "b", (300, 290, 310))]
    paths = write_report(runs, tmp_path / "r.html")
    points = gains(paths)
    assert {system: round(value[0], 9) for (_, system), value in points.items()} == {"a": 0.525, "b": 0.75}
    assert all(low < value < high for value, low, high in points.values())
    text = opening(paths)
    assert "The best scores are: b in part-of-speech tagging (75.0 %)." in text
    assert "--control NAME chooses it" in text


def systems_of(folder, **bases):
    """Systems that were trained from some bases, with a score each."""
    for name, base in bases.items():
        settings = {"system": name, "control": "control" in name, "origin": base, "lineage": name}
        add(folder / name, share(50), settings=settings, model_hash=name)


def test_the_opening_says_that_a_score_is_undefined_or_the_control_measured_in_another_way(tmp_path):
    systems_of(tmp_path / "undefined", PPA="x", **{"MLM control": "x"})
    add(tmp_path / "undefined" / "PPA", share(0), value=None, language="es", settings={"system": "PPA"})
    control = {"system": "MLM control", "control": True}
    add(tmp_path / "undefined" / "MLM control", share(50), language="es", settings=control)
    text = opening(write_report(tmp_path / "undefined", tmp_path / "r.html"))
    assert "They are not compared with a control, because the score on es is undefined." in text

    fields = {"task": "retrieval", "metric": "accuracy_cosine"}
    for settings, pool in ((control, "cls"), ({"system": "PPA"}, "mean")):
        where = Where(pool=pool, direction="en-de")
        add(tmp_path / "pools" / pool, share(50), where=where, settings=settings, **fields)
    text = opening(write_report(tmp_path / "pools", tmp_path / "r.html"))
    assert "They are not compared with a control, because the control was not measured in the same way." in text


def test_the_opening_says_that_a_control_has_no_scores_or_no_system_its_base(tmp_path):
    systems_of(tmp_path / "aligned", PPA="x")
    describe(tmp_path / "aligned" / "mlm", {"verb": "align", "method": "MLM control", "control": True})
    text = opening(write_report(tmp_path / "aligned", tmp_path / "r.html"))
    assert "They are not compared with a control, because the control was not measured in the same way." in text
    systems_of(tmp_path / "bases", PPA="z", **{"control 1": "x", "control 2": "y"})
    text = opening(write_report(tmp_path / "bases", tmp_path / "r.html"))
    assert "They are not compared with a control, because no control has the same base and settings." in text
    systems_of(tmp_path / "controls", **{"MLM control": "x"})
    assert "Only controls were measured." in opening(write_report(tmp_path / "controls", tmp_path / "r.html"))


def test_differences_on_languages_are_announced_where_an_average_is_undefined(tmp_path):
    for name, right in {"MLM control": 50, "PPA": 80}.items():
        settings = {"system": name, "control": name == "MLM control"}
        add(tmp_path / name, share(right), settings=settings)
        add(tmp_path / name, share(0), language="es", value=None, settings=settings)
    text = opening(write_report(tmp_path, tmp_path / "r.html"))
    reason = "Systems are not ranked, because the score on es is undefined."
    assert f"{reason} Differences from the control on single languages are in the tables." in text


def test_every_task_is_a_panel_and_every_system_a_row(tmp_path):
    runs = make_large(tmp_path, 4, ("en", "de", "fr"), tasks=("nli", "pos", "retrieval"))
    points = gains(write_report(runs, tmp_path / "r.html"))
    panels = {panel.split(",")[0] for panel, _ in points}
    assert panels == {"Natural language inference", "Part-of-speech tagging", "Sentence retrieval"}
    assert {system for _, system in points} == {"method-01", "method-02", "method-03"}
    assert len(points) == 9


@pytest.mark.parametrize(("count", "says"), [(3, "1 more finding is"), (4, "2 more findings are")])
def test_findings_that_are_not_at_the_top_are_counted(count, says):
    figures = [Figure("Words", "title", finding=f"Finding {k}.") for k in range(count)]
    assert _open_without_scores([], figures) == ["Finding 0.", "Finding 1.", f"{says} next to the figures."]


# -- order, files


def test_the_order_of_the_page(report):
    html = report.html.read_text(encoding="utf-8")
    parts = ('class="summary"', 'class="results-figure"', "<h2>Results", "<h2>Training", "<h2>Cost", "<h2>Reproduction",
             '<h2 id="warnings">')  # fmt: skip
    places = [html.index(part) for part in parts]
    assert places == sorted(places)


def test_a_page_of_many_systems_and_tasks_is_small(tmp_path):
    runs = make_large(tmp_path, 8, ("en", "de", "fr", "hi", "zh"))
    assert write_report(runs, tmp_path / "r.html").html.stat().st_size < 1_500_000


def test_latex_tables_are_complete_and_escaped(tmp_path, runs):
    bad = add(tmp_path / "x", share(50), settings={"system": r"50%_a&b\c$#{~^"})
    ours = add(tmp_path / "y", share(50), settings={"system": "[ours]"})
    starred = add(tmp_path / "z", share(50), settings={"system": "*ours"})
    paths = write_report([*runs, bad, ours, starred], tmp_path / "r.html", latex=True)
    text = paths.latex.read_text(encoding="utf-8")
    assert paths.latex == tmp_path / "r.tex"
    for command in ("table", "tabular"):
        assert text.count(rf"\begin{{{command}}}") == text.count(rf"\end{{{command}}}") > 1
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count(r"\begin{table}")
    assert r"50\%\_a\&b\textbackslash{}c\$\#\{\textasciitilde{}\textasciicircum{}" in text
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert len(set(labels)) == len(labels)
    for body in re.findall(r"\\begin\{tabular\}\{l(r+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        rows = [line for line in body[1].splitlines() if line.endswith(r"\\")]
        assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(body[0])}
    for name in ("[ours]", "*ours"):
        assert f"\n{{}}{name} & " in text  # not an argument of the line before
    page, _ = text_of(paths)
    first = next(iter(page.tables.values()))
    assert all(score.split()[0] in text for row in first[1:] for score in row[1:] if score[:1].isdigit())


def test_latex_keeps_the_marks_and_notes_of_the_page(tmp_path):
    for name, rights in {"MLM control": (200, 202), "PPA": (300, 302)}.items():
        for language in ("en", "de", "fr") if name == "PPA" else ("en", "de"):
            seeds_of(tmp_path, name, rights, language=language, train="en")
    baselines = {"majority": 0.9}
    settings = {"system": "MLM control", "control": True, "baselines": baselines}
    add(tmp_path / "folded", share(50), task="nli", settings=settings)
    add(tmp_path / "one", share(40), task="nli", model_hash="PPA", settings={"system": "PPA", "baselines": baselines})
    paths = write_report(tmp_path, tmp_path / "r.html", latex=True)
    text = paths.latex.read_text(encoding="utf-8")
    tagging, nli = sorted(text.split(r"\begin{table}")[1:], key=lambda table: "Natural" in table)
    row = next(line for line in tagging.splitlines() if line.startswith("PPA & "))
    columns = [cell.strip() for cell in next(line for line in tagging.splitlines() if "system &" in line).split("&")]
    cells = dict(zip(columns, (cell.strip() for cell in row.split("&")), strict=True))
    assert cells["en"].startswith(r"\textbf{75.2}$^{*}$ "), "the change on the training language"
    assert "Not in the average, because not every system was measured on it: fr." in tagging
    assert "Scores are means over seeds, $\\pm$ their sample standard deviation." in tagging
    star = (
        "* marks differences from the control whose 95 % interval over test items and seeds excludes 0, not corrected"
        " for the number of comparisons."
    )
    assert star.replace(" %", r"~\%") in tagging
    assert star in text_of(paths)[1].replace("\N{NO-BREAK SPACE}", " "), "as on the page"
    assert r"\dagger" not in tagging
    assert r"50.0$^\dagger$" in nli
    assert "pm$" not in nli
    assert "* marks" not in nli, "one seed: no difference is marked"
    assert r"$^\dagger$ marks scores that are not better than a baseline on the same data.}" in nli


def test_figures_are_written_as_files_too(tmp_path, runs):
    paths = write_report(runs, tmp_path / "r.html", figures=True)
    again = write_report(runs, tmp_path / "again.html", figures=True)
    assert {path.suffix for path in paths.images} == {".svg", ".pdf"}
    assert {path.stem for path in paths.images} >= {"results-gain-over-the-control", "training-alignment"}
    for path, other in zip(paths.images, again.images, strict=True):
        assert path.parent == tmp_path / "r.figures"
        assert path.read_bytes() == other.read_bytes()
        if path.suffix == ".svg":
            text = " ".join(ET.parse(path).getroot().itertext())
            assert "ppa" in text or "base" in text
        else:
            assert path.read_bytes().startswith(b"%PDF")


def test_csv_files_can_be_left_out(tmp_path, runs):
    write_report(runs, tmp_path / "r.html", csv=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.html", "r.md"]


# -- runs below a folder


def test_runs_below_a_folder_are_found(tmp_path):
    made = make_runs(tmp_path / "runs" / "one")
    (made[0] / "seed-0").mkdir()
    (made[0] / "seed-0" / "log.jsonl").write_text("{}\n")
    (tmp_path / "runs" / ".trash" / "old").mkdir(parents=True)
    (tmp_path / "runs" / ".trash" / "old" / "run.json").write_text("{}")
    assert sorted(find_runs(tmp_path / "runs")) == sorted(made)
    assert find_runs(made[0]) == [made[0]]
    below = write_report(tmp_path / "runs", tmp_path / "a.html")
    named = write_report(find_runs(tmp_path / "runs"), tmp_path / "b.html")
    assert below.html.read_bytes() == named.html.read_bytes()


@pytest.mark.parametrize("facts", ['{"verb": "suite"}', '{"verb": "suite", "cells": []}'])
def test_the_folder_of_a_suite_is_no_run(tmp_path, facts):
    made = make_runs(tmp_path / "suite" / "pos")
    (tmp_path / "suite" / "run.json").write_text(facts)
    (tmp_path / "suite" / "config.toml").write_text("")
    assert sorted(find_runs(tmp_path / "suite")) == sorted(made)
    assert sorted(find_runs(tmp_path)) == sorted(made)


def test_runs_of_one_name_are_told_apart_by_as_many_folders_as_needed(tmp_path):
    for folder in ("a/x/pos", "b/x/pos", "b/y/pos"):
        run = add(tmp_path / folder, share(50), settings={"system": folder})
        describe(run, {"command": f"command {folder}", "status": "stopped"})
    _, text = text_of(write_report(tmp_path, tmp_path / "r.html"))
    for name in ("a/x/pos", "b/x/pos", "y/pos"):
        assert f"{name} is not finished" in text


# -- colors


def test_a_system_has_the_same_color_on_every_page():
    names = ("PPA", "base", "AlignLM", "TLM", "L2 word alignment")
    alone = {name: assign_styles([name])[name].color for name in names}
    together = assign_styles(["mine", *reversed(names), "yours", "MLM control"], {"MLM control"})
    assert {name: together[name].color for name in names} == alone
    assert len(set(alone.values())) == len(names)
    assert assign_styles(["PPA (xlmr)"])["PPA (xlmr)"].color == alone["PPA"]


def test_systems_of_a_page_look_different():
    styles = assign_styles([f"system {k}" for k in range(2 * len(COLORS))])
    assert len({(style.color, style.hollow) for style in styles.values()}) == 2 * len(COLORS)
    assert len({style.color for style in assign_styles([f"s{k}" for k in range(len(COLORS))]).values()}) == len(COLORS)


# -- curves


def test_smoothing_keeps_lines_and_reduces_noise():
    line = np.linspace(3.0, 1.0, 100)
    assert _smooth(line) == pytest.approx(line), "a centered mean of a line is the line"
    noise = np.random.default_rng(0).normal(size=100)
    assert np.std(_smooth(line + noise) - line) < 0.5 * np.std(noise)
    assert list(_smooth(line[:5])) == list(line[:5]), "short curves are shown as they are"
    line[50] = np.nan
    assert np.flatnonzero(np.isnan(_smooth(line))).tolist() == [50], "a gap stays a gap, and no more"


def test_without_figures_there_is_no_folder(tmp_path):
    assert write_figures([], tmp_path / "r.figures") == []
    assert not (tmp_path / "r.figures").exists()


def test_images_need_no_folder_of_their_own(tmp_path, runs):
    (tmp_path / "r.figures").mkdir()
    kept = tmp_path / "r.figures" / "mine.txt"
    kept.write_text("x")
    write_report(runs, tmp_path / "r.html", figures=True)
    assert Path(kept).read_text() == "x"
