"""Where things are computed."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch

from paralign.device import best_device, gpu_of, has_bf16, on_device, select_device
from paralign.errors import UserError
from paralign.training.memory import peak_memory


@pytest.mark.parametrize("array", [np.arange(5), np.array([True, False]), np.array([[0.5, 2.0]], np.float32)])
def test_an_array_on_a_device_keeps_type_and_values(array):
    made = on_device(array, best_device())
    assert made.device.type == best_device().type
    assert made.dtype == torch.from_numpy(array).dtype
    assert made.tolist() == array.tolist()


def test_the_gpu_does_not_count_if_the_cpu_is_chosen(monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "1")
    for name in ("is_bf16_supported", "max_memory_allocated"):
        monkeypatch.delattr(torch.cuda, name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    assert has_bf16()
    assert peak_memory() > 0


@pytest.mark.parametrize(("device", "supported"), [("xpu", True), ("xpu", False), ("mps", False)])
def test_the_cpu_does_not_count_if_there_is_another_accelerator(device, supported, monkeypatch):
    monkeypatch.setattr("paralign.device.best_device", lambda: torch.device(device))
    monkeypatch.setattr(torch.xpu, "is_bf16_supported", lambda including_emulation: including_emulation or supported)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": not supported}, raising=False)
    assert has_bf16() == supported


@pytest.fixture
def environment(monkeypatch):
    """Variables that a choice of the device may set; they are restored."""
    for name in ("ACCELERATE_USE_CPU", "CUDA_VISIBLE_DEVICES", "WORLD_SIZE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


def test_the_cpu_can_be_chosen(environment):
    environment.setattr(torch.accelerator, "is_available", lambda: True)
    environment.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    select_device(None)
    assert best_device().type == "cuda"
    select_device("cpu")
    assert best_device().type == "cpu"
    select_device("cuda")
    assert best_device().type == "cuda"


@pytest.mark.parametrize(("gpus", "names"), [(0, [None] * 3), (1, [None] * 3), (2, ["cuda:0", "cuda:1", "cuda:0"])])
def test_processes_take_the_gpus_in_turn(environment, gpus, names):
    environment.setattr("torch.accelerator.is_available", lambda: gpus > 0)
    environment.setattr("torch.cuda.is_available", lambda: gpus > 0)
    environment.setattr("torch.cuda.device_count", lambda: gpus)
    assert [gpu_of(number) for number in range(3)] == names
    environment.setenv("ACCELERATE_USE_CPU", "1")
    assert [gpu_of(number) for number in range(3)] == [None] * 3


def test_one_of_the_visible_gpus_can_be_chosen(environment):
    environment.setattr(torch.accelerator, "is_available", lambda: True)
    environment.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    environment.setenv("CUDA_VISIBLE_DEVICES", "4,7")
    select_device("cuda:1")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "7"
    with pytest.raises(UserError, match="CUDA_VISIBLE_DEVICES has 1"):
        select_device("cuda:1")
    environment.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserError, match="torchrun started 2 processes"):
        select_device("cuda:0")


@pytest.mark.parametrize("name", ["mps", "cuda", "xpu"])
def test_a_device_that_is_missing_is_refused(name, environment):
    environment.setattr(torch.accelerator, "is_available", lambda: False)
    with pytest.raises(UserError, match=f"there is no device '{name}' .available here: cpu."):
        select_device(name)


@pytest.mark.parametrize("name", ["", "gpu0", "cuda:", "cuda:x", "cpu:1", "mps:0"])
def test_a_device_that_cannot_be_read_is_refused(name, environment):
    with pytest.raises(UserError, match="cannot read the device"):
        select_device(name)


KEPT = """
import torch
from paralign.device import keep_memory, trim_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 >> 20

assert keep_memory()
tensors = [torch.ones(1 << 18) for _ in range(200)]  # 1 MB each
before = resident()
last = tensors.pop()  # at the end of the heap: what is before it is a gap
del tensors
print(before - resident())
trim_memory()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or sys.platform != "linux", reason="needs glibc")
def test_memory_of_gaps_is_kept_until_it_is_trimmed():
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True)
    kept, trimmed = map(int, done.stdout.split())
    assert kept < 20
    assert trimmed > 150
