"""Truth: pools whose noise follows a law that we chose; and the method written down again, tile by tile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.degrade.apply import batch, image
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.ops.level_noise import InjectByLevel, level_noise, tiles_over
from realdeg.degrade.ops.step import Pools
from realdeg.degrade.plan import Plan
from realdeg.degrade.recipe.recipe import from_text
from realdeg.degrade.replay import replay
from realdeg.degrade.resolved import resolve
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.io.photo import read
from realdeg.io.save import write_image
from realdeg.jobs import Running
from realdeg.pools.noise_pool import NoisePool
from realdeg.records import read_manifest

RECIPE = '[[steps]]\nop = "resize"\n[[steps]]\nop = "inject"\nmatch = "level"'
SIDE = 48
RATIO = np.array([1.0, 0.7, 1.6])  # of the variances of red, green, blue


def law(level):
    """Variance, 8-bit levels squared."""
    return RATIO * (1.0 + 0.1 * np.asarray(level)[..., None])


def matched(picture, step, pool):
    """The noise that a step adds."""
    return step.added(picture, Pools(noises=pool))


def patch(rng, level, gain=1.0):
    """Noise of the law's variance, neighbours along x correlated by 1/2, float32 residuals."""
    white = rng.standard_normal((SIDE, SIDE + 1, 3))
    noise = (white[:, 1:] + white[:, :-1]) / np.sqrt(2)
    noise = (noise - noise.mean((0, 1))) / noise.std((0, 1))
    return (noise * np.sqrt(gain * law(level)) / 255).astype(np.float32)


def pool_of(levels, gains=None, **header):
    rng = np.random.default_rng(3)
    names = tuple(f"p{i}" for i in range(len(levels)))
    gains = np.ones(len(levels)) if gains is None else gains
    patches = tuple(patch(rng, *both) for both in zip(levels, gains, strict=True))
    about = {name: {"level": [level] * 3} for name, level in zip(names, levels, strict=True)}
    return NoisePool(names, patches, {"patches": about, **header})


@pytest.fixture(scope="module")
def pool():
    return pool_of(np.linspace(10, 245, 48))


def step_for(pool, key, recipe=RECIPE, size=(64, 96)):
    plan = from_text(recipe, "test").draw(1, str(key), (2 * size[0], 2 * size[1]), 2, noises=pool)
    return plan.steps[-1]


def by_hand(picture, step, pool, levels, knots, curves):
    """The noise in float64: a field a tone of overlapping tiles, mixed by brightness, scaled by the law."""
    ramp, stride = 8, SIDE - 8
    residuals = [p.astype(np.float64) - p.astype(np.float64).mean((0, 1)) for p in pool.patches]
    at_patch = [[np.interp(level, knots, curve) for curve in curves] for level in levels]
    strengths = [
        np.sqrt(np.mean(np.square(255 * r).mean((0, 1)) / at))
        for r, at in zip(residuals, at_patch, strict=True)
    ]
    strength = strengths[pool.names.index(step.noise)]
    height, width = picture.shape[:2]
    one = np.ones(SIDE)
    for i in range(ramp):
        one[i] = one[-1 - i] = np.sin(np.pi / 2 * (i + 0.5) / ramp)
    total = np.zeros(picture.shape)
    brightness = 255 * picture.mean(2)
    for tone in range(8):
        at_tone = np.sqrt([np.interp(32 * tone + 16, knots, curve) for curve in curves])
        raw = np.random.Philox(key=int(step.key, 16) ^ tone).random_raw(4000).view("<u2").tolist()
        top, left = ramp + raw.pop(0) * stride // 65536, ramp + raw.pop(0) * stride // 65536
        away = [
            abs(level - (32 * tone + 16)) / 32
            + np.abs(np.log2(255 * r.std((0, 1)) / strength / at_tone)).max()
            for level, r in zip(levels, residuals, strict=True)
        ]
        near = np.argsort(away, kind="stable")[:8]
        rows, columns = (height + ramp) // stride + 2, (width + ramp) // stride + 2
        field = np.zeros((rows * stride + ramp, columns * stride + ramp, 3))
        for row in range(rows):
            for column in range(columns):
                which = near[raw.pop(0) * len(near) // 65536]
                raw.pop(0), raw.pop(0)  # patches are of the tiles' size: no place to draw
                unit = residuals[which] / residuals[which].std((0, 1))
                y, x = row * stride, column * stride
                field[y : y + SIDE, x : x + SIDE] += unit * np.outer(one, one)[..., None]
        field = field[top : top + height, left : left + width] * strength
        place = np.clip((brightness - 16) / 32, 0, 7)
        total += np.cos(np.pi / 2 * np.minimum(abs(place - tone), 1))[..., None] * field
    sigma = [np.sqrt(np.interp(255 * picture[..., c], knots, curves[c])) for c in range(3)]
    return step.amount * total * np.stack(sigma, -1) / 255


@pytest.mark.parametrize("size", [(64, 96), (37, 151), (16, 16)])
def test_it_is_what_is_written_down(pool, size):
    levels = np.linspace(10, 245, 48)
    law_of_pool = level_noise(pool).law
    knots = np.arange(8.0, 256, 16)
    for key in range(3):
        step = step_for(pool, key, RECIPE + "\namount = [0.5, 2]", size)
        picture = np.random.default_rng(key).uniform(-0.02, 1.02, (*size, 3)).astype(np.float32)
        exact = by_hand(picture.astype(np.float64), step, pool, levels, knots, law_of_pool.variance)
        assert np.abs(matched(picture, step, pool) - exact).max() * 255 < 2e-3


def test_noise_is_that_of_the_law_at_every_brightness(pool):
    """Steps of grey: variance, and correlation along x but not along y."""
    levels = np.arange(20, 240, 20)
    picture = np.repeat(levels, 24)[None, :, None] / 255.0 * np.ones((240, 1, 3))
    made = np.stack([matched(picture.astype(np.float32), step_for(pool, k), pool) for k in range(12)]) * 255
    for number, level in enumerate(levels):
        part = made[:, :, 24 * number : 24 * number + 24]
        assert np.allclose(part.var((0, 1, 2)), law(level), rtol=0.15), level
    assert (made[:, :, 1:] * made[:, :, :-1]).mean() / np.square(made).mean() == pytest.approx(0.5, abs=0.05)
    assert abs((made[:, 1:] * made[:, :-1]).mean()) < 0.05 * np.square(made).mean()


def test_seams_do_not_show(pool):
    grey = np.full((120, 120, 3), 120 / 255, np.float32)
    made = np.stack([matched(grey, step_for(pool, k), pool) for k in range(150)]) * 255
    rows = np.square(made).mean((0, 2, 3))
    assert np.allclose(rows / rows.mean(), 1, atol=0.12)


def test_the_ramps_at_the_ends_lie_outside():
    """There a tile has no neighbour that makes up for it."""
    for stride in (8, 40, 56):
        for length in range(1, 3 * stride):
            last = 8 + (stride - 1) + length - 1  # of the image, where tiles begin furthest before it
            assert last < tiles_over(length, stride) * stride


def test_strength_is_that_of_the_photo_that_was_drawn():
    """Half of the patches have four times the variance: an image has one of the two strengths all over."""
    levels = np.tile(np.linspace(10, 245, 24), 2)
    gains = np.repeat([0.5, 2.0], 24)
    knots = [8.0, 248.0]
    told = {"knots": knots, "variance": law(knots).T.tolist()}
    pool = pool_of(levels, gains, level_function=told)
    grey = np.full((160, 160, 3), 100 / 255, np.float32)
    seen = set()
    for key in range(10):
        step = step_for(pool, key)
        gain = gains[pool.names.index(step.noise)]
        made = 255 * matched(grey, step, pool)
        for part in (made[:80], made[80:]):
            assert np.allclose(part.var((0, 1)), gain * law(100), rtol=0.3)
        seen.add(gain)
    assert seen == {0.5, 2.0}


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_it_is_continuous_in_the_image(seed):
    """So that another order of sums, on another machine, changes nothing that one would see."""
    pool = pool_of(np.linspace(10, 245, 12))
    rng = np.random.default_rng(seed)
    picture = rng.uniform(0, 1, (20, 20, 3)).astype(np.float32)
    moved = picture + rng.uniform(-1e-5, 1e-5, picture.shape).astype(np.float32)
    step = step_for(pool, seed)
    away = matched(picture, step, pool) - matched(moved, step, pool)
    assert np.abs(away).max() * 255 < 0.02


def test_tensors_agree_and_let_gradients_through(pool, photos):
    recipe = from_text(RECIPE + "\namount = [0.5, 2]", "test")
    plans = [recipe.draw(1, str(i), photos[0].shape[:2], 2, noises=pool) for i in range(3)]
    one = np.stack([image.apply(plan, hr, noises=pool) for plan, hr in zip(plans, photos, strict=True)])
    tensor = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2)
    many = batch.apply(plans, tensor, noises=pool, levels=None).permute(0, 2, 3, 1).numpy()
    assert np.abs(one - 255 * many).max() < 0.51
    hr = (tensor.float() / 255).requires_grad_()
    batch.apply(plans, hr, noises=pool).sum().backward()
    assert torch.isfinite(hr.grad).all()
    assert hr.grad.abs().mean() > 0.1


def test_pixels_of_a_folder_tell_their_brightness_themselves(tmp_path):
    rng = np.random.default_rng(0)
    for level in (40, 120, 200):
        pixels = np.clip(np.rint(level + rng.normal(0, 3, (64, 64, 3))), 0, 255).astype(np.uint8)
        write_image(tmp_path / f"{level}.png", pixels)
    pool = NoisePool.read(tmp_path)
    found = level_noise(pool)
    assert np.allclose(sorted(found.level.mean(1)), [40, 120, 200], atol=0.2)
    assert np.allclose(found.law(np.full((1, 3), 120.0)), 9 + 1 / 12, rtol=0.2)


def test_pools_that_cannot_are_refused_by_name(pool, tmp_path):
    rng = np.random.default_rng(1)
    small = NoisePool(("a",), (rng.integers(90, 110, (12, 40, 3)).astype(np.uint8),))
    still = NoisePool(("a",), (np.full((40, 40, 3), 90, np.uint8),))
    cases = [
        (NoisePool(("a",), (patch(rng, 50),)), "a: noise patch does not tell its brightness"),
        (NoisePool(("a",), (patch(rng, 50),), {"patches": {"a": {"level": "x"}}}), "does not tell|damaged"),
        (small, "patches of 12 px, 16 are needed"),
        (still, "show no noise at all"),
        (pool_of([50, 90], level_function={"knots": [1]}), "level function is damaged"),
        (pool_of([50, 90], level_function={"knots": [1, 2], "variance": [[1, "x"]] * 3}), "is damaged"),
    ]
    for bad, words in cases:
        with pytest.raises(UserError, match=words):
            level_noise(bad)
    step = step_for(pool, 0)
    with pytest.raises(UserError, match="noise patch is not in the pool"):
        matched(np.zeros((20, 20, 3), np.float32), step, None)
    other = NoisePool(pool.names[:-1], pool.patches[:-1], pool.about)
    step = replace(step, noise=other.names[0], noise_sha=other.hash_of(0))
    with pytest.raises(UserError, match="noise pool has other content"):
        matched(np.zeros((20, 20, 3), np.float32), step, other)
    # Before the first image, not for each of them:
    (tmp_path / "r.toml").write_text(RECIPE)
    small.save(tmp_path / "small.npz")
    with pytest.raises(UserError, match="patches of 12 px"):
        resolve(DegradeSettings(2, None, tmp_path / "small.npz", recipe=str(tmp_path / "r.toml")))


def test_a_dataset_with_it_is_replayed_to_the_byte(pool, photos, tmp_path):
    for number, one in enumerate(photos):
        write_image(tmp_path / "hr" / f"{number}.png", one)
    pool.save(tmp_path / "noise.npz")
    (tmp_path / "r.toml").write_text(RECIPE)
    asked = DegradeSettings(2, None, tmp_path / "noise.npz", recipe=str(tmp_path / "r.toml"))
    degrade_folder(tmp_path / "hr", tmp_path / "one", asked)
    degrade_folder(tmp_path / "hr", tmp_path / "two", asked, running=Running(workers=2))
    records = read_manifest(tmp_path / "one")
    for record in records:
        assert (tmp_path / "one" / record.lr).read_bytes() == (tmp_path / "two" / record.lr).read_bytes()
        step = Plan.from_json(record.detail["plan"]).steps[-1]
        assert isinstance(step, InjectByLevel)
        assert record.detail["noise"] == step.noise
        assert step.describe() == f"noise by brightness, as strong as patch {step.noise}"
    report = replay(tmp_path / "one")
    assert all(record.detail["equal"] for record in report.records)
    about = {name: {"level": [90.0] * 3} for name in pool.names}  # the same patches, other brightness
    NoisePool(pool.names, pool.patches, {"patches": about}).save(tmp_path / "noise.npz")
    report = replay(tmp_path / "one", noise_pool=tmp_path / "noise.npz")
    assert all("other content" in record.reason for record in report.records)


def test_sixteen_bits_stay(pool, tmp_path):
    picture = np.full((64, 64, 3), 30000, np.uint16)
    plan = from_text(RECIPE, "test").draw(1, "a", (64, 64), 2, noises=pool)
    lr = image.apply(plan, picture, noises=pool)
    assert lr.dtype == np.uint16
    assert len(np.unique(lr)) > 1000
    write_image(tmp_path / "a.png", lr)
    assert np.array_equal(read(tmp_path / "a.png").pixels, lr)
