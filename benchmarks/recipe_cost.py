"""Cost of a step of one recipe compared with another: pairs per second of the real loop on one store.

    python benchmarks/recipe_cost.py alignlm-mini alignlm-tlm-mini [--store STORE --tokenizer FOLDER]

Every run is `paralign align` from the same random weights on the same batches. Runs take turns; the first steps of each
are not counted, nor is word alignment. Ratios are of seconds per pair, relative to the last recipe.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from corpora import add_arguments, open_or_make
from loop_rate import loop_rate
from machine import finish, median_of, table

from paralign.encoder import Encoder


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", nargs="+")
    add_arguments(parser)
    parser.add_argument("--arch", default="bert:4x256", help="family:LAYERSxWIDTH")
    parser.add_argument("--batch", type=int, default=128, help="pairs per step")
    parser.add_argument("--precision", choices=("auto", "bf16", "fp32"), default="auto")
    parser.add_argument("--warm", type=int, default=5, help="unmeasured steps of each run")
    parser.add_argument("--steps", type=int, default=30, help="measured steps of each run")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store, tokenizer = open_or_make(given, folder)
        longest = max(128, int(store.lengths.sum(1).max()) + 8)
        Encoder.from_scratch(given.arch, tokenizer, max_length=longest).save_pretrained(folder / "encoder")
        rates: dict[str, list[float]] = {recipe: [] for recipe in given.recipe}
        for turn in range(given.repeats):
            for recipe, found in rates.items():
                training = {"training": {"seed": turn, "precision": given.precision}}
                found.append(loop_rate(folder / "encoder", store.path, recipe, given, training))
    last = rates[given.recipe[-1]]
    rows = {recipe: {"pairs_per_s": median_of(found),
                     "cost": median_of([b / a for a, b in zip(found, last, strict=True)])}
            for recipe, found in rates.items()}  # fmt: skip
    cells = [[recipe, *(f"{row[what][key]:.{digits}f}" for what, digits in (("pairs_per_s", 1), ("cost", 3))
                        for key in ("median", "min", "max"))] for recipe, row in rows.items()]  # fmt: skip
    print(f"{given.arch}, {len(tokenizer):,} pieces, {given.batch} pairs per step")
    print(table(["recipe", "pairs/s", "min", "max", f"cost of a pair, {given.recipe[-1]} = 1", "min", "max"], cells))
    result = {"arch": given.arch, "vocabulary": len(tokenizer), "batch": given.batch, "rows": rows}
    finish("recipe_cost", result, torch_too=True)


if __name__ == "__main__":
    main()
