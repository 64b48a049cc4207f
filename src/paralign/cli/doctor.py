"""``paralign doctor``."""

from __future__ import annotations

import typer

__all__ = ["command"]

_EXTRAS = {"datasets": "hub", "tensorboard": "track", "sentencepiece": "sentencepiece"}
_PLAIN = ("paralign", "torch", "transformers", "accelerate", "tokenizers", "safetensors", "numpy")


def command() -> None:
    """Say what this machine offers, which versions are installed, and what to beware of."""
    import os
    import platform
    import shutil
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    import torch

    from paralign.device import best_device, has_bf16
    from paralign.training.memory import GIB, free_memory

    def say(name: str, text: str) -> None:
        typer.echo(f"{name:21} {text}")

    say("python", f"{platform.python_version()} on {platform.machine()}")
    for package in _PLAIN:
        say(package, version(package))
    for package, extra in _EXTRAS.items():
        try:
            say(package, version(package))
        except PackageNotFoundError:
            say(package, f"not installed: pip install 'paralign[{extra}]'")
    say("eflomal", shutil.which("eflomal-align") or shutil.which("eflomal") or "not found: only words --method eflomal")
    device = best_device()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{threads} threads on {cores} cores"
    say("device", f"{device.type}, {name}")
    say("precision", f"auto means {'bf16' if has_bf16() else 'fp32'} here")
    free = free_memory(device)
    say("memory", "unknown" if free is None else f"{free / GIB:.1f} GiB free")
    say("disk", f"{shutil.disk_usage(Path.cwd()).free / GIB:.1f} GiB free here")
    for warning in _warnings(threads, cores, device.type):
        typer.echo(f"WARNING {warning}")


def _warnings(threads: int, cores: int, device: str) -> list[str]:
    import torch

    out = []
    if device == "cpu" and threads < cores:
        out.append(f"{threads} of {cores} cores are used: unset OMP_NUM_THREADS, or set it to {cores}")
    if device == "cpu" and threads > cores:
        out.append(f"{threads} threads share {cores} cores and slow each other down: OMP_NUM_THREADS={cores}")
    if device == "cpu" and torch.version.cuda is not None:
        out.append("torch is built for CUDA and sees no GPU: look at nvidia-smi, or install the CPU build")
    return out
