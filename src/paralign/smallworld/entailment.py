"""What follows from what among statements of the small world: the rules behind its inference pairs.

A clause is its core (verb, tense, nouns) and *details*: adjectives, surnames, owners, relative clauses, counts and a
second person in *A and B*, place, company, manner, frequency and time. Two clauses of one core are taken to speak of
the same people, things and event, as in SNLI. Then, with P the premise and H the hypothesis:

* Both affirmed: H follows if each of its details is one of P's. A detail that excludes P's (another number, another
  color, an antonym) contradicts, the rest being in P. A detail P does not have is neutral.
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

from dataclasses import replace
from functools import lru_cache

from paralign.smallworld import concepts as C
from paralign.smallworld.meaning import Clause, Entity, Meaning, Setting

__all__ = ["AFFIRMED", "LABELS", "ROLES", "details", "excludes", "predicate", "relation", "with_detail"]

LABELS: tuple[str, ...] = ("entailment", "neutral", "contradiction")

ROLES: tuple[str, ...] = ("subject", "object", "recipient", "goal")
"""Participants, by their field in a clause."""
AFFIRMED: tuple[str, ...] = ("manner", "frequency", "subject.conjunct", "object.count")
"""Details that negated clauses do not have."""
_ADVERBIALS = ("place", "company", "manner", "frequency", "time")
_ANTONYMS = frozenset(
    frozenset(pair.split()) for pair in ("old young", "big small", "happy sad", "rich poor", "hot cold")
)
_COLORS = frozenset({"red", "white", "black", "blue", "green", "yellow"})
_DISTRIBUTIVE = frozenset({"see", "hear", "like", "love", "read", "admire", "understand", "touch"})
"""Transitive verbs of which *A and B did it* says that A did it."""


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
    ours, theirs = details(p), details(h)
    extra = {name for name, value in ours.items() if value and not theirs[name]}
    missing = {name for name, value in theirs.items() if value and not ours[name]}
    other = {name for name, value in theirs.items() if value and ours[name] and ours[name] != value}
    before, after = predicate(p), predicate(h)
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
            settled = not missing and "place" not in other and all(excludes(ours[n], theirs[n]) for n in other)
            return "contradiction" if settled else None
        if "frequency" in missing and h.frequency == "sometimes":  # as good as said by the present tense
            return None
        return "neutral" if missing else "entailment"
    if p.negated and h.negated:
        spoken = {name for name in ours if name.startswith("subject.")}
        if not extra | missing | other <= spoken | _scope(p) or other & spoken:
            return None
        return "neutral" if missing & spoken or (extra | other) & _scope(p) else "entailment"
    denied, affirmed = (extra, missing) if p.negated else (missing, extra)
    free = {name for name in ours if name.startswith("subject.")} | _scope(p)
    if other or not denied <= free or not affirmed <= free.union(AFFIRMED):
        return None
    return "neutral" if denied & _scope(p) else "contradiction"


def _scope(clause: Clause) -> set[str]:
    """Details that a negation denies along with the event."""
    vague = clause.object is not None and not clause.object.definite
    return {"place", "company", "object.adjective"} if vague else {"place", "company"}


def excludes(one: object, two: object) -> bool:
    """Whether nothing can be both: two numbers, two colors, antonyms, two towns, *on* and *under* the same."""
    if isinstance(one, Setting) and isinstance(two, Setting):
        towns = {one.ground.concept, two.ground.concept}
        if one.relation == two.relation == "in":
            return len(towns) == 2 and towns <= set(C.CITIES)
        return one.ground == two.ground and {one.relation, two.relation} == {"on", "under"}
    pair = frozenset({one, two})
    return len(pair) == 2 and (pair in _ANTONYMS or pair <= _COLORS or pair <= set(C.NUMBERS))


def predicate(clause: Clause) -> object:
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
        relative = ("relative",) if role in ("subject", "object") else ()
        return ("adjective", "owner", *relative, *together)
    if entity.definite or stative:
        return ()
    return ("adjective", "count", "relative") if role == "object" else ("adjective",)


def _shared(verb: str) -> bool:
    """Whether what two people do with this verb each of them does."""
    if verb == "be":
        return False
    return verb in _DISTRIBUTIVE or C.VERBS[verb].frame in ("intransitive", "motion", "dwelling")


def details(clause: Clause) -> dict[str, object]:
    """Name -> value of all details, ``None`` where the clause has none of the name."""
    found: dict[str, object] = {}
    for role in ROLES:
        for field in _loose(clause, role):
            found[f"{role}.{field}"] = getattr(getattr(clause, role), field)
    for name in _ADVERBIALS:
        if name != "place" or clause.verb not in ("be", "live"):
            found[name] = getattr(clause, name)
    return found


def with_detail(clause: Clause, name: str, value: object) -> Clause:
    """``clause`` with a detail set, or without it for ``None``."""
    role, _, field = name.partition(".")
    if not field:
        return replace(clause, **{name: value})  # type: ignore[arg-type]
    return replace(clause, **{role: replace(getattr(clause, role), **{field: value})})


@lru_cache(maxsize=1024)
def _core(clause: Clause) -> Clause:
    """What two clauses must have in common: no details, no negation, no predicate."""
    for name, value in details(clause).items():
        if value is not None:
            clause = with_detail(clause, name, None)
    clause = replace(clause, negated=False, fronted=False)
    return clause if predicate(clause) is None else replace(clause, adjective=None, place=None)
