"""Output files: inputs are never overwritten, existing files only with --force."""

import os
from pathlib import Path

import pytest

from paralign.__main__ import main
from paralign.languages import WordOrder

TREE = "1\tAnna\t_\tPROPN\t_\t_\t2\tnsubj\t_\t_\n2\tlebt\t_\tVERB\t_\t_\t0\troot\t_\t_\n\n"
QUESTION = '{"data": [{"paragraphs": [{"context": "Anna lebt.", "qas": [{"id": "1", "question": "Wer?"}]}]}]}'
FILES = {"t.conllu": TREE, "b.de": "d1\tJa .\n", "b.en": "e1\tYes .\n", "b.gold": "d1\te1\n", "a.tsv": "a\tb\n"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "corpus order --text de=t.conllu --out t.conllu",
        "predict --model none --task pos --data de=t.conllu --out ./t.conllu",
        "predict --model none --task mining --data de-en=b --out b.gold",
        "corpus convert --pairs en-de=a.tsv --out a.tsv",
        "words --pairs en-de=a.tsv --out a.tsv",
        "words --pairs en-de=a.tsv --learn-from 1 --out a.tsv",
    ],
)
def test_no_command_overwrites_what_it_reads(folder, capsys, command):
    assert main([*command.split(), "--force"]) == 2
    assert "the output file is also an input or another output" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in folder.iterdir()} == FILES


@pytest.mark.parametrize("command", [
    "corpus order --text de=t.conllu --out /dev/null",
    "words --pairs en-de=a.tsv --out /dev/null --posteriors /dev/null",
])  # fmt: skip
def test_devices_are_written_to(folder, command):
    assert main(command.split()) == 0


@pytest.mark.parametrize("command", [
    "evaluate --model none --task retrieval --data en-de=smallworld:0-9",
    "align --model none --recipe ppa --pairs en-de=a.tsv",
    "analyze space --model none --text de=a.tsv --text en=a.tsv",
    "suite quick --model base=paralign-mini",
    "demo",
    "export none",
    "map --model none --pairs en-de=a.tsv",
    "corpus split --pairs en-de=a.tsv",
    "corpus build --model none --pairs en-de=a.tsv",
])  # fmt: skip
def test_no_folder_is_called_like_standard_output(folder, capsys, command):
    assert main([*command.split(), "--out", "-"]) == 2
    assert capsys.readouterr().err.endswith("-: a folder cannot be standard output (name a folder)\n")
    assert {path.name: path.read_text() for path in folder.iterdir()} == FILES


def test_no_file_is_called_like_standard_output(folder, capsys):
    assert main(["corpus", "order", "--text", "de=t.conllu", "--out", "-"]) == 2
    assert "-: cannot be written to standard output (name a file)" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in folder.iterdir()} == FILES


def test_further_files_of_predictions_are_checked_before_any_work(folder, capsys):
    (folder / "q.nbest.json").write_text("mine")
    command = ["predict", "--model", "none", "--task", "qa", "--out", "q.json", "--data"]
    assert main([*command, "de=none.json"]) == 2
    assert "q.nbest.json: already exists (use --force to replace it)" in capsys.readouterr().err
    (folder / "q.nbest.json").write_text(QUESTION)
    assert main([*command, "de=q.nbest.json", "--force"]) == 2
    assert "q.nbest.json: the output file is also an input or another output" in capsys.readouterr().err


@pytest.mark.parametrize("command", [
    "words --pairs en-de=a.tsv --out links --save t.conllu/x",
    "map --model none --pairs en-de=a.tsv --out t.conllu/x",
    "map --model none --kind shift --text de=a.tsv --text en=a.tsv --out t.conllu/x",
    "export none --out t.conllu/x",
    "corpus split --pairs en-de=a.tsv --out t.conllu/x",
    "corpus build --model none --pairs en-de=a.tsv --out t.conllu/x",
    "corpus check --text de=none --out t.conllu/x",
    "align --model none --recipe ppa --pairs en-de=a.tsv --out t.conllu/x",
    "evaluate --model none --task retrieval --data en-de=smallworld:0-9 --out t.conllu/x",
    "analyze space --model none --text de=a.tsv --text en=a.tsv --out t.conllu/x",
])  # fmt: skip
def test_a_folder_that_cannot_be_created_is_found_before_anything_else(folder, capsys, command):
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert "t.conllu/x: the folder cannot be created: " in said
    assert "t.conllu is not a folder (choose another folder)" in said
    assert {path.name: path.read_text() for path in folder.iterdir()} == FILES


@pytest.mark.parametrize("command", [
    "words --pairs en-de=a.tsv --out locked/x", "report . --out locked/x.html",
    "corpus split --pairs en-de=a.tsv --out locked/x",
    "align --model none --recipe ppa --pairs en-de=a.tsv --out locked/x",
])  # fmt: skip
def test_a_folder_without_permission_is_named(folder, capsys, monkeypatch, command):
    (folder / "locked").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "locked")  # root may write everywhere
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert "locked" in said
    assert "not writable" in said
    assert list((folder / "locked").iterdir()) == []


def test_a_word_order_is_replaced_only_on_request(folder, capsys):
    command = ["corpus", "order", "--text", "de=t.conllu", "--out"]
    assert main([*command, "a.tsv"]) == 2
    assert "a.tsv: already exists (use --force to replace it)" in capsys.readouterr().err
    assert (folder / "a.tsv").read_text() == FILES["a.tsv"]
    assert main([*command, "a.tsv", "--force"]) == 0
    assert WordOrder.load("a.tsv").facts["trees"] == 1


@pytest.mark.parametrize("command", [
    "words --pairs en-de=- --train en-de=- --out links",
    "words --pairs en-de=- --gold - --out links",
    "words --pairs en-de=pipe --train en-de=pipe --out links",
    "words --load none --pairs en-de=-,- --out links",
    "corpus convert --pairs en-de=pipe --pairs en-de=./pipe --out b.tsv",
    "corpus check --pairs en-de=pipe --test pipe --out out",
    "corpus split --pairs en-de=pipe --exclude pipe --out out",
    "corpus build --model none --pairs en-de=pipe --exclude pipe --out out",
    "corpus show en-de=pipe,./pipe",
    "align --model none --pairs en-de=pipe --dictionary en-de=pipe --out out",
    "pretrain --model none --text en=pipe --heldout en=pipe --out out",
    "finetune --model none --task pos --train en=pipe --eval en=pipe --out out",
    "evaluate --model none --task retrieval --data en-de=pipe --dev en-de=pipe --out out",
    "analyze embeddings --model none --pairs en-de=pipe --links pipe --out out",
    "map --model none --pairs en-de=pipe --links pipe --out out",
    "analyze space --model none --text de=pipe --text en=pipe --out out",
])  # fmt: skip
def test_a_pipe_is_read_by_one_input(folder, capsys, command):
    os.mkfifo("pipe")  # opening it would wait for ever
    assert main(command.split()) == 2
    said = capsys.readouterr().err
    assert "two inputs, but can be read only once (give a file)" in said or "same file is given for both sides" in said
    assert {path.name for path in folder.iterdir()} == {*FILES, "pipe"}


@pytest.mark.parametrize("command", [
    "corpus convert --pairs en-de=a.tsv --out link",
    "corpus convert --pairs en-de=a.tsv --out link.en,b.de",
    "corpus order --text de=t.conllu --out link",
    "words --pairs en-de=a.tsv --out link",
    "words --pairs en-de=a.tsv --out links --posteriors link",
    "words --pairs en-de=a.tsv --out link --learn-from 1",
])  # fmt: skip
def test_of_a_symbolic_link_the_file_that_it_points_to_is_replaced(folder, capsys, command):
    name = "link.en" if "link.en" in command else "link.tsv" if "convert" in command else "link"
    command = command.replace("--out link", "--out link.tsv") if name == "link.tsv" else command
    (folder / "kept").mkdir()
    (folder / "kept" / "mine").write_text("mine")
    (folder / name).symlink_to("kept/mine")
    assert main(command.split()) == 2
    assert "already exists (use --force to replace it)" in capsys.readouterr().err
    assert (folder / "kept" / "mine").read_text() == "mine"
    assert main([*command.split(), "--force"]) == 0
    assert (folder / name).is_symlink()
    assert [path.name for path in (folder / "kept").iterdir()] == ["mine"]
    assert (folder / "kept" / "mine").read_text() != "mine"


@pytest.mark.parametrize("how", ["", " --learn-from 1"])
@pytest.mark.parametrize(
    ("save", "message"),
    [
        ("links", "links: the output folder is, or is in, an input or another output (name another folder)"),
        ("./links/x", "links/x: the output folder is, or is in, an input or another output (name another folder)"),
        ("posteriors", "posteriors: the output folder is, or is in, an input or another output (name another folder)"),
        ("a.tsv", "a.tsv: already exists (choose another folder, or remove this one)"),
        ("dangling", "dangling: already exists (choose another folder, or remove this one)"),
        ("t.conllu/x", "t.conllu/x: the folder cannot be created: "),
        ("-", "-: a folder cannot be standard output (name a folder)"),
    ],
)
def test_the_folder_of_a_saved_aligner_is_another_output(folder, capsys, how, save, message):
    (folder / "dangling").symlink_to("nowhere")
    command = f"words --pairs en-de=a.tsv --out links --posteriors posteriors --save {save}{how}"
    assert main([*command.split(), "--force"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"paralign: {message}") or f"/{message}" in line
    assert {path.name for path in folder.iterdir()} == {*FILES, "dangling"}


def test_the_folder_of_a_file_that_a_symbolic_link_points_to_must_exist(folder, capsys):
    (folder / "link.tsv").symlink_to("none/b.tsv")
    assert main(["corpus", "convert", "--pairs", "en-de=a.tsv", "--out", "link.tsv"]) == 2
    assert "none: no such folder (mkdir -p " in capsys.readouterr().err


DROPPED = "bad.tsv: all 2 pairs dropped: 1 invalid UTF-8, 1 two separators"


@pytest.mark.parametrize(("command", "message"), [
    ("--pairs de-en=none --out x.en,x.de", "x.en,x.de: the names of the files end in en and de, but the pairs are "
     "de-en (write x.de,x.en, or rename them)"),
    ("--pairs en:zh-CN=none --out x.zh_CN.gz,x.en.gz", "x.zh_CN.gz,x.en.gz: the names of the files end in zh and en, "
     "but the pairs are en-zh (write x.en.gz,x.zh_CN.gz, or rename them)"),
    ("--pairs en-de=x.de.txt,x.en.txt --out b.tsv", "x.de.txt,x.en.txt: the names of the files end in de and en, but "
     "the pairs are en-de (write x.en.txt,x.de.txt, or rename them)"),
    ("--pairs en-de=none --out b.conllu", "b.conllu: unknown output format (use x.tsv, x.tmx, x.jsonl (also .gz, "
     ".zst), or two files x.en,x.de)"),
    ("--pairs en-de=none --out b.en.conllu.gz,b.de.CONLLU", "b.en.conllu.gz,b.de.CONLLU: unknown output format (use "
     "x.tsv, x.tmx, x.jsonl (also .gz, .zst), or two files x.en,x.de)"),
    ("--pairs en-de=bad.tsv --lenient --out b.tsv", DROPPED),
    ("--pairs en-de=bad.tsv --lenient --out c.en,c.de", DROPPED),
    ("--pairs en-de=bad.tsv --lenient --force --out a.tsv", DROPPED),
])  # fmt: skip
def test_files_that_convert_does_not_write(folder, capsys, command, message):
    (folder / "bad.tsv").write_bytes(b"a\tb ||| c\n\xff\tx\n")
    assert main(["corpus", "convert", *command.split()]) == 2
    assert capsys.readouterr().err == f"paralign: {message}\n"
    assert {path.name: path.read_text() for path in folder.iterdir() if path.name != "bad.tsv"} == FILES


def test_names_that_do_not_contradict_the_pair(folder):
    for out in ("x.en,x.de", "one,two", "x.fr,x.en", "x.de,y"):
        assert main(["corpus", "convert", "--pairs", "en-de=a.tsv", "--out", out, "--force"]) == 0


@pytest.mark.parametrize("command", [
    "corpus convert --pairs en-de=~/a.en,~/a.de --force --out ~/b.en,~/b.de",
    "corpus check --pairs en-de=~/a.tsv --test=~/c.txt --out out",
    "words --pairs en-de=~/a.en,~/a.de --out links",
    "analyze links --pairs en-de=~/a.tsv --links one=~/a.links --out out",
    "corpus order --text de=~/t.conllu --out order",
    "corpus show en-de=~/a.en,~/a.de",
    "evaluate --model paralign-mini --task alignment --data en-de=~/a.en,~/a.de,~/a.links --out out",
])  # fmt: skip
def test_the_home_folder_in_specs(folder, monkeypatch, command):
    (folder / "work").mkdir()
    for name, text in (("a.en", "Yes .\n"), ("a.de", "Ja .\n"), ("c.txt", "No .\n"), ("a.links", "0-0\n")):
        (folder / name).write_text(text)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder / "work")
    assert main(command.split()) == 0
    assert not (folder / "work" / "~").exists()
    assert ("convert" not in command) or (folder / "b.de").read_text() == "Ja .\n"
