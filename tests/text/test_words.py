"""Words written by hand, and pieces on words against a loop over all pairs of intervals."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.text.normalization import normalize, normalize_tokens
from paralign.text.words import Span, piece_words, split_words, word_pieces, word_spans


def words(text: str, *, tokenized: bool = False) -> list[str]:
    return [text[start:end] for start, end in word_spans(text, tokenized=tokenized)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("I don't know: it's 12:30 (e-mail)!", "I don't know : it's 12:30 ( e-mail ) !"),
        ("rock 'n' roll", "rock ' n ' roll"),
        ("3.14, 1,000 and U.S.A.", "3.14 , 1,000 and U . S . A ."),
        ("__init__ foo_bar", "_ _ init _ _ foo_bar"),
        (
            "L'homme qu'il n'a pas vu, jusqu'à aujourd'hui.",
            "L' homme qu' il n' a pas vu , jusqu' à aujourd'hui .",
        ),
        ("C’est-à-dire : d’accord", "C’ est-à-dire : d’ accord"),
        ("Die E-Mail-Adresse, d. h. „groß“", "Die E-Mail-Adresse , d . h . „ groß “"),
        ("我爱北京,买3个ABC。", "我 爱 北 京 , 买 3 个 ABC 。"),
        ("カタカナー語", "カ タ カ ナ ー 語"),
        ("हिन्दी में क्‍या है?", "हिन्दी में क्‍या है ?"),
        ("हूँ। ठीक", "हूँ । ठीक"),
        ("كِتَابٌ جديد؟", "كِتَابٌ جديد ؟"),
        ("Иван-царь, привет", "Иван-царь , привет"),
        ("👩‍👧 ok 🇩🇪", "👩‍👧 ok 🇩🇪"),
    ],
)
def test_raw_text(text: str, wanted: str) -> None:
    assert words(text) == wanted.split()


def test_tokenized_text_is_split_at_spaces_only() -> None:
    assert words("do n't , 我们 l'homme ...", tokenized=True) == ["do", "n't", ",", "我们", "l'homme", "..."]


NOT_SEPARATORS = [c for c in map(chr, range(0x110000)) if c.isspace() and c not in " \r\n"] + [
    "\u200b",
    "\ufeff",
    "\xad",
]


@given(st.lists(st.text(st.sampled_from([*NOT_SEPARATORS, "a", "1", "e", "\u0301"]), min_size=1)))
def test_tokens_stay_tokens(tokens: list[str]) -> None:
    """Spaces of other kinds and invisible characters neither split a token nor remove one."""
    text = normalize_tokens(" " + "  ".join(tokens) + " ")
    assert len(words(text, tokenized=True)) == len(tokens)
    assert normalize_tokens(text) == text
    assert list(split_words([text], tokenized=True)) == [words(text, tokenized=True)]
    for token, word in zip(tokens, words(text, tokenized=True), strict=True):
        assert sum(map(str.isspace, word)) == sum(map(str.isspace, token))  # NFC replaces some by others
        assert normalize(word) == normalize(token)


def test_line_breaks_of_markup_separate_tokens() -> None:
    assert normalize_tokens("\n\t  a\u00a0b\tc  d\r\n\te\n") == "a\u00a0b\tc d e"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_spans_cover_everything_but_spaces(text: str) -> None:
    text = normalize(text)
    for tokenized in (False, True):
        spans = word_spans(text, tokenized=tokenized)
        assert all(start < end for start, end in spans)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
        assert "".join(text[start:end] for start, end in spans) == text.replace(" ", "")


@given(st.lists(st.text(st.characters(categories=["Ll", "Lu"]), min_size=1), min_size=1))
def test_letters_are_never_parted(parts: list[str]) -> None:
    text = " ".join(parts)
    assert words(text) == parts == words(text, tokenized=True)


def test_a_french_list() -> None:
    text = "les hommes, les jeunes femmes et l'ami d'Anne"
    wanted = "les hommes , les jeunes femmes et l' ami d' Anne"
    assert words(text) == wanted.split()


@given(st.text("aé\u0301\u093f\u0915 '-我あ3.,\u0902"))
def test_marks_stay_with_their_base(text: str) -> None:
    for start, _ in word_spans(text):
        assert text[start] not in "\u0301\u093f\u0902" or start == 0 or text[start - 1] == " "


def overlap_oracle(offsets: list[tuple[int, int]], spans: list[tuple[int, int]]) -> list[list[int]]:
    """For each piece, every word that shares a character with it."""
    return [[w for w, (s, e) in enumerate(spans) if set(range(a, b)) & set(range(s, e))] for a, b in offsets]


@st.composite
def pieces_and_words(draw: st.DrawFn) -> tuple[list[Span], list[Span]]:
    edges = sorted(draw(st.sets(st.integers(0, 24), max_size=16)))
    spans = list(zip(edges[::2], edges[1::2], strict=False))
    # Pieces as tokenizers give them: starts and ends in order, some share characters, specials are empty.
    rough = draw(st.lists(st.tuples(st.integers(0, 24), st.integers(1, 4)), max_size=8))
    starts, ends = sorted(a for a, _ in rough), sorted(a + n for a, n in rough)
    pieces = list(zip(starts, ends, strict=True))
    for at in draw(st.lists(st.integers(0, len(pieces)), max_size=3)):
        pieces.insert(at, (0, 0))
    return pieces, spans


@given(pieces_and_words())
def test_pieces_and_words_against_the_oracle(
    case: tuple[list[Span], list[Span]],
) -> None:
    pieces, spans = case
    shared = overlap_oracle(pieces, spans)
    offsets = np.array(pieces, np.uint16).reshape(-1, 2)
    assert piece_words(offsets, spans).tolist() == [min(found, default=-1) for found in shared]
    real = [p for p, (a, b) in enumerate(pieces) if a < b]
    wanted = []
    for w, (start, _) in enumerate(spans):
        touching = [p for p in real if w in shared[p]]
        following = [p for p in real if pieces[p][0] >= start]
        wanted.append((touching or following or real[-1:] or [-1])[0])
    assert word_pieces(offsets, spans).tolist() == wanted


def test_pieces_by_hand() -> None:
    spans = word_spans("我们 don't")  # 我 | 们 | don't
    offsets = np.array([[0, 0], [0, 2], [2, 6], [6, 8], [0, 0]])  # specials, "我们" in one piece, " don", "'t"
    assert piece_words(offsets, spans).tolist() == [-1, 0, 2, 2, -1]
    assert word_pieces(offsets, spans).tolist() == [1, 1, 2]


def test_a_tail_without_pieces_takes_the_last() -> None:
    assert word_pieces(np.array([[0, 2], [3, 5]]), [(0, 2), (3, 5), (6, 9)]).tolist() == [0, 1, 1]
    assert word_pieces(np.zeros((2, 2)), [(0, 2)]).tolist() == [-1]


@pytest.mark.parametrize("text", ["وقال \u06dd الله", "\u06dd \u0652 و", "\u06dd\u0601 x", "\u0601"])
def test_a_sign_that_belongs_to_the_next_character_takes_no_space(text):
    """Such a sign (Grapheme_Cluster_Break=Prepend) and a space are one grapheme cluster."""
    assert [text[start:end] for start, end in word_spans(text)] == text.split() == next(split_words([text]))
