"""``paralign finetune``: fine-tune on one or more languages and evaluate on others, with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paralign.commands.arguments import one_or_several
from paralign.console import echo_dropped
from paralign.errors import UserError
from paralign.results import Measurement
from paralign.runs.finetune import FinetuneRun
from paralign.runs.finetune_settings import FinetuneData, finetune_settings
from paralign.runs.options import RunOptions
from paralign.sources.specs import check_separate_pipes
from paralign.tasks.base import read_data
from paralign.tasks.training_mixture import read_training_mixture

__all__ = ["FinetuneRequest", "finetune", "prepare_finetune"]


@dataclass(frozen=True)
class FinetuneRequest:
    """Parameters of :func:`finetune` that affect the result."""

    model: str
    task: str
    data: FinetuneData
    seeds: int = 1
    recipe: str | None = None
    overrides: Sequence[str] = ()


@one_or_several
def finetune(
    model: str,
    *,
    task: str,
    train: str | Sequence[str],
    eval: str | Sequence[str],
    out: str | Path,
    dev: str | None = None,
    code_switch: bool = False,
    target_examples: int | None = None,
    seeds: int = 1,
    recipe: str | None = None,
    overrides: str | Sequence[str] = (),
    limit: int | None = None,
    split: str = "test",
    system: str | None = None,
    dataset: str | None = None,
    keep_models: bool = True,
    lenient: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
    track: str | Sequence[str] = (),
) -> list[Measurement]:
    """Fine-tune an encoder and the head of a task, and evaluate them on other languages.

    Training on English alone is zero-shot transfer; training on translations of it is translate-train. Several sets are
    trained on together. The results of a seed are written when it ends; a seed that fails does not stop the others.

    Args:
        model: folder or hub name of the encoder; the folder is not changed.
        task: name of a task with a head (``paralign list tasks``), or ``my_module:Class``.
        train: training data as ``LANG=PATH``, or a list of them.
        eval: test data, each as ``LANG=PATH``. If English is among them, the gap to English is reported.
        out: folder of the run: ``seed-K/`` has the log and the model of each seed, ``results.jsonl`` all results.
        dev: development data as ``LANG=PATH``, evaluated after each epoch; the weights of the best epoch are kept.
            None: the weights after the last epoch are kept.
        code_switch: train on examples that combine each set with its English original (Pan et al. 2021, section 2.4).
            The originals are the English set, or the first if none is English; they are not trained on alone.
        target_examples: few-shot: number of examples of each set that is not in the language of the first; the seed
            chooses them. None: all examples.
        seeds: number of fine-tuning seeds.
        recipe: name of a recipe for fine-tuning, such as ``xnli``, or path of a TOML file with ``[training]``,
            ``[layers]`` and ``[task]``. None: defaults of the task.
        overrides: settings that override the recipe, as in :func:`paralign.align`; ``layers.key`` reinitializes,
            freezes or removes layers (:class:`paralign.encoder.layers.LayersConfig`).
        limit: number of items used of every set, the first ones. None: all.
        split: name of the split, recorded with the results.
        system: name of the system in tables. None: the method of the encoder.
        dataset: name of the test data in tables, such as ``PUD``. None: from the names of the files.
        keep_models: save the fine-tuned encoder and head of each seed.
        lenient: drop and count items that cannot be read instead of raising.
        resume: continue the run in ``out``; finished seeds are not repeated.
        quiet: print nothing.
        command: recorded with the run. None: the command line, or the call from Python.
        track: experiment trackers, as in :func:`paralign.align`.

    Returns:
        All results of the run.

    Raises:
        UserError: for input or settings that cannot be used, and if a seed failed, after the others have ended.
        paralign.errors.Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.

    Example:
        >>> import paralign
        >>> rows = paralign.finetune(
        ...     "paralign-mini", task="pos", train="en=smallworld:0-40", eval="de=smallworld:100-120", out="runs/pos",
        ...     overrides={"training": {"steps": 2}}, quiet=True,
        ... )
        >>> [(row.task, row.train, row.language, row.n) for row in rows if row.metric == "accuracy"]
        [('pos', 'en', 'de', 20)]
    """
    options = RunOptions(Path(out), resume, quiet, lenient, tuple(track), command)
    data = FinetuneData(list(train), list(eval), dev, code_switch, target_examples, limit, split, system, dataset)
    request = FinetuneRequest(model, task, data, seeds, recipe, overrides)
    return prepare_finetune(options, request).run(keep_models=keep_models)


def prepare_finetune(options: RunOptions, request: FinetuneRequest) -> FinetuneRun:
    """Read and check the inputs of a run.

    Raises:
        UserError: for input or settings that cannot be used.
    """
    data = request.data
    check_separate_pipes([*data.train, *data.eval, *filter(None, [data.dev])])
    config, task = finetune_settings(request.task, request.recipe, request.overrides)
    if not data.eval:
        raise UserError("nothing to evaluate on", hint="--eval LANG=PATH")
    sets, dropped = read_training_mixture(
        task, data.train, data.dev, data.code_switch, data.target_examples, options.lenient, data.limit
    )
    tests = [read_data(task, spec, options.lenient, data.limit) for spec in data.eval]
    echo_dropped(sum((counts for _, counts in tests), dropped), "items", quiet=options.quiet)
    task.fit(sets.sets)
    items = [test for test, _ in tests]
    return FinetuneRun(options, request.model, (request.task, task), config, data, sets, items, request.seeds)
