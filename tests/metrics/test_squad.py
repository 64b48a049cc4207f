import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.metrics import exact_match, f1, normalize_answer
from tests.oracles import answers_by_character as oracle

PIECES = ["a", "an", "the", "The", "A", "band", "theatre", "panthe", "Ünal", "İ", "à", "a\u0300", "北京", "१९४७", "x_y"]
GLUE = [" ", "  ", "-", "'", "\n", "\u00a0", "\u3000", "«", "。", "।", "؟", ".", "", "$", "_"]
answers = st.one_of(
    st.lists(st.sampled_from(PIECES + GLUE), max_size=9).map("".join),
    st.text(max_size=12),
    st.sampled_from(["", "the", "...", " "]),
)


def tokens(text):
    return oracle.squad_normal(text).split()


@settings(max_examples=300, deadline=None)
@given(answers, st.lists(answers, min_size=1, max_size=4))
def test_against_the_definition(prediction, golds):
    exact, overlap = oracle.scores(prediction, golds, tokens)
    assert normalize_answer(prediction) == oracle.squad_normal(prediction)
    assert exact_match(prediction, golds) == (exact, 1)
    score, of = f1(prediction, golds)
    assert (score, of) == (pytest.approx(float(overlap), abs=1e-15), 1)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(PIECES + GLUE), min_size=1, max_size=9).map("".join), st.data())
def test_words_of_the_gold_answer_in_any_order(gold, data):
    """Predictions that overlap with the gold answer, which random ones seldom do."""
    prediction = " ".join(data.draw(st.permutations(gold.split())))[data.draw(st.integers(0, 3)) :]
    exact, overlap = oracle.scores(prediction, [gold], tokens)
    assert exact_match(prediction, [gold])[0] == exact
    assert f1(prediction, [gold])[0] == pytest.approx(float(overlap), abs=1e-15)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Eiffel Tower!", "eiffel tower"),
        ("an A-side: the end of the", "aside end of"),
        ("it's  THE\tU.S.A.", "its usa"),
        ("theatre of Athena and a band", "theatre of athena and band"),
        ("“the” – end…", "“ ” – end…"),  # only ASCII punctuation goes
        ("the_a", "thea"),  # punctuation goes first
        ("$1,000", "1000"),
        ("The", ""),
    ],
)
def test_normal_form(text, normal):
    assert normalize_answer(text) == normal


def test_worked_f1():
    """Two of three words predicted, two of four to find: P = 2/3, R = 1/2, F1 = 4/7; words are a multiset."""
    assert f1("the big red dog", ["a big old red fox"])[0] == pytest.approx(4 / 7)
    assert f1("no no no", ["no way"])[0] == pytest.approx(2 / 5)
    assert f1("Paris", ["in Paris, France", "paris."]) == (1, 1)
    assert exact_match("Paris", ["in Paris, France", "paris."]) == (1, 1)
    assert exact_match("Paris", ["in Paris"]) == (0, 1)


def test_empty_predictions():
    assert exact_match("", ["Paris"]) == f1("", ["Paris"]) == (0, 1)
    assert exact_match("", ["The"]) == exact_match("!", ["the"]) == (1, 1)
    assert f1("", ["The"]) == (0, 1)  # as v1.1


@pytest.mark.parametrize("score", [exact_match, f1])
@pytest.mark.parametrize("golds", [[], "Paris"])
def test_gold_answers_are_needed(score, golds):
    with pytest.raises(ValueError, match="list of at least one gold answer"):
        score("Paris", golds)
