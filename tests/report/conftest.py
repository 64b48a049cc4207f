from __future__ import annotations

from pathlib import Path

import pytest

from paralign.report import ReportPaths, write_report
from tests.report.synthetic import make_runs


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The made-up experiment; not to be written to."""
    return make_runs(tmp_path_factory.mktemp("experiment"))


@pytest.fixture(scope="session")
def report(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> ReportPaths:
    return write_report(runs, tmp_path_factory.mktemp("out") / "report.html")
