"""Nearest neighbors of both sides: tiles with one product for both, compared with a whole row of cosines at a time.

    python benchmarks/nearest.py --rows 50000 --width 384

The obvious way multiplies twice, and partitions every row of cosines with all vectors of the other side. Both must find
the same neighbors. Time is that of the clock, on all cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from machine import finish, table

from paralign.metrics.neighbors import nearest_both_ways, unit_rows

Floats = npt.NDArray[np.float32]
_CELLS = 8_000_000


def row_by_row(rows: Floats, others: Floats, k: int) -> npt.NDArray[np.int64]:
    """Return the ``k`` nearest ``others`` of each row, in no order. Shape: [n, k]."""
    step = max(1, _CELLS // len(others))
    chunks = (rows[start : start + step] @ others.T for start in range(0, len(rows), step))
    return np.concatenate([np.argpartition(cosine, len(others) - k, axis=1)[:, -k:] for cosine in chunks])


def main(arguments: Sequence[str] | None = None) -> None:
    """Time both and compare the neighbors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=50_000, help="number of vectors on each side")
    parser.add_argument("--width", type=int, default=384, help="dimensions")
    parser.add_argument("-k", type=int, default=4, help="number of neighbors")
    args = parser.parse_args(arguments)
    rng = np.random.default_rng(0)
    source = rng.normal(size=(args.rows, args.width)) + 0.7
    target = source + 2 * rng.normal(size=source.shape)
    left, right = unit_rows(source)[0], unit_rows(target)[0]
    begin = time.perf_counter()
    of_left, of_right = nearest_both_ways(left, right, args.k)
    tiles = time.perf_counter() - begin
    begin = time.perf_counter()
    found = row_by_row(left, right, args.k), row_by_row(right, left, args.k)
    obvious = time.perf_counter() - begin
    same = np.mean([
        (np.sort(near.index, 1) == np.sort(rows, 1)).all(1).mean()
        for near, rows in zip((of_left, of_right), found, strict=True)
    ])  # fmt: skip
    rows = [["tiles", f"{tiles:.2f}", f"{obvious / tiles:.2f}"], ["row by row", f"{obvious:.2f}", "1.00"]]
    print(table(["way", "s", "times as fast"], rows))
    print(f"rows with the same neighbors: {100 * same:.3f} %")
    result = {"rows": args.rows, "width": args.width, "k": args.k, "seconds": tiles, "obvious_seconds": obvious}
    finish("nearest", result | {"ratio": obvious / tiles, "same": float(same)})


if __name__ == "__main__":
    main()
