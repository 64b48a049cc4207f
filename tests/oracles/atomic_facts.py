"""Entailment as sets of facts: the atomic facts of a statement, and which facts contradict each other."""

from __future__ import annotations

from typing import Any

from paralign.smallworld import Adjunct, Clause, Meaning
from paralign.smallworld.concepts import CITIES

OPPOSITES = [
    {"old", "young"},
    {"big", "small"},
    {"happy", "sad"},
    {"rich", "poor"},
    {"hot", "cold"},
    {"red", "white", "black", "blue", "green", "yellow"},
    {"two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"},
]
TOWNS = {f"in {town}" for town in CITIES}
Fact = tuple[str, Any]


def facts(clause: Clause) -> tuple[set[Fact], set[Fact], set[Fact]]:
    """What there is (verb and nouns), what the subject is like, and how the event goes."""
    who: set[Fact] = set()
    event: set[Fact] = set()
    there: set[Fact] = {("verb", (clause.verb, clause.tense))}
    for role in ("subject", "object", "recipient", "goal"):
        entity = getattr(clause, role)
        if entity is None:
            continue
        there.add((role, (entity.concept, entity.plural, entity.definite)))
        for field in ("adjective", "surname", "owner", "relative", "count"):
            if getattr(entity, field) is not None:
                (who if role == "subject" else event).add((f"{role} {field}", getattr(entity, field)))
        if entity.conjunct is not None:
            event.add((f"{role} and", entity.conjunct))
    for field in ("place", "company", "adjective", "time", "frequency", "manner"):
        value = getattr(clause, field)
        if isinstance(value, Adjunct):
            event.add((field, (value.relation, value.ground)))
        elif value is not None:
            event.add((field, value))
    return there, who, event


def clash(one: Fact, other: Fact, verb: str) -> bool:
    """Whether both cannot be."""
    if one[0] != other[0] or one[1] == other[1]:
        return False
    if one[0] == "place":
        if verb not in ("be", "live"):
            return False
        (r1, g1), (r2, g2) = one[1], other[1]
        return (g1 == g2 and {r1, r2} == {"on", "under"}) or {f"{r1} {g1.concept}", f"{r2} {g2.concept}"} <= TOWNS
    return any({one[1], other[1]} <= group for group in OPPOSITES)


def compare(p: Clause, h: Clause) -> str:
    """Label of a stated clause and a clause."""
    there, who, event = facts(p)
    wanted_there, wanted_who, wanted = facts(h)
    if there != wanted_there:
        return "neutral"
    known = wanted_who <= who
    clashes = any(clash(a, b, p.verb) for a in who | event for b in wanted_who | wanted)
    if p.negated and h.negated:
        return "entailment" if known and event <= wanted else "neutral"
    if p.negated:
        return "contradiction" if event <= wanted else "neutral"
    if h.negated:
        if clashes and known:
            return "entailment"
        return "contradiction" if wanted <= event else "neutral"
    if clashes:
        return "contradiction"
    return "entailment" if known and wanted <= event else "neutral"


def stated(meaning: Meaning) -> list[Clause]:
    """The clauses whose truth the speaker of a sentence stands for."""
    found = [meaning.clause]
    if meaning.second is not None:
        assert meaning.conjunction in ("and", "but", "because")
        found.append(meaning.second)
    if meaning.clause.verb == "know":
        assert not meaning.clause.negated
        assert meaning.clause.complement is not None
        found.append(meaning.clause.complement)
    return found


def label(premise: Meaning, hypothesis: Meaning) -> str:
    """What holds between two sentences."""
    assert hypothesis.second is None
    labels = {compare(clause, hypothesis.clause) for clause in stated(premise)}
    assert len(labels - {"neutral"}) <= 1
    return next(iter(labels - {"neutral"}), "neutral")
