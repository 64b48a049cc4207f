"""Experiment trackers that follow the log: TensorBoard, Weights & Biases and others that accelerate knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from accelerate.tracking import LOGGER_TYPE_TO_CLASS, GeneralTracker, get_available_trackers

from paralign.config import did_you_mean
from paralign.console import is_main_process
from paralign.errors import UserError
from paralign.training.callbacks import Callback, CallbackTrainer

__all__ = ["Trackers", "check_trackers"]


def check_trackers(names: Sequence[str]) -> None:
    """Raise if a tracker is unknown or not installed.

    Raises:
        UserError: naming the tracker.
    """
    for name in names:
        if name not in LOGGER_TYPE_TO_CLASS:
            raise UserError(f"unknown tracker {name!r}", hint=did_you_mean(name, LOGGER_TYPE_TO_CLASS))
        if name not in {str(available) for available in get_available_trackers()}:
            hint = f"pip install {name}"
            raise UserError(f"the tracker {name} is not installed", hint=hint)


class Trackers(Callback):
    """Sends the numbers of every log entry to trackers, from the main process; files are written to ``RUN/track``.

    After a resume, steps that are repeated are sent again.

    Args:
        names: names of trackers, as :func:`check_trackers` accepts them.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._trackers: list[GeneralTracker] = []

    def on_train_start(self, trainer: CallbackTrainer) -> None:
        """Start the trackers with the settings of the run."""
        if not is_main_process():  # some trackers would start a run in every process
            return
        settings = {k: v if isinstance(v, int | float | str) else str(v) for k, v in _flat(trainer.settings)}
        for name in self._names:
            kind = LOGGER_TYPE_TO_CLASS[name]
            folder = [str(trainer.run_dir / "track")] if kind.requires_logging_directory else []
            tracker = kind(trainer.title, *folder)
            tracker.start()
            tracker.store_init_configuration(settings)
            self._trackers.append(tracker)

    def on_log(self, trainer: CallbackTrainer, entry: Mapping[str, Any]) -> None:
        """Send the numbers of an entry: ``loss``, ``losses/tlm``, ``heldout/losses/de``, ``metrics/...``."""
        head = f"{entry['event']}/" if "event" in entry else ""
        numbers = {head + k: v for k, v in _flat(entry) if isinstance(v, int | float) and k not in ("step", "time")}
        if "step" in entry and numbers:
            for tracker in self._trackers:
                tracker.log(numbers, step=entry["step"])

    def close(self) -> None:
        """Flush the trackers and close them."""
        for tracker in self._trackers:
            tracker.finish()
        self._trackers.clear()


def _flat(nested: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    out = []
    for key, value in nested.items():
        inner = isinstance(value, Mapping)
        out += _flat(value, f"{prefix}{key}/") if inner else [(prefix + key, value)]
    return out
