"""Word alignment by counting: IBM model 2 with a diagonal prior, a hidden Markov model behind it, in both directions.

The lexical probabilities are those of Dyer, Chahuneau and Smith (2013, fast_align) with their variational-Bayes M-step;
training both directions to agree is Liang, Taskar and Klein's (2006): counted is the product of their posteriors.

Memory: 4 bytes a cell, and 16 bytes a distinct word pair (its target word, two probabilities, a count; 20 while the
directions are trained apart).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor

from paralign.words.base import AlignerConfig
from paralign.words.cells import Block, Cells
from paralign.words.diagonal import Diagonal
from paralign.words.jumps import Jumps

__all__ = ["FLOOR", "Posteriors", "TranslationModelConfig", "WordModel", "train"]

FLOOR = 1e-9
"""No word pair and no word is less likely."""
_PART = 1 << 16


class TranslationModelConfig(AlignerConfig):
    """How the counting aligner is trained."""

    iterations: int = Field(default=4, ge=1)
    """Passes of IBM model 2; fast_align's five, of which the last only decodes."""
    hmm: int = Field(default=0, ge=0)
    """Passes of the hidden Markov model behind them."""
    agreement: bool = True
    """Train both directions to agree: in all passes but the first, or, with a hidden Markov model, in its passes."""
    alpha: float = Field(default=0.1, ge=0)
    """Of the Dirichlet prior in the variational-Bayes M-step; fast_align's is 0.01, 0 is maximum likelihood."""
    null: float = Field(default=0.08, gt=0, lt=1)
    """Share of words without a counterpart; re-estimated by the hidden Markov model and where directions agree."""
    tension: float = Field(default=4.0, gt=0)
    """Of the diagonal prior, to begin with."""
    lowercase: bool = True
    """Take words that differ in case for one."""


@dataclass(frozen=True)
class Posteriors:
    """What a model says of a block of pairs.

    Attributes:
        forward: [k, m, n] that each target word comes from each source word.
        forward_none: [k, n] that it comes from none.
        backward: [k, m, n] that each source word comes from each target word.
        backward_none: [k, m] that it comes from none.
    """

    forward: Tensor
    forward_none: Tensor
    backward: Tensor
    backward_none: Tensor


@dataclass
class WordModel:
    """Parameters over the distinct pairs of :class:`Cells`; ``[0]`` target from source, ``[1]`` source from target.

    Attributes:
        words: ([D + 1], [D + 1]) probability of each pair; the last, 0, stands behind the ends of sentences. ``None``
            before the first pass: all alike.
        none: ([target words + 1], [source words + 1]) probability of each word without a counterpart; the last is 1.
        positions: where translations stand.
    """

    words: list[Tensor] | None
    none: list[Tensor] | None
    positions: list[Diagonal] | list[Jumps]

    def posteriors(self, block: Block, *, count: bool = True) -> Posteriors:
        """Of each cell of some pairs; ``count`` remembers what the positions learn from."""
        ids, flat = block.ids, block.ids.reshape(-1)
        sizes = block.sizes
        back = None if sizes is None else (sizes[1], sizes[0])
        if self.words is None or self.none is None:
            known = _known(block)
            ones = [torch.ones(side.shape, device=side.device) for side in (block.target, block.source)]
            forward, forward_none = self.positions[0].posteriors(known, ones[0], sizes, count=count)
            backward, backward_none = self.positions[1].posteriors(known.transpose(1, 2), ones[1], back, count=count)
        else:
            pair = [table.index_select(0, flat).view(ids.shape) for table in self.words]
            none = (self.none[0][block.target], self.none[1][block.source])
            forward, forward_none = self.positions[0].posteriors(pair[0], none[0], sizes, count=count)
            backward, backward_none = self.positions[1].posteriors(pair[1].transpose(1, 2), none[1], back, count=count)
        return Posteriors(forward, forward_none, backward.transpose(1, 2), backward_none)


def _known(block: Block) -> Tensor:
    """[k, m, n] 1 where there are words, 0 behind the ends."""
    if block.sizes is None:
        return torch.ones(block.ids.shape, device=block.ids.device)
    m, n = block.ids.shape[1:]
    rows, columns = (torch.arange(size, device=block.ids.device) < some.view(-1, 1)
                     for size, some in zip((m, n), block.sizes, strict=True))  # fmt: skip
    return (rows.unsqueeze(2) & columns.unsqueeze(1)).float()


def train(cells: Cells, config: TranslationModelConfig, *, progress: Callable[[str], None] | None = None) -> WordModel:
    """Learn the parameters by expectation maximization.

    Deterministic on a CPU for a given number of threads; one is nearly as fast as several. One pass over the cells each
    iteration.

    Args:
        cells: of the text.
        config: passes and priors.
        progress: told a line after each pass.
    """
    agree = config.agreement and not config.hmm
    model = WordModel(
        None, None, [Diagonal(null=config.null, tension=config.tension, learn_null=agree) for _ in range(2)]
    )
    for step in range(config.iterations + config.hmm):
        if step == config.iterations:
            model.positions = [Jumps(null=config.null, device=cells.device) for _ in range(2)]
        together = config.agreement and (step >= config.iterations if config.hmm else step > 0)
        _pass(model, cells, config.alpha, together)
        if progress is not None:
            progress(_told(model, step + 1, config.iterations + config.hmm))
    return model


def _told(model: WordModel, step: int, steps: int) -> str:
    first, second = model.positions
    kind = "hmm" if isinstance(first, Jumps) else "ibm"
    tension = "" if isinstance(first, Jumps) or isinstance(second, Jumps) else (
        f", tension {first.tension:.1f} and {second.tension:.1f}")  # fmt: skip
    return f"pass {step}/{steps} ({kind}): without a counterpart {first.null:.0%} and {second.null:.0%}{tension}"


def _pass(model: WordModel, cells: Cells, alpha: float, together: bool) -> None:
    """One iteration: posteriors of all cells, counts, new parameters."""
    sources, targets = cells.words
    counts = [torch.zeros(cells.distinct + 1, device=cells.device) for _ in range(1 if together else 2)]
    none = [torch.zeros(size + 1, dtype=torch.float64, device=cells.device) for size in (targets, sources)]
    for block in cells:
        found = model.posteriors(block)
        flat = block.ids.reshape(-1)
        if together:
            counts[0].index_add_(0, flat, (found.forward * found.backward).reshape(-1))
        else:
            counts[0].index_add_(0, flat, found.forward.reshape(-1))
            counts[1].index_add_(0, flat, found.backward.reshape(-1))
        none[0].index_add_(0, block.target.reshape(-1), found.forward_none.reshape(-1).double())
        none[1].index_add_(0, block.source.reshape(-1), found.backward_none.reshape(-1).double())
    owners = (cells.source_of, cells.target_of)
    model.words = None  # before the new ones are made
    first = torch.empty_like(counts[0]) if together else counts[0]
    _table(counts[0], first, cells.words[0], owners[0], alpha)
    _table(counts[-1], counts[-1], cells.words[1], owners[1], alpha)
    model.words = [first, counts[-1]]
    model.none = [_row(some, alpha) for some in none]
    for positions in model.positions:
        positions.update()


def _table(counts: Tensor, out: Tensor, words: int, owner: Callable[[int, int], Tensor], alpha: float) -> None:
    """p(word | owner) of each distinct pair: the variational-Bayes estimate exp(ψ(c + α) - ψ(Σ (c + α))).

    Args:
        counts: [D + 1] c.
        out: [D + 1] where to; may be ``counts``.
        words: how many owners there are.
        owner: the owners of some distinct pairs.
        alpha: α; 0 is the relative frequency.
    """
    distinct = len(counts) - 1
    total = torch.zeros(words, dtype=torch.float64, device=counts.device)
    parts = [(at, min(at + _PART, distinct)) for at in range(0, distinct, _PART)]
    for at, stop in parts:
        total.index_add_(0, owner(at, stop), counts[at:stop].double() + alpha)
    share = torch.digamma(total).float() if alpha else total.float()
    for at, stop in parts:
        of, some = share[owner(at, stop)], counts[at:stop]
        part = torch.exp(torch.digamma(some + alpha) - of) if alpha else some / of
        torch.clamp(part, min=FLOOR, out=out[at:stop])
    out[distinct] = 0


def _row(counts: Tensor, alpha: float) -> Tensor:
    """p(word | none) of every word of a language."""
    counts = counts.clone()
    counts[-1] = 0
    some = counts[:-1] + alpha
    part = torch.exp(torch.digamma(some) - torch.digamma(some.sum())) if alpha else some / some.sum().clamp(min=FLOOR)
    counts[:-1] = part.clamp(min=FLOOR)
    counts[-1] = 1
    return counts.float()
