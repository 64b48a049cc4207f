"""Plots as small inline SVG, drawn by matplotlib."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from typing import Any

__all__ = ["render_svg", "set_tooltip", "style_axes"]


def render_svg(key: str, draw: Callable[[Any], None], *, size: tuple[float, float] = (3.5, 2.1)) -> str:
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

    # Names of systems are shown as they are: "$" does not begin a formula.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": key, "font.size": 9, "text.parse_math": False}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        out = io.StringIO()
        with warnings.catch_warnings():
            # Text stays text in the SVG; the reader's fonts have the glyphs.
            warnings.filterwarnings("ignore", "Glyph .* missing")
            figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue(), "f" + hashlib.sha256(key.encode()).hexdigest()[:8])


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


def _inline(svg: str, prefix: str) -> str:
    """Turn an SVG file into an element of a page: no prolog, metadata or namespaces, and ids with a prefix."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", svg)
    svg = re.sub(r'<g id="hover ([^"]*)">', r"<g><title>\1</title>", svg)
    svg = re.sub(r'\sid="(?!m|p)[^"]*"', "", svg)  # only markers and clip paths are referenced
    svg = re.sub(r'\sid="', f' id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1)
    return re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
