"""Where in an encoder its languages agree, and what training changed: similarity layer by layer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import torch

from paralign.analyses.similarity import LayerSimilarity, LayerSimilarityConfig, Stream, Streams, compared
from paralign.config import merge, parse_override, resolve
from paralign.console import echo
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.encoder.vectors import layer_vectors
from paralign.errors import UserError, file_location
from paralign.metrics.correlation import spearman
from paralign.results import Measurement, Seeds, Where, write_results
from paralign.runs.dataset_names import dataset_names
from paralign.runs.folder import RunFolder
from paralign.runs.model_folder import about_model
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, TextSpec, parse_pairs, parse_text

__all__ = ["analyze_similarity"]

_FEW = 50
_CHUNK = 512
"""Sentences encoded and shuffled together."""
_LENGTHS = 100_000
"""Lines whose lengths are compared: enough for any length of text."""
_UNLIKE = 0.02
"""CKA above that of shuffled pairs, below which they are not told apart."""
_GOES_TOGETHER = 0.3
"""Spearman's of the lengths of lines below which two texts hardly are translations; above .8 as a rule."""


def analyze_similarity(
    models: Sequence[str],
    *,
    out: str | Path,
    text: Sequence[str] = (),
    pairs: Sequence[str] = (),
    compat: bool = False,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """How similar are sentences and their translations, in every layer of one encoder or several?

    Mean-pooled vectors of all hidden states; debiased linear CKA with an interval from half-samples, and beside it CKA
    of shuffled pairs, the mean cosine, and retrieval. With several encoders each is also compared with the first one,
    on the same sentences of the same language: what fine-tuning or alignment changed, layer by layer. Rows go to
    ``results.jsonl``, the curves to ``figures/similarity.json``, which ``paralign report`` draws.

    Args:
        models: encoders or fine-tuned models, the one before training first.
        out: the run's folder; a rerun replaces what it holds.
        text: ``LANG=PATH``, several, parallel line by line; the first language is the one others are compared with.
        pairs: or ``SRC-TGT=PATH``, several, each by itself.
        compat: as the authors' code: biased, kernel ``rbf``.
        overrides: ``similarity.key=value`` (:class:`paralign.analyses.similarity.LayerSimilarityConfig`).
        limit: first so many sentences.
        quiet: say nothing.
        command: recorded with the run.

    Raises:
        UserError: for texts that are not parallel, encoders that cannot be read, too few sentences.
    """
    if not models:
        raise UserError("no encoder is given", hint="--model ENCODER, once for each")
    config = _settings(compat, overrides)
    sets = _sets(text, pairs)
    folder = RunFolder(Path(out), "analyze similarity", command=command, fresh=True)
    names = dataset_names([f"{'-'.join(spec.languages)}={spec.path}" for spec in sets])
    encoders = [Encoder.from_pretrained(model).to(best_device()).eval() for model in models]
    about = [about_model(encoder, model) for encoder, model in zip(encoders, models, strict=True)]
    rows: list[Measurement] = []
    curves: list[dict[str, Any]] = []
    alarms: list[str] = []
    for spec, dataset in zip(sets, names, strict=True):
        streams = Streams(compared([e.layers for e in encoders], spec.languages), config)
        cut = _encode(encoders, streams, spec, limit, alarms, quiet)
        alarms += _few(streams.n, spec, cut)
        for first, second in streams.pairs:
            found = streams.similarity(first, second)
            which = about[second[0]]
            alarms += _unlike(found, first, second)
            of = "-".join(spec.languages) if pairs else None
            rows += _rows(found, first, second, about, dataset, folder.name, streams.n, config, of)
            curves.append(_curve(found, first, second, about, streams.n, of))
            _say(found, first, second, which["method"], quiet)
    for number, encoder in enumerate(encoders):
        if encoder.layers != encoders[0].layers:
            alarms.append(f"{about[number]['method']} has {encoder.layers} layers, {about[0]['method']} "
                          f"{encoders[0].layers}: they are not compared")  # fmt: skip
    # Only now, when all is known: what the folder held before stays if anything goes wrong.
    folder.begin({"models": list(models), "text": list(text), "pairs": list(pairs), "limit": limit,
                  "similarity": config.model_dump(mode="json")},
                 method=about[0]["method"], model_hash=about[0]["model_hash"])  # fmt: skip
    folder.figure("similarity", "similarity", settings=config.model_dump(mode="json"), curves=curves)
    if folder.main:
        write_results(folder.path, [(row, None) for row in rows], fresh=True)
    folder.save(status="done", alarms=alarms, threads=torch.get_num_threads(), device=encoders[0].device.type)
    for alarm in alarms:
        echo(f"WARNING {alarm}", quiet=quiet)
    return rows


def _settings(compat: bool, overrides: Sequence[str]) -> LayerSimilarityConfig:
    asked = merge(*map(parse_override, overrides))
    unknown = sorted(set(asked) - {"similarity"})
    if unknown:
        raise UserError(f"unknown section {unknown[0]!r}", hint="only similarity.KEY can be set here")
    old = {"kernel": "rbf", "debiased": False} if compat else {}
    config = resolve(LayerSimilarityConfig, old, asked.get("similarity", {}))
    if config.streamed and config.kernel == "rbf":
        raise UserError("the kernel rbf needs all vectors at once", hint="leave similarity.streamed out")
    return config


def _sets(text: Sequence[str], pairs: Sequence[str]) -> list[_Texts | PairSpec]:
    if bool(text) == bool(pairs):
        hint = "--text en=PATH --text de=PATH, or --pairs en-de=PATH"
        raise UserError("give either --text or --pairs" if text else "no text is given", hint=hint)
    if pairs:
        return [parse_pairs(spec) for spec in pairs]
    specs = [parse_text(spec) for spec in text]
    tags = [spec.language for spec in specs]
    twice = next((tag for tag, count in Counter(tags).items() if count > 1), None)
    if twice or len(specs) < 2:
        what = f"two texts of {twice}" if twice else "one text only"
        raise UserError(what, hint="give a text for each of two languages or more, parallel line by line")
    return [_Texts(specs)]


class _Texts:
    """Texts that are parallel line by line."""

    def __init__(self, specs: Sequence[TextSpec]) -> None:
        self.specs = specs
        self.languages = tuple(spec.language for spec in specs)
        self.path = specs[0].path

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        for lines in zip_longest(*map(read_text, self.specs)):
            ended = [spec.path for spec, line in zip(self.specs, lines, strict=True) if line is None]
            if ended:
                spec, line = next(both for both in zip(self.specs, lines, strict=True) if both[1] is not None)
                raise UserError(
                    f"the texts are not parallel: {ended[0]} ends before this line",
                    where=file_location(spec.path, line[0]),
                    hint="give files that correspond line by line",
                )
            yield tuple(line[1] for line in lines)


def _sentences(spec: _Texts | PairSpec) -> Iterator[tuple[str, ...]]:
    if isinstance(spec, PairSpec):
        return ((pair.source, pair.target) for pair in read_pairs(spec))
    return iter(spec)


def _encode(
    encoders: Sequence[Encoder], streams: Streams, spec: _Texts | PairSpec, limit: int | None, alarms: list[str],
    quiet: bool,
) -> int:  # fmt: skip
    """Bring all sentences through all encoders, a chunk at a time; returns how many were cut in the worst language."""
    wanted: dict[Stream, None] = dict.fromkeys(stream for pair in streams.pairs for stream in pair)
    whole = (texts for texts in _sentences(spec) if all(text.strip() for text in texts))
    rows = islice(whole, limit)
    lengths: list[tuple[int, ...]] = []
    cut: Counter[Stream] = Counter()
    ahead = list(islice(rows, _CHUNK))
    while ahead:
        chunk, ahead = ahead, list(islice(rows, _CHUNK))
        if len(ahead) == 1:  # nobody to be shuffled with
            chunk, ahead = chunk + ahead, []
        found = {}
        for number, language in wanted:
            encoder = encoders[number]
            place = spec.languages.index(language)
            with encoder.using_language(language):
                found[number, language], more = layer_vectors(encoder, [texts[place] for texts in chunk])
            cut[number, language] += more
        streams.add(found)
        lengths += [tuple(map(len, texts)) for texts in chunk[: max(0, _LENGTHS - len(lengths))]]
        echo(f"{spec.languages[0]} and {len(spec.languages) - 1} more: {streams.n:,} sentences", quiet=quiet)
    if streams.n < 4:
        raise UserError(f"{streams.n} sentences have text in all languages", where=spec.path, hint="give 1,000 or more")
    for place, language in enumerate(spec.languages[1:], 1):
        together = spearman([row[0] for row in lengths], [row[place] for row in lengths])
        if len(lengths) >= _FEW and (math.isnan(together) or together < _GOES_TOGETHER):
            alarms.append(f"{spec.languages[0]} and {language}: the lengths of their lines have a correlation of "
                          f"{together:.2f}; are the files parallel?")  # fmt: skip
    return max(cut.values())


def _few(n: int, spec: _Texts | PairSpec, cut: int) -> list[str]:
    out = [f"{cut:,} sentences of a language were cut to the encoder's longest row"] if cut else []
    if n < _FEW:
        out.append(f"{'-'.join(spec.languages)}: {n} sentences are too few, the interval is too wide to tell anything; "
                   f"give {_FEW} at least, better 1,000")  # fmt: skip
    return out


def _unlike(found: Sequence[LayerSimilarity], first: Stream, second: Stream) -> list[str]:
    """Said where translations are nowhere more alike than shuffled ones."""
    if first[1] == second[1] or any(layer.cka - layer.shuffled > _UNLIKE for layer in found):
        return []
    return [f"{first[1]} and {second[1]}: nowhere more similar than by chance; are the files parallel?"]


def _rows(
    found: Sequence[LayerSimilarity], first: Stream, second: Stream, about: Sequence[dict[str, Any]],
    dataset: str, run: str, n: int, config: LayerSimilarityConfig, of: str | None,
) -> list[Measurement]:  # fmt: skip
    """``of``: the pair whose file the sentences come from, where there may be several."""
    which = about[second[0]]
    over = first[1] == second[1]
    settings = {"system": which["method"], "control": which["control"], "similarity": config.model_dump(mode="json")}
    if over:
        settings["before"] = {k: about[first[0]][k] for k in ("model", "model_hash", "method")}
    out = []
    for layer in found:
        values = asdict(layer)
        names = {"cka": "cka", "shuffled": "cka_shuffled", "cosine": "cosine", "cosine_shuffled": "cosine_shuffled",
                 "retrieval": "retrieval"}  # fmt: skip
        for name, metric in names.items():
            if math.isnan(values[name]):
                continue
            more = {"interval": [layer.low, layer.high]} if name == "cka" and not math.isnan(layer.low) else {}
            out.append(
                Measurement(
                    task="change" if over else "similarity",
                    dataset=dataset,
                    language=second[1],
                    metric=metric,
                    value=values[name],
                    n=n,
                    seeds=Seeds(**which["seeds"]),
                    model=which["model"],
                    model_hash=which["model_hash"],
                    parent=which["parent"],
                    run=run,
                    where=Where(layer=layer.layer, pool="mean", direction=of if over else f"{first[1]}-{second[1]}"),
                    settings=settings | more,
                )
            )
    return out


def _curve(
    found: Sequence[LayerSimilarity], first: Stream, second: Stream, about: Sequence[dict[str, Any]], n: int,
    of: str | None,
) -> dict[str, Any]:  # fmt: skip
    which, over = about[second[0]], first[1] == second[1]
    return {
        "system": which["method"], "model_hash": which["model_hash"], "control": which["control"], "n": n,
        "before": about[first[0]]["method"] if over else None,
        "languages": [first[1], second[1]],
        "of": of,
        "layers": list(found),
    }  # fmt: skip


def _say(found: Sequence[LayerSimilarity], first: Stream, second: Stream, method: str, quiet: bool) -> None:
    what = f"{second[1]} before and after" if first[1] == second[1] else f"{first[1]}-{second[1]}"
    values = " ".join(f"{layer.cka:.2f}" for layer in found)
    echo(f"{method}, {what}: CKA by layer {values}", quiet=quiet)
