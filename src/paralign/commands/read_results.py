"""``paralign.read_results``: the scores of runs as a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paralign.commands.arguments import one_or_several
from paralign.errors import UserError
from paralign.report.runs import Run, find_runs, read_runs
from paralign.results import Measurement

if TYPE_CHECKING:
    import pandas

__all__ = ["read_results"]


@one_or_several
def read_results(runs: str | Path | Sequence[str | Path]) -> pandas.DataFrame:
    """Read the scores of runs as a pandas DataFrame, one row for each measurement.

    Columns: ``system`` (as in reports), ``control``, ``task``, ``dataset``, ``split``, ``train``, ``language``,
    ``direction``, ``pool``, ``layer``, ``metric``, ``value`` (shares of 1 for accuracies and F1), ``n`` (number of test
    items), ``seed_pretrain``, ``seed_align``, ``seed_finetune``, ``model``, ``run`` and ``path`` (of the run).
    :func:`paralign.results.read_results` returns the rows of one file as objects, without pandas.

    Args:
        runs: a run folder, a folder with runs below it, a ``results.jsonl``, or several of these.

    Returns:
        The table; missing values are None or NaN.

    Raises:
        UserError: if pandas is not installed, a folder is not a run, or a file cannot be read.

    >>> from pathlib import Path
    >>> from paralign.results import Measurement, write_results
    >>> row = Measurement(task="pos", dataset="pud", language="de", metric="accuracy", value=0.75, n=1000,
    ...                   model="xlm-roberta-base", model_hash="c0ffee", run="pos-de")
    >>> write_results(Path("runs/pos-de"), [(row, None)])
    >>> table = paralign.read_results("runs")
    >>> table[["system", "task", "language", "value"]].values.tolist()
    [['pos-de', 'pos', 'de', 0.75]]
    """
    try:
        import pandas
    except ImportError as error:
        hint = "pip install 'paralign[pandas]'; or paralign.results.read_results(FILE), which needs nothing"
        raise UserError("paralign.read_results needs pandas, which is not installed", hint=hint) from error
    given = [runs] if isinstance(runs, str | Path) else list(runs)
    if not given:
        raise UserError("no run folders given", hint='paralign.read_results("runs")')
    # A file stands for its run.
    folders = [path.parent if path.is_file() else path for path in map(Path, given)]
    found = [run for path in folders for run in find_runs(path)]
    with_rows = [folder for folder in found if (folder / "results.jsonl").is_file()]
    if not with_rows:
        where = str(given[0]) if len(given) == 1 else None
        raise UserError("no run has results", where=where, hint="evaluate first: paralign evaluate or finetune")
    rows = [_row(run, row) for run in read_runs(with_rows) for row in run.rows]
    return pandas.DataFrame(rows, columns=list(rows[0]) if rows else None)


def _row(run: Run, row: Measurement) -> dict[str, Any]:
    return {
        "system": run.system_of(row),
        "control": bool(row.settings.get("control", run.info.control)),
        "task": row.task,
        "dataset": row.dataset,
        "split": row.split,
        "train": row.train,
        "language": row.language,
        "direction": row.where.direction,
        "pool": row.where.pool,
        "layer": row.where.layer,
        "metric": row.metric,
        "value": row.value,
        "n": row.n,
        "seed_pretrain": row.seeds.pretrain,
        "seed_align": row.seeds.align,
        "seed_finetune": row.seeds.finetune,
        "model": row.model,
        "run": run.name,
        "path": str(run.path),
    }
