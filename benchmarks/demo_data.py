"""Select the Tatoeba pairs and words of `paralign demo` that come with the package.

    python benchmarks/demo_data.py DATA OUT --to FOLDER

OUT is a folder in which `mini.py DATA OUT --stage prepare` was run: only pairs of the half that paralign-mini did not
read are used. From these

1. the most frequent translations are counted over all pairs (links of the aligner `hmm`), and a part of them is held
   out: words to choose layers by, and test words. They are drawn by the hash of the English word, so that languages
   share most of them;
2. pairs are selected in the order of a hash. Every sentence occurs in one pair, no sentence is in the text that
   paralign-mini read, and no training pair of any language contains a held-out word. English sentences are unique
   across languages.

The same files give the same bytes. DATA is described in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
from pathlib import Path

from paralign.analyses.frequent_translations import frequent_translations
from paralign.commands.word_pairs import read_aligned_text
from paralign.formats.lines import read_lines
from paralign.sources.specs import parse_pairs
from paralign.text.normalization import comparison_key
from paralign.text.words import word_spans

LANGUAGES = ("de", "es", "fr")
SIZES = {"test": 500, "dev": 300, "train": 4_000}
WORDS = {"test": 200, "dev": 100}
RANKS = 100, 1_500
"""The most frequent words, mostly function words, are left out; translations beyond the second number too."""
LETTERS = 3
MIN_WORDS, MAX_LETTERS = 4, 80

Pair = tuple[str, str]


def key(*texts: str) -> bytes:
    """Return the hash that orders pairs and words."""
    return hashlib.blake2b("\t".join(texts).encode(), digest_size=8).digest()


def tatoeba(data: Path, out: Path, tag: str) -> list[Pair]:
    """Return the reserved pairs of Tatoeba: those of the split that are in its file, without what was read as text."""
    original = set()
    with gzip.open(data / f"parallel/tatoeba/en-{tag}.tsv.gz", "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            original.add(tuple(map(comparison_key, line.rstrip("\n").split("\t")[:2])))
    read = {language: text_read(out, language) for language in ("en", tag)}
    pairs = []
    with gzip.open(out / f"split/pairs/en-{tag}.tsv.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            source, target = line.rstrip("\n").split("\t")
            keys = comparison_key(source), comparison_key(target)
            if keys in original and all(keys) and keys[0] not in read["en"] and keys[1] not in read[tag]:
                pairs.append((source, target))
    return sorted(set(pairs), key=lambda pair: key(*pair))


def text_read(out: Path, tag: str) -> set[str]:
    """Return the sentences that paralign-mini was trained on or evaluated with."""
    paths = [out / f"split/{kind}/{tag}.txt.gz" for kind in ("mono", "heldout")]
    return {comparison_key(text) for path in paths for _, text in read_lines(path)}


def words_of(text: str) -> set[str]:
    """Return the words of a sentence, lowercased."""
    return {text[a:b].lower() for a, b in word_spans(text)}


def frequent_words(pairs: list[Pair], tag: str, work: Path) -> dict[str, list[Pair]]:
    """Return the held-out translations of each split, the most frequent candidates drawn by their hash."""
    path = work / f"en-{tag}.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")
    text, links = read_aligned_text(parse_pairs(f"en-{tag}={path}"), lenient=True)
    skip, most = RANKS
    found = frequent_translations((pair.words for pair in text), links, most=most, skip=skip)
    plain = [(t.source, t.target) for t in found if usable(t.source) and usable(t.target) and t.source != t.target]
    drawn = sorted(plain, key=lambda pair: key(pair[0]))
    return {"test": sorted(drawn[: WORDS["test"]]), "dev": sorted(drawn[WORDS["test"] :][: WORDS["dev"]])}


def usable(word: str) -> bool:
    """Return whether a word has letters only, and enough of them."""
    return word.isalpha() and len(word) >= LETTERS


def select(pairs: list[Pair], english: set[str], other: set[str], used: set[str]) -> dict[str, list[Pair]]:
    """Return the pairs of each split.

    Args:
        pairs: in the order of their hash.
        english, other: lowercased words that the sides of training pairs may not contain.
        used: keys of the English sentences that other languages have; extended.
    """
    seen: set[str] = set()
    fresh: list[Pair] = []
    for source, target in pairs:
        keys = comparison_key(source), comparison_key(target)
        short = len(word_spans(source)) < MIN_WORDS or len(source) > MAX_LETTERS or len(target) > MAX_LETTERS
        if short or keys[0] in used or keys[1] in seen:
            continue
        used.add(keys[0])
        seen.add(keys[1])
        fresh.append((source, target))
    first = SIZES["test"] + SIZES["dev"]
    train = [(a, b) for a, b in fresh[first:] if not english & words_of(a) and not other & words_of(b)]
    return {"test": fresh[: SIZES["test"]], "dev": fresh[SIZES["test"] : first], "train": train[: SIZES["train"]]}


def write(path: Path, rows: list[Pair]) -> None:
    """Write pairs as a compressed TSV file, the same bytes on every run."""
    text = "".join(f"{a}\t{b}\n" for a, b in rows).encode()
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0, compresslevel=9) as file:
        file.write(text)
    path.write_bytes(buffer.getvalue())
    print(f"{path}: {len(rows):,} rows, {path.stat().st_size:,} bytes")


def main() -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES))
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    work = given.out / "demo-data"
    work.mkdir(exist_ok=True)
    pairs, held_out = {}, {}
    for tag in given.languages:
        pairs[tag] = tatoeba(given.data, given.out, tag)
        print(f"en-{tag}: {len(pairs[tag]):,} reserved pairs of Tatoeba")
        words = frequent_words(pairs[tag], tag, work)
        for split, rows in words.items():
            write(given.to / f"words.{split}.en-{tag}.tsv.gz", rows)
        for side, language in enumerate(("en", tag)):
            held_out.setdefault(language, set()).update(row[side].lower() for rows in words.values() for row in rows)
    used: set[str] = set()
    for tag in given.languages:
        for split, rows in select(pairs[tag], held_out["en"], held_out[tag], used).items():
            write(given.to / f"{split}.en-{tag}.tsv.gz", rows)


if __name__ == "__main__":
    main()
