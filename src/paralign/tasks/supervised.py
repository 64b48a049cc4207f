"""The base class of tasks that train a head: from items to examples to answers, code-switching, scoring."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from paralign.batches.batching import batches_by_length
from paralign.encoder import Encoder, HiddenStates
from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.objectives import Batches, Objective
from paralign.ragged import batched
from paralign.results import Where
from paralign.tasks.base import Score, Task
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example, ExampleBatches, example_view
from paralign.tasks.head import TaskHead
from paralign.training import TrainingConfig

__all__ = ["ItemScores", "SupervisedTask"]

ItemScores = Mapping[str, tuple[float, float]]
"""Scores of one item by metric: numerator and denominator, or a pair of values, see ``statistics``."""


class SupervisedTask(Task):
    """Base class of tasks that train a head.

    A subclass reads items (:meth:`read`), turns them into examples, creates a head, and turns its predictions into
    answers and scores. Batches, windows, code-switching, evaluation and baselines are implemented here. Items are
    of any type, as yielded by the :class:`paralign.tasks.dataset.Dataset` that ``read`` returns; so are answers.

    Args:
        config: the settings, an instance of the class's ``Config``. None: defaults.
    """

    trains: ClassVar[bool] = True
    training: ClassVar[Mapping[str, Any]] = {}
    """Training settings in which the task differs from BERT (Devlin et al. 2019)."""
    statistics: ClassVar[Mapping[str, str]] = {}
    """Metrics that are no ratios, with ``pearson``, ``spearman`` or ``macro_f1``. For them :meth:`score_item`
    returns the pair of values of an item."""
    window: ClassVar[int] = 4096
    """Number of items tokenized and sorted by length together, which bounds the memory."""

    def __init__(self, config: Any = None) -> None:
        super().__init__(config)
        self.cut: Counter[str] = Counter()
        """Number of items that had to be shortened or changed, by reason."""

    # -- defined by subclasses

    @abstractmethod
    def head(self, encoder: Encoder) -> TaskHead:
        """Return a new head for an encoder."""

    @abstractmethod
    def examples(self, encoder: Encoder, items: Sequence[Any], language: str | None) -> list[Example]:
        """Turn items into rows for the encoder.

        Args:
            encoder: the encoder.
            items: n items.
            language: their language, for :meth:`paralign.encoder.Encoder.tokenize`. None: several.

        Returns:
            At least one row for each item; ``Example.item`` is its index, from 0 to n - 1.
        """

    @abstractmethod
    def answer(self, item: Any, parts: Sequence[tuple[Example, Any]]) -> Any:
        """Return the answer for an item.

        Args:
            item: the item.
            parts: its rows, each with the prediction of the head (:meth:`paralign.tasks.head.TaskHead.decode`).
        """

    @abstractmethod
    def score_item(self, item: Any, answer: Any, language: str) -> ItemScores:
        """Score one answer.

        Args:
            item: the item, with its gold answer.
            answer: the answer.
            language: language of the data set.

        Returns:
            Numerator and denominator by metric, the main metric first. See :attr:`statistics` for others.
        """

    @abstractmethod
    def write(self, path: Path, answered: Iterable[tuple[Any, Any]]) -> list[Path]:
        """Write items with their answers in the task's format.

        Args:
            path: the file to write.
            answered: items and answers.

        Returns:
            The files written.
        """

    def texts(self, item: Any) -> Sequence[str]:
        """Return the texts of an item, to look for train–test overlap. Default: none."""
        return ()

    def labels(self, item: Any) -> Sequence[str]:
        """Return the labels of an item, to warn about constant labels. Default: none."""
        return ()

    def format_label(self, label: npt.NDArray[np.int64]) -> str:
        """Return the label of a target as text, for ``--show``.

        Args:
            label: a row of ``Example.labels``. Shape: [] or [k].
        """
        return ",".join(map(str, np.atleast_1d(label).tolist()))

    def fit(self, data: Sequence[Dataset[Any]]) -> None:
        """Read from training data what the head needs, such as names of labels, and store it in ``self.config``.

        Default: do nothing.
        """

    def key(self, item: Any) -> str:
        """Return an id that an item and its translations share, for code-switching.

        Raises:
            UserError: by default, if the task has no code-switched examples.
        """
        raise UserError(f"the task {self.name!r} has no code-switched examples", hint="remove --code-switch")

    def code_switch(self, item: Any, original: Any) -> tuple[Any, Any]:
        """Return the two code-switched items of an item and its original in another language.

        Raises:
            UserError: by default, if the task has no code-switched examples.
        """
        raise UserError(f"the task {self.name!r} has no code-switched examples", hint="remove --code-switch")

    def baseline_answers(self, data: Dataset[Any]) -> Mapping[str, Callable[[Any], Any]]:
        """Return functions from items to answers that need no model, by name of the baseline. Default: none."""
        return {}

    # -- shared

    def language(self, data: Dataset[Any]) -> str:
        """Return the language of the data set."""
        return data.language

    def batches(
        self,
        encoder: Encoder,
        data: Sequence[Dataset[Any]],
        training: TrainingConfig,
        *,
        switch_with: Dataset[Any] | None = None,
    ) -> Batches:
        """Return the batches for training.

        Args:
            encoder: the encoder, for tokenization.
            data: the training sets, which are mixed.
            training: the training settings.
            switch_with: the originals of all sets. Code-switched items replace the items (Pan et al. 2021, section
                2.4). None: no code-switching.

        Raises:
            UserError: for items that do not match their originals, and languages that cannot be code-switched.
        """
        if switch_with is None:
            records = (
                [row]
                for part in data
                for items in batched(part, self.window)
                for row in self.examples(encoder, items, part.language)
            )
            return ExampleBatches(encoder, records, training)
        for part in (*data, switch_with):
            if (derived := parse_derived(part.language)) is not None and derived.uses_twins:
                message = f"{part.language} cannot be code-switched: its pieces are the twins of another language's"
                raise UserError(message, hint="use languages that are not derived by trans")
        return ExampleBatches(encoder, self._code_switched(encoder, data, switch_with), training)

    def _by_key(self, data: Dataset[Any]) -> dict[str, Any]:
        items: dict[str, Any] = {}
        keys: set[str] = set()
        for item in data:
            _check_new(self.key(item), keys, data)
            items[self.key(item)] = item
        return items

    def _code_switched(
        self, encoder: Encoder, data: Sequence[Dataset[Any]], originals: Dataset[Any]
    ) -> Iterator[list[Example]]:
        """Yield the rows of the code-switched items of each item and its original."""
        original_of = self._by_key(originals)
        for dataset in data:
            missing = 0
            keys: set[str] = set()
            for items in batched(dataset, self.window):
                matches = [(item, original_of.get(self.key(item))) for item in items]
                missing += sum(original is None for _, original in matches)
                for item in items:
                    _check_new(self.key(item), keys, dataset)
                try:
                    pairs = [self.code_switch(item, original) for item, original in matches if original is not None]
                except UserError as error:
                    where = f"{dataset.name} and {originals.name}"
                    raise UserError(error.message, where=where, hint=error.hint) from None
                rows: dict[int, list[Example]] = defaultdict(list)
                for row in self.examples(encoder, [switched for pair in pairs for switched in pair], None):
                    rows[row.item // 2].append(row)
                yield from rows.values()
            if 2 * missing > len(dataset):
                raise UserError(
                    f"{missing:,} of {len(dataset):,} items have no original in {originals.name}",
                    where=dataset.name,
                    hint="code-switching needs the same items in both languages: equal ids, or equal lines",
                )
            if missing:
                self.cut["items without an original"] += missing

    def encode(
        self, encoder: Encoder, data: Dataset[Any], layers: Sequence[int]
    ) -> Iterator[tuple[list[Any], list[Example], Iterator[tuple[list[int], list[HiddenStates]]]]]:
        """Encode items, :attr:`window` of them at a time.

        Args:
            encoder: the encoder; it is put into evaluation mode.
            data: the data set.
            layers: numbers of hidden states, 0 for the embeddings.

        Yields:
            The items of a window, their rows, and an iterator over batches: indices of rows, and the states of each
            layer. Whether gradients are computed is up to the caller.
        """
        encoder.eval()
        for items in batched(data, self.window):
            rows = self.examples(encoder, items, data.language)
            batches = (
                (batch, encoder.encode_layers(example_view(encoder, [rows[i] for i in batch], data.language), layers))
                for batch in batches_by_length([len(row) + 4 for row in rows])
            )
            yield items, rows, batches

    def answer_all(
        self, items: Sequence[Any], rows: Sequence[Example], predictions: Mapping[int, Any]
    ) -> Iterator[tuple[Any, Any]]:
        """Yield items with their answers.

        Args:
            items: items of a window.
            rows: their rows.
            predictions: of each row, by its index.
        """
        parts: dict[int, list[tuple[Example, Any]]] = defaultdict(list)
        for number, row in enumerate(rows):
            parts[row.item].append((row, predictions[number]))
        for index, item in enumerate(items):
            yield item, self.answer(item, parts[index])

    @torch.no_grad()
    def answers(self, encoder: Encoder, head: TaskHead, data: Dataset[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield items with their answers, in order. Memory is bounded by :attr:`window`."""
        head.eval()
        for items, rows, batches in self.encode(encoder, data, [encoder.layers]):
            predictions: dict[int, Any] = {}
            for batch, (states,) in batches:
                predictions |= zip(batch, head.decode(states), strict=True)
            yield from self.answer_all(items, rows, predictions)

    def predict(self, encoder: Encoder, head: Objective | None, data: Dataset[Any], path: Path) -> list[Path]:
        """Write the answers to all items; see :meth:`write`."""
        assert isinstance(head, TaskHead)
        return self.write(path, self.answers(encoder, head, data))

    def evaluate(self, encoder: Encoder, head: Objective | None, data: Dataset[Any]) -> list[Score]:
        """Score the answers to all items.

        Raises:
            UserError: if there is no head.
        """
        if not isinstance(head, TaskHead):
            raise UserError(
                f"the model has no head for the task {self.name!r}",
                hint=f"fine-tune it first: paralign finetune --task {self.name}",
            )
        return self.scores(self.answers(encoder, head, data), data)

    def scores(self, answered: Iterable[tuple[Any, Any]], data: Dataset[Any]) -> list[Score]:
        """Score items with their answers."""
        rows: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for item, answer in answered:
            for metric, row in self.score_item(item, answer, data.language).items():
                rows[metric].append(row)
        where = Where(direction=data.direction)
        return [
            Score(metric, np.array(values, np.float64), where, self.statistics.get(metric, "ratio"))
            for metric, values in rows.items()
        ]

    def texts_of(self, data: Dataset[Any]) -> Iterable[Sequence[str]]:
        """Return the texts of each item."""
        return map(self.texts, data)

    def labels_of(self, data: Dataset[Any]) -> Iterable[Sequence[str]]:
        """Return the labels of each item."""
        return map(self.labels, data)

    def baselines(self, data: Dataset[Any]) -> Mapping[str, Mapping[str, float]]:
        """Return the scores of :meth:`baseline_answers`, computed once for each data set."""
        if data.baselines is not None:
            return data.baselines
        out: dict[str, Mapping[str, float]] = {}
        for name, guess in self.baseline_answers(data).items():
            scores = self.scores(((item, guess(item)) for item in data), data)
            out[name] = {score.metric: score.value for score in scores}
        data.baselines = out
        return out


def _check_new(key: str, keys: set[str], data: Dataset[Any]) -> None:
    if key in keys:
        raise UserError(
            f"two items have the id {key!r}, so their translations cannot be distinguished",
            where=data.name,
            hint="give each item a unique id, or remove ids in all languages",
        )
    keys.add(key)
