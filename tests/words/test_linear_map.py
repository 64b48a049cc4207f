"""Linear maps: known rotations are recovered, and applied to their language only."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import paralign
from paralign.encoder.sentences import sentence_vectors
from paralign.errors import UserError
from paralign.results import read_results
from paralign.runs.layer_choice import choose_layer
from paralign.smallworld import World
from paralign.words import linear_map
from paralign.words.linear_map import LinearMap, fit_map

TEXTS = [f"{a} {b} ." for a in ("red", "big", "old", "new") for b in ("house", "dog", "man", "book", "tree", "day")] * 4


class RotatedVectors:
    """Random word vectors; those of the second side are those of the first, rotated, with noise."""

    def __init__(self, turn, noise):
        self.turn, self.noise, self.calls = turn, noise, 0

    def __call__(self, encoder, texts, language, *, layer, unit, tokenized):
        draw = torch.Generator().manual_seed(7)
        words = sum(len(text.split()) for text in texts)
        states = torch.nn.functional.normalize(torch.randn(words, len(self.turn), generator=draw), dim=1)
        second = self.calls % 2
        self.calls += 1
        if second:
            states = states @ self.turn.T + self.noise * torch.randn(states.shape, generator=draw)
        starts = np.cumsum([0, *(len(text.split()) for text in texts)])

        class Vectors:
            def positions_of(self, words):
                return np.array([starts[k] + i for k, i in words])

        vectors = Vectors()
        vectors.states = states
        return vectors


def rotation(d, seed=0):
    return torch.linalg.qr(torch.randn(d, d, generator=torch.Generator().manual_seed(seed)))[0]


@pytest.mark.parametrize("kind", ["orthogonal", "linear"])
def test_a_known_rotation_is_recovered(encoder, monkeypatch, kind):
    turn = rotation(encoder.width)
    monkeypatch.setattr(linear_map, "WordVectors", RotatedVectors(turn, 0.0))
    links = [[(0, 0), (1, 1), (2, 2)]] * len(TEXTS)
    matrix, facts = fit_map(encoder, zip(TEXTS, TEXTS, strict=True), links, layer=2, kind=kind)
    assert torch.allclose(matrix, turn, atol=2e-3)
    assert facts["words"] == 3 * len(TEXTS)
    assert facts["after"] == pytest.approx(1, abs=1e-3)
    assert abs(facts["before"]) < 0.3


def test_the_orthogonal_map_is_a_rotation_and_the_linear_one_is_least_squares(encoder, monkeypatch):
    planted = RotatedVectors(rotation(encoder.width), 0.3)
    links = [[(0, 0), (1, 1), (2, 2)]] * len(TEXTS)
    monkeypatch.setattr(linear_map, "WordVectors", planted)
    matrix, _ = fit_map(encoder, zip(TEXTS, TEXTS, strict=True), links, layer=2)
    assert torch.allclose(matrix @ matrix.T, torch.eye(encoder.width), atol=1e-5)
    free, _ = fit_map(encoder, zip(TEXTS, TEXTS, strict=True), links, layer=2, kind="linear")
    planted.calls = 0
    y, x = (
        planted(encoder, TEXTS, None, layer=2, unit="word", tokenized=False).states.double().numpy() for _ in range(2)
    )
    right = np.linalg.lstsq(x, y, rcond=None)[0]
    assert np.abs(free.numpy() - right).max() < 0.01


def test_cosines_are_measured_on_a_sample_of_the_first_windows_that_keeps_no_others_alive(encoder, monkeypatch):
    texts, width = [" ".join("abcd")] * 20, encoder.width
    links = [[(0, 0), (1, 1), (2, 2), (3, 3)]] * len(texts)
    measured = []
    cosine = torch.nn.functional.cosine_similarity
    monkeypatch.setattr(linear_map, "WordVectors", RotatedVectors(rotation(width), 0.3))
    for name, value in (("_WINDOW", 5), ("_SAMPLE", 3), ("_SAMPLED_WINDOWS", 2)):
        monkeypatch.setattr(linear_map, name, value)
    cat = torch.cat
    monkeypatch.setattr(torch, "cat", lambda parts: measured.append(parts) or cat(parts))
    _, facts = fit_map(encoder, zip(texts, texts, strict=True), links, layer=2)
    assert facts["words"] == 80
    assert [[part.untyped_storage().nbytes() for part in side] for side in measured] == [[3 * width * 8] * 2] * 2
    x, y = (cat(parts) for parts in measured)
    assert facts["before"] == float(cosine(x, y).mean())


def test_a_map_is_applied_to_its_language_and_layer_only(make_encoder):
    encoder = make_encoder().eval()

    def vectors(language, layer):
        return sentence_vectors(encoder, TEXTS[:5], language, pools=("mean",), layer=layer)[0]["mean"]

    plain = {layer: vectors(None, layer) for layer in (1, 2)}
    turn = rotation(encoder.width, 3)
    encoder.use_map("de", 2, turn)
    assert np.array_equal(vectors(None, 2), plain[2])
    assert np.array_equal(vectors("en", 2), plain[2])
    mapped, lower = vectors("de", 2), vectors("de", 1)
    assert np.allclose(mapped, plain[2] @ turn.numpy(), atol=1e-5)
    assert np.array_equal(lower, plain[1])


@pytest.mark.parametrize(("layer", "number"), [(-1, 3), (0.67, 2), (1.0, 3), (1, 1), (np.int64(1), 1)], ids=repr)
@pytest.mark.parametrize("language", ["de", "German", "ger"])
def test_a_map_takes_layers_and_languages_as_an_encoder_does(layer, number, language, make_encoder):
    encoder = make_encoder("bert:3x32").eval()
    plain = {n: encoder.encode(TEXTS[:5], "de", layer=n) for n in range(4)}
    encoder.use_map(language, layer, 2 * torch.eye(encoder.width))
    for n, vectors in plain.items():
        for name in ("de", "German"):
            np.testing.assert_allclose(
                encoder.encode(TEXTS[:5], name, layer=n), (2 if n == number else 1) * vectors, atol=1e-5
            )
        assert np.array_equal(encoder.encode(TEXTS[:5], "en", layer=n), vectors)


def test_a_map_of_a_layer_that_does_not_exist_is_refused(encoder):
    with pytest.raises(UserError, match=r"there is no layer 3 \(layers are 0 \(embeddings\) to 2"):
        encoder.use_map("de", 3, torch.eye(encoder.width))


def test_linked_words_become_more_similar_and_results_record_the_map(base, tmp_path):
    made = paralign.make_map(str(base), pairs="en-de=smallworld:0-300", out=tmp_path / "map", quiet=True)
    assert made.facts["after"] > made.facts["before"]
    assert LinearMap.load(tmp_path / "map").facts == made.facts
    found = {}
    for name, maps in (("plain", []), ("mapped", [tmp_path / "map"])):
        paralign.evaluate(
            str(base), task="retrieval", data=["en-de=smallworld:600-680"], maps=maps, out=tmp_path / name, quiet=True
        )
        rows = read_results(tmp_path / name / "results.jsonl")
        found[name] = np.mean([row.value for row in rows if row.where.pool == "mean" and row.metric.endswith("cosine")])
        assert {"maps" in row.settings for row in rows} == {bool(maps)}
    assert found["mapped"] != found["plain"]
    assert rows[0].settings["system"].endswith(", mapped")


@pytest.mark.parametrize("layer", [1, -2, 0.5])
def test_layers_are_counted_as_by_the_encoder(base, tmp_path, layer):
    made = paralign.make_map(str(base), pairs="en-de=smallworld:0-40", layer=layer, out=tmp_path / "map", quiet=True)
    assert made.facts["layer"] == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"layer": 9}, "there is no layer 9"),
        ({"layer": 0}, r"there is no layer 0 \(layers are 1 to 2"),
        ({"kind": "crooked"}, "unknown kind of map 'crooked'"),
        ({"pairs": "en-de=smallworld:0-2"}, "fewer than the 32 dimensions"),
        ({"method": "hmn"}, "did you mean 'hmm'"),
    ],
)
def test_errors_leave_no_files(base, tmp_path, more, message):
    given = {"pairs": "en-de=smallworld:0-40", "out": tmp_path / "map", "quiet": True} | more
    with pytest.raises(UserError, match=message):
        paralign.make_map(str(base), **given)
    assert not (tmp_path / "map").exists()


def test_a_missing_map_or_one_of_another_encoder_is_an_error(base, make_encoder, tmp_path):
    paralign.make_map(str(base), pairs="en-de=smallworld:0-60", out=tmp_path / "map", quiet=True, method="ibm")
    make_encoder(seed=9).save_pretrained(tmp_path / "other")
    for model, place, message in (
        (tmp_path / "other", tmp_path / "map", "learned for another encoder"),
        (base, tmp_path / "other", "not a linear map"),
        (base, tmp_path / "none", "none: there is no such folder"),
    ):
        with pytest.raises(UserError, match=message):
            paralign.evaluate(
                str(model),
                task="retrieval",
                data=["en-de=smallworld:0-40"],
                maps=[place],
                out=tmp_path / "run",
                quiet=True,
            )
    with pytest.raises(UserError, match="already exists"):
        paralign.make_map(str(base), pairs="en-de=smallworld:0-60", out=tmp_path / "map", quiet=True)


def test_a_map_without_effect_is_an_error(base, tmp_path):
    for name, pairs in (("de", "en-de=smallworld:0-60"), ("fr", "en-fr=smallworld:0-60")):
        paralign.make_map(str(base), pairs=pairs, out=tmp_path / name, quiet=True, method="ibm")
    given = {"task": "retrieval", "data": ["en-de=smallworld:0-40"], "out": tmp_path / "run", "quiet": True}
    for more, message in (
        ({"maps": [tmp_path / "fr"]}, "a map was not used"),
        ({"maps": [tmp_path / "de"], "layer": 1}, "a map was not used"),
        ({"maps": [tmp_path / "de", tmp_path / "de"]}, "a second map of 'de'"),
    ):
        with pytest.raises(UserError, match=message):
            paralign.evaluate(str(base), **given | more)
    assert not (tmp_path / "run").exists()


def test_a_map_that_only_the_choice_of_the_layer_used_is_an_error(base, tmp_path, monkeypatch):
    def choose_embeddings(*given):
        return replace(choose_layer(*given), settings={"layer": 0}, layer=0, pool="mean")

    monkeypatch.setattr("paralign.commands.evaluate.choose_layer", choose_embeddings)
    paralign.make_map(str(base), pairs="en-de=smallworld:0-60", out=tmp_path / "de", quiet=True, method="ibm")
    given = {"task": "retrieval", "data": "en-de=smallworld:0-40", "dev": "en-de=smallworld:50-70", "quiet": True}
    with pytest.raises(UserError, match=r"was not used.*\(layer 0, mean was chosen on development data\)"):
        paralign.evaluate(str(base), **given, maps=tmp_path / "de", out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_map_that_was_fitted_on_the_test_file_causes_a_warning(base, tmp_path, capsys):
    for name, numbers in (("pairs", range(80)), ("other", range(90, 120))):
        sentences = [[World(0).sentence(k, tag).text for tag in ("en", "de")] for k in numbers]
        (tmp_path / f"{name}.tsv").write_text("".join(f"{en}\t{de}\n" for en, de in sentences))
    folder = tmp_path / "map"
    paralign.make_map(str(base), pairs=f"en-de={tmp_path}/pairs.tsv", out=folder, quiet=True)
    for name, warns in (("pairs", True), ("other", False)):
        data, out = f"en-de={tmp_path}/{name}.tsv", tmp_path / f"run-{name}"
        paralign.evaluate(str(base), task="retrieval", data=data, out=out, maps=folder)
        assert (f"the map {folder} was fitted on this file" in capsys.readouterr().err) == warns


def test_layers_that_are_chosen_on_the_test_data_cause_a_warning(base, tmp_path, capsys):
    for dev, warns in (("0-20", True), ("100-120", False)):
        capsys.readouterr()
        paralign.evaluate(str(base), task="retrieval", data="en-de=smallworld:0-20", dev=f"en-de=smallworld:{dev}",
                          out=tmp_path / dev, overrides=["task.precision=fp32"])  # fmt: skip
        assert ("also in the development data" in capsys.readouterr().err) == warns
