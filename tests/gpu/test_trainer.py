"""The real loop on a device: the CPU's losses and weights, resume, gradient checkpointing."""

import pytest
import torch

from tests.gpu.comparing import FP32, computing_on
from tests.gpu.test_objectives import BF16_LOSS
from tests.training.runs import log_of, losses_of, module_bytes, trainer
from tests.training.test_trainer import Crash, crash

pytestmark = pytest.mark.gpu
STEADY = {"steps": 3, "eps": 1e-3}
"""Adam divides by the size of the gradient: a larger eps keeps it from magnifying rounding."""


def ran(device, encoder, store, run, **settings):
    """Losses of each step and the weights, on the CPU, of a whole run."""
    with computing_on(device):
        made = trainer(encoder, store, run, **settings)
        made.train()
        assert made.accelerator.device.type == device.type
    return losses_of(run), {name: p.detach().float().cpu().clone() for name, p in made.learner.named_parameters()}


def farthest(one, other):
    """The largest relative difference of two lists of losses."""
    pairs = [(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a]
    return max(abs(a - b) / max(1, abs(a)) for a, b in pairs)


@pytest.mark.parametrize("objectives", ["ppa", "moco-mlm"])
def test_three_steps_are_the_cpus(objectives, device, make_plain, make_fast, store, tmp_path, record_property):
    start = {name: p.detach().clone() for name, p in make_plain().named_parameters()}
    settings = STEADY | {"objectives": objectives}
    right, weights = ran(torch.device("cpu"), make_plain(), store, tmp_path / "cpu", **settings)
    found, others = ran(device, make_fast(), store, tmp_path / "device", **settings)
    apart = farthest(right, found)
    names = [name for name in weights if name.removeprefix("encoder.") in start]
    moved = sum(float((weights[n] - start[n.removeprefix("encoder.")]).square().sum()) for n in names) ** 0.5
    off = sum(float((weights[n] - others[n]).square().sum()) for n in names) ** 0.5
    record_property("apart_loss", apart)
    record_property("apart_update", off / moved)
    assert len(found) == 3
    assert apart < FP32
    assert off / moved < 1e-3  # of how far the weights went


def test_three_steps_in_bf16_are_near(device, make_plain, make_fast, store, tmp_path, record_property):
    right, _ = ran(torch.device("cpu"), make_plain(), store, tmp_path / "cpu", **STEADY)
    found, _ = ran(device, make_fast(), store, tmp_path / "device", **STEADY, precision="bf16")
    apart = farthest(right, found)
    record_property("apart_loss", apart)
    assert 0 < apart < BF16_LOSS


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("bf16", BF16_LOSS)])
def test_a_resumed_run_goes_on_as_if_nothing_had_been(
    precision, tolerance, device, make_fast, store, tmp_path, record_property
):
    """To the same bytes on a CPU. On CUDA within a tolerance: gradients of embeddings and of gathered states are added
    by atomic operations in no fixed order, so two runs of the same steps differ in their last bits, and Adam magnifies
    that. Wrong batches, masks, dropout or moments make far more than the tolerance, as the other seed shows."""
    settings = {"precision": precision, "eps": 1e-5}
    whole, _ = ran(device, make_fast(dropout=0.1), store, tmp_path / "whole", **settings)
    with computing_on(device), pytest.raises(Crash):
        trainer(make_fast(dropout=0.1), store, tmp_path / "run", at=6, act=crash, **settings).train()
    with computing_on(device):
        trainer(make_fast(dropout=0.1), store, tmp_path / "run", **settings).train(resume=True)
    again = losses_of(tmp_path / "run")
    apart = farthest(whole, again)
    same = module_bytes(tmp_path / "whole", 9) == module_bytes(tmp_path / "run", 9)
    record_property("apart_loss", apart)
    record_property("same_bytes", same)
    other, _ = ran(device, make_fast(dropout=0.1), store, tmp_path / "other", seed=1, **settings)
    assert farthest(whole, other) > 2 * tolerance
    assert apart < tolerance
    if device.type == "cpu":
        assert same
        assert log_of(tmp_path / "whole") == log_of(tmp_path / "run")


def test_gradient_checkpointing_changes_nothing(device, make_fast, store, tmp_path, record_property):
    """With dropout: what is computed again must drop the same."""
    settings = STEADY | {"steps": 4}
    plain, weights = ran(device, make_fast(dropout=0.1), store, tmp_path / "plain", **settings)
    again, others = ran(
        device, make_fast(dropout=0.1), store, tmp_path / "again", **settings, gradient_checkpointing=True
    )
    apart = farthest(plain, again)
    record_property("apart_loss", apart)
    assert apart < FP32
    if device.type == "cpu":
        assert all(torch.equal(value, others[name]) for name, value in weights.items())
