"""Fused and eager attention give the same result for all sizes of chunks."""

import pytest
import torch

from tests.gpu.comparing import FP32, perturb

pytestmark = pytest.mark.gpu
BF16 = 3e-2  # of hidden states, larger than for mean losses; see test_objectives


def states_and_gradient(encoder, view, attention, cost, device, bf16):
    """Return the hidden states of a view and the gradient of the embeddings."""
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
def test_sdpa_and_eager_attention_agree_in_all_chunks(name, bf16, arch, case, make_encoder, device, record_property):
    """With one chunk, with a chunk for every few rows, and with the default cost; rows are padded."""
    encoder = make_encoder(arch)
    perturb(encoder.model, 0.2)  # with initial weights, attention has almost no effect
    view = case.batch(encoder).view(name)
    expected = states_and_gradient(encoder, view, "eager", 1 << 20, torch.device("cpu"), False)
    tolerance = BF16 if bf16 else FP32
    worst = 0.0
    for attention in ("eager", "sdpa"):
        for cost in (0, 2_048, 1 << 20):
            found = states_and_gradient(encoder, view, attention, cost, device, bf16)
            for a, b in zip(expected, found, strict=True):
                worst = max(worst, float((a - b).norm() / a.norm()))
    record_property("difference", worst)
    assert worst < tolerance
