"""Projection of vectors to two dimensions, for plots."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["project"]


def project(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Project vectors by t-SNE with cosine distances (van der Maaten and Hinton 2008), initialized by PCA.

    Args:
        vectors: [n, d], at least three. Equal vectors give equal projections.

    Returns:
        [n, 2], centered, with a larger extent of 1.
    """
    from sklearn.manifold import TSNE  # slow to import

    perplexity = min(10.0, (len(vectors) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, metric="cosine", init="pca", random_state=0, max_iter=1_000)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    positions = np.asarray(tsne.fit_transform(vectors / np.maximum(norms, 1e-12)), np.float64)
    positions -= positions.mean(0)
    scaled: npt.NDArray[np.float64] = positions / max(1e-12, float(np.ptp(positions, axis=0).max()))
    return scaled
