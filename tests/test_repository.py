"""Files that the code host reads are well-formed and agree with the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import paralign

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_citation_names_this_version_and_the_date_of_its_release():
    citation = read(ROOT / "CITATION.cff")
    assert citation["version"] == paralign.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(rf"^## \[{re.escape(paralign.__version__)}\] - (\S+)$", changelog, re.MULTILINE)
    released = None if heading is None or heading[1] == "unreleased" else heading[1]
    assert str(citation.get("date-released")) == str(released)


def test_the_papers_cited_are_those_of_the_readme():
    words = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    references = read(ROOT / "CITATION.cff")["references"]
    assert len(references) == 4
    for paper in references:
        assert paper["title"] in words
        assert ", ".join(f"{a['given-names']} {a['family-names']}" for a in paper["authors"]) in words


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_has_what_the_host_requires(path):
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    ids = [field["id"] for field in fields]
    assert len(set(ids)) == len(ids) > 0
    assert any(field.get("validations", {}).get("required") for field in fields)


def test_a_bug_report_asks_for_doctor():
    fields = {field.get("id"): field for field in read(ROOT / ".github" / "ISSUE_TEMPLATE" / "bug_report.yml")["body"]}
    assert "paralign doctor" in fields["doctor"]["attributes"]["label"]
    assert fields["doctor"]["validations"]["required"]


def test_the_workflow_runs_the_targets_of_the_makefile():
    jobs = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, expected in (("test", ["docs", "test"]), ("slow", ["slow"])):
        steps = jobs[name]["steps"]
        targets = [step["run"].split()[1] for step in steps if step.get("run", "").startswith("make ")]
        assert targets == expected
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    job = jobs["test"]
    lowest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert lowest is not None
    assert job["strategy"]["matrix"]["python"][0] == lowest[1]
