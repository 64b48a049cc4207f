"""``paralign align``: align an encoder with parallel text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paralign.commands.arguments import one_or_several
from paralign.config import merge, parse_override
from paralign.console import echo
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.runs.corpus import with_filter_of
from paralign.runs.finished import check_finished
from paralign.runs.folder import RunFolder
from paralign.runs.inputs import check_inputs, data_files, dictionary_files, model_files, objective_files, store_entries
from paralign.runs.options import RunOptions
from paralign.runs.settings import RunConfig, run_settings
from paralign.runs.start_checkpoint import StartCheckpoint
from paralign.runs.train import PreparedTraining, prepare_training
from paralign.runs.training_data import TrainingInputs
from paralign.sources.specs import check_separate_pipes, parse_pairs

__all__ = ["AlignRequest", "align", "prepare_align", "run_align"]


@dataclass(frozen=True)
class AlignRequest:
    """Parameters of :func:`align` that affect the result."""

    model: str | None
    pairs: Sequence[str] = ()
    corpus: str | Path | None = None
    links: Sequence[str] = ()
    dictionary: Sequence[str] = ()
    recipe: str = "ppa"
    overrides: Sequence[str] = ()
    from_checkpoint: str | Path | None = None
    control: bool = False

    def __post_init__(self) -> None:
        if self.control:  # masked LM reads neither
            object.__setattr__(self, "links", ())
            object.__setattr__(self, "dictionary", ())

    @property
    def config(self) -> RunConfig:
        """The validated settings."""
        return run_settings(self.recipe, self.overrides, control=self.control)


@one_or_several
def align(
    model: str | None = None,
    *,
    out: str | Path,
    pairs: str | Sequence[str] = (),
    corpus: str | Path | None = None,
    links: str | Sequence[str] = (),
    dictionary: str | Sequence[str] = (),
    recipe: str = "ppa",
    overrides: str | Sequence[str] = (),
    lenient: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
    track: str | Sequence[str] = (),
    from_checkpoint: str | Path | None = None,
    control: bool = False,
) -> Path:
    """Align an encoder with parallel text.

    Args:
        model: folder or hub name of an encoder; of a masked LM if an objective needs logits over the vocabulary. None:
            the encoder that the run of ``from_checkpoint`` was trained from.
        out: folder of the run; the encoder is written to ``out/encoder``.
        pairs: parallel text, each as ``SRC-TGT=PATH``.
        corpus: folder of a token store, used instead of ``pairs``.
        links: word links for objectives that need them, as ``SRC-TGT=PATH`` for each of ``pairs`` in the same order.
            Empty: links are computed with the settings of ``[links]``.
        dictionary: bilingual dictionaries for objectives that need one, each as ``SRC-TGT=PATH``. Empty: the dictionary
            maps pieces to their twins, which only derived languages have.
        recipe: name of a recipe (``paralign list recipes``) or path of a TOML file.
        overrides: settings that override the recipe: ``section.key=value``, or nested as
            ``{"training": {"steps": 1000}}``. ``settings`` is another name of this argument.
        lenient: drop and count lines that cannot be read instead of raising.
        resume: continue the run in ``out``.
        quiet: print nothing.
        command: recorded with the run. None: the command line, or the call from Python.
        track: experiment trackers that receive the log: ``tensorboard``, ``wandb`` or others that accelerate supports.
        from_checkpoint: folder of a checkpoint, ``RUN/checkpoints/step-00000500``, whose encoder the run starts from,
            for example the last good one of a run that diverged. Objectives and the schedule start over. None: the run
            starts from ``model``.
        control: whether to train the control of the recipe instead: masked LM on the same pairs, with the same batches,
            steps and learning rate. ``links``, ``dictionary`` and settings of the recipe's objectives are ignored.

    Returns:
        The folder of the aligned encoder, a plain Hugging Face folder.

    Raises:
        UserError: for input or settings that cannot be used.
        paralign.errors.Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.

    Example:
        >>> import paralign
        >>> encoder = paralign.align(
        ...     "paralign-mini", pairs="en-de=smallworld:0-64", recipe="in-batch-mini", out="runs/in-batch", quiet=True,
        ...     overrides={"training": {"steps": 2, "batch": 8}},
        ... )
        >>> paralign.Encoder.from_pretrained(encoder).encode(["The dog sleeps.", "Der Hund schläft."]).shape
        (2, 256)
    """
    request = AlignRequest(model, pairs, corpus, links, dictionary, recipe, overrides, from_checkpoint, control)
    return run_align(RunOptions(Path(out), resume, quiet, lenient, tuple(track), command), request)


def run_align(options: RunOptions, request: AlignRequest) -> Path:
    """Run :func:`align` with its parameters grouped."""
    prepared = prepare_align(options, request)
    return options.out / "encoder" if prepared is None else prepared.run()


def prepare_align(options: RunOptions, request: AlignRequest) -> PreparedTraining | None:
    """Read and check the inputs of a run.

    Returns:
        The run, or None if it is already finished.

    Raises:
        UserError: for input or settings that cannot be used.
    """
    if request.model is None and request.from_checkpoint is None:
        raise UserError("no encoder is given", hint="--model ENCODER, or --from-checkpoint")
    check_separate_pipes([*request.pairs, *request.links, *request.dictionary])
    config = request.config
    specs = [parse_pairs(text) for text in request.pairs]
    if bool(specs) == bool(request.corpus):
        raise UserError("give either --pairs or --corpus")
    if request.corpus:
        given = merge(*map(parse_override, request.overrides))
        config = with_filter_of(request.corpus, config, given.get("data", {}))
    start = StartCheckpoint(request.from_checkpoint) if request.from_checkpoint else None
    model = request.model or (start.model() if start else "")
    folder = RunFolder(options.out, "align", resume=options.resume, command=options.command)
    folder.check_settings(config.model_dump(mode="json"))
    check_inputs(
        folder,
        pairs=data_files(specs),
        corpus=store_entries(request.corpus) if request.corpus else [],
        links=data_files(request.links),
        encoders=objective_files(config),
        dictionary=dictionary_files(request.dictionary),
        model=model_files(model),
        checkpoint=start.entries if start else [],
    )
    if folder.finished:
        check_finished(folder, model, specs)
        echo(f"{options.out} is finished", quiet=options.quiet)
        return None
    encoder = Encoder.from_pretrained(model, chunk_cost=config.training.chunk_cost, quiet=options.quiet)
    if start is not None:
        start.load_into(encoder)
    inputs = TrainingInputs(model, specs, request.corpus, request.links, request.dictionary, start=start)
    return prepare_training(folder, encoder, inputs, config, options)
