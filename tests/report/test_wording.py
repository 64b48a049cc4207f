import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.report.wording import clock, count, listing, number, signed


@given(st.floats(-2, 2))
def test_percentages_are_right_to_a_tenth_of_a_point(value):
    for text in (number(value), signed(value)):
        assert float(text.replace("−", "-")) == pytest.approx(100 * value, abs=0.0501)


@given(st.floats(-2, 2))
def test_the_sign_is_shown_unless_the_printed_difference_is_zero(value):
    text = signed(value)
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
    assert clock(seconds) == text


def test_small_things():
    assert [number(None), number(float("nan")), count(None), count(1234.6)] == ["–", "–", "–", "1,235"]
    assert [listing(["de"]), listing(["de", "fr", "zh"])] == ["de", "de, fr and zh"]
    assert [number(12.346, share=False), signed(0.5, share=False)] == ["12.35", "+0.50"]
