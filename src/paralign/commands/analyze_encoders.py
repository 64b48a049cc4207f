"""Analyses of encoders on parallel text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from paralign.analyses.base import AnalysisResult, EncoderAnalysis, find_analysis
from paralign.analyses.parallel_text import parse_parallel_texts
from paralign.analyses.table import ANALYSES
from paralign.commands.analyzed_encoders import load_analyzed, write_encoder_analysis
from paralign.commands.arguments import check_encoders, one_or_several
from paralign.config import did_you_mean, merge, parse_override
from paralign.console import echo, echo_dropped
from paralign.corpus.language_identification import language_warnings
from paralign.errors import UserError
from paralign.runs.dataset_names import dataset_names
from paralign.runs.folder import RunFolder
from paralign.sources.specs import parse_pairs, parse_text

__all__ = ["analyze_encoders"]


@one_or_several
def analyze_encoders(
    name: str,
    models: str | Sequence[str],
    *,
    out: str | Path,
    text: str | Sequence[str] = (),
    pairs: str | Sequence[str] = (),
    overrides: str | Sequence[str] = (),
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> AnalysisResult:
    """Run an analysis of encoders on parallel text.

    Args:
        name: ``similarity``, ``space`` or another analysis of encoders in the table
            :data:`paralign.analyses.table.ANALYSES`, or ``my_module:Class``.
        models: encoders, fine-tuned models or causal language models, the one before training first.
        out: the run folder; a rerun with the same settings replaces its content.
        text: ``LANG=PATH`` for each language, aligned line by line; others are compared with the first.
        pairs: ``SRC-TGT=PATH`` instead, each on its own.
        overrides: ``NAME.key=value``, settings of the analysis; for ``my_module:Class`` the name is that of the class.
        limit: use only the first sentences. ``None``: all.
        lenient: drop and count lines that cannot be read, with their translations.
        quiet: print nothing.
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        Rows, figures and warnings, as written to ``out``.

    Raises:
        UserError: for text or settings that cannot be used, encoders that cannot be read, or an analysis of something
            else.
    """
    check_encoders(models)
    settings = merge(*map(parse_override, overrides))
    analysis = _find_analysis(name, settings)
    texts = parse_parallel_texts(text, pairs, lenient=lenient)
    datasets = dataset_names([f"{'-'.join(one.languages)}={one.path}" for one in texts])
    texts = [replace(one, dataset=dataset, limit=limit) for one, dataset in zip(texts, datasets, strict=True)]
    folder = RunFolder(Path(out), f"analyze {name}", command=command, fresh=True)
    recorded = {"models": list(models), "text": list(text), "pairs": list(pairs), "limit": limit, "lenient": lenient}
    recorded |= {analysis.name: analysis.config.model_dump(mode="json")}
    folder.check_rerun(recorded)
    languages = language_warnings([*map(parse_text, text), *map(parse_pairs, pairs)])
    encoders = load_analyzed(models, allow_causal=True, quiet=quiet)
    result = analysis.analyze(encoders, texts, run=folder.name, progress=lambda line: echo(line, quiet=quiet))
    echo_dropped(sum((one.dropped for one in texts), Counter()), "lines", quiet=quiet)
    result.warnings = [*languages, *chain.from_iterable(one.warnings() for one in texts), *result.warnings]
    write_encoder_analysis(folder, name, result, recorded, encoders, quiet=quiet)
    return result


def _find_analysis(name: str, settings: Mapping[str, Any]) -> EncoderAnalysis:
    names = [key for key, entry in ANALYSES.items() if entry.reads == "encoders"]
    message = f"{name!r} is not an analysis of encoders on parallel text"
    if name not in names and ":" not in name:
        others = ANALYSES.keys() - {*names, "check"}  # "check" is of text: paralign corpus check
        hint = f"use paralign.analyze_{name}" if name in others else f"{did_you_mean(name, names)} or my_module:Class"
        raise UserError(message, hint=hint)
    analysis = find_analysis(name, settings)
    if not isinstance(analysis, EncoderAnalysis):
        raise UserError(message, hint="derive it from paralign.analyses.base.EncoderAnalysis")
    return analysis
