"""Small things every test may use: a tokenizer, an encoder, a store, all from the small world."""

from __future__ import annotations

import os

# One thread: equal bytes from run to run, and two test processes do not fight over the cores.
os.environ["OMP_NUM_THREADS"] = "1"
# On machines with an accelerator too: equal bytes are promised for CPUs. tests/gpu chooses its device itself.
os.environ["ACCELERATE_USE_CPU"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Processes that tests start buffer their output, as those of users do.
os.environ.pop("PYTHONUNBUFFERED", None)
# They import the tree under test, not an installed paralign.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [os.path.abspath(f"{__file__}/../../src"), *filter(None, [os.environ.get("PYTHONPATH")])]  # noqa: PTH100
)

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from paralign.corpus.store import TokenStore
    from paralign.encoder import Encoder

settings.register_profile("paralign", deadline=None)  # shared machines are slow at times
settings.load_profile("paralign")

LANGUAGES = ("en", "de", "zh")


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """900 sentences in three languages, two scripts."""
    from paralign.smallworld import World

    world = World(0)
    return [world.sentence(index, language).text for language in LANGUAGES for index in range(300)]


@pytest.fixture(scope="session")
def tokenizer(sentences: list[str]) -> Any:
    """A WordPiece tokenizer of BERT's shape; not to be changed."""
    from paralign.encoder import train_tokenizer

    return train_tokenizer(sentences, size=800)


@pytest.fixture(scope="session")
def make_encoder(tokenizer: Any) -> Callable[..., Encoder]:
    """Fresh tiny encoders: BERT 2x32 without dropout unless told otherwise."""
    from paralign.encoder import Encoder

    def make(arch: str = "bert:2x32", **settings: Any) -> Encoder:
        return Encoder.from_scratch(arch, tokenizer, **{"max_length": 140, "dropout": 0.0} | settings)

    return make


@pytest.fixture(scope="session")
def encoder(make_encoder: Callable[..., Encoder]) -> Encoder:
    """A tiny encoder to read from, in eval mode; tests that train make their own."""
    return make_encoder().eval()


@pytest.fixture(scope="session")
def base(make_encoder: Callable[..., Encoder], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny encoder (with dropout, as users have)."""
    folder = tmp_path_factory.mktemp("models") / "base"
    make_encoder(dropout=0.1).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def store(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    """Pairs of the small world, en-de and en-zh, of very different lengths."""
    from paralign.corpus.build import build_store
    from paralign.corpus.clean import FilterConfig
    from paralign.sources.specs import parse_pairs

    return build_store(
        [parse_pairs("en-de=smallworld:0-150"), parse_pairs("en-zh=smallworld:150-220")],
        encoder.text_tokenizer,
        tmp_path_factory.mktemp("stores") / "pairs",
        filter=FilterConfig(min_pieces=2),
    )
