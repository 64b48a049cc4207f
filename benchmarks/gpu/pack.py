"""Make the folder that a bare GPU machine needs besides the repository: wheels, encoder, parallel text, task files."""

from __future__ import annotations

import gzip
import itertools
import json
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import record
import wheels
from real_text import each, paralign

__all__ = ["make"]

LARGEST = 44 * 2**20
"""Maximum size in bytes: pack and repository together have less than 62 MiB."""
PYTHON = "3.12"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
LANGUAGES = ("de", "fr", "es", "zh", "ar", "hi")
LINES = 9_000
"""Number of lines sampled from each file; pairs shorter than ten pieces are removed afterwards."""
TASK_FILES = ("pos-parse/UD_English-EWT/en_ewt-ud-train.conllu.gz", "xnli/dev-en.tsv")


def make(data: Path, encoder: Path, script: Path, out: Path) -> int:
    """Make the pack.

    Args:
        data: folder of the public data sets.
        encoder: packed encoder.
        script: script that unpacks it: ``script unpack FILE FOLDER`` makes a Hugging Face folder.
        out: new folder.

    Returns:
        0, or 2 after printing an error.
    """
    missing = [path for path in (encoder, script, *(data / name for name in TASK_FILES)) if not path.is_file()]
    if missing or out.exists():
        reason = f"{missing[0]} does not exist" if missing else f"{out} exists: remove it, or give another --out"
        print(f"error: {reason}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as place:
        part = Path(place) / "pack"
        _wheels(part / "wheels")
        (part / "encoder").mkdir()
        shutil.copyfile(encoder, part / "encoder/encoder.npz")
        shutil.copyfile(script, part / "encoder/unpack.py")
        _store(data, part, Path(place))
        for name in TASK_FILES:
            _compressed(data / name, part / "data" / name)
        facts = {"commit": record.current_commit(None), "python": PYTHON, "machine": platform.machine()}
        (part / "pack.json").write_text(json.dumps(facts), encoding="utf-8")
        sizes = {path.name: size_of(path) for path in sorted(part.iterdir())}
        total = sum(sizes.values())
        print(", ".join(f"{name} {size / 2**20:.1f}" for name, size in sizes.items()) + f": {total / 2**20:.1f} MiB")
        if total > LARGEST:
            print(f"error: the pack has more than {LARGEST / 2**20:.0f} MiB", file=sys.stderr)
            return 2
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(part, out)
    print(f"{out}: copy it to the GPU machine and run there: python benchmarks/gpu run --pack {out}")
    return 0


def size_of(folder: Path) -> int:
    """Return the size in bytes of a file or of all files in a folder."""
    return sum(path.stat().st_size for path in [folder, *folder.rglob("*")] if path.is_file())


def pinned() -> dict[str, str]:
    """Return the versions of :data:`wheels.MISSING`: those of constraints.txt, else those installed here."""
    text = (record.ROOT / "constraints.txt").read_text(encoding="utf-8")
    versions = {_plain(name): number for name, number in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE)}
    return {name: versions.get(_plain(name)) or version(name) for name in wheels.MISSING}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _wheels(folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
               "--implementation", "cp", "--python-version", PYTHON, *each("--platform", PLATFORMS),
               "--dest", str(folder)]  # fmt: skip
    subprocess.run([*command, *(f"{name}=={number}" for name, number in pinned().items())], check=True)


def _store(data: Path, part: Path, work: Path) -> None:
    """Build a token store of pairs of at least ten pieces, sampled evenly from each file."""
    model = work / "encoder"
    subprocess.run(
        [sys.executable, str(part / "encoder/unpack.py"), "unpack", str(part / "encoder/encoder.npz"), str(model)],
        check=True,
    )
    specs = []
    for tag in LANGUAGES:
        office = data / f"parallel/libreoffice/LibreOffice.{tag}-en"
        sources = [f"en-{tag}={office}.en.gz,{office}.{tag}.gz"]
        if (data / f"parallel/tatoeba/en-{tag}.tsv.gz").exists():  # Hindi has none
            sources.append(f"en-{tag}={data}/parallel/tatoeba/en-{tag}.tsv.gz")
        for number, source in enumerate(sources):
            path = work / f"en-{tag}.{number}.tsv"
            path.write_text("".join(f"{a}\t{b}\n" for a, b in evenly(source)), encoding="utf-8")
            specs.append(f"en-{tag}={path}")
    paralign(
        *("corpus", "build", "--model", model, *each("--pairs", specs), "--lenient"),
        *("--set", "data.min_pieces=10", "--out", work / "store"),
    )
    shutil.make_archive(str(part / "store"), "zip", work / "store")


def evenly(source: str) -> list[tuple[str, str]]:
    """Return pairs sampled from a file at equal distances."""
    from paralign.sources.readers import read_pairs
    from paralign.sources.specs import parse_pairs

    def pairs() -> list[tuple[str, str]]:
        read = read_pairs(parse_pairs(source), lenient=True)
        return [(" ".join(pair.source.split()), " ".join(pair.target.split())) for pair in read]

    usable = pairs()
    return list(itertools.islice(usable, 0, None, max(1, len(usable) // LINES)))


def _compressed(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".gz":
        shutil.copyfile(source, target)
        return
    content = gzip.compress(source.read_bytes(), 9, mtime=0)
    target.with_name(target.name + ".gz").write_bytes(content)
