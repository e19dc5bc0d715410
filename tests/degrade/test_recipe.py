"""Truth: the ranges and probabilities of the papers and of the authors' code; what a message has to name.

Samsung-SLSI-MSL, NTIRE 2020 slides; BSRGAN: KAIR's utils_blindsr.py (fc1732f); Real-ESRGAN: train_realesrgan_x4plus.yml
(0.3.0) with realesrgan_dataset.py and realesrgan_model.py.
"""

import math
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from realdeg.degrade.apply.image import apply
from realdeg.degrade.folder import degrade_folder
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.recipe.recipe import from_text, read_recipe
from realdeg.degrade.settings import DegradeSettings
from realdeg.errors import UserError
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

HR = (1200, 1920)  # large, so that no two sizes are equal by chance; a multiple of 2, 3, 4 and 8
PLANS = 400
STEPS = "[[steps]]\n"
RESIZE = STEPS + 'op = "resize"\n'


@pytest.fixture(scope="module")
def pools(kernel_arrays, noise_arrays):
    return {
        "kernels": KernelPool(tuple(kernel_arrays), tuple(kernel_arrays.values())),
        "noises": NoisePool(tuple(noise_arrays), tuple(noise_arrays.values())),
    }


@pytest.fixture(scope="module")
def plans(pools):
    """PLANS plans of a preset, drawn once."""
    made = {}

    def of(name, scale=4, count=PLANS):
        if (name, scale) not in made:
            recipe = read_recipe(name)
            made[name, scale] = [steps_of(recipe, 1, f"key {i}", HR, scale, **pools) for i in range(count)]
        return made[name, scale]

    return of


def steps_of(recipe, *arguments, **more):
    """Steps as the manifest has them."""
    return [step.to_json() for step in recipe.draw(*arguments, **more).steps]


def lr_size(scale):
    return [HR[0] // scale, HR[1] // scale]


def often(count, share, total=PLANS):
    """Five standard deviations of a binomial."""
    assert abs(count - share * total) <= 5 * math.sqrt(total * share * (1 - share)) + 1e-9, (
        count,
        share,
        total,
    )


def inside(values, low, high):
    """Between the ends, and near both of them where there are many."""
    values = [float(one) for one in values]
    assert low - 1e-6 <= min(values)
    assert max(values) <= high + 1e-6
    if len(values) >= 100:
        assert min(values) < low + 0.1 * (high - low)
        assert max(values) > high - 0.1 * (high - low)


def whole(values, low, high):
    inside(values, low, high)
    assert all(type(one) is int or float(one).is_integer() for one in values)


def each(plans, op, **wanted):
    return [
        s for plan in plans for s in plan if s["op"] == op and all(s.get(k) == v for k, v in wanted.items())
    ]


def sizes(plan, size=HR):
    """(step, size before, size after) of a plan."""
    made = []
    for step in plan:
        before = list(size)
        if step["op"] == "resize":
            size = step["size"]
        elif step["op"] == "reduce":
            size = [n // step["factor"] for n in size]
        made.append((step, before, list(size)))
    return made


# What presets draw.


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("name", PRESETS)
def test_plans_end_at_lrs_size(plans, name, scale):
    for plan in plans(name, scale, PLANS if scale == 4 else 40):
        assert sizes(plan)[-1][2] == lr_size(scale)
        assert all(min(after) >= 1 for _, _, after in sizes(plan))


def test_bicubic_draws_nothing(plans):
    step = {"op": "resize", "method": "matlab_bicubic", "size": lr_size(4), "integers": True}
    assert all(plan == [step] for plan in plans("bicubic"))


def test_realsr_draws_a_kernel_and_a_window_of_noise(plans, pools):
    for name, first in (("realsr", "reduce"), ("bicubic_noise", "resize")):
        drawn = plans(name)
        assert all([step["op"] for step in plan] == [first, "inject"] for plan in drawn)
        for patch, count in Counter(step["noise"] for step in each(drawn, "inject")).items():
            assert patch in pools["noises"].names
            often(count, 1 / 3)
    reduced = each(plans("realsr"), "reduce", kind="pool", factor=4)
    assert len(reduced) == PLANS
    for count in Counter(step["kernel"] for step in reduced).values():
        often(count, 1 / 12)
    assert np.abs([step["kernel_moved"] for step in reduced]).max() <= 0.5


def test_mild_is_one_blur_then_sometimes_noise_and_jpeg(plans):
    drawn = plans("mild")
    often(len(each(drawn, "resize", method="matlab_bicubic")), 0.25)
    often(len(each(drawn, "noise")), 0.5)
    often(len(each(drawn, "codec", format="jpeg")), 0.5)
    assert {tuple(step["op"] for step in plan[1:]) for plan in drawn} == {
        (),
        ("noise",),
        ("codec",),
        ("noise", "codec"),
    }
    for name in ("sigma", "sigma_y"):
        inside([step[name] for step in each(drawn, "reduce", factor=4)], 0.8, 2.8)
    inside([step["sigma_8bit"] for step in each(drawn, "noise") if step["channels"] != "correlated"], 0, 4)
    whole([step["quality"] for step in each(drawn, "codec")], 70, 98)


def test_windows_of_noise_lie_in_their_patch(pools):
    recipe = read_recipe("bicubic_noise")
    found = []
    for i in range(300):
        step = steps_of(recipe, 0, str(i), (80, 120), 4, noises=pools["noises"])[-1]
        patch = pools["noises"].patches[pools["noises"].names.index(step["noise"])]
        mirrored = patch.shape[0] < 20 or patch.shape[1] < 30
        assert step["noise_mirrored"] == mirrored
        assert 0 <= step["noise_y"] <= max(0, patch.shape[0] - 20)
        assert 0 <= step["noise_x"] <= max(0, patch.shape[1] - 30)
        if step["noise"] == "large":
            found.append((step["noise_y"], step["noise_x"]))
    inside([y for y, _ in found], 0, 40)
    inside([x for _, x in found], 0, 40)


def test_samsung(plans):
    drawn = plans("samsung")
    methods = Counter("nearest" if each([p], "reduce") else each([p], "resize")[0]["method"] for p in drawn)
    assert set(methods) == {"nearest", "bilinear", "matlab_bicubic", "lanczos"}
    for count in methods.values():
        often(count, 1 / 4)
    blurs = each(drawn, "blur") + each(drawn, "reduce")
    assert len(blurs) == PLANS
    assert {(step["kind"], step["size"]) for step in blurs} == {("isotropic", 15)}
    inside([step["sigma"] for step in blurs], 0.2, 3)
    laws = Counter(tuple(step["law"] for step in each([plan], "noise")) for plan in drawn)
    assert set(laws) == {("gaussian",), ("poisson",), ("gaussian", "poisson")}
    inside([step["sigma_8bit"] for step in each(drawn, "noise", law="gaussian")], 0, 5)
    inside([step["photons"] for step in each(drawn, "noise", law="poisson")], 50, 150)


def bsrgans_blurs(blurs, s):
    often(sum(step["kind"] == "anisotropic" for step in blurs), 1 / 2, len(blurs))
    assert {step["size"] for step in blurs} == set(range(7, 26, 2))
    assert {step["border"] for step in blurs} == {"reflect"}
    for step in blurs:
        assert step["kind"] in ("isotropic", "anisotropic")
    oblong = [step for step in blurs if step["kind"] == "anisotropic"]
    inside([step[axis] ** 2 for step in oblong for axis in ("sigma", "sigma_y")], 0, 4 + s)
    inside([step["angle"] for step in oblong], 0, 180)
    inside([step["sigma"] for step in blurs if step["kind"] == "isotropic"], 0, 2 + 0.2 * s)


def bsrgans_gaussian(noises, share=1.0):
    channels = Counter(step["channels"] for step in noises)
    for name, probability in (("grey", 0.4), ("correlated", 0.2), ("colour", 0.4)):
        often(channels[name], probability, len(noises))
    whole([step["sigma_8bit"] for step in noises if "sigma_8bit" in step], 2, 25)
    for step in noises:
        if step["channels"] == "correlated":
            covariance = np.reshape(step["covariance"], (3, 3))
            assert np.linalg.eigvalsh(covariance).min() > -1e-2
            assert 0 <= np.diag(covariance).min() <= np.diag(covariance).max() <= 25**2


def halved(plan, scale=4):
    """Whether BSRGAN's first step at x4, a reduction by two, was drawn."""
    return scale == 4 and plan[0]["op"] == "resize" and plan[0]["size"] == [HR[0] // 2, HR[1] // 2]


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_bsrgan(plans, scale):
    drawn = plans("bsrgan", scale, PLANS if scale == 4 else 40)
    first = [plan for plan in drawn if halved(plan, scale)]
    if scale == 4:
        often(len(first), 0.25)
        methods = Counter(plan[0]["method"] for plan in first)
        often(methods["matlab_bicubic"], 0.5, len(first))
        assert set(methods) == {"matlab_bicubic", "bilinear", "bicubic", "area"}
    else:
        assert not first
    for group, s in ((first, 2.0), ([plan for plan in drawn if not halved(plan, scale)], float(scale))):
        if len(group) < 50:
            continue
        bsrgans_blurs(each(group, "blur"), s)
        counts = Counter(len(each([plan], "codec")) for plan in group)
        often(counts[2], 0.9, len(group))
        assert set(counts) <= {1, 2}
        factors, kernels = [], []
        for plan in group:
            assert len(each([plan], "blur")) == 2
            assert len(each([plan], "noise")) == 1
            assert plan[-1]["op"] == "codec"
            changes = [
                one
                for one in sizes(
                    plan[1:] if halved(plan, scale) else plan, plan[0]["size"] if halved(plan, scale) else HR
                )
            ]
            changes = [one for one in changes if one[1] != one[2]]
            if changes[0][0]["op"] == "reduce":
                kernels.append(changes[0][0])
                assert len(changes) == 1
            else:
                factors.append(changes[0][2][0] / changes[0][1][0])
                assert len(changes) <= 2
        often(len(kernels), 0.25, len(group))
        inside([1 / factor for factor in factors], 1, 2 * s * 1.01)  # sizes are whole: a percent
        assert {step["size"] for step in kernels} == {25}
        inside([step["sigma"] for step in kernels], 0.1, 0.6 * s)
    bsrgans_gaussian(each(drawn, "noise"))
    whole([step["quality"] for step in each(drawn, "codec")], 30, 95)
    assert {step["subsampling"] for step in each(drawn, "codec")} == {"420"}
    for step in each(drawn, "resize"):
        if step["method"] != "matlab_bicubic":
            assert (step.get("antialias", True), step["border"]) == (step["method"] == "area", "replicate")


def test_bsrgans_order_is_random(plans):
    """Of the steps between the first and the last: each comes before each other one half of the time."""
    orders = []
    for plan in plans("bsrgan"):
        places = {}
        for place, (step, _, after) in enumerate(sizes(plan[1:-1] if halved(plan) else plan[:-1])):
            if step["op"] in ("noise", "codec"):
                places[step["op"]] = place
            elif step["op"] in ("reduce", "resize") and after == lr_size(4):
                places["size"] = place
        orders.append(places)
    both = [one for one in orders if {"noise", "codec"} <= set(one)]
    often(sum(one["noise"] < one["codec"] for one in both), 0.5, len(both))
    both = [one for one in orders if {"noise", "size"} <= set(one)]
    # LR's size comes last of two in 3 of 4, first and only in 1 of 4: noise is before it in 2/3 and 1/2.
    often(sum(one["noise"] < one["size"] for one in both), 0.75 * 2 / 3 + 0.25 / 2, len(both))


def test_bsrgan_plus(plans):
    drawn = plans("bsrgan_plus")
    bsrgans_blurs(each(drawn, "blur"), 4)
    assert len(each(drawn, "blur")) == 2 * PLANS
    bsrgans_gaussian(each(drawn, "noise", law="gaussian"))
    assert len(each(drawn, "noise", law="gaussian")) == 2 * PLANS
    poisson, speckle = (each(drawn, "noise", law=law) for law in ("poisson", "speckle"))
    often(len(poisson), 0.1, 2 * PLANS)
    often(len(speckle), 0.1, 2 * PLANS)
    inside(np.log10([step["photons"] for step in poisson]), 2, 4)
    often(sum(step["channels"] == "grey" for step in poisson), 0.5, len(poisson))
    whole([step["sigma_8bit"] for step in speckle if "sigma_8bit" in step], 2, 25)
    assert len(each(drawn, "codec")) == 2 * PLANS
    whole([step["quality"] for step in each(drawn, "codec")], 30, 95)
    factors = []
    for plan in drawn:
        assert plan[-1]["op"] == "codec"
        changes = [after[0] / before[0] for step, before, after in sizes(plan) if step["op"] == "resize"]
        factors += changes[:-1]
    often(sum(one > 1 for one in factors), 0.2, 2 * PLANS)
    often(sum(one < 1 for one in factors), 0.7, 2 * PLANS)
    inside(factors, 0.5 / 4 - 0.001, 2)
    # Half of the plans keep the order blur, resize, noise, JPEG, blur ...
    ordered = [plan[0]["op"] == "blur" and first_codec(plan) == "in between" for plan in drawn]
    assert 0.5 < np.mean(ordered) < 0.65


def first_codec(plan):
    """ "in between" where the first JPEG follows all noise of one pass and precedes the second blur."""
    ops = [step["op"] for step in plan]
    place = ops.index("codec")
    clean = ops[:place].count("blur") == 1 and "noise" in ops[:place]
    return (
        "in between" if clean and ops[place:].count("blur") == 1 and "noise" in ops[place:] else "elsewhere"
    )


KINDS = {
    "sinc": 0.1,
    "isotropic": 0.9 * 0.45,
    "anisotropic": 0.9 * 0.25,
    "generalised_isotropic": 0.9 * 0.12,
    "generalised_anisotropic": 0.9 * 0.03,
    "plateau_isotropic": 0.9 * 0.12,
    "plateau_anisotropic": 0.9 * 0.03,
}


def real_esrgans_blurs(blurs, sigma):
    kinds = Counter(step["kind"] for step in blurs)
    assert set(kinds) <= set(KINDS)
    for kind, share in KINDS.items():
        often(kinds[kind], share, len(blurs))
    for count in Counter(step["size"] for step in blurs).values():
        often(count, 1 / 8, len(blurs))
    assert {step["size"] for step in blurs} == set(range(7, 22, 2))
    inside([step["sigma"] for step in blurs if "sigma" in step], 0.2, sigma)
    inside([step["sigma_y"] for step in blurs if "sigma_y" in step] * 2, 0.2, sigma)
    inside([step["angle"] for step in blurs if "angle" in step], -180, 180)
    general = [step["beta"] for step in blurs if step["kind"].startswith("generalised")]
    inside(general, 0.5, 4)
    often(sum(beta < 1 for beta in general), 0.5, len(general))
    inside([step["beta"] for step in blurs if step["kind"].startswith("plateau")], 1, 2)
    small = [step["cutoff"] for step in blurs if step["kind"] == "sinc" and step["size"] < 13]
    large = [step["cutoff"] for step in blurs if step["kind"] == "sinc" and step["size"] >= 13]
    inside(small, math.pi / 3, math.pi)
    inside(large, math.pi / 5, math.pi)


def test_real_esrgan(plans):
    drawn = plans("realesrgan")
    passes = {"first": [], "second": [], "last": []}
    for plan in drawn:
        assert plan[0] == {"op": "sharpen", "weight": 0.5, "radius": 51, "threshold": 10, "border": "reflect"}
        steps = [one for one in sizes(plan) if one[0]["op"] != "clip"]
        ends = [place for place, one in enumerate(steps) if one[0]["op"] == "noise"]
        assert len(ends) == 2
        passes["first"].append(steps[1 : ends[0] + 2])  # blur, resize, noise, JPEG
        passes["second"].append(steps[ends[0] + 2 : ends[1] + 1])
        passes["last"].append(steps[ends[1] + 1 :])
    ops = {name: [[one[0]["op"] for one in part] for part in parts] for name, parts in passes.items()}
    flat = {name: [one[0] for part in parts for one in part] for name, parts in passes.items()}
    # First pass.
    assert all(one[0] == "blur" and one[-2:] == ["noise", "codec"] for one in ops["first"])
    real_esrgans_blurs(each([flat["first"]], "blur"), 3)
    factors = [part[1][2][0] / part[1][1][0] for part in passes["first"]]  # 1 where nothing was resized
    often(sum(one > 1 for one in factors), 0.2)
    often(sum(one < 1 for one in factors), 0.7)
    inside(factors, 0.15 - 0.001, 1.5)
    real_esrgans_noise(each([flat["first"]], "noise"), 30, 3)
    # Second pass.
    blurs = each([flat["second"]], "blur")
    often(len(blurs), 0.8)
    real_esrgans_blurs(blurs, 1.5)
    factors = [part[-1][1][0] / lr_size(4)[0] for part in passes["second"]]
    same = [before for part in passes["second"] for step, before, after in part if step["op"] == "resize"]
    often(sum(one > 1 for one in factors), 0.3)
    often(sum(one < 1 for one in factors), 0.4)
    inside(factors, 0.3 - 0.002, 1.2)
    assert len(same) > 0.6 * PLANS
    real_esrgans_noise(each([flat["second"]], "noise"), 25, 2.5)
    # The end: resize and sinc, or JPEG, first.
    often(sum(one[-1] == "codec" for one in ops["last"]), 0.5)
    rings = each([flat["last"]], "blur")
    often(len(rings), 0.8)
    assert {step["kind"] for step in rings} == {"sinc"}
    inside([step["cutoff"] for step in rings], math.pi / 3, math.pi)
    assert {step["size"] for step in rings} == set(range(7, 22, 2))
    whole([step["quality"] for step in each(drawn, "codec")], 30, 95)
    assert len(each(drawn, "codec")) == 2 * PLANS
    for count in Counter(step["method"] for step in each(drawn, "resize")).values():
        often(count, 1 / 3, len(each(drawn, "resize")))
    assert all(step["border"] == "replicate" for step in each(drawn, "resize"))


def real_esrgans_noise(noises, sigma, amount):
    gaussian = [step for step in noises if step["law"] == "gaussian"]
    poisson = [step for step in noises if step["law"] == "poisson"]
    often(len(gaussian), 0.5, len(noises))
    assert len(gaussian) + len(poisson) == PLANS
    inside([step["sigma_8bit"] for step in gaussian], 1, sigma)
    inside([step.get("amount", 1) for step in poisson], 0.05, amount)
    assert {step["photons"] for step in poisson} == {"levels"}
    often(sum(step["channels"] == "grey" for step in noises), 0.4, len(noises))


# Draws: a function of the arguments alone.


@pytest.mark.parametrize("name", PRESETS)
def test_same_arguments_same_plan(plans, pools, name):
    recipe = read_recipe(name)
    for i in (0, 7):
        assert steps_of(recipe, 1, f"key {i}", HR, 4, **pools) == plans(name)[i]
    if name != "bicubic":
        assert steps_of(recipe, 1, "key 0", HR, 4, **pools) != steps_of(recipe, 1, "key 1", HR, 4, **pools)
        assert steps_of(recipe, 1, "key 0", HR, 4, **pools) != steps_of(recipe, 2, "key 0", HR, 4, **pools)
    few = (
        "bicubic",
        "bicubic_noise",
        "realsr",
        "mild",
    )  # no more draws than their pools have entries; plain LR
    if name not in few:
        assert len({repr(plan) for plan in plans(name)}) == PLANS
    noisy = [step["key"] for plan in plans(name) for step in plan if step["op"] == "noise"]
    assert len(set(noisy)) == len(noisy)  # no field twice
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in noisy)


@pytest.mark.parametrize(
    "name", [name for name in PRESETS if name not in ("bicubic", "bicubic_noise", "realsr")]
)
def test_another_step_leaves_the_others_draws(plans, name):
    """A camera before all else; steps are told apart by their names and kinds, not by their places."""
    text = read_recipe(name).text.replace(STEPS, f'{STEPS}op = "camera"\n\n{STEPS}', 1)
    more = from_text(text, name)
    for i in range(20):
        plan = steps_of(more, 1, f"key {i}", HR, 4)
        assert plan[0]["op"] == "camera"
        assert plan[1:] == plans(name)[i]


def test_a_named_step_may_move():
    steps = ['[[steps]]\nop="blur"\nname="soft"\n', '[[steps]]\nop="blur"\nname="hard"\nkind="sinc"\n']
    one, other = (from_text("".join(order) + RESIZE, "x") for order in (steps, steps[::-1]))
    first, second = (steps_of(recipe, 0, "k", HR, 4) for recipe in (one, other))
    assert first[:2] == second[:2][::-1]


def structure(plan):
    names = ("op", "size", "factor", "method", "antialias", "law", "format", "border", "radius")
    return [{n: s[n] for n in names if n in s and not (n == "size" and s["op"] != "resize")} for s in plan]


@pytest.mark.parametrize("name", PRESETS)
def test_a_group_shares_order_and_sizes(pools, name):
    recipe = read_recipe(name)
    for group in ("batch 1", "batch 2"):
        plans = [steps_of(recipe, 0, f"{i}", HR, 4, group=group, **pools) for i in range(8)]
        assert all(structure(plan) == structure(plans[0]) for plan in plans)
        if name not in ("bicubic", "bicubic_noise"):
            assert len({repr(plan) for plan in plans}) == 8
    if name in ("bsrgan", "bsrgan_plus", "realesrgan"):
        both = [steps_of(recipe, 0, "0", HR, 4, group=group, **pools) for group in ("batch 1", "batch 2")]
        assert structure(both[0]) != structure(both[1])
        alone = [structure(steps_of(recipe, 0, f"{i}", HR, 4, **pools)) for i in range(8)]
        assert any(one != alone[0] for one in alone)


def test_a_plan_is_plain_json(plans):
    import json

    for name in PRESETS:
        for plan in plans(name)[:20]:
            assert json.loads(json.dumps(plan)) == plan


def test_scales_and_rescaling():
    """BSRGAN's first halving: at x4 only, and s is 2 after it."""
    text = """
    [[steps]]
    op = "resize"
    factor = 0.5
    rescale = true
    scales = [4, 8]
    [[steps]]
    op = "blur"
    sigma = "s"
    [[steps]]
    op = "resize"
    """
    recipe = from_text(text, "x")
    for scale, left in ((2, 2), (3, 3), (4, 2), (8, 4)):
        plan = steps_of(recipe, 0, "k", HR, scale)
        assert each([plan], "blur")[0]["sigma"] == left
        assert len(each([plan], "resize")) == (2 if scale in (4, 8) else 1)


def test_shuffles_keep_the_order_that_they_are_told():
    """Three kept among five: their order is always the same, their places are not."""
    ops = [
        f'{{ op = "blur", name = "{name}", length = {i + 1}, kind = "motion" }}'
        for i, name in enumerate("abcde")
    ]
    text = f'[[steps]]\nop = "shuffle"\nkeep_order = ["d", "a", "c"]\nsteps = [{", ".join(ops)}]\n' + RESIZE
    recipe = from_text(text, "x")
    orders = Counter()
    for i in range(600):
        order = "".join("abcde"[int(step["length"]) - 1] for step in steps_of(recipe, 0, str(i), HR, 4)[:-1])
        assert sorted(order) == list("abcde")
        assert [one for one in order if one in "dac"] == list("dac")
        orders[order] += 1
    assert len(orders) == 20  # 5! / 3!
    for count in orders.values():
        often(count, 1 / 20, 600)


def test_probabilities():
    text = f'[[steps]]\nop = "blur"\nprob = "1 / s"\n{RESIZE}'
    recipe = from_text(text, "x")
    for scale in (2, 4):
        plans = [steps_of(recipe, 0, str(i), HR, scale) for i in range(400)]
        often(len(each(plans, "blur")), 1 / scale)
    never, always = (from_text(text.replace('"1 / s"', value), "x") for value in ("0", "1"))
    assert not each([steps_of(never, 0, str(i), HR, 4) for i in range(50)], "blur")
    assert len(each([steps_of(always, 0, str(i), HR, 4) for i in range(50)], "blur")) == 50


# Linear light, grey, clean-up.

LINEAR = """
colour = "linear"
[[steps]]
op = "sharpen"
[[steps]]
op = "blur"
[[steps]]
op = "codec"
[[steps]]
op = "resize"
[[steps]]
op = "noise"
law = "gaussian_poisson"
clip = true
[[steps]]
op = "inject"
[[steps]]
op = "noise"
"""


def test_linear_light_is_entered_and_left(pools):
    plan = steps_of(from_text(LINEAR, "x"), 0, "k", HR, 4, **pools)
    told = [step.get("to", step["op"]) for step in plan]
    middle = ["resize", "noise", "noise", "clip"]
    assert told == [
        *("sharpen", "linear", "blur", "gamma", "codec", "linear"),
        *(*middle, "gamma", "inject", "linear", "noise", "gamma"),
    ]
    again = steps_of(from_text(LINEAR.replace("linear", "gamma"), "x"), 0, "k", HR, 4, **pools)
    assert again == [step for step in plan if step["op"] != "light"]


@pytest.mark.parametrize("text", [*PRESETS, LINEAR])
def test_grey_stays_grey(photos, pools, text):
    """An image without colours gives LR without colours, also where the noise of the pool has some."""
    recipe = read_recipe(text) if text in PRESETS else from_text(text, "x")
    hr = np.repeat(photos[0][..., 1:2], 3, axis=2)
    for i in range(6):
        whole = recipe.draw(0, str(i), hr.shape[:2], 4, grey=True, **pools)
        plan, lr = [step.to_json() for step in whole.steps], apply(whole, hr, **pools)
        np.testing.assert_array_equal(lr, np.repeat(lr[..., :1], 3, axis=2))
        assert {step["channels"] for step in each([plan], "noise")} <= {"grey"}
        assert lr.std() > 1


def test_clean_up_reduces_hr_first(independent, photos, tmp_path):
    """HR on disk is the source by MATLAB's bicubic, rounded after each axis; LR is made of it."""
    source = photos[0][:70, :94]
    (tmp_path / "hr").mkdir()
    Image.fromarray(source).save(tmp_path / "hr" / "a.png")
    (tmp_path / "clean.toml").write_text(f"[hr]\ncleanup = 2\n{RESIZE}integers = true\n")
    settings = DegradeSettings(4, recipe=str(tmp_path / "clean.toml"))
    assert degrade_folder(tmp_path / "hr", tmp_path / "out", settings).count("ok") == 1
    half = {"op": "resize", "method": "matlab_bicubic", "size": [35, 47], "integers": True}
    expected = np.rint(independent.once(source / 255, half) * 255)[:32, :44]
    hr, lr = (np.asarray(Image.open(tmp_path / "out" / side / "a.png")) for side in ("HR", "LR"))
    np.testing.assert_array_equal(hr, expected)
    quarter = {**half, "size": [8, 11]}
    np.testing.assert_array_equal(lr, np.rint(independent.once(hr / 255, quarter) * 255))


# What is wrong is named, with what is meant.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "steps: a list of operations is meant"),
        ("steps = 3", "steps: a list of operations"),
        ("steps = []", "steps: a list of operations"),
        ("steps = [3]", r"steps\[0\]: a table with `op`"),
        ('[[step]]\nop = "resize"', "unknown key 'step'; did you mean 'steps'"),
        ('color = "linear"\n' + RESIZE, "unknown key 'color'; did you mean 'colour'"),
        ('colour = "linaer"\n' + RESIZE, "colour 'linaer' is unknown; did you mean 'linear'"),
        ("colour = 3\n" + RESIZE, "colour 3 is unknown"),
        ('border = "reflct"\n' + RESIZE, "border 'reflct' is unknown; did you mean 'reflect'"),
        ("name = 3\n" + RESIZE, "name: text is meant"),
        ('[hr]\ncleanup = "2"\n' + RESIZE, "hr.cleanup '2': a whole number from 1 to 16"),
        ("[hr]\ncleanup = 1.5\n" + RESIZE, "hr.cleanup 1.5"),
        ("[hr]\ncleanup = true\n" + RESIZE, "hr.cleanup True"),
        ("[hr]\ncleanup = 0\n" + RESIZE, "hr.cleanup 0"),
        ("[hr]\nclean = 2\n" + RESIZE, "has one key, cleanup"),
        ("hr = 2\n" + RESIZE, "has one key, cleanup"),
        (STEPS + 'op = "blurr"', r"steps\[0\].op: 'blurr' is unknown; did you mean 'blur'"),
        (STEPS + 'op = ["blur"]', r"steps\[0\].op"),
        (STEPS + "op = 3", r"steps\[0\].op: 3 is unknown"),
        (RESIZE + STEPS + 'op = "blur"\nsigmaa = 1', r"steps\[1\] \(blur\): unknown setting 'sigmaa'; did you mean"),
        (STEPS + 'op = "blur"\nkind = "isotropc"', r"\(blur\).kind: 'isotropc' is unknown; did you mean 'isotropic'"),
        (STEPS + 'op = "blur"\nkind = { isotropic = 1, sincc = 1 }', "did you mean 'sinc'"),
        (STEPS + 'op = "blur"\nkind = { isotropic = "much" }', r"\(blur\).kind: 1 weights"),
        (STEPS + 'op = "blur"\nsigma = { sqr = [0, 1] }', r"\(blur\).sigma: 'sqr' is unknown; did you mean 'sqrt'"),
        (STEPS + 'op = "blur"\nsigma = "t + 1"', r"\(blur\).sigma: 't': only numbers, s"),
        (STEPS + 'op = "blur"\nsigma = true', r"\(blur\).sigma: a number is meant"),
        (STEPS + 'op = "blur"\nsigma = [1]', r"\(blur\).sigma: \[1\]: a range is \[low, high\]"),
        (STEPS + 'op = "blur"\nscales = 4', r"\(blur\).scales: 4: a list of whole numbers"),
        (STEPS + 'op = "blur"\nname = "a/b"', r"\(blur\).name: 'a/b': a word without"),
        (STEPS + 'op = "resize"\nclip = 1', r"\(resize\).clip: 1: true or false is meant"),
        (STEPS + 'op = "resize"\nmethod = "bicubicc"', "did you mean 'bicubic'"),
        (STEPS + 'op = "tone"\nlevels = 5', r"\(tone\).levels: 5: a list of numbers is meant"),
        (STEPS + 'op = "tone"\nlevels = [1, true]', "a list of numbers is meant"),
        (STEPS + 'op = "tone"\nlevels = [1, nan]', "a list of numbers is meant"),
        (STEPS + 'op = "inject"\nmatch = "levels"', "did you mean 'level'"),
        (STEPS + 'op = "noise"\nphotons = "level"', r"\(noise\).photons: 'level'"),
        (STEPS + 'op = "one_of"', r"\(one_of\).branches: a list of lists"),
        (STEPS + 'op = "one_of"\nbranches = [{ op = "blur" }]', r"branches\[0\]: a list of operations"),
        (STEPS + 'op = "one_of"\nbranches = [[{ op = "blr" }]]', r"branches\[0\]\[0\].op: 'blr'.*did you mean 'blur'"),
        (STEPS + 'op = "one_of"\nbranches = [[{ op = "blur" }]]\nweights = [1, 2]', "weights: 1 weights"),
        (STEPS + 'op = "one_of"\nbranches = [[{ op = "blur" }]]\nweight = [1]', "'weight'; did you mean 'weights'"),
        (STEPS + 'op = "shuffle"\nsteps = []', r"\(shuffle\).steps: a list of operations"),
        (STEPS + 'op = "shuffle"\nsteps = [{ op = "blur" }]\nkeep_ordr = ["a"]', "did you mean 'keep_order'"),
        (STEPS + 'op = "shuffle"\nsteps = [{ op = "blur" }]\nkeep_order = "a"', "keep_order: a list of names"),
        (STEPS + 'use = "blurs"\n[define]\nblur = [{ op = "blur" }]', "'blurs' is not defined; did you mean 'blur'"),
        (STEPS + 'use = "blur"', "'blur' is not defined"),
        (STEPS + 'use = ["blur"]\n[define]\nblur = [{ op = "blur" }]', "is not defined"),
        (STEPS + 'use = "a"\n[define]\na = "blur"', "define.a: a list of operations"),
        ('define = 3\n[[steps]]\nuse = "a"', "'a' is not defined"),
        (STEPS + 'use = "a"\n[define]\na = [{ use = "a" }]', "does `use` use itself"),
        (STEPS + 'use = "a"\n[define]\na = [{ op = "sequence", steps = [{ use = "a" }] }]', "does `use` use itself"),
        ("name = 'x\n", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
        ("a = " + "[" * 5000 + "]" * 5000, "is not TOML"),
        ("\0", "is not TOML"),
    ],
)  # fmt: skip
def test_what_is_no_recipe_is_named(text, words):
    with pytest.raises(UserError, match=words) as error:
        from_text(text, "mine.toml")
    assert error.value.exit_code == 2
    assert str(error.value).startswith("mine.toml: ")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("op", "words"),
    [
        ('op = "tone"\nlevels = [9, 9]', r"\(tone\).levels: at least two are meant"),
        ('op = "tone"\nlevels = [0, 9]\nred = [1]', r"\(tone\).red: 1 numbers for 2 levels"),
        ('op = "tone"\nlevels = [0, 9]\nblue = [8, -8]', r"\(tone\).blue: the curve falls"),
        ('op = "blur"\nsigma = -1', r"steps\[0\] \(blur\).sigma: from -1 to -1, but at least 0.01"),
        ('op = "blur"\nsigma = [3, 1]', r"\(blur\).sigma: range \[3, 1\] ends before it begins"),
        ('op = "blur"\nsigma = "s - 4"', r"\(blur\).sigma: from 0 to 0"),
        ('op = "blur"\nsigma = { log10 = [2, 400] }', r"\(blur\).sigma"),
        ('op = "blur"\nprob = 1.5', r"\(blur\).prob: from 1.5 to 1.5, but at least 0 and at most 1"),
        ('op = "blur"\nprob = "s"', r"\(blur\).prob: from 4 to 4"),
        ('op = "blur"\nsize = { odd = [8, 8] }', r"\(blur\).size: no odd number"),
        ('op = "noise"\nsigma = { integers = [1.5, 3] }', r"\(noise\).sigma: .*whole numbers are meant"),
        ('op = "noise"\nphotons = 0', r"\(noise\).photons: from 0 to 0, but at least 0.5"),
        ('op = "codec"\nquality = 101', r"\(codec\).quality: .*at most 100"),
        ('op = "resize"\nfactor = { reciprocal = [0, 1] }', r"\(resize\).factor"),
        ('op = "resize"\nfactor = 1\nof_lr = 1', r"\(resize\).factor: of_lr is given too"),
        ('op = "resize"\nintegers = true\nmethod = "area"', "integers: only matlab_bicubic"),
        ('op = "shuffle"\nkeep_order = ["a"]\nsteps = [{ op = "blur" }]', "no step has the name 'a'"),
        ('op = "one_of"\nbranches = [[{ op = "blur", sigma = -1 }]]', r"\(one_of\).*\(blur\).sigma: from -1"),
    ],
)
def test_what_no_image_can_use_is_named(op, words):
    with pytest.raises(UserError, match=words) as error:
        from_text(STEPS + op + "\n" + RESIZE, "mine.toml").check(4)
    assert error.value.exit_code == 2


@pytest.mark.parametrize("number", ["9" * 400, "9" * 5000], ids=["400 digits", "5000 digits"])
def test_numbers_beyond_all_bounds_are_refused(number):
    with pytest.raises(UserError):
        from_text(f'{STEPS}op = "noise"\nsigma = {number}', "mine.toml")


def test_a_probability_is_no_range():
    """It is one number: a range would silently stand for its lower end."""
    for prob in ("[0.2, 0.8]", "{ choice = [0, 1] }"):
        with pytest.raises(UserError, match="prob"):
            from_text(f'{STEPS}op = "blur"\nprob = {prob}\n{RESIZE}', "mine.toml").check(4)


def test_a_misspelt_list_of_steps_is_named():
    for op, setting, meant in (
        ("sequence", "step", "steps"),
        ("shuffle", "stepps", "steps"),
        ("one_of", "branch", "branches"),
    ):
        with pytest.raises(UserError, match=f"'{setting}'.*did you mean '{meant}'"):
            from_text(f'{STEPS}op = "{op}"\n{setting} = [{{ op = "blur" }}]', "mine.toml")


def test_parts_of_parts_may_be_deep_but_not_endless():
    define = "\n".join(f'p{i} = [{{ use = "p{i + 1}" }}]' for i in range(8)) + '\np8 = [{ op = "blur" }]'
    recipe = from_text(f'[define]\n{define}\n{STEPS}use = "p0"\n{RESIZE}', "x")
    assert [step["op"] for step in steps_of(recipe, 0, "k", HR, 4)] == ["blur", "resize"]
    nine = [", ".join([f'{{ use = "p{i + 1}" }}'] * 9) for i in range(9)]
    bomb = "\n".join(f"p{i} = [{one}]" for i, one in enumerate(nine))
    with pytest.raises(UserError, match="operations"):
        from_text(f'[define]\n{bomb}\np9 = [{{ op = "blur" }}]\n{STEPS}use = "p0"', "x")


def test_a_part_that_is_used_may_have_a_probability():
    soft = '[{ op = "blur" }, { op = "blur", kind = "sinc" }]'
    text = f'[define]\nsoft = {soft}\n{STEPS}use = "soft"\nprob = 0.5\n{RESIZE}'
    recipe = from_text(text, "x")
    counts = Counter(len(each([steps_of(recipe, 0, str(i), HR, 4)], "blur")) for i in range(400))
    assert set(counts) == {0, 2}
    often(counts[2], 0.5)


def test_recipes_that_do_not_end_at_lr():
    for text, words in (
        (STEPS + 'op = "blur"', "its last step gives 1920x1200 px, LR 480x300; end with"),
        (
            STEPS + 'op = "resize"\nfactor = 0.3\n' + STEPS + 'op = "reduce"',
            "are no multiple of LR's 480x300",
        ),
        (RESIZE + STEPS + 'op = "resize"\nfactor = 0.5', "its last step gives 240x150"),
    ):
        with pytest.raises(UserError, match=words):
            from_text(text, "mine.toml").draw(0, "k", HR, 4)


@pytest.mark.parametrize("sigma", ['"1 / (s - 2)"', '"s - 2"'])
def test_expressions_hold_for_the_scale_that_is_left_too(sigma):
    """s is 4 when the recipe is checked and 2 when the blur is drawn: there is no such sigma."""
    text = (
        f'{STEPS}op = "resize"\nfactor = 0.5\nrescale = true\n{STEPS}op = "blur"\nsigma = {sigma}\n{RESIZE}'
    )
    recipe = from_text(text, "mine.toml")

    def check_and_draw():
        recipe.check(4)
        steps_of(recipe, 0, "k", HR, 4)

    with pytest.raises(UserError, match="sigma"):
        check_and_draw()


def test_missing_pools_are_named(pools):
    with pytest.raises(UserError, match="draws from a kernel pool; give `kernels`"):
        read_recipe("realsr").draw(0, "k", HR, 4, noises=pools["noises"])
    with pytest.raises(UserError, match="draws from a noise pool; give `noises`"):
        read_recipe("realsr").draw(0, "k", HR, 4, kernels=pools["kernels"])
    assert read_recipe("realsr").pools() == {"kernel", "noise"}
    assert read_recipe("bsrgan").pools() == set()
    assert read_recipe("realsr").without("inject").pools() == {"kernel"}


def test_files(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(read_recipe("samsung").text, encoding="utf-8")
    assert read_recipe(path).digest == read_recipe("samsung").digest
    with pytest.raises(UserError, match="bsrgam: is no preset and no file; did you mean 'bsrgan'"):
        read_recipe("bsrgam")
    with pytest.raises(UserError, match="is no preset and no file"):
        read_recipe(path / "deeper.toml")
    with pytest.raises(UserError, match="cannot be read"):
        read_recipe(tmp_path)
    path.write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(UserError, match="is not text in UTF-8"):
        read_recipe(path)
    Image.new("RGB", (4, 4)).save(tmp_path / "photo.png")
    with pytest.raises(UserError, match="is not text in UTF-8"):
        read_recipe(tmp_path / "photo.png")


def test_a_digest_is_of_what_is_done():
    digests = {read_recipe(name).digest for name in PRESETS}
    assert len(digests) == len(PRESETS)
    one = from_text('name = "a"\nabout = "b"\n# c\n' + RESIZE, "x")
    other = from_text(RESIZE, "y")
    assert one.digest == other.digest
    assert from_text('border = "reflect"\n' + RESIZE, "x").digest != other.digest
    assert from_text(RESIZE + "clip = true", "x").digest != other.digest
    assert from_text("[hr]\ncleanup = 2\n" + RESIZE, "x").digest != other.digest
    assert other.without("resize").digest != other.digest


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("scale", [2, 3, 4, 8, 16])
def test_presets_are_right_at_every_scale(name, scale):
    recipe = read_recipe(name)
    recipe.check(scale)
    assert recipe.name == name
    assert recipe.about
    assert recipe.source
