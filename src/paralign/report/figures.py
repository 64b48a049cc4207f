"""Small inline SVGs, and training curves among them, one a loss, systems overlaid."""

from __future__ import annotations

import hashlib
import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.report.plate import Number, Panel, Plate, Sign
from paralign.report.runs import HELD_OUT, Run

Floats = npt.NDArray[np.float64]
Curves = tuple[str, Mapping[str, Mapping[int, float]]]
"""A system, and by loss its step → value."""

__all__ = ["COLORS", "Style", "curve_plates", "drawn", "hover", "plain_axes", "styles"]

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's palette: told apart with every common color blindness."""
_DASHES = ((), (5.0, 2.0), (1.5, 1.5), (6.0, 1.5, 1.5, 1.5))
"""A second sign beside color, for print in grey."""
_CONTROL = "#555555"
_POINTS = 120
_CURVES = "One line a run. Long runs are drawn as means over neighbouring steps."
_VERBS = {"pretrain": "Pretraining", "align": "Alignment", "finetune": "Fine-tuning"}


@dataclass(frozen=True)
class Style:
    """How a system's lines are drawn."""

    system: str
    color: str
    dash: tuple[float, ...]
    hollow: bool = False
    """Where it is a dot: the second sign beside color, once all colors are used."""

    @property
    def dasharray(self) -> str:
        """For SVG's ``stroke-dasharray``."""
        return " ".join(f"{2 * length:g}" for length in self.dash) or "none"

    @property
    def sign(self) -> Sign:
        """For the key of a picture with lines."""
        return Sign(self.system, self.color, self.dasharray)

    @property
    def dot(self) -> Sign:
        """For the key of one with dots or bars."""
        return Sign(self.system, self.color, hollow=self.hollow)


def styles(systems: Sequence[str], controls: set[str]) -> dict[str, Style]:
    """A color and a dash a system; the control is grey and dashed."""
    out = {}
    treated = [system for system in systems if system not in controls]
    for number, system in enumerate(treated):
        dash = _DASHES[(number + number // len(COLORS)) % len(_DASHES)]
        out[system] = Style(system, COLORS[number % len(COLORS)], dash, hollow=number // len(COLORS) % 2 == 1)
    for system in systems:
        if system in controls:
            out[system] = Style(system, _CONTROL, (3.0, 3.0))
    return out


def curve_plates(runs: Sequence[Run], look: Mapping[str, Style]) -> list[Plate]:
    """The curves of all runs with a log, one plate a stage (verb), one panel a loss.

    The total of a run with a single loss is left out, as it would only repeat it.
    """
    stages: dict[str, list[Curves]] = {}
    for run in runs:
        curves = [(run.label, log.curves) for log in run.logs.values() if log.curves]
        if curves:
            stages.setdefault(run.info.verb or "training", []).extend(curves)
    plates = []
    for verb in sorted(stages, key=lambda verb: (list(_VERBS).index(verb) if verb in _VERBS else 9, verb)):
        members = stages[verb]
        names = sorted(
            {n for _, curves in members for n in curves} - {"loss"}, key=lambda n: (n.startswith(HELD_OUT), n)
        )
        totals = [(name, curves) for name, curves in members if "loss" in curves and len(_minimized(curves)) != 1]
        used = list(dict.fromkeys(system for system, _ in members))
        panels = [_panel(f"{verb}/{name}", name, members, look) for name in names]
        if totals:
            panels.append(_panel(f"{verb}/loss", "loss", totals, look))
        numbers: list[Number] = [
            (name, system, repr(float(step)).removesuffix(".0"), float(value), None, None)
            for system, curves in members
            for name, curve in curves.items()
            for step, value in zip(*_drawn(curve), strict=True)
            if math.isfinite(value)
        ]
        title, key = _VERBS.get(verb, verb), [look[system].sign for system in used]
        plates.append(Plate("Training", title, key, panels, caption=_CURVES, numbers=numbers))
    return plates


def _minimized(curves: Mapping[str, Mapping[int, float]]) -> list[str]:
    return [name for name in curves if name != "loss" and not name.startswith(HELD_OUT)]


def _panel(salt: str, name: str, members: Sequence[Curves], look: Mapping[str, Style]) -> Panel:
    lines = []
    ends: dict[str, list[float]] = {}
    for system, curves in members:
        curve = curves.get(name)
        if curve:
            lines.append((look[system], *_drawn(curve)))
            ends.setdefault(system, []).append(curve[max(curve)])
    last = "; ".join(
        f"{system} ends at {', '.join(f'{value:.3g}' for value in values)}" for system, values in ends.items()
    )
    return Panel("total loss" if name == "loss" else name, _draw(salt, lines), last)


def _drawn(curve: Mapping[int, float]) -> tuple[Floats, Floats]:
    """At most ``_POINTS`` points, each the mean of a bin of neighbours: a small page, a readable curve."""
    steps = np.array(sorted(curve), dtype=np.float64)
    values = np.array([curve[int(step)] for step in steps])
    if len(steps) <= _POINTS:
        return steps, values
    bins = np.array_split(np.arange(len(steps)), _POINTS)
    return np.array([steps[b].mean() for b in bins]), np.array([values[b].mean() for b in bins])


def _draw(salt: str, lines: Sequence[tuple[Style, Floats, Floats]]) -> str:
    from matplotlib.ticker import MaxNLocator

    def draw(axes: Any) -> None:
        for style, steps, values in lines:
            dashes = (0, style.dash) if style.dash else "solid"
            alone = "o" if len(steps) == 1 else None  # a line of one point would not be seen
            axes.plot(steps, values, color=style.color, linestyle=dashes, linewidth=1.2, alpha=0.85, marker=alone, ms=3)
        plain_axes(axes, "step")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(4))

    return drawn(salt, draw)


def drawn(salt: str, draw: Callable[[Any], None], *, size: tuple[float, float] = (3.5, 2.1)) -> str:
    """An inline SVG of what ``draw`` puts on matplotlib's axes; ``salt`` makes its ids its own.

    Args:
        size: in inches.
    """
    # Imported here: half a second that no other command should pay. Figure, not pyplot: nothing global is
    # touched.
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt, "font.size": 9}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        out = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # the text is text: the reader's fonts draw it
            figure.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(out.getvalue(), "f" + hashlib.sha256(salt.encode()).hexdigest()[:8])


def plain_axes(axes: Any, label: str) -> None:
    """Little ink around what is drawn."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#999999")
    axes.tick_params(colors="#555555", length=3)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.set_xlabel(label, color="#555555")


def hover(artist: Any, text: str) -> None:
    """Say this when one points at what was drawn."""
    artist.set_gid(f"hover {text}")


def _inline(svg: str, prefix: str) -> str:
    """A whole SVG file as an element of a page: no prolog, no metadata, no addresses, ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\s(?:xmlns(?::\w+)?|version)="[^"]*"', "", svg)
    svg = re.sub(r'<g id="hover ([^"]*)">', r"<g><title>\1</title>", svg)
    svg = re.sub(r'\sid="(?!m|p)[^"]*"', "", svg)  # only marks and clip paths are referred to
    svg = re.sub(r'\sid="', f' id="{prefix}-', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}-", svg)
    svg = re.sub(r'xlink:href="#', f'href="#{prefix}-', svg)
    svg = re.sub(r'<svg[^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1)
    return re.sub(r"font: ([\d.]+px)[^;\"]*", r"font-size: \1", svg)
