"""A checkpoint that a new run starts from: its encoder, and the lineage that settings and model card record."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from paralign.config import load_toml
from paralign.encoder import Encoder
from paralign.encoder.card import lineage
from paralign.errors import UserError
from paralign.runs.inputs import Entries, file_entries
from paralign.training import checkpoint

__all__ = ["StartCheckpoint"]


class StartCheckpoint:
    """The encoder of a checkpoint. Objectives (projections, momentum encoders, queues) start over.

    Args:
        path: the folder of the checkpoint, ``RUN/checkpoints/step-00000500``.

    Raises:
        UserError: if there is no checkpoint, or it is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not (self.path / "state.json").is_file():
            hint = "give a folder RUN/checkpoints/step-NNNNNNNN"
            raise UserError("no checkpoint here", where=path, hint=hint)
        self._state = checkpoint.read_state(self.path)

    @property
    def entries(self) -> Entries:
        """The file of the weights, for :func:`paralign.runs.inputs.check_inputs`."""
        return file_entries([self.path / "module.safetensors"])

    @property
    def lineage(self) -> Mapping[str, Any]:
        """What the settings of the new run record: ``step``, ``weights`` (digest of the file), and ``parent``.

        ``parent`` is the hash of the encoder that the run of the checkpoint was trained from.
        """
        settings = self._state["settings"]
        parent = settings.get("from_checkpoint", settings).get("parent", settings.get("base"))
        return {"step": self._state["step"], "weights": self.entries[0]["blake2b"], "parent": parent}

    @property
    def made_by(self) -> tuple[str, int]:
        """The lineage of the run of the checkpoint, and the step: how its weights were made.

        Of a checkpoint without a lineage (of a ``Trainer`` used from Python), its text and settings without the seed.
        """
        state = self._state
        settings = {**state["settings"], "training": {**state["settings"].get("training", {}), "seed": None}}
        return state.get("lineage") or lineage(state["data"], settings), state["step"]

    def model(self) -> str:
        """Return the encoder that the run of the checkpoint was trained from.

        Raises:
            UserError: if its settings do not say.
        """
        config = self.path.resolve().parent.parent / "config.toml"
        model = load_toml(config).get("model") if config.is_file() else None
        if not isinstance(model, str):
            raise UserError("no settings of the run of this checkpoint", where=self.path, hint="give --model")
        return model

    def load_into(self, encoder: Encoder) -> None:
        """Replace the weights of an encoder by those of the checkpoint.

        Raises:
            UserError: if the checkpoint is damaged, or its run was trained from another encoder than this one.
        """
        if self.lineage["parent"] not in (None, encoder.digest()):
            hint = "give --model with the encoder that the run of the checkpoint was trained from"
            raise UserError(f"the checkpoint was not trained from {encoder.name}", where=self.path, hint=hint)
        head = [parameter.detach().clone() for parameter in encoder.head_parameters()]
        checkpoint.load_part(self.path, "encoder", encoder)
        if not all(map(torch.equal, head, encoder.head_parameters())):
            encoder.head_is_new = False  # its run trained the new head
