"""The results: one JSON object a line, on disk as soon as it exists. Needs the standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["append", "code_of", "commit_of", "finished", "lines_of", "rounded"]

ROOT = Path(__file__).resolve().parents[2]


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line and wait until the disk has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """All whole lines; one cut short by a kill is left out."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue


def finished(path: Path, same: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Figures by name of measurements made with the same ``stage``, ``device``, ``tiny``, ``code`` and so on."""
    return {
        line["name"]: line["value"]
        for line in lines_of(path)
        if line.get("status") == "measured" and all(line.get(key) == value for key, value in same.items())
    }


def code_of(stage: str) -> str:
    """Digest of paralign's sources, the stage's own file and `loop.py`: figures of other code are measured again."""
    hasher, here = hashlib.blake2b(digest_size=6), Path(__file__).parent
    own = [here / f"stages/{stage}.py", here / "loop.py"]
    for path in [*sorted((ROOT / "src/paralign").rglob("*.py")), *own]:
        hasher.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return hasher.hexdigest()


def commit_of(pack: Path | None) -> str | None:
    """Of this clone (``+`` if it was changed since), or of the clone that made the pack."""
    try:
        asked = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        about = pack / "pack.json" if pack else None
        return json.loads(about.read_text(encoding="utf-8"))["commit"] if about and about.exists() else None


def rounded(value: Any) -> Any:
    """Six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    return [rounded(item) for item in value] if isinstance(value, list | tuple) else value
