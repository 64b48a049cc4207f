"""Dropout on a device has the right rate, independent masks in every step, and the same masks for the same seed."""

import math

import pytest
import torch
from torch import nn

from paralign.encoder.dropout import Dropout
from tests.gpu.comparing import computing_on
from tests.training.runs import trainer

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dropout_rate_and_scale(dtype, device):
    torch.manual_seed(0)
    layer, ones = Dropout(0.1).train(), torch.ones(700, 300, dtype=dtype, device=device)
    first, second = layer(ones), layer(ones)
    for out in (first, second):
        dropped = float((out == 0).double().mean())
        assert abs(dropped - 0.1) < 5 * math.sqrt(0.1 * 0.9 / ones.numel()) + 1 / 65_536
        assert float(out[out != 0].float().mean()) == pytest.approx(1 / 0.9, rel=5e-3)
    both = float(((first == 0) & (second == 0)).double().mean())
    assert abs(both - 0.01) < 5 * math.sqrt(0.01 / ones.numel())


def test_masks_differ_between_steps_and_depend_on_the_seed_only(device, make_device_encoder, store, tmp_path):
    def masks(name, **settings):
        """Return the dropout masks of the embeddings in the first rows of three steps."""
        seen = []
        with computing_on(device):
            made = trainer(make_device_encoder(dropout=0.1), store, tmp_path / name, steps=3, **settings)
            layers = [m for m in made.learner.encoder.modules() if isinstance(m, nn.Dropout)]

            def watch(module, given, out):
                seen.append(((out == 0) & (given[0] != 0)).reshape(-1)[:4_000].cpu())

            layers[0].register_forward_hook(watch)
            made.train()
        assert len(seen) == 6  # two views a step, in one chunk each
        return seen[::2]

    first, again, other = masks("a"), masks("b"), masks("c", seed=1)
    shared = min(len(mask) for mask in first)
    for one, same in zip(first, again, strict=True):
        assert torch.equal(one, same)
        assert abs(float(one.double().mean()) - 0.1) < 5 * math.sqrt(0.09 / len(one))
    # Independent masks agree at 0.1^2 + 0.9^2 of the positions.
    for a, b in ((first[0], first[1]), (first[1], first[2]), (first[0], other[0])):
        size = min(shared, len(a), len(b))
        same = float((a[:size] == b[:size]).double().mean())
        assert abs(same - 0.82) < 5 * math.sqrt(0.82 * 0.18 / size)


def test_dropout_of_attention_depends_on_the_seed(device, make_device_encoder):
    """Fused attention has a random generator of its own."""
    encoder = make_device_encoder(dropout=0.0)
    layers = [part for part in encoder.model.modules() if type(part).__name__.endswith("SelfAttention")]
    assert len(layers) == 2
    for layer in layers:
        layer.dropout.p = 0.3
    ids = torch.arange(30, 62, device=device).view(2, 16)
    base = encoder.model.base_model.to(device).train()

    def states(seed):
        torch.manual_seed(seed)
        with torch.no_grad():
            return base(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state

    assert torch.equal(states(0), states(0))
    assert not torch.allclose(states(0), states(1))
    base.eval()
    assert torch.equal(states(0), states(1))
