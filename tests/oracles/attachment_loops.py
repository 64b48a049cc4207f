"""UAS and LAS, one word at a time."""

from __future__ import annotations

Words = list[tuple[int, str]]


def attachment(gold: Words, guess: Words, *, punctuation: bool, subtypes: bool) -> dict[str, tuple[int, int]]:
    words = uas = las = 0
    for (gold_head, gold_relation), (head, relation) in zip(gold, guess, strict=True):
        if not subtypes or not punctuation:
            kind, guessed = gold_relation.split(":")[0], relation.split(":")[0]
            if kind == "punct" and not punctuation:
                continue
            if not subtypes:
                gold_relation, relation = kind, guessed
        words += 1
        if head == gold_head:
            uas += 1
            if relation == gold_relation:
                las += 1
    return {"uas": (uas, words), "las": (las, words)}
