"""Baselines are shown next to the systems, never among them. Numbers computed by hand."""

import csv

import pytest

from paralign.report import write_report
from tests.report.reading import text_of
from tests.report.synthetic import add, share

NLI = "Natural language inference: accuracy, trained on en"
MAJORITY = {"en": 0.5, "de": 0.34, "fr": 0.4}


def measure(run, scores, majority=MAJORITY, control=False, **fields):
    for language, right in scores.items():
        settings = {"system": run.name, "control": control}
        if majority:
            settings["baselines"] = {"majority": majority[language], "chance": 1 / 3}
        add(run, share(right), task="nli", language=language, train="en", settings=settings, **fields)
    return run


@pytest.fixture
def paths(tmp_path):
    control = measure(tmp_path / "mlm", {"en": 80, "de": 34, "fr": 50}, control=True)
    better = measure(tmp_path / "ppa", {"en": 82, "de": 60, "fr": 33})
    return write_report([control, better], tmp_path / "r.html")


def test_a_line_a_baseline_below_the_systems_chance_first(paths):
    page, _ = text_of(paths)
    head, *rows = page.tables[NLI]
    assert head == ["system", "average", "en", "change on en", "gap to en", "de", "fr"]
    assert [row[0] for row in rows] == ["mlm (control)", "ppa", "chance (baseline)", "majority (baseline)"]
    assert rows[2][1:] == ["33.3", "33.3", "", "", "33.3", "33.3"]
    assert rows[3][1:] == ["37.0", "50.0", "", "", "34.0", "40.0"]
    bodies = [attrs.get("class") for tag, attrs in page.tags if tag == "tbody"]
    assert bodies[:2] == [None, "baselines"], "apart, so that sorting leaves them below"


def test_scores_not_above_a_baseline_are_marked(paths):
    page, text = text_of(paths)
    control, treated = page.tables[NLI][1:3]
    assert [cell.split()[0] for cell in (control[1], control[2], *control[5:])] == ["42.0", "80.0", "34.0", "50.0"]
    assert [cell.split()[1:2] for cell in (control[1], control[2], *control[5:])] == [[], [], ["†"], []]
    assert [cell.split()[:2] for cell in treated[5:]] == [["60.0", "+26.0"], ["33.0", "†"]]
    titles = [attrs["title"] for tag, attrs in page.tags if tag == "abbr"]
    assert titles == ["not above majority (34.0)", "not above majority (40.0) and chance (33.3)"]
    assert "† marks scores that are not better than a baseline" in text
    assert "chance answers at random; majority always gives the most frequent answer." in text


def test_an_average_not_above_the_average_baseline_is_marked(tmp_path):
    run = measure(tmp_path / "weak", {"en": 80, "de": 39, "fr": 35})  # 37.0 on average, as majority
    page, _ = text_of(write_report([run], tmp_path / "r.html"))
    assert page.tables[NLI][1][1:] == ["37.0 †", "80.0", "43.0", "39.0", "35.0 †"]


def test_where_small_is_good_a_score_not_below_the_baseline_is_marked(tmp_path):
    for name, errors in (("a", 40), ("b", 20)):
        settings = {"system": name, "baselines": {"a guess": 0.5, "chance": 0.3}}
        add(tmp_path / name, share(errors), metric="error", settings=settings)
    page, _ = text_of(write_report([tmp_path / "a", tmp_path / "b"], tmp_path / "r.html"))
    _, *rows = page.tables["Part-of-speech tagging: error"]
    assert rows == [["a", "40.0 †"], ["b", "20.0"], ["chance (baseline)", "30.0"], ["a guess (baseline)", "50.0"]]
    assert [attrs["title"] for tag, attrs in page.tags if tag == "abbr"] == ["not below chance (30.0)"]


def test_baselines_are_no_systems(tmp_path):
    control = measure(tmp_path / "mlm", {"en": 10, "de": 10, "fr": 10}, control=True)
    treated = measure(tmp_path / "ppa", {"en": 20, "de": 20, "fr": 20})
    page, text = text_of(write_report([control, treated], tmp_path / "r.html"))
    answer = text.split("chance")[0]
    assert "ppa reaches 20.0 % on average over de and fr. The difference from the control is +10.0 points" in answer
    assert "majority" not in answer
    assert page.bold == ["20.0"] * 4, "the best system, however weak"
    assert "Each system: n = 1" in text


def test_a_baseline_that_differs_between_systems_is_left_out_with_a_note(tmp_path):
    one = measure(tmp_path / "a", {"en": 80, "de": 60, "fr": 45})
    other = measure(tmp_path / "b", {"en": 80, "de": 60, "fr": 45}, majority=MAJORITY | {"fr": 0.45})
    page, text = text_of(write_report([one, other], tmp_path / "r.html"))
    first, second, chance, majority = page.tables[NLI][1:]
    assert chance[1:] == ["33.3", "33.3", "", "33.3", "33.3"]
    assert majority[1:] == ["–", "50.0", "", "34.0", "–"]
    assert "The baseline 'majority' is not shown for fr: it differs between systems" in text
    assert [first[5], second[5]] == ["45.0", "45.0 †"], "each is held against its own data"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (({"data": "t", "gold": "1"}, {"data": "t", "gold": "1"}), "so their heads have different labels."),
        (({"data": "t"}, {"data": "t", "gold": "1"}), "so they were measured on different data."),
        (({"data": "t", "gold": "1"}, {"data": "t", "gold": "2"}), "so they were measured on different data."),
        (({"data": "t", "gold": "1"}, {"data": "u", "gold": "1"}), "so they were measured on different data."),
    ],
)
def test_the_note_says_why_a_baseline_differs(tmp_path, data, reason):
    runs = []
    for name, chance, more in zip("ab", (1 / 3, 1 / 4), data, strict=True):
        settings = {"system": name, "baselines": {"chance": chance}} | more
        runs.append(add(tmp_path / name, share(40), task="topics", settings=settings))
    _, text = text_of(write_report(runs, tmp_path / "r.html"))
    assert f"The baseline 'chance' is not shown for de: it differs between systems, {reason}" in text


def test_runs_without_baselines_have_none(tmp_path):
    run = measure(tmp_path / "a", {"de": 10}, majority=None)
    page, text = text_of(write_report([run], tmp_path / "r.html"))
    assert page.tables[NLI][1:] == [["a", "10.0"]]
    assert "baseline" not in text
    assert "†" not in text


def test_a_run_without_baselines_does_not_hide_those_of_others(tmp_path):
    old, new = measure(tmp_path / "old", {"de": 10}, majority=None), measure(tmp_path / "new", {"de": 10})
    page, _ = text_of(write_report([old, new], tmp_path / "r.html"))
    assert page.tables[NLI][1:] == [
        ["old", "10.0"],
        ["new", "10.0 †"],
        ["chance (baseline)", "33.3"],
        ["majority (baseline)", "34.0"],
    ]


@pytest.mark.parametrize("told", ["many", ["chance"], {"chance": "often"}, {"chance": None}, {"chance": float("nan")}])
def test_baselines_that_are_no_numbers_are_passed_over(tmp_path, told):
    run = add(tmp_path / "a", share(10), settings={"baselines": told})
    page, _ = text_of(write_report([run], tmp_path / "r.html"))
    assert page.tables["Part-of-speech tagging: accuracy"] == [["system", "de"], ["a", "10.0"]]


def test_markdown_and_csv_hold_them_too(paths):
    lines = paths.markdown.read_text(encoding="utf-8").splitlines()
    assert "| majority (baseline) | 37.0 | 50.0 |  |  | 34.0 | 40.0 |" in lines
    assert any(line.startswith("| ppa |") and "| 33.0†<br>−17.0" in line for line in lines)
    assert any("† marks scores" in line for line in lines)
    with paths.csv.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    found = {(row["system"], row["language"]): float(row["mean"]) for row in rows if row["baseline"] == "true"}
    assert found == {
        (name, language): value
        for language, majority in {**MAJORITY, "average": 0.37}.items()
        for name, value in (("chance", 1 / 3), ("majority", majority))
    }
    assert [row["system"] for row in rows if row["baseline"] == "false"] == ["mlm"] * 4 + ["ppa"] * 4
    assert {row["diff_to_control"] for row in rows if row["baseline"] == "true"} == {""}
