"""The last good checkpoint of a run that diverged."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from paralign.training.checkpoint_losses import CheckpointLosses, Diverged
from tests.training.runs import trainer


def losses(*values, every=10):
    out = CheckpointLosses()
    for index, value in enumerate(values):
        out.saved()
        out.add(index * every, value)
        out.add(index * every + 1, 1e9)  # not the first batch after a checkpoint
    return out


@pytest.mark.parametrize(
    ("values", "good"),
    [
        ([], None),
        ([4.0], 0),
        ([4.0, 3.0, 2.0], 20),
        ([4.0, 3.0, 1e29, math.nan], 10),
        ([4.0, 3.0, 5.1], 10),  # above 1.5 x 3 + 0.5
        ([4.0, 3.0, 4.9], 20),
        ([4.0, 9.0, math.inf], 0),
        ([math.nan], None),
        ([-3.0, -4.0, -3.6, -3.4], 20),  # a loss may be negative
        ([1.0, 0.001, 0.4], 20),  # small losses differ by more than their size
    ],
)
def test_a_checkpoint_is_good_until_the_loss_rises(values, good):
    assert losses(*values).last_good() == good


@given(st.lists(st.floats(-9, 9) | st.sampled_from([math.inf, math.nan, 1e29]), max_size=8))
def test_losses_survive_a_checkpoint(values):
    before, after = losses(*values), CheckpointLosses()
    after.load_state_dict(json.loads(json.dumps(before.state_dict(), allow_nan=False)))
    assert (after.last_good(), after.needed()) == (before.last_good(), before.needed())


def test_a_good_checkpoint_is_needed_only_after_a_bad_one():
    assert losses(4.0, 3.0).needed() is None
    assert losses(4.0, 3.0, 90.0, 95.0).needed() == 10
    assert losses(4.0, 3.0, 90.0, 2.0).needed() is None


def test_the_first_batch_after_a_signal_counts_too():
    out = CheckpointLosses()
    out.add(7, 2.0)
    out.add(8, 1.0)
    assert out.last_good() == 7


def test_a_slow_run_writes_checkpoints_between_the_numbered_steps(make_encoder, store, tmp_path, monkeypatch):
    monkeypatch.setattr("paralign.training.trainer._SAVE_EVERY", -1)
    loop = trainer(make_encoder(), store, tmp_path, objectives="tlm-mini", steps=3, checkpoint_every=100, keep=9)
    loop.train()
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step-00000001", "step-00000002", "step-00000003"]
    assert set(loop.losses_after.state_dict()) == {"0", "1", "2"}


def test_checkpoints_with_exploded_weights_are_not_named(make_encoder, store, tmp_path):
    """Weights explode at step 5 and losses become NaN at step 11: three checkpoints between them are finite but bad."""
    loop = trainer(make_encoder(), store, tmp_path, objectives="tlm-mini", steps=20, checkpoint_every=2)

    def explode():
        for parameter in loop.learner.parameters():
            parameter.data.mul_(1e3)
        loop.batches._at, loop.batches._act = 11, lambda: loop.learner.encoder.embeddings.data.fill_(float("nan"))

    loop.batches._at, loop.batches._act = 5, explode
    with pytest.raises(Diverged, match=r"step 12 \(lower training\.learning_rate in a new run\)$") as caught:
        loop.train()
    assert "run; the last good checkpoint is" in (text := str(caught.value.of_align()))
    assert "step-00000004, see align --from-checkpoint)" in text
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["step-00000004", "step-00000008", "step-00000010"]
    largest = [
        max(
            float(value.abs().max())
            for value in load_file(tmp_path / "checkpoints" / name / "module.safetensors").values()
        )
        for name in kept
    ]
    assert largest[0] < 100 < min(largest[1:]) < math.inf
