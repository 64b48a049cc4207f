"""``paralign map``: maps between languages, from linked words or plain text; ``evaluate --map`` applies them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from paralign.commands.arguments import one_or_several
from paralign.commands.word_pairs import echo_language_warnings, read_aligned_text
from paralign.console import echo, echo_dropped
from paralign.device import best_device
from paralign.digests import write_digests
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.folders import atomic_folder, check_new_folder
from paralign.runs.inputs import data_files
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_pairs, parse_text
from paralign.words.linear_map import KINDS, LinearMap, fit_map
from paralign.words.text_map import fit_text_maps

__all__ = ["make_map", "make_text_maps"]


@one_or_several
def make_map(
    model: str,
    *,
    pairs: str,
    out: str | Path,
    links: str | Path | None = None,
    method: str | None = None,
    layer: float | None = None,
    kind: str = "orthogonal",
    tokenized: bool = False,
    one_based: bool = False,
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
) -> LinearMap:
    """Learn a linear map from the vectors of one language to those of another (Wang et al. 2019).

    Args:
        model: the encoder; the ``seed-K/model`` of a fine-tuned one, to use the map with its head.
        pairs: ``SRC-TGT=PATH``. Vectors of the target language are mapped to those of the source language.
        out: folder to create.
        links: file of word links of these pairs in Pharaoh format. Default ``None``: the pairs are aligned by
            ``method``, and the directions are intersected.
        method: an aligner that needs only text: ``hmm``, ``ibm``, ``eflomal`` or ``my_module:Class``. Default ``None``:
            ``hmm``. Not with ``links``.
        layer: hidden state to map, from 1, or as in :meth:`paralign.Encoder.layer_number`. Default ``None``: the last.
        kind: ``orthogonal`` (a rotation) or ``linear`` (least squares).
        tokenized: words are separated by spaces. Default: words are found in the text.
        one_based: words count from 1 in ``links``.
        limit: number of pairs that are read, the first ones. Default ``None``: all.
        lenient: drop and count pairs and links that cannot be read.
        quiet: print nothing.

    Returns:
        the map that was written to ``out``.

    Raises:
        UserError: for input that cannot be used.
    """
    spec = parse_pairs(pairs)
    check_new_folder(Path(out))
    if kind not in KINDS:
        raise UserError(f"unknown kind of map {kind!r}", hint=" or ".join(KINDS))
    encoder = Encoder.from_pretrained(model, quiet=quiet).to(best_device())
    number = encoder.layer_number(-1 if layer is None else layer, least=1)
    text, word_links = read_aligned_text(
        spec,
        links=links,
        method=method,
        symmetrize="intersect",
        tokenized=tokenized,
        one_based=one_based,
        limit=limit,
        lenient=lenient,
        quiet=quiet,
    )
    matrix, facts = fit_map(
        encoder,
        (pair.texts for pair in text),
        word_links,
        layer=number,
        kind=kind,
        tokenized=tokenized,
        languages=spec.languages,
    )
    settings = {"source": spec.target, "target": spec.source, "layer": number, "kind": kind, "model": model,
                "fitted_on": data_files([spec])}  # fmt: skip
    linear_map = LinearMap(matrix.cpu(), {**settings, "model_hash": encoder.digest(), **facts})
    with atomic_folder(Path(out)) as part:
        linear_map.save(part)
        write_digests(part)
    shown = f"mean cosine {facts['before']:.3f} before, {facts['after']:.3f} after"
    echo(f"{out}  ({facts['words']:,} linked words; {shown})", quiet=quiet)
    return linear_map


@one_or_several
def make_text_maps(
    model: str,
    *,
    text: str | Sequence[str],
    out: str | Path,
    kind: str = "shift",
    layer: float | None = None,
    components: int | None = None,
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
) -> list[LinearMap]:
    """Compute maps that remove what differs between languages, from plain text and without training.

    Args:
        model: the encoder; the ``seed-K/model`` of a fine-tuned one, to use the maps with its head.
        text: ``LANG=PATH`` for each of two or more languages, not necessarily parallel, the pivot first.
        out: folder to create; the map of each language is written to ``out/LANG``.
        kind: ``shift``, ``lir`` or ``lsar``; see :func:`paralign.words.text_map.maps_of_means`.
        layer: hidden state to map, from 1, or as in :meth:`paralign.Encoder.layer_number`. Default ``None``: the last.
        components: number of components that ``lir`` removes. Default ``None``: 1. Not with other kinds.
        limit: number of lines of each text that are read, the first ones. Default ``None``: all.
        lenient: drop and count lines that cannot be read.
        quiet: print nothing.

    Returns:
        the maps that were written.

    Raises:
        UserError: for input that cannot be used.
    """
    out, specs = Path(out), [parse_text(spec) for spec in text]
    check_new_folder(out)
    if len({spec.language for spec in specs}) < len(specs):
        raise UserError("two texts are in one language", hint="give one text for each language")
    if components is not None and kind != "lir":
        raise UserError(f"--components has no effect with --kind {kind}", hint="remove it")
    components = 1 if components is None else components
    echo_language_warnings(specs, quiet)
    encoder = Encoder.from_pretrained(model, quiet=quiet).to(best_device())
    number = encoder.layer_number(-1 if layer is None else layer, least=1)
    if not 1 <= components < encoder.width:
        raise UserError(f"cannot remove {components} components", hint=f"choose 1 to {encoder.width - 1}")
    dropped: Counter[str] = Counter()
    rows = {spec.language: islice(read_text(spec, lenient=lenient, dropped=dropped), limit) for spec in specs}
    texts = {language: (line for _, line in lines if line) for language, lines in rows.items()}
    maps, count = fit_text_maps(encoder, texts, layer=number, kind=kind, components=components)
    echo_dropped(dropped, "lines", quiet=quiet)
    settings = {"target": specs[0].language, "layer": number, "kind": kind, "model": model,
                "model_hash": encoder.digest(), "sentences": count, "fitted_on": data_files(specs)}  # fmt: skip
    written = []
    with atomic_folder(out) as part:
        for language, (matrix, bias) in maps.items():
            written.append(LinearMap(matrix, {"source": language, **settings}, bias))
            (part / language).mkdir()
            written[-1].save(part / language)
            write_digests(part / language)
    echo(f"{out}  ({kind} of {', '.join(maps)} from {count:,} sentences of all languages)", quiet=quiet)
    return written
