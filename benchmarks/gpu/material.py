"""Text and encoders of the stages: from the pack, or from the generated small world."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from context import Context

TINY_PAIRS, PAIRS = 600, 12_000


def store(context: Context) -> Path:
    """Return the folder of a token store of pairs."""
    real = context.pack is not None and not context.tiny
    return packed_store(context) if real else _small_world(context) / "store"


def tokenizer(context: Context) -> Path:
    """Return the folder of the tokenizer of that store."""
    real = context.pack is not None and not context.tiny
    return packed_encoder(context) if real else _small_world(context) / "tokenizer"


def encoder(context: Context) -> Path:
    """Return the folder of an encoder with that tokenizer."""
    if context.pack is not None and not context.tiny:
        return packed_encoder(context)
    return _once(context.work / "random-encoder", lambda folder: _random(context, folder))


def packed_store(context: Context) -> Path:
    """Return the folder of the pack's token store."""
    assert context.pack is not None
    archive = context.pack / "store.zip"
    return _once(context.work / "store", lambda folder: shutil.unpack_archive(archive, folder))


def packed_encoder(context: Context) -> Path:
    """Return the pack's encoder as a Hugging Face folder."""
    assert context.pack is not None
    script, packed = str(context.pack / "encoder/unpack.py"), str(context.pack / "encoder/encoder.npz")

    def make(folder: Path) -> None:
        subprocess.run([sys.executable, script, "unpack", packed, str(folder)], check=True)

    return _once(context.work / "encoder", make)


def _small_world(context: Context) -> Path:
    import corpora

    def make(folder: Path) -> None:
        pairs = TINY_PAIRS if context.tiny else PAIRS
        options = argparse.Namespace(store=None, tokenizer=None, pairs=pairs, min_pieces=10)
        _, trained = corpora.open_or_make(options, folder)
        trained.save_pretrained(folder / "tokenizer")

    return _once(context.work / "small-world", make)


def _random(context: Context, folder: Path) -> None:
    from context import SHAPES

    from paralign.encoder import Encoder
    from paralign.encoder.loading import load_tokenizer

    pieces = load_tokenizer(str(tokenizer(context)))
    Encoder.from_scratch(SHAPES["tiny"].arch, pieces, max_length=256).save_pretrained(folder)


def _once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return the folder. It is made under a temporary name and renamed, because a stage may be stopped at any time."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f"{folder.name}."))
        try:
            make(place)
            place.rename(folder)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    return folder
