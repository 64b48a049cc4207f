"""``paralign words --load`` and ``--learn-from``: align text of any size in constant memory."""

from __future__ import annotations

import io
import shutil
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import IO, Any

from paralign.commands.arguments import one_or_several
from paralign.commands.line_stream import texts_of_lines
from paralign.commands.word_pairs import (
    echo_language_warnings,
    parse_overrides,
    read_texts,
    read_word_pairs,
)
from paralign.config import merge
from paralign.console import echo, echo_dropped
from paralign.corpus.shard_plan import parse_part
from paralign.digests import file_digest
from paralign.errors import UserError
from paralign.folders import atomic_folder, check_outputs
from paralign.formats.streams import compressed, standard_bytes
from paralign.ragged import batched
from paralign.resumable import ResumableFiles
from paralign.sources.line_numbers import line_count
from paralign.sources.specs import (
    PairSpec,
    check_readable_again,
    input_files,
    parse_pairs,
    smallworld_range,
)
from paralign.text.words import split_words
from paralign.version import __version__
from paralign.words.base import AlignerOptions, find_aligner, make_aligner
from paralign.words.compiled import cpu_threads
from paralign.words.saved_aligner import SavedAligner
from paralign.words.statistical import StatisticalAligner
from paralign.words.word_aligner import BLOCK_PAIRS, WordAligner, map_in_order
from paralign.words.word_links import WordLinks

__all__ = ["align_stream", "can_stream"]

Words = tuple[list[str], list[str]]
_PROGRESS_SECONDS = 10.0


def can_stream(method: str) -> bool:
    """Return whether an aligner can be applied to text of any size: ``hmm``, ``ibm`` and their subclasses."""
    return issubclass(find_aligner(method), StatisticalAligner)


@one_or_several
def align_stream(
    pairs: str,
    *,
    out: str | Path,
    load: str | Path | None = None,
    learn_from: int | None = None,
    part: str | None = None,
    method: str = "hmm",
    symmetrize: str | None = None,
    tokenized: bool = False,
    overrides: str | Sequence[str] = (),
    save: str | Path | None = None,
    posteriors: str | Path | None = None,
    limit: int | None = None,
    lenient: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Align text of any size with a trained aligner, in constant memory.

    Files appear under their names when all pairs are aligned. If the process is stopped before, the same call continues
    where it stopped, unless text or settings have changed.

    Args:
        pairs: ``SRC-TGT=PATH``, the sentence pairs.
        out: file for the links, one line for each pair; ``-`` for standard output. If ``pairs`` are read from standard
            input too, the links of each line are written as soon as it is read; it must then be plain TSV or
            ``source ||| target``.
        load: folder of a saved aligner.
        learn_from: number of pairs at the beginning of the text to train an aligner on, instead of ``load``.
        part: ``K/N``: align only the K-th of N parts of the text, from 1; needs ``load``. The outputs of all parts,
            concatenated, are those of the whole text. Default ``None``: the whole text.
        method: ``hmm`` or ``ibm``.
        symmetrize: how the links of both directions are combined, as in :func:`paralign.align_words`.
        tokenized: words are separated by spaces. Default: words are found by
            :func:`paralign.text.words.word_spans`.
        overrides: settings of the aligner as ``words.key=value``, with ``learn_from``.
        save: folder to save the aligner in that ``learn_from`` trained.
        posteriors: file for the probability of each link, lines as in ``out``. Default ``None``: not written.
        limit: number of pairs that are read, the first ones. Default ``None``: all.
        lenient: drop and count pairs that cannot be read, which keep their lines in ``out``.
        force: replace existing output files.
        quiet: print nothing.

    Returns:
        the number of pairs.

    Raises:
        UserError: for input or settings that cannot be used.
    """
    spec, to_stdout = parse_pairs(pairs), str(out) == "-"
    _check_options(spec, method, load, learn_from, part, limit, to_stdout, posteriors)
    paths = [Path(path) for path in (None if to_stdout else out, posteriors) if path is not None]
    check_outputs(paths, input_files([spec]), force=force, folder=save)
    options = AlignerOptions(
        spec, symmetrize=symmetrize, tokenized=tokenized, save=save, load=load, lenient=lenient, quiet=quiet
    )
    aligner = make_aligner(method, options, merge(*parse_overrides(overrides)))
    assert isinstance(aligner, StatisticalAligner)
    if to_stdout:
        assert aligner.loaded is not None
        trained = WordAligner(aligner.loaded, aligner.symmetrization)
        return _to_stdout(trained, options, part, limit)
    start, stop = _range_of(options, part, limit)
    echo_language_warnings([spec], quiet)
    dropped: Counter[str] = Counter()
    given = [__version__, str(spec), aligner.symmetrization, tokenized, lenient, learn_from, part]
    facts = {name: value for name, value in (aligner.facts() or {}).items() if name != "tokenized"}
    identity = _identity(
        spec,
        {
            "aligner": facts if load is None else _folder_digest(load),
            "settings": given + ([] if limit is None else [limit]),
        },
    )
    learned = paths[0].with_name(f".{paths[0].name}.aligner")
    output = ResumableFiles(paths, identity)
    try:
        with output:
            if output.changed:
                changed = " and ".join(output.changed)
                echo(f"WARNING {out}: starting again: {changed} changed since the run that was stopped", quiet=quiet)
            if output.done is not None:
                echo(f"{out}: continuing after {output.done:,} pairs", quiet=quiet)
            count = output.done or 0
            if learn_from is not None and (output.done is None or not learned.is_dir()):
                shutil.rmtree(learned, ignore_errors=True)
                _learn(aligner, replace(options, save=learned), learn_from)
                output.checkpoint()
            trained = WordAligner(aligner.loaded or SavedAligner.load(learned), aligner.symmetrization)
            suffixes, pairs_of_part = tuple(path.suffix for path in paths), (start, stop, count)
            for blocks, number in _aligned(trained, options, pairs_of_part, dropped, suffixes):
                output.write(blocks, number)
                count += number
            if not count:  # no pairs: a compressed file must not be empty
                output.write([_compressed(b"", suffix) for suffix in suffixes], 0)
    except BaseException:
        if not output.kept:
            shutil.rmtree(learned, ignore_errors=True)
        raise
    if learn_from is not None and save is not None:
        with atomic_folder(Path(save)) as saved:
            shutil.copytree(learned, saved, dirs_exist_ok=True)
    shutil.rmtree(learned, ignore_errors=True)
    echo_dropped(dropped, "pairs", quiet=quiet)
    echo(f"{out}  ({count:,} pairs)", quiet=quiet)
    return count


def _check_options(
    spec: PairSpec,
    method: str,
    load: str | Path | None,
    learn_from: int | None,
    part: str | None,
    limit: int | None,
    to_stdout: bool,
    posteriors: str | Path | None,
) -> None:
    """Refuse options that do not go together.

    Raises:
        UserError: naming them.
    """
    if not can_stream(method):
        name = "--learn-from" if learn_from is not None else "--part" if part is not None else "--load"
        raise UserError(f"{name} is not supported by the aligner {method!r}", hint="supported by hmm, ibm")
    if learn_from is not None and load is not None:
        hint = "an aligner that is loaded is not trained"
        raise UserError("--learn-from and --load cannot be combined", hint=hint)
    if part is not None and load is None:
        hint = "train one aligner for all parts with --save"
        raise UserError("--part needs --load", hint=hint)
    if to_stdout and load is None:
        raise UserError("--out - needs --load", hint="train an aligner with --save first, or name a file")
    if to_stdout:
        standard_bytes("stdout")  # before anything is loaded
    if load is None and learn_from is None:
        raise UserError("there is no trained aligner", hint="add --load or --learn-from")
    if to_stdout and posteriors is not None:
        raise UserError("--posteriors needs a file for --out", hint="name one instead of -")
    if learn_from is not None or part is not None:
        name = "--part" if learn_from is None else "--learn-from"
        check_readable_again(spec.paths, f"{name} reads the text twice")
    if learn_from is not None and learn_from < 1:
        raise UserError(f"--learn-from is {learn_from}", hint="give a number of pairs, 1 or more")
    if learn_from is not None and limit is not None and learn_from > limit:
        raise UserError(f"--learn-from is {learn_from:,}, but --limit is {limit:,}", hint="learn from fewer pairs")


def _range_of(options: AlignerOptions, part: str | None, limit: int | None) -> tuple[int, int | None]:
    """Return the first pair of a part, and the one after its last; ``None`` for the end of the text.

    Raises:
        UserError: if there is no such part.
    """
    if part is None:
        return 0, limit
    k, parts = parse_part(part, "part")
    total = line_count(options.spec)
    if total is None:
        total = sum(1 for _ in read_texts(options.spec, lenient=options.lenient))
    total = total if limit is None else min(total, limit)
    return total * (k - 1) // parts, limit if k == parts else total * k // parts


def _folder_digest(folder: str | Path) -> list[str]:
    return [file_digest(Path(folder) / name) for name in ("words.json", "words.safetensors")]


def _identity(spec: PairSpec, facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the output depends on; ``None`` if the text cannot be read again, or may be another then."""
    if not all(Path(path).is_file() for path in spec.paths) or (not spec.paths and smallworld_range(spec.path) is None):
        return None
    return {**facts, "text": [file_digest(path) for path in input_files([spec])]}


def _learn(aligner: StatisticalAligner, options: AlignerOptions, count: int) -> None:
    """Train on the first pairs of the text, and save the aligner to ``options.save``.

    Raises:
        UserError: if there are fewer pairs.
    """
    spec = options.spec
    aligner.options = options
    pairs = read_word_pairs(spec, tokenized=options.tokenized, lenient=options.lenient)
    aligner.read(islice(pairs, count))
    if aligner.bitext.pairs < count:
        message = f"--learn-from is {count:,}, but the text has {aligner.bitext.pairs:,} pairs"
        raise UserError(message, where=spec.path, hint="give a smaller number, or leave --learn-from out")
    aligner.align(0)
    del aligner.bitext


def _aligned(
    trained: WordAligner,
    options: AlignerOptions,
    part: tuple[int, int | None, int],
    dropped: Counter[str],
    suffixes: tuple[str, ...],
) -> Iterator[tuple[list[bytes], int]]:
    """Yield bytes of the links, and of their probabilities if there are two suffixes, and the number of pairs.

    Args:
        trained: the aligner.
        options: the text, and how it is read.
        part: the first pair of the part, the one after its last, and the number of its pairs that are aligned already.
        dropped: counts dropped pairs of the part, also of those that are aligned already.
        suffixes: of the output files, for compression.
    """

    def align(block: list[Words]) -> tuple[list[bytes], int]:
        links = trained.links(block, probabilities=len(suffixes) > 1)
        posteriors = "".join(f"{line}\n" for line in links.posterior_lines())
        texts = (_link_lines(links), posteriors.encode())
        return [_compressed(text, suffix) for text, suffix in zip(texts, suffixes, strict=False)], len(block)

    start, stop, done = part
    texts = read_texts(options.spec, tokenized=options.tokenized, lenient=options.lenient, dropped=dropped)
    deque(islice(texts, start), maxlen=0)
    dropped.clear()  # counts of the parts before
    texts = islice(texts, done, None if stop is None else stop - start)
    sides = split_words(chain.from_iterable(texts), tokenized=options.tokenized)
    words: Iterator[Words] = zip(sides, sides, strict=True)
    began = last = time.monotonic()
    count = 0
    for blocks, number in map_in_order(align, batched(words, BLOCK_PAIRS), cpu_threads()):
        yield blocks, number
        count, now = count + number, time.monotonic()
        if now - last > _PROGRESS_SECONDS:
            last = now
            speed = count / (now - began)
            echo(f"{start + done + count:,} pairs ({speed:,.0f} pairs/s)", quiet=options.quiet)


def _link_lines(links: WordLinks) -> bytes:
    shown = [f"{i}-{j}" for i, j in zip(links.source.tolist(), links.target.tolist(), strict=True)]
    return "".join(" ".join(shown[a:b]) + "\n" for a, b in pairwise(links.starts.tolist())).encode()


def _compressed(data: bytes, suffix: str) -> bytes:
    """Return a member of a gzip file or a frame of a zstd file, if the name of the output says so."""
    buffer = io.BytesIO()
    with compressed(buffer, suffix) as out:
        out.write(data)
    return buffer.getvalue()


def _to_stdout(trained: WordAligner, options: AlignerOptions, part: str | None, limit: int | None) -> int:
    """Write the links to standard output, those of standard input line by line; return the number of pairs."""
    stdout, dropped, count = standard_bytes("stdout"), Counter[str](), 0
    spec, tokenized, quiet = options.spec, options.tokenized, options.quiet
    if spec.path == "-":
        texts = texts_of_lines(standard_bytes("stdin"), spec.languages, tokenized, options.lenient, dropped, limit)
        count = _align_blocks(trained, texts, stdout, tokenized)
    else:
        start, stop = _range_of(options, part, limit)
        echo_language_warnings([spec], quiet)
        for (block,), number in _aligned(trained, options, (start, stop, 0), dropped, ("",)):
            stdout.write(block)
            stdout.flush()
            count += number
    echo_dropped(dropped, "pairs", quiet=quiet)
    return count


def _align_blocks(trained: WordAligner, blocks: Iterable[list[str]], stdout: IO[bytes], tokenized: bool) -> int:
    """Write the links of each block of texts, source and target in turn, at once; return the number of pairs."""
    count = 0
    for texts in blocks:
        sides = split_words(texts, tokenized=tokenized)
        links = trained.links(list(zip(sides, sides, strict=True)))
        stdout.write(_link_lines(links))
        stdout.flush()
        count += len(links)
    return count
