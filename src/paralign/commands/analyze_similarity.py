"""``analyze similarity``: in which layers the languages of an encoder agree, and what training changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paralign.commands.analyze_encoders import analyze_encoders
from paralign.commands.arguments import one_or_several
from paralign.results import Measurement

__all__ = ["analyze_similarity"]

_COMPAT = ("similarity.kernel=rbf", "similarity.debiased=false")


@one_or_several
def analyze_similarity(
    models: str | Sequence[str],
    *,
    out: str | Path,
    text: str | Sequence[str] = (),
    pairs: str | Sequence[str] = (),
    compat: bool = False,
    overrides: str | Sequence[str] = (),
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """Measure the similarity of sentences and their translations in every layer of one or more encoders.

    Sentence vectors are means over the hidden states of each layer. Measured are debiased linear CKA with an interval
    from half-samples, CKA of shuffled pairs as a baseline, the mean cosine, and retrieval (Muller et al. 2021, section
    4). With several encoders, each is also compared with the first one on the same sentences of the same language: what
    fine-tuning or alignment changed, layer by layer. Rows go to ``results.jsonl`` and curves to
    ``figures/similarity.json``, which ``paralign report`` draws.

    Args:
        models: encoders or fine-tuned models, the one before training first.
        out: the run folder; a rerun with the same settings replaces its content.
        text: ``LANG=PATH`` for each language, aligned line by line; others are compared with the first.
        pairs: ``SRC-TGT=PATH`` instead, each on its own.
        compat: measure as the authors' code does: biased CKA with an RBF kernel. It reads high on noise.
        overrides: ``similarity.key=value``, see :class:`paralign.analyses.layer_similarity.LayerSimilarityConfig`.
        limit: use only the first sentences. ``None``: all.
        lenient: drop and count lines that cannot be read, with their translations.
        quiet: print nothing.
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        the rows of ``results.jsonl``, one for each layer and measure.

    Raises:
        UserError: for texts that are not parallel or too short, settings that cannot be used, or encoders that cannot
            be read.
    """
    result = analyze_encoders(
        "similarity",
        models,
        out=out,
        text=text,
        pairs=pairs,
        overrides=[*(_COMPAT if compat else ()), *overrides],
        limit=limit,
        lenient=lenient,
        quiet=quiet,
        command=command,
    )
    return list(result.rows)
