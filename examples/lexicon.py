"""Bilingual lexicon induction: the precision of finding the translation of a word among all others.

    python examples/lexicon.py runs/base/encoder runs/lexicon en-de=en-de.5000-6500.txt

The lexicon is a file of MUSE, or by default the lemmas of the small world. Static vectors are rows of the embedding
table, contextual ones are outputs of the last layer of the encoder.
"""

from __future__ import annotations

import sys
from pathlib import Path

import paralign


def main(model: str, out: Path, lexicon: str = "en-de=smallworld") -> dict[str, dict[str, float]]:
    """Evaluate both kinds of vectors; return the scores by kind and metric."""
    scores = {}
    for vectors in ("static", "contextual"):
        rows = paralign.evaluate(
            model, task="lexicon", data=[lexicon], out=out / vectors, overrides=[f"task.vectors={vectors}"]
        )
        scores[vectors] = {row.metric: row.value for row in rows}
    return scores


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:4])
