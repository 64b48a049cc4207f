"""Schedule and parameter groups."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paralign.training import TrainingConfig
from paralign.training.optimizer import learning_rate, make_optimizer


@given(st.integers(1, 300), st.floats(0, 1))
def test_the_rate_rises_to_its_peak_and_is_0_after_the_last_step(steps, share):
    warmup = int(share * steps)
    rates = [learning_rate(step, steps=steps, warmup=warmup, peak=2.0) for step in range(steps + 1)]
    for step, rate in enumerate(rates[:-1]):
        wanted = 2.0 * min((step + 1) / warmup if warmup else 1.0, (steps - step) / max(1, steps - warmup))
        assert rate == pytest.approx(wanted)
        assert rate > 0
    assert rates[-1] == 0 or warmup == steps
    assert max(rates) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("given_", "steps", "warmup"),
    [
        ({"epochs": 10, "warmup": 0.1}, 250, 25),
        ({"epochs": 0.5, "warmup": 0.1}, 13, 1),
        ({"epochs": 0.001}, 1, 1),
        ({"steps": 6}, 6, 1),  # not 0
        ({"steps": 100, "warmup": 0.29}, 100, 29),  # 0.29 * 100 is 28.999999999999996
        ({"steps": 100, "warmup": 0.299}, 100, 29),
        ({"epochs": 0.28, "warmup": 0}, 7, 0),  # 0.28 * 25 is 7.000000000000001
        ({"steps": 40, "epochs": 10, "warmup": 1000}, 40, 40),
        ({"steps": 2000, "warmup": 1000}, 2000, 1000),
        ({"steps": 2000, "warmup": 0}, 2000, 0),
    ],
)
def test_epochs_become_steps_and_warm_up_is_a_share_or_a_number(given_, steps, warmup):
    config = TrainingConfig(**given_)
    assert config.total_steps(25) == steps
    assert config.warmup_steps(steps) == warmup


def test_matrices_decay_and_vectors_do_not(make_encoder):
    encoder = make_encoder()
    frozen = encoder.model.base_model.encoder.layer[0]
    frozen.requires_grad_(False)
    optimizer = make_optimizer(encoder, weight_decay=0.01, betas=(0.8, 0.9), eps=1e-7)
    decaying, others = optimizer.param_groups
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.01, 0.0)
    assert decaying["betas"] == others["betas"] == (0.8, 0.9)
    assert decaying["eps"] == 1e-7
    ids = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert ids == {id(p) for p in encoder.parameters()} - {id(p) for p in frozen.parameters()}
    for name, parameter in encoder.model.named_parameters():
        if parameter.requires_grad:
            plain = name.endswith("bias") or "LayerNorm" in name
            assert any(parameter is p for p in (others if plain else decaying)["params"]), name


def test_one_step_is_adamw():
    module = torch.nn.Linear(3, 2)
    weight, bias = module.weight.detach().clone(), module.bias.detach().clone()
    optimizer = make_optimizer(module, weight_decay=0.1, betas=(0.9, 0.999), eps=1e-8)
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    module.weight.grad, module.bias.grad = torch.full((2, 3), 0.5), torch.full((2,), -2.0)
    optimizer.step()
    # After one step both moments are unbiased: the update is the sign of the gradient.
    torch.testing.assert_close(module.weight, weight - 0.01 * 0.1 * weight - 0.01)
    torch.testing.assert_close(module.bias, bias + 0.01)
