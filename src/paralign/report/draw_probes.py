"""Figure of ``analyze probes``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from paralign.report.comparison import mean_of_known
from paralign.report.figure import Figure, FigureSource, LegendEntry
from paralign.report.layer_plot import LayerChange, LayerCurve, change_table, distinct_names, layer_panel
from paralign.report.number_format import format_range
from paralign.report.styles import Style

__all__ = ["draw_probes"]

Row = Mapping[str, Any]


def draw_probes(source: FigureSource) -> list[Figure]:
    """Draw a panel for each data set with a line for each encoder, and a table of changes from the first encoder."""
    curves = distinct_names(source.data["curves"])
    systems = list(dict.fromkeys(curve["system"] for curve in curves))
    styles = source.assign_styles(curves)
    names = _data_set_names(curves)
    errors = curves[0]["lower_is_better"]
    panels = []
    for name in dict.fromkeys(names):
        lines = [_line(curve, styles[curve["system"]]) for curve, own in zip(curves, names, strict=True) if own == name]
        top = 1.02 * max((value for line in lines for _, value in line.points), default=1)
        panels.append(layer_panel(f"{source.key}/{name}", name, lines, limits=(0, top)))
    changed = [
        (f"{curve['system']}, {name}", [_gain(LayerChange(**change), errors) for change in curve["changes"]])
        for curve, name in zip(curves, names, strict=True)
        if curve["changes"]
    ]
    tables = []
    if changed:
        caption = (
            f"Change from {systems[0]} in points, by layer; * and shaded: the 95 % interval over test items excludes 0."
        )
        caption += " Smaller values are better: a change is negative where they rise." * errors
        tables = [change_table(changed, caption, points=True)]
    metric = curves[0]["metric"].replace("_", " ")
    caption = (
        f"{source.data['task']}: {metric} of linear probes of frozen states, trained on {source.data['items']:,} items"
        f" of {source.data['train']}; layer 0 is the embeddings. {format_range(sorted({c['n'] for c in curves}))}"
        " test items; bands: 95 % intervals over them. Dotted: the most frequent label."
    )
    return [
        Figure(
            "Frozen probes, by layer",
            f"{source.data['task']}, {source.run.name}",
            legend=[LegendEntry.line(styles[system]) for system in systems],
            panels=panels,
            tables=tables,
            caption=caption,
            command=source.command,
            points=[
                (name, f"{curve['system']}, {curve['metric']}", str(v["layer"]), v["value"], v["low"], v["high"])
                for curve, name in zip(curves, names, strict=True)
                for v in curve["values"]
                if v["value"] is not None
            ],
            finding=_finding(curves, systems, min if errors else max),
        )
    ]


def _data_set_names(curves: Sequence[Row]) -> list[str]:
    """Return the language of each curve, and the name of its data set where a language has several."""
    sets = {(curve["language"], curve["dataset"]) for curve in curves}
    several = {language for language, _ in sets if sum(other == language for other, _ in sets) > 1}
    return [c["language"] + (f", {c['dataset']}" if c["language"] in several else "") for c in curves]


def _line(curve: Row, style: Style) -> LayerCurve:
    points = [(v["layer"], v["value"]) for v in curve["values"] if v["value"] is not None]
    band = [(v["layer"], v["low"], v["high"]) for v in curve["values"] if v["low"] is not None]
    return LayerCurve(style, points, band, curve["baselines"].get("majority"))


def _gain(change: LayerChange, errors: bool) -> LayerChange:
    """Return a change of the score that is positive if it is better."""
    if not errors or change.value is None:
        return change
    low, high = (None if end is None else -end for end in (change.high, change.low))
    return LayerChange(change.layer, -change.value, low, high)


def _finding(curves: Sequence[Row], systems: Sequence[str], choose: Callable[..., int]) -> str:
    """Return a sentence on the best and the last layer of each encoder, means over data sets."""
    parts = []
    for system in systems:
        layers = [curve["values"] for curve in curves if curve["system"] == system]
        means = [mean_of_known([rows[k]["value"] for rows in layers]) for k in range(len(layers[0]))]
        known = {layer: mean for layer, mean in enumerate(means) if mean is not None}
        if known and means[-1] is not None:
            best = choose(known, key=known.__getitem__)
            parts.append(f"{system}: {100 * known[best]:.1f} at layer {best}, {100 * means[-1]:.1f} at the last")
    count = len({(curve["language"], curve["dataset"]) for curve in curves})
    return f"Frozen probes, mean of {count} test set{'s' * (count > 1)}. {'; '.join(parts)}." if parts else ""
