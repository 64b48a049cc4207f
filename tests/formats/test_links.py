"""Word links in files."""

import gzip
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.formats.links import GoldLinks, read_gold, read_links, read_text_links, write_links
from paralign.smallworld import World
from paralign.sources.readers import read_pairs
from paralign.sources.smallworld import smallworld_gold
from paralign.sources.specs import parse_pairs
from paralign.text.words import word_spans

LINKS = st.sets(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(LINKS, max_size=8))
def test_what_is_written_is_read(tmp_path_factory, links):
    path = tmp_path_factory.mktemp("links") / "a.links"
    write_links(path, links)
    if links:
        assert [found.sure for found in read_links(path)] == links
        assert [found.possible for found in read_links(path)] == links
    assert path.read_text().splitlines() == [" ".join(f"{i}-{j}" for i, j in sorted(some)) for some in links]


def test_sure_and_possible_from_zero_and_from_one(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1-2 3p1\n\n2?2 1:1 3P3 4-4:0.93\n"))
    assert list(read_links(tmp_path / "a.gz")) == [
        GoldLinks({(1, 2)}, {(1, 2), (3, 1)}),
        GoldLinks(),
        GoldLinks({(1, 1), (4, 4)}, {(2, 2), (1, 1), (3, 3), (4, 4)}),
    ]
    assert next(read_links(tmp_path / "a.gz", one_based=True)) == GoldLinks({(0, 1)}, {(0, 1), (2, 0)})


def test_links_of_long_sentences_are_read(tmp_path):
    """Their line is longer than the longest line of a text."""
    links = [{(0, 0)}, {(k, 29_999 - k) for k in range(30_000)}, {(1, 2)}]
    write_links(tmp_path / "a.links", links)
    assert max(map(len, (tmp_path / "a.links").read_text().split("\n"))) > 300_000
    assert [found.sure for found in read_links(tmp_path / "a.links")] == links
    found = read_text_links(tmp_path / "a.links", [(1, 1), (30_000, 30_000), (2, 3)])
    assert [row.possible for row in found] == links
    assert read_gold(tmp_path / "a.links", [(1, 1), (30_000, 30_000), (2, 3)]) == found


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("0-0\n0-1 1_1\n", {}, r"gold:2: '1_1' is not a link"),
        (
            "1-1 0-1\n\n",
            {"one_based": True},
            r"gold:1: '0-1' in a file with words numbered from 1 .*remove --one-based",
        ),
        ("0-0\n", {}, "1 lines of links for 2 sentence pairs"),
        ("1-1 3-3\n1-2\n", {}, "words are numbered from 1 .*--one-based"),
        (
            "0-0 3-3\n1-2\n",
            {},
            r"pair 1: the link 3-3 \(from 0\) is out of range: the sentences have 3 and 3 words; 1 such links",
        ),
        ("1 1 1\n1 2 X\n", {}, r"gold:2: '1 2 X' is not 'sentence source target \[S\|P\]'"),
        ("1 1 1 S\n1 2 2 Q\n", {}, r"gold:2: '1 2 2 Q'"),
        ("1 1 1 S\n1 22 -99 S\n", {}, r"gold:2: '1 22 -99 S'"),
        ("1 1 1 S\n7 1 1 S\n9 1 1 S\n", {}, "links of 3 sentences, numbered up to 9, for 2 sentence pairs"),
        ("1 9 1 S\n", {}, "pair 1: the link 8-0"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, text, more, message):
    (tmp_path / "gold").write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_gold(tmp_path / "gold", [(3, 3), (2, 3)], **more)
    assert "\n" not in str(error.value)


def test_lenient_drops_and_counts_it(tmp_path):
    (tmp_path / "gold").write_text("0-0 x 3-3\n1-2\n")
    dropped = Counter()
    found = read_gold(tmp_path / "gold", [(3, 3), (2, 3)], lenient=True, dropped=dropped)
    assert [some.sure for some in found] == [{(0, 0)}, {(1, 2)}]
    assert dropped == {"not a link": 1, "beyond the sentence": 1}
    (tmp_path / "gold").write_text("1 1 1\n2 22 -99 S\n")
    found = read_gold(tmp_path / "gold", [(3, 3), (2, 3)], lenient=True)
    assert [some.sure for some in found] == [{(0, 0)}, set()]


def test_a_line_that_cannot_be_read_is_a_pair_without_links(tmp_path):
    (tmp_path / "links").write_bytes(b"0-0\n\xff\n1-2\n")
    wanted, dropped = [{(0, 0)}, set(), {(1, 2)}], Counter()
    sizes = [(2, 3)] * 3
    assert [some.sure for some in read_links(tmp_path / "links", lenient=True, dropped=dropped)] == wanted
    for read in (read_gold, read_text_links):
        assert [some.sure for some in read(tmp_path / "links", sizes, lenient=True, dropped=dropped)] == wanted
    assert dropped == {"invalid UTF-8": 3}


def test_the_hint_names_the_option_of_the_command(tmp_path):
    (tmp_path / "links").write_text("1-1 3-3\n")
    with pytest.raises(UserError, match=r"numbered from 1 \(use --of-links\)"):
        read_text_links(tmp_path / "links", [(3, 3)], option="--of-links")
    (tmp_path / "links").write_text("0-0\n")
    with pytest.raises(UserError, match="remove --of-links"):
        read_text_links(tmp_path / "links", [(3, 3)], one_based=True, option="--of-links")


def test_numbered_links_count_sentences_from_zero_from_one_or_in_order(tmp_path):
    sizes = [(3, 3), (2, 3), (4, 4)]
    right = [GoldLinks({(0, 1)}, {(0, 1), (1, 1)}), GoldLinks({(1, 2)}, {(1, 2)}), GoldLinks()]
    for names in ("012", "123"):
        (tmp_path / "gold").write_text("{0} 1 2 S\n{0} 2 2 P\n{1} 2 3\n".format(*names))
        assert read_gold(tmp_path / "gold", sizes) == right
    # Numbers beyond the pairs, but as many: sparse ids, in order.
    (tmp_path / "gold").write_text("26 1 2 S\n26 2 2 P 0.5\n27 2 3\n31 4 4 S\n")
    assert read_gold(tmp_path / "gold", sizes)[:2] == right[:2]
    assert read_gold(tmp_path / "gold", sizes)[2].sure == {(3, 3)}
    (tmp_path / "gold").write_text("1 2 1 S\n2 3 2 S\n")
    assert [some.sure for some in read_gold(tmp_path / "gold", sizes, flipped=True)] == [{(0, 1)}, {(1, 2)}, set()]


def test_gold_of_the_small_world_is_between_our_words():
    spec = parse_pairs("en-zh=smallworld:0-60")
    world, several = World(0), 0
    for pair, links in zip(read_pairs(spec), smallworld_gold(spec, range(60)), strict=True):
        source, target = word_spans(pair.source), word_spans(pair.target)
        assert all(0 <= i < len(source) and 0 <= j < len(target) for i, j in links)
        # The full stop ends both.
        assert (len(source) - 1, len(target) - 1) in links
        several += len(links) > len(world.links(pair.line, "en", "zh"))
    assert several > 20  # Chinese words of two characters are two of ours


SIZES = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5)), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(SIZES, st.booleans(), st.booleans(), st.data())
def test_the_hint_leads_to_links_that_fit(tmp_path_factory, sizes, one_based, flipped, data):
    """Whatever the file is like: following the hint gives the links, and never the same error again."""
    links = [data.draw(st.sets(st.tuples(st.integers(0, m - 1), st.integers(0, n - 1)), max_size=4)) for m, n in sizes]
    rows = [[(j, i) if flipped else (i, j) for i, j in sorted(pair)] for pair in links]
    path = tmp_path_factory.mktemp("gold") / "gold"
    write_links(path, [[(i + one_based, j + one_based) for i, j in row] for row in rows])
    options: dict[str, bool] = {}
    for _ in range(3):
        try:
            found = read_gold(path, sizes, **options)
            break
        except UserError as error:
            told = str(error)
        suggested = {name for name in ("one_based", "flipped") if f"use --{name.replace('_', '-')}" in told}
        assert suggested
        assert not suggested & set(options)
        options |= dict.fromkeys(suggested, True)
    if options == {"one_based": one_based, "flipped": flipped}:
        assert [pair.sure for pair in found] == links


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("0-0 3-1\n", {}, r"if the target word comes first \(use --flipped"),
        ("0-0 1-3\n", {"flipped": True}, r"if the source word comes first \(remove --flipped"),
        ("1-1 4-2\n", {}, r"comes first and words are numbered from 1 \(use --one-based .*; use --flipped"),
        ("1-1 2-4\n", {}, r"words are numbered from 1 \(use --one-based"),
        ("0-0 3-3\n", {}, r"pair 1: the link 3-3"),
    ],
)
def test_the_order_of_words_is_suggested(tmp_path, text, options, message):
    (tmp_path / "gold").write_text(text)
    with pytest.raises(UserError, match=message):
        read_gold(tmp_path / "gold", [(2, 4)], **options)
