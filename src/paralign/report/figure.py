"""The parts of a figure on the page: legend, panels, shaded tables, caption, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from paralign.report.runs import Run
from paralign.report.styles import Style, assign_styles

__all__ = ["Figure", "FigureSource", "LegendEntry", "Panel", "Point", "ShadedTable", "TableCell"]

Point = tuple[str, str, str, float, float | None, float | None]
"""A line of the CSV file: panel, series, position on the axis, value, and the two ends of its interval."""


@dataclass(frozen=True)
class FigureSource:
    """What a drawing function gets: a file ``figures/NAME.json`` of a run, and how systems are drawn on this page.

    Attributes:
        run: the run.
        name: name of the file, without ``.json``.
        data: its content.
        styles: color and dash of each system of the page.
    """

    run: Run
    name: str
    data: Mapping[str, Any]
    styles: Mapping[str, Style]

    @property
    def key(self) -> str:
        """A name that no other figure file on the page has."""
        return f"{self.run.name}/{self.name}"

    def assign_styles(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, Style]:
        """Return how the systems of a figure are drawn, in the order of the rows: as on the rest of the page.

        Args:
            rows: curves or points, with ``system`` and, for controls, ``control``. If the page does not know a name,
                such as one with a fingerprint, all systems of the figure get colors of their own.
        """
        rows = list(rows)
        systems = list(dict.fromkeys(row["system"] for row in rows))
        if not set(systems) <= set(self.styles):
            return assign_styles(systems, {row["system"] for row in rows if row.get("control")})
        return {system: self.styles[system] for system in systems}

    @property
    def command(self) -> str:
        """The command of the run; empty if it was not recorded."""
        return self.run.info.command or ""


@dataclass(frozen=True)
class LegendEntry:
    """One entry of a legend."""

    label: str
    color: str
    dasharray: str | None = None
    """SVG's ``stroke-dasharray`` for a line; ``None`` for a dot."""
    hollow: bool = False
    """For a dot: draw only its outline."""

    @classmethod
    def line(cls, style: Style) -> LegendEntry:
        """The entry of a system that is drawn as a line."""
        return cls(style.system, style.color, style.dasharray)

    @classmethod
    def dot(cls, style: Style) -> LegendEntry:
        """The entry of a system that is drawn as dots or bars."""
        return cls(style.system, style.color, hollow=style.hollow)

    @property
    def properties(self) -> dict[str, Any]:
        """The entry as properties of a line of matplotlib."""
        if self.dasharray is None:
            fill = "none" if self.hollow else "full"
            return {"color": self.color, "linestyle": "", "marker": "o", "markersize": 5, "fillstyle": fill}
        lengths = [] if self.dasharray == "none" else [float(length) / 2 for length in self.dasharray.split()]
        return {"color": self.color, "linestyle": (0, tuple(lengths)) if lengths else "solid"}


@dataclass(frozen=True)
class Panel:
    """One plot of a figure."""

    title: str
    svg: str
    """Inline SVG whose ids occur nowhere else on the page, from :func:`paralign.report.svg.render_svg`."""
    description: str
    """What the plot shows, for screen readers."""


@dataclass(frozen=True)
class TableCell:
    """One cell of a shaded table."""

    text: str
    shade: str = ""
    """CSS class: ``worse``, ``much-worse``, ``gain``, or a step ``g0`` to ``g9``. The text says the same."""
    tooltip: str = ""

    @property
    def sort(self) -> str:
        """The number in the text, of an interval the lower end; otherwise the text. Empty, and so last, for a dash and
        for numbers in brackets, which are not comparable with the others.

        >>> [TableCell(text).sort for text in ("1,234", "12.5 %", "−0.3*", "−0.2 to 0.5", "[60.0]", "–", "fr 12.3")]
        ['1234', '12.5', '-0.3', '-0.2', '', '', 'fr 12.3']
        """
        number = self.text.partition(" to ")[0].removesuffix("*").removesuffix(" %").replace("−", "-").replace(",", "")
        try:
            float(number)
        except ValueError:
            return "" if self.text == "–" or self.text.startswith("[") else self.text
        return number


@dataclass(frozen=True)
class ShadedTable:
    """A table whose cells may be shaded."""

    columns: list[str]
    rows: list[tuple[str, list[TableCell]]]
    """Row header and cells."""
    caption: str = ""
    kind: str = "shaded"
    """``shaded``; ``lines``: sentences."""


@dataclass(frozen=True)
class Figure:
    """A figure with its own heading."""

    section: str
    title: str
    legend: list[LegendEntry] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)
    tables: list[ShadedTable] = field(default_factory=list)
    wide: bool = False
    """Whether panels are wide, so that fewer fit in a row."""
    caption: str = ""
    command: str = ""
    """The command that made the data; empty if it is unknown."""
    points: list[Point] = field(default_factory=list)
    finding: str = ""
    """A sentence for the summary at the top of the page."""
    run: str = ""
    """The run's name, added to the title where two figures would have the same."""
