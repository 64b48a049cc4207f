"""Readers of all kinds of items, from a file, the small world or a derived language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from paralign.errors import UserError
from paralign.formats.bucc import read_bucc
from paralign.formats.conllu import is_plain_text, is_treebank, read_conllu, read_words
from paralign.formats.items import LabeledSentence, MiningSet, Pair, Question, SentencePair, Tagged, Tree
from paralign.formats.labeled_sentences import read_labeled_sentence_file
from paralign.formats.parallel_text import read_pair_files, read_plain_text
from paralign.formats.sentence_pairs import read_sentence_pair_file
from paralign.formats.squad import read_squad
from paralign.formats.tagged_columns import Columns, has_no_columns, read_tagged_columns
from paralign.languages import DerivedLanguage, base_language
from paralign.sources import smallworld
from paralign.sources.item_reader import ItemReader, ReadOptions, base_spec, reordered_items
from paralign.sources.reordering import (
    ordering_of,
    reorder_labeled_sentences,
    reorder_questions,
    reorder_sentence_pairs,
    reorder_tagged,
    reorder_text,
    reorder_trees,
)
from paralign.sources.specs import PairSpec, TextSpec

__all__ = [
    "read_labeled_sentences",
    "read_mining",
    "read_pairs",
    "read_questions",
    "read_rows",
    "read_sentence_pairs",
    "read_tagged",
    "read_text",
    "read_trees",
]


def read_pairs(
    spec: PairSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, tokenized: bool = False
) -> Iterator[Pair]:
    """Read parallel text in a stream, in the order of the file, including pairs with empty sides.

    The formats are those of :func:`paralign.formats.parallel_text.read_pair_files`. For a language and one derived from
    it, or two languages derived from the same one, plain text or one treebank is read, and each sentence is yielded in
    both languages.

    Args:
        spec: languages and path.
        lenient: drop lines that cannot be read instead of raising.
        dropped: counts what ``lenient`` dropped, by reason; not counted if ``None``.
        tokenized: whether words are separated by spaces; then the text of files is normalized by
            :func:`paralign.text.normalization.normalize_tokens`, which keeps every token.

    Raises:
        UserError: with ``file:line``; for two files of different length with both counts.

    >>> next(read_pairs(PairSpec("en", "de", "smallworld"))).line
    0
    """
    return _PAIRS(spec, replace(_options(lenient, dropped), tokenized=tokenized))


def read_text(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str]]:
    """Read plain text, one sentence per line, or the sentences of a treebank.

    Args and errors as in :func:`read_pairs`.

    Yields:
        Line number and normalized text, also of blank lines.
    """
    return _TEXT(spec, _options(lenient, dropped))


def read_rows(
    spec: PairSpec | TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, tokenized: bool = False
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Read parallel text or plain text.

    Args and errors as in :func:`read_pairs`; ``tokenized`` has no effect on plain text.

    Yields:
        Line number and the text of each language of the spec.
    """
    if isinstance(spec, PairSpec):
        pairs = read_pairs(spec, lenient=lenient, dropped=dropped, tokenized=tokenized)
        return ((pair.line, (pair.source, pair.target)) for pair in pairs)
    return ((line, (text,)) for line, text in read_text(spec, lenient=lenient, dropped=dropped))


def read_trees(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> Iterator[Tree]:
    """Read the trees of a CoNLL-U file.

    Args:
        spec: language and path.
        lenient: drop malformed sentences instead of raising.
        dropped: counts what was dropped, by reason: those of :func:`paralign.formats.conllu.read_conllu`, and
            ``not projective, or crowded`` (languages derived by ``syn``).
        labeled: whether the annotation is required; with ``False``, plain text is read too, one sentence per line, with
            the words of :func:`paralign.text.words.word_spans`.

    Raises:
        UserError: with ``file:line``.
    """
    return _TREES(spec, _options(lenient, dropped, labeled))


def read_tagged(
    spec: TextSpec,
    *,
    scheme: Literal["bio", "conll"] = "bio",
    columns: Columns = (None, None),
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    labeled: bool = True,
) -> Iterator[Tagged]:
    """Read sentences with entity tags; see :func:`paralign.formats.tagged_columns.read_tagged_columns`."""
    if scheme not in ("bio", "conll"):
        raise UserError(f"unknown scheme {scheme!r}", hint="use bio or conll")
    return _TAGGED(spec, replace(_options(lenient, dropped, labeled), scheme=scheme, columns=columns))


def read_sentence_pairs(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> Iterator[SentencePair]:
    """Read labeled sentence pairs; see :func:`paralign.formats.sentence_pairs.read_sentence_pair_file`."""
    return _SENTENCE_PAIRS(spec, _options(lenient, dropped, labeled))


def read_labeled_sentences(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> Iterator[LabeledSentence]:
    """Read labeled sentences; see :func:`paralign.formats.labeled_sentences.read_labeled_sentence_file`."""
    return _LABELED_SENTENCES(spec, _options(lenient, dropped, labeled))


def read_questions(
    path: str,
    *,
    languages: tuple[str, str],
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    labeled: bool = True,
) -> Iterator[Question]:
    """Read questions and paragraphs; see :func:`paralign.formats.squad.read_squad`.

    Args:
        path: the file, ``-``, or ``smallworld[:START-STOP]``.
        languages: languages of context and question (they can differ in MLQA).
        lenient: drop unusable answers and questions instead of raising.
        dropped: counts what was dropped, by reason; in a derived language also ``answer torn apart``.
        labeled: whether answers are required.

    Raises:
        UserError: with file and question.
    """
    return _QUESTIONS(PairSpec(*languages, str(path)), _options(lenient, dropped, labeled))


def read_mining(
    spec: PairSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> MiningSet:
    """Read a bitext mining set; see :func:`paralign.formats.bucc.read_bucc`."""
    return _MINING(spec, _options(lenient, dropped, labeled))


def _options(lenient: bool, dropped: Counter[str] | None, labeled: bool = True) -> ReadOptions:
    return ReadOptions(lenient, Counter() if dropped is None else dropped, labeled)


def _pair_files(spec: PairSpec, options: ReadOptions) -> Iterator[Pair]:
    return read_pair_files(
        spec.path,
        spec.paths,
        spec.wanted,
        lenient=options.lenient,
        dropped=options.dropped,
        tokenized=options.tokenized,
    )


def _derived_pairs(
    spec: PairSpec, languages: tuple[DerivedLanguage | None, ...], options: ReadOptions
) -> Iterator[Pair]:
    """Yield both sides of one text if they have the same base language, otherwise the transformed sides of pairs."""
    bases = _bases(spec)
    if bases[0] != bases[1]:
        for pair in _PAIRS(PairSpec(*bases, spec.path, variants=spec.variants), options):
            texts = zip((pair.source, pair.target), languages, strict=True)
            source, target = (_reordered(text, derived, options.tokenized) for text, derived in texts)
            yield Pair(source, target, pair.line)
    elif is_treebank(spec.path) or any(map(_needs_trees, languages)):
        yield from _derived_trees(spec, languages, bases[0], options)
    else:
        for number, text in _TEXT(TextSpec(bases[0], spec.path, variant=spec.variants[0]), options):
            source, target = (_reordered(text, derived, options.tokenized) for derived in languages)
            yield Pair(source, target, number)


def _derived_trees(
    spec: PairSpec, languages: tuple[DerivedLanguage | None, ...], base: str, options: ReadOptions
) -> Iterator[Pair]:
    """Yield both sides of the sentences of a treebank; those that cannot be transformed are left out."""
    options = replace(options, labeled=any(map(_needs_trees, languages)))
    orders = [ordering_of(derived, path, spec.path) for derived, path in zip(languages, spec.orderings, strict=True)]
    for tree in _TREES(TextSpec(base, spec.path), options):
        sides: list[str] = []
        for derived, order in zip(languages, orders, strict=True):
            reordered = [tree] if derived is None else list(reorder_trees([tree], derived, order, options.dropped))
            sides += [side.text for side in reordered]
            if not reordered:
                break
        if len(sides) == 2:
            yield Pair(sides[0], sides[1], tree.line)


def _text_file(spec: TextSpec, options: ReadOptions) -> Iterator[tuple[int, str]]:
    if is_treebank(spec.path):
        return ((tree.line, tree.text) for tree in _TREES(spec, replace(options, labeled=False)))
    return read_plain_text(
        spec.path,
        spec.variant or spec.language,
        lenient=options.lenient,
        dropped=options.dropped,
        tokenized=options.tokenized,
    )


def _derived_text(
    spec: TextSpec, languages: tuple[DerivedLanguage | None, ...], options: ReadOptions
) -> Iterator[tuple[int, str]]:
    (language,) = languages
    if is_treebank(spec.path) or _needs_trees(language):
        return ((tree.line, tree.text) for tree in _TREES(spec, replace(options, labeled=_needs_trees(language))))
    return ((number, _reordered(text, language)) for number, text in _TEXT(base_spec(spec, language), options))


def _tree_file(spec: TextSpec, options: ReadOptions) -> Iterator[Tree]:
    if not options.labeled and is_plain_text(spec.path):
        return read_words(spec.path, lenient=options.lenient, dropped=options.dropped)
    return read_conllu(spec.path, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled)


def _derived_language_trees(
    spec: TextSpec, languages: tuple[DerivedLanguage | None, ...], options: ReadOptions
) -> Iterator[Tree]:
    (language,) = languages
    assert language is not None
    trees = _TREES(base_spec(spec, language), options)
    return reorder_trees(trees, language, ordering_of(language, spec.ordering, spec.path), options.dropped)


def _tagged_file(spec: TextSpec, options: ReadOptions) -> Iterator[Tagged]:
    if not options.labeled and options.columns == (None, None) and has_no_columns(spec.path):
        trees = read_words(spec.path, lenient=options.lenient, dropped=options.dropped)
        return (Tagged(tree.text, tree.words, tree.spans, (), tree.line) for tree in trees)
    return read_tagged_columns(
        spec.path,
        spec.language,
        scheme=options.scheme,
        columns=options.columns,
        lenient=options.lenient,
        dropped=options.dropped,
        labeled=options.labeled,
    )


def _sentence_pair_file(spec: TextSpec, options: ReadOptions) -> Iterator[SentencePair]:
    return read_sentence_pair_file(
        spec.path, spec.language, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled
    )


def _labeled_sentence_file(spec: TextSpec, options: ReadOptions) -> Iterator[LabeledSentence]:
    return read_labeled_sentence_file(
        spec.path, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled
    )


def _no_labeled_sentences(spec: TextSpec, indices: range) -> Iterator[LabeledSentence]:
    raise UserError("the small world has no labeled sentences", hint="use a file with the columns text and label")


def _question_file(spec: PairSpec, options: ReadOptions) -> Iterator[Question]:
    return read_squad(spec.path, spec.source, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled)


def _derived_questions(
    spec: PairSpec, languages: tuple[DerivedLanguage | None, ...], options: ReadOptions
) -> Iterator[Question]:
    context, question = languages
    questions = _QUESTIONS(PairSpec(*_bases(spec), spec.path), options)
    return reorder_questions(questions, context, question, options.labeled, options.dropped)


def _mining_files(spec: PairSpec, options: ReadOptions) -> MiningSet:
    return read_bucc(
        spec.path, spec.languages, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled
    )


def _no_mining(spec: PairSpec, indices: range) -> MiningSet:
    raise UserError("the small world has no mining set", hint="use files in the format of BUCC")


def _derived_mining(spec: PairSpec, languages: tuple[DerivedLanguage | None, ...], options: ReadOptions) -> MiningSet:
    mining_set = _MINING(PairSpec(*_bases(spec), spec.path), options)
    source, target = languages
    return replace(
        mining_set,
        source=[_reordered(text, source) for text in mining_set.source],
        target=[_reordered(text, target) for text in mining_set.target],
    )


def _bases(spec: PairSpec) -> tuple[str, str]:
    source, target = map(base_language, spec.languages)
    return source, target


def _needs_trees(language: DerivedLanguage | None) -> bool:
    return language is not None and "syn" in language.transformations


def _reordered(text: str, language: DerivedLanguage | None, tokenized: bool = False) -> str:
    return text if language is None else reorder_text(text, language, tokenized=tokenized)


_PAIRS = ItemReader[PairSpec, Iterator[Pair]](_pair_files, smallworld.smallworld_pairs, _derived_pairs)
_TEXT = ItemReader[TextSpec, Iterator[tuple[int, str]]](
    _text_file, lambda spec, indices: smallworld.smallworld_text(spec.language, indices), _derived_text
)
_TREES = ItemReader[TextSpec, Iterator[Tree]](
    _tree_file, lambda spec, indices: smallworld.smallworld_trees(spec.language, indices), _derived_language_trees
)
_TAGGED = reordered_items(
    _tagged_file, lambda spec, indices: smallworld.smallworld_tagged(spec.language, indices), reorder_tagged
)
_SENTENCE_PAIRS = reordered_items(
    _sentence_pair_file,
    lambda spec, indices: smallworld.smallworld_sentence_pairs(spec.language, indices),
    reorder_sentence_pairs,
)
_LABELED_SENTENCES = reordered_items(_labeled_sentence_file, _no_labeled_sentences, reorder_labeled_sentences)
_QUESTIONS = ItemReader[PairSpec, Iterator[Question]](
    _question_file, lambda spec, indices: smallworld.smallworld_questions(*spec.languages, indices), _derived_questions
)
_MINING = ItemReader[PairSpec, MiningSet](_mining_files, _no_mining, _derived_mining)
