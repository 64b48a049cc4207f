"""The aligner ``file``: links that exist already, checked against the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from paralign.console import echo_dropped
from paralign.errors import UserError
from paralign.formats.links import read_text_links
from paralign.words.base import Aligner, AlignerConfig, AlignerOptions, WordPair
from paralign.words.word_links import WordLinks

__all__ = ["FileAligner"]


class FileAligner(Aligner):
    """Links of a file in Pharaoh format (``--links``)."""

    name: ClassVar[str] = "file"
    accepts: ClassVar[frozenset[str]] = frozenset({"links"})
    requires: ClassVar[frozenset[str]] = frozenset({"links"})

    def __init__(self, config: AlignerConfig, options: AlignerOptions) -> None:
        if options.symmetrize is not None:
            hint = "remove it: the links of a file are not combined from two directions"
            raise UserError(f"--symmetrize has no effect with the aligner {self.name!r}", hint=hint)
        super().__init__(config, options)

    def read(self, pairs: Iterable[WordPair]) -> None:
        self.sizes = [(len(pair.words[0]), len(pair.words[1])) for pair in pairs]

    def align(self, count: int) -> WordLinks:
        path, lenient, one_based = self.options.links, self.options.lenient, self.options.one_based
        assert path is not None
        dropped: Counter[str] = Counter()
        links = read_text_links(path, self.sizes, one_based=one_based, lenient=lenient, dropped=dropped, limit=count)
        echo_dropped(dropped, "links", quiet=self.options.quiet)
        return WordLinks.from_rows(row.possible for row in links)
