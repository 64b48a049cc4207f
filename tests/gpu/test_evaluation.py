"""What is measured without training scores the same on a device as on the CPU."""

from collections import Counter

import numpy as np
import pytest
import torch

from paralign.smallworld import World
from paralign.tasks.base import find_task
from tests.gpu.comparing import shake
from tests.tasks.test_mining import corpora

pytestmark = pytest.mark.gpu
SPECS = {
    "retrieval": "en-de=smallworld:0-60",
    "lexicon": "en-de=smallworld:0-100",
    "alignment": "en-de=smallworld:0-40",
    "twins": "en-en~trans+inv=pieces",
}


def data_of(task):
    """A small set."""
    if task.name != "mining":
        return task.read(SPECS[task.name], lenient=False, dropped=Counter(), limit=None)
    english, german = ([World(0).sentence(k, tag).text for k in range(50)] for tag in ("en", "de"))
    return corpora(german, english, {(k, k) for k in range(50)})


@pytest.mark.parametrize("name", sorted({*SPECS, "mining"}))
def test_scores_of_an_encoder_as_it_is_are_the_cpus(name, device, make_plain, make_fast, record_property):
    """Item by item. A tiny random encoder puts sentences close together, so one in fifty may change places."""
    task = find_task(name, {"threshold": 1.0} if name == "mining" else {})
    data, twins = data_of(task), name == "twins"
    plain, fast = (make(twins=twins).eval() for make in (make_plain, make_fast))
    for encoder in (plain, fast):
        shake(encoder)
    right = task.evaluate(plain, None, data)
    found = task.evaluate(fast.to(device), None, data)
    assert [(s.metric, s.where) for s in right] == [(s.metric, s.where) for s in found]
    unlike = max(np.mean((a.items != b.items).any(1)) for a, b in zip(right, found, strict=True))
    record_property("unlike_items", float(unlike))
    assert unlike <= 0.02


def test_an_encoder_moved_to_the_device_stays_there(device, make_fast):
    encoder = make_fast().eval().to(device)
    with torch.no_grad():
        find_task("retrieval").evaluate(encoder, None, data_of(find_task("retrieval")))
    assert encoder.device.type == device.type
