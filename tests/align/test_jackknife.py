"""Truth: closed forms, and the scatter of fits to errors that neighbours share."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from realdeg.align.jackknife import BLOCKS_A_SIDE, blocks_of, covariance


def mean_of(values, blocks):
    """Covariance of the mean of (N,) values, as a fit with one parameter."""
    off = values - values.mean()
    return covariance(np.ones((len(values), 1, 1)), off[:, None], np.zeros((1, 1)), blocks)[0, 0]


def test_blocks_are_contiguous_and_of_about_one_size():
    rows, columns = 16, 24
    blocks = blocks_of((rows, columns), np.arange(rows * columns)).reshape(rows, columns)
    assert len(np.unique(blocks)) == BLOCKS_A_SIDE**2
    counts = np.bincount(blocks.ravel())
    assert counts.max() <= 2 * counts.min()
    for number in range(BLOCKS_A_SIDE**2):
        y, x = np.nonzero(blocks == number)
        assert len(y) == (np.ptp(y) + 1) * (np.ptp(x) + 1)


def test_leaving_out_one_of_n_values_is_the_textbook_variance_of_a_mean():
    values = np.random.default_rng(0).normal(size=40)
    assert mean_of(values, np.arange(40)) == pytest.approx(values.var(ddof=1) / 40)


def test_errors_that_neighbours_share_are_felt():
    """Each block errs as one: 25 observations, however many tiles there are."""
    rng = np.random.default_rng(1)
    blocks = blocks_of((20, 20), np.arange(400))
    stated, means = [], []
    for _ in range(200):
        values = rng.normal(size=25)[blocks] + 0.1 * rng.normal(size=400)
        stated.append(mean_of(values, blocks))
        means.append(values.mean())
    assert np.mean(stated) == pytest.approx(np.var(means), rel=0.25)
    formal = (1 + 0.1**2) / 400
    assert np.mean(stated) > 15 * formal


def test_it_is_the_formal_covariance_where_errors_are_independent():
    rng = np.random.default_rng(2)
    x = rng.uniform(-1, 1, (400, 3))
    blocks = blocks_of((20, 20), np.arange(400))
    normals = np.einsum("ni,nj->nij", x, x)
    formal = np.linalg.inv(normals.sum(0))
    stated = []
    for _ in range(100):
        y = rng.normal(size=400)
        off = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
        stated.append(covariance(normals, x * off[:, None], np.zeros((3, 3)), blocks))
    assert_allclose(np.diag(np.mean(stated, 0)), np.diag(formal), rtol=0.25)


def test_few_blocks_say_nothing():
    assert covariance(np.ones((11, 1, 1)), np.ones((11, 1)), np.zeros((1, 1)), np.arange(11)) is None
