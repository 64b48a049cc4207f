"""Look inside encoders: what became of their words, and where sentences are linked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paralign.analyses.dictionary import Translation, frequent_links
from paralign.analyses.projection import project
from paralign.commands.align_words import read_aligned_text
from paralign.console import echo
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.results import Measurement, Seeds, write_results
from paralign.runs.folder import RunFolder
from paralign.runs.measure import RowContext, echo_scores, measure
from paralign.runs.model_folder import about_encoder
from paralign.sources.specs import PairSpec, parse_pairs
from paralign.tasks import find_task
from paralign.tasks.lexicon import Lexicon, word_vectors
from paralign.words.base import WordPair

__all__ = ["analyze_embeddings"]

_FEWEST = 10


def analyze_embeddings(
    models: Sequence[str],
    *,
    pairs: str,
    out: str | Path,
    links: str | Path | None = None,
    method: str = "hmm",
    tokenised: bool = False,
    words: int = 20,
    most: int = 1_000,
    skip: int = 100,
    sentences: Sequence[int] = (),
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[Measurement]:
    """Do the static embeddings of translations lie together, in one encoder after the other?

    The translations are a corpus's own: the word pairs it links most often, kept as ``dictionary.XX-YY.tsv``. Rows of
    ``results.jsonl`` say how often a word's translation is its nearest neighbour among all of them, by cosine and CSLS
    (as the task ``lexicon``); ``figures/embeddings.json`` is a t-SNE picture of the most frequent ones (Yang et al.
    2021), ``figures/links.json`` the links of chosen sentences. ``paralign report`` draws both.

    Args:
        models: encoders, in the order of the report.
        pairs: ``SRC-TGT=PATH``.
        out: the run's folder.
        links: a Pharaoh file of these pairs; found by ``method`` otherwise.
        method: ``hmm``, ``ibm`` or ``eflomal``.
        tokenised: words are what stands between spaces.
        words: translations in the picture.
        most: translations measured.
        skip: so many of the most frequent words of each language are left out, as they mostly are function words.
        sentences: pairs whose links are shown, by their number from 1.
        lenient: drop and count pairs that cannot be read.
        quiet: say nothing.
        command: recorded with the run.

    Raises:
        UserError: for input that cannot be used, or too few translations.
    """
    spec = parse_pairs(pairs)
    if not models:
        raise UserError("no encoder is given", hint="--model ENCODER, once for each")
    folder = RunFolder(Path(out), "analyze embeddings", resume=(Path(out) / "run.json").exists(), command=command)
    settings = {
        "models": list(models), "pairs": pairs, "links": None if links is None else str(links), "method": method,
        "tokenised": tokenised, "words": words, "most": most, "skip": skip, "sentences": list(sentences),
    }  # fmt: skip
    folder.check_settings(settings)
    encoders = {model: Encoder.from_pretrained(model) for model in models}  # a mistyped one is told before the work
    text, found = read_aligned_text(spec, links=links, method=method, tokenised=tokenised, lenient=lenient, quiet=quiet)
    wrong = [number for number in sentences if not 1 <= number <= len(text)]
    if wrong:
        raise UserError(f"there is no pair {wrong[0]}", where=spec.path, hint=f"1 to {len(text):,}")
    known = frequent_links((pair.words for pair in text), found, most=most, skip=skip)
    if len(known) < _FEWEST:
        hint = f"give more pairs, or fewer than --skip {skip}"
        raise UserError(f"only {len(known)} translations are left", where=spec.path, hint=hint)
    folder.begin(settings)
    name = f"{spec.source}-{spec.target}"
    write_lines(folder.path / f"dictionary.{name}.tsv", (f"{t.source}\t{t.target}\t{t.count}" for t in known))
    echo(f"{len(known):,} translations linked {known[-1].count:,} to {known[0].count:,} times", quiet=quiet)
    measured, panels = [], []
    data = _lexicon(spec, known)
    for model in models:
        encoder = encoders[model].to(best_device()).eval()
        about = about_encoder(encoder, model, None)
        seeds = Seeds(**about["seeds"])
        context = RowContext(about, folder.name, seeds, split="links")
        measured += measure(find_task("lexicon"), encoder, None, data, "frequent links", context)
        panels.append(
            {"system": about["method"], "model_hash": about["model_hash"], **_picture(encoder, spec, known[:words])}
        )
    shown_words = [[t.source, t.target] for t in known[:words]]
    folder.figure("embeddings", "words", languages=spec.languages, panels=panels, words=shown_words)
    if sentences:
        every = list(found)
        shown = [_matrix(text[number - 1], every[number - 1], number) for number in sentences]
        folder.figure("links", "links", languages=spec.languages, sentences=shown)
    write_results(folder.path, measured)
    folder.save(status="done")
    rows = [row for row, _ in measured]
    echo_scores(rows, quiet)
    return rows


def _lexicon(spec: PairSpec, known: Sequence[Translation]) -> Lexicon:
    gold = np.arange(len(known)).repeat(2).reshape(-1, 2)
    return Lexicon(spec.languages, [t.source for t in known], [t.target for t in known], gold)


def _picture(encoder: Encoder, spec: PairSpec, known: Sequence[Translation]) -> dict[str, Any]:
    """Where the words lie, source words first."""
    sides = ([t.source for t in known], [t.target for t in known])
    found = []
    for language, words in zip(spec.languages, sides, strict=True):
        with encoder.using_language(language):
            found.append(word_vectors(encoder, words, None)[0])
    vectors = np.concatenate(found)
    return {"places": [[round(float(x), 5) for x in place] for place in project(vectors)]}


def _matrix(pair: WordPair, links: Sequence[tuple[int, int]], number: int) -> dict[str, Any]:
    return {"number": number, "source": pair.words[0], "target": pair.words[1], "links": [list(link) for link in links]}
