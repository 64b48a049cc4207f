"""``paralign pretrain``: train a masked LM on plain text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from paralign.batches.views import PAIR_VIEWS
from paralign.commands.arguments import one_or_several
from paralign.console import echo
from paralign.corpus.mixing import MixedText
from paralign.digests import write_digests
from paralign.encoder import Encoder, train_tokenizer
from paralign.encoder.families import parse_arch
from paralign.encoder.loading import load_tokenizer
from paralign.encoder.tokenizer import KINDS
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.languages import parse_derived
from paralign.objectives import find_objective
from paralign.rng import seed_for
from paralign.runs.corpus import check_languages_or_warn
from paralign.runs.finished import check_finished
from paralign.runs.folder import RunFolder
from paralign.runs.inputs import check_inputs, data_files, dictionary_files, model_files, objective_files
from paralign.runs.main_process import main_process_first
from paralign.runs.objectives import NEW_WEIGHTS
from paralign.runs.options import RunOptions
from paralign.runs.settings import RunConfig, run_settings
from paralign.runs.train import PreparedTraining, prepare_training
from paralign.runs.training_data import TrainingInputs
from paralign.sources.specs import (
    PairSpec,
    TextSpec,
    check_readable_again,
    check_separate_pipes,
    parse_pairs,
    parse_text,
)
from paralign.training.heldout import HeldOut

__all__ = [
    "PretrainRequest",
    "Scratch",
    "check_start",
    "check_unchanged",
    "prepare_pretrain",
    "pretrain",
    "run_pretrain",
]


@dataclass(frozen=True)
class Scratch:
    """The configuration of an encoder that is trained from scratch.

    Attributes:
        arch: ``family:LAYERSxWIDTH``.
        tokenizer: ``wordpiece`` or ``bpe`` to train one on the text, or the folder of a tokenizer.
        vocab: number of pieces of a trained tokenizer.
        max_length: number of positions.
    """

    arch: str
    tokenizer: str = "wordpiece"
    vocab: int = 12_000
    max_length: int = 256


@dataclass(frozen=True)
class PretrainRequest:
    """Parameters of :func:`pretrain` that affect the result; ``start`` is an encoder, or the configuration of one."""

    start: str | Scratch
    text: Sequence[str] = ()
    pairs: Sequence[str] = ()
    heldout: Sequence[str] = ()
    dictionary: Sequence[str] = ()
    recipe: str = "pretrain"
    overrides: Sequence[str] = ()

    @property
    def config(self) -> RunConfig:
        """The validated settings."""
        return run_settings(self.recipe, self.overrides)

    @property
    def scratch(self) -> dict[str, Any]:
        """The configuration of an encoder from scratch as a dictionary; empty otherwise."""
        return asdict(self.start) if isinstance(self.start, Scratch) else {}


@one_or_several
def pretrain(
    *,
    out: str | Path,
    text: str | Sequence[str] = (),
    pairs: str | Sequence[str] = (),
    arch: str | None = None,
    model: str | None = None,
    tokenizer: str = "wordpiece",
    vocab: int = 12_000,
    max_length: int = 256,
    heldout: str | Sequence[str] = (),
    dictionary: str | Sequence[str] = (),
    recipe: str = "pretrain",
    overrides: str | Sequence[str] = (),
    lenient: bool = False,
    resume: bool = False,
    quiet: bool = False,
    command: str | None = None,
    track: str | Sequence[str] = (),
) -> Path:
    """Train a masked LM on plain text or pairs, from scratch or from an encoder.

    Args:
        out: folder of the run; the encoder is written to ``out/encoder``.
        text: plain text, each as ``LANG=PATH``.
        pairs: parallel text, each as ``SRC-TGT=PATH``, used instead of ``text``. Both sides are trained on, and
            objectives may read pairs.
        arch: architecture of an encoder trained from scratch, as ``family:LAYERSxWIDTH``.
        model: folder or hub name of the encoder to start from, used instead of ``arch``.
        tokenizer: ``wordpiece`` or ``bpe`` to train one on the text, or the folder of a tokenizer. Only with ``arch``.
        vocab: number of pieces of a trained tokenizer. Only with ``arch``.
        max_length: number of positions. Only with ``arch``.
        heldout: held-out text, each as ``LANG=PATH``; its masked-LM loss is logged by language.
        dictionary: as in :func:`paralign.align`.
        recipe, overrides, lenient, resume, quiet, command, track: as in :func:`paralign.align`.

    Returns:
        The folder of the encoder, a plain Hugging Face folder.

    Raises:
        UserError: for input or settings that cannot be used.
        paralign.errors.Stopped: after Ctrl-C or SIGTERM, with a checkpoint saved.

    Example:
        >>> import paralign
        >>> encoder = paralign.pretrain(
        ...     text=["en=smallworld:0-100", "de=smallworld:100-200"], arch="bert:1x32", vocab=200, out="runs/base",
        ...     overrides={"training": {"steps": 2, "batch": 8}}, quiet=True,
        ... )
        >>> encoder.as_posix()
        'runs/base/encoder'
    """
    start = check_start(model, arch, Scratch(str(arch), tokenizer, vocab, max_length))
    request = PretrainRequest(start, text, pairs, heldout, dictionary, recipe, overrides)
    return run_pretrain(RunOptions(Path(out), resume, quiet, lenient, tuple(track), command), request)


def check_start(model: str | None, arch: str | None, scratch: Scratch) -> str | Scratch:
    """Return the encoder to start from, or the configuration of a new one.

    Raises:
        UserError: unless exactly one of ``model`` and ``arch`` is given, and if parts of a configuration are given with
            ``model``.
    """
    if bool(arch) == bool(model):
        raise UserError("give either --arch (to train from scratch) or --model")
    default = asdict(Scratch(scratch.arch))
    unused = next((name for name, value in asdict(scratch).items() if model and value != default[name]), None)
    if unused is not None:
        hint = "leave it out, or use --arch instead of --model"
        raise UserError(f"--{unused.replace('_', '-')} is for an encoder trained from scratch", hint=hint)
    return model or scratch


def run_pretrain(options: RunOptions, request: PretrainRequest) -> Path:
    """Run :func:`pretrain` with its parameters grouped."""
    prepared = prepare_pretrain(options, request)
    return options.out / "encoder" if prepared is None else prepared.run()


def prepare_pretrain(options: RunOptions, request: PretrainRequest) -> PreparedTraining | None:
    """Read and check the inputs of a run.

    Returns:
        The run, or None if it is already finished.

    Raises:
        UserError: for input or settings that cannot be used.
    """
    start, text, pairs = request.start, request.text, request.pairs
    config = request.config
    check_separate_pipes([*text, *pairs, *request.heldout, *request.dictionary])
    if bool(text) == bool(pairs):
        raise UserError("give either --text or --pairs" if text else "no text is given", hint="--text en=PATH")
    specs: list[TextSpec] | list[PairSpec] = [parse_pairs(spec) for spec in pairs] or [parse_text(t) for t in text]
    if text:
        _check_views_of_text(config)
    heldout_specs = [parse_text(spec) for spec in request.heldout]
    if isinstance(start, Scratch):
        _check_scratch(start, specs)
    base = start.arch if isinstance(start, Scratch) else start
    folder = RunFolder(options.out, "pretrain", resume=options.resume, command=options.command)
    check_unchanged(folder, request, config)
    if folder.finished:
        check_finished(folder, base, specs)
        echo(f"{options.out} is finished", quiet=options.quiet)
        return None
    check_languages_or_warn(heldout_specs, lenient=options.lenient, quiet=options.quiet)
    try:
        if isinstance(start, Scratch):
            encoder = _from_scratch(folder, start, specs, config, options)
        else:
            encoder = Encoder.from_pretrained(start, chunk_cost=config.training.chunk_cost, quiet=options.quiet)
        evaluate = _heldout_losses(folder, encoder, heldout_specs, options.lenient)
    except BaseException:
        folder.abandon()
        raise
    inputs = TrainingInputs(base, specs, dictionary=request.dictionary, scratch=request.scratch, heldout=evaluate)
    return prepare_training(folder, encoder, inputs, config, options)


def check_unchanged(folder: RunFolder, request: PretrainRequest, config: RunConfig) -> None:
    """Check that a run is resumed with the settings (``request.config``) and inputs it began with.

    Raises:
        UserError: naming the settings or the input that changed.
    """
    start = request.start
    folder.check_settings({"scratch": request.scratch, **config.model_dump(mode="json")})
    check_inputs(
        folder,
        **{"pairs" if request.pairs else "text": data_files(request.pairs or request.text)},
        heldout=data_files(request.heldout),
        encoders=objective_files(config),
        dictionary=dictionary_files(request.dictionary),
        **{"tokenizer": model_files(start.tokenizer)} if isinstance(start, Scratch) else {"model": model_files(start)},
    )


def _check_views_of_text(config: RunConfig) -> None:
    """Check that plain text has what the objectives read.

    Raises:
        UserError: for an objective that reads pairs.
    """
    for name in config.objectives:
        kind = find_objective(name)
        if kind.needs_pairs or kind.needs_links or not set(PAIR_VIEWS).isdisjoint(kind.reads):
            hint = "give --pairs SRC-TGT=PATH, or use objectives of plain text, such as mlm"
            raise UserError(f"the objective {name!r} reads pairs, but --text is plain text", hint=hint)


def _check_scratch(start: Scratch, specs: Sequence[PairSpec] | Sequence[TextSpec]) -> None:
    """Check the configuration of a new encoder, and the text its tokenizer is trained on.

    Raises:
        UserError: for an unknown architecture or tokenizer, a size for a tokenizer that is not trained, and text
            that can be read only once.
    """
    parse_arch(start.arch)
    paths = (path for spec in specs for path in spec.paths)
    check_readable_again(paths, "a tokenizer is trained on the text first")
    similar = get_close_matches(start.tokenizer, KINDS, n=1, cutoff=0.7)
    if similar and start.tokenizer not in KINDS and not Path(start.tokenizer).exists():
        raise UserError(f"unknown tokenizer {start.tokenizer!r}", hint=f"did you mean {similar[0]!r}?")
    if start.tokenizer not in KINDS and start.vocab != Scratch.vocab:
        message = f"--vocab is the size of a tokenizer that is trained, but {start.tokenizer} is one already"
        raise UserError(message, hint="remove --vocab, or train one: --tokenizer " + " or ".join(KINDS))


def _heldout_losses(
    folder: RunFolder, encoder: Encoder, specs: Sequence[TextSpec], lenient: bool
) -> Callable[[], Mapping[str, float]] | None:
    """Return a function that computes losses on held-out text. A resumed run must have the same text."""
    heldout = HeldOut(encoder, specs, lenient=lenient) if specs else None
    digest, before = heldout.digest if heldout else None, folder.before.get("heldout")
    if before is not None and before != digest:
        hint = "give the same --heldout, or start a new run with another --out"
        raise UserError("the held-out text is not the text this run began with", where=folder.path, hint=hint)
    folder.facts["heldout"] = digest
    return heldout.losses if heldout else None


def _from_scratch(
    folder: RunFolder,
    start: Scratch,
    specs: Sequence[PairSpec] | Sequence[TextSpec],
    config: RunConfig,
    options: RunOptions,
) -> Encoder:
    """Create an encoder. A trained tokenizer is stored in the folder of the run and used again when it is resumed."""
    stored = folder.path / "tokenizer"

    def trained_tokenizer() -> Any:
        if stored.is_dir():
            return load_tokenizer(str(stored))
        check_languages_or_warn(specs, lenient=options.lenient, quiet=True)
        echo(f"training a {start.tokenizer} tokenizer of {start.vocab:,} pieces", quiet=options.quiet)
        tokenizer = train_tokenizer(
            MixedText(specs, config.tokenizer.temperature, lenient=options.lenient),
            kind=start.tokenizer,
            size=start.vocab,
            family=parse_arch(start.arch)[0],
            coverage=config.tokenizer.coverage,
        )
        folder.begin({"scratch": asdict(start), **config.model_dump(mode="json")})
        with atomic_folder(stored, replace=True) as part:
            tokenizer.save_pretrained(part)
            write_digests(part)
        return tokenizer

    load = partial(load_tokenizer, start.tokenizer) if start.tokenizer not in KINDS else trained_tokenizer
    tokenizer = main_process_first(load)
    languages = [language for spec in specs for language in map(parse_derived, spec.languages)]
    return Encoder.from_scratch(
        start.arch,
        tokenizer,
        max_length=start.max_length,
        seed=seed_for(config.training.seed, NEW_WEIGHTS, 1),
        chunk_cost=config.training.chunk_cost,
        twins=any(language is not None and language.uses_twins for language in languages),
    )
