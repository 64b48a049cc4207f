"""The benchmarks run at tiny size, and what they compare is equal work. No times are asserted."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paralign.batches.views import View
from paralign.config import merge, parse_override
from paralign.encoder.tokenizer import probe_template
from paralign.objectives.base import Step
from paralign.runs.finetune_settings import finetune_settings
from paralign.runs.settings import run_settings, task_section
from paralign.runs.suite_file import load_suite
from paralign.sources.specs import parse_pairs
from paralign.tasks.base import find_task, find_task_class
from paralign.text.words import word_spans

SUITES = Path(__file__).parents[1] / "benchmarks/suites"
SCRIPTS = (
    "aligners",
    "attention_dropout",
    "claims",
    "confusion",
    "derived",
    "language_gap",
    "large_corpus",
    "layer_similarity",
    "nearest",
    "objective_cost",
    "padding",
    "ppa_step",
    "recipe_cost",
    "report_pages",
    "shards",
    "startup",
    "tasks",
    "token_store",
    "twins_step",
)
STEP = ("--arch", "bert:1x32", "--batch", "8", "--queue", "20", "--pad-to", "128", "--repeats", "2",
        "--block", "2", "--rival-block", "1", "--warm", "1", "--rival-warm", "0")  # fmt: skip


@pytest.fixture(autouse=True)
def _beside_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scripts import their neighbors."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))


@pytest.fixture
def given(store: Any, base: Path) -> list[str]:
    """The options that name the small store and its tokenizer."""
    return ["--store", str(store.path), "--tokenizer", str(base)]


def result_of(module: ModuleType, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run a script; what the JSON line at its end says."""
    module.main(arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found["machine"]["cores"] >= 1
    return found


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stop:
        importlib.import_module(name).main(["--help"])
    assert stop.value.code == 0
    assert f"python benchmarks/{name}.py" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted(SUITES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_suites_have_known_tasks_and_settings(path, tmp_path):
    for task in load_suite(str(path), tmp_path).task:
        if find_task_class(task.task).trains:
            assert task.train
            finetune_settings(task.task, task.recipe, task.set)
        else:
            assert not task.train
            find_task(task.task, task_section(merge(*map(parse_override, task.set))))


def test_startup_measures_every_command(capsys):
    found = result_of(importlib.import_module("startup"), ["--repeats", "1"], capsys)
    assert set(found["seconds"]) == {"python -c pass", "import paralign", "paralign --help"}
    assert all(len(seconds["each"]) == 1 for seconds in found["seconds"].values())


@pytest.mark.slow
def test_tasks_are_scored_alike_and_every_figure_is_there(capsys):
    arguments = ["--arch", "bert:1x32", "--nli", "en=smallworld:0-40", "--ner", "en=smallworld:0-50", "--repeats", "1"]
    found = result_of(importlib.import_module("tasks"), [*arguments, "--memory", "5", "10"], capsys)
    assert found["evaluation"]["equal"] == 1.0
    assert found["reading"]["sentences"] == 50
    assert all(0 <= share < 0.5 for shares in found["padding"].values() for share in shares.values())
    assert set(found["memory_mb"]) == {"5", "10"}


def test_dropout_of_attention_is_measured_in_both_ways(base, capsys, monkeypatch):
    given = ["--model", str(base), "--lengths", "5", "9", "--pieces", "45", "--repeats", "2"]
    found = result_of(importlib.import_module("attention_dropout"), given, capsys)
    assert {(length, way) for length, of_way in found["seconds"].items() for way in of_way} == {
        (length, way) for length in ("5", "9") for way in ("PyTorch", "paralign")
    }
    monkeypatch.setattr("paralign.encoder.dropout._FAMILIES", ())
    with pytest.raises(SystemExit, match=r"^2$"):
        importlib.import_module("attention_dropout").main(given)
    assert f"{base} is not an encoder with the attention of BERT\n" in capsys.readouterr().err


def test_both_ways_to_similarity_agree(base, capsys):
    arguments = ["--model", str(base), "--slow", "30", "--limit", "60"]
    arguments += [word for tag in ("en", "zh") for word in ("--text", f"{tag}=smallworld:0-80")]
    found = result_of(importlib.import_module("layer_similarity"), arguments, capsys)
    assert found["sentences"] == 60
    assert found["apart"] < 1e-4


def test_both_ways_to_neighbors_agree(capsys):
    found = result_of(importlib.import_module("nearest"), ["--rows", "60", "--width", "8"], capsys)
    assert found["same"] == 1


def test_a_report_of_some_runs(capsys):
    found = result_of(
        importlib.import_module("report_pages"), ["--runs", "11", "--items", "20", "--steps", "30"], capsys
    )
    assert found["bytes"] > 50_000


def test_confusion_by_hand(tmp_path, capsys):
    rows = [("A", "DET"), ("dog", "NOUN"), ("runs", "VERB")]
    for name, tags in (("gold", ["DET", "NOUN", "VERB"]), ("found", ["DET", "PROPN", "NOUN"])):
        lines = [f"{k}\t{word}\t_\t{tag}\t_\t_\t{(0, 1, 1)[k - 1]}\t{('root', 'x', 'x')[k - 1]}\t_\t_"
                 for k, ((word, _), tag) in enumerate(zip(rows, tags, strict=True), 1)]  # fmt: skip
        (tmp_path / f"{name}.conllu").write_text("\n".join(lines) + "\n\n")
    files = [str(tmp_path / f"{name}.conllu") for name in ("gold", "found")]
    found = result_of(importlib.import_module("confusion"), [*files, "--merge", "NOUN,PROPN"], capsys)
    assert (found["accuracy"], found["accuracy_merged"]) == pytest.approx((1 / 3, 2 / 3), abs=1e-5)


# -- padding


def test_a_chunk_of_one_row_pads_nothing_and_fewer_chunks_pad_more(given, capsys):
    arguments = [*given, "--batch", "8", "--batches", "5", "--windows", "1", "5"]
    found = result_of(importlib.import_module("padding"), arguments, capsys)["waste_by_window"]
    for shares in found.values():
        for view in ("joint", "first", "second"):
            assert shares[view]["8"] == 0
            assert 1 > shares[view]["1"] >= shares[view]["2"] >= shares[view]["4"] >= 0
    assert found["1"]["joint"]["1"] > found["5"]["joint"]["1"]


def test_padding_is_the_share_of_a_matrix_no_row_fills(store, tokenizer):
    padding = importlib.import_module("padding")
    template = probe_template(tokenizer, types=True)
    whole = len(store)  # one batch of everything: every row as wide as the longest
    found = padding.measure(store, template, batch=whole, batches=1, window=1)["joint"]["1"]
    lengths = [len(store.pieces(r, 0)) + len(store.pieces(r, 1)) + 3 for r in range(whole)]
    assert found == pytest.approx(1 - sum(lengths) / (max(lengths) * whole), abs=1e-12)


# -- the store


def test_the_store_is_built_at_n_and_at_4n(base, tmp_path, capsys, monkeypatch):
    module = importlib.import_module("token_store")

    def in_this_process(words: list[str], **_: Any) -> SimpleNamespace:
        with contextlib.redirect_stdout(io.StringIO()) as out:
            module.main(words[2:])
        return SimpleNamespace(stdout=out.getvalue())

    monkeypatch.setattr(module.subprocess, "run", in_this_process)
    text = tmp_path / "pairs.tsv"
    text.write_text("".join(f"the cat {i}\tdie Katze {i}\n" for i in range(90)), encoding="utf-8")
    arguments = [str(text), "--tokenizer", str(base), "--pairs", "20", "--min-pieces", "1"]
    found = result_of(module, arguments, capsys)
    assert [found[size]["lines"] for size in ("n", "4n")] == [20, 80]
    assert found["n"]["kept"] <= 20 < found["4n"]["kept"] <= 80
    assert all(found[size]["peak_mb"] >= found[size]["imports_mb"] > 1 for size in ("n", "4n"))
    with pytest.raises(SystemExit, match="has 90 lines: give --pairs 22"):
        module.main([*arguments, "--pairs", "30"])


@pytest.mark.slow
def test_a_large_corpus_is_read_once_an_epoch(capsys):
    found = result_of(
        importlib.import_module("large_corpus"),
        ["--records=4000", "--shard=1000", "--shuffle=1500", "--batches=3"],
        capsys,
    )
    assert found["shards"] == 4
    assert found["records"] == 4000
    assert 4000 - 3 * (64 + 128) < found["epoch_records"] <= 4000


def test_long_pairs_of_the_small_world_are_different():
    pairs = importlib.import_module("corpora").long_pairs("de")
    drawn = [next(pairs) for _ in range(9_000)]  # more than two turns
    assert len(set(drawn)) > 0.98 * len(drawn)
    words = np.array([len(source.split()) for source, _ in drawn])
    assert np.quantile(words, 0.9) > 3 * np.quantile(words, 0.1)


# -- word aligners


def test_aligners_are_scored_against_the_dictionary_of_the_synthetic_set(capsys):
    found = result_of(importlib.import_module("aligners"), ["counting", "--pairs", "400", "--method", "ibm"], capsys)
    (row,) = found["rows"]
    assert row["method"] == "ibm"
    assert 0 < row["aer"] < 0.5  # 400 pairs of 22 words of 40,000: most are seen once
    assert row["cpu"] > 0


@pytest.mark.slow
def test_a_trained_aligner_is_timed(capsys):
    given = ["streaming", "--pairs", "300", "--learn-from", "200"]
    found = result_of(importlib.import_module("aligners"), given, capsys)
    assert [row["run"] for row in found["rows"]] == ["learn and apply", "load"]
    assert all(row["peak_mb"] > 50 for row in found["rows"])
    assert 0 < found["median_ms"] <= found["largest_ms"]


def test_the_synthetic_set_is_what_it_says(tmp_path):
    module = importlib.import_module("aligners")
    source, target, gold = (path.read_text().splitlines() for path in module.synthetic(tmp_path, 300))
    assert len(source) == len(target) == len(gold) == 300
    noise = known = 0
    translation: dict[str, str] = {}
    for one, other, links in zip(source, target, gold, strict=True):
        a, b = one.split(), other.split()
        pairs = [tuple(map(int, link.split("-"))) for link in links.split()]
        assert sorted(i for i, _ in pairs) == list(range(len(a)))
        assert all(translation.setdefault(a[i], b[j]) == b[j] for i, j in pairs)
        noise += len(b) - len(pairs)
        known += len(pairs)
    assert len(set(translation.values())) == len(translation)
    assert noise / known == pytest.approx(0.1, abs=0.02)
    assert known / 300 == pytest.approx(22, abs=1)


# -- the step


def test_the_steps_compared_take_turns_and_give_the_same_losses(given, capsys):
    found = result_of(importlib.import_module("ppa_step"), [*given, *STEP], capsys)
    assert max(found["loss_difference"].values()) <= 1e-4
    assert {name: row["steps"] for name, row in found["rows"].items()} == {
        "paralign": 4, "obvious": 2, "careful": 2, "careful-sorted": 2,
    }  # fmt: skip
    assert all(len(row["pairs_per_s"]["each"]) == 2 for row in found["rows"].values())
    assert set(found["ratios"]) == {"obvious", "careful", "careful-sorted"}
    padding = {name: row["padding"]["all"] for name, row in found["rows"].items()}
    assert padding["obvious"] > padding["careful"] > padding["careful-sorted"] >= padding["paralign"]


def _no_average(step: Any, keys: Any) -> None:
    place = (step.pointer + np.arange(len(keys))) % len(step.queue)
    step.queue[place] = keys
    step.pointer = (step.pointer + len(keys)) % len(step.queue)


def _no_queue(step: Any, keys: Any) -> None:
    for own, query in zip(
        [*step.key_model.parameters(), *step.key_projection.parameters()],
        [*step.model.base_model.parameters(), *step.projection.parameters()],
        strict=True,
    ):
        own.data.lerp_(query.data, 1 - step.config.momentum)


@pytest.mark.parametrize("broken", [_no_average, _no_queue])
def test_a_step_that_does_less_is_not_compared(broken, given, capsys, monkeypatch):
    monkeypatch.setattr(importlib.import_module("hf_step").HuggingFaceStep, "_after", broken)
    with pytest.raises(AssertionError, match="do not compute the same losses"):
        importlib.import_module("ppa_step").main([*given, *STEP])


def test_store_and_tokenizer_belong_together(given, capsys):
    with pytest.raises(ValueError, match="give both or neither"):
        importlib.import_module("ppa_step").main(given[:2])


def test_the_cost_of_recipes_is_that_to_the_last(given, capsys):
    recipes = ["alignlm-mini", "alignlm-tlm-mini"]
    sizes = ["--arch", "bert:1x32", "--batch", "8", "--warm", "1", "--steps", "2", "--repeats", "1"]
    found = result_of(importlib.import_module("recipe_cost"), [*recipes, *given, *sizes], capsys)
    assert set(found["rows"]) == set(recipes)
    assert found["rows"][recipes[1]]["cost"]["median"] == 1
    rates = [found["rows"][recipe]["pairs_per_s"]["median"] for recipe in recipes]
    assert found["rows"][recipes[0]]["cost"]["median"] == pytest.approx(rates[1] / rates[0], rel=1e-4)


def test_a_language_and_itself_have_no_gap(base, capsys, monkeypatch):
    module = importlib.import_module("language_gap")
    found = result_of(module, [str(base), "--pairs", "en-de=smallworld:0-20"], capsys)["rows"]
    assert -1 <= found[0]["linked"] <= 1
    assert found[0]["gap"] > 0
    encoder = module.Encoder.from_pretrained(base).eval()
    equal, links = [("The dog sleeps.", "The dog sleeps.")] * 2, [[(0, 0), (1, 1), (3, 3)]] * 2
    same = module.gap(encoder, ("en", "en"), equal, links, 2)
    assert same == pytest.approx({"linked": 1, "centred": 1, "gap": 0}, abs=1e-5)
    moved = [("The dog sleeps.", "sleeps The dog.")]
    unlike = module.gap(encoder, ("en", "en"), moved, [[(0, 0)]], 2)
    assert unlike["linked"] < 0.999


def test_words_of_a_derived_language_are_linked_to_themselves(tmp_path):
    (tmp_path / "en.txt").write_text("The dog sleeps.\nWho sees the old house?\n")
    spec = parse_pairs(f"en:en~inv={tmp_path / 'en.txt'}")
    texts, links = importlib.import_module("language_gap").linked(spec)
    assert len(texts) == 2
    for pair, some in zip(texts, links, strict=True):
        words = [[text[start:end] for start, end in word_spans(text)] for text in pair]
        assert words[0] != words[1]
        assert len(some) == len(words[0]) == len(words[1])
        assert all(words[0][i] == words[1][j] for i, j in some)


@pytest.mark.slow
def test_twins_are_timed_all_three_ways(capsys):
    given = ["--arch", "bert:1x32", "--vocab", "400", "--limit", "200", "--batch", "8"]
    sizes = ["--warm", "1", "--steps", "2", "--repeats", "1"]
    found = result_of(importlib.import_module("twins_step"), [*given, *sizes], capsys)
    assert set(found["pairs_per_s"]) == {"mlm", "static", "all positions"}
    assert found["static_s"] > 0


def test_scores_at_all_positions_are_the_same_loss(make_encoder, tmp_path):
    module = importlib.import_module("twins_step")
    encoder = make_encoder()
    size = len(encoder.tokenizer)
    ids = np.random.default_rng(0).integers(10, size, 40)
    masked = np.array([3, 9, 20, 31])
    view = View(ids, np.zeros(40, np.int64), np.array([25, 15]), np.zeros(2, np.int64), np.zeros(40, np.bool_),
                masked, ids[masked])  # fmt: skip
    step = Step(encoder.eval(), SimpleNamespace(view=lambda name: view))
    losses = [
        kind(module.MaskedLM.Config(), encoder)(step)["mlm"].item() for kind in (module.MaskedLM, module.AllPositions)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_derived_languages_are_timed_by_transformation(capsys):
    arguments = ["--text", "en=smallworld:0-50", "--trees", "en=smallworld:0-50"]
    found = result_of(importlib.import_module("derived"), arguments, capsys)
    assert [row["steps"] for row in found["rows"]] == ["trans", "inv", "perm", "inv", "perm", "syn", "syn+inv"]
    assert found["words"]["text"] > 100


def test_the_cost_of_all_objectives_is_measured_at_both_depths():
    ways = importlib.import_module("objective_cost").COMPARISONS["objectives"]
    methods = importlib.import_module("layers_objectives").METHODS
    assert len(ways) == sum(len(method.depths) for method in methods.values())
    assert list(ways)[-1] == "mlm at 1.00"  # what the others are compared with
    for name, overrides in ways.items():
        method, _, depth = name.partition(" at ")
        config = run_settings("tlm", overrides)
        assert tuple(config.objectives) == methods[method].objectives
        sections = [getattr(config, one) for one in config.objectives]
        layers = {section.layer for section in sections if hasattr(section, "layer")}
        assert layers <= {-1 if depth == "1.00" else float(depth)}


@pytest.mark.parametrize("name", ["layer", "self-training", "cached"])
def test_every_objective_that_is_compared_is_trained(name, base, store, capsys):
    module = importlib.import_module("objective_cost")
    for overrides in module.COMPARISONS[name].values():
        sizes = ["--batch", "8", "--warm", "1", "--steps", "1"]
        module.main(
            ["one", "--model", str(base), "--store", str(store.path), *sizes, *(f"--set={text}" for text in overrides)]
        )
        found = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert found["seconds"] > 0
        assert found["peak"] >= found["growth"] >= 0
