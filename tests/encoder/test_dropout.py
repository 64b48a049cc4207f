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

from paralign.encoder.dropout import Dropout, use_fast_dropout
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
