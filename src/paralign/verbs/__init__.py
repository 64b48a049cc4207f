"""The verbs: what the commands do, as functions. ``paralign.align(...)`` and the like; imported when first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_LAZY = {
    "align": "paralign.verbs.train",
    "align_words": "paralign.verbs.words",
    "build_corpus": "paralign.verbs.corpus",
    "evaluate": "paralign.verbs.evaluate",
    "finetune": "paralign.verbs.finetune",
    "predict": "paralign.verbs.predict",
    "pretrain": "paralign.verbs.train",
}
__all__ = ["align", "align_words", "build_corpus", "evaluate", "finetune", "predict", "pretrain"]

if TYPE_CHECKING:
    from paralign.verbs.corpus import build_corpus
    from paralign.verbs.evaluate import evaluate
    from paralign.verbs.finetune import finetune
    from paralign.verbs.predict import predict
    from paralign.verbs.train import align, pretrain
    from paralign.verbs.words import align_words


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'paralign.verbs' has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
