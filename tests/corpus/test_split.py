"""The split's promises, checked on corpora with many shared sentences."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from paralign.__main__ import main
from paralign.corpus.exclusion import excluded_sentences
from paralign.corpus.split import split_corpus
from paralign.errors import UserError
from paralign.smallworld import World
from paralign.sources.specs import PairSpec, TextSpec
from paralign.text.normalization import comparison_key


def lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode().splitlines() if path.exists() else []


@pytest.fixture
def corpora(tmp_path: Path) -> dict[str, list[tuple[str, str]]]:
    """English-German and English-French with repeated English and repeated translations."""
    rng = np.random.default_rng(3)
    out = {}
    for tag in ("de", "fr"):
        english, other = rng.integers(0, 900, 900), rng.integers(0, 900, 900)
        rows = [(f"Sentence {a}.", f"{tag} satz {b}!") for a, b in zip(english, other, strict=True)]
        (tmp_path / f"{tag}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
        out[tag] = rows
    return out


def run(tmp_path: Path, name: str = "out", **options: object) -> dict[str, list[str]]:
    specs = [PairSpec("en", tag, str(tmp_path / f"{tag}.tsv")) for tag in ("de", "fr")]
    split_corpus(specs, tmp_path / name, **options)  # type: ignore[arg-type]
    return {str(p.relative_to(tmp_path / name)): lines(p) for p in sorted((tmp_path / name).glob("*/*.gz"))}


def mono(files: dict[str, list[str]], tag: str) -> list[str]:
    return files[f"mono/{tag}.txt.gz"] + files[f"heldout/{tag}.txt.gz"]


def test_promises(tmp_path: Path, corpora: dict[str, list[tuple[str, str]]]) -> None:
    files = run(tmp_path, heldout_share=0.2)
    english = mono(files, "en")
    assert len(english) == len(set(english)) > 20
    aligned = {key: [tuple(row.split("\t")) for row in files[f"pairs/en-{key}.tsv.gz"]] for key in corpora}
    in_pairs = {a for rows in aligned.values() for a, _ in rows}
    for tag, rows in corpora.items():
        other = mono(files, tag)
        assert len(other) == len(set(other)) > 20
        # No pair shows both sides.
        assert not [(a, b) for a, b in rows if a in set(english) and b in set(other)]
        # The half is a function of the English sentence, in every language pair.
        assert {(a, b) for a, b in rows if a in in_pairs} == set(aligned[tag])
        assert len(aligned[tag]) == len(set(aligned[tag]))
        # Every pair of the other half has given a side, or its English was taken back.
        for a, b in rows:
            given_elsewhere = any(x == a and y in set(mono(files, t)) for t in corpora for x, y in corpora[t])
            assert a in in_pairs or a in english or b in other or given_elsewhere
        share = len(files[f"heldout/{tag}.txt.gz"]) / len(other)
        assert 0.08 < share < 0.35
    assert not set(english) & in_pairs
    everything = {a for rows in corpora.values() for a, _ in rows}
    assert 0.4 < len(in_pairs) / len(everything) < 0.6


def test_same_bytes_and_no_catalog_order(tmp_path: Path, corpora: dict[str, list[tuple[str, str]]]) -> None:
    assert run(tmp_path, "one").keys() == run(tmp_path, "two").keys()
    for file in (tmp_path / "one").rglob("*.gz"):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()
    # The order is a function of the lines: turning the corpus round changes nothing.
    for tag, rows in corpora.items():
        (tmp_path / f"{tag}.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows[::-1]))
    assert run(tmp_path, "three")["pairs/en-de.tsv.gz"] == lines(tmp_path / "one" / "pairs" / "en-de.tsv.gz")


def test_the_way_round_does_not_matter(tmp_path: Path, corpora: dict[str, list[tuple[str, str]]]) -> None:
    (tmp_path / "turned.tsv").write_text("".join(f"{b}\t{a}\n" for a, b in corpora["de"]))
    split_corpus([PairSpec("en", "de", str(tmp_path / "de.tsv"))], tmp_path / "one")
    split_corpus([PairSpec("de", "en", str(tmp_path / "turned.tsv"))], tmp_path / "two")
    written = [
        {file.relative_to(tmp_path / name) for file in (tmp_path / name).rglob("*.gz")} for name in ("one", "two")
    ]
    assert written[0] == written[1] != set()
    for file in (tmp_path / "one").rglob("*.gz"):
        assert lines(file) == lines(tmp_path / "two" / file.relative_to(tmp_path / "one"))


def test_excluded_sentences_are_gone_and_counted(tmp_path: Path, corpora: dict[str, list[tuple[str, str]]]) -> None:
    (tmp_path / "test.txt").write_text("sentence 5\nSENTENCE 6!\n\n...\n")
    (tmp_path / "test.tsv").write_text("x\tDe  Satz 7\tlabel\n")
    (tmp_path / "a.conllu.gz").write_bytes(gzip.compress(b"# text = Sentence 8\n# text_de = de satz 9\n1\tSentence\n"))
    names = ["test.txt", "test.tsv", "a.conllu.gz"]
    files = run(tmp_path, exclude=[tmp_path / name for name in names])
    gone = {"sentence5", "sentence6", "desatz7", "sentence8", "desatz9"}
    seen = {comparison_key(cell) for rows in files.values() for row in rows for cell in row.split("\t")}
    assert not seen & gone
    counts = json.loads((tmp_path / "out" / "split.json").read_text())
    for tag, row in zip(("de", "fr"), counts["specs"], strict=True):
        wanted = sum(bool({comparison_key(a), comparison_key(b)} & gone) for a, b in corpora[tag])
        assert row["dropped"]["excluded"] == wanted > 0
        assert row["read"] == 900 == sum(row["given"].values()) + wanted
    assert counts["lines"]["pairs/en-de.tsv.gz"] == len(files["pairs/en-de.tsv.gz"])


def test_excluded_specs(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("one\teins\n")
    (tmp_path / "b.txt").write_text("two\tthree\n")
    sources = [PairSpec("en", "de", str(tmp_path / "a.tsv")), TextSpec("en", str(tmp_path / "b.txt"))]
    assert len(excluded_sentences(sources)[0]) == 3


def test_in_use_and_nothing_left(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("one\teins\n")
    spec = PairSpec("en", "de", str(tmp_path / "a.tsv"))
    with pytest.raises(UserError, match=r"nothing left to split \(dropped: 1 excluded\)$"):
        split_corpus([spec], tmp_path / "out", exclude=[tmp_path / "a.tsv"])
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="already exists"):
        split_corpus([spec], tmp_path / "out")


def test_text_that_a_tsv_file_cannot_have_is_refused(tmp_path: Path) -> None:
    rows = [{"translation": {"en": f"x {k} ||| y", "de": f"z {k}"}} for k in range(9)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(UserError, match=r"'x 0 \|\|\| y' contains \|\|\|, which a TSV file cannot have"):
        split_corpus([PairSpec("en", "de", str(tmp_path / "a.jsonl"))], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["a.jsonl"]


def test_lines_that_could_not_be_read_are_not_written(tmp_path: Path) -> None:
    """A pair may have two sides of 65,535 bytes, but not in TSV; normalization makes U+0958 longer."""
    texts = {"en": ["a", "x" * 65_535, "b", "c"], "hi": ["k", "y", "\u0958" * 21_845, "z"]}
    for tag, rows in texts.items():
        (tmp_path / f"a.{tag}").write_text("\n".join(rows) + "\n")
    spec = PairSpec("en", "hi", f"{tmp_path}/a.en,{tmp_path}/a.hi")
    text = TextSpec("hi", str(tmp_path / "a.hi"))
    with pytest.raises(UserError, match=r":2: the line to be written is longer than 65,535 bytes"):
        split_corpus([spec], tmp_path / "out", mono_share=0.0)
    with pytest.raises(UserError, match=r":3: the line to be written is longer than 65,535 bytes"):
        split_corpus([spec], tmp_path / "out", mono_share=1.0, key_share=0.0)
    with pytest.raises(UserError, match=r"a\.hi:3: the line to be written is longer than 65,535 bytes"):
        split_corpus([], tmp_path / "out", text=[text])
    counts = split_corpus([spec], tmp_path / "out", text=[text], mono_share=0.0, lenient=True)
    assert [row["dropped"].get("line too long") for row in counts["specs"]] == [2, 1]
    assert [row["read"] for row in counts["specs"]] == [4, 4]
    assert set(lines(tmp_path / "out/pairs/en-hi.tsv.gz")) == {"a\tk", "c\tz"}


def test_one_english_sentence_gives_the_same_side_with_all_its_translations(tmp_path: Path) -> None:
    rows = [(f"Sentence {n}", f"Satz {n} {k}") for n in range(200) for k in "abc"]
    (tmp_path / "a.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    split_corpus([PairSpec("en", "de", str(tmp_path / "a.tsv"))], tmp_path / "out", mono_share=1.0)
    english = {row for kind in ("mono", "heldout") for row in lines(tmp_path / "out" / kind / "en.txt.gz")}
    german = {row for kind in ("mono", "heldout") for row in lines(tmp_path / "out" / kind / "de.txt.gz")}
    assert german == {b for a, b in rows if a not in english}
    assert 60 < len(english) < 140


def test_plain_text_is_added_but_for_tests_and_reserved_pairs(tmp_path: Path, corpora) -> None:
    lines_en = [a for a, _ in corpora["de"]] + ["only here", "a test"]
    lines_de = [b for _, b in corpora["de"]] + ["nur hier"]
    (tmp_path / "more.en.txt").write_text("\n".join(lines_en))
    (tmp_path / "more.de.txt").write_text("\n".join(lines_de))
    (tmp_path / "test.txt").write_text("A test!\n")
    text = [TextSpec(tag, str(tmp_path / f"more.{tag}.txt")) for tag in ("en", "de")]
    out = tmp_path / "out"
    split_corpus(
        [PairSpec("en", "de", str(tmp_path / "de.tsv"))], out, text=text, exclude=[tmp_path / "test.txt"], key_share=0.3
    )
    without = tmp_path / "without"
    split_corpus([PairSpec("en", "de", str(tmp_path / "de.tsv"))], without, key_share=0.3)
    shown = {
        tag: {comparison_key(line) for kind in ("mono", "heldout") for line in lines(out / kind / f"{tag}.txt.gz")}
        for tag in ("en", "de")
    }
    reserved = [line.split("\t") for line in lines(out / "pairs" / "en-de.tsv.gz")]
    assert comparison_key("only here") in shown["en"]
    assert comparison_key("nur hier") in shown["de"]
    assert comparison_key("a test") not in shown["en"]
    given = {
        comparison_key(line)
        for line in lines(without / "mono" / "de.txt.gz") + lines(without / "heldout" / "de.txt.gz")
    }
    for a, b in reserved:
        assert comparison_key(a) not in shown["en"]
        # A German sentence may also be in a pair of the other half; the plain text does not add it.
        assert comparison_key(b) not in shown["de"] - given
    for a, b in corpora["de"]:
        assert not (comparison_key(a) in shown["en"] and comparison_key(b) in shown["de"])


def test_the_share_of_pairs_that_give_english(tmp_path: Path, corpora) -> None:
    sizes = {}
    for share in (0.0, 0.25, 1.0):
        out = tmp_path / str(share)
        split_corpus([PairSpec("en", "de", str(tmp_path / "de.tsv"))], out, key_share=share, heldout_share=0.0)
        given = json.loads((out / "split.json").read_text())["specs"][0]["given"]
        sizes[share] = given["mono/en"] / (given["mono/en"] + given["mono/de"])
    assert (sizes[0.0], sizes[1.0]) == (0, 1)
    assert abs(sizes[0.25] - 0.25) < 0.08


def test_a_pair_without_english_does_not_show_both_its_sides_through_english(tmp_path: Path) -> None:
    names = [f"number {n}" for n in range(300)]
    for tag in ("de", "fr"):
        (tmp_path / f"{tag}.tsv").write_text("".join(f"{name} in {tag}\t{tag} {name}\n" for name in names))
    rows = [(f"de {name}", f"fr {name}") for name in names]
    (tmp_path / "both.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    specs = [PairSpec(a, b, str(tmp_path / c)) for a, b, c in
             (("en", "de", "de.tsv"), ("en", "fr", "fr.tsv"), ("de", "fr", "both.tsv"))]  # fmt: skip
    split_corpus(specs, tmp_path / "out")
    shown = {tag: {row for kind in ("mono", "heldout") for row in lines(tmp_path / "out" / kind / f"{tag}.txt.gz")}
             for tag in ("de", "fr")}  # fmt: skip
    assert all(shown.values())
    assert not [(a, b) for a, b in rows if a in shown["de"] and b in shown["fr"]]


def test_no_empty_file_is_written(tmp_path: Path, corpora) -> None:
    split_corpus([PairSpec("en", "de", str(tmp_path / "de.tsv"))], tmp_path / "out", key_share=0.0, heldout_share=0.0)
    assert sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.gz")) == [
        "mono/de.txt.gz",
        "pairs/en-de.tsv.gz",
    ]
    assert json.loads((tmp_path / "out/split.json").read_text())["lines"]["mono/en.txt.gz"] == 0


@pytest.mark.parametrize("quiet", [True, False])
def test_the_command_prints_the_counts_unless_it_is_quiet(tmp_path: Path, capsys, quiet: bool) -> None:
    world = World(0)
    rows = [f"{world.sentence(i, 'hi').text}\t{world.sentence(i, 'de').text}\n" for i in range(120)]  # not English
    (tmp_path / "a.tsv").write_text("".join(rows))
    words = ["corpus", "split", "--pairs", f"en-de={tmp_path / 'a.tsv'}", "--out", str(tmp_path / "out"), "--lenient"]
    assert main([*words, *(["--quiet"] if quiet else [])]) == 0
    output = capsys.readouterr()
    assert output.out == ""
    counts = json.loads((tmp_path / "out/split.json").read_text())
    assert counts["lines"]["pairs/en-de.tsv.gz"] > 1
    read = f"en-de={tmp_path / 'a.tsv'}: {counts['specs'][0]['read']} read"
    dropped = [f"{number} {reason}" for reason, number in counts["specs"][0]["dropped"].items()]
    expected = [", ".join([read, *dropped])]
    for name, lines in counts["lines"].items():
        if lines:
            expected.append(f"{tmp_path}/out/{name}  ({lines} {'pairs' if 'pairs' in name else 'sentences'})")
    if not quiet:
        assert output.err.splitlines()[-len(expected) :] == expected
    assert ("looks like hi" in output.err) is not quiet
    assert bool(output.err) is not quiet


def test_bars_stop_only_pairs_that_become_tsv(tmp_path: Path) -> None:
    """Every sentence with bars is excluded, of the monolingual half, or refused with its line."""
    names = [f"s{k}" for k in range(40)]
    for tag in ("en", "de"):
        (tmp_path / f"b.{tag}").write_text("".join(f"{tag} {name} ||| x\n" for name in names))
    spec = PairSpec("de", "en", f"{tmp_path}/b.de,{tmp_path}/b.en")
    message = r"b\.de,.*b\.en:\d+: '.. s\d+ \|\|\| x' contains .* \(remove it from the text; or .* --lenient"
    with pytest.raises(UserError, match=message):
        split_corpus([spec], tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (row,) = split_corpus([spec], tmp_path / "out", lenient=True)["specs"]
    mono = row["given"]["mono/en"] + row["given"]["mono/de"]
    assert 0 < mono < 40
    assert row["dropped"] == {"two separators": 40 - mono}
    (row,) = split_corpus([spec], tmp_path / "mono", mono_share=1.0)["specs"]
    assert row["dropped"] == {}
