"""``paralign doctor``."""

from __future__ import annotations

import typer

__all__ = ["command"]


def command() -> None:
    """Say what this machine offers and which versions are installed."""
    import platform
    from importlib.metadata import version

    import torch

    from paralign.device import has_bf16

    typer.echo(f"python        {platform.python_version()} on {platform.machine()}")
    for package in ("paralign", "torch", "transformers", "accelerate", "tokenizers", "safetensors", "numpy"):
        typer.echo(f"{package:13} {version(package)}")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    typer.echo(f"device        {device}")
    typer.echo(f"precision     auto means {'bf16' if has_bf16() else 'fp32'} here")
