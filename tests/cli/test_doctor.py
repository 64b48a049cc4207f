"""The output of ``doctor``."""

import re

import pytest
import torch

from paralign.__main__ import main
from paralign.cli import doctor


def test_doctor_prints_hardware_and_versions(capsys):
    assert main(["doctor"]) == 0
    rows = dict(re.findall(r"^(\S+) +(.+)$", capsys.readouterr().out, re.MULTILINE))
    assert rows["torch"] == torch.__version__
    assert set(rows) > {"python", "paralign", "datasets", "eflomal", "device", "precision", "memory", "disk"}
    assert f"{torch.get_num_threads()} threads" in rows["device"] or torch.cuda.is_available()


@pytest.mark.parametrize(
    ("threads", "cores", "device", "message"),
    [(1, 8, "cpu", "1 of 8 cores are used"), (8, 2, "cpu", "8 threads compete for 2 cores"), (2, 2, "cpu", None),
     (1, 8, "cuda", None)],
)  # fmt: skip
def test_warning_if_threads_exceed_cores(threads, cores, device, message, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    warnings = doctor._warnings(threads, cores, device)
    assert (message in warnings[0]) if message else not warnings


def test_a_cuda_build_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "finds no GPU" in doctor._warnings(2, 2, "cpu")[0]
