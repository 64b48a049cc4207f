"""Word links in files: Pharaoh's ``i-j`` a line, and the gold sets that word aligners are measured on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from paralign.errors import UserError
from paralign.formats.item_errors import ItemError, raise_or_drop
from paralign.formats.lines import read_lines, write_lines

__all__ = ["GoldLinks", "Link", "check_links", "read_gold", "read_links", "write_links"]

Link = tuple[int, int]
"""A source word and a target word, from 0."""
_LINK = re.compile(r"(\d{1,6})([-:p?P])(\d{1,6})(?:[:,][\d.eE+-]+)?")
_NUMBERED = re.compile(r"(\d+)[ \t]+(-?\d+)[ \t]+(-?\d+)(?:[ \t]+([A-Za-z]\w*))?(?:[ \t]+[\d.eE+-]+)?")


@dataclass(slots=True)
class GoldLinks:
    """The links of a sentence pair; ``possible`` holds the sure ones too (Och and Ney 2003, section 6)."""

    sure: set[Link] = field(default_factory=set)
    possible: set[Link] = field(default_factory=set)

    def add(self, link: Link, *, sure: bool) -> None:
        """One link more."""
        self.possible.add(link)
        if sure:
            self.sure.add(link)


def read_links(
    path: str | Path, *, one_based: bool = False, lenient: bool = False, dropped: Counter[str] | None = None
) -> Iterator[GoldLinks]:
    """Read Pharaoh's format: a line for each sentence pair, ``i-j`` a sure link, ``ipj`` or ``i?j`` a possible one.

    Args:
        path: the file, plain or gzip. A blank line is a pair without links.
        one_based: words count from 1 in the file.
        lenient: drop links that cannot be read, and count them.
        dropped: the counts: ``not a link``.

    Raises:
        UserError: with ``file:line``.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    return _pharaoh(read_lines(path, lenient=lenient, dropped=count), path, one_based, lenient, count)


def _pharaoh(
    lines: Iterable[tuple[int, str]], path: str | Path, one_based: bool, lenient: bool, count: Counter[str]
) -> Iterator[GoldLinks]:
    for number, line in lines:
        found = GoldLinks()
        for word in line.split():
            match = _LINK.fullmatch(word)
            if match is None or (one_based and "0" in (match[1], match[3])):
                hint = "write source-target, as in 0-0 1-2" if match is None else "leave --one-based out"
                what = "is not a link" if match is None else "in a file whose words count from 1"
                fault = ItemError("not a link", f"{word!r} {what}", number, hint)
                raise_or_drop(fault, path, "link", lenient=lenient, dropped=count)
                continue
            link = (int(match[1]) - one_based, int(match[3]) - one_based)
            found.add(link, sure=match[2] in "-:")
        yield found


def write_links(path: Path, links: Iterable[Iterable[Link]]) -> None:
    """Write Pharaoh's format, links in order, a line for each pair; whole or not at all."""
    write_lines(path, (" ".join(f"{i}-{j}" for i, j in sorted(some)) for some in links))


def read_gold(
    path: str | Path,
    sizes: Sequence[tuple[int, int]],
    *,
    one_based: bool = False,
    flipped: bool = False,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
) -> list[GoldLinks]:
    """Read a gold set: Pharaoh's format, or one link a line.

    One link a line is ``sentence source target [S|P]``, as in the shared task of 2003 (Mihalcea and Pedersen): words
    count from 1, sentences from 0 if one is 0 and else from 1; where their numbers go beyond the pairs but are as many,
    the k-th number met is the k-th pair. A link without S or P is sure.

    Args:
        path: the file.
        sizes: words of both sides of each pair.
        one_based: in Pharaoh's format words count from 1.
        flipped: the file names the target word first.
        lenient: drop links that cannot be read or end beyond the sentence, and count them.
        dropped: the counts: ``not a link``, ``beyond the sentence``.

    Raises:
        UserError: with ``file:line``; for another number of pairs; for links that end beyond their sentences, with a
            hint where all would fit if words counted from 1.
    """
    count: Counter[str] = Counter() if dropped is None else dropped
    lines = list(read_lines(path, lenient=lenient, dropped=count))
    first = next((line for _, line in lines if line.strip()), "")
    if _NUMBERED.fullmatch(first.strip()):
        out = _numbered(lines, path, len(sizes), lenient, count)
        one_based = True
    else:
        out = list(_pharaoh(lines, path, one_based, lenient, count))
        if len(out) != len(sizes):
            message = f"{len(out):,} lines of links for {len(sizes):,} sentence pairs"
            raise UserError(message, where=path, hint="give a line for each pair of the same text")
    if flipped:
        out = [GoldLinks(*({(j, i) for i, j in some} for some in (gold.sure, gold.possible))) for gold in out]
    return check_links(out, sizes, path, one_based=one_based, lenient=lenient, dropped=count)


def _numbered(
    lines: Iterable[tuple[int, str]], path: str | Path, pairs: int, lenient: bool, dropped: Counter[str]
) -> list[GoldLinks]:
    found: dict[int, GoldLinks] = {}
    for number, line in lines:
        if not line.strip():
            continue
        match = _NUMBERED.fullmatch(line.strip())
        kind = (match[4] or "S").upper() if match else ""
        if match is None or kind not in ("S", "P") or int(match[2]) < 1 or int(match[3]) < 1:
            message = f"{line.strip()!r:.60} is not 'sentence source target [S|P]', words from 1"
            raise_or_drop(ItemError("not a link", message, number), path, "line", lenient=lenient, dropped=dropped)
            if match:
                found.setdefault(int(match[1]), GoldLinks())
            continue
        found.setdefault(int(match[1]), GoldLinks()).add((int(match[2]) - 1, int(match[3]) - 1), sure=kind == "S")
    base = 0 if 0 in found else 1
    if found and max(found) < pairs + base:
        return [found.get(k + base, GoldLinks()) for k in range(pairs)]
    if len(found) == pairs:
        return list(found.values())
    message = f"links of {len(found):,} sentences, numbered up to {max(found, default=0)}, for {pairs:,} sentence pairs"
    raise UserError(message, where=path, hint="give the links of the same text")


def check_links(
    links: Sequence[GoldLinks],
    sizes: Sequence[tuple[int, int]],
    path: str | Path,
    *,
    one_based: bool = False,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
) -> list[GoldLinks]:
    """Links that end within their sentences; errors and arguments as in :func:`read_gold`."""
    count: Counter[str] = Counter() if dropped is None else dropped
    beyond = [
        (k, link)
        for k, (some, (m, n)) in enumerate(zip(links, sizes, strict=True))
        for link in sorted(some.possible)
        if link[0] >= m or link[1] >= n
    ]
    if not beyond:
        return list(links)
    every = [link for some in links for link in some.possible]
    just = all(link[0] <= sizes[k][0] and link[1] <= sizes[k][1] for k, link in beyond)
    if not one_based and just and all(i > 0 and j > 0 for i, j in every):
        hint = "read it so with --one-based"
        raise UserError(
            "no link begins at 0 and some end one word too far: words count from 1 here", where=path, hint=hint
        )
    if not lenient:
        k, (i, j) = beyond[0]
        message = f"pair {k + 1}: the link {i}-{j} (from 0) where there are {sizes[k][0]} and {sizes[k][1]} words"
        raise UserError(
            f"{message}; {len(beyond):,} such links", where=path, hint="fix them, or drop such links with --lenient"
        )
    count["beyond the sentence"] += len(beyond)
    gone = {(k, link) for k, link in beyond}
    return [
        GoldLinks(*({link for link in some if (k, link) not in gone} for some in (gold.sure, gold.possible)))
        for k, gold in enumerate(links)
    ]
