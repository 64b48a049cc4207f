"""Inference pairs: labels against sets of facts, no information about the label in the hypothesis, all languages."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from paralign.errors import UserError
from paralign.smallworld import LANGUAGES, Adjunct, Clause, Entity, Meaning, realize, sample_inference
from paralign.smallworld.entailment_rules import LABELS, relation
from paralign.smallworld.inference_pairs import _inference
from paralign.sources.smallworld import smallworld_sentence_pairs
from tests.oracles import atomic_facts

PAIRS = [sample_inference(index) for index in range(4000)]

ANNA = Entity("Anna")
BOOK = Entity("book", definite=False)
RED = replace(BOOK, adjective="red")
BUYS = Clause("buy", subject=ANNA, object=BOOK, tense="past")
BUYS_RED = replace(BUYS, object=RED)
NOT_BUYS = replace(BUYS, negated=True)
NOT_BUYS_RED = replace(BUYS_RED, negated=True)
SLEEPS = Clause("sleep", subject=Entity("man"), tense="past")
OLD_SLEEPS = Clause("sleep", subject=Entity("man", adjective="old"), tense="past")
OLD_MEN = Entity("man", plural=True, adjective="old")
BIG = Clause("be", subject=Entity("house"), adjective="big")
SMALL = replace(BIG, adjective="small")
LIVES = Clause("live", subject=ANNA, place=Adjunct("in", Entity("Paris")))


def counted(number: str) -> Clause:
    return replace(BUYS, object=Entity("book", plural=True, definite=False, count=number))


def reported(verb: str, clause: Clause) -> Meaning:
    return Meaning(Clause(verb, subject=Entity("Peter"), complement=clause))


WORKED = [  # premise, hypothesis, label, and what a person reads
    (Meaning(BUYS_RED), BUYS, "entailment", "Anna bought a red book.", "Anna bought a book."),
    (Meaning(BUYS), BUYS_RED, "neutral", "Anna bought a book.", "Anna bought a red book."),
    (Meaning(NOT_BUYS), NOT_BUYS_RED, "entailment", "Anna did not buy a book.", "Anna did not buy a red book."),
    (Meaning(NOT_BUYS_RED), NOT_BUYS, "neutral", "Anna did not buy a red book.", "Anna did not buy a book."),
    (Meaning(NOT_BUYS), BUYS_RED, "contradiction", "Anna did not buy a book.", "Anna bought a red book."),
    (Meaning(NOT_BUYS_RED), BUYS, "neutral", "Anna did not buy a red book.", "Anna bought a book."),
    (Meaning(BUYS_RED), NOT_BUYS, "contradiction", "Anna bought a red book.", "Anna did not buy a book."),
    (Meaning(BUYS), NOT_BUYS_RED, "neutral", "Anna bought a book.", "Anna did not buy a red book."),
    (Meaning(counted("two")), counted("five"), "contradiction", "Anna bought two books.", "Anna bought five books."),
    (Meaning(OLD_SLEEPS), SLEEPS, "entailment", "The old man slept.", "The man slept."),
    (
        Meaning(replace(SLEEPS, negated=True)),
        replace(OLD_SLEEPS, negated=True),
        "neutral",
        "The man did not sleep.",
        "The old man did not sleep.",
    ),
    (Meaning(SMALL), BIG, "contradiction", "The house is small.", "The house is big."),
    (Meaning(SMALL), replace(BIG, negated=True), "entailment", "The house is small.", "The house is not big."),
    (Meaning(replace(SMALL, negated=True)), BIG, "neutral", "The house is not small.", "The house is big."),
    (
        Meaning(LIVES),
        replace(LIVES, place=Adjunct("in", Entity("Rome"))),
        "contradiction",
        "Anna lives in Paris.",
        "Anna lives in Rome.",
    ),
    (reported("say", BUYS_RED), BUYS, "neutral", "Peter says that Anna bought a red book.", "Anna bought a book."),
    (reported("know", BUYS_RED), BUYS, "entailment", "Peter knows that Anna bought a red book.", "Anna bought a book."),
    (
        reported("know", NOT_BUYS),
        BUYS,
        "contradiction",
        "Peter knows that Anna did not buy a book.",
        "Anna bought a book.",
    ),
    (
        Meaning(SLEEPS, "because", BUYS_RED),
        BUYS,
        "entailment",
        "The man slept because Anna bought a red book.",
        "Anna bought a book.",
    ),
]


@pytest.mark.parametrize(("premise", "hypothesis", "label", "first", "second"), WORKED)
def test_worked_examples(premise: Meaning, hypothesis: Clause, label: str, first: str, second: str) -> None:
    assert relation(premise, Meaning(hypothesis)) == label
    assert atomic_facts.label(premise, Meaning(hypothesis)) == label
    assert (realize(premise, "en").text, realize(Meaning(hypothesis), "en").text) == (first, second)


def test_a_worked_example_in_german() -> None:
    assert realize(Meaning(NOT_BUYS), "de").text == "Anna hat kein Buch gekauft."
    assert realize(Meaning(NOT_BUYS_RED), "de").text == "Anna hat kein rotes Buch gekauft."
    assert realize(reported("know", BUYS_RED), "de").text == "Peter weiß, dass Anna ein rotes Buch gekauft hat."


@pytest.mark.parametrize(
    ("premise", "hypothesis"),
    [
        (BUYS, BUYS),
        (replace(NOT_BUYS, time="Monday"), NOT_BUYS),
        (NOT_BUYS, replace(BUYS, time="Monday")),
        (replace(BUYS, place=Adjunct("in", Entity("Rome"))), replace(BUYS, place=Adjunct("in", Entity("Paris")))),
        (BUYS, replace(BUYS, object=Entity("car", definite=False))),
        (replace(SLEEPS, subject=OLD_MEN), replace(SLEEPS, subject=replace(OLD_MEN, adjective=None))),
        (
            Clause("make", subject=replace(ANNA, conjunct=Entity("cook")), object=Entity("table")),
            Clause("make", subject=ANNA, object=Entity("table")),
        ),
    ],
)
def test_disputed_pairs_have_no_label(premise: Clause, hypothesis: Clause) -> None:
    assert relation(Meaning(premise), Meaning(hypothesis)) is None


def test_every_label_equals_the_oracle() -> None:
    for index, pair in enumerate(PAIRS):
        message = (index, realize(pair.premise, "en").text)
        assert atomic_facts.label(pair.premise, pair.hypothesis) == pair.label, message


def test_ambiguous_details_are_equal_on_both_sides() -> None:
    """Details of definite plurals differ in no pair, nor the time or a definite object across a negation."""
    checked = Counter[str]()
    for pair in PAIRS:
        h = pair.hypothesis.clause
        stated = [
            c for c in (pair.premise.clause, pair.premise.clause.complement, pair.premise.second) if c is not None
        ]
        (p,) = (clause for clause in stated if clause.verb == h.verb)
        for role in ("subject", "object", "recipient", "goal"):
            ours, theirs = getattr(p, role), getattr(h, role)
            if theirs is not None and theirs.plural and theirs.definite:
                assert ours == theirs
                checked["plural"] += 1
            if role == "object" and theirs is not None and theirs.definite and (p.negated or h.negated):
                assert ours == theirs
                checked["definite"] += 1
        if h.negated and p.negated:
            assert p.time == h.time
            checked["time"] += 1
        if h.negated or p.negated:
            assert h.subject is not None
            assert h.subject.definite
    assert min(checked.values()) > 100
    assert len(checked) == 3


def test_labels_and_forms_are_balanced() -> None:
    labels = Counter(pair.label for pair in PAIRS)
    assert set(labels) == set(LABELS)
    for label in LABELS:
        assert abs(labels[label] / len(PAIRS) - 1 / 3) < 0.03
        ours = [pair for pair in PAIRS if pair.label == label]
        negated = sum(pair.hypothesis.clause.negated for pair in ours) / len(ours)
        assert abs(negated - sum(pair.hypothesis.clause.negated for pair in PAIRS) / len(PAIRS)) < 0.04
    # neither a negation on one side nor a shared one gives the label away
    for label in ("neutral", "contradiction"):
        assert sum(p.premise.clause.negated != p.hypothesis.clause.negated for p in PAIRS if p.label == label) > 200
    assert sum(p.premise.clause.negated and p.hypothesis.clause.negated for p in PAIRS if p.label == "neutral") > 150


def test_the_hypothesis_alone_does_not_predict_the_label() -> None:
    """Bags of words and word pairs of the hypothesis: at chance (1/3, standard error 0.015 of 1,000)."""
    texts = [realize(pair.hypothesis, "en").text for pair in PAIRS]
    labels = [pair.label for pair in PAIRS]
    bag = CountVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), binary=True)
    model = LogisticRegression(C=0.1, max_iter=300).fit(bag.fit_transform(texts[:3000]), labels[:3000])
    assert model.score(bag.transform(texts[3000:]), labels[3000:]) < 0.39


@pytest.mark.parametrize("language", LANGUAGES)
def test_pairs_in_every_language(language: str) -> None:
    """The same labels in all languages; a hypothesis that is not entailed differs from its premise."""
    pairs = list(smallworld_sentence_pairs(language, range(1000)))
    assert [pair.label for pair in pairs] == [pair.label for pair in PAIRS[:1000]]
    assert [(pair.id, pair.line) for pair in pairs[:2]] == [("smallworld-0", 0), ("smallworld-1", 1)]
    assert not [pair for pair in pairs if pair.first == pair.second]


def test_a_pair_does_not_depend_on_other_pairs() -> None:
    for index in (3, 999):
        _inference.cache_clear()
        assert sample_inference(index) == PAIRS[index]
    assert sample_inference(3, seed=1) != PAIRS[3]
    with pytest.raises(UserError, match="count from 0"):
        sample_inference(-1)
    with pytest.raises(UserError, match="has no grammar for"):
        next(smallworld_sentence_pairs("xx", range(1)))
