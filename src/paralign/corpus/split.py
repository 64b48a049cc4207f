"""Splits of bilingual corpora for controlled experiments: monolingual text with at most one side of each pair.

A base model is pretrained on ``mono``, aligned on ``pairs`` and evaluated on ``heldout`` during training. If the
monolingual text contained both sides of a pair, the base model would have seen the alignment data.
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

from paralign.console import dropped_note
from paralign.corpus.deduplicate import Hashes, HashSet, hash_texts, sentence_hashes
from paralign.corpus.exclusion import BATCH, Source, excluded_sentences
from paralign.errors import UserError
from paralign.folders import atomic_folder, check_new_folder
from paralign.formats.delimited import HEAD_LINES, check_tsv_head, check_tsv_text
from paralign.formats.item_errors import ItemError, check_length, raise_or_drop
from paralign.formats.items import Pair
from paralign.ragged import batched
from paralign.sources.readers import read_pairs, read_text
from paralign.sources.specs import PairSpec, TextSpec

__all__ = ["split_corpus"]

# Each use of a hash has independent bits.
_HALF, _SIDE, _HELD = "half", "side", "heldout"
Mask = npt.NDArray[np.bool_]


@dataclass(slots=True)
class _OutputFile:
    """Distinct texts of one output file, in the order of the input; they are written in the order of their hashes."""

    seen: HashSet = field(default_factory=HashSet)
    texts: list[str] = field(default_factory=list)

    def add(self, texts: Sequence[str], keys: Hashes) -> None:
        new = self.seen.add_new(keys)
        self.texts.extend(text for text, is_new in zip(texts, new, strict=True) if is_new)


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
) -> dict[str, Any]:
    """Split bilingual corpora into monolingual text, pairs for alignment and held-out monolingual text.

    The half of a pair is a function of its English sentence alone (its key: NFKC, casefolded, letters, marks and digits
    only; the source side if a pair has no English), so an English sentence is in the same half in every language pair.
    The side that a pair of the monolingual half contributes is a function of the key too. A sentence may occur in
    several pairs: that of the key side is removed if the other side of any of its pairs, including pairs for alignment,
    is in the monolingual text. So no pair of the corpus has both sides in the monolingual text. (Translations of one
    English sentence in two *other* languages may both be in it.) Plain text is added to the monolingual text, without
    the sentences of pairs for alignment.

    Writes ``mono/XX.txt.gz``, ``heldout/XX.txt.gz``, ``pairs/en-XX.tsv.gz`` (English first) and ``split.json`` (the
    returned counts); no file is empty. Each sentence is written once per file, in the order of the hashes: the same
    input gives the same bytes, and the order of the input is lost. Holds the texts in memory (about 0.2 GB per million
    short pairs).

    Args:
        specs: the corpora; those of the same languages are combined.
        out: the folder to create.
        text: plain text to add.
        exclude: see :func:`excluded_sentences`; a pair is removed and counted if either side is among them.
        mono_share: expected share of English sentences in the monolingual half.
        key_share: expected share of its pairs that contribute their English side; less than 0.5 if English is plentiful
            and the other languages are not.
        heldout_share: expected share of the monolingual sentences of each language that are held out.
        lenient: drop lines that cannot be read instead of raising.

    Returns:
        The counts, by spec and file.

    Raises:
        UserError: for text that cannot be read, if ``out`` exists, or if nothing is left.
    """
    check_new_folder(Path(out))
    excluded, excluded_rows = excluded_sentences(exclude, lenient=lenient)
    split = _Split(excluded, mono_share, key_share)
    rows, dropped = [], Counter[str]()
    every: list[PairSpec | TextSpec] = [*specs, *text]
    for spec in every:
        counts = _SpecCounts()
        if isinstance(spec, PairSpec):
            for batch in batched(read_pairs(spec, lenient=lenient, dropped=counts.dropped), BATCH):
                split.add_pairs(batch, spec, counts, lenient)
        else:
            for lines in batched(read_text(spec, lenient=lenient, dropped=counts.dropped), BATCH):
                split.add_text(lines, spec, counts, lenient)
        rows.append({"spec": str(spec), "read": counts.read, "dropped": dict(+counts.dropped), "given": counts.given})
        dropped.update(+counts.dropped)
    split.remove_second_sides()
    if not any(file.texts for file in split.files.values()):
        raise UserError(f"nothing left to split{dropped_note(dropped)}")
    shares = {"mono_share": mono_share, "key_share": key_share, "heldout_share": heldout_share}
    result: dict[str, Any] = {"specs": rows, "exclude": excluded_rows, **shares}
    with atomic_folder(Path(out)) as part:
        for name, file in sorted(split.files.items()):
            _write(part, name, file.texts, heldout_share, result)
        (part / "split.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return result


@dataclass(slots=True)
class _SpecCounts:
    """Counts of one spec: items read, dropped by reason, and written by output file."""

    read: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    given: dict[str, int] = field(default_factory=dict)


class _Split:
    """Distributes pairs and sentences over the output files.

    Args:
        excluded: sentences that must not be in any file.
        mono_share, key_share: as in :func:`split_corpus`.
    """

    def __init__(self, excluded: HashSet, mono_share: float, key_share: float) -> None:
        self.excluded, self.mono_share, self.key_share = excluded, mono_share, key_share
        self.files: dict[str, _OutputFile] = {}
        self._pairs: dict[tuple[str, str], tuple[list[Hashes], list[Hashes]]] = {}
        """Sentence hashes of both sides of all pairs, by key and other language."""
        self._aligned: dict[str, HashSet] = {}
        """Sentences of the pairs for alignment, by language."""

    def add_pairs(self, pairs: list[Pair], spec: PairSpec, counts: _SpecCounts, lenient: bool) -> None:
        """Add a batch of pairs."""
        swap = spec.target == "en"
        key, other = reversed(spec.languages) if swap else spec.languages
        batch = [(pair.target, pair.source) if swap else (pair.source, pair.target) for pair in pairs]
        left, right = sentence_hashes(a for a, _ in batch), sentence_hashes(b for _, b in batch)
        empty = np.array([not a or not b for a, b in batch]) | (left == 0) | (right == 0)
        excluded = (self.excluded.contains(left) | self.excluded.contains(right)) & ~empty
        counts.read += len(batch)
        counts.dropped.update({"empty": int(empty.sum()), "excluded": int(excluded.sum())})
        good = ~empty & ~excluded
        mono = good & (_uniform(left, _HALF) < self.mono_share)
        key_side = _uniform(left, _SIDE) < self.key_share
        for row in np.flatnonzero(good).tolist():
            try:
                if mono[row]:
                    check_length(batch[row][not key_side[row]], pairs[row].line)
                else:
                    check_tsv_text(*batch[row], pairs[row].line, "remove it from the text")
            except ItemError as error:
                raise_or_drop(error, spec.path, "pair", lenient=lenient, dropped=counts.dropped)
                good[row] = False
        lines = ["\t".join(texts) for texts in batch]
        mono &= good
        self._add(f"mono/{key}", mono & key_side, [a for a, _ in batch], left, counts)
        self._add(f"mono/{other}", mono & ~key_side, [b for _, b in batch], right, counts)
        self._add(f"pairs/{key}-{other}", good & ~mono, lines, hash_texts(lines), counts)
        hashes = self._pairs.setdefault((key, other), ([], []))
        hashes[0].append(left[good])
        hashes[1].append(right[good])
        for tag, side in ((key, left), (other, right)):
            self._aligned.setdefault(tag, HashSet()).add_new(side[good & ~mono])

    def add_text(self, lines: list[tuple[int, str]], spec: TextSpec, counts: _SpecCounts, lenient: bool) -> None:
        """Add a batch of numbered sentences, except those of tests and of pairs for alignment."""
        language, batch = spec.language, []
        for number, sentence in lines:
            try:
                check_length(sentence, number)
            except ItemError as error:
                raise_or_drop(error, spec.path, "line", lenient=lenient, dropped=counts.dropped)
            else:
                batch.append(sentence)
        hashes = sentence_hashes(batch)
        empty = hashes == 0
        excluded = self.excluded.contains(hashes) & ~empty
        aligned = self._aligned.get(language, HashSet()).contains(hashes) & ~empty & ~excluded
        counts.read += len(lines)
        reasons = {"empty": empty, "excluded": excluded, "in a reserved pair": aligned}
        counts.dropped.update({reason: int(mask.sum()) for reason, mask in reasons.items()})
        self._add(f"mono/{language}", ~(empty | excluded | aligned), batch, hashes, counts)

    def _add(self, name: str, mask: Mask, lines: list[str], hashes: Hashes, counts: _SpecCounts) -> None:
        chosen = np.flatnonzero(mask)
        self.files.setdefault(name, _OutputFile()).add([lines[k] for k in chosen], hashes[chosen])
        counts.given[name] = counts.given.get(name, 0) + len(chosen)

    def remove_second_sides(self) -> None:
        """Remove sentences of the key language if one of their translations is in the monolingual text too."""
        for (key, other), (left, right) in sorted(self._pairs.items(), key=lambda item: " ".join(item[0])):
            both = self.files[f"mono/{other}"].seen.contains(np.concatenate(right))
            removed = HashSet()
            removed.add_new(np.concatenate(left)[both])
            file = self.files[f"mono/{key}"]
            kept = ~removed.contains(sentence_hashes(file.texts)) if file.texts else ()
            file.texts = [text for text, keep in zip(file.texts, kept, strict=True) if keep]


def _write(part: Path, name: str, texts: list[str], heldout_share: float, counts: dict[str, Any]) -> None:
    hashes = hash_texts(texts)
    order = np.argsort(hashes, kind="stable")
    kind, languages = name.split("/")
    if kind == "pairs":
        source, _, target = languages.partition("-")
        check_tsv_head([texts[k] for k in order[:HEAD_LINES]], (source, target), "remove such pairs from the text")
        files = {f"{name}.tsv.gz": order}
    else:
        held = _uniform(sentence_hashes(texts), _HELD)[order] < heldout_share
        files = {f"mono/{languages}.txt.gz": order[~held], f"heldout/{languages}.txt.gz": order[held]}
    for file, chosen in files.items():
        counts.setdefault("lines", {})[file] = len(chosen)
        if not len(chosen):
            continue
        (part / file).parent.mkdir(exist_ok=True)
        # The header has no name and no time: equal text gives equal bytes.
        with (part / file).open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as compressed:
            compressed.writelines(texts[k].encode() + b"\n" for k in chosen)


def _uniform(hashes: Hashes, *names: str) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) for each hash, independent for different ``names`` (the finalizer of splitmix64)."""
    state = hashes ^ hash_texts(["\t".join(names)])[0]
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        state = (state ^ (state >> np.uint64(shift))) * np.uint64(factor)
    bits = (state ^ (state >> np.uint64(31))) >> np.uint64(11)
    return np.asarray(bits * 2.0**-53, np.float64)
