"""A suite gives the scores of its cells' own commands, in its order; it stops, resumes and says what is missing."""

import csv
import errno
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import paralign
from paralign.__main__ import main
from paralign.commands import suite_cells as cells_module
from paralign.commands.suite import _describe, parse_models, suite
from paralign.commands.suite_cells import SuiteCell, check_task, suite_cells
from paralign.config import toml_files
from paralign.digests import digested
from paralign.errors import Stopped, UserError
from paralign.formats.conllu import write_conllu
from paralign.results import Measurement, Where, read_results, write_results
from paralign.runs.cells import Cell, CellOutcome, Progress, run_cells
from paralign.runs.suite_file import SuiteConfig, SuiteTask, load_suite, suites
from paralign.sources.readers import read_trees
from paralign.sources.specs import TextSpec

SET = '["training.epochs=1", "training.batch=16", "training.learning_rate=1e-3"]'
POS = f"""
[[task]]
name = "tagging"
task = "pos"
train = ["en=train.conllu"]
languages = ["en", "de"]
eval = ["{{language}}=smallworld:300-320"]
set = {SET}
"""
RETRIEVAL = """
[[task]]
task = "retrieval"
eval = ["en-de=smallworld:300-320"]
"""


@pytest.fixture(scope="module")
def models(make_encoder, tmp_path_factory):
    """Two encoders that know nothing."""
    folder = tmp_path_factory.mktemp("models")
    for seed, name in enumerate(("plain", "other")):
        make_encoder("bert:1x32", seed=seed).save_pretrained(folder / name)
    return {name: str(folder / name) for name in ("plain", "other")}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty current folder with data and two suites."""
    monkeypatch.chdir(tmp_path)
    write_conllu(read_trees(TextSpec("en", "smallworld:0-40")), tmp_path / "train.conllu")
    Path("both.toml").write_text(f"seeds = 2\n{POS}{RETRIEVAL}")
    Path("small.toml").write_text(f"seeds = 2\n{POS}")
    return tmp_path


def state(out="out"):
    """Status of each cell, by folder."""
    return {cell["folder"]: cell["status"] for cell in json.loads(Path(out, "run.json").read_text())["cells"]}


def scores(folder):
    return {(row.language, row.metric, str(row.where), row.seeds.finetune): row.value for row in read_results(folder)}


CELLS = [
    "tagging/plain-seed0", "tagging/other-seed0", "retrieval/plain", "retrieval/other",
    "tagging/plain-seed1", "tagging/other-seed1",
]  # fmt: skip


def begun(capsys):
    """The folders of the cells that began, in their order."""
    lines = re.findall(r"^\d+/\d+  (\w+)  (\w+)(?:  seed (\d))?", capsys.readouterr().err, re.MULTILINE)
    return [f"{task}/{system}" + (f"-seed{seed}" if seed else "") for task, system, seed in lines]


def test_the_scores_are_those_of_the_commands(here, models, capsys):
    page = paralign.suite("both.toml", models=models, out="out")
    assert begun(capsys) == CELLS
    assert state() == dict.fromkeys(CELLS, "done")
    settings = ["training.epochs=1", "training.batch=16", "training.learning_rate=1e-3"]
    tests = [f"{language}=smallworld:300-320" for language in ("en", "de")]
    paralign.finetune(
        models["other"], task="pos", train="en=train.conllu", eval=tests, out="alone", seeds=2, overrides=settings,
        quiet=True,
    )  # fmt: skip
    both = scores("out/tagging/other-seed0") | scores("out/tagging/other-seed1")
    assert both == scores("alone")
    paralign.evaluate(models["other"], task="retrieval", data=["en-de=smallworld:300-320"], out="found", quiet=True)
    assert scores("out/retrieval/other") == scores("found")
    assert not list(Path("out").rglob("*.safetensors"))
    assert {row.settings["system"] for row in read_results("out/tagging/other-seed0")} == {"other"}
    text = page.read_text()
    assert all(f"<h2>{title}</h2>" in text for title in ("Overview", "Results", "Cost"))
    assert "<h2>Missing</h2>" not in text
    assert "tagging (part-of-speech tagging): accuracy, trained on en" in text
    assert scores("out/retrieval/other") != scores("out/retrieval/plain")
    # The recorded command is understood, and finds the finished run.
    command = json.loads(Path("out/tagging/other-seed1/run.json").read_text())["command"]
    assert main([*shlex.split(command)[1:], "--quiet"]) == 0


@pytest.mark.parametrize(
    ("train", "metric", "directions", "score"),
    [
        ("en", "accuracy", {}, "accuracy 45.0, mean of 2"),
        ("de+fr", "accuracy", {}, "accuracy 60.0, mean of 1"),
        ("de*en", "accuracy", {}, "accuracy 40.0, mean of 1"),
        ("en+de+fr", "accuracy", {}, "accuracy 45.0, mean of 2"),
        (None, "accuracy", {"en": "de-en", "de": "en-de", "fr": "en-fr"}, "accuracy 50.0, mean of 3"),
        ("en", "accuracy", {"fr": "en-fr"}, "accuracy 50.0, mean of 1"),  # questions in another language than the text
        ("en", "loss", {}, "loss 0.45, mean of 2"),
    ],
)
def test_the_line_of_a_cell_averages_the_languages_of_the_page(tmp_path, train, metric, directions, score):
    values = {"en": 0.6, "de": 0.5, "fr": 0.4}
    rows = [
        Measurement(task="pos", dataset="d", train=train, language=language, metric=metric, value=value, n=9, model="m",
                    model_hash="h", run="r", where=Where(direction=directions.get(language)))
        for language, value in values.items()
    ]  # fmt: skip
    write_results(tmp_path, [(row, None) for row in rows])
    cell = SuiteCell(SuiteTask(name="pos", task="pos"), True, "base", "model", 0, tmp_path, False)
    outcome = CellOutcome(Cell("pos", int, {}), "done", 3.0)
    assert f": {score}, in 3 s" in _describe(cell, outcome)


def test_data_sets_have_the_names_of_the_file(here, models):
    named = [
        text.replace("eval =", f'dataset = "{name}"\neval =') for text, name in ((POS, "PUD"), (RETRIEVAL, "NTREX"))
    ]
    Path("named.toml").write_text("".join(named))
    suite("named.toml", models={"plain": models["plain"]}, out="out", quiet=True)
    assert {row.dataset for row in read_results("out/tagging/plain-seed0")} == {"PUD"}
    assert {row.dataset for row in read_results("out/retrieval/plain")} == {"NTREX"}
    command = json.loads(Path("out/retrieval/plain/run.json").read_text())["command"]
    assert "--dataset NTREX" in command
    suite("named.toml", models={"plain": models["plain"]}, out="out", resume=True, quiet=True)
    Path("named.toml").write_text("".join(named).replace("PUD", "EWT"))
    with pytest.raises(UserError, match="dataset"):
        suite("named.toml", models={"plain": models["plain"]}, out="out", resume=True, quiet=True)


def test_report_reads_the_cells_of_a_suite(here, models):
    Path("one.toml").write_text(POS)
    suite("one.toml", models=models, out="runs/suite", quiet=True)
    for folder in ("runs/suite", "runs"):
        assert main(["report", folder, "--out", "r.html"]) == 0
        text = Path("r.md").read_text()
        assert "Part-of-speech tagging: accuracy, trained on en" in text
        assert {"plain", "other"} <= set(re.findall(r"^\| (\w+) \|", text, re.MULTILINE))


def test_a_finished_suite_is_not_repeated_and_more_can_be_added(here, models, capsys):
    Path("more.toml").write_text(Path("small.toml").read_text().replace("seeds = 2", "seeds = 1"))
    suite("more.toml", models={"plain": models["plain"]}, out="out")
    before = Path("out/tagging/plain-seed0/results.jsonl").read_bytes()
    with pytest.raises(UserError, match="out: the output folder is not empty"):
        suite("more.toml", models={"plain": models["plain"]}, out="out")
    capsys.readouterr()
    suite("both.toml", models=models, out="out", resume=True)
    assert begun(capsys) == CELLS[1:]
    assert state() == dict.fromkeys(CELLS, "done")
    assert Path("out/tagging/plain-seed0/results.jsonl").read_bytes() == before
    shutil.rmtree("out/tagging/plain-seed0")
    suite("both.toml", models=models, out="out", resume=True)
    assert begun(capsys) == CELLS[:1]
    assert len(read_results("out/tagging/plain-seed0")) == len(before.splitlines())


def test_finished_cells_of_other_seeds_are_on_the_page(here, models, capsys):
    for seed, name in enumerate(("plain", "other")):
        shutil.copytree(models[name], f"encoder-{seed}")
    systems = {"both": "encoder-{seed}"}
    suite("small.toml", models=systems, out="out", seeds=1, quiet=True)
    shutil.move("encoder-0", "moved")  # the encoder of another machine, also in a folder with another name
    Path("out/tagging/both-seed7").mkdir()  # not finished
    capsys.readouterr()
    suite("small.toml", models=systems, out="out", seeds=1, first_seed=1, resume=True)
    assert begun(capsys) == ["tagging/both-seed1"]
    assert state() == {"tagging/both-seed1": "done", "tagging/both-seed0": "done"}
    tables = Path("out/report.csv").read_text()
    shutil.move("moved", "encoder-0")
    suite("small.toml", models=systems, out="out", seeds=2, hours=0, resume=True, quiet=True)
    assert tables == Path("out/report.csv").read_text()
    Path("elsewhere").mkdir()
    shutil.copytree("encoder-1", "elsewhere/encoder-1")
    elsewhere = {"both": "elsewhere/encoder-{seed}"}
    suite("small.toml", models=elsewhere, out="out", seeds=1, first_seed=1, resume=True, quiet=True)
    assert tables == Path("out/report.csv").read_text()
    Path("small.toml").write_text(Path("small.toml").read_text().replace("300-320", "300-310"))
    shutil.copytree("encoder-1", "encoder-2")
    with pytest.raises(UserError, match=r"out/tagging/both-seed\d/config\.toml: settings differ"):
        suite("small.toml", models=systems, out="out", seeds=1, first_seed=2, resume=True)
    assert not Path("out/tagging/both-seed2").exists()


def test_an_interrupted_suite_continues(here, models, monkeypatch, capsys):
    suite("both.toml", models=models, out="whole", quiet=True)
    evaluate = cells_module.evaluate

    def interrupt(*args, **options):
        if "other" in options["out"]:
            raise KeyboardInterrupt
        return evaluate(*args, **options)

    monkeypatch.setattr(cells_module, "evaluate", interrupt)
    with pytest.raises(KeyboardInterrupt):
        suite("both.toml", models=models, out="out")
    assert [folder for folder, status in state().items() if status == "done"] == CELLS[:3]
    assert "* retrieval: not run: other" in Path("out/report.md").read_text()
    monkeypatch.setattr(cells_module, "evaluate", evaluate)
    capsys.readouterr()
    suite("both.toml", models=models, out="out", resume=True)
    assert begun(capsys) == CELLS[3:]
    for folder in CELLS:
        assert scores(f"out/{folder}") == scores(f"whole/{folder}")


def test_a_cell_that_fails_is_listed_and_does_not_lose_the_others(here, models, capsys):
    """The first sentence can be read, so that the mistake is noticed only when the cell runs."""
    good = Path("train.conllu").read_text()
    first, _, rest = good.partition("\n\n")
    Path("bad.conllu").write_text(f"{first}\n\n{rest.replace('NOUN', 'NOUM')}")
    text = Path("both.toml").read_text()
    Path("bad.toml").write_text(text + POS.replace('"tagging"', '"bad"').replace("train.conllu", "bad.conllu"))
    with pytest.raises(UserError, match=r"out: 4 of 10 cells failed; bad plain seed 0: bad\.conllu:\d+: .*--resume"):
        suite("bad.toml", models=models, out="out", quiet=True)
    assert sorted(set(state().values())) == ["done", "failed"]
    assert [folder for folder, status in state().items() if status == "done"] == CELLS
    page = Path("out/report.md").read_text()
    assert re.search(r"\* bad, plain, seed 0: failed: bad\.conllu:\d+: ", page)
    assert "tagging" in page
    before = json.loads(Path("out/run.json").read_text())
    suite("bad.toml", models=models, out="out", quiet=True, resume=True, hours=0)  # only writes the page
    after = json.loads(Path("out/run.json").read_text())
    assert (after["cells"], after["cell_seconds"]) == (before["cells"], before["cell_seconds"])
    assert after["seconds"] >= before["seconds"]
    assert Path("out/report.md").read_text().count("* bad, ") == page.count("* bad, ") == 4
    Path("bad.conllu").write_text(good)
    suite("bad.toml", models=models, out="out", quiet=True, resume=True)
    assert set(state().values()) == {"done"}
    assert "failed" not in Path("out/report.md").read_text()


def test_an_error_in_paralign_is_not_the_users(here, models, monkeypatch):
    def fail(*args, **options):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(cells_module, "evaluate", fail)
    with pytest.raises(RuntimeError, match="2 of 6 cells failed; retrieval plain: a bug"):
        suite("both.toml", models=models, out="out", quiet=True)
    assert state()["tagging/other-seed1"] == "done"


def test_a_full_disk_is_not_an_error_in_paralign(here, models, monkeypatch):
    def fail(*args, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out/retrieval/plain/results.jsonl")

    monkeypatch.setattr(cells_module, "evaluate", fail)
    Path("one.toml").write_text(RETRIEVAL)
    with pytest.raises(
        UserError, match=r"2 of 2 cells failed; retrieval plain: out/retrieval/plain/results\.jsonl: No"
    ):
        suite("one.toml", models=models, out="out", quiet=True)


def test_data_and_suite_may_be_moved(here, models, capsys):
    """The content of files decides whether a cell is finished, not their folder."""
    Path("one.toml").write_text(Path("small.toml").read_text().replace("seeds = 2", "seeds = 1"))
    suite("one.toml", models=models, out="out", quiet=True)
    Path("elsewhere").mkdir()
    shutil.move("train.conllu", "elsewhere/train.conllu")
    capsys.readouterr()
    suite("one.toml", models=models, data="elsewhere", out="out", resume=True)
    assert begun(capsys) == []
    assert set(state().values()) == {"done"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train", r"train\.conllu: the training data changed since this run began"),
        ("model", r"model\.safetensors: the encoder changed since this run began"),
        ("settings", r"tagging/plain-seed0/config\.toml: settings differ .*training.epochs was 1.0, now 2.0"),
        ("limit", r"retrieval/plain/config\.toml: settings differ .*read.limit was None, now 10"),
        ("results", r"tagging/plain-seed0/results\.jsonl:1: the measurement is damaged"),
    ],
)
def test_what_changed_behind_a_finished_cell_is_refused(here, models, change, message):
    Path("one.toml").write_text(Path("both.toml").read_text().replace("seeds = 2", "seeds = 1"))
    shutil.copytree(models["plain"], "plain")
    suite("one.toml", models={"plain": "plain"}, out="out", quiet=True)
    if change == "train":
        write_conllu(read_trees(TextSpec("en", "smallworld:0-41")), Path("train.conllu"))
    elif change == "model":
        shutil.rmtree("plain")
        shutil.copytree(models["other"], "plain")
    elif change == "settings":
        Path("one.toml").write_text(Path("one.toml").read_text().replace("epochs=1", "epochs=2"))
    elif change == "limit":
        text = Path("one.toml").read_text()
        Path("one.toml").write_text(text.replace('task = "retrieval"', 'task = "retrieval"\nlimit = 10'))
    else:
        path = Path("out/tagging/plain-seed0/results.jsonl")
        path.write_text(re.sub(r'"value":0\.\d', '"value":0.9', path.read_text(), count=1))
    with pytest.raises(UserError, match=message):
        suite("one.toml", models={"plain": "plain"}, out="out", quiet=True, resume=True)


def test_another_encoder_of_the_hub_is_refused(here, models, monkeypatch):
    """Its files are not on this machine: encoders are compared by name."""
    for module in ("paralign.commands.suite_cells", "paralign.runs.finished"):
        monkeypatch.setattr(f"{module}.model_files", lambda _: [])
    for task in (POS.replace("seeds = 2", ""), RETRIEVAL):
        Path("one.toml").write_text(task)
        out = Path("out", str(len(task)))
        suite("one.toml", models={"base": models["plain"]}, out=out, quiet=True)
        monkeypatch.setattr("paralign.runs.inputs.model_files", lambda _: [])
        facts = next(out.glob("*/*/run.json"))
        content = json.loads(facts.read_text())
        content["inputs"]["model"] = []
        content.pop("digest")
        facts.write_text(json.dumps(digested(content)))
        with pytest.raises(UserError, match=r"the encoder is .*other, but this run began with .*plain"):
            suite("one.toml", models={"base": models["other"]}, out=out, quiet=True, resume=True)


def test_a_changed_test_set_of_a_task_without_a_head_is_refused(here, models):
    write = Path("pairs.tsv").write_text
    write("a\tb\nc\td\ne\tf\n")
    Path("one.toml").write_text(RETRIEVAL.replace("smallworld:300-320", "pairs.tsv"))
    suite("one.toml", models=models, out="out", quiet=True)
    write("a\tb\nc\td\ne\tg\n")
    with pytest.raises(UserError, match=r"pairs\.tsv: the test data changed since this run began"):
        suite("one.toml", models=models, out="out", quiet=True, resume=True)


def test_a_budget_that_is_used_up_leaves_a_page_that_says_what_is_missing(here, models, monkeypatch):
    finetune, calls = cells_module.finetune, []

    def first_then_wait(*args, **options):
        calls.append(options["out"])
        if len(calls) > 1:
            raise KeyboardInterrupt  # as the timer does
        return finetune(*args, **options)

    monkeypatch.setattr(cells_module, "finetune", first_then_wait)
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 7200 * (len(calls) > 1))
    page = suite("both.toml", models=models, out="out", hours=1.0, quiet=True)
    monkeypatch.undo()
    assert list(state(here / "out").values()) == ["done", "stopped", *["not run"] * 4]
    text = (here / "out/report.md").read_text()
    assert "* tagging, seed 0: stopped: other" in text
    assert "* retrieval: not run: plain, other" in text
    assert page.name == "report.html"


def test_no_time_only_writes_the_page(here, models, capsys):
    suite("small.toml", models=models, out="out", hours=0)
    assert set(state().values()) == {"not run"}
    assert begun(capsys) == []
    suite("small.toml", models=models, out="out", quiet=True, resume=True)
    assert set(state().values()) == {"done"}


def test_each_seed_can_have_its_own_encoder(here, models):
    for seed, name in enumerate(("plain", "other")):
        shutil.copytree(models[name], f"encoder-{seed}")
    suite("both.toml", models={"both": "encoder-{seed}"}, out="out", quiet=True)
    # They do not record how they were trained; the suite says that they are seeds of one system.
    assert re.search(r"^\| both ", Path("out/report.md").read_text(), re.MULTILINE)
    assert "both (" not in Path("out/report.md").read_text()
    folders = [f"{task}/both-seed{seed}" for seed in (0, 1) for task in ("tagging", "retrieval")]
    assert list(state()) == folders
    suite("both.toml", models=models, out="single", quiet=True)
    for seed, name in enumerate(("plain", "other")):
        assert scores(f"out/tagging/both-seed{seed}") == scores(f"single/tagging/{name}-seed{seed}")
        assert scores(f"out/retrieval/both-seed{seed}") == scores(f"single/retrieval/{name}")


def test_layers_are_chosen_on_development_data(here, models):
    """Scores are those of ``evaluate --dev``; the development data are among the inputs of the cell."""
    Path("dev.tsv").write_text("a dog\tein Hund\na cat\teine Katze\nthe house\tdas Haus\n")
    Path("dev.toml").write_text(RETRIEVAL + 'languages = ["de"]\ndev = ["en-{language}=dev.tsv"]\n')
    suite("dev.toml", models=models, out="out", quiet=True)
    for name, model in models.items():
        data = {"data": "en-de=smallworld:300-320", "dev": "en-de=dev.tsv"}
        paralign.evaluate(task="retrieval", model=model, out=f"single/{name}", quiet=True, **data)
        assert scores(f"out/retrieval/{name}") == scores(f"single/{name}")
        assert {row.where.pool for row in read_results(Path("out/retrieval", name))} == {"chosen"}
    began = {path: path.stat().st_mtime_ns for path in Path("out/retrieval").glob("*/results.jsonl")}
    suite("dev.toml", models=models, out="out", quiet=True, resume=True)
    assert {path: path.stat().st_mtime_ns for path in began} == began
    Path("none.toml").write_text(RETRIEVAL)
    with pytest.raises(UserError, match=r"settings differ .*: dev was \['en-de=dev\.tsv'\], now \[\]"):
        suite("none.toml", models=models, out="out", quiet=True, resume=True)
    Path("dev.tsv").write_text("a dog\tein Hund\na cat\teine Katze\n")
    with pytest.raises(UserError, match=r"dev\.tsv: the development data changed since this run began"):
        suite("dev.toml", models=models, out="out", quiet=True, resume=True)


def test_models_are_kept_if_the_suite_says_so(here, models):
    """A cell that is done without its model is refused, not trained again; as one of other seeds it is listed."""
    Path("keep.toml").write_text(f"keep_models = true\n{POS}")
    Path("none.toml").write_text(POS)
    given = {"models": {"plain": models["plain"]}, "out": "out", "quiet": True}
    suite("none.toml", **given)
    with pytest.raises(UserError, match=r"plain-seed0: the cell is done, but its model was not kept \(leave keep_mo"):
        suite("keep.toml", **given, resume=True)
    suite("keep.toml", **given, resume=True, first_seed=1)
    assert (here / "out/tagging/plain-seed1/seed-1/model/head.safetensors").is_file()
    assert not (here / "out/tagging/plain-seed0/seed-0/model").exists()
    suite("none.toml", **given, resume=True)


# -- order and files


def test_the_order_is_by_seed_then_task_then_system(tmp_path):
    tasks = [
        SuiteTask(name="a", task="pos", seeds=3, eval=["de=x"]),
        SuiteTask(name="b", task="retrieval", eval=["en-de=x"]),
        SuiteTask(name="c", task="ner", eval=["de=x"]),
    ]
    found = suite_cells(SuiteConfig(seeds=2, task=tasks), {"x": "m", "y": "m-{seed}"}, tmp_path)
    assert [(cell.task.name, cell.system, cell.seed, cell.model) for cell in found] == [
        ("a", "x", 0, "m"), ("a", "y", 0, "m-0"), ("b", "x", None, "m"), ("b", "y", 0, "m-0"),
        ("c", "x", 0, "m"), ("c", "y", 0, "m-0"),
        ("a", "x", 1, "m"), ("a", "y", 1, "m-1"), ("b", "y", 1, "m-1"), ("c", "x", 1, "m"), ("c", "y", 1, "m-1"),
        ("a", "x", 2, "m"), ("a", "y", 2, "m-2"),
    ]  # fmt: skip


def test_seeds_are_divided_by_their_first_number(tmp_path):
    """A system with one encoder and no head is measured once on each machine."""
    tasks = [SuiteTask(name="a", task="pos", eval=["de=x"]), SuiteTask(name="b", task="retrieval", eval=["en-de=x"])]
    models = {"x": "m", "y": "m-{seed}"}

    def cells(first, count):
        return suite_cells(SuiteConfig(seeds=count, first_seed=first, task=tasks), models, tmp_path)

    whole, first, second = cells(0, 5), cells(0, 3), cells(3, 2)
    assert [cell.seed for cell in second] == [3, 3, None, 3, 4, 4, 4]
    assert {cell.folder for cell in first} | {cell.folder for cell in second} == {cell.folder for cell in whole}


def test_data_are_in_the_data_folder(here):
    Path("sets").mkdir()
    Path("sets/with,comma.tsv").touch()
    entries = [
        "en-de=a.en,a.de",
        "en-de=/data/a.tsv",
        "en-de=smallworld:0-3",
        "en-de=hub:name@test",
        "en-de=with,comma.tsv",
    ]
    Path("s.toml").write_text(f'[[task]]\ntask = "retrieval"\neval = {json.dumps(entries)}\n')
    found = load_suite("s.toml", Path("sets")).task[0].eval
    assert found == ["en-de=sets/a.en,sets/a.de", *entries[1:4], "en-de=sets/with,comma.tsv"]
    assert load_suite("s.toml").task[0].eval == entries
    with pytest.raises(UserError, match=r"unknown suite 's' \(did you mean s.toml\?\)"):
        load_suite("s")


def test_the_smaller_limit_holds(tmp_path):
    table = '[[task]]\ntask = "retrieval"\neval = ["en-de=smallworld:0-9"]\n'
    (tmp_path / "s.toml").write_text(f'{table}name = "own"\nlimit = 5\n{table}')
    limits = [[task.limit for task in load_suite(str(tmp_path / "s.toml"), limit=n).task] for n in (2, 7, None)]
    assert limits == [[2, 2], [5, 7], [5, None]]


def test_twins_have_no_limit(tmp_path):
    """Their pieces are those of the encoder: a limit would be recorded, and have no effect."""
    twins = '[[task]]\ntask = "twins"\neval = ["en-en~trans=pieces"]\n'
    (tmp_path / "s.toml").write_text(f'{twins}[[task]]\ntask = "retrieval"\neval = ["en-de=smallworld:0-9"]\n')
    tasks = load_suite(str(tmp_path / "s.toml"), limit=5).task
    assert [(task.name, task.limit) for task in tasks] == [("twins", None), ("retrieval", 5)]
    for task in tasks:
        check_task(task, "s.toml")
    (tmp_path / "s.toml").write_text(f"{twins}limit = 5\n")
    with pytest.raises(UserError, match="--limit has no effect on twins") as found:
        check_task(load_suite(str(tmp_path / "s.toml")).task[0], "s.toml")
    assert found.value.where == "s.toml: task 'twins'"


@pytest.mark.parametrize("name", suites())
def test_the_suites_that_come_with_paralign_can_be_read(name):
    from paralign.sources.specs import parse_pairs, parse_text

    config = load_suite(name, limit=2, seeds=5)
    assert config.seeds == 5
    assert len({task.name for task in config.task}) == len(config.task) > 3
    for task in config.task:
        instance = cells_module._task_of(task)
        for spec in (*task.train, *task.eval):
            text = spec.rpartition(",")[0] or spec if task.task == "alignment" else spec
            (parse_text if instance.trains else parse_pairs)(text)
        if name == "quick":
            check_task(task, name)


def test_the_quick_suite_runs_in_a_tiny_form(base, tmp_path):
    """All its tasks, on a few items of two languages."""
    text = re.sub(r"languages = .*", 'languages = ["de"]', Path(toml_files("paralign.suites")["quick"]).read_text())
    (tmp_path / "tiny.toml").write_text(re.sub(r"200000-\d+", "200000-200008", text))
    page = suite(
        str(tmp_path / "tiny.toml"), models={"tiny": str(base)}, out=tmp_path / "out", seeds=1, limit=6, quiet=True
    )
    cells = json.loads((tmp_path / "out/run.json").read_text())["cells"]
    tasks = [task.name for task in load_suite("quick").task]
    assert [(cell["task"], cell["status"]) for cell in cells] == [(task, "done") for task in tasks]
    assert "<h2>Missing</h2>" not in page.read_text()
    with (tmp_path / "out/report.csv").open(newline="") as file:
        assert {row["suite_task"] for row in csv.DictReader(file) if row["system"] == "tiny"} == set(tasks)


# -- cells


def test_the_time_that_remains_is_that_of_cells_of_the_same_kind():
    cells = [Cell(str(k), print, {}, kind) for k, kind in enumerate("aabbc")]
    progress = Progress(cells, jobs=2)
    assert progress.start(cells[0]) == "1/5  0"
    progress.end(cells[0], 100)
    assert progress.remaining() == (100 + 2 * 100 + 100) / 2
    assert progress.start(cells[2]) == "2/5  2  (about 3 min left)"
    progress.end(cells[2], 400)
    assert progress.remaining() == (100 + 400 + 250) / 2


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_a_cell_is_stopped_at_the_deadline_and_no_other_begins(handler):
    ran = []

    def wait(name, seconds):
        ran.append(name)
        time.sleep(seconds)

    # The deadline is far enough away for the first cell to end on any machine; the second one sleeps until it is over.
    cells = [Cell(name, wait, {"name": name, "seconds": s}) for name, s in (("a", 0), ("b", 600), ("c", 0))]
    before = signal.signal(signal.SIGINT, handler)
    try:
        outcomes = list(run_cells(cells, lambda line: None, deadline=time.time() + 2))
    finally:
        signal.signal(signal.SIGINT, before)
    assert [outcome.status for outcome in outcomes] == ["done", "stopped"]
    assert ran == ["a", "b"]


def test_errors_that_are_not_caught_end_the_cells():
    def fail(error):
        raise error

    cells = [Cell("a", fail, {"error": UserError("x")}), Cell("b", fail, {"error": ZeroDivisionError()})]
    outcomes = run_cells(cells, lambda line: None, catch=(UserError,))
    assert str(next(outcomes).error) == "x"
    with pytest.raises(ZeroDivisionError):
        next(outcomes)


def test_a_run_that_a_signal_stopped_ends_the_cells_whatever_is_caught():
    def stop():
        raise Stopped(signal.SIGTERM, 3)

    outcomes = run_cells([Cell("a", stop, {}), Cell("b", stop, {})], lambda line: None, catch=(Exception,))
    with pytest.raises(Stopped, match="after step 3"):
        next(outcomes)


# -- mistakes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"s\.toml: the suite has no task \(add a table \[\[task\]\]\)"),
        ("task = 3", r"s\.toml: setting 'task': must be a valid list, not 3"),
        (POS + POS.replace("tagging", "Tagging"), r"s\.toml: two tasks have the name 'Tagging'"),
        ("tasks = 3", r"s\.toml: unknown setting 'tasks' \(did you mean 'task'\?\)"),
        (POS.replace("eval", "evel"), r"s\.toml: task 'tagging': unknown setting 'evel' \(did you mean 'eval'\?\)"),
        (POS + POS, r"s\.toml: two tasks have the name 'tagging' \(give one of them another name = \"\.\.\.\"\)"),
        (POS.replace('"pos"', '"poss"'), r"s\.toml: task 'tagging': unknown task 'poss' \(did you mean 'pos'\?"),
        (POS.replace("train.conllu", "none.conllu"), r"none\.conllu: no such file"),
        (POS.replace("smallworld:300-320", "none.{language}"), r"none\.en: no such file"),
        (RETRIEVAL.replace("smallworld:300-320", "none.tsv"), r"none\.tsv"),
        (POS.replace("epochs=1", "epoch=1"), r"s\.toml: task 'tagging': unknown setting 'training.epoch'.*'epochs'"),
        (POS.replace("epochs=1", "seed=1"), r"task 'tagging': training.seed cannot be set"),
        (POS.replace('train = ["en=train.conllu"]', ""), r"s\.toml: task 'tagging': no training data"),
        (POS.replace("eval =", "train2 ="), "task 'tagging': unknown setting 'train2'"),
        ('[[task]]\ntask = "pos"\ntrain = ["en=train.conllu"]', r"s\.toml: task 'pos': no test data"),
        (
            RETRIEVAL + 'train = ["en=train.conllu"]',
            r"task 'retrieval': the task 'retrieval' has no head .*remove train",
        ),
        (POS.replace('languages = ["en", "de"]', ""), r"task 'tagging': no languages for '\{language\}=small"),
        (
            POS + 'dev = "{language}=train.conllu"',
            r"task 'tagging': dev is one data set for tasks with a head",
        ),
        (RETRIEVAL + 'languages = ["de"]', r"task 'retrieval': no entry has \{language\}"),
        (POS.replace('"tagging"', '"../out"'), r"s\.toml: the task cannot have the name '\.\./out'"),
        (POS.replace('"tagging"', '"tagging-seed1"'), r"the task 'tagging-seed1' ends like a seed"),
        (POS.replace("train.conllu", "-"), r"standard input can be read only once"),
        (POS + '[[task]]\ntask = "ner"\nevel = []', r"s\.toml: task number 2: unknown setting 'evel' \(did you mean"),
        ("[[task]\n", r"s\.toml: not valid TOML"),
        (POS.replace("[[task]]", "[task]"), r"s\.toml: \[task\] is a single table \(write \[\[task\]\]"),
        (POS.replace("eval =", "data ="), r"task 'tagging': unknown setting 'data' \(did you mean 'eval'\?\)"),
        (POS.replace('"en", "de"', '"en", "en"'), r"two data sets have the same name: .* \(remove one\)"),
        (POS.replace("eval = [", 'dataset = "X"\neval = ["en=smallworld:0-9", '), "leave --dataset out"),
    ],
)
def test_mistakes_in_the_file_are_refused_before_anything_runs(here, models, text, message):
    Path("s.toml").write_text(text)
    with pytest.raises(UserError, match=message):
        suite("s.toml", models=models, out="out", quiet=True)
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("small.toml --model plain={plain} --model plain={other}", "two models have the name 'plain'"),
        ("small.toml --model a={plain} --model b={plain}/../plain", "the models 'a' and 'b' are the same"),
        (
            "small.toml --model a={plain} --model A={other}",
            "the models 'a' and 'A' have the same name on some file sys",
        ),
        ("small.toml --model {plain}", "cannot read the model '{plain}' (--model NAME=FOLDER)"),
        ("small.toml --model a=/no/such", "/no/such: no such model folder"),
        ("small.toml --model a={here}", "no config.json in the model folder"),
        ("small.toml --model a/b={plain}", "the model cannot have the name 'a/b'"),
        ("small.toml --model a=plain-{{seed}}/encoder/x", "plain-0/encoder/x: no such model folder"),
        ("smal.toml --model a={plain}", "smal.toml: no such settings file"),
        ("quik --model a={plain}", "unknown suite 'quik' (did you mean 'quick'? or a .toml file)"),
        ("small.toml --model a={plain} --data nowhere", "nowhere: no such data folder"),
        ("small.toml --model a={plain} --control b", "no model 'b' to use as the control"),
        ("small.toml --model a={plain} --jobs 0", "--jobs"),
        ("small.toml", "--model"),
    ],
)
def test_mistakes_on_the_command_line_are_refused(here, models, given, message, capsys):
    names = {**models, "here": str(here)}
    assert main(["suite", *given.format(**names).split(), "--out", "out", "--quiet"]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message.format(**names) in lines[0]
    assert not Path("out").exists()


def test_two_controls_of_one_base_need_a_choice(here, models):
    for name in ("plain", "other"):
        shutil.copytree(models[name], name)
        facts = {"method": "MLM", "control": True, "origin": "0123", "lineage": name}
        Path(name, "paralign.json").write_text(json.dumps(facts))
    given = {"models": {"plain": "plain", "other": "other"}, "out": "out", "quiet": True}
    with pytest.raises(
        UserError, match=r"'plain' and 'other' are both controls of one base \(choose one: --control NAME"
    ):
        suite("small.toml", **given)
    suite("small.toml", control="other", hours=0, **given)
    for name in ("plain", "other"):
        Path(name).rename(f"{name}-3")
    given |= {"models": {"plain": "plain-{seed}", "other": "other-{seed}"}, "out": "more"}
    with pytest.raises(UserError, match="are both controls of one base"):
        suite("small.toml", first_seed=3, **given)


def test_models_are_parsed():
    assert parse_models(["a=b=c", " d = e"]) == {"a": "b=c", "d": "e"}


def test_the_command_names_the_page(here, models, capsys):
    words = ["suite", "small.toml", "--out", "out", "--hours", "0", "--quiet"]
    assert main([*words, "--model", f"plain={models['plain']}"]) == 0
    assert capsys.readouterr().out == "report: out/report.html\n"


# -- processes


@pytest.mark.slow
def test_processes_give_the_same_scores_and_survive_the_death_of_one(here, models):
    suite("both.toml", models=models, out="one", quiet=True)
    suite("both.toml", models=models, out="two", jobs=2, quiet=True)
    assert state("two") == dict.fromkeys(CELLS, "done")
    for folder in CELLS:
        assert scores(f"two/{folder}") == scores(f"one/{folder}")
    Path("killer.py").write_text(
        "import os, signal\n"
        "from paralign.tasks.retrieval import Retrieval\n"
        "class Killer(Retrieval):\n"
        "    name = 'killer'\n"
        "    def evaluate(self, encoder, head, data):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    Path("killed.toml").write_text(RETRIEVAL.replace('"retrieval"', '"killer:Killer"') + RETRIEVAL)
    command = "suite killed.toml --out killed --jobs 2 --quiet"
    words = [*command.split(), *(f"--model={name}={folder}" for name, folder in models.items())]
    ended = subprocess.run([sys.executable, "-m", "paralign", *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 2  # for example for lack of memory
    assert list(state("killed").values()) == ["failed", "failed", "done", "done"]
    assert "Killer, plain: failed: the process ended: killed by signal 9" in Path("killed/report.md").read_text()


def children(pid):
    """Processes that a process started, and that are alive."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_suite_resumes_and_leaves_no_process(here, models, jobs, signum):
    text = (
        Path("both.toml")
        .read_text()
        .replace("epochs=1", "epochs=40")
        .replace('"training.batch', '"training.checkpoint_every=4", "training.batch')
    )
    Path("long.toml").write_text(text)
    words = [
        "suite",
        "long.toml",
        "--jobs",
        str(jobs),
        "--quiet",
        *(f"--model={name}={f}" for name, f in models.items()),
    ]
    command = [sys.executable, "-m", "paralign", *words]
    assert subprocess.run([*command, "--out", "whole"], check=False).returncode == 0
    process = subprocess.Popen([*command, "--out", "out"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(Path("out").rglob("step-*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    started = children(process.pid)
    os.kill(process.pid, signum)
    code = process.wait(60)
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[signum]
    assert len(started) >= (jobs if jobs > 1 else 0)
    while any(Path(f"/proc/{pid}").exists() for pid in started) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert list(Path("out").rglob("step-*"))  # something was trained, and is continued
    assert subprocess.run([*command, "--out", "out", "--resume"], check=False).returncode == 0
    assert state() == dict.fromkeys(CELLS, "done")
    for folder in CELLS:
        assert scores(f"out/{folder}") == scores(f"whole/{folder}")
