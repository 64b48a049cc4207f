"""Where things are computed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from paralign.device import best_device, on_device


@pytest.mark.parametrize("array", [np.arange(5), np.array([True, False]), np.array([[0.5, 2.0]], np.float32)])
def test_an_array_on_a_device_keeps_type_and_values(array):
    made = on_device(array, best_device())
    assert made.device.type == best_device().type
    assert made.dtype == torch.from_numpy(array).dtype
    assert made.tolist() == array.tolist()


@pytest.mark.gpu
@pytest.mark.skipif(best_device().type == "cpu", reason="needs an accelerator")
def test_an_array_may_change_once_it_is_on_its_way():
    array = np.arange(1 << 22)
    busy = torch.randn(4_096, 4_096, device=best_device())
    for _ in range(20):  # the copy waits behind these
        busy = busy @ busy
    made = on_device(array, best_device())
    array[:] = -1
    assert torch.equal(made.cpu(), torch.arange(1 << 22))
