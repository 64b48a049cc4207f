"""The small world: a generated corpus in real languages, with gold annotation for every sentence."""

from paralign.smallworld.grammar import Sentence
from paralign.smallworld.inference_pairs import Inference, realize, sample_inference
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning
from paralign.smallworld.questions import ReadingItem, realize_question, sample_question
from paralign.smallworld.world import LANGUAGES, World

__all__ = [
    "LANGUAGES",
    "Adjunct",
    "Clause",
    "Entity",
    "Inference",
    "Meaning",
    "ReadingItem",
    "Sentence",
    "World",
    "realize",
    "realize_question",
    "sample_inference",
    "sample_question",
]
