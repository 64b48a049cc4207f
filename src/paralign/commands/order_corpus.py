"""Word order learnt from treebanks, for languages derived by ``syn``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from paralign.console import echo
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.languages import WordOrder
from paralign.sources.readers import read_trees
from paralign.sources.specs import parse_text

__all__ = ["order_corpus"]


def order_corpus(text: Sequence[str], out: str | Path, *, lenient: bool = False, quiet: bool = False) -> WordOrder:
    """Learn what stands before what, and keep it in a file for names like ``en~syn@FILE``.

    Args:
        text: ``LANG=PATH`` of treebanks of one language, several.
        out: the file, JSON.
        lenient: drop trees that are not well-formed.
        quiet: say nothing.

    Raises:
        UserError: for treebanks that cannot be read, of several languages, or without a projective tree.
    """
    specs = [parse_text(spec) for spec in text]
    if len({spec.language for spec in specs}) != 1:
        raise UserError("treebanks of one language are needed", hint="--text fr=TREEBANK.conllu")
    dropped: Counter[str] = Counter()
    trees = chain.from_iterable(read_trees(spec, lenient=lenient, dropped=dropped) for spec in specs)
    found = WordOrder.learn(trees, {"language": specs[0].language, "text": [str(spec) for spec in specs]})
    dropped["not projective"] = found.facts["crossing"]
    for reason, number in sorted(dropped.items()):
        if number:
            echo(f"{number:,} sentences dropped: {reason}", quiet=quiet)
    if not found.facts["trees"]:
        raise UserError("no projective tree", where=specs[0].path)
    write_lines(Path(out), found.lines())
    echo(f"{out}  (word order of {specs[0].language} from {found.facts['trees']:,} trees)", quiet=quiet)
    return found
