"""Stage ``step``: PPA at the shape of mBERT, compared with the same step written in plain transformers."""

from __future__ import annotations

import argparse
import gc
import tempfile
import warnings
from collections import Counter
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import material
import matrix_share
import ppa_step
import torch
from context import Context, Measurement
from hf_step import HuggingFaceStep, Style
from loop import Loops, peak_memory_mb, synchronized_time
from machine import median_of

from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder
from paralign.runs.settings import run_settings
from paralign.training import CorpusBatches, Trainer

SHAPE = "mbert"
CHUNKS, TINY_CHUNKS = (2_048, 32_768), (256, 2_048)
BATCHES = (512, 2_048)
"""Other numbers of pairs per step. The paper's 128 do not keep a large GPU busy."""
RIVALS = {
    "obvious-fp32": (Style(128, bf16=False, fused=False), False),
    "careful": (Style(None, bf16=True, fused=True), False),
    "obvious-tf32": (Style(128, bf16=False, fused=False), True),
}
"""Styles, and whether fp32 matrix products may use tf32."""
ALIGNED = 119_552
"""mBERT's vocabulary rounded up to a multiple of 64, to see whether 119,547 columns need a slower kernel."""


def measurements(context: Context) -> list[Measurement]:
    """Return the measurements, most important first."""
    bench = Bench(context)
    chunks = TINY_CHUNKS if context.tiny else CHUNKS
    return [
        *([Measurement("pack", partial(read_pack, context))] if context.pack else []),
        Measurement("peak", bench.peak),
        Measurement("ppa", bench.ppa),
        Measurement("equal-losses", bench.equal_losses),
        *(Measurement(name, partial(bench.rival, name), needs=10) for name in list(RIVALS)[:2]),
        Measurement("profile", bench.profile),
        Measurement("waits", bench.waits),
        *(Measurement(f"chunk-{cost}", partial(bench.chunk, cost), needs=5) for cost in chunks),
        *(Measurement(f"batch-{pairs}", partial(bench.batch, pairs), needs=10) for pairs in BATCHES),
        *(Measurement(name, partial(bench.rival, name), needs=10) for name in list(RIVALS)[2:]),
        Measurement(f"vocabulary-{ALIGNED}", bench.aligned_vocabulary, needs=10),
        Measurement("compile", bench.compiled, needs=45),
    ]


def read_pack(context: Context) -> dict[str, Any]:
    """Unpack the pack and describe it; its store and its encoder must have the same tokenizer."""
    start = synchronized_time()
    store, folder = TokenStore.open(material.packed_store(context)), material.packed_encoder(context)
    encoder = Encoder.from_pretrained(folder)
    if store.meta["tokenizer"] != encoder.tokenizer_id:
        raise RuntimeError("store and encoder of the pack have different tokenizers")
    return {"unpack_s": synchronized_time() - start, "pairs": len(store), "languages": store.languages,
            "pieces_per_pair": float(store.lengths.sum(1).mean()), "weights": encoder.parameter_count(),
            "digest": encoder.digest()}  # fmt: skip


class Bench:
    """Measurements that share one trainer.

    Args:
        context: context of the stage.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.loops = context, Loops(context)

    @cached_property
    def trainer(self) -> Trainer:
        """PPA with default settings."""
        return self.loops.trainer("ppa", SHAPE)

    @cached_property
    def rates(self) -> dict[str, float]:
        """FLOP/s of a large square matrix product by precision."""
        device, size = self.context.device, 256 if self.context.tiny else 8_192
        rates = {"bf16": matrix_share.square(device, torch.bfloat16, size)}
        for name, precision in (("fp32", "highest"), ("tf32", "high")):
            torch.set_float32_matmul_precision(precision)
            try:
                rates[name] = matrix_share.square(device, torch.float32, size)
            finally:
                torch.set_float32_matmul_precision("highest")
        return rates

    def peak(self) -> dict[str, Any]:
        """Return the TFLOP/s of square matrix products."""
        return {name: rate / 1e12 for name, rate in self.rates.items()}

    def _with_share(self, rate: dict[str, Any]) -> dict[str, Any]:
        """Add the share of the peak to the figures of a rate."""
        peak = self.rates[rate["precision"]]
        return {"pairs_per_s": rate["pairs_per_s"], "share_of_peak": rate["tflop_per_s"] * 1e12 / peak, **rate}

    def ppa(self) -> dict[str, Any]:
        """Measure the loop, and the milliseconds per step that making the views takes."""
        figures = self._with_share(self.loops.rate(self.trainer))
        first, many = self.loops.size.warm, self.loops.size.block
        start = synchronized_time()
        for step in range(first, first + many):
            batch = self.trainer.batches.batch(step)
            for view in ("joint", "first", "second"):
                batch.view(view)
        figures |= {
            "views_ms": 1000 * (synchronized_time() - start) / many,
            "vocabulary": len(self.trainer.learner.encoder.embeddings),
            "pieces_of_tokenizer": len(self.loops.tokenizer),
            "weights": "random",
        }
        return figures

    def equal_losses(self) -> dict[str, Any]:
        """Return the largest loss difference between paralign and its rivals in three fp32 steps, at a small shape."""
        options = argparse.Namespace(arch="bert:2x32" if self.context.tiny else "bert:2x128", batch=8, queue=64,
                                     pad_to=128, precision="fp32", check_steps=3)  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            return dict(ppa_step.check(options, self.loops.store, self.loops.tokenizer, Path(folder)))

    def rival(self, name: str) -> dict[str, Any]:
        """Measure a step in plain transformers and paralign's, taking turns; the speedup is computed block by block.

        If logits at all positions of mBERT's vocabulary do not fit on the device, the rival has smaller batches.
        """
        style, tf32 = RIVALS[name]
        if style.bf16 and self.trainer.precision != "bf16":
            style = Style(style.pad_to, bf16=False, fused=style.fused)
        batch = self.loops.size.batch
        torch.set_float32_matmul_precision("high" if tf32 else "highest")
        try:
            while True:
                try:
                    return self._alternate(style, batch) | {"bf16": style.bf16, "tf32": tf32}
                except torch.OutOfMemoryError:
                    if batch <= 16:
                        raise
                batch //= 2
                gc.collect()
                torch.cuda.empty_cache()
        finally:
            torch.set_float32_matmul_precision("highest")

    def _alternate(self, style: Style, batch: int) -> dict[str, Any]:
        trainer, size = self.trainer, self.loops.size
        steps = 1 if self.context.tiny else 5 if style.pad_to else 20
        moco: Any = trainer.learner.objectives["moco"]
        rival = HuggingFaceStep(trainer.learner.encoder, moco, trainer.config, style, steps=1_000_000,
                                device=self.context.device)  # fmt: skip
        batches = self._shuffled(batch)
        rival.step(batches.batch(0))
        self.loops.run(trainer, 0, size.warm)
        theirs, ours = [], []
        for block in range(size.blocks):
            start = synchronized_time()
            for step in range(steps):
                rival.step(batches.batch(1 + step))  # the same: on CUDA, attention is slow at its first use of a shape
            theirs.append(steps * batch / (synchronized_time() - start))
            ours.append(size.block * size.batch / self.loops.block(trainer, block))
        speedup = median_of([a / b for a, b in zip(ours, theirs, strict=True)])
        return {"pairs_per_s": median_of(theirs), "speedup": speedup, "batch": batch,
                "paralign_pairs_per_s": median_of(ours), "peak_mb_of_both": peak_memory_mb()}  # fmt: skip

    def _shuffled(self, batch: int) -> CorpusBatches:
        """Return batches in random order, as a plain data loader makes them."""
        trainer, encoder = self.trainer, self.trainer.learner.encoder
        training = trainer.config.model_copy(update={"window": 1, "batch": batch})
        views = run_settings("ppa").views
        return CorpusBatches(self.loops.store, encoder.template, views, training, longest=encoder.max_pieces)

    def chunk(self, cost: int) -> dict[str, Any]:
        """Measure the loop with another ``training.chunk_cost``."""
        moco: Any = self.trainer.learner.objectives["moco"]
        encoders = (self.trainer.learner.encoder, moco.momentum_encoder)
        usual = encoders[0].chunk_cost
        try:
            for encoder in encoders:
                encoder.chunk_cost = cost
            return self._with_share(self.loops.rate(self.trainer))
        finally:
            for encoder in encoders:
                encoder.chunk_cost = usual

    def batch(self, pairs: int) -> dict[str, Any]:
        """Measure the loop with another number of pairs per step."""
        if self.context.tiny:
            pairs = 2 * self.loops.size.batch
        loops = Loops(self.context)
        loops.size = replace(loops.size, block=max(2, loops.size.block * loops.size.batch // pairs))
        trainer = loops.trainer("ppa", SHAPE, batch=pairs, window=loops.size.block)
        return self._with_share(loops.rate(trainer)) | {"batch": pairs}

    def _best(self) -> int:
        """Return the best chunk cost that was measured, else the default."""
        rates = {cost: figures["pairs_per_s"]["median"] for cost in CHUNKS
                 if (figures := self.context.values.get(f"chunk-{cost}"))}  # fmt: skip
        return max(rates, key=lambda cost: rates[cost], default=self.trainer.learner.encoder.chunk_cost)

    def _replace_trainer(self, **settings: Any) -> Trainer:
        """Return a new trainer; the shared one is released."""
        self.__dict__.pop("trainer", None)
        return self.loops.trainer("ppa", SHAPE, **settings)

    def aligned_vocabulary(self) -> dict[str, Any]:
        """Measure the loop with some more rows of the vocabulary."""
        return self._with_share(self.loops.rate(self._replace_trainer(vocabulary=ALIGNED)))

    def compiled(self) -> dict[str, Any]:
        """Measure the loop with ``training.compile`` and the best chunk cost, and the time of compilation."""
        if self.context.tiny:
            self.context.skip("compilation takes minutes on a CPU; tests/gpu tests it")
        best = self._best()
        trainer = self._replace_trainer(compile=True, chunk_cost=best)
        start = synchronized_time()
        self.loops.run(trainer, 0, self.loops.size.warm)
        seconds = synchronized_time() - start
        return self._with_share(self.loops.rate(trainer)) | {"first_steps_s": seconds, "chunk_cost": best}

    def waits(self) -> dict[str, Any]:
        """Count how often a step waits for the device, by line of code."""
        if not torch.cuda.is_available():
            self.context.skip("only CUDA reports this")
        steps = 3
        self.loops.run(self.trainer, 0, steps)
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                self.loops.run(self.trainer, 0, steps)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        where = Counter(f"{'/'.join(Path(one.filename).parts[-2:])}:{one.lineno}" for one in seen
                        if "synchroniz" in str(one.message))  # fmt: skip
        return {"per_step": where.total() / steps, "where": dict(where.most_common(12))}

    def profile(self) -> dict[str, Any]:
        """Profile some steps: the table is written to OUT/step-profile.txt."""
        steps = 2 if self.context.tiny else 5
        self.loops.run(self.trainer, 0, steps)
        cuda = torch.cuda.is_available()
        kinds = [torch.profiler.ProfilerActivity.CPU] + ([torch.profiler.ProfilerActivity.CUDA] if cuda else [])
        with torch.profiler.profile(activities=kinds) as profiler:
            start = synchronized_time()
            self.loops.run(self.trainer, 0, steps)
            seconds = synchronized_time() - start
        events = profiler.key_averages()
        order = "self_cuda_time_total" if cuda else "self_cpu_time_total"
        path = self.context.out / "step-profile.txt"
        path.write_text(events.table(sort_by=order, row_limit=25, max_name_column_width=90), encoding="utf-8")
        kernels = [event for event in events if "CUDA" in str(event.device_type)]
        busy = sum(event.self_device_time_total for event in kernels) / 1e6
        top = sorted(kernels, key=lambda event: -event.self_device_time_total)[:12]
        return {"step_ms_profiled": 1000 * seconds / steps, "device_busy": busy / seconds if cuda else None,
                "table": path.name, "kernels_per_step": sum(event.count for event in kernels) / steps,
                "top": [[event.key[:80], event.self_device_time_total / 1e6 / seconds] for event in top]}  # fmt: skip
