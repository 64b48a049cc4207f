"""Natural language inference in the small world: a premise, a hypothesis and what holds between them.

The hypothesis is drawn first, then the label, then a premise of which the label is true: so a hypothesis alone says
nothing about its label, whatever its words, its length or its negation (the artefact of Gururangan et al. 2018,
https://aclanthology.org/N18-2017, is absent by construction).

The rules, and what they leave out, stand in ``entailment.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from paralign.errors import UserError
from paralign.smallworld import concepts as C
from paralign.smallworld.draw import Draw
from paralign.smallworld.entailment import AFFIRMED, LABELS, ROLES, details, excludes, predicate, relation, with_detail
from paralign.smallworld.meaning import Clause, Entity, Meaning, Setting
from paralign.smallworld.realize import Sentence
from paralign.smallworld.sampling import _adjective, _place, _time, sample
from paralign.smallworld.world import grammar

__all__ = ["Inference", "inference", "say"]

_STREAM = 0x4E4C49
"""Keeps these clauses apart from the sentences of the world of the same seed."""
_TRIES = 5000
"""Premises tried before giving up: ten are usual, and every hypothesis has some for every label."""
_PATIENCE = 60
"""After that many the sentence around the clause is one that always does."""
_STYLES = ("plain",) * 11 + ("known",) * 3 + ("joined",) * 3 + ("said",) * 3
"""Sentences around the clause of the premise that matters."""
_FLIPS = {"entailment": 8, "neutral": 40, "contradiction": 50}
"""Percentage of premises tried with the other polarity."""


@dataclass(frozen=True, slots=True)
class Inference:
    """Two meanings and the label of the pair, one of ``LABELS``."""

    premise: Meaning
    hypothesis: Meaning
    label: str


def inference(index: int, seed: int = 0) -> Inference:
    """The pair number ``index`` of the world ``seed``: the same for all languages, and needs no other.

    Labels are equally likely and independent of the hypothesis.

    Raises:
        UserError: for a negative index.
    """
    if index < 0:
        raise UserError(f"inference {index} of the small world does not exist", hint="count from 0")
    return _inference(index, seed)


def say(meaning: Meaning, language: str) -> Sentence:
    """A meaning in ``language``.

    Raises:
        UserError: for a language the small world does not speak.
    """
    return grammar(language).sentence(meaning)


@lru_cache(maxsize=8192)
def _inference(index: int, seed: int) -> Inference:
    draw = Draw(seed ^ _STREAM, index)
    source = _clauses(draw, seed)
    hypothesis = _hypothesis(draw, source)
    label = draw.choose(LABELS)
    style = draw.choose(_STYLES)
    if style == "said" and label != "neutral":
        style = "plain"
    for attempt in range(_TRIES):
        if attempt == _PATIENCE:
            style = {"entailment": "known", "neutral": "said", "contradiction": "plain"}[label]
        premise = _premise(draw, hypothesis, label, style, source)
        if premise is not None and relation(premise, Meaning(hypothesis)) == label:
            return Inference(premise, Meaning(hypothesis), label)
    raise AssertionError(f"no premise for {label} of {hypothesis}")


def _clauses(draw: Draw, seed: int) -> Iterator[Clause]:
    """Plain statements of the world's grammar, without end."""
    while True:
        meaning = sample(seed ^ _STREAM, draw.bits())
        clause = meaning.clause
        if meaning.second is None and clause.asks is None and clause.complement is None:
            yield replace(clause, fronted=False)


def _hypothesis(draw: Draw, source: Iterator[Clause]) -> Clause:
    """A statement with a detail or two, negated in about half of the cases where that is clear."""
    while True:
        clause = next(source)
        if not _clear(clause):
            continue
        clause = replace(clause, negated=False)
        if _deniable(clause) and draw.chance(48):
            clause = _denied(clause)
        for name in details(clause):
            if details(clause)[name] is None and draw.chance(18):
                clause = with_detail(clause, name, _drawn(draw, clause, name, source))
        if _sayable(clause) and _contestable(clause):
            return replace(clause, fronted=clause.time is not None and draw.chance(30))


def _premise(draw: Draw, hypothesis: Clause, label: str, style: str, source: Iterator[Clause]) -> Meaning | None:
    """``hypothesis`` changed at random: details, negation, and sentences around it; ``None`` if it cannot be said.

    ``label`` shifts the odds; it is for ``relation`` to say whether the label holds.
    """
    negated = hypothesis.negated != (_deniable(hypothesis) and draw.chance(_FLIPS[label]))
    clause = _denied(hypothesis) if negated else replace(hypothesis, negated=False)
    rivals = 40 if label == "contradiction" and negated == hypothesis.negated else 0
    drops = 10 if label == "entailment" and not negated else 25
    for name, value in details(clause).items():
        fate = draw.bits() % 100
        if value is None and fate < 24:
            clause = with_detail(clause, name, _drawn(draw, clause, name, source))
        elif value is not None and fate < rivals:
            clause = with_detail(clause, name, _rival(draw, clause, name, value) or value)
        elif value is not None and fate < rivals + drops:
            clause = with_detail(clause, name, None)
    if predicate(clause) is not None and draw.chance(40):
        clause = _repredicated(draw, clause)
    if not _sayable(clause):
        return None
    clause = replace(clause, fronted=clause.time is not None and draw.chance(30))
    if style == "plain":
        return Meaning(clause)
    return _joined(draw, clause, next(source)) if style == "joined" else _reported(draw, clause, style == "known")


def _rival(draw: Draw, clause: Clause, name: str, value: object) -> object:
    """Something that excludes the detail ``value``."""
    role, _, field = name.partition(".")
    if field == "count":
        return draw.choose([number for number in C.NUMBERS if number != value])
    if field == "adjective" and (found := _opposites(str(value), getattr(clause, role).concept)):
        return draw.choose(found)
    return None


def _opposites(adjective: str, concept: str) -> list[str]:
    """Adjectives that suit the noun (or name) and exclude ``adjective``."""
    kind = C.NOUNS.get(concept, "human")
    return [
        other
        for other, entry in C.ADJECTIVES.items()
        if excludes(adjective, other) and kind in entry.kinds and concept not in C.UNSUITED.get(other, ())
    ]


def _repredicated(draw: Draw, clause: Clause) -> Clause:
    """The clause with a predicate that excludes its own, if there is one."""
    assert clause.subject is not None
    if clause.adjective:
        found = _opposites(clause.adjective, clause.subject.concept)
        return replace(clause, adjective=draw.choose(found)) if found else clause
    assert clause.place is not None
    ground, relation = clause.place.ground, clause.place.relation
    if ground.concept in C.CITIES:
        town = draw.choose([city for city in C.CITIES if city != ground.concept])
        return replace(clause, place=Setting("in", Entity(town)))
    swapped = {"on": "under", "under": "on"}.get(relation)
    if clause.verb == "be" and swapped and ground.concept in C.POOLS["under"] and ground.concept != "tree":
        return replace(clause, place=Setting(swapped, ground))
    return clause


def _drawn(draw: Draw, clause: Clause, name: str, source: Iterator[Clause]) -> object:
    """A new value for a detail the clause does not have, or ``None`` where none makes sense."""
    entry = C.VERBS.get(clause.verb)
    role, _, field = name.partition(".")
    subject = clause.subject
    assert subject is not None
    human = subject.concept in C.HUMAN or subject.concept in C.GENDER
    lasting = entry is None or entry.stative
    if field:
        entity: Entity = getattr(clause, role)
        made: dict[str, Callable[[], object]] = {
            "adjective": lambda: None if clause.adjective else _adjective(draw, entity.concept),
            "surname": lambda: draw.choose(C.SURNAMES),
            "count": lambda: None if clause.negated else draw.choose(C.NUMBERS),
            "conjunct": lambda: None if clause.negated or not human else Entity(draw.choose(C.POOLS["human"])),
            "relative": lambda: _relative(entity, clause, next(source)),
        }
        return made[field]() if field in made else None
    if name == "time":
        return None if lasting else _time(draw, clause.tense)
    if name == "manner":
        return draw.choose(C.MANNERS) if entry and entry.manner and not clause.negated else None
    if name == "frequency":
        return draw.choose(C.FREQUENCIES) if clause.tense == "present" and not (lasting or clause.negated) else None
    if name == "place":
        return None if lasting or clause.goal or clause.recipient else _place(draw, subject)
    if human and entry is not None and entry.frame in ("intransitive", "motion"):
        return Setting("with", Entity(draw.choose(C.PERSONS)))
    return None


def _relative(entity: Entity, clause: Clause, donor: Clause) -> Clause | None:
    """A relative clause about a person, made of another statement where that is short and affirmative."""
    if entity.concept not in C.HUMAN or entity.owner or donor.subject is None or donor.verb in ("be", clause.verb):
        return None
    if donor.subject.concept not in C.HUMAN | frozenset(C.GENDER) or _has_relative(donor):
        return None
    return replace(donor, subject=None, negated=False, time=None, company=None)


def _reported(draw: Draw, clause: Clause, known: bool) -> Meaning | None:
    """*Anna says that ...*, *the doctor knows that ...*."""
    open_verbs = ("say", "think", "believe", "hope" if clause.tense == "future" else "say")
    verb = "know" if known else draw.choose(open_verbs)
    speaker = Entity(draw.choose(C.PERSONS if draw.chance(50) else C.POOLS["human"]))
    if speaker.concept in _people(clause):
        return None
    tense = "past" if clause.tense == "past" and not C.VERBS[verb].stative and draw.chance(60) else "present"
    return Meaning(Clause(verb, subject=speaker, tense=tense, complement=replace(clause, fronted=False)))


def _joined(draw: Draw, clause: Clause, other: Clause) -> Meaning | None:
    """The clause and another statement, which comes first or second."""
    alien = other.subject is not None and other.subject.concept in C.PRONOUNS
    if alien or other.verb == clause.verb or other.tense != clause.tense or _has_relative(other):
        return None
    if other.time or not _people(clause).isdisjoint(_people(other)):
        return None
    first, second = (clause, other) if draw.chance(50) else (other, clause)
    conjunction = "but" if first.negated != second.negated else "and"
    if not first.negated and draw.chance(40):
        conjunction = "because"
    return Meaning(first, conjunction, replace(second, fronted=False))


def _clear(clause: Clause) -> bool:
    """Whether a statement about this subject can be judged: no generic *men sleep*, *a man sleeps*."""
    subject = clause.subject
    if subject is None or subject.definite:
        return True
    return clause.tense != "present" and not (subject.plural and subject.count is None) and clause.verb != "be"


def _deniable(clause: Clause) -> bool:
    """Whether ``_denied`` gives the plain opposite: the subject is a definite one, nothing counted must stay."""
    ours = details(clause)
    if clause.subject is None or not clause.subject.definite:
        return False
    if clause.subject.conjunct is not None and "subject.conjunct" not in ours:
        return False
    return clause.object is None or clause.object.count is None or "object.count" in ours


def _contestable(clause: Clause) -> bool:
    """Whether something contradicts it: its negation, or another number or color."""
    if _deniable(clause):
        return True
    for name, value in details(clause).items():
        role, _, field = name.partition(".")
        if value and field == "count":
            return True
        if value and field == "adjective" and _opposites(str(value), getattr(clause, role).concept):
            return True
    return False


def _denied(clause: Clause) -> Clause:
    """The negation, without the details it would leave unclear."""
    ours = details(clause)
    for name in AFFIRMED:
        if ours.get(name) is not None:
            clause = with_detail(clause, name, None)
    return replace(clause, negated=True)


def _sayable(clause: Clause) -> bool:
    """Whether the details go together, as in the sentences of the world."""
    people = _named(clause)
    if len(people) != len(set(people)):
        return False
    if clause.subject is not None and clause.subject.relative is not None and clause.subject.conjunct is not None:
        return False
    if clause.object is not None and clause.object.relative is not None:
        crowded = clause.place or clause.manner or clause.company
        if crowded or (clause.subject is not None and clause.subject.relative is not None):
            return False
    if clause.negated and (clause.manner or clause.frequency or (clause.object is not None and clause.object.count)):
        return False
    return not (clause.frequency and (clause.manner or clause.time == "now"))


def _named(clause: Clause) -> list[str]:
    """The nouns and names of the clause."""
    entities = [getattr(clause, role) for role in ROLES]
    entities += [setting.ground for setting in (clause.place, clause.company) if setting is not None]
    found: list[str] = []
    while entities:
        entity = entities.pop()
        if entity is None:
            continue
        found.append(entity.concept)
        entities += [entity.owner, entity.conjunct]
        if entity.relative is not None:
            found += _named(entity.relative)
    return found


def _people(clause: Clause) -> set[str]:
    """Who and what appears in the clause."""
    return set(_named(clause))


def _has_relative(clause: Clause) -> bool:
    return any(entity is not None and entity.relative is not None for entity in (clause.subject, clause.object))
