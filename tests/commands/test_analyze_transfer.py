"""Transfer to derived languages over a set of runs."""

import json
import math
import re

import pytest

from paralign.analyses.transfer import correlations, transfer_points
from paralign.commands.analyze_results import analyze_transfer
from paralign.errors import UserError
from paralign.metrics.correlation import spearman_interval
from paralign.report import write_report
from paralign.results import Measurement, Seeds, Where, write_results
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
    points, notes = transfer_points(published())
    assert notes == []
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


def test_errors_are_compared_the_other_way_round():
    info = {"title": "T", "main_metrics": ["wrong"], "lower_is_better": ["wrong"]}
    errors = [
        r.model_copy(update={"task": "my:T", "metric": "wrong", "value": 1 - r.value, "settings": r.settings
                             | {"task_info": info}})
        if (r.task, r.metric) == ("ner", "f1") else r for r in published() if r.metric != "accuracy"
    ]  # fmt: skip
    points, _ = transfer_points(errors)
    assert sorted(round(100 * p.delta, 1) for p in points) == pytest.approx(sorted(gaps(NER)))
    (known,) = correlations(points)
    assert known.value == pytest.approx(0.7811, abs=5e-5)


def test_the_axis_says_which_way_round_scores_are_subtracted(tmp_path):
    info = {"title": "T", "main_metrics": ["wrong"], "lower_is_better": ["wrong"]}
    known = row("twins", "precision_at_1_cosine", "en~inv", 0.5)
    errors = changed(pair(task="my:T", metric="wrong"), task_info=info)
    for name, rows in (("a", pair()), ("e", errors)):
        write_results(tmp_path / name, [(r, None) for r in [*rows, known]])
        analyze_transfer([tmp_path / name], out=tmp_path / f"out-{name}", quiet=True)
    page = write_report([tmp_path / "out-a", tmp_path / "out-e"], tmp_path / "page.html").html.read_text()
    assert re.findall("Δ = ([^<]+)", page) == ["zero-shot − supervised", "supervised − zero-shot"]


def test_seeds_of_fine_tuning_are_averaged_and_half_a_pair_is_no_point():
    rows = [row("pos", "accuracy", "en~inv", value, train="en", head=k) for k, value in enumerate((0.4, 0.6))]
    assert transfer_points(rows) == ([], [])
    ((point,), _) = transfer_points([*rows, row("pos", "accuracy", "en~inv", 0.9, train="en~inv")])
    assert (point.zero, point.supervised, point.heads) == (pytest.approx(0.5), 0.9, 1)
    assert math.isnan(point.alignment)
    assert correlations([point]) == []
    assert transfer_points([*rows, row("pos", "accuracy", "en~inv", 0.9, train="de")]) == ([], [])


def pair(zero=0.5, supervised=0.9, language="en~inv", task="pos", metric="accuracy", **more):
    """BZ and BS of one encoder, measured in one way."""
    return [
        row(task, metric, language, zero, train="en", **more),
        row(task, metric, language, supervised, train=language, **more),
    ]


def changed(rows, *, dataset="d", split="test", **settings):
    update = {"dataset": dataset, "split": split}
    return [r.model_copy(update=update | {"settings": r.settings | settings}) for r in rows]


@pytest.mark.parametrize(
    ("other", "names"),
    [
        ({"dataset": "gum"}, ("data d", "data gum")),
        ({"split": "dev"}, ("split test", "split dev")),
        ({"training": {"epochs": 9}}, ("", "epochs 9")),
        ({"task": {"max_pieces": 64}}, ("", "max_pieces 64")),
        ({"layers": {"of": "S", "reset": "0-1"}}, ("", "reset 0-1")),
        ({"maps": ["de→en (shift)"]}, ("", "maps de→en (shift)")),
    ],
)
def test_other_test_sets_splits_settings_and_layers_are_other_points(other, names):
    """Δ was -2.4 on average of two test sets on each of which it is 0."""
    one, two = pair(0.8, 0.8), changed(pair(0.3, 0.3), **other)
    points, notes = transfer_points([*one, *two])
    assert notes == []
    assert {p.condition: (p.zero, p.supervised) for p in points} == dict(
        zip(names, [(0.8, 0.8), (0.3, 0.3)], strict=True)
    )
    uneven, _ = transfer_points([*one, *two, changed(pair(0.3, 0.3, head=1), **other)[1]])
    assert [p.delta for p in uneven] == [0, 0]
    assert {p.system for p in points} == {"S"}


def test_outputs_of_the_head_do_not_divide_points():
    """They are those of the training data: BZ and BS may have other ones."""
    zero, supervised = pair(task="topics")
    rows = [*changed([zero], task={"labels": ["a", "b"]}), *changed([supervised], task={"labels": ["a"]})]
    points, notes = transfer_points(rows)
    assert ([(p.zero, p.supervised, p.condition) for p in points], notes) == ([(0.5, 0.9, "")], [])


def test_training_data_of_one_name_and_other_content_are_not_averaged():
    """BZ and BS are trained and selected on different files; pipes have no digests."""

    def on(content, rows):
        zero, supervised = changed(rows, training={"sets": ["d"], "dev": ["d-dev"]})
        return [*changed([zero], training_data={"train": content}),
                *changed([supervised], training_data={"train": "bs"})]  # fmt: skip

    earlier = changed(pair(), training={"sets": ["d"], "dev": ["d-dev"]})
    points, notes = transfer_points([*earlier, *on("bz", pair(0.6)), *on("bz", pair(0.6, head=1))])
    assert [(p.heads, p.zero, p.supervised) for p in points] == [(2, 0.6, 0.9)]  # the same measurement counts once
    assert notes == []
    with pytest.raises(UserError, match="content of the training data differs between runs of pos S, trained on en "):
        transfer_points([*on("bz", pair()), *on("other", pair(head=1))])


def test_questions_in_other_languages_are_other_points():
    rows = [
        found.model_copy(update={"where": Where(direction=direction)})
        for direction, zero in ((None, 0.5), ("en-en~inv", 0.3), ("de-en~inv", 0.1))
        for found in pair(zero, task="qa", metric="f1")
    ]
    points, notes = transfer_points(rows)
    assert notes == []
    assert {(p.zero, p.supervised, p.condition) for p in points} == {
        (0.5, 0.9, ""), (0.3, 0.9, "questions en"), (0.1, 0.9, "questions de"),
    }  # fmt: skip


def test_a_score_without_its_counterpart_is_noted_or_refused(tmp_path):
    mixed = [pair()[0], changed(pair(), dataset="gum")[1]]
    assert transfer_points(mixed) == (
        [], ["pos en~inv S: no Δ, BZ was measured as accuracy (data d), BS as accuracy (data gum)"]
    )  # fmt: skip
    write_results(tmp_path / "r", [(r, None) for r in mixed])
    with pytest.raises(UserError, match="no Δ, BZ was measured as accuracy") as caught:
        analyze_transfer([tmp_path / "r"], out=tmp_path / "out")
    assert "settings of the other" in str(caught.value)
    points, notes = transfer_points([*pair(), *mixed])
    assert len(points) == 1
    assert notes == []


def test_correlations_are_not_over_points_measured_in_different_ways():
    known = [row("twins", "precision_at_1_cosine", f"en~{x}", 0.1 * k, model=x) for k, x in enumerate(("inv", "trans"))]
    one = [r for x in ("inv", "trans") for r in pair(language=f"en~{x}", model=x)]
    points, _ = transfer_points([*known, *one, *changed(one, dataset="gum")])
    assert [(c.condition, c.points) for c in correlations(points)] == [("data d", 2), ("data gum", 2)]


def test_probes_are_no_transfer():
    rows = [*pair(), row("twins", "precision_at_1_cosine", "en~inv", 0.4)]
    probes = [one.model_copy(update={"task": "probes", "where": Where(layer=k)}) for one in pair() for k in range(3)]
    assert transfer_points(rows + probes) == transfer_points(rows)


def test_other_texts_and_other_ways_of_alignment_are_refused():
    first, second = pair()
    digests = [r.model_copy(update={"settings": r.settings | {"data": k}}) for k, r in (("1", first), ("2", second))]
    with pytest.raises(UserError, match="test texts of en~inv in d differ between runs of pos S"):
        transfer_points(digests)
    golds = [r.model_copy(update={"settings": r.settings | {"gold": k}}) for k, r in (("1", first), ("2", second))]
    with pytest.raises(UserError, match="gold answers of en~inv in d differ between runs of pos S"):
        transfer_points(golds)
    twins = row("twins", "precision_at_1_cosine", "en~inv", 0.5)
    with pytest.raises(UserError, match="alignment of en~inv in m was measured in several ways"):
        transfer_points([first, second, twins, twins.model_copy(update={"dataset": "other"})])


def test_the_same_measurement_in_two_folders_counts_once():
    (point,), _ = transfer_points([*pair(), *pair(), *pair(0.7, head=1)[:1]])
    assert point.zero == pytest.approx(0.6)
    assert point.heads == 1


@pytest.mark.parametrize(
    ("task", "metric"),
    [("parsing", "las_without_punctuation"), ("parsing", "las_with_subtypes"), ("qa", "f1_mlqa"), ("nli", "accuracy")],
)
def test_main_metrics_count_under_any_condition(task, metric):
    (point,), _ = transfer_points(pair(task=task, metric=metric))
    assert (point.task, point.metric) == (task, metric)
    assert transfer_points(pair(task=task, metric="uas")) == ([], [])


def test_the_metric_of_a_task_outside_the_table_is_the_one_it_declares():
    info = {"title": "Stemming", "main_metrics": ["distance"], "lower_is_better": ["distance"]}
    rows = [*pair(task="stem", metric="accuracy"), *pair(task="stem", metric="distance")]
    (point,), _ = transfer_points(changed(rows, task_info=info))
    assert point.metric == "distance"
    (point,), _ = transfer_points(rows)
    assert point.metric == "accuracy"


def test_equal_means_are_ties():
    """0.1 and 0.2 have the mean 0.15000000000000002, which is not 0.15."""
    rows = []
    for k, (first, second) in enumerate(((0.1, 0.2), (0.15, 0.15), (0.3, 0.3), (0.4, 0.4))):
        rows += pair(0.5 + 0.1 * k, model=f"m{k}")
        for value, direction in ((first, "en-en~inv"), (second, "en~inv-en")):
            found = row("twins", "precision_at_1_cosine", "en~inv", value, model=f"m{k}")
            rows.append(found.model_copy(update={"where": Where(direction=direction)}))
    points, _ = transfer_points(rows)
    assert sorted(p.alignment for p in points) == [0.15, 0.15, 0.3, 0.4]
    (found,) = correlations(points)
    # Ranks 1.5 1.5 3 4 of alignment and 1 2 3 4 of Δ: covariance 4.5, variances 4.5 and 5.
    assert found.value == pytest.approx(4.5 / math.sqrt(4.5 * 5))


def test_the_interval_is_from_resampling_encoders():
    """Nine points of three encoders are three encoders; each point twice is not twice the evidence."""
    names = ["inv", "trans", "perm"]
    rows = []
    for k in range(3):
        for n, x in enumerate(names):
            given = {"language": f"en~{x}", "model": f"m{k}", "system": f"S{k}"}
            rows += [*pair(0.1 * k + 0.01 * n, 0.9, **given)]
            rows.append(row("twins", "precision_at_1_cosine", value=0.2 * k + 0.02 * n, **given))
    (few,) = correlations(transfer_points(rows)[0])
    assert (few.points, few.value) == (9, pytest.approx(1))
    assert math.isnan(few.low)
    points, _ = transfer_points(published())
    encoders = [p.model_hash for p in points]
    (found,) = correlations(points)
    wanted = spearman_interval([p.alignment for p in points], [p.delta for p in points], groups=[encoders])
    assert (found.low, found.high) == wanted


def test_encoders_of_one_name_are_separate_systems():
    seeds = [r for k in (0, 1) for r in pair(model=f"m{k}")]
    seeds = [r.model_copy(update={"seeds": Seeds(pretrain=int(r.model[1]), finetune=0)}) for r in seeds]
    assert {p.system for p in transfer_points(seeds)[0]} == {"S"}
    others = [r.model_copy(update={"seeds": Seeds(pretrain=0, finetune=0)}) for r in seeds]
    assert {p.system for p in transfer_points(others)[0]} == {"S (m0)", "S (m1)"}
    languages = [r for x in ("inv", "perm") for r in pair(model=f"en~{x}-mlm", language=f"en~{x}")]
    assert {p.system for p in transfer_points(languages)[0]} == {"S"}  # pretrained on each language


def test_a_figure_for_each_condition(tmp_path):
    write_results(tmp_path / "r", [(r, None) for r in [*pair(), *changed(pair(0.1), dataset="gum")]])
    analyze_transfer([tmp_path / "r"], out=tmp_path / "out", quiet=True)
    page = write_report([tmp_path / "out"], tmp_path / "page.html").html.read_text()
    assert "pos (accuracy, data d)" in page
    assert "pos (accuracy, data gum)" in page


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
    assert analyze_transfer([tmp_path / "runs"], out=tmp_path / "out", quiet=True) == transfer_points(rows)[0]


def test_what_cannot_be_compared(tmp_path):
    with pytest.raises(UserError, match=r"no results\.jsonl"):
        analyze_transfer([tmp_path], out=tmp_path / "out")
    write_results(tmp_path / "r", [(row("pos", "accuracy", "en", 0.5, train="en"), None)])
    with pytest.raises(UserError, match="both on a language and on one derived from it"):
        analyze_transfer([tmp_path / "r"], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
