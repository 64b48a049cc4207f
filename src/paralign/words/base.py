"""The interface of word aligners, and the table of those that can be chosen by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from paralign.config import Config, find_class, resolve
from paralign.errors import UserError

if TYPE_CHECKING:  # the command line imports this module for its help text: no numpy here
    from paralign.sources.specs import PairSpec
    from paralign.words.word_links import WordLinks

__all__ = ["ALIGNERS", "Aligner", "AlignerConfig", "AlignerOptions", "WordPair", "find_aligner", "make_aligner"]

ALIGNERS = {
    "hmm": "paralign.words.hmm:HmmAligner",
    "ibm": "paralign.words.ibm:IbmAligner",
    "similarity": "paralign.words.similarity:SimilarityAligner",
    "eflomal": "paralign.words.eflomal:EflomalAligner",
    "file": "paralign.words.from_file:FileAligner",
}
OPTIONS = ("train", "save", "load", "posteriors", "model", "links")
"""Options of ``paralign words`` that an aligner has to declare in ``accepts``."""


class AlignerConfig(Config):
    """Base of the settings of an aligner, the section ``[words]`` (``--set words.KEY=VALUE``)."""


@dataclass(frozen=True, slots=True)
class WordPair:
    """A sentence pair.

    Attributes:
        texts: the source and the target sentence.
        words: the words of both.
    """

    texts: tuple[str, str]
    words: tuple[list[str], list[str]]


@dataclass(frozen=True)
class AlignerOptions:
    """The options of ``paralign words`` that are common to all aligners.

    Attributes:
        spec: the sentence pairs to align: their languages, and the path that error messages name.
        symmetrize: how the links of both directions are combined, one of
            :data:`paralign.words.symmetrization.SYMMETRIZATIONS` or the aligner's ``more_symmetrizations``. Default
            ``None``: the aligner's ``default_symmetrization``.
        tokenized: words of these pairs are separated by spaces.
        train: more pairs follow those to align; they are learned from and get no links.
        save: folder to save the trained aligner in.
        load: folder of a saved aligner, which is used without training.
        posteriors: return the posterior probability of each link.
        model: path or name of an encoder.
        links: file of links in Pharaoh format.
        one_based: words count from 1 in that file.
        lenient: drop links that cannot be read instead of raising.
        quiet: print nothing.
    """

    spec: PairSpec
    symmetrize: str | None = None
    tokenized: bool = False
    train: bool = False
    save: str | Path | None = None
    load: str | Path | None = None
    posteriors: bool = False
    model: str | None = None
    links: str | Path | None = None
    one_based: bool = False
    lenient: bool = False
    quiet: bool = False

    def given(self, option: str) -> bool:
        """Return whether one of ``OPTIONS`` is set."""
        return getattr(self, option) not in (None, False)


class Aligner(ABC):
    """Base class of word aligners.

    A subclass sets ``name`` and implements :meth:`align`. If it has settings, it sets ``Config``; if it supports any of
    ``OPTIONS``, it lists them in ``accepts``. The caller first passes all sentence pairs to :meth:`read`, then calls
    :meth:`align` once.

    Args:
        config: the aligner's settings, an instance of ``Config``.
        options: the options common to all aligners.
    """

    name: ClassVar[str]
    """Value of ``--method``."""
    Config: ClassVar[type[AlignerConfig]] = AlignerConfig
    """Class of the settings."""
    accepts: ClassVar[frozenset[str]] = frozenset()
    """Names from ``OPTIONS`` that this aligner supports: ``train`` if it learns from further text, ``save`` and
    ``load`` if it can be saved, ``posteriors`` if its links have probabilities, ``model`` and ``links`` if it reads an
    encoder or a file of links. Other options are refused."""
    requires: ClassVar[frozenset[str]] = frozenset()
    """Names from ``accepts`` without which it cannot run."""
    default_symmetrization: ClassVar[str] = "grow-diag-final-and"
    """How the links of both directions are combined where the user does not choose."""
    more_symmetrizations: ClassVar[tuple[str, ...]] = ()
    """Ways to combine them besides :data:`paralign.words.symmetrization.SYMMETRIZATIONS`."""

    def __init__(self, config: Any, options: AlignerOptions) -> None:
        self.config: Any = config
        self.options = options
        self.symmetrization = options.symmetrize or self.default_symmetrization
        self.pairs: list[WordPair] = []

    def read(self, pairs: Iterable[WordPair]) -> None:
        """Read all sentence pairs; those to align come first. By default they are kept in ``self.pairs``."""
        self.pairs = list(pairs)

    @abstractmethod
    def align(self, count: int) -> WordLinks:
        """Return the links of the first ``count`` pairs that were read.

        With ``options.posteriors``, ``WordLinks.posterior`` must be set.

        Raises:
            UserError: for pairs that cannot be aligned.
        """


def find_aligner(name: str) -> type[Aligner]:
    """Return the class of an aligner.

    Args:
        name: a name of ``ALIGNERS``, or ``my_module:Class``.

    Raises:
        UserError: if there is no such class, or it is not an aligner.
    """
    return find_class("aligner", name, ALIGNERS, Aligner)  # type: ignore[type-abstract]


def make_aligner(name: str, options: AlignerOptions, settings: Mapping[str, Any] | None = None) -> Aligner:
    """Create an aligner.

    Args:
        name: a name of ``ALIGNERS``, or ``my_module:Class``.
        options: the options common to all aligners.
        settings: the aligner's settings; defaults for those that are missing.

    Raises:
        UserError: for an unknown aligner or setting, and for options that the aligner does not support.
    """
    from paralign.folders import check_new_folder
    from paralign.words.symmetrization import check_symmetrization

    aligner = find_aligner(name)
    if options.symmetrize is not None:
        check_symmetrization(options.symmetrize, aligner.more_symmetrizations)
    for option in OPTIONS:
        if options.given(option) and option not in aligner.accepts:
            supporting = [other for other in ALIGNERS if option in find_aligner(other).accepts]
            hint = f"supported by {', '.join(supporting)}"
            raise UserError(f"--{option} is not supported by the aligner {aligner.name!r}", hint=hint)
        if option in aligner.requires and not options.given(option):
            raise UserError(f"the aligner {aligner.name!r} needs --{option}", hint=f"add --{option}")
    if options.load is not None and options.save is not None:
        raise UserError("--save and --load cannot be combined", hint="an aligner that is loaded is saved already")
    if options.load is not None and options.model is not None:
        raise UserError("--model and --load cannot be combined", hint="a saved aligner does not use an encoder")
    if options.save is not None and options.model is not None:
        hint = "a saved aligner does not use an encoder, so it would give other links: remove one of them"
        raise UserError("--model and --save cannot be combined", hint=hint)
    if options.load is not None and options.train:
        raise UserError("--train and --load cannot be combined", hint="an aligner that is loaded is not trained")
    if options.save is not None:
        check_new_folder(Path(options.save))
    return aligner(resolve(aligner.Config, settings or {}, section="words"), options)
