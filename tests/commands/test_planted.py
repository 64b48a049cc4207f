"""An encoder constructed so that its bottom layer aligns two languages and its top layer serves only the task."""

import pytest
import torch

from paralign.commands.analyze_ablation import analyze_ablation
from paralign.commands.analyze_similarity import analyze_similarity
from paralign.encoder import Encoder
from paralign.formats.lines import write_lines
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_text

K, D = 32, 64


@pytest.fixture(scope="module")
def planted(tokenizer, tmp_path_factory):
    """``en`` uses the first K dimensions, ``en~trans`` the next K; layer 0 maps these to the first."""
    encoder = Encoder.from_scratch(f"bert:2x{D}", tokenizer, max_length=140, dropout=0.0, twins=True)
    bert = encoder.model.base_model
    with torch.no_grad():
        table = bert.embeddings.word_embeddings.weight
        vectors = torch.randn(len(tokenizer), K, generator=torch.Generator().manual_seed(0))
        table.zero_()
        table[: len(tokenizer), :K] = vectors
        table[encoder.twin_offset : 2 * encoder.twin_offset, K : 2 * K] = vectors
        bert.embeddings.position_embeddings.weight.zero_()
        bert.embeddings.token_type_embeddings.weight.zero_()
        layer = bert.encoder.layer[0]
        layer.attention.output.dense.weight.zero_()
        move = torch.zeros(D, D)  # x + move·x: the second block is added to the first, and emptied
        move[:K, K : 2 * K], move[K : 2 * K, K : 2 * K] = torch.eye(K), -torch.eye(K)
        up, down = layer.intermediate.dense, layer.output.dense
        up.weight.zero_()
        down.weight.zero_()
        up.weight[:D], up.weight[D : 2 * D] = torch.eye(D), -torch.eye(D)  # gelu(x) - gelu(-x) = x
        down.weight[:, :D], down.weight[:, D : 2 * D] = move, -move
    folder = tmp_path_factory.mktemp("planted") / "encoder"
    encoder.save_pretrained(folder)
    return folder


def test_similarity_shows_the_layers_in_which_languages_agree(planted, tmp_path):
    write_lines(tmp_path / "en", (text for _, text in read_text(parse_text("en=smallworld:0-80"))))
    rows = analyze_similarity([str(planted)], text=[f"en={tmp_path / 'en'}", f"en~trans={tmp_path / 'en'}"],
                              out=tmp_path / "run", quiet=True)  # fmt: skip
    cosine, found = ({r.where.layer: r.value for r in rows if r.metric == name} for name in ("cosine", "retrieval"))
    assert cosine[0] < 0.5
    assert [cosine[1], cosine[2], found[1], found[2]] == pytest.approx([1, 1, 1, 1])


def test_the_ablation_shows_the_layers_that_transfer_depends_on(planted, tmp_path):
    cells = analyze_ablation(
        [str(planted)], task="pos", train=["en=smallworld:100-400"], width=1, out=tmp_path / "out", quiet=True,
        eval=["en=smallworld:400-440", "en~trans=smallworld:400-440"],
        overrides=["training.epochs=4", "training.learning_rate=3e-3", "training.batch=16",
                   "layers.freeze=embeddings,0"],  # what English alone teaches them would part the languages
    )  # fmt: skip
    score = {(cell.reset, cell.target): cell.score for cell in cells}
    gap = {(cell.reset, cell.target): cell.difference for cell in cells if cell.reset}
    assert score["", "en"] > 0.6
    assert score["", "en~trans"] == score["", "en"]
    assert gap["0", "en~trans"] < -0.3  # the bottom: transfer is gone, the source is not
    assert gap["0", "en"] > -0.1
    assert gap["1", "en~trans"] > -0.05  # the top: nothing is
    assert gap["1", "en"] > -0.05
