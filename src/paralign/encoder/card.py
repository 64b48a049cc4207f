"""The description of an encoder in its folder: a model card, and ``paralign.json`` with its provenance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from paralign.models import local_folder, shipped
from paralign.version import __version__

__all__ = ["limitations", "lineage", "on_hub", "read_provenance", "software", "write_card", "write_provenance"]

FILE = "paralign.json"
_TYPES: dict[str, Any] = {"method": str, "parent": (str, type(None)), "control": bool, "seeds": dict,
                          "languages": list, "objectives": list, "origin": str, "lineage": str}  # fmt: skip
"""Types of the facts that paralign reads; a fact of another type is ignored."""


def lineage(*facts: object) -> str:
    """Return a fingerprint of how an encoder was made, which encoders that differ only by seed have in common.

    Args:
        facts: what it was trained from (the lineage of its base, its fingerprint, or the shape of a new encoder), and
            the method and text it was trained with; no seeds and no paths.
    """
    return hashlib.blake2b(json.dumps(facts).encode(), digest_size=8).hexdigest()


def read_provenance(folder: str | Path) -> dict[str, Any]:
    """Read ``paralign.json`` next to an encoder.

    Args:
        folder: the encoder's folder, or the name of an encoder that comes with paralign.

    Returns:
        Its content; empty if there is no such file or it cannot be read, as for encoders from elsewhere.
    """
    try:
        facts = json.loads((local_folder(folder) / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(facts, dict):
        return {}
    return {name: value for name, value in facts.items() if isinstance(value, _TYPES.get(name, object))}


def write_provenance(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write ``paralign.json`` into an encoder's folder."""
    (folder / FILE).write_text(json.dumps(dict(facts), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write_card(folder: Path, facts: Mapping[str, Any], *, head: bool = True) -> None:
    """Write ``README.md`` (a Hugging Face model card) and ``paralign.json``.

    Args:
        folder: the encoder's folder.
        facts: ``model_hash``, ``parent``, ``origin``, ``lineage``, ``method``, ``control``, ``base``,
            ``languages``, ``objectives``, ``data`` (kept and dropped lines by corpus), ``unknown`` (share of unknown
            pieces by language), ``alarms``, ``steps``, ``records_seen``, ``seed``, ``device``, ``threads``,
            ``command``, ``settings``; and ``checkpoint`` (``path``, ``step``) if it was trained from a checkpoint of
            another run.
        head: whether the encoder has a vocabulary head.
    """
    write_provenance(folder, facts)
    languages = "\n".join(f"- {tag}" for tag in facts["languages"])
    base = str(facts["base"])
    hub = f"base_model: {base}\n" if on_hub(base) else ""
    data = "\n".join(f"* {line}" for line in facts["data"])
    started = facts.get("checkpoint")
    start = (
        f"\n| started from | `{started['path']}`, step {started['step']:,} of a run from the base |" if started else ""
    )
    text = f"""---
library_name: transformers
pipeline_tag: {"fill-mask" if head else "feature-extraction"}
{hub}language:
{languages}
tags:
- multilingual
- cross-lingual-alignment
- paralign
---

# {facts["method"]}

{"A masked-LM encoder" if head else "An encoder"} trained with paralign {__version__}.

| | |
|---|---|
| base | `{base}` |{start}
| objectives | {", ".join(facts["objectives"])} |
| languages | {", ".join(facts["languages"])} |
| steps | {facts["steps"]:,} |
| records seen | {facts["records_seen"]:,} |
| seed | {facts["seed"]} |
| weights | `{facts["model_hash"]}`, from `{facts["parent"]}` |

## Data

{data}

The license of the weights depends on the licenses of the base model and of this text; paralign cannot determine it.

## Limitations

{limitations(facts)}

## Use

```python
from transformers import AutoModel, AutoTokenizer

encoder = AutoModel.from_pretrained("PATH")
tokenizer = AutoTokenizer.from_pretrained("PATH")
```

## Reproduce

```
{facts["command"]}
```

{_reproduce(facts)}

Scores are in `results.jsonl` of the runs that evaluated this encoder, and in the reports written from them.
"""
    (folder / "README.md").write_text(text, encoding="utf-8")


def limitations(facts: Mapping[str, Any]) -> str:
    """Return a Markdown list of the alarms of training and the shares of unknown pieces.

    Args:
        facts: ``alarms`` and ``unknown``, as in :func:`write_card`; what is missing is left out, as for encoders from
            elsewhere.
    """
    alarms, unknown = facts.get("alarms"), facts.get("unknown")
    lines = [f"* Alarm in training: {text}" for text in alarms] if isinstance(alarms, list) else []
    if alarms == []:
        lines.append("* Training raised no alarms (collapse, losses that stay at chance level).")
    if isinstance(unknown, Mapping) and unknown:
        shares = ", ".join(f"{tag} {share:.2%}" for tag, share in unknown.items() if isinstance(share, float))
        lines.append(f"* Pieces of the training text that are unknown to the tokenizer, and lost: {shares}.")
    return "\n".join(lines) or "* Not recorded."


def software() -> str:
    """Return the versions of paralign and of the libraries that results depend on."""
    versions = (f"{name} {metadata.version(name)}" for name in ("torch", "transformers", "tokenizers"))
    return ", ".join([f"paralign {__version__}", *versions])


def _reproduce(facts: Mapping[str, Any]) -> str:
    threads = facts["threads"]
    return (
        f"Trained with {software()} on {facts['device']} with {threads} thread{'' if threads == 1 else 's'}. On a CPU, "
        "the same command with the same versions, files and number of threads gives the same bytes on one type of "
        "machine. Settings are in `paralign.json`; digests of the inputs are in `run.json` of the run."
    )


def on_hub(name: str) -> bool:
    """Return whether a name may be one on the Hugging Face Hub: no folder, and no shape of a new encoder."""
    return bool(name) and ":" not in name and shipped(name) is None and not Path(name).exists()
