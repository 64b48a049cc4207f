"""MLM and TLM against the reference model's own loss."""

import math

import numpy as np
import pytest
import torch

from paralign.objectives import ObjectiveConfig, Step, find_objective
from tests.objectives.batches import corpus


@pytest.mark.parametrize(("name", "view"), [("mlm", "text"), ("tlm", "joint")])
def test_the_loss_is_the_models_own_on_the_same_masked_input(name, view, store, encoder):
    objective = find_objective(name)(ObjectiveConfig(), encoder)
    batch = corpus(store, encoder).batch(3)
    seen = batch.view(view)
    with torch.no_grad():
        total = objective(Step(encoder, batch))[name]
    count = objective.counts(batch)[name]
    assert count == len(seen.masked) > 5

    labels = np.full(len(seen.ids), -100)
    labels[seen.masked] = seen.labels
    wide = int(seen.lengths.max())
    rows = {
        key: np.full((len(seen.lengths), wide), pad)
        for key, pad in (
            ("input_ids", encoder.template.pad_id),
            ("token_type_ids", 0),
            ("attention_mask", 0),
            ("labels", -100),
        )
    }
    for row, (start, length) in enumerate(zip(seen.starts, seen.lengths, strict=True)):
        inside = slice(start, start + length)
        for key, values in (("input_ids", seen.ids), ("token_type_ids", seen.types), ("labels", labels)):
            rows[key][row, :length] = values[inside]
        rows["attention_mask"][row, :length] = 1
    with torch.no_grad():
        theirs = encoder.model(**{key: torch.tensor(value) for key, value in rows.items()}).loss
    torch.testing.assert_close(total / count, theirs, atol=1e-5, rtol=1e-5)


def test_nothing_masked_is_a_zero_that_can_be_differentiated(store, make_encoder):
    encoder = make_encoder()
    batch = corpus(store, encoder, mask_probability=1e-9).batch(0)
    total = find_objective("tlm")(ObjectiveConfig(), encoder)(Step(encoder, batch))["tlm"]
    assert total.item() == 0
    total.backward()
    assert all(p.grad is not None and not p.grad.any() for p in encoder.base_parameters())


def test_chance_is_log_of_the_vocabulary(encoder):
    for name in ("mlm", "tlm"):
        objective = find_objective(name)(ObjectiveConfig(weight=0.5), encoder)
        assert objective.chance() == {name: pytest.approx(math.log(len(encoder.tokenizer)))}
        assert objective.weights() == {name: 0.5}
