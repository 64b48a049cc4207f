"""Reading comprehension in the small world: a short paragraph, a question, and the one span that answers it.

A paragraph has three to five sentences in one tense. A noun or name occurs in two sentences only on purpose: one
distractor has the verb of the question with other people and things, one has the noun that the question names with
another verb, and some paragraphs have a negated sentence with another answer. So neither the verb nor a noun alone
finds the answer, every sentence has a candidate of the right type (a person, a thing, a place), and exactly one is
right.

The question (*who, what* or *where*) keeps what identifies the sentence and drops some of the rest. The answer follows
SQuAD's guidelines: the whole noun phrase with article, number, adjective and owner; for *where*, the place with its
preposition (*in the big park*, 在大公园里), because prepositions may be on both sides of the noun or merge with the
article. Phrases that are discontinuous in some language, those with relative clauses, do not occur.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from paralign.errors import UserError
from paralign.smallworld import concepts as C
from paralign.smallworld.grammar import Sentence
from paralign.smallworld.meaning import Adjunct, Clause, Entity, Meaning
from paralign.smallworld.random_stream import RandomStream
from paralign.smallworld.sampling import sample_adjective, sample_time
from paralign.smallworld.world import get_grammar

__all__ = ["ReadingItem", "realize_question", "sample_question"]

_STREAM = 0x5141
"""Makes these random numbers independent of those of the world's sentences."""
_SIMILAR_VERBS = tuple(
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
"""Somebody who does one of a group can be understood to do the others."""
_EXCLUDED_VERBS = frozenset({"meet"})
"""Symmetric verbs: the question would have two answers."""
_MIN_OBJECTS = 4
"""Objects that a verb must have, so that every sentence can have a different one."""


def _objects_of(verb: str) -> list[str]:
    """Return the possible objects or goals of a verb with a human subject, without persons and animals."""
    pools = [pool for agent, pool in C.VERBS[verb].pairs if agent == "human" and pool]
    return list(dict.fromkeys(c for pool in pools for c in C.POOLS[pool] if c not in C.ANIMATE))


def _is_dissimilar(verb: str, other: str) -> bool:
    """Return whether doing one does not suggest doing the other."""
    return verb != other and not any({verb, other} <= group for group in _SIMILAR_VERBS)


_OBJECTS = {
    verb: _objects_of(verb)
    for verb, entry in C.VERBS.items()
    if entry.frame in ("transitive", "ditransitive", "motion") and len(_objects_of(verb)) >= _MIN_OBJECTS
}
"""Objects of each verb that has enough of them."""
_OTHER_VERBS = {
    (verb, thing): [
        other
        for other, others in _OBJECTS.items()
        if _is_dissimilar(verb, other)
        and thing in others
        and not C.VERBS[other].stative
        and C.VERBS[other].frame != "motion"
    ]
    for verb, things in _OBJECTS.items()
    for thing in things
}
"""Other verbs that a thing can be the object of."""
_VERBS_BY_QUESTION = {
    "who": [
        verb
        for verb, things in _OBJECTS.items()
        if sum(bool(_OTHER_VERBS[verb, thing]) for thing in things) >= _MIN_OBJECTS
    ],
    "what": [verb for verb in _OBJECTS if C.VERBS[verb].frame == "transitive"],
    "where": [
        verb
        for verb, entry in C.VERBS.items()
        if (entry.frame == "intransitive" or (entry.frame == "transitive" and verb in _OBJECTS)) and not entry.stative
    ],
}
_VERBS_BY_QUESTION["who"] += ["go", "come"]
_VERBS_BY_QUESTION = {
    asks: [verb for verb in verbs if verb not in _EXCLUDED_VERBS] for asks, verbs in _VERBS_BY_QUESTION.items()
}
_KEYS = {"who": "s", "what": "o", "where": "p"}


@dataclass(frozen=True, slots=True)
class ReadingItem:
    """A paragraph and a question about it, as meanings.

    Attributes:
        meanings: the three to five sentences.
        question: the question.
        sentence: the sentence with the answer, from 0.
        key: path of the answer in that sentence's meaning: ``s`` (who), ``o`` (what) or ``p`` (where).
    """

    meanings: tuple[Meaning, ...]
    question: Meaning
    sentence: int
    key: str


def sample_question(index: int, seed: int = 0) -> ReadingItem:
    """Return item ``index`` of a world. It is the same for all languages and does not depend on other items.

    Args:
        index: number of the item, from 0.
        seed: the world.

    Raises:
        UserError: for a negative index.
    """
    if index < 0:
        raise UserError(f"question {index} of the small world does not exist", hint="count from 0")
    return _question(index, seed)


@lru_cache(maxsize=8192)
def _question(index: int, seed: int) -> ReadingItem:
    rng = RandomStream(seed ^ _STREAM, index)
    while True:
        try:
            return _paragraph(rng)
        except _Exhausted:  # rare: every noun that suits a verb is used; the next attempt has another verb
            continue


class _Exhausted(Exception):
    """All candidates have been mentioned."""


def _paragraph(rng: RandomStream) -> ReadingItem:
    asks = rng.choose(("who", "what", "where"))
    tense = rng.choose(("past", "past", "past", "present", "future"))
    events = _EventSampler(rng, tense)
    verb = rng.choose(_verbs(asks, tense))
    gold = events.event(verb, asks)
    others = [events.event(verb, asks), events.shared(gold, asks)]
    if rng.chance(40):
        others.append(replace(events.other_answer(gold, asks), negated=True))
    if rng.chance(60):
        others.append(events.event(events.other_verb(verb, asks), asks))
    others = [_add_adverbials(rng, clause, asks) for clause in others]
    gold = _add_adverbials(rng, gold, asks)
    order = list(range(len(others)))
    for last in range(len(order) - 1, 0, -1):
        other = rng.bits() % (last + 1)
        order[last], order[other] = order[other], order[last]
    clauses = [others[i] for i in order]
    position = rng.bits() % (len(clauses) + 1)
    clauses.insert(position, gold)
    return ReadingItem(
        tuple(Meaning(clause) for clause in clauses), Meaning(_to_question(rng, gold, asks)), position, _KEYS[asks]
    )


def _verbs(asks: str, tense: str) -> list[str]:
    """Return the verbs that a question may have; stative ones in the present tense only."""
    return [verb for verb in _VERBS_BY_QUESTION[asks] if tense == "present" or not C.VERBS[verb].stative]


def realize_question(
    item: ReadingItem, language: str, question_language: str | None = None
) -> tuple[str, str, str, int]:
    """Return an item as text.

    Args:
        item: the item.
        language: language of the paragraph.
        question_language: language of the question. Default ``None``: that of the paragraph.

    Returns:
        the paragraph, the question, the answer, and the position of the answer in the paragraph, in characters.

    Raises:
        UserError: for a language without a grammar.
    """
    language_grammar = get_grammar(language)
    asked = get_grammar(question_language or language).sentence(item.question).text
    sentences = [language_grammar.sentence(meaning) for meaning in item.meanings]
    gap = " " if language_grammar.has_spaces else ""
    context = gap.join(sentence.text for sentence in sentences)
    offset = sum(len(sentence.text) + len(gap) for sentence in sentences[: item.sentence])
    first, last = span(sentences[item.sentence], item.key)
    return context, asked, context[offset + first : offset + last], offset + first


def span(sentence: Sentence, key: str) -> tuple[int, int]:
    """Return start and end of a participant of a single clause, in characters.

    The postposition that marks a subject or object (Hindi ने) is not part of the noun phrase; that of a place is.

    Args:
        sentence: the sentence.
        key: path of the participant in the meaning.
    """
    outside = () if key == "p" else (f"{key}.case",)
    words = [
        i
        for i, paths in enumerate(sentence.anchors)
        if any(path.startswith(key) and path not in outside for path in paths)
    ]
    return sentence.spans[words[0]][0], sentence.spans[words[-1]][1]


class _EventSampler:
    """Samples events, no two of which share a noun or a name."""

    def __init__(self, rng: RandomStream, tense: str) -> None:
        self.rng = rng
        self.tense = tense
        self.used: set[str] = set()

    def fresh(self, concepts: tuple[str, ...] | list[str]) -> str:
        """Return a concept that has not been mentioned."""
        free = [concept for concept in concepts if concept not in self.used]
        if not free:
            raise _Exhausted
        concept = self.rng.choose(free)
        self.used.add(concept)
        return concept

    def person(self) -> Entity:
        """Return a name or a definite noun, usually singular."""
        rng = self.rng
        if rng.chance(45):
            return Entity(self.fresh(C.PERSONS), surname=rng.choose(C.SURNAMES) if rng.chance(25) else None)
        concept = self.fresh(C.POOLS["human"])
        adjective = sample_adjective(rng, concept) if rng.chance(30) else None
        return Entity(concept, plural=rng.chance(15), adjective=adjective)

    def thing(self, concepts: list[str]) -> Entity:
        """Return one of the things: definite, indefinite, counted or with an owner."""
        rng = self.rng
        concept = self.fresh(concepts)
        adjective = sample_adjective(rng, concept) if rng.chance(45) else None
        if concept in C.MASS:
            return Entity(concept, adjective=adjective)
        style = rng.bits() % 100
        if style < 15:
            return Entity(concept, plural=True, definite=False, count=rng.choose(C.NUMBERS), adjective=adjective)
        owned = C.NOUNS[concept] not in ("ground", "landmark", "plant")
        if style < 28 and owned:
            return Entity(concept, adjective=adjective, owner=Entity(self.fresh(C.PERSONS)))
        return Entity(concept, definite=style < 65, adjective=adjective)

    def place(self) -> Adjunct:
        """Return a town or a place in it."""
        if self.rng.chance(30):
            return Adjunct("in", Entity(self.fresh(C.CITIES)))
        relation = self.rng.choose(("in", "in", "in", "near", "behind"))
        concept = self.fresh(C.POOLS[relation])
        return Adjunct(
            relation, Entity(concept, adjective=sample_adjective(self.rng, concept) if self.rng.chance(25) else None)
        )

    def event(self, verb: str, asks: str, subject: Entity | None = None) -> Clause:
        """Return a clause with ``verb``, with a place if the question is *where*."""
        frame = C.VERBS[verb].frame
        clause = Clause(verb, subject=subject or self.person(), tense=self.tense)
        if frame in ("transitive", "ditransitive"):
            shared = asks == "who"  # the question names the object, which a distractor has too
            thing = self.thing([thing for thing in _OBJECTS[verb] if not shared or _OTHER_VERBS[verb, thing]])
            clause = replace(clause, object=replace(thing, definite=True, count=None) if shared else thing)
        if frame == "ditransitive":
            clause = replace(clause, recipient=self.person())
        if frame == "motion":
            clause = replace(clause, goal=Entity(self.fresh(C.CITIES if self.rng.chance(30) else _OBJECTS[verb])))
        return replace(clause, place=self.place()) if asks == "where" else clause

    def other_verb(self, verb: str, asks: str) -> str:
        """Return a verb dissimilar to ``verb`` for the same kind of question."""
        return self.rng.choose([other for other in _verbs(asks, self.tense) if _is_dissimilar(verb, other)])

    def shared(self, gold: Clause, asks: str) -> Clause:
        """Return another event with what the question names: the same thing or goal (*who*), the same person."""
        if asks != "who":
            return self.event(self.other_verb(gold.verb, asks), asks, gold.subject)
        if gold.goal is not None:
            return Clause("wait", subject=self.person(), tense=self.tense, place=Adjunct("in", gold.goal))
        assert gold.object is not None
        verb = self.rng.choose(_OTHER_VERBS[gold.verb, gold.object.concept])
        clause = Clause(verb, subject=self.person(), object=gold.object, tense=self.tense)
        return replace(clause, recipient=self.person()) if C.VERBS[verb].frame == "ditransitive" else clause

    def other_answer(self, gold: Clause, asks: str) -> Clause:
        """Return the same event with another answer."""
        if asks == "where":
            return replace(gold, place=self.place())
        if asks == "what":
            return replace(gold, object=self.thing(_OBJECTS[gold.verb]))
        return replace(gold, subject=self.person())


def _add_adverbials(rng: RandomStream, clause: Clause, asks: str) -> Clause:
    """Return the clause, sometimes with a time or a manner."""
    entry = C.VERBS[clause.verb]
    if not entry.stative and rng.chance(30):
        clause = replace(clause, time=sample_time(rng, clause.tense), fronted=rng.chance(30))
    if entry.manner and not clause.negated and asks != "where" and rng.chance(25):
        clause = replace(clause, manner=rng.choose(C.MANNERS))
    return clause


def _to_question(rng: RandomStream, clause: Clause, asks: str) -> Clause:
    """Return the question that a participant of ``clause`` answers; it may drop what does not identify the clause."""
    missing = {"who": "subject", "what": "object", "where": "place"}[asks]
    clause = replace(clause, asks=asks, fronted=False, **{missing: None})  # type: ignore[arg-type]
    if rng.chance(50):
        clause = replace(clause, time=None)
    if rng.chance(50):
        clause = replace(clause, manner=None)
    for role in ("subject", "object", "recipient"):
        entity: Entity | None = getattr(clause, role)
        if entity is not None and entity.adjective and rng.chance(40):
            clause = replace(clause, **{role: replace(entity, adjective=None)})  # type: ignore[arg-type]
    return clause
