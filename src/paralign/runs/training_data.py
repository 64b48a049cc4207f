"""What a run of ``align`` or ``pretrain`` trains on: token store, word links and dictionary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paralign.console import echo
from paralign.corpus.link_store import LinkStore
from paralign.corpus.store import TokenStore
from paralign.digests import DAMAGED, file_digest
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.languages.dictionary import Dictionary
from paralign.runs.corpus import open_corpus
from paralign.runs.dictionary import open_dictionary
from paralign.runs.folder import RunFolder
from paralign.runs.language_statistics import echo_languages, language_rows, unknown_pieces
from paralign.runs.links import open_links
from paralign.runs.main_process import main_process_first
from paralign.runs.objectives import needs_dictionary, needs_links, objective_classes
from paralign.runs.options import RunOptions
from paralign.runs.settings import RunConfig
from paralign.runs.start_checkpoint import StartCheckpoint
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["TrainingInputs", "read_corpus", "read_dictionary", "read_links"]


@dataclass(frozen=True)
class TrainingInputs:
    """The inputs of a training run.

    Attributes:
        base: name or folder of the encoder, or the architecture of one trained from scratch.
        specs: text or pairs.
        corpus: folder of a token store, used instead of ``specs``.
        links: word links as ``SRC-TGT=PATH``, one for each of the pairs. Empty: links are computed if needed.
        dictionary: bilingual dictionaries, each as ``SRC-TGT=PATH``.
        scratch: how an encoder trained from scratch is built; empty for others.
        start: the checkpoint that the encoder was loaded from. None: it is the base.
        heldout: returns losses on held-out text by language. None: there is no held-out text.
    """

    base: str
    specs: Sequence[PairSpec] | Sequence[TextSpec]
    corpus: str | Path | None = None
    links: Sequence[str] = ()
    dictionary: Sequence[str] = ()
    scratch: Mapping[str, Any] = field(default_factory=dict)
    start: StartCheckpoint | None = None
    heldout: Callable[[], Mapping[str, float]] | None = None


def read_corpus(
    folder: RunFolder, encoder: Encoder, inputs: TrainingInputs, config: RunConfig, options: RunOptions
) -> TokenStore:
    """Build or open the token store, and print statistics of its languages and unknown pieces."""
    store = main_process_first(
        lambda: open_corpus(
            folder.path,
            encoder,
            inputs.specs,
            inputs.corpus,
            config.data,
            tokenized=config.links.tokenized,
            resumed=folder.resumed or not folder.main,  # other processes open what the first has just built
            lenient=options.lenient,
            quiet=options.quiet,
        )
    )
    if store.sides == 1:
        folder.facts["languages"] = language_rows(store, encoder, config.training.temperature)
        echo_languages(folder.facts["languages"], quiet=options.quiet)
    for line in unknown_pieces(store, encoder):
        echo(f"WARNING {line}", quiet=options.quiet)
    return store


def read_links(
    folder: RunFolder, store: TokenStore, inputs: TrainingInputs, config: RunConfig, options: RunOptions
) -> LinkStore | None:
    """Compute, read or open the word links of the pairs; None if no objective needs them."""
    if not needs_links(config):
        return None
    return main_process_first(
        lambda: open_links(
            folder.path,
            store,
            config.links,
            model=inputs.base,
            files=inputs.links,
            lenient=options.lenient,
            quiet=options.quiet,
        )
    )


def read_dictionary(
    folder: RunFolder,
    encoder: Encoder,
    store: TokenStore,
    inputs: TrainingInputs,
    config: RunConfig,
    options: RunOptions,
) -> Dictionary | None:
    """Learn, read or open the dictionary; None if no objective needs one.

    Raises:
        UserError: if it was changed since the run began, or has no entry that can be used.
    """
    if not needs_dictionary(config):
        return None
    path = folder.path / "dictionary.tsv"
    before = folder.before.get("dictionary_digest")
    if before is not None and path.is_file() and file_digest(path) != before:
        raise UserError(DAMAGED, where=path, hint="restore it, or use another --out")
    dictionary = main_process_first(
        lambda: open_dictionary(
            folder.path,
            encoder,
            store,
            config.dictionary,
            seed=config.training.seed,
            files=inputs.dictionary,
            lenient=options.lenient,
            quiet=options.quiet,
        )
    )
    folder.save(dictionary_digest=file_digest(path))
    translated = any(kind.needs_translations for kind in objective_classes(config))
    if translated and not len(dictionary.single_piece_entries()):
        raise UserError("no entry of the dictionary has one piece on both sides", hint="dict_mlm needs such entries")
    return dictionary
