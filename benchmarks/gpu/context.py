"""Input of a stage (:class:`Context`) and its output (:class:`Measurement`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["SHAPES", "Context", "Measurement", "Shape", "Skipped"]


class Skipped(Exception):
    """Raised by a measurement that is not possible here; the message is the reason."""


@dataclass(frozen=True)
class Measurement:
    """A named measurement of a stage.

    Attributes:
        name: name, unique within the stage.
        run: returns the figures as JSON values, the most important first.
        needs: skipped if fewer seconds are left (ignored with ``tiny``).
    """

    name: str
    run: Callable[[], dict[str, Any]]
    needs: float = 0.0


@dataclass(frozen=True)
class Shape:
    """The shape of an encoder with random weights.

    Attributes:
        arch: value of ``paralign pretrain --arch``.
        vocabulary: rows of the embedding matrix. ``None``: as many as the tokenizer has pieces.
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
    """Device, size and data of a stage.

    Attributes:
        device: ``torch.device`` that paralign chooses on this machine.
        tiny: use small sizes that take seconds on a CPU.
        pack: folder made by ``pack``. ``None``: use generated text.
        out: output folder of the campaign; readable reports are written here.
        until: end of the stage, in seconds since 1970.
        values: figures of the stage's measurements so far by name, including those of earlier calls.
    """

    device: Any
    tiny: bool
    pack: Path | None
    out: Path
    until: float
    values: dict[str, dict[str, Any]] = field(default_factory=dict)

    def left(self) -> float:
        """Return the seconds until the stage is stopped."""
        return self.until - time.time()

    def skip(self, reason: str) -> NoReturn:
        """Skip the measurement that calls this and record the reason."""
        raise Skipped(reason)

    def shape(self, name: str) -> Shape:
        """Return the shape ``mbert`` or ``e5``; with ``tiny`` always the tiny one."""
        return SHAPES["tiny" if self.tiny else name]

    @property
    def work(self) -> Path:
        """Folder for working files, kept between calls. ``tiny`` has a separate one."""
        folder = self.out / ("work-tiny" if self.tiny else "work")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def data(self) -> Path | None:
        """``<pack>/data``: the task files, named as DATA in benchmarks/README.md, plain or with ``.gz``."""
        return self.pack / "data" if self.pack else None

    def store(self) -> Path:
        """Return the folder of a token store of pairs with at least ten pieces.

        It is that of the pack; with ``tiny`` or without a pack it is built from the small world.
        """
        import material

        return material.store(self)

    def tokenizer(self) -> Path:
        """Return the folder of the tokenizer that :meth:`store` was built with."""
        import material

        return material.tokenizer(self)

    def encoder(self) -> Path:
        """Return the folder of the pack's encoder, whose tokenizer is that of :meth:`store`.

        With ``tiny`` or without a pack it has the shape ``tiny`` and random weights.
        """
        import material

        return material.encoder(self)
