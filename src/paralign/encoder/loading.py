"""Loading of models and tokenizers from folders or the hub, with checks that say what is missing or unsuitable."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import constants
from safetensors import SafetensorError
from transformers import MODEL_MAPPING, AutoModel, AutoTokenizer

from paralign.console import echo
from paralign.corpus.build import TextTokenizer
from paralign.digests import FolderDigests
from paralign.encoder.families import (
    TWINS,
    attention_implementation,
    first_line,
    is_causal,
    model_class,
    not_an_encoder,
    read_family,
)
from paralign.encoder.hf import base_of, has_head, has_pooling_option, hidden_layers, hidden_states, width_of
from paralign.encoder.hub import cached_snapshot, hub_is_reachable, unavailable
from paralign.encoder.sentence_modules import sentence_modules
from paralign.encoder.tokenizer import text_tokenizer
from paralign.errors import UserError
from paralign.models import local_folder

__all__ = [
    "check_loadable",
    "check_model",
    "check_weights",
    "load_model",
    "load_text_tokenizer",
    "load_tokenizer",
    "load_twin_offset",
    "sentence_note",
]

_INNER = ("encoder", "seed-0/model")
"""Folders of a run that contain an encoder."""
_PICKLED = ("pytorch_model.bin", "model.pt", "model.pth", "pytorch_model.bin.index.json")
_TOKENIZERS = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
)


def _local(name: str) -> Path | None:
    """Return the folder that a model name refers to, or None for a name on the hub."""
    path = local_folder(name)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        return path
    return None


def _folder(name: str) -> Path | None:
    """Return the existing folder that a model name refers to, or None for a name on the hub.

    If the Hub cannot be reached, it is the folder in its cache.
    """
    path = _local(name)
    if path is None and not hub_is_reachable():
        path = cached_snapshot(name)
        if path is None:
            hub = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the Hugging Face Hub cannot be reached"
            raise unavailable(name, f"there is no such folder, and {hub}")
    if path is not None and not path.exists():
        raise UserError("no such model folder", where=name, hint="give a folder, or a name on the Hugging Face Hub")
    if path is not None and not path.is_dir():
        raise UserError("not a model folder", where=name, hint="give the folder that holds config.json")
    return path


def check_model(name: str | Path, *, weights: bool = True) -> None:
    """Compare the files of a model that paralign wrote with their digests.

    Args:
        name: a folder, or a name on the hub, which is not checked.
        weights: whether the weights are among these files.

    Raises:
        UserError: naming the damaged file.
    """
    path = _local(str(name))
    if path is not None and path.is_dir():
        found = FolderDigests(path, "restore it; if you changed it yourself, remove digests.json")
        names = [file for file in found.files if weights or not file.endswith(".safetensors")]
        if names:
            found.check(*names)


def check_weights(name: str) -> None:
    """Check that a folder has a config and undamaged safetensors; a name on the hub is not checked.

    Raises:
        UserError: saying what is missing or damaged.
    """
    path = _folder(name)
    if path is None:
        return
    if not (path / "config.json").is_file():
        inner = next((path / part for part in _INNER if (path / part / "config.json").is_file()), None)
        hint = None if inner is None else f"this is a run; its encoder is {inner}"
        if path.parent.name == "checkpoints":
            hint = "this is a checkpoint, for --resume; the encoder is written when the run ends"
        raise UserError("no config.json in the model folder", where=name, hint=hint)
    if not list(path.glob("*.safetensors")):
        if any((path / file).exists() for file in _PICKLED):
            raise UserError(
                "the weights are pickled, and paralign reads only safetensors",
                where=name,
                hint="convert them once with transformers: save_pretrained(safe_serialization=True)",
            )
        raise UserError("no *.safetensors in the model folder", where=name, hint="write it with save_pretrained")
    check_model(name)


def _check_tokenizer(name: str) -> None:
    path = _folder(name)
    if path is not None and not any((path / file).exists() for file in _TOKENIZERS):
        raise UserError("the model folder has no tokenizer", where=name, hint="save the tokenizer in the same folder")
    check_model(name, weights=False)


def check_loadable(name: str, *, allow_causal: bool = False) -> None:
    """Check that a folder has a config, weights and a tokenizer that can be read, without loading the model.

    Args:
        name: a folder, a name on the hub, or the name of an encoder that comes with paralign.
        allow_causal: whether it may be a causal language model.

    Raises:
        UserError: naming what is missing or damaged, or the family if it is not an encoder.
    """
    check_weights(name)
    _check_tokenizer(name)
    read_family(str(_folder(name) or name), name, allow_causal=allow_causal)


def sentence_note(name: str, pool: str = "mean") -> str:
    """Return a note on what sentence-transformers does with the hidden states of a model and paralign does not.

    Args:
        name: a folder, a name on the hub, or the name of an encoder that comes with paralign.
        pool: a pooling that needs no note.

    Returns:
        The note; empty if there is no other pooling, dense layer or the like.
    """
    pooling, others = sentence_modules(str(_folder(name) or name))
    parts = [f"pools with {pooling}"] if pooling not in ("", pool) else []
    parts += [f"applies {', '.join(others)}"] if others else []
    if not parts:
        return ""
    here = "paralign reads its hidden states, and pools them as its own settings say (--pool, distill.pool)"
    return f"note: in sentence-transformers, {name} {' and '.join(parts)}; {here}"


def load_model(name: str, *, allow_causal: bool = False, quiet: bool = False) -> Any:
    """Load a model from a folder or the hub, in fp32. Only safetensors are read, and no code of the model is run.

    The model is a masked LM if its family has one; its vocabulary head is random if the weights contain none. Otherwise
    it is the encoder alone, without pooling layer. A causal language model is loaded without its head and keeps no
    cache of keys and values.

    Args:
        name: a folder, a name on the hub, or the name of an encoder that comes with paralign.
        allow_causal: whether it may be a causal language model.
        quiet: print no notes.

    Raises:
        UserError: if something is missing or cannot be read, or if the model is not an encoder.
    """
    check_weights(name)
    path = str(_folder(name) or name)
    config = read_family(path, name, allow_causal=allow_causal)
    loader = model_class(config)
    options = {"add_pooling_layer": False} if loader is AutoModel and _has_pooling_option(config) else {}
    model, info = _load(loader, path, name, options)
    if any(key.startswith("lm_predictions.") for key in info["unexpected_keys"]) and hasattr(config, "legacy"):
        model, info = _load(loader, path, name, {"legacy": False})  # the head has the names of DeBERTa's authors
    missing = sorted(info["missing_keys"])
    base_missing = [key for key in missing if not has_head(model) or key.startswith(f"{model.base_model_prefix}.")]
    if base_missing:
        message = f"{len(base_missing)} weights of the encoder are missing, first {base_missing[0]}"
        raise UserError(message, where=name, hint="save the whole model with save_pretrained")
    if missing:
        model.head_is_new = True
    causal = is_causal(config)
    if causal:
        model.config.use_cache = False
    _check_encodes(model, name)
    if causal:
        own_code = "; the code in its folder is not run" if getattr(config, "auto_map", None) else ""
        kind = f"a causal language model ({config.model_type})"
        echo(f"note: {name} is {kind}: it can be evaluated but not trained{own_code}", quiet=quiet)
    if not quiet and (note := sentence_note(name)):  # reads further files
        echo(note)
    return model


def _load(loader: Any, path: str, name: str, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Load a model; return it with the names of missing weights (``missing_keys``) and of ``unexpected_keys``."""
    try:
        # Missing weights are random: with a fixed seed, so that a resumed run has the same.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model, info = loader.from_pretrained(
                path,
                use_safetensors=True,
                trust_remote_code=False,
                dtype=torch.float32,
                attn_implementation=attention_implementation(),
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(f"cannot load the model: {first_line(error)}", where=name) from error
    return model, info


def _has_pooling_option(config: Any) -> bool:
    mapped: Any = MODEL_MAPPING[type(config)]
    classes = mapped if isinstance(mapped, tuple) else (mapped,)  # a few families have several
    return all(map(has_pooling_option, classes))


@torch.no_grad()
def _check_encodes(model: Any, name: str) -> None:
    """Encode two short rows, and check what everything else relies on.

    The model maps ids and a mask to one state for each piece; padding does not change the states; later pieces change
    them in an encoder and do not in a causal language model.

    Raises:
        UserError: if the model fails one of these checks.
    """
    family = model.config.model_type
    hint = "docs/families.md lists the families of encoders"
    base = base_of(model).eval()
    try:
        rows = model.get_input_embeddings().weight.shape[0]
        # Padding is an ordinary piece: new embeddings of the padding piece are zero, which hides what depends on it.
        ids = torch.tensor([[rows // 2, rows // 2 + 1, last, rows // 5] for last in (rows // 3, rows // 4)])
        mask = torch.tensor([[1, 1, 1, 0]] * 2)
        out = base(input_ids=ids, attention_mask=mask, output_hidden_states=True, return_dict=True)
        alone = base(input_ids=ids[:1, :3], attention_mask=mask[:1, :3], return_dict=True).last_hidden_state
        states = out.last_hidden_state
        layers = [tuple(layer.shape) for layer in out.hidden_states]
        expected = [(2, 4, width_of(model))] * (hidden_layers(model) + 1)
        if layers != expected or tuple(states.shape) != expected[0]:
            raise ValueError("not every layer returns one state for each piece")
    except Exception as error:  # families raise errors of all types
        message = f"{family} models cannot be used as text encoders: {first_line(error)}"
        raise UserError(message, where=name, hint=hint) from error
    largest = float(states.abs().max())
    if float((states[0, :3] - alone[0]).abs().max()) > 1e-4 * largest:
        message = f"{family} models cannot be used: the states of a sentence depend on its padding"
        raise UserError(message, where=name, hint=hint)
    sees_later_pieces = float((states[0, 0] - states[1, 0]).abs().max()) > 1e-6 * largest
    if not is_causal(model.config):
        if not sees_later_pieces:
            raise not_an_encoder(family, name)
        return
    recorded = hidden_states(model, range(len(layers)), {"input_ids": ids, "attention_mask": mask})
    same = all(
        a.shape == b.shape and torch.allclose(a, b, atol=1e-5 * largest)
        for a, b in zip(recorded, out.hidden_states, strict=True)
    )
    if sees_later_pieces or not same:
        reason = "pieces attend to later pieces" if sees_later_pieces else "the states of its layers cannot be read"
        raise UserError(f"this {family} model cannot be measured as a causal language model: {reason}", where=name)


def load_tokenizer(name: str, *, needs_mask: bool = True) -> Any:
    """Load the fast tokenizer of a model; character offsets need a fast one.

    Args:
        name: a folder, a name on the hub, or the name of an encoder that comes with paralign.
        needs_mask: whether it must have a mask token, which those of causal language models lack.

    Raises:
        UserError: if there is no fast tokenizer, or if it has no mask token.
    """
    _check_tokenizer(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(_folder(name) or name), use_fast=True, trust_remote_code=False)
    except Exception as error:  # transformers raises errors of many types here
        path, hint = _folder(name), None
        if find_spec("sentencepiece") is None and (path is None or any(path.glob("*.model"))):
            hint = "SentencePiece vocabularies need an extra: pip install 'paralign[sentencepiece]'"
        raise UserError(f"cannot load the tokenizer: {first_line(error)}", where=name, hint=hint) from error
    if not tokenizer.is_fast:
        hint = "save a fast tokenizer (tokenizer.json) with the model"
        raise UserError(
            "there is no fast version of the tokenizer, which character offsets need", where=name, hint=hint
        )
    if needs_mask and tokenizer.mask_token_id is None:
        raise UserError("the tokenizer has no mask token", where=name, hint="use the tokenizer of a masked LM")
    return tokenizer


def load_twin_offset(name: str) -> int:
    """Return :func:`twin_offset_of` a model without loading its weights.

    Args:
        name: a folder or a name on the hub; for a folder with a tokenizer alone the result is 0.
    """
    path = _folder(name)
    if path is not None and not (path / "config.json").is_file():
        return 0
    config = read_family(str(path or name), name)
    return int(getattr(config, TWINS, 0) or 0)


def load_text_tokenizer(name: str) -> TextTokenizer:
    """Return the tokenizer of a model as a token store needs it, without loading weights.

    Args:
        name: as for :func:`load_tokenizer`.

    Raises:
        UserError: as :func:`load_tokenizer`.
    """
    return text_tokenizer(load_tokenizer(name), twin_offset=load_twin_offset(name))
