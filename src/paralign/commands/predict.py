"""``paralign predict``: write the predictions of a model in the format of its task."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from paralign.commands.arguments import one_or_several
from paralign.config import merge, parse_override
from paralign.console import echo, echo_dropped
from paralign.device import best_device
from paralign.encoder import Encoder
from paralign.folders import atomic_files, check_outputs, is_special
from paralign.formats.streams import standard_bytes
from paralign.runs.inputs import files_read
from paralign.runs.measure import echo_truncated
from paralign.runs.model_folder import saved_head, saved_task
from paralign.runs.settings import task_section

__all__ = ["predict"]


@one_or_several
def predict(
    model: str,
    *,
    data: str,
    out: str | Path,
    task: str | None = None,
    overrides: str | Sequence[str] = (),
    limit: int | None = None,
    lenient: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> list[Path]:
    """Write the predictions of a model in the format of its task.

    Args:
        model: a fine-tuned ``seed-K/model``, or an encoder for tasks without a head. ``mining`` also accepts causal
            language models.
        data: data as ``LANG=PATH``; labels may be missing.
        out: output file, in the format of the task: TSV as in XNLI, JSON as in SQuAD, CoNLL-U, columns, or pairs as in
            BUCC. ``-`` is standard output. To it, a pipe or a device, ``qa`` writes no further file.
        task: name of a task. None: the task of a fine-tuned model.
        overrides: settings of the task as ``task.key=value``.
        limit: number of items used, the first ones. None: all.
        lenient: drop and count items that cannot be read instead of raising.
        force: replace an existing ``out``.
        quiet: print nothing.

    Returns:
        The files written; none for standard output.

    Raises:
        UserError: for input that cannot be used, and if ``out`` exists and ``force`` is off or is also read.
    """
    path, to_stdout = Path(out), str(out) == "-"
    stdout = standard_bytes("stdout") if to_stdout else None
    check_outputs([] if to_stdout else [path], [], force=force)
    task_instance, _ = saved_task(task, model, task_section(merge(*map(parse_override, overrides))))
    special = to_stdout or is_special(path)  # written to, not replaced; further files would be elsewhere
    outputs = [] if to_stdout else [path] if special else task_instance.outputs(path)
    check_outputs(outputs, [], force=force)
    dropped: Counter[str] = Counter()
    items = task_instance.read(data, lenient=lenient, dropped=dropped, limit=limit, labeled=False)
    echo_dropped(dropped, "items", quiet=quiet)
    inputs = files_read(data)
    check_outputs(outputs, inputs, force=True)
    encoder = Encoder.from_pretrained(model, allow_causal=task_instance.measures_causal(), quiet=quiet)
    encoder.to(best_device())
    head = saved_head(task_instance, encoder, model) if task_instance.trains else None
    with tempfile.TemporaryDirectory(prefix="paralign-") as folder:  # not next to out: a kill would leave it there
        with task_instance.autocast(encoder):
            temporary = task_instance.predict(encoder, head, items, Path(folder) / path.name)
        written = [path] if special else [path.parent / file.name for file in temporary]
        if stdout is not None:
            stdout.write((Path(folder) / path.name).read_bytes())
            written = []
        elif not special:
            check_outputs(written, inputs, force=force)
        with atomic_files(written) as files:
            for final, part in zip(written, files, strict=True):
                part.write((Path(folder) / final.name).read_bytes())
    echo_truncated(task_instance, data, set(), quiet)
    for file in written:
        echo(str(file), quiet=quiet)
    return written
