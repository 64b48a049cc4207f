"""The loss of spans, and the best of them over windows."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.objectives import Step
from paralign.tasks.example_batches import example_view
from paralign.tasks.question_answering import AnswerConfig, Candidate, QuestionAnswering
from paralign.tasks.span_head import SpanHead, ranked_spans
from tests.oracles import all_spans
from tests.tasks.questions import question, world_question

# -- the head


def test_the_loss_is_cross_entropy_over_the_candidates_row_by_row(encoder):
    task = QuestionAnswering(AnswerConfig(max_pieces=40, max_answer=8))
    items = [world_question(tag, k, 1 + k % 4) for tag in ("en", "zh") for k in range(8)]
    items += [question("\u200d", ""), question(" \u200d x", "")]
    rows = task.examples(encoder, items, None)
    assert len(rows) > len(items)
    view = example_view(encoder, rows, None)
    batch = type("Batch", (), {"view": lambda self, name: view})()
    torch.manual_seed(3)
    head = SpanHead(encoder)
    torch.nn.init.normal_(head.linear.weight)
    torch.nn.init.normal_(head.linear.bias)
    loss = head(Step(encoder, batch))["span"]
    loss.backward()
    assert torch.isfinite(head.linear.weight.grad).all()
    states = encoder.encode(view).flat.detach().tolist()
    weight, bias = head.linear.weight.tolist(), head.linear.bias.tolist()
    wanted = sum(
        all_spans.row_loss(states[start : start + length], weight, bias, *row.targets.tolist(), row.labels.tolist())
        for row, start, length in zip(rows, view.starts, view.lengths, strict=True)
    )
    assert loss.item() == pytest.approx(wanted, rel=1e-5)
    assert head.counts(batch) == {"span": len(rows)}


def test_a_head_that_knows_nothing_loses_the_logarithm_of_the_candidates(encoder):
    rows = QuestionAnswering().examples(encoder, [world_question("en", k, 2) for k in range(5)], None)
    view = example_view(encoder, rows, None)
    head = SpanHead(encoder)
    torch.nn.init.zeros_(head.linear.weight)
    loss = head(Step(encoder, type("Batch", (), {"view": lambda self, name: view})()))["span"]
    assert loss.item() == pytest.approx(sum(math.log(len(row.pieces[1]) + 1) for row in rows), rel=1e-5)


def test_scores_are_those_of_cls_and_the_context(encoder):
    rows = QuestionAnswering(AnswerConfig(max_pieces=30)).examples(
        encoder, [world_question("en", k, 3) for k in range(4)] + [question("\u200d", "")], None
    )
    view = example_view(encoder, rows, None)
    head = SpanHead(encoder)
    with torch.no_grad():
        states = encoder.encode(view)
        found = head.decode(states)
        every = head.linear(states.flat).numpy()
    for row, start, scores in zip(rows, view.starts, found, strict=True):
        first, last = row.targets
        np.testing.assert_allclose(
            scores, every[[start, *range(start + first, start + last + 1)]], rtol=1e-5, atol=1e-6
        )


# -- spans

FEW = st.integers(-3, 3).map(float)  # few values: many equal scores
PIECES = st.lists(st.tuples(FEW, FEW), max_size=9)


@settings(max_examples=120, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=3), st.integers(1, 10))
def test_spans_come_best_first_and_all_of_them(windows, longest):
    given_ = [np.array([(9.0, 9.0), *window], np.float32) for window in windows]
    wanted, before = [], 0
    for window in windows:
        for i in range(len(window)):
            for j in range(i, min(len(window), i + longest)):
                wanted.append((before + i, before + j, window[i][0] + window[j][1]))
        before += len(window)
    wanted.sort(key=lambda span: (-span[2], span[0], span[1]))
    assert list(ranked_spans(given_, longest)) == wanted


def test_spans_of_long_windows_come_best_first_and_all_of_them():
    rng = np.random.default_rng(0)
    for kind in (rng.normal(size=(300, 2)), rng.integers(0, 2, (300, 2)), np.zeros((300, 2))):
        spans = list(ranked_spans([np.float32(kind)], 30))
        assert len(spans) == len({span[:2] for span in spans}) == 299 * 30 - 30 * 29 // 2
        assert spans == sorted(spans, key=lambda span: (-span[2], span[0], span[1]))
    assert list(ranked_spans([np.full((5, 2), np.nan, np.float32)], 3)) == []


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_the_answers_are_the_best_of_all_spans_of_all_windows(data):
    context = data.draw(st.text("ab \u3000", min_size=1, max_size=14))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(context)), min_size=2, max_size=8)))
    offsets = np.array(list(itertools.pairwise(cuts)))
    longest, n = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    windows, parts = [], []
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(offsets)))
        note = offsets[start : data.draw(st.integers(start, len(offsets)))]
        scores = data.draw(st.lists(st.tuples(FEW, FEW), min_size=len(note), max_size=len(note)))
        windows.append([(*pair, *span) for pair, span in zip(scores, note.tolist(), strict=True)])
        parts.append((type("Row", (), {"note": note})(), np.array([(9.0, 9.0), *scores], np.float32)))
    task = QuestionAnswering(AnswerConfig(max_answer=longest, n_best=n))
    answer = task.answer(question(context, ""), parts)
    best = all_spans.best_texts(context, windows, longest)
    assert len(answer.n_best) == min(n, len(best)) == len({one.text for one in answer.n_best})
    assert [one.score for one in answer.n_best] == sorted(best.values(), reverse=True)[:n]
    for one in answer.n_best:
        assert best[one.text] == one.score
        assert context.startswith(one.text, one.start)
    if best:
        assert (answer.text, answer.start, answer.score) == (*vars_of(answer.n_best[0])[:2], max(best.values()))
        total = sum(math.exp(one.score) for one in answer.n_best)
        assert [one.probability for one in answer.n_best] == pytest.approx(
            [math.exp(one.score) / total for one in answer.n_best]
        )
    else:
        assert answer.text == ""


def vars_of(candidate: Candidate):
    return candidate.text, candidate.start, candidate.score


def test_an_answer_in_a_later_window_wins_by_its_score(encoder):
    """And none crosses from one window into the next, where a span may look best of all."""
    context = "a b c d"
    rows = [type("Row", (), {"note": np.array([[2 * k, 2 * k + 1] for k in window])})() for window in ((0, 1), (2, 3))]
    first = np.array([[50, 50], [0, 0], [9, 0]], np.float32)
    second = np.array([[50, 50], [0, 9], [3, 3]], np.float32)
    answer = QuestionAnswering().answer(question(context, ""), list(zip(rows, (first, second), strict=True)))
    assert (answer.text, answer.start, answer.score) == ("b", 2, 9.0)
    answer = QuestionAnswering().answer(question(context, ""), list(zip(rows, (first, second + 1), strict=True)))
    assert (answer.text, answer.start, answer.score) == ("c", 4, 11.0)
