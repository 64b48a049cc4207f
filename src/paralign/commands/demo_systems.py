"""What the demos share: the folder of their data, and how systems are trained and measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paralign.commands.align import align
from paralign.commands.evaluate import evaluate
from paralign.digests import FolderDigests, read_object, write_digests
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.results import read_results
from paralign.runs.groups import run_recorded

__all__ = ["SYSTEMS", "DemoSystem", "align_systems", "best_system", "demo_data", "evaluate_systems"]


@dataclass(frozen=True)
class DemoSystem:
    """A system.

    Attributes:
        recipe: the recipe.
        settings: settings that differ from it.
    """

    recipe: str
    settings: tuple[str, ...] = ()


_STEPS = ("training.batch=32", "training.steps=250", "data.min_pieces=3")
"""Every system is trained on the same number of pairs."""
_QUEUE = ("moco.queue=1024", "moco.momentum=0.99")
SYSTEMS = {
    "control": DemoSystem("mlm-mini", _STEPS),
    "words": DemoSystem("word-contrastive-anchor-mini", _STEPS),
    "ppa": DemoSystem("ppa-mini", (*_STEPS, "training.learning_rate=5e-4", *_QUEUE)),
}
"""For small encoders. Chosen on the development pairs (docs/results/demo.md)."""
_LARGE = {
    "control": DemoSystem("mlm", _STEPS),
    "words": DemoSystem("word-contrastive-anchor", _STEPS),
    "ppa": DemoSystem("ppa", (*_STEPS, *_QUEUE)),
}
"""For other encoders: the learning rates of the recipes."""
_LARGE_WIDTH = 512


def demo_data(out: Path, write: Callable[[Path], None], began: Mapping[str, Any]) -> Path:
    """Return the folder with the data of a demo, which are written unless they exist.

    Args:
        out: output folder of the demo.
        write: writes the data into a folder.
        began: what the data depend on, as JSON values; recorded with them.

    Raises:
        UserError: if a file is damaged, or the demo began with other values.
    """
    data = out / "data"
    record = data / "began.json"
    if not data.is_dir():
        with atomic_folder(data, replace=True) as part:
            write(part)
            if began:
                text = json.dumps(dict(began), ensure_ascii=False, indent=1)
                (part / record.name).write_text(f"{text}\n", encoding="utf-8")
            write_digests(part)
    FolderDigests(data, "restore it, or use another --out").check()
    was = read_object(record, "use another --out") if record.is_file() else began
    for name, value in began.items():
        if was.get(name) != value:
            hint = "give the same as before, or use another --out"
            raise UserError(f"{name}: differs from what this demo began with", where=out, hint=hint)
    return data


def align_systems(
    out: Path, model: str, pairs: Sequence[str], *, width: int, seed: int, lenient: bool, resume: bool, quiet: bool
) -> dict[str, str]:
    """Train all systems on the same pairs and return their encoders by name, the base first.

    Args:
        out: output folder of the demo; every system has a run in it.
        model: the encoder to align.
        pairs: training pairs, as ``SRC-TGT=PATH``.
        width: size of the encoder's hidden states; small encoders have learning rates of their own.
        seed: random seed of alignment.
        lenient: drop pairs that cannot be used.
        resume: continue; finished runs are not repeated.
        quiet: print nothing.
    """
    encoders = {"base": model}
    for name, system in (SYSTEMS if width < _LARGE_WIDTH else _LARGE).items():
        encoder = run_recorded(
            align,
            model=model,
            pairs=pairs,
            recipe=system.recipe,
            overrides=[*system.settings, f"training.seed={seed}"],
            lenient=lenient,
            out=out / name,
            resume=resume,
            quiet=quiet,
        )
        encoders[name] = str(encoder)
    return encoders


def evaluate_systems(
    out: Path,
    encoders: Mapping[str, str],
    task: str,
    *,
    data: Sequence[str],
    dev: Sequence[str],
    dataset: str,
    note: Callable[[str], None],
) -> list[Path]:
    """Evaluate encoders on a task, each at its best layer and pooling on the development data; return the runs."""
    runs = []
    for name, encoder in encoders.items():
        run = out / f"{task}-{name}"
        run_recorded(
            evaluate,
            model=encoder,
            task=task,
            data=data,
            dev=dev,
            system="base" if name == "base" else None,
            dataset=dataset,
            out=run,
            quiet=True,
        )
        runs.append(run)
    note(f"    {task} measured")
    return runs


def best_system(out: Path) -> Path | None:
    """Return the encoder of the trained system that finds most translations of the development pairs.

    Args:
        out: folder of a demo.

    Returns:
        None if no trained system was evaluated on retrieval, as in the demo on the small world.
    """
    scores: dict[Path, float] = {}
    for name in SYSTEMS:
        run = out / f"retrieval-{name}"
        if (run / "results.jsonl").is_file():
            chosen = [row.settings["chosen"]["score"] for row in read_results(run) if "chosen" in row.settings]
            scores |= {out / name / "encoder": max(chosen)} if chosen else {}
    return max(scores, key=lambda encoder: scores[encoder]) if scores else None
