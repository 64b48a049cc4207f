"""The checks of ``--resume`` on a training run that is finished."""

from __future__ import annotations

from collections.abc import Sequence

from paralign.config import load_toml
from paralign.corpus.store import TokenStore
from paralign.encoder.loading import check_model
from paralign.errors import UserError
from paralign.runs.folder import RunFolder
from paralign.runs.inputs import model_files
from paralign.runs.same_text import check_same_text
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["check_finished", "check_hub_model"]


def check_finished(folder: RunFolder, model: str, specs: Sequence[PairSpec] | Sequence[TextSpec]) -> None:
    """Check that the encoder of a finished run is complete and was made from this encoder and text.

    Files are compared before, by :func:`paralign.runs.inputs.check_inputs`; here, what has none: encoders and datasets
    of the hub, ranges of the small world, and language tags.

    Args:
        folder: the run.
        model: the encoder that the run starts from, or the architecture of a new one.
        specs: text or pairs; empty for a run on a token store.

    Raises:
        UserError: for a damaged encoder, or naming what differs.
    """
    check_model(folder.path / "encoder")
    check_hub_model(folder, model)
    if specs and (folder.path / "corpus").is_dir():
        check_same_text(TokenStore.open(folder.path / "corpus"), specs)


def check_hub_model(folder: RunFolder, model: str) -> None:
    """Check that a run began with this encoder, if it is one of the hub, whose files are not compared.

    Args:
        folder: the run.
        model: name of the encoder.

    Raises:
        UserError: naming both encoders.
    """
    path = folder.path / "config.toml"
    before = load_toml(path).get("model", model) if path.is_file() else model
    recorded = folder.before.get("inputs", {}).get("model")  # empty for one of the hub
    if before != model and not recorded and not model_files(model):
        hint = f"give {before}, or start a new run with another --out"
        raise UserError(f"the encoder is {model}, but this run began with {before}", where=folder.path, hint=hint)
