"""Language identification (py3langid) and scripts: checks that a text is in the language of its tag."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from paralign.console import echo
from paralign.errors import UserError
from paralign.languages import base_language
from paralign.sources.readers import read_rows
from paralign.sources.specs import PairSpec, TextSpec
from paralign.text.language_tags import find_tag
from paralign.text.normalization import comparison_key
from paralign.text.scripts import foreign_script, main_script, scripts_of

__all__ = [
    "LanguageEstimate",
    "check_languages",
    "describe_mismatch",
    "describe_wrong_language",
    "estimate_language",
    "language_warnings",
]

_SENTENCES, _SAMPLE_SENTENCES, _FEWEST_SAMPLES = 1_000, 4, 25
_FEWEST_FOREIGN = 5
"""Number of texts in another script from which a file can be in the wrong script."""
_SHORT = 15
"""Characters. Shorter texts, such as single words, are too short for language identification."""
# Languages that language identification cannot distinguish reliably.
_SIMILAR = (
    {"bs", "hr", "sr", "sh"},
    {"id", "ms"},
    {"nb", "nn", "da"},
    {"zh", "wuu", "yue"},
    {"ar", "ary", "arz"},
    {"hi", "mr", "ne"},
    {"gl", "pt"},
)


@dataclass(frozen=True)
class LanguageEstimate:
    """Languages of samples of a text according to py3langid; a sample has four sentences."""

    samples: int
    own: float
    """Share of samples in the language of the tag, or in one that cannot be distinguished from it."""
    other: str
    """The most frequent language of the other samples; empty if there are none."""
    share: float
    """Share of samples in that language."""

    @property
    def wrong(self) -> bool:
        """Whether most samples are in one other language and less than 20% in that of the tag."""
        return self.own < 0.2 and self.share > 0.5


def estimate_language(texts: Iterable[str], tag: str) -> LanguageEstimate | None:
    """Identify the language of a text.

    Args:
        texts: sentences; the first thousand with letters or digits are used.
        tag: canonical tag of the expected language.

    Returns:
        ``None`` for less than 100 sentences, for languages that py3langid does not support, and, with a warning, if
        the temporary folder is too small for its model.
    """
    sentences = list(islice((text for text in texts if comparison_key(text)), _SENTENCES))
    starts = range(0, len(sentences) - _SAMPLE_SENTENCES + 1, _SAMPLE_SENTENCES)
    samples = [" ".join(sentences[k : k + _SAMPLE_SENTENCES]) for k in starts]
    if len(samples) < _FEWEST_SAMPLES:
        return None
    import py3langid

    try:
        names = [name for name, _ in py3langid.rank("a")]  # unpacks the model to a temporary file
    except OSError:
        _warn_of_temporary_folder()
        return None
    tags = {name: find_tag(name) or name for name in names}  # py3langid says no for nb, ku for kmr
    if tag not in tags.values():
        return None
    counts = Counter(tags[py3langid.classify(sample)[0]] for sample in samples)
    same = next((similar for similar in _SIMILAR if tag in similar), {tag})
    own = sum(counts[name] for name in same)
    other, count = next(((name, n) for name, n in counts.most_common() if name not in same), ("", 0))
    return LanguageEstimate(len(samples), own / len(samples), other, count / len(samples))


@cache
def _warn_of_temporary_folder() -> None:
    """Print the warning once."""
    echo("WARNING language identification needs 70 MB in the temporary folder (TMPDIR); languages are not checked")


def describe_wrong_language(texts: Iterable[str], tag: str) -> str | None:
    """Describe the language of a text if it is not that of its tag.

    Args:
        texts, tag: as in :func:`estimate_language`.

    Returns:
        ``looks like fr (93 % of 250 samples, de 2 %)``, or ``None``; see :func:`estimate_language`.
    """
    estimate = estimate_language(texts, tag)
    if estimate is None or not estimate.wrong:
        return None
    shares = f"{estimate.share:.0%} of {estimate.samples} samples, {tag} {estimate.own:.0%}"
    return f"looks like {estimate.other} ({shares})"


def describe_mismatch(texts: Iterable[str], tag: str) -> str | None:
    """Describe script or language of a text if they are not those of its tag, for warnings.

    Args:
        texts: sentences or words; the first thousand with letters or digits are used.
        tag: canonical tag of the expected language; for a derived language, its base is expected.

    Returns:
        For example ``expected text in de (Latin script), found Cyrillic script in 98% of 1,000 sentences``. ``None``
        if nothing is wrong, or if there is too little text to know.
    """
    base = base_language(tag)
    sentences = list(islice((text for text in texts if comparison_key(text)), _SENTENCES))
    foreign = [text for text in sentences if foreign_script(text, base)]
    if len(foreign) >= _FEWEST_FOREIGN and 2 * len(foreign) > len(sentences):
        scripts = " or ".join(sorted(scripts_of(base))).replace("_", " ")
        found = main_script(" ".join(foreign)).replace("_", " ") or "another"
        share = f"{len(foreign) / len(sentences):.0%} of {len(sentences):,} sentences"
        return f"expected text in {base} ({scripts} script), found {found} script in {share}"
    if sum(map(len, sentences)) < _SHORT * len(sentences):
        return None
    wrong = describe_wrong_language(sentences, base)
    return wrong and f"expected text in {base}, found text that {wrong}"


def language_warnings(specs: Sequence[PairSpec | TextSpec]) -> list[str]:
    """Return warnings about corpora in another language or script than their tags; see :func:`describe_mismatch`.

    The model of py3langid is freed afterwards.
    """
    out = []
    for spec in specs:
        if all(Path(path).is_file() for path in spec.paths):  # otherwise it cannot be read again
            for side, tag in enumerate(spec.languages):
                message = describe_mismatch(_texts(spec, side), tag) if spec.paths else None
                if message:
                    out.append(f"{spec.paths[min(side, len(spec.paths) - 1)]}: {message}")
    if (module := sys.modules.get("py3langid.langid")) is not None:
        module.IDENTIFIER = None  # type: ignore[attr-defined]  # 70 MB; loaded again in 0.2 s if it is needed
    return out


def check_languages(specs: Sequence[PairSpec | TextSpec]) -> None:
    """Check the language at the beginning of every corpus that can be read twice.

    Raises:
        UserError: for a corpus in another language than its tag.
    """
    for spec in specs:
        if not spec.paths or not all(Path(path).is_file() for path in spec.paths):
            continue  # text that is read from a pipe cannot be read again
        for side, tag in enumerate(spec.languages):
            message = describe_wrong_language(_texts(spec, side), base_language(tag))
            if message:
                raise UserError(
                    f"the text tagged {tag!r} {message}",
                    where=spec.paths[min(side, len(spec.paths) - 1)],
                    hint="correct the tag or the order of the sides, or continue with --lenient",
                )


def _texts(spec: PairSpec | TextSpec, side: int) -> Iterator[str]:
    return (texts[side] for _, texts in read_rows(spec, lenient=True))
