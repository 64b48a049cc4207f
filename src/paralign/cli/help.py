"""The help of commands: options in groups, as wide as the terminal, with hints for names from other programs."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption

from paralign.errors import UserError

__all__ = ["GROUPS", "HINTS", "HINTS_OF", "MAX_WIDTH", "ORDER", "Command", "Program", "hint_for"]

MAX_WIDTH = 110
"""The help is as wide as the terminal, up to this number of columns."""

ORDER = (
    "demo", "align", "finetune", "evaluate", "report", "suite", "predict", "export", "pretrain", "words", "map",
    "corpus", "analyze", "grid", "list", "doctor",
)  # fmt: skip
"""Commands in the order in which the help of ``paralign`` lists them."""

GROUPS = {
    "Input": (
        "model", "text", "pairs", "corpus", "data", "train", "eval", "dev", "test", "heldout", "links", "dictionary",
        "gold", "one_based", "links_one_based", "flipped", "tokenized", "map", "load", "learn_from", "part", "exclude",
        "trim_vocabulary", "results", "from_checkpoint", "verify", "small_world", "suite",
    ),
    "Method": (
        "task", "recipe", "method", "kind", "symmetrize", "arch", "tokenizer", "vocab", "max_length", "layer", "layers",
        "width", "components", "pool", "code_switch", "target_examples", "reset_layers", "compat", "words", "most",
        "skip", "sentence", "key_share", "control",
    ),
    "Settings": ("lr", "epochs", "batch_size", "precision", "seed", "seeds", "first_seed", "limit", "overrides"),
    "Output": (
        "out", "save", "scores", "posteriors", "split", "system", "dataset", "title", "latex", "csv", "figures",
        "keep_models", "force", "track", "quiet",
    ),
    "Run": (
        "device", "resume", "dry_run", "show", "lenient", "jobs", "hours", "shards", "shard", "workers", "executor",
        "version", "help",
    ),
}  # fmt: skip
"""Heading -> the parameters below it, for all commands."""

_LONGEST_PAIR = "--set data.max_pieces=N; longer pairs are dropped, not truncated"
_LONGEST_ROW = "--set task.max_pieces=N, a setting of nli, paraphrase, topics and qa"
HINTS = {
    "--fp16": "--precision bf16",
    "--bf16": "--precision bf16",
    "--fp32": "--precision fp32",
    "--amp": "--precision bf16",
    "--mixed-precision": "--precision bf16",
    "--learning-rate": "--lr",
    "--batch": "--batch-size",
    "--bs": "--batch-size",
    "--train-batch-size": "--batch-size",
    "--per-device-train-batch-size": "--batch-size, the batch of all processes together",
    "--per-gpu-train-batch-size": "--batch-size, the batch of all processes together",
    "--gradient-accumulation-steps": "--set training.accumulate=N",
    "--gradient-checkpointing": "--set training.gradient_checkpointing=true",
    "--num-train-epochs": "--epochs",
    "--num-epochs": "--epochs",
    "--steps": "--set training.steps=N",
    "--max-steps": "--set training.steps=N",
    "--warmup": "--set training.warmup=N, a share of the steps below 1, otherwise their number",
    "--warmup-steps": "--set training.warmup=N",
    "--warmup-ratio": "--set training.warmup=0.1",
    "--weight-decay": "--set training.weight_decay=X",
    "--max-grad-norm": "--set training.clip=X",
    "--save-steps": "--set training.checkpoint_every=N",
    "--logging-steps": "--set training.log_every=N",
    "--max-seq-length": _LONGEST_PAIR,
    "--temperature": "--set OBJECTIVE.temperature=X; `paralign list settings` explains all settings",
    "--objective": '--recipe NAME, or --set \'objectives=["tlm", "moco"]\'',
    "--objectives": '--recipe NAME, or --set \'objectives=["tlm", "moco"]\'',
    "--config": "--recipe FILE.toml",
    "--output": "--out",
    "--output-dir": "--out",
    "--output-file": "--out",
    "--overwrite-output-dir": "another --out, or --resume to continue a run",
    "--model-name": "--model",
    "--model-name-or-path": "--model",
    "--task-name": "--task",
    "--train-file": "--train LANG=PATH",
    "--validation-file": "--dev LANG=PATH",
    "--test": "--eval LANG=PATH",
    "--test-file": "--eval LANG=PATH",
    "--test-data": "--eval LANG=PATH",
    "--input": "--pairs SRC-TGT=PATH, or --data LANG=PATH",
    "--input-file": "--pairs SRC-TGT=PATH, or --data LANG=PATH",
    "--data": "--pairs for parallel text, --text for other text, --train and --eval for the data of a task",
    "--data-file": "--pairs for parallel text, --text for other text, --train and --eval for the data of a task",
    "--bitext": "--pairs SRC-TGT=PATH",
    "--train-data": "--train LANG=PATH",
    "--encoder": "--model",
    "--src": "--pairs SRC-TGT=PATH, or two files: --pairs en-de=a.en,a.de",
    "--tgt": "--pairs SRC-TGT=PATH, or two files: --pairs en-de=a.en,a.de",
    "--lang": "the tags of the data, as in --pairs en-de=PATH",
    "--languages": "the tags of the data, as in --pairs en-de=PATH",
    "--gpu": "--device cuda, which is the default where there is one",
    "--gpus": "several processes: torchrun --nproc-per-node N -m paralign ...",
    "--cuda": "--device cuda, which is the default where there is one",
    "--cpu": "--device cpu",
    "--no-cuda": "--device cpu",
    "--use-cpu": "--device cpu",
    "--symmetrisation": "--symmetrize",
    "--symmetrization": "--symmetrize",
    "--align-layer": "--set words.layer=N",
    "--extraction": "--set words.matching=NAME, see `paralign list settings words`",
    "--real": "--pairs SRC-TGT=PATH",
    "--wandb": "--track wandb",
    "--report-to": "--track NAME",
    "--verbose": "the default: progress is shown unless --quiet is given",
}
"""Options of other programs -> what to use here. Underscores are read as hyphens."""

HINTS_OF = {
    ("export", "--model"): "the encoder without an option: paralign export ENCODER",
    ("show", "--pairs"): "the pairs without an option: paralign corpus show SRC-TGT=PATH",
    **{(command, option): "--data LANG=PATH" for command in ("evaluate", "predict")
       for option in ("--eval", "--test", "--test-data", "--test-file")},
    ("pretrain", "--max-seq-length"): "--max-length",
    ("align", "--max-length"): _LONGEST_PAIR,
    ("build", "--max-length"): _LONGEST_PAIR,
    ("build", "--max-seq-length"): _LONGEST_PAIR,
    ("finetune", "--max-length"): _LONGEST_ROW,
    ("finetune", "--max-seq-length"): _LONGEST_ROW,
}  # fmt: skip
"""Command and option -> what to use in this command."""


def hint_for(option: str, command: Any) -> str | None:
    """Return what to use instead of an option that a command does not have.

    Args:
        option: the option.
        command: the command, of click.

    Returns:
        None for a name nobody is known to try, and if the command has none of the options to use instead.
    """
    option = option.replace("_", "-")
    if (command.name, option) in HINTS_OF:
        return HINTS_OF[command.name, option]
    hint = HINTS.get(option)
    if hint is None or not hint.startswith("--"):
        return hint
    if command.name == "grid" and "--set" in hint:  # settings of its runs are lists
        setting = re.match(r"--set ([a-z]\w*\.\w+=[\w.]+)", hint)
        return (
            f"--set 'grid.pretrain=[\"{setting[1]}\"]' or grid.finetune, in place of the list of the recipe"
            if setting
            else None
        )
    known = {name for parameter in command.params for name in parameter.opts}
    if "--set training." in hint or "--set data." in hint:
        return hint if "--recipe" in known else None  # other commands have settings of their own
    instead = re.findall(r"--[a-z-]+", hint)
    return hint if known.intersection(instead) else None


class Program(TyperGroup):
    """The command ``paralign``, which lists its subcommands in the order of use."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the subcommands; those that have no place yet come last."""
        order = {name: number for number, name in enumerate(ORDER)}
        return sorted(super().list_commands(ctx), key=lambda name: order.get(name, len(order)))


class Command(TyperCommand):
    """A command whose help shows options under the headings of :data:`GROUPS`.

    Input that a command takes once is refused if it is given twice: other commands take it repeatedly, and dropping all
    but the last silently loses data. For other options the last value is used, so a script can override them.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of a command line.

        Raises:
            UserError: for input that is repeated and must not be.
        """
        words = list(args)
        rest = super().parse_args(ctx, args)
        if ctx.resilient_parsing:  # completion in a shell
            return rest
        given = Counter(self.make_parser(ctx).parse_args(args=words)[2])
        for parameter, count in given.items():
            single = isinstance(parameter, TyperOption) and not (parameter.multiple or parameter.is_flag)
            if single and count > 1 and parameter.name in GROUPS["Input"]:
                raise UserError(f"{parameter.opts[0]} is given {count} times", hint="this command takes one")
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options by group; parameters without one come last, under "Options"."""
        sections: dict[str, list[tuple[str, str]]] = {}
        headings = {name: heading for heading, names in GROUPS.items() for name in names}
        order = {name: number for number, name in enumerate(headings)}
        parameters = sorted(self.get_params(ctx), key=lambda parameter: order.get(str(parameter.name), len(order)))
        for parameter in parameters:
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            option = isinstance(parameter, TyperOption)
            heading = headings.get(str(parameter.name), "Options") if option else "Arguments"
            names, text = record
            sections.setdefault(heading, []).append((_plain_types(names), text))
        for heading in ("Arguments", *GROUPS, "Options"):
            if heading in sections:
                with formatter.section(heading):
                    formatter.write_dl(sections[heading])


def _plain_types(names: str) -> str:
    """``--pairs <list[str]>`` as ``--pairs <str>``: the help text of an option says whether it may be repeated."""
    return names.replace("<list[", "<").replace("]>", ">").replace(" range>", ">")
