"""What goes with transfer, over a set of runs."""

import json
import math
import re
import shutil

import pytest

from paralign.analyses.correlation import predictor_correlations, transfer_scores
from paralign.commands.analyze_results import analyze_correlation
from paralign.errors import UserError
from paralign.metrics.correlation import spearman, spearman_interval
from paralign.report import write_report
from paralign.results import Measurement, Seeds, Where, write_results
from paralign.runs.groups import results_of


def row(task, metric, language, value, model, *, train=None, head=None, layer=None, pool=None, **settings):
    settings |= {"training": {}} if train else {}
    return Measurement(
        task=task, dataset="d", language=language, metric=metric, value=value, n=10, train=train, model=model,
        model_hash=model, run="r", seeds=Seeds(finetune=head), where=Where(layer=layer, pool=pool),
        settings={"system": model.upper(), **settings},
    )  # fmt: skip


CKA = {"a": 0.2, "b": 0.4, "c": 0.6, "d": 0.8}


def rows(languages=(("de", 0.1), ("zh", 0.4))):
    out = []
    for model, cka in CKA.items():
        for head in (0, 1):
            out.append(row("pos", "accuracy", "en", 0.9 + 0.02 * head, model, train="en", head=head))
            out.append(row("pos", "other", "en", 0.1, model, train="en", head=head))
            for language, far in languages:
                value = 0.9 - far + 0.05 * cka + 0.02 * head
                out.append(row("pos", "accuracy", language, value, model, train="en", head=head))
        for near, (language, _) in zip((0.1, 0.0, 0.05, 0.02), languages, strict=False):
            out += [row("similarity", "cka", language, cka + near * k, model, layer=k, pool="mean") for k in range(3)]
            for pool, sign in (("mean", -1), ("cls", 1)):
                out.append(row("retrieval", "accuracy_cosine", language, 0.5 + sign * cka / 2, model, pool=pool))
    return out


def rows_of_errors():
    own = {"task_info": {"title": "T", "main_metrics": ["wrong"], "lower_is_better": ["wrong"]}}
    update = {"task": "my:T", "metric": "wrong"}
    return [r.model_copy(update=update | {"value": 1 - r.value, "settings": r.settings | own})
            if r.task == "pos" else r for r in rows() if r.metric != "other"]  # fmt: skip


def test_errors_lose_what_accuracies_lose():
    points, _ = transfer_scores(rows())
    errors, _ = transfer_scores(rows_of_errors())
    assert [p.loss for p in errors] == pytest.approx([p.loss for p in points])
    assert [p.score for p in errors] == pytest.approx([1 - p.score for p in points])
    expected = [(c.predictor, pytest.approx(c.value)) for c in predictor_correlations(points)]
    assert [(c.predictor, c.value) for c in predictor_correlations(errors)] == expected


def test_the_axis_says_which_way_round_scores_are_subtracted(tmp_path):
    for name, given in (("a", rows()), ("e", rows_of_errors())):
        few = [r for r in given if r.where.pool in (None, "cls") and r.language in ("en", "de")]  # one predictor
        write_results(tmp_path / name, [(r, None) for r in few])
        analyze_correlation([tmp_path / name], out=tmp_path / f"out-{name}", quiet=True)
    page = write_report([tmp_path / "out-a", tmp_path / "out-e"], tmp_path / "page.html").html.read_text()
    assert re.findall("([^<>]+), points<", page) == ["target − source", "source − target"]


def test_points_and_correlations_by_hand():
    points, notes = transfer_scores(rows())
    assert notes == []
    assert len(points) == 8
    one = next(p for p in points if (p.system, p.language) == ("B", "de"))
    assert one.score == pytest.approx(0.9 - 0.1 + 0.02 + 0.01)
    assert one.loss == pytest.approx(0.91 - one.score)
    assert one.known["cka, last layer"] == pytest.approx(0.6)
    assert one.known["cka, mean of layers"] == pytest.approx((0.5 + 0.6) / 2)  # the embeddings left out
    assert one.known["retrieval, mean"] == pytest.approx(0.3)
    found = {c.predictor: c for c in predictor_correlations(points)}
    assert list(found) == ["cka, last layer", "cka, mean of layers", "retrieval, mean", "retrieval, cls"]
    kept = [-p.loss for p in points]
    for name, c in found.items():
        assert (c.points, c.encoders, c.languages) == (8, 4, 2)
        assert c.value == pytest.approx(spearman([p.known[name] for p in points], kept))
        assert math.isnan(c.low)  # two languages tell nothing of others
    assert found["retrieval, mean"].within == pytest.approx(-1)  # encoders that find more lose more, in each language
    assert found["cka, last layer"].within == pytest.approx(1)


def test_equal_means_are_ties():
    """0.1 and 0.2 have the mean 0.15000000000000002, which is not 0.15."""
    sides = {"a": (0.1, 0.2), "b": (0.15, 0.15), "c": (0.3, 0.3), "d": (0.4, 0.4)}
    given = [r for r in rows((("de", 0.1),)) if r.task == "pos"]
    for model, (first, second) in sides.items():
        for direction, value in (("en-de", first), ("de-en", second)):
            found = row("retrieval", "accuracy_cosine", "de", value, model, pool="mean")
            given.append(found.model_copy(update={"where": Where(pool="mean", direction=direction)}))
        given += [row("similarity", "cka", "de", value, model, layer=k, pool="mean")
                  for k, value in enumerate((0.9, first, second))]  # fmt: skip
    points, _ = transfer_scores(given)
    assert [p.known["retrieval, mean"] for p in points] == [0.15, 0.15, 0.3, 0.4]
    found = {c.predictor: c for c in predictor_correlations(points)}
    # Ranks 1.5 1.5 3 4 of the predictor and 1 2 3 4 of the scores: covariance 4.5, variances 4.5 and 5.
    for name in ("retrieval, mean", "cka, mean of layers"):
        assert found[name].value == pytest.approx(4.5 / math.sqrt(4.5 * 5))


FOUR = (("de", 0.1), ("zh", 0.4), ("fr", 0.2), ("hi", 0.3))


def test_the_interval_is_that_of_other_encoders_and_languages():
    points, _ = transfer_scores(rows(FOUR))
    found = {c.predictor: c for c in predictor_correlations(points)}
    for name in ("cka, last layer", "retrieval, mean"):
        x, y = [p.known[name] for p in points], [-p.loss for p in points]
        wanted = spearman_interval(x, y, groups=([p.model_hash for p in points], [p.language for p in points]))
        assert (found[name].low, found[name].high) == wanted
        assert wanted[0] < wanted[1]


def test_other_training_files_and_numbers_of_sentences_are_other_ways():
    again = []
    for r in rows():
        if (r.task, r.language, r.model) == ("pos", "de", "a"):
            for settings in ({"training": {"epochs": 9}}, {"data": "f00d"}):
                again.append(r.model_copy(update={"value": 0.1, "settings": r.settings | settings}))
        if (r.task, r.language, r.model) == ("similarity", "de", "a"):
            again.append(r.model_copy(update={"value": 0.9, "n": 60}))
    points, notes = transfer_scores(again + rows())
    assert points == transfer_scores(rows())[0]
    assert [note.rpartition(" counts, ")[2] for note in notes] == [
        "pos from en epochs=9 does not", "pos on d test f00d does not", "CKA of 60 sentences of d  does not"
    ]  # fmt: skip


def test_training_data_of_one_name_and_other_content_is_another_way():
    def on(content, given):
        settings = given.settings | ({"training_data": {"train": content}} if given.train else {})
        return given.model_copy(update={"settings": settings})

    usual = [on("a1", r) for r in rows()]
    again = [on("b2", r).model_copy(update={"value": 0.1}) for r in rows() if r.train and r.model == "a"]
    points, notes = transfer_scores([*again, *usual])
    assert points == transfer_scores(rows())[0]
    assert notes == ["measured in several ways: pos from en train data=a1 counts, pos from en train data=b2 does not"]
    earlier = [r if r.model == "b" else on("a1", r) for r in rows()]  # which did not record it
    assert transfer_scores(earlier) == transfer_scores(rows())


def test_encoders_of_one_name_are_separate_systems():
    named = [r.model_copy(update={"settings": r.settings | {"system": "PPA"}}) for r in rows()]
    assert {p.system for p in transfer_scores(named)[0]} == {f"PPA ({model})" for model in CKA}
    seeds = [r.model_copy(update={"seeds": Seeds(align="abcd".index(r.model), finetune=r.seeds.finetune)})
             for r in named]  # fmt: skip
    assert {p.system for p in transfer_scores(seeds)[0]} == {"PPA"}


def test_mapped_vectors_are_another_way():
    mapped = [r.model_copy(update={"value": 0.0, "settings": r.settings | {"maps": ["de: hmm"]}})
              for r in rows() if r.task == "retrieval" and r.model == "a"]  # fmt: skip
    points, notes = transfer_scores([*rows(), *mapped])
    assert points == transfer_scores(rows())[0]
    usual = "retrieval among 10 of d test"
    assert notes == [f"measured in several ways: {usual} counts, {usual}, maps ['de: hmm'] does not"]


def test_mapped_scores_of_a_head_are_another_way():
    """Of models that were evaluated after their fine-tuning, with and without maps."""
    later = [r.model_copy(update={"settings": {"system": r.settings["system"]}}) if r.train else r for r in rows()]
    mapped = [r.model_copy(update={"value": 0.0, "settings": r.settings | {"maps": ["de: hmm"]}})
              for r in later if (r.task, r.metric, r.language, r.model) == ("pos", "accuracy", "de", "a")]  # fmt: skip
    points, notes = transfer_scores([*later, *mapped])
    assert points == transfer_scores(later)[0]
    assert notes == ["measured in several ways: pos on d test counts, pos on d test, maps ['de: hmm'] does not"]


def test_what_does_not_count():
    some = [r for r in rows() if not (r.task == "pos" and r.language == "en")]
    assert transfer_scores(some)[0] == []  # no score of the source
    changed = [r.model_copy(update={"settings": r.settings | {"layers": {"reset": "0"}}}) for r in rows()]
    assert transfer_scores(changed)[0] == []
    assert transfer_scores([r for r in rows() if r.task == "pos"])[0] == []  # nothing to tell it by
    few, _ = transfer_scores([r for r in rows() if r.model == "a"])
    assert len(few) == 2
    assert predictor_correlations(few) == []
    three = predictor_correlations(transfer_scores([r for r in rows() if r.model != "a"])[0])
    assert all(math.isnan(c.within) for c in three)


def test_two_sources_are_not_two_encoders():
    more = [r.model_copy(update={"train": "fr", "language": {"en": "fr"}.get(r.language, r.language)})
            for r in rows() if r.task == "pos"]  # fmt: skip
    near = [r.model_copy(update={"where": r.where.model_copy(update={"direction": f"fr-{r.language}"})})
            for r in rows() if r.task == "similarity"]  # fmt: skip
    points, _ = transfer_scores([r for r in rows() + more + near if r.model in ("a", "b")])
    assert {p.source for p in points} == {"en", "fr"}
    assert all(math.isnan(c.within) for c in predictor_correlations(points))


def test_ways_to_measure_are_not_mixed():
    biased = [r.model_copy(update={"value": 0.99, "settings": r.settings | {"similarity": {"debiased": False}}})
              for r in rows() if r.task == "similarity" and r.model == "a"]  # fmt: skip
    other = [r.model_copy(update={"dataset": "x", "value": 0.1})
             for r in rows() if (r.language, r.model, r.task) == ("de", "b", "pos")]  # fmt: skip
    points, notes = transfer_scores(biased + rows() + other)
    assert points == transfer_scores(rows())[0]
    assert len(notes) == 2
    assert any("CKA of 10 sentences of d  counts" in note and "debiased=False does not" in note for note in notes)
    turned = [r.model_copy(update={"where": r.where.model_copy(update={"direction": f"{r.language}-en"})})
              if r.task == "similarity" else r for r in rows()]  # fmt: skip
    assert transfer_scores(turned)[0] == points  # whichever side was named first
    fewer = [r.model_copy(update={"n": 5, "value": 0.9}) for r in rows() if r.task == "retrieval" and r.model == "a"]
    assert transfer_scores(rows() + fewer)[0] == points  # it is easier to find one of five


def test_other_gold_answers_to_the_same_texts_are_another_way():
    def with_gold(given, gold, **changes):
        return given.model_copy(update={"settings": given.settings | {"data": "t", "gold": gold}, **changes})

    made = [with_gold(r, "1") if r.task == "pos" else r for r in rows()]
    other = [with_gold(r, "2", value=0.1) for r in made if (r.task, r.language, r.model) == ("pos", "de", "b")]
    points, notes = transfer_scores([*made, *other])
    assert points == transfer_scores(rows())[0]
    assert notes == ["measured in several ways: pos on d test t 1 counts, pos on d test t 2 does not"]


def test_outputs_of_the_head_do_not_make_another_way():
    labels = {"a": ["x"], "b": ["x", "y"], "c": ["x"], "d": ["x"]}
    made = [r.model_copy(update={"settings": r.settings | {"task": {"labels": labels[r.model]}}})
            if r.task == "pos" else r for r in rows()]  # fmt: skip
    assert transfer_scores(made) == transfer_scores(rows())


def test_questions_in_another_language_are_another_way():
    made = rows()
    crossed = made[0].model_copy(update={"language": "de", "value": 0.0, "where": Where(direction="en-de")})
    points, notes = transfer_scores([*made, crossed])
    assert points == transfer_scores(made)[0]
    assert notes == ["measured in several ways: pos on d test counts, pos on d test en-de does not"]


def test_scores_of_squad_and_of_mlqa_are_other_ways():
    """Their F1 splits words in different ways."""
    of_qa = [r.model_copy(update={"task": "qa", "metric": "f1"}) if r.task == "pos" else r
             for r in rows() if r.metric != "other"]  # fmt: skip
    made = [r.model_copy(update={"metric": "f1_mlqa"}) if (r.task, r.language) == ("qa", "zh") else r for r in of_qa]
    points, notes = transfer_scores(made)
    assert points == [point for point in transfer_scores(of_qa)[0] if point.language == "de"]
    assert notes == ["measured in several ways: qa scored by f1 counts, qa scored by f1_mlqa does not"]


def test_one_way_counts_for_all_languages_and_encoders():
    """The way of English is that of German, although German alone was measured more often in the other way."""
    fast = {"training": {"learning_rate": 1e-4}}
    other = [r.model_copy(update={"value": 0.7, "settings": r.settings | fast, "seeds": Seeds(finetune=seed)})
             for r in rows() if (r.task, r.language, r.model) == ("pos", "de", "a") for seed in (3, 4, 5)]  # fmt: skip
    points, notes = transfer_scores(other + rows())
    assert points == transfer_scores(rows())[0]
    assert [note.rpartition(" counts, ")[2] for note in notes] == ["pos from en learning_rate=0.0001 does not"]
    # encoders that were trained or measured in another way only are left out
    slow = {"training": {"epochs": 9}}
    moved = [r.model_copy(update={"settings": r.settings | slow}) if r.model == "d" and r.train else r for r in rows()]
    assert {p.system for p in transfer_scores(moved)[0]} == {"A", "B", "C"}
    biased = [r.model_copy(update={"n": 100}) if r.model == "d" and r.task == "similarity" else r for r in rows()]
    assert {p.system for p in transfer_scores(biased)[0] if "cka, last layer" in p.known} == {"A", "B", "C"}


def test_layers_and_precisions_are_other_ways():
    def at(layer, precision=None):
        task = {"layer": layer} | ({} if precision is None else {"precision": precision})
        return [r.model_copy(update={"settings": r.settings | {"task": task}}) if r.task == "retrieval" else r
                for r in rows()]  # fmt: skip

    def found(changed):
        points, notes = transfer_scores([changed if r.model == "d" else r for r, changed in changed_rows])
        return {p.system for p in points if "retrieval, mean" in p.known}, notes

    for changed, same in ((at(None, "fp32"), True), (at(-1), True), (at(0), False), (at(None, "bf16"), False)):
        changed_rows = list(zip(at(None), changed, strict=True))
        systems, notes = found(changed)
        assert (systems == {"A", "B", "C", "D"}) == same
        assert bool(notes) != same
    tuned = [r.model_copy(update={"settings": r.settings | {"task": {"precision": "fp32"}}})
             if r.model == "d" and r.train else r for r in rows()]  # fmt: skip
    assert transfer_scores(tuned) == transfer_scores(rows())


def test_undefined_correlations_and_scores(tmp_path, capsys):
    """A predictor that is constant has no correlation; a score that is undefined is left out and named."""
    constant = [r.model_copy(update={"value": 1.0}) if r.task == "retrieval" else r for r in rows()]
    broken = [
        r.model_copy(update={"value": math.nan}) if (r.model, r.language) == ("d", "zh") and r.train else r
        for r in constant
    ]
    write_results(tmp_path / "runs", [(r, None) for r in broken])
    analyze_correlation([tmp_path / "runs"], out=tmp_path / "out")
    shown = "".join(capsys.readouterr())
    assert "retrieval, mean: Spearman undefined; 7 points of 4 encoders" in shown
    assert "pos zh accuracy of d: 2 undefined scores were left out" in shown
    assert "nan" not in shown
    page = write_report([tmp_path / "out"], out=tmp_path / "page.html").html.read_text(encoding="utf-8")
    assert "no correlation" in page


def test_a_run_that_is_given_twice_counts_once(tmp_path, monkeypatch):
    write_results(tmp_path / "runs/a", [(r, None) for r in rows()])
    shutil.copytree(tmp_path / "runs/a", tmp_path / "runs/copy")
    shutil.copytree(tmp_path / "runs/a", tmp_path / "runs/.trash/a")
    changed = [(r.model_copy(update={"value": 0.0}), None) for r in rows()]
    write_results(tmp_path / "runs/.trash/a", changed)
    monkeypatch.chdir(tmp_path)
    once, _ = results_of(["runs/a"])
    assert results_of(["runs/.trash"])[0][0][1].value == 0
    for folders in (["runs/a", tmp_path / "runs/a"], ["runs"]):
        twice, _ = results_of(folders)
        assert [r for _, r in twice] == [r for _, r in once]


def test_probes_are_no_transfer():
    probes = [
        row("probes", "pos_accuracy", tag, 0.5, "a", train="en", layer=k) for tag in ("en", "de") for k in range(5)
    ]
    assert transfer_scores(rows() + probes) == transfer_scores(rows())


def test_the_chosen_layer_and_the_last_piece_are_predictors():
    """As `evaluate --dev` records them, and causal models."""
    for pool in ("chosen", "last"):
        renamed = [r.model_copy(update={"where": r.where.model_copy(update={"pool": pool})})
                   if r.where.pool == "cls" else r for r in rows()]  # fmt: skip
        found = [c.predictor for c in predictor_correlations(transfer_scores(renamed)[0])]
        assert found == ["cka, last layer", "cka, mean of layers", "retrieval, mean", f"retrieval, {pool}"]


@pytest.mark.parametrize("language", ["de", "zh-CN", "sr-Latn-RS"])
def test_both_directions_are_averaged(language):
    both = []
    for r in rows(((language, 0.1),)):
        if r.task != "retrieval":
            both.append(r)
            continue
        for direction, value in ((f"en-{language}", 0.4), (f"{language}-en", 0.6)):
            both.append(r.model_copy(update={"value": value, "where": Where(pool="mean", direction=direction)}))
    points, _ = transfer_scores(both)
    assert [point.known["retrieval, mean"] for point in points] == [pytest.approx(0.5)] * 4


@pytest.mark.parametrize(("source", "target"), [("pt-BR", "pt"), ("pt", "pt-BR"), ("zh-Hant", "zh")])
def test_languages_whose_tags_begin_alike(source, target):
    renamed = []
    for r in rows(((target, 0.1),)):
        where = r.where.model_copy(update={"direction": f"{source}-{target}"}) if r.task == "similarity" else r.where
        tags = {"language": source if r.language == "en" else r.language, "train": r.train and source, "where": where}
        renamed.append(r.model_copy(update=tags))
    points, _ = transfer_scores([r for r in renamed if r.task != "retrieval"])
    assert [(p.source, p.language) for p in points] == [(source, target)] * 4


def test_files_and_the_page(tmp_path, capsys):
    given = rows(FOUR)
    write_results(tmp_path / "runs" / "x", [(r, None) for r in given])
    file = tmp_path / "runs" / "x" / "results.jsonl"
    with file.open("a") as out:
        out.write('{"schema": 1, "task": "po')  # a copy that was cut
    analyze_correlation([tmp_path / "runs"], out=tmp_path / "out")
    output = capsys.readouterr().err
    assert "pos, cka, last layer: Spearman" in output
    assert f"{file}:{len(given) + 1}: the line is truncated" in output
    lines = (tmp_path / "out" / "correlation.tsv").read_text().splitlines()
    assert len(lines) == 17
    assert lines[0].split("\t")[:8] == ["task", "metric", "source", "language", "system", "model_hash", "score", "loss"]
    figure = json.loads((tmp_path / "out" / "figures" / "correlation.json").read_text())
    assert len(figure["points"]) == 16
    page = write_report([tmp_path / "out", tmp_path / "runs" / "x"], tmp_path / "page.html").html.read_text()
    assert "Transfer correlates most with cka, " in page
    assert "B, en to de: 0.600, " in page
    assert f"results.jsonl:{len(given) + 1} is truncated and was skipped" in page


def test_too_few_points_are_refused(tmp_path):
    (tmp_path / "r").mkdir()
    with pytest.raises(UserError, match=r"no results\.jsonl"):
        analyze_correlation([tmp_path], out=tmp_path / "out")
    with pytest.raises(UserError, match="no folders"):
        analyze_correlation([], out=tmp_path / "out")
    write_results(tmp_path / "r", [(r, None) for r in rows()[:5]])
    with pytest.raises(UserError, match="fewer than four"):
        analyze_correlation([tmp_path], out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
