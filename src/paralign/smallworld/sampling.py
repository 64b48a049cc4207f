"""The grammar that samples meanings: what people and animals of the small world do."""

from __future__ import annotations

from dataclasses import replace

from paralign.smallworld import concepts as C
from paralign.smallworld.draw import Draw, Pool
from paralign.smallworld.meaning import Clause, Entity, Meaning, Setting

__all__ = ["sample"]

_POOL = {name: Pool(words) for name, words in C.POOLS.items()}
_VERB = {
    frame: Pool([verb for verb, entry in C.VERBS.items() if entry.frame in frames])
    for frame, frames in {
        "any": {"intransitive", "transitive", "ditransitive", "motion", "dwelling"},
        "speech": {"speech"},
    }.items()
}
_VERB["what"] = Pool(  # verbs done to things: one may ask "what"
    [
        verb
        for verb, entry in C.VERBS.items()
        if entry.frame == "transitive" and any(not C.ANIMATE.issuperset(C.POOLS[pool]) for _, pool in entry.pairs)
    ]
)
_ADJECTIVES = {
    kind: Pool([name for name, entry in C.ADJECTIVES.items() if kind in entry.kinds]) for kind in set(C.NOUNS.values())
}
_PREDICATES = {
    kind: Pool([name for name, entry in C.ADJECTIVES.items() if kind in entry.kinds and entry.predicate])
    for kind in set(C.NOUNS.values())
}
_PERSONS, _SURNAMES = Pool(C.PERSONS), Pool(C.SURNAMES)
_CITIES, _COUNTRIES = Pool(C.CITIES), Pool(C.COUNTRIES)
_NUMBERS = Pool(C.NUMBERS)
_TENSES = ("present",) * 9 + ("past",) * 8 + ("future",) * 3
_MOMENTS = {
    tense: Pool([name for name, tenses in C.MOMENTS.items() if tense in tenses])
    for tense in ("present", "past", "future")
}
_FREQUENCIES, _MANNERS = Pool(C.FREQUENCIES), Pool(C.MANNERS)
_DESCRIBED = ("human", "animal", "thing", "reading", "vehicle", "building", "clothing", "dish", "furniture")
_LOCATED = ("thing", "animal", "print", "human", "food", "clothing")


def _name(draw: Draw) -> Entity:
    return Entity(draw.pick(_PERSONS), surname=draw.pick(_SURNAMES) if draw.chance(30) else None)


def _noun(
    draw: Draw, pool: str, *, subject: bool = False, bare: bool = False, other_than: Entity | None = None
) -> Entity:
    """A noun phrase with a noun of ``pool``; ``bare`` gives just a definite noun, perhaps with an adjective."""
    concept = draw.pick(_POOL[pool])
    while other_than is not None and other_than.concept == concept:
        concept = draw.pick(_POOL[pool])
    kind = C.NOUNS[concept]
    adjective = _adjective(draw, concept) if draw.chance(18 if bare else 34) else None
    if bare or concept in C.MASS:
        return Entity(concept, adjective=adjective)
    style = draw.bits() % 100
    if style < (8 if subject else 14):
        return Entity(concept, plural=True, definite=False, count=draw.pick(_NUMBERS), adjective=adjective)
    plural = style < 36
    definite = draw.chance(88 if subject else 48)
    owner = None
    owned = concept in C.POOLS["offspring"] if kind == "human" else kind not in ("ground", "landmark", "plant")
    if owned and definite and not plural and draw.chance(14):
        owner = _owner(draw, concept)
    return Entity(concept, plural=plural, definite=definite, adjective=adjective, owner=owner)


def _adjective(draw: Draw, concept: str, predicate: bool = False) -> str:
    """An adjective that suits the noun."""
    pool = (_PREDICATES if predicate else _ADJECTIVES)[C.NOUNS[concept]]
    adjective = draw.pick(pool)
    while concept in C.UNSUITED.get(adjective, ()):
        adjective = draw.pick(pool)
    return adjective


def _owner(draw: Draw, owned: str) -> Entity:
    if draw.chance(55):
        return Entity(draw.pick(_PERSONS))
    concept = draw.pick(_POOL["human"])
    return Entity("man" if concept == owned else concept)


def _with_relative(draw: Draw, entity: Entity, main: str) -> Entity:
    """``entity`` with a relative clause about it, where one makes sense; ``main`` is the verb around it."""
    if entity.owner or entity.is_name or entity.concept in C.PRONOUNS or entity.concept in C.MASS:
        return entity
    tense = draw.choose(_TENSES)
    if entity.concept in C.HUMAN and draw.chance(70):
        clause = _clause(draw, tense=tense, depth=1, subject=Entity("they"))  # stands for the gap
        return replace(entity, relative=replace(clause, subject=None))
    verbs = [verb for verb, entry in C.VERBS.items() if verb != main and _takes(entry, entity.concept)]
    if not verbs:
        return entity
    verb = draw.choose(verbs)
    tense = "present" if C.VERBS[verb].stative else tense
    subject = _name(draw) if draw.chance(40) else _noun(draw, "human", bare=True, other_than=entity)
    return replace(entity, relative=Clause(verb, subject=subject, tense=tense))


def _takes(verb: C.Verb, concept: str) -> bool:
    """Whether people do this to the thing."""
    if verb.frame != "transitive":
        return False
    return any(subjects == "human" and concept in C.POOLS[objects] for subjects, objects in verb.pairs)


def _subject(draw: Draw, pool: str, depth: int, verb: str) -> Entity:
    if pool == "human":
        style = draw.bits() % 100
        if style < 22:
            first = _name(draw)
            return replace(first, conjunct=_noun(draw, "human", bare=True)) if draw.chance(12) else first
        if style < 30:
            return Entity(draw.choose(C.PRONOUNS))
    entity = _noun(draw, pool, subject=True)
    if depth == 0 and draw.chance(13):
        return _with_relative(draw, entity, verb)
    if pool == "human" and entity.definite and not entity.owner and draw.chance(6):
        return replace(entity, conjunct=_noun(draw, pool, bare=True, other_than=entity))
    return entity


def _patient(draw: Draw, pool: str, subject: Entity, depth: int, verb: str) -> Entity:
    if pool == "human" and draw.chance(45):
        name = _name(draw)
        if subject.concept != name.concept:
            return name
    entity = _noun(draw, pool, other_than=subject)
    if depth == 0 and subject.relative is None and draw.chance(14):
        return _with_relative(draw, entity, verb)
    return entity


def _place(draw: Draw, subject: Entity) -> Setting:
    """Where something happens: towns and countries are for people."""
    style = draw.bits() % 100 if _human(subject) else 99
    if style < 28:
        return Setting("in", Entity(draw.pick(_CITIES)))
    if style < 36:
        return Setting("in", Entity(draw.pick(_COUNTRIES)))
    relation = draw.choose(("in", "in", "in", "in", "near", "near", "behind", "on", "under"))
    return Setting(relation, _noun(draw, "shelter" if relation == "under" else relation, bare=True))


def _time(draw: Draw, tense: str) -> str:
    style = draw.bits() % 100
    if style < 45:
        return draw.pick(_MOMENTS[tense])
    if style < 70:
        return draw.choose(C.WEEKDAYS)
    if style < 84:
        return draw.choose(C.MONTHS)
    return draw.choose(C.DAYPARTS)


def _clause(
    draw: Draw,
    *,
    tense: str | None = None,
    depth: int = 0,
    subject: Entity | None = None,
    plain: bool = False,
    verbs: str = "any",
) -> Clause:
    """A clause with a verb of action or state.

    ``depth`` above 0 keeps it short (no relative clauses), ``plain`` leaves out negation and adverbs,
    ``subject`` fixes who it is about (a human).
    """
    tense = tense or draw.choose(_TENSES)
    verb = draw.pick(_VERB[verbs])
    while tense != "present" and C.VERBS[verb].stative:
        verb = draw.pick(_VERB[verbs])
    entry = C.VERBS[verb]
    pairs = [pair for pair in entry.pairs if subject is None or pair[0] == "human"] or list(entry.pairs)
    agents, pool = draw.choose(pairs)
    if subject is None or agents != "human":
        subject = _subject(draw, agents, depth, verb)
    clause = Clause(verb, subject=subject, tense=tense)
    if entry.frame == "transitive":
        clause = replace(clause, object=_patient(draw, pool, subject, depth, verb))
    if entry.frame == "ditransitive":
        thing = _patient(draw, pool, subject, 1, verb)
        person = _name(draw) if draw.chance(35) else _noun(draw, "human", bare=True, other_than=subject)
        clause = replace(clause, object=thing, recipient=person)
    elif entry.frame == "motion":
        goal = Entity(draw.pick(_CITIES)) if draw.chance(30) else _noun(draw, pool, bare=True)
        clause = replace(clause, goal=goal)
    elif entry.frame == "dwelling":
        place = _place(draw, subject) if draw.chance(60) else None
        if place is None or place.relation not in ("in", "near"):
            place = Setting("in", _noun(draw, pool, bare=True))
        clause = replace(clause, place=place)
    elif entry.frame == "intransitive" and pool:
        clause = replace(clause, place=Setting("in", _noun(draw, pool, bare=True)))
    elif not entry.stative and draw.chance(24 if entry.frame == "transitive" else 50):
        clause = replace(clause, place=_place(draw, subject))
    if not plain:
        clause = _adverbials(draw, clause, entry, depth)
    if clause.object is not None and clause.object.relative is not None:
        # what would follow the relative clause could be taken for a part of it
        clause = replace(clause, manner=None, place=None, company=None, fronted=clause.time is not None)
    return clause


def _adverbials(draw: Draw, clause: Clause, entry: C.Verb, depth: int) -> Clause:
    """Add company, negation or an adverb, and a time."""
    subject = clause.subject or Entity("they")
    relation = ""
    if _human(subject) and entry.frame in ("intransitive", "motion"):
        relation = "with"
    elif clause.verb in ("buy", "make", "sing", "open", "find", "repair"):
        relation = "for"
    if relation and draw.chance(22):
        whom = _noun(draw, "human", bare=True, other_than=subject) if draw.chance(60) else _name(draw)
        if whom.concept != subject.concept:
            clause = replace(clause, company=Setting(relation, whom))
    if draw.chance(16):
        clause = replace(clause, negated=True)
    elif entry.manner and draw.chance(28):
        clause = replace(clause, manner=draw.pick(_MANNERS))
    elif clause.tense == "present" and not entry.stative and draw.chance(26):
        clause = replace(clause, frequency=draw.pick(_FREQUENCIES))
    if depth == 0 and not entry.stative and draw.chance(30):
        clause = replace(clause, time=_time(draw, clause.tense), fronted=draw.chance(30))
        if clause.frequency and clause.time == "now":
            clause = replace(clause, frequency=None)
    return clause


def _human(entity: Entity) -> bool:
    """Whether it is a person."""
    return entity.concept in C.HUMAN or entity.concept in C.GENDER


def _state(draw: Draw, *, place: bool) -> Clause:
    """*The house is big* or *the book is on the table*."""
    tense = draw.choose(("present", "present", "past"))
    kind = draw.choose(_LOCATED if place else _DESCRIBED)
    if kind == "human" and draw.chance(40):
        subject = _name(draw)
    else:
        subject = replace(_noun(draw, kind, subject=True), count=None, definite=True)
    if not place:
        adjective = draw.pick(_PREDICATES[kind]) if subject.is_name else _adjective(draw, subject.concept, True)
        subject = replace(subject, adjective=None)
        return Clause("be", subject=subject, adjective=adjective, tense=tense, negated=draw.chance(15))
    relation = draw.choose(("in", "near", "behind", "under", "on_top", "on_top"))
    if kind in ("human", "animal") and relation == "on_top":
        relation = "on"
    ground = _noun(draw, relation, bare=True)
    if kind == "human" and draw.chance(50):
        relation, ground = "in", Entity(draw.pick(_CITIES))
    setting = Setting(relation.removesuffix("_top"), ground)
    return Clause("be", subject=subject, place=setting, tense=tense, negated=draw.chance(12))


def _speech(draw: Draw) -> Clause:
    """*Anna says that ...*: not negated, the past reports the past."""
    verb = draw.pick(_VERB["speech"])
    tense = "present" if C.VERBS[verb].stative or draw.chance(60) else "past"
    inner = tense if tense == "past" else "future" if verb == "hope" else draw.choose(_TENSES)
    subject = _subject(draw, "human", 1, verb)
    about = Entity(_pronoun(subject)) if draw.chance(22) and _pronoun(subject) else None
    complement = replace(_clause(draw, tense=inner, depth=1, subject=about), fronted=False)
    return Clause(verb, subject=subject, tense=tense, complement=complement)


def _pronoun(entity: Entity | None) -> str:
    """The pronoun that would refer back to ``entity`` in every language, or an empty string."""
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


def _question(draw: Draw) -> Clause:
    """A question without negation: yes/no, who, what or where."""
    asks = draw.choose(("whether", "whether", "whether", "who", "who", "what", "where", "where"))
    if asks == "where" and draw.chance(45):
        return replace(_state(draw, place=True), place=None, negated=False, asks=asks)
    if asks == "whether" and draw.chance(20):
        return replace(_state(draw, place=draw.chance(50)), negated=False, asks=asks)
    someone = Entity("they") if asks == "who" else None  # stands for the answer
    verbs = "what" if asks == "what" else "any"
    clause = _clause(draw, depth=0 if asks == "whether" else 1, subject=someone, verbs=verbs)
    while asks == "who" and not (clause.object or clause.place or clause.goal):
        clause = _clause(draw, depth=1, subject=someone)
    while asks == "where" and (clause.goal or clause.recipient):
        clause = _clause(draw, depth=1)
    clause = replace(clause, asks=asks, negated=False, fronted=False)
    if asks == "who":
        return replace(clause, subject=None)
    if asks == "what":
        return replace(clause, object=None)
    return replace(clause, place=None) if asks == "where" else clause


def sample(seed: int, index: int) -> Meaning:
    """The meaning number ``index`` of the world ``seed``; needs no other meaning."""
    draw = Draw(seed, index)
    style = draw.bits() % 100
    if style < 50:
        return Meaning(_clause(draw))
    if style < 58:
        return Meaning(_state(draw, place=draw.chance(50)))
    if style < 74:
        return Meaning(_question(draw))
    if style < 84:
        return Meaning(_speech(draw))
    if style < 90:
        first = _clause(draw, depth=1)
        about = _pronoun(first.subject) if draw.chance(60) else ""
        second = _clause(draw, depth=1, tense=first.tense, subject=Entity(about) if about else None)
        return Meaning(first, "because", second)
    if style < 94:
        main = _clause(draw, depth=1, tense="present")
        return Meaning(main, "when", _clause(draw, depth=1, tense="present", plain=True))
    first = _clause(draw, depth=1)
    second = _clause(draw, depth=1, tense=first.tense)
    return Meaning(first, "but" if first.negated != second.negated else "and", second)
