"""The training loop on a device: losses and weights of the CPU, resuming, gradient checkpointing."""

import pytest
import torch

from tests.gpu.comparing import FP32, computing_on
from tests.gpu.test_objectives import BF16_LOSS
from tests.training.runs import log_of, losses_of, module_bytes, trainer
from tests.training.test_trainer import Crash, crash

pytestmark = pytest.mark.gpu
STEADY = {"steps": 3, "eps": 1e-3}
"""Adam divides by the magnitude of the gradient; a larger eps prevents it from amplifying rounding errors."""


def train_run(device, encoder, store, run, **settings):
    """Train and return the losses of each step and the final weights, on the CPU."""
    with computing_on(device):
        made = trainer(encoder, store, run, **settings)
        made.train()
        assert made.accelerator.device.type == device.type
    return losses_of(run), {name: p.detach().float().cpu().clone() for name, p in made.learner.named_parameters()}


def largest_difference(one, other):
    """Return the largest relative difference of two lists of losses."""
    pairs = [(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a]
    return max(abs(a - b) / max(1, abs(a)) for a, b in pairs)


@pytest.mark.parametrize("objectives", ["ppa", "moco-mlm"])
def test_three_steps_equal_those_on_the_cpu(
    objectives, device, make_cpu_encoder, make_device_encoder, store, tmp_path, record_property
):
    start = {name: p.detach().clone() for name, p in make_cpu_encoder().named_parameters()}
    settings = STEADY | {"objectives": objectives}
    expected, weights = train_run(torch.device("cpu"), make_cpu_encoder(), store, tmp_path / "cpu", **settings)
    actual, others = train_run(device, make_device_encoder(), store, tmp_path / "device", **settings)
    difference = largest_difference(expected, actual)
    names = [name for name in weights if name.removeprefix("encoder.") in start]
    moved = sum(float((weights[n] - start[n.removeprefix("encoder.")]).square().sum()) for n in names) ** 0.5
    off = sum(float((weights[n] - others[n]).square().sum()) for n in names) ** 0.5
    record_property("loss_difference", difference)
    record_property("update_difference", off / moved)
    assert len(actual) == 3
    assert difference < FP32
    assert off / moved < 1e-3  # relative to the total update


def test_three_steps_in_bf16_are_close_to_fp32(
    device, make_cpu_encoder, make_device_encoder, store, tmp_path, record_property
):
    expected, _ = train_run(torch.device("cpu"), make_cpu_encoder(), store, tmp_path / "cpu", **STEADY)
    actual, _ = train_run(device, make_device_encoder(), store, tmp_path / "device", **STEADY, precision="bf16")
    difference = largest_difference(expected, actual)
    record_property("loss_difference", difference)
    assert 0 < difference < BF16_LOSS


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", BF16_LOSS)])
def test_a_resumed_run_equals_an_uninterrupted_one(
    precision, tolerance, device, make_device_encoder, store, tmp_path, record_property
):
    """Bit-identical on a CPU, within a tolerance on CUDA.

    CUDA adds gradients of embeddings and gathered states by atomic operations in no fixed order. Two runs of the same
    steps differ in their last bits, which Adam amplifies. Wrong batches, masks, dropout or moments cause much larger
    differences, as the run with another seed shows.
    """
    settings = {"precision": precision, "eps": 1e-5}
    whole, _ = train_run(device, make_device_encoder(dropout=0.1), store, tmp_path / "whole", **settings)
    with computing_on(device), pytest.raises(Crash):
        trainer(make_device_encoder(dropout=0.1), store, tmp_path / "run", at=6, act=crash, **settings).train()
    with computing_on(device):
        trainer(make_device_encoder(dropout=0.1), store, tmp_path / "run", **settings).train(resume=True)
    again = losses_of(tmp_path / "run")
    difference = largest_difference(whole, again)
    same = module_bytes(tmp_path / "whole", 9) == module_bytes(tmp_path / "run", 9)
    record_property("loss_difference", difference)
    record_property("same_bytes", same)
    other, _ = train_run(device, make_device_encoder(dropout=0.1), store, tmp_path / "other", seed=1, **settings)
    assert largest_difference(whole, other) > 2 * tolerance
    assert difference < tolerance
    if device.type == "cpu":
        assert same
        assert log_of(tmp_path / "whole") == log_of(tmp_path / "run")


def test_gradient_checkpointing_does_not_change_the_result(
    device, make_device_encoder, store, tmp_path, record_property
):
    """With dropout, whose masks must be the same in the recomputation."""
    settings = STEADY | {"steps": 4}
    plain, weights = train_run(device, make_device_encoder(dropout=0.1), store, tmp_path / "plain", **settings)
    again, others = train_run(
        device, make_device_encoder(dropout=0.1), store, tmp_path / "again", **settings, gradient_checkpointing=True
    )
    difference = largest_difference(plain, again)
    record_property("loss_difference", difference)
    assert difference < FP32
    if device.type == "cpu":
        assert all(torch.equal(value, others[name]) for name, value in weights.items())
