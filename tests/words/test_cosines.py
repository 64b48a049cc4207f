"""Similarities of words in an encoder, and the aligner that uses them."""

import numpy as np
import pytest
import torch

from paralign.commands.align_words import align_words
from paralign.errors import UserError
from paralign.words.base import WordPair
from paralign.words.bitext import Bitext
from paralign.words.candidates import CandidateSearch
from paralign.words.cells import AlignmentCells
from paralign.words.cosines import cell_cosines
from paralign.words.word_vectors import WordVectors

TEXTS = [("the dog sleeps here", "der Hund schläft hier"), ("a dog", "ein Hund"), ("it's", "es ist , ja"), ("a", "b")]


def words_of(text, tokenized):
    from paralign.text.words import word_spans

    return [text[a:b] for a, b in word_spans(text, tokenized=tokenized)]


@pytest.mark.parametrize("tokenized", [0, 2, 4])
def test_cosines_equal_those_of_the_words_one_pair_at_a_time(make_encoder, tokenized):
    encoder = make_encoder().eval()
    pairs = [WordPair(texts, tuple(words_of(text, k < tokenized) for text in texts)) for k, texts in enumerate(TEXTS)]
    bitext = Bitext.from_pairs([pair.words for pair in pairs])
    cells = AlignmentCells(bitext)
    with torch.inference_mode():
        found = cell_cosines(encoder, pairs, bitext, cells.cells, layer=1, languages=("en", "de"), tokenized=tokenized)
    for k, pair in enumerate(pairs):
        sides = [
            WordVectors(encoder, [text], tag, layer=1, unit="word", tokenized=k < tokenized).states
            for text, tag in zip(pair.texts, ("en", "de"), strict=True)
        ]
        cosine = (sides[0] @ sides[1].T).detach().numpy()
        wanted = (cosine - cosine.mean()).reshape(-1)
        assert found[cells.cells[k] : cells.cells[k + 1]] == pytest.approx(wanted, abs=1e-5)


def test_each_candidate_knows_its_cell():
    pairs = [(["a", "b", "c"], ["x", "y"]), (["b"], []), (["c", "a"], ["z", "x", "y"])]
    bitext = Bitext.from_pairs(pairs)
    cells = AlignmentCells(bitext)
    for side in CandidateSearch(bitext, share=0.08, tension=4.0, threads=1).find(0.0):
        place = side.cell(cells.cells)
        assert sorted(place.tolist()) == list(range(len(cells)))
        source, target = (words[side.pair] for words in side.pair_words())
        ids = cells.ids[place]
        assert np.array_equal(cells.target[ids], target)
        assert np.array_equal(np.searchsorted(cells.rows, ids, side="right") - 1, source)


def test_similarity_decides_where_counts_cannot(tmp_path, make_encoder, monkeypatch):
    """One pair of three words, of which only the cosines tell that the order is reversed."""
    folder, text = tmp_path / "encoder", f"en-de={tmp_path / 'a.tsv'}"
    make_encoder().save_pretrained(folder)
    (tmp_path / "a.tsv").write_text("one two three\tdrei zwei eins\n")

    def link(weight, **more):
        overrides = {"words": {"similarity": weight, **more}}
        given = {"model": str(folder), "overrides": overrides, "force": True, "quiet": True}
        return align_words(text, out=tmp_path / "links", **given)[0]

    plain, _ = align_words(text, out=tmp_path / "links", force=True, quiet=True)
    assert list(link(0.0)) == list(plain)
    reversed_order = np.eye(3, dtype=np.float32)[::-1] - 1 / 3
    for layer, same in ((-1, 2), (0.5, 1)):
        assert list(link(5.0, layer=layer)) == list(link(5.0, layer=same))
    monkeypatch.setattr("paralign.words.cosines.cell_cosines", lambda *_, **__: reversed_order.reshape(-1))
    assert list(link(5.0)) == [[(0, 2), (1, 1), (2, 0)]] != list(plain)
    with pytest.raises(UserError, match="there is no layer 99"):
        link(5.0, layer=99)
    with pytest.raises(UserError, match="--model and --load cannot be combined"):
        align_words(text, out=tmp_path / "no", model=str(folder), load="x", quiet=True)
