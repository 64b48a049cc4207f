"""Word links by eflomal (Östling and Tiedemann 2016), run as a program of its own: its license is the GPL."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.errors import UserError
from paralign.formats.links import read_links
from paralign.words.base import Aligner, AlignerConfig
from paralign.words.found import WordLinks
from paralign.words.symmetrize import symmetrise

__all__ = ["EflomalAligner", "EflomalConfig", "run_eflomal"]

_PROGRAM = "eflomal-align"


class EflomalConfig(AlignerConfig):
    """How eflomal is called."""

    program: str = _PROGRAM
    """Name or path of the program."""
    model: int = Field(default=3, ge=1, le=3)
    """1: IBM model 1, 2: with a hidden Markov model, 3: with fertility."""
    lowercase: bool = True
    """Take words that differ in case for one."""


class EflomalAligner(Aligner):
    """The program eflomal, if it is installed."""

    name: ClassVar[str] = "eflomal"
    Config: ClassVar[type[AlignerConfig]] = EflomalConfig
    accepts: ClassVar[frozenset[str]] = frozenset({"train"})
    config: EflomalConfig

    def align(self, count: int) -> WordLinks:
        links = run_eflomal([pair.words for pair in self.pairs], self.config, self.symmetrization)
        end = int(links.starts[count])
        return WordLinks(links.starts[: count + 1], links.source[:end], links.target[:end])


def run_eflomal(
    pairs: Sequence[tuple[Sequence[str], Sequence[str]]], config: EflomalConfig, method: str = "grow-diag-final-and"
) -> WordLinks:
    """Link the words of sentence pairs with eflomal.

    Args:
        pairs: words of both sides; a side may be empty.
        config: its settings.
        method: how its two directions are joined (:func:`paralign.words.symmetrize.symmetrise`).

    Raises:
        UserError: if the program is not there, fails or is killed, with what it said last; its temporary files are
            removed.
    """
    program = shutil.which(config.program)
    if program is None:
        hint = "pip install eflomal, or --set words.program=PATH; --method hmm needs nothing"
        raise UserError(f"there is no program {config.program!r}", hint=hint)
    places = [k for k, (source, target) in enumerate(pairs) if source and target]
    with tempfile.TemporaryDirectory(prefix="paralign-eflomal-") as name:
        folder = Path(name)
        try:
            for side, file in enumerate(("source", "target")):
                with (folder / file).open("w", encoding="utf-8") as out:
                    for k in places:
                        text = " ".join(pairs[k][side])
                        out.write((text.lower() if config.lowercase else text) + "\n")
        except OSError as error:
            raise UserError(f"cannot write eflomal's input: {error.strerror}", where=folder) from None
        _run(
            [program, "-s", "source", "-t", "target", "-f", "forward", "-r", "backward", "-m", str(config.model)],
            folder,
        )
        rows, source, target = [], [], []
        for k, forward, backward in zip(places, _read(folder / "forward"), _read(folder / "backward"), strict=False):
            size = (1, len(pairs[k][0]), len(pairs[k][1]))
            joined = np.nonzero(symmetrise(_mask(forward, size), _mask(backward, size), method))
            rows.append(np.full(len(joined[1]), k))
            source.append(joined[1])
            target.append(joined[2])
    return WordLinks.of(len(pairs), rows, source, target)


def _mask(links: set[tuple[int, int]], size: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    out = np.zeros(size, np.bool_)
    for i, j in links:
        out[0, i, j] = True
    return out


def _read(path: Path) -> Iterator[set[tuple[int, int]]]:
    return (links.sure for links in read_links(path))


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    missing = [file for file in ("forward", "backward") if not (folder / file).is_file()]
    # eflomal may be killed, or find the disk full, and still end with 0: the files say whether it is done.
    lines = [sum(1 for _ in (folder / file).open("rb")) for file in ("source", "forward", "backward") if not missing]
    if done.returncode == 0 and not missing and len(set(lines)) == 1:
        return
    what = f"was ended by signal {-done.returncode}" if done.returncode < 0 else f"failed (exit code {done.returncode})"
    if done.returncode == 0:
        what = "ended without all its links: is the disk of the temporary folder full?"
    last = f": {said[-1].strip():.200}" if said else ""
    raise UserError(f"eflomal {what}{last}", where=command[0], hint="fix that, or use --method hmm")
