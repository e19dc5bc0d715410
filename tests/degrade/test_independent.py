"""Truth: `independent.py`, the plan applied in float64 by SciPy, Pillow and formulas written anew."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from realdeg.degrade.apply.image import apply
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.ops.step import Pools
from realdeg.degrade.plan import Plan
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.recipe.recipe import from_text, read_recipe
from realdeg.degrade.settings import DegradeSettings
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

# Grey levels of 255 by which one step may be off. Float32 and kernels without tails of 1e-6 of their weight make
# 0.001. Reductions of 8-bit images leave out tails of 4e-5 (0.02) and have weights in steps of 2**-16 (800 of them,
# each off by half a step at most: 0.06 at four standard deviations). A defocused disk is summed up from 64 lines.
REDUCED = 0.08
DEFOCUS = 0.1
EXACT = 0.001

EVERYTHING = """
border = "BORDER"
colour = "COLOUR"
[[steps]]
op = "blur"
kind = ["isotropic", "anisotropic", "generalised_anisotropic", "plateau_anisotropic", "sinc", "motion", "defocus", "pool"]
border = ["symmetric", "reflect", "replicate"]
[[steps]]
op = "one_of"
branches = [
    [{ op = "resize", factor = [0.4, 1.3], method = ["nearest", "bilinear", "bicubic", "lanczos", "area", "matlab_bicubic"] },
     { op = "resize", method = ["nearest", "bilinear", "bicubic", "lanczos", "area"], antialias = false }],
    [{ op = "reduce", kind = ["anisotropic", "generalised_isotropic", "plateau_isotropic", "sinc", "motion", "defocus", "pool"] }],
]
[[steps]]
op = "noise"
law = ["gaussian", "poisson", "gaussian_poisson", "speckle"]
photons = { log10 = [1, 4] }
amount = [0.5, 2]
channels = ["colour", "grey", "correlated"]
[[steps]]
op = "inject"
amount = [0.5, 1.5]
[[steps]]
op = "tone"
levels = [10, 60, 200]
red = [5, -3.5, 9]
green = [0, 0, 0]
blue = [-20, 2, 1.5]
amount = [0, 1]
[[steps]]
op = "codec"
subsampling = ["420", "422", "444"]
prob = 0.5
"""


@pytest.fixture(scope="module")
def kernels(kernel_arrays):
    return KernelPool(tuple(kernel_arrays), tuple(kernel_arrays.values()))


@pytest.fixture(scope="module")
def noises(noise_arrays):
    return NoisePool(tuple(noise_arrays), tuple(noise_arrays.values()))


def draw(recipe, key, scale, kernels, noises, size=(72, 96), **kwargs):
    return recipe.draw(5, key, size, scale, kernels=kernels, noises=noises, **kwargs)


def in_unit(image):
    return image / np.iinfo(image.dtype).max if image.dtype.kind == "u" else image.astype(np.float64)


def compare(step, ours, exact):
    """One step from the same input; `ours` and `exact` in [0, 1]."""
    assert ours.shape == exact.shape
    away = np.abs(ours - exact) * 255
    if step["op"] == "codec":  # two builds of libjpeg-turbo may round otherwise
        assert away.max() <= 1 + 1e-9, step
        assert np.mean(away > 0.5) < 0.01
    elif step.get("law") == "poisson":
        # The expansion misses the exact quantile by one photon: in 2 of 1000 at most, and 3 more where few are drawn.
        photon = step.get("amount", 1) * 255 / (2 if step["photons"] == "levels" else step["photons"])
        assert np.sum(away > EXACT) <= 0.002 * away.size + 3, step
        assert away.max() <= photon + EXACT, step
    elif step["op"] == "sharpen":
        # A pixel at the threshold may fall on its other side, and moves a Gaussian's peak of 0.0025.
        assert np.mean(away > EXACT) < 0.01, step
        assert away.max() < 0.2, step
    else:
        allowed = DEFOCUS if step.get("kind") == "defocus" else REDUCED if step["op"] == "reduce" else EXACT
        assert away.max() <= allowed, step


def step_by_step(plan, hr, independent, kernels, noises):
    """Each step from what our own steps before it gave: JPEG turns a last bit into other coefficients."""
    image, pools = hr, Pools(kernels, noises)
    arrays = [
        dict(zip(p.names, p.kernels if p is kernels else p.patches, strict=True)) for p in (kernels, noises)
    ]
    for step in plan.steps:
        exact = independent.once(in_unit(image), step.to_json(), *arrays, np.iinfo(hr.dtype).max)
        image = step.apply(image, pools)
        compare(step.to_json(), in_unit(image), exact)
    exact = in_unit(image) * np.iinfo(hr.dtype).max
    whole = apply(plan, hr, kernels=kernels, noises=noises)
    assert whole.dtype == hr.dtype
    assert np.abs(whole - exact.clip(0, np.iinfo(hr.dtype).max)).max() <= 0.501  # rounded once


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("name", PRESETS)
def test_every_step_of_every_preset(name, scale, independent, photos, kernels, noises):
    recipe = read_recipe(name)
    for i in range(9):
        plan = draw(recipe, f"{i}", scale, kernels, noises)
        step_by_step(plan, photos[i % 3], independent, kernels, noises)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("colour", ["gamma", "linear"])
def test_every_operation(colour, scale, independent, photos, kernels, noises):
    for i in range(18):
        border = ("symmetric", "reflect", "replicate")[i % 3]
        recipe = from_text(EVERYTHING.replace("BORDER", border).replace("COLOUR", colour), "everything")
        plan = draw(recipe, f"{colour} {scale} {i}", scale, kernels, noises, (48, 72), grey=i % 4 == 3)
        step_by_step(plan, photos[i % 3][:48, :72], independent, kernels, noises)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("name", ["realsr", "bicubic", "bicubic_noise", "samsung"])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_from_end_to_end(
    name, depth, scale, independent, photos, kernel_arrays, noise_arrays, kernels, noises
):
    """Without codecs the whole chain is right to rounding."""
    recipe = read_recipe(name)
    for i in range(6):
        hr = photos[i % 3] if depth == np.uint8 else photos[i % 3] * np.uint16(257)
        peak = np.iinfo(depth).max
        plan = draw(recipe, f"end {i}", scale, kernels, noises)
        steps = [step.to_json() for step in plan.steps]
        exact = independent.degrade(steps, hr, kernel_arrays, noise_arrays).clip(0, peak)
        away = np.abs(apply(plan, hr, kernels=kernels, noises=noises) - exact) * 255 / peak
        half = 0.5 * 255 / peak
        photons = [step["photons"] for step in steps if step.get("law") == "poisson"]
        if not photons:
            assert away.max() <= half + 0.09
        else:
            # A count turns where the mean differs by 0.09 levels: 0.09 / 255 * photons of the samples, and 2 in 1000.
            assert np.mean(away > half + 0.09) <= 0.09 / 255 * photons[0] + 0.002
            assert away.max() <= half + 0.09 + 255 / photons[0]


def test_from_a_manifest_on_disk(independent, tmp_path, photos, sample, kernel_arrays, noise_arrays):
    """LR files again from manifest.csv, the HR files and the pools, by SciPy, Pillow and csv alone."""
    for i, photo in enumerate(photos):
        path = tmp_path / "clean" / f"set {i % 2}" / f"photo {i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[: 71 - i]).save(path)  # no multiple of the scale
    np.savez(tmp_path / "noise.npz", **noise_arrays)
    kernel_file = sample / "kernels" / "kernels_12.mat"
    for name, scale in (("realsr", 4), ("realsr", 3), ("samsung", 2), ("bicubic", 4), ("bsrgan", 2)):
        out = tmp_path / f"{name} {scale}"
        pools = (kernel_file, tmp_path / "noise.npz") if name == "realsr" else (None, None)
        report = degrade_folder(tmp_path / "clean", out, DegradeSettings(scale, *pools, seed=2, recipe=name))
        assert report.count("ok") == len(photos)
        with (out / "manifest.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            hr, lr = (np.asarray(Image.open(out / row[which])) for which in ("hr", "lr"))
            assert hr.shape == (lr.shape[0] * scale, lr.shape[1] * scale, 3)
            plan = json.loads(row["plan"])["steps"]
            noises = {f"noise/{key}": patch for key, patch in noise_arrays.items()}
            exact = independent.degrade(plan, hr, kernel_arrays, noises).clip(0, 255)
            away = np.abs(lr - exact)
            if name == "bsrgan":
                # Where a rounding before JPEG turned, a coefficient may have turned with it: none so far.
                assert np.mean(away > 1) < 0.005
            elif name == "samsung":
                assert np.mean(away > 0.59) < 0.005  # photons, as above
            else:
                assert away.max() <= 0.59


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_the_kernels_beside_the_images_give_the_same_bytes(tmp_path, photos, sample, scale):
    """LR from kernels.npz of the dataset is LR from the MATLAB file that it was drawn from, to the byte."""
    for i, photo in enumerate(photos):
        (tmp_path / "clean").mkdir(exist_ok=True)
        Image.fromarray(photo).save(tmp_path / "clean" / f"{i}.png")
    kernel_file, out = sample / "kernels" / "kernels_12.mat", tmp_path / "out"
    for seed in range(4):
        degrade_folder(
            tmp_path / "clean",
            out / str(seed),
            DegradeSettings(scale, kernel_file, seed=seed),
        )
        pool = KernelPool.read(out / str(seed) / "kernels.npz", scale)
        with (out / str(seed) / "manifest.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                hr, lr = (np.asarray(Image.open(out / str(seed) / row[side])) for side in ("hr", "lr"))
                np.testing.assert_array_equal(apply(Plan.from_json(row["plan"]), hr, kernels=pool), lr)
