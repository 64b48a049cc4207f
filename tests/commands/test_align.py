"""``align`` and ``pretrain``: text in, a plain folder out."""

import json
import signal
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

import paralign
from paralign.commands.align import AlignRequest, prepare_align
from paralign.commands.arguments import as_overrides
from paralign.config import load_toml
from paralign.corpus.clean import FilterConfig
from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder
from paralign.encoder.card import read_provenance
from paralign.errors import Stopped, UserError
from paralign.runs.folder import RunFolder
from paralign.runs.options import RunOptions
from paralign.runs.settings import load_recipe, recipes, run_settings
from paralign.training import trainer
from tests.training.runs import log_of, stopped_at

QUICK = {
    "training": {"batch": 8, "steps": 4, "precision": "fp32", "log_every": 1, "checkpoint_every": 2},
    "data": {"min_pieces": 2},
}
MOCO = {"moco": {"queue": 20, "projection": 8}}


def align(base, out, *, pairs=("en-de=smallworld:0-60",), settings=QUICK | MOCO, **more):
    return paralign.align(str(base), out=out, pairs=pairs, recipe="ppa-mini", settings=settings, quiet=True, **more)


def test_a_run_writes_a_plain_encoder_settings_and_log(base, tmp_path):
    made = align(base, tmp_path / "run", overrides=["training.seed=7"])
    assert made == tmp_path / "run" / "encoder"
    assert not list(tmp_path.rglob("*.part"))
    AutoModelForMaskedLM.from_pretrained(made)
    assert len(AutoTokenizer.from_pretrained(made)) == 800
    start, end = (Encoder.from_pretrained(folder) for folder in (base, made))
    moved = [not torch.equal(a, b) for a, b in zip(start.parameters(), end.parameters(), strict=True)]
    assert sum(moved) > 0.9 * len(moved)

    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert facts["status"] == "done"
    assert facts["verb"] == "align"
    assert (facts["steps"], facts["pairs_seen"], facts["ranks"]) == (4, 32, 1)
    assert facts["model_hash"] == end.digest()
    assert facts["parent"] == start.digest()
    known = read_provenance(made)
    assert (known["method"], known["seeds"], known["parent"]) == ("PPA", {"align": 7}, start.digest())
    card = (made / "README.md").read_text()
    assert "- de\n- en\n" in card
    assert end.digest() in card
    assert "queue = 20" in (tmp_path / "run" / "config.toml").read_text()
    assert [line["step"] for line in log_of(tmp_path / "run") if "event" not in line] == [1, 2, 3, 4]


@pytest.mark.parametrize("recipe", [name for name in recipes() if "objectives" in load_recipe(name)])
def test_the_control_of_a_recipe_differs_in_the_objectives_only(recipe):
    own = ["moco.queue=7"] if "moco" in run_settings(recipe).objectives else []
    assert run_settings(recipe, ["training.gradient_cosine_every=5"], control=True).training.gradient_cosine_every == 0
    made, control = (run_settings(recipe, [*own, "training.seed=3"], control=control) for control in (False, True))
    assert (control.objectives, control.method, control.control) == (["mlm"], "MLM control", True)
    without = {"objectives", "method", "control", "mlm", *made.objectives}
    assert control.model_dump(exclude=without) == made.model_dump(exclude=without)


def test_a_control_sees_the_pairs_of_the_recipe_without_links_and_settings_of_its_objectives(base, tmp_path):
    links = tmp_path / "links"
    links.write_text("0-0\n" * 60)
    control = align(base, tmp_path / "control", control=True, links=f"en-de={links}")
    alone = align(base, tmp_path / "mlm", settings=QUICK, overrides=['objectives=["mlm"]'])
    aligned = align(base, tmp_path / "ppa")
    known = read_provenance(control)
    assert known["control"]
    assert known["method"] == "MLM control"
    digests = [Encoder.from_pretrained(made).digest() for made in (control, alone, aligned)]
    assert digests[0] == digests[1] != digests[2]
    first, second = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("control", "ppa"))
    assert (first["pairs_seen"], first["steps"]) == (second["pairs_seen"], second["steps"])
    again = align(base, tmp_path / "control", control=True, resume=True)
    assert again == control


def test_many_unknown_pieces_are_reported_and_on_the_card(base, tmp_path, capfd):
    """The tokenizer has no Cyrillic letters: every second word is an unknown piece."""
    rows = ["the man sees the dog\tМы der Она Mann Ему Hund".replace("der", "der " * k) for k in range(1, 12)]
    (tmp_path / "a.tsv").write_text("\n".join(rows), encoding="utf-8")
    settings = QUICK | MOCO | {"moco": {"queue": 8, "projection": 8}}
    made = paralign.align(
        str(base), out=tmp_path / "run", pairs=[f"en-ru={tmp_path / 'a.tsv'}"], recipe="ppa-mini", settings=settings
    )
    store = TokenStore.open(tmp_path / "run" / "corpus")
    ids, _ = store.gather(np.arange(11), np.full(11, 1))
    share = (ids == Encoder.from_pretrained(made).tokenizer.unk_token_id).mean()
    assert 0.2 < share < 0.5
    line = f"ru: {share:.1%} of the pieces are unknown to the tokenizer"
    assert f"WARNING {line}" in capfd.readouterr().err.splitlines()
    card = (made / "README.md").read_text()
    assert f"unknown to the tokenizer, and lost: en 0.00%, ru {share:.2%}.\n" in card
    assert "lost: de 0.00%, en 0.00%.\n" in (align(base, tmp_path / "clean") / "README.md").read_text()


def test_the_card_lists_alarms_and_how_to_reproduce(base, tmp_path):
    made = align(base, tmp_path / "run", overrides=["training.learning_rate=0.5", "training.steps=40"])
    run = json.loads((made.parent / "run.json").read_text())
    assert run["alarms"]
    card = (made / "README.md").read_text()
    assert all(f"* Alarm in training: {alarm}\n" in card for alarm in run["alarms"])
    assert "raised no alarms" not in card
    assert f"## Reproduce\n\n```\n{run['command']}\n```\n" in card
    assert f"torch {torch.__version__}" in card
    assert f"on {run['device']} with {run['threads']} thread" in card


def test_text_that_the_tokenizer_does_not_know_is_refused_with_the_reason(base, tmp_path):
    (tmp_path / "a.tsv").write_text("".join(f"the man sees the dog\t{'Ж' * k}\n" for k in range(1, 9)))
    with pytest.raises(UserError, match=r"8 too short \(< 2 pieces\); 100% of the pieces of ru are unknown to the tok"):
        align(base, tmp_path / "run", pairs=[f"en-ru={tmp_path / 'a.tsv'}"])
    assert not (tmp_path / "run").exists()


def test_runs_are_reproducible_and_finished_runs_are_not_repeated(base, tmp_path):
    one = align(base, tmp_path / "1") / "model.safetensors"
    other = align(base, tmp_path / "2", resume=True) / "model.safetensors"
    assert one.read_bytes() == other.read_bytes()
    stamp = other.stat().st_mtime_ns
    assert align(base, tmp_path / "2", resume=True) / "model.safetensors" == other
    assert other.stat().st_mtime_ns == stamp


def test_a_folder_in_use_is_refused_and_not_changed(base, tmp_path):
    align(base, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    with pytest.raises(UserError, match=r"run: the output folder is not empty \(use --resume to continue it"):
        align(base, tmp_path / "run")
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.tex").write_text("x")
    for resume in (False, True):
        with pytest.raises(UserError, match=r"not empty \(use another --out\)"):
            align(base, foreign, resume=resume)
    assert (foreign / "thesis.tex").read_text() == "x"
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items() if path != tmp_path)


def test_an_aligned_encoder_records_its_lineage(base, tmp_path, monkeypatch):
    first = align(base, tmp_path / "1")
    again = align(first, tmp_path / "2", overrides=["training.seed=3"])
    assert read_provenance(again)["parent"] == read_provenance(first)["model_hash"]
    assert read_provenance(again)["seeds"] == {"align": 3}
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_provenance("~/2/encoder") == read_provenance(again)


def test_seeds_share_a_lineage_and_other_bases_methods_and_texts_do_not(base, make_encoder, tmp_path):
    other = tmp_path / "other"
    make_encoder("bert:1x32").save_pretrained(other)
    numbers = iter(range(99))

    def lineage(model, *overrides, pairs=("en-de=smallworld:0-60",)):  # known before the first step
        request = AlignRequest(
            str(model), pairs, recipe="ppa-mini", overrides=[*as_overrides(QUICK | MOCO), *overrides]
        )
        return prepare_align(RunOptions(tmp_path / f"{next(numbers)}", quiet=True), request).trainer.lineage

    lineages = {
        "seed 0": lineage(base),
        "base": lineage(other, "training.seed=2"),
        "text": lineage(base, pairs=("en-de=smallworld:0-70",)),
        "steps": lineage(base, "training.steps=3"),
        "rate": lineage(base, "training.learning_rate=3e-4"),
        "temperature": lineage(base, "moco.temperature=0.5"),
    }
    assert len(set(lineages.values())) == len(lineages)
    # They do not change what is learned.
    assert lineage(base, "training.chunk_cost=9", "links.method=ibm", "training.seed=2") == lineages["seed 0"]
    # The lineage of what was aligned again is that of the whole chain, whatever its seeds.
    runs = {
        name: align(model, tmp_path / name, overrides=[f"training.seed={seed}"])
        for name, model, seed in (("seed 0", base, 0), ("seed 1", base, 1), ("base", other, 2))
    }
    trained = {name: read_provenance(folder)["lineage"] for name, folder in runs.items()}
    assert trained == {"seed 0": lineages["seed 0"], "seed 1": lineages["seed 0"], "base": lineages["base"]}
    first, second, third = (lineage(folder, f"training.seed={k}") for k, folder in enumerate(runs.values()))
    assert first == second != third
    again = align(runs["seed 0"], tmp_path / "again")
    rows = paralign.evaluate(str(again), task="retrieval", data=["en-de=smallworld:60-80"], out=tmp_path / "e")
    assert {row.settings["lineage"] for row in rows} == {first}
    assert {row.settings["base"] for row in rows} == {str(runs["seed 0"])}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"pairs": ("en-de=no/such/file.tsv",)}, "no/such/file.tsv"),
        ({"pairs": ()}, "either --pairs or --corpus"),
        ({"pairs": ("en-de=smallworld:0-5",)}, "less than one batch of 8"),
        ({"overrides": ["training.batch=8", "data.max_pieces=300", "data.min_pieces=200"]}, "dropped"),
        ({"overrides": ["training.accumulate=3"]}, "is not divisible"),
        ({"overrides": ["training.bacth=8"]}, "did you mean 'batch'"),
        ({"overrides": ["moco.qeue=8"]}, "did you mean 'queue'"),
        ({"overrides": ["moco.temperature=0"]}, r"moco\.temperature"),
        ({"overrides": ["objectives=[]"]}, "no objectives"),
        ({"overrides": ['objectives=["tlm","tlm"]']}, "two objectives have the same name"),
        (
            {"settings": QUICK, "overrides": ['objectives=["bilingual"]', "views.joint_share=0.5"]},
            r"remove views\.joint_share",
        ),
        # Found with the first batch, before the run begins:
        (
            {"settings": QUICK, "overrides": ['objectives=["distill"]', "distill.pivot=fr"]},
            "no text in the pivot language 'fr'",
        ),
        (
            {
                "pairs": ("en-de=smallworld:0-9", "en-fr=smallworld:9-20"),
                "overrides": ["views.language_types=true", "training.batch=8"],
            },
            "language_types cannot be used with 3 languages",
        ),
    ],
)
def test_wrong_input_is_reported_and_leaves_nothing_behind(more, message, base, tmp_path):
    with pytest.raises(UserError, match=message) as caught:
        align(base, tmp_path / "run", **more)
    assert "\n" not in str(caught.value)
    left = {path.name for path in (tmp_path / "run").iterdir()} if (tmp_path / "run").exists() else set()
    assert left in (set(), {"corpus", "run.json"})  # a complete token store is kept


def test_links_are_computed_for_masking_only_if_a_view_of_both_sides_is_masked(base, tmp_path):
    views = ["views.avoid_double_mask=true", "links.method=ibm"]
    for name, exist in (("mlm", False), ("tlm", True)):
        align(base, tmp_path / name, settings=QUICK, overrides=[f'objectives=["{name}"]', *views])
        assert (tmp_path / name / "links").is_dir() == exist


def test_links_of_single_sentences_go_with_a_share_of_joined_pairs(base, tmp_path):
    objectives = ['objectives=["tlm", "word_l2"]', "views.joint_share=0.5", "links.method=ibm"]
    assert align(base, tmp_path / "run", settings=QUICK, overrides=objectives).is_dir()


def test_a_store_of_another_tokenizer_is_refused(base, store, tmp_path):
    align(base, tmp_path / "own", pairs=(), corpus=store.path)
    other = Encoder.from_scratch(
        "bert:1x32", paralign.encoder.train_tokenizer(["other words entirely"] * 9, size=60), max_length=140
    )
    other.save_pretrained(tmp_path / "other")
    with pytest.raises(UserError, match="built with another tokenizer"):
        align(tmp_path / "other", tmp_path / "run", pairs=(), corpus=store.path)
    assert not (tmp_path / "run").exists()


def test_the_filter_of_a_run_is_that_of_its_store(base, store, tmp_path):
    """Text of a store is not filtered again: other settings are refused, and those of the store are recorded."""
    built = store.meta["filter"]["min_pieces"]
    align(base, tmp_path / "run", pairs=(), corpus=store.path, overrides=[f"data.min_pieces={built}"])
    assert load_toml(tmp_path / "run/config.toml")["data"]["min_pieces"] == built != FilterConfig().min_pieces
    for setting in ("data.limit=50", f"data.min_pieces={built + 1}"):
        with pytest.raises(UserError, match=rf"{setting.replace('=', ' is ')}, but the token store was built with"):
            align(base, tmp_path / "other", pairs=(), corpus=store.path, overrides=[setting])
        assert not (tmp_path / "other").exists()
    align(base, tmp_path / "run", pairs=(), corpus=store.path, resume=True)


def test_a_stopped_run_is_reported_and_resumes(base, tmp_path):
    whole = align(base, tmp_path / "whole")
    with stopped_at(2):
        align(base, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "stopped"
    with pytest.raises(UserError, match=r"moco\.queue was 20, now 21"):
        align(base, tmp_path / "run", resume=True, overrides=["moco.queue=21"])
    made = align(base, tmp_path / "run", resume=True)
    assert (made / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_an_unfinished_run_is_not_resumed_with_another_encoder_of_the_hub(base, make_encoder, tmp_path, monkeypatch):
    """Its files have no digests, and before the first checkpoint nothing else compares the weights."""
    monkeypatch.setattr("paralign.commands.align.model_files", lambda model: [])
    make_encoder(seed=1).save_pretrained(tmp_path / "other")

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trainer.Trainer, "train", stop)
        patch.setattr("paralign.runs.folder.RunFolder.abandon", RunFolder._unlock)  # as if it was killed
        with pytest.raises(KeyboardInterrupt):
            align(base, tmp_path / "run")
    before = (tmp_path / "run" / "config.toml").read_bytes()
    with pytest.raises(UserError, match="run: the encoder is not the encoder this run began with"):
        align(tmp_path / "other", tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "config.toml").read_bytes() == before
    align(base, tmp_path / "run", resume=True)


OBJECTIVE = '''
from paralign.objectives import Objective, ObjectiveConfig

class NormConfig(ObjectiveConfig):
    target: float = 1.0

class Norm(Objective):
    """Pulls the norm of sentence vectors to a target."""
    name = "norm"
    reads = ("first",)
    Config = NormConfig

    def counts(self, batch):
        return {"norm": batch.size}

    def forward(self, step):
        return {"norm": (step.hidden("first").cls().norm(dim=1) - self.config.target).square().sum()}
'''


def test_a_control_ignores_the_settings_of_an_objective_of_ones_own(tmp_path, monkeypatch):
    (tmp_path / "for_a_control.py").write_text(OBJECTIVE)
    monkeypatch.syspath_prepend(tmp_path)
    recipe = tmp_path / "own.toml"
    recipe.write_text('objectives = ["for_a_control:Norm"]\n[norm]\ntarget = 2.0\n')
    assert run_settings(str(recipe)).norm.target == 2
    control = run_settings(str(recipe), ["norm.target=3"], control=True)
    assert control.objectives == ["mlm"]
    assert not hasattr(control, "norm")


def test_an_objective_in_one_file_outside_the_package_trains(base, tmp_path, monkeypatch):
    """The module is in the current folder; the settings of the objective have a section."""
    (tmp_path / "my_norm.py").write_text(OBJECTIVE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    monkeypatch.delitem(sys.modules, "my_norm", raising=False)
    arguments = [
        "align",
        "--model",
        str(base),
        "--pairs",
        "en-de=smallworld:0-60",
        "--recipe",
        "ppa-mini",
        "--quiet",
    ]
    for setting in (
        'objectives=["mlm","my_norm:Norm"]',
        "norm.target=2.5",
        "norm.weight=3",
        "training.steps=30",
        "training.batch=8",
        "training.learning_rate=3e-3",
        "training.precision=fp32",
        "training.log_every=1",
        "data.min_pieces=2",
    ):
        arguments += ["--set", setting]
    from paralign.__main__ import main

    assert main([*arguments, "--out", "run"]) == 0
    lines = [line for line in log_of(tmp_path / "run") if "event" not in line]
    assert set(lines[0]["losses"]) == {"mlm", "norm"}
    assert lines[0]["loss"] == pytest.approx(lines[0]["losses"]["mlm"] + 3 * lines[0]["losses"]["norm"])
    assert lines[-1]["losses"]["norm"] < 0.8 * lines[0]["losses"]["norm"]
    assert main([*arguments, "--set", "norm.tarqet=2", "--out", "other"]) == 2


def test_a_signal_in_the_last_step_is_passed_on_after_the_run(base, tmp_path, monkeypatch):
    """It came too late to stop this run, but must stop what follows, such as the other runs of a grid."""
    train = trainer.Trainer.train
    monkeypatch.setattr(
        trainer.Trainer, "train", lambda self, **more: replace(train(self, **more), signal=signal.SIGINT)
    )
    with pytest.raises(Stopped):
        paralign.align(base, pairs="en-de=smallworld:0-40", recipe="tlm-mini", out=tmp_path / "run", quiet=True,
                       overrides=["training.batch=8", "training.steps=2", "data.min_pieces=2"])  # fmt: skip
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "done"
    assert (tmp_path / "run/encoder/model.safetensors").is_file()


def test_mistakes_in_settings_are_found_before_words_are_aligned(base, tmp_path, monkeypatch):
    monkeypatch.setattr("paralign.runs.training_data.open_links", None)
    given = {"pairs": "en-de=smallworld:0-40", "out": tmp_path / "run", "quiet": True, "recipe": "word-l2-mini"}
    with pytest.raises(UserError, match=r"training.batch = 9 is not divisible by 1 processes x 2"):
        paralign.align(base, overrides=["training.batch=9", "training.accumulate=2", "data.min_pieces=2"], **given)
    with pytest.raises(UserError, match=r"training.epochs.*finite number"):
        paralign.align(base, overrides=["training.epochs=inf"], **given)
