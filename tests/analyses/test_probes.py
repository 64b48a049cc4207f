"""``analyze probes``, compared with sentences encoded one by one and words counted in a loop."""

import json

import numpy as np
import pytest
import torch

import paralign
from paralign.config import load_toml
from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_view
from paralign.errors import UserError
from paralign.formats.conllu import UPOS
from paralign.metrics.linear_probe import fit_linear_probe
from paralign.report import write_report
from paralign.results import read_results
from paralign.sources.readers import read_sentence_pairs, read_trees
from paralign.sources.specs import parse_text
from paralign.text.words import word_pieces
from tests.report.reading import text_of

QUICK = {"quiet": True, "overrides": ["probes.items=40", "probes.penalty=5"]}


def word_states(encoder, tree, layer):
    """States of the first piece of each word of one sentence."""
    ((ids, offsets),) = encoder.tokenize([tree.text], None)
    view = sentence_view(encoder, [ids], None)
    with torch.no_grad():
        states = encoder.encode_layers(view, [layer])[0].flat.numpy()
    return states[word_pieces(offsets, tree.spans) + 1]


def by_layer(rows, language, metric):
    return {row.where.layer: row for row in rows if (row.language, row.metric) == (language, metric)}


def test_tagging_is_probed_in_every_layer(base, tmp_path):
    data = {"train": ["en=smallworld:0-40"], "eval": ["en=smallworld:100-130", "de=smallworld:100-130"]}
    rows = paralign.analyze_probes([str(base)], task="pos", out=tmp_path / "run", **data, **QUICK)
    assert read_results(tmp_path / "run") == rows
    config = load_toml(tmp_path / "run" / "config.toml")
    assert (config["settings"]["precision"], config["lenient"]) == ("fp32", False)
    encoder = Encoder.from_pretrained(base).eval()
    train = list(read_trees(parse_text("en=smallworld:0-40")))
    for language, layer in (("en", 0), ("en", 2), ("de", 1)):
        row = by_layer(rows, language, "pos_accuracy")[layer]
        states = np.concatenate([word_states(encoder, tree, layer) for tree in train])
        tags = np.array([UPOS.index(tag) for tree in train for tag in tree.upos])
        probe = fit_linear_probe(states, tags, len(UPOS), penalty=5)
        right = total = 0
        for tree in read_trees(parse_text(f"{language}=smallworld:100-130")):
            answers = probe.log_probabilities(word_states(encoder, tree, layer)).argmax(1)
            right += sum(UPOS[k] == tag for k, tag in zip(answers, tree.upos, strict=True))
            total += len(tree.upos)
        assert row.value == pytest.approx(right / total, abs=2.5 / total)  # near ties, summed in another order
        assert (row.n, row.train, row.where.pool) == (30, "en", None)
    english = [by_layer(rows, "en", "pos_accuracy")[layer].value for layer in (0, 1, 2)]
    assert min(english) > 0.4  # far above the most frequent tag


def test_pairs_are_read_as_one_row(base, tmp_path):
    data = {"train": ["en=smallworld:0-60"], "eval": ["en=smallworld:100-130"]}
    overrides = ["probes.items=60", "probes.pool=cls"]
    rows = paralign.analyze_probes([str(base)], task="nli", out=tmp_path, **data, overrides=overrides, quiet=True)
    encoder = Encoder.from_pretrained(base).eval()
    labels = ("entailment", "neutral", "contradiction")

    def read(spec):
        states, numbers = [], []
        before, middle, after = encoder.template.pair
        for pair in read_sentence_pairs(parse_text(spec)):
            (first, _), (second, _) = encoder.tokenize([pair.first, pair.second], None)
            row = torch.tensor([[*before, *first, *middle, *second, *after]])
            types = torch.tensor([[0] * (len(first) + len(before) + len(middle)) + [1] * (len(second) + len(after))])
            with torch.no_grad():
                out = encoder.model(input_ids=row, token_type_ids=types, output_hidden_states=True)
            states.append(out.hidden_states[1][0, 0].numpy())
            numbers.append(labels.index(pair.label))
        return np.array(states), np.array(numbers)

    probe = fit_linear_probe(*read("en=smallworld:0-60"), 3)
    states, gold = read("en=smallworld:100-130")
    expected = (probe.log_probabilities(states).argmax(1) == gold).mean()
    row = by_layer(rows, "en", "nli_accuracy")[1]
    assert row.value == pytest.approx(expected, abs=0.5 / 30)
    assert row.where.pool == "cls"


def test_an_equal_encoder_has_no_change_and_another_one_has_the_difference_of_scores(base, tmp_path):
    encoder = Encoder.from_pretrained(base)
    encoder.save_pretrained(tmp_path / "copy")
    with torch.no_grad():
        encoder.embeddings.normal_(generator=torch.Generator().manual_seed(0))
    encoder.save_pretrained(tmp_path / "noise")
    data = {"train": ["en=smallworld:0-40"], "eval": ["en=smallworld:100-140"]}
    models = [str(base), str(tmp_path / "copy"), str(tmp_path / "noise")]
    paralign.analyze_probes(models, task="pos", out=tmp_path / "run", **data, **QUICK)
    figure = json.loads((tmp_path / "run/figures/probes.json").read_text())
    first, same, noise = figure["curves"]
    assert first["changes"] == []
    assert [(c["value"], c["low"], c["high"]) for c in same["changes"]] == [(0, 0, 0)] * 3
    for before, after, change in zip(first["values"], noise["values"], noise["changes"], strict=True):
        assert change["value"] == pytest.approx(after["value"] - before["value"])
        assert change["low"] <= change["value"] <= change["high"]
        assert before["low"] <= before["value"] <= before["high"]
    assert first["baselines"]["majority"] < first["values"][0]["value"]
    page, words = text_of(write_report([tmp_path / "run"], tmp_path / "page.html"))
    assert "trained on 40 items of en" in words
    assert "Change from base" in words
    assert [attrs["aria-label"].split(":")[0] for tag, attrs in page.tags if tag == "figure"] == ["en"]
    shown = [attrs["title"] for tag, attrs in page.tags if tag == "td" and "noise" in attrs.get("title", "")]
    for change, text in zip(noise["changes"], shown, strict=True):
        assert f": {100 * change['value']:+.3g} (" in text
    assert not page.tables.get("probes: pos_accuracy"), "the figure shows the rows"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"task": "qa"}, "the task 'qa' has no linear probe"),
        ({"task": "retrieval"}, "the task 'retrieval' has no linear probe"),
        ({"overrides": ["training.steps=3"]}, "unknown section 'training'"),
        ({"overrides": ["probes.pool=max"]}, "pool"),
        ({"eval": []}, "no test data"),
        ({"train": ["en=nothing.conllu"]}, "nothing.conllu"),
    ],
)
def test_mistakes_are_refused_before_the_folder_is_written(changed, message, base, tmp_path):
    given = {"task": "pos", "train": ["en=smallworld:0-20"], "eval": ["en=smallworld:20-30"]} | changed
    with pytest.raises(UserError, match=message):
        paralign.analyze_probes([str(base)], out=tmp_path / "run", quiet=True, **given)
    with pytest.raises(UserError, match="is given twice"):
        paralign.analyze_probes([str(base)] * 2, task="pos", train="en=x", eval="en=x", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_truncated_rows_and_the_precision_of_the_task(base, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "paralign.tasks.base.choose_precision", lambda precision, *_, **__: asked.append(precision) or "fp32"
    )
    given = {"task": "nli", "train": "en=smallworld:0-20", "eval": "de=smallworld:0-10", "out": tmp_path / "run"}
    overrides = ["probes.items=20", "task.max_pieces=9", "task.precision=bf16"]
    paralign.analyze_probes(str(base), overrides=overrides, quiet=True, **given)
    assert set(asked) == {"bf16"}
    alarms = json.loads((tmp_path / "run/run.json").read_text())["alarms"]
    assert any("sentence pairs cut to 9 pieces" in line for line in alarms)
