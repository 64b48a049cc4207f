"""Every registered objective gives the same losses and gradients on a device as on the CPU."""

import pytest
import torch

from paralign.objectives import OBJECTIVES
from tests.gpu.comparing import FP32, Apart, computed

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
# bf16 has 8 significant bits: one rounding is off by up to 2^-9 = 0.2 %. About twenty follow each other through two
# layers and a head; as errors of chance they add up to sqrt(20) * 0.2 % = 0.9 % of a state. Losses are means over many
# terms and nearer. Gradients go the way twice, and a biaffine score is a product of three: up to 3 % of their norm.
BF16_LOSS, BF16_GRADIENT = 1e-2, 4e-2


def name_of(variant):
    name, settings, case = variant
    more = {key: value for key, value in settings.items() if key not in SMALL["moco"]} | case
    return "-".join([name, *(f"{key}={value}" for key, value in more.items())])


@pytest.fixture
def both(request, case, make_plain, make_fast):
    """A variant's learner as on a CPU and as on a device, and a batch."""
    name, settings, more = request.param
    arch = {"twins": more.get("twins", False)}
    learners = [case.learner(make(**arch), name, settings, more.get("wide", 1)) for make in (make_plain, make_fast)]
    return learners, case.batch(learners[0].encoder)


@pytest.mark.parametrize("both", VARIANTS, ids=name_of, indirect=True)
def test_fp32_losses_and_gradients_are_the_cpus(both, device, record_property):
    (plain, fast), batch = both
    apart = Apart.of(computed(plain, batch, torch.device("cpu")), computed(fast, batch, device))
    apart.record(record_property)
    assert apart.loss < FP32
    assert apart.gradient < FP32
    assert apart.parameter < FP32


@pytest.mark.parametrize("both", VARIANTS, ids=name_of, indirect=True)
def test_bf16_losses_and_gradients_are_near(both, device, record_property):
    (plain, fast), batch = both
    apart = Apart.of(computed(plain, batch, torch.device("cpu")), computed(fast, batch, device, bf16=True))
    apart.record(record_property)
    assert apart.loss < BF16_LOSS
    assert apart.gradient < BF16_GRADIENT
