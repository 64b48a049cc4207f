"""From phrases to sentences: what the grammars of all languages share.

A grammar builds lists of ``Token`` in surface order, each with its head, and ``Grammar.sentence`` turns them into
text with spans. Dependencies follow Universal Dependencies (https://universaldependencies.org, version 2:
content words are heads); punctuation, capitals and the spaces of elided or contracted words are settled here and
in each grammar's ``adjust``.

Keys, the paths into a meaning: a clause's participants and adverbials are one letter each (s subject, v verb, o object,
r recipient, g goal, p place, x company, t time, f frequency, m manner, n negation), k is a that-clause, r after an
entity its relative clause, c its conjunct, w its owner, 2 the second clause of a meaning; after a dot stands the
function (``o.det``, ``v.aux``, ``p.case``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from paralign.smallworld.concepts import GENDER
from paralign.smallworld.meaning import Clause, Entity, Meaning

__all__ = ["Grammar", "Lexicon", "Phrase", "Sentence", "Token", "gap_role", "table"]

Lexicon = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and the truth about it; all tuples but ``entities`` have one item a word."""

    language: str
    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    """Start and end of each word in ``text``, in characters."""
    upos: tuple[str, ...]
    heads: tuple[int, ...]
    """One-based head of each word, 0 for the root."""
    deprels: tuple[str, ...]
    lemmas: tuple[str, ...]
    entities: tuple[tuple[int, int, str], ...]
    """First word, word after the last, and ``PER`` or ``LOC``."""
    anchors: tuple[tuple[str, ...], ...]
    """Paths into the meaning; words of two languages that share one are linked."""


class Token:
    """A word under construction. ``keys`` are its paths into the meaning, space-separated."""

    __slots__ = ("deprel", "entity", "form", "head", "index", "keys", "lemma", "space", "upos")

    def __init__(self, form: str, lemma: str, upos: str, keys: str = "") -> None:
        self.form = form
        self.lemma = lemma
        self.upos = upos
        self.keys = keys
        self.head: Token | None = None
        self.deprel = "root"
        self.entity = ""
        self.space = True
        """Whether a space precedes it."""
        self.index = 0

    def under(self, head: Token, deprel: str) -> Token:
        """Attach to ``head``; returns itself."""
        self.head = head
        self.deprel = deprel
        return self


@dataclass(slots=True)
class Phrase:
    """Tokens in surface order and the one that heads them."""

    head: Token
    tokens: list[Token]

    def under(self, head: Token, deprel: str) -> list[Token]:
        """Attach the phrase to ``head``; returns its tokens."""
        self.head.under(head, deprel)
        return self.tokens


def table(text: str) -> dict[str, tuple[str, ...]]:
    """Read a lexicon table: entries separated by ``|`` or line ends, each ``concept form form ...``.

    An underscore inside a form stands for a space.
    """
    entries = (entry.split() for line in text.splitlines() for entry in line.split("|"))
    return {entry[0]: tuple(form.replace("_", " ") for form in entry[1:]) for entry in entries if entry}


class Grammar(ABC):
    """One language: subclass it in a file of its own, fill the lexicon, build clauses, register it in ``world.py``."""

    language: str
    lexicon: Lexicon
    """Concept -> forms, the lemma first, for every concept of ``CONCEPTS``; ``-`` where the language has no word."""
    spaced = True
    """Whether words are separated by spaces."""
    stop, comma, question = ".", ",", "?"
    space_before_question = False

    @abstractmethod
    def meaning(self, meaning: Meaning) -> Phrase:
        """The sentence without its final punctuation."""

    def adjust(self, tokens: list[Token]) -> list[Token]:
        """Changes that depend on neighbouring words: elision, contraction, *a* or *an*."""
        return tokens

    def lemma(self, concept: str) -> str:
        """The dictionary form of a concept."""
        return self.lexicon[concept][0]

    def gender(self, entity: Entity) -> str:
        """Grammatical gender in agreement; a mixed group is masculine."""
        if entity.conjunct is not None:
            both = self.gender(entity.conjunct) == "f" == self.noun_gender(entity.concept)
            return "f" if both else "m"
        return self.noun_gender(entity.concept)

    def noun_gender(self, concept: str) -> str:
        """Gender of names by nature, of nouns by the second form of their entry."""
        return GENDER.get(concept) or self.lexicon[concept][1]

    def name(self, entity: Entity, key: str, form: str = "") -> Phrase:
        """A name: one PROPN a word, further words ``flat``; ``form`` replaces the last word's form."""
        label = "PER" if entity.concept in GENDER else "LOC"
        parts = self.lemma(entity.concept).split(" ")
        tokens = [Token(part, part, "PROPN", key) for part in parts]
        if entity.surname:
            surname = self.lemma(entity.surname)
            tokens.append(Token(surname, surname, "PROPN", key + ".surname"))
        for position, token in enumerate(tokens):
            token.entity = f"{'I' if position else 'B'}-{label}"
            if position:
                token.under(tokens[0], "flat")
        if form:
            tokens[-1].form = form
        return Phrase(tokens[0], tokens)

    def mark(self, form: str, head: Token) -> Token:
        """A comma or the like under ``head``."""
        token = Token(form, form, "PUNCT").under(head, "punct")
        token.space = False
        return token

    def sentence(self, meaning: Meaning) -> Sentence:
        """Say ``meaning``: build, punctuate, adjust, capitalize and measure."""
        phrase = self.meaning(meaning)
        end = Token(self.question if meaning.clause.asks else self.stop, "", "PUNCT", "end")
        end.lemma = end.form
        end.space = self.space_before_question and end.form == self.question
        tokens = [*phrase.tokens, end.under(phrase.head, "punct")]
        tokens = [
            token
            for token, after in zip(tokens, [*tokens[1:], None], strict=True)
            if not (token.form == self.comma and after is not None and after.upos == "PUNCT")
        ]
        tokens = self.adjust(tokens)
        first = tokens[0]
        first.form = first.form[0].upper() + first.form[1:]
        return _measure(self.language, tokens, self.spaced)


def _measure(language: str, tokens: list[Token], spaced: bool) -> Sentence:
    """Freeze finished tokens."""
    text, spans, entities = "", [], []
    for index, token in enumerate(tokens):
        token.index = index + 1
        if index and spaced and token.space:
            text += " "
        spans.append((len(text), len(text) + len(token.form)))
        text += token.form
        if token.entity:
            if token.entity[0] == "B":
                entities.append((index, index + 1, token.entity[2:]))
            else:
                entities[-1] = (entities[-1][0], index + 1, entities[-1][2])
    return Sentence(
        language=language,
        text=text,
        words=tuple([token.form for token in tokens]),
        spans=tuple(spans),
        upos=tuple([token.upos for token in tokens]),
        heads=tuple([token.head.index if token.head is not None else 0 for token in tokens]),
        deprels=tuple([token.deprel for token in tokens]),
        lemmas=tuple([token.lemma for token in tokens]),
        entities=tuple(entities),
        anchors=tuple([tuple(token.keys.split()) for token in tokens]),
    )


def gap_role(clause: Clause) -> str:
    """Which participant a relative clause is about: ``subject`` where that is missing, else ``object``."""
    return "subject" if clause.subject is None else "object"
