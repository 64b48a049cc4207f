"""The small world: a generated corpus in real languages that knows the truth about every sentence."""

from paralign.smallworld.meaning import Clause, Entity, Meaning, Setting
from paralign.smallworld.realise import Sentence
from paralign.smallworld.world import LANGUAGES, World

__all__ = ["LANGUAGES", "Clause", "Entity", "Meaning", "Sentence", "Setting", "World"]
