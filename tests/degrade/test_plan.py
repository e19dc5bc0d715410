"""Truth: plans that presets draw, read back to an equal value and equal bytes; damage done to each entry in turn."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realdeg.degrade.apply.image import apply
from realdeg.degrade.apply.prepare import mod_crop, prepare_hr
from realdeg.degrade.ops.step import PlanError
from realdeg.degrade.plan import VERSION, Plan
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.recipe.recipe import Recipe, from_text, read_recipe
from realdeg.errors import UserError
from realdeg.imaging.kernels import gaussian
from realdeg.imaging.resample import resize
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

SIZE = (48, 72)
EVERYTHING = """
colour = "linear"
[hr]
cleanup = 2
[[steps]]
op = "sharpen"
[[steps]]
op = "blur"
kind = ["isotropic", "plateau_anisotropic", "sinc", "motion", "defocus", "pool"]
border = ["symmetric", "reflect"]
[[steps]]
op = "resize"
factor = [0.6, 1.2]
method = ["nearest", "bilinear", "area"]
[[steps]]
op = "noise"
law = ["gaussian", "speckle", "poisson", "gaussian_poisson"]
channels = ["colour", "grey", "correlated"]
amount = [0.5, 2]
clip = true
[[steps]]
op = "camera"
[[steps]]
op = "tone"
levels = [0, 255]
red = [4, -4]
[[steps]]
op = "codec"
format = ["jpeg", "webp"]
[[steps]]
op = "resize"
[[steps]]
op = "inject"
match = ["none", "level"]
"""
KERNELS = KernelPool(("a", "b"), tuple(gaussian(9, s) for s in (1.0, 2.0)))
NOISES = NoisePool(
    ("n", "m"),
    tuple(np.random.default_rng(i).normal(0, 0.02, (20, 30, 3)).astype(np.float32) for i in range(2)),
    {"patches": {name: {"level": [90.0, 80.0, 70.0]} for name in "nm"}},
)
POOLS = {"kernels": KERNELS, "noises": NOISES}
RECIPES = {
    **{name: read_recipe(name) for name in PRESETS},
    "everything": from_text(EVERYTHING, "everything"),
}
VIDEO = from_text('[[steps]]\nop="resize"\n[[steps]]\nop="video"', "video")


def drawn(name, key="k", scale=4, seed=0, size=SIZE, **more):
    return RECIPES[name].draw(seed, key, size, scale, **POOLS, **more)


@pytest.fixture(scope="module")
def hr(photos):
    return np.ascontiguousarray(photos[0][: SIZE[0], : SIZE[1]])


@given(
    name=st.sampled_from(sorted(RECIPES)),
    seed=st.integers(0, 2**31),
    scale=st.sampled_from([2, 3, 4, 8]),
    grey=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_a_plan_read_back_is_equal_and_does_the_same(name, seed, scale, grey):
    plan = drawn(name, scale=scale, seed=seed, grey=grey)
    again = Plan.from_json(plan.to_json(), scale)
    assert again == plan
    assert hash(again) == hash(plan)
    assert again.to_json() == plan.to_json()
    assert (again.hr_size, again.scale, again.lr_size) == (SIZE, scale, (SIZE[0] // scale, SIZE[1] // scale))
    assert again.cleanup == (2 if name == "everything" else 1)
    picture = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    np.testing.assert_array_equal(apply(again, picture, **POOLS), apply(plan, picture, **POOLS))


def test_the_json_has_a_header_and_plain_steps():
    raw = json.loads(drawn("bicubic").to_json())
    assert raw == {
        "version": VERSION,
        "hr_size": [48, 72],
        "scale": 4,
        "cleanup": 1,
        "steps": [{"op": "resize", "method": "matlab_bicubic", "size": [12, 18], "integers": True}],
    }


def test_a_plan_is_a_value():
    plan = drawn("bicubic")
    with pytest.raises(FrozenInstanceError):
        plan.scale = 2
    with pytest.raises(FrozenInstanceError):
        plan.steps[0].method = "area"


# Before there was a header.


@pytest.mark.parametrize("name", RECIPES)
def test_a_list_of_steps_is_a_plan_of_version_0(name, hr):
    plan = drawn(name)
    text = json.dumps([step.to_json() for step in plan.steps])
    old = Plan.from_json(text, 4)
    assert (old.version, old.steps, old.scale, old.cleanup) == (0, plan.steps, 4, 1)
    assert old.hr_size == (SIZE if any(step.op == "resize" for step in plan.steps) else None)
    assert json.loads(old.to_json()) == json.loads(text)
    assert Plan.from_json(old.to_json(), 4) == old
    np.testing.assert_array_equal(apply(old, hr, **POOLS), apply(plan, hr, **POOLS))
    assert [step.op for step in old.steps if step.describe()] == [
        step.op for step in plan.steps if step.describe()
    ]
    with pytest.raises(PlanError, match="the scale is not known"):
        Plan.from_json(text)


# Damage.


def plans_of_all_steps():
    """Plans in which every step, every kernel and every law occurs."""
    return [drawn("everything", key=str(i), grey=i % 3 == 2) for i in range(24)] + [
        VIDEO.draw(0, "k", SIZE, 4),
        drawn("realsr"),
        drawn("realesrgan"),
    ]


def test_a_missing_entry_is_named():
    for plan in plans_of_all_steps():
        for number, step in enumerate(plan.steps):
            always = {name for name in step.to_json() if name not in ("border", "amount", "displaced")}
            for name in always - {"antialias", "integers", "subsampling"}:
                raw = json.loads(plan.to_json())
                del raw["steps"][number][name]
                with pytest.raises(PlanError) as error:
                    Plan.from_json(json.dumps(raw))
                assert re.search(
                    f"lacks '({name}|noise_y)'|unknown operation|a covariance goes", str(error.value)
                ), (step, name)


def test_an_entry_too_many_is_named():
    for plan in plans_of_all_steps():
        for number in range(len(plan.steps)):
            raw = json.loads(plan.to_json())
            raw["steps"][number]["sigmaa"] = 1
            with pytest.raises(PlanError, match="entry 'sigmaa' that is not known"):
                Plan.from_json(json.dumps(raw))


@pytest.mark.parametrize(
    "damage", [None, True, "", "x/?", -1e12, 10**400, 1e9, float("nan"), float("inf"), [], [1], {}, [[1]] * 9]
)
def test_another_type_or_number_is_refused(damage):
    """A name may be any text, so texts that are names stand apart."""
    seen = set()
    for plan in plans_of_all_steps():
        for number, step in enumerate(plan.steps):
            for name, value in step.to_json().items():
                free = isinstance(value, str) and name in (
                    "kernel",
                    "kernel_sha",
                    "noise",
                    "noise_sha",
                    "pool_sha",
                )
                if (
                    (type(step), name) in seen
                    or (free and damage == "x/?")
                    or (isinstance(value, bool) and damage is True)
                ):
                    continue
                seen.add((type(step), name))
                raw = json.loads(plan.to_json())
                raw["steps"][number][name] = damage
                with pytest.raises(PlanError) as error:
                    Plan.from_json(json.dumps(raw))
                assert len(str(error.value)) < 200
                assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 2 of a later realdeg"),
        ({"version": 0}, "version 0, but a whole number from 1 to 1"),
        ({"version": True}, "version True, but a whole number"),
        ({"version": None}, "version None"),
        ({"scale": 0}, "scale 0, but a whole number from 1 to 64"),
        ({"scale": 4.0}, r"scale 4.0, but a whole number"),
        ({"scale": 3}, "hr_size 140, 220 is no multiple of the scale 3"),
        ({"scale": 2}, "its last step gives 55x35 px, but LR is 110x70 px"),
        ({"cleanup": 0}, "cleanup 0, but a whole number from 1 to 16"),
        ({"cleanup": 17}, "cleanup 17"),
        ({"hr_size": None}, "hr_size None, but height and width are meant"),
        ({"hr_size": [140]}, "height and width are meant"),
        ({"hr_size": [140, -220]}, "hr_size -220, but a whole number"),
        ({"hr_size": [140, 224]}, "its last step gives 55x35 px, but LR is 56x35 px"),
        ({"steps": []}, "no list of steps"),
        ({"steps": {}}, "no list of steps"),
        ({"steps": [3]}, "no list of steps"),
        ({"colour": "red"}, "entry 'colour' that is not known"),
    ],
)
def test_a_damaged_header_is_refused(change, words):
    raw = {**json.loads(drawn("bicubic", size=(140, 220)).to_json()), **change}
    with pytest.raises(PlanError, match=words):
        Plan.from_json(json.dumps(raw))


@pytest.mark.parametrize("name", ["version", "hr_size", "scale", "cleanup", "steps"])
def test_a_header_that_lacks_a_part_is_refused(name):
    raw = json.loads(drawn("bicubic").to_json())
    del raw[name]
    with pytest.raises(PlanError, match=f"lacks '{name}'"):
        Plan.from_json(json.dumps(raw))


@pytest.mark.parametrize(
    "text", ["", "{", "3", "null", '"a"', "[" * 60_000, '{"a":' * 5_000, "[1e999]", b"\xff"]
)
def test_what_is_no_plan_is_refused(text):
    with pytest.raises(PlanError):
        Plan.from_json(text, 4)


@pytest.mark.parametrize("name", ["sigma", "sigma_y", "beta", "cutoff", "length", "radius", "size", "factor"])
def test_a_kernel_of_no_size_is_refused(name):
    text = next(text for text in map(Plan.to_json, plans_of_all_kernels()) if f'"{name}":' in text)
    raw = json.loads(text)
    step = next(step for step in raw["steps"] if name in step and step["op"] in ("blur", "reduce"))
    step[name] = 0
    with pytest.raises(PlanError, match=f"{step['op']}: {name} 0, but at least"):
        Plan.from_json(json.dumps(raw))


def plans_of_all_kernels():
    kinds = '["plateau_anisotropic", "sinc", "motion", "defocus"]'
    recipe = from_text(f'[[steps]]\nop="blur"\nkind={kinds}\n[[steps]]\nop="reduce"', "kernels")
    return [recipe.draw(0, str(i), SIZE, 4) for i in range(40)]


def test_the_plan_and_its_pair_have_one_scale():
    with pytest.raises(PlanError, match="scale 4, but the pair is x2"):
        Plan.from_json(drawn("bicubic").to_json(), 2)


# At the border.


def test_hr_of_another_size_is_refused():
    plan = read_recipe("samsung").draw(0, "k", (280, 420), 4)
    for size in ((101, 97), (420, 280), (284, 420)):
        with pytest.raises(UserError) as error:
            apply(plan, np.zeros((*size, 3), np.uint8))
        assert f"HR: is {size[1]}x{size[0]} px, but the plan was drawn for HR of 420x280 px" in str(
            error.value
        )
    assert apply(plan, np.zeros((280, 420, 3), np.uint8)).shape == (70, 105, 3)


@pytest.mark.parametrize("size", [(101, 97), (101, 96), (100, 97), (3, 4), (4, 0)])
def test_a_plan_for_no_multiple_of_the_scale_is_refused(size):
    with pytest.raises(UserError, match=r"is no multiple of the scale 4; cut it by prepare_hr or mod_crop"):
        read_recipe("bicubic").draw(0, "k", size, 4)
    assert read_recipe("bicubic").draw(0, "k", [8, 12], 4) == read_recipe("bicubic").draw(0, "k", (8, 12), 4)
    cut = mod_crop(np.zeros((101, 97, 3), np.uint8), 4)
    assert apply(read_recipe("bicubic").draw(0, "k", cut.shape[:2], 4), cut).shape == (25, 24, 3)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((48, 72, 3), np.float32),
        np.zeros((48, 72, 3), np.int64),
        np.zeros((48, 72), np.uint8),
        np.zeros((48, 72, 4), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(array):
    with pytest.raises(UserError, match=r"is an array of .*; give \(H, W, 3\) RGB of uint8 or uint16"):
        apply(drawn("bicubic"), array)


# HR of a source.


def test_clean_up_is_matlabs_bicubic_then_the_cut(photos):
    source = photos[0][:97, :103]
    whole = resize(source, 0.5)
    np.testing.assert_array_equal(
        prepare_hr(source, 4, 2), whole[: whole.shape[0] // 4 * 4, : whole.shape[1] // 4 * 4]
    )
    np.testing.assert_array_equal(prepare_hr(source, 4), source[:96, :100])
    with pytest.raises(UserError, match="is 2x2 px after a clean-up by 2, too small for x4"):
        prepare_hr(source[:4, :4], 4, 2)


def test_a_recipe_on_an_image_is_prepare_draw_and_apply(photos):
    recipe = Recipe.load("samsung").cleaned_up(2)
    source = photos[0][:75, :103]
    pair = recipe(source, seed=3, key="a", scale=4)
    np.testing.assert_array_equal(pair.hr, prepare_hr(source, 4, 2))
    assert pair.plan == recipe.draw(3, "a", pair.hr.shape[:2], 4)
    assert pair.plan.cleanup == 2
    lr, plan = recipe(source, seed=3, key="a", scale=4)
    np.testing.assert_array_equal(lr, apply(plan, pair.hr))
    assert lr.shape == (9, 12, 3)
    with pytest.raises(UserError, match="its source reduced by 2"):
        apply(plan, source)


def test_a_recipe_file_is_loaded_by_its_path(tmp_path):
    (tmp_path / "mine.toml").write_text('[[steps]]\nop = "resize"')
    assert Recipe.load(tmp_path / "mine.toml").name == "mine"
    with pytest.raises(UserError, match="did you mean 'samsung'"):
        Recipe.load("samsun")


# The same seed, the same bytes: steps and LR of version 0, before plans were values (tests/golden/README.md).


@pytest.mark.parametrize("name", PRESETS)
def test_a_seed_gives_the_steps_and_bytes_that_it_gave(golden, name):
    """Codecs and photons by a level, since their libraries and the processor's last bits may be others."""
    z = np.load(golden / "plans.npz")
    plan = drawn(name, seed=7)
    assert json.dumps([step.to_json() for step in plan.steps]) == str(z[f"{name}_steps"])
    lr = apply(plan, z["hr"], **POOLS)
    if any(step.op in ("codec", "noise") for step in plan.steps):
        assert np.mean(np.abs(lr.astype(int) - z[name]) > 1) < 0.01
    else:
        np.testing.assert_array_equal(lr, z[name])
    np.testing.assert_array_equal(apply(Plan.from_json(str(z[f"{name}_steps"]), 4), z["hr"], **POOLS), lr)


def test_replacing_a_step_makes_another_plan():
    plan = drawn("bicubic")
    other = replace(plan, steps=(replace(plan.steps[0], integers=False),))
    assert other != plan
    assert Plan.from_json(other.to_json()) == other
