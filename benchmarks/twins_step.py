"""Cost of ALIGN-MLM, and time saved by logits at masked positions only, with a vocabulary of twins.

    python benchmarks/twins_step.py [--text en=PATH] [--arch bert:4x256] [--vocab 8000] [--batch 128]

Sentences per second of the real loop on English and its twin (``trans+inv``), from the same random weights on the same
batches, taking turns: ``mlm``; with ``static`` on the full dictionary of all pieces; and ``mlm`` with logits at all
positions, as with a model's ``labels=`` (without padding, which makes this variant look better than it is).
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from loop_rate import add_arguments, in_turn, loop_rate
from machine import finish, median_of
from real_text import paralign
from torch import Tensor, nn

from paralign.encoder import Encoder, train_tokenizer
from paralign.languages.dictionary import Dictionary
from paralign.objectives import Step
from paralign.objectives.mlm import MaskedLM
from paralign.objectives.static import Static, StaticConfig
from paralign.smallworld import World
from paralign.sources.readers import read_text
from paralign.sources.specs import parse_text


class AllPositions(MaskedLM):
    """MLM that computes logits at every position, most of which are ignored."""

    name: ClassVar[str] = "mlm"

    def forward(self, step: Step) -> Mapping[str, Tensor]:
        """Return the same sum."""
        states, seen = step.hidden("text"), step.batch.view("text")
        scores = step.encoder.logits(states.at(np.arange(len(seen.ids)))).float()
        labels = torch.full((len(scores),), -100, device=scores.device)
        labels[torch.from_numpy(seen.masked)] = torch.from_numpy(seen.labels)
        return {"mlm": nn.functional.cross_entropy(scores, labels, reduction="sum")}


WAYS = {
    "mlm": '["mlm"]',
    "static": '["mlm","static"]',
    "all positions": f'["{Path(__file__).stem}:AllPositions"]',
}


def alone(encoder: Encoder, repeats: int = 15) -> float:
    """Return the median seconds of ``static`` on all pieces alone, forward and backward."""
    names, ids = [str(k) for k in range(encoder.twin_offset)], encoder.template.ordinary.tolist()
    objective = Static(StaticConfig(), encoder, Dictionary.from_twins(names, ids, encoder.twin_offset))
    nothing, times = Step(encoder, cast(Any, None)), []
    for _ in range(repeats):
        began = time.perf_counter()
        (objective(nothing)["static"] / len(ids)).backward()
        times.append(time.perf_counter() - began)
    return float(median_of(times)["median"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", help="text as LANG=PATH (default: the small world)")
    parser.add_argument(
        "--vocab", type=int, default=8_000, help="vocabulary size of byte-level BPE; doubled by the twins"
    )
    parser.add_argument("--limit", type=int, default=100_000, help="sentences")
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=list(WAYS),
        default=list(WAYS),
        help="variants; the others are compared with the first",
    )
    add_arguments(parser)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        text = folder / "text.txt"
        if given.text:
            language, lines = parse_text(given.text).language, (line for _, line in read_text(parse_text(given.text)))
        else:
            language, lines = "en", (World(0).sentence(k, "en").text for k in range(given.limit))
        kept = list(itertools.islice(lines, given.limit))
        text.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        tokenizer = train_tokenizer(kept, kind="bpe", size=given.vocab)
        encoder = Encoder.from_scratch(given.arch, tokenizer, max_length=256, twins=True)
        encoder.save_pretrained(folder / "encoder")
        seconds = alone(encoder)
        print(f"static alone, {len(encoder.template.ordinary):,} pieces: {1000 * seconds:.1f} ms")
        pair = f"{language}:{language}~trans+inv={text}"
        paralign(
            *("corpus", "build", "--model", folder / "encoder", "--pairs", pair, "--set", "data.drop_identical=false"),
            *("--quiet", "--out", folder / "store"),
        )
        ways = {
            name: partial(
                loop_rate, folder / "encoder", folder / "store", "mlm", given, overrides=[f"objectives={WAYS[name]}"]
            )
            for name in given.ways
        }
        result = in_turn(ways, given.repeats)
    rate = next(iter(result["pairs_per_s"].values()))["median"]
    print(f"static alone is {100 * seconds * rate / given.batch:.1f} % of a step of the first")
    shape: dict[str, Any] = {"static_s": seconds, "arch": given.arch, "pieces": len(tokenizer), "batch": given.batch}
    finish("twins_step", shape | result, torch_too=True)


if __name__ == "__main__":
    main()
