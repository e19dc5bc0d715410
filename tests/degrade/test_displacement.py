"""Truth: geometry. A picture of positions, and one of waves, tell where each LR pixel looks: HR s i + (s - 1) / 2.

All numbers in HR pixels; at most 0.001 off, or exactly what the plan says of "nearest".
"""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from realdeg.degrade.apply.image import apply
from realdeg.degrade.ops.blur import KINDS
from realdeg.degrade.ops.registry import read_step
from realdeg.degrade.ops.step import Pools
from realdeg.degrade.plan import Plan
from realdeg.degrade.recipe.recipe import from_text, read_recipe
from realdeg.imaging.resample import METHODS
from realdeg.pools.kernel_pool import KernelPool

SCALES = (2, 3, 4, 8)
SIZE = (144, 192)  # a multiple of each scale
EXACT = 1e-3
SIZED = [kind for kind in KINDS if kind not in ("motion", "defocus", "pool")]
NUMBERS = {"sigma": 2.3, "sigma_y": 0.9, "angle": 33.0, "beta": 0.8, "cutoff": 1.3}
DOWN = [(method, True) for method in METHODS if method != "nearest"]
DOWN += [(method, False) for method in ("bilinear", "bicubic", "lanczos")]


def numbers(kind):
    """Those of `NUMBERS` that a kind of kernel has."""
    if kind == "sinc":
        return {"cutoff": NUMBERS["cutoff"]}
    names = ["sigma"]
    names += ["sigma_y", "angle"] if kind.endswith("anisotropic") else []
    names += ["beta"] if kind.startswith(("generalised", "plateau")) else []
    return {name: NUMBERS[name] for name in names}


def formulas():
    """Every kind of kernel that is a formula, in every size and at both ends of what it can be."""
    for kind, size in product(SIZED, (7, 9, 13, 21, 25)):
        yield {"kind": kind, "size": size, **numbers(kind)}
    for size, sigma in product((7, 15, 25), (0.1, 6.0)):
        yield {"kind": "anisotropic", "size": size, **numbers("anisotropic"), "sigma": sigma}
    for length, angle in product((1.0, 2.5, 15.0), (0.0, 45.0, -110.0)):
        yield {"kind": "motion", "length": length, "angle": angle}
    for radius in (0.3, 1.0, 2.7, 5.0):
        yield {"kind": "defocus", "radius": radius}


FORMULAS = list(formulas())


@pytest.fixture(scope="module")
def pool(kernel_arrays, golden):
    """KAIR's twelve, three lopsided ones that lie anywhere, and one of an even side."""
    degradations, stored = np.load(golden / "degradations.npz"), np.load(golden / "kernels.npz")
    more = {name: degradations[name] for name in ("k_raw21", "k_raw21_shifted_x2", "k_kair_iso25_shifted_s4")}
    more["even"] = stored["kgan_kernel_shift_in_n14"]
    more["corner"] = np.pad(np.random.default_rng(0).uniform(0.1, 1, (6, 9)), ((0, 9), (0, 2)))
    arrays = {**kernel_arrays, **more}
    return KernelPool(
        tuple(arrays), tuple(np.asarray(one, np.float64) / one.sum() for one in arrays.values())
    )


def positions(size=SIZE):
    """x, y and the sum of both, in [0, 1]."""
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack([x, y, (x + y) / 2], axis=-1).astype(np.float32) / 255


def margin(scale, reach):
    """LR pixels along the edge that see beyond it."""
    return -(-reach // scale) + 4


def off(lr, scale, reach, *, size=SIZE):
    """Displacement along x and y of an LR image of `positions`, each inner LR pixel's own."""
    m = margin(scale, reach)
    assert lr.shape[:2] == (size[0] // scale, size[1] // scale)
    y, x = np.mgrid[: lr.shape[0], : lr.shape[1]] * scale + (scale - 1) / 2
    found = lr.astype(np.float64) * 255 - np.stack([x, y, (x + y) / 2], axis=-1)
    inner = found[m:-m, m:-m]
    assert inner.size
    return inner


def waves(size=SIZE, period=48.0):
    """A wave along x and one along y, and both crossed, around 1/2."""
    y, x = np.mgrid[: size[0], : size[1]] * 2 * np.pi / period
    return (0.5 + 0.4 * np.stack([np.sin(x), np.sin(y), np.sin(x) * np.sin(y)], axis=-1)).astype(np.float32)


def phases(lr, scale, reach, period=48.0):
    """Displacement along x and y of an LR image of `waves`, by least squares."""
    m, found = margin(scale, reach), []
    for channel, axis in ((0, 1), (1, 0)):
        line = lr[m:-m, m:-m, channel].astype(np.float64).mean(1 - axis)
        t = (np.arange(m, m + len(line)) * scale + (scale - 1) / 2) * 2 * np.pi / period
        (a, b, _), *_ = np.linalg.lstsq(
            np.stack([np.sin(t), np.cos(t), np.ones_like(t)], 1), line, rcond=None
        )
        assert np.hypot(a, b) > 0.02
        found.append(np.arctan2(b, abs(a)) * np.sign(a) * period / (2 * np.pi))
    return np.array(found)


def applied(image, step, pools):
    """One step, as the manifest writes it."""
    return read_step(step).apply(image, pools)


def reach(step):
    return int(step.get("size", 0) / 2 + step.get("length", 0) / 2 + step.get("radius", 0)) + 2


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kernel", FORMULAS, ids=lambda k: "-".join(str(v) for v in list(k.values())[:3]))
def test_reducing_by_formulas(kernel, scale):
    """In float and on 8 bits, whose weights are rounded: the sum is kept, the centre to a thousandth."""
    step = {"op": "reduce", "factor": scale, **kernel}
    hr, pools = positions(), Pools()
    assert np.abs(off(applied(hr, step, pools), scale, reach(kernel))).max() < EXACT
    whole = np.rint(hr[..., :2] * 255).astype(np.uint8)
    whole = np.dstack([whole, whole[..., :1]])
    lr = applied(whole, step, pools)
    lr[..., 2] = (lr[..., 0] + lr[..., 1]) / 2
    assert np.abs(off(lr, scale, reach(kernel))).max() < EXACT
    assert np.abs(phases(applied(waves(), step, pools), scale, reach(kernel))).max() < EXACT


@pytest.mark.parametrize("scale", SCALES)
def test_reducing_by_kernels_of_a_pool(pool, scale):
    """Wherever they lie in their array; the plan says by how much each was moved."""
    hr = positions()
    for name in pool.names:
        found = applied(hr, pooled("reduce", pool, name, factor=scale), Pools(pool, None))
        assert np.abs(off(found, scale, 20)).max() < EXACT, name


@pytest.mark.parametrize("scale", SCALES)
def test_reducing_8_bit_images_by_kernels_of_a_pool(pool, scale):
    """Weights in steps of 2**-16 must neither displace the picture nor change its brightness."""
    whole = np.rint(positions()[..., :2] * 255).astype(np.uint8)
    for name in pool.names:
        lr = applied(
            np.dstack([whole, whole[..., :1]]), pooled("reduce", pool, name, factor=scale), Pools(pool, None)
        )
        lr[..., 2] = (lr[..., 0] + lr[..., 1]) / 2
        assert np.abs(off(lr, scale, 20)).max() < EXACT, name


@pytest.mark.parametrize("scale", SCALES)
def test_the_order_of_a_kernel_in_memory_changes_nothing(pool, scale):
    """MATLAB's files are read column by column, the dataset's own kernels.npz row by row: a replay gives the same bytes."""
    by_rows = KernelPool(pool.names, tuple(np.ascontiguousarray(kernel) for kernel in pool.kernels))
    by_columns = KernelPool(pool.names, tuple(np.asfortranarray(kernel) for kernel in pool.kernels))
    hr = np.random.default_rng(0).integers(0, 256, (48, 72, 3)).astype(np.uint8)
    for name in pool.names:
        step = pooled("reduce", pool, name, factor=scale)
        rows, columns = (applied(hr, step, Pools(one, None)) for one in (by_rows, by_columns))
        np.testing.assert_array_equal(rows, columns, err_msg=name)


def pooled(op, pool, name, **more):
    return {
        "op": op,
        "kind": "pool",
        "kernel": name,
        "kernel_moved": [0, 0],
        "kernel_sha": pool.hash_of(pool.names.index(name)),
        **more,
    }


@pytest.mark.parametrize("kernel", FORMULAS, ids=lambda k: "-".join(str(v) for v in list(k.values())[:3]))
def test_blurring_by_formulas(kernel):
    step, pools = {"op": "blur", **kernel}, Pools()
    assert np.abs(off(applied(positions(), step, pools), 1, reach(kernel))).max() < EXACT
    assert np.abs(phases(applied(waves(), step, pools), 1, reach(kernel))).max() < EXACT


def test_blurring_by_kernels_of_a_pool(pool):
    for name in pool.names:
        found = applied(positions(), pooled("blur", pool, name), Pools(pool, None))
        assert np.abs(off(found, 1, 20)).max() < EXACT, name


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("method", "antialias"), DOWN)
@pytest.mark.parametrize("border", ["symmetric", "reflect", "replicate"])
def test_reducing_by_every_method(method, antialias, border, scale):
    """Alone, and after one kernel of each kind."""
    size = [n // scale for n in SIZE]
    down = {"op": "resize", "method": method, "antialias": antialias, "size": size, "border": border}
    pools = Pools()
    assert np.abs(off(applied(positions(), down, pools), scale, 2)).max() < EXACT
    assert np.abs(phases(applied(waves(), down, pools), scale, 2)).max() < EXACT
    if border == "symmetric":
        for kernel in FORMULAS[:: len(FORMULAS) // 12]:
            soft = applied(waves(), {"op": "blur", **kernel}, pools)
            assert np.abs(phases(applied(soft, down, pools), scale, reach(kernel))).max() < EXACT, kernel


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("method", "antialias"), DOWN)
def test_enlarging_by_every_method(method, antialias, scale):
    """Each pixel is off by its phase; all s x s phases together lie where they should."""
    small = (24, 32)
    up = {"op": "resize", "method": method, "antialias": antialias, "size": [n * scale for n in small]}
    found = applied(positions(small), up, Pools()).astype(np.float64) * 255
    y, x = ((np.arange(n) + 0.5) / scale - 0.5 for n in found.shape[:2])
    inner = slice(5 * scale, -5 * scale)
    assert abs((found[..., 0] - x)[inner, inner].mean()) < EXACT
    assert abs((found[..., 1] - y[:, None])[inner, inner].mean()) < EXACT


@pytest.mark.parametrize("scale", SCALES)
def test_bicubic_on_whole_numbers(scale):
    step = {"op": "resize", "method": "matlab_bicubic", "size": [n // scale for n in SIZE], "integers": True}
    whole = np.rint(waves() * 65535).astype(np.uint16)
    found = apply(Plan((read_step(step),), None, scale), whole) / 65535
    assert np.abs(phases(found, scale, 2)).max() < EXACT


def test_bicubic_on_whole_numbers_keeps_both_ends():
    """As any resize does, also where one factor fits the height and not the width: 100x131 to 70x91."""
    recipe = from_text('[[steps]]\nop="resize"\nfactor=0.7\nintegers=true\n[[steps]]\nop="resize"', "x")
    size = (100, 132)
    step = recipe.draw(0, "k", size, 2).steps[0].to_json()
    assert step["size"] == [70, 92]
    hr = np.rint(positions(size)[..., :2] * 255 * 256).astype(np.uint16)
    found = applied(np.dstack([hr, hr[..., :1]]), step, Pools()) / 256
    x, y = ((np.arange(n) + 0.5) * of / n - 0.5 for n, of in ((92, 132), (70, 100)))
    assert abs(np.mean(found[20, 4:-4, 0] - x[4:-4])) < 0.01
    assert abs(np.mean(found[4:-4, 20, 1] - y[4:-4])) < 0.01


@pytest.mark.parametrize(
    ("size", "to"),
    [
        ((48, 64), (24, 32)),
        ((48, 63), (16, 21)),
        ((48, 64), (12, 16)),
        ((48, 64), (6, 8)),
        ((50, 70), (37, 41)),
        ((30, 40), (45, 52)),
    ],
)
def test_nearest_is_displaced_by_what_the_plan_says(size, to):
    """Mean over all pixels, in pixels of the image that is resized, x before y; odd reductions have a middle pixel."""
    text = (
        f'[[steps]]\nop="resize"\nmethod="nearest"\nfactor={to[0] / size[0] + 1e-4}\n[[steps]]\nop="resize"'
    )
    step = from_text(text, "x").draw(0, "k", size, 1).steps[0].to_json()
    found = applied(positions(size), step, Pools()).astype(np.float64) * 255
    height, width = step["size"]
    y, x = ((np.arange(n) + 0.5) * of / n - 0.5 for n, of in ((height, size[0]), (width, size[1])))
    moved = [(found[..., 0] - x).mean(), (found[..., 1] - y[:, None]).mean()]
    assert_allclose(step.get("displaced", [0, 0]), moved, atol=1e-4)
    if size[0] == 48:
        even = (size[0] // height) % 2 == 0
        assert_allclose(moved, [-0.5, -0.5] if even else [0, 0], atol=1e-5)
        assert ("displaced" in step) == even


LONG = (96, 3072)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", ["bicubic", "samsung", "bsrgan", "bsrgan_plus", "realesrgan"])
def test_presets_displace_nothing(name, scale):
    """Whole plans without their noise and codecs, along x and along y, seen far from the borders.

    Between sizes that are no multiples of each other each pixel is off by its phase: the mean counts, of the
    whole middle for shifts, of its halves for another pitch.
    """
    recipe = read_recipe(name)
    places = np.arange(LONG[1], dtype=np.float64)
    ramp = np.broadcast_to((places / LONG[1]).astype(np.float32)[None, :, None], (*LONG, 3)).copy()
    for i in range(4):
        for across in (False, True):
            size = LONG[::-1] if across else LONG
            plan = [step.to_json() for step in recipe.draw(0, f"{i}", size, scale).steps]
            plan = [
                step
                for step in plan
                if step["op"] not in ("noise", "codec", "sharpen") and "integers" not in step
            ]
            plan = plan or [{"op": "resize", "method": "matlab_bicubic", "size": [n // scale for n in size]}]
            image = ramp.transpose(1, 0, 2) if across else ramp
            for step in plan:
                image = applied(np.ascontiguousarray(image), step, Pools())
            line = (image.transpose(1, 0, 2) if across else image)[..., 0].astype(np.float64).mean(0) * LONG[
                1
            ]
            n = len(line)
            expected = scale * np.arange(n) + (scale - 1) / 2
            away = (line - expected)[int(0.3 * n) : n - int(0.3 * n)]
            assert abs(away.mean()) < EXACT, plan
            assert abs(away[: len(away) // 2].mean()) < 0.03, plan
