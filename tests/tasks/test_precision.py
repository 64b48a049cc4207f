"""The setting ``task.precision``: the encoder multiplies in bf16 in evaluation and prediction."""

import pytest
import torch

import paralign
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.tasks.base import find_task


@pytest.fixture
def in_bf16(monkeypatch):
    """Return for every forward pass whether it multiplied in bf16."""
    seen = []
    encode = Encoder.encode_layers

    def watched(encoder, *args, **named):
        found = encode(encoder, *args, **named)
        seen.append(torch.is_autocast_enabled("cpu"))
        return found

    monkeypatch.setattr(Encoder, "encode_layers", watched)
    return seen


@pytest.mark.parametrize("task", ["retrieval", "alignment", "lexicon"])
def test_tasks_without_a_head(task, base, tmp_path, in_bf16):
    data, more, values = "en-de=smallworld:0-60", [], {}
    if task == "lexicon":  # static embeddings are not multiplied
        data, more = "en-de=smallworld", ["task.vectors=contextual"]
    for precision in ("fp32", "bf16"):
        in_bf16.clear()
        rows = paralign.evaluate(
            str(base), task=task, data=[data], out=tmp_path / precision,
            overrides=[f"task.precision={precision}", *more], quiet=True,
        )  # fmt: skip
        assert set(in_bf16) == {precision == "bf16"}
        assert {row.settings["task"]["precision"] for row in rows} == {precision}
        values[precision] = [row.value for row in rows]
    assert values["bf16"] == pytest.approx(values["fp32"], abs=0.1)


def test_fine_tuning_and_prediction(base, tmp_path, in_bf16):
    """The last forward passes are those of the test set; training has a precision of its own."""
    settings = {"task": {"precision": "bf16"}, "training": {"steps": 2, "batch": 8, "precision": "fp32"}}
    data = "de=smallworld:0-20"
    rows = paralign.finetune(str(base), task="pos", train=data, dev=data, eval=[data], out=tmp_path / "run",
                             settings=settings, quiet=True)  # fmt: skip
    assert {row.settings["task"]["precision"] for row in rows} == {"bf16"}
    # A check of the encoder, two steps of training, the development set and the test set.
    assert in_bf16 == [True, False, False, True, True]
    in_bf16.clear()
    model = str(tmp_path / "run/seed-0/model")
    paralign.predict(model, data=data, out=tmp_path / "out.conllu", overrides=["task.precision=bf16"], quiet=True)
    assert set(in_bf16) == {True}


def test_layers_are_chosen_in_it(base, tmp_path, in_bf16):
    paralign.evaluate(str(base), task="retrieval", data="en-de=smallworld:0-20", dev="en-de=smallworld:30-50",
                      out=tmp_path / "run", overrides="task.precision=bf16", quiet=True)  # fmt: skip
    assert set(in_bf16) == {True}


def test_the_states_are_rounded(encoder):
    task = find_task("pos", {"precision": "bf16"})
    with torch.no_grad():
        exact = encoder.encode(["The dog sleeps."])
        with task.autocast(encoder):
            rounded = encoder.encode(["The dog sleeps."])
    assert not (exact == rounded).all()
    assert abs(exact - rounded).max() < 0.1


def test_an_encoder_is_checked_once_and_before_it_is_trained(base, tmp_path, in_bf16, monkeypatch):
    data = [f"de=smallworld:{k}0-{k}9" for k in range(1, 4)]
    sets = ["en-de=smallworld:0-20", "en-fr=smallworld:0-20"]
    paralign.evaluate(str(base), task="retrieval", data=sets[:1], out=tmp_path / "one", quiet=True,
                      overrides="task.precision=bf16")  # fmt: skip
    passes = len(in_bf16) - 1  # the check is a forward pass
    in_bf16.clear()
    paralign.evaluate(str(base), task="retrieval", data=sets, out=tmp_path / "two", quiet=True,
                      overrides="task.precision=bf16")  # fmt: skip
    assert len(in_bf16) == 2 * passes + 1

    def fails(*args, **named):
        raise RuntimeError("expected Float, found BFloat16")

    monkeypatch.setattr("paralign.encoder.precision.encoded", fails)
    with pytest.raises(UserError, match=r"bert models cannot be computed in bf16: .*\(use --set task\.precision=fp32"):
        paralign.finetune(str(base), task="pos", train=data[0], eval=data[1:], out=tmp_path / "run", quiet=True,
                          overrides=["task.precision=bf16", "training.precision=fp32"])  # fmt: skip
    assert not (tmp_path / "run").exists()
