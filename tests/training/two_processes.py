"""Run alone, in several processes or by torch.distributed.run: a training whose log and weights are compared."""

import os
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from paralign.corpus.store import TokenStore
from paralign.encoder import Encoder
from paralign.training.callbacks import Callback, CallbackTrainer
from tests.training.every_objective import make_trainer
from tests.training.runs import trainer


class Disagreement(Callback):
    """Changes the weights before the first step, differently in each process."""

    def __init__(self, amount: float) -> None:
        self.amount = amount

    def on_train_start(self, trainer: CallbackTrainer) -> None:
        with trainer.whole_weights() as learner, torch.no_grad():
            for parameter in learner.parameters():
                parameter.add_(0.01 * self.amount)


def train(base: str, store: str, run: str, steps: str, *more: str) -> None:
    """Train for some steps and write the weights of this process; ``more`` are switches."""
    torch.set_num_threads(1)
    encoder = Encoder.from_pretrained(base)
    settings = {"steps": int(steps), "eps": 1e-3, "checkpoint_every": 2, "shard": "shard" in more}
    settings |= {"gradient_cosine_every": int("cosines" in more)}
    rank, text = os.environ.get("RANK", "0"), TokenStore.open(store)
    if "all" in more:
        made = make_trainer(encoder, text, Path(f"{run}.links-{rank}"), Path(run), **settings)
    else:
        made = trainer(encoder, text, Path(run), objectives="ppa", **settings)
    if "disagree" in more:
        made.callbacks.append(Disagreement(float(rank)))
    outcome = made.train(resume=True)
    (Path(run) / f"rank-{rank}").write_text(f"{outcome.ranks}")
    save_file({k: v.contiguous() for k, v in encoder.model.named_parameters()}, Path(run) / f"encoder-{rank}")


if __name__ == "__main__":
    train(*sys.argv[1:])
