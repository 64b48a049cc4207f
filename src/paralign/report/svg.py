"""Plots as small inline SVG for the page, drawn by matplotlib."""

from __future__ import annotations

import hashlib
import io
import re
import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["SETTINGS", "DrawnSvg", "render_svg", "set_tooltip", "set_tooltips", "style_axes", "text_width", "wrap_text"]

SETTINGS: dict[Any, Any] = {"svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 9, "text.parse_math": False}
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

    with matplotlib.rc_context(SETTINGS | {"svg.hashsalt": key}):
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


def text_width(text: str, size: float) -> float:
    """Return the width of the widest line of a text in points.

    Args:
        text: the text.
        size: font size in points.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        lines = text.split("\n")
        return max(float(text_to_path.get_text_width_height_descent(line, font, False)[0]) for line in lines)


def wrap_text(text: str, width: float, size: float) -> str:
    """Break the lines of a text that are wider than there is room for.

    Args:
        text: the text.
        width: the room in points.
        size: font size in points.
    """
    wrapped = []
    for line in text.split("\n"):
        broken, columns = line, len(line)
        while columns > 1 and (needed := text_width(broken, size)) > width:
            columns = min(columns - 1, max(1, int(columns * width / needed) + 1))
            broken = "\n".join(textwrap.wrap(line, columns))
        wrapped.append(broken)
    return "\n".join(wrapped)


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
