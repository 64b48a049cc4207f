"""Vectors of many dimensions in two, for a picture."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["project"]


def project(vectors: npt.NDArray[np.float32], *, seed: int = 0) -> npt.NDArray[np.float64]:
    """t-SNE by cosine (van der Maaten and Hinton 2008) from principal components: equal vectors give equal pictures.

    Args:
        vectors: [n, d], at least 3.
        seed: of what is random.

    Returns:
        [n, 2], centred, the larger extent 1.
    """
    from sklearn.manifold import TSNE

    perplexity = min(10.0, (len(vectors) - 1) / 3)
    made = TSNE(perplexity=perplexity, metric="cosine", init="pca", random_state=seed, max_iter=1_000)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    places = np.asarray(made.fit_transform(vectors / np.maximum(norms, 1e-12)), np.float64)
    places -= places.mean(0)
    extent: npt.NDArray[np.float64] = places / max(1e-12, float(np.ptp(places, axis=0).max()))
    return extent
