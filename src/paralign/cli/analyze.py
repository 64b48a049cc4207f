"""``paralign analyze``: look inside encoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.analyses.table import ANALYSES
from paralign.cli.options import (
    BatchSize,
    Device,
    Epochs,
    LearningRate,
    Lenient,
    Limit,
    Overrides,
    Pairs,
    Precision,
    Quiet,
    Resume,
    Tokenized,
    data_option,
    set_option,
    short_forms,
)

__all__ = ["app"]

_HELP = """Analyze the layers and embeddings of encoders.

\b
Example:
  paralign analyze similarity --model xlm-roberta-base --model runs/ppa/encoder \\
      --pairs en-de=ntrex.en-de.tsv --out runs/similarity
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)

_MODELS = "--model xlm-roberta-base --model runs/ppa/encoder"
_EXAMPLES = {
    "": f"{_MODELS} \\\n      --pairs en-de=ntrex.en-de.tsv",
    "results": "runs/pos-* runs/similarity",
    "ablation": "--model runs/ppa/encoder --task pos \\\n"
    "      --train en=ewt-train.conllu --eval en=ewt-test.conllu --eval de=pud-de.conllu",
    "probes": f"{_MODELS} --task pos \\\n"
    "      --train en=ewt-train.conllu --eval en=ewt-test.conllu --eval de=pud-de.conllu",
    "embeddings": f"{_MODELS} --pairs en-de=corpus.tsv.gz",
    "links": "--pairs en-de=test.en,test.de --tokenized --gold gold.txt \\\n"
    "      --links hmm=links.hmm --links eflomal=links.eflomal",
}


def _help(name: str) -> str:
    """Return the help of an analysis: what it does, and an example."""
    entry = ANALYSES[name]
    arguments = _EXAMPLES.get(name) or _EXAMPLES["results" if entry.reads == "results" else ""]
    return f"{entry.help}\n\n\b\nExample:\n  paralign analyze {name} {arguments} --out runs/{name}"


Out = Annotated[Path, typer.Option("--out", "-o", help="Output folder of the run.")]
Models = Annotated[list[str], typer.Option(help="Encoder; may be repeated. Give the encoder before training first.")]
Text = Annotated[
    list[str] | None,
    data_option("Line-aligned text; may be repeated. All languages are compared with the first."),
]


@app.command(help=_help("similarity"))
def similarity(
    out: Out,
    model: Models,
    text: Text = None,
    pairs: Pairs = None,
    compat: Annotated[
        bool,
        typer.Option(
            "--compat", help="CKA as first published: biased, RBF kernel. It overestimates similarity on noise."
        ),
    ] = False,
    overrides: Annotated[list[str] | None, set_option("similarity", "the analysis")] = None,
    limit: Limit = None,
    lenient: Lenient = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    from paralign.commands.analyze_similarity import analyze_similarity
    from paralign.device import select_device

    select_device(device)
    analyze_similarity(
        model,
        out=out,
        text=text or [],
        pairs=pairs or [],
        compat=compat,
        overrides=overrides or [],
        limit=limit,
        lenient=lenient,
        quiet=quiet,
    )


@app.command(help=_help("ablation"))
def ablation(
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder for all runs.")],
    model: Annotated[list[str], typer.Option(help="Encoder; may be repeated.")],
    task: Annotated[str, typer.Option(help="Task to fine-tune, one with a head (paralign list tasks).")],
    train: Annotated[list[str], data_option("Training data; may be repeated: each set is a source of its own.")],
    eval: Annotated[list[str], data_option("Test data; may be repeated. Include the language of --train.")],
    layers: Annotated[
        list[str] | None,
        typer.Option(
            help="Layers to reinitialize together, such as 0-1; may be repeated.",
            show_default="0-1, 2-3, ...: consecutive sets of --width layers",
        ),
    ] = None,
    width: Annotated[int, typer.Option(help="Number of neighboring layers reinitialized together.", min=1)] = 2,
    seeds: Annotated[int, typer.Option(help="Number of fine-tuning seeds: 0, 1, ...", min=1)] = 1,
    lr: LearningRate = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    precision: Precision = None,
    overrides: Overrides = None,
    limit: Limit = None,
    lenient: Lenient = False,
    device: Device = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    from paralign.commands.analyze_ablation import analyze_ablation
    from paralign.device import select_device

    select_device(device)
    overrides = short_forms(overrides, lr=lr, epochs=epochs, batch_size=batch_size, precision=precision)
    analyze_ablation(
        model,
        task=task,
        train=train,
        eval=eval,
        out=out,
        layers=layers or [],
        width=width,
        seeds=seeds,
        overrides=overrides,
        limit=limit,
        lenient=lenient,
        resume=resume,
        quiet=quiet,
    )


@app.command(help=_help("probes"))
def probes(
    out: Out,
    model: Models,
    task: Annotated[str, typer.Option(help="Task with one label per word or row: pos, ner, nli, paraphrase, topics.")],
    train: Annotated[list[str], data_option("Training data; may be repeated.")],
    eval: Annotated[list[str], data_option("Test data; may be repeated.")],
    overrides: Annotated[
        list[str] | None, set_option("SECTION", "the probes (probes) or the task (task)", "probes")
    ] = None,
    limit: Limit = None,
    split: Annotated[str, typer.Option(help="Name of the split in results.")] = "test",
    lenient: Lenient = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    from paralign.commands.analyze_probes import analyze_probes
    from paralign.device import select_device

    select_device(device)
    analyze_probes(
        model,
        task=task,
        train=train,
        eval=eval,
        out=out,
        overrides=overrides or [],
        limit=limit,
        split=split,
        lenient=lenient,
        quiet=quiet,
    )


@app.command(help=_help("embeddings"))
def embeddings(
    out: Out,
    model: Annotated[list[str], typer.Option(help="Encoder; may be repeated, for example before and after training.")],
    pairs: Annotated[str, data_option("Parallel text; its most frequent translations are measured.", "SRC-TGT=PATH")],
    links: Annotated[Path | None, typer.Option(help="Word links of the pairs.", show_default="computed")] = None,
    method: Annotated[
        str | None, typer.Option(help="Word aligner for the links; it must need only text (default: hmm).")
    ] = None,
    tokenized: Tokenized = False,
    words: Annotated[int, typer.Option(help="Number of translations in the plot.", min=5)] = 20,
    most: Annotated[int, typer.Option(help="Number of translations measured.", min=10)] = 1_000,
    skip: Annotated[int, typer.Option(help="Skip this many of the most frequent words.", min=0)] = 100,
    sentence: Annotated[
        list[int] | None, typer.Option(help="Index (from 1) of a pair whose links to show; may be repeated.")
    ] = None,
    one_based: Annotated[bool, typer.Option("--one-based", help="Words of --links count from 1.")] = False,
    limit: Limit = None,
    lenient: Lenient = False,
    device: Device = None,
    quiet: Quiet = False,
) -> None:
    from paralign.commands.analyze_embeddings import analyze_embeddings
    from paralign.device import select_device

    select_device(device)
    analyze_embeddings(
        model,
        pairs=pairs,
        out=out,
        links=links,
        method=method,
        tokenized=tokenized,
        words=words,
        most=most,
        skip=skip,
        sentences=sentence or [],
        one_based=one_based,
        limit=limit,
        lenient=lenient,
        quiet=quiet,
    )


@app.command(help=_help("links"))
def links(
    out: Out,
    links: Annotated[list[str], data_option("Word links, a line for each pair; may be repeated.", "NAME=FILE")],
    pairs: Annotated[str, data_option("Parallel text.", "SRC-TGT=PATH")],
    gold: Annotated[Path | None, typer.Option(help="Gold links of the pairs.")] = None,
    one_based: Annotated[bool, typer.Option("--one-based", help="Words of --gold count from 1.")] = False,
    flipped: Annotated[bool, typer.Option("--flipped", help="--gold lists the target word first.")] = False,
    tokenized: Tokenized = False,
    show: Annotated[int, typer.Option(help="Number of pairs to show, the first ones.", min=1)] = 10,
    sentence: Annotated[
        list[int] | None,
        typer.Option(help="Index (from 1) of a pair to show instead of the first; may be repeated."),
    ] = None,
    links_one_based: Annotated[bool, typer.Option("--links-one-based", help="Words of --links count from 1.")] = False,
    limit: Limit = None,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    from paralign.commands.analyze_links import analyze_links

    analyze_links(
        links,
        pairs=pairs,
        out=out,
        gold=gold,
        one_based=one_based,
        flipped=flipped,
        tokenized=tokenized,
        show=show,
        sentences=sentence or [],
        links_one_based=links_one_based,
        limit=limit,
        lenient=lenient,
        quiet=quiet,
    )


def _add_results_command(name: str) -> None:
    """Add the command of an analysis that reads the results of other runs."""

    def command(
        runs: Annotated[list[Path], typer.Argument(help="Output folders of finetune, evaluate and analyze.")],
        out: Out,
        quiet: Quiet = False,
    ) -> None:
        from paralign.commands.analyze_results import analyze_results

        analyze_results(name, runs, out=out, quiet=quiet)

    app.command(name, help=_help(name))(command)


def _add_encoders_command(name: str) -> None:
    """Add the command of an analysis of encoders on parallel text."""

    def command(
        out: Out,
        model: Models,
        text: Text = None,
        pairs: Pairs = None,
        overrides: Overrides = None,
        limit: Limit = None,
        lenient: Lenient = False,
        device: Device = None,
        quiet: Quiet = False,
    ) -> None:
        from paralign.commands.analyze_encoders import analyze_encoders
        from paralign.device import select_device

        select_device(device)
        analyze_encoders(
            name,
            model,
            out=out,
            text=text or [],
            pairs=pairs or [],
            overrides=overrides or [],
            limit=limit,
            lenient=lenient,
            quiet=quiet,
        )

    command.__annotations__["overrides"] = Annotated[list[str] | None, set_option(name, "the analysis")]
    app.command(name, help=_help(name))(command)


_WITH_OWN_OPTIONS = ("similarity", "ablation", "probes", "embeddings", "links")
for _name, _entry in ANALYSES.items():
    if _name not in _WITH_OWN_OPTIONS and _entry.reads == "results":
        _add_results_command(_name)
    elif _name not in _WITH_OWN_OPTIONS and _entry.reads == "encoders":
        _add_encoders_command(_name)
