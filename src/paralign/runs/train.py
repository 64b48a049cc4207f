"""Align and pretrain: text in, a plain encoder folder out. Both are the one loop over a token store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch

from paralign.device import best_device, processes
from paralign.encoder import Encoder, train_tokenizer
from paralign.encoder.card import read_provenance, write_card
from paralign.encoder.families import parse_arch
from paralign.encoder.hf import load_tokenizer, set_dropout
from paralign.encoder.tokenizer import KINDS
from paralign.errors import UserError
from paralign.languages import derived
from paralign.languages.dictionary import Dictionary
from paralign.objectives import Objective, find_objective
from paralign.sources.specs import PairSpec
from paralign.sources.specs import TextSpec
from paralign.corpus.store import TokenStore
from paralign.sources.specs import parse_pairs
from paralign.sources.specs import parse_text
from paralign.rng import seed_for
from paralign.batches.masking import Translations
from paralign.corpus.mixing import MixedText
from paralign.training import CorpusBatches, Learner, Stopped, Trainer
from paralign.training.checkpoint import beside
from paralign.training.memory import check_memory
from paralign.training.track import check_trackers
from paralign.runs.corpus import (
    check_same_text,
    first_process_first,
    judge_languages,
    kept_lines,
    language_rows,
    open_corpus,
    say_languages,
)
from paralign.runs.dictionary import open_dictionary
from paralign.runs.folder import RunFolder
from paralign.console import echo
from paralign.training.heldout import HeldOut
from paralign.runs.links import open_links
from paralign.runs.settings import RunConfig, run_settings

__all__ = ["Look", "align", "make_objectives", "pretrain"]

_HEADS = 31
Look = Callable[[Trainer, TokenStore], None]


def align(
    model: str,
    *,
    out: str | Path,
    pairs: Sequence[str] = (),
    corpus: str | Path | None = None,
    links: Sequence[str] = (),
    dictionary: Sequence[str] = (),
    recipe: str = "ppa",
    settings: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    lenient: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
    look: Look | None = None,
    track: Sequence[str] = (),
) -> Path:
    """Align an encoder with parallel text.

    Args:
        model: folder or hub name of an encoder; of a masked LM, where an objective needs vocabulary scores.
        out: the run's folder; the encoder is written to ``out/encoder``.
        pairs: ``SRC-TGT=PATH``, several.
        corpus: a token store made before, instead of ``pairs``.
        links: ``SRC-TGT=PATH``, word links for each of the pairs, in their order, for objectives that need them; found
            by the settings under ``[links]`` where none are given.
        dictionary: ``SRC-TGT=PATH``, several, for objectives that need one; made as the settings under ``[dictionary]``
            say where none are given.
        recipe: name or TOML file.
        settings: nested settings that win over the recipe.
        overrides: ``section.key=value``, which win over ``settings``.
        lenient: drop and count lines that cannot be read instead of stopping.
        resume: go on with the run in ``out``.
        quiet: say nothing.
        command: recorded with the run.
        look: called when all is ready, instead of training.
        track: trackers that follow the log: ``tensorboard``, ``wandb``, whatever accelerate knows.

    Returns:
        The folder of the aligned encoder.

    Raises:
        UserError: for input or settings that cannot be used.
        paralign.training.Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.
    """
    config = run_settings(recipe, settings or {}, overrides)
    specs = [parse_pairs(text) for text in pairs]
    if bool(specs) == bool(corpus):
        raise UserError("give either --pairs or --corpus")
    folder = RunFolder(Path(out), "align", resume=resume, command=command)
    folder.agree(config.model_dump(mode="json"))
    if folder.finished:
        echo(f"{out} is finished", quiet=quiet)
        return folder.path / "encoder"
    encoder = Encoder.from_pretrained(model, chunk_cost=config.training.chunk_cost)
    return _train(folder, encoder, model, specs, corpus, config, lenient, resume, quiet, links=links,
                  dictionary=dictionary, look=look, track=track)  # fmt: skip


def pretrain(
    *,
    out: str | Path,
    text: Sequence[str] = (),
    pairs: Sequence[str] = (),
    arch: str | None = None,
    model: str | None = None,
    tokenizer: str = "wordpiece",
    vocab: int = 12_000,
    max_length: int = 256,
    heldout: Sequence[str] = (),
    dictionary: Sequence[str] = (),
    recipe: str = "pretrain",
    settings: Mapping[str, Any] | None = None,
    overrides: Sequence[str] = (),
    lenient: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
    look: Look | None = None,
    track: Sequence[str] = (),
) -> Path:
    """Train a masked LM on plain text (or on pairs), from scratch or from an encoder.

    Args:
        text: ``LANG=PATH``, several.
        pairs: or ``SRC-TGT=PATH``, several: both sides are trained on, for objectives that read pairs.
        arch: ``family:LAYERSxWIDTH`` for an encoder from scratch.
        model: or the encoder to start from.
        tokenizer: ``wordpiece`` or ``bpe`` to train one on the text, or the folder of one.
        vocab: pieces of a trained tokenizer.
        max_length: positions of an encoder from scratch.
        heldout: ``LANG=PATH``, several: text whose masked-LM loss is logged by language.
        dictionary: as in :func:`align`.

    The other arguments, the result and the errors are those of :func:`align`.
    """
    config = run_settings(recipe, settings or {}, overrides)
    if bool(arch) == bool(model):
        raise UserError("give either --arch, to start from scratch, or --model")
    if bool(text) == bool(pairs):
        raise UserError("give either --text or --pairs" if text else "no text is given", hint="--text en=PATH")
    specs: list[TextSpec] | list[PairSpec] = [parse_pairs(spec) for spec in pairs] or [parse_text(t) for t in text]
    watched = [parse_text(spec) for spec in heldout]
    if arch:
        parse_arch(arch)
        for path in (path for spec in specs for path in spec.paths):
            if path == "-" or (Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()):
                message = "text for a new tokenizer is read several times, standard input and pipes only once"
                raise UserError(message, where=path, hint="give files")
    meant = get_close_matches(tokenizer, KINDS, n=1, cutoff=0.7)
    if meant and tokenizer not in KINDS and not Path(tokenizer).exists():
        raise UserError(f"unknown tokenizer {tokenizer!r}", hint=f"did you mean {meant[0]!r}?")
    folder = RunFolder(Path(out), "pretrain", resume=resume, command=command)
    scratch = {"arch": arch, "tokenizer": tokenizer, "vocab": vocab, "max_length": max_length} if arch else {}
    folder.agree({"scratch": scratch, **config.model_dump(mode="json")})
    if folder.finished:
        check_same_text(TokenStore.open(folder.path / "corpus"), specs)
        echo(f"{out} is finished", quiet=quiet)
        return folder.path / "encoder"
    judge_languages(watched, lenient=lenient, quiet=quiet)
    try:
        encoder = _fresh(folder, arch, model, specs, tokenizer, vocab, max_length, config, lenient, quiet)
        watch = _watch(folder, encoder, watched, lenient)
    except BaseException:
        folder.abandon()
        raise
    return _train(folder, encoder, model or str(arch), specs, None, config, lenient, resume, quiet, watch,
                  dictionary=dictionary, scratch=scratch, look=look, track=track)  # fmt: skip


def _watch(
    folder: RunFolder, encoder: Encoder, specs: Sequence[TextSpec], lenient: bool
) -> Callable[[], Mapping[str, float]] | None:
    """Losses on held-out text, the same from the beginning of a run to its end."""
    held = HeldOut(encoder, specs, lenient=lenient) if specs else None
    digest, before = held.digest if held else None, folder.before.get("heldout")
    if before is not None and before != digest:
        hint = "give the same --heldout, or start a new run with another --out"
        raise UserError("the held-out text is not that the run began with", where=folder.path, hint=hint)
    folder.facts["heldout"] = digest
    return held.losses if held else None


def _fresh(
    folder: RunFolder,
    arch: str | None,
    model: str | None,
    specs: Sequence[TextSpec] | Sequence[PairSpec],
    tokenizer: str,
    vocab: int,
    max_length: int,
    config: RunConfig,
    lenient: bool,
    quiet: bool,
) -> Encoder:
    """The encoder pretraining begins with; a trained tokenizer is kept in the run, so a resumed run has the same."""
    chunk_cost = config.training.chunk_cost
    if model:
        return Encoder.from_pretrained(model, chunk_cost=chunk_cost)
    family = parse_arch(str(arch))[0]
    kept = folder.path / "tokenizer"
    if tokenizer not in KINDS:
        made = load_tokenizer(tokenizer)
    elif kept.is_dir():
        made = load_tokenizer(str(kept))
    else:
        judge_languages(specs, lenient=lenient, quiet=True)
        echo(f"training a {tokenizer} tokenizer of {vocab:,} pieces", quiet=quiet)
        made = train_tokenizer(
            MixedText(specs, config.tokenizer.temperature, lenient=lenient),
            kind=tokenizer,
            size=vocab,
            family=family,
            coverage=config.tokenizer.coverage,
        )
        folder.begin({})
        with beside(kept) as part:
            made.save_pretrained(part)
    twins = any(one is not None and one.twin for spec in specs for one in map(derived, spec.languages))
    seed = seed_for(config.training.seed, _HEADS, 1)
    return Encoder.from_scratch(str(arch), made, max_length=max_length, seed=seed, chunk_cost=chunk_cost, twins=twins)


def _train(
    folder: RunFolder,
    encoder: Encoder,
    base: str,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    corpus: str | Path | None,
    config: RunConfig,
    lenient: bool,
    resume: bool,
    quiet: bool,
    watch: Callable[[], Mapping[str, float]] | None = None,
    links: Sequence[str] = (),
    dictionary: Sequence[str] = (),
    scratch: Mapping[str, Any] | None = None,
    look: Look | None = None,
    track: Sequence[str] = (),
) -> Path:
    check_memory(encoder, best_device(), parts=processes() if config.training.shard else 1)
    check_trackers(track)
    needed = config.views.avoid_double_mask or any(find_objective(name).needs_links for name in config.objectives)
    if links and not needed:
        raise UserError("no objective of this run needs word links", hint="leave --links out, or --recipe alignlm")
    kinds = [find_objective(name) for name in config.objectives]
    for kind in kinds:
        kind.check(encoder)
    if config.views.restart_positions and not encoder.reads_positions:
        message = f"positions cannot be restarted in {encoder.family} models, where distances count"
        raise UserError(message, where=base, hint="leave views.restart_positions out")
    wanted = sorted({view for kind in kinds for view in kind.reads if view != "text"})
    if config.views.pack is not None and wanted:
        raise UserError(f"packed rows have no view {wanted[0]!r}", hint="leave views.pack out, or use mlm")
    dictionary_needed = any(kind.needs_dictionary or kind.translates for kind in kinds)
    if dictionary and not dictionary_needed:
        raise UserError("no objective of this run needs a dictionary", hint="leave --dictionary out")
    if config.training.dropout is not None:
        set_dropout(encoder.model, config.training.dropout)
    facts = {"method": config.method, "control": config.control}
    settings = config.model_dump(mode="json") | {"base": encoder.digest()}
    run = {"model": base, "text": [str(s) for s in specs] or [str(corpus)]}
    try:
        folder.begin({**run, "scratch": scratch or {}, **config.model_dump(mode="json")}, **facts)
        store = first_process_first(
            lambda: open_corpus(folder.path, encoder, specs, corpus, config.data, lenient, quiet)
        )
        if store.sides == 1:
            folder.facts["languages"] = language_rows(store, encoder, config.training.temperature)
            say_languages(folder.facts["languages"], quiet=quiet)
        linked = None
        if needed:
            linked = first_process_first(
                lambda: open_links(folder.path, store, config.links, model=base, files=links, quiet=quiet)
            )
        entries = None
        if dictionary_needed:
            entries = first_process_first(
                lambda: open_dictionary(
                    folder.path, encoder, store, config.dictionary, seed=config.training.seed, files=dictionary,
                    lenient=lenient, quiet=quiet,
                )
            )  # fmt: skip
        if entries is not None and any(kind.translates for kind in kinds) and not len(entries.of_one_piece()):
            raise UserError(
                "no entry of the dictionary has one piece on both sides", hint="dict_mlm needs such entries"
            )
        batches = CorpusBatches(
            store, encoder.template, config.views, config.training, longest=encoder.max_pieces, links=linked,
            translations=None if entries is None else Translations(entries.of_one_piece(), encoder.template.vocabulary),
        )  # fmt: skip
        learner = Learner(encoder, make_objectives(config, encoder, entries))
        trainer = Trainer(
            learner,
            batches,
            config.training,
            run=folder.path,
            settings=settings,
            title=folder.name,
            quiet=quiet,
            watch=watch,
            track=() if look else track,
        )
        if look is not None:
            look(trainer, store)
            return folder.path
        outcome = trainer.train(resume=resume)
    except Stopped:
        folder.save(status="stopped")
        raise
    except BaseException:
        folder.abandon()
        raise
    made = asdict(outcome)
    final = folder.path / "encoder"
    provenance = read_provenance(base)
    facts |= {
        "parent": settings["base"] if folder.verb == "align" or provenance else None,
        "seed": config.training.seed,
        "seeds": provenance.get("seeds", {}) | {folder.verb: config.training.seed},
        "languages": store.languages,
        "base": base,
        "objectives": config.objectives,
        "data": kept_lines(store),
        "steps": outcome.steps,
        "records_seen": outcome.records_seen,
        "command": folder.facts["command"],
        "settings": config.model_dump(mode="json"),
    }
    if trainer.rank == 0:
        try:
            with beside(final) as part:
                encoder.save_pretrained(part, weights=config.weights)
                facts["model_hash"] = encoder.digest()  # of the weights as rounded for the file
                write_card(part, facts, head=encoder.has_head)
        except BaseException:
            folder.save(status="stopped")  # the last checkpoint is there to go on from
            raise
    folder.save(
        status="done",
        steps=outcome.steps,
        pairs_seen=outcome.records_seen,
        tokens_seen=outcome.pieces_seen,
        seconds=round(outcome.seconds, 2),
        padding=round(outcome.padding, 4),
        device=outcome.device,
        precision=outcome.precision,
        ranks=outcome.ranks,
        threads=torch.get_num_threads(),
        parameters=encoder.parameter_count(),
        alarms=made["alarms"],
        model_hash=facts.get("model_hash") or encoder.digest(),
        parent=facts["parent"],
    )
    for alarm in outcome.alarms:
        echo(f"ALARM {alarm}", quiet=quiet)
    echo(f"{final}  ({outcome.seconds:,.0f} s, {outcome.records_seen:,} records seen)", quiet=quiet)
    return final


def make_objectives(config: RunConfig, encoder: Encoder, dictionary: Dictionary | None = None) -> dict[str, Objective]:
    """The objectives of a run, their fresh weights drawn from the run's seed; some are made with its dictionary."""
    out = {}
    for name in config.objectives:
        kind = find_objective(name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_for(config.training.seed, _HEADS))
            given = {"dictionary": dictionary} if kind.needs_dictionary else {}
            out[kind.name] = kind(config.section(name), encoder, **given)
    return out
