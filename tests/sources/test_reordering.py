"""Data in derived languages: labels follow their words, through every reader."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.commands.order_corpus import order_corpus
from paralign.errors import UserError
from paralign.formats.conllu import write_conllu
from paralign.formats.items import Question, Tagged, Tree
from paralign.languages import WordOrder, parse_derived
from paralign.sources.readers import read_pairs, read_questions, read_sentence_pairs, read_tagged, read_text, read_trees
from paralign.sources.reordering import reorder_questions, reorder_tagged, reorder_trees
from paralign.sources.specs import PairSpec, TextSpec, parse_pairs, parse_text
from paralign.text.words import join_words, word_spans
from tests.oracles.orders import contiguous

STEPS = ("inv", "perm", "syn", "syn+inv", "trans+inv")


@st.composite
def analyzed(draw):
    """A tree whose words are all different, glued or not."""
    size = draw(st.integers(1, 7))
    words = tuple(f"{draw(st.sampled_from(['w', 'é', '我', '«']))}{k}" if k else "Ab" for k in range(size - 1))
    words += (draw(st.sampled_from([".", "end", "?"])),)
    order = draw(st.permutations(range(1, size + 1)))
    heads = [0] * size
    for k, word in enumerate(order[1:], 1):
        heads[word - 1] = order[draw(st.integers(0, k - 1))]
    text, spans = join_words(words, [draw(st.booleans()) for _ in words])
    upos = tuple(draw(st.sampled_from(["NOUN", "VERB", "ADJ"])) for _ in words)
    deprels = tuple(draw(st.sampled_from(["nsubj", "obj"])) if head else "root" for head in heads)
    return Tree("s", text, words, spans, upos, tuple(f"x{k}" for k in range(size)), tuple(heads), deprels,
                tuple(w.lower() for w in words), 1)  # fmt: skip


@given(analyzed(), st.sampled_from(STEPS), st.lists(analyzed(), max_size=3))
def test_what_belongs_to_a_word_goes_with_it(tree, steps, examples):
    dropped = Counter()
    ordering = WordOrder.learn(examples)
    found = list(reorder_trees([tree], parse_derived(f"en~{steps}"), ordering, dropped))
    if not found:
        assert "syn" in steps
        assert dropped == {"not projective, or crowded": 1}
        return
    made = found[0]

    def told(one):
        """Of each word all there is, its head by name."""
        return {
            word: (one.upos[k], one.xpos[k], one.deprels[k], one.lemmas[k],
                   one.words[one.heads[k] - 1] if one.heads[k] else None)
            for k, word in enumerate(one.words)
        }  # fmt: skip

    assert told(made) == told(tree)
    assert [made.text[a:b] for a, b in made.spans] == list(made.words)
    if steps == "syn":
        assert contiguous(made.heads)


@given(analyzed(), st.data())
def test_entities_are_well_formed_and_of_the_same_words(tree, data):
    steps = data.draw(st.sampled_from(["inv", "perm"]))
    tags, kind = [], None
    for _ in tree.words:
        tag = data.draw(st.sampled_from(["O", "B-PER", "B-LOC", *([f"I-{kind}"] if kind else [])]))
        kind = None if tag == "O" else tag[2:]
        tags.append(tag)
    made = next(
        reorder_tagged([Tagged(tree.text, tree.words, tree.spans, tuple(tags), 1)], parse_derived(f"en~{steps}"))
    )
    assert {w: t[-3:] for w, t in zip(made.words, made.tags, strict=True)} == {
        w: t[-3:] for w, t in zip(tree.words, tags, strict=True)
    }
    before = "O"
    for tag in made.tags:
        assert not tag.startswith("I-") or before[2:] == tag[2:]
        before = tag
    if steps == "inv" and tags[-1] == "O":  # a final sign stays, and may be torn from its entity
        assert Counter(t for t in made.tags if t[0] == "B") == Counter(t for t in tags if t[0] == "B")


def test_entities_in_reverse_begin_with_b():
    words = ("Ann", "Lee", "saw", "Bob", "New", "York", ".")
    text, spans = join_words(words, [False] * len(words))
    tags = ("B-PER", "I-PER", "O", "B-PER", "B-LOC", "I-LOC", "O")
    made = next(reorder_tagged([Tagged(text, words, spans, tags, 1)], parse_derived("en~inv")))
    assert made.words == ("York", "New", "Bob", "saw", "Lee", "Ann", ".")
    assert made.tags == ("B-LOC", "I-LOC", "B-PER", "O", "B-PER", "I-PER", "O")


def test_answers_keep_their_words_and_what_is_torn_apart_is_counted():
    context = "Ann saw Bob in Paris. It was cold, he said!  Then they left"
    answers = ("Bob in Paris", "cold", "Paris. It", "o", "left")
    starts = (*(context.index(a) for a in answers[:3]), 1, context.index("left"))
    dropped = Counter()
    item = Question("1", "Who saw Bob?", context, answers, starts)
    made = next(reorder_questions([item], parse_derived("en~inv"), parse_derived("en~inv"), True, dropped))
    assert made.context == "Paris in Bob saw Ann. said he, cold was It!  left they Then"
    assert made.question == "Bob saw Who?"
    assert made.answers == ("Paris in Bob", "cold", "left")
    assert all(made.context[s:].startswith(a) for a, s in zip(made.answers, made.starts, strict=True))
    assert dropped == {"answer torn apart": 2}
    torn = Question("2", "q", context, ("Paris. It",), (starts[2],))
    assert not list(reorder_questions([torn], parse_derived("en~inv"), None, True, dropped))
    assert dropped["no answer"] == 1
    assert len(list(reorder_questions([torn], parse_derived("en~inv"), None, False, dropped))) == 1
    with pytest.raises(UserError, match="en~perm: with words in random order, answers are not contiguous"):
        next(reorder_questions([item], parse_derived("en~perm"), None, True, dropped))


def test_questions_of_the_small_world_keep_their_answers():
    own = {q.id: q for q in read_questions("smallworld:0-40", languages=("en", "en"))}
    made = {q.id: q for q in read_questions("smallworld:0-40", languages=("en~inv", "en"))}
    assert len(made) > 30
    for name, item in made.items():
        assert item.question == own[name].question
        assert sorted(item.answers[0].split()) == sorted(own[name].answers[0].split())
        assert item.context[item.starts[0] :].startswith(item.answers[0])


def test_every_reader_speaks_derived_languages(tmp_path):
    (tmp_path / "t.txt").write_text("The dog sees me.\n\nI don't know\n")
    spec = parse_text(f"eng~inv={tmp_path / 't.txt'}")
    assert spec.language == "en~inv"
    assert list(read_text(spec)) == [(1, "me sees dog The."), (2, ""), (3, "know don't I")]
    twins = parse_pairs(f"en-en~trans+inv={tmp_path / 't.txt'}")
    assert twins.languages == ("en", "en~trans+inv")
    assert next((p.source, p.target) for p in read_pairs(twins)) == ("The dog sees me.", "me sees dog The.")
    (tmp_path / "p.tsv").write_text("The dog.\tDer Hund.\n")
    pair = next(read_pairs(parse_pairs(f"de~inv-en={tmp_path / 'p.tsv'}")))
    assert (pair.source, pair.target) == ("dog The.", "Der Hund.")
    (tmp_path / "n.tsv").write_text("A man sleeps. He snores.\tNobody sleeps.\tcontradiction\n")
    item = next(read_sentence_pairs(TextSpec("en~inv", str(tmp_path / "n.tsv"))))
    assert (item.first, item.second, item.label) == ("sleeps man A. snores He.", "sleeps Nobody.", "contradiction")
    (tmp_path / "e.tsv").write_text("Ann\tB-PER\nLee\tI-PER\nsleeps\tO\n\n")
    row = next(read_tagged(TextSpec("en~inv", str(tmp_path / "e.tsv"))))
    assert (row.words, row.tags) == (("sleeps", "Lee", "Ann"), ("O", "B-PER", "I-PER"))


def test_tokens_are_kept_in_derived_languages(tmp_path):
    """By the words that are found, 10\u00a0000 would be two words with a space, and don't-stop! two words."""
    (tmp_path / "t.txt").write_text("10\u00a0000 dogs don't-stop! now .\n")
    for steps, target in (
        ("trans", "10\u00a0000 dogs don't-stop! now ."),
        ("inv", "now don't-stop! dogs 10\u00a0000 ."),
    ):
        (pair,) = read_pairs(parse_pairs(f"en-en~{steps}={tmp_path / 't.txt'}"), tokenized=True)
        assert (pair.source, pair.target) == ("10\u00a0000 dogs don't-stop! now .", target)
    (tmp_path / "p.tsv").write_text("10\u00a0000 don't-stop! .\tzehn .\n")
    (pair,) = read_pairs(parse_pairs(f"en~inv-de={tmp_path / 'p.tsv'}"), tokenized=True)
    assert (pair.source, pair.target) == ("don't-stop! 10\u00a0000 .", "zehn .")


def test_word_order_of_another_language_from_a_treebank(tmp_path):
    write_conllu(read_trees(TextSpec("en", "smallworld:0-60")), tmp_path / "en.conllu")
    order_corpus(["hi=smallworld:0-300"], tmp_path / "hi-order.json", quiet=True)
    name = f"en~trans+syn@{tmp_path / 'hi-order.json'}"
    spec = parse_text(f"{name}={tmp_path / 'en.conllu'}")
    assert (spec.language, str(spec)) == ("en~trans+syn@hi_order", f"{name}={tmp_path / 'en.conllu'}")
    trees = {tree.sent_id: tree for tree in read_trees(spec)}
    texts = dict(read_text(spec))
    pairs = list(read_pairs(parse_pairs(f"en-{name}={tmp_path / 'en.conllu'}")))
    own = {tree.sent_id: tree for tree in read_trees(TextSpec("en", str(tmp_path / "en.conllu")))}
    assert len(pairs) == len(trees) == len(texts) > 40
    changed = 0
    for pair, (name, tree) in zip(pairs, trees.items(), strict=True):
        assert (pair.source, pair.target) == (own[name].text, tree.text)
        assert texts[tree.line] == tree.text
        changed += pair.source != pair.target
    assert changed > 20


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("en~inv@o.json=x.txt", "en~inv does not use a word order"),
        ("en~inw=x.txt", "did you mean 'inv'"),
    ],
)
def test_names_that_cannot_be_read(spec, said):
    with pytest.raises(UserError, match=said):
        parse_text(spec)


def test_what_needs_trees_says_so(tmp_path):
    (tmp_path / "n.tsv").write_text("A.\tB.\tneutral\n")
    (tmp_path / "o.json").write_text('{"schema": 1, "counts": {}}')
    spec = parse_text(f"en~syn@{tmp_path / 'o.json'}={tmp_path / 'n.tsv'}")
    with pytest.raises(UserError, match="en~syn@o needs trees"):
        list(read_sentence_pairs(spec))
    with pytest.raises(UserError, match="en~syn@o needs trees"):
        list(read_pairs(parse_pairs(f"de:en~syn@{tmp_path / 'o.json'}={tmp_path / 'n.tsv'}")))
    with pytest.raises(UserError, match="not 10"):
        list(read_text(spec))
    with pytest.raises(UserError, match="en~syn needs a word order"):
        list(read_trees(TextSpec("en~syn", "smallworld:0-3")))


def test_tags_of_pairs_with_files_of_word_order():
    spec = parse_pairs("en:en~syn@a-b/c.json=t.conllu")
    assert spec == PairSpec("en", "en~syn@c", "t.conllu", ("", "a-b/c.json"))
    assert parse_pairs(str(spec)) == spec
    assert parse_pairs("en-en~syn@a-b/c:d.json=t.conllu").orderings == ("", "a-b/c:d.json")


@given(st.text(alphabet="ab .,!?'我é\n", max_size=40))
def test_a_paragraph_keeps_its_words(text):
    item = Question("1", "q", text, (), ())
    made = next(reorder_questions([item], parse_derived("en~inv"), None, False, Counter()))
    assert sorted(text[a:b] for a, b in word_spans(text)) == sorted(
        made.context[a:b] for a, b in word_spans(made.context)
    )


def test_pairs_of_a_treebank_have_the_order_of_its_own_words(tmp_path):
    words = ("I", "did", "n't", "go", ".")
    text, spans = join_words(words, [False, True, False, True, False])
    tree = Tree("a", text, words, spans, ("PRON", "AUX", "PART", "VERB", "PUNCT"), ("_",) * 5, (4, 4, 4, 0, 4),
                ("nsubj", "aux", "advmod", "root", "punct"), words, 1)  # fmt: skip
    write_conllu([tree], tmp_path / "t.conllu")
    pair = next(read_pairs(parse_pairs(f"en-en~inv={tmp_path / 't.conllu'}")))
    assert (pair.source, pair.target) == ("I didn't go.", "go n't did I.")
    assert [row[1] for row in read_text(TextSpec("en~inv", str(tmp_path / "t.conllu")))] == [pair.target]


def test_gold_links_of_words_that_moved_are_refused(tmp_path):
    from paralign.tasks import find_task

    with pytest.raises(UserError, match="gold links refer to the original order of words, en~inv has another"):
        find_task("alignment").read("en~inv-de=smallworld:0-5", lenient=False, dropped=Counter(), limit=None)
