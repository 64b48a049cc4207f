"""Encoders that come with paralign: whole, offline, as their card says."""

import hashlib
import json
import math
import re
import socket

import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

import paralign
from paralign.__main__ import main
from paralign.encoder import Encoder
from paralign.models import shipped, shipped_names
from paralign.smallworld import World

NAME = "paralign-mini"
SENTENCES = {
    "en": "I do not know what you are talking about.",
    "de": "Ich weiß nicht, was ich heute machen soll.",
    "fr": "Je ne sais pas ce que tu veux faire.",
    "es": "No sé lo que quieres hacer mañana.",
    "zh": "我不知道你在说什么。",
    "bg": "Не знам какво искаш да направиш.",
    "ar": "لا أعرف ماذا تريد أن تفعل.",
    "hi": "आप क्या करना चाहते हैं?",
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="module")
def facts():
    return json.loads((shipped(NAME) / "paralign.json").read_text("utf-8"))


def test_its_weights_are_those_its_run_wrote(facts):
    folder = shipped(NAME)
    card = (folder / "README.md").read_text("utf-8")
    assert Encoder.from_pretrained(NAME).digest() == facts["model_hash"]
    assert f"`{facts['model_hash']}`" in card
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() in card
    assert sum(path.stat().st_size for path in folder.iterdir()) < 32 * 2**20


def test_the_card_says_license_and_languages_and_nothing_of_the_machine(facts, capsys):
    folder = shipped(NAME)
    front = (folder / "README.md").read_text("utf-8").split("---\n")[1]
    assert "license: apache-2.0" in front
    assert re.findall(r"^- (..)$", front, re.M) == facts["languages"]
    assert sorted(facts["languages"]) == sorted(SENTENCES)
    for name in ("README.md", "paralign.json"):
        assert not re.search(r"(?<![:/\w.])/(tmp|home|work|root|usr)\b", (folder / name).read_text("utf-8"))
    assert shipped_names() == [NAME]
    assert main(["list", "models"]) == 0
    assert capsys.readouterr().out.split() == [NAME, *facts["languages"]]


@pytest.mark.parametrize("language", SENTENCES)
def test_transformers_alone_loads_it_and_it_guesses_better_than_a_unigram(language):
    """Leaving each piece out in turn: chance is ln 16,000 = 9.7, word frequencies alone are above 6."""
    tokenizer = AutoTokenizer.from_pretrained(shipped(NAME))
    model = AutoModelForMaskedLM.from_pretrained(shipped(NAME)).eval()
    ids = tokenizer(SENTENCES[language], return_tensors="pt")["input_ids"]
    assert tokenizer.unk_token_id not in ids
    inner = ids.shape[1] - 2
    rows = ids.repeat(inner, 1)
    places = torch.arange(inner) + 1
    rows[torch.arange(inner), places] = tokenizer.mask_token_id
    with torch.no_grad():
        logits = model(rows).logits.float()[torch.arange(inner), places]
    loss = torch.nn.functional.cross_entropy(logits, ids[0, 1:-1]).item()
    assert math.isfinite(loss)
    assert loss < 5.0


def test_a_folder_of_that_name_comes_first(tmp_path, monkeypatch):
    (tmp_path / NAME).mkdir()
    monkeypatch.chdir(tmp_path)
    assert shipped(NAME) is None


def test_it_can_be_measured_and_aligned_by_name(tmp_path):
    world = World(0)
    rows = (f"{world.sentence(k, 'en').text}\t{world.sentence(k, 'de').text}\n" for k in range(40))
    (tmp_path / "pairs.tsv").write_text("".join(rows))
    pairs = f"en-de={tmp_path / 'pairs.tsv'}"
    paralign.evaluate(NAME, task="retrieval", data=[pairs], out=tmp_path / "scores", quiet=True)
    assert (tmp_path / "scores" / "results.jsonl").is_file()
    made = paralign.align(NAME, out=tmp_path / "run", pairs=[pairs], recipe="ppa-mini", quiet=True,
                          overrides=["training.steps=2", "training.batch=8", "moco.queue=16"])  # fmt: skip
    told = json.loads((made / "paralign.json").read_text("utf-8"))
    assert told["base"] == NAME
    assert told["parent"] == json.loads((shipped(NAME) / "paralign.json").read_text("utf-8"))["model_hash"]
