"""The lineage of a run of ``align`` or ``pretrain``: what was trained on what and how, without seeds and paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.corpus.link_store import LinkStore
from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder
from paralign.encoder.card import lineage
from paralign.encoder.tokenizer import KINDS
from paralign.runs.inputs import model_files
from paralign.runs.model_folder import lineage_of
from paralign.runs.objectives import needs_dictionary, needs_links, objective_classes
from paralign.runs.settings import RunConfig

__all__ = ["NOT_DECISIVE", "origin_of_scratch", "training_lineage"]

NOT_DECISIVE = {
    "seed", "accumulate", "gradient_checkpointing", "shard", "compile", "heldout_every", "log_every",
    "gradient_cosine_every", "checkpoint_every", "keep", "chunk_cost",
}  # fmt: skip
"""Training settings that do not change what is learned."""
_KNOWN_OTHERWISE = {"objectives", "method", "control", "weights", "data", "tokenizer", "links", "dictionary"}
"""Settings that are recorded separately, that the tokenized text contains, or that only round the saved weights."""


def training_lineage(
    origin: str,
    verb: str,
    config: RunConfig,
    precision: str,
    store: TokenStore,
    links: LinkStore | None = None,
    dictionary: Sequence[Mapping[str, Any]] = (),
    start: Sequence[object] = (),
) -> str:
    """Return the lineage of a run.

    Args:
        origin: lineage of the encoder it is trained from, its digest, or :func:`origin_of_scratch`.
        verb: ``align`` or ``pretrain``.
        config: settings of the run.
        precision: what ``training.precision`` is on this machine, ``bf16`` or ``fp32``.
        store: its text.
        links: its word links. None: it uses none.
        dictionary: the files of its dictionaries.
        start: lineage and step of the checkpoint that the weights are from. Empty: they are those of the encoder.
    """
    made_by: list[object] = [
        verb,
        config.method,
        config.control,
        config.objectives,
        precision,
        store.fingerprint,
        *start,
    ]
    return lineage(origin, *made_by, _decisive_settings(config, links, dictionary))


def origin_of_scratch(scratch: Mapping[str, Any], encoder: Encoder, store: TokenStore) -> str:
    """Return what takes the place of a lineage for the base of an encoder trained from scratch.

    Args:
        scratch: how it is built.
        encoder: the encoder, for its tokenizer if that is not trained on the text.
        store: its text, of which the languages are used.
    """
    given = {} if scratch["tokenizer"] in KINDS else {"tokenizer": encoder.tokenizer_id}
    return lineage({**scratch, **given}, [entry["spec"].partition("=")[0] for entry in store.meta["specs"]])


def _decisive_settings(
    config: RunConfig, links: LinkStore | None, dictionary: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the settings that change what is learned and are no defaults; no seeds, files by what they contain."""
    settings = config.model_dump(mode="json", exclude_defaults=True, exclude=_KNOWN_OTHERWISE)
    training = settings.get("training", {})
    unused = {"precision", "epochs"} if config.training.steps is not None else {"precision"}
    settings["training"] = {name: value for name, value in training.items() if name not in NOT_DECISIVE | unused}
    if needs_links(config):
        of_files = links is not None and "files" in links.meta
        computed = config.links.model_dump(mode="json", exclude_defaults=True)
        settings["links"] = links.digest if links is not None and of_files else computed
    if needs_dictionary(config):  # the whole files: the seed may choose the entries
        settings["dictionary"] = [config.dictionary.rate, *(entry["blake2b"] for entry in dictionary)]
    for kind in objective_classes(config):
        models, own = kind.encoders(getattr(config, kind.name)), settings.get(kind.name, {})
        settings[kind.name] = {key: _identity(value) if value in models else value for key, value in own.items()}
    return settings


def _identity(model: str) -> str:
    """Return what identifies an encoder wherever its folder is: lineage, weights, or its name on the hub."""
    return lineage_of(model) or "".join(str(entry.get("blake2b")) for entry in model_files(model)) or model
