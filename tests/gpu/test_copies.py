"""Copies to a device, which go on while the CPU continues."""

import numpy as np
import pytest
import torch

from paralign.device import on_device

pytestmark = pytest.mark.gpu


def test_an_array_may_change_once_it_is_on_its_way(device):
    array = np.arange(1 << 22)
    busy = torch.randn(4_096, 4_096, device=device)
    for _ in range(20 if device.type != "cpu" else 0):  # the copy waits behind these
        busy = busy @ busy
    made = on_device(array, device)
    if device.type != "cpu":  # there, it is the same memory
        array[:] = -1
    assert torch.equal(made.cpu(), torch.arange(1 << 22))
