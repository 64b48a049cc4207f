"""What a run's log says, handed to trackers as it is written: TensorBoard, Weights & Biases and others (accelerate)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelerate import Accelerator
from accelerate.tracking import LOGGER_TYPE_TO_CLASS, get_available_trackers

from paralign.config import did_you_mean
from paralign.errors import UserError

__all__ = ["Trackers", "check_trackers"]


def check_trackers(names: Sequence[str]) -> None:
    """Refuse trackers that are not known or not installed.

    Raises:
        UserError: naming it.
    """
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise UserError(f"unknown tracker {name!r}", hint=did_you_mean(name, LOGGER_TYPE_TO_CLASS))
        if name not in {str(one) for one in get_available_trackers()}:
            hint = f"pip install {'tensorboard, or paralign[track]' if name == 'tensorboard' else name}"
            raise UserError(f"the tracker {name} is not installed", hint=hint)


class Trackers:
    """Trackers of a run; what the log says of a step goes to all of them, numbers only.

    Args:
        accelerator: the run's, made with ``log_with``.
        title: of the run.
        settings: shown beside it.
    """

    def __init__(self, accelerator: Accelerator, title: str, settings: Mapping[str, Any]) -> None:
        self._accelerator, self._title, self._settings = accelerator, title, settings

    def open(self) -> None:
        """Begin; after a resume steps that come again are written again."""
        flat = {k: v if isinstance(v, int | float | str) else str(v) for k, v in _flat(self._settings)}
        self._accelerator.init_trackers(self._title, config=flat)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Hand on the numbers of an entry: ``loss``, ``losses/tlm``, ``heldout/losses/de``, ``metrics/...``."""
        head = f"{entry['event']}/" if "event" in entry else ""
        numbers = {head + k: v for k, v in _flat(entry) if isinstance(v, int | float) and k not in ("step", "time")}
        if "step" in entry and numbers:
            self._accelerator.log(numbers, step=entry["step"])

    def close(self) -> None:
        """Write what is left."""
        self._accelerator.end_training()


def _flat(nested: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    out = []
    for key, value in nested.items():
        inner = isinstance(value, Mapping)
        out += _flat(value, f"{prefix}{key}/") if inner else [(prefix + key, value)]
    return out
