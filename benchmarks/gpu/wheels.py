"""Install packages that a bare machine lacks from the wheels of the pack, without a network."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

__all__ = ["MISSING", "install"]

MISSING = {
    "annotated-types": "annotated_types",
    "typing-inspection": "typing_inspection",
    "pydantic-core": "pydantic_core",
    "pydantic": "pydantic",
    "tomli-w": "tomli_w",
    "py3langid": "py3langid",
}
"""Packages that such a machine may lack: distribution, module. The campaign does not need zstandard."""
PAIRED = ("pydantic-core", "pydantic")
"""Their versions must match: both are installed if one is missing."""


def install(pack: Path | None, target: Path) -> str | None:
    """Install into ``target`` the packages that cannot be imported.

    Returns:
        an error message, or ``None``.
    """
    missing = {name for name, module in MISSING.items() if importlib.util.find_spec(module) is None}
    if missing & set(PAIRED):
        missing |= set(PAIRED)
    missing = {name for name in missing if not (target / MISSING[name]).is_dir()}
    if not missing:
        return None
    if pack is None:
        return f"cannot import {', '.join(sorted(missing))}: install paralign, or give --pack"
    wheels = []
    for name in sorted(missing):
        matches = sorted((pack / "wheels").glob(f"{name.replace('-', '_')}-*.whl"))
        if not matches:
            return f"{pack / 'wheels'} has no wheel of {name}"
        wheels.append(str(matches[-1]))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--target", str(target)]
    result = subprocess.run([*command, *wheels], capture_output=True, text=True)
    if result.returncode:
        return f"pip could not install {', '.join(sorted(missing))}: {(result.stderr.strip().splitlines() or [''])[-1]}"
    return None
