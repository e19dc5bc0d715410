"""Truth: the numbers of plans that recipes draw; each must be found again in the words."""

import json
import math
import re

import numpy as np
import pytest

from realdeg.degrade.ops.registry import STEPS, read_step
from realdeg.degrade.ops.words import format_number
from realdeg.degrade.plan import Plan
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.recipe.recipe import from_text, read_recipe
from realdeg.imaging.kernels import gaussian
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

ALL = """
colour = "linear"
steps = [
    { op = "sharpen", weight = [0.2, 0.8] },
    { op = "blur", kind = ["isotropic", "anisotropic", "generalised_anisotropic", "plateau_isotropic"] },
    { op = "blur", kind = ["sinc", "motion", "defocus"] },
    { op = "blur", kind = "pool" },
    { op = "noise", law = ["gaussian_poisson", "speckle"], channels = ["grey", "colour", "correlated"], amount = [0.5, 2] },
    { op = "camera" },
    { op = "codec", format = ["jpeg", "webp", "jpeg_differentiable"], subsampling = ["420", "444"], prob = 0.5 },
    { op = "video", codec = ["h264", "hevc"] },
    { op = "resize", factor = [0.5, 1.5], method = ["bilinear", "nearest"] },
    { op = "resize", of_lr = 2, method = "area" },
    { op = "reduce", sigma = [0.5, 2] },
    { op = "tone", levels = [20, 200], red = [5, -3], amount = [0, 1] },
    { op = "inject", amount = [0.5, 1], clip = true },
]
"""
KERNELS = KernelPool(("k <1>", "k, 2"), tuple(gaussian(15, s) for s in (1.0, 2.0)))
NOISES = NoisePool(("a & b",), (np.random.default_rng(0).normal(0, 0.02, (40, 50, 3)).astype(np.float32),))
# What only the pair's table says, not the words: provenance, switches, and what is told as its root.
UNTOLD = ("key", "kernel_sha", "kernel_moved", "noise_sha", "covariance", "size of resize", "levels", "shift")


def plans():
    recipes = [read_recipe(name) for name in PRESETS] + [from_text(ALL, "all")]
    for recipe in recipes:
        for i in range(12):
            pools = {"kernels": KERNELS, "noises": NOISES}
            yield recipe.draw(i, "x", (96, 128), 4, **pools, grey=i % 5 == 4)


def numbers(step, before):
    if step.op == "resize":
        yield "factor", math.sqrt(step.size[0] * step.size[1] / before[0] / before[1])
    step = step.to_json()
    for name, value in step.items():
        if name in UNTOLD or (step["op"] == "resize" and name == "size"):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int | float) and not isinstance(one, bool):
                yield name, float(one)
    if "covariance" in step:
        yield from (("sigma", math.sqrt(step["covariance"][i])) for i in (0, 4, 8))


def test_every_number_of_a_plan_is_in_its_words():
    seen = set()
    for plan in plans():
        for step, before, _ in plan.walk():
            words = step.describe(before)
            found = [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?(?:e-\d+)?", words)]
            for name, value in numbers(step, before):
                margin = 0.5 if name == "angle" else 0.0051 * abs(value) if abs(value) < 100 else 0.5
                if abs(value) < 1e-3:
                    margin = 0.051 * abs(value)  # two digits
                assert any(abs(value - one) <= margin + 1e-12 for one in found), (step, words)
            seen.add(type(step))
    assert {kind.op for kind in seen} == {kind.op for kind in STEPS}


def test_every_operation_has_words_and_only_clipping_has_none():
    for plan in plans():
        assert len(plan.describe()) == sum(step.op != "clip" for step in plan.steps)


POOLED = {
    "op": "reduce",
    "factor": 4,
    "kind": "pool",
    "kernel": "k/7",
    "kernel_sha": "a",
    "kernel_moved": [0, 0],
}
KEY = {"key": "0f"}


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            {"op": "blur", "kind": "anisotropic", "size": 13, "sigma": 1.9, "sigma_y": 0.8, "angle": 41.2},
            "blur aniso 13 px, sigma 1.9/0.8 px, 41°",
        ),
        ({"op": "blur", "kind": "defocus", "radius": 2.345}, "blur defocus, radius 2.35 px"),
        ({"op": "blur", "kind": "motion", "length": 7.0, "angle": -0.2}, "blur motion, 7 px long, 0°"),
        (POOLED, "reduce by 4, kernel k/7"),
        ({"op": "resize", "method": "bilinear", "size": [9, 12]}, "resize bilinear to 12x9 px"),
        (
            {"op": "resize", "method": "nearest", "size": [9, 12], "displaced": [1.5, 0.5]},
            "resize nearest to 12x9 px, displaced 1.5, 0.5 px",
        ),
        (
            {"op": "noise", "law": "gaussian", "channels": "grey", "sigma_8bit": 12.3456, **KEY},
            "Gaussian noise grey, sigma 12.3 levels",
        ),
        (
            {"op": "noise", "law": "gaussian", "channels": "correlated", "covariance": [4, 0, 0, 0, 9, 0, 0, 0, 1], **KEY},
            "Gaussian noise correlated, sigma 2/3/1 levels",
        ),
        (
            {"op": "noise", "law": "poisson", "channels": "colour", "photons": 85.0, "amount": 0.5, **KEY},
            "Poisson noise colour, photons 85, amount 0.5",
        ),
        ({"op": "codec", "format": "jpeg", "quality": 64, "subsampling": "420"}, "JPEG 64"),
        ({"op": "codec", "format": "avif", "quality": 50, "subsampling": "444"}, "AVIF 50 4:4:4"),
        (
            {"op": "video", "codec": "h264", "crf": 28, "frames": 3, "pan": [2, -1]},
            "H.264 CRF 28, 3 frames, pan 2, -1 px",
        ),
        ({"op": "tone", "levels": [0, 9], "shift": [[1.25, 0], [0, -3], [0, 0]]}, "tone -3 to 1.25 levels"),
        ({"op": "light", "to": "linear"}, "to linear light"),
        ({"op": "grey"}, "to grey"),
        ({"op": "clip"}, ""),
    ],
)  # fmt: skip
def test_words(step, words):
    assert read_step(step).describe() == words


def test_numbers_as_people_write_them():
    values = (0, 3.0, 12.345, 99.96, 1234.5, -0.5, 0.00123, 1.234e-5)
    assert [format_number(value) for value in values] == [
        "0",
        "3",
        "12.3",
        "100",
        "1234",
        "-0.5",
        "0.00123",
        "1.2e-5",
    ]


def test_a_resize_says_its_factor_where_the_size_before_is_known():
    step = read_step({"op": "resize", "method": "matlab_bicubic", "size": [9, 12]})
    assert step.describe((36, 48)) == "resize MATLAB bicubic x0.25"
    assert step.describe((9, 6)) == "resize MATLAB bicubic x1.41"


def test_sizes_are_those_of_the_images():
    """The factors multiply to 1 / scale; sizes follow the plan's own."""
    for plan in plans():
        assert plan.hr_size == (96, 128)
        assert plan.sizes()[-1] == plan.lr_size == (24, 32)
        product = 1.0
        for step, before, after in plan.walk():
            if step.op == "resize":
                assert after == step.size
            product *= math.sqrt(after[0] * after[1] / before[0] / before[1])
        assert product == pytest.approx(1 / 4)


def test_words_survive_the_manifest():
    for plan in plans():
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))).describe() == plan.describe()
