"""The results: one JSON object per line, written to disk at once. Uses only the standard library."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["append", "code_digest", "current_commit", "measured_values", "read_lines", "rounded"]

ROOT = Path(__file__).resolve().parents[2]


def append(path: Path, line: dict[str, Any]) -> None:
    """Append a line and wait until it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield all complete lines; one truncated by a kill is skipped."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def measured_values(path: Path, key: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the figures by name of measurements with the same ``key``: stage, device, code and so on."""
    return {
        line["name"]: line["value"]
        for line in read_lines(path)
        if line.get("status") == "measured" and all(line.get(name) == value for name, value in key.items())
    }


def code_digest(stage: str) -> str:
    """Return a digest of paralign's sources, the stage's file and `loop.py`; other code is measured again."""
    hasher, here = hashlib.blake2b(digest_size=6), Path(__file__).parent
    own = [here / f"stages/{stage}.py", here / "loop.py"]
    for path in [*sorted((ROOT / "src/paralign").rglob("*.py")), *own]:
        hasher.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return hasher.hexdigest()


def current_commit(pack: Path | None) -> str | None:
    """Return the commit of this clone (with ``+`` if it has local changes), or of the clone that made the pack."""
    try:
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        facts = pack / "pack.json" if pack else None
        return json.loads(facts.read_text(encoding="utf-8"))["commit"] if facts and facts.exists() else None


def rounded(value: Any) -> Any:
    """Round all numbers to six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
