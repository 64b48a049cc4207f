import random
import re
import subprocess
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.metrics import attachment
from tests.oracles import attachment_loops

RELATIONS = ["nsubj", "nsubj:pass", "obl", "obl:tmod", "punct", "punct:x", "root", "det"]
words = st.tuples(st.integers(0, 5), st.sampled_from(RELATIONS))


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(words, words, st.booleans()), max_size=12), st.booleans(), st.booleans())
def test_against_the_definition(drawn, punctuation, subtypes):
    gold = [pair[0] for pair in drawn]
    guess = [pair[0] if pair[2] else pair[1] for pair in drawn]
    columns = [[w[0] for w in gold], [w[1] for w in gold], [w[0] for w in guess], [w[1] for w in guess]]
    wanted = attachment_loops.attachment(gold, guess, punctuation=punctuation, subtypes=subtypes)
    assert attachment(*columns, punctuation=punctuation, subtypes=subtypes) == wanted


def random_tree(rng, n):
    """Heads 1..n, 0 the root, one root word: every word hangs from one that came before it in a random order."""
    order = rng.sample(range(1, n + 1), n)
    head = {word: rng.choice(order[:k]) if k else 0 for k, word in enumerate(order)}
    return [head[word] for word in range(1, n + 1)]


def conllu(sentences):
    lines = []
    for heads, relations in sentences:
        rows = enumerate(zip(heads, relations, strict=True), 1)
        lines += [f"{i}\tw\t_\tX\t_\t_\t{head}\t{relation}\t_\t_" for i, (head, relation) in rows]
        lines.append("")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sums_are_the_official_scorers(tmp_path: Path, seed):
    """400 random sentences through the scorer of the shared tasks, a separate program of the package udtools."""
    rng = random.Random(seed)
    gold, guess = [], []
    for _ in range(400):
        n = rng.randint(1, 12)
        heads, relations = random_tree(rng, n), rng.choices(RELATIONS, k=n)
        gold.append((heads, relations))
        guess.append(
            (
                heads if rng.random() < 0.4 else random_tree(rng, n),
                [r if rng.random() < 0.5 else rng.choice(RELATIONS) for r in relations],
            )
        )
    for name, sentences in ("gold", gold), ("guess", guess):
        (tmp_path / name).write_text(conllu(sentences), encoding="utf-8")
    scorer = Path(sysconfig.get_path("scripts"), "udeval")
    run = [str(scorer), "--counts", "--no-enhanced", str(tmp_path / "gold"), str(tmp_path / "guess")]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    ours = [attachment(*a, *b) for a, b in zip(gold, guess, strict=True)]
    for metric in ("uas", "las"):
        counts = re.search(rf"^{metric.upper()} *\|(.*)$", printed, re.MULTILINE)
        assert counts is not None
        right, of_gold, of_system, _ = map(int, counts[1].split("|"))
        assert of_gold == of_system
        assert tuple(map(sum, zip(*(o[metric] for o in ours), strict=True))) == (right, of_gold)
        assert 0 < right < of_gold


def test_a_hand_made_sentence():
    """They were seen . : the passive subject without its subtype, the full stop at the wrong head."""
    gold = [3, 3, 0, 3], ["nsubj:pass", "aux:pass", "root", "punct"]
    guess = [3, 3, 0, 1], ["nsubj", "cop", "root", "punct"]
    assert attachment(*gold, *guess) == {"uas": (3, 4), "las": (2, 4)}
    assert attachment(*gold, *guess, subtypes=True) == {"uas": (3, 4), "las": (1, 4)}
    assert attachment(*gold, *guess, punctuation=False) == {"uas": (3, 3), "las": (2, 3)}


def test_nothing_to_score():
    assert attachment([], [], [], []) == {"uas": (0, 0), "las": (0, 0)}
    assert attachment([2], ["punct"], [2], ["punct"], punctuation=False) == {"uas": (0, 0), "las": (0, 0)}


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="shorter"):
        attachment([0, 1], ["root", "det"], [0], ["root"])
