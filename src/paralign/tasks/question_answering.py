"""Extractive question answering (SQuAD, XQuAD, MLQA, TyDiQA-GoldP): which span of a paragraph answers a question."""

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
from paralign.metrics.mlqa import mlqa_exact, mlqa_f1, mlqa_normalize
from paralign.metrics.squad import exact_match, f1
from paralign.sources.readers import read_questions
from paralign.sources.specs import parse_pairs, parse_text
from paralign.tasks.base import TaskConfig
from paralign.tasks.dataset import Dataset
from paralign.tasks.example_batches import Example, row_capacity
from paralign.tasks.span_head import SpanHead, ranked_spans
from paralign.tasks.supervised import ItemScores, SupervisedTask
from paralign.text.language_tags import canonical_tag

__all__ = ["Answer", "AnswerConfig", "Candidate", "QuestionAnswering"]

Ints = npt.NDArray[np.int64]

_SENTENCE = re.compile(r"(?<=[.!?।؟])\s+|(?<=[。！？])\s*")


class AnswerConfig(TaskConfig):
    """Settings of question answering; the defaults are those of BERT on SQuAD (Devlin et al. 2019)."""

    max_pieces: int = Field(default=384, ge=16)
    """Longest row, specials included; the encoder's own where that is less. Longer contexts are shown in windows."""
    stride: int = Field(default=128, ge=1)
    """Context pieces from the beginning of a window to the beginning of the next (``doc_stride`` of BERT's own script;
    not the overlap). Less where windows are so short that a span of ``max_answer`` pieces could be cut by all."""
    max_question: int = Field(default=64, ge=1)
    """Pieces of a question, at most half a row; what is longer is cut, and counted."""
    max_answer: int = Field(default=30, ge=1)
    """Longest answer that is found, in pieces."""
    n_best: int = Field(default=20, ge=1)
    """Answers of different text that are kept."""
    normalise: Literal["squad", "mlqa"] = "squad"
    """Whose scores: ``mlqa`` knows the articles of the context's language, all punctuation, and Chinese characters."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A span of the context."""

    text: str
    start: int
    """Where it begins in the context, in characters."""
    score: float
    """Sum of its two scores, before any softmax."""
    probability: float
    """Among the candidates of its question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The best span, and the best ones of different texts. Empty where the tokenizer makes nothing of the context."""

    text: str
    start: int
    score: float
    n_best: tuple[Candidate, ...] = ()


class QuestionAnswering(SupervisedTask):
    """Spans of paragraphs: F1 and exact match as SQuAD v1.1's or MLQA's official scorer.

    Each span is given the best of its scores over the windows that hold it; the score is the sum of its two, not
    normalized by window, as BERT's script compares them. That script further lets a span begin only in the window that
    shows its first piece the most context; here all windows compete, which needs no second rule and loses no span.
    """

    name: ClassVar[str] = "qa"
    Config: ClassVar[type[TaskConfig]] = AnswerConfig
    training: ClassVar[Mapping[str, Any]] = {"epochs": 2, "learning_rate": 3e-5}
    """As Pan et al. 2021, section 3.4."""

    def read(
        self, spec: str, *, lenient: bool, dropped: Counter[str], limit: int | None, labeled: bool = True
    ) -> Dataset[Question]:
        """``LANG=PATH`` in SQuAD's JSON, or ``LANG=smallworld:START-STOP``.

        ``CONTEXT-QUESTION=PATH`` (``zh-CN:en=PATH`` where a tag has a hyphen) for questions in another language than
        their paragraphs, as MLQA's generalized transfer: results are about the context's language, with the direction
        ``QUESTION-CONTEXT``.
        """
        context, question, path = _languages(spec)
        if len({made is not None and made.uses_twins for made in map(parse_derived, (context, question))}) > 1:
            raise UserError(f"{context} and {question} have other pieces", hint="derive both by trans, or neither")

        def read(count: Counter[str]) -> Iterator[Question]:
            return read_questions(path, languages=(context, question), lenient=lenient, dropped=count, labeled=labeled)

        direction = None if context == question else f"{question}-{context}"
        return Dataset(spec, context, read, limit=limit, dropped=dropped, keep=True, direction=direction)

    def head(self, encoder: Encoder) -> SpanHead:
        """Two scores for [CLS] and each context piece."""
        return SpanHead(encoder)

    def examples(self, encoder: Encoder, items: Sequence[Question]) -> list[Example]:
        """[CLS] question [SEP] window [SEP], for each window of the context; the note is the window's offsets [m, 2].

        A window that does not hold the whole of the first gold answer is labeled [CLS], as in BERT's script.
        """
        prefix, middle, _ = encoder.template.pair
        space = min(self.config.max_pieces - (encoder.max_pieces - row_capacity(encoder, 2)), row_capacity(encoder, 2))
        most = max(1, min(self.config.max_question, space // 2))
        contexts = list(dict.fromkeys(item.context for item in items))  # a paragraph has several questions
        seen = {
            text: (ids, _whole(text, offsets))
            for text, (ids, offsets) in zip(contexts, encoder.tokenize(contexts), strict=True)
        }
        asked = encoder.tokenize([item.question for item in items])
        rows = []
        for index, (item, (question, _)) in enumerate(zip(items, asked, strict=True)):
            if len(question) > most:
                self.cut[f"questions cut to {most} pieces"] += 1
                question = question[:most]
            ids, offsets = seen[item.context]
            gold = _gold(item, offsets)
            if item.answers and gold is None:
                self.cut["answers the tokenizer makes no piece of"] += 1
            begin, held = len(prefix) + len(question) + len(middle), False
            for start, stop in _windows(len(ids), space - len(question), self.config):
                inside = gold is not None and start <= gold[0] and gold[1] < stop
                held |= inside
                labels = np.array(gold) - start + begin if gold and inside else np.zeros(2, np.int64)
                targets = np.array([begin, begin + stop - start - 1])
                rows.append(Example((question, ids[start:stop]), targets, labels, index, offsets[start:stop]))
            if gold and not held:
                self.cut["answers longer than a window"] += 1
        return rows

    def answer(self, item: Question, parts: Sequence[tuple[Example, Any]]) -> Answer:
        """The best span over the windows: begins before it ends, in the context, of at most ``max_answer`` pieces."""
        offsets = np.concatenate([row.note for row, _ in parts]).tolist()
        found: dict[str, tuple[int, float]] = {}
        for first, last, score in ranked_spans([scores for _, scores in parts], self.config.max_answer):
            start, end = offsets[first][0], offsets[last][1]
            text = item.context[start:end].lstrip()  # a piece may hold the space before its word
            start, text = end - len(text), text.rstrip()
            if text and text not in found:
                found[text] = (start, score)
                if len(found) == self.config.n_best:
                    break
        if not found:
            return Answer("", 0, float("-inf"))
        scores = np.array([score for _, score in found.values()])
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        best = [Candidate(text, *found[text], float(share)) for text, share in zip(found, shares, strict=True)]
        return Answer(best[0].text, best[0].start, best[0].score, tuple(best))

    def score_item(self, item: Question, answer: Answer, language: str) -> ItemScores:
        """The best over the gold answers; articles and words are those of the context's language under ``mlqa``."""
        if self.config.normalise == "mlqa":
            return {
                "f1_mlqa": mlqa_f1(answer.text, item.answers, language),
                "exact_match_mlqa": mlqa_exact(answer.text, item.answers, language),
            }
        return {"f1": f1(answer.text, item.answers), "exact_match": exact_match(answer.text, item.answers)}

    def write(self, path: Path, answered: Iterable[tuple[Question, Answer]]) -> list[Path]:
        """``{id: text}`` as the official scorers read it, and candidates with probabilities in ``STEM.nbest.json``."""
        beside = path.with_name(f"{path.stem}.nbest.json")
        texts: dict[str, str] = {}

        def candidates() -> Iterator[tuple[str, Any]]:
            for item, answer in answered:
                texts[item.id] = answer.text
                yield item.id, [asdict(candidate) for candidate in answer.n_best]

        write_lines(beside, _object(candidates()))
        write_lines(path, _object(texts.items()))
        return [path, beside]

    def texts(self, item: Question) -> Sequence[str]:
        """Question and context."""
        return item.question, item.context

    def key(self, item: Question) -> str:
        """The question's id, which XQuAD and MLQA share over languages."""
        return item.id

    def code_switch(self, own: Question, other: Question) -> tuple[Question, Question]:
        """Question in one language, context in the other, both ways; the answers follow the context."""
        return replace(other, question=own.question), replace(own, question=other.question)

    def baseline_answers(self, data: Dataset[Question]) -> Mapping[str, Callable[[Question], Answer]]:
        """``sentence``: the sentence of the context with the most words of the question.

        The first of those with equally many. What finding the place without finding the answer is worth; after the
        sliding window of Rajpurkar et al. 2016.
        """

        def words(text: str) -> frozenset[str]:
            return frozenset(mlqa_normalize(text, data.language).split())

        @lru_cache(maxsize=4)
        def sentences(context: str) -> list[tuple[str, frozenset[str]]]:
            return [(part.strip(), words(part)) for part in _SENTENCE.split(context) if part.strip()]

        def guess(item: Question) -> Answer:
            asked = words(item.question)
            text, _ = max(sentences(item.context), key=lambda one: len(one[1] & asked), default=("", frozenset()))
            return Answer(text, item.context.find(text), 0.0)

        return {"sentence": guess}


def _languages(spec: str) -> tuple[str, str, str]:
    """Language of the context, of the question, and the path."""
    tags = spec.partition("=")[0].strip()
    if ":" not in tags and not _two(tags.split("-")):
        one = parse_text(spec)
        return one.language, one.language, one.path
    two = parse_pairs(spec)
    return two.source, two.target, two.path


def _two(parts: list[str]) -> bool:
    """Whether a hyphen stands between two languages: regions and scripts are written otherwise (zh-CN, th-Thai)."""
    if len(parts) != 2 or parts[0].islower() != parts[1].islower():
        return False
    try:
        canonical_tag(parts[1])
    except UserError:
        return False
    return True


def _windows(pieces: int, wide: int, config: AnswerConfig) -> Iterator[tuple[int, int]]:
    """First piece and end of each window; there is at least one."""
    step = min(config.stride, max(wide - config.max_answer + 1, (wide + 1) // 2))
    for start in range(0, max(1, pieces - wide + step), step):
        yield start, min(start + wide, pieces)


def _gold(item: Question, offsets: Ints) -> tuple[int, int] | None:
    """First and last piece that overlap the characters of the first gold answer."""
    if not item.answers:
        return None
    text = item.answers[0]
    start, end = item.starts[0] + len(text) - len(text.lstrip()), item.starts[0] + len(text.rstrip())
    found = np.flatnonzero((offsets[:, 0] < end) & (offsets[:, 1] > start))
    return (int(found[0]), int(found[-1])) if len(found) else None


def _whole(text: str, offsets: Ints) -> Ints:
    """Offsets in which characters that the tokenizer left out belong to the piece they touch, the one before first.

    Some leave out what a word of Hindi or Arabic may end in: joiners, marks, vowel signs.
    """
    before = np.concatenate([[0], offsets[:, 1]])
    after = np.concatenate([offsets[:, 0], [len(text)]])
    out = offsets.copy()
    for k in np.flatnonzero(before < after).tolist():
        gap = text[before[k] : after[k]]
        if k:
            run = _run(gap)
            out[k - 1, 1] += run
            gap = gap[run:]
        if k < len(offsets):
            out[k, 0] -= _run(reversed(gap))
    return out


def _run(text: Iterable[str]) -> int:
    """How many characters it begins with that are not white space."""
    return sum(1 for _ in takewhile(lambda char: not char.isspace(), text))


def _object(members: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Lines of a JSON object, one member each."""
    before = "{"
    for key, value in members:
        yield f"{before}{json.dumps(key, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        before = ","
    yield "}" if before == "," else "{}"
