"""Natural language inference in the small world: a premise, a hypothesis and what holds between them.

The hypothesis is drawn first, then the label, then a premise of which the label is true: so a hypothesis alone says
nothing about its label, whatever its words, its length or its negation (the artefact of Gururangan et al. 2018,
https://aclanthology.org/N18-2017, is absent by construction).

A clause is its core (verb, tense, nouns) and *details*: adjectives, surnames, owners, relative clauses, counts and a
second person in *A and B*, place, company, manner, frequency and time. Two clauses of one core are taken to speak of
the same people, things and event, as in SNLI. Then, with P the premise and H the hypothesis:

* Both affirmed: H follows if each of its details is one of P's. A detail that excludes P's (another number, another
  colour, an antonym) contradicts, the rest being in P. A detail P does not have is neutral.
* Both negated: the subject is spoken of, so its details behave as above; the object's adjective (of *a book*, not of
  *the book*), place and company are denied together with the event: *did not buy a book* entails *did not buy a red
  book in Rome*, and not the other way round.
* One negated: they contradict if what is denied follows from what is affirmed; *Anna did not buy a red book* leaves
  open whether *Anna bought a book*.
* What *to be* says of its subject and where one lives exclude each other between antonyms, between *on* and *under*
  and between two towns: *is small* contradicts *is big* and entails *is not big*.
* *A and B*, *A but B* and *A because B* state both; *know that* states what is known; *say, think, believe that* and
  *hope that* leave it open, so all that could follow from or contradict it is neutral.

Left out because people disagree: details of definite plurals (*the old men sleep*: do the men?), of what one likes in
general, of definite objects under negation; negated statements about *a man* or *three men*; *A and B* under negation
or doing one thing together (*made a table*); *not* before *because*; a time that only one side of a negation names;
other nouns, times or places of an event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from paralign.errors import UserError
from paralign.smallworld import concepts as C
from paralign.smallworld.draw import Draw
from paralign.smallworld.meaning import Clause, Entity, Meaning, Setting
from paralign.smallworld.sampling import _adjective, _place, _time, sample

__all__ = ["LABELS", "Inference", "inference", "relation"]

LABELS: tuple[str, ...] = ("entailment", "neutral", "contradiction")

_STREAM = 0x4E4C49
"""Keeps these clauses apart from the sentences of the world of the same seed."""
_TRIES = 5000
"""Premises tried before giving up: twenty are usual, and every hypothesis has some for every label."""
_ANTONYMS = frozenset(
    frozenset(pair.split()) for pair in ("old young", "big small", "happy sad", "rich poor", "hot cold")
)
_COLOURS = frozenset({"red", "white", "black", "blue", "green", "yellow"})
_DISTRIBUTIVE = frozenset({"see", "hear", "like", "love", "read", "admire", "understand", "touch"})
"""Transitive verbs of which *A and B did it* says that A did it."""
_ROLES = ("subject", "object", "recipient", "goal")
_ADVERBIALS = ("place", "company", "manner", "frequency", "time")
_DENIED = frozenset({"object.adjective", "place", "company"})
"""Details that a negation denies along with the event."""
_AFFIRMED = ("manner", "frequency", "subject.conjunct", "object.count")
"""Details that negated clauses do not have."""


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
        raise UserError(f"inference {index} of the small world does not exist", mend="count from 0")
    draw = Draw(seed ^ _STREAM, index)
    source = _clauses(draw, seed)
    hypothesis = _hypothesis(draw, source)
    label = draw.choose(LABELS)
    for _ in range(_TRIES):
        premise = _premise(draw, hypothesis, source)
        if premise is not None and relation(premise, Meaning(hypothesis)) == label:
            return Inference(premise, Meaning(hypothesis), label)
    raise AssertionError(f"no premise for {label} of {hypothesis}")


def relation(premise: Meaning, hypothesis: Meaning) -> str | None:
    """The label of a pair by the rules above; ``None`` where they do not decide or both say the same.

    ``hypothesis`` is a single clause; clauses of different verbs are taken to be about different events.
    """
    if premise.clause.complement is not None:
        inner = _between(premise.clause.complement, hypothesis.clause)
        if premise.clause.verb == "know" or inner is None:
            return inner or None
        return "neutral"
    labels = {
        _between(clause, hypothesis.clause) if clause.verb == hypothesis.clause.verb else "neutral"
        for clause in (premise.clause, premise.second)
        if clause is not None
    }
    if None in labels or (premise.second is None and labels == {"entailment"} and _same(premise, hypothesis)):
        return None
    return next((label for label in ("entailment", "contradiction") if label in labels), "neutral")


def _same(premise: Meaning, hypothesis: Meaning) -> bool:
    return replace(premise.clause, fronted=False) == replace(hypothesis.clause, fronted=False)


def _between(p: Clause, h: Clause) -> str | None:
    """The label of two clauses of one core."""
    if _core(p) != _core(h):
        return None
    ours, theirs = _details(p), _details(h)
    extra = {name for name, value in ours.items() if value and not theirs[name]}
    missing = {name for name, value in theirs.items() if value and not ours[name]}
    other = {name for name, value in theirs.items() if value and ours[name] and ours[name] != value}
    before, after = _predicate(p), _predicate(h)
    if before != after:
        if not excludes(before, after) or other or missing:
            return None
        if p.negated:
            return None if extra else "neutral"
        if not h.negated:
            return "contradiction"
        return "entailment" if "time" not in extra else None
    if not p.negated and not h.negated:
        if other:
            settled = not missing and all(excludes(ours[name], theirs[name]) for name in other)
            return "contradiction" if settled else None
        return "neutral" if missing else "entailment"
    fixed = {name for name in ours if not name.startswith("subject.") and name not in _DENIED}
    if p.negated and h.negated:
        if (extra | missing | other) & fixed or {name for name in other if name not in _DENIED}:
            return None
        lost = {name for name in missing if name not in _DENIED}
        return "neutral" if lost or (extra | other) & _DENIED else "entailment"
    spare = {"manner", "frequency", "object.count", "subject.conjunct"}
    denies, affirms = (extra, missing) if p.negated else (missing, extra)
    if other or (denies | affirms) & (fixed - spare) or denies & spare:
        return None
    return "neutral" if denies & _DENIED else "contradiction"


def excludes(one: object, two: object) -> bool:
    """Whether nothing can be both: two numbers, two colours, antonyms, two towns, *on* and *under* the same."""
    if isinstance(one, Setting) and isinstance(two, Setting):
        towns = {one.ground.concept, two.ground.concept}
        if one.relation == two.relation == "in":
            return len(towns) == 2 and towns <= set(C.CITIES)
        return one.ground == two.ground and {one.relation, two.relation} == {"on", "under"}
    pair = frozenset({one, two})
    return len(pair) == 2 and (pair in _ANTONYMS or pair <= _COLOURS or pair <= set(C.NUMBERS))


def _predicate(clause: Clause) -> object:
    """What is said with *to be*, or where somebody lives."""
    if clause.verb == "be":
        return clause.adjective or clause.place
    return clause.place if clause.verb == "live" else None


def _loose(clause: Clause, role: str) -> tuple[str, ...]:
    """The fields of a participant that are details: may be left out of a true statement."""
    entity: Entity | None = getattr(clause, role)
    if entity is None or entity.concept in C.PRONOUNS:
        return ()
    stative = clause.verb in C.VERBS and C.VERBS[clause.verb].stative
    together = () if role != "subject" or not _shared(clause.verb) else ("conjunct",)
    if entity.is_name:
        return ("surname", *together) if entity.concept in C.GENDER else ()
    if not entity.plural:
        if not entity.definite:
            return ("adjective",)
        return ("adjective", "owner", "relative", *together)
    if entity.definite or stative:
        return ()
    return ("adjective", "count", "relative") if role == "object" else ("adjective",)


def _shared(verb: str) -> bool:
    """Whether what two people do with this verb each of them does."""
    if verb == "be":
        return False
    return verb in _DISTRIBUTIVE or C.VERBS[verb].frame in ("intransitive", "motion", "dwelling")


def _details(clause: Clause) -> dict[str, object]:
    """Name -> value of all details, ``None`` where the clause has none of the name."""
    details: dict[str, object] = {}
    for role in _ROLES:
        for field in _loose(clause, role):
            details[f"{role}.{field}"] = getattr(getattr(clause, role), field)
    for name in _ADVERBIALS:
        if name != "place" or clause.verb not in ("be", "live"):
            details[name] = getattr(clause, name)
    return details


def _with(clause: Clause, name: str, value: object) -> Clause:
    """``clause`` with a detail set, or without it for ``None``."""
    role, _, field = name.partition(".")
    if not field:
        return replace(clause, **{name: value})  # type: ignore[arg-type]
    return replace(clause, **{role: replace(getattr(clause, role), **{field: value})})


def _core(clause: Clause) -> Clause:
    """What two clauses must have in common: no details, no negation, no predicate."""
    for name, value in _details(clause).items():
        if value is not None:
            clause = _with(clause, name, None)
    clause = replace(clause, negated=False, fronted=False)
    return clause if _predicate(clause) is None else replace(clause, adjective=None, place=None)


# -- drawing


def _clauses(draw: Draw, seed: int) -> Iterator[Clause]:
    """Plain statements of the world's grammar, without end."""
    while True:
        meaning = sample(seed ^ _STREAM, draw.bits())
        clause = meaning.clause
        if meaning.second is None and clause.asks is None and clause.complement is None:
            yield replace(clause, fronted=False)


def _hypothesis(draw: Draw, source: Iterator[Clause]) -> Clause:
    """A statement with a detail or two, negated in two of five cases where that is clear."""
    while True:
        clause = next(source)
        if not _clear(clause):
            continue
        clause = replace(clause, negated=False)
        if _deniable(clause) and draw.chance(48):
            clause = _denied(clause)
        for name in _details(clause):
            if _details(clause)[name] is None and draw.chance(18):
                clause = _with(clause, name, _drawn(draw, clause, name, source))
        if _sayable(clause) and _contestable(clause):
            return replace(clause, fronted=clause.time is not None and draw.chance(30))


def _premise(draw: Draw, hypothesis: Clause, source: Iterator[Clause]) -> Meaning | None:
    """``hypothesis`` changed at random: details, negation, and sentences around it; ``None`` if it cannot be said."""
    clause = replace(hypothesis, negated=False)
    if hypothesis.negated != (_deniable(hypothesis) and draw.chance(50)):
        clause = _denied(clause)
    for name, value in _details(clause).items():
        fate = draw.bits() % 100
        if value is None and fate < 24:
            clause = _with(clause, name, _drawn(draw, clause, name, source))
        elif value is not None and fate < 24:
            clause = _with(clause, name, None)
        elif value is not None and fate < 54:
            clause = _with(clause, name, _rival(draw, clause, name, value) or value)
    if _predicate(clause) is not None and draw.chance(40):
        clause = _repredicated(draw, clause)
    if not _sayable(clause):
        return None
    clause = replace(clause, fronted=clause.time is not None and draw.chance(30))
    style = draw.bits() % 100
    if style < 64:
        return Meaning(clause)
    return _reported(draw, clause) if style < 84 else _joined(draw, clause, next(source))


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


def _reported(draw: Draw, clause: Clause) -> Meaning | None:
    """*Anna says that ...*, *the doctor knows that ...*."""
    verb = draw.choose(("know", "know", "say", "think", "believe", "hope" if clause.tense == "future" else "say"))
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


# -- what is clear enough


def _clear(clause: Clause) -> bool:
    """Whether a statement about this subject can be judged: no generic *men sleep*, *a man sleeps*."""
    subject = clause.subject
    if subject is None or subject.definite:
        return True
    return clause.tense != "present" and not (subject.plural and subject.count is None) and clause.verb != "be"


def _deniable(clause: Clause) -> bool:
    """Whether ``_denied`` gives the plain opposite: the subject is a definite one, nothing counted must stay."""
    details = _details(clause)
    if clause.subject is None or not clause.subject.definite:
        return False
    if clause.subject.conjunct is not None and "subject.conjunct" not in details:
        return False
    return clause.object is None or clause.object.count is None or "object.count" in details


def _contestable(clause: Clause) -> bool:
    """Whether something contradicts it: its negation, or another number or colour."""
    if _deniable(clause):
        return True
    for name, value in _details(clause).items():
        role, _, field = name.partition(".")
        if value and field == "count":
            return True
        if value and field == "adjective" and _opposites(str(value), getattr(clause, role).concept):
            return True
    return False


def _denied(clause: Clause) -> Clause:
    """The negation, without the details it would leave unclear."""
    details = _details(clause)
    for name in _AFFIRMED:
        if details.get(name) is not None:
            clause = _with(clause, name, None)
    return replace(clause, negated=True)


def _sayable(clause: Clause) -> bool:
    """Whether the details go together, as in the sentences of the world."""
    people = _named(clause)
    if len(people) != len(set(people)):
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
    entities = [getattr(clause, role) for role in _ROLES]
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
