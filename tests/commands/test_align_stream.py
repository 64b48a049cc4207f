"""Trained word aligners on text of any size: parts, learning from a sample, resuming, line by line."""

import gzip
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys

import pytest
import zstandard

import paralign
from paralign import WordAligner, resumable
from paralign.__main__ import main
from paralign.commands import align_stream as streaming
from paralign.errors import UserError
from paralign.formats.lines import read_lines
from paralign.sources.specs import parse_pairs


def toy(count, seed=0):
    """Sentences of up to eight words with a dictionary of their own, some of them with an empty side."""
    draw = random.Random(seed)
    out = []
    for _ in range(count):
        words = draw.sample(range(15), draw.randrange(0, 9))
        out.append((" ".join(f"w{k}" for k in words), " ".join(f"W{k}x" for k in draw.sample(words, len(words)))))
    out[3], out[5] = ("", "W1x W2x"), ("w1 w2", "")
    return out


def write(path, rows):
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    return f"en-de={path}"


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A trained aligner."""
    folder = tmp_path_factory.mktemp("trained")
    spec = write(folder / "text.tsv", toy(120))
    paralign.align_words(spec, out=folder / "links", save=folder / "kept", quiet=True)
    return folder / "kept"


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(streaming, "BLOCK_PAIRS", 7)


def stream(spec, out, **more):
    return paralign.align_stream(spec, out=out, **({"quiet": True} | more))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def shown(links):
    return " ".join(f"{i}-{j}" for i, j in links) + "\n"


def test_every_pair_has_the_links_it_has_alone_and_in_memory(tmp_path, kept):
    rows = toy(50, seed=1)
    spec = write(tmp_path / "a.tsv", rows)
    assert stream(spec, tmp_path / "out", load=kept, posteriors=tmp_path / "sure") == 50
    aligner = WordAligner.load(kept)
    assert aligner.languages == ("en", "de")
    alone = [aligner.align(*row) for row in rows]
    assert (tmp_path / "out").read_text() == "".join(map(shown, alone))
    assert sum(map(len, alone)) > 100
    assert alone == [aligner.align(a.split(), b.split()) for a, b in rows]
    assert alone == list(aligner.align_many(rows * 50))[: len(rows)]
    together, _ = paralign.align_words(
        spec, out=tmp_path / "other", load=kept, posteriors=tmp_path / "other.sure", quiet=True
    )
    assert list(together) == alone
    assert (tmp_path / "sure").read_bytes() == (tmp_path / "other.sure").read_bytes()


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_output_is_compressed_by_its_name(tmp_path, kept, suffix):
    spec = write(tmp_path / "a.tsv", toy(50, seed=1))
    stream(spec, tmp_path / "out", load=kept)
    stream(spec, tmp_path / f"out.{suffix}", load=kept)
    assert list(read_lines(tmp_path / f"out.{suffix}")) == list(read_lines(tmp_path / "out"))
    assert (tmp_path / f"out.{suffix}").read_bytes() != (tmp_path / "out").read_bytes()


@pytest.mark.parametrize(("suffix", "unpack"), [("gz", gzip.decompress), ("zst", zstandard.decompress)])
def test_a_part_without_pairs_is_a_compressed_file_too(tmp_path, kept, suffix, unpack):
    spec = write(tmp_path / "a.tsv", toy(50, seed=1))
    names = [tmp_path / f"{kind}.{suffix}" for kind in ("links", "sure")]
    assert stream(spec, names[0], load=kept, part="1/64", posteriors=names[1]) == 0
    assert all(name.stat().st_size for name in names)
    assert [unpack(name.read_bytes()) for name in names] == [b"", b""]
    assert stream(spec, tmp_path / "plain", load=kept, part="1/64") == 0
    assert (tmp_path / "plain").read_bytes() == b""


def test_standard_output_without_bytes_is_refused_before_an_aligner_is_loaded(kept, monkeypatch):
    """As in a notebook."""

    def loaded(*_, **__):
        raise AssertionError("an aligner was loaded")

    monkeypatch.setattr(streaming, "make_aligner", loaded)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with pytest.raises(UserError, match=r"^standard output takes no bytes here.*\(give the name of a file\)$"):
        stream("en-de=smallworld:0-9", "-", load=kept)


def test_an_aligner_with_more_words_than_rows_is_damaged(kept, tmp_path):
    folder = shutil.copytree(kept, tmp_path / "kept")
    (folder / "digests.json").unlink()  # as of an aligner that was changed by hand
    facts = json.loads((folder / "words.json").read_text())
    facts["source"].append("one more")
    (folder / "words.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match=r"kept: the word aligner is damaged \(train it again with paralign words"):
        WordAligner.load(folder)


@pytest.mark.parametrize("pair", [("w1 w2", "W1x W2x"), (["w1"], "W1x"), ("w1", ["W1x"])])
def test_links_are_those_of_words_not_of_characters(pair, kept):
    aligner = WordAligner.load(kept)
    hint = r"pair 1: a sentence is a text, not a list of words \(give lists of words, or texts to align_many\)"
    with pytest.raises(UserError, match=hint):
        aligner.links([(["w1"], ["W1x"]), pair])


def test_lines_that_are_dropped_at_the_end_of_standard_input_have_a_line(tmp_path, kept, monkeypatch):
    data = b"bad \xff\tx\nw1 w2\tW1x W2x\nno tab\nw1\tW1x\nlast \xff\tx\nno tab\n"
    words = ["words", "--pairs", "en-de=-", "--lenient", "--quiet", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": io.BytesIO(data)}))
    assert main([*words, "--load", str(kept)]) == 0
    assert (tmp_path / "out").read_text() == "\n0-0 1-1\n\n0-0\n\n\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"w1\tW1x\rw2\tW2x\r", "-:1: the lines end with CR only"),
        (
            b"0.5\tw1\tW1x\n0.7\tw2\tW2x\n",
            "-:1: column 1 holds numbers, such as scores; the text is in columns 2",
        ),
    ],
)
def test_layouts_that_files_may_not_have_are_refused_on_standard_input(
    tmp_path, kept, monkeypatch, capsys, data, message
):
    for lenient in ([], ["--lenient"]):
        monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": io.BytesIO(data)}))
        assert main(["words", "--pairs", "en-de=-", "--load", str(kept), "--out", "-", *lenient]) == 2
        output = capsys.readouterr()
        assert (output.out, message in output.err) == ("", True)


def test_one_line_of_numbers_is_no_column_of_numbers(kept, monkeypatch, capsys):
    data = b"2020\tw1\tCC-BY 2.0 (France)\nw1\tW1x\tCC-BY\n"
    monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": io.BytesIO(data)}))
    assert main(["words", "--pairs", "en-de=-", "--load", str(kept), "--out", "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize("method", ["intersect", "union"])
def test_links_in_python_can_be_symmetrized(tmp_path, kept, method):
    rows = toy(20, seed=1)
    links, _ = paralign.align_words(
        write(tmp_path / "a.tsv", rows), out=tmp_path / "out", load=kept, symmetrize=method, quiet=True
    )
    assert list(WordAligner.load(kept, method).align_many(rows)) == list(links)
    with pytest.raises(UserError, match="did you mean 'union'"):
        WordAligner.load(kept, "unionn")


def test_what_is_no_sentence_pair_is_named(kept):
    aligner = WordAligner.load(kept)
    for sentence in (None, 3, b"w1", ["w1", None]):
        with pytest.raises(UserError, match=r"^neither a text nor a list of words: "):
            aligner.align(sentence, "W1x")
    pair = ("w1 w2", ["W1x", "W2x"])
    assert list(aligner.align_many([pair, list(pair)])) == [[(0, 0), (1, 1)]] * 2
    for wrong in ("ab", ("a", "b", "c"), None, ()):
        with pytest.raises(UserError, match=r"^pair 1: not a source and a target sentence \(give"):
            list(aligner.align_many([pair, wrong]))
    with pytest.raises(UserError, match=r"^pair 1: neither a text nor a list of words: None"):
        list(aligner.align_many([pair, ("w1", None)]))


@pytest.mark.parametrize("parts", [1, 3, 64])
def test_parts_in_order_are_the_whole(tmp_path, kept, parts):
    spec = write(tmp_path / "a.tsv", toy(40, seed=1))
    stream(spec, tmp_path / "out", load=kept)
    counts = [stream(spec, tmp_path / f"{k}", load=kept, part=f"{k}/{parts}") for k in range(1, parts + 1)]
    assert sum(counts) == 40
    assert max(counts) - min(counts) <= 1
    joined = b"".join((tmp_path / f"{k}").read_bytes() for k in range(1, parts + 1))
    assert joined == (tmp_path / "out").read_bytes()


def test_every_line_has_its_line_of_links_when_pairs_are_dropped(tmp_path, kept):
    spec = write(tmp_path / "a.tsv", toy(20, seed=1))
    with (tmp_path / "a.tsv").open("ab") as file:
        file.write(b"bad \xff\tx\nw1 w2\tW1x W2x\nlast \xff\tx\n")
    with pytest.raises(UserError, match=r"a\.tsv:21"):
        stream(spec, tmp_path / "out", load=kept)
    assert names(tmp_path) == ["a.tsv"]
    assert stream(spec, tmp_path / "out", load=kept, lenient=True) == 23
    lines = (tmp_path / "out").read_text().split("\n")
    assert lines[20:] == ["", "0-0 1-1", "", ""]
    for k in (1, 2):
        stream(spec, tmp_path / f"{k}", load=kept, lenient=True, part=f"{k}/2")
    assert (tmp_path / "1").read_text() + (tmp_path / "2").read_text() == (tmp_path / "out").read_text()


@pytest.mark.parametrize("layout", ["tsv", "two files"])
def test_each_part_counts_its_own_dropped_pairs(tmp_path, kept, capsys, monkeypatch, layout):
    rows = [f"{a or 'w1'}\t{b or 'W1x'}".encode() for a, b in toy(60, seed=1)]
    for number in (2, 3, 31, 40, 41, 59):
        rows[number] = b"bad \xff\tx"
    (tmp_path / "a.tsv").write_bytes(b"\n".join(rows))
    spec = f"en-de={tmp_path}/a.tsv"
    if layout == "two files":
        for side, tag in enumerate(("en", "de")):
            (tmp_path / f"a.{tag}").write_bytes(b"\n".join(row.split(b"\t")[side] for row in rows))
        spec = f"en-de={tmp_path}/a.en,{tmp_path}/a.de"

    def dropped(part):
        stream(spec, tmp_path / part.replace("/", "-"), load=kept, lenient=True, part=part, quiet=False)
        found = re.search(r"pairs dropped: (\d+) invalid UTF-8\n", capsys.readouterr().err)
        return int(found[1]) if found else 0

    assert [dropped(f"{k}/3") for k in (1, 2, 3)] == [2, 1, 3]
    assert sum(dropped(f"{k}/7") for k in range(1, 8)) == 6
    aligned = streaming._aligned

    def stop_after_two_blocks(*given):
        for number, block in enumerate(aligned(*given)):
            if number == 2:
                raise KeyboardInterrupt
            yield block

    with monkeypatch.context() as patch:
        patch.setattr(streaming, "_aligned", stop_after_two_blocks)
        with pytest.raises(KeyboardInterrupt):
            stream(spec, tmp_path / "2-2", load=kept, lenient=True, part="2/2")
    assert dropped("2/2") == 4  # also those before it was stopped


def test_learning_from_the_first_pairs_is_training_on_them_and_loading(tmp_path):
    rows = toy(90)
    text, first = write(tmp_path / "all.tsv", rows), write(tmp_path / "first.tsv", rows[:60])
    paralign.align_words(first, out=tmp_path / "first", save=tmp_path / "kept", quiet=True)
    stream(text, tmp_path / "loaded", load=tmp_path / "kept")
    stream(text, tmp_path / "learned", learn_from=60, save=tmp_path / "saved")
    assert (tmp_path / "learned").read_bytes() == (tmp_path / "loaded").read_bytes()
    stream(text, tmp_path / "again", load=tmp_path / "saved")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "loaded").read_bytes()
    stream(text, tmp_path / "unsaved", learn_from=60)
    assert [name for name in names(tmp_path) if name.startswith(".")] == []


def test_a_folder_that_appears_meanwhile_is_not_written_to(tmp_path, monkeypatch):
    spec, learn = write(tmp_path / "a.tsv", toy(40)), streaming._learn

    def learn_while_another_writes(*given):
        learn(*given)
        (tmp_path / "kept").mkdir()

    monkeypatch.setattr(streaming, "_learn", learn_while_another_writes)
    with pytest.raises(UserError, match="kept: already exists"):
        stream(spec, tmp_path / "out", learn_from=40, save=tmp_path / "kept")
    assert names(tmp_path / "kept") == []


def stop_after(monkeypatch, calls):
    """Stop like Ctrl-C when a block is aligned for the n-th time; return the number of pairs that were aligned."""
    links, seen = WordAligner.links, []

    def counted(self, pairs, **more):
        if len(pairs) > 1:
            seen.append(len(pairs))
            if len(seen) > calls:
                raise KeyboardInterrupt
        return links(self, pairs, **more)

    monkeypatch.setattr(WordAligner, "links", counted)
    return seen


@pytest.mark.parametrize("learn", [False, True])
def test_a_run_that_was_stopped_continues_with_the_same_bytes(tmp_path, kept, monkeypatch, capfd, learn):
    monkeypatch.setattr(resumable, "_CHECKPOINT_SECONDS", 0)
    spec = write(tmp_path / "a.tsv", toy(60, seed=1))
    how = {"learn_from": 30} if learn else {"load": kept}
    stream(spec, tmp_path / "out", posteriors=tmp_path / "sure", **how)
    given = {"posteriors": tmp_path / "sure2", **how}
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            stream(spec, tmp_path / "out2", **given)
    assert not (tmp_path / "out2").exists()
    with (tmp_path / ".out2.part").open("ab") as file:
        file.write(b"0-0 what was written af")  # after the last record, before a kill
    with monkeypatch.context() as patch:
        if learn:
            patch.setattr(streaming, "_learn", None)  # it is trained already
        seen = stop_after(patch, 1000)
        assert stream(spec, tmp_path / "out2", **given, quiet=False) == 60
    assert 0 < sum(seen) < 60
    assert f"out2: continuing after {60 - sum(seen)} pairs" in capfd.readouterr().err
    assert (tmp_path / "out2").read_bytes() == (tmp_path / "out").read_bytes()
    assert (tmp_path / "sure2").read_bytes() == (tmp_path / "sure").read_bytes()
    assert names(tmp_path) == ["a.tsv", "out", "out2", "sure", "sure2"]


@pytest.mark.parametrize("change", ["text", "settings", "record"])
def test_a_run_that_was_stopped_starts_again_if_anything_changed(tmp_path, kept, monkeypatch, capfd, change):
    monkeypatch.setattr(resumable, "_CHECKPOINT_SECONDS", 0)
    spec = write(tmp_path / "a.tsv", toy(60, seed=1))
    with monkeypatch.context() as patch:
        stop_after(patch, 5)
        with pytest.raises(KeyboardInterrupt):
            stream(spec, tmp_path / "out", load=kept)
    more = {}
    if change == "text":
        write(tmp_path / "a.tsv", toy(60, seed=2))
    elif change == "settings":
        more = {"symmetrize": "union"}
    else:
        (tmp_path / ".out.part.json").write_text('{"done": 3')
    stream(spec, tmp_path / "out", load=kept, **more, quiet=False)
    told = f"starting again: {change} changed since the run that was stopped" in capfd.readouterr().err
    assert told is (change != "record")
    stream(spec, tmp_path / "whole", load=kept, **more)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_run_depends_on_word_orders(tmp_path):
    (tmp_path / "t.conllu").write_text("")
    (tmp_path / "o.json").write_text("{}")
    spec = parse_pairs(f"en-en~syn@{tmp_path / 'o.json'}={tmp_path / 't.conllu'}")
    before = streaming._identity(spec, {})
    assert streaming._identity(spec, {}) == before
    (tmp_path / "o.json").write_text("[]")
    assert streaming._identity(spec, {}) != before


def test_two_processes_do_not_write_one_file(tmp_path):
    spec = write(tmp_path / "a.tsv", toy(20))
    (tmp_path / ".out.aligner").mkdir()  # of the other process
    with (
        resumable.ResumableFiles([tmp_path / "out"], None),
        pytest.raises(UserError, match="another process is writing this file"),
    ):
        stream(spec, tmp_path / "out", learn_from=10)
    assert names(tmp_path) == [".out.aligner", "a.tsv", "out"]


def command(kept, *more):
    words = ["words", "--pairs", "en-de=-", "--out", "-", "--load", str(kept), *more]
    return [sys.executable, "-m", "paralign", *words]


def test_standard_input_is_answered_line_by_line(tmp_path, kept):
    rows = toy(30, seed=1)
    aligner = WordAligner.load(kept)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command(kept), text=True, bufsize=1, **pipes) as process:
        for row in [*rows, ("", "")]:
            process.stdin.write("\t".join(row) + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == shown(aligner.align(*row))  # before the next line is sent
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "\n"
        process.stdin.write("w1 w2\tW2x W1x")  # without a line end
        process.stdin.close()
        assert process.stdout.read() == shown(aligner.align("w1 w2", "W2x W1x"))
        assert (process.wait(), process.stderr.read()) == (0, "")


class Pieces(io.BytesIO):
    """Standard input that arrives in pieces of five bytes."""

    def read1(self, size=-1):
        return self.read(5)


def through(monkeypatch, data, *more):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": Pieces(data)}))
    monkeypatch.setattr(sys, "stdout", type("Output", (), {"buffer": out, "flush": lambda self: None})())
    return main(list(more)), out.getvalue()


def test_lines_that_arrive_in_pieces_are_whole(tmp_path, kept, monkeypatch):
    rows = [*toy(20, seed=1), ("café w1", "W1x Käse")]
    spec = write(tmp_path / "a.tsv", rows)
    stream(spec, tmp_path / "out", load=kept)
    words = command(kept)[3:]
    for data in (
        (tmp_path / "a.tsv").read_bytes(),
        (tmp_path / "a.tsv").read_bytes().replace(b"\n", b"\r\n"),
        (tmp_path / "a.tsv").read_bytes().replace(b"\t", b" ||| "),
    ):
        assert through(monkeypatch, data, *words) == (0, (tmp_path / "out").read_bytes())
    assert through(monkeypatch, b"", *words) == (0, b"")
    file = [word if word != "en-de=-" else spec for word in words]
    assert through(monkeypatch, b"", *file, "-q") == (0, (tmp_path / "out").read_bytes())


def test_lines_of_standard_input_that_cannot_be_read(kept, monkeypatch, capfd):
    bad = b"w1\tW1x\nno tab\nw\xff\tx\n\nw2\tW2x\n"
    code, out = through(monkeypatch, bad, *command(kept)[3:])
    assert code == 2
    assert out == b"0-0\n"
    assert capfd.readouterr().err.startswith("paralign: -:2: missing tab")
    code, out = through(monkeypatch, bad, *command(kept, "--lenient")[3:])
    assert (code, out) == (0, b"0-0\n\n\n\n0-0\n")
    assert "pairs dropped: 1 missing separator, 1 invalid UTF-8" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            gzip.compress(b"w1\tW1x\n", mtime=0),
            r"-: is compressed with gzip \(decompress it first.*or name a file for --out",
        ),
        (zstandard.compress(b"w1\tW1x\n"), "-: is compressed with zstd"),
        (b"PK\x03\x04w1\tW1x\n", "-: is a zip archive"),
        (b'\n{"en": "w1", "de": "W1x"}\n', r"JSON lines are not read .*or name a file for --out"),
        (b"de\ten\nw1\tW1x\n", r"-:1: the line is a header"),
        (b"w1\tW1x\nw1 ||| W1x\n", r"-:2: both a tab and \|\|\| are used"),
    ],
)
def test_standard_input_of_other_formats_is_named(kept, monkeypatch, capfd, data, message):
    code, _ = through(monkeypatch, data, *command(kept)[3:])
    assert code == 2
    assert re.match(f"paralign: {message}", capfd.readouterr().err)


@pytest.mark.parametrize("limit", [1, 12, 90])
def test_a_limit_aligns_the_first_pairs(tmp_path, kept, monkeypatch, limit):
    spec = write(tmp_path / "a.tsv", toy(40, seed=1))
    stream(spec, tmp_path / "out", load=kept)
    wanted = b"".join((tmp_path / "out").read_bytes().splitlines(keepends=True)[:limit])
    assert stream(spec, tmp_path / "first", load=kept, limit=limit) == min(40, limit)
    for k in (1, 2, 3):
        stream(spec, tmp_path / f"{k}", load=kept, part=f"{k}/3", limit=limit)
    assert (tmp_path / "first").read_bytes() == wanted
    assert b"".join((tmp_path / f"{k}").read_bytes() for k in (1, 2, 3)) == wanted
    words = [*command(kept)[3:], "--limit", str(limit)]
    assert through(monkeypatch, (tmp_path / "a.tsv").read_bytes(), *words) == (0, wanted)


LOAD = "--load {kept}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--learn-from 31", r"a\.tsv: --learn-from is 31, but the text has 30 pairs"),
        ("--learn-from 0", "--learn-from is 0"),
        (f"--learn-from 9 {LOAD}", "--learn-from and --load cannot be combined"),
        ("--learn-from 9 --method eflomal", "--learn-from is not supported by the aligner 'eflomal'"),
        ("--learn-from 9 --gold gold", "--gold and --learn-from cannot be combined"),
        ("--learn-from 9 --train en-de=a", "--train and --learn-from cannot be combined"),
        ("--learn-from 9 --links gold", "--links and --learn-from cannot be combined"),
        (f"{LOAD} --out - --scores x", "--scores and --out - cannot be combined"),
        (f"{LOAD} --scores x", "no score to write to --scores"),
        (f"{LOAD} --links x", "--links is not supported by the aligner 'hmm'"),
        ("--learn-from 9 --pairs en-de=-", "standard input can be read only once, but --learn-from reads"),
        ("--learn-from 9 --out -", "--out - needs --load"),
        ("--learn-from 9 --set words.alpa=1", "did you mean 'alpha'"),
        ("--learn-from 9 --set words.memory=5M", r"a\.tsv: words\.memory is 5M, but this text needs at least \d+M"),
        (
            "--learn-from 9 --set words.memory=5",
            r"'words.memory': must be a size with its unit, such as 500M or 2G, not 5",
        ),
        ("--out -", "--out - needs --load"),
        (f"{LOAD} --out - --posteriors x", "--posteriors needs a file for --out"),
        (f"{LOAD} --posteriors -", r"-: cannot be written to standard output \(name a file\)"),
        ("--posteriors -", r"-: cannot be written to standard output \(name a file\)"),
        ("--save -", r"-: a folder cannot be standard output \(name a folder\)"),
        ("--learn-from 9 --save -", r"-: a folder cannot be standard output \(name a folder\)"),
        ("--gold a.tsv --scores -", "-: cannot be written to standard output"),
        ("--learn-from 9 --limit 8", "--learn-from is 9, but --limit is 8"),
        (f"{LOAD} --part 65/64", "there is no part '65/64'"),
        (f"{LOAD} --part 0/64", "there is no part '0/64'"),
        (f"{LOAD} --part a/b", "there is no part 'a/b'"),
        (f"{LOAD} --part 3", "there is no part '3'"),
        (f"{LOAD} --part 1/2 --gold gold", "--gold and --part cannot be combined"),
        (f"{LOAD} --part 1/2 --pairs en-de=-", "standard input can be read only once, but --part reads"),
        ("--part 1/2", "--part needs --load"),
        (f"{LOAD} --method ibm", r"kept: the saved aligner is 'hmm', not 'ibm' \(use --method hmm\)"),
        (f"{LOAD} --pairs en-fr=a.tsv", "trained on en-de, but the text is en-fr"),
        (f"{LOAD} --set words.alpha=1", r"words\.alpha cannot be changed"),
        ("--load old", r"old: written by another version of paralign \(train it again"),
        (f"{LOAD} --pairs en-de=missing.tsv", r"missing\.tsv: no such file"),
    ],
)
def test_bad_options_are_one_line_and_leave_nothing(tmp_path, kept, monkeypatch, capfd, options, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.tsv", toy(30))
    facts = json.loads((kept / "words.json").read_text())
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "words.json").write_text(json.dumps(facts | {"schema": 1}))
    given = options.format(kept=kept).split()
    for name, value in (("--pairs", "en-de=a.tsv"), ("--out", "out")):
        given += [] if name in given else [name, value]
    assert main(["words", *given]) == 2
    (line,) = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("WARNING")]
    assert line.startswith("paralign: ")
    assert re.search(message, line), line
    assert names(tmp_path) == ["a.tsv", "old"]


def test_a_pipe_cannot_be_read_twice(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match=r"/pipe: a pipe can be read only once, but --learn-from reads the text twice"):
        paralign.align_stream(f"en-de={tmp_path / 'pipe'}", out=tmp_path / "out", learn_from=5, quiet=True)
