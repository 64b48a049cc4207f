"""Write a fine-tuned model's predictions in the task's own format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from paralign.config import merge, parse_override
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.tasks.supervised import Head, Supervised
from paralign.training import best_device
from paralign.verbs.folder import say
from paralign.verbs.measure import saved_head, saved_task, say_dropped
from paralign.verbs.settings import task_section

__all__ = ["predict"]


def predict(
    model: str,
    *,
    data: str,
    out: str | Path,
    overrides: Sequence[str] = (),
    limit: int | None = None,
    lenient: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> list[Path]:
    """Predict with a fine-tuned model.

    Args:
        model: a fine-tuned ``seed-K/model``.
        data: ``LANG=PATH`` as for ``evaluate``; labels may be missing.
        out: the file of predictions, in the task's own format (XNLI's TSV, SQuAD's JSON, CoNLL-U, columns).
        overrides: ``task.key=value``.
        limit: first so many items.
        lenient: drop and count items that cannot be read.
        force: replace ``out``.

    Returns:
        The files written.

    Raises:
        UserError: for input that cannot be used, or if ``out`` exists.
    """
    path = Path(out)
    if path.exists() and not force:
        raise UserError("exists already", where=path, mend="--force replaces it")
    if not path.parent.is_dir():
        raise UserError("there is no such folder", where=path.parent)
    if not (Path(model) / "task.json").is_file():
        mend = "give a fine-tuned one, OUT/seed-0/model: paralign finetune makes it"
        raise UserError("this model was not fine-tuned for a task", where=model, mend=mend)
    work, _ = saved_task(None, model, task_section(merge(*map(parse_override, overrides))))
    if not isinstance(work, Supervised):
        raise UserError(f"the task {work.name!r} predicts nothing", mend="use paralign evaluate")
    dropped: Counter[str] = Counter()
    read = work.read(data, lenient=lenient, dropped=dropped, limit=limit, labelled=False)
    say_dropped(dropped, quiet)
    encoder = Encoder.from_pretrained(model).to(best_device())
    head = saved_head(work, encoder, model)
    assert isinstance(head, Head)
    written = work.write(path, work.answers(encoder, head, read))
    for file in written:
        say(str(file), quiet=quiet)
    return written
