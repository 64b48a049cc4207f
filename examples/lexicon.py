"""Bilingual lexicon induction: how many words find their translation among all others?

    python examples/lexicon.py runs/base/encoder runs/lexicon en-de=en-de.5000-6500.txt

The lexicon is one of MUSE's files, or by default the lemmas of the small world. Static vectors are rows of the
embedding table, contextual ones come out of the encoder's last layer.
"""

from __future__ import annotations

import sys
from pathlib import Path

import paralign


def main(model: str, out: Path, lexicon: str = "en-de=smallworld") -> dict[str, dict[str, float]]:
    """Measure both kinds of vectors below ``out``; returns the scores by kind and metric."""
    found = {}
    for vectors in ("static", "contextual"):
        rows = paralign.evaluate(
            model, task="lexicon", data=[lexicon], out=out / vectors, overrides=[f"task.vectors={vectors}"]
        )
        found[vectors] = {row.metric: row.value for row in rows}
    return found


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:4])
