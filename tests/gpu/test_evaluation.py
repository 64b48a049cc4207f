"""Tasks without training give the same scores on a device as on the CPU."""

from collections import Counter

import numpy as np
import pytest
import torch

from paralign.smallworld import World
from paralign.tasks.base import find_task
from tests.gpu.comparing import perturb
from tests.tasks.test_mining import corpora

pytestmark = pytest.mark.gpu
SPECS = {
    "retrieval": "en-de=smallworld:0-60",
    "lexicon": "en-de=smallworld:0-100",
    "alignment": "en-de=smallworld:0-40",
    "twins": "en-en~trans+inv=pieces",
}


def data_of(task):
    """Return a small set."""
    if task.name != "mining":
        return task.read(SPECS[task.name], lenient=False, dropped=Counter(), limit=None)
    english, german = ([World(0).sentence(k, tag).text for k in range(50)] for tag in ("en", "de"))
    return corpora(german, english, {(k, k) for k in range(50)})


@pytest.mark.parametrize("name", sorted({*SPECS, "mining"}))
def test_scores_equal_those_on_the_cpu(name, device, make_cpu_encoder, make_device_encoder, record_property):
    """Item by item. A tiny random encoder gives sentences similar vectors, so one item in fifty may differ."""
    task = find_task(name, {"threshold": 1.0} if name == "mining" else {})
    data, twins = data_of(task), name == "twins"
    on_cpu, on_device = (make(twins=twins).eval() for make in (make_cpu_encoder, make_device_encoder))
    for encoder in (on_cpu, on_device):
        perturb(encoder)
    expected = task.evaluate(on_cpu, None, data)
    actual = task.evaluate(on_device.to(device), None, data)
    assert [(s.metric, s.where) for s in expected] == [(s.metric, s.where) for s in actual]
    differing = max(np.mean((a.items != b.items).any(1)) for a, b in zip(expected, actual, strict=True))
    record_property("differing_items", float(differing))
    assert differing <= 0.02


def test_evaluation_does_not_move_the_encoder(device, make_device_encoder):
    encoder = make_device_encoder().eval().to(device)
    with torch.no_grad():
        find_task("retrieval").evaluate(encoder, None, data_of(find_task("retrieval")))
    assert encoder.device.type == device.type
