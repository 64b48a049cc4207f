"""``paralign map``: maps between languages, from linked words or plain text; ``evaluate --map`` applies them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from paralign.commands.align_words import echo_language_warnings, read_aligned_text
from paralign.commands.arguments import one_or_several
from paralign.console import echo, echo_dropped
from paralign.device import best_device
from paralign.digests import write_digests
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.folders import atomic_folder, check_new_folder
from paralign.runs.inputs import Entries, data_files
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_pairs, parse_text
from paralign.words.linear_map import KINDS, LinearMap, fit_map
from paralign.words.text_map import fit_text_maps

__all__ = ["fitted_on", "make_map", "make_text_maps", "map_languages", "use_maps"]


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


def _load_maps(folders: Iterable[str | Path]) -> Iterator[tuple[Path, LinearMap]]:
    """Yield each map with its folder; a folder may contain the maps of several languages."""
    for folder in map(Path, folders):
        inner = sorted(path.parent for path in folder.glob("*/map.json"))
        for part in inner if inner and not (folder / "map.json").exists() else [folder]:
            yield part, LinearMap.load(part)


def map_languages(folder: str | Path) -> set[str]:
    """Return the languages that the maps of a folder are for."""
    return {str(linear_map.facts["source"]) for _, linear_map in _load_maps([folder])}


def fitted_on(folders: Sequence[str | Path], entries: Entries) -> list[str]:
    """Return a warning for each file that a map was fitted on. Other files with the same text are not found.

    Args:
        folders: the folders of the maps.
        entries: the files, as :func:`paralign.runs.inputs.data_files` describes them.
    """
    files = {entry["blake2b"]: entry["path"] for entry in entries if entry.get("blake2b")}
    out = []
    for folder, linear_map in _load_maps(folders):
        used = {entry.get("blake2b") for entry in linear_map.facts.get("fitted_on", [])}
        out += [f"{path}: the map {folder} was fitted on this file" for digest, path in files.items() if digest in used]
    return out


def use_maps(encoder: Encoder, digest: str, folders: Sequence[str | Path]) -> list[str]:
    """Apply linear maps to an encoder.

    Args:
        encoder: the encoder, which is changed.
        digest: its digest.
        folders: the folders of the maps, or of folders with maps of several languages.

    Returns:
        a description of each map, which is recorded with the results.

    Raises:
        UserError: for maps of another encoder, or two maps of one language.
    """
    descriptions: list[str] = []
    languages: set[str] = set()
    for folder, linear_map in _load_maps(folders):
        language = linear_map.facts["source"]
        if language in languages:
            raise UserError(f"a second map of {language!r}", where=folder, hint="give one map for each language")
        languages.add(language)
        linear_map.apply_to(encoder, digest, folder)
        descriptions.append(f"{language}→{linear_map.facts['target']} ({linear_map.facts['kind']})")
    return descriptions
