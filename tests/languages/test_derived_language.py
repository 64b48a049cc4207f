"""Derived languages: tags, word order, pieces with twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.languages import join_words, parse_derived, spaces_before
from paralign.text.words import word_spans

WORDS = st.lists(st.sampled_from(["a", "b", "c1", ".", "!", "?", ",", "'", "é", "我", "(", "n't"]), max_size=9)


def reorder(tag, words):
    return [words[k] for k in parse_derived(tag).permutation(words)]


@given(WORDS)
def test_reversing_twice_gives_the_original(words):
    once = reorder("en~inv", words)
    assert reorder("en~inv", once) == words
    assert sorted(once) == sorted(words)


def test_reversing_keeps_final_punctuation():
    for words, turned in (
        ("the dog sees me .", "me sees dog the ."),
        ("the dog sees me", "me sees dog the"),
        ("« oui ? » dit il", "il dit » ? oui «"),
        (". . and so on", ". . on so and"),
    ):
        assert reorder("en~inv", words.split()) == turned.split()


@given(WORDS)
def test_perm_is_a_permutation_that_depends_on_the_sentence_only(words):
    language = parse_derived("en~perm")
    order = language.permutation(words)
    assert sorted(order) == list(range(len(words)))
    assert order == language.permutation(list(words))


def test_random_orders_differ_from_sentence_to_sentence():
    orders = {tuple(parse_derived("en~perm").permutation([f"w{k}", *"abcdefg"])) for k in range(50)}
    assert len(orders) > 45


def test_tags():
    assert parse_derived("en") is None
    found = parse_derived("en~inv+trans")
    assert (found.name, found.base, found.uses_twins, found.reorders_words) == ("en~trans+inv", "en", True, True)
    assert not parse_derived("en~trans").reorders_words
    assert parse_derived("en~syn+inv").transformations == ("syn", "inv")
    found = parse_derived("en~inv+overlap5+trans")
    assert (found.name, found.overlap, found.uses_twins, found.reorders_words) == (
        "en~trans+overlap5+inv",
        5,
        True,
        True,
    )
    assert parse_derived("en~trans+overlap5+syn").transformations[-1] == "syn"
    assert not parse_derived("en~trans+overlap5").reorders_words


def test_the_overlap_has_its_percentage_and_larger_ones_contain_smaller_ones():
    ids = np.arange(20_000)
    few, many = (~parse_derived(f"en~trans+overlap{share}").twin_mask(ids) for share in (10, 40))
    assert few.mean() == pytest.approx(0.1, abs=0.01)
    assert many.mean() == pytest.approx(0.4, abs=0.015)
    assert not (few & ~many).any()
    assert np.corrcoef(many[1:], many[:-1])[0, 1] == pytest.approx(0, abs=0.04)
    assert parse_derived("en~trans").twin_mask(ids).all()
    assert not parse_derived("en~inv").twin_mask(ids).any()


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("en~invv", "did you mean 'inv'"),
        ("en~", "known: trans, inv, perm, syn, tinv"),
        ("en~inv+inv", "twice"),
        ("en~inv+syn", "write syn first"),
        ("en~overlap25+inv", "overlap25 without trans"),
        ("en~trans+overlap", "write overlap25 for 25 %"),
        ("en~trans+overlap100", "write overlap25 for 25 %"),
        ("en~trans+overlap0", "write overlap25 for 25 %"),
        ("en~trans+overlap10+overlap20", "twice"),
    ],
)
def test_invalid_tags(tag, said):
    with pytest.raises(UserError, match=said):
        parse_derived(tag)


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ("Hello, world!", "world, Hello!"),
        ("I don't know.", "know don't I."),
        ("(yes) no", "no)yes ("),
        ("我爱你。", "你爱我。"),
        ("", ""),
        ("?", "?"),
    ],
)
def test_words_keep_their_space(text, turned):
    spans = word_spans(text)
    words, spaces = [text[a:b] for a, b in spans], spaces_before(text, spans)
    order = parse_derived("en~inv").permutation(words)
    made, places = join_words([words[k] for k in order], [spaces[k] for k in order])
    assert made == turned
    assert [made[a:b] for a, b in places] == [words[k] for k in order]


@given(st.text(alphabet="ab1 .,'我é", max_size=20))
def test_no_word_runs_into_another(text):
    text = " ".join(text.split())
    spans = word_spans(text)
    words, spaces = [text[a:b] for a, b in spans], spaces_before(text, spans)
    order = parse_derived("en~perm").permutation(words)
    made, places = join_words([words[k] for k in order], [spaces[k] for k in order])
    assert [made[a:b] for a, b in places] == [words[k] for k in order]
    assert sorted(made.replace(" ", "")) == sorted(text.replace(" ", ""))
