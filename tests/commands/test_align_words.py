"""``paralign words``: files, options, scores and errors."""

import json
import random
import re
import zipfile

import pytest

import paralign
from paralign.__main__ import main
from paralign.errors import UserError
from paralign.formats.links import read_links


def link(tmp_path, pairs="en-de=smallworld:0-600", **more):
    given = {"out": tmp_path / "out.links", "quiet": True, "force": True} | more
    return paralign.align_words(pairs, **given)


@pytest.mark.parametrize(("method", "most"), [("ibm", 0.16), ("hmm", 0.16)])
@pytest.mark.parametrize("target", ["de", "hi"])
def test_the_small_world_is_aligned(tmp_path, method, most, target):
    """Diagonal links have an error rate of .5 and more; Hindi has the verb last."""
    links, score = link(tmp_path, f"en-{target}=smallworld:0-1500", method=method, gold="smallworld")
    assert score.aer < most
    written = [found.sure for found in read_links(tmp_path / "out.links")]
    assert written == [set(some) for some in links]
    assert len(written) == 1500


def write(path, rows):
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    return f"en-de={path}"


def toy(count=60):
    draw = random.Random(0)
    out = []
    for _ in range(count):
        words = draw.sample(range(12), draw.randrange(1, 6))
        out.append((" ".join(f"w{k}" for k in words), " ".join(f"W{k}x" for k in words)))
    return out


def test_every_line_has_its_line_of_links(tmp_path):
    rows = toy()
    rows[3], rows[7] = ("", "nur eine Seite"), ("", "")
    spec = write(tmp_path / "a.tsv", rows)
    with (tmp_path / "a.tsv").open("ab") as file:
        file.write(b"bad \xff line\tx\nw1 w2\tW1x W2x\n")
    with pytest.raises(UserError, match=r"a\.tsv:61"):
        link(tmp_path, spec)
    assert not (tmp_path / "out.links").exists()
    link(tmp_path, spec, lenient=True, method="ibm")
    lines = (tmp_path / "out.links").read_text().split("\n")
    assert len(lines) == 63  # and what follows the last line end
    assert lines[3] == lines[7] == lines[60] == ""
    assert lines[61] == "0-0 1-1"
    with (tmp_path / "a.tsv").open("ab") as file:
        file.write(b"last \xff line\tx\n")
    link(tmp_path, spec, lenient=True, method="ibm")
    assert len((tmp_path / "out.links").read_text().split("\n")) == 64


def test_training_text_gets_no_links_and_a_saved_aligner_gives_the_same_links(tmp_path):
    test, train = write(tmp_path / "test.tsv", toy(10)), write(tmp_path / "train.tsv", toy(80))
    links, _ = link(tmp_path, test, train=[train], save=tmp_path / "kept")
    assert len(links) == 10
    alone, _ = link(tmp_path, test, load=tmp_path / "kept")
    assert list(alone) == list(links)
    # Unknown words are linked by their positions only.
    (tmp_path / "new.tsv").write_text("w1 unheard w2\tW1x unerhört W2x\n")
    new, _ = link(tmp_path, f"en-de={tmp_path / 'new.tsv'}", load=tmp_path / "kept")
    assert {(0, 0), (2, 2)} <= set(next(iter(new)))


def test_posteriors(tmp_path):
    links, _ = link(tmp_path, write(tmp_path / "a.tsv", toy()), posteriors=tmp_path / "sure")
    rows = [[float(x) for x in row.split()] for row in (tmp_path / "sure").read_text().split("\n")[:-1]]
    assert [len(row) for row in rows] == [len(some) for some in links]
    assert all(0 <= x <= 1 for row in rows for x in row)
    assert max(max(row) for row in rows if row) > 0.5


def test_tokenized_text_is_split_at_spaces_only(tmp_path):
    rows = [("don't w-1 .", "mach's W/1 .")] * 4
    links, _ = link(tmp_path, write(tmp_path / "a.tsv", rows), tokenized=True)
    assert {j for some in links for _, j in some} <= {0, 1, 2}
    (tmp_path / "gold").write_text("0-0 1-3\n" * 4)  # W / 1 . are four words by the rule
    link(tmp_path, write(tmp_path / "a.tsv", rows), gold=tmp_path / "gold")
    with pytest.raises(UserError, match="the link 1-3"):
        link(tmp_path, write(tmp_path / "a.tsv", rows), gold=tmp_path / "gold", tokenized=True)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"method": "hmn"}, "did you mean 'hmm'"),
        ({"symmetrize": "grow"}, "did you mean 'grow-diag'"),
        ({"overrides": ["words.alpa=1"]}, "did you mean 'alpha'"),
        ({"overrides": ["moco.queue=1"]}, r"only words\.KEY can be set here"),
        ({"load": "nowhere"}, "nowhere: there is no such folder"),
        ({"load": "a", "save": "b"}, "--save and --load cannot be combined"),
        ({"load": "{tmp}/kept", "overrides": ["words.alpha=1"]}, r"words\.alpha cannot be changed"),
        ({"train": ["de-en=smallworld:0-9"]}, "same languages in the same order"),
        ({"gold": "missing.links"}, "missing.links"),
        ({"pairs": "en-de={tmp}/empty.tsv"}, "no pair has words on both sides"),
        ({"pairs": "en-de={tmp}/one.tsv", "gold": "smallworld"}, "only for pairs of the small world"),
        ({"gold": "smallworld", "tokenized": True}, "--tokenized cannot be combined with --gold smallworld"),
        ({"gold": "smallworld", "flipped": True}, "--flipped cannot be combined with --gold smallworld"),
    ],
)
def test_errors_come_before_anything_is_written(tmp_path, more, message):
    (tmp_path / "empty.tsv").write_text("a\t\n\tb\n")
    (tmp_path / "one.tsv").write_text("a\tb\n")
    given = {"pairs": "en-de=smallworld:0-20", **more}
    given = {k: v.format(tmp=tmp_path) if isinstance(v, str) else v for k, v in given.items()}
    if more.get("load") == "{tmp}/kept":
        link(tmp_path, save=tmp_path / "kept", out=tmp_path / "first.links")
    with pytest.raises(UserError, match=message) as error:
        link(tmp_path, given.pop("pairs"), **given)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out.links").exists()


@pytest.mark.parametrize("tokenized", [False, True])
def test_a_saved_aligner_that_split_words_differently_is_reported(tmp_path, capsys, tokenized):
    spec = write(tmp_path / "a.tsv", toy())
    link(tmp_path, spec, save=tmp_path / "kept", tokenized=tokenized)
    for again in (False, True):
        link(tmp_path, spec, load=tmp_path / "kept", tokenized=again, quiet=False)
        assert ("kept: the aligner was trained with" in capsys.readouterr().err) == (again != tokenized)


def test_a_saved_aligner_of_other_languages_is_refused(tmp_path):
    link(tmp_path, save=tmp_path / "kept", method="ibm")
    with pytest.raises(UserError, match=re.escape("the aligner was trained on en-de, but the text is en-fr")):
        link(tmp_path, "en-fr=smallworld:0-10", load=tmp_path / "kept", method="ibm")
    with pytest.raises(UserError, match=re.escape("the saved aligner is 'ibm', not 'hmm' (use --method ibm)")):
        link(tmp_path, load=tmp_path / "kept")
    with pytest.raises(UserError, match="already exists"):
        link(tmp_path, save=tmp_path / "kept")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"method": "similarity"}, "intfloat/multilingual-e5-small.* there is no such folder"),
        (
            {"method": "similarity", "model": "{base}", "train": ["en-de=smallworld:0-9"]},
            "--train is .*'similarity' .*by hmm, ibm, eflomal",
        ),
        (
            {"method": "similarity", "model": "{base}", "symmetrize": "union", "overrides": ["words.matching=itermax"]},
            "itermax has no two directions",
        ),
        (
            {"method": "similarity", "model": "{base}", "posteriors": "x"},
            "--posteriors is .*'similarity' .*hmm, ibm",
        ),
        ({"method": "similarity", "model": "{base}", "overrides": ["words.mathcing=argmax"]}, "'matching'"),
        ({"method": "ibm", "model": "{base}"}, "--model is not supported by .* 'ibm' .*by hmm, similarity"),
        ({"model": "{base}", "save": "{base}-kept"}, "--model and --save cannot be combined"),
        ({"overrides": ["words.layer=1"]}, r"words\.layer has no effect without --model"),
        (
            {"model": "{base}", "overrides": ["words.same_spelling=2"]},
            r"words\.same_spelling has no effect with --model",
        ),
        ({"method": "eflomal", "load": "kept"}, "--load is not supported by .* 'eflomal' .*by hmm, ibm"),
        ({"method": "eflomal", "overrides": ["words.program=no-such"]}, "program 'no-such' not found"),
        ({"method": "file"}, "'file' needs --links"),
        ({"method": "file", "links": "x", "symmetrize": "union"}, "--symmetrize has no effect with the aligner 'file'"),
        ({"links": "x"}, "--links is not supported by .* 'hmm' .*by file"),
    ],
)
def test_options_of_other_aligners_are_refused(tmp_path, base, more, message):
    more = {k: v.format(base=base) if isinstance(v, str) else v for k, v in more.items()}
    with pytest.raises(UserError, match=message):
        link(tmp_path, "en-de=smallworld:0-20", **more)
    assert not (tmp_path / "out.links").exists()


def test_an_encoder_links_words(tmp_path, base):
    links, score = link(tmp_path, "en-de=smallworld:0-50", method="similarity", model=str(base), gold="smallworld")
    assert len(links) == 50
    assert all(links)
    assert score.aer < 1


def test_links_from_a_file_are_checked_and_scored(tmp_path):
    links, first = link(tmp_path, "en-de=smallworld:0-60", gold="smallworld")
    again, second = link(
        tmp_path,
        "en-de=smallworld:0-60",
        out=tmp_path / "again.links",
        method="file",
        links=tmp_path / "out.links",
        gold="smallworld",
    )
    assert list(again) == list(links)
    assert second == first
    one = "\n".join(" ".join(f"{i + 1}-{j + 1}" for i, j in some) for some in links) + "\n"
    (tmp_path / "one.links").write_text(one)
    from_one, _ = link(tmp_path, "en-de=smallworld:0-60", method="file", links=tmp_path / "one.links", one_based=True)
    assert list(from_one) == list(links)
    (tmp_path / "short.links").write_text("0-0\n")
    with pytest.raises(UserError, match="1 lines of links for 60 sentence pairs"):
        link(tmp_path, "en-de=smallworld:0-60", method="file", links=tmp_path / "short.links")


def test_a_limit_aligns_the_first_pairs_and_takes_their_links_and_gold_links(tmp_path):
    whole, _ = link(tmp_path, "en-de=smallworld:0-60", out=tmp_path / "whole.links", method="ibm")
    gold = [" ".join(f"{i}-{j}" for i, j in some) for some in list(whole)[:20]] + ["0-0"] * 40
    (tmp_path / "gold").write_text("\n".join(gold) + "\n")
    given = {"limit": 20, "gold": tmp_path / "gold"}
    found, score = link(tmp_path, "en-de=smallworld:0-60", method="file", links=tmp_path / "whole.links", **given)
    assert list(found) == list(whole)[:20]
    assert (score.aer, score.precision) == (0, 1)
    (tmp_path / "first.links").write_text("".join((tmp_path / "whole.links").open().readlines()[:20]))
    first, _ = link(tmp_path, "en-de=smallworld:0-60", method="file", links=tmp_path / "first.links", limit=20)
    assert list(first) == list(whole)[:20]
    with pytest.raises(UserError, match="20 lines of links for 60 sentence pairs"):
        link(tmp_path, "en-de=smallworld:0-60", method="file", links=tmp_path / "first.links", limit=21)
    few, _ = link(tmp_path, "en-de=smallworld:0-20", out=tmp_path / "few.links")
    limited, _ = link(tmp_path, "en-de=smallworld:0-60", **given)
    assert list(limited) == list(few)
    assert len((tmp_path / "out.links").read_text().splitlines()) == 20


def test_links_of_a_file_that_are_dropped_are_counted_and_keep_their_lines(tmp_path, capsys):
    spec = write(tmp_path / "a.tsv", [("a b", "c d")] * 3)
    (tmp_path / "in.links").write_bytes(b"0-0 x\n\xff\n1-1 5-5\n")
    links, _ = link(tmp_path, spec, method="file", links=tmp_path / "in.links", lenient=True, quiet=False)
    assert list(links) == [[(0, 0)], [], [(1, 1)]]
    assert "links dropped: 1 not a link, 1 invalid UTF-8, 1 beyond the sentence\n" in capsys.readouterr().err


def test_inputs_are_not_overwritten(tmp_path):
    spec = write(tmp_path / "a.tsv", toy())
    before = (tmp_path / "a.tsv").read_bytes()
    for more, message in (
        ({"out": tmp_path / "a.tsv"}, "also an input or another output"),
        ({"posteriors": tmp_path / "out.links"}, "also an input or another output"),
        ({"gold": tmp_path / "gold", "out": tmp_path / "gold"}, "also an input or another output"),
        ({"gold": tmp_path / "gold", "scores": tmp_path / "out.links"}, "also an input or another output"),
        ({"method": "file", "links": tmp_path / "gold", "out": tmp_path / "gold"}, "also an input or another output"),
        ({"out": tmp_path / "no" / "x.links"}, "no: no such folder .mkdir -p"),
        ({"posteriors": tmp_path / "no" / "x"}, "no: no such folder .mkdir -p"),
    ):
        with pytest.raises(UserError, match=message):
            link(tmp_path, spec, **more)
    assert (tmp_path / "a.tsv").read_bytes() == before
    assert not (tmp_path / "out.links").exists()


def gold_set(tmp_path):
    """Two pairs, links of a file, and gold links: |A| = 4, |S| = 3, |A and S| = 2, |A and P| = 3."""
    spec = write(tmp_path / "a.tsv", [("a b c", "x y z"), ("d", "w")])
    (tmp_path / "links").write_text("0-0 1-1 2-0\n0-0\n")
    (tmp_path / "gold").write_text("0-0 1p1 2-2\n0-0\n")
    return spec, {"method": "file", "links": tmp_path / "links", "gold": tmp_path / "gold"}


@pytest.mark.parametrize("quiet", [True, False])
def test_the_score_is_in_a_file_whether_it_is_printed_or_not(tmp_path, capsys, quiet):
    spec, given = gold_set(tmp_path)
    _, score = link(tmp_path, spec, **given, quiet=quiet)
    assert ("AER" in capsys.readouterr().err) is not quiet
    written = json.loads((tmp_path / "out.links.scores.json").read_text())
    assert written["aer"] == score.aer == pytest.approx(1 - (2 + 3) / (4 + 3))
    assert written["precision"] == pytest.approx(3 / 4)
    assert written["recall"] == pytest.approx(2 / 3)
    assert written["f1"] == pytest.approx(2 * (3 / 4) * (2 / 3) / (3 / 4 + 2 / 3))
    assert written["counts"] == {"pairs": 2, "links": 4, "sure": 3, "links_in_sure": 2, "links_in_possible": 3}
    assert written["of"]["gold"] == str(tmp_path / "gold")
    assert (written["of"]["method"], written["of"]["pairs"]) == ("file", spec)


def test_the_file_of_the_score_has_a_name_of_its_own(tmp_path):
    spec, given = gold_set(tmp_path)
    link(tmp_path, spec, **given, scores=tmp_path / "aer.json")
    assert json.loads((tmp_path / "aer.json").read_text())["counts"]["pairs"] == 2
    assert not (tmp_path / "out.links.scores.json").exists()
    with pytest.raises(UserError, match=r"no score to write to --scores .*--gold"):
        link(tmp_path, spec, scores=tmp_path / "other.json")
    link(tmp_path, spec, method="ibm")
    assert not list(tmp_path.glob("*.scores.json"))  # no measurement, no file


@pytest.mark.parametrize("name", ["out.links", "out.links.scores.json", "sure"])
def test_existing_files_are_kept_without_force(tmp_path, capsys, name):
    (tmp_path / name).write_text("precious\n")
    words = ["words", "--pairs", "en-de=smallworld:0-40", "--method", "ibm", "-q", "--gold", "smallworld"]
    words += ["--out", str(tmp_path / "out.links"), "--posteriors", str(tmp_path / "sure")]
    assert main(words) == 2
    assert f"{tmp_path / name}: already exists (use --force to replace it)" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious\n"
    assert main([*words, "--force"]) == 0
    assert (tmp_path / name).read_text() != "precious\n"


def test_every_line_of_an_archive_has_its_line_of_links(tmp_path):
    lines = [f"w{k}".encode() for k in range(5)]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x.en", b"\n".join(lines))
        archive.writestr("x.de", b"\n".join([lines[0], b"\xff", *lines[2:4], b"\xff"]))
    link(tmp_path, f"en-de={tmp_path / 'a.zip'}", lenient=True, method="ibm")
    assert (tmp_path / "out.links").read_text() == "0-0\n\n0-0\n0-0\n\n"


@pytest.mark.parametrize("space", ["\u00a0", "\u3000", "\u2009", "\u200b", "\x85"])
def test_tokens_of_the_user_keep_their_numbers(tmp_path, space):
    """A space of another kind inside a token, or as a token, must not shift the links after it."""
    rows = [*toy(), (f"10{space}000 w1 {space} w2", f"W1x {space} W2x 10{space}000")]
    spec = write(tmp_path / "a.tsv", rows)
    gold = tmp_path / "gold"
    gold.write_text("\n" * 60 + "0-3 1-0 2-1 3-2\n")
    aligned, _ = link(tmp_path, spec, tokenized=True, method="file", links=gold)
    assert list(aligned)[60] == [(0, 3), (1, 0), (2, 1), (3, 2)]
    aligned, _ = link(tmp_path, spec, tokenized=True)
    assert {(1, 0), (3, 2)} <= set(list(aligned)[60])


def _warned_of_tokens(tmp_path, capfd, rows, languages="en-de", **more):
    path = tmp_path / "text.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    (tmp_path / "gold").write_text("0-0\n" * len(rows))
    link(tmp_path, f"{languages}={path}", quiet=False, method="ibm", gold=tmp_path / "gold", **more)
    warnings = [line for line in capfd.readouterr().err.splitlines() if "tokenized" in line]
    return [line.removeprefix(f"WARNING {path}: ") for line in warnings]


def test_tokens_that_are_not_our_words_are_reported_where_links_count_words(tmp_path, capfd):
    rows = [("it 's John 's house .", "es ist das Haus von John .")] * 3 + [("a dog", "ein Hund .")]
    found = _warned_of_tokens(tmp_path, capfd, rows)
    assert found == [
        "the text looks tokenized, but in 3 of 4 pairs the words that are found in it are not its tokens; if links"
        " count tokens, add --tokenized"
    ]
    assert _warned_of_tokens(tmp_path, capfd, rows, tokenized=True) == []
    # Words and tokens are the same, so both options give the same links.
    assert _warned_of_tokens(tmp_path, capfd, [("a dog , a cat .", "ein Hund , eine Katze .")] * 3) == []
    chinese = [("the dog sleeps .", "小狗 睡觉 了 。")] * 3
    assert len(_warned_of_tokens(tmp_path, capfd, chinese, "en-zh")) == 1


@pytest.mark.parametrize(
    ("languages", "row"),
    [
        ("en-de", ("It's a dog, isn't it?", "Das ist ein Hund, oder?")),
        ("fr-hi", ("Où est le chien ?", "कुत्ता कहाँ है ।")),
        ("en-zh", ("The dog sleeps.", "小狗睡觉了，很好。")),
        ("ja-th", ("犬は寝ています。", "สุนัขกำลังนอนหลับ")),
    ],
)
def test_text_that_is_not_tokenized_is_not_reported_as_such(tmp_path, capfd, languages, row):
    slip = ("A slip , here .", "Ein Fehler , hier .")
    assert _warned_of_tokens(tmp_path, capfd, [row] * 9 + [slip], languages) == []


def test_text_in_another_script_is_reported_and_aligned(tmp_path, capfd):
    spec = write(tmp_path / "a.tsv", [(f"w{k} word", f"слово с{k}") for k in range(9)])
    link(tmp_path, spec, quiet=False)
    warning = (
        f"WARNING {tmp_path}/a.tsv: expected text in de (Latin script), found Cyrillic script in 100% of 9 sentences"
    )
    assert warning in capfd.readouterr().err.splitlines()
