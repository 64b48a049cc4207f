"""``finetune`` and ``evaluate``: the rows of results."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import paralign
from paralign.digests import file_digest, object_digest
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.formats.conllu import write_conllu
from paralign.report import write_report
from paralign.report.runs import read_runs
from paralign.results import read_items, read_results
from paralign.runs.dataset_names import dataset_name, dataset_names
from paralign.runs.measure import echo_scores, echo_summary
from paralign.sources.readers import read_pairs, read_trees
from paralign.sources.specs import TextSpec, parse_pairs
from paralign.training import Trainer
from tests.training.runs import crashed_at

TRAIN = "en=smallworld:0-60"
EVAL = ["en=smallworld:200-230", "de=smallworld:200-220"]
QUICK = {"training": {"batch": 8, "steps": 12, "learning_rate": 2e-3, "precision": "fp32", "checkpoint_every": 5}}


def finetune(base, out, **more):
    given = {"task": "pos", "train": TRAIN, "eval": EVAL, "settings": QUICK, "quiet": True} | more
    return paralign.finetune(str(base), out=out, **given)


@pytest.fixture(scope="module")
def two_seeds(base, tmp_path_factory):
    out = tmp_path_factory.mktemp("tuned") / "pos"
    return out, finetune(base, out, seeds=2)


def test_a_row_for_every_language_and_seed(two_seeds, base):
    out, rows = two_seeds
    assert rows == read_results(out / "results.jsonl")
    assert [(r.language, r.seeds.finetune, r.metric, r.train, r.task) for r in rows] == [
        (language, seed, metric, "en", "pos")
        for seed in (0, 1)
        for language in ("en", "de")
        for metric in ("accuracy", "f1")
    ]
    assert {r.model_hash for r in rows} == {Encoder.from_pretrained(base).digest()}
    assert [r.n for r in rows] == [30, 30, 20, 20] * 2
    for row in rows:
        items = read_items(out, row)
        assert row.value == pytest.approx(items[:, 0].sum() / items[:, 1].sum())
    assert rows[0].value > 0.15  # something was learnt: chance of 17 tags is 0.06
    assert rows[0].value != rows[4].value
    assert json.loads((out / "run.json").read_text())["status"] == "done"
    assert not list(out.rglob("checkpoints"))


def test_equal_texts_with_other_labels_have_another_fingerprint(two_seeds, tmp_path):
    out, _ = two_seeds
    trees = list(read_trees(TextSpec("en", "smallworld:0-9")))
    write_conllu(trees, tmp_path / "a.conllu")
    write_conllu([replace(trees[0], upos=("X",) * len(trees[0].upos)), *trees[1:]], tmp_path / "b.conllu")
    one, other = (
        paralign.evaluate(str(out / "seed-0/model"), data=f"en={tmp_path / name}", out=tmp_path / name[0], quiet=True)
        for name in ("a.conllu", "b.conllu")
    )
    assert one[0].settings["data"] == other[0].settings["data"]
    assert one[0].settings["gold"] != other[0].settings["gold"]
    given = {"task": "retrieval", "data": "en-de=smallworld:0-9", "out": tmp_path / "r", "quiet": True}
    assert "gold" not in paralign.evaluate(str(out / "seed-0/model"), **given)[0].settings


def test_losses_are_printed_as_they_are_and_other_scores_in_percent(two_seeds, capsys):
    row = two_seeds[1][0].model_copy(update={"dataset": "d", "language": "de", "settings": {}})
    accuracy, loss = row.model_copy(update={"value": 0.5}), row.model_copy(update={"metric": "loss", "value": 2.346})
    echo_scores([accuracy, loss], quiet=False)
    for one in (accuracy, loss):
        echo_summary([one, one.model_copy(update={"language": "en", "value": one.value + 1})], quiet=False)
    assert capsys.readouterr().err.splitlines() == [
        "pos de accuracy  50.0 (n=30) seed 0",
        "pos de loss  2.35 (n=30) seed 0",
        "pos d de: accuracy 50.0 (1 fine-tuning seed, -100.0 compared with en)",
        "pos d en: accuracy 150.0 (1 fine-tuning seed)",
        "pos d de: loss 2.35 (1 fine-tuning seed, -1.00 compared with en)",
        "pos d en: loss 3.35 (1 fine-tuning seed)",
    ]


def test_a_saved_model_measures_what_was_recorded(two_seeds, tmp_path):
    out, rows = two_seeds
    again = []
    for seed in (0, 1):
        again += paralign.evaluate(
            str(out / f"seed-{seed}/model"), task="pos", data=EVAL, out=tmp_path / "e", quiet=True
        )
    for one, other in zip(rows, again, strict=True):
        assert (one.value, one.key(), one.settings) == (other.value, other.key(), other.settings)
        assert np.array_equal(read_items(out, one), read_items(tmp_path / "e", other))
    assert len(read_results(tmp_path / "e" / "results.jsonl")) == 8  # seeds do not replace each other
    paralign.evaluate(str(out / "seed-1/model"), task="pos", data=EVAL, out=tmp_path / "e", quiet=True)
    assert len(read_results(tmp_path / "e" / "results.jsonl")) == 8  # the same again replaces itself


def test_evaluations_in_one_folder_are_all_recorded(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pairs = [f"{number}\t{number}\n" for number in range(20)]
    for name in ("a.tsv", "b.tsv"):
        (tmp_path / name).write_text("".join(pairs))
    for name, command in (("a", "first"), ("b", "second"), ("b", "second --resume"), ("a", "first")):
        given = {"task": "retrieval", "data": f"en-de={name}.tsv", "out": "e", "quiet": True}
        paralign.evaluate(base, command=command, **given)
    facts = json.loads((tmp_path / "e/run.json").read_text())
    assert (facts["command"], facts["more_commands"]) == ("first", ["second"])
    assert [file["path"] for file in facts["inputs"]["eval"]] == ["b.tsv", "a.tsv"]
    (run,) = read_runs([tmp_path / "e"])
    page = write_report("e", "report.html").html.read_text()
    assert run.info.more_commands == ["second"]
    assert '<code tabindex="0">second</code>' in page


def test_models_record_what_their_seeds_have_in_common(two_seeds, base, tmp_path):
    out, _ = two_seeds
    facts = [json.loads((out / f"seed-{seed}/model/task.json").read_text())["made_by"] for seed in (0, 1)]
    assert facts[0] == facts[1]
    changed = {"training": {key: QUICK["training"][key] for key in ("batch", "steps", "learning_rate")}}
    assert facts[0]["training"] == {"sets": ["smallworld:0-60"], **changed["training"]}
    assert facts[0]["digests"] == {"train": [], "dev": []}
    tree = tmp_path / "trees.conllu"
    write_conllu(read_trees(TextSpec("en", "smallworld:0-9")), tree)
    training = {"steps": 1, "precision": "fp32"}
    more = {"train": f"en={tree}", "settings": {"training": training, "layers": {"reset": "1"}}, "eval": EVAL[1],
            "dev": f"en={tree}"}  # fmt: skip
    rows = finetune(base, tmp_path / "other", **more)
    other = json.loads((tmp_path / "other/seed-0/model/task.json").read_text())["made_by"]
    assert (other["digests"]["train"], other["layers"]["reset"]) == ([file_digest(tree)], "1")
    content = object_digest([file_digest(tree)])[:8]
    changes = {"reset": "1", "freeze": "", "keep": None}
    for row in rows:
        assert row.settings["training"] == {"sets": ["trees"], "steps": 1, "dev": ["trees"]}
        assert row.settings["training_data"] == {"train": content, "dev": content}
        assert row.settings["layers"] == {"of": "base", **changes}
    (tmp_path / "other/seed-0").rename(tmp_path / "moved")  # the path does not matter
    given = {"task": "pos", "data": EVAL[1], "out": tmp_path / "e", "quiet": True}
    again = paralign.evaluate(str(tmp_path / "moved/model"), **given)
    assert [(row.value, row.key()) for row in again] == [(row.value, row.key()) for row in rows]
    assert again[0].settings["layers"] == {"of": "base", **changes}
    paralign.evaluate(str(out / "seed-0/model"), **given)  # fine-tuned in another way from the same base
    assert len(read_results(tmp_path / "e")) == 2 * len(rows)


def test_scores_of_other_settings_or_maps_are_replaced_with_a_note(base, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    paralign.make_text_maps(base, text=["en=smallworld:0-9", "de=smallworld:0-9"], out="maps", quiet=True)
    capsys.readouterr()

    def note(**more):
        given = {"task": "retrieval", "data": "en-de=smallworld:20-30", "out": "e"} | more
        rows = paralign.evaluate(base, **given)
        assert len(read_results("e")) == len(rows)
        return [line for line in capsys.readouterr().err.splitlines() if line.startswith("note")]

    assert note() == note() == []
    kept = "with another --out both are kept"
    maps = "['de→en (shift)']"
    assert note(maps="maps") == [f"note: 8 scores in e are replaced: maps was [], now {maps}; {kept}"]
    (said,) = note(overrides="task.precision=bf16")
    assert (
        said
        == f"note: 8 scores in e are replaced: maps was {maps}, now [], task.precision was 'fp32', now 'bf16'; {kept}"
    )


def test_scores_of_other_data_with_the_same_name_are_not_replaced(base, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder, start in (("ntrex", 0), ("tatoeba", 100)):
        Path(folder).mkdir()
        pairs = read_pairs(parse_pairs(f"en-de=smallworld:{start}-{start + 20}"))
        Path(folder, "test.tsv").write_text("".join(f"{pair.source}\t{pair.target}\n" for pair in pairs), "utf-8")
    given = {"task": "retrieval", "out": "e"}
    paralign.evaluate(base, data="en-de=ntrex/test.tsv", **given)
    before = {path: path.read_bytes() for path in Path("e").rglob("*") if path.is_file()}
    message = r"en-de=tatoeba/test.tsv: other data named 'test' have scores in e, .* \(use another --out, or --dataset"
    with pytest.raises(UserError, match=message):
        paralign.evaluate(base, data="en-de=tatoeba/test.tsv", **given)
    assert {path: path.read_bytes() for path in Path("e").rglob("*") if path.is_file()} == before
    paralign.evaluate(base, data="en-de=tatoeba/test.tsv", dataset="Tatoeba", **given)
    paralign.evaluate(base, data="en-de=tatoeba/test.tsv", split="dev", **given)  # its rows are others
    names = {(row.dataset, row.split) for row in read_results("e")}
    assert names == {("test", "test"), ("Tatoeba", "test"), ("test", "dev")}
    capsys.readouterr()
    for other in ("smallworld:200-220", "ntrex/test.tsv"):  # the second is known under another name
        with pytest.raises(UserError, match="other data named 'Tatoeba' have scores in e"):
            paralign.evaluate(base, data=f"en-de={other}", dataset="Tatoeba", **given)
    paralign.evaluate(base, data="en-de=./ntrex/../ntrex/test.tsv", limit=10, **given)
    assert "note: 8 scores in e are replaced: 20 items before, 10 now; with" in capsys.readouterr().err
    with Path("ntrex/test.tsv").open("a", encoding="utf-8") as file:
        file.write("One more.\tNoch einer.\n")
    lines = Path("ntrex/test.tsv").read_text("utf-8").splitlines(keepends=True)
    Path("ntrex/test.tsv").write_text("".join(lines[:0:-1]), "utf-8")
    paralign.evaluate(base, data="en-de=ntrex/test.tsv", limit=10, **given)
    assert "note: 8 scores in e are replaced: the data have changed; with" in capsys.readouterr().err


def test_an_evaluation_that_does_not_end_changes_nothing(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.tsv").write_text("One cat.\tEine Katze.\nA dog.\tEin Hund.\nThree birds.\tDrei Vögel.\n", encoding="utf-8")
    given = {"task": "retrieval", "data": "en-de=a.tsv", "out": "e", "quiet": True}

    def content():
        return {path: path.read_bytes() for path in Path("e").rglob("*") if path.is_file()}

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("paralign.commands.evaluate.measure", stop)
        with pytest.raises(KeyboardInterrupt):
            paralign.evaluate(base, **given)
        assert not Path("e").exists()
    rows = paralign.evaluate(base, **given)
    before = content()
    with monkeypatch.context() as patch:
        patch.setattr("paralign.commands.evaluate.measure", stop)
        with pytest.raises(KeyboardInterrupt):
            paralign.evaluate(base, limit=2, **given)
    assert content() == before
    # Killed after the run began: without results there is nothing to be compared with.
    Path("e/results.jsonl").unlink()
    Path("b.tsv").write_bytes(Path("a.tsv").read_bytes())
    assert paralign.evaluate(base, **given | {"data": "en-de=b.tsv", "dataset": "a"}) == rows
    assert [file["path"] for file in json.loads(Path("e/run.json").read_text())["inputs"]["eval"]] == ["b.tsv"]


def test_finished_seeds_are_not_repeated(two_seeds, base, tmp_path, monkeypatch):
    _, rows = two_seeds
    finetune(base, tmp_path / "pos", seeds=1)
    more = finetune(base, tmp_path / "pos", seeds=2, resume=True)
    assert [(r.value, r.seeds) for r in more] == [(r.value, r.seeds) for r in rows]
    before = (tmp_path / "pos" / "run.json").read_text()

    def never(*_, **__):
        raise AssertionError("a finished seed was trained again")

    monkeypatch.setattr(Trainer, "train", never)
    assert finetune(base, tmp_path / "pos", seeds=2, resume=True) == more
    assert (tmp_path / "pos" / "run.json").read_text() == before  # what the run cost is not forgotten


def test_an_interrupted_run_has_the_same_results(two_seeds, base, tmp_path):
    _, rows = two_seeds
    with crashed_at(7, RuntimeError, seed=1):
        finetune(base, tmp_path / "pos", seeds=2)
    assert [r.seeds.finetune for r in read_results(tmp_path / "pos" / "results.jsonl")] == [0] * 4
    more = finetune(base, tmp_path / "pos", seeds=2, resume=True)
    assert [(r.value, r.seeds) for r in more] == [(r.value, r.seeds) for r in rows]


def test_an_interrupted_run_with_other_training_data_is_refused(base, tmp_path):
    with crashed_at(7):
        finetune(base, tmp_path / "pos")
    with pytest.raises(UserError, match="train was "):
        finetune(base, tmp_path / "pos", resume=True, train="en=smallworld:1-60")


def test_models_are_kept_only_on_request(base, tmp_path):
    finetune(base, tmp_path / "pos", keep_models=False)
    assert not (tmp_path / "pos" / "seed-0" / "model").exists()
    assert (tmp_path / "pos" / "results.jsonl").is_file()
    with pytest.raises(UserError, match=r"pos/seed-0: the seed is done, but its model was not kept \(add --no-keep"):
        finetune(base, tmp_path / "pos", resume=True)
    assert finetune(base, tmp_path / "pos", resume=True, keep_models=False) == read_results(tmp_path / "pos")


def test_fine_tuning_does_not_change_the_encoder_it_starts_from(two_seeds, base, make_encoder):
    out, _ = two_seeds
    before = make_encoder(dropout=0.1).digest()  # as saved in the folder of the fixture
    assert Encoder.from_pretrained(base).digest() == before
    assert Encoder.from_pretrained(out / "seed-0" / "model").digest() != before


def test_retrieval_rows_in_both_directions(base, tmp_path):
    rows = paralign.evaluate(
        str(base), task="retrieval", data=["en-de=smallworld:0-30"], out=tmp_path / "r", quiet=True
    )
    assert len(rows) == 8
    assert {r.where.direction for r in rows} == {"en-de", "de-en"}
    assert {r.language for r in rows} == {"de"}
    assert {r.n for r in rows} == {30}
    other = paralign.evaluate(
        str(base), task="retrieval", data=["en-de=smallworld:0-30"], out=tmp_path / "r", layer=0, quiet=True
    )
    assert {r.where.layer for r in other} == {0}
    assert len(read_results(tmp_path / "r" / "results.jsonl")) == 16


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"task": "pos", "data": ["de=smallworld:0-9"]}, "no head for 'pos'"),
        ({"task": "retrieval", "data": ["en-de=smallworld:0-9"], "layer": 9}, "no layer 9"),
        ({"task": "pos", "data": ["de=smallworld:0-9"], "layer": 1}, "unknown setting 'task.layer'"),
        ({"task": "retrieval", "data": []}, "nothing to evaluate on"),
        ({"task": "retrieval", "data": ["en-de=nowhere.tsv"]}, r"nowhere\.tsv"),
        ({"task": "retreival", "data": ["en-de=smallworld"]}, "did you mean"),
    ],
)
def test_invalid_evaluations_are_reported_and_leave_nothing_behind(more, message, base, tmp_path):
    with pytest.raises(UserError, match=message):
        paralign.evaluate(str(base), out=tmp_path / "run", quiet=True, **more)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"task": "retrieval"}, "has no head to fine-tune"),
        ({"eval": []}, "nothing to evaluate on"),
        ({"train": "en=nowhere.conllu"}, r"nowhere\.conllu"),
        ({"overrides": ["training.accumulate=3"]}, "is not divisible"),
        ({"overrides": ["trainnig.steps=3"]}, "did you mean 'training'"),
    ],
)
def test_invalid_fine_tuning_is_reported_and_leaves_nothing_behind(more, message, base, tmp_path):
    with pytest.raises(UserError, match=message):
        finetune(base, tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("en-de=halves/ntrex.en-de.test.tsv", "ntrex.test"),
        ("de=UD_German-PUD/de_pud-ud-test.conllu.gz", "pud-ud-test"),
        ("de=UD_German-PUD/de_pud-ud-test.conllu.zst", "pud-ud-test"),
        ("en-fr=test.en.txt,test.fr.txt", "test"),
        ("en-zh=tatoeba.cmn-eng.eng,tatoeba.cmn-eng.cmn", "tatoeba"),
        ("de=mlqa/dev-context-de-question-de.json", "dev-context-question"),
        ("en=smallworld:0-30", "smallworld:0-30"),
        ("en=en.txt", "en"),
        ("en~trans=en_ewt-ud-test.conllu", "ewt-ud-test"),
        ("en~trans+inv=sets/en.conllu", "sets"),
        ("en:en~syn@fr=ntrex.en.tsv", "ntrex"),
    ],
)
def test_languages_of_one_set_share_its_name(spec, name):
    assert dataset_name(spec) == name


def test_two_sets_of_one_name_in_folders_of_one_name_are_refused():
    with pytest.raises(UserError, match=r"two data sets have the same name: .* \(rename a file or its folder\)"):
        dataset_names(["de=x/a/test.tsv", "de=y/a/test.tsv"])
