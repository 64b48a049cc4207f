"""paralign: align the languages inside a multilingual encoder, and measure what changed.

The commands are functions here: :func:`align`, :func:`pretrain`, :func:`finetune`, :func:`evaluate`, :func:`predict`,
:func:`write_report`, :func:`demo` and others. They are imported when first used.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

from paralign.version import __version__

_LAZY = {
    "align": "paralign.commands.align",
    "align_stream": "paralign.commands.align_stream",
    "align_words": "paralign.commands.align_words",
    "analyze_ablation": "paralign.commands.analyze_ablation",
    "analyze_correlation": "paralign.commands.analyze_results",
    "analyze_embeddings": "paralign.commands.analyze_embeddings",
    "analyze_encoders": "paralign.commands.analyze_encoders",
    "analyze_links": "paralign.commands.analyze_links",
    "analyze_probes": "paralign.commands.analyze_probes",
    "analyze_similarity": "paralign.commands.analyze_similarity",
    "analyze_transfer": "paralign.commands.analyze_results",
    "pretrain": "paralign.commands.pretrain",
    "finetune": "paralign.commands.finetune",
    "make_map": "paralign.commands.map",
    "make_text_maps": "paralign.commands.map",
    "evaluate": "paralign.commands.evaluate",
    "export": "paralign.commands.export",
    "predict": "paralign.commands.predict",
    "demo": "paralign.commands.demo",
    "suite": "paralign.commands.suite",
    "Encoder": "paralign.encoder",
    "Objective": "paralign.objectives",
    "TokenStore": "paralign.corpus.store",
    "WordAligner": "paralign.words.word_aligner",
    "World": "paralign.smallworld",
    "UserError": "paralign.errors",
    "read_results": "paralign.commands.read_results",
    "write_report": "paralign.report",
}
__all__ = [
    "Encoder",
    "Objective",
    "TokenStore",
    "UserError",
    "WordAligner",
    "World",
    "__version__",
    "align",
    "align_stream",
    "align_words",
    "analyze_ablation",
    "analyze_correlation",
    "analyze_embeddings",
    "analyze_encoders",
    "analyze_links",
    "analyze_probes",
    "analyze_similarity",
    "analyze_transfer",
    "demo",
    "evaluate",
    "export",
    "finetune",
    "make_map",
    "make_text_maps",
    "predict",
    "pretrain",
    "read_results",
    "suite",
    "write_report",
]

if TYPE_CHECKING:
    from paralign.commands.align import align
    from paralign.commands.align_stream import align_stream
    from paralign.commands.align_words import align_words
    from paralign.commands.analyze_ablation import analyze_ablation
    from paralign.commands.analyze_embeddings import analyze_embeddings
    from paralign.commands.analyze_encoders import analyze_encoders
    from paralign.commands.analyze_links import analyze_links
    from paralign.commands.analyze_probes import analyze_probes
    from paralign.commands.analyze_results import analyze_correlation, analyze_transfer
    from paralign.commands.analyze_similarity import analyze_similarity
    from paralign.commands.demo import demo
    from paralign.commands.evaluate import evaluate
    from paralign.commands.export import export
    from paralign.commands.finetune import finetune
    from paralign.commands.map import make_map, make_text_maps
    from paralign.commands.predict import predict
    from paralign.commands.pretrain import pretrain
    from paralign.commands.read_results import read_results
    from paralign.commands.suite import suite
    from paralign.corpus.store import TokenStore
    from paralign.encoder import Encoder
    from paralign.errors import UserError
    from paralign.objectives import Objective
    from paralign.report import write_report
    from paralign.smallworld import World
    from paralign.words.word_aligner import WordAligner


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if not name.startswith("_") and importlib.util.find_spec(f"paralign.{name}"):  # paralign.device.select_device
        return importlib.import_module(f"paralign.{name}")
    raise AttributeError(f"module 'paralign' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
