"""Links between words, spread to the pieces of a batch."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from paralign.batches.views import PairBatch, ViewsConfig, linked_words
from paralign.corpus.build import TextTokenizer, build_store
from paralign.corpus.clean import FilterConfig
from paralign.corpus.link_store import LinkStore, locate_linked_pieces, write_link_store
from paralign.errors import UserError
from paralign.sources.specs import parse_pairs
from paralign.text.words import piece_words, split_words, word_spans


@settings(max_examples=120, deadline=None)
@given(st.lists(st.text(alphabet="aé'’-. ,:3漢かी\u0301\u200d😀l ", max_size=20), max_size=4), st.booleans())
def test_words_are_those_of_the_spans(texts, tokenized):
    texts = [" ".join(text.split()) for text in texts]
    found = list(split_words(texts, tokenized=tokenized))
    assert found == [[text[a:b] for a, b in word_spans(text, tokenized=tokenized)] for text in texts]


def some_links(store, seed=0):
    """For every record some links between its words, drawn; of the first none."""
    draw = random.Random(seed)
    out = [[]]
    for record in range(1, len(store)):
        sizes = [len(word_spans(store.text(record, side))) for side in (0, 1)]
        out.append(sorted({(draw.randrange(sizes[0]), draw.randrange(sizes[1])) for _ in range(6)}))
    return out


@pytest.fixture(scope="module")
def links(store, tmp_path_factory):
    return write_link_store(store, some_links(store), tmp_path_factory.mktemp("links") / "links")


def batch_of(store, encoder, links, records, **views):
    records = np.array(records)
    return PairBatch(store, records, np.arange(len(records)), template=encoder.template, config=ViewsConfig(**views),
                     seed=3, epoch=1, links=links)  # fmt: skip


def word_of(store, record, side, piece):
    """The word of one piece, by its characters."""
    start, end = store.offsets(record, side)[piece].tolist()
    spans = word_spans(store.text(record, side))
    return next((k for k, (a, b) in enumerate(spans) if a < end and start < b), None)


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_matrix_is_one_where_pieces_belong_to_linked_words(store, encoder, links, shuffle):
    records = [0, 7, 3, 160, 200, 7]
    batch = batch_of(store, encoder, links, records, shuffle=shuffle)
    assert batch.swapped.any() == shuffle
    view = batch.view("joint")
    wanted, given_ = set(), some_links(store)
    head, middle, _ = map(len, encoder.template.pair)
    for row, record in enumerate(records):
        lengths = store.lengths[record].tolist()
        swapped = int(batch.swapped[row])
        begin = {swapped: view.starts[row] + head, 1 - swapped: view.starts[row] + head + lengths[swapped] + middle}
        for i, j in given_[record]:
            wanted |= {
                (int(begin[0] + p), int(begin[1] + q))
                for p in range(lengths[0]) if word_of(store, record, 0, p) == i
                for q in range(lengths[1]) if word_of(store, record, 1, q) == j
            }  # fmt: skip
    first, second = batch.linked_words("joint", "joint").pieces()
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == wanted
    assert len(first) == len(wanted) > 20
    assert not view.special[first].any()
    assert batch.linked_words("joint", "joint") is batch.linked_words("joint", "joint")


def test_linked_words_of_single_sides_stand_in_their_views(store, encoder, links):
    records = [7, 3, 160, 0]
    batch = batch_of(store, encoder, links, records)
    assert 0 < batch.swapped.sum() < len(records)
    found = linked_words(batch, "first", "second")
    views = {name: batch.view(name) for name in ("first", "second")}
    at = np.cumsum(found.first_sizes) - found.first_sizes, np.cumsum(found.second_sizes) - found.second_sizes
    seen = set()
    for k, row in enumerate(found.rows.tolist()):
        words = []
        for (name, view), begin, sizes, places, side in zip(
            views.items(), (at[0][k], at[1][k]), (found.first_sizes, found.second_sizes), (found.first, found.second),
            (int(batch.swapped[row]), 1 - int(batch.swapped[row])), strict=True,
        ):  # fmt: skip
            pieces = places[begin : begin + sizes[k]] - view.starts[row] - len(encoder.template.single[0])
            owner = {word_of(store, records[row], side, p) for p in pieces.tolist()}
            assert len(owner) == 1, name
            every = piece_words(store.offsets(records[row], side), word_spans(store.text(records[row], side)))
            assert len(pieces) == (every == next(iter(owner))).sum()
            words.append((side, owner.pop()))
        seen.add((row, tuple(word for _, word in sorted(words))))
    right = some_links(store)
    assert seen == {(row, link) for row, record in enumerate(records) for link in right[record]}


def test_a_chinese_sentence_without_spaces_is_linked_by_its_characters(tmp_path):
    """Of a tokenizer in whose eyes the sentence is one word, and whose pieces cross ours."""
    backend = Tokenizer(models.Unigram())
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    lines = ["我喜欢红色的房子", "房子很大", "我的房子", "红色的猫喜欢我", "the house is big", "red cat"] * 20
    backend.train_from_iterator(
        lines, trainers.UnigramTrainer(vocab_size=60, unk_token="<unk>", special_tokens=["<unk>"])
    )
    (tmp_path / "a.tsv").write_text("the red house\t红色的房子\nthe house\t房子很大\n")

    def tokenize(texts, _):
        found = backend.encode_batch(texts, add_special_tokens=False)
        return [(np.array(e.ids), np.array(e.offsets).reshape(-1, 2)) for e in found]

    store = build_store([parse_pairs(f"en-zh={tmp_path / 'a.tsv'}")], TextTokenizer(tokenize, "unigram"),
                        tmp_path / "store", filter=FilterConfig(min_pieces=1))  # fmt: skip
    links = write_link_store(store, [[(1, 1), (2, 4)], [(1, 1)]], tmp_path / "links")
    covered = 0
    for record, wanted in enumerate([{(1, 1), (2, 4)}, {(1, 1)}]):
        pieces = {side: store.offsets(record, side).tolist() for side in (0, 1)}
        spans = {side: word_spans(store.text(record, side)) for side in (0, 1)}
        right = {
            (p, q) for p, (a, b) in enumerate(pieces[0]) for q, (c, d) in enumerate(pieces[1])
            if any(a < spans[0][i][1] and spans[0][i][0] < b and c < spans[1][j][1] and spans[1][j][0] < d
                   for i, j in wanted)
        }  # fmt: skip
        some = np.array([record])
        places = [store.piece_positions(some, np.array([side])) for side in (0, 1)]
        words = links.words(places[0][0]), links.words(places[1][0])
        begin = np.zeros(1, np.int64)
        found = locate_linked_pieces(links.links(some), words, (places[0][1], places[1][1]), (begin, begin)).pieces()
        assert set(zip(*(x.tolist() for x in found), strict=True)) == right
        covered += int((words[1][:, 1] > words[1][:, 0]).sum())
    assert covered  # there are pieces of several characters


def test_links_that_do_not_fit_are_told_and_nothing_is_left(store, links, tmp_path):
    right = some_links(store)
    with pytest.raises(UserError, match=r"line \d+: the link 0-99 is out of range: the sentences"):
        write_link_store(store, [[(0, 99)], *right[1:]], tmp_path / "links")
    with pytest.raises(UserError, match="links of 2 pairs for a store of"):
        write_link_store(store, right[:2], tmp_path / "links")
    assert not (tmp_path / "links").exists()
    with pytest.raises(UserError, match="no word links here"):
        LinkStore.open(tmp_path, store)
    (links.path.parent / "copy").mkdir()
    for file in links.path.glob("*.*"):
        if file.name == "digests.json":
            continue
        (links.path.parent / "copy" / file.name).write_bytes(
            file.read_bytes().replace(store.fingerprint.encode(), b"x" * 32)
        )
    with pytest.raises(UserError, match="belong to other text"):
        LinkStore.open(links.path.parent / "copy", store)


def test_linked_pieces_are_not_masked_together_where_that_is_asked(store, encoder, links):
    records = list(range(1, 60))
    plain = batch_of(store, encoder, links, records, mask_probability=0.5).view("joint")
    apart = batch_of(store, encoder, links, records, mask_probability=0.5, avoid_double_mask=True)
    first, second = apart.linked_words("joint", "joint").pieces()
    masked = set(apart.view("joint").masked.tolist())
    assert not [(p, q) for p, q in zip(first.tolist(), second.tolist(), strict=True) if p in masked and q in masked]
    both = [
        (p, q) for p, q in zip(first.tolist(), second.tolist(), strict=True) if {p, q} <= set(plain.masked.tolist())
    ]
    assert len(both) > 50
    assert masked < set(plain.masked.tolist())
    kept = [(p in masked) - (q in masked) for p, q in both]
    assert 0.2 < np.mean([x > 0 for x in kept]) / np.mean([x != 0 for x in kept]) < 0.8


def test_batches_without_links_say_so(store, encoder):
    with pytest.raises(UserError, match="needs word links"):
        batch_of(store, encoder, None, [1, 2]).linked_words("joint", "joint")


def test_a_store_of_tokenized_text_keeps_the_tokens(encoder, tmp_path):
    (tmp_path / "a.tsv").write_text("the\u00a0dog \u3000 sees\tder Hund sieht\n")
    for tokenized, words in ((True, 3), (False, 3)):
        out = tmp_path / str(tokenized)
        specs = [parse_pairs(f"en-de={tmp_path / 'a.tsv'}")]
        config = FilterConfig(min_pieces=1)
        read = build_store(specs, encoder.text_tokenizer, out, filter=config, tokenized=tokenized)
        spans = word_spans(read.text(0, 0), tokenized=True)
        assert [read.text(0, 0)[a:b] for a, b in spans] == (
            ["the\u00a0dog", "\u3000", "sees"] if tokenized else ["the", "dog", "sees"]
        )
        write_link_store(read, [[(words - 1, 2)]], out / "links", tokenized=True)
