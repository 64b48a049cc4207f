"""Saving, loading, building from scratch, and folders that are no models."""

import inspect
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

from paralign.encoder import Encoder, train_tokenizer
from paralign.encoder.loading import load_tokenizer
from paralign.encoder.sentences import sentence_vectors, sentence_view
from paralign.encoder.vectors import layer_vectors, piece_states
from paralign.errors import UserError
from paralign.tasks.example_batches import example_view
from paralign.tasks.lexicon import word_vectors
from paralign.tasks.supervised import SupervisedTask
from paralign.tasks.word_rows import word_rows
from paralign.words.word_vectors import WordVectors

TEXTS = ["The happy student chooses a hotel.", "Fünf Köche.", "快乐的学生选择一家酒店。", "x"]


@pytest.mark.parametrize("arch", ["bert:2x32", "roberta:1x64", "xlm-r:1x32"])
def test_a_saved_encoder_is_a_plain_folder(arch, sentences, tmp_path):
    tokenizer = train_tokenizer(sentences, size=800, family=arch.partition(":")[0])
    encoder = Encoder.from_scratch(arch, tokenizer, max_length=64, seed=3).eval()
    encoder.save_pretrained(tmp_path / "saved")
    assert (tmp_path / "saved" / "model.safetensors").is_file()

    plain = AutoTokenizer.from_pretrained(tmp_path / "saved")
    inputs = plain("Fünf Köche kochen.", "Five cooks.", return_tensors="pt")
    with torch.no_grad():
        wanted = encoder.model(**inputs)
        torch.testing.assert_close(
            AutoModelForMaskedLM.from_pretrained(tmp_path / "saved")(**inputs).logits, wanted.logits
        )
        bare = AutoModel.from_pretrained(tmp_path / "saved").eval()
        torch.testing.assert_close(
            bare(**inputs).last_hidden_state, encoder.model.base_model(**inputs).last_hidden_state
        )
    # A name that transformers 4 knows, and nothing of how it was loaded.
    said = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert said["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert not {"backend", "is_local", "local_files_only"} & set(said)
    again = Encoder.from_pretrained(tmp_path / "saved")
    assert again.digest() == encoder.digest()
    assert again.tokenizer_id == encoder.tokenizer_id
    assert again.template == encoder.template
    assert again.max_pieces == 64


def test_wrong_targets_of_a_saved_encoder_are_refused(encoder, tmp_path):
    with pytest.raises(UserError, match=r"model: weights cannot be saved as 'bf16' \(use fp32 or fp16\)"):
        encoder.save_pretrained(tmp_path / "model", weights="bf16")
    assert not (tmp_path / "model").exists()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file: is a file, not a folder"):
        encoder.save_pretrained(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_from_scratch_has_the_requested_shape(tokenizer):
    encoder = Encoder.from_scratch("bert:3x64", tokenizer, max_length=48, seed=1)
    assert (encoder.layers, encoder.width, encoder.max_pieces) == (3, 64, 48)
    assert encoder.embeddings.shape[0] % 8 == 0
    assert 0 <= encoder.embeddings.shape[0] - len(tokenizer) < 8
    v, d = encoder.embeddings.shape
    layer = 4 * (d * d + d) + 2 * 4 * d * d + 4 * d + d + 2 * 2 * d
    head = d * d + d + 2 * d + v
    assert encoder.parameter_count() == v * d + 48 * d + 2 * d + 2 * d + 3 * layer + head
    assert encoder.digest() == Encoder.from_scratch("bert:3x64", tokenizer, max_length=48, seed=1).digest()
    assert encoder.digest() != Encoder.from_scratch("bert:3x64", tokenizer, max_length=48, seed=2).digest()


def test_a_checkpoint_is_no_encoder(tmp_path):
    folder = tmp_path / "checkpoints/step-00000500"
    folder.mkdir(parents=True)
    with pytest.raises(UserError, match=r"no config.json in the model folder \(this is a checkpoint, for --resume"):
        Encoder.from_pretrained(str(folder))


def test_building_leaves_the_random_generator_alone(tokenizer):
    torch.manual_seed(0)
    wanted = torch.rand(3)
    torch.manual_seed(0)
    Encoder.from_scratch("bert:1x32", tokenizer, max_length=16)
    assert torch.equal(torch.rand(3), wanted)


@pytest.mark.parametrize("arch", ["brt:2x32", "bert", "bert:2x33", "bert:0x32", "bert:2x16", "bert:2x32x4"])
def test_unreadable_shapes_are_refused(arch, tokenizer):
    with pytest.raises(UserError, match=r"architecture|shape"):
        Encoder.from_scratch(arch, tokenizer)


def _without_tokenizer(folder):
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        (folder / name).unlink(missing_ok=True)


def _pickled(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _truncated(folder):
    os.truncate(folder / "model.safetensors", 5000)


def _garbled(folder):
    (folder / "config.json").write_text("{")


def _without_weights(folder):
    (folder / "model.safetensors").unlink()


def _without_config(folder):
    (folder / "config.json").unlink()


def _gone(folder):
    shutil.rmtree(folder)


def _a_file(folder):
    shutil.rmtree(folder)
    folder.write_text("no folder")


def _unknown_type(folder):
    (folder / "config.json").write_text('{"model_type": "no-such-model"}')


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_tokenizer, "tokenizer"),
        (_pickled, "only safetensors"),
        (_truncated, "cannot load the model"),
        (_garbled, "cannot load"),
        (_without_weights, r"no \*\.safetensors"),
        (_without_config, "no config.json"),
        (_gone, "no such model folder"),
        (_a_file, "not a model folder"),
        (_unknown_type, "cannot load"),
    ],
)
def test_folders_without_a_model_are_refused_in_one_line(spoil, message, base, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    spoil(folder)
    with pytest.raises(UserError, match=message) as caught:
        Encoder.from_pretrained(folder)
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)


def test_an_encoder_without_vocabulary_head_is_the_same_at_every_load(encoder, tokenizer, tmp_path, capsys):
    """It gets a new head; a resumed run compares the digest of the base."""
    encoder.model.base_model.save_pretrained(tmp_path / "bare")
    tokenizer.save_pretrained(tmp_path / "bare")
    torch.manual_seed(1)
    one = Encoder.from_pretrained(tmp_path / "bare")
    torch.manual_seed(2)
    assert Encoder.from_pretrained(tmp_path / "bare").digest() == one.digest()
    for ours, theirs in zip(one.base_parameters(), encoder.base_parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not capsys.readouterr().err


def test_an_encoder_with_a_layer_missing_is_refused(base, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if "layer.1.output.dense" not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=r"2 weights of the encoder are missing.*layer\.1\.output\.dense"):
        Encoder.from_pretrained(folder)


def test_a_hub_name_without_network_is_refused_in_one_line():
    with pytest.raises(UserError, match="no-such-organisation/no-such-model") as caught:
        Encoder.from_pretrained("no-such-organisation/no-such-model")
    assert "\n" not in str(caught.value)


def test_weights_are_never_unpickled(base, tmp_path):
    """A pickle that would leave a mark when opened, beside a config and a tokenizer."""
    folder = tmp_path / "model"
    shutil.copytree(base, folder)
    (folder / "model.safetensors").unlink()
    mark = tmp_path / "mark"

    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(mark),))

    torch.save({"a": Bomb()}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match="safetensors"):
        Encoder.from_pretrained(folder)
    assert not mark.exists()


def test_a_folder_with_nothing_but_a_tokenizer_gives_the_tokenizer(tokenizer, tmp_path):
    from paralign.encoder.tokenizer import tokenizer_id

    tokenizer.save_pretrained(tmp_path / "tokenizer")
    assert tokenizer_id(load_tokenizer(str(tmp_path / "tokenizer"))) == tokenizer_id(tokenizer)


def test_a_tokenizer_larger_than_the_model_is_refused(encoder, sentences):
    large = train_tokenizer(sentences, size=1000)
    with pytest.raises(UserError, match=r"1,000 pieces, the model only 80\d embeddings"):
        Encoder(encoder.model, large)


def test_sentence_vectors_are_those_of_each_sentence_alone(encoder):
    for layer in (0, 1, None):
        vectors, cut = sentence_vectors(encoder, TEXTS, None, pools=("cls", "mean"), layer=layer, budget=40)
        assert cut == 0
        for row, text in enumerate(TEXTS):
            inputs = encoder.tokenizer(text, return_tensors="pt")
            with torch.no_grad():
                states = encoder.model(**inputs, output_hidden_states=True).hidden_states[
                    -1 if layer is None else layer
                ]
            np.testing.assert_allclose(vectors["cls"][row], states[0, 0], atol=1e-5)
            np.testing.assert_allclose(vectors["mean"][row], states[0, 1:-1].mean(0), atol=1e-5)


def test_long_sentences_are_cut_and_counted(encoder):
    long = " ".join(["student"] * 200)
    pieces = encoder.tokenize([long], None)[0][0]
    vectors, cut = sentence_vectors(encoder, [long, "hotel"], None, pools=("cls",))
    assert cut == 1
    template = encoder.template.single
    row = [*template[0], *pieces[: encoder.max_pieces - 2], *template[1]]
    with torch.no_grad():
        wanted = encoder.model.base_model(input_ids=torch.tensor([row])).last_hidden_state[0, 0]
    np.testing.assert_allclose(vectors["cls"][0], wanted, atol=1e-5)


def test_reading_vectors_leaves_the_mode_and_draws_no_dropout(make_encoder):
    noisy = make_encoder(dropout=0.5)
    noisy.train()
    one, _ = sentence_vectors(noisy, TEXTS, None, pools=("mean",))
    other, _ = sentence_vectors(noisy, TEXTS, None, pools=("mean",))
    assert np.array_equal(one["mean"], other["mean"])
    assert noisy.training


def test_the_public_rooms_do_not_import_torch():
    code = "import sys, paralign.batches.views, paralign.batches.batching; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_functions_that_encode_text_require_its_language():
    for function in (
        Encoder.tokenize, sentence_vectors, layer_vectors, piece_states, sentence_view, example_view, word_rows,
        word_vectors, WordVectors, SupervisedTask.examples,
    ):  # fmt: skip
        assert inspect.signature(function).parameters["language"].default is inspect.Parameter.empty, function
