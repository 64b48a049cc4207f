"""``paralign corpus build``: tokenize text into a store, or into the shards of a corpus."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from paralign.commands.shard_executors import run_processes, run_ray_tasks, submit_to_slurm
from paralign.config import check_sections, merge, parse_override, resolve, section
from paralign.console import echo, rough_duration
from paralign.corpus.clean import FilterConfig
from paralign.corpus.exclusion import Source, excluded_sentences, parse_source
from paralign.corpus.join import check_shard, join_shards
from paralign.corpus.shard_plan import ShardPlan, parse_shard
from paralign.corpus.store import JOINED, PLAN, TokenStore
from paralign.encoder.loading import load_text_tokenizer
from paralign.errors import UserError
from paralign.folders import check_can_create, is_being_written
from paralign.runs.corpus import build_corpus as build_store
from paralign.runs.corpus import check_languages_or_warn, kept_lines
from paralign.runs.inputs import data_files, file_entries
from paralign.sources.specs import check_readable_again, check_separate_pipes, parse_pairs, parse_text
from paralign.version import __version__

__all__ = ["EXECUTORS", "CorpusRequest", "build_corpus"]

_RUNNERS = {"local": run_processes, "ray": run_ray_tasks}
EXECUTORS = (*_RUNNERS, "slurm")


@dataclass(frozen=True)
class CorpusRequest:
    """What a corpus is built from; all shards of a corpus have the same.

    Attributes:
        model: encoder (or tokenizer) whose pieces are stored.
        pairs: parallel text, each as ``SRC-TGT=PATH``.
        text: plain text, each as ``LANG=PATH``, used instead of ``pairs``.
        exclude: files of test sentences to leave out, or specs of them.
        tokenized: whether the words of ``pairs`` are separated by spaces.
        overrides: settings as ``data.key=value``.
        limit: largest number of pairs of each language pair.
        lenient: drop and count lines that cannot be read.
    """

    model: str
    pairs: Sequence[str] = ()
    text: Sequence[str] = ()
    exclude: Sequence[str] = ()
    tokenized: bool = False
    overrides: Sequence[str] = ()
    limit: int | None = None
    lenient: bool = False

    def command(self, out: Path) -> list[str]:
        """Return the command line that builds the corpus quietly, without options about shards."""
        several = {"pairs": self.pairs, "text": self.text, "exclude": self.exclude, "set": self.overrides}
        values = [f"--{name}={value}" for name, given in several.items() for value in given]
        flags = [f"--{name}" for name in ("tokenized", "lenient") if getattr(self, name)]
        limit = [] if self.limit is None else [f"--limit={self.limit}"]
        program = [sys.executable, "-m", "paralign", "corpus", "build", "--quiet"]
        return [*program, f"--out={out}", f"--model={self.model}", *values, *limit, *flags]


def build_corpus(
    request: CorpusRequest,
    out: Path,
    *,
    shards: int | None = None,
    shard: str | None = None,
    workers: int | None = None,
    executor: str = "local",
    quiet: bool = False,
) -> None:
    """Tokenize text into a store, or into a corpus of shards.

    A corpus of shards is a folder that a second call continues: shards that are finished are not built again. When all
    are, they are joined.

    Args:
        request: text and settings.
        out: the folder to create, or to continue.
        shards: number of shards. Default ``None``: that of a corpus in ``out``, otherwise one store without shards.
        shard: ``K/N``: build only shard K of N, from 1, and do not join.
        workers: number of shards that are built at the same time; 0 builds none and only joins. Default ``None``: as
            many as this machine, or the cluster, has cores.
        executor: ``local``: processes on this machine; ``ray``: tasks of Ray; ``slurm``: job scripts in ``out/jobs``,
            which are submitted if there is a Slurm here.
        quiet: print nothing.

    Raises:
        UserError: for input or settings that cannot be used, naming the shard; shards that were finished remain.
    """
    if executor not in EXECUTORS:
        raise UserError(f"unknown executor {executor!r}", hint=f"use {' or '.join(EXECUTORS)}")
    if shard is not None and (workers is not None or executor != "local"):
        raise UserError("--shard builds one shard, without --workers and --executor", hint="leave them out")
    if workers == 0 and executor != "local":
        raise UserError("--workers 0 only joins finished shards, which needs no jobs", hint="leave --executor out")
    number = None
    if shard is not None:
        number, count = parse_shard(shard)
        if shards not in (None, count):
            raise UserError(f"--shard {shard} is one of {count} shards, not {shards}", hint="leave --shards out")
        shards = count
    check_can_create(out)
    plan = ShardPlan.read(out)
    if shards is None and plan is None:
        if workers is not None or executor != "local":
            raise UserError("--workers and --executor are for shards", hint="add --shards N")
        _Texts(request).build(out, quiet=quiet)
        return
    if plan is None and out.exists() and _has_other_files(out):
        raise UserError("already exists, and is not a corpus of shards", where=out, hint="choose another folder")
    corpus = _ShardedCorpus(request, out, plan, shards, quiet)
    if number is not None:
        corpus.build_shard(number)
    elif executor == "slurm":
        corpus.write_jobs(workers)
    else:
        corpus.build(workers, executor)


def _has_other_files(out: Path) -> bool:
    """Return whether a folder has files that are not of a corpus of shards; another process may be planning one."""
    own = {PLAN, JOINED, "shards", "jobs"}
    return any(path.name not in own and not path.name.startswith(f".{PLAN}") for path in out.iterdir())


def _paths_of(text: str) -> Sequence[str]:
    """Return the paths of a test file, with or without languages."""
    source = parse_source(text)
    return [str(source)] if isinstance(source, Path | str) else source.paths or [source.path]


def _entries(source: Source) -> list[dict[str, Any]]:
    """Return the files of test sentences, by digest."""
    return file_entries([source]) if isinstance(source, str | Path) else data_files([source])


class _Texts:
    """The texts and settings of a request, and its tokenizer."""

    def __init__(self, request: CorpusRequest) -> None:
        if bool(request.pairs) == bool(request.text):
            raise UserError("use either --pairs or --text")
        if request.tokenized and request.text:
            raise UserError("--tokenized has no effect with --text", hint="remove it")
        settings = merge({"data": {"limit": request.limit}}, *map(parse_override, request.overrides))
        check_sections(settings, "data")
        check_separate_pipes([*request.pairs, *request.text, *request.exclude])
        self.request = request
        self.specs: list[Any] = [*map(parse_pairs, request.pairs), *map(parse_text, request.text)]
        self.config = resolve(FilterConfig, section(settings, "data"), section="data")
        self.tokenizer = load_text_tokenizer(request.model)

    def build(self, out: Path, **options: Any) -> TokenStore:
        """Build a store; options of :func:`paralign.runs.corpus.build_corpus`."""
        return build_store(
            self.tokenizer,
            self.specs,
            out,
            self.config,
            exclude=self.request.exclude,
            tokenized=self.request.tokenized,
            lenient=self.request.lenient,
            **options,
        )


class _ShardedCorpus:
    """A corpus of shards that is being built.

    Args:
        request: text and settings.
        out: its folder.
        plan: the plan in the folder, if there is one.
        shards: number of shards. ``None``: that of the plan.
        quiet: print nothing.
    """

    def __init__(
        self, request: CorpusRequest, out: Path, plan: ShardPlan | None, shards: int | None, quiet: bool
    ) -> None:
        self.request, self.out, self.quiet = request, out, quiet
        self.texts = _Texts(request)
        self.shards = shards or (plan.shards if plan else 0)
        if self.texts.config.limit is not None:
            message = "data.limit keeps the first pairs of the whole text, which a single shard cannot determine"
            raise UserError(message, hint="leave --limit out, or build one store without --shards")
        excluded = chain.from_iterable(map(_paths_of, request.exclude))
        check_readable_again(excluded, "every shard reads the test sentences")
        self._before = plan

    def _plan(self, *, one_shard: bool = False) -> ShardPlan:
        """Return the plan of the corpus, which is written before the first shard.

        Args:
            one_shard: compare texts with those of an earlier plan only by size, and never replace the plan. Otherwise
                texts are compared by content, and a plan with which no shard was built, or is being built, is replaced
                if it differs: the text may have been corrected.
        """
        request, texts = self.request, self.texts
        facts = {
            "paralign": __version__,
            "tokenizer": texts.tokenizer.id,
            "vocabulary": texts.tokenizer.vocabulary,
            "filter": texts.config.model_dump(mode="json"),
            "tokenized": request.tokenized,
            "exclude": [entry for source in map(parse_source, request.exclude) for entry in _entries(source)],
        }
        new = partial(ShardPlan.create, texts.specs, self.shards, facts, lenient=request.lenient)
        plan = self._before
        if plan is not None:
            try:
                plan.check(new(counts=False), self.out, digests=not one_shard)
                return plan
            except UserError:
                shards = (self.out / plan.folder(number) for number in range(1, plan.shards + 1))
                if one_shard or any(shard.exists() or is_being_written(shard) for shard in shards):
                    raise
                (self.out / PLAN).unlink(missing_ok=True)
        check_languages_or_warn(texts.specs, lenient=request.lenient, quiet=self.quiet)
        excluded_sentences(map(parse_source, request.exclude), lenient=request.lenient)
        echo(f"counting the lines of {len(texts.specs)} texts", quiet=self.quiet)
        plan = new(counts=True).write(self.out)
        plan.check(new(counts=False), self.out, digests=False)
        return plan

    def build_shard(self, number: int) -> None:
        """Build a shard unless it is finished."""
        plan = self._plan(one_shard=True)
        folder = self.out / plan.folder(number)
        if folder.exists():
            check_shard(self.out, number, plan)
            echo(f"{folder} is finished", quiet=self.quiet)
            return
        self.texts.build(folder, shard=plan.shard(number), quiet=self.quiet)

    def _is_finished(self) -> bool:
        if not (self.out / JOINED).exists():
            return False
        try:
            TokenStore.open(self.out)
        except UserError as error:
            shards = [path for path in (self.out / "shards").glob("*") if path in Path(str(error.where), "-").parents]
            folders = " and ".join(map(str, [self.out / JOINED, *shards]))
            hint = f"remove {folders}, and run the same corpus build again"
            raise UserError(error.message, where=error.where, hint=hint) from None
        echo(f"{self.out} is finished", quiet=self.quiet)
        return True

    def build(self, workers: int | None, executor: str) -> None:
        """Build all shards that are not finished, and join them."""
        plan = self._plan()
        if self._is_finished():
            return
        missing = [k for k in range(1, plan.shards + 1) if not (self.out / plan.folder(k)).exists()]
        for number in sorted({*range(1, plan.shards + 1)} - {*missing}):
            check_shard(self.out, number, plan)
        if missing and workers != 0:
            self._build_missing(missing, plan, workers, executor)
        store = join_shards(self.out, plan)
        for line in kept_lines(store):
            echo(line, quiet=self.quiet)

    def _build_missing(self, missing: Sequence[int], plan: ShardPlan, workers: int | None, executor: str) -> None:
        began, done = time.monotonic(), 0

        def finished(position: int) -> None:
            nonlocal done
            done, number = done + 1, missing[position]
            kept = check_shard(self.out, number, plan).share_kept()
            left = rough_duration((time.monotonic() - began) / done * (len(missing) - done))
            rest = f", about {left} left" if done < len(missing) else ""
            built = plan.shards - len(missing) + done
            echo(f"shard {number}/{plan.shards}: {kept}; {built} of {plan.shards} are built{rest}", quiet=self.quiet)

        if len(missing) < plan.shards:
            echo(f"{self.out}: {plan.shards - len(missing)} shards are built, continuing", quiet=self.quiet)
        _RUNNERS[executor](
            [*self.request.command(self.out), "--shard"],
            [f"{number}/{plan.shards}" for number in missing],
            workers,
            finished,
        )

    def write_jobs(self, workers: int | None) -> None:
        """Write job scripts for Slurm that build all shards and join them, and submit them."""
        plan = self._plan()
        if self._is_finished():
            return
        submit_to_slurm(self.out, self.request.command(self.out), plan.shards, workers, quiet=self.quiet)
