"""A look at a run before it is begun: what it would cost, and what the encoder would see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.text import Text

from paralign.batches.views import PairBatch, View
from paralign.config import merge
from paralign.console import echo, is_main_process
from paralign.corpus.store import TokenStore
from paralign.errors import UserError
from paralign.runs.corpus import kept_lines
from paralign.sources.read import line_count
from paralign.sources.specs import PairSpec, TextSpec, parse_pairs, parse_text
from paralign.tasks.supervised import Supervised
from paralign.training import Trainer
from paralign.training.memory import GIB, free_memory
from paralign.training.probe import Probed, probe

__all__ = ["preview", "run_or_preview"]

_LOOKED = 5_000
"""Records of each language pair that are read."""
_COLORS = ("cyan", "magenta", "green", "blue", "yellow", "red")


def run_or_preview(
    run: Callable[..., Any], *, out: Path, resume: bool, quiet: bool, measure: bool, show: int, **arguments: Any
) -> None:
    """Run, or with ``measure`` or ``show`` only say what would come of it (:func:`preview`)."""
    if measure or show:
        preview(run, measure=measure, show=show, **arguments)
    else:
        run(out=out, resume=resume, quiet=quiet, **arguments)


def preview(
    run: Callable[..., Any],
    *,
    measure: bool = False,
    show: int = 0,
    settings: Mapping[str, Any] | None = None,
    **arguments: Any,
) -> None:
    """Say what a run would do and cost; nothing is left behind.

    Only the first 5,000 records of each language pair are read; of a task all items are.

    Args:
        run: :func:`paralign.runs.train.align`, ``pretrain`` or :func:`paralign.commands.finetune.finetune`.
        measure: run a few steps: time, memory.
        show: so many records as the encoder sees them: masks, word links or a task's labels.
        settings: as the verb's.
        arguments: its others, but ``out``.
    """
    asked = dict(settings or {})
    limit = asked.get("data", {}).get("limit")
    if "task" not in arguments:
        asked = merge(asked, {"data": {"limit": min(limit or _LOOKED, _LOOKED)}})
    specs: list[PairSpec | TextSpec] = [
        *map(parse_pairs, arguments.get("pairs") or []),
        *map(parse_text, arguments.get("text") or []),
    ]

    def look(trainer: Trainer, source: TokenStore | Supervised) -> None:
        if show and is_main_process():
            _show(trainer, source, show)
        if not measure:
            return
        found = probe(trainer)
        if isinstance(source, Supervised):
            lines = _long(trainer, found, arguments["seeds"])
        else:
            lines = _run(trainer, source, found, specs, limit)
        for line in (*_cost(trainer, found), *lines):
            echo(line)

    if any(spec.path == "-" for spec in specs):
        raise UserError("standard input can be read only once", hint="give a file to look at a run beforehand")
    with TemporaryDirectory(prefix="paralign-") as place:
        run(out=Path(place) / "run", settings=asked, look=look, **{**arguments, "quiet": True})


def _cost(trainer: Trainer, found: Probed) -> list[str]:
    encoder, batch = trainer.learner.encoder, trainer.batches.size
    device = trainer.accelerator.device
    free = free_memory(device)
    return [
        f"encoder  {encoder.layers} layers, {encoder.parameter_count() / 1e6:,.1f} M weights; {trainer.precision} on "
        f"{device.type}, {torch.get_num_threads()} threads",
        f"step     {batch} records, {found.pieces:,.0f} pieces: {found.seconds:.2f} s, "
        f"{batch / found.seconds:,.0f} records a second",
        f"memory   {found.peak / GIB:.2f} GiB at most, {found.fixed / GIB:.2f} of it weights, gradients and moments"
        + ("" if free is None else f"; {free / GIB:.1f} GiB are still free"),
    ]


def _run(
    trainer: Trainer, store: TokenStore, found: Probed, specs: Sequence[PairSpec | TextSpec], limit: int | None
) -> list[str]:
    """What all the text amounts to."""
    config = trainer.config
    out = [f"text     {line}" for line in kept_lines(store)]
    steps = config.steps
    records = len(store) if not specs else _records(store, specs, limit)
    if steps is None and records is not None:
        steps = config.total_steps(max(1, records // config.batch))
    if steps is None:
        return [*out, f"run      {config.epochs:g} epochs of a text whose size is not known"]
    passes = "" if not records else f", {steps * config.batch / records:.1f} times the text"
    return [*out, f"run      {steps:,} steps{passes}: about {_said(steps * found.seconds)} here, "
                  f"checkpoints of {found.whole * 3 / 4 / GIB:.2f} GiB, {config.keep} of them"]  # fmt: skip


def _long(trainer: Trainer, found: Probed, seeds: int) -> list[str]:
    """What training a task amounts to."""
    passes = trainer.steps / trainer.batches.steps_per_epoch
    times = f", for each of {seeds} seeds" if seeds > 1 else ""
    return [
        f"run      {trainer.steps:,} steps, {passes:.3g} times {trainer.batches.records:,} records{times}: about "
        f"{_said(seeds * trainer.steps * found.seconds)} here, without what is scored"
    ]


def _records(store: TokenStore, specs: Sequence[PairSpec | TextSpec], limit: int | None) -> int | None:
    """How many the whole text has, if the rest is like what was read; ``None`` if that cannot be told."""
    kept: Counter[tuple[str, ...]] = Counter()
    read: Counter[tuple[str, ...]] = Counter()
    for entry, spec in zip(store.meta["specs"], specs, strict=True):
        kept[spec.languages] += entry["kept"]
        read[spec.languages] += entry["kept"] + sum(entry["dropped"].values())
    total = 0.0
    for languages in kept:
        if kept[languages] < _LOOKED:  # it was read to its end
            total += kept[languages]
            continue
        lines = [line_count(spec) for spec in specs if spec.languages == languages]
        if None in lines:
            return None
        share = kept[languages] / max(1, read[languages])
        total += min(share * sum(n for n in lines if n is not None), limit or np.inf)
    return round(total)


def _said(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes:02d} min" if hours else f"{minutes} min" if seconds > 90 else f"{seconds:.0f} s"


def _show(trainer: Trainer, source: TokenStore | Supervised, count: int) -> None:
    """The first records of the first batch, view by view; colors where the terminal has them, signs everywhere."""
    console = Console(soft_wrap=True, highlight=False)
    batch = trainer.batches.batch(0)
    pairs = batch if isinstance(batch, PairBatch) else None
    tokens = _Tokens(trainer)
    read = source.read_label if isinstance(source, Supervised) else None
    for record in range(min(count, batch.size)):
        place = int(batch.ids[record])
        if isinstance(source, Supervised):
            head = f"record {place + 1:,}"
        else:
            head = f"{source.meta['specs'][int(source.spec[place])]['spec']}, line {int(source.line[place]):,}"
        console.print(Text(head, style="bold"))
        words = pairs.word_links(record) if pairs else None
        for name in trainer.views:
            view = batch.view(name)
            linked = _linked(pairs, record) if pairs and words and name == "joint" else {}
            for row in np.flatnonzero(view.rows == record).tolist():
                console.print(Text(f"  {name:10}"), tokens.row(view, row, linked, read), sep="")
        if words is not None:
            console.print(Text("  links     "), _pairs(words), sep="")
    console.print(Text("  <stands there:is to be predicted>", style="dim"))


def _linked(batch: PairBatch, record: int) -> dict[int, str]:
    """Color of each linked piece of a record, by its place in the view ``joint``."""
    found = batch.linked("joint", "joint")
    ends = np.cumsum(found.first_sizes), np.cumsum(found.second_sizes)
    out: dict[int, str] = {}
    for number, link in enumerate(np.flatnonzero(found.rows == record).tolist()):
        color = _COLORS[number % len(_COLORS)]
        for pieces, sizes, end in zip((found.first, found.second), (found.first_sizes, found.second_sizes), ends,
                                      strict=True):  # fmt: skip
            for piece in pieces[end[link] - sizes[link] : end[link]].tolist():
                out.setdefault(piece, color)
    return out


def _pairs(found: Sequence[tuple[str, str]]) -> Text:
    out = Text()
    for number, (source, target) in enumerate(found):
        out.append(f"{source} = {target}", style=_COLORS[number % len(_COLORS)])
        out.append("; " if number + 1 < len(found) else "")
    return out if found else Text("none", style="dim")


class _Tokens:
    """Pieces as people read them."""

    def __init__(self, trainer: Trainer) -> None:
        self._tokenizer = trainer.learner.encoder.tokenizer
        self._template = trainer.learner.encoder.template

    def row(self, view: View, row: int, colors: Mapping[int, str], read: Callable[[Any], str] | None = None) -> Text:
        """A row of a view: what stands in the place of a piece to be predicted, and that piece or a task's label."""
        start = int(view.starts[row])
        wanted = dict(zip(view.masked.tolist(), view.labels, strict=True))
        out = Text()
        for place in range(start, start + int(view.lengths[row])):
            token = self._token(view.ids[place])
            if place in wanted:
                out.append(f"<{token}:{(read or self._token)(wanted[place])}>", style="bold reverse")
            else:
                out.append(token, style="dim" if view.special[place] else colors.get(place, ""))
            out.append(" ")
        return out

    def _token(self, piece: Any) -> str:
        piece = int(piece)
        twins = self._template.twins
        twin = bool(twins) and piece >= self._template.vocabulary - twins
        return str(self._tokenizer.convert_ids_to_tokens(piece - twins if twin else piece)) + "′" * twin
