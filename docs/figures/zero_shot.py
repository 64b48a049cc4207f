"""Draw zero_shot.svg, the figure of docs/results.md, from the tables of docs/results/.

    python docs/figures/zero_shot.py

Bars: accuracy of POS tagging on the target language minus that of the base, in points, after fine-tuning on English.
Error bars: standard deviation over three alignment seeds; systems without one have a single seed.
"""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
COLORS = {"MLM control": "#999999", "TLM": "#56b4e9", "MoCo": "#009e73", "PPA": "#d55e00", "AlignLM": "#0072b2",
          "L2": "#cc79a7"}  # fmt: skip
NAMES = {"−MoCo (TLM)": "TLM", "−TLM (MoCo)": "MoCo"}

Cell = tuple[float, float | None]


def table(page: str, head: str) -> dict[str, dict[str, Cell]]:
    """Read the table whose header line begins with ``head``: system → column → (mean, sd or None)."""
    lines = iter((RESULTS / page).read_text(encoding="utf-8").splitlines())
    header = next(line for line in lines if line.startswith(head))
    columns = [cell.strip() for cell in header.strip("|").split("|")][1:]
    next(lines)
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found = [re.match(r"([\d.]+)(?: ± ([\d.]+))?", cell) for cell in cells]
        rows[NAMES.get(name, name)] = {
            column: (float(match[1]), float(match[2]) if match[2] else None)
            for column, match in zip(columns, found, strict=True)
            if match
        }
    return rows


def draw(axes: Axes, rows: dict[str, dict[str, Cell]], columns: list[str], title: str) -> None:
    """One group of bars per column, one bar per system, as differences from the base."""
    systems = [name for name in rows if name != "base"]
    width = 0.8 / len(systems)
    for place, name in enumerate(systems):
        for group, column in enumerate(columns):
            mean, sd = rows[name][column]
            axes.bar(
                group + (place - (len(systems) - 1) / 2) * width, mean - rows["base"][column][0], width * 0.92,
                yerr=sd, color=COLORS[name], label=name if group == 0 else None,
                error_kw={"elinewidth": 0.9, "capsize": 1.5},
            )  # fmt: skip
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xticks(range(len(columns)), [column.removeprefix("POS ") for column in columns])
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("target language")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7.5, loc="upper left")


def main() -> None:
    """Write the figure; the same tables give the same bytes."""
    plt.rcParams.update(
        {"font.size": 9, "svg.hashsalt": "paralign", "svg.fonttype": "none", "font.family": "sans-serif"}
    )
    mixed = table("paralign-mini.md", "| | en | de | es | fr | hi | mean of de es fr hi")
    german, french = table("alignlm-real-text.md", "| en-de |"), table("alignlm-real-text.md", "| en-fr |")
    single = {name: german[name] | french[name] for name in german}
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.3), width_ratios=(3, 2.2), sharey=True)
    draw(left, mixed, ["de", "es", "fr", "hi"], "PPA and its parts: 128,000 pairs of 7 language pairs")
    draw(right, single, ["POS de", "POS fr"], "AlignLM: 19,200 pairs of one")
    left.set_ylabel("zero-shot accuracy of POS tagging\nminus that of the base (points)")
    figure.tight_layout()
    figure.savefig(HERE / "zero_shot.svg", metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
