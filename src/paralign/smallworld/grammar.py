"""The base class of all grammars: from meanings to sentences with annotation.

A grammar builds lists of ``Token`` in surface order, each with its head, and ``Grammar.sentence`` converts them to a
text with spans. Dependencies follow Universal Dependencies version 2 (https://universaldependencies.org; content words
are heads). Punctuation, capitals, and the spaces of elided or contracted words are handled here and in the ``adjust``
method of each grammar.

Keys are paths into a meaning: a clause's participants and adverbials are one letter each (s subject, v verb, o object,
r recipient, g goal, p place, x company, t time, f frequency, m manner, n negation), k is a that-clause, r after an
entity its relative clause, c its conjunct, w its owner, 2 the second clause of a meaning. The function of a word
follows after a dot (``o.det``, ``v.aux``, ``p.case``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from paralign.smallworld.concepts import GENDER, PRONOUNS
from paralign.smallworld.meaning import Clause, Entity, Meaning

__all__ = ["Grammar", "Lexicon", "Phrase", "Sentence", "Token", "gap_role", "table"]

Lexicon = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with gold annotation. All tuples except ``entities`` have one item for each word.

    Attributes:
        language: its language.
        text: the sentence.
        words: the words.
        spans: start and end of each word in ``text``, in characters.
        upos: universal part-of-speech tags.
        heads: one-based position of the head of each word, 0 for the root.
        deprels: relation of each word to its head.
        lemmas: dictionary form of each word.
        entities: first word, word after the last, and ``PER`` or ``LOC``.
        anchors: paths into the meaning. Words of two languages that share a path are linked.
    """

    language: str
    text: str
    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    upos: tuple[str, ...]
    heads: tuple[int, ...]
    deprels: tuple[str, ...]
    lemmas: tuple[str, ...]
    entities: tuple[tuple[int, int, str], ...]
    anchors: tuple[tuple[str, ...], ...]


class Token:
    """A word of a sentence under construction. ``keys`` are its paths into the meaning, separated by spaces."""

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
        """Whether there is a space before it."""
        self.index = 0

    def under(self, head: Token, deprel: str) -> Token:
        """Attach the word to ``head`` and return it."""
        self.head = head
        self.deprel = deprel
        return self


@dataclass(slots=True)
class Phrase:
    """Tokens in surface order, and the head among them."""

    head: Token
    tokens: list[Token]

    def under(self, head: Token, deprel: str) -> list[Token]:
        """Attach the phrase to ``head`` and return its tokens."""
        self.head.under(head, deprel)
        return self.tokens


def table(text: str) -> dict[str, tuple[str, ...]]:
    """Parse a lexicon table: entries ``concept form form ...``, separated by ``|`` or line ends.

    An underscore inside a form stands for a space.
    """
    entries = (entry.split() for line in text.splitlines() for entry in line.split("|"))
    return {entry[0]: tuple(form.replace("_", " ") for form in entry[1:]) for entry in entries if entry}


class Grammar(ABC):
    """Base class of the grammar of a language.

    A subclass is in its own module, fills the lexicon, builds clauses, and has a line in ``world.py``.
    """

    language: str
    lexicon: Lexicon
    """Forms of every concept of ``CONCEPTS``, the lemma first; ``-`` if the language has no word for it."""
    has_spaces = True
    """Whether words are separated by spaces."""
    stop, comma, question = ".", ",", "?"
    space_before_question = False
    contracted: Mapping[tuple[str, str], str] = {}
    """A preposition and an article that are one word: *in dem* is *im*."""

    @abstractmethod
    def clause(self, c: Clause, key: str) -> Phrase:
        """Return a finite clause; ``key`` is the beginning of its paths into the meaning."""

    def meaning(self, meaning: Meaning) -> Phrase:
        """Return the sentence, without its final punctuation: *when* clauses come first, other second clauses last."""
        main = self.clause(meaning.clause, "")
        if meaning.second is None:
            return main
        second = self.clause(meaning.second, "2")
        form, *rest = self.lemma(str(meaning.conjunction)).split(" ")
        comma = self.mark(",", second.head)
        if meaning.conjunction in ("and", "but"):
            mark = Token(form, form, "CCONJ", "conj").under(second.head, "cc")
            return Phrase(main.head, [*main.tokens, comma, mark, *second.under(main.head, "conj")])
        mark = Token(form, form, "SCONJ", "conj").under(second.head, "mark")
        if meaning.conjunction == "when":
            return Phrase(main.head, [mark, *second.under(main.head, "advcl"), comma, *main.tokens])
        marks = [mark, *(Token(word, word, "SCONJ", "conj").under(mark, "fixed") for word in rest)]
        return Phrase(main.head, [*main.tokens, *marks, *second.under(main.head, "advcl")])

    def adjust(self, tokens: list[Token]) -> list[Token]:
        """Apply changes that depend on neighboring words: here ``contracted``; in subclasses elision, *a* or *an*."""
        kept: list[Token] = []
        for token in tokens:
            last = kept[-1] if kept else None
            if last is not None and last.upos == "ADP" and token.upos == "DET":
                short = self.contracted.get((last.form, token.form))
                if short is not None:
                    last.form = short
                    last.keys = f"{last.keys} {token.keys}"
                    continue
            kept.append(token)
        return kept

    def lemma(self, concept: str) -> str:
        """Return the dictionary form of a concept."""
        return self.lexicon[concept][0]

    def gender(self, entity: Entity) -> str:
        """Return the grammatical gender for agreement; a mixed group is masculine."""
        if entity.conjunct is not None:
            both = self.gender(entity.conjunct) == "f" == self.noun_gender(entity.concept)
            return "f" if both else "m"
        return self.noun_gender(entity.concept)

    def noun_gender(self, concept: str) -> str:
        """Return the gender: natural for names, the second form in the lexicon for nouns."""
        return GENDER.get(concept) or self.lexicon[concept][1]

    def name(self, entity: Entity, key: str, form: str = "") -> Phrase:
        """Return a name: one PROPN for each word, further words ``flat``. ``form`` replaces the last word's form."""
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

    def coordinate(self, phrase: Phrase, other: Phrase, key: str) -> None:
        """Add *and* and another noun phrase to a noun phrase."""
        mark = Token(self.lemma("and"), self.lemma("and"), "CCONJ", key + ".and").under(other.head, "cc")
        phrase.tokens += [mark, *other.under(phrase.head, "conj")]

    def question_phrase(self, c: Clause, key: str) -> Token | None:
        """Return the question word."""
        if c.asks in (None, "whether"):
            return None
        upos, part = {"who": ("PRON", "s"), "what": ("PRON", "o"), "where": ("ADV", "p")}[str(c.asks)]
        word = self.lemma(str(c.asks))
        return Token(word, word, upos, key + part)

    def mark(self, form: str, head: Token) -> Token:
        """Return a punctuation mark under ``head``."""
        token = Token(form, form, "PUNCT").under(head, "punct")
        token.space = False
        return token

    def sentence(self, meaning: Meaning) -> Sentence:
        """Return the sentence for a meaning: build, punctuate, adjust, capitalize, and compute the spans."""
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
        return _to_sentence(self.language, tokens, self.has_spaces)


class CaselessGrammar(Grammar):
    """The grammar of a language whose nouns have no case."""

    noun: Callable[..., Phrase]

    def entity(self, e: Entity, key: str, *how: bool) -> Phrase:
        """Return a noun phrase; ``how`` is passed to ``noun``."""
        if e.concept in PRONOUNS:
            token = Token(self.lemma(e.concept), self.lemma(e.concept), "PRON", key)
            return Phrase(token, [token])
        phrase = self.name(e, key) if e.is_name else self.noun(e, key, *how)
        if e.conjunct is not None:
            self.coordinate(phrase, self.entity(e.conjunct, key + "c"), key)
        return phrase


def _to_sentence(language: str, tokens: list[Token], has_spaces: bool) -> Sentence:
    """Convert finished tokens to a sentence."""
    text, spans, entities = "", [], []
    for index, token in enumerate(tokens):
        token.index = index + 1
        if index and has_spaces and token.space:
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
    """Return the participant that a relative clause is about: ``subject`` if it is missing, else ``object``."""
    return "subject" if clause.subject is None else "object"
