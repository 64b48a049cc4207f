"""Confusion of tags in a file written by `paralign predict`.

    python benchmarks/confusion.py GOLD.conllu PREDICTED.conllu [--merge NOUN,PROPN]

For each tag of the gold file: the number of words, the accuracy, and the three most frequent predictions. ``--merge``
also prints the accuracy with these tags merged.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence

from machine import finish, table

from paralign.sources.readers import read_trees
from paralign.sources.specs import TextSpec


def main(arguments: Sequence[str] | None = None) -> None:
    """Read both files, and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold")
    parser.add_argument("predicted")
    parser.add_argument("--merge", default="", help="tags to merge, separated by commas")
    args = parser.parse_args(arguments)
    merged_tags = frozenset(args.merge.split(",")) - {""}
    given: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for tree, own in zip(*(read_trees(TextSpec("und", path)) for path in (args.gold, args.predicted)), strict=True):
        if tree.words != own.words:
            raise SystemExit(f"{args.predicted}: not the sentences of {args.gold} at its line {tree.line}")
        for right, tag in zip(tree.upos, own.upos, strict=True):
            given[right][tag] += 1
    words = sum(sum(tags.values()) for tags in given.values())
    accuracy = sum(tags[right] for right, tags in given.items()) / words
    as_one = sum(n for right, tags in given.items() for tag, n in tags.items()
                 if tag == right or {tag, right} <= merged_tags) / words  # fmt: skip
    rows = [
        [right, str(sum(tags.values())), f"{tags[right] / sum(tags.values()):.3f}",
         "  ".join(f"{tag} {n}" for tag, n in tags.most_common(3))]
        for right, tags in sorted(given.items(), key=lambda item: -sum(item[1].values()))
    ]  # fmt: skip
    print(table(["tag", "words", "right", "most given"], rows))
    finish(
        "confusion", {"words": words, "accuracy": accuracy, "merged": sorted(merged_tags), "accuracy_merged": as_one}
    )


if __name__ == "__main__":
    main()
