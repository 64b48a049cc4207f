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

Out = Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; must be new unless --resume.")]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--pairs",
        help="SRC-TGT=PATH, may be repeated. PATH: TSV, 'a ||| b', JSON lines, TMX, Moses twins (a.en,a.de), any of "
        "them .gz or .zst; a zip of OPUS; hub:NAME#CONFIG@SPLIT; - for standard input; smallworld or "
        "smallworld:START-STOP.",
    ),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Any setting; may be repeated.")
]
Seed = Annotated[int | None, typer.Option(help="Of order, coins, masks, dropout and fresh weights.")]
Limit = Annotated[int | None, typer.Option(help="Use the first so many.", min=1)]
Lenient = Annotated[bool, typer.Option("--lenient", help="Drop and count lines that cannot be read.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what the run would cost, from a few steps of it; train nothing.")
]
Show = Annotated[
    int,
    typer.Option("--show", min=0, help="Print so many records as the encoder sees them (masks, links); train nothing."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Track = Annotated[
    list[str] | None,
    typer.Option("--track", help="tensorboard, wandb, mlflow, ...: follow the run there; may be repeated."),
]
Split = Annotated[str, typer.Option(help="Recorded with the results.")]
System = Annotated[str | None, typer.Option(help="What tables call this encoder; its own method by default.")]


def given(**sections: dict[str, Any]) -> dict[str, Any]:
    """Nested settings from flags, those left out removed."""
    kept = {name: {k: v for k, v in keys.items() if v is not None} for name, keys in sections.items()}
    return {name: keys for name, keys in kept.items() if keys}
