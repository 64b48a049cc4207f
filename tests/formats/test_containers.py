"""TMX, JSON lines, zip archives and zstd: the same pairs as from any file, and every kind of damage by its line."""

import gzip
import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from paralign.commands.convert_corpus import convert_corpus
from paralign.errors import UserError
from paralign.formats.items import Pair
from paralign.formats.json_lines import to_json_lines
from paralign.formats.lines import MAX_LINE, write_lines
from paralign.formats.tmx import read_tmx, to_tmx_lines
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import parse_pairs, parse_text
from paralign.text.normalization import normalize

WANTED = [("Hi.", "Hallo!"), ("café b", "d"), ("x < y & z", "x ‹ y")]
TMX = """<?xml version="1.0" encoding="{encoding}"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en"/><body>
<tu><tuv xml:lang="EN-US"><seg>Hi.</seg></tuv><tuv xml:lang="de"><seg>Hallo!</seg></tuv></tu>
<tu><tuv xml:lang="fr"><seg>rien</seg></tuv><tuv xml:lang="de"><seg>nichts</seg></tuv></tu>
<tu tuid="3"><note>n</note>
  <tuv lang="deu"><seg>d</seg></tuv>
  <tuv xml:lang="en"><prop type="x">p</prop><seg>caf\u00e9 <bpt i="1">&lt;b&gt;<sub>no</sub></bpt><hi>b</hi>\
<ept i="1">&lt;/b&gt;</ept></seg></tuv>
  <tuv xml:lang="en-GB"><seg>a second variant</seg></tuv>
</tu>
<tu><tuv xml:lang="en"><seg>x &lt; y &amp; z</seg></tuv><tuv xml:lang="de"><seg>x \u2039 y</seg></tuv></tu>
</body></tmx>
"""


def read(path, tags="en-de", **options):
    return list(read_pairs(parse_pairs(f"{tags}={path}"), **options))


def texts(path, tags="en-de", **options):
    return [(pair.source, pair.target) for pair in read(path, tags, **options)]


def packed(data, suffix):
    return {"": bytes, ".gz": gzip.compress, ".zst": zstandard.ZstdCompressor().compress}[suffix](data)


# -- zstd


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(1, 9))
def test_frames_of_zstd_are_one_file(tmp_path_factory, parts, level):
    file = tmp_path_factory.mktemp("z") / "a.txt.zst"
    lines = [f"{k}:{part.hex()}" for k, part in enumerate(parts)] + ["end"]
    compress = zstandard.ZstdCompressor(level=level).compress
    file.write_bytes(b"".join(compress(f"{line}\n".encode()) for line in lines))
    assert [text for _, text in read_text(parse_text(f"en={file}"))] == lines


def test_large_and_damaged_zstd(tmp_path):
    file = tmp_path / "a.txt.zst"
    lines = [f"line {k} {k * 7919 % 1000003}" for k in range(60_000)]
    whole = zstandard.ZstdCompressor(write_checksum=True).compress("".join(f"{line}\n" for line in lines).encode())
    spec = parse_text(f"en={file}")
    file.write_bytes(whole)
    assert [text for _, text in read_text(spec)] == lines
    for data, reason in ((whole[: len(whole) // 2], "truncated zstd"), (whole + b"junk", "foreign bytes after"),
                         (whole[:3000] + b"\xff" * 500 + whole[3500:], "damaged zstd")):  # fmt: skip
        file.write_bytes(data)
        with pytest.raises(UserError, match=reason) as found:
            list(read_text(spec))
        assert str(file) in str(found.value.where)
        dropped = Counter()
        kept = [text for _, text in read_text(spec, lenient=True, dropped=dropped)]
        if reason != "damaged zstd":  # what lies between the damage and the checksum at the end may be anything
            assert kept == lines[: len(kept)]
        assert [count for name, count in dropped.items() if name.startswith(reason)] == [1]
    file.write_text("plain\n")
    with pytest.raises(UserError, match="is not zstd"):
        list(read_text(spec))


def test_other_valid_zstd(tmp_path):
    """Frames without text, as pzstd and seekable zstd write, and a window of 256 MiB, as --long=28."""
    file = tmp_path / "a.txt.zst"
    one, two = (zstandard.ZstdCompressor().compress(text) for text in (b"one\n", b"two\n"))
    empty = [
        bytes([0x50 + k, 0x2A, 0x4D, 0x18]) + size.to_bytes(4, "little") + bytes(size)
        for k, size in enumerate((0, 9, 300_000))
    ]
    file.write_bytes(empty[2] + one + empty[0] + empty[1] + two + empty[2])
    assert [text for _, text in read_text(parse_text(f"en={file}"))] == ["one", "two"]
    file.write_bytes(one + empty[2][:-1])
    with pytest.raises(UserError, match="truncated zstd"):
        list(read_text(parse_text(f"en={file}")))
    long = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    stream = zstandard.ZstdCompressor(compression_params=long).compressobj()  # the size is unknown, the window remains
    file.write_bytes(stream.compress(b"three\n") + stream.flush())
    assert [text for _, text in read_text(parse_text(f"en={file}"))] == ["three"]


def test_a_bomb_of_zstd_is_read_in_bounded_memory(tmp_path):
    file = tmp_path / "a.txt.zst"
    file.write_bytes(zstandard.ZstdCompressor(level=19).compress(b"\0" * 200_000_000))
    with pytest.raises(UserError, match="longer than 65,535"):
        list(read_text(parse_text(f"en={file}")))


# -- TMX


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_translation_memories(tmp_path, suffix, encoding):
    file = tmp_path / f"a.tmx{suffix}"
    file.write_bytes(packed(TMX.format(encoding=encoding).encode(encoding), suffix))
    dropped = Counter()
    found = read(file, dropped=dropped)
    assert found == [Pair(a, b, line) for (a, b), line in zip(WANTED, (4, 10, 11), strict=True)]
    assert dropped == {"missing language": 1}
    assert texts(file, "de-en") == [(b, a) for a, b in WANTED]
    assert texts(file, "fr-de") == [("rien", "nichts")]


def test_declared_encodings_are_read(tmp_path):
    file = tmp_path / "a.tmx"
    file.write_bytes(TMX.replace("\u2039", "o").format(encoding="iso-8859-1").encode("latin-1"))
    assert texts(file)[1] == ("café b", "d")


def test_a_memory_that_is_cut_or_broken(tmp_path):
    file = tmp_path / "a.tmx"
    whole = TMX.format(encoding="utf-8")
    file.write_text(whole[: whole.index("<tu tuid")])
    with pytest.raises(UserError, match="truncated TMX") as found:
        read(file)
    assert found.value.where == f"{file}:6"
    dropped = Counter()
    assert texts(file, lenient=True, dropped=dropped) == WANTED[:1]
    assert dropped["truncated TMX"] == 1
    file.write_text(whole.replace('<tu tuid="3">', "<tu></body>"))
    with pytest.raises(UserError, match="malformed TMX: mismatched tag") as found:
        read(file)
    assert found.value.where == f"{file}:6"
    assert texts(file, lenient=True) == [WANTED[0], WANTED[2]]
    file.write_bytes(gzip.compress(whole.encode())[:-20])
    with pytest.raises(UserError, match="truncated gzip"):
        list(read_pairs(parse_pairs(f"en-de={file}")))


def test_entities_and_outside_files_are_no_way_in(tmp_path):
    file, secret = tmp_path / "a.tmx", tmp_path / "secret"
    secret.write_text("secret")
    unit = (
        '<tmx><body><tu><tuv xml:lang="en"><seg>&a;</seg></tuv><tuv xml:lang="de"><seg>b</seg></tuv></tu></body></tmx>'
    )
    bomb = '<!DOCTYPE t [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    for declared in (bomb, f'<!DOCTYPE t [<!ENTITY a SYSTEM "{secret.as_uri()}">]>'):
        file.write_text(declared + unit)
        for lenient in (False, True):
            with pytest.raises(UserError, match="declares the entity 'a'"):
                read(file, lenient=lenient)
    file.write_text('<!DOCTYPE tmx SYSTEM "http://example.invalid/tmx14.dtd">' + unit)
    with pytest.raises(UserError, match="undefined entity &a;"):
        read(file)


def test_memories_without_the_languages_and_with_huge_texts(tmp_path):
    file = tmp_path / "a.tmx"
    file.write_text(TMX.format(encoding="utf-8"))
    with pytest.raises(UserError, match="no unit in en and zh") as found:
        read(file, "en-zh")
    assert "de, en, fr" in found.value.hint
    write_lines(file, to_tmx_lines([("a " * 40_000, "b"), ("c", "d")], ("en", "de")))
    with pytest.raises(UserError, match="more than 65,535"):
        read(file)
    dropped = Counter()
    assert texts(file, lenient=True, dropped=dropped) == [("c", "d")]
    assert dropped == {"line too long": 1}
    for size, read_back in ((MAX_LINE // 3, 2), (MAX_LINE // 3 + 1, 1)):  # the bytes of a line, as in other formats
        write_lines(file, to_tmx_lines([("字" * size, "b"), ("c", "d")], ("zh", "de")))
        assert len(texts(file, "zh-de", lenient=True)) == read_back


def test_a_memory_is_read_unit_by_unit(tmp_path):
    file = tmp_path / "a.tmx"
    write_lines(file, to_tmx_lines(((f"s{k}", f"t{k}") for k in range(50_000)), ("en", "de")))
    rows = read_tmx(str(file), ("en", "de"))
    assert next(rows)[1:] == ("s0", "t0")
    rows.close()
    assert sum(1 for _ in read_tmx(str(file), ("en", "de"))) == 50_000


# -- JSON lines


@pytest.mark.parametrize(
    "record",
    [
        lambda a, b: {"id": 1, "translation": {"en": a, "de": b, "fr": "x"}},
        lambda a, b: {"eng": a, "de-DE": b, "score": 0.5},
        lambda a, b: {"source": a, "target": b},
    ],
)
def test_json_lines(tmp_path, record):
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(json.dumps(record(a, b)) for a, b in WANTED) + "\n\n")
    blank = Pair("", "", len(WANTED) + 1)
    assert read(file) == [*(Pair(a, b, k) for k, (a, b) in enumerate(WANTED, 1)), blank]


@pytest.mark.parametrize(
    ("languages", "record", "expected"),
    [
        ("en-id", {"id": "row-17", "en": "a", "ind": "b"}, ("a", "b")),
        ("id-en", {"ID": "row-17", "en": "a", "ind": None}, ("", "a")),
        ("en-id", {"id": "b", "en": "a"}, ("a", "b")),
        ("en-id", {"id": "b", "en": "a", "de": "c"}, ("a", "b")),
        ("en-id", {"id": "7", "translation": {"en": "a", "id": "b", "de": "c"}}, ("a", "b")),
        ("id-nb", {"id": "7", "no": "7", "source": "a", "target": "b"}, ("a", "b")),
        ("id-nb", {"id": "a", "no": "b"}, ("a", "b")),
        ("nb-en", {"no": 3, "en": "a", "nb-NO": "b"}, ("b", "a")),
    ],
)
def test_numbers_of_rows_are_no_languages(tmp_path, languages, record, expected):
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
    assert texts(tmp_path / "a.jsonl", languages) == [expected]


@pytest.mark.parametrize(("key", "other"), [("id", "ind"), ("no", "nob")])
def test_a_key_that_may_be_the_number_of_the_row(tmp_path, key, other):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({key: "17", "en": "a", "score": 1}) + "\n")
    with pytest.raises(
        UserError, match=f"no key for {key if key == 'id' else 'nb'} among '{key}', 'en', 'score'"
    ) as found:
        read(file, f"en-{key}")
    assert found.value.where == f"{file}:1"
    assert f"if '{key}' is a text and not the number of the row, rename it to '{other}'" in found.value.hint
    with pytest.raises(UserError, match="no key for fr") as found:
        read(file, "en-fr")
    assert "rename" not in found.value.hint


@pytest.mark.parametrize("first", ["{\ta", "{x}\ta", '{"x"}\ta'])
def test_a_table_may_begin_with_a_brace(tmp_path, first):
    file = tmp_path / "a.tsv"
    file.write_text(first + "\nb\tc\n")
    assert read(file) == [Pair(first[:-2], "a", 1), Pair("b", "c", 2)]


@pytest.mark.parametrize(
    ("line", "reason", "message"),
    [
        ('{"translation": {"en": "a"', "not JSON", "the line is not JSON"),
        ('{"translation": {"en": "a", "fr": "b"}}', "missing language", "no key for de among 'en', 'fr'"),
        ('{"source": "a", "tgt": "b"}', "missing language", "no key 'target' among 'source', 'tgt'"),
        ('{"source": "Tatoeba", "de": "b"}', "missing language", "no key for en among 'source', 'de'"),
        ('{"translation": "a"}', "missing language", "'translation' is not an object"),
        ('{"en": "a", "de": 3}', "not JSON", "a text is not a string"),
        ("[1]", "not JSON", "not a JSON object"),
        ("[" * 5_000, "not JSON", "the line is not JSON"),
    ],
)
def test_lines_that_are_no_pairs(tmp_path, line, reason, message):
    file = tmp_path / "a.jsonl"
    file.write_text('{"en": "a", "de": null}\n' + line + "\n")
    with pytest.raises(UserError, match=message) as found:
        read(file)
    assert found.value.where == f"{file}:2"
    dropped = Counter()
    assert texts(file, lenient=True, dropped=dropped) == [("a", "")]
    assert dropped == {reason: 1}


# -- zip


def archive(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, text in files.items():
            out.writestr(name, text)
    return path


OPUS = {
    "README": "about",
    "Tatoeba.de-en.en": "Hi.\nb\n",
    "Tatoeba.de-en.de": "Hallo!\nd\n",
    "Tatoeba.de-en.ids": "1\n",
}


def test_archives_of_opus(tmp_path):
    for name in ("DE-EN.ZIP", "de-en.txt.zip"):
        file = archive(tmp_path / name, **OPUS)
        assert texts(file) == [("Hi.", "Hallo!"), ("b", "d")]
    assert texts(file, "de-en") == [("Hallo!", "Hi."), ("d", "b")]
    archive(file, **OPUS | {"Tatoeba.de-en.de": "Hallo!\nd\ne\n"})
    with pytest.raises(UserError, match="two files differ in length") as found:
        read(file)
    assert str(found.value.where) == f"{file}!Tatoeba.de-en.en:3"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.en": "x", "a.fr": "y"}, "no files in en and de"),
        (OPUS | {"B.en": "x", "B.de": "y"}, "several corpora in en and de: B, Tatoeba.de-en"),
        (OPUS | {"../../etc/passwd.en": "x"}, "contains a file outside the archive"),
        (OPUS | {"/etc/passwd": "x"}, "contains a file outside the archive"),
        (OPUS | {"C:\\x.en": "x"}, "contains a file outside the archive"),
    ],
)
def test_archives_that_are_not_read(tmp_path, files, said):
    with pytest.raises(UserError, match=said):
        read(archive(tmp_path / "a.zip", **files))


def test_archives_that_are_damaged(tmp_path):
    file = archive(tmp_path / "a.zip", **OPUS)
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    with pytest.raises(UserError, match="not a readable zip archive"):
        read(file)
    at = whole.index(b"Tatoeba.de-en.de") + 20
    file.write_bytes(whole[:at] + b"\xff\xff\xff" + whole[at + 3 :])
    with pytest.raises(UserError, match="damaged zip"):
        read(file)
    with pytest.raises(UserError, match="no such file"):
        read(tmp_path / "nowhere.zip")
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as out:
        out.writestr("a.en", "x")
        out.writestr("a.de", "y")
    locked = bytearray(memory.getvalue())
    for place in (6, locked.index(b"PK\x01\x02") + 8):  # as if encrypted
        locked[place] |= 1
    file.write_bytes(bytes(locked))
    with pytest.raises(UserError, match="is encrypted"):
        read(file)


# -- converting

CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(normalize).filter(lambda c: "|||" not in c)


@given(st.lists(st.tuples(CELL, CELL).filter(lambda pair: any(pair)), min_size=1, max_size=8))
def test_every_format_gives_back_what_was_written(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("c")
    write_lines(folder / "a.tsv", (f"{a}\t{b}" for a, b in pairs))
    source, before = f"en-de={folder / 'a.tsv'}", None
    for name in ("b.tmx", "c.jsonl.zst", "d.en,d.de", "e.tsv.gz", "f.tmx.zst"):
        out = ",".join(str(folder / part) for part in name.split(","))
        convert_corpus([source], out, quiet=True)
        source = f"en-de={out}"
        found = [(pair.source, pair.target) for pair in read_pairs(parse_pairs(source))]
        assert found == pairs
        before = before or found
    ElementTree.fromstring((folder / "b.tmx").read_bytes())


def test_line_aligned_files_appear_together(tmp_path, monkeypatch):
    write_lines(tmp_path / "a.tsv", ["x\ty"])
    replace, seen = Path.replace, []

    def look(part, target):
        seen.append(sorted(path.name for path in tmp_path.glob(".*.part") if not path.stat().st_size))
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", look)
    convert_corpus([f"en-de={tmp_path / 'a.tsv'}"], f"{tmp_path / 'b.en'},{tmp_path / 'b.de'}", quiet=True)
    assert seen == [[], []]  # both were written before the first one was renamed


def test_text_with_bars_is_not_written_as_tsv(tmp_path):
    write_lines(
        tmp_path / "a.jsonl",
        ['{"translation": {"en": "x", "de": "y"}}', '{"translation": {"en": "a ||| b", "de": "c"}}'],
    )
    spec = f"en-de={tmp_path / 'a.jsonl'}"
    with pytest.raises(UserError, match=r"a\.jsonl:2: 'a \|\|\| b' contains .* a TSV file cannot have .*x\.jsonl"):
        convert_corpus([spec], str(tmp_path / "b.tsv.gz"), quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    assert convert_corpus([spec], str(tmp_path / "c.tsv"), lenient=True, quiet=True) == 1
    convert_corpus([spec], str(tmp_path / "b.tmx"), quiet=True)
    assert [pair.source for pair in read_pairs(parse_pairs(f"en-de={tmp_path / 'b.tmx'}"))] == ["x", "a ||| b"]


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([('"a"', '"b"')] * 3, "the fields are in quotes"),
        ([("Source", "Target"), ("a", "b")], "the line is a header"),
        ([("", ""), ("English", "German"), ("a", "b")], "the line is a header"),
    ],
)
def test_what_a_reader_of_tsv_would_refuse_is_not_written(tmp_path, pairs, reason):
    spec = f"en-de={tmp_path / 'a.jsonl'}"
    write_lines(tmp_path / "a.jsonl", to_json_lines(pairs, ("en", "de")))
    with pytest.raises(UserError, match=rf"a TSV file of these pairs cannot be read: {reason}.*\(write x\.jsonl"):
        convert_corpus([spec], str(tmp_path / "b.tsv"), quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]
    with pytest.raises(UserError, match="unknown output format"):
        convert_corpus([spec], str(tmp_path / "b.json"), quiet=True)


LONG, HALF, QUOTES = "x" * MAX_LINE, "x" * (MAX_LINE // 2), '"' * (MAX_LINE // 2)


@pytest.mark.parametrize(
    ("texts_of_pair", "refused"),
    [
        ((LONG, "b"), {"c.tsv", "c.jsonl"}),
        ((HALF, HALF), {"c.jsonl"}),  # 65,535 bytes in TSV
        ((HALF + "x", HALF), {"c.tsv", "c.jsonl"}),
        ((QUOTES, "b"), {"c.jsonl"}),
    ],
)
def test_no_line_is_written_that_could_not_be_read(tmp_path, texts_of_pair, refused):
    for number, tag in enumerate(("en", "de")):
        (tmp_path / f"a.{tag}").write_text(f"a\n{texts_of_pair[number]}\nz\n")
    spec = f"en-de={tmp_path}/a.en,{tmp_path}/a.de"
    for name in ("c.tsv", "c.jsonl", "c.tmx", "c.en,c.de"):
        out = ",".join(f"{tmp_path}/{part}" for part in name.split(","))
        if name in refused:
            with pytest.raises(UserError, match=r":2: the line to be written is longer than 65,535 bytes"):
                convert_corpus([spec], out, quiet=True)
            assert not (tmp_path / name).exists()
        convert_corpus([spec], out, lenient=True, quiet=True)
        kept = [("a", "a"), *([] if name in refused else [texts_of_pair]), ("z", "z")]
        assert texts(out) == kept


def test_line_aligned_files_have_no_line_that_is_too_long(tmp_path):
    """Normalization makes one character of three bytes two."""
    text = "\u0958" * (MAX_LINE // 3)
    (tmp_path / "a.hi").write_text(f"{text}\nz\n")
    (tmp_path / "a.en").write_text("a\nz\n")
    spec, out = f"hi-en={tmp_path}/a.hi,{tmp_path}/a.en", f"{tmp_path}/c.hi,{tmp_path}/c.en"
    with pytest.raises(UserError, match=r":1: the line to be written is longer"):
        convert_corpus([spec], out, quiet=True)
    assert convert_corpus([spec], out, lenient=True, quiet=True) == 1


def test_converting_tells_and_refuses(tmp_path, capsys):
    write_lines(tmp_path / "a.tsv", ["a\tb", "no tab", "c\td"])
    spec = f"en-de={tmp_path / 'a.tsv'}"
    assert convert_corpus([spec, spec], str(tmp_path / "b.jsonl"), lenient=True, limit=3) == 3
    assert "pairs dropped: 1 missing separator" in capsys.readouterr().err
    before = (tmp_path / "b.jsonl").read_bytes()
    for pairs, out, said in (
        ([spec], "b.jsonl", "already exists"),
        ([spec], "c.xlsx", "unknown output format"),
        ([spec], "nowhere/c.tsv", "no such folder"),
        ([spec, spec.replace("de", "fr", 1)], "c.tsv", "same two languages"),
        ([], "c.tsv", "no pairs"),
        ([spec], "c.tsv", "missing tab"),
    ):
        with pytest.raises(UserError, match=said):
            convert_corpus(pairs, str(tmp_path / out), quiet=True)
    for out in ("a.tsv", "x.en,x.en", "a.tsv,x.de"):
        with pytest.raises(UserError, match="also an input or another output"):
            convert_corpus([spec], ",".join(str(tmp_path / part) for part in out.split(",")), force=True, quiet=True)
    for out, said in ((f"{tmp_path}/x.en,", "unknown output format"), (f"{tmp_path}/x.en,{tmp_path}", "is a folder")):
        with pytest.raises(UserError, match=said):
            convert_corpus([spec], out, quiet=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tsv", "b.jsonl"]  # nothing half-written
    assert (tmp_path / "b.jsonl").read_bytes() == before
    twice = [convert_corpus([spec], str(tmp_path / "b.tsv.gz"), lenient=True, force=True, quiet=True) and
             (tmp_path / "b.tsv.gz").read_bytes() for _ in range(2)]  # fmt: skip
    assert twice[0] == twice[1]
