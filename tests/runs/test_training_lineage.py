"""The lineage of a training run is that of its content: equal for seeds and moved files, else different."""

import gzip
import json
import shutil

import pytest

import paralign
from paralign.commands.align import AlignRequest, prepare_align
from paralign.commands.pretrain import PretrainRequest, Scratch, prepare_pretrain
from paralign.runs.model_folder import describe_fine_tuned
from paralign.runs.options import RunOptions

QUICK = ["training.batch=8", "training.steps=4", "training.checkpoint_every=2", "training.precision=fp32",
         "data.min_pieces=2"]  # fmt: skip
PAIRS = [f"the {noun} sees the {other} here\tder {noun} sieht den {other} hier" for noun in ("man", "dog", "cat")
         for other in ("man", "dog", "cat")]  # fmt: skip


@pytest.fixture
def lineage(base, tmp_path):
    """Returns the lineage of a run before its first step."""
    number = iter(range(99))

    def of(*overrides, model=base, recipe="tlm-mini", **given):
        request = AlignRequest(str(model), recipe=recipe, overrides=[*QUICK, *overrides],
                               **{key: [str(text) for text in texts] for key, texts in given.items()})  # fmt: skip
        return prepare_align(RunOptions(tmp_path / f"run{next(number)}", quiet=True), request).trainer.lineage

    return of


def write(path, lines):
    path.parent.mkdir(exist_ok=True)
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode())) if path.suffix == ".gz" else path.write_text(text)
    return path


def test_text_is_compared_by_content(lineage, tmp_path):
    changed = [PAIRS[0].replace("sees", "has"), *PAIRS[1:]]
    text = {name: write(tmp_path / name, lines) for name, lines in
            [("a/text.tsv", PAIRS), ("b/other.tsv.gz", PAIRS), ("c/text.tsv", changed)]}  # fmt: skip
    first, moved, other = (lineage(pairs=[f"en-de={path}"]) for path in text.values())
    assert first == moved != other
    assert lineage("training.seed=5", pairs=[f"en-de={text['a/text.tsv']}"]) == first
    assert lineage("training.window=2", pairs=[f"en-de={text['a/text.tsv']}"]) != first
    assert lineage("training.precision=bf16", pairs=[f"en-de={text['a/text.tsv']}"]) != first
    reversed_pairs = write(tmp_path / "d" / "text.tsv", ["\t".join(row.split("\t")[::-1]) for row in PAIRS])
    assert lineage(pairs=[f"de-en={reversed_pairs}"]) != first
    assert lineage("data.max_pieces=99", pairs=[f"en-de={text['a/text.tsv']}"]) == first  # the same pairs remain


def test_links_are_compared_by_content_or_by_how_they_are_computed(lineage, tmp_path):
    text = [f"en-de={write(tmp_path / 'text.tsv', PAIRS)}"]
    rows = ["0-0 1-1 2-2"] * len(PAIRS)
    links = [write(tmp_path / name, lines) for name, lines in
             [("a/links", rows), ("b/moved", rows), ("c/links", ["0-0", *rows[1:]])]]  # fmt: skip
    read = [lineage(recipe="alignlm-mini", pairs=text, links=[f"en-de={path}"]) for path in links]
    assert read[0] == read[1] != read[2]
    unused = lineage("links.method=ibm", recipe="alignlm-mini", pairs=text, links=[f"en-de={links[0]}"])
    assert unused == read[0]
    computed = [lineage(*method, recipe="alignlm-mini", pairs=text) for method in ((), ["links.method=ibm"])]
    assert len({*computed, *read}) == 4
    masked = [lineage("views.avoid_double_mask=true", *method, pairs=text) for method in ((), ["links.method=ibm"])]
    assert masked[0] != masked[1]  # TLM reads links too, for its masks


def test_dictionaries_and_teachers_are_compared_by_content(lineage, base, make_encoder, tmp_path):
    text = [f"en-de={write(tmp_path / 'text.tsv', PAIRS)}"]
    words = ["man\tder", "dog\tden", "cat\thier"]
    files = [write(tmp_path / name, lines) for name, lines in
             [("a/words.tsv", words), ("b/moved.tsv", words), ("c/words.tsv", words[:2])]]  # fmt: skip
    found = [lineage('objectives=["static"]', pairs=text, dictionary=[f"en-de={path}"]) for path in files]
    assert found[0] == found[1] != found[2]
    rate = ["dictionary.rate=0.5", "training.seed=3"]  # the seed chooses the entries
    assert lineage('objectives=["static"]', *rate, pairs=text, dictionary=[f"en-de={files[0]}"]) != found[0]

    shutil.copytree(base, tmp_path / "teacher")
    make_encoder("bert:1x32").save_pretrained(tmp_path / "other")
    teachers = [base, tmp_path / "teacher", tmp_path / "other"]
    found = [lineage(f"distill.teacher={path}", recipe="distill", pairs=text) for path in teachers]
    assert found[0] == found[1] != found[2]


def test_a_tokenizer_is_compared_by_content(make_encoder, tmp_path):
    text = [f"en={write(tmp_path / 'text', [row.partition('sieht')[0] for row in PAIRS])}"]
    make_encoder("bert:1x32").save_pretrained(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "moved")
    found = []
    for number, tokenizer in enumerate(("one", "moved")):
        request = PretrainRequest(Scratch("bert:1x32", str(tmp_path / tokenizer)), text, overrides=QUICK)
        prepared = prepare_pretrain(RunOptions(tmp_path / f"run{number}", quiet=True), request)
        found.append((prepared.origin, prepared.trainer.lineage))
    assert found[0] == found[1]


def test_a_run_from_a_checkpoint_has_the_lineage_of_its_run(base, tmp_path):
    """The text, the method and the step of the first run, whatever its seed."""
    text = f"en-de={write(tmp_path / 'text.tsv', PAIRS)}"
    other = f"en-de={write(tmp_path / 'other.tsv', PAIRS[::-1])}"

    def lineage(name, step):
        start = tmp_path / name / "checkpoints" / f"step-0000000{step}"
        request = AlignRequest(None, [text], recipe="tlm-mini", overrides=QUICK, from_checkpoint=start)
        return prepare_align(RunOptions(tmp_path / f"{name}-{step}", quiet=True), request).trainer.lineage

    first = {"one": (text,), "seed": (text, "training.seed=1"), "text": (other,),
             "rate": (text, "training.learning_rate=1e-4")}  # fmt: skip
    found = {}
    for name, (pairs, *overrides) in first.items():
        paralign.align(base, out=tmp_path / name, pairs=pairs, recipe="tlm-mini", overrides=[*QUICK, *overrides],
                       quiet=True)  # fmt: skip
        found[name] = lineage(name, 2)
    found["step"] = lineage("one", 4)
    assert found.pop("seed") == found["one"]
    assert len(set(found.values())) == 4


def conllu(path, lines, tags=("NOUN", "VERB")):
    rows = ["".join(f"{k + 1}\t{word}\t_\t{tags[k % 2]}\t_\t_\t{k}\t{'dep' if k else 'root'}\t_\t_\n"
                    for k, word in enumerate(line.split())) for line in lines]  # fmt: skip
    return write(path, "\n".join(rows).split("\n"))


def test_a_fine_tuned_model_has_a_lineage_of_the_content_of_its_data(base, tmp_path):
    text = [row.split("\t")[0] for row in PAIRS]
    files = {name: conllu(tmp_path / name, *content) for name, content in {
        "a/train.conllu": [text], "b/other.conllu.gz": [text], "c/train.conllu": [[*text[1:], "the dog sleeps"]],
        "d/train.conllu": [text, ("VERB", "NOUN")], "e/twice.conllu": [text * 2],
    }.items()}  # fmt: skip
    runs = {
        "first": ("a/train.conllu", {}),
        "seed": ("a/train.conllu", {"overrides": ["training.seed=4", "training.log_every=3"]}),
        "moved": ("b/other.conllu.gz", {}),
        "limited": ("e/twice.conllu", {"limit": len(text)}),
        "text": ("c/train.conllu", {}),
        "labels": ("d/train.conllu", {}),
        "development set": ("a/train.conllu", {"dev": f"en={files['c/train.conllu']}"}),
        "window": ("a/train.conllu", {"overrides": ["training.window=3"]}),
        "precision": ("a/train.conllu", {"overrides": ["training.precision=bf16"]}),
    }
    found = {}
    for name, (train, more) in runs.items():
        overrides = ["training.steps=1", "training.precision=fp32", *more.pop("overrides", ())]
        paralign.finetune(str(base), task="pos", train=f"en={files[train]}", eval="en=smallworld:0-5", quiet=True,
                          out=tmp_path / name, overrides=overrides, **more)  # fmt: skip
        (file,) = (tmp_path / name).glob("seed-*/model/task.json")
        found[name] = describe_fine_tuned(json.loads(file.read_text()))["lineage"]
    assert found.pop("seed") == found.pop("moved") == found.pop("limited") == found["first"]
    assert len(set(found.values())) == len(found) == 6


def test_a_cut_encoder_has_another_lineage_than_the_whole_one(lineage, base, tmp_path):
    text = [f"en-de={write(tmp_path / 'text.tsv', PAIRS)}"]
    paralign.align(str(base), out=tmp_path / "run", pairs=text, recipe="tlm-mini", overrides=QUICK, quiet=True)
    teachers = [tmp_path / "run/encoder", tmp_path / "whole", tmp_path / "cut", tmp_path / "trimmed"]
    paralign.export(teachers[0], teachers[1], quiet=True)
    paralign.export(teachers[0], teachers[2], layer=1, quiet=True)
    paralign.export(teachers[0], teachers[3], trim_vocabulary=["en=smallworld:0-5"], quiet=True)
    found = [lineage(f"distill.teacher={path}", recipe="distill", pairs=text) for path in teachers]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_seeds_of_a_fine_tuned_model_have_one_lineage_as_base(lineage, base, tmp_path):
    text = [f"en-de={write(tmp_path / 'text.tsv', PAIRS)}"]
    for name, train in (("one", "en=smallworld:0-9"), ("other", "en=smallworld:9-18")):
        paralign.finetune(str(base), task="pos", train=train, eval="en=smallworld:20-25", seeds=2, quiet=True,
                          out=tmp_path / name, overrides=["training.steps=1"])  # fmt: skip
    models = [tmp_path / name / f"seed-{seed}/model" for name, seed in (("one", 0), ("one", 1), ("other", 0))]
    found = [lineage(model=path, recipe="word-contrastive-mini", pairs=text) for path in models]
    assert found[0] == found[1] != found[2]
