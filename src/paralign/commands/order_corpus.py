"""Learn a word order from treebanks, for languages derived by ``syn``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from paralign.commands.arguments import one_or_several
from paralign.console import echo, echo_dropped
from paralign.errors import UserError
from paralign.folders import check_outputs
from paralign.formats.lines import write_lines
from paralign.languages import WordOrder
from paralign.sources.readers import read_trees
from paralign.sources.specs import input_files, parse_text

__all__ = ["order_corpus"]


@one_or_several
def order_corpus(
    text: str | Sequence[str], out: str | Path, *, lenient: bool = False, force: bool = False, quiet: bool = False
) -> WordOrder:
    """Learn the word order of a language, and write it to a file for languages such as ``en~syn@FILE``.

    Args:
        text: specs ``LANG=PATH`` of treebanks of one language.
        out: the file, JSON.
        lenient: drop malformed trees instead of raising.
        force: replace an existing file.
        quiet: print nothing.

    Returns:
        The word order.

    Raises:
        UserError: for treebanks that cannot be read, of several languages, or without a projective tree, and if ``out``
            exists or is also read.
    """
    specs = [parse_text(spec) for spec in text]
    if len({spec.language for spec in specs}) != 1:
        raise UserError("all treebanks must have the same language", hint="use --text fr=TREEBANK.conllu")
    check_outputs([out], input_files(specs), force=force)
    dropped: Counter[str] = Counter()
    trees = chain.from_iterable(read_trees(spec, lenient=lenient, dropped=dropped) for spec in specs)
    word_order = WordOrder.learn(trees, {"language": specs[0].language, "text": [str(spec) for spec in specs]})
    dropped["not projective"] = word_order.facts["crossing"]
    echo_dropped(dropped, "sentences", quiet=quiet)
    if not word_order.facts["trees"]:
        raise UserError("no projective tree", where=specs[0].path, hint="give a treebank with projective trees")
    write_lines(Path(out), word_order.lines())
    echo(f"{out}  (word order of {specs[0].language} from {word_order.facts['trees']:,} trees)", quiet=quiet)
    return word_order
