"""Which data sets a head is trained on: one or several languages, code-switched translations, few-shot examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from paralign.errors import UserError
from paralign.tasks.base import read_data
from paralign.tasks.dataset import Dataset
from paralign.tasks.supervised import SupervisedTask

__all__ = ["TrainingMixture", "read_training_mixture"]


@dataclass(frozen=True)
class TrainingMixture:
    """The data sets of a fine-tuning run.

    Attributes:
        sets: the training sets.
        originals: the originals of all sets, for code-switching. None: no code-switching.
        target_examples: number of few-shot examples of each language but the first. None: all.
        dev: the development set. None: there is none.
    """

    sets: list[Dataset[Any]]
    originals: Dataset[Any] | None
    target_examples: int | None
    dev: Dataset[Any] | None

    @property
    def language(self) -> str:
        """Language recorded with results: ``en``, ``en+de``, ``de*en`` (code-switched), ``en+de:100`` (few-shot)."""
        names = list(dict.fromkeys(data.language for data in self.sets))
        if self.originals is not None:
            names = [f"{name}*{self.originals.language}" for name in names]
        if self.target_examples is not None:
            names = [name if k == 0 else f"{name}:{self.target_examples}" for k, name in enumerate(names)]
        return "+".join(names)

    def sampled_sets(self, seed: int) -> list[Dataset[Any]]:
        """Return the training sets of a fine-tuning seed, few-shot examples sampled."""
        if self.target_examples is None:
            return self.sets
        source = self.sets[0].language
        return [data if data.language == source else data.sample(self.target_examples, seed) for data in self.sets]

    def named_sets(self, seed: int) -> list[tuple[str, Dataset[Any]]]:
        """Return the name and data of everything that is read before testing, to look for train–test overlap."""
        out = [("the training data", data) for data in self.sampled_sets(seed)]
        out += [("the training data", self.originals)] if self.originals is not None else []
        return out + ([("the development data", self.dev)] if self.dev is not None else [])


def read_training_mixture(
    task: SupervisedTask,
    specs: Sequence[str],
    dev: str | None,
    code_switch: bool,
    target_examples: int | None,
    lenient: bool,
    limit: int | None,
) -> tuple[TrainingMixture, Counter[str]]:
    """Read the data sets of a fine-tuning run.

    Args:
        task: the task.
        specs: training sets, ``LANG=PATH``; of several languages the first one is the source.
        dev: the development set. None: there is none.
        code_switch: whether to train on code-switched examples of the sets and their originals, which are the English
            set, or the first one without English.
        target_examples: number of few-shot examples of each language but the source. None: all.
        lenient: whether to drop items that cannot be used instead of raising an error.
        limit: number of items of each set, from the first. None: all.

    Returns:
        The data sets, and the number of dropped items by reason.

    Raises:
        UserError: for data that cannot be read, and for options that do not fit them.
    """
    results = [read_data(task, spec, lenient, limit) for spec in specs]
    dropped = sum((counts for _, counts in results), Counter[str]())
    sets = [data for data, _ in results]
    if not sets:
        raise UserError("there is no training data", hint="give --train LANG=PATH")
    dev_set = None
    if dev:
        dev_set, counts = read_data(task, dev, lenient, limit)
        dropped += counts
    languages = [data.language for data in sets]
    others = [data for data in sets if data.language != languages[0]]
    if target_examples is not None and (not others or code_switch):
        raise UserError(
            "few-shot training needs a source language first, and then examples of another language",
            hint="--train en=... --train de=... --target-examples N, without --code-switch",
        )
    if target_examples is not None and len({data.language for data in others}) < len(others):
        raise UserError("few-shot examples of a language must come from one file", hint="join its files")
    if not code_switch:
        return TrainingMixture(sets, None, target_examples, dev_set), dropped
    origin = "en" if "en" in languages else languages[0]
    originals = [data for data in sets if data.language == origin]
    if len(originals) > 1 or len(sets) < 2:
        raise UserError(
            "code-switching needs one set of originals, and their translations",
            hint="--train en=train.en --train de=train.de --code-switch",
        )
    translations = [data for data in sets if data.language != origin]
    return TrainingMixture(translations, originals[0], None, dev_set), dropped
