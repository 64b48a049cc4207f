"""PPA on one page: post-pretraining alignment (Pan et al., NAACL 2021) in plain PyTorch and transformers.

    python examples/minimal_ppa.py runs/minimal                      # a small random BERT and toy pairs
    python examples/minimal_ppa.py runs/minimal bert-base-multilingual-cased en-de.tsv

This file is for reading and does not import paralign. Losses, queue, momentum encoder, optimizer and schedule are those
of `paralign align --recipe ppa`; tests/test_minimal_ppa.py compares the two. Left out: filtering of pairs, mixed
precision, batching by length, checkpoints and logs.
"""

import copy
import itertools
import random
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from transformers import AutoModelForMaskedLM, AutoTokenizer, BertConfig, BertTokenizer, DataCollatorForLanguageModeling


class PPA(nn.Module):
    """A masked LM (the query encoder), its momentum encoder and the queue of negatives."""

    def __init__(self, model, queue_size=32_000, dim=300, momentum=0.999, temperature=0.05):
        super().__init__()
        self.model, self.queue_size, self.momentum, self.temperature = model, queue_size, momentum, temperature
        width = model.config.hidden_size
        self.projection = nn.Sequential(
            nn.Linear(width, width, bias=False), nn.ReLU(), nn.Linear(width, dim, bias=False)
        )
        self.momentum_encoder = copy.deepcopy(model.base_model).requires_grad_(False)
        self.momentum_projection = copy.deepcopy(self.projection).requires_grad_(False)
        self.register_buffer("queue", torch.empty(0, dim))  # K keys, the oldest first
        self.register_buffer("queue_ids", torch.empty(0, dtype=torch.long))  # the pair each key belongs to

    def embed(self, encoder, projection, sentences):
        """Return normalized sentence vectors [B, dim]: the projected last hidden state of [CLS]."""
        cls = encoder(**sentences).last_hidden_state[:, 0]
        return F.normalize(projection(F.normalize(cls, dim=1)), dim=1)

    @torch.no_grad()
    def keys(self, batch):
        return self.embed(self.momentum_encoder, self.momentum_projection, batch["second"])

    def forward(self, batch):
        """Return the TLM loss, the contrastive loss, and the keys [B, dim] to enqueue after the optimizer step."""
        tlm = self.model(**batch["joint"]).loss  # cross-entropy, a mean over the masked positions
        queries, keys = self.embed(self.model.base_model, self.projection, batch["first"]), self.keys(batch)
        positive = (queries * keys).sum(dim=1, keepdim=True)  # [B, 1]
        negative = queries @ self.queue.T  # [B, K]
        negative = negative.masked_fill(batch["ids"][:, None] == self.queue_ids, -torch.inf)  # no false negatives
        logits = torch.cat([positive, negative], dim=1) / self.temperature
        return tlm, F.cross_entropy(logits, torch.zeros_like(batch["ids"])), keys

    @torch.no_grad()
    def update_momentum_encoder(self):
        slow = [*self.momentum_encoder.parameters(), *self.momentum_projection.parameters()]
        fast = [*self.model.base_model.parameters(), *self.projection.parameters()]
        for s, f in zip(slow, fast, strict=True):
            s.lerp_(f, 1 - self.momentum)

    def enqueue(self, keys, ids):
        self.queue = torch.cat([self.queue, keys])[-self.queue_size :]
        self.queue_ids = torch.cat([self.queue_ids, ids])[-self.queue_size :]


def train(ppa, batches, steps, lr=3e-5, warmup=0.1, weight_decay=0.01, eps=1e-8):
    """Train for a number of optimizer steps; yield the two losses of each step."""
    trained = [p for p in ppa.parameters() if p.requires_grad]
    matrices, vectors = [p for p in trained if p.dim() > 1], [p for p in trained if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=lr, eps=eps)
    up = max(1, int(warmup * steps))  # linear warm-up, then linear decay to 0
    down = max(1, steps - up)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: min((t + 1) / up, (steps - t) / down))
    ppa.train()  # the momentum encoder too: its dropout is on
    while len(ppa.queue) < ppa.queue_size:  # start with a queue of real keys
        batch = next(batches)
        ppa.enqueue(ppa.keys(batch), batch["ids"])
    for batch in itertools.islice(batches, steps):
        tlm, moco, keys = ppa(batch)
        (tlm + moco).backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        ppa.enqueue(keys, batch["ids"])
        ppa.update_momentum_encoder()
        yield tlm.item(), moco.item()


def make_batches(pairs, tokenizer, batch_size, device):
    """Yield shuffled batches of three views without end: two single sentences, and both in one masked sequence."""
    mask = DataCollatorForLanguageModeling(tokenizer, mlm_probability=0.15)  # 15 % of the tokens, replaced 80/10/10
    cut = {"truncation": True, "max_length": 128}
    while True:
        for ids in torch.randperm(len(pairs)).split(batch_size):
            # Input shuffling: a coin decides for each pair which sentence comes first.
            first, second = zip(*(random.sample(pairs[i], 2) for i in ids), strict=True)
            both = zip(first, second, strict=True)
            views = {
                "first": tokenizer(first, **cut, padding=True, return_tensors="pt"),
                "second": tokenizer(second, **cut, padding=True, return_tensors="pt"),
                "joint": mask([tokenizer(*pair, **cut, return_special_tokens_mask=True) for pair in both]),
                "ids": ids,
            }
            yield {name: view.to(device) for name, view in views.items()}


def toy_pairs():
    """Return 48 sentences in English and German."""
    subjects = [("the woman", "die Frau"), ("the boy", "der Junge"), ("a cat", "eine Katze"), ("my dog", "mein Hund")]
    verbs = [("sees", "sieht"), ("likes", "mag"), ("finds", "findet")]
    objects = [("the house", "das Haus"), ("a bird", "einen Vogel"), ("water", "Wasser"), ("bread", "Brot")]
    return [tuple(map(" ".join, zip(*words, strict=True))) for words in itertools.product(subjects, verbs, objects)]


def toy_model(pairs):
    """Return a small random BERT and a tokenizer for the words of the pairs."""
    words = sorted({word for pair in pairs for sentence in pair for word in sentence.split()})
    vocab = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words])}
    config = BertConfig(vocab_size=len(vocab), hidden_size=64, num_hidden_layers=2, num_attention_heads=2,
                        intermediate_size=256)  # fmt: skip
    return AutoModelForMaskedLM.from_config(config), BertTokenizer(vocab=vocab, do_lower_case=False)


def main(out, model_name=None, tsv=None):
    lines = Path(tsv).read_text(encoding="utf-8").splitlines() if tsv else []
    pairs = [tuple(line.split("\t")[:2]) for line in lines] or toy_pairs()
    if model_name:  # the paper's settings
        model, tokenizer = AutoModelForMaskedLM.from_pretrained(model_name), AutoTokenizer.from_pretrained(model_name)
        ppa, batch_size, epochs, lr = PPA(model), 128, 10, 3e-5
    else:
        model, tokenizer = toy_model(pairs)
        ppa, batch_size, epochs, lr = PPA(model, queue_size=32, momentum=0.99), 16, 40, 1e-3
    device = "cuda" if torch.cuda.is_available() else "cpu"
    batches = make_batches(pairs, tokenizer, batch_size, device)
    steps = max(1, epochs * len(pairs) // batch_size)
    for step, (tlm, moco) in enumerate(train(ppa.to(device), batches, steps, lr), start=1):
        print(f"step {step}  tlm {tlm:.3f}  moco {moco:.3f}")
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


if __name__ == "__main__":
    main(*(sys.argv[1:] or ["runs/minimal"]))
