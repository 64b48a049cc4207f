"""Word links of a run: a warning where links from a file count other tokens than the words of the text."""

import numpy as np
import pytest

from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.errors import UserError
from paralign.runs import links as links_of_run
from paralign.runs.links import open_links
from paralign.runs.settings import LinksConfig
from paralign.sources.specs import PairSpec, parse_pairs
from paralign.text.words import word_spans
from paralign.words.base import AlignerOptions, WordPair, make_aligner
from paralign.words.word_aligner import WordAligner


@pytest.mark.parametrize("tokenized", [False, True])
def test_tokenized_text_with_links_of_its_tokens_is_reported(encoder, tmp_path, capfd, tokenized, monkeypatch):
    monkeypatch.setattr(links_of_run, "_SAMPLE", 10)
    pairs, links = tmp_path / "text.tsv", tmp_path / "text.links"
    pairs.write_text("".join(f"it 's the house {n} .\tes ist das Haus {n} .\n" for n in range(20)))
    links.write_text("0-0 3-3\n" * 20)
    spec = parse_pairs(f"en-de={pairs}")
    store = build_store(
        [spec],
        encoder.text_tokenizer,
        tmp_path / "store",
        filter=FilterConfig(min_pieces=2),
        tokenized=tokenized,
    )
    capfd.readouterr()
    open_links(tmp_path, store, LinksConfig(tokenized=tokenized), files=[f"en-de={links}"])
    found = [line for line in capfd.readouterr().err.splitlines() if "tokenized" in line]
    message = (
        f"WARNING en-de={pairs}: the text looks tokenized, but in 7 of 7 sampled pairs the words that are found in it "
        "are not its tokens; if links count tokens, add --set links.tokenized=true"
    )
    assert found == ([] if tokenized else [message])
    if not tokenized:
        with pytest.raises(UserError, match=r"token store was built without --tokenized \(build it again with --token"):
            open_links(tmp_path / "more", store, LinksConfig(tokenized=True), files=[f"en-de={links}"])


@pytest.mark.parametrize(("method", "symmetrize"), [("ibm", "intersect"), ("hmm", None)])
def test_of_many_pairs_a_part_is_learned_from_and_all_are_aligned(method, symmetrize, store, tmp_path, monkeypatch):
    """The oracle trains on the chosen pairs and aligns the pairs one by one."""
    monkeypatch.setattr("paralign.words.word_aligner.BLOCK_PAIRS", 7)
    config = LinksConfig(method=method, symmetrize=symmetrize, learn_from=100)
    (tmp_path / ".aligner-killed" / "aligner").mkdir(parents=True)
    found = open_links(tmp_path, store, config, quiet=True)
    expected, streamed = {}, []
    for number, language in enumerate(("de", "zh")):
        records = np.flatnonzero(store.spec == number)
        chosen = records if len(records) <= 100 else records[[k * (len(records) - 1) // 99 for k in range(100)]]
        saved = tmp_path / language
        aligner = make_aligner(method, AlignerOptions(PairSpec("en", language, "x"), save=saved, symmetrize=symmetrize))
        texts = [tuple(store.text(record, side) for side in (0, 1)) for record in chosen.tolist()]
        words = [tuple([text[a:b] for a, b in word_spans(text)] for text in pair) for pair in texts]
        aligner.read(WordPair(pair, split) for pair, split in zip(texts, words, strict=True))
        links = aligner.align(len(chosen))
        if len(chosen) < len(records):
            streamed.append(language)
            trained = WordAligner.load(saved, symmetrize)
            links = [trained.align(*(store.text(record, side) for side in (0, 1))) for record in records.tolist()]
        expected |= dict(zip(records.tolist(), map(list, links), strict=True))
    assert streamed == ["de"]
    assert len(expected) == len(store) > 150
    assert not list(tmp_path.glob(".aligner-*"))
    for record, links in expected.items():
        assert [tuple(link) for link in found.links(np.array([record]))[0].tolist()] == links


def test_links_of_reversed_pieces_are_refused(encoder, tmp_path):
    spec = parse_pairs("en-en~tinv=smallworld:0-9")
    store = build_store([spec], encoder.text_tokenizer, tmp_path / "store", filter=FilterConfig(min_pieces=2))
    with pytest.raises(UserError, match=r"en~tinv, whose pieces are reversed \(use the transformation inv\)"):
        open_links(tmp_path, store, LinksConfig())
