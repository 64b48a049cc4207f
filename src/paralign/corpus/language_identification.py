"""Is a text in the language its tag says? Asked of py3langid before anything long is begun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, TextSpec
from paralign.text.normalization import comparison_key

__all__ = ["LanguageEstimate", "check_languages", "estimate_language", "describe_wrong_language"]

_LINES, _JOINED, _FEWEST = 1_000, 4, 25
# Languages that an identifier cannot be asked to tell apart.
_NEAR = (
    {"bs", "hr", "sr", "sh"},
    {"id", "ms"},
    {"no", "nb", "nn", "da"},
    {"zh", "wuu", "yue"},
    {"ar", "ary", "arz"},
    {"hi", "mr", "ne"},
    {"gl", "pt"},
)


@dataclass(frozen=True)
class LanguageEstimate:
    """What py3langid makes of samples of a text: each is of four sentences, as single ones say too little."""

    samples: int
    own: float
    """Share of samples in the language of the tag, or one an identifier cannot tell from it."""
    other: str
    """The language most of the others are in; empty if there are none."""
    share: float
    """Of samples, that one's."""

    @property
    def wrong(self) -> bool:
        """Whether most samples are of one other language and hardly any of this one."""
        return self.own < 0.2 and self.share > 0.5


def estimate_language(texts: Iterable[str], tag: str) -> LanguageEstimate | None:
    """In which language is a text?

    Args:
        texts: sentences; the first thousand with letters or digits are looked at.
        tag: canonical.

    Returns:
        ``None`` for less than 100 sentences and for languages the identifier does not know.
    """
    import py3langid

    some = list(islice((text for text in texts if comparison_key(text)), _LINES))
    samples = [" ".join(some[k : k + _JOINED]) for k in range(0, len(some) - _JOINED + 1, _JOINED)]
    if len(samples) < _FEWEST or tag not in {name for name, _ in py3langid.rank("a")}:
        return None
    found = Counter(str(py3langid.classify(sample)[0]) for sample in samples)
    same = next((near for near in _NEAR if tag in near), {tag})
    own = sum(found[name] for name in same)
    other, count = next(((name, n) for name, n in found.most_common() if name not in same), ("", 0))
    return LanguageEstimate(len(samples), own / len(samples), other, count / len(samples))


def describe_wrong_language(texts: Iterable[str], tag: str) -> str | None:
    """What speaks against a text being in the language of its tag.

    Returns:
        ``looks like fr (93 % of 250 samples, de 2 %)``, or ``None``; see :func:`estimate_language`.
    """
    found = estimate_language(texts, tag)
    if found is None or not found.wrong:
        return None
    return f"looks like {found.other} ({found.share:.0%} of {found.samples} samples, {tag} {found.own:.0%})"


def check_languages(specs: Sequence[PairSpec | TextSpec]) -> None:
    """Look at the beginning of every corpus that can be read twice.

    Raises:
        UserError: naming the corpus whose text is in another language than its tag says.
    """
    for spec in specs:
        if not spec.paths or not all(Path(path).is_file() for path in spec.paths):
            continue  # what is read from a pipe for a look is lost
        for side, tag in enumerate(spec.languages):
            made = parse_derived(tag)
            message = describe_wrong_language(_texts(spec, side), tag if made is None else made.base)
            if message:
                raise UserError(
                    f"the text tagged {tag!r} {message}",
                    where=spec.paths[min(side, len(spec.paths) - 1)],
                    hint="correct the tag (or the order of the sides); --lenient goes on all the same",
                )


def _texts(spec: PairSpec | TextSpec, side: int) -> Iterator[str]:
    if isinstance(spec, PairSpec):
        return (pair.target if side else pair.source for pair in read_pairs(spec, lenient=True))
    return (text for _, text in read_text(spec, lenient=True))
