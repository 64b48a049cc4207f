import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.report.number_format import (
    format_count,
    format_difference,
    format_duration,
    format_score,
    join_names,
    shorten_list,
)
from paralign.report.table_key import training_languages
from paralign.report.titles import metric_name


@given(st.floats(-2, 2))
def test_percentages_are_right_to_a_tenth_of_a_point(value):
    for text in (format_score(value), format_difference(value)):
        assert float(text.replace("−", "-")) == pytest.approx(100 * value, abs=0.0501)


@given(st.floats(-2, 2))
def test_the_sign_is_shown_unless_the_printed_difference_is_zero(value):
    text = format_difference(value)
    assert text[0] in "+−" or text == "0.0"
    assert text not in ("−0.0", "+0.0")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.04, "0.0 s"),
        (9.97, "10 s"),
        (59.7, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3599.6, "1 h 00 min"),
        (90_061, "25 h 01 min"),
    ],
)
def test_clock(seconds, text):
    assert format_duration(seconds) == text


def test_small_things():
    assert [format_score(None), format_score(float("nan")), format_count(None), format_count(1234.6)] == [
        "–",
        "–",
        "–",
        "1,235",
    ]
    assert [join_names(["de"]), join_names(["de", "fr", "zh"])] == ["de", "de, fr and zh"]
    assert [format_score(12.346, scale=False), format_difference(0.5, scale=False)] == ["12.35", "+0.50"]


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("accuracy", "accuracy"),
        ("accuracy_csls", "accuracy, CSLS"),
        ("f1", "F1"),
        ("exact_match", "exact match"),
        ("precision_at_1_cosine", "precision@1, cosine"),
        ("precision_at_10_csls_without_identical", "precision@10, CSLS, without identical words"),
        ("f1_best_threshold", "F1, at the best threshold"),
        ("recall_best_threshold", "recall, at the best threshold"),
        ("_csls", " csls"),
        ("", ""),
    ],
)
def test_metrics_have_their_usual_names(metric, name):
    assert metric_name(metric) == name


def test_long_lists_are_shortened():
    assert shorten_list(["a", "b", "c"], 3) == "a, b, c"
    assert shorten_list(["a", "b", "c", "d"], 3) == "a, b, c, d", "a single other is named"
    assert shorten_list(["a", "b", "c", "d", "e"], 3, "other runs") == "a, b, c and 2 other runs"


def test_word_orders_of_derived_languages_are_part_of_their_names():
    assert training_languages("en~trans+syn@hi") == (["en~trans+syn@hi"], [])
    assert training_languages("en~trans+overlap25+inv") == (["en~trans+overlap25+inv"], [])
    assert training_languages("en+en~trans+syn@hi:100") == (["en"], [("en~trans+syn@hi", 100)])
