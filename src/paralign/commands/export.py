"""Export of an encoder to sentence-transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from paralign.commands.arguments import one_or_several
from paralign.console import echo
from paralign.encoder import Encoder
from paralign.encoder.card import read_provenance, write_provenance
from paralign.encoder.hf import base_of
from paralign.encoder.layers import keep_layers
from paralign.encoder.tokenizer import save_tokenizer
from paralign.encoder.trimming import count_pieces
from paralign.encoder.trimming import trim_vocabulary as trim_vocabulary_of
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_text
from paralign.version import __version__

__all__ = ["export"]

_MODULES = (("", "sentence_transformers.models.Transformer"), ("1_Pooling", "sentence_transformers.models.Pooling"))
_CARD = """---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags:
- sentence-transformers
- cross-lingual-alignment
- paralign
---

# {method}

Sentence vectors of `{base}`: {pooling}, written by paralign {version}.

```python
from sentence_transformers import SentenceTransformer

SentenceTransformer("PATH").encode(["..."])
```

The license of the weights depends on the licenses of the base model and of its training text; paralign cannot determine
it.
"""


@one_or_several
def export(
    model: str,
    out: str | Path,
    *,
    pool: Literal["cls", "mean"] | None = None,
    layer: int | None = None,
    trim_vocabulary: str | Sequence[str] = (),
    quiet: bool = False,
) -> Path:
    """Write a folder that ``sentence_transformers.SentenceTransformer`` loads.

    Args:
        model: the encoder: a folder, a name on the hub, or an encoder that comes with paralign.
        out: the folder to create.
        pool: ``cls``, the state of the first piece, or ``mean`` over all pieces (in paralign itself, ``mean`` excludes
            special pieces). None: ``cls`` for encoders aligned with it (objective ``moco``), otherwise ``mean``.
        layer: number of the hidden state; layers above it are removed. None: the last.
        trim_vocabulary: texts, ``LANG=PATH``. Pieces that none of them uses are removed, except special pieces and
            single characters; texts of kept pieces have the same vectors. Empty: nothing is removed.
        quiet: whether to print nothing.

    Returns:
        The folder.

    Raises:
        UserError: if the encoder cannot be read, if it has no such layer, or if the folder exists.
    """
    out = Path(out)
    encoder = Encoder.from_pretrained(model)
    facts = read_provenance(model)
    pool = pool or ("cls" if "moco" in facts.get("objectives", ()) else "mean")
    if pool not in ("cls", "mean"):
        raise UserError(f"unknown pool {pool!r}", hint="use cls or mean")
    if layer is not None and not 1 <= layer <= encoder.layers:
        raise UserError(f"the encoder has no hidden state {layer} to export", hint=f"use 1 to {encoder.layers}")
    if layer is not None and layer != encoder.layers:
        keep_layers(encoder.model, layer)
    if trim_vocabulary:
        encoder = _trimmed(encoder, trim_vocabulary, quiet=quiet)
    with atomic_folder(out) as part:
        base: Any = base_of(encoder.model)
        base.save_pretrained(part)
        save_tokenizer(encoder.tokenizer, part)
        modules = [{"idx": k, "name": str(k), "path": path, "type": kind} for k, (path, kind) in enumerate(_MODULES)]
        _write(part / "modules.json", modules)
        _write(part / "sentence_bert_config.json", {"max_seq_length": encoder.max_pieces, "do_lower_case": False})
        (part / "1_Pooling").mkdir()
        pooling = {
            "word_embedding_dimension": encoder.width,
            "pooling_mode_cls_token": pool == "cls",
            "pooling_mode_mean_tokens": pool == "mean",
        }
        _write(part / "1_Pooling/config.json", pooling)
        if facts:
            write_provenance(part, facts)
        description = "state of the first piece" if pool == "cls" else "mean over pieces"
        description += "" if layer is None else f", layer {layer}"
        name = Path(model).name
        card = _CARD.format(method=facts.get("method", name), base=name, pooling=description, version=__version__)
        (part / "README.md").write_text(card, encoding="utf-8")
    echo(f"{out}  ({description})", quiet=quiet)
    return out


def _trimmed(encoder: Encoder, specs: str | Sequence[str], *, quiet: bool) -> Encoder:
    """Return the encoder with the pieces of some texts only, and print what remains."""
    texts = [parse_text(spec) for spec in ([specs] if isinstance(specs, str) else specs)]

    def lines(tenth: bool) -> Iterator[str]:
        return (text for spec in texts for number, text in read_text(spec) if text and (number % 10 == 0) == tenth)

    (most, known), (tenth, others) = (count_pieces(encoder, lines(part)) for part in (False, True))
    if not (most + tenth).any():
        raise UserError("no text to select pieces by", where=texts[0].path)
    small = trim_vocabulary_of(encoder, most + tenth, known | others)
    covered = tenth[most > 0].sum() / max(1, tenth.sum())
    echo(
        f"{len(small.tokenizer):,} of {len(encoder.tokenizer):,} pieces, {small.parameter_count() / 1e6:.1f} of "
        f"{encoder.parameter_count() / 1e6:.1f} M weights; nine tenths of the lines have {100 * covered:.2f} % of the "
        "pieces in the rest",
        quiet=quiet,
    )
    return small


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
