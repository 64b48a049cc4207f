"""Bitext mining in the format of the BUCC shared tasks: two texts with ids, and the pairs among them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from paralign.errors import UserError, located
from paralign.formats.faults import Fault, nothing_found, raise_or_count
from paralign.formats.lines import read_lines
from paralign.languages import derived
from paralign.sources.derived import reordered_text
from paralign.sources.specs import PairSpec, smallworld_range
from paralign.text.normalize import normalise

__all__ = ["MiningSet", "read_mining"]


@dataclass(frozen=True, slots=True)
class MiningSet:
    """Sentences of two languages and which of them translate each other; most have no translation."""

    source: list[str]
    source_ids: list[str]
    """Of equal length with ``source``."""
    target: list[str]
    target_ids: list[str]
    gold: frozenset[tuple[str, str]]
    """Pairs of a source and a target id; empty in unlabelled data."""


def read_mining(
    spec: PairSpec, *, lenient: bool = False, dropped: Counter[str] | None = None, labelled: bool = True
) -> MiningSet:
    """Read a mining set (Zweigenbaum et al., BUCC 2017 and 2018).

    The path is what its files have in common: ``de-en=bucc/de-en.sample`` names ``bucc/de-en.sample.de`` and ``.en``
    (lines ``id<TAB>sentence``) and ``bucc/de-en.sample.gold`` (lines ``source id<TAB>target id``), each also with
    ``.gz`` behind. Sentences are brought to normal form.

    Args:
        spec: languages, in the order of the gold file's columns, and path.
        lenient: drop lines that are not well-formed instead of raising.
        dropped: counts what ``lenient`` dropped: the reasons of ``read_lines``, ``missing tab``, ``missing id``,
            ``missing sentence``, ``duplicate id``, and for gold pairs ``unknown id``.
        labelled: with ``False`` the gold file may be missing.

    Raises:
        UserError: with ``file:line``; for a gold file whose columns are the other way round, lenient or not.
    """
    if smallworld_range(spec.path) is not None:
        raise UserError("the small world has no mining set", mend="name files in BUCC's format")
    count: Counter[str] = Counter() if dropped is None else dropped
    sides = [_side(spec, tag, lenient, count) for tag in spec.languages]
    gold: frozenset[tuple[str, str]] = frozenset()
    file = _file(spec, "gold")
    if labelled or file.exists():
        gold = _gold(file, spec, sides[0], sides[1], lenient, count)
    (source, target) = sides
    return MiningSet(list(source.values()), list(source), list(target.values()), list(target), gold)


def _side(spec: PairSpec, tag: str, lenient: bool, dropped: Counter[str]) -> dict[str, str]:
    """Sentences by id; a derived language is read from the files of its original."""
    made = derived(tag)
    if made is None:
        return _sentences(_file(spec, tag), lenient, dropped)
    found = _sentences(_file(spec, made.base), lenient, dropped)
    return {name: reordered_text(text, made) for name, text in found.items()}


def _file(spec: PairSpec, suffix: str) -> Path:
    plain, packed = Path(f"{spec.path}.{suffix}"), Path(f"{spec.path}.{suffix}.gz")
    return packed if packed.exists() and not plain.exists() else plain


def _columns(line: str, number: int) -> tuple[str, str]:
    left, tab, right = line.partition("\t")
    if not tab:
        raise Fault("missing tab", "the line holds one column, not two with a tab between", number)
    return left.strip(), right


def _sentences(file: Path, lenient: bool, dropped: Counter[str]) -> dict[str, str]:
    sentences: dict[str, str] = {}
    for number, line in read_lines(file, lenient=lenient, dropped=dropped):
        if not line.strip():
            continue
        try:
            name, text = _columns(line, number)
            if not name:
                raise Fault("missing id", "the id is empty", number)
            if name in sentences:
                raise Fault("duplicate id", f"the id {name!r} came before", number)
            if not (text := normalise(text)):
                raise Fault("missing sentence", f"the sentence of {name!r} is empty", number)
            sentences[name] = text
        except Fault as fault:
            raise_or_count(fault, file, "line", lenient=lenient, dropped=dropped)
    if not sentences:
        raise nothing_found(file, "sentence", dropped)
    return sentences


def _gold(
    file: Path, spec: PairSpec, source: dict[str, str], target: dict[str, str], lenient: bool, dropped: Counter[str]
) -> frozenset[tuple[str, str]]:
    gold = set()
    for number, line in read_lines(file, lenient=lenient, dropped=dropped):
        if not line.strip():
            continue
        try:
            left, right = _columns(line, number)
            right = right.strip()
            if left in source and right in target:
                gold.add((left, right))
            elif left in target and right in source:
                mend = f"write {PairSpec(spec.target, spec.source, spec.path)}"
                message = f"the columns are the other way round: {left!r} is an id of {spec.target}"
                raise UserError(message, where=located(file, number), mend=mend)
            else:
                known = (right, spec.target) if left in source else (left, spec.source)
                raise Fault("unknown id", f"no sentence of {known[1]} has the id {known[0]!r}", number)
        except Fault as fault:
            raise_or_count(fault, file, "line", lenient=lenient, dropped=dropped)
    if not gold:
        raise nothing_found(file, "gold pair", dropped)
    return frozenset(gold)
