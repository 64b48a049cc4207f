"""What ``doctor`` says."""

import re

import pytest
import torch

from paralign.__main__ import main
from paralign.cli import doctor


def test_doctor_says_what_there_is(capsys):
    assert main(["doctor"]) == 0
    said = dict(re.findall(r"^(\S+) +(.+)$", capsys.readouterr().out, re.MULTILINE))
    assert said["torch"] == torch.__version__
    assert set(said) > {"python", "paralign", "datasets", "eflomal", "device", "precision", "memory", "disk"}
    assert f"{torch.get_num_threads()} threads" in said["device"] or torch.cuda.is_available()


@pytest.mark.parametrize(
    ("threads", "cores", "device", "said"),
    [(1, 8, "cpu", "1 of 8 cores are used"), (8, 2, "cpu", "8 threads compete for 2 cores"), (2, 2, "cpu", None),
     (1, 8, "cuda", None)],
)  # fmt: skip
def test_threads_that_do_not_fit_the_cores(threads, cores, device, said, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    found = doctor._warnings(threads, cores, device)
    assert (said in found[0]) if said else not found


def test_a_cuda_build_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    assert "finds no GPU" in doctor._warnings(2, 2, "cpu")[0]
