"""Training runs of ``align`` and ``pretrain``: preparation, training, and the folder of the encoder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from paralign.batches.masking import PieceTranslations
from paralign.console import echo
from paralign.corpus.store import TokenStore
from paralign.device import best_device, processes
from paralign.digests import file_digest, write_digests
from paralign.encoder import Encoder
from paralign.encoder.card import read_provenance, write_card
from paralign.encoder.hf import set_dropout
from paralign.encoder.loading import sentence_note
from paralign.encoder.precision import choose_precision
from paralign.errors import Stopped, UserError
from paralign.folders import atomic_folder
from paralign.objectives import find_objective
from paralign.runs.corpus import kept_lines
from paralign.runs.folder import RunFolder
from paralign.runs.language_statistics import unknown_shares
from paralign.runs.model_folder import lineage_of
from paralign.runs.objectives import (
    check_objectives,
    make_objective,
    make_objectives,
    needs_links,
    objective_classes,
)
from paralign.runs.options import RunOptions
from paralign.runs.settings import RunConfig
from paralign.runs.training_data import TrainingInputs, read_corpus, read_dictionary, read_links
from paralign.runs.training_lineage import origin_of_scratch, training_lineage
from paralign.training import Callback, CorpusBatches, HeldOutEvaluation, Learner, Outcome, Trainer
from paralign.training.alarms import Alarms
from paralign.training.checkpoint_losses import Diverged
from paralign.training.gradient_cosine import check_losses
from paralign.training.head import HeadFit
from paralign.training.memory import check_memory
from paralign.training.trackers import Trackers, check_trackers
from paralign.words.base import find_aligner

__all__ = ["PreparedTraining", "prepare_training"]


@dataclass(frozen=True)
class PreparedTraining:
    """A training run before its first step: the inputs have been read and checked.

    Attributes:
        folder: the folder of the run.
        inputs: the inputs of the run.
        config: the settings of the run.
        options: options that do not affect the result.
        encoder: the encoder to train.
        store: the token store.
        trainer: the training loop.
        origin: the lineage of the encoder it is trained from.
    """

    folder: RunFolder
    inputs: TrainingInputs
    config: RunConfig
    options: RunOptions
    encoder: Encoder
    store: TokenStore
    trainer: Trainer
    origin: str

    def run(self) -> Path:
        """Train, and write the encoder, its model card and the summary of the run.

        Returns:
            The folder of the encoder.

        Raises:
            Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.
        """
        folder = self.folder
        try:
            outcome = self.trainer.train(resume=self.options.resume)
        except Stopped:
            folder.save(status="stopped")
            raise
        except BaseException as error:
            folder.abandon()
            if isinstance(error, Diverged) and folder.verb == "align":
                raise error.of_align() from None
            raise
        if any(kind.needs_logits for kind in objective_classes(self.config)):
            self.encoder.head_is_new = False
        final = folder.path / "encoder"
        try:
            facts = self._facts(outcome)
            if self.trainer.rank == 0:
                with atomic_folder(final, replace=True) as part:
                    self.encoder.save_pretrained(part, weights=self.config.weights)
                    facts["model_hash"] = self.encoder.digest()  # of the weights as rounded for the file
                    write_card(part, facts, head=self.encoder.has_head)
                    write_digests(part)
        except BaseException:
            folder.save(status="stopped")  # the run can be resumed from its last checkpoint
            raise
        folder.save(
            status="done",
            logs={"log.jsonl": file_digest(folder.path / "log.jsonl")} if folder.main else {},
            steps=outcome.steps,
            pairs_seen=outcome.records_seen,
            tokens_seen=outcome.pieces_seen,
            seconds=round(outcome.seconds, 2),
            padding=round(outcome.padding, 4),
            device=outcome.device,
            precision=outcome.precision,
            ranks=outcome.ranks,
            threads=torch.get_num_threads(),
            parameters=self.encoder.parameter_count(),
            alarms=list(outcome.alarms),
            model_hash=facts.get("model_hash") or self.encoder.digest(),
            parent=facts["parent"],
            origin=facts["origin"],
            lineage=facts["lineage"],
        )
        quiet = self.options.quiet
        for alarm in outcome.alarms:
            echo(f"WARNING {alarm}", quiet=quiet)
        echo(f"{final}  ({outcome.seconds:,.0f} s, {outcome.records_seen:,} records seen)", quiet=quiet)
        if outcome.signal:  # it came too late to stop this run, but not what follows, as in a grid
            raise Stopped(outcome.signal, None)
        return final

    def _facts(self, outcome: Outcome) -> dict[str, Any]:
        """Return the facts for the model card."""
        config, verb, base = self.config, self.folder.verb, self.inputs.base
        provenance = read_provenance(base)
        start = self.inputs.start
        parent = self.trainer.settings["base"] if start is None else start.lineage["parent"]
        return {
            "origin": self.origin,
            "lineage": self.trainer.lineage,
            "method": config.method,
            "control": config.control,
            "parent": parent if verb == "align" or provenance else None,
            "seed": config.training.seed,
            "seeds": provenance.get("seeds", {}) | {verb: config.training.seed},
            "languages": self.store.languages,
            "base": base,
            **({"checkpoint": {"path": str(start.path), **start.lineage}} if start else {}),
            "objectives": config.objectives,
            "data": kept_lines(self.store),
            "unknown": unknown_shares(self.store, self.encoder),
            "alarms": list(outcome.alarms),
            "steps": outcome.steps,
            "records_seen": outcome.records_seen,
            "device": outcome.device,
            "threads": torch.get_num_threads(),
            "command": self.folder.facts["command"],
            "settings": config.model_dump(mode="json"),
        }


def prepare_training(
    folder: RunFolder, encoder: Encoder, inputs: TrainingInputs, config: RunConfig, options: RunOptions
) -> PreparedTraining:
    """Check settings against the encoder, build or open the token store, and set up the training loop.

    Raises:
        UserError: for input or settings that cannot be used. The folder of the run is then removed.
    """
    parts = processes() if config.training.shard else 1
    check_memory(encoder, best_device(), parts=parts)
    check_trackers(options.track)
    # It refuses bf16 before a corpus is built.
    precision = choose_precision(config.training.precision, [encoder], quiet=True)
    check_objectives(config, encoder, base=inputs.base, links=inputs.links, dictionary=inputs.dictionary)
    config.training.check_division(processes())
    of_encoder = needs_links(config) and not inputs.links and "model" in find_aligner(config.links.method).requires
    if of_encoder and inputs.start is not None:
        message = f"links.method={config.links.method} would use the base of the checkpoint, not its encoder"
        raise UserError(message, hint="compute the links with paralign words, and pass them with --links")
    if not options.quiet:
        _echo_notes(config, encoder, inputs)
    if config.training.dropout is not None:
        set_dropout(encoder.model, config.training.dropout)
    # Before any work: they refuse settings and load encoders. Those with a dictionary wait for it.
    objectives = {name: make_objective(name, config, encoder) for name in config.objectives
                  if not find_objective(name).needs_dictionary}  # fmt: skip
    if len(objectives) == len(config.objectives):
        check_losses(config.training, sum(len(objective.weights()) for objective in objectives.values()))
    check_memory(nn.ModuleList([encoder, *objectives.values()]), best_device(), parts=parts)
    settings = config.model_dump(mode="json") | {"base": encoder.digest()}
    if not inputs.scratch:
        folder.check_encoder("base_hash", settings["base"])
    if inputs.start is not None:
        settings["from_checkpoint"] = dict(inputs.start.lineage)
    started = {"from_checkpoint": {"path": str(inputs.start.path), **inputs.start.lineage}} if inputs.start else {}
    sources = started | {"model": inputs.base, "text": [str(s) for s in inputs.specs] or [str(inputs.corpus)]}
    try:
        folder.begin(
            {**sources, "scratch": dict(inputs.scratch), **config.model_dump(mode="json")},
            method=config.method,
            control=config.control,
            base_hash=settings["base"],
        )
        store = read_corpus(folder, encoder, inputs, config, options)
        links = read_links(folder, store, inputs, config, options)
        dictionary = read_dictionary(folder, encoder, store, inputs, config, options)
        translations = None
        if dictionary is not None:
            translations = PieceTranslations(dictionary.single_piece_entries(), encoder.template.vocabulary)
        batches = CorpusBatches(
            store,
            encoder.template,
            config.views,
            config.training,
            longest=encoder.max_pieces,
            links=links,
            translations=translations,
        )
        origin = _origin(encoder, store, inputs, settings["base"])
        trainer = Trainer(
            Learner(encoder, make_objectives(config, encoder, dictionary, objectives)),
            batches,
            config.training,
            run=folder.path,
            settings=settings,
            lineage=training_lineage(
                origin,
                folder.verb,
                config,
                precision,
                store,
                links,
                folder.facts["inputs"]["dictionary"],
                inputs.start.made_by if inputs.start else (),
            ),
            title=folder.name,
            quiet=options.quiet,
            callbacks=_callbacks(inputs, options),
        )
        _check_first_batch(trainer)
    except BaseException:
        folder.abandon()
        raise
    return PreparedTraining(folder, inputs, config, options, encoder, store, trainer, origin)


def _origin(encoder: Encoder, store: TokenStore, inputs: TrainingInputs, digest: str) -> str:
    """Return the lineage of the encoder that a run starts from; ``digest`` is that of its weights."""
    if inputs.scratch:  # new weights, and a vocabulary learned from the text
        return origin_of_scratch(inputs.scratch, encoder, store)
    parent = inputs.start.lineage["parent"] if inputs.start else None
    return lineage_of(inputs.base) or str(parent or digest)


def _echo_notes(config: RunConfig, encoder: Encoder, inputs: TrainingInputs) -> None:
    """Print a note if logits come from a new vocabulary head, and if a teacher's targets are not its own vectors."""
    kinds = objective_classes(config)
    if encoder.head_is_new and (inputs.heldout is not None or any(kind.needs_logits for kind in kinds)):
        echo(f"note: {inputs.base} has no vocabulary head; it gets a new one")
    for kind in kinds:
        section = getattr(config, kind.name)
        for teacher in kind.encoders(section):
            if note := sentence_note(teacher, getattr(section, "pool", "mean")):
                echo(note)


def _check_first_batch(trainer: Trainer) -> None:
    """Check that views and objectives fit the data, by assembling the first batch.

    Raises:
        UserError: if one does not fit, as ``views.language_types`` with three languages.
    """
    batch = trainer.batches.batch(0)
    for view in trainer.views:
        batch.view(view)
    trainer.learner.counts(batch)


def _callbacks(inputs: TrainingInputs, options: RunOptions) -> list[Callback]:
    callbacks: list[Callback] = [Trackers(options.track)] if options.track else []  # before entries are logged
    callbacks += [HeadFit(), Alarms(trained=not inputs.scratch)]
    if inputs.heldout is not None:
        callbacks.append(HeldOutEvaluation(inputs.heldout))
    return callbacks
