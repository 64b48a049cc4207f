"""Training a tokenizer, and reading the template of any."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from paralign.encoder import train_tokenizer
from paralign.encoder.tokenizer import probe_template, tokenize, tokenize_words, tokenizer_id
from paralign.errors import UserError
from paralign.smallworld import World
from tests.encoder.family_models import _bytes

TEXTS = [
    "Élan vital à Paris",
    "Ein Mädchen läuft über die Straße",
    "a b c e 1 the",
    "歌手们和老师",
    "Paris paris",
] * 3


def metaspace() -> PreTrainedTokenizerFast:
    """As XLM-R's: Unigram pieces, words marked by their leading space, <s> A </s></s> B </s>."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    words = ["▁a", "▁b", "▁the", "▁", "a", "b", "e", "t", "h", "1", "老师", "师"]
    backend = Tokenizer(models.Unigram([(s, 0.0) for s in special] + [(w, -2.0) for w in words] + [("<mask>", 0.0)], 3))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
    )


def unigram(texts: list[str]) -> PreTrainedTokenizerFast:
    """As XLM-R's, trained: special tokens are part of the vocabulary, with the best score."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    backend.train_from_iterator(
        texts, trainers.UnigramTrainer(vocab_size=150, unk_token="<unk>", special_tokens=special, show_progress=False)
    )
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=backend, cls_token="<s>", sep_token="</s>", **names)


def test_the_template_of_bert():
    tokenizer = train_tokenizer(TEXTS, size=120)
    template = probe_template(tokenizer, types=True)
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    assert template.single == ((cls,), (sep,))
    assert template.pair == ((cls,), (sep,), (sep,))
    assert template.pair_types == (0, 0, 0, 1, 1)
    assert template.mask_id == tokenizer.mask_token_id
    assert template.pad_id == tokenizer.pad_token_id
    assert set(template.special_ids) == set(range(5))
    assert template.ordinary.tolist() == list(range(5, len(tokenizer)))
    assert probe_template(tokenizer, types=False).pair_types == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_the_template_of_roberta(kind):
    tokenizer = train_tokenizer(TEXTS, kind=kind, size=400, family="roberta")
    template = probe_template(tokenizer, types=False)
    start, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    assert template.single == ((start,), (end,))
    assert template.pair == ((start,), (end, end), (end,))
    assert template.pair_types == (0, 0, 0, 0, 0)


def test_the_template_of_a_sentencepiece_tokenizer():
    tokenizer = metaspace()
    template = probe_template(tokenizer, types=False)
    assert template.single == ((0,), (2,))
    assert template.pair == ((0,), (2, 2), (2,))
    assert set(template.special_ids) == {0, 1, 2, 3, tokenizer.mask_token_id}
    pieces, offsets = tokenize(tokenizer, ["the 老师"])[0]
    assert tokenizer.convert_ids_to_tokens(pieces.tolist()) == ["▁the", "▁", "老师"]
    assert offsets[[0, 2]].tolist() == [[0, 3], [4, 6]]


def test_the_template_gives_the_rows_of_the_tokenizer():
    for tokenizer in (
        metaspace(),
        train_tokenizer(TEXTS, size=120),
        train_tokenizer(TEXTS, kind="bpe", size=400),
    ):
        template = probe_template(tokenizer, types=False)
        (a, _), (b, _) = tokenize(tokenizer, ["the b", "a 1"])
        head, middle, tail = template.pair
        assert [*head, *a, *middle, *b, *tail] == tokenizer("the b", "a 1")["input_ids"]


def test_a_trained_tokenizer_is_cased_and_keeps_accents():
    tokenizer = train_tokenizer(TEXTS, size=120)
    words = {text: tokenizer.tokenize(text) for text in ("Élan", "Elan", "Paris", "paris", "Straße", "läuft")}
    assert words["Paris"] != words["paris"]
    assert words["Élan"] != words["Elan"]
    assert tokenizer.decode(tokenizer("Mädchen läuft")["input_ids"], skip_special_tokens=True) == "Mädchen läuft"
    assert tokenizer.tokenize("歌手") == ["歌", "手"]  # every Chinese character stands alone


def test_byte_level_tokenizers_have_no_unknown_pieces():
    tokenizer = train_tokenizer(TEXTS, kind="bpe", size=300, family="roberta")
    for text in ("हिन्दी", "🙂 ok", "ქართული"):
        ids = tokenize(tokenizer, [text])[0][0].tolist()
        assert tokenizer.unk_token_id not in ids
        assert tokenizer.decode(ids).strip() == text


@pytest.mark.parametrize("split", [False, True])
def test_the_piece_of_a_space_is_not_part_of_a_word(split):
    """XLM-R's: the offset of the piece of the space is that of the space, or of the letter after it."""
    vocabulary = [("<unk>", 0.0), ("▁", -2.0), ("▁a", -2.0), ("dog", -3.0), ("狗", -3.0), ("▁cat", -3.0), ("。", -3.0)]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=0))
    metaspace = pre_tokenizers.Metaspace()
    steps = [pre_tokenizers.WhitespaceSplit(), metaspace] if split else [metaspace]
    backend.pre_tokenizer = pre_tokenizers.Sequence(steps)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    found = tokenize_words(tokenizer, ["dog", "cat", "狗"])
    assert [tokenizer.convert_ids_to_tokens(ids.tolist()) for ids, _ in found] == [["dog"], ["▁cat"], ["狗"]]
    assert [offsets[-1].tolist() for _, offsets in found] == [[0, 3], [0, 3], [0, 1]]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "modernbert"])
def test_words_have_the_pieces_that_they_have_in_text(kind):
    words = ["dog", "sees", "Straße", "x"]
    texts = [*TEXTS, "the dog sees the cat", "a dog", "one sees"] * 3
    tokenizer = _bytes(texts) if kind == "modernbert" else train_tokenizer(texts, kind=kind, size=300)
    ((ids, offsets),) = tokenize(tokenizer, ["so " + " ".join(words)])
    start = 3
    for word, (own, inside) in zip(words, tokenize_words(tokenizer, words), strict=True):
        here = (offsets[:, 1] > start) & (offsets[:, 1] <= start + len(word))
        assert own.tolist() == ids[here].tolist()
        assert inside.tolist() == np.maximum(offsets[here] - start, 0).tolist()
        start += len(word) + 1
    if kind == "modernbert":
        assert tokenize_words(tokenizer, ["dog"])[0][0].tolist() != tokenize(tokenizer, ["dog"])[0][0].tolist()


def test_equal_text_gives_an_equal_tokenizer_in_every_process():
    code = (
        "from paralign.encoder.tokenizer import train_tokenizer, tokenizer_id\n"
        "from paralign.smallworld import World\n"
        "texts = [World(0).sentence(i, t).text for t in ('en', 'de', 'fr') for i in range(150)]\n"
        "print([tokenizer_id(train_tokenizer(texts, kind=kind, size=420)) for kind in ('wordpiece', 'bpe')])"
    )
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True, text=True)
    texts = [World(0).sentence(i, t).text for t in ("en", "de", "fr") for i in range(150)]
    here = [tokenizer_id(train_tokenizer(texts, kind=kind, size=420)) for kind in ("wordpiece", "bpe")]
    assert other.stdout == f"{here}\n"


def test_the_fingerprint_follows_the_pieces_and_nothing_else():
    one, other = (
        train_tokenizer(TEXTS, size=120),
        train_tokenizer([*TEXTS, "quite another vocabulary"], size=120),
    )
    before = tokenizer_id(one)
    one("padding and truncation are of the call", truncation=True, max_length=5, padding="max_length")
    assert tokenizer_id(one) == before
    assert tokenizer_id(other) != before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "wordpeice"}, "did you mean 'wordpiece'"),
        ({"size": 20}, "raise --vocab"),
        ({"kind": "bpe", "size": 100}, "raise --vocab"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        train_tokenizer(TEXTS, **{"size": 120} | settings)


def test_an_iterator_which_would_be_empty_at_the_second_reading_is_refused():
    with pytest.raises(UserError, match="give a list"):
        train_tokenizer(iter(TEXTS), size=120)


def test_coverage_leaves_out_the_rarest_characters_and_only_them():
    texts = ["the cat sat on the mat"] * 200 + ["naïve déjà", "猫坐在垫子上"]
    whole = train_tokenizer(texts, size=200)
    cut = train_tokenizer(texts, size=200, coverage=0.998)
    assert whole.unk_token_id not in whole("naïve 猫")["input_ids"]
    assert cut.unk_token_id in cut("猫")["input_ids"]
    assert cut.unk_token_id not in cut("the cat sat")["input_ids"]
    total = sum(len(text.replace(" ", "")) for text in texts)
    unknown = sum(not set(letter) & set("".join(cut.get_vocab())) for text in texts for letter in text if letter != " ")
    assert unknown <= 0.002 * total
    assert train_tokenizer(texts, size=200, coverage=0.998).get_vocab() == cut.get_vocab()


NAMES = ["[MASK]", "[PAD]", "[SEP]", "[CLS]", "[UNK]", "<s>", "</s>", "<mask>", "<pad>", "<unk>", "＜/s＞", "＜unk＞"]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "roberta wordpiece"])
@pytest.mark.parametrize("name", NAMES)
def test_names_of_special_pieces_in_text_are_text(kind, name):
    texts = [*TEXTS, *NAMES, "<s>[]=</mask>uUpPaAdDcClLkKnN"]
    family = "roberta" if kind in ("bpe", "roberta wordpiece") else "bert"
    tokenizer = (
        unigram(texts) if kind == "unigram" else train_tokenizer(texts, kind=kind.split()[-1], size=500, family=family)
    )
    before, fingerprint = tokenizer.backend_tokenizer.to_str(), tokenizer_id(tokenizer)
    text = f"the {name} vital{name}"
    (plain, _), (ids, offsets) = tokenize(tokenizer, ["the", text])
    # WordPiece does not normalize wide letters and may not know them.
    wide = {tokenizer.unk_token_id} if "wordpiece" in kind and name[0] == "＜" else set()
    assert not set(ids.tolist()) & set(tokenizer.all_special_ids) - wide
    covered = {k for a, b in offsets.tolist() for k in range(a, b)}
    assert {k for k, letter in enumerate(text) if letter != " "} <= covered
    assert ids[: len(plain)].tolist() == plain.tolist()
    assert tokenizer.backend_tokenizer.to_str() == before
    assert tokenizer_id(tokenizer) == fingerprint
    # Other programs still find the pieces by name.
    mask = tokenizer.mask_token
    assert tokenizer.mask_token_id in tokenizer(f"the {mask}", add_special_tokens=False)["input_ids"]


def test_unigram_names_are_segmented_as_if_they_were_not_in_the_vocabulary():
    """The oracle is a vocabulary without special tokens."""
    tokenizer = unigram([*TEXTS, *NAMES])
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    special = set(tokenizer.all_special_tokens) - {"<unk>"}
    state["model"]["vocab"] = [
        ["never" * 9 if p == "<unk>" else p, s] for p, s in state["model"]["vocab"] if p not in special
    ]
    state["model"]["unk_id"] = [p for p, _ in state["model"]["vocab"]].index("never" * 9)
    state["added_tokens"], state["post_processor"] = [], None
    oracle = Tokenizer.from_str(json.dumps(state))
    for text in ("the <s> a</s>b<mask><mask> <pad>☃", "<unk> ＜unk＞", "☃ <s"):
        ids, offsets = tokenize(tokenizer, [text])[0]
        wanted = oracle.encode(text)
        assert [tuple(pair) for pair in offsets.tolist()] == wanted.offsets
        pieces = [
            ("never" * 9 if k == tokenizer.unk_token_id else tokenizer.convert_ids_to_tokens(k)) for k in ids.tolist()
        ]
        assert pieces == [oracle.id_to_token(k) for k in wanted.ids]


def test_pieces_added_by_the_user_are_kept():
    """Only special tokens are text; a word that was added to the vocabulary is still one piece."""
    tokenizer = unigram([*TEXTS, *NAMES])
    tokenizer.add_tokens(["Kuala Lumpur"])
    (ids, _), (plain, _) = tokenize(tokenizer, ["the Kuala Lumpur </s>", "the Kuala Lumpur"])
    assert len(tokenizer) - 1 in plain
    assert len(tokenizer) - 1 in ids
    assert not set(ids.tolist()) & set(tokenizer.all_special_ids)
