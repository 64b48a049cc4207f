"""Span F1 of tagged sentences (named entities), as computed by seqeval."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["entities", "span_counts", "tag_runs"]


def entities(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the spans of a sentence's BIO or BIOES tags, read like conlleval.pl and seqeval's default mode.

    Malformed tags are not dropped: ``B-`` and ``S-`` always begin a span; ``I-`` and ``E-`` continue an open span of
    their type and otherwise begin one; ``E-`` and ``S-`` always end their span. A prefix without a type (``B``) has the
    type ``_``.

    Args:
        tags: [n] ``O``, or one of B, I, E, S followed by ``-TYPE``; a type may contain hyphens.

    Returns:
        ``(start, end, type)`` from left to right, ``end`` exclusive (seqeval's is inclusive).

    Raises:
        ValueError: for a tag of another form (seqeval only warns).
    """
    spans: list[tuple[int, int, str]] = []
    start: int | None = None  # start of the open span
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


def tag_runs(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the runs of equal part-of-speech tags of a sentence, which seqeval takes for entities.

    Run on tags without prefixes, seqeval reads their first letter as one: a tag with S (SYM, SCONJ) is always a run of
    its own. Two of its accidents are not reproduced: it loses a CCONJ before a SCONJ, and mixes up the ends of X.

    Args:
        tags: [n] universal part-of-speech tags.

    Returns:
        ``(start, end, tag)`` from left to right, ``end`` exclusive.

    >>> tag_runs(["NOUN", "NOUN", "SYM", "SYM"])
    [(0, 2, 'NOUN'), (2, 3, 'SYM'), (3, 4, 'SYM')]
    """
    begins = [k for k, tag in enumerate(tags) if not k or tag != tags[k - 1] or tag.startswith("S")]
    ends = [*begins[1:], len(tags)] if begins else []
    return [(start, end, tags[start]) for start, end in zip(begins, ends, strict=True)]


def span_counts(gold: Sequence[str], predicted: Sequence[str]) -> tuple[int, int, int]:
    """Count the spans of one sentence: correct, gold and predicted ones.

    A span is correct if start, end and type are. Precision is ``correct / predicted`` and recall ``correct / gold``,
    each summed over sentences.

    Args:
        gold: [n] tags.
        predicted: [n] tags of the same words.

    Raises:
        ValueError: if the lengths differ, or as :func:`entities`.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold tags but {len(predicted)} predicted ones")
    truth, guess = set(entities(gold)), set(entities(predicted))
    return len(truth & guess), len(truth), len(guess)


def _parts(tag: str) -> tuple[str, str]:
    """Split ``B-LOC`` into ``B`` and ``LOC``."""
    if tag == "O":
        return "O", ""
    if tag[:1] not in ("B", "I", "E", "S") or tag[1:2] not in ("", "-"):
        raise ValueError(f"not a BIO or BIOES tag: {tag!r}")
    return tag[0], tag[2:] or "_"
