"""Extractive question answering (SQuAD, XQuAD, MLQA, TyDiQA-GoldP): the span of a paragraph that answers a question."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.items import Question
from paralign.formats.lines import write_lines
from paralign.languages import parse_derived
from paralign.metrics.mlqa import is_unspaced, mlqa_exact, mlqa_f1, mlqa_normalize
from paralign.metrics.squad import exact_match, f1
from paralign.sources.readers import read_questions
from paralign.sources.specs import are_languages, parse_pairs, parse_text
from paralign.tasks.base import Score, TaskConfig
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example
from paralign.tasks.span_head import SpanHead, ranked_spans
from paralign.tasks.supervised import ItemScores, SupervisedTask

__all__ = ["Answer", "AnswerConfig", "Candidate", "QuestionAnswering"]

Ints = npt.NDArray[np.int64]

_MLQA_FILE = re.compile(r"^(?:dev|test)-context-[a-z]{2}-question-[a-z]{2}\.json")
_SENTENCE = re.compile(r"(?<=[.!?।؟])\s+|(?<=[。！？])\s*")


class AnswerConfig(TaskConfig):
    """Settings of question answering. Defaults are those of BERT on SQuAD (Devlin et al. 2019)."""

    max_pieces: int = Field(default=384, ge=16)
    """Maximum sequence length, special tokens included, at most the encoder's. Longer contexts are encoded in
    windows."""
    stride: int = Field(default=128, ge=1)
    """Number of context pieces from the start of a window to the start of the next (``doc_stride`` in BERT's script,
    not the overlap). It is reduced for short windows, so that some window contains every span of ``max_answer``."""
    max_question: int = Field(default=64, ge=1)
    """Maximum length of a question in pieces, at most half a row. Longer ones are truncated, and counted."""
    max_answer: int = Field(default=30, ge=1)
    """Longest answer that can be predicted, in pieces."""
    n_best: int = Field(default=20, ge=1)
    """Number of candidate answers, which differ in their text."""
    normalize: Literal["auto", "squad", "mlqa"] = "auto"
    """Scorer: of SQuAD, or of MLQA, which handles the articles of the context's language, all punctuation, and Chinese
    characters. ``auto``: MLQA's for files of MLQA, recognized by the names of file and folder; otherwise SQuAD's."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span of the context that may be the answer."""

    text: str
    start: int
    """Its start in the context, in characters."""
    score: float
    """Sum of the logits of its start and its end."""
    probability: float
    """Probability among the candidates of the question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The best span, and the best candidates. Its text is empty if the context has no pieces."""

    text: str
    start: int
    score: float
    n_best: tuple[Candidate, ...] = ()


class QuestionAnswering(SupervisedTask):
    """Extractive question answering: F1 and exact match of the official scorers of SQuAD v1.1 or MLQA.

    The score of a span is the sum of its two logits, not normalized by window, as in BERT's script. If several windows
    contain a span, its best score counts. (That script considers only the window in which the first piece has the most
    context.)
    """

    _mlqa = False

    name: ClassVar[str] = "qa"
    Config: ClassVar[type[TaskConfig]] = AnswerConfig
    training: ClassVar[Mapping[str, Any]] = {"epochs": 2, "learning_rate": 3e-5}
    """As Pan et al. 2021, section 3.4."""

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[Question]:
        """Read ``LANG=PATH`` in SQuAD's JSON, or ``LANG=smallworld:START-STOP``.

        If questions and paragraphs are in different languages, as in MLQA's generalized transfer, it is
        ``CONTEXT-QUESTION=PATH`` (``zh-CN:en=PATH`` if a tag has a hyphen). Results are recorded with the language of
        the context and the direction ``QUESTION-CONTEXT``.
        """
        context, question, path = _languages(spec)
        derived = (parse_derived(context), parse_derived(question))
        if len({language is not None and language.uses_twins for language in derived}) > 1:
            message = f"{context} and {question} do not share their pieces"
            raise UserError(message, hint="derive both languages by trans, or neither")

        def read(count: Counter[str]) -> Iterator[Question]:
            return read_questions(path, languages=(context, question), lenient=lenient, dropped=count, labeled=labeled)

        direction = None if context == question else f"{question}-{context}"
        return Dataset(spec, context, read, limit=limit, dropped=dropped, keep=True, direction=direction)

    def head(self, encoder: Encoder) -> SpanHead:
        """Return a head with two logits for [CLS] and for each context piece."""
        return SpanHead(encoder)

    def examples(self, encoder: Encoder, items: Sequence[Question], language: str | None) -> list[Example]:
        """Return a row [CLS] question [SEP] window [SEP] for each window of the context.

        The label is [CLS] if the window does not contain the whole first gold answer, as in BERT's script. The note
        holds the character offsets of the window's pieces, shape: [m, 2].
        """
        prefix, middle, _ = encoder.template.pair
        space = min(self.config.max_pieces, encoder.max_pieces) - encoder.template.special_pieces(2)
        longest = max(1, min(self.config.max_question, space // 2))
        contexts = list(dict.fromkeys(item.context for item in items))  # a paragraph has several questions
        tokenized = {
            text: (ids, _closed_offsets(text, offsets))
            for text, (ids, offsets) in zip(contexts, encoder.tokenize(contexts, language), strict=True)
        }
        questions = encoder.tokenize([item.question for item in items], language)
        rows = []
        for index, (item, (question, _)) in enumerate(zip(items, questions, strict=True)):
            if len(question) > longest:
                self.cut[f"questions cut to {longest} pieces"] += 1
                question = question[:longest]
            ids, offsets = tokenized[item.context]
            gold = _gold_pieces(item, offsets)
            if item.answers and gold is None:
                self.cut["answers without pieces"] += 1
            begin, contained = len(prefix) + len(question) + len(middle), False
            for start, stop in _windows(len(ids), space - len(question), self.config):
                inside = gold is not None and start <= gold[0] and gold[1] < stop
                contained |= inside
                labels = np.array(gold) - start + begin if gold and inside else np.zeros(2, np.int64)
                targets = np.array([begin, begin + stop - start - 1])
                rows.append(Example((question, ids[start:stop]), targets, labels, index, offsets[start:stop]))
            if gold and not contained:
                self.cut["answers longer than a window"] += 1
        return rows

    def answer(self, item: Question, parts: Sequence[tuple[Example, Any]]) -> Answer:
        """Return the best span of at most ``max_answer`` pieces over all windows."""
        offsets = np.concatenate([row.note for row, _ in parts]).tolist()
        spans: dict[str, tuple[int, float]] = {}
        for first, last, score in ranked_spans([logits for _, logits in parts], self.config.max_answer):
            start, end = offsets[first][0], offsets[last][1]
            text = item.context[start:end].lstrip()  # a piece may include the space before its word
            start, text = end - len(text), text.rstrip()
            if text and text not in spans:
                spans[text] = (start, score)
                if len(spans) == self.config.n_best:
                    break
        if not spans:
            return Answer("", 0, float("-inf"))
        scores = np.array([score for _, score in spans.values()])
        probabilities = np.exp(scores - scores.max())
        probabilities /= probabilities.sum()
        best = [Candidate(text, *spans[text], float(p)) for text, p in zip(spans, probabilities, strict=True)]
        return Answer(best[0].text, best[0].start, best[0].score, tuple(best))

    def score_item(self, item: Question, answer: Answer, language: str) -> ItemScores:
        """Score F1 and exact match against the best gold answer; for ``mlqa`` in the language of the context."""
        if self.config.normalize == "mlqa" or self._mlqa:
            return {
                "f1_mlqa": mlqa_f1(answer.text, item.answers, language),
                "exact_match_mlqa": mlqa_exact(answer.text, item.answers, language),
            }
        return {"f1": f1(answer.text, item.answers), "exact_match": exact_match(answer.text, item.answers)}

    def scores(self, answered: Iterable[tuple[Any, Any]], data: Dataset[Any]) -> list[Score]:
        """Score items with their answers; the same file is scored in the same way throughout."""
        self._mlqa = self._uses_mlqa(data)
        return super().scores(answered, data)

    def _uses_mlqa(self, data: Dataset[Any]) -> bool:
        """Return whether a data set is scored as by MLQA."""
        if self.config.normalize != "auto":
            return bool(self.config.normalize == "mlqa")
        names = re.split(r"[/\\!]", data.name.partition("=")[2])
        return bool(_MLQA_FILE.search(names[-1])) or any("mlqa" in name.lower() for name in names[-3:])

    def warnings(self, data: Dataset[Any]) -> Sequence[str]:
        """Warn about SQuAD's scorer for languages that are written without spaces."""
        if self._uses_mlqa(data) or not is_unspaced(data.language):
            return ()
        text = f"SQuAD's scorer counts an answer in {data.language} as one word, so that F1 is nearly exact match"
        return (f"{text}; --set task.normalize=mlqa scores its characters",)

    def outputs(self, path: Path) -> list[Path]:
        """Return the file, and ``STEM.nbest.json``."""
        return [path, path.with_name(f"{path.stem}.nbest.json")]

    def write(self, path: Path, answered: Iterable[tuple[Question, Answer]]) -> list[Path]:
        """Write ``{id: text}`` for the official scorers, and candidates with probabilities to ``STEM.nbest.json``."""
        _, n_best_path = self.outputs(path)
        texts: dict[str, str] = {}

        def candidates() -> Iterator[tuple[str, Any]]:
            for item, answer in answered:
                texts[item.id] = answer.text
                yield item.id, [asdict(candidate) for candidate in answer.n_best]

        write_lines(n_best_path, _json_lines(candidates()))
        write_lines(path, _json_lines(texts.items()))
        return [path, n_best_path]

    def texts(self, item: Question) -> Sequence[str]:
        """Return question and context."""
        return item.question, item.context

    def gold_of(self, data: Dataset[Question]) -> Iterable[Sequence[str]]:
        """Return the answers to each question."""
        return (item.answers for item in data)

    def texts_by_language(self, data: Dataset[Question]) -> Iterable[tuple[str, Iterable[str]]]:
        """Return the languages of paragraphs and questions, with each paragraph once."""
        context, question, _ = _languages(data.name)
        return (context, dict.fromkeys(item.context for item in data)), (question, (item.question for item in data))

    def key(self, item: Question) -> str:
        """Return the id of the question, which is the same in all languages of XQuAD and MLQA."""
        return item.id

    def code_switch(self, item: Question, original: Question) -> tuple[Question, Question]:
        """Return the questions with the context of the other language, and its answers."""
        return replace(original, question=item.question), replace(item, question=original.question)

    def baseline_answers(self, data: Dataset[Question]) -> Mapping[str, Callable[[Question], Answer]]:
        """Return the baseline ``sentence``: the first sentence of the context with the most words of the question.

        It shows the score of finding the right sentence without the answer, similar to the sliding window of Rajpurkar
        et al. 2016.
        """

        def words(text: str) -> frozenset[str]:
            return frozenset(mlqa_normalize(text, data.language).split())

        @lru_cache(maxsize=4)
        def sentences(context: str) -> list[tuple[str, frozenset[str]]]:
            return [(part.strip(), words(part)) for part in _SENTENCE.split(context) if part.strip()]

        def guess(item: Question) -> Answer:
            question = words(item.question)
            scored = sentences(item.context)
            text, _ = max(scored, key=lambda sentence: len(sentence[1] & question), default=("", frozenset()))
            return Answer(text, item.context.find(text), 0.0)

        return {"sentence": guess}


def _languages(spec: str) -> tuple[str, str, str]:
    """Return the language of the context, that of the question, and the path."""
    tags = spec.partition("=")[0].strip()
    if ":" not in tags and not are_languages(tags):
        text = parse_text(spec)
        return text.language, text.language, text.path
    pair = parse_pairs(spec)
    return pair.source, pair.target, pair.path


def _windows(pieces: int, width: int, config: AnswerConfig) -> Iterator[tuple[int, int]]:
    """Yield the first piece and the end of each window; there is at least one."""
    step = min(config.stride, max(width - config.max_answer + 1, (width + 1) // 2))
    for start in range(0, max(1, pieces - width + step), step):
        yield start, min(start + width, pieces)


def _gold_pieces(item: Question, offsets: Ints) -> tuple[int, int] | None:
    """Return the first and the last piece that overlap with the first gold answer; None if there is none."""
    if not item.answers:
        return None
    text = item.answers[0]
    start, end = item.starts[0] + len(text) - len(text.lstrip()), item.starts[0] + len(text.rstrip())
    overlapping = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
    return (int(overlapping[0]), int(overlapping[-1])) if len(overlapping) else None


def _closed_offsets(text: str, offsets: Ints) -> Ints:
    """Extend offsets to characters that the tokenizer skipped: of the piece before them, otherwise the piece after.

    Some tokenizers skip final characters of words in Hindi or Arabic: joiners, marks, vowel signs.
    """
    before = np.concatenate([[0], offsets[:, 1]])
    after = np.concatenate([offsets[:, 0], [len(text)]])
    out = offsets.copy()
    for k in np.flatnonzero(before < after).tolist():
        gap = text[before[k] : after[k]]
        if k:
            run = _leading_characters(gap)
            out[k - 1, 1] += run
            gap = gap[run:]
        if k < len(offsets):
            out[k, 0] -= _leading_characters(reversed(gap))
    return out


def _leading_characters(text: Iterable[str]) -> int:
    """Return the number of characters before the first whitespace."""
    return sum(1 for _ in takewhile(lambda char: not char.isspace(), text))


def _json_lines(members: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Yield the lines of a JSON object, one for each member."""
    before = "{"
    for key, value in members:
        yield f"{before}{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        before = ","
    yield "}" if before == "," else "{}"
