"""Stage ``words``: word alignment by `similarity` on real pairs. The other aligners compute on CPUs only."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from context import Context, Measurement

PAIRS, TINY = 4_000, 40


def measurements(context: Context) -> list[Measurement]:
    """Return the rates in both precisions."""
    from context import Measurement

    return [Measurement(f"similarity {p}", partial(similar, context, p)) for p in ("fp32", "bf16")]


def similar(context: Context, precision: str) -> dict[str, Any]:
    """Align pairs of the token store with the encoder."""
    from paralign import Encoder, TokenStore

    store = TokenStore.open(context.store())
    records = np.random.default_rng(0).permutation(len(store))[: TINY if context.tiny else PAIRS].tolist()
    pairs = [(store.text(record, 0), store.text(record, 1)) for record in records]
    encoder = Encoder.from_pretrained(context.encoder()).to(context.device).eval()
    return align_similar(encoder, pairs, precision)


def align_similar(encoder: Any, pairs: list[tuple[str, str]], precision: str) -> dict[str, Any]:
    """Measure the pairs per second of `similarity` with a loaded encoder."""
    from paralign.words.similarity import SimilarityConfig, align_by_similarity

    config = SimilarityConfig(precision=precision)
    align_by_similarity(encoder, pairs[:200], config)  # warm-up
    with peak_memory() as used:
        start = time.perf_counter()
        links = align_by_similarity(encoder, pairs, config)
        seconds = time.perf_counter() - start
    return {"pairs": len(pairs), "seconds": seconds, "pairs_per_s": len(pairs) / seconds, "precision": precision,
            "links": len(links.source), "digest": digest(links), **used}  # fmt: skip


def digest(links: Any) -> str:
    """Return a digest of all links, to compare two machines."""
    hasher = hashlib.blake2b(digest_size=8)
    for part in (links.starts, links.source, links.target):
        hasher.update(part.tobytes())
    return hasher.hexdigest()


@contextmanager
def peak_memory() -> Iterator[dict[str, float]]:
    """Measure peak memory in MB, of this process and of the accelerator."""
    import torch

    peaks: dict[str, float] = {}
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # resets the peak
    except OSError:
        peaks["host_peak_includes_earlier_work"] = 1.0
    yield peaks
    if cuda:
        peaks["device_peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
    peaks["host_peak_mb"] = _host_peak()


def _host_peak() -> float:
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), float("nan"))
