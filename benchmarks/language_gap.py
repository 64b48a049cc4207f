"""Are linked words close to each other, or only as close as the two languages are?

    python benchmarks/language_gap.py ENCODER [ENCODER ...] --pairs en-de=smallworld:3000000-3000200 [--layer N]

For each encoder and pair of languages: the mean cosine of linked words, with and without the mean of each language
subtracted, and the distance of the two means in units of the spread of the words (root of the summed variances). Links
are those of the small world, those of a language and one derived from it (`en:en~trans+inv=PATH`), or intersected links
of `hmm`. A tagger trained on one language is applied to the uncentered vectors of the other.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from machine import finish, table

from paralign.commands.word_pairs import read_aligned_text
from paralign.encoder import Encoder
from paralign.languages import parse_derived
from paralign.sources.readers import read_pairs
from paralign.sources.smallworld import smallworld_gold
from paralign.sources.specs import PairSpec, parse_pairs, smallworld_range
from paralign.text.words import word_spans
from paralign.words.word_vectors import WordVectors

Vectors = npt.NDArray[np.float32]


def linked(spec: PairSpec) -> tuple[list[tuple[str, str]], list[list[tuple[int, int]]]]:
    """Return sentences and the links of their words."""
    indices = smallworld_range(spec.path)
    if indices is not None:
        texts = [(pair.source, pair.target) for pair in read_pairs(spec)]
        return texts, [sorted(some) for some in smallworld_gold(spec, indices)]
    made = parse_derived(spec.target)
    if made is not None and made.base == spec.source and parse_derived(spec.source) is None:
        texts, orders = [], []
        for text, turned in ((pair.source, pair.target) for pair in read_pairs(spec, lenient=True)):
            order = made.permutation([text[start:end] for start, end in word_spans(text)])
            if order is not None and len(word_spans(turned)) == len(order):  # joined anew it may read otherwise
                texts.append((text, turned))
                orders.append(order)
        return texts, [[(word, place) for place, word in enumerate(order)] for order in orders]
    pairs, links = read_aligned_text(spec, symmetrize="intersect", quiet=True)
    return [pair.texts for pair in pairs], list(links)


def gap(
    encoder: Encoder,
    languages: Sequence[str],
    texts: Sequence[tuple[str, str]],
    links: Sequence[Sequence[tuple[int, int]]],
    layer: int,
) -> dict[str, float]:
    """Return the cosines and the distance of the means."""
    sides = []
    for side, language in enumerate(languages):
        side_texts = [pair[side] for pair in texts]
        sides.append(WordVectors(encoder, side_texts, language, layer=layer, unit="word", normalize=False))
    linked = [(k, i, j) for k, some in enumerate(links) for i, j in some]
    rows = np.array(
        [side.positions_of([(link[0], link[1 + number]) for link in linked]) for number, side in enumerate(sides)]
    )
    rows = rows[:, (rows >= 0).all(0)]  # words of no pieces have no vector
    vectors = [side.states.float().cpu().numpy() for side in sides]
    means = [words.mean(0) for words in vectors]
    spread = float(np.sqrt(np.concatenate(vectors).var(0).sum()))

    def cosine(shift: Sequence[Vectors | float]) -> float:
        a, b = (vectors[side][rows[side]] - shift[side] for side in (0, 1))
        return float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean())

    return {
        "linked": cosine([0.0, 0.0]),
        "centred": cosine(means),
        "gap": float(np.linalg.norm(means[0] - means[1])) / spread,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", nargs="+")
    parser.add_argument("--pairs", action="append", required=True)
    parser.add_argument("--layer", type=int, help="layer to read (default: the last)")
    given = parser.parse_args(arguments)
    specs = [parse_pairs(text) for text in given.pairs]
    known = [linked(spec) for spec in specs]
    rows = []
    for name in given.encoder:
        encoder = Encoder.from_pretrained(name).eval()
        layer = encoder.layers if given.layer is None else given.layer
        for spec, (texts, links) in zip(specs, known, strict=True):
            rows.append(
                {
                    "encoder": name,
                    "languages": "-".join(spec.languages),
                    **gap(encoder, spec.languages, texts, links, layer),
                }
            )
    print(table(["encoder", "languages", "cosine of linked words", "centred", "distance of means"],
                [[str(row["encoder"]), str(row["languages"]), *(f"{row[k]:.2f}" for k in ("linked", "centred", "gap"))]
                 for row in rows]))  # fmt: skip
    finish("language_gap", {"rows": rows}, torch_too=True)


if __name__ == "__main__":
    main()
