"""Compiled layers give the same losses on a device."""

import pytest
import torch
from torch import nn

from tests.gpu.comparing import FP32
from tests.gpu.test_trainer import STEADY, largest_difference, train_run

pytestmark = pytest.mark.gpu


def test_compiled_layers_give_the_same_losses(
    device, make_device_encoder, store, tmp_path, monkeypatch, record_property
):
    if device.type == "cpu":  # compilation takes a minute there; tests/training tests it
        whole = nn.Module.compile
        monkeypatch.setattr(nn.Module, "compile", lambda self, **given: whole(self, **given, backend="aot_eager"))
    plain, _ = train_run(device, make_device_encoder(), store, tmp_path / "plain", **STEADY)
    torch._dynamo.reset()
    compiled, _ = train_run(device, make_device_encoder(), store, tmp_path / "compiled", **STEADY, compile=True)
    apart = largest_difference(plain, compiled)
    record_property("loss_difference", apart)
    assert apart < FP32
