"""What a stage is given, and what it gives: named measurements."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["SHAPES", "Context", "Measurement", "Shape", "Skipped"]


class Skipped(Exception):
    """A measurement that cannot be made here; its text says why."""


@dataclass(frozen=True)
class Measurement:
    """A named item of a stage.

    Attributes:
        name: unique in its stage.
        run: makes it; returns figures that JSON can hold, the most important first.
        needs: seconds; with fewer left it is skipped (not with ``tiny``).
    """

    name: str
    run: Callable[[], dict[str, Any]]
    needs: float = 0.0


@dataclass(frozen=True)
class Shape:
    """Of an encoder with random weights.

    Attributes:
        arch: as ``paralign pretrain --arch`` takes it.
        vocabulary: pieces; ``None`` for those of the tokenizer.
    """

    arch: str
    vocabulary: int | None


SHAPES = {
    "mbert": Shape("bert:12x768", 119_547),
    "e5": Shape("bert:12x384", None),
    "tiny": Shape("bert:2x32", None),
}


@dataclass
class Context:
    """Where and at which size a stage measures.

    Attributes:
        device: ``torch.device`` that paralign chooses on this machine.
        tiny: sizes for a CPU: seconds each.
        pack: folder made by ``pack``, or ``None``: generated text.
        out: the campaign's folder; text files for people are written here.
        until: end of the stage, in seconds since 1970.
        values: figures of the stage's measurements so far, by name, those of earlier calls too.
    """

    device: Any
    tiny: bool
    pack: Path | None
    out: Path
    until: float
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def left(self) -> float:
        """Seconds until the stage is stopped."""
        return self.until - time.time()

    def skip(self, reason: str) -> NoReturn:
        """Leave the measurement that calls this; the reason is recorded."""
        raise Skipped(reason)

    def shape(self, name: str) -> Shape:
        """``mbert`` or ``e5``; with ``tiny`` always the tiny one."""
        return SHAPES["tiny" if self.tiny else name]

    @property
    def work(self) -> Path:
        """Folder for working files; kept between calls, one for ``tiny`` and one for the real size."""
        folder = self.out / ("work-tiny" if self.tiny else "work")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def data(self) -> Path | None:
        """``<pack>/data``: the task files, under the names of DATA in benchmarks/README.md, plain or with ``.gz``."""
        return self.pack / "data" if self.pack else None

    def store(self) -> Path:
        """Folder of a token store of pairs with at least ten pieces: the pack's; with ``tiny`` or without a pack one of
        the small world."""
        import material

        return material.store(self)

    def tokenizer(self) -> Path:
        """Folder of the tokenizer that store was made with."""
        import material

        return material.tokenizer(self)

    def encoder(self) -> Path:
        """Folder of the pack's real encoder; with ``tiny`` or without a pack a random one of shape ``tiny``. Its
        tokenizer is that of :meth:`store`."""
        import material

        return material.encoder(self)
