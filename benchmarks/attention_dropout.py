"""CPU seconds of a training step with the dropout of attention by PyTorch and by paralign, taking turns.

    python benchmarks/attention_dropout.py --model ENCODER [--lengths 40 96 384] [--pieces 1536] [--repeats 7]

A step is the forward and backward pass of the encoder alone, on rows of random pieces without padding, in the precision
that training uses here. Both ways have paralign's dropout of hidden states.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import torch
from machine import finish, median_of, table

from paralign.device import has_bf16, keep_memory, select_device
from paralign.encoder import Encoder
from paralign.encoder.dropout import use_fast_dropout


def seconds_of(model: Any, ids: torch.Tensor) -> float:
    """Return the CPU seconds of one step."""
    began = time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
        states = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    states.float().square().mean().backward()
    model.zero_grad()
    return time.process_time() - began


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="encoder with the attention of BERT")
    parser.add_argument("--lengths", type=int, nargs="+", default=[40, 96, 384], help="pieces per row")
    parser.add_argument("--pieces", type=int, default=1536, help="pieces per step")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args(arguments)
    select_device("cpu")
    keep_memory()
    encoder = Encoder.from_pretrained(given.model)
    use_fast_dropout(encoder)
    model = encoder.model.base_model.train()
    ways = {"PyTorch": "eager", "paralign": model.config._attn_implementation}
    if ways["paralign"] != "paralign":
        parser.error(f"{given.model} is not an encoder with the attention of BERT")
    found: dict[str, Any] = {}
    for length in given.lengths:
        ids = torch.randint(len(encoder.tokenizer), (max(1, given.pieces // length), length))
        times: dict[str, list[float]] = {way: [] for way in ways}
        for repeat in range(given.repeats + 1):
            for way, attention in ways.items():
                model.set_attn_implementation(attention)
                seconds = seconds_of(model, ids)
                if repeat:  # the first is warm-up
                    times[way].append(seconds)
        found[str(length)] = {way: median_of(each) for way, each in times.items()}
    rows = []
    for length, of_way in found.items():
        slow, fast = (of_way[way]["median"] for way in ways)
        rows.append([length, f"{slow:.2f}", f"{fast:.2f}", f"{slow / fast:.2f}"])
    print(table(["pieces per row", *ways, "times as fast"], rows))
    finish("attention_dropout", {"pieces": given.pieces, "bf16": has_bf16(), "seconds": found}, torch_too=True)


if __name__ == "__main__":
    main()
