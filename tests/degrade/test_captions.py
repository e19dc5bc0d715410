"""Truth: the numbers of plans that recipes draw; each must be found again in the words."""

import json
import math
import re

import numpy as np
import pytest

from realdeg.degrade.apply.image import APPLY
from realdeg.degrade.recipe.captions import WORDS, plain, tell, told
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.recipe.recipe import from_text, read_recipe
from realdeg.degrade.recipe.sizes import hr_size, sizes, with_factors
from realdeg.imaging.kernels import gaussian
from realdeg.pools.pools import KernelPool, NoisePool

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


def numbers(step):
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
        for step in with_factors(plan, 4):
            words = told(step)
            found = [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?(?:e-\d+)?", words)]
            for name, value in numbers(step):
                margin = 0.5 if name == "angle" else 0.0051 * abs(value) if abs(value) < 100 else 0.5
                if abs(value) < 1e-3:
                    margin = 0.051 * abs(value)  # two digits
                assert any(abs(value - one) <= margin + 1e-12 for one in found), (step, words)
            seen.add(step["op"])
    assert seen == set(APPLY)


def test_every_operation_has_words_and_only_clipping_has_none():
    assert set(WORDS) == set(APPLY)
    for plan in plans():
        assert len(tell(plan, 4)) == sum(step["op"] != "clip" for step in plan)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            {"op": "blur", "kind": "anisotropic", "size": 13, "sigma": 1.9, "sigma_y": 0.8, "angle": 41.2},
            "blur aniso 13 px, sigma 1.9/0.8 px, 41°",
        ),
        ({"op": "blur", "kind": "defocus", "radius": 2.345}, "blur defocus, radius 2.35 px"),
        ({"op": "blur", "kind": "motion", "length": 7.0, "angle": -0.2}, "blur motion, 7 px long, 0°"),
        ({"op": "reduce", "factor": 4, "kind": "pool", "kernel": "k/7"}, "reduce by 4, kernel k/7"),
        ({"op": "resize", "method": "bilinear", "size": [9, 12]}, "resize bilinear to 12x9 px"),
        (
            {"op": "resize", "method": "nearest", "size": [9, 12], "factor": 0.62, "displaced": [1.5, 0.5]},
            "resize nearest x0.62, displaced 1.5, 0.5 px",
        ),
        (
            {"op": "noise", "law": "gaussian", "channels": "grey", "sigma_8bit": 12.3456},
            "Gaussian noise grey, sigma 12.3 levels",
        ),
        (
            {"op": "noise", "law": "gaussian", "channels": "correlated", "covariance": [4, 0, 0, 0, 9, 0, 0, 0, 1]},
            "Gaussian noise correlated, sigma 2/3/1 levels",
        ),
        (
            {"op": "noise", "law": "poisson", "channels": "colour", "photons": 85.0, "amount": 0.5},
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
    assert told(step) == words


@pytest.mark.parametrize(
    "step",
    [
        {},
        {"op": ["blur"]},
        {"op": "dream"},
        {"op": "blur"},
        {"op": "blur", "kind": "isotropic", "size": 7, "sigma": "wide"},
        {"op": "blur", "kind": None},
        {"op": "codec", "format": "jpeg", "quality": True},
        {"op": "codec", "format": "jpeg", "quality": float("nan")},
        {"op": "codec", "format": "jpeg", "quality": 10**400},
        {"op": "resize", "method": "area", "size": 5},
        {"op": "video", "codec": "h264", "crf": 3, "frames": 3, "pan": [1]},
        {"op": "tone", "shift": [1, 2]},
        {"op": "tone", "shift": [["x"], [], []]},
        {"op": "inject", "match": "level", "noise": "a"},
        {"op": "noise", "law": "gaussian", "channels": "correlated", "covariance": [1, 2]},
        {"op": "noise", "law": "gaussian", "channels": "correlated", "covariance": [[1]] * 9},
    ],
)
def test_a_damaged_step_is_a_value_error(step):
    with pytest.raises(ValueError, match=r"lacks|unknown operation|: "):
        told(step)


def test_numbers_as_people_write_them():
    values = (0, 3.0, 12.345, 99.96, 1234.5, -0.5, 0.00123, 1.234e-5)
    assert [plain(value) for value in values] == [
        "0",
        "3",
        "12.3",
        "100",
        "1234",
        "-0.5",
        "0.00123",
        "1.2e-5",
    ]


def test_sizes_are_those_of_the_images():
    """The factors multiply to 1 / scale; sizes follow the plan's own; HR is found from LR."""
    for plan in plans():
        if (found := hr_size(plan, 4)) is not None:
            assert found == (96, 128)
        assert sizes(plan, (96, 128))[-1] == (24, 32)
        product = 1.0
        for step in with_factors(plan, 4):
            product *= step.get("factor", 1) if step["op"] == "resize" else 1 / step.get("factor", 1)
        if found:
            assert product == pytest.approx(1 / 4, rel=0.01)  # factors have four digits
    for size in (None, [3], [0, 4], [True, 4], [4, 1 << 40], "ab"):
        with pytest.raises(ValueError, match="height and width are meant"):
            hr_size([{"op": "resize", "size": size}], 4)
    for factor in (None, 0, 2.5, 9):
        with pytest.raises(ValueError, match="a whole number is meant"):
            sizes([{"op": "reduce", "factor": factor}], (8, 8))


def test_words_survive_the_manifest():
    for plan in plans():
        assert tell(json.loads(json.dumps(plan)), 4) == tell(plan, 4)
