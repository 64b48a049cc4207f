"""Everything a GPU can tell about paralign, in ten prepared minutes.

    python benchmarks/gpu pack --data DATA --encoder NPZ --out FOLDER
    python benchmarks/gpu run [--pack FOLDER] [--out FOLDER] [--seconds 540] [--tiny] [--only STAGE ...]

`pack` needs a network and no GPU: it collects what a bare GPU machine lacks. `run` needs neither network nor pack
(without one it measures on generated text). Every figure is a line of OUT/results.jsonl; a second call measures what is
missing.
See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # the scripts of benchmarks/

from stages import STAGES

DEFAULT_OUT = Path("runs/gpu")


def arguments_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="collect what a GPU machine lacks in one folder")
    pack.add_argument("--data", type=Path, required=True, help="the public sets, named as in benchmarks/README.md")
    pack.add_argument("--encoder", type=Path, required=True, help="packed encoder (.npz)")
    pack.add_argument("--unpack", type=Path, help="the script that unpacks it; default: e5_small.py next to it")
    pack.add_argument("--out", type=Path, default=Path("gpu-pack"))
    run = commands.add_parser("run", help="measure, stage by stage")
    stage = commands.add_parser("stage", help="one stage, in this process (`run` calls it)")
    stage.add_argument("name", choices=[entry.name for entry in STAGES])
    stage.add_argument("--until", type=float, required=True, help="end, in seconds since 1970")
    for command in (run, stage):
        command.add_argument("--pack", type=Path, help="folder made by `pack`")
        command.add_argument("--out", type=Path, default=DEFAULT_OUT, help="results, logs and working files")
        command.add_argument("--tiny", action="store_true", help="every stage at a size for a CPU")
    run.add_argument("--seconds", type=float, default=540, help="for all stages together")
    run.add_argument("--only", nargs="+", choices=[entry.name for entry in STAGES], help="these stages")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; imports what it needs only then, because a bare machine lacks some packages."""
    given = arguments_of(arguments)
    if given.command == "pack":
        from pack import make

        return make(given.data, given.encoder, given.unpack or given.encoder.parent / "e5_small.py", given.out)
    if given.command == "run":
        from runner import run

        return run(given.pack, given.out, given.seconds, given.tiny, given.only)
    from driver import drive

    return drive(given.name, given.pack, given.out, given.tiny, given.until)


if __name__ == "__main__":
    sys.exit(main())
