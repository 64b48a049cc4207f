"""The only training loop. It knows no objective by name: alignment, pretraining and fine-tuning all run here."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paralign.batches.views import Batch
from paralign.console import echo
from paralign.device import only_cpu, trim_memory
from paralign.encoder.hf import checkpoint_gradients, compile_layers
from paralign.encoder.precision import choose_precision
from paralign.errors import Stopped
from paralign.objectives.base import Batches
from paralign.rng import seed_for
from paralign.training import checkpoint
from paralign.training.accelerator import averaging_gradients, make_accelerator
from paralign.training.alarms import Alarms, non_finite
from paralign.training.callbacks import Callback
from paralign.training.checkpoint_losses import CheckpointLosses
from paralign.training.config import TrainingConfig
from paralign.training.environment import describe_change, describe_environment
from paralign.training.global_batch import global_shares
from paralign.training.gradient_cosine import GradientCosines
from paralign.training.learner import Learner
from paralign.training.log import ProgressLine, RunLog
from paralign.training.optimizer import learning_rate, make_optimizer
from paralign.training.outcome import Outcome
from paralign.training.placement import Placement, Sharded, whole
from paralign.training.signals import StopSignal
from paralign.training.totals import Totals

__all__ = ["Trainer"]

_DROPOUT, _PREPARE = 21, 22
"""Streams of random numbers."""
_SAVE_EVERY = 900
"""Seconds after which a single process writes a checkpoint, however few steps it took."""
_TRIM_EVERY = 25
"""Steps after which unused memory is returned; the next step takes up to 30 percent longer."""


class Trainer:
    """Trains a learner on batches, from a fresh start or from a checkpoint.

    Killed at any point, a CPU run resumes to the same bytes: batches, coin flips, masks and dropout are functions of
    (seed, step), and everything with state is in the checkpoint.

    Args:
        learner: encoder and objectives.
        batches: the training data.
        config: settings of the loop.
        run: folder of the run; ``log.jsonl`` and ``checkpoints/`` are written there.
        settings: everything that decides the result, as JSON values; a checkpoint of other settings is refused.
        lineage: how the weights are made, the same for all seeds; recorded in checkpoints. None: it is not known.
        title: shown in the progress line.
        quiet: show no progress line.
        callbacks: called in this order; by default :class:`paralign.training.alarms.Alarms` alone.

    Raises:
        UserError: if the batch size is not divisible by the number of processes times accumulation steps.
    """

    def __init__(
        self,
        learner: Learner,
        batches: Batches,
        config: TrainingConfig,
        *,
        run: Path,
        settings: Mapping[str, Any],
        lineage: str | None = None,
        title: str = "train",
        quiet: bool = False,
        callbacks: Sequence[Callback] | None = None,
    ) -> None:
        self.precision = choose_precision(config.precision, learner.encoders(), quiet=quiet)
        self.accelerator = make_accelerator(self.precision)
        self.ranks, self.rank = self.accelerator.num_processes, self.accelerator.process_index
        config.check_division(self.ranks)
        self.cosines = GradientCosines(learner, config)
        if config.gradient_checkpointing:
            checkpoint_gradients(learner.encoder.model)
        if config.shard and self.ranks > 1:
            self.placement: Placement = Sharded(learner, self.accelerator.device, self.ranks, self._maximum)
        else:
            self.placement = Placement(learner, averaging_gradients(self.accelerator, learner))
        self.learner, self.module = self.placement.learner, self.placement.module
        if config.compile:
            for encoder in self.learner.encoders():
                compile_layers(encoder.model)
        self.batches, self.config = batches, config
        self.run_dir, self.settings, self.lineage = run, dict(settings), lineage
        self.title, self.quiet = title, quiet
        self.steps = config.total_steps(batches.steps_per_epoch)
        self.optimizer = make_optimizer(
            self.learner, weight_decay=config.weight_decay, betas=config.betas, eps=config.eps
        )
        self.views = list(learner.requests)
        self.callbacks: list[Callback] = [Alarms()] if callbacks is None else list(callbacks)
        self.log = RunLog(run / "log.jsonl" if self.accelerator.is_main_process else None)
        self.step, self.signal = 0, StopSignal()
        self.totals = Totals()
        self.losses_after = CheckpointLosses()
        self._progress: ProgressLine | None = None

    # -- start and stop

    def train(self, *, resume: bool = False) -> Outcome:
        """Run to the last step.

        Args:
            resume: continue from the newest checkpoint of the run, if there is one.

        Raises:
            Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.
            UserError: for a checkpoint of other data or settings, and when a loss is not finite.
        """
        newest = checkpoint.latest(self.run_dir / "checkpoints") if resume else None
        state = None if newest is None else self._resume(newest)
        self.log.open(*((0,) if state is None else (state["log_bytes"], state["log_digest"])))
        with ExitStack() as at_exit:  # called in reverse order
            at_exit.enter_context(self._own_random_numbers())
            for callback in reversed(self.callbacks):
                at_exit.callback(callback.close)
            at_exit.callback(self.log.close)
            self._progress = ProgressLine(self.title, self.steps, quiet=self.quiet or self.rank > 0)
            at_exit.callback(self._progress.close)
            for callback in self.callbacks:
                callback.on_train_start(self)
            if state is None:
                self.prepare_objectives()
            else:
                now = self._place()
                was = now | state["place"]  # those of earlier versions do not record everything
                if was != now:
                    self.record(event="resumed elsewhere", step=self.step, was=was, now=now)
                    echo(describe_change(was, now), quiet=self.quiet)
            with self.signal:
                self._loop()
            for callback in self.callbacks:
                callback.on_train_end(self)
        self.placement.finish()
        return self._outcome()

    def prepare_objectives(self, max_batches: int | None = None) -> None:
        """Let the objectives prepare for a fresh start, before its first step.

        Args:
            max_batches: maximum number of batches that each may encode. None: as many as it needs.
        """
        self.module.train()
        torch.manual_seed(seed_for(self.config.seed, _PREPARE, self.rank))
        with self.placement.whole(keep=True) as learner, self.accelerator.autocast():
            for objective in learner.objectives_by_name().values():
                objective.max_prepare_batches = max_batches
                objective.prepare(learner.encoder, self.batches, self.rank, self.ranks, self._gather)

    def train_step(self) -> tuple[dict[str, float], float, float, int]:
        """Take one optimizer step.

        Returns:
            the losses, the norm of the gradient, the learning rate, and a pending signal (of any process) or 0.
        """
        slices = self._slices()
        warmup, peak = self.config.warmup_steps(self.steps), self.config.learning_rate
        rate = learning_rate(self.step, steps=self.steps, warmup=warmup, peak=peak)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses, norm, stop = self._optimize(slices)
        self.step += 1
        self.totals.add(slices, self.views, self.learner.encoder, records=self.config.batch)
        return losses, norm, rate, stop

    @property
    def pieces_seen(self) -> int:
        """Tokenizer pieces encoded by all processes since the run began."""
        return int(self.totals.pieces * self.ranks)

    # -- for callbacks

    def record(self, **entry: Any) -> None:
        """Append an entry to the log and pass it to the callbacks."""
        self.log.write(**entry)
        for callback in self.callbacks:
            callback.on_log(self, entry)

    def show(self, note: str) -> None:
        """Show a note in the progress line."""
        if self._progress is not None:
            self._progress.update(self.step, note)

    @contextmanager
    def evaluation(self) -> Iterator[Callable[[], float]]:
        """Give this process all weights for an evaluation, and return to training mode afterwards.

        Yields:
            a function that returns the seconds since the evaluation began.
        """
        began = time.monotonic()
        with self.placement.whole():
            yield lambda: time.monotonic() - began
        self.module.train()

    def from_main_process(self, value: float) -> float:
        """Return the value of the first process; scores may differ in their last bits between processes."""
        return float(self._gather(torch.tensor([value], device=self.accelerator.device))[0])

    def whole_weights(self) -> AbstractContextManager[Learner]:
        """Give this process all weights; changes to them are kept. Yields the learner."""
        return self.placement.whole(keep=True)

    def save_best(self) -> None:
        """Keep the current weights as the best of the run."""
        main = self.accelerator.is_main_process
        if main or self.placement.collective:
            checkpoint.save_best(self.run_dir / "checkpoints", self.step, self.learner, writes=main)
        self.accelerator.wait_for_everyone()

    def load_best(self, step: int) -> None:
        """Restore the weights that :meth:`save_best` kept at a step."""
        checkpoint.load_best(self.run_dir / "checkpoints", step, self.learner)
        self.accelerator.wait_for_everyone()  # the first process may remove them then

    # -- checkpoints

    def _resume(self, newest: Path) -> dict[str, Any]:
        """Load a checkpoint and return its state."""
        self.module.train()
        state = checkpoint.read_state(newest)
        best_step = checkpoint.step_of_best(state)
        if best_step:  # these weights are read only at the end
            checkpoint.check_best(newest.parent, best_step)
        checkpoint.check_matches(newest, state, self.batches.fingerprint, self.settings)
        checkpoint.load(newest, self.learner, self.optimizer)
        self.step = state["step"]
        self.lineage = state.get("lineage") or self.lineage  # that of its start, also if the precision is another one
        self.totals.load_state_dict(state["seen"], processes=state["place"]["ranks"] / self.ranks)
        self.losses_after.load_state_dict(state["losses_after"])
        for callback in self.callbacks:
            if callback.name and callback.name in state:
                callback.load_state_dict(state[callback.name])
        return state

    def _save(self) -> None:
        main = self.accelerator.is_main_process
        if main or self.placement.collective:
            folder = self.run_dir / "checkpoints"
            state = {
                "data": self.batches.fingerprint,
                "settings": self.settings,
                "lineage": self.lineage,
                "place": self._place(),
                "seen": self.totals.state_dict(),
                **{callback.name: callback.state_dict() for callback in self.callbacks if callback.name},
                "losses_after": self.losses_after.state_dict(),
                "log_bytes": self.log.size(),
                "log_digest": self.log.digest(),
            }
            self.log.sync()
            checkpoint.save(folder, self.step, self.learner, self.optimizer, state, writes=main)
            if main:
                checkpoint.prune(folder, self.config.keep, self.losses_after.needed())
        self.losses_after.saved()
        self.accelerator.wait_for_everyone()

    def _place(self) -> dict[str, Any]:
        return describe_environment(self.ranks, self.precision, self.accelerator.device.type)

    # -- the loop

    def _gather(self, rows: Tensor) -> Tensor:
        out: Tensor = self.accelerator.gather(rows)
        return out

    def _maximum(self, number: int) -> int:
        """Return the maximum of the numbers of all processes."""
        return int(self._gather(torch.tensor([number], device=self.accelerator.device)).max())

    def _slices(self) -> list[Batch]:
        return list(self.batches.slices(self.step, self.rank, self.ranks, self.config.accumulate))

    def _loop(self) -> None:
        began, before = time.monotonic(), self.totals.seconds
        mark, saved = (began, self.step, self.totals.pieces), began
        while self.step < self.steps:
            losses, norm, rate, stop = self.train_step()
            now = time.monotonic()
            self.totals.seconds = before + now - began
            if self.step % self.config.log_every == 0 or self.step == self.steps:
                passed = max(1e-9, now - mark[0])
                pieces = (self.totals.pieces - mark[2]) * self.ranks / passed
                pairs = (self.step - mark[1]) * self.config.batch / passed
                self._log_step(losses, rate, norm, pieces, pairs)
                mark = (now, self.step, self.totals.pieces)
            for callback in self.callbacks:
                callback.on_step_end(self)
            if self.step % _TRIM_EVERY == 0 and only_cpu():
                trim_memory()
            last = self.step == self.steps
            slow = self.ranks == 1 and time.monotonic() - saved > _SAVE_EVERY
            if stop or last or slow or self.step % self.config.checkpoint_every == 0:
                self._save()
                saved = time.monotonic()
            if stop and not last:
                raise Stopped(stop, self.step)

    def _optimize(self, slices: list[Batch]) -> tuple[dict[str, float], float, int]:
        """Take one optimizer step; return the losses, the norm of the gradient and a pending signal of any process."""
        self.learner.start_step()
        weights = self.learner.weights(self.step, self.steps)
        names = list(weights)
        local = [self.learner.counts(batch) for batch in slices]
        numbers = [sum(c[n] for c in local) for n in names] + [self.signal.pending]
        device = self.accelerator.device
        # A single process must not wait for its accelerator here.
        local_sum = torch.tensor(numbers, device=device if self.ranks > 1 else "cpu")
        shared = self.accelerator.reduce(local_sum, "sum").tolist()
        counts = dict(zip(names, shared, strict=False))
        stop = (self.signal.pending or signal.SIGTERM) if shared[-1] else 0
        sums = torch.zeros(len(names), device=device)
        shares = global_shares(self.accelerator, self.learner, self.module, slices, self._seed)
        for index, batch in enumerate(slices):
            self._seed(index)
            with nullcontext() if index == len(slices) - 1 else self.accelerator.no_sync(self.module):
                with self.accelerator.autocast():  # accelerate wraps only what it prepares
                    out = self.module(batch, shares[index])
                if index == 0 and self.cosines.due(self.step + 1):
                    self.record(event="gradient_cosine", step=self.step + 1, cosines=self.cosines.measure(out))
                loss = sum(weights[n] * total / max(1, counts[n]) for n, total in out.items())
                self.accelerator.backward(loss * self.ranks)  # gradients are averaged over ranks
            sums += torch.stack([out[n].detach().float() for n in names])
        gradient = whole(self.accelerator.clip_grad_norm_(self.learner.parameters(), self.config.clip)).float()
        # One transfer from the accelerator for all of them.
        *values, norm = torch.cat([self.accelerator.reduce(sums, "sum"), gradient.view(1)]).tolist()
        losses = {n: v / max(1, counts[n]) for n, v in zip(names, values, strict=True)}
        self.losses_after.add(self.step, sum(w * losses[n] for n, w in self.learner.weights().items()))
        bad = non_finite(losses | {"gradient": norm})
        if bad:
            self.record(event="alarm", step=self.step, message=f"not finite: {', '.join(bad)}")
            raise self.losses_after.diverged(bad, self.step + 1, self.run_dir)
        self.optimizer.step()
        self.optimizer.zero_grad()
        for objective in self.learner.objectives_by_name().values():
            objective.after_step(self.learner.encoder, self._gather)
        return losses, norm, stop

    def _own_random_numbers(self) -> AbstractContextManager[None]:
        """Restore the caller's random numbers at the end: those of a run are seeds of its own."""
        device = self.accelerator.device
        return torch.random.fork_rng([device] if device.type == "cuda" else [])

    def _seed(self, index: int) -> None:
        """Seed dropout for a slice of this process."""
        torch.manual_seed(seed_for(self.config.seed, _DROPOUT, self.step, self.rank * self.config.accumulate + index))

    def _log_step(self, losses: dict[str, float], rate: float, norm: float, pieces: float, pairs: float) -> None:
        eta = (self.steps - self.step) * self.config.batch / max(pairs, 1e-9)
        self.record(
            step=self.step,
            time=round(self.totals.seconds, 3),
            loss=sum(weight * losses[n] for n, weight in self.learner.weights(self.step - 1, self.steps).items()),
            losses=losses,
            lr=rate,
            grad_norm=norm,
            tokens_per_s=round(pieces, 1),
            pairs_per_s=round(pairs, 2),
            padding=round(self.totals.padding, 4),
            eta_s=round(eta, 1),
            metrics=self.learner.metrics(),
        )
        losses_text = "  ".join(f"{n} {v:.3f}" for n, v in losses.items())
        self.show(f"{losses_text}  {pieces:,.0f} tokens/s  {pairs:,.0f} records/s")

    def _outcome(self) -> Outcome:
        return Outcome(
            steps=self.step,
            records_seen=self.totals.records,
            pieces_seen=self.pieces_seen,
            seconds=self.totals.seconds,
            padding=self.totals.padding,
            alarms=[text for callback in self.callbacks for text in callback.alarms()],
            device=str(self.accelerator.device.type),
            precision=self.precision,
            ranks=self.ranks,
            signal=self.signal.pending,
        )
