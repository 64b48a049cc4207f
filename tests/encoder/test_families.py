"""Every family from folder to scores and back, against transformers' own padded forward pass."""

import inspect
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

import paralign
from paralign.batches.rows import View, assemble
from paralign.encoder import Encoder
from paralign.encoder.families import ARCHITECTURES
from paralign.encoder.hf import set_dropout
from paralign.encoder.layers import LayersConfig, configure_layers, layer_hashes, reinitialize_layers
from paralign.errors import UserError
from tests.encoder.family_models import FAMILIES, HEADLESS, made, save, tokenizer_for

FIRST = ["The happy student chooses a hotel.", "Five cooks.", "She sees the old house and the river."]
SECOND = ["Der Student wählt ein Hotel.", "Fünf Köche kochen im Garten, und er liest.", "Ja."]
NONE = np.empty(0, np.int64)


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request, sentences, tmp_path_factory):
    """A model's folder, named after its family."""
    tokenizer = tokenizer_for(FAMILIES[request.param][0], sentences)
    assert len(tokenizer) <= 400
    return save(made(request.param, tokenizer), tokenizer, tmp_path_factory.mktemp("families") / request.param)


def plain(folder):
    """The model as everybody loads it; its base and itself."""
    model = (AutoModel if folder.name == HEADLESS else AutoModelForMaskedLM).from_pretrained(folder).eval()
    return model.base_model, model


def pair_view(encoder, first, second):
    head, middle, tail = encoder.template.pair
    sides = [
        (np.concatenate(ids), np.array([len(i) for i in ids]))
        for ids in ([ids for ids, _ in encoder.tokenize(texts, None)] for texts in (first, second))
    ]
    segments = [head, sides[0], middle, sides[1], tail]
    ids, types, lengths, special = assemble(segments, encoder.template.pair_types, len(first))
    return View(ids, types, lengths, np.arange(len(first)), special, NONE, NONE)


@torch.no_grad()
def test_states_and_scores_of_a_padded_batch_are_transformers_own(folder):
    base, model = plain(folder)
    inputs = AutoTokenizer.from_pretrained(folder)(FIRST, SECOND, padding=True, return_tensors="pt")
    inside = inputs["attention_mask"].bool()
    assert not inside.all()
    known = inspect.signature(base.forward).parameters
    wanted = model(**{k: v for k, v in inputs.items() if k in known}, output_hidden_states=True)
    encoder = Encoder.from_pretrained(folder).eval()
    view = pair_view(encoder, FIRST, SECOND)
    assert view.ids.tolist() == inputs["input_ids"][inside].tolist()
    if encoder.uses_token_types:
        assert view.types.tolist() == inputs["token_type_ids"][inside].tolist()
    for ours, theirs in zip(encoder.encode_layers(view, [0, 1, 2]), wanted.hidden_states, strict=True):
        torch.testing.assert_close(ours.flat, theirs[inside], atol=1e-5, rtol=1e-5)
    last = encoder.encode(view)
    torch.testing.assert_close(last.flat, wanted.hidden_states[-1][inside], atol=1e-5, rtol=1e-5)
    assert encoder.has_head == (folder.name != HEADLESS)
    if encoder.has_head:
        some = np.array([1, 3, 8, 15])
        scores = encoder.logits(last.at(some))
        torch.testing.assert_close(scores, wanted.logits[inside][some], atol=1e-5, rtol=1e-5)
        through = encoder.logits(last.at(some), encoder.head_dense())
        torch.testing.assert_close(through, scores, atol=0, rtol=0)


@torch.no_grad()
def test_token_types_are_used_where_they_change_the_model(folder):
    base, _ = plain(folder)
    ids = torch.tensor([[7, 8, 9]])
    changes = False
    if "token_type_ids" in inspect.signature(base.forward).parameters:
        try:
            one, other = (base(ids, token_type_ids=torch.tensor([t])).last_hidden_state for t in ([0] * 3, [0, 1, 1]))
            changes = not torch.equal(one, other)
        except IndexError:  # there is but one type
            changes = False
    assert Encoder.from_pretrained(folder).uses_token_types == changes


@torch.no_grad()
def test_the_longest_row_is_the_longest_that_the_model_takes(folder):
    base, _ = plain(folder)
    encoder = Encoder.from_pretrained(folder)
    assert encoder.max_pieces == (8192 if folder.name == "modernbert" else 100)
    if folder.name not in ("deberta-v2", "modernbert"):  # which have no table of positions
        assert base(torch.full((1, 100), 9)).last_hidden_state.shape == (1, 100, 32)
        with pytest.raises((IndexError, RuntimeError)):
            base(torch.full((1, 101), 9))
    encoder.tokenizer.model_max_length = 64
    assert encoder.max_pieces == 64


@torch.no_grad()
def test_positions_are_given_where_they_count(folder):
    """Counted from 0 in every row they are those that the model counts itself."""
    encoder = Encoder.from_pretrained(folder).eval()
    assert encoder.accepts_positions == (folder.name != "deberta-v2")
    if not encoder.accepts_positions:
        return
    view = pair_view(encoder, FIRST, SECOND)
    rows = np.concatenate([np.arange(n) for n in view.lengths])
    counted = replace(view, positions=rows)
    torch.testing.assert_close(encoder.encode(counted).flat, encoder.encode(view).flat, atol=1e-5, rtol=1e-5)


def test_set_dropout_equals_a_model_built_with_it(folder, sentences):
    """In train mode both draw the same masks from the same seed."""
    names = [
        name for name, value in vars(plain(folder)[1].config).items() if name.endswith(("dropout", "dropout_prob"))
    ]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    none, much = (made(folder.name, tokenizer, **dict.fromkeys(names, share)) for share in (0.0, 0.4))
    much.load_state_dict(none.state_dict())
    inputs = {"input_ids": torch.arange(5, 25)[None], "attention_mask": torch.ones(1, 20, dtype=torch.long)}
    found = []
    set_dropout(none, 0.4)
    for model in (none, much):
        torch.manual_seed(5)
        found.append(model.train().base_model(**inputs).last_hidden_state)
    torch.testing.assert_close(*found)
    set_dropout(much, 0.0)
    torch.testing.assert_close(much.base_model(**inputs)[0], much.eval().base_model(**inputs)[0])


def test_layers_are_reinitialized_frozen_and_removed(folder):
    encoder = Encoder.from_pretrained(folder)
    before, weights = layer_hashes(encoder), {k: v.clone() for k, v in encoder.model.state_dict().items()}
    reinitialize_layers(encoder, [1], seed=3)
    now = layer_hashes(encoder)
    assert [name for name in before if before[name] != now[name]] == ["1"]
    changed = [k for k, v in encoder.model.state_dict().items() if not torch.equal(v, weights[k])]
    assert changed
    assert all(".1." in name for name in changed)
    configure_layers(encoder, LayersConfig(keep=1, freeze="embeddings"))
    assert encoder.layers == 1
    trained = {name for name, p in encoder.model.base_model.named_parameters() if p.requires_grad}
    assert trained
    assert all(".0." in f".{name}" for name in trained)  # relative embeddings, which all layers share, are frozen too


QUICK = {
    "training": {"batch": 6, "steps": 2, "log_every": 1, "checkpoint_every": 2},
    "data": {"min_pieces": 2},
    "moco": {"queue": 12, "projection": 8},
}


def states_of(model, inputs):
    with torch.no_grad():
        return model(**inputs).last_hidden_state


def test_align_fine_tune_evaluate_and_load_elsewhere(folder, tmp_path):
    recipe = "ppa-mini" if folder.name != HEADLESS else "moco-mini"
    aligned = paralign.align(
        str(folder), pairs=["en-de=smallworld:0-14"], out=tmp_path / "align", recipe=recipe, settings=QUICK, quiet=True
    )
    start, made = Encoder.from_pretrained(folder), Encoder.from_pretrained(aligned)
    assert made.digest() != start.digest()
    assert made.digest() == json.loads((aligned / "paralign.json").read_text())["model_hash"]
    card = (aligned / "README.md").read_text()
    assert ("pipeline_tag: fill-mask" in card) == (folder.name != HEADLESS)
    rows = paralign.finetune(
        str(aligned), task="pos", train="en=smallworld:0-12", eval=["de=smallworld:20-26"], out=tmp_path / "pos",
        overrides=["training.steps=2", "training.batch=6"], quiet=True,
    )  # fmt: skip
    assert {row.n for row in rows} == {6}
    rows = paralign.evaluate(
        str(aligned), task="retrieval", data=["en-de=smallworld:30-36"], out=tmp_path / "retrieval", quiet=True
    )
    assert {row.n for row in rows} == {6}
    for place in (aligned, tmp_path / "pos" / "seed-0" / "model"):
        ours = Encoder.from_pretrained(place)
        inputs = {"input_ids": torch.tensor([[7, 8, 9, 10]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}
        theirs = AutoModel.from_pretrained(place, attn_implementation="eager").eval()
        assert torch.equal(states_of(theirs, inputs), states_of(ours.model.base_model.eval(), inputs))
        ours.save_pretrained(tmp_path / "again")
        assert Encoder.from_pretrained(tmp_path / "again").digest() == ours.digest()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_from_scratch_every_family_trains_and_is_loaded_again(arch, sentences, tmp_path):
    made = paralign.pretrain(
        arch=f"{arch}:2x32", text=["en=smallworld:0-30"], vocab=300, max_length=40, out=tmp_path / "run",
        overrides=["training.steps=2", "training.batch=4"], quiet=True,
    )  # fmt: skip
    encoder = Encoder.from_pretrained(made)
    assert (encoder.layers, encoder.width, encoder.max_pieces) == (2, 32, 40)
    assert encoder.uses_token_types == (arch == "bert")
    config = json.loads((made / "config.json").read_text())
    numbers = [number for name, number in config.items() if name.endswith("_token_id") and number is not None]
    assert numbers
    assert max(numbers) < len(encoder.tokenizer)
    model = AutoModel.from_pretrained(made).eval()
    inputs = AutoTokenizer.from_pretrained(made)(FIRST[1], SECOND[2], return_tensors="pt")
    assert ("token_type_ids" in inputs) == encoder.uses_token_types
    assert model(**inputs).last_hidden_state.isfinite().all()
    assert Encoder.from_scratch(f"{arch}:2x32", encoder.tokenizer, max_length=40, dropout=0.3).encode(
        pair_view(encoder, FIRST[1:2], SECOND[2:])
    ).flat.shape == (inputs["input_ids"].shape[1], 32)


def test_the_head_of_deberta_is_read_as_its_authors_named_it(sentences, tmp_path, capsys):
    """Their weights call it ``lm_predictions``, and their config does not say so."""
    tokenizer = tokenizer_for("unigram", sentences)
    model = made("deberta-v2", tokenizer, legacy=False)
    folder = save(model, tokenizer, tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    del config["legacy"]
    (folder / "config.json").write_text(json.dumps(config))
    encoder = Encoder.from_pretrained(folder).eval()
    assert capsys.readouterr().err == ""
    encoder.save_pretrained(tmp_path / "again")
    again = AutoModelForMaskedLM.from_pretrained(tmp_path / "again").eval()
    ids = torch.tensor([[7, 8, 9]])
    with torch.no_grad():
        wanted = model(input_ids=ids)
        torch.testing.assert_close(again(input_ids=ids).logits, wanted.logits)
        states = model.base_model(input_ids=ids).last_hidden_state[0]
        torch.testing.assert_close(encoder.logits(states), wanted.logits[0])


def test_distances_cannot_be_restarted(sentences, tmp_path):
    tokenizer = tokenizer_for("unigram", sentences)
    folder = save(made("deberta-v2", tokenizer), tokenizer, tmp_path / "model")
    with pytest.raises(UserError, match=r"cannot restart in deberta-v2 models.*restart_positions"):
        paralign.align(
            str(folder), pairs=["en-de=smallworld:0-14"], out=tmp_path / "run", quiet=True,
            overrides=["views.restart_positions=true"],
        )  # fmt: skip
    assert not (tmp_path / "run").exists()
