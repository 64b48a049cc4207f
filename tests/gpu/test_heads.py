"""Every task with training gives the same losses, gradients and answers on a device as on the CPU."""

from collections import Counter

import numpy as np
import pytest
import torch

from paralign.smallworld import World
from paralign.tasks.base import TASKS, find_task
from paralign.training import Learner, TrainingConfig
from tests.gpu.comparing import FP32, Difference, compute, perturb
from tests.gpu.test_objectives import BF16_GRADIENT, BF16_LOSS

pytestmark = pytest.mark.gpu
TRAINED = sorted(name for name in TASKS if find_task(name).trains)


@pytest.fixture(params=TRAINED)
def case_of_task(request, make_cpu_encoder, make_device_encoder, tmp_path):
    """A task, its data, and learners with the settings of the CPU and of the device."""
    task, spec = find_task(request.param), "de=smallworld:0-24"
    if request.param == "paraphrase":
        texts = [World(0).sentence(k, "de").text for k in range(48)]
        rows = (f"{texts[k]}\t{texts[k + 24]}\t{k % 2}\n" for k in range(24))
        (tmp_path / "pairs.tsv").write_text("".join(rows), encoding="utf-8")
        spec = f"de={tmp_path / 'pairs.tsv'}"
    if request.param == "topics":
        lines = (f"{World(0).sentence(k, 'de').text}\t{k % 3}\n" for k in range(24))
        (tmp_path / "topics.tsv").write_text("".join(lines), encoding="utf-8")
        spec = f"de={tmp_path / 'topics.tsv'}"
    data = task.read(spec, lenient=False, dropped=Counter(), limit=None)
    task.fit([data])
    learners = []
    for make in (make_cpu_encoder, make_device_encoder):
        encoder = make()
        torch.manual_seed(1)
        head = task.head(encoder)
        learners.append(Learner(encoder, {head.name: head}))
        perturb(learners[-1])
    return task, data, learners


@pytest.mark.parametrize(
    ("bf16", "loss", "gradient"), [(False, FP32, FP32), (True, BF16_LOSS, BF16_GRADIENT)], ids=["fp32", "bf16"]
)
def test_losses_and_gradients_equal_those_on_the_cpu(bf16, loss, gradient, case_of_task, device, record_property):
    task, data, (on_cpu, on_device) = case_of_task
    batch = task.batches(on_cpu.encoder, [data], TrainingConfig(batch=16)).batch(0)
    difference = Difference.between(
        compute(on_cpu, batch, torch.device("cpu")), compute(on_device, batch, device, bf16=bf16)
    )
    difference.record(record_property)
    assert difference.loss < loss
    assert difference.gradient < gradient


def test_scores_equal_those_on_the_cpu(case_of_task, device, record_property):
    task, data, (on_cpu, on_device) = case_of_task
    scores = []
    for learner, place in ((on_cpu, torch.device("cpu")), (on_device, device)):
        learner.to(place)
        (head,) = learner.objectives_by_name().values()
        scores.append({score.metric: score.items for score in task.evaluate(learner.encoder, head, data)})
    assert scores[0].keys() == scores[1].keys()
    differing = max(np.mean((items != scores[1][metric]).any(1)) for metric, items in scores[0].items())
    record_property("differing_items", float(differing))
    assert differing == 0
