"""Span F1 of tagged sentences (named entities), as seqeval counts it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["bad_bio", "entities", "span_counts", "span_f1"]


def entities(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """The spans a sentence's tags mark, read as conlleval.pl and seqeval's default mode read them.

    BIO and BIOES. Nothing is dropped for being ill-formed: a ``B-`` or ``S-`` always begins a span; an ``I-`` or
    ``E-`` continues an open span of its own type and begins one everywhere else; an ``E-`` or ``S-`` is always the
    last word of its span. A prefix without a type (``B``) has the type ``_``.

    Args:
        tags: [n] ``O``, or one of B, I, E, S with ``-TYPE``; a type may itself have hyphens.

    Returns:
        ``(start, end, type)`` from left to right, ``end`` exclusive (seqeval's is inclusive).

    Raises:
        ValueError: for a tag of another form, which seqeval only warns about.
    """
    spans: list[tuple[int, int, str]] = []
    start: int | None = None  # of the span that is open
    kind = ""
    for index, tag in enumerate(tags):
        prefix, this = _parts(tag)
        if start is not None and (prefix not in "IE" or this != kind):
            spans.append((start, index, kind))
            start = None
        if start is None and prefix != "O":
            start, kind = index, this
        if start is not None and prefix in "ES":
            spans.append((start, index + 1, kind))
            start = None
    if start is not None:
        spans.append((start, len(tags), kind))
    return spans


def span_counts(gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, int, int]:
    """Spans of one sentence: right ones, gold ones, predicted ones.

    A span is right if start, end and type are. Precision is ``(right, predicted)``, recall ``(right, gold)``,
    each summed over sentences.

    Args:
        gold: [n] tags.
        predicted: [n] tags of the same words.

    Raises:
        ValueError: if the lengths differ, or as [`entities`][paralign.metrics.spans.entities].
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold tags but {len(predicted)} predicted ones")
    truth, guess = set(entities(gold)), set(entities(predicted))
    return len(truth & guess), len(truth), len(guess)


def span_f1(gold: Sequence[str], predicted: Sequence[str]) -> tuple[float, float]:
    """One sentence's part of the micro-averaged F1: ``(2 * right, gold + predicted)``.

    The ratio of the sums over sentences is seqeval's ``f1_score`` (micro, default mode). A sentence without any
    span gives (0, 0) and so changes nothing; a whole set without any has no score (NaN from
    [`ratio`][paralign.metrics.ratio]), where seqeval writes 0.

    Args:
        gold: [n] tags.
        predicted: [n] tags of the same words.

    Raises:
        ValueError: as [`span_counts`][paralign.metrics.spans.span_counts].
    """
    right, truth, guess = span_counts(gold, predicted)
    return float(2 * right), float(truth + guess)


def bad_bio(tags: Sequence[str]) -> int | None:
    """Where strict BIO (IOB2) is broken first, for a reader to name; ``None`` if nowhere.

    Broken by an ``I-`` that does not follow a ``B-`` or ``I-`` of its own type, and by whatever is neither ``O``,
    ``B-TYPE`` nor ``I-TYPE``.
    """
    may_follow = ""
    for index, tag in enumerate(tags):
        prefix, kind = tag[:2], tag[2:]
        if tag != "O" and not (kind and (prefix == "B-" or (prefix == "I-" and kind == may_follow))):
            return index
        may_follow = kind
    return None


def _parts(tag: str) -> tuple[str, str]:
    """``B-LOC`` as ``B`` and ``LOC``."""
    if tag == "O":
        return "O", ""
    if tag[:1] not in ("B", "I", "E", "S") or tag[1:2] not in ("", "-"):
        raise ValueError(f"not a BIO or BIOES tag: {tag!r}")
    return tag[0], tag[2:] or "_"
