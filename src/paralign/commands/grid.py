"""``paralign grid``: every pretraining method on every derived language, fine-tuned and compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from paralign.commands.analyze_transfer import analyze_transfer
from paralign.commands.evaluate import evaluate
from paralign.commands.finetune import finetune
from paralign.commands.pretrain import pretrain
from paralign.config import Config, merge, parse_override, resolve
from paralign.encoder.families import parse_arch
from paralign.errors import UserError
from paralign.languages import DERIVED_SEPARATOR, parse_derived
from paralign.runs.finetune_settings import finetune_settings
from paralign.runs.groups import begin, command_line
from paralign.runs.settings import load_recipe, run_settings
from paralign.sources.readers import read_pairs
from paralign.sources.specs import parse_pairs, parse_text
from paralign.tasks.base import read_data

__all__ = ["GridConfig", "run_grid"]


class GridConfig(Config):
    """Settings under ``[grid]``."""

    methods: list[str] = Field(min_length=1)
    """Recipes of ``pretrain``."""
    languages: list[str] = Field(min_length=1)
    """Transformations of the language: ``trans+inv``, or with a word order file ``trans+syn@FILE``."""
    seeds: int = Field(default=1, ge=1)
    """Number of pretraining seeds."""
    finetune_seeds: int = Field(default=1, ge=1)
    """Number of fine-tuning seeds."""
    arch: str = "bert:4x256"
    tokenizer: str = "bpe"
    vocab: int = Field(default=8_000, ge=100)
    """Vocabulary size of the language; with the twins the encoder has twice as many pieces."""
    max_length: int = Field(default=128, ge=16)
    pretrain: list[str] = Field(default=[])
    """``section.key=value`` of every pretraining."""
    finetune: list[str] = Field(default=[])
    """``section.key=value`` of every fine-tuning."""


def run_grid(
    out: str | Path,
    *,
    text: str,
    task: str,
    train: str,
    eval: str,
    recipe: str = "align-mlm-grid",
    overrides: Sequence[str] = (),
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Run a grid, or resume it.

    For every derived language, method and seed: pretrain from scratch on the text and its derived counterpart, sentence
    by sentence, with the same pairs for every method; fine-tune on the original and score on both languages; fine-tune
    on the derived language and score there; measure the retrieval of twin pieces. The report shows all scores and their
    correlation.

    Args:
        out: output folder; another task in the same folder reuses the encoders.
        text: ``LANG=PATH``: plain text, or a treebank if a language is derived by ``syn``.
        task: name of a task with a head.
        train: training data of the task in that language.
        eval: test data of the task in that language.
        recipe: name of a recipe or TOML file with ``[grid]``.
        overrides: settings as ``grid.key=value``.
        resume: continue in ``out``; finished runs are not repeated.
        quiet: print nothing.

    Returns:
        The path of the report.

    Raises:
        UserError: for settings that cannot be used, and if ``out`` is in use and ``resume`` is off.
    """
    from paralign.report import write_report

    asked = merge(load_recipe(recipe), *map(parse_override, overrides))
    unknown = sorted(set(asked) - {"grid"})
    if unknown or "grid" not in asked:
        what = f"unknown section {unknown[0]!r}" if unknown else "no section [grid]"
        raise UserError(what, where=recipe, hint="only grid.KEY can be set here")
    config = resolve(GridConfig, asked["grid"])
    spec = parse_text(text)
    if parse_derived(spec.language) is not None:
        raise UserError(
            f"the text is in {spec.language}", hint="give the original language: the grid derives the others"
        )
    tags = {steps: parse_text(f"{spec.language}~{steps}={spec.path}").language for steps in config.languages}
    _check(config, spec.path, tags, task, train, eval)
    out = Path(out)
    note = begin(out, resume, quiet)
    runs: list[Path] = []
    cells = [
        (steps, method, seed) for steps in config.languages for method in config.methods for seed in range(config.seeds)
    ]
    for number, (steps, method, seed) in enumerate(cells, 1):
        note(f"{number}/{len(cells)}  {tags[steps]}  {method}  seed {seed}")
        name, twin = f"{tags[steps]}-{method}-{seed}", f"{spec.language}~{steps}"
        pairs = f"{spec.language}:{twin}={spec.path}"
        encoder = _pretrained(out / "encoders" / name, pairs, method, seed, config, quiet)
        own, other = ([f"{tag}={path}" for tag in (spec.language, twin)] for path in (train, eval))
        for side, tested in ((0, other), (1, other[1:])):
            runs.append(out / task / f"{name}-on-{'derived' if side else 'original'}")
            _finetuned(runs[-1], encoder, task, own[side], tested, config, quiet)
        made = parse_derived(tags[steps])
        if made is not None and made.uses_twins:
            runs.append(out / "twins" / name)
            _aligned(runs[-1], encoder, f"{spec.language}:{tags[steps]}=pieces")
    found = out / f"transfer-{task}"
    analyze_transfer(runs, out=found, quiet=quiet)
    return write_report([found, *runs], out / f"report-{task}.html", title=f"Derived languages, {task}").html


def _check(config: GridConfig, text: str, tags: dict[str, str], task: str, train: str, eval: str) -> None:
    """Check everything that would otherwise fail after hours of pretraining."""
    if len(set(tags.values())) < len(tags):
        raise UserError(f"two languages have the same name: {', '.join(tags)}", hint="rename a word order file")
    parse_arch(config.arch)
    for method in config.methods:
        run_settings(method, {}, config.pretrain)
    _, work = finetune_settings(task, None, None, config.finetune)
    for steps, tag in tags.items():
        base = tag.partition(DERIVED_SEPARATOR)[0]
        twin = f"{base}{DERIVED_SEPARATOR}{steps}"
        for path in (train, eval):
            read_data(work, f"{twin}={path}", lenient=True, limit=1)
        if next(read_pairs(parse_pairs(f"{base}:{twin}={text}"), lenient=True), None) is None:
            raise UserError(f"no sentence can be converted to {twin}", where=text)


def _pretrained(run: Path, pairs: str, recipe: str, seed: int, config: GridConfig, quiet: bool) -> Path:
    shape: dict[str, Any] = {
        "arch": config.arch,
        "tokenizer": config.tokenizer,
        "vocab": config.vocab,
        "max_length": config.max_length,
    }
    return pretrain(
        out=run,
        pairs=[pairs],
        recipe=recipe,
        settings={"training": {"seed": seed}},
        overrides=config.pretrain,
        resume=True,
        quiet=quiet,
        **shape,
        command=command_line(
            "pretrain", pairs=pairs, recipe=recipe, **shape, seed=seed, set=config.pretrain, out=run, resume=True
        ),
    )


def _finetuned(
    run: Path, encoder: Path, task: str, train: str, tested: Sequence[str], config: GridConfig, quiet: bool
) -> None:
    finetune(
        str(encoder),
        task=task,
        train=train,
        eval=tested,
        out=run,
        seeds=config.finetune_seeds,
        overrides=config.finetune,
        keep_models=False,
        lenient=True,
        resume=True,
        quiet=quiet,
        command=command_line(
            "finetune",
            model=encoder,
            task=task,
            train=train,
            eval=tested,
            seeds=config.finetune_seeds,
            set=config.finetune,
            no_keep_models=True,
            lenient=True,
            out=run,
            resume=True,
        ),
    )


def _aligned(run: Path, encoder: Path, pair: str) -> None:
    if not (run / "results.jsonl").is_file():
        command = command_line("evaluate", model=encoder, task="twins", data=pair, out=run)
        evaluate(str(encoder), task="twins", data=[pair], out=run, quiet=True, command=command)
