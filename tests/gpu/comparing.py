"""The same computation on the CPU and on a device, and the difference of the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from paralign.batches.masking import PieceTranslations
from paralign.batches.views import ViewsConfig
from paralign.corpus.build import build_store
from paralign.corpus.clean import FilterConfig
from paralign.corpus.link_store import write_link_store
from paralign.languages.dictionary import Dictionary
from paralign.objectives import Objective, find_objective
from paralign.sources.specs import parse_pairs
from paralign.training import CorpusBatches, Learner, TrainingConfig
from tests.objectives.test_word_alignment import links_of

FP32 = 1e-4
"""Tolerance in fp32. Sums of some hundred products in another order have a relative difference of about 1e-6, ten times
that after two layers and their gradients. 1e-4 is far above that, and far below the error of TF32 (10 bits)."""


def cpu_encoder(make: Callable[..., Any], arch: str, **settings: Any) -> Any:
    """Return an encoder with the settings of a CPU: eager attention, many chunks."""
    encoder = make(arch, chunk_cost=256, **settings)
    encoder.model.set_attn_implementation("eager")
    return encoder


def device_encoder(make: Callable[..., Any], arch: str, **settings: Any) -> Any:
    """Return an encoder with the settings of an accelerator: fused attention, few chunks."""
    encoder = make(arch, chunk_cost=2_048, **settings)
    encoder.model.set_attn_implementation("sdpa")
    return encoder


@contextmanager
def computing_on(device: torch.device) -> Iterator[None]:
    """Make trainers and commands use this device inside the context."""
    with pytest.MonkeyPatch.context() as patch:
        if device.type == "cpu":
            patch.setenv("ACCELERATE_USE_CPU", "1")
        else:
            patch.delenv("ACCELERATE_USE_CPU", raising=False)
        AcceleratorState._reset_state(reset_partial_state=True)
        yield
        AcceleratorState._reset_state(reset_partial_state=True)


def perturb(module: nn.Module, size: float = 0.05) -> None:
    """Add small reproducible noise to all weights (some losses are 0 at initialization), and disable dropout."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.requires_grad:
                parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0


@dataclass
class Outputs:
    """Mean losses by name, and gradients by parameter."""

    losses: dict[str, float]
    gradients: dict[str, Tensor]


def compute(learner: Learner, batch: Any, device: torch.device, *, bf16: bool = False) -> Outputs:
    """Compute losses and gradients of one batch on a device."""
    learner.to(device).train()
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        out = learner(batch)
    counts = learner.counts(batch)
    losses = {name: total.float() / max(1, counts[name]) for name, total in out.items()}
    sum(weight * losses[name] for name, weight in learner.weights().items()).backward()
    return Outputs(
        {name: loss.item() for name, loss in losses.items()},
        {name: p.grad.detach().double().cpu() for name, p in learner.named_parameters() if p.grad is not None},
    )


@dataclass
class Difference:
    """The difference of two computations.

    Attributes:
        loss: largest difference of a loss, relative if the loss is above 1.
        gradient: relative norm of the difference of all gradients.
        parameter: the largest one of a single parameter, relative to its norm or to a tenth of the norm of all.
    """

    loss: float
    gradient: float
    parameter: float

    @classmethod
    def between(cls, expected: Outputs, actual: Outputs) -> Difference:
        """Return the difference of ``actual`` from ``expected``."""
        assert expected.losses.keys() == actual.losses.keys()
        assert expected.gradients.keys() == actual.gradients.keys()
        loss = max(abs(a - actual.losses[name]) / max(1, abs(a)) for name, a in expected.losses.items())
        each = {name: float((g - actual.gradients[name]).norm()) for name, g in expected.gradients.items()}
        sizes = {name: float(g.norm()) for name, g in expected.gradients.items()}
        whole = sum(size**2 for size in sizes.values()) ** 0.5
        assert whole > 0
        total = sum(size**2 for size in each.values()) ** 0.5 / whole
        return cls(loss, total, max(each[name] / max(sizes[name], whole / 10) for name in each))

    def record(self, record_property: Callable[[str, object], None]) -> None:
        """Add the differences to the test report."""
        for name, value in vars(self).items():
            record_property(f"{name}_difference", value)


class SmallWorldCase:
    """Objectives and batches of the small world with links, a dictionary and twins."""

    def __init__(self, store: Any, make: Callable[..., Any], folder: Path) -> None:
        self.store = store
        self.links = write_link_store(store, links_of(store), folder / "links")
        twins = make(twins=True)
        self.twin_store = build_store(
            [parse_pairs("en-en~trans+inv=smallworld:0-60")], twins.text_tokenizer, folder / "twins",
            filter=FilterConfig(min_pieces=2),
        )  # fmt: skip

    def dictionary(self, encoder: Any, wide: int = 1) -> Dictionary:
        """Return a dictionary of words of one piece, or of up to ``wide`` pieces."""
        ids = encoder.template.ordinary.tolist()
        pieces = [(tuple(ids[k : k + 1 + k % wide]), (ids[k + 100],)) for k in range(90)]
        return Dictionary([(f"a{k}", f"b{k}") for k in range(90)], pieces)

    def batch(self, encoder: Any, *, batch: int = 12, **views: Any) -> Any:
        """Return a global batch; for an encoder with twins, pairs of a language and a language derived from it."""
        views = {"mask_probability": 0.3} | views
        translations = PieceTranslations(self.dictionary(encoder).single_piece_entries(), encoder.template.vocabulary)
        return CorpusBatches(
            self.twin_store if encoder.twin_offset else self.store, encoder.template, ViewsConfig(**views),
            TrainingConfig(batch=batch), longest=encoder.max_pieces, links=None if encoder.twin_offset else self.links,
            translations=translations,
        ).batch(2)  # fmt: skip

    def learner(self, encoder: Any, name: str, settings: Mapping[str, Any], wide: int = 1) -> Learner:
        """Return a learner with one objective and perturbed weights."""
        kind = find_objective(name)
        torch.manual_seed(3)
        inputs = {"dictionary": self.dictionary(encoder, wide)} if kind.needs_dictionary else {}
        objective: Objective = kind(kind.Config(**settings), encoder, **inputs)
        learner = Learner(encoder, {kind.name: objective})
        perturb(learner)
        return learner
