"""The small world: meanings by number, and what each language says for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import cast

from paralign.config import did_you_mean
from paralign.errors import UserError
from paralign.smallworld.meaning import Meaning
from paralign.smallworld.realize import Grammar, Sentence
from paralign.smallworld.sampling import sample

__all__ = ["LANGUAGES", "World", "grammar", "link"]

_GRAMMARS: dict[str, str] = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "zh": "Chinese",
    "hi": "Hindi",
    "es": "Spanish",
}
"""Language -> class in the module of the language's name. A new language adds its file and one line here."""

LANGUAGES: tuple[str, ...] = tuple(_GRAMMARS)


@cache
def grammar(language: str) -> Grammar:
    """The grammar of ``language``, made once.

    Raises:
        UserError: for a language the small world does not speak.
    """
    if language not in _GRAMMARS:
        hint = did_you_mean(language, LANGUAGES)
        known = ", ".join(LANGUAGES)
        raise UserError(f"the small world does not speak {language!r}, only {known}", hint=hint)
    module = import_module(f"paralign.smallworld.{language}")
    return cast(Grammar, getattr(module, _GRAMMARS[language])())


_sample = lru_cache(maxsize=2048)(sample)


@lru_cache(maxsize=8192)
def _sentence(seed: int, index: int, language: str) -> Sentence:
    return grammar(language).sentence(_sample(seed, index))


def link(source: Sentence, target: Sentence) -> tuple[tuple[int, int], ...]:
    """Sorted zero-based word links of two sentences of one meaning: words that share an anchor."""
    where: dict[str, list[int]] = {}
    for j, anchors in enumerate(target.anchors):
        for anchor in anchors:
            where.setdefault(anchor, []).append(j)
    return tuple(sorted({(i, j) for i, keys in enumerate(source.anchors) for key in keys for j in where.get(key, ())}))


@dataclass(frozen=True, slots=True)
class World:
    """An endless multilingual corpus: sentence ``index`` of ``seed`` is the same everywhere and needs no other.

    Args:
        seed: any integer; worlds of different seeds share the grammar, not the sentences.
    """

    seed: int = 0

    def meaning(self, index: int) -> Meaning:
        """The meaning number ``index``.

        Raises:
            UserError: for a negative index.
        """
        if index < 0:
            raise UserError(f"sentence {index} of the small world does not exist", hint="count from 0")
        return _sample(self.seed, index)

    def sentence(self, index: int, language: str) -> Sentence:
        """The meaning number ``index`` in ``language``.

        Raises:
            UserError: for a negative index or an unknown language.
        """
        grammar(language)
        self.meaning(index)
        return _sentence(self.seed, index, language)

    def links(self, index: int, source: str, target: str) -> tuple[tuple[int, int], ...]:
        """Sorted zero-based word links (source, target) of sentence ``index``.

        Content words link through their concept, function words where they correspond, the final
        punctuation always; words without counterpart have no link.

        Raises:
            UserError: for a negative index or an unknown language.
        """
        return link(self.sentence(index, source), self.sentence(index, target))

    def show(self, index: int, languages: Sequence[str] = LANGUAGES) -> str:
        """A block for a person to read: every text, every word with its UPOS, and links from the first language."""
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
            pairs = "  ".join(f"{i}-{j} {source.words[i]}={target.words[j]}" for i, j in link(source, target))
            lines.append(f"{source.language}-{target.language}  {pairs}")
        return "\n".join(lines)
