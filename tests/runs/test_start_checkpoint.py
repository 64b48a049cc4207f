"""A new run starts from a checkpoint of another one, for example after that diverged, and records its lineage."""

import json
import math
import re
import shutil
import tomllib

import pytest
import torch
from safetensors.torch import load_file

import paralign
from paralign.__main__ import main
from paralign.encoder import Encoder
from paralign.encoder.card import read_provenance
from paralign.errors import UserError
from paralign.runs.start_checkpoint import StartCheckpoint
from paralign.training import trainer
from tests.training.runs import stopped_at

QUICK = {"training": {"batch": 8, "steps": 6, "precision": "fp32", "checkpoint_every": 2, "log_every": 1,
                      "learning_rate": 1e-3, "warmup": 0}, "data": {"min_pieces": 2}}  # fmt: skip


def align(model, out, **more):
    given = {"pairs": ["en-de=smallworld:0-60"], "recipe": "ppa-mini", "settings": QUICK, "quiet": True,
             "overrides": ["moco.queue=20", "moco.projection=8"]} | more  # fmt: skip
    return paralign.align(None if model is None else str(model), out=out, **given)


@pytest.fixture(scope="module")
def first(base, tmp_path_factory):
    """The folder of a run; not to be changed."""
    out = tmp_path_factory.mktemp("first") / "one"
    align(base, out)
    return out


def test_the_weights_are_those_of_the_checkpoint(first, base):
    newest = first / "checkpoints" / "step-00000006"
    encoder = Encoder.from_pretrained(base)
    StartCheckpoint(newest).load_into(encoder)
    stored = load_file(newest / "module.safetensors")
    names = [name for name in stored if name.startswith("encoder.")]
    assert names
    assert all(torch.equal(encoder.state_dict()[name.removeprefix("encoder.")], stored[name]) for name in names)
    assert encoder.digest() == Encoder.from_pretrained(first / "encoder").digest()


def test_links_by_similarity_would_be_those_of_another_encoder(first, tmp_path):
    given = {"from_checkpoint": first / "checkpoints/step-00000006", "recipe": "word-l2-mini"}
    with pytest.raises(UserError, match=r"links\.method=similarity would use the base of the checkpoint"):
        align(None, tmp_path / "two", overrides=["links.method=similarity"], **given)


def test_training_from_a_checkpoint_is_training_from_an_encoder_with_its_weights(first, base, tmp_path):
    """The run of the checkpoint ended there, so its encoder has the same weights; the model is not named again."""
    checkpoint = first / "checkpoints" / "step-00000006"
    one = align(first / "encoder", tmp_path / "from-encoder")
    other = align(None, tmp_path / "from-checkpoint", from_checkpoint=checkpoint)
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()

    provenance, start = read_provenance(other), Encoder.from_pretrained(base).digest()
    assert provenance["parent"] == start  # the encoder that the first run was trained from
    assert provenance["checkpoint"]["step"] == 6
    assert provenance["checkpoint"]["parent"] == start
    assert f"| started from | `{checkpoint}`, step 6" in (other / "README.md").read_text()
    config = tomllib.loads((tmp_path / "from-checkpoint" / "config.toml").read_text())
    assert config["model"] == str(base)
    assert config["from_checkpoint"]["path"] == str(checkpoint)
    assert json.loads((tmp_path / "from-checkpoint" / "run.json").read_text())["parent"] == start

    third = align(None, tmp_path / "3", from_checkpoint=tmp_path / "from-checkpoint" / "checkpoints" / "step-00000006")
    assert read_provenance(third)["parent"] == start


def test_the_advice_after_divergence_can_be_followed(base, tmp_path, capsys, monkeypatch):
    """The rate is far too high from step 5, and infinite from step 9: the checkpoints in between are finite but bad."""
    rates = [1e-4] * 4 + [1e3] * 4 + [math.inf] * 4
    monkeypatch.setattr(trainer, "learning_rate", lambda step, **_: rates[step])
    words = ["align", "--pairs", "en-de=smallworld:0-60", "--recipe", "tlm-mini", "--quiet"]
    for setting in ("batch=8", "precision=fp32", "checkpoint_every=1", "steps=12"):
        words += ["--set", f"training.{setting}"]
    words += ["--set", "data.min_pieces=2"]
    assert main([*words, "--model", str(base), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    named = re.search(r"the last good checkpoint is (\S+), see align --from-checkpoint", error)
    assert named is not None, error
    assert named[1].endswith("step-00000004")
    monkeypatch.undo()
    weights = load_file(f"{named[1]}/module.safetensors")
    assert max(float(value.abs().max()) for value in weights.values()) < 100
    out = tmp_path / "new"
    assert main([*words, "--from-checkpoint", named[1], "--out", str(out), "--set", "training.learning_rate=1e-4"]) == 0
    assert all(torch.isfinite(value).all() for value in load_file(out / "encoder" / "model.safetensors").values())


def test_another_checkpoint_is_refused_when_the_run_is_resumed(first, base, tmp_path):
    steps = [first / "checkpoints" / f"step-0000000{step}" for step in (4, 6)]
    with stopped_at(2):
        align(None, tmp_path / "run", from_checkpoint=steps[0])
    with pytest.raises(UserError, match=r"step-00000006/module\.safetensors: the checkpoint changed since"):
        align(None, tmp_path / "run", from_checkpoint=steps[1], resume=True)
    with pytest.raises(UserError, match="the checkpoint changed since this run began: 0 files instead of 1"):
        align(base, tmp_path / "run", resume=True)
    align(None, tmp_path / "run", from_checkpoint=steps[0], resume=True)


def test_what_is_no_checkpoint_of_this_encoder_is_refused(first, base, tmp_path, make_encoder):
    shutil.copytree(first, tmp_path / "one")
    checkpoint = tmp_path / "one" / "checkpoints" / "step-00000006"
    make_encoder("bert:1x32").save_pretrained(tmp_path / "other")
    cases = [
        ({"model": None}, "no encoder is given"),
        ({"model": base, "from_checkpoint": base}, "no checkpoint here"),
        ({"model": tmp_path / "other", "from_checkpoint": checkpoint}, "not trained from \\S+other"),
    ]
    for more, message in cases:
        with pytest.raises(UserError, match=message):
            align(out=tmp_path / "run", **more)
        assert not (tmp_path / "run").exists()
    (tmp_path / "one" / "config.toml").unlink()
    with pytest.raises(UserError, match="give --model"):
        align(None, tmp_path / "run", from_checkpoint=checkpoint)
    data = bytearray((checkpoint / "module.safetensors").read_bytes())
    data[-1] ^= 1
    (checkpoint / "module.safetensors").write_bytes(data)
    with pytest.raises(UserError, match=r"module\.safetensors: the file is damaged.*previous one, step-00000004"):
        align(base, tmp_path / "run", from_checkpoint=checkpoint)
