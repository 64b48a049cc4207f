"""Dropout is what ``nn.Dropout`` promises, and follows torch's generator."""

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModel

from paralign.encoder.dropout import _FAMILIES, Dropout, use_fast_dropout
from paralign.tasks.tagging import PartOfSpeech
from paralign.training import Learner

TYPES = [torch.float32, torch.bfloat16, torch.float16, torch.float64]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.003, 0.97])
def test_the_share_dropped_and_the_scale_of_the_rest(dtype, p):
    torch.manual_seed(0)
    ones = torch.ones(700, 300, dtype=dtype)
    out = Dropout(p)(ones)
    assert out.dtype == dtype
    assert out.shape == ones.shape
    dropped = (out == 0).double().mean().item()
    assert abs(dropped - p) < 5 * math.sqrt(p * (1 - p) / ones.numel()) + 1 / 65_536
    out_of = round(p * 65_536)
    assert torch.equal(out[out != 0].unique(), torch.tensor([65_536 / (65_536 - out_of)], dtype=dtype))


def test_neighbors_and_calls_are_independent():
    torch.manual_seed(1)
    layer, ones = Dropout(0.5), torch.ones(400, 401)
    first, second = (layer(ones) != 0 for _ in range(2))
    bound = 5 / math.sqrt(ones.numel())
    for a, b in (
        (first, second),
        (first[:, :-1], first[:, 1:]),
        (first[:-1], first[1:]),
        (first[:, :-4], first[:, 4:]),
    ):
        together = np.corrcoef(a.reshape(-1).numpy(), b.reshape(-1).numpy())[0, 1]
        assert abs(together) < bound


@given(st.lists(st.integers(0, 7), max_size=3), st.integers(0, 1 << 40))
def test_the_gradient_is_that_of_a_product_with_the_noise(shape, seed):
    torch.manual_seed(seed)
    values = torch.randn(shape, dtype=torch.float64).requires_grad_()
    layer = Dropout(0.4)
    torch.manual_seed(seed)
    out = layer(values)
    torch.manual_seed(seed)
    noise = layer(torch.ones(shape, dtype=torch.float64))
    assert torch.equal(out, values * noise)
    weights = torch.randn(shape, dtype=torch.float64)
    (out * weights).sum().backward()
    assert torch.equal(values.grad, weights * noise)


def test_states_of_the_generator_repeat_it():
    """As checkpointed layers, which are computed twice, rely on."""
    torch.manual_seed(3)
    body = nn.Sequential(nn.Linear(16, 16), Dropout(0.3), nn.Linear(16, 16), Dropout(0.3))
    values, found = torch.randn(64, 16), []
    for again in (False, True):
        body.zero_grad()
        torch.manual_seed(4)
        (checkpoint(body, values, use_reentrant=False) if again else body(values)).square().sum().backward()
        found.append([parameter.grad.clone() for parameter in body.parameters()])
    for one, other in zip(*found, strict=True):
        assert torch.equal(one, other)


def test_outside_training_and_at_the_ends_it_is_torchs():
    values = torch.randn(5, 6)
    assert Dropout(0.4).eval()(values) is values
    assert torch.equal(Dropout(0.0)(values), values)
    assert torch.equal(Dropout(1.0)(values), torch.zeros(5, 6))
    assert torch.equal(Dropout(1e-7)(values), values * (1 / (1 - 1e-7)))
    kept = values.clone()
    Dropout(0.9, inplace=True)(kept)
    assert (kept == 0).any()


def test_only_plain_dropout_is_replaced():
    class Own(nn.Dropout):
        pass

    module = nn.Sequential(nn.Dropout(0.2), Own(0.3), nn.Sequential(nn.Dropout(0.4)))
    use_fast_dropout(module)
    assert [type(part) for part in module.modules()][1:] == [Dropout, Own, nn.Sequential, Dropout]
    assert [module[0].p, module[2][0].p] == [0.2, 0.4]


def test_all_that_is_trained_has_it(make_encoder):
    encoder = make_encoder(dropout=0.1)
    task = PartOfSpeech()
    learner = Learner(encoder, {"pos": task.head(encoder)})
    for one in (learner, copy.deepcopy(learner)):
        kinds = [type(part) for part in one.modules() if isinstance(part, nn.Dropout)]
        assert len(kinds) == 8  # embeddings, three in each of two layers, the head
        assert set(kinds) == {Dropout}


# -- dropout of attention

OTHER_ATTENTION = ["modernbert", "deberta-v2", "xlm"]


def small_model(family, dropout):
    sizes = {"hidden_size": 24, "dim": 24, "emb_dim": 24, "embedding_size": 24, "num_attention_heads": 3, "n_heads": 3,
             "num_hidden_layers": 2, "n_layers": 2, "intermediate_size": 40, "hidden_dim": 40, "vocab_size": 50,
             "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2}  # fmt: skip
    rates = ("attention_probs_dropout_prob", "attention_dropout", "hidden_dropout_prob", "dropout")
    default = AutoConfig.for_model(family)
    known = {name: value for name, value in sizes.items() if hasattr(default, name)}
    config = AutoConfig.for_model(family, **known, **{name: dropout for name in rates if hasattr(default, name)})
    if family == "xmod":
        config.default_language = config.languages[0]
    torch.manual_seed(0)
    return AutoModel.from_config(config, attn_implementation="eager").train()


def states_and_gradients(model):
    model.zero_grad()
    ids = torch.randint(3, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    torch.manual_seed(2)
    states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    (states * mask[..., None]).square().sum().backward()
    return [states.detach(), *(part.grad for part in model.parameters() if part.grad is not None)]


SAME_ATTENTION = (
    "albert", "bert", "camembert", "distilbert", "electra", "roberta", "xlm-roberta", "xlm-roberta-xl", "xmod",
)  # fmt: skip


def test_the_families_with_this_dropout_are_those_that_are_tested():
    assert set(SAME_ATTENTION) == _FAMILIES


@pytest.mark.parametrize("family", SAME_ATTENTION)
def test_attention_is_that_of_transformers_with_this_dropout(family, monkeypatch):
    """The oracle is eager attention of transformers, whose call of torch's dropout is replaced."""
    model = small_model(family, 0.2)
    fast = copy.deepcopy(model)
    use_fast_dropout(fast)
    assert fast.config._attn_implementation != "eager"
    found = states_and_gradients(fast)
    expected = states_and_gradients(model)
    assert not torch.equal(found[0], expected[0])  # other masks

    def replacement(values, p, training, inplace=False):
        return Dropout(p)(values) if training and p else values

    with monkeypatch.context() as patch:
        patch.setattr(nn.functional, "dropout", replacement)
        expected = states_and_gradients(model)
    assert len(found) == len(expected)
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    for one, other in zip(states_and_gradients(fast.eval()), states_and_gradients(model.eval()), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("family", OTHER_ATTENTION)
def test_other_attention_is_kept(family):
    model = small_model(family, 0.2)
    use_fast_dropout(model)
    assert model.config._attn_implementation == "eager"


def test_models_that_return_attentions_can_be_saved(tmp_path):
    model = small_model("bert", 0.2)
    model.config.output_attentions = True
    use_fast_dropout(model)
    model.save_pretrained(tmp_path)


def test_saved_models_do_not_name_it(tmp_path):
    model = small_model("bert", 0.2)
    use_fast_dropout(model)
    model.save_pretrained(tmp_path)
    assert AutoModel.from_pretrained(tmp_path).config._attn_implementation == "sdpa"
    assert "paralign" not in (tmp_path / "config.json").read_text()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_weights_that_are_computed_again_give_the_same_gradients(make_encoder, monkeypatch, dtype):
    gradients = []
    for large in (1, 1 << 62):
        monkeypatch.setattr("paralign.encoder.dropout._LARGE", large)
        encoder = make_encoder(dropout=0.3).train()
        use_fast_dropout(encoder.model)
        assert encoder.model.config._attn_implementation == "paralign"
        ids = torch.arange(5, 29).view(3, 8)
        torch.manual_seed(0)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            states = encoder.model.base_model(input_ids=ids).last_hidden_state.float()
        parameters = encoder.base_parameters()
        losses = states.square().mean(), states[:, 0].sum()
        of_each = [torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True) for loss in losses]
        gradients.append([g for of_loss in of_each for g in of_loss if g is not None])
    assert len(gradients[0]) == len(gradients[1]) > 20
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
