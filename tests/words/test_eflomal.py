"""The aligner eflomal, with a script in place of the program."""

import stat
import sys

import pytest

from paralign.errors import UserError
from paralign.words.eflomal import EflomalConfig, run_eflomal

PAIRS = [(["A", "b"], ["X", "y"]), ([], ["y"]), (["b"], ["y"])]
DIAGONAL = """
lines = [line.split() for line in open("source")]
assert lines == [["a", "b"], ["b"]], lines
for name in ("forward", "backward"):
    with open(name, "w") as out:
        for words in lines:
            out.write(" ".join(f"{k}-{k}" for k in range(len(words))) + "\\n")
"""


def program(tmp_path, text):
    path = tmp_path / "eflomal-align"
    path.write_text(f"#!{sys.executable}\nimport os, sys\n{text}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return EflomalConfig(program=str(path))


def test_links_are_read_and_empty_pairs_keep_their_position(tmp_path):
    assert list(run_eflomal(PAIRS, program(tmp_path, DIAGONAL))) == [[(0, 0), (1, 1)], [], [(0, 0)]]


def test_a_program_may_be_a_relative_path(tmp_path, monkeypatch):
    program(tmp_path, DIAGONAL)
    monkeypatch.chdir(tmp_path)
    assert list(run_eflomal(PAIRS, EflomalConfig(program="./eflomal-align"))) == [[(0, 0), (1, 1)], [], [(0, 0)]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "print('Error: out of memory', file=sys.stderr); sys.exit(3)",
            r"failed \(exit code 3\): Error: out of memory",
        ),
        ("os.kill(os.getpid(), 9)", "terminated by signal 9"),
        ("print('Success')", "ended before writing all links: is the disk .* full.*: Success"),
        (DIAGONAL + "open('backward', 'w').write('0-0\\n')", "ended before writing all links"),
    ],
)
def test_a_failure_is_reported_and_temporary_files_are_removed(tmp_path, monkeypatch, text, message):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with pytest.raises(UserError, match=message) as error:
        run_eflomal(PAIRS, program(tmp_path, text))
    assert "\n" not in str(error.value)
    assert not list(temporary.iterdir())


def test_a_missing_program_is_an_error():
    with pytest.raises(UserError, match=r"program 'no-such' not found.*pip install eflomal"):
        run_eflomal(PAIRS, EflomalConfig(program="no-such"))


def test_white_space_inside_words_does_not_split_them(tmp_path):
    """eflomal reads words between any white space."""
    pairs = [(["a", "10\u00a0000", "b"], ["\u3000", "b"])]
    check = """
assert [open(f).read().split() for f in ("source", "target")] == [["a", "10_000", "b"], ["_", "b"]]
for name in ("forward", "backward"):
    open(name, "w").write("2-1\\n")
"""
    assert list(run_eflomal(pairs, program(tmp_path, check))) == [[(2, 1)]]
