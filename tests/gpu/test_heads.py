"""Every task that is trained gives the same losses, gradients and answers on a device as on the CPU."""

from collections import Counter

import numpy as np
import pytest
import torch

from paralign.smallworld import World
from paralign.tasks.base import TASKS, find_task
from paralign.training import Learner, TrainingConfig
from tests.gpu.comparing import FP32, Apart, computed, shake
from tests.gpu.test_objectives import BF16_GRADIENT, BF16_LOSS

pytestmark = pytest.mark.gpu
TRAINED = sorted(name for name in TASKS if find_task(name).trains)


@pytest.fixture(params=TRAINED)
def both(request, make_plain, make_fast, tmp_path):
    """A task's learners as on a CPU and as on a device, not at their start, and its data."""
    task, spec = find_task(request.param), "de=smallworld:0-24"
    if request.param == "paraphrase":
        texts = [World(0).sentence(k, "de").text for k in range(48)]
        rows = (f"{texts[k]}\t{texts[k + 24]}\t{k % 2}\n" for k in range(24))
        (tmp_path / "pairs.tsv").write_text("".join(rows), encoding="utf-8")
        spec = f"de={tmp_path / 'pairs.tsv'}"
    data = task.read(spec, lenient=False, dropped=Counter(), limit=None)
    task.fit([data])
    learners = []
    for make in (make_plain, make_fast):
        encoder = make()
        torch.manual_seed(1)
        head = task.head(encoder)
        learners.append(Learner(encoder, {head.name: head}))
        shake(learners[-1])
    return task, data, learners


@pytest.mark.parametrize(
    ("bf16", "loss", "gradient"), [(False, FP32, FP32), (True, BF16_LOSS, BF16_GRADIENT)], ids=["fp32", "bf16"]
)
def test_losses_and_gradients_are_the_cpus(bf16, loss, gradient, both, device, record_property):
    task, data, (plain, fast) = both
    batch = task.batches(plain.encoder, [data], TrainingConfig(batch=16)).batch(0)
    apart = Apart.of(computed(plain, batch, torch.device("cpu")), computed(fast, batch, device, bf16=bf16))
    apart.record(record_property)
    assert apart.loss < loss
    assert apart.gradient < gradient


def test_scores_are_the_cpus(both, device, record_property):
    task, data, (plain, fast) = both
    scores = []
    for learner, place in ((plain, torch.device("cpu")), (fast, device)):
        learner.to(place)
        (head,) = learner.objectives_by_name().values()
        scores.append({score.metric: score.items for score in task.evaluate(learner.encoder, head, data)})
    assert scores[0].keys() == scores[1].keys()
    unlike = max(np.mean((items != scores[1][metric]).any(1)) for metric, items in scores[0].items())
    record_property("unlike_items", float(unlike))
    assert unlike == 0
