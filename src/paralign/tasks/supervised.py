"""What every task with a head shares: rows in and out of the encoder, windows, code-switching, scoring."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from paralign.encoder import Encoder, HiddenStates
from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.objectives import Batches, Objective
from paralign.results import Where
from paralign.tasks.base import Score, Task
from paralign.tasks.dataset import Dataset
from paralign.tasks.examples import Example, ExampleBatches, example_view
from paralign.training import TrainingConfig

__all__ = ["Head", "Supervised", "padded_batches"]

BUDGET = 8192
"""Pieces encoded at once in evaluation."""

Judgement = Mapping[str, tuple[float, float]]


class Head(Objective):
    """An objective over the view ``example`` that can say what it finds."""

    reads: ClassVar[tuple[str, ...]] = ("example",)

    def decode(self, states: HiddenStates) -> list[Any]:
        """What the head finds in each row of a view, as numpy."""
        raise NotImplementedError


class Supervised(Task):
    """Base of every task that is trained.

    A subclass reads items, turns them into rows, makes a head, and reads its answers; the rest is here. An item is
    whatever the reader gives, an answer whatever ``answer`` returns.
    """

    trains: ClassVar[bool] = True
    training: ClassVar[Mapping[str, Any]] = {}
    """Settings of the loop in which the task differs from BERT's (Devlin et al. 2019)."""
    window: ClassVar[int] = 4096
    """Items tokenised and sorted by length together: this bounds the memory."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.cut: Counter[str] = Counter()
        """What had to be shortened to fit, by reason."""

    # -- what a subclass says

    @abstractmethod
    def head(self, encoder: Encoder) -> Head:
        """A fresh head on an encoder."""

    @abstractmethod
    def examples(self, encoder: Encoder, items: Sequence[Any]) -> list[Example]:
        """Rows of items, ``Example.item`` counting from 0; every item gives at least one."""

    @abstractmethod
    def answer(self, item: Any, parts: Sequence[tuple[Example, Any]]) -> Any:
        """The answer for an item from its rows and what the head found in each."""

    @abstractmethod
    def judge(self, item: Any, answer: Any, language: str) -> Judgement:
        """(numerator, denominator) of each metric for one item; the first metric is the main one."""

    @abstractmethod
    def write(self, path: Path, answered: Iterable[tuple[Any, Any]]) -> list[Path]:
        """Write items with their answers in the task's own format; returns the files written."""

    def texts(self, item: Any) -> Sequence[str]:
        """The texts of an item, to look for in training text."""
        return ()

    def labels(self, item: Any) -> Sequence[str]:
        """The labels of an item, to look for a constant."""
        return ()

    def read_label(self, label: npt.NDArray[np.int64]) -> str:
        """A row of an example's labels, [] or [k], as people read it."""
        return ",".join(map(str, np.atleast_1d(label).tolist()))

    def fit(self, data: Sequence[Dataset[Any]]) -> None:
        """Learn from training data what the head must know: names of labels. Kept in ``config``."""

    def key(self, item: Any) -> str:
        """What an item and its translations share."""
        raise UserError(f"the task {self.name!r} has no code-switched twins", hint="leave --code-switch out")

    def switch(self, own: Any, other: Any) -> tuple[Any, Any]:
        """The code-switched twins of an item and its original in another language."""
        raise UserError(f"the task {self.name!r} has no code-switched twins", hint="leave --code-switch out")

    def guesses(self, data: Dataset[Any]) -> Mapping[str, Callable[[Any], Any]]:
        """Answers that need no model, by the name of the baseline."""
        return {}

    # -- what follows

    def language(self, data: Dataset[Any]) -> str:
        """The data set's."""
        return data.language

    def batches(
        self,
        encoder: Encoder,
        data: Sequence[Dataset[Any]],
        training: TrainingConfig,
        *,
        switch_with: Dataset[Any] | None = None,
    ) -> Batches:
        """Training batches.

        Args:
            encoder: for tokenizer and template.
            data: sets that are trained on together.
            training: of the loop.
            switch_with: the originals of all sets, item for item: code-switched twins replace the items
                (Pan et al. 2021, section 2.4).
        """
        if switch_with is None:
            records = ([row] for one in data for items in self._windows(one) for row in self._rows(encoder, one, items))
            return ExampleBatches(encoder, records, training)
        for one in (*data, switch_with):
            if (made := parse_derived(one.language)) is not None and made.uses_twins:
                raise UserError(f"twins of {one.language} would mix its pieces with another's", hint="leave trans out")
        return ExampleBatches(encoder, self._twins(encoder, data, switch_with), training)

    def _rows(self, encoder: Encoder, data: Dataset[Any], items: Sequence[Any]) -> list[Example]:
        with encoder.using_language(data.language):
            return list(self.examples(encoder, items))

    def _by_key(self, data: Dataset[Any]) -> dict[str, Any]:
        known: dict[str, Any] = {}
        seen: set[str] = set()
        for item in data:
            _check_new(self.key(item), seen, data)
            known[self.key(item)] = item
        return known

    def _windows(self, data: Iterable[Any]) -> Iterator[list[Any]]:
        items = iter(data)
        while window := list(islice(items, self.window)):
            yield window

    def _twins(
        self, encoder: Encoder, data: Sequence[Dataset[Any]], originals: Dataset[Any]
    ) -> Iterator[list[Example]]:
        known = self._by_key(originals)
        for one in data:
            missing = 0
            seen: set[str] = set()
            for items in self._windows(one):
                found = [(item, known.get(self.key(item))) for item in items]
                missing += sum(other is None for _, other in found)
                for item, _ in found:
                    _check_new(self.key(item), seen, one)
                try:
                    pairs = [self.switch(item, other) for item, other in found if other is not None]
                except UserError as error:
                    where = f"{one.name} and {originals.name}"
                    raise UserError(error.message, where=where, hint=error.hint) from None
                rows: dict[int, list[Example]] = defaultdict(list)
                for row in self.examples(encoder, [twin for pair in pairs for twin in pair]):
                    rows[row.item // 2].append(row)
                yield from rows.values()
            if 2 * missing > len(one):
                raise UserError(
                    f"{missing:,} of {len(one):,} items have no original in {originals.name}",
                    where=one.name,
                    hint="code-switching needs the same items in both languages: equal ids, or equal lines",
                )
            if missing:
                self.cut["items without an original"] += missing

    @torch.no_grad()
    def answers(self, encoder: Encoder, head: Head, data: Dataset[Any]) -> Iterator[tuple[Any, Any]]:
        """Items and their answers, in order; memory is bounded by a window of items."""
        encoder.eval()
        head.eval()
        for items in self._windows(data):
            rows = self._rows(encoder, data, items)
            found: dict[int, Any] = {}
            for batch in padded_batches([len(row) for row in rows], BUDGET):
                states = encoder.encode(example_view(encoder, [rows[i] for i in batch]))
                found |= zip(batch, head.decode(states), strict=True)
            parts: dict[int, list[tuple[Example, Any]]] = defaultdict(list)
            for place, row in enumerate(rows):
                parts[row.item].append((row, found[place]))
            for index, item in enumerate(items):
                yield item, self.answer(item, parts[index])

    def predict(self, encoder: Encoder, head: Objective | None, data: Dataset[Any], path: Path) -> list[Path]:
        """Write the answers of every item."""
        assert isinstance(head, Head)
        return self.write(path, self.answers(encoder, head, data))

    def evaluate(self, encoder: Encoder, head: Objective | None, data: Dataset[Any]) -> list[Score]:
        """Scores of every item."""
        if not isinstance(head, Head):
            raise UserError(
                f"this model has no head for {self.name!r}",
                hint=f"fine-tune it first: paralign finetune --task {self.name}",
            )
        with encoder.using_language(data.language):  # a map of the language is used
            return self._scores(self.answers(encoder, head, data), data)

    def _scores(self, answered: Iterable[tuple[Any, Any]], data: Dataset[Any]) -> list[Score]:
        rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for item, answer in answered:
            for metric, row in self.judge(item, answer, data.language).items():
                rows[metric].append(row)
        where = Where(direction=data.direction)
        return [Score(metric, np.array(judged, np.float64), where) for metric, judged in rows.items()]

    def texts_of(self, data: Dataset[Any]) -> Iterable[Sequence[str]]:
        """The texts of each item."""
        return map(self.texts, data)

    def labels_of(self, data: Dataset[Any]) -> Iterable[Sequence[str]]:
        """The labels of each item."""
        return map(self.labels, data)

    def baselines(self, data: Dataset[Any]) -> Mapping[str, Mapping[str, float]]:
        """Scores of the answers that need no model, computed once a data set."""
        if data.known is not None:
            return data.known
        out: dict[str, Mapping[str, float]] = {}
        for name, guess in self.guesses(data).items():
            scores = self._scores(((item, guess(item)) for item in data), data)
            out[name] = {score.metric: score.value for score in scores}
        data.known = out
        return out


def _check_new(key: str, seen: set[str], data: Dataset[Any]) -> None:
    if key in seen:
        raise UserError(
            f"two items have the id {key!r}, so translations cannot be told apart",
            where=data.name,
            hint="give each item an id of its own, or leave ids out in all languages",
        )
    seen.add(key)


def padded_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices sorted by length, longest first, cut so that a batch holds about ``budget`` pieces."""
    order = np.argsort(-np.asarray(lengths), kind="stable").tolist()
    start = 0
    while start < len(order):
        stop = start + max(1, budget // (lengths[order[start]] + 4))
        yield order[start:stop]
        start = stop
