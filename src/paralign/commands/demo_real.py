"""``paralign demo --real``: the base, a control and PPA on a user's own pairs, scored on held-out pairs."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from paralign.commands.align import align
from paralign.commands.arguments import one_or_several
from paralign.commands.evaluate import evaluate
from paralign.corpus.deduplicate import sentence_hashes
from paralign.corpus.language_identification import check_languages
from paralign.digests import FolderDigests, file_digest, write_digests
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.formats.lines import write_lines
from paralign.runs.groups import begin, run_recorded
from paralign.sources.readers import read_pairs
from paralign.sources.specs import PairSpec, parse_pairs

__all__ = ["demo_real"]

_TEST, _MAX_TRAIN = 500, 50_000
_RECIPES = {"control": "mlm-mini", "ppa": "ppa-mini"}
_SEEN = 25_600
"""Number of pairs that each method is trained on, which takes a few minutes on two cores."""


@one_or_several
def demo_real(
    out: str | Path,
    pairs: str | Sequence[str],
    *,
    model: str = "paralign-mini",
    seed: int = 0,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Align an encoder with the user's pairs and report the effect on held-out pairs.

    1. Up to 500 pairs of each file, chosen by a hash, are held out; their sentences are removed from the other pairs
       (compared without case, punctuation and spaces).
    2. PPA aligns the encoder with up to 50,000 other pairs of each language. A control is trained with masked LM on the
       same sentences, for the same number of pairs.
    3. All encoders are evaluated on sentence retrieval with the held-out pairs.
    4. A report compares them.

    Args:
        out: output folder.
        pairs: parallel text, each as ``SRC-TGT=PATH``.
        model: folder or hub name of the encoder to align.
        seed: random seed of alignment.
        resume: continue in ``out``; finished steps are not repeated.
        quiet: print nothing.

    Returns:
        The path of the report.

    Raises:
        UserError: if ``out`` is in use and ``resume`` is off, and for pairs that cannot be used: pairs in a language
            other than their tag, fewer than 1,000, or other pairs than the demo began with.
    """
    from paralign.report import write_report

    out = Path(out)
    note = begin(out, resume, quiet)
    specs = [parse_pairs(text) for text in pairs]
    inputs = {
        "pairs": [[str(spec), *(file_digest(path) for path in spec.paths if Path(path).is_file())] for spec in specs],
        "model": Encoder.from_pretrained(model).digest(),
        "seed": seed,
    }

    data = out / "data"
    if not data.is_dir():
        check_languages(specs)
        note("1/4 holding out test pairs")
        with atomic_folder(data, replace=True) as part:
            _write_data(part, specs)
            (part / "began.json").write_text(json.dumps(inputs, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
            write_digests(part)
    FolderDigests(data, "restore it, or use another --out").check()
    try:
        began_with = json.loads((data / "began.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        began_with = None
    if not isinstance(began_with, dict):
        raise UserError("the file is damaged", where=data / "began.json", hint="use another --out")
    for name, value in inputs.items():
        if began_with.get(name) != value:
            hint = "give the same as before, or use another --out"
            raise UserError(f"{name}: differs from what this demo began with", where=out, hint=hint)
    names = sorted(path.name.removeprefix("train.").removesuffix(".tsv") for path in data.glob("train.*.tsv"))
    train, test = ([f"{name}={data / f'{split}.{name}.tsv'}" for name in names] for split in ("train", "test"))
    note("2/4 aligning with PPA, and training the control on the same sentences")
    encoders = {"base": model}
    for name, recipe in _RECIPES.items():
        encoders[name] = str(
            run_recorded(
                align,
                model=model,
                pairs=train,
                recipe=recipe,
                overrides=[f"training.steps={_SEEN // 64}", "training.batch=64", f"training.seed={seed}"],
                lenient=True,
                out=out / name,
                resume=resume,
                quiet=quiet,
            )
        )
    note("3/4 scoring retrieval on the held-out pairs")
    runs = [out / name for name in _RECIPES]
    for name, encoder in encoders.items():
        run = out / f"retrieval-{name}"
        system = "base" if name == "base" else None
        run_recorded(evaluate, model=encoder, task="retrieval", data=test, system=system, out=run, quiet=True)
        runs.append(run)
        note(f"    {name} measured")
    note("4/4 writing the report")
    return write_report(runs, out / "report.html", title="Your pairs, aligned").html


def _write_data(folder: Path, specs: Sequence[PairSpec]) -> None:
    """Write the training and test pairs of each language pair as TSV files."""
    hashes_of: dict[str, dict[tuple[str, str], tuple[int, int]]] = defaultdict(dict)
    tags = {f"{spec.source}-{spec.target}": spec.languages for spec in specs}
    for spec in specs:
        name = f"{spec.source}-{spec.target}"
        rows = [(pair.source, pair.target) for pair in read_pairs(spec, lenient=True) if pair.source and pair.target]
        keys = (sentence_hashes(row[side] for row in rows).tolist() for side in (0, 1))
        both = zip(rows, zip(*keys, strict=True), strict=True)
        hashes_of[name] |= {row: hashes for row, hashes in both if all(hashes)}  # 0: no letters or digits
    tests: dict[str, list[tuple[str, str]]] = {}
    held: dict[str, set[int]] = defaultdict(set)
    for name, pairs in hashes_of.items():
        if len(pairs) < 2 * _TEST:
            raise UserError(f"{name}: {len(pairs):,} pairs, fewer than {2 * _TEST:,}", hint="give more pairs")
        test = tests[name] = []
        sides: tuple[set[int], set[int]] = (set(), set())
        for pair, (a, b) in sorted(pairs.items(), key=lambda item: (item[1], item[0])):
            if len(test) < _TEST and a not in sides[0] and b not in sides[1]:  # no test sentence has two translations
                test.append(pair)
                sides[0].add(a)
                sides[1].add(b)
        for tag, keys_of in zip(tags[name], sides, strict=True):
            held[tag] |= keys_of
    for name, pairs in hashes_of.items():
        first, second = (held[tag] for tag in tags[name])
        order = sorted(pairs.items(), key=lambda item: (item[1], item[0]))
        train = [pair for pair, (a, b) in order if a not in first and b not in second][:_MAX_TRAIN]
        for split, selected in (("train", train), ("test", tests[name])):
            write_lines(folder / f"{split}.{name}.tsv", ["\t".join(pair) for pair in selected])
