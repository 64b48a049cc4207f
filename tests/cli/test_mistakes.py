"""Typical mistakes: exit code 2, one line, no traceback, no files."""

import gzip
import json
import os
import shutil
import subprocess
import sys
import tomllib

import pytest

from paralign.__main__ import main
from paralign.analyses.table import ANALYSES
from paralign.objectives import OBJECTIVES
from paralign.runs.settings import recipes
from paralign.runs.suite_file import suites
from paralign.tasks.base import TASKS
from paralign.words.base import ALIGNERS
from tests.cli.test_options import COMMANDS


@pytest.fixture
def files(tmp_path):
    lines = "".join(f"sentence number {k} .\tSatz Nummer {k} .\n" for k in range(50)).encode()
    (tmp_path / "good.tsv").write_bytes(lines)
    (tmp_path / "nul.tsv").write_bytes(lines + b"a\0b\tc\n")
    (tmp_path / "latin.tsv").write_bytes(lines + "Fähre\tferry\n".encode("latin-1"))
    (tmp_path / "columns.tsv").write_bytes(lines + b"only one side\n")
    (tmp_path / "cut.tsv.gz").write_bytes(gzip.compress(lines * 20)[:-30])
    (tmp_path / "empty.tsv").write_bytes(b"")
    (tmp_path / "commas.csv").write_bytes(b"en,de\na sentence,ein Satz\n")
    crossing = "".join(f"{k + 1}\ta\t_\tNOUN\t_\t_\t{head}\tdep\t_\t_\n" for k, head in enumerate((3, 0, 2, 1)))
    (tmp_path / "crossing.conllu").write_text(crossing + "\n")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "something").write_text("x")
    return tmp_path


ALIGN = "align --model {base} --out {out} --recipe ppa-mini"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("align --out {out}", "no encoder is given (--model ENCODER, or --from-checkpoint)"),
        ("align --model {base}", "Missing option '--out'"),
        (ALIGN + " --pears x", "--pears"),
        ("align --pairs", "Option '--pairs' requires an argument"),
        ("words --pairs en-de=x -o", "Option '-o' requires an argument"),
        (ALIGN + " --limit many --pairs en-de={files}/good.tsv", "--limit"),
        (ALIGN + " --limit 0 --pairs en-de={files}/good.tsv", "--limit"),
        ("aling --model x", "aling"),
        (ALIGN + " --pairs en-de={files}/good.tsv --set learning_rate=1", "did you mean training.learning_rate?"),
        (
            ALIGN + " --pairs en-de={files}/good.tsv --set objectives=tlm",
            """objectives is 'tlm', not a list of names (write a list: --set 'objectives=["tlm", "moco"]')""",
        ),
        (
            "finetune --model {base} --task pos --train en=x --eval en=x --recipe ppa --out {out}",
            "the recipe 'ppa' is for align and pretrain (for finetune: mlqa, xnli)",
        ),
        ("finetune --model {base} --task pos --data en=x --out {out}", "--train and --eval for the data of a task"),
        ("list suites qick", "there is no suite 'qick' (did you mean 'quick'?)"),
        ("list recipes __init__.py", "there is no recipe '__init__.py' (available: align-mlm"),
        ("demo --model {base} --out {out}", "add --pairs SRC-TGT=PATH"),
        ("demo --small-world --pairs en-de={files}/good.tsv --out {out}", "--small-world reads no pairs"),
        ("demo --real en-de={files}/good.tsv --out {out}", "--pairs SRC-TGT=PATH"),
        (
            "evaluate --model {base} --task pos --data en={files}/good.tsv --dev en={files}/good.tsv --out {out}",
            "has no layer to choose",
        ),
        (
            "evaluate --model {base} --task retrieval --data en-de={files}/good.tsv --dev en-de={files}/good.tsv "
            "--layer 1 --out {out}",
            "--layer and --dev exclude each other: development data choose the layer (omit one)",
        ),
        (
            ALIGN + " --pairs en-de={files}/good.tsv --set moco.layer=top",
            "setting 'moco.layer': must be a number, not 'top'",
        ),
        (
            ALIGN + " --pairs en-de={files}/good.tsv --set in_batch.layer=2",
            "settings of 'in_batch', which is not an objective of this run (its objectives are tlm, moco",
        ),
        (
            "map --model {base} --kind lir --components 0.5 --text en=x --text de=y --out {out}",
            "Invalid value for '--components': must be a whole number",
        ),
        (
            "map --model {base} --kind procrustes --text en=x --text de=y --out {out}",
            "Invalid value for '--kind': 'procrustes' is not one of",
        ),
        (
            "analyze space --model {base} --model {base} --text en=x --text de=y --out {out}",
            "is given twice (--model ENCODER, once for each)",
        ),
        (
            ALIGN + ' --pairs en-de={files}/good.tsv --set objectives=["moco"] --set training.gradient_cosine_every=2',
            "training.gradient_cosine_every compares losses, and this run has only one",
        ),
        ("corpus bild", "bild"),
        ("words --pairs en-de={files}/good.tsv --set words=3 --out {out}", "write words.KEY=VALUE"),
        (
            "corpus build --model {base} --pairs en-de={files}/good.tsv --set data=3 --out {out}",
            "write data.KEY=VALUE",
        ),
        (
            "evaluate --model {base} --task retrieval --data en-de={files}/good.tsv --set task=3 --out {out}",
            "write task.KEY=VALUE",
        ),
        ("help", "(commands: demo, "),
        ("analyze layers --model {base}", "(commands: "),
        ("align --data {files}/good.tsv --out {out}", "use --pairs for parallel text"),
        ("export --model {base} --out {out}", "the encoder without an option"),
        (
            ALIGN + " --pairs en-de={files}/commas.csv",
            "commas.csv:1: missing tab: the line has one column (columns are",
        ),
        (ALIGN, "either --pairs or --corpus"),
        (ALIGN + " --pairs en-de={files}/good.tsv --set moco.qeue=3", "did you mean 'queue'"),
        (ALIGN + " --pairs en-de={files}/good.tsv --set moco", "section.key=value"),
        (ALIGN + " --pairs en-de={files}/good.tsv --set training.batch=big", "training.batch"),
        (
            ALIGN + ' --pairs en-de={files}/good.tsv --set objectives=["no_such:Thing"]',
            "cannot import 'no_such'",
        ),
        (ALIGN + " --pairs en-de={files}/missing.tsv", "missing.tsv"),
        (ALIGN + " --pairs en-de={files}/used", "used"),
        (ALIGN + " --pairs en-de={files}/empty.tsv", "empty.tsv"),
        (ALIGN + " --pairs en-de={files}/nul.tsv", "nul.tsv:51"),
        (ALIGN + " --pairs en-de={files}/latin.tsv", "latin.tsv:51"),
        (ALIGN + " --pairs en-de={files}/columns.tsv", "columns.tsv:51"),
        (ALIGN + " --pairs en-de={files}/cut.tsv.gz", "cut.tsv.gz"),
        (ALIGN + " --pairs en-de={files}/good.tsv,{files}/good.tsv", "same file"),
        (ALIGN + " --pairs en-qq={files}/good.tsv", "qq"),
        (ALIGN + " --pairs {files}/good.tsv", "write SOURCE-TARGET=PATH"),
        (ALIGN + " --pairs en-en={files}/good.tsv", "are the same"),
        (ALIGN + " --pairs en-de={files}/good.tsv --recipe pppa", "did you mean 'ppa'"),
        (ALIGN + " --pairs en-de={files}/good.tsv --recipe {files}/no.toml", "no such settings file"),
        (ALIGN + " --corpus {files}/used", "no token store here"),
        ("align --model {files}/nowhere --out {out} --pairs en-de={files}/good.tsv", "no such model folder"),
        (
            "align --model {base} --pairs en-de={files}/good.tsv --out {files}/used",
            "the output folder is not empty",
        ),
        ("align --model {base} --pairs en-de={files}/good.tsv --out {files}/good.tsv", "is a file, not a folder"),
        ("align --model {base} --pairs en-de={files}/good.tsv --out {files}/good.tsv/run", "good.tsv"),
        ("pretrain --out {out} --text en={files}/good.tsv", "--arch"),
        (
            "pretrain --model {base} --max-length 64 --out {out} --text en={files}/good.tsv",
            "--max-length is for an encoder trained from scratch (leave it out, or use --arch instead of --model)",
        ),
        ("corpus check --verify {files}/used --lenient", "--verify is used alone"),
        (
            "words --pairs en-de={files}/good.tsv --flipped --out {out}",
            "--flipped describes gold links, but none are given (add --gold",
        ),
        ("words --pairs en-de={files}/good.tsv --learn-from 9 --one-based --out {out}", "cannot be combined"),
        ("words --pairs en-de={files}/good.tsv --load {files}/used --out {out}", "used: not a trained word aligner"),
        ("words --pairs en-de={files}/good.tsv --load {files}/none --out {out}", "none: there is no such folder"),
        ("corpus order --text en={files}/crossing.conllu --quiet --out {out}", "crossing.conllu: no projective tree"),
        ("corpus order --text en=smallworld:0-9 --text de=smallworld:0-9 --out {out}", "must have the same language"),
        (
            "analyze embeddings --model {base} --pairs en-de={files}/good.tsv --words 5 --quiet --out {out}",
            "translations are left",
        ),
        (
            "analyze links --pairs en-de={files}/good.tsv --links {files}/good.tsv --one-based --out {out}",
            "--one-based describes gold links, but none are given (add --gold",
        ),
        ("demo --device nope --out {out}", "there is no device 'nope'"),
        ("grid --text en=a --task pos --train b --eval c --device nope --out {out}", "there is no device 'nope'"),
        ("finetune --model {base} --task pso --train en=a --eval en=b --out {out}", "did you mean 'pos'"),
        (
            "finetune --model {base} --task pos --train en={files}/good.tsv --eval en=b --out {out}",
            "good.tsv:1",
        ),
        ("evaluate --model {base} --task retrieval --data en-de={files}/nul.tsv --out {out}", "nul.tsv:51"),
        ("report {files}/nothing --out {out}.html", "nothing"),
        ("list recipies", "did you mean 'recipes'"),
        ("corpus show en-de={files}/missing.tsv", "missing.tsv"),
        ("corpus build --model {base} --out {out} --text en={files}/missing.txt", "missing.txt"),
        (
            "corpus build --model {base} --out {out} --pairs en-de={files}/good.tsv --set moco.queue=3",
            "only data.KEY",
        ),
        ("corpus split --out {out} --pairs en-de={files}/missing.tsv", "missing.tsv"),
    ],
)
def test_a_mistake_is_reported_in_one_line(words, message, files, base, capsys):
    out = files / "out"
    arguments = [word.format(base=base, out=out, files=files) for word in words.split(" ")]
    before = sorted(files.rglob("*"))
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1, output.err
    assert output.err.startswith("paralign: ")
    assert message in output.err
    assert "Traceback" not in output.err
    assert sorted(files.rglob("*")) == before


@pytest.mark.parametrize("spoiled", ["nul.tsv", "latin.tsv", "columns.tsv"])
def test_lenient_drops_and_counts_instead(spoiled, files, base, capsys):
    words = f"corpus build --model {base} --out {files}/store --pairs en-de={files}/{spoiled} --lenient"
    assert main([*words.split(), "--set", "data.min_pieces=1"]) == 0
    assert "kept 98.0 % (50 of 51)" in capsys.readouterr().err


@pytest.mark.parametrize("command", sorted({path[:k] for path in COMMANDS for k in range(len(path) + 1)}), ids=" ".join)
def test_every_command_has_help(command, capsys):
    assert main([*command, "--help"]) == 0
    output = capsys.readouterr()
    assert "Usage: " in output.out
    assert "--help" in output.out
    assert output.err == ""


LISTS = {
    "recipes": recipes(),
    "suites": suites(),
    "objectives": OBJECTIVES,
    "tasks": TASKS,
    "aligners": ALIGNERS,
    "analyses": ANALYSES.keys() - {"check"},  # paralign corpus check
}


@pytest.mark.parametrize("what", LISTS)
def test_lists_are_complete(what, capsys):
    assert main(["list", what]) == 0
    entries = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert sorted(name for name, _ in entries) == sorted(LISTS[what])


def test_known_languages_are_listed(capsys):
    assert main(["list", "languages"]) == 0
    assert {"en", "de", "es", "fr", "hi", "zh"} <= set(capsys.readouterr().out.split())


@pytest.mark.parametrize(("what", "name"), [("recipes", "ppa"), ("suites", "xtreme-like.toml")])
def test_recipes_and_suites_are_printed(what, name, capsys):
    assert main(["list", what, name]) == 0
    assert tomllib.loads(capsys.readouterr().out)


def test_folders_of_runs_are_recognized(base, tmp_path, capsys):
    """The encoder of a run is in a folder inside it."""
    shutil.copytree(base, tmp_path / "run/encoder")
    for words in (f"export {tmp_path}/run", f"align --model {tmp_path}/run --pairs en-de=smallworld:0-9"):
        assert main([*words.split(), "--out", str(tmp_path / "out")]) == 2
        assert f"this is a run; its encoder is {tmp_path}/run/encoder" in capsys.readouterr().err
    model = tmp_path / "tuned/seed-0/model"
    shutil.copytree(base, model)
    of = {"model": str(base), "model_hash": "0", "parent": None, "method": "m", "control": False, "seeds": {}}
    made_by = {"training": {}, "layers": {}, "dev": [], "digests": {}, "content": {}}
    facts = {"task": "pos", "settings": {}, "train": "en", "of": of, "made_by": made_by}
    (model / "task.json").write_text(json.dumps(facts))
    words = f"evaluate --model {tmp_path}/tuned --data en=smallworld:0-9 --out {tmp_path}/out"
    assert main(words.split()) == 2
    assert f"this is a run of finetune, not a model (did you mean {model}?)" in capsys.readouterr().err


def test_the_version(capsys):
    import paralign

    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == paralign.__version__


def test_an_internal_error_has_exit_code_1_and_a_traceback(monkeypatch, capsys):
    import paralign.commands.align

    def fault(*_, **__):
        raise RuntimeError("an invariant broke")

    monkeypatch.setattr(paralign.commands.align, "run_align", fault)
    assert main(["align", "--model", "x", "--out", "y", "--pairs", "en-de=z"]) == 1
    error = capsys.readouterr().err
    assert "Traceback" in error
    assert "please report it" in error


def test_stopped_commands_have_exit_code_130_or_143(monkeypatch, capsys):
    import paralign.commands.align
    from paralign.errors import Stopped

    for raised, code in ((KeyboardInterrupt(), 130), (Stopped(2, 5), 130), (Stopped(15, 5), 143)):

        def stop(*_, raised=raised, **__):
            raise raised

        monkeypatch.setattr(paralign.commands.align, "run_align", stop)
        assert main(["align", "--model", "x", "--out", "y", "--pairs", "en-de=z"]) == code
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_module_runs_as_a_command(tmp_path):
    environment = os.environ | {"COLUMNS": "100"}
    words = [sys.executable, "-m", "paralign", "list", "recepies"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == ["paralign: unknown list 'recepies' (did you mean 'recipes'?)"]
