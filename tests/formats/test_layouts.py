"""Files that are not what they are taken for: refused by name, alike in every command that reads them."""

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paralign.__main__ import main
from paralign.errors import UserError
from paralign.sources.readers import read_pairs, read_questions, read_tagged, read_text, read_trees
from paralign.sources.specs import parse_pairs, parse_text

PAIRS = [(f"The house number {k} is red.", f"Das Haus Nummer {k} ist rot.") for k in range(30)]


def save(folder, text, name="a.tsv"):
    file = folder / name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def texts(file, **options):
    return [(pair.source, pair.target) for pair in read_pairs(parse_pairs(f"en-de={file}"), **options)]


def rows(*columns, separator="\t"):
    """A file with these columns; ``{a}`` and ``{b}`` are the two texts, ``{k}`` the number of the pair."""
    return "".join(
        separator.join(columns).format(k=k, a=a, b=b, s=1.25 - k / 100) + "\n" for k, (a, b) in enumerate(PAIRS)
    )


COMMANDS = [
    "words --pairs en-de={file} --method ibm --out {tmp}/out",
    "map --model {base} --pairs en-de={file} --method ibm --out {tmp}/out",
    "evaluate --model {base} --task retrieval --data en-de={file} --out {tmp}/out",
    "corpus build --model {base} --pairs en-de={file} --out {tmp}/out",
    "corpus convert --pairs en-de={file} --out {tmp}/out.tsv",
    "corpus check --pairs en-de={file} --out {tmp}/out",
    "align --model {base} --pairs en-de={file} --recipe ppa-mini --out {tmp}/out",
]
LAYOUTS = {
    "column 1 holds numbers, such as scores; the text is in columns 2 and 3": rows("{s}", "{a}", "{b}"),
    "the fields are in quotes": rows('"{a}"', '"{b}"'),
    "the lines end with CR only": rows("{a}", "{b}").replace("\n", "\r"),
    "both a tab and |||": rows("{a}", "{b}") + "x ||| y\tz\n",
    "the line is a header ('source', 'target'), not a pair": "source\ttarget\n" + rows("{a}", "{b}"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("message", list(LAYOUTS))
def test_every_command_refuses_them_by_name(tmp_path, capsys, base, command, message):
    file = save(tmp_path, LAYOUTS[message])
    code = main(command.format(file=file, tmp=tmp_path, base=base).split())
    if "check" in command and ("header" in message or "both" in message or "quotes" in message):
        assert code in (0, 3)  # single lines and quotes are counted or read
        return
    assert code == 2
    assert f"{file}:" in (said := capsys.readouterr().err)
    assert message in said
    assert not list(tmp_path.glob("out*"))


# -- numbers in the first columns


@pytest.mark.parametrize(
    ("columns", "bad", "text"),
    [
        (("{s}", "{a}", "{b}"), 1, "2 and 3"),
        (("{k}", "{a}", "{b}"), 1, "2 and 3"),
        (("{a}", "{s}", "{b}"), 2, "1 and 3"),
        (("{k}", "{a}", "{k}", "{b}"), 1, "2 and 4"),
        (("1.5e-3", "{a}", "{b}"), 1, "2 and 3"),
        (("-0,5", "{a}", "{b}", "url"), 1, "2 and 3 and 4"),
    ],
)
@pytest.mark.parametrize("separator", ["\t", " ||| "])
@pytest.mark.parametrize("head", ["", "score{}source{}target\n"])
def test_columns_of_numbers(tmp_path, columns, bad, text, separator, head):
    file = save(tmp_path, head.format(separator, separator) + rows(*columns, separator=separator))
    for lenient in (False, True):
        with pytest.raises(UserError, match=f"column {bad} holds numbers.*columns {text}") as error:
            texts(file, lenient=lenient)
        assert ("cut -f" in str(error.value)) == (separator == "\t" and text.count("and") == 1)


@pytest.mark.parametrize("columns", [("{a}", "{b}", "{s}"), ("{a}", "{b}", "{k}", "url"), ("{a}", "{b}")])
def test_columns_behind_the_text_are_ignored(tmp_path, columns):
    assert texts(save(tmp_path, rows(*columns))) == PAIRS


def test_text_that_consists_of_numbers_is_text(tmp_path):
    file = save(tmp_path, "12\t12\n1.5\t1,5\n")
    assert texts(file) == [("12", "12"), ("1.5", "1,5")]
    file = save(tmp_path, "1972\t1972\tyear\nThe house\tDas Haus\tnoun\n")
    assert texts(file)[0] == ("1972", "1972")


# -- headers


@pytest.mark.parametrize(
    "line", ["source\ttarget", "SRC\tTGT", "en\tde", "German\tEnglish", "de-DE\ten_US\tscore", "sentence1\tsentence2"]
)
def test_headers(tmp_path, line):
    file = save(tmp_path, f"{line}\n" + rows("{a}", "{b}"))
    with pytest.raises(UserError, match="the line is a header") as error:
        texts(file)
    assert error.value.where == f"{file}:1"
    dropped = Counter()
    assert texts(file, lenient=True, dropped=dropped) == PAIRS
    assert dropped == {"header": 1}


@pytest.mark.parametrize("line", ["text\tText", "source\tQuelle", "English\tEnglisch", "target\ttarget", "id\tes"])
def test_words_that_look_like_headers(tmp_path, line):
    assert texts(save(tmp_path, f"{line}\na\tb\n"))[0] == tuple(line.split("\t"))


# -- quotes


def test_quoted_fields(tmp_path):
    file = save(tmp_path, 'He said\tEr sagte\n"He said ""yes""."\t"Er sagte ""ja""."\n')
    with pytest.raises(UserError, match="the fields are in quotes"):
        texts(file)
    assert texts(file, lenient=True)[1] == ('"He said ""yes""."', '"Er sagte ""ja""."')


@pytest.mark.parametrize("line", ['"Yes."\t"Ja."', '"Yes," he said.\t"Ja", sagte er.', '""Yes""\t""Ja""', '"\t"'])
def test_quotes_of_the_text_itself(tmp_path, line):
    assert texts(save(tmp_path, f"{line}\na\tb\n"))[0] == tuple(line.split("\t"))


# -- separators


def test_a_line_with_both_separators(tmp_path):
    for text, line in (
        ("a\tb\nc ||| d\te\nf\tg\n", 2),
        ("a ||| b\nc ||| d\t0.5\nf ||| g\n", 2),
        ("a\tb\nc ||| d\nf\tg\n", 2),
        ("a ||| b\nc\td\nf ||| g\n", 2),
    ):
        file = save(tmp_path, text)
        with pytest.raises(UserError, match=r"both a tab and \|\|\|") as error:
            texts(file)
        assert error.value.where == f"{file}:{line}"
        dropped = Counter()
        assert texts(file, lenient=True, dropped=dropped) == [("a", "b"), ("f", "g")]
        assert dropped == {"two separators": 1}
    # Bars in a column that is not read do not matter.
    assert texts(save(tmp_path, "a\tb\tx ||| y\n")) == [("a", "b")]
    assert texts(save(tmp_path, "a ||| b\nc ||| d ||| x\ty\n")) == [("a", "b"), ("c", "d")]


def test_an_error_behind_the_first_lines_comes_after_them(tmp_path):
    file = save(tmp_path, b"a\tb\nc\td\n\xff\te\n")
    found = read_pairs(parse_pairs(f"en-de={file}"))
    assert [next(found).source, next(found).source] == ["a", "c"]
    with pytest.raises(UserError, match="invalid UTF-8") as error:
        next(found)
    assert error.value.where == f"{file}:3"


# -- line ends


@given(st.lists(st.text("ab \t", min_size=1, max_size=5).filter(str.strip), min_size=2, max_size=9), st.booleans())
def test_line_ends_of_old_macs(tmp_path_factory, lines, end):
    file = tmp_path_factory.mktemp("cr") / "a.txt"
    file.write_bytes("\r".join(lines).encode() + b"\r" * end)
    for lenient in (False, True):
        with pytest.raises(UserError, match="end with CR only"):
            list(read_text(parse_text(f"en={file}"), lenient=lenient))
    file.write_bytes("\r\n".join(lines).encode() + b"\r\n" * end)
    assert [text for _, text in read_text(parse_text(f"en={file}"))] == [" ".join(line.split()) for line in lines]


def test_long_files_of_old_macs(tmp_path):
    file = save(tmp_path, b"one line\r" * 100_000)
    for lenient in (False, True):
        with pytest.raises(UserError, match="end with CR only"):
            list(read_text(parse_text(f"en={file}"), lenient=lenient))


# -- withheld text

WITHHELD = "".join(
    f"# sent_id = {s}\n# text = {text}\n"
    + "".join(f"{k}\t_\t_\tNOUN\t_\t_\t{k - 1}\tdep\t_\t_\n" for k in range(1, len(text.split()) + 1))
    + "\n"
    for s, text in enumerate(["__ ___ _", "____", "_ _"])
)
OPEN = "# sent_id = o\n# text = Rome _\n1\tRome\tRome\tPROPN\t_\t_\t0\troot\t_\t_\n2\t_\t_\tSYM\t_\t_\t1\tdep\t_\t_\n\n"


def test_treebanks_without_their_text(tmp_path):
    file = save(tmp_path, OPEN + WITHHELD, "a.conllu")
    spec = parse_text(f"en={file}")
    for labeled in (True, False):
        with pytest.raises(UserError, match="every word is '_': the text of this sentence is withheld") as error:
            list(read_trees(spec, labeled=labeled))
        assert error.value.where == f"{file}:8"
        dropped = Counter()
        (tree,) = read_trees(spec, lenient=True, dropped=dropped, labeled=labeled)
        assert tree.words == ("Rome", "_")
        assert dropped == {"forms withheld": 3}
    with pytest.raises(UserError, match="is withheld"):
        list(read_text(spec))


@pytest.mark.parametrize(
    "command",
    [
        "finetune --model {base} --task pos --train en={file} --eval en={file} --out {tmp}/out",
        "finetune --model {base} --task parsing --train en={file} --eval en={file} --out {tmp}/out",
        "evaluate --model {base} --task retrieval --data en-de={file},{other} --out {tmp}/out",
        "corpus build --model {base} --text en={file} --out {tmp}/out",
        "corpus order --text en={file} --out {tmp}/out.json",
        "corpus build --model {base} --text en=smallworld:0-20 --exclude {file} --out {tmp}/out",
        "finetune --model {base} --task ner --train en={columns} --eval en={columns} --out {tmp}/out",
    ],
)
def test_no_command_uses_text_that_is_withheld(tmp_path, capsys, base, command):
    file, other = save(tmp_path, WITHHELD, "a.conllu"), save(tmp_path, WITHHELD, "b.conllu")
    columns = save(tmp_path, "_\tO\n_\tB-PER\n\n_\tO\n", "ner.tsv")
    words = command.format(file=file, other=other, columns=columns, tmp=tmp_path, base=base).split()
    assert main(words) == 2
    assert "withheld" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


def test_columns_without_their_text(tmp_path):
    file = save(tmp_path, "Anna\tB-PER\n_\tO\n\n_\tO\n_\tO\n")
    with pytest.raises(UserError, match="is withheld") as error:
        list(read_tagged(parse_text(f"en={file}")))
    assert error.value.where == f"{file}:4"
    dropped = Counter()
    assert len(list(read_tagged(parse_text(f"en={file}"), lenient=True, dropped=dropped))) == 1
    assert dropped == {"forms withheld": 1}


def test_answers_that_are_blanked(tmp_path):
    answer = {"text": "", "answer_start": 0}
    question = {"id": "finnish-1", "question": "Mikä?", "answers": [answer]}
    data = {"data": [{"paragraphs": [{"context": "Rooma on vanha.", "qas": [question]}]}]}
    file = save(tmp_path, json.dumps(data), "a.json")
    with pytest.raises(UserError, match=r"question finnish-1: an answer has no text \(answers may be withheld"):
        list(read_questions(str(file), languages=("fi", "fi")))
    (found,) = read_questions(str(file), languages=("fi", "fi"), labeled=False)
    assert found.answers == ()
