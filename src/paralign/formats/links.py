"""Word links in files: Pharaoh's format ``i-j``, and gold sets for evaluating word aligners."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paralign.errors import UserError
from paralign.formats.item_errors import ItemError, raise_or_drop
from paralign.formats.lines import numbered_lines, write_lines

__all__ = ["GoldLinks", "Link", "check_links", "read_gold", "read_links", "read_text_links", "write_links"]

Link = tuple[int, int]
"""Source word and target word, from 0."""
_LONGEST = 1 << 26
"""Longest line of links, in bytes; the links of a sentence pair may need more than its text."""
_LINK = re.compile(r"(\d{1,6})([-:p?P])(\d{1,6})(?:[:,][\d.eE+-]+)?")
_ONE_BASED = "--one-based (in evaluate --set task.one_based=true)"
"""The option for words numbered from 1, in hints."""
_NUMBERED = re.compile(r"(\d{1,9})[ \t]+(-?\d{1,9})[ \t]+(-?\d{1,9})(?:[ \t]+([A-Za-z]\w*))?(?:[ \t]+[\d.eE+-]+)?")


@dataclass(slots=True)
class GoldLinks:
    """The links of a sentence pair; ``possible`` includes the sure links (Och and Ney 2003, section 6)."""

    sure: set[Link] = field(default_factory=set)
    possible: set[Link] = field(default_factory=set)

    def add(self, link: Link, *, sure: bool) -> None:
        """Add a link.

        Args:
            link: the words.
            sure: whether it is a sure link; otherwise it is only possible.
        """
        self.possible.add(link)
        if sure:
            self.sure.add(link)


def read_links(
    path: str | Path, *, one_based: bool = False, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[GoldLinks]:
    """Read Pharaoh's format: one line per sentence pair, ``i-j`` for sure links, ``ipj`` or ``i?j`` for possible ones.

    Args:
        path: the file, plain or compressed. A blank line is a pair without links.
        one_based: whether words are numbered from 1 in the file.
        lenient: drop malformed links instead of raising; a line that cannot be read is a pair without links.
        dropped: counts them: ``not a link``, and the reasons of ``read_lines``.

    Raises:
        UserError: with ``file:line``.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    return _pharaoh(
        numbered_lines(path, lenient=lenient, dropped=count, longest=_LONGEST), path, one_based, lenient, count
    )


def _pharaoh(
    lines: Iterable[tuple[int, str | None]],
    path: str | Path,
    one_based: bool,
    lenient: bool,
    count: Counter[str],
    option: str = "--one-based",
) -> Iterator[GoldLinks]:
    for number, line in lines:
        links = GoldLinks()
        for word in (line or "").split():
            match = _LINK.fullmatch(word)
            if match is None or (one_based and "0" in (match[1], match[3])):
                hint = "write source-target, as in 0-0 1-2" if match is None else f"remove {option.split()[0]}"
                problem = "is not a link" if match is None else "in a file with words numbered from 1"
                error = ItemError("not a link", f"{word!r} {problem}", number, hint)
                raise_or_drop(error, path, "link", lenient=lenient, dropped=count)
                continue
            link = (int(match[1]) - one_based, int(match[3]) - one_based)
            links.add(link, sure=match[2] in "-:")
        yield links


def read_text_links(
    path: str | Path,
    sizes: Sequence[tuple[int, int]],
    *,
    one_based: bool = False,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    option: str = "--one-based",
    limit: int | None = None,
) -> list[GoldLinks]:
    """Read the links of a text in Pharaoh's format, and check that they fit it.

    Args:
        path: the file.
        sizes: number of words of both sides of each pair.
        one_based: whether words are numbered from 1 in the file.
        lenient: drop links that are malformed or beyond the sentence instead of raising; a line that cannot be read is
            a pair without links.
        dropped: counts them, as in :func:`read_gold`.
        option: the option of the command that sets ``one_based``, for hints.
        limit: number of pairs whose links are returned, the first ones; the file has the links of these pairs, or of
            all. Default ``None``: all.

    Raises:
        UserError: as in :func:`read_gold`.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    lines = numbered_lines(path, lenient=lenient, dropped=count, longest=_LONGEST)
    links = list(_pharaoh(lines, path, one_based, lenient, count, option))
    if limit is not None and len(links) == len(sizes[:limit]):
        sizes = sizes[:limit]
    _check_count(links, sizes, path)
    checked = check_links(links, sizes, path, one_based=one_based, lenient=lenient, dropped=count, option=option)
    return checked[:limit]


def _check_count(links: Sequence[GoldLinks], sizes: Sequence[tuple[int, int]], path: str | Path) -> None:
    if len(links) != len(sizes):
        message = f"{len(links):,} lines of links for {len(sizes):,} sentence pairs"
        raise UserError(message, where=path, hint="give one line for each pair of the same text")


def write_links(path: Path, links: Iterable[Iterable[Link]]) -> None:
    """Write Pharaoh's format atomically: one line per sentence pair, links sorted."""
    write_lines(path, (" ".join(f"{i}-{j}" for i, j in sorted(pair)) for pair in links))


def read_gold(
    path: str | Path,
    sizes: Sequence[tuple[int, int]],
    *,
    one_based: bool = False,
    flipped: bool = False,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
) -> list[GoldLinks]:
    """Read a gold set: Pharaoh's format, or one link per line.

    One link per line is ``sentence source target [S|P]``, as in the shared task of 2003 (Mihalcea and Pedersen). Words
    are numbered from 1, and sentences from 0 if one has number 0, otherwise from 1. If the numbers exceed the number of
    pairs but there are as many different ones, the k-th number in the file is the k-th pair. A link without S or P is
    sure.

    Args:
        path: the file.
        sizes: number of words of both sides of each pair.
        one_based: whether words are numbered from 1 in Pharaoh's format.
        flipped: whether the file names the target word first.
        lenient: drop links that are malformed or beyond the sentence instead of raising; a line of Pharaoh's format
            that cannot be read is a pair without links.
        dropped: counts them: ``not a link``, ``beyond the sentence``, and the reasons of ``read_lines``.

    Raises:
        UserError: with ``file:line``; for another number of pairs; for links beyond their sentences, with a hint if all
            links would fit with words numbered from 1, or with the target word first.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    lines = list(numbered_lines(path, lenient=lenient, dropped=count, longest=_LONGEST))
    first = next((line for _, line in lines if line and line.strip()), "")
    if _NUMBERED.fullmatch(first.strip()):
        out = _numbered(lines, path, len(sizes), lenient, count)
        one_based = True
    else:
        out = list(_pharaoh(lines, path, one_based, lenient, count))
        _check_count(out, sizes, path)
    if flipped:
        out = [GoldLinks(*({(j, i) for i, j in links} for links in (gold.sure, gold.possible))) for gold in out]
    return check_links(out, sizes, path, one_based=one_based, flipped=flipped, lenient=lenient, dropped=count)


def _numbered(
    lines: Iterable[tuple[int, str | None]], path: str | Path, pairs: int, lenient: bool, dropped: Counter[str]
) -> list[GoldLinks]:
    links: dict[int, GoldLinks] = {}
    for number, line in lines:
        if line is None or not line.strip():
            continue
        match = _NUMBERED.fullmatch(line.strip())
        kind = (match[4] or "S").upper() if match else ""
        if match is None or kind not in ("S", "P") or int(match[2]) < 1 or int(match[3]) < 1:
            message = f"{line.strip()!r:.60} is not 'sentence source target [S|P]', words from 1"
            raise_or_drop(ItemError("not a link", message, number), path, "line", lenient=lenient, dropped=dropped)
            if match:
                links.setdefault(int(match[1]), GoldLinks())
            continue
        links.setdefault(int(match[1]), GoldLinks()).add((int(match[2]) - 1, int(match[3]) - 1), sure=kind == "S")
    base = 0 if 0 in links else 1
    if links and max(links) < pairs + base:
        return [links.get(k + base, GoldLinks()) for k in range(pairs)]
    if len(links) == pairs:
        return list(links.values())
    message = f"links of {len(links):,} sentences, numbered up to {max(links, default=0)}, for {pairs:,} sentence pairs"
    raise UserError(message, where=path, hint="give the links of the same text")


def check_links(
    links: Sequence[GoldLinks],
    sizes: Sequence[tuple[int, int]],
    path: str | Path,
    *,
    one_based: bool = False,
    flipped: bool | None = None,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
    option: str = _ONE_BASED,
) -> list[GoldLinks]:
    """Return the links; if ``lenient``, without those beyond their sentences.

    Arguments and errors as in :func:`read_gold`; ``flipped`` is ``None`` where the order of words is not an option,
    ``option`` sets ``one_based``.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    beyond = [
        (k, link)
        for k, (pair, (m, n)) in enumerate(zip(links, sizes, strict=True))
        for link in sorted(pair.possible)
        if link[0] >= m or link[1] >= n
    ]
    if not beyond:
        return list(links)
    options = _options_that_fit(links, sizes, one_based, flipped, option)
    if options is not None:
        raise UserError(options[0], where=path, hint=options[1])
    if not lenient:
        k, (i, j) = beyond[0]
        message = f"pair {k + 1}: the link {i}-{j} (from 0) is out of range"
        message += f": the sentences have {sizes[k][0]} and {sizes[k][1]} words; {len(beyond):,} such links"
        raise UserError(message, where=path, hint="fix them, or drop such links with --lenient")
    count["beyond the sentence"] += len(beyond)
    removed = set(beyond)
    return [
        GoldLinks(*({link for link in kind if (k, link) not in removed} for kind in (gold.sure, gold.possible)))
        for k, gold in enumerate(links)
    ]


def _options_that_fit(
    links: Sequence[GoldLinks], sizes: Sequence[tuple[int, int]], one_based: bool, flipped: bool | None, option: str
) -> tuple[str, str] | None:
    """Return what is the matter with links that would all fit with other options, and a hint; ``None`` if none fit."""
    pairs = [(link, size) for pair, size in zip(links, sizes, strict=True) for link in pair.possible]
    from_one = not one_based and all(i > 0 and j > 0 for (i, j), _ in pairs)
    first = "--flipped (in evaluate --set task.flipped=true)"
    swap = f"remove {first}" if flipped else f"use {first}"
    numbered = f"use {option}"
    order = "the source word comes first" if flipped else "the target word comes first"
    if from_one and all(i <= m and j <= n for (i, j), (m, n) in pairs):
        message = "no link has the word 0 and some are one word beyond the sentence: words are numbered from 1"
        return message, numbered
    if flipped is not None and all(j < m and i < n for (i, j), (m, n) in pairs):
        return f"some links are beyond the sentence, but all would fit if {order}", swap
    if flipped is not None and from_one and all(j <= m and i <= n for (i, j), (m, n) in pairs):
        return f"some links are beyond the sentence, but all would fit if {order} and words are numbered from 1", (
            f"{numbered}; {swap}"
        )
    return None
