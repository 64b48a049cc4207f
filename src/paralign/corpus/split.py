"""Splitting bilingual corpora for honest experiments: monolingual text that shows one side of a pair at most.

A base model is pretrained on ``mono``, aligned on ``pairs`` and watched on ``heldout``. Were both sides of a
pair in the monolingual text, the base model would have seen the alignment data, and the comparison would say
little.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from paralign.corpus.clean import Hashes, HashSet, hash_texts, sentence_hashes
from paralign.corpus.exclusion import Source, batched, excluded_sentences
from paralign.errors import UserError
from paralign.folders import atomic_folder
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["split_corpus"]

# Each use of a hash draws bits of its own.
_HALF, _SIDE, _HELD = "half", "side", "heldout"
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class _Shelf:
    """Distinct texts of one output file in the order met; written in the order of their hashes."""

    seen: HashSet = field(default_factory=HashSet)
    texts: list[str] = field(default_factory=list)

    def add(self, texts: Sequence[str], keys: Hashes) -> None:
        new = self.seen.add_new(keys)
        self.texts.extend(text for text, add_new in zip(texts, new, strict=True) if add_new)


def split_corpus(
    specs: Sequence[PairSpec],
    out: Path,
    *,
    text: Sequence[TextSpec] = (),
    exclude: Sequence[Source] = (),
    mono_share: float = 0.5,
    key_share: float = 0.5,
    heldout_share: float = 0.01,
    lenient: bool = False,
    dropped: Counter[str] | None = None,
) -> dict[str, Any]:
    """Split bilingual corpora into monolingual text, pairs for alignment and held-out monolingual text.

    Which half a pair falls into is a function of its English sentence alone (its key: NFKC, casefolded,
    letters, marks and digits only; the source side where a pair has no English), so one English sentence
    falls into the same half in every language pair. Which side a pair of the monolingual half gives is a function of it
    too. As one sentence may stand in several pairs, that of the key side is taken back where any of its pairs, reserved
    ones too, has its other side there as well: no pair of the corpus has both sides in the monolingual text.
    (Translations of one English sentence in two *other* languages may both be there.) Plain text is added to the
    monolingual text under the same rule, without the sentences that stand in a pair kept for alignment.

    Writes ``mono/XX.txt.gz``, ``heldout/XX.txt.gz``, ``pairs/en-XX.tsv.gz`` (English first) and ``split.json`` (what is
    returned), no file without a line. Sentences are written once a file and in the order of their hashes: the same
    input gives the same bytes, and nothing of a catalog's order remains. Holds the texts in memory (about 0.2 GB a
    million short pairs).

    Args:
        specs: the corpora; several of the same languages are put together.
        out: the folder to make.
        text: plain text to add.
        exclude: see :func:`excluded_sentences`; a pair is removed and counted if either side is among them.
        mono_share: expected share of English sentences in the monolingual half.
        key_share: expected share of its pairs that give their English side. Less than a half where English is
            plentiful and the others are not.
        heldout_share: expected share of the monolingual sentences of each language held out.
        lenient: drop lines that cannot be read.
        dropped: counts of dropped lines are added here too.

    Raises:
        UserError: for text that cannot be read, ``out`` in use, or nothing left.
    """
    held_out, kept_out = excluded_sentences(exclude, lenient=lenient)
    shelves: dict[str, _Shelf] = {}
    read: Counter[str] = Counter()
    total: Counter[str] = Counter() if dropped is None else dropped
    rivals: dict[str, tuple[list[Hashes], list[Hashes]]] = {}
    reserved: dict[str, HashSet] = {}
    rows = []
    for spec in specs:
        count: Counter[str] = Counter()
        key, other = (spec.target, spec.source) if spec.target == "en" else (spec.source, spec.target)
        pairs = ((p.target, p.source) if key == spec.target else (p.source, p.target)
                 for p in read_pairs(spec, lenient=lenient, dropped=count))  # fmt: skip
        taken: Counter[str] = Counter()
        for batch in batched(pairs):
            _share_out(batch, key, other, held_out, (mono_share, key_share), shelves, rivals, reserved, count, taken)
            read[str(spec)] += len(batch)
        rows.append({"spec": str(spec), "read": read[str(spec)], "dropped": dict(+count), "given": dict(taken)})
        total.update(+count)
    for plain in text:
        count, taken = Counter(), Counter()
        lines = (line for _, line in read_text(plain, lenient=lenient, dropped=count))
        for some in batched(lines):
            _add_text(some, plain.language, held_out, shelves, reserved, count, taken)
            read[str(plain)] += len(some)
        rows.append({"spec": str(plain), "read": read[str(plain)], "dropped": dict(+count), "given": dict(taken)})
        total.update(+count)
    _take_back(shelves, rivals)
    if not any(shelf.texts for shelf in shelves.values()):
        raise UserError(f"nothing left to split: {dict(total)}")
    shares = {"mono_share": mono_share, "key_share": key_share, "heldout_share": heldout_share}
    counts: dict[str, Any] = {"specs": rows, "exclude": kept_out, **shares}
    with atomic_folder(Path(out)) as part:
        for name, shelf in sorted(shelves.items()):
            _write(part, name, shelf.texts, heldout_share, counts)
        (part / "split.json").write_text(json.dumps(counts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return counts


def _share_out(
    batch: list[tuple[str, str]],
    key: str,
    other: str,
    held_out: HashSet,
    shares: tuple[float, float],
    shelves: dict[str, _Shelf],
    rivals: dict[str, tuple[list[Hashes], list[Hashes]]],
    reserved: dict[str, HashSet],
    count: Counter[str],
    taken: Counter[str],
) -> None:
    """Put each pair of a batch (key side, other side) on its shelf."""
    left, right = sentence_hashes(a for a, _ in batch), sentence_hashes(b for _, b in batch)
    empty = np.array([not a or not b for a, b in batch]) | (left == 0) | (right == 0)
    excluded = (held_out.contains(left) | held_out.contains(right)) & ~empty
    count.update({"empty": int(empty.sum()), "excluded": int(excluded.sum())})
    good = ~empty & ~excluded
    mono = good & (_draw(left, _HALF) < shares[0])
    gives_key = _draw(left, _SIDE) < shares[1]
    choices = {
        f"mono/{key}": (mono & gives_key, [a for a, _ in batch], left),
        f"mono/{other}": (mono & ~gives_key, [b for _, b in batch], right),
        f"pairs/{key}-{other}": (good & ~mono, (texts := ["\t".join(p) for p in batch]), hash_texts(texts)),
    }
    for name, (mask, lines, hashes) in choices.items():
        chosen = np.flatnonzero(mask)
        shelves.setdefault(name, _Shelf()).add([lines[k] for k in chosen], hashes[chosen])
        taken[name] += len(chosen)
    pairs = rivals.setdefault(f"{key} {other}", ([], []))
    pairs[0].append(left[good])
    pairs[1].append(right[good])
    for tag, side in ((key, left), (other, right)):
        reserved.setdefault(tag, HashSet()).add_new(side[good & ~mono])


def _add_text(
    batch: list[str],
    language: str,
    held_out: HashSet,
    shelves: dict[str, _Shelf],
    reserved: dict[str, HashSet],
    count: Counter[str],
    taken: Counter[str],
) -> None:
    """Put the sentences of a batch on the shelf of their language, but for those of a test or of a reserved pair."""
    hashes = sentence_hashes(batch)
    empty = hashes == 0
    excluded = held_out.contains(hashes) & ~empty
    kept = reserved.get(language, HashSet()).contains(hashes) & ~empty & ~excluded
    count.update({"empty": int(empty.sum()), "excluded": int(excluded.sum()), "in a reserved pair": int(kept.sum())})
    chosen = np.flatnonzero(~(empty | excluded | kept))
    name = f"mono/{language}"
    shelves.setdefault(name, _Shelf()).add([batch[k] for k in chosen], hashes[chosen])
    taken[name] += len(chosen)


def _take_back(shelves: dict[str, _Shelf], rivals: dict[str, tuple[list[Hashes], list[Hashes]]]) -> None:
    """Remove from the key language's text the sentences one of whose translations is in the other's."""
    for names, (left, right) in sorted(rivals.items()):
        key, other = names.split()
        both = shelves[f"mono/{other}"].seen.contains(np.concatenate(right))
        gone = HashSet()
        gone.add_new(np.concatenate(left)[both])
        shelf = shelves[f"mono/{key}"]
        stays = ~gone.contains(sentence_hashes(shelf.texts)) if shelf.texts else ()
        shelf.texts = [text for text, stay in zip(shelf.texts, stays, strict=True) if stay]


def _write(part: Path, name: str, texts: list[str], heldout_share: float, counts: dict[str, Any]) -> None:
    hashes = hash_texts(texts)
    order = np.argsort(hashes, kind="stable")
    kind, languages = name.split("/")
    if kind == "pairs":
        files = {f"{name}.tsv.gz": order}
    else:
        held = _draw(sentence_hashes(texts), _HELD)[order] < heldout_share
        files = {f"mono/{languages}.txt.gz": order[~held], f"heldout/{languages}.txt.gz": order[held]}
    for file, chosen in files.items():
        counts.setdefault("lines", {})[file] = len(chosen)
        if not len(chosen):
            continue
        (part / file).parent.mkdir(exist_ok=True)
        # No name and no time in the header: equal text gives equal bytes.
        with (part / file).open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
            packed.writelines(texts[k].encode() + b"\n" for k in chosen)


def _draw(hashes: Hashes, *names: str) -> npt.NDArray[np.float64]:
    """A number in [0, 1) for each hash, independent for different ``names`` (the finaliser of splitmix64)."""
    state = hashes ^ hash_texts(["\t".join(names)])[0]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    bits = (state ^ (state >> np.uint64(31))) >> np.uint64(11)
    return np.asarray(bits * 2.0**-53, np.float64)
