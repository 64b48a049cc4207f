"""What may be said on the command line, and what may not."""

import os
from pathlib import Path

import pytest

from paralign.errors import UserError
from paralign.sources.specs import (
    PairSpec,
    TextSpec,
    check_readable_again,
    check_separate_pipes,
    parse_pairs,
    parse_text,
    smallworld_range,
)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("en-de=c.tsv.gz", PairSpec("en", "de", "c.tsv.gz")),
        ("eng-deu=c=d.tsv", PairSpec("en", "de", "c=d.tsv")),
        ("en:zh-CN=a.en,a.zh", PairSpec("en", "zh", "a.en,a.zh")),
        ("en-de=-", PairSpec("en", "de", "-")),
        ("en-fr=smallworld:5-9", PairSpec("en", "fr", "smallworld:5-9")),
    ],
)
def test_pairs(text: str, spec: PairSpec) -> None:
    assert parse_pairs(text) == spec
    assert parse_pairs(str(spec)) == spec


def test_paths_behind_a_spec(tmp_path: Path) -> None:
    assert parse_pairs("en-de=a.en,a.de").paths == ("a.en", "a.de")
    assert parse_pairs("en-de=smallworld").paths == ()
    odd = tmp_path / "a,b.tsv"
    odd.write_text("x\ty\n")
    assert parse_pairs(f"en-de={odd}").paths == (str(odd),)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("", "=x"), "no language before the path in .* .write SOURCE-TARGET=PATH"),
        (("en-de",), "no language before the path in .* .write SOURCE-TARGET=PATH"),
        (
            ("en=x", "en-=x", "-de=x", "en-zh-CN=x", "en:de:fr=x"),
            "cannot read the languages in .* .write SOURCE-TARGET",
        ),
        (("en-de=", "en-de=  "), "no path after '=' in"),
        (("en-en=x", "en-eng=x"), r"the two languages of .* are the same \(en\)"),
        (("en-xx=x",), "unknown language 'xx'"),
        (("en-de=a,", "en-de=a,b,c"), "two files are needed, not 'a,"),
        (("en-de=smallworld:9-5", "en-de=smallworld:x"), "cannot read the range in 'smallworld:"),
    ],
)
def test_bad_pairs(texts: tuple[str, ...], message: str) -> None:
    for text in texts:
        with pytest.raises(UserError, match=message):
            parse_pairs(text)


def test_the_same_file_for_both_sides(tmp_path: Path) -> None:
    file = tmp_path / "a.en"
    file.write_text("x\n")
    (tmp_path / "link").symlink_to(file)
    for other in (file, tmp_path / "." / "a.en", tmp_path / "link", f"{tmp_path}/./a.en"):
        with pytest.raises(UserError, match="same file"):
            parse_pairs(f"en-de={file},{other}")


def test_text() -> None:
    assert parse_text("german=news.de") == TextSpec("de", "news.de")
    assert parse_text("zh-CN=x") == TextSpec("zh", "x")
    assert parse_text("pt-BR=x") == parse_text("PT-br=x") == TextSpec("pt", "x")
    for bad, message in (
        ("en", "no language before the path in 'en' .write LANGUAGE=PATH"),
        ("news.de.txt", r"no language before the path in .* \(did you mean de=news\.de\.txt\?\)"),
        ("=x", "no language before the path"),
        ("en=", "no path after '='"),
        ("xx=y", "unknown language 'xx'"),
        ("en=smallworld:3-3", "cannot read the range"),
        ("en-de=x", "one language is needed, and 'en-de=x' has two"),
        ("eng-deu=x", "unknown language 'eng-deu'"),
    ):
        with pytest.raises(UserError, match=message):
            parse_text(bad)
    with pytest.raises(UserError, match=r"'pt-br=x' has two \(write pt=x, or pt-BR=x if BR is a region\)$"):
        parse_text("pt-br=x")


def test_smallworld_ranges() -> None:
    assert smallworld_range("smallworld") == range(20_000)
    assert smallworld_range("smallworld:10-12") == range(10, 12)
    assert smallworld_range("./smallworld") is None


def test_what_can_be_read_only_once_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a,b").touch()
    check_readable_again(
        [str(tmp_path / "a,b"), str(tmp_path), "missing", "hub:a/b", "smallworld:0-9", "a.en,a.de"], ""
    )
    for path, what in (
        ("-", "standard input"),
        (f"a.en, {tmp_path}/pipe", f"{tmp_path}/pipe: a pipe"),
        ("x,-", "standard"),
    ):
        with pytest.raises(UserError, match=rf"^{what}.* can be read only once, but it is read twice \(give a file\)$"):
            check_readable_again([path], "it is read twice")


def test_a_pipe_is_no_two_inputs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "file").write_text("x\n")
    a, b, link, file = (str(tmp_path / name) for name in ("a", "b", "link", "file"))
    check_separate_pipes([f"en-de={a}", f"en-de={b}", "en-de=-", f"en-de={file}", file, "en-de=smallworld"])
    for texts in ([f"en-de={a}", a], [f"en-de={a},{link}"], ["en-de=-", "en=-"], [f"en-de={file}", "en-de=-,-"]):
        with pytest.raises(UserError, match="for two inputs, but can be read only once"):
            check_separate_pipes(texts)


def test_standard_input_by_two_names(tmp_path: Path) -> None:
    read, write = os.pipe()
    saved = os.dup(0)
    os.dup2(read, 0)
    try:
        with pytest.raises(UserError, match="two inputs"):
            check_separate_pipes(["en-de=-", f"en-de=/dev/fd/{read}"])
    finally:
        os.dup2(saved, 0)
        for handle in (read, write, saved):
            os.close(handle)


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    home = str(tmp_path)
    for given, path in (
        ("~/a.tsv", f"{home}/a.tsv"),
        ("~/a.en,~/a.de", f"{home}/a.en,{home}/a.de"),
        ("a.en, ~/b/a.de", f"a.en, {home}/b/a.de"),
        ("~/a.zip!x.en", f"{home}/a.zip!x.en"),
        ("a~/b", "a~/b"),
        ("/~/b", "/~/b"),
        ("~nobody.here/a", "~nobody.here/a"),
        ("smallworld:0-9", "smallworld:0-9"),
    ):
        assert parse_pairs(f"en-de={given}").path == path
        assert parse_text(f"en={given.partition(',')[0]}").path == path.partition(",")[0]
    spec = parse_pairs("en:en~syn@~/o.json=~/a.conllu")
    assert (spec.orderings, spec.path) == (("", f"{home}/o.json"), f"{home}/a.conllu")
    assert parse_pairs(str(spec)) == spec
