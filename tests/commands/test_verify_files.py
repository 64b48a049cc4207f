"""``corpus check --verify`` reads everything, and names every damaged file."""

import pytest

import paralign
from paralign.__main__ import main
from paralign.commands.verify_files import verify_files
from paralign.errors import UserError
from tests.commands.inference import nli

QUICK = {"training": {"batch": 8, "steps": 2, "precision": "fp32"}, "data": {"min_pieces": 2}}


@pytest.fixture(scope="module")
def runs(base, tmp_path_factory):
    out = tmp_path_factory.mktemp("verify")
    paralign.align(
        str(base), out=out / "align", pairs=["en-de=smallworld:0-60"], recipe="alignlm-mini", settings=QUICK, quiet=True
    )
    nli(base, out / "nli")
    return out


def flip(path):
    data = path.read_bytes()
    path.write_bytes(data[:-10] + bytes([data[-10] ^ 4]) + data[-9:])
    return data


def test_every_file_with_a_digest_is_read(runs, capsys):
    assert main(["corpus", "check", "--verify", str(runs / "align"), "--verify", str(runs / "nli")]) == 0
    assert f"{verify_files([runs])} files are intact" in capsys.readouterr().out
    checked = 0
    for path in sorted(path for path in runs.rglob("*") if path.is_file()):
        if path.name in ("README.md", "config.toml"):  # may be edited
            continue
        before = flip(path)
        assert main(["corpus", "check", "--verify", str(runs)]) == 2, path
        error = capsys.readouterr().err
        assert str(path) in error
        assert len(error.splitlines()) == 1
        path.write_bytes(before)
        checked += 1
    assert checked > 30
    assert verify_files([runs]) > 30


def test_all_damaged_files_are_named(runs):
    files = [runs / "align" / "corpus" / "pieces.bin", runs / "align" / "links" / "links.bin"]
    before = [flip(file) for file in files]
    with pytest.raises(UserError, match=r"pieces\.bin: the file is damaged.*; damaged too: \S+links\.bin"):
        verify_files([runs / "align"])
    for file, data in zip(files, before, strict=True):
        file.write_bytes(data)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--verify", "nowhere"], "nowhere: no such folder"),
        (["--verify", "{tmp}"], "no file in the folder has a digest"),
        (["--verify", "{tmp}", "--pairs", "en-de=x"], "--verify is used alone"),
        (["--pairs", "en-de=smallworld"], "no output folder is given (--out FOLDER)"),
    ],
)
def test_mistakes_are_reported(tmp_path, words, message, capsys):
    assert main(["corpus", "check", *(word.format(tmp=tmp_path) for word in words)]) == 2
    assert message in capsys.readouterr().err


def test_a_file_is_no_folder(tmp_path, capsys):
    (tmp_path / "a.tsv").write_text("a\tb\n")
    for name, message in (("a.tsv", "is a file, not a folder (give the folder of the store or run)"),
                          ("none", "no such folder")):  # fmt: skip
        assert main(["corpus", "check", "--verify", str(tmp_path / name)]) == 2
        assert capsys.readouterr().err == f"paralign: {tmp_path / name}: {message}\n"
