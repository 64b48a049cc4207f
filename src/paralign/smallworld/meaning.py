"""Meanings: small trees of predicates and participants.

A meaning names concepts only; the grammar of each language converts it to a sentence. Words of two languages are linked
by paths in this tree, so the same tree gives the links too.
"""

from __future__ import annotations

from dataclasses import dataclass

from paralign.smallworld import concepts as C

__all__ = ["Adjunct", "Clause", "Entity", "Meaning"]


@dataclass(frozen=True, slots=True)
class Entity:
    """A noun phrase: a noun, a name or a pronoun, with its modifiers."""

    concept: str
    plural: bool = False
    definite: bool = True
    count: str | None = None
    """A number; the noun is then plural and indefinite."""
    adjective: str | None = None
    surname: str | None = None
    owner: Entity | None = None
    """A name or a definite human noun in the singular: *the teacher's book*."""
    relative: Clause | None = None
    """The entity is the missing subject of this clause, or its missing object if it has a subject."""
    conjunct: Entity | None = None
    """Joined by *and*."""

    @property
    def is_plural(self) -> bool:
        """Whether it is plural for agreement."""
        return self.plural or self.conjunct is not None or self.concept == "they"

    @property
    def is_name(self) -> bool:
        """Whether it is the name of a person or a place."""
        return self.concept in C.PLACE_NAMES or (self.concept in C.GENDER and self.concept[0].isupper())


@dataclass(frozen=True, slots=True)
class Adjunct:
    """A place or companion: a relation (*in*, *with*) and the entity that it relates to."""

    relation: str
    ground: Entity


@dataclass(frozen=True, slots=True)
class Clause:
    """A predicate with its participants. The predicate of ``verb`` *be* is an ``adjective`` or a ``place``."""

    verb: str
    subject: Entity | None = None
    """``None`` in *who* questions and in relative clauses about the subject."""
    object: Entity | None = None
    recipient: Entity | None = None
    goal: Entity | None = None
    place: Adjunct | None = None
    company: Adjunct | None = None
    """*with* or *for* somebody."""
    adjective: str | None = None
    tense: str = "present"
    """``present``, ``past`` or ``future``."""
    negated: bool = False
    asks: str | None = None
    """``whether``, ``who``, ``what`` or ``where``."""
    time: str | None = None
    fronted: bool = False
    """Whether the sentence begins with the time."""
    frequency: str | None = None
    manner: str | None = None
    complement: Clause | None = None
    """The that-clause of a verb of speech."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a sentence: a clause, or two joined by *and, but, because, when*."""

    clause: Clause
    conjunction: str | None = None
    second: Clause | None = None
    """It follows the first with *and, but, because*, and precedes it with *when*."""
