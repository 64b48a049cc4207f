"""``paralign corpus``: build, check, split, convert and show text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paralign.cli.options import (
    Lenient,
    Limit,
    Pairs,
    Quiet,
    RecordLimit,
    Tokenized,
    data_option,
    set_option,
    short_forms,
)
from paralign.errors import UserError

__all__ = ["app"]

Exclude = Annotated[
    list[str] | None,
    typer.Option(
        help="File of test sentences (text, TSV, CoNLL, CoNLL-U, SQuAD JSON; TMX as SRC-TGT=PATH) to exclude; may be "
        "repeated."
    ),
]

_HELP = """Prepare, check and show text.

\b
Example:
  paralign corpus check --pairs en-de=europarl.en-de.tsv.gz --test xnli.test.tsv --out check
"""

app = typer.Typer(help=_HELP, no_args_is_help=True)


@app.command()
def build(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the token store; must not exist.")],
    model: Annotated[str, typer.Option(help="Encoder (or tokenizer) whose pieces are stored.")],
    pairs: Pairs = None,
    text: Annotated[list[str] | None, data_option("Plain text, used instead of --pairs; may be repeated.")] = None,
    exclude: Exclude = None,
    tokenized: Tokenized = False,
    overrides: Annotated[list[str] | None, set_option("data", "the filter")] = None,
    limit: RecordLimit = None,
    shards: Annotated[
        int | None, typer.Option(metavar="N", min=1, max=4096, help="Build the text in N parts, and join them.")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Build only shard K of N (K from 1 to N), for example in a job array."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=0,
            help="Number of shards built in parallel; 0: only join finished shards.",
            show_default="number of cores",
        ),
    ] = None,
    executor: Annotated[
        str,
        typer.Option(
            help="Where shards are built: local; ray (tasks of Ray; cluster in RAY_ADDRESS); slurm (writes job scripts "
            "to OUT/jobs and submits them)."
        ),
    ] = "local",
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Clean and tokenize text into a token store. Several runs can use it (`align --corpus`).

    With --shards, the command can be stopped and run again: finished shards are kept.

    \b
    Examples:
      paralign corpus build --model xlm-roberta-base --pairs en-de=europarl.en-de.tsv.gz \\
          --exclude xnli.test.tsv --out store/en-de
      paralign corpus build --model xlm-roberta-base --pairs en-de=nllb.en-de.tsv.gz \\
          --shards 64 --workers 16 --out corpora/nllb
    """
    from paralign.commands.build_corpus import CorpusRequest, build_corpus

    short_forms(overrides, limit=limit)  # an error if both are given
    build_corpus(
        CorpusRequest(
            model,
            pairs=pairs or [],
            text=text or [],
            exclude=exclude or [],
            tokenized=tokenized,
            overrides=overrides or [],
            limit=limit,
            lenient=lenient,
        ),
        out,
        shards=shards,
        shard=shard,
        workers=workers,
        executor=executor,
        quiet=quiet,
    )


@app.command()
def split(
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder; must not exist.")],
    pairs: Pairs = None,
    text: Annotated[
        list[str] | None, data_option("Plain text to add to the monolingual text; may be repeated.")
    ] = None,
    exclude: Exclude = None,
    key_share: Annotated[
        float,
        typer.Option(
            help="Fraction of the pairs in the monolingual part whose English side is used; of pairs without English, "
            "the source side.",
            metavar="X",
            min=0,
            max=1,
        ),
    ] = 0.5,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Split pairs into monolingual text and pairs for alignment. The monolingual text has only one side of a pair.

    \b
    Example:
      paralign corpus split --pairs en-de=europarl.en-de.tsv.gz --key-share 0.5 --out split
    """
    from paralign.commands.split_corpus import split_corpus

    split_corpus(
        pairs or [],
        out,
        text=text or [],
        exclude=exclude or [],
        key_share=key_share,
        lenient=lenient,
        quiet=quiet,
    )


@app.command()
def check(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Output folder; the report is OUT/report.html.")
    ] = None,
    pairs: Pairs = None,
    text: Annotated[list[str] | None, data_option("Plain text; may be repeated.")] = None,
    verify: Annotated[
        list[Path] | None,
        typer.Option(help="Token store or run: compare all its files with their digests. Used alone; may be repeated."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            help="File of test sentences of any task (TMX as SRC-TGT=PATH), to check for overlap; may be repeated."
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Encoder whose tokenizer is used to count unknown pieces and overlong pairs.")
    ] = None,
    overrides: Annotated[
        list[str] | None, set_option("SECTION", "the filter (data) or the check (check)", "check")
    ] = None,
    limit: Limit = None,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Find duplicates, wrong languages and overlap with test data. The exit code is 3 if there are problems.

    \b
    Examples:
      paralign corpus check --pairs en-de=europarl.en-de.tsv.gz --test xnli.test.tsv --out check
      paralign corpus check --verify runs/ppa
    """
    if verify:
        from paralign.commands.verify_files import verify_files

        if any((out, pairs, text, test, model, overrides, limit, lenient)):
            raise UserError("--verify is used alone", hint="check text in a second command")
        typer.echo(f"{verify_files(verify):,} files are intact")
        return
    if out is None:
        raise UserError("no output folder is given", hint="--out FOLDER")
    from paralign.commands.check_corpus import check_corpus
    from paralign.console import printable
    from paralign.report import write_report

    problems = check_corpus(
        pairs or [],
        out=out,
        text=text or [],
        test=test or [],
        model=model,
        overrides=overrides or [],
        limit=limit,
        lenient=lenient,
        quiet=quiet,
    )
    write_report([out], out / "report.html", title="Corpus check")
    typer.echo(printable(str(out / "report.html")))
    if problems:
        raise typer.Exit(3)


@app.command()
def convert(
    out: Annotated[
        str, typer.Option("--out", "-o", help="x.tsv, x.tmx, x.jsonl, each also .gz or .zst, or two files x.en,x.de.")
    ],
    pairs: Pairs = None,
    limit: Annotated[int | None, typer.Option(help="Write only the first N pairs.", metavar="N", min=1)] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Write pairs in another format.

    \b
    Example:
      paralign corpus convert --pairs en-de=europarl.tmx --out europarl.en-de.tsv.gz
    """
    from paralign.commands.convert_corpus import convert_corpus

    convert_corpus(pairs or [], out, limit=limit, lenient=lenient, force=force, quiet=quiet)


@app.command()
def order(
    text: Annotated[list[str], data_option("Treebank; may be repeated, all in one language.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output word order file.")],
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    lenient: Lenient = False,
    quiet: Quiet = False,
) -> None:
    """Learn the word order of a language from treebanks. Derived languages use it, as in en~syn@FILE.

    \b
    Example:
      paralign corpus order --text hi=hdtb-train.conllu --out orders/hi.json
    """
    from paralign.commands.order_corpus import order_corpus

    order_corpus(text, out, lenient=lenient, force=force, quiet=quiet)


@app.command()
def show(
    pairs: Annotated[str, typer.Argument(help="SRC-TGT=PATH, or smallworld[:START-STOP] for all its languages.")],
    limit: Annotated[int, typer.Option(help="Number of pairs.", min=1)] = 3,
    lenient: Lenient = False,
) -> None:
    """Print pairs. Pairs of the small world are shown with words, tags, trees and links.

    \b
    Example:
      paralign corpus show en-de=europarl.en-de.tsv.gz --limit 5
    """
    from paralign.commands.show_corpus import show_corpus

    for text in show_corpus(pairs, limit=limit, lenient=lenient):
        typer.echo(text)
