"""``paralign grid``: every pretraining method on every derived language, fine-tuned and compared."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from paralign.commands.analyze_results import analyze_results
from paralign.commands.evaluate import evaluate
from paralign.commands.finetune import finetune
from paralign.commands.pretrain import PretrainRequest, Scratch, check_unchanged, pretrain
from paralign.config import Config, merge, parse_override, resolve, section
from paralign.encoder.families import parse_arch
from paralign.encoder.tokenizer import KINDS
from paralign.errors import UserError
from paralign.languages import DERIVED_SEPARATOR, parse_derived
from paralign.runs.cells import Cell, run_cells
from paralign.runs.finetune_settings import FinetuneData, finetune_settings, identity
from paralign.runs.folder import RunFolder
from paralign.runs.groups import begin, run_recorded
from paralign.runs.inputs import check_inputs, finetune_inputs
from paralign.runs.settings import load_recipe, run_settings
from paralign.sources.readers import read_pairs
from paralign.sources.specs import check_readable_again, parse_pairs, parse_text
from paralign.tasks.base import read_data

__all__ = ["GridConfig", "run_grid"]


class GridConfig(Config):
    """Settings under ``[grid]``."""

    methods: list[str] = Field(min_length=1)
    """Recipes of ``pretrain``."""
    languages: list[str] = Field(min_length=1)
    """Transformations of the language: ``trans+inv``, or with a word order file ``trans+syn@FILE``."""
    seeds: int = Field(default=1, ge=1)
    """Number of pretraining seeds, consecutive numbers."""
    first_seed: int = Field(default=0, ge=0)
    """The first pretraining seed."""
    finetune_seeds: int = Field(default=1, ge=1)
    """Number of fine-tuning seeds."""
    arch: str = "bert:4x256"
    """Shape of the encoders, FAMILY:LAYERSxWIDTH."""
    tokenizer: str = "bpe"
    """``wordpiece`` or ``bpe``, to train a tokenizer on the text, or the folder of one."""
    vocab: int = Field(default=8_000, ge=100)
    """Vocabulary size of the original language. With the twins the encoder has twice as many pieces."""
    max_length: int = Field(default=128, ge=16)
    """Maximum sequence length of the encoders, in pieces."""
    pretrain: list[str] = Field(default=[])
    """Settings of every pretraining run, as ``section.key=value``."""
    finetune: list[str] = Field(default=[])
    """Settings of every fine-tuning run, as ``section.key=value``."""

    @model_validator(mode="after")
    def _vocab_is_used(self) -> Self:
        if self.tokenizer not in KINDS and "vocab" in self.model_fields_set:
            raise ValueError(f"grid.vocab is for a tokenizer that is trained, but {self.tokenizer} is one already")
        return self


def run_grid(
    out: str | Path,
    *,
    text: str,
    task: str,
    train: str,
    eval: str,
    recipe: str = "align-mlm-grid",
    overrides: Sequence[str] = (),
    limit: int | None = None,
    lenient: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Compare pretraining methods on derived languages (the experiment of ALIGN-MLM, Tang et al. 2022).

    For every derived language, method and seed:

    1. An encoder is pretrained from scratch on pairs of sentences: the text and its derived counterpart. All methods
       see the same pairs.
    2. It is fine-tuned on the original language and evaluated on both languages; and fine-tuned and evaluated on the
       derived language.
    3. The retrieval of twin pieces is measured.

    The report shows all scores and their correlation.

    Args:
        out: output folder; another task in the same folder reuses the encoders.
        text: ``LANG=PATH``: plain text, or a treebank if a language is derived by ``syn``.
        task: name of a task with a head.
        train: training data of the task, in the language of ``text``: ``PATH`` or ``LANG=PATH``.
        eval: test data of the task, given as ``train``.
        recipe: name of a recipe or TOML file with ``[grid]``.
        overrides: settings as ``grid.key=value``.
        limit: number of sentences used of the text, and of items of every data set, the first ones. None: all.
        lenient: drop and count lines of ``text`` that cannot be read, as always in ``train`` and ``eval``.
        resume: continue in ``out``; finished runs are not repeated. Those of other seeds stay on the page.
        quiet: print nothing.

    Returns:
        The path of the report.

    Raises:
        UserError: for settings that cannot be used, and if ``out`` is not empty and ``resume`` is off.
    """
    from paralign.report import write_report

    settings = merge(load_recipe(recipe), *map(parse_override, overrides))
    unknown = sorted(set(settings) - {"grid"})
    if unknown or "grid" not in settings:
        message = f"unknown section {unknown[0]!r}" if unknown else "no section [grid]"
        hint = "only grid.KEY can be set here; settings of the runs are in the lists grid.pretrain and grid.finetune"
        raise UserError(message, where=recipe, hint=hint)
    config = resolve(GridConfig, section(settings, "grid"), section="grid")
    spec = parse_text(text)
    if parse_derived(spec.language) is not None:
        raise UserError(
            f"the text is in {spec.language}", hint="give the original language: the grid derives the others"
        )
    train, eval = (_path_of(data, spec.language) for data in (train, eval))
    tags = {steps: parse_text(f"{spec.language}~{steps}={spec.path}").language for steps in config.languages}
    _check(config, spec.path, tags, task, train, eval, lenient)
    out = Path(out)
    note = begin(out, resume, quiet)
    inputs = _GridInputs(spec.path, task, train, eval, config, limit, lenient, quiet)
    cells = [
        _GridCell(out, inputs, spec.language, steps, tags[steps], method, seed)
        for steps in config.languages
        for method in config.methods
        for seed in range(config.first_seed, config.first_seed + config.seeds)
    ]
    others = _other_seeds(cells)
    to_run = [Cell(cell.title, _run_cell, {"cell": cell}, cell.method) for cell in cells]
    for _ in run_cells(to_run, note):
        pass
    runs = [run for cell in (*cells, *others) for run in cell.runs]
    transfer = out / f"transfer-{task}"
    analyze_results("transfer", runs, out=transfer, replace=True, quiet=quiet)
    return write_report([transfer, *runs], out / f"report-{task}.html", title=f"Derived languages, {task}").html


@dataclass(frozen=True)
class _GridInputs:
    """What all cells of a grid have in common: text, data of the task (paths) and settings."""

    text: str
    task: str
    train: str
    eval: str
    config: GridConfig
    limit: int | None
    lenient: bool
    quiet: bool


@dataclass(frozen=True)
class _GridCell:
    """A method on a language with one seed: an encoder, and its runs."""

    out: Path
    inputs: _GridInputs
    language: str
    steps: str
    tag: str
    method: str
    seed: int

    @property
    def title(self) -> str:
        return f"{self.tag}  {self.method}  seed {self.seed}"

    @property
    def name(self) -> str:
        return f"{self.tag}-{self.method}-{self.seed}"

    @property
    def derived(self) -> str:
        """The derived language as the user wrote it, with the file of its word order."""
        return f"{self.language}~{self.steps}"

    @property
    def encoder(self) -> Path:
        """Folder of the pretraining run."""
        return self.out / "encoders" / self.name

    @property
    def pretraining(self) -> PretrainRequest:
        """What the encoder is pretrained on, and how."""
        config, limit = self.inputs.config, self.inputs.limit
        vocab = config.vocab if config.tokenizer in KINDS else Scratch.vocab
        return PretrainRequest(
            Scratch(config.arch, config.tokenizer, vocab, config.max_length),
            pairs=[f"{self.language}:{self.derived}={self.inputs.text}"],
            recipe=self.method,
            overrides=[*([f"data.limit={limit}"] if limit else []), *config.pretrain, f"training.seed={self.seed}"],
        )

    @property
    def finetuned(self) -> list[Path]:
        """Folders of the runs that train on the original and on the derived language."""
        return [self.out / self.inputs.task / f"{self.name}-on-{side}" for side in ("original", "derived")]

    @property
    def twins(self) -> Path | None:
        """Folder of the retrieval of twin pieces; None if the language has none."""
        language = parse_derived(self.tag)
        return self.out / "twins" / self.name if language is not None and language.uses_twins else None

    @property
    def runs(self) -> list[Path]:
        return [*self.finetuned, *([self.twins] if self.twins else [])]

    @property
    def data(self) -> list[tuple[str, list[str]]]:
        """The training set and the test sets of the runs of ``finetuned``."""
        tags, paths = (self.language, self.derived), (self.inputs.train, self.inputs.eval)
        train_sets, tests = ([f"{tag}={path}" for tag in tags] for path in paths)
        return [(train_sets[side], tests[side:]) for side in (0, 1)]


def _other_seeds(cells: Sequence[_GridCell]) -> list[_GridCell]:
    """Return the finished cells in the folder that differ from the given ones only in their seeds.

    Raises:
        UserError: if settings or data of one differ from those of the grid.
    """
    found = []
    for cell in (cell for cell in cells if cell.seed == cell.inputs.config.first_seed):
        prefix, suffix = f"{cell.tag}-{cell.method}-", "-on-original"
        for folder in sorted((cell.out / cell.inputs.task).glob(f"{glob.escape(prefix)}*{suffix}")):
            number = folder.name.removeprefix(prefix).removesuffix(suffix)
            other = replace(cell, seed=int(number)) if number.isdecimal() else cell
            if other not in cells and _is_done(other):
                found.append(other)
    return found


def _is_done(cell: _GridCell) -> bool:
    if not all((run / "run.json").is_file() for run in cell.runs):
        return False
    request, inputs = cell.pretraining, cell.inputs
    check_unchanged(RunFolder(cell.encoder, "pretrain", resume=True), request, request.config)
    settings, _ = finetune_settings(inputs.task, None, inputs.config.finetune)
    done = cell.twins is None or RunFolder(cell.twins, "evaluate", resume=True).finished
    for run, (train, tests) in zip(cell.finetuned, cell.data, strict=True):
        folder = RunFolder(run, "finetune", resume=True)
        folder.check_settings(identity(settings, inputs.task, FinetuneData([train], tests, limit=inputs.limit)))
        check_inputs(folder, **finetune_inputs([train], tests))
        done = done and folder.finished
    return done


def _run_cell(cell: _GridCell) -> None:
    """Pretrain an encoder, fine-tune it on each side, and measure its twins."""
    inputs, encoder = cell.inputs, _pretrain(cell)
    for run, (train, tests) in zip(cell.finetuned, cell.data, strict=True):
        run_recorded(
            finetune,
            model=str(encoder),
            task=inputs.task,
            train=train,
            eval=tests,
            seeds=inputs.config.finetune_seeds,
            overrides=inputs.config.finetune,
            limit=inputs.limit,
            keep_models=False,
            lenient=True,
            out=run,
            resume=True,
            quiet=inputs.quiet,
        )
    if cell.twins is not None:
        _evaluate_twins(cell.twins, encoder, f"{cell.language}:{cell.tag}=pieces")


def _path_of(data: str, language: str) -> str:
    """Return the path of data, given as ``PATH`` or ``LANG=PATH``.

    Raises:
        UserError: if its language is not that of the text.
    """
    if "=" not in data or Path(data).exists():
        return data
    spec = parse_text(data)
    if spec.language != language:
        message = f"the data are in {spec.language}, the text is in {language}"
        raise UserError(message, where=data, hint="give both in one language")
    return spec.path


def _check(
    config: GridConfig, text: str, tags: dict[str, str], task: str, train: str, eval: str, lenient: bool
) -> None:
    """Check settings and data that would otherwise cause an error after hours of pretraining.

    Raises:
        UserError: for the first that cannot be used.
    """
    if len(set(tags.values())) < len(tags):
        raise UserError(f"two languages have the same name: {', '.join(tags)}", hint="rename a word order file")
    parse_arch(config.arch)
    check_readable_again([text, train, eval], "every run of the grid reads its data")
    for method in config.methods:
        run_settings(method, config.pretrain)
    _, task_instance = finetune_settings(task, None, config.finetune)
    for steps, tag in tags.items():
        base = tag.partition(DERIVED_SEPARATOR)[0]
        derived = f"{base}{DERIVED_SEPARATOR}{steps}"
        for path in (train, eval):
            read_data(task_instance, f"{derived}={path}", lenient=True, limit=1)
        if next(read_pairs(parse_pairs(f"{base}:{derived}={text}"), lenient=lenient), None) is None:
            raise UserError(f"no sentence can be converted to {derived}", where=text)


def _pretrain(cell: _GridCell) -> Path:
    request = cell.pretraining
    return run_recorded(
        pretrain,
        pairs=request.pairs,
        recipe=request.recipe,
        **request.scratch,
        overrides=request.overrides,
        lenient=cell.inputs.lenient,
        out=cell.encoder,
        resume=True,
        quiet=cell.inputs.quiet,
    )


def _evaluate_twins(run: Path, encoder: Path, pair: str) -> None:
    if not ((run / "results.jsonl").is_file() and RunFolder(run, "evaluate", resume=True).finished):
        run_recorded(evaluate, model=str(encoder), task="twins", data=[pair], out=run, quiet=True)
