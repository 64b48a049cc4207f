"""The rows of the claims are compact and lossless, and verdicts follow the registered rules."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy import stats

from paralign.metrics import ratio
from paralign.results import Measurement, Seeds, write_results
from paralign.runs.folder import RunFolder

ROOT = Path(__file__).parents[1]


@pytest.fixture
def rows_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("claims_rows")


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("claims")


def run_of(folder: Path, items: Any, seed: int = 0, system: str = "ppa", status: str = "done", **changes: Any) -> Any:
    """Write a finished run with one score, as a cell of a suite; return the score."""
    run = RunFolder(folder, "finetune", command="paralign finetune --model /x/e5 --task pos --set training.seed=7")
    run.begin({})
    row = Measurement(
        task="pos", dataset="pud", language="de", metric="accuracy", value=ratio(items), n=len(items),
        seeds=Seeds(finetune=seed), model="/x/e5", model_hash="c0ffee", run="r",
        settings={"system": system, "data": "d1"},
    ).model_copy(update=changes)  # fmt: skip
    write_results(folder, [(row, np.asarray(items, dtype=np.float64))])
    run.save(status=status)
    return row


@pytest.mark.parametrize("values", [[0, 3, 1, 255], [256, 0, 65535], [0.5, 0.25, 1.0], [1e6, 0], [-1.0, 2.0], []])
def test_packed_numbers_are_the_same(values, rows_module):
    assert rows_module.unpack(rows_module.pack(values)).tolist() == values


def test_the_rows_of_a_suite_keep_every_item(tmp_path, rows_module):
    items = np.stack([np.arange(40) % 7, np.full(40, 7)], axis=1)
    row = run_of(tmp_path / "su/pos/ppa-seed0", items)
    run_of(tmp_path / "su/pos/ppa-seed1", items[::-1], seed=1)
    run_of(tmp_path / "su/pos/base-seed0", items, system="base", status="stopped")
    found = rows_module.collect(tmp_path / "su", "e5", {"pos": {"accuracy"}}, "abc")
    assert rows_module.added(tmp_path / "rows.jsonl", found) == 2
    first, second = rows_module.read_rows(tmp_path / "rows.jsonl")
    assert (first["system"], first["seed"], first["value"]) == ("ppa", 0, pytest.approx(row.value, abs=1e-8))
    assert np.array_equal(rows_module.items_of(first), items)
    assert np.array_equal(rows_module.items_of(second), items[::-1])
    assert first["command"] == "paralign finetune --model ENCODER --task pos --set training.seed=SEED"
    assert rows_module.added(tmp_path / "rows.jsonl", found) == 0
    text = (tmp_path / "rows.jsonl").read_text()
    assert str(tmp_path) not in text
    assert text.count("paralign finetune") == 1  # texts that rows share are written once


def test_two_scores_of_one_system_and_seed_are_refused(tmp_path, rows_module):
    items = np.ones((3, 2))
    run_of(tmp_path / "one/pos/ppa-seed0", items)
    run_of(tmp_path / "two/pos/ppa-seed0", items * [0, 1])
    path = tmp_path / "rows.jsonl"
    for name in ("one", "two"):
        found = rows_module.collect(tmp_path / name, "e5", {}, "abc")
        if name == "one":
            rows_module.added(path, found)
    with pytest.raises(SystemExit, match=r"two scores of .*--rename"):
        rows_module.added(path, found)
    renamed = rows_module.collect(tmp_path / "two", "e5", {}, "abc", {"pos/ppa": "best"})
    assert rows_module.added(path, renamed) == 1


def test_an_aligned_encoder_that_is_gone_is_named(tmp_path, rows_module):
    run_of(tmp_path / "pos/ppa-seed0", np.ones((3, 2)), seeds=Seeds(align=0, finetune=0))
    with pytest.raises(SystemExit, match="give --pairs"):
        rows_module.collect(tmp_path, "e5", {}, "abc")
    (row,) = rows_module.collect(tmp_path, "e5", {}, "abc", pairs=16000)
    assert (row["pairs"], row["align_seed"]) == (16000, 0)


def test_ablations_are_named_by_their_layers(tmp_path, rows_module):
    for name in ("whole", "reset-0-1"):
        run_of(tmp_path / f"pos/e5/en/{name}", np.ones((3, 2)))
    found = rows_module.collect(tmp_path, "e5", {}, "abc")
    assert sorted(row["system"] for row in found) == ["layers 0-1 reset", "no layers reset"]


def test_conditions_of_a_metric_do_not_hide_it(rows_module):
    row = Measurement(task="qa", dataset="mlqa", language="de", metric="f1_mlqa", value=0.5, n=2, model="m",
                      model_hash="h", run="r")  # fmt: skip
    assert rows_module.is_wanted(row, {"f1"})
    assert not rows_module.is_wanted(row.model_copy(update={"metric": "exact_match_mlqa"}), {"f1"})
    assert rows_module.is_wanted(row.model_copy(update={"task": "pos", "metric": "accuracy"}), None)


def test_the_metrics_of_the_claims(claims):
    found = claims.claimed_metrics(tomllib.loads(claims.CLAIMS.read_text())["claim"])
    assert found["pos"] == {"accuracy"}
    assert found["parsing"] == {"las"}
    assert found["qa"] == {"f1", "f1_mlqa"}
    assert found["lexicon"] == {"precision_at_1_csls_without_identical"}


# -- verdicts

N, WORDS = 40, 1000
RULES = {"level": 0.95, "min_seeds": 3, "min_items": 30, "resamples": 2000}


@pytest.fixture
def decide(claims: ModuleType) -> Any:
    """A function that tests claims on rows."""

    def decided(made: list[dict[str, Any]], *listed: dict[str, Any], amendment: Any = ()) -> list[Any]:
        registered = {"test": RULES, "claim": list(listed), "amendment": list(amendment)}
        results: list[Any] = claims.decide(registered, made)
        return results

    return decided


@pytest.fixture
def row(rows_module: ModuleType) -> Any:
    """A function that makes a row; all items have the same score, so that the choice of items changes nothing."""

    def made(system: str, seed: int, right: float, language: str = "de", task: str = "pos", **more: Any) -> Any:
        missed, totals = (rows_module.pack([number] * N) for number in (WORDS - right, WORDS))
        return {"base": "e5", "system": system, "task": task, "train": "en", "dataset": "pud", "language": language,
                "metric": "accuracy", "seed": seed, "value": right / WORDS, "n": N, "missed": missed, "totals": totals,
                "model": system, **more}  # fmt: skip

    return made


def claim(number: int = 1, treated: str = "ppa", **more: Any) -> dict[str, Any]:
    return {"id": number, "statement": "S.", "source": "P", "bases": ["e5"], "contrast": [treated, "base"],
            "expected": "higher", "task": "pos", "metric": "accuracy", "languages": ["de"], **more}  # fmt: skip


def gains(row: Any, system: str, values: list[float], control: str = "base", **more: Any) -> list[Any]:
    """Rows of a system that is better than its control by these thousandths, seed by seed, and of the control."""
    both = [(row(control, k, 500 + k, **more), row(system, k, 500 + k + gain, **more)) for k, gain in enumerate(values)]
    return [one for pair in both for one in pair]


def test_rates_are_accuracies_of_finished_runs(rows_module, tmp_path):
    """Other metrics in the same files, and runs that are not done, are left out."""
    common = {"task": "pos", "dataset": "ewt", "n": 2, "model": "m", "model_hash": "0", "run": "r"}
    for rate, status, shift in (("0.001", "done", 0.0), ("0.0001", "done", 0.01), ("0.01", "running", 0.3)):
        run = tmp_path / rate
        rows = [
            Measurement(language=tag, metric=metric, value=value + shift, settings={"system": f"ppa@{rate}"}, **common)
            for metric, values in (("accuracy", (0.5, 0.25, 0.35)), ("f1", (0.6, 0.9, 0.9)))
            for tag, value in zip(("en", "de", "fr"), values, strict=True)
        ]
        write_results(run, [(row, None) for row in rows])
        (run / "run.json").write_text(json.dumps({"status": status}))
    found = rows_module.rates(tmp_path, "mini", "abc")
    assert [(row["rate"], row["source"], row["targets"]) for row in found] == [(1e-4, 0.51, 0.31), (1e-3, 0.5, 0.3)]
    assert rows_module.chosen_rate(found, "ppa") == 1e-4


def test_a_difference_has_students_interval_and_p(row, decide):
    values = [100, 130, 85, 117]
    (result,) = decide(gains(row, "ppa", values), claim())
    (part,) = result.parts
    wanted = stats.ttest_1samp(np.array(values) / WORDS, 0)
    interval = wanted.confidence_interval(0.95)
    assert part.comparison.difference == pytest.approx(0.108)
    assert (part.comparison.low, part.comparison.high) == pytest.approx(tuple(interval))
    assert part.comparison.p == pytest.approx(max(wanted.pvalue, 2 / 2001), abs=1e-6)
    assert part.values == pytest.approx((0.6095, 0.5015))
    assert part.comparison.seeds == 4
    assert result.verdict == "holds"


def test_items_widen_the_interval_as_in_the_bootstrap(row, rows_module, decide):
    """With equal seeds only the choice of items varies: the standard error of a mean of N hits and misses."""
    hits = np.arange(N) % 4 == 0
    made = [one | {"missed": rows_module.pack(~hits), "totals": rows_module.pack(np.ones(N)), "value": 0.25}
            if one["system"] == "ppa" else one | {"missed": rows_module.pack(np.ones(N)),
            "totals": rows_module.pack(np.ones(N)), "value": 0.0} for one in gains(row, "ppa", [0, 0, 0])]  # fmt: skip
    ((part,),) = (result.parts for result in decide(made, claim()))
    error = np.sqrt(0.25 * 0.75 / N)
    assert part.comparison.low == pytest.approx(0.25 - 1.96 * error, abs=0.03)
    assert part.comparison.high == pytest.approx(0.25 + 1.96 * error, abs=0.03)


def test_holm_by_hand(row, decide):
    """Of three p values the smallest is compared with 0.05 / 3, the next with 0.05 / 2, the last with 0.05."""
    a, b, c = [100, 110, 88], [100, 125, 85], [100, 135, 70]
    p = [stats.ttest_1samp(gain, 0).pvalue for gain in (a, b, c)]
    assert 2 / 2001 < p[0] < 0.05 / 3 < p[2]
    assert p[1] < 0.05 / 2 < p[2] < 0.05
    found = decide_three(row, decide, a, b, c)
    assert [part.adjusted for _, part in found] == pytest.approx([3 * p[0], 2 * p[1], p[2]], abs=1e-4)
    assert [name for name, _ in found] == ["holds"] * 3
    b = [100, 140, 80]  # above 0.05 / 2, so that the last is not accepted either
    p[1] = stats.ttest_1samp(b, 0).pvalue
    assert 0.05 / 2 < p[1] < p[2] < 0.05
    found = decide_three(row, decide, a, b, c)
    assert [part.adjusted for _, part in found] == pytest.approx([3 * p[0], 2 * p[1], 2 * p[1]], abs=1e-4)
    assert [name for name, _ in found] == ["holds", "does_not_hold_here", "does_not_hold_here"]


def decide_three(row, decide, *values):
    made = [one for name, gain in zip("abc", values, strict=True) for one in gains(row, name, gain)]
    results = decide(made, *(claim(k, name) for k, name in enumerate("abc")))
    return [(result.verdict, result.parts[0]) for result in results]


CLEAR, WORSE, UNCLEAR = [100, 104, 96], [-100, -104, -96], [100, -90, 20]


def test_one_base_or_half_of_the_languages_is_in_part(row, decide):
    both = claim(bases=["e5", "mini"])
    made = gains(row, "ppa", CLEAR) + gains(row, "ppa", UNCLEAR, base="mini")
    (result,) = decide(made, both)
    assert (result.verdict, result.by_base) == ("holds_in_part", {"e5": "holds", "mini": "does_not_hold_here"})
    (result,) = decide(gains(row, "ppa", CLEAR) + gains(row, "ppa", WORSE, base="mini"), both)
    assert result.verdict == "does_not_hold_here"  # significant in the other direction somewhere
    (result,) = decide(gains(row, "ppa", CLEAR) + gains(row, "ppa", CLEAR, base="mini"), both)
    assert result.verdict == "holds"

    tags = claim(languages=["de", "fr"])
    wide = [3 * value for value in UNCLEAR]
    (result,) = decide(gains(row, "ppa", CLEAR) + gains(row, "ppa", wide, language="fr"), tags)
    assert result.parts[0].sign() == 0
    assert result.verdict == "holds_in_part"
    (result,) = decide(gains(row, "ppa", CLEAR) + gains(row, "ppa", WORSE, language="fr"), tags)
    assert result.verdict == "does_not_hold_here"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda rows: [], "no rows of ppa, base on pos in de"),
        (lambda rows: [one for one in rows if one["system"] == "ppa"], "no rows of base on pos in de"),
        (lambda rows: rows[:4], "2 of the required 3 seeds"),
        (
            lambda rows: [one | {"pairs": 1 + (one["system"] == "ppa")} for one in rows],
            "unequal numbers of pairs: 1 and 2",
        ),
        (lambda rows: [one | {"data": one["system"]} for one in rows], "test sets of base and ppa differ"),
        (lambda rows: [one | {"align_seed": 0} for one in rows], "1 of the required 3 seeds"),
        (lambda rows: [one | {"train": "de"} for one in rows], "no rows of ppa, base"),
        (lambda rows: [one | {"metric": "f1"} for one in rows], "no rows of ppa, base"),
        (lambda rows: [{k: v for k, v in one.items() if k != "missed"} for one in rows], "rows without items"),
    ],
)
def test_what_is_missing_is_not_tested(change, reason, row, decide):
    (result,) = decide(change(gains(row, "ppa", CLEAR)), claim())
    assert result.verdict == "not_tested"
    assert reason in result.parts[0].missing


def test_a_claim_that_says_so_is_not_testable(row, decide):
    (result,) = decide(gains(row, "ppa", CLEAR), claim(not_testable="why"))
    assert result.verdict == "not_testable_here"


def test_not_lower_than_a_margin(row, decide):
    wanted = {"margin": 2.0, "expected": "not lower"}
    for values, verdict in (([-9, -10, -11], "holds"), ([-90, 10, 20], "holds_in_part"), (WORSE, "does_not_hold_here")):
        (result,) = decide(gains(row, "ppa", values), claim(**wanted))
        assert result.verdict == verdict
        shifted = stats.ttest_1samp([value + 20 for value in values], 0).pvalue
        assert result.parts[0].comparison.p == pytest.approx(max(shifted, 2 / 2001), abs=1e-6)
        assert result.parts[0].comparison.difference == pytest.approx(np.mean(values) / WORDS)


def test_losses_of_targets_and_source(row, decide):
    """The targets lose 200 and 300 on average, the source 50: the difference of the losses is 200."""
    noise = [0, 4, -4]
    made = [row("no layers reset", seed, 900, tag) for seed in range(3) for tag in ("en", "de", "fr")]
    for seed, more in enumerate(noise):
        for tag, loss in (("en", 50), ("de", 200), ("fr", 300)):
            made.append(row("layers 0-1 reset", seed, 900 - loss - more * (tag != "en"), tag))
    names = ["mean loss of the targets with layers 0-1 reset", "loss of the source with layers 0-1 reset"]
    (result,) = decide(made, claim(contrast=names, languages=["de", "fr"]))
    (part,) = result.parts
    assert part.values == pytest.approx((0.25, 0.05))
    wanted = stats.ttest_1samp(200 + np.array(noise), 0).confidence_interval(0.95)
    assert (part.comparison.low, part.comparison.high) == pytest.approx((wanted.low / WORDS, wanted.high / WORDS))
    assert {tag: compared.difference for tag, compared in part.parts.items()} == pytest.approx({"de": 0.15, "fr": 0.25})
    assert result.verdict == "holds"


def test_the_best_of_several_controls_counts(row, decide):
    made = gains(row, "align-mlm", CLEAR, control="mlm") + gains(row, "x", [60, 60, 60], control="mlm")[1::2]
    (result,) = decide(made, claim(contrast=["align-mlm", "best of mlm, x"]))
    (part,) = result.parts
    assert part.control == "x"
    assert part.comparison.difference == pytest.approx(0.04)


def test_a_mixture_must_be_better_on_four_tasks(row, decide):
    tasks = ["pos", "nli", "ner", "parsing", "qa"]
    wanted = claim(contrast=["best", "each of base, tlm"], task=tasks)

    def verdict(**values: list[int]) -> str:
        made = [one for task in tasks for name in ("base", "tlm")
                for one in gains(row, "best", values.get(task, CLEAR), name, task=task)]  # fmt: skip
        (result,) = decide(list({tuple(map(str, one.items())): one for one in made}.values()), wanted)
        assert [part.control for part in result.parts] == ["base", "tlm"]
        return str(result.verdict)

    assert verdict() == "holds"
    assert verdict(qa=[20, -19, 1]) == "holds"
    assert verdict(qa=[20, -19, 1], ner=[20, -19, 1]) == "holds_in_part"
    assert verdict(**dict.fromkeys(tasks, UNCLEAR)) == "does_not_hold_here"


def test_conditions_and_numbers_of_pairs_are_names(row, decide):
    made = gains(row, "ppa, equal steps", CLEAR, "ppa with 16 pairs", pairs=16)
    made += [one for one in gains(row, "ppa, equal epochs", UNCLEAR, "ppa with 16 pairs") if "epochs" in one["system"]]
    wanted = claim(contrast=["ppa", "ppa"], conditions=["equal epochs", "equal steps"], pairs=[16, 32])
    (result,) = decide(made, wanted)
    assert [part.treated for part in result.parts] == ["ppa, equal epochs", "ppa, equal steps"]
    assert result.verdict == "holds_in_part"


def test_a_correlation_over_encoders(row, decide):
    def made(order: list[int]) -> list[Any]:
        pairs = list(enumerate(order))
        return [
            row(f"m{k}", 0, 100 + 10 * k, task="twins", train=None, metric="precision_at_1_cosine") for k, _ in pairs
        ] + [row(f"m{k}", seed, 300 + 20 * other + seed, metric="accuracy") for k, other in pairs for seed in range(2)]

    wanted = {"id": 1, "statement": "", "source": "", "bases": ["e5"], "correlation": ["twins", "pos"],
              "expected": "positive", "units": "encoders, resampled"}  # fmt: skip
    rows = [{name: value for name, value in one.items() if value is not None} for one in made(list(range(12)))]
    (result,) = decide(rows, wanted)
    assert result.parts[0].comparison.difference == pytest.approx(1)
    assert result.verdict == "holds"
    # Of an encoder whose layers were reinitialized, rows name the encoder before.
    reset = [one | {"system": "layers 0-1 reset", "value": 0.0} for one in rows if one["task"] == "pos"]
    (again,) = decide(rows + reset, wanted)
    assert again.parts[0].comparison.difference == pytest.approx(1)
    order = [5, 0, 9, 2, 11, 4, 7, 6, 1, 8, 3, 10]
    rows = [{name: value for name, value in one.items() if value is not None} for one in made(order)]
    (result,) = decide(rows, wanted)
    assert result.parts[0].comparison.difference == pytest.approx(stats.spearmanr(range(12), order).statistic)
    assert result.verdict == "does_not_hold_here"
    (result,) = decide(rows[:3], wanted)
    assert result.verdict == "not_tested"


@pytest.mark.parametrize(
    ("similar", "changed", "verdict"),
    [
        ([0.2, 0.6, 0.3], [1, 0.8, 0.5], "holds"),
        ([0.2, 0.6, 0.3], [1, 0.4, 0.5], "holds_in_part"),
        ([0.2, 0.32, 0.3], [1, 0.8, 0.5], "holds_in_part"),  # intervals overlap
        ([0.2, 0.6, 0.7], [1, 0.4, 0.5], "does_not_hold_here"),
    ],
)
def test_curves_of_similarity(similar, changed, verdict, row, decide):
    curves = {"similarity": ("base", similar), "change": ("base, fine-tuned for pos", changed)}
    made = [
        row(system, 0, 0, task=task, metric="cka", where={"layer": layer}, value=x, interval=[x - 0.02, x + 0.02])
        for task, (system, curve) in curves.items()
        for layer, x in enumerate(curve)
    ]
    (result,) = decide(made, claim(task="similarity", metric="cka"))
    assert result.verdict == verdict


def test_amendments_replace_keys_and_are_dated(row, decide):
    made = gains(row, "ppa", CLEAR)
    listed = claim(languages=["de", "zh"])
    change = {
        "date": "2026-01-02",
        "text": "No Chinese treebank.",
        "claims": [1],
        "set": {"languages": {"pos": ["de"]}},
    }
    (before,), (after,) = decide(made, listed), decide(made, listed, amendment=[change])
    assert (before.verdict, after.verdict) == ("not_tested", "holds")
    with pytest.raises(SystemExit, match=r"unknown claims: \[7\]"):
        decide(made, listed, amendment=[change | {"claims": [7]}])
    with pytest.raises(SystemExit, match="needs a date"):
        decide(made, listed, amendment=[{"text": "x"}])


# -- the page


def test_the_committed_pages_are_those_of_the_committed_rows(claims):
    registered = tomllib.loads(claims.CLAIMS.read_text(encoding="utf-8"))
    for name, text in claims.written(registered, claims.ROWS).items():
        assert text == (claims.DOCS / name).read_text(encoding="utf-8"), "run: python benchmarks/claims.py page"


def test_without_rows_nothing_is_tested(claims, tmp_path, capsys):
    claims.main(["page", "--rows", str(tmp_path / "none.jsonl"), "--out", str(tmp_path)])
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert "Of 18 claims: *not tested* 18." in text


def test_the_page_shows_differences_amendments_and_commands(claims, rows_module, row, tmp_path):
    made = gains(row, "ppa", CLEAR, command="paralign finetune", commit="abc123")
    made = [
        one | {"pairs": 16000, "aligned": "paralign align --seed 2"} if one["system"] == "ppa" else one for one in made
    ]
    rows_module.write_rows(tmp_path / "rows.jsonl", made)
    registered = {
        "test": RULES, "verdicts": {"holds": "if so"}, "claim": [claim(), claim(2, "tlm")],
        "amendment": [{"date": "2026-01-02", "text": "Fewer pairs.", "claims": [1, 2]}],
    }  # fmt: skip
    text, commands = claims.written(registered, tmp_path / "rows.jsonl").values()
    assert "Of 2 claims: *holds* 1, *not tested* 1." in text
    assert r"| 1 | S. | P | holds | – | +10.0 (+9.0 to +11.0)\*, 3 seeds | – |" in text
    assert "| e5 | POS tagging | pud | ppa | base | 60.1 and 50.1 | +10.0 (+9.0 to +11.0)" in text
    assert "* 2026-01-02, claims 1, 2: Fewer pairs." in text
    assert "| e5 | ppa | pos | en | de | 0, 1, 2 | 16000 | abc123 |" in commands
    assert "Alignment, e5 ppa:\n\n```\nparalign align --seed SEED\n```" in commands
    assert "* e5, not tested: no rows of tlm on pos in de" in text


def test_a_remark_is_given_once_and_referred_to(claims, rows_module, row, tmp_path):
    rows_module.write_rows(tmp_path / "rows.jsonl", gains(row, "ppa", CLEAR))
    remarks = {1: "measured\ntwice", 2: "Other.", 4: "measured twice"}
    listed = [claim(k) | ({"remark": remarks[k]} if k in remarks else {}) for k in (1, 2, 3, 4)]
    text = claims.written({"test": RULES, "verdicts": {}, "claim": listed}, tmp_path / "rows.jsonl")["claims.md"]
    assert "### Notes\n\n1. Claims 1, 4: measured twice.\n2. Claim 2: Other.\n" in text
    overview, _, details = text.partition("## Each claim")
    rows = [line for line in overview.splitlines() if line.startswith(("| 1 |", "| 2 |", "| 3 |", "| 4 |"))]
    assert ["[note 1](#notes)" in line for line in rows] == [True, False, False, True]
    assert ["[note 2](#notes)" in line for line in rows] == [False, True, False, False]
    assert details.count("See [note 1](#notes).") == 2
    assert details.count("See [note 2](#notes).") == 1


def test_all_systems_are_compared_with_the_control(claims, rows_module, row, tmp_path):
    """Systems without three seeds in common with the control are left out, and so are English scores."""
    made = gains(row, "ppa", [100, 103, 106], control="control") + [row("tlm", seed, 700) for seed in (0, 1)]
    made += [row("control", seed, 900, language="en") for seed in range(3)]
    rows_module.write_rows(tmp_path / "rows.jsonl", made)
    registered = {
        "test": RULES,
        "verdicts": {},
        "claim": [claim()],
        "systems": dict.fromkeys(["control", "ppa", "tlm"]),
    }
    text = claims.written(registered, tmp_path / "rows.jsonl")["claims.md"]
    # differences of 10.0, 10.3 and 10.6 points: 10.3 ± 4.303 * 0.3 / sqrt(3)
    assert "**e5, POS tagging: accuracy, mean of de**" in text
    assert "| control | 3 | 50.1 ± 0.1 |  |\n| ppa | 3 | 60.4 ± 0.4 | +10.3 (+9.6 to +11.0) |\n" in text
    assert "| tlm | 2" not in text


def test_mistakes_on_the_command_line(claims, tmp_path):
    for arguments, message in (
        (["--base", "e6"], "unknown base 'e6'"),
        (["--base", "e5", "--rename", "x"], "write OLD=NEW"),
        (["--base", "e5"], "there are no runs"),
    ):
        with pytest.raises(SystemExit, match=message):
            claims.main(["collect", str(tmp_path), *arguments])
