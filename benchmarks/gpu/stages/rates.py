"""Stage ``rates``: other recipes, fine-tuning and evaluation, at the shapes of mBERT and multilingual-e5-small."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import torch
from context import Context, Measurement
from loop import Loops, peak_memory_mb, synchronized_time
from machine import median_of

from paralign.commands.finetune import FinetuneRequest, prepare_finetune
from paralign.encoder import Encoder
from paralign.runs.finetune import FinetuneRun
from paralign.runs.finetune_settings import FinetuneData
from paralign.runs.options import RunOptions

SHAPES = ("mbert", "e5")
RECIPES = ("tlm", "moco", "alignlm", "word-l2", "ppa")
TREEBANK = "pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz"
INFERENCE = "xnli/dev-en.tsv.gz"


def measurements(context: Context) -> list[Measurement]:
    """Return the measurements of one shape after the other, named ``recipe@shape`` or ``task@shape``.

    PPA at the shape of mBERT is part of the stage ``step``.
    """
    rates = Rates(context)
    out = []
    for shape in SHAPES:
        recipes = RECIPES if shape != "mbert" else RECIPES[:-1]
        out += [Measurement(f"{recipe}@{shape}", partial(rates.recipe, recipe, shape), needs=8) for recipe in recipes]
        out += [Measurement(f"{task}@{shape}", partial(rates.task, task, shape), needs=8) for task in ("pos", "nli")]
    return out


class Rates:
    """Measurements that share text, tokenizer and links.

    Args:
        context: context of the stage.
    """

    def __init__(self, context: Context) -> None:
        self.context, self.loops = context, Loops(context)
        self.limit = 120 if context.tiny else 4_000

    def recipe(self, name: str, shape: str) -> dict[str, Any]:
        """Measure the loop with the batch size of PPA, whatever that of the recipe is."""
        return self.loops.rate(self.loops.trainer(name, shape)) | {"batch": self.loops.size.batch}

    def _set(self, task: str) -> str:
        data = self.context.data
        if data is None or self.context.tiny:
            return f"en=smallworld:0-{self.limit}"
        return f"en={data / (TREEBANK if task == 'pos' else INFERENCE)}"

    def task(self, name: str, shape: str) -> dict[str, Any]:
        """Measure items per second of fine-tuning, in batches of 32, and of evaluation."""
        model = self._saved(shape)
        try:
            with tempfile.TemporaryDirectory(dir=self.context.work) as folder:
                spec = self._set(name)
                data = FinetuneData([spec], [spec], limit=self.limit)
                request = FinetuneRequest(str(model), name, data, overrides=["training.steps=1000000"])
                run = prepare_finetune(RunOptions(Path(folder) / "run", quiet=True, lenient=True), request)
                return self._measure_task(run)
        finally:
            shutil.rmtree(model)

    def _saved(self, shape: str) -> Path:
        folder = Path(tempfile.mkdtemp(dir=self.context.work))
        self.loops.encoder(shape).save_pretrained(folder)
        return folder

    def _measure_task(self, run: FinetuneRun) -> dict[str, Any]:
        loops, size = self.loops, self.loops.size
        run.begin()
        head, trainer = run.prepare_seed(0)
        trainer.prepare_objectives()
        loops.run(trainer, 0, size.warm)
        seconds = [loops.block(trainer, number) for number in range(size.blocks)]
        batches = trainer.batches
        lengths = [batches.batch(step).view("example").lengths for step in range(size.block * size.blocks)]
        memory = peak_memory_mb()
        encoder: Encoder = trainer.learner.encoder
        ((_, data, _),) = run.tests
        rates = []
        with torch.no_grad():
            for _ in range(2):  # the first is a warm-up
                start = synchronized_time()
                run.task.evaluate(encoder, head, data)
                rates.append(len(data) / (synchronized_time() - start))
        return {
            "trained_items_per_s": median_of([size.block * batches.size / one for one in seconds]),
            "trained_pieces_per_s": float(sum(some.sum() for some in lengths)) / sum(seconds),
            "evaluated_items_per_s": rates[1],
            "batch": batches.size,
            "precision": trainer.precision,
            "evaluated_in": "fp32",
            "peak_mb": memory,
        }
