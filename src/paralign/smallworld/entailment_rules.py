"""Entailment between statements of the small world: the rules behind its inference pairs.

A clause has a core (verb, tense, nouns) and *details*: adjectives, surnames, owners, relative clauses, numbers, a second
person in *A and B*, place, company, manner, frequency and time. Two clauses with the same core are taken to be about
the same people, things and event, as in SNLI. With P the premise and H the hypothesis:

* Both affirmative: H is entailed if P has each of its details. H is a contradiction if P has a detail that excludes one
  of H's (another number, another color, an antonym) and all the others. A detail that P does not have makes H neutral.
* Both negated: the details of the subject behave as above. The adjective of an indefinite object, place and company are
  in the scope of the negation: *did not buy a book* entails *did not buy a red book in Rome*, not the reverse.
* One negated: a contradiction if the affirmative clause entails the clause under the negation. *Anna did not buy a red
  book* is neutral to *Anna bought a book*.
* Predicates of *to be* and the place of *to live* exclude each other if they are antonyms, *on* and *under*, or two
  towns: *is small* contradicts *is big* and entails *is not big*.
* *A and B*, *A but B* and *A because B* assert both. *Know that* asserts its complement. *Say, think, believe, hope
  that* do not, so what the complement would entail or contradict is neutral.

Pairs on which people disagree are left out: details of definite plurals (*the old men sleep*: do the men?), of objects
of liking in general, of definite objects under negation; negated statements about *a man* or *three men*; *A and B*
under negation or doing one thing together (*made a table*); *not* before *because*; a time that only one side of a
negation names; other nouns, times or places of an event.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from paralign.smallworld import concepts as C
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning

__all__ = ["AFFIRMED", "LABELS", "ROLES", "details", "excludes", "predicate", "relation", "with_detail"]

LABELS: tuple[str, ...] = ("entailment", "neutral", "contradiction")

ROLES: tuple[str, ...] = ("subject", "object", "recipient", "goal")
"""Fields of a clause that are participants."""
AFFIRMED: tuple[str, ...] = ("manner", "frequency", "subject.conjunct", "object.count")
"""Details that only affirmative clauses have."""
_ADVERBIALS = ("place", "company", "manner", "frequency", "time")
_ANTONYMS = frozenset(
    frozenset(pair.split()) for pair in ("old young", "big small", "happy sad", "rich poor", "hot cold")
)
_COLORS = frozenset({"red", "white", "black", "blue", "green", "yellow"})
_DISTRIBUTIVE = frozenset({"see", "hear", "like", "love", "read", "admire", "understand", "touch"})
"""Transitive verbs for which *A and B did it* entails that A did it."""


def relation(premise: Meaning, hypothesis: Meaning) -> str | None:
    """Return the label of a pair by the rules above.

    Args:
        premise: the premise.
        hypothesis: the hypothesis, a single clause. Clauses with different verbs are about different events.

    Returns:
        one of ``LABELS``; ``None`` if the rules do not decide, or if both meanings are the same.
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
    """Return the label of two clauses with the same core, ``None`` for other clauses or where the rules do not decide."""
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
        if "frequency" in missing and h.frequency == "sometimes":  # the present tense nearly entails it
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
    """Return the details in the scope of a negation."""
    vague = clause.object is not None and not clause.object.definite
    return {"place", "company", "object.adjective"} if vague else {"place", "company"}


def excludes(one: object, two: object) -> bool:
    """Return whether two values exclude each other: numbers, colors, antonyms, towns, *on* and *under* the same thing."""
    if isinstance(one, Adjunct) and isinstance(two, Adjunct):
        towns = {one.ground.concept, two.ground.concept}
        if one.relation == two.relation == "in":
            return len(towns) == 2 and towns <= set(C.CITIES)
        return one.ground == two.ground and {one.relation, two.relation} == {"on", "under"}
    pair = frozenset({one, two})
    return len(pair) == 2 and (pair in _ANTONYMS or pair <= _COLORS or pair <= set(C.NUMBERS))


def predicate(clause: Clause) -> object:
    """Return the predicate of *to be*, or the place of *to live*; ``None`` for other verbs."""
    if clause.verb == "be":
        return clause.adjective or clause.place
    return clause.place if clause.verb == "live" else None


def _loose(clause: Clause, role: str) -> tuple[str, ...]:
    """Return the fields of a participant that are details: a true statement stays true without them."""
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
    """Return whether what two people do with this verb is done by each of them."""
    if verb == "be":
        return False
    return verb in _DISTRIBUTIVE or C.VERBS[verb].frame in ("intransitive", "motion", "dwelling")


def details(clause: Clause) -> dict[str, object]:
    """Return all details a clause can have, by name; the value is ``None`` for those it does not have."""
    found: dict[str, object] = {}
    for role in ROLES:
        for field in _loose(clause, role):
            found[f"{role}.{field}"] = getattr(getattr(clause, role), field)
    for name in _ADVERBIALS:
        if name != "place" or clause.verb not in ("be", "live"):
            found[name] = getattr(clause, name)
    return found


def with_detail(clause: Clause, name: str, value: object) -> Clause:
    """Return ``clause`` with a detail set, or removed if ``value`` is ``None``."""
    role, _, field = name.partition(".")
    if not field:
        return replace(clause, **{name: value})  # type: ignore[arg-type]
    return replace(clause, **{role: replace(getattr(clause, role), **{field: value})})


@lru_cache(maxsize=1024)
def _core(clause: Clause) -> Clause:
    """Return the clause without details, negation and predicate: what two clauses must have in common."""
    for name, value in details(clause).items():
        if value is not None:
            clause = with_detail(clause, name, None)
    clause = replace(clause, negated=False, fronted=False)
    return clause if predicate(clause) is None else replace(clause, adjective=None, place=None)
