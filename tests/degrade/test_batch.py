"""Truth: `realdeg.degrade.apply.image`, which other tests hold against code that is not ours; gradients: torch's own check."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

from realdeg.degrade.apply import batch, image
from realdeg.degrade.ops.registry import OPS, STEPS
from realdeg.degrade.ops.step import Pools
from realdeg.degrade.plan import Plan
from realdeg.degrade.recipe.presets import PRESETS
from realdeg.degrade.recipe.recipe import from_text, read_recipe
from realdeg.errors import UserError
from realdeg.imaging import batched
from realdeg.imaging.blur import align_kernel
from realdeg.imaging.depth import to_float
from realdeg.imaging.kernels import gaussian
from realdeg.io.photo import read
from realdeg.pools.kernel_pool import KernelPool
from realdeg.pools.noise_pool import NoisePool

# One recipe for each operation, with all that it can be.
EACH = {
    "blur": '[[steps]]\nop="blur"\nkind=["isotropic","anisotropic","generalised_anisotropic","plateau_isotropic",'
    '"sinc","motion","defocus","pool"]\nborder=["symmetric","reflect","replicate"]\n[[steps]]\nop="resize"',
    "reduce": '[[steps]]\nop="reduce"\nkind=["anisotropic","motion","sinc","pool"]',
    "resize": '[[steps]]\nop="resize"\nfactor=[0.4,1.4]\nmethod=["nearest","bilinear","bicubic","lanczos","area"]\n'
    '[[steps]]\nop="resize"\nmethod=["bilinear","bicubic"]\nantialias=false\nborder="replicate"',
    "noise": '[[steps]]\nop="resize"\n[[steps]]\nop="noise"\nlaw=["gaussian","poisson","gaussian_poisson","speckle"]\n'
    'channels=["grey","colour","correlated"]\nclip=true\n[[steps]]\nop="noise"\nlaw="poisson"\nphotons="levels"',
    "inject": '[[steps]]\nop="resize"\n[[steps]]\nop="inject"\namount=[0.5,2]\nmatch=["none","level"]',
    "codec": '[[steps]]\nop="resize"\n[[steps]]\nop="codec"\nformat=["jpeg","webp","avif","jpeg_differentiable"]\n'
    'subsampling=["420","422","444"]',
    "video": '[[steps]]\nop="resize"\n[[steps]]\nop="video"\ncodec=["h264","hevc"]',
    "camera": '[[steps]]\nop="resize"\n[[steps]]\nop="camera"\ndemosaic=["bilinear","malvar"]',
    "sharpen": '[[steps]]\nop="sharpen"\nweight=[0,1]\nthreshold=[0,20]\n[[steps]]\nop="resize"',
    "tone": '[[steps]]\nop="resize"\n[[steps]]\nop="tone"\nlevels=[0,90,255]\nred=[3,-8,2]\n'
    "green=[0,1,2]\nblue=[4,4,-9]\namount=[-1,1]",
    "sequence": '[[steps]]\nop="sequence"\nsteps=[{op="resize"},{op="noise"}]',
    "shuffle": '[[steps]]\nop="shuffle"\nsteps=[{op="resize"},{op="noise"},{op="codec"}]',
    "one_of": '[[steps]]\nop="one_of"\nbranches=[[{op="resize"}],[{op="reduce"},{op="noise"}]]',
}


CASES = {**EACH, "light": 'colour = "linear"\n' + EACH["noise"]}


@pytest.fixture(scope="module")
def hr(sample):
    coffee = read(sample / "clean" / "coffee.png").pixels
    return np.stack([coffee[40 * i : 40 * i + 64, 50 * i : 50 * i + 96] for i in range(6)])


@pytest.fixture(scope="module")
def pools(sample):
    rng = np.random.default_rng(0)
    patches = tuple(rng.normal(0, 0.02, (20, 30, 3)).astype(np.float32) for _ in range(3))
    return {
        "kernels": KernelPool.read(sample / "kernels" / "kernels_12.mat", 4),
        "noises": NoisePool(
            ("a", "b", "c"), patches, {"patches": {name: {"level": [90.0, 80.0, 70.0]} for name in "abc"}}
        ),
    }


def plans_of(recipe, hr, scale, pools, group=""):
    return [
        recipe.draw(3, str(i), hr.shape[1:3], scale, group=group, grey=i == 5, **pools)
        for i in range(len(hr))
    ]


def both(recipe, hr, scale, pools, group=""):
    pools = {name: pool for name, pool in pools.items() if name.removesuffix("s") in recipe.pools()}
    plans = plans_of(recipe, hr, scale, pools, group)
    whole = torch.from_numpy(hr).permute(0, 3, 1, 2)
    one = np.stack([image.apply(plan, picture, **pools) for plan, picture in zip(plans, hr, strict=True)])
    many = batch.apply(plans, whole, **pools).permute(0, 2, 3, 1).numpy()
    return one.astype(int), (many * 255).round().astype(int), plans


def test_there_is_a_case_for_every_operation_and_every_step(hr, pools):
    assert set(EACH) == set(OPS)
    recipes = [from_text(text, name) for name, text in CASES.items()]
    plans = [plan for recipe in recipes for plan in plans_of(recipe, hr, 4, pools)]
    drawn = {type(step) for plan in plans for step in plan.steps}
    assert drawn == set(STEPS)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("scale", [2, 4])
def test_tensors_and_images_agree(name, scale, hr, pools):
    if name == "video":
        pytest.importorskip("av")
    one, many, _ = both(from_text(CASES[name], name), hr, scale, pools)
    assert one.shape == many.shape == (6, 64 // scale, 96 // scale, 3)
    # A level by rounding; where float32's last bit decides on a photon, or on a JPEG coefficient, a few more.
    # A video codec carries the block where it did into the frames that follow.
    away = np.abs(one - many)
    assert np.mean(away > 1) < (1e-2 if name == "video" else 2e-3)
    assert np.mean(away > 0) < (4e-2 if name == "video" else 2e-2)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("group", ["", "all"])
def test_presets_agree(name, group, hr, pools):
    """Step by step from the same input: JPEG turns a last bit at its input into other coefficients."""
    recipe = read_recipe(name)
    pools = {which: pool for which, pool in pools.items() if which.removesuffix("s") in recipe.pools()}
    given = Pools(pools.get("kernels"), pools.get("noises"))
    draw = partial(recipe.draw, 3, hr_size=hr.shape[1:3], scale=4, group=group, **pools)
    plans = [draw(str(i)) for i in range(len(hr))]
    if group:
        assert len(set(map(batch.structure, plans))) == 1
    for plan, picture in zip(plans, hr, strict=True):
        for step in plan.steps:
            before = torch.from_numpy(to_float(picture)).permute(2, 0, 1)[None]
            many = step.apply_batch(before, [step], given)[0].permute(1, 2, 0).numpy()
            picture = step.apply(picture, given)
            # Tails below 1e-5 are left out, 8-bit reductions have steps of 2^-16, Poisson counts may turn at a float's last bit.
            away = np.abs(to_float(picture) - many) * 255
            assert np.mean(away > (0.1 if step.op == "reduce" else 3e-3)) < 2e-4, step
    many = batch.apply(plans, torch.from_numpy(hr).permute(0, 3, 1, 2), **pools).permute(0, 2, 3, 1).numpy()
    one = np.stack([image.apply(plan, picture, **pools) for plan, picture in zip(plans, hr, strict=True)])
    assert np.abs(one - many * 255).mean() < 0.5


def test_flat_images_come_back_flat():
    recipe = from_text('[[steps]]\nop="blur"\nkind="sinc"\n[[steps]]\nop="resize"\nmethod="lanczos"', "x")
    plans = [recipe.draw(0, str(i), (32, 32), 4) for i in range(3)]
    out = batch.apply(plans, torch.full((3, 3, 32, 32), 0.25), levels=None)
    torch.testing.assert_close(out, torch.full_like(out, 0.25), atol=1e-5, rtol=0)


def test_gradients_of_the_operators():
    """torch.autograd.gradcheck in float64 on tiny images."""
    x = torch.rand(
        2, 3, 7, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    at = [align_kernel(gaussian(5, 1.0, 2.0, 0.3), 1), align_kernel(gaussian(3, 0.7), 1)]
    weight, threshold = torch.tensor([0.5, 1.0]).double(), torch.zeros(2).double()
    for function in (
        lambda t: batched.blur(t, at),
        lambda t: batched.resample(t, (4, 5), "matlab_bicubic"),
        lambda t: batched.resample(t, (9, 5), "area"),
        lambda t: batched.unsharp(t * 0.5 + 0.2, weight * 0.1, 3, threshold - 255),
        lambda t: batched.srgb_to_linear(t + 0.1),
        lambda t: batched.linear_to_srgb(t + 0.1),
    ):
        assert torch.autograd.gradcheck(function, (x,), fast_mode=True)


def test_a_recipe_without_real_codecs_passes_gradients(hr):
    text = (
        '[[steps]]\nop="blur"\n[[steps]]\nop="resize"\n[[steps]]\nop="noise"\nlaw="gaussian_poisson"\n'
        '[[steps]]\nop="codec"\nformat="jpeg_differentiable"'
    )
    recipe = from_text(text, "x")
    whole = (torch.from_numpy(hr).permute(0, 3, 1, 2).float() / 255).requires_grad_()
    plans = [recipe.draw(0, str(i), hr.shape[1:3], 4) for i in range(len(hr))]
    batch.apply(plans, whole).square().mean().backward()
    assert torch.isfinite(whole.grad).all()
    assert (whole.grad.abs().amax((1, 2, 3)) > 0).all()


REAL = '[[steps]]\nop="blur"\n[[steps]]\nop="resize"\n[[steps]]\nop="codec"\nformat=["jpeg","webp"]'
WHOLE = '[[steps]]\nop="resize"\nintegers=true'


@pytest.mark.parametrize(
    ("text", "what"), [(REAL, r"a real codec \((JPEG|WebP)\)"), (WHOLE, "a resize in whole numbers")]
)
def test_a_gradient_that_a_step_cannot_pass_is_refused_or_led_past_it(text, what, hr):
    recipe = from_text(text, "x")
    plans = [recipe.draw(0, str(i), hr.shape[1:3], 4) for i in range(len(hr))]
    whole = torch.from_numpy(hr).permute(0, 3, 1, 2).float() / 255
    needed = whole.clone().requires_grad_()
    with pytest.raises(UserError, match=f"plan: HR needs a gradient, and {what} lets none through; use"):
        batch.apply(plans, needed)
    expected = batch.apply(plans, whole)  # without a gradient to compute all is as ever
    with torch.no_grad():
        torch.testing.assert_close(batch.apply(plans, needed), expected, rtol=0, atol=0)
    past = batch.apply(plans, needed, codec_gradient="straight-through")
    torch.testing.assert_close(past.detach(), expected, rtol=0, atol=0)
    past.sum().backward()
    assert (needed.grad.abs().amax((1, 2, 3)) > 0).all()
    assert not batch.apply(plans, needed, codec_gradient="none").requires_grad
    with pytest.raises(ValueError, match="refuse, straight-through or none"):
        batch.apply(plans, needed, codec_gradient="maybe")


def test_a_straight_through_codec_passes_what_the_steps_around_it_pass(hr):
    """As if the codec were not there: the gradient of a sum is that of blur and resize alone."""
    around, codec = REAL.split('[[steps]]\nop="codec"')[0], REAL
    grads = []
    for text in (around, codec):
        plans = [from_text(text, "x").draw(0, str(i), hr.shape[1:3], 4) for i in range(len(hr))]
        whole = (torch.from_numpy(hr).permute(0, 3, 1, 2).float() / 255 * 0.6 + 0.2).requires_grad_()
        batch.apply(plans, whole, levels=None, codec_gradient="straight-through").sum().backward()
        grads.append(whole.grad)
    torch.testing.assert_close(*grads)


def test_hr_of_another_size_is_refused(hr):
    plans = [read_recipe("samsung").draw(0, str(i), (280, 420), 4) for i in range(len(hr))]
    with pytest.raises(UserError, match="HR: is 96x64 px, but the plan was drawn for HR of 420x280 px"):
        batch.apply(plans, torch.from_numpy(hr).permute(0, 3, 1, 2))


def test_kornias_jpeg_is_nearer_to_real_jpeg_than_the_usual_model(golden):
    """Truth: OpenCV's JPEG and BasicSR's DiffJPEG of the same crop (tests/golden/README.md)."""
    z = np.load(golden / "jpeg.npz")
    hr = torch.from_numpy(z["hr_97x123"]).permute(2, 0, 1)[None].float() / 255
    for quality in (30, 75):
        real = z[f"cv2_dec_q{quality}_420_97x123"].astype(float)
        ours = batched.jpeg_model(hr, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy() * 255
        usual = z[f"basicsr_diffjpeg_q{quality}_97x123"].astype(float)
        usual = usual * 255 if usual.max() <= 1.01 else usual
        assert ours.shape == real.shape
        assert np.sqrt(np.mean((ours - real) ** 2)) < 0.8 * np.sqrt(np.mean((usual - real) ** 2))


def test_wrong_numbers_of_plans():
    with pytest.raises(ValueError, match="1 plans for 2 images"):
        batch.apply([Plan((), None, 1)], torch.zeros(2, 3, 8, 8))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", PRESETS)
def test_a_gpu_gives_the_same(name, hr, pools):
    recipe = read_recipe(name)
    pools = {k: v for k, v in pools.items() if k.removesuffix("s") in recipe.pools()}
    plans = [recipe.draw(3, str(i), hr.shape[1:3], 4, group="g", **pools) for i in range(len(hr))]
    whole = torch.from_numpy(hr).permute(0, 3, 1, 2)
    cpu, gpu = (batch.apply(plans, whole.to(device), **pools).cpu() for device in ("cpu", "cuda"))
    assert ((cpu - gpu).abs() * 255 > 1.5).float().mean() < 2e-3
