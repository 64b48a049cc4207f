"""What fine-tuning and evaluation share: data in, rows of ``results.jsonl`` out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from paralign.encoder import Encoder
from paralign.encoder.card import read_provenance
from paralign.errors import UserError
from paralign.objectives import Objective
from paralign.results import Items, Measurement, Seeds
from paralign.tasks import Task
from paralign.verbs.folder import say

__all__ = ["about_encoder", "dataset_name", "measure", "read_data", "saved_head", "say_dropped", "say_scores"]


def read_data(work: Task, spec: str, lenient: bool, limit: int | None) -> tuple[Any, Counter[str]]:
    dropped: Counter[str] = Counter()
    return work.read(spec, lenient=lenient, dropped=dropped, limit=limit), dropped


def say_dropped(dropped: Counter[str], quiet: bool) -> None:
    if dropped:
        say("dropped: " + ", ".join(f"{n:,} {reason}" for reason, n in dropped.most_common()), quiet=quiet)


def about_encoder(encoder: Encoder, model: str, system: str | None) -> dict[str, Any]:
    """What the rows say of the encoder."""
    known = read_provenance(model)
    digest = encoder.digest()
    seeds = known.get("seeds", {})
    return {
        "model": model,
        "model_hash": digest,
        "parent": known.get("parent"),
        "method": system or known.get("method") or Path(model).name,
        "control": bool(known.get("control")),
        "seeds": {k: seeds.get(k) for k in ("pretrain", "align") if k in seeds},
    }


def saved_head(
    work: Task, encoder: Encoder, model: str, system: str | None
) -> tuple[Objective | None, dict[str, Any], str | None]:
    """The saved head of a fine-tuned model, what its rows say, and the language it was trained on."""
    saved = Path(model) / "head.safetensors"
    if not work.trains or not saved.is_file():
        return None, about_encoder(encoder, model, system), None
    facts = json.loads((Path(model) / "task.json").read_text(encoding="utf-8"))
    if facts["task"] != work.name:
        raise UserError(f"the model was fine-tuned for {facts['task']!r}, not {work.name!r}", where=model)
    head = work.head(encoder)
    head.load_state_dict(load_file(saved))
    head.to(encoder.device)
    return head, facts["of"] | ({"method": system} if system else {}), facts["train"]


def dataset_name(spec: str) -> str:
    """The name a data set's languages share: ``en-de=ntrex.en-de.test.tsv`` and its French sister: ``ntrex.test``."""
    tags, _, path = spec.partition("=")
    name = re.sub(r"\.(gz|tsv|txt|conllu)\b", "", Path(path.split(",")[0]).name)
    own = {tags, *re.split("[-:]", tags)}
    return ".".join(part for part in re.split(r"[._]", name) if part and part not in own) or name


def measure(
    work: Task,
    encoder: Encoder,
    head: Objective | None,
    data: Any,
    spec: str,
    about: Mapping[str, Any],
    run: str,
    seeds: Seeds,
    *,
    split: str,
    train: str | None,
) -> list[tuple[Measurement, Items | None]]:
    dataset = dataset_name(spec)
    return [
        (
            Measurement(
                task=work.name,
                dataset=dataset,
                split=split,
                train=train,
                language=work.language(data),
                metric=score.metric,
                value=score.value,
                n=len(score.items),
                seeds=seeds,
                model=about["model"],
                model_hash=about["model_hash"],
                parent=about["parent"],
                run=run,
                where=score.where,
                settings={"system": about["method"], "control": about["control"]},
            ),
            score.items,
        )
        for score in work.evaluate(encoder, head, data)
    ]


def say_scores(rows: Sequence[Measurement], quiet: bool) -> None:
    for row in rows:
        where = " ".join(str(v) for v in (row.where.pool, row.where.direction) if v is not None)
        seed = "" if row.seeds.finetune is None else f" seed {row.seeds.finetune}"
        say(
            f"{row.task} {row.language} {row.metric} {where} {100 * row.value:.1f} (n={row.n:,}){seed}",
            quiet=quiet,
        )
