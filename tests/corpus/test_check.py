"""What is reported about text before it is trained on, against obvious oracles."""

import itertools
import json
import math
import random
import statistics
from collections import Counter

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from paralign.__main__ import main
from paralign.commands.check_corpus import check_corpus
from paralign.commands.order_corpus import order_corpus
from paralign.corpus.build import TextTokenizer
from paralign.corpus.check import CheckConfig, SideCheck, TextCheck, _Checker, _SeenTexts, check_text
from paralign.corpus.clean import FilterConfig
from paralign.corpus.overlap import OverlapSearch
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.formats.tmx import to_tmx_lines
from paralign.report import write_report
from paralign.sources.readers import read_pairs
from paralign.sources.specs import parse_pairs, parse_text
from paralign.text import scripts
from paralign.text.language_tags import known_tags
from paralign.text.normalization import comparison_key
from paralign.text.scripts import foreign_script, scripts_of

WORDS = ["Haus", "haus", "haus!", "Ein", "x", "y", "Z", "", "..."]
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join).map(lambda s: " ".join(s.split()))


def text_of(pairs):
    return "".join(f"{a}\t{b}\n" for a, b in pairs)


# -- scripts


@pytest.mark.parametrize(
    ("text", "language", "foreign"),
    [
        ("Hello world", "de", False),
        ("Hello world", "hi", True),
        ("ok", "hi", False),  # too little to tell
        ("12:30, 5 %", "hi", False),
        ("Привет", "de", True),
        ("Zdravo svete", "sr", False),
        ("Здраво свете", "sr", False),
        ("カタカナー", "ja", False),
        ("漢字とかな", "ja", False),
        ("漢字とかな", "zh", True),
        ("打开 Microsoft", "zh", False),  # characters are words
        ("打开 Microsoft Office XP Server", "zh", True),
        ("नमस्ते दुनिया", "hi", False),
        ("नमस्ते दुनिया", "en", True),
        ("naïve Ωmega", "en", False),
        ("", "en", False),
    ],
)
def test_scripts(text, language, foreign):
    assert foreign_script(text, language) == foreign


def test_every_language_has_a_script_and_every_script_exists():
    for tag in known_tags():
        assert scripts_of(tag)
        for script in scripts_of(tag):
            regex.compile(rf"\p{{Script={script}}}")
    assert scripts_of("de") == {"Latin"}
    assert scripts_of("en~trans") == {"Latin"}
    assert scripts_of("hi~inv") == {"Devanagari"}


def test_languages_of_the_table_are_canonical():
    told = {tag.rstrip("+") for line in scripts._TABLE.strip().splitlines() for tag in line.partition(":")[2].split()}
    assert told <= set(known_tags())


# -- leaks


@settings(max_examples=60, deadline=None)
@given(
    st.lists(SENTENCES, min_size=1, max_size=12),
    st.lists(SENTENCES, min_size=1, max_size=12),
    st.lists(SENTENCES, max_size=12),
)
def test_leaks_are_those_a_slow_search_finds(tmp_path_factory, one, two, training):
    folder = tmp_path_factory.mktemp("leaks")
    tests = [one, two]
    for number, sentences in enumerate(tests):
        (folder / f"{number}.txt").write_text("\n".join([*sentences, "sure to be said"]) + "\n")
    leaks = OverlapSearch([folder / "0.txt", folder / "1.txt"], short=5)
    half = len(training) // 2
    for part in (training[:half], training[half:]):
        leaks.search(part, [comparison_key(text) for text in part], [f"t:{text}" for text in part])
    keys, spelled = {comparison_key(text) for text in training}, set(training)
    for told, sentences in zip(leaks.results(), tests, strict=True):
        own = {text for text in [*sentences, "sure to be said"] if comparison_key(text)}
        assert told.sentences == len({comparison_key(text) for text in own})
        assert told.exact == len(own & spelled)
        hit = {comparison_key(text) for text in own} & keys
        assert told.normalized == len(hit)
        assert told.long == len({key for key in hit if len(key) >= 5})
        assert {comparison_key(example.text) for example in told.examples} == {key for key in hit if len(key) >= 5}
        assert all(example.where == f"t:{example.text}" for example in told.examples)


def test_a_test_file_without_sentences(tmp_path):
    file = tmp_path / "a.txt"
    file.write_text("...\n!\n")
    with pytest.raises(UserError, match="no sentence in the file"):
        OverlapSearch([file], short=5)


# -- the whole check


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=30))
def test_counts_are_those_of_a_slow_look(tmp_path_factory, pairs):
    folder = tmp_path_factory.mktemp("check")
    (folder / "a.tsv").write_text(text_of(pairs))
    (found,) = check_text([parse_pairs(f"en-de={folder / 'a.tsv'}")], CheckConfig())
    full = [pair for pair in pairs if all(pair)]
    keys = [(comparison_key(a), comparison_key(b)) for a, b in full]
    assert (found.lines, found.empty) == (len(pairs), len(pairs) - len(full))
    assert found.identical == sum(a == b for a, b in full)
    assert found.identical + found.nearly_identical == sum(a == b for a, b in keys)
    assert found.duplicates == len(full) - len(set(full))
    known = [key if all(key) else pair for key, pair in zip(keys, full, strict=True)]
    assert found.duplicates + found.nearly_duplicates == len(full) - len(set(known))


def test_duplicates_count_over_files_and_either_way_round(tmp_path):
    (tmp_path / "a.tsv").write_text("One\tEins\nTwo\tZwei\n")
    (tmp_path / "b.tsv").write_text("Eins\tOne\nzwei!\ttwo\nThree\tDrei\n")
    specs = [parse_pairs(f"en-de={tmp_path / 'a.tsv'}"), parse_pairs(f"de-en={tmp_path / 'b.tsv'}")]
    first, second = check_text(specs, CheckConfig())
    assert (first.duplicates, first.nearly_duplicates) == (0, 0)
    assert (second.duplicates, second.nearly_duplicates) == (1, 1)


def test_uneven_pairs_are_far_from_the_median(tmp_path):
    rng = random.Random(1)
    sizes = [(n, round(1.5 * n)) for n in (rng.randrange(40, 200) for _ in range(300))] + [(400, 20), (10, 300)]
    (tmp_path / "a.tsv").write_text(text_of(("a" * a, "b" * b) for a, b in sizes))
    (found,) = check_text([parse_pairs(f"en-de={tmp_path / 'a.tsv'}")], CheckConfig(ratio=3))
    ratios = [(b + 15) / (a + 15) for a, b in sizes]
    middle = statistics.median(ratios)
    far = [k for k, ratio in enumerate(ratios) if abs(math.log(ratio / middle)) > math.log(3)]
    assert found.ratio == pytest.approx(middle, rel=0.01)
    assert found.uneven == len(far) == 2
    assert {odd.line - 1 for odd in found.uneven_lines} == set(far)


def test_what_cannot_be_read_is_counted(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"a\tb\nno second side\n\xff\tx\nc\td\n")
    (found,) = check_text([parse_pairs(f"en-de={tmp_path / 'a.tsv'}")], CheckConfig())
    assert found.lines == 4
    assert sum(found.dropped.values()) == 2


def test_what_readers_leave_out_is_no_problem(tmp_path, capsys):
    lines = [*to_tmx_lines([("a b", "c d"), ("e", "f")], ("en", "de"))]
    other = ['<tu><tuv xml:lang="en"><seg>x</seg></tuv><tuv xml:lang="fr"><seg>y</seg></tuv></tu>']
    end = next(k for k, line in enumerate(lines) if "</body>" in line)
    write_lines(tmp_path / "m.tmx", [*lines[:end], *other, *lines[end:]])
    (found,) = check_text([parse_pairs(f"en-de={tmp_path / 'm.tmx'}")], CheckConfig())
    assert (found.lines, found.dropped, found.left_out) == (3, {}, {"missing language": 1})
    words = ["corpus", "check", "--out", str(tmp_path / "out"), "--pairs"]
    assert main([*words, f"en-de={tmp_path / 'm.tmx'}"]) == 0
    assert "3 lines; 1 missing language" in capsys.readouterr().err
    (tmp_path / "a.jsonl").write_text('{"en": "a", "de": "b"}\n{"en": "a", "fr": "b"}\n')
    (found,) = check_text([parse_pairs(f"en-de={tmp_path / 'a.jsonl'}")], CheckConfig())
    assert (found.dropped, found.left_out) == ({"missing language": 1}, {})


def test_sentences_that_syn_cannot_reorder_are_no_problem(tmp_path):
    order_corpus(["hi=smallworld:0-30"], tmp_path / "o.json", quiet=True)
    crossing = "".join(
        f"{k}\t{w}\t_\tNOUN\t_\t_\t{head}\t{relation}\t_\t_\n"
        for k, w, head, relation in ((1, "a", 3, "obj"), (2, "b", 4, "obj"), (3, "c", 0, "root"), (4, "d", 3, "obl"))
    )
    (tmp_path / "t.conllu").write_text(crossing + "\n")
    (found,) = check_text([parse_pairs(f"en-en~syn@{tmp_path}/o.json={tmp_path}/t.conllu")], CheckConfig())
    assert (found.lines, found.dropped, found.left_out) == (1, {}, {"not projective, or crowded": 1})


def test_pieces(tmp_path):
    (tmp_path / "a.txt").write_text("a b c\nd\ne f g h\n")

    def tokenize(texts, language):
        assert language == "en"
        ids = [[0 if word == "b" else 1 for word in text.split()] for text in texts]
        return [(np.array(row), np.zeros((len(row), 2))) for row in ids]

    (found,) = check_text(
        [parse_text(f"en={tmp_path / 'a.txt'}")],
        CheckConfig(),
        tokenizer=TextTokenizer(tokenize, "words", unknown=0),
        filter=FilterConfig(min_pieces=2, max_pieces=3),
    )
    side = found.sides[0]
    assert (side.pieces, side.words, side.unknown) == (8, 8, 1)
    assert (found.too_short, found.too_long) == (1, 1)
    assert math.isnan(found.ratio)


def test_the_sample_is_of_the_whole_text():
    """Every line is as likely as any other to be looked at, the last as well as the first."""
    hits = Counter()
    for seed in range(30):
        look = _Checker(TextCheck("", "", [SideCheck("en")]), ("en",), CheckConfig(), _SeenTexts())
        look.rng = random.Random(seed)
        look._sample([(str(n),) for n in range(4_000)])
        assert len(set(look.samples[0])) == 1_000
        hits.update(int(text) // 1_000 for text in look.samples[0])
    assert all(abs(hits[k] - 7_500) < 5 * math.sqrt(30_000 * 0.25 * 0.75) for k in range(4))


# -- the command


@pytest.fixture
def world(tmp_path):
    rows = [(pair.source, pair.target) for pair in read_pairs(parse_pairs("en-de=smallworld:0-400"))]
    (tmp_path / "train.tsv").write_text(text_of(rows))
    return tmp_path, rows


def test_fit_text_has_no_fault(world, capsys):
    folder, _ = world
    code = main(["corpus", "check", "--pairs", f"en-de={folder / 'train.tsv'}", "--out", str(folder / "out")])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert "PROBLEM" not in said.err
    assert "No problems found" in (folder / "out/report.html").read_text()
    facts = json.loads((folder / "out/run.json").read_text())
    assert facts["status"] == "done"
    assert facts["alarms"] == []


def test_faults_are_told_with_their_places_and_exit_code(world, capsys):
    folder, rows = world
    long = next(n for n, row in enumerate(rows) if len(comparison_key(row[1])) >= 20)
    (folder / "test.txt").write_text(rows[long][1].upper() + "\nnobody says this sentence here\n")
    arguments = ["--pairs", f"en-de={folder / 'train.tsv'}", "--test", str(folder / "test.txt")]
    code = main(["corpus", "check", *arguments, "--out", str(folder / "out")])
    said = capsys.readouterr().err
    assert code == 3
    faults = [line for line in said.splitlines() if line.startswith("PROBLEM")]
    assert len(faults) == 1
    first = next(n for n, row in enumerate(rows) if comparison_key(row[1]) == comparison_key(rows[long][1]))
    overlap = "1 of 2 sentences occur in the training text, for example in"
    assert f"{folder / 'test.txt'}: {overlap} {folder / 'train.tsv'}:" in said
    assert f"train.tsv:{first + 1}:" in said
    assert "corpus build --exclude" in said
    page = (folder / "out/report.html").read_text()
    assert "occur in the training text" in page
    assert f"train.tsv:{first + 1}" in page
    assert main(["corpus", "check", *arguments, "--set", "check.leaks=0.5", "--out", str(folder / "out")]) == 0


def test_leaks_in_treebanks_are_at_lines_of_the_first(tmp_path, capsys):
    """Of two treebanks, whose sentences may have another order, only the lines of the first are known."""
    sentences = ["A first long sentence here .", "And a second long one here ."]
    for name, order in (("en", (0, 1)), ("de", (1, 0))):
        trees = []
        for k in order:
            words = f"{name} {sentences[k]}".split()
            rows = (f"{n}\t{word}\t_\t_\t_\t_\t_\t_\t_\t_\n" for n, word in enumerate(words, 1))
            trees.append(f"# sent_id = {k}\n" + "".join(rows) + "\n")
        (tmp_path / f"{name}.conllu").write_text("".join(trees))
    (tmp_path / "test.txt").write_text(f"de {sentences[1]}\n")
    pairs = f"en-de={tmp_path}/en.conllu,{tmp_path}/de.conllu"
    assert main(["corpus", "check", "--pairs", pairs, "--test", f"{tmp_path}/test.txt", "--out", f"{tmp_path}/o"]) == 3
    assert f"{tmp_path}/en.conllu:11" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "setting", "said"),
    [
        ("a\tb\nno tab here\n", [], "1 of 2 lines cannot be read"),
        ("Привет мир\tb\n", [], "tagged 'en' are in a script that the language does not use, first in line 1"),
        ("a\t\nb\tc\n", ["check.empty=0.4"], "1 of 2 lines have an empty side"),
        ("a\t\n", [], "no line can be used for training"),
        ("abc\tabc\nx\ty\n", ["check.identical=0.1"], "1 of 2 lines have the same text on both sides"),
        ("a\tb\na\tb\n", ["check.duplicates=0.1"], "1 of 2 lines are duplicates"),
    ],
)
def test_each_fault(tmp_path, lines, setting, said):
    (tmp_path / "a.tsv").write_text(lines)
    faults = check_corpus([f"en-de={tmp_path / 'a.tsv'}"], out=tmp_path / "out", overrides=setting, quiet=True)
    assert len(faults) == 1
    assert said in faults[0]
    assert str(tmp_path / "a.tsv") in faults[0]
    write_report([tmp_path / "out"], tmp_path / "r.html")


def test_text_of_which_training_would_drop_all_pairs(base, tmp_path):
    (tmp_path / "a.tsv").write_text("a dog\tein Hund\na cat\teine Katze\n")
    faults = check_corpus([f"en-de={tmp_path / 'a.tsv'}"], model=str(base), out=tmp_path / "out", quiet=True)
    assert len(faults) == 1
    assert "no line can be used for training: 2 are too short and 0 too long; set data.min_pieces" in faults[0]


def test_text_in_another_language(tmp_path):
    german = ["Der Hund läuft über die Straße und bellt laut.", "Wir haben heute leider keine Zeit mehr dafür."]
    lines = [f"{n} {text}" for n, text in zip(range(200), itertools.cycle(german), strict=False)]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n")
    faults = check_corpus(text=[f"fr={tmp_path / 'a.txt'}"], out=tmp_path / "out", quiet=True)
    assert len(faults) == 1
    assert "tagged 'fr' looks like de (100% of" in faults[0]
    assert not check_corpus(text=[f"de={tmp_path / 'a.txt'}"], out=tmp_path / "out", quiet=True)


def test_bad_input(tmp_path, capsys):
    (tmp_path / "a.tsv").write_text("a\tb\n")
    good = ["--pairs", f"en-de={tmp_path / 'a.tsv'}", "--out", str(tmp_path / "out")]
    for arguments, said in (
        (["--out", str(tmp_path / "out")], "no text is given"),
        ([*good, "--test", str(tmp_path / "none.txt")], "none.txt"),
        ([*good, "--set", "training.steps=3"], "unknown section"),
        ([*good, "--set", "check.leak=0.5"], "leaks"),
        (["--pairs", f"en-de={tmp_path / 'b.tsv'}", "--out", str(tmp_path / "out")], "b.tsv"),
    ):
        assert main(["corpus", "check", *arguments]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "out").exists()


def test_what_leaks_is_left_out_of_the_store(world, capsys):
    folder, rows = world
    (folder / "test.txt").write_text(rows[3][1] + "\n" + rows[9][0] + "\n")
    tail = ["--set", "data.min_pieces=1", "--out", str(folder / "store"), "--quiet"]
    given = ["--model", "paralign-mini", "--pairs", f"en-de={folder / 'train.tsv'}"]
    assert main(["corpus", "build", *given, "--exclude", str(folder / "test.txt"), *tail]) == 0
    meta = json.loads((folder / "store/meta.json").read_text())
    keys = {comparison_key(rows[3][1]), comparison_key(rows[9][0])}
    first = {}
    for n, row in enumerate(rows):
        first.setdefault(row, n)
    want = sum(first[row] == n and bool(keys & {*map(comparison_key, row)}) for n, row in enumerate(rows))
    assert meta["specs"][0]["dropped"]["excluded"] == want >= 2


BAD = {3, 5, 6, 9, 25}
"""Lines of the files of :func:`damaged` that cannot be read."""


def damaged(folder, kind):
    """Write 30 pairs, of which those of BAD cannot be read; return the spec."""
    lines = [(b"one\xff" if k in BAD else f"one {k}".encode(), f"eins {k}".encode()) for k in range(1, 31)]
    if kind == "lines":
        for side, name in enumerate(("a.en", "a.de")):
            (folder / name).write_bytes(b"".join(line[side] + b"\n" for line in lines))
        return parse_pairs(f"en-de={folder}/a.en,{folder}/a.de")
    if kind == "text":
        (folder / "a.txt").write_bytes(b"".join(line[0] + b"\n" for line in lines))
        return parse_text(f"en={folder}/a.txt")
    if kind == "tmx":
        unit = '<tu><tuv xml:lang="en"><seg>one {0}</seg></tuv><tuv xml:lang="{1}"><seg>eins {0}</seg></tuv></tu>'
        units = "".join(unit.format(k, "fr" if k in BAD else "de") for k in range(1, 31))
        (folder / "a.tmx").write_text(f'<tmx version="1.4"><body>{units}</body></tmx>')
        return parse_pairs(f"en-de={folder}/a.tmx")
    separator = b"\t" if kind == "tsv" else b" ||| "
    (folder / "a.tsv").write_bytes(b"".join(separator.join(line) + b"\n" for line in lines))
    return parse_pairs(f"en-de={folder}/a.tsv")


@pytest.mark.parametrize("kind", ["tsv", "bars", "lines", "text", "tmx"])
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 9, 24, 25, 30, 99])
def test_nothing_behind_the_limit_is_counted(tmp_path, kind, limit):
    (result,) = check_text([damaged(tmp_path, kind)], CheckConfig(), limit=limit)
    assert result.lines == min(limit, 30)
    assert sum(result.dropped.values()) + sum(result.left_out.values()) == sum(line <= limit for line in BAD)


@pytest.mark.parametrize("kind", ["tsv", "lines"])
@pytest.mark.parametrize("limit", [2, 3, 5, 6, 7, 26])
def test_no_command_reports_what_is_behind_its_limit(tmp_path, capsys, kind, limit):
    spec = str(damaged(tmp_path, kind))
    bad = sum(line <= limit for line in BAD)
    written = [line for line in range(1, 31) if line not in BAD][:limit]
    for words, dropped in (
        (["words", "--out", f"{tmp_path}/links"], bad),
        (["corpus", "convert", "--out", f"{tmp_path}/b.jsonl"], sum(line < max(written) for line in BAD)),
    ):
        assert main([*words, "--pairs", spec, "--lenient", "--limit", str(limit)]) == 0
        said = capsys.readouterr().err
        assert (f"pairs dropped: {dropped} invalid UTF-8" in said) if dropped else ("dropped" not in said)
