"""AlignLM's bilingual prediction."""

import json
import random

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import paralign
from paralign.__main__ import main
from paralign.batches.views import ViewsConfig
from paralign.corpus.link_store import LinkedWords, LinkStore, write_link_store
from paralign.corpus.store import TokenStore
from paralign.objectives import Step, find_objective
from paralign.objectives.bilingual import BilingualConfig, BilingualPrediction
from paralign.text.words import word_spans
from paralign.training import CorpusBatches, TrainingConfig
from tests.training.runs import losses_of, stopped_at


@pytest.fixture(scope="module")
def links(store, tmp_path_factory):
    draw = random.Random(5)
    rows = []
    for record in range(len(store)):
        sizes = [len(word_spans(store.text(record, side))) for side in (0, 1)]
        rows.append(sorted({(draw.randrange(sizes[0]), draw.randrange(sizes[1])) for _ in range(5)}))
    return write_link_store(store, rows, tmp_path_factory.mktemp("links") / "links")


def batch_of(store, encoder, links, **views):
    training = TrainingConfig(batch=12)
    config = ViewsConfig(**{"mask_probability": 0.3} | views)
    return CorpusBatches(store, encoder.template, config, training, longest=encoder.max_pieces, links=links).batch(2)


@pytest.mark.parametrize("arch", ["bert:2x32", "roberta:2x32", "xlm-r:2x32"])
@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_the_loss_is_the_equations_piece_by_piece(store, make_encoder, links, arch, combine):
    encoder = make_encoder(arch).eval()
    objective = BilingualPrediction(BilingualConfig(combine=combine), encoder)
    with torch.no_grad():  # so that W2 and W3 are seen to be used, and in their places
        for parameter in (objective.bridge.weight, objective.bridge.bias, objective.dense.weight):
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.1)
    batch = batch_of(store, encoder, links)
    view = batch.view("joint")
    first, second = batch.linked_words("joint", "joint").pieces()
    matrix = np.zeros((len(view.ids), len(view.ids)))
    matrix[first, second] = matrix[second, first] = 1
    with torch.no_grad():
        states = encoder.encode(view).flat
        total, count = 0.0, 0
        head = encoder.model.cls.predictions if arch.startswith("bert") else encoder.model.lm_head
        dense, norm = (
            (head.transform.dense, head.transform.LayerNorm)
            if arch.startswith("bert")
            else (head.dense, head.layer_norm)
        )
        assert objective.dense.weight.shape == dense.weight.shape
        for position, label in zip(view.masked.tolist(), view.labels.tolist(), strict=True):
            linked = np.flatnonzero(matrix[position])
            if not len(linked):
                continue
            mixed = states[linked].sum(0) if combine == "sum" else states[linked].mean(0)
            hidden = torch.nn.functional.gelu(objective.dense(objective.bridge(mixed)))
            scores = norm(hidden) @ encoder.embeddings.T + head.bias
            total -= float(torch.log_softmax(scores, 0)[label])
            count += 1
        loss = objective(Step(encoder, batch))["bilingual"]
    assert objective.counts(batch) == {"bilingual": count}
    assert 5 < count < len(view.masked)
    assert float(loss) == pytest.approx(total, rel=1e-4)
    assert objective.metrics() == {"bilingual_linked": pytest.approx(count / len(view.masked))}


def test_it_begins_as_the_head_itself_on_the_mean_of_the_translations(store, make_encoder, links):
    encoder = make_encoder().eval()
    objective = BilingualPrediction(BilingualConfig(), encoder)
    states = torch.randn(4, encoder.width)
    with torch.no_grad():
        torch.testing.assert_close(encoder.logits(objective.bridge(states), objective.dense), encoder.logits(states))


def test_the_gradient_is_that_of_small_changes(store, make_encoder, links):
    encoder = make_encoder().double().eval()
    objective = BilingualPrediction(BilingualConfig(), encoder).double()
    batch = batch_of(store, encoder, links)

    def loss():
        return objective(Step(encoder, batch))["bilingual"]

    for parameter in (encoder.embeddings, objective.bridge.weight, objective.dense.weight):
        encoder.zero_grad()
        objective.zero_grad()
        loss().backward()
        where = int(parameter.grad.abs().argmax())
        step = 1e-5
        with torch.no_grad():
            values = []
            for sign in (1, -1):
                parameter.view(-1)[where] += sign * step
                values.append(loss().item())
                parameter.view(-1)[where] -= sign * step
        assert float(parameter.grad.view(-1)[where]) == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-4)


def test_without_a_linked_masked_piece_it_is_a_zero_that_can_be_differentiated(store, make_encoder, tmp_path):
    encoder = make_encoder()
    none = write_link_store(store, [[] for _ in range(len(store))], tmp_path / "links")
    objective = find_objective("bilingual")(BilingualConfig(), encoder)
    batch = batch_of(store, encoder, none)
    assert objective.counts(batch) == {"bilingual": 0}
    loss = objective(Step(encoder, batch))["bilingual"]
    assert loss.item() == 0
    loss.backward()
    assert all(not p.grad.any() for p in (objective.bridge.weight, objective.dense.weight))


RUN = {"training": {"batch": 8, "steps": 5, "precision": "fp32", "checkpoint_every": 3, "log_every": 1}}


def align(base, out, *, recipe="alignlm-mini", **more):
    given = {"pairs": ["en-de=smallworld:0-60"], "settings": RUN, "quiet": True, "recipe": recipe} | more
    return paralign.align(str(base), out=out, **given)


def test_with_weight_nothing_it_is_tlm_bit_for_bit(base, tmp_path):
    with_it = align(base, tmp_path / "a", overrides=["bilingual.weight=0"])
    without = align(base, tmp_path / "b", recipe="alignlm-tlm-mini")
    assert (with_it / "model.safetensors").read_bytes() == (without / "model.safetensors").read_bytes()
    changed = align(base, tmp_path / "c")
    name = "bert.embeddings.word_embeddings.weight"
    assert not torch.equal(
        load_file(changed / "model.safetensors")[name], load_file(without / "model.safetensors")[name]
    )


def test_keeping_linked_pieces_from_being_masked_together_asks_for_links_by_itself(base, tmp_path):
    plain = align(base, tmp_path / "a", recipe="alignlm-tlm-mini")
    apart = align(base, tmp_path / "b", recipe="alignlm-tlm-mini", overrides=["views.avoid_double_mask=true"])
    assert (tmp_path / "b" / "links").is_dir()
    assert (plain / "model.safetensors").read_bytes() != (apart / "model.safetensors").read_bytes()


def test_given_links_equal_computed_links(base, tmp_path):
    """Links that ``words`` writes for the file, and those the run finds itself, train alike."""
    found = align(base, tmp_path / "a")
    paralign.align_words("en-de=smallworld:0-60", out=tmp_path / "links", quiet=True)
    read = align(base, tmp_path / "b", links=[f"en-de={tmp_path / 'links'}"])
    assert (found / "model.safetensors").read_bytes() == (read / "model.safetensors").read_bytes()


def test_links_follow_the_lines_of_their_text(base, tmp_path):
    """Lines that are dropped, of two files, in any order of the store."""
    for tag, words in (("de", "eins zwei drei"), ("fr", "un deux trois")):
        rows = [f"one two three {k} go\t{words} {k} los\n" for k in range(30)]
        rows[4] = "one\t\n"
        rows[9] = rows[8]
        (tmp_path / f"{tag}.tsv").write_text("".join(rows))
        (tmp_path / f"{tag}.links").write_text("".join(f"{k % 5}-{k % 3}\n" for k in range(30)))
    align(base, tmp_path / "run", pairs=[f"en-{tag}={tmp_path / tag}.tsv" for tag in ("de", "fr")],
          links=[f"en-{tag}={tmp_path / tag}.links" for tag in ("fr", "de")])  # fmt: skip
    store = TokenStore.open(tmp_path / "run" / "corpus")
    links = LinkStore.open(tmp_path / "run" / "links", store)
    assert len(store) == 56
    for record in range(len(store)):
        line = int(store.line[record]) - 1
        assert links.links(np.array([record]))[0].tolist() == [[line % 5, line % 3]]


@pytest.mark.parametrize("names", ["a.en,a.de", "a.jsonl"])
def test_links_that_words_wrote_for_text_with_gaps_fit_it(base, tmp_path, names):
    sides = [[f"one two three {k} go" for k in range(30)], [f"eins zwei drei {k} los" for k in range(30)]]
    for name, texts in zip(("a.en", "a.de"), sides, strict=True):
        (tmp_path / name).write_text("".join(f"{text}\n" for text in texts))
    data = (tmp_path / "a.de").read_bytes().replace(b"drei 7", b"drei \xff").replace(b"drei 29", b"drei \0")
    (tmp_path / "a.de").write_bytes(data)
    objects = [json.dumps({"en": en, "de": de}) for en, de in zip(*sides, strict=True)]
    (tmp_path / "a.jsonl").write_text("\n".join([*objects[:7], "", *objects[8:29], "", ""]))
    pairs = "en-de=" + ",".join(f"{tmp_path}/{name}" for name in names.split(","))
    paralign.align_words(pairs, out=tmp_path / "links", method="ibm", lenient=True, quiet=True)
    align(base, tmp_path / "run", pairs=[pairs], links=[f"en-de={tmp_path / 'links'}"], lenient=True)
    store = TokenStore.open(tmp_path / "run" / "corpus")
    assert store.line.tolist() == [k for k in range(1, 30) if k != 8]
    assert LinkStore.open(tmp_path / "run" / "links", store).links(np.arange(28))[1].min() > 0


def test_without_links_the_run_computes_them_for_gold_links(base, tmp_path):
    paralign.align(
        str(base), pairs="en-de=smallworld:0-60", out=tmp_path / "run", recipe="gold-links", quiet=True,
        settings={"training": {"steps": 2, "batch": 8, "log_every": 1}, "links": {"method": "ibm"}},
    )  # fmt: skip
    store = TokenStore.open(tmp_path / "run/corpus")
    assert LinkStore.open(tmp_path / "run/links", store).links(np.arange(len(store)))[0].size
    assert all(losses["gold_links"] < 0 for losses in losses_of(tmp_path / "run"))


def test_links_may_be_named_differently_when_a_run_is_resumed(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "links").write_text("0-0\n" * 60)
    with stopped_at(1):
        align(base, tmp_path / "run", links=["en-de=links"])
    align(base, tmp_path / "run", links=["en-de=./links"], resume=True)


def test_links_fit_the_text_of_a_store_even_if_its_file_has_grown(base, tmp_path):
    text = tmp_path / "text.tsv"
    text.write_text("".join(f"the house {k} is near the river\tdas Haus {k} ist nah am Fluss\n" for k in range(60)))
    command = f"corpus build --model {base} --pairs en-de={text} --out {tmp_path}/store --set data.min_pieces=1 -q"
    assert main(command.split()) == 0
    with text.open("a") as file:
        file.write("one more\tnoch eins\n")
    (tmp_path / "links").write_text("0-0\n" * 60)
    align(base, tmp_path / "run", pairs=(), corpus=tmp_path / "store", links=[f"en-de={tmp_path}/links"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"links": ["en-fr={tmp}/a.links"]}, "there are no word links for en-de=smallworld"),
        ({"links": ["en-de={tmp}/ok.links", "en-de={tmp}/a.links"]}, "there are no --pairs for the word links"),
        ({"links": ["en-de={tmp}/a.links"]}, "1 lines of links for 60 lines of en-de=smallworld:0-60"),
        ({"links": ["en-de={tmp}/many.links"]}, "61 lines of links for 60 lines of en-de=smallworld:0-60"),
        ({"links": ["en-de={tmp}/far.links"]}, r"far\.links:1: the link 99-0 is out of range: the sentences"),
        ({"links": ["en-de={tmp}/a.links"], "recipe": "alignlm-tlm-mini"}, "no objective of this run uses word links"),
        ({"overrides": ["links.method=hmn"]}, "links.method"),
        ({"overrides": ["links.symmetrize=gow-diag"]}, r"symmetrize.*did you mean 'grow-diag'"),
        ({"overrides": ["links.symmetrize=posterior", "links.method=eflomal"]}, "unknown symmetrization 'posterior'"),
    ],
)
def test_links_that_do_not_fit_are_refused(base, tmp_path, more, message):
    (tmp_path / "a.links").write_text("0-0\n")
    (tmp_path / "ok.links").write_text("0-0\n" * 60)
    (tmp_path / "many.links").write_text("0-0\n" * 61)
    (tmp_path / "far.links").write_text("99-0\n" * 60)
    if "links" in more:
        more = more | {"links": [text.format(tmp=tmp_path) for text in more["links"]]}
    with pytest.raises(paralign.UserError, match=message):
        align(base, tmp_path / "run", **more)
    if "overrides" in more:
        assert not (tmp_path / "run").exists()  # before the corpus is tokenized
    left = {path.name for path in (tmp_path / "run").iterdir()} if (tmp_path / "run").exists() else set()
    assert left in (set(), {"corpus", "run.json"})  # a complete token store is kept


@pytest.mark.parametrize("arch", ["bert:2x32", "roberta:2x32"])
def test_w3_is_a_copy_that_is_trained_apart_from_the_dense_layer_of_the_head(make_encoder, arch):
    encoder = make_encoder(arch)
    objective = BilingualPrediction(BilingualConfig(), encoder)
    head = encoder.head_dense()
    for name, own in objective.dense.named_parameters():
        other = head.get_parameter(name)
        assert own is not other
        assert own.data_ptr() != other.data_ptr()
        assert torch.equal(own, other)
        assert own.requires_grad
    states = torch.randn(3, encoder.width)
    before = encoder.logits(states).detach()
    with torch.no_grad():
        for parameter in objective.dense.parameters():
            parameter.add_(1.0)
    torch.testing.assert_close(encoder.logits(states).detach(), before)
    assert not {id(p) for p in objective.parameters()} & {id(p) for p in encoder.parameters()}


@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_a_piece_that_two_links_share_counts_once(store, make_encoder, links, combine):
    """SentencePiece may join two words into one piece, so that two links have a pair of pieces in common."""
    encoder = make_encoder().eval()
    objective = BilingualPrediction(BilingualConfig(combine=combine), encoder)
    batch = batch_of(store, encoder, links)
    view = batch.view("joint")
    target = int(view.masked[0])
    start = int(view.starts[view.rows.tolist().index(0)])
    assert start <= target < start + int(view.lengths[0])
    inner = [p for p in range(start + 1, start + int(view.lengths[0]) - 1) if p not in view.masked][:3]
    a, b, c = inner
    # The words of links 0 and 1 share the piece b; both are linked to the word of the masked piece.
    batch._linked["joint", "joint"] = LinkedWords(
        rows=np.array([0, 0]), first=np.array([a, b, b, c]), first_sizes=np.array([2, 2]),
        second=np.array([target, target]), second_sizes=np.array([1, 1]),
    )  # fmt: skip
    with torch.no_grad():
        states = encoder.encode(view).flat[[a, b, c]]
        mixed = states.mean(0) if combine == "mean" else states.sum(0)
        logits = encoder.logits(objective.bridge(mixed[None]), objective.dense)[0]
        loss = objective(Step(encoder, batch))["bilingual"]
    assert objective.counts(batch) == {"bilingual": 1}
    assert loss.item() == pytest.approx(-torch.log_softmax(logits, 0)[int(view.labels[0])].item(), rel=1e-4)
