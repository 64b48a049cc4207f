"""Static embeddings drawn together: closed forms, the gradient, a resume."""

import json
import re

import numpy as np
import pytest
import torch

import paralign
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.languages import parse_derived
from paralign.languages.dictionary import Dictionary
from paralign.objectives.base import Step
from paralign.objectives.static import Static, StaticConfig, _RowCosines
from tests.training.runs import log_of, stopped_at

DICTIONARY = Dictionary([("a", "b"), ("c d", "e")], [((7,), (9,)), ((11, 12), (13,))])


def value(encoder, dictionary=DICTIONARY, **settings):
    objective = Static(StaticConfig(**settings), encoder, dictionary)
    step = Step(encoder, None)
    total = objective(step)["static"] / objective.counts(None)["static"]
    return total * objective.weights()["static"], objective


def test_equal_rows_give_exactly_minus_alpha(make_encoder):
    encoder = make_encoder()
    with torch.no_grad():
        encoder.embeddings[9] = encoder.embeddings[7]
        encoder.embeddings[12] = encoder.embeddings[11]
        encoder.embeddings[13] = 2 * encoder.embeddings[11]
    loss, objective = value(encoder)
    assert loss.item() == pytest.approx(-10, abs=1e-5)
    assert objective.metrics()["static_cosine"] == pytest.approx(1)


def test_it_is_the_mean_cosine_by_hand_and_only_its_rows_get_a_gradient(make_encoder):
    encoder = make_encoder()
    loss, _ = value(encoder, weight=3.0)
    table = encoder.embeddings.detach().double().numpy()

    def cos(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    right = -3 * (cos(table[7], table[9]) + cos((table[11] + table[12]) / 2, table[13])) / 2
    assert loss.item() == pytest.approx(right, abs=1e-5)
    loss.backward()
    touched = torch.nonzero(encoder.embeddings.grad.abs().sum(1)).view(-1).tolist()
    assert touched == [7, 9, 11, 12, 13]
    assert all(p.grad is None for p in encoder.parameters() if p is not encoder.embeddings)


@pytest.mark.parametrize("block", [2, 3, 100])
def test_the_gradient_in_closed_form_is_that_of_the_composed_one(block, monkeypatch):
    monkeypatch.setattr("paralign.objectives.static._BLOCK", block)
    torch.manual_seed(0)
    table = torch.randn(9, 5, dtype=torch.double, requires_grad=True)
    first, second = torch.tensor([0, 1, 1, 8]), torch.tensor([2, 3, 2, 0])  # some rows come several times
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0])
    found = _RowCosines.apply(table, first, second)
    (given,) = torch.autograd.grad((found * weights).sum(), table)
    right = torch.nn.functional.cosine_similarity(table[first], table[second], dim=1)
    (wanted,) = torch.autograd.grad((right * weights).sum(), table)
    assert torch.allclose(found.double(), right, atol=1e-6)
    assert torch.allclose(given, wanted, atol=1e-6)


def test_squared_distance_by_hand(make_encoder):
    encoder = make_encoder()
    loss, _ = value(encoder, weight=1.0, distance="l2")
    table = encoder.embeddings.detach().double()
    right = ((table[7] - table[9]).square().sum() + (table[11:13].mean(0) - table[13]).square().sum()) / 2
    assert loss.item() == pytest.approx(right.item(), rel=1e-5)


def test_samples_are_unbiased_and_change_each_step(make_encoder):
    encoder = make_encoder()
    many = Dictionary([("a", "b")] * 40, [((7 + k,), (60 + k,)) for k in range(40)])
    whole, _ = value(encoder, many)
    _, objective = value(encoder, many, sample=10)
    assert objective.counts(None) == {"static": 10}
    drawn = []
    for _ in range(400):
        drawn.append(10 * objective(Step(encoder, None))["static"].item() / 10)
        objective.after_step(encoder, lambda rows: rows)
    assert len({round(d, 6) for d in drawn}) > 350
    assert np.mean(drawn) == pytest.approx(whole.item(), abs=4 * np.std(drawn) / 20)
    again = Static(objective.config, encoder, many)
    again.load_state_dict(objective.state_dict())
    again._seed = objective._seed
    assert again(Step(encoder, None))["static"].item() == objective(Step(encoder, None))["static"].item()


@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_sampled_words_of_several_pieces_are_means_of_their_own(make_encoder, distance):
    encoder = make_encoder()
    pieces = [(range(7 + k, 8 + 2 * k), range(40, 41 + k % 3)) for k in range(9)]
    _, objective = value(encoder, Dictionary([("a", "b")] * 9, pieces), sample=4, distance=distance)
    table = encoder.embeddings.detach().double()
    for _ in range(5):
        chosen, total = objective._chosen().tolist(), 0.0
        for first, second in ((pieces[k][0], pieces[k][1]) for k in chosen):
            a, b = table[list(first)].mean(0), table[list(second)].mean(0)
            total += float((a - b).square().sum() if distance == "l2" else -(a @ b) / a.norm() / b.norm())
        assert objective(Step(encoder, None))["static"].item() == pytest.approx(total, abs=1e-4)
        objective.after_step(encoder, lambda rows: rows)


def test_a_dictionary_is_kept_and_read_back(tmp_path):
    (tmp_path / "d.tsv").write_text("\n".join(DICTIONARY.lines()) + "\n")
    read = Dictionary.load(tmp_path / "d.tsv", 14)
    assert (read.words, read.pieces) == (DICTIONARY.words, DICTIONARY.pieces)
    assert read.single_piece_entries().tolist() == [[7, 9]]
    with pytest.raises(UserError, match=r"d\.tsv:3: not an entry"):
        Dictionary.load(tmp_path / "d.tsv", 13)
    (tmp_path / "d.tsv").write_text("x\n")
    with pytest.raises(UserError, match="not a dictionary of tokenizer pieces"):
        Dictionary.load(tmp_path / "d.tsv", 13)


def pretrain(out, **more):
    return paralign.pretrain(
        out=out, arch="bert:1x32", vocab=400, quiet=True, recipe="align-mlm",
        text=more.pop("text", ["en=smallworld:0-80", "en~trans+inv=smallworld:80-160"]),
        overrides=["training.steps=6", "training.batch=16", "training.warmup=0", "training.learning_rate=1e-2",
                   "dictionary.rate=0.5", "training.log_every=1", *more.pop("overrides", [])], **more,
    )  # fmt: skip


def test_the_dictionary_is_sampled_once_and_survives_a_resume(tmp_path):
    whole = pretrain(tmp_path / "whole", overrides=["static.sample=30"])
    with stopped_at(3):
        pretrain(tmp_path / "run", overrides=["static.sample=30"])
    kept = (tmp_path / "run" / "dictionary.tsv").read_bytes()
    made = pretrain(tmp_path / "run", overrides=["static.sample=30"], resume=True)
    assert (tmp_path / "run" / "dictionary.tsv").read_bytes() == kept
    assert (made / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    encoder = Encoder.from_pretrained(made)
    entries = Dictionary.load(tmp_path / "run" / "dictionary.tsv", encoder.template.vocabulary)
    assert len(entries) == round(0.5 * len(encoder.template.ordinary))
    first, second = entries.single_piece_entries().T
    assert (second == first + encoder.twin_offset).all()
    assert not np.isin(first, encoder.template.special_ids).any()


def test_twins_draw_near_and_those_outside_the_dictionary_do_not(tmp_path):
    made = pretrain(tmp_path / "run")
    encoder = Encoder.from_pretrained(made)
    dictionary = Dictionary.load(tmp_path / "run" / "dictionary.tsv", encoder.template.vocabulary)
    entries = dictionary.single_piece_entries()[:, 0]
    table = torch.nn.functional.normalize(encoder.embeddings.detach(), dim=1)
    ids = torch.from_numpy(encoder.template.ordinary)
    cosine = (table[ids] * table[ids + encoder.twin_offset]).sum(1).numpy()
    inside = np.isin(encoder.template.ordinary, entries)
    assert cosine[inside].mean() > cosine[~inside].mean() + 0.3
    losses = [line["losses"]["static"] for line in log_of(tmp_path / "run") if "losses" in line]
    assert losses[-1] < losses[0] - 0.3


def test_pieces_that_both_languages_have_in_common_are_no_entries(tmp_path):
    made = pretrain(tmp_path / "run", text=["en=smallworld:0-80", "en~trans+overlap40=smallworld:80-160"],
                    overrides=["dictionary.rate=1", "training.steps=1"])  # fmt: skip
    encoder = Encoder.from_pretrained(made)
    dictionary = Dictionary.load(tmp_path / "run" / "dictionary.tsv", encoder.template.vocabulary)
    entries = dictionary.single_piece_entries()[:, 0]
    ordinary = encoder.template.ordinary
    assert 0 < len(entries) < len(ordinary)
    assert entries.tolist() == ordinary[parse_derived("en~trans+overlap40").twin_mask(ordinary)].tolist()


def test_dictionaries_of_real_languages_in_alignment(base, tmp_path, capsys):
    (tmp_path / "en-de.txt").write_text("dog Hund\nhouse Haus\nbig\tgroß\ncat Katze\n\u0378 x\n")
    out = tmp_path / "run"
    paralign.align(
        str(base), out=out, pairs=["en-de=smallworld:0-40"], dictionary=[f"en-de={tmp_path / 'en-de.txt'}"],
        recipe="tlm-mini", overrides=['objectives=["tlm", "static"]', "training.steps=3", "training.batch=8"],
    )  # fmt: skip
    said = capsys.readouterr().err
    assert re.search(r"entries dropped: \d+ not in the tokenizer", said)
    rows = (out / "dictionary.tsv").read_text().splitlines()
    assert 2 <= len(rows) <= 5
    facts = json.loads((out / "run.json").read_text())
    assert facts["status"] == "done"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"recipe": "tlm-mini"}, "no objective of this run uses a dictionary"),
        ({"dictionary": []}, "no language has twin pieces"),
        ({"overrides": ["dictionary.rate=1.5"]}, "rate"),
        ({"overrides": ["dictionary.rate=0.1"]}, "the dictionary is empty"),
    ],
)
def test_dictionaries_that_do_not_fit_are_refused(base, tmp_path, more, said):
    (tmp_path / "d.txt").write_text("dog Hund\n")
    given = {"dictionary": [f"en-de={tmp_path / 'd.txt'}"], "recipe": "tlm-mini"} | more
    objectives = [] if "recipe" in more else ['objectives=["tlm", "static"]']
    overrides = ["training.batch=8", *objectives, *more.get("overrides", [])]
    with pytest.raises(UserError, match=said):
        paralign.align(str(base), out=tmp_path / "run", pairs=["en-de=smallworld:0-40"], quiet=True,
                       **given | {"overrides": overrides})  # fmt: skip


@pytest.mark.parametrize("recipe", ["xlm", "dict-mlm", "align-mlm", "pretrain"])
def test_every_way_of_pretraining_reads_pairs(tmp_path, recipe):
    made = paralign.pretrain(
        out=tmp_path / "run", arch="bert:1x32", vocab=400, recipe=recipe, quiet=True,
        pairs=["en-en~trans+inv=smallworld:0-120"],
        overrides=["training.steps=12", "training.batch=16", "training.learning_rate=1e-2", "training.log_every=1"],
    )  # fmt: skip
    log = [line for line in log_of(tmp_path / "run") if "losses" in line]
    wanted = {"xlm": {"mlm", "tlm"}, "dict-mlm": {"dict_mlm"}, "align-mlm": {"mlm", "static"}, "pretrain": {"mlm"}}
    assert set().union(*(line["losses"] for line in log)) == wanted[recipe]
    assert log[-1]["loss"] < log[0]["loss"]
    assert Encoder.from_pretrained(made).twin_offset > 0


def test_another_dictionary_is_refused_when_a_run_goes_on(base, tmp_path):
    lexicon = tmp_path / "en-de.txt"
    lexicon.write_text("dog Hund\nhouse Haus\n", encoding="utf-8")
    given = {"model": str(base), "out": tmp_path / "run", "pairs": ["en-de=smallworld:0-40"], "quiet": True,
             "dictionary": [f"en-de={lexicon}"], "recipe": "tlm-mini",
             "overrides": ['objectives=["tlm", "static"]', "training.steps=4", "training.batch=8"]}  # fmt: skip
    with stopped_at(2):
        paralign.align(**given)
    lexicon.write_text("dog Hund\ncat Katze\n", encoding="utf-8")
    with pytest.raises(UserError, match="the dictionary changed since this run began"):
        paralign.align(**given, resume=True)
    lexicon.unlink()  # the run has its own
    paralign.align(**given, resume=True)
