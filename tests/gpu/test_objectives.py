"""Every objective gives the same losses and gradients on a device as on the CPU."""

import pytest
import torch

from paralign.objectives import OBJECTIVES
from tests.gpu.comparing import FP32, Difference, compute

pytestmark = pytest.mark.gpu

SMALL = {"moco": {"queue": 40, "projection": 8}}
VARIANTS = [
    *((name, SMALL.get(name, {}), {}) for name in sorted(OBJECTIVES)),
    ("moco", {**SMALL["moco"], "pool": "mean", "positive_in_denominator": False, "normalize_projection": False}, {}),
    ("bilingual", {"combine": "sum"}, {}),
    ("static", {"distance": "l2"}, {}),
    ("static", {"sample": 20}, {"wide": 3}),
    ("word_contrastive", {"negatives": "other"}, {}),
    ("mlm", {}, {"twins": True}),
    ("dict_mlm", {}, {"twins": True}),
]
# bf16 has 8 significant bits: the relative error of one rounding is up to 2^-9 = 0.2 %. A state is rounded about twenty
# times in two layers and a head; independent errors add up to sqrt(20) * 0.2 % = 0.9 %. Losses are means over many
# terms and more exact. Gradients pass the layers twice, and a biaffine score is a product of three factors: up to 3 %
# of the norm.
BF16_LOSS, BF16_GRADIENT = 1e-2, 4e-2


def name_of(variant):
    name, settings, case = variant
    more = {key: value for key, value in settings.items() if key not in SMALL["moco"]} | case
    return "-".join([name, *(f"{key}={value}" for key, value in more.items())])


@pytest.fixture
def learners(request, case, make_cpu_encoder, make_device_encoder):
    """Learners of a variant with the settings of the CPU and of the device, and a batch."""
    name, settings, more = request.param
    arch = {"twins": more.get("twins", False)}
    both = [
        case.learner(make(**arch), name, settings, more.get("wide", 1))
        for make in (make_cpu_encoder, make_device_encoder)
    ]
    return both, case.batch(both[0].encoder)


@pytest.mark.parametrize("learners", VARIANTS, ids=name_of, indirect=True)
def test_fp32_losses_and_gradients_equal_those_on_the_cpu(learners, device, record_property):
    (on_cpu, on_device), batch = learners
    difference = Difference.between(compute(on_cpu, batch, torch.device("cpu")), compute(on_device, batch, device))
    difference.record(record_property)
    assert difference.loss < FP32
    assert difference.gradient < FP32
    assert difference.parameter < FP32


@pytest.mark.parametrize("learners", VARIANTS, ids=name_of, indirect=True)
def test_bf16_losses_and_gradients_are_close_to_fp32(learners, device, record_property):
    (on_cpu, on_device), batch = learners
    difference = Difference.between(
        compute(on_cpu, batch, torch.device("cpu")), compute(on_device, batch, device, bf16=True)
    )
    difference.record(record_property)
    assert difference.loss < BF16_LOSS
    assert difference.gradient < BF16_GRADIENT
