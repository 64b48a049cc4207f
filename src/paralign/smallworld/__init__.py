"""The small world: a generated corpus in real languages that knows the truth about every sentence."""

from paralign.smallworld.inference import Inference, inference, say
from paralign.smallworld.meaning import Clause, Entity, Meaning, Setting
from paralign.smallworld.questions import Asked, ask, question
from paralign.smallworld.realize import Sentence
from paralign.smallworld.world import LANGUAGES, World

__all__ = [
    "LANGUAGES",
    "Asked",
    "Clause",
    "Entity",
    "Inference",
    "Meaning",
    "Sentence",
    "Setting",
    "World",
    "ask",
    "inference",
    "question",
    "say",
]
