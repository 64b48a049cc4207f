"""The verbs: what the commands do, as functions. ``paralign.align(...)`` and the like."""

from paralign.verbs.measure import evaluate, finetune
from paralign.verbs.train import align, build_corpus, pretrain

__all__ = ["align", "build_corpus", "evaluate", "finetune", "pretrain"]
