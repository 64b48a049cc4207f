"""``pretrain``: plain text in, a small encoder out."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM

import paralign
from paralign.batches.views import PairBatch, ViewsConfig
from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder
from paralign.encoder.card import read_provenance
from paralign.encoder.hf import set_dropout
from paralign.errors import UserError
from paralign.smallworld import World
from paralign.sources.specs import TextSpec
from paralign.training.heldout import HeldOut
from tests.training.killed import kill_when
from tests.training.runs import log_of, stopped_at

PRETRAIN = {
    "training": {"batch": 8, "steps": 3, "precision": "fp32", "checkpoint_every": 2},
    "data": {"min_pieces": 2},
}


def sentences(path: Path, language: str, count: int = 120, start: int = 0) -> str:
    """A file of small-world sentences, as a spec."""
    world = World(0)
    path.write_text("".join(world.sentence(i, language).text + "\n" for i in range(start, start + count)))
    return f"{language}={path}"


def pretrain(out, **more):
    text = ["en=smallworld:0-80", "de=smallworld:0-80"]
    settings = {"settings": PRETRAIN, "vocab": 500, "max_length": 140} | more
    return paralign.pretrain(out=out, text=text, arch="bert:1x32", **{"quiet": True} | settings)


def test_an_encoder_from_scratch(tmp_path):
    made = pretrain(tmp_path / "run")
    encoder = Encoder.from_pretrained(made)
    assert (encoder.layers, encoder.width, encoder.max_pieces) == (1, 32, 140)
    assert encoder.template.vocabulary <= 500
    known = read_provenance(made)
    assert (known["seeds"], known["parent"], known["languages"]) == ({"pretrain": 0}, None, ["de", "en"])
    assert set(log_of(tmp_path / "run")[-1]["losses"]) == {"mlm"}


def test_killed_after_the_tokenizer_it_resumes_to_the_same_bytes(tmp_path):
    whole = pretrain(tmp_path / "whole")
    words = ["pretrain", "--arch", "bert:1x32", "--vocab", "500", "--max-length", "140"]
    for language in ("en", "de"):
        words += ["--text", f"{language}=smallworld:0-80"]
    for section, values in PRETRAIN.items():
        for key, value in values.items():
            words += ["--set", f"{section}.{key}={value}"]
    kill_when([*words, "--out", str(tmp_path / "run"), "--quiet"], tmp_path / "run" / "tokenizer")
    made = pretrain(tmp_path / "run", resume=True)
    assert (made / "tokenizer.json").read_bytes() == (whole / "tokenizer.json").read_bytes()
    assert load_file(made / "model.safetensors").keys() == load_file(whole / "model.safetensors").keys()
    assert (made / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"arch": None}, "either --arch"),
        ({"model": "x"}, "either --arch"),
        ({"text": []}, "no text"),
        ({"arch": "bret:1x32"}, "did you mean 'bert'"),
        ({"vocab": 20}, "raise --vocab"),
        ({"tokenizer": "wordpeice"}, "wordpeice"),
        ({"max_length": 5}, r"too long \(> 3 pieces\) \(the encoder takes no more"),
        ({"tokenizer": "paralign-mini"}, "--vocab is the size of .* but paralign-mini is one already"),
        ({"recipe": "xlm"}, "the objective 'tlm' reads pairs, but --text is plain text"),
        (
            {"overrides": {"objectives": ["mlm", "moco"]}, "settings": []},
            "the objective 'moco' reads pairs, but --text is plain text",
        ),
        ({"max_length": 3}, r"set data\.max_pieces=1"),
        ({"heldout": ["en=missing.txt"]}, "missing.txt"),
        ({"heldout": ["en={tmp}/one.txt"]}, "too little held-out text in 'en'"),
    ],
)
def test_wrong_ways_to_pretrain_leave_nothing_behind(more, message, tmp_path):
    (tmp_path / "one.txt").write_text("no\n")
    text = more.pop("text", ["en=smallworld:0-40"])
    more = {
        key: [str(x).format(tmp=tmp_path) for x in value] if key == "heldout" else value for key, value in more.items()
    }
    given = {"arch": "bert:1x32", "vocab": 400, "settings": PRETRAIN, "quiet": True} | more
    with pytest.raises(UserError, match=message) as caught:
        paralign.pretrain(out=tmp_path / "run", text=text, **given)
    if "max_pieces" in message:  # found out from the token store, which is kept
        assert {path.name for path in (tmp_path / "run").iterdir()} == {"corpus", "run.json"}
        return
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


PACKED = ["views.pack=64", "training.temperature=3.0", "training.dropout=0.0", "views.whole_words=true",
          "training.steps=6", "weights=fp16", "tokenizer.temperature=2.0", "tokenizer.coverage=0.999"]  # fmt: skip


def packed(out, tmp_path, **more):
    text = [sentences(tmp_path / f"{tag}.txt", tag, n) for tag, n in (("en", 240), ("de", 60), ("zh", 30))]
    heldout = [sentences(tmp_path / f"{tag}.held.txt", tag, 20, 900) for tag in ("en", "zh")]
    return paralign.pretrain(
        out=out, text=text, heldout=heldout, arch="bert:1x32", vocab=600, max_length=140, quiet=True, settings=PRETRAIN,
        overrides=[*PACKED, "training.heldout_every=4", "data.max_pieces=60"], **more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def packed_run(tmp_path_factory):
    """The folder of a run, next to its files; not to be changed."""
    folder = tmp_path_factory.mktemp("packed")
    packed(folder / "run", folder)
    return folder / "run"


def test_packed_rows_held_out_losses_and_languages_are_reported(packed_run):
    looks = [line for line in log_of(packed_run) if line.get("event") == "heldout"]
    assert [look["step"] for look in looks] == [4, 6]
    encoder = Encoder.from_pretrained(packed_run / "encoder")
    known = HeldOut(
        encoder, [TextSpec(tag, str(packed_run.parent / f"{tag}.held.txt")) for tag in ("en", "zh")]
    ).losses()
    # The file's weights are rounded, the log's were not yet.
    assert looks[-1]["losses"] == pytest.approx(known, rel=1e-3)
    facts = json.loads((packed_run / "run.json").read_text())
    assert {tag: row["sentences"] for tag, row in facts["languages"].items()} == {"en": 240, "de": 60, "zh": 30}
    roots = {tag: n ** (1 / 3) for tag, n in (("en", 240), ("de", 60), ("zh", 30))}
    for tag, row in facts["languages"].items():
        assert row["drawn"] == pytest.approx(roots[tag] / sum(roots.values()), abs=1e-4)
        assert row["pieces_per_word"] >= 1
        assert row["unknown"] <= 0.01


def test_a_run_with_packed_rows_resumes_to_the_same_bytes(packed_run, tmp_path):
    with stopped_at(3):
        packed(tmp_path / "run", tmp_path)
    made = packed(tmp_path / "run", tmp_path, resume=True)
    assert (made / "model.safetensors").read_bytes() == (packed_run / "encoder/model.safetensors").read_bytes()
    logs = [[line for line in log_of(run) if line.get("event") == "heldout"] for run in (packed_run, tmp_path / "run")]
    assert [look["losses"] for look in logs[0]] == [look["losses"] for look in logs[1]]


def test_half_precision_halves_the_file_and_loads_as_fp32_without_us(packed_run):
    made = packed_run / "encoder"
    stored = load_file(made / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16}
    model = AutoModelForMaskedLM.from_pretrained(made)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    for name, value in stored.items():
        assert torch.equal(model.state_dict()[name], value.float())
    ours = Encoder.from_pretrained(made)
    assert ours.digest() == read_provenance(made)["model_hash"]
    # The model asks for its usual dropout in whatever comes next.
    assert model.config.hidden_dropout_prob == 0.1
    assert {m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)} == {0.1}


def test_without_dropout_training_mode_is_evaluation_mode(make_encoder):
    encoder = make_encoder(dropout=0.3)
    inputs = encoder.tokenizer(["A dog sleeps.", "The old man reads."], return_tensors="pt", padding=True)
    evaluated = encoder.model.eval()(**inputs).logits
    encoder.model.train()
    assert not torch.equal(encoder.model(**inputs).logits, evaluated)
    set_dropout(encoder.model, 0.0)
    assert torch.equal(encoder.model(**inputs).logits, evaluated)


def test_held_out_loss_equals_the_loss_of_the_model_by_sentence(encoder, tmp_path):
    spec = sentences(tmp_path / "a.txt", "de", 40)
    losses = HeldOut(encoder, [TextSpec("de", spec.partition("=")[2])], max_sentences=30).losses()
    total = count = 0
    for place, text in enumerate((tmp_path / "a.txt").read_text().splitlines()[:30]):
        ids = encoder.tokenize([text], None)[0][0]

        class One:
            sides = 1

            def gather(self, records, sides, ids=ids):
                return ids, np.array([len(ids)])

        row = np.array([place])
        view = PairBatch(
            One(), row, row, template=encoder.template, config=ViewsConfig(shuffle=False), seed=0, epoch=0
        ).view("text")
        scores = encoder.model(input_ids=torch.from_numpy(view.ids)[None]).logits[0].log_softmax(-1)
        for position, label in zip(view.masked.tolist(), view.labels.tolist(), strict=True):
            total -= scores[position, label].item()
            count += 1
    assert count > 20
    assert losses == {"de": pytest.approx(total / count, rel=1e-5)}
    assert abs(losses["de"] - math.log(800)) < 1  # a fresh model


def test_a_language_without_usable_held_out_text_is_reported(encoder, tmp_path):
    (tmp_path / "a.txt").write_text("a " * 400 + "\n")
    with pytest.raises(UserError, match="too little held-out text in 'de'"):
        HeldOut(encoder, [TextSpec("de", str(tmp_path / "a.txt"))])


def test_too_little_text_and_the_wrong_language_are_reported(tmp_path, capfd):
    text = [sentences(tmp_path / f"{tag}.txt", tag, n) for tag, n in (("en", 240), ("de", 120))]
    given = {"arch": "bert:1x32", "vocab": 500, "max_length": 140, "settings": PRETRAIN}
    paralign.pretrain(out=tmp_path / "run", text=text, **given)
    output = capfd.readouterr().err
    assert "de: 120 sentences" in output
    assert "33.3% of all" in output
    assert "WARNING de: only" in output
    wrong = [text[0].replace("en=", "fr=")]
    with pytest.raises(UserError, match="tagged 'fr' looks like en"):
        paralign.pretrain(out=tmp_path / "wrong", text=wrong, quiet=True, **given)
    assert not (tmp_path / "wrong").exists()
    paralign.pretrain(out=tmp_path / "lenient", text=wrong, lenient=True, **given)
    assert "WARNING fr=" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["views.pack=200"], "views.pack is 200, the encoder takes 140"),
        (["views.pack=30"], r"does not fit into a row of 30.*set data\.max_pieces=28"),
        (["views.pack=60", "data.max_pieces=58", "training.batch=500"], "less than one batch of 500"),
    ],
)
def test_rows_that_cannot_be_packed(tmp_path, overrides, message):
    with pytest.raises(UserError, match=message):
        pretrain(tmp_path / "run", overrides=overrides)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {"corpus", "run.json"}  # the store is kept


def test_pairs_cannot_be_packed(base, tmp_path):
    with pytest.raises(UserError, match="only plain text can be packed"):
        paralign.align(
            str(base), out=tmp_path / "run", pairs=["en-de=smallworld:0-60"], recipe="mlm-mini", quiet=True,
            settings={"data": {"min_pieces": 2}}, overrides=["views.pack=64", "training.batch=8"],
        )  # fmt: skip


def test_text_too_long_for_the_encoder_is_dropped_and_reported(tmp_path, capsys):
    made = pretrain(tmp_path / "run", max_length=14)
    store = TokenStore.open(tmp_path / "run" / "corpus")
    assert store.meta["filter"]["max_pieces"] == 12
    assert int(store.lengths.max()) <= 12
    assert sum(entry["dropped"]["too long"] for entry in store.meta["specs"]) > 0
    assert Encoder.from_pretrained(made).max_pieces == 14
    pretrain(tmp_path / "loud", max_length=14, quiet=False)
    assert "sentences of more than 12 pieces are dropped: the encoder takes at most 14" in capsys.readouterr().err


def test_a_resumed_run_must_have_the_same_held_out_text(tmp_path):
    held = sentences(tmp_path / "a.txt", "en", 20, 900)
    with stopped_at(0):
        pretrain(tmp_path / "run", heldout=[held])
    other = sentences(tmp_path / "b.txt", "en", 20, 950)
    for wrong in ([other], []):
        with pytest.raises(UserError, match="the held-out text changed since this run began"):
            pretrain(tmp_path / "run", heldout=wrong, resume=True)
    assert pretrain(tmp_path / "run", heldout=[held], resume=True).is_dir()


def test_an_encoder_is_written_with_its_card_or_not_at_all(tmp_path, monkeypatch):
    from paralign.runs import train

    def full(folder, facts, **_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train, "write_card", full)
    with pytest.raises(UserError, match="disk is full"):
        pretrain(tmp_path / "run")
    assert not (tmp_path / "run" / "encoder").exists()
    monkeypatch.undo()
    made = pretrain(tmp_path / "run", resume=True)
    assert read_provenance(made)["model_hash"] == Encoder.from_pretrained(made).digest()
