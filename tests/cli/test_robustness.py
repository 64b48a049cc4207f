"""Damaged files and limits of the system: one line and exit code 2, never a traceback."""

import io
import json
import os
import random
import signal
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

import paralign
from paralign.__main__ import main, run
from paralign.cli import listing
from paralign.commands.analyze_encoders import analyze_encoders
from paralign.commands.check_corpus import check_corpus
from paralign.console import printable
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.formats.links import read_gold
from paralign.languages.dictionary import Dictionary
from paralign.runs.folder import RunFolder
from paralign.runs.model_folder import describe_model, saved_head, saved_task
from paralign.runs.settings import load_recipe, run_settings
from paralign.sources.readers import read_pairs
from paralign.sources.specs import parse_pairs

ALIGN = ["align", "--model", "{base}", "--out", "{tmp}/out", "--pairs", "en-de=smallworld:0-60", "--quiet"]


def refused(words, tmp_path, capsys, base=""):
    """Run a command that must fail with one line; return the line."""
    assert main([word.format(base=base, tmp=tmp_path) for word in words]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1, output.err
    return output.err


# -- settings


def test_recipes_that_extend_themselves(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, base in (("a", "a"), ("b", "c"), ("c", "d"), ("d", "c")):
        Path(f"{name}.toml").write_text(f'extends = "{base}.toml"\nobjectives = ["tlm"]\n')
    words = [*ALIGN, "--recipe"]
    assert "the recipe extends itself: a.toml -> a.toml" in refused([*words, "a.toml"], tmp_path, capsys)
    assert "extends itself: c.toml -> d.toml -> c.toml" in refused([*words, "b.toml"], tmp_path, capsys)
    Path("e.toml").write_text("extends = 3\n")
    assert "'extends' must be the name of a recipe, not 3" in refused([*words, "e.toml"], tmp_path, capsys)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_store_can_be_built_from_a_pipe(tmp_path, base):
    os.mkfifo(tmp_path / "pipe")
    text = "".join(f"{pair.source}\t{pair.target}\n" for pair in read_pairs(parse_pairs("en-de=smallworld:0-50")))
    threading.Thread(target=(tmp_path / "pipe").write_text, args=(text,), daemon=True).start()
    words = ["corpus", "build", "--model", str(base), "--pairs", f"en-de={tmp_path}/pipe", "--set", "data.min_pieces=1"]
    assert main([*words, "--out", str(tmp_path / "store"), "--quiet"]) == 0
    assert len(TokenStore.open(tmp_path / "store")) == 50


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            ["--pairs", "en-de=smallworld:0-9", "--shards", "2", "--exclude", "-"],
            "standard input can be read only once",
        ),
        (["--pairs", "en-de=smallworld:0-9", "--shards", "2", "--exclude", "en= -"], "standard input can be read only"),
        (["--text", "en=smallworld:0-9", "--tokenized"], "--tokenized has no effect with --text"),
    ],
)
def test_mistakes_of_corpus_build(tmp_path, base, capsys, more, message):
    assert main(["corpus", "build", "--model", str(base), "--out", str(tmp_path / "store"), *more]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "store").exists()


def test_a_recipe_extends_one_in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("r").mkdir()
    for name, base, method in (("r/a", "base.toml", "a"), ("r/base", "tlm", "near"), ("base", "moco", "far")):
        Path(f"{name}.toml").write_text(f'extends = "{base}"\nmethod = "{method}"\n')
    assert load_recipe("r/a.toml")["objectives"] == load_recipe("tlm")["objectives"]
    Path("r/circle.toml").write_text('extends = "../r/circle.toml"\n')
    with pytest.raises(UserError, match=r"the recipe extends itself: r/circle\.toml -> r/circle\.toml"):
        load_recipe("r/circle.toml")


def test_a_value_in_the_place_of_a_section_is_named(tmp_path, base):
    recipe = tmp_path / "r.toml"
    recipe.write_text('extends = "tlm"\ntraining = 3\n')
    probes = {"task": "pos", "train": "en=smallworld:0-9", "eval": "en=smallworld:0-9", "out": tmp_path / "x"}
    for call in (
        lambda: run_settings(str(recipe), ["training.epochs=1"]),
        lambda: run_settings("ppa-mini", ["training=3"]),
        lambda: paralign.analyze_probes(base, overrides="probes=3", **probes),
        lambda: paralign.analyze_probes(base, overrides="task=3", **probes),
        lambda: analyze_encoders("space", base, text=["en=smallworld:0-9"], overrides="space=3", out=tmp_path / "x"),
        lambda: check_corpus(pairs="en-de=smallworld:0-9", overrides="check=3", out=tmp_path / "x"),
        lambda: check_corpus(pairs="en-de=smallworld:0-9", overrides="data=3", out=tmp_path / "x"),
    ):
        with pytest.raises(
            UserError, match=r"'(training|probes|task|space|check|data)' is a section of settings, not a setting"
        ):
            call()


def test_a_recipe_may_extend_one_that_extends_another(tmp_path, monkeypatch):
    from paralign.runs.settings import load_recipe

    monkeypatch.chdir(tmp_path)
    Path("a.toml").write_text('extends = "b.toml"\n')
    Path("b.toml").write_text('extends = "ppa-mini"\nmethod = "mine"\n')
    assert load_recipe("a.toml") == load_recipe("ppa-mini") | {"method": "mine"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nsteps = " + "9" * 5000, "not valid TOML: Exceeds the limit"),
        ("[training]\nsteps = " + "9" * 30, "setting 'training.steps': the number does not fit into 64 bits"),
        ("[training]\nseed = -" + "9" * 30, "setting 'training.seed': the number does not fit into 64 bits"),
        ("[training]\nbetas = [0.9, " + "9" * 30 + "]", "setting 'training.betas': the number does not fit"),
        ("x = " + "[" * 5000 + "]" * 5000, "not valid TOML: nested too deeply"),
        ("objectives = [3]", "objectives must be names, not [3]"),
        ('objectives = [["tlm"]]', "objectives must be names"),
    ],
)
def test_settings_of_any_size(text, message, tmp_path, capsys, base):
    first = "" if text.startswith("obj") else 'objectives = ["tlm"]\n'
    (tmp_path / "r.toml").write_text(f"{first}{text}\n")
    line = refused([*ALIGN, "--recipe", str(tmp_path / "r.toml")], tmp_path, capsys, base)
    assert message in line
    assert len(line) < 400


@pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, "9" * 30, "[" * 3000])
def test_options_of_any_size(value, tmp_path, capsys, base):
    line = refused([*ALIGN, "--set", f"training.steps={value}"], tmp_path, capsys, base)
    assert "training.steps" in line
    assert len(line) < 400


def test_a_queue_that_does_not_fit_into_memory(tmp_path, capsys, base):
    words = [*ALIGN, "--recipe", "moco-mini", "--set", "moco.queue=9999999999999", "--set", "data.min_pieces=2"]
    assert "not enough memory" in refused([*words, "--set", "training.batch=8"], tmp_path, capsys, base)


@pytest.mark.parametrize("line", ["1 1 " + "9" * 5000, "9" * 5000 + " 1 1", "1 -" + "9" * 30 + " 1"])
def test_links_of_any_size(line, tmp_path):
    for first in ("", "1 1 1\n"):
        (tmp_path / "gold").write_text(f"{first}{line}\n")
        with pytest.raises(UserError, match=r"gold:"):
            read_gold(tmp_path / "gold", [(3, 3)] * (1 + bool(first)))


# -- archives


def archive(path, method=zipfile.ZIP_DEFLATED, extra=()):
    with zipfile.ZipFile(path, "w", method) as made:
        for name in extra:
            made.writestr(zipfile.ZipInfo(name), b"x")
        for tag, word in (("en", "sentence"), ("de", "Satz")):
            made.writestr(f"c.{tag}", "".join(f"{word} number {k * 7919 % 1009} .\n" for k in range(500)))


def test_members_without_a_name_are_ignored(tmp_path, capsys):
    archive(tmp_path / "a.zip", extra=(".", "", "./"))
    assert main(["corpus", "show", f"en-de={tmp_path}/a.zip", "--limit", "1"]) == 0
    assert "sentence number 0 ." in capsys.readouterr().out


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_damaged_archives_are_read_or_refused(method, tmp_path):
    archive(tmp_path / "a.zip", method)
    whole = (tmp_path / "a.zip").read_bytes()
    spec = paralign.sources.specs.parse_pairs(f"en-de={tmp_path}/b.zip")
    refusals = []
    for seed in range(120):
        draw, data = random.Random(seed), bytearray(whole)
        for _ in range(draw.choice([1, 3, 30])):
            data[draw.randrange(len(data))] = draw.randrange(256)
        (tmp_path / "b.zip").write_bytes(data)
        try:
            for _ in paralign.sources.readers.read_pairs(spec):
                pass
        except UserError as error:
            refusals.append(str(error))
    assert len(refusals) > 10
    assert all(str(tmp_path) in line for line in refusals)


def test_an_encrypted_member_is_named_as_such(tmp_path):
    archive(tmp_path / "a.zip")
    data = bytearray((tmp_path / "a.zip").read_bytes())
    at = data.index(b"PK\x01\x02")
    while at >= 0:
        data[at + 8] |= 1
        at = data.find(b"PK\x01\x02", at + 1)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(UserError, match=r"is encrypted \(extract it\)"):
        list(paralign.sources.readers.read_pairs(paralign.sources.specs.parse_pairs(f"en-de={tmp_path}/a.zip")))


# -- files of runs and models

OF = {"model": "m", "model_hash": "h", "parent": None, "method": "x", "control": False, "seeds": {"pretrain": 0}}
MADE_BY = {"training": {}, "layers": {}, "dev": [], "digests": {}, "content": {}}
TASK = {"task": "pos", "settings": {}, "train": "en", "of": OF, "made_by": MADE_BY}


def changed(facts, path, value):
    copy = json.loads(json.dumps(facts))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copy


@pytest.mark.parametrize("path", [*((k,) for k in TASK), *(("of", k) for k in OF), ("of", "seeds", "align")], ids=str)
def test_a_changed_task_file_is_refused_or_still_has_its_types(path, tmp_path, encoder):
    accepted, refusals = 0, []
    for value in (1, "x", None, [], {}, [1], {"a": 1}, 1e9, True):
        (tmp_path / "task.json").write_text(json.dumps(changed(TASK, path, value)))
        try:
            facts = describe_model(encoder, str(tmp_path))
            saved_task(None, str(tmp_path), {})
        except UserError as error:
            refusals.append(str(error))
            continue
        accepted += 1
        assert isinstance(facts["method"], str)
        paralign.results.Seeds(**facts["seeds"])
    assert accepted < 5
    named = (str(tmp_path), "setting", "unknown task")
    assert all(any(name in line for name in named) for line in refusals)


def test_a_damaged_head_is_named(tmp_path, encoder):
    (tmp_path / "task.json").write_text(json.dumps(TASK))
    (tmp_path / "head.safetensors").write_bytes(b"1")
    task, _ = saved_task(None, str(tmp_path), {})
    with pytest.raises(UserError, match=r"head\.safetensors: the file is damaged"):
        saved_head(task, encoder, str(tmp_path))


@pytest.mark.parametrize("content", [b"1", b"[]", b'"x"', b"null"])
def test_a_run_json_that_is_no_object_is_named(content, tmp_path):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=r"run\.json: the file is damaged"):
        RunFolder(tmp_path, "align", resume=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("run.json", "run/run.json: the file is damaged"),
        ("figures/a.json", "run/figures/a.json: the file is damaged"),
        ("results.jsonl", "run: no run has results"),  # a line that a kill has cut is no result
        ("log.jsonl", None),  # the page shows the rest
        ("config.toml", None),
    ],
)
@pytest.mark.parametrize("content", [b"1", b"\xff\xfe", b"[" * 100_000, b"{", b""])
def test_damaged_files_of_a_run_in_a_report(content, name, message, tmp_path, capsys):
    from tests.report.synthetic import add, share

    file = add(tmp_path / "run", share(60)) / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    code = main(["report", f"{tmp_path}/run", "--out", f"{tmp_path}/r.html"])
    lines = capsys.readouterr().err.splitlines()
    if message is None:
        assert (code, lines) == (0, [])
    else:
        assert (code, len(lines)) == (2, 1)
        assert f"{tmp_path}/{message}" in lines[0]


@pytest.mark.parametrize("content", [b"1", b"[]", b"\xff\xfe", b'{"seeds": 3, "method": [], "languages": 1}'])
def test_damaged_provenance_counts_as_none(content, tmp_path, encoder):
    (tmp_path / "paralign.json").write_bytes(content)
    facts = describe_model(encoder, str(tmp_path))
    assert (facts["method"], facts["seeds"], facts["parent"], facts["control"]) == (tmp_path.name, {}, None, False)


def test_a_dictionary_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / "d.tsv").write_bytes("Fähre\tferry\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"d\.tsv: not a dictionary"):
        Dictionary.load(tmp_path / "d.tsv", 100)


def test_dollars_in_names_are_not_formulas():
    from paralign.report.svg import render_svg

    svg = render_svg("x", lambda axes: axes.set_title(r"$\frac{a$"))
    assert r"$\frac{a$" in svg


# -- limits of the system, and the terminal


@pytest.mark.parametrize(
    "limit", [pytest.param(1, marks=pytest.mark.slow), 8, pytest.param(64, marks=pytest.mark.slow)]
)
def test_files_that_become_too_large(limit, base, tmp_path):
    """The same path as a full disk or quota."""
    words = ["align", "--model", str(base), "--out", str(tmp_path / "run"), "--pairs", "en-de=smallworld:0-60"]
    settings = ["data.min_pieces=2", "training.batch=8", "training.steps=2", "training.log_every=1"]
    words += ["--recipe", "tlm-mini", "--quiet", *(part for one in settings for part in ("--set", one))]
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit} * 1024, {limit} * 1024));"
        f"from paralign.__main__ import main; sys.exit(main({words!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    assert "larger than the system allows" in line or "File too large" in line


def test_a_report_that_becomes_too_large(tmp_path):
    from tests.report.synthetic import add, share

    run = add(tmp_path / "run", share(60))
    words = ["report", str(run), "--out", str(tmp_path / "r.html")]
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024));"
        f"from paralign.__main__ import main; sys.exit(main({words!r}))"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 2
    assert line.startswith(f"paralign: {tmp_path}/r.html: a file would be larger than the system allows")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_outside_training_ends_a_command_alike(signum, code, monkeypatch, capsys):
    """A suite can write its page then, and nothing is left half-written."""
    cleaned = []

    def interrupted():
        try:
            signal.raise_signal(signum)
        finally:
            cleaned.append(True)

    monkeypatch.setitem(listing._LISTS, "recipes", interrupted)
    monkeypatch.setattr(sys, "argv", ["paralign", "list", "recipes"])
    before = signal.getsignal(signal.SIGTERM)
    ignored = signal.signal(signal.SIGINT, signal.default_int_handler)  # shells ignore it for commands in background
    try:
        with pytest.raises(SystemExit) as ended:
            run()
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, ignored)
    assert (ended.value.code, cleaned) == (code, [True])
    assert capsys.readouterr().err == "paralign: stopped\n"


@pytest.mark.parametrize("words", ["list recipes", "--help", "corpus show en-de=smallworld:0-3000"])
def test_a_reader_that_closes_the_pipe(words, tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "paralign", *words.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()  # before anything is written
    assert process.stderr.read() == b""
    assert process.wait() == 141


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
def test_a_full_device_as_standard_output():
    with Path("/dev/full").open("wb") as out:
        words = [sys.executable, "-m", "paralign", "list", "recipes"]
        done = subprocess.run(words, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines() == ["paralign: output: No space left on device"]


def test_a_device_is_written_to_and_not_replaced(tmp_path):
    from paralign.folders import atomic_file

    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with atomic_file(tmp_path / "pipe") as out:
        out.write(b"text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]


def test_control_characters_are_escaped(tmp_path, capsys):
    assert printable("a\x1b[31m\x9b\tb\u2028\ud800é中") == "a\\x1b[31m\\x9b\\tb\\u2028\\ud800é中"
    name = "\x1b]0;title\x07\n.zip"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("../\x1b[2J", b"x")
    (tmp_path / name).write_bytes(b"x")
    for words in (["corpus", "show", "en-de={tmp}/a.zip"], ["corpus", "show", "en-de={tmp}/" + name],
                  ["report", "{tmp}/\x1b[31mrun", "--out", "{tmp}/r.html"]):  # fmt: skip
        line = refused(words, tmp_path, capsys)
        assert printable(line.removesuffix("\n")) == line.removesuffix("\n")
        assert "\\x1b" in line


def test_notes_and_text_of_files_are_escaped(tmp_path, capsys, monkeypatch):
    from paralign.console import echo
    from paralign.training.log import ProgressLine

    echo("note: \x1b[31mname")
    ProgressLine("\x1b[2Jrun", 1).update(1)
    assert capsys.readouterr().err.splitlines() == ["note: \\x1b[31mname", "\\x1b[2Jrun 1/1  "]
    (tmp_path / "a.tsv").write_text("red \x1b[31m\trot \x1b[0m\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["corpus", "show", f"en-de={tmp_path}/a.tsv"]) == 0
    assert "\x1b" not in capsys.readouterr().out
