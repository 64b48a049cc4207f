"""``paralign analyze``: look inside encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.analyses.table import ANALYSES, AnalysisEntry
from paralign.cli.options import Lenient, Limit, Overrides, Pairs, Quiet, Resume

__all__ = ["app"]

app = typer.Typer(help="Look inside encoders.", no_args_is_help=True)


@app.callback()
def _main() -> None:
    """Look inside encoders."""


def _results_command(name: str, entry: AnalysisEntry) -> None:
    """Add the command of an analysis that reads only result files."""

    def command(
        runs: Annotated[list[Path], typer.Argument(help="Output folders of finetune, evaluate and analyze.")],
        out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")],
        quiet: Quiet = False,
    ) -> None:
        from paralign.commands.analyze_results import analyze_results

        analyze_results(name, runs, out=out, quiet=quiet)

    app.command(name, help=entry.help)(command)


for _name, _entry in reversed(ANALYSES.items()):
    if _entry.implementation:
        _results_command(_name, _entry)


@app.command()
def ablation(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for everything.")],
    model: Annotated[list[str], typer.Option(help="Encoder; may be repeated.")],
    task: Annotated[str, typer.Option(help="A task that trains: pos, parsing, ner, nli, qa.")],
    train: Annotated[list[str], typer.Option(help="LANG=PATH, may be repeated: each a source by itself.")],
    eval: Annotated[list[str], typer.Option(help="LANG=PATH, may be repeated; the source should be among them.")],
    layers: Annotated[
        list[str] | None, typer.Option(help="Layers drawn anew together, 0-1; may be repeated. All neighbours else.")
    ] = None,
    width: Annotated[int, typer.Option(help="So many neighbours together.", min=1)] = 2,
    seeds: Annotated[int, typer.Option(help="Fine-tuning seeds 0, 1, ...", min=1)] = 1,
    overrides: Overrides = None,
    limit: Limit = None,
    lenient: Lenient = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Which layers does transfer need? Fine-tune with some drawn anew, from each source to all targets, and compare."""
    from paralign.commands.analyze_ablation import analyze_ablation

    analyze_ablation(
        model,
        task=task,
        train=train,
        eval=eval,
        out=out,
        layers=layers or [],
        width=width,
        seeds=seeds,
        overrides=overrides or [],
        limit=limit,
        lenient=lenient,
        resume=resume,
        quiet=quiet,
    )


@app.command()
def similarity(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")],
    model: Annotated[list[str], typer.Option(help="Encoder; once for each, the one before training first.")],
    text: Annotated[
        list[str] | None,
        typer.Option(help="LANG=PATH for each language, parallel line by line; others are compared with the first."),
    ] = None,
    pairs: Pairs = None,
    compat: Annotated[
        bool, typer.Option("--compat", help="As first published: biased, RBF kernel. Reads high on noise.")
    ] = False,
    overrides: Overrides = None,
    limit: Limit = None,
    quiet: Quiet = False,
) -> None:
    """How similar are translations in every layer (CKA), and what did training change?"""
    from paralign.commands.analyze_similarity import analyze_similarity

    analyze_similarity(
        model,
        out=out,
        text=text or [],
        pairs=pairs or [],
        compat=compat,
        overrides=overrides or [],
        limit=limit,
        quiet=quiet,
    )


@app.command()
def embeddings(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run.")],
    model: Annotated[list[str], typer.Option(help="Encoder; once for each, before and after.")],
    pairs: Annotated[str, typer.Option(help="SRC-TGT=PATH: the text whose most frequent translations are looked at.")],
    links: Annotated[Path | None, typer.Option(help="Word links of the pairs; found otherwise.")] = None,
    method: Annotated[str, typer.Option(help="Aligner that needs only text, such as hmm, ibm or eflomal.")] = "hmm",
    tokenised: Annotated[bool, typer.Option("--tokenised", help="Words are split at spaces only.")] = False,
    words: Annotated[int, typer.Option(help="Translations in the picture.", min=5)] = 20,
    most: Annotated[int, typer.Option(help="Translations measured.", min=10)] = 1_000,
    skip: Annotated[int, typer.Option(help="So many of the most frequent words are left out.", min=0)] = 100,
    sentence: Annotated[
        list[int] | None, typer.Option(help="Pair whose links are shown, from 1; may be repeated.")
    ] = None,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Do the static embeddings of translations lie together? Nearest neighbours, and a picture for the report."""
    from paralign.commands.analyze_embeddings import analyze_embeddings

    analyze_embeddings(
        model,
        pairs=pairs,
        out=out,
        links=links,
        method=method,
        tokenised=tokenised,
        words=words,
        most=most,
        skip=skip,
        sentences=sentence or [],
        lenient=lenient,
        quiet=quiet,
    )
