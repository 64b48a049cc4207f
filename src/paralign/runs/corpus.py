"""The token store of a run, and the language check of its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paralign.console import echo, progress_lines
from paralign.corpus import language_identification
from paralign.corpus.build import TextTokenizer, build_store
from paralign.corpus.clean import FilterConfig
from paralign.corpus.exclusion import excluded_sentences, parse_source
from paralign.corpus.shard_plan import Shard
from paralign.corpus.store import TokenStore, share_kept
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.runs.same_text import check_same_text
from paralign.runs.settings import RunConfig
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["build_corpus", "check_languages_or_warn", "kept_lines", "open_corpus", "with_filter_of"]


def build_corpus(
    tokenizer: TextTokenizer,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    out: Path,
    config: FilterConfig,
    *,
    longest: int | None = None,
    exclude: Sequence[str] = (),
    tokenized: bool = False,
    lenient: bool = False,
    shard: Shard | None = None,
    quiet: bool = False,
) -> TokenStore:
    """Tokenize text into a store without the sentences of test files (``exclude``), and print how much was kept.

    Args:
        tokenizer: the tokenizer.
        specs: text or pairs.
        out: the folder to create.
        config: filter of the store.
        longest: number of pieces of the longest record that the encoder takes, for messages. None: any.
        exclude: test files, or specs of them.
        tokenized: whether the words of pairs are separated by spaces.
        lenient: drop and count lines that cannot be read.
        shard: the part of the text to tokenize, whose language was checked before. Default ``None``: all of it.
        quiet: print nothing.

    Raises:
        UserError: for text that cannot be read, or that is in another language than its tag.
    """
    if shard is None:
        check_languages_or_warn(specs, lenient=lenient, quiet=quiet)
    unseen = excluded_sentences(map(parse_source, exclude), lenient=lenient)[0] if exclude else None
    store = build_store(
        specs,
        tokenizer,
        out,
        filter=config,
        longest=longest,
        lenient=lenient,
        tokenized=tokenized,
        exclude=unseen,
        shard=shard,
        progress=progress_lines(100_000, "tokenizing: {:,} lines read, {:,} kept", quiet=quiet),
    )
    for line in kept_lines(store):
        echo(line, quiet=quiet)
    return store


def check_languages_or_warn(
    specs: Sequence[PairSpec | TextSpec], *, lenient: bool = False, quiet: bool = False
) -> None:
    """Check that text is in the language of its tag.

    Args:
        specs: text or pairs.
        lenient: print a warning instead of raising.
        quiet: print no warning.

    Raises:
        UserError: if it is not.
    """
    for spec in specs:
        try:
            language_identification.check_languages([spec])
        except UserError as error:
            if not lenient:
                raise
            echo(f"WARNING {spec}: {error.message}", quiet=quiet)


def kept_lines(store: TokenStore) -> list[str]:
    """Return one line per source with the share that was kept."""
    return [f"{entry['spec']}: {share_kept(entry['kept'], entry['dropped'])}" for entry in store.meta["specs"]]


def with_filter_of(corpus: str | Path, config: RunConfig, given: Mapping[str, Any]) -> RunConfig:
    """Return the settings of a run with the filter that its token store was built with.

    Args:
        corpus: the token store.
        config: the settings.
        given: settings of ``[data]`` that the user gave.

    Raises:
        UserError: if one of them differs from that of the store.
    """
    built = TokenStore.open(corpus).meta["filter"]
    for name, value in given.items():
        if name in built and built[name] != value:
            message = f"data.{name} is {value}, but the token store was built with {built[name]}"
            raise UserError(message, where=corpus, hint="leave it out, or build another store")
    known = {name: value for name, value in built.items() if name in FilterConfig.model_fields}
    return config.model_copy(update={"data": config.data.model_copy(update=known)})


def open_corpus(
    folder: Path,
    encoder: Encoder,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    corpus: str | Path | None,
    config: FilterConfig,
    *,
    tokenized: bool = False,
    resumed: bool = False,
    lenient: bool = False,
    quiet: bool = False,
) -> TokenStore:
    """Open the token store of a run, or build it.

    Args:
        folder: folder of the run; the store is built in ``folder/corpus``.
        encoder: the encoder whose tokenizer the store is for.
        specs: text or pairs.
        corpus: an existing store, used instead of ``specs``.
        config: filter of the store.
        tokenized: whether the words of pairs are separated by spaces.
        resumed: whether the run is continued. Otherwise a store in its folder is that of an earlier attempt.
        lenient: drop and count lines that cannot be read.
        quiet: print nothing.

    Raises:
        UserError: for text that cannot be read, and for a store of another tokenizer or of other text.
    """
    sides = 1 if any(isinstance(spec, TextSpec) for spec in specs) else 2
    longest = encoder.max_pieces - encoder.template.special_pieces(sides)
    if not corpus:
        config = _fit_length(config, encoder.max_pieces, longest, sides, quiet)
    path = Path(corpus) if corpus else folder / "corpus"
    if corpus or path.is_dir():
        store = TokenStore.open(path)
        if not corpus:
            check_same_text(store, specs, config, tokenized=tokenized, resumed=resumed)
    else:
        store = build_corpus(
            encoder.text_tokenizer,
            specs,
            path,
            config,
            longest=longest,
            tokenized=tokenized,
            lenient=lenient,
            quiet=quiet,
        )
    if store.meta["tokenizer"] != encoder.tokenizer_id:
        raise UserError(
            "the token store was built with another tokenizer",
            where=path,
            hint="build it again for this model" if corpus else "use another --out",
        )
    return store


def _fit_length(config: FilterConfig, positions: int, longest: int, sides: int, quiet: bool) -> FilterConfig:
    """Lower ``max_pieces`` to the longest record that fits the positions of the encoder, with a note."""
    if config.max_pieces <= longest or longest < config.min_pieces:
        return config
    records = "pairs" if sides == 2 else "sentences"
    limit = f"the encoder takes at most {positions}"
    echo(f"{records} of more than {longest} pieces are dropped: {limit}", quiet=quiet)
    return config.model_copy(update={"max_pieces": longest})
