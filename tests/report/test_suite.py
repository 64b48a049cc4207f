"""The page of a suite: scores of tasks, the overall score and its interval, against hand-made items."""

import csv
from types import MappingProxyType

import numpy as np
import pytest

from paralign.metrics import compare_over_seeds, paired_bootstrap_mean
from paralign.report.overview import build_overview, group_by_control
from paralign.report.suite import ReportCell, write_suite_report
from paralign.results import Seeds, Where, write_results
from tests.report.synthetic import generator, measurement, share

LEVELS = {"base": 0.5, "control": 0.55, "ppa": 0.7}


def items_of(task, system, language, seed, n=80):
    """Right and wrong answers; the difficulty of an item is the same for all systems."""
    hard = generator(task, language).random(n)
    noise = generator(task, system, language, seed).normal(0, 0.02, n)
    return np.stack([hard + noise < LEVELS[system], np.ones(n)], axis=1).astype(np.float64)


def cell(
    folder, task, kind, system, seed, items, *, metric="accuracy", status="done", settings=MappingProxyType({}),
    model_seed=None, **more
):  # fmt: skip
    """A finished cell; ``items`` by language."""
    run = folder / task / (system if seed is None else f"{system}-seed{seed}")
    rows = []
    for language, table in items.items():
        row = measurement(
            table, task=kind, language=language, metric=metric, model=system, model_hash=f"hash of {system}",
            run=run.name, seeds=Seeds(finetune=model_seed if seed is None else seed),
            settings={"system": system, "control": system == "control", "data": f"{task} {language}", **settings},
            **{"train": None if seed is None else "en", **more},
        )  # fmt: skip
        rows.append((row, table))
    write_results(run, rows)
    return ReportCell(task, system, seed, run, status, 60.0)


def suite(folder, systems=("control", "base", "ppa"), model_seed=None):
    """Two tagging tasks with two seeds and three languages, and error rates of word alignment without seeds."""
    cells = []
    for system in systems:
        for task in ("first", "second"):
            for seed in (0, 1):
                languages = {name: items_of(task, system, name, seed) for name in ("en", "de", "zh")}
                cells.append(cell(folder, task, "pos", system, seed, languages))
        wrong = {name: 1 - items_of("aer", system, name, None) + [0, 1] for name in ("de", "zh")}
        wrong = {name: np.stack([table[:, 0], np.ones(len(table))], axis=1) for name, table in wrong.items()}
        cells.append(cell(folder, "alignment", "alignment", system, None, wrong, metric="aer", model_seed=model_seed))
    return cells


def mean_of(table):
    return table[:, 0].sum() / table[:, 1].sum()


def tables_of(page):
    """The tables of the Markdown page, as lists of cells, by the heading above them."""
    found, heading = {}, ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("| ") and not line.startswith("| ---"):
            found.setdefault(heading, []).append([text.strip() for text in line.strip("|").split("|")])
    return found


def test_the_overall_score_is_the_mean_of_the_tasks(tmp_path):
    paths = write_suite_report(suite(tmp_path), tmp_path / "report.html")
    tables = tables_of(paths.markdown)
    head, *rows = tables["Overview"]
    assert head == ["system", "overall", "first", "second", "alignment"]
    assert [row[0] for row in rows] == ["control", "base", "ppa"]
    expected = {}
    for system, shown in ((row[0], row[1:]) for row in rows):
        by_task = {
            task: np.mean([mean_of(items_of(task, system, name, seed)) for seed in (0, 1) for name in ("de", "zh")])
            for task in ("first", "second")
        }
        by_task["alignment"] = 1 - np.mean([mean_of(items_of("aer", system, name, None)) for name in ("de", "zh")])
        expected[system] = np.mean([by_task["first"], by_task["second"], 1 - by_task["alignment"]])
        values = [text.strip("*").replace("**", "").split()[0].split("<br>")[0] for text in shown]
        wanted = [expected[system], *by_task.values()]
        assert [float(value) for value in values] == [pytest.approx(100 * x, abs=0.0501) for x in wanted]
    assert f"{100 * (expected['ppa'] - expected['control']):+.1f}\\*" in rows[2][1]
    assert "overall: mean of first, second and alignment, error rates as 1 - rate." in paths.markdown.read_text()
    cells = [cell for cell in suite(tmp_path) if cell.task != "alignment"]
    text = write_suite_report(cells, tmp_path / "without.html").markdown.read_text()
    assert "overall: mean of first and second." in text
    assert "\n\nppa, the highest of 2 systems besides the control," in paths.markdown.read_text()


@pytest.mark.parametrize("first", [True, False])
def test_fine_tuned_systems_have_the_seeds_of_the_suite(tmp_path, first):
    """Rows of tasks without a head have the fine-tuning seed of the encoder, which is none of the suite."""
    expected = tables_of(write_suite_report(suite(tmp_path / "a"), tmp_path / "a.html").markdown)["Overview"]
    cells = sorted(suite(tmp_path / "b", model_seed=0), key=lambda cell: (cell.task == "alignment") != first)
    found = tables_of(write_suite_report(cells, tmp_path / "b.html").markdown)["Overview"]
    assert [row[:2] for row in found] == [row[:2] for row in expected]


def test_training_runs_without_logs_or_facts_do_not_prevent_the_page(tmp_path):
    for name, text in (("copied", '{"schema": 1, "verb": "align", "seconds": 90.0}'), ("damaged", "{")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    trained = {tmp_path / "copied": "ppa", tmp_path / "damaged": "base"}
    page = write_suite_report(suite(tmp_path / "runs"), tmp_path / "a.html", trained=trained).markdown.read_text()
    assert "training/copied" in page
    assert "training/damaged" not in page


@pytest.mark.parametrize(
    ("languages", "score", "scored_on"),
    [(("en", "de", "fr"), "60.0", ""), (("de", "fr"), "45.0", "de and fr"), (("fr",), "40.0", "fr")],
)
def test_the_score_of_a_task_is_over_languages_it_was_not_trained_on(tmp_path, languages, score, scored_on):
    items = {name: share({"en": 60, "de": 50, "fr": 40}[name]) for name in languages}
    paths = write_suite_report([cell(tmp_path, "pos", "pos", "base", 0, items, train="de+fr")], tmp_path / "r.html")
    assert tables_of(paths.markdown)["Overview"][1] == ["base", score, score]
    text = paths.markdown.read_text()
    assert "The score of a task is the mean over the languages that it was not trained on," in text
    note = f"Scored on training languages, because no other was measured with every system: pos ({scored_on})."
    assert (note in text) == ("Scored on training languages" in text) == bool(scored_on)


def test_the_overview_says_that_tasks_without_training_are_scored_without_english(tmp_path):
    for languages, said in ((("en", "de"), True), (("en",), False), (("de",), False)):
        items = {name: share(50) for name in languages}
        one = cell(tmp_path, "pos", "pos", "base", None, items)
        text = write_suite_report([one], tmp_path / "r.html").markdown.read_text()
        assert ("Scored without English, to which other languages are compared: pos." in text) == said
        (one.folder / "results.jsonl").unlink()


def test_tasks_of_one_kind_have_tables_of_their_own(tmp_path):
    paths = write_suite_report(suite(tmp_path), tmp_path / "report.html")
    titles = [title for title in tables_of(paths.markdown) if "tagging" in title]
    assert titles == [f"{name} (part-of-speech tagging): accuracy, trained on en" for name in ("first", "second")]
    lines = list(csv.DictReader(paths.csv.open(encoding="utf-8")))
    cell = next(
        line for line in lines if (line["suite_task"], line["system"], line["language"]) == ("second", "ppa", "de")
    )
    truth = np.mean([mean_of(items_of("second", "ppa", "de", seed)) for seed in (0, 1)])
    assert float(cell["mean"]) == pytest.approx(truth)


def overview_of(folder, cells):
    """The overview as :func:`write_suite_report` builds it."""
    from paralign.report import suite as page

    tasks = list(dict.fromkeys(cell.task for cell in cells))
    runs = {task: page._read([cell for cell in cells if cell.task == task]) for task in tasks}
    tables = {task: page._tables(task, runs[task], {"control"}) for task in tasks}
    return build_overview(tables, ["control", "base", "ppa"], page._seeds(cells, runs))


def test_the_interval_of_the_overall_score_is_that_of_one_mean_over_all_test_sets(tmp_path):
    """Two tasks of two languages each weigh as much as four test sets; seeds are compared one by one."""
    cells = [cell for cell in suite(tmp_path) if cell.task != "alignment"]
    overview = overview_of(tmp_path, cells)
    ppa = next(row for row in overview.rows if row.system == "ppa")
    sets = [(task, name) for task in ("first", "second") for name in ("de", "zh")]
    stacks = {
        system: [np.stack([items_of(task, system, name, seed) for seed in (0, 1)]) for task, name in sets]
        for system in ("ppa", "control")
    }
    over_items = paired_bootstrap_mean(list(zip(stacks["ppa"], stacks["control"], strict=True)))
    by_seed = {
        system: {seed: np.mean([mean_of(stack[seed]) for stack in stacks[system]]) for seed in (0, 1)}
        for system in stacks
    }
    truth = compare_over_seeds(over_items, by_seed["ppa"], by_seed["control"])
    found = ppa.overall.comparison
    assert found.seeds == 2
    for name in ("difference", "low", "high", "p"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=1e-6)


@pytest.mark.parametrize(("asked", "title"), [(None, "default layer"), (0.5, "layer at 0.5 of the depth"), ("", None)])
def test_encoders_of_different_depth_are_compared_at_the_layer_that_was_asked_for(tmp_path, asked, title):
    cells = []
    for system, layer in (("control", 4), ("base", 4), ("ppa", 2)):
        items = {name: items_of("find", system, name, None) for name in ("de", "zh")}
        found = cell(tmp_path, "find", "retrieval", system, None, items, metric="accuracy_cosine",
                     where=Where(layer=layer, pool="mean"),
                     settings={} if asked == "" else {"task": {"layer": asked}})  # fmt: skip
        cells.append(found)
    text = write_suite_report(cells, tmp_path / "report.html").markdown.read_text()
    reason = "because no pooling, layer or data set was measured with every system: find."
    assert (reason in text) == (title is None)
    assert "not every system has finished it" not in text
    assert title is None or f"mean pooling, {title}" in text
    assert ("layer 2" in text) == (title is None)


def test_a_task_with_several_poolings_is_scored_by_those_of_all_systems(tmp_path):
    """Encoders have [CLS] and mean pooling, causal models the last piece and mean pooling."""
    shares = {("base", "cls"): 10, ("base", "mean"): 40, ("ppa", "mean"): 60, ("ppa", "last"): 90}
    cells = []
    for system in ("base", "ppa"):
        for pool in ("cls", "mean", "last"):
            if (system, pool) in shares:
                cells.append(cell(tmp_path, "find", "retrieval", system, None, {"de": share(shares[system, pool])},
                                  metric="accuracy_cosine", where=Where(layer=4, pool=pool)))  # fmt: skip
    cells = [cells[0], cells[2]]  # each with the rows of both poolings
    paths = write_suite_report(cells, tmp_path / "report.html")
    assert tables_of(paths.markdown)["Overview"][1:] == [["base", "40.0", "40.0"], ["ppa", "**60.0**", "**60.0**"]]
    text = paths.markdown.read_text().replace("\\", "")
    tables = "; ".join(
        f"find (sentence retrieval): accuracy, cosine, {pool}, layer 4" for pool in ("[CLS]", "last piece")
    )
    assert f"Not in the score of find, because not every system was measured there: {tables}." in text
    assert "Not in the overall score" not in text


@pytest.mark.filterwarnings("ignore:invalid value")
def test_an_undefined_score_is_not_called_unfinished(tmp_path):
    cells = suite(tmp_path)
    items = {name: share(0) * [0, 0] for name in ("de", "zh")}  # 0/0
    cells.append(cell(tmp_path, "ner", "ner", "base", 0, items, metric="f1"))
    cells += [cell(tmp_path, "ner", "ner", name, 0, {lang: share(50) for lang in items}, metric="f1")
              for name in ("control", "ppa")]  # fmt: skip
    text = write_suite_report(cells, tmp_path / "report.html").markdown.read_text()
    assert "Not in the overall score, because a score is undefined: ner." in text


def test_a_layer_that_was_also_asked_for_by_number_is_a_table(tmp_path):
    """The control at layer 4 and ppa at its last layer, 4, remain compared when a smaller encoder is added."""
    cells = []
    for system, layer, asked in (("control", 4, 4), ("ppa", 4, None), ("base", 2, None)):
        items = {name: items_of("find", system, name, None) for name in ("de", "zh")}
        found = cell(tmp_path, "find", "retrieval", system, None, items, metric="accuracy_cosine",
                     where=Where(layer=layer, pool="mean"), settings={"task": {"layer": asked}})  # fmt: skip
        cells.append(found)
    tables = tables_of(write_suite_report(cells, tmp_path / "report.html").markdown)
    (heading,) = [name for name in tables if "layer 4" in name]
    assert {line[0] for line in tables[heading][1:]} >= {"control", "ppa"}
    assert any("layer 2" in name for name in tables)


def test_a_loss_is_not_in_the_overall_score(tmp_path):
    cells = suite(tmp_path)
    for system in LEVELS:
        items = {name: items_of("text", system, name, None) * [3, 1] for name in ("de", "zh")}
        cells.append(cell(tmp_path, "text", "my_module:Text", system, None, items, metric="perplexity"))
    text = write_suite_report(cells, tmp_path / "report.html").markdown.read_text()
    assert "Not in the overall score, because it is not measured in percent: text." in text
    assert "not every system" not in text


def test_a_task_that_a_system_has_not_finished_is_not_in_the_overall_score(tmp_path):
    cells = suite(tmp_path)
    cells = [
        ReportCell(c.task, c.system, c.seed, c.folder, "failed", None, "no | memory")
        if (c.task, c.system) == ("second", "ppa")
        else ReportCell(c.task, c.system, c.seed, c.folder, "not run")
        if (c.task, c.seed) == ("first", 1)
        else c
        for c in cells
    ]
    paths = write_suite_report(cells, tmp_path / "report.html")
    text = paths.markdown.read_text()
    assert "Not in the overall score, because not every system has finished it: second." in text
    head, *rows = tables_of(paths.markdown)["Overview"]
    assert head == ["system", "overall", "first", "second", "alignment"]
    assert rows[2][3] == "–"
    missing = text.partition("## Missing")[2].partition("##")[0]
    assert [line for line in missing.splitlines() if line] == [
        "* second, ppa, seed 0: failed: no \\| memory",
        "* second, ppa, seed 1: failed: no \\| memory",
        "* first, seed 1: not run: control, base, ppa",
    ]
    assert "<h2>Missing</h2>" in paths.html.read_text()


def test_one_seed_is_not_tested(tmp_path):
    cells = [cell for cell in suite(tmp_path) if cell.seed in (None, 0)]
    overview = overview_of(tmp_path, cells)
    ppa = next(row for row in overview.rows if row.system == "ppa")
    assert ppa.overall.comparison.seeds == 1
    text = write_suite_report(cells, tmp_path / "report.html").markdown.read_text()
    assert "not tested: one seed" in text
    assert "\\*" not in "".join(text.partition("## Results")[0].partition("## Overview")[2])


def test_a_control_without_results_does_not_prevent_the_page(tmp_path):
    cells = [cell for cell in suite(tmp_path, ("ppa",)) if cell.seed in (None, 0)]
    cells.append(ReportCell("first", "base", 0, tmp_path / "first/base", "failed", 1.0, "boom"))
    text = write_suite_report(cells, tmp_path / "report.html", control="base").markdown.read_text()
    assert "* first, base, seed 0: failed: boom" in text
    assert "ppa reaches" in text


def test_a_control_that_is_the_best_is_not_hidden_by_the_first_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(LEVELS, "control", 0.9)
    text = write_suite_report(suite(tmp_path), tmp_path / "report.html").markdown.read_text()
    assert "ppa, the highest of 2 systems besides the control, reaches" in text


def test_a_page_without_results_says_what_is_missing(tmp_path):
    cells = [ReportCell("pos", name, 0, tmp_path / name, "not run") for name in ("base", "ppa")]
    text = write_suite_report(cells, tmp_path / "report.html").markdown.read_text()
    assert "* pos, seed 0: not run: base, ppa" in text


def test_systems_follow_their_control():
    class Named:
        def __init__(self, system, reference=None):
            self.system, self.reference, self.control = system, reference, reference is None and "control" in system

    rows = [Named("lone"), Named("ppa-a", "control-a"), Named("control-b"), Named("base-b", "control-b"),
            Named("control-a"), Named("base-a", "control-a")]  # fmt: skip
    assert [row.system for row in group_by_control(rows)] == [
        "control-b", "base-b", "control-a", "ppa-a", "base-a", "lone",
    ]  # fmt: skip


def test_two_bases_are_each_compared_with_their_control(tmp_path):
    cells = []
    for base in ("a", "b"):
        for system in ("control", "ppa"):
            for seed in (0, 1):
                name = f"{system} {base}"
                run = tmp_path / "pos" / f"{name}-seed{seed}"
                table = items_of(base, system, "de", seed)
                row = measurement(
                    table, task="pos", language="de", metric="accuracy", model=name, model_hash=name, run=run.name,
                    train="en", seeds=Seeds(finetune=seed), parent=f"base {base}",
                    settings={"system": name, "control": system == "control", "origin": base, "data": "de"},
                )  # fmt: skip
                write_results(run, [(row, table)])
                cells.append(ReportCell("pos", name, seed, run, "done", 1.0))
    cells.sort(key=lambda cell: cell.system)
    rows = tables_of(write_suite_report(cells, tmp_path / "report.html").markdown)["Overview"][1:]
    assert [row[0] for row in rows] == ["control a", "ppa a", "control b", "ppa b"]
    for base, shown in (("a", rows[1]), ("b", rows[3])):
        scores = [np.mean([mean_of(items_of(base, s, "de", k)) for k in (0, 1)]) for s in ("ppa", "control")]
        assert f"{100 * (scores[0] - scores[1]):+.1f}" in shown[1]


@pytest.mark.parametrize(("metric", "kind"), [("accuracy", "pos"), ("aer", "alignment")])
@pytest.mark.parametrize(
    ("alignments", "pairs"),
    [
        ({"control": (None,) * 4, "ppa": (0, 1, 2, 3)}, True),  # of the control, nothing but fine-tuning varies
        ({"control": (0, 0, 1, 1), "ppa": (0, 0, 1, 1)}, False),  # two seeds
    ],
)
def test_one_task_has_the_test_of_its_table(tmp_path, metric, kind, alignments, pairs):
    cells, scores = [], {}
    for system, aligned in alignments.items():
        for seed, align in enumerate(aligned):
            table = items_of("first", system, "de", seed)
            if metric == "aer":
                table = np.stack([1 - table[:, 0], table[:, 1]], axis=1)
            run = tmp_path / "first" / f"{system}-{seed}"
            row = measurement(table, task=kind, language="de", metric=metric, model=system,
                              model_hash=f"{system} {align}", run=run.name, seeds=Seeds(align=align, finetune=seed),
                              settings={"control": system == "control", "lineage": system})  # fmt: skip
            write_results(run, [(row, table)])
            cells.append(ReportCell("first", system, seed, run, "done"))
            scores.setdefault(system, {})[seed] = table
    over_items = paired_bootstrap_mean([tuple(np.stack(list(scores[s].values())) for s in ("ppa", "control"))])
    by_seed = [{seed: mean_of(table) for seed, table in scores[s].items()} for s in ("ppa", "control")]
    if not pairs:
        by_seed = [{align: (side[2 * align] + side[2 * align + 1]) / 2 for align in (0, 1)} for side in by_seed]
    truth = compare_over_seeds(over_items, *by_seed)
    paths = write_suite_report(cells, tmp_path / "report.html")
    row = next(row for row in csv.DictReader(paths.csv.open(encoding="utf-8")) if row["system"] == "ppa")
    assert [float(row[name]) for name in ("diff_to_control", "low", "high", "p")] == pytest.approx(
        [truth.difference, truth.low, truth.high, truth.p], rel=1e-9
    )
    sign = -1 if metric == "aer" else 1
    low, high = sorted((sign * truth.low, sign * truth.high))
    wanted = f"{100 * sign * truth.difference:+.1f}\\* [{100 * low:.1f}, {100 * high:.1f}]"
    (_, _, overview), (_, _, table) = list(tables_of(paths.markdown).values())[:2]
    assert [cell.partition("<br>")[2] for cell in (*overview[1:], *table[1:])] == [wanted] * 3


def test_a_task_without_a_common_language_has_no_score(tmp_path):
    cells = [cell for cell in suite(tmp_path) if cell.task != "second"]
    for system, language in (("control", "de"), ("base", "zh"), ("ppa", "zh")):
        for seed in (0, 1):
            items = {language: items_of("second", system, language, seed)}
            cells.append(cell(tmp_path / "other", "second", "pos", system, seed, items))
    text = write_suite_report(cells, tmp_path / "report.html").markdown.read_text()
    assert "Not in the overall score, because no language was measured with every system: second." in text
    assert "not every system has finished it" not in text
