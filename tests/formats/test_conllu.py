"""CoNLL-U: a hand-written treebank, the conllu package as oracle, every fault with its line."""

import gzip
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.formats.conllu import _check_heads, read_conllu, write_conllu
from paralign.formats.item_errors import ItemError
from paralign.formats.items import Tree
from paralign.sources.readers import read_trees
from paralign.sources.specs import TextSpec

TREEBANK = """\
# newdoc id = d1
# sent_id = fr-1
# text = Il parle du «\u00a0chat\u00a0».
1\tIl\til\tPRON\t_\t_\t2\tnsubj\t_\t_
2\tparle\tparler\tVERB\tV\tMood=Ind\t0\troot\t0:root\t_
3-4\tdu\t_\t_\t_\t_\t_\t_\t_\t_
3\tde\tde\tADP\t_\t_\t6\tcase\t_\t_
4\tle\tle\tDET\t_\t_\t6\tdet\t_\t_
5\t«\t«\tPUNCT\t_\t_\t6\tpunct\t_\tSpaceAfter=No
6\tchat\tchat\tNOUN\t_\t_\t2\tobl\t_\tX=1|SpaceAfter=No
6.1\tvide\tvide\tVERB\t_\t_\t_\t_\t2:dep\t_
7\t»\t»\tPUNCT\t_\t_\t6\tpunct\t_\tSpaceAfter=No
8\t.\t.\tPUNCT\t_\t_\t2\tpunct\t_\t_

# a remark alone is no sentence

# sent_id = en-2
# text = don'tgo
1-2\tdon't\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
1\tdo\tdo\tAUX\t_\t_\t3\taux\t_\t_
2\tn't\tnot\tPART\t_\t_\t3\tadvmod\t_\t_
3\tgo\tgo\tVERB\t_\t_\t0\troot\t_\t_
"""
FRENCH = Tree(
    sent_id="fr-1",
    text="Il parle de le «chat».",
    words=("Il", "parle", "de", "le", "«", "chat", "»", "."),
    spans=((0, 2), (3, 8), (9, 11), (12, 14), (15, 16), (16, 20), (20, 21), (21, 22)),
    upos=("PRON", "VERB", "ADP", "DET", "PUNCT", "NOUN", "PUNCT", "PUNCT"),
    xpos=("_", "V", "_", "_", "_", "_", "_", "_"),
    heads=(2, 0, 6, 6, 6, 2, 6, 2),
    deprels=("nsubj", "root", "case", "det", "punct", "obl", "punct", "punct"),
    lemmas=("il", "parler", "de", "le", "«", "chat", "»", "."),
    line=4,
)


def save(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.conllu", "a.conllu.gz"])
def test_by_hand(tmp_path: Path, name: str) -> None:
    first, second = read_trees(TextSpec("fr", str(save(tmp_path / name, TREEBANK))))
    assert first == FRENCH
    # The range's SpaceAfter=No stands behind its last word.
    assert (second.text, second.spans) == ("do n'tgo", ((0, 2), (3, 6), (6, 8)))
    assert second.line == 20


def test_against_the_conllu_package(tmp_path: Path) -> None:
    conllu = pytest.importorskip("conllu")
    trees = list(read_conllu(save(tmp_path / "a.conllu", TREEBANK)))
    parsed = [s for s in conllu.parse(TREEBANK) if len(s)]
    assert len(parsed) == len(trees) == 2
    for tree, sentence in zip(trees, parsed, strict=True):
        tokens = [token for token in sentence if isinstance(token["id"], int)]
        for ours, theirs in [
            ("words", "form"),
            ("upos", "upos"),
            ("heads", "head"),
            ("deprels", "deprel"),
            ("lemmas", "lemma"),
        ]:
            assert list(getattr(tree, ours)) == [token[theirs] for token in tokens]
        assert tree.sent_id == sentence.metadata["sent_id"]


def test_round_trip(tmp_path: Path) -> None:
    trees = list(read_conllu(save(tmp_path / "a.conllu", TREEBANK)))
    trees += read_trees(TextSpec("zh", "smallworld:0-5"))
    write_conllu(trees, tmp_path / "b.conllu")
    again = list(read_conllu(tmp_path / "b.conllu"))
    assert [replace(t, line=0) for t in again] == [replace(t, line=0) for t in trees]


def test_only_predicted_columns_change(tmp_path: Path) -> None:
    """The comment that belongs to no sentence is moved to the next one; a file ends with a blank line."""
    trees = list(read_conllu(save(tmp_path / "a.conllu.gz", TREEBANK)))
    new = [replace(t, upos=("X",) * len(t.words), heads=tuple(range(len(t.words))), lemmas=("?",)) for t in trees]
    write_conllu(new, tmp_path / "b.conllu.gz", predicted=("upos", "heads"))
    expected, before = [], TREEBANK.replace("no sentence\n\n", "no sentence\n").splitlines()
    for line in (*before, ""):
        row = line.split("\t")
        if row[0].isdigit():
            row[3], row[6] = "X", str(int(row[0]) - 1)
        expected.append("\t".join(row))
    assert gzip.decompress((tmp_path / "b.conllu.gz").read_bytes()).decode().splitlines() == expected


def test_words_without_a_tree_are_written_without_heads(tmp_path: Path) -> None:
    """Two words with head 0 are no tree: the file says that it has none."""
    (tree,) = read_trees(TextSpec("en", str(save(tmp_path / "a.txt", "Hello you\n"))), labeled=False)
    write_conllu([tree], tmp_path / "b.conllu", predicted=("upos",))
    assert (tmp_path / "b.conllu").read_text().splitlines()[2:4] == [
        "1\tHello\t_\t_\t_\t_\t_\t_\t_\t_",
        "2\tyou\t_\t_\t_\t_\t_\t_\t_\t_",
    ]
    assert [replace(t, line=1, sent_id="1") for t in read_conllu(tmp_path / "b.conllu", labeled=False)] == [tree]


def test_the_small_world_gives_gold_trees() -> None:
    for language in ("en", "de", "fr", "zh", "hi", "es"):
        trees = list(read_trees(TextSpec(language, "smallworld:3-8")))
        assert [t.line for t in trees] == list(range(3, 8))
        for tree in trees:
            assert [tree.text[a:b] for a, b in tree.spans] == list(tree.words)
            assert tree.heads.count(0) == 1


def row(number: object, head: object, upos: str = "X", deprel: str = "dep", form: str = "w") -> str:
    return f"{number}\t{form}\tw\t{upos}\t_\t_\t{head}\t{deprel}\t_\t_\n"


GOOD = row(1, 0) + "\n"
FAULTS = {
    "not 10 columns": (row(1, 0) + "2\tw\tw\tX\n", 4, "4 columns"),
    "id out of order": (row(1, 0) + row(3, 1), 4, "id '3', expected 2"),
    "id out of order ": (row(1, 0) + row("x", 1), 4, "id 'x', expected 2"),
    "id out of order  ": (row(1, 0) + row("3-4", "_"), 4, "range 3-4"),
    "id out of order   ": (row("1-3", "_") + row(1, 0) + row(2, 1), 5, "inside a range"),
    "missing UPOS": (row(1, 0, upos="_"), 3, "no UPOS"),
    "unknown UPOS": (row(1, 0, upos="NOUNN"), 3, "did you mean 'NOUN'"),
    "missing relation": (row(1, 0, deprel="_"), 3, "no dependency relation"),
    "missing form": (row(1, 0, form=""), 3, "form is empty"),
    "head out of range": (row(1, 0) + row(2, 3), 4, "head '3'"),
    "head out of range ": (row(1, 0) + row(2, "_"), 4, "head '_'"),
    "head out of range  ": (row(1, 0) + row(2, -1), 4, "head '-1'"),
    "not one root": (row(1, 0) + row(2, 0), 4, "2 words have head 0"),
    "not one root ": (row(1, 2) + row(2, 1), 3, "no words have head 0"),
    "cycle": (row(1, 0) + row(2, 4) + row(3, 1) + row(4, 2), 4, "its own ancestor"),
    "cycle ": (row(1, 0) + row(2, 2), 4, "its own ancestor"),
    "no words": (row("1.1", "_"), 3, "without words"),
}


@pytest.mark.parametrize("reason", list(FAULTS))
def test_faults(tmp_path: Path, reason: str) -> None:
    sentence, line, message = FAULTS[reason]
    file = save(tmp_path / "a.conllu", GOOD + sentence + "\n" + GOOD)
    with pytest.raises(UserError, match=rf"a\.conllu:{line}: .*{message}"):
        list(read_conllu(file))
    dropped: Counter[str] = Counter()
    assert len(list(read_conllu(file, lenient=True, dropped=dropped))) == 2
    assert dropped == {reason.strip(): 1}


def test_nothing_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no sentence"):
        list(read_conllu(save(tmp_path / "a.conllu", "# only a remark\n\n")))
    with pytest.raises(UserError, match=r"no sentence.*1 missing UPOS"):
        list(read_conllu(save(tmp_path / "a.conllu", row(1, 0, upos="_")), lenient=True))


def test_unlabeled_trees_blank_what_cannot_be_used(tmp_path: Path) -> None:
    sentences = [
        row(1, 0) + row(2, 1),  # as it should be
        row(1, "_", upos="_", deprel="_") + row(2, "_", upos="_", deprel="_"),
        row(1, 0, upos="NOUNN") + row(2, 1, upos="NOUN", deprel=""),
        row(1, 2) + row(2, 1),  # a cycle
        row(1, 0) + row(2, "1" * 5_000),
    ]
    file = save(tmp_path / "a.conllu", "\n".join(sentences))
    dropped: Counter[str] = Counter()
    trees = list(read_trees(TextSpec("en", str(file)), labeled=False, dropped=dropped))
    assert [t.heads for t in trees] == [(0, 1), (0, 0), (0, 1), (0, 0), (0, 0)]
    assert [t.upos for t in trees] == [("X", "X"), ("_", "_"), ("_", "NOUN"), ("X", "X"), ("X", "X")]
    assert [t.deprels[1] for t in trees] == ["dep", "_", "_", "dep", "dep"]
    assert not dropped
    with pytest.raises(UserError, match=r"a\.conllu:4: .*no UPOS"):
        list(read_conllu(file))
    # Words must be there all the same.
    with pytest.raises(UserError, match="form is empty"):
        list(read_conllu(save(file, row(1, 0, form="")), labeled=False))


def test_a_sentence_that_lost_a_line_is_dropped(tmp_path: Path) -> None:
    # Without its last line the sentence would still be a tree.
    (tmp_path / "a.conllu").write_bytes(
        (GOOD + row(1, 0)).encode() + b"2\t\xff\tw\tX\t_\t_\t1\tdep\t_\t_\n\n" + GOOD.encode()
    )
    dropped: Counter[str] = Counter()
    trees = list(read_conllu(tmp_path / "a.conllu", lenient=True, dropped=dropped))
    assert [t.line for t in trees] == [1, 6]
    assert dropped == {"invalid UTF-8": 1, "incomplete sentence": 1}


def is_tree(heads):
    """Whether every word reaches the root, one step at a time: slow and obvious."""
    if list(heads).count(0) != 1:
        return False
    for word in range(1, len(heads) + 1):
        for _ in range(len(heads)):
            word = heads[word - 1] if word else 0
        if word:
            return False
    return True


@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.integers(0, n), min_size=n, max_size=n)))
def test_heads_are_accepted_if_they_form_a_tree(heads):
    lines = list(range(1, len(heads) + 1))
    try:
        _check_heads(tuple(heads), lines)
    except ItemError as error:
        assert not is_tree(heads)
        if error.reason == "cycle":  # the word that is named is on the cycle
            word = seen = error.line
            for _ in range(len(heads)):
                word = heads[word - 1]
                if word == seen:
                    break
            assert word == seen
    else:
        assert is_tree(heads)


@pytest.mark.parametrize("step", [1, -1])
def test_a_chain_of_30_000_words_is_read(tmp_path, step):
    n = 30_000
    heads = [k + step if 0 < k + step <= n else 0 for k in range(1, n + 1)]
    rows = (f"{k}\tw\t_\tNOUN\t_\t_\t{head}\tdep\t_\t_\n" for k, head in enumerate(heads, 1))
    (tmp_path / "a.conllu").write_text("".join(rows) + "\n")
    (tree,) = read_conllu(tmp_path / "a.conllu")
    assert tree.heads == tuple(heads)
