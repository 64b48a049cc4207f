"""From a spec to items: a file, the small world or a derived language is decided here, for every kind of item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Generic, Literal, TypeVar

from paralign.errors import UserError
from paralign.formats.bucc import read_bucc
from paralign.formats.conllu import is_plain_text, is_treebank, read_conllu, read_words
from paralign.formats.items import MiningSet, Pair, Question, SentencePair, Tagged, Tree
from paralign.formats.parallel_text import count_lines, read_pair_files, read_plain_text
from paralign.formats.sentence_pairs import read_sentence_pair_file
from paralign.formats.squad import read_squad
from paralign.formats.tagged_columns import read_tagged_columns
from paralign.languages import DerivedLanguage, parse_derived
from paralign.sources import smallworld
from paralign.sources.reordering import (
    ordering_of,
    reordered_questions,
    reordered_sentence_pairs,
    reordered_tagged,
    reordered_text,
    reordered_trees,
)
from paralign.sources.specs import PairSpec, TextSpec, smallworld_range

__all__ = [
    "line_count",
    "read_mining",
    "read_pairs",
    "read_questions",
    "read_sentence_pairs",
    "read_tagged",
    "read_text",
    "read_trees",
]

Spec = TypeVar("Spec", TextSpec, PairSpec)
Items = TypeVar("Items")


@dataclass(frozen=True)
class _Options:
    """How a source is read: see :func:`read_pairs` and :func:`read_trees`."""

    lenient: bool = False
    dropped: Counter[str] = field(default_factory=Counter)
    labeled: bool = True
    scheme: Literal["bio", "conll"] = "bio"


@dataclass(frozen=True)
class _Reader(Generic[Spec, Items]):
    """The three ways to get one kind of item.

    ``derive`` gets the spec, the derived languages (``None`` for a side that is not derived) and the options, and
    reads what it needs of the base languages itself.
    """

    file: Callable[[Spec, _Options], Items]
    smallworld: Callable[[Spec, range], Items]
    derive: Callable[[Spec, tuple[DerivedLanguage | None, ...], _Options], Items]

    def __call__(self, spec: Spec, options: _Options) -> Items:
        languages = tuple(map(parse_derived, spec.languages))
        if any(languages):
            return self.derive(spec, languages, options)
        indices = smallworld_range(spec.path)
        if indices is not None:
            return self.smallworld(spec, indices)
        return self.file(spec, options)


def read_pairs(spec: PairSpec, *, lenient: bool = False, dropped: Counter[str] | None = None) -> Iterator[Pair]:
    """Read parallel text in a stream, in the order of the file, empty sides included.

    Formats are those of :func:`paralign.formats.parallel_text.read_pair_files`. For a language and one derived from it, or two
    derived from one, plain text or one treebank is read, and each sentence comes in both.

    Args:
        spec: languages and path.
        lenient: drop lines that cannot be read instead of raising.
        dropped: counts what ``lenient`` dropped, by reason.

    Raises:
        UserError: with ``file:line``; for two files of different length with both counts.
    """
    return _PAIRS(spec, _options(lenient, dropped))


def read_text(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str]]:
    """Read plain text, one sentence per line, as ``(line number, normalized text)``, blank lines included; or the
    sentences of a treebank.

    Args and errors as in :func:`read_pairs`.
    """
    return _TEXT(spec, _options(lenient, dropped))


def read_trees(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> Iterator[Tree]:
    """Read the trees of a CoNLL-U file.

    Args:
        spec: language and path.
        lenient: drop sentences that are not well-formed instead of raising.
        dropped: counts what was dropped, by reason: those of :func:`paralign.formats.conllu.read_conllu`, and
            ``not projective, or crowded`` (``syn``).
        labeled: with ``False`` the analysis may be missing, and plain text is read too, one sentence per line: its
            words are those of :func:`paralign.text.words.word_spans`.

    Raises:
        UserError: with ``file:line``.
    """
    return _TREES(spec, _options(lenient, dropped, labeled))


def read_tagged(
    spec: TextSpec,
    *,
    scheme: Literal["bio", "conll"] = "bio",
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    labeled: bool = True,
) -> Iterator[Tagged]:
    """Read sentences with entity tags; see :func:`paralign.formats.tagged_columns.read_tagged_columns`."""
    if scheme not in ("bio", "conll"):
        raise UserError(f"unknown scheme {scheme!r}", hint="known: bio, conll")
    return _TAGGED(spec, _options(lenient, dropped, labeled, scheme))


def read_sentence_pairs(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> Iterator[SentencePair]:
    """Read labeled sentence pairs; see :func:`paralign.formats.sentence_pairs.read_sentence_pair_file`."""
    return _SENTENCE_PAIRS(spec, _options(lenient, dropped, labeled))


def read_questions(
    path: str, *, languages: tuple[str, str], lenient: bool = False, dropped: Counter[str] | None = None,
    labeled: bool = True,
) -> Iterator[Question]:  # fmt: skip
    """Read questions and paragraphs; see :func:`paralign.formats.squad.read_squad`.

    Args:
        path: the file, ``-``, or ``smallworld[:START-STOP]``.
        languages: of the context and of the question (they differ in MLQA).
        lenient: drop answers and questions that cannot be used instead of raising.
        dropped: counts what was dropped, by reason; in a derived language also ``answer torn apart``.
        labeled: with ``False`` answers may be missing.

    Raises:
        UserError: naming file and question.
    """
    return _QUESTIONS(PairSpec(*languages, str(path)), _options(lenient, dropped, labeled))


def read_mining(
    spec: PairSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, labeled: bool = True
) -> MiningSet:
    """Read a bitext mining set; see :func:`paralign.formats.bucc.read_bucc`."""
    return _MINING(spec, _options(lenient, dropped, labeled))


def line_count(spec: PairSpec | TextSpec) -> int | None:
    """Return the number of lines of the file behind a spec; see :func:`paralign.formats.parallel_text.count_lines`."""
    return count_lines(spec.path, spec.paths)


def _options(
    lenient: bool, dropped: Counter[str] | None, labeled: bool = True, scheme: Literal["bio", "conll"] = "bio"
) -> _Options:
    return _Options(lenient, Counter() if dropped is None else dropped, labeled, scheme)


def _base(spec: TextSpec, language: DerivedLanguage | None) -> TextSpec:
    """The spec of the text that a derived language is made from."""
    return spec if language is None else TextSpec(language.base, spec.path)


def _pair_files(spec: PairSpec, options: _Options) -> Iterator[Pair]:
    return read_pair_files(spec.path, spec.paths, spec.languages, lenient=options.lenient, dropped=options.dropped)


def _derived_pairs(spec: PairSpec, languages: tuple[DerivedLanguage | None, ...], options: _Options) -> Iterator[Pair]:
    """Both sides of one text where they are of one language, else the sides of pairs."""
    bases = [tag if one is None else one.base for tag, one in zip(spec.languages, languages, strict=True)]
    if bases[0] != bases[1]:
        for pair in _PAIRS(PairSpec(bases[0], bases[1], spec.path), options):
            texts = (_reordered(pair.source, languages[0]), _reordered(pair.target, languages[1]))
            yield Pair(*texts, pair.line)
    elif is_treebank(spec.path) or any(_needs_trees(one) for one in languages):
        yield from _derived_trees(spec, languages, bases[0], options)
    else:
        for number, text in _TEXT(TextSpec(bases[0], spec.path), options):
            yield Pair(_reordered(text, languages[0]), _reordered(text, languages[1]), number)


def _derived_trees(
    spec: PairSpec, languages: tuple[DerivedLanguage | None, ...], base: str, options: _Options
) -> Iterator[Pair]:
    """Both sides of a treebank, in the order of its own words; a sentence that one of them cannot have is left out."""
    options = replace(options, labeled=any(_needs_trees(one) for one in languages))
    orders = [ordering_of(one, path, spec.path) for one, path in zip(languages, spec.orderings, strict=True)]
    for tree in _TREES(TextSpec(base, spec.path), options):
        sides: list[str] = []
        for one, order in zip(languages, orders, strict=True):
            made = [tree] if one is None else list(reordered_trees([tree], one, order, options.dropped))
            sides += [side.text for side in made]
            if not made:
                break
        if len(sides) == 2:
            yield Pair(sides[0], sides[1], tree.line)


def _text_file(spec: TextSpec, options: _Options) -> Iterator[tuple[int, str]]:
    if is_treebank(spec.path):
        return ((tree.line, tree.text) for tree in _TREES(spec, replace(options, labeled=False)))
    return read_plain_text(spec.path, spec.language, lenient=options.lenient, dropped=options.dropped)


def _derived_text(
    spec: TextSpec, languages: tuple[DerivedLanguage | None, ...], options: _Options
) -> Iterator[tuple[int, str]]:
    (language,) = languages
    if is_treebank(spec.path) or _needs_trees(language):
        return ((tree.line, tree.text) for tree in _TREES(spec, replace(options, labeled=_needs_trees(language))))
    return ((number, _reordered(text, language)) for number, text in _TEXT(_base(spec, language), options))


def _tree_file(spec: TextSpec, options: _Options) -> Iterator[Tree]:
    if not options.labeled and is_plain_text(spec.path):
        return read_words(spec.path, lenient=options.lenient, dropped=options.dropped)
    return read_conllu(spec.path, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled)


def _derived_language_trees(
    spec: TextSpec, languages: tuple[DerivedLanguage | None, ...], options: _Options
) -> Iterator[Tree]:
    (language,) = languages
    assert language is not None
    trees = _TREES(_base(spec, language), options)
    return reordered_trees(trees, language, ordering_of(language, spec.ordering, spec.path), options.dropped)


def _tagged_file(spec: TextSpec, options: _Options) -> Iterator[Tagged]:
    return read_tagged_columns(
        spec.path, spec.language, scheme=options.scheme, lenient=options.lenient, dropped=options.dropped,
        labeled=options.labeled,
    )  # fmt: skip


def _derived_tagged(
    spec: TextSpec, languages: tuple[DerivedLanguage | None, ...], options: _Options
) -> Iterator[Tagged]:
    (language,) = languages
    assert language is not None
    return reordered_tagged(_TAGGED(_base(spec, language), options), language)


def _sentence_pair_file(spec: TextSpec, options: _Options) -> Iterator[SentencePair]:
    return read_sentence_pair_file(
        spec.path, spec.language, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled
    )


def _derived_sentence_pairs(
    spec: TextSpec, languages: tuple[DerivedLanguage | None, ...], options: _Options
) -> Iterator[SentencePair]:
    (language,) = languages
    assert language is not None
    return reordered_sentence_pairs(_SENTENCE_PAIRS(_base(spec, language), options), language)


def _question_file(spec: PairSpec, options: _Options) -> Iterator[Question]:
    return read_squad(spec.path, spec.source, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled)


def _derived_questions(
    spec: PairSpec, languages: tuple[DerivedLanguage | None, ...], options: _Options
) -> Iterator[Question]:
    context, question = languages
    own = _QUESTIONS(PairSpec(*_bases(spec, languages), spec.path), options)
    return reordered_questions(own, context, question, options.labeled, options.dropped)


def _mining_files(spec: PairSpec, options: _Options) -> MiningSet:
    return read_bucc(
        spec.path, spec.languages, lenient=options.lenient, dropped=options.dropped, labeled=options.labeled
    )


def _no_mining(spec: PairSpec, indices: range) -> MiningSet:
    raise UserError("the small world has no mining set", hint="name files in BUCC's format")


def _derived_mining(spec: PairSpec, languages: tuple[DerivedLanguage | None, ...], options: _Options) -> MiningSet:
    own = _MINING(PairSpec(*_bases(spec, languages), spec.path), options)
    texts = [[_reordered(text, one) for text in side] for side, one in zip((own.source, own.target), languages,
                                                                           strict=True)]  # fmt: skip
    return replace(own, source=texts[0], target=texts[1])


def _bases(spec: PairSpec, languages: tuple[DerivedLanguage | None, ...]) -> tuple[str, str]:
    source, target = (tag if one is None else one.base for tag, one in zip(spec.languages, languages, strict=True))
    return source, target


def _needs_trees(language: DerivedLanguage | None) -> bool:
    return language is not None and "syn" in language.transformations


def _reordered(text: str, language: DerivedLanguage | None) -> str:
    return text if language is None else reordered_text(text, language)


_PAIRS = _Reader[PairSpec, Iterator[Pair]](_pair_files, smallworld.smallworld_pairs, _derived_pairs)
_TEXT = _Reader[TextSpec, Iterator[tuple[int, str]]](
    _text_file, lambda spec, indices: smallworld.smallworld_text(spec.language, indices), _derived_text
)
_TREES = _Reader[TextSpec, Iterator[Tree]](
    _tree_file, lambda spec, indices: smallworld.smallworld_trees(spec.language, indices), _derived_language_trees
)
_TAGGED = _Reader[TextSpec, Iterator[Tagged]](
    _tagged_file, lambda spec, indices: smallworld.smallworld_tagged(spec.language, indices), _derived_tagged
)
_SENTENCE_PAIRS = _Reader[TextSpec, Iterator[SentencePair]](
    _sentence_pair_file,
    lambda spec, indices: smallworld.smallworld_sentence_pairs(spec.language, indices),
    _derived_sentence_pairs,
)
_QUESTIONS = _Reader[PairSpec, Iterator[Question]](
    _question_file, lambda spec, indices: smallworld.smallworld_questions(*spec.languages, indices), _derived_questions
)
_MINING = _Reader[PairSpec, MiningSet](_mining_files, _no_mining, _derived_mining)
