"""What the readers give, in a derived language: words change places, and what belongs to a word goes with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from paralign.errors import UserError
from paralign.formats.items import Question, SentencePair, Tagged, Tree
from paralign.languages import DerivedLanguage, WordOrder, join_words, spaces_before
from paralign.text.words import Span, word_spans

__all__ = [
    "ordering_of",
    "reordered_questions",
    "reordered_sentence_pairs",
    "reordered_tagged",
    "reordered_text",
    "reordered_trees",
]

_SENTENCE = re.compile(r"\S.*?(?:[.!?。！？।؟]+[\"'»”’)\]]*(?=\s|$)|(?<=[。！？])|$)", re.DOTALL)
Moved = tuple[str, list[Span], list[int]]
"""A text, the characters of each word in it, and the place from 0 where each word stood before."""


def reordered_text(text: str, language: DerivedLanguage) -> str:
    """A sentence.

    Raises:
        UserError: for ``syn``, which needs its tree.
    """
    _needs_no_tree(language)
    return _moved(text, word_spans(text), language)[0] if language.reorders_words else text


def reordered_trees(
    trees: Iterable[Tree], language: DerivedLanguage, ordering: WordOrder | None, dropped: Counter[str]
) -> Iterator[Tree]:
    """Trees; those that ``syn`` cannot order are left out and counted: ``not projective, or crowded``."""
    for tree in trees:
        if not language.reorders_words:
            yield tree
            continue
        order = language.permutation(tree.words, tree=tree, word_order=ordering)
        if order is None:
            dropped["not projective, or crowded"] += 1
            continue
        text, spans = _joined(tree.text, tree.words, tree.spans, order)
        place = {old + 1: new + 1 for new, old in enumerate(order)} | {0: 0}
        yield replace(
            tree, text=text, spans=tuple(spans),
            words=_taken(tree.words, order), upos=_taken(tree.upos, order), xpos=_taken(tree.xpos, order),
            heads=tuple(place[tree.heads[k]] for k in order), deprels=_taken(tree.deprels, order),
            lemmas=_taken(tree.lemmas, order),
        )  # fmt: skip


def reordered_tagged(sentences: Iterable[Tagged], language: DerivedLanguage) -> Iterator[Tagged]:
    """Sentences with BIO tags: an entity that is torn apart becomes several, and each begins with B-."""
    for sentence in sentences:
        order = _needs_no_tree(language).permutation(sentence.words)
        assert order is not None
        text, spans = _joined(sentence.text, sentence.words, sentence.spans, order)
        tags = _begun([sentence.tags[k] for k in order], _entities(sentence.tags), order) if sentence.tags else ()
        yield replace(sentence, text=text, spans=tuple(spans), words=_taken(sentence.words, order), tags=tuple(tags))


def reordered_sentence_pairs(pairs: Iterable[SentencePair], language: DerivedLanguage) -> Iterator[SentencePair]:
    """Premises and hypotheses, sentence by sentence."""
    _needs_no_tree(language)
    for pair in pairs:
        yield replace(pair, first=_paragraph(pair.first, language)[0], second=_paragraph(pair.second, language)[0])


def reordered_questions(
    questions: Iterable[Question], context: DerivedLanguage | None, question: DerivedLanguage | None, labeled: bool,
    dropped: Counter[str],
) -> Iterator[Question]:  # fmt: skip
    """Questions and paragraphs; an answer keeps its words. Answers that are torn apart or do not begin and end with a
    word are left out and counted (``answer torn apart``), questions without any left too (``no answer``).

    Raises:
        UserError: for ``perm``, which leaves no answer in one piece.
    """
    for language in (context, question):
        if language is not None and language.reverses_pieces:
            raise UserError(
                f"{language.name}: answers are stretches of pieces in the order of the text", hint="use inv"
            )
        if language is not None and "perm" in _needs_no_tree(language).transformations:
            raise UserError(f"{language.name}: words in random order leave no answer in one piece", hint="use inv")
    for item in questions:
        asked = item.question if question is None else _paragraph(item.question, question)[0]
        if context is None or not context.reorders_words:
            yield replace(item, question=asked)
            continue
        text, spans, order = _paragraph(item.context, context)
        before = word_spans(item.context)
        answers, starts = [], []
        for answer, start in zip(item.answers, item.starts, strict=True):
            found = _span_of(before, spans, order, start, start + len(answer))
            if found is None:
                dropped["answer torn apart"] += 1
                continue
            answers.append(text[found[0] : found[1]])
            starts.append(found[0])
        if labeled and not answers:
            dropped["no answer"] += 1
            continue
        yield replace(item, question=asked, context=text, answers=tuple(answers), starts=tuple(starts))


def ordering_of(language: DerivedLanguage | None, ordering: str, path: str) -> WordOrder | None:
    """The word order that ``syn`` needs.

    Raises:
        UserError: if none is named, or the file is none.
    """
    if language is None or "syn" not in language.transformations:
        return None
    if not ordering:
        hint = f"write {language.name}@ORDER.json; `paralign corpus order` makes one of a treebank"
        raise UserError(f"whose word order shall {language.name} have?", where=path, hint=hint)
    return WordOrder.load(ordering)


def _needs_no_tree(language: DerivedLanguage) -> DerivedLanguage:
    if "syn" in language.transformations:
        raise UserError(f"{language.name} needs trees", hint="give a treebank, or derive the language without syn")
    return language


def _moved(text: str, spans: Sequence[Span], language: DerivedLanguage) -> Moved:
    words = [text[start:end] for start, end in spans]
    order = _needs_no_tree(language).permutation(words)
    assert order is not None
    return (*_joined(text, words, spans, order), order)


def _joined(text: str, words: Sequence[str], spans: Sequence[Span], order: Sequence[int]) -> tuple[str, list[Span]]:
    spaces = spaces_before(text, spans)
    return join_words([words[k] for k in order], [spaces[k] for k in order])


def _paragraph(text: str, language: DerivedLanguage) -> Moved:
    """Sentence by sentence; what stands between them stays."""
    if not language.reorders_words:
        spans = word_spans(text)
        return text, spans, list(range(len(spans)))
    out, at = "", 0
    places: list[Span] = []
    order: list[int] = []
    for match in _SENTENCE.finditer(text):
        out += text[at : match.start()]
        made, spans, moved = _moved(match[0], word_spans(match[0]), language)
        places += [(len(out) + start, len(out) + end) for start, end in spans]
        order += [len(order) + k for k in moved]
        out += made
        at = match.end()
    return out + text[at:], places, order


def _span_of(before: Sequence[Span], after: Sequence[Span], order: Sequence[int], start: int, end: int) -> Span | None:
    """Where the words between two characters stand now; ``None`` unless they are whole and in one piece."""
    words = [k for k, (first, last) in enumerate(before) if first < end and start < last]
    if not words or before[words[0]][0] != start or before[words[-1]][1] != end:
        return None
    wanted = set(words)
    places = [place for place, word in enumerate(order) if word in wanted]
    if places[-1] - places[0] + 1 != len(places):
        return None
    return after[places[0]][0], after[places[-1]][1]


def _entities(tags: Sequence[str]) -> list[int]:
    """Which entity each word belongs to: a number for each, -1 for none."""
    out, last = [], -1
    for tag in tags:
        last += tag.startswith("B-")
        out.append(-1 if tag == "O" else last)
    return out


def _begun(tags: Sequence[str], entities: Sequence[int], order: Sequence[int]) -> list[str]:
    out: list[str] = []
    for k, (tag, place) in enumerate(zip(tags, order, strict=True)):
        together = k > 0 and entities[order[k - 1]] == entities[place]
        out.append(tag if tag == "O" else ("I-" if together else "B-") + tag[2:])
    return out


def _taken(values: tuple[str, ...], order: Sequence[int]) -> tuple[str, ...]:
    return tuple(values[k] for k in order)
