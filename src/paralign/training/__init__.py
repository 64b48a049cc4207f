"""The training loop: trainer, callbacks, schedule, checkpoints, log."""

from paralign.training.callbacks import Callback, DevelopmentScore, HeldOutEvaluation
from paralign.training.config import TrainingConfig
from paralign.training.corpus_batches import CorpusBatches
from paralign.training.learner import Learner
from paralign.training.outcome import Outcome
from paralign.training.trainer import Trainer

__all__ = [
    "Callback",
    "CorpusBatches",
    "DevelopmentScore",
    "HeldOutEvaluation",
    "Learner",
    "Outcome",
    "Trainer",
    "TrainingConfig",
]
