"""Linear maps between languages: learnt from linked words, used when an encoder is measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from paralign.commands.align_words import linked_text
from paralign.console import echo
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.sources.specs import parse_pairs
from paralign.words.linear_map import LinearMap, fit_map

__all__ = ["make_map", "use_maps"]


def make_map(
    model: str,
    *,
    pairs: str,
    out: str | Path,
    links: str | Path | None = None,
    method: str = "hmm",
    layer: int | None = None,
    kind: str = "orthogonal",
    tokenised: bool = False,
    lenient: bool = False,
    quiet: bool = False,
) -> LinearMap:
    """Learn the linear map of a language into another's vectors (Wang et al. 2019), for ``evaluate --map``.

    Args:
        model: the encoder; a fine-tuned ``seed-K/model`` for use with its head.
        pairs: ``SRC-TGT=PATH``: the target language is mapped into the source's space.
        out: the folder to make.
        links: a Pharaoh file of these pairs; found by ``method`` otherwise (intersected).
        method: ``hmm``, ``ibm`` or ``eflomal``.
        layer: hidden state that is mapped; the last by default.
        kind: ``orthogonal`` or ``linear``.
        tokenised: words are what stands between spaces.
        lenient: drop and count pairs that cannot be read.
        quiet: say nothing.

    Raises:
        UserError: for input that cannot be used.
    """
    spec = parse_pairs(pairs)
    if Path(out).exists():
        raise UserError("is in use", where=out, hint="name another folder, or remove this one")
    if kind not in ("orthogonal", "linear"):
        raise UserError(f"unknown kind {kind!r}", hint="orthogonal or linear")
    encoder = Encoder.from_pretrained(model).to(best_device())
    layer = encoder.layers if layer is None else layer
    if not 1 <= layer <= encoder.layers:
        raise UserError(f"there is no layer {layer} to map", hint=f"1 to {encoder.layers}")
    text, found = linked_text(
        spec, links=links, method=method, symmetrise="intersect", tokenised=tokenised, lenient=lenient, quiet=quiet
    )
    matrix, facts = fit_map(encoder, (p.texts for p in text), found, layer=layer, kind=kind, tokenised=tokenised,
                            languages=spec.languages)  # fmt: skip
    about = {"source": spec.target, "target": spec.source, "layer": layer, "kind": kind, "model": model,
             "model_hash": encoder.digest(), **facts}  # fmt: skip
    made = LinearMap(matrix.cpu(), about)
    with atomic_folder(Path(out)) as part:
        made.save(part)
    shown = f"mean cosine {facts['before']:.3f} before, {facts['after']:.3f} after"
    echo(f"{out}  ({facts['words']:,} linked words; {shown})", quiet=quiet)
    return made


def use_maps(encoder: Encoder, digest: str, folders: Sequence[str | Path]) -> list[str]:
    """Put maps to an encoder; what they are, for the record.

    Raises:
        UserError: for maps of other encoders, or two of one language.
    """
    told, known = [], set()
    for folder in folders:
        found = LinearMap.load(folder)
        if found.facts["source"] in known:
            raise UserError(f"a second map of {found.facts['source']!r}", where=folder, hint="give one a language")
        known.add(found.facts["source"])
        found.use(encoder, digest, folder)
        told.append(f"{found.facts['source']}→{found.facts['target']} ({found.facts['kind']})")
    return told
