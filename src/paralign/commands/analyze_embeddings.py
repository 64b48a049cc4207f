"""``analyze embeddings``: whether translations are close in the input embeddings of encoders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paralign.analyses.frequent_translations import Translation, frequent_translations
from paralign.analyses.projection import project
from paralign.commands.arguments import check_encoders, one_or_several
from paralign.commands.word_pairs import read_aligned_text
from paralign.console import echo
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.results import Measurement, Seeds, write_results
from paralign.runs.folder import RunFolder
from paralign.runs.measure import RowContext, echo_scores, measure
from paralign.runs.model_folder import describe_model
from paralign.sources.specs import PairSpec, parse_pairs
from paralign.tasks import find_task
from paralign.tasks.lexicon import Lexicon, word_vectors
from paralign.words.base import WordPair

__all__ = ["analyze_embeddings"]

_MIN_TRANSLATIONS = 10


@one_or_several
def analyze_embeddings(
    models: str | Sequence[str],
    *,
    pairs: str,
    out: str | Path,
    links: str | Path | None = None,
    method: str | None = None,
    tokenized: bool = False,
    words: int = 20,
    most: int = 1_000,
    skip: int = 100,
    sentences: Sequence[int] = (),
    one_based: bool = False,
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """Measure how close the static embeddings of translations are, in one or more encoders.

    The translations are those of a corpus: the word pairs it links most often, written to ``dictionary.XX-YY.tsv``.
    Rows of ``results.jsonl`` say how often the translation of a word is its nearest neighbor among all of them, by
    cosine and CSLS (as in the task ``lexicon``). ``figures/embeddings.json`` has a t-SNE projection of the most
    frequent ones (Yang et al. 2021), ``figures/links.json`` the links of chosen sentences; ``paralign report`` draws
    both.

    Args:
        models: encoders, in the order of the report.
        pairs: ``SRC-TGT=PATH``, the corpus.
        out: the run folder; a rerun with the same settings replaces its content.
        links: word links of these pairs in Pharaoh format. ``None``: computed by ``method``.
        method: word aligner: ``hmm``, ``ibm``, ``eflomal`` or ``my_module:Class``. ``None``: ``hmm``.
            Not with ``links``.
        tokenized: split words at spaces only.
        words: number of translations in the plot.
        most: number of translations measured.
        skip: number of most frequent words to leave out in each language; they are mostly function words.
        sentences: numbers, from 1, of pairs whose links are shown.
        one_based: words count from 1 in ``links``; only with them.
        limit: number of pairs that are read, the first ones. ``None``: all.
        lenient: drop and count pairs and links that cannot be read.
        quiet: print nothing.
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        the rows of ``results.jsonl``.

    Raises:
        UserError: for input that cannot be used, or fewer than ten translations.
    """
    spec = parse_pairs(pairs)
    check_encoders(models)
    folder = RunFolder(Path(out), "analyze embeddings", command=command, fresh=True)
    if words < 5:
        raise UserError(f"too few words to plot: {words}", hint="use at least 5")
    settings = {
        "models": list(models),
        "pairs": pairs,
        "links": None if links is None else str(links),
        "method": None if links is not None else method or "hmm",
        "tokenized": tokenized,
        "words": words,
        "most": most,
        "skip": skip,
        "sentences": list(sentences),
        "lenient": lenient,
        "one_based": one_based,
        "limit": limit,
    }
    folder.check_rerun(settings)
    # First, so that a mistyped name is found at once.
    encoders = {model: Encoder.from_pretrained(model, quiet=quiet) for model in models}
    text, word_links = read_aligned_text(
        spec,
        links=links,
        method=method,
        tokenized=tokenized,
        one_based=one_based,
        limit=limit,
        lenient=lenient,
        quiet=quiet,
    )
    invalid = [number for number in sentences if not 1 <= number <= len(text)]
    if invalid:
        raise UserError(f"there is no pair {invalid[0]}", where=spec.path, hint=f"use 1 to {len(text):,}")
    translations = frequent_translations((pair.words for pair in text), word_links, most=most, skip=skip)
    if len(translations) < _MIN_TRANSLATIONS:
        hint = f"give more pairs, or a --skip below {skip}" if skip else "give more pairs"
        raise UserError(f"only {len(translations)} translations are left", where=spec.path, hint=hint)
    counts = f"{translations[-1].count:,} to {translations[0].count:,}"
    echo(f"{len(translations):,} translations with {counts} links each", quiet=quiet)
    measured, panels = [], []
    data = _lexicon(spec, translations)
    for model in models:
        encoder = encoders[model].to(best_device()).eval()
        model_facts = describe_model(encoder, model)
        seeds = Seeds(**model_facts["seeds"])
        context = RowContext(model_facts, folder.name, seeds, split="links")
        measured += measure(find_task("lexicon"), encoder, None, data, "frequent links", context)
        panels.append(
            {
                "system": model_facts["method"],
                "model_hash": model_facts["model_hash"],
                **_projection(encoder, spec, translations[:words]),
            }
        )
    with folder:
        # Only now, so that the previous content of the folder stays if the analysis fails.
        folder.begin(settings)
        name = f"{spec.source}-{spec.target}"
        write_lines(
            folder.path / f"dictionary.{name}.tsv", (f"{t.source}\t{t.target}\t{t.count}" for t in translations)
        )
        shown_words = [[t.source, t.target] for t in translations[:words]]
        folder.figure("embeddings", "words", languages=spec.languages, panels=panels, words=shown_words)
        if sentences:
            all_links = list(word_links)
            shown = [_linked_sentence(text[number - 1], all_links[number - 1], number) for number in sentences]
            folder.figure("links", "links", languages=spec.languages, sentences=shown)
        else:
            (folder.path / "figures" / "links.json").unlink(missing_ok=True)
        write_results(folder.path, measured, fresh=True)
        folder.save(status="done")
    rows = [row for row, _ in measured]
    echo_scores(rows, quiet)
    return rows


def _lexicon(spec: PairSpec, translations: Sequence[Translation]) -> Lexicon:
    gold = np.arange(len(translations)).repeat(2).reshape(-1, 2)
    return Lexicon(spec.languages, [t.source for t in translations], [t.target for t in translations], gold)


def _projection(encoder: Encoder, spec: PairSpec, translations: Sequence[Translation]) -> dict[str, Any]:
    """Return the positions of the words in two dimensions, source words first."""
    sides = ([t.source for t in translations], [t.target for t in translations])
    vectors = []
    for language, words in zip(spec.languages, sides, strict=True):
        vectors.append(word_vectors(encoder, words, language, None)[0])
    return {"places": [[round(float(x), 5) for x in position] for position in project(np.concatenate(vectors))]}


def _linked_sentence(pair: WordPair, links: Sequence[tuple[int, int]], number: int) -> dict[str, Any]:
    return {"number": number, "source": pair.words[0], "target": pair.words[1], "links": [list(link) for link in links]}
