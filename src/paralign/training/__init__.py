"""The one training loop: trainer, schedule, checkpoints, log, alarms."""

from paralign.device import best_device
from paralign.training.config import TrainingConfig
from paralign.training.learner import Learner
from paralign.training.outcome import Outcome, Stopped
from paralign.training.sampler import CorpusBatches
from paralign.training.trainer import Trainer

__all__ = ["CorpusBatches", "Learner", "Outcome", "Stopped", "Trainer", "TrainingConfig", "best_device"]
