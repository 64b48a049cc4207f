"""Figure of ``analyze links`` and ``analyze embeddings``: the word links of sentence pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from paralign.report.figure import Figure, FigureSource, LegendEntry, Panel, Point, ShadedTable, TableCell

__all__ = ["draw_links"]

Link = tuple[int, int]
_SECTION = "Word links"
_LINES = {"shared": ("#0072b2", "none"), "own": ("#d55e00", "4 2"), "missed": ("#999999", "1 2")}
"""Color and dash of the links that the aligner shares with those it is compared with, and of the others."""
_ROW, _WIDTH, _LEFT, _RIGHT, _LONGEST = 17, 300, 125, 175, 19
"""Height of a row, width of a plot, ends of the lines, and the number of characters after which a word is cut."""
_CAPTION = (
    "Each line is a link; move the pointer over a word to see its links. Words without a link: share of all words of"
    " the text."
)


def draw_links(source: FigureSource) -> list[Figure]:
    """Draw sentence pairs as two columns of words with their links, one panel for each aligner."""
    data = source.data
    systems = data.get("systems") or [{"system": ""}]
    sentences = data["sentences"]
    has_gold = any("sure" in sentence for sentence in sentences)
    panels, points = [], list[Point]()
    for sentence in sentences:
        words = sentence["source"], sentence["target"]
        for number, system in enumerate(systems):
            links = _links(sentence["aligners"][number] if "aligners" in sentence else sentence["links"])
            title = " ".join(filter(None, [f"pair {sentence['number']:,}", system["system"]]))
            kinds = {link: kind for kind, some in _kinds(sentence, number, links).items() for link in some}
            text = "; ".join(f"{words[0][i]} = {words[1][j]}" for i, j in sorted(links)) or "no links"
            panels.append(Panel(title, _svg(*words, kinds), text))
            points += [(title, words[0][i], words[1][j], 1.0, None, None) for i, j in sorted(links)]
    return [
        Figure(
            _SECTION,
            "-".join(data["languages"]),
            legend=_legend(systems, has_gold),
            panels=panels,
            wide=len(systems) % 2 == 0,  # the links of all aligners in one row
            tables=[_table(systems)] if data.get("systems") else [],
            caption=_CAPTION if data.get("systems") else _CAPTION.partition(" Words without")[0],
            command=source.command,
            points=points,
        )
    ]


def _links(pairs: Sequence[Sequence[int]]) -> set[Link]:
    return {(i, j) for i, j in pairs}


def _kinds(sentence: Mapping[str, Any], number: int, links: set[Link]) -> dict[str, set[Link]]:
    """Return the links to draw: those shared with the gold links, or with the first aligner, and the others."""
    if "sure" in sentence:
        sure, possible = _links(sentence["sure"]), _links(sentence["possible"])
    elif number:
        sure = possible = _links(sentence["aligners"][0])
    else:
        sure = possible = links
    return {"shared": links & possible, "own": links - possible, "missed": sure - links}


def _legend(systems: Sequence[Mapping[str, Any]], has_gold: bool) -> list[LegendEntry]:
    if not has_gold and len(systems) < 2:
        return []
    other = "the gold links" if has_gold else systems[0]["system"]
    labels = (f"also in {other}", f"not in {other}", f"only in {other}" + (", sure" if has_gold else ""))
    return [LegendEntry(label, color, dash) for label, (color, dash) in zip(labels, _LINES.values(), strict=True)]


def _table(systems: Sequence[Mapping[str, Any]]) -> ShadedTable:
    """Return the table of facts about each aligner."""
    columns = ["links", "per pair", "source words without", "target words without"]
    columns += [f"F1 with {systems[0]['system']}"] if len(systems) > 1 else []
    rows = []
    for system in systems:
        cells = [f"{system['links']:,}", f"{system['links'] / system['pairs']:.1f}" if system["pairs"] else "–"]
        cells += [f"{100 * share:.1f} %" for share in system["unlinked"]]
        if len(systems) > 1:
            cells.append("" if system["agreement"] is None else f"{100 * system['agreement']:.1f}")
        rows.append((system["system"], [TableCell(text) for text in cells]))
    return ShadedTable(columns, rows)


def _svg(source: Sequence[str], target: Sequence[str], kinds: Mapping[Link, str]) -> str:
    """Return two columns of words with lines between them; each word has hidden copies of its links, for hovering."""
    height = _ROW * max(len(source), len(target), 1)
    middles = [[(k + 0.5) * height / len(words) for k in range(len(words))] for words in (source, target)]
    drawn = {link: _line(link, kind, middles) for link, kind in kinds.items()}
    columns = [_words(source, middles[0], _LEFT - 6, "end"), _words(target, middles[1], _RIGHT + 6, "start")]
    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" class="linked" aria-hidden="true">', *drawn.values()]
    for side, words in enumerate(columns):
        for k, word in enumerate(words):
            linked = [link for link in drawn if link[side] == k and kinds[link] != "missed"]
            others = [columns[1 - side][link[1 - side]] for link in linked]
            marked = "".join([*(drawn[link] for link in linked), word, *others])
            top = middles[side][k] - _ROW / 2
            area = f'<rect class="hit" x="{_RIGHT * side}" y="{top:.1f}" width="{_LEFT}" height="{_ROW}"/>'
            title = escape((source, target)[side][k])
            parts.append(f'<g><title>{title}</title>{area}{word}<g class="on">{marked}</g></g>')
    return "".join([*parts, "</svg>"])


def _words(words: Sequence[str], middles: Sequence[float], x: int, anchor: str) -> list[str]:
    shown = (word if len(word) <= _LONGEST else word[: _LONGEST - 1] + "…" for word in words)
    return [
        f'<text x="{x}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(word)}</text>'
        for word, y in zip(shown, middles, strict=True)
    ]


def _line(link: Link, kind: str, middles: Sequence[Sequence[float]]) -> str:
    color, dash = _LINES[kind]
    ends = f'x1="{_LEFT}" y1="{middles[0][link[0]]:.1f}" x2="{_RIGHT}" y2="{middles[1][link[1]]:.1f}"'
    return f'<line {ends} stroke="{color}" stroke-dasharray="{dash}"/>'
