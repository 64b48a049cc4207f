"""The encoders of an analysis: how they are loaded, and the run that records them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from paralign.analyses.base import AnalysisResult, AnalyzedEncoder
from paralign.commands.analysis_folder import write_analysis
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.runs.folder import RunFolder
from paralign.runs.model_folder import describe_model

__all__ = ["load_analyzed", "write_encoder_analysis"]


def load_analyzed(models: Sequence[str], *, allow_causal: bool, quiet: bool) -> list[AnalyzedEncoder]:
    """Load encoders for an analysis, on the best device and in evaluation mode.

    Args:
        models: folders or hub names.
        allow_causal: accept causal language models too.
        quiet: print nothing.

    Raises:
        UserError: for an encoder that cannot be read.
    """
    encoders = []
    for model in models:
        encoder = Encoder.from_pretrained(model, allow_causal=allow_causal, quiet=quiet).to(best_device()).eval()
        encoders.append(AnalyzedEncoder(encoder, describe_model(encoder, model)))
    return encoders


def write_encoder_analysis(
    folder: RunFolder,
    name: str,
    result: AnalysisResult,
    settings: Mapping[str, Any],
    encoders: Sequence[AnalyzedEncoder],
    *,
    quiet: bool,
) -> None:
    """Begin the run and write the result of an analysis of encoders.

    Called after the analysis, so that the previous content of the folder stays if that fails.

    Args:
        folder: a run that has not begun.
        name: name of the analysis.
        result: what to write.
        settings: settings to record.
        encoders: the encoders; the run is recorded as one of the first.
        quiet: print nothing.
    """
    first = encoders[0]
    with folder:
        folder.begin(settings, **{key: first.model_facts[key] for key in ("method", "model_hash")})
        device = first.encoder.device.type
        write_analysis(folder, name, result, quiet, threads=torch.get_num_threads(), device=device)
