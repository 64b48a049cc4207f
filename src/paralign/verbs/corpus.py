"""Text to token store, for the verbs that train."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.text import FilterConfig, PairSpec, TextSpec, Tokenize, TokenStore, build_store, share_kept
from paralign.text.build import file_digest
from paralign.training.device import only_cpu
from paralign.verbs.folder import say

__all__ = ["build_corpus", "first_process_first", "kept_lines", "open_corpus"]


def build_corpus(
    tokenize: Tokenize,
    tokenizer_id: str,
    vocabulary: int,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    out: Path,
    config: FilterConfig,
    *,
    lenient: bool = False,
    quiet: bool = False,
) -> TokenStore:
    """Tokenise text into a store and say what was kept of it."""
    state = {"shown": 0}

    def progress(read: int, kept: int) -> None:
        if read - state["shown"] >= 100_000:
            state["shown"] = read
            say(f"tokenising: {read:,} lines read, {kept:,} kept", quiet=quiet)

    store = build_store(
        specs,
        tokenize,
        out,
        filter=config,
        tokenizer_id=tokenizer_id,
        vocabulary=vocabulary,
        lenient=lenient,
        progress=progress,
    )
    for line in kept_lines(store):
        say(line, quiet=quiet)
    return store


def kept_lines(store: TokenStore) -> list[str]:
    return [f"{entry['spec']}: {share_kept(entry['kept'], entry['dropped'])}" for entry in store.meta["specs"]]


def open_corpus(
    folder: Path,
    encoder: Encoder,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    corpus: str | Path | None,
    config: FilterConfig,
    lenient: bool,
    quiet: bool,
) -> TokenStore:
    place = Path(corpus) if corpus else folder / "corpus"
    if corpus or place.is_dir():
        store = TokenStore.open(place)
        if not corpus:
            _check_same_text(store, specs, config)
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
        raise UserError("the store was made with another tokenizer", where=place, mend="build it again for this model")
    return store


def _check_same_text(store: TokenStore, specs: Sequence[PairSpec] | Sequence[TextSpec], config: FilterConfig) -> None:
    """Refuse to go on with a store that was made from other text or by other rules.

    Files that are gone by now are not asked for: the store holds all that is needed of them.
    """
    was, now = store.meta["filter"], config.model_dump()
    changed = [f"data.{key} was {was.get(key)!r}, now {value!r}" for key, value in now.items() if was.get(key) != value]
    if changed:
        raise UserError(f"settings differ from those the run began with: {', '.join(changed)}", where=store.path)
    mend = "start a new run with another --out"
    entries = store.meta["specs"]
    if [entry["languages"] for entry in entries] != [list(spec.languages) for spec in specs]:
        raise UserError("the data are not those the run began with", where=store.path, mend=mend)
    given: list[PairSpec | TextSpec] = [*specs]
    for entry, spec in zip(entries, given, strict=True):
        if not (entry["files"] or spec.paths) and entry["spec"] != str(spec):
            raise UserError(f"the data are not those the run began with: {entry['spec']}", where=store.path, mend=mend)
        for file, path in zip_longest(entry["files"], spec.paths):
            if file is None or path is None or (Path(path).is_file() and file_digest(path) != file.get("blake2b")):
                raise UserError("the data are not those the run began with", where=path, mend=mend)


def first_process_first(work: Callable[[], TokenStore]) -> TokenStore:
    """Let the first process build what the others then open."""
    from accelerate import PartialState

    state = PartialState(cpu=only_cpu())
    if state.num_processes == 1:
        return work()
    with state.main_process_first():
        return work()
