"""Runs of every command in a few seconds: how each is started, resumed, and what it results in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paralign.__main__ import main
from paralign.commands import demo_small_world
from paralign.formats.conllu import write_conllu
from paralign.smallworld import World
from paralign.sources.readers import read_trees
from paralign.sources.specs import TextSpec
from paralign.training import Trainer

TRAINING = ("training.batch=8", "training.steps=8", "training.checkpoint_every=2", "training.log_every=1",
            "training.precision=fp32", "training.learning_rate=1e-3")  # fmt: skip
DATA = (*TRAINING, "data.min_pieces=2")
_CLOCK = {"time", "tokens_per_s", "pairs_per_s", "eta_s", "seconds"}
_VOLATILE = {"started", "seconds", "command", "logs", "digest", "version", "seed_costs", "cell_seconds"}


def sets(*settings: str) -> list[str]:
    """Return ``--set`` options."""
    return [word for setting in settings for word in ("--set", setting)]


def write_data(folder: Path, base: Path) -> None:
    """Write the inputs of all scenarios."""
    world = World(0)
    folder.mkdir()
    shutil.copytree(base, folder / "base")
    pairs = [f"{world.sentence(i, 'en').text}\t{world.sentence(i, 'de').text}\n" for i in range(80)]
    (folder / "pairs.tsv").write_text("".join(pairs))
    (folder / "test.tsv").write_text("".join(pairs[:20]))
    (folder / "dictionary.tsv").write_text("house\tHaus\ncat\tKatze\ndog\tHund\nthe\tdie\na\teine\n")
    (folder / "text.txt").write_text("".join(f"{world.sentence(i, 'en').text}\n" for i in range(100, 200)))
    for name, numbers in (("train", "0-40"), ("dev", "50-60"), ("pos", "60-80")):
        write_conllu(read_trees(TextSpec("en", f"smallworld:{numbers}")), folder / f"{name}.conllu")

    settings = json.dumps(TRAINING)
    (folder / "suite.toml").write_text(
        f'seeds = 2\n[[task]]\ntask = "pos"\ntrain = ["en=train.conllu"]\neval = ["en=pos.conllu"]\nset = {settings}\n'
        '[[task]]\ntask = "retrieval"\neval = ["en-de=test.tsv"]\n'
    )


@dataclass(frozen=True)
class Scenario:
    """A run.

    Attributes:
        words: the command line without ``--out`` and ``--resume``; ``{data}`` is the folder of the inputs.
        stop: number of training steps of the whole command after which it is stopped. None: it runs to its end.
        then: command lines that read the run afterwards; ``{run}`` is its folder.
        resumes: whether the command is given again with ``--resume``.
    """

    words: tuple[str, ...]
    stop: int | None = None
    then: tuple[tuple[str, ...], ...] = ()
    resumes: bool = True

    def command(self, data: Path, run: Path) -> list[str]:
        """Return the command line."""
        return [*(word.format(data=data) for word in self.words), "--out", str(run)]

    def begin(self, data: Path, run: Path) -> None:
        """Run the command until it is stopped or ends."""
        with stopped_after(self.stop):
            assert main(self.command(data, run)) == (0 if self.stop is None else 143)

    def finish(self, data: Path, run: Path) -> int:
        """Resume the run and read it; return the exit code of the first command that fails, or 0."""
        code = main([*self.command(data, run), "--resume"]) if self.resumes else 0
        for command in self.then:
            code = code or main([word.format(data=data, run=run) for word in command])
        return code


def words(text: str, *settings: str) -> tuple[str, ...]:
    """Return the words of a command line, with ``--set`` options."""
    return (*text.split(), *sets(*settings))


_FINETUNE = words(
    "finetune --model {data}/base --task pos --train en={data}/train.conllu --eval en={data}/pos.conllu --quiet",
    *TRAINING,
)
_ALIGN = words("align --model {data}/base --pairs en-de={data}/pairs.tsv --quiet", *DATA)
_GRID = ("training.steps=3", "training.batch=4", "training.warmup=0", "training.checkpoint_every=1")

SCENARIOS = {
    "align-links": Scenario((*_ALIGN, *words("--recipe alignlm-mini")), stop=5),
    "align-queue": Scenario((*_ALIGN, *words("--recipe ppa-mini", "moco.queue=24", "moco.projection=8")), stop=5),
    "align-dictionary": Scenario(
        (*_ALIGN, *words("--recipe dict-mlm --dictionary en-de={data}/dictionary.tsv")), stop=3
    ),
    "pretrain": Scenario(
        words(
            "pretrain --text en={data}/text.txt --arch bert:1x32 --vocab 300 --max-length 140 --quiet "
            "--heldout en={data}/text.txt",
            *DATA,
        ),
        stop=5,
    ),
    "finetune": Scenario((*_FINETUNE, *words("--seeds 2 --dev en={data}/dev.conllu")), stop=13),
    "finished-align": Scenario(
        (*_ALIGN, *words("--recipe tlm-mini")),
        then=(
            words(
                "evaluate --model {run}/encoder --task retrieval --data en-de={data}/test.tsv --quiet "
                "--out {run}-retrieval"
            ),
        ),
    ),
    "finished-finetune": Scenario(
        _FINETUNE,
        then=(
            words("evaluate --model {run}/seed-0/model --data en={data}/pos.conllu --quiet --out {run}-evaluation"),
            words("report {run} --out {run}.html"),
        ),
    ),
    "ablation": Scenario(
        words(
            "analyze ablation --model {data}/base --task pos --train en={data}/train.conllu "
            "--eval en={data}/pos.conllu --layers 0 --layers 1 --quiet",
            *TRAINING,
        ),
        stop=13,
    ),
    "grid": Scenario(
        (
            *words(
                "grid --text en={data}/train.conllu --task pos --train {data}/dev.conllu --eval {data}/pos.conllu -q",
                "grid.arch=bert:1x32",
                "grid.vocab=300",
                'grid.tokenizer="wordpiece"',
                'grid.methods=["mlm-scratch", "align-mlm"]',
                'grid.languages=["trans+inv"]',
                f"grid.pretrain={list(_GRID)}",
                f"grid.finetune={list(_GRID)}",
            ),
        ),
        stop=14,
    ),
    "suite": Scenario(
        words("suite {data}/suite.toml --model first={data}/base --data {data} --quiet"),
        stop=11,
    ),
    "demo": Scenario(words("demo --small-world --quiet"), stop=21),
}


@contextmanager
def small_demo() -> Iterator[None]:
    """Make the demo small."""
    small: dict[str, Any] = {
        "_MONO": 60, "_PAIRS": 40, "_TRAIN": 24, "_TEST": 12, "_LANGUAGES": ("en", "de"), "_ARCH": "bert:1x32",
        "_VOCAB": 400, "_SEEDS": 1, "_PRETRAIN": (*DATA, "training.steps=6"), "_ALIGN": (*DATA, "training.steps=6"),
        "_MOCO": ("moco.queue=24", "moco.projection=8"), "_FINETUNE": (*TRAINING, "training.steps=6"),
    }  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, value in small.items():
            patch.setattr(demo_small_world, name, value)
        yield


@contextmanager
def stopped_after(steps: int | None) -> Iterator[None]:
    """Stop as SIGTERM does after a number of training steps, counted over all trainings."""
    optimize, counted = Trainer._optimize, 0

    def stop(self: Trainer, slices: Any) -> Any:
        nonlocal counted
        counted += 1
        if counted == steps:
            self.signal.pending = 15
        return optimize(self, slices)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_optimize", stop)
        yield


def result_of(run: Path) -> dict[str, Any]:
    """Return everything that a run results in, by file, without what depends on time or paths."""
    out: dict[str, Any] = {}
    for root in (run, *run.parent.glob(f"{run.name}-*")):
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(run.parent))
            read = _reader(path)
            if read is not None and path.is_file() and "checkpoints" not in path.parts:
                out[name] = read(path)
    return out


def _reader(path: Path) -> Callable[[Path], Any] | None:
    if path.name == "run.json":
        return lambda path: {k: v for k, v in json.loads(path.read_text()).items() if k not in _VOLATILE}
    if path.name in ("results.jsonl", "log.jsonl"):
        return lambda path: [_timeless(json.loads(line)) for line in path.read_text().splitlines()]
    if path.suffix in (".safetensors", ".bin", ".npy"):
        return Path.read_bytes
    if path.name in ("tokenizer.json", "config.json", "dictionary.tsv", "ablation.tsv"):
        return Path.read_text
    return None


def _timeless(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in _CLOCK | {"digest", "items_digest", "model"}}
