"""Compiled layers give the losses of plain ones on a device."""

import pytest
import torch
from torch import nn

from tests.gpu.comparing import FP32
from tests.gpu.test_trainer import STEADY, farthest, ran

pytestmark = pytest.mark.gpu


def test_compiled_layers_give_the_same_losses(device, make_fast, store, tmp_path, monkeypatch, record_property):
    if device.type == "cpu":  # its compiler takes a minute; tests/training has that test
        whole = nn.Module.compile
        monkeypatch.setattr(nn.Module, "compile", lambda self, **given: whole(self, **given, backend="aot_eager"))
    plain, _ = ran(device, make_fast(), store, tmp_path / "plain", **STEADY)
    torch._dynamo.reset()
    compiled, _ = ran(device, make_fast(), store, tmp_path / "compiled", **STEADY, compile=True)
    apart = farthest(plain, compiled)
    record_property("apart_loss", apart)
    assert apart < FP32
