"""Plots as small inline SVG for the page, and figures as SVG and PDF files, drawn by matplotlib."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import IO, Any

__all__ = ["FIGURE_FORMATS", "DrawnSvg", "render_svg", "save_plots", "set_tooltip", "set_tooltips", "style_axes"]

FIGURE_FORMATS = ("svg", "pdf")
_SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 9, "text.parse_math": False}
"""Text stays text; names of systems are shown as they are: "$" does not begin a formula."""
_BETWEEN = "\x1f"
"""Separates the tooltips of markers in the id of their line."""


class DrawnSvg(str):
    """Inline SVG that can be drawn again, for a file.

    Attributes:
        draw: the plotting function, called with matplotlib's axes.
        size: width and height in inches.
    """

    draw: Callable[[Any], None]
    size: tuple[float, float]


def render_svg(key: str, draw: Callable[[Any], None], *, size: tuple[float, float] = (3.5, 2.1)) -> DrawnSvg:
    """Return an inline SVG of what ``draw`` plots on matplotlib's axes.

    Args:
        key: a name that no other plot on the page has; the ids of the SVG derive from it.
        draw: the plotting function, called with the axes.
        size: width and height in inches.
    """
    # Imported here because it takes half a second. Figure instead of pyplot: no global state.
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_SETTINGS | {"svg.hashsalt": key}):
        figure = Figure(figsize=size, layout="constrained", facecolor="none")
        canvas: Any = FigureCanvasSVG(figure)
        axes = figure.add_subplot(facecolor="none")
        draw(axes)
        for artist in (*axes.lines, *axes.collections):  # clipped: their sizes, slow to compute, are not needed
            artist.set_in_layout(False)
        out = io.StringIO()
        with warnings.catch_warnings():
            # Text stays text in the SVG; the reader's fonts have the glyphs.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            canvas.print_svg(out, metadata={"Date": None, "Creator": None})  # savefig would draw twice
    svg = DrawnSvg(_inline(out.getvalue(), "f" + hashlib.sha256(key.encode()).hexdigest()[:8]))
    svg.draw, svg.size = draw, size
    return svg


def save_plots(
    file: IO[bytes],
    plots: Sequence[tuple[str, DrawnSvg]],
    legend: Sequence[tuple[str, dict[str, Any]]],
    *,
    format: str,
    key: str,
    columns: int,
) -> None:
    """Write plots as one figure to a file.

    Args:
        file: open for writing. Equal plots give equal bytes.
        plots: title and plot of each panel.
        legend: label and matplotlib line properties of each entry, shown below the panels.
        format: ``svg`` or ``pdf``.
        key: a name for the ids of an SVG.
        columns: number of panels in a row.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = min(columns, len(plots))
    rows = -(-len(plots) // columns)
    width = max(plot.size[0] for _, plot in plots) * columns
    height = (max(plot.size[1] for _, plot in plots) + 0.25) * rows + 0.3 * bool(legend)
    with matplotlib.rc_context(_SETTINGS | {"svg.hashsalt": key}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        for number, (title, plot) in enumerate(plots, 1):
            axes = figure.add_subplot(rows, columns, number)
            plot.draw(axes)
            for artist in axes.get_children():
                artist.set_gid(None)  # tooltips are for the page only
            axes.set_title(title, fontsize=9, loc="left")
        if legend:
            handles = [Line2D([], [], label=label, **properties) for label, properties in legend]
            figure.legend(handles=handles, loc="outside lower left", ncols=min(len(handles), 4), frameon=False)
        dates = {"Date": None} if format == "svg" else {"CreationDate": None}
        figure.savefig(file, format=format, metadata=dates, transparent=True)


def style_axes(axes: Any, label: str) -> None:
    """Label the x axis, remove the frame, and add light horizontal grid lines."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(colors="#555555", length=3)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel(label, color="#555555")


def set_tooltip(artist: Any, text: str) -> None:
    """Show a text when the pointer is over an artist."""
    artist.set_gid(f"hover {text}")


def set_tooltips(line: Any, texts: Sequence[str]) -> None:
    """Show a text when the pointer is over a marker of a line, one for each."""
    line.set_gid(f"hovers {_BETWEEN.join(texts)}")


def _with_titles(group: re.Match[str]) -> str:
    """Return the group of a line with a title for each of its markers; none if some are outside of the plot."""
    texts, content = group[1].split(_BETWEEN), group[2]
    marker = re.compile(r"(<use [^>]*?)\s*/>")
    if len(marker.findall(content)) != len(texts):
        return f"<g>{content}"
    titles = iter(texts)
    return "<g>" + marker.sub(lambda found: f"{found[1]}><title>{next(titles)}</title></use>", content)


def _inline(svg: str, prefix: str) -> str:
    """Turn an SVG file into an element of a page: no prolog, metadata or namespaces, and ids with a prefix."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", svg)
    svg = re.sub(r'<g id="hover ([^"]*)">', r"<g><title>\1</title>", svg)
    svg = re.sub(r'<g id="hovers ([^"]*)">(.*?(?:</g>|<g [^>]*/>)\s*</g>)', _with_titles, svg, flags=re.DOTALL)
    svg = re.sub(r'\sid="(?!m|p)[^"]*"', "", svg)  # only markers and clip paths are referenced
    svg = re.sub(r'\sid="', f' id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1)
    return re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
