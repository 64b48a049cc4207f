"""Multinomial logistic regression: the linear probe of frozen hidden states (Alain and Bengio 2017).

The loss is convex, so the result does not depend on a seed, an order or a learning rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["LinearProbe", "fit_linear_probe"]

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.int64]
_ITERATIONS = 500
"""Maximum of L-BFGS."""
_NEGLIGIBLE = 1e-6
"""Directions with a smaller share of the largest variance are rounding errors of fp32 and left out."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear classifier.

    Attributes:
        weight: Shape: [d, K].
        bias: Shape: [K].
        iterations: number of iterations of L-BFGS.
        converged: whether the gradient became small enough within the maximum number of iterations.
    """

    weight: Floats
    bias: Floats
    iterations: int = 0
    converged: bool = True

    def log_probabilities(self, rows: Floats) -> npt.NDArray[np.float32]:
        """Return the log-probabilities of the classes. Shapes: [n, d], [n, K]."""
        logits = rows.astype(np.float32) @ self.weight.astype(np.float32) + self.bias.astype(np.float32)
        logits -= logits.max(1, keepdims=True)
        out: npt.NDArray[np.float32] = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return out


def fit_linear_probe(
    rows: Floats, labels: Ints, classes: int, *, penalty: float = 100.0, tolerance: float = 1e-3
) -> LinearProbe:
    """Fit a multinomial logistic regression.

    Rows are whitened first (mean 0, covariance the identity), so that the result does not depend on the scale, rotation
    or shift of the states, and L-BFGS converges quickly. Minimized is the summed cross-entropy plus penalty/2 times the
    squared weights in whitened coordinates, as scikit-learn's ``LogisticRegression(C=1/penalty)`` does on such rows.
    It is computed in the precision of ``rows``, fp32 or fp64.

    Args:
        rows: hidden states. Shape: [n, d].
        labels: class of each row, 0 to K - 1. Shape: [n].
        classes: K. Classes without a row are never predicted.
        penalty: strength of the L2 penalty; biases are not penalized.
        tolerance: largest absolute value of the gradient of the mean loss at the end, in units in which the curvature
            at weights of 0 is 1.

    Returns:
        The classifier, in the coordinates of ``rows``.

    Raises:
        ValueError: if there are no rows, or the penalty is not positive.

    >>> probe = fit_linear_probe(np.array([[-1.0], [1.0], [2.0]]), np.array([0, 1, 1]), 3, penalty=1)
    >>> probe.log_probabilities(np.array([[-3.0], [3.0]])).argmax(1).tolist()
    [0, 1]
    """
    from scipy.optimize import minimize

    if not len(rows) or penalty <= 0:
        raise ValueError("a probe needs rows and a positive penalty")
    seen, target = np.unique(labels, return_inverse=True)
    mean, whitening, white = _whitened(rows)
    n, width, count = len(rows), white.shape[1], len(seen)
    share = np.bincount(target) / n
    # Classes in rows, [K, n]: the products are faster than with rows of K numbers.
    one_hot = np.zeros((count, n), white.dtype)
    one_hot[target, np.arange(n)] = 1
    own = one_hot @ white
    # The Hessian at 0 in whitened coordinates is nearly diagonal: rare classes have a small curvature.
    scale = 1 / np.sqrt(share * (1 - share) + penalty / n)[:, None]
    bias_scale = 1 / np.sqrt(np.maximum(share * (1 - share), 1 / n))

    def objective(flat: Floats) -> tuple[float, Floats]:
        weight, bias = flat[:-count].reshape(count, width) * scale, flat[-count:] * bias_scale
        logits = weight.astype(white.dtype) @ white.T + bias.astype(white.dtype)[:, None]
        logits -= logits.max(0)
        correct = np.einsum("kn,kn->n", logits, one_hot).sum(dtype=np.float64)
        np.exp(logits, out=logits)
        total = logits.sum(0)
        loss = np.log(total).sum(dtype=np.float64) - correct + penalty / 2 * np.square(weight).sum()
        logits /= total
        gradient = (logits @ white - own + penalty * weight) * scale
        bias_gradient = (logits.sum(1, dtype=np.float64) - n * share) * bias_scale
        return float(loss) / n, np.concatenate([gradient.ravel(), bias_gradient]).astype(np.float64) / n

    start = np.concatenate([np.zeros(width * count), np.log(share) / bias_scale])
    options = {"maxiter": _ITERATIONS, "maxfun": 2 * _ITERATIONS, "gtol": tolerance, "ftol": 0.0, "maxcor": 20}
    result = minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    full = np.zeros((rows.shape[1], classes))
    full_bias = np.full(classes, -1e9)  # classes without a row
    full[:, seen] = whitening @ (result.x[:-count].reshape(count, width) * scale).T
    full_bias[seen] = result.x[-count:] * bias_scale - mean @ full[:, seen]
    converged = bool(np.abs(result.jac).max(initial=0) <= tolerance)
    return LinearProbe(full, full_bias, int(result.nit), converged)


def _whitened(rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the mean, the matrix that makes the covariance of centered rows the identity, and their product.

    Returns:
        Arrays of shape [d], [d, r] and [n, r].
    """
    dtype = np.result_type(rows.dtype, np.float32)
    mean, scale = rows.mean(0, dtype=np.float64), rows.std(0, dtype=np.float64)
    scale[scale <= 1e-12 * scale.max(initial=0)] = np.inf  # constant dimensions
    # Equal variances first: in some encoders a few dimensions are hundreds of times larger than the others.
    standard = (rows - mean.astype(dtype)) / scale.astype(dtype)
    values, vectors = np.linalg.eigh(np.asarray(standard.T @ standard, np.float64) / len(rows))
    kept = values > _NEGLIGIBLE * max(values.max(initial=0), 0)
    rotation = vectors[:, kept] / np.sqrt(values[kept])
    return mean, rotation / scale[:, None], standard @ rotation.astype(dtype)
