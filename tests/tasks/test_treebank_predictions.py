"""Predictions for treebanks: every column but the predicted ones stays, and the official scorer reads the file."""

import os
import re
import subprocess
import sysconfig
from collections import Counter
from pathlib import Path

import pytest

from paralign.tasks.base import find_task

SHARED = Path(os.environ.get("PARALIGN_SHARED", Path(__file__).parents[2].parent / "shared"))
PUD = SHARED / "data" / "pos-parse"
COLUMNS = {"pos": {3}, "parsing": {6, 7}}
TREEBANK = """\
# newdoc id = d1
# sent_id = fr-1
# text = Il va au marché du village.
1\tIl\til\tPRON\t_\tNumber=Sing\t2\tnsubj\t_\t_
2\tva\taller\tVERB\tV\tTense=Pres\t0\troot\t0:root\tGloss=goes
3-4\tau\t_\t_\t_\t_\t_\t_\t_\t_
3\tà\tà\tADP\t_\t_\t5\tcase\t_\t_
4\tle\tle\tDET\t_\tDefinite=Def\t5\tdet\t_\t_
5\tmarché\tmarché\tNOUN\t_\tGender=Masc\t2\tobl\t_\t_
5.1\tvide\tvide\tVERB\t_\t_\t_\t_\t2:dep\t_
6-7\tdu\t_\t_\t_\t_\t_\t_\t_\tTypo=No
6\tde\tde\tADP\t_\t_\t8\tcase\t_\t_
7\tle\tle\tDET\t_\tDefinite=Def\t8\tdet\t_\t_
8\tvillage\tvillage\tNOUN\t_\tGender=Masc\t5\tnmod\t_\tSpaceAfter=No
9\t.\t.\tPUNCT\t_\t_\t2\tpunct\t_\t_

# sent_id = fr-2
# text = Non
1\tNon\tnon\tINTJ\t_\t_\t0\troot\t_\t_

"""


def predicted(name: str, encoder, path: Path, out: Path, limit: int | None = None) -> Path:
    """Write the predictions of a head with random weights."""
    task = find_task(name)
    spec = f"fr={path}"
    task.fit([task.read(spec, lenient=False, dropped=Counter(), limit=limit)])
    data = task.read(spec, lenient=False, dropped=Counter(), limit=limit, labeled=False)
    (file,) = task.predict(encoder, task.head(encoder), data, out)
    return file


def without(path: Path, columns: set[int]) -> list[list[str]]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")]
    return [["" if k in columns and row[0].isdigit() else c for k, c in enumerate(row)] for row in rows]


def check(name: str, gold: Path, system: Path) -> None:
    assert without(system, COLUMNS[name]) == without(gold, COLUMNS[name])
    scorer = Path(sysconfig.get_path("scripts"), "udeval")
    run = subprocess.run([str(scorer), "-v", "--no-enhanced", str(gold), str(system)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    scores = {key.strip(): value for key, value in re.findall(r"^(\w+) *\|[^|]*\|[^|]*\| *([0-9.]+)", run.stdout, re.M)}
    kept = {"Tokens", "Sentences", "Words", "UFeats", "Lemmas"} | ({"UPOS"} if name == "parsing" else {"UAS", "LAS"})
    assert {scores[key] for key in kept} == {"100.00"}
    assert float(scores["UPOS" if name == "pos" else "LAS"]) < 100


@pytest.mark.parametrize("name", list(COLUMNS))
def test_all_else_stays(encoder, tmp_path, name):
    (tmp_path / "gold.conllu").write_text(TREEBANK, encoding="utf-8")
    file = predicted(name, encoder, tmp_path / "gold.conllu", tmp_path / "system.conllu")
    check(name, tmp_path / "gold.conllu", file)


@pytest.mark.real
@pytest.mark.skipif(not PUD.is_dir(), reason="no real data here")
@pytest.mark.parametrize("name", list(COLUMNS))
@pytest.mark.parametrize("language", ["German", "French", "Spanish"])
def test_parallel_treebanks(encoder, tmp_path, name, language):
    (gold,) = (PUD / f"UD_{language}-PUD").glob("*.conllu")
    check(name, gold, predicted(name, encoder, gold, tmp_path / "system.conllu"))
