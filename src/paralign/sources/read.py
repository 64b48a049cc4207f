"""Readers of parallel and plain text: every format gives the same pairs."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from paralign.errors import UserError, located
from paralign.formats.archives import is_archive, twins_in
from paralign.formats.conllu import ordering_of, read_trees
from paralign.formats.faults import CUT
from paralign.formats.hub import is_hub, read_hub_pairs, read_hub_text
from paralign.formats.lines import numbered_lines, read_lines
from paralign.formats.records import read_records
from paralign.formats.tmx import is_tmx, read_tmx
from paralign.formats.treebank_pairs import is_treebank, treebank_texts
from paralign.languages import Derived, derived
from paralign.sources.derived import reordered_text, reordered_trees
from paralign.sources.smallworld import smallworld_pairs, smallworld_text
from paralign.sources.specs import PairSpec, TextSpec, smallworld_range
from paralign.text.normalize import normalise

__all__ = ["Pair", "line_count", "read_pairs", "read_text"]

_BAR = "|||"
_OBJECT = re.compile(r'\{\s*"')


@dataclass(frozen=True, slots=True)
class Pair:
    """A sentence and its translation, in normal form (:func:`normalise`); a side may be empty."""

    source: str
    target: str
    line: int
    """Line in the file, from 1; in the small world the sentence's index."""
    links: tuple[tuple[int, int], ...] | None = None
    """Gold links (source word, target word), from 0, over the small world's own words; files have none."""


def read_pairs(spec: PairSpec, *, lenient: bool = False, dropped: Counter[str] | None = None) -> Iterator[Pair]:
    """Read parallel text in a stream, in the order of the file, empty sides included.

    The format is seen from the path and the first line that is not blank: Moses twins (``a.en,a.de``), such in a zip
    archive of OPUS, two treebanks (``a.conllu,b.conllu``, joined by ``# sent_id``), a translation memory (``.tmx``),
    TSV (two or more columns, of which the first two are read; no quoting), ``source ||| target``, JSON lines
    (:class:`paralign.formats.records.Columns`), or the small world. Of a language and one derived of it, or of two
    derived of one, plain text or one treebank is read, and each sentence comes in both.

    Args:
        spec: languages and path.
        lenient: drop lines that cannot be read instead of raising.
        dropped: counts what ``lenient`` dropped: the reasons of ``read_lines``, ``missing separator`` for a
            line without the separator, ``missing twin`` where the twin line was dropped or cut off; those of
            ``treebank_texts``.

    Raises:
        UserError: with ``file:line``; for twins of different length with both counts.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    made = tuple(map(derived, spec.languages))
    if any(made):
        return _derived_pairs(spec, made, lenient, count)
    indices = smallworld_range(spec.path)
    if indices is not None:
        return smallworld_pairs(spec, indices)
    if is_hub(spec.path):
        return _units(read_hub_pairs(spec.path, spec.languages, lenient=lenient, dropped=count))
    if len(spec.paths) == 2 and any(map(is_treebank, spec.paths)):
        return _treebanks(*spec.paths, lenient, count)
    if len(spec.paths) == 2:
        return _twins(*spec.paths, lenient, count)
    if is_archive(spec.path):
        return _twins(*twins_in(spec.path, spec.languages), lenient, count)
    if is_tmx(spec.path):
        return _units(read_tmx(spec.path, spec.languages, lenient=lenient, dropped=count))
    return _separated(spec, lenient, count)


def read_text(
    spec: TextSpec, *, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[tuple[int, str]]:
    """Read plain text, one sentence a line, as ``(line number, normalised text)``, blank lines included; or the
    sentences of a treebank.

    Args and errors as in :func:`read_pairs`.
    """
    made = derived(spec.language)
    if made is not None and not is_treebank(spec.path) and "syn" not in made.steps:
        rows = read_text(TextSpec(made.base, spec.path), lenient=lenient, dropped=dropped)
        return ((number, reordered_text(text, made)) for number, text in rows)
    if made is not None or is_treebank(spec.path):
        trees = read_trees(spec, lenient=lenient, dropped=dropped, labelled=made is not None and "syn" in made.steps)
        return ((tree.line, tree.text) for tree in trees)
    indices = smallworld_range(spec.path)
    if indices is not None:
        return smallworld_text(spec.language, indices)
    if is_hub(spec.path):
        count: Counter[str] = Counter() if dropped is None else dropped
        lines = read_hub_text(spec.path, spec.language, lenient=lenient, dropped=count)
    else:
        lines = read_lines(spec.path, lenient=lenient, dropped=dropped)
    return ((number, normalise(line)) for number, line in lines)


def line_count(spec: PairSpec | TextSpec) -> int | None:
    """Lines of a corpus whose pairs (sentences) are its lines, those that a lenient reader drops among them; ``None``
    for others and for what cannot be read twice."""
    whole = not spec.paths or is_tmx(spec.path) or is_archive(spec.path)
    if whole or is_treebank(spec.paths[0]) or not Path(spec.paths[0]).is_file():
        return None
    return sum(1 for _ in numbered_lines(spec.paths[0], lenient=True))


def _derived_pairs(
    spec: PairSpec, made: tuple[Derived | None, ...], lenient: bool, dropped: Counter[str]
) -> Iterator[Pair]:
    """Both sides of one text where they are of one language, else the sides of pairs."""
    bases = [tag if one is None else one.base for tag, one in zip(spec.languages, made, strict=True)]
    if bases[0] == bases[1] and (is_treebank(spec.path) or any(one is not None and "syn" in one.steps for one in made)):
        yield from _derived_trees(spec, made, bases[0], lenient, dropped)
        return
    rows: Iterable[tuple[int, tuple[str, str]]]
    if bases[0] == bases[1]:
        own = read_text(TextSpec(bases[0], spec.path), lenient=lenient, dropped=dropped)
        rows = ((number, (text, text)) for number, text in own)
    else:
        both = read_pairs(PairSpec(bases[0], bases[1], spec.path), lenient=lenient, dropped=dropped)
        rows = ((pair.line, (pair.source, pair.target)) for pair in both)
    for number, texts in rows:
        source, target = (
            text if one is None else reordered_text(text, one) for text, one in zip(texts, made, strict=True)
        )
        yield Pair(source, target, number)


def _derived_trees(
    spec: PairSpec, made: tuple[Derived | None, ...], base: str, lenient: bool, dropped: Counter[str]
) -> Iterator[Pair]:
    """Both sides of a treebank, in the order of its own words; a sentence that one of them cannot have is left out."""
    needed = any(one is not None and "syn" in one.steps for one in made)
    orders = [ordering_of(one, path, spec.path) for one, path in zip(made, spec.orderings, strict=True)]
    own = TextSpec(base, spec.path)
    for tree in read_trees(own, lenient=lenient, dropped=dropped, labelled=needed):
        sides: list[str] = []
        for one, order in zip(made, orders, strict=True):
            found = [tree] if one is None else list(reordered_trees([tree], one, order, dropped))
            sides += [side.text for side in found]
            if not found:
                break
        if len(sides) == 2:
            yield Pair(sides[0], sides[1], tree.line)


def _units(rows: Iterable[tuple[int, str, str]]) -> Iterator[Pair]:
    return (Pair(normalise(source), normalise(target), line) for line, source, target in rows)


def _separated(spec: PairSpec, lenient: bool, dropped: Counter[str]) -> Iterator[Pair]:
    path, separator = spec.path, None
    lines = read_lines(path, lenient=lenient, dropped=dropped)
    for number, line in lines:
        if separator is None and _OBJECT.match(line) and "\t" not in line:
            rest = itertools.chain([(number, line)], lines)
            yield from _units(read_records(rest, path, spec.languages, lenient=lenient, dropped=dropped))
            return
        if separator is None and line.strip():
            separator = "\t" if "\t" in line else _BAR if _BAR in line else None
            if separator is None:
                mend = "give TSV, 'source ||| target', JSON lines, TMX, or two files with a comma between"
                raise UserError("missing tab: the line holds one column", where=located(path, number), mend=mend)
        columns = line.split(separator, 2) if separator else ["", ""]
        if len(columns) >= 2:
            yield Pair(normalise(columns[0]), normalise(columns[1]), number)
        elif not line.strip():
            yield Pair("", "", number)
        elif lenient:
            dropped["missing separator"] += 1
        else:
            missing = "missing tab" if separator == "\t" else f"missing {_BAR}"
            mend = "mend the line, or drop such lines with --lenient"
            raise UserError(f"{missing}: the line holds one column", where=located(path, number), mend=mend)


def _treebanks(first: str, second: str, lenient: bool, dropped: Counter[str]) -> Iterator[Pair]:
    if not (is_treebank(first) and is_treebank(second)):
        other = second if is_treebank(first) else first
        raise UserError("is not .conllu, its twin is", where=other, mend="give two treebanks, or two plain files")
    for source, target, line in treebank_texts(first, second, lenient, dropped):
        yield Pair(source, target, line)


def _twins(first: str, second: str, lenient: bool, dropped: Counter[str]) -> Iterator[Pair]:
    # Dropped lines come as None and keep their place: they must not shift the rest.
    cut = sum(dropped[reason] for reason in CUT)
    left = numbered_lines(first, lenient=lenient, dropped=dropped)
    right = numbered_lines(second, lenient=lenient, dropped=dropped)
    unpaired: list[int] = [0, 0]
    number = 0
    for a, b in itertools.zip_longest(left, right):
        if a is None or b is None:
            unpaired[b is None] += 1
            continue
        number = a[0]
        if a[1] is not None and b[1] is not None:
            yield Pair(normalise(a[1]), normalise(b[1]), number)
        elif a[1] is not b[1]:
            dropped["missing twin"] += 1
    if not any(unpaired):
        return
    if lenient and sum(dropped[reason] for reason in CUT) > cut:
        dropped["missing twin"] += sum(unpaired)
        return
    more_right, more_left = unpaired
    message = f"{first} has {number + more_left:,} lines, {second} has {number + more_right:,}"
    raise UserError(
        f"the twins differ in length: {message}",
        where=located(second if more_left else first, number + 1),
        mend="give two files that correspond line by line",
    )
