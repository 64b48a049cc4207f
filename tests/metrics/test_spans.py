import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities

from paralign.metrics import entities, ratio, span_counts
from paralign.metrics.spans import tag_runs

BIOES = ["O", *(f"{prefix}-{kind}" for prefix in "BIES" for kind in ("LOC", "PER", "a-b")), "B", "I", "E", "S"]
BIO = ["O", *(f"{prefix}-{kind}" for prefix in "BI" for kind in ("LOC", "PER", "ORG"))]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(BIOES), max_size=12))
def test_spans_are_seqevals(tags):
    assert entities(tags) == [(start, end + 1, kind) for kind, start, end in get_entities(tags)]


def sentences(tags):
    """A few sentences, twice tagged; of the second tagging about half is the first."""
    word = st.tuples(st.sampled_from(tags), st.sampled_from(tags), st.booleans())
    return st.lists(st.lists(word.map(lambda w: (w[0], w[0] if w[2] else w[1])), max_size=8), min_size=1, max_size=5)


@settings(max_examples=250, deadline=None)
@given(st.sampled_from([BIO, BIOES]).flatmap(sentences))
def test_ratio_of_sums_is_seqevals_micro_score(words):
    gold = [[word[0] for word in sentence] for sentence in words]
    guess = [[word[1] for word in sentence] for sentence in words]
    pairs = list(zip(gold, guess, strict=True))
    counts = [span_counts(*pair) for pair in pairs]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # seqeval's, at 0/0
        wanted = f1_score(gold, guess), precision_score(gold, guess), recall_score(gold, guess)
    f1 = [(2 * c[0], c[1] + c[2]) for c in counts]
    ours = (f1, [(c[0], c[2]) for c in counts], [(c[0], c[1]) for c in counts])
    for items, score in zip(ours, wanted, strict=True):
        assert (0 if math.isnan(ratio(items)) else ratio(items)) == pytest.approx(score, abs=1e-12)


def test_a_hand_made_sentence():
    gold = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC", "O"]
    guess = ["B-PER", "I-PER", "O", "I-LOC", "I-LOC", "I-ORG"]
    assert entities(gold) == [(0, 2, "PER"), (3, 4, "LOC"), (4, 5, "LOC")]
    assert entities(guess) == [(0, 2, "PER"), (3, 5, "LOC"), (5, 6, "ORG")]
    assert span_counts(gold, guess) == (1, 3, 3)


def test_no_span_on_either_side_counts_for_nothing():
    assert span_counts(["O", "O"], ["O", "O"]) == (0, 0, 0)
    assert span_counts([], []) == (0, 0, 0)
    assert span_counts(["O"], ["B-X"]) == (0, 0, 1)


@pytest.mark.parametrize("tag", ["X-LOC", "", "BLOC", "O-LOC", "b-LOC", "LOC", "o"])
def test_other_tags_are_refused(tag):
    with pytest.raises(ValueError, match="not a BIO"):
        entities(["O", tag])


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="2 gold tags but 1"):
        span_counts(["O", "O"], ["O"])


UNIVERSAL = ["ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT",
             "SYM", "VERB"]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*seems not to be NE tag")
@settings(max_examples=150, deadline=None)
@given(sentences(UNIVERSAL))
def test_f1_of_runs_of_tags_is_seqevals(tagged):
    """Without X and SCONJ, which seqeval reads wrongly."""
    gold, predicted = ([[word[side] for word in sentence] for sentence in tagged] for side in (0, 1))
    runs = [[set(tag_runs(tags)) for tags in side] for side in (gold, predicted)]
    correct = sum(len(a & b) for a, b in zip(*runs, strict=True))
    total = sum(len(one) for side in runs for one in side)
    assert f1_score(gold, predicted) == pytest.approx(2 * correct / total if total else 0.0)


def test_every_word_is_in_one_run_of_tags():
    tags = ["X", "X", "SCONJ", "SCONJ", "NOUN", "SYM", "NOUN", "NOUN"]
    assert tag_runs(tags) == [(0, 2, "X"), (2, 3, "SCONJ"), (3, 4, "SCONJ"), (4, 5, "NOUN"), (5, 6, "SYM"),
                              (6, 8, "NOUN")]  # fmt: skip
    assert tag_runs([]) == []
