"""Export of an encoder to sentence-transformers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import numpy as np

from paralign.commands.arguments import one_or_several
from paralign.commands.word_pairs import echo_language_warnings
from paralign.console import echo, echo_dropped
from paralign.encoder import Encoder
from paralign.encoder.card import lineage, read_provenance, write_provenance
from paralign.encoder.hf import base_of, has_pooling_option
from paralign.encoder.layers import keep_layers
from paralign.encoder.sentence_modules import sentence_modules
from paralign.encoder.tokenizer import save_tokenizer
from paralign.encoder.trimming import count_pieces
from paralign.encoder.trimming import trim_vocabulary as trim_vocabulary_of
from paralign.errors import UserError
from paralign.folders import atomic_folder, check_new_folder
from paralign.models import local_folder
from paralign.results import Measurement
from paralign.runs.groups import command_line, results_of
from paralign.runs.sentence_card import ExportedEncoder, layer_and_pool, sentence_card
from paralign.sources.readers import read_text
from paralign.sources.specs import TextSpec, check_readable_again, parse_text
from paralign.task_table import TASKS

__all__ = ["export"]

_SAMPLE, _ROUNDING = ("The cat sleeps.", "Yes."), 1e-4
_MODULES = (("", "sentence_transformers.models.Transformer"), ("1_Pooling", "sentence_transformers.models.Pooling"))


@one_or_several
def export(
    model: str,
    out: str | Path,
    *,
    pool: Literal["cls", "mean"] | None = None,
    layer: float | None = None,
    trim_vocabulary: str | Sequence[str] = (),
    results: str | Sequence[str | Path] = (),
    lenient: bool = False,
    quiet: bool = False,
) -> Path:
    """Write a folder that ``sentence_transformers.SentenceTransformer`` loads.

    Args:
        model: the encoder: a folder, a name on the hub, or an encoder that comes with paralign.
        out: the folder to create.
        pool: ``cls``, the state of the first piece, or ``mean`` over all pieces (in paralign itself, ``mean`` excludes
            special tokens). None: that of the model if it is a sentence-transformers folder; the one its objectives
            were trained with, ``moco`` first; otherwise ``mean``.
        layer: hidden state, from 1, or as in :meth:`paralign.Encoder.layer_number`; layers above it are removed. None:
            the last.
        trim_vocabulary: texts, ``LANG=PATH``. Pieces that none of them uses are removed, except special tokens and
            single characters; texts of kept pieces have the same vectors. Empty: nothing is removed.
        results: folders with runs that evaluated this encoder; their main scores are listed in the model card, of the
            layers that remain and of the exported pooling. Scores with ``--map`` or ``layers.reset`` are not those of
            this encoder: they are left out, as are rows of analyses, and a note counts them. Not with
            ``trim_vocabulary``. Empty: the card has no scores.
        lenient: drop and count lines of ``trim_vocabulary`` that cannot be read.
        quiet: whether to print nothing.

    Returns:
        The folder.

    Raises:
        UserError: if the encoder cannot be read, if it has no such layer, if the folder exists, if ``results`` has no
            score of this encoder, layer and pooling, or with ``results`` and ``trim_vocabulary``.
    """
    out = Path(out)
    check_new_folder(out)
    if trim_vocabulary and results:
        message = "the scores of --results were measured with the whole vocabulary"
        raise UserError(message, hint="export without --results, and evaluate the exported encoder")
    specs = [parse_text(spec) for spec in trim_vocabulary]
    paths = (path for spec in specs for path in spec.paths)
    check_readable_again(paths, "--trim-vocabulary reads the text twice")
    echo_language_warnings(specs, quiet)
    encoder = Encoder.from_pretrained(model, quiet=quiet)
    facts = read_provenance(model)
    pool = pool or _trained_pool(model, facts)
    if pool not in ("cls", "mean"):
        raise UserError(f"unknown pool {pool!r}", hint="use cls or mean")
    layers = encoder.layers
    kept = encoder.layer_number(-1 if layer is None else layer, least=1)
    scores = _scores(results, encoder, model, kept, pool, quiet)
    if kept != layers:
        before = encoder.encode(_SAMPLE, layer=kept)
        keep_layers(encoder.model, kept)
        change = np.abs(encoder.encode(_SAMPLE) - before).max() / np.abs(before).max()
        if change > _ROUNDING:
            text = (
                f"the exported encoder applies its final normalization to state {kept}, which paralign reads without it"
            )
            if scores:
                raise UserError(f"{text}: the scores of --results are not those of its vectors", hint="omit --results")
            echo(f"note: {text}: vectors differ by up to {change:.2%}", quiet=quiet)
    vocabulary = ""
    if trim_vocabulary:
        whole, tags = len(encoder.tokenizer), ", ".join(dict.fromkeys(spec.language for spec in specs))
        encoder = _trimmed(encoder, specs, lenient=lenient, quiet=quiet)
        pieces = f"{len(encoder.tokenizer):,} of {whole:,} pieces"
        vocabulary = f"{pieces}: those of text in {tags}, single characters, special tokens"
    with atomic_folder(out) as part:
        _write_sentence_transformer(part, encoder, pool)
        if facts.get("lineage") and (kept != layers or vocabulary):
            facts |= {"lineage": lineage(facts["lineage"], "export", kept, encoder.tokenizer_id)}
        if vocabulary:  # the shares of unknown pieces are those of the whole vocabulary
            facts = {key: value for key, value in facts.items() if key != "unknown"}
        if facts:
            write_provenance(part, facts)
        options: dict[str, Any] = {"pool": pool} | ({} if layer is None else {"layer": layer})
        options |= {"trim_vocabulary": trim_vocabulary} if trim_vocabulary else {}
        options |= {"lenient": True} if lenient else {}
        exported = ExportedEncoder(
            name=Path(model).name,
            width=encoder.width,
            max_pieces=encoder.max_pieces,
            pool=pool,
            layer=kept,
            layers=layers,
            parameters=_weights(encoder),
            vocabulary=vocabulary,
            command=command_line(export, {"out": str(out), **options}).replace("export", f"export {quote(model)}", 1),
        )
        (part / "README.md").write_text(sentence_card(exported, facts, scores), encoding="utf-8")
    description = "state of the first piece" if pool == "cls" else "mean over pieces"
    description += "" if layer is None else f", layer {kept}"
    if pool == "mean":
        note = "sentence-transformers includes special tokens in the mean, paralign leaves them out: vectors differ"
        echo(f"note: {note}", quiet=quiet)
    echo(f"{out}  ({description})", quiet=quiet)
    return out


def _write_sentence_transformer(folder: Path, encoder: Encoder, pool: str) -> None:
    """Write an encoder and the configuration of sentence-transformers."""
    base: Any = base_of(encoder.model)
    base.save_pretrained(folder)
    save_tokenizer(encoder.tokenizer, folder)
    modules = [{"idx": k, "name": str(k), "path": path, "type": kind} for k, (path, kind) in enumerate(_MODULES)]
    _write(folder / "modules.json", modules)
    transformer: dict[str, Any] = {"max_seq_length": encoder.max_pieces, "do_lower_case": False}
    if has_pooling_option(type(base)):
        # Otherwise the library adds a layer with random weights, which nothing reads, and saves it.
        transformer["model_args"] = {"add_pooling_layer": False}
    _write(folder / "sentence_bert_config.json", transformer)
    (folder / "1_Pooling").mkdir()
    pooling = {
        "word_embedding_dimension": encoder.width,
        "pooling_mode_cls_token": pool == "cls",
        "pooling_mode_mean_tokens": pool == "mean",
    }
    _write(folder / "1_Pooling/config.json", pooling)


def _trained_pool(model: str, facts: Mapping[str, Any]) -> Literal["cls", "mean"]:
    """Return the pooling of a sentence-transformers folder, or that an encoder's objectives were trained with."""
    of_folder, _ = sentence_modules(str(local_folder(model)))
    if of_folder in ("cls", "mean"):
        return "cls" if of_folder == "cls" else "mean"
    if of_folder:
        raise UserError(f"{of_folder} pooling cannot be exported", where=model, hint="--pool mean, or --pool cls")
    settings = facts.get("settings")  # has a section for each objective, also for those of another package
    sections = settings if isinstance(settings, Mapping) else {}
    for name in sorted(sections, key=lambda name: name != "moco"):
        pool = sections[name].get("pool") if isinstance(sections[name], Mapping) else None
        if pool in ("cls", "mean"):
            return "cls" if pool == "cls" else "mean"
    return "cls" if "moco" in facts.get("objectives", ()) else "mean"


def _scores(
    folders: Sequence[str | Path], encoder: Encoder, model: str, layer: int, pool: str, quiet: bool
) -> list[Measurement]:
    """Return the measurements in run folders of what is exported of an encoder, and print what is left out.

    Raises:
        UserError: if folders are given that have none.
    """
    if not folders:
        return []
    rows, notes = results_of(folders)
    digest = encoder.digest()
    own = [row for _, row in rows if row.model_hash == digest]
    if not own:
        raise UserError(f"no scores found for {model}", where=folders[0], hint="give runs that evaluated this encoder")
    reasons = [_reason_to_leave_out(row, layer, encoder.layers, pool) for row in own]
    left_out = Counter(filter(None, reasons))
    if left_out.total() == len(own):
        message = f"the scores of {model} are {', '.join(left_out)}"
        hint = f"evaluate with --layer {layer}, export with the --pool of the scores, or omit --results"
        raise UserError(message, where=folders[0], hint=hint)
    counts = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
    for note in [*notes, *([f"scores that are not in the model card: {counts}"] if counts else [])]:
        echo(f"note: {note}", quiet=quiet)
    return [row for row, reason in zip(own, reasons, strict=True) if not reason]


def _reason_to_leave_out(row: Measurement, layer: int, layers: int, pool: str) -> str:
    """Return why a measurement does not belong to the first layers of its encoder, pooled so; empty if it does."""
    if row.task not in TASKS and "task_info" not in row.settings:
        return "of analyses"
    if row.settings.get("maps"):
        return "measured with --map"
    changed = row.settings.get("layers") or {}
    if changed.get("reset"):
        return "fine-tuned with layers.reset"
    if keep := changed.get("keep"):
        return "" if keep == layer else f"fine-tuned with layers.keep={keep}"
    number, measured_pool = layer_and_pool(row)
    # Fine-tuned encoders have no number: all layers were used.
    if layer < layers and (number is None or number > layer):
        return f"of layers above {layer} or of all layers"
    return "" if measured_pool in ("", pool) else f"of other pooling than {pool}"


def _trimmed(encoder: Encoder, texts: Sequence[TextSpec], *, lenient: bool, quiet: bool) -> Encoder:
    """Return the encoder with the pieces of some texts only, and print what remains."""
    dropped: Counter[str] = Counter()

    def lines(tenth: bool) -> Iterator[str]:
        dropped.clear()  # the text is read twice
        rows = (row for spec in texts for row in read_text(spec, lenient=lenient, dropped=dropped))
        return (text for number, text in rows if text and (number % 10 == 0) == tenth)

    (most, known), (tenth, others) = (count_pieces(encoder, lines(part)) for part in (False, True))
    echo_dropped(dropped, "lines", quiet=quiet)
    if not (most + tenth).any():
        raise UserError("no text to select pieces by", where=texts[0].path)
    small = trim_vocabulary_of(encoder, most + tenth, known | others)
    coverage = ""
    if tenth.any():
        covered = tenth[most > 0].sum() / tenth.sum()
        coverage = f"; pieces of nine tenths of the lines cover {100 * covered:.2f} % of those in the other tenth"
    echo(
        f"{len(small.tokenizer):,} of {len(encoder.tokenizer):,} pieces, {_weights(small) / 1e6:.1f} of "
        f"{_weights(encoder) / 1e6:.1f} M weights{coverage}",
        quiet=quiet,
    )
    return small


def _weights(encoder: Encoder) -> int:
    """Return the number of weights without the vocabulary head, which is not exported."""
    return sum(weight.numel() for weight in base_of(encoder.model).parameters())


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
