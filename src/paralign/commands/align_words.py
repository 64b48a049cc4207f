"""``paralign words``: align the words of parallel text, and score the links."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import Any

from paralign.commands.arguments import one_or_several
from paralign.commands.word_pairs import (
    Sizes,
    check_gold_options,
    echo_language_warnings,
    parse_overrides,
    read_gold_links,
    read_word_pairs,
    warn_of_tokens,
)
from paralign.config import merge
from paralign.console import echo, echo_dropped
from paralign.errors import UserError
from paralign.folders import check_outputs
from paralign.formats.lines import write_lines
from paralign.formats.links import write_links
from paralign.metrics.alignment import AlignmentScore, alignment_score
from paralign.sources.specs import PairSpec, input_files, parse_pairs
from paralign.version import __version__
from paralign.words.base import AlignerOptions, make_aligner
from paralign.words.word_links import WordLinks

__all__ = ["align_words"]

DEFAULT_ENCODER = "intfloat/multilingual-e5-small"
"""Of ``similarity``: a small encoder that has seen translations (docs/results/word-alignment.md)."""


@one_or_several
def align_words(
    pairs: str,
    *,
    out: str | Path,
    train: str | Sequence[str] = (),
    method: str = "hmm",
    symmetrize: str | None = None,
    tokenized: bool = False,
    model: str | None = None,
    links: str | Path | None = None,
    overrides: str | Sequence[str] = (),
    save: str | Path | None = None,
    load: str | Path | None = None,
    gold: str | Path | None = None,
    one_based: bool = False,
    flipped: bool = False,
    scores: str | Path | None = None,
    posteriors: str | Path | None = None,
    limit: int | None = None,
    lenient: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> tuple[WordLinks, AlignmentScore | None]:
    """Align the words of parallel text.

    Args:
        pairs: ``SRC-TGT=PATH``, the sentence pairs to align.
        out: file to write the links to, in Pharaoh format: ``i-j`` from 0, one line for each pair that is read.
        train: ``SRC-TGT=PATH``, further text in the same languages to learn from, which gets no links.
        method: ``hmm``, ``ibm``, ``similarity``, ``eflomal`` or ``file``, or an aligner of your own as
            ``my_module:Class``.
        symmetrize: how the links of both directions are combined, one of
            ``paralign.words.symmetrization.SYMMETRIZATIONS``, or ``posterior``. Default ``None``: ``posterior`` for
            ``hmm`` and ``ibm``, ``intersect`` for ``similarity``, else ``grow-diag-final-and``.
        tokenized: words of ``pairs`` are separated by spaces. Default: words are found by
            :func:`paralign.text.words.word_spans`, as always in ``train``.
        model: encoder, for ``similarity``, or for ``hmm`` to combine its similarities with counts. None: with
            ``similarity``, ``DEFAULT_ENCODER``.
        links: file of existing links, for ``file``.
        overrides: settings of the aligner as ``words.key=value``.
        save: folder to save the trained aligner in. Default ``None``: it is not saved.
        load: folder of a saved aligner, which is used without training.
        gold: file of gold links of these pairs to score against (:func:`paralign.formats.links.read_gold`);
            ``smallworld`` for pairs of the small world. Default ``None``: no score.
        one_based: words count from 1 in ``gold`` and ``links``.
        flipped: the gold file names the target word first.
        scores: file to write the score against ``gold`` to, JSON with the settings and counts. Default ``None``: the
            name of ``out`` and ``.scores.json``.
        posteriors: file to write the probability of each link to, lines as in ``out``. Default ``None``: not written.
        limit: number of pairs of each text that are read, the first ones; ``gold`` is that of the whole text, ``links``
            are those of the whole text or of these pairs. Default ``None``: all.
        lenient: drop and count pairs and links that cannot be read. Other pairs keep their lines in ``out``.
        force: replace existing output files.
        quiet: print nothing.

    Returns:
        the links, and their score if ``gold`` is given.

    Raises:
        UserError: for input or settings that cannot be used.
    """
    spec, further = parse_pairs(pairs), [parse_pairs(text) for text in train]
    _check_languages(spec, further)
    if gold is None and scores is not None:
        raise UserError("there is no score to write to --scores", hint="add --gold")
    check_gold_options(gold, flipped, one_based and links is None, tokenized)
    scores = f"{out}.scores.json" if gold is not None and scores is None else scores
    others = [path for path in (gold, links) if path is not None]
    outputs = [path for path in (out, scores, posteriors) if path is not None]
    check_outputs(outputs, [*input_files([spec, *further]), *others], force=force, folder=save)
    if method == "similarity" and model is None:
        model = DEFAULT_ENCODER
        echo(f"encoder: {model} (--model chooses another one)", quiet=quiet)
    options = AlignerOptions(
        spec,
        symmetrize=symmetrize,
        tokenized=tokenized,
        train=bool(further),
        save=save,
        load=load,
        posteriors=posteriors is not None,
        model=model,
        links=links,
        one_based=one_based,
        lenient=lenient,
        quiet=quiet,
    )
    aligner = make_aligner(method, options, merge(*parse_overrides(overrides)))
    echo_language_warnings([spec, *further], quiet)
    dropped: Counter[str] = Counter()
    sizes: Sizes = []
    whole = gold is not None or links is not None  # their lines belong to those of the text
    first = None if whole else limit
    text = read_word_pairs(spec, tokenized=tokenized, lenient=lenient, dropped=dropped, sizes=sizes, limit=first)
    text = warn_of_tokens(text, spec, quiet) if whole else text
    to_align = text if links is not None else islice(text, limit)
    to_learn = (read_word_pairs(other, lenient=lenient, dropped=dropped, limit=limit) for other in further)
    aligner.read(chain(to_align, chain.from_iterable(to_learn)))
    deque(text, maxlen=0)  # to know all sizes
    echo_dropped(dropped, "pairs", quiet=quiet)
    count = len(sizes[:limit])
    empty = sum(not m or not n for m, n in sizes[:limit])
    if empty:
        echo(f"{empty:,} of {count:,} pairs have an empty side, and no links", quiet=quiet)
    reference = None
    if gold is not None:
        reference = read_gold_links(spec, gold, sizes, one_based, flipped, lenient, quiet)[:limit]
    result = aligner.align(count)
    score = None
    if reference is not None:
        score = alignment_score((row, true.sure, true.possible) for row, true in zip(result, reference, strict=True))
        shown = f"AER {score.aer:.1%}, precision {score.precision:.1%}, recall {score.recall:.1%}, F1 {score.f1:.1%}"
        echo(f"{gold}: {shown} ({len(reference):,} pairs)", quiet=quiet)
    write_links(Path(out), result)
    if score is not None and scores is not None:
        facts = {
            "pairs": str(spec),
            "gold": str(gold),
            "method": aligner.name,
            "symmetrize": aligner.symmetrization,
            "settings": aligner.config.model_dump(mode="json"),
            "paralign": __version__,
            **({} if limit is None else {"limit": limit}),
        }
        _write_score(Path(scores), score, facts)
    if posteriors is not None and result.posterior is not None:
        write_lines(Path(posteriors), result.posterior_lines())
    echo(f"{out}  ({len(result):,} pairs, {len(result.source):,} links)", quiet=quiet)
    if scores is not None:
        echo(f"{scores}  (scores)", quiet=quiet)
    return result, score


def _check_languages(spec: PairSpec, further: Sequence[PairSpec]) -> None:
    for other in further:
        if other.languages != spec.languages:
            message = f"--train is {'-'.join(other.languages)}, but --pairs is {'-'.join(spec.languages)}"
            raise UserError(message, where=other.path, hint="give the same languages in the same order")


def _write_score(path: Path, score: AlignmentScore, facts: Mapping[str, Any]) -> None:
    """Write a score as JSON: shares, counts and what was measured."""
    values = asdict(score)
    shares = {name: values.pop(name) for name in ("aer", "precision", "recall", "f1")}
    table = {"schema": 1, **shares, "counts": values, "of": dict(facts)}
    write_lines(path, json.dumps(table, indent=1, ensure_ascii=False).split("\n"))
