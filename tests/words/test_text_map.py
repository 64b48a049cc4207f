"""Maps computed from plain text."""

import json

import numpy as np
import pytest
import torch

import paralign
from paralign.__main__ import main
from paralign.commands.align_words import align_words
from paralign.commands.applied_maps import load_maps, use_maps
from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_vectors
from paralign.errors import UserError
from paralign.words.linear_map import LinearMap
from paralign.words.text_map import maps_of_means

SHIFT = ["--kind", "shift", "--text", "en=smallworld:0-40", "--text", "de=smallworld:50-90"]
TEXT = ["en=smallworld:0-40", "de=smallworld:50-90", "fr=smallworld:20-70"]


def drawn(seed, shift=0.0, n=60, d=5):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(n, d)) + shift)


def fitted(vectors, **settings):
    means = {name: rows.mean(0) for name, rows in vectors.items()}
    return maps_of_means(means, {name: rows.T @ rows / len(rows) for name, rows in vectors.items()}, **settings)


def applied(rows, made):
    matrix, bias = made
    return rows @ matrix.double() + bias.double()


def test_a_shift_moves_the_mean_of_each_language_to_that_of_the_pivot():
    vectors = {"en": drawn(0, 1.0), "de": drawn(1, -2.0), "fr": drawn(2, 5.0)}
    maps = fitted(vectors, kind="shift")
    assert set(maps) == {"de", "fr"}
    for language, made in maps.items():
        moved = applied(vectors[language], made)
        torch.testing.assert_close(moved.mean(0), vectors["en"].mean(0), atol=1e-5, rtol=0)
        torch.testing.assert_close(moved - moved[0], vectors[language] - vectors[language][0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("components", [1, 3])
def test_lir_removes_the_first_singular_vectors_of_each_language(components):
    vectors = {"en": drawn(0, 2.0), "de": drawn(1, [3.0, 0, 0, -1, 0])}
    for language, made in fitted(vectors, kind="lir", components=components).items():
        rows = vectors[language].numpy()
        left, values, right = np.linalg.svd(rows, full_matrices=False)
        values[:components] = 0  # what is left of the best approximation of this rank
        assert np.allclose(applied(vectors[language], made).numpy(), left * values @ right, atol=1e-4)


def test_lsar_makes_the_means_equal_and_keeps_what_is_orthogonal():
    vectors = {"en": drawn(0, 1.0), "de": drawn(1, [0, 2.0, 0, 0, 0]), "fr": drawn(2, [0, 0, -4.0, 0, 0])}
    maps = fitted(vectors, kind="lsar")
    moved = {name: applied(rows, maps[name]) for name, rows in vectors.items()}
    for name in ("de", "fr"):
        torch.testing.assert_close(moved[name].mean(0), moved["en"].mean(0), atol=1e-5, rtol=0)
    differences = torch.stack([vectors[name].mean(0) - vectors["en"].mean(0) for name in ("de", "fr")])
    normal = torch.linalg.svd(differences, full_matrices=True).Vh[2:]  # a basis of the rest
    for name, rows in vectors.items():
        torch.testing.assert_close(moved[name] @ normal.T, rows @ normal.T, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "languages"), [("shift", ["de", "fr"]), ("lir", ["de", "en", "fr"]), ("lsar", ["de", "en", "fr"])]
)
def test_the_command_writes_a_map_for_each_language_and_evaluate_applies_them(kind, languages, base, tmp_path):
    words = ["map", "--model", str(base), "--kind", kind, "--out", str(tmp_path / "maps"), "--layer", "1", "--quiet"]
    assert main([*words, *(part for spec in TEXT for part in ("--text", spec))]) == 0
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == languages
    encoder = Encoder.from_pretrained(base)
    sentences = [f"Sentence {k}." for k in range(5)]
    plain = sentence_vectors(encoder, sentences, "de", pools=["mean"], layer=1)[0]["mean"]
    used = use_maps(encoder, encoder.digest(), load_maps([tmp_path / "maps"]))
    assert used == [f"{language}→en ({kind})" for language in languages]
    mapped = sentence_vectors(encoder, sentences, "de", pools=["mean"], layer=1)[0]["mean"]
    loaded = LinearMap.load(tmp_path / "maps" / "de")
    assert np.allclose(mapped, plain @ loaded.matrix.numpy() + loaded.bias.numpy(), atol=1e-5)
    assert not np.allclose(mapped, plain, atol=1e-3)
    assert loaded.facts["sentences"] == 130
    rows = paralign.evaluate(str(base), task="retrieval", data=["en-de=smallworld:0-30"], maps=[tmp_path / "maps"],
                             overrides=["task.layer=1"], out=tmp_path / "run", quiet=True)  # fmt: skip
    assert all(f"de→en ({kind})" in str(row.settings) for row in rows)


@pytest.mark.parametrize("name", ["map.json", "map.safetensors"])
def test_damage_to_a_map_is_noticed(name, base, tmp_path):
    paralign.make_text_maps(str(base), text=TEXT[:2], out=tmp_path / "maps", quiet=True)
    path = tmp_path / "maps" / "de" / name
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    with pytest.raises(UserError, match=rf"{name}: the file is damaged"):
        LinearMap.load(path.parent)


@pytest.mark.parametrize("fact", ["source", "target", "layer", "kind", "model_hash"])
def test_a_map_without_a_fact_is_refused(fact, base, tmp_path):
    paralign.make_text_maps(str(base), text=TEXT[:2], out=tmp_path / "maps", quiet=True)
    folder = tmp_path / "maps" / "de"
    (folder / "digests.json").unlink()
    facts = json.loads((folder / "map.json").read_text())
    del facts[fact]
    (folder / "map.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="not a linear map"):
        LinearMap.load(folder)


def test_a_map_of_another_version_is_refused(base, tmp_path):
    paralign.make_text_maps(str(base), text=TEXT[:2], out=tmp_path / "maps", quiet=True)
    folder = tmp_path / "maps" / "de"
    (folder / "digests.json").unlink()
    facts = json.loads((folder / "map.json").read_text())
    (folder / "map.json").write_text(json.dumps(facts | {"schema": 1}))
    with pytest.raises(UserError, match="de: written by another version of paralign"):
        LinearMap.load(folder)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--kind", "shift", "--pairs", "en-de=smallworld:0-9"], "--kind shift needs --text"),
        (["--text", TEXT[0], "--text", TEXT[1]], "--kind orthogonal needs --pairs"),
        (["--kind", "lir", "--text", TEXT[0]], "needs text of two or more languages"),
        (["--kind", "lir", "--text", TEXT[0], "--text", TEXT[0]], "two texts are in one language"),
        (["--kind", "lir", "--text", TEXT[0], "--text", TEXT[1], "--components", "32"], "cannot remove 32 components"),
        (["--kind", "lir", "--text", "en=smallworld:0-3", "--text", TEXT[1], "--components", "4"], "4 components of 3"),
        (["--kind", "lir", "--text", TEXT[0], "--text", TEXT[1], "--layer", "9"], "there is no layer 9"),
        ([*SHIFT, "--method", "ibm"], "--method has no effect with --text"),
        ([*SHIFT, "--links", "x"], "--links has no effect with --text"),
        ([*SHIFT, "--tokenized"], "--tokenized has no effect with --text"),
        ([*SHIFT, "--components", "1"], "--components has no effect with --kind shift"),
        (["--pairs", "en-de=smallworld:0-9", "--components", "1"], "--components has no effect with --kind orthogonal"),
        (["--pairs", "en-de=x", "--links", "y", "--method", "ibm"], "--method has no effect with --links"),
        (["--pairs", "en-de=smallworld:0-9", "--one-based"], "--one-based describes --links, but none are given"),
    ],
)
def test_what_does_not_fit_is_refused(words, said, base, tmp_path, capsys):
    assert main(["map", "--model", str(base), "--out", str(tmp_path / "maps"), *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "maps").exists()


def test_arguments_without_effect_are_refused_from_python_too(base, tmp_path):
    with pytest.raises(UserError, match="--components has no effect with --kind shift"):
        paralign.make_text_maps(str(base), text=TEXT[:2], out=tmp_path / "maps", components=5)
    (tmp_path / "links").write_text("0-0\n" * 60)
    given = {"pairs": "en-de=smallworld:0-60", "links": tmp_path / "links"}
    with pytest.raises(UserError, match="--method has no effect with --links"):
        paralign.make_map(str(base), **given, out=tmp_path / "maps", method="hmm")
    assert not (tmp_path / "maps").exists()
    paralign.make_map(str(base), **given, out=tmp_path / "maps", quiet=True)


def test_a_text_without_sentences_is_refused(base, tmp_path):
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(UserError, match="there is no sentence in de"):
        paralign.make_text_maps(str(base), text=[TEXT[0], f"de={tmp_path / 'empty.txt'}"], out=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


def test_lines_that_cannot_be_read_and_those_behind_the_limit_do_not_count(base, tmp_path, capsys):
    lines = [b"One house.", b"Two \xff houses.", b"Three houses.", b"Four houses."]
    (tmp_path / "en.txt").write_bytes(b"\n".join(lines) + b"\n")
    (tmp_path / "same.txt").write_bytes(b"\n".join([lines[0], lines[2]]) + b"\n")
    words = ["map", "--model", str(base), "--kind", "shift", "--text", "de=smallworld:0-2"]
    for name, more in (("en", ["--lenient", "--limit", "2"]), ("same", ["--quiet"])):
        assert main([*words, "--text", f"en={tmp_path}/{name}.txt", "--out", str(tmp_path / name), *more]) == 0
    assert "lines dropped: 1 invalid UTF-8\n" in capsys.readouterr().err
    first, second = (LinearMap.load(tmp_path / name / "en") for name in ("en", "same"))
    assert torch.equal(first.bias, second.bias)


def test_links_of_a_file_give_the_same_map(base, tmp_path):
    given = {"pairs": "en-de=smallworld:0-60", "quiet": True}
    rows, _ = align_words(given["pairs"], symmetrize="intersect", out=tmp_path / "links", quiet=True)
    rows = list(rows)
    computed = paralign.make_map(str(base), **given, out=tmp_path / "computed")
    read = paralign.make_map(str(base), **given, out=tmp_path / "read", links=tmp_path / "links")
    assert torch.equal(computed.matrix, read.matrix)
    lines = (" ".join(f"{i + 1}-{j + 1}" for i, j in rows[k]) for k in range(60))
    (tmp_path / "one").write_text("".join(f"{line}\n" for line in lines))
    read = paralign.make_map(str(base), **given, out=tmp_path / "one-map", links=tmp_path / "one", one_based=True)
    assert torch.equal(computed.matrix, read.matrix)


def test_a_limit_of_pairs(base, tmp_path):
    given = {"method": "ibm", "quiet": True}
    few = paralign.make_map(str(base), pairs="en-de=smallworld:0-30", out=tmp_path / "few", **given)
    limited = paralign.make_map(str(base), pairs="en-de=smallworld:0-90", limit=30, out=tmp_path / "limited", **given)
    assert torch.equal(few.matrix, limited.matrix)
