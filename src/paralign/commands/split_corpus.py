"""Split pairs into monolingual text and pairs for alignment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paralign.commands.arguments import one_or_several
from paralign.console import echo
from paralign.corpus import split
from paralign.corpus.exclusion import parse_source
from paralign.errors import UserError
from paralign.runs.corpus import check_languages_or_warn
from paralign.sources.specs import parse_pairs, parse_text

__all__ = ["split_corpus"]


@one_or_several
def split_corpus(
    pairs: str | Sequence[str],
    out: str | Path,
    *,
    text: str | Sequence[str] = (),
    exclude: str | Sequence[str | Path] = (),
    key_share: float = 0.5,
    lenient: bool = False,
    quiet: bool = False,
) -> dict[str, Any]:
    """Split pairs into monolingual text, which has only one side of a pair, and pairs for alignment.

    Args:
        pairs: specs ``SRC-TGT=PATH``.
        out: the folder to create (:func:`paralign.corpus.split.split_corpus`).
        text: specs ``LANG=PATH`` of plain text to add to the monolingual text.
        exclude: files of test sentences to leave out, or specs of them.
        key_share: fraction of the pairs in the monolingual part whose English side is used.
        lenient: drop and count what cannot be read instead of raising.
        quiet: print nothing.

    Returns:
        The counts in ``split.json``.

    Raises:
        UserError: without pairs, for text that cannot be read or is in another language than its tag, and if ``out``
            exists.
    """
    if not pairs:
        raise UserError("no text is given", hint="use --pairs en-de=PATH")
    both, plain = [parse_pairs(spec) for spec in pairs], [parse_text(spec) for spec in text]
    check_languages_or_warn([*both, *plain], lenient=lenient, quiet=quiet)
    tests = [parse_source(str(source)) for source in exclude]
    counts = split.split_corpus(both, Path(out), text=plain, exclude=tests, key_share=key_share, lenient=lenient)
    for row in counts["specs"]:
        dropped = "".join(f", {number:,} {reason}" for reason, number in row["dropped"].items())
        echo(f"{row['spec']}: {row['read']:,} read{dropped}", quiet=quiet)
    for name, lines in counts["lines"].items():
        if lines:
            echo(
                f"{Path(out) / name}  ({lines:,} {'pairs' if name.startswith('pairs/') else 'sentences'})", quiet=quiet
            )
    return counts
