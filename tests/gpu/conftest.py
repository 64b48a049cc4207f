"""Fixtures: the device that is compared with the CPU, and encoders for both."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
import torch

from tests.gpu.comparing import SmallWorldCase, cpu_encoder, device_encoder


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The accelerator, or the device named by ``PARALIGN_TEST_DEVICE``."""
    name = os.environ.get("PARALIGN_TEST_DEVICE")
    if name:
        return torch.device(name)
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if found is None:
        pytest.skip("no accelerator; with PARALIGN_TEST_DEVICE=cpu these tests run on the CPU")
    return found


@pytest.fixture(autouse=True)
def _full_precision() -> Iterator[None]:
    """Compute fp32 matrix products in fp32, not in TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture(scope="session")
def make_cpu_encoder(make_encoder: Callable[..., object]) -> Callable[..., object]:
    """A function that makes encoders with the settings of a CPU: eager attention, many chunks."""
    return lambda arch="bert:2x32", **settings: cpu_encoder(make_encoder, arch, **settings)


@pytest.fixture(scope="session")
def make_device_encoder(make_encoder: Callable[..., object]) -> Callable[..., object]:
    """The same for the settings of an accelerator: fused attention, few chunks."""
    return lambda arch="bert:2x32", **settings: device_encoder(make_encoder, arch, **settings)


@pytest.fixture(scope="session")
def case(
    store: object, make_encoder: Callable[..., object], tmp_path_factory: pytest.TempPathFactory
) -> SmallWorldCase:
    """Batches with links, translations and twins."""
    return SmallWorldCase(store, make_encoder, tmp_path_factory.mktemp("case"))
