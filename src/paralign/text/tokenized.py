"""Detection of tokenized text that is read as if it were not tokenized."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["TokenCheck"]

_LONE = frozenset(".,。，")
"""Marks that follow a word without a space, except in tokenized text."""


class TokenCheck:
    """Counts pairs of sentences whose tokens are not the words that were found in them.

    Links that count tokens would be taken for links between other words. Text counts as tokenized if a full stop or a
    comma is a token of its own in at least half of the sentences, of either side, whose words are not their tokens.
    Text without spaces between words has no such tokens.
    """

    def __init__(self) -> None:
        self._pairs, self._affected = 0, 0
        self._differ, self._tokenized = [0, 0], [0, 0]

    def add(self, texts: Sequence[str], words: Sequence[int]) -> None:
        """Count a pair.

        Args:
            texts: the text of both sides.
            words: the number of words that were found in each.
        """
        tokens = [text.split(" ") for text in texts]
        different = [side for side in (0, 1) if len([t for t in tokens[side] if t]) != words[side]]
        self._pairs += 1
        self._affected += bool(different)
        for side in different:
            self._differ[side] += 1
            self._tokenized[side] += not _LONE.isdisjoint(tokens[side])

    def message(self, option: str, total: int | None = None) -> str | None:
        """Return a warning if the text is tokenized and its tokens are not its words.

        Args:
            option: what makes the tokens the words, for the message.
            total: number of pairs of the text, if only some were counted. None: all were.
        """
        if not any(2 * lone >= number > 0 for lone, number in zip(self._tokenized, self._differ, strict=True)):
            return None
        sampled = "sampled " if total is not None and total > self._pairs else ""
        where = f"in {self._affected:,} of {self._pairs:,} {sampled}pairs"
        return (
            f"the text looks tokenized, but {where} the words that are found in it are not its tokens; "
            f"if links count tokens, add {option}"
        )
