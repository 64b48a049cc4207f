"""Items in a derived language: words change their order, and their annotation moves with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from paralign.errors import UserError
from paralign.formats.items import LabeledSentence, Question, SentencePair, Tagged, Tree
from paralign.languages import DerivedLanguage, WordOrder, join_words, spaces_before
from paralign.text.words import Span, word_spans

__all__ = [
    "ordering_of",
    "reorder_labeled_sentences",
    "reorder_questions",
    "reorder_sentence_pairs",
    "reorder_tagged",
    "reorder_text",
    "reorder_trees",
]

_SENTENCE = re.compile(r"\S.*?(?:[.!?。！？।؟]+[\"'»”’)\]]*(?=\s|$)|(?<=[。！？])|$)", re.DOTALL)
Reordered = tuple[str, list[Span], list[int]]
"""A text, the span of each word in it, and the original position of each word, from 0."""


def reorder_text(text: str, language: DerivedLanguage, *, tokenized: bool = False) -> str:
    """Return a sentence in a derived language.

    Args:
        text: the sentence in the base language.
        language: the derived language.
        tokenized: whether its words are separated by spaces.

    Raises:
        UserError: for ``syn``, which needs a tree.
    """
    _needs_no_tree(language)
    if not language.reorders_words:
        return text
    return _reorder(text, word_spans(text, tokenized=tokenized), language)[0]


def reorder_trees(
    trees: Iterable[Tree], language: DerivedLanguage, ordering: WordOrder | None, dropped: Counter[str]
) -> Iterator[Tree]:
    """Yield trees in a derived language.

    Trees that ``syn`` cannot reorder are left out and counted in ``dropped``: ``not projective, or crowded``.
    """
    for tree in trees:
        if not language.reorders_words:
            yield tree
            continue
        order = language.permutation(tree.words, tree=tree, word_order=ordering)
        if order is None:
            dropped["not projective, or crowded"] += 1
            continue
        text, spans = _join(tree.text, tree.words, tree.spans, order)
        new_position = {old + 1: new + 1 for new, old in enumerate(order)} | {0: 0}
        yield replace(
            tree,
            text=text,
            spans=tuple(spans),
            words=_permute(tree.words, order),
            upos=_permute(tree.upos, order),
            xpos=_permute(tree.xpos, order),
            heads=tuple(new_position[tree.heads[k]] for k in order),
            deprels=_permute(tree.deprels, order),
            lemmas=_permute(tree.lemmas, order),
            lines=(),
        )


def reorder_tagged(sentences: Iterable[Tagged], language: DerivedLanguage) -> Iterator[Tagged]:
    """Yield sentences with BIO tags in a derived language.

    An entity whose words are no longer adjacent becomes several, each beginning with B-.
    """
    for sentence in sentences:
        order = _needs_no_tree(language).permutation(sentence.words)
        assert order is not None
        text, spans = _join(sentence.text, sentence.words, sentence.spans, order)
        tags = _bio_tags([sentence.tags[k] for k in order], _entities(sentence.tags), order) if sentence.tags else ()
        yield replace(sentence, text=text, spans=tuple(spans), words=_permute(sentence.words, order), tags=tuple(tags))


def reorder_sentence_pairs(pairs: Iterable[SentencePair], language: DerivedLanguage) -> Iterator[SentencePair]:
    """Yield premises and hypotheses in a derived language; every sentence of a text is reordered separately."""
    _needs_no_tree(language)
    for pair in pairs:
        yield replace(pair, first=_paragraph(pair.first, language)[0], second=_paragraph(pair.second, language)[0])


def reorder_labeled_sentences(
    sentences: Iterable[LabeledSentence], language: DerivedLanguage
) -> Iterator[LabeledSentence]:
    """Yield labeled sentences in a derived language; they keep their labels."""
    _needs_no_tree(language)
    for sentence in sentences:
        yield replace(sentence, text=_paragraph(sentence.text, language)[0])


def reorder_questions(
    questions: Iterable[Question],
    context: DerivedLanguage | None,
    question: DerivedLanguage | None,
    labeled: bool,
    dropped: Counter[str],
) -> Iterator[Question]:
    """Yield questions and paragraphs in derived languages; an answer keeps its words.

    Answers whose words are no longer adjacent, or that do not begin and end at a word, are left out and counted
    (``answer torn apart``), and so are questions without a remaining answer (``no answer``).

    Args:
        questions: in the base languages.
        context, question: the derived languages; ``None`` for a base language.
        labeled: whether answers are required.
        dropped: the counts.

    Raises:
        UserError: for ``perm`` and reversed pieces, which do not keep answers contiguous.
    """
    for language in (context, question):
        if language is not None and language.reverses_pieces:
            raise UserError(
                f"{language.name}: answers must be spans of pieces in the order of the text",
                hint="use the transformation inv",
            )
        if language is not None and "perm" in _needs_no_tree(language).transformations:
            message = f"{language.name}: with words in random order, answers are not contiguous"
            raise UserError(message, hint="use the transformation inv")
    for item in questions:
        question_text = item.question if question is None else _paragraph(item.question, question)[0]
        if context is None or not context.reorders_words:
            yield replace(item, question=question_text)
            continue
        text, spans, order = _paragraph(item.context, context)
        before = word_spans(item.context)
        answers, starts = [], []
        for answer, start in zip(item.answers, item.starts, strict=True):
            span = _span_of(before, spans, order, start, start + len(answer))
            if span is None:
                dropped["answer torn apart"] += 1
                continue
            answers.append(text[span[0] : span[1]])
            starts.append(span[0])
        if labeled and not answers:
            dropped["no answer"] += 1
            continue
        yield replace(item, question=question_text, context=text, answers=tuple(answers), starts=tuple(starts))


def ordering_of(language: DerivedLanguage | None, ordering: str, path: str) -> WordOrder | None:
    """Return the word order that ``syn`` needs; ``None`` for languages without ``syn``.

    Raises:
        UserError: if no file is given, or it cannot be read.
    """
    if language is None or "syn" not in language.transformations:
        return None
    if not ordering:
        hint = f"write {language.name}@ORDER.json; `paralign corpus order` creates the file from a treebank"
        raise UserError(f"{language.name} needs a word order", where=path, hint=hint)
    return WordOrder.load(ordering)


def _needs_no_tree(language: DerivedLanguage) -> DerivedLanguage:
    if "syn" in language.transformations:
        raise UserError(f"{language.name} needs trees", hint="use a treebank, or derive the language without syn")
    return language


def _reorder(text: str, spans: Sequence[Span], language: DerivedLanguage) -> Reordered:
    words = [text[start:end] for start, end in spans]
    order = _needs_no_tree(language).permutation(words)
    assert order is not None
    return (*_join(text, words, spans, order), order)


def _join(text: str, words: Sequence[str], spans: Sequence[Span], order: Sequence[int]) -> tuple[str, list[Span]]:
    spaces = spaces_before(text, spans)
    return join_words([words[k] for k in order], [spaces[k] for k in order])


def _paragraph(text: str, language: DerivedLanguage) -> Reordered:
    """Reorder every sentence of a paragraph; text between sentences is kept."""
    if not language.reorders_words:
        spans = word_spans(text)
        return text, spans, list(range(len(spans)))
    out, end = "", 0
    new_spans: list[Span] = []
    order: list[int] = []
    for match in _SENTENCE.finditer(text):
        out += text[end : match.start()]
        sentence, spans, positions = _reorder(match[0], word_spans(match[0]), language)
        new_spans += [(len(out) + first, len(out) + last) for first, last in spans]
        order += [len(order) + k for k in positions]
        out += sentence
        end = match.end()
    return out + text[end:], new_spans, order


def _span_of(before: Sequence[Span], after: Sequence[Span], order: Sequence[int], start: int, end: int) -> Span | None:
    """Return the new span of the words between two characters; ``None`` unless they are complete and adjacent."""
    words = [k for k, (first, last) in enumerate(before) if first < end and start < last]
    if not words or before[words[0]][0] != start or before[words[-1]][1] != end:
        return None
    wanted = set(words)
    positions = [position for position, word in enumerate(order) if word in wanted]
    if positions[-1] - positions[0] + 1 != len(positions):
        return None
    return after[positions[0]][0], after[positions[-1]][1]


def _entities(tags: Sequence[str]) -> list[int]:
    """Return the number of the entity of each word, -1 for none."""
    out, last = [], -1
    for tag in tags:
        last += tag.startswith("B-")
        out.append(-1 if tag == "O" else last)
    return out


def _bio_tags(tags: Sequence[str], entities: Sequence[int], order: Sequence[int]) -> list[str]:
    out: list[str] = []
    for k, (tag, word) in enumerate(zip(tags, order, strict=True)):
        continues = k > 0 and entities[order[k - 1]] == entities[word]
        out.append(tag if tag == "O" else ("I-" if continues else "B-") + tag[2:])
    return out


def _permute(values: tuple[str, ...], order: Sequence[int]) -> tuple[str, ...]:
    return tuple(values[k] for k in order)
