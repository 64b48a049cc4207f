"""A made-up experiment: three systems, tagging and retrieval, five languages, three fine-tuning seeds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paralign.config import dump_toml
from paralign.results import Items, Measurement, Seeds, Where, write_results

LANGUAGES = ("en", "de", "fr", "hi", "zh")
SYSTEMS = ("base", "control", "ppa")
TAGGING = {"base": (95.0, 71.0), "control": (95.1, 72.0), "ppa": (95.0, 76.0)}
RETRIEVAL = {"base": 20.0, "control": 26.0, "ppa": 87.0}
POOLS = ("cls", "mean")
METRICS = ("accuracy_cosine", "accuracy_csls")


def generator(*words: object) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(" ".join(map(str, words)).encode()))


def tagging_items(system: str, language: str, seed: int, n: int = 200) -> Items:
    """Right tags and tags of each sentence; the hard sentences are hard for all systems."""
    common = generator("sentences", language)
    length = common.integers(4, 30, n)
    hard = common.normal(0, 0.08, n)
    level = TAGGING[system][language != "en"] / 100 - 0.03 * ("hi", "zh").count(language)
    rng = generator(system, language, seed)
    share = np.clip(level + hard + rng.normal(0, 0.006), 0, 1)
    return np.stack([rng.binomial(length, share), length], axis=1).astype(np.float64)


def retrieval_items(system: str, *where: object, n: int = 500) -> Items:
    hits = generator(system, *where).random(n) < RETRIEVAL[system] / 100 + 0.03 * ("mean" in where)
    return np.stack([hits, np.ones(n)], axis=1).astype(np.float64)


def measurement(items: Items, **fields: Any) -> Measurement:
    value = float(items[:, 0].sum() / items[:, 1].sum())
    return Measurement.model_validate({"value": value, "n": len(items), "dataset": "made-up", **fields})


def share(right: int, n: int = 100) -> Items:
    """Items of which exactly so many are right."""
    return np.stack([np.arange(n) < right, np.ones(n)], axis=1).astype(np.float64)


def add(run: Path, items: Items, *, save: bool = True, **fields: Any) -> Path:
    """Write one measurement into a run: accuracy of tagging German unless said otherwise."""
    usual = {"task": "pos", "metric": "accuracy", "language": "de", "model": "m", "model_hash": run.name}
    row = measurement(items, **{**usual, "run": run.name, **fields})
    write_results(run, [(row, items if save else None)])
    return run


def describe(run: Path, info: Mapping[str, object]) -> None:
    run.mkdir(parents=True, exist_ok=True)
    (run / "run.json").write_text(json.dumps({"schema": 1, "name": run.name, **info}), encoding="utf-8")


def log(run: Path, losses: Mapping[str, float], steps: int = 400, seed: int = 0) -> None:
    """Losses that fall from the given height, a line every step."""
    rng = generator(run.name, seed)
    lines = []
    for step in range(1, steps + 1):
        parts = {
            name: top * (0.35 + 0.65 * np.exp(-step / 90)) + rng.normal(0, 0.02 * top) for name, top in losses.items()
        }
        lines.append({"step": step, "time": step * 0.5, "loss": sum(parts.values()), "losses": parts, "lr": 1e-4})
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def make_runs(root: Path) -> list[Path]:
    """Write the experiment's run folders: two alignments, nine taggers, three retrievals."""
    runs = [_align(root, system) for system in ("control", "ppa")]
    for system in SYSTEMS:
        runs.append(_retrieve(root, system))
        runs += [_tag(root, system, seed) for seed in range(3)]
    return runs


def _align(root: Path, system: str) -> Path:
    run = root / f"{system}-s7"
    info = {
        "verb": "align",
        "method": system,
        "control": system == "control",
        "model_hash": f"h-{system}",
        "parent": "h-base",
        "command": "paralign align --model bert-base-multilingual-cased --pairs en-de=europarl.tsv.gz"
        f" --recipe {system} --seed 7 --out runs/{run.name}",
        "version": "0.1.0",
        "seconds": 5400.0 if system == "ppa" else 3900.0,
        "steps": 400,
        "pairs_seen": 51_200,
        "tokens_seen": 3_276_800,
        "device": "cuda (one GPU)",
        "threads": 8,
        "parameters": 177_853_440,
        "status": "done",
        "alarms": ["MoCo: effective rank of the queue fell below 8"] if system == "ppa" else [],
    }
    describe(run, info)
    (run / "config.toml").write_text(dump_toml({"seed": 7, "moco": {"queue": 32000, "momentum": 0.999}}))
    log(run, {"tlm": 3.1, "moco": 7.0} if system == "ppa" else {"mlm": 3.3})
    return run


def _retrieve(root: Path, system: str) -> Path:
    run = root / f"{system}-retrieval"
    command = f"paralign evaluate --model runs/{system}-s7/encoder --task retrieval"
    describe(run, {"verb": "evaluate", "command": command, "seconds": 42.0, "status": "done"})
    rows = []
    for language in LANGUAGES[1:]:
        for where in (
            Where(direction=direction, pool=pool)
            for direction in (f"en-{language}", f"{language}-en")
            for pool in POOLS
        ):
            for metric in METRICS:
                items = retrieval_items(system, language, where.direction, where.pool, metric)
                row = measurement(
                    items,
                    task="retrieval",
                    metric=metric,
                    language=language,
                    model=system,
                    run=run.name,
                    model_hash=f"h-{system}",
                    where=where,
                    seeds=Seeds(align=_aligned(system)),
                    settings={"system": system},
                )
                rows.append((row, items))
    write_results(run, rows)
    return run


def _tag(root: Path, system: str, seed: int) -> Path:
    run = root / f"{system}-seed{seed}"
    info = {
        "verb": "finetune",
        "parent": None if system == "base" else "h-base",
        "model_hash": f"h-{system}",
        "command": f"paralign finetune --model runs/{system}-s7/encoder --task pos --seed {seed}",
        "version": "0.1.0",
        "seconds": 300.5 + seed,
        "steps": 400,
        "tokens_seen": 204_800,
        "device": "cpu",
        "threads": 4,
        "parameters": 177_900_000,
        "status": "done",
    }
    describe(run, info)
    rows = []
    for language in LANGUAGES:
        items = tagging_items(system, language, seed)
        row = measurement(
            items,
            task="pos",
            metric="accuracy",
            language=language,
            train="en",
            model=f"runs/{system}",
            run=run.name,
            model_hash=f"h-{system}",
            parent=None if system == "base" else "h-base",
            seeds=Seeds(align=_aligned(system), finetune=seed),
        )
        rows.append((row, items))
    write_results(run, rows)
    log(run, {"pos": 2.7}, seed=seed)
    return run


def _aligned(system: str) -> int | None:
    """The seed of the alignment; the base has none."""
    return None if system == "base" else 7


EVERY_TASK = {
    "nli": {"accuracy": {"chance": 1 / 3, "majority": 0.34}},
    "paraphrase": {"accuracy": {"chance": 0.5, "majority": 0.55}},
    "qa": {"f1": {"sentence": 0.2}, "exact_match": {"sentence": 0.01}},
    "pos": {"accuracy": {"majority": 0.25}},
    "ner": {
        "f1": {"majority": 0.0},
        "precision": {"majority": 0.0},
        "recall": {"majority": 0.0},
        "accuracy": {"majority": 0.5},
    },
    "parsing": {"las": {"adjacent": 0.15}, "uas": {"adjacent": 0.35}},
    "retrieval": {"accuracy_cosine": {"chance": 0.002}, "accuracy_csls": {"chance": 0.002}},
    "mining": {f"{m}_best_threshold": {"chance": 0.001} for m in ("f1", "precision", "recall")},
    "lexicon": {
        f"precision_at_{k}_{similarity}": {"chance": k / 1500} for similarity in ("cosine", "csls") for k in (1, 5, 10)
    },
}
"""Task → metric → baselines."""
TRAINED = ("nli", "paraphrase", "qa", "pos", "ner", "parsing")


def make_large(
    root: Path, systems: int, languages: tuple[str, ...], tasks: tuple[str, ...] = tuple(EVERY_TASK), n: int = 60
) -> list[Path]:
    """Every task for many systems, the first of which is the control: a run a system and task."""
    runs = []
    for task in tasks:
        for number in range(systems):
            system = f"method-{number:02d}" if number else "mlm"
            run = root / f"{task}-{system}"
            command = f"paralign finetune --model runs/{system}/encoder --task {task} --out runs/{run.name}"
            constant = [f"de={task}/test.tsv: every label is 'neutral'; published test sets may hold placeholders"]
            own = [
                f"{task} made-up {name}: {number}0.0% is no better than always the same answer" for name in languages
            ]
            describe(run, {"verb": "finetune" if task in TRAINED else "evaluate", "command": command, "seconds": 60.0,
                           "status": "done", "alarms": constant + (own if number % 5 == 4 else [])})  # fmt: skip
            rows = []
            for language in languages if task in TRAINED else languages[1:]:
                for metric, baselines in EVERY_TASK[task].items():
                    rng = generator(task, language, metric, system)
                    hits = rng.random(n) < 0.3 + 0.4 * number / systems
                    items = np.stack([hits, np.ones(n)], axis=1).astype(np.float64)
                    where = Where() if task in TRAINED else Where(pool="mean", direction=f"en-{language}")
                    row = measurement(
                        items, task=task, metric=metric, language=language, model=system, run=run.name,
                        train="en" if task in TRAINED else None, model_hash=f"h-{system}", where=where,
                        settings={"system": system, "control": not number, "baselines": baselines},
                    )  # fmt: skip
                    rows.append((row, items))
            write_results(run, rows)
            runs.append(run)
            if task in TRAINED:
                log(run, {task: 2.7}, steps=40, seed=number)
    return runs
