"""The ablation of layers: every cell, its comparison, where it stopped; and planted encoders."""

import functools
import json
import math
import re
import shlex

import numpy as np
import pytest
from transformers import AutoConfig, AutoModelForMaskedLM

import paralign
from paralign.__main__ import main
from paralign.analyses.ablation import ablation_cells, ablation_result
from paralign.commands import analyze_ablation as ablation
from paralign.errors import UserError
from paralign.metrics import interval_over_seeds, paired_bootstrap, paired_bootstrap_mean
from paralign.results import Measurement, Seeds, Where, read_results, write_results

TINY = ("training.epochs=1", "training.batch=16")


def run(base, out, **more):
    given = {"task": "pos", "train": ["en=smallworld:0-40"], "quiet": True, "overrides": TINY,
             "eval": ["en=smallworld:50-70", "de=smallworld:50-70"]} | more  # fmt: skip
    return ablation.analyze_ablation([str(base)], out=out, **given)


def test_every_cell_and_it_goes_on_where_it_stopped(base, tmp_path, monkeypatch):
    whole, calls = ablation.finetune, []

    @functools.wraps(whole)
    def stopped(model, **given):
        calls.append(given["out"].name)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(model, **given)

    monkeypatch.setattr(ablation, "finetune", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(base, tmp_path / "out", width=1)
    cells = run(base, tmp_path / "out", width=1, resume=True)
    assert calls == ["whole", "reset-0", "whole", "reset-0", "reset-1"]
    assert [(c.target, c.reset) for c in cells] == [(t, r) for t in ("en", "de") for r in ("", "0", "1")]
    assert {c.system for c in cells} == {"base"}
    assert len({c.model_hash for c in cells}) == 1
    figure = json.loads((tmp_path / "out" / "ablation-pos" / "figures" / "ablation.json").read_text())
    assert [c["reset"] for c in figure["cells"]] == [c.reset for c in cells]
    lines = (tmp_path / "out" / "ablation-pos" / "ablation.tsv").read_text().splitlines()
    assert len(lines) == 1 + len(cells)
    with pytest.raises(UserError, match="not empty"):
        run(base, tmp_path / "out")
    more = run(base, tmp_path / "out", layers=["0-1"], resume=True)  # others may be added
    assert [c.reset for c in more if c.target == "en"] == ["", "0", "0-1", "1"]
    rows = (tmp_path / "out" / "pos" / "base" / "en" / "reset-0-1" / "results.jsonl").read_bytes()
    for folder in ("whole", "reset-0-1"):  # the recorded commands are understood, and find the finished runs
        facts = json.loads((tmp_path / "out" / "pos" / "base" / "en" / folder / "run.json").read_text())
        assert ("--set layers.reset=0-1" in facts["command"]) == (folder != "whole")
        assert main([*shlex.split(facts["command"])[1:], "--quiet"]) == 0
    assert (tmp_path / "out" / "pos" / "base" / "en" / "reset-0-1" / "results.jsonl").read_bytes() == rows


OTHER = [
    ({"overrides": ("training.epochs=2", "training.batch=16")}, r"training\.epochs was 1.0, now 2.0"),
    ({"limit": 10}, r"data\.limit was"),
    ({"train": ["en=smallworld:0-41"]}, r"data\.train was"),
    ({"eval": ["de=smallworld:50-71"]}, r"data\.eval was"),
]


def test_cells_of_other_settings_are_refused_before_anything_is_trained(base, tmp_path, monkeypatch):
    run(base, tmp_path / "out", layers=["0"])
    before = (tmp_path / "out" / "ablation-pos" / "ablation.tsv").read_bytes()
    monkeypatch.setattr(ablation, "finetune", None)
    for more, message in OTHER:
        with pytest.raises(UserError, match=message):
            run(base, tmp_path / "out", layers=["1"], resume=True, **more)
        assert (tmp_path / "out" / "ablation-pos" / "ablation.tsv").read_bytes() == before
        assert not (tmp_path / "out" / "pos" / "base" / "en" / "reset-1").exists()


def test_two_encoders_of_one_name_and_two_sources(base, tmp_path, make_encoder):
    for folder, depth in (("a", 1), ("b", 3)):
        make_encoder(f"bert:{depth}x32", seed=depth).save_pretrained(tmp_path / folder / "x" / "encoder")
    models = [str(tmp_path / folder / "x" / "encoder") for folder in ("a", "b")]
    cells = paralign.analyze_ablation(
        models, task="pos", train=["en=smallworld:0-20", "de=smallworld:0-20"], eval=["zh=smallworld:50-60"],
        out=tmp_path / "out", overrides=TINY, quiet=True,
    )  # fmt: skip
    found = [(c.model_hash, c.source, c.reset) for c in cells]
    first, second = dict.fromkeys(hashed for hashed, _, _ in found)
    assert sorted(found[:4]) == sorted((first, s, r) for s in ("en", "de") for r in ("", "0"))
    assert sorted(found[4:]) == sorted((second, s, r) for s in ("en", "de") for r in ("", "0-1", "2"))
    assert {path.name for path in (tmp_path / "out" / "pos").iterdir()} == {"x", "x-2"}
    turned = paralign.analyze_ablation(
        models[::-1], task="pos", train=["en=smallworld:0-20", "de=smallworld:0-20"], eval=["zh=smallworld:50-60"],
        out=tmp_path / "out", overrides=TINY, quiet=True, resume=True,
    )  # fmt: skip
    assert list(dict.fromkeys(c.model_hash for c in turned)) == [second, first]  # as they are named


def test_another_encoder_of_the_same_name_gets_its_own_cells(tmp_path, make_encoder):
    for folder in ("a", "b"):
        make_encoder("bert:1x32", seed=ord(folder)).save_pretrained(tmp_path / folder / "x" / "encoder")
    given = {"layers": ["0"], "eval": ["de=smallworld:50-60"]}
    first = run(tmp_path / "a" / "x" / "encoder", tmp_path / "out", **given)
    both = run(tmp_path / "b" / "x" / "encoder", tmp_path / "out", **given, resume=True)
    assert len({c.model_hash for c in both}) == 2
    assert [c for c in both if c.model_hash == first[0].model_hash] == first
    assert {path.name for path in (tmp_path / "out" / "pos").iterdir()} == {"x", "x-2"}
    with pytest.raises(UserError, match="the encoder changed since this run began"):
        paralign.finetune(str(tmp_path / "b" / "x" / "encoder"), task="pos", train="en=smallworld:0-40", resume=True,
                          eval=given["eval"], overrides=TINY,
                          out=tmp_path / "out" / "pos" / "x" / "en" / "whole")  # fmt: skip


def test_sets_are_spelled_one_way_and_layers_that_are_left_out_do_not_count(tmp_path, make_encoder):
    make_encoder("bert:4x32").save_pretrained(tmp_path / "four")
    cells = run(tmp_path / "four", tmp_path / "out", layers=["0-1", "1,0", "00-01"], eval=["de=smallworld:50-60"],
                overrides=(*TINY, "layers.keep=2"))  # fmt: skip
    assert [c.reset for c in cells] == ["", "0-1"]
    assert {c.system for c in cells} == {"four"}


def test_a_cell_that_fails_does_not_stop_the_others(base, tmp_path, monkeypatch):
    whole = ablation.finetune

    def failing(model, **given):
        if given["out"].name == "reset-0":
            raise UserError("it burns", where="here")
        return whole(model, **given)

    monkeypatch.setattr(ablation, "finetune", failing)
    with pytest.raises(UserError, match="1 of 3 runs failed, the first: here: it burns"):
        run(base, tmp_path / "out", width=1)
    lines = (tmp_path / "out" / "ablation-pos" / "ablation.tsv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 2
    monkeypatch.setattr(ablation, "finetune", whole)
    assert len(run(base, tmp_path / "out", width=1, resume=True)) == 6


def test_shared_layers_are_refused_before_anything_is_trained(tokenizer, tmp_path):
    config = AutoConfig.for_model("albert", hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                                  intermediate_size=32, embedding_size=32, vocab_size=len(tokenizer))  # fmt: skip
    AutoModelForMaskedLM.from_config(config).save_pretrained(tmp_path / "albert")
    tokenizer.save_pretrained(tmp_path / "albert")
    with pytest.raises(UserError, match="shares weights between its layers"):
        run(tmp_path / "albert", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"layers": ["1-2"]}, "no layers 1-2"),
        ({"layers": [","]}, "no layers in"),
        ({"overrides": ("layers.reset=0",)}, "layers.reset cannot be set"),
        ({"task": "retrieval"}, "no head to fine-tune"),
        ({"eval": []}, "test data"),
        ({"train": ["en=smallworld:0-9", "en=smallworld:9-19"]}, "two sources have"),
        ({"eval": ["de=nowhere.conllu"]}, "nowhere.conllu"),
        ({"train": ["en=-"]}, "standard input can be read only once, but every run of an ablation"),
        ({"eval": ["de=-"]}, "standard input can be read only once, but every run of an ablation"),
        ({"overrides": ("training.epoch=1",)}, "epochs"),
    ],
)
def test_mistakes_are_reported_before_anything_is_trained(base, tmp_path, more, message):
    with pytest.raises(UserError, match=message):
        run(base, tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()


def row(reset, seed, value, items, folder, language="de", **more):
    settings = {"system": "X", "data": "d", "layers": {"of": "base", "reset": reset, "freeze": "", "keep": None}}
    if not reset:
        settings = {"system": "base", "data": "d"}
    made = Measurement(task="pos", dataset="t", train="en", language=language, metric="accuracy", value=value,
                       n=len(items), seeds=Seeds(finetune=seed), model="m", model_hash="h", run=folder.name,
                       settings=settings | more)  # fmt: skip
    write_results(folder, [(made, np.stack([items, np.ones(len(items))], 1))])
    return [(folder, found) for found in read_results(folder / "results.jsonl")]


def test_cells_are_compared_seed_by_seed_with_the_bootstrap(tmp_path):
    rng = np.random.default_rng(0)
    scores = {(reset, seed): (rng.random(200) < 0.8 - 0.3 * bool(reset)).astype(float)
              for reset in ("", "0-1") for seed in (0, 1)}  # fmt: skip
    scores["", 2] = np.zeros(200)  # no partner: it counts for the mean alone
    rows = [found for (reset, seed), items in scores.items()
            for found in row(reset, seed, items.mean(), items, tmp_path / f"{reset}-{seed}")]  # fmt: skip
    (whole, reset), notes = ablation_cells(rows)
    assert notes == []
    assert (whole.seeds, reset.seeds) == (3, 2)
    assert whole.score == pytest.approx(np.mean([scores["", seed].mean() for seed in range(3)]))
    gaps = [scores["0-1", seed].mean() - scores["", seed].mean() for seed in (0, 1)]
    assert reset.difference == pytest.approx(np.mean(gaps))
    assert reset.spread == pytest.approx(np.std(gaps, ddof=1))
    pairs = [[np.stack([scores[r, s], np.ones(200)], 1) for s in (0, 1)] for r in ("0-1", "")]
    wanted = paired_bootstrap(*pairs)
    reach = 12.706 * reset.spread / math.sqrt(2)  # Student's, two seeds
    assert reset.difference - reset.low == pytest.approx(math.hypot(reset.difference - wanted.low, reach), rel=1e-4)
    assert reset.high - reset.difference == pytest.approx(math.hypot(wanted.high - reset.difference, reach), rel=1e-4)
    alone = [(folder, found) for folder, found in rows if found.seeds.finetune == 0]
    one = ablation_cells(alone)[0][1]
    wanted = paired_bootstrap(*[some[:1] for some in pairs])
    assert (one.low, one.high) == (wanted.low, wanted.high)  # of a single seed: of test items alone
    assert math.isnan(whole.difference)


def test_cells_say_whether_their_scores_are_errors(tmp_path):
    items = np.ones(10)
    info = {"title": "T", "main_metrics": ["accuracy"], "lower_is_better": ["accuracy"]}
    (own,), _ = ablation_cells([
        (folder, found.model_copy(update={"task": "my:T"}))
        for folder, found in row("0-1", 0, 1.0, items, tmp_path / "a", task_info=info)
    ])  # fmt: skip
    (usual,), _ = ablation_cells(row("0-1", 0, 1.0, items, tmp_path / "b"))
    assert (own.lower_is_better, usual.lower_is_better) == (True, False)


def test_outputs_of_the_head_do_not_divide_cells(tmp_path):
    items = np.ones(10)
    rows = row("0-1", 0, 1.0, items, tmp_path / "a", task={"labels": ["a"]})
    cells, notes = ablation_cells(rows + row("", 0, 0.5, items, tmp_path / "b", task={"labels": ["a", "b"]}))
    assert ([(c.reset, c.score) for c in cells], notes) == ([("", 0.5), ("0-1", 1.0)], [])


def test_mapped_scores_are_other_cells(tmp_path):
    items = np.ones(10)
    rows = row("0-1", 0, 1.0, items, tmp_path / "a") + row("", 0, 0.75, items, tmp_path / "b")
    mapped = row("", 0, 0.5, items, tmp_path / "c", maps=["de→en (shift)"])
    assert ablation_cells(rows + mapped) == ablation_cells(rows)


def test_the_mean_of_targets_is_that_of_their_seeds_and_resamples(tmp_path):
    rng = np.random.default_rng(0)
    resets, sizes = ("", "0-1"), {"de": 200, "hi": 90, "en": 50}
    scores = {(tag, reset, seed): (rng.random(sizes[tag]) < 0.8 - 0.3 * bool(reset)).astype(float)
              for tag in sizes for reset in resets for seed in (0, 1)}  # fmt: skip
    rows = [found for (tag, reset, seed), items in scores.items()
            for found in row(reset, seed, items.mean(), items, tmp_path / f"{tag}-{reset}-{seed}", tag)]  # fmt: skip
    rows = [(folder, found.model_copy(update={"dataset": "ewt" if found.language == "en" else "pud"}))
            for folder, found in rows]  # fmt: skip
    cells, notes = ablation_cells(rows)
    assert notes == []
    assert [(c.target, c.reset, c.targets) for c in cells] == [
        (tag, reset, 1 + (tag == "mean")) for tag in (*sizes, "mean") for reset in resets
    ]
    of = {key: items.mean() for key, items in scores.items()}
    means = {(r, seed): (of["de", r, seed] + of["hi", r, seed]) / 2 for r in resets for seed in (0, 1)}
    gaps = [means["0-1", seed] - means["", seed] for seed in (0, 1)]
    mean = cells[-1]
    assert mean.dataset == "pud"
    assert (mean.score, mean.sd) == pytest.approx((np.mean([means["0-1", 0], means["0-1", 1]]),
                                                   np.std([means["0-1", 0], means["0-1", 1]], ddof=1)))  # fmt: skip
    assert (mean.difference, mean.spread) == pytest.approx((np.mean(gaps), np.std(gaps, ddof=1)))
    pairs = [[np.stack([np.stack([scores[tag, r, s], np.ones_like(scores[tag, r, s])], 1) for s in (0, 1)])
              for r in ("0-1", "")] for tag in ("de", "hi")]  # fmt: skip
    wanted = paired_bootstrap_mean(pairs)
    assert (mean.low, mean.high) == interval_over_seeds(mean.difference, (wanted.low, wanted.high), mean.spread, 2)
    fewer = [(folder, found) for folder, found in rows if (found.language, found.seeds.finetune) != ("hi", 1)]
    assert {c.target for c in ablation_cells(fewer)[0]} == {"de", "hi", "en"}  # other seeds are not averaged


def test_training_data_of_one_name_and_other_content_are_not_compared(tmp_path):
    def on(reset, **data):
        recorded = {"training": {"sets": ["ewt"]}} | ({"training_data": data} if data else {})
        return row(reset, 0, 1.0, np.ones(40), tmp_path / f"{reset}-{data}", **recorded)

    (_, reset), notes = ablation_cells([*on(""), *on("0-1", train="a1")])  # a pipe has no digest
    assert (reset.difference, notes) == (0, [])
    with pytest.raises(
        UserError, match="content of the training data differs between runs of pos base, trained on en "
    ):
        ablation_cells([*on("", train="a1"), *on("0-1", train="b2")])


def test_a_target_whose_test_set_has_another_normalization_is_not_lost(tmp_path):
    """Questions of MLQA are scored by its own F1, those of SQuAD by SQuAD's."""
    rows = [(folder, found.model_copy(update={"task": "qa", "metric": metric}))
            for tag, metric in (("en", "f1"), ("de", "f1_mlqa")) for reset in ("", "0-1")
            for folder, found in row(reset, 0, 0.5, np.eye(2)[0], tmp_path / f"{tag}-{reset}", tag)]  # fmt: skip
    assert [(cell.target, cell.reset) for cell in ablation_cells(rows)[0]] == [
        ("en", ""), ("en", "0-1"), ("de", ""), ("de", "0-1"),
    ]  # fmt: skip


def test_the_mean_is_over_targets_with_one_normalization(tmp_path):
    metrics = {"en": "f1", "de": "f1", "fr": "f1", "es": "f1_mlqa"}
    rows = [(folder, found.model_copy(update={"task": "qa", "metric": metric}))
            for tag, metric in metrics.items() for reset in ("", "0-1")
            for folder, found in row(reset, 0, 0.5, np.eye(2)[0], tmp_path / f"{tag}-{reset}", tag)]  # fmt: skip
    cells, _ = ablation_cells(rows)
    assert {(cell.metric, cell.targets) for cell in cells if cell.target == "mean"} == {("f1", 2)}
    assert {cell.metric for cell in cells if cell.target == "es"} == {"f1_mlqa"}


def test_questions_in_other_languages_are_other_targets(tmp_path):
    shares = {(None, ""): 0.75, (None, "0-1"): 0.5, ("en-de", ""): 0.25, ("en-de", "0-1"): 0.0, ("de-en", ""): 0.5,
              ("de-en", "0-1"): 0.25}  # fmt: skip
    rows = []
    for (direction, reset), share in shares.items():
        folder, items = tmp_path / f"{direction}-{reset}", (np.arange(4) < 4 * share).astype(float)
        for _, found in row(reset, 0, share, items, folder, "en" if direction == "de-en" else "de"):
            rows.append((folder, found.model_copy(update={"where": Where(direction=direction)})))
    cells, notes = ablation_cells(rows)
    assert notes == []
    assert [(c.target, c.reset, c.score, c.targets) for c in cells] == [
        ("de", "", 0.75, 1), ("de", "0-1", 0.5, 1), ("en-de", "", 0.25, 1), ("en-de", "0-1", 0.0, 1),
        ("de-en", "", 0.5, 1), ("de-en", "0-1", 0.25, 1), ("mean", "", 0.5, 3), ("mean", "0-1", 0.25, 3),
    ]  # fmt: skip
    assert [c.difference for c in cells if c.reset] == [-0.25] * 4


def test_the_summary_names_the_test_sets(tmp_path):
    rows = [(folder, found.model_copy(update={"dataset": name}))
            for name, share in (("pud", 0.5), ("gsd", 0.25)) for reset in ("", "0")
            for folder, found in row(reset, 0, share, np.eye(4)[0], tmp_path / f"{name}-{reset}")]  # fmt: skip
    assert ablation_result(rows, []).summary == [
        "pos base en to de (pud), no reset: 50.0",
        "pos base en to de (pud), layers 0 reset: 50.0 (+0.0)",
        "pos base en to de (gsd), no reset: 25.0",
        "pos base en to de (gsd), layers 0 reset: 25.0 (+0.0)",
        "pos base en to 2 targets, mean (gsd, pud), no reset: 37.5",
        "pos base en to 2 targets, mean (gsd, pud), layers 0 reset: 37.5 (+0.0)",
    ]


def test_what_cannot_be_compared_is_noted(tmp_path):
    items = np.ones(10)
    alone, notes = ablation_cells(row("0-1", 0, 1.0, items, tmp_path / "a"))
    assert math.isnan(alone[0].difference)
    assert "no run without a reset" in notes[0]
    rows = row("0-1", 0, 1.0, items, tmp_path / "a") + row("", 0, 1.0, items, tmp_path / "b", data="other")
    cells, notes = ablation_cells(rows)
    assert math.isnan(cells[1].low)
    assert "other test items" in notes[0]
    rows = row("0-1", 0, 1.0, items, tmp_path / "a", gold="1") + row("", 0, 1.0, items, tmp_path / "g", gold="2")
    cells, notes = ablation_cells(rows)
    assert math.isnan(cells[1].low)
    assert "other gold answers" in notes[0]
    for way in ("task", "training"):  # other settings are another comparison
        rows = row("0-1", 0, 1.0, items, tmp_path / "a") + row("", 0, 1.0, items, tmp_path / way, **{way: {"x": 1}})
        assert "no run without a reset" in ablation_cells(rows)[1][0]
    rows = row("0-1", 0, 1.0, items, tmp_path / "a") + row("", 0, 0.5, items, tmp_path / "d")
    next((tmp_path / "d" / "items").iterdir()).unlink()  # a copy without what is not text
    cells, notes = ablation_cells(rows)
    assert cells[1].difference == pytest.approx(0.5)
    assert math.isnan(cells[1].low)
    assert "no interval" in notes[0]
    assert ablation_cells(row("", 0, 1.0, items, tmp_path / "d")) == ([], [])


def test_warnings_of_the_runs_are_on_the_page_of_the_ablation(base, tmp_path):
    from paralign.report import write_report

    run(base, tmp_path / "out", layers=["0"], eval=["en=smallworld:0-10", "de=smallworld:50-60"])  # seen in training
    inner = [json.loads(path.read_text()) for path in (tmp_path / "out" / "pos").rglob("run.json")]
    (overlap,) = {alarm for facts in inner for alarm in facts["alarms"] if " also in the training data" in alarm}
    count, total = re.match(r"en=smallworld:0-10: (\d+) of (\d+) items", overlap).groups()  # of 8 pieces or more
    assert count == total
    assert [overlap in facts["alarms"] for facts in inner] == [True, True]
    alarms = json.loads((tmp_path / "out" / "ablation-pos" / "run.json").read_text())["alarms"]
    name = sorted(path.name for path in (tmp_path / "out" / "pos").iterdir())[0]
    assert f"{overlap} (2 of 2 runs, first {name}/en/reset-0)" in alarms
    assert len(alarms) == len(set(alarms))
    page = write_report([tmp_path / "out" / "ablation-pos"], tmp_path / "r.html").html.read_text(encoding="utf-8")
    assert "No run raised a warning" not in page
    assert overlap in page


def test_without_warnings_the_page_of_the_ablation_says_so(tmp_path):
    for name, alarms in (("a", []), ("b", None), ("c", 3)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps({"alarms": alarms}))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "run.json").write_bytes(b"\xff")
    assert ablation._warnings_of(tmp_path) == []
