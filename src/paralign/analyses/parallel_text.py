"""Parallel sentences for analyses: one file for each language, aligned line by line, or files of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, zip_longest

from paralign.corpus.clean import sides_are_comparable
from paralign.errors import UserError, file_location
from paralign.sources.line_numbers import fill_gaps, lines_are_pairs
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, TextSpec, parse_pairs, parse_text

__all__ = ["ParallelText", "parse_parallel_texts"]


@dataclass(frozen=True)
class ParallelText:
    """Sentences in two or more languages, read again in each iteration; sentences missing in a language are left out.

    Attributes:
        languages: the first is the one that others are compared with.
        path: the first file, for messages.
        pair: ``SRC-TGT`` if there may be several files of pairs, otherwise ``None``.
        read: opens the files, and counts in ``dropped`` what it drops.
        dataset: name for result rows.
        limit: use the first sentences only.
        dropped: what the last iteration dropped, by reason.
        equal: how many sentences of the last iteration equal those of the first language, by language; of the first,
            how many there were.
    """

    languages: tuple[str, ...]
    path: str
    pair: str | None
    read: Callable[[Counter[str]], Iterator[tuple[str, ...]]]
    dataset: str = ""
    limit: int | None = None
    dropped: Counter[str] = field(default_factory=Counter)
    equal: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        self.dropped.clear()
        self.equal.clear()
        complete = (texts for texts in self.read(self.dropped) if all(text.strip() for text in texts))
        for texts in islice(complete, self.limit):
            self.equal.update(tag for tag, text in zip(self.languages, texts, strict=True) if text == texts[0])
            yield texts

    def too_few(self, sentences: int) -> UserError:
        """Return the error for fewer sentences than an analysis needs.

        Args:
            sentences: how many there are.
        """
        if sentences == self.limit:
            return UserError(f"a limit of {sentences} is too low", where=self.path, hint="use 1,000 or more sentences")
        message = f"only {sentences} sentences have text in all languages"
        return UserError(message, where=self.path, hint="give 1,000 or more")

    def warnings(self) -> list[str]:
        """Return a warning for each language in which at least half of the sentences equal those of the first."""
        first, *others = self.languages
        return [
            f"{first} and {tag}: {self.equal[tag]:,} of {self.equal[first]:,} sentences are equal; are the files right?"
            for tag in others
            if 2 * self.equal[tag] >= self.equal[first] > 0 and sides_are_comparable((first, tag))
        ]


def parse_parallel_texts(text: Sequence[str], pairs: Sequence[str], *, lenient: bool = False) -> list[ParallelText]:
    """Parse ``--text LANG=PATH`` for each language, or ``--pairs SRC-TGT=PATH``.

    Args:
        text: a text for each language.
        pairs: files of pairs.
        lenient: drop and count lines that cannot be read, with their translations. Treebanks in ``text`` are always
            read strictly: their sentences have no line numbers by which those of the other languages could be dropped.

    Raises:
        UserError: if both or none are given, or there are not two texts of different languages.
    """
    if bool(text) == bool(pairs):
        hint = "--text en=PATH --text de=PATH, or --pairs en-de=PATH"
        raise UserError("give either --text or --pairs" if text else "no text is given", hint=hint)
    if pairs:
        return [_from_pairs(parse_pairs(spec), lenient) for spec in pairs]
    specs = [parse_text(spec) for spec in text]
    counts = Counter(spec.language for spec in specs)
    repeated = next((language for language, count in counts.items() if count > 1), None)
    if repeated or len(specs) < 2:
        message = f"two texts are in {repeated}" if repeated else "only one text is given"
        raise UserError(message, hint="give a text for each of two or more languages, aligned line by line")
    languages = tuple(spec.language for spec in specs)
    return [ParallelText(languages, specs[0].path, None, partial(_aligned_lines, specs, lenient))]


def _from_pairs(spec: PairSpec, lenient: bool) -> ParallelText:
    def read(dropped: Counter[str]) -> Iterator[tuple[str, ...]]:
        return ((pair.source, pair.target) for pair in read_pairs(spec, lenient=lenient, dropped=dropped))

    return ParallelText(spec.languages, spec.path, "-".join(spec.languages), read)


def _aligned_lines(specs: Sequence[TextSpec], lenient: bool, dropped: Counter[str]) -> Iterator[tuple[str, ...]]:
    def read(spec: TextSpec) -> Iterator[tuple[int, str]]:
        if not (lenient and lines_are_pairs(spec)):
            return read_text(spec)

        def rows(counts: Counter[str]) -> Iterator[tuple[int, str]]:
            return read_text(spec, lenient=True, dropped=counts)

        return fill_gaps(spec, rows, "", lenient=True, dropped=dropped)

    for lines in zip_longest(*map(read, specs)):
        ended = [spec.path for spec, line in zip(specs, lines, strict=True) if line is None]
        if ended:
            spec, line = next(both for both in zip(specs, lines, strict=True) if both[1] is not None)
            raise UserError(
                f"the texts are not parallel: {ended[0]} ends before this line",
                where=file_location(spec.path, line[0]),
                hint="give files that correspond line by line",
            )
        yield tuple(line[1] for line in lines)
