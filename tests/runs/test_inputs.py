"""A run is resumed only with the inputs it began with: data, word links, dictionary and encoder, by content."""

import json
import shutil
import zipfile
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import paralign
from paralign.corpus.shard_plan import text_sources
from paralign.errors import UserError
from paralign.runs.folder import RunFolder
from paralign.runs.inputs import check_inputs, data_files, dictionary_files, file_entries, model_files
from paralign.runs.same_text import check_same_text
from paralign.smallworld import World
from paralign.sources.specs import parse_pairs
from tests.training.runs import stopped_at

QUICK = {"training": {"batch": 8, "steps": 4, "precision": "fp32", "checkpoint_every": 2}, "data": {"min_pieces": 2}}


def resumed(path, **inputs):
    """Begin a run, then check other inputs as a resumed run does."""
    folder = RunFolder(path, "align", resume=True)
    check_inputs(folder, **inputs)
    return folder


def entry(path, digest):
    return {"path": path, "blake2b": digest}


def test_inputs_are_compared_by_content_and_in_order(tmp_path):
    first = resumed(tmp_path / "run", pairs=[entry("a", "1"), entry("b", "2")])
    first.begin({})
    first.save(status="stopped")
    resumed(tmp_path / "run", pairs=[entry("moved/a", "1"), entry("b", "2")])
    for name, digests in (("b", "13"), ("a", "32"), ("a", "21")):
        with pytest.raises(UserError, match=rf"^{name}: the parallel text changed since this run began \(restore it"):
            resumed(tmp_path / "run", pairs=[entry("a", digests[0]), entry("b", digests[1])])
    with pytest.raises(UserError, match="a: the parallel text changed since this run began: 1 files instead of 2"):
        resumed(tmp_path / "run", pairs=[entry("a", "1")])


def test_files_of_one_archive_are_told_apart(tmp_path, monkeypatch):
    """The digest is that of the archive, whichever of its files is read."""
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("x.zip", "w") as archive:
        archive.writestr("dev/en.tsv", "a\tb\n")
        archive.writestr("test/en.tsv", "c\td\n")
    first = resumed(tmp_path / "run", pairs=file_entries(["x.zip!dev/en.tsv"]))
    first.begin({"data": {"eval": ["en=x.zip!dev/en.tsv"]}})
    first.save(status="stopped")
    (tmp_path / "moved").mkdir()
    shutil.copy("x.zip", "moved/x.zip")
    again = resumed(tmp_path / "run", pairs=file_entries(["moved/x.zip!dev/en.tsv"]))
    again.check_settings({"data": {"eval": ["en=moved/x.zip!dev/en.tsv"]}})
    with pytest.raises(UserError, match=r"x\.zip!test/en\.tsv: the parallel text changed"):
        resumed(tmp_path / "run", pairs=file_entries(["x.zip!test/en.tsv"]))
    with pytest.raises(UserError, match=r"data\.eval was"):
        again.check_settings({"data": {"eval": ["en=x.zip!test/en.tsv"]}})


@pytest.mark.parametrize(
    ("built", "now", "message"),
    [
        ("en-de=x.zip!A.en,x.zip!A.de", "en-de=x.zip!B.en,x.zip!B.de", "the data differ"),
        ("en:zh-TW=a.tsv", "en:zh-CN=a.tsv", "the data differ.*zh-TW"),
        ("en:de~syn@order.json=a.conllu", "en:de~syn@other/order.json=a.conllu", "the data differ"),
        ("en-de=a.tsv", "en-de=b.tsv", "the data differ"),
    ],
)
def test_the_store_of_an_earlier_attempt_is_of_the_same_text(tmp_path, monkeypatch, built, now, message):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("x.zip", "w") as archive:
        for name in ("A.en", "A.de", "B.en", "B.de"):
            archive.writestr(name, name)
    for name in ("a.tsv", "b.tsv", "a.conllu", "order.json", "other/order.json"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(f"{name}\n")
    specs = [parse_pairs(built)]
    entry = {"spec": built, "languages": list(specs[0].languages)}
    entry |= text_sources(specs[0])
    store = SimpleNamespace(meta={"filter": {}, "specs": [entry], "tokenized": False}, path=tmp_path / "corpus")
    check_same_text(store, specs, tokenized=False, resumed=False)
    with pytest.raises(UserError, match=message):
        check_same_text(store, [parse_pairs(now)])
    with pytest.raises(UserError, match=r"links\.tokenized was False, now True"):
        check_same_text(store, specs, tokenized=True)


def test_a_store_of_standard_input_is_used_again_only_by_a_resumed_run(tmp_path):
    entry = {"spec": "en-de=-", "languages": ["en", "de"], "files": [{"path": "-"}]}
    store = SimpleNamespace(meta={"filter": {}, "specs": [entry], "tokenized": False}, path=tmp_path / "corpus")
    check_same_text(store, [parse_pairs("en-de=-")])
    with pytest.raises(UserError, match=r"cannot be compared with that of an earlier attempt.*--corpus .*/corpus for"):
        check_same_text(store, [parse_pairs("en-de=-")], resumed=False)


def test_an_attempt_with_other_words_does_not_use_the_store_of_the_first(files):
    """The store of an attempt that failed before its first step is kept; whether words are given is part of it."""
    (files / "links").write_text("0-0\n" * 59 + "90-90\n")
    given = LINKS | {"links": [f"en-de={files / 'links'}"]}
    with pytest.raises(UserError, match="90-90"):
        align(files, **given)
    assert (files / "run" / "corpus").is_dir()
    with pytest.raises(UserError, match=r"links\.tokenized was False, now True"):
        align(files, **given, overrides=["links.tokenized=true"])


def test_a_file_that_no_longer_exists_keeps_its_digest(tmp_path):
    first = resumed(tmp_path / "run", pairs=[entry("a", "1")])
    first.begin({})
    first.save(status="stopped")
    second = resumed(tmp_path / "run", pairs=[entry("a", None)])
    second.begin({})
    second.save(status="stopped")
    with pytest.raises(UserError, match="parallel text changed"):
        resumed(tmp_path / "run", pairs=[entry("a", "2")])


def test_every_file_of_a_specification_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("x.en", "x.de", "order.json", "d.index", "d.dict"):
        (tmp_path / name).write_text(name)
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("inside", "text")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "data.arrow").write_text("x")
    (tmp_path / "link").symlink_to("x.en")

    def paths(*specs):
        found = data_files(specs)
        assert all(one["blake2b"] for one in found)
        return [one["path"] for one in found]

    assert paths("en-de=x.en,x.de") == ["x.en", "x.de"]
    assert paths("en=x.en", "de=x.de") == ["x.en", "x.de"]
    assert paths("en:en~syn@order.json=x.en") == ["x.en", "order.json"]
    assert paths("en=hub:saved#config@train") == ["saved/data.arrow"]
    assert paths("en=smallworld:0-9", "en=hub:name/of-it") == []
    (archived,) = file_entries(["z.zip!inside"])
    assert archived["blake2b"] == file_entries(["z.zip"])[0]["blake2b"]
    assert file_entries(["link"])[0]["blake2b"] == file_entries(["x.en"])[0]["blake2b"]
    assert file_entries(["-", "missing"]) == [entry("-", None), entry("missing", None)]
    assert [one["path"] for one in dictionary_files(["en-de=d"])] == ["d.index", "d.dict"]


def test_the_files_of_a_model(base, tmp_path):
    names = {one["path"].rpartition("/")[2] for one in model_files(str(base))}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not names & {"README.md", "paralign.json"}
    assert model_files("no/such/name/on-the-hub") == []
    assert model_files("paralign-mini")


def write_pairs(path, numbers):
    world = World(0)
    path.write_text("".join(f"{world.sentence(n, 'en').text}\t{world.sentence(n, 'de').text}\n" for n in numbers))


def write_text(path, numbers):
    path.write_text("".join(f"{World(0).sentence(n, 'en').text}\n" for n in numbers))


@pytest.fixture
def files(base, tmp_path):
    write_pairs(tmp_path / "pairs.tsv", range(60))
    write_pairs(tmp_path / "links.tsv", range(60))
    (tmp_path / "links").write_text("0-0\n" * 60)
    (tmp_path / "dictionary.tsv").write_text("house\tHaus\ncat\tKatze\ndog\tHund\nthe\tdie\na\teine\n")
    for name, start in (("text", 0), ("held", 900)):
        write_text(tmp_path / f"{name}.txt", range(start, start + 60))
    shutil.copytree(base, tmp_path / "model")
    return tmp_path


def align(files, **more):
    given = {"pairs": [f"en-de={files / 'pairs.tsv'}"], "settings": QUICK, "quiet": True, "out": files / "run"} | more
    return paralign.align(str(files / "model"), **given)


def pretrain(files, **more):
    given = {"text": [f"en={files / 'text.txt'}"], "settings": QUICK, "quiet": True, "out": files / "run",
             "heldout": [f"en={files / 'held.txt'}"], "model": str(files / "model")} | more  # fmt: skip
    return paralign.pretrain(**given)


def damage(path):
    """Change a file so that it can still be read."""
    data = path.read_bytes()
    if path.suffix == ".safetensors":
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif path.suffix == ".json":
        path.write_bytes(data + b"\n")
    else:
        lines = data.splitlines(keepends=True)
        path.write_bytes(b"".join([lines[1], lines[0], *lines[2:]]) if lines[0] != lines[1] else b"1-1\n" + data[4:])


LINKS = {"recipe": "alignlm-mini"}
ENCODER = {f"model/{file}": "encoder" for file in ("model.safetensors", "tokenizer.json", "config.json")}
CASES = [
    (align, {"recipe": "tlm-mini"}, {"pairs.tsv": "parallel text"} | ENCODER),
    (align, LINKS, {"links": "word links"}),
    (align, {"recipe": "dict-mlm"}, {"dictionary.tsv": "dictionary"}),
    (pretrain, {}, {"text.txt": "text", "held.txt": "held-out text", "model/model.safetensors": "encoder"}),
]


@contextmanager
def damaged(path):
    """Change a file inside the context, and restore it."""
    original = path.read_bytes()
    damage(path)
    yield
    path.write_bytes(original)


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(("command", "more", "names"), CASES)
def test_a_changed_input_is_refused_by_name(files, command, more, names, finished):
    more = dict(more)
    if "links" in names:
        more["links"] = [f"en-de={files / 'links'}"]
    if "dictionary.tsv" in names:
        more["dictionary"] = [f"en-de={files / 'dictionary.tsv'}"]
    if finished:
        command(files, **more)
    else:
        with stopped_at(2):
            command(files, **more)
    before = {path: path.read_bytes() for path in (files / "run").rglob("*") if path.is_file()}
    for changed, name in names.items():
        message = rf"{changed}: the {name} changed since this run began \(restore it"
        with damaged(files / changed), pytest.raises(UserError, match=message):
            command(files, **more, resume=True)
        assert {path: path.read_bytes() for path in (files / "run").rglob("*") if path.is_file()} == before
    command(files, **more, resume=True)


def test_a_changed_teacher_is_refused(files):
    teacher = shutil.copytree(files / "model", files / "teacher")
    given = {"recipe": "distill", "overrides": [f"distill.teacher={teacher}"]}
    with stopped_at(2):
        align(files, **given)
    for changed in ("model.safetensors", "tokenizer.json"):
        message = rf"teacher/{changed}: the encoder that an objective loads changed since this run began"
        with damaged(teacher / changed), pytest.raises(UserError, match=message):
            align(files, **given, resume=True)
    align(files, **given, resume=True)


def test_a_missing_teacher_is_refused_before_the_run_begins(files):
    with pytest.raises(UserError, match=r"/nowhere/teacher: no such model folder"):
        align(files, recipe="distill", overrides=["distill.teacher=/nowhere/teacher"])
    assert not (files / "run").exists()


def test_a_changed_token_store_is_refused(files, store):
    stores = [shutil.copytree(store.path, files / "store"), files / "other"]
    with stopped_at(2):
        align(files, recipe="tlm-mini", pairs=[], corpus=stores[0])
    align(files, recipe="tlm-mini", out=files / "second")
    shutil.copytree(files / "second" / "corpus", stores[1])
    with pytest.raises(UserError, match=r"other: the token store changed since this run began"):
        align(files, recipe="tlm-mini", pairs=[], corpus=stores[1], resume=True)
    align(files, recipe="tlm-mini", pairs=[], corpus=stores[0], resume=True)


def finetune(files, **more):
    given = {"task": "nli", "out": files / "run", "quiet": True, "keep_models": False, "dev": f"en={files / 'dev.tsv'}",
             "train": f"en={files / 'train.tsv'}", "eval": [f"en={files / 'test.tsv'}"],
             "settings": {"training": QUICK["training"] | {"steps": 6}}} | more  # fmt: skip
    return paralign.finetune(str(files / "model"), **given)


def write_items(path, start):
    rng, labels = np.random.default_rng(start), ["entailment", "neutral", "contradiction"]
    lines = [f"{World(0).sentence(n, 'en').text}\tA cat.\t{rng.choice(labels)}\n" for n in range(start, start + 30)]
    path.write_text("".join(lines))


def test_more_seeds_are_not_averaged_with_results_of_other_data(files):
    """With one seed the run is finished; with two, the second is compared with the first."""
    for index, data in enumerate(("train", "dev", "test")):
        write_items(files / f"{data}.tsv", 100 * index)
    finetune(files)
    before = (files / "run" / "results.jsonl").read_bytes()
    names = {"train.tsv": "training data", "dev.tsv": "development data", "test.tsv": "test data"} | ENCODER
    for changed, name in names.items():
        for seeds in (1, 2):
            message = rf"{changed}: the {name} changed since this run began"
            with damaged(files / changed), pytest.raises(UserError, match=message):
                finetune(files, seeds=seeds, resume=True)
            assert (files / "run" / "results.jsonl").read_bytes() == before


def test_cells_of_an_ablation_are_not_compared_across_changed_inputs(files):
    for index, data in enumerate(("train", "test")):
        write_items(files / f"{data}.tsv", 100 * index)
    given = {"task": "nli", "train": [f"en={files / 'train.tsv'}"], "eval": [f"en={files / 'test.tsv'}"], "quiet": True,
             "overrides": ["training.steps=2", "training.batch=8"], "out": files / "out"}  # fmt: skip
    paralign.analyze_ablation([str(files / "model")], layers=["0"], **given)
    before = sorted((files / "out").rglob("*"))
    for changed in ("train.tsv", "test.tsv", "model/model.safetensors"):
        message = rf"{changed.partition('/')[0]}.*changed since"
        with damaged(files / changed), pytest.raises(UserError, match=message):
            paralign.analyze_ablation([str(files / "model")], layers=["1"], **given, resume=True)
        assert sorted((files / "out").rglob("*")) == before


def test_inputs_are_recorded(files):
    align(files, recipe="tlm-mini")
    inputs = json.loads((files / "run" / "run.json").read_text())["inputs"]
    assert inputs["pairs"] == file_entries([files / "pairs.tsv"])
    assert inputs["model"] == model_files(str(files / "model"))
