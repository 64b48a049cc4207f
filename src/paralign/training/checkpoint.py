"""Checkpoints that survive being killed: safetensors and JSON in a folder that is written atomically."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn, optim
from torch.distributed.tensor import DTensor

from paralign.config import difference, fixed_settings
from paralign.digests import FolderDigests, check_schema, write_digests
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.training.placement import like, whole

__all__ = [
    "best_of",
    "check",
    "check_best",
    "check_matches",
    "latest",
    "load",
    "load_best",
    "load_part",
    "path_of",
    "prune",
    "save",
    "save_best",
]

SCHEMA = 1


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """Return each stored tensor once, complete and on the CPU; tied weights are stored under their first name."""
    return {name: whole(value.detach()).cpu().contiguous() for name, value in _unshared(module).items()}


def _moments(optimizer: optim.Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{i}.{name}": whole(value.detach()).cpu() for i, entry in state.items() for name, value in entry.items()}


def _left_out(module: nn.Module) -> tuple[str, ...]:
    """Return the prefixes of the names of what is not stored: the initial encoder, which a resumed run has loaded."""
    parts = module.named_modules(remove_duplicate=False)
    return tuple(f"{name}." for name, part in parts if not getattr(part, "in_checkpoints", True))


def _unshared(module: nn.Module) -> dict[str, Tensor]:
    out: dict[str, Tensor] = {}
    seen: set[tuple[int, int]] = set()
    left_out = _left_out(module)
    for name, value in module.state_dict(keep_vars=True).items():
        if name.startswith(left_out):
            continue
        # A process may hold no part of a sharded weight; then only the parameter itself identifies it.
        storage = (id(value) if isinstance(value, DTensor) else value.data_ptr(), value.numel())
        if value.numel() and storage in seen:
            continue
        seen.add(storage)
        out[name] = value
    return out


def best_of(folder: Path, step: int) -> Path:
    """Return the folder of the weights that were the best ones at a step."""
    return folder / f"best-{step:08d}"


def step_of_best(state: Mapping[str, Any]) -> int:
    """Return the step of the best weights from the ``state.json`` of a checkpoint; 0 if there were none.

    It is part of the state of :class:`paralign.training.callbacks.DevelopmentScore`.
    """
    return int(state.get("best", {}).get("step", 0))


def check_best(folder: Path, step: int) -> None:
    """Check that the best weights of a step are complete.

    Raises:
        UserError: if they are missing or damaged.
    """
    if not best_of(folder, step).is_dir():
        hint = "restore them, or start a new run with another --out"
        raise UserError("the best weights of this run are missing", where=best_of(folder, step), hint=hint)
    check(best_of(folder, step))


def save_best(folder: Path, step: int, module: nn.Module, *, writes: bool = True) -> None:
    """Store the weights in ``folder/best-00000100``; ``writes`` as in :func:`save`.

    Earlier ones stay until :func:`prune`: a run that is resumed from a checkpoint has the best weights of that time.
    """
    best = _weights(module)
    if writes:
        with atomic_folder(best_of(folder, step), replace=True) as part:
            save_file(best, part / "module.safetensors")
            write_digests(part)


def load_best(folder: Path, step: int, module: nn.Module) -> None:
    """Restore the weights that :func:`save_best` stored; raises the errors of :func:`load`."""
    check_best(folder, step)
    _load_weights(best_of(folder, step), module)


def save(
    folder: Path,
    step: int,
    module: nn.Module,
    optimizer: optim.Optimizer,
    state: Mapping[str, Any],
    *,
    writes: bool = True,
) -> Path:
    """Write ``folder/step-00000100`` completely or not at all.

    Args:
        folder: the run's ``checkpoints``.
        step: number of optimizer steps done.
        module: the module whose parameters and buffers are stored.
        optimizer: the optimizer whose moments are stored.
        state: JSON values (fingerprints, log length) to store in ``state.json``.
        writes: whether this process writes the files. If weights are sharded, all processes must call this function and
            one of them writes.

    Returns:
        The folder of the checkpoint.
    """
    final = path_of(folder, step)
    weights, moments = _weights(module), _moments(optimizer)
    if writes:
        with atomic_folder(final, replace=True) as part:
            save_file(weights, part / "module.safetensors")
            save_file(moments, part / "optimizer.safetensors")
            facts = {"schema": SCHEMA, "step": step, **state}
            (part / "state.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
            write_digests(part)
    return final


def path_of(folder: Path, step: int) -> Path:
    """Return the folder of the checkpoint of a step."""
    return folder / f"step-{step:08d}"


def latest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint. None: there is no checkpoint.

    What a kill moved away, because it was just being replaced, is moved back first.
    """
    for old in folder.glob(".*.old"):
        path = folder / old.name[1 : -len(".old")]
        if not path.exists():
            with suppress(FileNotFoundError):  # another process has moved it
                old.rename(path)
    return _complete(folder)[-1] if _complete(folder) else None


def _complete(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-????????") if (path / "state.json").is_file())


def check(checkpoint: Path) -> None:
    """Compare the files of a checkpoint, or of the best weights, with their digests.

    Raises:
        UserError: naming the damaged file, and the checkpoint to use instead.
    """
    FolderDigests(checkpoint, _instead_of(checkpoint)).check()


def _instead_of(checkpoint: Path) -> str:
    """Return what to do about a damaged checkpoint."""
    older = [path.name for path in _complete(checkpoint.parent) if path.name < checkpoint.name]
    if checkpoint.name.startswith("best-"):
        return "start a new run with another --out"
    return f"remove {checkpoint.name} to " + (f"use the previous one, {older[-1]}" if older else "start again")


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read the state of a checkpoint.

    Raises:
        UserError: if it is damaged or of another version.
    """
    check(checkpoint)
    try:
        state: dict[str, Any] = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(checkpoint) from error
    check_schema(state, SCHEMA, checkpoint, _instead_of(checkpoint))
    return state


def check_matches(checkpoint: Path, state: Mapping[str, Any], data: str, settings: Mapping[str, Any]) -> None:
    """Check that a checkpoint is of the data and the settings of a run.

    Args:
        checkpoint: the checkpoint.
        state: its state.
        data: fingerprint of the data.
        settings: the settings.

    Raises:
        UserError: if they differ.
    """
    if state["data"] != data:
        message = "the data differ from those this run was started with"
        raise UserError(message, where=checkpoint, hint="start a new run with another --out")
    changed = difference(fixed_settings(state["settings"]), fixed_settings(settings))
    if changed:
        hint = "resume with the same settings, or start a new run with another --out"
        raise UserError(f"settings differ from those the run began with: {changed}", where=checkpoint, hint=hint)


def load(checkpoint: Path, module: nn.Module, optimizer: optim.Optimizer) -> None:
    """Restore module and optimizer to exactly the state that :func:`save` stored.

    Raises:
        UserError: if the checkpoint is damaged or was written for other settings.
    """
    check(checkpoint)
    _load_weights(checkpoint, module)
    try:
        moments = load_file(checkpoint / "optimizer.safetensors")
    except (OSError, SafetensorError) as error:
        raise _damaged(checkpoint) from error
    state: dict[int, dict[str, Tensor]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, value in moments.items():
        index, _, entry = name.partition(".")
        state.setdefault(int(index), {})[entry] = like(value, parameters[int(index)]) if value.dim() else value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def load_part(checkpoint: Path, name: str, module: nn.Module) -> None:
    """Restore only the part of the module that has this name; raises the errors of :func:`load`."""
    check(checkpoint)
    _load_weights(checkpoint, module, f"{name}.")


def _load_weights(checkpoint: Path, module: nn.Module, prefix: str = "") -> None:
    try:
        stored = load_file(checkpoint / "module.safetensors")
    except (OSError, SafetensorError) as error:
        raise _damaged(checkpoint) from error
    stored = {name.removeprefix(prefix): value for name, value in stored.items() if name.startswith(prefix)}
    left_out = _left_out(module)  # earlier checkpoints contain it
    stored = {name: value for name, value in stored.items() if not name.startswith(left_out)}
    current = _unshared(module)
    if set(stored) != set(current) or any(stored[name].shape != current[name].shape for name in stored):
        hint = "resume with the same model and objectives, or start a new run with another --out"
        raise UserError("the checkpoint was written for another model or other objectives", where=checkpoint, hint=hint)
    with torch.no_grad():
        for name, value in stored.items():
            current[name].copy_(like(value, current[name]))


def _damaged(checkpoint: Path) -> UserError:
    return UserError("the checkpoint is damaged", where=checkpoint, hint=_instead_of(checkpoint))


def prune(folder: Path, keep: int, needed: int | None = None) -> None:
    """Remove all but the newest ``keep`` complete checkpoints and that of the step ``needed``, and what a kill left.

    Of the best weights, those that no remaining checkpoint names are removed.
    """
    for path in _complete(folder)[:-keep]:
        if path != path_of(folder, needed or 0):
            _remove(path)
    states = [json.loads((path / "state.json").read_text(encoding="utf-8")) for path in _complete(folder)]
    named = {best_of(folder, step_of_best(state)) for state in states}
    for path in folder.glob("best-????????"):
        if path not in named:
            _remove(path)
    for path in (*folder.glob("*.part"), *folder.glob("*.old")):
        shutil.rmtree(path, ignore_errors=True)


def _remove(path: Path) -> None:
    """Remove a folder; it is renamed first, so that a kill leaves no incomplete checkpoint."""
    removed = path.with_name(f".{path.name}.part")
    path.rename(removed)
    shutil.rmtree(removed)
