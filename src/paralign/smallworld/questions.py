"""Reading comprehension in the small world: a short paragraph, a question, and the one span that answers it.

A paragraph is three to five sentences in one tense, no noun or name in two of them but by intent: one sentence has
the verb asked for with other people and things, one has what the question names with another verb, and at times one
denies what is asked of another answer. So neither the verb nor a noun alone finds the answer, every sentence offers
something of the kind asked for (a person, a thing, a place), and exactly one is right.

The question (*who, what* or *where*) keeps what identifies the sentence and drops some of the rest. The answer is as
SQuAD's annotators mark it: the whole noun phrase with article, number, adjective and owner, and for *where* the place
with its preposition (*in the big park*, 在大公园里), as prepositions may stand on both sides of the noun or be one word
with the article. Phrases that a language may part, those with relative clauses, do not occur.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from paralign.errors import UserError
from paralign.smallworld import concepts as C
from paralign.smallworld.draw import Draw
from paralign.smallworld.meaning import Clause, Entity, Meaning, Setting
from paralign.smallworld.realize import Sentence
from paralign.smallworld.sampling import _adjective, _time
from paralign.smallworld.world import grammar

__all__ = ["Asked", "ask", "question"]

_STREAM = 0x5141
"""Keeps these draws apart from those of the world's sentences."""
_ALIKE = tuple(
    frozenset(verbs.split())
    for verbs in (
        "go come",
        "give send lend sell",
        "like love admire",
        "wash clean",
        "see meet find",
        "laugh smile",
        "break cut",
        "push pull lift",
        "run walk swim",
    )
)
"""Who does one may be taken to do the other."""
_UNASKED = frozenset({"meet"})
"""Who met whom is the same either way."""
_VARIED = 4
"""Things there must be to do something to, so that every sentence has its own."""


def _takes(verb: str) -> list[str]:
    """What people do this to (or where they go), without persons and animals."""
    pools = [pool for agent, pool in C.VERBS[verb].pairs if agent == "human" and pool]
    return list(dict.fromkeys(c for pool in pools for c in C.POOLS[pool] if c not in C.ANIMATE))


def _unlike(verb: str, other: str) -> bool:
    """Whether doing one does not suggest doing the other."""
    return verb != other and not any({verb, other} <= group for group in _ALIKE)


_OBJECTS = {
    verb: _takes(verb)
    for verb, entry in C.VERBS.items()
    if entry.frame in ("transitive", "ditransitive", "motion") and len(_takes(verb)) >= _VARIED
}
"""Verbs done to enough things, and the things."""
_ALSO = {
    (verb, thing): [
        other
        for other, others in _OBJECTS.items()
        if _unlike(verb, other) and thing in others and not C.VERBS[other].stative and C.VERBS[other].frame != "motion"
    ]
    for verb, things in _OBJECTS.items()
    for thing in things
}
"""What else is done to a thing."""
_ASKED = {
    "who": [verb for verb, things in _OBJECTS.items() if sum(bool(_ALSO[verb, thing]) for thing in things) >= _VARIED],
    "what": [verb for verb in _OBJECTS if C.VERBS[verb].frame == "transitive"],
    "where": [
        verb
        for verb, entry in C.VERBS.items()
        if (entry.frame == "intransitive" or (entry.frame == "transitive" and verb in _OBJECTS)) and not entry.stative
    ],
}
_ASKED["who"] += ["go", "come"]
_ASKED = {asks: [verb for verb in verbs if verb not in _UNASKED] for asks, verbs in _ASKED.items()}
_KEYS = {"who": "s", "what": "o", "where": "p"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A paragraph and a question about it, as meanings."""

    meanings: tuple[Meaning, ...]
    """The sentences, three to five."""
    asked: Meaning
    """The question."""
    sentence: int
    """Which sentence has the answer, from 0."""
    key: str
    """Path of the answer in that sentence's meaning: ``s`` (who), ``o`` (what) or ``p`` (where)."""


def question(index: int, seed: int = 0) -> Asked:
    """Item ``index`` of the world ``seed``: the same for all languages, and needs no other.

    Raises:
        UserError: for a negative index.
    """
    if index < 0:
        raise UserError(f"question {index} of the small world does not exist", hint="count from 0")
    return _question(index, seed)


@lru_cache(maxsize=8192)
def _question(index: int, seed: int) -> Asked:
    draw = Draw(seed ^ _STREAM, index)
    while True:
        try:
            return _paragraph(draw)
        except _Exhausted:  # every noun that suits a verb is taken: rare, and another draw has another verb
            continue


class _Exhausted(Exception):
    """There is nothing left that has not been mentioned."""


def _paragraph(draw: Draw) -> Asked:
    asks = draw.choose(("who", "what", "where"))
    tense = draw.choose(("past", "past", "past", "present", "future"))
    cast = _Cast(draw, tense)
    verb = draw.choose(_verbs(asks, tense))
    gold = cast.event(verb, asks)
    others = [cast.event(verb, asks), cast.shared(gold, asks)]
    if draw.chance(40):
        others.append(replace(cast.other_answer(gold, asks), negated=True))
    if draw.chance(60):
        others.append(cast.event(cast.other_verb(verb, asks), asks))
    others = [_adorned(draw, clause, asks) for clause in others]
    gold = _adorned(draw, gold, asks)
    order = list(range(len(others)))
    for last in range(len(order) - 1, 0, -1):
        other = draw.bits() % (last + 1)
        order[last], order[other] = order[other], order[last]
    clauses = [others[i] for i in order]
    place = draw.bits() % (len(clauses) + 1)
    clauses.insert(place, gold)
    return Asked(
        tuple(Meaning(clause) for clause in clauses), Meaning(_interrogative(draw, gold, asks)), place, _KEYS[asks]
    )


def _verbs(asks: str, tense: str) -> list[str]:
    """Verbs that may be asked about; those of states in the present only."""
    return [verb for verb in _ASKED[asks] if tense == "present" or not C.VERBS[verb].stative]


def ask(item: Asked, language: str, question_language: str | None = None) -> tuple[str, str, str, int]:
    """Paragraph in ``language``, question in ``question_language`` (default: the same), answer and where it begins.

    The answer is the slice of the paragraph at ``start``, in characters.

    Raises:
        UserError: for a language the small world does not speak.
    """
    spoken = grammar(language)
    asked = grammar(question_language or language).sentence(item.asked).text
    sentences = [spoken.sentence(meaning) for meaning in item.meanings]
    gap = " " if spoken.spaced else ""
    context = gap.join(sentence.text for sentence in sentences)
    offset = sum(len(sentence.text) + len(gap) for sentence in sentences[: item.sentence])
    first, last = span(sentences[item.sentence], item.key)
    return context, asked, context[offset + first : offset + last], offset + first


def span(sentence: Sentence, key: str) -> tuple[int, int]:
    """Characters of a participant of a single clause, from its first word to its last.

    The postposition that marks a subject or object (Hindi ने) is not of the noun phrase; that of a place is.
    """
    outside = () if key == "p" else (f"{key}.case",)
    words = [
        i
        for i, paths in enumerate(sentence.anchors)
        if any(path.startswith(key) and path not in outside for path in paths)
    ]
    return sentence.spans[words[0]][0], sentence.spans[words[-1]][1]


class _Cast:
    """Draws events of which no two share a noun or a name."""

    def __init__(self, draw: Draw, tense: str) -> None:
        self.draw = draw
        self.tense = tense
        self.used: set[str] = set()

    def fresh(self, concepts: tuple[str, ...] | list[str]) -> str:
        """One that has not been mentioned."""
        free = [concept for concept in concepts if concept not in self.used]
        if not free:
            raise _Exhausted
        concept = self.draw.choose(free)
        self.used.add(concept)
        return concept

    def person(self) -> Entity:
        """A name or a definite noun, mostly singular."""
        draw = self.draw
        if draw.chance(45):
            return Entity(self.fresh(C.PERSONS), surname=draw.choose(C.SURNAMES) if draw.chance(25) else None)
        concept = self.fresh(C.POOLS["human"])
        adjective = _adjective(draw, concept) if draw.chance(30) else None
        return Entity(concept, plural=draw.chance(15), adjective=adjective)

    def thing(self, concepts: list[str]) -> Entity:
        """One of the things: definite, indefinite, counted or somebody's."""
        draw = self.draw
        concept = self.fresh(concepts)
        adjective = _adjective(draw, concept) if draw.chance(45) else None
        if concept in C.MASS:
            return Entity(concept, adjective=adjective)
        style = draw.bits() % 100
        if style < 15:
            return Entity(concept, plural=True, definite=False, count=draw.choose(C.NUMBERS), adjective=adjective)
        owned = C.NOUNS[concept] not in ("ground", "landmark", "plant")
        if style < 28 and owned:
            return Entity(concept, adjective=adjective, owner=Entity(self.fresh(C.PERSONS)))
        return Entity(concept, definite=style < 65, adjective=adjective)

    def place(self) -> Setting:
        """A town or somewhere in it."""
        if self.draw.chance(30):
            return Setting("in", Entity(self.fresh(C.CITIES)))
        relation = self.draw.choose(("in", "in", "in", "near", "behind"))
        concept = self.fresh(C.POOLS[relation])
        return Setting(
            relation, Entity(concept, adjective=_adjective(self.draw, concept) if self.draw.chance(25) else None)
        )

    def event(self, verb: str, asks: str, subject: Entity | None = None) -> Clause:
        """Somebody does ``verb``, somewhere if that is asked."""
        frame = C.VERBS[verb].frame
        clause = Clause(verb, subject=subject or self.person(), tense=self.tense)
        if frame in ("transitive", "ditransitive"):
            known = asks == "who"  # what the question names is the thing two people do something with
            thing = self.thing([thing for thing in _OBJECTS[verb] if not known or _ALSO[verb, thing]])
            clause = replace(clause, object=replace(thing, definite=True, count=None) if known else thing)
        if frame == "ditransitive":
            clause = replace(clause, recipient=self.person())
        if frame == "motion":
            clause = replace(clause, goal=Entity(self.fresh(C.CITIES if self.draw.chance(30) else _OBJECTS[verb])))
        return replace(clause, place=self.place()) if asks == "where" else clause

    def other_verb(self, verb: str, asks: str) -> str:
        """A verb unlike ``verb`` that may be asked about in the same way."""
        return self.draw.choose([other for other in _verbs(asks, self.tense) if _unlike(verb, other)])

    def shared(self, gold: Clause, asks: str) -> Clause:
        """Another event with what the question is about: the same thing or goal (who), the same person."""
        if asks != "who":
            return self.event(self.other_verb(gold.verb, asks), asks, gold.subject)
        if gold.goal is not None:
            return Clause("wait", subject=self.person(), tense=self.tense, place=Setting("in", gold.goal))
        assert gold.object is not None
        verb = self.draw.choose(_ALSO[gold.verb, gold.object.concept])
        clause = Clause(verb, subject=self.person(), object=gold.object, tense=self.tense)
        return replace(clause, recipient=self.person()) if C.VERBS[verb].frame == "ditransitive" else clause

    def other_answer(self, gold: Clause, asks: str) -> Clause:
        """The same event with another answer."""
        if asks == "where":
            return replace(gold, place=self.place())
        if asks == "what":
            return replace(gold, object=self.thing(_OBJECTS[gold.verb]))
        return replace(gold, subject=self.person())


def _adorned(draw: Draw, clause: Clause, asks: str) -> Clause:
    """With a time or a manner, now and then."""
    entry = C.VERBS[clause.verb]
    if not entry.stative and draw.chance(30):
        clause = replace(clause, time=_time(draw, clause.tense), fronted=draw.chance(30))
    if entry.manner and not clause.negated and asks != "where" and draw.chance(25):
        clause = replace(clause, manner=draw.choose(C.MANNERS))
    return clause


def _interrogative(draw: Draw, clause: Clause, asks: str) -> Clause:
    """The question to which a participant of ``clause`` is the answer; it may drop what does not identify."""
    missing = {"who": "subject", "what": "object", "where": "place"}[asks]
    clause = replace(clause, asks=asks, fronted=False, **{missing: None})  # type: ignore[arg-type]
    if draw.chance(50):
        clause = replace(clause, time=None)
    if draw.chance(50):
        clause = replace(clause, manner=None)
    for role in ("subject", "object", "recipient"):
        entity: Entity | None = getattr(clause, role)
        if entity is not None and entity.adjective and draw.chance(40):
            clause = replace(clause, **{role: replace(entity, adjective=None)})  # type: ignore[arg-type]
    return clause
