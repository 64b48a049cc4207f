"""Fused attention is eager attention, however a view is cut into chunks."""

import pytest
import torch

from tests.gpu.comparing import FP32, shake

pytestmark = pytest.mark.gpu
BF16 = 3e-2  # largest state: more terms in a row than in the mean, see test_objectives


def states_and_gradient(encoder, view, attention, cost, device, bf16):
    """States of a view and the gradient of the embeddings."""
    encoder.model.set_attn_implementation(attention)
    encoder.chunk_cost = cost
    encoder.to(device).train().zero_grad()
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        flat = encoder.encode(view).flat.float()
    weights = torch.randn(flat.shape, generator=torch.Generator().manual_seed(0)).to(device)
    (flat * weights).sum().backward()
    return flat.detach().cpu(), encoder.embeddings.grad.detach().cpu().clone()


@pytest.mark.parametrize("arch", ["bert:2x32", "xlm-r:2x32", "modernbert:2x32"])
@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("name", ["first", "joint", "text"])
def test_sdpa_and_eager_attention_agree_in_every_cut(name, bf16, arch, case, make_encoder, device, record_property):
    """One chunk, a chunk for every few rows, and what the default cost makes; padding included."""
    encoder = make_encoder(arch)
    shake(encoder.model, 0.2)  # fresh weights are so small that attention hardly matters
    view = case.batch(encoder).view(name)
    right = states_and_gradient(encoder, view, "eager", 1 << 20, torch.device("cpu"), False)
    tolerance = BF16 if bf16 else FP32
    worst = 0.0
    for attention in ("eager", "sdpa"):
        for cost in (0, 2_048, 1 << 20):
            found = states_and_gradient(encoder, view, attention, cost, device, bf16)
            for a, b in zip(right, found, strict=True):
                worst = max(worst, float((a - b).norm() / a.norm()))
    record_property("apart", worst)
    assert worst < tolerance
