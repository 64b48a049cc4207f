"""Causal language models are measured as encoders are, named so in the report, and refused wherever one is needed."""

import numpy as np
import pytest
from transformers import AutoModel, AutoTokenizer

import paralign
from paralign.__main__ import main
from paralign.commands.align_words import align_words
from paralign.commands.analyze_encoders import analyze_encoders
from paralign.commands.analyze_probes import analyze_probes
from paralign.commands.analyze_similarity import analyze_similarity
from paralign.encoder import Encoder
from paralign.errors import UserError
from paralign.metrics import space
from paralign.metrics.cka import cka
from paralign.report import write_report
from paralign.results import read_results
from paralign.smallworld import World
from paralign.text.words import word_spans
from paralign.training.learner import Learner
from tests.encoder.causal_models import save_causal
from tests.oracles import margin_loops, retrieval_loops
from tests.oracles import similarity_loops as loops
from tests.oracles.causal_alone import states_alone, vectors_alone
from tests.report.reading import text_of

N = 24
DATA = f"en-de=smallworld:0-{N}"


@pytest.fixture(scope="module", params=["llama", "qwen2"])
def folder(request, sentences, tmp_path_factory):
    side = "left" if request.param == "qwen2" else "right"
    return save_causal(request.param, sentences, tmp_path_factory.mktemp("causal") / request.param, side)


@pytest.fixture(scope="module")
def llama(sentences, tmp_path_factory):
    return save_causal("llama", sentences, tmp_path_factory.mktemp("causal") / "llama", "right")


@pytest.fixture(scope="module")
def plain(folder):
    return AutoModel.from_pretrained(folder, attn_implementation="eager").eval(), AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def sides():
    world = World(0)
    return [[world.sentence(k, language).text for k in range(N)] for language in ("en", "de")]


@pytest.mark.parametrize(("layer", "number"), [(0, 0), (0.67, 2), (None, 3)])
def test_retrieval_is_that_of_plain_vectors(folder, plain, sides, tmp_path, layer, number):
    rows = paralign.evaluate(
        str(folder), task="retrieval", data=DATA, layer=layer, dataset="pairs", out=tmp_path / "run", quiet=True
    )
    assert {(row.where.layer, row.where.pool) for row in rows} == {(number, "last"), (number, "mean")}
    assert len(rows) == 8
    for pool in ("last", "mean"):
        a, b = (vectors_alone(*plain, texts, number, pool) for texts in sides)
        for metric, k in (("accuracy_cosine", None), ("accuracy_csls", 10)):
            for direction, x, y in (("en-de", a, b), ("de-en", b, a)):
                (row,) = (r for r in rows if (r.where.pool, r.metric, r.where.direction) == (pool, metric, direction))
                assert row.value == pytest.approx(np.mean(retrieval_loops.hits(x, y, k)), abs=1e-9)
    if layer is None:
        words = text_of(write_report([tmp_path / "run"], tmp_path / "page.html"))[1]
        assert f"{folder.name} (causal LM, evaluation only)" in words
        assert "last piece" in words


def test_mining_is_that_of_plain_vectors(folder, plain, sides, tmp_path):
    for language, side, texts in (("de", "de", sides[1]), ("en", "en", sides[0])):
        lines = [f"{language}-{k}\t{text}" for k, text in enumerate(texts)]
        (tmp_path / f"de-en.training.{side}").write_text("\n".join(lines) + "\n")
    gold = {(f"de-{k}", f"en-{k}") for k in range(N)}
    (tmp_path / "de-en.training.gold").write_text("".join(f"{a}\t{b}\n" for a, b in sorted(gold)))
    b, a = (vectors_alone(*plain, texts, 2, "last") for texts in sides)
    mined = margin_loops.mine(a, b, 4, "ratio", "max")
    threshold = sorted(score for _, _, score in mined)[N // 2] - 1e-4
    rows = paralign.evaluate(
        str(folder), task="mining", data=f"de-en={tmp_path / 'de-en.training'}", layer=2, out=tmp_path / "run",
        overrides=["task.pool=last", f"task.threshold={threshold}"], quiet=True,
    )  # fmt: skip
    extracted = {(f"de-{i}", f"en-{j}") for i, j, score in mined if score >= threshold}
    f1, precision, recall = map(float, margin_loops.f1(extracted, gold))
    found = {row.metric: row.value for row in rows}
    assert found == pytest.approx({"f1": f1, "precision": precision, "recall": recall})
    assert {row.where.pool for row in rows} == {"last"}
    (file,) = paralign.predict(
        str(folder), task="mining", data=f"de-en={tmp_path / 'de-en.training'}", out=tmp_path / "mined", quiet=True,
        overrides=["task.layer=2", "task.pool=last", f"task.threshold={threshold}"],
    )  # fmt: skip
    assert {tuple(line.split("\t")[:2]) for line in file.read_text().splitlines()} == extracted


def test_a_suite_measures_them(folder, tmp_path):
    (tmp_path / "suite.toml").write_text(f'[[task]]\ntask = "retrieval"\neval = ["{DATA}"]\n')
    paralign.suite(tmp_path / "suite.toml", models={"llm": str(folder)}, out=tmp_path / "suite", quiet=True)
    paralign.evaluate(str(folder), task="retrieval", data=DATA, out=tmp_path / "run", quiet=True)
    found, alone = (
        {str(row.where) + row.metric: row.value for row in read_results(run)}
        for run in (tmp_path / "suite/retrieval/llm", tmp_path / "run")
    )
    assert found == alone


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_analyses_of_the_space_are_those_of_plain_vectors(folder, plain, sides, tmp_path, pool):
    text = [f"{language}=smallworld:0-{N}" for language in ("en", "de")]
    analyze_encoders("space", str(folder), text=text, out=tmp_path / "space", overrides=[f"space.pool={pool}"])
    analyze_similarity(str(folder), text=text, out=tmp_path / "same", overrides=[f"similarity.pool={pool}"], quiet=True)
    rows = [row for run in ("space", "same") for row in read_results(tmp_path / run)]
    assert {row.where.pool for row in rows} == {pool}
    found = {(row.metric, row.language, row.where.layer): row.value for row in rows}
    for layer in range(4):
        en, de = (np.array(vectors_alone(*plain, texts, layer, pool)) for texts in sides)
        assert found["mean_cosine", "de", layer] == pytest.approx(space.mean_cosine(de), abs=1e-5)
        assert found["mutual_nearest", "de", layer] == pytest.approx(space.mutual_nearest(en, de).mean())
        assert found["language_distance", "de", layer] == pytest.approx(space.language_distance(en, de), rel=1e-3)
        assert found["cka", "de", layer] == pytest.approx(cka(en, de), abs=1e-4)
        hits = [np.mean(retrieval_loops.hits(x.tolist(), y.tolist(), None)) for x, y in ((en, de), (de, en))]
        assert found["retrieval", "de", layer] == pytest.approx(np.mean(hits))
    words = text_of(write_report([tmp_path / "space", tmp_path / "same"], tmp_path / "page.html"))[1]
    assert f"{folder.name} (causal LM, evaluation only)" in words
    assert f"({'last piece' if pool == 'last' else 'mean pooling'})" in words


def test_links_are_those_of_plain_states(folder, plain, tmp_path):
    """English and Chinese: several pieces of bytes belong to one character, which is a word."""
    world, (model, tokenizer) = World(0), plain
    pairs = [tuple(world.sentence(k, language).text for language in ("en", "zh")) for k in range(8)]
    align_words(
        "en-zh=smallworld:0-8", method="similarity", model=str(folder), out=tmp_path / "links", quiet=True,
        overrides=["words.layer=0.67", "words.unit=word", "words.matching=argmax"],
    )  # fmt: skip
    for pair, line in zip(pairs, (tmp_path / "links").read_text().splitlines(), strict=True):
        words = []
        for text in pair:
            states = states_alone(model, tokenizer, text)[1][2]
            states = states[len(states) - len(tokenizer(text, add_special_tokens=False)["input_ids"]) :]
            offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
            spans = word_spans(text)
            words.append(
                [
                    np.mean([s for s, (a, b) in zip(states, offsets, strict=True) if a < end and start < b], 0).tolist()
                    for start, end in spans
                ]
            )
        forward, backward = loops.directions([[loops.cosine(x, y) for y in words[1]] for x in words[0]])
        assert line == " ".join(f"{i}-{j}" for i, j in sorted(forward & backward))
    rows = paralign.evaluate(str(folder), task="alignment", data=DATA, layer=0.5, out=tmp_path / "run", quiet=True)
    assert {(row.metric, row.where.layer) for row in rows} == {("aer", 2), ("precision", 2), ("recall", 2)}


def test_probes_read_rows_at_their_last_piece_and_no_words(folder, plain, tmp_path):
    data = {"task": "nli", "train": "en=smallworld:0-30", "eval": "de=smallworld:40-60"}
    rows = analyze_probes(str(folder), **data, out=tmp_path / "run", overrides=["probes.pool=last"], quiet=True)
    assert {(row.where.layer, row.where.pool) for row in rows} == {(layer, "last") for layer in range(4)}
    with pytest.raises(UserError, match="the first piece of a causal language model"):
        analyze_probes(str(folder), **data, out=tmp_path / "cls", overrides=["probes.pool=cls"], quiet=True)
    with pytest.raises(UserError, match="is a causal language model, not an encoder"):
        analyze_probes(str(folder), **data | {"task": "pos"}, out=tmp_path / "pos", quiet=True)
    assert not (tmp_path / "cls").exists()
    assert not (tmp_path / "pos").exists()


MODEL = ["--model", "{model}"]
POS = ["--task", "pos", "--train", "en=smallworld:0-10", "--eval", "de=smallworld:0-10"]


@pytest.mark.parametrize(
    "command",
    [
        ["align", *MODEL, "--pairs", DATA, "--recipe", "moco-mini"],
        ["align", "--model", "paralign-mini", "--pairs", DATA, "--set", 'objectives=["distill"]',
         "--set", "distill.teacher={model}", "--batch-size", "4"],
        ["pretrain", *MODEL, "--text", "en=smallworld:0-20"],
        ["finetune", *MODEL, *POS],
        ["evaluate", *MODEL, "--task", "lexicon", "--data", "en-de=smallworld"],
        ["evaluate", *MODEL, "--task", "nli", "--data", "en=smallworld:0-10"],
        ["predict", *MODEL, "--task", "nli", "--data", "en=smallworld:0-10"],
        ["analyze", "ablation", *MODEL, *POS],
        ["analyze", "embeddings", *MODEL, "--pairs", DATA],
        ["map", *MODEL, "--pairs", DATA],
        ["export", "{model}"],
        ["words", *MODEL, "--method", "hmm", "--pairs", DATA],
        ["corpus", "build", *MODEL, "--pairs", DATA],
        ["suite", "quick", "--model", "base={model}"],
    ],
    ids=lambda command: "-".join(word for word in command[:2] if word[0] not in "-{"),
)  # fmt: skip
def test_other_commands_refuse_them_in_one_line(command, llama, tmp_path, capsys):
    arguments = [word.format(model=llama) if "{" in word else word for word in command]
    assert main([*arguments, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    refusal = "the tokenizer has no mask token" if command[0] == "corpus" else "is a causal language model, not an enc"
    assert refusal in lines[0]
    assert not (tmp_path / "out").exists()


def test_an_objective_does_not_train_one_that_is_loaded(folder):
    with pytest.raises(UserError, match="objectives train encoders, not causal language models"):
        Learner(Encoder.from_pretrained(folder, allow_causal=True), {})
