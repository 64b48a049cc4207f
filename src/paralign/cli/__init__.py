"""The command line: one file per command, heavy imports inside the commands."""

from __future__ import annotations

import typer

from paralign.cli import (
    align,
    analyze,
    corpus,
    demo,
    doctor,
    evaluate,
    export,
    finetune,
    grid,
    listing,
    maps,
    predict,
    pretrain,
    report,
    suite,
    words,
)
from paralign.cli.help import MAX_WIDTH, Command, Program

__all__ = ["program"]

_HELP = """Align the languages of a multilingual encoder and measure the effect.

\b
Example:
  paralign demo
  paralign align --model xlm-roberta-base --pairs en-de=europarl.en-de.tsv.gz --out runs/ppa
  paralign report runs/
"""

app = typer.Typer(
    name="paralign",
    cls=Program,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": MAX_WIDTH},
)


def _version(value: bool) -> None:
    if value:
        from paralign.version import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback(help=_HELP)
def _main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Options of ``paralign`` itself."""


app.command("demo")(demo.command)
app.command("grid")(grid.command)
app.add_typer(corpus.app, name="corpus")
app.command("words")(words.command)
app.command("map")(maps.command)
app.command("pretrain")(pretrain.command)
app.command("align")(align.command)
app.command("finetune")(finetune.command)
app.command("evaluate")(evaluate.command)
app.command("predict")(predict.command)
app.command("suite")(suite.command)
app.command("export")(export.command)
app.add_typer(analyze.app, name="analyze")
app.command("report")(report.command)
app.command("list")(listing.command)
app.command("doctor")(doctor.command)

for _app in (app, corpus.app, analyze.app):
    for _info in _app.registered_commands:
        _info.cls = Command

program = typer.main.get_command(app)
"""The command ``paralign`` with all its subcommands."""
