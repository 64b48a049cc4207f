"""What a head is trained on: one language, several, translations code-switched, a few examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paralign.errors import UserError
from paralign.tasks.base import read_data
from paralign.tasks.dataset import Dataset
from paralign.tasks.supervised import Supervised

__all__ = ["Transfer", "read_transfer"]


@dataclass(frozen=True)
class Transfer:
    """What is trained on."""

    sets: list[Dataset[Any]]
    originals: Dataset[Any] | None
    target_examples: int | None
    dev: Dataset[Any] | None

    @property
    def language(self) -> str:
        """As rows of results say it: ``en``, ``en+de``, ``de*en`` (code-switched), ``en+de:100`` (few-shot)."""
        names = list(dict.fromkeys(one.language for one in self.sets))
        if self.originals is not None:
            names = [f"{name}*{self.originals.language}" for name in names]
        if self.target_examples is not None:
            names = [name if k == 0 else f"{name}:{self.target_examples}" for k, name in enumerate(names)]
        return "+".join(names)

    def drawn(self, seed: int) -> list[Dataset[Any]]:
        """The sets of one fine-tuning seed."""
        if self.target_examples is None:
            return self.sets
        source = self.sets[0].language
        return [one if one.language == source else one.sample(self.target_examples, seed) for one in self.sets]

    def texts(self, seed: int) -> list[tuple[str, Dataset[Any]]]:
        """Everything that is looked at before the test: what it is called, and the data."""
        out = [("the training data", one) for one in self.drawn(seed)]
        out += [("the training data", self.originals)] if self.originals is not None else []
        return out + ([("the development data", self.dev)] if self.dev is not None else [])


def read_transfer(
    work: Supervised,
    specs: Sequence[str],
    dev: str | None,
    code_switch: bool,
    target_examples: int | None,
    lenient: bool,
    limit: int | None,
) -> tuple[Transfer, Counter[str]]:
    """What is trained on, and what was dropped of it.

    Raises:
        UserError: for data that cannot be read, and settings of transfer that make no sense for them.
    """
    read = [read_data(work, spec, lenient, limit) for spec in specs]
    dropped = sum((some for _, some in read), Counter[str]())
    sets = [data for data, _ in read]
    if not sets:
        raise UserError("nothing to train on", hint="--train LANG=PATH")
    kept = None
    if dev:
        kept, some = read_data(work, dev, lenient, limit)
        dropped += some
    languages = [one.language for one in sets]
    others = [one for one in sets if one.language != languages[0]]
    if target_examples is not None and (not others or code_switch):
        raise UserError(
            "few-shot needs a source language first and examples of another",
            hint="--train en=... --train de=... --target-examples N, without --code-switch",
        )
    if target_examples is not None and len({one.language for one in others}) < len(others):
        raise UserError("few-shot examples of a language come from one file", hint="put its files together")
    if not code_switch:
        return Transfer(sets, None, target_examples, kept), dropped
    origin = "en" if "en" in languages else languages[0]
    originals = [one for one in sets if one.language == origin]
    if len(originals) > 1 or len(sets) < 2:
        raise UserError(
            "code-switching needs one set of originals and their translations",
            hint="--train en=train.en --train de=train.de --code-switch",
        )
    return Transfer([one for one in sets if one.language != origin], originals[0], None, kept), dropped
