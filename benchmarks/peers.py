"""Paralign compared with other programs, in one table: time, memory and quality on the same input.

    python benchmarks/peers.py aligners DATA OUT [--encoder ENCODER --layer N] [--pairs 5000] [--only NAME ...]
    python benchmarks/peers.py trainers OUT [--store STORE --tokenizer FOLDER] [--only NAME ...]

`aligners` installs each word aligner from the package index into an environment of its own under OUT, which sees torch
and transformers of this one, and aligns gold sentences (DATA as in benchmarks/README.md). Statistical aligners learn
from the gold sentences and, up to `--pairs`, from the parallel text of DATA. Aligners by similarity use ENCODER at
layer N and align the gold sentences alone. CPU seconds, seconds and peak memory are those of the process; set
OMP_NUM_THREADS for the threads of all. `trainers` runs the benchmarks that compare training steps, one after the other.
What cannot be installed or fails is listed with the reason.

Not compared: fast_align itself is in no package index (systran-align is the same model); awesome-align aligns with
BERT and its WordPiece tokenizer only; vectoralign makes dictionaries, not links.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What a peer runs must not import more than the peer does: paralign and numpy are imported below, in `main`.


def fast_align(source: Path, target: Path, links: Path, encoder: str, layer: int) -> None:
    """Align with systran-align: fast_align in both directions, with its recommended options, symmetrized."""
    import systran_align

    pairs = [(a.split(), b.split()) for a, b in zip(_lines(source), _lines(target), strict=True)]
    text = links.with_suffix(".text")
    text.write_text("".join(f"{' '.join(a)} ||| {' '.join(b)}\n" for a, b in pairs), encoding="utf-8")
    tables = [str(links.with_suffix(f".{name}")) for name in ("forward", "backward")]
    systran_align.generate_alignment_probabilities(
        str(text), *tables, favor_diagonal=True, optimize_tension=True, variational_bayes=True
    )
    aligner = systran_align.Aligner(*tables)
    _write(links, [aligner.align(a, b)["alignments"] for a, b in pairs])


def simalign(source: Path, target: Path, links: Path, encoder: str, layer: int) -> None:
    """Align with simalign: itermax over pieces."""
    from simalign import SentenceAligner

    aligner = SentenceAligner(model=encoder, token_type="bpe", matching_methods="i", layer=layer)
    pairs = zip(_lines(source), _lines(target), strict=True)
    _write(links, [aligner.get_word_aligns(a.split(), b.split())["itermax"] for a, b in pairs])


def ctfalign(source: Path, target: Path, links: Path, encoder: str, layer: int) -> None:
    """Align with CTFAlign: itermax, coarse to fine."""
    from ctfalign import WordAligner

    aligner = WordAligner.from_huggingface(encoder, method="ctfalign", mode="itermax", layer=layer)
    pairs = zip(_lines(source), _lines(target), strict=True)
    _write(links, list(aligner.align_pairs(pairs, progress_callback=None)))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _write(path: Path, links: Sequence[Sequence[Sequence[int]]]) -> None:
    path.write_text("".join(" ".join(f"{a}-{b}" for a, b in pair) + "\n" for pair in links), encoding="utf-8")


@dataclass(frozen=True)
class Peer:
    """A word aligner.

    Attributes:
        packages: what is installed. Empty: paralign.
        run: aligns two files. None: ``paralign words`` with ``options``.
        options: of ``paralign words``.
        encoder: whether it needs an encoder; otherwise it learns from text.
    """

    packages: tuple[str, ...] = ()
    run: Callable[[Path, Path, Path, str, int], None] | None = None
    options: tuple[str, ...] = ()
    encoder: bool = False


ALIGNERS = {
    "paralign hmm": Peer(options=("--method", "hmm")),
    "eflomal": Peer(("eflomal",), options=("--method", "eflomal")),
    "fast_align (systran-align)": Peer(("systran-align",), fast_align),
    "paralign similarity": Peer(options=("--method", "similarity"), encoder=True),
    "simalign": Peer(("simalign", "networkx", "scikit-learn", "scipy", "regex"), simalign, encoder=True),
    "ctfalign": Peer(("ctfalign",), ctfalign, encoder=True),
}
TRAINERS = {
    "PPA: steps in transformers": ("ppa_step.py",),
    "TLM: Hugging Face Trainer": ("trainer_step.py",),
    "TLM: awesome-align": ("awesome_step.py", "AWESOME"),
    "contrast: sentence-transformers": ("contrastive_step.py", "--recipe", "in-batch"),
    "divided contrast: sentence-transformers": (
        *("contrastive_step.py", "--recipe", "in-batch", "--slices", "8", "--batch", "512", "--steps", "4"),
    ),
}
"""Benchmarks; AWESOME is the folder in which awesome-align is installed."""


def install(place: Path, packages: Sequence[str]) -> Path:
    """Create an environment, which sees the packages of this one after its own, and install packages into it.

    Returns:
        Its Python.
    """
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (place / "complete").exists():
        venv.create(place, with_pip=False, clear=True)
        site = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        ).stdout.strip()  # fmt: skip
        ours = [path for path in sys.path if path.endswith("site-packages")]
        Path(site, "paralign.pth").write_text("\n".join(ours) + "\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
        subprocess.run([*pip, *packages], check=True, capture_output=True, text=True)
        (place / "complete").touch()
    return python


def aligners(given: argparse.Namespace) -> None:
    """Run the word aligners on the gold sentences of each language pair."""
    from aligners import gold_set, measured, words
    from alignment_by_size import score_of, training_pairs, write_sides
    from machine import finish, table

    given.out = given.out.resolve()
    given.out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for language in given.languages:
        text, right, half = gold_set(given.data, language, given.half)
        gold, pairs = [right[k] for k in half], [text[k] for k in half]
        more = training_pairs(given.data, language)[: max(0, given.pairs - len(pairs))]
        for name, peer in ALIGNERS.items():
            if name not in given.only or (peer.encoder and given.encoder is None):
                continue
            used = pairs if peer.encoder else [*pairs, *more]
            files = [given.out / f"{language}.{side}" for side in ("source", "target", "links")]
            write_sides(used, files[:2])
            files[2].unlink(missing_ok=True)
            row: dict[str, Any] = {"language": language, "aligner": name, "pairs": len(used)}
            try:
                folder = given.out / name.split()[0]
                python = install(folder, peer.packages) if peer.packages else Path(sys.executable)
                os.environ["PATH"] = os.pathsep.join([str(python.parent), os.environ["PATH"]])
                if peer.run is None:
                    options = ["--pairs", f"en-de={files[0]},{files[1]}", "--tokenized", "--out", files[2]]
                    encoder = ["--model", given.encoder, "--set", f"words.layer={given.layer}"] if peer.encoder else []
                    command = words(*options, *peer.options, *encoder)
                else:
                    command = [str(python), __file__, "child", peer.run.__name__, *map(str, files)]
                    command += [str(given.encoder), str(given.layer)]
                row |= {key: round(value, 1) for key, value in measured(command).items()}
            except (subprocess.CalledProcessError, SystemExit) as error:
                row["error"] = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1]
            else:
                row["aer"] = round(100 * score_of(files[2], gold).aer, 1)
            rows.append(row)
            print(json.dumps(row), file=sys.stderr, flush=True)
    cells = [
        [row["language"], row["aligner"], f"{row['pairs']:,}",
         *([f"{row[key]:,.1f}" for key in ("aer", "cpu", "seconds", "peak_mb")] if "aer" in row else [row["error"]])]
        for row in rows
    ]  # fmt: skip
    print(table(["", "aligner", "pairs", "AER", "CPU s", "s", "peak MB"], [[*c, *[""] * (7 - len(c))] for c in cells]))
    shape = {"half": given.half, "encoder": given.encoder and Path(given.encoder).name, "layer": given.layer}
    finish("peers aligners", {**shape, "rows": rows}, torch_too=True)


def trainers(given: argparse.Namespace) -> None:
    """Run the benchmarks of training steps."""
    from machine import finish

    given.out.mkdir(parents=True, exist_ok=True)
    store = [f"--{name}={getattr(given, name)}" for name in ("store", "tokenizer") if getattr(given, name)]
    found: dict[str, Any] = {}
    for name, (script, *arguments) in TRAINERS.items():
        if name not in given.only:
            continue
        if "AWESOME" in arguments:
            target = given.out / "awesome-align"
            pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(target)]
            if not target.exists():
                subprocess.run([*pip, "--no-deps", "awesome-align"], check=True)
                subprocess.run([*pip, "boto3", "requests"], check=True)
            arguments = [str(target) if word == "AWESOME" else word for word in arguments]
        print(f"\n{name}", flush=True)
        command = [sys.executable, str(Path(__file__).with_name(script)), *arguments, *store]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        *shown, last = done.stdout.splitlines() or [""]
        print("\n".join(shown), flush=True)
        found[name] = json.loads(last) if done.returncode == 0 else {"error": f"exit code {done.returncode}"}
    finish("peers trainers", {"rows": found}, torch_too=True)


def main() -> None:
    """Read the arguments and measure."""
    if sys.argv[1:2] == ["child"]:
        name, *files, encoder, layer = sys.argv[2:]
        run = next(peer.run for peer in ALIGNERS.values() if peer.run is not None and peer.run.__name__ == name)
        run(*map(Path, files), encoder, int(layer))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    one = kinds.add_parser("aligners")
    one.add_argument("data", type=Path)
    one.add_argument("out", type=Path)
    one.add_argument("--encoder", help="folder of an encoder")
    one.add_argument("--layer", type=int, default=8)
    one.add_argument("--pairs", type=int, default=5_000)
    one.add_argument("--languages", nargs="+", default=["en-de", "en-fr"])
    one.add_argument("--half", choices=("dev", "test"), default="dev")
    one.add_argument("--only", nargs="+", choices=ALIGNERS, default=list(ALIGNERS))
    one.set_defaults(run=aligners)
    other = kinds.add_parser("trainers")
    other.add_argument("out", type=Path)
    other.add_argument("--store", type=Path)
    other.add_argument("--tokenizer", type=Path)
    other.add_argument("--only", nargs="+", choices=TRAINERS, default=list(TRAINERS))
    other.set_defaults(run=trainers)
    given = parser.parse_args()
    given.run(given)


if __name__ == "__main__":
    main()
