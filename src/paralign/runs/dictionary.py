"""The dictionary of a run, which is sampled once, stored with the run, and read again when the run is resumed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paralign.console import echo, echo_dropped
from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.lexicon import read_lexicon
from paralign.formats.lines import write_lines
from paralign.languages import parse_derived
from paralign.languages.dictionary import Dictionary
from paralign.runs.settings import DictionaryConfig
from paralign.sources.specs import PairSpec, parse_pairs

__all__ = ["DICTIONARY", "open_dictionary"]

DICTIONARY = "dictionary.tsv"
"""File of a run with the dictionary it was trained with."""


def open_dictionary(
    folder: Path,
    encoder: Encoder,
    store: TokenStore,
    config: DictionaryConfig,
    *,
    seed: int,
    files: Sequence[str] = (),
    lenient: bool = False,
    quiet: bool = False,
) -> Dictionary:
    """Return the dictionary of a run, which is built once and stored as ``folder/dictionary.tsv``.

    Args:
        folder: folder of the run.
        encoder: the encoder, for its tokenizer.
        store: the token store, for its languages.
        config: the sample that is used.
        seed: random seed of the sample, if the settings have none.
        files: dictionaries (:func:`paralign.formats.lexicon.read_lexicon`), each as ``SRC-TGT=PATH``. Empty: pieces and
            their twins.
        lenient: drop lines of the files that cannot be read.
        quiet: print nothing.

    Raises:
        UserError: for files that cannot be read, and for an empty dictionary.
    """
    path = folder / DICTIONARY
    specs = [parse_pairs(text) for text in files]
    stored = Dictionary.load(path, encoder.template.vocabulary) if path.is_file() else None
    if stored is not None and not all(Path(spec.path).is_file() for spec in specs):
        return stored
    complete = _read_dictionaries(encoder, specs, lenient, quiet) if specs else _twin_dictionary(encoder, store)
    sample = complete.sample(config.rate, np.random.default_rng(seed if config.seed is None else config.seed))
    if stored is not None:
        if list(sample.lines()) != list(stored.lines()):
            raise UserError(
                "the dictionary is not the dictionary this run began with", where=path, hint="give the same one"
            )
        return stored
    if not len(sample):
        raise UserError("the dictionary is empty", hint="give a larger dictionary, or increase dictionary.rate")
    write_lines(path, sample.lines())
    echo(f"{path}  ({len(sample):,} entries)", quiet=quiet)
    return sample


def _twin_dictionary(encoder: Encoder, store: TokenStore) -> Dictionary:
    """Return the dictionary from pieces to their twins, for the derived languages of a store."""
    languages = [
        language for language in map(parse_derived, store.languages) if language is not None and language.uses_twins
    ]
    if not languages:
        hint = "give --dictionary SRC-TGT=PATH"
        raise UserError("there is no dictionary, and no language has twin pieces", hint=hint)
    names = encoder.tokenizer.convert_ids_to_tokens(list(range(encoder.twin_offset)))
    ids = encoder.template.ordinary
    has_twin = np.any([language.twin_mask(ids) for language in languages], axis=0)
    return Dictionary.from_twins(names, ids[has_twin].tolist(), encoder.twin_offset)


def _read_dictionaries(encoder: Encoder, specs: Sequence[PairSpec], lenient: bool, quiet: bool) -> Dictionary:
    """Read and tokenize the entries of files; entries with unknown pieces are dropped."""
    words: list[tuple[str, str]] = []
    pieces: list[tuple[list[int], list[int]]] = []
    unknown = encoder.tokenizer.unk_token_id
    for spec in specs:
        dropped: Counter[str] = Counter()
        pairs = read_lexicon(spec.path, lenient=lenient, dropped=dropped)
        sides = [
            [ids.tolist() for ids, _ in encoder.tokenize_words([pair[side] for pair in pairs], language)]
            for side, language in enumerate(spec.languages)
        ]
        for pair, first, second in zip(pairs, *sides, strict=True):
            if not first or not second or unknown in (*first, *second):
                dropped["not in the tokenizer"] += 1
            elif first == second:
                dropped["the same on both sides"] += 1
            else:
                words.append(pair)
                pieces.append((first, second))
        echo_dropped(dropped, f"{spec}: entries", quiet=quiet)
    return Dictionary(words, pieces)
