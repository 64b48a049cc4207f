"""Preview of a run: its cost, measured on a few steps, and its first records as the encoder sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.text import Text

from paralign.batches.views import PairBatch, View
from paralign.console import echo, is_main_process, printable, rough_duration
from paralign.corpus.store import TokenStore
from paralign.ragged import row_ids
from paralign.runs.corpus import kept_lines
from paralign.runs.finetune import FinetuneRun
from paralign.runs.options import RunOptions
from paralign.runs.settings import RunConfig
from paralign.runs.train import PreparedTraining
from paralign.sources.line_numbers import line_count
from paralign.sources.specs import PairSpec, TextSpec, check_readable_again
from paralign.tasks.supervised import SupervisedTask
from paralign.training import Trainer
from paralign.training.memory import GIB, free_memory
from paralign.training.probe import StepCost, probe

__all__ = ["preview_finetune", "preview_overrides", "preview_training"]

_SAMPLE = 5_000
"""Number of records of each language pair that are read."""
_COLORS = ("cyan", "magenta", "green", "blue", "yellow", "red")


def preview_overrides(overrides: Sequence[str], config: RunConfig) -> list[str]:
    """Return the settings of a run that reads only the first records of each language pair: 5,000, or enough
    for two batches.

    Args:
        overrides: the settings.
        config: the same, resolved.
    """
    of_row = max(1, (config.views.pack or 0) // 8)  # sentences of 8 pieces or more in a packed row
    sample = max(_SAMPLE, 2 * config.training.batch * of_row)
    return [*overrides, f"data.limit={min(config.data.limit or sample, sample)}"]


def preview_training(
    prepare: Callable[[RunOptions], PreparedTraining | None],
    options: RunOptions,
    *,
    cost: bool,
    show: int,
    sources: Sequence[str] = (),
    limit: int | None = None,
) -> None:
    """Print the cost and the first records of a run of ``align`` or ``pretrain``. Nothing is trained, no file is left.

    Args:
        prepare: prepares the run with :func:`preview_overrides`.
        options: options of the run; a temporary folder replaces ``out``.
        cost: whether to measure time and memory on a few steps.
        show: number of records to print as the encoder sees them, with masks and word links.
        sources: everything that the run reads, as ``LANG=PATH`` or ``SRC-TGT=PATH``.
        limit: number of records of each language pair that the run would use (``data.limit``). None: all.

    Raises:
        UserError: for input that the run cannot use, and for standard input and pipes, which can be read only once.
    """
    _check_sources(sources)
    with _temporary(options) as temporary:
        prepared = prepare(temporary)
        assert prepared is not None
        trainer, store = prepared.trainer, prepared.store
        specs: list[PairSpec | TextSpec] = list(prepared.inputs.specs)
        if show and is_main_process():
            _show(trainer, store, show)
        if cost:
            step_cost = probe(trainer)
            packed = prepared.config.views.pack is not None
            lines = _training_lines(trainer, store, step_cost, specs, limit, packed=packed)
            _echo_lines(_cost(trainer, step_cost) + lines)


def preview_finetune(
    prepare: Callable[[RunOptions], FinetuneRun], options: RunOptions, *, cost: bool, show: int, sources: Sequence[str]
) -> None:
    """Print the cost and the first records of a run of ``finetune``; arguments and errors as in preview_training."""
    _check_sources(sources)
    with _temporary(options) as temporary:
        run = prepare(temporary)
        run.begin()
        _, trainer = run.prepare_seed(run.seeds[0])
        if show and is_main_process():
            _show(trainer, run.task, show)
        if cost:
            step_cost = probe(trainer)
            _echo_lines(_cost(trainer, step_cost) + _finetune_lines(trainer, step_cost, len(run.seeds)))


def _check_sources(sources: Sequence[str]) -> None:
    paths = [source.partition("=")[2].strip() for source in sources]
    check_readable_again(paths, "the run after its preview reads it again")


@contextmanager
def _temporary(options: RunOptions) -> Iterator[RunOptions]:
    with TemporaryDirectory(prefix="paralign-") as folder:
        yield replace(options, out=Path(folder) / "run", resume=False, quiet=True, track=())


def _echo_lines(lines: Iterable[str]) -> None:
    for line in lines:
        echo(line)


def _cost(trainer: Trainer, step_cost: StepCost) -> list[str]:
    encoder, batch = trainer.learner.encoder, trainer.batches.size
    device = trainer.accelerator.device
    free = free_memory(device)
    return [
        f"encoder  {encoder.layers} layers, {encoder.parameter_count() / 1e6:,.1f} M weights; {trainer.precision} on "
        f"{device.type}, {torch.get_num_threads()} threads",
        f"step     {batch} records, {step_cost.pieces:,.0f} pieces: {step_cost.seconds:.2f} s, "
        f"{batch / step_cost.seconds:,.0f} records/s",
        f"memory   {step_cost.peak / GIB:.2f} GiB peak, {step_cost.fixed / GIB:.2f} of it weights, gradients and "
        "moments" + ("" if free is None else f"; {free / GIB:.1f} GiB are available"),
    ]


def _training_lines(
    trainer: Trainer,
    store: TokenStore,
    step_cost: StepCost,
    specs: Sequence[PairSpec | TextSpec],
    limit: int | None,
    *,
    packed: bool,
) -> list[str]:
    """Return lines about the text, and about the duration of the whole run."""
    config = trainer.config
    lines = [f"text     {line}" for line in kept_lines(store)]
    steps = config.steps
    records = len(store) if not specs else _records(store, specs, limit)
    batches = trainer.batches.steps_per_epoch
    if steps is None and records is not None:
        per_epoch = records * batches // len(store) if packed else records // config.batch
        steps = config.total_steps(max(1, per_epoch))
    if steps is None:
        return [*lines, f"run      {config.epochs:g} epochs of text of unknown size"]
    of_batch = len(store) / batches if packed else config.batch  # records
    passes = "" if not records else f", {steps * of_batch / records:.1f} times the text"
    prepare = step_cost.prepare
    before = f" ({rough_duration(prepare)} of it before the first step)" if prepare >= 1 else ""
    return [
        *lines,
        f"run      {steps:,} steps{passes}: about {rough_duration(prepare + steps * step_cost.seconds)} here{before}, "
        f"checkpoints of {step_cost.whole * 3 / 4 / GIB:.2f} GiB, {config.keep} of them",
    ]


def _finetune_lines(trainer: Trainer, step_cost: StepCost, seeds: int) -> list[str]:
    """Return a line about the duration of training."""
    passes = trainer.steps / trainer.batches.steps_per_epoch
    times = f", for each of {seeds} seeds" if seeds > 1 else ""
    return [
        f"run      {trainer.steps:,} steps, {passes:.3g} times {trainer.batches.records:,} records{times}: about "
        f"{rough_duration(seeds * trainer.steps * step_cost.seconds)} here, without evaluation"
    ]


def _records(store: TokenStore, specs: Sequence[PairSpec | TextSpec], limit: int | None) -> int | None:
    """Estimate the number of records from those that the preview has read. None: this is not possible."""
    sample = store.meta["filter"]["limit"]  # of each language pair
    kept: Counter[tuple[str, ...]] = Counter()
    read: Counter[tuple[str, ...]] = Counter()
    for entry, spec in zip(store.meta["specs"], specs, strict=True):
        kept[spec.languages] += entry["kept"]
        read[spec.languages] += entry["kept"] + sum(entry["dropped"].values())
    total = 0.0
    for languages in kept:
        if kept[languages] < sample or sample == limit:  # all that the run reads
            total += kept[languages]
            continue
        lines = [line_count(spec) for spec in specs if spec.languages == languages]
        if None in lines:
            return None
        share = kept[languages] / max(1, read[languages])
        total += min(share * sum(n for n in lines if n is not None), limit or np.inf)
    return round(total)


def _show(trainer: Trainer, source: TokenStore | SupervisedTask, count: int) -> None:
    """Print the first records of the first batch, one line per view, in color on a terminal."""
    console = Console(soft_wrap=True, highlight=False)
    batch = trainer.batches.batch(0)
    pairs = batch if isinstance(batch, PairBatch) else None
    tokens = _Tokens(trainer)
    format_label = source.format_label if isinstance(source, SupervisedTask) else None
    for record in range(min(count, batch.size)):
        index = int(batch.ids[record])
        if isinstance(source, SupervisedTask):
            title = f"record {index + 1:,}"
        else:
            title = f"{source.meta['specs'][int(source.spec[index])]['spec']}, line {int(source.line[index]):,}"
        console.print(Text(printable(title), style="bold"))
        words = pairs.word_links(record) if pairs else None
        for name in trainer.views:
            view = batch.view(name)
            colors = _link_colors(pairs, record) if pairs and words and name == "joint" else {}
            for row in np.flatnonzero(view.rows == record).tolist():
                console.print(Text(f"  {name:10}"), tokens.row(view, row, colors, format_label), sep="")
        if words is not None:
            console.print(Text("  links     "), _link_text(words), sep="")
    console.print(Text("  <input:label to be predicted>", style="dim"))


def _link_colors(batch: PairBatch, record: int) -> dict[int, str]:
    """Return the color of each linked piece of a record, by its position in the view ``joint``."""
    links = batch.linked_words("joint", "joint")
    colors: dict[int, str] = {}
    for number, link in enumerate(np.flatnonzero(links.rows == record).tolist()):
        color = _COLORS[number % len(_COLORS)]
        for pieces, sizes in ((links.first, links.first_sizes), (links.second, links.second_sizes)):
            for piece in pieces[row_ids(sizes) == link].tolist():
                colors.setdefault(piece, color)
    return colors


def _link_text(words: Sequence[tuple[str, str]]) -> Text:
    out = Text()
    for number, (source, target) in enumerate(words):
        out.append(printable(f"{source} = {target}"), style=_COLORS[number % len(_COLORS)])
        out.append("; " if number + 1 < len(words) else "")
    return out if words else Text("none", style="dim")


class _Tokens:
    """Rows of pieces as text."""

    def __init__(self, trainer: Trainer) -> None:
        self._tokenizer = trainer.learner.encoder.tokenizer
        self._template = trainer.learner.encoder.template

    def row(
        self, view: View, row: int, colors: Mapping[int, str], format_label: Callable[[Any], str] | None = None
    ) -> Text:
        """Return a row of a view; predicted positions are shown with their label.

        Args:
            view: the view.
            row: index of the row.
            colors: colors of pieces, by position in the view.
            format_label: returns a label as text. None: labels are pieces.
        """
        start = int(view.starts[row])
        labels = dict(zip(view.masked.tolist(), view.labels, strict=True))
        out = Text()
        for position in range(start, start + int(view.lengths[row])):
            token = printable(self._token(view.ids[position]))
            if position in labels:
                label = printable((format_label or self._token)(labels[position]))
                out.append(f"<{token}:{label}>", style="bold reverse")
            else:
                out.append(token, style="dim" if view.special[position] else colors.get(position, ""))
            out.append(" ")
        return out

    def _token(self, piece: Any) -> str:
        piece = int(piece)
        offset = self._template.twin_offset
        is_twin = bool(offset) and piece >= self._template.vocabulary - offset
        return str(self._tokenizer.convert_ids_to_tokens(piece - offset if is_twin else piece)) + "′" * is_twin
