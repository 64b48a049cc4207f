"""English."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from paralign.smallworld.concepts import CONCEPTS, HUMAN, MASS, MOMENTS, MONTHS, NOUNS, VERBS, WEEKDAYS
from paralign.smallworld.grammar import CaselessGrammar, Phrase, Token, gap_role, table
from paralign.smallworld.meaning import Adjunct, Clause, Entity

__all__ = ["English"]

_PLURALS = table("""
man men | woman women | child children | thief thieves | policeman policemen | fisherman fishermen
mouse mice | fish fish | sheep sheep | knife knives
""")
_PASTS = table("""
see saw | eat ate | read read | buy bought | give gave | go went | sleep slept | drink drank | write wrote
come came | hear heard | find found | send sent | lose lost | meet met | catch caught | make made | sing sang
sell sold | run ran | tell told | feed fed | cut cut | swim swam | steal stole | break broke | throw threw
hide hid | choose chose | understand understood | lend lent | say said | think thought | know knew
""")
_DAYPARTS = {"morning": ("in", "the"), "evening": ("in", "the"), "night": ("at", "")}
_LEMMAS = {concept: (concept.replace("_", " "),) for concept in CONCEPTS}


def plural(noun: str) -> str:
    """Return the plural of a noun."""
    if noun in _PLURALS:
        return _PLURALS[noun][0]
    if noun.endswith(("s", "sh", "ch", "x")) or noun in ("tomato", "mango"):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def third(verb: str) -> str:
    """Return the third person singular, present."""
    if verb.endswith(("s", "sh", "ch", "x", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + "s"


def past(verb: str) -> str:
    """Return the simple past."""
    if verb in _PASTS:
        return _PASTS[verb][0]
    if verb.endswith("e"):
        return verb + "d"
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ied"
    return verb + "ed"


class English(CaselessGrammar):
    """English: do-support, simple past, articles *a* and *an*."""

    language = "en"
    lexicon = _LEMMAS
    forms: ClassVar[dict[str, str]] = {noun: plural(noun) for noun in NOUNS if noun not in MASS}
    thirds: ClassVar[dict[str, str]] = {verb: third(verb) for verb in VERBS}
    pasts: ClassVar[dict[str, str]] = {verb: past(verb) for verb in VERBS}

    def noun(self, e: Entity, key: str) -> Phrase:
        """Return a noun with determiner, number, adjective, owner and relative clause."""
        form = self.forms[e.concept] if e.plural else e.concept
        head = Token(form, e.concept, "NOUN", key)
        tokens: list[Token] = []
        if e.owner is not None:
            owner = self.entity(e.owner, key + "w")
            mark = Token("'s", "'s", "PART", key + "w.case").under(owner.head, "case")
            mark.space = False
            tokens += [*owner.under(head, "nmod:poss"), mark]
        elif e.definite:
            tokens.append(Token("the", "the", "DET", key + ".det").under(head, "det"))
        elif not e.plural:
            tokens.append(Token("a", "a", "DET", key + ".det").under(head, "det"))
        if e.count:
            tokens.append(Token(e.count, e.count, "NUM", key + ".num").under(head, "nummod"))
        if e.adjective:
            tokens.append(Token(e.adjective, e.adjective, "ADJ", key + ".adj").under(head, "amod"))
        tokens.append(head)
        if e.relative is not None:
            who = "who" if e.concept in HUMAN and e.relative.subject is None else "that"
            clause = self.clause(e.relative, key + "r", gap=e)
            relative = Token(who, who, "PRON", key + "r.rel")
            relative.under(clause.head, "nsubj" if gap_role(e.relative) == "subject" else "obj")
            tokens += [relative, *clause.under(head, "acl:relcl")]
        return Phrase(head, tokens)

    def clause(self, c: Clause, key: str, gap: Entity | None = None) -> Phrase:
        """Return a finite clause in main-clause or question order."""
        subject = self.entity(c.subject, key + "s") if c.subject is not None else None
        plural = (c.subject or gap or Entity("who")).is_plural
        before: list[Token] = []
        after: list[Token] = []
        aux: Token | None = None
        question_word: list[Token] = []
        if c.asks in ("who", "what", "where"):
            upos = "ADV" if c.asks == "where" else "PRON"
            question_word = [
                Token(c.asks, c.asks, upos, key + ("s" if c.asks == "who" else "o" if c.asks == "what" else "p"))
            ]
        if c.verb == "be":
            aux = self.be(c, plural, key)
            if c.adjective:
                head = Token(c.adjective, c.adjective, "ADJ", key + "v")
                after = [head]
            elif c.place is not None:
                place = self.adjunct(c.place, key + "p")
                head, after = place.head, place.tokens
            else:
                head = question_word[0]
            aux.under(head, "cop")
        else:
            head = Token("", c.verb, "VERB", key + "v")
            inverted = c.asks in ("whether", "what", "where")
            if c.tense == "future":
                aux = Token("will", "will", "AUX", key + "v.aux").under(head, "aux")
            elif c.negated or inverted:
                do = "did" if c.tense == "past" else "do" if plural else "does"
                aux = Token(do, "do", "AUX", key + "v.aux").under(head, "aux")
            if aux is not None:
                head.form = c.verb
            elif c.tense == "past":
                head.form = self.pasts[c.verb]
            else:
                head.form = c.verb if plural else self.thirds[c.verb]
            if c.frequency:
                before.append(Token(c.frequency, c.frequency, "ADV", key + "f").under(head, "advmod"))
            after = [head]
            if c.object is not None:
                after += self.entity(c.object, key + "o").under(head, "obj")
            for role, e in (("r", c.recipient), ("g", c.goal)):
                if e is not None:
                    after += self.adjunct(Adjunct("to", e), key + role).under(head, "obl")
            if c.manner:
                after.append(Token(c.manner, c.manner, "ADV", key + "m").under(head, "advmod"))
            if c.company is not None:
                after += self.adjunct(c.company, key + "x").under(head, "obl")
            if c.place is not None:
                after += self.adjunct(c.place, key + "p").under(head, "obl")
        if c.negated:
            before.insert(0, Token("not", "not", "PART", key + "n").under(head, "advmod"))
        for token in question_word:
            if token is not head:
                role = {"who": "nsubj", "what": "obj", "where": "advmod"}[token.form]
                token.under(head, role)
        subjects = subject.under(head, "nsubj") if subject is not None else []
        inversion = c.asks in ("whether", "what", "where")
        auxiliaries = [aux] if aux is not None else []
        middle = [*auxiliaries, *subjects] if inversion else [*subjects, *auxiliaries]
        tokens = [*question_word, *middle, *before, *after]
        if c.time:
            time = self.time(c.time, key + "t", head)
            tokens = [*time, *tokens] if c.fronted else [*tokens, *time]
        if c.complement is not None:
            inner = self.clause(c.complement, key + "k")
            mark = Token("that", "that", "SCONJ", key + "k.mark").under(inner.head, "mark")
            tokens += [mark, *inner.under(head, "ccomp")]
        return Phrase(head, tokens)

    def be(self, c: Clause, plural: bool, key: str) -> Token:
        """Return the form of *to be*."""
        forms = ("was", "were") if c.tense == "past" else ("is", "are")
        return Token(forms[plural], "be", "AUX", key + "v.cop")

    def adjunct(self, adjunct: Adjunct, key: str) -> Phrase:
        """Return a preposition phrase, headed by its noun."""
        ground = self.entity(adjunct.ground, key)
        mark = Token(adjunct.relation, adjunct.relation, "ADP", key + ".case").under(ground.head, "case")
        return Phrase(ground.head, [mark, *ground.tokens])

    def time(self, concept: str, key: str, head: Token) -> list[Token]:
        """Return a time adverb, or a preposition with a weekday, month or part of the day."""
        if concept in MOMENTS:
            return [Token(concept, concept, "ADV", key).under(head, "advmod")]
        upos = "PROPN" if concept in WEEKDAYS or concept in MONTHS else "NOUN"
        noun = Token(concept, concept, upos, key).under(head, "obl")
        case, article = _DAYPARTS.get(concept, ("on" if concept in WEEKDAYS else "in", ""))
        tokens = [Token(case, case, "ADP", key + ".case").under(noun, "case")]
        if article:
            tokens.append(Token(article, article, "DET", key + ".det").under(noun, "det"))
        return [*tokens, noun]

    def adjust(self, tokens: list[Token]) -> list[Token]:
        """Replace *a* before a vowel by *an*."""
        for token, after in pairwise(tokens):
            if token.form == "a" and after.form[0] in "aeiou":
                token.form = "an"
        return tokens
