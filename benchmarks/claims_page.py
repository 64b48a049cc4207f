"""The pages docs/claims.md and docs/claims-commands.md, from the results of the claims and their rows."""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from claims_rows import chosen_rate
from claims_systems import differences, spread, tasks_of
from claims_tests import Row
from claims_verdicts import Part, Result

from paralign.metrics.bootstrap import Comparison

VERDICTS = {
    "holds": "holds",
    "holds_in_part": "holds in part",
    "does_not_hold_here": "not shown here",
    "not_testable_here": "not testable here",
    "not_tested": "not tested",
}
TASKS = {
    "nli": "NLI",
    "qa": "QA",
    "ner": "NER",
    "pos": "POS tagging",
    "lexicon": "lexicon induction",
    "twins": "alignment of embeddings",
}
"""Names of tasks for readers; the others are shown as they are called in the rows."""
METRICS = {
    "precision_at_1_csls_without_identical": "precision at 1 (CSLS), without identical words",
    "accuracy_cosine": "accuracy by cosine",
}
"""Names of metrics for readers; the others are shown as they are."""
RECIPES = {"best": "word-contrastive-anchor"}
"""Systems that are shown by the name of their recipe."""
COLUMNS = ("mini", "e5", "scratch")
COMMANDS = "claims-commands.md"

HEAD = """# The claims of four papers, tested

Do the claims of the papers hold here? The claims, systems, tasks, tests and rules of the verdicts were
[registered](../benchmarks/claims.toml) before the rows on this page were measured; later changes are listed under
[Amendments](#amendments). `python benchmarks/claims.py page` writes this page from them and from the
[rows](../benchmarks/results) that were measured, with their [commands and commits](claims-commands.md): no number is
entered by hand. Claims without measurements are marked *not tested*.

The tests are not blind in every case. For `mini` and `scratch`, earlier experiments with the same methods had been
scored on the same test sets before the registration ([paralign-mini](results/paralign-mini.md), [derived
languages](results/derived-languages.md)): claims 4, 5, 10, 12 and 13 repeat them with other seeds, text and settings.
Natural language inference (NLI) on `e5` was measured again with other settings after its first scores were known.

## What the bases have seen

**`e5`** is `e5-small-mlm`, 12 layers of width 384: multilingual-e5-small with weights restored from 4 bits, a
vocabulary of 60,000 pieces and a vocabulary head, trained further as a masked LM on plain text for these experiments
([how](results/systems-e5.md#the-base)). It is already aligned: its authors trained it contrastively on about a billion
pairs of texts, translations among them, and then on labeled data for NLI, question answering (QA) and retrieval. Some
of these collections contain sentences of XQuAD, MLQA, TyDiQA, Tatoeba and FLORES, from which SIB-200 is made. Its
scores on NLI, QA, topic classification and retrieval are therefore not clean zero-shot scores: compare systems that
start from it, not absolute values. If a sentence-level objective has no effect here, that does not refute its paper,
because the encoder may already have learned what the objective teaches.

**`mini`** is [`paralign-mini`](results/paralign-mini.md), 4 layers of width 256, which has never seen a pair of
translations. It is too small for NLI and QA, so part-of-speech (POS) tagging is used instead. **`scratch`** are small
encoders that are pretrained for a claim.
"""

SYSTEMS = """## All systems

The tables show zero-shot scores on test halves (mean ± standard deviation over seeds) and differences from the control
over the seeds that both have, with 95 % intervals over seeds and test items, without correction. *control* is a masked
LM on the same sentences. *word-contrastive-anchor* is the recipe that was registered as *best*; it was chosen on
development data of mini.
A system with a large deviation has runs that did not learn the task at all.

"""

RATES = """## Learning rates

Development accuracy in POS tagging after 150 steps with each learning rate, one seed: English (EWT), and the mean of
de, es, fr and hi (PUD, development half). The best of each is bold. Systems are tested with the rate that is best in
English.

"""

RULES = """## How they are tested

Differences are points of the score, the first system minus the second, on the same test items and with the same seeds:
seed *k* means alignment seed *k* and fine-tuning seed *k* together. The score of a claim is the mean over its
languages. Intervals are 95 % intervals over seeds (Student's, of the differences seed by seed) and test items
({resamples:,} resamples, the same for all systems), without correction. *p* is corrected by Holm's method over all
comparisons that were tested, {tested} at present. A difference is significant, marked \\*, if its corrected *p* is at
most {alpha:.2f}: then its interval at the corrected level excludes 0. A difference in a single language or task is
marked at the corrected level of the comparison that it belongs to. The correction grows with every comparison that is
added: a difference may lose its mark when other claims are tested, while its interval stays. With fewer than
{min_seeds} seeds or {min_items} test items nothing is tested. Correlations are Spearman's, with intervals from
resampling encoders, and languages if the claim says so.

Each claim gets the first of these verdicts that applies:

{verdicts}
"""


def page(
    registered: Mapping[str, Any],
    results: Sequence[Result],
    rows: Sequence[Row],
    tried: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the page as Markdown.

    Args:
        registered: content of claims.toml.
        results: the claims with their verdicts.
        rows: all rows.
        tried: development scores of learning rates, as :func:`claims_rows.rates` returns them.
    """
    rules = registered["test"]
    tested = sum(part.comparison is not None for result in results for part in result.parts)
    texts = {name: text.replace("min_seeds", str(rules["min_seeds"])) for name, text in registered["verdicts"].items()}
    verdicts = "\n".join(_item("* ", f"*{VERDICTS[name]}*: {text}") for name, text in texts.items())
    facts = {"tested": tested, "alpha": 1 - rules["level"], "verdicts": verdicts}
    notes = _notes(results)
    sections = [
        HEAD,
        _overview(results, notes),
        _systems(registered, rows),
        _rates(tried),
        RULES.format(**rules, **facts),
        _amendments(registered.get("amendment", ()), notes),
        "## Each claim\n",
        *(_details(result, notes) for result in results),
    ]
    return "\n".join(section for section in sections if section)


def _notes(results: Sequence[Result]) -> dict[str, list[int]]:
    """Return the remarks of all claims, each with the claims that it is about; they are numbered in this order."""
    notes: dict[str, list[int]] = defaultdict(list)
    for claim in (result.claim for result in results):
        if "remark" in claim:
            notes[_flat(claim["remark"])].append(claim["id"])
    return notes


def _note(claim: Mapping[str, Any], notes: Mapping[str, Sequence[int]]) -> str:
    """Return a link to the note of a claim, or nothing."""
    return f"[note {list(notes).index(_flat(claim['remark'])) + 1}](#notes)" if "remark" in claim else ""


def _overview(results: Sequence[Result], notes: Mapping[str, Sequence[int]]) -> str:
    counts = {name: sum(result.verdict == key for result in results) for key, name in VERDICTS.items()}
    summary = ", ".join(f"*{name}* {count}" for name, count in counts.items() if count)
    partly = sum(
        result.verdict == "not_tested" and any(not part.missing for part in result.parts) for result in results
    )
    rest = f" {partly} of the claims that are not tested have partial results." if partly else ""
    lines = [
        "## Verdicts\n",
        _item("", f"Of {len(results)} claims: {summary}.{rest}") + "\n",
        "The columns show differences in points, or correlations. *Not shown here* means that no significant",
        "difference in the expected direction was found. It does not mean that the claim is refuted: with three seeds",
        "and the correction for all comparisons, only differences that are many times larger than the variation",
        "between seeds can be significant. Read the interval.\n",
        "| | claim | in the paper | verdict | " + " | ".join(COLUMNS) + " |",
        "|---:|---|---|---|" + "---|" * len(COLUMNS),
    ]
    for result in results:
        claim = result.claim
        cells = [_column(result, base) if base in claim["bases"] else "–" for base in COLUMNS]
        verdict = ", ".join(text for text in (VERDICTS[result.verdict], _note(claim, notes)) if text)
        shown = [str(claim["id"]), _flat(claim["statement"]), _flat(claim["source"]), verdict, *cells]
        lines.append(f"| {' | '.join(shown)} |")
    if notes:
        lines.append("\n### Notes\n")
    for number, (text, claims) in enumerate(notes.items(), 1):
        lines.append(_item(f"{number}. ", f"{_about(claims).capitalize()}: {_sentence(text)}"))
    return "\n".join(lines) + "\n"


def _about(claims: Sequence[int]) -> str:
    return f"claim{'s' * (len(claims) > 1)} {', '.join(map(str, claims))}"


def _item(marker: str, text: str) -> str:
    """Return an item of a list, or a paragraph, in lines of the usual length."""
    indent = " " * len(marker)
    return textwrap.fill(
        text, 120, initial_indent=marker, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."


def _task(names: str) -> str:
    """Return the names of one or several tasks for readers."""
    return ", ".join(TASKS.get(name, name) for name in names.split(", "))


def _systems(registered: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """Return a table for each base: the zero-shot scores of all systems, and their differences from the control."""
    lines = []
    for base in COLUMNS:
        for (task, metric), tags in tasks_of(rows, base).items():
            compared = list(differences(registered, rows, base, task, metric, tags))
            if not compared:
                continue
            head = f"{base}, {_task(task)}: {METRICS.get(metric, metric)}, mean of {', '.join(tags)}"
            lines += [
                f"**{head}**\n",
                "| system | seeds | score | difference from the control |",
                "|---|---:|---:|---|",
            ]
            for name, score, found in compared:
                shown = f"{100 * score.resampled.score:.1f} ± {100 * spread(score):.1f}"
                difference = _points(found) if found else ""
                lines.append(f"| {RECIPES.get(name, name)} | {len(score.by_seed)} | {shown} | {difference} |")
            lines.append("")
    return SYSTEMS + "\n".join(lines) if lines else ""


def _rates(tried: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of the development scores of each learning rate, for each base."""
    lines = []
    for base in dict.fromkeys(row["base"] for row in tried):
        own = [row for row in tried if row["base"] == base]
        numbers = sorted({row["rate"] for row in own})
        lines += [
            f"| system, {base} | {' | '.join(f'{rate:g}' for rate in numbers)} |",
            "|---" * (len(numbers) + 1) + "|",
        ]
        for system in dict.fromkeys(row["system"] for row in own):
            by_source, by_targets = (chosen_rate(own, system, by) for by in ("source", "targets"))
            scores = {row["rate"]: row for row in own if row["system"] == system}
            cells = [
                _marked(scores[rate]["source"], rate == by_source)
                + ", "
                + _marked(scores[rate]["targets"], rate == by_targets)
                for rate in numbers
            ]
            lines.append(f"| {' | '.join([system, *cells])} |")
        lines.append("")
    return RATES + "\n".join(lines) if lines else ""


def _marked(score: float, chosen: bool) -> str:
    text = f"{100 * score:.1f}"
    return f"**{text}**" if chosen else text


def _column(result: Result, base: str) -> str:
    parts = [part for part in result.parts if part.base == base and not part.missing]
    if not parts:
        return "not testable" if "not_testable" in result.claim else "not tested"
    return "; ".join(f"{_what(part, result)} {_difference(part)}".strip() for part in parts)


def _what(part: Part, result: Result) -> str:
    """Return what tells a comparison from the others of its claim and base, tested or not; empty for a single one."""
    others = [other for other in result.parts if other.base == part.base]
    words = [_task(part.task)] if len({other.task for other in others}) > 1 else []
    words += [part.treated] if len({other.treated for other in others}) > 1 else []
    words += [f"against {part.control}"] if len({other.control for other in others}) > 1 else []
    return " ".join(words)


def _difference(part: Part) -> str:
    """Return the difference with its interval and number of seeds; for curves what is true of them."""
    if part.comparison is None:
        return "; ".join(f"{text}: {'yes' if true else 'no'}" for text, true in part.checks.items())
    found = part.comparison
    if not part.values:
        shown = f"{found.difference:.2f} ({found.low:.2f} to {found.high:.2f})".replace("-", "−")
        return f"{shown}{_star(part)}, {found.seeds} encoders"
    return f"{_points(found)}{_star(part)}, {found.seeds} seeds"


def _points(found: Comparison) -> str:
    return f"{_signed(found.difference)} ({_signed(found.low)} to {_signed(found.high)})"


def _signed(value: float) -> str:
    """Return a difference in points, with a minus sign and without a negative zero."""
    text = f"{100 * value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _star(part: Part, compared: Comparison | None = None) -> str:
    return r"\*" if part.sign(compared) else ""


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _amendments(amendments: Iterable[Mapping[str, Any]], notes: Mapping[str, Sequence[int]]) -> str:
    lines = []
    for entry in amendments:
        about = f", {_about(entry['claims'])}" if entry.get("claims") else ""
        changed = entry.get("set", {})
        note = f" See {_note(changed, notes)}." if _flat(changed.get("remark", "")) in notes else ""
        lines.append(_item("* ", f"{entry['date']}{about}: {_flat(entry['text'])}{note}"))
    if not lines:
        return ""
    return "## Amendments\n\nWhat was changed after the registration, with its date:\n\n" + "\n".join(lines) + "\n"


def _details(result: Result, notes: Mapping[str, Sequence[int]]) -> str:
    claim = result.claim
    contrast = claim.get("contrast") or [_task(name) for name in claim.get("correlation", ())]
    lines = [f"### {claim['id']}. {_flat(claim['statement'])}\n", f"{_flat(claim['source'])}.\n"]
    if contrast:
        word = "compared with" if "contrast" in claim else "and"
        lines.append(_item("", f"*{contrast[0]}* {word} *{contrast[1]}*; expected: {claim['expected']}.") + "\n")
    for name in ("training", "rule", "not_testable"):
        if name in claim:
            text = _sentence(_flat(claim[name])).replace("-margin", f"−{claim.get('margin', 0):g}")
            lines.append(_item("", f"{name.replace('_', ' ').capitalize()}: {text}") + "\n")
    if "remark" in claim:
        lines.append(f"See {_note(claim, notes)}.\n")
    by_base = ", ".join(f"{base}: {VERDICTS[name]}" for base, name in result.by_base.items())
    alone = f" ({by_base})" if len(result.by_base) > 1 else ""
    lines.append(f"**{VERDICTS[result.verdict].capitalize()}**{alone}.\n")
    lines += _table([part for part in result.parts if part.values and not part.missing])
    for part in result.parts:
        if part.missing:
            lines.append(_item("* ", f"{_where(part, result)}, not tested: {part.missing}"))
        elif not part.values:
            lines.append(_item("* ", f"{_where(part, result)}: {_difference(part)}"))
    return "\n".join(lines).rstrip() + "\n"


def _where(part: Part, result: Result) -> str:
    return ", ".join(name for name in (part.base, _what(part, result)) if name)


def _table(parts: Sequence[Part]) -> list[str]:
    if not parts:
        return []
    head = ("base", "task", "test sets", "first", "second", "scores", "difference", "p, corrected", "seeds", "pairs")
    lines = [f"| {' | '.join(head)} | by language or task |", "|---" * 7 + "|---:" * 3 + "|---|"]
    for part in parts:
        assert part.comparison is not None
        pairs = sorted({row["pairs"] for row in part.rows if "pairs" in row})
        cells = [
            part.base,
            _task(part.task),
            ", ".join(sorted({row["dataset"] for row in part.rows})),
            part.treated,
            part.control,
            " and ".join(f"{100 * value:.1f}" for value in part.values),
            f"{_points(part.comparison)}{_star(part)}",
            f"{part.adjusted:.3f}",
            str(part.comparison.seeds),
            ", ".join(f"{number:,}" for number in pairs) or "–",
            ", ".join(f"{_task(name)} {_signed(c.difference)}{_star(part, c)}" for name, c in part.parts.items()),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return ["\n".join(lines) + "\n"]


def _unpaired(rows: Sequence[Row]) -> str:
    count = sum(row.get("align_seed", row["seed"]) != row["seed"] for row in rows)
    return f" {count:,} rows are not used: their seeds of alignment and fine-tuning differ." if count else ""


def commands_page(rows: Sequence[Row]) -> str:
    """Return a page about which rows there are, and the commands and commits that made them.

    Args:
        rows: all rows.
    """
    lines = [
        "# Rows, commands and commits of the claims\n",
        "Written by `python benchmarks/claims.py page`, like [the claims](claims.md). Commands are shown without",
        f"folders; SEED is the seed, ENCODER the encoder of a system.{_unpaired(rows)}\n",
        "| base | system | task | train | languages | seeds | pairs | commit |",
        "|---|---|---|---|---|---|---:|---|",
    ]
    groups: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["base"], row["system"], row["task"], row.get("train", "–")].append(row)
    for names, group in sorted(groups.items()):
        languages, seeds, pairs, commits = (
            ", ".join(dict.fromkeys(str(row[name]) for row in group if name in row))
            for name in ("language", "seed", "pairs", "commit")
        )
        lines.append(f"| {' | '.join([*names, languages, seeds, pairs or '–', commits])} |")
    for title, name in (("Alignment", "aligned"), ("Measurement", "command")):
        used: dict[str, dict[str, None]] = defaultdict(dict)
        for row in rows:
            if name in row:
                where = row["system"] if name == "aligned" else row["task"]
                command = re.sub(r"--seed \d+", "--seed SEED", row[name])
                command = re.sub(r"(--model \S+ ){3,}", "--model ENCODER ... ", command)
                used[command][f"{row['base']} {where}"] = None
        for command, places in used.items():
            lines.append(f"\n{title}, {', '.join(places)}:\n\n```\n{command}\n```")
    return "\n".join(lines) + "\n"
