"""The encoder gives the reference model's numbers, for every family, however a view is cut into chunks."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForMaskedLM

from paralign.batches.views import PairBatch, ViewsConfig
from paralign.encoder import Encoder, HiddenStates
from paralign.encoder.hf import base_of, checkpoint_gradients, hidden_states, layer_stack
from paralign.errors import UserError
from paralign.objectives.base import Step
from tests.objectives.batches import corpus
from tests.oracles.rows_alone import rows_alone

SHAPE = {
    "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64,
    "max_position_embeddings": 160, "vocab_size": 808, "pad_token_id": 0,
}  # fmt: skip
FAMILIES = {
    "bert": {},
    "xlm-roberta": {"type_vocab_size": 1},
    "roberta": {"type_vocab_size": 1},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64},
    "deberta-v2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0},
    "deberta-v2 with convolution": {"relative_attention": True, "pos_att_type": ["p2c"], "conv_kernel_size": 3},
    "electra": {"embedding_size": 16},
    "modernbert": {
        "global_attn_every_n_layers": 2,
        "local_attention": 16,
        "cls_token_id": 2,
        "sep_token_id": 3,
    },
    "albert": {"embedding_size": 16},
}


def made(family, tokenizer):
    shape = {k: v for k, v in SHAPE.items() if family != "distilbert" or k in ("vocab_size", "max_position_embeddings")}
    config = AutoConfig.for_model(family.split()[0], **shape | FAMILIES[family])
    torch.manual_seed(1)
    model = AutoModelForMaskedLM.from_config(config)
    for parameter in model.parameters():  # away from the symmetric start: biases and norms count too
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def views_of(store, encoder):
    batch = PairBatch(
        store,
        np.array([3, 170, 41, 0, 199, 10, 11]),
        np.arange(7),
        template=encoder.template,
        config=ViewsConfig(),
        seed=1,
        epoch=0,
    )
    return [batch.view(name) for name in ("joint", "first", "text")]


@pytest.mark.parametrize("family", FAMILIES)
def test_states_and_scores_are_those_of_each_row_alone(family, store, tokenizer):
    model = made(family, tokenizer)
    encoder = Encoder(copy.deepcopy(model), tokenizer).eval()
    for view in views_of(store, encoder)[:2]:
        layers, last, scores = rows_alone(model, view, types=encoder.uses_token_types)
        assert len(set(view.lengths.tolist())) > 3
        for cost in (1 << 20, 20, 0):  # one chunk, a few, many
            encoder.chunk_cost = cost
            with torch.no_grad():
                states = encoder.encode(view)
                every = encoder.encode_layers(view, [*range(encoder.layers + 1)])
                chosen = encoder.logits(states.at(view.masked))
            torch.testing.assert_close(states.flat, last, atol=1e-5, rtol=1e-5)
            with torch.no_grad():
                alone = [encoder.encode_layers(view, [layer])[0] for layer in range(encoder.layers + 1)]
            assert len(every) == len(layers)
            for ours, theirs in zip(alone, every, strict=True):
                torch.testing.assert_close(ours.flat, theirs.flat, atol=1e-6, rtol=1e-6)
            for ours, theirs in zip(every, layers, strict=True):
                torch.testing.assert_close(ours.flat, theirs, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(chosen, scores[view.masked], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("cost", [1 << 20, 20])
def test_views_encoded_together_have_the_states_of_each_alone(family, cost, store, tokenizer, monkeypatch):
    encoder = Encoder(made(family, tokenizer), tokenizer, chunk_cost=cost).eval()
    views = views_of(store, encoder)
    with torch.no_grad():
        alone = [encoder.encode(view).flat for view in views]
        monkeypatch.setattr(Encoder, "encodes_together", True)
        together = [states for (states,) in encoder.encode_views([(view, [encoder.layers]) for view in views])]
    assert [states.view for states in together] == views
    for states, expected in zip(together, alone, strict=True):
        torch.testing.assert_close(states.flat, expected, atol=1e-5, rtol=1e-5)
    rows = sum(len(view.lengths) for view in views)
    shapes = encoder.chunk_shapes(views)
    assert sum(number for number, _ in shapes) == rows
    assert max(length for _, length in shapes) == max(view.lengths.max() for view in views)
    assert (len(shapes) == 1) == (cost == 1 << 20)


def test_an_accelerator_encodes_all_views_of_a_step_in_one_call(store, encoder, monkeypatch):
    calls = []
    whole = Encoder.encode_views
    monkeypatch.setattr(Encoder, "encode_views", lambda self, views: calls.append(len(views)) or whole(self, views))
    batch = corpus(store, encoder).batch(0)
    for together, expected in ((False, [1, 1]), (True, [2])):
        monkeypatch.setattr(Encoder, "encodes_together", together)
        calls.clear()
        step = Step(encoder, batch, {"first": [2], "joint": [1, 2]})
        for view, layer in (("joint", -1), ("first", 2), ("joint", 0.5)):
            assert step.hidden(view, layer).view is batch.view(view)
        assert calls == expected
        assert list(step.encoded) == [("joint", 1), ("joint", 2), ("first", 2)]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_alone_is_that_of_all_layers(family, store, tokenizer):
    encoder = Encoder(made(family, tokenizer), tokenizer).eval()
    ids = torch.tensor([[7, 8, 9, 10, 11], [12, 13, 14, 0, 0]])
    mask = (ids > 0).long()
    with torch.no_grad():
        expected = base_of(encoder.model)(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        for layer, states in enumerate(expected):
            (found,) = hidden_states(encoder.model, [layer], {"input_ids": ids, "attention_mask": mask})
            torch.testing.assert_close(found[mask.bool()], states[mask.bool()], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in ("albert", "deberta-v2 with convolution")])
def test_layers_above_the_requested_ones_are_not_computed(family, store, tokenizer):  # ALBERT has one shared layer
    encoder = Encoder(made(family, tokenizer), tokenizer).eval()
    view = views_of(store, encoder)[1]
    calls = []
    layers = layer_stack(encoder.model)
    for k, layer in enumerate(layers, 1):
        layer.register_forward_hook(lambda *_, k=k: calls.append(k))
    for wanted, computed in (([1], {1}), ([0, 1], {1}), ([2], {1, 2}), ([1, 2], {1, 2})):
        calls.clear()
        with torch.no_grad():
            encoder.encode_layers(view, wanted)
        assert set(calls) == computed
    assert layer_stack(encoder.model) == layers


@pytest.mark.parametrize("checkpointing", [False, True])
def test_gradients_reach_the_layers_below_a_middle_state_only(checkpointing, store, make_encoder):
    encoder = make_encoder(dropout=0.0).train()
    view = views_of(store, encoder)[1]
    gradients = []
    for way in ("all", "one"):
        encoder.zero_grad()
        if way == "one" and checkpointing:
            checkpoint_gradients(encoder.model)
        states = encoder.encode_layers(view, [0, 1, 2])[1] if way == "all" else encoder.encode_layers(view, [1])[0]
        states.flat.square().sum().backward()
        gradients.append({n: p.grad.clone() for n, p in encoder.named_parameters() if p.grad is not None})
    every, middle = gradients
    assert not any("layer.1." in name for name in middle)
    assert {name for name in every if every[name].any()} == {name for name in middle if middle[name].any()}
    for name, value in middle.items():
        torch.testing.assert_close(value, every[name])


def test_token_types_reach_a_model_that_uses_them(store, encoder):
    joint = views_of(store, encoder)[0]
    assert set(joint.types.tolist()) == {0, 1}
    flat = replace(joint, types=np.zeros_like(joint.types))
    with torch.no_grad():
        assert not torch.allclose(encoder.encode(joint).flat, encoder.encode(flat).flat, atol=1e-3)


def test_pooling_is_the_first_piece_and_the_mean_without_specials(store, encoder):
    view = views_of(store, encoder)[0]
    with torch.no_grad():
        states = encoder.encode(view)
    ends = np.cumsum(view.lengths)
    for row, (start, end) in enumerate(zip(ends - view.lengths, ends, strict=True)):
        torch.testing.assert_close(states.cls()[row], states.flat[start])
        inner = [t for t in range(start, end) if not view.special[t]]
        torch.testing.assert_close(states.mean()[row], states.flat[inner].mean(0))


def test_the_first_and_last_piece_of_an_empty_row_are_zero():
    starts, lengths = np.array([0, 2, 2]), np.array([2, 0, 1])
    states = HiddenStates(torch.eye(3), SimpleNamespace(starts=starts, lengths=lengths))
    assert states.cls().tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert states.last().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]
    none = HiddenStates(torch.eye(3)[:0], SimpleNamespace(starts=np.zeros(2, int), lengths=np.zeros(2, int)))
    assert none.cls().tolist() == none.last().tolist() == [[0, 0, 0]] * 2


def test_gradients_are_those_of_the_reference_model(store, make_encoder):
    encoder = make_encoder()
    view = views_of(store, encoder)[0]
    model = copy.deepcopy(encoder.model)
    states = encoder.encode(view)
    encoder.logits(states.at(view.masked)).square().sum().backward()

    ends = np.cumsum(view.lengths)
    total = torch.zeros(())
    for start, end in zip(ends - view.lengths, ends, strict=True):
        inside = view.masked[(view.masked >= start) & (view.masked < end)] - start
        out = model(
            input_ids=torch.tensor(view.ids[None, start:end]),
            token_type_ids=torch.tensor(view.types[None, start:end]),
        )
        total = total + out.logits[0, torch.tensor(inside)].square().sum()
    total.backward()
    for (name, ours), theirs in zip(encoder.model.named_parameters(), model.parameters(), strict=True):
        assert (ours.grad is None) == (theirs.grad is None), name
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-4, rtol=1e-4, msg=name)


def test_a_row_longer_than_the_model_is_refused(make_encoder, store):
    small = make_encoder(max_length=12)
    with pytest.raises(UserError, match=r"longer than the model's 12.*lower data\.max_pieces"):
        small.encode(views_of(store, small)[0])


@pytest.mark.parametrize("family", ["bert", "roberta", "xlm-r"])
def test_the_longest_row_a_model_takes_is_taken(family, tokenizer, encoder, sentences):
    from paralign.encoder.sentences import sentence_view

    made = Encoder.from_scratch(f"{family}:1x32", tokenizer, max_length=20, dropout=0.0)
    assert made.max_pieces == 20
    view = sentence_view(made, [np.arange(5, 23)], None)
    assert made.encode(view).flat.shape == (20, 32)


def test_a_twin_has_its_own_weights_no_gradient_and_no_head(make_encoder, store):
    encoder = make_encoder()
    twin = encoder.copy_without_head()
    assert not any(p.requires_grad for p in twin.parameters())
    assert twin.parameter_count() == sum(p.numel() for p in encoder.base_parameters())
    view = views_of(store, encoder)[1]
    with torch.no_grad():
        before = twin.encode(view).flat
        torch.testing.assert_close(before, encoder.encode(view).flat)
        for parameter in encoder.parameters():
            parameter.add_(1)
        torch.testing.assert_close(twin.encode(view).flat, before)
