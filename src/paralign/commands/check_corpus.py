"""Check training text before a long run: problems of the text, and overlap with test files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paralign.commands.arguments import one_or_several
from paralign.config import check_sections, merge, parse_override, resolve, section
from paralign.console import echo, list_counts, progress_lines
from paralign.corpus.check import CheckConfig, SideCheck, TextCheck, check_text
from paralign.corpus.clean import FilterConfig
from paralign.corpus.exclusion import parse_source
from paralign.corpus.overlap import Overlap, OverlapSearch
from paralign.encoder.loading import load_text_tokenizer
from paralign.errors import UserError
from paralign.runs.folder import RunFolder
from paralign.sources.specs import PairSpec, TextSpec, parse_pairs, parse_text

__all__ = ["check_corpus"]

_PROGRESS_LINES = 200_000


@one_or_several
def check_corpus(
    pairs: str | Sequence[str] = (),
    *,
    out: str | Path,
    text: str | Sequence[str] = (),
    test: str | Sequence[str] = (),
    model: str | None = None,
    overrides: str | Sequence[str] = (),
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[str]:
    """Check text for problems that would harm training, and for overlap with test files.

    The run folder contains ``figures/check.json``, which ``paralign report`` draws; problems are the run's alarms.

    Args:
        pairs: specs ``SRC-TGT=PATH``.
        out: folder of the run; running the command again replaces its content.
        text: specs ``LANG=PATH`` of plain text.
        test: files of test sentences of any task, or specs.
        model: the encoder whose tokenizer counts pieces; pieces are not counted if ``None``.
        overrides: ``check.key=value`` (:class:`paralign.corpus.check.CheckConfig`) and ``data.key=value``.
        limit: check only this many lines of each text; all if ``None``.
        lenient: skip what cannot be read in test files; in training text it is always counted.
        quiet: print only problems.
        command: recorded with the run. ``None``: the command line, or the call from Python.

    Returns:
        The problems, one line each; empty if there are none.

    Raises:
        UserError: for text or test files that do not exist, and for wrong settings.
    """
    specs: list[PairSpec | TextSpec] = [*map(parse_pairs, pairs), *map(parse_text, text)]
    if not specs:
        raise UserError("no text is given", hint="use --pairs en-de=PATH or --text en=PATH")
    settings = merge(*map(parse_override, overrides))
    check_sections(settings, "check", "data")
    config = resolve(CheckConfig, section(settings, "check"), section="check")
    filter = resolve(FilterConfig, section(settings, "data"), section="data")
    folder = RunFolder(Path(out), "corpus check", command=command, fresh=True)
    tokenizer = None if model is None else load_text_tokenizer(model)
    leaks = OverlapSearch([*map(parse_source, test)], short=config.short, lenient=lenient)
    results = check_text(
        specs,
        config,
        leaks=leaks,
        tokenizer=tokenizer,
        filter=filter,
        limit=limit,
        progress=progress_lines(_PROGRESS_LINES, "{:,} lines read", quiet=quiet),
    )
    overlaps = leaks.results()
    problems = [*(problem for result in results for problem in _problems(result, config)), *_overlaps(overlaps, config)]
    with folder:
        folder.begin(
            {
                "pairs": list(pairs),
                "text": list(text),
                "test": list(test),
                "model": model or "",
                "limit": limit,
                "check": config.model_dump(mode="json"),
                "data": filter.model_dump(mode="json"),
            }
        )
        folder.figure(
            "check",
            "check",
            texts=[_named(result, spec) for result, spec in zip(results, specs, strict=True)],
            tests=overlaps,
            faults=problems,
            short=config.short,
            ratio=config.ratio,
        )
        folder.save(status="done", alarms=problems)
    for result in results:
        echo(_summary(result), quiet=quiet)
    for overlap in overlaps:
        counts = f"{overlap.normalized:,} of {overlap.sentences:,} sentences occur in the text"
        details = f"{overlap.exact:,} in the same spelling, {overlap.long:,} if short ones are not counted"
        echo(f"{overlap.source}: {counts}, {details}", quiet=quiet)
    for problem in problems:
        echo(f"PROBLEM {problem}")
    if not problems:
        echo("no problems found", quiet=quiet)
    return problems


def _named(result: TextCheck, spec: PairSpec | TextSpec) -> dict[str, Any]:
    return {**asdict(result), "name": f"{'-'.join(spec.languages)}  {Path(spec.path.partition(',')[0]).name}"}


def _problems(result: TextCheck, config: CheckConfig) -> Iterator[str]:
    lines = max(1, result.lines)
    unreadable = sum(result.dropped.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in result.dropped.items())
    uneven = f"are {config.ratio:g} times as long on one side as usual in this file: check whether lines are shifted"
    for count, most, what in (
        (unreadable, config.unreadable, f"cannot be read ({reasons}): fix them, or drop them with --lenient"),
        (result.empty, config.empty, "have an empty side"),
        (result.identical + result.nearly_identical, config.identical, "have the same text on both sides"),
        (result.duplicates, config.duplicates, "are duplicates of earlier lines"),
        (result.uneven, config.uneven, uneven),
    ):
        if count > most * lines:
            yield f"{result.where}: {count:,} of {lines:,} lines {what}"
    unused = result.empty + unreadable + sum(result.left_out.values())
    if result.lines == unused:
        yield f"{result.where}: no line can be used for training"
    elif result.lines == unused + (result.too_short or 0) + (result.too_long or 0):
        lengths = f"{result.too_short:,} are too short and {result.too_long:,} too long"
        yield f"{result.where}: no line can be used for training: {lengths}; set data.min_pieces and data.max_pieces"
    for side in result.sides:
        yield from _side_problems(result, side, config)


def _side_problems(result: TextCheck, side: SideCheck, config: CheckConfig) -> Iterator[str]:
    lines = max(1, result.lines)
    estimate = side.identified
    if estimate is not None and estimate.wrong:
        yield (
            f"{result.where}: the text tagged {side.language!r} looks like {estimate.other} ({estimate.share:.0%} of "
            f"{estimate.samples} samples): correct the tag, or the order of the sides"
        )
    if side.foreign > config.script * lines:
        first = f", first in line {side.foreign_lines[0].line:,}" if side.foreign_lines else ""
        yield (
            f"{result.where}: {side.foreign:,} of {lines:,} lines tagged {side.language!r} are in a script that the "
            f"language does not use{first}"
        )
    if side.unknown > config.unknown * max(1, side.pieces):
        yield (
            f"{result.where}: {side.unknown / side.pieces:.1%} of the pieces of {side.language!r} are unknown to "
            "the tokenizer: use another encoder, or another spelling"
        )


def _overlaps(overlaps: Sequence[Overlap], config: CheckConfig) -> Iterator[str]:
    for overlap in overlaps:
        if overlap.long > config.leaks * overlap.sentences:
            example = overlap.examples[0]
            yield (
                f"{overlap.source}: {overlap.long:,} of {overlap.sentences:,} sentences occur in the training text, "
                f"for example in {example.where}: remove them with corpus build --exclude {overlap.source}"
            )


def _summary(result: TextCheck) -> str:
    counts = Counter(
        {
            "unreadable": sum(result.dropped.values()),
            **result.left_out,
            "empty": result.empty,
            "identical": result.identical + result.nearly_identical,
            "duplicate": result.duplicates + result.nearly_duplicates,
            "uneven": result.uneven,
            "in another script": sum(side.foreign for side in result.sides),
            "too short": result.too_short or 0,
            "too long": result.too_long or 0,
        }
    )
    summary = list_counts(counts)
    return f"{result.spec}: {result.lines:,} lines{summary and '; '}{summary}"
