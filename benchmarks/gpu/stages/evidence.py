"""Stage ``evidence``: zero-shot tagging and inference with an encoder, before and after alignment.

Methods that need no vocabulary head and the base itself, three seeds. Fine-tuning uses English only. The evaluation
sets are development sets (half of PUD, by crc32 of the sentence id, and those of XNLI). A sentence-contrastive encoder
was trained on translations and on pairs of MultiNLI, so only differences between methods are meaningful.
"""

from __future__ import annotations

import gzip
import shutil
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import record

if TYPE_CHECKING:
    from context import Context, Measurement

METHODS = ("base", "moco", "word-l2", "word-contrastive")
TREEBANKS = {"en": "English", "de": "German", "es": "Spanish", "fr": "French", "hi": "Hindi"}
INFERENCE = ("en", "de", "es", "fr", "zh", "hi")
LINKED = ("word-l2", "word-contrastive")
RATE = 1e-4
"""Learning rate of fine-tuning, a common value for encoders of width 384."""


@dataclass(frozen=True)
class Size:
    """The amount of training and evaluation.

    Attributes:
        pairs: number of pairs of each language with English.
        align: alignment steps, of 64 pairs each.
        sentences: number of treebank sentences.
        tune: fine-tuning steps by task, of 32 items each. ``None``: the defaults in :meth:`steps`.
        limit: number of items of each set. ``None``: all.
    """

    pairs: int = 4_000
    align: int = 400
    sentences: int = 4_000
    tune: dict[str, int] | None = None
    limit: int | None = None

    def steps(self, task: str) -> int:
        """Return the number of fine-tuning steps."""
        return (self.tune or {"pos": 250, "nli": 800})[task]


TINY = Size(pairs=60, align=2, sentences=40, tune={"pos": 3, "nli": 3}, limit=20)


@dataclass
class Sets:
    """Specs of the training and evaluation sets.

    Attributes:
        pairs: parallel text.
        train: training sets by task.
        score: evaluation sets by task.
    """

    pairs: list[str]
    train: dict[str, list[str]]
    score: dict[str, list[str]]


def measurements(context: Context) -> list[Measurement]:
    """Return one measurement for each seed, task and method; the methods of one seed and task follow each other."""
    from context import Measurement

    study = Study(context)
    return [
        Measurement(f"{task} seed {seed} {method}", partial(study.measure, seed, task, method))
        for seed, task, method in order(1 if context.tiny else 3)
        if not context.tiny or task == "pos" or method == "base"
    ]


class Study:
    """Encoders and data sets, and the measured time of each part.

    Args:
        context: context of the stage. Without a pack, ``paralign-mini`` and the small world are used.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._size = TINY if context.tiny else Size()
        self._work = context.work / f"evidence-{record.code_digest('evidence')}"  # other code starts from scratch
        self._seconds: dict[str, float] = {}

    def measure(self, seed: int, task: str, method: str) -> dict[str, Any]:
        """Align (unless this is the base, or was done before), fine-tune and evaluate."""
        context, size, work = self._context, self._size, self._work
        kind = "align" if method != "base" and not _encoder(work, method, seed).is_dir() else ""
        expected = self._seconds.get(task, 0.0) + (self._seconds.get("align", 0.0) if kind else 0.0)
        if expected > context.left():
            context.skip(f"takes about {expected:.0f} s, {max(0.0, context.left()):.0f} s are left")
        sets = self._sets()
        model = str(context.encoder()) if context.pack else "paralign-mini"
        encoder, cost = align(model, method, seed, sets, work, size)
        if "align_s" in cost:
            self._seconds["align"] = cost["align_s"]
        scores = finetune(encoder, method, seed, task, sets, work, size)
        self._seconds[task] = scores["finetune_s"]
        return scores | cost | {"method": method, "task": task, "seed": seed, "size": vars(size)}

    def _sets(self) -> Sets:
        context = self._context
        if context.data is None:
            return small_sets(self._size)
        return real_sets(context.data, context.store(), self._work / "data", self._size)


def small_sets(size: Size) -> Sets:
    """Return sets of the generated small world."""
    scored = [f"{tag}=smallworld:900-{900 + (size.limit or 50)}" for tag in ("en", "de")]
    train = f"en=smallworld:600-{600 + size.sentences}"
    return Sets(
        [f"en-de=smallworld:0-{size.pairs}", f"en-zh=smallworld:{size.pairs}-{2 * size.pairs}"],
        {"pos": [train], "nli": [train]},
        {"pos": scored, "nli": scored},
    )


def real_sets(data: Path, store: Path, work: Path, size: Size) -> Sets:
    """Return sets made from the packed files; they are written to ``work`` once."""
    work.mkdir(parents=True, exist_ok=True)
    trained = work / "ewt.train.conllu"
    if not trained.exists():
        blocks = _blocks(data / "pos-parse/UD_English-EWT/en_ewt-ud-train.conllu")
        chosen = np.random.default_rng(0).permutation(len(blocks))[: size.sentences]
        _write(trained, [blocks[k] for k in sorted(chosen.tolist())])
    treebanks = []
    for tag, name in TREEBANKS.items():
        path = work / f"pud.{tag}.dev.conllu"
        if not path.exists():
            blocks = _blocks(data / f"pos-parse/UD_{name}-PUD/{tag}_pud-ud-test.conllu")
            _write(path, [block for block in blocks if zlib.crc32(_sentence_id(block).encode()) % 2 == 0])
        treebanks.append(f"{tag}={path}")
    rounds = [packed(data / f"nli-train/lingnli/train_round{k}_baseline.jsonl") for k in range(1, 6)]
    return Sets(
        parallel(store, work, size.pairs),
        {"pos": [f"en={trained}"], "nli": [f"en={path}" for path in rounds]},
        {"pos": treebanks, "nli": [f"{tag}={packed(data / f'xnli/dev-{tag}.tsv')}" for tag in INFERENCE]},
    )


def parallel(store: Path, work: Path, pairs: int) -> list[str]:
    """Write pairs of each language with English, from the text of a token store, one file per language."""
    from paralign import TokenStore

    work.mkdir(parents=True, exist_ok=True)
    tokens = TokenStore.open(store)
    specs = []
    for codes in np.unique(tokens.language, axis=0).tolist():
        languages = [tokens.languages[code] for code in codes]
        path = work / f"pairs.{'-'.join(languages)}.tsv"
        if not path.exists():
            records = np.flatnonzero((tokens.language == codes).all(1))
            chosen = np.sort(np.random.default_rng(0).permutation(records)[:pairs])
            rows = ([_flat(tokens.text(record, side)) for side in (0, 1)] for record in chosen.tolist())
            path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
        specs.append(f"{'-'.join(languages)}={path}")
    return specs


def link_files(sets: Sets, work: Path) -> list[str]:
    """Return word links of the parallel text by ``hmm``, made once for all methods and seeds."""
    import paralign

    work.mkdir(parents=True, exist_ok=True)
    specs = []
    for number, spec in enumerate(sets.pairs):
        languages, path = spec.partition("=")[0], work / f"links.{number}"
        if not path.exists():
            paralign.align_words(spec, out=path, method="hmm", symmetrise="intersect", lenient=True, quiet=True)
        specs.append(f"{languages}={path}")
    return specs


def align(model: str, method: str, seed: int, sets: Sets, work: Path, size: Size) -> tuple[str, dict[str, Any]]:
    """Return the folder of an encoder aligned by a method, made unless it exists, and the time it took."""
    import paralign

    if method == "base":
        return model, {}
    encoder = _encoder(work, method, seed)
    out = encoder.parent
    if encoder.is_dir():
        return str(encoder), {}
    start = time.perf_counter()
    links = link_files(sets, work) if method in LINKED else []
    linked = time.perf_counter()
    overrides = [f"training.steps={size.align}", "training.batch=64", "training.log_every=50", "data.min_pieces=3",
                 f"training.seed={seed}", "training.checkpoint_every=100000"]  # fmt: skip
    overrides += [f"moco.queue={min(4_096, 16 * size.align)}"] if method == "moco" else []
    paralign.align(
        model, out=out, pairs=sets.pairs, links=links, recipe=method, overrides=overrides, lenient=True, quiet=True,
        resume=out.exists(),
    )  # fmt: skip
    shutil.rmtree(out / "checkpoints", ignore_errors=True)  # each takes half a gigabyte
    return str(encoder), {"align_s": time.perf_counter() - linked, "links_s": linked - start}


def finetune(model: str, method: str, seed: int, task: str, sets: Sets, work: Path, size: Size) -> dict[str, Any]:
    """Fine-tune on English and evaluate on every language."""
    import paralign

    out = work / f"{task}.{method}.{seed}"
    start = time.perf_counter()
    rows = paralign.finetune(
        model,
        task=task,
        train=sets.train[task],
        eval=sets.score[task],
        out=out,
        overrides=[f"training.steps={size.steps(task)}", f"training.learning_rate={RATE}", f"training.seed={seed}",
                   "training.log_every=50", "training.checkpoint_every=100000"],
        limit=size.limit,
        system=method,
        keep_models=False,
        lenient=True,
        quiet=True,
        resume=out.exists(),
    )  # fmt: skip
    metric = rows[0].metric
    scores = {row.language: row.value for row in rows if row.metric == metric}
    others = [value for tag, value in scores.items() if tag != "en"]
    return {"zero_shot_mean": sum(others) / len(others), "english": scores["en"], "metric": metric, "scores": scores,
            "items": {row.language: row.n for row in rows if row.metric == metric},
            "finetune_s": time.perf_counter() - start}  # fmt: skip


def _encoder(work: Path, method: str, seed: int) -> Path:
    return work / f"{method}.{seed}/encoder"


def packed(path: Path) -> Path:
    """Return the path of a file, or of its compressed version in the pack."""
    if path.exists() or path.suffix == ".gz":
        return path
    return path.with_name(path.name + ".gz")


def _blocks(path: Path) -> list[str]:
    path = packed(path)
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return content.decode("utf-8").strip("\n").split("\n\n")


def _sentence_id(block: str) -> str:
    return next(line.partition("=")[2].strip() for line in block.split("\n") if line.startswith("# sent_id"))


def _write(path: Path, blocks: list[str]) -> None:
    path.write_text("\n\n".join(blocks) + "\n\n", encoding="utf-8")


def _flat(text: str) -> str:
    return " ".join(text.split())


def order(seeds: int = 3) -> Iterator[tuple[int, str, str]]:
    """Yield (seed, task, method), all of one seed before the next: an incomplete stage still has comparable methods."""
    for seed in range(seeds):
        for task in ("pos", "nli"):
            for method in METHODS:
                yield seed, task, method
