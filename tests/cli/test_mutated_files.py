"""Valid small files with random damage: every command ends with 0, 2 or 3, one line, and nothing half-written."""

import io
import json
import random
import shutil
import zipfile

import pytest

import paralign
from paralign.__main__ import main
from tests.formats.test_fuzz import CONLLU, INFERENCE, SQUAD, TAGGED, TMX, spoilt

ENGLISH = ["Hi.", "The dog sleeps in the garden.", "I see two old red houses.", "", "It rains today."] * 3
GERMAN = ["Hallo!", "Der Hund schläft im Garten.", "Ich sehe zwei alte rote Häuser.", "leer", "Heute regnet es."] * 3
PAIRS = list(zip(ENGLISH, GERMAN, strict=True))
PAIR_COMMANDS = [
    "corpus convert --pairs en-de={file} --out {tmp}/out.tmx",
    "corpus convert --pairs en-de={file} --out {tmp}/out.jsonl.gz --limit 3",
    "corpus show en-de={file}",
    "words --pairs en-de={file} --method ibm --out {tmp}/out.links --posteriors {tmp}/out.sure",
    "corpus check --pairs en-de={file} --out {tmp}/out",
    "corpus build --pairs en-de={file} --model {base} --out {tmp}/out --set data.min_pieces=1",
    "corpus build --pairs en-de=smallworld:0-9 --exclude {file} --model {base} --out {tmp}/out --set data.min_pieces=1",
    "evaluate --model {base} --task retrieval --data en-de={file} --out {tmp}/out",
]


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.de-en.en", "\n".join(ENGLISH))
        file.writestr("x.de-en.de", "\n".join(GERMAN))
    return out.getvalue()


# The name of the file, its content, and the commands that read it, of which each mutation is given to one.
FAMILIES = {
    "tsv": ("a.tsv", "".join(f"{a}\t{b}\tx\n" for a, b in PAIRS), PAIR_COMMANDS),
    "bars": ("a.txt", "".join(f"{a} ||| {b}\n" for a, b in PAIRS), PAIR_COMMANDS),
    "json lines": (
        "a.jsonl",
        "".join(json.dumps({"translation": {"en": a, "de": b, "de-AT": b}}) + "\n" for a, b in PAIRS),
        PAIR_COMMANDS,
    ),
    "translation memory": ("a.tmx", TMX, PAIR_COMMANDS),
    "archive": ("a.zip", archive(), PAIR_COMMANDS),
    "two files": (
        "a.en",
        "\n".join(ENGLISH),
        [command.replace("en-de={file}", "en-de={file},{other}") for command in PAIR_COMMANDS],
    ),
    "plain text": (
        "a.txt",
        "\n".join(ENGLISH),
        [
            "corpus build --text en={file} --model {base} --out {tmp}/out --set data.min_pieces=1",
            "corpus check --text en={file} --out {tmp}/out",
            "predict --model {pos} --data en={file} --out {tmp}/out.conllu",
        ],
    ),
    "treebank": (
        "a.conllu",
        CONLLU,
        [
            "corpus build --text de={file} --model {base} --out {tmp}/out --set data.min_pieces=1",
            "corpus order --text de={file} --out {tmp}/out.json",
            "evaluate --model {pos} --data de={file} --out {tmp}/out",
            "predict --model {pos} --data de={file} --out {tmp}/out.conllu",
            "corpus convert --pairs de-en={file},{file2} --out {tmp}/out.tsv",
        ],
    ),
    "columns": (
        "a.tsv",
        TAGGED * 3,
        [
            "evaluate --model {ner} --data de={file} --out {tmp}/out",
            "evaluate --model {ner} --data de={file} --out {tmp}/out --set task.scheme=conll",
            "evaluate --model {ner} --data de={file} --out {tmp}/out --set task.word_column=2 --set task.tag_column=1",
            "predict --model {ner} --data de={file} --out {tmp}/out.tsv",
        ],
    ),
    "sentence pairs": (
        "a.tsv",
        INFERENCE * 1 + "A dog runs.\tA dog sleeps.\tcontradiction\n" * 3,
        [
            "evaluate --model {nli} --data en={file} --out {tmp}/out",
            "predict --model {nli} --data en={file} --out {tmp}/out.tsv",
        ],
    ),
    "sentence pairs in JSON": (
        "a.jsonl",
        "".join(
            json.dumps({"premise": a, "hypothesis": b, "label": label, "pairID": str(k)}) + "\n"
            for k, (a, b, label) in enumerate([("A dog runs.", "It sleeps.", 2), ("Hi.", "Hello.", 0)] * 3)
        ),
        [
            "evaluate --model {nli} --data en={file} --out {tmp}/out",
            "predict --model {nli} --data en={file} --out {tmp}/out.tsv",
        ],
    ),
    "questions": (
        "a.json",
        SQUAD,
        [
            "evaluate --model {qa} --data de={file} --out {tmp}/out",
            "predict --model {qa} --data de={file} --out {tmp}/out.json",
        ],
    ),
    "lexicon": (
        "a.txt",
        "dog\tHund\ncat Katze\nhouse\tHaus\nhouse\tGebäude\n" * 2,
        ["evaluate --model {base} --task lexicon --data en-de={file} --out {tmp}/out"],
    ),
    "mining": (
        "a.en",
        "".join(f"en-{k}\t{text}\n" for k, text in enumerate(ENGLISH) if text),
        ["evaluate --model {base} --task mining --data en-de={stem} --out {tmp}/out"],
    ),
    "gold links": (
        "a.gold",
        "0-0 1-1 1p2\n\n0-0\n",
        [
            "words --pairs en-de={few} --method ibm --gold {file} --out {tmp}/out.links",
            "words --pairs en-de={few} --method file --links {file} --out {tmp}/out.links",
            "evaluate --model {base} --task alignment --data en-de={few},{file} --out {tmp}/out",
        ],
    ),
    "numbered gold links": (
        "a.gold",
        "1 1 1 S\n1 2 2 P\n3 1 1\n",
        [
            "words --pairs en-de={few} --method ibm --gold {file} --out {tmp}/out.links",
            "evaluate --model {base} --task alignment --data en-de={few},{file} --out {tmp}/out",
        ],
    ),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory, base):
    """A model for each task with a head, trained for one step."""
    folder, made = tmp_path_factory.mktemp("heads"), {"base": base}
    for task in ("pos", "ner", "nli", "qa"):
        paralign.finetune(
            str(base),
            task=task,
            train="en=smallworld:0-8",
            eval=["en=smallworld:10-14"],
            out=folder / task,
            overrides=["training.epochs=1"],
            quiet=True,
        )
        made[task] = folder / task / "seed-0" / "model"
    return made


def check(folder, models, capsys, family, seed):
    name, content, commands = FAMILIES[family]
    rng = random.Random(seed)
    data = content if isinstance(content, bytes) else content.encode()
    file = folder / name
    file.write_bytes(spoilt(data, rng))
    (folder / "other.de").write_text("\n".join(GERMAN))
    (folder / "few.tsv").write_text("the dog\tder Hund hier\n\t\nno\tnein\n")
    (folder / "b.conllu").write_bytes(data)
    (folder / "a.de").write_text("".join(f"de-{k}\t{text}\n" for k, text in enumerate(GERMAN)))
    if family == "mining":
        (folder / "a.gold").write_bytes(spoilt(b"en-0\tde-0\nen-1\tde-1\n", rng) if seed % 3 else b"en-0\tde-0\n")
    before = {path.name for path in folder.iterdir()}
    places = {"file": file, "file2": folder / "b.conllu", "other": folder / "other.de", "few": folder / "few.tsv"}
    words = (
        commands[(seed + list(FAMILIES).index(family)) % len(commands)]
        .format(tmp=folder, stem=folder / "a", **places, **models)
        .split()
    )
    if rng.random() < 0.5:
        words.append("--lenient")
    code = main(words)
    said = capsys.readouterr().err
    assert code in (0, 2, 3), (words, said)
    if code == 2:
        assert said.splitlines()[-1].startswith("paralign: "), said
        assert "Traceback" not in said
        if words[0] != "evaluate":  # whose folder tells of the run that failed
            assert {path.name for path in folder.iterdir()} == before, words
    for path in folder.iterdir():
        if path.name not in before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("family", list(FAMILIES))
def test_mutated_files_are_read_or_refused(tmp_path, models, capsys, family):
    for seed in range(6):
        check(tmp_path, models, capsys, family, seed)


@pytest.mark.slow
@pytest.mark.parametrize("family", list(FAMILIES))
def test_two_thousand_mutated_files_are_read_or_refused(tmp_path, models, capsys, family):
    for seed in range(6, 2_006):
        check(tmp_path, models, capsys, family, seed)
