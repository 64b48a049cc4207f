"""Languages of twin pieces: the text stays, ids move by the size of the vocabulary."""

import json
from collections import Counter

import numpy as np
import pytest

import paralign
from paralign.batches.masking import mask_view
from paralign.batches.views import View, ViewsConfig
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.languages import parse_derived


@pytest.fixture(scope="module")
def twins(make_encoder):
    return make_encoder(twins=True).eval()


def test_every_piece_has_one_twin_and_special_ones_are_shared(twins, tokenizer):
    size = len(tokenizer)
    assert (twins.twin_offset, twins.template.vocabulary) == (size, 2 * size)
    assert len(twins.embeddings) >= 2 * size
    texts = ["The dog sleeps.", "", "Ω the [MASK] dog"]
    own, moved = twins.tokenize(texts, "en"), twins.tokenize(texts, "en~trans+inv")
    special = set(tokenizer.all_special_ids)
    seen = 0
    for (ids, offsets), (other, same) in zip(own, moved, strict=True):
        assert (offsets == same).all()
        for a, b in zip(ids.tolist(), other.tolist(), strict=True):
            seen += a in special
            assert b == (a if a in special else a + size)
    assert seen >= 2
    assert (twins.tokenize(texts, "en~trans")[0][0] == moved[0][0]).all()
    assert (twins.tokenize(texts, None)[0][0] == own[0][0]).all()
    assert (twins.tokenize(texts, "en~inv")[0][0] == own[0][0]).all()


def test_the_pieces_of_an_overlap_stay(twins, tokenizer):
    size, texts = len(tokenizer), ["The dog sleeps in the house of the doctor.", "Does the [MASK] sing?"]
    moves = parse_derived("en~trans+overlap50").twin_mask(np.arange(size))
    stays = {i for i in range(size) if not moves[i]} | set(tokenizer.all_special_ids)
    moved = set()
    for (ids, _), (other, _) in zip(
        twins.tokenize(texts, "en"), twins.tokenize(texts, "en~trans+overlap50"), strict=True
    ):
        for a, b in zip(ids.tolist(), other.tolist(), strict=True):
            assert b == (a if a in stays else a + size)
            moved.add(b >= size)
    assert moved == {True, False}


def test_without_twins_such_a_language_is_refused(encoder, twins):
    with pytest.raises(UserError, match="no twin pieces for en~trans"):
        encoder.tokenize(["a"], "en~trans")
    assert encoder.tokenizer_id != twins.tokenizer_id


def test_it_is_still_one_when_loaded(twins, tmp_path):
    twins.save_pretrained(tmp_path / "m", weights="fp16")
    assert Encoder.from_pretrained(tmp_path / "m").twin_offset == twins.twin_offset


def test_random_replacements_are_of_the_language_of_the_piece(twins):
    size, count = twins.twin_offset, 6_000
    plain = np.where(np.arange(count) % 2, 100 + size, 100)
    none = np.empty(0, np.int64)
    view = View(plain, np.zeros(count, np.int64), np.array([count]), np.zeros(1, np.int64),
                np.zeros(count, np.bool_), none, none)  # fmt: skip
    config = ViewsConfig(mask_probability=0.9, mask_share=0, random_share=1)
    made = mask_view(view, twins.template, config, np.zeros(1, np.int64), 0)
    changed = made.ids != plain
    assert changed.sum() > 5_000
    assert ((made.ids >= size) == (plain >= size)).all()
    assert len(np.unique(made.ids)) > size
    assert not np.isin(made.ids % size, twins.template.special_ids).any()


def test_a_language_and_its_twin_are_pretrained_aligned_and_fine_tuned_by_name(tmp_path):
    quick = ["training.steps=2", "training.batch=8", "training.warmup=0"]
    base = paralign.pretrain(
        out=tmp_path / "base", arch="bert:1x32", vocab=500, quiet=True, overrides=quick,
        text=["en=smallworld:0-60", "en~trans+inv=smallworld:60-120"],
    )  # fmt: skip
    encoder = Encoder.from_pretrained(base)
    assert encoder.twin_offset == 500
    facts = json.loads((tmp_path / "base" / "run.json").read_text())
    assert set(facts["languages"]) == {"en", "en~trans+inv"}
    made = paralign.align(
        str(base), out=tmp_path / "tlm", recipe="tlm-mini", quiet=True, overrides=quick,
        pairs=["en-en~trans+inv=smallworld:120-160"],
    )  # fmt: skip
    from paralign.corpus.store import TokenStore

    store = TokenStore.open(tmp_path / "tlm" / "corpus")
    assert store.languages == ["en", "en~trans+inv"]
    for record in range(5):
        own, moved = (set(store.gather(np.array([record]), np.array([side]))[0].tolist()) for side in (0, 1))
        assert {i if i in encoder.template.special_ids else i + 500 for i in own} == moved
    paralign.finetune(
        str(made), task="pos", train=["en=smallworld:200-240"], out=tmp_path / "pos", quiet=True, seeds=1,
        eval=["en=smallworld:300-320", "en~trans+inv=smallworld:300-320"],
        overrides=["training.epochs=1", "training.learning_rate=1e-3"],
    )  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "pos" / "results.jsonl").read_text().splitlines()]
    assert {row["language"] for row in rows} == {"en", "en~trans+inv"}
    assert len({row["n"] for row in rows}) == 1


def test_pieces_in_reverse_keep_their_characters_and_a_final_sign_its_place(encoder, twins):
    from paralign.text.words import word_pieces, word_spans

    text = "The happy student chooses hotels."
    (ids, offsets), (turned, moved) = (encoder.tokenize([text], tag)[0] for tag in ("en", "en~tinv"))
    assert turned.tolist() == [*ids[-2::-1].tolist(), ids[-1]]
    assert moved.tolist() == [*offsets[-2::-1].tolist(), offsets[-1].tolist()]
    spans = word_spans(text)
    before, after = word_pieces(offsets, spans), word_pieces(moved, spans)
    assert (offsets[before] == moved[after]).all()
    both = twins.tokenize([text], "en~tinv+trans")[0][0]
    assert both.tolist() == [i + twins.twin_offset for i in turned.tolist()]


def test_a_text_and_its_twins_are_no_identical_sides(twins, tmp_path):
    from paralign.corpus.build import build_store
    from paralign.corpus.clean import FilterConfig
    from paralign.sources.specs import parse_pairs

    for tag in ("en~trans", "en~tinv"):
        made = build_store(
            [parse_pairs(f"en-{tag}=smallworld:0-30")], twins.text_tokenizer, tmp_path / tag,
            filter=FilterConfig(min_pieces=2),
        )  # fmt: skip
        assert len(made) > 25


def test_all_readers_of_text_use_twins(twins, base, tmp_path):
    """Maps, links by similarity, and what a slice without pairs side by side becomes."""
    from paralign.words.linear_map import fit_map
    from paralign.words.similarity import SimilarityConfig, align_by_similarity

    texts = [("The dog sees the cat in the garden.",) * 2] * 12
    links = [[(k, k) for k in range(9)]] * 12
    _, same = fit_map(twins, texts, links, layer=2, languages=("en", "en"))
    _, other = fit_map(twins, texts, links, layer=2, languages=("en", "en~trans"))
    assert same["before"] == pytest.approx(1)
    assert other["before"] < 0.9
    config = SimilarityConfig(layer=1)
    assert align_by_similarity(twins, texts[:1], config, languages=("en", "en"))[0] == links[0]
    empty = View(*(np.empty(0, np.int64) for _ in range(4)), np.empty(0, np.bool_), *[np.empty(0, np.int64)] * 2)
    states = twins.encode(empty)
    assert states.flat.shape == (0, 32)
    assert twins.logits(states.at(empty.masked)).shape[0] == 0


def test_xlm_trains_on_slices_without_joint_pairs(tmp_path):
    made = paralign.pretrain(
        out=tmp_path / "run", arch="bert:1x32", vocab=400, recipe="xlm", quiet=True,
        pairs=["en-en~trans=smallworld:0-40"],
        overrides=["training.steps=6", "training.batch=2", "training.accumulate=2", "training.warmup=0"],
    )  # fmt: skip
    assert (made / "model.safetensors").is_file()


def test_long_sentences_in_reverse_keep_a_piece_for_every_word(make_encoder):
    from paralign.sources.readers import read_trees
    from paralign.sources.specs import TextSpec
    from paralign.tasks.word_rows import word_rows

    encoder = make_encoder(max_length=12).eval()
    trees = list(read_trees(TextSpec("en", "smallworld:0-30")))
    cut = Counter()
    for index, start, row in word_rows(encoder, trees, "en~tinv", cut):
        assert start == 0
        assert len(row.targets) == len(trees[index].words)
        assert row.targets.max() <= len(row.pieces[0])
    assert cut["reversed sentences cut"] > 0


def test_a_finished_run_of_another_shape_or_text_is_not_taken_for_this_one(tmp_path):
    given = {"arch": "bert:1x32", "vocab": 300, "text": ["en=smallworld:0-40"], "out": tmp_path / "run", "quiet": True,
             "overrides": ["training.steps=1", "training.batch=8"]}  # fmt: skip
    made = paralign.pretrain(**given)
    assert paralign.pretrain(**given, resume=True) == made
    for other, said in (({"arch": "bert:2x32"}, "scratch.arch"), ({"vocab": 310}, "scratch.vocab"),
                        ({"text": ["en=smallworld:40-80"]}, "the data differ from those"),
                        ({"text": ["en~trans=smallworld:0-40"]}, "the data differ from those")):  # fmt: skip
        with pytest.raises(UserError, match=said):
            paralign.pretrain(**given | other, resume=True)
