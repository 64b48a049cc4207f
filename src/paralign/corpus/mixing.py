"""Text of several languages with tempered shares: p^(1/T) instead of p."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from paralign.sources.readers import read_rows
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["MixedText", "tempered"]


def tempered(sizes: Mapping[str, int], temperature: float) -> dict[str, float]:
    """Return the normalized shares p^(1/T) of items of the given sizes (Devlin 2019); T = 1 is proportional.

    >>> tempered({"en": 90, "sw": 10}, 2.0)
    {'en': 0.75, 'sw': 0.25}
    """
    total = sum(sizes.values())
    if not total:
        return dict.fromkeys(sizes, 0.0)
    weights = {name: (size / total) ** (1 / temperature) if size else 0.0 for name, size in sizes.items()}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


class MixedText:
    """The sentences of several corpora, each language repeated or thinned to its tempered share of the characters.

    The result is deterministic and has about as many characters as the corpora; they are read again in every pass.

    Args:
        specs: the corpora.
        temperature: T; 1 keeps the shares.
        lenient: skip lines that cannot be read instead of raising.
    """

    def __init__(
        self, specs: Sequence[TextSpec | PairSpec], temperature: float = 1.0, *, lenient: bool = False
    ) -> None:
        self._specs, self._lenient, self._temperature = specs, lenient, temperature
        self._rates: dict[str, float] | None = None

    def _sentences(self) -> Iterator[tuple[str, str]]:
        for spec in self._specs:
            for _, texts in read_rows(spec, lenient=self._lenient):
                yield from zip(spec.languages, texts, strict=True)

    def rates(self) -> dict[str, float]:
        """Return how often each sentence of a language is repeated, on average."""
        if self._rates is None:
            sizes: Counter[str] = Counter()
            for language, text in self._sentences():
                sizes[language] += len(text)
            shares = tempered(sizes, self._temperature)
            self._rates = {name: shares[name] * sizes.total() / size if size else 0.0 for name, size in sizes.items()}
        return self._rates

    def __iter__(self) -> Iterator[str]:
        if self._temperature == 1.0:
            yield from (text for _, text in self._sentences())
            return
        rates, due = self.rates(), dict.fromkeys(self.rates(), 0.0)
        for language, text in self._sentences():
            before = due[language]
            due[language] += rates[language]
            for _ in range(int(due[language]) - int(before)):
                yield text
