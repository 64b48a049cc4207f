"""Word order learned from trees."""

from collections import Counter
from itertools import combinations
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.languages import WordOrder, is_projective
from paralign.sources.readers import read_trees
from paralign.sources.specs import TextSpec
from tests.oracles.orders import best_order, contiguous

UPOS = ("NOUN", "VERB", "ADJ", "PUNCT")
RELATIONS = ("nsubj", "obj", "amod", "punct", "nmod:poss")


@st.composite
def trees(draw, projective=False):
    size = draw(st.integers(1, 8))
    order = draw(st.permutations(range(1, size + 1)))
    heads = [0] * size
    for k, word in enumerate(order[1:], 1):
        heads[word - 1] = order[draw(st.integers(0, k - 1))]
    tree = SimpleNamespace(
        heads=heads,
        upos=[draw(st.sampled_from(UPOS)) for _ in heads],
        deprels=[draw(st.sampled_from(RELATIONS)) if head else "root" for head in heads],
    )
    if projective and not contiguous(heads):
        tree.heads = [0, *range(1, size)]
    return tree


def moved(tree, order):
    """Return the same tree with its words in another order."""
    place = {old + 1: new + 1 for new, old in enumerate(order)} | {0: 0}
    return SimpleNamespace(
        heads=[place[tree.heads[k]] for k in order],
        upos=[tree.upos[k] for k in order],
        deprels=[tree.deprels[k] for k in order],
    )


@given(trees())
def test_a_tree_is_projective_if_all_subtrees_are_contiguous(tree):
    assert is_projective(tree.heads) == contiguous(tree.heads)


@given(st.lists(trees(), max_size=5), trees())
def test_a_reordered_tree_is_projective_and_the_same_tree(examples, tree):
    order = WordOrder.learn(examples).permutation(tree)
    if order is None:
        crowded = any(
            count > 6 and tree.upos[head - 1] in ("NOUN", "VERB") for head, count in Counter(tree.heads).items() if head
        )
        assert crowded or not contiguous(tree.heads)
        return
    assert sorted(order) == list(range(len(tree.heads)))
    assert contiguous(moved(tree, order).heads)


@given(trees(projective=True))
def test_without_counts_the_order_does_not_change(tree):
    order = WordOrder({}).permutation(tree)
    assert order is None or order == list(range(len(tree.heads)))


@given(
    st.lists(trees(projective=True), min_size=1, max_size=4),
    st.lists(st.sampled_from([*RELATIONS[:4], "head"]), min_size=1, max_size=5),
)
def test_the_order_is_the_best_of_all_permutations(examples, names):
    ordering = WordOrder.learn(examples)
    names = [name for k, name in enumerate(names) if name != "head" or "head" not in names[:k]]
    found = ordering._best_order("verb", names)

    def value(order):
        return sum(
            ordering.preference("verb", names[i], names[j])
            for a, i in enumerate(order)
            for j in order[a + 1 :]
            if names[i] != names[j]
        )

    right = best_order(names, lambda a, b: 0.0 if a == b else ordering.preference("verb", a, b))
    assert value(found) == pytest.approx(value(right))
    for i, j in combinations(range(len(names)), 2):
        assert names[i] != names[j] or found.index(i) < found.index(j)


def test_english_in_hindi_order_has_objects_before_the_verb():
    hindi = WordOrder.learn(read_trees(TextSpec("hi", "smallworld:0-300")))
    moved_verbs = 0
    for tree in read_trees(TextSpec("en", "smallworld:300-360")):
        order = hindi.permutation(tree)
        if order is None:
            continue
        words = [tree.words[k] for k in order]
        for k, (upos, relation) in enumerate(zip(tree.upos, tree.deprels, strict=True)):
            objects = [j for j, head in enumerate(tree.heads) if head == k + 1 and tree.deprels[j] == "obj"]
            if upos == "VERB" and relation == "root" and objects:
                moved_verbs += 1
                assert all(order.index(j) < order.index(k) for j in objects), words
    assert moved_verbs > 5


def test_preferences_are_log_odds_and_are_saved(tmp_path):
    tree = SimpleNamespace(heads=[2, 0, 2], upos=["NOUN", "VERB", "NOUN"], deprels=["nsubj", "root", "obj"])
    crossing = SimpleNamespace(heads=[3, 0, 2, 1], upos=["NOUN"] * 4, deprels=["obj"] * 4)
    made = WordOrder.learn([tree, crossing, tree], {"language": "en"})
    (tmp_path / "en.json").write_text("\n".join(made.lines()))
    read = WordOrder.load(tmp_path / "en.json")
    assert read.counts == made.counts
    assert read.facts == {"trees": 2, "crossing": 1, "language": "en"}
    assert read.preference("verb", "nsubj", "head") == pytest.approx(1.6094379)  # ln(2.5 / 0.5)
    assert read.preference("verb", "obj", "nsubj") == pytest.approx(-1.6094379)
    assert read.preference("noun", "obj", "nsubj") == 0
    for text in ("", "[]", "{}", '{"schema": 1, "counts": {"verb": {"a": 1}}}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(UserError, match="not a word order file"):
            WordOrder.load(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text('{"schema": 2, "counts": {}}')
    with pytest.raises(UserError, match="written by another version of paralign"):
        WordOrder.load(tmp_path / "bad.json")
    with pytest.raises(UserError, match="No such file"):
        WordOrder.load(tmp_path / "none.json")
