"""Figures of ``analyze similarity``: how similar languages are in each layer, and what training changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.report.comparison import mean_of_known
from paralign.report.figure import Figure, FigureSource, LegendEntry, Panel, Point, ShadedTable, TableCell
from paralign.report.layer_plot import distinct_names, plot_curve
from paralign.report.number_format import format_range, format_score, pooling_name
from paralign.report.styles import Style, assign_styles
from paralign.report.svg import render_svg, style_axes

__all__ = ["draw_similarity"]

Row = Mapping[str, Any]
Line = tuple[Style, Sequence[Row]]
"""A style, and the layers of a curve."""
_TABLE_CAPTIONS = {
    "cka": "CKA by layer.",
    "retrieval": "Percent of sentences whose nearest neighbor by cosine is the translation; mean of both directions.",
    "cosine": "Mean cosine of translations. It is high for all pairs where sentence vectors share a direction: compare"
    " with shuffled pairs, shown when you point at a cell.",
}


def draw_similarity(source: FigureSource) -> list[Figure]:
    """Draw languages compared within each encoder, and encoders compared on each language."""
    curves = distinct_names(source.data["curves"])
    languages = [curve for curve in curves if curve["before"] is None]
    encoders = [curve for curve in curves if curve["before"] is not None]
    figures = [_languages_figure(source, languages)] if languages else []
    return figures + ([_training_figure(source, encoders)] if encoders else [])


def _languages_figure(source: FigureSource, curves: Sequence[Row]) -> Figure:
    systems = list(dict.fromkeys(curve["system"] for curve in curves))
    pairs = [_pair(curve) for curve in curves]
    if len(systems) == 1:  # one panel, a line for each pair of languages
        styles = assign_styles(list(dict.fromkeys(pairs)))
        lines = [(styles[pair], curve["layers"]) for pair, curve in zip(pairs, curves, strict=True)]
        panels = [_panel(f"{source.key}/{systems[0]}", systems[0], lines)]
        headers, legend = pairs, [LegendEntry.line(style) for style in styles.values()]
    else:  # a panel for each pair of languages, a line for each encoder
        styles = source.assign_styles(curves)
        panels = [
            _panel(
                f"{source.key}/{pair}", pair, [(styles[c["system"]], c["layers"]) for c in curves if _pair(c) == pair]
            )
            for pair in dict.fromkeys(pairs)
        ]
        headers = [f"{curve['system']}, {pair}" for pair, curve in zip(pairs, curves, strict=True)]
        legend = [LegendEntry.line(styles[system]) for system in systems]
    sizes, settings = sorted({curve["n"] for curve in curves}), source.data["settings"]
    pooling = pooling_name(settings["pool"])
    intervals = " Bands: 95 % intervals from half-samples." * _any_known(curves, "low")
    caption = (
        f"{_measure_name(settings)} of sentence vectors ({pooling}), {format_range(sizes)} sentences;"
        f" layer 0 is the embeddings.{intervals} Dotted: sentences paired with the translations of other sentences."
    )
    measures = [name for name in ("cka", "retrieval", "cosine") if _any_known(curves, name)]
    return Figure(
        "Similarity of languages by layer",
        source.run.name,
        legend=legend,
        panels=panels,
        tables=[_table(headers, curves, name) for name in measures],
        wide=len(panels) < 3,
        caption=caption,
        command=source.command,
        points=_points(headers, curves),
        finding=_finding(curves, systems),
    )


def _pair(curve: Row) -> str:
    return "-".join(curve["languages"])


def _finding(curves: Sequence[Row], systems: Sequence[str]) -> str:
    """Return a sentence on CKA at the first, the best and the last layer of each encoder."""
    parts = []
    for system in systems:
        layers = [curve["layers"] for curve in curves if curve["system"] == system]
        depth = min(len(rows) for rows in layers)
        means = [mean_of_known([rows[k]["cka"] for rows in layers]) for k in range(depth)]
        above = {layer: mean for layer, mean in enumerate(means) if layer and mean is not None}
        if above and means[-1] is not None:
            best = max(above, key=lambda layer: above[layer])
            embeddings = "undefined" if means[0] is None else f"{means[0]:.2f}"
            parts.append(
                f"{system}: {embeddings} at the embeddings, at most {above[best]:.2f} above them (layer {best}),"
                f" {means[-1]:.2f} at the last layer"
            )
    count = len({tuple(curve["languages"]) for curve in curves})
    return f"CKA, mean of {count} language pair{'s' * (count > 1)}. {'; '.join(parts)}." if parts else ""


def _training_figure(source: FigureSource, curves: Sequence[Row]) -> Figure:
    several = len({curve.get("of") for curve in curves}) > 1
    names = [curve["languages"][1] + f" of {curve.get('of')}" * several for curve in curves]
    styles = assign_styles(list(dict.fromkeys(names)))
    panels = []
    for before, system in dict.fromkeys((curve["before"], curve["system"]) for curve in curves):
        lines = [
            (styles[name], curve["layers"])
            for name, curve in zip(names, curves, strict=True)
            if (curve["before"], curve["system"]) == (before, system)
        ]
        panels.append(_panel(f"{source.key}/{before}/{system}", f"{before} and {system}", lines, shuffled=False))
    headers = [f"{c['before']} and {c['system']}, {name}" for name, c in zip(names, curves, strict=True)]
    caption = (
        f"{_measure_name(source.data['settings'])} of the same sentences in two encoders; close to 1 where training"
        " changed little."
    )
    return Figure(
        "Changes through training, by layer",
        source.run.name,
        legend=[LegendEntry.line(style) for style in styles.values()],
        panels=panels,
        tables=[_table(headers, curves, "cka")],
        wide=len(panels) < 3,
        caption=caption,
        command=source.command,
        points=_points(headers, curves),
    )


def _panel(key: str, title: str, lines: Sequence[Line], *, shuffled: bool = True) -> Panel:
    def draw(axes: Any) -> None:
        for style, rows in lines:
            measured = [row for row in rows if row["cka"] is not None]
            points = [(row["layer"], row["cka"]) for row in measured]
            plot_curve(axes, style, points, [_describe_layer(row) for row in measured])
            band = [(row["layer"], row["low"], row["high"]) for row in rows if row["low"] is not None]
            if band:
                axes.fill_between(*zip(*band, strict=True), color=style.color, alpha=0.15, linewidth=0)
            baseline = [(row["layer"], row["shuffled"]) for row in rows if row["shuffled"] is not None]
            if shuffled and baseline:
                axes.plot(*zip(*baseline, strict=True), color=style.color, linestyle=(0, (1, 2)), linewidth=0.8)
        style_axes(axes, "layer")
        axes.set_ylim(min(0, *(axes.get_ylim()[:1])), 1.02)

    description = "; ".join(
        f"{style.system} " + " ".join("?" if row["cka"] is None else f"{row['cka']:.2f}" for row in rows)
        for style, rows in lines
    )
    return Panel(title, render_svg(key, draw), description)


def _table(headers: Sequence[str], curves: Sequence[Row], name: str) -> ShadedTable:
    depth = max(len(curve["layers"]) for curve in curves)
    rows = []
    for header, curve in zip(headers, curves, strict=True):
        cells = [_table_cell(row, name, header) for row in curve["layers"]]
        rows.append((header, cells + [TableCell("")] * (depth - len(cells))))
    return ShadedTable([str(layer) for layer in range(depth)], rows, _TABLE_CAPTIONS[name])


def _table_cell(row: Row, name: str, header: str) -> TableCell:
    value = row[name]
    shade = "" if value is None else f"g{min(9, max(0, int(10 * value)))}"
    text = "" if value is None else format_score(value, name == "retrieval")
    return TableCell(text, shade, f"{header}, layer {row['layer']}: {_describe_layer(row)}")


def _describe_layer(row: Row) -> str:
    parts = [f"CKA {row['cka']:.3f}" if row["cka"] is not None else "no CKA"]
    parts += [f"{row['low']:.3f} to {row['high']:.3f}"] if row["low"] is not None else []
    parts += [f"shuffled {row['shuffled']:.3f}"] if row["shuffled"] is not None else []
    parts += [f"cosine {row['cosine']:.3f}, shuffled {row['cosine_shuffled']:.3f}"] if row["cosine"] is not None else []
    parts += [f"retrieval {100 * row['retrieval']:.1f}"] if row["retrieval"] is not None else []
    return "; ".join(parts)


def _points(headers: Sequence[str], curves: Sequence[Row]) -> list[Point]:
    return [
        (header, name, str(row["layer"]), row[name], *((row["low"], row["high"]) if name == "cka" else (None, None)))
        for header, curve in zip(headers, curves, strict=True)
        for row in curve["layers"]
        for name in ("cka", "shuffled", "cosine", "cosine_shuffled", "retrieval")
        if row[name] is not None
    ]


def _any_known(curves: Sequence[Row], name: str) -> bool:
    return any(row[name] is not None for curve in curves for row in curve["layers"])


def _measure_name(settings: Row) -> str:
    return f"{'Debiased' if settings['debiased'] else 'Biased'} {settings['kernel'].replace('rbf', 'RBF')} CKA"
