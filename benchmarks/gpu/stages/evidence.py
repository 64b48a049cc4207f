"""What alignment is worth zero-shot: tagging and inference in other languages, from an encoder and from aligned ones.

Methods that need no vocabulary head and the untouched base, three seeds. English alone is trained on; the sets are
development halves (PUD by crc32 of the sentence's id, XNLI's development sets). A sentence-contrastive encoder has seen
translations before, and pairs of MultiNLI: only differences between methods mean anything.
"""

from __future__ import annotations

import gzip
import shutil
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
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
"""Of fine-tuning: usual for encoders of width 384."""


@dataclass(frozen=True)
class Size:
    """How much is trained.

    Attributes:
        pairs: of each language with English.
        align: steps of alignment, of 64 pairs.
        sentences: of the treebank.
        tune: steps of fine-tuning by task, of 32 items.
        limit: items of each set; all if ``None``.
    """

    pairs: int = 4_000
    align: int = 400
    sentences: int = 4_000
    tune: dict[str, int] | None = None
    limit: int | None = None

    def steps(self, task: str) -> int:
        """Of fine-tuning."""
        return (self.tune or {"pos": 250, "nli": 800})[task]


TINY = Size(pairs=60, align=2, sentences=40, tune={"pos": 3, "nli": 3}, limit=20)


@dataclass
class Sets:
    """Specs of what is trained on and scored.

    Attributes:
        pairs: parallel text.
        train, score: by task.
    """

    pairs: list[str]
    train: dict[str, list[str]]
    score: dict[str, list[str]]


def measurements(context: Context) -> list[Measurement]:
    """One for each seed, task and method; all methods of one seed and task before the next."""
    from context import Measurement

    study = Study(context)
    return [
        Measurement(f"{task} seed {seed} {method}", lambda given=(seed, task, method): study.measure(*given))
        for seed, task, method in order(1 if context.tiny else 3)
        if not context.tiny or task == "pos" or method == "base"
    ]


class Study:
    """Encoders, sets and what is known of their cost.

    Args:
        context: with a pack its encoder and sets, else ``paralign-mini`` and the small world.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._size = TINY if context.tiny else Size()
        self._work = context.work / f"evidence-{record.code_of('evidence')}"  # other code starts over
        self._seconds: dict[str, float] = {}

    def measure(self, seed: int, task: str, method: str) -> dict[str, Any]:
        """Align, unless it is the base or was done before, fine-tune, score."""
        context, size, work = self._context, self._size, self._work
        kind = "align" if method != "base" and not _encoder(work, method, seed).is_dir() else ""
        expected = self._seconds.get(task, 0.0) + (self._seconds.get("align", 0.0) if kind else 0.0)
        if expected > context.left():
            context.skip(f"takes about {expected:.0f} s, {max(0.0, context.left()):.0f} s are left")
        sets = self._sets()
        model = str(context.encoder()) if context.pack else "paralign-mini"
        made, cost = aligned(model, method, seed, sets, work, size)
        if "align_s" in cost:
            self._seconds["align"] = cost["align_s"]
        found = scored(made, method, seed, task, sets, work, size)
        self._seconds[task] = found["finetune_s"]
        return found | cost | {"method": method, "task": task, "seed": seed, "size": vars(size)}

    def _sets(self) -> Sets:
        context = self._context
        if context.data is None:
            return small_sets(self._size)
        return real_sets(context.data, context.store(), self._work / "data", self._size)


def small_sets(size: Size) -> Sets:
    """Of the generated small world."""
    scored = [f"{tag}=smallworld:900-{900 + (size.limit or 50)}" for tag in ("en", "de")]
    some = f"en=smallworld:600-{600 + size.sentences}"
    return Sets(
        [f"en-de=smallworld:0-{size.pairs}", f"en-zh=smallworld:{size.pairs}-{2 * size.pairs}"],
        {"pos": [some], "nli": [some]},
        {"pos": scored, "nli": scored},
    )


def real_sets(data: Path, store: Path, work: Path, size: Size) -> Sets:
    """Of the packed files, written to ``work`` once."""
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
    """Some pairs of each language with English, from the text of a token store: one file a language."""
    from paralign import TokenStore

    work.mkdir(parents=True, exist_ok=True)
    made = TokenStore.open(store)
    specs = []
    for codes in np.unique(made.language, axis=0).tolist():
        languages = [made.languages[code] for code in codes]
        path = work / f"pairs.{'-'.join(languages)}.tsv"
        if not path.exists():
            records = np.flatnonzero((made.language == codes).all(1))
            chosen = np.sort(np.random.default_rng(0).permutation(records)[:pairs])
            rows = ([_flat(made.text(record, side)) for side in (0, 1)] for record in chosen.tolist())
            path.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
        specs.append(f"{'-'.join(languages)}={path}")
    return specs


def link_files(sets: Sets, work: Path) -> list[str]:
    """Word links of the parallel text by ``hmm``, found once for all methods and seeds."""
    import paralign

    work.mkdir(parents=True, exist_ok=True)
    specs = []
    for number, spec in enumerate(sets.pairs):
        languages, path = spec.partition("=")[0], work / f"links.{number}"
        if not path.exists():
            paralign.align_words(spec, out=path, method="hmm", symmetrise="intersect", lenient=True, quiet=True)
        specs.append(f"{languages}={path}")
    return specs


def aligned(model: str, method: str, seed: int, sets: Sets, work: Path, size: Size) -> tuple[str, dict[str, Any]]:
    """The folder of an encoder aligned by a method, made if it is not there, and what that cost."""
    import paralign

    if method == "base":
        return model, {}
    made = _encoder(work, method, seed)
    out = made.parent
    if made.is_dir():
        return str(made), {}
    began = time.perf_counter()
    links = link_files(sets, work) if method in LINKED else []
    linked = time.perf_counter()
    overrides = [f"training.steps={size.align}", "training.batch=64", "training.log_every=50", "data.min_pieces=3",
                 f"training.seed={seed}", "training.checkpoint_every=100000"]  # fmt: skip
    overrides += [f"moco.queue={min(4_096, 16 * size.align)}"] if method == "moco" else []
    paralign.align(
        model, out=out, pairs=sets.pairs, links=links, recipe=method, overrides=overrides, lenient=True, quiet=True,
        resume=out.exists(),
    )  # fmt: skip
    shutil.rmtree(out / "checkpoints", ignore_errors=True)  # half a gigabyte each
    return str(made), {"align_s": time.perf_counter() - linked, "links_s": linked - began}


def scored(model: str, method: str, seed: int, task: str, sets: Sets, work: Path, size: Size) -> dict[str, Any]:
    """Fine-tune on English, score on every language."""
    import paralign

    out = work / f"{task}.{method}.{seed}"
    began = time.perf_counter()
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
            "finetune_s": time.perf_counter() - began}  # fmt: skip


def _encoder(work: Path, method: str, seed: int) -> Path:
    return work / f"{method}.{seed}/encoder"


def packed(path: Path) -> Path:
    """A file as it is packed: compressed, if it is not there plainly."""
    if path.exists() or path.suffix == ".gz":
        return path
    return path.with_name(path.name + ".gz")


def _blocks(path: Path) -> list[str]:
    found = packed(path)
    whole = gzip.decompress(found.read_bytes()) if found.suffix == ".gz" else found.read_bytes()
    return whole.decode("utf-8").strip("\n").split("\n\n")


def _sentence_id(block: str) -> str:
    return next(line.partition("=")[2].strip() for line in block.split("\n") if line.startswith("# sent_id"))


def _write(path: Path, blocks: list[str]) -> None:
    path.write_text("\n\n".join(blocks) + "\n\n", encoding="utf-8")


def _flat(text: str) -> str:
    return " ".join(text.split())


def order(seeds: int = 3) -> Iterator[tuple[int, str, str]]:
    """(seed, task, method): all methods of one seed before the next, so that what is there can be compared."""
    for seed in range(seeds):
        for task in ("pos", "nli"):
            for method in METHODS:
                yield seed, task, method
