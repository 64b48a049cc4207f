"""``paralign doctor``."""

from __future__ import annotations

import typer

__all__ = ["command"]

_EXTRAS = {
    "datasets": "hub",
    "tensorboard": "track",
    "sentencepiece": "sentencepiece",
    "icu4py": "segmentation",
    "pandas": "pandas",
    "ray": "cluster",
}
_PLAIN = ("paralign", "torch", "transformers", "accelerate", "tokenizers", "safetensors", "numpy")


def command() -> None:
    """Print hardware, installed versions and known problems.

    \b
    Example:
      paralign doctor
    """
    import platform
    import shutil
    from importlib.metadata import PackageNotFoundError, version
    from pathlib import Path

    import torch

    from paralign.cores import available_cores
    from paralign.device import best_device, has_bf16
    from paralign.training.memory import GIB, free_memory

    def row(name: str, text: str) -> None:
        typer.echo(f"{name:21} {text}")

    row("python", f"{platform.python_version()} on {platform.machine()}")
    for package in _PLAIN:
        row(package, version(package))
    for package, extra in _EXTRAS.items():
        try:
            row(package, version(package))
        except PackageNotFoundError:
            row(package, f"not installed: pip install 'paralign[{extra}]'")
    row(
        "eflomal",
        shutil.which("eflomal-align")
        or shutil.which("eflomal")
        or "not found (needed only for words --method eflomal)",
    )
    device = best_device()
    cores = available_cores()
    threads = torch.get_num_threads()
    name = torch.cuda.get_device_name() if device.type == "cuda" else f"{threads} threads on {cores} cores"
    row("device", f"{device.type}, {name}")
    row("precision", f"auto: {'bf16' if has_bf16() else 'fp32'}")
    free = free_memory(device)
    row("memory", "unknown" if free is None else f"{free / GIB:.1f} GiB free")
    row("disk", f"{shutil.disk_usage(Path.cwd()).free / GIB:.1f} GiB free in this folder")
    for warning in _warnings(threads, cores, device.type):
        typer.echo(f"WARNING {warning}")


def _warnings(threads: int, cores: int, device: str) -> list[str]:
    import torch

    out = []
    if device == "cpu" and threads < cores:
        out.append(f"only {threads} of {cores} cores are used: unset OMP_NUM_THREADS, or set it to {cores}")
    if device == "cpu" and threads > cores:
        out.append(f"{threads} threads compete for {cores} cores: set OMP_NUM_THREADS={cores}")
    if device == "cpu" and torch.version.cuda is not None:
        out.append("torch is a CUDA build but finds no GPU: check nvidia-smi, or install the CPU build")
    return out
