"""Bitext mining in the format of the BUCC shared tasks: sentences of two languages with ids, and the gold pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from paralign.errors import UserError, file_location
from paralign.formats.item_errors import ItemError, no_items_error, raise_or_drop
from paralign.formats.items import MiningSet
from paralign.formats.lines import read_lines
from paralign.text.language_tags import pair_tag
from paralign.text.normalization import normalize

__all__ = ["read_bucc"]


def read_bucc(
    path: str, languages: tuple[str, str], *, lenient: bool, dropped: Counter[str], labeled: bool
) -> MiningSet:
    """Read a mining set (Zweigenbaum et al., BUCC 2017 and 2018).

    The path is the common prefix of its files: ``de-en=bucc/de-en.sample`` names ``bucc/de-en.sample.de`` and ``.en``
    (lines ``id<TAB>sentence``) and ``bucc/de-en.sample.gold`` (lines ``source id<TAB>target id``), each optionally with
    ``.gz`` or ``.zst``. Sentences are normalized.

    Args:
        path: common prefix of the file names.
        languages: canonical tags, in the order of the gold file's columns.
        lenient: drop malformed lines instead of raising.
        dropped: counts what ``lenient`` dropped: the reasons of ``read_lines``, ``missing tab``, ``missing id``,
            ``missing sentence``, ``duplicate id``, and for gold pairs ``unknown id``.
        labeled: whether to read the gold file. If not, there are no gold pairs.

    Raises:
        UserError: with ``file:line``; for a gold file with swapped columns even if ``lenient``.
    """
    sides = [_sentences(_file(path, tag), lenient, dropped) for tag in languages]
    gold: frozenset[tuple[str, str]] = frozenset()
    if labeled:
        gold = _gold(_file(path, "gold"), path, languages, sides, lenient, dropped)
    (source, target) = sides
    return MiningSet(list(source.values()), list(source), list(target.values()), list(target), gold)


def _file(path: str, suffix: str) -> Path:
    files = [Path(f"{path}.{suffix}{ending}") for ending in ("", ".gz", ".zst")]
    return next((file for file in files if file.exists()), files[0])


def _columns(line: str, number: int) -> tuple[str, str]:
    left, tab, right = line.partition("\t")
    if not tab:
        raise ItemError("missing tab", "the line has one column, not two separated by a tab", number)
    return left.strip(), right


def _sentences(file: Path, lenient: bool, dropped: Counter[str]) -> dict[str, str]:
    sentences: dict[str, str] = {}
    for number, line in read_lines(file, lenient=lenient, dropped=dropped):
        if not line.strip():
            continue
        try:
            name, text = _columns(line, number)
            if not name:
                raise ItemError("missing id", "the id is empty", number)
            if name in sentences:
                raise ItemError("duplicate id", f"an earlier sentence has the id {name!r}", number)
            if not (text := normalize(text)):
                raise ItemError("missing sentence", f"the sentence of {name!r} is empty", number)
            sentences[name] = text
        except ItemError as error:
            raise_or_drop(error, file, "line", lenient=lenient, dropped=dropped)
    if not sentences:
        raise no_items_error(file, "sentence", dropped)
    return sentences


def _gold(
    file: Path,
    path: str,
    languages: tuple[str, str],
    sides: Sequence[dict[str, str]],
    lenient: bool,
    dropped: Counter[str],
) -> frozenset[tuple[str, str]]:
    source, target = sides
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
                hint = f"write {pair_tag(languages[1], languages[0])}={path}"
                message = f"the columns are swapped: {left!r} is an id of {languages[1]}"
                raise UserError(message, where=file_location(file, number), hint=hint)
            else:
                name, language = (right, languages[1]) if left in source else (left, languages[0])
                raise ItemError("unknown id", f"no sentence of {language} has the id {name!r}", number)
        except ItemError as error:
            raise_or_drop(error, file, "line", lenient=lenient, dropped=dropped)
    if not gold:
        raise no_items_error(file, "gold pair", dropped)
    return frozenset(gold)
