"""Training in two processes has the losses, counts and weights of one process."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from paralign.results import read_results
from tests.processes import run_group
from tests.training import two_processes
from tests.training.runs import log_of, losses_of

ROOT = Path(__file__).parents[2]


def train(base, store, run, steps, processes, *more, launcher=False):
    words = [str(base), str(store.path), str(run), str(steps), *more]
    if launcher:
        start = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "ACCELERATE_USE_CPU": "1",
            "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        }
        done = subprocess.run([*start, "-m", "tests.training.two_processes", *words], cwd=ROOT, env=environment,
                              capture_output=True, text=True, check=False, timeout=240)  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    else:
        run_group(two_processes.train, words, processes, run)
    seen = [(run / f"rank-{rank}").read_text() for rank in range(processes)]
    assert seen == [str(processes)] * processes  # each knew of the other
    module = load_file(run / "checkpoints" / f"step-{steps:08d}" / "module.safetensors")
    return losses_of(run), module


@pytest.fixture(scope="module")
def one_process(make_encoder, store, tmp_path_factory):
    """The folder of an encoder, and losses and weights of five steps in one process."""
    folder = tmp_path_factory.mktemp("one")
    make_encoder(dropout=0.0).save_pretrained(folder / "base")
    return folder / "base", *train(folder / "base", store, folder / "run", 5, 1)


def compare(one, alone, two, together):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    assert alone["objectives.moco.queue_ids"].tolist() == together["objectives.moco.queue_ids"].tolist()
    for name, value in alone.items():
        torch.testing.assert_close(
            value, together[name], atol=1e-4, rtol=0, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_two_processes_train_as_one(one_process, store, tmp_path):
    base, one, alone = one_process
    compare(one, alone, *train(base, store, tmp_path / "two", 5, 2))
    # One process continues what two have begun, inside an epoch.
    shutil.rmtree(tmp_path / "two/checkpoints/step-00000005")
    again, _ = train(base, store, tmp_path / "two", 5, 1)
    assert [line["step"] for line in log_of(tmp_path / "two") if line.get("event") == "resumed elsewhere"] == [4]
    for a, b in zip(again, one, strict=True):
        assert a == pytest.approx(b, abs=1e-5)


@pytest.mark.slow
def test_a_run_is_resumed_in_another_number_of_processes_inside_an_epoch(make_encoder, store, tmp_path):
    """The batches are those of an uninterrupted run in one process, and its losses and weights up to rounding."""
    make_encoder(dropout=0.0).save_pretrained(tmp_path / "base")
    losses, weights = train(tmp_path / "base", store, tmp_path / "whole", 6, 1)
    for before, after in ((2, 1), (1, 2)):
        run = tmp_path / f"{before}-{after}"
        train(tmp_path / "base", store, run, 6, before)
        shutil.rmtree(run / "checkpoints/step-00000006")
        again, resumed = train(tmp_path / "base", store, run, 6, after)  # from step 4, inside an epoch
        assert len(again) == len(losses) == 6
        for a, b in zip(again, losses, strict=True):
            assert a == pytest.approx(b, abs=1e-5)
        for name, value in weights.items():
            torch.testing.assert_close(value, resumed[name], atol=1e-4, rtol=0, msg=lambda text, n=name: f"{n}: {text}")
        # what a report shows as cost: the pieces of all processes, whatever their number was
        seen = [json.loads((tmp_path / name / "checkpoints/step-00000006/state.json").read_text())["seen"]["pieces"]
                for name in ("whole", run.name)]  # fmt: skip
        assert seen[1] * after == pytest.approx(seen[0], rel=0.1)
        moved = [line for line in log_of(run) if line.get("event") == "resumed elsewhere"]
        assert [(line["was"]["ranks"], line["now"]["ranks"]) for line in moved] == [(before, after)]


@pytest.mark.slow
def test_two_processes_train_as_one_in_a_longer_run(one_process, store, tmp_path):
    base, _, _ = one_process
    alone = train(base, store, tmp_path / "one", 20, 1)
    compare(*alone, *train(base, store, tmp_path / "two", 20, 2, launcher=True))


def test_sharded_weights_train_as_complete_ones(one_process, store, tmp_path):
    """Losses, weights, checkpoints and the original encoder are those of training without sharding."""
    base, one, alone = one_process
    two, divided = train(base, store, tmp_path / "two", 5, 2, "shard")
    assert len(one) == len(two) == 5
    for a, b in zip(one, two, strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    assert set(alone) == set(divided)
    for name, value in alone.items():
        torch.testing.assert_close(value, divided[name], atol=1e-4, rtol=0, msg=lambda text, name=name: name + text)
    parts = [load_file(tmp_path / "two" / f"encoder-{rank}") for rank in (0, 1)]
    for name, value in parts[0].items():
        assert torch.equal(value, parts[1][name])
        assert torch.equal(value, divided[f"encoder.model.{name}"])
    # It resumes from a checkpoint that is independent of the number of processes.
    shutil.rmtree(tmp_path / "two" / "checkpoints" / "step-00000005")
    again, _ = train(base, store, tmp_path / "two", 5, 2, "shard")
    assert len(again) == 5
    for a, b in zip(two, again, strict=True):
        assert a == pytest.approx(b, abs=1e-6)


@pytest.mark.parametrize("more", [(), ("shard",)])
def test_processes_that_prepare_different_weights_train_those_of_the_first(one_process, store, tmp_path, more):
    """As a head that is trained alone on GPUs, whose sums may differ in their last bits."""
    base, alone, _ = one_process
    losses, _ = train(base, store, tmp_path / "two", 5, 2, "disagree", *more)
    for a, b in zip(alone, losses, strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    parts = [load_file(tmp_path / "two" / f"encoder-{rank}") for rank in (0, 1)]
    for name, value in parts[0].items():
        assert torch.equal(value, parts[1][name])


@pytest.mark.slow
def test_the_command_runs_in_two_processes(base, tmp_path):
    """The second process uses the folder that the first has created; one of them writes."""
    from tests.training.killed import command, write_pairs

    words = command(base, write_pairs(tmp_path / "pairs.tsv"), tmp_path / "run")
    words = ["-m", "paralign", *(word for word in words if word != "--resume")]
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    done = subprocess.run([*start, *words], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "run" / "encoder" / "model.safetensors").is_file()
    assert len(losses_of(tmp_path / "run")) == 16
    assert json.loads((tmp_path / "run" / "run.json").read_text())["ranks"] == 2


@pytest.mark.slow
def test_sharded_weights_are_evaluated_and_saved_completely(make_encoder, tmp_path):
    """Fine-tuning evaluates a development set after each epoch; the best weights are evaluated and saved."""
    make_encoder().save_pretrained(tmp_path / "base")
    settings = ["batch=8", "epochs=4", "learning_rate=3e-3", "log_every=1", "shard=true"]
    words = [
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "paralign",
        "finetune",
        "--quiet",
    ]
    words += ["--model", str(tmp_path / "base"), "--task", "pos", "--train", "en=smallworld:0-48"]
    words += ["--dev", "en=smallworld:50-90", "--eval", "en=smallworld:50-90", "--eval", "de=smallworld:50-90"]
    words += [part for one in settings for part in ("--set", f"training.{one}")]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "1"}
    command = [sys.executable, *words, "--out", str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    log = (tmp_path / "run/seed-0/log.jsonl").read_text().splitlines()
    scores = [line["score"] for line in map(json.loads, log) if line.get("event") == "score"]
    assert len(scores) == 4
    results = read_results(tmp_path / "run/results.jsonl")
    rows = {row.language: row.value for row in results if row.metric == "accuracy"}
    assert rows["en"] == pytest.approx(max(scores), abs=0.2)  # computed once more: a word may tip
    words = [
        "-m",
        "paralign",
        "evaluate",
        "--model",
        str(tmp_path / "run/seed-0/model"),
        "--data",
        "de=smallworld:50-90",
    ]
    command = [sys.executable, *words, "--out", str(tmp_path / "again"), "--quiet"]
    subprocess.run(command, env=environment, check=True, timeout=240)
    again, _ = read_results(tmp_path / "again/results.jsonl")
    assert again.value == pytest.approx(rows["de"], abs=0.2)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="priorities of threads are those of Linux")
def test_processes_exit_while_threads_of_the_connection_are_late(tmp_path):
    """Without the wait in ``disconnect_at_exit``, half of these runs end with SIGABRT on a busy machine."""
    script = tmp_path / "gather.py"
    script.write_text(
        "import os\n"
        "from pathlib import Path\n"
        "import torch\n"
        "from paralign.device import disconnect_at_exit\n"
        "torch.distributed.init_process_group('gloo')\n"
        "group = torch.distributed.group.WORLD  # as caches of DTensor do\n"
        "disconnect_at_exit()\n"
        "for task in Path('/proc/self/task').iterdir():\n"
        "    if 'gloo' in (task / 'comm').read_text():\n"
        "        os.sched_setscheduler(int(task.name), os.SCHED_IDLE, os.sched_param(0))\n"
        "parts = [torch.ones(2_000_000) for _ in range(2)]\n"
        "torch.distributed.all_gather(parts, torch.ones(2_000_000))\n"
    )
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    for _ in range(8):
        done = subprocess.run(start, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr[-3000:]
