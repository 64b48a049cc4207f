"""Checkpoints that survive being killed: safetensors and JSON, written beside, flushed and renamed."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn, optim

from paralign.errors import UserError

__all__ = ["beside", "latest", "load", "load_best", "prune", "save", "save_best"]

SCHEMA = 1


@contextmanager
def beside(final: Path) -> Iterator[Path]:
    """A folder to write into that becomes ``final`` only when everything in it is on disk.

    An older ``final`` is replaced. Whatever goes wrong, nothing half-written is left.

    Raises:
        UserError: if the disk is full.
    """
    part = final.with_name(final.name + ".part")
    old = final.with_name(final.name + ".old")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        for file in (*part.rglob("*"), part):
            _flush(file)
        if final.exists():
            shutil.rmtree(old, ignore_errors=True)
            final.rename(old)
        part.rename(final)
        _flush(final.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError("the disk is full; the last checkpoint is untouched", where=final) from error
        raise
    except SafetensorError as error:
        if "No space left" in str(error):
            raise UserError("the disk is full; the last checkpoint is untouched", where=final) from error
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unshared(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each stored tensor once: tied weights keep their first name."""
    out: dict[str, Tensor] = {}
    seen: set[tuple[int, int]] = set()
    for name, value in state.items():
        place = (value.data_ptr(), value.numel())
        if value.numel() and place in seen:
            continue
        seen.add(place)
        out[name] = value.detach().cpu().contiguous()
    return out


def _moments(optimiser: optim.Optimizer) -> dict[str, Tensor]:
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": value.detach().cpu() for index, entry in state.items() for name, value in entry.items()}


def save_best(folder: Path, module: nn.Module) -> None:
    """Keep these weights as the best so far, in ``folder/best``."""
    with beside(folder / "best") as part:
        save_file(_unshared(module.state_dict()), part / "module.safetensors")


def load_best(folder: Path, module: nn.Module) -> None:
    """Bring the module back to the weights ``save_best`` kept; errors as in :func:`load`."""
    _load_weights(folder / "best", module)


def save(folder: Path, step: int, module: nn.Module, optimiser: optim.Optimizer, state: Mapping[str, Any]) -> Path:
    """Write ``folder/step-00000100`` whole or not at all.

    Args:
        folder: the run's ``checkpoints``.
        step: optimiser steps done.
        module: everything with parameters and buffers.
        optimiser: its moments are kept.
        state: JSON facts (fingerprints, log length) kept in ``state.json``.
    """
    final = folder / f"step-{step:08d}"
    with beside(final) as part:
        save_file(_unshared(module.state_dict()), part / "module.safetensors")
        save_file(_moments(optimiser), part / "optimiser.safetensors")
        facts = {"schema": SCHEMA, "step": step, **state}
        (part / "state.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return final


def latest(folder: Path) -> Path | None:
    """The newest whole checkpoint, or ``None``."""
    found = sorted(path for path in folder.glob("step-????????") if (path / "state.json").is_file())
    return found[-1] if found else None


def read_state(checkpoint: Path) -> dict[str, Any]:
    """The facts of a checkpoint.

    Raises:
        UserError: if it is damaged or of another version.
    """
    try:
        state: dict[str, Any] = json.loads((checkpoint / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            "the checkpoint is damaged", where=checkpoint, mend="remove it to use the one before"
        ) from error
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise UserError("the checkpoint was written by another version of paralign", where=checkpoint)
    return state


def load(checkpoint: Path, module: nn.Module, optimiser: optim.Optimizer) -> None:
    """Bring module and optimiser back to exactly what ``save`` saw.

    Raises:
        UserError: if the checkpoint is damaged or was written for other settings.
    """
    _load_weights(checkpoint, module)
    try:
        moments = load_file(checkpoint / "optimiser.safetensors")
    except (OSError, SafetensorError) as error:
        raise UserError(
            "the checkpoint is damaged", where=checkpoint, mend="remove it to use the one before"
        ) from error
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in moments.items():
        index, _, entry = name.partition(".")
        state.setdefault(int(index), {})[entry] = value
    whole = optimiser.state_dict()
    optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def _load_weights(checkpoint: Path, module: nn.Module) -> None:
    try:
        weights = load_file(checkpoint / "module.safetensors")
    except (OSError, SafetensorError) as error:
        raise UserError(
            "the checkpoint is damaged", where=checkpoint, mend="remove it to use the one before"
        ) from error
    own = module.state_dict()
    kept = _unshared(own)
    if set(weights) != set(kept) or any(weights[name].shape != own[name].shape for name in weights):
        raise UserError("the checkpoint was written for another model or other objectives", where=checkpoint)
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(value)


def prune(folder: Path, keep: int) -> None:
    """Remove all but the newest ``keep`` checkpoints, and what a kill left half-written."""
    for path in sorted(folder.glob("step-????????"))[:-keep]:
        gone = path.with_name(path.name + ".part")  # renamed first: a kill leaves no half checkpoint behind
        path.rename(gone)
        shutil.rmtree(gone)
    for path in (*folder.glob("*.part"), *folder.glob("*.old")):
        shutil.rmtree(path, ignore_errors=True)
