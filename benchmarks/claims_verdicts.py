"""The claims of claims.toml, tested on rows, with their verdicts by its rules.

A claim has a comparison for each base, task and condition that it names, and for each system of ``each of ...``. All
comparisons of all claims are one family for Holm's correction. Differences in single languages, and in single tasks of
a mean of tasks, are decided at the level of the comparison that they belong to.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from claims_tests import SOURCE, NotTested, Row, Rows, compare, holm, mean, of_task

from paralign.metrics.bootstrap import Comparison

Claim = Mapping[str, Any]


@dataclass
class Part:
    """A comparison of a claim, tested or not.

    Attributes:
        base: the base.
        task: the task; several if the difference is that of their mean.
        treated: name of the first system.
        control: name of the second.
        condition: condition of the claim.
        margin: how much lower the first may be.
        values: mean score or loss of both.
        comparison: the difference; or a correlation, with its number of encoders as ``seeds``.
        parts: differences in single languages or tasks.
        checks: statements about curves, and whether they are true.
        rows: the rows used.
        level: level at which the comparison is decided.
        adjusted: p value after Holm's correction.
        missing: why it was not tested.
    """

    base: str
    task: str
    treated: str = ""
    control: str = ""
    condition: str = ""
    margin: float = 0.0
    values: tuple[float, ...] = ()
    comparison: Comparison | None = None
    parts: dict[str, Comparison] = field(default_factory=dict)
    checks: dict[str, bool] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    level: float = 0.0
    adjusted: float = math.nan
    missing: str = ""

    def sign(self, compared: Comparison | None = None) -> int:
        """Return 1 or -1 for a significant difference, 0 for one that is not; ``-margin`` counts as zero."""
        compared = compared or self.comparison
        if compared is None or not compared.p <= self.level:
            return 0
        return 1 if compared.difference + self.margin > 0 else -1


@dataclass
class Result:
    """A claim with its comparisons, its verdict, and what the verdict on each base alone would be."""

    claim: Claim
    parts: list[Part]
    verdict: str = ""
    by_base: dict[str, str] = field(default_factory=dict)


def amended(registered: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the claims with the keys that amendments set.

    An ``[[amendment]]`` has a ``date`` and a ``text``. It may have ``claims``, the ids that it is about (all, if they
    are missing), and ``set``, a table of keys that replace those of the claims.

    Raises:
        SystemExit: for an amendment without date or text, or of an unknown claim.
    """
    claims = {claim["id"]: dict(claim) for claim in registered["claim"]}
    for amendment in registered.get("amendment", ()):
        if not {"date", "text"} <= amendment.keys():
            raise SystemExit(f"claims.toml: an amendment needs a date and a text: {amendment}")
        unknown = sorted(set(amendment.get("claims", ())) - claims.keys())
        if unknown:
            raise SystemExit(f"claims.toml: the amendment of {amendment['date']} is about unknown claims: {unknown}")
        for number in amendment.get("claims", claims):
            claims[number] |= amendment.get("set", {})
    return list(claims.values())


def decide(registered: Mapping[str, Any], rows: Sequence[Row]) -> list[Result]:
    """Test all claims.

    Args:
        registered: content of claims.toml.
        rows: the rows.
    """
    rules = registered["test"]
    results = []
    for claim in amended(registered):
        parts = []
        for base in [] if "not_testable" in claim else claim["bases"]:
            parts += _parts(claim, base, Rows((row for row in rows if row["base"] == base), rules))
        results.append(Result(claim, parts))
    tested = [part for result in results for part in result.parts if part.comparison]
    levels, adjusted = holm([part.comparison.p for part in tested if part.comparison], 1 - rules["level"])
    for part, level, p in zip(tested, levels, adjusted, strict=True):
        part.level, part.adjusted = level, p
    for result in results:
        result.verdict = verdict(result.claim, result.parts)
        for base in result.claim["bases"]:
            result.by_base[base] = verdict(result.claim, [part for part in result.parts if part.base == base])
    return results


def verdict(claim: Claim, parts: Sequence[Part]) -> str:
    """Return the first verdict that applies: a key of ``[verdicts]`` in claims.toml."""
    if "not_testable" in claim:
        return "not_testable_here"
    if not parts or any(part.missing for part in parts):
        return "not_tested"
    signs = [part.sign() for part in parts]
    inner = [[part.sign(compared) for compared in part.parts.values()] for part in parts]
    checks = [true for part in parts for true in part.checks.values()]
    if checks:
        holds, in_part = all(checks), any(checks)
    elif claim.get("margin"):
        holds, in_part = min(signs) == 1, min(signs) == 0
    elif _of_several(claim):
        in_part = min(signs) == 1
        holds = in_part and all(each.count(1) >= 4 for each in inner)
    else:
        some = 1 in signs or any(each and 2 * each.count(1) >= len(each) for each in inner)
        holds = min(signs) == 1
        in_part = some and -1 not in signs and not any(-1 in each for each in inner)
    return "holds" if holds else "holds_in_part" if in_part else "does_not_hold_here"


def _of_several(claim: Claim) -> bool:
    """Return whether a claim is about the mean of its tasks, compared with each of several systems."""
    return "contrast" in claim and claim["contrast"][1].startswith("each of ")


def _parts(claim: Claim, base: str, rows: Rows) -> list[Part]:
    """Return the comparisons of a claim on one base."""
    task = claim.get("task", ())
    task = task.get(base, ()) if isinstance(task, Mapping) else task
    tasks = [task] if isinstance(task, str) else list(task)
    if "correlation" in claim:
        return [_tested(Part(base, " and ".join(claim["correlation"])), _correlation, claim, rows)]
    if tasks == ["similarity"]:
        return [_tested(Part(base, "similarity"), _curves, claim, rows)]
    treated, control = claim["contrast"]
    if _of_several(claim):
        return [
            _tested(Part(base, ", ".join(tasks), treated, name), _mean_of_tasks, claim, rows)
            for name in _names(control)
        ]
    test = _losses if control.startswith("loss of the source") else _systems
    return [
        _tested(Part(base, task, treated, control, condition, claim.get("margin", 0) / 100), test, claim, rows)
        for condition in claim.get("conditions", [""])
        for task in tasks
    ]


def _tested(part: Part, test: Callable[[Part, Claim, Rows], None], claim: Claim, rows: Rows) -> Part:
    """Return a part with its comparison, or with why there is none."""
    try:
        test(part, claim, rows)
    except NotTested as error:
        return replace(part, missing=str(error), comparison=None)
    return part


def _names(text: str) -> list[str]:
    """Return the names in ``best of a, b and c``."""
    return [name for name in re.split(r", | and ", text.partition(" of ")[2]) if name]


def _languages(claim: Claim, task: str) -> list[str]:
    return list(of_task(claim["languages"], task))


def _systems(part: Part, claim: Claim, rows: Rows) -> None:
    """Compare two systems: the difference of their means over languages, and that in each language.

    Rows of a claim with conditions have them in the name of the first system (``NAME, CONDITION``); with several
    numbers of pairs, the second system is ``NAME with N pairs``, the smallest one. Of ``best of ...``, the system with
    the best mean counts.
    """
    tags, task = _languages(claim, part.task), part.task
    treated = f"{part.treated}, {part.condition}" if part.condition else part.treated
    controls = _names(part.control) if part.control.startswith("best of ") else [part.control]
    if "pairs" in claim:
        controls = [f"{part.control} with {min(claim['pairs'])} pairs"]
    part.treated, part.control, part.condition = treated, " or ".join(controls), ""
    scores, part.rows = rows.scores([treated, *controls], {task: tags}, claim)
    means = {name: mean([scores[name, task, tag] for tag in tags]) for name in (treated, *controls)}
    best = max(controls, key=lambda name: means[name].resampled.score)
    part.control = best
    part.values = (means[treated].resampled.score, means[best].resampled.score)
    part.comparison = compare(means[treated], means[best], part.margin)
    part.parts = {tag: compare(scores[treated, task, tag], scores[best, task, tag], part.margin) for tag in tags}


def _losses(part: Part, claim: Claim, rows: Rows) -> None:
    """Compare what the targets lose with reinitialized layers with what the source loses."""
    reset, whole = part.control.partition(" with ")[2], "no layers reset"
    tags, task = _languages(claim, part.task), part.task
    scores, part.rows = rows.scores([whole, reset], {task: [SOURCE, *tags]}, claim)
    loss = {tag: scores[whole, task, tag] - scores[reset, task, tag] for tag in (SOURCE, *tags)}
    targets = mean([loss[tag] for tag in tags])
    part.values = (targets.resampled.score, loss[SOURCE].resampled.score)
    part.comparison = compare(targets, loss[SOURCE])
    part.parts = {tag: compare(loss[tag], loss[SOURCE]) for tag in tags}


def _mean_of_tasks(part: Part, claim: Claim, rows: Rows) -> None:
    """Compare two systems in the mean of several tasks, and in each task."""
    names = [part.treated, part.control]
    tags = {task: _languages(claim, task) for task in part.task.split(", ")}
    scores, part.rows = rows.scores(names, tags, claim)
    means = {(name, task): mean([scores[name, task, tag] for tag in tags[task]]) for name in names for task in tags}
    treated, control = (mean([means[name, task] for task in tags]) for name in names)
    part.values = (treated.resampled.score, control.resampled.score)
    part.comparison = compare(treated, control)
    part.parts = {task: compare(means[names[0], task], means[names[1], task]) for task in tags}


def _correlation(part: Part, claim: Claim, rows: Rows) -> None:
    """Correlate two measures over encoders and languages."""
    part.comparison, part.rows = rows.correlation(claim["correlation"], claim)


def _curves(part: Part, claim: Claim, rows: Rows) -> None:
    """Find the layer where translations are most similar, and the one that fine-tuning changes most."""
    tags = _languages(claim, "similarity")
    similar, used = rows.layers("similarity", tags)
    changed, more = rows.layers("change", tags)
    part.rows = used + more
    last, peak = max(similar), max(similar, key=lambda layer: similar[layer][0])
    lowest = min(changed, key=lambda layer: changed[layer][0])
    inside = min(similar) < peak < last and similar[peak][1] > similar[last][2]
    found = f"layer {peak} of {last}, {_interval(similar[peak])}, compared with {_interval(similar[last])} at the last"
    changes = f"fine-tuning changes layer {lowest} most: CKA before and after is {_interval(changed[lowest])}"
    part.checks = {f"CKA is greatest at {found}": inside, changes: lowest == max(changed)}


def _interval(value: tuple[float, float, float]) -> str:
    return f"{value[0]:.2f} ({value[1]:.2f} to {value[2]:.2f})"
