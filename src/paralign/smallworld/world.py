"""The small world: meanings by number, and the sentence of each language for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import cast

from paralign.config import did_you_mean
from paralign.errors import UserError
from paralign.smallworld.grammar import Grammar, Sentence
from paralign.smallworld.meaning import Meaning
from paralign.smallworld.sampling import sample

__all__ = ["LANGUAGES", "World", "get_grammar", "link_words"]

_GRAMMARS: dict[str, str] = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "zh": "Chinese",
    "hi": "Hindi",
    "es": "Spanish",
}
"""Name of the grammar class of each language, in the module of that name. A new language adds a module and a line."""

LANGUAGES: tuple[str, ...] = tuple(_GRAMMARS)


@cache
def get_grammar(language: str) -> Grammar:
    """Return the grammar of a language; always the same object.

    Raises:
        UserError: for a language without a grammar.
    """
    if language not in _GRAMMARS:
        message = f"the small world has no grammar for {language!r}, only for {', '.join(LANGUAGES)}"
        raise UserError(message, hint=did_you_mean(language, LANGUAGES))
    module = import_module(f"paralign.smallworld.{language}")
    return cast(Grammar, getattr(module, _GRAMMARS[language])())


_sample = lru_cache(maxsize=2048)(sample)


@lru_cache(maxsize=8192)
def _sentence(seed: int, index: int, language: str) -> Sentence:
    return get_grammar(language).sentence(_sample(seed, index))


def link_words(source: Sentence, target: Sentence) -> tuple[tuple[int, int], ...]:
    """Return the sorted zero-based links between the words of two sentences with the same meaning.

    Words are linked if they share an anchor.
    """
    where: dict[str, list[int]] = {}
    for j, anchors in enumerate(target.anchors):
        for anchor in anchors:
            where.setdefault(anchor, []).append(j)
    return tuple(sorted({(i, j) for i, keys in enumerate(source.anchors) for key in keys for j in where.get(key, ())}))


@dataclass(frozen=True, slots=True)
class World:
    """An endless multilingual corpus. A sentence depends on the seed and its index only, on every machine.

    >>> World(0).sentence(5, "en").upos[-1]
    'PUNCT'

    Args:
        seed: any integer. Worlds with different seeds have the same grammars, and different sentences.
    """

    seed: int = 0

    def meaning(self, index: int) -> Meaning:
        """Return the meaning of sentence ``index``.

        Raises:
            UserError: for a negative index.
        """
        if index < 0:
            raise UserError(f"sentence {index} of the small world does not exist", hint="count from 0")
        return _sample(self.seed, index)

    def sentence(self, index: int, language: str) -> Sentence:
        """Return sentence ``index`` in a language, with its annotation.

        Raises:
            UserError: for a negative index or an unknown language.
        """
        get_grammar(language)
        self.meaning(index)
        return _sentence(self.seed, index, language)

    def links(self, index: int, source: str, target: str) -> tuple[tuple[int, int], ...]:
        """Return the sorted zero-based word links (source, target) of sentence ``index``.

        Content words are linked by their concept, function words where they correspond, the final punctuation always.
        Words without a counterpart have no link.

        Raises:
            UserError: for a negative index or an unknown language.
        """
        return link_words(self.sentence(index, source), self.sentence(index, target))

    def show(self, index: int, languages: Sequence[str] = LANGUAGES) -> str:
        """Return a text block to read: all texts, words with their UPOS, and the links of the first language.

        Args:
            index: number of the sentence, from 0.
            languages: those to show. Links are between the first and each other one. Default: all.

        Raises:
            UserError: for an unknown language.
        """
        lines = [f"# {index} (seed {self.seed})"]
        sentences = [self.sentence(index, language) for language in languages]
        for sentence in sentences:
            lines.append(f"{sentence.language}  {sentence.text}")
        for sentence in sentences:
            tagged = (
                f"{n}:{word}/{upos}" for n, (word, upos) in enumerate(zip(sentence.words, sentence.upos, strict=True))
            )
            lines.append(f"{sentence.language}  {' '.join(tagged)}")
        for target in sentences[1:]:
            source = sentences[0]
            pairs = "  ".join(f"{i}-{j} {source.words[i]}={target.words[j]}" for i, j in link_words(source, target))
            lines.append(f"{source.language}-{target.language}  {pairs}")
        return "\n".join(lines)
