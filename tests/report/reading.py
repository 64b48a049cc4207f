"""Read a page back: its tables, its addresses, its ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from paralign.report import ReportPaths


@dataclass
class Read(HTMLParser):
    """What a browser would find. ``tables``: heading → rows of cell texts, parts joined by a space."""

    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    bold: list[str] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)
    _heading: str = ""
    _rows: list[list[str]] | None = None

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "path", "use", "line", "rect"):
            self._open.append(tag)
        if tag in ("h2", "h3", "summary"):
            self._heading = ""
        elif tag == "table":
            self._rows = self.tables.setdefault(self._heading, [])
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])
        elif tag in ("th", "td") and self._rows is not None:
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass
        if tag == "table":
            self._rows = None

    def handle_data(self, data: str) -> None:
        if not data.strip() or {"style", "script"} & set(self._open):
            return
        self.text.append(data.strip())
        if {"h2", "h3", "summary"} & set(self._open):
            self._heading += data
        if "b" in self._open:
            self.bold.append(data)
        if self._rows and {"th", "td"} & set(self._open):
            self._rows[-1][-1] = f"{self._rows[-1][-1]} {data.strip()}".strip()


def read(html: str) -> Read:
    page = Read()
    page.feed(html)
    page.close()
    return page


def text_of(paths: ReportPaths) -> tuple[Read, str]:
    """The page, and all its text with plain spaces."""
    page = read(paths.html.read_text(encoding="utf-8"))
    return page, " ".join(page.text).replace("\N{NO-BREAK SPACE}", " ")


def figure_labels(page: Read) -> list[str]:
    """What the plots show, for screen readers, without the figure of results at the top."""
    labels, in_results = [], False
    for tag, attributes in page.tags:
        in_results = attributes.get("class") == "results-figure" if tag == "section" else in_results
        if tag == "figure" and not in_results:
            labels.append(attributes["aria-label"] or "")
    return labels
