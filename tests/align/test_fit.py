"""Truth: maps that the tests put in, seen by tiles with known noise."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from realdeg.align.fit import fit
from realdeg.align.homography import Homography
from realdeg.align.lens import MODELS, Lens
from realdeg.align.tiles import Tiles
from realdeg.align.warp import Warp

SIDE, ROWS, COLUMNS = 20, 14, 18
CORNER = (31, 17)
LENS = Lens((211.0, 159.0), 264.0, (205.0, 165.0), 180.0, {})
POINTS = np.stack(np.meshgrid(np.linspace(35, 380, 9), np.linspace(20, 290, 9)), -1).reshape(-1, 2)


def start(zoom=2.0):
    return Warp(Homography.zoom(zoom), LENS, Homography.identity())


def true_map(outer=None, **terms):
    outer = outer or Homography(np.array([[2.002, -0.004, 1.3], [0.003, 1.999, -0.8], [2e-6, -3e-6, 1]]))
    return Warp(outer, LENS.with_terms(terms), Homography.identity())


def seen(truth, warp, sd=0.02, seed=0, step=1, usable=None):
    """Tiles as `tile_shifts` would give them: warp(x + u) = truth(x), with noise of `sd` grid px."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:ROWS, :COLUMNS]
    centre = np.stack([x.ravel(), y.ravel()], -1) * SIDE + (SIDE - 1) / 2.0
    points = step * centre + np.array(CORNER) + (step - 1) / 2
    shift = (warp.inverse(truth(points)) - points) / step + sd * rng.standard_normal(centre.shape)
    information = np.tile(np.eye(2) / sd**2, (len(centre), 1, 1))
    if usable is not None:
        information[~usable(points)] = 0
        shift[~usable(points)] = 0
    return Tiles((ROWS, COLUMNS), centre, shift, information, np.zeros(len(shift), bool))


def settle(truth, warp, models=("homography",), rounds=4, **how):
    parameters, step = how.pop("parameters", 8), how.pop("step", 1)
    for _ in range(rounds):
        tiles = seen(truth, warp, step=step, **how)
        found = fit(tiles, warp, CORNER, parameters=parameters, models=models, step=step)
        warp = found.warp
    return found


def lr_error(warp, truth, points=POINTS):
    return np.hypot(*(warp.inverse(truth(points)) - points).T)


def test_a_homography_is_recovered():
    found = settle(true_map(), start(), sd=1e-4)
    assert lr_error(found.warp, true_map()).max() < 1e-3
    assert found.model == "homography"


@pytest.mark.parametrize("step", [2, 4])
def test_tiles_of_a_reduced_grid_count_in_pixels_of_the_photo(step):
    found = settle(true_map(), start(), sd=1e-4, step=step, rounds=6)
    far = POINTS * step
    assert lr_error(found.warp, true_map(), far).max() < 5e-3


@pytest.mark.parametrize("step", [1, 4])
def test_one_step_is_exact_where_the_motion_is_affine(step):
    """Displacements that grow by 0.3 % a pixel: counted from pixels half a step off, all would be."""
    middle = Homography.translation(-200 * step, -150 * step)
    truth = Warp.plain(
        Homography.zoom(2) @ middle.inverse() @ Homography(np.diag([1.003, 0.998, 1])) @ middle
    )
    warp = Warp.plain(Homography.zoom(2))
    found = fit(seen(truth, warp, sd=1e-6, step=step), warp, CORNER, parameters=6, step=step)
    assert lr_error(found.warp, truth, POINTS * step).max() < 1e-3


def test_a_similarity_has_four_parameters():
    turn = np.radians(0.4)
    c, s = 2.01 * np.cos(turn), 2.01 * np.sin(turn)
    truth = true_map(Homography(np.array([[c, -s, 1.0], [s, c, -1.5], [0, 0, 1]])))
    found = settle(truth, start(), sd=1e-4, parameters=4)
    assert lr_error(found.warp, truth).max() < 1e-3
    matrix = found.warp.outer.matrix
    assert_allclose([matrix[0, 0], matrix[1, 0]], [matrix[1, 1], -matrix[0, 1]], atol=1e-9)


def test_a_radial_lens_is_recovered():
    truth = true_map(radial_lr=4.0)
    found = settle(truth, start(), tuple(MODELS), sd=0.01)
    assert "radial_lr" in found.warp.lens.terms
    assert lr_error(found.warp, truth).max() < 0.02
    assert settle(truth, start(), ("radial",), sd=1e-4).warp.lens.terms["radial_lr"] == pytest.approx(
        4.0, abs=0.05
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_plainest_model_is_chosen_when_nothing_else_is_needed(seed):
    assert settle(true_map(), start(), tuple(MODELS), seed=seed).model == "homography"


@pytest.mark.parametrize("value", [-3.0, 1.5, 4.0])
def test_a_lens_is_chosen_when_it_is_there(value):
    found = settle(true_map(radial_lr=value), start(), tuple(MODELS))
    assert found.model == "radial"
    assert found.warp.lens.terms["radial_lr"] == pytest.approx(value, rel=0.15)


def test_quadratics_are_chosen_when_they_are_there():
    truth = true_map(radial_lr=2.0, bend_x=1.0, tilt_y=-0.8)
    assert settle(truth, start(), tuple(MODELS), sd=0.01).model == "radial and quadratic"


def test_the_predicted_sd_is_the_scatter_over_noise():
    """30 draws of the noise: the map's scatter over the field against what each fit says of itself."""
    truth = true_map(radial_lr=3.0)
    off, said = [], []
    for seed in range(30):
        found = settle(truth, start(), ("radial",), sd=0.04, seed=seed, rounds=3)
        off.append(found.warp.inverse(truth(POINTS)) - POINTS)
        said.append(found.sd(POINTS))
    scatter = np.sqrt((np.var(off, axis=0, ddof=1).sum(-1)).mean())
    stated = np.sqrt((np.square(said)).mean())
    assert 0.8 < stated / scatter < 1.8
    # Nor does it only hold on the whole: the corners are less certain than the middle.
    assert np.mean(said, axis=0)[[0, 8, 72, 80]].min() > 1.5 * np.mean(said, axis=0)[40]


def test_doubt_covers_lenses_that_a_homography_seems_to_explain():
    """Two lenses are possible whether the tiles ask for them or not."""
    models = ("homography", "radial", "two radial")
    plain, doubted = (settle(true_map(), start(), m, sd=0.02) for m in (models[:1], models))
    assert doubted.model == "homography"
    assert doubted.conservative_model == "two radial"
    assert doubted.basis(POINTS).shape == (81, 2, 10)
    assert np.median(doubted.sd(POINTS) / plain.sd(POINTS)) > 1


def test_more_noise_is_stated_as_more_error():
    stated = [np.median(settle(true_map(), start(), sd=sd).sd(POINTS)) for sd in (0.02, 0.08)]
    assert 2 < stated[1] / stated[0] < 5


def test_priors_keep_half_a_picture_from_running_wild():
    """The right half is a wall: what the lenses do there is not seen, and must not be made up."""
    left = settle(
        true_map(), start(), ("radial and quadratic",), sd=0.05, usable=lambda p: p[:, 0] < 210, rounds=5
    )
    whole = settle(true_map(), start(), ("radial and quadratic",), sd=0.05, rounds=5)
    right = POINTS[POINTS[:, 0] > 300]
    assert lr_error(left.warp, true_map(), right).max() < 0.8
    # And what is not seen is stated to be uncertain.
    assert np.median(left.sd(right)) > 3 * np.median(whole.sd(right))
    assert (lr_error(left.warp, true_map(), right) < 5 * left.sd(right)).all()


def test_a_patch_that_moves_does_not_pull():
    truth, warp = true_map(), start()
    for _ in range(4):
        tiles = seen(truth, warp, sd=0.01)
        patch = (np.abs(tiles.centre - np.array([120, 120])) < 60).all(1)
        tiles.shift[patch] += (0.9, -0.6)
        found = fit(tiles, warp, CORNER)
        warp = found.warp
    assert 0.1 < patch.mean() < 0.2
    assert lr_error(warp, truth).max() < 0.02
    assert_allclose(np.median(found.residual_shift[patch], axis=0), (0.9, -0.6), atol=0.03)


def test_scatter_beyond_the_tiles_own_noise_is_felt():
    truth = true_map()
    tiles = seen(truth, truth, sd=0.1)
    bold = Tiles(tiles.grid_hw, tiles.centre, tiles.shift, 100 * tiles.information, tiles.unlike)
    honest, found = (fit(t, truth, CORNER) for t in (tiles, bold))
    assert honest.variance_factor < 1.3
    assert found.variance_factor == pytest.approx(0.1**2 / (0.01**2 + 0.015**2), rel=0.3)
    assert np.median(found.sd(POINTS)) == pytest.approx(np.median(honest.sd(POINTS)), rel=0.3)


def test_what_is_left_is_given_for_tiles_with_texture_only():
    found = settle(true_map(), start(), usable=lambda p: p[:, 1] < 150)
    use = CORNER[1] + (np.arange(ROWS * COLUMNS) // COLUMNS + 0.5) * SIDE < 150
    assert np.isfinite(found.residual_shift[use]).all()
    assert np.isnan(found.residual_shift[~use]).all()
    assert (found.information[~use] == 0).all()


def test_too_few_tiles_give_no_map():
    assert fit(seen(true_map(), start(), usable=lambda p: p[:, 0] < 0), start(), CORNER) is None
    three = seen(true_map(), start(), usable=lambda p: (p[:, 1] < 30) & (p[:, 0] < 31 + 3 * SIDE))
    assert three.usable.sum() == 3
    assert fit(three, start(), CORNER) is None
    assert fit(three, start(), CORNER, parameters=4) is not None
