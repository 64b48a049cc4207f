"""The linear probe is scikit-learn's logistic regression on whitened rows, whatever the coordinates of the rows."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from paralign.metrics.linear_probe import fit_linear_probe


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(600, 8)) @ (rng.normal(size=(8, 8)) * np.array([9, 3, 1, 1, 1, 1, 0.3, 0.3])) + 5
    labels = (rows @ rng.normal(size=(8, 4)) + 4 * rng.gumbel(size=(600, 4))).argmax(1)
    return rows, labels


@pytest.mark.parametrize("penalty", [0.5, 20.0])
def test_it_is_logistic_regression_on_whitened_rows(data, penalty):
    rows, labels = data
    centered = rows - rows.mean(0)
    values, vectors = np.linalg.eigh(centered.T @ centered / len(rows))
    white = centered @ vectors / np.sqrt(values)
    reference = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=5_000).fit(white, labels)
    probe = fit_linear_probe(rows, labels, 4, penalty=penalty, tolerance=1e-7)
    assert probe.converged
    found = np.exp(probe.log_probabilities(rows))
    np.testing.assert_allclose(found, reference.predict_proba(white), atol=2e-4)
    single = fit_linear_probe(rows.astype(np.float32), labels, 4, penalty=penalty)
    assert single.converged
    np.testing.assert_allclose(np.exp(single.log_probabilities(rows)), found, atol=0.01)
    assert 0.3 < (found.argmax(1) == labels).mean() < 1


def test_scale_rotation_and_shift_change_nothing(data):
    rows, labels = data
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))
    moved = 100 * rows @ turn - 7
    before, after = (
        fit_linear_probe(some, labels, 4, penalty=1, tolerance=1e-8).log_probabilities(some) for some in (rows, moved)
    )
    np.testing.assert_allclose(before, after, atol=2e-3)


def test_the_optimum_of_one_feature_and_two_classes():
    """With rows at -1 and 1, weights of ±w and no bias: w solves n · sigmoid(-2w) = penalty · w."""
    rows, labels, penalty = np.array([[-1.0], [1.0]] * 10), np.array([0, 1] * 10), 4.0
    probe = fit_linear_probe(rows, labels, 2, penalty=penalty, tolerance=1e-8)
    w = -probe.weight[0, 0]
    assert probe.weight[0, 1] == pytest.approx(w, abs=1e-5)
    assert 20 / (1 + np.exp(2 * w)) == pytest.approx(penalty * w, rel=1e-3)


def test_classes_without_rows_and_directions_without_variance(data):
    rows, labels = data
    wide = np.concatenate([rows, np.ones((600, 1)), rows[:, :1]], 1)  # a constant, and a copy
    probe = fit_linear_probe(wide, np.where(labels == 2, 0, labels), 6, penalty=1)
    assert set(probe.log_probabilities(wide).argmax(1).tolist()) == {0, 1, 3}
    assert np.isfinite(probe.weight).all()
    alone = fit_linear_probe(rows, np.full(600, 3), 6)
    assert set(alone.log_probabilities(rows).argmax(1).tolist()) == {3}


def test_nothing_to_fit_is_refused():
    with pytest.raises(ValueError, match="needs rows"):
        fit_linear_probe(np.zeros((0, 3)), np.zeros(0, np.int64), 2)
