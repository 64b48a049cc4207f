"""The verbs: what the commands do, as functions. ``paralign.align(...)`` and the like."""

from paralign.verbs.corpus import build_corpus
from paralign.verbs.evaluate import evaluate
from paralign.verbs.finetune import finetune
from paralign.verbs.predict import predict
from paralign.verbs.train import align, pretrain

__all__ = ["align", "build_corpus", "evaluate", "finetune", "predict", "pretrain"]
