"""Similarity layer by layer: streams against all sentences at once, and planted encoders."""

import json

import numpy as np
import pytest

import paralign
from paralign.analyses.layer_similarity import LayerSimilarityConfig, Streams, stream_pairs
from paralign.commands.analyze_similarity import analyze_similarity
from paralign.encoder import Encoder
from paralign.encoder.sentences import sentence_vectors
from paralign.encoder.vectors import layer_vectors
from paralign.errors import UserError
from paralign.formats.lines import write_lines
from paralign.metrics import retrieval
from paralign.metrics.cka import cka, kernel_cka, rbf_kernel
from paralign.results import read_results
from paralign.runs.folder import RunFolder
from paralign.runs.groups import begin
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_text


def states(n, seed):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 6))
    sides = [rng.normal(size=(3, n, 8)) + 40 for _ in range(2)]
    for layer, weight in enumerate((0.0, 1.0, 4.0)):
        for side in sides:
            side[layer, :, :6] += weight * shared
    return [side.astype(np.float32) for side in sides]


def far(x, y):
    """Mean cosine of all that are not translations."""
    unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y)]
    every = unit[0] @ unit[1].T
    return (every.sum() - every.trace()) / (len(x) * (len(x) - 1))


def streamed(a, b, sizes, **settings):
    streams = Streams([((0, "en"), (0, "de"))], LayerSimilarityConfig(**settings))
    at = 0
    for size in sizes:
        streams.add({(0, "en"): a[:, at : at + size], (0, "de"): b[:, at : at + size]})
        at += size
    assert streams.n == a.shape[1]
    return streams.similarity((0, "en"), (0, "de"))


@pytest.mark.parametrize("debiased", [False, True])
def test_each_number_is_that_of_all_sentences_at_once(debiased):
    a, b = states(200, 0)
    found = streamed(a, b, (120, 80), debiased=debiased)
    for layer, x, y in zip(found, a, b, strict=True):
        assert layer.cka == pytest.approx(cka(x, y, debiased=debiased), rel=1e-4, abs=1e-5)
        unit = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y)]
        assert layer.cosine == pytest.approx((unit[0] * unit[1]).sum(1).mean(), abs=1e-6)
        assert layer.retrieval == pytest.approx(np.mean(retrieval(x, y, None)))
        assert layer.low < layer.cka < layer.high
        if debiased:
            assert abs(layer.shuffled) < 0.06
        else:
            assert 0 < layer.shuffled < 0.1  # what bias reads on 8 dimensions of 200
        if layer.layer:
            assert abs(layer.cosine_shuffled - far(x, y)) < 0.3 * (layer.cosine - far(x, y))
    assert found[0].cka < found[1].cka < found[2].cka
    kept = streamed(a, b, (120, 80), debiased=debiased, streamed=True)
    for sums, vectors in zip(kept, found, strict=True):
        assert (sums.cka, sums.shuffled, sums.cosine) == (vectors.cka, vectors.shuffled, vectors.cosine)
        assert np.isnan([sums.low, sums.high, sums.retrieval]).all()


def test_another_kernel():
    a, b = states(60, 1)
    for debiased in (False, True):
        for layer, x, y in zip(streamed(a, b, (60,), kernel="rbf", debiased=debiased, halves=20), a, b, strict=True):
            assert layer.cka == pytest.approx(kernel_cka(rbf_kernel(x), rbf_kernel(y), debiased=debiased))
            assert layer.low < layer.high
            assert abs(layer.shuffled) < (0.12 if debiased else 0.45)
            if layer.layer == 2:
                assert layer.cka > 0.8


def test_pairs_of_streams():
    assert stream_pairs([2, 2, 3], ["en", "de"]) == [
        ((0, "en"), (0, "de")), ((1, "en"), (1, "de")), ((2, "en"), (2, "de")),
        ((0, "en"), (1, "en")), ((0, "de"), (1, "de")),
    ]  # fmt: skip


def test_vectors_of_all_layers_are_those_of_each(encoder):
    texts = [text for _, text in read_text(parse_text("en=smallworld:0-12"))]
    every, cut = layer_vectors(encoder, texts, None, budget=60)
    assert cut == 0
    for layer in range(encoder.layers + 1):
        one, _ = sentence_vectors(encoder, texts, None, pools=["mean"], layer=layer)
        assert every[layer] == pytest.approx(one["mean"], abs=1e-5)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    for tag in ("en", "de", "zh"):
        write_lines(folder / tag, (text for _, text in read_text(parse_text(f"{tag}=smallworld:0-120"))))
    return folder


def spec(texts, *tags):
    return [f"{tag}={texts / tag}" for tag in tags]


def test_a_run_shows_where_and_what_changed(texts, base, tmp_path, make_encoder):
    other = Encoder.from_pretrained(base)
    for parameter in other.model.base_model.encoder.layer[1].parameters():
        parameter.data.normal_(std=0.7)
    other.save_pretrained(tmp_path / "other")
    make_encoder("bert:1x32").save_pretrained(tmp_path / "small")
    models = [str(base), str(tmp_path / "other"), str(tmp_path / "small")]
    given = {"text": spec(texts, "en", "de", "zh"), "out": tmp_path / "run", "quiet": True}
    rows = analyze_similarity(models, **given, overrides=["similarity.halves=20"])
    assert rows == read_results(tmp_path / "run" / "results.jsonl")
    found = {(r.task, r.model, r.language, r.where.layer): r.value for r in rows if r.metric == "cka"}
    assert len(found) == 2 * (3 + 3 + 2) + 3 * 3  # languages in three encoders, and one encoder before and after
    for tag in ("en", "de", "zh"):
        change = [found["change", models[1], tag, layer] for layer in range(3)]
        assert change[:2] == pytest.approx([1, 1])
        assert change[2] < 0.99
    for tag in ("de", "zh"):
        assert found["similarity", models[0], tag, 1] == found["similarity", models[1], tag, 1]
    drawn = json.loads((tmp_path / "run" / "figures" / "similarity.json").read_text())
    assert {(c["system"], c["before"], *c["languages"]) for c in drawn["curves"]} >= {("base", None, "en", "de")}
    facts = json.loads((tmp_path / "run" / "run.json").read_text())
    assert any("1 layers" in alarm for alarm in facts["alarms"])
    run, halves = tmp_path / "run", ["similarity.halves=20"]
    again = analyze_similarity(models, **given, overrides=halves, command="paralign again")  # a rerun replaces all
    assert len(again) == len(rows)
    assert read_results(run / "results.jsonl") == again
    assert json.loads((run / "run.json").read_text())["command"] == "paralign again"
    before = {path: path.read_bytes() for path in sorted((tmp_path / "run").rglob("*")) if path.is_file()}
    (texts / "zh").rename(texts / "moved")
    with pytest.raises(UserError, match="no such"):
        analyze_similarity(models, **given, overrides=halves)
    (texts / "moved").rename(texts / "zh")
    with pytest.raises(UserError, match=r"run: .*other settings: models was .*similarity.halves was 20, now"):
        analyze_similarity(models[:1], **given)
    assert {path: path.read_bytes() for path in sorted((tmp_path / "run").rglob("*")) if path.is_file()} == before
    with pytest.raises(UserError, match="a run of paralign analyze similarity"):
        RunFolder(tmp_path / "run", "analyze ablation", fresh=True)


def test_what_fine_tuning_changed(base, tmp_path):
    rate = ["training.epochs=1", "training.learning_rate=1e-2"]
    paralign.finetune(str(base), task="pos", train="en=smallworld:0-40", eval=["en=smallworld:50-60"],
                      out=tmp_path / "pos", overrides=rate, quiet=True)  # fmt: skip
    tuned = str(tmp_path / "pos" / "seed-0" / "model")
    rows = analyze_similarity([str(base), tuned], pairs=["en-de=smallworld:0-80"], out=tmp_path / "run", quiet=True)
    change = [r for r in rows if r.task == "change" and r.metric == "cka"]
    assert {r.settings["system"] for r in change} == {"base, fine-tuned for pos"}
    assert {r.seeds.finetune for r in change} == {0}
    assert {r.parent for r in change} == {rows[0].model_hash}
    assert min(r.value for r in change) < 0.999


def test_pairs_are_compared_each_by_itself(base, tmp_path):
    rows = analyze_similarity([str(base)], pairs=["en-de=smallworld:0-60", "en-zh=smallworld:60-120"],
                              out=tmp_path / "run", quiet=True, overrides=["similarity.streamed=true"])  # fmt: skip
    assert {(r.language, r.n) for r in rows} == {("de", 60), ("zh", 60)}
    assert "retrieval" not in {r.metric for r in rows}


def test_a_language_of_several_files_changes_in_each(base, tmp_path, make_encoder):
    """One encoder before and after, English of two files: neither replaces the other, nor on the page."""
    make_encoder("bert:2x64", seed=3).save_pretrained(tmp_path / "wide")  # of another width: CKA alone
    for tag, indices in (("de", "0-40"), ("zh", "40-80")):
        both = [[text for _, text in read_text(parse_text(f"{side}=smallworld:{indices}"))] for side in ("en", tag)]
        write_lines(tmp_path / f"test.en-{tag}.tsv", map("\t".join, zip(*both, strict=True)))
    pairs = [f"en-{tag}={tmp_path / f'test.en-{tag}.tsv'}" for tag in ("de", "zh")]
    models = [str(base), str(tmp_path / "wide")]
    rows = analyze_similarity(models, pairs=pairs, out=tmp_path / "run", quiet=True)
    assert read_results(tmp_path / "run" / "results.jsonl") == rows
    change = {(r.language, r.where.direction, r.where.layer): r.value for r in rows
              if r.task == "change" and r.metric == "cka"}  # fmt: skip
    assert len(change) == 4 * 3
    assert change["en", "en-de", 2] != change["en", "en-zh", 2]
    assert {r.metric for r in rows if r.task == "change"} == {"cka", "cka_shuffled"}
    page = paralign.write_report([tmp_path / "run"], tmp_path / "page.html").html.read_text()
    assert "en of en-de" in page
    assert "en of en-zh" in page


def test_two_files_of_one_name_are_two_data_sets(base, tmp_path):
    for folder, indices in (("a", "0-40"), ("b", "40-80")):
        (tmp_path / folder).mkdir()
        both = [[text for _, text in read_text(parse_text(f"{tag}=smallworld:{indices}"))] for tag in ("en", "de")]
        write_lines(tmp_path / folder / "test.tsv", map("\t".join, zip(*both, strict=True)))
    pairs = [f"en-de={tmp_path / folder / 'test.tsv'}" for folder in ("a", "b")]
    rows = analyze_similarity([str(base)], pairs=pairs, out=tmp_path / "run", quiet=True)
    assert read_results(tmp_path / "run" / "results.jsonl") == rows
    assert len({row.dataset for row in rows}) == 2


def test_lines_that_cannot_be_read_are_left_out_with_their_translations(texts, base, tmp_path, capsys):
    lines = {tag: (texts / tag).read_bytes().splitlines() for tag in ("en", "de")}
    for name, bad in (("good", b""), ("bad", b"\xff")):  # sentences without text in one language are left out
        lines["en"][7], lines["de"][9], lines["de"][-1] = bad, bad, bad
        for tag, rows in lines.items():
            (tmp_path / f"{name}.{tag}").write_bytes(b"\n".join(rows) + b"\n")
    found = [
        analyze_similarity([str(base)], text=[f"{tag}={tmp_path / name}.{tag}" for tag in lines], lenient=lenient,
                           out=tmp_path / name)
        for name, lenient in (("good", False), ("bad", True))
    ]  # fmt: skip
    assert [row.value for row in found[0]] == [row.value for row in found[1]]
    assert found[0][0].n == 117
    assert "lines dropped: 3 invalid UTF-8\n" in capsys.readouterr().err
    with pytest.raises(UserError, match=r"bad\.en:8: invalid UTF-8"):
        analyze_similarity([str(base)], text=[f"{tag}={tmp_path / 'bad'}.{tag}" for tag in lines], out=tmp_path / "x")


def test_texts_that_are_not_parallel_are_reported(texts, base, tmp_path, capsys):
    lines = (texts / "de").read_text().splitlines()
    (tmp_path / "short").write_text("\n".join(lines[:-2]) + "\n")
    with pytest.raises(UserError, match=r"not parallel: .*short ends before this line") as found:
        analyze_similarity([str(base)], text=[f"en={texts / 'en'}", f"de={tmp_path / 'short'}"], out=tmp_path / "x")
    assert not (tmp_path / "x").exists()
    assert found.value.where == f"{texts / 'en'}:119"
    order = np.random.default_rng(0).permutation(len(lines))
    (tmp_path / "mixed").write_text("\n".join(lines[k] for k in order) + "\n")
    analyze_similarity([str(base)], text=[f"en={texts / 'en'}", f"de={tmp_path / 'mixed'}"], out=tmp_path / "run")
    said = capsys.readouterr().err
    assert "the lengths of their lines have a correlation of" in said
    assert "nowhere more similar than by chance" in said
    analyze_similarity([str(base)], text=spec(texts, "en", "de"), out=tmp_path / "few", limit=30)
    assert "30 sentences are too few" in capsys.readouterr().err


def test_lines_of_one_length_are_no_reason_to_doubt_that_texts_are_parallel(texts, base, tmp_path):
    (tmp_path / "same").write_text("".join(f"satz nummer {k:03}\n" for k in range(120)))
    analyze_similarity([str(base)], text=[f"en={texts / 'en'}", f"de={tmp_path / 'same'}"], out=tmp_path / "run")
    alarms = json.loads((tmp_path / "run" / "run.json").read_text())["alarms"]
    assert not any("lengths" in alarm for alarm in alarms)


def test_text_of_another_language_and_equal_texts_are_reported(texts, base, tmp_path):
    def alarms(name, **text):
        given = [f"{tag}={path}" for tag, path in text.items()]
        analyze_similarity([str(base)], text=given, out=tmp_path / name, overrides=["similarity.halves=20"])
        return json.loads((tmp_path / name / "run.json").read_text())["alarms"]

    equal = "en and de: 120 of 120 sentences are equal; are the files right?"
    assert equal in alarms("equal", en=texts / "en", de=texts / "en")
    half = (texts / "de").read_text().splitlines()[:61] + (texts / "en").read_text().splitlines()[61:]
    (tmp_path / "half.de").write_text("\n".join(half) + "\n")
    assert not any("are equal" in alarm for alarm in alarms("half", en=texts / "en", de=tmp_path / "half.de"))
    wrong = alarms("wrong", en=texts / "en", de=texts / "zh")
    assert [alarm for alarm in wrong if "expected text in de (Latin script), found Han script" in alarm]
    right = alarms("right", en=texts / "en", zh=texts / "zh")
    assert not any("expected" in alarm or "are equal" in alarm for alarm in right)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "no text is given"),
        ({"text": ["en=smallworld:0-9"]}, "only one text"),
        ({"text": ["en=smallworld:0-9", "en=smallworld:9-18"]}, "two texts are in en"),
        (
            {"text": ["en=smallworld:0-9", "de=smallworld:0-9"], "pairs": ["en-de=smallworld"]},
            "either --text or --pairs",
        ),
        ({"text": ["en=smallworld:0-3", "de=smallworld:0-3"]}, "only 3 sentences"),
        ({"text": ["en=smallworld:0-9", "de=smallworld:0-9"], "limit": 3}, "a limit of 3 is too low"),
        ({"pairs": ["en-de=smallworld:0-9"], "overrides": ["similarity.kernal=rbf"]}, "kernel"),
        ({"pairs": ["en-de=smallworld:0-9"], "overrides": ["similarity.halves=19"]}, "must be 0 or at least 20"),
        (
            {
                "pairs": ["en-de=smallworld:0-9"],
                "overrides": ["similarity.kernel=rbf", "similarity.streamed=true"],
            },
            "the kernel 'rbf' needs all vectors at once",
        ),
        ({"pairs": ["en-de=smallworld:0-9"], "overrides": ["task.layer=1"]}, "only similarity.KEY"),
        ({"pairs": ["en-de=smallworld:0-9"], "overrides": ["similarity.streamed=true"], "compat": True}, "all vectors"),
    ],
)
def test_what_cannot_be_compared(base, tmp_path, more, said):
    with pytest.raises(UserError, match=said):
        analyze_similarity([str(base)], out=tmp_path / "run", quiet=True, **more)
    with pytest.raises(UserError, match="no encoder"):
        analyze_similarity([], out=tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


def test_the_first_published_cka_of_an_encoder(base, tmp_path):
    """`compat`: biased, with an RBF kernel, of the same mean vectors."""
    texts = ["en=smallworld:0-40", "de=smallworld:0-40"]
    rows = analyze_similarity([str(base)], out=tmp_path / "run", text=texts, compat=True, quiet=True)
    encoder = Encoder.from_pretrained(base)
    sides = [[text for _, text in read_text(parse_text(spec), lenient=False)] for spec in texts]
    for layer in range(encoder.layers + 1):
        vectors = [
            sentence_vectors(encoder, side, language, layer=layer, pools=("mean",))[0]["mean"]
            for side, language in zip(sides, ("en", "de"), strict=True)
        ]
        (row,) = (r for r in rows if r.metric == "cka" and r.where.layer == layer)
        assert row.value == pytest.approx(kernel_cka(*map(rbf_kernel, vectors), debiased=False), rel=1e-4)


def test_encoders_without_hidden_states(encoder, monkeypatch):
    base = encoder.model.base_model
    monkeypatch.setattr(type(base), "forward", lambda self, **_: type("Out", (), {"hidden_states": None})())
    with pytest.raises(UserError, match="does not return its hidden states"):
        layer_vectors(encoder, ["hotel"], None)


def test_only_the_first_of_several_processes_writes(base, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    rows = analyze_similarity([str(base)], pairs=["en-de=smallworld:0-60"], out=tmp_path / "run", quiet=True)
    assert rows
    assert not (tmp_path / "run").exists()
    (tmp_path / "grid" / "x").mkdir(parents=True)
    begin(tmp_path / "grid", resume=False, quiet=True)  # the first may have made it
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UserError, match="not empty"):
        begin(tmp_path / "grid", resume=False, quiet=True)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        begin(tmp_path / "file", resume=True, quiet=True)
