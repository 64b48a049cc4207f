"""What ``export`` writes, loaded by the library it is for."""

import json
import re

import numpy as np
import pytest
import torch
import yaml
from sentence_transformers import SentenceTransformer

import paralign
from paralign.__main__ import main
from paralign.encoder import Encoder
from paralign.encoder.card import write_provenance
from paralign.encoder.sentences import sentence_vectors
from paralign.errors import UserError
from paralign.results import Measurement, Seeds, Where, read_results, write_results
from paralign.runs.sentence_card import ExportedEncoder, sentence_card

TEXTS = ["The singers sleep in Rome.", "Die Sänger schlafen.", "x", "Zwei Frauen schreiben manchmal einen Brief."]


def loaded(folder):
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@pytest.mark.parametrize("layer", [None, 1])
def test_first_pieces_are_ours(base, tmp_path, layer):
    out = paralign.export(str(base), tmp_path / "out", pool="cls", layer=layer, quiet=True)
    ours, _ = sentence_vectors(Encoder.from_pretrained(base).eval(), TEXTS, None, pools=["cls"], layer=layer)
    assert np.abs(loaded(out).encode(TEXTS) - ours["cls"]).max() < 1e-5


def test_layers_are_counted_as_by_the_encoder(base, tmp_path):
    for name, layer in (("number", "1"), ("negative", "-2"), ("fraction", "0.5")):
        assert main(["export", str(base), "--out", str(tmp_path / name), "--layer", layer, "--quiet"]) == 0
        assert Encoder.from_pretrained(tmp_path / name).layers == 1
    assert "--layer 0.5" in (tmp_path / "fraction/README.md").read_text()


def test_a_final_norm_changes_the_vectors_of_a_middle_layer(make_encoder, tmp_path, capsys):
    """ModernBERT normalizes its last hidden state, so that its first layers alone give other vectors."""
    make_encoder("modernbert:2x32").save_pretrained(tmp_path / "model")
    out = paralign.export(str(tmp_path / "model"), tmp_path / "out", pool="cls", layer=1)
    assert "its final normalization to state 1, which paralign reads without it: vectors" in capsys.readouterr().err
    ours = Encoder.from_pretrained(tmp_path / "model").encode(TEXTS, layer=1, pool="cls")
    assert np.abs(loaded(out).encode(TEXTS) - ours).max() > 0.01


def test_means_are_over_all_pieces(base, tmp_path):
    out = paralign.export(str(base), tmp_path / "out", pool="mean", quiet=True)
    encoder = Encoder.from_pretrained(base).eval()
    found = loaded(out).encode(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        given = encoder.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = encoder.model.base_model(**given).last_hidden_state[0]
        assert np.abs(vector - states.mean(0).numpy()).max() < 1e-5


@pytest.mark.parametrize(
    ("objectives", "settings", "pool"),
    [
        (["tlm", "moco"], {}, "cls"),
        (["moco"], {"moco": {"pool": "mean"}}, "mean"),
        (["moco"], {"moco": {"pool": "cls"}}, "cls"),
        (["tlm", "in_batch"], {"in_batch": {"pool": "cls"}}, "cls"),
        (["in_batch", "moco"], {"in_batch": {"pool": "mean"}, "moco": {"pool": "cls"}}, "cls"),
        (["my_module:Mine"], {"data": {"limit": 1}, "mine": {"pool": "cls"}}, "cls"),
        (["tlm"], {"probes": {"pool": "last"}}, "mean"),
        (["tlm"], {}, "mean"),
    ],
)
def test_the_pool_is_that_it_was_aligned_by(make_encoder, tmp_path, objectives, settings, pool):
    (tmp_path / "model").mkdir()
    make_encoder().save_pretrained(tmp_path / "model")
    write_provenance(tmp_path / "model", {"method": "PPA", "objectives": objectives, "settings": settings})
    out = paralign.export(str(tmp_path / "model"), tmp_path / "out", quiet=True)
    assert loaded(out)[1].pooling_mode == pool
    assert "# PPA" in (out / "README.md").read_text()


def test_means_that_differ_from_ours_are_announced(base, tmp_path, capsys):
    for pool in ("mean", "cls"):
        out = paralign.export(str(base), tmp_path / pool, pool=pool)
        assert ("includes special tokens in the mean" in capsys.readouterr().err) == (pool == "mean")
        assert ("special ones included" in (out / "README.md").read_text()) == (pool == "mean")
    paralign.export(str(base), tmp_path / "quiet", pool="mean", quiet=True)
    assert not capsys.readouterr().err


def test_scores_of_the_other_pooling_are_not_listed(base, tmp_path):
    paralign.evaluate(str(base), task="retrieval", data="en-de=smallworld:100-110", out=tmp_path / "scores", quiet=True)
    file = tmp_path / "scores/results.jsonl"
    rows = [row for row in file.read_text().splitlines(keepends=True) if json.loads(row)["where"]["pool"] == "mean"]
    file.write_text("".join(rows))
    out = paralign.export(str(base), tmp_path / "mean", pool="mean", results=tmp_path / "scores", quiet=True)
    assert ", mean |" in (out / "README.md").read_text()
    with pytest.raises(UserError, match="are of other pooling than cls"):
        paralign.export(str(base), tmp_path / "cls", pool="cls", results=tmp_path / "scores", quiet=True)
    assert not (tmp_path / "cls").exists()


def test_the_pool_of_a_sentence_transformers_folder_is_kept(base, tmp_path, capsys):
    ours = paralign.export(str(base), tmp_path / "ours", pool="cls", quiet=True)
    loaded(ours).save(str(tmp_path / "theirs"))  # in the format of the installed version
    for name in ("ours", "theirs"):
        out = paralign.export(str(tmp_path / name), tmp_path / f"{name}-again", quiet=True)
        assert loaded(out)[1].pooling_mode == "cls"
    assert not capsys.readouterr().err


def test_pooling_that_cannot_be_exported_is_refused(base, tmp_path):
    paralign.export(str(base), tmp_path / "one", pool="mean", quiet=True)
    pooling = tmp_path / "one/1_Pooling/config.json"
    pooling.write_text('{"word_embedding_dimension": 32, "pooling_mode_lasttoken": true}')
    with pytest.raises(UserError, match=r"pooling cannot be exported \(--pool mean, or --pool cls\)"):
        paralign.export(str(tmp_path / "one"), tmp_path / "two", quiet=True)
    paralign.export(str(tmp_path / "one"), tmp_path / "two", pool="mean", quiet=True)


def test_the_coverage_of_a_short_text_is_unknown(base, tmp_path, capsys):
    (tmp_path / "en.txt").write_text("A cat sees a dog.\n")
    paralign.export(str(base), tmp_path / "out", trim_vocabulary=f"en={tmp_path}/en.txt")
    said = capsys.readouterr().err
    assert "M weights\n" in said
    assert "nine tenths" not in said


def test_modules_that_paralign_does_not_apply_are_named(base, tmp_path, capsys):
    folder = paralign.export(str(base), tmp_path / "dense", pool="mean", quiet=True)
    Encoder.from_pretrained(folder)
    assert not capsys.readouterr().err
    modules = json.loads((folder / "modules.json").read_text())
    for number, kind in ((2, "Dense"), (3, "Normalize")):
        modules += [{"idx": number, "path": f"{number}_{kind}", "type": f"sentence_transformers.models.{kind}"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling/config.json").write_text('{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}')
    Encoder.from_pretrained(folder)
    assert f"{folder} pools with cls+max and applies Dense; paralign reads" in capsys.readouterr().err
    (folder / "1_Pooling/config.json").write_text('{"pooling_mode": "cls"}')
    for pool, said in (("mean", "pools with cls and applies Dense;"), ("cls", "dense applies Dense;")):
        settings = {"training": {"steps": 1, "batch": 4}, "distill": {"teacher": str(folder), "pool": pool}}
        run = {"pairs": "en-de=smallworld:0-20", "recipe": "distill", "settings": settings}
        paralign.align(str(base), out=tmp_path / pool, **run)
        assert capsys.readouterr().err.count(said) == 1
    paralign.align(str(base), out=tmp_path / "quiet", quiet=True, **run)
    assert not capsys.readouterr().err


def test_long_texts_are_cut_where_the_encoder_ends(base, tmp_path):
    out = paralign.export(str(base), tmp_path / "out", pool="cls", quiet=True)
    encoder = Encoder.from_pretrained(base).eval()
    text = "Haus " * 1000
    ours, cut = sentence_vectors(encoder, [text], None, pools=["cls"])
    assert cut == 1
    assert np.abs(loaded(out).encode([text]) - ours["cls"]).max() < 1e-5


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--layer", "7"], "no layer 7 (layers are 1 to 2"),
        (["--pool", "max"], "max"),
        (["--layer", "0"], "no layer 0"),
        (["--layer", "x"], "not a number"),
    ],
)
def test_bad_input(base, tmp_path, capsys, more, message):
    assert main(["export", str(base), "--out", str(tmp_path / "out"), *more]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays(base, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").touch()
    assert main(["export", str(base), "--out", str(tmp_path / "out")]) == 2
    assert "already exists" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine"]


def test_the_folder_is_checked_before_the_encoder_is_loaded(tmp_path):
    with pytest.raises(UserError, match="already exists"):
        paralign.export("no/such/encoder", tmp_path)


def test_lines_of_the_vocabulary_that_cannot_be_read(base, tmp_path, capsys):
    (tmp_path / "text").write_bytes(b"The house.\nThe \xff.\nThe house.\n")
    text = f"en={tmp_path / 'text'}"
    with pytest.raises(UserError, match=r"text:2: invalid UTF-8 .*--lenient"):
        paralign.export(str(base), tmp_path / "out", trim_vocabulary=text)
    capsys.readouterr()
    assert main(["export", str(base), "--out", str(tmp_path / "out"), "--trim-vocabulary", text, "--lenient"]) == 0
    assert "lines dropped: 1 invalid UTF-8\n" in capsys.readouterr().err
    with pytest.raises(UserError, match="standard input can be read only once, but --trim-vocabulary reads"):
        paralign.export(str(base), tmp_path / "other", trim_vocabulary="en=-")


def test_there_are_no_weights_but_the_encoders(base, tmp_path):
    """The library would add a pooling layer with random weights to a BERT."""
    out = paralign.export(str(base), tmp_path / "out", pool="mean", quiet=True)
    model = loaded(out)
    assert model[0].auto_model.pooler is None
    ours = {name for name, _ in Encoder.from_pretrained(base).model.base_model.named_parameters()}
    assert {name for name, _ in model[0].auto_model.named_parameters()} == ours


@pytest.mark.parametrize("pool", ["cls", "mean"])
def test_the_code_of_the_card_gives_the_same_vectors(base, tmp_path, pool):
    out = paralign.export(str(base), tmp_path / "out", pool=pool, quiet=True)
    card = (out / "README.md").read_text()
    first, second = re.findall(r"^```python\n(.*?)^```", card, re.MULTILINE | re.DOTALL)
    made: dict[str, dict] = {}
    for name, source in (("library", first), ("plain", second)):
        made[name] = {}
        exec(source.replace("PATH", str(out)), made[name])
    assert made["library"]["similarity"].shape == (2, 2)
    assert np.abs(made["plain"]["vectors"][0].numpy() - made["library"]["vectors"][0]).max() < 1e-5


def test_the_card_says_base_languages_data_and_the_scores_of_the_results(base, tmp_path):
    run = tmp_path / "run"
    encoder = paralign.align(
        str(base), out=run, pairs="en-de=smallworld:0-60", recipe="tlm-mini", quiet=True,
        overrides=["training.steps=2", "training.batch=8", "training.precision=fp32"],
    )  # fmt: skip
    scores = tmp_path / "scores"
    for model in (encoder, base):  # the scores of another encoder are not listed
        paralign.evaluate(
            str(model), task="retrieval", data="en-de=smallworld:100-140", out=scores / model.parent.name, quiet=True
        )
    paralign.evaluate(
        str(encoder), task="alignment", data="en-de=smallworld:100-110", dev="en-de=smallworld:110-120",
        out=scores / "chosen", quiet=True,
    )  # fmt: skip
    out = paralign.export(str(encoder), tmp_path / "out", results=scores, quiet=True)
    front, card = (out / "README.md").read_text().split("---\n")[1:3]
    assert yaml.safe_load(front)["language"] == ["de", "en"]
    assert f"| base | `{base}` |" in card
    assert "smallworld:0-60: kept 100.0 % (60 of 60)" in card
    facts = json.loads((run / "run.json").read_text())
    assert facts["command"] in card
    rows = [row for path in sorted(scores.iterdir()) for row in read_results(path) if row.model == str(encoder)]
    main = [row for row in rows if row.metric in ("accuracy_cosine", "aer")]
    assert len(main) == 5
    exported = [row for row in main if row.where.pool != "cls"]  # the encoder is exported with pooling mean
    for row in exported:
        at = row.settings.get("chosen") or row.where.model_dump()
        where = f"layer {at['layer']}" + (f", {at['pool']}" if at["pool"] else "")
        language = row.where.direction or "de"
        line = f"| {language} | {row.metric} | {where} | {row.n} | {100 * row.value:.1f} |"
        assert line in card
    assert len(exported) == 3
    assert card.count("accuracy_cosine") == 2
    # Of an encoder without its last layer, only the scores of the layers that remain.
    encoder_results = tmp_path / "low"
    for data in ("en-de=smallworld:100-140", "en-de=smallworld:140-180"):
        paralign.evaluate(str(encoder), task="retrieval", data=data, layer=1, dataset="low", quiet=True,
                          out=encoder_results / data[-3:])  # fmt: skip
    low = [row for path in encoder_results.iterdir() for row in read_results(path) if row.metric == "accuracy_cosine"]
    values = [row.value for row in low if row.where.direction == "en-de" and row.where.pool == "mean"]
    made = paralign.export(str(encoder), tmp_path / "1", layer=1, results=[scores, encoder_results], quiet=True)
    lines = [line for line in (made / "README.md").read_text().splitlines() if "accuracy_cosine" in line]
    assert all("| layer 1, " in line for line in lines)
    for value in values:  # of different data
        assert f"| low | test | en-de | accuracy_cosine | layer 1, mean | 40 | {100 * value:.1f} |" in "\n".join(lines)
    with pytest.raises(UserError, match="are of layers above 1 or of all layers"):
        paralign.export(str(encoder), tmp_path / "2", layer=1, results=scores / "run", quiet=True)


def test_the_card_has_means_over_seeds_of_fine_tuning():
    def row(value, seed, **settings):
        return Measurement(
            task="pos", dataset="pud", language="de", metric="accuracy", value=value, n=9, train="en", model="x",
            model_hash=f"of seed {seed}", run="r", seeds=Seeds(finetune=seed), settings={"data": "1"} | settings,
        )  # fmt: skip

    rows = [row(0.5, 0), row(0.7, 1), row(0.7, 1), row(0.9, 0, training={"epochs": 3})]
    encoder = ExportedEncoder("x", 8, 128, "mean", 2, 2, 100, "paralign export")
    lines = [line for line in sentence_card(encoder, {}, rows).splitlines() if "| pud |" in line]
    assert [line.split(" | ")[-1] for line in lines] == ["60.0 |", "90.0 |"]


def test_lines_of_the_card_differ_by_training_and_split_and_losses_are_not_percent():
    def row(value, train="en", split="test", **more):
        settings = {"training": {"sets": ["gsd"], **more.pop("training", {})}, **more.pop("settings", {})}
        return Measurement(
            task="pos", dataset="gsd", language="fr", metric="accuracy", value=value, n=9, train=train, split=split,
            model="x", model_hash="of x", run="r", seeds=Seeds(finetune=0), settings=settings,
        ).model_copy(update=more)  # fmt: skip

    info = {"title": "Own", "main_metrics": ["loss"]}
    rows = [
        row(0.71),
        row(0.97, train="fr"),
        row(0.73, split="dev"),
        row(0.8, training={"epochs": 3}),
        row(0.6, settings={"layers": {"of": "x", "freeze": "0-1"}}),
        row(2.345, task="own:Own", metric="loss", settings={"task_info": info}),
    ]
    card = sentence_card(ExportedEncoder("x", 8, 128, "cls", 2, 2, 100, "paralign export"), {}, rows)
    assert [line for line in card.splitlines() if "| gsd |" in line] == [
        "| Part-of-speech tagging | en (gsd) | gsd | test | fr | accuracy |  | 9 | 71.0 |",
        "| Part-of-speech tagging | fr (gsd) | gsd | test | fr | accuracy |  | 9 | 97.0 |",
        "| Part-of-speech tagging | en (gsd) | gsd | dev | fr | accuracy |  | 9 | 73.0 |",
        "| Part-of-speech tagging | en (gsd, epochs 3) | gsd | test | fr | accuracy |  | 9 | 80.0 |",
        "| Part-of-speech tagging | en (gsd, freeze 0-1) | gsd | test | fr | accuracy |  | 9 | 60.0 |",
        "| Own | en (gsd) | gsd | test | fr | loss |  | 9 | 2.35 |",
    ]


def test_scores_of_something_else_than_the_encoder_are_left_out(base, tmp_path, capsys):
    def row(value, task="pos", metric="accuracy", **settings):
        layer = 1 if task == "space" else None
        return Measurement(
            task=task, dataset="d", language="de", metric=metric, value=value, n=9, model="x", run="r",
            model_hash=digest, where=Where(layer=layer), settings={"training": {"sets": ["d"]}, **settings},
        )  # fmt: skip

    digest = Encoder.from_pretrained(base).digest()
    changed = {"of": "x", "reset": "0", "freeze": "", "keep": None}
    others = {
        "maps": [row(0.2, maps=["de.safetensors"]), row(0.3, maps=["fr.safetensors"])],
        "reset": [row(0.1, layers=changed)],
        "keep": [row(0.4, layers=changed | {"reset": "", "keep": 1})],
        "space": [row(50.98, task="space", metric="effective_rank")],
    }
    for name, rows in {"own": [row(0.5), row(0.6, layers=changed | {"reset": "", "freeze": "0"})], **others}.items():
        write_results(tmp_path / name, [(one.model_copy(update={"dataset": f"{name}{k}"}), None)
                                        for k, one in enumerate(rows)])  # fmt: skip
    out = paralign.export(str(base), tmp_path / "out", results=[tmp_path / "own", *map(tmp_path.joinpath, others)])
    head, _, counts = capsys.readouterr().err.splitlines()[0].rpartition(": ")
    assert head == "note: scores that are not in the model card"
    assert sorted(counts.split(", ")) == [
        "1 fine-tuned with layers.keep=1",
        "1 fine-tuned with layers.reset",
        "1 of analyses",
        "2 measured with --map",
    ]
    lines = [line for line in (out / "README.md").read_text().splitlines() if "| 9 |" in line]
    assert [line.split(" | ")[-1] for line in lines] == ["50.0 |", "60.0 |"]
    # Without its other layers, the encoder is what was fine-tuned with layers.keep.
    out = paralign.export(str(base), tmp_path / "1", layer=1, results=tmp_path / "keep", quiet=True)
    assert "| 9 | 40.0 |" in (out / "README.md").read_text()
    with pytest.raises(UserError, match=r"maps: the scores of .* are measured with --map \(evaluate with --layer"):
        paralign.export(str(base), tmp_path / "none", results=tmp_path / "maps")
    assert not (tmp_path / "none").exists()


def test_results_without_a_score_of_the_encoder_are_refused(base, tmp_path, capsys, make_encoder):
    make_encoder(seed=5).save_pretrained(tmp_path / "other")
    data = "en-de=smallworld:100-120"
    paralign.evaluate(str(tmp_path / "other"), task="retrieval", data=data, out=tmp_path / "scores", quiet=True)
    assert main(["export", str(base), "--out", str(tmp_path / "out"), "--results", str(tmp_path / "scores")]) == 2
    assert "no scores found for" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
