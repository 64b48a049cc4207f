"""Text to token store, for the verbs that train."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

import numpy as np

from paralign.console import echo
from paralign.corpus.build import Tokenize, build_store, file_digest
from paralign.corpus.clean import FilterConfig
from paralign.corpus.excluded import excluded_sentences
from paralign.corpus.identify import check_languages
from paralign.corpus.mixing import tempered
from paralign.corpus.store import TokenStore, share_kept
from paralign.device import only_cpu
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.sources.specs import PairSpec, TextSpec
from paralign.text.words import word_spans

T = TypeVar("T")
_LOOK = 2_000
_LITTLE = 100_000  # pieces

__all__ = [
    "build_corpus",
    "check_same_text",
    "first_process_first",
    "judge_languages",
    "kept_lines",
    "language_rows",
    "open_corpus",
    "say_languages",
]


def build_corpus(
    tokenize: Tokenize,
    tokenizer_id: str,
    vocabulary: int,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    out: Path,
    config: FilterConfig,
    *,
    exclude: Sequence[str] = (),
    lenient: bool = False,
    quiet: bool = False,
) -> TokenStore:
    """Tokenise text into a store, without the sentences of test files (``exclude``), and say what was kept of it."""
    judge_languages(specs, lenient=lenient, quiet=quiet)
    unseen = excluded_sentences(map(Path, exclude), lenient=lenient)[0] if exclude else None
    state = {"shown": 0}

    def progress(read: int, kept: int) -> None:
        if read - state["shown"] >= 100_000:
            state["shown"] = read
            echo(f"tokenizing: {read:,} lines read, {kept:,} kept", quiet=quiet)

    store = build_store(
        specs,
        tokenize,
        out,
        filter=config,
        tokenizer_id=tokenizer_id,
        vocabulary=vocabulary,
        lenient=lenient,
        exclude=unseen,
        progress=progress,
    )
    for line in kept_lines(store):
        echo(line, quiet=quiet)
    return store


def judge_languages(specs: Sequence[PairSpec | TextSpec], *, lenient: bool = False, quiet: bool = False) -> None:
    """Refuse text in another language than its tag says; with ``lenient`` say so and go on."""
    for spec in specs:
        try:
            check_languages([spec])
        except UserError as error:
            if not lenient:
                raise
            echo(f"WARNING {spec}: {error.message}", quiet=quiet)


def kept_lines(store: TokenStore) -> list[str]:
    return [f"{entry['spec']}: {share_kept(entry['kept'], entry['dropped'])}" for entry in store.meta["specs"]]


def language_rows(store: TokenStore, encoder: Encoder, temperature: float) -> dict[str, dict[str, float]]:
    """What each language of a plain store amounts to.

    Returns:
        by language: ``sentences``, ``pieces``, ``share`` of all sentences, ``drawn`` (the share sampling makes of it),
        ``pieces_per_word`` and ``unknown`` (share of pieces) in up to 2,000 of its sentences.
    """
    unknown = encoder.tokenizer.unk_token_id
    counts = {tag: int((store.language[:, 0] == k).sum()) for k, tag in enumerate(store.languages)}
    shares, drawn = tempered(counts, 1.0), tempered(counts, temperature)
    out = {}
    for number, tag in enumerate(store.languages):
        records = np.flatnonzero(store.language[:, 0] == number)
        some = records[:: -(-len(records) // _LOOK) or 1]
        ids, lengths = store.gather(some, np.zeros(len(some), np.int64))
        words = sum(len(word_spans(store.text(record, 0))) for record in some.tolist())
        out[tag] = {
            "sentences": counts[tag],
            "pieces": int(store.lengths[records, 0].sum()),
            "share": round(shares[tag], 5),
            "drawn": round(drawn[tag], 5),
            "pieces_per_word": round(int(lengths.sum()) / max(1, words), 3),
            "unknown": round(float((ids == unknown).mean()), 6) if unknown is not None and len(ids) else 0.0,
        }
    return out


def say_languages(rows: Mapping[str, Mapping[str, float]], *, quiet: bool = False) -> None:
    """One line a language, and what to beware of."""
    for tag, row in rows.items():
        echo(
            f"{tag}: {row['sentences']:,} sentences, {row['pieces']:,} pieces, {row['share']:.1%} of the text, drawn "
            f"as {row['drawn']:.1%}; {row['pieces_per_word']:.2f} pieces a word, {row['unknown']:.2%} unknown",
            quiet=quiet,
        )
    for tag, row in rows.items():
        if len(rows) > 1 and row["pieces"] < _LITTLE:
            echo(
                f"WARNING {tag}: only {row['pieces']:,} pieces ({row['share']:.1%} of the text, drawn as "
                f"{row['drawn']:.1%}): too little to learn a language from",
                quiet=quiet,
            )
        if row["unknown"] > 0.01:
            echo(f"WARNING {tag}: {row['unknown']:.1%} of the pieces are unknown to the tokenizer", quiet=quiet)


def open_corpus(
    folder: Path,
    encoder: Encoder,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    corpus: str | Path | None,
    config: FilterConfig,
    lenient: bool,
    quiet: bool,
) -> TokenStore:
    config = _fitting(config, encoder, 1 if any(isinstance(spec, TextSpec) for spec in specs) else 2, corpus, quiet)
    place = Path(corpus) if corpus else folder / "corpus"
    if corpus or place.is_dir():
        store = TokenStore.open(place)
        if not corpus:
            check_same_text(store, specs, config)
    else:
        store = build_corpus(
            encoder.tokenize,
            encoder.tokenizer_id,
            encoder.template.vocabulary,
            specs,
            place,
            config,
            lenient=lenient,
            quiet=quiet,
        )
    if store.meta["tokenizer"] != encoder.tokenizer_id:
        raise UserError("the store was made with another tokenizer", where=place, hint="build it again for this model")
    return store


def _fitting(
    config: FilterConfig, encoder: Encoder, sides: int, corpus: str | Path | None, quiet: bool
) -> FilterConfig:
    """``max_pieces`` lowered to what the encoder takes, and said; a store made before stays as it is."""
    template = encoder.template
    room = encoder.max_pieces - sum(map(len, template.pair if sides == 2 else template.single))
    if corpus or config.max_pieces <= room or room < config.min_pieces:
        return config
    what = "pairs" if sides == 2 else "sentences"
    echo(f"{what} of more than {room} pieces are left out: the encoder takes {encoder.max_pieces}", quiet=quiet)
    return config.model_copy(update={"max_pieces": room})


def check_same_text(
    store: TokenStore, specs: Sequence[PairSpec] | Sequence[TextSpec], config: FilterConfig | None = None
) -> None:
    """Refuse to go on with a store that was made from other text or (where they are given) by other rules.

    Files that are gone by now are not asked for: the store holds all that is needed of them.
    """
    was, now = store.meta["filter"], {} if config is None else config.model_dump()
    changed = [f"data.{key} was {was.get(key)!r}, now {value!r}" for key, value in now.items() if was.get(key) != value]
    if changed:
        raise UserError(f"settings differ from those the run began with: {', '.join(changed)}", where=store.path)
    hint = "start a new run with another --out"
    entries = store.meta["specs"]
    if [entry["languages"] for entry in entries] != [list(spec.languages) for spec in specs]:
        raise UserError("the data are not those the run began with", where=store.path, hint=hint)
    given: list[PairSpec | TextSpec] = [*specs]
    for entry, spec in zip(entries, given, strict=True):
        if not (entry["files"] or spec.paths) and entry["spec"] != str(spec):
            raise UserError(f"the data are not those the run began with: {entry['spec']}", where=store.path, hint=hint)
        for file, path in zip_longest(entry["files"], spec.paths):
            if file is None or path is None or (Path(path).is_file() and file_digest(path) != file.get("blake2b")):
                raise UserError("the data are not those the run began with", where=path, hint=hint)


def first_process_first(work: Callable[[], T]) -> T:
    """Let the first process build what the others then open."""
    from accelerate import PartialState

    state = PartialState(cpu=only_cpu())
    if state.num_processes == 1:
        return work()
    with state.main_process_first():
        return work()
