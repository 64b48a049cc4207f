"""Sampling of meanings: what people and animals of the small world do."""

from __future__ import annotations

from dataclasses import replace

from paralign.smallworld import concepts as C
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning
from paralign.smallworld.random_stream import RandomStream, WeightedPool

__all__ = ["sample", "sample_adjective", "sample_place", "sample_time"]

_POOL = {name: WeightedPool(words) for name, words in C.POOLS.items()}
_VERB = {
    frame: WeightedPool([verb for verb, entry in C.VERBS.items() if entry.frame in frames])
    for frame, frames in {
        "any": {"intransitive", "transitive", "ditransitive", "motion", "dwelling"},
        "speech": {"speech"},
    }.items()
}
_VERB["what"] = WeightedPool(  # verbs done to things: one may ask "what"
    [
        verb
        for verb, entry in C.VERBS.items()
        if entry.frame == "transitive" and any(not C.ANIMATE.issuperset(C.POOLS[pool]) for _, pool in entry.pairs)
    ]
)
_ADJECTIVES = {
    kind: WeightedPool([name for name, entry in C.ADJECTIVES.items() if kind in entry.kinds])
    for kind in set(C.NOUNS.values())
}
_PREDICATES = {
    kind: WeightedPool([name for name, entry in C.ADJECTIVES.items() if kind in entry.kinds and entry.predicate])
    for kind in set(C.NOUNS.values())
}
_PERSONS, _SURNAMES = WeightedPool(C.PERSONS), WeightedPool(C.SURNAMES)
_CITIES, _COUNTRIES = WeightedPool(C.CITIES), WeightedPool(C.COUNTRIES)
_NUMBERS = WeightedPool(C.NUMBERS)
_TENSES = ("present",) * 9 + ("past",) * 8 + ("future",) * 3
_MOMENTS = {
    tense: WeightedPool([name for name, tenses in C.MOMENTS.items() if tense in tenses])
    for tense in ("present", "past", "future")
}
_FREQUENCIES, _MANNERS = WeightedPool(C.FREQUENCIES), WeightedPool(C.MANNERS)
_DESCRIBED = ("human", "animal", "thing", "reading", "vehicle", "building", "clothing", "dish", "furniture")
_LOCATED = ("thing", "animal", "print", "human", "food", "clothing")


def _name(rng: RandomStream) -> Entity:
    return Entity(rng.pick(_PERSONS), surname=rng.pick(_SURNAMES) if rng.chance(30) else None)


def _noun(
    rng: RandomStream, pool: str, *, subject: bool = False, bare: bool = False, other_than: Entity | None = None
) -> Entity:
    """Return a noun phrase with a noun of ``pool``; with ``bare`` a definite noun, optionally with an adjective."""
    concept = rng.pick(_POOL[pool])
    while other_than is not None and other_than.concept == concept:
        concept = rng.pick(_POOL[pool])
    kind = C.NOUNS[concept]
    adjective = sample_adjective(rng, concept) if rng.chance(18 if bare else 34) else None
    if bare or concept in C.MASS:
        return Entity(concept, adjective=adjective)
    style = rng.bits() % 100
    if style < (8 if subject else 14):
        return Entity(concept, plural=True, definite=False, count=rng.pick(_NUMBERS), adjective=adjective)
    plural = style < 36
    definite = rng.chance(88 if subject else 48)
    owner = None
    owned = concept in C.POOLS["offspring"] if kind == "human" else kind not in ("ground", "landmark", "plant")
    if owned and definite and not plural and rng.chance(14):
        owner = _owner(rng, concept)
    return Entity(concept, plural=plural, definite=definite, adjective=adjective, owner=owner)


def sample_adjective(rng: RandomStream, concept: str, predicate: bool = False) -> str:
    """Return an adjective that suits the noun."""
    pool = (_PREDICATES if predicate else _ADJECTIVES)[C.NOUNS[concept]]
    adjective = rng.pick(pool)
    while concept in C.UNSUITED.get(adjective, ()):
        adjective = rng.pick(pool)
    return adjective


def _owner(rng: RandomStream, owned: str) -> Entity:
    if rng.chance(55):
        return Entity(rng.pick(_PERSONS))
    concept = rng.pick(_POOL["human"])
    return Entity("man" if concept == owned else concept)


def _with_relative(rng: RandomStream, entity: Entity, main: str) -> Entity:
    """Return ``entity`` with a relative clause, if one fits. ``main`` is the verb of the main clause."""
    if entity.owner or entity.is_name or entity.concept in C.PRONOUNS or entity.concept in C.MASS:
        return entity
    tense = rng.choose(_TENSES)
    if entity.concept in C.HUMAN and rng.chance(70):
        clause = _clause(rng, tense=tense, depth=1, subject=Entity("they"))  # placeholder for the gap
        return replace(entity, relative=replace(clause, subject=None))
    verbs = [verb for verb, entry in C.VERBS.items() if verb != main and _can_be_object(entry, entity.concept)]
    if not verbs:
        return entity
    verb = rng.choose(verbs)
    tense = "present" if C.VERBS[verb].stative else tense
    subject = _name(rng) if rng.chance(40) else _noun(rng, "human", bare=True, other_than=entity)
    return replace(entity, relative=Clause(verb, subject=subject, tense=tense))


def _can_be_object(verb: C.Verb, concept: str) -> bool:
    """Return whether the thing can be the object of the verb, with a human subject."""
    if verb.frame != "transitive":
        return False
    return any(subjects == "human" and concept in C.POOLS[objects] for subjects, objects in verb.pairs)


def _subject(rng: RandomStream, pool: str, depth: int, verb: str) -> Entity:
    if pool == "human":
        style = rng.bits() % 100
        if style < 22:
            first = _name(rng)
            return replace(first, conjunct=_noun(rng, "human", bare=True)) if rng.chance(12) else first
        if style < 30:
            return Entity(rng.choose(C.PRONOUNS))
    entity = _noun(rng, pool, subject=True)
    if depth == 0 and rng.chance(13):
        return _with_relative(rng, entity, verb)
    if pool == "human" and entity.definite and not entity.owner and rng.chance(6):
        return replace(entity, conjunct=_noun(rng, pool, bare=True, other_than=entity))
    return entity


def _patient(rng: RandomStream, pool: str, subject: Entity, depth: int, verb: str) -> Entity:
    if pool == "human" and rng.chance(45):
        name = _name(rng)
        if subject.concept != name.concept:
            return name
    entity = _noun(rng, pool, other_than=subject)
    if depth == 0 and subject.relative is None and rng.chance(14):
        return _with_relative(rng, entity, verb)
    return entity


def sample_place(rng: RandomStream, subject: Entity) -> Adjunct:
    """Return where something happens; towns and countries only with human subjects."""
    style = rng.bits() % 100 if _human(subject) else 99
    if style < 28:
        return Adjunct("in", Entity(rng.pick(_CITIES)))
    if style < 36:
        return Adjunct("in", Entity(rng.pick(_COUNTRIES)))
    relation = rng.choose(("in", "in", "in", "in", "near", "near", "behind", "on", "under"))
    return Adjunct(relation, _noun(rng, "shelter" if relation == "under" else relation, bare=True))


def sample_time(rng: RandomStream, tense: str) -> str:
    """Return a time that suits the tense."""
    style = rng.bits() % 100
    if style < 45:
        return rng.pick(_MOMENTS[tense])
    if style < 70:
        return rng.choose(C.WEEKDAYS)
    if style < 84:
        return rng.choose(C.MONTHS)
    return rng.choose(C.DAYPARTS)


def _clause(
    rng: RandomStream,
    *,
    tense: str | None = None,
    depth: int = 0,
    subject: Entity | None = None,
    plain: bool = False,
    verbs: str = "any",
) -> Clause:
    """Return a clause with a verb of action or state.

    Args:
        rng: the random numbers.
        tense: the tense. Default ``None``: random.
        depth: above 0, the clause has no relative clauses and no time.
        subject: the subject, a human. Default ``None``: random.
        plain: leave out negation and adverbs.
        verbs: the set of verbs: ``any``, ``speech`` or ``what`` (verbs with a thing as object).
    """
    tense = tense or rng.choose(_TENSES)
    verb = rng.pick(_VERB[verbs])
    while tense != "present" and C.VERBS[verb].stative:
        verb = rng.pick(_VERB[verbs])
    entry = C.VERBS[verb]
    pairs = [pair for pair in entry.pairs if subject is None or pair[0] == "human"] or list(entry.pairs)
    agents, pool = rng.choose(pairs)
    if subject is None or agents != "human":
        subject = _subject(rng, agents, depth, verb)
    clause = Clause(verb, subject=subject, tense=tense)
    if entry.frame == "transitive":
        clause = replace(clause, object=_patient(rng, pool, subject, depth, verb))
    if entry.frame == "ditransitive":
        thing = _patient(rng, pool, subject, 1, verb)
        person = _name(rng) if rng.chance(35) else _noun(rng, "human", bare=True, other_than=subject)
        clause = replace(clause, object=thing, recipient=person)
    elif entry.frame == "motion":
        goal = Entity(rng.pick(_CITIES)) if rng.chance(30) else _noun(rng, pool, bare=True)
        clause = replace(clause, goal=goal)
    elif entry.frame == "dwelling":
        place = sample_place(rng, subject) if rng.chance(60) else None
        if place is None or place.relation not in ("in", "near"):
            place = Adjunct("in", _noun(rng, pool, bare=True))
        clause = replace(clause, place=place)
    elif entry.frame == "intransitive" and pool:
        clause = replace(clause, place=Adjunct("in", _noun(rng, pool, bare=True)))
    elif not entry.stative and rng.chance(24 if entry.frame == "transitive" else 50):
        clause = replace(clause, place=sample_place(rng, subject))
    if not plain:
        clause = _adverbials(rng, clause, entry, depth)
    if clause.object is not None and clause.object.relative is not None:
        # what follows a relative clause could be read as a part of it
        clause = replace(clause, manner=None, place=None, company=None, fronted=clause.time is not None)
    return clause


def _adverbials(rng: RandomStream, clause: Clause, entry: C.Verb, depth: int) -> Clause:
    """Return the clause with company, negation or an adverb, and a time."""
    subject = clause.subject or Entity("they")
    relation = ""
    if _human(subject) and entry.frame in ("intransitive", "motion"):
        relation = "with"
    elif clause.verb in ("buy", "make", "sing", "open", "find", "repair"):
        relation = "for"
    if relation and rng.chance(22):
        whom = _noun(rng, "human", bare=True, other_than=subject) if rng.chance(60) else _name(rng)
        if whom.concept != subject.concept:
            clause = replace(clause, company=Adjunct(relation, whom))
    if rng.chance(16):
        clause = replace(clause, negated=True)
    elif entry.manner and rng.chance(28):
        clause = replace(clause, manner=rng.pick(_MANNERS))
    elif clause.tense == "present" and not entry.stative and rng.chance(26):
        clause = replace(clause, frequency=rng.pick(_FREQUENCIES))
    if depth == 0 and not entry.stative and rng.chance(30):
        clause = replace(clause, time=sample_time(rng, clause.tense), fronted=rng.chance(30))
        if clause.frequency and clause.time == "now":
            clause = replace(clause, frequency=None)
    return clause


def _human(entity: Entity) -> bool:
    """Return whether it is a person."""
    return entity.concept in C.HUMAN or entity.concept in C.GENDER


def _state(rng: RandomStream, *, place: bool) -> Clause:
    """Return *the house is big* or *the book is on the table*."""
    tense = rng.choose(("present", "present", "past"))
    kind = rng.choose(_LOCATED if place else _DESCRIBED)
    if kind == "human" and rng.chance(40):
        subject = _name(rng)
    else:
        subject = replace(_noun(rng, kind, subject=True), count=None, definite=True)
    if not place:
        adjective = rng.pick(_PREDICATES[kind]) if subject.is_name else sample_adjective(rng, subject.concept, True)
        subject = replace(subject, adjective=None)
        return Clause("be", subject=subject, adjective=adjective, tense=tense, negated=rng.chance(15))
    relation = rng.choose(("in", "near", "behind", "under", "on_top", "on_top"))
    if kind in ("human", "animal") and relation == "on_top":
        relation = "on"
    ground = _noun(rng, relation, bare=True)
    if kind == "human" and rng.chance(50):
        relation, ground = "in", Entity(rng.pick(_CITIES))
    adjunct = Adjunct(relation.removesuffix("_top"), ground)
    return Clause("be", subject=subject, place=adjunct, tense=tense, negated=rng.chance(12))


def _speech(rng: RandomStream) -> Clause:
    """Return *Anna says that ...*: not negated; both clauses are in the past, or neither."""
    verb = rng.pick(_VERB["speech"])
    tense = "present" if C.VERBS[verb].stative or rng.chance(60) else "past"
    inner = tense if tense == "past" else "future" if verb == "hope" else rng.choose(_TENSES)
    subject = _subject(rng, "human", 1, verb)
    pronoun = Entity(_pronoun(subject)) if rng.chance(22) and _pronoun(subject) else None
    complement = replace(_clause(rng, tense=inner, depth=1, subject=pronoun), fronted=False)
    return Clause(verb, subject=subject, tense=tense, complement=complement)


def _pronoun(entity: Entity | None) -> str:
    """Return the pronoun that can refer to ``entity`` in every language, or an empty string."""
    if entity is None:
        return ""
    if entity.is_plural:  # a group of women would be another word in French
        women = _female(entity) and (entity.conjunct is None or _female(entity.conjunct))
        return "they" if _human(entity) and not women else ""
    if _female(entity):
        return "she"
    return "he" if entity.concept in C.MALE or C.GENDER.get(entity.concept) == "m" else ""


def _female(entity: Entity) -> bool:
    return entity.concept in C.FEMALE or C.GENDER.get(entity.concept) == "f"


def _question(rng: RandomStream) -> Clause:
    """Return a question without negation: yes/no, who, what or where."""
    asks = rng.choose(("whether", "whether", "whether", "who", "who", "what", "where", "where"))
    if asks == "where" and rng.chance(45):
        return replace(_state(rng, place=True), place=None, negated=False, asks=asks)
    if asks == "whether" and rng.chance(20):
        return replace(_state(rng, place=rng.chance(50)), negated=False, asks=asks)
    someone = Entity("they") if asks == "who" else None  # placeholder for the answer
    verbs = "what" if asks == "what" else "any"
    clause = _clause(rng, depth=0 if asks == "whether" else 1, subject=someone, verbs=verbs)
    while asks == "who" and not (clause.object or clause.place or clause.goal):
        clause = _clause(rng, depth=1, subject=someone)
    while asks == "where" and (clause.goal or clause.recipient):
        clause = _clause(rng, depth=1)
    clause = replace(clause, asks=asks, negated=False, fronted=False)
    if asks == "who":
        return replace(clause, subject=None)
    if asks == "what":
        return replace(clause, object=None)
    return replace(clause, place=None) if asks == "where" else clause


def sample(seed: int, index: int) -> Meaning:
    """Return meaning ``index`` of the world ``seed``. It does not depend on other meanings."""
    rng = RandomStream(seed, index)
    style = rng.bits() % 100
    if style < 50:
        return Meaning(_clause(rng))
    if style < 58:
        return Meaning(_state(rng, place=rng.chance(50)))
    if style < 74:
        return Meaning(_question(rng))
    if style < 84:
        return Meaning(_speech(rng))
    if style < 90:
        first = _clause(rng, depth=1)
        pronoun = _pronoun(first.subject) if rng.chance(60) else ""
        second = _clause(rng, depth=1, tense=first.tense, subject=Entity(pronoun) if pronoun else None)
        return Meaning(first, "because", second)
    if style < 94:
        main = _clause(rng, depth=1, tense="present")
        return Meaning(main, "when", _clause(rng, depth=1, tense="present", plain=True))
    first = _clause(rng, depth=1)
    second = _clause(rng, depth=1, tense=first.tense)
    return Meaning(first, "but" if first.negated != second.negated else "and", second)
