"""Tempered shares of languages."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.corpus.mixing import MixedText, tempered
from paralign.errors import UserError
from paralign.runs.settings import run_settings
from paralign.sources.specs import TextSpec


def test_tempered_shares_by_hand():
    assert tempered({"a": 9, "b": 1}, 1.0) == pytest.approx({"a": 0.9, "b": 0.1})
    assert tempered({"a": 9, "b": 1}, 2.0) == pytest.approx({"a": 0.75, "b": 0.25})  # 3 to 1
    assert tempered({"a": 9, "b": 0}, 2.0) == {"a": 1.0, "b": 0.0}
    assert tempered({"a": 0}, 2.0) == {"a": 0.0}


def test_the_smallest_temperature_that_is_accepted_can_be_computed():
    assert tempered(dict.fromkeys(map(str, range(1000)), 1), 0.01)["0"] == pytest.approx(1e-3)
    assert run_settings("mlm", ["training.temperature=0.01"]).training.temperature == 0.01
    with pytest.raises(UserError, match=r"greater than or equal to 0\.01"):
        run_settings("mlm", ["training.temperature=0.001"])


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 10**9), min_size=1, max_size=6), st.floats(1, 100))
def test_shares_add_up_keep_their_order_and_come_closer(sizes, temperature):
    shares, plain = tempered(sizes, temperature), tempered(sizes, 1.0)
    assert sum(shares.values()) == pytest.approx(1)
    names = sorted(sizes, key=lambda name: sizes[name])
    assert all(shares[a] <= shares[b] * (1 + 1e-9) for a, b in pairwise(names))
    assert max(shares.values()) <= max(plain.values()) + 1e-9


def test_each_language_has_its_share_of_the_characters(tmp_path: Path):
    specs = []
    for language, lines in (("en", 1600), ("de", 100)):
        path = tmp_path / f"{language}.txt"
        path.write_text("".join(f"{language} line {i:04}\n" for i in range(lines)))
        specs.append(TextSpec(language, str(path)))
    mixed = MixedText(specs, 2.0)
    given = Counter(line[:2] for line in mixed)
    assert given["en"] / given["de"] == pytest.approx(4, abs=0.05)  # the root of 16
    assert given.total() == pytest.approx(1700, abs=2)
    assert list(mixed) == list(mixed)
    times = Counter(mixed)
    assert {times[line] for line in times if line.startswith("de")} <= {3, 4}
    assert list(MixedText(specs)) == [line for spec in specs for line in Path(spec.path).read_text().splitlines()]
