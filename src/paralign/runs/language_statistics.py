"""Statistics of the languages of a token store: sizes, pieces per word, and unknown pieces."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from paralign.console import echo
from paralign.corpus.mixing import tempered
from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder
from paralign.ragged import blocks
from paralign.text.words import word_spans

__all__ = ["echo_languages", "language_rows", "unknown_pieces", "unknown_shares"]

_SAMPLE = 2_000
_BLOCK = 1 << 20
"""Records whose lengths and languages are read at a time."""
_FEW_PIECES = 100_000
_MANY_UNKNOWN = 0.01


def language_rows(store: TokenStore, encoder: Encoder, temperature: float) -> dict[str, dict[str, float]]:
    """Return statistics of each language of a store of plain text.

    Args:
        store: the token store.
        encoder: the encoder, for its tokenizer.
        temperature: temperature of sampling over languages.

    Returns:
        For each language ``sentences``, ``pieces``, ``share`` of all sentences, ``drawn`` (its share after sampling
        with ``temperature``), ``pieces_per_word`` and ``unknown`` (share of pieces) in up to 2,000 of its sentences.
    """
    sizes, pieces = np.zeros((2, len(store.languages)), np.int64)
    for start, stop in blocks(0, len(store), _BLOCK):
        language = store.languages_of(start, stop)[:, 0]
        sizes += np.bincount(language, minlength=len(sizes))
        pieces += np.bincount(language, store.lengths_of(start, stop)[:, 0], len(sizes)).astype(np.int64)
    counts = dict(zip(store.languages, sizes.tolist(), strict=True))
    shares, sampled = tempered(counts, 1.0), tempered(counts, temperature)
    out = {}
    for number, tag in enumerate(store.languages):
        sample, sides = _sample(store, number)
        ids, lengths = store.gather(sample, sides)
        words = sum(len(word_spans(store.text(record, 0))) for record in sample.tolist())
        out[tag] = {
            "sentences": counts[tag],
            "pieces": int(pieces[number]),
            "share": round(shares[tag], 5),
            "drawn": round(sampled[tag], 5),
            "pieces_per_word": round(int(lengths.sum()) / max(1, words), 3),
            "unknown": round(_unknown_share(ids, encoder), 6),
        }
    return out


def unknown_pieces(store: TokenStore, encoder: Encoder) -> list[str]:
    """Return a line for each language of which more than 1% of the pieces are unknown to the tokenizer."""
    shares = unknown_shares(store, encoder).items()
    return [f"{tag}: {share:.1%} of the pieces are unknown to the tokenizer" for tag, share in shares
            if share > _MANY_UNKNOWN]  # fmt: skip


def unknown_shares(store: TokenStore, encoder: Encoder) -> dict[str, float]:
    """Return the share of pieces that are unknown to the tokenizer, in up to 2,000 sentences of each language."""
    samples = {tag: store.gather(*_sample(store, number))[0] for number, tag in enumerate(store.languages)}
    return {tag: _unknown_share(ids, encoder) for tag, ids in samples.items()}


def _sample(store: TokenStore, language: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the records and sides of up to 2,000 sentences of a language, given by its number in the store."""
    count = sum(int((store.languages_of(*block) == language).sum()) for block in blocks(0, len(store), _BLOCK))
    step, seen = -(-count // _SAMPLE) or 1, 0
    chosen = []
    for start, stop in blocks(0, len(store), _BLOCK):
        records, sides = np.nonzero(store.languages_of(start, stop) == language)
        part = slice(-seen % step, None, step)
        chosen.append((records[part] + start, sides[part]))
        seen += len(records)
    records, sides = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
    return records, sides


def _unknown_share(ids: np.ndarray, encoder: Encoder) -> float:
    unknown = encoder.tokenizer.unk_token_id
    return float((ids == unknown).mean()) if unknown is not None and len(ids) else 0.0


def echo_languages(rows: Mapping[str, Mapping[str, float]], *, quiet: bool = False) -> None:
    """Print one line per language, and warnings."""
    for tag, row in rows.items():
        echo(
            f"{tag}: {row['sentences']:,} sentences ({row['share']:.1%} of all, sampled as {row['drawn']:.1%}), "
            f"{row['pieces']:,} pieces; {row['pieces_per_word']:.2f} pieces per word, {row['unknown']:.2%} unknown",
            quiet=quiet,
        )
    for tag, row in rows.items():
        if len(rows) > 1 and row["pieces"] < _FEW_PIECES:
            echo(
                f"WARNING {tag}: only {row['pieces']:,} pieces ({row['share']:.1%} of the sentences, sampled "
                f"as {row['drawn']:.1%}), which is too little to learn a language from",
                quiet=quiet,
            )
