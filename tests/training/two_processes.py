"""Run by torch.distributed.run (or alone): a short training whose log and weights are compared."""

import os
import sys
from pathlib import Path

import torch

from paralign.encoder import Encoder
from paralign.text import TokenStore
from tests.training.runs import trainer

if __name__ == "__main__":
    base, store, run, steps = sys.argv[1:]
    torch.set_num_threads(1)
    encoder = Encoder.from_pretrained(base)
    settings = {"steps": int(steps), "eps": 1e-3, "checkpoint_every": 1000}
    outcome = trainer(encoder, TokenStore.open(store), Path(run), objectives="ppa", **settings).train()
    (Path(run) / f"rank-{os.environ.get('RANK', '0')}").write_text(f"{outcome.ranks}")
