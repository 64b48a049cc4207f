"""Nearest twins."""

from collections import Counter

import pytest
import torch

from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.tasks import find_task


def read(spec="en-en~trans+inv=pieces"):
    return find_task("twins").read(spec, lenient=False, dropped=Counter(), limit=None)


def test_a_planted_share_is_measured(make_encoder):
    encoder = make_encoder(twins=True).eval()
    ids = torch.from_numpy(encoder.template.ordinary)
    with torch.no_grad():
        encoder.embeddings[ids + encoder.twin_offset] = 3 * encoder.embeddings[ids]
    task, data = find_task("twins"), read()
    assert task.language(data) == "en~trans+inv"
    assert [score.value for score in task.evaluate(encoder, None, data)] == [1, 1]
    assert [len(score.items) for score in task.evaluate(encoder, None, data)] == [len(ids)] * 2
    with torch.no_grad():  # the first hundred change places
        some = ids[:100]
        encoder.embeddings[some + encoder.twin_offset] = encoder.embeddings[some.flip(0)]
        encoder.embeddings[0] = encoder.embeddings[some[0]]  # special ones are no candidates
    for score in task.evaluate(encoder, None, data):
        assert score.value == pytest.approx(1 - 100 / len(ids))
    shared = read("en-en~trans+overlap50+inv=pieces")
    left = int(parse_derived("en~trans+overlap50").twin_mask(ids.numpy()).sum())
    assert 0 < left < len(ids)
    assert {len(score.items) for score in task.evaluate(encoder, None, shared)} == {left}
    turned = task.evaluate(encoder, None, read("en~trans-en=pieces"))
    assert [s.where.direction for s in turned] == ["en~trans-en", "en-en~trans"]


@pytest.mark.parametrize("spec", ["en-de=pieces", "en-en~inv=pieces", "en-en~trans=words.txt"])
def test_data_that_are_no_twins(spec):
    with pytest.raises(UserError, match="write en-en~trans=pieces"):
        read(spec)


def test_a_limit_is_refused():
    with pytest.raises(UserError, match="--limit has no effect on twins"):
        find_task("twins").read("en-en~trans=pieces", lenient=False, dropped=Counter(), limit=10)


def test_an_encoder_without_twins(encoder):
    with pytest.raises(UserError, match="no twin pieces"):
        find_task("twins").evaluate(encoder, None, read())
