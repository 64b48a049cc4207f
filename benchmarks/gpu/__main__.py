"""Measurements of paralign on a GPU, prepared so that they fit into ten minutes.

    python benchmarks/gpu pack --data DATA --encoder NPZ --out FOLDER
    python benchmarks/gpu run [--pack FOLDER] [--out FOLDER] [--seconds 540] [--tiny] [--only STAGE ...]
        [--match TEXT ...]

`pack` needs a network and no GPU: it collects what a bare GPU machine lacks. `run` needs neither a network nor a pack
(without one it measures on generated text). Every measurement is a line of OUT/results.jsonl; running the command again
measures what is missing. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # scripts of benchmarks/

from stages import STAGES

DEFAULT_OUT = Path("runs/gpu")


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks/gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pack = commands.add_parser("pack", help="collect in one folder what a GPU machine lacks")
    pack.add_argument("--data", type=Path, required=True, help="public data sets, named as in benchmarks/README.md")
    pack.add_argument("--encoder", type=Path, required=True, help="packed encoder (.npz)")
    pack.add_argument("--unpack", type=Path, help="script that unpacks it; default: e5_small.py in the same folder")
    pack.add_argument("--out", type=Path, default=Path("gpu-pack"))
    run = commands.add_parser("run", help="measure, stage by stage")
    stage = commands.add_parser("stage", help="run one stage in this process (called by `run`)")
    stage.add_argument("name", choices=[entry.name for entry in STAGES])
    stage.add_argument("--until", type=float, required=True, help="end of the stage, in seconds since 1970")
    for command in (run, stage):
        command.add_argument("--pack", type=Path, help="folder made by `pack`")
        command.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder for results, logs and working files")
        command.add_argument(
            "--match", nargs="+", metavar="TEXT", help="only measurements with one of these in the name"
        )
        command.add_argument("--tiny", action="store_true", help="small sizes that run on a CPU in minutes")
    run.add_argument("--seconds", type=float, default=540, help="time limit of all stages together")
    run.add_argument("--only", nargs="+", choices=[entry.name for entry in STAGES], help="run only these stages")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Its modules are imported late, because a bare machine lacks some packages."""
    options = parse_arguments(arguments)
    if options.command == "pack":
        from pack import make

        script = options.unpack or options.encoder.parent / "e5_small.py"
        return make(options.data, options.encoder, script, options.out)
    if options.command == "run":
        from runner import run

        return run(options.pack, options.out, options.seconds, options.tiny, options.only, options.match)
    from driver import run_stage

    return run_stage(options.name, options.pack, options.out, options.tiny, options.until, options.match)


if __name__ == "__main__":
    sys.exit(main())
