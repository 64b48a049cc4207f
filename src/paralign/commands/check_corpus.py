"""Is text fit to be trained on? Everything a person should know of it, before anything long is begun."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from paralign.config import merge, parse_override, resolve
from paralign.console import echo
from paralign.corpus.build import Tokenize
from paralign.corpus.check import CheckConfig, TextCheck, check_text
from paralign.corpus.clean import FilterConfig
from paralign.corpus.leaks import Overlap, OverlapSearch
from paralign.encoder.loading import load_tokenizer, load_twin_offset
from paralign.encoder.tokenizer import tokenize
from paralign.errors import UserError
from paralign.runs.folder import RunFolder
from paralign.sources.specs import PairSpec, TextSpec, parse_pairs, parse_text

__all__ = ["check_corpus"]

_SEVERAL = 200_000


def check_corpus(
    pairs: Sequence[str] = (),
    *,
    out: str | Path,
    text: Sequence[str] = (),
    test: Sequence[str] = (),
    model: str | None = None,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    lenient: bool = False,
    quiet: bool = False,
    command: str | None = None,
) -> list[str]:
    """Look through text for what would harm training, and for test sentences that stand in it.

    The run folder holds ``figures/check.json``, which ``paralign report`` draws; faults are the run's alarms.

    Args:
        pairs: ``SRC-TGT=PATH``, several.
        out: the run's folder; a rerun replaces what it holds.
        text: ``LANG=PATH``, plain text, several.
        test: files of test sentences, of any task; or specs.
        model: whose tokenizer counts pieces; without one they are not looked at.
        overrides: ``check.key=value`` (:class:`paralign.corpus.check.CheckConfig`) and ``data.key=value``.
        limit: first so many lines of each.
        lenient: pass over what cannot be read in test files; in training text it is always counted.
        quiet: say nothing but faults.
        command: recorded with the run.

    Returns:
        faults, a line each; none if the text is fit.

    Raises:
        UserError: for text or tests that are missing.
    """
    specs: list[PairSpec | TextSpec] = [*map(parse_pairs, pairs), *map(parse_text, text)]
    if not specs:
        raise UserError("no text is given", hint="--pairs en-de=PATH or --text en=PATH")
    asked = merge(*map(parse_override, overrides))
    if set(asked) - {"check", "data"}:
        section = min(set(asked) - {"check", "data"})
        raise UserError(f"unknown section {section!r}", hint="only check.KEY and data.KEY can be set here")
    config, kept = resolve(CheckConfig, asked.get("check", {})), resolve(FilterConfig, asked.get("data", {}))
    folder = RunFolder(Path(out), "corpus check", command=command, fresh=True)
    cut, unknown = _pieces(model)
    leaks = OverlapSearch([Path(one) for one in test], short=config.short, lenient=lenient)
    shown = 0

    def progress(read: int) -> None:
        nonlocal shown
        if read - shown >= _SEVERAL:
            shown = read
            echo(f"{read:,} lines read", quiet=quiet)

    found = check_text(specs, config, leaks=leaks, tokenize=cut, unknown=unknown, filter=kept, limit=limit,
                       progress=progress)  # fmt: skip
    leaked = leaks.results()
    faults = [*(fault for one in found for fault in _faults(one, config)), *_leaks(leaked, config)]
    folder.begin({"pairs": list(pairs), "text": list(text), "test": list(test), "model": model or "", "limit": limit,
                  "check": config.model_dump(mode="json"), "data": kept.model_dump(mode="json")})  # fmt: skip
    folder.figure("check", "check", texts=[_told(one, spec) for one, spec in zip(found, specs, strict=True)],
                  tests=leaked, faults=faults, short=config.short, ratio=config.ratio)  # fmt: skip
    folder.save(status="done", alarms=faults)
    for one in found:
        echo(_line(one), quiet=quiet)
    for told in leaked:
        echo(f"{told.source}: {told.normalised:,} of {told.sentences:,} sentences stand in the text, {told.exact:,} in "
            f"the same spelling, {told.long:,} of them not short", quiet=quiet)  # fmt: skip
    for fault in faults:
        echo(f"FAULT {fault}")
    return faults


def _pieces(model: str | None) -> tuple[Tokenize | None, int | None]:
    if model is None:
        return None, None
    made, twin_offset = load_tokenizer(model), load_twin_offset(model)
    return partial(tokenize, made, twin_offset=twin_offset), made.unk_token_id


def _told(found: TextCheck, spec: PairSpec | TextSpec) -> dict[str, Any]:
    return {**asdict(found), "name": f"{'-'.join(spec.languages)}  {Path(spec.path.partition(',')[0]).name}"}


def _faults(found: TextCheck, config: CheckConfig) -> Iterator[str]:
    lines = max(1, found.lines)
    unread = sum(found.dropped.values())
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in found.dropped.items())
    for count, most, what in (
        (unread, config.unreadable, f"cannot be read ({reasons}): fix them, or --lenient drops them"),
        (found.empty, config.empty, "have an empty side"),
        (found.identical + found.nearly_identical, config.identical, "have the same text on both sides"),
        (found.duplicates, config.duplicates, "came before"),
        (found.uneven, config.uneven,
         f"are {config.ratio:g} times as long on one side as is usual here: are lines shifted?"),
    ):  # fmt: skip
        if count > most * lines:
            yield f"{found.where}: {count:,} of {lines:,} lines {what}"
    if found.lines == found.empty + unread:
        yield f"{found.where}: no line that could be trained on"
    for side in found.sides:
        known = side.identified
        if known is not None and known.wrong:
            yield (
                f"{found.where}: the text tagged {side.language!r} looks like {known.other} ({known.share:.0%} of "
                f"{known.samples} samples): correct the tag, or the order of the sides"
            )
        if side.foreign > config.script * lines:
            first = f", first in line {side.foreign_lines[0].line:,}" if side.foreign_lines else ""
            yield (
                f"{found.where}: {side.foreign:,} of {lines:,} lines tagged {side.language!r} are in a script it is "
                f"not written in{first}"
            )
        if side.unknown > config.unknown * max(1, side.pieces):
            yield (
                f"{found.where}: {side.unknown / side.pieces:.1%} of the pieces of {side.language!r} are unknown to "
                "the tokenizer: another encoder, or another spelling"
            )


def _leaks(leaked: Sequence[Overlap], config: CheckConfig) -> Iterator[str]:
    for told in leaked:
        if told.long > config.leaks * told.sentences:
            example = told.examples[0]
            yield (
                f"{told.source}: {told.long:,} of {told.sentences:,} sentences stand in the training text, as in "
                f"{example.where}: leave them out, corpus build --exclude {told.source}"
            )


def _line(found: TextCheck) -> str:
    counts = Counter(
        {
            "unreadable": sum(found.dropped.values()),
            "empty": found.empty,
            "identical": found.identical + found.nearly_identical,
            "duplicate": found.duplicates + found.nearly_duplicates,
            "uneven": found.uneven,
            "in another script": sum(side.foreign for side in found.sides),
            "too short": found.too_short or 0,
            "too long": found.too_long or 0,
        }
    )
    said = ", ".join(f"{count:,} {what}" for what, count in (+counts).most_common())
    return f"{found.spec}: {found.lines:,} lines; {said or 'nothing to say against them'}"
