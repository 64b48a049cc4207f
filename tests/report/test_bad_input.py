import json

import numpy as np
import pytest

from paralign.errors import UserError
from paralign.report import write_report
from paralign.results import write_results
from tests.report.synthetic import describe, measurement


@pytest.fixture
def run(tmp_path):
    items = np.ones((3, 2))
    fields = {
        "task": "pos",
        "metric": "accuracy",
        "language": "de",
        "model": "m",
        "model_hash": "h",
        "run": "run",
    }
    write_results(tmp_path / "run", [(measurement(items, **fields), items)])
    return tmp_path / "run"


def refused(runs, out, **options):
    with pytest.raises(UserError) as caught:
        write_report(runs, out, **options)
    assert not out.is_file()
    return str(caught.value)


def test_out_is_a_folder(run, tmp_path):
    assert "but this is a folder" in refused([run], tmp_path)


def test_out_in_a_missing_folder(run, tmp_path):
    assert refused([run], tmp_path / "no" / "r.html").startswith(f"{tmp_path / 'no'}: no such folder")


def test_out_is_no_page(run, tmp_path):
    assert "r.html" in refused([run], tmp_path / "r.md")


@pytest.mark.parametrize("suffix", ["md", "csv", "figures.csv", "tex", "figures"])
def test_names_of_the_other_files_are_checked_before_anything_is_written(run, tmp_path, suffix):
    blocked = tmp_path / f"r.{suffix}"
    blocked.write_text("mine") if suffix == "figures" else blocked.mkdir()
    before = sorted(tmp_path.iterdir())
    kind = "folder" if suffix == "figures" else "file"
    message = refused([run], tmp_path / "r.html", latex=True, figures=True)
    assert message.startswith(f"{blocked}: the report writes a {kind} of this name, but this is a ")
    assert sorted(tmp_path.iterdir()) == before
    write_report([run], tmp_path / "r.html", csv=False) if suffix != "md" else None
    assert (tmp_path / "r.html").exists() == (suffix != "md"), "files that are not written are not checked"


@pytest.mark.parametrize("suffix", ["md", "csv", "figures.csv", "tex"])
def test_files_that_are_not_of_a_report_are_not_replaced(run, tmp_path, suffix):
    mine = tmp_path / f"r.{suffix}"
    mine.write_text("mine")
    message = refused([run], tmp_path / "r.html", latex=True)
    assert message.startswith(
        f"{mine}: already exists and is not part of a report: there is no r.html (choose another name"
    )
    assert mine.read_text() == "mine"
    mine.unlink()
    write_report([run], tmp_path / "r.html", latex=True)
    written = mine.read_text()
    write_report([run], tmp_path / "r.html", latex=True)  # its own files are replaced
    assert mine.read_text() == written


def test_no_folders(tmp_path):
    assert "no run folders" in refused([], tmp_path / "r.html")


def test_missing_folder(run, tmp_path):
    assert refused([run, tmp_path / "gone"], tmp_path / "r.html").startswith(f"{tmp_path / 'gone'}: no such run")


def test_a_folder_that_is_no_run(run, tmp_path):
    (tmp_path / "figures").mkdir()
    assert "figures: not a run folder" in refused([run, tmp_path / "figures"], tmp_path / "r.html")


def test_a_file_is_no_run(run, tmp_path):
    assert "not a run folder" in refused([run / "results.jsonl"], tmp_path / "r.html")


def test_no_results_anywhere(tmp_path):
    describe(tmp_path / "a", {"verb": "align"})
    assert "no run has results, figures or a log" in refused([tmp_path / "a"], tmp_path / "r.html")


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"seconds": "long"})])
def test_a_broken_run_json_is_named(run, tmp_path, content):
    (run / "run.json").write_text(content)
    assert refused([run], tmp_path / "r.html").startswith(str(run / "run.json"))


def test_a_broken_results_line_is_named(run, tmp_path):
    (run / "results.jsonl").write_text("{}\n")
    assert refused([run], tmp_path / "r.html").startswith(f"{run / 'results.jsonl'}:1: ")


def test_an_unknown_control(run, tmp_path):
    assert "did you mean 'run'?" in refused([run], tmp_path / "r.html", control="runn")
