"""Every task as its field reports it: what is a table, what is folded, what may be averaged."""

import csv
import json
import re

import numpy as np
import pytest
from scipy import stats

from paralign.metrics import interval_over_seeds, item_score, paired_bootstrap
from paralign.metrics.bootstrap import bootstrap_interval
from paralign.report import write_report
from paralign.report.captions import _describe_seeds
from paralign.report.table_key import TableKey
from paralign.results import Seeds, Where, other_language
from tests.report.reading import figure_labels, text_of
from tests.report.synthetic import EVERY_TASK, add, describe, make_large, measurement, share


def folded(paths):
    """Titles of the tables inside <details class="folded">."""
    parts = paths.html.read_text(encoding="utf-8").split('<details class="folded"><summary>')[1:]
    return [part.split("</summary>")[0] for part in parts]


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    root = tmp_path_factory.mktemp("large")
    return write_report(make_large(root, 2, ("en", "de", "fr")), root / "r.html")


def test_main_metrics_are_tables_and_the_others_are_folded(every):
    page, _ = text_of(every)
    aside = folded(every)
    shown = [title for title in page.tables if title not in (*aside, "Cost")]
    assert shown == [
        "Named entity recognition: F1, trained on en",
        "Natural language inference: accuracy, trained on en",
        "Paraphrase identification: accuracy, trained on en",
        "Dependency parsing: LAS, trained on en",
        "Dependency parsing: UAS, trained on en",
        "Part-of-speech tagging: accuracy, trained on en",
        "Question answering: F1, trained on en",
        "Question answering: exact match, trained on en",
        "Bilingual lexicon induction: precision@1, cosine, mean pooling",
        "Bitext mining: F1, at the best threshold, mean pooling",
        "Sentence retrieval: accuracy, cosine, mean pooling",
    ]
    assert len(shown) + len(aside) == sum(map(len, EVERY_TASK.values()))
    lexicon = [title.split(": ")[1] for title in aside if title.startswith("Bilingual")]
    assert [name.removesuffix(", mean pooling") for name in lexicon] == [
        "precision@1, CSLS",
        "precision@5, cosine",
        "precision@5, CSLS",
        "precision@10, cosine",
        "precision@10, CSLS",
    ]


def test_a_task_outside_the_table_brings_its_title_metrics_and_direction(tmp_path):
    info = {"title": "Stemming", "main_metrics": ["distance"], "lower_is_better": ["distance"]}
    for name, right in (("near", 20), ("far", 60)):
        for metric in ("distance", "accuracy"):
            fields = {"task": "stem", "metric": metric, "settings": {"system": name, "task_info": info}}
            add(tmp_path / name, share(right), **fields)
    paths = write_report([tmp_path / "near", tmp_path / "far"], tmp_path / "r.html")
    page, text = text_of(paths)
    assert page.tables["Stemming: distance"] == [["system", "de"], ["near", "20.0"], ["far", "60.0"]]
    assert folded(paths) == ["Stemming: accuracy"]
    assert page.bold == ["20.0", "60.0"], "the smaller distance, the greater accuracy"
    assert "near, the lowest of 2 systems, reaches 20.0 % on de." in text


def test_a_title_that_begins_with_an_abbreviation_keeps_it(tmp_path):
    info = {"title": "NLI with hypotheses only", "main_metrics": ["accuracy"], "lower_is_better": []}
    add(tmp_path / "a", share(50), task="mine", settings={"task_info": info})
    _, text = text_of(write_report([tmp_path / "a"], tmp_path / "r.html"))
    assert "The scores are: a in NLI with hypotheses only (50.0 %)." in text


def test_an_undefined_score_has_no_spread(tmp_path):
    for seed in range(2):
        add(tmp_path / "a", share(0, 1), value=float("nan"), seeds=Seeds(finetune=seed), save=False)
    page, _ = text_of(write_report([tmp_path / "a"], tmp_path / "r.html"))
    assert page.tables["Part-of-speech tagging: accuracy"] == [["system", "de"], ["a", "–"]]


def test_a_correlation_has_its_interval_and_is_compared_with_the_control(tmp_path):
    rng = np.random.default_rng(0)
    gold = rng.normal(size=200)
    values, compared = {}, {}
    for name, noise in (("control", 2.0), ("ppa", 0.5)):
        items = np.stack([gold + noise * rng.normal(size=200), gold], 1).astype(np.float32).astype(float)
        value = values[name] = stats.spearmanr(*items.T).statistic
        settings = {"system": name, "control": name == "control", "statistic": "spearman", "interval": [0.111, 0.999]}
        fields = {"task": "made-up", "metric": "spearman", "language": "de", "value": value, "settings": settings}
        add(tmp_path / name, items, **fields)
        compared[name] = items
    paths = write_report([tmp_path / "control", tmp_path / "ppa"], tmp_path / "r.html")
    page, text = text_of(paths)
    gap = paired_bootstrap(compared["ppa"], compared["control"], statistic="spearman")
    assert page.tables["made-up: Spearman"] == [
        ["system", "de"],
        ["control", f"{100 * values['control']:.1f} (11.1 to 99.9)"],
        ["ppa", f"{100 * values['ppa']:.1f} (11.1 to 99.9) {100 * gap.difference:+.1f}"
                f" [{100 * gap.low:.1f}, {100 * gap.high:.1f}]"],
    ]  # fmt: skip
    assert "Correlation × 100; 200 test items per language" in text
    assert "in parentheses, 95 % intervals of scores over test items" in text
    answer = (
        f"ppa reaches {100 * values['ppa']:.1f} on de. The difference from the control is {100 * gap.difference:+.1f}"
    )
    assert f"{answer} points (95 % interval over test items" in text, "one seed: not above"
    assert "%" not in text.split("Results")[0].replace("95 %", "")


@pytest.mark.parametrize("statistic", ["spearman", "pearson"])
def test_a_correlation_of_several_seeds_has_an_interval_over_items_and_seeds(tmp_path, statistic, monkeypatch):
    rng = np.random.default_rng(0)
    gold, tables = rng.normal(size=80), []
    for seed, noise in enumerate((0.5, 0.8, 1.1)):
        items = np.stack([gold + noise * rng.normal(size=80), gold], 1).astype(np.float32).astype(float)
        tables.append(items)
        fields = {"task": "made-up", "metric": statistic, "value": item_score(items, statistic)}
        settings = {"system": "ppa", "statistic": statistic, "interval": [0.111, 0.999]}
        add(tmp_path / "ppa", items, seeds=Seeds(finetune=seed), settings=settings, **fields)
    values = [item_score(items, statistic) for items in tables]
    sd, mean = np.std(values, ddof=1), np.mean(values)
    low, high = interval_over_seeds(mean, bootstrap_interval(np.stack(tables), statistic=statistic), sd, 3)
    # The items of the table were resampled once, for its ranking.
    monkeypatch.setattr("paralign.report.comparison.bootstrap_interval", lambda *_, **__: pytest.fail("drawn again"))
    paths = write_report([tmp_path / "ppa"], tmp_path / "r.html")
    page, text = text_of(paths)
    cell = page.tables[f"made-up: {statistic.capitalize()}"][1][1]
    assert cell == f"{100 * mean:.1f} ± {100 * sd:.1f} ({100 * low:.1f} to {100 * high:.1f})".replace("-", "−")
    assert "95 % intervals of scores over test items and, with several seeds, over seeds" in text
    with paths.csv.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (float(row["score_low"]), float(row["score_high"])) == (low, high)


def test_the_interval_of_one_seed_of_a_correlation_is_in_the_csv(tmp_path):
    items = np.stack([np.arange(50.0), np.arange(50.0)], 1)
    settings = {"system": "a", "statistic": "pearson", "interval": [0.25, 0.75]}
    add(tmp_path / "a", items, task="made-up", metric="pearson", value=1.0, settings=settings)
    paths = write_report([tmp_path / "a"], tmp_path / "r.html")
    with paths.csv.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["score_low"], row["score_high"]) == ("0.25", "0.75")


def report_of_seeds(tmp_path, scores, n=400):
    """Tag German with control and treated systems: name -> right answers of n by seeds."""
    for name, by_seed in scores.items():
        for seeds, right in by_seed.items():
            settings = {"system": name, "control": name == "control"}
            align, finetune = seeds
            add(tmp_path / name, share(right, n), settings=settings, seeds=Seeds(align=align, finetune=finetune))
    paths = write_report([tmp_path / name for name in scores], tmp_path / "r.html")
    page, text = text_of(paths)
    return page.tables["Part-of-speech tagging: accuracy"][2][1], text.split("Results")[1].split("system")[0]


def test_a_gain_within_the_variation_over_seeds_is_neither_marked_nor_called_above(tmp_path):
    """The demo printed +0.6* [0.2, 1.0] beside ± 2.0 and ± 2.4 over two seeds."""
    control, treated = {(0, 0): 120, (0, 1): 134}, {(0, 0): 126, (0, 1): 133}
    cell, answer = report_of_seeds(tmp_path, {"control": control, "ppa": treated})
    assert "+0.6 [" in cell
    assert "above" not in answer
    assert "not statistically significant" in answer
    clear, answer = report_of_seeds(tmp_path / "clear", {"control": control, "ppa": {(0, 0): 320, (0, 1): 334}})
    assert "+50.0* [" in clear
    assert "50.0 points above the control" in answer


def test_fine_tuning_seeds_of_one_alignment_are_not_alignment_seeds(tmp_path):
    """Ten fine-tuning seeds of two alignments count as two seeds."""
    control = {(align, k): 120 + 40 * align for align in (0, 1) for k in range(10)}
    treated = {(align, k): 150 + 10 * align for align in (0, 1) for k in range(10)}
    cell, _ = report_of_seeds(tmp_path, {"control": control, "ppa": treated})
    assert "+3.8 [" in cell
    sides = [{0: 0.375, 1: 0.4}, {0: 0.3, 1: 0.4}]
    gaps = [sides[0][k] - sides[1][k] for k in (0, 1)]
    reach = stats.t.ppf(0.975, 1) * np.std(gaps, ddof=1) / np.sqrt(2)
    low, high = (float(end) for end in cell.replace("−", "-").split("[")[1].rstrip("]").split(", "))
    assert (high - low) / 2 == pytest.approx(100 * reach, rel=0.01)


@pytest.mark.parametrize(
    ("seeds", "says"),
    [
        ([(0, 7), (1, 7)], "2 fine-tuning seeds (0, 1) × 1 alignment seed (7)"),
        ([(0, 0), (0, 1), (1, 0), (1, 1)], "2 fine-tuning seeds (0, 1) × 2 alignment seeds (0, 1)"),
        ([(0, 0), (1, 1), (2, 2)], "fine-tuning and alignment seeds 0, 1, 2"),
        ([(0, 10), (1, 11)], "fine-tuning seeds 0, 1 and alignment seeds 10, 11"),
        ([(0, 0), (0, 1), (1, 1)], "fine-tuning and alignment seeds 0, 1"),
        ([(3, None), (4, None)], "2 fine-tuning seeds (3, 4)"),
        ([(None, None)], "seeds not recorded"),
    ],
)
def test_seeds_are_multiplied_only_if_there_are_runs_for_all_combinations(seeds, says):
    assert _describe_seeds([Seeds(finetune=finetune, align=align) for finetune, align in seeds]) == says


def test_the_number_of_test_items_decides_whether_a_difference_is_marked(tmp_path):
    control, treated = {(0, 0): 0, (0, 1): 0}, {(0, 0): 3, (0, 1): 3}
    cell, answer = report_of_seeds(tmp_path, {"control": control, "ppa": treated}, n=3)
    assert "*" not in cell
    assert "not tested: fewer than 30 test items" in answer


def test_a_finding_a_task_and_a_list_of_the_tables(every):
    page, text = text_of(every)
    answer = text.split("Results")[0]
    assert text.count(" reaches ") == len(EVERY_TASK)
    assert answer.count("gain over mlm") == len(EVERY_TASK)
    assert "exact match" not in answer
    links = [attrs["href"] for tag, attrs in page.tags if tag == "a" and attrs["href"] != "#warnings"]
    assert links == [f"#table-{number}" for number in range(1, 12)]
    assert set(links) <= {f"#{attrs['id']}" for _, attrs in page.tags if attrs.get("id")}


def test_a_single_loss_is_not_repeated_as_the_total(every):
    page, _ = text_of(every)
    labels = [label.split(":")[0] for label in figure_labels(page)]
    assert labels == ["ner", "nli", "paraphrase", "parsing", "pos", "qa"]


def test_outputs_of_the_head_do_not_divide_a_table(tmp_path):
    """They are those of the training data, of which some systems may have fewer."""
    runs = [
        add(tmp_path / name, share(right), task="topics", train="en", settings={"system": name, "task": settings})
        for name, right, settings in (
            ("one", 40, {"labels": ["a", "b"], "max_pieces": 164}), ("two", 60, {"labels": ["a"], "max_pieces": 164}),
            ("cut", 50, {"labels": ["a"], "max_pieces": 64}),
        )
    ]  # fmt: skip
    page, _ = text_of(write_report(runs, tmp_path / "r.html"))
    tables = [[row[0] for row in rows[1:]] for name, rows in page.tables.items() if name.startswith("Topic")]
    assert sorted(map(sorted, tables)) == [["cut"], ["one", "two"]]


@pytest.mark.parametrize(
    ("task", "metric", "name", "values", "tables"),
    [
        ("alignment", "error_rate", "threshold", (0.001, 0.1), 2),
        ("mining", "f1", "threshold", (1.04, 1.06), 1),
        ("lexicon", "precision_at_1_cosine", "candidates", (None, "words.txt"), 2),
        ("lexicon", "precision_at_1_cosine", "candidates", ("words.de.txt", "words.fr.txt"), 1),
    ],
)
def test_settings_that_change_the_measure_divide_a_table(tmp_path, task, metric, name, values, tables):
    runs = [
        add(tmp_path / f"s{k}", share(50 + k), task=task, metric=metric, settings={"task": {name: value}})
        for k, value in enumerate(values)
    ]
    page, _ = text_of(write_report(runs, tmp_path / "r.html"))
    assert len([rows for rows in page.tables.values() if rows[0][0] == "system"]) == tables


def test_the_gap_of_an_error_is_what_it_is_of_the_accuracy(tmp_path):
    info = {"title": "T", "main_metrics": ["wrong"], "lower_is_better": ["wrong"]}
    for language, wrong in (("en", 10), ("de", 20), ("fr", 30)):
        row = {"task": "my:T", "metric": "wrong", "language": language, "train": "en", "settings": {"task_info": info}}
        add(tmp_path / "a", share(wrong), **row)
    page, _ = text_of(write_report([tmp_path / "a"], tmp_path / "r.html"))
    (found,) = [dict(zip(*rows, strict=True)) for rows in page.tables.values() if "gap to en" in rows[0]]
    assert (found["average"], found["gap to en"]) == ("25.0", "15.0")


def test_questions_in_another_language_are_other_data(tmp_path):
    f1 = {(None, "en"): 90, (None, "de"): 70, ("en", "de"): 60, ("en", "es"): 40, ("de", "en"): 50, ("es", "de"): 20}
    f1[("de", "es")] = 30
    for (question, context), right in f1.items():
        where = Where(direction=question and f"{question}-{context}")
        for metric in ("f1", "exact_match"):
            items = share(right - 10 * (metric != "f1"))
            add(tmp_path / "ppa", items, task="qa", metric=metric, language=context, train="en", where=where)
    paths = write_report([tmp_path / "ppa"], tmp_path / "r.html")
    page, text = text_of(paths)
    title = "Question answering: F1{}, trained on en"
    assert page.tables[title.format("")] == [["system", "en", "gap to en", "de"], ["ppa", "90.0", "20.0", "70.0"]]
    crossed = page.tables[title.format(", questions in en")]
    assert crossed == [["system", "average", "de", "es"], ["ppa", "50.0", "60.0", "40.0"]]
    crossed = page.tables[title.format(", questions in de")]
    assert crossed == [["system", "average", "en", "es"], ["ppa", "40.0", "50.0", "30.0"]], "English is no pivot here"
    assert page.tables[title.format(", questions in es")] == [["system", "de"], ["ppa", "20.0"]]
    aside = folded(paths)
    assert len(aside) == 6
    assert all("questions in" in name for name in aside)
    assert "questions in en, texts in the language of the column" in text
    with paths.csv.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "f1" and row["language"] != "average"]
    found = {(row["direction"], row["language"]): round(100 * float(row["mean"])) for row in rows}
    assert len(rows) == len(found) == len(f1), "every number once"
    assert found == {(f"{q}-{c}" if q else "", c): right for (q, c), right in f1.items()}


def test_questions_in_one_other_language_alone_are_the_table(tmp_path):
    for language, right in (("de", 60), ("es", 40)):
        where = Where(direction=f"en-{language}")
        add(tmp_path / "a", share(right), task="qa", metric="f1", language=language, train="en", where=where)
    paths = write_report([tmp_path / "a"], tmp_path / "r.html")
    page, text = text_of(paths)
    assert page.tables["Question answering: F1, trained on en"][1] == ["a", "50.0", "60.0", "40.0"]
    assert not folded(paths)
    assert "questions in en, texts in the language of the column" in text


def test_both_directions_between_two_languages_are_averaged_but_not_those_with_a_third(tmp_path):
    for direction, right in (("en-de", 60), ("de-en", 40), ("fr-de", 10), ("de-fr", 30)):
        fields = {"task": "retrieval", "metric": "accuracy_cosine", "where": Where(direction=direction, pool="cls")}
        add(tmp_path / "a", share(right), language="de", **fields)
    fields["where"] = Where(direction="en-es", pool="cls")
    add(tmp_path / "a", share(80), language="es", **fields)
    paths = write_report([tmp_path / "a"], tmp_path / "r.html")
    page, text = text_of(paths)
    title = "Sentence retrieval: accuracy, cosine, [CLS], with {}"
    assert page.tables[title.format("en")][1] == ["a", "65.0", "50.0", "80.0"]
    assert page.tables[title.format("fr")][1] == ["a", "20.0"]
    assert text.count("mean of both directions") == 2
    with paths.csv.open(encoding="utf-8", newline="") as file:
        found = sorted((row["direction"], round(float(row["mean"]), 9)) for row in csv.DictReader(file))
    one_way = [("de-en", 0.4), ("de-fr", 0.3), ("en-de", 0.6), ("en-es", 0.8), ("fr-de", 0.1)]
    assert found == [*one_way, ("mean", 0.2), ("mean", 0.5), ("mean", 0.65)], "every number once, with the average"


@pytest.mark.parametrize(("direction", "says"), [("en-{}", "from en"), ("{}-en", "into en")])
def test_a_single_direction_is_named(tmp_path, direction, says):
    for language in ("de", "fr"):
        where = Where(direction=direction.format(language), pool="mean")
        add(tmp_path / "a", share(50), task="mining", metric="f1", language=language, where=where)
    _, text = text_of(write_report([tmp_path / "a"], tmp_path / "r.html"))
    assert f"; {says}; average over" in text
    assert "both directions" not in text


@pytest.mark.parametrize(
    ("direction", "language", "other"),
    [("en-de", "de", "en"), ("de-en", "de", "en"), ("en-zh-CN", "zh-CN", "en"), ("zh-CN-en", "en", "zh-CN"),
     ("fr-es", "de", "fr-es"), ("de-de", "de", "de")],
)  # fmt: skip
def test_the_other_side_of_a_direction(direction, language, other):
    assert other_language(direction, language) == other


@pytest.mark.parametrize(
    ("train", "says", "pivot", "averaged"),
    [
        ("en", "trained on en", "en", ["de", "fr"]),
        ("de", "trained on de", "de", ["en", "fr"]),
        ("es", "trained on es", None, ["en", "de", "fr"]),
        ("de+fr", "trained on de and fr", None, ["en"]),
        ("en+de", "trained on en and de", "en", ["fr"]),
        ("en+de+fr", "trained on en, de and fr", "en", ["de", "fr"]),
        ("de*en", "trained on de code-switched with en", "en", ["fr"]),
        ("de*en+fr*en", "trained on de code-switched with en and fr code-switched with en", "en", ["de", "fr"]),
        ("en+de:100", "trained on en + 100 examples of de", "en", ["de", "fr"]),
        ("fr+de:1000", "trained on fr + 1,000 examples of de", "fr", ["en", "de"]),
        ("en+de:10+fr:10", "trained on en + 10 examples of de + 10 examples of fr", "en", ["de", "fr"]),
    ],
)
def test_averages_are_over_languages_not_trained_on_and_the_gap_is_to_the_pivot(tmp_path, train, says, pivot, averaged):
    scores = {"en": 90, "de": 70, "fr": 60}
    for language, right in scores.items():
        add(tmp_path / "a", share(right), language=language, train=train)
    page, text = text_of(write_report([tmp_path / "a"], tmp_path / "r.html"))
    head, row = page.tables[f"Part-of-speech tagging: accuracy, {says}"]
    found = dict(zip(head, row, strict=True))
    average = sum(scores[language] for language in averaged) / len(averaged)
    assert [name for name in head if name.startswith("gap")] == ([] if pivot is None else [f"gap to {pivot}"])
    if pivot:
        assert float(found[f"gap to {pivot}"].replace("−", "-")) == scores[pivot] - average
    assert found.get("average") == (f"{average:.1f}" if len(averaged) > 1 else None)
    trained_on_all = train in ("en+de+fr", "de*en+fr*en")
    assert ("The average is over training languages (de and fr): no other can be averaged." in text) == trained_on_all


def test_without_a_common_language_that_was_not_trained_on_the_average_is_over_training_languages(tmp_path):
    for name, languages in (("a", ("en", "de", "fr", "es")), ("b", ("en", "de", "fr"))):
        for language in languages:
            add(tmp_path / name, share(50), language=language, train="en+de+fr")
    _, text = text_of(write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "r.html"))
    assert "Not in the average, because not every system was measured on it: es." in text
    assert "The average is over training languages (de and fr)" in text


def test_a_warning_of_many_runs_is_shown_once(tmp_path):
    text = "de=test.tsv: every label is 'neutral'; published test sets may hold placeholders"
    runs = []
    for number in range(6):
        run = add(tmp_path / f"r{number}", share(50))
        describe(run, {"verb": "evaluate", "status": "done", "alarms": [text, text]})
        runs.append(run)
    paths = write_report(runs, tmp_path / "r.html")
    _, page = text_of(paths)
    assert page.count("every label is") == 1
    assert f"r0, r1, r2 and 3 other runs: {text}" in page
    assert paths.markdown.read_text(encoding="utf-8").count("every label is") == 1


def test_a_long_list_of_warnings_is_folded_and_hides_no_other_run(tmp_path):
    loud, quiet = add(tmp_path / "loud", share(50)), add(tmp_path / "quiet", share(50))
    describe(loud, {"alarms": [f"warning number {number}" for number in range(40)]})
    describe(quiet, {"alarms": ["the queue collapsed"]})
    (quiet / "log.jsonl").write_text(json.dumps({"event": "alarm", "step": 9, "message": "the queue collapsed"}) + "\n")
    paths = write_report([loud, quiet], tmp_path / "r.html")
    _, text = text_of(paths)
    before, after = text.split("29 more")
    assert "quiet, step 9: the queue collapsed" in before
    assert text.count("the queue collapsed") == 1, "once, though both files tell it"
    assert text.count("warning number") == 40
    assert after.count("warning number") == 29
    told = paths.markdown.read_text(encoding="utf-8")
    assert told.count("warning number") == 11
    assert "29 more on the HTML page." in told


def test_many_systems_are_counted_not_listed(tmp_path):
    runs = make_large(tmp_path, 14, ("en", *(f"l{number:02d}" for number in range(10))), tasks=("pos",), n=20)
    rows = runs[3] / "results.jsonl"
    text = re.sub(r',"digest":"\w+"', "", rows.read_text())
    rows.write_text(text.replace('"finetune":null', '"finetune":5'))
    page, text = text_of(write_report(runs, tmp_path / "r.html"))
    assert "on average over 10 languages" in text.split("Results")[0]
    assert "on average over 10 languages" in text.split("Results")[1]
    assert "method-03: n = 1, 1 fine-tuning seed (5). All others: n = 1, seeds not recorded." in text
    assert any(attrs.get("class") == "box tall" for _, attrs in page.tags)


def test_code_switched_training_reads_as_such():
    from paralign.report.titles import training_title

    assert training_title("de*en") == "trained on de code-switched with en"


@pytest.mark.parametrize(("statistic", "percent"), [("ratio", True), ("macro_f1", True), ("pearson", False)])
def test_shares_and_means_of_f1_are_percentages(statistic, percent):
    row = measurement(share(3), task="topics", metric="macro_f1", language="de", model="m", model_hash="h", run="r",
                      settings={"statistic": statistic})  # fmt: skip
    assert TableKey.of(row).is_percentage is percent


# -- ranking


def test_systems_are_ranked_on_the_language_that_all_of_them_have(tmp_path):
    for system, shares in {"a": {"en": 90, "de": 20}, "b": {"en": 60}}.items():
        for language, right in shares.items():
            add(tmp_path / system, share(right), language=language, train="en")
    paths = write_report(tmp_path, tmp_path / "r.html")
    text = text_of(paths)[1]
    assert "The best scores are: a in part-of-speech tagging (90.0 %)." in text
    assert "a, the highest of 2 systems, reaches 90.0 % on en." in text
    assert "Not in the ranking, because not every system was measured on it: de." in text
    with paths.figures.open(encoding="utf-8") as file:
        assert {row["series"]: float(row["value"]) for row in csv.DictReader(file)} == {"a": 0.9, "b": 0.6}


@pytest.mark.parametrize("control", [None, "a"])
def test_systems_without_a_common_language_are_not_ranked(tmp_path, control):
    for system, language, right in (("a", "en", 90), ("b", "de", 60)):
        add(tmp_path / system, share(right), language=language, train="fr")
    text = text_of(write_report(tmp_path, tmp_path / "r.html", control=control))[1]
    assert text.count("Systems are not ranked, because no language was measured with all of them.") == 2
    assert "reaches" not in text
    assert "Gain" not in text
    assert "Not in the" not in text


def test_a_system_with_an_undefined_score_is_named_and_not_ranked(tmp_path):
    for system, shares in {"a": {"de": 60, "fr": 60}, "b": {"de": 90, "fr": None}}.items():
        for language, right in shares.items():
            value = {} if right is not None else {"value": None}
            add(tmp_path / system, share(right or 0), language=language, **value)
    text = text_of(write_report(tmp_path, tmp_path / "r.html"))[1]
    assert "The best scores are: a in part-of-speech tagging (60.0 %)." in text
    assert "Not ranked, because a score is undefined: b on fr." in text


def test_a_better_system_without_a_control_is_named(tmp_path):
    """Of two bases with a control each, and one without."""
    for system, right, base in (("control 1", 50, "x"), ("ppa", 55, "x"), ("control 2", 40, "y"), ("lone", 70, "z")):
        for seed in (0, 1):
            settings = {"system": system, "control": "control" in system, "origin": base, "lineage": system}
            add(tmp_path / system, share(right), settings=settings, seeds=Seeds(finetune=seed), model_hash=system)
    text = text_of(write_report(tmp_path, tmp_path / "r.html"))[1]
    assert "Better, but not compared with a control: lone in part-of-speech tagging (70.0)." in text
