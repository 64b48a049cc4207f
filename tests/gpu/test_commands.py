"""Commands compute on the device and finish."""

import json
import math

import pytest
import torch

import paralign
from tests.gpu.comparing import computing_on
from tests.training.runs import losses_of

pytestmark = pytest.mark.gpu
SHORT = ["training.steps=2", "training.batch=8", "training.log_every=1"]
ALIGNED = {
    "ppa-mini": ["moco.queue=20"],
    "alignlm-tlm-mini": ["links.method=similarity"],
    "word-contrastive-mini": ["links.method=hmm"],
    "word-l2-mini": ["training.gradient_checkpointing=true"],
}


@pytest.fixture(autouse=True)
def _on_the_device(device):
    with computing_on(device):
        yield


def check_run(run, device):
    """Check that the run finished on the device and that its losses are finite."""
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["device"]) == ("done", device.type)
    losses = losses_of(run)
    assert len(losses) >= 2  # held-out text adds a row
    assert all(math.isfinite(value) for row in losses for value in row.values())


@pytest.mark.parametrize("recipe", sorted(ALIGNED))
def test_align(recipe, device, base, tmp_path):
    paralign.align(str(base), out=tmp_path / "run", pairs=["en-de=smallworld:0-60"], recipe=recipe, quiet=True,
                   overrides=[*SHORT, *ALIGNED[recipe]])  # fmt: skip
    check_run(tmp_path / "run", device)


@pytest.mark.parametrize("recipe", ["align-mlm", "dict-mlm"])
def test_pretrain_with_twins_and_held_out_text(recipe, device, tmp_path):
    paralign.pretrain(
        out=tmp_path / "run", arch="bert:1x32", vocab=400, recipe=recipe, quiet=True, heldout=["en=smallworld:80-100"],
        text=["en=smallworld:0-80", "en~trans+inv=smallworld:100-180"], overrides=[*SHORT, "training.warmup=0"],
    )  # fmt: skip
    check_run(tmp_path / "run", device)


def test_finetune_with_a_development_set_evaluate_and_predict(device, base, tmp_path):
    run = tmp_path / "run"
    given = {"eval": ["de=smallworld:40-60"], "dev": "en=smallworld:60-80", "seeds": 2, "quiet": True}
    rows = paralign.finetune(str(base), task="pos", train="en=smallworld:0-40", out=run, overrides=SHORT, **given)
    facts = json.loads((run / "run.json").read_text())
    assert (facts["status"], facts["device"]) == ("done", device.type)
    model = str(run / "seed-1/model")
    again = paralign.evaluate(model, data=["de=smallworld:40-60"], out=tmp_path / "again", quiet=True)
    expected = [row.value for row in rows if row.seeds.finetune == 1 and row.metric == again[0].metric]
    assert again[0].value == pytest.approx(expected[0], abs=0.01)  # one item may be a tie
    (made,) = paralign.predict(model, data="de=smallworld:40-60", out=tmp_path / "predicted.conllu", quiet=True)
    assert made.read_text(encoding="utf-8").count("\n\n") == 20


def test_analyses(device, base, tmp_path):
    pairs = "en-de=smallworld:0-80"
    rows = paralign.analyze_similarity([str(base)], out=tmp_path / "similarity", pairs=[pairs], quiet=True)
    assert all(math.isfinite(row.value) for row in rows)
    maps = []
    for place in (torch.device("cpu"), device):
        with computing_on(place):
            made = paralign.make_map(str(base), pairs=pairs, out=tmp_path / f"map-{len(maps)}", quiet=True)
        maps.append(made.facts)
    # The matrices are not compared: they are arbitrary in directions in which the words hardly vary.
    assert [facts["words"] for facts in maps] == [maps[0]["words"]] * 2
    assert maps[0]["after"] == pytest.approx(maps[1]["after"], abs=1e-3)


def test_a_saved_word_aligner_can_be_loaded_on_another_device(device, tmp_path):
    pairs = "en-de=smallworld:0-200"
    found = []
    for place, more in ((device, {"save": tmp_path / "kept"}), (torch.device("cpu"), {"load": tmp_path / "kept"})):
        with computing_on(place):
            links, _ = paralign.align_words(pairs, out=tmp_path / "links", force=True, quiet=True, **more)
        found.append({(k, *link) for k, some in enumerate(links) for link in some})
    assert len(found[0] ^ found[1]) <= 0.002 * len(found[0])
