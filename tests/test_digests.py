"""Damage to a file is noticed when the file is opened, or when the damaged block of an array is first read."""

import hashlib
import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign import digests
from paralign.digests import FolderDigests, file_digest, object_digest, write_digests
from paralign.errors import UserError

SIZES = {"a.bin": 3, "b.bin": 0, "c.bin": 2 * 65_536 // 8 + 1}
"""Rows of each array: less than a block, none, and a row in a third block."""


def flip(path, bit):
    """Flip one bit of a file; return the old content."""
    data = path.read_bytes()
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("digests") / "out"
    out.mkdir()
    for name, rows in SIZES.items():
        (out / name).write_bytes(np.arange(rows, dtype="<i8").tobytes())
    (out / "inner").mkdir()
    (out / "inner" / "note.txt").write_text("note")
    (out / "meta.json").write_text("{}")
    (out / "README.md").write_text("may be edited")
    write_digests(out, SIZES)
    return out


def read_everything(folder):
    found = FolderDigests(folder, "restore it")
    found.check()
    for name in found.arrays:
        found.check_array(name)


def test_the_digest_of_a_file_is_that_of_its_bytes_and_follows_links(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 10_000_000)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    digest = hashlib.blake2b(b"x" * 10_000_000, digest_size=16).hexdigest()
    assert file_digest(tmp_path / "a") == file_digest(tmp_path / "b") == digest
    (tmp_path / "a").write_bytes(b"y")
    assert file_digest(tmp_path / "b") == hashlib.blake2b(b"y", digest_size=16).hexdigest()


def test_a_file_is_hashed_again_after_every_change_and_otherwise_once(tmp_path, monkeypatch):
    path, reads = tmp_path / "a", []
    for number in range(300):  # several changes within one tick of the clock of the file system
        path.write_bytes(b"%03d" % number)
        assert file_digest(path) == hashlib.blake2b(b"%03d" % number, digest_size=16).hexdigest()
    os.utime(path, (1, 1))
    monkeypatch.setattr(digests.time, "time_ns", lambda: path.stat().st_ctime_ns + 10**9)
    real = hashlib.file_digest
    monkeypatch.setattr(digests.hashlib, "file_digest", lambda *args: reads.append(1) or real(*args))
    assert len({file_digest(path) for _ in range(3)}) == len(reads) == 1


def test_the_digest_of_a_json_value_ignores_the_order_of_keys():
    assert object_digest({"a": 1, "b": [2]}) == object_digest({"b": [2], "a": 1}) != object_digest({"a": 1, "b": [3]})


def test_an_intact_folder_is_read_and_files_without_digest_may_change(folder):
    read_everything(folder)
    (folder / "README.md").write_text("edited")
    (folder / "mine").write_text("added")
    read_everything(folder)
    (folder / "mine").unlink()


@given(share=st.floats(0, 1, exclude_max=True))
@pytest.mark.parametrize("name", ["a.bin", "c.bin", "inner/note.txt", "meta.json", "digests.json", "blocks.bin"])
def test_every_flipped_bit_is_noticed_and_its_file_named(folder, name, share):
    path = folder / name
    before = flip(path, int(share * 8 * path.stat().st_size))
    try:
        with pytest.raises(UserError, match=rf"/{name}: the file is damaged.*\(restore it\)"):
            read_everything(folder)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize("name", ["a.bin", "c.bin", "inner/note.txt", "meta.json", "blocks.bin"])
def test_missing_and_truncated_files_are_named(folder, name, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / name).write_bytes((copy / name).read_bytes()[:-1])
    with pytest.raises(UserError, match=f"{name}: the file is damaged"):
        read_everything(copy)
    (copy / name).unlink()
    with pytest.raises(UserError, match=f"{name}: the file is missing"):
        read_everything(copy)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": 1}', "[" * 100_000])
def test_digests_that_cannot_be_read_are_named(folder, text, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "digests.json").write_text(text)
    with pytest.raises(UserError, match=r"digests\.json: the file is damaged"):
        read_everything(copy)


def test_a_folder_without_digests_is_read_without_checks(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "digests.json").unlink()
    (copy / "blocks.bin").unlink()
    flip(copy / "c.bin", 5)
    found = FolderDigests(copy, "restore it")
    found.check("meta.json")
    assert found.files == {}
    assert found.array("c.bin", "<i8")[0] == 32


KEYS = st.one_of(
    st.integers(0, SIZES["c.bin"] - 1),
    st.tuples(st.integers(0, SIZES["c.bin"]), st.integers(0, SIZES["c.bin"])).map(lambda ends: slice(*sorted(ends))),
    st.lists(st.integers(0, SIZES["c.bin"] - 1), max_size=5).map(lambda rows: np.array(rows, np.int64)),
)


@given(keys=st.lists(KEYS, max_size=5), damaged=st.integers(0, 2))
def test_only_the_blocks_that_are_read_are_checked(folder, keys, damaged):
    """Against an array in memory: reading raises if and only if a row of the damaged block is read."""
    before = flip(folder / "c.bin", damaged * 65_536 * 8)
    try:
        expected = np.frombuffer(before, "<i8")
        array = FolderDigests(folder, "").array("c.bin", "<i8")
        assert len(array) == len(expected)
        for key in keys:
            rows = np.atleast_1d(np.arange(len(expected))[key])
            start = key.start // 8192 if isinstance(key, slice) else None
            if damaged in rows // 8192:
                with pytest.raises(UserError, match=r"c\.bin"):
                    array[key]
            elif not (len(rows) == 0 and start == damaged):  # an empty slice may check the block it begins in
                np.testing.assert_array_equal(array[key], expected[key])
    finally:
        (folder / "c.bin").write_bytes(before)


def test_each_block_is_checked_once(folder, monkeypatch):
    calls = []
    digest = digests._block_digest
    monkeypatch.setattr(digests, "_block_digest", lambda block: calls.append(len(block)) or digest(block))
    array = FolderDigests(folder, "").array("c.bin", "<i8")
    assert calls == []
    for _ in range(2):
        assert array[8191] == 8191
        np.testing.assert_array_equal(array[np.array([8192, 1])], [8192, 1])
    assert calls == [65_536] * 2
    np.testing.assert_array_equal(array.all(), np.arange(SIZES["c.bin"]))
    assert calls == [65_536] * 2 + [8]


def test_the_content_of_digests_json(folder):
    content = json.loads((folder / "digests.json").read_text())
    assert set(content["files"]) == {"meta.json", "blocks.bin", "inner/note.txt"}
    assert content["arrays"] == {name: 8 * rows for name, rows in SIZES.items()}


def test_a_reversed_slice_is_checked_too(tmp_path):
    np.arange(100_000, dtype="<i8").tofile(tmp_path / "a.bin")
    write_digests(tmp_path, ["a.bin"])
    data = bytearray((tmp_path / "a.bin").read_bytes())
    (tmp_path / "a.bin").write_bytes(bytes([*data[:-1], data[-1] ^ 1]))
    array = FolderDigests(tmp_path, "restore it").array("a.bin", "<i8")
    assert array[10:0:-2].tolist() == [10, 8, 6, 4, 2]
    with pytest.raises(UserError, match=r"a\.bin: the file is damaged"):
        array[::-1]
