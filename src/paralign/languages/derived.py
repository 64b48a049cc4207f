"""Languages derived from another by changing one property: ``en~trans+inv`` (Tang et al. 2022, section 3)."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from paralign.config import did_you_mean
from paralign.errors import UserError
from paralign.languages.syntax import Analyzed, Ordering

__all__ = ["SIGN", "STEPS", "Derived", "derived", "inverted", "is_step", "joined", "spaced"]

SIGN = "~"
STEPS = ("trans", "inv", "perm", "syn", "tinv")
_OF_PIECES = ("trans", "tinv")
_OVERLAP = "overlap"
_INSIDE = frozenset("'’-_.,:·\u2010\u2011")
_FINAL = frozenset(".!?。！？।؟…")


@dataclass(frozen=True, slots=True)
class Derived:
    """A language and what is done to it.

    * ``trans``: every piece becomes its twin of a doubled vocabulary; the text stays, an encoder does it.
    * ``overlap25``, beside ``trans``: of the pieces 25 %, drawn once for all, stay as they are.
    * ``inv``: the words of a sentence in reverse; a final . ! ? stays.
    * ``perm``: the words in a random order, always the same for the same sentence.
    * ``syn``: the dependents of nouns and verbs as another language orders them; needs trees.
    * ``tinv``: the pieces of a sentence in reverse, as ``inv`` has its words; the text stays, an encoder does it.

    ``inv``, ``perm`` and ``syn`` are orders of words: what belongs to a word goes with it.
    """

    base: str
    steps: tuple[str, ...]
    example: str = ""
    """Name of the word order that ``syn`` follows."""
    overlap: int = 0
    """Per cent of the pieces that ``trans`` leaves as they are."""

    @property
    def name(self) -> str:
        """``en~trans+inv``, ``en~trans+overlap25+inv``, ``en~syn@fr``."""
        steps = list(self.steps)
        if self.overlap:
            steps.insert(1, f"{_OVERLAP}{self.overlap}")
        return self.base + SIGN + "+".join(steps) + (f"@{self.example}" if self.example else "")

    @property
    def twin(self) -> bool:
        """Whether pieces become their twins."""
        return "trans" in self.steps

    def moves(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """[k] which of these pieces become their twins, special ones aside; more of them the smaller the overlap."""
        if not self.twin or not self.overlap:
            return np.full(ids.shape, self.twin)
        # Of the id alone, mixed as SplitMix64 does; the upper 32 bits are a number from 0 to 1.
        mixed = (ids.astype(np.uint64) + 1) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        moved: npt.NDArray[np.bool_] = (mixed >> np.uint64(32)) * 100 >= np.uint64(self.overlap << 32)
        return moved

    @property
    def reorders(self) -> bool:
        """Whether words change places."""
        return any(step not in _OF_PIECES for step in self.steps)

    @property
    def backwards(self) -> bool:
        """Whether pieces stand in reverse."""
        return "tinv" in self.steps

    def order(
        self, words: Sequence[str], *, tree: Analyzed | None = None, ordering: Ordering | None = None
    ) -> list[int] | None:
        """Where the words of a sentence go.

        Args:
            words: the sentence.
            tree: its analysis, for ``syn``.
            ordering: the preferences, for ``syn``.

        Returns:
            places (from 0) of the words in their new order; ``None`` for a tree that ``syn`` cannot order.
        """
        out = list(range(len(words)))
        for step in self.steps:
            if step == "inv":
                out = inverted([words[k] for k in out], out)
            elif step == "perm":
                random.Random(_key(words)).shuffle(out)
            elif step == "syn":
                assert tree is not None
                assert ordering is not None
                found = ordering.order(tree)
                if found is None:
                    return None
                out = found
        return out


def derived(tag: str) -> Derived | None:
    """What a tag says; ``None`` for a language that is not derived. The base is kept as it is written.

    Raises:
        UserError: for unknown steps, one twice, or an order that makes no sense.
    """
    base, sign, rest = tag.partition(SIGN)
    if not sign:
        return None
    rest, _, example = rest.partition("@")
    steps = tuple(step.strip().lower() for step in rest.split("+"))
    shares = [step for step in steps if step.startswith(_OVERLAP)]
    steps = tuple(step for step in steps if step not in shares)
    for step in steps:
        if step not in STEPS:
            hint = did_you_mean(step, STEPS) if step else f"write {base}{SIGN}trans+inv; known: {', '.join(STEPS)}"
            raise UserError(f"unknown transformation {step!r} in {tag!r}", hint=hint)
    if len(set(steps)) < len(steps) or len(shares) > 1:
        raise UserError(f"a transformation twice in {tag!r}", hint="write each once")
    if example and "syn" not in steps:
        raise UserError(f"{base}{SIGN}{rest} has no use for a word order", hint=f"write {base}{SIGN}{rest}")
    if "syn" in [step for step in steps if step not in _OF_PIECES][1:]:
        raise UserError(
            f"syn behind another order in {tag!r}", hint="write syn first: it needs the sentence's own tree"
        )
    # What is done to pieces does not depend on the order of words: one name for all ways to write it.
    steps = tuple(sorted(steps, key=lambda step: (step != "trans", step == "tinv")))
    return Derived(base, steps, example.strip(), _overlap(shares[0], steps, tag) if shares else 0)


def is_step(step: str) -> bool:
    """Whether it is the name of something done to a language."""
    return step in STEPS or re.fullmatch(rf"{_OVERLAP}\d+", step) is not None


def _overlap(step: str, steps: Sequence[str], tag: str) -> int:
    share = step.removeprefix(_OVERLAP)
    if not (share.isascii() and share.isdigit() and 0 < int(share) < 100):
        raise UserError(f"{step!r} in {tag!r} is no share of pieces", hint="write overlap25 for 25 %, from 1 to 99")
    if "trans" not in steps:
        raise UserError(f"{step} without trans in {tag!r}", hint="all pieces are the same ones there already")
    return int(share)


def spaced(text: str, spans: Sequence[tuple[int, int]]) -> list[bool]:
    """Whether each word has a space before it; the first as if there were others before it."""
    return [start > spans[k - 1][1] if k else not _dense(text[start]) for k, (start, _) in enumerate(spans)]


def joined(words: Sequence[str], spaces: Sequence[bool]) -> tuple[str, list[tuple[int, int]]]:
    """Put words that changed places back into a text.

    Each keeps its space, or its having none; letters that would run together get one.

    Args:
        words: in their new order.
        spaces: whether each had a space before it where it stood.

    Returns:
        the text, and the characters of each word in it.
    """
    parts: list[str] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for k, (word, space) in enumerate(zip(words, spaces, strict=True)):
        if k and (space or _together(words[k - 1], word)):
            parts.append(" ")
            at += 1
        parts.append(word)
        spans.append((at, at + len(word)))
        at += len(word)
    return "".join(parts), spans


@lru_cache(1 << 16)
def _together(before: str, after: str) -> bool:
    """Whether two words would read as one, or as part of one (the a of a ' a)."""
    return _letter(after[:1]) and (_letter(before[-1:]) or before[-1:] in _INSIDE)


def _letter(sign: str) -> bool:
    """A letter or digit of a script that is written with spaces."""
    return sign.isalnum() and not _dense(sign)


def _dense(sign: str) -> bool:
    """Of a script that is written without spaces (Han, Kana)."""
    return "\u2e80" <= sign <= "\u9fff" or "\U00020000" <= sign <= "\U0003ffff"


def inverted(words: Sequence[str], places: list[int]) -> list[int]:
    """Places of words reversed between signs that end a sentence: a final one stays, and so do first ones where they
    would become it. Twice is as it was."""
    start, end = 0, len(words)
    if words and words[-1] in _FINAL:
        end -= 1
    else:
        while start < end and words[start] in _FINAL:
            start += 1
    return places[:start] + places[start:end][::-1] + places[end:]


def _key(words: Sequence[str]) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for word in words:
        digest.update(word.encode("utf-8", "surrogatepass") + b"\0")
    return int.from_bytes(digest.digest(), "little")
