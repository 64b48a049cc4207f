"""Natural language inference in the small world: a premise, a hypothesis and the relation between them.

The hypothesis is sampled first, then the label, then a premise for which the label is true. So the hypothesis alone
gives no information about its label: not by its words, its length or its negation (the annotation artifacts of
Gururangan et al. 2018, https://aclanthology.org/N18-2017, are absent by construction).

The rules and their limits are in ``entailment_rules.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from paralign.errors import UserError
from paralign.smallworld import concepts as C
from paralign.smallworld.entailment_rules import (
    AFFIRMED,
    LABELS,
    ROLES,
    details,
    excludes,
    predicate,
    relation,
    with_detail,
)
from paralign.smallworld.grammar import Sentence
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning
from paralign.smallworld.random_stream import RandomStream
from paralign.smallworld.sampling import sample, sample_adjective, sample_place, sample_time
from paralign.smallworld.world import get_grammar

__all__ = ["Inference", "realize", "sample_inference"]

_STREAM = 0x4E4C49
"""Makes these clauses independent of the sentences of the world with the same seed."""
_TRIES = 5000
"""Most premises that are tried. Ten are usual; every hypothesis has premises for every label."""
_FALLBACK_AFTER = 60
"""Number of tries after which the sentence type is one that always has a premise."""
_STYLES = ("plain",) * 11 + ("factive",) * 3 + ("coordinated",) * 3 + ("reported",) * 3
"""Types of premise: the clause alone, after *know that*, coordinated with another, after a verb of speech."""
_FLIPS = {"entailment": 8, "neutral": 40, "contradiction": 50}
"""Percentage of premises that are tried with the other polarity."""


@dataclass(frozen=True, slots=True)
class Inference:
    """A premise, a hypothesis, and their label (one of ``entailment_rules.LABELS``)."""

    premise: Meaning
    hypothesis: Meaning
    label: str


def sample_inference(index: int, seed: int = 0) -> Inference:
    """Return pair ``index`` of a world. It is the same for all languages and does not depend on other pairs.

    Labels are uniform and independent of the hypothesis.

    Args:
        index: number of the pair, from 0.
        seed: the world.

    Raises:
        UserError: for a negative index.
    """
    if index < 0:
        raise UserError(f"inference {index} of the small world does not exist", hint="count from 0")
    return _inference(index, seed)


def realize(meaning: Meaning, language: str) -> Sentence:
    """Return the sentence that expresses a meaning in ``language``.

    Raises:
        UserError: for a language without a grammar.
    """
    return get_grammar(language).sentence(meaning)


@lru_cache(maxsize=8192)
def _inference(index: int, seed: int) -> Inference:
    rng = RandomStream(seed ^ _STREAM, index)
    source = _sample_clauses(rng, seed)
    hypothesis = _sample_hypothesis(rng, source)
    label = rng.choose(LABELS)
    style = rng.choose(_STYLES)
    if style == "reported" and label != "neutral":
        style = "plain"
    for attempt in range(_TRIES):
        if attempt == _FALLBACK_AFTER:
            style = {"entailment": "factive", "neutral": "reported", "contradiction": "plain"}[label]
        premise = _vary_premise(rng, hypothesis, label, style, source)
        if premise is not None and relation(premise, Meaning(hypothesis)) == label:
            return Inference(premise, Meaning(hypothesis), label)
    raise AssertionError(f"no premise for {label} of {hypothesis}")


def _sample_clauses(rng: RandomStream, seed: int) -> Iterator[Clause]:
    """Yield plain statements of the world, endlessly."""
    while True:
        meaning = sample(seed ^ _STREAM, rng.bits())
        clause = meaning.clause
        if meaning.second is None and clause.asks is None and clause.complement is None:
            yield replace(clause, fronted=False)


def _sample_hypothesis(rng: RandomStream, source: Iterator[Clause]) -> Clause:
    """Return a statement with some details, negated in about half of the cases where negation is unambiguous."""
    while True:
        clause = next(source)
        if not _is_unambiguous(clause):
            continue
        clause = replace(clause, negated=False)
        if _can_negate(clause) and rng.chance(48):
            clause = _negate(clause)
        for name in details(clause):
            if details(clause)[name] is None and rng.chance(18):
                clause = with_detail(clause, name, _sample_detail(rng, clause, name, source))
        if _can_realize(clause) and _can_contradict(clause):
            return replace(clause, fronted=clause.time is not None and rng.chance(30))


def _vary_premise(
    rng: RandomStream, hypothesis: Clause, label: str, style: str, source: Iterator[Clause]
) -> Meaning | None:
    """Return a random variation of the hypothesis in details, negation and sentence type.

    ``label`` only changes the probabilities; ``relation`` decides whether the label is true.

    Returns:
        the premise; ``None`` if its details do not fit together.
    """
    negated = hypothesis.negated != (_can_negate(hypothesis) and rng.chance(_FLIPS[label]))
    clause = _negate(hypothesis) if negated else replace(hypothesis, negated=False)
    contradict_percent = 40 if label == "contradiction" and negated == hypothesis.negated else 0
    drop_percent = 10 if label == "entailment" and not negated else 25
    for name, value in details(clause).items():
        roll = rng.bits() % 100
        if value is None and roll < 24:
            clause = with_detail(clause, name, _sample_detail(rng, clause, name, source))
        elif value is not None and roll < contradict_percent:
            clause = with_detail(clause, name, _contradicting_value(rng, clause, name, value) or value)
        elif value is not None and roll < contradict_percent + drop_percent:
            clause = with_detail(clause, name, None)
    if predicate(clause) is not None and rng.chance(40):
        clause = _contradict_predicate(rng, clause)
    if not _can_realize(clause):
        return None
    clause = replace(clause, fronted=clause.time is not None and rng.chance(30))
    if style == "plain":
        return Meaning(clause)
    if style == "coordinated":
        return _coordinate(rng, clause, next(source))
    return _report(rng, clause, factive=style == "factive")


def _contradicting_value(rng: RandomStream, clause: Clause, name: str, value: object) -> object:
    """Return a value that excludes the detail ``value``; ``None`` if there is none."""
    role, _, field = name.partition(".")
    if field == "count":
        return rng.choose([number for number in C.NUMBERS if number != value])
    if field == "adjective" and (opposites := _opposites(str(value), getattr(clause, role).concept)):
        return rng.choose(opposites)
    return None


def _opposites(adjective: str, concept: str) -> list[str]:
    """Return the adjectives that suit the noun (or name) and exclude ``adjective``."""
    kind = C.NOUNS.get(concept, "human")
    return [
        other
        for other, entry in C.ADJECTIVES.items()
        if excludes(adjective, other) and kind in entry.kinds and concept not in C.UNSUITED.get(other, ())
    ]


def _contradict_predicate(rng: RandomStream, clause: Clause) -> Clause:
    """Return the clause with a predicate that excludes its own, if there is one."""
    assert clause.subject is not None
    if clause.adjective:
        opposites = _opposites(clause.adjective, clause.subject.concept)
        return replace(clause, adjective=rng.choose(opposites)) if opposites else clause
    assert clause.place is not None
    ground, relation = clause.place.ground, clause.place.relation
    if ground.concept in C.CITIES:
        town = rng.choose([city for city in C.CITIES if city != ground.concept])
        return replace(clause, place=Adjunct("in", Entity(town)))
    swapped = {"on": "under", "under": "on"}.get(relation)
    if clause.verb == "be" and swapped and ground.concept in C.POOLS["under"] and ground.concept != "tree":
        return replace(clause, place=Adjunct(swapped, ground))
    return clause


def _sample_detail(rng: RandomStream, clause: Clause, name: str, source: Iterator[Clause]) -> object:
    """Return a value for a detail that the clause does not have; ``None`` if none fits."""
    entry = C.VERBS.get(clause.verb)
    role, _, field = name.partition(".")
    subject = clause.subject
    assert subject is not None
    human = subject.concept in C.HUMAN or subject.concept in C.GENDER
    lasting = entry is None or entry.stative
    if field:
        entity: Entity = getattr(clause, role)
        samplers: dict[str, Callable[[], object]] = {
            "adjective": lambda: None if clause.adjective else sample_adjective(rng, entity.concept),
            "surname": lambda: rng.choose(C.SURNAMES),
            "count": lambda: None if clause.negated else rng.choose(C.NUMBERS),
            "conjunct": lambda: None if clause.negated or not human else Entity(rng.choose(C.POOLS["human"])),
            "relative": lambda: _relative(entity, clause, next(source)),
        }
        return samplers[field]() if field in samplers else None
    if name == "time":
        return None if lasting else sample_time(rng, clause.tense)
    if name == "manner":
        return rng.choose(C.MANNERS) if entry and entry.manner and not clause.negated else None
    if name == "frequency":
        return rng.choose(C.FREQUENCIES) if clause.tense == "present" and not (lasting or clause.negated) else None
    if name == "place":
        return None if lasting or clause.goal or clause.recipient else sample_place(rng, subject)
    if human and entry is not None and entry.frame in ("intransitive", "motion"):
        return Adjunct("with", Entity(rng.choose(C.PERSONS)))
    return None


def _relative(entity: Entity, clause: Clause, donor: Clause) -> Clause | None:
    """Return a relative clause about a person, built from another statement if that is short enough."""
    if entity.concept not in C.HUMAN or entity.owner or donor.subject is None or donor.verb in ("be", clause.verb):
        return None
    if donor.subject.concept not in C.HUMAN | frozenset(C.GENDER) or _has_relative(donor):
        return None
    return replace(donor, subject=None, negated=False, time=None, company=None)


def _report(rng: RandomStream, clause: Clause, factive: bool) -> Meaning | None:
    """Return *Anna says that ...* or *the doctor knows that ...*."""
    open_verbs = ("say", "think", "believe", "hope" if clause.tense == "future" else "say")
    verb = "know" if factive else rng.choose(open_verbs)
    speaker = Entity(rng.choose(C.PERSONS if rng.chance(50) else C.POOLS["human"]))
    if speaker.concept in _noun_set(clause):
        return None
    tense = "past" if clause.tense == "past" and not C.VERBS[verb].stative and rng.chance(60) else "present"
    return Meaning(Clause(verb, subject=speaker, tense=tense, complement=replace(clause, fronted=False)))


def _coordinate(rng: RandomStream, clause: Clause, other: Clause) -> Meaning | None:
    """Return the clause coordinated with another statement, in either order."""
    is_pronoun = other.subject is not None and other.subject.concept in C.PRONOUNS
    if is_pronoun or other.verb == clause.verb or other.tense != clause.tense or _has_relative(other):
        return None
    if other.time or not _noun_set(clause).isdisjoint(_noun_set(other)):
        return None
    first, second = (clause, other) if rng.chance(50) else (other, clause)
    conjunction = "but" if first.negated != second.negated else "and"
    if not first.negated and rng.chance(40):
        conjunction = "because"
    return Meaning(first, conjunction, replace(second, fronted=False))


def _is_unambiguous(clause: Clause) -> bool:
    """Return whether a statement about this subject has a clear truth value, unlike generic *men sleep*, *a man sleeps*."""
    subject = clause.subject
    if subject is None or subject.definite:
        return True
    return clause.tense != "present" and not (subject.plural and subject.count is None) and clause.verb != "be"


def _can_negate(clause: Clause) -> bool:
    """Return whether ``_negate`` gives the exact opposite: the subject is definite, and no number has to stay."""
    own_details = details(clause)
    if clause.subject is None or not clause.subject.definite:
        return False
    if clause.subject.conjunct is not None and "subject.conjunct" not in own_details:
        return False
    return clause.object is None or clause.object.count is None or "object.count" in own_details


def _can_contradict(clause: Clause) -> bool:
    """Return whether there is a contradiction: the negation, another number or another color."""
    if _can_negate(clause):
        return True
    for name, value in details(clause).items():
        role, _, field = name.partition(".")
        if value and field == "count":
            return True
        if value and field == "adjective" and _opposites(str(value), getattr(clause, role).concept):
            return True
    return False


def _negate(clause: Clause) -> Clause:
    """Return the negation, without the details that it would make ambiguous."""
    own_details = details(clause)
    for name in AFFIRMED:
        if own_details.get(name) is not None:
            clause = with_detail(clause, name, None)
    return replace(clause, negated=True)


def _can_realize(clause: Clause) -> bool:
    """Return whether the details fit together, as in the sentences of the world."""
    people = _nouns(clause)
    if len(people) != len(set(people)):
        return False
    if clause.subject is not None and clause.subject.relative is not None and clause.subject.conjunct is not None:
        return False
    if clause.object is not None and clause.object.relative is not None:
        has_adverbial = clause.place or clause.manner or clause.company
        if has_adverbial or (clause.subject is not None and clause.subject.relative is not None):
            return False
    if clause.negated and (clause.manner or clause.frequency or (clause.object is not None and clause.object.count)):
        return False
    return not (clause.frequency and (clause.manner or clause.time == "now"))


def _nouns(clause: Clause) -> list[str]:
    """Return the nouns and names of the clause."""
    entities = [getattr(clause, role) for role in ROLES]
    entities += [adjunct.ground for adjunct in (clause.place, clause.company) if adjunct is not None]
    nouns: list[str] = []
    while entities:
        entity = entities.pop()
        if entity is None:
            continue
        nouns.append(entity.concept)
        entities += [entity.owner, entity.conjunct]
        if entity.relative is not None:
            nouns += _nouns(entity.relative)
    return nouns


def _noun_set(clause: Clause) -> set[str]:
    """Return the set of nouns and names of the clause."""
    return set(_nouns(clause))


def _has_relative(clause: Clause) -> bool:
    return any(entity is not None and entity.relative is not None for entity in (clause.subject, clause.object))
