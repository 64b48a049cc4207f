"""The loop: accumulation, resuming to the same bytes, stopping, refusing other settings and data."""

import json
import os
import re
import shutil
import signal
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import DebertaConfig, DebertaForMaskedLM

import paralign
from paralign.encoder import Encoder
from paralign.encoder.hf import layer_stack
from paralign.encoder.precision import choose_precision
from paralign.errors import Stopped, UserError
from paralign.objectives import Objective
from paralign.tasks.base import find_task
from paralign.training import Learner, TrainingConfig
from paralign.training import trainer as loop
from paralign.training.checkpoint_losses import Diverged
from paralign.training.optimizer import learning_rate
from tests.training.runs import CLOCK, Interrupted, log_of, losses_of, module_bytes, trainer


class Crash(Exception):
    """Simulates a kill: nothing is saved."""


def crash():
    raise Crash


@pytest.fixture(scope="module")
def undisturbed(make_encoder, store, tmp_path_factory):
    run = tmp_path_factory.mktemp("undisturbed")
    trainer(make_encoder(dropout=0.1), store, run).train()
    return run


@pytest.mark.parametrize("stops", [[5, 8], [0, 1, 4, 4, 7]])
def test_a_run_that_crashed_resumes_to_the_same_bytes(stops, undisturbed, make_encoder, store, tmp_path):
    for step in stops:
        with pytest.raises(Crash):
            trainer(make_encoder(dropout=0.1), store, tmp_path, at=step, act=crash).train(resume=True)
    outcome = trainer(make_encoder(dropout=0.1), store, tmp_path).train(resume=True)
    assert outcome.steps == 9
    assert outcome.records_seen == 9 * 12
    for step in (8, 9):
        assert module_bytes(tmp_path, step) == module_bytes(undisturbed, step)
    assert log_of(tmp_path) == log_of(undisturbed)
    assert len(losses_of(tmp_path)) == 9


def test_a_run_is_reproducible_and_depends_on_the_seed(undisturbed, make_encoder, store, tmp_path):
    trainer(make_encoder(dropout=0.1), store, tmp_path / "a").train()
    trainer(make_encoder(dropout=0.1), store, tmp_path / "b", seed=1).train()
    assert module_bytes(tmp_path / "a", 9) == module_bytes(undisturbed, 9)
    assert module_bytes(tmp_path / "b", 9) != module_bytes(undisturbed, 9)


def test_training_leaves_the_random_numbers_of_the_caller(make_encoder, store, tmp_path):
    run = trainer(make_encoder(dropout=0.1), store, tmp_path, steps=2)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    run.train()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("quiet", [True, False])
def test_the_note_of_another_environment_is_printed_unless_the_run_is_quiet(
    quiet, make_encoder, store, tmp_path, capsys, monkeypatch
):
    settings = {"steps": 2, "checkpoint_every": 1}
    trainer(make_encoder(), store, tmp_path, **settings).train()
    shutil.rmtree(tmp_path / "checkpoints/step-00000002")
    now = loop.describe_environment(1, "fp32", "cpu") | {"torch": "1.0"}
    monkeypatch.setattr(loop, "describe_environment", lambda *_: now)
    run = trainer(make_encoder(), store, tmp_path, **settings)
    run.quiet = quiet
    capsys.readouterr()
    run.train(resume=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert ("torch" in err) == (not quiet)
    assert [line["now"] for line in log_of(tmp_path) if line.get("event") == "resumed elsewhere"] == [now]


def test_the_log_has_rates_and_losses_of_every_step(undisturbed):
    lines = [json.loads(line) for line in (undisturbed / "log.jsonl").read_text().splitlines()]
    lines = [line for line in lines if "event" not in line]
    assert [line["step"] for line in lines] == list(range(1, 10))
    assert [line["lr"] for line in lines] == [learning_rate(s, steps=9, warmup=1, peak=3e-3) for s in range(9)]
    for line in lines:
        assert set(CLOCK) <= set(line)
        assert line["loss"] == pytest.approx(sum(line["losses"].values()))
        assert set(line["losses"]) == {"tlm", "moco"}
    assert sorted(p.name for p in (undisturbed / "checkpoints").iterdir()) == [
        "step-00000008",
        "step-00000009",
    ]


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_the_run_after_a_checkpoint(signum, code, undisturbed, make_encoder, store, tmp_path):
    before = signal.getsignal(signum)
    with pytest.raises(Stopped, match="the checkpoint is saved, continue with --resume") as caught:
        trainer(make_encoder(dropout=0.1), store, tmp_path, at=5, act=lambda: os.kill(os.getpid(), signum)).train()
    assert caught.value.code == code
    assert signal.getsignal(signum) is before
    assert [p.name for p in (tmp_path / "checkpoints").iterdir() if p.name.endswith("6")] == ["step-00000006"]
    trainer(make_encoder(dropout=0.1), store, tmp_path).train(resume=True)
    assert module_bytes(tmp_path, 9) == module_bytes(undisturbed, 9)
    assert log_of(tmp_path) == log_of(undisturbed)


def test_pieces_and_padding_are_those_of_the_encoded_views(make_encoder, store, tmp_path):
    """Each view in one chunk, whose rows are as long as its longest."""
    run = trainer(make_encoder(), store, tmp_path, chunk_cost=10**6)
    outcome = run.train()
    views = [run.batches.batch(step).view(name) for step in range(9) for name in ("joint", "first")]
    pieces = sum(int(view.lengths.sum()) for view in views)
    positions = sum(len(view.lengths) * int(view.lengths.max()) for view in views)
    assert outcome.pieces_seen == pieces
    assert outcome.padding == pytest.approx(1 - pieces / positions)
    assert 0.05 < outcome.padding < 0.95


def test_a_signal_in_the_last_step_does_not_stop_the_run(make_encoder, store, tmp_path):
    act = trainer(make_encoder(), store, tmp_path, at=8, act=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert act.train().steps == 9


def losses_and_weights(make_encoder, store, run, **settings):
    made = trainer(make_encoder(), store, run, **settings)
    made.train()
    return losses_of(run), made.learner


@pytest.mark.parametrize("objectives", ["ppa", "moco-mlm"])
def test_four_slices_per_step_are_the_same_as_one(objectives, make_encoder, store, tmp_path):
    # Adam divides by the size of the gradient: a larger eps keeps it from magnifying tiny differences.
    settings = {"objectives": objectives, "eps": 1e-3}
    one, whole = losses_and_weights(make_encoder, store, tmp_path / "1", accumulate=1, **settings)
    four, parts = losses_and_weights(make_encoder, store, tmp_path / "4", accumulate=4, **settings)
    for a, b in zip(one, four, strict=True):
        assert a == pytest.approx(b, abs=1e-5)
    for (name, a), b in zip(whole.named_parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0, msg=lambda text, name=name: f"{name}: {text}")


def test_slices_have_unequal_counts(make_encoder, store, tmp_path):
    """A mean of means over slices would be wrong. That their sum is right: test_divided_batches.py."""
    for parts in (3, 12):
        made = trainer(make_encoder(), store, tmp_path / str(parts), accumulate=parts)
        assert len({made.learner.counts(batch)["tlm"] for batch in made._slices()}) > 1


def test_the_gradient_is_clipped_to_its_norm(make_encoder, store, tmp_path):
    made = trainer(make_encoder(), store, tmp_path, clip=0.01)
    made.module.train()
    norms = []
    made.optimizer.step = lambda: norms.append(
        sum(float(p.grad.square().sum()) for p in made.learner.parameters() if p.grad is not None) ** 0.5
    )
    _, norm, _ = made._optimize(made._slices())
    assert norm > 0.01
    assert norms == [pytest.approx(0.01, rel=1e-3)]


class Returns(Objective):
    """An objective that counts the loss `own` and returns what `value` makes of its states."""

    name = "own"
    reads = ("text",)

    def counts(self, batch):
        return {"own": batch.size}

    def forward(self, step):
        return type(self).value(step.hidden("text").flat.float())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            lambda states: states.sum(),
            "must return a dictionary with one scalar tensor for each loss .*counts returns own",
        ),
        (lambda states: {"own": states.sum(1)}, "forward of Returns must return a dictionary with one scalar"),
        (lambda states: {"own": 1.0}, "forward of Returns must return a dictionary with one scalar"),
        (lambda states: {"other": states.sum()}, "forward of Returns must return .*counts returns own"),
        (lambda states: {"own": states.sum().detach()}, "no loss has a gradient: own"),
    ],
)
def test_an_objective_that_returns_something_else_is_named(value, message, make_encoder, store, tmp_path, monkeypatch):
    monkeypatch.setattr(Returns, "value", staticmethod(value), raising=False)
    encoder = make_encoder()
    batch = trainer(encoder, store, tmp_path, objectives="mlm")._slices()[0]
    with pytest.raises(UserError, match=message):
        Learner(encoder, {"own": Returns(Returns.Config(), encoder)})(batch)


def test_a_view_that_is_not_declared_is_named(make_encoder, store, tmp_path, monkeypatch):
    monkeypatch.setattr(Returns, "value", staticmethod(lambda states: {"own": states.sum()}), raising=False)
    monkeypatch.setattr(Returns, "reads", ())
    encoder = make_encoder()
    batch = trainer(encoder, store, tmp_path, objectives="mlm")._slices()[0]
    with pytest.raises(UserError, match=r"the view 'text' is read, but no objective declares it \(add it to the obj"):
        Learner(encoder, {"own": Returns(Returns.Config(), encoder)})(batch)


def test_a_batch_that_is_not_divisible_is_refused(make_encoder, store, tmp_path):
    with pytest.raises(UserError, match=r"training\.batch = 12 is not divisible by 1 processes x 5"):
        trainer(make_encoder(), store, tmp_path, accumulate=5)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_checkpoint(make_encoder, store, tmp_path):
    encoder = make_encoder()

    def poison():
        with torch.no_grad():
            encoder.embeddings.fill_(float("nan"))

    with pytest.raises(Diverged, match=r"tlm.* at step 7 .*learning_rate") as caught:
        trainer(encoder, store, tmp_path, at=6, act=poison).train()
    assert re.search(r"last good checkpoint is \S+step-00000004", str(caught.value.of_align()))
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000004"]
    last = log_of(tmp_path)[-1]
    assert last["event"] == "alarm"
    assert "not finite" in last["message"]
    assert trainer(make_encoder(), store, tmp_path).train(resume=True).steps == 9


def test_a_checkpoint_of_other_settings_is_refused_by_name(make_encoder, store, tmp_path):
    with pytest.raises(Crash):
        trainer(make_encoder(), store, tmp_path, at=5, act=crash).train()
    with pytest.raises(UserError, match=r"settings differ .*training\.learning_rate was 0\.003, now 0\.001"):
        trainer(make_encoder(), store, tmp_path, learning_rate=0.001).train(resume=True)
    with pytest.raises(UserError, match=r"training\.seed was 0, now 3"):
        trainer(make_encoder(), store, tmp_path, seed=3).train(resume=True)


def test_a_checkpoint_of_other_data_is_refused(make_encoder, store, tmp_path):
    with pytest.raises(Crash):
        trainer(make_encoder(), store, tmp_path, at=5, act=crash).train()
    made = trainer(make_encoder(), store, tmp_path)
    made.batches.fingerprint = "other"
    with pytest.raises(UserError, match="the data differ from those this run was started with"):
        made.train(resume=True)


def test_resuming_without_a_checkpoint_is_a_fresh_start(undisturbed, make_encoder, store, tmp_path):
    trainer(make_encoder(dropout=0.1), store, tmp_path).train(resume=True)
    assert module_bytes(tmp_path, 9) == module_bytes(undisturbed, 9)


def test_a_full_disk_is_reported_and_keeps_the_last_checkpoint(undisturbed, make_encoder, store, tmp_path, monkeypatch):
    import errno

    original = loop.checkpoint.save_file

    def full(tensors, path, **settings):
        if "step-00000008" in str(path):
            raise OSError(errno.ENOSPC, "No space left on device")
        original(tensors, path, **settings)

    monkeypatch.setattr(loop.checkpoint, "save_file", full)
    with pytest.raises(UserError, match="the disk is full"):
        trainer(make_encoder(dropout=0.1), store, tmp_path).train()
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000004"]
    trainer(make_encoder(dropout=0.1), store, tmp_path).train(resume=True)
    assert module_bytes(tmp_path, 9) == module_bytes(undisturbed, 9)


def test_what_a_checkpoint_records_of_the_log_is_on_disk(make_encoder, store, tmp_path, monkeypatch):
    log, on_disk, recorded = tmp_path / "run" / "log.jsonl", [], []
    fsync, save = os.fsync, loop.checkpoint.save

    def synced(file):
        fsync(file)
        if log.exists() and os.path.samestat(os.fstat(file), log.stat()):
            on_disk.append(log.read_bytes())

    def saved(folder, step, learner, optimizer, state, **more):
        recorded.append((state["log_bytes"], len(on_disk[-1])))
        save(folder, step, learner, optimizer, state, **more)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(loop.checkpoint, "save", saved)
    trainer(make_encoder(), store, tmp_path / "run").train()
    assert len(recorded) == 3
    assert all(size == there > 0 for size, there in recorded)


def test_runs_of_different_precision_in_one_process(make_encoder, store, tmp_path):
    """As in a notebook: aligned in one precision, fine-tuned in another."""
    for precision in ("fp32", "bf16", "fp32"):
        outcome = trainer(make_encoder(), store, tmp_path / f"{precision}", precision=precision, steps=2).train()
        assert outcome.precision == precision
        assert all(np.isfinite(v) for losses in losses_of(tmp_path / precision) for v in losses.values())


def test_models_without_bf16_are_trained_in_fp32_or_refused(tokenizer, store, tmp_path, capsys, monkeypatch):
    """DeBERTa (v1) fills masks with the minimum of fp32, which bf16 does not have."""
    monkeypatch.setattr("paralign.encoder.precision.has_bf16", lambda: True)
    config = DebertaConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        pad_token_id=0, relative_attention=True, pos_att_type=["p2c", "c2p"],
    )  # fmt: skip
    encoder = Encoder(DebertaForMaskedLM(config), tokenizer, name="v1")
    outcome = trainer(encoder, store, tmp_path / "auto", precision="auto", steps=1).train()
    assert outcome.precision == "fp32"
    assert choose_precision("auto", [encoder]) == "fp32"
    assert "note: deberta models cannot be computed in bf16: " in capsys.readouterr().err
    with pytest.raises(UserError, match=r"v1: deberta models cannot .* \(use --precision fp32\)"):
        trainer(encoder, store, tmp_path / "bf16", precision="bf16", steps=1)
    with pytest.raises(UserError, match=r"\(use --set task\.precision=fp32\)"):
        find_task("retrieval", {"precision": "bf16"}).autocast(encoder)
    encoder.save_pretrained(tmp_path / "v1")
    with pytest.raises(UserError, match=r"\(use --set words\.precision=fp32\)"):
        paralign.align_words(
            "en-de=smallworld:0-4", method="similarity", model=tmp_path / "v1", overrides="words.precision=bf16",
            out=tmp_path / "links",
        )  # fmt: skip


def test_training_in_a_thread_works_without_signals(make_encoder, store, tmp_path):
    results = []
    made = trainer(make_encoder(), store, tmp_path, steps=2)

    def work():
        try:
            results.append(made.train().steps)
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [2]


class Constant(Objective):
    """A loss that stays at chance level."""

    name = "constant"
    reads = ("first",)

    def counts(self, batch):
        return {"constant": batch.size}

    def forward(self, step):
        return {"constant": 0 * step.hidden("first").flat.sum() + 5.0 * step.batch.size}

    def chance(self):
        return {"constant": 5.0}


def test_a_run_stuck_at_chance_raises_an_alarm_in_log_and_outcome(make_encoder, store, tmp_path):
    from paralign.batches.views import ViewsConfig
    from paralign.training import CorpusBatches, Learner, Trainer

    encoder = make_encoder()
    config = TrainingConfig(batch=12, steps=10, precision="fp32", log_every=1)
    batches = CorpusBatches(store, encoder.template, ViewsConfig(), config, longest=encoder.max_pieces)
    learner = Learner(encoder, {"constant": Constant(Constant.Config(), encoder)})
    outcome = Trainer(learner, Interrupted(batches, None, crash), config, run=tmp_path, settings={}, quiet=True).train()
    stuck = [alarm for alarm in outcome.alarms if "stuck" in alarm]
    assert stuck == ["step 5: stuck: the loss constant is 5.000, which is chance level (5.000)"]
    assert [line["step"] for line in log_of(tmp_path) if "stuck" in line.get("message", "")] == [5]


def test_gradient_checkpointing_only_reduces_stored_activations(undisturbed, make_encoder, store, tmp_path):
    kept = {}
    for checkpointing in (False, True):
        held = []

        def hold(tensor, held=held):
            held.append(tensor.numel())
            return tensor

        run = trainer(
            make_encoder(dropout=0.1), store, tmp_path / f"{checkpointing}", gradient_checkpointing=checkpointing
        )
        run.prepare_objectives()
        with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
            run.module(run.batches.batch(0))
        kept[checkpointing] = sum(held)
    assert kept[True] < 0.6 * kept[False]
    trainer(make_encoder(dropout=0.1), store, tmp_path / "run", gradient_checkpointing=True).train()
    assert log_of(tmp_path / "run") == log_of(undisturbed)
    assert module_bytes(tmp_path / "run", 9) == module_bytes(undisturbed, 9)


def test_a_family_without_gradient_checkpointing(make_encoder, store, tmp_path):
    encoder = make_encoder()
    encoder.model.supports_gradient_checkpointing = False
    with pytest.raises(UserError, match="bert models have no gradient checkpointing"):
        trainer(encoder, store, tmp_path, gradient_checkpointing=True)


@pytest.mark.slow  # a minute of the compiler's
def test_compiled_layers_give_the_same_losses(make_encoder, store, tmp_path):
    losses = {}
    for compiled in (False, True):
        encoder = make_encoder()
        trainer(encoder, store, tmp_path / f"{compiled}", compile=compiled).train()
        losses[compiled] = losses_of(tmp_path / f"{compiled}")
        assert all((layer._compiled_call_impl is not None) == compiled for layer in layer_stack(encoder.model))
    assert len(losses[True]) == 9
    for plain, compiled in zip(losses[False], losses[True], strict=True):
        assert plain == pytest.approx(compiled, rel=1e-4)


def test_the_compile_setting_compiles_all_encoders(make_encoder, store, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("paralign.training.trainer.compile_layers", seen.append)
    run = trainer(make_encoder(), store, tmp_path, compile=True)
    moco = run.learner.objectives["moco"]
    assert {id(model) for model in seen} == {id(run.learner.encoder.model), id(moco.momentum_encoder.model)}


def test_a_family_whose_layers_cannot_be_compiled(make_encoder, store, tmp_path):
    encoder = make_encoder()
    encoder.model.config.num_hidden_layers = 3  # as in models that run one layer three times
    with pytest.raises(UserError, match="bert models have no stack of layers to compile"):
        trainer(encoder, store, tmp_path, compile=True)


@pytest.mark.parametrize(("warmup", "expected"), [(0, [1, 1, 1, 1]), (0.5, [0, 0.5, 1, 1]), (3, [0, 1 / 3, 2 / 3, 1])])
def test_the_weight_of_an_objective_rises(warmup, expected, make_encoder, store, tmp_path):
    run = trainer(make_encoder(), store, tmp_path, objectives="ppa", steps=4)
    moco = run.learner.objectives["moco"]
    moco.config = moco.config.model_copy(update={"weight": 2.0, "weight_warmup": warmup})
    run.train()
    lines = [line for line in log_of(tmp_path) if "losses" in line]
    for line, factor in zip(lines, expected, strict=True):
        total = line["losses"]["tlm"] + 2 * factor * line["losses"]["moco"]
        assert line["loss"] == pytest.approx(total)
    assert run.learner.weights() == {"tlm": 1.0, "moco": 2.0}


def test_an_objective_of_weight_0_does_not_move_the_encoder(make_encoder, store, tmp_path):
    """In the first step of a warm-up the gradient is that of the other objectives."""
    gradients = []
    for number, (objectives, warmup) in enumerate((("tlm", 0), ("ppa", 3))):
        run = trainer(make_encoder(), store, tmp_path / str(number), objectives=objectives, clip=1e9)
        if warmup:
            moco = run.learner.objectives["moco"]
            moco.config = moco.config.model_copy(update={"weight_warmup": warmup})
        run.module.train()
        kept = {}
        run.optimizer.step = lambda run=run, kept=kept: kept.update(
            {n: p.grad.clone() for n, p in run.learner.encoder.named_parameters() if p.grad is not None}
        )
        run._optimize(run._slices())
        gradients.append(kept)
    for name, value in gradients[0].items():
        torch.testing.assert_close(value, gradients[1][name], atol=1e-7, rtol=1e-5)


def test_a_gpu_need_not_have_a_number(monkeypatch):
    """accelerate calls the only GPU of a single process ``cuda``, without an index."""
    from paralign.training import Trainer

    seen = []
    monkeypatch.setattr(torch.random, "fork_rng", seen.append)
    Trainer._own_random_numbers(SimpleNamespace(accelerator=SimpleNamespace(device=torch.device("cuda"))))
    assert seen == [[torch.device("cuda")]]
