"""The device these tests compare with the CPU."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
import torch

from tests.gpu.comparing import Case, device_encoder, plain_encoder


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The accelerator; the device named by ``PARALIGN_TEST_DEVICE`` where that is set."""
    wanted = os.environ.get("PARALIGN_TEST_DEVICE")
    if wanted:
        return torch.device(wanted)
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if found is None:
        pytest.skip("no accelerator; with PARALIGN_TEST_DEVICE=cpu these tests run on the CPU")
    return found


@pytest.fixture(autouse=True)
def _full_precision() -> Iterator[None]:
    """Matrix products in fp32 are fp32, not TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.fixture(scope="session")
def make_plain(make_encoder: Callable[..., object]) -> Callable[..., object]:
    """Encoders as on a CPU: eager attention, many chunks."""
    return lambda arch="bert:2x32", **settings: plain_encoder(make_encoder, arch, **settings)


@pytest.fixture(scope="session")
def make_fast(make_encoder: Callable[..., object]) -> Callable[..., object]:
    """The same encoders as on an accelerator: fused attention, few chunks."""
    return lambda arch="bert:2x32", **settings: device_encoder(make_encoder, arch, **settings)


@pytest.fixture(scope="session")
def case(store: object, make_encoder: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Batches with links, translations and twins."""
    return Case(store, make_encoder, tmp_path_factory.mktemp("case"))
