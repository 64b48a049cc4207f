"""Meanings: small trees that say who does what to whom.

A meaning names concepts only; each language's file turns it into a sentence. The keys by which words of two
languages are linked are paths through this tree, so equal trees give links without any further bookkeeping.
"""

from __future__ import annotations

from dataclasses import dataclass

from paralign.smallworld import concepts as C

__all__ = ["Clause", "Entity", "Meaning", "Setting"]


@dataclass(frozen=True, slots=True)
class Entity:
    """A noun phrase: a noun, a name or a pronoun, and what is said of it."""

    concept: str
    plural: bool = False
    definite: bool = True
    count: str | None = None
    """A number concept; the noun is then plural and indefinite."""
    adjective: str | None = None
    surname: str | None = None
    owner: Entity | None = None
    """A name or a definite human noun in the singular: *the teacher's book*."""
    relative: Clause | None = None
    """The entity is the missing subject of the clause, or its missing object where it has a subject."""
    conjunct: Entity | None = None
    """Joined by *and*."""

    @property
    def is_plural(self) -> bool:
        """Plural in agreement."""
        return self.plural or self.conjunct is not None or self.concept == "they"

    @property
    def is_name(self) -> bool:
        """A person's or a place's name."""
        return self.concept in C.PLACE_NAMES or (self.concept in C.GENDER and self.concept[0].isupper())


@dataclass(frozen=True, slots=True)
class Setting:
    """A place or companion: a relation and its ground."""

    relation: str
    ground: Entity


@dataclass(frozen=True, slots=True)
class Clause:
    """One predicate with its participants; ``verb`` *be* takes an ``adjective`` or a ``place`` as predicate."""

    verb: str
    subject: Entity | None = None
    """``None`` in *who* questions and in relative clauses about the subject."""
    object: Entity | None = None
    recipient: Entity | None = None
    goal: Entity | None = None
    place: Setting | None = None
    company: Setting | None = None
    """*with* or *for* somebody."""
    adjective: str | None = None
    tense: str = "present"
    """``present``, ``past`` or ``future``."""
    negated: bool = False
    asks: str | None = None
    """``whether``, ``who``, ``what`` or ``where``."""
    time: str | None = None
    fronted: bool = False
    """The time opens the sentence."""
    frequency: str | None = None
    manner: str | None = None
    complement: Clause | None = None
    """The that-clause of a verb of speech."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one sentence says: a clause, perhaps joined with a second (*and, but, because, when*)."""

    clause: Clause
    conjunction: str | None = None
    second: Clause | None = None
    """After the first with *and, but, because*; before it with *when*."""
