"""Trainers of registered objectives with links and a dictionary, to compare ways of dividing a batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from paralign.batches.masking import PieceTranslations
from paralign.batches.views import ViewsConfig
from paralign.commands.arguments import as_overrides
from paralign.corpus.link_store import LinkStore, write_link_store
from paralign.encoder import Encoder
from paralign.languages.dictionary import Dictionary
from paralign.objectives import OBJECTIVES, Objective, find_objective
from paralign.runs.settings import run_settings
from paralign.training import CorpusBatches, Learner, Trainer
from tests.gpu.comparing import perturb
from tests.objectives.test_word_alignment import links_of
from tests.training.runs import QUICK

SETTINGS = {"moco": {"queue": 40, "projection": 8}, "word_l2": {"anchor": 0.5}}
NAMES = sorted(OBJECTIVES)
LAYERED = [name for name in NAMES if "layer" in find_objective(name).Config.model_fields]
"""Objectives that read a layer which can be set."""


def make_trainer(
    encoder: Encoder,
    store: Any,
    links: Path,
    run: Path,
    names: Sequence[str] = NAMES,
    *,
    lower: Sequence[str] = LAYERED[::2],
    **training: Any,
) -> Trainer:
    """Return a trainer of the named objectives without dropout, whose links are written to ``links``.

    Objectives in ``lower`` read the first of the two layers.
    """
    ids = encoder.template.ordinary.tolist()
    pieces = [((ids[k],), (ids[k + 100],)) for k in range(90)]
    dictionary = Dictionary([(f"a{k}", f"b{k}") for k in range(90)], pieces)
    objectives: dict[str, Objective] = {}
    torch.manual_seed(3)
    for name in names:
        kind = find_objective(name)
        inputs = {"dictionary": dictionary} if kind.needs_dictionary else {}
        layer = {"layer": 1} if name in lower else {}
        objectives[name] = kind(kind.Config(**SETTINGS.get(name, {}), **layer), encoder, **inputs)
    learner = Learner(encoder, objectives)
    perturb(learner)
    config = run_settings("tlm", as_overrides({"training": QUICK | {"dropout": 0.0} | training})).training
    opened = LinkStore.open(links, store) if links.exists() else write_link_store(store, links_of(store), links)
    translations = PieceTranslations(dictionary.single_piece_entries(), encoder.template.vocabulary)
    batches = CorpusBatches(store, encoder.template, ViewsConfig(mask_probability=0.3), config,
                            longest=encoder.max_pieces, links=opened, translations=translations)  # fmt: skip
    return Trainer(learner, batches, config, run=run, settings={}, quiet=True)
