"""Layers reinitialized, frozen, left out: those that are named and no other."""

import json

import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM

import paralign
from paralign.encoder import Encoder, hf
from paralign.encoder.layers import (
    LayersConfig,
    configure_layers,
    format_layers,
    keep_layers,
    layer_hashes,
    layer_stacks,
    parse_layers,
    reinitialize_layers,
)
from paralign.errors import UserError
from paralign.results import read_results

FAMILIES = ("bert", "roberta", "xlm-roberta", "distilbert", "deberta-v2", "modernbert", "camembert", "electra", "xlm")
SMALL = {
    "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 128, "dim": 64,
    "n_layers": 4, "n_heads": 4, "hidden_dim": 128, "emb_dim": 64, "embedding_size": 64, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2, "pad_index": 0,
}  # fmt: skip


def family(name, tokenizer):
    known = AutoConfig.for_model(name)
    asked = SMALL | {"vocab_size": len(tokenizer), "n_words": len(tokenizer)}
    config = AutoConfig.for_model(name, **{key: value for key, value in asked.items() if hasattr(known, key)})
    torch.manual_seed(0)
    return AutoModelForMaskedLM.from_config(config)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("name", FAMILIES)
def test_only_the_named_layers_change_and_look_like_new_ones(name, tokenizer, tmp_path):
    made = family(name, tokenizer)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.normal_(mean=0.5, std=0.3)  # as far from a new one as training never brings them
    made.save_pretrained(tmp_path)
    model = AutoModelForMaskedLM.from_pretrained(tmp_path)  # its weights are marked as initialized
    encoder = Encoder.__new__(Encoder)  # families without a tokenizer of this shape
    torch.nn.Module.__init__(encoder)
    encoder.model, encoder.name = model, name
    before, hashes = weights(model), layer_hashes(encoder)
    reinitialize_layers(encoder, [1], seed=3)
    after, now = weights(model), layer_hashes(encoder)
    assert [layer for layer in hashes if hashes[layer] != now[layer]] == ["1"]
    inside = {id(p) for stack in layer_stacks(model) for p in stack[1].state_dict(keep_vars=True).values()}
    named = {key for key, value in model.state_dict(keep_vars=True).items() if id(value) in inside}
    assert named
    fresh = weights(family(name, tokenizer))
    for key in before:
        same = torch.equal(before[key], after[key])
        assert same == (key not in named), key
        if key in named:  # the family's own initializer: the mean and spread of a new model's
            found, wanted = ([float(w.mean()), float(w.std())] for w in (after[key], fresh[key]))
            assert found[0] == pytest.approx(wanted[0], abs=max(0.002, 0.2 * wanted[1])), key
            assert found[1] == pytest.approx(wanted[1], rel=0.2), key


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_layers_alone(name, tokenizer, tmp_path):
    model = family(name, tokenizer)
    before = weights(model)
    keep_layers(model, 2)
    model.save_pretrained(tmp_path)
    again = AutoModelForMaskedLM.from_pretrained(tmp_path)
    assert hf.hidden_layers(again) == 2
    assert {len(stack) for stack in layer_stacks(again)} == {2}
    for key, value in again.state_dict().items():
        assert torch.equal(value, before[key]), key
    ids = torch.arange(8)[None] + 3
    whole = family(name, tokenizer).eval()
    states = whole(input_ids=ids, output_hidden_states=True).hidden_states
    found = again.eval()(input_ids=ids, output_hidden_states=True).hidden_states
    assert len(found) == 3
    assert torch.allclose(found[1], states[1], atol=1e-5)


def test_layer_one_is_not_ten_or_eleven(make_encoder):
    encoder = make_encoder("bert:12x32")
    hashes = layer_hashes(encoder)
    reinitialize_layers(encoder, [1], seed=0)
    assert [layer for layer, value in layer_hashes(encoder).items() if value != hashes[layer]] == ["1"]
    one = layer_hashes(encoder)["1"]
    reinitialize_layers(encoder, [1], seed=0)
    assert layer_hashes(encoder)["1"] == one
    reinitialize_layers(encoder, [1], seed=1)
    assert layer_hashes(encoder)["1"] != one
    state = torch.random.get_rng_state()
    reinitialize_layers(encoder, [0], seed=1)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_one_spelling_of_a_set():
    assert [format_layers(some) for some in ([], [0], [1, 0], [0, 1, 3, 5, 4, 4])] == ["", "0", "0-1", "0-1,3-5"]


def test_shared_layers_are_refused(tokenizer):
    config = AutoConfig.for_model("albert", hidden_size=32, num_hidden_layers=3, num_attention_heads=4,
                                  intermediate_size=32, embedding_size=32, vocab_size=len(tokenizer))  # fmt: skip
    with pytest.raises(UserError, match="shares weights between its layers"):
        layer_stacks(AutoModelForMaskedLM.from_config(config))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("", []), ("0", [0]), ("0-1", [0, 1]), ("3, 0-1", [0, 1, 3]), ("all", [0, 1, 2, 3]), ("embeddings,2", [-1, 2])],
)
def test_names_of_layers(text, wanted):
    assert parse_layers(text, 4, embeddings=True) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [("4", "no layers 4"), ("3-4", "no layers 3-4"), ("2-1", "no layers 2-1"), ("one", "cannot read"),
     ("embeddings", "cannot read"), ("-1", "cannot read"), (",", "no layers in"), (" ", "no layers in")],
)  # fmt: skip
def test_missing_layers_are_refused(text, said):
    with pytest.raises(UserError, match=said) as found:
        parse_layers(text, 4)
    assert "0 to 3" in found.value.hint


def test_freezing_and_keeping(make_encoder, tmp_path):
    encoder = make_encoder("bert:4x32")
    with pytest.raises(UserError, match="4 layers"):
        configure_layers(encoder, LayersConfig(keep=5))
    configure_layers(encoder, LayersConfig(keep=3, freeze="embeddings,0"))
    assert encoder.layers == 3
    trained = {name for name, p in encoder.model.named_parameters() if p.requires_grad}
    assert not any("embeddings" in name or "layer.0." in name for name in trained if name.startswith("bert."))
    assert any("layer.1." in name for name in trained)
    encoder.save_pretrained(tmp_path)
    assert Encoder.from_pretrained(tmp_path).layers == 3
    assert layer_hashes(Encoder.from_pretrained(tmp_path)) == layer_hashes(encoder)


def finetune(base, out, *settings, **more):
    return paralign.finetune(
        str(base), task="pos", train="en=smallworld:0-40", eval=["en=smallworld:50-60", "de=smallworld:50-60"],
        out=out, overrides=["training.epochs=1", *settings], quiet=True, **more,
    )  # fmt: skip


def test_fine_tuning_records_changes_to_layers(base, tmp_path):
    rows = finetune(base, tmp_path / "run", "layers.reset=1", "layers.freeze=embeddings", seeds=2)
    assert {row.settings["system"] for row in rows} == {"base, layer 1 reset, embeddings frozen"}
    assert {row.settings["layers"]["reset"] for row in read_results(tmp_path / "run" / "results.jsonl")} == {"1"}
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    hashes = facts["layer_hashes"]
    changed = {seed: [k for k in hashes["encoder"] if hashes[seed][k] != hashes["encoder"][k]] for seed in hashes}
    assert changed == {"encoder": [], "seed 0": ["1"], "seed 1": ["1"]}
    assert hashes["seed 0"]["1"] != hashes["seed 1"]["1"]
    tuned = Encoder.from_pretrained(tmp_path / "run" / "seed-0" / "model")
    assert layer_hashes(tuned)["embeddings"] == hashes["encoder"]["embeddings"]
    assert layer_hashes(tuned)["0"] != hashes["encoder"]["0"]
    with pytest.raises(UserError, match=r"layers\.reset"):
        finetune(base, tmp_path / "run", "layers.reset=0", seeds=2, resume=True)
    with pytest.raises(UserError, match="no layers 2"):
        finetune(base, tmp_path / "other", "layers.reset=2")
    assert not (tmp_path / "other").exists()


def test_unchanged_layers_have_no_description(base, tmp_path):
    rows = finetune(base, tmp_path / "run")
    assert all("layers" not in row.settings and row.settings["system"] == "base" for row in rows)
    assert "layer_hashes" not in json.loads((tmp_path / "run" / "run.json").read_text())
