"""One flipped bit in any file of a run is reported with the name of the file, or changes nothing."""

import random
import shutil

import pytest

from tests.robustness.scenarios import SCENARIOS, result_of, small_demo, write_data

FLIPS = 20
"""Flipped bits for each scenario."""


@pytest.fixture(scope="module", autouse=True)
def _small():
    with small_demo():
        yield


@pytest.fixture(scope="module")
def data(base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs") / "data"
    write_data(folder, base)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_no_flipped_bit_is_accepted_silently(data, tmp_path, capsys, name):
    scenario, chance = SCENARIOS[name], random.Random(name)
    begun, work = tmp_path / "begun" / "run", tmp_path / "work" / "run"
    begun.parent.mkdir()
    scenario.begin(data, work)  # paths are recorded, so each attempt is made in the same folder
    shutil.copytree(work, begun, symlinks=True)
    assert scenario.finish(data, work) == 0
    expected = result_of(work)
    assert expected
    files = sorted(path.relative_to(begun) for path in begun.rglob("*") if path.is_file() and path.stat().st_size)
    reported = 0
    # Every kind of file is damaged, however many files there are of another kind.
    kinds: dict[str, list] = {}
    for file in files:
        kinds.setdefault(file.name, []).append(file)
    order = chance.sample(sorted(kinds), len(kinds))
    for number in range(FLIPS):
        shutil.rmtree(work.parent)
        work.parent.mkdir()
        shutil.copytree(begun, work, symlinks=True)
        file = chance.choice(kinds[order[number % len(order)]])
        content = bytearray((work / file).read_bytes())
        bit = chance.randrange(8 * len(content))
        content[bit // 8] ^= 1 << bit % 8
        (work / file).write_bytes(content)
        capsys.readouterr()
        code = scenario.finish(data, work)
        error = capsys.readouterr().err
        what = f"bit {bit} of {file}: code {code}, {error}"
        if code == 0:
            result = result_of(work)
            changed = [path for path in expected if result.get(path) != expected[path] and path != f"run/{file}"]
            assert not changed, f"{what}{changed}"
        else:
            reported += 1
            assert code == 2, what
            lines = [line for line in error.splitlines() if line.startswith("paralign: ")]
            assert len(lines) == 1, what
            assert "Traceback" not in error, what
            assert str(file) in lines[0], what
    assert reported > FLIPS / 4
