"""What ``export`` writes, loaded by the library it is for."""

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

import paralign
from paralign.__main__ import main
from paralign.encoder import Encoder
from paralign.encoder.card import write_provenance
from paralign.encoder.vectors import sentence_vectors

TEXTS = ["The singers sleep in Rome.", "Die Sänger schlafen.", "x", "Zwei Frauen schreiben manchmal einen Brief."]


def loaded(folder):
    return SentenceTransformer(str(folder), device="cpu", local_files_only=True)


@pytest.mark.parametrize("layer", [None, 1])
def test_first_pieces_are_ours(base, tmp_path, layer):
    out = paralign.export(str(base), tmp_path / "out", pool="cls", layer=layer, quiet=True)
    ours, _ = sentence_vectors(Encoder.from_pretrained(base).eval(), TEXTS, None, pools=["cls"], layer=layer)
    assert np.abs(loaded(out).encode(TEXTS) - ours["cls"]).max() < 1e-5


def test_means_are_over_all_pieces(base, tmp_path):
    out = paralign.export(str(base), tmp_path / "out", pool="mean", quiet=True)
    encoder = Encoder.from_pretrained(base).eval()
    found = loaded(out).encode(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        given = encoder.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            states = encoder.model.base_model(**given).last_hidden_state[0]
        assert np.abs(vector - states.mean(0).numpy()).max() < 1e-5


@pytest.mark.parametrize(("objectives", "pool"), [(["tlm", "moco"], "cls"), (["tlm"], "mean")])
def test_the_pool_is_that_it_was_aligned_by(make_encoder, tmp_path, objectives, pool):
    (tmp_path / "model").mkdir()
    make_encoder().save_pretrained(tmp_path / "model")
    write_provenance(tmp_path / "model", {"method": "PPA", "objectives": objectives})
    out = paralign.export(str(tmp_path / "model"), tmp_path / "out", quiet=True)
    assert loaded(out)[1].pooling_mode == pool
    assert "# PPA" in (out / "README.md").read_text()


def test_long_texts_are_cut_where_the_encoder_ends(base, tmp_path):
    out = paralign.export(str(base), tmp_path / "out", pool="cls", quiet=True)
    encoder = Encoder.from_pretrained(base).eval()
    text = "Haus " * 1000
    ours, cut = sentence_vectors(encoder, [text], None, pools=["cls"])
    assert cut == 1
    assert np.abs(loaded(out).encode([text]) - ours["cls"]).max() < 1e-5


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--layer", "7"], "no hidden state 7"), (["--pool", "max"], "max"), (["--layer", "0"], "--layer")],
)
def test_bad_input(base, tmp_path, capsys, more, message):
    assert main(["export", str(base), "--out", str(tmp_path / "out"), *more]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_stays(base, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").touch()
    assert main(["export", str(base), "--out", str(tmp_path / "out")]) == 2
    assert "already exists" in capsys.readouterr().err
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["mine"]
