"""``corpus build --shards``: interrupted and continued, wrong use, processes, and the job scripts of Slurm."""

import errno
import json
import os
import random
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from paralign.__main__ import main
from paralign.commands.shard_executors import run_processes, run_ray_tasks
from paralign.corpus import build as build_module
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.locks import lock
from paralign.smallworld import World
from tests.corpus.test_shards import assert_same
from tests.robustness.scenarios import result_of, sets, stopped_after
from tests.robustness.test_kills import run_in_child

SHARDS = 3


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """Two files in which pairs occur again."""
    folder = tmp_path_factory.mktemp("texts")
    world = World(0)
    for name, numbers in (("a", [*range(120), *range(40)]), ("b", range(90, 180))):
        lines = [f"{world.sentence(k, 'en').text}\t{world.sentence(k, 'de').text}\n" for k in numbers]
        (folder / f"{name}.tsv").write_text("".join(lines))
    return folder


@pytest.fixture(scope="module")
def words(base, texts):
    """The command line without ``--out``."""
    pairs = [word for name in "ab" for word in ("--pairs", f"en-de={texts}/{name}.tsv")]
    return ["corpus", "build", "--model", str(base), "--set", "data.min_pieces=2", *pairs]


@pytest.fixture(scope="module")
def whole(words, tmp_path_factory):
    """The store without shards."""
    out = tmp_path_factory.mktemp("whole") / "store"
    assert main([*words, "--out", str(out), "--quiet"]) == 0
    return TokenStore.open(out)


def build(words, out, *options):
    return main([*words, "--out", str(out), "--quiet", *options])


def build_shards(words, out, *numbers):
    for number in numbers:
        assert build(words, out, "--shard", f"{number}/{SHARDS}") == 0


def files_of(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_shards_in_any_order_are_joined_by_the_same_command(words, whole, tmp_path):
    out = tmp_path / "corpus"
    build_shards(words, out, 3, 1, 2)
    assert build(words, out) == 0
    assert_same(TokenStore.open(out), whole)


def test_finished_shards_are_not_built_again(words, tmp_path, monkeypatch, capsys):
    out = tmp_path / "corpus"
    build_shards(words, out, 1, 2, 3)
    monkeypatch.setattr(build_module, "_Build", None)  # whatever is built now fails
    before = files_of(out)
    build_shards(words, out, 1, 2, 3)
    assert main([*words, "--out", str(out), "--shard", "2/3"]) == 0
    assert "shards/0002 is finished" in capsys.readouterr().err
    assert files_of(out) == before
    assert build(words, out, "--workers", "2") == 0
    joined = files_of(out)
    assert main([*words, "--out", str(out), "--shards", "3"]) == 0
    assert "corpus is finished" in capsys.readouterr().err
    assert files_of(out) == joined


@pytest.mark.parametrize("recipe", ["in-batch-mini", pytest.param("alignlm-mini", marks=pytest.mark.slow)])
def test_a_run_has_the_same_losses(words, base, whole, tmp_path, recipe):
    out = tmp_path / "corpus"
    build_shards(words, out, 1, 2, 3)
    assert build(words, out) == 0
    losses = []
    for number, corpus in enumerate((whole.path, out)):
        run = tmp_path / str(number)
        settings = ["--set", "training.steps=3", "--set", "training.batch=16", "--set", "training.log_every=1"]
        command = ["align", "--model", str(base), "--corpus", str(corpus), "--recipe", recipe, "--quiet", *settings]
        assert main([*command, "--out", str(run)]) == 0
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        losses.append([{key: value for key, value in line.items() if "loss" in key} for line in lines])
    assert any(losses[0])
    assert losses[0] == losses[1]


def test_a_run_is_resumed_inside_a_section(words, base, tmp_path):
    out = tmp_path / "corpus"
    build_shards(words, out, 1, 2, 3)
    assert build(words, out) == 0
    assert 200 > len(TokenStore.open(out)) > 2 * 64  # two sections of 8 steps
    settings = ("steps=14", "batch=8", "shuffle=100", "log_every=1", "checkpoint_every=4", "precision=fp32")
    command = ["align", "--model", str(base), "--corpus", str(out), "--recipe", "tlm-mini", "--quiet"]
    command += sets(*(f"training.{setting}" for setting in settings))
    results = []
    for name, stop in (("straight", None), ("stopped", 11)):
        run = tmp_path / name / "run"
        with stopped_after(stop):
            assert main([*command, "--out", str(run)]) == (0 if stop is None else 143)
        assert main([*command, "--out", str(run), "--resume"]) == 0
        results.append({key: value for key, value in result_of(run).items() if not key.endswith("run.json")})
    assert results[0] == results[1]
    assert any(key.endswith(".safetensors") for key in results[0])


def said(capsys):
    """The only line on standard error."""
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--shard 4/3", "write K/N"),
        ("--shard 1/3 --shards 4", "--shard 1/3 is one of 3 shards, not 4"),
        ("--shard 1/3 --workers 2", "without --workers and --executor"),
        ("--shards 3 --executor slurm --workers 0", "only joins finished shards, which needs no jobs"),
        ("--shards 3 --executor dask", "unknown executor 'dask' (use local or ray or slurm)"),
        ("--workers 2", "--workers and --executor are for shards (add --shards N)"),
        ("--executor slurm", "add --shards N"),
        ("--shards 3 --limit 10", "--limit"),
        ("--shard 1/3 --set data.limit=10", "--limit"),
        ("--shards 3 --pairs en-de=-", "standard input can be read only once, but every shard"),
        ("--shards 3 --workers 0", "shards/0001: shard 1/3 is missing"),
        ("--shards 3 --exclude missing.txt", "missing.txt: no such file"),
    ],
)
def test_wrong_use(words, tmp_path, capsys, options, message):
    assert build(words, tmp_path / "corpus", *options.split()) == 2
    assert message in said(capsys)
    assert not (tmp_path / "corpus/shards").exists()


def test_a_folder_with_something_else_is_refused(words, whole, tmp_path, capsys):
    before = files_of(whole.path)
    assert build(words, whole.path, "--shards", "3") == 2
    assert "not a corpus of shards" in said(capsys)
    assert files_of(whole.path) == before


def test_other_settings_and_text_are_refused(words, base, texts, tmp_path, capsys):
    out = tmp_path / "corpus"
    build_shards(words, out, 1)
    before = files_of(out)
    (tmp_path / "test.txt").write_text("A sentence .\n")
    for more, message in (
        (["--set", "data.min_pieces=3"], "filter.min_pieces was 2, now 3"),
        (["--shards", "4"], "shards was 3, now 4"),
        (["--exclude", str(tmp_path / "test.txt")], "exclude was [], now"),
        (["--pairs", f"en-de={texts}/a.tsv"], "started with other text"),
    ):
        for shard in ((), ("--shard", f"2/{more[1] if '--shards' in more else 3}")):
            assert build([*words, *more], out, *shard) == 2
            assert message in said(capsys)
    assert files_of(out) == before


def test_lenient_continues_with_finished_shards(texts, base, tmp_path, capsys):
    text, out = tmp_path / "text.tsv", tmp_path / "corpus"
    lines = (texts / "a.tsv").read_text().splitlines(keepends=True)
    text.write_text("".join([*lines[:-1], "one side\n", lines[-1]]))
    command = ["corpus", "build", "--model", str(base), "--set", "data.min_pieces=2", "--pairs", f"en-de={text}"]
    build_shards(command, out, 1, 2)
    before = files_of(out)
    assert build(command, out, "--shard", "3/3") == 2
    assert "--lenient" in said(capsys)
    assert build(command, out, "--shard", "3/3", "--lenient") == 0
    assert build(command, out, "--lenient") == 0
    assert before.items() <= files_of(out).items()
    assert build(command, tmp_path / "whole", "--lenient") == 0
    whole = TokenStore.open(tmp_path / "whole")
    assert whole.meta["specs"][0]["dropped"]["missing separator"] == 1
    assert_same(TokenStore.open(out), whole)


def test_the_hint_of_a_corpus_without_records_can_be_followed(texts, base, tmp_path, capsys):
    command = ["corpus", "build", "--model", str(base), "--pairs", f"en-de={texts}/a.tsv"]
    build_shards([*command, "--set", "data.min_pieces=100"], tmp_path / "corpus", 1, 2, 3)
    assert build([*command, "--set", "data.min_pieces=100"], tmp_path / "corpus") == 2
    message = said(capsys)
    assert "all 160 pairs dropped: 120 too short (< 100 pieces), 40 duplicate" in message
    assert message.endswith("(lower data.min_pieces, with another --out)")


def test_text_that_changed_is_refused(words, texts, base, tmp_path, capsys):
    text = tmp_path / "text.tsv"
    shutil.copy(texts / "a.tsv", text)
    command = ["corpus", "build", "--model", str(base), "--set", "data.min_pieces=2", "--pairs", f"en-de={text}"]
    out = tmp_path / "corpus"
    build_shards(command, out, 1, 2, 3)
    content = text.read_text()
    text.write_text(content.swapcase())
    assert build(command, out) == 2
    assert "text.tsv: the text has changed since the shards were begun" in said(capsys)
    text.write_text(content)
    assert build(command, out) == 0


def test_a_plan_without_shards_is_replaced_when_the_text_is_corrected(texts, base, tmp_path, capsys):
    text = tmp_path / "text.tsv"
    text.write_text((texts / "a.tsv").read_text() * 20 + "one side\n")  # after the lines whose language is checked
    command = ["corpus", "build", "--model", str(base), "--set", "data.min_pieces=2", "--pairs", f"en-de={text}"]
    assert build(command, tmp_path / "corpus", "--shard", "3/3") == 2
    assert "text.tsv:3201" in said(capsys)
    shutil.copy(texts / "a.tsv", text)
    assert build(command, tmp_path / "corpus", "--shard", "1/3") == 2
    assert "has changed" in said(capsys)
    assert build(command, tmp_path / "corpus", "--shards", "3", "--workers", "0") == 2
    assert "is missing" in said(capsys)
    build_shards(command, tmp_path / "corpus", 1, 2, 3)
    assert build(command, tmp_path / "corpus") == 0


def test_the_plan_of_a_shard_that_is_being_built_is_not_replaced(words, tmp_path, capsys):
    out = tmp_path / "corpus"
    build_shards(words, out, 1)
    (out / "shards/0001").rename(out / "shards/.0001.part")
    other = [*words, "--set", "data.min_pieces=3"]
    with (out / "shards/.0001.part/lock").open("wb") as file:
        assert lock(file)
        before = files_of(out)
        assert build(other, out, "--shards", "3", "--workers", "0") == 2
        assert "filter.min_pieces was 2, now 3" in said(capsys)
        assert files_of(out) == before
    assert build(other, out, "--shards", "3", "--workers", "0") == 2  # the process has been killed: a new plan
    assert "shard 1/3 is missing" in said(capsys)


def test_a_full_disk_leaves_the_other_shards(words, whole, tmp_path, capsys):
    out = tmp_path / "corpus"
    build_shards(words, out, 1)
    before = files_of(out)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_module._Build, "_write_rows", full)
        assert build(words, out, "--shard", "2/3") == 2
    assert "shards/0002: the disk is full" in said(capsys)
    assert files_of(out) == before
    build_shards(words, out, 2, 3)
    assert build(words, out) == 0
    assert_same(TokenStore.open(out), whole)


PROGRAM = "import os, signal, sys, time, pathlib; shard = sys.argv[-1]; pathlib.Path(sys.argv[1], shard[0]).touch(); "


def processes(folder, code, shards, workers):
    done = []
    run_processes([sys.executable, "-c", PROGRAM + code, str(folder)], shards, workers, done.append)
    return done


def test_processes_build_every_shard(tmp_path):
    assert sorted(processes(tmp_path, "", ["1/5", "2/5", "4/5", "5/5"], 2)) == [0, 1, 2, 3]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "4", "5"]


def test_a_killed_process_is_named_and_the_others_are_stopped(tmp_path):
    code = (
        "time.sleep(600 if shard[0] == '1' else 0); pathlib.Path(sys.argv[1], 'end' + shard[0]).touch();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with pytest.raises(UserError, match=r"shard 2/3: its process was killed \(SIGKILL\) \(run the same command again"):
        processes(tmp_path, code, ["1/3", "2/3", "3/3"], 2)
    assert (tmp_path / "end2").exists()
    assert not (tmp_path / "end1").exists()
    assert not (tmp_path / "3").exists()


def test_the_message_of_a_process_is_passed_on(tmp_path):
    code = "print('WARNING x\\nparalign: text.tsv:7: bad', file=sys.stderr); sys.exit(2)"
    with pytest.raises(UserError, match=r"^shard 1/1: text.tsv:7: bad$"):
        processes(tmp_path, code, ["1/1"], 1)
    with pytest.raises(RuntimeError, match="shard 1/1 failed"):
        processes(tmp_path, "raise KeyError", ["1/1"], 1)


def test_job_scripts_are_written_without_slurm(words, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert build(words, "a corpus", "--shards", "3", "--executor", "slurm", "--workers", "2") == 2
    assert "there is no sbatch on this machine (run sh '" in said(capsys)
    jobs = tmp_path / "a corpus/jobs"
    assert sorted(path.name for path in jobs.iterdir()) == ["join.sh", "shards.sh", "submit.sh"]
    assert "#SBATCH --array=1-3%2\n" in (jobs / "shards.sh").read_text()
    assert '--shard "$SLURM_ARRAY_TASK_ID/3"\n' in (jobs / "shards.sh").read_text()


def test_the_message_of_sbatch_is_passed_on(words, tmp_path, capsys, monkeypatch):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/sbatch"
    program.write_text("#!/bin/sh\necho 'invalid partition' >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    folder = tmp_path / "Körper"
    assert build(words, folder, "--shards", "2", "--executor", "slurm") == 2
    assert f"{folder}/jobs: sbatch failed: invalid partition" in said(capsys)
    assert f"{folder}" in (folder / "jobs/submit.sh").read_text(encoding="utf-8")


def fake_sbatch(folder):
    """A program that runs the tasks of an array one by one, as ``sbatch`` would, and prints the number of the job."""
    folder.mkdir()
    program = folder / "sbatch"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, re, subprocess, sys\n"
        "script = sys.argv[-1]\n"
        "open(sys.argv[0] + '.log', 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        "array = re.search(r'--array=1-(\\d+)', open(script).read())\n"
        "for task in range(1, int(array[1]) + 1) if array else [0]:\n"
        "    subprocess.run(['sh', script], env=os.environ | {'SLURM_ARRAY_TASK_ID': str(task)}, check=True)\n"
        "print('7;cluster')\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.slow
def test_the_job_scripts_build_the_corpus(words, whole, tmp_path, monkeypatch):
    fake_sbatch(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=os.pathsep)
    assert build(words, tmp_path / "corpus", "--shards", "3", "--executor", "slurm") == 0
    calls = (tmp_path / "bin/sbatch.log").read_text().splitlines()
    assert calls == [
        "--parsable --output=shard-%a.log shards.sh",
        "--dependency=afterok:7 --output=join.log join.sh",
    ]
    assert_same(TokenStore.open(tmp_path / "corpus"), whole)


def test_ray_that_is_not_installed(words, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert build(words, tmp_path / "corpus", "--shards", "3", "--executor", "ray") == 2
    assert "--executor ray: ray is not installed (pip install 'paralign[cluster]')" in said(capsys)


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "ray://[::1]:{}", "no.such.host.invalid:{}", "127.0.0.1:70000"])
def test_a_cluster_of_ray_that_cannot_be_reached(words, tmp_path, capsys, monkeypatch, address):
    resolve = socket.getaddrinfo

    def unknown(host, *more, **settings):  # asks no name server
        if host == "no.such.host.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *more, **settings)

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with socket.socket() as closed:  # bound, but not listening
        closed.bind(("127.0.0.1", 0))
        address = address.format(closed.getsockname()[1])
        monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
        monkeypatch.setenv("RAY_ADDRESS", address)
        assert build(words, tmp_path / "corpus", "--shards", "3", "--executor", "ray") == 2
    assert re.search(rf"no cluster of Ray at {re.escape(address)}: .+ \(check RAY_ADDRESS\)$", said(capsys))


@pytest.mark.slow
def test_tasks_of_ray_build_the_corpus(words, whole, tmp_path, capsys):
    pytest.importorskip("ray")
    assert build(words, tmp_path / "corpus", "--shards", "3", "--executor", "ray", "--workers", "2") == 0
    assert_same(TokenStore.open(tmp_path / "corpus"), whole)


@pytest.mark.slow
def test_a_failed_task_of_ray_is_named_and_the_others_are_stopped(tmp_path):
    pytest.importorskip("ray")
    code = (
        "time.sleep(60 if shard[0] == '1' else 0);"
        "print('paralign: text.tsv:7: bad', file=sys.stderr); pathlib.Path(sys.argv[1], 'end').touch(); sys.exit(2)"
    )
    with pytest.raises(UserError, match=r"^shard 2/3: text.tsv:7: bad$"):
        run_ray_tasks([sys.executable, "-c", PROGRAM + code, str(tmp_path)], ["1/3", "2/3", "3/3"], 2, print)
    assert not (tmp_path / "3").exists()
    left = subprocess.run(["pgrep", "-f", f"python.* {tmp_path}"], capture_output=True, text=True).stdout
    assert not left


@pytest.mark.slow
def test_local_workers_build_the_corpus(words, whole, tmp_path):
    assert build(words, tmp_path / "corpus", "--shards", "3", "--workers", "2") == 0
    assert_same(TokenStore.open(tmp_path / "corpus"), whole)
    assert not list((tmp_path / "corpus/shards").glob(".*"))


@pytest.mark.slow
def test_kills_at_forty_random_moments_leave_no_trace(words, whole, tmp_path):
    chance, out = random.Random(0), tmp_path / "corpus"
    command = [*words, "--out", str(out), "--quiet"]
    began = time.monotonic()
    assert run_in_child([*command, "--shard", "1/8"]) == 0
    seconds = time.monotonic() - began
    shutil.rmtree(out)
    kills = 0
    while kills < 40:
        for number in chance.sample(range(1, 9), 8):
            kills += run_in_child([*command, "--shard", f"{number}/8"], chance.uniform(0, seconds)) == -signal.SIGKILL
        if all((out / f"shards/{number:04d}").exists() for number in range(1, 9)):
            kills += run_in_child(command, chance.uniform(0, seconds)) == -signal.SIGKILL
            if (out / "joined").exists() and kills < 40:
                assert_same(TokenStore.open(out), whole)
                shutil.rmtree(out)
    for number in range(1, 9):
        assert run_in_child([*command, "--shard", f"{number}/8"]) == 0
    assert run_in_child(command) == 0
    assert_same(TokenStore.open(out), whole)
    left = {path.name for path in out.iterdir()} | {path.name for path in (out / "shards").iterdir()}
    assert left == {"plan.json", "shards", "joined", *(f"{number:04d}" for number in range(1, 9))}


def test_a_corpus_of_shards_is_verified(words, tmp_path, capsys):
    out = tmp_path / "corpus"
    build_shards(words, out, 1, 2, 3)
    assert build(words, out) == 0
    assert main(["corpus", "check", "--verify", str(out)]) == 0
    file = Path(out, "shards/0002/text.bin")
    file.write_bytes(file.read_bytes()[:-1] + b"~")
    capsys.readouterr()
    assert main(["corpus", "check", "--verify", str(out)]) == 2
    assert "shards/0002/text.bin" in said(capsys)


@pytest.mark.parametrize("damage", ["truncated", "missing", "gaps"])
def test_the_hint_of_a_damaged_corpus_can_be_followed(words, whole, tmp_path, capsys, damage):
    out = tmp_path / "corpus"
    build_shards(words, out, 1, 2, 3)
    assert build(words, out) == 0
    capsys.readouterr()
    if damage == "truncated":
        os.truncate(out / "shards/0001/pieces.bin", 8)
    elif damage == "missing":
        shutil.rmtree(out / "shards/0002")
    else:
        (out / "joined/gaps.bin").unlink()
    assert build(words, out) == 2
    removed = re.search(r"\(remove (.*), and run the same corpus build again\)", said(capsys))[1].split(" and ")
    assert removed == [str(out / "joined"), *([str(out / "shards/0001")] if damage == "truncated" else [])]
    for folder in removed:
        shutil.rmtree(folder)
    build_shards(words, out, 1, 2, 3)
    assert build(words, out, "--workers", "0") == 0
    assert_same(TokenStore.open(out), whole)
