"""The wheel has every file of the package, and works in an environment without the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "paralign"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built as for a release; building needs hatchling from the registry."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(out), str(ROOT)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    said = made.stdout + made.stderr
    if made.returncode and "No matching distribution found for hatchling" in said:
        pytest.skip("hatchling cannot be installed: the registry is not reachable")
    assert made.returncode == 0, said
    (path,) = out.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_has_every_file_of_the_package(wheel):
    tracked = subprocess.run(
        ["git", "ls-files", "src/paralign"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    expected = {name.removeprefix("src/") for name in tracked if name}
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
        assert expected <= found
        assert {name for name in found if ".dist-info/" not in name} == expected
        for name in expected:
            if not name.endswith(".py"):  # data: tables, weights, pairs
                assert archive.read(name) == (ROOT / "src" / name).read_bytes()
    for folder, ending in (("demo_pairs", ".tsv.gz"), ("models/paralign-mini", ".safetensors"), ("recipes", ".toml")):
        assert any(name.startswith(f"paralign/{folder}/") and name.endswith(ending) for name in found)


@pytest.mark.slow
def test_the_wheel_names_the_license_of_the_pairs(wheel):
    with zipfile.ZipFile(wheel) as archive:
        licenses = [name for name in archive.namelist() if ".dist-info/licenses/" in name]
        texts = [archive.read(name).decode() for name in licenses]
    assert any("CC BY 2.0 FR" in text for text in texts)
    assert any("Apache License" in text for text in texts)


@pytest.mark.slow
def test_the_commands_run_from_the_unpacked_wheel(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    for words in (["demo", "--small-world", "--help"], ["list", "recipes"], ["list", "models"]):
        made = subprocess.run(
            [sys.executable, "-m", "paralign", *words], cwd=tmp_path, env=environment, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        assert "paralign" in made.stdout or "ppa" in made.stdout
