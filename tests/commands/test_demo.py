"""``paralign demo`` on the pairs of the package."""

import gzip
import json
from dataclasses import replace
from itertools import pairwise

import pytest

from paralign.__main__ import main
from paralign.commands import demo as module
from paralign.commands import demo_small_world as small_world
from paralign.commands import demo_systems
from paralign.errors import UserError
from paralign.formats.conllu import read_conllu
from paralign.results import read_results
from paralign.smallworld import World
from paralign.text.normalization import comparison_key
from tests.robustness.scenarios import small_demo, stopped_after

SYSTEMS = ("base", "control", "ppa", "words")
TASKS = ("retrieval", "lexicon", "alignment", "pos")
ROWS = {"train": 60, "dev": 20, "test": 20, "words.dev": 20, "words.test": 20}


@pytest.fixture
def quick(base, tmp_path, monkeypatch):
    """A small encoder, few pairs (the first of the package's files) and few steps."""
    folder = tmp_path / "package"
    folder.mkdir()
    package = module.demo_file
    (folder / "ATTRIBUTION.md").write_bytes(package("train", "de").with_name("ATTRIBUTION.md").read_bytes())

    def demo_file(name, language):
        path = package(name, language)
        lines = gzip.decompress(path.read_bytes()).decode().split("\n")[: ROWS[name]]
        (folder / path.name).write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
        return folder / path.name

    short = ("training.batch=8", "training.steps=4", "data.min_pieces=2")
    queue = {"ppa": ("moco.queue=64",)}
    systems = {name: replace(system, settings=(*short, *queue.get(name, ())))
               for name, system in demo_systems.SYSTEMS.items()}  # fmt: skip
    monkeypatch.setattr(demo_systems, "SYSTEMS", systems)
    small = {"demo_file": demo_file, "MODEL": str(base), "_TREES": 30, "_TEST_TREES": 12,
             "_LINKS": {"links.dev": 8, "links.test": 8}, "_FINETUNE": ("training.steps=2",)}  # fmt: skip
    for name, value in small.items():
        monkeypatch.setattr(module, name, value)


def test_the_demo_measures_every_system_and_names_what_comes_next(quick, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["demo", "--out", str(out), "--quiet"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"report: {out / 'report.html'}"
    assert said[1].startswith(f"aligned encoder: {out}/")
    assert said[2] == "with your own files: paralign demo --pairs en-de=PAIRS.tsv --out runs/own-pairs"
    assert len(said) == 3
    for task in TASKS:
        rows = {name: read_results(out / f"{task}-{name}") for name in SYSTEMS}
        expected = {"en", *module.LANGUAGES} if task == "pos" else set(module.LANGUAGES)
        assert all({row.language for row in part} == expected for part in rows.values())
        assert len({row.model_hash for part in rows.values() for row in part}) >= 4
        if task != "pos":
            assert {row.where.pool for part in rows.values() for row in part} == {"chosen"}
    assert [json.loads((out / name / "run.json").read_text())["pairs_seen"] for name in SYSTEMS[1:]] == [32] * 3
    assert "CC BY 2.0 FR" in (out / "data" / "ATTRIBUTION.md").read_text("utf-8")
    page = (out / "report.md").read_text("utf-8")
    assert "Layer and pooling of each system are those with the best score on development data." in page
    # Interrupted and finished runs continue; without --resume the folder is not changed.
    before = (out / "report.html").read_bytes()
    assert main(["demo", "--out", str(out), "--quiet"]) == 2
    assert main(["demo", "--out", str(out), "--quiet", "--resume"]) == 0
    assert (out / "report.html").read_bytes() == before


def test_no_test_sentence_of_the_tagger_is_in_its_training_data(tmp_path, monkeypatch):
    """Different meanings can have the same words: of these ranges, some would overlap."""
    monkeypatch.setattr(module, "LANGUAGES", ("de",))
    monkeypatch.setattr(module, "_TREES", 300)
    monkeypatch.setattr(module, "_TEST_TREES", 200)
    train, test = module._START["train"], module._START["test"]
    world = World(0)
    seen = {comparison_key(world.sentence(train + k, "en").text) for k in range(300)}
    # A world in which the first test meanings are those of training.
    monkeypatch.setattr(module, "_START", module._START | {"test": train + 290})
    assert test > train + 300
    module._write_data(tmp_path)
    texts = {name: [tree.text for tree in read_conllu(tmp_path / f"{name}.conllu")]
             for name in ("train.en", "test.en", "test.de")}  # fmt: skip
    assert len(texts["train.en"]) == 300
    assert {comparison_key(text) for text in texts["train.en"]} == seen
    assert 0 < len(texts["test.en"]) <= 190
    assert not {comparison_key(text) for text in texts["test.en"]} & seen
    assert len(texts["test.de"]) == len(texts["test.en"])


@pytest.mark.slow
@pytest.mark.parametrize("step", [6, 15])
def test_a_demo_that_was_stopped_ends_in_the_same_scores(quick, tmp_path, step):
    """The sixth step is in the second system, the fifteenth in a tagger."""
    scores = {}
    for name in ("whole", "stopped"):
        command = ["demo", "--out", str(tmp_path / name), "--quiet"]
        if name == "stopped":
            with stopped_after(step):
                assert main(command) == 143
            command.append("--resume")
        assert main(command) == 0
        scores[name] = {row.key(): row.value for task in TASKS for system in SYSTEMS
                        for row in read_results(tmp_path / name / f"{task}-{system}")}  # fmt: skip
    assert len(scores["whole"]) > 100
    assert scores["stopped"] == scores["whole"]


def test_the_demo_on_the_small_world(tmp_path, capsys):
    out = tmp_path / "out"
    with small_demo():
        assert main(["demo", "--small-world", "--out", str(out), "--quiet"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said == [
        f"report: {out / 'report.html'}",
        "with your own files: paralign demo --pairs en-de=PAIRS.tsv --out runs/own-pairs",
    ]
    for name in ("base", "ppa", "control"):
        rows = {task: read_results(out / f"{task}-{name}") for task in ("pos", "retrieval")}
        assert {row.language for row in rows["pos"]} == {"en", "de"}
        assert {row.language for row in rows["retrieval"]} == {"de"}
        assert {row.settings["control"] for row in rows["pos"]} == {name == "control"}


def test_the_small_world_is_that_of_the_seed(tmp_path, monkeypatch):
    def stop(**_):
        raise KeyboardInterrupt

    with small_demo():
        monkeypatch.setattr(small_world, "pretrain", stop)
        with pytest.raises(KeyboardInterrupt):
            small_world.demo_small_world(tmp_path / "out", quiet=True)
        with pytest.raises(UserError, match="seed: differs from what this demo began with"):
            small_world.demo_small_world(tmp_path / "out", seed=1, resume=True, quiet=True)
        with pytest.raises(KeyboardInterrupt):
            small_world.demo_small_world(tmp_path / "out", resume=True, quiet=True)


def test_meanings_of_the_small_world_are_used_once():
    languages = len(small_world._LANGUAGES)
    parts = {
        "mono": languages * small_world._MONO,
        "pairs": (languages - 1) * small_world._PAIRS,
        "train": small_world._TRAIN,
        "test": small_world._TEST,
    }
    ranges = sorted((small_world._START[name], small_world._START[name] + size) for name, size in parts.items())
    assert all(end <= start for (_, end), (start, _) in pairwise(ranges))
