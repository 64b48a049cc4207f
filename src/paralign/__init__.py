"""paralign: make the languages inside a multilingual encoder agree, and measure what changed.

The verbs of the command line are functions here: :func:`align`, :func:`pretrain`, :func:`finetune`,
:func:`evaluate`, :func:`predict`, :func:`report`, :func:`demo`. They are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from paralign.version import __version__

_LAZY = {
    "align": "paralign.verbs.train",
    "align_words": "paralign.verbs.words",
    "analyze_ablation": "paralign.verbs.ablation",
    "analyze_correlation": "paralign.verbs.correlation",
    "analyze_embeddings": "paralign.verbs.analyze",
    "analyze_similarity": "paralign.verbs.similarity",
    "analyze_transfer": "paralign.verbs.transferred",
    "pretrain": "paralign.verbs.train",
    "finetune": "paralign.verbs.finetune",
    "make_map": "paralign.verbs.maps",
    "evaluate": "paralign.verbs.evaluate",
    "export": "paralign.verbs.export",
    "predict": "paralign.verbs.predict",
    "demo": "paralign.recipes.demo",
    "Encoder": "paralign.encoder",
    "Objective": "paralign.objectives",
    "TokenStore": "paralign.text",
    "World": "paralign.smallworld",
    "UserError": "paralign.errors",
    "read_results": "paralign.results",
    "write_report": "paralign.report",
}
__all__ = [
    "Encoder",
    "Objective",
    "TokenStore",
    "UserError",
    "World",
    "__version__",
    "align",
    "align_words",
    "analyze_ablation",
    "analyze_correlation",
    "analyze_embeddings",
    "analyze_similarity",
    "analyze_transfer",
    "demo",
    "evaluate",
    "export",
    "finetune",
    "make_map",
    "predict",
    "pretrain",
    "read_results",
    "write_report",
]

if TYPE_CHECKING:
    from paralign.encoder import Encoder
    from paralign.errors import UserError
    from paralign.objectives import Objective
    from paralign.recipes.demo import demo
    from paralign.report import write_report
    from paralign.results import read_results
    from paralign.smallworld import World
    from paralign.text import TokenStore
    from paralign.verbs.ablation import analyze_ablation
    from paralign.verbs.analyze import analyze_embeddings
    from paralign.verbs.correlation import analyze_correlation
    from paralign.verbs.evaluate import evaluate
    from paralign.verbs.export import export
    from paralign.verbs.finetune import finetune
    from paralign.verbs.maps import make_map
    from paralign.verbs.predict import predict
    from paralign.verbs.similarity import analyze_similarity
    from paralign.verbs.train import align, pretrain
    from paralign.verbs.transferred import analyze_transfer
    from paralign.verbs.words import align_words


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'paralign' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
