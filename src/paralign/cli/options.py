"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from paralign.commands.arguments import SHORT_FORMS
from paralign.config import merge, parse_override
from paralign.errors import UserError

__all__ = [
    "BatchSize",
    "Dataset",
    "Device",
    "Dictionary",
    "DryRun",
    "Epochs",
    "LearningRate",
    "Lenient",
    "Limit",
    "Out",
    "Overrides",
    "Pairs",
    "Precision",
    "Quiet",
    "RecordLimit",
    "Resume",
    "Seed",
    "Show",
    "Split",
    "System",
    "Task",
    "TaskSettings",
    "Tokenized",
    "Track",
    "data_option",
    "layer_option",
    "set_option",
    "short_forms",
]

Out = Annotated[
    Path, typer.Option("--out", "-o", help="Output folder of the run; must be new unless --resume is given.")
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--pairs",
        metavar="SRC-TGT=PATH",
        help="Parallel text; may be repeated. PATH: TSV, 'a ||| b', JSON lines, TMX or line-aligned "
        "files (a.en,a.de), optionally .gz or .zst; an OPUS zip; hub:NAME#CONFIG@SPLIT; - for standard input; "
        "smallworld or smallworld:START-STOP.",
    ),
]


def set_option(section: str, what: str, listed: str | None = None) -> Any:
    """Return the option ``--set`` of a command that has settings of one or two sections.

    Args:
        section: the section of settings, for the form of a value.
        what: what the settings belong to.
        listed: name for ``paralign list settings``. None: the section.
    """
    help = f"Setting of {what} (`paralign list settings {listed or section}`); may be repeated."
    return typer.Option("--set", metavar=f"{section}.KEY=VALUE", help=help)


def data_option(help: str, metavar: str = "LANG=PATH") -> Any:
    """Return an option for data, given with its language or languages.

    Args:
        help: its help text.
        metavar: its form.
    """
    return typer.Option(help=help, metavar=metavar)


Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", help="Any other setting (`paralign list settings`); may be repeated."
    ),
]
TaskSettings = Annotated[list[str] | None, set_option("task", "the task", "TASK")]
LearningRate = Annotated[
    float | None,
    typer.Option("--lr", metavar="X", help="Peak learning rate; short for --set training.learning_rate=X."),
]
Epochs = Annotated[
    float | None, typer.Option(metavar="N", help="Passes over the data; short for --set training.epochs=N.")
]
BatchSize = Annotated[
    int | None, typer.Option(metavar="N", help="Records per optimizer step; short for --set training.batch=N.")
]
Precision = Annotated[
    str | None, typer.Option(metavar="NAME", help="auto, bf16 or fp32; short for --set training.precision=NAME.")
]
Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="cpu, cuda, cuda:K, mps or xpu.", show_default="the accelerator, if there is one"
    ),
]
Seed = Annotated[
    int | None, typer.Option(help="Random seed for batching, masking, dropout and weight initialization.", metavar="N")
]
Limit = Annotated[int | None, typer.Option(help="Use only the first N items of each data set.", metavar="N", min=1)]
RecordLimit = Annotated[
    int | None,
    typer.Option(
        "--limit",
        metavar="N",
        min=1,
        help="Keep only the first N pairs of each language pair (sentences of each language); short for "
        "--set data.limit=N.",
    ),
]
Lenient = Annotated[
    bool, typer.Option("--lenient", help="Skip unreadable input and report how much was skipped, instead of stopping.")
]
Tokenized = Annotated[bool, typer.Option("--tokenized", help="The text is tokenized: split words at spaces only.")]
Dictionary = Annotated[list[str] | None, data_option("Bilingual dictionary; may be repeated.", "SRC-TGT=PATH")]
Task = Annotated[
    str | None,
    typer.Option(help="Name of a task (`paralign list tasks`).", show_default="that of a fine-tuned model"),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Estimate time and memory from a few steps, then exit without training.")
]
Show = Annotated[
    int,
    typer.Option(
        "--show",
        metavar="N",
        min=0,
        help="Print N examples as the encoder sees them (masks, links), then exit without training.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Do not show progress.")]
Track = Annotated[
    list[str] | None,
    typer.Option("--track", help="Experiment tracker: tensorboard, wandb, mlflow, ...; may be repeated."),
]
Split = Annotated[str, typer.Option(help="Split name to record with the results.")]
Dataset = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Name of the test data in tables, e.g. PUD.", show_default="from the file names"),
]
System = Annotated[
    str | None, typer.Option(help="Name of the system in tables.", show_default="the method of the encoder")
]


def layer_option(help: str, default: str) -> Any:
    """Return the option ``--layer``, the number of a layer or a fraction of the depth.

    Args:
        help: its help text.
        default: what is used if it is not given, for the help.
    """
    return typer.Option(parser=_parse_layer, metavar="LAYER", help=help, show_default=default)


def _parse_layer(text: str) -> float:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None


def short_forms(overrides: Sequence[str] | None, **options: Any) -> list[str]:
    """Return the values of ``--set`` and, before them, of the options that are short forms (:data:`SHORT_FORMS`).

    Args:
        overrides: values of ``--set``.
        options: value of each option by the name of its parameter, None if it is not given.

    Raises:
        UserError: if ``--set`` contains the setting of an option that is given.

    >>> short_forms(["moco.queue=9"], lr=1e-3, epochs=None, seed=4)
    ['training.learning_rate=0.001', 'training.seed=4', 'moco.queue=9']
    """
    settings = []
    overridden = merge(*map(parse_override, overrides or ()))
    for name, value in options.items():
        if value is None:
            continue
        section, _, key = SHORT_FORMS[name].partition(".")
        chosen = overridden.get(section)
        if isinstance(chosen, Mapping) and key in chosen:
            option = f"--{name.replace('_', '-')}"
            raise UserError(f"{option} and --set {section}.{key} are the same setting", hint="give one of them")
        settings.append(f"{section}.{key}={value}")
    return [*settings, *(overrides or ())]
