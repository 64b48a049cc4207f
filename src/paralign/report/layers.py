"""Pictures of layers: how similar languages are in each, and what training changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from paralign.report.figures import Style, drawn, hover, plain_axes, styles
from paralign.report.plate import Grid, Number, Panel, Plate, Square
from paralign.report.runs import Run
from paralign.report.wording import counts_said, mean_known

__all__ = ["similarity_plates"]

Row = Mapping[str, Any]
Line = tuple[Style, Sequence[Row]]


def similarity_plates(runs: Sequence[Run], look: Mapping[str, Style]) -> list[Plate]:
    """Of every run of ``analyze similarity``: languages compared in each encoder, and encoders in each language.

    Args:
        runs: in the order given.
        look: how systems are drawn, where they are in other pictures too.
    """
    out = []
    for run in runs:
        for found in run.figures("similarity"):
            across = [curve for curve in found["curves"] if curve["before"] is None]
            over = [curve for curve in found["curves"] if curve["before"] is not None]
            if across:
                out.append(_across(run, across, found["settings"], look))
            if over:
                out.append(_over(run, over, found["settings"]))
    return out


def _across(run: Run, curves: Sequence[Row], settings: Row, look: Mapping[str, Style]) -> Plate:
    curves = _told_apart(curves)
    systems = list(dict.fromkeys(curve["system"] for curve in curves))
    pairs = list(dict.fromkeys("-".join(curve["languages"]) for curve in curves))
    if len(systems) == 1:
        made = styles(pairs, set())
        lines = [(made["-".join(curve["languages"])], curve["layers"]) for curve in curves]
        panels = [_curves(f"{run.name}/{systems[0]}", systems[0], lines)]
        key = [made[pair].sign for pair in pairs]
    else:
        made = dict(look) if set(systems) <= set(look) else styles(systems, set())
        panels = [
            _curves(f"{run.name}/{pair}", pair, [(made[c["system"]], c["layers"]) for c in curves
                                                 if "-".join(c["languages"]) == pair])
            for pair in pairs
        ]  # fmt: skip
        key = [made[system].sign for system in systems]
    heads = [("-".join(c["languages"]) if len(systems) == 1 else f"{c['system']}, {'-'.join(c['languages'])}")
             for c in curves]  # fmt: skip
    grids = [_grid(heads, curves, name) for name in ("cka", "retrieval", "cosine") if _any(curves, name)]
    sizes = sorted({curve["n"] for curve in curves})
    caption = (
        f"{_said_kind(settings)} of mean-pooled sentence vectors, {counts_said(sizes)} sentences; layer 0 is the"
        f" embeddings.{' Bands: 95 % intervals from half-samples.' * _any(curves, 'low')} Dotted: sentences paired with"
        " others' translations."
    )
    return Plate("Similarity of languages, layer by layer", run.name, key, panels, grids, len(panels) < 3, caption,
                 run.info.command or "", _numbers(heads, curves), _found_across(curves, systems))  # fmt: skip


def _found_across(curves: Sequence[Row], systems: Sequence[str]) -> str:
    parts = []
    for system in systems:
        layers = [curve["layers"] for curve in curves if curve["system"] == system]
        depth = min(len(rows) for rows in layers)
        means = [mean_known([rows[k]["cka"] for rows in layers]) for k in range(depth)]
        inner = [value for value in means[1:] if value is not None]
        if inner and means[-1] is not None:
            best = max(range(1, depth), key=lambda k: means[k] or -1.0)
            parts.append(
                f"{system}: {'undefined' if means[0] is None else f'{means[0]:.2f}'} at the embeddings,"
                f" {max(inner):.2f} at layer {best} where it is greatest above them, {means[-1]:.2f} at the last"
            )
    count = len({tuple(curve["languages"]) for curve in curves})
    return f"CKA, mean of {count} pair{'s' * (count > 1)} of languages. {'; '.join(parts)}." if parts else ""


def _told_apart(curves: Sequence[Row]) -> list[Row]:
    """Encoders of one name get their fingerprint behind it."""
    hashes: dict[str, set[str]] = {}
    for curve in curves:
        hashes.setdefault(curve["system"], set()).add(curve["model_hash"])
    shared = {system for system, some in hashes.items() if len(some) > 1}
    return [{**c, "system": c["system"] + f" {c['model_hash'][:6]}" * (c["system"] in shared)} for c in curves]


def _over(run: Run, curves: Sequence[Row], settings: Row) -> Plate:
    curves = _told_apart(curves)
    systems = list(dict.fromkeys((curve["before"], curve["system"]) for curve in curves))
    several = len({curve.get("of") for curve in curves}) > 1
    names = [c["languages"][1] + f" of {c.get('of')}" * several for c in curves]
    made = styles(list(dict.fromkeys(names)), set())
    panels = []
    for before, system in systems:
        lines = [(made[name], c["layers"]) for name, c in zip(names, curves, strict=True)
                 if (c["before"], c["system"]) == (before, system)]  # fmt: skip
        panels.append(_curves(f"{run.name}/{before}/{system}", f"{before} and {system}", lines, shuffled=False))
    heads = [f"{c['before']} and {c['system']}, {name}" for name, c in zip(names, curves, strict=True)]
    caption = (
        f"{_said_kind(settings)} of the same sentences in two encoders: where training changed little it is near 1."
    )
    return Plate("What training changed, layer by layer", run.name, [style.sign for style in made.values()], panels,
                 [_grid(heads, curves, "cka")], len(panels) < 3, caption, run.info.command or "",
                 _numbers(heads, curves))  # fmt: skip


def _curves(salt: str, name: str, lines: Sequence[Line], *, shuffled: bool = True) -> Panel:
    def draw(axes: Any) -> None:
        for style, rows in lines:
            x = [row["layer"] for row in rows if row["cka"] is not None]
            y = [row["cka"] for row in rows if row["cka"] is not None]
            dashes = (0, style.dash) if style.dash else "solid"
            axes.plot(x, y, color=style.color, linestyle=dashes, linewidth=1.3)
            band = [(r["layer"], r["low"], r["high"]) for r in rows if r["low"] is not None]
            if band:
                axes.fill_between(*zip(*band, strict=True), color=style.color, alpha=0.15, linewidth=0)
            beside = [(r["layer"], r["shuffled"]) for r in rows if r["shuffled"] is not None]
            if shuffled and beside:
                axes.plot(*zip(*beside, strict=True), color=style.color, linestyle=(0, (1, 2)), linewidth=0.8)
            for row in rows:
                if row["cka"] is not None:
                    (dot,) = axes.plot([row["layer"]], [row["cka"]], "o", ms=3.5, color=style.color)
                    hover(dot, f"{style.system}, layer {row['layer']}: {_value(row)}")
        plain_axes(axes, "layer")
        axes.set_ylim(min(0, *(axes.get_ylim()[:1])), 1.02)

    said = "; ".join(
        f"{style.system} " + " ".join("?" if r["cka"] is None else f"{r['cka']:.2f}" for r in rows)
        for style, rows in lines
    )
    return Panel(name, drawn(salt, draw), said)


def _grid(heads: Sequence[str], curves: Sequence[Row], name: str) -> Grid:
    depth = max(len(curve["layers"]) for curve in curves)
    rows = []
    for head, curve in zip(heads, curves, strict=True):
        squares = []
        for row in curve["layers"]:
            value = row[name]
            tone = "" if value is None else f"g{min(9, max(0, int(10 * value)))}"
            said = f"{head}, layer {row['layer']}: {_value(row)}"
            text = "" if value is None else f"{100 * value:.1f}" if name == "retrieval" else f"{value:.2f}"
            squares.append(Square(text, tone, said))
        rows.append((head, squares + [Square("")] * (depth - len(squares))))
    caption = {
        "cka": "CKA by layer.",
        "retrieval": "Of 100 sentences, whose nearest neighbour by cosine is their translation; mean of directions.",
        "cosine": "Mean cosine of translations; high everywhere where all sentences lie in one direction: compare"
        " shuffled pairs, shown when one hovers.",
    }[name]
    return Grid([str(layer) for layer in range(depth)], rows, caption)


def _value(row: Row) -> str:
    parts = [f"CKA {row['cka']:.3f}" if row["cka"] is not None else "no CKA"]
    parts += [f"{row['low']:.3f} to {row['high']:.3f}"] if row["low"] is not None else []
    parts += [f"shuffled {row['shuffled']:.3f}"] if row["shuffled"] is not None else []
    parts += [f"cosine {row['cosine']:.3f}, shuffled {row['cosine_shuffled']:.3f}"] if row["cosine"] is not None else []
    parts += [f"retrieval {100 * row['retrieval']:.1f}"] if row["retrieval"] is not None else []
    return "; ".join(parts)


def _numbers(heads: Sequence[str], curves: Sequence[Row]) -> list[Number]:
    return [
        (head, name, str(row["layer"]), row[name], *((row["low"], row["high"]) if name == "cka" else (None, None)))
        for head, curve in zip(heads, curves, strict=True)
        for row in curve["layers"]
        for name in ("cka", "shuffled", "cosine", "cosine_shuffled", "retrieval")
        if row[name] is not None
    ]


def _any(curves: Sequence[Row], name: str) -> bool:
    return any(row[name] is not None for curve in curves for row in curve["layers"])


def _said_kind(settings: Row) -> str:
    return f"{'Debiased' if settings['debiased'] else 'Biased'} {settings['kernel'].replace('rbf', 'RBF')} CKA"
