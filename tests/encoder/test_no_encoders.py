"""What is no encoder is told in one line before any work; what has no vocabulary head serves all that needs none."""

import inspect
import json
import shutil

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BertConfig,
    BertModel,
    DistilBertModel,
    ElectraForPreTraining,
    MarkupLMModel,
    ModernBertModel,
    T5EncoderModel,
    XLMRobertaModel,
)

import paralign
from paralign.__main__ import main
from paralign.encoder import Encoder, loading
from paralign.encoder.loading import load_model, load_tokenizer
from paralign.errors import UserError
from tests.encoder.family_models import HEADLESS, made, save

TINY = {
    "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 800,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "max_position_embeddings": 64,
}  # fmt: skip
PAIRS = "en-de=smallworld:0-14"


def _written(folder, tokenizer, text):
    (folder / "config.json").write_text(json.dumps(text))
    (folder / "model.safetensors").write_bytes(b"never looked at")
    return folder


T5 = {"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 1, "num_heads": 2}


def _t5(folder, tokenizer):
    return save(AutoModel.from_config(AutoConfig.for_model("t5", **T5)), tokenizer, folder)


def _t5_without_decoder(folder, tokenizer):
    return save(T5EncoderModel(AutoConfig.for_model("t5", **T5)), tokenizer, folder)


def _gpt2(folder, tokenizer):
    config = AutoConfig.for_model("gpt2", n_embd=32, n_layer=1, n_head=2, vocab_size=800)
    return save(AutoModelForCausalLM.from_config(config), tokenizer, folder)


def _bert_decoder(folder, tokenizer):
    return save(BertModel(BertConfig(**TINY, is_decoder=True)), tokenizer, folder)


def _unknown(folder, tokenizer):
    return _written(folder, tokenizer, {"model_type": "bertolini"})


def _foreign(folder, tokenizer):
    return _written(folder, tokenizer, {"model_type": "bertolini", "auto_map": {"AutoModel": "modeling.Bertolini"}})


def _nameless(folder, tokenizer):
    return _written(folder, tokenizer, {"hidden_size": 32})


def _fourier(folder, tokenizer):
    """Mixes every piece with every other, padding too."""
    return save(AutoModelForMaskedLM.from_config(AutoConfig.for_model("fnet", **TINY)), tokenizer, folder)


def _convolutions(folder, tokenizer):
    """Concatenates the embeddings of neighbors, padding too, whose new embedding is zero."""
    sizes = {"embedding_size": 16, "true_hidden_size": 32, "intra_bottleneck_size": 32, "num_feedforward_networks": 1}
    config = AutoConfig.for_model("mobilebert", **TINY, **sizes)
    return save(AutoModelForMaskedLM.from_config(config), tokenizer, folder)


def _pictures(folder, tokenizer):
    config = AutoConfig.for_model("vit", image_size=32, **{k: TINY[k] for k in list(TINY)[:4]})
    return save(AutoModel.from_config(config), tokenizer, folder)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_t5, "t5 models are encoder-decoders, not encoders"),
        (_t5_without_decoder, "t5 models are encoder-decoders, not encoders"),
        (_gpt2, "this gpt2 model is a causal language model, not an encoder: pieces do not attend to later pieces"),
        (_bert_decoder, "this bert model is a causal language model, not an encoder"),
        (_unknown, "has no family 'bertolini'"),
        (_foreign, "the family 'bertolini' needs code from the model's folder, which paralign does not run"),
        (_nameless, "cannot load the model"),
        (_fourier, "the states of a sentence depend on its padding"),
        (_convolutions, "mobilebert models cannot be used: the states of a sentence depend on its padding"),
        (_pictures, "vit models cannot be used as text encoders"),
    ],
)
def test_models_that_are_not_encoders_are_refused_before_training(make, message, tokenizer, tmp_path, capsys):
    (tmp_path / "model").mkdir()
    folder = make(tmp_path / "model", tokenizer)
    capsys.readouterr()
    out = tmp_path / "run"
    assert main(["align", "--model", str(folder), "--pairs", PAIRS, "--recipe", "moco-mini", "--out", str(out)]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1, said
    assert said[0].startswith(f"paralign: {folder}: ")
    assert message in said[0]
    assert "remote_code" not in said[0]
    assert not out.exists()


def test_a_causal_model_is_detected_by_its_states(tokenizer, tmp_path, monkeypatch):
    """Whatever a family calls itself: here the settings are not looked at."""
    monkeypatch.setattr(loading, "read_family", lambda path, name, **_: AutoConfig.from_pretrained(path))
    monkeypatch.setattr(loading, "is_causal", lambda config: False)
    with pytest.raises(UserError, match="is a causal language model, not an encoder: pieces do not attend to later"):
        load_model(str(_gpt2(tmp_path / "model", tokenizer)))


def _xlnet(folder, tokenizer):
    config = AutoConfig.for_model("xlnet", d_model=32, n_layer=2, n_head=2, d_inner=64, vocab_size=800)
    return save(AutoModel.from_config(config), tokenizer, folder)


def _mamba(folder, tokenizer):
    config = AutoConfig.for_model("mamba", hidden_size=32, num_hidden_layers=2, vocab_size=800)
    return save(AutoModel.from_config(config), tokenizer, folder)


@pytest.mark.parametrize(
    ("make", "reason"), [(_xlnet, "pieces attend to later pieces"), (_mamba, "the states of its layers cannot be read")]
)
def test_generators_that_are_no_causal_transformers_are_not_measured(make, reason, tokenizer, tmp_path):
    folder = make(tmp_path / "model", tokenizer)
    with pytest.raises(UserError, match=f"model cannot be measured as a causal language model: {reason}"):
        load_model(str(folder), allow_causal=True)


@torch.no_grad()
def test_an_encoder_turned_decoder_is_measured_with_its_own_states(tokenizer, tmp_path):
    folder = _bert_decoder(tmp_path / "model", tokenizer)
    encoder = Encoder.from_pretrained(folder, allow_causal=True)
    model = BertModel.from_pretrained(folder, is_decoder=True).eval()
    ids = encoder.tokenizer("a b")["input_ids"]
    wanted = model(torch.tensor([ids])).last_hidden_state[0, -1]
    assert torch.allclose(torch.from_numpy(encoder.encode("a b", pool="last")), wanted, atol=1e-5)


def test_a_sentencepiece_file_without_its_package(bare, tmp_path, monkeypatch):
    shutil.copytree(bare, tmp_path / "model")
    (tmp_path / "model" / "tokenizer.json").unlink()
    (tmp_path / "model" / "spm.model").write_bytes(b"\x0a\x05abc")
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"cannot load the tokenizer.*pip install 'paralign\[sentencepiece\]'"):
        load_tokenizer(str(tmp_path / "model"))


@pytest.fixture(scope="module")
def bare(tokenizer, tmp_path_factory):
    """A family without vocabulary head."""
    return save(made(HEADLESS, tokenizer), tokenizer, tmp_path_factory.mktemp("bare") / "bare")


QUICK = {
    "training": {"batch": 6, "steps": 2, "log_every": 1, "checkpoint_every": 2},
    "data": {"min_pieces": 2},
}
MOCO = {"moco": {"queue": 12, "projection": 8}}


def align(model, out, *objectives, **more):
    settings = QUICK | {"objectives": list(objectives)} | (MOCO if "moco" in objectives else {})
    return paralign.align(str(model), out=out, pairs=[PAIRS], recipe="moco-mini", settings=settings, quiet=True, **more)


@pytest.mark.parametrize("objective", ["mlm", "tlm", "bilingual", "dict_mlm"])
def test_objectives_that_need_a_head_are_refused_before_training(objective, bare, tmp_path):
    with pytest.raises(UserError, match=rf"{objective} needs a vocabulary head.*{HEADLESS} models have none") as said:
        align(bare, tmp_path / "run", "moco", objective)
    assert str(bare) in str(said.value)
    assert "in_batch" in said.value.hint
    assert not (tmp_path / "run").exists()


def test_pretraining_and_held_out_text_need_a_head(bare, tmp_path):
    for more in ({}, {"settings": QUICK | MOCO | {"objectives": ["moco"]}, "heldout": ["en=smallworld:90-99"]}):
        given = {"pairs": [PAIRS]} if more else {"text": ["en=smallworld:0-30"]}
        with pytest.raises(UserError, match="needs a vocabulary head"):
            paralign.pretrain(model=str(bare), out=tmp_path / "run", quiet=True, **given, **more)
        assert not (tmp_path / "run").exists()


def test_a_head_without_dense_layer_has_no_bilingual_prediction(tokenizer, tmp_path):
    config = AutoConfig.for_model("xlm", emb_dim=32, n_layers=1, n_heads=2, n_words=800, max_position_embeddings=64,
                                  pad_index=0, bos_index=1, eos_index=2)  # fmt: skip
    folder = save(AutoModelForMaskedLM.from_config(config), tokenizer, tmp_path / "xlm")
    with pytest.raises(UserError, match=r"has no dense layer.*use tlm"):
        align(folder, tmp_path / "run", "tlm", "bilingual")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("objective", ["moco", "word_l2", "word_contrastive", "static"])
def test_objectives_without_logits_train_an_encoder_without_head(objective, bare, tmp_path):
    (tmp_path / "words.txt").write_text("student Student\nhotel Hotel\nriver Fluss\nhouse Haus\nold alt\n")
    words = {"dictionary": [f"en-de={tmp_path / 'words.txt'}"]} if objective == "static" else {}
    folder = align(bare, tmp_path / "run", objective, **words)
    start, end = Encoder.from_pretrained(bare), Encoder.from_pretrained(folder)
    assert not end.has_head
    assert end.digest() != start.digest()
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["SplinterModel"]


def test_it_is_analyzed_and_aligned_by_words(bare, tmp_path):
    rows = paralign.analyze_similarity(
        [str(bare)], pairs=["en-de=smallworld:0-60"], out=tmp_path / "similarity", quiet=True
    )
    assert {row.where.layer for row in rows if row.metric.startswith("cka")} == {0, 1, 2}
    paralign.align_words(PAIRS, method="similarity", model=str(bare), out=tmp_path / "links", quiet=True)
    assert len((tmp_path / "links").read_text().splitlines()) == 14


def test_an_encoder_within_an_encoder_is_no_vocabulary_head(tokenizer, tmp_path):
    """DPR's question encoder, whose base is not itself."""
    torch.manual_seed(0)
    folder = save(AutoModel.from_config(AutoConfig.for_model("dpr", **TINY)), tokenizer, tmp_path / "dpr")
    encoder = Encoder.from_pretrained(folder)
    assert not encoder.has_head
    with pytest.raises(UserError, match="needs a vocabulary head"):
        encoder.logits(torch.zeros(1, 32))
    assert Encoder.from_pretrained(align(folder, tmp_path / "run", "moco")).digest() != encoder.digest()


def test_half_precision_without_a_head(bare, tmp_path):
    encoder = Encoder.from_pretrained(bare)
    encoder.save_pretrained(tmp_path / "half", weights="fp16")
    assert Encoder.from_pretrained(tmp_path / "half").digest() == encoder.digest()


@pytest.mark.parametrize("kind", [ElectraForPreTraining, DistilBertModel, ModernBertModel, XLMRobertaModel])
def test_the_encoder_alone_is_loaded_from_weights_of_any_class(kind, tokenizer, tmp_path, capsys):
    """A discriminator, encoders with and without pooling: the head begins anew, the encoder does not."""
    known = kind.config_class()
    ids = {"cls_token_id": 2, "sep_token_id": 3, "dim": 32, "n_heads": 2, "hidden_dim": 64, "n_layers": 1}
    config = kind.config_class(**{k: v for k, v in (TINY | ids).items() if hasattr(known, k)})
    model = kind(config).eval()
    encoder = Encoder.from_pretrained(save(model, tokenizer, tmp_path / "alone")).eval()
    assert encoder.head_is_new
    assert not capsys.readouterr().err  # the head is not used yet
    inputs = {"input_ids": torch.tensor([[7, 8, 9]])}
    with torch.no_grad():
        wanted = model.base_model(**inputs).last_hidden_state
        torch.testing.assert_close(encoder.model.base_model(**inputs).last_hidden_state, wanted)


def test_an_encoder_without_head_gets_a_random_head_and_keeps_its_weights(tokenizer, tmp_path):
    """Sentence encoders lie about as ``BertModel``: alignment without scores leaves their random head alone."""
    torch.manual_seed(0)
    folder = save(BertModel(BertConfig(**TINY)), tokenizer, tmp_path / "bare")
    start = Encoder.from_pretrained(folder)
    made = align(folder, tmp_path / "run", "moco")
    end = Encoder.from_pretrained(made)
    assert end.digest() == json.loads((made / "paralign.json").read_text())["model_hash"]
    for before, after in zip(start.head_parameters(), end.head_parameters(), strict=True):
        assert torch.equal(before, after)
    inputs = {"input_ids": torch.tensor([[7, 8, 9]])}
    with torch.no_grad():
        theirs = AutoModel.from_pretrained(made, attn_implementation="eager").eval()(**inputs).last_hidden_state
        assert torch.equal(theirs, end.model.base_model(**inputs).last_hidden_state)
        before = start.model.base_model(**inputs).last_hidden_state
    assert not torch.equal(theirs, before)


def test_a_new_head_is_announced_where_it_is_used(tokenizer, tmp_path, capsys):
    folder = save(BertModel(BertConfig(**TINY)), tokenizer, tmp_path / "headless")
    for objective, quiet in (("mlm", False), ("mlm", True), ("in_batch", False)):
        settings = QUICK | {"objectives": [objective]}
        paralign.align(
            str(folder), out=tmp_path / f"{objective}-{quiet}", pairs=PAIRS, recipe="tlm-mini",
            settings=settings, overrides="training.head_steps=1", quiet=quiet,
        )  # fmt: skip
        said = capsys.readouterr().err
        announced = objective == "mlm" and not quiet
        assert (f"note: {folder} has no vocabulary head; it gets a new one\n" in said) == announced
        assert not (quiet and said)


def test_a_pooling_layer_is_left_out(tokenizer, tmp_path):
    """It would be saved untrained, and get no gradient where several processes wait for one."""
    assert "add_pooling_layer" in inspect.signature(MarkupLMModel).parameters
    config = AutoConfig.for_model("markuplm", **TINY, max_xpath_tag_unit_embeddings=8, max_xpath_subs_unit_embeddings=8,
                                  tag_pad_id=6, subs_pad_id=6, xpath_unit_hidden_size=8, max_depth=4)  # fmt: skip
    folder = save(AutoModel.from_config(config), tokenizer, tmp_path / "pooled")
    encoder = Encoder.from_pretrained(folder)
    assert not encoder.has_head
    assert not any("pooler" in name for name, _ in encoder.model.named_parameters())


def test_a_trial_of_an_encoder_leaves_the_random_generator_alone(bare):
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    load_model(str(bare))
    assert torch.equal(torch.rand(3), wanted)


def test_a_loaded_model_is_for_the_constructor(encoder):
    for given in (encoder.model, encoder):
        message = rf"type {type(given).__name__}, not a name or folder \(for a loaded model, call Encoder\(model, token"
        with pytest.raises(UserError, match=message):
            Encoder.from_pretrained(given)
    again = Encoder(encoder.model, encoder.tokenizer)
    assert torch.equal(torch.tensor(again.encode(["a dog"])), torch.tensor(encoder.encode(["a dog"])))
