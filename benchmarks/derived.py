"""Words per second of derived languages, by transformation, on one core.

    python benchmarks/derived.py [--text en=PATH] [--trees en=TREEBANK.conllu]

Plain text is read and reordered; trees are in memory, and `syn` uses the word order of the small world's Hindi.
Reported are CPU seconds of the second of two passes; the first pass fills caches.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence

from machine import finish, table

from paralign.languages import WordOrder, parse_derived
from paralign.sources.readers import read_text, read_trees
from paralign.sources.reordering import reorder_trees
from paralign.sources.specs import TextSpec, parse_text

PLAIN, TREES = ("trans", "inv", "perm"), ("inv", "perm", "syn", "syn+inv")


def rate(words: int, work: Callable[[], Iterable[object]]) -> float:
    """Return the words per second of the second pass."""
    for _ in range(2):
        began = time.process_time()
        deque(work(), maxlen=0)
        seconds = time.process_time() - began
    return words / seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", default="en=smallworld:0-20000")
    parser.add_argument("--trees", default="en=smallworld:0-5000")
    given = parser.parse_args(arguments)
    text, bank = parse_text(given.text), parse_text(given.trees)
    ordering = WordOrder.learn(read_trees(TextSpec("hi", "smallworld:0-500")))
    trees = list(read_trees(bank, lenient=True))
    words = {
        "text": sum(len(line.split()) for _, line in read_text(text, lenient=True)),
        "trees": sum(len(tree.words) for tree in trees),
    }
    rows: list[dict[str, str | float]] = []
    for steps in PLAIN:
        spec = TextSpec(f"{text.language}~{steps}", text.path)
        found = rate(words["text"], lambda spec=spec: read_text(spec, lenient=True))
        rows.append({"of": "text", "steps": steps, "words_per_s": found})
    for steps in TREES:
        made = parse_derived(f"{bank.language}~{steps}")
        assert made is not None
        found = rate(words["trees"], lambda made=made: reorder_trees(trees, made, ordering, Counter()))
        rows.append({"of": "trees", "steps": steps, "words_per_s": found})
    print(f"{words['text']:,} words of text, {words['trees']:,} of trees")
    cells = [[str(row["of"]), str(row["steps"]), f"{row['words_per_s']:,.0f}"] for row in rows]
    print(table(["of", "transformation", "words/s"], cells))
    finish("derived", {"words": words, "rows": rows})


if __name__ == "__main__":
    main()
