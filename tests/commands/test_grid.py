"""A small grid of derived languages: it runs, stops, resumes and reports."""

import functools
import json
import shlex
import shutil

import pytest

from paralign.__main__ import main
from paralign.commands import grid
from paralign.commands.order_corpus import order_corpus
from paralign.config import load_toml
from paralign.errors import UserError
from paralign.formats.conllu import write_conllu
from paralign.report import ReportPaths
from paralign.runs.folder import RunFolder
from paralign.sources.readers import read_trees
from paralign.sources.specs import TextSpec

TINY = (
    "grid.arch=bert:1x32", "grid.vocab=300", 'grid.tokenizer="wordpiece"',
    'grid.pretrain=["training.steps=3", "training.batch=8", "training.warmup=0"]',
    'grid.finetune=["training.epochs=1", "training.batch=16"]',
)  # fmt: skip


ONE = (*TINY, 'grid.methods=["mlm-scratch"]', 'grid.languages=["inv"]')


@pytest.fixture
def files(tmp_path):
    return write_files(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A grid with one encoder of seed 0."""
    folder = write_files(tmp_path_factory.mktemp("grid"))
    run(folder, overrides=ONE, limit=8)
    return folder / "out"


def write_files(tmp_path):
    for name, indices in (("text", "0-60"), ("train", "100-130"), ("test", "200-215")):
        write_conllu(read_trees(TextSpec("en", f"smallworld:{indices}")), tmp_path / f"{name}.conllu")
    order_corpus(["hi=smallworld:0-100"], tmp_path / "hi.json", quiet=True)
    return tmp_path


def run(files, **more):
    given = {"text": f"en={files / 'text.conllu'}", "task": "pos", "train": str(files / "train.conllu"),
             "eval": str(files / "test.conllu"), "quiet": True} | more  # fmt: skip
    return grid.run_grid(files / "out", **given)


def test_data_may_have_the_language_of_the_text(finished):
    """`LANG=PATH`, as in other commands: the cells are those of the path alone."""
    files = finished.parent
    given = {"train": f"en={files / 'train.conllu'}", "eval": f"en={files / 'test.conllu'}"}
    before = (finished / "report-pos.csv").read_bytes()
    run(files, overrides=ONE, limit=8, resume=True, **given)
    assert (finished / "report-pos.csv").read_bytes() == before
    with pytest.raises(UserError, match="the data are in de, the text is in en"):
        run(files, overrides=ONE, resume=True, **given | {"eval": f"de={files / 'test.conllu'}"})


def test_a_grid_runs_every_method_on_every_language_and_resumes(files, monkeypatch):
    sets = (*TINY, 'grid.methods=["mlm-scratch", "align-mlm"]',
            f'grid.languages=["trans+inv", "trans+syn@{files / "hi.json"}"]')  # fmt: skip
    whole, calls = grid.pretrain, []

    @functools.wraps(whole)
    def stopped(**given):
        calls.append(given["out"].name)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(**given)

    monkeypatch.setattr(grid, "pretrain", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(files, overrides=sets)
    page = run(files, overrides=sets, resume=True)
    assert len(set(calls)) == 4
    figure = json.loads((files / "out" / "transfer-pos" / "figures" / "transfer.json").read_text())
    points = {(p["system"], p["language"]): p for p in figure["points"]}
    assert set(points) == {(m, f"en~trans+{x}") for m in ("MLM", "ALIGN-MLM") for x in ("inv", "syn@hi")}
    assert all(p["alignment"] is not None for p in points.values())
    assert figure["correlations"][0]["points"] == 4
    assert "Transfer to derived languages" in page.read_text()
    assert "No run is marked as the control" not in page.read_text()
    with pytest.raises(UserError, match="not empty"):
        run(files, overrides=sets)
    for name, what in (("text", "parallel text"), ("train", "training data"), ("test", "test data")):
        path = files / f"{name}.conllu"
        before = path.read_text()
        path.write_text(before.rpartition("# sent_id")[0])  # without the last sentence
        with pytest.raises(UserError, match=rf"{name}\.conllu: the {what} changed since this run began"):
            run(files, overrides=sets, resume=True)
        path.write_text(before)
    run(files, overrides=sets, resume=True)
    run(files, overrides=(*sets, 'grid.methods=["mlm-scratch"]'), resume=True)  # another comparison of finished runs
    for kind, count in (("encoders", 4), ("pos", 8), ("twins", 4)):  # the recorded commands find the finished runs
        commands = [json.loads(file.read_text())["command"] for file in (files / "out" / kind).glob("*/run.json")]
        assert len(commands) == count
        assert main([*shlex.split(commands[0])[1:], "--quiet"]) == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"text": "en~inv=x.txt"}, "the grid derives the others"),
        ({"overrides": ("training.steps=3",)}, "only grid.KEY can be set here"),
        ({"recipe": "mlm"}, "only grid.KEY can be set here"),
        ({"overrides": ('grid.languages=["inw"]',)}, "did you mean 'inv'"),
        ({"overrides": ("grid.seedz=3",)}, "seeds"),
        ({"overrides": ('grid.methods=["mlm-scratsh"]',)}, "did you mean 'mlm-scratch'"),
        ({"overrides": ('grid.pretrain=["training.stepz=1"]',)}, "steps"),
        ({"overrides": ('grid.finetune=["training.epoch=1"]',)}, "epochs"),
        ({"overrides": ("grid.arch=bertt:1x32",)}, "bert"),
        ({"overrides": ("grid.vocab=300", "grid.tokenizer=paralign-mini")}, "paralign-mini is one already"),
        ({"overrides": ('grid.languages=["syn"]',)}, "needs a word order"),
        ({"task": "retrieval"}, "no head to fine-tune"),
        ({"train": "nowhere.conllu"}, "nowhere.conllu"),
        ({"text": "en=nowhere.txt"}, "nowhere.txt"),
        ({"text": "en=-"}, "standard input can be read only once, but every run of the grid"),
        ({"train": "-"}, "standard input can be read only once, but every run of the grid"),
    ],
)
def test_invalid_grids_are_refused(files, more, message):
    with pytest.raises(UserError, match=message):
        run(files, **more)
    assert not (files / "out").exists()


def test_a_main_metric_under_a_condition_is_reported(files):
    """The grid trained on all cells before it refused LAS without punctuation."""
    sets = (*TINY[:-1], 'grid.methods=["mlm-scratch"]', 'grid.languages=["inv"]',
            'grid.finetune=["training.epochs=1", "training.batch=16", "task.punctuation=false"]')  # fmt: skip
    page = run(files, task="parsing", overrides=sets, limit=25)
    figure = json.loads((files / "out" / "transfer-parsing" / "figures" / "transfer.json").read_text())
    assert [(p["metric"], p["condition"]) for p in figure["points"]] == [("las_without_punctuation", "")]
    assert "parsing (las_without_punctuation)" in page.read_text()
    limits = {load_toml(file)["data"]["limit"] for file in (files / "out").glob("*/*/config.toml")}
    assert limits == {25}


def test_seeds_begin_with_the_first_one(files, monkeypatch):
    names = []
    monkeypatch.setattr(grid, "_run_cell", lambda cell: names.append(cell.name))
    sets = (*TINY, 'grid.methods=["mlm-scratch"]', 'grid.languages=["inv"]', "grid.seeds=2", "grid.first_seed=3")
    with pytest.raises(UserError, match=r"mlm-scratch-3-on-original: no results\.jsonl in the folder"):
        run(files, overrides=sets)
    assert names == ["en~inv-mlm-scratch-3", "en~inv-mlm-scratch-4"]


def test_finished_runs_of_other_seeds_are_on_the_page(files, base, monkeypatch):
    compared = []
    monkeypatch.setattr(grid, "_pretrain", lambda *_: base)
    monkeypatch.setattr(grid, "analyze_results", lambda _, runs, **more: compared.append([run.name for run in runs]))
    monkeypatch.setattr("paralign.report.write_report", lambda runs, out, **_: ReportPaths(out, out, out, out))
    sets = (*TINY, 'grid.methods=["mlm-scratch"]', 'grid.languages=["inv"]')
    run(files, overrides=sets, limit=8)
    (files / "out/pos/en~inv-mlm-scratch-7-on-original").mkdir()  # not finished
    run(files, overrides=(*sets, "grid.first_seed=1"), limit=8, resume=True)
    names = [f"en~inv-mlm-scratch-{seed}-on-{side}" for seed in (1, 0) for side in ("original", "derived")]
    assert compared == [names[2:], names]
    changed = (*sets, "grid.first_seed=2", 'grid.finetune=["training.epochs=2", "training.batch=16"]')
    with pytest.raises(UserError, match=r"mlm-scratch-0-on-original/config\.toml: settings differ .*epochs"):
        run(files, overrides=changed, limit=8, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": "en={}/train.conllu"}, r"train\.conllu: the parallel text changed since this run began"),
        ({"overrides": ("grid.arch=bert:1x64",)}, r"-0/config\.toml: settings differ .*scratch\.arch"),
        ({"overrides": ('grid.pretrain=["training.steps=4", "training.batch=8"]',)}, "settings differ .*steps"),
    ],
)
def test_encoders_of_other_seeds_have_the_same_text_and_settings(files, finished, change, message):
    shutil.copytree(finished, files / "out")
    more = {key: value.format(files) for key, value in change.items() if key == "text"}
    with pytest.raises(UserError, match=message):
        run(files, overrides=(*ONE, "grid.first_seed=1", *change.get("overrides", ())), limit=8, resume=True, **more)
    assert not (files / "out/encoders/en~inv-mlm-scratch-1").exists()


def test_twins_whose_evaluation_was_interrupted_are_evaluated_again(make_encoder, tmp_path, monkeypatch):
    """After the results and before the end of the run, as `_is_done` and the suite see it."""
    encoder, run = tmp_path / "encoder", tmp_path / "twins"
    make_encoder(twins=True).save_pretrained(encoder)
    save = RunFolder.save

    def interrupted(folder, **facts):
        if facts.get("status") == "done":
            raise KeyboardInterrupt
        save(folder, **facts)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "save", interrupted)
        with pytest.raises(KeyboardInterrupt):
            grid._evaluate_twins(run, encoder, "en-en~trans=pieces")
    assert (run / "results.jsonl").is_file()
    grid._evaluate_twins(run, encoder, "en-en~trans=pieces")
    assert RunFolder(run, "evaluate", resume=True).finished


def test_pretraining_is_lenient_like_fine_tuning(files, monkeypatch):
    given = []

    def stopped(*, out, lenient=False, **more):
        given.append(lenient)
        raise KeyboardInterrupt

    monkeypatch.setattr(grid, "pretrain", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(files, overrides=(*TINY, 'grid.methods=["mlm-scratch"]', 'grid.languages=["inv"]'), lenient=True)
    assert given == [True]
