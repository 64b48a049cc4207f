"""Word alignment: `hmm` and `ibm` by counting on a synthetic set, `similarity` by an encoder on real pairs.

The set is that of `benchmarks/aligners.py`. Counting goes through `paralign.align_words`, as a user calls it: reading
the text and writing the links are in the seconds.
"""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from context import Context, Measurement

SCORED = 20_000
"""The first so many pairs are scored: enough for the fourth digit of the error rate."""
BENCHMARKS = Path(__file__).resolve().parents[2]
COUNTING = ("hmm", "ibm")
SHORT, MIDDLE, LONG = 10_000, 100_000, 1_000_000
TINY = (100, 200, 300)
SIMILAR = 4_000


def measurements(context: Context) -> list[Measurement]:
    """The same links first, then the rates."""
    from context import Measurement

    words = Words(context)
    short, middle, long = TINY if context.tiny else (SHORT, MIDDLE, LONG)
    return [
        *(Measurement(f"{m} {short} links as on a cpu", lambda m=m: words.agreement(m, short)) for m in COUNTING),
        *(Measurement(f"{m} {middle}", lambda m=m: words.counted(m, middle)) for m in COUNTING),
        *(Measurement(f"similarity {p}", lambda p=p: words.similar(p)) for p in ("fp32", "bf16")),
        *(Measurement(f"{m} {long}", lambda m=m: words.counted(m, long)) for m in reversed(COUNTING)),
    ]


class Words:
    """Texts and what is known of their cost.

    Args:
        context: of the stage.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._work = context.work / "words"
        self._sets: dict[int, Drawing] = {}
        self._rate: dict[str, float] = {}

    def _drawn(self, pairs: int) -> Drawing:
        """A set; the longest is begun with the first, as drawing it takes a while."""
        for size in (pairs, TINY[-1] if self._context.tiny else LONG):
            if size not in self._sets:
                self._sets[size] = Drawing(self._work, size)
        return self._sets[pairs]

    def agreement(self, method: str, pairs: int) -> dict[str, Any]:
        """Whether a device finds the links of the CPU."""
        if self._context.device.type == "cpu" and not self._context.tiny:
            self._context.skip("this is the CPU")
        return agreement(self._drawn(pairs), method)

    def counted(self, method: str, pairs: int) -> dict[str, Any]:
        """A set aligned, if there is time: as long a pair as before, by the same method or another."""
        known = self._rate.get(method) or max(self._rate.values(), default=0.0)
        if pairs * known > self._context.left():
            left = max(0.0, self._context.left())
            self._context.skip(f"takes about {pairs * known:.0f} s, {left:.0f} s are left")
        found = counted(self._drawn(pairs), method)
        self._rate[method] = found["seconds"] / pairs
        return found

    def similar(self, precision: str) -> dict[str, Any]:
        """Pairs of the token store, linked by the encoder."""
        from paralign import Encoder, TokenStore

        context = self._context
        store = TokenStore.open(context.store())
        records = np.random.default_rng(0).permutation(len(store))[: 40 if context.tiny else SIMILAR].tolist()
        pairs = [(store.text(record, 0), store.text(record, 1)) for record in records]
        encoder = Encoder.from_pretrained(context.encoder()).to(context.device).eval()
        return similar(encoder, pairs, precision)


class Drawing:
    """A synthetic set of sentence pairs, drawn by a process of its own while other work goes on."""

    def __init__(self, folder: Path, pairs: int) -> None:
        self.folder, self.pairs = folder / f"synthetic-{pairs}", pairs
        self.folder.mkdir(parents=True, exist_ok=True)
        draw = (
            f"import sys; sys.path.insert(0, {str(BENCHMARKS)!r}); import aligners; from pathlib import Path; "
            f"aligners.synthetic(Path({str(self.folder)!r}), {pairs})"
        )
        done = (self.folder / "gold").is_file() and (self.folder / "whole").is_file()
        self._process = None if done else subprocess.Popen([sys.executable, "-c", draw])

    def text(self) -> tuple[Path, Path, Path]:
        """Source, target and gold, once they are there."""
        if self._process is not None and self._process.wait():
            raise RuntimeError(f"drawing {self.pairs:,} pairs failed")
        (self.folder / "whole").touch()
        return self.folder / "source", self.folder / "target", self.folder / "gold"


def counted(drawing: Drawing, method: str) -> dict[str, Any]:
    """Seconds in all and until each line of progress, memory, error rate, and a digest of the links."""
    import paralign
    from paralign.metrics.alignment import alignment_score

    source, target, gold = drawing.text()
    out = drawing.folder / f"{method}.links"
    with memory() as used, stamped() as lines:
        links, _ = paralign.align_words(f"en-de={source},{target}", out=out, method=method, tokenised=True)
    pairs = min(len(links), SCORED)
    right = _first(gold, pairs)
    score = alignment_score((links[k], right[k], right[k]) for k in range(pairs))
    return {
        "pairs": len(links),
        "seconds": lines[-1][0],
        "pairs_per_s": len(links) / lines[-1][0],
        "progress": lines,
        **used,
        "links": len(links.source),
        "digest": digest(links),
        "aer": score.aer,
        "scored_pairs": pairs,
    }


def agreement(drawing: Drawing, method: str) -> dict[str, Any]:
    """Share of links that only the device or only the CPU finds, on the same text."""
    import paralign

    source, target, _ = drawing.text()
    found = []
    for on_cpu in (True, False):
        with on_the_cpu(on_cpu):
            began = time.perf_counter()
            links, _ = paralign.align_words(
                f"en-de={source},{target}", out=drawing.folder / "links", method=method, tokenised=True, quiet=True
            )
            found.append((time.perf_counter() - began, {(k, *link) for k, some in enumerate(links) for link in some}))
    (cpu, one), (device, other) = found
    return {
        "pairs": drawing.pairs,
        "cpu_s": cpu,
        "device_s": device,
        "links": len(one),
        "unlike_share": len(one ^ other) / len(one | other),
    }


def similar(encoder: Any, pairs: list[tuple[str, str]], precision: str) -> dict[str, Any]:
    """Pairs a second that `similarity` links with a loaded encoder."""
    from paralign.words.similarity import SimilarityConfig, align_by_similarity

    config = SimilarityConfig(precision=precision)
    align_by_similarity(encoder, pairs[:200], config)  # warms up
    with memory() as used:
        began = time.perf_counter()
        links = align_by_similarity(encoder, pairs, config)
        seconds = time.perf_counter() - began
    return {"pairs": len(pairs), "seconds": seconds, "pairs_per_s": len(pairs) / seconds, "precision": precision,
            "links": len(links.source), "digest": digest(links), **used}  # fmt: skip


def digest(links: Any) -> str:
    """Of all links: equal on two machines if and only if they found the same."""
    hasher = hashlib.blake2b(digest_size=8)
    for part in (links.starts, links.source, links.target):
        hasher.update(part.tobytes())
    return hasher.hexdigest()


def _first(gold: Path, pairs: int) -> list[set[tuple[int, int]]]:
    """Gold links of the first pairs, `i-j` from 0."""
    out = []
    with gold.open(encoding="utf-8") as file:
        for _, line in zip(range(pairs), file, strict=False):
            out.append({(int(i), int(j)) for i, _, j in (word.partition("-") for word in line.split())})
    return out


@contextmanager
def stamped() -> Iterator[list[tuple[float, str]]]:
    """Seconds from the beginning to each line that is said, and to the end."""
    lines: list[tuple[float, str]] = []
    began = time.perf_counter()

    class Stamp(io.TextIOBase):
        def write(self, text: str) -> int:
            if text.strip():
                lines.append((round(time.perf_counter() - began, 3), text.strip()))
            return len(text)

    with redirect_stderr(Stamp()):
        yield lines
    lines.append((round(time.perf_counter() - began, 3), "end"))


@contextmanager
def memory() -> Iterator[dict[str, float]]:
    """Peak memory in MB: of this process, and of the accelerator."""
    import torch

    found: dict[str, float] = {}
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    except OSError:
        found["host_peak_is_of_all_before_too"] = 1.0
    yield found
    if cuda:
        found["device_peak_mb"] = torch.cuda.max_memory_allocated() / 2**20
    found["host_peak_mb"] = _host_peak()


def _host_peak() -> float:
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), float("nan"))


@contextmanager
def on_the_cpu(wanted: bool) -> Iterator[None]:
    """Within it paralign computes on the CPU, if wanted."""
    before = os.environ.get("ACCELERATE_USE_CPU")
    if wanted:
        os.environ["ACCELERATE_USE_CPU"] = "1"
    try:
        yield
    finally:
        if wanted and before is None:
            del os.environ["ACCELERATE_USE_CPU"]
        elif before is not None:
            os.environ["ACCELERATE_USE_CPU"] = before
