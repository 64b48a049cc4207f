"""Folders and files that appear whole or not at all."""

import errno
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from paralign import folders
from paralign.errors import UserError
from paralign.folders import atomic_file, atomic_files, atomic_folder
from paralign.formats.streams import open_output
from paralign.resumable import ResumableFiles


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def fail(path, error, **settings):
    with atomic_folder(path, **settings) as folder:
        (folder / "second").write_text("2")
        raise error


@pytest.mark.parametrize("write", [atomic_file, atomic_folder])
def test_an_unwritable_place_is_named_and_not_a_temporary_file(tmp_path, monkeypatch, write):
    def denied(*args, **settings):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / ".out.part"))

    monkeypatch.setattr("pathlib.Path.open" if write is atomic_folder else "os.open", denied)
    with (
        pytest.raises(UserError, match=r"/out: the folder is not writable \(choose another folder\)"),
        write(tmp_path / "out"),
    ):
        pass


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with atomic_folder(tmp_path / "a" / "out") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "new").write_text("x")
        assert not (tmp_path / "a" / "out").exists()
    assert names(tmp_path / "a") == ["out"]
    assert names(tmp_path / "a" / "out") == ["inner"]
    assert (tmp_path / "a" / "out" / "inner" / "new").read_text() == "x"


def test_files_of_a_folder_are_as_readable_as_new_files(tmp_path):
    """safetensors creates files that only their owner can read."""
    (tmp_path / "plain").write_text("x")
    with atomic_folder(tmp_path / "out") as folder:
        save_file({"a": np.zeros(1)}, folder / "weights.safetensors")
    assert (tmp_path / "out" / "weights.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_existing_folder_is_refused_or_replaced(tmp_path):
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "first").write_text("1")
    with pytest.raises(UserError, match=r"out: already exists \(choose another folder, or remove this one\)"):
        fail(tmp_path / "out", RuntimeError("never reached"))
    with pytest.raises(RuntimeError, match="stopped"):
        fail(tmp_path / "out", RuntimeError("stopped"), replace=True)
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["first"]
    with atomic_folder(tmp_path / "out", replace=True) as folder:
        (folder / "second").write_text("2")
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["second"]


def test_a_folder_that_appears_during_the_writing_is_refused_and_kept(tmp_path):
    def write():
        with atomic_folder(tmp_path / "out") as folder:
            (folder / "mine").write_text("1")
            (tmp_path / "out").mkdir()
            (tmp_path / "out" / "other").write_text("2")

    with pytest.raises(UserError, match="out: already exists"):
        write()
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["other"]


def test_what_a_killed_process_left_is_removed_and_files_of_the_user_are_not(tmp_path):
    left = tmp_path / ".out.part"
    (left / "inner").mkdir(parents=True)
    (left / "rest").write_text("of a killed run")
    (tmp_path / ".out.old").mkdir()
    for name in ("out.part", "out.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes").write_text("mine")
    with atomic_folder(tmp_path / "out", replace=True) as folder:
        (folder / "new").write_text("x")
    assert names(tmp_path / "out") == ["new"]
    assert names(tmp_path) == ["out", "out.old", "out.part"]
    assert (tmp_path / "out.part" / "notes").read_text() == "mine"
    assert (tmp_path / "out.old" / "notes").read_text() == "mine"


def _hold(path, started, stop):
    with atomic_folder(path) as folder:
        (folder / "mine").write_text("x")
        started.set()
        stop.wait(60)


def test_two_processes_do_not_write_one_folder(tmp_path):
    context = multiprocessing.get_context("spawn")
    started, stop = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "out", started, stop))
    other.start()
    assert started.wait(60)
    for replace in (False, True):
        with pytest.raises(UserError, match="another process is writing this folder"):
            fail(tmp_path / "out", RuntimeError("never reached"), replace=replace)
    stop.set()
    other.join(60)
    assert other.exitcode == 0
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["mine"]


class ForeignError(Exception):
    """What safetensors raises: no OSError."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the disk quota is used up"),
        (ForeignError("I/O error: No space left on device (os error 28)"), "the disk is full"),
    ],
)
def test_a_full_disk_leaves_the_older_folder(tmp_path, error, message):
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "first").write_text("1")
    with pytest.raises(UserError, match=rf"out: {message} \(free some space; nothing was changed\)"):
        fail(tmp_path / "out", error, replace=True)
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["first"]


@pytest.mark.parametrize("error", [OSError(errno.EIO, "i/o"), ForeignError("something else"), KeyboardInterrupt()])
def test_other_errors_pass_unchanged(tmp_path, error):
    with pytest.raises(type(error)) as caught:
        fail(tmp_path / "out", error)
    assert caught.value is error
    assert names(tmp_path) == []


def test_a_second_process_cannot_begin_while_a_folder_is_flushed(tmp_path, monkeypatch):
    refused = []
    flush = folders.flush

    def begin(file):
        flush(file)
        if not (tmp_path / "out").exists():
            with pytest.raises(UserError, match="another process is writing this folder"):
                fail(tmp_path / "out", ValueError())
            refused.append(file.name)

    monkeypatch.setattr(folders, "flush", begin)
    with atomic_folder(tmp_path / "out") as folder:
        (folder / "first").write_text("1")
    assert "first" in refused
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["first"]


def test_a_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(UserError, match="pipe: is a folder, a pipe or a device"),
        ResumableFiles([tmp_path / "pipe"], {}),
    ):
        pass
    assert (tmp_path / "pipe").is_fifo()
    assert names(tmp_path) == ["pipe"]


def stopped(paths):
    """What files report that are begun and stopped after their first record."""
    with ResumableFiles(paths, {"x": 1}) as out:
        found = out.done, out.changed
        out.write([b"1"] * len(paths), 1)
        out.checkpoint()
        raise Stop(*found)


class Stop(Exception):
    """Ends a block."""


def test_another_number_of_files_begins_again(tmp_path):
    reports = []
    for count in (1, 2, 1):
        with pytest.raises(Stop) as caught:
            stopped([tmp_path / "a", tmp_path / "b"][:count])
        reports.append(caught.value.args)
    assert reports == [(None, []), (None, ["the number of output files"]), (None, ["the number of output files"])]


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    (tmp_path / "a.txt.part").write_text("mine")
    with atomic_file(path) as out:
        out.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"

    def stop():
        with atomic_file(path) as out:
            out.write(b"two")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert path.read_bytes() == b"one"
    with atomic_file(path) as out:
        out.write(b"three")
    assert path.read_bytes() == b"three"
    assert names(tmp_path) == ["a.txt", "a.txt.part"]
    assert (tmp_path / "a.txt.part").read_text() == "mine"


def test_a_file_that_two_write_is_that_of_the_last(tmp_path):
    path = tmp_path / "a.txt"
    (tmp_path / ".a.txt.part").write_text("of a killed process")
    with atomic_file(path) as first:
        first.write(b"first")
        with atomic_file(path) as second:
            second.write(b"second")
        assert path.read_bytes() == b"second"
        with pytest.raises(KeyboardInterrupt), atomic_file(path):
            raise KeyboardInterrupt
    assert path.read_bytes() == b"first"
    assert names(tmp_path) == ["a.txt"]


def _write_often(path, letter):
    for _ in range(50):
        with atomic_file(path) as out:
            for _ in range(20):
                out.write(letter * 10_000)


def test_processes_that_write_one_file_do_not_mix(tmp_path):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_often, args=(tmp_path / "a", letter)) for letter in (b"x", b"y", b"z")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        if (tmp_path / "a").exists():
            content = (tmp_path / "a").read_bytes()
            assert content == content[:1] * 200_000
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert names(tmp_path) == ["a"]


def full(handle):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_the_older_file_and_names_it(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("old")
    monkeypatch.setattr("os.fsync", full)
    with (
        pytest.raises(UserError, match=r"/a: the disk is full \(free some space; nothing was changed\)"),
        open_output(tmp_path / "a") as out,
    ):
        out.write(b"new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def _resumable(paths):
    with ResumableFiles(paths, None) as out:
        out.write([b"1", b"2"], 1)


def _atomic(paths):
    with atomic_files(paths) as files:
        for file in files:
            file.write(b"new")


@pytest.mark.parametrize("on_full_disk", ["a", "b"])
@pytest.mark.parametrize("write", [_resumable, _atomic])
def test_of_several_files_none_is_changed_on_a_full_disk(tmp_path, monkeypatch, write, on_full_disk):
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_text("old")
    fsync = os.fsync

    def full_for_one(file):
        if os.path.samestat(os.fstat(file), (tmp_path / f".{on_full_disk}.part").stat()):
            full(file)
        fsync(file)

    monkeypatch.setattr("os.fsync", full_for_one)
    with pytest.raises(UserError, match=rf"/{on_full_disk}: the disk is full \(free some space; nothing was changed"):
        write(paths)
    assert [path.read_text() for path in paths] == ["old", "old"]
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="no /dev/full here")
@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "a.txt.zst"])
def test_of_several_files_the_one_on_the_full_disk_is_named(tmp_path, name):
    (tmp_path / name).symlink_to("/dev/full")
    noise = np.random.default_rng(0).bytes(100_000)

    def write():
        with open_output(tmp_path / name) as first, open_output(tmp_path / "b") as second:
            second.write(b"x")
            for _ in range(10):
                first.write(noise)

    with pytest.raises(UserError, match=rf"/{name}: the disk is full"):
        write()
    assert names(tmp_path) == [name]


def test_files_on_a_full_disk_can_be_continued(tmp_path, monkeypatch):
    paths = [tmp_path / "a", tmp_path / "b"]

    def write(blocks, *, checkpoint):
        with ResumableFiles(paths, {"x": 1}) as out:
            done = out.done
            for _ in range(blocks):
                out.write([b"1", b"22"], 1)
            if checkpoint:
                out.checkpoint()
            with monkeypatch.context() as patch:
                if checkpoint is not None:
                    patch.setattr("os.fsync", full)
                    out.write([b"3", b"3"], 1)
                    out.checkpoint()
        return done

    with pytest.raises(UserError, match=r"/a: the disk is full \(free some space; nothing was changed\)"):
        write(0, checkpoint=False)  # before the first record
    with pytest.raises(UserError, match=r"/a: the disk is full \(free some space, and run the same command again to"):
        write(3, checkpoint=True)
    assert not any(path.exists() for path in paths)
    assert write(2, checkpoint=None) == 3
    assert [path.read_bytes() for path in paths] == [b"1" * 5, b"22" * 5]
    assert names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("exists", [True, False])
def test_of_a_symbolic_link_the_file_that_it_points_to_is_written(tmp_path, exists):
    (tmp_path / "data").mkdir()
    (tmp_path / "other").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).symlink_to(f"data/{name}")
        if exists:
            (tmp_path / "data" / name).write_text("old")
    with atomic_file(tmp_path / "a") as out:
        out.write(b"new")
    with ResumableFiles([tmp_path / "b"], {}) as files:
        files.write([b"new"], 1)
    for name in ("a", "b"):
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "data" / name).read_text() == "new"
    assert names(tmp_path) == ["a", "b", "data", "other"]
    assert names(tmp_path / "data") == ["a", "b"]


def test_a_system_without_locks_is_not_an_error(tmp_path):
    """On Windows there is no module ``fcntl``."""
    code = """
import sys
sys.modules["fcntl"] = None
from pathlib import Path
from paralign.folders import atomic_file, atomic_folder
from paralign.runs.folder import RunFolder
out = Path(sys.argv[1])
with atomic_folder(out / "made") as part:
    (part / "file").write_text("text")
with atomic_file(out / "made/file2") as file:
    file.write(b"more")
run = RunFolder(out / "run", "align")
run.begin({})
run.save(status="done")
print(*((out / "made" / name).read_text() for name in ("file", "file2")))
print(RunFolder(out / "run", "align", resume=True).finished)
"""
    ran = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["text", "more", "True"]
