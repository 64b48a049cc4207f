"""The numbers on the page against numbers computed from the generator, not from the report's code."""

import csv
import statistics

import numpy as np
import pytest

from paralign.metrics import compare_over_seeds, is_significant, paired_bootstrap, paired_bootstrap_mean
from paralign.report.comparison import paired_scores
from paralign.results import Seeds
from tests.report.reading import read
from tests.report.synthetic import LANGUAGES, SYSTEMS, retrieval_items, tagging_items

POS = "Part-of-speech tagging: accuracy, trained on en"
CLS = "Sentence retrieval: accuracy, cosine, [CLS]"
OTHERS = LANGUAGES[1:]


def score(items):
    return items[:, 0].sum() / items[:, 1].sum()


def tagging(system, language):
    return [tagging_items(system, language, seed) for seed in range(3)]


def both_directions(system, language, pool="cls", metric="accuracy_cosine"):
    return [retrieval_items(system, language, d, pool, metric) for d in sorted((f"en-{language}", f"{language}-en"))]


def percent(value):
    return f"{100 * value:z.1f}".replace("-", "−")  # z: never -0.0


def plus(value):
    return f"{100 * value:+.1f}".replace("-", "−")


def printed(mean, sd=None, compared=None):
    """The text of a cell: score, spread, difference with its mark, interval."""
    parts = [percent(mean)] if mean is not None else []
    parts += [f"± {percent(sd)}"] if sd is not None else []
    if compared:
        parts.append(plus(compared.difference) + ("*" if is_significant(compared) else ""))
        parts.append(f"[{percent(compared.low)}, {percent(compared.high)}]")
    return " ".join(parts)


def by_seed(system, languages):
    """Seed -> mean score over languages."""
    return {seed: statistics.fmean(score(tagging_items(system, lang, seed)) for lang in languages) for seed in range(3)}


def compare(system, *languages):
    """Compare with the control over items and seeds."""
    pairs = [(np.stack(tagging(system, lang)), np.stack(tagging("control", lang))) for lang in languages]
    return compare_over_seeds(paired_bootstrap_mean(pairs), by_seed(system, languages), by_seed("control", languages))


@pytest.fixture(scope="module")
def page(report):
    return read(report.html.read_text(encoding="utf-8"))


def cells(page, title):
    head, *rows = page.tables[title]
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in rows}


def test_zero_shot_table(page):
    found = cells(page, POS)
    assert list(found) == ["control", "base", "ppa"], "the control first"
    for system in SYSTEMS:
        scores = {lang: [score(items) for items in tagging(system, lang)] for lang in LANGUAGES}
        for lang in LANGUAGES:
            compared = None
            if system != "control" and lang != "en":
                compared = compare(system, lang)
            mean, sd = statistics.fmean(scores[lang]), statistics.stdev(scores[lang])
            assert found[system][lang] == printed(mean, sd, compared)
        averages = by_seed(system, OTHERS).values()
        average = statistics.fmean(averages)
        assert found[system]["average"].startswith(printed(average, statistics.stdev(averages)))
        assert found[system]["gap to en"] == percent(statistics.fmean(scores["en"]) - average)


def test_average_difference_and_change_on_english(page):
    found = cells(page, POS)
    for system in ("base", "ppa"):
        assert found[system]["average"].endswith(printed(None, None, compare(system, *OTHERS)))
        assert found[system]["change on en"] == printed(None, None, compare(system, "en"))
    assert found["control"]["change on en"] == ""


def test_retrieval_is_the_mean_of_both_directions(page):
    found = cells(page, CLS)
    for system in SYSTEMS:
        for lang in OTHERS:
            compared = None
            if system != "control":
                stacked = (np.stack(both_directions(name, lang)) for name in (system, "control"))
                compared = paired_bootstrap(*stacked)
            mean = statistics.fmean(map(score, both_directions(system, lang)))
            assert found[system][lang] == printed(mean, None, compared)


def test_a_table_for_each_pool_and_metric_and_csls_folded(page):
    retrieval = [title for title in page.tables if title.startswith("Sentence retrieval")]
    assert retrieval == [
        CLS,
        "Sentence retrieval: accuracy, cosine, mean pooling",
        "Sentence retrieval: accuracy, CSLS, [CLS]",
        "Sentence retrieval: accuracy, CSLS, mean pooling",
    ]
    assert sum(tag == "details" and attrs.get("class") == "folded" for tag, attrs in page.tags) == 2
    csls = cells(page, retrieval[2])["ppa"]["de"]
    mean = statistics.fmean(map(score, both_directions("ppa", "de", "cls", "accuracy_csls")))
    assert csls.startswith(percent(mean))


def test_best_of_each_column_is_bold(page):
    means = {s: [statistics.fmean(map(score, tagging(s, lang))) for lang in LANGUAGES] for s in SYSTEMS}
    for values in means.values():
        values.insert(0, statistics.fmean(values[1:]))
    best = [max(column) for column in zip(*means.values(), strict=True)]
    rows = ("control", "base", "ppa")
    expected = [percent(v) for s in rows for v, top in zip(means[s], best, strict=True) if v == top]
    assert len(expected) == 6
    assert page.bold[:6] == expected


def test_seeds_and_items_are_named(page):
    text = " ".join(page.text)
    assert "control and ppa: n = 3, 3 fine-tuning seeds (0, 1, 2) × 1 alignment seed (7)." in text
    assert "base: n = 3, 3 fine-tuning seeds (0, 1, 2)." in text
    assert "200 test items per language; data: made-up (test)" in text
    assert "500 test items per language; data: made-up (test); mean of both directions" in text


def test_the_summary_has_the_same_numbers(page):
    average = {
        s: statistics.fmean(score(items) for lang in OTHERS for items in tagging(s, lang)) for s in ("ppa", "control")
    }
    change = statistics.fmean(score(i) for i in tagging("ppa", "en")) - statistics.fmean(
        score(i) for i in tagging("control", "en")
    )
    text = " ".join(page.text).replace("\N{NO-BREAK SPACE}", " ")
    average_gap = compare("ppa", *OTHERS)
    assert is_significant(average_gap)
    assert (
        f"ppa, the highest of 2 systems besides the control, reaches {percent(average['ppa'])} % on average over"
        f" de, fr, hi and zh, {percent(average['ppa'] - average['control'])} points above the control (95 % interval"
        f" over test items and seeds {percent(average_gap.low)} to {percent(average_gap.high)})." in text
    )
    english = compare("ppa", "en")
    assert not is_significant(english)
    limits = f"{percent(english.low)} to {percent(english.high)}"
    assert (
        f"On en the difference from the control is {plus(change)} points (95 % interval over test items and seeds"
        f" {limits}), not statistically significant." in text
    )
    retrieval = text.split("Results")[1].split("Sentence retrieval: accuracy, cosine, [CLS] ")[1]
    retrieval = retrieval.split("Sentence retrieval")[0]
    assert "(95 % interval over test items " in retrieval
    assert "; not tested: one seed)." in retrieval
    assert "above" not in retrieval


def test_csv_holds_every_number_unrounded(report):
    with report.csv.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    keys = [(r["system"], r["task"], r["metric"], r["pool"], r["direction"], r["language"]) for r in rows]
    assert len(set(keys)) == len(keys) == 3 * (5 + 1 + 2 * 2 * (4 * 3 + 1)), "with averages"
    found = dict(zip(keys, rows, strict=True))
    pos = found["ppa", "pos", "accuracy", "", "", "de"]
    values = [score(items) for items in tagging("ppa", "de")]
    assert float(pos["mean"]) == pytest.approx(statistics.fmean(values), abs=1e-12)
    assert float(pos["sd"]) == pytest.approx(statistics.stdev(values), abs=1e-12)
    compared = compare("ppa", "de")
    told = [float(pos[name]) for name in ("diff_to_control", "low", "high", "p")]
    assert told == pytest.approx([compared.difference, compared.low, compared.high, compared.p], abs=1e-9)
    assert (pos["n_seeds"], pos["n_items"], pos["train"], pos["control"]) == ("3", "200", "en", "false")
    assert (pos["interval_over"], pos["significant"]) == ("items and seeds", str(is_significant(compared)).lower())
    average = found["ppa", "pos", "accuracy", "", "", "average"]
    values = [
        statistics.fmean(map(score, of_seed))
        for of_seed in zip(*(tagging("ppa", lang) for lang in OTHERS), strict=True)
    ]
    told = [float(average[name]) for name in ("mean", "sd")]
    assert told == pytest.approx([statistics.fmean(values), statistics.stdev(values)], abs=1e-12)
    compared = compare("ppa", *OTHERS)
    told = [float(average[name]) for name in ("diff_to_control", "low", "high", "p")]
    assert told == pytest.approx([compared.difference, compared.low, compared.high, compared.p], abs=1e-9)
    assert (average["n_seeds"], average["n_items"], average["significant"]) == ("3", "", "true")
    assert average["compared_with"] == "control"
    assert found["ppa", "retrieval", "accuracy_csls", "mean", "mean", "average"]["p"] == "", "one seed"
    one_way = found["ppa", "retrieval", "accuracy_csls", "mean", "zh-en", "zh"]
    expected = score(retrieval_items("ppa", "zh", "zh-en", "mean", "accuracy_csls"))
    assert float(one_way["mean"]) == pytest.approx(expected, abs=1e-12)
    assert float(one_way["low"]) < float(one_way["diff_to_control"]) < float(one_way["high"])
    assert (one_way["interval_over"], one_way["p"], one_way["significant"]) == ("items", "", ""), "one seed"
    both = found["ppa", "retrieval", "accuracy_csls", "mean", "mean", "zh"]
    expected = statistics.fmean(map(score, both_directions("ppa", "zh", "mean", "accuracy_csls")))
    assert float(both["mean"]) == pytest.approx(expected, abs=1e-12)
    control = found["control", "pos", "accuracy", "", "", "de"]
    assert (control["control"], control["diff_to_control"], control["p"]) == ("true", "", "")


def test_markdown_holds_the_same_tables(report, page):
    lines = report.markdown.read_text(encoding="utf-8").splitlines()
    for title in (POS, CLS):
        start = lines.index("### " + title.replace("[", "\\[").replace("]", "\\]")) + 2
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start : start + 5]]
        plain = [[" ".join(cell.replace("**", "").replace("\\*", "*").split("<br>")) for cell in row] for row in rows]
        assert [plain[0], *plain[2:]] == page.tables[title]


def units(*seeds):
    """Scores of units with the given seeds of pretraining, alignment and fine-tuning: 1, 2, …"""
    return {(Seeds(pretrain=p, align=a, finetune=f), f"{p} {a}"): k for k, (p, a, f) in enumerate(seeds, 1)}


@pytest.mark.parametrize(
    ("treated", "control", "paired"),
    [
        # each alignment fine-tuned once, the control never aligned
        ([(0, k, k) for k in range(3)], [(0, None, k) for k in range(3)], ({0: 1, 1: 2, 2: 3}, {0: 1, 1: 2, 2: 3})),
        # in another order
        ([(0, 5, 1), (0, 6, 0)], [(0, None, 0), (0, None, 1)], ({1: 1, 0: 2}, {0: 1, 1: 2})),
        # one fine-tuning seed: the alignments are paired
        ([(0, 5, 0), (0, 6, 0)], [(0, 6, 0), (0, 5, 0)], ({5: 1, 6: 2}, {6: 1, 5: 2})),
        # other fine-tuning seeds
        ([(0, k, k) for k in range(2)], [(0, None, k + 7) for k in range(2)],
         ({("align", 0): 1, ("align", 1): 2}, {("finetune", 7): 1, ("finetune", 8): 2})),
        # four fine-tuning seeds of two alignments
        ([(0, k // 2, k) for k in range(4)], [(0, None, k) for k in range(4)],
         ({("align", 0): 1.5, ("align", 1): 3.5}, {("finetune", k): k + 1 for k in range(4)})),
        # one more seed
        ([(0, k, k) for k in range(3)], [(0, None, k) for k in range(2)],
         ({("align", k): k + 1 for k in range(3)}, {("finetune", k): k + 1 for k in range(2)})),
    ],
)  # fmt: skip
def test_independent_seeds_are_paired_by_the_last_stage_that_they_share(treated, control, paired):
    assert paired_scores(units(*treated), units(*control)) == paired


def test_seeds_that_are_unknown_are_not_paired():
    unknown = {(Seeds(), "a"): 1.0, (Seeds(), "b"): 2.0}
    assert paired_scores(unknown, {(Seeds(), "c"): 1.0, (Seeds(), "d"): 2.0})[0] == unknown
