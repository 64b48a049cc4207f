"""Lines against a slow oracle (split the whole file at once), and every way a file can be bad."""

import bz2
import gzip
import io
import sys
import tarfile
import tracemalloc
import zlib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from paralign.errors import UserError
from paralign.formats import streams as module
from paralign.formats.lines import MAX_LINE, read_lines, write_lines

LINES = st.lists(st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"])), min_size=1)


def oracle(data: bytes) -> list[tuple[int, str]]:
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [(n, line.removesuffix(b"\r").decode()) for n, line in enumerate(lines, 1)]


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@given(
    lines=LINES,
    end=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
    bom=st.booleans(),
    block=st.integers(1, 40),
)
def test_equals_the_oracle(tmp_path_factory, lines, end, last, bom, block) -> None:  # type: ignore[no-untyped-def]
    data = (b"\xef\xbb\xbf" if bom else b"") + (end.join(lines) + (end if last else "")).encode()
    folder = tmp_path_factory.mktemp("lines", numbered=True)
    if not data.removeprefix(b"\xef\xbb\xbf"):
        return
    with pytest.MonkeyPatch.context() as patch:
        # A file is opened by its first bytes; below four of them no magic number could be seen.
        patch.setattr(module, "_BLOCK", max(block, 4))
        for name in ("a.txt", "a.gz"):
            assert list(read_lines(write(folder / name, data))) == oracle(data)


def test_unicode_line_separators_do_not_end_a_line(tmp_path: Path) -> None:
    text = "a\u2028b\u0085c\x0bd\x1ce\rf\n"
    assert list(read_lines(write(tmp_path / "a", text.encode()))) == [(1, text[:-1])]


def test_members_and_padding_of_gzip(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    file.write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"c\n") + b"\0" * 700)
    assert [line for _, line in read_lines(file)] == ["a", "bc"]


def test_gzip_is_seen_without_its_name_and_on_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(gzip.compress(b"x\ny\n"))
    assert [line for _, line in read_lines(file)] == ["x", "y"]
    for data in (b"x\ny\n", gzip.compress(b"x\ny\n")):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
        assert [line for _, line in read_lines("-")] == ["x", "y"]


BAD = {
    "invalid UTF-8": (b"good\nb\xe9d\nlast\n", r":2: invalid UTF-8 \(0xe9 at byte 2"),
    "NUL": (b"good\nb\0d\nlast\n", r":2: a NUL byte at byte 2"),
    "line too long": (
        b"good\n" + b"x" * (MAX_LINE + 1) + b"\nlast\n",
        r":2: the line is longer than 65,535 bytes",
    ),
}


@pytest.mark.parametrize("name", ["a.txt", "a.gz"])
@pytest.mark.parametrize("reason", list(BAD))
def test_bad_lines(tmp_path: Path, reason: str, name: str) -> None:
    data, message = BAD[reason]
    file = write(tmp_path / name, data)
    with pytest.raises(UserError, match=f"{name}{message}"):
        list(read_lines(file))
    dropped: Counter[str] = Counter()
    assert list(read_lines(file, lenient=True, dropped=dropped)) == [(1, "good"), (3, "last")]
    assert dropped == {reason: 1}


def test_the_longest_line_that_may_be(tmp_path: Path) -> None:
    long = "x" * MAX_LINE
    for end in ("\n", "\r\n", ""):
        assert list(read_lines(write(tmp_path / "a", ("a\n" + long + end).encode())))[1] == (2, long)
    with pytest.raises(UserError, match="longer"):
        list(read_lines(write(tmp_path / "a", "é".encode() * (MAX_LINE // 2 + 1))))


def test_a_giant_line_is_not_slurped(tmp_path: Path) -> None:
    file = tmp_path / "a.gz"
    with gzip.open(file, "wb", compresslevel=1) as out:
        out.write(b"first\n")
        for _ in range(64):
            out.write(b"x" * (1 << 20))
        out.write(b"\nlast\n")
    dropped: Counter[str] = Counter()
    tracemalloc.start()
    assert list(read_lines(file, lenient=True, dropped=dropped)) == [(1, "first"), (3, "last")]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert dropped == {"line too long": 1}
    assert peak < 4 << 20


@pytest.mark.parametrize("cut", [11, 40, 2000, -9, -1])
def test_truncated_gzip(tmp_path: Path, cut: int) -> None:
    lines = [f"line {n} {n * n * 7919 % 1009}" for n in range(2000)]
    whole = gzip.compress(("\n".join(lines) + "\n").encode())
    file = tmp_path / "a.gz"
    file.write_bytes(whole[:cut])
    with pytest.raises(UserError, match=r"a\.gz:\d+: truncated gzip"):
        list(read_lines(file))
    dropped: Counter[str] = Counter()
    got = [line for _, line in read_lines(file, lenient=True, dropped=dropped)]
    assert got == lines[: len(got)]
    assert dropped == {"truncated gzip": 1}
    if cut < 0:  # only the check sum is missing
        assert got == lines
    if cut == 2000:
        assert got


@pytest.mark.parametrize("place", [-5, 3000])
def test_lines_before_the_damage_of_gzip_are_kept(tmp_path: Path, place: int) -> None:
    lines = [f"line {n} {n * n * 7919 % 1009}" for n in range(2000)]
    whole = bytearray(gzip.compress(("\n".join(lines) + "\n").encode()))
    whole[place] ^= 0xFF
    file = tmp_path / "a.gz"
    file.write_bytes(whole)
    dropped: Counter[str] = Counter()
    got = [line for _, line in read_lines(file, lenient=True, dropped=dropped)]
    assert dropped == {"damaged gzip": 1}
    # Those that zlib gives of the bytes before the damage; after it, a few may be wrong before it is noticed.
    before = zlib.decompressobj(wbits=31).decompress(bytes(whole[:place])).decode().split("\n")[:-1]
    assert got[: len(before)] == lines[: len(before)]
    assert len(before) == 2000 if place == -5 else 300 < len(before) < 2000
    assert len(got) <= 2000
    with pytest.raises(UserError, match=rf"a\.gz:{len(got) + 1}: damaged gzip"):
        list(read_lines(file))


def test_damaged_and_foreign_gzip(tmp_path: Path) -> None:
    whole = bytearray(gzip.compress(b"a\nb\n"))
    whole[-5] ^= 1  # the check sum
    file = tmp_path / "a.gz"
    file.write_bytes(whole)
    with pytest.raises(UserError, match="damaged gzip"):
        list(read_lines(file))
    file.write_bytes(gzip.compress(b"a\nb\n") + b"trailer")
    with pytest.raises(UserError, match="foreign bytes after"):
        list(read_lines(file))
    dropped: Counter[str] = Counter()
    assert [line for _, line in read_lines(file, lenient=True, dropped=dropped)] == ["a", "b"]
    assert dropped.total() == 1


def tar(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("a.txt")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.gz", b"plain\n", "not gzip"),
        ("A.GZ", b"plain\n", "not gzip"),
        ("a.Zst", b"plain\n", "not zstd"),
        ("a.txt", b"", "empty"),
        ("b.txt", b"\xef\xbb\xbf", "empty"),
        ("c.zip", b"PK\x03\x04....", "zip archive"),
        ("d.bz2", bz2.compress(b"text\n"), "a bzip2 file"),
        ("e.txt", "hello\n".encode("utf-16"), "UTF-16"),
        ("f.txt", "hello\n".encode("utf-16-le"), "UTF-16"),
        ("g.tsv", "größer\tbigger\n".encode("utf-16-be"), "UTF-16"),
        ("h.gz", gzip.compress("hello\n".encode("utf-16")), "is UTF-16 text compressed with gzip"),
        ("i.zst", zstandard.compress("hello\n".encode("utf-16-le")), "is UTF-16 text compressed with zstd"),
        ("j.gz", gzip.compress(gzip.compress(b"text\n")), "is gzip data compressed with gzip .decompress it once"),
        ("k.gz", gzip.compress(zstandard.compress(b"text\n")), "is zstd data compressed with gzip"),
        ("l.zst", zstandard.compress(gzip.compress(b"text\n")), "is gzip data compressed with zstd"),
        ("m.gz", gzip.compress(b"PK\x03\x04...."), "is a zip archive compressed with gzip"),
        ("n.tar.gz", gzip.compress(tar(b"text\n")), "is a tar archive compressed with gzip"),
        ("o.tar", tar(b"text\n"), "is a tar archive"),
        ("p.gz", gzip.compress(bz2.compress(b"text\n"))[:-4], "is a bzip2 file compressed with gzip"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",  # gzip data have the time
)
@pytest.mark.parametrize("lenient", [False, True])
def test_not_a_text_file(tmp_path: Path, name: str, data: bytes, message: str, lenient: bool) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UserError, match=f"{name}: .*{message}"):
        list(read_lines(tmp_path / name, lenient=lenient))


@pytest.mark.parametrize("text", ["BZh is no word", "BZh9", "BZh91AY&S"])
def test_text_may_begin_like_bzip2(tmp_path: Path, text: str) -> None:
    assert list(read_lines(write(tmp_path / "a.txt", text.encode()))) == [(1, text)]


@pytest.mark.parametrize(
    ("name", "magic"), [("a.GZ", b"\x1f\x8b"), ("a.tsv.Zst", b"\x28\xb5\x2f\xfd"), ("a.gz.x", b"x")]
)
def test_the_case_of_the_name_does_not_decide_compression(tmp_path: Path, name: str, magic: bytes) -> None:
    write_lines(tmp_path / name, ["x", "y"])
    assert (tmp_path / name).read_bytes().startswith(magic)
    assert list(read_lines(tmp_path / name)) == [(1, "x"), (2, "y")]


def test_empty_gzip(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="empty"):
        list(read_lines(write(tmp_path / "a.gz", b"")))


def test_missing_file_and_folder(tmp_path: Path) -> None:
    write(tmp_path / "corpus.tsv", b"x\n")
    with pytest.raises(UserError, match=r"no such file.*did you mean '.*corpus\.tsv'"):
        list(read_lines(tmp_path / "corpsu.tsv"))
    with pytest.raises(UserError, match="no folder"):
        list(read_lines(tmp_path / "nowhere" / "a"))
    with pytest.raises(UserError, match="is a folder"):
        list(read_lines(tmp_path))
