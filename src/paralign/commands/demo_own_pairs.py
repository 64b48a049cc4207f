"""``paralign demo --pairs``: the systems of the demo on a user's own pairs, evaluated on held-out pairs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from paralign.commands.demo_systems import align_systems, demo_data, evaluate_systems
from paralign.console import echo_dropped
from paralign.corpus.deduplicate import sentence_hashes
from paralign.corpus.language_identification import check_languages
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.delimited import BARS
from paralign.formats.lines import MAX_LINE, write_lines
from paralign.runs.groups import begin
from paralign.runs.inputs import data_files
from paralign.sources.readers import read_pairs
from paralign.sources.specs import PairSpec, parse_pairs

__all__ = ["demo_own_pairs"]

_HELD_OUT = {"test": 500, "dev": 300}
_MAX_TRAIN = 50_000


def demo_own_pairs(
    out: str | Path,
    pairs: Sequence[str],
    *,
    model: str = "paralign-mini",
    seed: int = 0,
    resume: bool = False,
    quiet: bool = False,
) -> Path:
    """Align an encoder with the user's pairs and report the effect on held-out pairs.

    1. Up to 800 pairs of each file, chosen by a hash, are held out: 500 test and 300 development pairs. Their sentences
       are removed from the other pairs (compared without case, punctuation and spaces).
    2. The systems of the demo are trained on up to 50,000 other pairs of each language, the control on the same
       sentences without their pairing, for the same number of pairs.
    3. All encoders are evaluated on sentence retrieval with the test pairs, each at its best layer and pooling on the
       development pairs.
    4. A report compares them.

    Args:
        out: output folder.
        pairs: parallel text, each as ``SRC-TGT=PATH``.
        model: folder or hub name of the encoder to align.
        seed: random seed of alignment.
        resume: continue in ``out``; training that is finished is not repeated, evaluations are.
        quiet: print nothing.

    Returns:
        The path of the report.

    Raises:
        UserError: if ``out`` is not empty and ``resume`` is off, and for pairs that cannot be used: pairs in a language
            other than their tag, fewer than 1,600, or other pairs than the demo began with.
    """
    from paralign.report import write_report

    out = Path(out)
    note = begin(out, resume, quiet)
    specs = [parse_pairs(text) for text in pairs]
    encoder = Encoder.from_pretrained(model, quiet=True)  # its runs load it again, with notes
    width, digest = encoder.width, encoder.digest()
    del encoder  # not to be in memory during training
    inputs = {
        "pairs": [[str(spec), *(entry["blake2b"] for entry in data_files([spec]))] for spec in specs],
        "model": digest,
        "seed": seed,
    }

    def write(folder: Path) -> None:
        check_languages(specs)
        note("1/4 holding out test and development pairs")
        _write_data(folder, specs, quiet)

    data = demo_data(out, write, inputs)
    names = sorted(path.name.removeprefix("train.").removesuffix(".tsv") for path in data.glob("train.*.tsv"))
    train, dev, test = (
        [f"{name}={data / f'{split}.{name}.tsv'}" for name in names] for split in ("train", "dev", "test")
    )
    note("2/4 aligning: a control, contrastive word alignment, and PPA, on the same pairs")
    encoders = align_systems(out, model, train, width=width, seed=seed, lenient=True, resume=resume, quiet=quiet)
    note("3/4 measuring, each system at its best layer on the development pairs")
    runs = [out / name for name in encoders if name != "base"]
    runs += evaluate_systems(out, encoders, "retrieval", data=test, dev=dev, dataset="held-out pairs", note=note)
    note("4/4 writing the report")
    return write_report(runs, out / "report.html", title="Your pairs, aligned").html


def _write_data(folder: Path, specs: Sequence[PairSpec], quiet: bool) -> None:
    """Write the training, development and test pairs of each language pair as TSV files; report dropped pairs."""
    dropped: Counter[str] = Counter()
    hashes_of: dict[str, dict[tuple[str, str], tuple[int, int]]] = defaultdict(dict)
    tags = {f"{spec.source}-{spec.target}": spec.languages for spec in specs}
    for spec in specs:
        name = f"{spec.source}-{spec.target}"
        read = read_pairs(spec, lenient=True, dropped=dropped)
        filled = [(pair.source, pair.target) for pair in read if pair.source and pair.target]
        without_bars = [row for row in filled if not any(BARS in text for text in row)]
        dropped[f"with {BARS}, which a TSV file cannot have"] += len(filled) - len(without_bars)
        rows = [row for row in without_bars if len("\t".join(row).encode()) <= MAX_LINE]
        dropped["line too long"] += len(without_bars) - len(rows)
        keys = (sentence_hashes(row[side] for row in rows).tolist() for side in (0, 1))
        both = zip(rows, zip(*keys, strict=True), strict=True)
        hashes_of[name] |= {row: hashes for row, hashes in both if all(hashes)}  # 0: no letters or digits
    echo_dropped(dropped, "pairs", quiet=quiet)
    enough = 2 * sum(_HELD_OUT.values())
    selected: dict[tuple[str, str], list[tuple[str, str]]] = {}
    held: dict[str, set[int]] = defaultdict(set)
    for name, pairs in hashes_of.items():
        if len(pairs) < enough:
            raise UserError(f"{name}: {len(pairs):,} pairs, fewer than {enough:,}", hint="give more pairs")
        sides: tuple[set[int], set[int]] = (set(), set())
        drawn: list[tuple[str, str]] = []
        for pair, (a, b) in sorted(pairs.items(), key=lambda item: (item[1], item[0])):
            if len(drawn) < enough // 2 and a not in sides[0] and b not in sides[1]:
                drawn.append(pair)  # no sentence that is held out has two translations
                sides[0].add(a)
                sides[1].add(b)
        selected[name, "test"], selected[name, "dev"] = drawn[: _HELD_OUT["test"]], drawn[_HELD_OUT["test"] :]
        for tag, keys_of in zip(tags[name], sides, strict=True):
            held[tag] |= keys_of
    for name, pairs in hashes_of.items():
        first, second = (held[tag] for tag in tags[name])
        order = sorted(pairs.items(), key=lambda item: (item[1], item[0]))
        selected[name, "train"] = [pair for pair, (a, b) in order if a not in first and b not in second][:_MAX_TRAIN]
    for (name, split), rows in selected.items():
        write_lines(folder / f"{split}.{name}.tsv", ["\t".join(pair) for pair in rows])
