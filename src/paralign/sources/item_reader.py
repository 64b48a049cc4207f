"""A reader of one kind of item, which decides between a file, the small world and a derived language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from paralign.formats.tagged_columns import Columns
from paralign.languages import DerivedLanguage, parse_derived
from paralign.sources.specs import PairSpec, TextSpec, smallworld_range

__all__ = ["ItemReader", "ReadOptions", "base_spec", "reordered_items"]

Spec = TypeVar("Spec", TextSpec, PairSpec)
Items = TypeVar("Items")
Item = TypeVar("Item")


@dataclass(frozen=True)
class ReadOptions:
    """The options of the readers; see :func:`paralign.sources.readers.read_pairs` and
    :func:`paralign.sources.readers.read_trees`."""

    lenient: bool = False
    dropped: Counter[str] = field(default_factory=Counter)
    labeled: bool = True
    scheme: Literal["bio", "conll"] = "bio"
    columns: Columns = (None, None)
    tokenized: bool = False


@dataclass(frozen=True)
class ItemReader(Generic[Spec, Items]):
    """The three sources of one kind of item.

    Attributes:
        file: reads a file.
        smallworld: generates items of the small world with the given indices.
        derive: called with the spec, the derived language of each side (``None`` if it is not derived) and the options;
            reads the items of the base languages and transforms them.
    """

    file: Callable[[Spec, ReadOptions], Items]
    smallworld: Callable[[Spec, range], Items]
    derive: Callable[[Spec, tuple[DerivedLanguage | None, ...], ReadOptions], Items]

    def __call__(self, spec: Spec, options: ReadOptions) -> Items:
        languages = tuple(map(parse_derived, spec.languages))
        if any(languages):
            return self.derive(spec, languages, options)
        indices = smallworld_range(spec.path)
        if indices is not None:
            return self.smallworld(spec, indices)
        return self.file(spec, options)


def base_spec(spec: TextSpec, language: DerivedLanguage | None) -> TextSpec:
    """Return the spec of the text from which a derived language is built."""
    return spec if language is None else TextSpec(language.base, spec.path, variant=spec.variant)


def reordered_items(
    file: Callable[[TextSpec, ReadOptions], Iterator[Item]],
    smallworld: Callable[[TextSpec, range], Iterator[Item]],
    reorder: Callable[[Iterator[Item], DerivedLanguage], Iterator[Item]],
) -> ItemReader[TextSpec, Iterator[Item]]:
    """Return a reader of items of one language, whose words have another order in a derived language.

    Args:
        file: as in :class:`ItemReader`.
        smallworld: as in :class:`ItemReader`.
        reorder: returns items of the base language in the derived one.
    """

    def derive(spec: TextSpec, languages: tuple[DerivedLanguage | None, ...], options: ReadOptions) -> Iterator[Item]:
        (language,) = languages
        assert language is not None
        return reorder(reader(base_spec(spec, language), options), language)

    reader = ItemReader[TextSpec, Iterator[Item]](file, smallworld, derive)
    return reader
