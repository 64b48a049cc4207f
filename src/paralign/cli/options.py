"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "DryRun",
    "Lenient",
    "Limit",
    "Out",
    "Overrides",
    "Pairs",
    "Quiet",
    "Resume",
    "Seed",
    "Show",
    "Split",
    "System",
    "Track",
    "given",
]

Out = Annotated[
    Path, typer.Option("--out", "-o", help="Output folder of the run; must be new unless --resume is given.")
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--pairs",
        help="Parallel text as SRC-TGT=PATH; may be repeated. PATH: TSV, 'a ||| b', JSON lines, TMX or line-aligned "
        "files (a.en,a.de), optionally .gz or .zst; an OPUS zip; hub:NAME#CONFIG@SPLIT; - for standard input; "
        "smallworld or smallworld:START-STOP.",
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override any setting; may be repeated.")
]
Seed = Annotated[int | None, typer.Option(help="Random seed for batching, masking, dropout and weight initialization.")]
Limit = Annotated[int | None, typer.Option(help="Use only the first N examples of each source.", min=1)]
Lenient = Annotated[
    bool, typer.Option("--lenient", help="Skip unreadable input and report how much was skipped, instead of stopping.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in --out.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Estimate time and memory from a few steps, then exit without training.")
]
Show = Annotated[
    int,
    typer.Option(
        "--show", min=0, help="Print N examples as the encoder sees them (masks, links), then exit without training."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Do not show progress.")]
Track = Annotated[
    list[str] | None,
    typer.Option("--track", help="Experiment tracker: tensorboard, wandb, mlflow, ...; may be repeated."),
]
Split = Annotated[str, typer.Option(help="Split name to record with the results.")]
System = Annotated[
    str | None, typer.Option(help="Name of the system in tables.", show_default="the method of the encoder")
]


def given(**sections: dict[str, Any]) -> dict[str, Any]:
    """Return nested settings from the values of options, without options that are not set."""
    settings = {name: {k: v for k, v in keys.items() if v is not None} for name, keys in sections.items()}
    return {name: keys for name, keys in settings.items() if keys}
