"""The token store of a run, and the language check of its text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from paralign.console import echo, progress_lines
from paralign.corpus import language_identification
from paralign.corpus.build import TextTokenizer, build_store
from paralign.corpus.clean import FilterConfig
from paralign.corpus.exclusion import excluded_sentences, parse_source
from paralign.corpus.mixing import tempered
from paralign.corpus.shard_plan import Shard, other_files
from paralign.corpus.store import TokenStore, share_kept
from paralign.device import only_cpu
from paralign.digests import file_digest
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.archives import archive_of, split_member
from paralign.ragged import blocks
from paralign.runs.settings import RunConfig
from paralign.sources.specs import PairSpec, TextSpec
from paralign.text.words import word_spans

T = TypeVar("T")

_LONGEST_WAIT = timedelta(days=7)
"""Time that processes wait for the main one, which may have a large text to tokenize or to align."""
_SAMPLE = 2_000
_BLOCK = 1 << 20
"""Records whose lengths and languages are read at a time."""
_FEW_PIECES = 100_000
_MANY_UNKNOWN = 0.01

__all__ = [
    "build_corpus",
    "check_languages_or_warn",
    "check_same_text",
    "echo_languages",
    "kept_lines",
    "language_rows",
    "main_process_first",
    "open_corpus",
    "unknown_pieces",
    "unknown_shares",
]


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


def language_rows(store: TokenStore, encoder: Encoder, temperature: float) -> dict[str, dict[str, float]]:
    """Return statistics of each language of a store of plain text.

    Args:
        store: the token store.
        encoder: the encoder, for its tokenizer.
        temperature: temperature of sampling over languages.

    Returns:
        For each language ``sentences``, ``pieces``, ``share`` of all sentences, ``drawn`` (its share after sampling
        with ``temperature``), ``pieces_per_word`` and ``unknown`` (share of pieces) in up to 2,000 of its sentences.
    """
    sizes, pieces = np.zeros((2, len(store.languages)), np.int64)
    for start, stop in blocks(0, len(store), _BLOCK):
        language = store.languages_of(start, stop)[:, 0]
        sizes += np.bincount(language, minlength=len(sizes))
        pieces += np.bincount(language, store.lengths_of(start, stop)[:, 0], len(sizes)).astype(np.int64)
    counts = dict(zip(store.languages, sizes.tolist(), strict=True))
    shares, sampled = tempered(counts, 1.0), tempered(counts, temperature)
    out = {}
    for number, tag in enumerate(store.languages):
        sample, sides = _sample(store, number)
        ids, lengths = store.gather(sample, sides)
        words = sum(len(word_spans(store.text(record, 0))) for record in sample.tolist())
        out[tag] = {
            "sentences": counts[tag],
            "pieces": int(pieces[number]),
            "share": round(shares[tag], 5),
            "drawn": round(sampled[tag], 5),
            "pieces_per_word": round(int(lengths.sum()) / max(1, words), 3),
            "unknown": round(_unknown_share(ids, encoder), 6),
        }
    return out


def unknown_pieces(store: TokenStore, encoder: Encoder) -> list[str]:
    """Return a line for each language of which more than 1% of the pieces are unknown to the tokenizer."""
    shares = unknown_shares(store, encoder).items()
    return [f"{tag}: {share:.1%} of the pieces are unknown to the tokenizer" for tag, share in shares
            if share > _MANY_UNKNOWN]  # fmt: skip


def unknown_shares(store: TokenStore, encoder: Encoder) -> dict[str, float]:
    """Return the share of pieces that are unknown to the tokenizer, in up to 2,000 sentences of each language."""
    samples = {tag: store.gather(*_sample(store, number))[0] for number, tag in enumerate(store.languages)}
    return {tag: _unknown_share(ids, encoder) for tag, ids in samples.items()}


def _sample(store: TokenStore, language: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the records and sides of up to 2,000 sentences of a language, given by its number in the store."""
    count = sum(int((store.languages_of(*block) == language).sum()) for block in blocks(0, len(store), _BLOCK))
    step, seen = -(-count // _SAMPLE) or 1, 0
    chosen = []
    for start, stop in blocks(0, len(store), _BLOCK):
        records, sides = np.nonzero(store.languages_of(start, stop) == language)
        part = slice(-seen % step, None, step)
        chosen.append((records[part] + start, sides[part]))
        seen += len(records)
    records, sides = (np.concatenate(parts) for parts in zip(*chosen, strict=True))
    return records, sides


def _unknown_share(ids: np.ndarray, encoder: Encoder) -> float:
    unknown = encoder.tokenizer.unk_token_id
    return float((ids == unknown).mean()) if unknown is not None and len(ids) else 0.0


def echo_languages(rows: Mapping[str, Mapping[str, float]], *, quiet: bool = False) -> None:
    """Print one line per language, and warnings."""
    for tag, row in rows.items():
        echo(
            f"{tag}: {row['sentences']:,} sentences ({row['share']:.1%} of all, sampled as {row['drawn']:.1%}), "
            f"{row['pieces']:,} pieces; {row['pieces_per_word']:.2f} pieces per word, {row['unknown']:.2%} unknown",
            quiet=quiet,
        )
    for tag, row in rows.items():
        if len(rows) > 1 and row["pieces"] < _FEW_PIECES:
            echo(
                f"WARNING {tag}: only {row['pieces']:,} pieces ({row['share']:.1%} of the sentences, sampled "
                f"as {row['drawn']:.1%}), which is too little to learn a language from",
                quiet=quiet,
            )


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


def check_same_text(
    store: TokenStore,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    config: FilterConfig | None = None,
    *,
    tokenized: bool | None = None,
    resumed: bool = True,
) -> None:
    """Check that the store of a run was built from the same text.

    Files that no longer exist are not checked: the store contains everything that is needed.

    Args:
        store: the store of the run.
        specs: text or pairs.
        config: filter of the store. None: not checked.
        tokenized: whether the words of pairs are separated by spaces. None: not checked.
        resumed: whether the run is continued. Otherwise the store is that of an earlier attempt, and text that cannot
            be compared, such as standard input, is refused.

    Raises:
        UserError: naming the text or the settings that differ.
    """
    was, now = dict(store.meta["filter"]), {} if config is None else config.model_dump()
    was, now = ({f"data.{key}": value for key, value in values.items()} for values in (was, now))
    if tokenized is not None and "tokenized" in store.meta:
        was["links.tokenized"], now["links.tokenized"] = store.meta["tokenized"], tokenized
    changed = [f"{key} was {was.get(key)!r}, now {value!r}" for key, value in now.items() if was.get(key) != value]
    if changed:
        message = f"settings differ from those the run began with: {', '.join(changed)}"
        raise UserError(message, where=store.path, hint="use those settings, or another --out")
    hint = "start a new run with another --out"
    differ = "the data differ from those this run was started with"
    entries = store.meta["specs"]
    if [entry["languages"] for entry in entries] != [list(spec.languages) for spec in specs]:
        raise UserError(differ, where=store.path, hint=hint)
    sources: list[PairSpec | TextSpec] = [*specs]
    for entry, spec in zip(entries, sources, strict=True):
        without_files = not (entry["files"] or spec.paths) and entry["spec"] != str(spec)
        # The region or script of a tag selects a variant of the text in the same file.
        if without_files or _tags(entry["spec"]) != _tags(str(spec)):
            raise UserError(f"{differ}: {entry['spec']}", where=store.path, hint=hint)
        files = [*zip_longest(entry["files"], spec.paths)]
        files += zip_longest(entry["others"], other_files(spec)) if "others" in entry else ()
        for file, path in files:
            if file is None or path is None or _has_changed(file, path):
                raise UserError(differ, where=path, hint=hint)
            if not resumed and "blake2b" not in file:
                message = "this input cannot be compared with that of an earlier attempt in the output folder"
                raise UserError(message, where=path, hint=f"another --out, or --corpus {store.path} for that input")


def _tags(spec: str) -> list[str]:
    """Return the tags of a spec without word order files, which may be in another folder.

    >>> _tags("en:zh-CN=data/x.tmx"), _tags("en:en~syn@orders/hi.json=text.conllu")
    (['en', 'zh-CN'], ['en', 'en~syn@'])
    """
    return re.sub("@[^:=]*", "@", spec.partition("=")[0]).split(":")


def _has_changed(file: Mapping[str, Any], path: str) -> bool:
    """Return whether a file is not the one that a store was built from, as far as it can be read."""
    if split_member(file["path"])[1] != split_member(path)[1]:
        return True
    return archive_of(path).is_file() and file_digest(archive_of(path)) != file.get("blake2b")


def main_process_first(function: Callable[[], T]) -> T:
    """Call a function in the main process first (to build a store, for example), then in the others (to open it)."""
    from accelerate import PartialState

    state = PartialState(cpu=only_cpu())
    if state.num_processes == 1:
        return function()
    # A group of its own, so that the one of training can keep a short timeout.
    group = torch.distributed.new_group(backend="gloo", timeout=_LONGEST_WAIT)
    failed = torch.ones(1)
    try:
        if state.is_main_process:
            result = function()
            failed.zero_()
    finally:
        torch.distributed.broadcast(failed, 0, group)
        torch.distributed.destroy_process_group(group)
    if failed:
        raise UserError("the first process has failed", hint="see its message above")
    return result if state.is_main_process else function()
