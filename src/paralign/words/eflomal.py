"""The aligner ``eflomal`` (Östling and Tiedemann 2016), run as a separate program because its license is the GPL."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.errors import UserError
from paralign.formats.links import read_links
from paralign.words.base import Aligner, AlignerConfig
from paralign.words.symmetrization import symmetrize
from paralign.words.word_links import WordLinks

__all__ = ["EflomalAligner", "EflomalConfig", "run_eflomal"]

_PROGRAM = "eflomal-align"
_DIRECTIONS = ("forward", "backward")
Sentences = Sequence[tuple[Sequence[str], Sequence[str]]]
"""The words of both sides of each sentence pair."""


class EflomalConfig(AlignerConfig):
    """Settings of ``eflomal``."""

    program: str = _PROGRAM
    """Name or path of the program."""
    model: int = Field(default=3, ge=1, le=3)
    """1: IBM model 1; 2: with a hidden Markov model; 3: with fertility."""
    lowercase: bool = True
    """Ignore case."""


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


def run_eflomal(pairs: Sentences, config: EflomalConfig, method: str = "grow-diag-final-and") -> WordLinks:
    """Link the words of sentence pairs with eflomal.

    Args:
        pairs: the words of both sides; a side may be empty.
        config: program, model and case.
        method: how both directions are combined, see :func:`paralign.words.symmetrization.symmetrize`.

    Raises:
        UserError: if the program is missing, fails or is killed, with its last message. Temporary files are removed.
    """
    program = shutil.which(config.program)
    if program is None:
        hint = "pip install eflomal, give --set words.program=PATH, or use --method hmm, which needs no program"
        raise UserError(f"program {config.program!r} not found", hint=hint)
    numbers = [k for k, (source, target) in enumerate(pairs) if source and target]
    with tempfile.TemporaryDirectory(prefix="paralign-eflomal-") as name:
        folder = Path(name)
        _write_input([pairs[k] for k in numbers], folder, config.lowercase)
        outputs = [option for file, flag in zip(_DIRECTIONS, ("-f", "-r"), strict=True) for option in (flag, file)]
        _run([str(Path(program).resolve()), "-s", "source", "-t", "target", *outputs, "-m", str(config.model)], folder)
        rows, source, target = [], [], []
        directions = (read_links(folder / file) for file in _DIRECTIONS)
        for k, forward, backward in zip(numbers, *directions, strict=False):
            size = (1, len(pairs[k][0]), len(pairs[k][1]))
            _, i, j = np.nonzero(symmetrize(_mask(forward.sure, size), _mask(backward.sure, size), method))
            rows.append(np.full(len(i), k))
            source.append(i)
            target.append(j)
    return WordLinks.from_arrays(len(pairs), rows, source, target)


def _write_input(pairs: Sentences, folder: Path, lowercase: bool) -> None:
    try:
        for side, file in enumerate(("source", "target")):
            with (folder / file).open("w", encoding="utf-8") as out:
                for pair in pairs:
                    # eflomal splits lines at any white space, which tokens may contain.
                    text = " ".join("_".join(word.split()) or "_" for word in pair[side])
                    out.write((text.lower() if lowercase else text) + "\n")
    except OSError as error:
        hint = "set TMPDIR to a folder with more space"
        raise UserError(f"cannot write the input of eflomal: {error.strerror}", where=folder, hint=hint) from None


def _mask(links: set[tuple[int, int]], size: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    mask = np.zeros(size, np.bool_)
    for i, j in links:
        mask[0, i, j] = True
    return mask


def _run(command: Sequence[str], folder: Path) -> None:
    """Run eflomal and check its output files: after a full disk or a killed child it may still exit with 0."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    complete = all((folder / file).is_file() for file in _DIRECTIONS)
    if done.returncode == 0 and complete:
        lines = {sum(1 for _ in (folder / file).open("rb")) for file in ("source", *_DIRECTIONS)}
        if len(lines) == 1:
            return
    if done.returncode < 0:
        what = f"was terminated by signal {-done.returncode}"
    elif done.returncode:
        what = f"failed (exit code {done.returncode})"
    else:
        what = "ended before writing all links: is the disk of the temporary folder full?"
    messages = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    last = f": {messages[-1].strip():.200}" if messages else ""
    raise UserError(f"eflomal {what}{last}", where=command[0], hint="fix this, or use --method hmm")
