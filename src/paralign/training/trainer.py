"""The only loop. It knows no objective by name: alignment, pretraining and fine-tuning all run here."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from accelerate.state import AcceleratorState
from torch import Tensor

from paralign.config import difference
from paralign.device import has_bf16, keep_memory, only_cpu
from paralign.encoder.hf import checkpoint_gradients, compile_layers
from paralign.errors import UserError
from paralign.objectives.base import Batches
from paralign.text.batching import padded_size, split_by_length
from paralign.text.draws import seed_for
from paralign.text.views import Batch
from paralign.training import checkpoint
from paralign.training.alarms import Alarms, is_bad
from paralign.training.config import TrainingConfig
from paralign.training.learner import Learner
from paralign.training.log import ProgressLine, RunLog
from paralign.training.optimiser import learning_rate, make_optimiser
from paralign.training.outcome import Outcome, Stopped
from paralign.training.placement import Placement, Sharded, whole
from paralign.training.track import Trackers

__all__ = ["Trainer"]

_DROPOUT, _PREPARE = 21, 22


class Trainer:
    """Runs a learner over batches, from a fresh start or a checkpoint.

    Killed anywhere, a CPU run resumes to the same bytes: batches, coins, masks and dropout are functions of
    (seed, step), and everything with state is in the checkpoint.

    Args:
        learner: encoder and objectives.
        batches: the data.
        config: settings of the loop.
        run: the run's folder: ``log.jsonl`` and ``checkpoints/`` are written there.
        settings: everything that decides the result, as JSON; a checkpoint of other settings is refused.
        title: of the progress line.
        quiet: no progress line.
        score: measures the learner after every epoch; the weights of the best epoch are the result.
        watch: losses of the learner on held-out text by name, for the log, every ``config.heldout_every`` steps.
        track: trackers that follow the log (TensorBoard writes to ``run/track``).
    """

    def __init__(
        self,
        learner: Learner,
        batches: Batches,
        config: TrainingConfig,
        *,
        run: Path,
        settings: Mapping[str, Any],
        title: str = "train",
        quiet: bool = False,
        score: Callable[[], float] | None = None,
        watch: Callable[[], Mapping[str, float]] | None = None,
        track: Sequence[str] = (),
    ) -> None:
        self.precision = ("bf16" if has_bf16() else "fp32") if config.precision == "auto" else config.precision
        # One process may align, then fine-tune, in different precision; accelerate would keep the first.
        AcceleratorState._reset_state()
        if only_cpu():
            keep_memory()
        self.accelerator = Accelerator(
            cpu=only_cpu(),
            mixed_precision="bf16" if self.precision == "bf16" else "no",
            log_with=list(track) or None,
            project_dir=run / "track" if track else None,
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False, gradient_as_bucket_view=True)],
        )
        self.ranks, self.rank = self.accelerator.num_processes, self.accelerator.process_index
        parts = self.ranks * config.accumulate
        if config.batch % parts:
            raise UserError(
                f"training.batch = {config.batch} does not divide by {self.ranks} processes x "
                f"{config.accumulate} accumulation steps"
            )
        if config.gradient_checkpointing:
            checkpoint_gradients(learner.encoder.model)
        if config.shard and self.ranks > 1:
            self.placed: Placement = Sharded(learner, self.accelerator.device, self.ranks, self._largest)
        else:
            self.placed = Placement(learner, self.accelerator.prepare_model(learner))
        self.learner, self.module = self.placed.learner, self.placed.module
        if config.compile:
            for encoder in self.learner.encoders():
                compile_layers(encoder.model)
        self.batches, self.config = batches, config
        self.run_folder, self.settings = run, dict(settings)
        self.title, self.quiet = title, quiet
        self.steps = config.total_steps(batches.steps_per_epoch)
        self.optimiser = make_optimiser(
            self.learner, weight_decay=config.weight_decay, betas=config.betas, eps=config.eps
        )
        self.weights = learner.weights()
        self.views = sorted({name for o in learner.each().values() for name in o.reads})
        self.alarms = Alarms(learner.chance(), self.steps)
        trackers = Trackers(self.accelerator, title, settings) if track else None
        self.log = RunLog(run / "log.jsonl" if self.accelerator.is_main_process else None, trackers)
        self._score, self.best = score, {"step": 0, "score": -math.inf}
        self._watch = watch
        self.step, self._signal = 0, 0
        self._seen = {"records": 0, "pieces": 0, "positions": 0, "seconds": 0.0}

    # -- start and stop

    def train(self, *, resume: bool = False) -> Outcome:
        """Run to the last step.

        Args:
            resume: go on from the newest checkpoint of the run, if there is one.

        Raises:
            Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.
            UserError: on a checkpoint of other data or settings, and when the loss is not finite.
        """
        found = checkpoint.latest(self.run_folder / "checkpoints") if resume else None
        if found is not None:
            self.module.train()
            self._resume(found)
        else:
            self.log.open()
            self.begin()
        # Python hands signals to the main thread only; elsewhere they are left to whoever owns it.
        caught = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
        old = {s: signal.signal(s, self._on_signal) for s in caught}
        progress = ProgressLine(self.title, self.steps, quiet=self.quiet or not self.accelerator.is_main_process)
        try:
            self._loop(progress)
        finally:
            progress.close()
            self.log.close()
            for signum, handler in old.items():
                signal.signal(signum, handler)
        if self._score is not None:
            checkpoint.load_best(self.run_folder / "checkpoints", self.learner)
        self.placed.finish()
        return self._outcome()

    def begin(self) -> None:
        """What a fresh start does before its first step."""
        self.module.train()
        torch.manual_seed(seed_for(self.config.seed, _PREPARE, self.rank))
        with self.placed.whole(keep=True) as learner, self.accelerator.autocast():
            for objective in learner.each().values():
                objective.prepare(learner.encoder, self.batches, self.rank, self.ranks, self._gather)

    def once(self) -> tuple[dict[str, float], float, float, int]:
        """One optimiser step: losses, the gradient's norm, the learning rate, and a pending signal (of any rank)."""
        slices = self._slices()
        rate = learning_rate(
            self.step,
            steps=self.steps,
            warmup=self.config.warmup_steps(self.steps),
            peak=self.config.learning_rate,
        )
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        losses, norm, stop = self._optimise(slices)
        self.step += 1
        self._count(slices)
        return losses, norm, rate, stop

    @property
    def pieces_seen(self) -> int:
        """By all processes, since the run began."""
        seen: int = int(self._seen["pieces"]) * self.ranks
        return seen

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        if self._signal:  # the second time, at once
            raise KeyboardInterrupt
        self._signal = signum

    def _resume(self, found: Path) -> None:
        state = checkpoint.read_state(found)
        if state["data"] != self.batches.fingerprint:
            raise UserError(
                "the data are not those the run began with",
                where=found,
                mend="start a new run with another --out",
            )
        changed = difference(state["settings"], self.settings)
        if changed:
            raise UserError(f"settings differ from those the run began with: {changed}", where=found)
        checkpoint.load(found, self.learner, self.optimiser)
        self.step = state["step"]
        self._seen = state["seen"]
        self.alarms.load_state_dict(state["alarms"])
        self.best = state.get("best", self.best)
        self.log.open(state["log_bytes"])
        if state["place"] != self._place():
            self.log.write(event="resumed elsewhere", step=self.step, was=state["place"], now=self._place())
            if self.accelerator.is_main_process:
                self.accelerator.print(
                    "note: other threads, processes, precision or torch than before: equal up to rounding"
                )

    def _place(self) -> dict[str, Any]:
        """What equal bytes depend on beside data and settings."""
        return {
            "threads": torch.get_num_threads(),
            "ranks": self.ranks,
            "torch": torch.__version__,
            "precision": self.precision,
        }

    def _save(self) -> None:
        main = self.accelerator.is_main_process
        if main or self.placed.together:
            folder = self.run_folder / "checkpoints"
            state = {
                "data": self.batches.fingerprint,
                "settings": self.settings,
                "place": self._place(),
                "seen": self._seen,
                "alarms": self.alarms.state_dict(),
                **({"best": self.best} if self._score is not None else {}),
                "log_bytes": self.log.size(),
            }
            checkpoint.save(folder, self.step, self.learner, self.optimiser, state, writes=main)
            if main:
                checkpoint.prune(folder, self.config.keep)
        self.accelerator.wait_for_everyone()

    # -- the loop

    def _gather(self, rows: Tensor) -> Tensor:
        out: Tensor = self.accelerator.gather(rows)
        return out

    def _largest(self, number: int) -> int:
        """Of what each process has."""
        return int(self._gather(torch.tensor([number], device=self.accelerator.device)).max())

    def _slices(self) -> list[Batch]:
        count = self.config.accumulate
        return [self.batches.batch(self.step, self.rank * count + i, self.ranks * count) for i in range(count)]

    def _loop(self, progress: ProgressLine) -> None:
        began, before = time.monotonic(), self._seen["seconds"]
        mark = (began, self.step, self._seen["pieces"])
        while self.step < self.steps:
            losses, norm, rate, stop = self.once()
            now = time.monotonic()
            self._seen["seconds"] = before + now - began
            if self.step % self.config.log_every == 0 or self.step == self.steps:
                passed = max(1e-9, now - mark[0])
                pieces = (self._seen["pieces"] - mark[2]) * self.ranks / passed
                pairs = (self.step - mark[1]) * self.config.batch / passed
                self._log_step(losses, rate, norm, pieces, pairs, progress)
                mark = (now, self.step, self._seen["pieces"])
            last = self.step == self.steps
            if self._watch is not None and (last or self.step % self.config.heldout_every == 0):
                self._glance(self._watch, progress)
            if self._score is not None and (last or self.step % self.batches.steps_per_epoch == 0):
                self._look(self._score)
            if stop or last or self.step % self.config.checkpoint_every == 0:
                self._save()
            if stop and not last:
                raise Stopped(stop, self.step)

    def _glance(self, watch: Callable[[], Mapping[str, float]], progress: ProgressLine) -> None:
        """Measure held-out text."""
        began = time.monotonic()
        with self.placed.whole():
            losses = dict(watch())
        self.module.train()
        self.log.write(event="heldout", step=self.step, losses=losses, seconds=round(time.monotonic() - began, 2))
        progress.update(self.step, "held out  " + "  ".join(f"{name} {value:.3f}" for name, value in losses.items()))

    def _look(self, score: Callable[[], float]) -> None:
        """Measure, and keep the weights if they are the best so far."""
        # Scores may differ in their last bits between processes: what the first one found holds for all.
        with self.placed.whole():
            value = float(self._gather(torch.tensor([score()], device=self.accelerator.device))[0])
        self.module.train()
        self.log.write(event="score", step=self.step, score=value)
        if value > self.best["score"]:
            self.best = {"step": self.step, "score": value}
            main = self.accelerator.is_main_process
            if main or self.placed.together:
                checkpoint.save_best(self.run_folder / "checkpoints", self.learner, writes=main)
            self.accelerator.wait_for_everyone()

    def _optimise(self, slices: list[Batch]) -> tuple[dict[str, float], float, int]:
        """One optimiser step; returns the losses, the gradient's norm and a pending signal (of any rank)."""
        names = list(self.weights)
        local = [self.learner.counts(batch) for batch in slices]
        numbers = [sum(c[n] for c in local) for n in names] + [self._signal]
        device = self.accelerator.device
        place = device if self.ranks > 1 else "cpu"  # one process alone need not wait for its accelerator
        shared = self.accelerator.reduce(torch.tensor(numbers, device=place), "sum").tolist()
        counts = dict(zip(names, shared, strict=False))
        stop = (self._signal or signal.SIGTERM) if shared[-1] else 0
        sums = torch.zeros(len(names), device=device)
        first = self.rank * self.config.accumulate
        for index, batch in enumerate(slices):
            torch.manual_seed(seed_for(self.config.seed, _DROPOUT, self.step, first + index))
            last = index == len(slices) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.module):
                with self.accelerator.autocast():  # accelerate wraps only what it prepares
                    out = self.module(batch)
                loss = sum(self.weights[n] * total / max(1, counts[n]) for n, (total, _) in out.items())
                self.accelerator.backward(loss * self.ranks)  # gradients are averaged over ranks
            sums += torch.stack([out[n][0].detach().float() for n in names])
        length = whole(self.accelerator.clip_grad_norm_(self.learner.parameters(), self.config.clip)).float()
        *values, norm = torch.cat([self.accelerator.reduce(sums, "sum"), length.view(1)]).tolist()
        losses = {n: v / max(1, counts[n]) for n, v in zip(names, values, strict=True)}
        bad = is_bad(losses | {"gradient": norm})
        if bad:
            self._diverged(bad)
        self.optimiser.step()
        self.optimiser.zero_grad()
        for objective in self.learner.each().values():
            objective.after_step(self.learner.encoder, self._gather)
        return losses, norm, stop

    def _diverged(self, bad: list[str]) -> None:
        kept = checkpoint.latest(self.run_folder / "checkpoints")
        self.log.write(event="alarm", step=self.step, message=f"not finite: {', '.join(bad)}")
        raise UserError(
            f"{', '.join(bad)} became infinite or not a number at step {self.step + 1:,}",
            where=self.run_folder,
            mend=f"lower training.learning_rate; the last good checkpoint is {kept.name if kept else 'the start'}",
        )

    def _count(self, slices: list[Batch]) -> None:
        self._seen["records"] += self.config.batch
        for batch in slices:
            for name in self.views:
                lengths = batch.view(name).lengths
                self._seen["pieces"] += int(lengths.sum())
                self._seen["positions"] += padded_size(
                    lengths, split_by_length(lengths, self.learner.encoder.chunk_cost)
                )

    def _log_step(
        self,
        losses: dict[str, float],
        rate: float,
        norm: float,
        pieces: float,
        pairs: float,
        progress: ProgressLine,
    ) -> None:
        metrics = self.learner.metrics()
        total = sum(self.weights[n] * v for n, v in losses.items())
        eta = (self.steps - self.step) * self.config.batch / max(pairs, 1e-9)
        self.log.write(
            step=self.step,
            time=round(self._seen["seconds"], 3),
            loss=total,
            losses=losses,
            lr=rate,
            grad_norm=norm,
            tokens_per_s=round(pieces, 1),
            pairs_per_s=round(pairs, 2),
            padding=round(self._padding(), 4),
            eta_s=round(eta, 1),
            metrics=metrics,
        )
        for message in self.alarms.look(self.step, losses, metrics):
            self.log.write(event="alarm", step=self.step, message=message)
        shown = "  ".join(f"{n} {v:.3f}" for n, v in losses.items())
        progress.update(self.step, f"{shown}  {pieces:,.0f} tokens/s  {pairs:,.0f} pairs/s")

    def _padding(self) -> float:
        return 1 - self._seen["pieces"] / max(1, self._seen["positions"])

    def _outcome(self) -> Outcome:
        return Outcome(
            steps=self.step,
            records_seen=int(self._seen["records"]),
            pieces_seen=self.pieces_seen,
            seconds=float(self._seen["seconds"]),
            padding=self._padding(),
            alarms=list(self.alarms.raised.values()),
            device=str(self.accelerator.device.type),
            precision=self.precision,
            ranks=self.ranks,
            signal=self._signal,
        )
